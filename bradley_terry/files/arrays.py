"""What NPZ and NPY files share: an array in a file is mapped into memory, and named arrays become pairs or rankings.

Mapping leaves the numbers in the file. The operating system loads the pages that are read and can drop them again,
so the data may be larger than the memory.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays.frozen import blocks_of
from ..pairs import PreferencePairs
from .characters import REPLACEMENT, said_of_halves
from .messages import fail, listed, make_pairs, make_rankings
from .names import ARRAY_NAMES, plain
from .notes import Notes

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

    from ..ranking.rankings import PreferenceRankings

FIELDS = ("chosen", "rejected", "prompts", "weights", "labels", "target_margins", "feature_names")
RANKING_FIELDS = ("features", "ranks", "prompts", "weights", "feature_names")
_BLOCK = 2**20  # bytes that are unpacked at once
_LONGEST_HEADER = 10_000  # bytes, as in NumPy, which reads the whole header before it looks at its length
MOST_NAMES = (
    1_000_000  # more items, features or prompts get no names, since one huge number of an item would fill the memory
)


def map_array(file: BinaryIO, end: int) -> NDArray[np.generic]:
    """Map the array that begins at the current position of a file, and check that it ends exactly at byte ``end``.

    The check matters: a map that reaches beyond the end of its file can be made, but reading there kills the process.
    """
    shape, order, dtype = _header(file, end)
    return np.memmap(file, dtype, "r", file.tell(), shape, order)


def unpacked_array(archive: ZipFile, info: ZipInfo) -> NDArray[np.generic]:
    """Return the array that a member of an archive holds, and check that nothing is missing or left over.

    The member is unpacked block by block into the array, and not beyond the size that the table of contents gives.
    """
    with archive.open(info) as member:
        shape, order, dtype = _header(member, info.file_size)
        array = np.empty(prod(shape) * dtype.itemsize, dtype=np.uint8)
        for start in range(0, array.size, _BLOCK):
            block = array[start : start + _BLOCK]
            block[:] = np.frombuffer(member.read(block.size), dtype=np.uint8)  # fails if fewer bytes are left
    return array.view(dtype).reshape(shape, order=order)


def _header(file: IO[bytes], end: int) -> tuple[tuple[int, ...], Literal["F", "C"], np.dtype[np.generic]]:
    """Read what an array is, and check that its numbers are plain and end exactly at byte ``end``."""
    version = np.lib.format.read_magic(file)
    if version not in {(1, 0), (2, 0)}:
        raise ValueError(f"format version {version}")
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    size = file.read(2 if version == (1, 0) else 4)
    if (n_bytes := int.from_bytes(size, "little")) > _LONGEST_HEADER:
        raise ValueError(f"a header of {n_bytes} bytes")
    shape, is_fortran, dtype = read_header(io.BytesIO(size + file.read(n_bytes)))
    n_bytes, found = prod(shape) * dtype.itemsize, end - file.tell()
    if dtype.hasobject:
        raise ValueError("Python objects, which are never unpickled")
    if n_bytes != found:
        raise ValueError(f"its header announces {n_bytes} bytes, but {found} follow")
    if min(shape, default=0) < 0 or not dtype.itemsize:
        raise ValueError(f"its header announces shape {shape} and {dtype.itemsize} bytes for each number")
    return shape, "F" if is_fortran else "C", dtype


def pairs_of_arrays(path: Path, arrays: dict[str, NDArray[np.generic]]) -> PreferencePairs:
    """Make pairs from named arrays, and number the features, items and prompts that have no names."""
    for name in ("chosen", "rejected"):
        if name not in arrays:
            fail(path, f"expected the fields chosen and rejected, found {listed(arrays)}")
    _check_texts(path, arrays)
    chosen, rejected, names = arrays.pop("chosen"), arrays.pop("rejected"), _names_in(path, arrays)
    if names is None and chosen.size and rejected.size:
        is_items = chosen.ndim != 2 and {chosen.dtype.kind, rejected.dtype.kind} <= {"i", "u"}
        names = _numbered_names(chosen, int(max(chosen.max(), rejected.max())) + 1 if is_items else 0)
    if chosen.ndim and len(chosen) <= MOST_NAMES:
        arrays.setdefault("prompts", np.arange(len(chosen)))
    return make_pairs(path, chosen, rejected, feature_names=None if names is None else names.tolist(), **arrays)


def rankings_of_arrays(path: Path, arrays: dict[str, NDArray[np.generic]]) -> PreferenceRankings:
    """Make rankings from named arrays, and number the features or items that have no names."""
    for name in ("features", "ranks", "prompts"):
        if name not in arrays:
            fail(path, f"expected the fields features, ranks and prompts, found {listed(arrays)}")
    _check_texts(path, arrays)
    features, names = arrays.pop("features"), _names_in(path, arrays)
    if names is None and features.size:
        names = _numbered_names(features, int(features.max()) + 1 if features.dtype.kind in "iu" else 0)
    ranks, prompts = arrays.pop("ranks"), arrays.pop("prompts")
    return make_rankings(
        path, features, ranks, prompts, feature_names=None if names is None else names.tolist(), **arrays
    )


def fields_of(path: Path, names: Sequence[str], fields: tuple[str, ...]) -> dict[str, str]:
    """Return the field that each array stands for, field -> name; fail if there is another array or one twice."""
    wanted = ", ".join(fields)
    hint = ""
    if {"features", "ranks"} <= set(names) and "chosen" in fields:
        hint = "; load_rankings reads rankings"
    elif {"chosen", "rejected"} <= set(names) and "ranks" in fields:
        hint = "; load_pairs reads pairs"
    found: dict[str, str] = {}
    for name in names:
        field = next((field for field, known in ARRAY_NAMES.items() if plain(name) in known), None)
        if field is None or field not in fields:
            fail(path, f"expected the fields {wanted}, found {listed([name])}{hint}")
        if field in found:
            if name == found[field]:
                fail(path, f"expected {name} once, found it twice")
            both = sorted((found[field], name), key=lambda one: one != field)
            fail(path, f"expected one of {both[0]} and {both[1]}, found both")
        found[field] = name
    return found


def _check_texts(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Fail if an array of texts holds a number that stands for no character; read half characters as "�"."""
    for name, array in arrays.items():
        if name == "prompts" and array.dtype.kind not in "biufmMSU":
            fail(path, f"prompts: expected numbers or texts, found dtype {array.dtype}")
        if array.dtype.kind == "U" and name in {"prompts", "feature_names"}:
            if array.ndim != 1:
                fail(path, f"{name}: expected a list of texts, found shape {array.shape} and dtype {array.dtype}")
            arrays[name] = _with_whole_characters(path, name, array)


def _with_whole_characters(path: Path, name: str, array: NDArray[np.generic]) -> NDArray[np.generic]:
    native = array.dtype.newbyteorder("=")
    n_halves = 0
    for rows in blocks_of(array):
        codes = np.ascontiguousarray(array[rows], dtype=native).view(np.uint32)
        if codes.size and codes.max() > sys.maxunicode:
            fail(path, f"{name}: expected texts, found the number {codes.max()}, which stands for no character")
        n_texts = codes.size * 4 // native.itemsize
        n_halves += int(_are_halves(codes).reshape(n_texts, -1).any(axis=1).sum())
    if not n_halves:
        return array
    whole = np.array(array, dtype=native, order="C")
    codes = whole.view(np.uint32)
    codes[_are_halves(codes)] = ord(REPLACEMENT)
    notes = Notes(path)
    notes.add("halves", name, lambda _: said_of_halves(n_halves, "text"))
    notes.give("")
    return whole


def _are_halves(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    return (codes >= 0xD800) & (codes <= 0xDFFF)


def _names_in(path: Path, arrays: dict[str, NDArray[np.generic]]) -> NDArray[np.generic] | None:
    names = arrays.pop("feature_names", None)
    if names is not None and (names.ndim != 1 or names.dtype.kind != "U"):
        fail(path, f"feature_names: expected a list of texts, found shape {names.shape} and dtype {names.dtype}")
    return names


def _numbered_names(features: NDArray[np.generic], n_items: int) -> NDArray[np.generic] | None:
    """Return x1, x2 and so on for features, item 0, item 1 and so on for items, or None if there are too many."""
    if features.ndim == 2:
        n_features = features.shape[1]
        return np.array([f"x{i + 1}" for i in range(n_features)]) if n_features <= MOST_NAMES else None
    return np.array([f"item {i}" for i in range(n_items)]) if 0 < n_items <= MOST_NAMES else None
