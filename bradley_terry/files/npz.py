"""NPZ: the fields of pairs or rankings as arrays in one file; ``save_pairs`` writes this format."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..arrays import single
from ..arrays.checked import index_by_first_appearance
from ..pairs import PreferencePairs
from .arrays import FIELDS, map_array, pairs_of_arrays, rankings_of_arrays
from .lines import open_file
from .messages import fail, show

if TYPE_CHECKING:
    import zipfile

    from ..ranking.rankings import PreferenceRankings


def read_pairs(path: Path) -> PreferencePairs:
    """Make pairs of the arrays of an NPZ file."""
    return pairs_of_arrays(path, _arrays(path))


def read_rankings(path: Path) -> PreferenceRankings:
    """Make rankings of the arrays of an NPZ file."""
    return rankings_of_arrays(path, _arrays(path))


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """Map the arrays of an NPZ file that are stored uncompressed, and read those that are compressed."""
    import zipfile  # noqa: PLC0415

    with open_file(path) as file:
        if not (head := file.read(8)).startswith(b"PK"):
            fail(path, f"expected an NPZ file of arrays, found a file that begins with {head!r}")
        try:
            with zipfile.ZipFile(file) as archive:
                found = archive.namelist()
                arrays = (
                    {}
                    if "meta.json" in found
                    else {
                        info.filename.removesuffix(".npy"): _member(file, archive, info) for info in archive.infolist()
                    }
                )
        except Exception as error:  # noqa: BLE001  # damaged bytes can fail in zip, zlib, struct, tokenize, …
            fail(path, f"expected an NPZ file of plain arrays, found one that cannot be read ({show(str(error))})")
    if "meta.json" in found:
        fail(path, "expected pairs, found a saved model; bradley-terry evaluate MODEL DATA reads both", None)
    if "xl/workbook.xml" in found:
        fail(path, "expected an NPZ file, found a spreadsheet; save it as CSV")
    return arrays


def save_pairs(pairs: PreferencePairs, path: str | Path) -> None:
    """Write pairs to an NPZ file that ``load_pairs`` reads; the same pairs give the same bytes.

    An existing file is replaced, not overwritten in place. So pairs that are mapped from it, perhaps these very pairs,
    do not change.

    NumPy stores texts in an array as wide as the longest. If the prompts are texts of which a few are so long that this
    array would be far larger than the texts, their numbers are saved instead, in the order of first appearance.
    """
    if not isinstance(pairs, PreferencePairs):
        raise TypeError(f"pairs: expected PreferencePairs, got {type(pairs).__name__}")
    arrays = {name: np.asarray(values) for name in FIELDS if (values := getattr(pairs, name)) is not None}
    arrays |= {name: index_by_first_appearance(values) for name, values in arrays.items() if values.dtype.kind == "O"}
    path = single.path("path", path).resolve()
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}")
    is_new = not path.exists()
    written = path.with_name(f"{path.name}.{os.getpid()}.partial") if is_new or path.is_file() else path
    try:
        with written.open("wb" if written == path else "xb") as file:  # if given a name, NumPy would add an ending
            np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy's stub takes every name for allow_pickle
        if written != path:
            if not is_new:
                written.chmod(path.stat().st_mode & 0o7777)  # a private file stays private
            written.replace(path)
    except BaseException:
        if written != path:
            written.unlink(missing_ok=True)
        raise


def _member(file: BinaryIO, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[np.generic]:
    """Return one array of the archive, after checking its checksum."""
    if info.compress_type != 0:  # 0 is zipfile.ZIP_STORED: the bytes are stored uncompressed
        return np.lib.format.read_array(io.BytesIO(archive.read(info)), allow_pickle=False)
    with archive.open(info) as member:
        while member.read(1 << 20):
            pass  # zipfile checks the checksum at the end of a member; np.load stops before the end and never does
    file.seek(info.header_offset + 26)  # bytes 26 to 29 of the header: the lengths of the name and of the extra field
    file.seek(sum(struct.unpack("<2H", file.read(4))), os.SEEK_CUR)
    return map_array(file, file.tell() + info.file_size)
