"""What a function keeps from one call to the next: gradients that add up, or numbers from an earlier φ."""

from __future__ import annotations

import numpy as np

from ..logistic import Array
from .differences import Line, typical_size
from .runner import ERROR, FAILED, OutOfTime, Stop
from .under_test import FunctionUnderTest

__all__ = ["must_follow_phi", "must_not_add_up"]


def must_not_add_up(tested: FunctionUnderTest, phi: Array, first: Array, second: Array) -> None:
    """Stop if two calls at the same φ returned the same loss but different gradients, and say which way they differ."""
    third = tested(phi)[1]
    size = float(np.abs(first).max())
    steps = second - first, third - second
    add_up = size > 0 and float(np.abs(steps[0] - steps[1]).max()) <= 1e-6 * float(np.abs(steps[0]).max())
    advice = (
        " Each call adds its gradient to those of the calls before it: set the gradient to zero at the start of each "
        "call (in torch, zero_grad)"
        if add_up
        else ""
    )
    raise Stop(
        ERROR,
        "two calls at the same phi return the same loss but different gradients: does one call change something that "
        f"the next one uses?{advice}",
    )


def must_follow_phi(tested: FunctionUnderTest, phi: Array, got: Array, noise: float) -> str:
    """After the gradient at φ has passed, check it at two points near φ as well, along one direction each.

    A function that keeps numbers from its first call, such as the forward pass, returns a right gradient at φ only.
    Such a function fails the check. If it returns the same array at every φ, it was probably written for this φ only,
    and the result is a note.
    """
    rng = np.random.default_rng(1)
    typical, n_wrong, fixed = typical_size(phi), 0, tested.is_one_array
    if _has_kink(tested, phi, noise):
        return ""
    for _ in range(2):
        near = phi + 0.05 * typical * rng.normal(size=phi.size)
        direction = rng.choice([-1.0, 1.0], phi.size) * rng.uniform(0.5, 1.5, phi.size)
        try:
            gradient = tested.nearby(near)[1]
            fixed = fixed and np.array_equal(gradient, got)
            slope, spread = Line(tested.nearby, near, direction).slope(min(typical, 1.0), noise)
        except OutOfTime:
            raise
        except Stop:  # a function that fails near φ may still be right at φ
            continue
        part = gradient * direction
        size = max(abs(slope), float(np.linalg.norm(part)))
        n_wrong += not abs(float(part.sum()) - slope) <= 1e-3 * size + 10 * spread + 8 * noise / min(typical, 1.0)
    tested.where = ""
    if n_wrong < 2:
        return ""
    if fixed:
        return "the gradient is the same array at every phi, so only its numbers at phi were checked"
    raise Stop(
        FAILED,
        "the gradient is right at phi, where the function was called first, and wrong at other points: does it keep "
        "numbers from its first call, such as the margins? Compute them again in every call",
    )


def _has_kink(tested: FunctionUnderTest, phi: Array, noise: float) -> bool:
    """Say whether the slopes of the loss on the two sides of φ differ by as much at a short step as at a longer one."""
    line = Line(tested.nearby, phi, np.random.default_rng(2).choice([-1.0, 1.0], phi.size))
    h = 1e-5 * min(typical_size(phi), 1.0)
    try:
        long, short = line.bend(h), line.bend(h / 4)
    except OutOfTime:
        raise
    except Stop:  # the differences have shown that a shorter step works
        return False
    return short > 0.5 * long and long > 40 * noise / h
