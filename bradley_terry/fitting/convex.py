"""The interface that Newton's method needs: ``Objective`` has it, and so can an objective whose pairs are elsewhere."""

from __future__ import annotations

from typing import Protocol

from ..logistic import Array
from ..objective import Point

__all__ = ["Convex"]


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
