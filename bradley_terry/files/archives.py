"""ZIP archives of arrays, which NPZ files and saved models are: what may be in them, before anything is read.

The table of contents says how large each member is when unpacked. A member is read block by block up to this size, so
checking the table is enough, also for members that share the same bytes or hold more than the table says.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .limits import available_memory, check_unpacked
from .messages import fail, show

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

__all__ = ["STORED", "array_name", "check_sizes", "names_in", "readable"]

STORED, _DEFLATED = 0, 8  # compressions, as zipfile numbers them; NumPy writes no other


def array_name(info: ZipInfo) -> str:
    """Return the name under which NumPy shows a member."""
    return info.filename.removesuffix(".npy")


def names_in(archive: ZipFile) -> dict[str, ZipInfo]:
    """Return the members by their whole names; raise ValueError if there are two of one name."""
    found: dict[str, ZipInfo] = {}
    for info in archive.infolist():
        if found.setdefault(info.filename, info) is not info:
            raise ValueError(f"expected {show(info.filename)} once, found it twice")
    return found


def check_sizes(path: Path, n_bytes: int, members: Iterable[ZipInfo], hint: str) -> None:
    """Fail if members cannot be in a file of ``n_bytes``, or unpack to more than its limit, or in an unusual way.

    Raises MemoryError if what they unpack to does not fit into the memory that is free.
    """
    stored = packed = 0
    for info in members:
        if info.compress_type not in {STORED, _DEFLATED}:
            fail(path, f"expected arrays that NumPy has saved, found compression number {info.compress_type}; {hint}")
        if info.compress_type == STORED:
            stored += info.file_size
        else:
            packed += info.file_size
    if stored > n_bytes:
        fail(path, f"expected at most {n_bytes} bytes of arrays, which is the size of the file, found {stored}")
    check_unpacked(path, n_bytes, packed, hint)
    if (free := available_memory()) is not None and packed > free:
        raise MemoryError


@contextmanager
def readable(path: Path, what: str) -> Iterator[None]:
    """Turn whatever damaged bytes raise in zip, zlib, struct, tokenize and so on into one sentence."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            raise MemoryError from None
        fail(path, f"expected {what}, found one that cannot be read ({show(str(error))})")
