"""Losses with parameters that are still to be fitted: they are found together with φ before the fit itself begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from ..logistic import Array
from ..losses import PairLoss
from ..pairs import PreferencePairs, check_fit
from ..scorers import Scorer

if TYPE_CHECKING:
    from ..ranking.joint import FreeLoss

__all__ = ["Known", "known_loss"]


class Known(NamedTuple):
    """A loss whose parameters are known, φ to start from, and the information about φ if they were fitted."""

    loss: PairLoss | None
    phi: Array
    information: Array | None


def known_loss(
    scorer: Scorer,
    pairs: PreferencePairs,
    loss: PairLoss | None,
    l2: float,
    centring: float,
    phi: Array,
    max_steps: int,
    tolerance: float,
) -> Known:
    """Fit the parameters of the loss together with φ if they are still to be fitted."""
    if not getattr(loss, "is_free", False):
        return Known(loss, phi, None)
    check_fit(scorer, pairs, loss)
    if centring:
        raise ValueError(f"centring: expected 0 with parameters that are fitted with phi, got {centring:g} and {loss}")
    from ..ranking.joint import fitted_jointly  # noqa: PLC0415  # rarely needed

    found = fitted_jointly(scorer, pairs, cast("FreeLoss", loss), l2, phi, max_steps, tolerance)
    return Known(found.loss, phi, found.information)  # from the same start, so that the history shows the fit of φ
