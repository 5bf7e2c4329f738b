"""Pairs as a model sees them: margins, losses, weights and prompts, each computed once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays.frozen import blocks_of
from ..calibration.agreement import keys_of
from ..evaluation import log_odds, pairwise_accuracies
from ..intervals import effective_numbers, refuse_nan
from ..logistic import Array, sigmoid
from ..losses import pair_loss_curvatures, pair_loss_gradients, pair_losses
from ..model import RewardModel
from ..pairs import PreferencePairs
from ..scorers import Features, Scorer
from ..uncertainty.clusters import are_independent
from .levels import Mean, mean_of

__all__ = ["Keys", "Sample", "keys_of_answers", "keys_of_pairs", "mixed", "rewards_of", "units_of"]


class Sample:
    """The margins of a model on some pairs, and what follows from them."""

    def __init__(self, model: RewardModel, pairs: PreferencePairs, name: str) -> None:
        self.pairs, self.name, self.model = pairs, name, model
        self.margins = model.margins(pairs)
        refuse_nan(name, self.margins, "pairs with margins", finite=True)
        self.w: Array = np.ones(len(pairs)) if pairs.weights is None else pairs.weights / pairs.weights.max()
        self.t: Array = np.ones(len(pairs)) if pairs.labels is None else pairs.labels
        self.prompts: NDArray[np.int64] = np.arange(len(pairs)) if are_independent(pairs) else pairs.prompt_index
        z = log_odds(self.margins, pairs, model.loss)
        self.log_odds: Array | None = z if np.isfinite(z).all() else None
        self.right = pairwise_accuracies(self.margins, pairs.labels)

    @property
    def n(self) -> float:
        """What the likelihood counts: the total weight if the weights are whole numbers, else (Σ w)²/Σ w²."""
        given, w = self.pairs.weights, self.w
        if given is None or (given == np.floor(given)).all():
            return self.pairs.total_weight
        return float(w.sum() ** 2 / np.dot(w, w))

    @cached_property
    def n_prompts(self) -> float:
        """The effective number of prompts, (Σ W)²/Σ W² with the weight W of each prompt."""
        return float(effective_numbers(np.zeros(len(self.w), dtype=np.int64), self.prompts, self.w, 1)[0])

    def mean(self, values: Array) -> Mean:
        """Return the mean of values of the pairs, with its standard error over prompts."""
        return mean_of(values, self.w, self.prompts)

    @cached_property
    def losses(self) -> Array | None:
        """Return -log P of each choice, (n_pairs,), or None if the loss of the model gives no probabilities."""
        return None if self.log_odds is None else np.asarray(pair_losses(self.log_odds, labels=self.pairs.labels))

    @cached_property
    def equal_log_odds(self) -> Array:
        """The log-odds of each choice if both answers of every pair have the same reward, (n_pairs,)."""
        return log_odds(np.zeros(len(self.pairs)), self.pairs, self.model.loss)

    @cached_property
    def equal_losses(self) -> Array:
        """The losses at these log-odds, (n_pairs,): log 2 without target margins."""
        return np.asarray(pair_losses(self.equal_log_odds, labels=self.pairs.labels))

    @property
    def is_tied(self) -> bool:
        """Whether all pairs are ties."""
        return bool((self.t[self.w > 0] == 0.5).all())

    @cached_property
    def dispersion(self) -> float:
        """Σ w l'² / Σ w l'' of the usual loss at equal rewards: 1 without labels and target margins.

        A fit to coin flips lowers the loss by this times as much as Wilks (1938) says, since the slopes l' then vary by
        this times as much as the curvature l'' says.
        """
        z = self.equal_log_odds
        slopes = np.asarray(pair_loss_gradients(z, labels=self.pairs.labels))
        bend = float(np.dot(self.w, pair_loss_curvatures(z)))
        return float(np.dot(self.w, slopes**2)) / bend if bend > 0 else 1.0

    @cached_property
    def rewards(self) -> tuple[Array, Array]:
        """The rewards of the chosen and of the rejected answers, (n_pairs,) each."""
        scorer, phi = self.model.scorer, self.model.phi
        return rewards_of(scorer, phi, self.pairs.chosen), rewards_of(scorer, phi, self.pairs.rejected)

    @cached_property
    def units(self) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """As ``units_of`` returns them."""
        return units_of(self.pairs)

    @cached_property
    def scale_information(self) -> float:
        """Σ w p q z², the information of these pairs about a factor of all log-odds; 0 if there are no log-odds."""
        z = self.log_odds
        if z is None:
            return 0.0
        far = np.abs(z)
        each = far * sigmoid(-far) * far * sigmoid(far)  # in this order, since far² may overflow
        return float(np.dot(self.w, each)) * self.n / float(self.w.sum())

    @property
    def accuracy(self) -> float:
        """Pairwise accuracy."""
        return float(np.dot(self.w, self.right) / self.w.sum())

    def accuracy_z(self) -> float:
        """Return how far the accuracy lies above ½, in standard errors of coin flips, one for each prompt."""
        return 2 * np.sqrt(self.n_prompts) * (self.accuracy - 0.5)

    @cached_property
    def feature_units(self) -> Array:
        """The largest |x_chosen - x_rejected| of each feature, (n_features,), 1 where it is 0."""
        largest = np.zeros(self.pairs.n_features)
        for rows in self.blocks:
            d = np.subtract(self.pairs.chosen[rows], self.pairs.rejected[rows], dtype=np.float64)
            np.maximum(largest, np.abs(d, out=d).max(axis=0), out=largest)
        return np.where(largest > 0, largest, 1.0)

    @property
    def blocks(self) -> list[slice]:
        """Slices of rows with about a million features each, so that large data need not be in memory as a whole."""
        return list(blocks_of(self.pairs.chosen))

    def plain_differences(self, rows: slice | NDArray[np.generic]) -> Array:
        """Return the differences x_chosen - x_rejected of these rows in ``feature_units``, (n_rows, n_features)."""
        d = np.subtract(self.pairs.chosen[rows], self.pairs.rejected[rows], dtype=np.float64)
        return np.divide(d, self.feature_units, out=d)

    def differences(self, rows: slice | NDArray[np.generic]) -> Array:
        """Return the same, turned to the preferred answer. A label t counts as 2t - 1 pairs, so a tie gives zeros."""
        d = self.plain_differences(rows)
        return d if self.pairs.labels is None else np.multiply(d, (2 * self.t[rows] - 1)[:, None], out=d)

    def prompt_sums(self) -> Iterator[Array]:
        """Yield the sums of w times the differences over each prompt, (n_prompts_of_the_block, n_features)."""
        order = np.argsort(self.prompts, kind="stable")
        starts = np.flatnonzero(np.diff(self.prompts[order], prepend=-1))
        size = self.blocks[0].stop
        for first in range(0, len(order), size):
            own = starts[np.searchsorted(starts, first) : np.searchsorted(starts, first + size)]
            if own.size:
                after = np.searchsorted(starts, own[-1], side="right")
                rows = order[own[0] : starts[after] if after < starts.size else None]
                yield np.add.reduceat(self.differences(rows) * self.w[rows, None], own - own[0], axis=0)


def rewards_of(scorer: Scorer, phi: Array, features: Features) -> Array:
    """Return the reward of each row, (n,), computed block by block."""
    rewards = np.empty(len(features))
    for rows in blocks_of(features):
        rewards[rows] = scorer.reward(phi, features[rows])
    return rewards


def units_of(pairs: PreferencePairs) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the number of each pair's two answers, whether they are stored turned, and whether both are equal.

    Pairs with the same two answers, in either order, have the same number. If prompts are named, they must be the same
    as well.
    """
    keys = keys_of_pairs(pairs)
    key = keys.both if pairs.prompts is None else mixed(keys.both, pairs.prompt_index.astype(np.uint64))
    unit = np.unique(key, return_inverse=True)[1]
    return unit.astype(np.int64), keys.turned, keys.same


class Keys(NamedTuple):
    """A number of 64 bits for each pair of answers, whether the pair is stored turned, and whether both are equal."""

    both: NDArray[np.uint64]
    turned: NDArray[np.bool_]
    same: NDArray[np.bool_]


def keys_of_pairs(pairs: PreferencePairs) -> Keys:
    """Return the keys of these pairs: equal for equal answers in either order, and in practice only for these."""
    a, b = keys_of_answers(pairs)
    return Keys(mixed(np.minimum(a, b), np.maximum(a, b)), b < a, a == b)


def keys_of_answers(pairs: PreferencePairs) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the keys of the chosen and of the rejected answers, (n_pairs,) each."""
    return keys_of(pairs.chosen), keys_of(pairs.rejected)


def mixed(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return one key for two, (n,)."""
    return a * np.uint64(0x9E3779B97F4A7C15) + (b ^ (b >> np.uint64(31)))
