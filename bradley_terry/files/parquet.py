"""Parquet, read with pyarrow if it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from ..arrays.visible import quoted, visible
from .archives import readable
from .limits import check_memory, check_unpacked
from .messages import fail
from .opened import EMPTY, open_file, size_of

_ROWS = 512  # read at once; a few bytes can stand for many long texts


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
        check_memory(path, size_of(file))
        row = unpacked = 0
        batches = None
        while True:
            with readable(path, "a Parquet file"):
                if batches is None:
                    batches = parquet.ParquetFile(file).iter_batches(_ROWS)
                batch = next(batches, None)
            if batch is None:
                break
            unpacked += batch.nbytes
            check_unpacked(path, size_of(file), unpacked, "write it as JSONL")
            with readable(path, "a Parquet file"):
                records = batch.to_pylist()
            for record in records:
                yield f"row {row}", {name: None if _is_nan(value) else value for name, value in record.items()}
                row += 1
    if not row:
        fail(path, EMPTY)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and value != value  # noqa: PLR0124  # NaN differs from itself
