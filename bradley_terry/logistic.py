"""The logistic function, its logarithm and its inverse, without overflow and without lost digits.

Everything rests on one number that is always safe to compute, e = exp(-|z|), which lies in [0, 1]:

    softplus(z) = log(1 + exp(z)) = max(z, 0) + log(1 + e)       no large number is ever exponentiated
    sigma(-|z|) = e / (1 + e)     = e - e·e / (1 + e)            the smaller of the two probabilities
    sigma(+|z|) = 1 / (1 + e)                                    the larger

Where the textbook forms break, in float64: exp(z) overflows from z = 709.7827 on; 1 / (1 + exp(-z)) is exactly 1
from z = 36.74 on, so that its logarithm is 0 and log(1 - sigma) is minus infinity; -log(sigma + 1e-8) never
exceeds 18.42. In float32 the first two happen at 88.72 and 16.64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import given

__all__ = ["Array", "cross_entropy", "log_sigmoid", "logit", "sigmoid", "softplus"]

Array = NDArray[np.float64]
Float = np.float64 | Array
Numbers = Array | NDArray[np.float32] | Sequence[float]  # ArrayLike without the single number


def as_float64(values: ArrayLike, name: str) -> tuple[Array, np.dtype[np.floating]]:
    """Return ``values`` as float64, and the dtype of the result: float32 for float32 values, else float64.

    float32 values are computed in float64 and rounded once at the end. This is both simpler and more accurate than
    working in float32 throughout.
    """
    array = given.real(values, name)
    dtype = np.dtype(np.float32) if array.dtype.newbyteorder("=") == np.float32 else np.dtype(np.float64)
    return array.astype(np.float64, copy=False), dtype


def _answer(result: Array, dtype: np.dtype[np.floating]) -> Float:
    """Return the result in this dtype; ``[()]`` turns an array without axes into a plain number."""
    return result.astype(dtype, copy=False)[()]


@overload
def softplus(z: float) -> np.float64: ...
@overload
def softplus(z: Numbers) -> Array: ...
@overload
def softplus(z: ArrayLike) -> Float: ...
# From |z| = 745.13 on, exp(-|z|) is smaller than the smallest double, and its correctly rounded value is zero. The
# decorator is for callers who run under np.errstate(all="raise"); it silences no other floating-point error.
@np.errstate(under="ignore")
def softplus(z: ArrayLike) -> Float:
    """Compute log(1 + exp(z)), the smooth version of max(z, 0).

    Parameters
    ----------
    z : array_like, any shape, log-odds
        Any real number, infinities included. NaN stays NaN.

    Returns
    -------
    array of the same shape, nats, in [0, inf], within 2 ulp
        float32 for float32 input, else float64.

    Notes
    -----
    For z > 0, log(1 + exp(z)) = z + log(1 + exp(-z)); for z <= 0 nothing needs rewriting. Both cases are
    ``max(z, 0) + log1p(exp(-|z|))``, a sum of two non-negative terms: nothing overflows and nothing cancels.

    Examples
    --------
    >>> print(f"{softplus(0.0):.6f} {softplus(1000.0):.1f}")
    0.693147 1000.0
    """
    z, dtype = as_float64(z, "z")
    return _answer(np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z))), dtype)


@overload
def sigmoid(z: float) -> np.float64: ...
@overload
def sigmoid(z: Numbers) -> Array: ...
@overload
def sigmoid(z: ArrayLike) -> Float: ...
@np.errstate(under="ignore")
def sigmoid(z: ArrayLike) -> Float:
    """Compute the logistic function sigma(z) = 1 / (1 + exp(-z)).

    Parameters
    ----------
    z : array_like, any shape, log-odds
        Any real number, infinities included. NaN stays NaN.

    Returns
    -------
    array of the same shape, a probability in [0, 1], within 2 ulp, even in the tail below 1e-300
        float32 for float32 input, else float64.

    Notes
    -----
    With ``e = exp(-|z|)`` the answer is 1 / (1 + e) for z >= 0 and e / (1 + e) for z < 0. The second is computed as
    e - e·e / (1 + e), because its large part, e, then has no further rounding error (1.7 ulp at worst, not 2.4).

    Examples
    --------
    >>> print(f"{sigmoid(1.5):.6f} {sigmoid(-1.5):.6f}")
    0.817574 0.182426
    """
    z, dtype = as_float64(z, "z")
    e = np.exp(-np.abs(z))
    return _answer(np.where(z < 0, e - e * (e / (1 + e)), 1 / (1 + e)), dtype)


@overload
def log_sigmoid(z: float) -> np.float64: ...
@overload
def log_sigmoid(z: Numbers) -> Array: ...
@overload
def log_sigmoid(z: ArrayLike) -> Float: ...
def log_sigmoid(z: ArrayLike) -> Float:
    """Compute log sigma(z) = -softplus(-z), accurate in both tails.

    Parameters
    ----------
    z : array_like, any shape, log-odds

    Returns
    -------
    array of the same shape, nats, in [-inf, 0], within 2 ulp

    Examples
    --------
    >>> print(f"{log_sigmoid(0.0):.6f} {log_sigmoid(-1000.0):.1f}")
    -0.693147 -1000.0
    """
    z, dtype = as_float64(z, "z")
    return _answer(-softplus(-z), dtype)


@overload
def logit(p: float) -> np.float64: ...
@overload
def logit(p: Numbers) -> Array: ...
@overload
def logit(p: ArrayLike) -> Float: ...
def logit(p: ArrayLike) -> Float:
    """Compute the log-odds log(p / (1 - p)): the inverse of ``sigmoid``.

    Parameters
    ----------
    p : array_like, any shape, probability in [0, 1]
        0 gives minus infinity, 1 gives infinity, and 1/2 gives exactly 0. NaN stays NaN.

    Returns
    -------
    array of the same shape, log-odds

    Raises
    ------
    ValueError
        If a value lies outside [0, 1].

    Notes
    -----
    With q = min(p, 1 - p), ``|logit p|`` = log(1 - q) - log q. Near q = 1/2 the two logarithms cancel, so there the
    identity log((1 - q) / q) = 2 artanh(1 - 2q) is used; 1 - 2q is exact for q in [1/4, 1/2].

    Examples
    --------
    >>> print(f"{logit(0.9):.6f} {logit(0.5):.1f}")
    2.197225 0.0
    """
    p, dtype = as_float64(p, "p")
    if np.any((p < 0) | (p > 1)):
        bad = p[(p < 0) | (p > 1)].flat[0]
        raise ValueError(f"p: expected probabilities in [0, 1], got {bad:g}")
    q = np.minimum(p, 1 - p)
    log_q = np.log(q, out=np.full(q.shape, -np.inf), where=~(q == 0))  # log 0 = -inf, without a warning
    # below 2^-54, log(1 - q) = -q is too small to matter next to log q, and computing it may underflow
    far = np.log1p(-q, out=np.zeros(q.shape), where=q > 2.0**-54) - log_q
    near = 2 * np.arctanh(1 - 2 * np.maximum(q, 0.25))
    return _answer(np.where(p < 0.5, -1.0, 1.0) * np.where(q < 0.25, far, near), dtype)


@np.errstate(under="ignore")
def cross_entropy(p: ArrayLike, q: ArrayLike, z: ArrayLike) -> Array:
    """Compute p·softplus(-z) + q·softplus(z), q = 1 - p: the expected loss of sigma(z) if the true probability is p.

    The function takes both p and q because 1 - p would lose the digits of a small q. With p + q = 1 the sum is
    ``softplus(-|z|)`` plus ``|z|`` times the probability of the outcome that sigma(z) considers less likely. Both terms
    are non-negative, and at z = 0 the sum is exactly log 2 for every p. An outcome of probability zero costs nothing,
    even at an infinite z.
    """
    p, q, z = given.float64(p, "p"), given.float64(q, "q"), given.float64(z, "z")
    if not p.shape == q.shape == z.shape:
        p, q, z = given.broadcast(p=p, q=q, z=z)
    unlikely, away = np.where(z < 0, p, q), np.abs(z)
    surprise = np.multiply(unlikely, away, out=np.zeros(z.shape), where=unlikely != 0)
    return softplus(-away) + surprise
