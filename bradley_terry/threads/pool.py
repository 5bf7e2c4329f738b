"""Share blocks of work among threads; the answers come back in the order of the data.

The ranges of blocks are the same for any number of threads. Compiled kernels and the BLAS release Python's global lock
(the GIL) while they work, so plain threads are enough.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from ..arrays.single import whole

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["get_threads", "in_parts", "set_threads"]

T = TypeVar("T")
PARTS = 16  # the largest number of ranges of blocks, for any number of threads
CAN_START_THREADS = sys.platform not in {"emscripten", "wasi"}  # compiled to WebAssembly, as in a browser


def set_threads(n_threads: int) -> None:
    """Use this many threads from now on. The default is NUMBA_NUM_THREADS, or else the number of available cores.

    Python in a browser cannot start threads, so the number remains 1 there.

    Examples
    --------
    >>> before = get_threads()
    >>> set_threads(2)
    >>> get_threads()
    2
    >>> set_threads(before)
    """
    n_threads = whole("n_threads", n_threads)
    _settings["threads"] = n_threads if CAN_START_THREADS else 1


def get_threads() -> int:
    """Return the number of threads that share the work on large arrays.

    Examples
    --------
    >>> get_threads() >= 1
    True
    """
    return _settings["threads"]


def _default() -> int:
    if not CAN_START_THREADS:
        return 1
    chosen = os.environ.get("NUMBA_NUM_THREADS", "")
    if chosen.isdecimal() and int(chosen) > 0:
        return int(chosen)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_settings = {"threads": _default()}


@lru_cache(maxsize=1)
def _pool(n_threads: int) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # keeps the package's import light

    return ThreadPoolExecutor(n_threads, thread_name_prefix="bradley_terry")


if hasattr(os, "register_at_fork"):  # a forked child inherits the pool without its threads, so it makes a new one
    os.register_at_fork(after_in_child=_pool.cache_clear)


def in_parts(one_part: Callable[[int, int], T], n_blocks: int, blocks_for_a_thread: int = 1, least: int = 1) -> list[T]:
    """Call one_part(first, last) on at most 16 ranges of blocks and return the answers in the order of the data.

    Parameters
    ----------
    one_part : callable
        Works on blocks first to last - 1.
    n_blocks : int
    blocks_for_a_thread : int
        There are at most n_blocks / blocks_for_a_thread threads, since waking one takes time.
    least : int
        There are at most n_blocks / least ranges, rounded up.

    Notes
    -----
    The calling thread works on ranges too, and does not wait for a helper that has not started. The others get its
    context variables, so that ``numpy.errstate`` counts for them, too.
    """
    if n_blocks == 1:
        return [one_part(0, 1)]
    n_parts = min(PARTS, -(-n_blocks // least))
    edges = [n_blocks * part // n_parts for part in range(n_parts + 1)]
    n_threads = min(get_threads(), n_parts, n_blocks // blocks_for_a_thread)
    if n_threads <= 1:
        return [one_part(first, last) for first, last in pairwise(edges)]
    from concurrent.futures import wait  # noqa: PLC0415  # as above

    answers: dict[int, T] = {}
    todo = deque(range(n_parts))

    def take_parts() -> None:
        while todo:
            try:
                part = todo.popleft()
            except IndexError:  # another thread took the last part
                return
            answers[part] = one_part(edges[part], edges[part + 1])

    helpers: list[Future[None]] = []
    with suppress(RuntimeError):  # no further thread can be started, or Python is shutting down: go on alone
        helpers += [_pool(get_threads()).submit(copy_context().run, take_parts) for _ in range(n_threads - 1)]
    try:
        take_parts()
    finally:
        todo.clear()
        wait([helper for helper in helpers if not helper.cancel()])
    for helper in helpers:
        if not helper.cancelled():
            helper.result()  # raises an error of the helper here
    return [answers[part] for part in range(n_parts)]
