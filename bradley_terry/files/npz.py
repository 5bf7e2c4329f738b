"""NPZ: the fields of pairs or rankings as arrays in one file; ``save_pairs`` writes this format."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..arrays import single
from ..arrays.checked import index_by_first_appearance
from ..arrays.visible import class_name, quoted
from ..pairs import PreferencePairs
from .archives import STORED, array_name, check_sizes, readable
from .arrays import (
    FIELDS,
    RANKING_FIELDS,
    fields_of,
    map_array,
    pairs_of_arrays,
    rankings_of_arrays,
    unpacked_array,
)
from .messages import fail
from .opened import open_file, size_of
from .saving import replacing

if TYPE_CHECKING:
    import zipfile

    from ..ranking.rankings import PreferenceRankings


_HINT = "numpy.savez writes it uncompressed"
_WANTED = "an NPZ file of plain arrays"


def read_pairs(path: Path) -> PreferencePairs:
    """Make pairs of the arrays of an NPZ file."""
    return pairs_of_arrays(path, _arrays(path, FIELDS))


def read_rankings(path: Path) -> PreferenceRankings:
    """Make rankings of the arrays of an NPZ file."""
    return rankings_of_arrays(path, _arrays(path, RANKING_FIELDS))


def _arrays(path: Path, fields: tuple[str, ...]) -> dict[str, NDArray[np.generic]]:
    """Map the arrays of an NPZ file that are stored uncompressed, and read those that are compressed."""
    import zipfile  # noqa: PLC0415

    with open_file(path) as file:
        if not (head := file.read(8)).startswith(b"PK"):
            fail(path, f"expected an NPZ file of arrays, found a file that begins with {quoted(head)}")
        with readable(path, _WANTED):
            archive = zipfile.ZipFile(file)
        with archive:
            infos = archive.infolist()
            found = {info.filename for info in infos}
            if "meta.json" in found:
                fail(path, "expected pairs, found a saved model; bradley-terry evaluate MODEL DATA reads both", None)
            if "xl/workbook.xml" in found:
                fail(path, "expected an NPZ file, found a spreadsheet; save it as CSV")
            names = fields_of(path, [array_name(info) for info in infos], fields)
            members = {array_name(info): info for info in infos}
            check_sizes(path, size_of(file), infos, _HINT)
            with readable(path, _WANTED):
                return {field: _member(file, archive, members[name]) for field, name in names.items()}


def save_pairs(pairs: PreferencePairs, path: str | Path) -> None:
    """Write pairs to an NPZ file that ``load_pairs`` reads; the same pairs give the same bytes.

    An existing file is replaced, not overwritten in place. So pairs that are mapped from this file do not change, even
    if they are the pairs that are saved.

    NumPy stores texts in an array as wide as the longest text. If a few prompts are so long that this array would be
    far larger than the texts themselves, the prompts are saved as numbers, in the order of first appearance.
    """
    if not isinstance(pairs, PreferencePairs):
        raise TypeError(f"pairs: expected PreferencePairs, got {class_name(pairs)}")
    for name in pairs.feature_names or ():
        if name.endswith("\0"):
            raise ValueError(f"feature_names: expected names that do not end in NUL, which NumPy drops, got {name!r}")
    arrays = {name: np.asarray(values) for name in FIELDS if (values := getattr(pairs, name)) is not None}
    arrays |= {name: index_by_first_appearance(values) for name, values in arrays.items() if values.dtype.kind == "O"}
    path = single.path("path", path).resolve()
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}")
    with replacing(path) as file:  # if given a name, NumPy would add an ending
        np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy's stub takes every name for allow_pickle


def _member(file: BinaryIO, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[np.generic]:
    """Return one array of the archive, after checking its checksum."""
    if info.compress_type != STORED:
        return unpacked_array(archive, info)
    with archive.open(info) as member:
        while member.read(1 << 20):
            pass  # zipfile checks the checksum at the end of a member; np.load stops before the end and never does
    file.seek(info.header_offset + 26)  # bytes 26 to 29 of the header: the lengths of the name and of the extra field
    file.seek(sum(struct.unpack("<2H", file.read(4))), os.SEEK_CUR)
    return map_array(file, file.tell() + info.file_size)
