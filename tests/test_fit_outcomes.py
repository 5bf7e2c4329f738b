"""What a fit says about itself: no minimum, undetermined directions, the best iterate, and fits of no use."""

from __future__ import annotations

import warnings
from importlib import import_module

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.commands.report import markdown
from bradley_terry.evaluation import connected_groups
from bradley_terry.fitting.determined import null_directions
from bradley_terry.graphs import components, count_connected, count_strong, is_strong
from bradley_terry.model import Outcome

SIZES = np.array([0.8, 18.0, 22.0, 47.0])


def raw_choices(seed: int, n: int, offset: float = 0.0) -> bt.PreferencePairs:
    """Return choices by a linear reward, with features of the sizes .8, 18, 22 and 47."""
    rng = np.random.default_rng(seed)
    a, b = offset + rng.normal(size=(2, n, 4)) * SIZES
    weights = np.array([1.0, -1.0, 0.5, 0.3]) / SIZES
    won = bt.sample_preferences(a @ weights, b @ weights, rng)[:, None]
    return bt.PreferencePairs(np.where(won, a, b), np.where(won, b, a))


# --------------------------------------------------------------------------------------------------- no minimum


def edges(rng, n: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    return tuple(rng.integers(n, size=(2, size)))


@pytest.mark.parametrize("many", [0, 1_000_000])
@pytest.mark.parametrize("sweeps", [1, 20])
def test_groups_agree_with_scipy(many: int, sweeps: int, rng, monkeypatch) -> None:
    """Random graphs, with loops and repeated edges, have the groups that SciPy counts."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = import_module("bradley_terry.graphs.components")
    monkeypatch.setattr(graph, "MANY", many)
    monkeypatch.setattr(graph, "SWEEPS", sweeps)
    for _ in range(150):
        n, size = int(rng.integers(1, 12)), int(rng.integers(0, 25))
        winners, losers = edges(rng, n, size)
        matrix = coo_array((np.ones(size), (winners, losers)), shape=(n, n)).tocsr()
        strong = connected_components(matrix, connection="strong")[0]
        connected = connected_components(matrix, directed=False)[0]
        assert count_strong(n, winners, losers) == strong == len(components(n, winners, losers))
        assert count_connected(n, winners, losers) == connected
        assert is_strong(n, winners, losers) == (strong == connected)


@pytest.mark.parametrize("n_items", [3, 40, 2000])
def test_a_separated_table_is_refused_before_any_search(n_items: int, rng, monkeypatch) -> None:
    """The smaller number always wins, so there is no minimum, and no Hessian is computed to find that out."""
    monkeypatch.setattr(bt.Objective, "hessian", None)
    games = rng.integers(n_items, size=(2, 15 * n_items))
    games = np.sort(games[:, games[0] != games[1]], axis=0)
    ladder = np.arange(n_items - 1)
    pairs = bt.PreferencePairs(np.append(games[0], ladder), np.append(games[1], ladder + 1))
    expected = f"there is no finite minimum, because the items fall into {n_items} groups"
    with pytest.warns(bt.ConvergenceWarning, match=expected):
        model = bt.fit(bt.TableScorer(n_items), pairs)
    assert model.outcome is Outcome.NO_MINIMUM
    assert np.corrcoef(model.phi, -np.arange(n_items))[0, 1] > 0.8  # the order is right nevertheless
    with pytest.raises(ValueError, match=r"^standard errors: expected a fit that converged, got one that did not: "):
        model.standard_errors()


@pytest.mark.parametrize(
    ("chosen", "rejected", "options"),
    [
        ([0, 1, 2, 3], [1, 0, 3, 2], {}),  # two groups with no comparisons between them, each with a minimum
        ([0, 1, 1], [1, 2, 2], {"labels": [0.5, 0.9, 1.0]}),
        ([0, 1, 0], [1, 0, 2], {"weights": [1.0, 2.0, 0.0]}),  # the only defeat of item 2 does not count
        ([0, 0, 0], [0, 0, 0], {}),
    ],
)
def test_a_table_with_a_minimum_is_not_refused(chosen, rejected, options) -> None:
    """Ties are wins of both, pairs without weight count for nothing, and so do items against themselves."""
    pairs = bt.PreferencePairs(chosen, rejected, **options)
    model = bt.fit(bt.TableScorer(pairs.n_items), pairs)
    assert model.converged
    n = connected_groups(pairs)
    assert ("groups with no comparisons between them" in model.message) == (n > 1)


def test_standard_errors_of_fits_that_did_not_converge_are_refused_as_the_report_does() -> None:
    """A separated linear fit, and one that was stopped too early, have no standard errors."""
    separable = bt.PreferencePairs([[1.0], [2.0], [0.5]], [[0.0], [1.0], [0.0]])
    for options in ({}, {"method": "gradient_descent", "max_steps": 5}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bt.ConvergenceWarning)
            model = bt.fit(bt.LinearScorer(1), separable, **options)
        for call in (model.standard_errors, model.covariance, model.intervals):
            with pytest.raises(ValueError, match=r"^standard errors: expected a fit that converged") as error:
                call()
            assert "\n" not in str(error.value)
        assert "There are no standard errors: " in model.summary()
        assert "standard error  " not in model.summary()


# ---------------------------------------------------------------------------------------- undetermined directions


def feature_cases(rng) -> dict[str, tuple[bt.PreferencePairs, str]]:
    c, r = rng.normal(size=(2, 80, 4))
    same, twice = (c.copy(), r.copy()), (c.copy(), r.copy())
    same[1][:, 2] = same[0][:, 2]
    for x in twice:
        x[:, 3] = 2 * x[:, 0] - 1e4 * x[:, 1]
    both = (np.hstack([twice[0], np.ones((80, 1))]), np.hstack([twice[1], np.ones((80, 1))]))
    names = ["price", "time", "comfort", "score"]
    combined = "determine the weights of price, time and score only in combination"
    return {
        "equal": (bt.PreferencePairs(*same, feature_names=names), "do not determine the weight of comfort"),
        "collinear": (bt.PreferencePairs(*twice, feature_names=names), combined),
        "both": (bt.PreferencePairs(*both, feature_names=[*names, "bias"]), f"weight of bias and {combined}"),
    }


@pytest.mark.parametrize("name", ["equal", "collinear", "both"])
def test_undetermined_weights_are_named_in_one_sentence(name: str, rng) -> None:
    """A fit with l2 = 0 converges and names the features; with l2 > 0 everything is determined."""
    pairs, said = feature_cases(rng)[name]
    model = bt.fit(bt.LinearScorer(pairs.n_features), pairs)
    assert model.converged
    assert said in model.message
    assert "; drop a feature or use l2 > 0, for example l2=" in model.message
    assert "these pairs" not in bt.fit(bt.LinearScorer(pairs.n_features), pairs, l2=0.1).message


@pytest.mark.parametrize("units", [np.ones(6), 10.0 ** np.arange(-6, 6, 2)], ids=["equal", "unequal"])
def test_null_directions_are_those_of_the_singular_values(units, rng) -> None:
    """Their number is the number of parameters minus the rank, and H times each of them is zero."""
    for rank in (6, 5, 2):
        a = rng.normal(size=(40, rank)) @ rng.normal(size=(rank, 6)) * units
        h = a.T @ a
        directions = null_directions(h)
        assert directions.shape == (6, 6 - rank)
        scaled = h / np.sqrt(np.outer(np.diag(h), np.diag(h)))
        np.testing.assert_allclose(scaled @ directions, 0, atol=1e-9)
    assert null_directions(np.diag([1.0, 0.0])).tolist() == [[0.0], [1.0]]


def test_ordinary_fits_say_nothing_of_directions(random_pairs) -> None:
    """Where everything is determined, the message is as before."""
    for scorer in (bt.LinearScorer(4), bt.TableScorer(4)):
        assert "these pairs" not in bt.fit(scorer, random_pairs(scorer, 90)).message


# ------------------------------------------------------------------------------------ best iterate, fits of no use


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=[pytest.mark.full] * (seed > 0)) for seed in range(20)])
def test_mlp_with_defaults_is_at_least_as_good_as_a_line(seed: int) -> None:
    """On raw features of sizes .8, 18, 22 and 47, with and without a large offset, measured on the training pairs."""
    pairs = raw_choices(seed, 150, offset=60.0 * (seed % 2))
    line, mlp = bt.fit(bt.LinearScorer(4), pairs), bt.fit(bt.MLPScorer(4), pairs, seed=seed)
    losses = [bt.mean_loss(model.margins(pairs)) for model in (line, mlp)]
    assert losses[1] <= losses[0]


def test_features_that_are_standardised_are_left_alone(rng) -> None:
    """By default only the MLP is standardised, and features of mean 0 and variance 1 keep every bit."""
    raw = raw_choices(0, 80)
    both = np.concatenate([raw.chosen, raw.rejected])
    chosen, rejected = ((x - both.mean(axis=0)) / both.std(axis=0) for x in (raw.chosen, raw.rejected))
    standard = bt.PreferencePairs(chosen, rejected)
    scorer = bt.MLPScorer(4, 3)
    fits = [bt.fit(scorer, standard, max_steps=3, standardise=how) for how in (None, False)]
    np.testing.assert_array_equal(fits[0].phi, fits[1].phi)
    default, asked = (bt.fit(scorer, raw, max_steps=3, standardise=how) for how in (None, True))
    np.testing.assert_array_equal(default.phi, asked.phi)
    assert not np.array_equal(default.phi, bt.fit(scorer, raw, max_steps=3, standardise=False).phi)


@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_the_best_iterate_is_kept_and_the_report_marks_it(rate: float) -> None:
    """With a large learning rate the loss goes up and down; the model has the φ with the smallest training loss."""
    pairs = raw_choices(1, 100)
    model = bt.fit(bt.MLPScorer(4, 4), pairs, learning_rate=rate, max_steps=40, batch_size=20)
    losses = model.history["loss"]
    best = int(np.argmin(losses))
    assert best < len(losses) - 1
    assert bt.mean_loss(model.margins(pairs)) == pytest.approx(losses[best], rel=1e-9)
    assert f"kept the best training loss, {losses[best]:.6f}" in model.message
    text = markdown(
        model, name="x", training=pairs, training_evaluation=model.evaluate(pairs), held_out_evaluation=None, weights=[]
    )
    assert f"| {model.history['step'][best]} (kept)" in text


def test_a_diverging_fit_returns_its_best_iterate() -> None:
    """Each step is ten times too long, so the best φ is the first one."""
    pairs = raw_choices(2, 60)
    with np.errstate(over="ignore"), pytest.warns(bt.ConvergenceWarning, match="became infinite"):
        model = bt.fit(
            bt.LinearScorer(4), pairs, method="gradient_descent", l2=1.0, learning_rate=100.0, initial=np.ones(4) / 50
        )
    assert model.outcome is Outcome.DIVERGED
    np.testing.assert_array_equal(model.phi, np.ones(4) / 50)


def test_a_fit_that_is_no_better_than_equal_rewards_warns() -> None:
    """Random rewards of tied pairs cost more than log 2. If the learning rate is too small, they stay as they are."""
    pairs = raw_choices(3, 60)
    tied = bt.PreferencePairs(pairs.chosen, pairs.rejected, labels=np.full(60, 0.5))
    expected = r"the training loss, 0\..*, is no better than the 0\.6931 of equal rewards"
    with pytest.warns(bt.ConvergenceWarning, match=expected):
        model = bt.fit(bt.MLPScorer(4, 4), tied, learning_rate=1e-9, max_steps=60)
    assert not model.converged
    assert "no better than" in model.message
    bt.fit(bt.MLPScorer(4, 4), tied, learning_rate=1e-9, max_steps=10)  # nobody expects so few steps to be enough


def test_features_whose_squares_overflow_are_refused() -> None:
    """The curvature of the loss contains their squares, so no step would be a number."""
    pairs = bt.PreferencePairs([[1e200], [2e200], [1.0]], [[0.0], [1.0], [3e200]])
    with pytest.raises(ValueError, match=r"^chosen: expected .* for each feature, got 3e\+200 for feature 0"):
        bt.fit(bt.LinearScorer(1), pairs, max_steps=30)
