"""The history of a fit. Each record also goes to the callback and to the progress bar."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..evaluation import mean_accuracy
from ..logistic import Array
from ..model import HISTORY, read_only
from ..objective import Objective, Point
from ..pairs import PreferencePairs
from .progress import Bar
from .ranges import is_extreme, refuse_extremes

__all__ = ["Bar", "Callback", "Recorder"]

Callback = Callable[[Mapping[str, object]], object]


class Recorder:
    """Keeps the history of a fit, and reports each record to the callback and the progress bar."""

    def __init__(
        self, objective: Objective, held_out: PreferencePairs | None, callback: Callback | None, bar: Bar
    ) -> None:
        self.pairs, self.loss, self.callback, self.bar = objective.pairs, objective.loss, callback, bar
        self.scorer = objective.scorer
        self.validation = None if held_out is None else objective.on(held_out, l2=0.0, centring=0.0)
        self.rows: list[tuple[float, ...]] = []

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
        """Give the latest record to the callback; return True if it asks to stop."""
        if self.callback is None:
            return False
        answer = self.callback({**dict(zip(HISTORY, self.rows[-1], strict=True)), "phi": phi.copy()})
        return isinstance(answer, bool | np.bool_) and bool(answer)

    def history(self) -> dict[str, Array]:
        """Return the history by name, each quantity as a read-only array."""
        columns = np.array(self.rows, dtype=np.float64).reshape(-1, len(HISTORY)).T
        history = {name: read_only(column) for name, column in zip(HISTORY, columns, strict=True)}
        history["step"] = read_only(columns[0], np.int64)
        return history
