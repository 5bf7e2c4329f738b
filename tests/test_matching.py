"""Pairs of another file: items are matched by name, and other features are refused, in every function with a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry import calibration
from bradley_terry.commands.learned import example_in_words
from bradley_terry.files.items import matchups_of

# In a chain of items, each pair of neighbours has the log-odds log(wins/losses) in the best fit: no cycle says more.
CHAIN = ["Ann,Bob"] * 2 + ["Bob,Ann"] + ["Bob,Cy"] * 3 + ["Cy,Bob"] + ["Cy,Dee"] * 5 + ["Dee,Cy"]
LATER = ["Bob,Cy", "Bob,Dee", "Dee,Bob", "Cy,Dee"]
CHAIN_OF = ("Ann", "Bob", "Cy", "Dee")
MARGINS = np.log([3, 15, 1 / 15, 5])
FEATURES = [[3.0, 1.0, 2.0], [0.0, 2.0, 1.0], [1.0, 0.0, 1.0], [2.0, 2.0, 0.5]]
OTHERS = [[0.0, 1.0, 1.0], [1.0, 1.0, 3.0], [1.5, 1.0, 0.0], [1.0, 2.5, 2.0]]


def games(tmp_path, name: str, rows: list[str]) -> bt.PreferencePairs:
    """Return the pairs of a CSV of winners and losers."""
    path = tmp_path / f"{name}.csv"
    path.write_text("\n".join(["winner,loser", *rows]))
    return bt.load_pairs(path)


@pytest.fixture
def chain(tmp_path) -> bt.PreferencePairs:
    """Return games of Ann, Bob, Cy and Dee, in which no one meets any but the next."""
    return games(tmp_path, "chain", CHAIN)


@pytest.fixture
def later(tmp_path) -> bt.PreferencePairs:
    """Return later games without Ann, in which Bob has the number 0."""
    pairs = games(tmp_path, "later", LATER)
    assert pairs.feature_names == ("Bob", "Cy", "Dee")
    return pairs


@pytest.fixture
def by_hand(later) -> bt.PreferencePairs:
    """Return the later games in the numbering of the chain."""
    return replace(later, chosen=later.chosen + 1, rejected=later.rejected + 1, feature_names=CHAIN_OF)


def test_margins_follow_the_names(chain, later):
    """Margins on a file without Ann are the log-odds of the chain, and so are accuracy and loss."""
    model = bt.fit(bt.TableScorer(4), chain)
    np.testing.assert_allclose(model.margins(later), MARGINS, atol=1e-8)  # the tolerance of the fit
    for found in (model.evaluate(later), bt.evaluate(model, later)):
        assert found.accuracy == 3 / 4
        assert found.mean_loss == pytest.approx(np.mean(np.log1p(np.exp(-MARGINS))), abs=1e-8)


def test_a_saved_model_knows_its_items(chain, later, tmp_path):
    """The names are in the file of the model."""
    bt.fit(bt.TableScorer(4), chain).save(tmp_path / "model.npz")
    np.testing.assert_allclose(bt.RewardModel.load(tmp_path / "model.npz").margins(later), MARGINS, atol=1e-8)


def test_the_validation_loss_follows_the_names(chain, later):
    """The last record of Newton's method has the loss of the best fit on the later games."""
    model = bt.fit(bt.TableScorer(4), chain, validation=later)
    wanted = np.mean(np.log1p(np.exp(-MARGINS)))
    assert model.history["validation_loss"][-1] == pytest.approx(wanted, abs=1e-8)


def test_an_objective_on_other_pairs_follows_the_names(chain, later):
    """``Objective.on`` has φ in the numbering of its own pairs."""
    phi = np.log([2 * 3 * 5, 3 * 5, 5, 1])  # for which neighbours have the log-odds of the chain
    np.testing.assert_allclose(bt.Objective(bt.TableScorer(4), chain).on(later).margins(phi), MARGINS, rtol=1e-12)


@pytest.mark.parametrize(
    "function",
    [
        lambda model, chain, pairs: bt.diagnose(model, chain, validation=pairs).checks,
        lambda model, chain, pairs: bt.diagnose(model, pairs).checks,
        lambda model, chain, pairs: calibration.fit_temperature(model, pairs).T,
        lambda model, chain, pairs: calibration.annotator_noise(model, pairs),
        lambda model, chain, pairs: calibration.by_annotator(model, pairs, ["x", "x", "y", "y"]).rows,
        lambda model, chain, pairs: model.deviance(pairs),
        lambda model, chain, pairs: example_in_words(model, pairs.subset([1])),
        lambda model, chain, pairs: model.margins(pairs).tolist(),
    ],
    ids=["validation", "training", "temperature", "noise", "annotators", "deviance", "example", "margins"],
)
def test_every_function_of_a_model_follows_the_names(function, chain, later, by_hand):
    """The result is that of the same games, numbered by hand as in the chain."""
    model = bt.fit(bt.TableScorer(4), chain)
    assert str(function(model, chain, later)) == str(function(model, chain, by_hand))


def test_standard_errors_follow_the_names(chain, tmp_path):
    """The sandwich of a saved model needs the pairs of the fit, which another file may number differently."""
    model = bt.fit(bt.TableScorer(4), chain)
    model.save(tmp_path / "model.npz")
    saved = bt.RewardModel.load(tmp_path / "model.npz")
    new = np.array([2, 0, 3, 1])  # of Ann, Bob, Cy and Dee
    names = ("Bob", "Dee", "Ann", "Cy")
    shuffled = replace(chain, chosen=new[chain.chosen], rejected=new[chain.rejected], feature_names=names)
    names_of_pairs = matchups_of(shuffled.chosen.tolist(), shuffled.rejected.tolist(), names)
    for prompts in (names_of_pairs, chain.prompts, None):  # as a file in this order would name them
        found = saved.standard_errors(kind="sandwich", pairs=replace(shuffled, prompts=prompts))
        np.testing.assert_array_equal(found, model.standard_errors(kind="sandwich"))


def test_rankings_follow_the_names():
    """With two answers each, a ranking is a game, and the validation loss is that of the chain."""
    names = list(CHAIN_OF)

    def ranked(rows: list[str], known: list[str]) -> bt.PreferenceRankings:
        items = [known.index(name) for row in rows for name in row.split(",")]
        return bt.PreferenceRankings(items, [1, 2] * len(rows), np.repeat(range(len(rows)), 2), feature_names=known)

    model = bt.fit(bt.TableScorer(4), ranked(CHAIN, names), validation=ranked(LATER, names[:0:-1]))
    wanted = np.mean(np.log1p(np.exp(-MARGINS)))
    assert model.history["validation_loss"][-1] == pytest.approx(wanted, abs=1e-8)
    with pytest.raises(ValueError, match=r"^validation: expected items that the model was trained on, got 'Eve'"):
        bt.fit(bt.TableScorer(5), ranked(CHAIN, names), validation=ranked(["Bob,Eve"], ["Bob", "Eve"]))


def features(names: str | None) -> bt.PreferencePairs:
    """Return four pairs with one letter as the name of each feature."""
    return bt.PreferencePairs(FEATURES, OTHERS, feature_names=None if names is None else list(names))


WITH_A_MODEL = {
    "margins": ("pairs", lambda model, pairs: model.margins(pairs)),
    "evaluate": ("pairs", bt.evaluate),
    "method": ("pairs", lambda model, pairs: model.evaluate(pairs)),
    "validation": (
        "validation",
        lambda model, pairs: bt.fit(bt.LinearScorer(3), features("abc"), l2=1.0, validation=pairs),
    ),
    "training": ("pairs", bt.diagnose),
    "diagnose": ("validation", lambda model, pairs: bt.diagnose(model, features("abc"), validation=pairs)),
    "temperature": ("held_out", calibration.fit_temperature),
    "noise": ("held_out", calibration.annotator_noise),
    "annotators": ("pairs", lambda model, pairs: calibration.by_annotator(model, pairs, range(4))),
    "deviance": ("pairs", lambda model, pairs: model.deviance(pairs)),
    "errors": ("pairs", lambda model, pairs: model.standard_errors(kind="sandwich", pairs=pairs)),
    "objective": ("pairs", lambda model, pairs: bt.Objective(bt.LinearScorer(3), features("abc")).on(pairs)),
}


@pytest.mark.parametrize(("argument", "function"), WITH_A_MODEL.values(), ids=WITH_A_MODEL)
@pytest.mark.parametrize(("names", "got"), [("cab", "them in another order"), ("abd", "'d'")])
def test_other_features_are_refused(argument, function, names, got):
    """Features in another order would give each weight to another feature."""
    model = bt.fit(bt.LinearScorer(3), features("abc"), l2=1.0)
    with pytest.raises(ValueError, match=rf"^{argument}: expected the features of the model \(a, b, c\), got {got}$"):
        function(model, features(names))


@pytest.mark.parametrize(("mine", "theirs"), [("abc", None), (None, "cab"), (None, None), ("abc", "abc")])
def test_without_names_on_both_sides_the_order_counts(mine, theirs):
    """Nothing is known about a side without names, so its columns are taken as they are."""
    model = bt.fit(bt.LinearScorer(3), features(mine), l2=1.0)
    wanted = (np.array(FEATURES) - OTHERS) @ model.phi
    np.testing.assert_allclose(model.margins(features(theirs)), wanted, rtol=1e-12)  # sums of three products


@pytest.mark.parametrize("pairs", [None, 3, "abc"])
def test_what_is_no_pairs_is_refused_as_before(pairs, chain):
    """The type is checked before the names."""
    model = bt.fit(bt.TableScorer(4), chain)
    with pytest.raises(TypeError, match=r"^pairs: expected PreferencePairs, got "):
        model.margins(pairs)


def test_pairs_of_another_kind_are_refused_as_before(chain):
    """Features for a table are no question of names."""
    model = bt.fit(bt.TableScorer(4), chain)
    with pytest.raises(ValueError, match=r"^chosen: expected item numbers"):
        model.margins(features("abc"))


def test_numbered_names_count_as_none() -> None:
    """Data without names get x1, x2, …, so nothing can be compared, and the columns are taken as they are."""
    rng = np.random.default_rng(3)
    chosen, rejected = rng.normal(size=(2, 50, 2))
    named = bt.PreferencePairs(chosen, rejected, feature_names=["price", "speed"])
    numbered = replace(named, feature_names=("x1", "x2"))
    model = bt.fit(bt.LinearScorer(2), named)
    np.testing.assert_array_equal(model.margins(numbered), model.margins(named))
    back = bt.fit(bt.LinearScorer(2), numbered)
    np.testing.assert_array_equal(back.margins(named), model.margins(named))


def test_numbered_names_that_are_names_are_matched() -> None:
    """Items that are called item 1 and item 2 in both files are the same, and so are the columns x1 and x2."""
    rows = [{"winner": "item 0", "loser": "item 1"}, {"winner": "item 1", "loser": "item 2"}]
    model = bt.fit(bt.TableScorer(3), bt.PreferencePairs.from_records(rows), l2=0.1)
    later = bt.PreferencePairs.from_records([{"winner": "item 1", "loser": "item 2"}])
    assert model.margins(later)[0] == model.phi[1] - model.phi[2]
    chosen, rejected = np.random.default_rng(4).normal(size=(2, 50, 2))
    linear = bt.fit(bt.LinearScorer(2), bt.PreferencePairs(chosen, rejected, feature_names=["x1", "x2"]))
    turned = bt.PreferencePairs(chosen[:, ::-1], rejected[:, ::-1], feature_names=["x2", "x1"])
    with pytest.raises(ValueError, match=r"expected the features of the model .*, got them in another order"):
        linear.margins(turned)


def test_another_number_of_features_is_told_by_its_shape() -> None:
    """Both numbers are in the sentence, whether or not the features have names."""
    three = bt.PreferencePairs(*np.eye(3)[:2, None], feature_names=["a", "b", "c"])
    two = bt.PreferencePairs(*np.eye(2)[:, None], feature_names=["a", "b"])
    model = bt.fit(bt.LinearScorer(3), three, l2=1.0)
    for call in (model.margins, model.evaluate):
        with pytest.raises(ValueError, match=r"expected shape \(.*3\)"):
            call(two)
