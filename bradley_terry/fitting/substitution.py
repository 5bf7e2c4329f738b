"""Solve Newton's system H s = g by Cholesky, H = L Lᵀ, with L block by block."""

from __future__ import annotations

import numpy as np

from ..logistic import Array

__all__ = ["solve", "substituted"]

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


def solve(hessian: Array, gradient: Array) -> Array:
    """Solve H s = g by Cholesky, with parameters rescaled to curvature 1 and a tiny damping.

    A direction in which H vanishes is one that no pair speaks about (a shift of all rewards, a feature that both
    answers share). g vanishes there too, and the damping keeps the solution small in that direction.
    """
    diagonal = np.diag(hessian)
    if not np.isfinite(diagonal).all():
        return np.full(gradient.shape, np.nan)
    unit: Array = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled, damping = hessian * np.outer(unit, unit), 1e-14
    while True:
        try:
            lower: Array = np.linalg.cholesky(scaled + damping * np.eye(len(scaled))).astype(np.float64, copy=False)
        except np.linalg.LinAlgError:
            damping *= 10
        else:
            return np.asarray(unit * substituted(lower, unit * gradient))
