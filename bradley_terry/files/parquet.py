"""Parquet, read with pyarrow if it is installed.

A text that many rows repeat is stored once, so a few bytes of a file may stand for gigabytes of text. Texts are
therefore read as dictionaries, which stay as small as they are in the file, and what they would unpack to is counted
before they do.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from ..arrays.visible import quoted, visible
from .archives import readable
from .limits import check_memory, check_unpacked
from .messages import fail
from .objects import RepeatedNameError, refuse_repeated_names
from .opened import EMPTY, open_file, size_of

_ROWS, _FEW_ROWS = 4096, 32  # read at once, with all texts as dictionaries or not
_UNPACKED = 512  # rows that become Python objects at once
_TEXTS = {"NONE", "STRING", "JSON", "ENUM"}  # and not decimal numbers, which are stored in the same way
_SMALL = {
    "PLAIN",
    "PLAIN_DICTIONARY",
    "RLE_DICTIONARY",
    "RLE",
    "BIT_PACKED",
}  # encodings of which it makes dictionaries
_HINT = "write it as JSONL"
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "BYTE_ARRAY": 4}  # bytes of a number; other kinds take 8


def read_records(path: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield (row N, record) for each row, counted from 0."""
    with open_file(path) as file:
        if (head := file.peek(4)[:4]) != b"PAR1":  # type: ignore[attr-defined]
            fail(path, f"expected a Parquet file, found a file that begins with {quoted(head)}")
        try:
            parquet = import_module("pyarrow.parquet")
        except ImportError:
            hint = 'or convert the file: pandas.read_parquet(path).to_json("pairs.jsonl", orient="records", lines=True)'
            raise ModuleNotFoundError(
                f"{visible(str(path))}: Parquet needs pyarrow; install it with pip install pyarrow, {hint}"
            ) from None
        size = size_of(file)
        check_memory(path, size)
        with readable(path, "a Parquet file"):
            opened = parquet.ParquetFile(file)
            names = opened.schema_arrow.names
        try:
            refuse_repeated_names(names, "column names")
        except RepeatedNameError as error:
            fail(path, str(error))
        with readable(path, "a Parquet file"):
            groups = [opened.metadata.row_group(i) for i in range(opened.metadata.num_row_groups)]
            check_unpacked(path, size, sum(group.total_byte_size for group in groups), _HINT)
            # pyarrow ends the process if damaged metadata of a column are asked for, but raises if the column is read.
            for i in range(len(groups)):
                next(opened.iter_batches(1, row_groups=[i]), None)
            metadata = opened.metadata
            announced = _announced(metadata)
        check_unpacked(path, size, announced, _HINT)
        row = unpacked = 0
        with readable(path, "a Parquet file"):
            batches = _batches(parquet, file, metadata)
        while True:
            with readable(path, "a Parquet file"):
                batch = next(batches, None)
                n_bytes = 0 if batch is None else sum(map(_unpacked_size, batch.columns))
            if batch is None:
                break
            unpacked += n_bytes
            check_unpacked(path, size, unpacked, _HINT)
            check_memory(path, n_bytes)
            for start in range(0, len(batch), _UNPACKED):
                with readable(path, "a Parquet file"):
                    some = batch.slice(start, _UNPACKED)
                    columns = [one.dictionary_decode() if hasattr(one, "dictionary") else one for one in some.columns]
                    records = type(batch).from_arrays(columns, names=batch.schema.names).to_pylist()
                for record in records:
                    yield f"row {row}", {name: None if _is_nan(value) else value for name, value in record.items()}
                    row += 1
    if not row:
        fail(path, EMPTY)


def _announced(metadata: Any) -> int:
    """Return how many bytes all numbers take, with 4 bytes for each text, or what the file announces if it is more."""
    n_bytes = 0
    for group in range(metadata.num_row_groups):
        for i in range(metadata.num_columns):
            chunk, column = metadata.row_group(group).column(i), metadata.schema.column(i)
            width = column.length if column.physical_type == "FIXED_LEN_BYTE_ARRAY" else 8
            needed = chunk.num_values * _WIDTHS.get(column.physical_type, width)
            n_bytes += max(needed, chunk.total_uncompressed_size)
    return n_bytes


def _batches(parquet: Any, file: BinaryIO, metadata: Any) -> Iterator[Any]:
    """Yield the rows of each row group, with its texts as dictionaries where pyarrow can do so."""
    columns = [metadata.schema.column(i) for i in range(metadata.num_columns)]
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    encodings = [{name for group in groups for name in group.column(i).encodings} for i in range(len(columns))]
    texts = [
        i for i, one in enumerate(columns) if one.physical_type == "BYTE_ARRAY" and one.logical_type.type in _TEXTS
    ]
    small = [columns[i].path for i in texts if encodings[i] <= _SMALL]
    opened = parquet.ParquetFile(file, read_dictionary=small)
    for group in range(len(groups)):
        yield from opened.iter_batches(_ROWS if len(small) == len(texts) else _FEW_ROWS, row_groups=[group])


def _unpacked_size(array: Any) -> int:
    """Return how many bytes an array takes in which no values share their memory."""
    if hasattr(array, "dictionary"):
        compute = import_module("pyarrow.compute")
        try:
            sizes = compute.binary_length(array.dictionary)
        except NotImplementedError:  # numbers
            return 8 * len(array)
        return compute.sum(compute.cast(sizes.take(array.indices), "int64")).as_py() or 0
    if hasattr(array, "storage"):
        return _unpacked_size(array.storage)
    if hasattr(array, "keys"):
        inner = [array.keys, array.items]
    elif hasattr(array, "flatten"):
        inner = array.flatten()  # the list of what a struct holds, or the one array of what all lists hold
    else:
        return int(array.nbytes)
    return 8 * len(array) + sum(map(_unpacked_size, inner if isinstance(inner, list) else [inner]))


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and value != value  # noqa: PLR0124  # NaN differs from itself
