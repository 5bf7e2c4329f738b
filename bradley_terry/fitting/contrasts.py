"""Variances of single rewards or weights without the covariance matrix, by solving one linear system for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from ..logistic import Array
from ..losses import PairLoss
from ..objective import Objective
from ..pairs import PreferencePairs
from ..scorers import Scorer, TableScorer
from .conjugate import Products
from .tally import tallied

if TYPE_CHECKING:
    from ..ranking.rankings import PreferenceRankings

__all__ = ["AT_MINIMUM", "contrast_solutions"]

ACCURACY = 1e-8  # of the solution; the error of cᵀH⁻¹c is its square
AT_MINIMUM = 1e-5  # largest gradient entry at the minimum, for a parameter of curvature 1


def contrast_solutions(
    scorer: Scorer,
    phi: Array,
    pairs: PreferencePairs | PreferenceRankings,
    l2: float,
    items: Sequence[int] | None,
    reference: int | None,
    loss: PairLoss | None = None,
    centring: float = 0.0,
    *,
    is_known: bool = False,
) -> Iterator[tuple[Array, Array]]:
    """Yield c and x = H⁻¹c for each of these parameters, or for all, where H is the information divided by Σ w.

    For a table, c has +1 at the item and -1 at the reference, or subtracts the mean of all rewards, as in
    ``inference.covariance``. The variance of the contrast cᵀφ is cᵀx / Σ w. ``is_known`` says that the model remembers
    these pairs, so that φ need not be checked.
    """
    is_table, n = isinstance(scorer, TableScorer), phi.size
    if reference is not None and not is_table:
        raise ValueError(f"reference: expected None for {scorer}; only a table's rewards can shift together")
    pairs = cast("PreferencePairs", pairs)  # rankings offer what is used below, too
    objective = Objective(
        scorer, tallied(pairs, scorer) if loss is None else pairs, l2=l2, loss=loss, centring=centring
    )
    point = objective.at(phi)
    h = Products(objective, point.margins, ACCURACY, rounding=0.0)
    if not is_known and (np.abs(point.gradient) > AT_MINIMUM * np.sqrt(h.diagonal)).any():
        raise ValueError(
            "pairs: expected the pairs of the fit, got others, for which phi is not the minimum (or the fit used "
            "standardise=True with l2 > 0, so its penalty was different; or the model was saved, and its file does not "
            "record centring and bias_reduced)"
        )
    for item in range(n) if items is None else items:
        c = np.zeros(n)
        c[item] = 1.0
        if is_table and reference is None:
            c -= 1 / n
        elif reference is not None:
            c[reference] -= 1.0
        x = h.solve(c)
        if not h.is_solved:
            raise ValueError(f"standard errors: expected a solution for parameter {item}, got none after {n} steps")
        rest = c - h.times(x)
        if np.sum(rest * rest / h.diagonal) > 1e-8 * np.sum(c * c / h.diagonal):
            raise ValueError(
                f"standard errors: parameter {item} is not determined by these pairs; drop a feature or use l2 > 0"
            )
        yield c, x
