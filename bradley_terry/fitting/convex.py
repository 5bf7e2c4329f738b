"""The interface that Newton's method needs: ``Objective`` has it, and so can an objective whose pairs are elsewhere."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..logistic import Array
from ..objective import Objective, Point

__all__ = ["Convex", "largest_move", "largest_of"]

PART = 100_000  # margins


class Convex(Protocol):
    """A convex objective. Newton's method uses only the largest absolute margin."""

    l2: float

    def at(self, phi: Array) -> Point:
        """Return loss, gradient and margins at φ."""

    def hessian(self, phi: Array, *, margins: Array | None = None) -> Array:
        """Return d²L/dφ², (n_parameters, n_parameters)."""

    def margins(self, phi: Array) -> Array:
        """Return margins that include the largest in absolute value; others may be missing."""

    def shifted(self, margins: Array) -> Array:
        """Return these margins minus the target margins."""


def largest_move(objective: Convex, before: Point, after: Point) -> float:
    """Return the largest change of a margin between two points, in log-odds.

    Δ is linear in φ, so the change is also the margins of the step, for an objective whose points lack most margins.
    """
    if not isinstance(objective, Objective):
        return largest_of(objective.margins(after.phi - before.phi))
    n_parts = 1 + after.margins.size // PART  # so that no third array of that size is needed
    parts = zip(np.array_split(after.margins, n_parts), np.array_split(before.margins, n_parts), strict=True)
    return largest_of(np.array([largest_of(new - old) for new, old in parts]))


def largest_of(values: Array) -> float:
    """Return max |value|, or NaN if any value is NaN, without a second array of that size."""
    return max(float(values.max()), -float(values.min()))
