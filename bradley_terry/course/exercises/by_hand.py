"""Exercises that are to be solved with NumPy alone: a right answer that calls this package does not pass."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from ..engine import FAILED, Case, Report, Stop, Student, call, judged

__all__ = ["by_hand"]

PACKAGE = Path(__file__).parents[2]
AROUND_A_CALL = tuple(str(PACKAGE / part) for part in ("course", "gradient_check"))  # what calls a student's function


def by_hand(
    report: Report, function: Student, names: Sequence[str], cases: Sequence[Case], time_limit: float
) -> Report:
    """Return the report of a right answer again, or a failure if the function calls a function of this package.

    The student's function is called once more for each case while Python reports every function that is called. A
    compiled function is called without such a report, so it is not noticed.
    """
    if not report.passed:
        return report

    def stages() -> None:
        for arguments, note in cases:
            listening = _Listening(function)
            call(listening, arguments, names, time_limit, note=note)
            if listening.heard:
                called = next((name for name in listening.heard if name[0] not in "_<"), listening.heard[0])
                raise Stop(
                    FAILED, f"{note}the numbers are right, but your function calls {called} of bradley_terry: use NumPy"
                )

    again = judged(report.what, stages)
    return report if again.passed else again


class _Listening:
    """Calls a function and notes the functions of this package that run meanwhile."""

    def __init__(self, function: Student) -> None:
        self.function, self.heard = function, list[str]()

    def __call__(self, *arguments: object) -> object:
        before = sys.getprofile()
        sys.setprofile(self._hear)
        try:
            return self.function(*arguments)
        finally:
            sys.setprofile(before)

    def _hear(self, frame: FrameType, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(str(PACKAGE)) and not file.startswith(AROUND_A_CALL):
            self.heard.append(frame.f_code.co_name)
