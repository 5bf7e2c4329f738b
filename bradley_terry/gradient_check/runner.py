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
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from contextvars import ContextVar
from functools import partial
from os import getpid  # since their function may replace ``os.getpid``
from types import FrameType
from typing import Any, TextIO

import numpy as np

from ..arrays.visible import class_name, counted
from ..logistic import Array
from .process import leave, names_put_back
from .stopping import (
    ERROR,
    FAILED,
    NOT_ATTEMPTED,
    PASSED,
    SECONDS,
    OutOfTime,
    Stop,
    TimeIsUp,
    Watch,
    is_watched,
    printable,
    shortened,
    watched,
)

__all__ = [
    "ERROR",
    "FAILED",
    "NOT_ATTEMPTED",
    "OVERFLOWS",
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
    "with_their_objects",
    "words_of",
]

Student = Callable[..., object]
TraceFunction = Callable[[FrameType, str, Any], Any]

MOST_PRINTED = 10_000  # characters kept of what one call prints
LONGEST = 300  # characters of the message of an error
OVERFLOWS = (
    "exp overflows. Write one formula for Δ ≥ 0 and one for Δ < 0, both with e = exp(−|Δ|), which cannot overflow. "
    "np.where alone does not help, because it computes both of its branches"
)
PRINTED: ContextVar[list[str] | None] = ContextVar("PRINTED", default=None)
"""If this is set to a list, each call appends what the function printed. The report of an exercise shows it."""


@contextlib.contextmanager
def with_their_objects(doing: str, watch: Watch | None = None) -> Iterator[None]:
    """Touch an object of theirs: whatever that does, even if it never ends, becomes a Stop with one sentence.

    ``doing`` begins the sentence, such as "turning the loss into a number". An object may run their code when it is
    converted, printed, compared, asked for its length, its type or an attribute. ``watch`` is one that rests at the
    moment; otherwise there is a new one.
    """
    out = _Printed()
    try:
        with watched(watch), redirect_stdout(out), redirect_stderr(out):
            yield
    except (Stop, KeyboardInterrupt):
        raise
    except TimeIsUp:
        if is_watched():  # by the caller
            raise
        raise OutOfTime(ERROR, f"{doing} gave no answer within {counted(SECONDS.get(), 'second', 'g')}") from None
    except BaseException as error:  # noqa: BLE001  # their code may raise anything
        raise Stop(ERROR, f"{doing} stopped with {class_name(error)}{_after_colon(words_of(error))}") from None
    finally:
        out.after = sys.stdout


def can_be_called_with(function: Student, arguments: Sequence[object], names: Sequence[str]) -> None:
    """Stop unless ``function`` is callable and takes these arguments."""
    wanted = f"a function of ({', '.join(names)})"
    if not callable(function):
        raise Stop(ERROR, f"expected {wanted}, got {class_name(function)}")
    with contextlib.suppress(_NoSignature), with_their_objects("asking your function for its arguments"):
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError, AttributeError, RecursionError):  # some built-in functions have none
            raise _NoSignature(ERROR, "") from None
        try:
            signature.bind(*arguments)
        except TypeError as error:
            why = f"{error}; it takes {signature}"
            raise Stop(ERROR, f"expected {wanted}, got one that does not take these arguments: {why}") from None


class _NoSignature(Stop):
    """Whether a function takes the arguments will be seen when it is called."""


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
            answer = _plain(function(*copies))
    except NotImplementedError:
        raise Stop(NOT_ATTEMPTED, "") from None
    except TimeIsUp:
        raise OutOfTime(
            ERROR, f"{note}no answer within {counted(watch.seconds, 'second', 'g')}: is there an endless loop?"
        ) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # their code may raise anything
        watch.rest()  # the error is described under a watch of its own
        _nothing_is_replaced(note)
        shapes = ", ".join(f"{name} {_shape(argument)}" for name, argument in zip(names, arguments, strict=True))
        message = f"{note}{_told(function, error)}\n  it was given {shapes}"
        raise Stop(FAILED if isinstance(error, RuntimeWarning) else ERROR, message) from None
    finally:
        watch.rest()
        if getpid() != watch.process:
            leave(0)  # a child process that their function forked ends here
        out.after, err.after = sys.stdout, sys.stderr
        if (heard := PRINTED.get()) is not None:
            heard.append(printable(out.getvalue() + err.getvalue()))
    _nothing_is_replaced(note)
    if answer is None:
        raise Stop(NOT_ATTEMPTED, f"{note}it ran and returned nothing: if you have written it, is a return missing?")
    for name, before, after in zip(names, arguments, copies, strict=True):
        with (
            with_their_objects(f"{note}looking at the input {name} after the call", watch)
            if isinstance(after, Mapping)
            else _UNCHANGED
        ):  # a mapping may hold objects of theirs now
            is_unchanged = _unchanged(before, after)
        if not is_unchanged:
            raise Stop(FAILED, f"{note}your function changes its input {name}: work on a copy")
    return answer


def _nothing_is_replaced(note: str) -> None:
    if changed := names_put_back():
        raise Stop(FAILED, f"{note}your function replaces {changed}, which other code uses too: choose a new name")


def _plain(answer: object) -> object:
    """Return an answer of a class that is derived from tuple, list or dict as one of these, in case it misbehaves."""
    if isinstance(answer, dict):
        return dict(dict.items(answer))
    if isinstance(answer, tuple | list) and type(answer) not in (tuple, list):
        return tuple(tuple.__iter__(answer)) if isinstance(answer, tuple) else list(list.__iter__(answer))
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
    if type(answer) in (float, np.float64) or (type(answer) is np.ndarray and answer.dtype == np.float64):
        return _real_numbers(answer, name, shape, n_pairs, note, given)  # none of their code runs
    with with_their_objects(f"{note}{name}: turning it into numbers"):
        return _real_numbers(answer, name, shape, n_pairs, note, given)


def _real_numbers(
    answer: object,
    name: str,
    shape: tuple[int, ...],
    n_pairs: int | None,
    note: str,
    given: Callable[[int], str],
) -> Array:
    try:
        array = np.asarray(answer)
    except ValueError:
        raise Stop(FAILED, f"{note}{name}: expected an array of shape {shape}, got rows of different lengths") from None
    except Exception as error:  # noqa: BLE001  # for instance a tensor that requires a gradient
        kind = class_name(answer)
        raise Stop(FAILED, f"{note}{name}: expected {_wanted(shape)}, got {kind}: {words_of(error)}") from None
    if array.dtype.kind not in "fiub":
        kind = "complex numbers" if array.dtype.kind == "c" else f"{class_name(answer)}{_entries_of(array)}"
        raise Stop(FAILED, f"{note}{name}: expected {_wanted(shape)}, got {kind}")
    if np.ma.is_masked(answer):
        raise Stop(FAILED, f"{note}{name}: expected {_wanted(shape)}, got a masked array with missing entries")
    if array.shape != shape:
        hint = ""
        if n_pairs is not None and array.shape == (n_pairs, *shape):
            hint = ": looks like one row for each pair; sum over the pairs"
        elif n_pairs is not None and array.shape == (2 * n_pairs, *shape):
            hint = ": looks like one row for each answer; add up the rows"
        elif array.shape == shape[::-1] and len(shape) == 2:
            hint = ": looks like its transpose"
        elif shape == () and array.size > 1:
            hint = ": more than one number; was the sum or the mean forgotten?"
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
    types = sorted({class_name(x) for x in array.ravel().tolist() if not isinstance(x, int | float)})
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


def words_of(error: BaseException) -> str:
    """Return the first line of an error's message, even if making the message fails."""
    try:
        with watched():
            words = str(error)[:10_000].strip().partition("\n")[0]
    except KeyboardInterrupt:
        raise
    except BaseException as reason:
        if isinstance(reason, TimeIsUp) and is_watched():
            raise
        return "(its message cannot be read)"
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}…"


def _after_colon(words: str) -> str:
    """Return the words of an error after a colon, or nothing if it has none, as in ``raise SystemExit``."""
    return f": {words}" if words else ""


NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def kind_of(answer: object) -> str:
    """Say what a function returned, such as "a tuple of three items"."""
    kind = class_name(answer)
    if not isinstance(answer, tuple | list):
        return kind
    n = len(answer)
    items = f"{NUMBERS[n] if n < len(NUMBERS) else n} {'item' if n == 1 else 'items'}"
    return f"a tuple of {items}" if isinstance(answer, tuple) else f"a list of {items}"


def words_of_warning(warning: warnings.WarningMessage) -> str:
    """Say what NumPy warned about, and in which line."""
    code = linecache.getline(warning.filename, warning.lineno).strip()
    place = f"line {warning.lineno}" + (f", `{code}`" if code else "")
    return printable(shortened(f"NumPy warned in {place}: {warning.message}"))


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
    try:
        while isinstance(function, partial):
            function = function.func
        function = getattr(function, "pyfunc", function)  # np.vectorize
        inner = vars(function).get("__init__", function) if isinstance(function, type) else function
        if not hasattr(inner, "__code__"):
            inner = getattr(inner, "py_func", type(function).__call__)
        return str(getattr(getattr(inspect.unwrap(inner), "__code__", None), "co_filename", ""))
    except Exception:  # noqa: BLE001  # their attributes may raise anything
        return ""


def _told(function: Student, error: BaseException) -> str:
    """Describe an error of their function, or only name its kind if more cannot be said."""
    try:
        with with_their_objects("describing the error"):
            return _what_happened(function, error)
    except Stop:
        return f"{class_name(error)} in your function: (its message cannot be read)"


def _what_happened(function: Student, error: BaseException) -> str:
    """Describe an error of their function: its kind, the line, and what it says."""
    if type(error).__module__.startswith("numba."):
        return _in_numbas_words(error)
    kind, words = "a NumPy warning" if isinstance(error, RuntimeWarning) else class_name(error), words_of(error)
    text = f"{kind} in {place_of(function, error)}" + _after_colon(words)
    if "overflow encountered in exp" in words or isinstance(error, OverflowError):
        text += f"\n  {OVERFLOWS}"
    return text


def _in_numbas_words(error: BaseException) -> str:
    """Leave out the first line of an error of Numba, a stage of its compiler, and say what is wrong and where."""
    text = str(error)[:100_000]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    useful = [line for line in lines[1:] if not line.startswith(("There are", "During:", "File ", "-", "<source"))]
    words = next(iter(useful), lines[0] if lines else class_name(error))
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
        return f"= {value.__name__}"
    return "(a function)" if callable(value) else f"= {value!r}"
