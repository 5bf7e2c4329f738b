"""How good is a reward model? Its loss compared with log 2, its accuracy, its calibration, and their uncertainty.

Everything here starts from the margins Δ. Accuracy asks which answer has the higher reward, so it looks at Δ itself.
Loss, Brier score and calibration use the probability that training fits, p = P(chosen preferred) = sigma(z). z is Δ - m
with the target margin m, by default 0, or what this stands for in another loss (``MarginLoss.log_odds``). A pair with
label t and true probability p* adds to the weighted means:

    loss       t·softplus(-z) + (1-t)·softplus(z)                        floor: the entropy of the choices
    accuracy   t·[Δ > 0] + (1-t)·[Δ < 0] + ½·[Δ = 0]                     ceiling: mean max(p*, 1 - p*)
    Brier      t·(1-p)² + (1-t)·p²                                       floor: mean p*(1 - p*)
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import checked, given, single
from .arrays.frozen import blocks_of, locked
from .arrays.room import check_room
from .arrays.sums import spread_of
from .arrays.visible import counted, quoted
from .backend import shifted, sides_of, subtracts_first
from .fitting.matching import matched
from .fitting.progress import followed
from .inference import connected_groups, covariance, strong_components
from .intervals import bootstrap_interval, effective_numbers, refuse_nan, wilson_intervals
from .logistic import Array, sigmoid
from .losses import PairLoss, checked_labels, pair_losses, weighted_mean
from .pairs import PreferencePairs, check_fit
from .scorers import Scorer, check_size
from .threads import blas_on_one_thread

if TYPE_CHECKING:
    from .model import RewardModel

__all__ = ["Evaluation", "Reliability", "bootstrap_interval", "connected_groups", "covariance", "evaluate"]
__all__ += ["mean_accuracy", "pairwise_accuracies", "reliability", "strong_components", "wilson_intervals"]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predicted and observed probabilities: how often the favoured answer was chosen, for each level of confidence.

    Attributes
    ----------
    edges : array, (n_bins + 1,)
        Bins of the predicted probability of the favoured answer, from 1/2 to 1.
    predicted : array, (n_bins,), in [1/2, 1]
        Mean predicted probability of each bin. NaN in an empty bin.
    observed : array, (n_bins,), in [0, 1]
        Share of the pairs in which the favoured answer was chosen. NaN in an empty bin.
    weight : array, (n_bins,), each bin's share of the total weight
    n_pairs : array of int, (n_bins,)
    intervals : array, (n_bins, 2), in [0, 1]
        95 % interval of each observed share; see ``reliability``. NaN in an empty bin; all NaN by default.
    """

    edges: Array
    predicted: Array
    observed: Array
    weight: Array
    n_pairs: NDArray[np.int64]
    intervals: Array = None  # type: ignore[assignment]  # __post_init__ puts an array here

    def __post_init__(self) -> None:
        if self.intervals is None:
            object.__setattr__(self, "intervals", np.full((len(self.observed), 2), np.nan))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reliability):
            return NotImplemented
        names = [field.name for field in dataclasses.fields(self)]
        return all(np.array_equal(getattr(self, name), getattr(other, name), equal_nan=True) for name in names)

    __hash__ = None  # type: ignore[assignment]  # arrays have no hash

    @property
    def expected_calibration_error(self) -> float:
        """The ECE, in [0, 1], is the mean of ``|observed - predicted|`` over the bins, weighted by ``weight``."""
        full = self.weight > 0
        gap = float(np.sum(self.weight[full] * np.abs(self.observed[full] - self.predicted[full])))
        return gap if full.any() else math.nan


@dataclass(frozen=True)
class Evaluation:
    """The result of ``evaluate``. Losses are in nats, rewards and margins in log-odds, shares in [0, 1].

    A model that knows nothing has a ``mean_loss`` of log 2 (``coin_flip_loss``) and an ``accuracy`` of ½. Numbers that
    need probabilities are NaN if the model's loss only orders answers. ``accuracy_interval`` is a 95 % bootstrap
    interval over prompts, or None for a single prompt. ``margins``, (n_pairs,), are the Δ from which the other numbers
    were computed. ``weights`` and ``labels`` are those of the pairs.
    """

    n_pairs: int
    n_prompts: int
    n_identical: int
    total_weight: float
    mean_loss: float
    coin_flip_loss: float
    accuracy: float
    accuracy_interval: tuple[float, float] | None
    brier: float
    ece: float
    reward_mean_chosen: float
    reward_mean_rejected: float
    reward_sd: float
    margin_mean: float
    margin_sd: float
    margin_quantiles: tuple[float, float, float, float, float]
    reliability: Reliability
    margins: Array = dataclasses.field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    weights: Array | None = dataclasses.field(default=None, repr=False, compare=False)
    labels: Array | None = dataclasses.field(default=None, repr=False, compare=False)

    def to_dict(self) -> dict[str, object]:
        """Return plain numbers and lists for JSON, without the arrays of the pairs. NaN and infinity become None."""
        result = {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}
        del result["margins"], result["weights"], result["labels"]
        result["reliability"] = {name: _plain(values.tolist()) for name, values in vars(self.reliability).items()}
        return result

    def __str__(self) -> str:
        smallest, _, median, _, largest = self.margin_quantiles
        interval = " (a single prompt gives no interval)"
        if self.accuracy_interval is not None:
            interval = ", 95 % interval from {:.3f} to {:.3f}".format(*self.accuracy_interval)
        extras = "" if self.total_weight == self.n_pairs else f", total weight {self.total_weight:g}"
        if self.n_identical:
            extras += f", {self.n_identical} with identical answers"
        text = (
            f"pairs              {self.n_pairs} of {counted(self.n_prompts, 'prompt')}{extras}\n"
            f"mean loss          {self.mean_loss:.4f} nats (a coin flip costs log 2 = {self.coin_flip_loss:.4f})\n"
            f"pairwise accuracy  {self.accuracy:.3f}{interval}\n"
            f"Brier score        {self.brier:.4f} (a coin flip scores 0.2500)\n"
            f"calibration error  {self.ece:.3f} (ECE)\n"
            f"margins            mean {self.margin_mean:.2f}, standard deviation {self.margin_sd:.2f}, "
            f"median {median:.2f}, from {smallest:.2f} to {largest:.2f}"
        )
        return "\n".join(line for line in text.splitlines() if "  nan" not in line)


def _plain(values: object) -> object:
    """Replace NaN and infinity by None, also in nested lists."""
    if isinstance(values, list):
        return [_plain(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values


@overload
def evaluate(
    model: RewardModel, pairs: PreferencePairs, /, *, n_bins: int = ..., n_bootstrap: int = ..., seed: single.Seed = ...
) -> Evaluation: ...
@overload
def evaluate(
    scorer: Scorer,
    phi: ArrayLike,
    pairs: PreferencePairs,
    *,
    n_bins: int = ...,
    n_bootstrap: int = ...,
    seed: single.Seed = ...,
) -> Evaluation: ...
@np.errstate(over="ignore", invalid="ignore")  # rewards that are not finite are refused
def evaluate(
    scorer: Scorer | RewardModel,
    phi: ArrayLike | PreferencePairs | None = None,
    pairs: PreferencePairs | None = None,
    *,
    n_bins: int = 10,
    n_bootstrap: int = 2000,
    seed: single.Seed = 0,
) -> Evaluation:
    """Measure how good a reward model is on pairs: ``evaluate(scorer, phi, pairs)`` or ``evaluate(model, pairs)``.

    Weights, labels, target margins and prompts of the pairs are all taken into account.

    Parameters
    ----------
    scorer : Scorer or RewardModel
    phi : array_like, (n_parameters,)
        The parameters of the scorer. A model has its own φ.
    pairs : PreferencePairs
        If they and the model have names, items are matched by name, and other features are refused.
    n_bins : int, number of equal reliability bins on [1/2, 1]
    n_bootstrap : int
        Number of resamples of the prompts for the accuracy interval; see ``bootstrap_interval``.
    seed : int or numpy.random.Generator, for the resamples

    Raises
    ------
    ValueError, TypeError
        If scorer, φ and pairs do not fit together, or a reward or a margin is NaN or infinite.
    """
    loss = getattr(scorer, "loss", None)
    scorer, phi, pairs = _parts(scorer, phi, pairs)
    refuse_rankings(pairs)
    r_chosen, r_rejected = _rewards(scorer, phi, pairs)
    margins = margins_of(scorer, phi, pairs) if subtracts_first(scorer) else r_chosen - r_rejected
    for values in (r_chosen, r_rejected, margins):
        refuse_nan("phi", values, "rewards", finite=True)
    weights, labels, rng = pairs.weights, pairs.labels, single.generator(seed, "seed")
    z = log_odds(margins, pairs, loss)
    p, q = sigmoid(z), sigmoid(-z)
    t = np.ones(len(pairs)) if labels is None else labels
    accuracies = pairwise_accuracies(margins, labels)
    check_size("n_bins", n_bins)  # without probabilities, the table has no pairs
    check_room("n_bins", 40.0 * n_bins, f"{n_bins} bins, which need")
    table = Reliability(np.linspace(0.5, 1, n_bins + 1), *np.full((2, n_bins), np.nan), *np.zeros((2, n_bins), int))
    if not np.isnan(z).any():
        table = reliability(z, weights=weights, labels=labels, n_bins=n_bins, prompt_index=pairs.prompt_index)
    all_rewards = np.concatenate([r_chosen, r_rejected])
    twice = None if weights is None else np.concatenate([weights, weights])
    return Evaluation(
        n_pairs=len(pairs),
        n_prompts=pairs.n_prompts,
        n_identical=pairs.n_identical,
        total_weight=pairs.total_weight,
        mean_loss=weighted_mean(pair_losses(z, labels=labels), weights),
        coin_flip_loss=math.log(2),
        accuracy=weighted_mean(accuracies, weights),
        accuracy_interval=bootstrap_interval(
            accuracies, pairs.prompt_index, weights=weights, n_bootstrap=n_bootstrap, rng=rng
        ),
        brier=weighted_mean(t * q * q + (1 - t) * p * p, weights),
        ece=table.expected_calibration_error,
        reward_mean_chosen=weighted_mean(r_chosen, weights),
        reward_mean_rejected=weighted_mean(r_rejected, weights),
        reward_sd=spread_of(all_rewards, twice),
        margin_mean=weighted_mean(margins, weights),
        margin_sd=spread_of(margins, weights),
        margin_quantiles=_quantiles(margins, weights),
        reliability=table,
        margins=locked(margins),
        weights=weights,
        labels=labels,
    )


def refuse_rankings(pairs: object) -> None:
    """Raise TypeError for rankings, which have margins only as pairs."""
    if hasattr(pairs, "as_pairs"):
        raise TypeError(
            f"pairs: expected PreferencePairs, got {pairs}; its as_pairs() gives the pairs that it compares"
        )


def log_odds(margins: Array, pairs: PreferencePairs, loss: PairLoss | None = None) -> Array:
    """Return the log-odds of P(chosen preferred), (n_pairs,): NaN if margins of this loss only order answers."""
    if not getattr(loss, "gives_probabilities", True):
        return np.full(margins.shape, np.nan)
    z = shifted(margins, pairs) if getattr(loss, "shifts", True) else margins
    return getattr(loss, "log_odds", np.asarray)(z)


def margins_of(scorer: Scorer, phi: ArrayLike, pairs: PreferencePairs) -> Array:
    """Return the margins, (n_pairs,): those of ``Objective`` up to rounding, but without loading the compiled kernels.

    The differences of a linear scorer's features are formed block by block, so a mapped file need not fit in memory.
    """
    refuse_rankings(pairs)
    if not subtracts_first(scorer):
        chosen, rejected = _rewards(scorer, phi, pairs)
        return chosen - rejected
    check_fit(scorer, pairs)
    margins = np.empty(len(pairs))
    for rows in followed(list(blocks_of(pairs.chosen)), "margins"):
        ((difference, _),) = sides_of(scorer, pairs.chosen[rows], pairs.rejected[rows])
        margins[rows] = scorer.reward(given.float64(phi, "phi"), difference)
    return margins


def _rewards(scorer: Scorer, phi: ArrayLike, pairs: PreferencePairs) -> tuple[Array, Array]:
    """Return the rewards of the chosen and of the rejected answers, (n_pairs,) each."""
    check_fit(scorer, pairs)
    phi = given.float64(phi, "phi")
    with blas_on_one_thread(len(pairs) * scorer.n_parameters):
        chosen = np.array(scorer.reward(phi, pairs.chosen))  # a copy, in case the scorer uses its array again
        return chosen, scorer.reward(phi, pairs.rejected)


def _parts(
    scorer: Scorer | RewardModel, phi: ArrayLike | PreferencePairs | None, pairs: PreferencePairs | None
) -> tuple[Scorer, Array, PreferencePairs]:
    """Return scorer, φ and pairs from the arguments of either form of ``evaluate``."""
    if isinstance(scorer, PreferencePairs):
        raise TypeError("scorer: expected evaluate(scorer, phi, pairs) or evaluate(model, pairs), got pairs first")
    if hasattr(scorer, "scorer") and hasattr(scorer, "phi"):  # a RewardModel; its module imports this one
        if phi is not None and pairs is not None:
            raise TypeError("phi: expected evaluate(model, pairs) with a fitted model, got a phi besides its own")
        model = cast("RewardModel", scorer)
        pairs = cast("PreferencePairs", phi if pairs is None else pairs)
        return model.scorer, model.phi, matched(model.scorer, model.feature_names, pairs)
    if phi is None or isinstance(phi, PreferencePairs):
        wanted = "evaluate(scorer, phi, pairs) or evaluate(model, pairs)"
        raise TypeError(f"phi: expected {wanted}, got only {quoted(scorer)}")
    return scorer, given.float64(phi, "phi"), cast("PreferencePairs", pairs)  # check_fit checks them


def _quantiles(margins: Array, weights: Array | None) -> tuple[float, float, float, float, float]:
    """Return minimum, quartiles and maximum. Each is the smallest margin with at least its share of weight up to it."""
    margins, weights = (margins, None) if weights is None else (margins[weights > 0], weights[weights > 0])
    shares = [0, 0.25, 0.5, 0.75, 1]
    a, b, c, d, e = (float(x) for x in np.quantile(margins, shares, weights=weights, method="inverted_cdf"))
    return a, b, c, d, e


def pairwise_accuracies(margins: ArrayLike, labels: ArrayLike | None = None) -> Array:
    """Return the accuracy of each pair: t if Δ > 0, 1 - t if Δ < 0, ½ if Δ = 0. By default t = 1. NaN stays NaN.

    Their weighted mean is the pairwise accuracy. A scorer that gives every answer the same reward gets ½, and a pair
    that was a tie gives ½ for every model.

    Examples
    --------
    >>> print(pairwise_accuracies([1.0, 0.5, 0.0, -0.5]))
    [1.  1.  0.5 0. ]
    """
    delta = given.float64(margins, "margins")
    t = np.ones(delta.shape) if labels is None else checked_labels(labels, delta)
    return np.where(delta > 0, t, np.where(delta < 0, 1 - t, np.where(delta == 0, 0.5, delta)))


def mean_accuracy(margins: Array, labels: Array | None = None, weights: Array | None = None) -> float:
    """Return the weighted mean of ``pairwise_accuracies``, in [0, 1]: the share of pairs that are ordered correctly."""
    margins = given.float64(margins, "margins")
    wins, losses = int(np.count_nonzero(margins > 0)), int(np.count_nonzero(margins < 0))
    ties = int(np.count_nonzero(margins == 0)) if wins + losses < margins.size else 0
    if labels is None and weights is None and margins.ndim == 1 and 0 < margins.size == wins + losses + ties:
        return (wins + 0.5 * ties) / margins.size
    return weighted_mean(pairwise_accuracies(margins, labels), weights)


def reliability(
    z: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    n_bins: int = 10,
    prompt_index: ArrayLike | None = None,
) -> Reliability:
    """Bin pairs by the probability of the answer that the model favours, and count how often that answer was chosen.

    The order in which a pair is stored carries no information (chosen always comes first). So both probabilities are
    those of the answer that the model favours: predicted is ``sigma(|z|)``, in [1/2, 1], and observed is t if z > 0,
    1 - t if z < 0, ½ if z = 0.

    Parameters
    ----------
    z : array_like, (n_pairs,), log-odds
        Δ - m.
    weights, labels : array_like, (n_pairs,), optional
    n_bins : int, at least 1
    prompt_index : array_like of int, (n_pairs,), optional
        Number of each pair's prompt, 0 … n_prompts - 1. By default every pair has a prompt of its own.

    Raises
    ------
    ValueError
        If a z is NaN.

    Notes
    -----
    Pairs of one prompt are not independent, so the intervals count each prompt in a bin as one trial. The observed
    share is Σ W·s / Σ W, where W is the weight of a prompt's pairs in the bin and s their own share. Since s lies in
    [0, 1] and has mean p, its variance is at most p(1 - p), and that of the observed share at most p(1 - p)/n with
    n = (Σ W)² / Σ W². This n is the effective sample size of Kish (1965, Survey Sampling): the number of prompts if all
    have the same weight, and less otherwise. ``wilson_intervals`` uses it as the number of trials.
    """
    check_size("n_bins", n_bins)
    check_room("n_bins", 40.0 * n_bins, f"{n_bins} bins, which need")
    z = given.vector(z, "z")
    for name, values in {"z": z, "weights": weights, "labels": labels}.items():
        if values is not None:
            refuse_nan(name, given.float64(values, name).ravel())
    predicted = sigmoid(np.abs(z))
    observed = pairwise_accuracies(z, labels)
    w = np.ones(z.shape) if weights is None else np.asarray(checked.weights(weights, z.size))
    prompts = np.arange(z.size) if prompt_index is None else given.whole_numbers(prompt_index, "prompt_index", z.size)
    edges = np.linspace(0.5, 1.0, n_bins + 1)
    bins = np.clip(np.searchsorted(edges, predicted, side="right") - 1, 0, n_bins - 1)  # 1 belongs to the last bin
    weight = np.bincount(bins, weights=w, minlength=n_bins)

    def mean_in_bin(values: Array) -> Array:
        sums = np.bincount(bins, weights=w * values, minlength=n_bins)
        mean: Array = np.divide(sums, weight, out=np.full(n_bins, np.nan), where=weight > 0)
        return mean

    shares = mean_in_bin(observed)
    intervals = wilson_intervals(shares, effective_numbers(bins, prompts, w, n_bins))
    n_pairs = np.bincount(bins, minlength=n_bins)
    return Reliability(edges, mean_in_bin(predicted), shares, weight / weight.sum(), n_pairs, intervals)
