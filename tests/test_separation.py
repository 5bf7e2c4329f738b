"""Pairs without a finite fit: the certificate for rewards that are linear in φ, judged by linear programming."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize, nnls

import bradley_terry as bt
from bradley_terry.inference import Separation, separation
from bradley_terry.model import Outcome
from bradley_terry.separation.certificate import nearest, separating
from bradley_terry.separation.least_squares import nonnegative

SEEDS = st.integers(0, 2**32 - 1)
EXAMPLES = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
MANY = settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow])


def rows_of_integers(seed: int) -> np.ndarray:
    """Return a few rows of small integers; most of them are turned to agree with some direction, often with ties."""
    rng = np.random.default_rng(seed)
    n, k = rng.integers(1, 12), rng.integers(1, 5)
    rows = rng.integers(-2, 3, size=(n, k)).astype(float)
    if rng.random() < 0.7:
        rows[rows @ rng.integers(-1, 2, size=k) < 0] *= -1
    return rows


def largest(objective: np.ndarray, rows: np.ndarray, bounds: object) -> float:
    """Return the largest value of objective·v over all v with rows·v >= 0 within the bounds."""
    found = linprog(-objective, A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=bounds)
    assert found.success
    return -found.fun


def is_in_cone(vector: np.ndarray, rows: np.ndarray) -> bool:
    return len(rows) > 0 and nnls(rows.T, vector)[1] < 1e-9


def pairs_of(rows: np.ndarray, **options: object) -> bt.PreferencePairs:
    return bt.PreferencePairs(rows, np.zeros_like(rows), **options)


def fitted(scorer, pairs, **options) -> bt.RewardModel:
    """Fit, and expect the warning of a fit that did not converge."""
    with pytest.warns(bt.ConvergenceWarning):
        return bt.fit(scorer, pairs, **options)


# ------------------------------------------------------------------------------------------------ the certificate


def check_least_squares(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 3, size=(rng.integers(1, 40), rng.integers(1, 7))).astype(float)
    rows = rows[rows.any(axis=1)]
    if not len(rows):
        return
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    target = rng.normal(size=rows.shape[1]) if seed % 2 else -rows.sum(axis=0)
    rest, rounding = nonnegative(rows, target)
    # SciPy's own method has a tolerance of about 1e-15 times the size of the problem, which is below 40
    assert np.linalg.norm(rest) == pytest.approx(nnls(rows.T, target)[1], abs=1e-11)
    assert (rows @ rest).max() <= rounding


def check_separated_rows(seed: int) -> None:
    rows = rows_of_integers(seed)
    cone, box = separating(rows), [(-1, 1)] * rows.shape[1]
    # a row that can grow at all grows by more than 1e-3 in this box, since its numbers are small integers
    expected = np.array([largest(row, rows, box) > 1e-6 for row in rows])
    np.testing.assert_array_equal(cone.separated, expected)
    margins = rows @ (cone.direction / cone.units)
    assert (margins[expected] > 1e-6).all()
    np.testing.assert_allclose(margins[~expected], 0, atol=1e-12)
    assert np.linalg.norm(cone.direction) == pytest.approx(1.0 if expected.any() else 0.0, abs=1e-14)


def check_signs(seed: int) -> None:
    """Check that φ_j is determined if e_j is in the span of the other rows, and infinite if it is in a cone."""
    rows = rows_of_integers(seed)
    cone = separating(rows)
    inside, outside = rows[~cone.separated], rows[cone.separated]
    signs = cone.signs(outside, np.ones(len(outside), dtype=bool))
    for j, axis in enumerate(np.eye(rows.shape[1])):
        rank = np.linalg.matrix_rank(inside) if len(inside) else 0
        assert cone.determined[j] == (np.linalg.matrix_rank(np.vstack([inside, axis])) == rank)
        both = np.vstack([outside, inside, -inside])
        up, down = is_in_cone(axis, both), is_in_cone(-axis, both)
        assert signs[j] == (0 if cone.determined[j] else int(up) - int(down))


def check_nearest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 5))
    rows, direction = rng.normal(size=(rng.integers(1, 12), k)), rng.normal(size=k)
    rows[rows @ direction < 0] *= -1
    least = rng.uniform(-3, 20, size=len(rows))
    found = nearest(rows, least, direction)
    assert (rows @ found >= least - 1e-8 * (1 + np.abs(rows) @ np.abs(found))).all()
    best = minimize(
        lambda v: 0.5 * v @ v,
        direction * max(0.0, (least / (rows @ direction)).max()),
        jac=lambda v: v,
        constraints={"type": "ineq", "fun": lambda v: rows @ v - least, "jac": lambda _: rows},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    if best.success:  # SLSQP is right to about 1e-6
        assert np.linalg.norm(found) <= np.linalg.norm(best.x) * (1 + 1e-5) + 1e-9


CHECKS = [check_least_squares, check_separated_rows, check_signs, check_nearest]


@pytest.mark.parametrize("check", CHECKS)
@EXAMPLES
@given(seed=SEEDS)
def test_certificates_agree_with_linear_programming(check: Callable[[int], None], seed: int) -> None:
    """Rows of small integers: which can grow along a direction that contradicts none, and what that says of φ."""
    check(seed)


@pytest.mark.full
@pytest.mark.parametrize("check", CHECKS)
@MANY
@given(seed=SEEDS)
def test_many_certificates_agree_with_linear_programming(check: Callable[[int], None], seed: int) -> None:
    """The same on many more examples."""
    check(seed)


@pytest.mark.parametrize("k", [2, 5])
def test_units_of_the_features_make_no_difference(k: int, rng) -> None:
    """Features in units from 1e-170 to 1e170, whose squares overflow, give the same separated pairs and signs."""
    x = rng.integers(-2, 3, size=(40, k)).astype(float)
    x[x @ rng.integers(-1, 2, size=k) < 0] *= -1
    units = 10.0 ** np.linspace(-170, 170, k)
    plain, scaled = (separation(bt.LinearScorer(k), pairs_of(rows)) for rows in (x, x * units))
    np.testing.assert_array_equal(plain.separated_pairs, scaled.separated_pairs)
    np.testing.assert_array_equal(plain.infinite, scaled.infinite)
    np.testing.assert_array_equal(plain.determined, scaled.determined)


def test_separation_that_a_single_pair_breaks_is_told_apart(rng) -> None:
    """With 30 separated pairs, one contradiction by 1e-6 makes the fit finite, and without it there is none."""
    x = np.column_stack([rng.uniform(1, 2, 30), rng.normal(size=30)])
    for last, expected in (([1e-6, 0.0], True), ([-1e-6, 0.0], False), ([0.0, 0.0], True)):
        rows = np.vstack([x, last, [0.0, 1.0], [0.0, -1.0]])  # the last two forbid any v with v_2 != 0
        found = separation(bt.LinearScorer(2), pairs_of(rows))
        assert found.is_separated is expected


def test_labels_weights_and_target_margins() -> None:
    """A label of 0 turns a pair round, labels in between separate nothing, and pairs of weight 0 do not count."""
    x = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    scorer = bt.LinearScorer(2)
    found = separation(scorer, pairs_of(x))
    assert (found.is_separated, found.infinite.tolist(), found.determined.tolist()) == (True, [1, 0], [False, True])
    assert found.separated_pairs.tolist() == [True, True, False, False]
    assert separation(scorer, pairs_of(x, labels=[0, 0, 1, 1])).infinite.tolist() == [-1, 0]
    assert not separation(scorer, pairs_of(x, labels=[1, 0.999, 1, 1])).is_separated
    assert not separation(scorer, pairs_of(x, labels=[1, 0, 1, 1])).is_separated
    ignored = separation(scorer, pairs_of(x, labels=[1, 0, 1, 1], weights=[1, 0, 1, 1]))
    assert ignored.separated_pairs.tolist() == [True, False, False, False]
    shifted = separation(scorer, pairs_of(x, target_margins=[5, -100, 3, 0]))
    np.testing.assert_array_equal(shifted.separated_pairs, found.separated_pairs)
    assert repr(separation(scorer, pairs_of(np.zeros((2, 2))))) == "Separation(none: there is a finite best fit)"


def test_a_ranking_is_separated_exactly_if_its_pairs_are() -> None:
    """One of the three answers is always the best; the other two are ranked both ways."""
    ranks = [1, 2, 3, 1, 3, 2]
    rankings = bt.PreferenceRankings(
        np.tile(np.eye(3), (2, 1)), ranks, [0, 0, 0, 1, 1, 1], feature_names=["a", "b", "c"]
    )
    found = separation(bt.LinearScorer(3), rankings)
    assert found.is_separated
    np.testing.assert_array_equal(
        found.separated_pairs, separation(bt.LinearScorer(3), rankings.as_pairs()).separated_pairs
    )
    both = bt.PreferenceRankings([0, 1, 2] * 2, [1, 2, 3, 3, 2, 1], [0, 0, 0, 1, 1, 1])
    assert not separation(bt.TableScorer(3), both).is_separated


@pytest.mark.parametrize("weights", [None, [1.0, 3.0, 2.0, 0.5]])
def test_the_limit_of_rankings_is_that_of_the_choices_that_are_left(weights) -> None:
    """Answer 0 is always first. The reference gives it the reward 40 and fits the others to the whole rankings.

    With 40 log-odds, the choice of answer 0 costs less than 1e-16.
    """
    orders = np.array([[0, 1, 2, 3], [0, 3, 1, 2], [0, 2, 3, 1], [0, 1, 3, 2]])
    ranks = np.argsort(orders, axis=1) + 1
    w = None if weights is None else np.repeat(weights, 4)
    rankings = bt.PreferenceRankings(np.tile(np.arange(4), 4), ranks.ravel(), np.repeat(np.arange(4), 4), weights=w)
    with pytest.warns(bt.ConvergenceWarning, match=r"there is no finite minimum, .* item 0 never lost"):
        model = bt.fit(bt.TableScorer(4), rankings)
    phi, information = model.phi, model.information
    w = np.ones(4) if weights is None else np.array(weights)

    def loss(free: np.ndarray) -> float:
        rewards = np.append(40.0, [free[0], free[1], 0.0])[orders]
        stages = [np.logaddexp.reduce(rewards[:, j:], axis=1) - rewards[:, j] for j in range(3)]
        return float((w * np.sum(stages, axis=0)).sum())

    best = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13})
    np.testing.assert_allclose(phi[1:3] - phi[3], best.x, atol=1e-6)
    assert phi[0] - phi[1:].max() == pytest.approx(20, rel=1e-9)
    h, size = np.zeros((2, 2)), 1e-4
    for a, b in np.ndindex(2, 2):
        steps = [(s, t, loss(best.x + size * (s * np.eye(2)[a] + t * np.eye(2)[b]))) for s in (1, -1) for t in (1, -1)]
        h[a, b] = sum(s * t * value for s, t, value in steps) / (4 * size**2)
    np.testing.assert_allclose(information[1:3, 1:3], h, atol=1e-5)  # rounding 1e-16·loss/size²
    np.testing.assert_allclose(information[0], 0, atol=1e-14)


class _Mine(bt.LinearScorer):
    """A class of the reader's own, which might compute the reward otherwise."""


def test_any_scorer_that_is_linear_in_phi_will_do(rng) -> None:
    """A derived scorer gives what LinearScorer gives; an MLP is refused."""
    x = np.abs(rng.normal(size=(9, 3)))
    ours, theirs = (separation(kind(3), pairs_of(x)) for kind in (bt.LinearScorer, _Mine))
    np.testing.assert_allclose(ours.direction, theirs.direction, rtol=1e-10)
    with pytest.raises(ValueError, match=r"^scorer: expected one that is linear in phi, got MLPScorer"):
        separation(bt.MLPScorer(3), pairs_of(x))
    with pytest.raises(ValueError, match=r"^chosen: "):
        separation(bt.LinearScorer(2), pairs_of(x))
    assert isinstance(ours, Separation)


# -------------------------------------------------------------------------------------------------------- the fit


def quasi_separated(rng, n: int = 80, k: int = 3, n_star: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Return rows whose last feature only ever helps, and the rows where it is 0."""
    x = rng.normal(size=(n, k))
    x[:, -1] = 0
    x[(rng.random(n) > bt.sigmoid(x @ np.linspace(1, -1, k)))] *= -1
    x[:n_star, -1] = rng.uniform(0.5, 2, n_star)
    return x, x[n_star:]


@pytest.mark.parametrize("n", [80, pytest.param(40_000, marks=pytest.mark.full)])
@pytest.mark.parametrize("start", [None, [3.0, -2.0, 50.0]])
def test_finite_weights_and_their_errors_are_those_of_the_pairs_that_are_left(n: int, start, rng) -> None:
    """φ does not depend on the start, and the smallest margin of a separated pair is 20, as documented.

    The reference is a fit to the other pairs without the last feature. With 40,000 pairs the certificate is found on
    the way, not before.
    """
    x, rest = quasi_separated(rng, n)
    model = fitted(bt.LinearScorer(3), pairs_of(x, feature_names=["a", "b", "star"]), initial=start)
    assert model.outcome is Outcome.NO_MINIMUM
    reference = bt.fit(bt.LinearScorer(2), pairs_of(rest[:, :2]))
    np.testing.assert_allclose(model.phi[:2], reference.phi, atol=1e-9)
    errors = model.standard_errors()
    np.testing.assert_allclose(errors[:2], reference.standard_errors(), rtol=1e-7)
    assert errors[2] == np.inf
    assert np.isinf(model.intervals()[2]).all()
    assert (x[:9] @ model.phi).min() == pytest.approx(20, rel=1e-9)
    assert f"9 of {n} pairs are separated and the weight of star goes to +inf; use l2 > 0, for " in model.message


LOSSES = {
    "temperature": bt.losses.Temperature(2.0),
    "probit": bt.losses.Probit(),
    "exponential": bt.losses.Exponential(),
    "rao-kupper": bt.losses.RaoKupper(0.7),
    "fitted rao-kupper": bt.losses.RaoKupper(),
    "fitted davidson": bt.losses.Davidson(),
}


@pytest.mark.parametrize("name", LOSSES)
def test_other_losses_that_vanish_at_infinity_have_the_same_separated_pairs(name: str, rng) -> None:
    """The finite weights are those of a fit with the same loss to the pairs that are left."""
    x, rest = quasi_separated(rng)
    loss, labels = LOSSES[name], np.ones(80)
    labels[::3] = 0.5
    labels[:9] = 1
    model = fitted(bt.LinearScorer(3), pairs_of(x, labels=labels), loss=loss)
    assert model.outcome is Outcome.NO_MINIMUM
    reference = bt.fit(bt.LinearScorer(2), pairs_of(rest[:, :2], labels=labels[9:]), loss=loss)
    np.testing.assert_allclose(model.phi[:2], reference.phi, atol=1e-8)
    if getattr(loss, "is_likelihood", False):
        np.testing.assert_allclose(model.standard_errors()[:2], reference.standard_errors(), rtol=1e-6)
    if loss.is_likelihood and model.loss is not None:
        assert str(model.loss)[:20] == str(reference.loss)[:20]


def test_losses_with_a_minimum_for_every_pair_are_never_separated(rng) -> None:
    """Label smoothing and squares pull margins back; the robust loss falls below every bound instead."""
    x, _ = quasi_separated(rng)
    for loss in (bt.losses.LabelSmoothing(0.1), bt.losses.Square(1.0)):
        assert bt.fit(bt.LinearScorer(3), pairs_of(x), loss=loss).converged
    assert bt.fit(bt.LinearScorer(3), pairs_of(x), l2=1e-3).converged
    model = fitted(bt.LinearScorer(3), pairs_of(x), loss=bt.losses.Robust(0.1))
    assert model.outcome is Outcome.NO_MINIMUM
    np.testing.assert_allclose(model.phi[:2], 0, atol=1e-12)


@pytest.mark.parametrize("standardise", [False, True])
def test_complete_separation_has_no_finite_weight_and_no_standard_errors(standardise: bool, rng) -> None:
    """All margins are at least 20, and both the model and its report say that nothing is finite."""
    x = rng.normal(size=(30, 2)) * [1.0, 50.0]
    x *= np.sign(x @ [1.0, 0.02])[:, None]
    model = fitted(bt.LinearScorer(2), pairs_of(x), standardise=standardise)
    assert (x @ model.phi).min() == pytest.approx(20, rel=1e-9)
    assert "30 of 30 pairs are separated and the weights of feature 0 and feature 1 go to +inf" in model.message
    with pytest.raises(ValueError, match=r"^standard errors: expected a fit that converged.*no finite minimum"):
        model.standard_errors()


def test_collinear_features_of_a_separated_fit_may_take_any_value(rng) -> None:
    """A copy of a finite feature has no standard error either, and the message says so."""
    x, _ = quasi_separated(rng)
    x = np.column_stack([x, x[:, 0]])
    model = fitted(bt.LinearScorer(4), pairs_of(x))
    errors = model.standard_errors()
    assert np.isinf(errors).tolist() == [True, False, True, True]
    assert "the weight of feature 2 goes to +inf" in model.message
    assert "the weights of feature 0 and feature 3 may take any value" in model.message


def test_the_callback_can_stop_a_separated_fit(rng) -> None:
    """At the first record φ is the start, and the outcome is that of any fit that was stopped."""
    x, _ = quasi_separated(rng)
    for step in (0, 1):
        model = bt.fit(bt.LinearScorer(3), pairs_of(x), callback=lambda record, step=step: record["step"] == step)
        assert model.outcome is Outcome.STOPPED_BY_CALLBACK
        assert model.history["step"].tolist() == list(range(step + 1))


def test_saved_models_keep_their_limit(rng, tmp_path) -> None:
    """Finite and infinite standard errors survive saving and loading."""
    x, _ = quasi_separated(rng)
    model = fitted(bt.LinearScorer(3), pairs_of(x))
    model.save(tmp_path / "m.npz")
    np.testing.assert_array_equal(bt.RewardModel.load(tmp_path / "m.npz").standard_errors(), model.standard_errors())


def test_a_search_that_stopped_anywhere_is_no_limit(rng) -> None:
    """A model that only claims to have no minimum, with information of full rank, has no standard errors."""
    model = bt.fit(bt.LinearScorer(3), pairs_of(rng.normal(size=(50, 3))))
    fake = bt.RewardModel(
        model.scorer, model.phi, model.history, False, "", information=model.information, outcome=Outcome.NO_MINIMUM
    )
    with pytest.raises(ValueError, match=r"^standard errors: expected a fit that converged"):
        fake.standard_errors()


@pytest.mark.parametrize("scale", [1.0, 1e-3, 20.0])
def test_the_suggested_l2_is_a_prior_of_five_log_odds_for_a_typical_feature(scale: float, rng) -> None:
    """Its standard deviation is 5 divided by the spread of the features, and l2 = 1/(deviation²·Σ w)."""
    both = rng.normal(size=(2, 4000, 1)) * scale
    chosen, rejected = both.max(axis=0), both.min(axis=0)
    model = fitted(bt.LinearScorer(1), bt.PreferencePairs(chosen, rejected, weights=np.full(4000, 2.0)))
    said = model.message.split("for example l2=")[1]
    l2, deviation = (float(text.split()[0].rstrip(",")) for text in (said, said.split("deviation ")[1]))
    assert deviation == pytest.approx(5 / scale, rel=0.07)  # two digits, and the sampling error of 4,000 pairs
    assert l2 == pytest.approx(1 / (deviation**2 * 8000), rel=0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bt.fit(bt.LinearScorer(1), bt.PreferencePairs(chosen, rejected), l2=l2).converged


def test_features_of_texts_get_the_penalty_that_train_uses() -> None:
    """A wide prior would suit features of unknown units; those of texts are known, and 0.03 was measured on them."""
    records = [{"prompt": "a", "chosen": "yes " * (n + 2), "rejected": "no " * (n % 3 + 1)} for n in range(12)]
    pairs = bt.PreferencePairs.from_records(records)
    with pytest.warns(bt.ConvergenceWarning, match=r"use l2 > 0, for example l2=0\.03, which train uses for texts"):
        bt.fit(bt.LinearScorer(pairs.n_features), pairs)
    assert bt.train(pairs).model.l2 == 0.03


def test_many_undetermined_weights_are_counted_instead_of_named(rng) -> None:
    """With 100 features and 200 pairs that are all separated, no weight alone has to be infinite."""
    x = rng.normal(size=(200, 100))
    x *= np.sign(x @ rng.normal(size=100))[:, None]
    words = "200 of 200 pairs are separated and 100 weights have no finite best value together"
    with pytest.warns(bt.ConvergenceWarning, match=words):
        model = bt.fit(bt.LinearScorer(100), bt.PreferencePairs(x, 0 * x))
    assert (model.margins(bt.PreferencePairs(x, 0 * x)) > 19.9).all()
