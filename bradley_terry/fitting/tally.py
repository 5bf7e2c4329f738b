"""Fit a table of items to counts of comparisons instead of single comparisons."""

from __future__ import annotations

import numpy as np

from ..pairs import PreferencePairs
from ..scorers import Scorer, TableScorer

__all__ = ["tallied"]


def tallied(pairs: PreferencePairs, scorer: Scorer) -> PreferencePairs:
    """Return one row for each two items that met, weighted by how often; pairs for another scorer are not changed.

    Δ is the same for all comparisons of two items, so Σ w·[t·softplus(-Δ) + (1 - t)·softplus(Δ)] needs only Σ w·t and
    Σ w·(1 - t). Loss, gradient and Hessian stay the same, and the work no longer grows with the number of pairs.
    """
    if not isinstance(scorer, TableScorer) or pairs.target_margins is not None or scorer.n_items**2 > len(pairs):
        return pairs
    n = scorer.n_items
    scorer.check_features(pairs.chosen, "chosen")
    scorer.check_features(pairs.rejected, "rejected")
    w = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
    t = np.ones(len(pairs)) if pairs.labels is None else pairs.labels
    cell = np.asarray(pairs.chosen * n + pairs.rejected, dtype=np.int64)
    wins = np.bincount(cell, w * t, n * n).reshape(n, n) + np.bincount(cell, w * (1 - t), n * n).reshape(n, n).T
    a, b = np.nonzero(np.triu(wins + wins.T))
    met = wins[a, b] + wins[b, a]
    return PreferencePairs(a, b, weights=met, labels=wins[a, b] / met, feature_names=pairs.feature_names)
