"""Newton's method for a convex objective: φ ← φ - s·H⁻¹∇L, with a step size s that makes the loss fall.

Near φ the objective is almost the parabola L₀ + gᵀs + ½ sᵀHs, whose minimum is at s = -H⁻¹g. So each step solves one
linear system, and close to the minimum each step doubles the number of correct digits.

Far from the minimum the parabola is a poor guide, so the step is controlled (``controlled_step``). Where there are many
pairs, Hessians are used again while they serve (``fitting.hessians``); the minimum is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .backend import shifted
from .fitting.hessians import Hessians
from .logistic import Array
from .model import Outcome
from .objective import Objective, Point

__all__ = ["NewtonResult", "minimise"]


class NewtonResult(NamedTuple):
    """Where Newton's method stopped, and why; the Hessian there, if it was computed."""

    point: Point
    outcome: Outcome
    reason: str
    hessian: Array | None


def minimise(
    objective: Objective,
    point: Point,
    record: Callable[[int, Point], bool],
    *,
    first_step: int = 1,
    max_steps: int,
    tolerance: float,
    hessian: Array | None = None,
) -> NewtonResult:
    """Minimise a convex objective from a point on; ``record(step, point)`` is called after each step, True stops.

    A small gradient alone is not yet a minimum. Where the pairs can be separated the loss falls for ever, and each step
    still moves some margin by about 1; and in tiny units of a feature every gradient is small. At a minimum, the next
    step hardly moves any margin. (Δ is linear in φ, so a step changes the margins by the margins of the step.)
    """
    at_rest = min(0.1, max(1e-6, 1e3 * tolerance))  # log-odds by which the next step may still move a margin
    hessians, n_drifting = Hessians(objective, hessian), 0  # steps since the gradient became small, without rest
    for step in range(first_step, max_steps + 2):
        largest = float(np.abs(point.gradient).max())
        small = largest <= tolerance
        h = hessians.at(point, exact=small)
        direction = -solve(h, point.gradient)
        if small:
            moved = _largest(objective.margins(direction))
            if moved <= at_rest or (n_drifting > 20 and (moved <= 0.1 or objective.l2 > 0)):
                reason = f"largest gradient entry {largest:.1e} <= {tolerance:g}"
                return NewtonResult(point, Outcome.CONVERGED, reason, h)
            if n_drifting > 20:
                return NewtonResult(point, Outcome.NO_MINIMUM, "there is no finite minimum", h)
            n_drifting += 1
        if step > max_steps:
            break
        new, slope = controlled_step(objective, point, direction)
        if new is None and hessians.is_exact:
            reason = f"no step lowers the loss, largest gradient entry {largest:.1e}"
            return NewtonResult(point, Outcome.NO_DESCENT, reason, h)
        if new is None:  # an older Hessian pointed the wrong way; try again with the exact one
            hessians.matrix = None
            continue
        new_largest = float(np.abs(new.gradient).max())
        if hessians.is_exact and -slope <= 1e-15 * abs(point.loss) and new_largest >= largest > tolerance:
            reason = f"no step lowers the loss beyond rounding, largest gradient entry {largest:.1e}"
            return NewtonResult(point, Outcome.CONVERGED, reason, h)
        hessians.after_step(largest, new_largest)
        point = new
        if record(step, point):
            return NewtonResult(point, Outcome.STOPPED_BY_CALLBACK, "stopped by the callback", None)
    reason = f"largest gradient entry {largest:.1e} after {max_steps} Newton steps"
    return NewtonResult(point, Outcome.STEP_LIMIT, reason, None)


def controlled_step(objective: Objective, point: Point, direction: Array) -> tuple[Point | None, float]:
    """Return the point after a step, or None if no part of the step lowers the loss; and the slope gᵀs.

    The step is halved until L falls by at least a ten-thousandth of what its slope promises (Armijo 1966). Where the
    loss is almost straight, H is tiny and s far too long: a step that more than doubles the largest margin is cut to
    one that changes no margin by more than the largest one.
    """
    longest = max(_largest(shifted(point.margins, objective.pairs)), 20.0)
    new = objective.at(point.phi + direction)
    if not _largest(shifted(new.margins, objective.pairs)) <= 2 * longest:
        direction = direction * (longest / _largest(objective.margins(direction)))
        new = objective.at(point.phi + direction)
    slope, rounding, size = float(point.gradient @ direction), 1e-15 * abs(point.loss), 1.0
    while not new.loss <= point.loss + 1e-4 * size * slope + rounding:
        size /= 2
        if size < 1e-12:
            return None, slope
        new = objective.at(point.phi + size * direction)
    return new, slope


def solve(hessian: Array, gradient: Array) -> Array:
    """Solve H s = g by Cholesky, in units in which every parameter has curvature 1, with a tiny damping.

    A direction in which H vanishes is one that no pair speaks about (a shift of all rewards, a feature that both
    answers share). g vanishes there too, and the damping keeps the solution small in that direction.
    """
    diagonal = np.diag(hessian)
    unit = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled, damping = hessian * np.outer(unit, unit), 1e-14
    while True:
        try:
            lower = np.linalg.cholesky(scaled + damping * np.eye(len(scaled)))
            return unit * np.linalg.solve(lower.T, np.linalg.solve(lower, unit * gradient))
        except np.linalg.LinAlgError:
            damping *= 10


def _largest(values: Array) -> float:
    """Return max |value|, or NaN if there is one, without a second array of that size."""
    return max(float(values.max()), -float(values.min()))
