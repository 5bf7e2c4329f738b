"""Whether a fit learned anything: whether its loss is below that of rewards that are all equal."""

from __future__ import annotations

import numpy as np

from ..logistic import Array
from ..losses import weighted_mean
from ..objective import Objective

__all__ = ["no_use"]

ENOUGH_RECORDS = 20  # a fit that was given fewer steps is not expected to be good
BEYOND_ROUNDING = 1.001


def no_use(objective: Objective, phi: Array, n_records: int) -> str:
    """Return words if φ is no better than equal rewards, log 2 for -log sigma, after more than a few records; else ""."""
    if n_records <= ENOUGH_RECORDS:
        return ""
    pairs, loss = objective.pairs, objective.loss

    def mean(margins: Array) -> float:
        return weighted_mean(loss.value(objective.shifted(margins), pairs.labels), pairs.weights)

    found, equal = mean(objective.margins(phi)), mean(np.zeros(len(pairs)))
    if found < equal * BEYOND_ROUNDING:
        return ""
    return f"; the training loss, {found:.4g}, is no better than the {equal:.4g} of equal rewards for all answers"
