"""Ctrl-C ends a command with the status 130 and one line, whenever it arrives."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .starting import is_module

__all__ = ["INTERRUPTED", "end_at_once", "kept"]

INTERRUPTED = 130  # the status of a program that was ended by Ctrl-C: 128 + SIGINT


def is_command() -> bool:
    """Return whether this process was started as ``bradley-terry`` or ``python -m bradley_terry``."""
    return is_module() or Path(sys.argv[0] if sys.argv else "").stem == "bradley-terry"


def end_at_once(*_: object) -> None:
    """End the process without a traceback. This is for times in which there is nothing to save, such as an import."""
    with suppress(OSError):
        os.write(2, b"bradley-terry: interrupted\n")
    os._exit(INTERRUPTED)


@contextmanager
def kept() -> Iterator[None]:
    """Raise every Ctrl-C as a KeyboardInterrupt, also one that arrives where Python would print and ignore it.

    Python ignores exceptions in callbacks of C libraries and in finalizers. Such an interrupt is sent again a little
    later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler, hook = signal.getsignal(signal.SIGINT), sys.unraisablehook
    if handler is end_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    waiting: list[threading.Timer] = []

    def again(unraisable: sys.UnraisableHookArgs) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            hook(unraisable)
            return
        timer = threading.Timer(0.02, _thread.interrupt_main)
        waiting.append(timer)
        timer.start()

    sys.unraisablehook = again
    try:
        yield
        if any(timer.is_alive() for timer in waiting):
            raise KeyboardInterrupt
    finally:
        for timer in waiting:
            timer.cancel()
        sys.unraisablehook = hook
        if handler is end_at_once:
            signal.signal(signal.SIGINT, end_at_once)


if is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, end_at_once)  # until ``kept``, while the package is imported
