"""The history of a fit. Each record also goes to the callback and to the progress bar, and a checkpoint keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..evaluation import mean_accuracy
from ..logistic import Array
from ..model import HISTORY, Outcome, read_only
from ..objective import Objective, Point
from ..pairs import PreferencePairs
from .interrupts import interrupted, interrupts
from .progress import Bar
from .ranges import is_extreme, refuse_extremes

if TYPE_CHECKING:
    from .checkpoint import Checkpoint, State

__all__ = ["Bar", "Callback", "Recorder"]

Callback = Callable[[Mapping[str, object]], object]


class Recorder:
    """Keeps the history of a fit, and reports each record to the callback and the progress bar."""

    def __init__(
        self,
        objective: Objective,
        held_out: PreferencePairs | None,
        callback: Callback | None,
        bar: Bar,
        saved: Checkpoint | None = None,
    ) -> None:
        self.pairs, self.loss, self.callback, self.bar = objective.pairs, objective.loss, callback, bar
        self.scorer = objective.scorer
        self.validation = None if held_out is None else objective.on(held_out, l2=0.0, centring=0.0)
        self.interrupts, self.saved = interrupts(), saved
        self.rows: list[tuple[float, ...]] = []
        self.n_kept, self.latest = 0, (0, dict[str, ArrayLike | None]())

    @property
    def last_validation_loss(self) -> float:
        """The validation loss of the latest record, or NaN if there are no validation pairs."""
        return self.rows[-1][HISTORY.index("validation_loss")]

    def record(self, step: int, point: Point) -> bool:
        """Add a record; return True if the callback asks to stop."""
        pairs = self.pairs
        if not self.rows and is_extreme(point.gradient):
            refuse_extremes(pairs, self.scorer)
        if isinstance(pairs, PreferencePairs):
            accuracy = mean_accuracy(point.margins, pairs.labels, pairs.weights)
        else:
            accuracy = pairs.accuracy(point.margins)
        validation_loss = np.nan if self.validation is None else self.validation(point.phi)[0]
        self.add(step, point, validation_loss, accuracy)
        return self.report(point.phi)

    def add(self, step: int, point: Point, validation_loss: float, accuracy: float) -> None:
        """Add a record to the history, and move the progress bar."""
        norms = float(np.linalg.norm(point.gradient)), float(np.linalg.norm(point.phi))
        self.rows.append((step, point.loss, validation_loss, accuracy, *norms))
        self.bar.update(len(self.rows) - 1, point.loss)

    def report(self, phi: Array) -> bool:
        """Give the latest record to the callback; return True if it asks to stop, or if Ctrl-C did."""
        if self.callback is None:
            return self.interrupts.asked
        answer = self.callback({**dict(zip(HISTORY, self.rows[-1], strict=True)), "phi": phi.copy()})
        return self.interrupts.asked or (isinstance(answer, bool | np.bool_) and bool(answer))

    def resumed(self) -> State:
        """Return the state in the checkpoint, and take over its history; without a state, return {}."""
        state = {} if self.saved is None else self.saved.state
        if state:
            self.rows = [tuple(row) for row in state["rows"].tolist()]
        return state

    def keep(self, **state: ArrayLike | None) -> None:
        """Keep the state from which the search can go on with the next record. Every so many times, write it."""
        self.n_kept, self.latest = self.n_kept + 1, (len(self.rows), state)
        if self.saved is not None and self.n_kept % self.saved.every == 0:
            self._write()

    def _write(self) -> None:
        n_rows, state = self.latest
        if self.saved is not None and state:
            arrays = {name: np.asarray(value) for name, value in state.items() if value is not None}
            rows = np.array(self.rows[:n_rows], dtype=np.float64).reshape(-1, len(HISTORY))
            self.saved.save({**arrays, "rows": rows})
            self.latest = n_rows, {}

    def settled(self, outcome: Outcome, message: str) -> tuple[Outcome, str]:
        """Return how the search ended. If it was stopped, write its latest state, from which it can go on."""
        if outcome is not Outcome.STOPPED_BY_CALLBACK:
            return outcome, message
        self._write()
        if not self.interrupts.asked:
            return outcome, message
        return interrupted(self.rows, None if self.saved is None else self.saved.path)

    def history(self) -> dict[str, Array]:
        """Return the history by name, each quantity as a read-only array."""
        columns = np.array(self.rows, dtype=np.float64).reshape(-1, len(HISTORY)).T
        history = {name: read_only(column) for name, column in zip(HISTORY, columns, strict=True)}
        history["step"] = read_only(columns[0], np.int64)
        return history
