"""Exercises whose answer is a test: the student's function is given other functions, and says True or False of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from types import FunctionType
from typing import Any

import numpy as np

from ...arrays.visible import class_name
from ..engine import FAILED, Report, Stop, Student, asked, can_be_called_with, judged, missing_branch

__all__ = ["Item", "true_or_false"]

Item = tuple[str, bool, str, Callable[..., Any]]  # its name, whether True is right, why, and the function itself


def _named(item: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return the same function under another name, as Python shows it in an error."""
    assert isinstance(item, FunctionType)
    same = FunctionType(item.__code__, item.__globals__, name, item.__defaults__, item.__closure__)
    same.__qualname__ = name
    return same


MORE_ROUNDS, MORE_OF_TRUE = 30, 150
"""How often all items, and those of which True is right, are asked about again.

A test that draws random numbers can pass by luck. A test that compares with == and is right about all invariant losses
of lesson 3 with probability 0.89 would pass with probability 0.89 to the power 150, which is below 1e-6.
"""


def true_or_false(
    what: str,
    function: Student,
    argument: str,
    items: Sequence[Item],
    time_limit: float,
    *,
    hint: Callable[[Mapping[str, bool], Set[str]], str],
    line: Callable[[str, bool, str], str],
) -> Report:
    """Ask about each item, and report those about which the function is wrong.

    If it is right about all of them, ask several more times, so that a lucky function does not pass.

    Parameters
    ----------
    what : str
        The first words of the report.
    function : callable
        The student's function, which is given one function and returns True or False.
    argument : str
        What its argument is, for messages.
    items : sequence of (name, whether True is right, why, function)
    time_limit : float, seconds
        Longest time for one call, where the system can interrupt it.
    hint : callable, (what it said of each name, names of which that is wrong) -> str
        What the function may have done, one line; or nothing.
    line : callable, (name, whether True is right, why) -> str
        The line about one misjudged item.
    """

    def ask(some: Sequence[Item]) -> dict[str, bool]:
        said: dict[str, bool] = {}
        for name, _, _, item in some:
            shown = _named(item, argument)
            try:
                answer, _ = asked(function, (shown,), (argument,), time_limit, note=f"given {name}: ")
            except Stop as stop:
                others = [] if said else [(other,) for *_, other in items[1:]]
                raise missing_branch(stop, function, others, (argument,), time_limit) from None
            if type(answer) not in (bool, np.bool_):
                one = ": np.allclose and np.all give one answer" if isinstance(answer, np.ndarray) else ""
                raise Stop(FAILED, f"expected True or False, got {'an array' if one else class_name(answer)}{one}")
            said[name] = bool(answer)
        return said

    def stages() -> None:
        can_be_called_with(function, (items[0][3],), (argument,))
        said = ask(items)
        missed = {name: (is_so, why) for name, is_so, why, _ in items if said[name] != is_so}
        if missed:
            lines = [line(name, is_so, why) for name, (is_so, why) in missed.items()]
            raise Stop(FAILED, hint(said, set(missed)) + "misjudged:\n  " + "\n  ".join(lines))
        true = [item for item in items if item[1]]
        for k in range(MORE_OF_TRUE):
            again = ask(items if k < MORE_ROUNDS else true)
            for name, answer in again.items():
                if answer != said[name]:
                    raise Stop(
                        FAILED,
                        f"given {name}: it returns {said[name]} at one time and {answer} at another: does it draw new "
                        "random numbers each time, and compare two values with == instead of np.isclose?",
                    )

    return judged(what, stages)
