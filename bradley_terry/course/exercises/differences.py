"""Exercise of lesson 7: a gradient by central differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...logistic import Array
from ..engine import LIMIT, Case, Report, Student, Wrong, check_values

__all__ = ["central_difference"]


def central_difference(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(function, x, h) -> gradient of ``function`` at x, (n,), by (f(x + h·e_j) − f(x − h·e_j)) / 2h."""

    def cubic(x: Array) -> float:
        x = np.asarray(x, dtype=np.float64)
        return float(np.sum(x**3) + x[0] * x[-1] + 2 * np.sum(x))

    x = np.array([0.7, -1.2, 2.0, 0.4])
    cases: list[Case] = [((cubic, x, 0.1), "with h = 0.1: "), ((cubic, x[:2], 1e-5), "with h = 1e-5: ")]
    return check_values("central difference", function, ("function", "x", "h"), cases, _central, _wrong, time_limit)


def _moved(x: Array, j: int, h: float) -> Array:
    other = np.array(x)
    other[j] += h
    return other


def _each(x: Array, of: Callable[[int], float]) -> Array:
    return np.array([of(j) for j in range(x.size)])


def _central(f: Callable[[Array], float], x: Array, h: float) -> Array:
    return _each(x, lambda j: (f(_moved(x, j, h)) - f(_moved(x, j, -h))) / (2 * h))


def _wrong(f: Callable[[Array], float], x: Array, h: float) -> Wrong:
    central = _central(f, x, h)
    yield (
        "a forward difference: (f(x + h) − f(x))/h, whose error falls with h, not with h²",
        _each(x, lambda j: (f(_moved(x, j, h)) - f(x)) / h),
    )
    yield (
        "a backward difference: (f(x) − f(x − h))/h, whose error falls with h, not with h²",
        _each(x, lambda j: (f(x) - f(_moved(x, j, -h))) / h),
    )
    yield "divided by h: the two points are 2h apart", 2 * central
    yield "divided by 2 instead of 2h", central * h
    yield "not divided by 2h", central * 2 * h
    yield "divided by h²", central * 2 / h
    yield "multiplied by h: / 2 * h is not / (2 * h)", central * h * h
    yield "zero: b = a makes a second name for the same array, not a copy: use a.copy()", 0 * x
    yield "the sign is flipped: f(x − h) − f(x + h)", -central
    yield "all entries move at once: move one at a time", np.full(x.size, (f(x + h) - f(x - h)) / (2 * h))
    yield "an entry is not put back before the next one moves", _not_put_back(f, x, h)
    so_far = np.tril(np.full((x.size, x.size), h))
    yield (
        "the steps add up: each entry needs a step of its own",
        _each(x, lambda j: (f(x + so_far[j]) - f(x - so_far[j])) / (2 * h)),
    )


def _not_put_back(f: Callable[[Array], float], x: Array, h: float) -> Array:
    moved, slopes = np.array(x), []
    for j in range(x.size):
        moved[j] += h
        up = f(moved)
        moved[j] -= 2 * h
        slopes.append((up - f(moved)) / (2 * h))
    return np.array(slopes)
