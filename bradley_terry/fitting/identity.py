"""What was given to a fit, in a few words for JSON: two fits with equal words have equal data and options."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..arrays.frozen import blocks_of

__all__ = ["described"]

DEEPEST = 10  # objects within objects


def described(value: object, depth: int = 0) -> object:
    """Return what JSON can hold: an array as its SHA-256, an object as the name of its class and its attributes."""
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or isinstance(plain, bool | int | float | str):
        return plain
    if hasattr(plain, "__array__"):
        return _digest(np.asarray(plain))
    if isinstance(plain, list | tuple):
        return [described(part, depth + 1) for part in plain]
    named = plain if hasattr(plain, "__qualname__") else type(plain)  # a function or a class, or that of the object
    name = f"{named.__module__}.{named.__qualname__}"
    return {"": name} if named is plain or depth > DEEPEST else {"": name, **_attributes(plain, depth)}


def _attributes(value: object, depth: int) -> dict[str, object]:
    if isinstance(value, dict):
        found = {str(name): part for name, part in value.items()}
    elif is_dataclass(value):
        found = {field.name: getattr(value, field.name) for field in fields(value)}
    else:
        found = vars(value) if hasattr(value, "__dict__") else {"": repr(value)}
    kept = [name for name in found if not isinstance(getattr(type(value), name, None), cached_property)]
    return {name: described(found[name], depth + 1) for name in kept}


def _digest(array: NDArray[np.generic]) -> str:
    """Return the SHA-256 of the type, the shape and the numbers, read in blocks."""
    whole = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    rows = array.reshape(1) if array.ndim == 0 else array
    for block in blocks_of(rows):
        part = np.ascontiguousarray(rows[block])
        whole.update(repr(part.tolist()).encode() if part.dtype.hasobject else part.tobytes())
    return whole.hexdigest()
