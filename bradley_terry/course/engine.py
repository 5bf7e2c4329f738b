"""The parts that all checks share: the report, and the comparison of numbers that recognises common mistakes.

The exercises also import from here the functions that call a student's function.
"""

from __future__ import annotations

import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays.visible import visible
from ..gradient_check import report as reports
from ..gradient_check.process import as_it_was
from ..gradient_check.report import AS_EXPECTED, NOTED, SURPRISE, in_words, worst_of
from ..gradient_check.runner import (
    ERROR,
    FAILED,
    NOT_ATTEMPTED,
    OVERFLOWS,
    PASSED,
    PRINTED,
    Stop,
    call,
    can_be_called_with,
    real_numbers,
    with_their_objects,
)
from ..logistic import Array

__all__ = [
    "AS_EXPECTED",
    "ERROR",
    "FAILED",
    "LIMIT",
    "NOTED",
    "NOT_ATTEMPTED",
    "NO_OVERFLOW",
    "PASSED",
    "RELATIVE",
    "SURPRISE",
    "Case",
    "Problem",
    "Report",
    "Stop",
    "Student",
    "Wrong",
    "about_softmax",
    "asked",
    "call",
    "can_be_called_with",
    "check_values",
    "compare",
    "falling_to_zero",
    "judged",
    "mind_the_order",
    "missing_branch",
    "note_of",
    "numbers_or_warning",
    "real_numbers",
    "with_their_objects",
]

Student = Callable[..., object]
Wrong = Iterable[tuple[str, ArrayLike]]  # common mistakes: a sentence, and the answer that the mistake gives
Case = tuple[tuple[object, ...], str]  # arguments, and a note such as "at margins of 1000: "

LIMIT = 10.0  # seconds for one call
FLOAT32 = "looks like: computed in float32, which keeps only 7 digits: use float64"
NO_OVERFLOW = "a formula with exp(-abs(x)) cannot overflow"
LARGEST_FIRST = "Subtract the largest reward first; the result stays the same"
SHOWN = 300  # characters shown of what a function printed
FEW = 8  # numbers shown of what the function was given
ENTRIES_ARE_WRONG = "some entries are wrong; the worst one in each array:"
NUMBER_IS_WRONG = "the number is wrong:"
RELATIVE = 1e-6  # allowed share of the expected entry; a thousandth of this share of the largest entry is added


@dataclass(frozen=True)
class Problem:
    """One array with wrong entries: the worst entry, how many entries differ, and what the mistake looks like.

    ``parameter`` is the name of the array, and ``index`` says where in it the worst entry is.
    """

    parameter: str
    index: tuple[int, ...]
    got: float
    expected: float
    absolute_error: float
    relative_error: float
    diagnosis: str = ""
    n_wrong: int = 1
    n_entries: int = 1
    given: str = ""

    def __str__(self) -> str:
        where = f"{self.parameter}[{', '.join(map(str, self.index))}]" if self.index else self.parameter
        text = f"{where}: got {self.got:.6g}, expected {self.expected:.6g}, off by {self.absolute_error:.2g}"
        if self.n_entries > 1:
            text += f" ({self.n_wrong} of {self.n_entries} entries differ)"
        if self.given:
            text += f", given {self.given}"
        return f"{text}\n  {self.diagnosis}" if self.diagnosis else text


@dataclass(frozen=True, repr=False)
class Report(reports.Report):
    """The report on an exercise.

    ``status`` is "passed", "passed with a note", "failed", "error" or "not attempted"; that of a prediction is "as
    expected", "a surprise", "error" or "not attempted". ``problems`` name the wrong entries. ``notes`` mention anything
    that is worth knowing although the numbers are right, such as a warning from NumPy.
    """

    what: str
    status: str
    message: str = ""
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        lines = [f"{self.what}: {self.status}", self.message, *map(str, self.problems)]
        return visible("\n".join([*filter(None, lines), *(f"note: {note}" for note in self.notes)]), keep="\n\t")

    def _repr_html_(self) -> str:
        rows = [
            (
                problem.parameter,
                str(list(problem.index)) if problem.index else "",
                f"{problem.got:.6g}",
                f"{problem.expected:.6g}",
                f"{problem.absolute_error:.2g}",
                problem.given,
                in_words(problem.n_wrong, 0, problem.n_entries, problem.diagnosis),
            )
            for problem in self.problems
        ]
        heads = ("array", "worst entry", "got", "expected", "off by", "given", "verdict")
        title = f"{self.what}: {self.status}\n{self.message}"
        return self._as_html(title, heads, rows, [f"note: {note}" for note in self.notes])


class WrongNumbers(Stop):
    """The end of a check because numbers differ."""

    def __init__(self, message: str, problems: Sequence[Problem]) -> None:
        super().__init__(FAILED, message)
        self.problems = tuple(problems)


def judged(what: str, stages: Callable[[], Sequence[str] | None]) -> Report:
    """Run the stages of a check and report where it stopped, with what the last call printed.

    The stages return notes about what happened on the way, or None.
    """
    printed: list[str] = []
    before = PRINTED.set(printed)
    try:
        with as_it_was() as left:
            notes = stages()
    except Stop as stopped:
        stop = stopped if len(printed) < 2 else _in_one_branch(stopped)  # since it answered an earlier call
        last = printed[-1].strip()[:SHOWN] if printed else ""
        message = "\n".join(filter(None, [last and f"it printed: {last}", stop.message]))
        return Report(what, stop.status, message, stop.problems if isinstance(stop, WrongNumbers) else (), tuple(left))
    finally:
        PRINTED.reset(before)
    notes = [*(notes or ()), *left]
    return Report(what, NOTED, notes=tuple(dict.fromkeys(notes))) if notes else Report(what, PASSED)


def _in_one_branch(stop: Stop) -> Stop:
    """Return a failure for a function that gives no answer here but does in other cases; else the same Stop."""
    if stop.status != NOT_ATTEMPTED:
        return stop
    note, nothing, _ = stop.message.partition("it ran and returned nothing")
    if not nothing:
        return Stop(FAILED, "your function raises NotImplementedError here, but it gives an answer in other cases")
    return Stop(FAILED, f"{note}your function returns nothing here, but something in other cases: is a return missing?")


def missing_branch(
    stop: Stop,
    function: Student,
    others: Iterable[Sequence[object]],
    names: Sequence[str],
    time_limit: float,
) -> Stop:
    """Return why a function stopped at its first call: if it returns nothing there, other arguments are tried, too."""
    before = PRINTED.set(None)  # these calls are no part of the check
    try:
        for arguments in others if stop.status == NOT_ATTEMPTED else ():
            try:
                asked(function, arguments, names, time_limit)
            except Stop as other:
                if other.status == NOT_ATTEMPTED:
                    continue
            return _in_one_branch(stop)
    finally:
        PRINTED.reset(before)
    return stop


def asked(
    function: Student, arguments: Sequence[object], names: Sequence[str], time_limit: float, *, note: str = ""
) -> tuple[object, Stop | None]:
    """Call a function, and call it again if NumPy warned; return its answer and the warning as a ``Stop``, or None."""
    try:
        return call(function, arguments, names, time_limit, note=note), None
    except Stop as stop:
        if not isinstance(stop.__context__, RuntimeWarning):
            raise
        warned = stop
    with warnings.catch_warnings(record=True):  # they are reported in our own words
        warnings.simplefilter("always", RuntimeWarning)
        return call(function, arguments, names, time_limit, note=note, quiet=False), warned


def note_of(warned: Stop) -> str:
    """Return the note for a warning on the way to right numbers."""
    said = re.sub("^right with [^;:]*; ", "", warned.message.splitlines()[0])
    hint = f"; {NO_OVERFLOW}" if "overflow encountered in exp" in said else ""
    return f"the numbers are right, but there was a warning on the way: {said}{hint}"


def about_softmax(report: Report) -> Report:
    """Return a report on sums of exponentials of rewards, whose overflow has another remedy than that of a sigmoid."""
    message = report.message.replace(OVERFLOWS, f"exp overflows. {LARGEST_FIRST}")
    notes = tuple(note.replace(f"; {NO_OVERFLOW}", f". {LARGEST_FIRST}") for note in report.notes)
    return replace(report, message=message, notes=notes)


def mind_the_order() -> None:
    """In a notebook, follow a NameError with a sentence that tells a beginner to run the cells above first."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or shell.custom_exceptions:  # not in a notebook, or another handler is already installed
        return

    def tell(shell: Any, kind: type[Exception], error: Exception, trace: object, tb_offset: int | None = None) -> None:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        if kind is NameError and frame.f_code.co_name.startswith("<"):  # in the cell itself, not inside a function
            print(f"{error.name} is not defined: run the cells above first, from the top, or check its spelling.")  # type: ignore[attr-defined]

    shell.set_custom_exc((NameError,), tell)


def check_values(
    what: str,
    function: Student,
    names: Sequence[str],
    cases: Sequence[Case],
    right: Callable[..., object],
    wrong: Callable[..., Wrong],
    time_limit: float,
    tolerance: float = RELATIVE,
    *,
    absolute: float = 0.0,
    warnings_fail: bool = False,
) -> Report:
    """Compare a function with the right one, case by case. ``wrong`` yields what the common mistakes would give.

    The first case is asked about again in the end, since a function may keep something between calls. A NumPy warning
    is a mistake only if ``warnings_fail``, as in an exercise about overflow; otherwise it is a note. An error up to
    ``tolerance`` of the right number, or up to ``absolute``, is allowed.
    """

    def stages() -> list[str]:
        can_be_called_with(function, cases[0][0], names)
        notes = []
        again = (cases[0][0], "right at first; asked again about the same numbers: ")
        for k, (arguments, note) in enumerate([*cases, again]):
            warned = None
            try:
                if warnings_fail:
                    answer = call(function, arguments, names, time_limit, note=note)
                else:
                    answer, warned = asked(function, arguments, names, time_limit, note=note)
            except Stop as stop:
                others = [arguments for arguments, _ in cases[1:]]
                raise stop if k else missing_branch(stop, function, others, names, time_limit) from None
            want = np.asarray(right(*arguments), dtype=np.float64)

            def given(entry: int, want: Array = want, arguments: tuple[object, ...] = arguments) -> str:
                return _given(names, arguments, want.shape, entry)

            got = numbers_or_warning(answer, what, want.shape, warned, note=note, given=given)

            def named(got: Array = got, want: Array = want, arguments: tuple[object, ...] = arguments) -> str:
                close = max(tolerance, 1e-5)
                same = []
                for words, value in wrong(*arguments):
                    other = np.asarray(value, dtype=np.float64)
                    if other.shape != got.shape or np.allclose(want, other, rtol=2 * close, atol=1e-9):
                        continue  # on these data, the mistake does not show
                    if np.allclose(got, other, rtol=close, atol=1e-9):
                        same.append(words)
                return f"looks like: {'; or: '.join(same)}" if 0 < len(same) <= 2 else ""

            compare(
                got.ravel(),
                want.ravel(),
                {what: want.shape},
                note,
                tolerance,
                lambda _: {what: named()},
                given,
                absolute,
            )
            notes += [note_of(warned)] if warned and k < len(cases) else []
        return notes

    return judged(what, stages)


def numbers_or_warning(
    answer: object,
    name: str,
    shape: tuple[int, ...],
    warned: Stop | None,
    *,
    n_pairs: int | None = None,
    note: str = "",
    given: Callable[[int], str] = lambda entry: "",
) -> Array:
    """Return the answer as numbers. If it is not finite and NumPy warned, stop with the warning."""
    try:
        return real_numbers(answer, name, shape, n_pairs=n_pairs, note=note, given=given)
    except Stop:
        if warned is not None:
            raise warned from None
        raise


def _given(names: Sequence[str], arguments: Sequence[object], shape: tuple[int, ...], entry: int) -> str:
    """Describe the input of an entry: the entries of the arguments beside it, or all of them if there are few."""
    arrays = [(name, x) for name, x in zip(names, arguments, strict=True) if isinstance(x, np.ndarray)]
    beside = [(name, x[entry]) for name, x in arrays if len(shape) == 1 and x.shape[:1] == shape and x[0].size <= FEW]
    if beside or not arrays or shape or sum(x.size for _, x in arrays) > FEW:
        return ", ".join(f"{name} = {_numbers(x)}" for name, x in beside)
    return ", ".join(f"{name} = {_numbers(x)}" for name, x in arrays)


def _numbers(x: Array) -> str:
    """Write one number, or a few in brackets."""
    return f"[{', '.join(f'{v:.6g}' for v in x.ravel())}]" if x.ndim else f"{x:.6g}"


def falling_to_zero(f: Callable[[float], float]) -> float:
    """Find where a falling function of one number crosses 0, by bisection, for the right answer to an exercise."""
    low, high = -1.0, 1.0
    while f(low) < 0:
        low *= 2
    while f(high) > 0:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) > 0 else (low, middle)
    return (low + high) / 2


def compare(
    got: Array,
    expected: Array,
    shapes: Mapping[str, tuple[int, ...]],
    note: str,
    tolerance: float,
    names_of_mistakes: Callable[[Mapping[str, bool]], Mapping[str, str]],
    given: Callable[[int], str] = lambda entry: "",
    absolute: float = 0.0,
) -> None:
    """Stop unless all entries agree; name the worst entry of each wrong block, and what the mistake looks like."""
    problems, start, failed = [], 0, {}
    for name, shape in shapes.items():
        stop = start + int(np.prod(shape))
        g, e = got[start:stop], expected[start:stop]
        with np.errstate(over="ignore"):
            off = np.abs(g - e)
        allowed = tolerance * np.abs(e) + max(1e-3 * tolerance * max(float(np.abs(e).max()), 1e-3), absolute)
        n_wrong = int((off > allowed).sum())
        failed[name] = n_wrong > 0
        if failed[name]:
            with np.errstate(over="ignore"):
                worst = worst_of(off, allowed, off > allowed)
            index = tuple(int(i) for i in np.unravel_index(worst, shape)) if shape else ()
            scale = max(abs(float(e[worst])), 1e-300)
            error = float(off[worst])
            with np.errstate(all="ignore"):
                is_float32 = bool((g == g.astype(np.float32)).all())
            hint = FLOAT32 if is_float32 and (off <= 1e-5 * np.abs(e).max()).all() else ""
            numbers = (float(g[worst]), float(e[worst]), error, error / scale)
            problems.append(Problem(name, index, *numbers, hint, n_wrong, g.size, given(start + worst)))
        start = stop
    if problems:
        words = names_of_mistakes(failed)
        named = [replace(problem, diagnosis=words.get(problem.parameter, problem.diagnosis)) for problem in problems]
        many = any(shapes.values())
        raise WrongNumbers(f"{note}{ENTRIES_ARE_WRONG if many else NUMBER_IS_WRONG}", named)
