"""Read the lines of a file: unpack gzip, decode UTF-8, and remove the byte order mark and the line ends."""

from __future__ import annotations

import io
import zlib
from collections.abc import Generator
from itertools import count
from pathlib import Path
from typing import BinaryIO

from ..arrays.visible import quoted
from .limits import LONGEST_LINE, check_memory, check_unpacked, shown
from .messages import fail
from .opened import open_file, size_of

__all__ = ["numbered_lines"]

_BETWEEN_CHECKS = 2**20  # bytes of text between two looks at the free memory
_NEEDED = 2**26  # bytes that must be free then
_BLOCK = 2**20  # bytes that are unpacked at once


def numbered_lines(path: Path) -> Generator[tuple[int, str], None, None]:
    """Yield (line number, text) for each line, empty ones included."""
    read = checked = 0
    with open_file(path) as file:
        source, size = _unpacked(path, file)
        for line in count(1):
            try:
                raw = source.readline(min(LONGEST_LINE, size - read) + 1)
            except (OSError, EOFError, zlib.error) as error:
                fail(
                    path, f"expected a file, found one that cannot be read ({getattr(error, 'strerror', '') or error})"
                )
            if not raw:
                return
            read += len(raw)
            if read > size:
                fail(path, "expected a file that stays the same while it is read, found one that grows")
            if len(raw) > LONGEST_LINE:
                fail(
                    path, f"expected at most {shown(LONGEST_LINE)} in a line, found more; write a record on each", line
                )
            if read - checked > _BETWEEN_CHECKS:
                check_memory(path, _NEEDED)
                checked = read
            if line == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                fail(
                    path, f"expected UTF-8 text, found the byte 0x{raw[error.start]:02x}; save the file as UTF-8", line
                )
            yield line, text.removesuffix("\n").removesuffix("\r")


def _unpacked(path: Path, file: BinaryIO) -> tuple[BinaryIO, int]:
    """Return a file, unpacked if it begins as a gzip file does, and its size. The name of the file does not matter.

    A gzip file is unpacked twice: first to find its size and check its checksums, without keeping anything, and then
    line by line.
    """
    size, head = size_of(file), file.peek(8)[:8]  # type: ignore[attr-defined]
    check_memory(path, size)
    if not head.startswith(b"\x1f\x8b"):
        if path.name.lower().endswith(".gz"):
            fail(path, f"expected a gzip file, found a file that begins with {quoted(head)}")
        return file, size
    import gzip  # noqa: PLC0415

    unpacked = 0
    try:
        with gzip.GzipFile(fileobj=file) as source:
            while block := source.read(_BLOCK):
                unpacked += len(block)
                check_unpacked(path, size, unpacked, "unpack it first")
    except EOFError:
        fail(path, "expected a whole gzip file, found one that ends too early")
    except (gzip.BadGzipFile, zlib.error) as error:
        fail(path, f"expected a gzip file, found a damaged one ({error})")
    check_memory(path, unpacked)
    file.seek(0)
    return io.BufferedReader(gzip.GzipFile(fileobj=file), _BLOCK), unpacked
