"""Quasi-variances: one number q for each item, such that the variance of r_a - r_b is about q_a + q_b.

A table's rewards have a covariance matrix, which no picture can show. Quasi-variances replace it by as many numbers as
there are items. They minimise the sum over all pairs of items of

    (log(q_a + q_b) - log v_ab)²          with v_ab = Var(r_a - r_b)

With three items there are three differences, so that the fit is exact: q_a = (v_ab + v_ac - v_bc)/2. A quasi-variance
may be negative, if two differences from an item are known far better than the third. The sums q_a + q_b are positive
all the same.

References
----------
Firth, D. & de Menezes, R. X. 2004, Biometrika 91(1), 65-80. R package qvcalc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays.visible import LONGEST_SHOWN, visible
from ..logistic import Array
from ..scorers import TableScorer
from ..threads import blas_on_one_thread
from .methods import Options, quantile_of

if TYPE_CHECKING:
    from ..model import RewardModel

__all__ = ["QuasiVariances", "comparison_intervals_of", "quasi_variances", "quasi_variances_of"]

STEPS, SMALL = 200, 1e-7  # SMALL is a relative change of a sum q_a + q_b


class QuasiVariances(NamedTuple):
    """Quasi-variances of a table's rewards, and how well they reproduce the standard errors of differences.

    ``variances`` are the q, (n_items,). The relative error of a pair of items is √(q_a + q_b)/√v_ab - 1, where v_ab is
    the variance of r_a - r_b. ``worst_errors`` has the lowest and the highest of these errors over all pairs of items,
    and ``worst_of_all`` has the same over all contrasts Σ c·r with Σ c = 0.

    Examples
    --------
    >>> from bradley_terry import PreferencePairs, TableScorer, fit
    >>> games = PreferencePairs([0, 1, 2, 1, 2, 0], [1, 2, 0, 0, 1, 2])  # each beat each once
    >>> model = fit(TableScorer(3), games)
    >>> print(model.quasi_variances().variances.round(6))  # the variance of a difference is 4/3
    [0.666667 0.666667 0.666667]
    """

    variances: Array
    worst_errors: tuple[float, float]
    worst_of_all: tuple[float, float]


def quasi_variances(covariance: Array) -> QuasiVariances:
    """Return the quasi-variances of this covariance of at least three rewards, (n_items, n_items).

    The minimum is found by Newton's method, with shorter steps where needed. With s = q_a + q_b and r = log s - log v,
    half the square of r has the slope r/s by q_a and by q_b, and the second derivatives (1 - r)/s². Where these are not
    positive, Gauss's approximation 1/s² takes their place.
    """
    n = len(covariance)
    if n < 3:
        raise ValueError(f"quasi-variances: expected at least three items, got {n}")
    diagonal = np.diag(covariance)
    v = diagonal[:, None] + diagonal - 2 * covariance
    np.fill_diagonal(v, 1.0)  # the diagonal is not used
    if n == 3:
        q = (v[0, 1] + v[0, 2] + v[1, 2]) / 2 - np.array([v[1, 2], v[0, 2], v[0, 1]])
    else:
        with blas_on_one_thread(n**3):
            q = _minimum(v)
    errors = np.sqrt(((q[:, None] + q) / v)[~np.eye(n, dtype=bool)]) - 1
    return QuasiVariances(q, (float(errors.min()), float(errors.max())), _worst_of_all(covariance, q))


def _minimum(v: Array) -> Array:
    n = len(v)
    apart = ~np.eye(n, dtype=bool)
    target = np.log(v)
    mean = v[apart].mean()
    q = np.maximum((v.sum(axis=1) - 1 - (n - 1) * mean / 2) / (n - 2), mean / 20)  # that of q_a + q_b = v_ab, roughly
    for _ in range(STEPS):
        sums = np.where(apart, q[:, None] + q, 1.0)
        r = np.where(apart, np.log(sums) - target, 0.0)
        slopes = np.where(apart, 1 / sums, 0.0)
        step = -_solved((1 - r) * slopes**2, slopes**2, (slopes * r).sum(axis=1))
        moved = float(np.abs(slopes * (step[:, None] + step)).max())
        if moved < SMALL:  # the error of a Newton step is the square of the one before
            return q + step
        share = 1.0
        while not _is_better(q + share * step, target, apart, float((r**2).sum())):
            share /= 2
        q = q + share * step
    raise ValueError(f"quasi-variances: expected a minimum within {STEPS} steps, got a last change of {moved:.1e}")


def _solved(exact: Array, approximate: Array, gradient: Array) -> Array:
    """Return H⁻¹·gradient, where H has these entries off its diagonal and their sums on it, and is positive."""
    n = len(gradient)
    for h in (exact, approximate):
        h[np.diag_indices(n)] = h.sum(axis=1)
        try:
            np.linalg.cholesky(h)
        except np.linalg.LinAlgError:
            continue
        return np.asarray(np.linalg.solve(h, gradient), dtype=np.float64)
    raise ValueError("quasi-variances: expected variances of differences, got some that are not positive")


def _is_better(q: Array, target: Array, apart: NDArray[np.bool_], size: float) -> bool:
    sums = (q[:, None] + q)[apart]
    return bool(sums.min() > 0) and float(((np.log(sums) - target[apart]) ** 2).sum()) < size


def _worst_of_all(covariance: Array, q: Array) -> tuple[float, float]:
    """Return the extremes of √(Σ c² q)/√(cᵀ V c) - 1 over all c that sum to zero: generalised eigenvalues."""
    n = len(q)
    basis = np.linalg.qr(np.eye(n)[:, 1:] - np.eye(n)[:, :1])[0]  # (n, n - 1), orthogonal to 1
    with blas_on_one_thread(n**3):
        lower = np.linalg.cholesky(basis.T @ covariance @ basis)
        half = np.linalg.solve(lower, basis.T)
        ratios = np.linalg.eigvalsh((half * q) @ half.T)
    low, high = np.sqrt(np.maximum(ratios[[0, -1]], 0.0)) - 1
    return float(low), float(high)


def quasi_variances_of(model: RewardModel, options: Options) -> QuasiVariances:
    """Return what ``RewardModel.quasi_variances`` returns."""
    if not isinstance(model.scorer, TableScorer):
        raise ValueError(f"quasi-variances: expected a table of items, got {model.scorer}")
    if model.scorer.n_items < 3:
        raise ValueError(f"quasi-variances: expected at least three items, got {model.scorer.n_items}")
    return quasi_variances(model.covariance(**options))


def comparison_intervals_of(model: RewardModel, level: float, options: Options) -> Array:
    """Return what ``RewardModel.comparison_intervals`` returns."""
    z, q = quantile_of(level), quasi_variances_of(model, options).variances
    if q.min() < 0:
        worst = int(np.argmin(q))
        names = model.feature_names
        name = f"item {worst}" if names is None else visible(names[worst], LONGEST_SHOWN)
        raise ValueError(
            f"comparison intervals: expected quasi-variances of at least 0, got {q[worst]:.3g} for {name}; compare two "
            "items at a time with contrasts instead"
        )
    half = z * np.sqrt(q)
    return np.stack([model.phi - half, model.phi + half], axis=1)
