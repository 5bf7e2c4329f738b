"""Solve L x = b for a triangular matrix, block by block."""

from __future__ import annotations

import numpy as np

from ..logistic import Array

__all__ = ["substituted"]

BLOCK = 64  # rows; each block on the diagonal is solved as a general system, which is cheap for a small one


def substituted(lower: Array, b: Array) -> Array:
    """Return x with L Lᵀ x = b for a lower triangular L, (n, n), in about 2n² multiplications.

    Forward substitution solves L y = b from the first block of rows to the last. What the earlier blocks of y add to a
    block is subtracted before that block is solved. Back substitution solves Lᵀ x = y in the same way from the last
    block to the first.
    """
    if b.size <= BLOCK:
        return np.linalg.solve(lower.T, np.linalg.solve(lower, b))
    x = b.copy()
    starts = range(0, b.size, BLOCK)
    for start in starts:
        rows = slice(start, start + BLOCK)
        x[rows] = np.linalg.solve(lower[rows, rows], x[rows] - lower[rows, :start] @ x[:start])
    for start in reversed(starts):
        rows, after = slice(start, start + BLOCK), start + BLOCK
        x[rows] = np.linalg.solve(lower[rows, rows].T, x[rows] - lower[after:, rows].T @ x[after:])
    return x
