"""-log sigma(Δ): its value, gradient, curvature and mean are correct to the last digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import bradley_terry as bt
from bradley_terry.losses import BradleyTerryLoss, weighted_mean

any_margin = st.floats(allow_nan=False)
label = st.floats(0, 1)
LOG_2 = float(mpmath.log(2))  # 0.6931471805599453
SAMPLES = [10, pytest.param(1, marks=pytest.mark.full)]  # the quick tier takes every tenth margin and all extreme ones


def sample(margins: np.ndarray, every: int) -> np.ndarray:
    """Return every ``every``-th random margin, and all of the 40 extreme ones at the end."""
    return np.concatenate([margins[:-40:every], margins[-40:]])


# ---------------------------------------------------------------------------------------------------- known value


def test_loss_is_within_two_ulp_of_mpmath(margins, exact, worst_ulp) -> None:
    """-log sigma(Δ) is within 2 ulp of the exact value for random and extreme margins, and raises no flag."""
    with np.errstate(all="raise"):
        computed = bt.pair_losses(margins)
    assert worst_ulp(computed, exact["loss"]) <= 2


def test_gradient_is_within_two_ulp_of_mpmath(margins, exact, worst_ulp) -> None:
    """-sigma(-Δ) is within 2 ulp, even beyond Δ = 710 where -1/(1 + exp(Δ)) has no digits left."""
    with np.errstate(all="raise"):
        computed = bt.pair_loss_gradients(margins)
    assert worst_ulp(computed, exact["gradient"]) <= 2


def test_curvature_is_within_four_ulp_of_mpmath(margins, exact, worst_ulp) -> None:
    """sigma(Δ)·sigma(-Δ) is within 4 ulp for random and extreme margins."""
    with np.errstate(all="raise"):
        computed = bt.pair_loss_curvatures(margins)
    assert worst_ulp(computed, exact["curvature"]) <= 4


@pytest.mark.parametrize("every", SAMPLES)
def test_float32_losses_are_correctly_rounded(every: int, margins, worst_ulp) -> None:
    """Losses, gradients and curvatures of float32 margins are the nearest float32 numbers, except near ties."""
    z = sample(margins, every)
    z = z[np.abs(z) < 3e38].astype(np.float32)
    exp = [mpmath.exp(-mpmath.mpf(float(x))) for x in z]
    truth = {
        bt.pair_losses: [
            mpmath.log1p(e) if x >= 0 else mpmath.log1p(1 / e) - x.item() for x, e in zip(z, exp, strict=True)
        ],
        bt.pair_loss_gradients: [-e / (1 + e) for e in exp],
        bt.pair_loss_curvatures: [e / (1 + e) ** 2 for e in exp],
    }
    for function, want in truth.items():
        with np.errstate(all="raise"):
            computed = function(z)
        assert computed.dtype == np.float32
        # one rounding to float32, 1/2 ulp, after at most 4 double ulp = 4/2^29 of a float32 ulp
        assert worst_ulp(computed, want, np.float32) <= 0.5 + 2**-26


def test_loss_has_the_values_of_the_course_page() -> None:
    """P = .9 costs .105361 and P = .6 costs .510826; only the difference of the rewards matters."""
    np.testing.assert_allclose(bt.pair_losses(bt.logit([0.9, 0.6])), [0.105361, 0.510826], atol=5e-7)
    assert bt.pair_losses(2.0 - -0.2) == pytest.approx(0.105083, abs=5e-7)
    np.testing.assert_allclose(bt.pair_losses([3.2 - 1.5, -0.5 - -2.0]), [0.167786, 0.201413], atol=5e-7)


def test_a_step_of_size_one_on_both_rewards_has_the_known_loss() -> None:
    """At Δ = 1.5 the gradient is -.182426; a step of size 1 on both rewards gives Δ = 1.864851 and loss .144030."""
    gradient = bt.pair_loss_gradients(1.5)
    assert gradient == pytest.approx(-0.182426, abs=5e-7)
    stepped = 1.5 - 2 * gradient
    assert stepped == pytest.approx(1.864851, abs=5e-7)
    assert bt.pair_losses(stepped) == pytest.approx(0.144030, abs=5e-7)


def test_mean_loss_of_four_pairs_has_the_known_value() -> None:
    """Rewards [2, 1.5, 3, .5] of the chosen and [1, 1, 2, 1] of the rejected have mean loss .5187."""
    margins = np.array([2, 1.5, 3, 0.5]) - np.array([1, 1, 2, 1])
    assert bt.mean_loss(margins) == pytest.approx(0.5187, abs=5e-5)


def test_loss_is_log_two_at_zero_margin() -> None:
    """The loss at 0 and at -0 is the double nearest to log 2; the gradient is -1/2 and the curvature 1/4."""
    assert bt.pair_losses(0.0) == LOG_2
    assert bt.pair_losses(-0.0) == LOG_2
    assert bt.pair_loss_gradients(0.0) == -0.5
    assert bt.pair_loss_curvatures(0.0) == 0.25


def test_naive_loss_overflows_where_ours_does_not() -> None:
    """-log(1/(1+exp(-Δ))) in float32 is inf at -100 and 0 at 20; the correct values are 100 and 2.06115369e-09."""
    z = np.float32([-100, -90, -80, 20, 50])
    with np.errstate(over="ignore", divide="ignore"):
        naive = -np.log(1 / (1 + np.exp(-z)))
    np.testing.assert_array_equal(naive, np.float32([np.inf, np.inf, 80, 0, 0]))
    with np.errstate(all="raise"):
        ours = bt.pair_losses(z)
    np.testing.assert_allclose(ours, [100, 90, 80, 2.06115369e-09, 1.92874989e-22], rtol=6e-8)  # float32 eps/2


def test_clamped_loss_is_capped_where_ours_keeps_growing() -> None:
    """-log(sigma + 1e-8) is 18.420671 at Δ = -30, where the loss is 30, and never exceeds 18.420681."""
    capped = -np.log(bt.sigmoid(np.array([-30.0, -1000.0])) + 1e-8)
    np.testing.assert_allclose(capped, [18.420671, 18.420681], atol=5e-7)  # printed to six decimals
    np.testing.assert_allclose(bt.pair_losses([-30.0, -1000.0]), [30 + np.exp(-30), 1000])


def test_gradient_written_with_a_growing_exponential_vanishes_where_ours_does_not() -> None:
    """-1/(1 + exp(Δ)) is 0 at Δ = 710, where the gradient is -4e-309."""
    with np.errstate(over="ignore"):
        assert -1 / (1 + np.exp(710.0)) == 0
    assert bt.pair_loss_gradients(710.0) == pytest.approx(-4.476286225675130e-309, rel=1e-13)  # subnormal: 49 bits


@pytest.mark.parametrize("every", SAMPLES)
def test_labelled_loss_agrees_with_mpmath(every: int, margins, rng, worst_ulp) -> None:
    """t·softplus(-z) + (1-t)·softplus(z) is within 5 ulp, and sigma(z) - t within a few roundings of 1."""
    z = sample(margins, every)
    z = z[np.abs(z) < 700]
    t = rng.uniform(0, 1, z.size)
    with mpmath.workdps(400):  # sigma(z) - t is formed by subtraction here
        want = [
            mpmath.log1p(mpmath.exp(-abs(mpmath.mpf(x)))) + max(mpmath.mpf(x), 0) - mpmath.mpf(s) * mpmath.mpf(x)
            for x, s in zip(z.tolist(), t.tolist(), strict=True)
        ]
    # two losses of 2 ulp, 1 - t, two products and a sum of non-negative terms: at most 2 + 1/2 + 1/2 + 1 ulp. A
    # crossing of a power of two doubles a part of that.
    assert worst_ulp(bt.pair_losses(z, labels=t), want) <= 5
    slope = [1 / (1 + mpmath.exp(-mpmath.mpf(x))) - mpmath.mpf(s) for x, s in zip(z.tolist(), t.tolist(), strict=True)]
    # two terms of opposite sign, each at most 1 and within 3 ulp of its own
    np.testing.assert_allclose(bt.pair_loss_gradients(z, labels=t), [float(s) for s in slope], rtol=0, atol=7e-16)


# ------------------------------------------------------------------------------------------------------- identity


@given(any_margin)
def test_label_one_is_no_label(z: float) -> None:
    """A label of 1 gives the plain loss and gradient, bit for bit, at any margin."""
    assert bt.pair_losses(z, labels=1.0) == bt.pair_losses(z)
    assert bt.pair_loss_gradients(z, labels=1.0) == bt.pair_loss_gradients(z)


@given(any_margin, label)
def test_label_t_is_label_one_minus_t_on_the_swapped_pair(z: float, t: float) -> None:
    """The loss is the same and the gradient opposite, and exactly so if 1-(1-t) = t."""
    t = 1 - (1 - t)
    with np.errstate(under="ignore"):
        assert bt.pair_losses(z, labels=t) == bt.pair_losses(-z, labels=1 - t)
        assert bt.pair_loss_gradients(z, labels=t) == -bt.pair_loss_gradients(-z, labels=1 - t)


@given(any_margin)
def test_a_tie_costs_the_same_whichever_answer_is_called_chosen(z: float) -> None:
    """With a label of 1/2 the loss is symmetric in Δ, and its gradient has the sign of Δ."""
    assert bt.pair_losses(z, labels=0.5) == bt.pair_losses(-z, labels=0.5)
    assert bt.pair_loss_gradients(z, labels=0.5) == -bt.pair_loss_gradients(-z, labels=0.5)
    assert bt.pair_loss_gradients(z, labels=0.5) * z >= 0


@given(any_margin)
def test_losses_and_gradients_at_a_margin_and_its_opposite_are_related(z: float) -> None:
    """l(Δ) - l(-Δ) = -Δ, l'(Δ) + l'(-Δ) = -1 and l''(Δ) = l''(-Δ); l' is in [-1, 0] and l'' in [0, 1/4]."""
    g = bt.pair_loss_gradients(z)
    assert -1 <= g <= 0
    assert g + bt.pair_loss_gradients(-z) == pytest.approx(-1, abs=4e-16)
    assert 0 <= bt.pair_loss_curvatures(z) <= 0.25
    assert bt.pair_loss_curvatures(z) == bt.pair_loss_curvatures(-z)
    if np.isfinite(z):
        assert bt.pair_losses(z) - bt.pair_losses(-z) == pytest.approx(-z, rel=1e-15, abs=1e-15)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_target_margin_is_a_shift(z: float, m: float) -> None:
    """Loss, gradient and curvature with target margin m at Δ are the plain ones at Δ - m."""
    for function in (bt.pair_losses, bt.pair_loss_gradients, bt.pair_loss_curvatures):
        assert function(z, target_margins=m) == function(z - m)
    assert bt.pair_losses(z, labels=0.3, target_margins=m) == bt.pair_losses(z - m, labels=0.3)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 10, 49, 100, 1000, 4097, 12345])
def test_mean_loss_of_zeros_is_exactly_log_two(n: int, rng) -> None:
    """For any n and any weights the mean is log 2 to the last bit."""
    z = np.zeros(n)
    for weights in (None, rng.uniform(0.01, 10, n), rng.integers(1, 9, n), rng.uniform(1e-9, 1e9, n)):
        assert bt.mean_loss(z, weights=weights) == LOG_2


def test_mean_loss_of_zeros_is_exactly_log_two_for_any_label(rng) -> None:
    """A label mixes the losses of the two outcomes, which are both log 2, so the mixture is log 2."""
    t = np.concatenate([rng.uniform(0, 1, 1000), [0, 1, 0.5, 0.1, 0.9, 5e-324, 0.9350724237877682]])
    np.testing.assert_array_equal(bt.pair_losses(np.zeros(t.size), labels=t), np.full(t.size, LOG_2))
    assert bt.mean_loss(np.zeros(t.size), labels=t) == LOG_2


@given(
    arrays(np.float64, 8, elements=st.floats(-30, 30)),
    arrays(np.int64, 8, elements=st.integers(0, 5)).filter(lambda w: w.sum() > 0),
    arrays(np.float64, 8, elements=label),
)
@pytest.mark.full
def test_integer_weights_are_repeated_rows(z, w, t) -> None:
    """A pair of weight 3 counts as three equal pairs, and a pair of weight 0 does not count."""
    repeated = bt.mean_loss(np.repeat(z, w), labels=np.repeat(t, w))
    assert bt.mean_loss(z, weights=w, labels=t) == pytest.approx(repeated, rel=1e-14)


@given(arrays(np.float64, 6, elements=st.floats(-50, 50)), st.floats(1e-3, 1e3))
def test_only_the_proportions_of_the_weights_matter(z, factor: float) -> None:
    """Multiplying all weights by one number changes the mean by rounding only."""
    w = np.array([1.0, 2, 3, 4, 5, 6])
    assert bt.mean_loss(z, weights=factor * w) == pytest.approx(bt.mean_loss(z, weights=w), rel=1e-14)


def test_mean_loss_is_the_plain_mean(rng) -> None:
    """The mean agrees with the textbook formula to rounding, even if the losses are tiny."""
    z = rng.normal(0, 5, 1000)
    w = rng.uniform(0, 1, 1000)
    assert bt.mean_loss(z) == pytest.approx(np.mean(np.log1p(np.exp(-z))), rel=1e-13)
    assert bt.mean_loss(z, weights=w) == pytest.approx(np.average(np.log1p(np.exp(-z)), weights=w), rel=1e-13)
    assert bt.mean_loss(z + 300) == pytest.approx(np.mean(np.exp(-z - 300)), rel=1e-13)  # log1p(e) = e here


def test_an_infinite_loss_makes_the_mean_infinite_unless_it_has_no_weight() -> None:
    """A certain prediction that fails has an infinite loss; a pair of weight 0 adds nothing to the mean."""
    assert bt.mean_loss([0.0, -np.inf]) == np.inf
    assert bt.mean_loss([0.0, -np.inf], weights=[1, 0]) == LOG_2
    assert bt.mean_loss([np.inf, np.inf]) == 0
    assert bt.mean_loss([-np.inf], labels=[0.0]) == 0


def test_loss_object_is_the_loss_functions(rng) -> None:
    """``BradleyTerryLoss`` offers the same three functions in the form that an objective needs."""
    z, t = rng.normal(size=5), rng.uniform(0, 1, 5)
    loss = BradleyTerryLoss()
    for labels in (None, t):
        np.testing.assert_array_equal(loss.value(z, labels), bt.pair_losses(z, labels=labels))
        np.testing.assert_array_equal(loss.gradient(z, labels), bt.pair_loss_gradients(z, labels=labels))
        np.testing.assert_array_equal(loss.curvature(z, labels), bt.pair_loss_curvatures(z))


# ------------------------------------------------------------------------------------------------------- calculus


@pytest.mark.parametrize("scale", [1.0, 5.0, 20.0])
def test_gradient_and_curvature_are_the_derivatives_of_the_loss(rng, scale: float) -> None:
    """Differences of the loss agree with the gradient, and those of the gradient with the curvature, in all forms."""
    z, m = rng.normal(0, scale, 300), rng.normal(0, 1, 300)
    t = rng.uniform(0, 1, 300)
    h = 1e-3  # truncation h⁴/30 = 3e-14; rounding eps·|l|/h, |l| <= 4 scale
    for options in ({}, {"labels": t}, {"target_margins": m}, {"labels": t, "target_margins": m}):

        def slope(f, o=options):
            near, far = f(z + h, **o) - f(z - h, **o), f(z + 2 * h, **o) - f(z - 2 * h, **o)
            return (8 * near - far) / (12 * h)

        np.testing.assert_allclose(
            slope(bt.pair_losses), bt.pair_loss_gradients(z, **options), atol=2e-12 * scale, rtol=0
        )
        target = {"target_margins": options["target_margins"]} if "target_margins" in options else {}
        np.testing.assert_allclose(
            slope(bt.pair_loss_gradients), bt.pair_loss_curvatures(z, **target), atol=1e-12, rtol=0
        )


# -------------------------------------------------------------------------------------------------------- manners


def test_nan_margins_stay_nan() -> None:
    """A NaN margin has a NaN loss, gradient, curvature and mean, and raises no flag."""
    z = [0.0, np.nan]
    with np.errstate(all="raise"):
        for function in (bt.pair_losses, bt.pair_loss_gradients, bt.pair_loss_curvatures):
            np.testing.assert_array_equal(np.isnan(function(z)), [False, True])
        np.testing.assert_array_equal(np.isnan(bt.pair_losses(z, labels=[0.5, 0.0])), [False, True])
        assert np.isnan(bt.mean_loss(z))


def test_labelled_losses_raise_no_flag_in_the_far_tail() -> None:
    """Losses and gradients of margins of ±745 with a label are correctly rounded, also under errstate(all="raise")."""
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(bt.pair_losses([745.0, -745.0], labels=[1.0, 0.0]), [5e-324, 5e-324])
        np.testing.assert_allclose(bt.pair_losses([745.0, -745.0], labels=[0.3, 0.3]), [0.7 * 745, 0.3 * 745])
        np.testing.assert_allclose(bt.pair_loss_gradients([745.0, -745.0], labels=[0.3, 0.3]), [0.7, -0.3])
        assert bt.mean_loss([745.0, 745.0], labels=[0.3, 0.9]) == pytest.approx(0.4 * 745)


def test_empty_arrays_have_empty_losses_but_no_mean() -> None:
    """The losses of no pairs are an empty array; their mean is an error."""
    assert bt.pair_losses(np.zeros((0, 2))).shape == (0, 2)
    with pytest.raises(ValueError, match=r"^margins: expected at least one pair, got none"):
        bt.mean_loss([])


@pytest.mark.parametrize("bad", [[-1, 2], [0, 0], [np.nan, 1], [np.inf, 1]])
def test_bad_weights_are_refused(bad) -> None:
    """Negative, NaN and infinite weights, and weights that sum to zero, are refused by name."""
    with pytest.raises(ValueError, match=r"^weights: expected finite numbers of at least 0"):
        bt.mean_loss([0.0, 1.0], weights=bad)
    with pytest.raises(ValueError, match=r"^weights: expected shape"):
        bt.mean_loss([0.0, 1.0], weights=[1.0])


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_labels_outside_zero_and_one_are_refused(bad: float) -> None:
    """A label is P(chosen preferred), a probability."""
    for function in (bt.pair_losses, bt.pair_loss_gradients, bt.mean_loss):
        with pytest.raises(ValueError, match=r"^labels: expected probabilities in \[0, 1\]"):
            function([0.0, 1.0], labels=[0.5, bad])


@pytest.mark.parametrize("name", ["labels", "target_margins"])
def test_a_wrong_number_of_labels_or_target_margins_is_refused(name: str) -> None:
    """Labels and target margins are never broadcast to more pairs than there are margins."""
    for function in (bt.pair_losses, bt.pair_loss_gradients, bt.mean_loss):
        for bad in (np.ones(2), np.ones((3, 1)), np.ones((1, 3))):
            with pytest.raises(ValueError, match=f"^{name}: expected shape"):
                function(np.zeros(3), **{name: bad})


def test_losses_leave_their_inputs_alone(rng) -> None:
    """No function writes into its arguments."""
    z, t, m, w = rng.uniform(0.1, 1, (4, 9))
    before = np.stack([z, t, m, w])
    bt.mean_loss(z, labels=t, target_margins=m, weights=w)
    bt.pair_loss_gradients(z, labels=t, target_margins=m)
    bt.pair_loss_curvatures(z, target_margins=m)
    weighted_mean(z, w)
    np.testing.assert_array_equal(np.stack([z, t, m, w]), before)


def test_odd_arrays_give_the_answers_of_plain_ones(rng) -> None:
    """Integers, other byte orders, Fortran order and strides give the same losses."""
    z = rng.integers(-5, 6, (6, 4))
    want = bt.pair_losses(z.astype(float))
    for odd in (z, z.astype(">f8"), np.asfortranarray(z), z.astype(np.int8), z.astype(np.float16)):
        np.testing.assert_array_equal(bt.pair_losses(odd), want)
    np.testing.assert_array_equal(bt.pair_losses(z[::-2, ::3]), want[::-2, ::3])
