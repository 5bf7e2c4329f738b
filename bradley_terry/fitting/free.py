"""Losses with parameters that are still to be fitted: they are found together with φ before the fit itself begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from ..logistic import Array
from ..losses import PairLoss
from ..model import Outcome
from ..pairs import PreferencePairs, check_fit
from ..scorers import Scorer
from ..threads import blas_on_one_thread

if TYPE_CHECKING:
    from ..ranking.joint import FreeLoss

__all__ = ["Known", "known_loss"]


class Known(NamedTuple):
    """A loss whose parameters are known, φ to start from, and the information about φ if they were fitted.

    ``failure`` says how their fit ended and why, if it found no minimum.
    """

    loss: PairLoss | None
    phi: Array
    information: Array | None
    failure: tuple[Outcome, str] | None = None


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
        raise ValueError(
            f"centring: expected 0 for a loss whose parameters are fitted with phi, got {centring:g} and {loss}"
        )
    from ..ranking.joint import fitted_jointly  # noqa: PLC0415  # rarely needed

    with blas_on_one_thread(len(pairs) * phi.size):
        found = fitted_jointly(scorer, pairs, cast("FreeLoss", loss), l2, phi, max_steps, tolerance)
    # φ starts where it was, so that the history shows how it is fitted.
    return Known(found.loss, phi, found.information, found.failure)
