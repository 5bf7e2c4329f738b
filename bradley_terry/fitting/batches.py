"""Mini-batches that never separate the pairs of a prompt, or the answers of a ranking."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..logistic import Array
from ..pairs import PreferencePairs

__all__ = ["batches", "prompts_of", "weights_of"]


def weights_of(pairs: PreferencePairs) -> Array | None:
    """Return the weight of each pair, or None, or the weight of each ranking."""
    return pairs.weights if isinstance(pairs, PreferencePairs) else pairs.ranking_weights


def prompts_of(pairs: PreferencePairs) -> NDArray[np.int64]:
    """Return the number of the prompt of each pair, or of the cluster of each ranking."""
    return pairs.prompt_index if isinstance(pairs, PreferencePairs) else pairs.cluster_index


def batches(prompt_index: NDArray[np.int64], batch_size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Yield batches of whole prompts in random order, ``batch_size`` rows or more; the last may have half of that."""
    n_prompts = int(prompt_index.max()) + 1
    place = rng.permutation(n_prompts)[prompt_index]  # position of each row's prompt in the random order
    rows = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place))  # where each prompt ends
    start = 0
    while start < len(rows):
        stop = int(ends[np.searchsorted(ends, min(start + batch_size, len(rows)))])
        if len(rows) - stop < batch_size / 2:
            stop = len(rows)
        yield rows[start:stop]
        start = stop
