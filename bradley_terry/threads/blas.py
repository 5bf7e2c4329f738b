"""Keep the BLAS on one thread, because on another number of threads it may split its sums differently."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import LibController

__all__ = ["blas_on_one_thread"]


def blas_on_one_thread(n_products: int) -> AbstractContextManager[None]:
    """Keep the BLAS on one thread in this context, unless the work is so small that it uses only one anyway."""
    return nullcontext() if n_products <= 8_000 else _one_thread()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Set the number of threads of the BLAS to one, and restore it afterwards.

    The setting belongs to the whole process. If several of our threads are in this context at once, the first to
    enter changes the setting, and the last to leave restores it.
    """
    with _blas.lock:
        _blas.depth += 1
        if _blas.depth == 1:
            _blas.before = [(library, library.get_num_threads()) for library in _blas.libraries()]
            for library, n_threads in _blas.before:
                if n_threads != 1:
                    library.set_num_threads(1)
    try:
        yield
    finally:
        with _blas.lock:
            _blas.depth -= 1
            if _blas.depth == 0:
                for library, n_threads in _blas.before:
                    if n_threads != 1:
                        library.set_num_threads(n_threads)


class _Blas:
    """The number of open contexts, and the settings to restore."""

    def __init__(self) -> None:
        self.lock, self.depth = Lock(), 0
        self.before: list[tuple[LibController, int]] = []

    @lru_cache(maxsize=1)  # noqa: B019  # there is one instance, and it is never deleted
    def libraries(self) -> list[LibController]:
        from threadpoolctl import ThreadpoolController  # noqa: PLC0415  # keeps the package's import light

        return [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]


_blas = _Blas()
