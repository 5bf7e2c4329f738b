"""Read the lines of a file: unpack gzip, decode UTF-8, and remove the byte order mark and the line ends."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from .limits import LONGEST_LINE, check_memory, check_unpacked, most_unpacked, shown
from .messages import fail
from .opened import open_file, size_of

__all__ = ["numbered_lines"]

_BETWEEN_CHECKS = 2**24  # bytes of text between two looks at the free memory
_NEEDED = 2**26  # bytes that must be free then


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) for each line, empty ones included."""
    checked = 0
    for line, read, raw in _raw_lines(path):
        if read - checked > _BETWEEN_CHECKS:
            check_memory(path, _NEEDED)
            checked = read
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            fail(path, f"expected UTF-8 text, found the byte 0x{raw[error.start]:02x}", line)
        yield line, text.removesuffix("\n").removesuffix("\r")


def _raw_lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (line number, bytes read until its end, line), unpacked if the file begins as a gzip file does.

    The name of the file does not matter.
    """
    import gzip  # noqa: PLC0415

    with open_file(path) as file:
        size = size_of(file)
        head = file.peek(8)[:8]  # type: ignore[attr-defined]
        is_packed = head.startswith(b"\x1f\x8b")
        if path.name.lower().endswith(".gz") and not is_packed:
            fail(path, f"expected a gzip file, found a file that begins with {head!r}")
        check_memory(path, size)
        source, most = (gzip.GzipFile(fileobj=file), most_unpacked(size)) if is_packed else (file, size)
        read = 0
        for line in count(1):
            try:
                raw = source.readline(min(LONGEST_LINE, most - read) + 1)
            except EOFError:
                fail(path, "expected a whole gzip file, found one that ends too early")
            except (gzip.BadGzipFile, zlib.error) as error:
                fail(path, f"expected a gzip file, found a damaged one ({error})")
            except OSError as error:
                fail(path, f"expected a file, found one that cannot be read ({error.strerror})")
            if not raw:
                return
            read += len(raw)
            if is_packed:
                check_unpacked(path, size, read, "unpack it first")
            elif read > size:
                fail(path, "expected a file that stays the same while it is read, found one that grows")
            if len(raw) > LONGEST_LINE:
                fail(
                    path, f"expected at most {shown(LONGEST_LINE)} in a line, found more; write a record on each", line
                )
            yield line, read, raw.removeprefix(b"\xef\xbb\xbf") if line == 1 else raw
