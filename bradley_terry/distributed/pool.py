"""Who computes the answers for the shards: this process, or the workers of a Dask cluster.

Both return the answers in the order of the shards. A worker only gets the path of a shard and φ: data that Dask
scatters are lost when the worker that holds them dies.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from importlib import metadata
from itertools import pairwise
from multiprocessing import current_process
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Protocol, TypeVar
from uuid import uuid4

from .. import __version__
from ..arrays.visible import quoted, visible
from ..threads import set_threads

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["Here", "Pool", "Workers", "cluster"]

T = TypeVar("T")
Call = tuple[object, ...]

RESUBMISSIONS = 3  # for each shard; Dask itself already tries a shard again after three workers died with it
POLL = 1.0  # seconds between two looks at whether there still are workers
THREADS = {f"{name}_NUM_THREADS": 1 for name in ("OMP", "MKL", "OPENBLAS")}
# Dask sets the first of these to 64 kB. Then every large array of a step is new memory, which doubles a step's time.
MALLOC = {"MALLOC_TRIM_THRESHOLD_": 2**30, "MALLOC_MMAP_THRESHOLD_": 2**25}
MISSING = (
    "distributed: expected the package distributed, which is not installed; pip install 'bradley-terry[distributed]'"
)


def _version_of(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


# The bits of a result depend on these.
VERSIONS = {"bradley_terry": __version__, "numpy": _version_of("numpy"), "numba": _version_of("numba")}
PROBE = f"{__name__}:VERSIONS"  # Dask can look this up where the package is missing, and report that


class Pool(Protocol):
    """Calls a function once for each shard."""

    def ask(self, function: Callable[..., T], calls: Sequence[Call]) -> list[T]:
        """Return function(*call) for each call, in the order of the calls. A call begins with a shard or its path."""


class Here:
    """Computes everything in this process, one shard after the other."""

    def ask(self, function: Callable[..., T], calls: Sequence[Call]) -> list[T]:
        """Return function(*call) for each call."""
        return [function(*call) for call in calls]


class Workers:
    """Sends the calls to the workers of a Dask cluster, and survives the death of workers."""

    def __init__(self, client: Client, timeout: float) -> None:
        try:
            from distributed import Client  # noqa: PLC0415  # only if there is a cluster
        except ModuleNotFoundError:
            raise ModuleNotFoundError(MISSING) from None
        if not isinstance(client, Client) or client.asynchronous:
            raise TypeError(f"client: expected a distributed.Client that is not asynchronous, got {quoted(client)}")
        if not isinstance(timeout, int | float) or not 0 < timeout < float("inf"):
            raise ValueError(f"timeout: expected a positive number of seconds, got {quoted(timeout)}")
        self.client, self.timeout = client, float(timeout)
        self.address = client.scheduler.address if client.scheduler is not None else "an unknown address"
        try:
            client.wait_for_workers(1, timeout=self.timeout)
            client.run_on_scheduler(resolve_name, PROBE)
            workers = client.run(resolve_name, PROBE, on_error="return")
        except TimeoutError:
            raise self._no_workers() from None
        except (ImportError, AttributeError):
            raise self._no_package("the scheduler") from None
        except Exception:  # noqa: BLE001  # what fails in a closed client depends on the version of Dask
            raise self._no_scheduler() from None
        for address, found in workers.items():
            if isinstance(found, ImportError | AttributeError):
                raise self._no_package(address)
            if isinstance(found, dict):  # or an error of a worker that has just died
                _check_versions(VERSIONS, found, address)

    def ask(self, function: Callable[..., T], calls: Sequence[Call]) -> list[T]:
        """Return function(*call) for each call. Each thread of a worker gets some calls in a row, and always the same.

        So a worker finds its shards in its cache. If it dies, others compute its calls.
        """
        threads = [address for address, n_threads in self._threads().items() for _ in range(n_threads)]
        slots: list[str | None] = [*threads[: len(calls)]] or [None]
        edges = [len(calls) * i // len(slots) for i in range(len(slots) + 1)]
        groups = [calls[first:last] for first, last in pairwise(edges)]
        tasks = [(self._submit(function, *task), *task) for task in zip(groups, slots, strict=True)]
        found = [self._answers(*task, function, RESUBMISSIONS) for task in tasks]
        return [answer for answers in found for answer in answers]

    def _submit(self, function: Callable[..., T], calls: Sequence[Call], preferred: str | None) -> Future[list[T]]:
        """Submit calls as one task. A new key means a new try."""
        try:
            return self.client.submit(
                _on_worker,
                VERSIONS,
                function,
                calls,
                key=f"{function.__name__}-{uuid4().hex}",
                workers=preferred,
                allow_other_workers=preferred is not None,
            )
        except Exception:
            if self.client.status != "running":
                raise self._no_scheduler() from None
            raise

    def _answers(
        self,
        future: Future[list[T]],
        calls: Sequence[Call],
        preferred: str | None,
        function: Callable[..., T],
        n_left: int,
    ) -> list[T]:
        """Wait for the answers of a task. If its workers died, submit each of its calls alone, but not without end."""
        from distributed import KilledWorker  # noqa: PLC0415

        try:
            return self._wait(future, preferred)
        except (KilledWorker, CancelledError):
            self._threads()  # raises an error if it is the scheduler that died
            if n_left == 0:
                raise ConnectionError(
                    f"{getattr(calls[0][0], 'path', calls[0][0])}: expected a worker to finish this shard, found that "
                    "every worker died with it; perhaps it needs more memory than a worker has"
                ) from None
        except RuntimeError as error:
            if "deserializ" not in str(error):
                raise
            raise ModuleNotFoundError(
                "client: expected the scheduler to import all that a call needs, perhaps the class of the scorer, "
                "found that it cannot"
            ) from None
        futures = [self._submit(function, [call], None) for call in calls]
        return [
            self._answers(future, [call], None, function, n_left - 1)[0]
            for future, call in zip(futures, calls, strict=True)
        ]

    def _wait(self, future: Future[list[T]], preferred: str | None) -> list[T]:
        """Wait for the answers of a task, and give up if there is no worker for longer than the time limit.

        If the preferred worker dies when there is no other, Dask never gives the task to a new one. So it is cancelled.
        The worker may die after the task is done but before its answers are here, so both have a time limit.
        """
        last_seen, patience = time.monotonic(), POLL
        while True:
            error = None
            with suppress(TimeoutError):
                # This returns when the task is done. Dask's ``wait`` would ask the client that was made last instead.
                error = future.exception(timeout=POLL)
                if error is None:
                    patience *= 2  # large answers may take their time on a slow network
                    return future.result(timeout=patience)
            if error is not None:
                raise error
            if workers := self._threads():
                last_seen = time.monotonic()
                if preferred is not None and preferred not in workers:
                    future.cancel()
            elif time.monotonic() - last_seen > self.timeout:
                raise self._no_workers()

    def _threads(self) -> dict[str, int]:
        """Return the number of threads of each worker there is now, by its address."""
        give_up = time.monotonic() + self.timeout
        while self.client.status == "running" and time.monotonic() < give_up:
            with suppress(TimeoutError):  # a scheduler that has just died is not yet known to be dead
                try:
                    found = self.client.sync(self.client.scheduler.ncores, callback_timeout=POLL)
                    return dict(sorted(found.items()))
                except (OSError, CancelledError):
                    time.sleep(POLL / 10)
        raise self._no_scheduler()

    def _no_package(self, where: str) -> ModuleNotFoundError:
        return ModuleNotFoundError(
            f"client: expected bradley_terry {__version__} at the scheduler and all workers, found {where} without it"
        )

    def _no_scheduler(self) -> ConnectionError:
        return ConnectionError(f"client: expected the scheduler at {self.address} to answer, found no connection to it")

    def _no_workers(self) -> TimeoutError:
        return TimeoutError(
            f"client: expected at least one worker at {self.address} within {self.timeout:g} seconds, found none"
        )


def _check_versions(client: dict[str, str], worker: dict[str, str], address: str) -> None:
    """Raise ValueError unless both have the same versions, and so compute the same bits."""
    for name, wanted in client.items():
        if worker[name] != wanted:
            raise ValueError(f"client: expected {name} {wanted} at the worker {address} too, found {worker[name]}")


def _on_worker(versions: dict[str, str], function: Callable[..., T], calls: Sequence[Call]) -> list[T]:
    """Make these calls on a worker."""
    from distributed import get_worker  # noqa: PLC0415

    worker = get_worker()
    _check_versions(versions, VERSIONS, worker.address)
    if worker.nanny is not None:  # the process belongs to this worker, and its threads work on shards side by side
        set_threads(1)
    return [function(*call) for call in calls]


@contextmanager
def cluster(workers: int | str, *, timeout: float = 10.0) -> Iterator[Client]:
    """Start workers on this machine, or connect to a running Dask cluster, for the time of a ``with`` block.

    Parameters
    ----------
    workers : int or str
        The number of worker processes to start, each with one thread, or the address of a scheduler, such as
        ``tcp://10.0.0.1:8786``.
    timeout : float
        The longest time to wait for the scheduler, in seconds.

    Yields
    ------
    distributed.Client
        To be passed to ``fit``. There is no dashboard, and Dask's log is not shown.

    Raises
    ------
    ConnectionError
        If no scheduler answers at this address.
    ModuleNotFoundError
        If the package ``distributed`` is not installed.
    ValueError, TypeError
        If ``workers`` is neither a positive whole number nor an address.
    RuntimeError
        If the workers cannot be started, as in a script without the line ``if __name__ == "__main__":``.
    """
    if isinstance(workers, bool) or not isinstance(workers, int | str):
        raise TypeError(f"workers: expected a number of workers or the address of a scheduler, got {quoted(workers)}")
    if isinstance(workers, int) and workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    try:
        from dask import config  # noqa: PLC0415  # only if there is a cluster
        from distributed import Client, LocalCluster  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ModuleNotFoundError(MISSING) from None
    with _quiet():
        if isinstance(workers, int):
            with _only_in_the_script(), config.set({"distributed.nanny.pre-spawn-environ": {**THREADS, **MALLOC}}):
                started = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address="127.0.0.1:0",  # with None, Dask warns if its usual port is in use
                    scheduler_kwargs={"dashboard": False},
                    silence_logs=logging.CRITICAL,
                )
            with started, Client(started) as client:
                yield client
        else:
            try:
                client = Client(workers, timeout=timeout)
            except (OSError, ValueError):
                raise ConnectionError(
                    f"scheduler: expected the address of a running scheduler, got {quoted(workers)}, where none answers"
                ) from None
            with client:
                yield client


@contextmanager
def _only_in_the_script() -> Iterator[None]:
    """Start workers, but not from a worker, which runs the script of the user once more before it is ready.

    There the process ends without a word. The workers of the script then fail to start, and it says why.
    """
    if getattr(current_process(), "_inheriting", False):  # as ``multiprocessing.spawn`` itself asks
        raise SystemExit(1)
    try:
        yield
    except RuntimeError:
        script = getattr(sys.modules["__main__"], "__file__", None) or ""
        try:
            has_line = "__main__" in Path(script).read_text(encoding="utf-8", errors="replace")
        except OSError:  # there is no script, as in a notebook, or it is part of an archive
            has_line = True
        if has_line:
            raise
        raise RuntimeError(
            f"workers: expected a script that calls cluster below the line if __name__ == '__main__':, but "
            f"{visible(Path(script).name)} has no such line, and each worker runs the script again when it starts"
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's log off the screen: a worker that dies is not an error for us."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "tornado")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
