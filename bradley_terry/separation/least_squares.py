"""Least squares with coefficients of at least 0: the active-set method of Lawson & Hanson (1974, chapter 23)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..logistic import Array
from ..threads import blas_on_one_thread

__all__ = ["nonnegative"]

EPS = float(np.finfo(np.float64).eps)
FEW = 500  # rows that are looked at again and again before all are


def nonnegative(rows: Array, target: Array) -> tuple[Array, float]:
    """Minimise |Σ μ_i a_i - f| over μ >= 0, for rows a_i of length 1. Return f - Σ μ_i a_i, (k,), and its rounding.

    At the minimum the residual r has a_i·r <= 0 for all i, and a_i·r = 0 where μ_i > 0. The method keeps the set P of
    the rows with μ_i > 0. It adds the row with the largest a_i·r, solves the least-squares problem of P alone, and
    drops the rows that this makes negative. The rows of P are independent, so there are at most k. Where there are many
    rows, those with the largest a_i·r are settled among themselves before all are looked at again.

    Each term of Σ μ_i a_i is rounded to eps·μ_i, so a_i·r is known to about eps·k·(|f| + Σ μ). An a_i·r that is not
    larger counts as 0.
    """
    n, k = rows.shape
    passive = _Passive(rows, target)
    size, few = float(np.sqrt(target @ target)), max(FEW, 10 * k)
    n_rounds = 10 * max(n, k)  # a bound that rounding cannot exceed
    with blas_on_one_thread(n * k):
        for _ in range(n_rounds):
            rounding = 8 * k * EPS * (size + float(passive.mu.sum()))
            gain = rows @ passive.residual()
            wanted = np.flatnonzero(gain > rounding)
            if len(passive.rows) == k or not wanted.size:
                break
            if wanted.size > few:
                wanted = wanted[np.argpartition(-gain[wanted], few)[:few]]
            if not _settled_among(passive, wanted, rounding):
                break
    return passive.residual(), rounding


def _settled_among(passive: _Passive, wanted: NDArray[np.int64], rounding: float) -> bool:
    """Add rows of ``wanted`` until none of them has a larger a·r than the rounding. Return whether any was added."""
    rows, added = passive.all[wanted], False
    refused = np.zeros(wanted.size, dtype=bool)  # rows that did not help after all, because of rounding
    for _ in range(10 * max(rows.shape)):
        gain = rows @ passive.residual()
        gain[refused] = -np.inf  # the rows of P have a gain of 0, as r is orthogonal to them
        best = int(np.argmax(gain))
        if not gain[best] > rounding or len(passive.rows) == rows.shape[1]:
            break
        if passive.add(int(wanted[best])):
            refused[:], added = False, True
        else:
            refused[best] = True
    return added


class _Passive:
    """The rows with μ > 0, as columns of the matrix Q R, where Q has orthonormal columns; R is kept as its inverse."""

    def __init__(self, rows: Array, target: Array) -> None:
        self.all, self.target = rows, target
        self.rows: list[int] = []
        self.mu = np.zeros(0)
        self.q, self.inverse = np.zeros((target.size, 0)), np.zeros((0, 0))

    def residual(self) -> Array:
        """Return f - Σ μ_i a_i."""
        rest: Array = self.target - self.q @ (self.q.T @ self.target)
        return rest - self.q @ (self.q.T @ rest)  # twice, so that rounding leaves no part along Q

    def add(self, row: int) -> bool:
        """Add a row and solve again. Return False, and change nothing, if its μ would not be positive."""
        a = self.all[row]
        c = self.q.T @ a
        rest = a - self.q @ c
        again = self.q.T @ rest
        rest, c = rest - self.q @ again, c + again
        length = float(np.sqrt(rest @ rest))
        if not length > 8 * EPS * a.size:
            return False
        p = len(self.rows)
        inverse = np.zeros((p + 1, p + 1))
        inverse[:p, :p] = self.inverse
        inverse[:p, p] = -self.inverse @ c / length
        inverse[p, p] = 1 / length
        q = np.column_stack([self.q, rest / length])
        wanted = inverse @ (q.T @ self.target)
        if not wanted[p] > 0:
            return False
        self.rows, self.q, self.inverse, self.mu = [*self.rows, row], q, inverse, np.append(self.mu, 0.0)
        while (wanted <= 0).any():
            negative = np.flatnonzero(wanted <= 0)
            parts = self.mu[negative] / (self.mu[negative] - wanted[negative])
            self.mu = self.mu + parts.min() * (wanted - self.mu)
            self.mu[negative[parts == parts.min()]] = 0.0
            self._keep(self.mu > 0)
            wanted = self.inverse @ (self.q.T @ self.target)
        self.mu = wanted
        return True

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        self.rows = [row for row, stays in zip(self.rows, kept.tolist(), strict=True) if stays]
        self.mu = self.mu[kept]
        self.q, r = np.linalg.qr(self.all[self.rows].T)
        self.inverse = np.linalg.inv(r)
