"""Is this Hessian right? Each of its columns is compared with differences of the gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ..arrays.given import float64
from ..arrays.single import number
from ..arrays.visible import class_name, quoted
from ..logistic import Array
from ..objective import Objective
from .blocks import slices_of
from .differences import EPS, Line, typical_size, unit_of
from .process import as_it_was
from .progress import followed
from .report import BlockReport, GradientReport
from .runner import Stop, Watch, call, can_be_called_with, real_numbers, warnings_as_notes

__all__ = ["check_hessian"]

SHARE, ROUNDING = 1e-7, 1e-9  # of the expected entry, and of the largest entry of the Hessian
SYMMETRIC = 1e-8  # share of the largest entry by which an entry and its mirror image may differ


def check_hessian(
    objective: Objective,
    phi: ArrayLike,
    *,
    hessian: Callable[[Array], object] | None = None,
    time_limit: float = 10.0,
) -> GradientReport:
    """Compare a Hessian, (n_parameters, n_parameters), with differences of the gradient of an objective.

    The report is like that of ``check_gradient``, with one line for each pair of blocks of φ. It also checks that the
    Hessian is symmetric.

    Parameters
    ----------
    objective : Objective
        The objective, whose gradient is differentiated. Check this gradient first with ``check_gradient``.
    phi : array_like, (n_parameters,)
    hessian : callable, phi -> (n_parameters, n_parameters), optional
        Your own Hessian of this objective, by default ``objective.hessian``, for a scorer that is linear in φ.
    time_limit : float, seconds
        Longest time for one call of your own Hessian.

    Raises
    ------
    TypeError, ValueError
        If ``objective`` is not an Objective, if φ does not fit it, or if the objective has no Hessian and none is
        given.

    Examples
    --------
    >>> from bradley_terry import LinearScorer, PreferencePairs
    >>> check_hessian(Objective(LinearScorer(1), PreferencePairs([[1.5]], [[0.0]])), [1.0]).passed
    True
    """
    if not isinstance(objective, Objective):
        raise TypeError(f"objective: expected an Objective, got {class_name(objective)}")
    if not number(time_limit) > 0:
        raise ValueError(f"time_limit: expected a positive number of seconds, got {quoted(time_limit)}")
    at = float64(phi, "phi").copy()
    if at.shape != (objective.scorer.n_parameters,):
        wanted = f"({objective.scorer.n_parameters},) for {objective.scorer}"
        raise ValueError(f"phi: expected shape {wanted}, got {at.shape}")
    if not np.isfinite(at).all():
        raise ValueError("phi: expected finite numbers")
    shape = (at.size, at.size)
    stopped: Stop | None = None
    with as_it_was() as left, warnings_as_notes() as said:
        try:
            if hessian is None:
                got = objective.hessian(at)
            else:
                with Watch(time_limit) as watch:
                    can_be_called_with(hessian, (at,), ("phi",))
                    got = real_numbers(call(hessian, (at,), ("phi",), watch, quiet=False), "hessian", shape)
        except Stop as stop:
            stopped = stop
    notes = [*said, *left]
    if stopped is not None:
        why = stopped.message or "Your Hessian is not written yet."
        return GradientReport((), why, tuple(notes), subject="Hessian", stopped=stopped.status)
    expected, spread = _of_the_gradient(objective, at)
    if not (np.abs(got - got.T) <= SYMMETRIC * np.abs(got).max()).all():
        notes.append("the Hessian is not symmetric, but its entries [i, j] and [j, i] should be equal")
    parts = slices_of(objective.scorer.shapes)
    off, largest, doubt = np.abs(got - expected), float(np.abs(expected).max()), 4 * spread
    wrong = ~(off <= SHARE * np.abs(expected) + doubt + ROUNDING * largest)
    unsure = ~wrong & (doubt > 0.1 * np.maximum(np.abs(expected), np.abs(got))) & (doubt > 1e-5 * largest)
    blocks = [
        BlockReport.of(f"{row} × {column}", got[r, c].shape, "numerical", (r, c), got, expected, doubt, wrong, unsure)
        for row, r in parts.items()
        for column, c in parts.items()
    ]
    return GradientReport(tuple(blocks), "", tuple(notes), subject="Hessian")


def _of_the_gradient(objective: Objective, phi: Array) -> tuple[Array, Array]:
    """Return the derivative of each entry of the gradient by each entry of φ, and how uncertain it is."""
    expected, spread = np.empty((2, phi.size, phi.size))
    gradient = objective(phi)[1]
    noise, typical = 8 * EPS * max(float(np.abs(gradient).max()), EPS), typical_size(phi)
    for j in followed(range(phi.size), "columns of the Hessian"):
        known: dict[float, Array] = {float(phi[j]): gradient}
        for i in range(phi.size):

            def entry(at: Array, i: int = i, j: int = j, known: dict[float, Array] = known) -> tuple[float, None]:
                if float(at[j]) not in known:  # all entries of a column share these calls
                    known[float(at[j])] = objective(at)[1]
                return float(known[float(at[j])][i]), None

            expected[i, j], spread[i, j] = Line(entry, phi, j).slope(unit_of(phi, j, typical), noise)
    return expected, spread
