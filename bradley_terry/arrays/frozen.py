"""Arrays that nobody can change, with as few copies as possible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["blocks_of", "frozen", "is_map", "locked"]

AnyArray = TypeVar("AnyArray", bound=NDArray[np.generic])


def blocks_of(array: NDArray[np.generic]) -> Iterator[slice]:
    """Yield blocks of rows, about a million numbers each, so that a mapped array is never in memory as a whole."""
    rows = max(1, 1_000_000 // max(1, array.size // max(1, len(array))))
    for start in range(0, len(array), rows):
        yield slice(start, start + rows)


def frozen(array: NDArray[np.generic], dtype: type | None = None) -> NDArray[np.generic]:
    """Return a read-only array of this dtype in native byte order; copy it unless nothing can change the original."""
    wanted = array.dtype.newbyteorder("=") if dtype is None else np.dtype(dtype)
    settled = array.dtype == wanted and _is_settled(array)
    return locked(np.asarray(array).view() if settled else array.astype(wanted, order="C", subok=False))


def locked(array: AnyArray) -> AnyArray:
    """Make this array itself read-only."""
    array.flags.writeable = False
    return array


def _is_settled(array: NDArray[np.generic]) -> bool:
    """Tell whether this memory is mapped from a file, or read-only in every array that could reach it.

    A read-only view of a writeable array can still change, so every array in the chain of bases is checked.
    """
    settled = True
    owner: object = array
    while isinstance(owner, np.ndarray):
        settled = settled and not owner.flags.writeable and owner.flags.c_contiguous
        owner = owner.base
    return is_map(owner) or (settled and owner is None)


def is_map(owner: object) -> bool:
    """Tell whether this array, or what it is a view of, is a file that is mapped into memory."""
    from mmap import mmap  # noqa: PLC0415  # keeps the package's import light

    while isinstance(owner, np.ndarray):
        owner = owner.base
    return isinstance(owner, mmap)
