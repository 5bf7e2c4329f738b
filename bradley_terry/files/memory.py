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
    """Yield (row N, record) for each record, counted from 0; missing values of a frame become None."""
    frame = is_frame(records)
    if frame and hasattr(records, "iloc"):
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
    row = -1
    for row, record in enumerate(rows):  # row tells below whether there was any
        if not isinstance(record, Mapping):
            raise TypeError(f"{wanted}, got {type(record).__name__} in row {row}")
        yield f"row {row}", {str(name): _value(value, frame) for name, value in record.items()}
    if row < 0:
        raise ValueError(f"{wanted}, got none")


def _value(value: object, frame: bool) -> object:
    """Return lists for arrays and tuples, and None for NA, NaT, and for the NaN of a frame."""
    if isinstance(value, np.ndarray | tuple):
        return [_value(one, False) for one in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if hasattr(value, "__array__") and getattr(value, "ndim", None):
        return as_numpy(value, "records").tolist()  # a tensor
    if type(value).__name__ in {"NAType", "NaTType"}:
        return None
    if frame and isinstance(value, float) and value != value:  # noqa: PLR0124  # NaN differs from itself
        return None
    return value
