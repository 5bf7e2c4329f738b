"""Which parameters the pairs leave undetermined: those along a direction in which the Hessian vanishes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays.visible import LONGEST_SHOWN, visible
from ..graphs.wins import as_pairs
from ..logistic import Array
from ..model import Outcome
from ..objective import Objective
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, Scorer, TableScorer
from ..separation.advice import example_of_l2
from ..threads import blas_on_one_thread
from .convex import largest_of

__all__ = ["SATURATED", "determined", "null_directions", "rounded_away", "undetermined"]

MOST_NAMES = 6  # in a message
SATURATED = 745.0  # log-odds; beyond, sigma(Δ) sigma(-Δ) is 0 in float64
SURELY_REGULAR = 1e-7  # with a pivot above this, H (scaled to curvature 1) is regular far beyond rounding


def determined(objective: Objective, phi: Array, hessian: Array, outcome: Outcome, message: str) -> tuple[Outcome, str]:
    """Return how a fit ended, given the Hessian there, and a message that names what the pairs do not determine.

    A fit without a penalty has found no minimum if H vanishes only because curvatures are rounded away, as they are at
    very large margins: sigma(Δ)·sigma(-Δ) is 0 in float64 for |Δ| > 745.
    """
    said = undetermined(objective.scorer, hessian, objective.pairs.feature_names, objective.pairs)
    if not _is_rounded_away(objective, hessian, bool(said)):
        return outcome, message + said
    largest = largest_of(objective.shifted(objective.margins(phi)))
    if largest <= SATURATED:  # the weights of some pairs are so small that they say nothing beside the others
        return outcome, message + said
    return Outcome.NO_DESCENT, rounded_away(largest)


def rounded_away(largest: float) -> str:
    """Return the sentence that says why a fit with margins this large has found no minimum."""
    return (
        f"the curvature of the loss is rounded away where margins (minus target margins) are as large as "
        f"{largest:.1e}, so nothing shows where the minimum is"
    )


def _is_rounded_away(objective: Objective, hessian: Array, has_null: bool) -> bool:
    """Return whether H vanishes in a direction about which the pairs do say something."""
    diagonal = np.diag(hessian)
    is_table = isinstance(objective.scorer, TableScorer)
    if not (is_table and (diagonal == 0).any()) and not has_null:
        return False
    compared = as_pairs(objective.pairs)
    counts = np.ones(len(compared)) if compared.weights is None else (compared.weights > 0).astype(np.float64)
    gram = Objective(objective.scorer, compared, backend=objective.backend).gram(counts)
    of_pairs = np.diag(gram)
    if is_table:
        return bool((of_pairs[diagonal == 0] > 0).any())
    unit, unit_of_pairs = (np.sqrt(np.where(x > 0, x, 1.0)) for x in (diagonal, of_pairs))
    basis, _ = np.linalg.qr(null_directions(hessian) * (unit_of_pairs / unit)[:, None])
    inside = basis.T @ (gram / np.outer(unit_of_pairs, unit_of_pairs)) @ basis
    return bool(np.linalg.eigvalsh(inside)[-1] > SURELY_REGULAR)


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
