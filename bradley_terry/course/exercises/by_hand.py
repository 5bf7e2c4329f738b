"""Exercises that are to be solved by hand: a right answer that calls this package for it does not pass."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence, Set
from dataclasses import replace
from pathlib import Path
from types import FrameType

from ..engine import FAILED, NO_OVERFLOW, Case, Report, Stop, Student, asked, judged

__all__ = ["by_hand"]

PACKAGE = Path(__file__).parents[2]
OF_THIS_PACKAGE = f"{PACKAGE}{os.sep}"  # with the separator: bradley_terry_course is a folder of a student
AROUND_A_CALL = tuple(f"{PACKAGE / part}{os.sep}" for part in ("course", "gradient_check"))  # what calls a function


def by_hand(
    report: Report,
    function: Student,
    names: Sequence[str],
    cases: Sequence[Case],
    time_limit: float,
    allowed: Set[str] = frozenset(),
    also: Set[str] = frozenset(),
) -> Report:
    """Return the report of a right answer again, or a failure if the function calls a function of this package.

    The student's function is called once more for each case while Python reports every function that is called. A
    compiled function is called without such a report, so it is not noticed. ``allowed`` are the names of functions that
    the text of the exercise allows, such as {"sigmoid"}. Those in ``also`` are accepted, although the text does not
    mention them.
    """
    if not report.passed:
        return report
    if "sigmoid" in allowed:
        either = f"bt.sigmoid, or {NO_OVERFLOW.replace(' cannot', ', cannot')}"
        notes = tuple(note.replace(NO_OVERFLOW, either) for note in report.notes)
        report = replace(report, notes=notes)

    def stages() -> None:
        for arguments, note in cases:
            listening = _Listening(function, allowed | also)
            asked(listening, arguments, names, time_limit, note=note)  # NumPy may warn
            if listening.heard:
                called = next((name for name in listening.heard if name[0] not in "_<"), listening.heard[0])
                *others, last = ["NumPy", *(f"bt.{name}" for name in sorted(allowed))]
                instead = f"{', '.join(others)} and {last}" if others else last
                said = f"the numbers are right, but your function calls {called} from bradley_terry: use {instead}"
                raise Stop(FAILED, note + said)

    again = judged(report.what, stages)
    return report if again.passed else again


class _Listening:
    """Calls a function and notes the functions of this package that run meanwhile, except inside an allowed one."""

    def __init__(self, function: Student, allowed: Set[str]) -> None:
        self.function, self.allowed, self.heard = function, allowed, list[str]()
        self.inside: FrameType | None = None  # the call of an allowed function

    def __call__(self, *arguments: object) -> object:
        before = sys.getprofile()
        sys.setprofile(self._hear)
        try:
            return self.function(*arguments)
        finally:
            sys.setprofile(before)

    def _hear(self, frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame is self.inside:
            self.inside = None
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(OF_THIS_PACKAGE) and not file.startswith(AROUND_A_CALL):
            name = frame.f_code.co_name
            if name in self.allowed and self.inside is None:
                self.inside = frame
            elif self.inside is None:
                its = frame.f_locals.get("self")  # of a class, the name says more than __init__ does
                self.heard.append(type(its).__name__ if name.startswith("__") and its is not None else name)
