"""The three kinds of standard errors, and when each is refused.

information   H⁻¹, the inverse of the information
sandwich      H⁻¹ (G/(G - 1)·Σ_g s_g s_gᵀ) H⁻¹, with s_g the score of cluster g
bootstrap     the spread of φ over fits to resampled clusters
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike

from ..arrays.single import one_of, seed, switch, whole
from ..arrays.visible import class_name, counted
from ..fitting.conjugate import is_dense
from ..fitting.contrasts import AT_MINIMUM, contrast_solutions
from ..fitting.matching import matched
from ..inference import covariance
from ..logistic import Array
from ..model import FittedTo, Outcome, RewardModel
from ..objective import Objective
from ..pairs import PreferencePairs
from ..scorers import TableScorer
from ..separation.errors import limit_covariance
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
    """Return the covariance of φ of this kind, (n_parameters, n_parameters).

    If some parameters are infinite and others finite, the former have the variance inf and the latter their limit.
    """
    _check_options(request)
    limit = _limit(model, reference) if request.kind == INFORMATION else None
    if limit is not None:
        return limit
    _check(model, reference, request)
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
    scores = _scores(model, request)
    inverse = inverse * scores.rescale()
    found = inverse @ scores.matrix() @ inverse
    found = (found + found.T) / 2
    if reference is None:
        return found
    shifted = found - found[reference]
    return np.asarray(shifted - shifted[:, [reference]])


def _check_options(request: Request) -> None:
    """Raise an error if an option has the wrong type or value, also where this kind does not use it."""
    one_of("kind", request.kind, KINDS)
    whole("n_bootstrap", request.n_bootstrap)
    seed(request.seed)
    switch("progress", request.progress)


def _limit(model: RewardModel, reference: int | None) -> Array | None:
    """Return the covariance of a fit without a minimum, or None for other fits and where nothing is finite."""
    is_likelihood = getattr(model.loss, "is_likelihood", True)
    if model.outcome is not Outcome.NO_MINIMUM or model.information is None or not is_likelihood:
        return None
    return limit_covariance(model.scorer, model.information, reference)


def variances_of(model: RewardModel, rows: Sequence[int] | None, reference: int | None, request: Request) -> Array:
    """Return the variance of each of these parameters, or of all, without a matrix where there is none."""
    _check_options(request)
    if request.kind == BOOTSTRAP:
        _check(model, reference, request)
        centred = _resampled(model, reference, request)
        variances = np.einsum("ij,ij->j", centred, centred) / (len(centred) - 1)
    elif is_dense(model.phi.size) if request.kind == SANDWICH else request.pairs is None:
        variances = np.maximum(np.diag(covariance_of(model, reference, request)), 0.0)  # rounding may leave -1e-19
    else:
        _check(model, reference, request)
        return _without_matrix(model, rows, reference, request)
    return variances if rows is None else variances[rows]


def _without_matrix(model: RewardModel, rows: Sequence[int] | None, reference: int | None, request: Request) -> Array:
    """Return cᵀH⁻¹c, or the sandwich of x = H⁻¹c, for each parameter, with one system to solve for each."""
    data = remembered(model, request.pairs)
    if getattr(data.loss, "is_free", False):
        raise ValueError(f"pairs: expected None for a loss whose parameters were fitted, got {data.loss}")
    scores = None if request.kind == INFORMATION else _scores(model, request)
    w, found = data.pairs.total_weight, []
    known = model.fitted_to is not None and data.pairs is model.fitted_to.pairs
    known = known and not (data.standardise and model.l2)  # then the penalty is in other units
    asked = model.scorer, model.phi, data.pairs, model.l2, rows, reference, data.loss, data.centring
    for c, x in contrast_solutions(*asked, is_known=known):
        if scores is None:
            found.append(float(np.einsum("i,i->", c, x)) / w)
        else:
            along = scores.along(x / w)
            found.append(scores.factor * float(np.einsum("i,i->", along, along)))
    return np.array(found)


def _scores(model: RewardModel, request: Request) -> Scores:
    data = remembered(model, request.pairs)
    clusters = clusters_of(data.pairs, request.clusters)
    n_free = model.phi.size - isinstance(model.scorer, TableScorer)
    if clusters.n <= n_free:
        raise ValueError(
            f"clusters: expected more prompts or clusters than the {counted(n_free, 'free parameter')}, since the "
            f"sandwich measures their spread, got {clusters.n}; the default, kind='information', needs none"
        )
    _check_same(model, data)
    loss_is_fitted = bool(getattr(data.loss, "is_free", False))
    return Scores(model.scorer, model.phi, data.pairs, model.loss, clusters, theta_is_fitted=loss_is_fitted)


def _check_same(model: RewardModel, data: FittedTo) -> None:
    """Raise ValueError unless these are the pairs that the model remembers, or φ is the minimum for them."""
    if model.fitted_to is not None and data.pairs is model.fitted_to.pairs:
        return
    pairs = cast("PreferencePairs", data.pairs)  # or rankings
    objective = Objective(model.scorer, pairs, l2=model.l2, centring=data.centring, loss=model.loss)
    gradient = objective(model.phi)[1]
    size = 1.0 if model.information is None else np.sqrt(np.diag(model.information) / pairs.total_weight)
    if (np.abs(gradient) > AT_MINIMUM * size).any():
        raise ValueError(
            "pairs: expected the pairs of the fit, got others, for which phi is not the minimum (after a fit with "
            "standardise=True and l2 > 0 the penalty is another one, too; a saved model does not know centring and "
            "bias_reduced)"
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
    _check_same(model, data)
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
        raise TypeError(f"pairs: expected PreferencePairs, got {class_name(pairs)}")
    if data is None and hasattr(model.loss, "by_parameters"):
        raise ValueError(
            f"pairs: expected None and a model that comes from fit for {model.loss}, since a saved model does not say "
            "whether the loss was fitted with phi"
        )
    pairs = matched(model.scorer, model.feature_names, pairs)
    return FittedTo(pairs, model.loss) if data is None else data._replace(pairs=pairs)


def _check(model: RewardModel, reference: int | None, request: Request) -> None:
    model._check_minimum(request.kind)
    if reference is not None and not isinstance(model.scorer, TableScorer):
        raise ValueError(f"reference: expected None for {model.scorer}; only a table's rewards can shift together")
    if request.kind == INFORMATION and request.clusters is not None:
        raise ValueError(
            "clusters: expected None for kind='information', which takes all pairs as independent; use kind='sandwich'"
        )
