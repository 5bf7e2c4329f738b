"""Parameters of a test that are tried in the quick tier, and those that are tried only in the full tier."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def first(n: int, values: Iterable[object]) -> list[object]:
    """Return the values; those after the first n belong to the full tier."""
    return [value if i < n else pytest.param(value, marks=pytest.mark.full) for i, value in enumerate(values)]
