"""One line on stderr when kernels are compiled for the first time, since this takes some seconds."""

from __future__ import annotations

import sys
from pathlib import Path

from numba.core import event

__all__ = ["register"]


class _FirstCompilation(event.Listener):
    """Print one line the first time that a kernel is not found in the cache and must be compiled."""

    def __init__(self, module: str) -> None:
        self.module, self.was_told = module, False

    def on_start(self, event: event.Event) -> None:
        dispatcher = (event.data or {}).get("dispatcher")
        if not self.was_told and getattr(getattr(dispatcher, "py_func", None), "__module__", "") == self.module:
            self.was_told = True
            folder = dispatcher.stats.cache_path  # type: ignore[union-attr]
            kept = f"is kept in {Path(folder).parent}" if folder else "cannot be saved"
            print(
                "bradley_terry: compiling its kernels, which takes up to 15 seconds the first time; "
                f"the compiled code {kept}",
                file=sys.stderr,
                flush=True,
            )

    def on_end(self, event: event.Event) -> None:
        pass


def register(module: str) -> None:
    """Print the line when a function of this module is compiled for the first time."""
    event.register("numba:compile", _FirstCompilation(module))  # type: ignore[no-untyped-call]
