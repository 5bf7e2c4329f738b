"""Kill fits and runs at random moments, and check what is left. The full size is ``python -m tests.kills 500``.

A run takes its place within a millisecond, which a random moment never hits. So runs are also killed just before one of
the changes to the disk that they make, such as a second name for a file, the exchange, or the removal of the old run.

A child of this process fits with a checkpoint, or runs ``bradley-terry train``, and is killed with SIGKILL. After that,
the checkpoint must be absent or complete, and the same call must end with the bits of a fit that was never killed. The
folder of a run must be absent, or hold the files of one run, byte for byte.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import NoReturn

import numpy as np

import bradley_terry as bt
from bradley_terry.commands import main
from bradley_terry.ranking.named import loss_named

Fit = Callable[..., bt.RewardModel]

CHANGES = ("os.link", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.", "fcntl.flock", "ctypes.dlsym")
"""Events of Python's audit hooks. The last one comes just before the exchange of two folders."""


def answers(n: int) -> bt.PreferencePairs:
    """Return pairs of four features on different scales, with prompts, weights, and ties."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2, n, 4)) * [1.0, 10.0, 0.1, 1.0] + [0.0, 5.0, 0.0, 0.0]
    margins = (features[0] - features[1]) @ [1.0, -0.05, 3.0, 0.0]
    labels = np.where(np.abs(margins) < 0.2, 0.5, (rng.random(n) < bt.sigmoid(margins)).astype(float))
    return bt.PreferencePairs(*features, prompts=np.arange(n) // 3, weights=rng.uniform(0.5, 2, n), labels=labels)


def rankings(n: int) -> bt.PreferenceRankings:
    """Return rankings of three answers of two features."""
    rng = np.random.default_rng(1)
    rewards = np.sort(-rng.normal(size=(n, 3)), axis=1).ravel()
    features = np.column_stack([rewards + rng.normal(size=3 * n), rng.normal(size=3 * n)])
    return bt.PreferenceRankings(features, np.tile([1, 2, 3], n), np.repeat(np.arange(n), 3))


@cache
def fits() -> dict[str, Fit]:
    """Return a fit of each kind; each takes ``checkpoint``, ``every`` and ``callback``."""
    pairs, few, ranked = answers(2000), answers(300), rankings(300)
    items = bt.PreferencePairs(*np.random.default_rng(2).integers(0, 3100, size=(2, 20_000)))
    linear, mlp = bt.LinearScorer(4), bt.MLPScorer(4, 6)
    descent = {"method": "gradient_descent", "max_steps": 40}
    return {
        "newton": partial(bt.fit, linear, pairs, l2=1e-3, tolerance=1e-12),
        "newton without a matrix": partial(bt.fit, bt.TableScorer(3100), items, l2=1e-6),
        "newton, bias reduced": partial(bt.fit, linear, few.subset(few.labels == 1), bias_reduced=True),
        "newton, a loss with ties": partial(bt.fit, linear, pairs, loss=loss_named("rao-kupper"), standardise=True),
        "newton, rankings": partial(bt.fit, bt.LinearScorer(2), ranked),
        "gradient descent": partial(bt.fit, linear, pairs, standardise=True, **descent),
        "gradient descent, rankings": partial(bt.fit, bt.LinearScorer(2), ranked, validation=0.25, **descent),
        "adam": partial(bt.fit, mlp, few, validation=0.2, max_steps=12, patience=3, seed=3, learning_rate=0.2),
        "adam, hinge": partial(bt.fit, linear, few, loss=loss_named("hinge"), method="adam", max_steps=6, seed=1),
    }


def bits(model: bt.RewardModel) -> list[object]:
    """Return all that a fit computed, as bytes and texts."""
    found: list[object] = [model.phi.tobytes(), model.message, model.outcome, model.loss]
    found += [column.tobytes() for column in model.history.values()]
    return [*found, None if model.information is None else model.information.tobytes()]


def killed(work: Callable[[], object], moment: float) -> bool:
    """Do the work in a child, and kill it after so many seconds. Return False if it had ended by then.

    Raises
    ------
    AssertionError
        If the work failed.
    """
    number = os.fork()
    if not number:
        child(work)
    time.sleep(moment)
    os.kill(number, signal.SIGKILL)
    _, status = os.waitpid(number, 0)
    assert status in {0, signal.SIGKILL}, "the work failed in a child"
    return status != 0


def changes(work: Callable[[], object], number: int = 0) -> int:
    """Do the work in a child that kills itself just before the n-th change to the disk.

    Return how many changes it made, or 0 if it was killed.
    """
    child_number = os.fork()
    if not child_number:
        seen: list[str] = []

        def hook(event: str, _: object) -> None:
            if event.startswith(CHANGES):
                seen.append(event)
                if len(seen) == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        work()
        os._exit(min(len(seen), 255))
    status = os.waitpid(child_number, 0)[1]
    return 0 if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def kill_fits(n: int, rng: np.random.Generator) -> str:
    """Kill fits with a checkpoint n times, up to three times with the same file, and compare how each ends."""
    done, wholes, seconds, n_files = dict.fromkeys(fits(), 0), {}, {}, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, fit in fits().items():
            wholes[kind], start = bits(fit()), time.perf_counter()
            fit(checkpoint=folder / "measured.npz")
            seconds[kind] = time.perf_counter() - start
            (folder / "measured.npz").unlink()
        while sum(done.values()) < n:
            kind = min(done, key=lambda name: done[name])
            path = folder / f"{n_files}.npz"
            fit = partial(fits()[kind], checkpoint=path, every=int(rng.integers(1, 4)))
            for _ in range(min(int(rng.integers(1, 4)), n - sum(done.values()))):
                done[kind] += killed(fit, rng.uniform(0, seconds[kind]))
            assert bits(fit()) == wholes[kind], f"{kind}: the fit that went on ended with other bits"
            left, n_files = [file.name for file in folder.iterdir()], n_files + 1
            assert left == [path.name], f"{kind}: left behind {left}"
            path.unlink()
    return f"{n} kills of fits with a checkpoint, of {len(done)} kinds: all {n_files} ended with the same bits"


def train(out: Path | None, l2: int) -> None:
    """Run ``bradley-terry train``; ``out`` may exist. The penalty decides which run it is."""
    where = [] if out is None else ["--out", str(out), "--force"]
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(["train", "baseball", "--l2", str(l2), *where]) == 0


def content(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each file."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def kill_runs(n: int, rng: np.random.Generator) -> Iterator[str]:
    """Kill runs of ``train`` into a new folder and over an old one, and let two of them write to one place."""
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        train(Path("0"), 0)
        start = time.perf_counter()
        train(Path("1"), 1)
        seconds = time.perf_counter() - start
        runs = [content(Path("0")), content(Path("1"))]
        out, done, complete = Path("out"), 0, 0
        while done < n:
            if killed(partial(train, out, 1), rng.uniform(0, seconds)):
                done += 1
                complete += out.exists()
            assert not out.exists() or content(out) == runs[1], "a new folder is neither complete nor absent"
            if out.exists():
                shutil.rmtree(out)
        yield f"{n} kills of train into a new folder: {complete} complete, {n - complete} absent"
        train(out, 0)
        (out / "notes.txt").write_text("mine")
        done, complete = 0, 0
        while done < n:
            new = 1 - runs.index(without_notes(out))
            if killed(partial(train, out, new), rng.uniform(0, seconds)):
                done += 1
                complete += without_notes(out) == runs[new]
        yield f"{n} kills of train --force over an old run: {complete} the new run, {n - complete} the old one"
        n_changes, done, complete = changes(partial(train, out, 1)), 0, 0
        while done < n:
            new = 1 - runs.index(without_notes(out))
            if not changes(partial(train, out, new), int(rng.integers(1, n_changes, endpoint=True))):
                done += 1
                complete += without_notes(out) == runs[new]
        said = f"{n} kills of train --force just before one of its {n_changes} changes to the disk"
        yield f"{said}: {complete} the new run, {n - complete} the old one"
        n_new = 0
        for _ in range(n):
            both(partial(train, out, 0), partial(train, out, 1))
            n_new += runs.index(without_notes(out))
        yield f"{n} times two runs at once with --force on one folder: {n_new} the second, {n - n_new} the first"
        for _ in range(n // 5):
            both(partial(train, None, 0), partial(train, None, 1))
            found = [content(folder) for folder in Path("runs").iterdir()]
            assert found in (runs, runs[::-1]), "two runs without --out are not two complete folders"
            shutil.rmtree("runs")
        yield f"{n // 5} times two runs at once without --out: two complete folders each time"
        train(out, 0)
        left = sorted(path.name for path in Path().iterdir())
        assert left == ["0", "1", "out"], f"left behind: {left}"
        os.chdir("/")


def without_notes(folder: Path) -> dict[str, bytes]:
    """Return the files of the run in a folder, and check that those of other people are still there."""
    found = content(folder)
    assert found.pop("notes.txt") == b"mine"
    return found


def both(one: Callable[[], object], other: Callable[[], object]) -> None:
    """Do two works at once, each in a child."""
    children = []
    for work in (one, other):
        children.append(os.fork())
        if not children[-1]:
            child(work)
    for number in children:
        assert os.waitpid(number, 0)[1] == 0, "the work failed in a child"


def child(work: Callable[[], object]) -> NoReturn:
    """Do the work, and end this process without anything else that Python does at its end."""
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    size = int(sys.argv[1]) if sys.argv[1:] else 500
    warnings.simplefilter("ignore", bt.ConvergenceWarning)
    generator = np.random.default_rng(time.time_ns())
    print(kill_fits(size, generator), flush=True)
    for line in kill_runs(max(1, size // 10), generator):
        print(line, flush=True)
