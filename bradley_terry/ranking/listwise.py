"""Losses of a whole ranking: Plackett-Luce, and ListNet's cross-entropy of two softmaxes.

The best answer comes first. With rewards r_1, …, r_K and A = log Σ_j e^(r_j), the probability that answer j is the best
of all is p_j = e^(r_j - A). ListNet (Cao et al. 2007) compares p with a target distribution P that depends on the ranks
only. Here P_j is proportional to e^(-scale·rank_j):

    l = -Σ_j P_j log p_j = Σ_j P_j (A - r_j)              ∂l/∂r_j = p_j - P_j
    ∂²l/∂φ² = Σ_{j<l} p_j p_l·d dᵀ                        with d = d(r_j - r_l)/dφ

So every ranking has the same finite best rewards, r_j - r_l = scale·(rank_l - rank_j), and a ranking that is certain
does not make them grow without end. As the scale grows, P puts all its weight on the best answer, and the loss becomes
that of a single choice, the conditional logit.

Both losses have second derivatives of the form Σ_{j<l} c_jl·d dᵀ, so the same code computes their Hessians.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..logistic import Array
from . import plackett_luce
from .numbers import check_number

__all__ = ["ListNet", "PlackettLuce", "RankingLoss"]

Counts = NDArray[np.int64]


class RankingLoss(Protocol):
    """What a loss of rankings provides. Rewards are (n_rankings, K), best answer first, and so are its slopes.

    ``n_choices``, (n_rankings,), is how many choices were observed: the answers after these share the last rank.
    """

    def ranking_losses(self, rewards: Array, n_choices: Counts) -> Array:
        """Return the loss of each ranking, (n_rankings,)."""

    def ranking_slopes(self, rewards: Array, n_choices: Counts) -> Array:
        """Return its derivative with respect to each reward, (n_rankings, K)."""

    def pair_curvatures(self, rewards: Array, n_choices: Counts) -> Array:
        """Return c_jl for all answers j < l in the order of ``np.triu_indices(K, 1)``."""

    def largest_curvatures(self, n_answers: int, n_choices: Counts) -> Array:
        """Return c_jl of a bound on the Hessian for all rewards, in the same order."""


@dataclass(frozen=True)
class PlackettLuce:
    """-log of the probability of a ranking, as a sequence of choices: the best of all, the best of the rest, and so on.

    Examples
    --------
    >>> losses = PlackettLuce().ranking_losses(np.zeros((1, 3)), np.array([2]))
    >>> print(losses.round(6))  # log 6: six orders are equally likely
    [1.791759]
    """

    is_convex: ClassVar[bool] = True
    is_likelihood: ClassVar[bool] = True

    def ranking_losses(self, rewards: Array, n_choices: Counts) -> Array:
        """Return the loss of each ranking, (n_rankings,), in nats."""
        return plackett_luce.ranking_losses(rewards, n_choices)

    def ranking_slopes(self, rewards: Array, n_choices: Counts) -> Array:
        """Return its derivative with respect to each reward, (n_rankings, K)."""
        return plackett_luce.ranking_slopes(rewards, n_choices)

    def pair_curvatures(self, rewards: Array, n_choices: Counts) -> Array:
        """Return c_jl, the weight of the pair (j, l) in the second derivative, for all answers j < l."""
        return plackett_luce.pair_curvatures(rewards, n_choices)

    def largest_curvatures(self, n_answers: int, n_choices: Counts) -> Array:
        """Return a bound on c_jl: the sum of 1/(2n) over the choices among n answers that include both (Böhning 1992).

        The second derivative of one choice among n answers, diag(p) - p pᵀ, is at most (I - 11ᵀ/n)/2.
        """
        place = np.arange(n_answers)
        of_choice = np.where(place < n_choices[:, None], 0.5 / (n_answers - place), 0.0)
        return np.asarray(np.cumsum(of_choice, axis=1)[:, np.triu_indices(n_answers, 1)[0]])


@dataclass(frozen=True)
class ListNet:
    """Cross-entropy between the softmax of the rewards and that of -scale·rank (Cao et al. 2007, ICML, 129-136).

    Parameters
    ----------
    scale : float, above 0
        The difference of the best rewards of two answers whose ranks differ by 1, in log-odds.

    Examples
    --------
    >>> losses = ListNet().ranking_losses(np.zeros((1, 3)), np.array([2]))
    >>> print(losses.round(6))  # log 3
    [1.098612]
    """

    scale: float = 1.0

    is_convex: ClassVar[bool] = True
    is_likelihood: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_number("scale", self.scale, 0, np.inf, allows_low=False)

    @np.errstate(under="ignore")
    def ranking_losses(self, rewards: Array, n_choices: Counts) -> Array:
        """Return Σ_j P_j (A - r_j) with A = log Σ_l e^(r_l) for each ranking, (n_rankings,), in nats."""
        best = rewards.max(axis=1, keepdims=True)
        others = np.exp(rewards - best)
        others[np.arange(len(rewards)), rewards.argmax(axis=1)] = 0.0
        log_total = np.log1p(others.sum(axis=1, keepdims=True))  # A - r of the best
        return np.einsum("ij,ij->i", self._target(rewards.shape[1], n_choices), (best - rewards) + log_total)

    def ranking_slopes(self, rewards: Array, n_choices: Counts) -> Array:
        """Return p - P, (n_rankings, K)."""
        return _softmax(rewards) - self._target(rewards.shape[1], n_choices)

    @np.errstate(under="ignore")
    def pair_curvatures(self, rewards: Array, n_choices: Counts) -> Array:
        """Return p_j p_l for all answers j < l."""
        p = _softmax(rewards)
        j, other = np.triu_indices(rewards.shape[1], 1)
        return np.asarray(p[:, j] * p[:, other])

    def largest_curvatures(self, n_answers: int, n_choices: Counts) -> Array:
        """Return 1/(2K) for every pair of answers; see ``PlackettLuce.largest_curvatures``."""
        return np.full((len(n_choices), n_answers * (n_answers - 1) // 2), 0.5 / n_answers)

    def _target(self, n_answers: int, n_choices: Counts) -> Array:
        """Return P, (n_rankings, K)."""
        return _softmax(-self.scale * np.minimum(np.arange(n_answers), n_choices[:, None]))


@np.errstate(under="ignore")
def _softmax(values: Array) -> Array:
    weights = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
