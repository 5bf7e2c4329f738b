"""What was given to a fit, in a few words for JSON: two fits with equal words have equal data and options.

An object is taken apart as ``pickle`` would do it, but nothing is ever put together again. So it counts with its class
and its whole state: its attributes and slots, the arguments of a ``functools.partial``, the object of a bound method. A
function counts with its code, its defaults and the values in its closure. A class counts with its name, and with its
methods if it is defined within a function or in the main program. What a function reads from its module is left out.
"""

from __future__ import annotations

import copyreg
import hashlib
import json
import math
from collections.abc import Mapping
from functools import cached_property
from types import CodeType, FunctionType, ModuleType

import numpy as np
from numpy.typing import NDArray

from ..arrays.frozen import blocks_of
from ..arrays.visible import visible

__all__ = ["described", "identity_of"]

Within = tuple[int, ...]  # the identities of the objects that the present one is a part of


def identity_of(options: Mapping[str, object]) -> dict[str, object]:
    """Describe each of these arguments.

    Raises
    ------
    TypeError
        If one of them contains what cannot be compared with that of another process, such as an open file.
    """
    identity = {}
    for name, value in options.items():
        try:
            identity[name] = described(value)
        except (TypeError, RuntimeError) as error:  # also if objects lie too deep within others
            raise TypeError(
                f"{name}: expected numbers, texts, arrays, functions, or objects made of these, since a checkpoint "
                f"compares them with those of the next call, got something else ({visible(str(error), 300)})"
            ) from None
    return identity


def described(value: object, within: Within = ()) -> object:
    """Return what JSON can hold: an array as its SHA-256, an object as its class and its state."""
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or isinstance(plain, bool | int | float | str):
        return repr(plain) if isinstance(plain, float) and not math.isfinite(plain) else plain
    if id(plain) in within:
        return {"part of itself": within.index(id(plain))}
    return _of_object(plain, (*within, id(plain)))


def _of_object(value: object, within: Within) -> object:
    found: object
    if isinstance(value, list | tuple):
        found = [described(part, within) for part in value]
    elif isinstance(value, set | frozenset):
        found = {"set": sorted(json.dumps(described(part, within)) for part in value)}
    elif isinstance(value, dict):
        items = [[described(key, within), described(part, within)] for key, part in value.items()]
        found = {"dict": sorted(items, key=json.dumps)}
    elif isinstance(value, bytes):
        found = {"bytes": hashlib.sha256(value).hexdigest()}
    elif isinstance(value, type):
        found = {"class": _named(value), **_methods(value, within)}
    elif isinstance(value, FunctionType | CodeType):
        found = _of_code(value, within)
    elif isinstance(value, ModuleType):
        found = {"module": value.__name__}
    elif hasattr(value, "__array__"):
        found = _digest(np.asarray(value))
    elif hasattr(value, "py_func"):  # compiled by Numba
        found = {"compiled": described(value.py_func, within)}
    else:
        found = _taken_apart(value, within)
    return found


def _named(value: type | FunctionType) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _taken_apart(value: object, within: Within) -> object:
    """Describe an object by its class, the arguments that make it, and its state."""
    try:
        registered = copyreg.dispatch_table.get(type(value))  # for example for the functions of NumPy
        parts = value.__reduce_ex__(4) if registered is None else registered(value)
    except Exception:  # noqa: BLE001  # an object may define how it is taken apart
        raise TypeError(f"a {_named(type(value))}") from None
    if isinstance(parts, str):  # the name of something that its module holds
        inner = described(getattr(value, "__wrapped__", None), within)
        return {"name": f"{getattr(value, '__module__', None)}.{parts}", "of": _named(type(value)), "wraps": inner}
    make, arguments, state, *items = (*parts, None)[:5]
    kind, contents = type(value), [list(part) for part in items if part is not None]
    states = [_stored(kind, part) for part in (state if isinstance(state, tuple) else (state,))]
    return {"object": _named(kind), "by": described([make, arguments, states, contents], within)}


def _stored(kind: type, state: object) -> object:
    """Return the state without what was only computed from it."""
    if not isinstance(state, dict):
        return state
    return {name: part for name, part in state.items() if not isinstance(getattr(kind, name, None), cached_property)}


def _methods(kind: type, within: Within) -> dict[str, object]:
    """Describe the methods and the numbers of a class that has no lasting name of its own."""
    if kind.__module__ != "__main__" and "<locals>" not in kind.__qualname__:
        return {}
    found: dict[str, object] = {"bases": [described(base, within) for base in kind.__bases__]}
    for name, value in vars(kind).items():
        part = getattr(value, "__func__", getattr(value, "fget", value))
        is_written = isinstance(part, FunctionType) and part.__code__.co_filename != "<string>"  # not by ``dataclass``
        if is_written or (isinstance(part, bool | int | float | str) and not name.startswith("__")):
            found[name] = described(part, within)
    return found


def _of_code(value: FunctionType | CodeType, within: Within) -> object:
    """Describe a function, or the code of one, by its name and the SHA-256 of everything else."""
    parts: list[object]
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if not _is_empty(cell)]
        name, parts = _named(value), [value.__code__, value.__defaults__, value.__kwdefaults__, cells]
    else:
        name, parts = value.co_name, [value.co_code, value.co_consts, value.co_names]
    return {"function": name, "by": hashlib.sha256(json.dumps(described(parts, within)).encode()).hexdigest()}


def _is_empty(cell: object) -> bool:
    try:
        cell.cell_contents  # type: ignore[attr-defined]  # noqa: B018  # it raises if no value was given yet
    except ValueError:
        return True
    return False


def _digest(array: NDArray[np.generic]) -> str:
    """Return the SHA-256 of the type, the shape and the numbers, read in blocks."""
    whole = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    rows = array.reshape(1) if array.ndim == 0 else array
    for block in blocks_of(rows):
        part = np.ascontiguousarray(rows[block])
        whole.update(json.dumps(described(part.tolist())).encode() if part.dtype.hasobject else part.tobytes())
    return whole.hexdigest()
