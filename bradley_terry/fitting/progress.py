"""How far long work is. A bar gives the remaining time only where the number of steps is known.

``Bar`` is shown if asked for. ``followed`` shows a bar by itself if the work takes long and a person is watching.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from ..threads.pool import CAN_START_THREADS

__all__ = ["Bar", "followed"]

T = TypeVar("T")
PATIENCE = 2.0  # seconds before the bar appears
OPEN_ENDED = {"newton"}  # Newton's method usually stops long before its limit, after a number of steps nobody knows.
EARLY = {
    "adam": "passes",
    "gradient_descent": "steps",
}  # These may stop early, so their remaining time is an upper bound.


def followed(items: Iterable[T], what: str, patience: float | None = None) -> Iterable[T]:
    """Iterate over the items, and show a bar on stderr if this takes more than two seconds.

    The bar appears in a terminal and in a notebook, and never where stderr is a file, a pipe or captured by a test.
    """
    kind = type(sys.stderr).__module__
    if sys.stderr is None or not (sys.stderr.isatty() or kind.startswith("ipykernel")):
        return items
    delay = PATIENCE if patience is None else patience
    bar: Iterable[T] = _tqdm()(items, desc=what, delay=delay, leave=False, file=sys.stderr)
    return bar


def _tqdm() -> Any:
    from tqdm import tqdm  # noqa: PLC0415  # imported only if a bar may be shown

    if not CAN_START_THREADS:
        tqdm.monitor_interval = 0  # it would start a thread to watch the bar, and warn that it cannot
    return tqdm


class Bar:
    """A tqdm progress bar, or nothing if ``shown`` is false.

    Without a known number of steps it shows the steps so far, their rate and their limit, but no remaining time.
    """

    def __init__(self, shown: bool, name: str, total: int) -> None:
        self.bar = None
        if shown:
            unit = "pass" if name == "adam" else "step"
            limit = f", at most {total} {EARLY.get(name, 'steps')}" if name in {*OPEN_ENDED, *EARLY} else ""
            known = None if name in OPEN_ENDED else total
            self.bar = _tqdm()(total=known, desc=f"{name}{limit}", unit=f" {unit}", leave=False)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def update(self, n: int, loss: float) -> None:
        """Move the bar to n and show the loss beside it."""
        if self.bar is not None:
            self.bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            self.bar.update(n - self.bar.n)
