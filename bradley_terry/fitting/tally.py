"""Fit a table of items to counts of comparisons instead of single comparisons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..logistic import Array
from ..pairs import PreferencePairs
from ..scorers import Scorer, TableScorer

__all__ = ["tallied"]

RARE = 1e-10  # share of the games; 1 - wins/games then has an error of a millionth of itself
WORTH_SORTING = 100_000  # with fewer pairs, single comparisons are fitted just as fast


def tallied(pairs: PreferencePairs, scorer: Scorer) -> PreferencePairs:
    """Return one row for each two items that met, weighted by how often; pairs for another scorer are not changed.

    Δ is the same for all comparisons of two items, so Σ w·[t·softplus(-Δ) + (1 - t)·softplus(Δ)] needs only Σ w·t and
    Σ w·(1 - t). Loss, gradient and Hessian stay the same, and the work no longer grows with the number of pairs. An
    item against itself has Δ = 0 for every φ: it adds w·log 2 to the sum of the losses, and w to the total weight.
    """
    if (
        not isinstance(scorer, TableScorer)
        or not isinstance(pairs, PreferencePairs)
        or pairs.target_margins is not None
    ):
        return pairs
    n, is_dense = scorer.n_items, scorer.n_items**2 <= len(pairs)
    if not is_dense and len(pairs) < WORTH_SORTING:
        return pairs
    scorer.check_features(pairs.chosen, "chosen")
    scorer.check_features(pairs.rejected, "rejected")
    counted = _counted_in_table(pairs, n) if is_dense else _counted_by_sorting(pairs, n)
    if counted is None:
        return pairs
    a, b, wins, games = counted
    if _loses_wins(pairs, n, a * n + b, games):
        return pairs
    return PreferencePairs(a, b, weights=games, labels=wins / games, feature_names=pairs.feature_names)


def _loses_wins(pairs: PreferencePairs, n: int, cells: NDArray[np.int64], games: Array) -> bool:
    """Return whether 1 - wins/games loses digits of the wins of a second item, since those of the first weigh far more.

    ``cells`` numbers the two items of each row, in increasing order. If the second item won 1 of 1e16 games, wins/games
    is 1: its win is lost. In single comparisons it has a row, and a weight, of its own.
    """
    shares = [share[share > 0] for share in _shares(pairs) if share is not None]
    smallest = min((float(share.min()) for share in shares if share.size), default=1.0)
    if smallest >= RARE * float(games.max()):
        return False
    for_chosen, for_rejected = _shares(pairs)
    one = np.ones(len(pairs)) if for_chosen is None else for_chosen
    other = np.zeros(len(pairs)) if for_rejected is None else for_rejected
    of_second = np.where(pairs.chosen < pairs.rejected, other, np.where(pairs.chosen > pairs.rejected, one, 0.0))
    counts = of_second > 0
    low, high = (of(pairs.chosen, pairs.rejected)[counts] for of in (np.minimum, np.maximum))
    row = np.searchsorted(cells, low * n + high)
    lost = np.bincount(row, of_second[counts], cells.size)
    return bool(((lost > 0) & (lost < RARE * games)).any())


Counts = tuple[NDArray[np.int64], NDArray[np.int64], Array, Array]
"""Two items that met, the first with the smaller number; how often the first was chosen; how often they met."""


def _counted_in_table(pairs: PreferencePairs, n: int) -> Counts:
    """Count in a table of all items by all items."""
    cell, (for_chosen, for_rejected) = pairs.chosen * n + pairs.rejected, _shares(pairs)
    wins = np.bincount(cell, for_chosen, n * n).reshape(n, n).astype(np.float64)
    if for_rejected is not None:
        wins += np.bincount(cell, for_rejected, n * n).reshape(n, n).T
    met = wins + wins.T
    np.fill_diagonal(met, wins.diagonal())
    a, b = np.nonzero(np.triu(met))
    return a, b, wins[a, b], met[a, b]


def _counted_by_sorting(pairs: PreferencePairs, n: int) -> Counts | None:
    """Do the same without a table, or return None if few items met more than once, so that counting saves little."""
    cell = np.minimum(pairs.chosen, pairs.rejected) * n + np.maximum(pairs.chosen, pairs.rejected)
    met = np.sort(cell)  # many times as fast as finding the order
    starts = np.flatnonzero(np.diff(met, prepend=-1))
    if 2 * starts.size > len(pairs):
        return None
    order = np.argsort(cell, kind="stable")
    for_chosen, for_rejected = _shares(pairs)
    one = np.ones(len(pairs)) if for_chosen is None else for_chosen
    other = np.zeros(len(pairs)) if for_rejected is None else for_rejected
    wins = np.add.reduceat(np.where(pairs.chosen <= pairs.rejected, one, other)[order], starts)
    games = np.add.reduceat((one + other)[order], starts)
    met, wins, games = met[starts][games > 0], wins[games > 0], games[games > 0]
    return met // n, met % n, wins, games


def _shares(pairs: PreferencePairs) -> tuple[Array | None, Array | None]:
    """Return w·t and w·(1 - t) for each pair; None stands for ones in the first place, and for zeros in the second."""
    w, t = pairs.weights, pairs.labels
    if t is None:
        return w, None
    return (t, 1 - t) if w is None else (w * t, w * (1 - t))
