"""Check that all implementations of a workload do the same work: their answers must agree with ours.

Each function takes the answers by the name of the implementation, with ours first. It raises ValueError if one of them
differs, and returns remarks for the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..logistic import Array
from ..objective import Objective

__all__ = ["GRADIENT", "Answers", "same_estimates", "same_loss", "same_minimum"]

Answers = Mapping[str, object]

SAME = 1e-6  # allowed difference: relative for losses and gradients, absolute for estimates
GRADIENT = 1e-8  # a linear fit is finished when no entry of the mean loss's gradient is larger than this


def same_loss(answers: Answers) -> dict[str, str]:
    """Raise ValueError unless every answer (loss, gradient) agrees with the first. Limits give no answer to check."""
    flat = {name: _flat(answer) for name, answer in answers.items() if answer is not None}
    loss, gradient = next(iter(flat.values()))
    for name, (its_loss, its_gradient) in flat.items():
        if not abs(its_loss - loss) <= SAME * abs(loss):
            raise ValueError(f"{name} does not do the same work: its loss is {its_loss!r}, ours {loss!r}")
        if not np.abs(its_gradient - gradient).max() <= SAME * np.abs(gradient).max():
            raise ValueError(f"{name} does not do the same work: its gradient differs from ours")
    return {}


def _flat(answer: Any) -> tuple[float, Array]:
    """Return the loss and the flat gradient, given the arrays of any framework."""
    loss, gradient = answer
    parts = gradient if isinstance(gradient, list | tuple) else [gradient]
    return float(loss), np.concatenate([np.ravel(np.asarray(part, dtype=np.float64)) for part in parts])


def same_minimum(objective: Objective, answers: Answers) -> dict[str, str]:
    """Raise ValueError unless every φ has the same loss as the first; the remarks give the gradient of each."""
    found = {name: objective(np.asarray(phi)) for name, phi in answers.items()}
    same_loss({name: (loss, 1.0) for name, (loss, _) in found.items()})
    largest = {name: float(np.abs(gradient).max()) for name, (_, gradient) in found.items()}
    return {name: f"gradient {g:.0e}{'' if g <= GRADIENT else ', stopped too early'}" for name, g in largest.items()}


def same_estimates(answers: Answers) -> dict[str, str]:
    """Raise ValueError unless all rewards, minus their mean, agree with the first; the remarks give the differences."""
    rewards = {name: np.asarray(answer) for name, answer in answers.items()}
    centred = [r - r.mean() for r in rewards.values()]
    apart = {name: float(np.abs(r - centred[0]).max()) for name, r in zip(rewards, centred, strict=True)}
    for name, distance in apart.items():
        if not distance <= SAME:
            raise ValueError(f"{name} does not do the same work: its estimates differ from ours by {distance:.1e}")
    return {name: f"differs by {distance:.0e}" for name, distance in apart.items() if distance}
