"""Records in memory: a list of dicts, a pandas or polars data frame, a pyarrow table, a Hugging Face data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from numbers import Number

import numpy as np

from ..arrays.checked import as_numpy
from ..arrays.single import is_missing
from ..arrays.visible import class_name, quoted
from .messages import fail
from .objects import RepeatedNameError, refuse_repeated_names

__all__ = ["is_frame", "is_table", "records_of"]

Records = Iterable[Mapping[str, object]]


def is_frame(records: object) -> bool:
    """Return whether this is a table with columns, in which every missing value is NaN or NA."""
    return hasattr(records, "columns") and hasattr(records, "to_dict")


def is_table(records: object) -> bool:
    """Return whether this is a table of any library, in which a word may be the name of an item."""
    return is_frame(records) or hasattr(records, "to_dicts") or hasattr(records, "to_pylist")


def records_of(records: object) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield (row N, record) for each record, counted from 0; missing values become None."""
    columns: object = getattr(records, "columns" if is_frame(records) else "column_names", None)
    try:
        if isinstance(columns, Iterable) and not isinstance(columns, str):
            refuse_repeated_names(columns, "column names")
    except RepeatedNameError as error:
        fail("records", str(error))
    if is_frame(records) and hasattr(records, "iloc"):
        rows: object = records.to_dict("records")  # type: ignore[attr-defined]
    elif hasattr(records, "to_dicts"):
        rows = records.to_dicts()
    elif hasattr(records, "to_pylist"):
        try:
            rows = records.to_pylist()
        except ValueError as error:  # as for an object with two fields of one name
            fail("records", f"expected a table that can be read, found one that cannot ({error})")
    else:
        rows = records
    wanted = "records: expected a data frame or a list of dicts, one for each pair"
    if isinstance(rows, Mapping | str | bytes) or not isinstance(rows, Iterable):
        hint = "; pandas.DataFrame(records) makes a frame of columns" if isinstance(rows, Mapping) else ""
        raise TypeError(f"{wanted}, got {class_name(records)}{hint}")
    if isinstance(rows, np.ndarray) and rows.ndim == 0:
        raise TypeError(f"{wanted}, got an array without an axis")
    row = -1
    for row, record in enumerate(rows):  # row tells below whether there was any
        if not isinstance(record, Mapping):
            raise TypeError(f"{wanted}, got {class_name(record)} in row {row}")
        yield f"row {row}", _record(row, record)
    if row < 0:
        raise ValueError(f"{wanted}, got none")


def _record(row: int, record: Mapping[str, object]) -> dict[str, object]:
    """Return a record as a dict of plain values, or fail if a method of an object in it does."""
    try:
        if len(named := {str(name): _value(value) for name, value in record.items()}) < len(record):
            refuse_repeated_names(record)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # noqa: BLE001  # their methods may raise anything
        said = f"expected a record that can be read, found one that raises {class_name(error)}"
        if isinstance(error, ValueError | TypeError) and str(error).startswith("records: "):
            said = str(error).removeprefix("records: ")
        if isinstance(error, RepeatedNameError):
            said = str(error)
        fail("records", said, f"row {row}")
    return named


def _value(value: object) -> object:
    """Return lists and numbers for arrays, tensors and tuples, and None for NA, NaT and NaN."""
    return None if isinstance(value, float | np.generic) and is_missing(value) else _plain(value)


def _plain(value: object) -> object:  # noqa: PLR0911
    """Return lists, dicts with texts as names, and values that JSON could hold; other objects become ``Other``."""
    if type(value) in _PLAIN or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return _named(value)
    if isinstance(value, list | tuple):
        return value if type(value) is list and set(map(type, value)) <= _PLAIN else list(map(_plain, value))
    if hasattr(value, "__array__") and not isinstance(value, np.generic):
        return _plain(as_numpy(value, "records").tolist())
    if is_missing(value):
        return None
    if isinstance(value, np.generic):
        return _of_numpy(value)
    return value if isinstance(value, Number) else Other(value)


def _of_numpy(value: np.generic) -> object:
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.floating):
        return float(value)
    return int(value) if isinstance(value, np.integer) and not isinstance(value, np.timedelta64) else Other(value)


def _named(values: Mapping[object, object]) -> Mapping[object, object]:
    if set(map(type, values)) <= {str} and set(map(type, values.values())) <= _PLAIN:
        return values
    named: dict[object, object] = dict(zip(map(str, values), map(_plain, values.values()), strict=True))
    if len(named) < len(values):
        raise ValueError("records: expected different names, found two that are written alike")
    return named


_PLAIN = {str, int, float, bool, type(None)}


class Other:
    """Any other object, such as a date: it has a text, even if its own methods raise exceptions."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        try:
            return str(self._value)
        except Exception:  # noqa: BLE001  # their __str__ may raise anything
            return quoted(self._value)

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Other) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))
