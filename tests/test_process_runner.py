"""A learner's function that does odd things: one sentence in the report, in bounded time, and the process lives on."""

from __future__ import annotations

import builtins
import contextlib
import math
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from os import _exit as exit_by_another_name

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.course import check

LIMIT = 0.3  # seconds for one call


class Own(BaseException):
    """An exception that ``except Exception`` does not catch."""


def square(phi):
    return float(phi @ phi), 2 * phi


def endless(*_, **__):
    while True:
        pass


def own_error(*_, **__):
    raise Own("mine")


def report(function: Callable[..., object]) -> str:
    """Return the report of the check of a gradient, and let the check of an exercise see the function too."""
    began = time.monotonic()
    exercise = repr(check.loss(function, time_limit=LIMIT))
    found = repr(bt.check_gradient(function, [1.0, 2.0], time_limit=LIMIT))
    for text in (exercise, found):
        assert len(text) < 5000
        assert "Traceback" not in text
    assert time.monotonic() - began < 60
    return found


def one_with(name: str, what: Callable[..., object]) -> type:
    """Return a class whose attribute or method of this name does something odd."""
    return type("Odd", (), {name: what})


# -------------------------------------------------------------------------------------------------- odd functions


class Called:
    """A callable object that is right."""

    def __call__(self, phi):  # noqa: D102
        return square(phi)


@pytest.mark.parametrize(
    "attributes",
    [
        {"__signature__": "odd"},
        {"__signature__": 5},
        {"__signature__": property(own_error)},
        {"__wrapped__": property(own_error)},
        {"__getattr__": own_error},
        {"__getattribute__": own_error},
        {"__text_signature__": 3},
    ],
)
def test_odd_attributes_of_a_function_are_no_traceback(attributes: dict[str, object]) -> None:
    """The function is checked, or the report says what asking for its arguments did."""
    said = report(type("Odd", (Called,), attributes)())
    assert said.startswith("gradient: ")
    assert "every entry agrees" in said or "stopped with Own" in said


def test_a_function_that_wraps_itself_is_called() -> None:
    """Python gives up on its signature, and the error of the function still names its line."""

    def circular(phi):
        return phi @ np.ones(17)  # at fault

    circular.__wrapped__ = circular
    assert "at fault" in report(circular)


@pytest.mark.parametrize("broken", [own_error, pytest.param(endless, marks=pytest.mark.full)])  # waits ten seconds
def test_the_representation_of_a_default_is_written_under_the_watch(broken) -> None:
    """The report says which arguments the function takes, and these may have any default."""
    default = one_with("__repr__", broken)()

    def function(phi, more, data=default):
        return square(phi)

    assert "asking your function for its arguments" in report(function)


# -------------------------------------------------------------------------------------------------- odd answers


@pytest.mark.parametrize("name", ["__array__", "__class__", "shape", "dtype", "__len__", "__getitem__", "__float__"])
@pytest.mark.parametrize("does", [endless, own_error])
def test_odd_answers_are_a_sentence_in_bounded_time(name: str, does: Callable[..., object]) -> None:
    """Their methods run when an answer is looked at or turned into numbers, after the call itself."""
    kind = one_with(name, property(does) if name in ("__class__", "shape", "dtype") else does)
    for answer in (kind(), (0.0, kind()), (kind(), np.ones(2))):
        said = repr(bt.check_gradient(lambda phi, answer=answer: answer, [1.0, 2.0], time_limit=LIMIT))
        assert said.startswith("gradient: cannot be checked."), said
        assert said.count("\n") <= 2


def test_a_tuple_with_methods_of_its_own_is_a_tuple() -> None:
    """Its items count, and not what its methods say."""

    class Odd(tuple):
        __len__ = __getitem__ = __iter__ = own_error

    assert bt.check_gradient(lambda phi: Odd(square(phi)), [1.0, 2.0]).passed


def test_an_odd_answer_of_an_exercise_is_a_sentence_too() -> None:
    """The exercises look at answers in the same way."""
    for name in ("ndim", "shape", "__class__"):
        said = repr(check.gradient(lambda w, c, r, name=name: one_with(name, property(own_error))()))
        assert said.startswith("gradient: ")
        assert said.count("\n") <= 2


# -------------------------------------------------------------------------------------------------- odd errors


@pytest.mark.parametrize("does", [endless, own_error])
@pytest.mark.parametrize("base", [Exception, BaseException, ValueError, RuntimeWarning])
def test_an_error_whose_message_is_odd_is_named(does: Callable[..., object], base: type) -> None:
    """The kind of the error is known even if its message is not."""
    kind = type("Odd", (base,), {"__str__": does})

    def raising(phi):
        raise kind

    assert "Odd" in report(raising) or "NumPy warning" in report(raising)


def test_an_error_of_their_own_below_base_exception_is_a_line() -> None:
    """Such as one that a test library uses to leave a test."""
    assert "Own in line" in report(own_error)


@pytest.mark.parametrize("n", [10**4, 10**7])
def test_long_texts_are_cut(n: int) -> None:
    """The message of an error, the names of a type and of an argument, and a warning may have any length."""

    def raising(phi):
        raise ValueError("x" * n)

    def many_lines(phi):
        raise ValueError("\n".join(["x"] * (n // 10)))

    def odd_type(phi):
        return type("x" * n, (), {})()

    def warns(phi):
        warnings.warn("x" * n, RuntimeWarning, stacklevel=1)
        return square(phi)

    for function in (raising, many_lines, odd_type, warns):
        assert len(report(function)) < 2500


# -------------------------------------------------------------------------------------- what belongs to the process


@pytest.mark.parametrize(
    ("module", "name"),
    [
        *((np, "abs"), (np, "float64"), (np.linalg, "norm"), (math, "exp"), (builtins, "float")),
        *((os, "getpid"), (os, "fstat"), (signal, "signal")),
    ],
)
def test_names_that_others_use_are_put_back(module, name: str) -> None:
    """A function that replaces one of them fails, and the check still computes with the right one."""
    before = getattr(module, name)

    def patching(phi):
        setattr(module, name, lambda *_: 1)
        return square(phi)

    def deleting(phi):
        delattr(module, name)
        return square(phi)

    for function in (patching, deleting):
        assert f"{name}, which other code uses too" in report(function)
        assert getattr(module, name) is before


def to_self(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    "ending",
    [
        lambda: os._exit(0),
        lambda: exit_by_another_name(0),
        lambda: os.abort(),  # noqa: PLW0108
        lambda: os.execv(sys.executable, ["python", "-c", "0"]),  # noqa: S606
        lambda: os.execlp("true", "true"),  # noqa: S606
        lambda: to_self(signal.SIGKILL),
        lambda: to_self(signal.SIGTERM),
        lambda: signal.raise_signal(signal.SIGTERM),
        lambda: signal.pthread_kill(threading.get_ident(), signal.SIGKILL),
        lambda: os.killpg(os.getpgrp(), signal.SIGKILL),
        lambda: os.killpg(0, signal.SIGTERM),
        lambda: os.kill(-os.getpgrp(), signal.SIGKILL),
        sys.exit,
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="the signals of POSIX")
def test_a_function_cannot_end_the_process(ending: Callable[[], object]) -> None:
    """It is a line in the report, as for ``sys.exit``."""

    def function(phi):
        ending()

    assert "SystemExit in line" in report(function)


@pytest.mark.skipif(os.name != "posix", reason="file descriptors of POSIX")
def test_closed_file_descriptors_are_opened_again() -> None:
    """Text that is written afterwards arrives, and a note says what happened."""
    before = [os.fstat(number).st_ino for number in range(3)]

    def closing(phi):
        for number in range(3):
            with contextlib.suppress(OSError):
                os.close(number)
        return square(phi)

    said = repr(bt.check_gradient(closing, [1.0, 2.0]))
    assert "every entry agrees" in said
    assert "file descriptor 1" in said
    assert [os.fstat(number).st_ino for number in range(3)] == before


@pytest.mark.full
def test_closed_streams_can_still_be_written_to(run_python) -> None:
    """The function may have kept the stream under a name of its own."""
    script = (
        "import sys\n"
        "import bradley_terry as bt\n"
        "mine = sys.stdout\n"
        "def closing(phi):\n"
        "    mine.close(); sys.stdout.close(); sys.__stdout__.close(); sys.__stderr__.close()\n"
        "    return float(phi @ phi), 2 * phi\n"
        "print(bt.check_gradient(closing, [1.0]).passed)\n"
        "print('still here', file=sys.__stdout__)\n"
    )
    assert run_python(script).split("\n") == ["True", "still here"]


def test_closing_the_streams_of_a_test_is_no_error(capsys) -> None:
    """The check restores what it finds, whichever stream that is."""

    def closing(phi):
        sys.stdout.close()
        sys.stderr.close()
        print("nothing is lost")
        return square(phi)

    assert bt.check_gradient(closing, [1.0, 2.0]).passed
    print("after")
    assert capsys.readouterr().out == "after\n"
