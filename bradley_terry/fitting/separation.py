"""Whether a table of items has a finite fit at all, which can be seen before any step is taken."""

from __future__ import annotations

from ..graphs import count_strong, is_strong
from ..graphs.wins import as_pairs, wins
from ..logistic import Array
from ..losses import BradleyTerryLoss
from ..model import Outcome
from ..newton import controlled_step
from ..objective import Objective
from ..pairs import PreferencePairs
from ..scorers import Scorer, TableScorer
from .conjugate import ROUGH, Products
from .records import Recorder

__all__ = ["is_separated", "no_minimum", "no_minimum_because", "one_step"]


def is_separated(pairs: PreferencePairs, scorer: Scorer, l2: float, loss: object) -> bool:
    """Return whether -log sigma has no finite minimum for this table, because some items never lost to the others.

    Ford (1957): the items of a connected group have a finite best fit exactly if the group is strongly connected. For
    other scorers and losses, and with a penalty, the answer is False.
    """
    if type(scorer) is not TableScorer or l2 > 0 or type(loss) not in {type(None), BradleyTerryLoss}:
        return False
    pairs = as_pairs(pairs)
    scorer.check_features(pairs.chosen, "chosen")
    scorer.check_features(pairs.rejected, "rejected")
    return not is_strong(scorer.n_items, *wins(pairs))


def no_minimum(objective: Objective) -> str:
    """Return the sentence that says why there is no finite minimum."""
    pairs = objective.pairs
    if pairs.is_items and (n := count_strong(objective.scorer.n_parameters, *wins(pairs))) > 1:
        return no_minimum_because(f"the items fall into {n} groups of which some never lost to the others")
    return no_minimum_because()


def no_minimum_because(
    reason: str = "some direction of phi contradicts no choice and the rewards grow without end",
) -> str:
    """Return the sentence with this reason."""
    return f"there is no finite minimum, because {reason}; use l2 > 0"


def one_step(objective: Objective, phi: Array, recorder: Recorder) -> tuple[Array, Outcome, str, None]:
    """Take one rough Newton step, which puts the items into a sensible order, and say that there is no minimum.

    The result has the same form as that of a search for the minimum: φ, outcome, reason and no Hessian.
    """
    point = objective.at(phi)
    stopped = recorder.record(0, point)
    if not stopped:
        new, _ = controlled_step(objective, point, -Products(objective, point.margins, ROUGH).solve(point.gradient))
        point = point if new is None else new
        stopped = new is not None and recorder.record(1, point)
    if stopped:
        return point.phi, Outcome.STOPPED_BY_CALLBACK, "stopped by the callback", None
    return point.phi, Outcome.NO_MINIMUM, no_minimum(objective), None
