"""Where words are clear of a curve and of each other, before the picture is laid out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes

from ..logistic import Array
from .axes import TEXT_SIZE

__all__ = ["Place", "Space"]

Place = tuple[float, float, str, str]
"""x and y of the data, and the horizontal and vertical alignment of the words there."""

Box = tuple[float, float, float, float]  # left, bottom, right, top, in shares of the axes

LETTER, LINE = 0.6, 1.25  # width of a letter and height of a line of words, in units of the font size
FRAME = (1.0, 0.75)  # inches beside and below the axes, for ticks and labels


@dataclass
class Space:
    """Axes with their limits set, a curve in them, and the words that were placed there so far."""

    ax: Axes
    curve: Array  # (n, 2), in data
    taken: list[Box] = field(default_factory=list)

    def first_clear(self, words: str, places: Sequence[Place]) -> Place:
        """Return the first place where the words touch nothing and stay inside, else the first of all, and take it."""
        boxes = [self._box(words, place) for place in places]
        best = next((k for k, box in enumerate(boxes) if self._is_clear(box)), 0)
        self.taken.append(boxes[best])
        return places[best]

    def _box(self, words: str, place: Place) -> Box:
        x, y, ha, va = place
        (left, bottom), size = self._share([(x, y)])[0], self._inches()
        width = LETTER * TEXT_SIZE / 72 * len(words) / size[0]
        height = LINE * TEXT_SIZE / 72 / size[1]
        left -= {"left": 0.0, "center": 0.5, "right": 1.0}[ha] * width
        bottom -= {"bottom": 0.0, "top": 1.0}[va] * height
        return left, bottom, left + width, bottom + height

    def _inches(self) -> tuple[float, float]:
        """Return about how wide and how high the axes will be."""
        width, height = self.ax.get_figure(root=True).get_size_inches()  # type: ignore[union-attr]
        spec = self.ax.get_subplotspec()
        rows, columns = (1, 1) if spec is None else spec.get_gridspec().get_geometry()
        return max(width / columns - FRAME[0], 0.5), max(height / rows - FRAME[1], 0.5)

    def _share(self, points: Iterable[tuple[float, float]] | Array) -> Array:
        """Return data as shares of the axes, (n, 2)."""
        low, high = np.array([self.ax.get_xlim(), self.ax.get_ylim()]).T
        return (np.asarray(points, dtype=np.float64) - low) / (high - low)

    def _is_clear(self, box: Box) -> bool:
        left, bottom, right, top = box
        if min(left, bottom) < 0 or max(right, top) > 1:
            return False
        x, y = self._share(self.curve).T
        across = np.linspace(left, right, 50)
        here = np.interp(across, x, y, left=np.nan, right=np.nan)
        if ((here > bottom) & (here < top)).any():
            return False
        return not any(
            left < end and start < right and bottom < high and low < top for start, low, end, high in self.taken
        )
