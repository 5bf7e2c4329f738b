"""Notes: what a person should know about a file that was read. Each is one warning in one sentence."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from sys import _getframe

from ..arrays.visible import counted, visible
from .messages import LONGEST

__all__ = ["DataNote", "Notes"]


MOST_NOTES = 50  # of one kind, such as those on fields that are not read


class DataNote(UserWarning):
    """A warning: the file was read, but something in it was left out, or two of its fields contradict each other."""


class Notes:
    """The notes of one file. The same note is given once, with the place where it first applied and how often it did.

    Parameters
    ----------
    path : Path or str
        The file, or the argument that holds the records.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self._found: dict[str, tuple[str, int, Callable[[int], str], str, str]] = {}
        self.n_compared = 0  # unknown fields that were compared with known names

    def add(self, key: str, place: str, sentence: Callable[[int], str], only: str = "", kind: str = "") -> None:
        """Count one more occurrence of what ``key`` names; ``sentence`` turns the count into words.

        With ``only``, the note is given only if that is what the file holds, such as "items". Of the notes of a
        ``kind``, of which there may be very many, only the first are given.
        """
        first, count, words, *_ = self._found.get(key, (place, 0, sentence))
        self._found[key] = first, count + 1, words, only, kind

    def give(self, kind: str) -> None:
        """Warn of each note, at the first line outside of this package; ``kind`` is what the file holds."""
        level, frame = 1, _getframe()
        while frame is not None and frame.f_globals.get("__name__", "").startswith(__package__.partition(".")[0]):
            level, frame = level + 1, frame.f_back  # type: ignore[assignment]
        n_of_kind: Counter[str] = Counter()
        for place, count, sentence, only, of_kind in self._found.values():
            n_of_kind[of_kind] += of_kind != "" and only in {"", kind}
            if only not in {"", kind} or n_of_kind[of_kind] > MOST_NOTES:
                continue
            said = visible(f"{self.path}: {place}: ", LONGEST) + visible(" ".join(sentence(count).split()), LONGEST)
            warnings.warn(DataNote(said), stacklevel=level)
        for of_kind, n in n_of_kind.items():
            if n <= MOST_NOTES:
                continue
            more, are = n - MOST_NOTES, "is" if n - MOST_NOTES == 1 else "are"
            said = f"{counted(more, 'more note')} on {of_kind} {are} left out"
            warnings.warn(DataNote(f"{visible(str(self.path))}: {said}"), stacklevel=level)
