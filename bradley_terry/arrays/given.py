"""Numbers as a user gives them: lists, data frames, tensors of torch and JAX become plain arrays of NumPy."""

from __future__ import annotations

import array as array_of_python
from numbers import Real
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .visible import class_name, quoted

__all__ = ["as_numpy", "broadcast", "check_broadcast", "float64", "of_shape", "plain", "real", "unmasked", "vector"]
__all__ += ["whole_numbers"]

AnyArray = TypeVar("AnyArray", bound=NDArray[np.generic])

_FLOAT64 = np.dtype(np.float64)
_MASKED = "expected a plain array, got a masked array; remove the masked entries first"
_SMALL_FLOATS = ("bfloat16", "float8_", "float6_", "float4_")


def real(values: object, name: str, wanted: str = "real numbers, got an array of") -> NDArray[Any]:
    """Return real numbers as a plain array of any shape and real dtype.

    Raises
    ------
    TypeError, ValueError
        For what only looks like numbers: texts, dates, complex numbers, other objects, and arrays with masked entries.
    """
    if type(values) is np.ndarray and values.dtype.kind in "fiub" and values.dtype.itemsize <= 8:
        return values
    if type(values) is float:
        return np.asarray(values)
    array = plain(values, name)
    if array.dtype.kind not in "fiub":
        if array.ndim == 0 and array.dtype.kind in "OSU":
            raise TypeError(f"{name}: expected real numbers, got {quoted(values)}")
        raise TypeError(f"{name}: expected {wanted} dtype {array.dtype}")
    return array if array.dtype.itemsize <= 8 else _as_doubles(array, name)  # a longdouble may be too large


def unmasked(array: NDArray[np.generic], name: str) -> NDArray[Any]:
    """Return an array without a class of its own, or raise TypeError if entries are masked."""
    if np.ma.is_masked(array) or (array.dtype.kind == "O" and _is_masked_within(list(array.flat))):
        raise TypeError(f"{name}: {_MASKED}")
    return np.asarray(array)


def of_shape(shape: tuple[int, ...], array: AnyArray, name: str) -> AnyArray:
    """Return the array, or raise ValueError if it has another shape."""
    if array.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {array.shape}")
    return array


def broadcast(**arrays: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return named arrays with one shape, as read-only views, or raise ValueError if their shapes do not fit."""
    check_broadcast(**arrays)
    return np.broadcast_arrays(*arrays.values())


def check_broadcast(**arrays: NDArray[np.float64]) -> None:
    """Raise ValueError if the shapes of named arrays do not fit together."""
    try:
        np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        *first, last = (f"{name} {array.shape}" for name, array in arrays.items())
        said = f"{', '.join(first)} and {last}".replace(" ", " has shape ", 1)
        raise ValueError(f"{said}: expected shapes that match") from None


def plain(values: object, name: str) -> NDArray[Any]:
    """Return an array of any dtype without masked entries; objects become numbers if all of them are."""
    try:
        array = unmasked(as_numpy(values, name), name)
    except ValueError:
        raise ValueError(f"{name}: expected real numbers, got lists of different lengths") from None
    return _numbers_of(array, name) if array.dtype.kind == "O" else array


def float64(values: object, name: str, shape: tuple[int, ...] | None = None) -> NDArray[np.float64]:
    """Return real numbers as float64, without a copy if they are; NaN and infinities are allowed."""
    array: NDArray[np.float64]
    if type(values) is np.ndarray and values.dtype is _FLOAT64:
        array = values  # the common case
    else:
        array = real(values, name).astype(np.float64, copy=False)
    return array if shape is None or array.shape == shape else of_shape(shape, array, name)


def vector(values: object, name: str) -> NDArray[np.float64]:
    """Return at least one number as float64, (n,)."""
    array = float64(values, name)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name}: expected shape (n,) with at least one number, got {array.shape}")
    return array


def whole_numbers(values: object, name: str, n: int | None = None) -> NDArray[np.int64]:
    """Return whole numbers from 0 to 2³¹ - 1 as int64, (n,)."""
    array = real(values, name)
    if array.ndim != 1 or (n is not None and array.size != n):
        raise ValueError(f"{name}: expected shape ({'n' if n is None else n},), got {array.shape}")
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"{name}: expected whole numbers, got dtype {array.dtype}")
    if array.size and not (array.min() >= 0 and array.max() < 2**31):
        raise ValueError(f"{name}: expected whole numbers from 0 to 2³¹ - 1, got {array.min()} to {array.max()}")
    return array.astype(np.int64, copy=False)


def as_numpy(values: object, name: str) -> NDArray[np.generic]:
    """Return an array of NumPy for anything that can become one, also for tensors of torch and JAX.

    bfloat16, which NumPy does not have, becomes float32 without loss, as do the floats of fewer bits.
    """
    try:
        return _as_numpy(values, name)
    except (TypeError, ValueError) as error:
        if str(error).startswith(f"{name}: "):
            raise
        raise TypeError(f"{name}: expected real numbers, got {quoted(values)}") from error
    except Exception as error:  # whatever the methods of a foreign object raise
        raise TypeError(f"{name}: expected real numbers, got {class_name(values)}, which NumPy cannot read") from error


def _as_numpy(values: object, name: str) -> NDArray[np.generic]:
    mixed = None
    if _is_of_bytes(values):
        raise TypeError(f"{name}: expected real numbers, got {quoted(values)}")
    if hasattr(values, "detach"):
        values = _detached(values)
    elif isinstance(values, list | tuple):
        kinds = _kinds_in(values)
        if _is_masked_within(values, kinds):
            raise TypeError(f"{name}: {_MASKED}")
        if any(issubclass(kind, bytearray | memoryview) for kind in kinds):
            bad = _first_of_bytes(values)
            if bad is not None:
                raise TypeError(f"{name}: expected real numbers, got {quoted(bad)}")
        if any(hasattr(kind, "detach") for kind in kinds):
            values = [as_numpy(one, name) if isinstance(one, list | tuple) else _detached(one) for one in values]
        if len(kinds) > 1 and any(issubclass(kind, str) for kind in kinds):
            mixed = np.object_  # NumPy would write NaN and other numbers as texts
    elif hasattr(values, "toarray"):
        raise TypeError(f"{name}: expected an array of real numbers, got a sparse matrix; its method toarray makes one")
    try:
        array = np.asanyarray(values, dtype=mixed)
    except ValueError:
        raise ValueError(f"{name}: expected rows of the same length, got {_lengths(values)}") from None
    if array.dtype.kind == "O" and array.ndim == 1 and array.size and not isinstance(values, list):
        rows = list(array)  # if this is a column of lists or arrays
        return _as_numpy(rows, name) if all(map(_is_row, rows)) else array
    is_of_library = array.dtype.isbuiltin == 2  # not one of NumPy's own types, whose names take long to make
    return array.astype(np.float32) if is_of_library and array.dtype.name.startswith(_SMALL_FLOATS) else array


def _is_of_bytes(value: object) -> bool:
    """Return whether this holds raw bytes, such as a bytearray, which NumPy would take for the numbers 0 to 255."""
    if isinstance(value, bytearray):
        return True
    if isinstance(value, memoryview):
        return value.format in {"B", "b", "c"} and not isinstance(value.obj, np.ndarray | array_of_python.array)
    return False


def _first_of_bytes(values: list[object] | tuple[object, ...]) -> object:
    """Return the first thing in nested lists that holds raw bytes, or None."""
    found = (_first_of_bytes(one) if isinstance(one, list | tuple) else one for one in values)
    return next((one for one in found if _is_of_bytes(one)), None)


def _is_row(value: object) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str)


def _numbers_of(array: NDArray[np.generic], name: str) -> NDArray[np.generic]:
    """Return the numbers in an array of objects, such as a column of pandas; the array itself if not all are.

    True and False become a mask, as they do in a list.
    """
    kinds = set(map(type, array.flat))
    if not all(issubclass(kind, Real | np.bool_) and not issubclass(kind, np.timedelta64) for kind in kinds):
        return array
    if kinds and kinds <= {bool, np.bool_}:
        return array.astype(np.bool_)
    if kinds and all(issubclass(kind, int | np.integer) for kind in kinds):
        try:
            return array.astype(np.int64)
        except OverflowError:
            pass  # as floats, they lose digits, as they do in a list of NumPy
    return _as_doubles(array, name)


def _as_doubles(array: NDArray[np.generic], name: str) -> NDArray[np.float64]:
    """Return numbers as float64; refuse those that are finite and too large for it."""
    try:
        with np.errstate(over="raise", under="ignore"):
            return array.astype(np.float64)
    except (OverflowError, FloatingPointError):
        raise ValueError(f"{name}: expected numbers that a float64 can hold, got larger ones") from None
    except Exception as error:  # whatever the methods of a foreign number raise
        raise TypeError(f"{name}: expected real numbers, got some that NumPy cannot read") from error


def _kinds_in(values: list[object] | tuple[object, ...]) -> set[type]:
    """Return the types of everything in nested lists, the lists left out."""
    kinds = set(map(type, values))
    inner = {kind for kind in kinds if issubclass(kind, list | tuple)}
    if not inner:
        return kinds
    return (kinds - inner).union(*(_kinds_in(value) for value in values if isinstance(value, list | tuple)))


def _is_masked_within(values: list[Any] | tuple[Any, ...], kinds: set[type] | None = None) -> bool:
    """Return whether anything in nested lists, of these types, is masked."""
    if not any(issubclass(kind, np.ma.MaskedArray) for kind in (_kinds_in(values) if kinds is None else kinds)):
        return False
    return any(_is_masked_within(one) if isinstance(one, list | tuple) else np.ma.is_masked(one) for one in values)


def _detached(tensor: Any) -> object:
    """Return a tensor of torch without its gradient, in main memory, dense, and of a type that NumPy has."""
    if not hasattr(tensor, "detach"):
        return tensor
    tensor = tensor.detach().cpu()
    if str(tensor.layout) != "torch.strided":
        tensor = tensor.to_dense()
    return tensor.float() if str(tensor.dtype).removeprefix("torch.").startswith(_SMALL_FLOATS) else tensor


def _lengths(values: object) -> str:
    if not isinstance(values, list | tuple):
        return quoted(values)
    lengths = [len(row) if hasattr(row, "__len__") else None for row in values]
    row = next((i for i, length in enumerate(lengths) if length != lengths[0]), None)
    if row is None:
        return "rows that differ within"
    said = [f"{length} numbers" if length is not None else "one number" for length in (lengths[0], lengths[row])]
    return f"{said[0]} in row 0 and {said[1]} in row {row}"
