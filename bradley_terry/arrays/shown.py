"""One pair, and texts, as a reader sees them in Python or in a notebook."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..scorers import Features
from .visible import LONGEST_SHOWN, visible

__all__ = ["Pair", "Text"]


class Text(str):
    """A string that is displayed without quotes, as if printed, also as the last line of a notebook cell."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, eq=False, repr=False)
class Pair:
    """One pair to look at, as ``pairs[0]`` returns it.

    ``chosen`` and ``rejected`` are each a row of features, (n_features,), or an item number.

    Examples
    --------
    >>> from bradley_terry import PreferencePairs
    >>> pair = PreferencePairs([0, 1], [1, 2], feature_names=["Ann", "Bob", "Cy"])[1]
    >>> pair
    pair 1, prompt 1: Bob chosen over Cy
    >>> int(pair.chosen), pair.weight
    (1, 1.0)
    """

    index: int
    chosen: Features | np.int64
    rejected: Features | np.int64
    prompt: object
    weight: float
    label: float
    target_margin: float
    feature_names: tuple[str, ...] | None

    def __repr__(self) -> str:
        """Return the pair in words: names and values of its features or, if there are many, of those that differ."""
        extras = {"weight": (self.weight, 1.0), "label": (self.label, 1.0), "target margin": (self.target_margin, 0.0)}
        said = "".join(f", {name} {value:g}" for name, (value, usual) in extras.items() if value != usual)
        return f"pair {self.index}, prompt {visible(str(self.prompt), LONGEST_SHOWN)}: {self._answers()}{said}"

    def _answers(self, most: int = 6) -> str:
        chosen, rejected, names = np.asarray(self.chosen), np.asarray(self.rejected), self.feature_names

        def name(number: int, noun: str) -> str:
            return f"{noun} {number}" if names is None else visible(names[number], LONGEST_SHOWN)

        if chosen.ndim == 0:
            a, b = (name(int(item), "item") for item in (chosen, rejected))
            return f"{a} chosen over {b}"
        shown = np.arange(chosen.size) if chosen.size <= most else np.flatnonzero(chosen != rejected)
        n = shown.size - most
        left_out = f" (and {n} more {'feature that differs' if n == 1 else 'features that differ'})" if n > 0 else ""

        def words(values: NDArray[np.generic]) -> str:
            return ", ".join(f"{name(i, 'feature')} = {values[i]:g}" for i in shown[:most])

        if not shown.size:
            return "chosen and rejected have the same features"
        return f"chosen {words(chosen)}; rejected {words(rejected)}{left_out}"
