"""Linear combinations of the parameters, and intervals of preference probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..arrays.given import float64, real
from ..arrays.visible import quoted
from ..logistic import Array, sigmoid
from ..scorers import Features, LinearScorer, Scorer, TableScorer
from .methods import Options, quantile_of

if TYPE_CHECKING:
    from ..model import RewardModel

__all__ = ["Contrasts", "contrasts_of", "probability_intervals_of"]


class Contrasts(NamedTuple):
    """Linear combinations C·φ: their estimates, (n,), covariance, (n, n), and standard errors, (n,).

    Examples
    --------
    >>> from bradley_terry import PreferencePairs, TableScorer, fit
    >>> games = PreferencePairs([0, 0, 0, 1], [1, 1, 1, 0])  # item 0 won three of four
    >>> found = fit(TableScorer(2), games).contrasts([1, -1])
    >>> print(f"{found.estimates[0]:.4f} ± {found.standard_errors[0]:.4f}")  # log 3, √(4/3)
    1.0986 ± 1.1547
    """

    estimates: Array
    covariance: Array
    standard_errors: Array

    @property
    def p_values(self) -> Array:
        """The p-value of each combination, (n,), for the test that it is 0, by the normal approximation."""
        z = np.abs(self.estimates / np.where(self.standard_errors > 0, self.standard_errors, np.nan))
        return np.array([math.erfc(one / math.sqrt(2)) for one in z.tolist()])


@np.errstate(over="ignore", invalid="ignore")
def contrasts_of(model: RewardModel, matrix: ArrayLike, options: Options) -> Contrasts:
    """Return what ``RewardModel.contrasts`` returns."""
    try:
        c = np.atleast_2d(float64(matrix, "matrix"))
    except TypeError:
        raise TypeError(f"matrix: expected numbers, got {quoted(matrix)}") from None
    if c.ndim != 2 or c.shape[1] != model.phi.size or not len(c) or not np.isfinite(c).all():
        raise ValueError(f"matrix: expected finite numbers of shape (n, {model.phi.size}), got shape {c.shape}")
    sums, sizes = c.sum(axis=1), np.abs(c).sum(axis=1)
    if isinstance(model.scorer, TableScorer) and (bad := np.abs(sums) > 1e-10 * sizes).any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"matrix: expected rows that sum to zero, since only differences of a table's rewards are determined, got "
            f"a sum of {sums[row]:g} in row {row}"
        )
    covariance = c @ model.covariance(**options) @ c.T
    return Contrasts(c @ model.phi, covariance, np.sqrt(np.maximum(np.diag(covariance), 0.0)))


def probability_intervals_of(
    model: RewardModel, features_a: ArrayLike, features_b: ArrayLike, level: float, options: Options
) -> Array:
    """Return what ``RewardModel.probability_intervals`` returns."""
    z = quantile_of(level)
    if model.loss is not None and not getattr(model.loss, "gives_probabilities", False):
        raise ValueError(
            f"loss: expected -log sigma(Δ), or another loss whose margins stand for probabilities, got {model.loss}"
        )
    given = None if model.fitted_to is None else model.fitted_to.loss
    if hasattr(model.loss, "by_parameters") and getattr(given, "is_free", True):
        raise ValueError(
            "loss: expected one whose parameters were given to fit, since these intervals do not include the errors of "
            f"fitted ones, got {model.loss}"
        )
    a, b = real(features_a, "features_a"), real(features_b, "features_b")
    model.scorer.check_features(a, "features_a")
    model.scorer.check_features(b, "features_b")
    if a.shape != b.shape:
        raise ValueError(f"features_b: expected the shape of features_a, {a.shape}, got {b.shape}")
    for name, features in {"features_a": a, "features_b": b}.items():
        if not np.isfinite(features).all():
            raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")
    covariance = model.covariance(**options)
    if isinstance(model.scorer, TableScorer):
        i, j = a.ravel(), b.ravel()
        margins, variances = model.phi[i] - model.phi[j], covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
    else:
        d = _directions(model.scorer, a, b)
        margins, variances = d @ model.phi, np.einsum("ij,ij->i", d @ covariance, d)
    half = z * np.sqrt(np.maximum(variances, 0.0))
    ends = np.stack([margins - half, margins + half], axis=1)
    its_own: Callable[[Array], Array] = getattr(model.loss, "probability", sigmoid)
    return its_own(ends)


def _directions(scorer: Scorer, a: Features, b: Features) -> Array:
    """Return dΔ/dφ for each row, (n, n_parameters)."""
    if type(scorer) is LinearScorer:
        return np.subtract(a, b, dtype=np.float64)
    zeros, one = np.zeros(scorer.n_parameters), np.ones(1)
    found = np.zeros((len(a), zeros.size))
    for features, sign in ((a, 1.0), (b, -1.0)):
        for i in range(len(a)):
            found[i] += scorer.backward(zeros, features[[i]], sign * one)
    return found
