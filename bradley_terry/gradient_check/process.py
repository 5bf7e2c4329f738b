"""What somebody else's function can change in the process, put back after a check."""

from __future__ import annotations

import builtins
import contextlib
import io
import math
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from os import getpid  # since their function may replace ``os.getpid``
from pathlib import Path
from types import BuiltinFunctionType, ModuleType
from typing import Any, NoReturn

import numpy as np

__all__ = ["as_it_was", "leave", "names_put_back"]

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
    profile functions, the decimal context, how NumPy prints, and the standard streams if they were closed. During the
    check, functions that end the process only raise SystemExit, and ``input`` raises EOFError instead of waiting for
    the keyboard.

    It does nothing about a crash in compiled code, files, or text that is written to the file descriptors 1 and 2
    directly. Threads cannot be stopped from outside, so the list says if some are still running.
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
            _streams_as_they_were(left),
            _folder_as_it_was(),
            warnings.catch_warnings(),
            np.printoptions(),
            decimal.localcontext(),
            _no_way_out(),
            _replaced(builtins, "input", _refuse_input),
            _replaced(sys, "stdin", io.StringIO()),
            _names_as_they_were(),
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


ENDS = ("_exit", "abort", "execv", "execve")  # the functions of ``os`` that end this process


@contextlib.contextmanager
def _no_way_out() -> Iterator[None]:
    """Let the functions that end the process raise SystemExit, also under other names in the modules of a learner."""
    here, instead = getpid(), dict[object, object]()
    for name in ENDS:
        if hasattr(os, name):
            instead[getattr(os, name)] = partial(_raise_exit, here, getattr(os, name))
    group = os.getpgrp() if hasattr(os, "getpgrp") else here
    instead[os.kill] = partial(_signal_others, here, os.kill, (here, 0, -1, -group))
    if hasattr(os, "killpg"):
        instead[os.killpg] = partial(_signal_others, here, os.killpg, (0, group))
    if hasattr(signal, "pthread_kill"):
        instead[signal.pthread_kill] = partial(_signal_others, here, signal.pthread_kill, None)
    instead[signal.raise_signal] = partial(_signal_to_self, here, signal.raise_signal)
    changed = []
    for module in tuple(sys.modules.values()):
        if not _is_installed(module):
            names = vars(module)
            for name, value in tuple(names.items()):
                if type(value) is BuiltinFunctionType and value in instead:
                    changed.append((names, name, value))
                    names[name] = instead[value]
    try:
        yield
    finally:
        for names, name, value in changed:
            names[name] = value


INSTALLED = tuple(str(Path(file).parent) for file in (os.__file__, np.__file__, Path(__file__).parent))
HAVE_EXITS = ("os", "posix", "nt", "signal", "_signal")


def _is_installed(module: object) -> bool:
    """Return whether a module belongs to Python, to an installed package, or to this one, and not to a learner.

    Those of Python that offer a function to end the process do not count as installed.
    """
    names = vars(module) if isinstance(module, ModuleType) else {"__name__": ""}
    name, file = names.get("__name__"), names.get("__file__")
    if name in HAVE_EXITS or not isinstance(file, str):
        return name not in (*HAVE_EXITS, "__main__")  # a notebook has no file, and neither has a built-in module
    return "-packages" in file or file.startswith(INSTALLED)


def _raise_exit(process: int, real: Callable[..., NoReturn], *arguments: Any) -> NoReturn:
    if getpid() != process:  # a child process may end itself
        real(*arguments)
    raise SystemExit(*arguments[:1])


def _signal_others(
    process: int, real: Callable[[int, int], None], ours: Sequence[int] | None, target: int, number: int
) -> None:
    """Send a signal to a process or group; those in ``ours``, or all for None, include this process."""
    if (ours is None or target in ours) and getpid() == process:
        _signal_to_self(process, partial(real, target), number)
    else:
        real(target, number)


def _signal_to_self(process: int, real: Callable[[int], None], number: int) -> None:
    """Send a signal that has a handler or is ignored; any other would end the process."""
    if getpid() == process and signal.getsignal(number) in (signal.SIG_DFL, None):
        raise SystemExit(128 + number)
    real(number)


_known: list[tuple[ModuleType, dict[str, object]]] = []
SHARED = (np, np.linalg, math, builtins, time, os, signal)


@contextlib.contextmanager
def _names_as_they_were() -> Iterator[None]:
    """Remember the names of modules that everybody uses, for ``names_put_back``."""
    before = _known[:]
    _known[:] = [(module, dict(vars(module))) for module in SHARED]
    try:
        yield
    finally:
        names_put_back()
        _known[:] = before


def names_put_back() -> str:
    """Put back what was replaced or deleted in a shared module since the check began; return one such name, or ""."""
    changed = ""
    for module, names in _known:
        now = vars(module)
        with contextlib.suppress(Exception):  # their objects may refuse to be compared
            if now == names:  # equal objects are found in C, since this is done after every call
                continue
        for name in [name for name, value in names.items() if now.get(name, _known) is not value]:
            now[name] = names[name]
            changed = f"{module.__name__}.{name}"
        names.update(now)  # modules may add names, such as those that are imported on first use
    return changed


@contextlib.contextmanager
def _streams_as_they_were(left: list[str]) -> Iterator[None]:
    """Open the standard streams again if they were closed or led elsewhere, and add a note."""
    numbers, streams = {}, (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    for number in range(3):
        with contextlib.suppress(OSError):  # it was closed before
            numbers[number] = os.dup(number), os.fstat(number)
    kept = [stream for stream in {id(s): s for s in streams if s is not None}.values() if not stream.closed]
    for stream in kept:
        with contextlib.suppress(AttributeError):
            stream.close = _do_nothing  # type: ignore[method-assign]
    try:
        yield
    finally:
        for stream in kept:
            with contextlib.suppress(AttributeError):
                del stream.close
        for number, (copy, before) in numbers.items():
            if not _is_same(number, before):
                os.dup2(copy, number)
                left.append(f"your function closed or replaced file descriptor {number}, which was opened again")
            os.close(copy)


def _is_same(number: int, before: os.stat_result) -> bool:
    try:
        now = os.fstat(number)
    except OSError:
        return False
    return (now.st_dev, now.st_ino) == (before.st_dev, before.st_ino)


def _do_nothing() -> None:
    """Stand in for the method ``close`` of a standard stream."""


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
