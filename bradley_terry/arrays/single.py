"""Single numbers, switches, names and paths as a user gives them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from os import PathLike, fsencode, fspath
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from .visible import class_name, quoted

__all__ = [
    "Seed",
    "function",
    "generator",
    "is_missing",
    "is_whole",
    "names",
    "number",
    "one_of",
    "path",
    "seed",
    "switch",
    "text",
    "texts",
    "whole",
    "written",
]

Seed = int | np.random.Generator


def number(value: object) -> float:
    """Return a single real number as a float, and NaN for anything else, which every comparison then refuses."""
    if not (is_whole(value) or isinstance(value, float | np.floating)):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # an integer beyond the largest float
        return math.inf if value > 0 else -math.inf


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether this is a single whole number; True is none, and neither is a timedelta64 of NumPy."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.timedelta64)


def whole(name: str, value: object, least: int = 1, below: float = 2**63) -> int:
    """Return a whole number, or raise ValueError unless it is at least ``least`` and fits into 64 bits."""
    if not is_whole(value) or not least <= value < below:
        limits = f"below {_said(below)}" if is_whole(value) and value >= below else f"of at least {least}"
        raise ValueError(f"{name}: expected a whole number {limits}, got {quoted(value)}")
    return int(value)


def _said(limit: float) -> str:
    return "2**63" if limit == 2**63 else str(limit)


def seed(value: object, name: str = "seed") -> int:
    """Return the seed of a random generator, or raise ValueError unless it is a whole number of at least 0."""
    return whole(name, value, 0, math.inf)


def generator(value: object, name: str = "rng") -> np.random.Generator:
    """Return a random generator, from a seed if that is what was given.

    None is refused, since nobody could repeat the result.
    """
    if isinstance(value, np.random.Generator | np.random.BitGenerator | np.random.SeedSequence):
        return np.random.default_rng(value)
    if not is_whole(value) or value < 0:
        wanted = "a whole number of at least 0 or a numpy.random.Generator"
        raise ValueError(f"{name}: expected {wanted}, got {quoted(value)}")
    return np.random.default_rng(value)


def text(name: str, value: object) -> str:
    """Return a text, or raise TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a text, got {quoted(value)}")
    return value


def written(name: str, value: object) -> str:
    """Return what ``str`` says of a name, or raise TypeError if it fails."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # their __str__ may raise anything
        raise TypeError(f"{name}: expected names that can be written as a text, got {quoted(value)}") from None


def is_missing(value: object) -> bool:
    """Return whether this is None, NaN, NaT, or the missing value of pandas."""
    if value is None or class_name(value) in {"NAType", "NaTType"}:
        return True
    return isinstance(value, float | complex | np.number | np.datetime64) and bool(value != value)  # noqa: PLR0124


def function(name: str, value: object) -> None:
    """Raise TypeError unless this can be called."""
    if not callable(value):
        raise TypeError(f"{name}: expected a function, got {quoted(value)}")


def names(name: str, values: object) -> list[Any]:
    """Return the items of a sequence, or raise TypeError for what is none, such as a single text, a set or a dict.

    The order of a set changes from run to run, and that of a dict of numbers need not be the order of its numbers.
    """
    try:
        is_other = isinstance(values, str | bytes | set | frozenset | Mapping)
        found = None if is_other else list(values)  # type: ignore[call-overload]
    except Exception:  # noqa: BLE001  # whatever the methods of a foreign object raise
        found = None
    if found is None:
        what = "one string" if isinstance(values, str) else quoted(values)
        raise TypeError(f"{name}: expected a sequence of names, got {what}")
    return found


def texts(name: str, values: object) -> list[str]:
    """Return a sequence of names as texts; whole numbers, as of the columns of a data frame, become texts.

    Anything else is refused, since what ``str`` says of None, bytes, a tuple or a masked entry is no name.
    """
    found = names(name, values)
    for place, one in enumerate(found):
        if not (isinstance(one, str) or is_whole(one)):
            raise TypeError(f"{name}: expected a sequence of texts, got {quoted(one)} in place {place}")
    return [written(name, one) for one in found]


def path(name: str, value: object) -> Path:
    """Return a path, or raise an error if no file or folder can have this name."""
    try:
        place = fspath(value) if isinstance(value, str | PathLike) else b""
    except Exception:  # noqa: BLE001  # their __fspath__ may raise anything
        place = b""
    if not isinstance(place, str):
        raise TypeError(f"{name}: expected a str or a Path, got {quoted(value)}")
    try:
        is_possible = place != "" and b"\0" not in fsencode(place)
    except UnicodeEncodeError:
        is_possible = False
    if not is_possible:
        raise ValueError(f"{name}: expected the name of a file, got {quoted(value)}")
    return Path(place)


def switch(name: str, value: object) -> bool:
    """Return True or False, also for 1 or 0, or raise TypeError for anything else."""
    if not (isinstance(value, bool | np.bool_) or is_whole(value)) or value not in (0, 1):
        raise TypeError(f"{name}: expected True or False, got {quoted(value)}")
    return bool(value)


def one_of(name: str, value: object, names: Sequence[str]) -> str:
    """Return one of these names, or raise ValueError for anything else."""
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"{name}: expected one of {', '.join(names)}, got {quoted(value)}")
    return value
