"""The compiled twin: the same digits as the reference, one pair at a time, in blocks, and on any number of threads."""

from __future__ import annotations

import math
import threading
import time

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import bradley_terry as bt
from bradley_terry import kernels as compiled
from bradley_terry.objective import blas_on_one_thread

LOG_2 = 0.6931471805599453


@pytest.fixture
def plain(monkeypatch):
    """Run the kernels as plain Python all the way down: what the compiler was given, not what it made of it."""
    scalars = "power_of_two exp_parts decay pair_terms loss_and_gradient decay_32 loss_and_gradient_32 total"
    for name in scalars.split():
        monkeypatch.setattr(compiled, name, getattr(compiled, name).py_func)
    for name in (
        "plain_run",
        "plain_blocks",
        "plain_blocks_32",
        "fill_run",
        "general_run",
        "general_blocks",
        "curvature_blocks",
    ):
        monkeypatch.setattr(compiled, name, getattr(compiled, name).py_func)
    return compiled


def one_at_a_time(margins) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return loss, gradient and curvature of every margin from problems of one pair, where 1/n is 1."""
    rows = []
    for z in margins:
        loss, gradient = compiled.mean_loss_and_gradients(np.array([z]))
        rows.append((loss, gradient[0], compiled.curvatures(np.array([z]))[0]))
    return tuple(np.array(column) for column in zip(*rows, strict=True))


# ---------------------------------------------------------------------------------------------------- known value


def test_kernels_are_within_two_ulp_of_mpmath_one_pair_at_a_time(margins, exact, worst_ulp) -> None:
    """Loss and gradient are within 2 ulp and curvature within 4, for random and extreme margins, no flag raised."""
    with np.errstate(all="raise"):
        loss, gradient, curvature = one_at_a_time(margins)
    assert worst_ulp(loss, exact["loss"]) <= 2
    assert worst_ulp(gradient, exact["gradient"]) <= 2
    assert worst_ulp(curvature, exact["curvature"]) <= 4


def test_labelled_kernel_is_within_two_ulp_at_full_labels(margins, exact, worst_ulp) -> None:
    """The path with labels, all of them 1, and target margins, all 0, has the digits of the path without."""
    one, zero = np.ones(1), np.zeros(1)
    with np.errstate(all="raise"):
        pairs = [
            compiled.mean_loss_and_gradients(np.array([z]), weights=one, labels=one, target_margins=zero)
            for z in margins
        ]
    assert worst_ulp([loss for loss, _ in pairs], exact["loss"]) <= 2
    assert worst_ulp([gradient[0] for _, gradient in pairs], exact["gradient"]) <= 2


def test_scalar_kernels_are_within_two_ulp_as_plain_python(plain, margins, exact, worst_ulp) -> None:
    """The scalar kernels, run by Python itself, are within 2 ulp: the formula is right, not only its compilation."""
    rows = [plain.loss_and_gradient(z, plain.decay(z)) for z in margins.tolist()]
    assert worst_ulp([loss for loss, _ in rows], exact["loss"]) <= 2
    assert worst_ulp([gradient for _, gradient in rows], exact["gradient"]) <= 2
    assert math.isnan(plain.loss_and_gradient(math.nan, plain.decay(math.nan))[0])


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="long double is no wider than double here")
def test_dense_sweep_of_the_kernels_stays_within_their_ulps_of_long_double(rng) -> None:
    """A million margins: gradient within 2 ulp, curvature within 4 (the form e/(1+e) would reach 2.4 and more)."""
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
    """Margins 0 and 1.5 cost (log 2 + .201413)/2 and pull with -.5/2 and -.182426/2."""
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
        ("P_32", _exp_tail, np.float32),
        ("Q_32", _artanh_tail, np.float32),
    ],
)
def test_every_coefficient_can_be_found_again(name: str, tail, dtype) -> None:
    """Interpolation at the Chebyshev nodes of the interval of use gives the very numbers that stand in the kernels."""
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
        # what the error does to the answer: r² P <= .12 P beside 1, s³ Q <= .037 Q beside log(1 + e) >= e/2
        assert error * (0.12 if tail is _exp_tail else 0.037) < 0.2 * np.finfo(dtype).eps
    assert [dtype(c) for c in coefficients] == list(found)


def test_the_two_parts_of_log_two_are_exact_where_they_must_be() -> None:
    """k·LOG_2_HIGH is exact for every |k| <= 1076, in float32 for |k| <= 152, and LOG_2_LOW is the rest."""
    log_2 = mpmath.log(2)
    high, low = mpmath.mpf(compiled.LOG_2_HIGH), mpmath.mpf(compiled.LOG_2_LOW)
    assert float(log_2 - high) == compiled.LOG_2_LOW
    assert abs(log_2 - high - low) < 1e-25
    assert all(mpmath.mpf(float(k * compiled.LOG_2_HIGH)) == k * high for k in range(1077))
    high_32 = mpmath.mpf(float(compiled.LOG_2_HIGH_32))
    assert np.float32(float(log_2 - high_32)) == compiled.LOG_2_LOW_32
    assert all(mpmath.mpf(float(np.float32(k) * compiled.LOG_2_HIGH_32)) == k * high_32 for k in range(153))
    assert float(1 / log_2) == compiled.PER_LOG_2


# ------------------------------------------------------------------------------------------------------- identity


@pytest.mark.parametrize("n", [1, 2, 3, 7, 49, 64, 65, 1000, 4096, 4097, 123_457])
def test_mean_of_zeros_is_exactly_log_two(n: int, rng) -> None:
    """Whatever n, weights, labels, target margins equal to the margins, and dtype: log 2, not nearly."""
    w, t, m = rng.uniform(0.01, 10, n), rng.uniform(0, 1, n), rng.normal(size=n)
    for margins, options in (
        (np.zeros(n), {}),
        (np.zeros(n, dtype=np.float32), {}),
        (np.zeros(n), {"weights": w}),
        (np.zeros(n), {"weights": w, "labels": t}),
        (m, {"weights": w, "labels": t, "target_margins": m}),
    ):
        assert bt.kernels.mean_loss_and_gradients(margins, **options)[0] == LOG_2


@given(arrays(np.float64, 5, elements=st.floats(-700, 700)), arrays(np.float64, 5, elements=st.floats(0, 1)))
def test_pairs_turned_round_have_labels_turned_round(z, t) -> None:
    """Label t at Δ is label 1-t at -Δ: same mean, opposite gradients, to rounding, where 1-(1-t) = t."""
    t = 1 - (1 - t)
    mean, gradient = compiled.mean_loss_and_gradients(z, labels=t)
    other_mean, other_gradient = compiled.mean_loss_and_gradients(-z, labels=1 - t)
    assert mean == pytest.approx(other_mean, rel=1e-15, abs=1e-16)
    np.testing.assert_allclose(gradient, -other_gradient, rtol=0, atol=1e-16)


def test_weights_are_repeated_rows(rng) -> None:
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
    """0·inf counts as 0, for weights and for labels; with weight they cost infinitely much."""
    z = np.array([0.0, -np.inf])
    assert compiled.mean_loss_and_gradients(z, weights=np.array([1.0, 0.0]))[0] == LOG_2
    assert compiled.mean_loss_and_gradients(z, labels=np.array([1.0, 0.0]))[0] == LOG_2 / 2
    assert compiled.mean_loss_and_gradients(z)[0] == np.inf


# ----------------------------------------------------------------------------------------------------------- twin


OPTIONS = [(), ("weights",), ("labels",), ("target_margins",), ("weights", "labels", "target_margins")]


@pytest.mark.parametrize("names", OPTIONS)
@pytest.mark.parametrize("n", [1, 63, 64, 65, 4095, 4096, 4097, 300_000])
def test_kernel_agrees_with_the_reference(n: int, names: tuple[str, ...], rng) -> None:
    """Mean, gradients and curvatures of the two forms agree to 1e-13 relative, at and beside every block size."""
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


@pytest.mark.parametrize("names", OPTIONS)
def test_block_kernels_are_the_same_as_plain_python(names: tuple[str, ...], plain, rng) -> None:
    """Every block kernel, run by Python itself over a block and a bit, gives the reference's numbers."""
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


def test_results_do_not_depend_on_the_number_of_threads(kernels, rng) -> None:
    """Mean, gradients and curvatures of 300,001 pairs are the same, bit for bit, on 1, 2, 3 and 7 threads."""
    n = 300_001
    z, w, t, m = rng.normal(0, 4, n), rng.uniform(0, 2, n), rng.uniform(0, 1, n), rng.normal(size=n)
    results = []
    for threads in (1, 2, 3, 7):
        kernels.set_threads(threads)
        assert kernels.get_threads() == threads
        plain_mean, plain_gradient = kernels.mean_loss_and_gradients(z)
        mean, gradient = kernels.mean_loss_and_gradients(z, weights=w, labels=t, target_margins=m)
        curvature = kernels.curvatures(z, weights=w, target_margins=m)
        results.append((plain_mean, mean, plain_gradient.tobytes(), gradient.tobytes(), curvature.tobytes()))
    assert results[1:] == results[:1] * 3


def test_threads_really_share_the_work(kernels, monkeypatch) -> None:
    """With 2 threads, two of them take ranges that together are all blocks: the test above tests something."""
    seen: list[tuple[int, int]] = []
    threads = set()

    def kernel(*arrays: object) -> None:
        seen.append(arrays[-2:])
        threads.add(threading.get_ident())
        time.sleep(0.002)  # so that the other thread has time to wake up

    monkeypatch.setattr(kernels, "plain_blocks", kernel)
    kernels.set_threads(2)
    kernels.mean_loss_and_gradients(np.zeros(300_000))
    edges = sorted(seen)
    assert len(edges) == 16  # whatever the number of threads
    assert [first for first, _ in edges] == [0, *(last for _, last in edges[:-1])]
    assert edges[-1][1] == 74  # blocks of 4,096
    assert len(threads) == 2


@pytest.mark.parametrize("where", ["caller", "helper"])
def test_an_error_in_a_part_reaches_the_caller(where: str, kernels) -> None:
    """Whichever thread meets it; no further part is begun, and none is still at work afterwards."""
    caller, begun, ended = threading.get_ident(), [], []

    def one_part(first: int, _: int) -> int:
        begun.append(first)
        time.sleep(0.01)
        ended.append(first)
        if (threading.get_ident() == caller) == (where == "caller"):
            raise ZeroDivisionError("here")
        return first

    kernels.set_threads(3)
    with pytest.raises(ZeroDivisionError, match="here"):
        kernels.in_parts(one_part, 16)
    assert sorted(begun) == sorted(ended)
    if where == "caller":
        assert len(begun) < 16
    assert kernels.in_parts(lambda first, last: (first, last), 5) == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]


def test_an_interrupt_of_the_caller_is_not_replaced_by_an_error_elsewhere(kernels) -> None:
    """Ctrl-C stays Ctrl-C."""
    caller = threading.get_ident()

    def one_part(first: int, _: int) -> int:
        time.sleep(0.005)
        raise KeyboardInterrupt if threading.get_ident() == caller else ValueError(first)

    kernels.set_threads(2)
    with pytest.raises(KeyboardInterrupt):
        kernels.in_parts(one_part, 16)


def test_work_goes_on_alone_where_no_thread_can_be_had(kernels, monkeypatch) -> None:
    """At the end of Python, or at the limit of the system, the caller does it all."""

    class NoThreads:
        def submit(self, _: object) -> None:
            raise RuntimeError("cannot schedule new futures after shutdown")

    monkeypatch.setattr("bradley_terry.threads._pool", lambda _: NoThreads())
    kernels.set_threads(2)
    assert kernels.in_parts(lambda first, _: first, 16) == list(range(16))


def test_float32_margins_give_float32_gradients_within_two_of_their_ulp(rng) -> None:
    """float32 in, float32 out, within 2 ulp of float32; the sum over pairs is in double."""
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


def test_huge_losses_have_a_finite_mean_in_both_forms() -> None:
    """Ten losses of 1e308 have mean 1e308, though their sum is beyond the largest double."""
    z = np.full(10, -1e308)
    assert bt.mean_loss(z) == 1e308
    assert bt.kernels.mean_loss_and_gradients(z)[0] == pytest.approx(1e308, rel=1e-15)


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
    """``out`` is filled and returned; writing over the margins is allowed; nothing else is written to."""
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
    """Strided, byte-swapped, integer, read-only arrays and lists are read as the numbers they hold."""
    z = rng.integers(-4, 5, 200)
    mean, gradient = compiled.mean_loss_and_gradients(z.astype(np.float64))
    frozen = z.astype(np.float64)
    frozen.flags.writeable = False
    strided = np.repeat(z.astype(np.float64), 3)[::3]
    for odd in (z, z.astype(">f8"), z.astype(np.int8), strided, frozen, z.tolist()):
        found, slopes = compiled.mean_loss_and_gradients(odd)
        assert found == mean
        np.testing.assert_array_equal(slopes, gradient)
    assert compiled.mean_loss_and_gradients(z.astype(">f4"))[1].dtype == np.float32


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
    """Wrong shapes, negative weights, labels outside [0, 1] and an unsuitable ``out`` end in one sentence."""
    with pytest.raises(ValueError, match=message):
        compiled.mean_loss_and_gradients(np.zeros(3), **options)


def test_bad_margins_and_thread_counts_are_refused_by_name(kernels) -> None:
    """No pairs, two axes, text, and a number of threads below one end in one sentence."""
    for bad in (np.zeros(0), np.zeros((2, 2)), 1.0):
        with pytest.raises(ValueError, match=r"^margins: expected shape \(n_pairs,\) with at least one pair"):
            kernels.mean_loss_and_gradients(bad)
    with pytest.raises(TypeError, match=r"^margins: expected real numbers"):
        kernels.curvatures(["a"])
    for bad in (0, -1, 1.5, "2"):
        with pytest.raises(ValueError, match=r"^n_threads: expected a whole number of at least 1"):
            kernels.set_threads(bad)


# ------------------------------------------------------------------------------------------------ the linear scorer


@pytest.mark.parametrize(("n", "d"), [(1, 1), (7, 3), (300, 64), (4097, 5), (9000, 33)])
def test_linear_pass_agrees_with_the_road_in_steps(n: int, d: int, rng) -> None:
    """One reading of the data gives the loss and gradient that margins, losses and a product give one after another."""
    rows, phi = rng.normal(size=(n, d)), rng.normal(size=d)
    options = {"weights": rng.integers(0, 3, n) + (np.arange(n) == 0), "labels": rng.uniform(size=n)}
    options["target_margins"] = rng.normal(size=n)
    for chosen_options in ({}, {"labels": options["labels"]}, options):
        mean, gradient = compiled.linear_loss_and_gradient(rows, phi, **chosen_options)
        margins = rows @ phi
        w = chosen_options.get("weights", np.ones(n))
        rest = {name: v for name, v in chosen_options.items() if name != "weights"}
        want = (w * bt.pair_loss_gradients(margins, **rest) / w.sum()) @ rows
        assert mean == pytest.approx(bt.mean_loss(margins, **chosen_options), rel=1e-13)
        np.testing.assert_allclose(compiled.linear_margins(rows, phi), margins, rtol=0, atol=1e-14 * d)
        np.testing.assert_allclose(gradient, want, rtol=0, atol=1e-13 * np.abs(rows).max())


def test_linear_pass_and_gram_do_not_depend_on_the_number_of_threads(kernels, rng) -> None:
    """Blocks and parts are the same whoever computes them: same bits on 1, 2 and 3 threads."""
    rows, phi, w = rng.normal(size=(200_001, 7)), rng.normal(size=7), rng.uniform(size=200_001)
    results = []
    for threads in (1, 2, 3):
        kernels.set_threads(threads)
        loss, gradient = kernels.linear_loss_and_gradient(rows, phi, weights=w)
        margins = kernels.linear_margins(rows, phi)
        results.append((loss, gradient.tobytes(), margins.tobytes(), kernels.weighted_gram(rows, w).tobytes()))
    assert results[1:] == results[:1] * 2


def test_gram_is_the_weighted_sum_of_outer_products(rng) -> None:
    """Σ w·d dᵀ, also where the last block is short."""
    rows, w = rng.normal(size=(5000, 4)), rng.uniform(size=5000)
    np.testing.assert_allclose(compiled.weighted_gram(rows, w), (rows * w[:, None]).T @ rows, rtol=1e-12)


def test_linear_pass_refuses_what_does_not_fit() -> None:
    """Shapes are named."""
    with pytest.raises(ValueError, match=r"^differences: expected \(n_pairs, n_features\)"):
        compiled.linear_loss_and_gradient(np.ones((3, 2)), np.ones(3))


@pytest.mark.parametrize("names", [(), ("labels", "weights")])
def test_linear_kernel_is_the_same_as_plain_python(names: tuple[str, ...], plain, monkeypatch, rng) -> None:
    """The block kernel of the linear pass, run by Python itself over a block and a bit, gives the same numbers."""
    for name in ("dots", "add_rows", "linear_blocks", "margin_blocks"):
        monkeypatch.setattr(plain, name, getattr(plain, name).py_func)
    rows, phi = rng.normal(size=(4096 + 70, 3)), rng.normal(size=3)
    every = {"weights": rng.uniform(size=len(rows)), "labels": rng.uniform(size=len(rows))}
    chosen_options = {name: every[name] for name in names}
    mean, gradient = plain.linear_loss_and_gradient(rows, phi, **chosen_options)
    pairs = bt.PreferencePairs(rows, 0 * rows, **chosen_options)
    objective = bt.Objective(bt.LinearScorer(3), pairs, backend="numpy")
    want_mean, want = objective(phi)
    assert mean == pytest.approx(want_mean, rel=1e-13)
    np.testing.assert_allclose(gradient, want, rtol=1e-12)
    np.testing.assert_allclose(plain.linear_margins(rows, phi), rows @ phi, rtol=0, atol=1e-14)


def test_warmup_leaves_nothing_to_compile(run_python) -> None:
    """After ``bt.warmup()`` every kernel that an objective calls has its machine code."""
    script = (
        "import numpy as np, bradley_terry as bt\n"
        "bt.warmup(); k = bt.kernels\n"
        "kernels = [getattr(k, n) for n in ('plain_blocks', 'plain_blocks_32', 'general_blocks', 'curvature_blocks',"
        " 'linear_blocks', 'margin_blocks', 'mlp_middle')]\n"
        "before = [len(kernel.signatures) for kernel in kernels]\n"
        "p = bt.PreferencePairs([[1.0, 2.0]] * 3, [[0.0, 1.0]] * 3, labels=[1, 0.5, 0], weights=[1, 2, 3])\n"
        "o = bt.Objective(bt.LinearScorer(2), p); o(np.ones(2)); o.margins(np.zeros(2)); o.hessian(np.ones(2))\n"
        "q = bt.Objective(bt.MLPScorer(2, 2), p); q(np.ones(q.scorer.n_parameters))\n"
        "print(min(before) > 0 and before == [len(kernel.signatures) for kernel in kernels])\n"
    )
    assert run_python(script) == "True"


@pytest.mark.parametrize("options", [(), ("labels",), ("labels", "target_margins", "weights")])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("n", [1, 128, 129, 9000])
def test_mlp_pass_is_its_numpy_twin(n: int, activation: str, options: tuple[str, ...], rng) -> None:
    """Loss, gradient and margins that the blocks give are those of the layers written in NumPy."""
    every = {"weights": rng.integers(0, 3, n) + (np.arange(n) == 0.0), "labels": rng.uniform(size=n)}
    every["target_margins"] = rng.normal(size=n)
    pairs = bt.PreferencePairs(
        rng.normal(size=(n, 5)), rng.normal(size=(n, 5)), **{name: every[name] for name in options}
    )
    scorer = bt.MLPScorer(5, 9, activation)
    phi = rng.normal(size=scorer.n_parameters)
    ours, twin = bt.Objective(scorer, pairs), bt.Objective(scorer, pairs, backend="numpy")
    (loss, gradient), (want_loss, want) = ours(phi), twin(phi)
    assert loss == pytest.approx(want_loss, rel=1e-13)
    np.testing.assert_allclose(gradient, want, rtol=0, atol=1e-13 * max(1, np.abs(want).max()))
    np.testing.assert_allclose(ours.margins(phi), twin.margins(phi), rtol=0, atol=1e-13)


def test_mlp_pass_does_not_depend_on_the_number_of_threads(kernels, monkeypatch, rng) -> None:
    """Same bits on 1, 2 and 3 threads, of which more than one really works."""
    chosen, rejected = rng.normal(size=(2000, 128)), rng.normal(size=(2000, 128))
    phi = rng.normal(size=130 * 256) / 16
    results, workers = [], set()
    kernel = kernels.mlp_middle

    def watched(*arrays: object) -> None:
        workers.add(threading.get_ident())
        kernel(*arrays)

    monkeypatch.setattr(kernels, "mlp_middle", watched)
    for threads in (1, 2, 3):
        kernels.set_threads(threads)
        with blas_on_one_thread(10**9):
            loss, gradient = kernels.mlp_loss_and_gradient(chosen, rejected, phi, 256)
        results.append((loss, gradient.tobytes()))
    assert results[1:] == results[:1] * 2
    assert len(workers) > 1


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("names", [(), ("labels", "weights")])
def test_mlp_kernel_is_the_same_as_plain_python(activation: str, names: tuple[str, ...], plain, monkeypatch, rng):
    """What lies between the two products, run by Python itself, gives the same numbers."""
    for name in ("tanh", "dots", "add_rows", "activate", "deactivate", "mlp_middle"):
        monkeypatch.setattr(plain, name, getattr(plain, name).py_func)
    scorer = bt.MLPScorer(3, 4, activation)
    every = {"weights": rng.uniform(size=130), "labels": rng.uniform(size=130)}
    options = {name: every[name] for name in names}
    pairs = bt.PreferencePairs(rng.normal(size=(130, 3)), rng.normal(size=(130, 3)), **options)
    phi = rng.normal(size=scorer.n_parameters)
    mean, gradient = plain.mlp_loss_and_gradient(pairs.chosen, pairs.rejected, phi, 4, activation=activation, **options)
    want_mean, want = bt.Objective(scorer, pairs, backend="numpy")(phi)
    assert mean == pytest.approx(want_mean, rel=1e-13)
    np.testing.assert_allclose(gradient, want, rtol=0, atol=1e-13)


def test_tanh_is_within_three_of_its_last_places(rng) -> None:
    """Beside mpmath with 50 digits, on both sides of every place where the formula changes; signs, NaN and infinity."""
    steps = np.log(2) / 4 * np.arange(1, 120, 2)  # where k changes
    points = np.concatenate([
        steps, np.nextafter(steps, 0), rng.uniform(0, 1, 500), 10.0 ** rng.uniform(-300, 1.4, 500), [19.9, 20.1, 700.0]
    ])  # fmt: skip
    with mpmath.workdps(50):
        want = [mpmath.tanh(mpmath.mpf(float(x))) for x in points]
        off = [
            abs((mpmath.mpf(compiled.tanh(x)) - w) / np.spacing(float(w))) for x, w in zip(points, want, strict=True)
        ]
    assert max(off) <= 3
    assert all(compiled.tanh(-x) == -compiled.tanh(x) for x in points)
    assert compiled.tanh(np.inf) == 1
    assert compiled.tanh(-np.inf) == -1
    assert math.isnan(compiled.tanh(np.nan))
    assert math.copysign(1, compiled.tanh(-0.0)) == -1
    assert compiled.tanh(5e-324) == 5e-324


def test_differences_formed_on_the_way_give_the_same_bits(rng) -> None:
    """``minus`` is subtracted block by block; whoever subtracts, the numbers are the same."""
    chosen, rejected = rng.normal(size=(10_001, 3)), rng.normal(size=(10_001, 3)).astype(np.float32)
    phi, w, d = rng.normal(size=3), rng.uniform(size=10_001), chosen - rejected
    loss, gradient = compiled.linear_loss_and_gradient(chosen, phi, minus=rejected, weights=w)
    want_loss, want = compiled.linear_loss_and_gradient(d, phi, weights=w)
    assert loss == want_loss
    assert gradient.tobytes() == want.tobytes()
    margins = compiled.linear_margins(chosen, phi, minus=rejected)
    assert margins.tobytes() == compiled.linear_margins(d, phi).tobytes()
    gram = compiled.weighted_gram(chosen, w, minus=rejected)
    assert gram.tobytes() == compiled.weighted_gram(d, w).tobytes()
    with pytest.raises(ValueError, match=r"^differences: expected"):
        compiled.linear_margins(chosen, phi, minus=rejected[1:])


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_nan_in_phi_is_nan_in_the_gradient(activation: str, rng) -> None:
    """A NaN weight of one unit makes every entry NaN, as in the NumPy form: no branch may swallow it."""
    pairs = bt.PreferencePairs(rng.normal(size=(20, 5)), rng.normal(size=(20, 5)))
    scorer = bt.MLPScorer(5, 4, activation)
    phi = rng.normal(size=scorer.n_parameters)
    phi[0] = np.nan
    for backend in ("numba", "numpy"):
        loss, gradient = bt.Objective(scorer, pairs, backend=backend)(phi)
        assert math.isnan(loss)
        assert np.isnan(gradient).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phi": np.ones(17)}, "^phi: expected 12 numbers"),
        ({"rejected": np.zeros((1, 2))}, "^phi: expected 12 numbers and features of one shape"),
        ({"activation": "sigmoid"}, "^activation: expected 'tanh' or 'relu'"),
    ],
)
def test_mlp_pass_refuses_what_does_not_fit(change, message: str) -> None:
    """Nothing is read or written beyond an array's end."""
    given = {"chosen": np.ones((4, 2)), "rejected": np.zeros((4, 2)), "phi": np.ones(12), "n_hidden": 3} | change
    with pytest.raises(ValueError, match=message):
        compiled.mlp_loss_and_gradient(**given)
    with pytest.raises(ValueError, match=r"^weights: expected shape \(4,\)"):
        compiled.weighted_gram(np.ones((4, 2)), np.ones(1))


def test_arrays_at_odd_places_in_memory_are_read_rightly(rng) -> None:
    """Numbers that begin at an odd byte, as in an NPZ file, and a phi with gaps give the same bits."""
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
