"""The compiled kernels give the digits of the formulas, for one pair and for blocks, on any number of threads."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import bradley_terry as bt
from bradley_terry import kernels as compiled
from bradley_terry.kernels import passes

LOG_2 = 0.6931471805599453
N_EXTREME = 40  # the fixture ``margins`` ends with this many extreme ones

full = pytest.mark.full
SAMPLES = [10, pytest.param(1, marks=full)]  # the quick tier takes every tenth random margin and all extreme ones


def sample(values, every: int) -> list:
    """Return every ``every``-th value that belongs to a random margin, and all that belong to extreme ones."""
    return [*values[:-N_EXTREME:every], *values[-N_EXTREME:]]


@pytest.fixture
def plain(monkeypatch):
    """Run every kernel as plain Python, which tests its source code instead of its compiled form."""
    for module in (compiled.compiled, passes):
        for name, function in list(vars(module).items()):
            if hasattr(function, "py_func"):
                monkeypatch.setattr(module, name, function.py_func)
    assert not hasattr(compiled.plain_blocks, "py_func")
    return compiled


# ---------------------------------------------------------------------------------------------------- known value


@pytest.mark.parametrize("every", SAMPLES)
def test_kernels_are_within_two_ulp_of_mpmath_one_pair_at_a_time(every: int, margins, exact, worst_ulp) -> None:
    """Loss and gradient are within 2 ulp and curvature within 4, even for extreme margins, and no flag is raised."""
    z = [np.array([margin]) for margin in sample(margins, every)]
    with np.errstate(all="raise"):
        pairs = [compiled.mean_loss_and_gradients(margin) for margin in z]  # 1/n is 1
        curvatures = [compiled.curvatures(margin)[0] for margin in z]
    assert worst_ulp([loss for loss, _ in pairs], sample(exact["loss"], every)) <= 2
    assert worst_ulp([gradient[0] for _, gradient in pairs], sample(exact["gradient"], every)) <= 2
    assert worst_ulp(curvatures, sample(exact["curvature"], every)) <= 4


@pytest.mark.parametrize("every", SAMPLES)
def test_labelled_kernel_is_within_two_ulp_at_full_labels(every: int, margins, exact, worst_ulp) -> None:
    """With weights and labels of 1 and target margins of 0, the general kernel is as accurate as the plain one."""
    options = {"weights": np.ones(1), "labels": np.ones(1), "target_margins": np.zeros(1)}
    with np.errstate(all="raise"):
        pairs = [compiled.mean_loss_and_gradients(np.array([z]), **options) for z in sample(margins, every)]
    assert worst_ulp([loss for loss, _ in pairs], sample(exact["loss"], every)) <= 2
    assert worst_ulp([gradient[0] for _, gradient in pairs], sample(exact["gradient"], every)) <= 2


@pytest.mark.parametrize("every", SAMPLES)
def test_scalar_kernels_are_within_two_ulp_as_plain_python(every: int, plain, margins, exact, worst_ulp) -> None:
    """The scalar kernels are within 2 ulp as plain Python too, so the formulas themselves are correct."""
    rows = [plain.loss_and_gradient(z, plain.decay(z)) for z in sample(margins.tolist(), every)]
    assert worst_ulp([loss for loss, _ in rows], sample(exact["loss"], every)) <= 2
    assert worst_ulp([gradient for _, gradient in rows], sample(exact["gradient"], every)) <= 2
    assert math.isnan(plain.loss_and_gradient(math.nan, plain.decay(math.nan))[0])


@full
@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="long double is no wider than double here")
def test_dense_sweep_of_the_kernels_agrees_with_long_double(rng) -> None:
    """For a million margins the gradient is within 2 ulp and the curvature within 4 (e/(1+e) would reach 2.4)."""
    n = 2**20  # a power of two: gradient / n is exact, since no margin is beyond ±40
    z = rng.uniform(-40, 40, n)
    e = np.exp(-np.abs(z.astype(np.longdouble)))
    small = e / (1 + e)
    gradient = compiled.mean_loss_and_gradients(z)[1] * n
    curvature = compiled.curvatures(z) * n
    for computed, want, ulps in (
        (-gradient, np.where(z < 0, 1 / (1 + e), small), 2),
        (curvature, small / (1 + e), 4),
    ):
        # the reference itself errs by about 2 of its own ulp: 2/2048 = .001 of ours
        assert np.max(np.abs(computed - want) / np.spacing(want.astype(np.float64))) <= ulps + 0.001


def test_mean_of_two_pairs_has_the_value_by_hand() -> None:
    """Margins 0 and 1.5 have mean loss (log 2 + .201413)/2 and gradients -.5/2 and -.182426/2."""
    mean, gradient = bt.kernels.mean_loss_and_gradients(np.array([0.0, 1.5]))
    assert mean == pytest.approx((LOG_2 + 0.201413) / 2, abs=3e-7)  # six printed decimals
    np.testing.assert_allclose(gradient, [-0.25, -0.091213], atol=3e-7)


def _exp_tail(r):
    """P(r) = (exp(r) - 1 - r) / r²."""
    return mpmath.mpf(1) / 2 + r / 6 if abs(r) < mpmath.mpf(10) ** -30 else (mpmath.exp(r) - 1 - r) / r**2


def _artanh_tail(w):
    """Q(s²) = (2·artanh(s) - 2s) / s³."""
    s = mpmath.sqrt(w)
    return mpmath.mpf(2) / 3 + 2 * w / 5 if w < mpmath.mpf(10) ** -30 else (2 * mpmath.atanh(s) - 2 * s) / s**3


@pytest.mark.parametrize(
    ("name", "tail", "dtype"),
    [
        ("P", _exp_tail, float),
        ("Q", _artanh_tail, float),
        pytest.param("P_32", _exp_tail, np.float32, marks=full),
        pytest.param("Q_32", _artanh_tail, np.float32, marks=full),
    ],
)
def test_every_coefficient_can_be_computed_again(name: str, tail, dtype) -> None:
    """Interpolation at the Chebyshev nodes of each interval gives exactly the coefficients in the kernels."""
    found = getattr(compiled, name)
    with mpmath.workprec(300):
        half = mpmath.log(2) / 2
        low, high = (-half, half) if tail is _exp_tail else (mpmath.mpf(0), mpmath.mpf(1) / 9)
        n, centre, radius = len(found), (low + high) / 2, (high - low) / 2
        nodes = [centre + radius * mpmath.cos(mpmath.pi * (2 * k + 1) / (2 * n)) for k in range(n)]
        powers = mpmath.matrix([[node**j for j in range(n)] for node in nodes])
        coefficients = mpmath.lu_solve(powers, mpmath.matrix([tail(node) for node in nodes]))
        grid = [low + (high - low) * k / 200 for k in range(201)]
        error = max(abs(sum(c * x**j for j, c in enumerate(coefficients)) - tail(x)) for x in grid)
        # effect of the error on the answer: r² P <= .12 P is added to 1, s³ Q <= .037 Q to log(1 + e) >= e/2
        assert error * (0.12 if tail is _exp_tail else 0.037) < 0.2 * np.finfo(dtype).eps
    assert [dtype(c) for c in coefficients] == list(found)


def test_the_two_parts_of_log_two_are_exact_where_they_must_be() -> None:
    """k·LOG_2_HIGH is exact for every |k| <= 1076, in float32 for |k| <= 152, and LOG_2_LOW is the remainder."""
    log_2 = mpmath.log(2)
    high, low = mpmath.mpf(compiled.LOG_2_HIGH), mpmath.mpf(compiled.LOG_2_LOW)
    assert float(log_2 - high) == compiled.LOG_2_LOW
    assert abs(log_2 - high - low) < 1e-25
    assert all(mpmath.mpf(float(k * compiled.LOG_2_HIGH)) == k * high for k in range(1077))
    high_32 = mpmath.mpf(float(compiled.LOG_2_HIGH_32))
    assert np.float32(float(log_2 - high_32)) == compiled.LOG_2_LOW_32
    assert all(mpmath.mpf(float(np.float32(k) * compiled.LOG_2_HIGH_32)) == k * high_32 for k in range(153))
    assert float(1 / log_2) == compiled.PER_LOG_2


@pytest.mark.parametrize("as_plain_python", [True, pytest.param(False, marks=full)])
def test_tanh_is_within_three_ulp_of_mpmath(as_plain_python: bool, rng) -> None:
    """It holds on both sides of each point where the formula changes. Signs, NaN and infinity are correct too."""
    tanh = compiled.tanh.py_func if as_plain_python else compiled.tanh
    steps = np.log(2) / 4 * np.arange(1, 120, 2)  # where k changes
    points = np.concatenate([
        steps, np.nextafter(steps, 0), rng.uniform(0, 1, 500), 10.0 ** rng.uniform(-300, 1.4, 500), [19.9, 20.1, 700.0]
    ]).tolist()  # fmt: skip
    with mpmath.workdps(50):
        want = [mpmath.tanh(mpmath.mpf(x)) for x in points]
        off = [abs((mpmath.mpf(tanh(x)) - w) / np.spacing(float(w))) for x, w in zip(points, want, strict=True)]
    assert max(off) <= 3
    assert all(tanh(-x) == -tanh(x) for x in points)
    assert tanh(math.inf) == 1
    assert tanh(-math.inf) == -1
    assert math.isnan(tanh(math.nan))
    assert math.copysign(1, tanh(-0.0)) == -1
    assert tanh(5e-324) == 5e-324


# ------------------------------------------------------------------------------------------------------- identity


@pytest.mark.parametrize(
    "n", [1, 2, 7, 65, 4097, *(pytest.param(n, marks=full) for n in (3, 49, 64, 1000, 4096, 123_457))]
)
def test_mean_of_zeros_is_exactly_log_two(n: int, rng) -> None:
    """For any n, weights and labels, and for target margins equal to the margins, the mean is log 2 to the last bit."""
    w, t, m = rng.uniform(0.01, 10, n), rng.uniform(0, 1, n), rng.normal(size=n)
    for margins, options in (
        (np.zeros(n), {}),
        (np.zeros(n), {"weights": w}),
        (np.zeros(n), {"weights": w, "labels": t}),
        (m, {"weights": w, "labels": t, "target_margins": m}),
    ):
        assert bt.kernels.mean_loss_and_gradients(margins, **options)[0] == LOG_2


@full
@pytest.mark.parametrize("n", [1, 7, 64, 65, 4096, 4097, 123_457])
def test_mean_of_zeros_in_float32_is_exactly_log_two(n: int) -> None:
    """The sums are kept in double, so float32 margins of zero have mean log 2 to the last bit of a double."""
    assert bt.kernels.mean_loss_and_gradients(np.zeros(n, dtype=np.float32))[0] == LOG_2


@given(arrays(np.float64, 5, elements=st.floats(-700, 700)), arrays(np.float64, 5, elements=st.floats(0, 1)))
def test_swapped_pairs_have_labels_of_one_minus_t(z, t) -> None:
    """Label t at Δ and label 1-t at -Δ give the same mean and opposite gradients, to rounding, if 1-(1-t) = t."""
    t = 1 - (1 - t)
    mean, gradient = compiled.mean_loss_and_gradients(z, labels=t)
    other_mean, other_gradient = compiled.mean_loss_and_gradients(-z, labels=1 - t)
    assert mean == pytest.approx(other_mean, rel=1e-15, abs=1e-16)
    np.testing.assert_allclose(gradient, -other_gradient, rtol=0, atol=1e-16)


def test_integer_weights_are_repeated_rows(rng) -> None:
    """Integer weights give the mean of repeated rows, and each row's gradient times its weight."""
    n = 5000
    z, t, m = rng.normal(0, 3, n), rng.uniform(0, 1, n), rng.normal(size=n)
    w = rng.integers(0, 4, n)
    mean, gradient = compiled.mean_loss_and_gradients(z, weights=w, labels=t, target_margins=m)
    again, repeated = compiled.mean_loss_and_gradients(
        np.repeat(z, w), labels=np.repeat(t, w), target_margins=np.repeat(m, w)
    )
    assert mean == pytest.approx(again, rel=1e-14)  # 5,000 roundings that mostly cancel
    rows = np.repeat(np.arange(n), w)
    np.testing.assert_allclose(gradient, np.bincount(rows, weights=repeated, minlength=n), rtol=1e-14)
    curvature = compiled.curvatures(z, weights=w, target_margins=m)
    folded = np.bincount(rows, weights=compiled.curvatures(np.repeat(z - m, w)), minlength=n)
    np.testing.assert_allclose(curvature, folded, rtol=1e-14)


def test_infinite_losses_without_weight_cost_nothing() -> None:
    """0·inf counts as 0 for weights and for labels; a pair with weight makes the mean infinite."""
    z = np.array([0.0, -np.inf])
    assert compiled.mean_loss_and_gradients(z, weights=np.array([1.0, 0.0]))[0] == LOG_2
    assert compiled.mean_loss_and_gradients(z, labels=np.array([1.0, 0.0]))[0] == LOG_2 / 2
    assert compiled.mean_loss_and_gradients(z)[0] == np.inf


def test_huge_losses_have_a_finite_mean_in_both_forms() -> None:
    """Ten losses of 1e308 have mean 1e308, although their sum is beyond the largest double."""
    z = np.full(10, -1e308)
    assert bt.mean_loss(z) == 1e308
    assert bt.kernels.mean_loss_and_gradients(z)[0] == pytest.approx(1e308, rel=1e-15)


def test_differences_formed_on_the_way_give_the_same_bits(rng) -> None:
    """``minus`` is subtracted a few blocks at a time, which gives the same bits as subtracting it first."""
    chosen, rejected = rng.normal(size=(10_001, 3)), rng.normal(size=(10_001, 3)).astype(np.float32)
    phi, w, d = rng.normal(size=3), rng.uniform(size=10_001), chosen - rejected
    loss, gradient = compiled.linear_loss_and_gradient(chosen, phi, minus=rejected, weights=w)
    want_loss, want = compiled.linear_loss_and_gradient(d, phi, weights=w)
    assert loss == want_loss
    assert gradient.tobytes() == want.tobytes()
    margins = compiled.linear_margins(chosen, phi, minus=rejected)
    assert margins.tobytes() == compiled.linear_margins(d, phi).tobytes()
    assert compiled.differences_of(chosen, rejected).tobytes() == d.tobytes()
    gram = compiled.weighted_gram(chosen, w, minus=rejected)
    assert gram.tobytes() == compiled.weighted_gram(d, w).tobytes()


# ----------------------------------------------------------------------------------------------------------- twin


OPTIONS = [(), ("weights",), ("labels",), ("target_margins",), ("weights", "labels", "target_margins")]


@pytest.mark.parametrize("names", OPTIONS)
@pytest.mark.parametrize("n", [1, 63, 64, 65, 4095, 4096, 4097, pytest.param(300_000, marks=full)])
def test_kernel_agrees_with_the_reference(n: int, names: tuple[str, ...], rng) -> None:
    """Mean, gradients and curvatures agree to a relative 1e-13, also if n is just below or above a block's size."""
    z = rng.normal(0, 6, n)
    every = {"weights": rng.uniform(0, 3, n), "labels": rng.uniform(0, 1, n), "target_margins": rng.normal(size=n)}
    options = {name: every[name] for name in names}
    w = options.get("weights", np.ones(n))
    rest = {name: v for name, v in options.items() if name != "weights"}
    mean, gradient = compiled.mean_loss_and_gradients(z, **options)
    assert mean == pytest.approx(bt.mean_loss(z, **options), rel=1e-13)
    # with labels the gradient is a difference: 1e-13 of its two terms, which add up to at most 1
    np.testing.assert_allclose(gradient * w.sum() / w, bt.pair_loss_gradients(z, **rest), rtol=1e-13, atol=1e-15)
    shift = {name: v for name, v in options.items() if name == "target_margins"}
    weighted = {name: v for name, v in options.items() if name != "labels"}
    curvature = compiled.curvatures(z, **weighted)
    np.testing.assert_allclose(curvature * w.sum() / w, bt.pair_loss_curvatures(z, **shift), rtol=1e-13)


@pytest.mark.parametrize("names", [(), *(pytest.param(names, marks=full) for names in OPTIONS[1:4]), OPTIONS[4]])
def test_block_kernels_are_the_same_as_plain_python(names: tuple[str, ...], plain, rng) -> None:
    """Run as plain Python on a little more than one block, every block kernel gives the numbers of the reference."""
    n = 4096 + 70
    z = rng.normal(0, 6, n)
    every = {"weights": rng.integers(0, 3, n), "labels": rng.uniform(0, 1, n), "target_margins": rng.normal(size=n)}
    options = {name: every[name] for name in names}
    mean, gradient = plain.mean_loss_and_gradients(z, **options)
    curvature = plain.curvatures(z, **{k: v for k, v in options.items() if k != "labels"})
    w = options.get("weights", np.ones(n))
    rest = {name: v for name, v in options.items() if name != "weights"}
    assert mean == pytest.approx(bt.mean_loss(z, **options), rel=1e-13)
    np.testing.assert_allclose(gradient, bt.pair_loss_gradients(z, **rest) * w / w.sum(), rtol=1e-13, atol=1e-19)
    rest.pop("labels", None)
    np.testing.assert_allclose(curvature, bt.pair_loss_curvatures(z, **rest) * w / w.sum(), rtol=1e-13)


def test_float32_kernel_is_within_two_ulp_as_plain_python(plain, rng) -> None:
    """Run as plain Python, the float32 kernel gives gradients within 2 ulp of float32, and a mean in double."""
    n = 256  # a power of two, so that 1/n costs nothing
    z = rng.normal(0, 6, n).astype(np.float32)
    mean, gradient = plain.mean_loss_and_gradients(z)
    assert gradient.dtype == np.float32
    want = bt.pair_loss_gradients(z.astype(np.float64))
    assert np.max(np.abs(gradient.astype(np.float64) * n - want) / np.spacing(np.abs(want).astype(np.float32))) <= 2
    assert mean == pytest.approx(bt.mean_loss(z.astype(np.float64)), rel=1e-6)


@full
def test_float32_margins_give_float32_gradients_within_two_of_their_ulp(rng) -> None:
    """The gradients of float32 margins are float32 and within 2 ulp; the sum over pairs is in double."""
    n = 2**14  # a power of two, so that 1/n costs nothing
    extreme = np.array([0, -0.0, 1e-30, 16.7, -16.7, 88.8, -88.8, 103, -103, 104, 1e38, -1e38])
    z = np.concatenate([rng.normal(0, 6, n - extreme.size), extreme]).astype(np.float32)
    mean, gradient = compiled.mean_loss_and_gradients(z)
    assert gradient.dtype == np.float32
    want = bt.pair_loss_gradients(z.astype(np.float64))
    # below 2^-149·n the product with 1/n is a subnormal float32 and rounds once more
    normal = np.abs(want) > 1e-33
    ulps = np.abs(gradient.astype(np.float64) * n - want) / np.spacing(np.abs(want).astype(np.float32))
    assert ulps[normal].max() <= 2
    assert np.abs(gradient.astype(np.float64) * n - want)[~normal].max() <= 1e-40
    huge = np.abs(z) > 1e37
    assert compiled.mean_loss_and_gradients(z[~huge])[0] == pytest.approx(
        bt.mean_loss(z[~huge].astype(float)), rel=1e-7
    )
    assert mean == pytest.approx(1e38 / n, rel=1e-6)
    m = rng.normal(size=z.size)
    shifted, _ = compiled.mean_loss_and_gradients(z, target_margins=m)
    assert shifted == pytest.approx(bt.mean_loss(z.astype(np.float64) - m), rel=1e-13)
    assert compiled.curvatures(z).dtype == np.float32


@pytest.mark.parametrize("threads", [(1, 2), pytest.param((1, 2, 3, 7), marks=full)], ids=str)
def test_results_do_not_depend_on_the_number_of_threads(threads: tuple[int, ...], kernels, rng) -> None:
    """Mean, gradients and curvatures have the same bits on any number of threads."""
    n = 75_001 * len(threads)
    z, w, t, m = rng.normal(0, 4, n), rng.uniform(0, 2, n), rng.uniform(0, 1, n), rng.normal(size=n)
    results = []
    for n_threads in threads:
        kernels.set_threads(n_threads)
        plain_mean, plain_gradient = kernels.mean_loss_and_gradients(z)
        mean, gradient = kernels.mean_loss_and_gradients(z, weights=w, labels=t, target_margins=m)
        curvature = kernels.curvatures(z, weights=w, target_margins=m)
        results.append((plain_mean, mean, plain_gradient.tobytes(), gradient.tobytes(), curvature.tobytes()))
    assert set(results) == {results[0]}


# ------------------------------------------------------------------------------------------- twin: the linear scorer


# -------------------------------------------------------------------------------------------------------- manners


def test_nan_margins_stay_nan() -> None:
    """A NaN margin makes its own gradient, its own curvature and the mean NaN, and no other entry."""
    z = np.array([1.0, np.nan, -1.0])
    for options in ({}, {"labels": np.array([0.5, 0.0, 1.0])}):
        with np.errstate(all="raise"):
            mean, gradient = compiled.mean_loss_and_gradients(z, **options)
        assert math.isnan(mean)
        np.testing.assert_array_equal(np.isnan(gradient), [False, True, False])
    np.testing.assert_array_equal(np.isnan(compiled.curvatures(z)), [False, True, False])


def test_out_receives_the_gradients_and_may_be_the_margins(rng) -> None:
    """``out`` is filled and returned, it may be the margins themselves, and nothing else is written to."""
    z, w = rng.normal(size=100), rng.uniform(0.1, 1, 100)
    before = np.stack([z, w])
    want = compiled.mean_loss_and_gradients(z, weights=w)[1]
    out = np.full(100, np.nan)
    assert compiled.mean_loss_and_gradients(z, out, weights=w)[1] is out
    np.testing.assert_array_equal(out, want)
    np.testing.assert_array_equal(np.stack([z, w]), before)
    over = z.copy()
    compiled.mean_loss_and_gradients(over, out=over, weights=w)
    np.testing.assert_array_equal(over, want)


def test_odd_arrays_give_the_answers_of_plain_ones(rng) -> None:
    """Strided, byte-swapped, integer and read-only arrays, and lists, are read as the numbers that they hold."""
    z = rng.integers(-4, 5, 200)
    mean, gradient = compiled.mean_loss_and_gradients(z.astype(np.float64))
    frozen = z.astype(np.float64)
    frozen.flags.writeable = False
    strided = np.repeat(z.astype(np.float64), 3)[::3]
    for odd in (z, z.astype(">f8"), z.astype(np.int8), strided, frozen, z.tolist()):
        found, slopes = compiled.mean_loss_and_gradients(odd)
        assert found == mean
        np.testing.assert_array_equal(slopes, gradient)


@full
def test_byte_swapped_float32_margins_give_native_float32_gradients() -> None:
    """Byte-swapped float32 margins are treated as float32, and not converted to double."""
    gradient = compiled.mean_loss_and_gradients(np.array([1.0, -1.0], dtype=">f4"))[1]
    assert gradient.dtype == np.float32
    assert gradient.dtype.isnative


def test_arrays_at_odd_places_in_memory_are_read_correctly(rng) -> None:
    """Numbers that begin at an odd byte, as in an NPZ file, and a φ with strides give the same bits as plain arrays."""
    z = rng.normal(size=1000)
    odd = np.frombuffer(b"x" + z.tobytes(), dtype=np.uint8)[1:].view(np.float64)
    assert not odd.flags.aligned
    mean, gradient = compiled.mean_loss_and_gradients(odd)
    want_mean, want = compiled.mean_loss_and_gradients(z)
    assert (mean, gradient.tobytes()) == (want_mean, want.tobytes())
    gaps = rng.normal(size=24)
    x, y = rng.normal(size=(2, 9, 2))
    one, other = (compiled.mlp_loss_and_gradient(x, y, phi, 3) for phi in (gaps[::2], gaps[::2].copy()))
    assert (one[0], one[1].tobytes()) == (other[0], other[1].tobytes())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": np.ones(2)}, r"^weights: expected shape \(3,\)"),
        ({"weights": np.array([-1.0, 1, 1])}, r"^weights: expected finite numbers of at least 0"),
        ({"weights": np.zeros(3)}, r"^weights: .* positive sum"),
        ({"weights": np.array([np.nan, 1, 1])}, r"^weights: "),
        ({"labels": np.ones(4)}, r"^labels: expected shape \(3,\)"),
        ({"labels": np.array([0.5, 1.1, 0])}, r"^labels: expected probabilities in \[0, 1\]"),
        ({"labels": np.array([0.5, np.nan, 0])}, r"^labels: "),
        ({"target_margins": np.ones((3, 1))}, r"^target_margins: expected shape \(3,\)"),
        ({"out": np.zeros(2)}, r"^out: "),
        ({"out": np.zeros(3, dtype=np.float32)}, r"^out: "),
        ({"out": np.zeros(6)[::2]}, r"^out: "),
    ],
)
def test_bad_arrays_are_refused_by_name(options, message: str) -> None:
    """Wrong shapes, negative weights, labels outside [0, 1] and an unsuitable ``out`` get a message with their name."""
    with pytest.raises(ValueError, match=message):
        compiled.mean_loss_and_gradients(np.zeros(3), **options)


def test_bad_margins_are_refused_by_name() -> None:
    """No pairs, two axes and text get a message that names the margins."""
    for bad in (np.zeros(0), np.zeros((2, 2)), 1.0):
        with pytest.raises(ValueError, match=r"^margins: expected shape \(n_pairs,\) with at least one pair"):
            compiled.mean_loss_and_gradients(bad)
    with pytest.raises(TypeError, match=r"^margins: expected real numbers"):
        compiled.curvatures(["a"])


def test_linear_pass_refuses_arrays_that_do_not_fit(rng) -> None:
    """The message gives the expected shape and the shape of φ, or names the array that does not fit."""
    with pytest.raises(ValueError, match=r"^differences: expected \(n_pairs, n_features\) to match phi \(3,\)"):
        compiled.linear_loss_and_gradient(np.ones((3, 2)), np.ones(3))
    with pytest.raises(ValueError, match=r"^differences: expected"):
        compiled.linear_margins(np.ones((3, 2)), np.ones(2), minus=np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"^weights: expected shape \(4,\)"):
        compiled.weighted_gram(np.ones((4, 2)), np.ones(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phi": np.ones(17)}, "^phi: expected 12 numbers"),
        ({"rejected": np.zeros((1, 2))}, "^phi: expected 12 numbers and features of one shape"),
        ({"activation": "sigmoid"}, "^activation: expected 'tanh' or 'relu'"),
    ],
)
def test_mlp_pass_refuses_arrays_that_do_not_fit(change, message: str) -> None:
    """Without this check a kernel would read or write beyond the end of an array."""
    given = {"chosen": np.ones((4, 2)), "rejected": np.zeros((4, 2)), "phi": np.ones(12), "n_hidden": 3} | change
    with pytest.raises(ValueError, match=message):
        compiled.mlp_loss_and_gradient(**given)


def test_kernels_are_found_by_name_and_unknown_names_are_attribute_errors() -> None:
    """``bradley_terry.kernels`` offers the passes and every compiled function, which have a plain Python form."""
    for name in compiled.__all__:
        assert callable(getattr(compiled, name))
    assert compiled.decay.py_func(0.0) == 1.0
    with pytest.raises(AttributeError, match=r"'bradley_terry.kernels' has no attribute 'plain_block'"):
        _ = compiled.plain_block
