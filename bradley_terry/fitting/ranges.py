"""Refuse features so large or so small that a Hessian, which contains their squares, would be infinite or zero."""

from __future__ import annotations

import numpy as np

from ..arrays.frozen import blocks_of
from ..logistic import Array
from ..pairs import PreferencePairs
from ..scorers import Scorer

__all__ = ["is_extreme", "refuse_extremes"]

SMALLEST, LARGEST = 1e-150, 1e150  # the squares of doubles beyond 1e-154 and 1e154 are no longer accurate numbers


def is_extreme(gradient: Array) -> bool:
    """Return whether an entry is so large or so small that ``refuse_extremes`` should look at the features."""
    sizes = np.abs(gradient)
    return not bool(((sizes > 1e10 * SMALLEST) & (sizes < 1e-10 * LARGEST)).all())


@np.errstate(over="ignore")
def refuse_extremes(pairs: PreferencePairs, scorer: Scorer | None = None) -> None:
    """Raise ValueError if some feature differs between answers, but by less than 1e-150, or if it exceeds 1e150.

    A scorer that is not linear in φ, or none, stands for the features themselves instead of their differences.
    """
    is_paired = isinstance(pairs, PreferencePairs)
    first = pairs.chosen if is_paired else pairs.features  # type: ignore[attr-defined]  # rankings
    if first.ndim != 2 or first.dtype.kind != "f":
        return
    subtracts = is_paired and scorer is not None and scorer.linear_in_phi
    largest = np.zeros(first.shape[1])
    for rows in blocks_of(first):
        x = [first[rows], pairs.rejected[rows]] if is_paired else [first[rows]]
        for values in [np.subtract(*x, dtype=np.float64)] if subtracts else x:
            np.maximum(largest, np.abs(values).max(axis=0), out=largest)
    bad = np.flatnonzero(((largest > 0) & (largest < SMALLEST)) | (largest > LARGEST))
    if bad.size:
        names, j = pairs.feature_names, int(bad[0])
        name = f"feature {j}" if names is None else repr(names[j])
        what = "differences of answers" if subtracts else "numbers"
        raise ValueError(
            f"{'chosen' if is_paired else 'features'}: expected {what} whose largest is between {SMALLEST:g} and "
            f"{LARGEST:g} for each feature, got {largest[j]:.3g} for {name}; give it in another unit"
        )
