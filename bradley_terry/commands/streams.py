"""The standard streams of a command: output that cannot be written ends in a sentence, never in a traceback.

A stream may be closed before the command begins (``>&-``), closed by its reader (``| head -1``), or full
(``>/dev/full``).
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

__all__ = ["OutputLost", "standard_streams"]


class OutputLost(Exception):  # noqa: N818  # the error of the system is its cause
    """Standard output cannot be written. The message is that of the system, and ``is_unread`` that of a closed pipe."""

    def __init__(self, error: OSError) -> None:
        self.is_unread = isinstance(error, BrokenPipeError)
        super().__init__(error.strerror or type(error).__name__)


class _Checked(io.RawIOBase):
    """Writes to a raw stream until this fails once, and drops what comes later.

    The failure is raised as OutputLost if ``must_arrive``.
    """

    def __init__(self, raw: Any, must_arrive: bool) -> None:
        self.raw, self.must_arrive, self.is_lost = raw, must_arrive, False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if not self.is_lost:
            try:
                return int(self.raw.write(data) or 0)
            except OSError as error:
                self.is_lost = True
                if self.must_arrive:
                    raise OutputLost(error) from None
        return len(data)

    def isatty(self) -> bool:
        return bool(self.raw.isatty())

    def fileno(self) -> int:
        return int(self.raw.fileno())


@contextmanager
def standard_streams() -> Iterator[None]:
    """Raise OutputLost where standard output cannot be written, and drop what standard error cannot take.

    A terminal that cannot show Δ shows a question mark instead. Streams of a notebook or a test stay as they are.
    """
    _fill_closed_numbers()
    before = sys.stdout, sys.stderr
    sys.stdout = _checked(sys.stdout, sys.__stdout__, 1)
    sys.stderr = _checked(sys.stderr, sys.__stderr__, 2)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _fill_closed_numbers() -> None:
    """Open something under each closed number from 0 to 2, which the next file would get otherwise.

    It can only be read, so that a write fails as it would on a closed stream.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # the lowest number that is free


def _checked(stream: TextIO | None, real: TextIO | None, number: int) -> TextIO:
    if stream is not None and stream is not real:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
        return stream
    raw: Any = io.FileIO(number, "w", closefd=False) if stream is None else stream.buffer  # None: it was closed
    checked = io.BufferedWriter(_Checked(getattr(raw, "raw", raw), must_arrive=number == 1))
    encoding, by_line = ("utf-8", False) if stream is None else (stream.encoding, bool(stream.line_buffering))
    return io.TextIOWrapper(checked, encoding, "replace", line_buffering=by_line or number == 2)
