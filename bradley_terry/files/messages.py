"""Errors in files: one sentence gives the path, the line, what was expected and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from ..arrays.visible import quoted, visible
from ..pairs import PreferencePairs

if TYPE_CHECKING:
    from ..ranking.rankings import PreferenceRankings

LONGEST = 1000  # characters of a sentence, which may quote names

# The numbers that a row may have: name of a field in a file -> field of the pairs.
NUMBERS = {"label": "labels", "weight": "weights", "target_margin": "target_margins"}


def fail(path: Path | str, sentence: str, place: int | str | None = None) -> NoReturn:
    """Raise a ValueError with the message "path: line N: sentence". A number as ``place`` is that of a line."""
    where = f"line {place}" if isinstance(place, int) else place
    begin = f"{path}: " if where is None else f"{path}: {where}: "
    raise ValueError(visible(begin, LONGEST) + visible(sentence, LONGEST)) from None


def show(value: object) -> str:
    """Write a value as JSON, and cut it to a readable length."""
    import json  # noqa: PLC0415

    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):  # JSON has no tuples as names, and Python writes no number of 5000 digits
        text = quoted(value)
    text = visible(text[:61])
    return text if len(text) <= 60 else f"{text[:57]}..."


def listed(names: Iterable[object]) -> str:
    """Join names with commas, and cut the result to a readable length."""
    text = visible(", ".join(map(str, names))[:201]) or "none"
    return text if len(text) <= 200 else f"{text[:197]}..."


def is_number(value: object) -> bool:
    """Return whether this is a real number, and not True or False."""
    return isinstance(value, Number) and not isinstance(value, bool | complex | np.complexfloating | np.timedelta64)


def are_numbers(values: Sequence[object]) -> bool:
    """Return whether these are numbers, of which some may be missing."""
    return any(map(is_number, values)) and all(one is None or is_number(one) for one in values)


def is_vector(value: object) -> bool:
    """Return whether this is a list of numbers, of which some may be missing."""
    return isinstance(value, list) and are_numbers(value)


def as_number(value: object) -> float:
    """Return a number, or a text of digits, as a float; NaN if it is neither."""
    try:
        if isinstance(value, str):
            return float("nan") if "_" in value else float(value)
        return float(value) if is_number(value) else float("nan")  # type: ignore[arg-type]
    except (ValueError, OverflowError, TypeError):
        return float("nan")


def name_of(value: object) -> str:
    """Return the name that a number or a text stands for; 3.0 is called "3", since it counts as 3."""
    if isinstance(value, str):
        return value
    if is_number(value) and not isinstance(value, int) and as_number(value).is_integer():
        return str(int(as_number(value)))
    try:
        return str(value)
    except ValueError:  # Python writes no number of more than 4300 decimal digits
        return f"{value:#x}"


def finite_number(path: Path | str, place: int | str, column: str, value: object, field: str | None = None) -> float:
    """Return a finite number in the range that its field (by default the column's name) allows, or fail."""
    number, field = as_number(value), column if field is None else field
    if isfinite(number) and field not in {"label", "weight"}:
        return number
    where = f"column {column}" if isinstance(value, str) else column
    low, high = {"label": (0.0, 1.0), "weight": (0.0, float("inf"))}.get(field, (-float("inf"), float("inf")))
    if not isfinite(number):
        has_comma = isinstance(value, str) and isfinite(as_number(value.replace(",", ".")))
        hint = "; write a point instead of the comma" if has_comma else ""
        fail(path, f"{where}: expected a finite number, found {show(value)}{hint}", place)
    if not low <= number <= high:
        wanted = "a number in [0, 1]" if field == "label" else "a number of at least 0"
        fail(path, f"{where}: expected {wanted}, found {show(value)}", place)
    return number


def make_pairs(
    path: Path | str,
    chosen: ArrayLike,
    rejected: ArrayLike,
    *,
    feature_names: Sequence[str] | None,
    prompts: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    target_margins: ArrayLike | None = None,
) -> PreferencePairs:
    """Make the pairs; if ``PreferencePairs`` refuses them, put the path in front of its message."""
    try:
        return PreferencePairs(
            chosen,
            rejected,
            prompts=prompts,
            labels=labels,
            weights=weights,
            target_margins=target_margins,
            feature_names=feature_names,
        )
    except (ValueError, TypeError) as error:
        fail(path, str(error))


def make_rankings(
    path: Path | str,
    features: ArrayLike,
    ranks: ArrayLike,
    prompts: ArrayLike,
    *,
    feature_names: Sequence[str] | None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> PreferenceRankings:
    """Make the rankings; if ``PreferenceRankings`` refuses them, put the path in front of its message."""
    from ..ranking.rankings import PreferenceRankings  # noqa: PLC0415  # rarely needed

    try:
        return PreferenceRankings(
            features, ranks, prompts, weights=weights, feature_names=feature_names, clusters=clusters
        )
    except (ValueError, TypeError) as error:
        fail(path, str(error))
