"""What the losses share: products and mixtures without 0·∞, formulas of probabilities, checks of parameters."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ..arrays.visible import quoted
from ..logistic import Array, sigmoid

__all__ = ["check_number", "known", "logit_of", "mixed", "probabilities", "s_q", "times", "towards"]

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
    array: Array = np.asarray(p, dtype=np.float64)
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError(f"p: expected probabilities in [0, 1], got {quoted(p)}")
    return array


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
    is_number = isinstance(value, int | float | np.floating | np.integer) and not isinstance(value, bool)
    if not is_number or not (low <= value if allows_low else low < value) or not value < high:
        least = f"of at least {low:g}" if allows_low else f"above {low:g}"
        below = "" if high == np.inf else f" and below {high:g}"
        raise ValueError(f"{name}: expected a finite number {least}{below}, got {quoted(value)}")
