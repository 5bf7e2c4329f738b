"""Kinks of the loss, as at the corner of a ReLU or a hinge, where finite differences mislead.

At a kink, the slopes on the two sides differ. Either slope is a correct gradient, and so is any number between them. A
central difference across the kink reports their mean, so a correct gradient may seem wrong.
"""

from __future__ import annotations

import numpy as np

from ..logistic import Array
from .blocks import Blocks, slices_of
from .differences import moved, short_difference, typical_size
from .under_test import FunctionUnderTest

__all__ = ["allow_for_kinks", "notes_on_kinks"]

MOST_SUSPECTS = 400  # entries with a kink that are also checked near φ


def allow_for_kinks(
    tested: FunctionUnderTest,
    phi: Array,
    got: Array,
    expected: Array,
    uncertainty: Array,
    share: float,
    noise: float,
) -> Array:
    """Look again at the entries that differ, and return how much more each may differ because of a kink.

    Three cases:

    - If a kink lies near φ, a very short step does not reach it. The estimate with this step replaces the first one, in
      ``expected`` and in ``uncertainty``.
    - If a kink lies at φ, the central difference is the mean of the two slopes, so half of their difference is allowed.
    - If kinks lie so close to φ that every step reaches them, the entry may differ from the estimate by any amount.

    All this holds only if the function's own gradient is right at points near φ. A wrong gradient is wrong there, too.
    """
    typical = min(typical_size(phi), 1.0)
    differ = np.flatnonzero(np.abs(got - expected) > share * np.abs(expected) + uncertainty).tolist()
    jumps, measured, at_phi = np.zeros_like(phi), np.zeros_like(phi), tested.loss(phi)

    def jump(j: int, h: float) -> float:
        plus, minus = moved(phi, j, h), moved(phi, j, -h)
        ahead, behind = tested.loss(plus) - at_phi, at_phi - tested.loss(minus)
        return float(abs(ahead / (plus[j] - phi[j]) - behind / (phi[j] - minus[j])))

    for j in differ:
        short, bend, rounding = short_difference(tested.loss, phi, j, noise)
        apart, doubt = abs(short - expected[j]), bend + rounding
        misled = apart > 2 * (uncertainty[j] + doubt) or bend > 100 * rounding
        if apart > 10 * (uncertainty[j] + doubt):
            expected[j], uncertainty[j] = short, doubt
        for h in (1e-3 * typical, 1e-5 * typical, 1e-7 * typical):
            wide, narrow = jump(j, h), jump(j, h / 4)
            # With a quarter of the step, the two slopes of a smooth curve differ by a quarter as much. At a kink they
            # differ as much as before.
            if wide > 40 * noise / h and narrow > 0.7 * wide:
                measured[j] = max(measured[j], max(wide, (4 * narrow - wide) / 3) / 2 + 4 * noise / h)
        # If kinks are closer than any step, only the function's own gradient is left as evidence. It is accepted if it
        # is right at points near φ.
        jumps[j] = abs(got[j] - expected[j]) if misled else measured[j]
    suspects = np.flatnonzero(jumps).tolist()
    if suspects:
        right = _right_near_phi(tested, phi, suspects[:MOST_SUSPECTS], noise)
        for j in suspects:
            if j not in right:  # not all can be checked; the others must lie between their two slopes
                jumps[j] = measured[j] if all(right.values()) else 0.0
            elif not right[j]:
                jumps[j] = 0.0
            elif got[j] == 0.0:  # where many kinks meet, 0 is the usual choice, but it may lie outside the slopes
                jumps[j] = max(jumps[j], abs(expected[j]))
    tested.where = ""
    return jumps


def notes_on_kinks(jumps: Array, blocks: Blocks) -> list[str]:
    """Name the blocks that have a kink at φ."""
    names = [name for name, part in slices_of(blocks).items() if jumps[part].any()]
    if not names:
        return []
    return [
        f"the loss has a kink at phi (a ReLU or a hinge at 0) in {', '.join(names)}: the slopes on its two sides are "
        "both correct, and so is any number between them. Check at another phi, too"
    ]


def _right_near_phi(tested: FunctionUnderTest, phi: Array, entries: list[int], noise: float) -> dict[int, bool]:
    """Say for each entry whether the function's gradient agrees with short differences at two of eight points near φ.

    At the other points, a kink may disturb the differences, as at φ.
    """
    rng, typical = np.random.default_rng(0), min(typical_size(phi), 1.0)
    n_right = dict.fromkeys(entries, 0)
    for _ in range(8):
        near = phi + 1e-4 * typical * rng.normal(size=phi.size)
        gradient = tested(near)[1]
        for j in [j for j in entries if n_right[j] < 2]:
            short, bend, rounding = short_difference(tested.loss, near, j, noise)
            n_right[j] += abs(gradient[j] - short) <= 1e-7 * abs(short) + 2 * (min(bend, rounding) + rounding)
    return {j: n >= 2 for j, n in n_right.items()}
