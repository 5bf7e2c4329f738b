"""The parts that all checks share: the report, and the comparison of numbers that recognises common mistakes.

The exercises also import from here the functions that call a student's function.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..gradient_check.runner import (
    ERROR,
    FAILED,
    NOT_ATTEMPTED,
    PASSED,
    PRINTED,
    Stop,
    call,
    can_be_called_with,
    real_numbers,
)
from ..logistic import Array

__all__ = [
    "ERROR",
    "FAILED",
    "LIMIT",
    "NOT_ATTEMPTED",
    "PASSED",
    "RELATIVE",
    "Case",
    "Problem",
    "Report",
    "Stop",
    "Student",
    "Wrong",
    "call",
    "can_be_called_with",
    "check_values",
    "compare",
    "judged",
    "mind_the_order",
    "real_numbers",
]

Student = Callable[..., object]
Wrong = Iterable[tuple[str, ArrayLike]]  # common mistakes: a sentence, and the answer that the mistake gives
Case = tuple[tuple[object, ...], str]  # arguments, and a note such as "at margins of 1000: "

LIMIT = 10.0  # seconds for one call
FLOAT32 = "looks like: computed in float32, which keeps only 7 digits: use float64"
SHOWN = 300  # characters shown of what a function printed
RELATIVE = 1e-6  # allowed share of the expected entry; a thousandth of this share of the largest entry is added


@dataclass(frozen=True)
class Problem:
    """One wrong block: its worst entry, how many of its entries differ, and what the mistake looks like."""

    parameter: str
    index: tuple[int, ...]
    got: float
    expected: float
    absolute_error: float
    relative_error: float
    diagnosis: str = ""
    n_wrong: int = 1
    n_entries: int = 1

    def __str__(self) -> str:
        where = f"{self.parameter}[{', '.join(map(str, self.index))}]" if self.index else self.parameter
        text = f"{where}: got {self.got:.6g}, expected {self.expected:.6g}, off by {self.absolute_error:.2g}"
        if self.n_entries > 1:
            text += f" ({self.n_wrong} of {self.n_entries} entries differ)"
        return f"{text}\n  {self.diagnosis}" if self.diagnosis else text


@dataclass(frozen=True)
class Report:
    """The result of a check: ``status`` is passed, failed, not attempted or error; ``problems`` name wrong entries."""

    what: str
    status: str
    message: str = ""
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything is right."""
        return self.status == PASSED

    def __repr__(self) -> str:
        return "\n".join(filter(None, [f"{self.what}: {self.status}", self.message, *map(str, self.problems)]))

    def _repr_html_(self) -> str:
        colour = {PASSED: "#007a5e", NOT_ATTEMPTED: "#666666"}.get(self.status, "#b34700")
        lines = [escape(line) for line in repr(self).splitlines()]
        return f'<div style="border-left: 4px solid {colour}; padding-left: 8px">{"<br>".join(lines)}</div>'

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain Python types."""
        return asdict(self)

    def require(self) -> None:
        """Raise an AssertionError with the text of the report unless the check passed."""
        if not self.passed:
            raise AssertionError(repr(self))


class WrongNumbers(Stop):
    """The end of a check because numbers differ."""

    def __init__(self, message: str, problems: Sequence[Problem]) -> None:
        super().__init__(FAILED, message)
        self.problems = tuple(problems)


def judged(what: str, stages: Callable[[], object]) -> Report:
    """Run the stages of a check and report where it stopped, with what the last call printed."""
    printed: list[str] = []
    before = PRINTED.set(printed)
    try:
        stages()
    except Stop as stop:
        last = printed[-1].strip()[:SHOWN] if printed else ""
        message = "\n".join(filter(None, [last and f"it printed: {last}", stop.message]))
        return Report(what, stop.status, message, stop.problems if isinstance(stop, WrongNumbers) else ())
    finally:
        PRINTED.reset(before)
    return Report(what, PASSED)


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
) -> Report:
    """Compare a function with the right one, case by case. ``wrong`` yields what the common mistakes would give."""

    def stages() -> None:
        can_be_called_with(function, cases[0][0], names)
        for k, (arguments, note) in enumerate(cases):
            try:
                answer = call(function, arguments, names, time_limit, note=note)
            except Stop as stop:
                if k and stop.status == NOT_ATTEMPTED:  # it returned something in an earlier case
                    raise Stop(FAILED, f"{note or 'on other data: '}your function returns nothing") from None
                raise
            want = np.asarray(right(*arguments), dtype=np.float64)
            got = real_numbers(answer, what, want.shape, note=note)

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

            compare(got.ravel(), want.ravel(), {what: want.shape}, note, tolerance, lambda _: {what: named()})

    return judged(what, stages)


def compare(
    got: Array,
    expected: Array,
    shapes: Mapping[str, tuple[int, ...]],
    note: str,
    tolerance: float,
    names_of_mistakes: Callable[[Mapping[str, bool]], Mapping[str, str]],
) -> None:
    """Stop unless all entries agree; name the worst entry of each wrong block, and what the mistake looks like."""
    problems, start, failed = [], 0, {}
    for name, shape in shapes.items():
        stop = start + int(np.prod(shape))
        g, e = got[start:stop], expected[start:stop]
        with np.errstate(over="ignore"):
            off = np.abs(g - e)
        allowed = tolerance * np.abs(e) + 1e-3 * tolerance * max(float(np.abs(e).max()), 1e-3)
        n_wrong = int((off > allowed).sum())
        failed[name] = n_wrong > 0
        if failed[name]:
            with np.errstate(over="ignore"):
                worst = int((off / allowed).argmax())
            index = tuple(int(i) for i in np.unravel_index(worst, shape)) if shape else ()
            scale = max(abs(float(e[worst])), 1e-300)
            error = float(off[worst])
            with np.errstate(all="ignore"):
                is_float32 = bool((g == g.astype(np.float32)).all())
            hint = FLOAT32 if is_float32 and (off <= 1e-5 * np.abs(e).max()).all() else ""
            numbers = (float(g[worst]), float(e[worst]), error, error / scale)
            problems.append(Problem(name, index, *numbers, hint, n_wrong, g.size))
        start = stop
    if problems:
        words = names_of_mistakes(failed)
        named = [replace(problem, diagnosis=words.get(problem.parameter, problem.diagnosis)) for problem in problems]
        many = any(shapes.values())
        what = "some entries are wrong; the worst one in each array:" if many else "the number is wrong:"
        raise WrongNumbers(f"{note}{what}", named)
