"""Write files and folders as a whole: after a crash or on a full disk, the old one or the new one is there, complete.

Everything is first written under a hidden name in the same folder and then renamed, which the system does in one step.
A new folder is exchanged with the old one, also in one step. Where that is impossible, its files are moved one by one.
A process that is killed leaves its unfinished work behind under the hidden name. The next one that writes to the same
place removes it: a lock, which the system releases when a process ends, says whether somebody is still at work. Another
lock lets only one process at a time change a folder that exists.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import sys
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # on Windows, where an open file cannot be removed
    fcntl = None  # type: ignore[assignment]

__all__ = ["new_folder", "replacing", "write_file"]

UNFINISHED = ".partial"  # ending of hidden names
EXCHANGE = 2  # RENAME_EXCHANGE of Linux and RENAME_SWAP of macOS
HERE = -100  # AT_FDCWD of Linux: a path is as usual


def write_file(path: str | Path, content: str | bytes) -> None:
    """Write bytes, or a text as UTF-8, to a file, which is replaced as a whole (see ``replacing``)."""
    with replacing(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Yield a file to write to. It takes the place of ``path`` when the block ends, and vanishes if the block fails.

    A symbolic link stays, and the file that it points to is replaced. The new file has the permissions of the old one.
    A device or a pipe cannot be replaced, so it is written to directly.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    given, path = Path(path), Path(path).resolve()
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(given))
    made: Path | None = None
    try:
        if given.exists() and not given.is_file():
            with given.open("wb") as file:
                yield file
            return
        _clean(path)
        made, new = _locked_file(path)
        with new:
            yield new
            new.flush()
            os.fsync(new.fileno())
            if path.exists():
                made.chmod(path.stat().st_mode & 0o7777)  # a private file stays private
            if fcntl is not None:
                made.replace(path)  # while it is locked, or another process would take it for abandoned
        if fcntl is None:
            made.replace(path)  # Windows does not rename open files
    except OSError as error:
        raise _as_given(error, given) from None
    finally:
        if made is not None:
            with suppress(OSError):
                made.unlink(missing_ok=True)  # it has another name by now if all went well


@contextmanager
def new_folder(folder: str | Path, replaced: Collection[str] | None = None) -> Iterator[Path]:
    """Yield an empty folder to write to. It gets the name ``folder`` when the block ends, and vanishes if it fails.

    Parameters
    ----------
    folder : str or Path
        Its parents are made if necessary.
    replaced : collection of str, optional
        If the folder exists, the new one takes its place. Of the old one, the files with these names are removed, and
        all others are in the new one, too. By default the folder must not exist, or must be empty.

    Raises
    ------
    FileExistsError
        If the folder exists and ``replaced`` is not given, or if it is not a folder.
    OSError
        If it cannot be written.
    """
    given, place = Path(folder), Path(folder).resolve()
    for parent in reversed(place.parents):
        if not parent.is_dir():
            parent.mkdir(exist_ok=True)
    if place.exists() and not place.is_dir():
        raise FileExistsError(f"{folder}: expected a folder, found a file")
    stays = _must_stay(place)
    around = place / "new" if stays else place
    made: Path | None = None
    lock: int | None = None
    try:
        _clean(around)
        made, lock = _locked_folder(around)
        yield made
        if replaced is None and not stays:
            _rename(made, place)
        else:
            _replace(place, made, replaced, stays=stays)
    except OSError as error:
        raise _as_given(error, given) from None
    finally:
        if made is not None:  # if all went well, this name is free by now, or it is that of the old folder
            shutil.rmtree(made, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _rename(made: Path, place: Path) -> None:
    """Give the folder its name, unless a folder with something in it has that name."""
    try:
        if os.name == "nt" and place.exists():
            place.rmdir()
        made.rename(place)
    except OSError:
        if place.exists():
            raise FileExistsError(f"{place}: exists already") from None
        raise


def _replace(place: Path, made: Path, replaced: Collection[str] | None, *, stays: bool) -> None:
    """Put the folder in the place of another one, whose files stay except those with these names."""
    is_done = False
    while not is_done:
        with _alone_in(place) as exists:
            new = _names(made)  # an error if somebody else removed it, before anything is changed
            gone = {*(replaced or ()), *new}
            if not exists:
                try:
                    made.rename(place)
                    is_done = True
                except OSError:  # another process was faster
                    if not place.exists():
                        raise
                continue
            if replaced is None and any(not _is_unfinished(name) for name in _names(place)):
                raise FileExistsError(f"{place}: exists already")
            for name in gone:
                if (place / name).is_dir():  # it holds files of somebody else
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(place / name))
            if not stays:
                _add_others(place, made, gone)
            if not stays and _exchanged(made, place):
                _add_others(made, place, gone)  # what somebody added to the old folder in the meantime
            else:
                _move_into(place, made, new, gone)
            is_done = True


def _add_others(source: Path, target: Path, gone: Collection[str]) -> None:
    """Give the files of a folder, except those with these names, a second name in another folder."""

    def not_added(where: str, names: list[str]) -> list[str]:
        there = target / Path(where).relative_to(source)
        is_top = Path(where) == source
        return [
            name for name in names if _is_unfinished(name) or (is_top and name in gone) or _is_no_folder(there / name)
        ]

    shutil.copytree(source, target, symlinks=True, ignore=not_added, copy_function=_link, dirs_exist_ok=True)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _is_no_folder(path: Path) -> bool:
    return os.path.lexists(path) and (path.is_symlink() or not path.is_dir())


def _link(source: str, target: str) -> None:
    """Give the file a second name, or copy it where that is impossible."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step. Return False if the system or the disk cannot do that."""
    try:
        from ctypes import CDLL  # noqa: PLC0415  # rarely needed

        library, names = CDLL(None), (os.fsencode(one), os.fsencode(other))
        if sys.platform == "darwin":
            status = library.renamex_np(*names, EXCHANGE)
        else:
            status = library.renameat2(HERE, names[0], HERE, names[1], EXCHANGE)
    except (ImportError, TypeError, OSError, AttributeError):  # no ctypes, Windows, or an older system
        return False
    return bool(status == 0)


def _must_stay(place: Path) -> bool:
    """Return whether a folder cannot be renamed: somebody works in it, or it is a mounted disk."""
    if not place.exists():
        return False
    with suppress(OSError):
        if Path.cwd().is_relative_to(place):
            return True
    return os.path.ismount(place) or not os.access(place.parent, os.W_OK)


def _move_into(place: Path, made: Path, new: Collection[str], gone: Collection[str]) -> None:
    """Move the new files into a folder. The old ones go first, so that old and new are never mixed."""
    for name in sorted(gone):
        (place / name).unlink(missing_ok=True)
    for name in sorted(new):
        (made / name).replace(place / name)


def _as_given(error: OSError, given: Path) -> OSError:
    """Return the error with the name that the user gave in place of a hidden one."""
    parts = Path(str(error.filename)).parts
    hidden = [number for number, part in enumerate(parts) if _is_unfinished(part)]
    if error.errno is None or not (hidden or error.filename is None):
        return error
    inside = parts[hidden[-1] + 1 :] if hidden else ()
    return OSError(error.errno, error.strerror, str(given.joinpath(*inside)))


# ------------------------------------------------------------------------------------------------- unfinished work


def _unused(path: Path) -> Path:
    return path.with_name(f".{_stem(path)}.{secrets.token_hex(4)}{UNFINISHED}")


def _stem(path: Path) -> str:
    """Return what the hidden names contain of the name: all of it, or its beginning and a checksum if it is long."""
    name = os.fsencode(path.name)
    return path.name if len(name) <= 200 else f"{name[:190].decode(errors='ignore')}~{zlib.crc32(name):08x}"


def _is_unfinished(name: str, of: str | None = None) -> bool:
    """Return whether this is a hidden name, of the file or folder with that stem."""
    whose = ".+" if of is None else re.escape(of)
    return re.fullmatch(rf"\.{whose}\.[0-9a-f]{{8}}{re.escape(UNFINISHED)}", name, re.DOTALL) is not None


def _locked_file(path: Path) -> tuple[Path, BinaryIO]:
    """Return a new file beside ``path`` that nobody else removes while it is open."""
    while True:
        made = _unused(path)
        file = made.open("xb")
        _lock(file.fileno(), wait=True)
        if made.exists():  # another process may have cleaned it away before it was locked
            return made, file
        file.close()


def _locked_folder(path: Path) -> tuple[Path, int | None]:
    """Return a new folder beside ``path``, and a lock that says that it is in use until it is closed."""
    while True:
        made = _unused(path)
        made.mkdir()
        if fcntl is None:
            return made, None
        with suppress(FileNotFoundError):
            lock = os.open(made, os.O_RDONLY)
            _lock(lock, wait=True)
            if made.exists():
                return made, lock
            os.close(lock)


@contextmanager
def _alone_in(folder: Path) -> Iterator[bool]:
    """Wait until no other process changes this folder. Yield False if it does not exist."""
    number = None
    while fcntl is not None:
        try:
            number = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            break
        _lock(number, wait=True)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(number), folder.stat()):
                break
        os.close(number)  # another process exchanged the folder in the meantime
        number = None
    try:
        yield folder.exists()
    finally:
        if number is not None:
            os.close(number)


def _lock(number: int, *, wait: bool) -> bool:
    """Lock an open file or folder; return False if another process has locked it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # locked, or on a disk without locks
        return False
    return True


def _clean(path: Path) -> None:
    """Remove what killed processes left beside ``path``."""
    with suppress(OSError):
        for name in _names(path.parent):
            if _is_unfinished(name, of=_stem(path)):
                _remove_abandoned(path.with_name(name))


def _remove_abandoned(left: Path) -> None:
    """Remove an unfinished file or folder, unless a process holds its lock."""
    if left.is_symlink() or not (left.is_file() or left.is_dir()):
        return
    with suppress(OSError):
        if fcntl is None:
            left.unlink()  # an error if it is open, or a folder
            return
        number = os.open(left, os.O_RDONLY)
        try:
            if _lock(number, wait=False):  # until it is gone, so that its maker cannot lock it in between
                shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()
        finally:
            os.close(number)
