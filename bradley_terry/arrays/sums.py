"""Sums and means that are correct to 2 units in the last place, for numbers of any size and in any order.

A sum is kept as two numbers, the rounded sum and the rest that rounding lost. Adding b to a gives s = fl(a + b), and
what is lost is e = (a - (s - z)) + (b - z) with z = s - a, without rounding (Knuth 1969, The Art of Computer
Programming 2, section 4.2.2). A few thousand such sums run side by side, so that each step is a step for whole arrays,
and ``math.fsum`` adds them and their rests at the end. The kernels do the same in ``compiled.add_run``.

The mean of n numbers is the exact mean, rounded once. With weights the products w·v are rounded, too.
"""

from __future__ import annotations

import math

import numpy as np

from ..logistic import Array

__all__ = ["exact_sum", "mean_of", "quotient", "spread_of"]

LANES = 4096  # sums that run side by side; with their rests and the buffers, 160 kB
FEW = 256  # Fewer sums than this are added by ``math.fsum``.
LARGE = 900  # Sums of numbers above 2^900 could overflow, so such numbers are divided by a power of 2.


def exact_sum(values: Array) -> tuple[float, float]:
    """Return the sum of finite values, (n,), rounded to a double, and the rest. The sum must not overflow."""
    values = values.reshape(-1)  # one number may come without an axis
    if values.size <= 2 * LANES:
        return _both(values.tolist())
    sums, rests, z, e = np.zeros(LANES), np.zeros(LANES), np.empty(LANES), np.empty(LANES)
    whole = values.size - values.size % LANES
    for start in range(0, whole, LANES):
        b = values[start : start + LANES]
        s = sums + b
        np.subtract(s, sums, out=z)
        np.subtract(b, z, out=e)
        rests += e
        np.subtract(s, z, out=e)
        np.subtract(sums, e, out=e)
        rests += e
        sums = s
    while sums.size > FEW:
        a, b = np.split(sums, 2)
        sums = a + b
        z = sums - a
        rests = rests[: a.size] + rests[a.size :] + ((a - (sums - z)) + (b - z))
    return _both([*sums.tolist(), *rests.tolist(), *values[whole:].tolist()])


def _both(values: list[float]) -> tuple[float, float]:
    total = math.fsum(values)
    values.append(-total)
    return total, math.fsum(values)


def quotient(a: float, a_rest: float, b: float, b_rest: float = 0.0) -> float:
    """Return (a + a_rest) / (b + b_rest), rounded about once: a / b, corrected by what is left over."""
    q = a / b
    if not abs(q) < 2.0**990:  # there is no room above it for the products
        return q
    (q_high, q_low), (b_high, b_low) = _halves(q), _halves(b)
    products = -q_high * b_high, -q_high * b_low, -q_low * b_high, -q_low * b_low  # each is exact
    return q + math.fsum((a, a_rest, *products, -q * b_rest)) / b


def _halves(x: float) -> tuple[float, float]:
    """Return x as a sum of two numbers of 26 bits (Veltkamp 1968)."""
    shifted = 134217729.0 * x  # 2^27 + 1
    high = shifted - (shifted - x)
    return high, x - high


@np.errstate(over="ignore", under="ignore")  # products out of range are computed again, from smaller factors
def mean_of(values: Array, weights: Array | None = None) -> float:
    """Return Σ w·v / Σ w, or Σ v / n, for one axis and weights of at least 0 that are not all 0.

    A mean lies between the smallest and the largest number, and so the mean of equal numbers is exactly that number,
    also with weights. Infinite numbers have the mean ±∞, or NaN if there are both.
    """
    smallest, largest = float(values.min()), float(values.max())
    if not -math.inf < smallest <= largest < math.inf:
        return smallest + largest
    largest_value, heaviest = max(-smallest, largest), 1.0 if weights is None else float(weights.max())
    products = values if weights is None else weights * values
    size = largest_value if weights is None else max(-float(products.min()), float(products.max()))
    exponent = of_weights = 0
    if max(size, largest_value, heaviest) > 2.0**LARGE or (weights is not None and min(size, heaviest) < 2.0**-LARGE):
        m, e = np.frexp(values)
        if weights is not None:
            (of_w, e_w), of_weights = np.frexp(weights), math.frexp(heaviest)[1]
            m, e, weights = m * of_w, e + e_w, np.ldexp(weights, -of_weights)
        exponent = int(e[m != 0].max(initial=-2200))  # of the largest product; it does not matter if all are 0
        products = np.ldexp(m, e - exponent)
    mean = quotient(*exact_sum(products), *((float(values.size), 0.0) if weights is None else exact_sum(weights)))
    return min(max(float(np.ldexp(mean, exponent - of_weights)), smallest), largest)


def spread_of(values: Array, weights: Array | None = None) -> float:
    """Return the square root of the mean of (v - mean)², in the units of the values."""
    smallest, largest = float(values.min()), float(values.max())
    if not -math.inf < smallest <= largest < math.inf:
        return math.nan
    exponent = math.frexp(max(-smallest, largest))[1] + 1  # then no difference is above 1, and no square overflows
    away = np.ldexp(values, -exponent)
    with np.errstate(under="ignore"):
        away = (away - mean_of(away, weights)) ** 2
    return math.ldexp(math.sqrt(mean_of(away, weights)), exponent)
