"""From φ to the loss of rankings and back to the gradient, for any scorer: the backend of ``PreferenceRankings``.

    forward    r = r_φ(answers), (n_answers,)        loss = Σ w·l(r of the ranking) / Σ w
    back       d_rewards = w·∂l/∂r / Σ w             gradient = backward(answers, d_rewards)

What an ``Objective`` calls margins are here the rewards of the answers, each minus the mean of its ranking.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, cast

import numpy as np

from ..logistic import Array
from ..scorers import LinearScorer, Scorer, forward
from .plackett_luce import pair_curvatures, ranking_losses, ranking_slopes

if TYPE_CHECKING:
    from .rankings import PreferenceRankings

__all__ = ["RankedBackend"]

ROWS = 200_000  # pairs of answers whose features are held in memory at once, for the Hessian


class RankedBackend:
    """Plackett-Luce for one scorer and one set of rankings."""

    def __init__(self, scorer: Scorer, rankings: PreferenceRankings) -> None:
        self.scorer, self.rankings = scorer, rankings
        self.shares = rankings.ranking_weights / rankings.ranking_weights.sum()

    def margins(self, phi: Array) -> Array:
        """Return each reward minus the mean of its ranking, (n_answers,)."""
        return self._centred(self.scorer.reward(phi, self.rankings.features))

    def loss_and_gradient(self, phi: Array) -> tuple[float, Array]:
        """Return the mean loss of a ranking and its gradient."""
        return self.all_at(phi)[:2]

    def all_at(self, phi: Array) -> tuple[float, Array, Array]:
        """Return loss, gradient and margins, with one forward and one backward pass."""
        rewards, backward = forward(self.scorer, phi, self.rankings.features)
        margins = self._centred(rewards)
        loss, d_rewards = 0.0, np.empty_like(margins)
        for rows, n_choices, rankings in self.rankings.groups:
            share = self.shares[rankings]
            loss += float(share @ ranking_losses(margins[rows], n_choices))
            d_rewards[rows] = share[:, None] * ranking_slopes(margins[rows], n_choices)
        return loss, np.array(backward(d_rewards)), margins

    def curvatures(self, margins: Array) -> Array:
        """Return the margins, from which ``gram`` computes the Hessian."""
        return margins

    def gram(self, margins: Array) -> Array:
        """Return Σ w·c_jl·d dᵀ / Σ w over every two answers of each ranking, at these margins."""
        total, scorer, x = [], cast("LinearScorer", self.scorer), self.rankings.features
        for rows, n_choices, rankings in self.rankings.groups:
            j, other = np.triu_indices(rows.shape[1], 1)
            step = max(1, ROWS // j.size)
            for start in range(0, len(rows), step):
                part = slice(start, start + step)
                c = self.shares[rankings[part], None] * pair_curvatures(margins[rows[part]], n_choices[part])
                total.append(scorer.hessian(x[rows[part][:, j].ravel()], x[rows[part][:, other].ravel()], c.ravel()))
        return reduce(np.add, total)

    def pull(self, d_rewards: Array) -> Array:
        """Return Σ_i d_rewards[i] · dr_i/dφ, for a scorer that is linear in φ."""
        return np.array(self.scorer.backward(np.zeros(self.scorer.n_parameters), self.rankings.features, d_rewards))

    def _centred(self, rewards: Array) -> Array:
        index = self.rankings.prompt_index
        means = np.bincount(index, rewards) / np.bincount(index)
        return rewards - means[index]
