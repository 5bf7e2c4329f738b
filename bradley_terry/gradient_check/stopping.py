"""The end of a check: its status and its message, and the watch that ends what takes too long."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from os import getpid
from types import FrameType
from typing import Any

from ..arrays.visible import counted, quoted, visible

__all__ = [
    "ERROR",
    "FAILED",
    "NOT_ATTEMPTED",
    "PASSED",
    "SECONDS",
    "OutOfTime",
    "Stop",
    "TimeIsUp",
    "Watch",
    "is_watched",
    "printable",
    "shortened",
    "watched",
]

TraceFunction = Callable[[FrameType, str, Any], Any]

PASSED, FAILED, NOT_ATTEMPTED, ERROR = "passed", "failed", "not attempted", "error"

LONGEST_LINE, MOST_LINES = 800, 40  # of a message in a report

SECONDS: ContextVar[float] = ContextVar("SECONDS", default=10.0)
"""The time limit of the watch in use, also for what an object of theirs does outside a call."""


class Stop(Exception):  # noqa: N818  # it ends a check, and is not an error of the package
    """The end of a check before its last stage, with a status and the reason."""

    def __init__(self, status: str, message: str) -> None:
        self.status, self.message = status, printable(shortened(message))
        super().__init__(self.message)


class OutOfTime(Stop):
    """The end of a check because one call took too long."""


def shortened(text: str) -> str:
    """Cut long lines, and leave out what follows the first lines."""
    lines = text.split("\n", MOST_LINES)
    kept = [line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…" for line in lines[:MOST_LINES]]
    return "\n".join([*kept, "…"] if len(lines) > MOST_LINES else kept)


def printable(text: str) -> str:
    """Return a text of several lines with the codes of all characters that cannot be seen."""
    return visible(text, keep="\n\t")


RUNNING: ContextVar[Watch | None] = ContextVar("RUNNING", default=None)


def is_watched() -> bool:
    """Return whether a watch is running."""
    return RUNNING.get() is not None


@contextlib.contextmanager
def watched(watch: Watch | None = None) -> Iterator[None]:
    """Raise TimeIsUp if this takes too long. If a watch is already running, it goes on and decides that."""
    if is_watched():
        yield
        return
    with Watch(SECONDS.get()) if watch is None else contextlib.nullcontext(watch) as used:
        used.begin()
        try:
            yield
        finally:
            used.rest()


class TimeIsUp(BaseException):
    """Not an Exception, so that an ``except Exception`` in their code does not catch it."""


class Watch:
    """Interrupts a call that takes longer than this many seconds. This works only in the main thread and on POSIX.

    One watch serves many calls, one after the other: ``with Watch(10.0) as watch: call(…, watch)``. If a bare
    ``except`` in the call catches the interruption, a second one is raised inside that ``except``. If another
    ``except`` around it catches the second one as well, the call cannot be stopped. Neither can a loop in compiled
    code. The time in which Numba compiles does not count, since the caller cannot shorten it.
    """

    def __init__(self, seconds: float) -> None:
        if not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
            raise ValueError(f"time_limit: expected a positive number of seconds, got {quoted(seconds)}")
        self.seconds = seconds
        self.since: float | None = None  # when the current call began
        self.tracer, self.process = sys.gettrace(), getpid()
        self.n_interrupted = 0
        self.works = False

    def __enter__(self) -> Watch:
        self.seconds_before = SECONDS.set(self.seconds)
        self.works = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
        if self.works:
            self.began = time.monotonic()
            self.before = [(number, signal.getsignal(number)) for number in (signal.SIGALRM, signal.SIGINT)]
            self.outer = signal.getitimer(signal.ITIMER_REAL)
        return self

    def __exit__(self, *_: object) -> None:
        SECONDS.reset(self.seconds_before)
        if self.works:
            signal.setitimer(signal.ITIMER_REAL, 0)
            left, interval = self.outer  # an alarm that was set before continues
            left = max(left - (time.monotonic() - self.began), 1e-6) if left else 0.0
            for number, handler in self.before:
                if handler is not None:  # None stands for one that was set in C
                    signal.signal(number, handler)
            signal.setitimer(signal.ITIMER_REAL, left, interval)

    def begin(self) -> None:
        """Watch a call that begins now. The alarm is set anew, since the call before may have changed it."""
        if self.works:
            signal.signal(signal.SIGALRM, self._look)
            signal.setitimer(signal.ITIMER_REAL, self.seconds / 4, self.seconds / 4)
        self.since = time.monotonic()
        RUNNING.set(self)

    def rest(self) -> None:
        """Stop watching until the next call."""
        self.since = None
        RUNNING.set(None)
        if self.n_interrupted > 1:
            sys.settrace(self.tracer)
        self.n_interrupted = 0

    @contextlib.contextmanager
    def over(self, whose: str) -> Iterator[None]:
        """Watch a block of code, and stop with a sentence if it takes too long."""
        self.begin()
        try:
            yield
        except TimeIsUp:
            raise OutOfTime(ERROR, f"{whose} gave no answer within {counted(self.seconds, 'second', 'g')}") from None
        finally:
            self.rest()

    def _look(self, number: int, frame: FrameType | None) -> None:
        outer = getattr(self.before[0][1], "__self__", None)
        if isinstance(outer, Watch):  # in a check within a check, both watches run
            outer._look(number, frame)
        if self.since is None:
            return
        at = frame
        while at is not None:
            if str(at.f_globals.get("__name__", "")).startswith(("numba.", "llvmlite.")):
                self.since = time.monotonic()  # it compiles
            at = at.f_back
        if time.monotonic() - self.since < self.seconds:
            return
        self.n_interrupted += 1
        if self.n_interrupted > 1 and frame is not None:
            self.is_handled = False
            sys.settrace(self._insist)
            frame.f_trace = self._insist
        raise TimeIsUp

    def _insist(self, _: FrameType, event: str, __: object) -> TraceFunction:
        """Follow the exception just raised to the line that handles it, and raise another one there."""
        if event == "line" and self.is_handled and self.since is not None:
            raise TimeIsUp
        self.is_handled = self.is_handled or event == "exception"
        return self._insist
