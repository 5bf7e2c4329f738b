"""Newton's step without the matrix H, by conjugate gradients: for so many parameters that H would not fit into memory.

The step solves H s = -g. Conjugate gradients (Hestenes & Stiefel 1952) need only products H·v, and each costs one pass
over the pairs: H·v = Σ l''(Δ_i)·(d_iᵀv)·d_i + l2·v with d_i = dΔ_i/dφ. After k products the step is the best one in the
space that g, Hg, …, H^(k-1)g span. How many are needed depends on how much the curvatures of different directions
differ. Dividing each parameter by the square root of its own curvature (Jacobi) brings them closer together.

Far from the minimum a rough step is good enough, so the equation is solved the more exactly, the smaller the gradient
is (Dembo, Eisenstat & Steihaug 1982, SIAM Journal on Numerical Analysis 19(2), 400-408).
"""

from __future__ import annotations

import numpy as np

from ..arrays.frozen import blocks_of
from ..backend import sides_of
from ..logistic import Array
from ..objective import Objective, Point
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, Scorer, TableScorer
from .convex import Convex
from .hessians import Hessians

__all__ = ["DENSE", "Products", "ProductsAtPoints", "curvature_of", "is_dense", "largest_curvature"]

DENSE = 3000  # parameters; for more, H is not formed: its 72 MB would grow with the square of their number
MOST_PRODUCTS = 2000  # in one step, or the number of parameters, if that is larger
POWERS = 50  # products in the search for the largest curvature
EXACT, ROUGH = 1e-6, 0.1  # largest part of the gradient that a step may leave over


def is_dense(n_parameters: int) -> bool:
    """Return whether a matrix of n_parameters × n_parameters is small enough to be formed."""
    return n_parameters <= DENSE


def curvature_of(objective: Convex, n_parameters: int, old: Array | None) -> Hessians | ProductsAtPoints:
    """Return what knows H at the points of a search: as matrices if they are small enough, or else as products."""
    if is_dense(n_parameters) or not isinstance(objective, Objective):
        return Hessians(objective, old)
    return ProductsAtPoints(objective, old)


class Products:
    """H at one point, as a function v → H·v, with which ``solve`` solves H s = b."""

    def __init__(
        self, objective: Objective, margins: Array, accuracy: float = EXACT, rounding: float | None = None
    ) -> None:
        curvatures, self.times = objective.products(margins)
        diagonal = diagonal_of(objective.scorer, objective.pairs, curvatures) + objective.l2
        self.diagonal = np.where(diagonal > 0, diagonal, 1.0)
        self.accuracy, self.is_solved = accuracy, True
        n_in_a_pair = 2 if objective.pairs.is_items else diagonal.size
        of_gradient = 10 * np.finfo(np.float64).eps * np.sqrt(n_in_a_pair * float(curvatures.sum()))
        self.rounding = of_gradient if rounding is None else rounding

    def solve(self, b: Array) -> Array:
        """Return s with H s = b up to the accuracy, or up to ``rounding``, if that is larger.

        ``is_solved`` then says whether that was reached. By default ``rounding`` is that of a gradient b: about
        eps·Σ |l'·d_ij| for entry j, and divided by √(Σ l''·d_ij²) it does not depend on units. If H is singular, b must
        have no part along null directions but rounding.
        """
        s, rest = np.zeros(b.size), b.copy()
        scaled = rest / self.diagonal
        direction, size = scaled, _dot(rest, scaled)
        enough, self.is_solved = max(self.accuracy**2 * size, self.rounding**2), True
        for _ in range(max(MOST_PRODUCTS, b.size)):
            if not size > enough:
                break
            bent = self.times(direction)
            curvature = _dot(direction, bent)
            if not curvature > 0:  # only rounding is left
                break
            s += (size / curvature) * direction
            rest -= (size / curvature) * bent
            scaled = rest / self.diagonal
            before, size = size, _dot(rest, scaled)
            direction = scaled + (size / before) * direction
        else:
            self.is_solved = False
        return s


class ProductsAtPoints:
    """``Products`` at each point of a search, in place of ``Hessians``."""

    matrix, is_exact = None, True

    def __init__(self, objective: Objective, first: Array | None = None) -> None:
        self.objective, self.first = objective, 0.0 if first is None else float(first)

    def at(self, point: Point, *, exact: bool) -> Products:
        """Return the products at this point. Unless ``exact``, a step is rough while the gradient is large."""
        largest = float(np.abs(point.gradient).max())
        self.first = self.first or largest
        accuracy = EXACT if exact or not self.first else min(ROUGH, np.sqrt(largest / self.first))
        return Products(self.objective, point.margins, max(accuracy, EXACT))

    def corrected(self, point: Point, moved: float) -> Products:
        """Return the products at a point, after a last step that moved no margin by more than ``moved``."""
        return self.at(point, exact=True)

    @property
    def kept(self) -> Array:
        """The largest gradient entry at the start, which decides how exact the next steps are."""
        return np.array(self.first)

    def after_step(self, before: float, after: float) -> None:
        """Do nothing: no matrix is kept."""


def diagonal_of(scorer: Scorer, pairs: PreferencePairs, d2_margins: Array) -> Array:
    """Return Σ_i d2_margins[i]·d_ij² for each parameter j, (n_parameters,), or ones for a scorer of another kind."""
    if not isinstance(pairs, PreferencePairs):  # rankings, whose curvatures are those of every two answers
        if type(scorer) is not TableScorer:
            return np.ones(scorer.n_parameters)
        pairs = PreferencePairs(*(pairs.features[rows] for rows in pairs.two_answers))
    if type(scorer) is TableScorer:
        met = np.where(np.equal(pairs.chosen, pairs.rejected).ravel(), 0.0, d2_margins)
        zeros = np.zeros(scorer.n_parameters)
        return scorer.backward(zeros, pairs.chosen, met) + scorer.backward(zeros, pairs.rejected, met)
    if type(scorer) is not LinearScorer:
        return np.ones(scorer.n_parameters)
    result = np.zeros(scorer.n_parameters)
    for rows in blocks_of(pairs.chosen):
        ((d, _),) = sides_of(scorer, pairs.chosen[rows], pairs.rejected[rows])
        result += np.einsum("i,ij,ij->j", d2_margins[rows], d, d)
    return result


def largest_curvature(objective: Objective) -> float:
    """Return λ = b·λ_max(Σ w d dᵀ / Σ w) + l2, a bound on the Hessian if l'' <= b, for a scorer linear in φ.

    For -log sigma, b = ¼. The losses of rankings have bounds for each two answers. Without a matrix, λ_max is found by
    power iteration. It may come out a little too small, but then 1/λ is still far below 2/λ_max, where gradient descent
    begins to overshoot.
    """
    pairs, n, b = objective.pairs, objective.scorer.n_parameters, getattr(objective.loss, "most_bend", 0.25)
    if not np.isfinite(b):
        return float(b)
    if isinstance(pairs, PreferencePairs):
        shares = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
        bounds = b * shares / pairs.total_weight
    else:
        bounds = pairs.reference_backend(objective.scorer, pairs, objective.loss).largest_curvatures()
    if is_dense(n):
        return float(np.linalg.eigvalsh(objective.gram(bounds))[-1])
    times = objective.products(np.empty(0), bounds)[1]
    v, size = np.random.default_rng(0).normal(size=n), 0.0
    for _ in range(POWERS):
        v = times(v)
        size = np.sqrt(_dot(v, v))
        if not size > 0:
            break
        v = v / size
    return size


def _dot(a: Array, b: Array) -> float:
    return float(np.einsum("i,i->", a, b))  # in a fixed order, for any number of threads
