"""Records in memory: a list of dicts, a pandas or polars data frame, a pyarrow table, a Hugging Face data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from ..arrays.checked import as_numpy

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
    if is_frame(records) and hasattr(records, "iloc"):
        rows: object = records.to_dict("records")  # type: ignore[attr-defined]
    elif hasattr(records, "to_dicts"):
        rows = records.to_dicts()
    elif hasattr(records, "to_pylist"):
        rows = records.to_pylist()
    else:
        rows = records
    wanted = "records: expected a data frame or a list of dicts, one for each pair"
    if isinstance(rows, Mapping | str | bytes) or not isinstance(rows, Iterable):
        hint = "; pandas.DataFrame(records) makes a frame of columns" if isinstance(rows, Mapping) else ""
        raise TypeError(f"{wanted}, got {type(records).__name__}{hint}")
    if isinstance(rows, np.ndarray) and rows.ndim == 0:
        raise TypeError(f"{wanted}, got an array without an axis")
    row = -1
    for row, record in enumerate(rows):  # row tells below whether there was any
        if not isinstance(record, Mapping):
            raise TypeError(f"{wanted}, got {type(record).__name__} in row {row}")
        yield f"row {row}", {str(name): _value(value) for name, value in record.items()}
    if row < 0:
        raise ValueError(f"{wanted}, got none")


def _value(value: object) -> object:
    """Return lists and numbers for arrays, tensors and tuples, and None for NA, NaT and NaN."""
    if isinstance(value, str | dict | int):
        return value
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else value
    if type(value).__name__ in {"NAType", "NaTType"}:
        return None
    return _plain(value)


def _plain(value: object) -> object:
    """Return lists and numbers for arrays and tensors, also where they are within a list; NaN stays NaN."""
    if hasattr(value, "__array__") and not isinstance(value, np.generic):
        return as_numpy(value, "records").tolist()
    if isinstance(value, tuple) or (isinstance(value, list) and any(map(_holds_arrays, set(map(type, value))))):
        return [_plain(one) for one in value]
    return value


def _holds_arrays(kind: type) -> bool:
    return issubclass(kind, list | tuple) or (hasattr(kind, "__array__") and not issubclass(kind, np.generic))
