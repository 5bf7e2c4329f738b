"""Gradient descent and Adam: how φ advances, and which φ of the many is returned.

    GradientDescent   φ ← φ - η·∇L
    Adam              φ ← φ - η·m̂/√v̂, on mini-batches of whole prompts (Kingma & Ba 2015)

``descend`` repeats either rule until a criterion is met. The loop of Newton's method is in ``newton``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays.visible import counted
from ..logistic import Array
from ..model import Outcome
from ..objective import Objective
from .batches import batches, prompts_of, weights_of
from .conjugate import largest_curvature
from .interrupts import interrupts
from .ranges import refuse_extremes
from .records import Recorder
from .scales import Scales, mean_squares

if TYPE_CHECKING:
    from .checkpoint import State

__all__ = ["Adam", "GradientDescent", "descend", "rule_for"]


def safe_rate(objective: Objective) -> float:
    """Return 1/λ, where λ bounds the Hessian (see ``largest_curvature``); for the MLP 0.1."""
    if not objective.scorer.linear_in_phi:
        return 0.1
    refuse_extremes(objective.pairs, objective.scorer)
    largest = largest_curvature(objective)
    if not largest < np.inf:
        raise ValueError(f"learning_rate: expected a number with {objective.loss}, whose curvature has no bound")
    return 1 / largest if largest > 0 else 1.0


def rule_for(
    method: str, objective: Objective, learning_rate: float | None, batch_size: int, rng: np.random.Generator
) -> GradientDescent | Adam:
    """Return the rule with which ``descend`` advances φ."""
    if method == "adam":
        return Adam(objective, learning_rate or 0.01, batch_size, rng)
    return GradientDescent(safe_rate(objective) if learning_rate is None else learning_rate)


class GradientDescent:
    """φ ← φ - η·∇L."""

    def __init__(self, rate: float) -> None:
        self.rate, self.step = rate, 0

    def __call__(self, phi: Array, gradient: Array) -> Array:
        """Return φ after one step."""
        self.step += 1
        return phi - self.rate * gradient

    def state(self) -> dict[str, ArrayLike]:
        """Return what decides the next steps."""
        return {"step": self.step}

    def go_on(self, state: State) -> None:
        """Go on from a state."""
        self.step = int(state["step"])


class Adam:
    """One pass over the data in mini-batches of whole prompts.

    m and v are running means of the gradient and of its square; m̂ and v̂ correct them for their start at zero. While
    the gradient keeps its sign, m̂/√v̂ is about ±1, so every parameter moves by about η in each step.
    """

    def __init__(self, objective: Objective, rate: float, batch_size: int, rng: np.random.Generator) -> None:
        self.objective, self.rate, self.batch_size, self.rng = objective, rate, batch_size, rng
        self.interrupts = interrupts()
        self.m = self.v = np.zeros(objective.scorer.n_parameters)
        self.step = 0
        weights, self.prompts = weights_of(objective.pairs), prompts_of(objective.pairs)
        # Pairs of weight 0 are left out: a batch of them would have no mean.
        self.rows = np.arange(len(objective.pairs)) if weights is None else np.flatnonzero(weights)

    def __call__(self, phi: Array, _: Array) -> Array:
        """Return φ after one pass over the data. Each batch has a gradient of its own."""
        beta_1, beta_2, epsilon = 0.9, 0.999, 1e-8  # as in Kingma & Ba 2015
        all_batches = list(batches(self.prompts[self.rows], self.batch_size, self.rng))
        for batch in all_batches:
            if self.interrupts.asked:
                break
            g = self._gradient(phi, self.rows[batch], len(all_batches))
            self.step += 1
            self.m = beta_1 * self.m + (1 - beta_1) * g
            self.v = beta_2 * self.v + (1 - beta_2) * g * g
            m_hat, v_hat = self.m / (1 - beta_1**self.step), self.v / (1 - beta_2**self.step)
            phi = phi - self.rate * m_hat / (np.sqrt(v_hat) + epsilon)
        return phi

    def state(self) -> dict[str, ArrayLike]:
        """Return what decides the next steps."""
        import json  # noqa: PLC0415  # rarely needed

        return {"step": self.step, "m": self.m, "v": self.v, "rng": json.dumps(self.rng.bit_generator.state)}

    def go_on(self, state: State) -> None:
        """Go on from a state."""
        import json  # noqa: PLC0415  # rarely needed

        self.step = int(state["step"])
        self.m, self.v = (np.asarray(state[name], dtype=np.float64) for name in ("m", "v"))
        self.rng.bit_generator.state = json.loads(str(state["rng"]))

    def _gradient(self, phi: Array, rows: NDArray[np.int64], n_batches: int) -> Array:
        """Return a batch's share of ∇L times the number of batches, so that the mean over the batches is ∇L."""
        whole = self.objective
        part = whole.on(whole.pairs.subset(rows), l2=0.0)
        share = n_batches * part.pairs.total_weight / whole.pairs.total_weight
        return share * part(phi)[1] + whole.l2 * phi


def descend(
    objective: Objective,
    phi: Array,
    advance: GradientDescent | Adam,
    recorder: Recorder,
    max_steps: int,
    tolerance: float,
    patience: int,
) -> tuple[Array, Outcome, str]:
    """Advance φ until a criterion is met. Return the φ with the smallest loss, on validation pairs if there are any.

    Without them, the last φ is returned if the fit converged, or if its loss is the smallest up to rounding.
    """
    kind = "training" if recorder.validation is None else "validation"
    best, best_loss, best_record, first = phi, np.inf, 0, 0
    if state := recorder.resumed():
        phi, best = (np.asarray(state[name], dtype=np.float64) for name in ("phi", "best"))
        best_loss, best_record, first = float(state["best_loss"]), int(state["best_record"]), int(state["record"])
        advance.go_on(state)
    scales = Scales(partial(mean_squares, objective), objective.l2, tolerance)
    for record in range(first, max_steps + 1):
        here: dict[str, ArrayLike] = {"phi": phi, "best": best, "best_loss": best_loss, "best_record": best_record}
        recorder.keep(**here, record=record, **advance.state())
        point = objective.at(phi)
        if not np.isfinite(point.loss):
            reason = f"the loss became infinite at step {advance.step}; use a smaller learning_rate"
            return best, Outcome.DIVERGED, reason
        stopped = recorder.record(advance.step, point)
        largest = float(np.abs(point.gradient).max())
        if kind == "validation" and recorder.last_validation_loss < best_loss:
            best, best_loss, best_record = phi, recorder.last_validation_loss, record
        elif kind == "training" and (largest <= tolerance or point.loss <= best_loss * (1 + 1e-15)):
            best, best_loss, best_record = phi, point.loss, record
        note = "" if best is phi and kind == "training" else f"; kept the best {kind} loss, {best_loss:.6f}"
        if stopped:
            return best, Outcome.STOPPED_BY_CALLBACK, "stopped by the callback"
        if scales.allow(point.gradient):
            return best, Outcome.CONVERGED, f"largest gradient entry {largest:.1e} <= {tolerance:g}{note}"
        if kind == "validation" and record - best_record >= patience:
            return best, Outcome.STOPPED_EARLY, f"no better validation loss for {counted(patience, 'record')}{note}"
        if record < max_steps:
            phi = advance(phi, point.gradient)
        if recorder.interrupts.asked:  # perhaps in the middle of a pass
            return best, Outcome.STOPPED_BY_CALLBACK, "interrupted"
    one, several = ("pass", "passes") if isinstance(advance, Adam) else ("step", "steps")
    unit = one if max_steps == 1 else several
    reason = f"stopped at the limit of {max_steps} {unit}, largest gradient entry {largest:.1e}{note}{scales.note}"
    if not getattr(recorder.loss, "bends", True):
        reason += (
            f"; the gradient of {recorder.loss} may never vanish, so check in the history whether the loss still falls"
        )
    return best, Outcome.STEP_LIMIT, reason
