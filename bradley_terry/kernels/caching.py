"""How a function is compiled, and where its compiled code is kept for the next time Python starts."""

from __future__ import annotations

import os
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba

__all__ = ["CACHE_FOLDER", "compiled"]


# Compiled code is kept outside the package: files left in its folder would get in the way of the next install.
def _cache_folder() -> str | None:
    """Return the folder for compiled code, or None if this user has no home folder."""
    if numba.config.CACHE_DIR:  # type: ignore[attr-defined]  # the environment variable NUMBA_CACHE_DIR
        return str(numba.config.CACHE_DIR)  # type: ignore[attr-defined]
    try:
        return str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "bradley_terry")
    except RuntimeError:
        return None


CACHE_FOLDER = _cache_folder()


def compiled(fastmath: set[str], forceinline: bool = False):  # type: ignore[no-untyped-def]
    """Return a decorator that compiles a function on its first call and keeps the code in CACHE_FOLDER.

    error_model="numpy": 0/0 is NaN, as IEEE 754 says, and not a Python exception. nogil: other threads may run while a
    kernel runs.
    """
    options: dict[str, Any] = {"error_model": "numpy", "nogil": True, "fastmath": fastmath, "forceinline": forceinline}

    def decorate(function):  # type: ignore[no-untyped-def]
        if CACHE_FOLDER is None:
            _warn_once()
            return numba.njit(**options)(function)
        before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
        numba.config.CACHE_DIR = CACHE_FOLDER  # type: ignore[attr-defined]
        try:
            return numba.njit(**options, cache=True)(function)
        except RuntimeError:  # neither this folder nor any other that Numba tries is writable
            _warn_once()
            return numba.njit(**options)(function)
        finally:
            numba.config.CACHE_DIR = before  # type: ignore[attr-defined]

    return decorate


@lru_cache(maxsize=1)
def _warn_once() -> None:
    warnings.warn(
        f"compiled kernels cannot be saved in {CACHE_FOLDER or 'a home folder'}, so they are compiled again each time "
        "Python starts; set NUMBA_CACHE_DIR to a writable folder",
        stacklevel=2,
    )
