"""The error level of every check, and the tests that hold it."""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ..logistic import Array
from ..uncertainty.chi_squared import upper_tail

__all__ = [
    "LEVEL",
    "MATTERS",
    "Mean",
    "at_least",
    "chi_squared_quantile",
    "in_errors",
    "least_pairs",
    "mean_of",
    "normal_quantile",
    "would_tell",
]

LEVEL = 0.01
"""The probability with which a check reports a fault that is not there."""

MATTERS = 0.1
"""A share of what a model has learned that is worth mentioning. This is a definition, not a result."""


SIGNAL = 0.6 * float(np.log(0.6)) + 0.4 * float(np.log(0.4)) + float(np.log(2))
"""The fall of the loss, 0.0201 nats, of a model that is right in 60 % of all pairs and knows it: a definition, too."""

ROUNDING = 1e-12
"""A difference of means this small, in nats or log-odds, is rounding."""


@cache
def normal_quantile(level: float = LEVEL) -> float:
    """Return the z that a standard normal number exceeds with probability ``level``."""
    return NormalDist().inv_cdf(1 - level)


@cache
def chi_squared_quantile(degrees_of_freedom: int, level: float = LEVEL) -> float:
    """Return the x that a chi-squared number exceeds with probability ``level``, by bisection."""
    low, high = 0.0, 10.0
    while upper_tail(high, degrees_of_freedom) > level:
        low, high = high, 2 * high
    while high - low > 1e-10 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if upper_tail(middle, degrees_of_freedom) > level else (low, middle)
    return high


def least_pairs(degrees_of_freedom: int) -> float:
    """Return how many choices a chi-squared test of coin flips needs: 5 for each parameter, and 3 times its threshold.

    Its statistic is never larger than the number of choices, and with fewer of them even a good model has too small a
    statistic.
    """
    return max(5 * degrees_of_freedom, 3 * chi_squared_quantile(degrees_of_freedom))


def would_tell(degrees_of_freedom: int, n: float) -> bool:
    """Return whether n choices would show a ``SIGNAL`` with a probability of 99 %.

    Twice the fall of the summed loss is then noncentral chi-squared, with the mean k + λ and the variance 2 (k + 2 λ),
    where λ is 2 n·SIGNAL. The normal approximation is cautious, since the lower tail of this distribution is shorter.
    """
    k, shift = degrees_of_freedom, 2 * n * SIGNAL
    return k + shift - normal_quantile() * float(np.sqrt(2 * (k + 2 * shift))) > chi_squared_quantile(k)


class Mean:
    """A weighted mean of values over pairs, and its standard error over independent prompts."""

    def __init__(self, mean: float, standard_error: float) -> None:
        self.mean, self.standard_error = mean, standard_error

    def z(self, null: float = 0.0) -> float:
        """Return how many standard errors the mean lies above ``null``; ±∞ or 0 if there is no variation."""
        return in_errors(self.mean - null, self.standard_error)


def in_errors(distance: float, standard_error: float) -> float:
    """Return a distance in standard errors; ±∞ or 0 if there is no variation beyond rounding."""
    if standard_error > ROUNDING:
        return distance / standard_error
    return float(np.sign(distance)) * np.inf if abs(distance) > ROUNDING else 0.0


def mean_of(values: Array, w: Array, prompts: NDArray[np.int64]) -> Mean:
    """Return the mean Σ w·v / Σ w with the error √(G/(G-1)·Σ e²)/Σ w, where e sums w·(v - mean) over a prompt."""
    total = float(w.sum())
    mean = float(np.dot(w, values)) / total
    unit = float(np.abs(values).max()) or 1.0  # so that no square overflows
    sums = np.bincount(prompts, weights=w * (values / unit - mean / unit))
    n = int(np.count_nonzero(np.bincount(prompts, weights=w)))
    return Mean(mean, unit * float(np.sqrt(n / (n - 1) * np.dot(sums, sums))) / total if n > 1 else np.inf)


def at_least(found: int, probabilities: Array) -> float:
    """Return the probability that at least ``found`` of independent events happen, from the probability of each.

    The distribution of their number is built up one event at a time. For more than 3,000 events, the normal
    approximation with a continuity correction takes its place.
    """
    if probabilities.size > 3000:
        sd = float(np.sqrt(np.sum(probabilities * (1 - probabilities))))
        return 1 - NormalDist().cdf((found - 0.5 - float(probabilities.sum())) / sd) if sd > 0 else 1.0
    of_count = np.zeros(probabilities.size + 1)
    of_count[0] = 1.0
    for p in probabilities:
        of_count[1:] = of_count[1:] * (1 - p) + of_count[:-1] * p
        of_count[0] *= 1 - p
    return min(1.0, float(of_count[found:].sum()))
