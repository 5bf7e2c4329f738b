"""Pairs as a model sees them: margins, losses, weights and prompts, each computed once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..calibration.agreement import keys_of
from ..evaluation import log_odds, pairwise_accuracies
from ..intervals import effective_numbers, refuse_nan
from ..logistic import Array
from ..losses import pair_losses
from ..model import RewardModel
from ..pairs import PreferencePairs
from .levels import Mean, mean_of

__all__ = ["Sample", "units_of"]


class Sample:
    """The margins of a model on some pairs, and what follows from them."""

    def __init__(self, model: RewardModel, pairs: PreferencePairs, name: str) -> None:
        self.pairs, self.name = pairs, name
        self.margins = model.margins(pairs)
        refuse_nan(name, self.margins, "pairs with margins", finite=True)
        self.w: Array = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
        self.t: Array = np.ones(len(pairs)) if pairs.labels is None else pairs.labels
        self.prompts: NDArray[np.int64] = pairs.prompt_index
        z = log_odds(self.margins, pairs, model.loss)
        self.log_odds: Array | None = None if np.isnan(z).any() else z
        self.right = pairwise_accuracies(self.margins, pairs.labels)

    @property
    def n(self) -> float:
        """What the likelihood counts: the total weight if the weights are whole numbers, else (Σ w)²/Σ w²."""
        w = self.w
        return float(w.sum()) if (w == np.floor(w)).all() else float(w.sum() ** 2 / np.dot(w, w))

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

    @property
    def accuracy(self) -> float:
        """Pairwise accuracy."""
        return float(np.dot(self.w, self.right) / self.w.sum())

    def accuracy_z(self) -> float:
        """Return how far the accuracy lies above ½, in standard errors of coin flips, one for each prompt."""
        return 2 * np.sqrt(self.n_prompts) * (self.accuracy - 0.5)

    @cached_property
    def differences(self) -> Array:
        """d = x_chosen - x_rejected, turned so that it points to the preferred answer, (n_pairs, n_features).

        A label t counts as 2t - 1 times the pair, so a tie gives zeros.
        """
        d = np.subtract(self.pairs.chosen, self.pairs.rejected, dtype=np.float64)
        return d if self.pairs.labels is None else d * (2 * self.t - 1)[:, None]


def units_of(pairs: PreferencePairs) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the number of each pair's two answers, whether they are stored turned, and whether both are equal.

    Pairs with the same two answers, in either order, have the same number. If prompts are named, they must be the same
    as well.
    """
    a, b = keys_of(pairs.chosen), keys_of(pairs.rejected)
    parts = [np.minimum(a, b), np.maximum(a, b)]
    if pairs.prompts is not None:
        parts.append(pairs.prompt_index.astype(np.uint64))
    order = np.lexsort(parts)
    is_new = np.zeros(len(pairs), dtype=bool)
    for key in parts:
        is_new[1:] |= key[order][1:] != key[order][:-1]
    unit = np.empty(len(pairs), dtype=np.int64)
    unit[order] = np.cumsum(is_new)
    return unit, b < a, a == b
