"""Keep the BLAS on one thread, because on another number of threads it may split its sums differently."""

from __future__ import annotations

import io
import os
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from threading import RLock, get_ident
from typing import TYPE_CHECKING

from .pool import CAN_START_THREADS

if TYPE_CHECKING:
    from threadpoolctl import LibController

__all__ = ["blas_on_one_thread"]


def blas_on_one_thread(n_products: int) -> AbstractContextManager[object]:
    """Keep the BLAS on one thread in this context, unless the work is so small that it uses only one anyway.

    The setting belongs to the whole process. If several of our threads are in this context at once, the first to enter
    changes the setting, and the last to leave restores it.
    """
    return nullcontext() if n_products <= 8_000 else _OneThread()


def _held() -> Generator[None]:
    """Hold the BLAS on one thread until this generator is closed.

    An interrupt may arrive in any line. Both functions may be called twice, so a release that was interrupted is simply
    done again.
    """
    hold = _Hold()
    try:
        try:
            _blas.take(hold)
            yield
        finally:
            _blas.release(hold)
    finally:
        _blas.release(hold)


class _OneThread(io.IOBase):
    """A context that closes the generator ``_held`` on exit, or when it is dropped.

    It has the type of a file because the ``__enter__`` and ``__exit__`` of files are written in C: Python handles no
    signal in them, so Ctrl-C cannot arrive after the context was left and before the BLAS is released.
    """

    def __init__(self) -> None:
        held = _held()
        self.close = held.close  # type: ignore[method-assign]  # this is what files call on exit and when dropped
        try:
            next(held)
        except BaseException:
            held.close()
            raise


class _Hold:
    """One open context, and the thread that opened it."""

    def __init__(self) -> None:
        self.thread = get_ident()


class _Blas:
    """The open contexts, and the settings to restore."""

    def __init__(self) -> None:
        self.lock = RLock()  # the garbage collector may close a context while its thread opens another one
        self.holds: set[_Hold] = set()
        self.before: list[tuple[LibController, int]] = []

    def take(self, hold: _Hold) -> None:
        with self.lock:  # without a loop, at whose end Python 3.13 would not release the lock after an interrupt
            self.set_to_one(hold)

    def set_to_one(self, hold: _Hold) -> None:
        is_first = not self.holds
        if is_first:
            self.before = [(library, library.get_num_threads()) for library in self.libraries()]
        self.holds.add(hold)
        for library, n_threads in self.before:
            if (n_threads if is_first else library.get_num_threads()) != 1:  # somebody may have changed it again
                library.set_num_threads(1)

    def release(self, hold: _Hold) -> None:
        with self.lock:
            if hold in self.holds:
                if len(self.holds) == 1:
                    self.restore()
                self.holds.discard(hold)

    def restore(self) -> None:
        for library, n_threads in self.before:
            if n_threads != 1:
                library.set_num_threads(n_threads)

    def after_fork(self) -> None:
        """In a forked child, drop the contexts of threads that exist only in the parent."""
        if self.holds:
            self.holds = {hold for hold in self.holds if hold.thread == get_ident()}
            if not self.holds:
                self.restore()
        self.lock.release()

    @lru_cache(maxsize=1)  # noqa: B019  # there is one instance, and it is never deleted
    def libraries(self) -> list[LibController]:
        if not CAN_START_THREADS:  # then the BLAS cannot start any either
            return []
        from threadpoolctl import ThreadpoolController  # noqa: PLC0415  # keeps the package's import light

        return [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]


_blas = _Blas()
if hasattr(os, "register_at_fork"):  # no other thread is changing the setting at the moment of a fork
    os.register_at_fork(before=_blas.lock.acquire, after_in_parent=_blas.lock.release, after_in_child=_blas.after_fork)
