"""Calling somebody else's function, perhaps unfinished, and turning every failure into one clear sentence.

The function may raise, return nothing, return the wrong thing, change its input, print, or never end. Each failure
becomes a ``Stop`` with a status and a message that names the line in *their* code. The user never sees a traceback from
our code.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from types import FrameType
from typing import Any

import numpy as np

from ..logistic import Array

__all__ = [
    "ERROR",
    "FAILED",
    "NOT_ATTEMPTED",
    "PASSED",
    "PRINTED",
    "OutOfTime",
    "Stop",
    "Watch",
    "call",
    "can_be_called_with",
    "place_of",
    "real_numbers",
    "words_of",
]

Student = Callable[..., object]
TraceFunction = Callable[[FrameType, str, Any], Any]

PASSED, FAILED, NOT_ATTEMPTED, ERROR = "passed", "failed", "not attempted", "error"


PRINTED: ContextVar[list[str] | None] = ContextVar("PRINTED", default=None)
"""If this is set to a list, each call appends what the function printed. The report of an exercise shows it."""


class Stop(Exception):  # noqa: N818  # it ends a check, and is not an error of the package
    """The end of a check before its last stage, with a status and the reason."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class OutOfTime(Stop):
    """The end of a check because one call took too long."""


def can_be_called_with(function: Student, arguments: Sequence[object], names: Sequence[str]) -> None:
    """Stop unless ``function`` is callable and takes these arguments."""
    wanted = f"a function of ({', '.join(names)})"
    if not callable(function):
        raise Stop(ERROR, f"expected {wanted}, got {type(function).__name__}")
    try:
        signature = inspect.signature(function)
    except ValueError:  # some built-in functions have none
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise Stop(ERROR, f"expected {wanted}, got one that does not take these arguments: {error}") from None


def call(
    function: Student,
    arguments: Sequence[object],
    names: Sequence[str],
    time_limit: float | Watch,
    *,
    note: str = "",
    quiet: bool = True,
) -> object:
    """Call a function with copies of the arguments, suppress what it prints, and return its result.

    Parameters
    ----------
    function : callable
    arguments : sequence of arrays, numbers, functions, or mappings of names to arrays
    names : sequence of str
        The names of the arguments, for messages.
    time_limit : float, seconds, or Watch
        Longest time for this call.
    note : str
        The beginning of every message, such as "at margins of 1000: ".
    quiet : bool
        Whether a NumPy warning is a failure; otherwise the caller sees the warning.

    Raises
    ------
    Stop
        With status "not attempted" for None or NotImplementedError, otherwise with "error" or "failed" and a sentence.
    """
    if not isinstance(time_limit, Watch):
        with Watch(time_limit) as watch:
            return call(function, arguments, names, watch, note=note, quiet=quiet)
    watch, copies, printed = time_limit, [_copied(argument) for argument in arguments], io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), np.errstate(), _strict() if quiet else _UNCHANGED:
            watch.since = time.monotonic()
            answer = function(*copies)
    except NotImplementedError:
        raise Stop(NOT_ATTEMPTED, "") from None
    except _TimeIsUp:
        raise OutOfTime(ERROR, f"{note}no answer within {watch.seconds:g} seconds: is there an endless loop?") from None
    except (Exception, SystemExit, GeneratorExit) as error:  # noqa: BLE001  # their code may raise anything
        shapes = ", ".join(f"{name} {_shape(argument)}" for name, argument in zip(names, arguments, strict=True))
        kind = "a NumPy warning" if isinstance(error, RuntimeWarning) else type(error).__name__
        message = f"{note}{kind} in {place_of(function, error)}: {words_of(error)}\n  it was given {shapes}"
        if "overflow encountered in exp" in words_of(error) or isinstance(error, OverflowError):
            message += "\n  exp overflows. Compute only exp(−|Δ|), which cannot overflow, and use it for both signs"
        raise Stop(FAILED if isinstance(error, RuntimeWarning) else ERROR, message) from None
    finally:
        watch.rest()
        if (heard := PRINTED.get()) is not None:
            heard.append(printed.getvalue())
    if answer is None:
        raise Stop(NOT_ATTEMPTED, f"{note}it ran and returned nothing: if you have written it, is a return missing?")
    for name, before, after in zip(names, arguments, copies, strict=True):
        if not _unchanged(before, after):
            raise Stop(FAILED, f"{note}your function changes its input {name}: work on a copy")
    return answer


def real_numbers(
    answer: object, name: str, shape: tuple[int, ...], *, n_pairs: int | None = None, note: str = ""
) -> Array:
    """Return an answer as float64 of this shape, or stop and say what is wrong with it.

    ``n_pairs`` is the number of pairs behind a gradient. With it, a gradient that was not summed over the pairs is
    recognised.
    """
    try:
        array = np.asarray(answer)
    except ValueError:
        raise Stop(FAILED, f"{note}{name}: expected an array of shape {shape}, got rows of different lengths") from None
    except Exception as error:  # noqa: BLE001  # for instance a tensor that requires a gradient
        kind = type(answer).__name__
        raise Stop(FAILED, f"{note}{name}: expected {_wanted(shape)}, got {kind}: {words_of(error)}") from None
    if array.dtype.kind not in "fiub":
        kind = "complex numbers" if array.dtype.kind == "c" else f"{type(answer).__name__}"
        raise Stop(FAILED, f"{note}{name}: expected {_wanted(shape)}, got {kind}")
    if array.shape != shape:
        hint = ""
        if n_pairs is not None and array.shape == (n_pairs, *shape):
            hint = ": looks like one row for each pair; sum over the pairs"
        elif n_pairs is not None and array.shape == (2 * n_pairs, *shape):
            hint = ": looks like one row for each answer; add up the rows"
        elif array.shape == shape[::-1] and len(shape) == 2:
            hint = ": looks like its transpose"
        elif shape == () and array.size > 1:
            hint = ": more than one number; was the mean forgotten?"
        elif array.size == int(np.prod(shape)):
            hint = ": the right number of entries, in another shape"
        elif array.shape == ():
            hint = ": a single number; is there one sum or mean too many?"
        raise Stop(FAILED, f"{note}{name}: expected {_wanted(shape)}, got shape {array.shape}{hint}")
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        place = f" at {list(where)}" if where else ""
        raise Stop(FAILED, f"{note}{name}: expected finite numbers, got {array[where]}{place}")
    return np.array(array, dtype=np.float64)  # a copy, since their code may use the same array again


def _wanted(shape: tuple[int, ...]) -> str:
    return f"real numbers of shape {shape}" if shape else "one real number"


_UNCHANGED = contextlib.nullcontext()


@contextlib.contextmanager
def _strict() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


class _TimeIsUp(BaseException):
    """Not an Exception, so that an ``except Exception`` in their code does not catch it."""


class Watch:
    """Interrupts a call that takes longer than this many seconds. This works only in the main thread and on POSIX.

    One watch serves many calls, one after the other: ``with Watch(10.0) as watch: call(…, watch)``. If a bare
    ``except`` in the call catches the interruption, a second one is raised inside that ``except``. If another
    ``except`` around it catches the second one as well, the call cannot be stopped.
    """

    def __init__(self, seconds: float) -> None:
        if not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
            raise ValueError(f"time_limit: expected a positive number of seconds, got {seconds!r}")
        self.seconds = seconds
        self.since: float | None = None  # when the current call began
        self.tracer = sys.gettrace()
        self.n_interrupted = 0

    def __enter__(self) -> Watch:
        self.works = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
        if self.works:
            self.began = time.monotonic()
            self.before = signal.signal(signal.SIGALRM, self._look)
            self.outer = signal.setitimer(signal.ITIMER_REAL, self.seconds / 4, self.seconds / 4)
        return self

    def __exit__(self, *_: object) -> None:
        if self.works:
            signal.setitimer(signal.ITIMER_REAL, 0)
            left, interval = self.outer  # an alarm that was set before continues
            left = max(left - (time.monotonic() - self.began), 1e-6) if left else 0.0
            signal.signal(signal.SIGALRM, self.before)
            signal.setitimer(signal.ITIMER_REAL, left, interval)

    def rest(self) -> None:
        """Stop watching until the next call."""
        self.since = None
        if self.n_interrupted > 1:
            sys.settrace(self.tracer)
        self.n_interrupted = 0

    def _look(self, number: int, frame: FrameType | None) -> None:
        outer = getattr(self.before, "__self__", None)
        if isinstance(outer, Watch):  # in a check within a check, both watches run
            outer._look(number, frame)
        if self.since is None or time.monotonic() - self.since < self.seconds:
            return
        self.n_interrupted += 1
        if self.n_interrupted > 1 and frame is not None:
            self.is_handled = False
            sys.settrace(self._insist)
            frame.f_trace = self._insist
        raise _TimeIsUp

    def _insist(self, _: FrameType, event: str, __: object) -> TraceFunction:
        """Follow the exception just raised to the line that handles it, and raise another one there."""
        if event == "line" and self.is_handled and self.since is not None:
            raise _TimeIsUp
        self.is_handled = self.is_handled or event == "exception"
        return self._insist


def words_of(error: BaseException) -> str:
    """Return the first line of an error's message, even if making the message fails."""
    try:
        return str(error).strip().partition("\n")[0]
    except Exception:  # noqa: BLE001
        return "(its message cannot be read)"


def place_of(function: Student, error: BaseException) -> str:
    """Return the line of their code in which an error arose."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is the call above
    while isinstance(function, partial):
        function = function.func
    function = getattr(function, "pyfunc", function)  # np.vectorize
    inner = vars(function).get("__init__", function) if isinstance(function, type) else function
    if not hasattr(inner, "__code__"):
        inner = getattr(inner, "py_func", type(function).__call__)
    code = getattr(inspect.unwrap(inner), "__code__", None)
    mine = [frame for frame in frames if code is not None and frame.filename == code.co_filename]
    mine = mine or [frame for frame in frames if "site-packages" not in frame.filename]
    if not (mine or frames):
        return "the call to your function"
    frame = (mine or frames)[-1]
    return f"line {frame.lineno} of {frame.name}" + (f", `{frame.line}`" if frame.line else "")


def _copied(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: np.array(array) for name, array in value.items()}
    return np.array(value) if isinstance(value, np.ndarray) else value


def _unchanged(before: object, after: object) -> bool:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return set(before) == set(after) and all(np.array_equal(before[name], after[name]) for name in before)
    if not isinstance(before, np.ndarray):
        return True
    return np.array_equal(before, np.asarray(after)) or np.array_equal(before, np.asarray(after), equal_nan=True)


def _shape(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {np.shape(array)}" for name, array in value.items()) + "}"
    if isinstance(value, np.ndarray):
        return f"of shape {value.shape}"
    if isinstance(value, type):
        return value.__name__
    return "a function" if callable(value) else repr(value)
