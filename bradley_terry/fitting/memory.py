"""What a fit needs in memory, and what there is. A fit that surely does not fit is refused before it starts.

``needed`` counts only the arrays that must be in memory at the same time, so it is a lower bound: measured peaks were
1.0 to 1.6 times as high. ``available`` counts whatever the system could still give, swap included.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..objective import COMPILED, chosen_backend, work_of
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, MLPScorer, Scorer
from .compiler import has_compiler
from .conjugate import is_dense

__all__ = ["available", "needed", "refuse_too_large"]

SURELY_SMALL = 2**27  # bytes; for less, the system is not asked
MAPPED = 2**23  # numbers, as in ``kernels.backends``: the differences of a larger mapped file are not kept
BEYOND = 1.1  # The system's own figure is an estimate.


def needed(scorer: Scorer, pairs: PreferencePairs, backend: str, standardise: bool) -> int:
    """Return a lower bound on the bytes that a fit allocates, besides the pairs; 0 if this is not known.

    standardise    four copies of the features while their mean and variance are computed
    linear         the differences; without compiled kernels also their copy and their products with the curvatures
    MLP            the hidden layer of one answer; without compiled kernels of both, and two arrays of the way back
    """
    if type(scorer) not in {LinearScorer, MLPScorer} or not isinstance(pairs, PreferencePairs):
        return 0
    is_compiled = chosen_backend(backend, work_of(scorer, pairs)) == COMPILED
    numbers = pairs.chosen.size
    if isinstance(scorer, MLPScorer):
        passes = (1 if is_compiled else 4) * len(pairs) * scorer.n_hidden
    elif is_compiled:
        passes = 0 if pairs.is_mapped and numbers > MAPPED else numbers
    else:
        passes = (3 if is_dense(scorer.n_parameters) else 1) * numbers
    return 8 * (max(passes, 4 * numbers * standardise) + len(pairs))


def refuse_too_large(scorer: Scorer, pairs: PreferencePairs, backend: str, standardise: bool) -> None:
    """Raise ValueError if a fit needs more memory than there is."""
    need = needed(scorer, pairs, backend, standardise)
    if need < SURELY_SMALL or need <= BEYOND * (there := available()):
        return
    is_linear = type(scorer) is LinearScorer
    ways = ["write an NPZ file or a folder of NPY files, which load_pairs maps"] * (is_linear and not pairs.is_mapped)
    ways += ["use standardise=False"] * standardise
    is_compiled = chosen_backend(backend, work_of(scorer, pairs)) == COMPILED
    ways += [f"use backend={COMPILED!r}"] * (has_compiler() and not is_compiled)
    ways += ["fit shards with bradley_terry.distributed"]
    raise ValueError(
        f"pairs: expected a fit that fits into memory, got {len(pairs):,} pairs of {pairs.n_features} features, which "
        f"need at least {_said(need)} besides the pairs, but only {_said(there)} is available; {', or '.join(ways)}"
    )


def _said(size: float) -> str:
    return f"{size / 1e9:.1f} GB"


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
