"""Pairs as a model sees them: margins, losses, weights and prompts, each computed once."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..calibration.agreement import keys_of
from ..evaluation import log_odds, pairwise_accuracies
from ..intervals import effective_numbers, refuse_nan
from ..logistic import Array, sigmoid
from ..losses import pair_losses
from ..model import RewardModel
from ..pairs import PreferencePairs
from .levels import Mean, mean_of

__all__ = ["Keys", "Sample", "keys_of_pairs", "units_of"]


class Sample:
    """The margins of a model on some pairs, and what follows from them."""

    def __init__(self, model: RewardModel, pairs: PreferencePairs, name: str) -> None:
        self.pairs, self.name = pairs, name
        self.margins = model.margins(pairs)
        refuse_nan(name, self.margins, "pairs with margins", finite=True)
        self.w: Array = np.ones(len(pairs)) if pairs.weights is None else pairs.weights / pairs.weights.max()
        self.t: Array = np.ones(len(pairs)) if pairs.labels is None else pairs.labels
        self.prompts: NDArray[np.int64] = pairs.prompt_index
        z = log_odds(self.margins, pairs, model.loss)
        self.log_odds: Array | None = None if np.isnan(z).any() else z
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
        largest = np.abs(np.subtract(self.pairs.chosen, self.pairs.rejected, dtype=np.float64)).max(axis=0)
        return np.where(largest > 0, largest, 1.0)

    @cached_property
    def plain_differences(self) -> Array:
        """The differences x_chosen - x_rejected in ``feature_units``, (n_pairs, n_features)."""
        return np.subtract(self.pairs.chosen, self.pairs.rejected, dtype=np.float64) / self.feature_units

    @cached_property
    def differences(self) -> Array:
        """The same, turned to the preferred answer. A label t counts as 2t - 1 times the pair, so a tie gives zeros."""
        d = self.plain_differences
        return d if self.pairs.labels is None else d * (2 * self.t - 1)[:, None]


def units_of(pairs: PreferencePairs) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the number of each pair's two answers, whether they are stored turned, and whether both are equal.

    Pairs with the same two answers, in either order, have the same number. If prompts are named, they must be the same
    as well.
    """
    keys = keys_of_pairs(pairs)
    key = keys.both if pairs.prompts is None else _mixed(keys.both, pairs.prompt_index.astype(np.uint64))
    unit = np.unique(key, return_inverse=True)[1]
    return unit.astype(np.int64), keys.turned, keys.same


class Keys(NamedTuple):
    """A number of 64 bits for each pair of answers, whether the pair is stored turned, and whether both are equal."""

    both: NDArray[np.uint64]
    turned: NDArray[np.bool_]
    same: NDArray[np.bool_]


def keys_of_pairs(pairs: PreferencePairs) -> Keys:
    """Return the keys of these pairs: equal for equal answers in either order, and in practice only for these."""
    a, b = keys_of(pairs.chosen), keys_of(pairs.rejected)
    return Keys(_mixed(np.minimum(a, b), np.maximum(a, b)), b < a, a == b)


def _mixed(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return a * np.uint64(0x9E3779B97F4A7C15) + (b ^ (b >> np.uint64(31)))
