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
BLOCK = 4096  # numbers whose polynomial is computed while they are in the fastest cache
HALF_LOG_2_PI = 0.9189385332046727
# (1 + x)·R(x) = Σ_j COEFFICIENTS[j]·T_j((x - 5)/(x + 5)) with Chebyshev's polynomials T_j. The relative error is 3e-17;
# a test recomputes them.
COEFFICIENTS = (
    1.1579976221305188,
    -0.1633449388451398,
    -0.013683136055781576,
    0.03082200019810004,
    -0.016220073012046806,
    0.005616691016460094,
    -0.0014133933783549216,
    0.0002502625460725661,
    -2.468907239728387e-05,
    -1.0107964061837592e-06,
    7.495419179740573e-07,
    -7.600274268728337e-08,
    -1.1574771441328644e-08,
    3.3333864725998423e-09,
    7.538039628169966e-11,
    -1.1104247263728986e-10,
    3.5092437767841537e-12,
    3.689495386896253e-12,
    -2.3376698107019146e-13,
    -1.3271799518916483e-13,
    9.921743239178545e-15,
    5.276472702380192e-15,
    -3.3745917520440467e-16,
    -2.3837142964109013e-16,
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
        twice = 2 - 20 / (part + 5)  # 2t
        last, later, new = np.full_like(part, COEFFICIENTS[-1]), np.zeros_like(part), np.empty_like(part)
        for coefficient in COEFFICIENTS[-2:0:-1]:  # Clenshaw 1955: new = coefficient + 2t·last - later
            np.multiply(twice, last, out=new)
            new -= later
            new += coefficient
            last, later, new = new, last, later
        result[start : start + BLOCK] = (COEFFICIENTS[0] + 0.5 * twice * last - later) / (1 + part)
    return result.reshape(x.shape)
