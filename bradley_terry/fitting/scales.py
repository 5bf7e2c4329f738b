"""Whether a gradient is small for the data, and not only because the features are in small units."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays.frozen import blocks_of
from ..graphs.wins import as_pairs
from ..logistic import Array
from ..objective import Objective
from ..scorers import LinearScorer, MLPScorer
from .conjugate import diagonal_of

__all__ = ["Scales", "mean_squares"]

FEW = 1e-9  # with a larger mean square, differences are not looked at more closely
MOST = 1e300  # instead of infinity, which a tolerance of 0 must not be multiplied by
ROUNDING = 1e-13  # of the largest number of a feature: differences as small as this are rounding


class Scales:
    """The mean square s_j of dΔ/dφ_j for each parameter, computed when it is first needed.

    Near the minimum a step along φ_j lowers the loss by about g_j²/(2·(s_j/4 + l2)), and that does not depend on the
    unit of the feature. So besides |g_j| <= tolerance, ``allow`` demands g_j² <= tolerance·(s_j + l2). If s_j is at
    least the tolerance, that follows from |g_j| <= tolerance, so nothing changes for features of ordinary size.
    """

    def __init__(self, mean_squares: Callable[[], Array], l2: float, tolerance: float) -> None:
        self.mean_squares, self.l2, self.tolerance = mean_squares, l2, tolerance
        self.most: Array | None = None
        self.refused = False

    def allow(self, gradient: Array) -> bool:
        """Return whether no entry of a gradient is larger than the tolerance, and none is large for its feature."""
        if not float(np.abs(gradient).max()) <= self.tolerance:
            return False
        if self.most is None:
            self.most = np.sqrt(self.tolerance * np.minimum(self.mean_squares() + self.l2, MOST))
        self.refused = not bool((np.abs(gradient) <= self.most).all())
        return not self.refused

    @property
    def note(self) -> str:
        """Return "; " and words if an entry was small only in absolute value, or ""."""
        if not self.refused:
            return ""
        return (
            "; the gradient is small only because some features are in small units, so standardise the features or, "
            "for a reward that is linear in phi, use method='newton'"
        )


def mean_squares(objective: Objective) -> Array:
    """Return s_j; for the MLP, the mean square of a hidden weight's feature, and of the largest feature elsewhere.

    If the two answers of every pair share a feature up to rounding, its s_j is infinite, since nothing depends on it.
    """
    scorer, pairs = objective.scorer, as_pairs(objective.pairs)
    shares = (np.ones(len(pairs)) if pairs.weights is None else pairs.weights) / pairs.total_weight
    if type(scorer) is not MLPScorer:
        squares = diagonal_of(scorer, pairs, shares)
        if isinstance(scorer, LinearScorer) and (squares < FEW).any():
            largest = np.maximum(*(np.abs(side).max(axis=0) for side in (pairs.chosen, pairs.rejected)))
            squares = np.where(np.sqrt(squares) <= ROUNDING * largest, np.inf, squares)
        return squares
    of_features = np.zeros(scorer.n_features)
    for rows in blocks_of(pairs.chosen):
        for x in (pairs.chosen[rows], pairs.rejected[rows]):
            of_features += np.einsum("i,ij,ij->j", shares[rows] / 2, x, x)
    result = np.full(scorer.n_parameters, of_features.max())
    scorer.unpack(result)["hidden_weights"][:] = of_features[:, None]
    return result
