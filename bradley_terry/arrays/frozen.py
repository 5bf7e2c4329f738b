"""Make arrays read-only, with as few copies as possible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["blocks_of", "frozen", "is_map", "locked"]

AnyArray = TypeVar("AnyArray", bound=NDArray[np.generic])


def blocks_of(array: NDArray[np.generic]) -> Iterator[slice]:
    """Yield slices of rows, of about a million numbers each, so that a mapped array is never loaded as a whole."""
    rows = max(1, 1_000_000 * len(array) // max(1, array.size))
    for start in range(0, len(array), rows):
        yield slice(start, start + rows)


def frozen(array: NDArray[np.generic], dtype: type | None = None) -> NDArray[np.generic]:
    """Return a read-only array of this dtype in native byte order. Copy only what must be converted or could change."""
    wanted = array.dtype.newbyteorder("=") if dtype is None else np.dtype(dtype)
    settled = array.dtype == wanted and _is_settled(array)
    return locked(np.asarray(array).view() if settled else array.astype(wanted, order="C", subok=False))


def locked(array: AnyArray) -> AnyArray:
    """Make this array itself read-only, and return it."""
    array.flags.writeable = False
    return array


def _is_settled(array: NDArray[np.generic]) -> bool:
    """Return whether this array can be used without a copy: it is mapped from a file, or nothing can write to it.

    A read-only view of a writeable array can still change, so every array in the chain of bases is checked.
    """
    settled = True
    owner: object = array
    while isinstance(owner, np.ndarray):
        settled = settled and not owner.flags.writeable and owner.flags.c_contiguous
        owner = owner.base
    return is_map(owner) or (settled and owner is None)


def is_map(owner: object) -> bool:
    """Return whether this array is a file that is mapped into memory, or a view of one."""
    from mmap import mmap  # noqa: PLC0415  # keeps the package's import light

    while isinstance(owner, np.ndarray):
        owner = owner.base
    return isinstance(owner, mmap)
