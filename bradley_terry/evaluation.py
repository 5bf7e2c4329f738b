"""How good is a reward model? Loss beside log 2, accuracy, calibration, and how sure we may be of all that.

Everything here starts from the margins Δ. Accuracy asks which answer has the higher reward, so it reads Δ itself.
Loss, Brier score and calibration judge the probability that the loss trains, P(chosen preferred) = sigma(Δ - m), m
being the target margin (0 unless given). Each is a weighted mean of a quantity of one pair, with label t and p = P:

    loss       t·softplus(-z) + (1-t)·softplus(z),  z = Δ - m            floor: the entropy of the choices
    accuracy   t·[Δ > 0] + (1-t)·[Δ < 0] + ½·[Δ = 0]                     ceiling: mean max(p*, 1 - p*)
    Brier      t·(1-p)² + (1-t)·p²                                       floor: mean p*(1 - p*)
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .logistic import sigmoid
from .losses import pair_losses, weighted_mean
from .objective import Objective
from .threads import blas_on_one_thread
from .pairs import PreferencePairs
from .scorers import LinearScorer, Scorer, TableScorer, check_size

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
]

Array = NDArray[np.float64]

WORTH_COMPILING = 1_000_000  # features below which one pass takes less time than fetching compiled kernels


@dataclass(frozen=True)
class Reliability:
    """Predicted against observed: how often the favoured answer wins, by how sure the model was.

    Attributes
    ----------
    edges : array, (n_bins + 1,)
        Bins of the predicted probability of the favoured answer, from 1/2 to 1.
    predicted, observed : arrays, (n_bins,), in [0, 1]
        Mean predicted probability and share of preferences in each bin; NaN in an empty bin.
    weight : array, (n_bins,)
        Share of the pairs in each bin, by weight, sums to 1.
    n_pairs : array of int, (n_bins,)
        Number of pairs in each bin.
    """

    edges: Array
    predicted: Array
    observed: Array
    weight: Array
    n_pairs: NDArray[np.int64]

    @property
    def expected_calibration_error(self) -> float:
        """ECE: mean |observed - predicted| over the bins, weighted by the pairs in them, in [0, 1]."""
        full = self.weight > 0
        return float(np.sum(self.weight[full] * np.abs(self.observed[full] - self.predicted[full])))


@dataclass(frozen=True)
class Evaluation:
    """What ``evaluate`` found. Losses in nats, rewards and margins in log-odds, shares in [0, 1].

    ``accuracy_interval`` is a 95 % bootstrap interval over prompts, or None for a single prompt. Compare ``mean_loss``
    with ``coin_flip_loss``, log 2, and ``accuracy`` with ½: that is what knowing nothing gives.
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

    def to_dict(self) -> dict[str, object]:
        """Return plain numbers, lists and dictionaries, ready for JSON; NaN becomes None."""
        result = dataclasses.asdict(self)
        result["reliability"] = {
            name: [None if math.isnan(x) else x for x in values.tolist()]
            for name, values in result["reliability"].items()
        }
        return result

    def __str__(self) -> str:
        interval = ""
        if self.accuracy_interval is not None:
            interval = " [{:.3f}, {:.3f}]".format(*self.accuracy_interval)
        return (
            f"{self.n_pairs} pairs of {self.n_prompts} prompts: loss {self.mean_loss:.4f} nats "
            f"(knowing nothing: {self.coin_flip_loss:.4f}), accuracy {self.accuracy:.3f}{interval}, "
            f"Brier {self.brier:.4f}, ECE {self.ece:.3f}"
        )


def evaluate(
    scorer: Scorer, phi: ArrayLike, pairs: PreferencePairs, *, n_bins: int = 10, n_bootstrap: int = 2000, seed: int = 0
) -> Evaluation:
    """Judge the parameters φ of a scorer on pairs, honouring their weights, labels, target margins and prompts.

    Parameters
    ----------
    scorer : Scorer
    phi : array_like, (n_parameters,)
    pairs : PreferencePairs
    n_bins : int
        Number of equal reliability bins on [1/2, 1].
    n_bootstrap, seed : int
        Resamples of the prompts, and their seed, for the accuracy interval.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        If scorer, φ and pairs do not fit together.
    """
    phi = np.asarray(phi, dtype=np.float64)
    objective = Objective(scorer, pairs)
    r_chosen, r_rejected = scorer.reward(phi, pairs.chosen), scorer.reward(phi, pairs.rejected)
    # rewards of a linear scorer share what both answers share, and its margins are better without
    margins = objective.margins(phi) if isinstance(scorer, LinearScorer) else r_chosen - r_rejected
    weights, labels = pairs.weights, pairs.labels
    z = margins if pairs.target_margins is None else margins - pairs.target_margins
    p = np.asarray(sigmoid(z))
    q = np.asarray(sigmoid(-z))
    t = np.ones(len(pairs)) if labels is None else labels
    accuracies = pairwise_accuracies(margins, labels)
    table = reliability(z, weights=weights, labels=labels, n_bins=n_bins)
    all_rewards = np.concatenate([r_chosen, r_rejected])
    twice = None if weights is None else np.concatenate([weights, weights])
    margin_mean = weighted_mean(margins, weights)
    return Evaluation(
        n_pairs=len(pairs),
        n_prompts=pairs.n_prompts,
        n_identical=pairs.n_identical,
        total_weight=pairs.total_weight,
        mean_loss=weighted_mean(np.asarray(pair_losses(z, labels=labels)), weights),
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
    )


def _quantiles(margins: Array, weights: Array | None) -> tuple[float, float, float, float, float]:
    """Return least, quartiles and largest, each the smallest margin with at least that share of the weight below it."""
    margins, weights = (margins, None) if weights is None else (margins[weights > 0], weights[weights > 0])
    shares = [0, 0.25, 0.5, 0.75, 1]
    a, b, c, d, e = (float(x) for x in np.quantile(margins, shares, weights=weights, method="inverted_cdf"))
    return a, b, c, d, e


def pairwise_accuracies(margins: ArrayLike, labels: ArrayLike | None = None) -> Array:
    """Return the accuracy of each pair: t where Δ > 0, 1 - t where Δ < 0, ½ where Δ = 0, with t = 1 unless given.

    Their weighted mean is the pairwise accuracy. A constant scorer gets ½, not 0 and not 1; a tie gives ½ whatever
    the model says.

    Examples
    --------
    >>> print(pairwise_accuracies([1.0, 0.5, 0.0, -0.5]))
    [1.  1.  0.5 0. ]
    """
    delta = np.asarray(margins, dtype=np.float64)
    t = np.ones(delta.shape) if labels is None else np.asarray(labels, dtype=np.float64)
    return np.asarray(np.where(delta > 0, t, np.where(delta < 0, 1 - t, 0.5)), dtype=np.float64)


def mean_accuracy(margins: Array, labels: Array | None = None, weights: Array | None = None) -> float:
    """Return the weighted mean of ``pairwise_accuracies``; where every pair is alike, counting will do."""
    if labels is None and weights is None:
        wins, losses = int(np.count_nonzero(margins > 0)), int(np.count_nonzero(margins < 0))
        return (wins + 0.5 * (margins.size - wins - losses)) / margins.size
    return weighted_mean(pairwise_accuracies(margins, labels), weights)


def reliability(
    z: ArrayLike, *, weights: ArrayLike | None = None, labels: ArrayLike | None = None, n_bins: int = 10
) -> Reliability:
    """Sort pairs by how sure the model is of its favourite and compare with how often the favourite was chosen.

    The stored order of a pair carries no information (chosen always comes first), so each pair is turned to face the
    answer the model favours: predicted sigma(|z|) in [1/2, 1], observed t if z > 0, 1 - t if z < 0, ½ if z = 0.

    Parameters
    ----------
    z : array_like, (n_pairs,), log-odds
        Δ - m.
    weights, labels : array_like, (n_pairs,), optional
    n_bins : int, at least 1

    Returns
    -------
    Reliability
    """
    check_size("n_bins", n_bins)
    z = np.asarray(z, dtype=np.float64)
    predicted = np.asarray(sigmoid(np.abs(z)))
    observed = pairwise_accuracies(z, labels)
    w = np.ones(z.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    edges = np.linspace(0.5, 1.0, n_bins + 1)
    bins = np.clip(np.searchsorted(edges, predicted, side="right") - 1, 0, n_bins - 1)  # 1 belongs to the last bin
    weight = np.bincount(bins, weights=w, minlength=n_bins)
    full = weight > 0

    def mean_in_bin(values: Array) -> Array:
        sums = np.bincount(bins, weights=w * values, minlength=n_bins)
        return np.asarray(np.divide(sums, weight, out=np.full(n_bins, np.nan), where=full))

    n_pairs = np.bincount(bins, minlength=n_bins)
    return Reliability(edges, mean_in_bin(predicted), mean_in_bin(observed), weight / weight.sum(), n_pairs)


def bootstrap_interval(
    values: ArrayLike,
    prompt_index: ArrayLike,
    *,
    rng: np.random.Generator,
    weights: ArrayLike | None = None,
    n_bootstrap: int = 2000,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """Return a percentile bootstrap interval of the weighted mean of ``values`` that resamples whole prompts.

    Pairs of one prompt are not independent: they share the answers and often the person. Resampling them one by one
    would pretend to more data than there is and give intervals that are too narrow.

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
    (low, high), or None for a single prompt, from which nothing can be resampled
    """
    check_size("n_bootstrap", n_bootstrap)
    v = np.asarray(values, dtype=np.float64)
    prompts = np.asarray(prompt_index)
    w = np.ones(v.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    n = int(prompts.max()) + 1
    if n < 2:
        return None
    weight = np.bincount(prompts, weights=w, minlength=n)  # of each prompt
    total = np.bincount(prompts, weights=w * v, minlength=n)
    means = []
    for _ in range(n_bootstrap):
        times = np.bincount(rng.integers(n, size=n), minlength=n)  # how often each prompt was drawn
        drawn = np.sum(times * weight)
        if drawn > 0:
            means.append(np.sum(times * total) / drawn)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def covariance(scorer: Scorer, information: Array, reference: int | None = None) -> Array:
    """Invert the information matrix into the covariance of the estimated parameters.

    Parameters
    ----------
    scorer : Scorer
        A table's covariance respects the freedom to shift all its rewards; any other is a plain inverse.
    information : array, (n_parameters, n_parameters)
        Σ w · d²L/dφ²: the second derivative of the summed loss, weights read as counts. With l2 > 0 this is the
        Laplace approximation of the posterior under the Gaussian prior that l2 stands for.
    reference : int, optional
        For a table: the item whose reward is set to 0, with no error of its own. Unless given, rewards sum to zero.

    Returns
    -------
    array, (n_parameters, n_parameters)

    Raises
    ------
    ValueError
        If a direction of φ other than the shift is not determined by the data.

    Notes
    -----
    For a table without l2, H·1 = 0. H + 11ᵀ/n is invertible and (H + 11ᵀ/n)⁻¹ - 11ᵀ/n is the pseudo-inverse of H, the
    covariance of rewards that sum to zero. Rewards relative to item k are A·r with A = I - 1·e_kᵀ: A·Cov·Aᵀ.
    """
    n = len(information)
    if not isinstance(scorer, TableScorer):
        if reference is not None:
            raise ValueError(f"reference: expected None for {scorer}; only a table's rewards can shift together")
        # In units in which every parameter has information 1, so that the units of the features do not matter.
        diagonal = np.diag(information)
        unit = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        return _inverse(information * np.outer(unit, unit)) * np.outer(unit, unit)
    if n == 1:
        return np.zeros((1, 1))  # a single reward is zero by convention
    information = information - information.mean()  # l2 would pin the mean reward; the report sets it to zero
    size = float(np.abs(information).max())
    inverse = _inverse(information + size / n)  # size·11ᵀ/n: 11ᵀ/n on the scale of H, so that one rank test serves all
    centre = np.eye(n) - 1 / n
    if reference is not None:
        if not -n <= reference < n:
            raise ValueError(f"reference: expected an item from 0 to {n - 1}, got {reference}")
        centre = np.eye(n)
        centre[:, reference] -= 1
    with blas_on_one_thread(n**3):
        return np.asarray(centre @ inverse @ centre.T)


def _inverse(information: Array) -> Array:
    """Invert a symmetric matrix, or say which directions it leaves undetermined."""
    n = len(information)
    with blas_on_one_thread(n**3):
        eigenvalues, vectors = np.linalg.eigh(information)
        weak = eigenvalues <= n * np.finfo(np.float64).eps * max(float(np.abs(information).max()), eigenvalues[-1])
        if not weak.any():
            return np.asarray((vectors / eigenvalues) @ vectors.T)
    worst = int(np.abs(vectors[:, int(np.argmin(eigenvalues))]).argmax())
    raise ValueError(
        f"standard errors: {int(weak.sum())} direction(s) of phi are not determined by these pairs "
        f"(parameter {worst} is the largest part of one); drop a feature or use l2 > 0"
    )


def strong_components(pairs: PreferencePairs) -> list[list[int]]:
    """Group items so that within a group every item has beaten every other, directly or through a chain of wins.

    A table has one finite best fit, up to a shift, exactly when there is one group (Ford 1957). With more groups, one
    that beat another without ever losing to it runs off to infinity, and groups that never met cannot be compared.

    Parameters
    ----------
    pairs : PreferencePairs of items
        A label strictly between 0 and 1, such as a tie, counts as a win for both.

    Returns
    -------
    list of sorted lists of item numbers
        Strongest first where the groups can be ordered.

    References
    ----------
    Ford, L. R. 1957, American Mathematical Monthly 64(8), 28-33.
    """
    if not pairs.is_items:
        raise ValueError("pairs: expected item numbers, got features")
    n = pairs.n_items
    t = np.ones(len(pairs)) if pairs.labels is None else pairs.labels
    w = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
    beats = np.zeros((n, n), dtype=bool)
    forward, backward = (t > 0) & (w > 0), (t < 1) & (w > 0)
    beats[pairs.chosen[forward], pairs.rejected[forward]] = True
    beats[pairs.rejected[backward], pairs.chosen[backward]] = True
    reaches = beats | np.eye(n, dtype=bool)
    for k in range(n):  # Warshall 1962: after step k, chains through items 0 … k are known
        reaches |= np.outer(reaches[:, k], reaches[k])
    mutual = reaches & reaches.T
    groups = sorted({tuple(np.flatnonzero(row).tolist()) for row in mutual}, key=lambda g: -int(reaches[g[0]].sum()))
    return [list(group) for group in groups]


def connected_groups(pairs: PreferencePairs) -> int:
    """Return into how many groups the items fall that met one another, directly or through others, whoever won."""
    if not pairs.is_items:
        raise ValueError("pairs: expected item numbers, got features")
    met = slice(None) if pairs.weights is None else pairs.weights > 0
    a, b = pairs.chosen[met].astype(np.int64), pairs.rejected[met].astype(np.int64)
    group = np.arange(pairs.n_items)
    while True:  # each item takes the smallest group number among those it met, until nothing changes
        new = group.copy()
        np.minimum.at(new, a, group[b])
        np.minimum.at(new, b, group[a])
        new = new[new]  # and the number that this one has taken, which doubles the pace
        if np.array_equal(new, group):
            return len(np.unique(group))
        group = new
