"""Wilson's interval of a share, and how many independent prompts a bin is worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays.given import broadcast, float64
from ..logistic import Array

__all__ = ["effective_numbers", "wilson_intervals"]

QUANTILE_95 = 1.959963984540054  # 95 % of a normal distribution lie within this many standard deviations of its mean


def wilson_intervals(shares: ArrayLike, n_trials: ArrayLike) -> Array:
    """Return the 95 % interval of each share p̂ that was observed in n trials, (n, 2), in [0, 1]; NaN stays NaN.

    The interval contains every p that a normal test does not reject: ``|p̂ - p| <= 1.96·√(p(1 - p)/n)``. Squared,
    with c = 1.96²/n, this is the quadratic (1 + c)·p² - (2p̂ + c)·p + p̂² <= 0, and the interval lies between its roots.
    Unlike p̂ ± 1.96·√(p̂(1 - p̂)/n), it stays in [0, 1], and its width is positive even at p̂ = 0 and p̂ = 1.

    Parameters
    ----------
    shares : array_like, (n,), in [0, 1]
    n_trials : array_like, (n,) or one number, above 0
        They need not be whole numbers.

    References
    ----------
    Wilson, E. B. 1927, Journal of the American Statistical Association 22(158), 209-212.

    Examples
    --------
    >>> print(wilson_intervals([0.8, 1.0], 10).round(4))
    [[0.4902 0.9433]
     [0.7225 1.    ]]
    """
    p, n = broadcast(shares=float64(shares, "shares"), n_trials=float64(n_trials, "n_trials"))
    if ((p < 0) | (p > 1)).any():
        raise ValueError("shares: expected numbers in [0, 1]")
    if (n < 1e-100).any():
        raise ValueError("n_trials: expected numbers above 0")
    c = QUANTILE_95**2 / n
    middle, half = p + c / 2, np.sqrt(c * p * (1 - p) + c * c / 4)
    # The product of the roots is p̂²/(1 + c), so the larger root gives the smaller, exactly 0 at p̂ = 0. In the same way,
    # the symmetry p → 1 - p gives the larger root, exactly 1 at p̂ = 1.
    low = p * p / (middle + half)
    high = 1 - (1 - p) ** 2 / (1 + c - middle + half)
    return np.stack([low, high], axis=-1)


def effective_numbers(bins: NDArray[np.int64], prompts: NDArray[np.int64], w: Array, n_bins: int) -> Array:
    """Return (Σ W)² / Σ W² over the prompts of each bin, (n_bins,), NaN in an empty bin."""
    cell = bins * (int(prompts.max()) + 1) + prompts  # one number for each combination of bin and prompt
    order = np.argsort(cell, kind="stable")
    first = np.flatnonzero(np.diff(cell[order], prepend=-1))  # where each combination starts
    in_bin, of_prompt = bins[order][first], np.add.reduceat(w[order], first)
    largest = np.zeros(n_bins)
    np.maximum.at(largest, in_bin, of_prompt)
    largest[largest == 0] = np.nan
    ratios = of_prompt / largest[in_bin]  # at most 1, so their squares cannot overflow, and equal prompts count exactly
    total = np.bincount(in_bin, weights=ratios, minlength=n_bins)
    squares = np.bincount(in_bin, weights=ratios * ratios, minlength=n_bins)
    return total * total / np.where(squares > 0, squares, np.nan)
