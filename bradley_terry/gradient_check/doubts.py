"""What weakens a verdict: a φ of zeros, saturated pairs, float32, random numbers, a loss that never changes.

Each becomes a note in the report. Rounding and noise also limit how closely the numbers can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..logistic import Array
from ..objective import Objective
from .differences import EPS, STEP, typical_size
from .runner import Stop
from .state import must_not_add_up
from .under_test import FunctionUnderTest

__all__ = ["SATURATED", "Doubts", "doubts_about"]

NOISE = 4e-6  # largest difference between two gradients at one φ, as a share of the largest entry, that is only noise
SATURATED = 13.8  # |Δ| at which σ(−|Δ|) is 1e-6, to three digits


@dataclass
class Doubts:
    """Notes for the report, and how much the loss and the gradient vary by rounding or chance."""

    notes: list[str] = field(default_factory=list)
    noise_of_loss: float = 0.0
    noise_of_gradient: float = 0.0
    step: float = STEP


def doubts_about(tested: FunctionUnderTest, phi: Array, loss: float, gradient: Array) -> Doubts:
    """Call the function again at φ and near φ, to learn how far its loss and gradient at φ can be trusted."""
    doubts = Doubts()
    if not phi.any():
        doubts.notes.append(
            "phi is 0 everywhere. There σ(Δ) = σ(−Δ), and the gradient of an MLP is 0, so a wrong MLP gradient passes: "
            "all ten that we tried did. Check at a random phi"
        )
    if tested.objective is not None:
        doubts.notes += _saturated_pairs(tested.objective, phi)
    if not tested.is_ours:
        _call_again(tested, phi, loss, gradient, doubts)
    never_changes = False if tested.is_ours else _probe(tested, phi, loss)
    doubts.noise_of_loss += max(tested.eps * abs(loss), _rounding(tested, phi, loss))
    may_be_rounded = tested.eps == EPS and not (never_changes and loss == 0)
    quantum = _quantum(tested.losses, gradient) if may_be_rounded else 0.0
    if quantum > 20 * EPS * abs(loss):
        doubts.noise_of_loss = max(doubts.noise_of_loss, quantum)
        doubts.notes.append(
            f"every loss is a multiple of {quantum:.0e}, as if it had been rounded. Entries are compared only as "
            "closely as this allows. Return the loss unrounded for a closer check"
        )
    if tested.eps == EPS:  # the more noise, the longer the best step
        doubts.step = max(STEP, min(0.1, doubts.noise_of_loss ** (1 / 6)))
    else:
        doubts.notes.append(
            f"the function returns numbers with {-int(np.floor(np.log10(tested.eps)))} digits (float32 or less), and "
            "entries are compared only to this precision. Compute in float64 for a closer check"
        )
    if never_changes:
        doubts.notes.append("the loss is the same number at every phi that was tried: does the function use phi?")
    return doubts


def _saturated_pairs(objective: Objective, phi: Array) -> list[str]:
    z = objective.shifted(objective.margins(phi))
    n_saturated = int((np.abs(z) > SATURATED).sum())
    if not n_saturated:
        return []
    return [
        f"{n_saturated} of {z.size} pairs {'is' if n_saturated == 1 else 'are'} saturated: |Δ| > {SATURATED}. If such "
        "a pair is ranked correctly, its factor σ(−Δ) is below 1e-6, so a mistake in its part of the gradient hardly "
        "shows. Check at a smaller phi, too"
    ]


def _call_again(tested: FunctionUnderTest, phi: Array, loss: float, gradient: Array, doubts: Doubts) -> None:
    """Compare two calls at the same φ, and add their difference to the noise."""
    again, other_gradient = tested(phi)
    difference = abs(again - loss)
    doubts.noise_of_gradient = 4 * float(np.abs(other_gradient - gradient).max())
    size = float(np.abs(gradient).max())
    if doubts.noise_of_gradient > 400 * tested.eps * size and not difference:
        if doubts.noise_of_gradient > NOISE * size:
            must_not_add_up(tested, phi, gradient, other_gradient)
        doubts.notes.append(
            "two calls at the same phi return the same loss, but gradients that differ by "
            f"{doubts.noise_of_gradient / 4:.1e}"
        )
    tested.is_noisy = difference > 0
    if difference:
        third = tested(phi)[0]
        doubts.noise_of_loss += 3 * max(difference, abs(third - loss))
        doubts.notes.append(
            f"two calls at the same phi differ; the loss changes by {difference:.1e}. Does the function draw random "
            "numbers? "
            "Entries are compared only as closely as this noise allows"
        )


def _rounding(tested: FunctionUnderTest, phi: Array, loss: float) -> float:
    """Measure the rounding of the loss: how far it departs from a straight line as the last digits of φ change."""
    rng, bends = np.random.default_rng(0), [0.0]
    for _ in range(4):
        step = phi * EPS * rng.integers(-8, 9, phi.size)
        try:
            bends.append(abs(tested.loss(phi + step) + tested.loss(phi - step) - 2 * loss) / 2)
        except Stop:  # the next call near phi will report this failure
            break
    tested.where = ""
    return max(bends)


def _quantum(losses: list[float], gradient: Array) -> float:
    """Return the power of ten, or of two, of which every loss is a multiple, or 0 if there is none.

    Losses at points that are drawn at random are multiples of the same round number only if somebody rounded them.
    """
    values = np.array(sorted(set(losses)))
    if len(losses) < 4 or not gradient.any() or not (np.abs(values) < 1e12).all():
        return 0.0
    for digits in range(-3 if values.size > 2 else 1, 14):
        if all(value == round(value, digits) for value in values.tolist()):
            return 10.0**-digits if values.size > 2 or digits <= 8 else 0.0
    for digits in range(30):
        if values.size > 2 and (np.ldexp(values, digits) % 1 == 0).all():
            return 2.0**-digits
    return 0.0


def _probe(tested: FunctionUnderTest, phi: Array, loss: float) -> bool:
    """Call the function at three points near φ; notice float32, and return whether the loss never changes."""
    rng, typical = np.random.default_rng(0), typical_size(phi)
    losses, numbers = [], []
    for _ in range(3):
        try:
            value, gradient = tested.nearby(phi + 0.01 * typical * rng.normal(size=phi.size))
        except Stop:  # a function that fails near phi may still be right at phi
            break
        losses.append(value)
        numbers.append(np.append(gradient, value))
    tested.where = ""
    with np.errstate(all="ignore"):  # a number outside the range of float32 becomes infinite or 0, so it differs
        is_float32 = np.array_equal(numbers, np.array(numbers).astype(np.float32))
    if len(set(losses)) > 1 and is_float32 and np.any(np.array(numbers)[:, :-1]):
        tested.eps = max(tested.eps, float(np.finfo(np.float32).eps))
    return len(losses) == 3 and all(value == loss for value in losses)
