"""Whether a fit learned anything: whether its loss is below that of rewards that are all equal."""

from __future__ import annotations

import numpy as np

from ..logistic import Array
from ..losses import weighted_mean
from ..model import Outcome
from ..objective import Objective

__all__ = ["no_use"]

FEW_RECORDS = {Outcome.STEP_LIMIT: 50, Outcome.STOPPED_EARLY: 20}  # a fit with so few is not expected to be good
BEYOND_ROUNDING = 1.001


def no_use(objective: Objective, phi: Array, outcome: Outcome, n_records: int) -> str:
    """Return "; " and words if φ is no better than equal rewards (log 2 for -log sigma) after many records, or ""."""
    if n_records <= FEW_RECORDS.get(outcome, np.inf):
        return ""
    pairs, loss = objective.pairs, objective.loss

    def mean(margins: Array) -> float:
        return weighted_mean(loss.value(objective.shifted(margins), pairs.labels), pairs.weights)

    found, equal = mean(objective.margins(phi)), mean(np.zeros(len(pairs)))
    if found < equal * BEYOND_ROUNDING:
        return ""
    return f"; the training loss, {found:.4g}, is no better than the {equal:.4g} of equal rewards for all answers"
