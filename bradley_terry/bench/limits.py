"""The limits of the machine: work that no program can avoid, done as fast as possible.

A limit does only a part of the work, so its answer is not compared with ours. Our time as a multiple of the limit shows
how much could still be gained.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numba
import numpy as np

from ..logistic import Array
from ..threads import get_threads
from .peers import Call

__all__ = ["copy", "memory", "one_read", "shared", "two_products"]


def shared(work: Callable[[int, int], object], n: int) -> Call:
    """Return a call of work(first, last) on ranges that cover 0 … n - 1, shared among as many threads as we use."""
    n_threads = get_threads() if n >= 100_000 else 1  # for less work, waking a thread costs more than it saves
    edges, pool = [n * part // n_threads for part in range(n_threads + 1)], ThreadPoolExecutor(n_threads)

    def call() -> None:
        if n_threads == 1:
            work(0, n)
            return
        for future in [pool.submit(work, first, last) for first, last in pairwise(edges)]:
            future.result()

    return call


def copy(values: Array) -> Call:
    """Return a call that reads and writes as many bytes as the loss and its gradients do."""
    out = np.empty_like(values)
    return shared(lambda first, last: np.copyto(out[first:last], values[first:last]), values.size)


@numba.njit(nogil=True, fastmath={"reassoc", "nsz"})
def one_read(values, first, last):  # type: ignore[no-untyped-def]
    """Return the sum of a range. It only reads and adds; with "reassoc" it adds several numbers at a time."""
    part, result = values[first:last], 0.0
    for i in range(part.size):
        result += part[i]
    return result


def two_products(x: Array, weights: Array, d_hidden: Array) -> Call:
    """Return a call that computes the two matrix products of an MLP, x W and xᵀ dA; the BLAS chooses its threads."""
    hidden, d_weights = np.empty_like(d_hidden), np.empty(weights.shape)

    def call() -> None:
        np.matmul(x, weights, out=hidden)
        np.matmul(x.T, d_hidden, out=d_weights)

    return call


def memory() -> float:
    """Return the machine's memory in bytes, or 8 GB if the system does not say."""
    known = hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) if known else 8e9
