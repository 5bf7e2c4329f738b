"""The Bradley-Terry model: probabilities, simulated people, and the best loss, Brier score and accuracy."""

from __future__ import annotations

import re

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bradley_terry as bt
from bradley_terry.preference import accuracy_ceiling, brier_floor

reward = st.floats(-1e3, 1e3)


# ---------------------------------------------------------------------------------------------------- known value


def test_preference_probability_has_the_known_values() -> None:
    """Rewards 2.0 and -0.2 give .900250, equal rewards give 1/2, and strengths of 3 and 1 give 3/4."""
    assert bt.preference_probability(2.0, -0.2) == pytest.approx(0.900250, abs=5e-7)  # printed to six decimals
    assert bt.preference_probability(7.0, 7.0) == 0.5
    assert bt.preference_probability(np.log(3), 0) == pytest.approx(0.75, rel=1e-15)


def test_elo_points_are_rewards_in_other_units() -> None:
    """400 Elo points are log 10, so a lead of 400 wins 10/11, of 200 .7597 and of 100 .6401 of the time."""
    elo = np.array([400, 200, 100])
    p = bt.preference_probability(elo * np.log(10) / 400, 0)
    np.testing.assert_allclose(p, [10 / 11, 0.7597, 0.6401], atol=5e-5)  # printed to four decimals


@pytest.mark.parametrize(
    ("p", "entropy", "brier"), [(0.7, 0.610864, 0.21), (0.8, 0.500402, 0.16), (0.9, 0.325083, 0.09)]
)
def test_floors_have_the_known_values(p: float, entropy: float, brier: float) -> None:
    """At true probability p the best loss is H(p), the best Brier score p(1-p), the best accuracy max(p, 1-p)."""
    for margin in (bt.logit(p), bt.logit(1 - p)):
        assert bt.loss_floor(margin) == pytest.approx(entropy, abs=5e-7)  # printed to six decimals
        assert brier_floor(margin) == pytest.approx(brier, rel=1e-14)
        assert accuracy_ceiling(margin) == pytest.approx(p, rel=1e-14)


def test_loss_floor_of_a_coin_is_log_two_and_of_certainty_zero() -> None:
    """No model predicts a fair coin with a loss below log 2, and certain preferences can be predicted perfectly."""
    assert bt.loss_floor(0.0) == np.log(2)
    assert bt.loss_floor(np.inf) == 0
    assert brier_floor([np.inf, -np.inf]) == 0
    assert accuracy_ceiling([0.0, np.inf]) == 0.75


def test_expected_loss_matches_mpmath(rng) -> None:
    """E[-log sigma] = p·softplus(-Δ) + (1-p)·softplus(Δ), even if p or 1-p is below 1e-16."""
    true, model = rng.uniform(-60, 60, (2, 100))
    for t, z in zip(true.tolist(), model.tolist(), strict=True):
        p = 1 / (1 + mpmath.exp(-mpmath.mpf(t)))
        want = p * mpmath.log1p(mpmath.exp(-mpmath.mpf(z))) + (1 - p) * mpmath.log1p(mpmath.exp(mpmath.mpf(z)))
        assert bt.expected_loss(t, z) == pytest.approx(float(want), rel=2e-15)  # a few roundings of positive terms


# ------------------------------------------------------------------------------------------------------- identity


@given(reward, reward)
def test_probabilities_of_the_two_outcomes_add_up_to_one(a: float, b: float) -> None:
    """P(a > b) + P(b > a) = 1, to rounding."""
    assert bt.preference_probability(a, b) + bt.preference_probability(b, a) == pytest.approx(1, abs=4e-16)


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(-(2**40), 2**40))
def test_a_common_shift_of_both_rewards_changes_nothing(a: int, b: int, shift: int) -> None:
    """Only the difference matters, to the last bit if the sums do not round."""
    assert bt.preference_probability(a + shift, b + shift) == bt.preference_probability(a, b)


@given(reward, reward)
def test_expected_loss_is_never_below_its_floor(true: float, margin: float) -> None:
    """No margin has a lower expected loss than the true one, and that loss is in [0, log 2]."""
    floor = bt.loss_floor(true)
    assert bt.expected_loss(true, margin) >= floor * (1 - 1e-15)  # a rounding
    assert 0 <= floor <= np.log(2) * (1 + 4e-16)  # two products and a sum round


def test_expected_loss_reaches_its_floor_at_the_truth_only(rng) -> None:
    """The two are equal at Δ = Δ*, and moving all margins by ±0.1 costs more."""
    true = rng.normal(0, 2, 100)
    assert bt.expected_loss(true, true) == bt.loss_floor(true)
    for step in (-0.1, 0.1):
        assert bt.expected_loss(true, true + step) > bt.loss_floor(true)


def test_expected_loss_is_the_loss_of_soft_labels(rng) -> None:
    """Averaging over preferences gives the loss of the label t = sigma(Δ*)."""
    true, z = rng.normal(0, 3, (2, 200))
    want = bt.mean_loss(z, labels=bt.sigmoid(true))
    assert bt.expected_loss(true, z) == pytest.approx(want, rel=1e-14)


# ------------------------------------------------------------------------------------------------------- calculus


def test_derivative_of_the_expected_loss_is_sigma_minus_truth(rng) -> None:
    """dE/dΔ = sigma(Δ) - p*, zero at the truth."""
    h = 1e-3  # truncation h⁴/30 = 3e-14, rounding eps/h = 2e-13
    for true, z in rng.normal(0, 2, (30, 2)):
        f = lambda x, t=true: bt.expected_loss(t, x)  # noqa: E731
        slope = (8 * (f(z + h) - f(z - h)) - (f(z + 2 * h) - f(z - 2 * h))) / (12 * h)
        assert slope == pytest.approx(bt.sigmoid(z) - bt.sigmoid(true), abs=3e-12)


# ----------------------------------------------------------------------------------------------------- statistics


def test_sampled_frequencies_match_the_probabilities(rng) -> None:
    """In 100,000 draws the share of wins is within 4 standard errors of sigma(r_a - r_b)."""
    n = 100_000
    for a, b in ((0.0, 0.0), (2.0, -0.2), (-1.0, 3.0), (5.0, 0.0)):
        p = bt.preference_probability(a, b)
        share = bt.sample_preferences(np.full(n, a), b, rng).mean()
        assert abs(share - p) <= 4 * np.sqrt(p * (1 - p) / n)


def test_mean_loss_of_samples_approaches_the_expected_loss(rng) -> None:
    """The mean loss of samples is within 4 standard errors of its expectation, for a wrong model too."""
    n = 100_000
    true = rng.normal(0, 1.5, n)
    for z in (true, 0.5 * true + 0.3):
        losses = bt.pair_losses(np.where(bt.sample_preferences(true, 0.0, rng), z, -z))
        assert abs(losses.mean() - bt.expected_loss(true, z)) <= 4 * losses.std() / np.sqrt(n)


def test_accuracy_and_brier_of_the_true_model_approach_their_bounds(rng) -> None:
    """The true model is right with share max(p, 1-p) and has Brier score p(1-p), within 4 standard errors."""
    n = 100_000
    true = rng.normal(0, 1.5, n)
    z = np.where(bt.sample_preferences(true, 0.0, rng), true, -true)
    for values, bound in ((z > 0, accuracy_ceiling(true)), (bt.sigmoid(-z) ** 2, brier_floor(true))):
        assert abs(values.mean() - bound) <= 4 * values.std() / np.sqrt(n)


# -------------------------------------------------------------------------------------------------------- manners


def test_certain_preferences_are_never_drawn_otherwise(rng) -> None:
    """An answer with probability 1 always wins, and one with probability 0 never does."""
    assert bt.sample_preferences(np.full(1000, 1e4), 0.0, rng).all()
    assert not bt.sample_preferences(np.full(1000, -np.inf), 0.0, rng).any()


def test_the_same_generator_draws_the_same_preferences() -> None:
    """Randomness comes from the generator alone."""
    draws = [bt.sample_preferences(np.zeros(100), 0.0, np.random.default_rng(5)) for _ in range(2)]
    np.testing.assert_array_equal(*draws)
    assert draws[0].dtype == bool
    assert 0 < draws[0].sum() < 100


@pytest.mark.parametrize("seed", [0, 5, np.int64(5)])
def test_whole_number_is_the_seed_of_a_generator(seed) -> None:
    """An int draws what a new generator with this seed draws, each time."""
    expected = bt.sample_preferences(np.zeros(100), 0.0, np.random.default_rng(seed))
    for _ in range(2):
        np.testing.assert_array_equal(bt.sample_preferences(np.zeros(100), 0.0, seed), expected)
    assert bt.sample_preferences([50.0], [0.0], seed).tolist() == [True]


def test_a_generator_moves_on_with_each_draw(rng) -> None:
    """Two calls with one generator draw different preferences: its next 200 numbers, in order."""
    draws = np.random.default_rng(9).random(200) < 0.5
    rng = np.random.default_rng(9)
    np.testing.assert_array_equal(np.concatenate([bt.sample_preferences(np.zeros(100), 0, rng) for _ in "ab"]), draws)


@pytest.mark.parametrize("rng", [None, True, np.True_, 1.0, -1, "0", [1, 2], np.random, np.random.RandomState(0)])
def test_what_is_neither_generator_nor_seed_is_refused(rng) -> None:
    """One sentence says what may be given; a bool is not a seed."""
    expected = re.escape(f"rng: expected a whole number of at least 0 or a numpy.random.Generator, got {rng!r}")
    with pytest.raises(ValueError, match=f"^{expected}$"):
        bt.sample_preferences([1.0], [0.0], rng)


def test_rewards_of_small_unsigned_integers_subtract_as_numbers() -> None:
    """1 - 2 of unsigned bytes is -1, not 255."""
    assert bt.preference_probability(np.uint8(1), np.uint8(2)) == bt.sigmoid(-1.0)


def test_rewards_that_do_not_match_in_shape_are_refused(rng) -> None:
    """If shapes do not broadcast, the sentence names both arguments."""
    with pytest.raises(ValueError, match=r"rewards_a has shape \(2,\) and rewards_b \(3,\)"):
        bt.preference_probability(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="rewards_a has shape"):
        bt.sample_preferences(np.zeros(2), np.zeros(3), rng)
    with pytest.raises(ValueError, match="true_margins has shape"):
        bt.expected_loss(np.zeros(2), np.zeros(3))


def test_rewards_without_a_difference_are_refused(rng) -> None:
    """NaN, or the same infinity twice, gives no probability, and the error comes without a warning before it."""
    with pytest.raises(ValueError, match=r"^rewards: "):
        bt.sample_preferences(np.nan, 0.0, rng)
    with pytest.raises(ValueError, match=r"^rewards: "):
        bt.sample_preferences(np.inf, np.inf, rng)


def test_no_pairs_and_nan_margins_are_refused() -> None:
    """An empty array and NaN are refused in a sentence that names the argument."""
    with pytest.raises(ValueError, match=r"^margins: expected at least one pair"):
        bt.expected_loss([], [])
    for function in (bt.loss_floor, brier_floor, accuracy_ceiling):
        with pytest.raises(ValueError, match=r"^true_margins: expected at least one pair, got none"):
            function([])
        with pytest.raises(ValueError, match=r"^true_margins: .* NaN"):
            function([0.0, np.nan])
    with pytest.raises(ValueError, match=r"^margins: .* NaN"):
        bt.expected_loss(0.0, np.nan)


NOT_NUMBERS = {
    "None": (None, TypeError, "expected real numbers, got None"),
    "string": ("0.7", TypeError, "expected real numbers, got '0.7'"),
    "list of strings": (["0.7", "0.8"], TypeError, "expected real numbers, got an array of dtype <U3"),
    "list with None": ([0.7, None], TypeError, "expected real numbers, got an array of dtype object"),
    "complex": (1j, TypeError, "expected real numbers, got an array of dtype complex128"),
    "ragged": ([[0.7], [0.8, 0.9]], ValueError, "expected real numbers, got lists of different lengths"),
}


@pytest.mark.parametrize("case", NOT_NUMBERS)
def test_what_is_not_a_real_number_is_refused_by_name(case, rng) -> None:
    """The sentence names the argument, in each function and each place, and nothing is taken for NaN or converted."""
    bad, error, sentence = NOT_NUMBERS[case]
    for name, call in {
        "rewards_a": lambda: bt.preference_probability(bad, 0.0),
        "rewards_b": lambda: bt.sample_preferences(0.0, bad, rng),
        "true_margins": lambda: bt.expected_loss(bad, 0.0),
        "margins": lambda: bt.expected_loss(0.0, bad),
    }.items():
        with pytest.raises(error, match=f"^{name}: {re.escape(sentence)}$"):
            call()
    for function in (bt.loss_floor, brier_floor, accuracy_ceiling):
        with pytest.raises(error, match=f"^true_margins: {re.escape(sentence)}$"):
            function(bad)
