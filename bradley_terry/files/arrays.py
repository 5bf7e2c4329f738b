"""What NPZ and NPY files share: an array in a file is mapped into memory, and named arrays become pairs or rankings.

Mapping leaves the numbers in the file. The operating system loads the pages that are read and can drop them again,
so the data may be larger than the memory.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..pairs import PreferencePairs
from .messages import fail, listed, make_pairs, make_rankings
from .names import ARRAY_NAMES, plain

if TYPE_CHECKING:
    from ..ranking.rankings import PreferenceRankings

FIELDS = ("chosen", "rejected", "prompts", "weights", "labels", "target_margins", "feature_names")
RANKING_FIELDS = ("features", "ranks", "prompts", "weights", "feature_names")
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
    hint = "; load_rankings reads rankings" if {"features", "ranks"} <= arrays.keys() else ""
    _use_field_names(path, arrays, FIELDS, hint)
    for name in ("chosen", "rejected"):
        if name not in arrays:
            fail(path, f"expected the fields chosen and rejected, found {listed(arrays)}")
    chosen, rejected, names = arrays.pop("chosen"), arrays.pop("rejected"), _names_in(path, arrays)
    if names is None and chosen.size and rejected.size:
        is_items = chosen.ndim != 2 and {chosen.dtype.kind, rejected.dtype.kind} <= {"i", "u"}
        names = _numbered_names(chosen, int(max(chosen.max(), rejected.max())) + 1 if is_items else 0)
    if chosen.ndim and len(chosen) <= MOST_NAMES:
        arrays.setdefault("prompts", np.arange(len(chosen)))
    return make_pairs(path, chosen, rejected, feature_names=None if names is None else names.tolist(), **arrays)


def rankings_of_arrays(path: Path, arrays: dict[str, NDArray[np.generic]]) -> PreferenceRankings:
    """Make rankings from named arrays, and number the features or items that have no names."""
    hint = "; load_pairs reads pairs" if {"chosen", "rejected"} <= arrays.keys() else ""
    _use_field_names(path, arrays, RANKING_FIELDS, hint)
    for name in ("features", "ranks", "prompts"):
        if name not in arrays:
            fail(path, f"expected the fields features, ranks and prompts, found {listed(arrays)}")
    features, names = arrays.pop("features"), _names_in(path, arrays)
    if names is None and features.size:
        names = _numbered_names(features, int(features.max()) + 1 if features.dtype.kind in "iu" else 0)
    ranks, prompts = arrays.pop("ranks"), arrays.pop("prompts")
    return make_rankings(
        path, features, ranks, prompts, feature_names=None if names is None else names.tolist(), **arrays
    )


def _use_field_names(path: Path, arrays: dict[str, NDArray[np.generic]], fields: tuple[str, ...], hint: str) -> None:
    """Rename arrays to the fields that they stand for; fail if there is another array."""
    for name in list(arrays):
        field = next((field for field, names in ARRAY_NAMES.items() if plain(name) in names), None)
        if field not in fields:
            fail(path, f"expected the fields {', '.join(fields)}, found {name}{hint}")
        if field in arrays and name != field:
            fail(path, f"expected one of {field} and {name}, found both")
        arrays[field] = arrays.pop(name)


def _names_in(path: Path, arrays: dict[str, NDArray[np.generic]]) -> NDArray[np.generic] | None:
    names = arrays.pop("feature_names", None)
    if names is not None and (names.ndim != 1 or names.dtype.kind != "U"):
        fail(path, f"feature_names: expected a list of texts, found shape {names.shape} and dtype {names.dtype}")
    return names


def _numbered_names(features: NDArray[np.generic], n_items: int) -> NDArray[np.generic] | None:
    """Return x1, x2 and so on for features, and item 0, item 1 and so on for items unless there are too many."""
    if features.ndim == 2:
        return np.array([f"x{i + 1}" for i in range(features.shape[1])])
    return np.array([f"item {i}" for i in range(n_items)]) if 0 < n_items <= MOST_NAMES else None
