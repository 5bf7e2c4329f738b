"""How good is a reward model? Its loss compared with log 2, its accuracy, its calibration, and their uncertainty.

Everything here starts from the margins Δ. Accuracy asks which answer has the higher reward, so it looks at Δ itself.
Loss, Brier score and calibration use the probability that training fits, p = P(chosen preferred) = sigma(Δ - m), where
m is the target margin (by default 0). A pair with label t and true probability p* adds to the weighted means:

    loss       t·softplus(-z) + (1-t)·softplus(z),  z = Δ - m            floor: the entropy of the choices
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

from .arrays.frozen import blocks_of, locked
from .backend import shifted, sides_of
from .inference import connected_groups, covariance, strong_components
from .logistic import Array, sigmoid
from .losses import pair_losses, weighted_mean
from .pairs import PreferencePairs, check_fit
from .scorers import Scorer, check_size
from .threads import blas_on_one_thread

if TYPE_CHECKING:
    from .model import RewardModel

__all__ = [
    "Evaluation",
    "Reliability",
    "bootstrap_interval",
    "connected_groups",
    "covariance",
    "evaluate",
    "mean_accuracy",
    "pairwise_accuracies",
    "reliability",
    "strong_components",
    "wilson_intervals",
]

MOST_RESAMPLED = 50_000  # prompts; the interval of more is computed without a bootstrap
QUANTILE_95 = 1.959963984540054  # 95 % of a normal distribution lie within this many standard deviations of its mean


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predicted and observed probabilities: how often the favoured answer was chosen, for each level of confidence.

    Attributes
    ----------
    edges : array, (n_bins + 1,)
        Bins of the predicted probability of the favoured answer, from 1/2 to 1.
    predicted, observed : arrays, (n_bins,), in [0, 1]
        Mean predicted probability, and share of the pairs in which the favoured answer was chosen. NaN in an empty bin.
    weight : array, (n_bins,)
        Each bin's share of the total weight. The shares sum to 1.
    n_pairs : array of int, (n_bins,)
        Number of pairs in each bin.
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
        """ECE: the mean of |observed - predicted| over the bins, weighted by ``weight``, in [0, 1]."""
        full = self.weight > 0
        return float(np.sum(self.weight[full] * np.abs(self.observed[full] - self.predicted[full])))


@dataclass(frozen=True)
class Evaluation:
    """The result of ``evaluate``. Losses are in nats, rewards and margins in log-odds, shares in [0, 1].

    Compare ``mean_loss`` with ``coin_flip_loss``, log 2, and ``accuracy`` with ½: a model that knows nothing reaches
    these. ``accuracy_interval`` is a 95 % bootstrap interval over prompts, or None for a single prompt. ``margins``,
    (n_pairs,), are the Δ from which the other numbers were computed, and ``weights`` the weights of the pairs or None.
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

    def to_dict(self) -> dict[str, object]:
        """Return plain numbers, lists and dictionaries for JSON, without margins and weights; NaN becomes None."""
        result = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del result["margins"], result["weights"]
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
        return (
            f"pairs              {self.n_pairs} of {self.n_prompts} prompt{'s' * (self.n_prompts > 1)}{extras}\n"
            f"mean loss          {self.mean_loss:.4f} nats (a coin flip costs log 2 = {self.coin_flip_loss:.4f})\n"
            f"pairwise accuracy  {self.accuracy:.3f}{interval}\n"
            f"Brier score        {self.brier:.4f} (a coin flip scores 0.2500)\n"
            f"calibration error  {self.ece:.3f} (ECE)\n"
            f"margins            mean {self.margin_mean:.2f}, standard deviation {self.margin_sd:.2f}, "
            f"median {median:.2f}, from {smallest:.2f} to {largest:.2f}"
        )


def _plain(values: object) -> object:
    """Replace NaN by None in nested lists."""
    if isinstance(values, list):
        return [_plain(value) for value in values]
    return None if isinstance(values, float) and math.isnan(values) else values


@overload
def evaluate(
    model: RewardModel, pairs: PreferencePairs, /, *, n_bins: int = ..., n_bootstrap: int = ..., seed: int = ...
) -> Evaluation: ...
@overload
def evaluate(
    scorer: Scorer,
    phi: ArrayLike,
    pairs: PreferencePairs,
    *,
    n_bins: int = ...,
    n_bootstrap: int = ...,
    seed: int = ...,
) -> Evaluation: ...
def evaluate(
    scorer: Scorer | RewardModel,
    phi: ArrayLike | PreferencePairs | None = None,
    pairs: PreferencePairs | None = None,
    *,
    n_bins: int = 10,
    n_bootstrap: int = 2000,
    seed: int = 0,
) -> Evaluation:
    """Measure how good a reward model is on pairs: ``evaluate(scorer, phi, pairs)`` or ``evaluate(model, pairs)``.

    Weights, labels, target margins and prompts of the pairs are all taken into account.

    Parameters
    ----------
    scorer : Scorer or RewardModel
    phi : array_like, (n_parameters,)
        The parameters of the scorer. A model has its own φ.
    pairs : PreferencePairs
    n_bins : int
        Number of equal reliability bins on [1/2, 1].
    n_bootstrap, seed : int
        Number of resamples of the prompts for the accuracy interval, and their seed. Beyond 50,000 prompts the normal
        approximation takes their place; see ``bootstrap_interval``.

    Raises
    ------
    ValueError, TypeError
        If scorer, φ and pairs do not fit together, or a reward or a margin is NaN.
    """
    scorer, phi, pairs = _parts(scorer, phi, pairs)
    r_chosen, r_rejected, margins = rewards_and_margins(scorer, phi, pairs)
    for values in (r_chosen, r_rejected, margins):
        _refuse_nan("phi", values, "rewards")
    weights, labels = pairs.weights, pairs.labels
    z = shifted(margins, pairs)
    p, q = sigmoid(z), sigmoid(-z)
    t = np.ones(len(pairs)) if labels is None else labels
    accuracies = pairwise_accuracies(margins, labels)
    table = reliability(z, weights=weights, labels=labels, n_bins=n_bins, prompt_index=pairs.prompt_index)
    all_rewards = np.concatenate([r_chosen, r_rejected])
    twice = None if weights is None else np.concatenate([weights, weights])
    margin_mean = weighted_mean(margins, weights)
    return Evaluation(
        n_pairs=len(pairs),
        n_prompts=pairs.n_prompts,
        n_identical=pairs.n_identical,
        total_weight=pairs.total_weight,
        mean_loss=weighted_mean(pair_losses(z, labels=labels), weights),
        coin_flip_loss=math.log(2),
        accuracy=weighted_mean(accuracies, weights),
        accuracy_interval=bootstrap_interval(
            accuracies, pairs.prompt_index, weights=weights, n_bootstrap=n_bootstrap, rng=np.random.default_rng(seed)
        ),
        brier=weighted_mean(t * q * q + (1 - t) * p * p, weights),
        ece=table.expected_calibration_error,
        reward_mean_chosen=weighted_mean(r_chosen, weights),
        reward_mean_rejected=weighted_mean(r_rejected, weights),
        reward_sd=math.sqrt(weighted_mean((all_rewards - weighted_mean(all_rewards, twice)) ** 2, twice)),
        margin_mean=margin_mean,
        margin_sd=math.sqrt(weighted_mean((margins - margin_mean) ** 2, weights)),
        margin_quantiles=_quantiles(margins, weights),
        reliability=table,
        margins=locked(margins),
        weights=weights,
    )


def rewards_and_margins(scorer: Scorer, phi: ArrayLike, pairs: PreferencePairs) -> tuple[Array, Array, Array]:
    """Return the rewards of both answers and the margins, (n_pairs,) each: the same margins as in training.

    The differences of a linear scorer's features are formed block by block, so that a large file stays out of memory.
    """
    phi = np.asarray(phi, dtype=np.float64)
    check_fit(scorer, pairs)
    with blas_on_one_thread(len(pairs) * scorer.n_parameters):
        chosen = np.array(scorer.reward(phi, pairs.chosen))  # a copy, in case the scorer uses its array again
        rejected = scorer.reward(phi, pairs.rejected)
    if len(sides_of(scorer, pairs.chosen[:1], pairs.rejected[:1])) == 2:
        return chosen, rejected, chosen - rejected
    margins = np.empty(len(pairs))
    for rows in blocks_of(pairs.chosen):
        ((difference, _),) = sides_of(scorer, pairs.chosen[rows], pairs.rejected[rows])
        margins[rows] = scorer.reward(phi, difference)
    return chosen, rejected, margins


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
        return model.scorer, model.phi, cast("PreferencePairs", phi if pairs is None else pairs)
    if phi is None or isinstance(phi, PreferencePairs):
        raise TypeError(f"phi: expected evaluate(scorer, phi, pairs) or evaluate(model, pairs), got only {scorer}")
    return scorer, np.asarray(phi, dtype=np.float64), cast("PreferencePairs", pairs)  # check_fit checks them


def _quantiles(margins: Array, weights: Array | None) -> tuple[float, float, float, float, float]:
    """Return minimum, quartiles and maximum. Each is the smallest margin with at least its share of weight up to it."""
    margins, weights = (margins, None) if weights is None else (margins[weights > 0], weights[weights > 0])
    shares = [0, 0.25, 0.5, 0.75, 1]
    a, b, c, d, e = (float(x) for x in np.quantile(margins, shares, weights=weights, method="inverted_cdf"))
    return a, b, c, d, e


def _refuse_nan(argument: str, values: Array, what: str = "values") -> None:
    """Raise ValueError if a value is NaN, since its pair can neither be counted as right nor as wrong."""
    if (is_nan := np.isnan(values)).any():
        got = f"NaN for {np.count_nonzero(is_nan)} of {len(values)} pairs, the first of them pair {np.argmax(is_nan)}"
        raise ValueError(f"{argument}: expected {what} that are numbers, got {got}")


def pairwise_accuracies(margins: ArrayLike, labels: ArrayLike | None = None) -> Array:
    """Return the accuracy of each pair: t if Δ > 0, 1 - t if Δ < 0, ½ if Δ = 0. By default t = 1. NaN stays NaN.

    Their weighted mean is the pairwise accuracy. A scorer that gives every answer the same reward gets ½, and a pair
    that was a tie gives ½ for every model.

    Examples
    --------
    >>> print(pairwise_accuracies([1.0, 0.5, 0.0, -0.5]))
    [1.  1.  0.5 0. ]
    """
    delta = np.asarray(margins, dtype=np.float64)
    t = np.ones(delta.shape) if labels is None else np.asarray(labels, dtype=np.float64)
    return np.where(delta > 0, t, np.where(delta < 0, 1 - t, np.where(delta == 0, 0.5, delta)))


def mean_accuracy(margins: Array, labels: Array | None = None, weights: Array | None = None) -> float:
    """Return the weighted mean of ``pairwise_accuracies``. Without labels, weights and NaN, counting is enough."""
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
    those of the answer that the model favours: predicted is sigma(|z|), in [1/2, 1], and observed is t if z > 0, 1 - t
    if z < 0, ½ if z = 0.

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
    z = np.asarray(z, dtype=np.float64)
    _refuse_nan("z", z)
    predicted = sigmoid(np.abs(z))
    observed = pairwise_accuracies(z, labels)
    w = np.ones(z.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    prompts = np.arange(z.size) if prompt_index is None else np.asarray(prompt_index, dtype=np.int64)
    edges = np.linspace(0.5, 1.0, n_bins + 1)
    bins = np.clip(np.searchsorted(edges, predicted, side="right") - 1, 0, n_bins - 1)  # 1 belongs to the last bin
    weight = np.bincount(bins, weights=w, minlength=n_bins)

    def mean_in_bin(values: Array) -> Array:
        sums = np.bincount(bins, weights=w * values, minlength=n_bins)
        mean: Array = np.divide(sums, weight, out=np.full(n_bins, np.nan), where=weight > 0)
        return mean

    shares = mean_in_bin(observed)
    intervals = wilson_intervals(shares, _effective_numbers(bins, prompts, w, n_bins))
    n_pairs = np.bincount(bins, minlength=n_bins)
    return Reliability(edges, mean_in_bin(predicted), shares, weight / weight.sum(), n_pairs, intervals)


def _effective_numbers(bins: NDArray[np.int64], prompts: NDArray[np.int64], w: Array, n_bins: int) -> Array:
    """Return (Σ W)² / Σ W² over the prompts of each bin, (n_bins,), NaN in an empty bin."""
    cell = bins * (int(prompts.max()) + 1) + prompts  # one number for each combination of bin and prompt
    order = np.argsort(cell, kind="stable")
    first = np.flatnonzero(np.diff(cell[order], prepend=-1))  # where each combination starts
    in_bin, of_prompt = bins[order][first], np.add.reduceat(w[order], first)
    total = np.bincount(in_bin, weights=of_prompt, minlength=n_bins)
    shares = of_prompt / np.where(total > 0, total, np.nan)[in_bin]  # W / Σ W cannot overflow when squared
    squares = np.bincount(in_bin, weights=shares * shares, minlength=n_bins)
    return 1.0 / np.where(squares > 0, squares, np.nan)


def wilson_intervals(shares: ArrayLike, n_trials: ArrayLike) -> Array:
    """Return the 95 % interval of each share p̂ that was observed in n trials, (n, 2), in [0, 1]; NaN stays NaN.

    The interval contains every p that a normal test does not reject, that is |p̂ - p| <= 1.96·√(p(1 - p)/n). Squared,
    with c = 1.96²/n, this is the quadratic (1 + c)·p² - (2p̂ + c)·p + p̂² <= 0, and the interval lies between its roots.
    Unlike p̂ ± 1.96·√(p̂(1 - p̂)/n), it stays in [0, 1], and its width is positive even at p̂ = 0 and p̂ = 1.

    Parameters
    ----------
    shares : array_like, (n,), in [0, 1]
    n_trials : array_like, (n,) or one number, above 0
        They need not be whole numbers.

    References
    ----------
    Wilson, E. B. 1927, Journal of the American Statistical Association 22(158), 209-212.

    Examples
    --------
    >>> print(wilson_intervals([0.8, 1.0], 10).round(4))
    [[0.4902 0.9433]
     [0.7225 1.    ]]
    """
    p, c = np.asarray(shares, dtype=np.float64), QUANTILE_95**2 / np.asarray(n_trials, dtype=np.float64)
    middle, half = p + c / 2, np.sqrt(c * p * (1 - p) + c * c / 4)
    # The product of the roots is p̂²/(1 + c), so the larger root gives the smaller, exactly 0 at p̂ = 0. In the same way,
    # the symmetry p → 1 - p gives the larger root, exactly 1 at p̂ = 1.
    low = p * p / (middle + half)
    high = 1 - (1 - p) ** 2 / (1 + c - middle + half)
    return np.stack([low, high], axis=-1)


def bootstrap_interval(
    values: ArrayLike,
    prompt_index: ArrayLike,
    *,
    rng: np.random.Generator,
    weights: ArrayLike | None = None,
    n_bootstrap: int = 2000,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """Return a percentile bootstrap interval of the weighted mean of ``values``, from resamples of whole prompts.

    Pairs of one prompt are not independent: they share answers and often the annotator. Resampling them one by one
    would pretend to more data than there is and give intervals that are too narrow. Beyond 50,000 prompts the
    distribution of the mean over the resamples is as good as normal, so the interval is computed without resampling:
    mean ± z·√(Σ e²)/Σ W, with W the weight of a prompt and e the sum of w·(value - mean) over its pairs.

    Parameters
    ----------
    values : array_like, (n_pairs,)
    prompt_index : array_like of int, (n_pairs,)
        Number of each pair's prompt, 0 … n_prompts - 1.
    rng : numpy.random.Generator
    weights : array_like, (n_pairs,), optional
    n_bootstrap : int
        Number of resamples.
    level : float in (0, 1)

    Returns
    -------
    (low, high), or None for a single prompt, which cannot be resampled

    Raises
    ------
    ValueError
        If a value is NaN.
    """
    check_size("n_bootstrap", n_bootstrap)
    v = np.asarray(values, dtype=np.float64)
    _refuse_nan("values", v)
    prompts = np.asarray(prompt_index)
    w = np.ones(v.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    n = int(prompts.max()) + 1
    if n < 2:
        return None
    weight = np.bincount(prompts, weights=w, minlength=n)  # (n_prompts,)
    total = np.bincount(prompts, weights=w * v, minlength=n)
    if n > MOST_RESAMPLED:
        return _normal_interval(weight, total, level, (float(v.min()), float(v.max())))
    means = []
    for _ in range(n_bootstrap):
        times = np.bincount(rng.integers(n, size=n), minlength=n)  # how often each prompt was drawn
        drawn = np.sum(times * weight)
        if drawn > 0:
            means.append(np.sum(times * total) / drawn)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _normal_interval(weight: Array, total: Array, level: float, within: tuple[float, float]) -> tuple[float, float]:
    """Return the interval of Σ total / Σ weight over independent prompts, to first order in the deviations from it."""
    from statistics import NormalDist  # noqa: PLC0415  # imported here so that the package imports fast

    mean = float(total.sum() / weight.sum())
    error = float(np.sqrt(np.sum((total - mean * weight) ** 2)) / weight.sum())
    half = NormalDist().inv_cdf(0.5 + level / 2) * error
    return max(mean - half, within[0]), min(mean + half, within[1])
