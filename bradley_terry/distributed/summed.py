"""The objective of all shards, and the two methods that minimise it.

Newton's method is the one of ``newton``: the objective it is given here has its pairs elsewhere. A step needs loss and
gradient at a new φ, and sometimes the Hessian. Each of these is one round of calls to all shards.

One step of Adam uses one mini-batch from every shard, all at the same φ: the k-th of the n parts into which the prompts
of the shard are divided anew in each pass. There are as many parts as the largest shard needs for ``batch_size`` pairs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial, reduce

import numpy as np
from numpy.typing import NDArray

from ..fitting.checkpoint import Checkpoint
from ..fitting.interrupts import interrupts
from ..fitting.records import Bar, Callback, Recorder
from ..fitting.scales import Scales
from ..fitting.separation import no_minimum_because
from ..logistic import Array
from ..model import HISTORY, Outcome
from ..newton import minimise
from ..objective import Point
from . import shards as work
from .pool import Pool
from .shards import Answer, Shard

__all__ = ["Records", "Summed", "adam", "added", "newton"]

Found = tuple[Array, Outcome, str, Array | None]


def added(answers: list[Answer]) -> Answer:
    """Add the answers of the shards in their order."""
    return reduce(np.add, [sums for sums, _ in answers]), reduce(np.maximum, [largest for _, largest in answers])


class Summed:
    """The objective of all shards, as Newton's method needs it (see ``fitting.convex``).

    It notes each question and its answer. A fit that goes on from a checkpoint takes the noted answers first. Newton's
    method is a function of these answers, so it comes to the same state as before, and then asks the shards again.
    """

    def __init__(
        self, pool: Pool, shards: list[Shard], held_out: list[Shard], l2: float, checkpoint: Checkpoint
    ) -> None:
        self.pool, self.shards, self.held_out, self.l2, self.checkpoint = pool, shards, held_out, l2, checkpoint
        self.noted: list[tuple[str, Array, Array, Array]] = []
        self.replayed = deque(sorted({name.rpartition(" ")[0] for name in checkpoint.state if name[:1].isdecimal()}))
        self.is_noting = checkpoint.path is not None and shards[0].is_tallied  # Adam saves a state of its own
        self.total_weight = self.accuracy = np.nan

    def _ask(self, kind: str, phi: Array, function: Callable[..., Answer], shards: list[Shard]) -> Answer:
        state = self.checkpoint.state
        if self.replayed and self.replayed[0].endswith(kind):
            note = self.replayed.popleft()
            if np.array_equal(state[f"{note} phi"], phi):
                sums, largest = state[f"{note} sums"], state[f"{note} largest"]
                self.noted.append((kind, phi, sums, largest))  # type: ignore[arg-type]  # arrays of float64
                return sums, largest  # type: ignore[return-value]
        self.replayed.clear()  # the noted answers belong to other questions, so the shards are asked again
        sums, largest = added(self.pool.ask(function, [(shard, phi) for shard in shards]))
        if self.is_noting:
            self.noted.append((kind, phi.copy(), sums, largest))
        return sums, largest

    def save(self, phi: Array) -> None:
        """Write all questions and answers into the checkpoint, unless they come from there."""
        if self.replayed or not self.is_noting:
            return
        state: dict[str, NDArray[np.generic]] = {"phi": phi}
        for i, (kind, asked, sums, largest) in enumerate(self.noted):
            state |= {f"{i:06} {kind} phi": asked, f"{i:06} {kind} sums": sums, f"{i:06} {kind} largest": largest}
        self.checkpoint.save(state)

    def at(self, phi: Array) -> Point:
        """Return loss and gradient at φ. Of the margins Δ - m there is only the largest absolute value."""
        (weight, loss, accuracy, *_), largest = sums, _ = self._ask("at", phi, work.sums, self.shards)
        self.total_weight, self.accuracy = float(weight), float(accuracy / weight)
        penalty = 0.5 * self.l2 * float(np.einsum("i,i->", phi, phi))
        return Point(phi.copy(), float(loss / weight) + penalty, sums[3:] / weight + self.l2 * phi, largest)

    def margins(self, phi: Array) -> Array:
        """Return the largest |Δ| at φ."""
        return self._ask("margins", phi, work.extremes, self.shards)[1]

    def shifted(self, margins: Array) -> Array:
        """Return the margins of a point, from which the shards have already subtracted the target margins."""
        return margins

    def hessian(self, phi: Array, *, margins: Array | None = None) -> Array:  # as in the protocol
        """Return d²L/dφ², (n_parameters, n_parameters)."""
        matrix = self._ask("hessian", phi, work.hessian, self.shards)[0] / self.total_weight
        matrix[np.diag_indices_from(matrix)] += self.l2
        return matrix

    def mean_squares(self, n_parameters: int) -> Array:
        """Return the mean square of dΔ/dφ_j, (n_parameters,), for a scorer linear in φ; else infinity, for unknown.

        At φ = 0 every curvature of -log sigma is 1/4.
        """
        if not self.shards[0].scorer.linear_in_phi:
            return np.full(n_parameters, np.inf)
        found: Array = 4 * (np.diag(self.hessian(np.zeros(n_parameters))) - self.l2)
        return np.maximum(found, 0.0)

    def batch_gradient(self, phi: Array, seed: int, n_pass: int, number: int, n_batches: int) -> Array:
        """Return the gradient of one mini-batch of every shard. Its mean over the batches of a pass is near ∇L."""
        calls = [(shard, phi, seed, n_pass, number, n_batches) for shard in self.shards]
        return n_batches * added(self.pool.ask(work.batch, calls))[0] / self.total_weight + self.l2 * phi

    def validation_loss(self, phi: Array) -> float:
        """Return the loss of the held-out shards, without the penalty, or NaN if there are none."""
        if not self.held_out:
            return np.nan
        sums, _ = self._ask("validation", phi, work.sums, self.held_out)
        return float(sums[1] / sums[0])


class Records(Recorder):
    """Keeps the history, and saves the checkpoint of Newton's method after each step."""

    def __init__(self, objective: Summed, callback: Callback | None, bar: Bar) -> None:
        self.objective, self.callback, self.bar, self.interrupts = objective, callback, bar, interrupts()
        self.rows: list[tuple[float, ...]] = []

    def record(self, step: int, point: Point) -> bool:
        """Add a record; return True if the callback asks to stop. Steps before a crash are not reported again."""
        self.add(step, point, self.objective.validation_loss(point.phi), self.objective.accuracy)
        if self.objective.replayed:
            return self.interrupts.asked
        self.objective.save(point.phi)
        return self.report(point.phi)


def newton(objective: Summed, phi: Array, records: Records, max_steps: int, tolerance: float) -> Found:
    """Minimise by Newton's method. Return φ, how it ended and why, and the Hessian if it was computed there."""
    point = objective.at(phi)
    if records.record(0, point):
        return phi, Outcome.STOPPED_BY_CALLBACK, "stopped by the callback", None
    found = minimise(objective, point, records.record, max_steps=max_steps, tolerance=tolerance)
    reason = no_minimum_because() if found.outcome is Outcome.NO_MINIMUM else found.reason
    return found.point.phi, found.outcome, reason, found.hessian


def adam(
    objective: Summed,
    phi: Array,
    records: Records,
    max_passes: int,
    tolerance: float,
    *,
    rate: float,
    n_batches: int,
    seed: int,
    patience: int,
) -> Found:
    """Minimise by Adam (Kingma & Ba 2015), as in ``training``. The state is saved before each pass."""
    beta_1, beta_2, epsilon = 0.9, 0.999, 1e-8
    state = objective.checkpoint.state
    m = v = np.zeros(phi.size)
    best, first = phi, 0
    if state:
        phi, best, m, v = (np.asarray(state[name], dtype=np.float64) for name in ("phi", "best", "m", "v"))
        first = int(state["n_pass"])
        records.rows = [tuple(row) for row in state["rows"].tolist()]
    scales = Scales(partial(objective.mean_squares, phi.size), objective.l2, tolerance)
    measured = HISTORY.index("validation_loss" if objective.held_out else "loss")
    for n_pass in range(first, max_passes + 1):
        rows = np.array(records.rows, dtype=np.float64).reshape(-1, len(HISTORY))
        objective.checkpoint.save({"phi": phi, "best": best, "m": m, "v": v, "n_pass": np.array(n_pass), "rows": rows})
        point = objective.at(phi)
        if not np.isfinite(point.loss):
            reason = f"the loss became infinite in pass {n_pass}; use a smaller learning_rate"
            return best, Outcome.DIVERGED, reason, None
        stopped = records.record(n_pass * n_batches, point)
        losses = [row[measured] for row in records.rows]
        since = n_pass - int(np.argmin(losses))  # passes since the best one
        best = phi if since == 0 else best
        note = f"; kept the best {HISTORY[measured].replace('_', ' ')}, {min(losses):.6f}"
        largest = float(np.abs(point.gradient).max())
        if stopped:
            return best, Outcome.STOPPED_BY_CALLBACK, "stopped by the callback", None
        if scales.allow(point.gradient):
            return best, Outcome.CONVERGED, f"largest gradient entry {largest:.1e} <= {tolerance:g}{note}", None
        if objective.held_out and since >= patience:
            reason = f"no better validation loss for {_passes(patience)}{note}"
            return best, Outcome.STOPPED_EARLY, reason, None
        for number in range(n_batches if n_pass < max_passes else 0):
            if records.interrupts.asked:
                return best, Outcome.STOPPED_BY_CALLBACK, "interrupted", None
            g, step = objective.batch_gradient(phi, seed, n_pass, number, n_batches), n_pass * n_batches + number + 1
            m, v = beta_1 * m + (1 - beta_1) * g, beta_2 * v + (1 - beta_2) * g * g
            m_hat, v_hat = m / (1 - beta_1**step), v / (1 - beta_2**step)
            phi = phi - rate * m_hat / (np.sqrt(v_hat) + epsilon)
    reason = f"stopped at the limit of {_passes(max_passes)}, largest gradient entry {largest:.1e}{note}{scales.note}"
    return best, Outcome.STEP_LIMIT, reason, None


def _passes(n: int) -> str:
    return f"{n} {'pass' if n == 1 else 'passes'}"
