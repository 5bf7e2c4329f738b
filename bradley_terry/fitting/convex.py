"""What Newton's method needs from an objective: ``Objective`` has it, and so can one whose pairs are elsewhere."""

from __future__ import annotations

from typing import Protocol

from ..logistic import Array
from ..objective import Point

__all__ = ["Convex"]


class Convex(Protocol):
    """A convex objective. Of its margins Newton's method only uses the largest absolute value."""

    l2: float

    def at(self, phi: Array) -> Point:
        """Return loss, gradient and margins at φ."""

    def hessian(self, phi: Array, *, margins: Array | None = None) -> Array:
        """Return d²L/dφ², (n_parameters, n_parameters)."""

    def margins(self, phi: Array) -> Array:
        """Return margins among which is the largest in absolute value."""

    def shifted(self, margins: Array) -> Array:
        """Return these margins minus the target margins."""
