"""Mini-batches that never separate the pairs of a prompt, or the answers of a ranking."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..logistic import Array
from ..pairs import PreferencePairs

__all__ = ["batches", "units_of"]


def units_of(pairs: PreferencePairs) -> tuple[Array | None, NDArray[np.int64]]:
    """Return the weight of each pair, or None, and the number of its prompt. A ranking is a prompt of its own."""
    if isinstance(pairs, PreferencePairs):
        return pairs.weights, pairs.prompt_index
    return pairs.ranking_weights, np.arange(len(pairs))


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
