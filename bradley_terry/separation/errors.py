"""Standard errors of the parameters that stay finite when others are infinite."""

from __future__ import annotations

import numpy as np

from ..logistic import Array
from ..scorers import Scorer, TableScorer
from ..threads import blas_on_one_thread

__all__ = ["limit_covariance"]

PART = 1e-8  # of a unit vector: with a larger part along directions without information, a parameter is infinite


def limit_covariance(scorer: Scorer, information: Array, reference: int | None = None) -> Array | None:
    """Return the limit of the covariance as the rewards grow, (n_parameters, n_parameters).

    The result is None unless some parameters are finite and others are infinite.

    ``information`` is that of the pairs that are not separated; the others add none in the limit. It vanishes along
    some directions. A parameter, or a difference of rewards, with a part along such a direction has the variance inf.
    Its covariances are NaN, except 0 with the reference. All others have that of the pseudo-inverse.
    """
    n = len(information)
    if reference is not None and not isinstance(scorer, TableScorer):
        raise ValueError(f"reference: expected None for {scorer}; only a table's rewards can shift together")
    diagonal = np.diag(information)
    unit = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    contrasts = np.eye(n)
    if isinstance(scorer, TableScorer):
        contrasts = contrasts - (1 / n if reference is None else np.eye(n)[reference])
    contrasts = contrasts * unit
    with blas_on_one_thread(n**3):
        eigenvalues, vectors = np.linalg.eigh(information * np.outer(unit, unit))
        null = eigenvalues <= n * np.finfo(np.float64).eps * max(1.0, float(eigenvalues[-1]))
        along, inside = contrasts @ vectors[:, null], contrasts @ vectors[:, ~null]
        lengths = np.sqrt(np.einsum("ij,ij->i", contrasts, contrasts))
        infinite = np.sqrt(np.einsum("ij,ij->i", along, along)) > PART * lengths
        result: Array = (inside / eigenvalues[~null]) @ inside.T
    if infinite.sum() + (lengths == 0).sum() == n or not infinite.any():
        return None
    result[infinite] = result[:, infinite] = np.nan
    result[infinite, infinite] = np.inf
    if reference is not None:
        result[reference] = result[:, reference] = 0.0
    return result
