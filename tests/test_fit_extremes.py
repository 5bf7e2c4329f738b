"""Fits of extreme inputs are right or refused: saturated margins, weights of very different size, outliers, units.

Most data here are choices between two answers that differ in one feature by 1, ``wins`` of them for one answer and
``losses`` for the other. The best weight is then log(wins / losses), since sigma of it must be the share of the wins.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry import Outcome
from bradley_terry.distributed import fit as distributed_fit
from bradley_terry.fitting import separation as of_fits
from bradley_terry.fitting.tally import tallied

ONE = bt.LinearScorer(1)
LOG_3 = 1.0986122886681098


def pairs_of(d: object, **options: object) -> bt.PreferencePairs:
    """Return pairs with these differences chosen - rejected, (n,) or (n, k)."""
    d = np.asarray(d, dtype=np.float64)
    d = d[:, None] if d.ndim == 1 else d
    return bt.PreferencePairs(d, np.zeros_like(d), **options)


def fitted(scorer: object, pairs: bt.PreferencePairs, **options: object) -> bt.RewardModel:
    """Fit, and ignore what it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bt.ConvergenceWarning)
        return bt.fit(scorer, pairs, **options)


# ---------------------------------------------------------------------------------------------------- saturated margins


@pytest.mark.parametrize("start", [1e17, -1e22, 1e30, -1e60, 1e145])
@pytest.mark.parametrize("method", ["newton", "gradient_descent"])
def test_a_fit_that_starts_at_saturated_margins_does_not_claim_a_minimum(start, method) -> None:
    """There the loss is straight: the curvature is 0, and steps are lost in the rounding of φ."""
    model = fitted(ONE, pairs_of([1, 1, 1, -1]), initial=[start], method=method)
    assert not model.converged
    assert "determine" not in model.message


@pytest.mark.parametrize("target", [1e18, 1e25, 1e31, 1e90, -800.0, -1e5, -1e31])
def test_target_margins_beyond_float64_are_refused(target) -> None:
    """Σ w·l' depends on φ only in digits that are rounded away, so the pairs still determine φ, but not for us."""
    d = np.array([[1.0, 0.0], [1.0, 1.0], [-1.0, 0.5], [0.5, -1.0]])
    model = fitted(bt.LinearScorer(2), pairs_of(d, target_margins=np.full(4, target)))
    assert not model.converged
    assert "determine" not in model.message
    assert "margins (minus target margins)" in model.message
    table = bt.PreferencePairs([0, 1, 0], [1, 0, 1], target_margins=np.full(3, target))
    assert not fitted(bt.TableScorer(2), table).converged


def test_so_are_they_with_too_many_items_for_a_matrix() -> None:
    """Without a Hessian, the curvatures of the pairs show that nothing is left of the loss."""
    ring = np.arange(3500)
    pairs = bt.PreferencePairs(ring, np.roll(ring, 1), target_margins=-900.0 - ring % 7)
    assert fitted(bt.TableScorer(3500), pairs).outcome is Outcome.NO_DESCENT


def test_one_feature_may_be_lost_alone() -> None:
    """Feature 1 matters only in pairs with a loss of e^-900, so its weight is unknown, though feature 0 is fitted."""
    pairs = pairs_of([[1, 0], [1, 0], [1, 0], [-1, 0], [0, 1], [0, -1]], target_margins=[0, 0, 0, 0, -900.0, -900.0])
    model = fitted(bt.LinearScorer(2), pairs)
    assert model.outcome is Outcome.NO_DESCENT
    assert "the curvature of the loss is rounded away" in model.message
    assert model.phi[0] == pytest.approx(LOG_3, rel=1e-12)


def test_a_feature_that_never_differs_is_still_undetermined_beside_a_saturated_pair() -> None:
    """A large margin is no excuse for a direction about which no pair says anything."""
    model = fitted(bt.LinearScorer(2), pairs_of([[1, 0], [1, 0], [1, 0], [-1, 0], [900, 0]]))
    assert model.converged
    assert "do not determine the weight of feature 1" in model.message


def test_bias_reduction_does_not_blame_the_pairs_for_lost_curvature() -> None:
    """The pairs determine φ, so a refusal must not say that they do not."""
    model = fitted(ONE, pairs_of([1, 1, 1, -1], target_margins=np.full(4, -900.0)), bias_reduced=True)
    assert not model.converged
    assert "determine" not in model.message


def test_shards_at_saturated_margins_are_refused(tmp_path) -> None:
    """The same sentence for a fit to shards, where no pair is at hand."""
    bt.datasets.save_pairs(pairs_of([1, 1, -1], target_margins=np.full(3, -800.0)), tmp_path / "a.npz")
    with pytest.warns(bt.ConvergenceWarning, match="rounded away"):
        model = distributed_fit(ONE, [tmp_path / "a.npz"])
    assert model.outcome is Outcome.NO_DESCENT


# ---------------------------------------------------------------------------------------------------- ratios of weights


@pytest.mark.parametrize("ratio", [1e3, 1e19, 1e22, 1e28, 1e38])
@pytest.mark.parametrize("kind", ["feature", "table", "counted table"])
def test_very_different_weights_are_fitted(ratio, kind) -> None:
    """One win of weight w against one loss of weight 1: the margin is log w."""
    n = 3 if kind == "counted table" else 1
    weights = np.repeat([ratio, 1.0], n)
    if kind == "feature":
        model = fitted(ONE, pairs_of([1, -1], weights=weights))
        margin = model.phi[0]
    else:
        won = np.repeat([0, 1], n)
        model = fitted(bt.TableScorer(2), bt.PreferencePairs(won, 1 - won, weights=weights))
        margin = model.phi[0] - model.phi[1]
    assert model.converged
    assert margin == pytest.approx(np.log(ratio), rel=1e-12)


def test_a_huge_weight_does_not_change_what_the_others_say() -> None:
    """In a tree of items each edge is fitted alone: log(1e21 / 1), log 3 and log(1/2)."""
    games = [(0, 1, 1e21), (1, 0, 1.0), (1, 2, 3.0), (2, 1, 1.0), (2, 3, 1.0), (3, 2, 2.0)] * 3
    won, lost, weights = (np.array(column) for column in zip(*games, strict=True))
    model = fitted(bt.TableScorer(4), bt.PreferencePairs(won, lost, weights=weights))
    assert model.converged
    np.testing.assert_allclose(-np.diff(model.phi), [np.log(1e21), LOG_3, -np.log(2)], rtol=1e-12)


def test_weights_that_need_more_steps_are_refused_truthfully() -> None:
    """A margin of log 1e90 = 207 takes 207 steps. Until then the fit says that it stopped at the limit."""
    pairs = pairs_of([1, -1], weights=[1e90, 1.0])
    model = fitted(ONE, pairs)
    assert model.outcome is Outcome.STEP_LIMIT
    model = fitted(ONE, pairs, max_steps=300)
    assert model.converged
    assert model.phi[0] == pytest.approx(90 * np.log(10), rel=1e-12)


def test_data_too_large_for_a_certificate_are_not_called_separable_for_their_weights(monkeypatch) -> None:
    """Without a certificate, a tiny gradient may come from weights; with ordinary weights it means separation."""
    monkeypatch.setattr(of_fits, "FIRST", 0)
    monkeypatch.setattr(of_fits, "MOST", (0, 0))
    model = fitted(ONE, pairs_of([1, -1], weights=[1e24, 1.0]))
    assert model.phi[0] == pytest.approx(24 * np.log(10), rel=1e-12)
    assert fitted(ONE, pairs_of([1, 2, 3])).outcome is Outcome.NO_MINIMUM


@pytest.mark.parametrize("n_copies", [3, 60_000])
def test_no_win_is_lost_where_games_are_counted(n_copies) -> None:
    """1 of 1e17 games is a share that rounds to 0. Such games are not counted, and 1 of 1e6 is."""
    n = 2 if n_copies == 3 else 500  # a table of all items by all items, or sorted games
    won, lost = np.repeat([[0, 1], [1, 0]], n_copies, axis=1)
    rare, usual = (bt.PreferencePairs(won, lost, weights=np.repeat([w, 1.0], n_copies)) for w in (1e17, 1e6))
    assert tallied(rare, bt.TableScorer(n)) is rare
    counted = tallied(usual, bt.TableScorer(n))
    assert len(counted) == 1
    assert counted.labels[0] == pytest.approx(1e6 / (1e6 + 1), abs=1e-15)


# ------------------------------------------------------------------------------------------------------------- outliers


@pytest.mark.parametrize("outlier", [1e7, 1e12, 1e15, 1e16, 1e17])
@pytest.mark.parametrize("n", [1, 30])
def test_one_outlier_does_not_separate_what_other_pairs_contradict(outlier, n) -> None:
    """Its margin is so large that it has no pull, so the weight is log 3 as without it."""
    pairs = pairs_of([1, 1, 1, -1] * n + [outlier])
    assert not bt.inference.separation(ONE, pairs).is_separated
    model = fitted(ONE, pairs)
    assert model.converged
    assert model.phi[0] == pytest.approx(LOG_3, rel=1e-9)


@pytest.mark.parametrize("outlier", [1e19, 1e30, 1e100, 1e140])
def test_a_larger_outlier_is_fitted_or_refused(outlier) -> None:
    """The search may need more steps than it has, but it never calls another weight the minimum."""
    pairs = pairs_of([1, 1, 1, -1] * 20 + [outlier])
    assert not bt.inference.separation(ONE, pairs).is_separated
    model = fitted(ONE, pairs)
    assert model.outcome in {Outcome.CONVERGED, Outcome.STEP_LIMIT, Outcome.NO_DESCENT}
    assert not model.converged or model.phi[0] == pytest.approx(LOG_3, rel=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_outliers_of_any_size_never_separate_contradicted_rows(seed) -> None:
    """Rows a and -a for k independent rows a leave no direction, whatever other rows say (Stiemke 1915)."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 5))
    basis = rng.normal(size=(k, k)) + 3 * np.eye(k)
    rows = np.concatenate([basis, -basis, rng.normal(size=(20, k))])
    for _ in range(int(rng.integers(1, 4))):
        rows[int(rng.integers(2 * k, len(rows))), int(rng.integers(k))] *= 10.0 ** rng.uniform(8, 60)
    found = bt.inference.separation(bt.LinearScorer(k), pairs_of(rows))
    assert not found.is_separated
    assert not found.separated_pairs.any()
    assert not found.infinite.any()


def test_separated_pairs_are_found_beside_an_outlier() -> None:
    """Feature 1 is never contradicted. Feature 0 is, though a pair holds an outlier of it."""
    rows = np.array([[1, 0], [1, 0], [1, 0], [-1, 0], [1e16, 0], [0, 1], [0, 2]])
    found = bt.inference.separation(bt.LinearScorer(2), pairs_of(rows))
    assert found.separated_pairs.tolist() == [False] * 5 + [True] * 2
    assert found.infinite.tolist() == [0, 1]
    assert found.determined.tolist() == [True, False]
    all_of_one_sign = bt.inference.separation(ONE, pairs_of([1, 2, 3, 1e16]))
    assert all_of_one_sign.separated_pairs.all()


# ---------------------------------------------------------------------------------------------------------------- units


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e-6, 1e-9, 1e-13])
def test_gradient_descent_converges_to_the_same_margins_in_every_unit(unit) -> None:
    """An absolute tolerance means nothing for tiny features. The error may be what g² <= tolerance·s allows."""
    model = fitted(ONE, pairs_of([unit, unit, unit, -unit]), method="gradient_descent")
    assert model.converged
    # |g| <= sqrt(1e-9)·unit; the curvature at the minimum is 3/16·unit², so the margin is off by at most 1.7e-4
    assert model.phi[0] * unit == pytest.approx(LOG_3, abs=1.7e-4)


@pytest.mark.parametrize(
    ("scorer", "options"),
    [
        (ONE, {"method": "adam"}),
        (ONE, {"method": "gradient_descent", "learning_rate": 0.1}),
        (bt.MLPScorer(1, 3), {"standardise": False, "max_steps": 20}),
        (bt.MLPScorer(1, 3), {"standardise": False, "max_steps": 20, "method": "gradient_descent"}),
    ],
)
def test_a_gradient_that_is_small_only_for_its_units_is_no_minimum(scorer, options) -> None:
    """These methods depend on the units and get nowhere. They say so, and what to do."""
    model = fitted(scorer, pairs_of(1e-11 * np.array([1, 1, 1, -1])), **options)
    assert model.outcome is Outcome.STEP_LIMIT
    assert "features are in small units" in model.message


def test_in_ordinary_units_the_tolerance_alone_decides() -> None:
    """The fit stops at the first gradient within the tolerance, also a coarse one, also with a penalty."""
    for tolerance, l2 in ((1e-9, 0.0), (1e-3, 0.0), (0.05, 0.0), (1e-6, 0.1)):
        model = fitted(ONE, pairs_of([1, 1, 1, -1]), method="gradient_descent", tolerance=tolerance, l2=l2)
        assert model.converged
        small = model.history["gradient_norm"] <= tolerance
        assert small[-1]
        assert not small[:-1].any()


def test_shards_in_small_units_are_not_called_converged(tmp_path) -> None:
    """Adam on shards has the same criterion."""
    bt.datasets.save_pairs(pairs_of(1e-11 * np.array([1, 1, 1, -1])), tmp_path / "a.npz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bt.ConvergenceWarning)
        model = distributed_fit(ONE, [tmp_path / "a.npz"], method="adam", max_steps=5)
    assert model.outcome is Outcome.STEP_LIMIT
    assert "small units" in model.message


def test_a_callback_can_stop_a_search_that_goes_on() -> None:
    """Going on beyond the first 22 small gradients is still reported step by step, and can be stopped."""
    steps = []

    def stop(record) -> bool:
        steps.append(int(record["step"]))
        return len(steps) == 50

    model = fitted(ONE, pairs_of([1, -1], weights=[1e30, 1.0]), callback=stop)
    assert model.outcome is Outcome.STOPPED_BY_CALLBACK
    assert steps == list(range(50))


@pytest.mark.parametrize("method", ["gradient_descent", "adam"])
def test_rounding_in_a_shared_column_does_not_keep_a_fit_from_converging(method) -> None:
    """A feature x and x·3/3 differ in the last digit in some pairs, and no gradient is small for rounding."""
    rng = np.random.default_rng(5)
    chosen, rejected = rng.normal(size=(2, 300, 2))
    shared = rng.normal(size=300)
    chosen[:, 1], rejected[:, 1] = shared * 3 / 3, shared
    assert 0 < np.abs(chosen[:, 1] - rejected[:, 1]).max() < 1e-15
    chosen[:100], rejected[:100] = rejected[:100].copy(), chosen[:100].copy()
    pairs = bt.PreferencePairs(chosen, rejected)
    model = bt.fit(bt.LinearScorer(2), pairs, method=method, max_steps=5000, tolerance=1e-6)
    assert model.outcome is Outcome.CONVERGED


def test_tiny_weights_are_not_blamed_on_large_margins() -> None:
    """Two equal columns, and pairs of weight 1e-18 in which they differ: the margins are far below the limit."""
    d = np.array([[1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
    pairs = bt.PreferencePairs(d, np.zeros_like(d), weights=[1, 1, 1, 1e-18, 1e-18])
    model = bt.fit(bt.LinearScorer(2), pairs)
    assert "margins" not in model.message.split("; ")[-1] or "rounded away" not in model.message
