"""Ctrl-C during a fit: the first one asks the fit to stop after its step, the second one stops everything at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from ..model import Outcome

__all__ = ["Interrupts", "interrupted"]


class Interrupts:
    """Within this context, the first Ctrl-C only sets ``asked``, so that a fit can end with its best φ.

    A step is never cut short, so no lock and no setting is left behind half changed. Signals arrive only in the main
    thread, so in other threads this does nothing. A handler of the reader's own keeps its place.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Interrupts:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            with suppress(ValueError):  # a second interpreter in this process
                signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, _: int, __: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.asked = True

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) == self._note:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupted(rows: Sequence[tuple[float, ...]], checkpoint: Path | None) -> tuple[Outcome, str]:
    """Return the outcome of a fit that Ctrl-C ended after these records, and a sentence about it."""
    go_on = "" if checkpoint is None else f"; the same call goes on from {checkpoint}"
    return Outcome.INTERRUPTED, f"interrupted after step {rows[-1][0]:.0f}: phi is the best so far{go_on}"
