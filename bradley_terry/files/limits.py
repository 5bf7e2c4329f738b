"""How much is read from a file: limits that honest files do not reach, so that no file can fill the memory.

    unpacked     a compressed file may unpack to 1 GiB, or to 20 times its size if that is more
    a line       256 MiB
    pairs        lists and rankings may become a million pairs in one record, and ten million in a file
    memory       what is read must fit into the memory that is free

The message names the limit and the way around it. ``docs/formats.md`` states these limits, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from .messages import fail

__all__ = [
    "LONGEST_LINE",
    "MOST_PAIRS",
    "MOST_PAIRS_OF_RECORD",
    "available_memory",
    "check_json",
    "check_memory",
    "check_unpacked",
    "most_unpacked",
    "shown",
    "within_memory",
]

LONGEST_LINE = 2**28  # bytes
MOST_PAIRS_OF_RECORD = 1_000_000
MOST_PAIRS = 10_000_000

_FREELY = 2**30  # bytes that any file may unpack to; rows that repeat a long prompt shrink to a hundredth
_TIMES = 20  # text shrinks to a third or a tenth, zeros to a thousandth
_LONG, _VALUE = 2**20, 64  # letters of a long text; bytes that Python needs for a value, of which a dict needs thrice
_SPLIT = "split it into several files, which train reads as shards, or map its arrays from an NPZ file"


def most_unpacked(n_bytes: int) -> int:
    """Return how many bytes a compressed file of this size may unpack to."""
    return max(_FREELY, _TIMES * n_bytes)


def check_unpacked(path: Path, n_bytes: int, found: int, hint: str) -> None:
    """Fail if a compressed file of ``n_bytes`` unpacks to more than its limit; ``hint`` names the way around."""
    if found > (most := most_unpacked(n_bytes)):
        said = f"expected at most {shown(most)} in a compressed file of {shown(n_bytes)}, found {shown(found)} or more"
        fail(path, f"{said}; {hint}")


def check_memory(path: Path | str, n_bytes: int) -> None:
    """Fail if this many bytes do not fit into the memory that is free, where the system tells how much that is."""
    free = available_memory()
    if free is not None and n_bytes > free:
        said = f"expected data that fit into the memory, of which {shown(free)} are free, found data that need more"
        fail(path, f"{said} than {shown(n_bytes)}; {_SPLIT}")


def check_json(path: Path | str, text: str) -> None:
    """Fail if a text in JSON is long, and its values may take more memory than is free."""
    if len(text) > _LONG:
        check_memory(path, len(text) + _VALUE * (sum(map(text.count, "[,:")) + 3 * text.count("{")))


@contextmanager
def within_memory(path: Path | str) -> Iterator[None]:
    """Turn a MemoryError into one sentence."""
    ran_out = False
    try:
        yield
    except MemoryError:
        ran_out = True  # and fail below, when what the error holds in memory is gone
    if ran_out:
        fail(path, f"expected data that fit into the memory, found that they need more than is free; {_SPLIT}")


def available_memory() -> int | None:
    """Return the bytes that this process may still take without swapping, or None if the system does not tell."""
    found = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found += [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
        resource = import_module("resource")
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            found.append(max(0, limit - pages * resource.getpagesize()))
        group = Path("/sys/fs/cgroup")  # the limit of a container
        most, used = ((group / f"memory.{name}").read_text(encoding="ascii").strip() for name in ("max", "current"))
        if most != "max":
            cached = (group / "memory.stat").read_text(encoding="ascii").partition("inactive_file ")[2].split()
            found.append(max(0, int(most) - int(used) + int(cached[0])))
    except (OSError, ImportError, ValueError, IndexError):
        pass  # what was found until here counts
    return min(found, default=None)


def shown(n_bytes: int) -> str:
    """Return a number of bytes in words, such as 1.5 GB.

    Examples
    --------
    >>> shown(999), shown(2**25), shown(6 * 10**9)
    ('999 bytes', '33.6 MB', '6 GB')
    """
    size, unit = float(n_bytes), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"
