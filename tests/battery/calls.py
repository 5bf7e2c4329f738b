"""Make one hostile call, and say which promise it breaks."""

from __future__ import annotations

import dataclasses
import io
import re
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

import bradley_terry as bt

from . import arguments
from .entries import COSTLY, Entry
from .hostile import NOT_A_NUMBER, NOT_WHOLE, forms_of, hostile_values

__all__ = ["KINDS", "LONGEST", "Breach", "breaches_of", "calls_of", "same"]

KINDS = {
    "exception": "ended in another exception than ValueError or TypeError",
    "unnamed": "raised an error that does not name the argument",
    "sentence": "raised an error that is not one sentence",
    "taken": "took complex numbers, texts, dates or objects for numbers",
    "warning": "let a warning escape",
    "mask": "dropped a mask silently",
    "changed": "changed its argument",
    "answer": "gave another answer for the same numbers in another form",
    "slow": "took too long",
}
LONGEST = 5.0  # seconds for one call
REFUSED = {
    "number": NOT_A_NUMBER,
    "numbers": {*NOT_A_NUMBER, "missing"},
    "whole": NOT_WHOLE,
    "wholes": {*NOT_WHOLE, "missing"},
    "labels": {"missing"},
    "switch": NOT_WHOLE,
}
OF_PACKAGE = (bt.ConvergenceWarning, bt.datasets.DataNote)  # warnings that are a part of the answer


@dataclass(frozen=True)
class Breach:
    """A promise that one call breaks."""

    kind: str
    path: str
    argument: str
    tag: str
    given: str
    found: str

    def __str__(self) -> str:
        return f"{self.path}({self.argument}={self.given} [{self.tag}]) {KINDS[self.kind]}: {self.found}"


class TooLong(BaseException):
    """The time of a call is over. No ``except Exception`` can catch it."""


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Raise TooLong after this time, where the system can interrupt a call."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def calls_of(entry: Entry, part: tuple[int, int] = (0, 1)) -> Iterator[tuple[str, str, object]]:
    """Yield argument, tag and hostile value for each call; of ``part`` (i, n), only every n-th, from the i-th on."""
    start, step = part
    yield "", "valid", None
    number, step = 0, step * COSTLY.get(entry.path, 1)
    for name in entry.names:
        for tag, make in [*forms_of(entry.valid()[name]), *hostile_values()]:
            if number % step == start:
                yield name, tag, make()
            number += 1


def breaches_of(entry: Entry, name: str, tag: str, value: object) -> list[Breach]:
    """Call the entry with this value in the place of one argument, and return what is wrong with the answer."""
    given = _shown(value)
    found: list[tuple[str, str]] = []
    limit = LONGEST * (10 if entry.path in COSTLY else 1)
    before, given_all = _print_of(value), {**entry.valid(), **({name: value} if name else {})}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with (
                redirect_stdout(io.StringIO()),
                redirect_stderr(io.StringIO()),
                interrupted_after(limit),
            ):
                answer, error = _answer(entry, given_all), None
        except TooLong:
            return [Breach("slow", entry.path, name, tag, given, f"more than {LONGEST:g} seconds")]
        except Exception as raised:  # noqa: BLE001  # that is what is looked for
            answer, error = None, raised
    found += [("warning", str(w.message)) for w in caught if not _is_expected(w)]
    if before != _print_of(value):
        found.append(("changed", _shown(value)))
    if error is not None:
        found += _faults_of(error, entry, name, tag, value)
    elif tag == "masked" and entry.kind(name) in {"numbers", "wholes", "labels"}:
        found.append(("mask", _shown(answer)))
    elif name and tag in REFUSED.get(entry.kind(name), ()):
        found.append(("taken", _shown(answer)))
    elif tag == "same" or (tag == "mask" and entry.kind(name) != "function"):
        expected = _of_valid(entry) if tag == "same" else _of_list(entry, name, value)
        if not same(answer, expected):
            found.append(("answer", _shown(answer)))
    return [Breach(kind, entry.path, name, tag, given, words) for kind, words in found]


def _of_valid(entry: Entry) -> object:
    """Return the answer to the valid call, without a warning such as that of a fit with few steps."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        return _answer(entry, entry.valid())


def _of_list(entry: Entry, name: str, value: np.ndarray) -> object:
    """Return the answer for the same values in a list, or an exception."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            return _answer(entry, {**entry.valid(), name: value.tolist()})
        except Exception as error:  # noqa: BLE001  # then the array should have been refused, too
            return error


def _is_expected(warning: warnings.WarningMessage) -> bool:
    """Return whether a warning is part of the answer, or comes from the function that was given."""
    return issubclass(warning.category, OF_PACKAGE) or any(
        s in warning.filename for s in (arguments.__file__, "autograd")
    )


def _answer(entry: Entry, given: dict[str, object]) -> object:
    """Call the entry; the parameters of special methods have no names for users."""
    return entry.call(*given.values()) if entry.path.endswith("__") else entry.call(**given)


def _without_numbers(words: str) -> str:
    return re.sub(r"[\d.e+-]+", "0", words)


@lru_cache(maxsize=4096)
def _refusal(entry: Entry) -> str:
    """Return what the valid call says if it is refused for this example, such as the items of pairs of features."""
    try:
        _of_valid(entry)
    except (ValueError, TypeError, LookupError) as error:
        return str(error)
    return ""


def _faults_of(error: Exception, entry: Entry, name: str, tag: str, value: object) -> Iterator[tuple[str, str]]:
    said = f"{type(error).__name__}: {error}"
    allowed: tuple[type[Exception], ...] = (ValueError, TypeError)
    if name and entry.kind(name) == "path":
        allowed += (OSError,)
    if entry.path.endswith("__getitem__"):
        allowed += (LookupError,)  # as Python wants it of an index or a key
    if _without_numbers(str(error)) == _without_numbers(_refusal(entry)):
        return
    if entry.path.endswith("__getitem__") and isinstance(error, LookupError):
        return
    if name and entry.kind(name) == "function" and callable(value):
        return  # what a function of the user raises is not ours
    if isinstance(value, str) and isinstance(error, allowed) and str(Path(value))[:900] in str(error):
        return  # the file is named, as in "path: line N: …"; a very long name is cut
    if not isinstance(error, allowed) or isinstance(error, UnicodeError):
        yield "exception", said
    elif tag == "same" or not name:
        yield "answer", said
    elif "shape" in str(error) and re.search(rf"^({'|'.join(_word(entry, one) for one in entry.names)})\b", str(error)):
        return  # one of two arguments whose shapes do not fit is named
    elif not isinstance(error, OSError) and not re.search(rf"\b({_word(entry, name)})\b", str(error)):
        yield "unnamed", said
    elif "\n" in str(error) or len(str(error)) > 600 or re.search(r"[.!?] [A-Z]", str(error)):
        yield "sentence", said


def _word(entry: Entry, name: str) -> str:
    named = arguments.CALLED
    return named.get((entry.path.partition("[")[0], name), named.get(("", name), name))


def same(one: object, other: object) -> bool:  # noqa: PLR0911
    """Return whether two answers are equal up to the last bits, NaN included."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        a, b = np.asarray(one), np.asarray(other)
        if a.dtype.kind in "OUS" or b.dtype.kind in "OUS":
            return a.shape == b.shape and a.astype(str).tolist() == b.astype(str).tolist()
        return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-6, atol=1e-12, equal_nan=True))
    if isinstance(one, float | np.floating):
        return bool(np.isclose(one, other, rtol=1e-6, atol=1e-12, equal_nan=True))
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if dataclasses.is_dataclass(one) and type(one) is type(other):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
    if type(one).__module__.startswith(("matplotlib", "builtins")) and callable(one):
        return True
    if type(one).__module__.startswith(("matplotlib", "numpy", "bradley_terry", "autograd")):
        return type(one) is type(other)
    return bool(one == other)


def _print_of(value: object) -> object:
    """Return what must not change in an array or a list."""
    if isinstance(value, np.ndarray):
        content = _repr(value.tolist()) if value.dtype.hasobject else np.asarray(value).tobytes()
        return value.shape, value.dtype, value.flags.writeable, content, str(getattr(value, "mask", None))
    return _repr(value) if type(value) in (list, tuple, dict, set) else None


def _repr(value: object) -> str:
    """Return the code of a value, or what it is if there is none."""
    try:
        return repr(value)
    except Exception:  # noqa: BLE001
        return str(type.__repr__(type(value)))


def _shown(value: object) -> str:
    words = " ".join(_repr(value).encode("ascii", "backslashreplace").decode().split())
    kind = f"{type(value).__name__} {value.dtype} " if isinstance(value, np.ndarray) else ""
    return kind + (words if len(words) <= 90 else words[:87] + "…")
