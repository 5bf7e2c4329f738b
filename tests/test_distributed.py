"""Fits to shards in one process: they equal a fit to all data at once, go on after a crash, and refuse bad shards."""

from __future__ import annotations

import contextlib
import re
import sys
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

import bradley_terry as bt
from bradley_terry import distributed
from bradley_terry.commands import main
from bradley_terry.commands.split import split
from bradley_terry.files import save_pairs

EXTRAS = ("weights", "labels", "target_margins")


def one_sentence(text: str) -> None:
    """Check that a message is one line, and one sentence after the paths in it are taken out."""
    assert text.strip()
    assert "\n" not in text
    assert ". " not in text


def write_shards(pairs: bt.PreferencePairs, sizes: list[int], folder: Path) -> list[Path]:
    """Write consecutive rows of the pairs into NPZ files."""
    paths = []
    for number, (first, last) in enumerate(pairwise(np.cumsum([0, *sizes]))):
        paths.append(folder / f"{number:02}.npz")
        save_pairs(pairs.subset(np.arange(first, last)), paths[-1])
    return paths


@pytest.fixture
def shards(tmp_path, random_pairs):
    """Write three shards of 60 pairs with three features, and return their paths."""
    pairs = random_pairs(bt.LinearScorer(3), 60)
    return write_shards(pairs, [25, 5, 30], tmp_path)


# ---------------------------------------------------------------------------------------------------- known value


@pytest.mark.parametrize("extras", [(), EXTRAS, ("weights",)], ids=str)
@pytest.mark.parametrize("scorer", [bt.LinearScorer(4), bt.TableScorer(5)], ids=str)
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_a_fit_to_shards_is_the_minimum_that_scipy_finds_on_all_pairs(scorer, extras, l2, tmp_path, random_pairs):
    """The minimum does not depend on how the pairs are divided. SciPy stops at a gradient of 1e-9."""
    pairs = random_pairs(scorer, 200, extras=extras)
    model = distributed.fit(scorer, write_shards(pairs, [1, 99, 40, 60], tmp_path), l2=l2)
    objective = bt.Objective(scorer, pairs, l2=l2)
    start = np.zeros(scorer.n_parameters)
    wanted = minimize(objective, start, jac=True, method="BFGS", options={"gtol": 1e-9}).x
    np.testing.assert_allclose(model.phi, wanted, atol=1e-7)
    whole = bt.fit(scorer, pairs, l2=l2)
    assert model.converged
    np.testing.assert_allclose(model.phi, whole.phi, atol=1e-12 / (l2 or 1e-2))
    np.testing.assert_allclose(model.standard_errors(), whole.standard_errors(), rtol=1e-8)
    assert model.history["loss"][-1] == pytest.approx(whole.history["loss"][-1], rel=1e-14)
    assert model.history["accuracy"][-1] == pytest.approx(whole.history["accuracy"][-1], rel=1e-14)


def test_adam_on_one_batch_for_each_pass_follows_the_published_rule(tmp_path, random_pairs):
    """With one batch the k-th step is Kingma and Ba's, with the gradient of all pairs."""
    scorer = bt.MLPScorer(3, 4)
    pairs = random_pairs(scorer, 50)
    seen = []
    distributed.fit(
        scorer, write_shards(pairs, [20, 30], tmp_path), l2=0.01, seed=3, max_steps=5, batch_size=30, standardise=False,
        callback=lambda record: seen.append(record["phi"]),
    )  # fmt: skip
    phi = scorer.initial(np.random.default_rng(3))
    objective, m, v = bt.Objective(scorer, pairs, l2=0.01), 0.0, 0.0
    for step, found in enumerate(seen, 1):
        np.testing.assert_allclose(found, phi, rtol=1e-11, atol=1e-13)
        g = objective(phi)[1]
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        phi = phi - 0.01 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    assert len(seen) == 6


# ------------------------------------------------------------------------------------------------------- identity


@pytest.mark.full
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_loss_gradient_and_hessian_of_shards_are_those_of_all_pairs(sizes, seed, tmp_path_factory, random_pairs):
    """Σ w times each of them is a sum over the pairs, so it can be added shard by shard."""
    scorer = bt.LinearScorer(2)
    pairs = random_pairs(scorer, sum(sizes), seed=seed)
    paths = write_shards(pairs, sizes, tmp_path_factory.mktemp("shards"))
    model = distributed.fit(scorer, paths, l2=0.2)
    objective = bt.Objective(scorer, pairs, l2=0.2)
    loss, gradient = objective(model.phi)
    assert model.history["loss"][-1] == pytest.approx(loss, rel=1e-13)
    assert np.abs(gradient).max() < 2e-9
    np.testing.assert_allclose(model.information / pairs.total_weight, objective.hessian(model.phi), rtol=1e-11)


def test_items_are_matched_by_name(tmp_path):
    """Each CSV numbers its own names; the fit has the items of all shards, in sorted order."""
    games = [("Cleo", "Anna"), ("Anna", "Cleo"), ("Bob", "Anna"), ("Anna", "Dora"), ("Dora", "Bob"), ("Cleo", "Dora")]
    games += [("Anna", "Bob"), ("Bob", "Cleo")]
    paths = []
    for name, rows in {"whole": games, "a": games[:2], "b": games[2:5], "c": games[5:]}.items():
        paths.append(tmp_path / f"{name}.csv")
        paths[-1].write_text("chosen,rejected\n" + "".join(f"{a},{b}\n" for a, b in rows))
    whole = bt.fit(bt.TableScorer(4), bt.load_pairs(paths[0]))
    model = distributed.fit(bt.TableScorer(4), paths[1:])
    assert model.feature_names == whole.feature_names == ("Anna", "Bob", "Cleo", "Dora")
    np.testing.assert_allclose(model.phi, whole.phi, atol=1e-11)


def test_numbered_items_keep_their_numbers(tmp_path):
    """Item 10 stays item 10, although "item 10" comes before "item 2" in sorted order."""
    rng = np.random.default_rng(0)
    chosen, rejected = rng.integers(12, size=(2, 400))
    pairs = bt.PreferencePairs(chosen, rejected)
    np.save(tmp_path / "a.npy", np.stack([chosen, rejected], axis=1)[:150])
    np.save(tmp_path / "b.npy", np.stack([chosen, rejected], axis=1)[150:])
    model = distributed.fit(bt.TableScorer(12), [tmp_path / "a.npy", tmp_path / "b.npy"], l2=0.01)
    np.testing.assert_allclose(model.phi, bt.fit(bt.TableScorer(12), pairs, l2=0.01).phi, atol=1e-10)


def test_groups_that_never_met_are_counted_over_all_shards(tmp_path):
    """Anna and Bob never met Cleo and Dora, whether in one shard or in two."""
    (tmp_path / "a.csv").write_text("chosen,rejected\nAnna,Bob\nBob,Anna\n")
    (tmp_path / "b.csv").write_text("chosen,rejected\nCleo,Dora\nDora,Cleo\n")
    model = distributed.fit(bt.TableScorer(4), [tmp_path / "a.csv", tmp_path / "b.csv"])
    assert "the items form 2 groups with no comparisons between them" in model.message


def test_standardising_gives_the_same_minimum(tmp_path, random_pairs):
    """Without a penalty the units of the features do not matter; here their means and sizes differ a thousandfold."""
    pairs = random_pairs(bt.LinearScorer(3), 300)
    pairs = bt.PreferencePairs(pairs.chosen * [1, 50, 1e3] + 40, pairs.rejected * [1, 50, 1e3] + 40)
    paths = write_shards(pairs, [100, 200], tmp_path)
    plain, standardised = (distributed.fit(bt.LinearScorer(3), paths, standardise=is_on) for is_on in (False, True))
    np.testing.assert_allclose(standardised.phi, plain.phi, rtol=1e-6)
    np.testing.assert_allclose(standardised.standard_errors(), plain.standard_errors(), rtol=1e-5)
    whole = bt.fit(bt.LinearScorer(3), pairs, standardise=True, l2=0.1)
    np.testing.assert_allclose(
        distributed.fit(bt.LinearScorer(3), paths, standardise=True, l2=0.1).phi, whole.phi, rtol=1e-9
    )


def test_the_batches_of_a_pass_hold_every_pair_once_and_never_divide_a_prompt(random_pairs):
    """Together the parts hold all rows; the prompts of two parts are different; the sizes are about equal."""
    from bradley_terry.distributed.shards import cut_by_prompt

    pairs = random_pairs(bt.LinearScorer(2), 500)
    for n_parts in (1, 2, 7, 50, 400, 600):
        parts = cut_by_prompt(pairs, n_parts, np.random.default_rng(n_parts))
        assert len(parts) == n_parts
        assert sorted(np.concatenate(parts)) == list(range(500))
        prompts = [set(pairs.prompt_index[part].tolist()) for part in parts]
        assert sum(map(len, prompts)) == len(set().union(*prompts))
        largest = np.bincount(pairs.prompt_index).max()
        assert max(map(len, parts)) <= 500 / n_parts + 2 * largest


# ------------------------------------------------------------------------------------------------------- learning


@pytest.mark.full
def test_adam_learns_what_a_linear_scorer_cannot(tmp_path):
    """The reward is |x|: an MLP finds it, with mini-batches of several shards."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3000, 1))
    better = np.abs(a) > np.abs(b)
    pairs = bt.PreferencePairs(np.where(better, a, b), np.where(better, b, a))
    paths = write_shards(pairs, [1000, 500, 1500], tmp_path)
    scorer = bt.MLPScorer(1, 8)
    model = distributed.fit(scorer, paths[:2], validation=paths[2:], batch_size=64, max_steps=40, learning_rate=0.03)
    assert model.history["accuracy"][-1] > 0.95
    found = np.nanmin(model.history["validation_loss"])
    assert bt.Objective(scorer, bt.load_pairs(paths[2]))(model.phi)[0] == pytest.approx(found, rel=1e-12)


def test_the_validation_loss_is_that_of_the_held_out_shards(shards):
    """The held-out shard has no part in the fit, and its loss has no penalty."""
    model = distributed.fit(bt.LinearScorer(3), shards[:2], validation=shards[2:], l2=0.5)
    held_out = bt.Objective(bt.LinearScorer(3), bt.load_pairs(shards[2]))
    assert model.history["validation_loss"][-1] == pytest.approx(held_out(model.phi)[0], rel=1e-13)
    assert model.phi.tobytes() == distributed.fit(bt.LinearScorer(3), shards[:2], l2=0.5).phi.tobytes()


# --------------------------------------------------------------------------------------------------- going on


class CrashError(Exception):
    """Stands for the death of the driver."""


def crash_at(step: int):
    """Return a callback that dies at the n-th record, and the list of the steps that it has seen."""
    seen = []

    def callback(record):
        seen.append(record["step"])
        if len(seen) == step:
            raise CrashError

    return callback, seen


@pytest.mark.parametrize("crash", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "kind", ["linear", "table", *(pytest.param(kind, marks=pytest.mark.full) for kind in ("mlp", "separated"))]
)
def test_a_fit_that_goes_on_after_a_crash_ends_with_the_same_bits(kind, crash, tmp_path, random_pairs):
    """φ, the history and the message are those of a fit that never crashed."""
    scorer = {"table": bt.TableScorer(4), "mlp": bt.MLPScorer(3, 4)}.get(kind, bt.LinearScorer(3))
    extras = () if kind == "separated" else EXTRAS
    pairs = random_pairs(scorer, 90, extras=extras)
    if kind == "separated":
        pairs = bt.PreferencePairs(np.abs(pairs.chosen) + 0.1, -np.abs(pairs.rejected))
    paths = write_shards(pairs, [30, 20, 40], tmp_path)
    options = {"max_steps": 8, "batch_size": 16} if kind == "mlp" else {}
    ending = pytest.warns(bt.ConvergenceWarning) if kind == "separated" else contextlib.nullcontext()
    with ending:
        whole = distributed.fit(scorer, paths[:2], validation=paths[2:], **options)
    options["validation"], options["checkpoint"] = paths[2:], tmp_path / "state.npz"
    with pytest.raises(CrashError):
        distributed.fit(scorer, paths[:2], callback=crash_at(crash)[0], **options)
    callback, seen = crash_at(10_000)
    ending = pytest.warns(bt.ConvergenceWarning) if kind == "separated" else contextlib.nullcontext()
    with ending:
        model = distributed.fit(scorer, paths[:2], resume=True, callback=callback, **options)
    assert model.phi.tobytes() == whole.phi.tobytes()
    assert model.message == whole.message
    for name, values in whole.history.items():
        np.testing.assert_array_equal(model.history[name], values)
    assert seen == whole.history["step"][crash - 1 :].tolist()


def test_the_checkpoint_holds_phi_without_pickle_and_leaves_no_other_file(shards, tmp_path):
    """An NPZ of plain arrays, whose φ is the one of the last step, and nothing else in its folder."""
    folder = tmp_path / "state"
    folder.mkdir()
    model = distributed.fit(bt.LinearScorer(3), shards, checkpoint=folder / "fit.npz")
    with np.load(folder / "fit.npz", allow_pickle=False) as state:
        assert state["phi"].tobytes() == model.phi.tobytes()
        assert all(state[name].dtype.kind in "fUi" for name in state.files)
    assert [path.name for path in folder.iterdir()] == ["fit.npz"]
    assert zipfile.is_zipfile(folder / "fit.npz")


def test_going_on_asks_the_shards_nothing_that_was_answered(shards, tmp_path, monkeypatch):
    """After the crash at step 4 a fit needs fewer passes than from the start."""
    from bradley_terry.distributed import shards as work

    asked, sums = [], work.sums
    monkeypatch.setattr(work, "sums", lambda *call: asked.append(call) or sums(*call))
    distributed.fit(bt.LinearScorer(3), shards)
    n_asked = len(asked)
    asked.clear()
    with pytest.raises(CrashError):
        distributed.fit(bt.LinearScorer(3), shards, checkpoint=tmp_path / "c.npz", callback=crash_at(4)[0])
    first = len(asked)
    distributed.fit(bt.LinearScorer(3), shards, resume=tmp_path / "c.npz")
    assert 0 < first < len(asked) == n_asked


# -------------------------------------------------------------------------------------------------------- manners


def change(shard: Path, how: str) -> None:
    pairs = bt.load_pairs(shard)
    if how == "values":
        before = shard.stat().st_size
        save_pairs(bt.PreferencePairs(np.negative(pairs.chosen), pairs.rejected, prompts=pairs.prompts), shard)
        assert shard.stat().st_size <= before
    elif how == "fewer rows":
        save_pairs(pairs.subset(np.arange(len(pairs) - 1)), shard)
    else:
        content = bytearray(shard.read_bytes())
        shard.write_bytes(bytes(content[: len(content) // 2]))


@pytest.mark.parametrize("how", ["values", "fewer rows", "cut short"])
@pytest.mark.parametrize("step", [0, 2])
def test_a_shard_that_changes_during_the_fit_is_noticed(how, step, shards):
    """The sum would mix two data sets, so the fit ends with the path in one sentence."""

    def callback(record):
        if record["step"] == step:
            change(shards[1], how)

    with pytest.raises(ValueError, match=re.escape(str(shards[1]))) as caught:
        distributed.fit(bt.LinearScorer(3), shards, callback=callback)
    one_sentence(str(caught.value))


def test_a_shard_that_is_only_touched_has_not_changed(shards):
    """Another time of writing is no other content."""
    wanted = distributed.fit(bt.LinearScorer(3), shards).phi
    model = distributed.fit(
        bt.LinearScorer(3), shards, callback=lambda _: shards[0].write_bytes(shards[0].read_bytes())
    )
    assert model.phi.tobytes() == wanted.tobytes()


def bad_shard(kind: str, path: Path) -> Path:
    """Write a shard that does not belong to three features."""
    rng = np.random.default_rng(0)
    if kind == "missing":
        return path.with_name("nowhere.npz")
    if kind == "empty file":
        path.write_bytes(b"")
    elif kind == "empty arrays":
        np.savez(path, chosen=np.zeros((0, 3)), rejected=np.zeros((0, 3)))
    elif kind == "narrower":
        save_pairs(bt.PreferencePairs(*rng.normal(size=(2, 5, 2))), path)
    elif kind == "wider":
        save_pairs(bt.PreferencePairs(*rng.normal(size=(2, 5, 4))), path)
    elif kind == "items":
        save_pairs(bt.PreferencePairs([0, 1], [1, 2]), path)
    elif kind == "other names":
        save_pairs(bt.PreferencePairs(*rng.normal(size=(2, 5, 3)), feature_names=["x1", "x3", "x2"]), path)
    else:
        np.savez(path, chosen=np.full((3, 3), np.nan), rejected=np.zeros((3, 3)))
    return path


KINDS = ["missing", "empty file", "empty arrays", "narrower", "wider", "items", "other names", "not a number"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_shard_that_does_not_belong_is_refused_by_its_path(kind, place, shards, tmp_path):
    """One sentence names a path; if the odd shard is the first, it may be the second that does not match."""
    bad = bad_shard(kind, tmp_path / "bad.npz")
    paths = [bad, *shards] if place == "first" else [*shards, bad]
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(str(bad))) as caught:
        distributed.fit(bt.LinearScorer(3), paths)
    one_sentence(str(caught.value))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"paths": []}, "paths: expected at least one shard"),
        ({"scorer": bt.LinearScorer}, "scorer: expected a scorer"),
        ({"scorer": bt.LinearScorer(2)}, "expected 2 features"),
        ({"scorer": bt.TableScorer(3)}, "expected items"),
        ({"method": "sgd"}, "method: expected newton or adam"),
        ({"method": "newton", "scorer": bt.MLPScorer(3)}, "method: 'newton' needs a scorer that is linear"),
        ({"l2": -1.0}, "l2: expected a finite number"),
        ({"tolerance": np.nan}, "tolerance: expected a finite number"),
        ({"learning_rate": 0.0}, "learning_rate: expected a positive number"),
        ({"batch_size": 0}, "batch_size"),
        ({"max_steps": 0}, "max_steps"),
        ({"seed": -1}, "seed: expected a whole number"),
        ({"resume": True}, "resume: expected the path of a checkpoint"),
        ({"resume": "nowhere.npz"}, "there is no such checkpoint"),
        ({"checkpoint": "nowhere/fit.npz"}, "checkpoint: expected a file in an existing folder"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_named(change, words, shards):
    """One sentence names the argument and says what was expected."""
    arguments = {"scorer": bt.LinearScorer(3), "paths": shards, **change}
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=words) as caught:
        distributed.fit(arguments.pop("scorer"), arguments.pop("paths"), **arguments)
    one_sentence(str(caught.value))


def test_a_shard_given_twice_is_refused(shards):
    """It would count twice."""
    with pytest.raises(ValueError, match="expected each shard once"):
        distributed.fit(bt.LinearScorer(3), [*shards, shards[1]])
    with pytest.raises(ValueError, match="for training or for validation"):
        distributed.fit(bt.LinearScorer(3), shards, validation=shards[:1])


def test_a_checkpoint_of_another_fit_is_refused(shards, tmp_path):
    """A checkpoint is overwritten only by the fit that it belongs to, and only if this is asked for."""
    path = tmp_path / "fit.npz"
    distributed.fit(bt.LinearScorer(3), shards, checkpoint=path)
    with pytest.raises(FileExistsError, match="resume=True goes on from it"):
        distributed.fit(bt.LinearScorer(3), shards, checkpoint=path)
    for other in ({"l2": 0.1}, {"tolerance": 1e-6}, {"method": "adam"}):
        with pytest.raises(ValueError, match="expected the checkpoint of this fit"):
            distributed.fit(bt.LinearScorer(3), shards, resume=path, **other)
    with pytest.raises(ValueError, match="differs in shards"):
        distributed.fit(bt.LinearScorer(3), shards[1:], resume=path)
    for content in (b"", b"PK\3\4 damaged", path.read_bytes()[:300]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="expected a checkpoint, found a file that cannot be read") as caught:
            distributed.fit(bt.LinearScorer(3), shards, resume=path)
        one_sentence(str(caught.value))


def test_a_cluster_without_the_package_distributed_is_one_sentence(shards, monkeypatch):
    """Fits in one process do not need it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert distributed.fit(bt.LinearScorer(3), shards).converged
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'bradley-terry\[distributed\]'"):
        distributed.fit(bt.LinearScorer(3), shards, client=object())
    with pytest.raises(ModuleNotFoundError, match="distributed"), distributed.cluster(2):
        pass


@pytest.mark.full
def test_importing_does_not_load_dask(run_python):
    """Neither the package nor ``bt.distributed`` loads it."""
    script = "import sys, bradley_terry as bt; bt.distributed.fit; print({'dask', 'distributed'} & set(sys.modules))"
    assert run_python(script) == "set()"


# ------------------------------------------------------------------------------------------------------ command line


@pytest.mark.parametrize("file_format", ["npz", "npy"])
def test_split_keeps_every_pair_and_never_divides_a_prompt(file_format, tmp_path, random_pairs):
    """Together the shards hold the pairs with all their fields, and no prompt is in two of them."""
    pairs = random_pairs(bt.LinearScorer(2), 100)
    paths = split(pairs, 4, tmp_path / "out", file_format=file_format)
    parts = [bt.load_pairs(path) for path in paths]
    assert len(parts) == 4
    prompts = [set(part.prompts.tolist()) for part in parts]
    assert sum(map(len, prompts)) == pairs.n_prompts
    for name in ("chosen", "rejected", "prompts", *EXTRAS):
        found = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(getattr(pairs, name), axis=0))
    assert min(map(len, parts)) > 15


def test_split_and_train_find_what_train_finds_on_all_data(tmp_path, capsys, monkeypatch):
    """The baseball data in three shards have the rewards of the whole file."""
    monkeypatch.chdir(tmp_path)
    assert main(["split", "baseball", "--shards", "3", "--out", "shards"]) == 0
    assert main(["train", "shards", "--out", "run", "--checkpoint", "state.npz"]) == 0
    assert "80 pairs of 7 items in 3 shards" in capsys.readouterr().out
    pairs = bt.datasets.baseball()
    wanted = bt.fit(bt.TableScorer(7), pairs)
    model = bt.RewardModel.load("run/model.npz")
    assert model.feature_names == wanted.feature_names
    np.testing.assert_allclose(model.phi, wanted.phi, atol=1e-9)
    assert main(["train", "shards", "--out", "again", "--checkpoint", "state.npz", "--json"]) == 0
    assert bt.RewardModel.load("again/model.npz").phi.tobytes() == model.phi.tobytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["split", "baseball", "--shards", "0", "--out", "o"], "--shards: expected"),
        (["split", "baseball", "--shards", "999", "--out", "o"], "--shards: expected at most 21"),
        (["split", "baseball", "--shards", "2", "--out", "full"], "--out: expected a new or empty folder"),
        (["train", "baseball", "--workers", "2"], "expected files or folders of shards"),
        (["train", "full/a.csv", "--workers", "0"], "workers: expected at least 1"),
        (["train", "full/a.csv", "full/b.csv"], "there is no such shard"),
        (["train", "full/a.csv", "full/a.csv"], "expected each shard once"),
        (["train", "full/a.csv", "--workers", "1", "--scheduler", "tcp://x:1"], "--scheduler: expected"),
        (
            ["train", "full/shards", "--validation", "0.5"],
            "--validation: expected at least two",
        ),
        (["train", "full/shards", "--backend", "numpy"], "--backend: expected auto"),
        (["train", "full/shards", "--scorer", "mlp"], "--scorer: expected"),
        (["train", "full/shards", "--hidden", "4"], "--hidden: expected"),
        (["train", "full/shards", "--method", "gradient_descent"], "--method: expected"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_command_line_refuses_in_one_sentence(arguments, words, tmp_path, monkeypatch, capsys):
    """Status 2, one line on stderr, and no folder is left behind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "shards").mkdir()
    for name in ("a.csv", "shards/shard-0.csv"):
        (tmp_path / "full" / name).write_text("chosen,rejected\na,b\nb,a\n")
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert len(said.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]


def test_a_penalty_that_a_fit_in_memory_refuses_is_refused_for_shards(tmp_path) -> None:
    """Times the sum of the weights, it would be beyond the largest double."""
    pairs = bt.PreferencePairs(np.eye(3), np.zeros((3, 3)))
    for fit, data in ((bt.fit, pairs), (distributed.fit, write_shards(pairs, [2, 1], tmp_path))):
        with pytest.raises(ValueError, match=r"^l2: expected at most 1e\+150, got 1e\+308$"):
            fit(bt.LinearScorer(3), data, l2=1e308)
