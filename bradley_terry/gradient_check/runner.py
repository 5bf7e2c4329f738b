"""Calling somebody else's function, perhaps unfinished, and turning every failure into one clear sentence.

The function may raise, return nothing, return the wrong thing, change its input, print, or never end. Each failure
becomes a ``Stop`` with a status and a message that names the line in *their* code. The user never sees a traceback from
our code. Only a KeyboardInterrupt is raised again, because this is how a person stops a check.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import linecache
import os
import re
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from contextvars import ContextVar
from functools import partial
from types import FrameType
from typing import Any, TextIO

import numpy as np

from ..arrays.single import in_words
from ..logistic import Array
from .process import leave

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
    "kind_of",
    "place_of",
    "real_numbers",
    "warnings_as_notes",
    "words_of",
]

Student = Callable[..., object]
TraceFunction = Callable[[FrameType, str, Any], Any]

PASSED, FAILED, NOT_ATTEMPTED, ERROR = "passed", "failed", "not attempted", "error"


MOST_PRINTED = 10_000  # characters kept of what one call prints
LONGEST = 300  # characters of the message of an error

PRINTED: ContextVar[list[str] | None] = ContextVar("PRINTED", default=None)
"""If this is set to a list, each call appends what the function printed. The report of an exercise shows it."""


class Stop(Exception):  # noqa: N818  # it ends a check, and is not an error of the package
    """The end of a check before its last stage, with a status and the reason."""

    def __init__(self, status: str, message: str) -> None:
        self.status, self.message = status, printable(message)
        super().__init__(self.message)


class OutOfTime(Stop):
    """The end of a check because one call took too long."""


def can_be_called_with(function: Student, arguments: Sequence[object], names: Sequence[str]) -> None:
    """Stop unless ``function`` is callable and takes these arguments."""
    wanted = f"a function of ({', '.join(names)})"
    if not callable(function):
        raise Stop(ERROR, f"expected {wanted}, got {type(function).__name__}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have none
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        why = f"{error}; it takes {signature}"
        raise Stop(ERROR, f"expected {wanted}, got one that does not take these arguments: {why}") from None


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
    watch, copies = time_limit, [_copied(argument) for argument in arguments]
    out, err = _Printed(), _Printed()
    try:
        with _warnings(function, quiet), redirect_stdout(out), redirect_stderr(err), np.errstate():
            watch.begin()
            answer = function(*copies)
    except NotImplementedError:
        raise Stop(NOT_ATTEMPTED, "") from None
    except _TimeIsUp:
        raise OutOfTime(ERROR, f"{note}no answer within {watch.seconds:g} seconds: is there an endless loop?") from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # their code may raise anything
        shapes = ", ".join(f"{name} {_shape(argument)}" for name, argument in zip(names, arguments, strict=True))
        message = f"{note}{_what_happened(function, error)}\n  it was given {shapes}"
        raise Stop(FAILED if isinstance(error, RuntimeWarning) else ERROR, message) from None
    finally:
        watch.rest()
        if os.getpid() != watch.process:
            leave(0)  # a child process that their function forked ends here
        out.after, err.after = sys.stdout, sys.stderr
        if (heard := PRINTED.get()) is not None:
            heard.append(printable(out.getvalue() + err.getvalue()))
    if answer is None:
        raise Stop(NOT_ATTEMPTED, f"{note}it ran and returned nothing: if you have written it, is a return missing?")
    for name, before, after in zip(names, arguments, copies, strict=True):
        if not _unchanged(before, after):
            raise Stop(FAILED, f"{note}your function changes its input {name}: work on a copy")
    return answer


def real_numbers(
    answer: object,
    name: str,
    shape: tuple[int, ...],
    *,
    n_pairs: int | None = None,
    note: str = "",
    given: Callable[[int], str] = lambda entry: "",
) -> Array:
    """Return an answer as float64 of this shape, or stop and say what is wrong with it.

    ``n_pairs`` is the number of pairs behind a gradient. With it, a gradient that was not summed over the pairs is
    recognised. ``given`` returns the input that belongs to an entry, which is shown if that entry is not finite.
    """
    try:
        array = np.asarray(answer)
    except ValueError:
        raise Stop(FAILED, f"{note}{name}: expected an array of shape {shape}, got rows of different lengths") from None
    except Exception as error:  # noqa: BLE001  # for instance a tensor that requires a gradient
        kind = type(answer).__name__
        raise Stop(FAILED, f"{note}{name}: expected {_wanted(shape)}, got {kind}: {words_of(error)}") from None
    if array.dtype.kind not in "fiub":
        kind = "complex numbers" if array.dtype.kind == "c" else f"{type(answer).__name__}{_entries_of(array)}"
        raise Stop(FAILED, f"{note}{name}: expected {_wanted(shape)}, got {kind}")
    if np.ma.is_masked(answer):
        raise Stop(FAILED, f"{note}{name}: expected {_wanted(shape)}, got a masked array in which some are missing")
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
    with np.errstate(over="ignore"):  # a longdouble may be too large for float64
        numbers = np.array(array, dtype=np.float64)  # a copy, since their code may use the same array again
    if not np.isfinite(numbers).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(numbers))[0])
        place = f" at {list(where)}" if where else ""
        its_input = given(int(np.flatnonzero(~np.isfinite(numbers))[0]))
        place += f", given {its_input}" if its_input else ""
        raise Stop(FAILED, f"{note}{name}: expected finite numbers, got {array[where]}{place}")
    return numbers


def _entries_of(array: np.ndarray[Any, Any]) -> str:
    """Say of which type the entries are that are no numbers."""
    if not array.shape:
        return ""
    types = sorted({type(x).__name__ for x in array.ravel().tolist() if not isinstance(x, int | float)})
    return f" with entries of type {', '.join(types)}" if types else " of Python objects: convert it with astype(float)"


def _wanted(shape: tuple[int, ...]) -> str:
    return f"real numbers of shape {shape}" if shape else "one real number"


class _Printed(io.StringIO):
    """Keeps the first characters that a call prints; what is printed after the call goes where it should."""

    after: TextIO | None = None

    def write(self, text: str) -> int:
        if self.after is not None:  # a thread that is still running, or a logging handler
            return self.after.write(text)
        super().write(text[: max(0, MOST_PRINTED - self.tell())])
        return len(text)

    def close(self) -> None:
        """Do nothing, since the text is still needed."""


_UNCHANGED = contextlib.nullcontext()


@contextlib.contextmanager
def _warnings(function: Student, quiet: bool) -> Iterator[None]:
    """Raise NumPy's warnings as errors if ``quiet``; otherwise show them with the line in their code."""
    show, stderr = warnings.showwarning, sys.stderr

    def with_their_line(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any
    ) -> None:
        at, file = inspect.currentframe(), _file_of(function)
        while at is not None and at.f_code.co_filename != file:
            at = at.f_back
        if at is not None and category is RuntimeWarning:
            filename, lineno = at.f_code.co_filename, at.f_lineno
        show(message, category, filename, lineno, stderr)

    with warnings.catch_warnings() if quiet else _UNCHANGED:
        if quiet:
            warnings.simplefilter("error", RuntimeWarning)
        warnings.showwarning = with_their_line
        try:
            yield
        finally:
            warnings.showwarning = show


class _TimeIsUp(BaseException):
    """Not an Exception, so that an ``except Exception`` in their code does not catch it."""


class Watch:
    """Interrupts a call that takes longer than this many seconds. This works only in the main thread and on POSIX.

    One watch serves many calls, one after the other: ``with Watch(10.0) as watch: call(…, watch)``. If a bare
    ``except`` in the call catches the interruption, a second one is raised inside that ``except``. If another
    ``except`` around it catches the second one as well, the call cannot be stopped. Neither can a loop in compiled
    code. The time in which Numba compiles does not count, since the caller cannot shorten it.
    """

    def __init__(self, seconds: float) -> None:
        if not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
            raise ValueError(f"time_limit: expected a positive number of seconds, got {in_words(seconds)}")
        self.seconds = seconds
        self.since: float | None = None  # when the current call began
        self.tracer, self.process = sys.gettrace(), os.getpid()
        self.n_interrupted = 0
        self.works = False

    def __enter__(self) -> Watch:
        self.works = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
        if self.works:
            self.began = time.monotonic()
            self.before = [(number, signal.getsignal(number)) for number in (signal.SIGALRM, signal.SIGINT)]
            self.outer = signal.getitimer(signal.ITIMER_REAL)
        return self

    def __exit__(self, *_: object) -> None:
        if self.works:
            signal.setitimer(signal.ITIMER_REAL, 0)
            left, interval = self.outer  # an alarm that was set before continues
            left = max(left - (time.monotonic() - self.began), 1e-6) if left else 0.0
            for number, handler in self.before:
                if handler is not None:  # None stands for one that was set in C
                    signal.signal(number, handler)
            signal.setitimer(signal.ITIMER_REAL, left, interval)

    def begin(self) -> None:
        """Watch a call that begins now. The alarm is set anew, since the call before may have changed it."""
        if self.works:
            signal.signal(signal.SIGALRM, self._look)
            signal.setitimer(signal.ITIMER_REAL, self.seconds / 4, self.seconds / 4)
        self.since = time.monotonic()

    def rest(self) -> None:
        """Stop watching until the next call."""
        self.since = None
        if self.n_interrupted > 1:
            sys.settrace(self.tracer)
        self.n_interrupted = 0

    @contextlib.contextmanager
    def over(self, whose: str) -> Iterator[None]:
        """Watch a block of code, and stop with a sentence if it takes too long."""
        self.begin()
        try:
            yield
        except _TimeIsUp:
            raise OutOfTime(ERROR, f"{whose} gave no answer within {self.seconds:g} seconds") from None
        finally:
            self.rest()

    def _look(self, number: int, frame: FrameType | None) -> None:
        outer = getattr(self.before[0][1], "__self__", None)
        if isinstance(outer, Watch):  # in a check within a check, both watches run
            outer._look(number, frame)
        if self.since is None:
            return
        at = frame
        while at is not None:
            if str(at.f_globals.get("__name__", "")).startswith(("numba.", "llvmlite.")):
                self.since = time.monotonic()  # it compiles
            at = at.f_back
        if time.monotonic() - self.since < self.seconds:
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
        words = str(error).strip().partition("\n")[0]
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001
        return "(its message cannot be read)"
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}…"


def printable(text: str) -> str:
    """Replace characters that would move the cursor or change the colour of a terminal by their codes."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def kind_of(answer: object) -> str:
    """Say what a function returned, such as "a tuple of three items"."""
    kind = type(answer).__name__
    if not isinstance(answer, tuple | list):
        return kind
    n = len(answer)
    items = f"{NUMBERS[n] if n < len(NUMBERS) else n} {'item' if n == 1 else 'items'}"
    return f"a tuple of {items}" if isinstance(answer, tuple) else f"list of {items}"


def words_of_warning(warning: warnings.WarningMessage) -> str:
    """Say what NumPy warned about, and in which line."""
    code = linecache.getline(warning.filename, warning.lineno).strip()
    place = f"line {warning.lineno}" + (f", `{code}`" if code else "")
    return printable(f"NumPy warned in {place}: {warning.message}")


@contextlib.contextmanager
def warnings_as_notes() -> Iterator[list[str]]:
    """Yield a list that holds what NumPy warned about, when the block has ended; other warnings are shown once."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        yield notes
    from_numpy = [w for w in heard if w.category is RuntimeWarning and "never awaited" not in str(w.message)]
    notes += dict.fromkeys(words_of_warning(w) for w in from_numpy)
    others = {(str(w.message), w.category, w.filename, w.lineno): w for w in heard if w.category is not RuntimeWarning}
    for w in others.values():  # each once, although the function was called many times
        warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)


def place_of(function: Student, error: BaseException) -> str:
    """Return the line of their code in which an error arose."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is the call above
    file = _file_of(function)
    mine = [frame for frame in frames if file and frame.filename == file]
    mine = mine or [frame for frame in frames if "site-packages" not in frame.filename]
    if not (mine or frames):
        return "the call to your function"
    frame = (mine or frames)[-1]
    return f"line {frame.lineno} of {frame.name}" + (f", `{frame.line}`" if frame.line else "")


def _file_of(function: Student) -> str:
    """Return the file in which a function is written, also of a partial, a vectorized or compiled one, or a class."""
    while isinstance(function, partial):
        function = function.func
    function = getattr(function, "pyfunc", function)  # np.vectorize
    inner = vars(function).get("__init__", function) if isinstance(function, type) else function
    if not hasattr(inner, "__code__"):
        inner = getattr(inner, "py_func", type(function).__call__)
    return str(getattr(getattr(inspect.unwrap(inner), "__code__", None), "co_filename", ""))


def _what_happened(function: Student, error: BaseException) -> str:
    """Describe an error of their function: its kind, the line, and what it says."""
    if type(error).__module__.startswith("numba."):
        return _in_numbas_words(error)
    kind, words = "a NumPy warning" if isinstance(error, RuntimeWarning) else type(error).__name__, words_of(error)
    text = f"{kind} in {place_of(function, error)}: {words}"
    if "overflow encountered in exp" in words or isinstance(error, OverflowError):
        text += (
            "\n  exp overflows. Write one formula for Δ ≥ 0 and one for Δ < 0, both with e = exp(−|Δ|), which cannot "
            "overflow. np.where alone does not help, because it computes both of its branches"
        )
    return text


def _in_numbas_words(error: BaseException) -> str:
    """Leave out the first line of an error of Numba, a stage of its compiler, and say what is wrong and where."""
    text = str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    useful = [line for line in lines[1:] if not line.startswith(("There are", "During:", "File ", "-", "<source"))]
    words = next(iter(useful), lines[0] if lines else type(error).__name__)
    if words.endswith(":") and len(useful) > 1:
        words += f" {useful[1]}"
    if (found := re.search(r'File "([^"]*)", line (\d+):', text)) is None:
        return f"Numba cannot compile this: {words}"
    code = linecache.getline(found[1], int(found[2])).strip()
    return f"in line {found[2]} of your file, Numba cannot compile this: {words}" + (f"\n  `{code}`" if code else "")


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
