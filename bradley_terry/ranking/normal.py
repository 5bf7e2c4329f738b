"""The normal distribution far out in its tail, where 1 - Φ(x) has no digits left to subtract.

    R(x)    = (1 - Φ(x)) / φ(x)                     Mills's ratio, for x >= 0
    1/R(x)  = x + T(x)                              T(x) = 1/(x + 2/(x + 3/(x + …)))   (Laplace 1805)

For small x the continued fraction converges slowly, but there 1 - Φ(x) = ½ - φ(x)·(x + x³/3 + x⁵/15 + …) loses few
digits. Both are evaluated with a fixed number of terms, enough for all digits of a double.
"""

from __future__ import annotations

import numpy as np

from ..logistic import Array

__all__ = ["excess", "log_density", "mills"]

NEAR = 2.0  # up to here the series is used
N_TERMS, N_LEVELS = 40, 120
HALF_LOG_2_PI = 0.9189385332046727


def log_density(x: Array) -> Array:
    """Return log φ(x)."""
    return -0.5 * x * x - HALF_LOG_2_PI


def excess(x: Array) -> Array:
    """Return T(x) = φ(x)/(1 - Φ(x)) - x, for x >= 0: how much the hazard of a normal variable exceeds x."""
    near = x <= NEAR
    result = np.empty_like(x)
    close = x[near]
    result[near] = 1 / _mills_by_series(close) - close
    far = x[~near]
    level: Array = np.zeros_like(far)
    for k in range(N_LEVELS, 0, -1):
        level = k / (far + level)
    result[~near] = level
    return result


def mills(x: Array) -> Array:
    """Return R(x) = (1 - Φ(x))/φ(x), for x >= 0."""
    return 1 / (x + excess(x))


def _mills_by_series(x: Array) -> Array:
    """Return R(x) for x in [0, 2], from the series of Φ(x) - ½ in odd powers of x."""
    term: Array = x.copy()
    total: Array = term.copy()
    for k in range(1, N_TERMS):
        term = term * (x * x / (2 * k + 1))
        total += term
    return 0.5 * np.exp(-log_density(x)) - total
