"""Start Newton's method at the minimum of a sample if there are many pairs for each parameter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..logistic import Array
from ..model import Outcome
from ..newton import minimise
from ..objective import Objective, Point
from .batches import weights_of
from .conjugate import is_dense
from .records import Recorder

__all__ = ["Begun", "begin", "sampled_start"]

SAMPLE_FOR_A_PARAMETER, WORTH_SAMPLING = 100, 8  # pairs for each parameter; a sample needs 8 times as many pairs


class Begun(NamedTuple):
    """Where a search by Newton's method starts or goes on: the arguments of ``newton.minimise``."""

    point: list[Point]  # taken out by the search, so that the memory of its margins is free after the first step
    first_step: int
    n_small: int
    is_recorded: bool
    hessian: Array | None
    stopped: bool = False


def begin(objective: Objective, phi: Array, recorder: Recorder, tolerance: float) -> Begun:
    """Go on from the checkpoint; or record φ, and go to the minimum of a sample if there are very many pairs."""
    if state := recorder.resumed():
        point = objective.at(np.asarray(state["phi"], dtype=np.float64))
        hessian = None if "hessian" not in state else np.asarray(state["hessian"], dtype=np.float64)
        return Begun([point], int(state["n_taken"]) + 1, int(state["n_small"]), False, hessian)
    point = objective.at(phi)
    if recorder.record(0, point):
        return Begun([point], 1, 0, True, None, stopped=True)
    point, hessian = sampled_start(objective, point, tolerance)
    if hessian is None:
        return Begun([point], 1, 0, True, None)
    return Begun([point], 2, 0, True, hessian, stopped=recorder.record(1, point))


def sampled_start(objective: Objective, point: Point, tolerance: float) -> tuple[Point, Array | None]:
    """Return a point fitted to a sample and the sample's Hessian; if that does not help, the given point and None.

    The H of n pairs has a relative error of about 2·√(parameters / n), a fifth with 100 pairs for each parameter. Each
    step with this H leaves about that share of the error, and costs only one pass over the data.
    """
    pairs, size = objective.pairs, SAMPLE_FOR_A_PARAMETER * point.phi.size
    if len(pairs) < WORTH_SAMPLING * size or not is_dense(point.phi.size):
        return point, None
    rows = np.sort(np.random.default_rng(0).choice(len(pairs), size, replace=False))
    weights = weights_of(pairs)
    if weights is not None and not weights[rows].any():
        return point, None
    sample = objective.on(pairs.subset(rows))
    found = minimise(sample, sample.at(point.phi), lambda *_: False, max_steps=10, tolerance=max(1e-4, tolerance))
    if found.outcome is not Outcome.CONVERGED or found.hessian is None:
        return point, None
    start = objective.at(found.point.phi)
    return (start, found.hessian) if start.loss < point.loss else (point, None)
