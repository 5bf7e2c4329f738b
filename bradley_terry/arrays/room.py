"""What memory there is. Arrays that surely do not fit are refused before they are made.

``available`` counts whatever the system could still give, swap included.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["BEYOND", "SURELY_SMALL", "available", "check_room", "said"]

SURELY_SMALL = 2**27  # bytes; for less, the system is not asked
BEYOND = 1.1  # The system's own figure is an estimate.


def check_room(argument: str, n_bytes: float, got: str) -> None:
    """Raise ValueError if this many bytes are more than there are; ``got`` ends in "needs" or "need"."""
    if n_bytes < SURELY_SMALL or n_bytes <= BEYOND * (there := available()):
        return
    raise ValueError(
        f"{argument}: expected a size that fits into memory, got {got} at least {said(n_bytes)}, but only "
        f"{said(there)} is available"
    )


def said(size: float) -> str:
    """Return a number of bytes in words."""
    return f"{size / 1e9:.1f} GB" if size < 1e15 else f"{size / 1e9:.1e} GB"


def available() -> float:
    """Return the bytes that this process can still get: the least that system, container and process limits allow."""
    return max(0.0, min(_of_system(), _of_process(), *_of_containers()))


def _of_system() -> float:
    """Return what the system could free, with its swap; on a system that does not say, all its memory."""
    with suppress(OSError, ValueError, KeyError):
        return _meminfo("MemAvailable") + _meminfo("SwapFree")
    with suppress(AttributeError, OSError, ValueError):
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return float("inf")


def _meminfo(name: str) -> float:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return {line.split(":")[0]: 1024.0 * int(line.split()[1]) for line in lines}[name]


def _of_process() -> float:
    """Return what the limit of this process (``ulimit -v``) leaves."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415  # not on Windows

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            return float(limit - pages * resource.getpagesize())
    return float("inf")


def _of_containers() -> Iterator[float]:
    """Yield what each control group of this process leaves; the pages of files in it can be freed."""
    root = Path("/sys/fs/cgroup")
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds == "":
                top, names = root, ("memory.max", "anon")
            elif "memory" in kinds.split(","):
                top, names = root / "memory", ("memory.limit_in_bytes", "total_rss")
            else:
                continue
            folder = top / path.strip("/")
            while True:  # a container sees its own group at the top, whatever its path outside
                with suppress(OSError, ValueError, KeyError):
                    yield _left(folder, *names) + _meminfo("SwapFree")
                if folder in {top, root}:
                    break
                folder = folder.parent


def _left(folder: Path, limit: str, used: str) -> float:
    """Return the limit of a control group minus what its processes hold, or raise ValueError if it has no limit."""
    most = int((folder / limit).read_text(encoding="ascii"))
    lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    return float(most - next((int(line.split()[1]) for line in lines if line.split()[0] == used), 0))
