"""Who won against whom, from pairs of items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..pairs import PreferencePairs, check_pairs

__all__ = ["as_pairs", "met", "wins"]

Items = NDArray[np.int64]


def wins(pairs: PreferencePairs) -> tuple[Items, Items]:
    """Return winner and loser of each comparison of positive weight. A label strictly between 0 and 1 counts twice."""
    pairs = as_pairs(pairs)
    chosen, rejected = _items(pairs)
    if pairs.labels is None and pairs.weights is None:
        return chosen, rejected
    t = np.ones(len(pairs)) if pairs.labels is None else pairs.labels
    counts = np.ones(len(pairs), dtype=bool) if pairs.weights is None else pairs.weights > 0
    forward, backward = (t > 0) & counts, (t < 1) & counts
    return (
        np.concatenate([chosen[forward], rejected[backward]]),
        np.concatenate([rejected[forward], chosen[backward]]),
    )


def met(pairs: PreferencePairs) -> tuple[Items, Items]:
    """Return the two items of each comparison of positive weight."""
    pairs = as_pairs(pairs)
    chosen, rejected = _items(pairs)
    if pairs.weights is None:
        return chosen, rejected
    return chosen[pairs.weights > 0], rejected[pairs.weights > 0]


def as_pairs(pairs: PreferencePairs) -> PreferencePairs:
    """Return pairs as they are, and the pairs of rankings, which have finite best rewards exactly if their pairs do."""
    check_pairs(pairs)
    return pairs if isinstance(pairs, PreferencePairs) else pairs.as_pairs()


def _items(pairs: PreferencePairs) -> tuple[Items, Items]:
    if not pairs.is_items:
        raise ValueError("pairs: expected item numbers, got features")
    return pairs.chosen.astype(np.int64, copy=False), pairs.rejected.astype(np.int64, copy=False)
