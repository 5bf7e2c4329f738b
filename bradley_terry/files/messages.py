"""Errors in files: one sentence gives the path, the line, what was expected and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import NoReturn

from numpy.typing import ArrayLike

from ..pairs import PreferencePairs

# The numbers that a row may have: column of a file -> field of the pairs.
NUMBERS = {"label": "labels", "weight": "weights", "target_margin": "target_margins"}


def fail(path: Path, sentence: str, line: int | None = None) -> NoReturn:
    """Raise a ValueError with the message "path: line N: sentence"."""
    place = f"{path}: " if line is None else f"{path}: line {line}: "
    raise ValueError(place + " ".join(sentence.splitlines())) from None  # names in a file may hold line breaks


def show(value: object) -> str:
    """Write a value as JSON, and cut it to a readable length."""
    import json  # noqa: PLC0415

    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def listed(names: Iterable[str]) -> str:
    """Join names with commas, and cut the result to a readable length."""
    text = ", ".join(names) or "none"
    return text if len(text) <= 200 else f"{text[:197]}..."


def finite_number(path: Path, line: int, column: str, value: object) -> float:
    """Return a finite number in the range that its column allows, or fail."""
    where = f"column {column}" if isinstance(value, str) else column
    number = float("nan")
    if isinstance(value, int | float | str) and not isinstance(value, bool) and "_" not in str(value):
        with suppress(ValueError, OverflowError):
            number = float(value)
    low, high = {"label": (0.0, 1.0), "weight": (0.0, float("inf"))}.get(column, (-float("inf"), float("inf")))
    if not isfinite(number):
        fail(path, f"{where}: expected a finite number, found {show(value)}", line)
    if not low <= number <= high:
        wanted = "a number in [0, 1]" if column == "label" else "a number of at least 0"
        fail(path, f"{where}: expected {wanted}, found {show(value)}", line)
    return number


def make_pairs(
    path: Path,
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
