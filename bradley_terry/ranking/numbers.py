"""What the losses share: products and mixtures without 0·∞, formulas of probabilities, checks of parameters."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ..arrays.given import float64, of_shape
from ..arrays.single import number
from ..arrays.visible import quoted
from ..logistic import Array, sigmoid

__all__ = ["check_number", "checked_outcomes", "known", "logit_of", "mixed", "probabilities", "s_q", "times", "towards"]

T = TypeVar("T")


@np.errstate(under="ignore")
def s_q(z: Array) -> Array:
    """Return sigma(z)·sigma(-z)."""
    q = sigmoid(-np.abs(z))
    return np.asarray(q - q * q)


@np.errstate(invalid="ignore")
def times(factor: float, values: Array) -> Array:
    """Return factor·values, where 0·∞ is 0."""
    return np.zeros_like(values) if factor == 0 else factor * values


@np.errstate(invalid="ignore")
def mixed(t: Array, one: Array, other: Array) -> Array:
    """Return t·one + (1 - t)·other, without 0·∞."""
    return np.where(t > 0, t * one, 0.0) + np.where(t < 1, (1 - t) * other, 0.0)


def probabilities(p: ArrayLike) -> Array:
    """Return p as an array, or raise ValueError if a number is not in [0, 1]."""
    array = float64(p, "p")
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError(f"p: expected probabilities in [0, 1], got {quoted(p)}")
    return array


def checked_outcomes(z: Array, t: Array | None) -> tuple[Array, Array | None]:
    """Return margins and labels as float64; the labels have the shape of the margins or none."""
    z = float64(z, "z")
    if t is None:
        return z, None
    t = float64(t, "t")
    if t.ndim:
        of_shape(z.shape, t, "t")
    if t.size and not (t.min() >= 0 and t.max() <= 1):
        raise ValueError("t: expected labels in [0, 1], P(chosen preferred)")
    return z, t


@np.errstate(divide="ignore")
def logit_of(p: Array) -> Array:
    """Return log(p/(1 - p)), infinite at 0 and 1."""
    return np.asarray(np.log(p) - np.log1p(-p))


def towards(p: Array) -> Array:
    """Return ±∞ for p above or below ½: the margin only ever grows."""
    return np.where(p == 0.5, 0.0, np.copysign(np.inf, p - 0.5))


def known(name: str, value: T | None) -> T:
    """Return a parameter of a loss, or raise ValueError if it is still to be fitted."""
    if value is None:
        raise ValueError(f"{name}: expected a number, got None; bt.fit finds it together with phi")
    return value


def check_number(name: str, value: float, low: float, high: float, *, allows_low: bool = True) -> None:
    """Raise ValueError unless a parameter is a number with low <= value < high, or low < value < high."""
    found = number(value)
    if not (low <= found if allows_low else low < found) or not found < high:
        least = f"of at least {low:g}" if allows_low else f"above {low:g}"
        below = "" if high == np.inf else f" and below {high:g}"
        raise ValueError(f"{name}: expected a finite number {least}{below}, got {quoted(value)}")
