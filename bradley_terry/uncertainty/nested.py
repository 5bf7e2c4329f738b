"""How well a model fits, in numbers that compare models: log-likelihood, AIC, deviance, the likelihood-ratio test."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import checked
from ..arrays.visible import class_name
from ..fitting.matching import matched
from ..logistic import Array
from ..objective import Objective
from ..pairs import PreferencePairs
from ..scorers import Scorer, TableScorer
from .clusters import weights_of

if TYPE_CHECKING:
    from ..model import FittedTo, RewardModel

__all__ = ["LikelihoodRatio", "aic_of", "deviance_of", "likelihood_ratio_test", "log_likelihood_of"]

ROUNDING = 1e-9  # of a log-likelihood, relative to its size


class LikelihoodRatio(NamedTuple):
    """The statistic 2·(log-likelihood of the larger model - that of the smaller), its distribution, and the p-value.

    If the smaller model is true, the statistic has approximately a chi-squared distribution. ``degrees_of_freedom`` is
    the number of free parameters that the larger model has in addition, and ``p_value`` is the probability of a
    statistic at least as large as the observed one.

    Examples
    --------
    >>> from bradley_terry import LinearScorer, TableScorer, datasets, fit
    >>> smaller = fit(TableScorer(7), datasets.baseball())
    >>> larger = fit(LinearScorer(7), datasets.baseball(home_advantage=True))
    >>> print("{:.2f}, {}, {:.3f}".format(*likelihood_ratio_test(smaller, larger)))
    5.41, 1, 0.020
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float


def likelihood_ratio_test(smaller: RewardModel, larger: RewardModel) -> LikelihoodRatio:
    """Test whether the larger of two nested models fits better than chance would explain (Wilks 1938).

    Parameters
    ----------
    smaller, larger : RewardModel
        Two models that come from ``fit`` with l2 = 0, the same data and the same kind of loss. The smaller one is a
        special case of the larger one: some parameters are fixed, or features are missing. The test treats all pairs as
        independent, as the information does. Ties that count as half wins make the p-value too large.

    Returns
    -------
    LikelihoodRatio
        statistic, degrees_of_freedom, p_value.

    Raises
    ------
    ValueError
        If a model did not converge or has a penalty, if the data or the losses differ, or if the larger model does not
        have more free parameters and the better fit.

    References
    ----------
    Wilks, S. S. 1938, Annals of Mathematical Statistics 9(1), 60-62.
    """
    from .chi_squared import upper_tail  # noqa: PLC0415  # few programs test

    found = {"smaller": smaller, "larger": larger}
    for name, model in found.items():
        _check_maximum(model, name)
    data = {name: _data_of(model) for name, model in found.items()}
    kinds = {name: type(model.loss) for name, model in found.items()}
    if kinds["smaller"] is not kinds["larger"]:
        raise ValueError(
            f"larger: expected a model with the loss of the smaller one, {smaller.loss or '-log sigma'}, got "
            f"{larger.loss or '-log sigma'}"
        )
    weights = {name: of.pairs.total_weight for name, of in data.items()}
    kind = {name: isinstance(of.pairs, PreferencePairs) for name, of in data.items()}
    same = abs(weights["smaller"] - weights["larger"]) <= 1e-12 * weights["smaller"]
    if not same or kind["smaller"] is not kind["larger"]:
        raise ValueError(
            f"larger: expected a model of the same data as the smaller one, of a total weight of "
            f"{weights['smaller']:g}, got one of {weights['larger']:g}"
        )
    if not _same_choices(data["smaller"].pairs, data["larger"].pairs):
        raise ValueError("larger: expected a model of the same data as the smaller one, got other labels or weights")
    n_free = {name: n_free_parameters(model) for name, model in found.items()}
    more = n_free["larger"] - n_free["smaller"]
    if more < 1:
        raise ValueError(
            f"larger: expected more free parameters than the {n_free['smaller']} of the smaller model, got "
            f"{n_free['larger']}"
        )
    of_smaller, of_larger = log_likelihood_of(smaller), log_likelihood_of(larger)
    statistic = 2 * (of_larger - of_smaller)
    if statistic < -ROUNDING * max(1.0, abs(of_smaller)):
        raise ValueError(
            f"larger: expected a model that contains the smaller one, with a log-likelihood of at least "
            f"{of_smaller:.6f}, got {of_larger:.6f}"
        )
    statistic = max(statistic, 0.0)
    return LikelihoodRatio(statistic, more, upper_tail(statistic, more))


def _same_choices(one: object, other: object) -> bool:
    """Return whether labels, weights and target margins of pairs are equal; the features of nested models differ."""
    if not isinstance(one, PreferencePairs) or not isinstance(other, PreferencePairs):
        return True  # rankings
    names = {"labels": 1.0, "weights": 1.0, "target_margins": 0.0}
    for name, default in names.items():
        first, second = (getattr(pairs, name) for pairs in (one, other))
        first, second = (np.full(len(p), default) if x is None else x for p, x in ((one, first), (other, second)))
        if not np.array_equal(first, second):
            return False
    return True


def log_likelihood_of(model: RewardModel) -> float:
    """Return Σ w·log P at φ."""
    _check_likelihood(model)
    data = _data_of(model)
    objective = Objective(model.scorer, data.pairs, loss=model.loss)  # type: ignore[arg-type]  # or rankings
    return -objective(model.phi)[0] * data.pairs.total_weight


def aic_of(model: RewardModel) -> float:
    """Return 2·k - 2·log-likelihood."""
    _check_maximum(model, "aic")
    return 2 * n_free_parameters(model) - 2 * log_likelihood_of(model)


def n_free_parameters(model: RewardModel) -> int:
    """Return how many parameters the data determine: the rank of the information, and those fitted of the loss."""
    from ..fitting.determined import null_directions  # noqa: PLC0415  # that module is imported by fits only
    from ..graphs import count_connected  # noqa: PLC0415
    from ..graphs.wins import met  # noqa: PLC0415

    data = _data_of(model)
    n = model.phi.size
    if isinstance(model.scorer, TableScorer):
        pairs = data.pairs if isinstance(data.pairs, PreferencePairs) else data.pairs.as_pairs()
        n -= count_connected(n, *met(pairs))
    elif model.information is not None:
        n -= null_directions(model.information).shape[1]
    if getattr(data.loss, "is_free", False):
        by = model.loss.by_parameters(np.zeros(1), np.ones(1))  # type: ignore[union-attr]  # a loss with parameters
        n += by.slope.shape[1]
    return int(n)


def deviance_of(model: RewardModel, pairs: PreferencePairs | None, groups: ArrayLike | None) -> float:
    """Return what ``RewardModel.deviance`` returns."""
    _check_likelihood(model)
    if hasattr(model.loss, "by_parameters"):
        raise ValueError(f"deviance: expected a loss of choices between two outcomes, got {model.loss}")
    found = _data_of(model).pairs if pairs is None else pairs
    if not isinstance(found, PreferencePairs):
        raise TypeError(f"pairs: expected PreferencePairs, got {class_name(found)}")
    found = matched(model.scorer, model.feature_names, found)
    if not model.scorer.linear_in_phi:
        raise ValueError(f"deviance: expected a scorer that is linear in phi, got {model.scorer}")
    loss = Objective(model.scorer, found, loss=model.loss)(model.phi)[0] * found.total_weight
    return 2 * (loss - _saturated_loss(model.scorer, found, groups))


def _saturated_loss(scorer: Scorer, pairs: PreferencePairs, groups: ArrayLike | None) -> float:
    """Return -Σ w·log P if every different comparison has a free probability: the entropy of its outcomes."""
    index, is_turned, is_same = _comparisons(pairs)
    labels: list[NDArray[np.generic]] = [] if groups is None else [_groups(groups, len(pairs))]
    labels += [] if pairs.target_margins is None else [np.where(is_turned, -1, 1) * pairs.target_margins]
    for more in labels:
        index = np.unique(np.stack([index, np.unique(more, return_inverse=True)[1]]), axis=1, return_inverse=True)[1]
        index = index.ravel()
    w, t = weights_of(pairs), np.ones(len(pairs)) if pairs.labels is None else pairs.labels
    wins = np.bincount(index, w * np.where(is_turned, 1 - t, t)).astype(np.float64, copy=False)
    games = np.bincount(index, w).astype(np.float64, copy=False)
    same = np.bincount(index[is_same], w[is_same], games.size)
    share = np.divide(wins, games, out=np.full(games.size, 0.5), where=games > 0)
    with np.errstate(divide="ignore"):
        entropy = -_times(wins, np.log(share)) - _times(games - wins, np.log1p(-share))
    return float(np.where(same > 0, games * np.log(2), entropy).sum())


def _times(n: Array, log: Array) -> Array:
    return np.multiply(n, log, out=np.zeros_like(n), where=n > 0)


def _groups(groups: ArrayLike, n: int) -> NDArray[np.int64]:
    return checked.index_by_first_appearance(np.asarray(checked.prompts(groups, n, "groups")))


def _comparisons(pairs: PreferencePairs) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the number of each pair's comparison, whether its order is turned round, and whether both are the same.

    Two answers with equal features have probability ½ in every model, and so in the saturated one.
    """
    if pairs.is_items:
        low, high = np.minimum(pairs.chosen, pairs.rejected), np.maximum(pairs.chosen, pairs.rejected)
        index = np.unique(low * (int(high.max()) + 1) + high, return_inverse=True)[1]
        return index, pairs.chosen > pairs.rejected, pairs.chosen == pairs.rejected
    d = np.subtract(pairs.chosen, pairs.rejected, dtype=np.float64)
    first = np.argmax(d != 0, axis=1)
    sign = np.sign(d[np.arange(len(d)), first])  # of the first difference, 0 if there is none
    index = np.unique(d * np.where(sign < 0, -1.0, 1.0)[:, None] + 0.0, axis=0, return_inverse=True)[1]
    return index.ravel(), sign < 0, sign == 0


def _data_of(model: RewardModel) -> FittedTo:
    from .kinds import remembered  # noqa: PLC0415  # that module imports ``inference``, which imports this one

    return remembered(model, None, "number")


def _check_likelihood(model: RewardModel) -> None:
    if not getattr(model.loss, "is_likelihood", True):
        raise ValueError(f"likelihood: expected a loss that is a negative log-likelihood, got {model.loss}")


def _check_maximum(model: RewardModel, argument: str) -> None:
    if not hasattr(model, "converged"):
        raise TypeError(f"{argument}: expected a fitted RewardModel, got {class_name(model)}")
    if not model.converged or model.outcome.value != "converged":
        said = model.message.removeprefix("not converged: ")
        raise ValueError(f"{argument}: expected a fit that converged, got one that did not: {said}")
    if model.l2 > 0:
        raise ValueError(
            f"{argument}: expected a fit with l2 = 0, which maximises the likelihood, got l2 = {model.l2:g}"
        )
    data = _data_of(model)
    if data.centring > 0 or data.bias_reduced:
        raise ValueError(
            f"{argument}: expected a fit that maximises the likelihood alone, got one with "
            f"{f'centring = {data.centring:g}' if data.centring else 'bias_reduced=True'}"
        )
    _check_likelihood(model)
