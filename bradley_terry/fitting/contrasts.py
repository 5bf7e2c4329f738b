"""Variances of single rewards or weights without the covariance matrix, by solving one linear system for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..logistic import Array
from ..objective import Objective
from ..pairs import PreferencePairs
from ..scorers import Scorer, TableScorer
from .conjugate import Products
from .tally import tallied

__all__ = ["contrast_variances"]

ACCURACY = 1e-8  # of the solution; the error of cᵀH⁻¹c is its square
AT_MINIMUM = 1e-5  # largest gradient entry at the minimum, for a parameter of curvature 1


def contrast_variances(
    scorer: Scorer,
    phi: Array,
    pairs: PreferencePairs,
    l2: float,
    items: Sequence[int] | None,
    reference: int | None,
) -> Array:
    """Return the variance of each of these parameters, or of all, as in ``inference.covariance``, (n_items,).

    The variance of a contrast cᵀφ is cᵀx with H x = c, where H is the information. For a table, c has +1 at the item
    and -1 at the reference, or subtracts the mean of all rewards.
    """
    is_table, n = isinstance(scorer, TableScorer), phi.size
    if reference is not None and not is_table:
        raise ValueError(f"reference: expected None for {scorer}; only a table's rewards can shift together")
    objective = Objective(scorer, tallied(pairs, scorer), l2=l2)
    point = objective.at(phi)
    h = Products(objective, point.margins, ACCURACY, rounding=0.0)
    if (np.abs(point.gradient) > AT_MINIMUM * np.sqrt(h.diagonal)).any():
        raise ValueError(
            "pairs: expected the pairs of the fit, got others, for which phi is not the minimum (after a fit with "
            "standardise=True and l2 > 0 the penalty is another one, too)"
        )
    variances = []
    for item in range(n) if items is None else items:
        c = np.zeros(n)
        c[item] = 1.0
        if is_table and reference is None:
            c -= 1 / n
        elif reference is not None:
            c[reference] -= 1.0
        x = h.solve(c)
        if not h.is_solved:
            raise ValueError(f"standard errors: expected a solution for parameter {item}, got none after {n} products")
        rest = c - h.times(x)
        if np.sum(rest * rest / h.diagonal) > 1e-8 * np.sum(c * c / h.diagonal):
            raise ValueError(
                f"standard errors: parameter {item} is not determined by these pairs; drop a feature or use l2 > 0"
            )
        variances.append(float(c @ x) / pairs.total_weight)
    return np.array(variances)
