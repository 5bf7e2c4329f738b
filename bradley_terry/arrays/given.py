"""Arrays of other libraries: tensors of torch and JAX become arrays of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_numpy"]

_SMALL_FLOATS = ("bfloat16", "float8_", "float6_", "float4_")


def as_numpy(values: object, name: str) -> NDArray[np.generic]:
    """Return an array of NumPy for anything that can become one, also for tensors of torch and JAX.

    bfloat16, which NumPy does not have, becomes float32 without loss, as do the floats of fewer bits.
    """
    if hasattr(values, "detach"):
        values = _detached(values)
    elif isinstance(values, list | tuple) and _holds_tensors(values):
        values = [as_numpy(value, name) if isinstance(value, list | tuple) else _detached(value) for value in values]
    elif hasattr(values, "toarray"):
        raise TypeError(f"{name}: expected an array of real numbers, got a sparse matrix; its method toarray makes one")
    try:
        array = np.asanyarray(values)
        if array.dtype.kind == "O" and array.ndim == 1 and all(hasattr(value, "__len__") for value in array):
            rows = [value for value in array if not isinstance(value, str)]  # a column of lists or arrays
            array = np.asanyarray(rows) if len(rows) == len(array) > 0 else array
    except ValueError:
        raise ValueError(f"{name}: expected rows of the same length, got {_lengths(values)}") from None
    is_of_library = array.dtype.isbuiltin == 2  # not one of NumPy's own types, whose names take long to make
    return array.astype(np.float32) if is_of_library and array.dtype.name.startswith(_SMALL_FLOATS) else array


def _holds_tensors(values: list[object] | tuple[object, ...]) -> bool:
    """Return whether there is a tensor of torch anywhere in nested lists."""
    kinds = set(map(type, values))
    if any(hasattr(kind, "detach") for kind in kinds):
        return True
    inner = (value for value in values if isinstance(value, list | tuple))
    return any(issubclass(kind, list | tuple) for kind in kinds) and any(map(_holds_tensors, inner))


def _detached(tensor: Any) -> object:
    """Return a tensor of torch without its gradient, in main memory, dense, and of a type that NumPy has."""
    if not hasattr(tensor, "detach"):
        return tensor
    tensor = tensor.detach().cpu()
    if str(tensor.layout) != "torch.strided":
        tensor = tensor.to_dense()
    return tensor.float() if str(tensor.dtype).removeprefix("torch.").startswith(_SMALL_FLOATS) else tensor


def _lengths(values: object) -> str:
    lengths = [len(row) if hasattr(row, "__len__") else None for row in values]  # type: ignore[attr-defined]
    row = next((i for i, length in enumerate(lengths) if length != lengths[0]), None)
    if row is None:
        return "rows that differ within"
    said = [f"{length} numbers" if length is not None else "one number" for length in (lengths[0], lengths[row])]
    return f"{said[0]} in row 0 and {said[1]} in row {row}"
