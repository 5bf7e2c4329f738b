"""Sharing work among threads: each block is done once, answers come in order, and errors reach the caller."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from bradley_terry.threads import blas_on_one_thread, get_threads, in_parts, set_threads


@pytest.fixture(autouse=True)
def _restore_threads():
    """Restore the number of threads after each test."""
    before = get_threads()
    yield
    set_threads(before)


def blas_threads() -> list[int]:
    """Return the number of threads of NumPy's BLAS; SciPy may load another BLAS, which we do not use."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return [pool["num_threads"] for pool in pools if len(pools) == 1 or "numpy" in pool["filepath"]]


# ---------------------------------------------------------------------------------------------------- known value


def test_five_blocks_are_five_ranges_and_a_hundred_are_sixteen() -> None:
    """There are at most 16 ranges, of nearly equal size, and at most n/``least``, rounded up."""
    assert in_parts(lambda first, last: (first, last), 5) == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]
    sizes = in_parts(lambda first, last: last - first, 100)
    assert len(sizes) == 16
    assert set(sizes) == {6, 7}
    assert in_parts(lambda first, last: (first, last), 8, 1, 4) == [(0, 4), (4, 8)]
    assert in_parts(lambda first, last: (first, last), 5, 1, 4) == [(0, 2), (2, 5)]
    assert in_parts(lambda first, last: (first, last), 3, 1, 4) == [(0, 3)]
    assert in_parts(lambda first, last: (first, last), 1) == [(0, 1)]


# ------------------------------------------------------------------------------------------------------- identity


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 40))
def test_ranges_cover_every_block_once_and_do_not_depend_on_the_number_of_threads(n: int, few: int, least: int) -> None:
    """The ranges follow one another from the first block to the last, and are the same on 1, 2 and 3 threads."""
    answers = []
    for threads in (1, 2, 3):
        set_threads(threads)
        answers.append(in_parts(lambda first, last: (first, last), n, few, least))
    assert answers[0] == answers[1] == answers[2]
    ranges = answers[0]
    assert len(ranges) <= 16
    assert all(first < last for first, last in ranges)
    assert [first for first, _ in ranges] + [n] == [0] + [last for _, last in ranges]


# -------------------------------------------------------------------------------------------------------- manners


def test_two_threads_work_at_the_same_time() -> None:
    """Two ranges that wait for each other both finish, which one thread alone could not do."""
    set_threads(2)
    both = threading.Barrier(2, timeout=30)

    def one_part(first: int, _: int) -> int:
        both.wait()
        return first

    assert in_parts(one_part, 2) == [0, 1]


@pytest.mark.parametrize("n_threads", [1, 5])
def test_kernels_of_large_arrays_use_the_threads_that_are_set(n_threads: int, kernels) -> None:
    """With five threads, up to four helper threads are started for 500,000 margins; with one thread, none."""

    def ours() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name.startswith("bradley_terry")}

    before = ours()
    set_threads(n_threads)
    kernels.mean_loss_and_gradients(np.zeros(500_000))
    assert bool(ours() - before) == (n_threads > 1)
    assert len(ours() - before) < n_threads


@pytest.mark.parametrize("where", ["caller", "helper"])
def test_an_error_in_a_part_reaches_the_caller(where: str) -> None:
    """No matter which thread fails, no further part is started, and none is still running afterwards."""
    caller, begun, ended = threading.get_ident(), [], []

    def one_part(first: int, _: int) -> int:
        begun.append(first)
        time.sleep(0.01)
        ended.append(first)
        if (threading.get_ident() == caller) == (where == "caller"):
            raise ZeroDivisionError("here")
        return first

    set_threads(3)
    with pytest.raises(ZeroDivisionError, match="here"):
        in_parts(one_part, 16)
    assert sorted(begun) == sorted(ended)
    if where == "caller":
        assert len(begun) < 16
    assert in_parts(lambda first, _: first, 16) == list(range(16))  # the threads can still be used


def test_an_interrupt_of_the_caller_is_not_replaced_by_an_error_elsewhere() -> None:
    """Ctrl-C raises a KeyboardInterrupt, even if another thread fails too."""
    caller = threading.get_ident()

    def one_part(first: int, _: int) -> int:
        time.sleep(0.005)
        raise KeyboardInterrupt if threading.get_ident() == caller else ValueError(first)

    set_threads(2)
    with pytest.raises(KeyboardInterrupt):
        in_parts(one_part, 16)


def test_parts_may_share_their_own_work() -> None:
    """A part that calls ``in_parts`` itself does not wait for threads that are all busy."""
    set_threads(3)
    assert in_parts(lambda *_: sum(in_parts(lambda *_: 1, 16)), 16) == [16] * 16


def test_the_caller_goes_on_alone_where_no_thread_can_be_started(monkeypatch) -> None:
    """If Python is shutting down, or the system allows no more threads, the caller does all parts itself."""

    class NoThreads:
        def submit(self, *_: object) -> None:
            raise RuntimeError("cannot schedule new futures after shutdown")

    monkeypatch.setattr("bradley_terry.threads.pool._pool", lambda _: NoThreads())
    set_threads(2)
    assert in_parts(lambda first, _: first, 16) == list(range(16))


def test_bad_numbers_of_threads_are_refused() -> None:
    """The number of threads is a whole number of at least 1, and a refused one changes nothing."""
    set_threads(3)
    for bad in (0, -1, 1.5, "2", None):
        with pytest.raises(ValueError, match=r"^n_threads: expected a whole number of at least 1, got"):
            set_threads(bad)
    assert get_threads() == 3


def test_kernels_offer_the_same_threads(kernels) -> None:
    """``bradley_terry.kernels.set_threads`` and ``threads.set_threads`` are one setting."""
    kernels.set_threads(3)
    assert get_threads() == 3
    assert kernels.get_threads() == 3


def test_blas_has_one_thread_inside_and_its_own_number_afterwards() -> None:
    """Contexts may overlap and close in any order: the last one to close restores the number of threads."""
    with threadpool_limits(2, "blas"):
        before = blas_threads()
        assert set(before) <= {2}
        first, second = blas_on_one_thread(10**6), blas_on_one_thread(10**6)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert set(blas_threads()) <= {1}
        second.__exit__(None, None, None)
        assert blas_threads() == before
        with pytest.raises(ZeroDivisionError), blas_on_one_thread(10**6):
            raise ZeroDivisionError
        assert blas_threads() == before


def test_small_products_leave_the_blas_alone() -> None:
    """Up to 8,000 products a BLAS uses one thread anyway, so changing the setting would only cost time."""
    with threadpool_limits(2, "blas"):
        before = blas_threads()
        with blas_on_one_thread(8_000):
            assert blas_threads() == before


@pytest.mark.full
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not say which cores are available")
def test_the_default_number_of_threads_is_that_of_numba_or_of_the_cores(run_python) -> None:
    """The default is NUMBA_NUM_THREADS, or the number of available cores if that is not set."""
    script = "from bradley_terry.threads import get_threads\nprint(get_threads())\n"
    assert run_python(script, NUMBA_NUM_THREADS=3) == "3"
    assert run_python(script, NUMBA_NUM_THREADS="") == str(len(os.sched_getaffinity(0)))


@pytest.mark.full
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_kernels_work_in_a_forked_child_after_threads_were_used(run_python) -> None:
    """A child process makes its own pool of threads instead of waiting for that of its parent."""
    script = (
        "import os, numpy as np, warnings; warnings.simplefilter('ignore')\n"
        "from bradley_terry import kernels\n"
        "kernels.set_threads(2); z = np.zeros(300_000); kernels.mean_loss_and_gradients(z)\n"
        "pid = os.fork()\n"
        "if pid == 0: os._exit(0 if kernels.mean_loss_and_gradients(z)[0] == np.log(2) else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    assert run_python(script) == "0"
