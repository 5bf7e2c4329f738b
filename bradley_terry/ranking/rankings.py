"""Rankings of two or more answers to one prompt: checked once, when they are made, and frozen afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import checked, given, single
from ..arrays.frozen import frozen, locked
from ..arrays.visible import counted, quoted
from ..logistic import Array
from ..pairs import PreferencePairs
from ..scorers import Features
from .listwise import PlackettLuce
from .ranked_backend import RankedBackend

__all__ = ["OneSize", "PreferenceRankings", "TwoAnswers"]


class OneSize(NamedTuple):
    """The rankings with the same number K of answers.

    ``rows`` has the rows of the answers, (n_rankings, K), best first; ``n_choices`` how many choices were observed,
    (n_rankings,); and ``rankings`` the numbers of the rankings, (n_rankings,).
    """

    rows: NDArray[np.int64]
    n_choices: NDArray[np.int64]
    rankings: NDArray[np.int64]


class TwoAnswers(NamedTuple):
    """All pairs of answers of each ranking: the rows of the better and the other, (n,), or of two in the last rank."""

    better: NDArray[np.int64]
    other: NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False, init=False)
class PreferenceRankings:
    """Rankings of the answers to a prompt, from best to worst, or choices of one answer among several.

    Parameters
    ----------
    features : array_like, (n_answers, n_features) real or (n_answers,) integer
        Features of the answers, all finite, or their item numbers for a ``TableScorer``. Each row is one answer.
    ranks : array_like, (n_answers,), integer
        1 is the best answer to its prompt, 2 the next, and so on without a gap. Several answers may share the last
        rank, and are then not compared with each other. So 1, 2, 2, 2 means that one of four was chosen.
    prompts : array_like, (n_answers,)
        The prompt of each answer, by number or name. Every prompt needs at least two answers.
    weights : array_like, optional, (n_answers,), at least 0 with a positive sum
        The weight w of each ranking in the loss Σ w·l / Σ w, the same for all of its answers; by default 1.
    feature_names : sequence of str, optional
        One name for each feature, or for each item.
    clusters : array_like, optional, (n_answers,)
        The cluster of each answer's ranking, by number or name. A cluster holds rankings that have something in common,
        such as the same prompt. Splits, mini-batches and the sandwich keep its rankings together. By default each
        ranking is a cluster of its own.

    Raises
    ------
    ValueError, TypeError
        If an argument is invalid. The message names it, what was expected and what was found.

    Examples
    --------
    >>> PreferenceRankings([[3.0], [1.0], [2.0]], [1, 3, 2], ["a", "a", "a"])
    PreferenceRankings(1 ranking of 3 answers with 1 feature)
    """

    features: Features
    ranks: NDArray[np.int64]
    prompts: NDArray[np.generic]
    weights: Array | None
    feature_names: tuple[str, ...] | None
    clusters: NDArray[np.generic] | None
    usual_loss: ClassVar[type] = PlackettLuce
    reference_backend: ClassVar[type] = RankedBackend

    def __init__(
        self,
        features: ArrayLike,
        ranks: ArrayLike,
        prompts: ArrayLike,
        *,
        weights: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
        clusters: ArrayLike | None = None,
    ) -> None:
        x = checked.features(features, "features")
        n = x.shape[0]
        if n == 0:
            raise ValueError("features: expected at least one ranking, got none")
        found = checked.prompts(prompts, n)
        if found is None:
            raise ValueError("prompts: expected the prompt of each answer, got None")
        vars(self).update(
            features=x,
            ranks=_ranks(ranks, n),
            prompts=found,
            weights=checked.weights(weights, n),
            feature_names=checked.names(feature_names, x, x),
            clusters=checked.prompts(clusters, n, "clusters"),
        )
        self._check()

    @classmethod
    def from_records(cls, records: object, *, featurise: Callable[..., object] | None = None) -> PreferenceRankings:
        """Make rankings from a data frame or a list of dicts, as ``load_rankings`` does from a file."""
        from ..files import rankings_from_records  # noqa: PLC0415  # files imports this module

        return rankings_from_records(records, featurise=featurise)

    def __reduce__(self) -> tuple[object, ...]:  # for pickle: the constructor makes and freezes the copy
        return partial(PreferenceRankings, **{field.name: getattr(self, field.name) for field in fields(self)}), ()

    def __len__(self) -> int:
        """Return the number of rankings."""
        return self._starts.size - 1

    @property
    def is_items(self) -> bool:
        """True if the features are item numbers."""
        return self.features.ndim == 1

    @property
    def n_items(self) -> int:
        """Number of items: the number of names if there are names, else one more than the largest item number."""
        if not self.is_items:
            raise ValueError("n_items: these rankings hold features, not item numbers")
        return int(self.features.max()) + 1 if self.feature_names is None else len(self.feature_names)

    def centred(self, rewards: Array) -> Array:
        """Return each reward minus the mean of its ranking, (n_answers,), since only differences matter."""
        rewards = given.float64(rewards, "rewards", self.features.shape[:1])
        if not np.isfinite(rewards).all():
            raise ValueError("rewards: expected finite numbers, got NaN or infinity")
        means = np.bincount(self.prompt_index, rewards) / np.diff(self._starts)
        return rewards - means[self.prompt_index]

    def accuracy(self, rewards: Array) -> float:
        """Return the share of the compared pairs of answers that these rewards, (n_answers,), order correctly."""
        rewards, right, total = given.float64(rewards, "rewards", self.features.shape[:1]), 0.0, 0.0
        for rows, n_choices, rankings in self.groups:
            j, other = np.triu_indices(rows.shape[1], 1)
            w = self.ranking_weights[rankings][:, None] * (j < n_choices[:, None])
            right += float((w * np.heaviside(rewards[rows[:, j]] - rewards[rows[:, other]], 0.5)).sum())
            total += float(w.sum())
        return right / total

    def subset(self, index: ArrayLike) -> PreferenceRankings:
        """Return the rankings at ``index`` (integers or a boolean mask over the rankings), in that order."""
        numbers = checked.rows(index, len(self), "numbers of rankings or a mask selecting at least one")
        wanted = np.arange(len(self))[numbers]
        sizes = np.diff(self._starts)[wanted]
        first = np.cumsum(sizes) - sizes
        rows = self._order[np.repeat(self._starts[wanted] - first, sizes) + np.arange(sizes.sum())]
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        kept |= {name: locked(values[rows]) for name, values in kept.items() if isinstance(values, np.ndarray)}
        kept["prompts"] = (
            np.repeat(np.arange(len(wanted)), sizes) if len(set(wanted)) < len(wanted) else kept["prompts"]
        )
        return PreferenceRankings(**kept)

    def split(self, validation: float = 0.2, *, seed: single.Seed = 0) -> tuple[PreferenceRankings, PreferenceRankings]:
        """Split into (training, validation) rankings, with this share of the clusters in the validation part."""
        if not 0 < single.number(validation) < 1:
            raise ValueError(f"validation: expected a share between 0 and 1, got {quoted(validation)}")
        n = int(self.cluster_index.max()) + 1
        if n < 2:
            raise ValueError(f"prompts: expected at least two to split by, got {n}")
        n_held_out = min(max(round(validation * n), 1), n - 1)
        clusters = single.generator(seed, "seed").permutation(n)[:n_held_out]
        held_out = np.isin(self.cluster_index, clusters)
        return self.subset(~held_out), self.subset(held_out)

    def __repr__(self) -> str:
        sizes = np.diff(self._starts)
        size = f"{sizes.min()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
        k = self.features.shape[1] if self.features.ndim == 2 else 0
        what = f"answers with {counted(k, 'feature')}" if k else "items"
        weights = ", weights" if self.weights is not None else ""
        return f"PreferenceRankings({counted(len(self), 'ranking')} of {size} {what}{weights})"

    @cached_property
    def prompt_index(self) -> NDArray[np.int64]:
        """The number of each answer's prompt, (n_answers,), in the order in which prompts first appear."""
        return checked.index_by_first_appearance(self.prompts)

    @cached_property
    def cluster_index(self) -> NDArray[np.int64]:
        """The number of each ranking's cluster, (n_rankings,), in the order in which clusters first appear."""
        if self.clusters is None:
            return np.arange(len(self))
        return checked.index_by_first_appearance(self.clusters[self._order[self._starts[:-1]]])

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """The rows, sorted by prompt and then by rank."""
        return np.lexsort((self.ranks, self.prompt_index))

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """Where the answers of each prompt begin in ``_order``, and the number of answers."""
        return np.append(0, np.cumsum(np.bincount(self.prompt_index)))

    @cached_property
    def ranking_weights(self) -> Array:
        """The weight of each ranking, (n_rankings,)."""
        if self.weights is None:
            return np.ones(len(self))
        return np.asarray(self.weights[self._order[self._starts[:-1]]])

    @cached_property
    def groups(self) -> tuple[OneSize, ...]:
        """The rankings, grouped by their number of answers."""
        return tuple(self._groups())

    @cached_property
    def two_answers(self) -> TwoAnswers:
        """The rows of all pairs of answers of a ranking, one entry for each entry of ``groups``."""
        better, other = [], []
        for rows, _, _ in self.groups:
            j, after = np.triu_indices(rows.shape[1], 1)
            better.append(rows[:, j].ravel())
            other.append(rows[:, after].ravel())
        return TwoAnswers(np.concatenate(better), np.concatenate(other))

    def _groups(self) -> Iterator[OneSize]:
        sizes = np.diff(self._starts)
        for size in np.unique(sizes).tolist():
            rankings = np.flatnonzero(sizes == size)
            rows = self._order[self._starts[rankings][:, None] + np.arange(size)]
            last = self.ranks[rows[:, -1]]
            yield OneSize(rows, last - 1, rankings)  # every rank before the last one was a choice

    def _check(self) -> None:
        """Raise ValueError for one answer, a gap, a tie before the last rank, a repeated item, or uneven weights."""
        ranks, prompts = self.ranks[self._order], self.prompt_index[self._order]
        first, last = self._starts[:-1], self._starts[1:] - 1
        sizes, steps = np.diff(self._starts), np.diff(ranks)
        same = prompts[1:] == prompts[:-1]
        self._refuse(sizes < 2, "prompts: expected at least two answers for each prompt, got one for {}")
        self._refuse(ranks[first] != 1, "ranks: expected the best answer of each prompt to have rank 1, not so for {}")
        gap = np.zeros(len(sizes), dtype=bool)
        gap[prompts[1:][same & (steps > 1)]] = True
        self._refuse(gap, "ranks: expected ranks without a gap, not so for {}")
        tied = np.zeros(len(sizes), dtype=bool)
        tied[prompts[1:][same & (steps == 0) & (ranks[1:] < ranks[last][prompts[1:]])]] = True
        self._refuse(tied, "ranks: expected different ranks, except for answers that share the last one, not so for {}")
        self._refuse(ranks[last] == 1, "ranks: expected an answer that is better than another, got only ties for {}")
        if self.is_items:
            items = self.features[self._order]
            order = np.lexsort((items, prompts))
            twice = (np.diff(items[order]) == 0) & (np.diff(prompts[order]) == 0)
            repeated = np.zeros(len(sizes), dtype=bool)
            repeated[prompts[order][1:][twice]] = True
            self._refuse(repeated, "features: expected each item once in a ranking, got one twice for {}")
        for name, values in (("weight", self.weights), ("cluster", self.clusters)):
            if values is not None:
                w = values[self._order]
                uneven = np.zeros(len(sizes), dtype=bool)
                uneven[prompts[1:][same & (w[1:] != w[:-1])]] = True
                self._refuse(uneven, f"{name}s: expected one {name} for all answers of a ranking, got several for {{}}")

    def _refuse(self, is_bad: NDArray[np.bool_], sentence: str) -> None:
        if is_bad.any():
            row = int(self._order[self._starts[int(np.argmax(is_bad))]])
            raise ValueError(sentence.format(f"prompt {self.prompts[row]}"))

    @property
    def target_margins(self) -> None:
        """None, because rankings have no target margins."""
        return None

    @property
    def total_weight(self) -> float:
        """Σ w, the sum of the rankings' weights."""
        return float(self.ranking_weights.sum())

    def as_pairs(self, *, weighting: str = "pair") -> PreferencePairs:
        """Return all pairs of answers that a ranking compares.

        Parameters
        ----------
        weighting : "pair" or "prompt"
            "pair" gives each pair the weight of its ranking. "prompt" divides this by the number of the ranking's
            pairs, C(K, 2) if all are compared, so that each ranking has the same influence (arXiv:2203.02155).
        """
        if not isinstance(weighting, str) or weighting not in {"pair", "prompt"}:
            raise ValueError(f"weighting: expected pair or prompt, got {quoted(weighting)}")
        chosen, rejected, weights = [], [], []
        for rows, n_choices, rankings in self.groups:
            j, other = np.triu_indices(rows.shape[1], 1)
            compared = j < n_choices[:, None]
            chosen.append(rows[:, j][compared])
            rejected.append(rows[:, other][compared])
            share = 1.0 if weighting == "pair" else 1 / compared.sum(axis=1, keepdims=True)
            weights.append((self.ranking_weights[rankings][:, None] * share * compared)[compared])
        better, worse, w = (np.concatenate(parts) for parts in (chosen, rejected, weights))
        order = np.argsort(self.prompt_index[better], kind="stable")
        better, worse, w = better[order], worse[order], w[order]
        return PreferencePairs(
            self.features[better],
            self.features[worse],
            prompts=(self.prompts if self.clusters is None else self.clusters)[better],
            weights=None if self.weights is None and weighting == "pair" else w,
            feature_names=self.feature_names,
        )


def _ranks(values: ArrayLike, n: int) -> NDArray[np.int64]:
    ranks = checked.numbers(values, "ranks", n)
    if ranks is None:
        raise ValueError("ranks: expected the rank of each answer, got None")
    if not ((ranks >= 1) & (ranks == np.rint(ranks)) & (ranks < 2**31)).all():
        raise ValueError("ranks: expected whole numbers of at least 1")
    return np.asarray(frozen(ranks.astype(np.int64)), dtype=np.int64)
