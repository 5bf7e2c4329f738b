"""Which pairs disagree: a gradient is a sum over pairs, and sometimes only a few of its terms are wrong."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations

import numpy as np

from ..logistic import Array
from ..objective import Objective
from .differences import EPS, extrapolated, typical_size
from .report import PairReport
from .under_test import FunctionUnderTest

__all__ = ["pairs_that_disagree"]

MOST_PAIRS = 1_000  # checked one by one
MOST_COUPLES = 60  # up to this number of pairs, every two are tried
CLOSE = 1e-7  # two directions that differ by less count as one
SHOWN_PAIRS = 5  # named in the report


def pairs_that_disagree(tested: FunctionUnderTest, phi: Array, got: Array, expected: Array) -> tuple[PairReport, ...]:
    """Return the few pairs whose share of the gradient is wrong, or none if they cannot be found.

    A scorer whose ``backward`` is wrong can be checked pair by pair. For the caller's own function, only the sum over
    pairs is known: got - expected = Σ c_i · ∂Δ_i/∂φ. The pairs returned are the few whose wrong d_margins explain this
    difference.
    """
    objective = tested.objective
    if objective is None or not np.isfinite(got).all():
        return ()
    margins = np.asarray(objective.margins(phi))
    if tested.is_ours:
        return _with_a_wrong_slope(objective, phi, margins)
    pairs, difference = objective.pairs, got - expected
    if len(pairs) * phi.size > 10**7:
        return ()
    rows = np.empty((len(pairs), phi.size))
    for i in range(len(pairs)):
        one = np.ones(1)
        rows[i] = objective.scorer.backward(phi, pairs.chosen[i : i + 1], one)
        rows[i] += objective.scorer.backward(phi, pairs.rejected[i : i + 1], -one)
    for few in _few_rows(rows, difference):
        wrong_by = np.linalg.lstsq(rows[few].T, difference, rcond=None)[0]
        if np.abs(difference - wrong_by @ rows[few]).max() <= 1e-5 * np.abs(difference).max():
            if not _determined(rows, few):
                return ()
            w = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
            d_margins = w / w.sum() * objective.loss.gradient(objective.shifted(margins), pairs.labels)
            return tuple(
                PairReport(i, float(margins[i]), "d_margin", float(d_margins[i] + c), float(d_margins[i]))
                for i, c in sorted(zip(few, wrong_by.tolist(), strict=True))
            )
    return ()


def _determined(rows: Array, few: list[int]) -> bool:
    """Say whether these rows are the only few that can explain their sum.

    They are not if one of them is a combination of the others and of two more rows at most. In a table of items, for
    instance, the pairs (a, b) and (b, c) together explain the same differences as (a, c), and so does a second
    comparison of a and c.
    """
    lengths = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    if 2 * len(few) > np.linalg.matrix_rank(rows):
        return False
    for i in few:
        others = [k for k in few if k != i]
        q = np.linalg.qr(rows[others].T)[0]
        rest = np.delete(rows / np.maximum(lengths, 1e-300), few, axis=0)
        row = rows[i] / lengths[i]
        row, rest = row - q @ (q.T @ row), rest - (rest @ q) @ q.T
        size = float(np.linalg.norm(row))
        if size < CLOSE:
            return False
        row /= size
        directions = _distinct(rest)
        left = directions - np.outer(directions @ row, row)
        if (np.linalg.norm(left, axis=1) < CLOSE).any() or len(_distinct(left)) < len(left):
            return False
    return True


def _distinct(rows: Array) -> Array:
    """Return the rows that are not zero, scaled to length 1, each direction once."""
    lengths = np.linalg.norm(rows, axis=1)
    unit = rows[lengths > CLOSE] / lengths[lengths > CLOSE, None]
    first = np.argmax(np.abs(unit) > CLOSE, axis=1)
    unit = unit * np.sign(unit[np.arange(len(unit)), first])[:, None]
    return np.asarray(unit[np.unique(np.round(unit / CLOSE), axis=0, return_index=True)[1]])


def _few_rows(rows: Array, target: Array) -> Iterator[list[int]]:
    """Yield small sets of rows that may add up to the target: one row, every two rows, then more and more, greedily.

    A set has fewer rows than the target has entries, since otherwise any rows would fit.
    """
    lengths = np.sqrt((rows**2).sum(axis=1))
    usable = np.flatnonzero(lengths > 0)
    if target.size < 2 or not usable.size:
        return
    yield [int(usable[np.argmax(np.abs(rows[usable] @ target) / lengths[usable])])]
    if target.size > 3 and usable.size <= MOST_COUPLES:  # with fewer entries, some two rows fit by chance
        yield from (list(couple) for couple in combinations(usable.tolist(), 2))
    few: list[int] = []
    left: Array = target
    while len(few) < min(SHOWN_PAIRS, target.size - 1):
        few.append(int(usable[np.argmax(np.abs(rows[usable] @ left) / lengths[usable])]))
        shares = np.linalg.lstsq(rows[few].T, target, rcond=None)[0]
        left = np.asarray(target - shares @ rows[few])
        yield few


def _with_a_wrong_slope(objective: Objective, phi: Array, margins: Array) -> tuple[PairReport, ...]:
    """Check the gradient of each pair alone, along one random direction, and return the worst few."""
    direction = np.random.default_rng(0).choice([-1.0, 1.0], phi.size)
    reports = []
    for i in range(min(len(objective.pairs), MOST_PAIRS)):
        alone = objective.on(objective.pairs.subset([i]), l2=0.0)

        @cache
        def central(h: float, alone: Objective = alone) -> float:
            return (alone(phi + h * direction)[0] - alone(phi - h * direction)[0]) / (2 * h)

        want, spread = extrapolated(central, 1e-2 * min(typical_size(phi), 1.0), EPS)
        slope = float(alone(phi)[1] @ direction)
        if not abs(slope - want) <= 1e-6 * abs(want) + 10 * spread + 1e-9:
            reports.append(PairReport(i, float(margins[i]), "slope", slope, want))
    return tuple(sorted(reports, key=lambda pair: -abs(pair.got - pair.expected))[:SHOWN_PAIRS])
