"""Read the lines of a file: unpack gzip, decode UTF-8, and remove the byte order mark and the line ends."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..arrays.visible import quoted, visible
from .messages import fail


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading; fail if there is none, or if it is empty or a folder."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise FileNotFoundError(f"{visible(str(path), 1000)}: there is no such file") from None
    except (IsADirectoryError, NotADirectoryError):
        fail(path, "expected a file, found a folder")
    if not file.peek(1):
        file.close()
        fail(path, "expected at least one pair, found an empty file")
    return file


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) for each line, empty ones included."""
    for line, raw in enumerate(_contents(path).removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            fail(path, f"expected UTF-8 text, found the byte 0x{raw[error.start]:02x}", line)
        yield line, text.removesuffix("\r")


def _contents(path: Path) -> bytes:
    """Return the bytes of a file, unpacked if it begins as a gzip file does. Its name does not matter."""
    with open_file(path) as file:
        data = file.read()
    if data.startswith(b"\x1f\x8b"):
        import gzip  # noqa: PLC0415

        try:
            return gzip.decompress(data)
        except EOFError:
            fail(path, "expected a whole gzip file, found one that ends too early")
        except (gzip.BadGzipFile, zlib.error) as error:
            fail(path, f"expected a gzip file, found a damaged one ({error})")
    if path.name.lower().endswith(".gz"):
        fail(path, f"expected a gzip file, found a file that begins with {quoted(data[:8])}")
    return data
