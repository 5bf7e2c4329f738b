"""A checkpoint belongs to one fit: equal arguments go on from it, and others are refused, however they are made."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry import distributed
from tests.kills import answers

ROOT = Path(bt.__file__).parents[1]

pytestmark = pytest.mark.filterwarnings("ignore::bradley_terry.ConvergenceWarning")


class Holding(bt.losses.LabelSmoothing):
    """A loss that holds something else than its own parameter."""

    def __init__(self, given: object) -> None:
        super().__init__(0.1)
        object.__setattr__(self, "given", given)


class Slotted:
    """Has no ``__dict__``, and a repr that contains its address."""

    __slots__ = ("a", "b")

    def __init__(self, a, b=None):
        self.a, self.b = a, b

    def method(self, z):
        """Return a multiple."""
        return self.a * z


class SlottedBelow(Slotted):
    """Has slots in two classes."""

    __slots__ = ("c",)


def scaled(z, c=1.0):
    return c * z


def closure(c):
    return lambda z: c * z


def within_closure(c):
    inner = closure(c)
    return lambda z: inner(z) + 1


def local_class(c):
    class Local:
        def value(self, z):
            return c * z

    return Local()


def local_class_attribute(c):
    class Local:
        scale = c

    return Local


def with_default(c):
    def function(z, *, scale=c):
        return scale * z

    return function


def below(c):
    made = SlottedBelow(1)
    made.c = c
    return made


def itself(c):
    made = Slotted(c)
    made.b = made
    return made


MAKERS = {  # makes an object from a number, so that equal numbers mean equal objects
    "partial, keyword": lambda c: partial(scaled, c=c),
    "partial, positional": lambda c: partial(scaled, c),
    "partial of a partial": lambda c: partial(partial(scaled, c=c), 1.0),
    "closure": closure,
    "closure in a closure": within_closure,
    "default of a keyword": with_default,
    "code": lambda c: (lambda z: z + 1.0) if c == 1 else (lambda z: z + 2.0),
    "bound method": lambda c: Slotted(c).method,
    "bound method of NumPy": lambda c: np.random.default_rng(int(c)).normal,
    "slots": Slotted,
    "slots of a base and of a subclass": below,
    "array in a slot": lambda c: Slotted(np.array([0.0, c])),
    "local class": local_class,
    "attribute of a local class": local_class_attribute,
    "memoised function": lambda c: lru_cache(closure(c)),
    "function of NumPy": lambda c: np.tanh if c == 1 else np.arctan,
    "random generator": lambda c: np.random.default_rng(int(c)),
    "set": lambda c: {"a", "b", f"c{c}"},
    "keys of a dict": lambda c: {c: "a", "b": 1},
    "bytes": lambda c: bytes([int(c)]),
    "array of objects": lambda c: np.array([Slotted(c), None], dtype=object),
    "contains itself": itself,
    "deep within others": lambda c: [[[[[[[[[[[[[[[Slotted(c)]]]]]]]]]]]]]]],
}


@pytest.mark.parametrize("name", MAKERS)
def test_what_an_argument_holds_decides_whether_the_fit_goes_on(name, tmp_path):
    """An equal object goes on, also if it is another one; an object that differs in one number is refused."""
    path, make = tmp_path / "state.npz", MAKERS[name]
    fit = partial(bt.fit, bt.LinearScorer(4), answers(60), checkpoint=path)
    whole = fit(loss=Holding(make(1.0)))
    assert fit(loss=Holding(make(1.0)), callback=lambda _: pytest.fail("a step was computed")).phi is not whole.phi
    with pytest.raises(
        ValueError, match=f"^{path}: expected the checkpoint of this fit, found one that differs in loss$"
    ):
        fit(loss=Holding(make(2.0)))


@pytest.mark.parametrize(
    "given",
    [threading.Lock(), (i for i in range(3)), Slotted(threading.Lock())],
    ids=["lock", "generator", "lock in a slot"],
)
def test_what_cannot_be_compared_is_refused(given, tmp_path):
    """One sentence names the argument, and no file is written. Without a checkpoint the fit goes through."""
    loss = Holding(given)
    with pytest.raises(TypeError, match=r"^loss: expected .*, since a checkpoint compares .*, got .* \(a \S+\)$"):
        bt.fit(bt.LinearScorer(4), answers(60), loss=loss, checkpoint=tmp_path / "state.npz")
    assert list(tmp_path.iterdir()) == []
    assert bt.fit(bt.LinearScorer(4), answers(60), loss=loss).converged


def stop_at(n):
    return lambda record: record["step"] >= n


def fit_to_shards(checkpoint, callback=None):
    bt.files.save_pairs(answers(60), checkpoint.with_name("shard.npz"))
    return distributed.fit(
        bt.LinearScorer(4),
        [checkpoint.with_name("shard.npz")],
        method="adam",
        max_steps=4,
        checkpoint=checkpoint,
        resume=True,
        callback=callback,
    )


STOPPED = {  # fits of which only the first steps are made, or all
    "newton": partial(bt.fit, bt.LinearScorer(4), answers(60), callback=stop_at(2)),
    "adam": partial(bt.fit, bt.MLPScorer(4, 3), answers(60), max_steps=4, callback=stop_at(3), validation=0.2),
    "gradient descent": partial(
        bt.fit, bt.LinearScorer(4), answers(60), method="gradient_descent", callback=stop_at(3)
    ),
    "shards": partial(fit_to_shards, callback=stop_at(3)),
    "finished": partial(bt.fit, bt.LinearScorer(4), answers(60), l2=0.1),
}


@pytest.mark.parametrize("change", ["missing", "(2, 2)", "one number", "one more", "empty"])
@pytest.mark.parametrize("kind", STOPPED)
def test_a_checkpoint_with_other_entries_is_refused(kind, change, tmp_path):
    """Whichever of its arrays is missing, has another shape or another value: one sentence names file and entry."""
    path, fit = tmp_path / "state.npz", partial(STOPPED[kind], checkpoint=tmp_path / "state.npz")
    fit()
    with np.load(path) as file:
        written = dict(file)
    for name in [name for name in written if name != "identity"]:
        entries, changed = dict(written), name
        if change == "missing":
            del entries[name]
        elif change == "(2, 2)":
            entries[name] = np.zeros((2, 2))
        elif change == "empty":
            entries[name] = written[name].reshape(-1)[:0]
        elif change == "one more":
            entries[changed := "more"] = written[name]
        elif written[name].dtype.kind in "US":
            entries[name] = np.array(str(written[name]).replace("e", "o", 1))
        else:
            entries[name] = np.where(np.arange(written[name].size).reshape(written[name].shape) == 0, 7, written[name])
        np.savez(path, **entries)
        with pytest.raises(ValueError, match=f"^{path}: expected a checkpoint, found .*its entry {changed} ") as caught:
            fit()
        assert "\n" not in str(caught.value)
    np.savez(path, **written)
    fit()


@pytest.mark.full
def test_another_process_goes_on_with_each_kind_of_argument(tmp_path):
    """What identifies an argument contains no address and no order of a set, both of which change with the process."""
    script = (
        "import sys, bradley_terry as bt\n"
        "from tests.test_faults_identity import MAKERS, Holding, answers\n"
        "for number, make in enumerate(MAKERS.values()):\n"
        "    seen = []\n"
        "    path = f'{sys.argv[1]}/{number}.npz'\n"
        "    bt.fit(bt.LinearScorer(4), answers(60), loss=Holding(make(1.0)), checkpoint=path, callback=seen.append)\n"
        "    assert bool(seen) == (sys.argv[2] == 'first')\n"
    )
    for which, seed in (("first", "1"), ("second", "2")):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", script, str(tmp_path), which]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
