"""Whatever a function does to the process, its check ends with a report, and the process is as it was before."""

from __future__ import annotations

import decimal
import functools
import logging
import os
import random
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.course import check


def square(phi):
    return float(phi @ phi), 2 * phi


def pull(w, c, r):
    return -np.exp(-np.logaddexp(0, (c - r) @ w)) @ (c - r) / len(c)


def checked(deed):
    """Return the reports on two right functions that do something else as well: an own gradient and an exercise."""

    def own(phi):
        deed()
        return square(phi)

    def exercise(w, c, r):
        deed()
        return pull(w, c, r)

    objective = bt.Objective(bt.LinearScorer(2), bt.PreferencePairs([[1.0, 2.0]], [[0.0, 0.5]]))

    def hessian(phi):
        deed()
        return objective.hessian(phi)

    return [
        bt.check_gradient(own, [1.0, 2.0], time_limit=1.0),
        check.gradient(exercise, time_limit=1.0),
        bt.gradient_check.check_hessian(objective, [1.0, 2.0], hessian=hessian, time_limit=1.0),
    ]


def surroundings():
    """Return what the process looks like from outside."""
    return {
        "error state": np.geterr(),
        "NumPy's random numbers": np.random.get_state()[1].tolist(),
        "Python's random numbers": random.getstate(),
        "filters": list(warnings.filters),
        "streams": (sys.stdout, sys.stderr, sys.stdin, sys.stdin.closed),
        "trace": (sys.gettrace(), sys.getprofile()),
        "signals": [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGALRM)],
        "alarm": signal.getitimer(signal.ITIMER_REAL),
        "directory": Path.cwd(),
        "recursion limit": sys.getrecursionlimit(),
        "digits of decimals": decimal.getcontext().prec,
        "digits of arrays": np.get_printoptions()["precision"],
        "exit": os._exit,
        "input": input,
    }


def replace_streams():
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123


def close_streams():
    sys.stdout.close()
    sys.stderr.close()


def filter_warnings():
    warnings.simplefilter("ignore", ResourceWarning)
    warnings.showwarning = None


def read():
    sys.stdin.read()


DEEDS = {
    "NumPy's errors": lambda: np.seterr(all="ignore"),
    "np.random.seed": lambda: np.random.seed(0),
    "np.random": np.random.normal,
    "random.seed": lambda: random.seed(0),
    "filters": filter_warnings,
    "streams closed": close_streams,
    "trace": lambda: sys.settrace(lambda *_: None),
    "profile": lambda: sys.setprofile(lambda *_: None),
    "alarm": lambda: signal.alarm(100),
    "handlers": lambda: [signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, signal.SIGALRM)],
    "directory": lambda: os.chdir("/"),
    "recursion": lambda: sys.setrecursionlimit(4321),
    "decimals": lambda: decimal.getcontext().__setattr__("prec", 3),
    "printing": lambda: np.set_printoptions(precision=2),
    "megabytes": lambda: print("x" * 1_000_000, file=sys.stderr),
    "reading": read,
}


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("deed", [*DEEDS.values(), replace_streams], ids=[*DEEDS, "streams"])
def test_a_right_function_passes_and_the_process_is_as_it_was(deed, capfd) -> None:
    """What a function changes on the way to right numbers is put back, and what it prints does not appear."""
    before = surroundings()
    for report in checked(deed):
        report.require()
        assert len(repr(report)) < 1000
    assert surroundings() == before
    assert capfd.readouterr() == ("", "")


class Own(BaseException):
    """Not an Exception."""


class Mute(Exception):  # noqa: N818
    """Its message cannot be made."""

    def __str__(self) -> str:
        raise SystemExit


class Nameless(type):
    """The names of its classes cannot be read."""

    @property
    def __name__(cls) -> str:
        raise RuntimeError


def raise_unnamed():
    class Unnamed(Exception, metaclass=Nameless):  # noqa: N818
        """An exception whose class has no name to read."""

    raise Unnamed


class Endless(Exception):  # noqa: N818
    """Its message never comes."""

    def __str__(self) -> str:
        while True:
            pass
        return ""


def raising(error):
    def deed():
        raise error

    return deed


def ask():
    input("a number: ")


def deep():
    deep()


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        (lambda: os._exit(3), "SystemExit in line"),
        (sys.exit, "SystemExit in line"),
        (exit, "SystemExit in line"),
        (quit, "SystemExit in line"),
        (ask, "nothing can be typed in during a check, so leave out input()"),
        (raising(Own("mine")), "mine"),
        (raising(GeneratorExit()), "GeneratorExit in line"),
        (raising(StopIteration()), "StopIteration in line"),
        (raising(MemoryError()), "MemoryError in line"),
        (raising(Mute()), "(its message cannot be read)"),
        (raise_unnamed, "Unnamed in line"),
        (raising(ValueError("x" * 100_000)), "ValueError in line"),
        (raising(ValueError("\x1b[31m red \ud800")), r"\x1b[31m red \ud800"),
        (deep, "RecursionError in line"),
    ],
)
def test_whatever_a_function_raises_is_a_line_of_the_report(deed, words) -> None:
    """The process stays as it was, and no report is longer than a screen."""
    before = surroundings()
    for report in checked(deed):
        assert not report.passed
        assert words in repr(report)
        assert len(repr(report)) < 1500
        assert "\x1b" not in report._repr_html_()
    assert surroundings() == before


@pytest.mark.full
def test_an_error_whose_message_never_comes_is_stopped() -> None:
    """The time limit holds for the message, too."""
    for report in checked(raising(Endless())):
        assert "(its message cannot be read)" in repr(report)


def test_ctrl_c_stops_the_check_and_the_process_is_as_it_was() -> None:
    """A KeyboardInterrupt cannot be told from a person who wants to stop, so it is raised again."""
    before = surroundings()
    with pytest.raises(KeyboardInterrupt):
        checked(raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        check.loss(lambda margins: raising(KeyboardInterrupt())())
    assert surroundings() == before


def test_threads_that_are_left_running_are_counted_in_a_note(capfd) -> None:
    """They cannot be stopped, and the report says so; threads that end are not mentioned."""
    gate, started = threading.Event(), []

    def leave_one():
        if not started:
            started.append(threading.Thread(target=gate.wait, daemon=True))
            started[0].start()

    def finish_one():
        thread = threading.Thread(target=print, args=("from a thread",))
        thread.start()

    for run in range(3):
        started.clear()
        report = checked(leave_one)[0]
        assert report.passed, run
        assert "note: your function left a thread still running, which cannot be stopped" in repr(report)
    gate.set()
    assert all("thread" not in repr(report) for report in checked(finish_one))
    assert capfd.readouterr().err == ""


def test_what_is_written_after_the_call_goes_where_it_should(capsys) -> None:
    """A logging handler that was made in the function keeps on working."""
    root = logging.getLogger()
    handlers, root.handlers = root.handlers[:], []
    try:
        bt.check_gradient(lambda phi: (logging.basicConfig(), square(phi))[1], [1.0])
        logging.warning("after the check")
        assert "after the check" in capsys.readouterr().err
    finally:
        root.handlers = handlers


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork")  # of a process with threads
def test_a_child_process_of_the_function_ends_with_the_call(capfd) -> None:
    """Otherwise, the rest of the program would run twice."""
    process, forked = os.getpid(), []

    def fork_twice(phi):
        if len(forked) < 2:
            forked.append(os.fork())
            if len(forked) == 2 and not forked[1]:
                os._exit(5)
        return square(phi)

    report = bt.check_gradient(fork_twice, [1.0, 2.0], time_limit=100.0)  # a busy machine forks slowly
    assert os.getpid() == process
    assert report.passed
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in forked] == [0, 5]


def test_inputs_kept_and_changed_later_change_nothing() -> None:
    """Each call gets its own copies, so that a view of an earlier one is harmless."""
    kept = []

    def meddling(phi):
        for view in kept:
            view[:] = 7
        kept.append(phi[:])
        return square(phi)

    bt.check_gradient(meddling, [1.0, 2.0]).require()
    reshaping = bt.check_gradient(lambda phi: (square(phi.copy()), phi.resize(1, refcheck=False))[0], [1.0, 2.0])
    assert "changes its input phi" in repr(reshaping)


class Counting:
    """A callable with state that does not matter."""

    n = 0

    def __call__(self, phi):  # noqa: D102
        self.n += 1
        return square(phi)


class Array(np.ndarray):
    """A subclass of an array."""


@pytest.mark.parametrize(
    "function",
    [
        Counting(),
        Counting().__call__,
        functools.partial(lambda power, phi: (float(phi @ phi), power * phi), 2),
        lambda phi, *, scale=2: (float(phi @ phi), scale * phi),
        lambda *args, **_: square(*args),
        lambda phi: (np.array(phi @ phi), memoryview(2 * phi)),
        lambda phi: (np.float64(phi @ phi), (2 * phi).tolist()),
        lambda phi: (np.longdouble(phi @ phi), (2 * phi).astype(np.longdouble)),
        lambda phi: (np.ma.array(phi @ phi), np.ma.array(2 * phi)),
        lambda phi: (float(phi @ phi), (2 * phi).view(Array)),
        lambda phi: (square(phi)[0], np.vectorize(lambda x: 2 * x)(phi)),
    ],
)
def test_every_kind_of_function_and_of_number_passes(function) -> None:
    """The numbers are right, and their container does not matter."""
    bt.check_gradient(function, [1.0, 2.0, -0.5]).require()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda g: (x for x in g), "got generator"),
        (lambda g: np.ma.array(g, mask=g == g[0]), "a masked array with missing entries"),
        (lambda g: g.astype(object), "got ndarray of Python objects: convert it with astype(float)"),
        (lambda g: [None, *g[1:]], "got list with entries of type NoneType"),
        (lambda g: [str(x) for x in g], "got list with entries of type str"),
        (lambda g: g + 0j, "got complex numbers"),
        (lambda g: [[1.0], [2.0, 3.0]], "got rows of different lengths"),
        (lambda g: g * np.nan, "expected finite numbers, got nan at [0]"),
        (lambda g: np.longdouble("1e4000") * g, "expected finite numbers, got"),
        (lambda g: g[0], "a single number; is there one sum or mean too many?"),
        (set, "got set"),
        (lambda g: b"bytes", "got bytes"),
    ],
)
def test_answers_that_are_no_numbers_are_named(answer, words) -> None:
    """The exercise and the check of an own gradient use the same words, also beside a loss."""
    assert words in repr(bt.check_gradient(lambda phi: (float(phi @ phi), answer(2 * phi)), [1.0, 2.0]))
    assert words in repr(check.gradient(lambda w, c, r: answer(pull(w, c, r))))
    assert not check.gradient(lambda w, c, r: (0.5, answer(pull(w, c, r)))).passed


def test_sparse_matrices_are_named() -> None:
    """NumPy would make one object of it."""
    sparse = pytest.importorskip("scipy.sparse")
    report = bt.check_gradient(lambda phi: (float(phi @ phi), sparse.csr_matrix(2 * phi)), [1.0, 2.0])
    assert "expected real numbers of shape (2,), got csr_matrix" in repr(report)


def test_random_numbers_are_still_noticed() -> None:
    """The random state is put back after the check, not after each call, which would hide the noise."""

    def noisy(w, c, r):
        return pull(w, c, r) + 1e-3 * np.random.normal(size=w.size)

    assert "does your function draw random numbers" in repr(check.gradient(noisy))
    report = bt.check_gradient(lambda phi: (square(phi)[0] + 1e-9 * np.random.normal(), 2 * phi), [1.0])
    assert "Does the function draw random numbers?" in repr(report)


@pytest.mark.full
def test_a_loop_is_stopped_although_an_earlier_call_changed_the_alarm() -> None:
    """The alarm is set anew for each call."""
    calls = []

    def second_loops(phi):
        calls.append(None)
        if len(calls) == 1:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
        end = time.monotonic() + 20
        while len(calls) == 2 and time.monotonic() < end:
            pass
        return square(phi)

    assert "no answer within 0.3 seconds" in repr(bt.check_gradient(second_loops, [1.0], time_limit=0.3))
