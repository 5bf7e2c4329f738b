"""Compiled backends: they compute what ``backend.NumpyBackend`` computes, in as few passes over the data as they can.

LinearBackend   margins, losses and gradient of a linear scorer in one pass over the differences of the features
RowsBackend     a linear scorer with another loss, in NumPy: some thousand rows at a time go forward and back
MlpBackend      an MLP: both answers of a block of pairs go forward and back while they are in the cache
LossBackend     any other scorer: its own code runs forward and back, and the loss in between is compiled
RankingBackend  rankings: as LinearBackend for a linear scorer, and as LossBackend for any other
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from .. import ranking
from ..backend import Backend, NumpyBackend, subtracts_first
from ..logistic import Array
from ..losses import BradleyTerryLoss, PairLoss, weighted_mean
from ..pairs import PreferencePairs
from ..ranking.listwise import PlackettLuce
from ..ranking.ranked_backend import RankedBackend
from ..ranking.rankings import PreferenceRankings
from ..scorers import Features, LinearScorer, MLPScorer, Scorer
from ..threads import blas_on_one_thread
from .passes import (
    curvatures,
    differences_of,
    linear_loss_and_gradient,
    linear_margins,
    linear_pull,
    linear_with_loss,
    mean_loss_and_gradients,
    mlp_loss_and_gradient,
    weighted_gram,
)
from .ranking_passes import ranking_loss_and_gradient, ranking_loss_and_slopes

__all__ = ["LinearBackend", "LossBackend", "MlpBackend", "RankingBackend", "RowsBackend", "compiled_backend"]

LARGE = 2**23  # numbers, 64 MB; the differences of a larger mapped file are not kept but formed in each pass


def compiled_backend(scorer: Scorer, pairs: PreferencePairs, loss: PairLoss) -> Backend:
    """Return the compiled backend for a scorer and a loss; any loss but the usual one needs a linear scorer.

    Derived classes may compute something else, so they do not count as the class that they are derived from.
    """
    if isinstance(pairs, PreferenceRankings):
        return RankingBackend(scorer, pairs)
    if type(loss) is not BradleyTerryLoss:
        return RowsBackend(scorer, pairs, loss)
    if subtracts_first(scorer):
        return LinearBackend(scorer, pairs, loss)
    return (MlpBackend if type(scorer) is MLPScorer else LossBackend)(scorer, pairs, loss)


class LossBackend(NumpyBackend):
    """The scorer's own code runs forward and back; -log sigma in between is compiled."""

    def loss_and_d_margins(self, margins: Array) -> tuple[float, Array]:
        """Return the mean loss and its derivative with respect to each margin, including the factor 1/n."""
        loss, d_margins = mean_loss_and_gradients(margins, **_options(self.pairs))
        return loss, d_margins

    def curvatures(self, margins: Array) -> Array:
        """Return w·l''(Δ - m) / Σ w for each pair."""
        return curvatures(margins, weights=self.pairs.weights, target_margins=self.pairs.target_margins)


class RowsBackend(NumpyBackend):
    """Any loss of a linear scorer: the passes over the differences chosen - rejected are compiled, the loss is not.

    The differences of a large mapped file are formed during each pass.
    """

    def __init__(self, scorer: Scorer, pairs: PreferencePairs, loss: PairLoss) -> None:
        super().__init__(scorer, pairs, loss)
        self.minus: Features | None = None
        if pairs.is_mapped and pairs.chosen.size > LARGE:
            self.rows, self.minus = pairs.chosen, pairs.rejected
        else:
            self.rows = differences_of(pairs.chosen, pairs.rejected)
        self.is_of_the_family = getattr(ranking, type(loss).__name__, None) is type(loss)
        self.total_weight = pairs.total_weight
        self._numbers = pairs.weights, pairs.labels, pairs.target_margins

    def margins(self, phi: Array) -> Array:
        """Return Δ = φ · (chosen - rejected), (n_pairs,)."""
        return linear_margins(self.rows, phi, minus=self.minus)

    def all_at(self, phi: Array) -> tuple[float, Array, Array]:
        """Return loss, gradient and margins.

        A loss of the family is computed for some rows at a time. A loss of another class is computed for all rows at
        once, since it may hold numbers for each pair.
        """
        with blas_on_one_thread(self._n_products):
            if self.is_of_the_family:
                losses, gradient, margins = linear_with_loss(self.rows, phi, self._loss_of, minus=self.minus)
                return weighted_mean(losses, self.pairs.weights), gradient, margins
            margins = self.margins(phi)
            loss, d_margins = self.loss_and_d_margins(margins)
            return loss, self.pull(d_margins), margins

    def _loss_of(self, rows: slice, margins: Array) -> tuple[Array, Array]:
        """Return l and w·l' / Σ w for each of these rows."""
        w, t, m = (None if numbers is None else numbers[rows] for numbers in self._numbers)
        loss = cast("ranking.MarginLoss", self.loss)._of_rows(rows)
        losses, slopes = loss.value_and_gradient(margins if m is None else margins - m, t)
        return losses, (slopes if w is None else slopes * w) / self.total_weight

    def gram(self, d2_margins: Array) -> Array:
        """Return Σ_i d2_margins[i] · d_i d_iᵀ with d = chosen - rejected."""
        with blas_on_one_thread(len(self.pairs) * self.scorer.n_parameters**2), np.errstate(over="ignore"):
            return weighted_gram(self.rows, d2_margins, minus=self.minus)

    def pull(self, d_margins: Array) -> Array:
        """Return Σ_i d_margins[i] · d_i with d = chosen - rejected."""
        return linear_pull(self.rows, d_margins, minus=self.minus)


class LinearBackend(RowsBackend, LossBackend):
    """-log sigma of a linear scorer: the data are read once, forward and back together."""

    def all_at(self, phi: Array) -> tuple[float, Array, Array]:
        """Return loss, gradient and margins, all from one pass."""
        margins = np.empty(len(self.pairs))
        loss, gradient = linear_loss_and_gradient(
            self.rows, phi, minus=self.minus, margins=margins, **_options(self.pairs)
        )
        return loss, gradient, margins


class MlpBackend(LossBackend):
    """Forward and back through the layers in one pass over blocks of pairs.

    Margins come from the base class, which computes each side as one matrix product. In a matrix product the last bit
    of a row can depend on its position, and the margin of two equal answers must be exactly 0.
    """

    scorer: MLPScorer

    def loss_and_gradient(self, phi: Array) -> tuple[float, Array]:
        """Return the mean loss and its gradient, without margins."""
        pairs, scorer = self.pairs, self.scorer
        # A BLAS uses several threads only for large products of matrices, so an eighth of their size is counted.
        with blas_on_one_thread(len(pairs) * phi.size // 8):
            return mlp_loss_and_gradient(
                pairs.chosen, pairs.rejected, phi, scorer.n_hidden, activation=scorer.activation, **_options(pairs)
            )

    def all_at(self, phi: Array) -> tuple[float, Array, Array]:
        """Return loss, gradient and margins."""
        return (*self.loss_and_gradient(phi), self.margins(phi))


class RankingBackend(RankedBackend):
    """Plackett-Luce. A linear scorer reads the features once; they are kept in the order of the rankings."""

    def __init__(self, scorer: Scorer, rankings: PreferenceRankings) -> None:
        super().__init__(scorer, rankings, PlackettLuce())
        self.is_linear = type(scorer) is LinearScorer
        self.in_order = [_in_order(rankings.features, rows) for rows, _, _ in rankings.groups] if self.is_linear else []

    def loss_and_gradient(self, phi: Array) -> tuple[float, Array]:
        """Return the mean loss of a ranking and its gradient."""
        return self._linear(phi, None) if self.is_linear else super().loss_and_gradient(phi)

    def all_at(self, phi: Array) -> tuple[float, Array, Array]:
        """Return loss, gradient and margins."""
        if not self.is_linear:
            return super().all_at(phi)
        rewards = np.empty(len(self.rankings.features))
        loss, gradient = self._linear(phi, rewards)
        return loss, gradient, self.rankings.centred(rewards)

    def loss_and_d_margins(self, margins: Array) -> tuple[float, Array]:
        """Return the mean loss and its derivative with respect to each reward, (n_answers,)."""
        loss, d_rewards = 0.0, np.empty_like(margins)
        for rows, n_choices, rankings in self.rankings.groups:
            of_group, slopes = ranking_loss_and_slopes(margins[rows], n_choices, self.shares[rankings])
            loss, d_rewards[rows] = loss + of_group, slopes
        return loss, d_rewards

    def _linear(self, phi: Array, all_rewards: Array | None) -> tuple[float, Array]:
        loss, gradient = 0.0, np.zeros(phi.size)
        for (rows, n_choices, rankings), features in zip(self.rankings.groups, self.in_order, strict=True):
            rewards = np.empty(rows.shape)
            of_group, its = ranking_loss_and_gradient(features, phi, n_choices, self.shares[rankings], rewards)
            loss, gradient = loss + of_group, gradient + its
            if all_rewards is not None:
                all_rewards[rows] = rewards
        return loss, gradient


def _in_order(features: Features, rows: NDArray[np.int64]) -> Array:
    """Return the features of these rows, as float64; without a copy if they are all rows in their order."""
    order = rows.ravel()
    is_all = order.size == len(features) and bool((order == np.arange(order.size)).all())
    return np.require(features if is_all else features[order], np.float64, ["C", "A"])


def _options(pairs: PreferencePairs) -> dict[str, Array | None]:
    return {"weights": pairs.weights, "labels": pairs.labels, "target_margins": pairs.target_margins}
