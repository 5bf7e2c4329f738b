"""The normal distribution far out in its tail, where computing 1 - Φ(x) by subtraction would lose all digits.

    R(x)    = (1 - Φ(x)) / φ(x)                     Mills's ratio, for x >= 0
    1/R(x)  = x + T(x)                              T(x) = 1/(x + 2/(x + 3/(x + …)))   (Laplace 1805)

(1 + x)·R(x) changes little from x = 0 to infinity, so a polynomial in t = (x - 5)/(x + 5) follows it to all digits
(Schonfelder 1978, Mathematics of Computation 32, 1232-1240, does so for erfc). For x >= 5, T comes from the continued
fraction, since 1/R - x would lose its digits.
"""

from __future__ import annotations

import numpy as np

from ..logistic import Array

__all__ = ["excess", "log_density", "mills"]

NEAR = 5.0  # from here on, N_LEVELS of the continued fraction have all digits
N_LEVELS = 30
BLOCK = 8192  # numbers whose polynomial is computed while they are in the cache
HALF_LOG_2_PI = 0.9189385332046727
# (1 + x)·R(x) = Σ_j COEFFICIENTS[j]·t^j with t = (x - 5)/(x + 5), interpolated at Chebyshev's nodes. The relative error
# is 3e-17; a test recomputes them.
COEFFICIENTS = (
    1.1568486282918946,
    -0.2294875382521129,
    0.07778159886873764,
    0.02507217930161715,
    -0.06617760077909461,
    0.06150504584074597,
    -0.03802659218586716,
    0.016348231274349995,
    -0.0042012903289861386,
    1.9530682704042314e-05,
    0.00045704392266072,
    -0.00013437445842160464,
    -2.4805835828998953e-05,
    2.2710081536644496e-05,
    -1.7633721137504215e-07,
    -3.2780889332747656e-06,
    3.2054886338682205e-07,
    4.92889412763629e-07,
    -6.589393318333421e-08,
    -7.821049220473805e-08,
    9.094218432472913e-09,
    1.1281645525139734e-08,
    -7.077031841982677e-10,
    -9.99802240829343e-10,
)


def log_density(x: Array) -> Array:
    """Return log φ(x)."""
    return -0.5 * x * x - HALF_LOG_2_PI


def excess(x: Array) -> Array:
    """Return T(x) = φ(x)/(1 - Φ(x)) - x, for x >= 0: how much the hazard of a normal variable exceeds x."""
    result, far = np.empty_like(x), x >= NEAR
    near = x[~far]
    result[~far] = 1 / mills(near) - near
    if far.any():
        beyond: Array = x[far]
        level = np.zeros_like(beyond)
        for k in range(N_LEVELS, 0, -1):
            level = k / (beyond + level)
        result[far] = level
    return result


def mills(x: Array) -> Array:
    """Return R(x) = (1 - Φ(x))/φ(x), for x >= 0. At infinity it is 0."""
    flat, result = np.ravel(x), np.empty(x.size)
    for start in range(0, x.size, BLOCK):
        part = flat[start : start + BLOCK]
        t, polynomial = 1 - 10 / (part + 5), np.full_like(part, COEFFICIENTS[-1])
        for coefficient in COEFFICIENTS[-2::-1]:
            polynomial *= t
            polynomial += coefficient
        np.divide(polynomial, 1 + part, out=result[start : start + BLOCK])
    return result.reshape(x.shape)
