"""The reward model: what it says, and that a file of it is safe, stable and complete."""

from __future__ import annotations

import io
import json
import pickle
import zipfile

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.model import HISTORY, make_scorer

SCORERS = [bt.LinearScorer(3), bt.MLPScorer(3, 4, "relu"), bt.TableScorer(5)]


@pytest.fixture(params=SCORERS, ids=str)
def model(request, random_pairs) -> bt.RewardModel:
    return bt.fit(request.param, random_pairs(request.param, 60), l2=0.1, max_steps=20)


# ---------------------------------------------------------------------------------------------------- known value


def test_model_says_what_its_parameters_say() -> None:
    """Rewards, their difference as a probability, and named parameters, by hand."""
    pairs = bt.PreferencePairs([0, 0, 0, 1], [1, 1, 1, 0], feature_names=["strong", "weak"])
    model = bt.fit(bt.TableScorer(2), pairs)
    # 3 wins of 4: the margin is log 3, shared evenly
    np.testing.assert_allclose(model.phi, [np.log(3) / 2, -np.log(3) / 2], atol=1e-8)  # gradient below 1e-9
    np.testing.assert_allclose(model.reward([1, 0]), model.phi[[1, 0]])
    np.testing.assert_allclose(model.preference_probability([0, 1], [1, 0]), [0.75, 0.25], atol=1e-8)
    assert model.feature_names == ("strong", "weak")
    np.testing.assert_array_equal(model.parameters["rewards"], model.phi)
    np.testing.assert_allclose(model.estimates("weak"), [np.log(3), 0], atol=2e-8)


def test_history_has_its_named_columns(model) -> None:
    """step, loss, validation_loss, accuracy, gradient_norm, parameter_norm: of one length, starting at step 0."""
    assert tuple(model.history) == HISTORY
    assert len({len(column) for column in model.history.values()}) == 1
    assert model.history["step"][0] == 0
    assert model.history["step"].dtype == np.int64
    assert np.isnan(model.history["validation_loss"]).all()


# -------------------------------------------------------------------------------------------------------- manners


def test_model_comes_back_from_its_file_unchanged(model, tmp_path, random_pairs) -> None:
    """Save and load: every field, bit for bit, and the same words about the same pairs."""
    path = tmp_path / "model of no suffix"
    model.save(path)
    loaded = bt.RewardModel.load(str(path))
    assert loaded.scorer == model.scorer
    for name in ("converged", "message", "feature_names", "l2", "method"):
        assert getattr(loaded, name) == getattr(model, name), name
    np.testing.assert_array_equal(loaded.phi, model.phi)
    for name in HISTORY:
        np.testing.assert_array_equal(loaded.history[name], model.history[name])
        assert loaded.history[name].dtype == model.history[name].dtype
    pairs = random_pairs(model.scorer, 40, seed=9)
    assert str(loaded.evaluate(pairs)) == str(model.evaluate(pairs))
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
    """Neither φ nor its named views can be written to, fitted or loaded."""
    model.save(tmp_path / "m")
    for each in (model, bt.RewardModel.load(tmp_path / "m")):
        with pytest.raises(ValueError, match="read-only"):
            each.phi[0] = 1
        with pytest.raises(ValueError, match="read-only"):
            next(iter(each.parameters.values()))[...] = 1
        with pytest.raises(AttributeError):
            each.l2 = 3


def test_missing_file_is_said_to_be_missing(tmp_path) -> None:
    """FileNotFoundError with the path, not a complaint about its format."""
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
    """Text, emptiness, a folder, a foreign zip, pickled arrays, other sizes and other formats are ValueErrors."""
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
    }.items():
        changed(name, **{"meta.json": json.dumps({**meta, **change}).encode()})
    with (tmp_path / "objects.npz").open("rb") as file:
        pickled = zipfile.ZipFile(file).read("phi.npy")
    changed("pickled phi", **{"phi.npy": pickled})
    bad = sorted(path for path in tmp_path.iterdir() if path != good)
    assert len(bad) == 21
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


def test_truncated_and_flipped_files_are_refused_or_read_right(tmp_path) -> None:
    """Cut anywhere the file is refused; with any one byte changed it is refused or still says the same."""
    path = tmp_path / "model"
    model = bt.fit(bt.LinearScorer(1), bt.PreferencePairs([[1.0], [0]], [[0.0], [0.5]]), l2=1)
    model.save(path)
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="damaged"):
            bt.RewardModel.load(path)
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            loaded = bt.RewardModel.load(path)
        except ValueError as error:
            assert "damaged" in str(error)  # noqa: PT017
        else:
            np.testing.assert_array_equal(loaded.phi, model.phi)


def test_features_of_a_wrong_shape_are_refused() -> None:
    """The model knows what its scorer wants."""
    model = bt.fit(bt.LinearScorer(2), bt.PreferencePairs([[1.0, 2]], [[0.0, 1]]), l2=1)
    with pytest.raises(ValueError, match=r"^features: expected shape \(n, 2\)"):
        model.reward([1.0, 2.0])
    with pytest.raises(ValueError, match="rewards_a has shape"):
        model.preference_probability(np.ones((2, 2)), np.ones((3, 2)))


def test_unknown_scorers_are_refused() -> None:
    """Only the three scorers of the house are made from their names."""
    assert make_scorer("MLPScorer", n_features=2, n_hidden=3, activation="relu") == bt.MLPScorer(2, 3, "relu")
    with pytest.raises(
        ValueError, match=r"^scorer: expected one of LinearScorer, MLPScorer, TableScorer, got 'Forest'"
    ):
        make_scorer("Forest")


def test_fit_that_did_not_converge_says_so(random_pairs) -> None:
    """The representation shouts where the fit stopped early."""
    pairs = random_pairs(bt.LinearScorer(2), 50)
    assert "NOT CONVERGED: not converged" in repr(bt.fit(bt.LinearScorer(2), pairs, method="adam", max_steps=2))
    assert "converged: largest gradient entry" in repr(bt.fit(bt.LinearScorer(2), pairs))
