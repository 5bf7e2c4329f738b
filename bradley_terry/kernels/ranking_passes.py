"""Passes over rankings, like those of ``passes`` over pairs: blocks for the threads, and the sums of the blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays.frozen import locked
from ..arrays.sums import exact_sum
from ..logistic import Array
from ..threads import in_parts
from .compiled import RANKED, ranking_blocks

__all__ = ["ranking_loss_and_gradient", "ranking_loss_and_slopes"]

ENTRIES_FOR_A_THREAD = 500_000  # of the features, as in ``passes``


def ranking_loss_and_slopes(rewards: Array, n_choices: NDArray[np.int64], shares: Array) -> tuple[float, Array]:
    """Compute the loss of Plackett and Luce for rankings of K answers each, and its derivative in every reward.

    Parameters
    ----------
    rewards : array, (n_rankings, K), log-odds
        Best answer first.
    n_choices : array of int, (n_rankings,)
        How many choices were observed.
    shares : array, (n_rankings,)
        w / Σ w of each ranking.

    Returns
    -------
    loss : float, nats
        Σ w·l / Σ w over these rankings.
    slopes : array, (n_rankings, K)
    """
    slopes = np.empty(rewards.shape)
    loss, _ = _rankings(np.empty((0, 0)), np.empty(0), np.ascontiguousarray(rewards), n_choices, shares, slopes)
    return loss, slopes


def ranking_loss_and_gradient(
    rows: Array, phi: Array, n_choices: NDArray[np.int64], shares: Array, rewards: Array
) -> tuple[float, Array]:
    """Compute the same loss for a linear scorer, and its gradient with respect to φ, in one pass over the features.

    Parameters
    ----------
    rows : array, (n_rankings · K, n_features)
        The answers of the first ranking, best first, then those of the second, and so on.
    phi : array, (n_features,)
    n_choices, shares
        As in ``ranking_loss_and_slopes``.
    rewards : array, (n_rankings, K)
        Receives the rewards.

    Returns
    -------
    loss : float, nats
    gradient : array, (n_features,)
    """
    return _rankings(
        np.require(rows, np.float64, ["C", "A"]), np.ascontiguousarray(phi), rewards, n_choices, shares, np.empty(0)
    )


def _rankings(
    rows: Array, phi: Array, rewards: Array, n_choices: NDArray[np.int64], shares: Array, slopes: Array
) -> tuple[float, Array]:
    n_blocks = -(-n_choices.size // RANKED)
    gradients, sums = np.zeros((n_blocks, phi.size)), np.zeros((n_blocks, 2))
    given = locked(rows.view()), locked(phi.view()), rewards.reshape(-1), n_choices, shares, slopes.reshape(-1)
    numbers = RANKED * rewards.shape[1] * max(1, phi.size)

    def one_part(first: int, last: int) -> None:
        ranking_blocks(*given, gradients, sums, first, last)

    in_parts(one_part, n_blocks, 1 + ENTRIES_FOR_A_THREAD // numbers)
    loss, _ = exact_sum(sums.ravel()) if np.isfinite(sums[:, 0]).all() else (float(sums[:, 0].sum()), 0.0)
    return loss, gradients.sum(axis=0)
