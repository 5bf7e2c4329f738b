"""What somebody else's function can change in the process, put back after a check."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np

__all__ = ["as_it_was", "leave"]

leave = os._exit
ONE_AT_A_TIME = threading.RLock()  # two checks in two threads would put back each other's changes
if hasattr(os, "register_at_fork"):  # the thread that holds it may not exist in a forked child
    os.register_at_fork(after_in_child=ONE_AT_A_TIME._at_fork_reinit)  # type: ignore[attr-defined]
PATIENCE = 0.2  # seconds in which threads that are about to end may do so
OURS = "bradley_terry"  # the names of the package's own threads begin like this


@contextlib.contextmanager
def as_it_was() -> Iterator[list[str]]:
    """Put back the settings of Python and NumPy after a check; yield a list of what could not be put back.

    It puts back the random states, the current directory, the warning filters, the recursion limit, the trace and
    profile functions, the decimal context, and how NumPy prints. During the check, ``os._exit`` only raises
    SystemExit, and ``input`` raises EOFError instead of waiting for the keyboard.

    It does nothing about a crash in compiled code, a changed module, files, or text that is written to the file
    descriptors 1 and 2 directly. Threads cannot be stopped from outside, so the list says if some are still running.
    """
    with ONE_AT_A_TIME, _settings_as_they_were() as left:
        yield left


@contextlib.contextmanager
def _settings_as_they_were() -> Iterator[list[str]]:
    import decimal  # noqa: PLC0415  # both are rarely loaded otherwise
    import random  # noqa: PLC0415

    of_numpy, of_python = np.random.get_state(), random.getstate()  # noqa: NPY002  # the function may use it
    limit = sys.getrecursionlimit()
    trace, profile, threads, left = sys.gettrace(), sys.getprofile(), threading.enumerate(), list[str]()
    try:
        with (
            _folder_as_it_was(),
            warnings.catch_warnings(),
            np.printoptions(),
            decimal.localcontext(),
            _replaced(os, "_exit", partial(_raise_exit, os.getpid())),
            _replaced(builtins, "input", _refuse_input),
            _replaced(sys, "stdin", io.StringIO()),
        ):
            yield left
    finally:
        np.random.set_state(of_numpy)  # noqa: NPY002
        random.setstate(of_python)
        sys.setrecursionlimit(limit)
        if (sys.gettrace(), sys.getprofile()) != (trace, profile):  # debuggers mind if it is set without need
            sys.settrace(trace)
            sys.setprofile(profile)
        left += _still_running(threads)


@contextlib.contextmanager
def _folder_as_it_was() -> Iterator[None]:
    try:
        before = Path.cwd()
    except FileNotFoundError:  # it was deleted before the check
        before = None
    try:
        yield
    finally:
        if before is not None and before.is_dir():
            os.chdir(before)


@contextlib.contextmanager
def _replaced(module: object, name: str, value: object) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def _raise_exit(process: int, status: int) -> NoReturn:
    if os.getpid() != process:  # a child process may end itself
        leave(status)
    raise SystemExit(status)


def _refuse_input(*_: object) -> NoReturn:
    raise EOFError("nothing can be typed in during a check, so leave out input()")


def _still_running(before: Sequence[threading.Thread]) -> list[str]:
    end = time.monotonic() + PATIENCE
    new = [t for t in threading.enumerate() if t not in before and not t.name.startswith(OURS)]
    new = [t for t in new if type(t).__name__ != "TMonitor"]  # it belongs to tqdm, and waits for the next bar
    for thread in new:
        thread.join(max(0.0, end - time.monotonic()))
    n = sum(thread.is_alive() for thread in new)
    if not n:
        return []
    some, them = ("a thread", "it") if n == 1 else (f"{n} threads", "them")
    return [
        f"your function left {some} still running, which cannot be stopped from outside: join {them} before you return"
    ]
