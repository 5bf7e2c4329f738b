"""What NPZ and NPY files share: an array in a file is mapped into memory, and named arrays become pairs.

Mapping leaves the numbers in the file. The operating system loads the pages that are read and can drop them again,
so the pairs may be larger than the memory.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..pairs import PreferencePairs
from .messages import fail, listed, make_pairs
from .names import ARRAY_NAMES, plain

FIELDS = ("chosen", "rejected", "prompts", "weights", "labels", "target_margins", "feature_names")
MOST_NAMES = 1_000_000  # more items or prompts get no names, since one huge item number would fill the memory


def map_array(file: BinaryIO, end: int) -> NDArray[np.generic]:
    """Map the array that begins at the current position of a file, and check that it ends exactly at byte ``end``.

    The check matters: a map that reaches beyond the end of its file can be made, but reading there kills the process.
    """
    version = np.lib.format.read_magic(file)
    if version not in {(1, 0), (2, 0)}:
        raise ValueError(f"format version {version}")
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read_header(file)
    start, n_bytes = file.tell(), prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise ValueError("Python objects, which are never unpickled")
    if start + n_bytes != end:
        raise ValueError(f"its header announces {n_bytes} bytes, but {end - start} follow")
    return np.memmap(file, dtype, "r", start, shape, "F" if is_fortran else "C")


def pairs_of_arrays(path: Path, arrays: dict[str, NDArray[np.generic]]) -> PreferencePairs:
    """Make pairs from named arrays, and number the features, items and prompts that have no names."""
    for name in list(arrays):
        field = next((field for field, names in ARRAY_NAMES.items() if plain(name) in names), None)
        if field is None:
            fail(path, f"expected the fields {', '.join(FIELDS)}, found {name}")
        if field in arrays and name != field:
            fail(path, f"expected one of {field} and {name}, found both")
        arrays[field] = arrays.pop(name)
    for name in ("chosen", "rejected"):
        if name not in arrays:
            fail(path, f"expected the fields chosen and rejected, found {listed(arrays)}")
    chosen, rejected, names = arrays.pop("chosen"), arrays.pop("rejected"), arrays.pop("feature_names", None)
    if names is not None and (names.ndim != 1 or names.dtype.kind != "U"):
        fail(path, f"feature_names: expected a list of texts, found shape {names.shape} and dtype {names.dtype}")
    if names is None and chosen.size and rejected.size:
        if chosen.ndim == 2:
            names = np.array([f"x{i + 1}" for i in range(chosen.shape[1])])
        elif {chosen.dtype.kind, rejected.dtype.kind} <= {"i", "u"}:
            n_items = int(max(chosen.max(), rejected.max())) + 1
            names = np.array([f"item {i}" for i in range(n_items)]) if n_items <= MOST_NAMES else None
    if chosen.ndim and len(chosen) <= MOST_NAMES:
        arrays.setdefault("prompts", np.arange(len(chosen)))
    return make_pairs(path, chosen, rejected, feature_names=None if names is None else names.tolist(), **arrays)
