"""From φ to the loss of rankings and back to the gradient, for any scorer: the backend of ``PreferenceRankings``.

    forward    r = r_φ(answers), (n_answers,)        loss = Σ w·l(r of the ranking) / Σ w
    back       d_rewards = w·∂l/∂r / Σ w             gradient = backward(answers, d_rewards)

What an ``Objective`` calls margins are here the rewards of the answers, each minus the mean of its ranking. What it
calls curvatures are the numbers w·c_jl / Σ w, one for each two answers of each ranking, in the order of
``PreferenceRankings.two_answers``.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, cast

import numpy as np

from ..arrays.sums import mean_of
from ..logistic import Array
from ..scorers import LinearScorer, Scorer, forward
from .listwise import RankingLoss

if TYPE_CHECKING:
    from .rankings import PreferenceRankings

__all__ = ["RankedBackend"]

PART = 200_000  # pairs of answers whose features are held in memory at once, for the Hessian


class RankedBackend:
    """The formulas above for one scorer, one set of rankings and one of their losses."""

    def __init__(self, scorer: Scorer, rankings: PreferenceRankings, loss: RankingLoss) -> None:
        self.scorer, self.rankings, self.loss = scorer, rankings, loss
        self.shares = rankings.ranking_weights / rankings.ranking_weights.sum()

    def margins(self, phi: Array) -> Array:
        """Return each reward minus the mean of its ranking, (n_answers,)."""
        return self.rankings.centred(self.scorer.reward(phi, self.rankings.features))

    def loss_and_gradient(self, phi: Array) -> tuple[float, Array]:
        """Return the mean loss of a ranking and its gradient."""
        return self.all_at(phi)[:2]

    def all_at(self, phi: Array) -> tuple[float, Array, Array]:
        """Return loss, gradient and margins, with one forward and one backward pass."""
        rewards, backward = forward(self.scorer, phi, self.rankings.features)
        margins = self.rankings.centred(rewards)
        loss, d_rewards = self.loss_and_d_margins(margins)
        return loss, np.array(backward(d_rewards)), margins

    def loss_and_d_margins(self, margins: Array) -> tuple[float, Array]:
        """Return the mean loss and its derivative with respect to each reward, (n_answers,)."""
        losses, d_rewards = np.empty(self.shares.size), np.empty_like(margins)
        for rows, n_choices, rankings in self.rankings.groups:
            losses[rankings] = self.loss.ranking_losses(margins[rows], n_choices)
            d_rewards[rows] = self.shares[rankings, None] * self.loss.ranking_slopes(margins[rows], n_choices)
        return mean_of(losses, self.rankings.ranking_weights), d_rewards

    def curvatures(self, margins: Array) -> Array:
        """Return w·c_jl / Σ w of each pair of answers."""
        groups = self.rankings.groups
        found = [self.loss.pair_curvatures(margins[rows], n_choices) for rows, n_choices, _ in groups]
        return self._weighted(found)

    def largest_curvatures(self) -> Array:
        """Return the same for a bound on the Hessian at all φ."""
        groups = self.rankings.groups
        found = [self.loss.largest_curvatures(rows.shape[1], n_choices) for rows, n_choices, _ in groups]
        return self._weighted(found)

    def gram(self, curvatures: Array) -> Array:
        """Return Σ c·d dᵀ over all pairs of answers, with d = d(r_j - r_l)/dφ, for a scorer that is linear in φ."""
        if type(self.scorer) is LinearScorer:
            return self._gram_of_features(curvatures)
        scorer, x, (better, other) = (
            cast("LinearScorer", self.scorer),
            self.rankings.features,
            self.rankings.two_answers,
        )
        parts = [slice(start, start + PART) for start in range(0, better.size, PART)]
        return reduce(np.add, [scorer.hessian(x[better[at]], x[other[at]], curvatures[at]) for at in parts])

    def _gram_of_features(self, curvatures: Array) -> Array:
        """Return Σ Xᵀ L X with the features X, (K, n_features), of each ranking and L = diag(C·1) - C for C = (c_jl).

        This is the same sum with less work than one row for each two answers. X may lose the mean of its rows.
        """
        total, begin = np.zeros((self.scorer.n_parameters,) * 2), 0
        for rows, _, _ in self.rankings.groups:
            n, k = rows.shape
            j, other = np.triu_indices(k, 1)
            of_group = curvatures[begin : begin + n * j.size].reshape(n, j.size)
            begin += n * j.size
            step = max(1, PART // j.size)
            for start in range(0, n, step):
                x = self.rankings.features[rows[start : start + step]].astype(np.float64)
                x -= x.mean(axis=1, keepdims=True)
                c = np.zeros((len(x), k, k))
                c[:, j, other] = c[:, other, j] = of_group[start : start + step]
                bent = x * c.sum(axis=2)[:, :, None] - c @ x  # L X
                total += x.reshape(-1, x.shape[2]).T @ bent.reshape(-1, x.shape[2])
        return (total + total.T) / 2

    def product(self, curvatures: Array, v: Array) -> Array:
        """Return Σ c·d (dᵀv)."""
        better, other = self.rankings.two_answers
        rewards = self.scorer.reward(v, self.rankings.features)
        pulls = curvatures * (rewards[better] - rewards[other])
        d_rewards = np.bincount(better, pulls, rewards.size) - np.bincount(other, pulls, rewards.size)
        return self.pull(d_rewards.astype(np.float64, copy=False))

    def pull(self, d_rewards: Array) -> Array:
        """Return Σ_i d_rewards[i] · dr_i/dφ, for a scorer that is linear in φ."""
        return np.array(self.scorer.backward(np.zeros(self.scorer.n_parameters), self.rankings.features, d_rewards))

    def _weighted(self, of_groups: list[Array]) -> Array:
        groups = self.rankings.groups
        parts = [self.shares[group.rankings, None] * c for group, c in zip(groups, of_groups, strict=True)]
        return np.concatenate([part.ravel() for part in parts])
