"""The one way in: every file that this package reads is opened here, and only regular files are.

A pipe, a socket or a device may never end, or may keep its reader waiting for ever. A link is followed, and what counts
is the file at its end.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from ..arrays.visible import visible
from .messages import fail

__all__ = ["EMPTY", "open_file", "size_of"]

EMPTY = "expected at least one pair, found an empty file"

_NOT_REGULAR = (
    (stat.S_ISDIR, "found a folder"),
    (stat.S_ISFIFO, "found a pipe; write what it carries to a file first"),
    (stat.S_ISSOCK, "found a socket"),
    (stat.S_ISCHR, "found a device"),
    (stat.S_ISBLK, "found a device"),
)


def open_file(path: Path, *, empty: str | None = EMPTY) -> BinaryIO:
    """Open a regular file for reading.

    Raises
    ------
    FileNotFoundError, PermissionError
        If there is no such file, or if it may not be read.
    ValueError
        If it is something else than a file, or if it is empty. ``empty`` is the sentence for an empty file, or None if
        the caller refuses one itself.
    """
    try:
        _check_regular(path, os.stat(path).st_mode)  # noqa: PTH116  # before opening, which may change a device
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115  # Path.open takes no opener
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{visible(str(path), 1000)}: there is no such file") from None
    except PermissionError:
        raise PermissionError(
            f"{visible(str(path), 1000)}: expected a file that may be read, found one that this user may not read"
        ) from None
    except OSError as error:
        loop = error.errno == errno.ELOOP
        found = "a link that leads back to itself" if loop else f"one that cannot be opened ({error.strerror})"
        fail(path, f"expected a file, found {found}")
    try:
        _check_regular(path, os.fstat(file.fileno()).st_mode)  # another file may have taken its place
        if empty is not None and size_of(file) == 0:
            fail(path, empty)
    except BaseException:
        file.close()
        raise
    return file


def size_of(file: BinaryIO) -> int:
    """Return the number of bytes of an open file."""
    return os.fstat(file.fileno()).st_size


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # which Windows does not have


def _check_regular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        found = next((words for is_such, words in _NOT_REGULAR if is_such(mode)), "found something else")
        fail(path, f"expected a file, {found}")
