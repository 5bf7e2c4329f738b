"""Firth's bias-reduced fit: maximise log L + ½ log|I(φ)|, which is finite even if the pairs can be separated.

With d_i = dΔ_i/dφ, s = sigma(Δ - m) and weights w as counts,

    I(φ)       = Σ w s(1 - s)·d dᵀ               the information of -log sigma
    h_i        = w s(1 - s)·dᵀ I⁻¹ d             the hat value of pair i; their sum is the number of parameters
    d/dφ       = Σ [w (t - s) + h (½ - s)]·d     since d/dφ ½ log|I| = ½ Σ h (1 - 2s)·d

So each pair counts as h_i more comparisons that were tied. A step treats these h as constants, which is Newton's method
for the data with the ties added (Kosmidis & Firth 2009, Biometrika 96(4), 793-804): its matrix is
Σ (w + h) s(1 - s)·d dᵀ. The step is halved until log L + ½ log|I| grows.

Firth, D. 1993, Biometrika 80(1), 27-38; finite for separated data: Heinze & Schemper 2002, Statistics in Medicine 21,
2409-2419. The rewards of a table can shift together, so there I is taken on the differences to the mean reward.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays.visible import class_name, counted, quoted
from ..graphs import count_connected
from ..graphs.wins import met
from ..logistic import Array, sigmoid
from ..losses import BradleyTerryLoss
from ..model import Outcome
from ..objective import Objective, Point
from ..pairs import PreferencePairs
from ..scorers import Scorer, TableScorer
from ..separation.report import rows_of
from ..threads import blas_on_one_thread
from .conjugate import DENSE, is_dense
from .convex import largest_of
from .determined import null_directions, undetermined
from .ranges import refuse_extremes
from .records import Recorder
from .substitution import solve

__all__ = ["check_bias_reduced", "reduced_bias"]

LONGEST = 5.0  # log-odds by which a step may move a margin


def check_bias_reduced(
    scorer: Scorer, pairs: object, method: str, l2: float, loss: object, centring: float = 0.0
) -> None:
    """Raise ValueError if the other arguments of ``fit`` do not go together with ``bias_reduced=True``."""
    if not isinstance(pairs, PreferencePairs):
        raise ValueError(f"bias_reduced: expected PreferencePairs, got {class_name(pairs)}")
    if type(loss) not in {type(None), BradleyTerryLoss}:
        raise ValueError(f"bias_reduced: expected the default loss, -log sigma, got {loss}")
    if not scorer.linear_in_phi or method != "newton":
        raise ValueError(f"bias_reduced: expected newton and a scorer that is linear in phi, got {method} and {scorer}")
    if l2:
        raise ValueError(f"bias_reduced: expected l2=0, since ½ log|I| is itself a penalty, got l2={quoted(l2)}")
    if centring:
        raise ValueError(f"bias_reduced: expected centring=0, got {quoted(centring)}")
    refuse_extremes(pairs, scorer)
    if not is_dense(scorer.n_parameters):
        raise ValueError(f"bias_reduced: expected at most {DENSE} parameters, got {scorer.n_parameters}")


class _Penalised(NamedTuple):
    """The penalised mean loss at one φ, its gradient, and the matrix of the step, Σ (w + h) s(1 - s)·d dᵀ / Σ w."""

    point: Point
    matrix: Array


class _Firth:
    """The penalised mean loss -(log L + ½ log|I|) / Σ w."""

    def __init__(self, objective: Objective) -> None:
        self.objective, pairs, scorer = objective, objective.pairs, objective.scorer
        self.total, self.is_table = pairs.total_weight, isinstance(scorer, TableScorer)
        scorer.check_features(pairs.chosen, "chosen")
        if self.is_table:
            n = count_connected(scorer.n_parameters, *met(pairs))
            if n > 1:
                raise ValueError(
                    f"bias_reduced: expected items connected by comparisons, got {n} groups never compared with each "
                    "other; fit each alone"
                )
            self.rows = np.zeros((0, 0))
        else:
            h = objective.gram(np.ones(len(pairs)) if pairs.weights is None else pairs.weights / self.total)
            if null_directions(h).shape[1]:
                said = undetermined(scorer, h, pairs.feature_names).removeprefix("; ")
                raise ValueError(f"bias_reduced: expected pairs that determine phi, but {said.split('; ')[0]}")
            self.rows = rows_of(scorer, pairs)

    def at(self, phi: Array) -> _Penalised:
        """Return loss, gradient and matrix at φ; the loss is infinite where I is singular."""
        pairs, point = self.objective.pairs, self.objective.at(phi)
        information, n = self.objective.hessian(phi, margins=point.margins), phi.size
        shift = float(np.abs(np.diag(information)).max()) / n if self.is_table else 0.0
        unit = 1 / np.sqrt(np.maximum(np.diag(information), np.finfo(np.float64).tiny))
        with blas_on_one_thread(n**3):
            try:
                lower = np.linalg.cholesky(information * np.outer(unit, unit) + shift * np.outer(unit, unit))
            except np.linalg.LinAlgError:
                return _Penalised(point._replace(loss=np.inf), information)
            root = np.linalg.solve(lower, np.diag(unit))
            inverse = root.T @ root
        log_determinant = 2 * float(np.log(np.diag(lower) / unit).sum()) - (np.log(shift * n) if self.is_table else 0.0)
        curvatures, _ = self.objective.products(point.margins)  # w s(1 - s) / Σ w
        h = curvatures * self._spread(pairs, inverse)
        tied = h / self.total * (sigmoid(self.objective.shifted(point.margins)) - 0.5)
        back = self.objective.scorer.backward
        gradient = point.gradient + back(phi, pairs.chosen, tied) - back(phi, pairs.rejected, tied)
        w = np.ones_like(h) if pairs.weights is None else pairs.weights
        share = np.divide(h, w, out=np.zeros_like(h), where=w > 0)
        loss = point.loss - 0.5 * log_determinant / self.total
        return _Penalised(point._replace(loss=loss, gradient=gradient), self.objective.gram(curvatures * (1 + share)))

    def _spread(self, pairs: PreferencePairs, inverse: Array) -> Array:
        """Return dᵀ (I / Σ w)⁻¹ d for each pair, (n_pairs,)."""
        if not self.is_table:
            return np.einsum("ij,ij->i", self.rows @ inverse, self.rows)
        a, b = pairs.chosen, pairs.rejected
        return np.asarray(inverse[a, a] + inverse[b, b] - 2 * inverse[a, b])


def reduced_bias(
    objective: Objective, phi: Array, recorder: Recorder, *, max_steps: int, tolerance: float
) -> tuple[Array, Outcome, str, Array | None]:
    """Find Firth's estimate, and return it like Newton's method. The loss in the history is the penalised one.

    The search ends when the next step moves no margin by more than a tenth of the tolerance (log-odds). That step is
    taken, too.
    """
    firth, at_rest = _Firth(objective), max(0.1 * tolerance, 1e-13)
    state = recorder.resumed()
    phi, n_taken = (np.asarray(state["phi"], dtype=np.float64), int(state["n_taken"])) if state else (phi, 0)
    here = firth.at(phi)
    while True:
        point = here.point
        if recorder.record(n_taken, point):
            return point.phi, Outcome.STOPPED_BY_CALLBACK, "stopped by the callback", None
        largest = f"largest gradient entry {largest_of(np.abs(point.gradient)):.1e}"
        if n_taken >= max_steps:
            return point.phi, Outcome.STEP_LIMIT, f"{largest} after {counted(max_steps, 'Newton step')}", None
        step = -solve(here.matrix, point.gradient)
        moved = largest_of(np.abs(objective.margins(step)))
        if moved <= at_rest:
            reason = f"{largest}; bias-reduced (Firth 1993)"
            return point.phi + step, Outcome.CONVERGED, reason, None
        there = _lower(firth, here, step / max(1.0, moved / LONGEST))
        if there is None:
            return point.phi, Outcome.NO_DESCENT, f"no step lowers the penalised loss, {largest}", None
        here, n_taken = there, n_taken + 1
        recorder.keep(phi=here.point.phi, n_taken=n_taken)


def _lower(firth: _Firth, here: _Penalised, step: Array) -> _Penalised | None:
    """Return the point after as much of the step as lowers the penalised loss, or None if no part of it does."""
    slope, rounding, size = float(here.point.gradient @ step), 1e-14 * (1 + abs(here.point.loss)), 1.0
    while size > 1e-12:
        there = firth.at(here.point.phi + size * step)
        if there.point.loss <= here.point.loss + 1e-4 * size * slope + rounding:
            return there
        size /= 2
    return None
