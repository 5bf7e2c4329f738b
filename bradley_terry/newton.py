"""Newton's method for a convex objective: φ ← φ + size·s with s = -H⁻¹g, g = ∇L, and a size that makes the loss fall.

Near φ the objective is almost the parabola L₀ + gᵀs + ½ sᵀHs, whose minimum is at s = -H⁻¹g. So each step solves one
linear system, and close to the minimum each step with the exact H doubles the number of correct digits.

Far from the minimum the parabola is a poor guide, so ``controlled_step`` shortens the step if necessary. A Hessian is
used again for as long as its steps work well (see ``fitting.hessians``), which saves time. For thousands of parameters
no H is formed: conjugate gradients find each step (see ``fitting.conjugate``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .arrays.visible import counted
from .fitting.conjugate import curvature_of
from .fitting.convex import Convex, largest_move, largest_of
from .fitting.substitution import solve
from .logistic import Array
from .model import Outcome
from .objective import Point

__all__ = ["NewtonResult", "minimise"]

Step = tuple[Point | None, float]
LAST_DIGITS = 1e-14  # of the largest margin: a step that moves no margin by more is rounding
LITTLE = 1e-6  # nats: at a minimum, no step promises to lower the loss by more


class NewtonResult(NamedTuple):
    """Where Newton's method stopped and why, and the Hessian there, if it was computed."""

    point: Point
    outcome: Outcome
    reason: str
    hessian: Array | None


def minimise(
    objective: Convex,
    point: Point,
    record: Callable[[int, Point], bool],
    *,
    first_step: int = 1,
    n_small: int = 0,  # points with a small gradient
    is_recorded: bool = True,
    max_steps: int,
    tolerance: float,
    hessian: Array | None = None,
    keep: Callable[..., object] = lambda **_: None,
) -> NewtonResult:
    """Minimise a convex objective from a given point. Stop early if ``record``, called after each step, returns True.

    After each step, ``keep`` is called with the state from which the search can be resumed later. A small gradient
    alone does not prove a minimum: if some φ makes every margin positive, each step moves some margin by about 1, and
    tiny features always have a small gradient. At a minimum the next step hardly moves any margin. If it is larger than
    rounding, it is taken, too.
    """
    at_rest = min(0.1, max(1e-6, 1e3 * tolerance))  # the next step moves no margin by more (log-odds)
    curvature, n_taken = curvature_of(objective, point.phi.size, hessian), first_step - 1
    while True:
        largest, end, new = largest_of(point.gradient), None, None
        h = curvature.at(point, exact=largest <= tolerance)
        direction = -(solve(h, point.gradient) if isinstance(h, np.ndarray) else h.solve(point.gradient))
        if largest <= tolerance:
            new = objective.at(point.phi + direction)
            n_small, moved = n_small + 1, largest_move(objective, point, new)
            is_solved = isinstance(h, np.ndarray) or h.is_solved  # if not, a small step proves nothing
            end = _end(moved, at_rest, n_small, objective.l2) if is_solved else None
            is_correction = moved > LAST_DIGITS * max(1.0, largest_of(point.margins))
            if end is Outcome.CONVERGED and is_correction and largest_of(new.gradient) < largest:
                point, n_taken, is_recorded = new, n_taken + is_recorded, False
                largest, h = largest_of(point.gradient), curvature.corrected(point, moved)
        if not is_recorded and record(n_taken, point):
            return NewtonResult(point, Outcome.STOPPED_BY_CALLBACK, "stopped by the callback", None)
        is_recorded, matrix = True, h if isinstance(h, np.ndarray) else None
        reason = f"largest gradient entry {largest:.1e}"
        if end is not None:
            reason = f"{reason} <= {tolerance:g}" if end is Outcome.CONVERGED else "there is no finite minimum"
            return NewtonResult(point, end, reason, matrix)
        if n_taken >= max_steps:
            return NewtonResult(point, Outcome.STEP_LIMIT, f"{reason} after {counted(max_steps, 'Newton step')}", None)
        new, slope = controlled_step(objective, point, direction, new)
        if new is None and curvature.is_exact:
            return NewtonResult(point, Outcome.NO_DESCENT, f"no step lowers the loss, {reason}", matrix)
        if new is None:  # an older Hessian pointed the wrong way; try again with the exact one
            curvature.matrix = None
            continue
        new_largest = largest_of(new.gradient)
        is_rounding = -slope <= 1e-15 * abs(point.loss) and new_largest >= largest > tolerance
        if is_rounding and largest_move(objective, point, new) <= 0.1:
            if curvature.is_exact:
                end = Outcome.CONVERGED if direction.any() and -slope <= LITTLE else Outcome.NO_DESCENT
                return NewtonResult(point, end, f"no step lowers the loss beyond rounding, {reason}", matrix)
            curvature.matrix = None
            continue
        curvature.after_step(largest, new_largest)
        point, n_taken, is_recorded = new, n_taken + 1, False
        keep(phi=point.phi, n_taken=n_taken, n_small=n_small, hessian=curvature.kept)


def _end(moved: float, at_rest: float, n_small: int, l2: float) -> Outcome | None:
    """Return the outcome at a point with a small gradient, or None if the search should go on.

    The next step moves a margin by ``moved``. After many points with a small gradient, 0.1 is small enough.
    """
    if moved <= at_rest or (n_small > 21 and (moved <= 0.1 or l2 > 0)):
        return Outcome.CONVERGED
    return Outcome.NO_MINIMUM if n_small > 21 else None


def controlled_step(objective: Convex, point: Point, direction: Array, new: Point | None = None) -> Step:
    """Return the point after a step, or None if no part of the step lowers the loss, and the slope gᵀs.

    Pass the point after the whole step as ``new`` if you already have it.

    The step is halved until L falls by at least a ten-thousandth of what the slope promises (Armijo 1966). Where the
    loss is almost straight, H is tiny and s is far too long. So a step that more than doubles the largest margin is
    shortened: it then changes no margin by more than the present largest one (or 20, if that is larger).
    """
    longest = max(largest_of(objective.shifted(point.margins)), 20.0)
    new = objective.at(point.phi + direction) if new is None else new
    if not largest_of(objective.shifted(new.margins)) <= 2 * longest:
        del new  # frees its margins before the next ones are computed
        direction = direction * (longest / largest_of(objective.margins(direction)))
        new = objective.at(point.phi + direction)
    slope, rounding, size = float(point.gradient @ direction), 1e-15 * abs(point.loss), 1.0
    while not new.loss <= point.loss + 1e-4 * size * slope + rounding:
        size /= 2
        if size < 1e-12:
            return None, slope
        del new
        new = objective.at(point.phi + size * direction)
    return new, slope
