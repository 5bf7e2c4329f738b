"""Ties that count as half a win: the standard errors from the information are then too large.

The loss -log sigma with label ½ is not a likelihood of ties. The information treats a pair's outcome (1, ½ or 0) as a
coin flip with variance p (1 - p). But a tie is the mean of both outcomes. With a share τ of ties the variance is only
p (1 - p) - τ/4, so that at p = ½ the standard errors are too large by a factor 1/√(1 - τ): 28 % with 39 % ties. The
sandwich measures the variance, and is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..logistic import Array
from ..pairs import PreferencePairs
from .clusters import VOTES, are_independent

if TYPE_CHECKING:
    from ..model import RewardModel

__all__ = ["SENTENCE", "ReportedErrors", "has_half_wins", "reported_errors"]

SENTENCE = (
    "Some labels lie between 0 and 1, and for such half wins the information would give standard errors that are too "
    "large, so these come from the sandwich, kind='sandwich'."
)
NO_LIKELIHOOD = (
    "This loss is not a negative log-likelihood, so the standard errors come from the sandwich, kind='sandwich'."
)
TOO_FEW = (
    "Some labels lie between 0 and 1, so these standard errors are too large, but there are too few prompts for the "
    "sandwich."
)


class ReportedErrors(NamedTuple):
    """The standard errors to show, (n_parameters,), and a sentence about their kind, or ""."""

    errors: Array
    sentence: str


def has_half_wins(pairs: object) -> bool:
    """Return whether some labels of positive weight lie strictly between 0 and 1, in pairs that are single outcomes.

    With weights, a label such as 0.7 may be a share of wins in several games, for which the information is right. A
    label of ½ is a tie in any case if no other shares occur.
    """
    if not isinstance(pairs, PreferencePairs) or pairs.labels is None:
        return False
    t = pairs.labels if pairs.weights is None else pairs.labels[pairs.weights > 0]
    between = t[(t > 0) & (t < 1)]
    return bool(between.size) and (pairs.weights is None or bool((between == 0.5).all()))


def reported_errors(model: RewardModel) -> ReportedErrors:
    """Return the standard errors that a summary or report shows.

    They come from the sandwich where there are half wins, or where the loss is no likelihood.

    Raises
    ------
    ValueError
        If there are none.
    """
    data = model.fitted_to
    if data is not None and not getattr(model.loss, "is_likelihood", True):
        return ReportedErrors(model.standard_errors(kind="sandwich"), NO_LIKELIHOOD)
    if data is None or model.loss is not None or model.information is None or not has_half_wins(data.pairs):
        return ReportedErrors(model.standard_errors(), "")
    is_counts = data.pairs.weights is not None and bool((data.pairs.weights % 1 == 0).all())
    clusters = VOTES if is_counts and are_independent(data.pairs) else None
    by_information = model.standard_errors()
    try:
        return ReportedErrors(model.standard_errors(kind="sandwich", clusters=clusters), SENTENCE)
    except ValueError:
        return ReportedErrors(by_information, TOO_FEW)
