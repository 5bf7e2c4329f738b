"""Notes: what a person should know about a file that was read. Each is one warning in one sentence."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from sys import _getframe

__all__ = ["DataNote", "Notes"]


class DataNote(UserWarning):
    """A file was read, but something in it was left out, or contradicts itself."""


class Notes:
    """The notes of one file. The same note is given once, with the place where it first applied and how often it did.

    Parameters
    ----------
    path : Path or str
        The file, or the argument that holds the records.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self._found: dict[str, tuple[str, int, Callable[[int], str]]] = {}

    def add(self, key: str, place: str, sentence: Callable[[int], str]) -> None:
        """Count one more occurrence of what ``key`` names; ``sentence`` turns the count into words."""
        first, count, words = self._found.get(key, (place, 0, sentence))
        self._found[key] = first, count + 1, words

    def __contains__(self, key: str) -> bool:
        return key in self._found

    def give(self) -> None:
        """Warn of each note, at the first line outside of this package."""
        level, frame = 1, _getframe()
        while frame is not None and frame.f_globals.get("__name__", "").startswith(__package__.partition(".")[0]):
            level, frame = level + 1, frame.f_back  # type: ignore[assignment]
        for place, count, sentence in self._found.values():
            said = " ".join(sentence(count).split())
            warnings.warn(DataNote(f"{self.path}: {place}: {said}"), stacklevel=level)
