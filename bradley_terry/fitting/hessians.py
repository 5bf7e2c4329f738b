"""Reuse a Hessian while its steps work well, since computing one costs far more than a step with it."""

from __future__ import annotations

from ..logistic import Array
from ..objective import Point
from .convex import Convex

__all__ = ["Hessians"]

SAME, CHEAP = 1e-6, 2_000_000  # share of H; products of two numbers, which take about half a millisecond
WELL = 0.1  # Keep the old Hessian only while each step shrinks the gradient to a tenth or less.


class Hessians:
    """The Hessian at each point, or an older one while its steps still shrink the gradient well."""

    def __init__(self, objective: Convex, old: Array | None = None) -> None:
        self.objective, self.matrix, self.is_exact = objective, old, False

    def at(self, point: Point, *, exact: bool) -> Array:
        """Return the Hessian to use at this point; ``exact`` rules out an older one."""
        self.is_exact = exact or self.matrix is None
        if self.matrix is None or exact:
            self.matrix = self.objective.hessian(point.phi, margins=point.margins)
        return self.matrix

    def corrected(self, point: Point, moved: float) -> Array:
        """Return the Hessian at a point, after a last step that moved no margin by more than ``moved``.

        Since |l'''| <= l'', that step changes H by at most about this share of it. If the share is below 1e-6 and H
        costs much, the one before the step is returned.
        """
        if self.matrix is None or moved > SAME or point.margins.size * point.phi.size**2 <= CHEAP:
            self.matrix = self.objective.hessian(point.phi, margins=point.margins)
        return self.matrix

    @property
    def kept(self) -> Array | None:
        """What the next step still uses, from which a search can go on."""
        return self.matrix

    def after_step(self, before: float, after: float) -> None:
        """Drop the matrix unless its step shrank the largest gradient entry well, from ``before`` to ``after``."""
        if not after <= WELL * before:
            self.matrix = None
