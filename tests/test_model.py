"""The reward model: its rewards, margins and summary, and a file that is safe, stable and complete."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import zipfile

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.model import HISTORY, Outcome, make_scorer

SCORERS = [bt.LinearScorer(3), bt.MLPScorer(3, 4, "relu"), bt.TableScorer(5)]


@pytest.fixture(params=SCORERS, ids=str)
def model(request, random_pairs) -> bt.RewardModel:
    return bt.fit(request.param, random_pairs(request.param, 60), l2=0.1, max_steps=20)


# ---------------------------------------------------------------------------------------------------- known value


def test_model_says_what_its_parameters_say() -> None:
    """Rewards, their difference as a probability, and named parameters agree with a calculation by hand."""
    pairs = bt.PreferencePairs([0, 0, 0, 1], [1, 1, 1, 0], feature_names=["strong", "weak"])
    model = bt.fit(bt.TableScorer(2), pairs)
    # 3 wins of 4: the margin is log 3, shared evenly
    np.testing.assert_allclose(model.phi, [np.log(3) / 2, -np.log(3) / 2], atol=1e-8)  # gradient below 1e-9
    np.testing.assert_allclose(model.reward([1, 0]), model.phi[[1, 0]])
    np.testing.assert_allclose(model.preference_probability([0, 1], [1, 0]), [0.75, 0.25], atol=1e-8)
    assert model.feature_names == ("strong", "weak")
    np.testing.assert_array_equal(model.parameters["rewards"], model.phi)
    np.testing.assert_allclose(model.estimates("weak"), [np.log(3), 0], atol=2e-8)
    np.testing.assert_allclose(model.margins(pairs), np.log(3) * np.array([1, 1, 1, -1]), atol=2e-8)


def test_history_has_its_named_columns(model) -> None:
    """All columns have the same length, the steps start at 0, and without validation its loss is NaN."""
    assert tuple(model.history) == HISTORY
    assert len({len(column) for column in model.history.values()}) == 1
    assert model.history["step"][0] == 0
    assert model.history["step"].dtype == np.int64
    assert np.isnan(model.history["validation_loss"]).all()


def test_margins_are_differences_of_rewards(model, random_pairs) -> None:
    """Δ = r_chosen - r_rejected for each pair, without the target margin, whatever the scorer."""
    pairs = random_pairs(model.scorer, 40, seed=9)
    difference = model.reward(pairs.chosen) - model.reward(pairs.rejected)
    np.testing.assert_allclose(model.margins(pairs), difference, rtol=1e-12, atol=1e-14)  # rewards of size 1


def test_outcomes_are_phrases_and_two_of_them_are_successes() -> None:
    """A fit that converged, or stopped early at its best validation loss, ended as intended; the others did not."""
    assert {outcome for outcome in Outcome if outcome.is_success} == {Outcome.CONVERGED, Outcome.STOPPED_EARLY}
    assert Outcome.CONVERGED.value == "converged"
    assert Outcome.STOPPED_EARLY.value == "stopped early"
    assert all(outcome.value == outcome.value.lower() for outcome in Outcome)


# -------------------------------------------------------------------------------------------------------- manners


def bare_model(**options) -> bt.RewardModel:
    """Return a model of two weights that was never fitted."""
    history = {name: np.zeros(1) for name in HISTORY}
    return bt.RewardModel(
        **{"scorer": bt.LinearScorer(2), "phi": np.ones(2), "history": history, "message": ""} | options
    )


def test_outcome_follows_from_converged_unless_given_and_never_contradicts_it() -> None:
    """Old code gives only ``converged``, also to ``dataclasses.replace``. A member or its phrase is accepted."""
    assert bare_model(converged=True).outcome is Outcome.CONVERGED
    assert bare_model(converged=False).outcome is Outcome.STEP_LIMIT
    assert bare_model(converged=True, outcome=Outcome.STOPPED_EARLY).outcome is Outcome.STOPPED_EARLY
    assert bare_model(converged=False, outcome="diverged").outcome is Outcome.DIVERGED
    for outcome in Outcome:
        model = bare_model(converged=outcome.is_success, outcome=outcome)
        other = dataclasses.replace(model, converged=not outcome.is_success)
        assert other.outcome is (Outcome.STEP_LIMIT if outcome.is_success else Outcome.CONVERGED)
    with pytest.raises(ValueError, match="'finished' is not a valid Outcome"):
        bare_model(converged=True, outcome="finished")


def test_every_outcome_comes_back_from_a_file_and_old_files_have_none(tmp_path) -> None:
    """A file from before outcomes existed is read, and its outcome follows from ``converged``."""
    path = tmp_path / "m"
    for outcome in Outcome:
        bare_model(converged=outcome.is_success, outcome=outcome).save(path)
        assert bt.RewardModel.load(path).outcome is outcome
    bare_model(converged=False, outcome=Outcome.DIVERGED).save(path)
    with zipfile.ZipFile(path) as archive:
        meta = json.loads(archive.read("meta.json"))
    assert meta.pop("outcome") == "diverged"
    rewrite(path, **{"meta.json": json.dumps(meta).encode()})
    assert bt.RewardModel.load(path).outcome is Outcome.STEP_LIMIT


def test_summary_shows_what_was_fitted_how_it_ended_and_the_estimates() -> None:
    """The summary has words and a table, strongest item first. It is the same for a model from a file."""
    pairs = bt.PreferencePairs([1, 1, 1, 0], [0, 0, 0, 1], feature_names=["weak", "strong"])
    model = bt.fit(bt.TableScorer(2), pairs)
    lines = model.summary().splitlines()
    assert lines[0] == "scorer      TableScorer(n_items=2)"
    assert lines[1] == "method      newton"
    assert lines[2].startswith("outcome     converged after ")
    assert lines[3] == f"message     {model.message}"
    # the information of the margin is 4·¾·¼ = ¾, and each reward is half the margin: 1/√¾ / 2
    assert lines[5].split() == ["item", "reward", "standard", "error", "z"]
    assert lines[6].split() == ["strong", "+0.5493", "0.5774", "+1.0"]
    assert lines[7].split() == ["weak", "-0.5493", "0.5774", "-1.0"]
    assert len({len(line) for line in lines[5:8]}) == 1
    assert "sum to zero" in lines[9]


def test_summary_works_for_every_scorer_and_from_a_file(model, tmp_path) -> None:
    """It names the scorer, the penalty and every parameter; a loaded model gives the same text."""
    model.save(tmp_path / "m")
    text = model.summary()
    assert bt.RewardModel.load(tmp_path / "m").summary() == text
    assert str(model.scorer) in text
    assert "l2 = 0.1" in text
    expected = {
        "LinearScorer": ["feature 0", "feature 2", "standard error", "z is the estimate"],
        "TableScorer": ["item 0", "item 4", "standard error", "sum to zero"],
        "MLPScorer": ["20: hidden_weights 3 × 4, hidden_bias 4, output_weights 4", "no standard errors, because"],
    }
    for part in expected[type(model.scorer).__name__]:
        assert part in text


def test_summary_shows_at_most_twenty_rows_largest_z_first(random_pairs) -> None:
    """Of 23 weights, the three that are closest to zero in standard errors are only counted."""
    model = bt.fit(bt.LinearScorer(23), random_pairs(bt.LinearScorer(23), 200), l2=0.1)
    rows = [line for line in model.summary().splitlines() if line.startswith("feature ")][1:]
    z = np.abs(model.phi / model.standard_errors())
    assert [int(row.split()[1]) for row in rows] == np.argsort(-z)[:20].tolist()
    assert "\nand 3 more\n" in model.summary()


def test_summary_says_why_there_are_no_standard_errors_and_that_a_fit_did_not_end_as_intended() -> None:
    """A feature that never differs, a model made by hand, and a step limit each get a sentence."""
    pairs = bt.PreferencePairs([[1.0, 2], [0, 2], [3, 2]], [[0.0, 2], [1, 2], [1, 2]], feature_names=["a", "same"])
    model = bt.fit(bt.LinearScorer(2), pairs)
    text = model.summary()
    assert "There are no standard errors: 1 direction(s) of phi are not determined by these pairs" in text
    assert "z" not in text.split("\n\n")[1]
    assert "not estimates" not in text
    assert "There are no standard errors: expected a model with its information" in bare_model(converged=True).summary()
    stopped = bt.fit(bt.LinearScorer(2), pairs, method="gradient_descent", max_steps=1)
    assert "outcome     reached the step limit after 1 step\n" in stopped.summary()
    assert "these are the parameters where it stopped, not estimates" in stopped.summary()


def test_model_comes_back_from_its_file_unchanged(model, tmp_path, random_pairs) -> None:
    """Every field is the same, bit for bit, and so is the evaluation of the same pairs."""
    path = tmp_path / "model of no suffix"
    model.save(path)
    loaded = bt.RewardModel.load(str(path))
    assert loaded.scorer == model.scorer
    for name in ("converged", "outcome", "message", "feature_names", "l2", "method"):
        assert getattr(loaded, name) == getattr(model, name), name
    np.testing.assert_array_equal(loaded.phi, model.phi)
    for name in HISTORY:
        np.testing.assert_array_equal(loaded.history[name], model.history[name])
        assert loaded.history[name].dtype == model.history[name].dtype
    pairs = random_pairs(model.scorer, 40, seed=9)
    assert loaded.evaluate(pairs) == model.evaluate(pairs)
    assert repr(loaded) == repr(model)
    if model.scorer.linear_in_phi:
        np.testing.assert_array_equal(loaded.standard_errors(), model.standard_errors())
    else:
        assert loaded.information is None


def test_the_same_model_gives_the_same_bytes(model, tmp_path) -> None:
    """Saved twice, or loaded and saved again, the file is the same, byte for byte."""
    model.save(tmp_path / "a")
    model.save(tmp_path / "b")
    bt.RewardModel.load(tmp_path / "a").save(tmp_path / "c")
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b == c


def test_model_file_holds_arrays_and_json_and_no_pickle(model, tmp_path) -> None:
    """Every entry is JSON or an array that NumPy reads with pickle forbidden."""
    model.save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as archive:
        for name in archive.files:
            if name != "meta.json":
                assert archive[name].dtype.kind in "fi"
    with zipfile.ZipFile(tmp_path / "m.npz") as archive:
        assert json.loads(archive.read("meta.json"))["scorer"]["kind"] == type(model.scorer).__name__


def test_phi_of_a_model_is_read_only(model, tmp_path) -> None:
    """Neither φ nor its named views can be written to, in a fitted model or a loaded one."""
    model.save(tmp_path / "m")
    for each in (model, bt.RewardModel.load(tmp_path / "m")):
        with pytest.raises(ValueError, match="read-only"):
            each.phi[0] = 1
        with pytest.raises(ValueError, match="read-only"):
            next(iter(each.parameters.values()))[...] = 1
        with pytest.raises(AttributeError):
            each.l2 = 3


def test_missing_file_is_said_to_be_missing(tmp_path) -> None:
    """The error is a FileNotFoundError with the path, and says nothing about the format."""
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npz: there is no such model file"):
        bt.RewardModel.load(tmp_path / "nowhere.npz")


def rewrite(path, **changes) -> None:
    """Write the archive again with some entries replaced, or left out where the new content is None."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries.update(changes)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            if content is not None:
                archive.writestr(name, content)


def test_foreign_and_damaged_files_are_refused(tmp_path) -> None:
    """Text, an empty file, a folder, a foreign zip, pickled arrays, other sizes and formats raise a ValueError."""
    good = tmp_path / "good"
    bt.fit(bt.LinearScorer(2), bt.PreferencePairs([[1.0, 2], [0, 1]], [[0.0, 1], [1, 1]]), l2=1).save(good)
    with zipfile.ZipFile(good) as archive:
        meta, phi = json.loads(archive.read("meta.json")), archive.read("phi.npy")

    def changed(name, **entries):
        (tmp_path / name).write_bytes(good.read_bytes())
        rewrite(tmp_path / name, **entries)

    (tmp_path / "text").write_text("chosen,rejected\na,b\n")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "pickle").write_bytes(pickle.dumps({"phi": [1.0]}))
    np.savez(tmp_path / "foreign.npz", phi=np.ones(2))
    np.savez(tmp_path / "objects.npz", phi=np.array([{"a": 1}], dtype=object))
    changed("no phi", **{"phi.npy": None})
    changed("no history", **{"history_loss.npy": None})
    changed("cut array", **{"phi.npy": phi[:-3]})
    changed("no array", **{"phi.npy": b"hello"})
    changed("not json", **{"meta.json": b"{"})
    changed("a list", **{"meta.json": b"[1]"})
    changed("a word", **{"meta.json": b'"word"'})
    changed("bytes", **{"meta.json": b"\xff\xfe\x00"})
    for name, change in {
        "other format": {"format": "somebody's model"},
        "other size": {"scorer": {"kind": "LinearScorer", "n_features": 3}},
        "no size": {"scorer": {"kind": "LinearScorer"}},
        "other kind": {"scorer": {"kind": "os.system", "command": "true"}},
        "a scorer of words": {"scorer": "LinearScorer"},
        "l2 in words": {"l2": "much"},
        "unknown outcome": {"outcome": "finished"},
        "contradiction": {"converged": False},
    }.items():
        changed(name, **{"meta.json": json.dumps({**meta, **change}).encode()})
    with (tmp_path / "objects.npz").open("rb") as file:
        pickled = zipfile.ZipFile(file).read("phi.npy")
    changed("pickled phi", **{"phi.npy": pickled})
    bad = sorted(path for path in tmp_path.iterdir() if path != good)
    assert len(bad) == 23
    for path in bad:
        with pytest.raises(ValueError, match="not a reward model that this package saved, or damaged") as caught:
            bt.RewardModel.load(path)
        assert path.name in str(caught.value)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_loading_never_runs_what_a_file_says(tmp_path) -> None:
    """An array of pickled objects, in a needed or in an unknown entry, is refused before any of it is unpickled."""
    good, bomb = tmp_path / "good", tmp_path / "exploded"
    bt.fit(bt.LinearScorer(2), bt.PreferencePairs([[1.0, 2], [0, 1]], [[0.0, 1], [1, 1]]), l2=1).save(good)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.array([Bomb(str(bomb)), None], dtype=object), allow_pickle=True)
    for entry in ("phi.npy", "information.npy", "extra.npy"):
        bad = tmp_path / entry
        bad.write_bytes(good.read_bytes())
        rewrite(bad, **{entry: buffer.getvalue()})
        with pytest.raises(ValueError, match="not a reward model that this package saved"):
            bt.RewardModel.load(bad)
        assert not bomb.exists()


@pytest.mark.parametrize("every", [61, pytest.param(7, marks=pytest.mark.full)])
def test_truncated_and_flipped_files_are_refused_or_read_correctly(tmp_path, every) -> None:
    """A file that was cut anywhere is refused; one with a changed byte is refused or gives the same parameters."""
    path = tmp_path / "model"
    model = bt.fit(bt.LinearScorer(1), bt.PreferencePairs([[1.0], [0]], [[0.0], [0.5]]), l2=1)
    model.save(path)
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="damaged"):
            bt.RewardModel.load(path)
    for place in range(0, len(whole), every):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            loaded = bt.RewardModel.load(path)
        except ValueError as error:
            assert "damaged" in str(error)  # noqa: PT017
        else:
            np.testing.assert_array_equal(loaded.phi, model.phi)


def test_features_of_a_wrong_shape_are_refused() -> None:
    """The message names the shape that the scorer expects."""
    model = bt.fit(bt.LinearScorer(2), bt.PreferencePairs([[1.0, 2]], [[0.0, 1]]), l2=1)
    with pytest.raises(ValueError, match=r"^features: expected shape \(n, 2\)"):
        model.reward([1.0, 2.0])
    with pytest.raises(ValueError, match="rewards_a has shape"):
        model.preference_probability(np.ones((2, 2)), np.ones((3, 2)))


def test_unknown_scorers_are_refused() -> None:
    """Only the three scorers of this package are made from their names."""
    assert make_scorer("MLPScorer", n_features=2, n_hidden=3, activation="relu") == bt.MLPScorer(2, 3, "relu")
    with pytest.raises(
        ValueError, match=r"^scorer: expected one of LinearScorer, MLPScorer, TableScorer, got 'Forest'"
    ):
        make_scorer("Forest")


def test_fit_that_did_not_converge_says_so(random_pairs) -> None:
    """The representation of a model that did not converge says so in capital letters."""
    pairs = random_pairs(bt.LinearScorer(2), 50)
    assert "NOT CONVERGED: stopped at the" in repr(bt.fit(bt.LinearScorer(2), pairs, method="adam", max_steps=2))
    assert "converged: largest gradient entry" in repr(bt.fit(bt.LinearScorer(2), pairs))
