"""Whether a fit learned anything: whether its loss is below that of rewards that are all equal."""

from __future__ import annotations

import numpy as np

from ..backend import NumpyBackend
from ..logistic import Array
from ..model import Outcome
from ..objective import Objective

__all__ = ["ending", "no_use"]

FEW_RECORDS = {Outcome.STEP_LIMIT: 50, Outcome.STOPPED_EARLY: 20}  # a fit with so few is not expected to be good
BEYOND_ROUNDING = 1.001


def no_use(objective: Objective, phi: Array, outcome: Outcome, n_records: int) -> str:
    """Return "; " and words if φ is no better than equal rewards (log 2 for -log sigma) after many records, or ""."""
    if n_records <= FEW_RECORDS.get(outcome, np.inf):
        return ""
    reference = getattr(objective.pairs, "reference_backend", NumpyBackend)
    mean_of = reference(objective.scorer, objective.pairs, objective.loss).loss_and_d_margins
    margins = objective.margins(phi)
    found, equal = mean_of(margins)[0], mean_of(np.zeros_like(margins))[0]
    if found < equal * BEYOND_ROUNDING:
        return ""
    return f"; the training loss, {found:.4g}, is no better than the {equal:.4g} of equal rewards for all answers"


def ending(outcome: Outcome, message: str, method: str, useless: str = "") -> tuple[str, bool]:
    """Return the message of a fit, and whether it is worth a warning."""
    if outcome is Outcome.INTERRUPTED:
        return message, True
    if outcome.is_success or outcome is Outcome.STOPPED_BY_CALLBACK:
        return message, bool(useless)
    return f"not converged: {message}", bool(useless) or method == "newton" or outcome is Outcome.DIVERGED
