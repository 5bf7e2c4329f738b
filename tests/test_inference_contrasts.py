"""Linear combinations of φ, intervals of probabilities, and comparison intervals of a table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import least_squares

import bradley_terry as bt
from bradley_terry import datasets, losses
from bradley_terry.uncertainty.quasi import quasi_variances


@pytest.fixture
def linear(random_pairs):
    """Return a linear model of random pairs."""
    return bt.fit(bt.LinearScorer(3), random_pairs(bt.LinearScorer(3)), l2=0.1)


def covariance_of_differences(v):
    """Return a covariance of independent rewards, centred, whose differences have variance v_a + v_b."""
    n = len(v)
    centre = np.eye(n) - 1 / n
    return centre @ np.diag(v) @ centre


# ---------------------------------------------------------------------------------------------------- known value


def test_contrasts_of_a_table_are_differences_of_published_rewards() -> None:
    """JRSS-B minus Biometrika is 0.2689541 with error 0.07082997, whatever sums to zero in between."""
    model = bt.fit(bt.TableScorer(4), datasets.citations())
    found = model.contrasts([[-1, 0, 0, 1], [1, 0, 0, -1], [-1, 0.5, 0.5, 0]])
    np.testing.assert_allclose(found.estimates[:2], [0.2689541, -0.2689541], atol=6e-8)  # printed digits
    np.testing.assert_allclose(found.standard_errors[:2], 0.07082997, atol=1e-8)
    assert found.covariance[0, 1] == pytest.approx(-(0.07082997**2), rel=1e-6)
    assert found.estimates[2] == pytest.approx((-2.9490725 - 0.4795698) / 2, abs=6e-8)
    one = model.contrasts([-1, 0, 0, 1])
    assert one.estimates.shape == (1,)
    np.testing.assert_allclose(one.covariance, found.covariance[:1, :1])


def test_probability_interval_of_two_items_is_that_of_their_log_odds() -> None:
    """60 wins in 100: σ(logit 0.6 ± 1.96 / √(100 · 0.6 · 0.4))."""
    pairs = bt.PreferencePairs([0, 1], [1, 0], weights=[60, 40])
    found = bt.fit(bt.TableScorer(2), pairs).probability_intervals([0, 1, 0], [1, 0, 0])
    half = 1.959963984540054 / np.sqrt(24)
    want = 1 / (1 + np.exp(-(np.log(1.5) + np.array([-half, half]))))
    np.testing.assert_allclose(found[0], want, rtol=1e-8)
    np.testing.assert_allclose(found[1], 1 - want[::-1], rtol=1e-8)
    np.testing.assert_array_equal(found[2], [0.5, 0.5])  # an item against itself


def test_quasi_variances_of_three_items_are_exact() -> None:
    """q_a = (v_ab + v_ac - v_bc)/2, and the relative errors are 0."""
    model = bt.fit(bt.TableScorer(3), bt.PreferencePairs([0, 0, 1, 2, 1, 0], [1, 1, 2, 0, 0, 2]))
    c = model.covariance()
    v = np.diag(c)[:, None] + np.diag(c) - 2 * c
    found = model.quasi_variances()
    want = [(v[0, 1] + v[0, 2] - v[1, 2]) / 2, (v[0, 1] + v[1, 2] - v[0, 2]) / 2, (v[0, 2] + v[1, 2] - v[0, 1]) / 2]
    np.testing.assert_allclose(found.variances, want, rtol=1e-12)
    np.testing.assert_allclose([*found.worst_errors, *found.worst_of_all], 0, atol=1e-7)


def test_quasi_variances_can_be_negative_and_then_have_no_intervals() -> None:
    """If v_ab + v_ac < v_bc, then q_a < 0: right for the sums, but without a square root."""
    covariance = np.array([[0, 0, 0], [0, 1, -0.75], [0, -0.75, 1]])  # of r_0, r_1, r_2 with r_0 = 0
    found = quasi_variances(covariance)
    assert found.variances.min() < 0
    v = np.diag(covariance)[:, None] + np.diag(covariance) - 2 * covariance
    sums = found.variances[:, None] + found.variances
    np.testing.assert_allclose(sums[~np.eye(3, dtype=bool)], v[~np.eye(3, dtype=bool)], rtol=1e-12)
    model = bt.fit(bt.TableScorer(3), bt.PreferencePairs([0, 1, 2], [1, 2, 0], feature_names=["a", "b", "c"]))
    information = np.linalg.pinv(covariance - covariance.mean(0) - covariance.mean(0)[:, None] + covariance.mean())
    changed = replace(model, information=information)
    with pytest.raises(ValueError, match=r"^comparison intervals: expected quasi-variances of at least 0, got -.* for"):
        changed.comparison_intervals()


# ------------------------------------------------------------------------------------------------------- identity


@given(st.lists(st.floats(0.01, 100), min_size=3, max_size=9))
def test_quasi_variances_of_independent_rewards_are_their_variances(v) -> None:
    """If the rewards are independent, Var(r_a - r_b) = v_a + v_b, so q = v whatever the number of items."""
    found = quasi_variances(covariance_of_differences(np.array(v)))
    np.testing.assert_allclose(found.variances, v, rtol=1e-6, atol=1e-9 * max(v))
    np.testing.assert_allclose(found.worst_errors, 0, atol=1e-7)


def test_contrasts_agree_with_the_other_methods(linear) -> None:
    """Unit rows give the errors of the parameters; a margin's error is that of the contrast of its features."""
    for options in ({}, {"kind": "sandwich"}, {"kind": "bootstrap", "n_bootstrap": 10}):
        found = linear.contrasts(np.eye(3), **options)
        np.testing.assert_allclose(found.estimates, linear.phi)
        np.testing.assert_allclose(found.standard_errors, linear.standard_errors(**options), rtol=1e-10)
        np.testing.assert_allclose(found.covariance, linear.covariance(**options), rtol=1e-10)
        a, b = np.random.default_rng(1).normal(size=(2, 4, 3))
        low, high = linear.probability_intervals(a, b, level=0.9, **options).T
        half = linear.contrasts(a - b, **options).standard_errors * 1.6448536269514722
        log_odds = [np.log(p / (1 - p)) for p in (low, high)]
        np.testing.assert_allclose(log_odds[1] - log_odds[0], 2 * half, rtol=1e-9)
        p = linear.preference_probability(a, b)
        assert ((low < p) & (p < high)).all()


def test_probability_intervals_do_not_depend_on_the_units_of_the_rewards() -> None:
    """With temperature 2 all rewards are twice as large, and the intervals of probabilities are the same."""
    pairs = bt.PreferencePairs([0, 1, 0, 2, 2, 1], [1, 0, 2, 0, 1, 2], weights=[5, 3, 4, 2, 6, 1])
    plain, warm = (bt.fit(bt.TableScorer(3), pairs, loss=loss) for loss in (None, losses.Temperature(2.0)))
    for kind in ("information", "sandwich"):
        options = {"kind": kind} | ({} if kind == "information" else {"clusters": "votes"})
        np.testing.assert_allclose(
            warm.probability_intervals([0, 1], [1, 2], **options),
            plain.probability_intervals([0, 1], [1, 2], **options),
            rtol=1e-7,
        )


class Buffered(bt.LinearScorer):
    """A scorer of the reader's own, which returns the same array at each call."""

    gradient = np.empty(3)

    def backward(self, phi, features, d_rewards):
        """Return the gradient in the buffer."""
        self.gradient[:] = super().backward(phi, features, d_rewards)
        return self.gradient


def test_a_scorer_of_our_own_has_the_same_errors(linear, rng) -> None:
    """Every method gives it what it gives the linear scorer, also if it fills one buffer at each call."""
    pairs = replace(linear.fitted_to.pairs, prompts=rng.integers(20, size=len(linear.fitted_to.pairs)))
    plain, own = (bt.fit(scorer, pairs, l2=0.1) for scorer in (bt.LinearScorer(3), Buffered(3)))
    a, b = rng.normal(size=(2, 5, 3))
    for kind in ("information", "sandwich"):
        np.testing.assert_allclose(own.covariance(kind=kind), plain.covariance(kind=kind), rtol=1e-7)
        intervals = [model.probability_intervals(a, b, kind=kind) for model in (own, plain)]
        np.testing.assert_allclose(*intervals, rtol=1e-7)


def test_intervals_of_a_table_and_of_one_hot_features_agree(rng) -> None:
    """A table is the linear scorer on one-hot features; a tiny penalty fixes the shift."""
    i = rng.integers(4, size=200)
    j = (i + rng.integers(1, 4, 200)) % 4
    table = bt.fit(bt.TableScorer(4), bt.PreferencePairs(i, j))
    one_hot = bt.fit(bt.LinearScorer(4), bt.PreferencePairs(np.eye(4)[i], np.eye(4)[j]), l2=1e-9)
    for kind in ("information", "sandwich"):
        np.testing.assert_allclose(
            table.probability_intervals([0, 1, 2], [3, 2, 0], kind=kind),
            one_hot.probability_intervals(np.eye(4)[[0, 1, 2]], np.eye(4)[[3, 2, 0]], kind=kind),
            atol=1e-5,
        )


# ----------------------------------------------------------------------------------------------------------- twin


@pytest.mark.parametrize("n", [4, 5, 8, 20])
def test_quasi_variances_are_those_of_least_squares(n, rng) -> None:
    """SciPy finds the same minimum of Σ (log(q_a + q_b) - log v_ab)², from another start and by another method."""
    for _ in range(5):
        a = rng.normal(size=(n, n))
        covariance = a @ a.T / n + np.diag(rng.uniform(0.05, 3, n))
        covariance = covariance - covariance.mean(0) - covariance.mean(0)[:, None] + covariance.mean()
        i, j = np.triu_indices(n, 1)
        v = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
        found = quasi_variances(covariance)
        q = found.variances
        want = least_squares(
            lambda q: np.log(np.maximum(q[i] + q[j], 1e-12)) - np.log(v),  # noqa: B023
            np.abs(q) + 0.1 * v.mean(),
            xtol=1e-14, ftol=1e-14, gtol=1e-14,
        ).x  # fmt: skip
        np.testing.assert_allclose(q, want, atol=1e-6 * v.mean())  # differences limit SciPy's slopes
        errors = np.sqrt((q[i] + q[j]) / v) - 1
        np.testing.assert_allclose(found.worst_errors, [errors.min(), errors.max()], rtol=1e-12)
        c = rng.normal(size=(2000, n))
        c -= c.mean(axis=1, keepdims=True)
        some = np.sqrt((c**2 @ q).clip(0) / np.einsum("ij,jk,ik->i", c, covariance, c)) - 1
        assert found.worst_of_all[0] <= min(some.min(), errors.min()) + 1e-9
        assert found.worst_of_all[1] >= max(some.max(), errors.max()) - 1e-9


def test_comparison_intervals_are_rewards_and_roots_of_quasi_variances() -> None:
    """The half width is z·√q; for the citations it reproduces all errors of differences to 4 %."""
    model = bt.fit(bt.TableScorer(4), datasets.citations())
    found = model.quasi_variances()
    low, high = model.comparison_intervals(0.9).T
    np.testing.assert_allclose((high - low) / 2, 1.6448536269514722 * np.sqrt(found.variances), rtol=1e-9)
    np.testing.assert_allclose((high + low) / 2, model.phi, atol=1e-12)
    assert max(np.abs(found.worst_errors)) < 0.04


# -------------------------------------------------------------------------------------------------------- manners


def test_bad_requests_are_refused_in_one_sentence(linear) -> None:
    """Wrong shapes, rows that do not sum to zero, levels, losses and scorers are named."""
    table = bt.fit(bt.TableScorer(3), bt.PreferencePairs([0, 1, 2], [1, 2, 0]))
    for matrix, message in (
        ([[1, 0, 0]], r"^matrix: expected rows that sum to zero, .* got a sum of 1 in row 0"),
        ([[1, -1, 0], [1, 1, -1]], r"^matrix: expected rows that sum to zero, .* in row 1"),
        ([[1, -1]], r"^matrix: expected finite numbers of shape \(n, 3\), got shape \(1, 2\)"),
        ([[1, np.nan, 0]], r"^matrix: expected finite numbers"),
        (np.zeros((0, 3)), r"^matrix: expected finite numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            table.contrasts(matrix)
    with pytest.raises(TypeError, match=r"^matrix: expected numbers"):
        table.contrasts([["a", "b", "c"]])
    for level in (0, 1, 95, "high", True):
        for call in (table.intervals, table.comparison_intervals):
            with pytest.raises(ValueError, match=r"^level: expected a share between 0 and 1"):
                call(level)
        with pytest.raises(ValueError, match=r"^level: expected a share between 0 and 1"):
            table.probability_intervals([0], [1], level=level)
    with pytest.raises(ValueError, match=r"^features_b: expected the shape of features_a"):
        linear.probability_intervals(np.zeros((2, 3)), np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"^features_a: expected shape \(n, 3\)"):
        linear.probability_intervals(np.zeros((2, 2)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"^features_b: item 7 is out of range"):
        table.probability_intervals([0], [7])
    for call in (linear.quasi_variances, linear.comparison_intervals):
        with pytest.raises(ValueError, match=r"^quasi-variances: expected a table of items, got LinearScorer"):
            call()
    two = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0, 1, 0], [1, 0, 1]))
    with pytest.raises(ValueError, match=r"^quasi-variances: expected at least three items, got 2"):
        two.quasi_variances()
    ties = bt.PreferencePairs([0, 1, 2, 0, 1], [1, 2, 0, 1, 0], labels=[1, 1, 1, 0.5, 1])
    of_known = bt.fit(bt.TableScorer(3), ties, loss=losses.RaoKupper(0.5))
    low, high = of_known.probability_intervals([0], [1])[0]
    assert low < of_known.preference_probability([0], [1])[0] < high
    for model in (bt.fit(bt.TableScorer(3), ties, loss=losses.RaoKupper()), replace(of_known, fitted_to=None)):
        with pytest.raises(ValueError, match=r"^loss: expected one whose parameters were given to fit, .* got RaoKupp"):
            model.probability_intervals([0], [1])
    orders = replace(table, loss=losses.Sigmoid())
    with pytest.raises(ValueError, match=r"^loss: expected -log sigma\(Δ\), or another loss .* got Sigmoid"):
        orders.probability_intervals([0], [1])
    with pytest.raises(TypeError, match="unexpected keyword argument 'kinds'"):
        table.intervals(kinds="sandwich")


def test_p_values_of_contrasts_are_those_of_the_normal_distribution() -> None:
    """P(|Z| > |z|), from SciPy."""
    model = bt.fit(bt.LinearScorer(6), bt.datasets.travel_modes())
    for kind in ("information", "sandwich"):
        found = model.contrasts([[0, 0, 0, 1, -1, 0], [1, 0, 0, 0, 0, 0]], kind=kind)
        want = 2 * stats.norm.sf(np.abs(found.estimates / found.standard_errors))
        np.testing.assert_allclose(found.p_values, want, rtol=1e-12)
