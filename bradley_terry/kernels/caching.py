"""How a function is compiled, and where its compiled code is kept for the next time Python starts."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numba
from numba.core.compiler_lock import global_compiler_lock

from .saved_code import SavedCode, others_can_write

__all__ = ["CACHE_FOLDER", "compiled"]

if hasattr(os, "register_at_fork"):  # a fork waits while another thread compiles: its child could never compile
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )


# Compiled code is kept outside the package: files left in its folder would get in the way of the next install.
def _cache_folder() -> str | None:
    """Return the folder for compiled code, or None if this user has no home folder.

    Its files are executed, so it must not depend on the current folder. As the XDG specification says, XDG_CACHE_HOME
    counts only if it is an absolute path.
    """
    if numba.config.CACHE_DIR:  # type: ignore[attr-defined]  # the environment variable NUMBA_CACHE_DIR
        return str(Path(numba.config.CACHE_DIR).absolute())  # type: ignore[attr-defined]
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        folder = given if given.is_absolute() else Path("~/.cache").expanduser()
    except RuntimeError:
        return None
    return str(folder / "bradley_terry") if folder.is_absolute() else None


CACHE_FOLDER = _cache_folder()


def compiled(fastmath: set[str], forceinline: bool = False):  # type: ignore[no-untyped-def]
    """Return a decorator that compiles a function on its first call and keeps the code in CACHE_FOLDER.

    error_model="numpy": 0/0 is NaN, as IEEE 754 says, and not a Python exception. nogil: other threads may run while a
    kernel runs.
    """
    options: dict[str, Any] = {"error_model": "numpy", "nogil": True, "fastmath": fastmath, "forceinline": forceinline}

    def decorate(function):  # type: ignore[no-untyped-def]
        dispatcher = numba.njit(**options)(function)
        dispatcher.compile = _ctrl_c_waits()(dispatcher.compile)
        saved = _saved_code(function)
        if saved is not None:
            dispatcher._cache = saved
        return dispatcher

    return decorate


@contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Let Ctrl-C wait until a function is compiled, which takes a few seconds at most.

    LLVM calls Python while it compiles, and a KeyboardInterrupt is lost there. Worse, Numba may then fail to find the
    code that it has just compiled, or the process may crash when it ends.
    """
    arrived: list[tuple[int, FrameType | None]] = []
    before: Any = signal.getsignal(signal.SIGINT)
    if callable(before):  # and not one of the constants that stand for "ignore" or "end the process"
        try:
            before = signal.signal(signal.SIGINT, lambda *call: arrived.append(call))
        except ValueError:  # signals only arrive in the main thread of the main interpreter
            before = None
    try:
        yield
    finally:
        if callable(before):
            signal.signal(signal.SIGINT, before)
        for call in arrived:  # raising the signal again would wake up the event loop of asyncio a second time
            handler = signal.getsignal(signal.SIGINT)  # the call before may have changed it
            if callable(handler):
                handler(*call)


def _saved_code(function: Any) -> SavedCode | None:
    """Return the saved code of a function, or None, with a warning, if there is no safe and writable folder for it."""
    if CACHE_FOLDER is None:
        return _cannot_save("")
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = CACHE_FOLDER  # type: ignore[attr-defined]
    try:
        Path(CACHE_FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
        saved = SavedCode(function, _cannot_save)
        if not Path(saved.cache_path).is_relative_to(CACHE_FOLDER):  # Numba tries other folders too
            return _cannot_save("it is not writable")
        if others_can_write(Path(saved.cache_path)):
            return _cannot_save("its files are executed, and others can write to it")
    except OSError as error:
        return _cannot_save(error.strerror or type(error).__name__)
    except RuntimeError:  # Numba found no folder that is writable
        return _cannot_save("it is not writable")
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]
    return saved


_told: list[str] = []


def _cannot_save(reason: str) -> SavedCode | None:
    """Warn once, and return None."""
    global CACHE_FOLDER
    if _told:
        return None
    where, CACHE_FOLDER = CACHE_FOLDER, None
    _told.append(reason)
    warnings.warn(
        f"compiled kernels cannot be saved in {where or 'a home folder'}{f' ({reason})' if reason else ''}, so they "
        "are compiled again each time Python starts; set NUMBA_CACHE_DIR to a writable folder of your own",
        stacklevel=2,
    )
    return None
