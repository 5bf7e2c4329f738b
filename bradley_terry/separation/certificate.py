"""Whether a direction of φ contradicts no choice, found exactly, for a reward that is linear in φ.

Row a_i is the gradient of a margin, turned so that the loss of its pair falls as a_i·φ grows. A label strictly between
0 and 1 gives both rows, a_i and -a_i. Stiemke (1915): either some v has a_i·v >= 0 for all rows and > 0
for some, or some λ > 0 has Σ λ_i a_i = 0. In the first case the loss falls for ever along v. In the second case it has
a minimum. (At a minimum of -log sigma, λ_i = w_i sigma(-Δ_i) is such a λ.)

``nonnegative`` minimises |Σ (1 + μ_i) a_i| over μ >= 0. If the minimum is 0, λ = 1 + μ. If not, the vector r that is
left has a_i·r >= 0 for all rows, and |r|² = Σ a_i·r > 0: it is the direction v. That λ is at least 1 is no restriction,
since any λ > 0 can be multiplied until it is.

First each column is divided by its root mean square (or, with outliers, its median), and then each row by its length,
so that the units of the features do not matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..logistic import Array
from ..threads import blas_on_one_thread
from .least_squares import EPS, nonnegative

__all__ = ["Cone", "nearest", "separating"]

FEW, WORK = 30, 3_000_000  # parameters, and numbers in the systems for their signs: about two seconds
SURELY = 1e3  # the remaining vector must be this many times as long as its rounding
OUTLIER = 1e6  # times the median of a column
CONTRADICTS = 0.01  # share of Σ |a_ij v_j|
Mask = NDArray[np.bool_]


class Cone(NamedTuple):
    """The directions of φ that contradict no choice, in units in which every column of the rows has mean square 1.

    If a column holds outliers a million times its median, the units may be medians of |a_ij| instead.

    Attributes
    ----------
    units : array, (n_parameters,)
        φ times these units is φ in the units of the cone.
    separated : array of bool, (n_rows,)
        The rows with a·v > 0 for some v of the cone. All other rows have a·v = 0 for every v of the cone.
    null : array, (n_parameters, q)
        An orthonormal basis of the directions that the other rows say nothing about. The cone lies in their span.
    direction : array, (n_parameters,)
        A direction of length 1 with a·v > 0 for all separated rows, or zeros if there are none.
    """

    units: Array
    separated: Mask
    null: Array
    direction: Array

    def signs(self, rows: Array, separated: Mask) -> NDArray[np.int64]:
        """Return +1 or -1 for each parameter that must go to ±∞ for the loss to reach its infimum, else 0.

        The loss comes close to its infimum exactly where all separated margins grow without end and the others reach
        their minimum. Parameter j then grows, too, if e_j is a sum of separated rows with coefficients of at least 0,
        up to a part that the other rows determine (Farkas 1902). Otherwise φ_j can also stay where it is. This takes a
        system for each parameter; where that is too much work (``has_signs``), all are 0.
        """
        found = np.zeros(len(self.null), dtype=np.int64)
        if not separated.any() or not self.has_signs:
            return found
        inside = _of_length_one(rows[separated] / self.units @ self.null)
        if self.null.shape[1] == 1:  # all rows then have the same sign
            return np.where(self.determined, 0, np.sign(self.null[:, 0] * inside[0, 0])).astype(np.int64)
        for j in np.flatnonzero(~self.determined).tolist():
            sign = int(np.sign(self.direction[j]))
            axis = sign * self.null[j] / np.sqrt(self.null[j] @ self.null[j])
            rest, rounding = nonnegative(inside, axis)
            found[j] = sign * (float(np.sqrt(rest @ rest)) <= max(SURELY * rounding, ALIKE))
        return found

    @property
    def has_signs(self) -> bool:
        """Whether few enough parameters are undetermined to find out which of them must go to ±∞."""
        free = int(np.count_nonzero(~self.determined))
        return bool(self.null.shape[1] == 1) or (
            free <= FEW and free * self.separated.size * self.null.shape[1] <= WORK
        )

    @property
    def determined(self) -> Mask:
        """The parameters that the other pairs determine, and that stay finite, (n_parameters,)."""
        return np.einsum("ij,ij->i", self.null, self.null) <= ALIKE**2


ALIKE = 1e-8  # length of a part of a unit vector that counts as rounding


def separating(rows: Array) -> Cone:
    """Return the cone of all directions that contradict no row, for rows (n_rows, n_parameters).

    One direction need not separate every row that can be separated. So the search goes on among the rows that are left
    until they have none; a long step in the first direction makes up for what a later one does to earlier rows.

    If a column holds outliers, the other numbers of the column may be as small as rounding in units of mean square 1,
    and rows that contradict a direction seem not to. The search is then repeated in units of the median, and a
    direction that some row still contradicts is not claimed.
    """
    n = len(rows)
    most = np.abs(rows).max(axis=0, initial=0.0)
    most = np.where(most > 0, most, 1.0)  # so that no square overflows or underflows
    square = np.einsum("ij,ij->j", rows / most, rows / most)
    found = _separating(rows, most * np.sqrt(np.where(square > 0, square, 1.0) / max(n, 1)))
    if not found.separated.any():
        return found
    typical = np.array([np.median(x[x > 0]) if x.any() else 1.0 for x in np.abs(rows).T])
    if (most <= OUTLIER * typical).all():
        return found
    again = _separating(rows, typical)
    if _is_contradicted(rows, again):
        return again._replace(separated=np.zeros(n, dtype=bool), direction=np.zeros(rows.shape[1]))
    return found if (found.separated == again.separated).all() else again


def _is_contradicted(rows: Array, cone: Cone) -> bool:
    """Return whether a margin falls along the direction by more than rounding, compared with the parts of its sum."""
    v = np.where(np.abs(cone.direction) > ALIKE, cone.direction, 0.0)
    parts = _of_length_one(rows / cone.units) * v
    return bool((parts.sum(axis=1) < -CONTRADICTS * np.abs(parts).sum(axis=1)).any())


def _separating(rows: Array, units: Array) -> Cone:
    """Do the same with columns divided by these units."""
    n, k = rows.shape
    a = _of_length_one(rows / units)
    left, null = np.flatnonzero(a.any(axis=1)), None
    separated, total = np.zeros(n, dtype=bool), np.zeros(k)
    with blas_on_one_thread(n * k * k):
        while left.size:
            inside = a[left]
            rest, rounding = nonnegative(inside, -inside.sum(axis=0))
            length = float(np.sqrt(rest @ rest))
            if not length > SURELY * rounding:
                break
            new = inside @ rest < -SURELY * rounding
            null_here = _null(inside[~new])
            v = -null_here @ (null_here.T @ rest)  # this removes the rounding along the rows that are left
            if not new.any() or not (inside[new] @ v > 0).all():  # too close to call
                break
            total = _joined(total, v / np.sqrt(v @ v), a[separated])
            separated[left[new]] = True
            left, null = left[~new], null_here
        return Cone(units, separated, _null(a) if null is None else null, total)


def nearest(rows: Array, least: Array, start: Array) -> Array:
    """Return the shortest v with a_i·v >= least_i, given some ``start`` with a_i·start > 0 for all rows.

    This is least distance programming (Lawson & Hanson 1974, chapter 23). With u >= 0 that minimise the distance from
    Σ u_i (a_i, least_i) to (0, 1), the residual (-v, 1)·s has the solution v. ``start`` sets the unit of length, so
    that s is not tiny. If rounding spoils the solution, the multiple of ``start`` that is just long enough is returned.
    """
    along = rows @ start
    scale = float((least / along).max())
    if not scale > 0:
        return np.zeros(start.size)
    longer = np.column_stack([rows, least / scale])
    rest, _ = nonnegative(_of_length_one(longer), np.append(np.zeros(start.size), 1.0))
    if rest[-1] > 0:
        v = -scale * rest[:-1] / rest[-1]
        v = v * max(1.0, float((least / np.maximum(rows @ v, EPS * scale)).max()))
        if v @ v <= (scale * start) @ (scale * start) * (1 + 1e-6):
            return v
    return scale * start


def _of_length_one(rows: Array) -> Array:
    most = np.abs(rows).max(axis=1, initial=0.0)[:, None]
    rows = rows / np.where(most > 0, most, 1.0)
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    result: Array = rows / np.where(length > 0, length, 1.0)
    return result


def _null(rows: Array) -> Array:
    """Return an orthonormal basis of the directions with a·v = 0 for all these rows, (n_parameters, q)."""
    k = rows.shape[1]
    eigenvalues, vectors = np.linalg.eigh(rows.T @ rows)
    largest = max(float(eigenvalues[-1]), 1.0) if len(rows) else 1.0
    found: Array = vectors[:, eigenvalues <= 8 * k * EPS * largest]
    return found


def _joined(first: Array, second: Array, rows: Array) -> Array:
    """Return a direction of length 1 in which rows grow along ``first`` still, and others grow along ``second``."""
    if not rows.size:
        return second
    along, against = rows @ first, rows @ second
    size = max(1.0, 2 * float((-against / along).max()))
    v: Array = size * first + second
    return v / np.sqrt(v @ v)
