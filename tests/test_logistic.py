"""The logistic function, its logarithm and its inverse are correct to the last digits in both tails."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bradley_terry as bt
from bradley_terry.logistic import cross_entropy, softplus

any_margin = st.floats(allow_nan=False)


# ---------------------------------------------------------------------------------------------------- known value


@pytest.mark.parametrize(
    ("z", "p", "loss"),
    [
        (0, 0.5, 0.693147),
        (0.5, 0.622459, 0.474077),
        (1, 0.731059, 0.313262),
        (2, 0.880797, 0.126928),
        (3, 0.952574, 0.048587),
        (5, 0.993307, 0.006715),
        (-2, 0.119203, 2.126928),
    ],
)
def test_sigmoid_and_its_logarithm_have_the_tabled_values(z: float, p: float, loss: float) -> None:
    """sigma(z) and -log sigma(z) agree with the printed table to its six decimals."""
    assert bt.sigmoid(z) == pytest.approx(p, abs=5e-7)
    assert -bt.log_sigmoid(z) == pytest.approx(loss, abs=5e-7)


def test_sigmoid_is_within_two_ulp_of_mpmath(margins, exact, worst_ulp) -> None:
    """sigma(z) is within 2 ulp of the exact value for random and extreme z, and raises no floating-point flag."""
    with np.errstate(all="raise"):
        computed = bt.sigmoid(margins)
    assert worst_ulp(computed, exact["sigma"]) <= 2


def test_softplus_and_log_sigmoid_are_within_two_ulp_of_mpmath(margins, exact, worst_ulp) -> None:
    """log(1 + exp(-z)) = -log sigma(z) is within 2 ulp for random and extreme z, and raises no floating-point flag."""
    with np.errstate(all="raise"):
        computed = softplus(-margins), -bt.log_sigmoid(margins)
    assert worst_ulp(computed[0], exact["loss"]) <= 2
    assert worst_ulp(computed[1], exact["loss"]) <= 2


def test_logit_is_within_four_ulp_of_mpmath(rng, worst_ulp) -> None:
    """logit(p) = log(p/(1-p)) is within 4 ulp, even for p near 0, 1/2 and 1."""
    p = np.concatenate(
        [
            rng.uniform(0, 1, 2000),
            0.5 + rng.normal(0, 1, 500) * 10.0 ** rng.uniform(-16, -2, 500),
            10.0 ** rng.uniform(-308, -1, 500),
            1 - 10.0 ** rng.uniform(-15, -1, 500),
            [5e-324, 1e-300, 0.25, np.nextafter(0.25, 0), np.nextafter(0.5, 0), 0.5, np.nextafter(0.5, 1), 0.75],
            [np.nextafter(1, 0)],
        ]
    )
    want = [mpmath.log(mpmath.mpf(x) / (1 - mpmath.mpf(x))) for x in p]
    with np.errstate(all="raise"):
        computed = bt.logit(p)
    # far: two logarithms of 1 ulp and a subtraction that at q = 1/4 loses at most a quarter; near: arctanh
    assert worst_ulp(computed, want) <= 4
    assert bt.logit(0.5) == 0
    assert bt.logit(0.0) == -np.inf
    assert bt.logit(1.0) == np.inf


@pytest.mark.full
@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="long double is no wider than double here")
def test_dense_sweep_stays_within_two_ulp_of_long_double(rng) -> None:
    """For a million margins sigma and softplus are within 2 ulp of the same formulas in long double."""
    z = np.concatenate([rng.uniform(-40, 40, 500_000), rng.normal(0, 5, 500_000)])
    wide = z.astype(np.longdouble)
    e = np.exp(-np.abs(wide))
    for computed, want in (
        (bt.sigmoid(z), np.where(wide < 0, e, 1) / (1 + e)),
        (softplus(z), np.maximum(wide, 0) + np.log1p(e)),
    ):
        # the reference itself errs by about 2 of its own ulp: 2/2048 = .001 of ours
        assert np.max(np.abs(computed - want) / np.spacing(np.abs(want).astype(np.float64))) <= 2.001


@pytest.mark.parametrize("every", [10, pytest.param(1, marks=pytest.mark.full)])
def test_float32_answers_are_correctly_rounded(every: int, margins, worst_ulp) -> None:
    """For float32 z the answer is the float32 number nearest to the exact value, except near ties."""
    z = np.concatenate([margins[:-40:every], margins[-40:]])  # the last 40 are extreme
    z = z[np.abs(z) < 3e38].astype(np.float32)
    z = np.concatenate([z, np.array([np.inf, -np.inf, 0, -0.0], dtype=np.float32)])
    for function, want in (
        (bt.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x))),
        (softplus, lambda x: max(x, mpmath.mpf(0)) + mpmath.log1p(mpmath.exp(-abs(x)))),
    ):
        with np.errstate(all="raise"):
            computed = function(z)
        assert computed.dtype == np.float32
        finite = np.isfinite(z)
        truth = [want(mpmath.mpf(float(x))) for x in z[finite]]
        # half a float32 ulp from the last rounding and 2 double ulp = 2/2^29 of a float32 ulp before it
        assert worst_ulp(computed[finite], truth, np.float32) <= 0.5 + 2**-27
    np.testing.assert_array_equal(bt.sigmoid(z[-4:]), np.float32([1, 0, 0.5, 0.5]))


def test_naive_sigmoid_breaks_where_the_docstring_says() -> None:
    """In float32 exp overflows above 88.72 and 1/(1+exp(-z)) is 1 from 16.64 on; in float64 at 709.78 and 36.74."""
    with np.errstate(over="ignore"):
        assert np.exp(np.float32(88.722)) < np.inf
        assert np.exp(np.float32(88.723)) == np.inf
        assert np.exp(709.782) < np.inf
        assert np.exp(709.783) == np.inf
    for dtype, below, above in ((np.float32, 16.635, 16.636), (np.float64, 36.735, 36.74)):
        naive = 1 / (1 + np.exp(-np.array([below, above], dtype=dtype)))
        assert naive[0] < naive[1] == 1
        tail = bt.sigmoid(-dtype(above))  # in the other tail all digits are correct
        assert tail == pytest.approx(np.exp(-above), rel=4 * np.finfo(dtype).eps + np.exp(-above))


# ------------------------------------------------------------------------------------------------------- identity


@given(any_margin)
def test_sigmoid_of_z_and_of_minus_z_add_up_to_one(z: float) -> None:
    """sigma(z) + sigma(-z) = 1 up to one rounding of each term and one of the sum."""
    assert abs(bt.sigmoid(z) + bt.sigmoid(-z) - 1) <= 2 * np.finfo(float).eps
    assert 0 <= bt.sigmoid(z) <= 1


@given(any_margin, any_margin)
def test_sigmoid_never_falls(a: float, b: float) -> None:
    """A larger z never has a smaller sigma, except by rounding in the last two places."""
    low, high = sorted((a, b))
    assert bt.sigmoid(low) <= bt.sigmoid(high) * (1 + 4 * np.finfo(float).eps)


def test_logit_inverts_sigmoid_and_sigmoid_inverts_logit(rng) -> None:
    """logit(sigma(z)) = z for z below 3 (near 1, sigma loses digits), and sigma(logit(p)) = p."""
    z = rng.uniform(-700, 3, 5000)
    # an error of 2 ulp in p moves logit by 2 eps/(1 - p), 1 - p >= 1/21; near z = 0 the bound is absolute
    np.testing.assert_allclose(bt.logit(bt.sigmoid(z)), z, rtol=1e-14, atol=2e-14)
    p = 10.0 ** rng.uniform(-300, 0, 5000)
    # dp/p = (1 - p) dz: an error of 1 ulp in z of size 690 is 690 eps
    np.testing.assert_allclose(bt.sigmoid(bt.logit(p)), p, rtol=3e-13)


def test_softplus_difference_is_its_argument(rng) -> None:
    """softplus(z) - softplus(-z) = z up to a few roundings."""
    z = rng.normal(0, 20, 2000)
    np.testing.assert_allclose(softplus(z) - softplus(-z), z, rtol=1e-15, atol=1e-15)  # a few roundings


def test_an_impossible_outcome_adds_nothing_to_the_cross_entropy() -> None:
    """0·inf counts as 0: an outcome of probability zero costs nothing, even if its cost would be infinite."""
    assert cross_entropy(1.0, 0.0, np.inf) == 0
    assert cross_entropy(0.0, 1.0, -np.inf) == 0
    assert cross_entropy(0.0, 1.0, np.inf) == np.inf
    assert np.isnan(cross_entropy(0.0, 1.0, np.nan))


def test_cross_entropy_raises_no_flag_in_the_far_tail() -> None:
    """A loss below the smallest double is 0, its correctly rounded value, also under errstate(all="raise")."""
    with np.errstate(all="raise"):
        assert cross_entropy(1.0, 0.0, 800.0) == 0


# ------------------------------------------------------------------------------------------------------- calculus


def test_derivative_of_softplus_is_sigmoid_and_of_sigmoid_is_their_product(rng) -> None:
    """Five-point differences agree: softplus' = sigma and sigma' = sigma(z)·sigma(-z)."""
    z = rng.uniform(-20, 20, 200)
    h = 1e-3  # truncation h⁴/30 = 3e-14, rounding eps·20/h = 4e-12

    def slope(f):
        return (8 * (f(z + h) - f(z - h)) - (f(z + 2 * h) - f(z - 2 * h))) / (12 * h)

    np.testing.assert_allclose(slope(softplus), bt.sigmoid(z), atol=1e-11, rtol=0)
    np.testing.assert_allclose(slope(bt.sigmoid), bt.sigmoid(z) * bt.sigmoid(-z), atol=1e-12, rtol=0)


# -------------------------------------------------------------------------------------------------------- manners


def test_nan_stays_nan_without_a_warning() -> None:
    """If z is NaN, the answer is NaN, for a single number and within an array."""
    with np.errstate(all="raise"):
        for function in (bt.sigmoid, softplus, bt.log_sigmoid, bt.logit):
            assert np.isnan(function(np.nan))
            np.testing.assert_array_equal(np.isnan(function([0.5, np.nan, 0.25])), [False, True, False])


def test_shape_and_dtype_follow_the_input() -> None:
    """The answer has the shape of z and is float64 unless z is float32. A single number gives a single number."""
    for function in (bt.sigmoid, softplus, bt.log_sigmoid):
        assert function(np.zeros((2, 0, 3))).shape == (2, 0, 3)
        for dtype in (np.uint8, np.int64, bool, np.float16, ">f8", np.longdouble):
            answer = function(np.array([0, 1], dtype=dtype))
            assert answer.dtype == np.float64
            np.testing.assert_array_equal(answer, function(np.array([0.0, 1.0])))
        assert function(np.array([1.0], dtype=">f4")).dtype == np.float32
        assert isinstance(function(0), float)


def test_logistic_functions_leave_their_input_alone(rng) -> None:
    """No function writes into the array that it is given."""
    z = rng.uniform(0, 1, 10)
    before = z.copy()
    z.flags.writeable = False
    for function in (bt.sigmoid, softplus, bt.log_sigmoid, bt.logit):
        function(z)
    np.testing.assert_array_equal(z, before)


@pytest.mark.parametrize("function", [bt.sigmoid, softplus, bt.log_sigmoid, bt.logit])
def test_numbers_that_are_not_real_are_refused_by_name(function) -> None:
    """Text, complex numbers and None get a message that names the argument."""
    for bad in ("a", 1j, [None]):
        with pytest.raises(TypeError, match=r"^[zp]: expected real numbers"):
            function(bad)


def test_logit_refuses_numbers_that_are_not_probabilities() -> None:
    """The message gives the first number outside [0, 1]."""
    for bad in (-0.1, 1.5, np.inf):
        with pytest.raises(ValueError, match=rf"^p: expected probabilities in \[0, 1\], got {bad:g}$"):
            bt.logit([0.5, bad])
