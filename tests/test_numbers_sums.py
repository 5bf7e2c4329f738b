"""Means of losses are right to 2 units in the last place, for numbers of any size, in any order, on every path."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bradley_terry as bt
from bradley_terry import evaluation, kernels
from bradley_terry.losses import weighted_mean

LOG_2 = math.log(2)
MAGNITUDES = {
    "wide": (-300, 300),
    "tiny": (-300, -299),
    "huge": (299, 300),
    "largest": (307.9, 308.2),
    "usual": (-3, 3),
}
WEIGHTS = {
    "none": lambda rng, n: None,
    "uniform": lambda rng, n: rng.uniform(0.1, 3, n),
    "equal": lambda rng, n: np.full(n, rng.uniform(0.1, 3)),
    "wide": lambda rng, n: 10.0 ** rng.uniform(-200, 200, n),
    "smallest": lambda rng, n: 10.0 ** rng.uniform(-322, -320, n),
    "largest": lambda rng, n: 10.0 ** rng.uniform(300, 305, n),
}


def exact_mean(values: np.ndarray, weights: np.ndarray | None) -> Fraction:
    """Return Σ w·v / Σ w as a fraction, without rounding."""
    w = [Fraction(1)] * len(values) if weights is None else list(map(Fraction, weights.tolist()))
    return sum(a * b for a, b in zip(w, map(Fraction, values.tolist()), strict=True)) / sum(w)


def units(got: float, want: Fraction) -> float:
    """Return the error in units in the last place."""
    return float(abs(Fraction(got) - want) / Fraction(math.ulp(float(want))))


def losses_of(kind: str, rng: np.random.Generator, n: int) -> np.ndarray:
    """Return margins whose losses have the magnitudes of this kind."""
    low, high = MAGNITUDES[kind]
    sizes = 10.0 ** rng.uniform(low, high, n)
    with np.errstate(over="ignore"):
        return np.where(sizes < 1, -np.log(np.expm1(np.minimum(sizes, 1))), -sizes)  # softplus(-z) is about ``sizes``


# ---------------------------------------------------------------------------------------------------- known value


@pytest.mark.parametrize(
    "weighting", ["none", "uniform", *(pytest.param(w, marks=pytest.mark.full) for w in [*WEIGHTS][2:])]
)
@pytest.mark.parametrize("kind", MAGNITUDES)
def test_the_mean_of_losses_of_any_size_is_right_to_two_units_in_the_last_place(kind: str, weighting: str) -> None:
    """Compared with fractions, for the mean in NumPy, the two compiled passes, and the mean of plain numbers."""
    rng = np.random.default_rng([len(kind), len(weighting)])
    for n in (1, 3, 20, 200):
        z, w = losses_of(kind, rng, n), WEIGHTS[weighting](rng, n)
        values = bt.pair_losses(z)
        assert units(weighted_mean(values, w), exact_mean(values, w)) <= 2
        assert units(bt.mean_loss(z, weights=w), exact_mean(values, w)) <= 2
        one_by_one = np.array([kernels.mean_loss_and_gradients(z[i : i + 1])[0] for i in range(n)])
        want = exact_mean(one_by_one, w)
        assert units(kernels.mean_loss_and_gradients(z, weights=w)[0], want) <= 2
        assert units(kernels.linear_loss_and_gradient(z[:, None], np.ones(1), weights=w)[0], want) <= 2


@pytest.mark.parametrize(
    "n", [10_007, pytest.param(300_000, marks=pytest.mark.full), pytest.param(10_000_000, marks=pytest.mark.full)]
)
def test_the_mean_of_ten_million_losses_is_right_to_two_units_in_the_last_place(n: int) -> None:
    """``math.fsum`` of the losses is correctly rounded; losses from 1e-300 to 1e300, and losses near 1."""
    rng = np.random.default_rng(n)
    wide = np.where(rng.random(n) < 0.5, rng.uniform(0, 690, n), -(10.0 ** rng.uniform(0, 300, n)))
    for z in (wide, rng.normal(0, 2, n))[: 1 if n > 1e6 else 2]:
        want = Fraction(math.fsum(bt.pair_losses(z).tolist())) / n
        assert units(bt.mean_loss(z), want) <= 2
        assert units(kernels.mean_loss_and_gradients(z)[0], want) <= 2


@settings(max_examples=60)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_the_mean_of_numbers_of_both_signs_is_the_exact_mean_rounded(values: list[float]) -> None:
    """Numbers may cancel, and their sum may be beyond the largest double: the mean is right all the same."""
    got, want = weighted_mean(np.array(values)), exact_mean(np.array(values), None)
    assert abs(Fraction(got) - want) <= max(Fraction(math.ulp(got)), Fraction(5e-324))


# ---------------------------------------------------------------------------------------------------- identity


@pytest.mark.parametrize("n", [1, 3, 10, 4097, 12_345])
def test_equal_rewards_cost_exactly_log_two_on_every_path(n: int) -> None:
    """For every number of pairs, weights and labels."""
    rng = np.random.default_rng(n)
    z = np.zeros(n)
    pairs = {"weights": rng.uniform(0, 1, n) + 1e-3}, {"labels": rng.uniform(0, 1, n)}, {}
    for options in pairs:
        assert bt.mean_loss(z, **options) == LOG_2
        assert kernels.mean_loss_and_gradients(z, **options)[0] == LOG_2
        assert kernels.linear_loss_and_gradient(z[:, None], np.ones(1), **options)[0] == LOG_2
        x = np.zeros((n, 2))
        assert kernels.mlp_loss_and_gradient(x, x, np.ones(12), 3, **options)[0] == LOG_2


@settings(max_examples=60)
@given(st.floats(-1e300, 1e300), st.lists(st.floats(1e-280, 1e280), min_size=1, max_size=20))
def test_the_mean_of_equal_numbers_is_that_number(value: float, weights: list[float]) -> None:
    """Whatever their weights are."""
    assert weighted_mean(np.full(len(weights), value), np.array(weights)) == value


def test_infinite_numbers_have_an_infinite_mean_and_nan_stays() -> None:
    """Two infinities of opposite sign have no mean."""
    assert weighted_mean(np.array([np.inf, 1.0])) == np.inf
    assert weighted_mean(np.array([1.0, -np.inf])) == -np.inf
    assert np.isnan(weighted_mean(np.array([np.inf, -np.inf])))
    assert np.isnan(weighted_mean(np.array([np.nan, np.inf])))
    assert kernels.mean_loss_and_gradients(np.array([-np.inf, 1.0]))[0] == np.inf
    assert np.isnan(kernels.mean_loss_and_gradients(np.array([np.nan, -np.inf]))[0])


@pytest.mark.parametrize("n", [500, pytest.param(200_000, marks=pytest.mark.full)])
def test_the_order_of_the_pairs_changes_no_bit_of_a_mean(n: int) -> None:
    """The sums are exact, so a mean without weights is the exact mean, rounded once."""
    rng = np.random.default_rng(0)
    z = rng.normal(0, 3, n) * 10.0 ** rng.uniform(-10, 10, n)
    other = rng.permutation(z)
    assert bt.mean_loss(z) == bt.mean_loss(other)
    assert kernels.mean_loss_and_gradients(z)[0] == kernels.mean_loss_and_gradients(other)[0]


# ---------------------------------------------------------------------------------------------------- twin


@pytest.mark.parametrize("loss", [None, bt.losses.Hinge(), bt.losses.LabelSmoothing(0.1), bt.losses.Probit()])
def test_the_loss_of_an_objective_is_the_exact_mean_of_the_losses_of_its_pairs(loss: object) -> None:
    """Compared with fractions of the losses at the objective's own margins, for the family too."""
    rng = np.random.default_rng(5)
    n = 400
    w = rng.uniform(0.1, 2, n)
    pairs = bt.PreferencePairs(rng.normal(size=(n, 3)), rng.normal(size=(n, 3)), weights=w)
    for backend in ("numpy", "numba"):
        objective = bt.Objective(bt.LinearScorer(3), pairs, loss=loss, backend=backend)
        phi = np.array([0.5, -1.0, 2.0])
        values = np.asarray(objective.loss.value(objective.margins(phi), None))
        assert float(abs(Fraction(objective(phi)[0]) / exact_mean(values, w) - 1)) < 6e-16


def test_the_mean_of_rankings_does_not_depend_on_their_order_or_on_threads() -> None:
    """Plackett-Luce: both backends agree to a few units in the last place, and each with itself to the bit."""
    rng = np.random.default_rng(3)
    x, prompts = rng.normal(size=(20_000, 2)), np.repeat(np.arange(5000), 4)
    order = np.concatenate([rng.permutation(4) for _ in range(5000)]) + 1
    rankings = bt.PreferenceRankings(x, order, prompts)
    found = {}
    before = bt.threads.get_threads()
    try:
        for backend in ("numpy", "numba"):
            objective = bt.Objective(bt.LinearScorer(2), rankings, backend=backend)
            for n_threads in (1, 3):
                bt.threads.set_threads(n_threads)
                found[backend, n_threads] = objective(np.array([0.3, -0.7]))[0]
    finally:
        bt.threads.set_threads(before)
    assert found["numpy", 1] == found["numpy", 3]
    assert found["numba", 1] == found["numba", 3]
    assert found["numpy", 1] == pytest.approx(found["numba", 1], rel=1e-15)


# ---------------------------------------------------------------------------------------------------- manners


def test_an_evaluation_of_margins_of_any_size_is_finite_and_right() -> None:
    """Mean and standard deviation scale with the margins, also where their squares are no doubles."""
    rng = np.random.default_rng(2)
    chosen, rejected = rng.normal(size=(2, 50, 1))
    usual = evaluation.evaluate(bt.LinearScorer(1), [1.0], bt.PreferencePairs(chosen, rejected))
    for power in (-900, -600, 600, 1000):
        scale = 2.0**power
        pairs = bt.PreferencePairs(chosen, rejected)
        found = evaluation.evaluate(bt.LinearScorer(1), [scale], pairs)
        assert found.margin_sd == pytest.approx(usual.margin_sd * scale, rel=1e-14)
        assert found.margin_mean == pytest.approx(usual.margin_mean * scale, rel=1e-14)
        assert found.reward_sd == pytest.approx(usual.reward_sd * scale, rel=1e-14)
        assert found.accuracy == usual.accuracy


def test_whole_weights_give_the_same_gram_matrix_as_floats() -> None:
    """Also near the limits of their type, where the square root of int8 would be a half-precision number."""
    rng = np.random.default_rng(4)
    rows, w = rng.normal(size=(40, 3)), rng.integers(-3, 120, 40)
    want = kernels.weighted_gram(rows, w.astype(float))
    for dtype in (np.int8, np.int16, np.int64, np.float32):
        np.testing.assert_array_equal(kernels.weighted_gram(rows, w.astype(dtype)), want)
