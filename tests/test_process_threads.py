"""Forks and interrupts: a child can compute, and the BLAS gets its threads back whenever Ctrl-C arrives."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from inspect import CO_GENERATOR

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import bradley_terry as bt
from bradley_terry.threads import blas_on_one_thread

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")


class Interrupt(BaseException):
    """Stands for a KeyboardInterrupt."""


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def interrupted_at(moment: int, work: Callable[[], None]) -> bool:
    """Interrupt the work at the n-th place where Python handles signals; return False if it ended before.

    These places are the beginning of a Python function and the end of a C function.
    """
    n_places = 0

    def watch(frame, event, _):
        nonlocal n_places
        if event == "c_return" or (event == "call" and not frame.f_code.co_flags & CO_GENERATOR):
            n_places += 1
            if n_places == moment:
                raise Interrupt

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        work()
    except Interrupt:
        return True
    finally:
        sys.setprofile(before)
    return False


def nested() -> None:
    with blas_on_one_thread(10**6), blas_on_one_thread(10**6):
        pass


@pytest.mark.full
def test_an_interrupt_at_any_place_leaves_the_blas_as_it_was() -> None:
    """Two nested contexts have some fifty such places; afterwards another thread can enter and leave a context."""
    with threadpool_limits(2, "blas"):
        nested()
        before, moment = blas_threads(), 1
        while interrupted_at(moment, nested):
            assert blas_threads() == before, moment
            moment += 1
        assert moment > 30
        thread = threading.Thread(target=nested, daemon=True)
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
        nested()
        assert blas_threads() == before


@pytest.mark.full
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system cannot interrupt")
def test_interrupts_by_a_timer_leave_the_blas_as_it_was() -> None:
    """A thousand signals arrive at random moments."""

    def ring(*_: object) -> None:
        raise Interrupt

    rng = np.random.default_rng(0)
    before_ring = signal.signal(signal.SIGALRM, ring)
    try:
        with threadpool_limits(2, "blas"):
            nested()
            before, n_interrupts = blas_threads(), 0
            while n_interrupts < 1000:
                try:
                    signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-6, 100e-6))
                    for _ in range(100):
                        nested()
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except Interrupt:
                    n_interrupts += 1
            thread = threading.Thread(target=nested, daemon=True)
            thread.start()
            thread.join(30)
            assert not thread.is_alive()  # no interrupt left the lock held
            assert blas_threads() == before
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before_ring)


def test_a_context_that_is_never_entered_or_left_ends_with_its_owner() -> None:
    """A caller may drop a context instead of leaving it."""
    with threadpool_limits(2, "blas"):
        before = blas_threads()
        context = blas_on_one_thread(10**6)
        del context
        assert blas_threads() == before


def test_a_change_by_somebody_else_inside_a_context_does_not_reach_the_next_one() -> None:
    """Bits depend on the number of threads, so each context sets it."""
    with threadpool_limits(2, "blas"), blas_on_one_thread(10**6):
        threadpool_limits(2, "blas")
        with blas_on_one_thread(10**6):
            assert 1 in blas_threads()  # SciPy may have loaded another BLAS, which we do not use


def exit_of_child(work: Callable[[], bool], patience: float = 60.0) -> int | None:
    """Fork, and return 0 if the work is right in the child, 1 if it is wrong, 2 if it fails, or None if it hangs."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            status = 0 if work() else 1
        finally:
            os._exit(status)
    ended = threading.Event()
    killer = threading.Thread(target=lambda: ended.wait(patience) or os.kill(child, signal.SIGKILL))
    killer.start()
    _, status = os.waitpid(child, 0)
    ended.set()
    killer.join()
    return None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


@needs_fork
@pytest.mark.full
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # that a process with threads forks
@pytest.mark.parametrize("backend", bt.objective.BACKENDS[1:])
def test_children_forked_while_other_threads_compute_are_right(backend: str) -> None:
    """None of forty children hangs; each gets the same bits as its parent, and a BLAS on as many threads."""
    rng = np.random.default_rng(0)
    pairs = bt.PreferencePairs(*rng.normal(size=(2, 4000, 20)))
    objective, phi = bt.Objective(bt.LinearScorer(20), pairs, backend=backend), rng.normal(size=20)
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            objective(phi)
            objective.hessian(phi)

    with threadpool_limits(2, "blas"):
        loss, hessian, before = objective(phi)[0], objective.hessian(phi), blas_threads()  # SciPy loads another BLAS
        threads = [threading.Thread(target=compute) for _ in range(3)]
        for thread in threads:
            thread.start()

        def child() -> bool:
            right = objective(phi)[0] == loss and bool((objective.hessian(phi) == hessian).all())
            return right and blas_threads() == before

        try:
            assert [exit_of_child(child) for _ in range(40)] == [0] * 40
        finally:
            stop.set()
            for thread in threads:
                thread.join()


@needs_fork
@pytest.mark.full
def test_a_child_forked_while_another_thread_compiles_can_compile(run_python, tmp_path) -> None:
    """Numba compiles under a lock, which a child would otherwise inherit locked for ever."""
    script = (
        "import os, threading, time, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "import numpy as np\n"
        "from bradley_terry import kernels\n"
        "work = lambda: kernels.mean_loss_and_gradients(np.zeros(3))[0]\n"
        "thread = threading.Thread(target=work)\n"
        "thread.start()\n"
        "time.sleep(0.3)\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(0 if work() == np.log(2) else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "thread.join()\n"
    )
    assert run_python(script, NUMBA_CACHE_DIR=tmp_path) == "0"


@needs_fork
@pytest.mark.full
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_forked_while_another_thread_checks_a_gradient_can_check_too() -> None:
    """Checks of two threads wait for each other, but not for a thread that exists only in the parent."""
    inside, go_on = threading.Event(), threading.Event()

    def slow(phi):
        inside.set()
        go_on.wait(60)
        return float(phi @ phi), 2 * phi

    thread = threading.Thread(target=bt.check_gradient, args=(slow, [1.0]), kwargs={"time_limit": 100.0})
    thread.start()
    inside.wait(60)
    try:
        square = lambda phi: (float(phi @ phi), 2 * phi)  # noqa: E731
        assert exit_of_child(lambda: bt.check_gradient(square, [1.0]).passed) == 0
    finally:
        go_on.set()
        thread.join()
