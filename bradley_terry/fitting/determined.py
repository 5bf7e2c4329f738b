"""Which parameters the pairs leave undetermined: those along a direction in which the Hessian vanishes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays.visible import LONGEST_SHOWN, visible
from ..logistic import Array
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, Scorer, TableScorer
from ..separation.advice import example_of_l2
from ..threads import blas_on_one_thread

__all__ = ["null_directions", "undetermined"]

MOST_NAMES = 6  # in a message
SURELY_REGULAR = 1e-7  # with a pivot above this, H (scaled to curvature 1) is regular far beyond rounding


def undetermined(
    scorer: Scorer, hessian: Array, names: Sequence[str] | None, pairs: PreferencePairs | None = None
) -> str:
    """Return "; " and words for the directions of φ that no pair says anything about, or "" if there are none.

    For a table the words are "" too: groups of items that never met are counted elsewhere. With the pairs, the advice
    contains an l2 that suits them.
    """
    if isinstance(scorer, TableScorer):
        return ""
    directions = null_directions(hessian)
    if not directions.shape[1]:
        return ""
    share = np.einsum("ij,ij->i", directions, directions)  # of each parameter's axis, in [0, 1]
    is_feature = isinstance(scorer, LinearScorer)
    if names is None or len(names) != share.size:
        names = [f"{'feature' if is_feature else 'parameter'} {i}" for i in range(share.size)]
    noun = "weight" if is_feature else "value"
    free = _listed([names[i] for i in np.flatnonzero(share > 1 - 1e-6).tolist()], noun)
    mixed = _listed([names[i] for i in np.flatnonzero((share > 1e-12) & (share <= 1 - 1e-6)).tolist()], noun)
    said = [f"do not determine {free}"] * bool(free) + [f"determine {mixed} only in combination"] * bool(mixed)
    example = ""
    if pairs is not None:
        example = f", for example {example_of_l2(scorer, pairs)}"
    return f"; these pairs {' and '.join(said)}; drop a feature or use l2 > 0{example}"


def _listed(names: list[str], noun: str) -> str:
    names = [visible(name, LONGEST_SHOWN) for name in names]
    if len(names) < 2:
        return f"the {noun} of {names[0]}" if names else ""
    last = [f"{len(names) - MOST_NAMES} others"] if len(names) > MOST_NAMES + 1 else names[-1:]
    first = names[: MOST_NAMES if len(names) > MOST_NAMES + 1 else -1]
    return f"the {noun}s of {', '.join(first)} and {last[0]}"


def null_directions(hessian: Array) -> Array:
    """Return an orthogonal basis of the directions in which H vanishes, (n_parameters, n_directions).

    Parameters are first rescaled to curvature 1, so that the answer does not depend on the units of the features. A
    Cholesky factor without small pivots shows, at a small part of the cost of eigenvalues, that there are none.
    """
    n = len(hessian)
    diagonal = np.diag(hessian)
    unit = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = hessian * np.outer(unit, unit)
    with blas_on_one_thread(n**3):
        try:
            if np.diag(np.linalg.cholesky(scaled)).min() ** 2 > SURELY_REGULAR:
                return np.empty((n, 0))
        except np.linalg.LinAlgError:
            pass  # a pivot was not positive
        eigenvalues, vectors = np.linalg.eigh(scaled)
    null = eigenvalues <= n * np.finfo(np.float64).eps * max(float(np.abs(scaled).max()), float(eigenvalues[-1]))
    found: Array = vectors[:, null]
    return found
