"""Fit a table of items to counts of comparisons instead of single comparisons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..logistic import Array
from ..pairs import PreferencePairs
from ..scorers import Scorer, TableScorer

__all__ = ["tallied"]

WORTH_SORTING = 100_000  # with fewer pairs, single comparisons are fitted just as fast


def tallied(pairs: PreferencePairs, scorer: Scorer) -> PreferencePairs:
    """Return one row for each two items that met, weighted by how often; pairs for another scorer are not changed.

    Δ is the same for all comparisons of two items, so Σ w·[t·softplus(-Δ) + (1 - t)·softplus(Δ)] needs only Σ w·t and
    Σ w·(1 - t). Loss, gradient and Hessian stay the same, and the work no longer grows with the number of pairs. An
    item against itself has Δ = 0 for every φ: it adds w·log 2 to the sum of the losses, and w to the total weight.
    """
    if not isinstance(scorer, TableScorer) or pairs.target_margins is not None:
        return pairs
    n, is_dense = scorer.n_items, scorer.n_items**2 <= len(pairs)
    if not is_dense and len(pairs) < WORTH_SORTING:
        return pairs
    scorer.check_features(pairs.chosen, "chosen")
    scorer.check_features(pairs.rejected, "rejected")
    cell = np.minimum(pairs.chosen, pairs.rejected) * n + np.maximum(pairs.chosen, pairs.rejected)
    if not is_dense and 2 * np.count_nonzero(np.diff(np.sort(cell), prepend=-1)) > len(pairs):
        return pairs  # few of them met more than once
    met, row = _numbered_in_table(cell, n * n) if is_dense else _numbered_by_sorting(cell)
    in_order = np.asarray(pairs.chosen <= pairs.rejected)  # the item with the smaller number was chosen
    w = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
    t = np.ones(len(pairs)) if pairs.labels is None else pairs.labels

    def total(values: Array, where: NDArray[np.bool_]) -> Array:
        return np.bincount(row[where], values[where], met.size).astype(np.float64, copy=False)

    wins = total(w * t, in_order) + total(w * (1 - t), ~in_order)
    games = wins + (total(w * t, ~in_order) + total(w * (1 - t), in_order))
    kept = games > 0
    a, b, wins, games = met[kept] // n, met[kept] % n, wins[kept], games[kept]
    return PreferencePairs(a, b, weights=games, labels=wins / games, feature_names=pairs.feature_names)


def _numbered_in_table(cell: NDArray[np.int64], n_cells: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the different numbers in increasing order, and the place of each number among them."""
    met = np.flatnonzero(np.bincount(cell, minlength=n_cells))
    place = np.empty(n_cells, dtype=np.int64)
    place[met] = np.arange(met.size)
    return met, place[cell]


def _numbered_by_sorting(cell: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Do what ``_numbered_in_table`` does if a table of all numbers would not fit into memory."""
    order = np.argsort(cell, kind="stable")
    sorted_cell = cell[order]
    is_new = np.diff(sorted_cell, prepend=-1) > 0
    row = np.empty(cell.size, dtype=np.int64)
    row[order] = np.cumsum(is_new) - 1
    return sorted_cell[is_new], row
