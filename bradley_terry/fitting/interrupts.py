"""Ctrl-C during a fit: the first one asks the fit to stop after its step, the second one stops everything at once.

The second one may arrive in a later fit, so a loop of short fits can be stopped, too. Where the package itself fits
many models for one result, the first Ctrl-C already ends the work with a KeyboardInterrupt.
"""

from __future__ import annotations

import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import ParamSpec

from ..model import Outcome, RewardModel

__all__ = ["Interrupts", "interrupted", "interruptible", "interrupts", "only_whole_fits"]

P = ParamSpec("P")

AGAIN = 2.0  # seconds: a Ctrl-C that follows another one this soon means "stop everything"

_only_whole: ContextVar[bool] = ContextVar("only_whole", default=False)


@contextmanager
def only_whole_fits() -> Iterator[None]:
    """Let a fit that Ctrl-C ends raise KeyboardInterrupt, so that no half-finished fit becomes part of a result."""
    token = _only_whole.set(True)
    try:
        yield
    finally:
        _only_whole.reset(token)


class Interrupts:
    """Within this context, the first Ctrl-C only sets ``asked``, so that a fit can end with its best φ.

    A step is never cut short, so no lock and no setting is left behind half changed. Signals arrive only in the main
    thread, so in other threads this does nothing. A handler of the reader's own keeps its place.
    """

    last = -AGAIN  # when the latest Ctrl-C arrived in any fit, by the clock of ``time.monotonic``

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
        before, Interrupts.last = Interrupts.last, time.monotonic()
        if Interrupts.last - before < AGAIN:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) == self._note:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.asked and _only_whole.get():
            raise KeyboardInterrupt


_current: ContextVar[Interrupts] = ContextVar("interrupts")


def interrupts() -> Interrupts:
    """Return those of the fit that is running in this thread."""
    return _current.get(Interrupts())


def interruptible(fit: Callable[P, RewardModel]) -> Callable[P, RewardModel]:
    """Wrap a fit, so that Ctrl-C can end it with its best φ. If it had ended already, a warning says so."""

    @wraps(fit)
    def fitted(*args: P.args, **options: P.kwargs) -> RewardModel:
        with Interrupts() as mine:
            token = _current.set(mine)
            try:
                model = fit(*args, **options)
            finally:
                _current.reset(token)
        if mine.asked and model.outcome is not Outcome.INTERRUPTED:
            from ..training import ConvergenceWarning  # noqa: PLC0415  # it imports this module

            said = f"interrupted, but the fit had already ended: {model.message}"
            warnings.warn(said, ConvergenceWarning, stacklevel=2)
        return model

    return fitted


def interrupted(
    rows: Sequence[tuple[float, ...]], checkpoint: Path | None, how: str = "the same call"
) -> tuple[Outcome, str]:
    """Return the outcome of a fit that Ctrl-C ended after these records, and a sentence about it."""
    go_on = "" if checkpoint is None else f"; {how} goes on from {checkpoint}"
    after = f"after step {rows[-1][0]:.0f}: phi is the best so far" if rows[-1][0] else "before the first step"
    return Outcome.INTERRUPTED, f"interrupted {after}{go_on}"
