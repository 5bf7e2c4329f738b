"""A progress bar for checks that take long, shown only where a person is watching."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..fitting.progress import followed as followed_after

__all__ = ["followed"]

PATIENCE = 2.0  # seconds before the bar appears


def followed(items: Sequence[int], what: str) -> Iterable[int]:
    """Iterate over the items, and show a bar if this takes more than two seconds; see ``fitting.progress``."""
    return followed_after(items, what, PATIENCE)
