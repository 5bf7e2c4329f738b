"""A progress bar for checks that take long, shown only where a person is watching."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

__all__ = ["followed"]

PATIENCE = 2.0  # seconds before the bar appears


def followed(items: Sequence[int], what: str) -> Iterable[int]:
    """Iterate over the items, and show a bar on stderr if this takes more than two seconds.

    The bar appears in a terminal and in a notebook, and never where stderr is a file, a pipe or captured by a test.
    """
    kind = type(sys.stderr).__module__
    if sys.stderr is None or not (sys.stderr.isatty() or kind.startswith("ipykernel")):
        return items
    from tqdm import tqdm  # noqa: PLC0415  # imported only if a bar may be shown

    return tqdm(items, desc=what, delay=PATIENCE, leave=False, file=sys.stderr)
