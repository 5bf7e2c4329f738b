"""Write files and folders as a whole: after a crash or on a full disk, the old one or the new one is there, complete.

Everything is first written under a hidden name in the same folder and then renamed, which the system does in one step.
A process that is killed leaves its unfinished work behind under the hidden name. The next one that writes to the same
place removes it: a lock, which the system releases when a process ends, says whether somebody is still at work.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
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

UNFINISHED, OLD = ".partial", ".old"  # endings of hidden names


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
        made.replace(path)
    except OSError as error:
        if error.errno is not None and (error.filename is None or str(error.filename).endswith(UNFINISHED)):
            raise OSError(error.errno, error.strerror, str(given)) from None  # say the name that the user knows
        raise
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
    place = Path(folder).resolve()
    for parent in reversed(place.parents):
        if not parent.is_dir():
            parent.mkdir(exist_ok=True)
    if place.exists() and not place.is_dir():
        raise FileExistsError(f"{folder}: expected a folder, found a file")
    stays = _must_stay(place)
    around = place / "new" if stays else place
    _clean(around)
    made, lock = _locked_folder(around)
    try:
        yield made
        if stays:
            _move_into(place, made, replaced)
        elif replaced is None:
            _rename(made, place)
        else:
            _exchange(made, place, replaced)
    finally:
        shutil.rmtree(made, ignore_errors=True)  # it has another name by now if all went well
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


def _exchange(made: Path, place: Path, replaced: Collection[str]) -> None:
    """Put the folder in the place of another one, whose files it gets except those with these names.

    Another process may do the same at the same time. Then the folder of one is exchanged for that of the other.
    """
    ours = {*replaced, *_names(made)}

    def not_kept(where: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(where) == place and name in ours]

    is_done = False
    while not is_done:
        before = _identity(place)
        if before is not None:
            try:
                shutil.copytree(place, made, symlinks=True, ignore=not_kept, copy_function=_link, dirs_exist_ok=True)
            except OSError:
                if _identity(place) == before:
                    raise
                continue  # another process exchanged it in the meantime
        old = _unused(place, OLD)
        with suppress(FileNotFoundError):
            place.rename(old)
        try:
            made.rename(place)
            is_done = True
        except OSError:
            if not place.exists():
                with suppress(FileNotFoundError):
                    old.rename(place)
                raise
        finally:
            shutil.rmtree(old, ignore_errors=True)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _identity(folder: Path) -> int | None:
    try:
        return folder.stat().st_ino
    except FileNotFoundError:
        return None


def _link(source: str, target: str) -> None:
    """Give the file a second name, or copy it where that is impossible."""
    try:
        os.link(source, target)
    except FileExistsError:
        pass  # from an earlier attempt
    except OSError:
        shutil.copy2(source, target)


def _must_stay(place: Path) -> bool:
    """Return whether a folder cannot be renamed: somebody works in it, or it is a mounted disk."""
    if not place.exists():
        return False
    with suppress(OSError):
        if Path.cwd().is_relative_to(place):
            return True
    return os.path.ismount(place) or not os.access(place.parent, os.W_OK)


def _move_into(place: Path, made: Path, replaced: Collection[str] | None) -> None:
    """Move the files into a folder that must stay. The old ones go first, so that old and new are never mixed."""
    others = {name for name in _names(place) if name != made.name}
    if replaced is None and others:
        raise FileExistsError(f"{place}: exists already")
    for name in sorted(others & set(replaced or ())):
        (place / name).unlink()
    for file in sorted(made.iterdir()):
        file.replace(place / file.name)


# ------------------------------------------------------------------------------------------------- unfinished work


def _unused(path: Path, ending: str) -> Path:
    return path.with_name(f".{_stem(path)}.{secrets.token_hex(4)}{ending}")


def _stem(path: Path) -> str:
    """Return what the hidden names contain of the name: all of it, or its beginning and a checksum if it is long."""
    name = os.fsencode(path.name)
    return path.name if len(name) <= 200 else f"{name[:190].decode(errors='ignore')}~{zlib.crc32(name):08x}"


def _locked_file(path: Path) -> tuple[Path, BinaryIO]:
    """Return a new file beside ``path`` that nobody else removes while it is open."""
    while True:
        made = _unused(path, UNFINISHED)
        file = made.open("xb")
        _lock(file.fileno(), wait=True)
        if made.exists():  # another process may have cleaned it away before it was locked
            return made, file
        file.close()


def _locked_folder(path: Path) -> tuple[Path, int | None]:
    """Return a new folder beside ``path``, and a lock that says that it is in use until it is closed."""
    while True:
        made = _unused(path, UNFINISHED)
        made.mkdir()
        if fcntl is None:
            return made, None
        with suppress(FileNotFoundError):
            lock = os.open(made, os.O_RDONLY)
            _lock(lock, wait=True)
            if made.exists():
                return made, lock
            os.close(lock)


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
    """Remove what killed processes left beside ``path``. A folder that was put aside is put back if it is missing."""
    with suppress(OSError):
        for name in _names(path.parent):
            if not re.fullmatch(rf"\.{re.escape(_stem(path))}\.[0-9a-f]{{8}}({UNFINISHED}|{OLD})", name):
                continue
            left = path.with_name(name)
            if name.endswith(OLD) and left.is_dir():
                with suppress(OSError):
                    if not path.exists():
                        left.rename(path)
                shutil.rmtree(left, ignore_errors=True)
            elif name.endswith(UNFINISHED) and _is_abandoned(left):
                shutil.rmtree(left, ignore_errors=True)
                with suppress(OSError):
                    left.unlink()


def _is_abandoned(left: Path) -> bool:
    """Return whether no process holds the lock of this unfinished file or folder."""
    if left.is_symlink() or not (left.is_file() or left.is_dir()):
        return False
    if fcntl is None:
        return left.is_file()  # removing it fails if it is open
    try:
        number = os.open(left, os.O_RDONLY)
    except OSError:
        return False
    try:
        return _lock(number, wait=False)
    finally:
        os.close(number)
