"""Ranges of blocks, shared among threads, with answers in the order of the data.

The ranges are the same on any number of threads, and so are sums that are taken in their order: bit for bit. Compiled
kernels and the BLAS let other threads run meanwhile, so plain Python threads serve. Imports nothing of ours.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

import numba

__all__ = ["get_threads", "in_parts", "set_threads"]

T = TypeVar("T")
PARTS = 16  # ranges of blocks that threads take one after the other: as many on any number of threads


def set_threads(n_threads: int) -> None:
    """Use this many threads from now on; NUMBA_NUM_THREADS or the number of cores unless set. Results stay the same."""
    if not isinstance(n_threads, int) or n_threads < 1:
        raise ValueError(f"n_threads: expected a whole number of at least 1, got {n_threads!r}")
    _settings["threads"] = n_threads


def get_threads() -> int:
    """Return the number of threads that large arrays are shared among."""
    return _settings["threads"]


_settings = {"threads": int(numba.config.NUMBA_NUM_THREADS)}  # type: ignore[attr-defined]


@lru_cache(maxsize=1)
def _pool(n_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads, thread_name_prefix="bradley_terry")


if hasattr(os, "register_at_fork"):  # a forked child inherits the pool but not its threads: let it make its own
    os.register_at_fork(after_in_child=_pool.cache_clear)


def in_parts(one_part: Callable[[int, int], T], n_blocks: int, blocks_for_a_thread: int = 1, least: int = 1) -> list[T]:
    """Call one_part(first, last) on at most 16 ranges of blocks that threads share; answers in the order of the data.

    A range holds at least so many blocks, as far as there are.
    The ranges do not depend on the number of threads, so neither do sums that follow them. The calling thread takes
    its share of them and waits for no helper that has not begun.
    """
    if n_blocks == 1:
        return [one_part(0, 1)]
    n_parts = min(PARTS, -(-n_blocks // least))
    edges = [n_blocks * part // n_parts for part in range(n_parts + 1)]
    n_threads = min(get_threads(), n_parts, n_blocks // blocks_for_a_thread)
    if n_threads <= 1:
        return [one_part(first, last) for first, last in pairwise(edges)]
    answers: dict[int, T] = {}
    todo = deque(range(n_parts))

    def take_parts() -> None:
        while todo:
            try:
                part = todo.popleft()
            except IndexError:  # another thread was faster
                return
            answers[part] = one_part(edges[part], edges[part + 1])

    helpers: list[Future[None]] = []
    with suppress(RuntimeError):  # no further thread to be had, or Python is about to end: then we go on alone
        helpers += [_pool(get_threads()).submit(take_parts) for _ in range(n_threads - 1)]
    try:
        take_parts()
    finally:
        todo.clear()
        wait([helper for helper in helpers if not helper.cancel()])
    for helper in helpers:
        if not helper.cancelled():
            helper.result()  # raises what was raised there
    return [answers[part] for part in range(n_parts)]
