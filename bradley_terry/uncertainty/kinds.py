"""The three kinds of standard errors, and when each is refused.

information   H⁻¹, the inverse of the information
sandwich      H⁻¹ (G/(G - 1)·Σ_g s_g s_gᵀ) H⁻¹, with s_g the score of cluster g
bootstrap     the spread of φ over fits to resampled clusters
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..fitting.conjugate import is_dense
from ..fitting.contrasts import AT_MINIMUM, contrast_solutions
from ..inference import covariance
from ..logistic import Array
from ..model import FittedTo, RewardModel
from ..pairs import PreferencePairs
from ..scorers import TableScorer
from .clusters import clusters_of
from .resampled import resampled_parameters
from .scores import Scores

if TYPE_CHECKING:
    from ..ranking.rankings import PreferenceRankings

__all__ = ["KINDS", "Request", "covariance_of", "remembered", "variances_of"]

KINDS = INFORMATION, SANDWICH, BOOTSTRAP = "information", "sandwich", "bootstrap"


class Request(NamedTuple):
    """The options of ``RewardModel.covariance``."""

    kind: str = INFORMATION
    pairs: PreferencePairs | PreferenceRankings | None = None
    clusters: ArrayLike | str | None = None
    n_bootstrap: int = 200
    seed: int = 0
    progress: bool = False


def covariance_of(model: RewardModel, reference: int | None, request: Request) -> Array:
    """Return the covariance of φ of this kind, (n_parameters, n_parameters)."""
    _check(model, request)
    if request.kind == BOOTSTRAP:
        centred = _resampled(model, reference, request)
        return centred.T @ centred / (len(centred) - 1)
    if request.kind == INFORMATION and request.pairs is not None:
        raise ValueError("pairs: expected None for kind='information', which has its matrix from the fit")
    if model.information is None:
        if is_dense(model.phi.size):
            raise ValueError("standard errors: expected a model with its information matrix, got None")
        raise ValueError(
            "standard errors: expected the arguments items and pairs, since there is no information matrix for as "
            f"many as {model.phi.size} parameters"
        )
    inverse = covariance(model.scorer, model.information, reference if request.kind == INFORMATION else None)
    if request.kind == INFORMATION:
        return inverse
    found = inverse @ _scores(model, request).matrix() @ inverse
    found = (found + found.T) / 2
    if reference is None:
        return found
    shifted = found - found[reference]
    return np.asarray(shifted - shifted[:, [reference]])


def variances_of(model: RewardModel, rows: Sequence[int] | None, reference: int | None, request: Request) -> Array:
    """Return the variance of each of these parameters, or of all, without a matrix where there is none."""
    _check(model, request)
    if request.kind == BOOTSTRAP:
        centred = _resampled(model, reference, request)
        variances = np.einsum("ij,ij->j", centred, centred) / (len(centred) - 1)
    elif request.pairs is None if request.kind == INFORMATION else is_dense(model.phi.size):
        variances = np.maximum(np.diag(covariance_of(model, reference, request)), 0.0)  # rounding may leave -1e-19
    else:
        data = remembered(model, request.pairs)
        if getattr(data.loss, "is_free", False):
            raise ValueError(f"pairs: expected None for a loss whose parameters were fitted, got {data.loss}")
        scores = None if request.kind == INFORMATION else _scores(model, request)
        w = data.pairs.total_weight
        solutions = contrast_solutions(model.scorer, model.phi, data.pairs, model.l2, rows, reference, data.loss)
        return np.array([float(c @ x) / w if scores is None else _spread(scores, x / w) for c, x in solutions])
    return variances if rows is None else variances[rows]


def _spread(scores: Scores, x: Array) -> float:
    along = scores.along(x)
    return scores.factor * float(along @ along)


def _scores(model: RewardModel, request: Request) -> Scores:
    data = remembered(model, request.pairs)
    clusters = clusters_of(data.pairs, request.clusters)
    n_free = model.phi.size - isinstance(model.scorer, TableScorer)
    if clusters.n <= n_free:
        raise ValueError(
            f"clusters: expected more prompts or clusters than the {n_free} free parameters, since the sandwich "
            f"measures their spread, got {clusters.n}"
        )
    loss_is_fitted = bool(getattr(data.loss, "is_free", False))
    scores = Scores(model.scorer, model.phi, data.pairs, model.loss, clusters, theta_is_fitted=loss_is_fitted)
    if model.fitted_to is None or data.pairs is not model.fitted_to.pairs:
        _check_same(model, data, scores)
    return scores


def _check_same(model: RewardModel, data: FittedTo, scores: Scores) -> None:
    """Raise ValueError unless φ is the minimum for these pairs."""
    w = data.pairs.total_weight
    gradient = scores.total() / w + model.l2 * model.phi
    size = 1.0 if model.information is None else np.sqrt(np.diag(model.information) / w)
    if (np.abs(gradient) > AT_MINIMUM * size).any():
        raise ValueError(
            "pairs: expected the pairs of the fit, got others, for which phi is not the minimum (after a fit with "
            "standardise=True and l2 > 0 the penalty is another one, too)"
        )


def _resampled(model: RewardModel, reference: int | None, request: Request) -> Array:
    """Return φ of each resample, minus the mean over the resamples."""
    data = remembered(model, request.pairs)
    if getattr(data.loss, "is_free", False):
        raise ValueError(
            f"kind: expected information or sandwich for {model.loss}, since its parameters were fitted with phi, "
            "got 'bootstrap'"
        )
    if data.bias_reduced:
        raise ValueError("kind: expected information or sandwich after a fit with bias_reduced=True, got 'bootstrap'")
    if not getattr(data.loss, "suits_newton", True):
        raise ValueError(f"kind: expected a loss that Newton's method can minimise for 'bootstrap', got {data.loss}")
    if model.fitted_to is None or data.pairs is not model.fitted_to.pairs:
        _check_same(model, data, Scores(model.scorer, model.phi, data.pairs, model.loss, clusters_of(data.pairs, None)))
    phis = resampled_parameters(
        model,
        data,
        clusters_of(data.pairs, request.clusters),
        n_bootstrap=request.n_bootstrap,
        seed=request.seed,
        progress=request.progress,
    )
    if reference is not None:
        phis = phis - phis[:, [reference]]
    return phis - phis.mean(axis=0)


def remembered(model: RewardModel, pairs: PreferencePairs | PreferenceRankings | None, why: str = "kind") -> FittedTo:
    """Return the pairs and options of the fit, with these pairs if there are any.

    Raises
    ------
    ValueError
        If there are none: a model that was loaded from a file does not have them.
    """
    data = model.fitted_to
    if pairs is None:
        if data is None:
            raise ValueError(
                f"pairs: expected the pairs of the fit for this {why}, since only a model that comes from fit, with a "
                "scorer that is linear in phi, remembers them"
            )
        return data
    if not isinstance(pairs, PreferencePairs) and not hasattr(pairs, "reference_backend"):
        raise TypeError(f"pairs: expected PreferencePairs, got {type(pairs).__name__}")
    if data is None and hasattr(model.loss, "by_parameters"):
        raise ValueError(
            f"pairs: expected None and a model that comes from fit for {model.loss}, since a saved model does not say "
            "whether the loss was fitted with phi"
        )
    return FittedTo(pairs, model.loss) if data is None else data._replace(pairs=pairs)


def _check(model: RewardModel, request: Request) -> None:
    if request.kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {request.kind!r}")
    model._check_minimum(request.kind)
    if request.kind == INFORMATION and request.clusters is not None:
        raise ValueError(
            "clusters: expected None for kind='information', which takes all pairs as independent; use kind='sandwich'"
        )
