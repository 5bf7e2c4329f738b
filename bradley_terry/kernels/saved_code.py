"""Compiled code in files: written whole, read only if every byte is as it was written, and only from a safe folder."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps, loads

__all__ = ["SavedCode", "others_can_write"]

N_DIGEST = 32  # bytes of a SHA-256 digest


class SavedCode(FunctionCache):
    """Numba's cache for one function, with files of our own and without its errors.

    A file that is missing, damaged, or cannot be read counts as no file, and the function is compiled again. ``tell``
    is called with the reason if the code cannot be saved.
    """

    def __init__(self, function: Callable[..., object], tell: Callable[[str], object]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]  # Numba has no types
        source = repr((numba.__version__, self._impl.locator.get_source_stamp()))
        self._cache_file = _Files(Path(self.cache_path), self._impl.filename_base, source)  # type: ignore[assignment]
        self.tell = tell

    def load_overload(self, sig: object, target_context: Any) -> Any:
        """Return the compiled code for these types, or None."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # noqa: BLE001  # unpickling the code of another release of Numba may raise anything
            return None

    def save_overload(self, sig: object, data: Any) -> None:
        """Save the compiled code for these types, or tell why it cannot be saved."""
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError as error:
            self.tell(error.strerror or type(error).__name__)


class _Files:
    """One file for each set of argument types: a digest of the rest, a digest of the key, and the code.

    Numba's own files are an index and the code, without digests. A wrong byte in them ends every later call with an
    error, or is executed.
    """

    def __init__(self, folder: Path, base: str, source: str) -> None:
        self.folder, self.base, self.source = folder, base, source

    def _path(self, key: tuple[Hashable, ...]) -> Path:
        return self.folder / f"{self.base}.{_digest(repr(key[:2]).encode()).hex()[:16]}.code"  # types and processor

    def _stamp(self, key: tuple[Hashable, ...]) -> bytes:
        return _digest(repr((self.base, self.source, key)).encode())

    def load(self, key: tuple[Hashable, ...]) -> object:
        """Return what was saved for this key, or None."""
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        digest, rest = content[:N_DIGEST], content[N_DIGEST:]
        if digest != _digest(rest) or rest[:N_DIGEST] != self._stamp(key):  # damaged, or of an older source
            return None
        return loads(rest[N_DIGEST:])

    def save(self, key: tuple[Hashable, ...], data: object) -> None:
        """Save the data under another name first, so that no file is ever half written."""
        rest = self._stamp(key) + dumps(data)  # type: ignore[no-untyped-call]
        number, name = tempfile.mkstemp(dir=self.folder, prefix=f"{self.base}.", suffix=".tmp")
        try:
            with os.fdopen(number, "wb") as file:
                file.write(_digest(rest) + rest)
            Path(name).replace(self._path(key))
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise

    def flush(self) -> None:
        """Delete what was saved for this function."""
        for path in self.folder.glob(f"{self.base}.*.code"):
            path.unlink(missing_ok=True)


def _digest(content: bytes) -> bytes:
    return sha256(content).digest()


@lru_cache(maxsize=8)
def others_can_write(folder: Path) -> bool:
    """Return whether another user could put a file into this folder, or put another folder in its place.

    The files in the folder are executed. The folder and the one above it must belong to this user or to root. Neither
    they nor the folders further up may be writable for others, with three exceptions: a folder with the sticky bit,
    such as /tmp, protects what is in it; nobody can write below a folder that only its owner can enter; and the user's
    own private group, which many systems create, does not count as others.
    """
    if not hasattr(os, "geteuid"):  # Windows: the folder is in the user's profile
        return False
    folder, is_open = folder.resolve(), False
    for height, place in enumerate((folder, *folder.parents)):
        status = place.stat()
        if height < 2 and status.st_uid not in (0, os.geteuid()):
            return True
        if not status.st_mode & (stat.S_IXGRP | stat.S_IXOTH):
            is_open = False
        elif not (height and status.st_mode & stat.S_ISVTX):
            by_group = status.st_mode & stat.S_IWGRP and not _is_private(status.st_gid)
            is_open = is_open or bool(by_group or status.st_mode & stat.S_IWOTH)
    return is_open


def _is_private(group: int) -> bool:
    """Return whether nobody but this user belongs to a group."""
    import grp  # noqa: PLC0415  # neither exists on Windows
    import pwd  # noqa: PLC0415

    try:
        user, its = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return group == user.pw_gid and its.gr_name == user.pw_name and set(its.gr_mem) <= {user.pw_name}
