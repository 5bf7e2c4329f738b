"""Fit a scorer that is linear in φ to rankings, by Newton's method."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike

from ..fitting import arguments
from ..fitting.records import Bar, Callback, Recorder
from ..fitting.separation import no_minimum
from ..graphs import count_connected
from ..graphs.wins import met
from ..logistic import Array
from ..model import Outcome, RewardModel, read_only
from ..newton import minimise
from ..objective import Objective, Point
from ..scorers import Scorer, TableScorer
from .rankings import PreferenceRankings

__all__ = ["fit_rankings"]


class _RankedRecorder(Recorder):
    """The history of a fit to rankings; accuracy is the share of compared answers in the right order."""

    def __init__(self, objective: Objective, callback: Callback | None, bar: Bar) -> None:
        super().__init__(objective, None, callback, bar)

    def record(self, step: int, point: Point) -> bool:
        """Add a record; return True if the callback asks to stop."""
        self.add(step, point, np.nan, self._accuracy(point.margins))
        return self.report(point.phi)

    def _accuracy(self, margins: Array) -> float:
        right = total = 0.0
        rankings: PreferenceRankings = self.pairs  # type: ignore[assignment]
        for rows, n_choices, numbers in rankings.groups:
            j, other = np.triu_indices(rows.shape[1], 1)
            ahead = margins[rows[:, j]] - margins[rows[:, other]]
            w = rankings.ranking_weights[numbers][:, None] * (j < n_choices[:, None])
            right += float((w * np.heaviside(ahead, 0.5)).sum())
            total += float(w.sum())
        return right / total


def fit_rankings(
    scorer: Scorer,
    rankings: PreferenceRankings,
    l2: float,
    initial: ArrayLike | None,
    max_steps: int,
    tolerance: float,
    callback: Callback | None,
    progress: bool,
    loss: object,
    validation: object,
) -> RewardModel:
    """Return the fitted model; see ``fit``, which has checked the arguments.

    Raises
    ------
    ValueError
        If there is another loss, or validation rankings, which are not supported here.
    """
    for name, value in {"loss": loss, "validation": validation}.items():
        if value is not None:
            raise ValueError(f"{name}: expected None with rankings, got {value}")
    phi = np.zeros(scorer.n_parameters) if initial is None else arguments.start(scorer, initial)
    objective = Objective(scorer, rankings, l2=l2)  # type: ignore[arg-type]  # it takes rankings, too
    with Bar(progress, "newton", max_steps) as bar:
        recorder = _RankedRecorder(objective, callback, bar)
        start = objective.at(phi)
        if recorder.record(0, start):
            phi, outcome, message, hessian = start.phi, Outcome.STOPPED_BY_CALLBACK, "stopped by the callback", None
        else:
            found = minimise(objective, start, recorder.record, max_steps=max_steps, tolerance=tolerance)
            phi, outcome, message, hessian = found.point.phi, found.outcome, found.reason, found.hessian
    pairs = rankings.as_pairs()
    if outcome is Outcome.NO_MINIMUM:
        message = no_minimum(Objective(scorer, pairs, l2=l2))
    if isinstance(scorer, TableScorer):
        phi = phi - phi.mean()
        if outcome.is_success and (n := count_connected(phi.size, *met(pairs))) > 1:
            message += f"; the items form {n} groups that never met: compare rewards within a group only"
    hessian = objective.hessian(phi) if hessian is None else hessian
    if not outcome.is_success and outcome is not Outcome.STOPPED_BY_CALLBACK:
        from ..training import ConvergenceWarning  # noqa: PLC0415  # that module calls this one

        message = f"not converged: {message}"
        warnings.warn(message, ConvergenceWarning, stacklevel=3)
    return RewardModel(
        scorer=scorer,
        phi=read_only(phi),
        history=recorder.history(),
        converged=outcome.is_success,
        message=message,
        feature_names=rankings.feature_names,
        l2=float(l2),
        method="newton",
        information=read_only(hessian * rankings.total_weight),
        outcome=outcome,
    )
