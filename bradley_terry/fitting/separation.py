"""What a fit does when there is no finite minimum: it finds out early, names the reason, and returns a limit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..graphs import is_strong
from ..graphs.wins import as_pairs, wins
from ..logistic import Array
from ..losses import BradleyTerryLoss
from ..model import Outcome
from ..newton import NewtonResult, minimise
from ..objective import Objective, Point
from ..pairs import PreferencePairs, check_fit
from ..scorers import Scorer, TableScorer
from ..separation import Separation, separation
from ..separation.advice import use_l2
from ..separation.certificate import Cone, nearest
from ..separation.groups import Ladder
from ..separation.report import forward_pairs, rows_of
from .batches import weights_of
from .conjugate import is_dense
from .convex import largest_of
from .determined import SATURATED, rounded_away
from .ranges import refuse_extremes
from .records import Recorder
from .substitution import solve

__all__ = [
    "Watch",
    "at_infinity",
    "beyond",
    "found_before",
    "no_minimum",
    "no_minimum_because",
    "rest_of",
]

FIRST = 20_000  # numbers in the features: with fewer, a certificate is looked for before the first step
MOST = 40_000_000, 1000  # numbers in the features, and parameters: with more, no certificate is looked for
LATE, LARGE = 10, 15.0  # steps, and log-odds: a margin that is still larger then is suspicious
LIGHT = 1e-15  # share of the weight
ROUNDING = 1e-12  # share of a parameter; while rewards grow without end, a step changes some parameter by far more
SEPARATED_MARGIN = 20.0  # log-odds: the smallest margin of a separated pair in the φ that is returned

Found = tuple[Array, Outcome, str, Array | None]
"""φ, outcome, reason, and the Hessian there, if it was computed."""


def found_before(pairs: PreferencePairs, scorer: Scorer, l2: float, loss: object) -> Separation | None:
    """Return why there is no finite minimum, if that can be seen at little cost before the first step.

    That is so for every table, from the graph of its wins (Ford 1957), and for other scorers if the data are small.
    """
    if l2 > 0 or not scorer.linear_in_phi or not _falls_for_ever(loss):
        return None
    check_fit(scorer, pairs)
    if type(scorer) is TableScorer:
        return None if is_strong(scorer.n_items, *wins(pairs)) else separation(scorer, pairs)
    if _n_compared(pairs) * scorer.n_parameters > FIRST:
        return None
    refuse_extremes(pairs, scorer)
    return _separation(scorer, pairs)


def _n_compared(pairs: PreferencePairs) -> int:
    """Return the number of pairs, or of each two answers of rankings."""
    if isinstance(pairs, PreferencePairs):
        return len(pairs)
    return int(sum(len(rows) * rows.shape[1] * (rows.shape[1] - 1) // 2 for rows, _, _ in pairs.groups))


def _falls_for_ever(loss: object) -> bool:
    """Return whether the loss of a choice falls all the way to its infimum at Δ = ∞.

    If the infimum is finite, separated pairs are exactly those whose margins grow without end.
    """
    if loss is None or type(loss) is BradleyTerryLoss or getattr(loss, "is_free", False):
        return True
    tails = getattr(loss, "tails", None)  # a loss of the reader's own may not say
    return getattr(loss, "suits_newton", False) and tails is not None and tails[0] < 0 and tails[1] <= 0


def _separation(scorer: Scorer, pairs: PreferencePairs) -> Separation | None:
    if _is_too_large(scorer, pairs):
        return None
    found = separation(scorer, pairs)
    return found if found.is_separated else None


def _is_too_large(scorer: Scorer, pairs: PreferencePairs) -> bool:
    k = scorer.n_parameters
    return type(scorer) is not TableScorer and (k > MOST[1] or _n_compared(pairs) * k > MOST[0])


def _may_go_on(objective: Objective) -> bool:
    """Return whether a loss that still falls while its gradient is tiny may have a minimum, without a certificate.

    It has one if a certificate was looked for. Where the data are too large for that, it may have one if some pair has
    a tiny share of the weight: the gradient is then tiny long before the minimum.
    """
    scorer, pairs = objective.scorer, objective.pairs
    if objective.l2 > 0 or objective.centring > 0 or not _falls_for_ever(objective.loss):
        return False
    if not _is_too_large(scorer, pairs):
        return True
    weights = weights_of(pairs)
    return weights is not None and float(weights[weights > 0].min()) < LIGHT * float(weights.sum())


def no_minimum(objective: Objective, found: Separation | None = None) -> str:
    """Return the sentence that says why there is no finite minimum."""
    scorer, pairs = objective.scorer, objective.pairs
    found = _separation(scorer, pairs) if found is None else found
    advice = use_l2(scorer, pairs)
    return no_minimum_because(advice=advice) if found is None else no_minimum_because(found.reason, advice)


def no_minimum_because(
    reason: str = "some direction of phi contradicts no choice and the rewards grow without end",
    advice: str = "use l2 > 0",
) -> str:
    """Return the sentence with this reason and this advice."""
    return f"there is no finite minimum, because {reason}; {advice}"


class Watch:
    """Records the steps of a search, and stops it once the rewards are found to grow without end.

    A search that converges needs no certificate: at a minimum, w·sigma(-Δ) are the λ > 0 that rule separation out. So a
    certificate is looked for once, when margins are still growing after many steps, and when the search has failed.
    """

    def __init__(self, objective: Objective, recorder: Recorder) -> None:
        self.objective, self.recorder = objective, recorder
        self.found: Separation | None = None
        scorer, n = objective.scorer, _n_compared(objective.pairs) * objective.scorer.n_parameters
        was_looked_for = type(scorer) is TableScorer or n <= FIRST  # in ``found_before``
        is_penalised = objective.l2 > 0 or objective.centring > 0
        self.is_over = was_looked_for or is_penalised or not _falls_for_ever(objective.loss)

    def record(self, step: int, point: Point) -> bool:
        """Add a record; return True if the search should stop."""
        stopped = self.recorder.record(step, point)
        if not stopped and step >= LATE and largest_of(self.objective.shifted(point.margins)) > LARGE:
            self._look()
        return stopped or self.found is not None

    def settled(self, result: NewtonResult, max_steps: int, tolerance: float) -> Found:
        """Return how the search ended, or the limit if there is no minimum."""
        point, outcome, reason, hessian = result
        if outcome in {Outcome.NO_MINIMUM, Outcome.NO_DESCENT}:
            self._look()
        if self.found is not None:
            return at_infinity(
                self.objective,
                point.phi,
                self.recorder,
                found=self.found,
                max_steps=max_steps,
                tolerance=tolerance,
                step=int(self.recorder.rows[-1][0]),
            )
        if outcome in {Outcome.NO_MINIMUM, Outcome.STEP_LIMIT} and _may_go_on(self.objective):
            result = _gone_on(self.objective, result, self.record, max_steps, tolerance, int(self.recorder.rows[-1][0]))
            point, outcome, reason, hessian = result
        if outcome is Outcome.NO_MINIMUM:
            return point.phi, outcome, no_minimum(self.objective), None
        largest = largest_of(self.objective.shifted(point.margins))
        is_lost = largest > SATURATED and not self.objective.products(point.margins)[0].any()
        if outcome is Outcome.CONVERGED and is_lost and not self.objective.l2:
            return point.phi, Outcome.NO_DESCENT, rounded_away(largest), hessian
        if outcome in {Outcome.NO_DESCENT, Outcome.STEP_LIMIT} and is_lost:
            reason += (
                f"; margins (minus target margins) as large as {largest:.1e} leave no digits for the curvature of the "
                "loss, so use a smaller initial, or smaller target margins"
            )
        loss, l2 = self.objective.loss, self.objective.l2
        if outcome is Outcome.STEP_LIMIT and not l2 and getattr(loss, "tails", (-1, 0))[1] < 0:
            advice = use_l2(self.objective.scorer, self.objective.pairs)
            reason += f"; {loss} falls without end as margins grow, so there may be no minimum: {advice}"
        return point.phi, outcome, reason, hessian

    def _look(self) -> None:
        if not self.is_over:
            self.is_over, self.found = True, _separation(self.objective.scorer, self.objective.pairs)


def _gone_on(
    objective: Objective,
    found: NewtonResult,
    record: Callable[[int, Point], bool],
    max_steps: int,
    tolerance: float,
    n_taken: int = 0,
) -> NewtonResult:
    """Go on with a search that gave up after many points with a small gradient, unless the next step is rounding.

    With a margin of 1e15, a step that is rounding in φ moves that margin by 0.1, and the search cannot know.
    """
    if found.outcome is Outcome.NO_MINIMUM and not _is_at_rest(objective, found):
        found = minimise(
            objective,
            found.point,
            record,
            first_step=n_taken + 1,
            n_small=-max_steps,  # so that it does not give up again
            max_steps=max_steps,
            tolerance=tolerance,
        )
    largest, gave_up = largest_of(found.point.gradient), {Outcome.NO_MINIMUM, Outcome.STEP_LIMIT}
    if largest <= tolerance and found.outcome in gave_up and _is_at_rest(objective, found):
        reason = f"largest gradient entry {largest:.1e} <= {tolerance:g}"
        return found._replace(outcome=Outcome.CONVERGED, reason=reason)
    return found


def _is_at_rest(objective: Objective, found: NewtonResult) -> bool:
    """Return whether the next step would change only the last digits of each parameter."""
    point = found.point
    if not is_dense(point.phi.size):
        return False
    step = solve(objective.hessian(point.phi, margins=point.margins), point.gradient)
    return bool((np.abs(step) <= ROUNDING * np.abs(point.phi)).all())


def rest_of(pairs: PreferencePairs, found: Separation | None) -> PreferencePairs | None:
    """Return the pairs that are not separated, or None if no pair of positive weight is left."""
    if found is None:
        return pairs
    if not isinstance(pairs, PreferencePairs):
        from ..separation.choices import remaining_choices  # noqa: PLC0415  # it imports the rankings

        return remaining_choices(pairs, found)
    rest = ~found.separated_pairs
    counts = rest if pairs.weights is None else rest & (pairs.weights > 0)
    return pairs.subset(rest) if counts.any() else None


def at_infinity(
    objective: Objective,
    phi: Array,
    recorder: Recorder,
    *,
    found: Separation,
    max_steps: int,
    tolerance: float,
    step: int = 0,
) -> Found:
    """Return φ where the loss is close to its infimum, with the Hessian of the pairs that are not separated.

    Without the separated pairs there is a minimum. Of all φ that have the smallest loss for the other pairs and give
    each separated pair a margin of at least 20, the result is the one closest to 0: for a table, every reward is as low
    as possible; for other scorers, the length of φ is measured in units of mean square 1 for each column of d = dΔ/dφ.
    """
    if step == 0 and recorder.record(0, objective.at(phi)):
        return phi, Outcome.STOPPED_BY_CALLBACK, "stopped by the callback", None
    pairs, hessian, outcome = objective.pairs, None, Outcome.NO_MINIMUM
    rest, reason = rest_of(pairs, found), no_minimum(objective, found)
    if getattr(objective.loss, "tails", (-1, 0))[1] < 0:  # the loss falls to -∞, and nothing has a limit
        rest = None
    phi = np.zeros(phi.size)
    if rest is not None:
        without, steps = objective.on(rest), max(100, max_steps)
        is_asked = lambda *_: recorder.interrupts.asked  # noqa: E731
        limit = minimise(without, without.at(phi), is_asked, max_steps=steps, tolerance=tolerance)
        phi = limit.point.phi
        if is_dense(phi.size):
            hessian = without.hessian(phi) * (rest.total_weight / pairs.total_weight)
        if limit.outcome is Outcome.NO_MINIMUM and _may_go_on(without):
            limit = _gone_on(without, limit, is_asked, steps, tolerance)
        if limit.outcome is not Outcome.CONVERGED:
            reason += f"; the fit to the other pairs did not converge: {limit.reason}"
    point = objective.at(phi + beyond(objective, phi, found))
    if recorder.record(step + 1, point):
        outcome, reason = Outcome.STOPPED_BY_CALLBACK, "stopped by the callback"
    return point.phi, outcome, reason, hessian


def beyond(objective: Objective, phi: Array, found: Separation) -> Array:
    """Return what must be added to the minimum of the other pairs to give each separated pair its margin."""
    if not isinstance(objective.pairs, PreferencePairs):
        objective = Objective(objective.scorer, as_pairs(objective.pairs))
    pairs, rows = objective.pairs, found.separated_pairs
    forward, _ = forward_pairs(pairs)
    sign = np.where(forward[rows], 1.0, -1.0)
    least = SEPARATED_MARGIN - sign * objective.shifted(objective.margins(phi))[rows]
    if isinstance(found.found, Ladder):
        chosen, rejected = pairs.chosen[rows].astype(np.int64), pairs.rejected[rows].astype(np.int64)
        above, below = np.where(sign > 0, chosen, rejected), np.where(sign > 0, rejected, chosen)
        return found.found.heights(above, below, least)[found.found.group]
    if not isinstance(found.found, Cone):
        raise TypeError(f"found: expected a separation with its cone, got {found}")
    units, null = found.found.units, found.found.null
    d = rows_of(objective.scorer, pairs.subset(rows)) * sign[:, None] / units
    inside = null @ (null.T @ (units * phi))  # the other pairs say nothing about this part
    least = least + d @ inside
    v = null @ nearest(d @ null, least, null.T @ found.found.direction) - inside
    moved: Array = v / units
    return moved
