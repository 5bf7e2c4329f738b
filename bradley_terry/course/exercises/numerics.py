"""Exercises of lesson 9: the borders of a floating-point format, and a compiled kernel for loss and gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ...arrays.visible import quoted
from ...gradient_check.runner import kind_of
from ...logistic import Array, log_sigmoid, sigmoid
from ...losses import mean_loss, pair_loss_gradients, pair_losses
from ..engine import (
    FAILED,
    LIMIT,
    RELATIVE,
    Case,
    Report,
    Stop,
    Student,
    Wrong,
    call,
    can_be_called_with,
    check_values,
    compare,
    judged,
    real_numbers,
    with_their_objects,
)

__all__ = ["format_limits", "kernel", "overflow_limit"]

FORMATS = {"float16": (5, 10), "bfloat16": (8, 7), "float32": (8, 23), "float64": (11, 52), "another": (6, 9)}


def format_limits(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(exponent_bits, fraction_bits) -> (largest x, margin), both to 0.1 %.

    The first number is the largest x for which exp(x) is finite in a floating-point format with these numbers of bits.
    The second is the smallest margin Δ at which 1 + exp(−Δ) rounds to 1. The formats are those of IEEE 754, in which
    the highest exponent stands for infinity.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> def limits(exponent_bits, fraction_bits):
    ...     return 2 ** (exponent_bits - 1) * np.log(2), fraction_bits * np.log(2)
    >>> print(check.format_limits(limits).problems[0].diagnosis)
    looks like: the Δ at which exp(−Δ) is ε:
    1 + ε is the next number after 1, but 1 + ε/2 rounds to 1
    """

    def wrong(exponent_bits: int, fraction_bits: int) -> Wrong:
        right = _limits(exponent_bits, fraction_bits)
        top, mantissa = 2 ** (exponent_bits - 1) - 1, np.log(2 - 0.5**fraction_bits)
        yield "the logarithms have base 2: exp has base e", right / np.log(2)
        yield "the logarithms have base 10: exp has base e", right / np.log(10)
        yield "the two numbers are exchanged", right[::-1]
        yield "the two arguments are exchanged: exponent_bits comes first", _limits(fraction_bits, exponent_bits)
        yield "the largest number itself: return the x for which exp(x) is this number", [np.exp(right[0]), right[1]]
        yield (
            "the largest exponent is 2^(exponent_bits − 1) − 1: the other half of the exponents is negative",
            [(2**exponent_bits - 1) * np.log(2) + mantissa, right[1]],
        )
        yield "the highest exponent is counted, but it stands for infinity", [right[0] + np.log(2), right[1]]
        yield "the fraction is missing: the largest number is nearly 2 · 2^k, not 2^k", [top * np.log(2), right[1]]
        yield (
            "the Δ at which exp(−Δ) is ε: 1 + ε is the next number after 1, but 1 + ε/2 rounds to 1",
            [
                right[0],
                fraction_bits * np.log(2),
            ],
        )
        yield "the second number has the wrong sign: exp(−Δ) is small where Δ is large", right * [1, -1]

    cases: list[Case] = [
        (bits, f"for {bits[0]} bits of exponent and {bits[1]} of fraction ({name}): ") for name, bits in FORMATS.items()
    ]
    return check_values(
        "limits", function, ("exponent_bits", "fraction_bits"), cases, _limits, wrong, time_limit, tolerance=1e-3
    )


def _limits(exponent_bits: int, fraction_bits: int) -> Array:
    """Return log((2 − 2^−f) 2^k) for the largest exponent k, and log(2/ε) = log 2^(f + 1)."""
    largest = (2 ** (exponent_bits - 1) - 1) * np.log(2) + np.log(2 - 0.5**fraction_bits)
    return np.array([largest, (fraction_bits + 1) * np.log(2)])


def overflow_limit(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(dtype) -> the largest x for which exp(x) is finite in that floating-point type, to 0.1 %.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> check.overflow_limit(lambda dtype: np.finfo(dtype).max).problems[0].diagnosis
    'looks like: the largest number itself: that is the limit of exp(x), not of x'
    """

    def wrong(dtype: type[np.floating]) -> Wrong:
        info = np.finfo(dtype)
        yield "the largest number itself: that is the limit of exp(x), not of x", float(info.max)
        yield "the logarithm has base 2: exp has base e", float(np.log2(float(info.max)))
        yield "the logarithm has base 10: exp has base e", float(np.log10(float(info.max)))
        tiny = float(np.log(float(info.tiny)))
        yield "the x at which exp(x) is the smallest normal number, not where it overflows", tiny
        yield "the limit of float64 for every dtype", float(np.log(np.finfo(np.float64).max))
        yield "the limit of float32 for every dtype", float(np.log(float(np.finfo(np.float32).max)))
        yield "−log ε: there exp(−x) is ε, but exp(x) does not overflow", -float(np.log(float(info.eps)))

    types = (np.float64, np.float32, np.float16)
    cases: list[Case] = [((dtype,), f"for {dtype.__name__}: ") for dtype in types]
    return check_values(
        "limit", function, ("dtype",), cases, lambda dtype: np.log(float(np.finfo(dtype).max)), wrong, time_limit,
        tolerance=1e-3,
    )  # fmt: skip


def kernel(function: Student, *, time_limit: float = 60.0) -> Report:
    """Check a compiled kernel, f(margins) -> (mean loss, gradients).

    The gradients are those of the mean, −σ(−Δ)/n. The numbers must be right, even at extreme margins. A NaN must stay a
    NaN. The function must be compiled. The time limit covers the first call, which compiles.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> report = check.kernel(lambda margins: (np.mean(np.logaddexp(0, -margins)), 0 * margins))
    >>> report.problems[0].diagnosis
    'looks like: zero everywhere: the array was never filled in'
    """
    rng = np.random.default_rng(9)
    cases = [
        (rng.normal(0, 2, 7), ""),
        (np.array([0.5]), "for a single pair: "),
        (rng.normal(0, 2, 1000), "for 1,000 pairs: "),
        (np.array([1000.0, -1000.0, 0.0, 40.0, -40.0]), "at margins of ±1000: "),
    ]

    def stages() -> None:
        can_be_called_with(getattr(function, "py_func", function), (cases[0][0],), ("margins",))
        for z, note in cases:
            answer = call(function, (z,), ("margins",), time_limit, note=note)

            def given(entry: int, z: Array = z) -> str:
                return f"margin = {z[entry - 1]:.6g}" if entry else ""

            mean, gradients = _pair(answer, z, note, given)
            right = np.append(mean_loss(z), pair_loss_gradients(z) / z.size)
            got = np.append(mean, gradients)

            def named(failed: Mapping[str, bool], got: Array = got, z: Array = z) -> dict[str, str]:
                found = {}
                for block, wrong in (("mean loss", _wrong_means(z)), ("gradients", _wrong_gradients(z))):
                    mine = got[:1] if block == "mean loss" else got[1:]
                    same = [words for words, value in wrong if np.allclose(mine, value, rtol=1e-6, atol=1e-12)]
                    if failed[block] and 0 < len(same) <= 2:
                        found[block] = f"looks like: {'; or: '.join(same)}"
                return found

            compare(got, right, {"mean loss": (), "gradients": z.shape}, note, RELATIVE, named, given)

        with_nan, note = np.array([0.5, np.nan, -1.0]), "given a NaN: "
        mean, gradients = _pair(call(function, (with_nan,), ("margins",), time_limit, note=note), with_nan, note)
        if not (np.isnan(mean) and np.isnan(gradients[1])):
            raise Stop(
                FAILED, "given a NaN: it returns a number, but a NaN must stay a NaN, or nobody notices the error"
            )
        if not hasattr(function, "py_func"):
            raise Stop(FAILED, "the numbers are right, but it is plain Python: put @njit on the line above def")

    return judged("kernel", stages)


def _pair(answer: object, z: Array, note: str, given: Callable[[int], str] = lambda entry: "") -> tuple[float, Array]:
    with with_their_objects(f"{note}looking at what your function returned"):
        return _numbers_of(answer, z, note, given)


def _numbers_of(answer: object, z: Array, note: str, given: Callable[[int], str]) -> tuple[float, Array]:
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise Stop(FAILED, f"{note}expected a mean loss and an array of gradients, got {kind_of(answer)}")
    if np.isnan(z).any():
        mean_of, each = (np.asarray(part) for part in answer)
        if mean_of.dtype.kind != "f" or mean_of.shape or each.dtype.kind != "f" or each.shape != z.shape:
            raise Stop(FAILED, f"{note}expected a number and {z.size} gradients, got {quoted(answer)}")
        return float(mean_of), each
    mean = real_numbers(answer[0], "mean loss", (), note=note)
    return float(mean), real_numbers(answer[1], "gradients", z.shape, note=note, given=lambda entry: given(entry + 1))


def _wrong_means(z: Array) -> Wrong:
    right = mean_loss(z)
    yield "a sum instead of a mean: divide by the number of pairs", right * z.size
    yield "the minus sign is missing", -right
    yield "the margin has the wrong sign", mean_loss(-z)
    yield "the loss of the last pair only: use += in the loop", pair_losses(z[-1])
    yield "the last pair's share of the mean only: use += in the loop", pair_losses(z[-1]) / z.size


def _wrong_gradients(z: Array) -> Wrong:
    right = pair_loss_gradients(z) / z.size
    yield "the division by the number of pairs is missing", right * z.size
    yield "the sign is flipped", -right
    yield "σ(Δ) instead of σ(−Δ)", -sigmoid(z) / z.size
    yield "σ′(Δ) instead of σ(−Δ)", -sigmoid(z) * sigmoid(-z) / z.size
    yield "zero everywhere: the array was never filled in", 0 * z
    yield "σ(−|Δ|) for both signs: where Δ < 0, σ(−Δ) is 1/(1 + exp(Δ))", -sigmoid(-np.abs(z)) / z.size
    yield "losses instead of gradients", -log_sigmoid(z)
