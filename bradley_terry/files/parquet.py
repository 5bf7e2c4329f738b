"""Parquet, read with pyarrow if it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from ..arrays.visible import quoted
from .lines import open_file
from .messages import fail, show


def read_records(path: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield (row N, record) for each row, counted from 0."""
    with open_file(path) as file:
        head = file.read(4)
    if head != b"PAR1":
        fail(path, f"expected a Parquet file, found a file that begins with {quoted(head)}")
    try:
        parquet, broken = import_module("pyarrow.parquet"), import_module("pyarrow").ArrowException
    except ImportError:
        hint = 'or convert the file: pandas.read_parquet(path).to_json("pairs.jsonl", orient="records", lines=True)'
        raise ModuleNotFoundError(
            f"{path}: Parquet needs pyarrow; install it with pip install pyarrow, {hint}"
        ) from None
    row = 0
    try:
        with parquet.ParquetFile(path) as file_:
            for batch in file_.iter_batches():
                for record in batch.to_pylist():
                    named = record.items()
                    yield f"row {row}", {name: None if _is_nan(value) else value for name, value in named}
                    row += 1
    except (broken, OSError) as error:
        fail(path, f"expected a Parquet file, found one that cannot be read ({show(str(error))})")
    if not row:
        fail(path, "expected at least one pair, found an empty file")


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and value != value  # noqa: PLR0124  # NaN differs from itself
