"""Plackett-Luce: the probability of a whole ranking, as one choice after the other (Plackett 1975, Luce 1959).

The best answer is chosen among all, the second among the rest, and so on. With rewards r_1, …, r_K in the order of the
ranking, and the first m choices observed:

    A_k = log Σ_{j>=k} e^(r_j)            the logarithm of the weight of all that are left at choice k
    l   = Σ_{k<=m} (A_k - r_k) = Σ_{k<=m} softplus(A_(k+1) - r_k)

The second form keeps its digits where a choice is nearly certain. q_k = sigma(A_(k+1) - r_k) is the probability that
choice k goes to another answer than the ranking says. The slope is

    ∂l/∂r_j = Σ_{k<=min(j,m)} p_kj - 1[j <= m]            with p_kj = e^(r_j - A_k), the probability of j at choice k

and one pass from first to last computes it: M_k, the probabilities that earlier choices give to k and all after it, is
divided between k, which gets the share 1 - q_k, and the rest:

    ∂l/∂r_k = M_k (1 - q_k) - q_k 1[k <= m]               M_(k+1) = M_k q_k + q_k 1[k <= m],   M_1 = 0

The slopes of a ranking sum to zero, since only differences of rewards count. The second derivatives are those of a sum
of pairs, with d = d(r_j - r_l)/dφ for all answers j < l:

    ∂²l/∂φ² = Σ_{j<l} c_jl·d dᵀ                           c_jl = Σ_{k<=min(j,m)} p_kj p_kl

K = 2 and m = 1 are Bradley-Terry, and m = 1 alone is the conditional logit (McFadden 1974).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..logistic import Array, sigmoid, softplus

__all__ = ["pair_curvatures", "ranking_losses", "ranking_slopes"]

Counts = NDArray[np.int64]


@np.errstate(under="ignore")
def ranking_losses(rewards: Array, n_choices: Counts) -> Array:
    """Return -log of the probability of each ranking.

    Parameters
    ----------
    rewards : array, (n_rankings, K), log-odds
        Best answer first.
    n_choices : array, (n_rankings,)
        How many choices were observed: m, from 1 to K - 1.

    Returns
    -------
    array, (n_rankings,), nats
    """
    observed = np.arange(rewards.shape[1] - 1) < n_choices[:, None]
    return np.asarray(np.where(observed, softplus(_behind(rewards)), 0.0).sum(axis=1))


@np.errstate(under="ignore")
def ranking_slopes(rewards: Array, n_choices: Counts) -> Array:
    """Return the derivative of each ranking's loss with respect to each of its rewards, (n_rankings, K)."""
    q = np.append(sigmoid(_behind(rewards)), np.zeros((len(rewards), 1)), axis=1)
    slopes, mass = np.empty_like(q), np.zeros(len(rewards))
    for k in range(q.shape[1]):
        other = np.where(k < n_choices, q[:, k], 0.0)
        slopes[:, k] = mass * (1 - q[:, k]) - other
        mass = mass * q[:, k] + other
    return slopes


@np.errstate(under="ignore")
def pair_curvatures(rewards: Array, n_choices: Counts) -> Array:
    """Return c_jl for all answers j < l in the order of ``np.triu_indices(K, 1)``, (n_rankings, K (K - 1)/2)."""
    k = rewards.shape[1]
    observed = np.arange(k) < n_choices[:, None]
    weights = np.where(observed, -2 * _left(rewards), -np.inf)  # log of 1/(e^(A_k))²
    j, other = np.triu_indices(k, 1)
    return np.asarray(np.exp(rewards[:, j] + rewards[:, other] + np.logaddexp.accumulate(weights, axis=1)[:, j]))


def _left(rewards: Array) -> Array:
    """Return A_k, (n_rankings, K)."""
    return np.logaddexp.accumulate(rewards[:, ::-1], axis=1)[:, ::-1]


def _behind(rewards: Array) -> Array:
    """Return A_(k+1) - r_k, (n_rankings, K - 1): by how much all that come later together are ahead of k."""
    return np.asarray(_left(rewards)[:, 1:] - rewards[:, :-1])
