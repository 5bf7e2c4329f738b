"""One notebook of a student, run in this process: its cells in order, and then the checks of the original lesson.

    python -m bradley_terry.course.graded NOTEBOOK ORIGINAL RESULTS

The checks come from the original lesson, so that they are all there and nobody has changed them. They use the functions
that the notebook has defined in the end. The results go to a file, line by line, so that those before a crash are kept.
"""

from __future__ import annotations

import ast
import asyncio
import functools
import inspect
import json
import os
import re
import sys
from code import InteractiveInterpreter
from codeop import Compile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, TextIO

__all__ = ["exercises_of"]

SECONDS_OF_A_CELL = 20.0
MEMORY = 4 * 2**30  # bytes of address space
LARGEST_FILE = 20_000_000  # bytes that a cell may write to a file


def exercises_of(original: Path) -> list[tuple[str, str]]:
    """Return the name of each exercise of a lesson, such as loss, and the line that checks it."""
    cells = json.loads(original.read_text(encoding="utf-8"))["cells"]
    lines = [_source(cell).strip() for cell in cells if "check" in cell["metadata"].get("tags", [])]
    calls = [(line.removeprefix("check.").partition("(")[0], line) for line in lines]
    return [(name, line) for name, line in calls if name != "prediction"]


def _source(cell: dict[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def main() -> None:
    """Run the notebook and write the results."""
    notebook, original, results = map(Path, sys.argv[1:])
    with results.open("w", encoding="utf-8", buffering=1) as out:
        _limit()
        _stay_behind()
        checks = _checks()  # before the notebook runs, which may replace them
        try:
            cells = _cells(notebook)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError) as error:
            missing = f"{error} is missing" if isinstance(error, KeyError) else ""
            _say(out, unreadable=missing or getattr(error, "strerror", "") or str(error) or type(error).__name__)
            return
        names: dict[str, Any] = {"__name__": "__main__", "display": lambda *_, **__: None}
        failures = []
        for number, source in cells:
            _say(out, place=f"code cell {number}")
            failures += [(source, why) for why in _run(source, number, names, results.parent)]
        for exercise, line in exercises_of(original):
            _say(out, place=f"the check of {exercise}")
            _say(out, **_checked(checks[exercise], exercise, line, names, failures))
        out.flush()
        os._exit(0)  # without waiting for threads of the notebook


def _say(out: TextIO, **words: str) -> None:
    out.write(json.dumps(words) + "\n")


def _limit() -> None:
    """Limit the memory and the size of files, where the system can."""
    with suppress(ImportError):
        import resource  # noqa: PLC0415  # not on Windows

        for kind, most in (
            (resource.RLIMIT_AS, MEMORY),
            (resource.RLIMIT_FSIZE, LARGEST_FILE),
            (resource.RLIMIT_CORE, 0),
        ):
            with suppress(ValueError, OSError):  # macOS refuses the first
                resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))


def _stay_behind() -> None:
    """Let a child go on, and end as it ends. So a notebook that kills its parent process kills only this one."""
    if hasattr(os, "fork") and (child := os.fork()):
        os.waitpid(child, 0)
        os._exit(0)


def _cells(notebook: Path) -> list[tuple[int, str]]:
    """Return the number and the source of each code cell, without the checks and without the commands of Jupyter."""
    read = json.loads(notebook.read_text(encoding="utf-8"))
    code = [_source(cell) for cell in read["cells"] if cell["cell_type"] == "code"]
    return [(number, source) for number, source in enumerate(map(_plain, code), start=1) if not _only_checks(source)]


JUPYTER = re.compile(r"\s*(([\w, ]+=\s*)?[%!]|\?|.*\?\s*$)")  # %magic, files = !command, ?help and help?
MOST_LINES = 100  # in one cell


def _plain(source: str) -> str:
    """Replace the lines that only Jupyter understands: %magic, !command, help?.

    Only a line that Python cannot read is replaced. So a comment may end with a question mark.
    """
    lines = source.split("\n")
    for _ in range(MOST_LINES):
        try:
            ast.parse("\n".join(lines))
        except SyntaxError as error:
            at = (error.lineno or 0) - 1
            if not 0 <= at < len(lines) or not JUPYTER.match(lines[at]):
                break
            lines[at] = lines[at][: len(lines[at]) - len(lines[at].lstrip())] + "pass"
        except (ValueError, RecursionError, MemoryError):
            break
        else:
            break
    return "\n".join(lines)


def _only_checks(source: str) -> bool:
    """Return whether a cell does nothing but check or show a slider, which takes time and changes nothing."""
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(
        isinstance(one, ast.Expr)
        and isinstance(one.value, ast.Call)
        and ast.unparse(one.value.func).startswith(("check.", "sliders."))
        for one in statements
    )


COMPILE = Compile()  # it remembers the ``from __future__`` of earlier cells
COMPILE.flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the one loop in which all cells wait, so that a task of one cell can go on in the next."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def _run(source: str, number: int, names: dict[str, Any], place: Path) -> list[str]:
    """Run one cell; return a sentence if it failed. The next cells run all the same, as they would in Jupyter.

    The cell is also written to a file, from which reports quote lines. Numba needs one for ``@njit(cache=True)``.
    """
    from ..gradient_check.process import as_it_was  # noqa: PLC0415  # after the limits are set
    from ..gradient_check.stopping import Stop, Watch  # noqa: PLC0415

    cell, file = _Cell(names), place / f"code cell {number}.py"
    with suppress(OSError):
        file.write_text(source, encoding="utf-8", errors="replace")
    try:
        with as_it_was(), Watch(SECONDS_OF_A_CELL) as watch, watch.over(f"code cell {number}"):
            cell.runcode(COMPILE(source, str(file), "exec"))
    except Stop as late:
        return [str(late)]
    except SyntaxError as error:
        line = (error.text or "").strip()
        return [f"code cell {number} stopped with {type(error).__name__} in line {error.lineno}: {line}"]
    except BaseException as error:  # noqa: BLE001  # such as SystemExit
        return [f"code cell {number} stopped with {type(error).__name__}"]
    return [f"code cell {number} {why}" for why in cell.stopped]


class _Cell(InteractiveInterpreter):
    """Runs a cell and remembers what stopped it, instead of printing a traceback."""

    def __init__(self, names: dict[str, Any]) -> None:
        super().__init__(names)
        self.stopped: list[str] = []

    def runcode(self, code: CodeType) -> None:
        """Run the code, and if it has an ``await`` outside of all functions, wait for its end, as Jupyter does."""
        if not code.co_flags & inspect.CO_COROUTINE:
            super().runcode(code)
            return
        try:
            _loop().run_until_complete(FunctionType(code, self.locals)())  # calling it makes a coroutine
        except SystemExit:
            raise
        except BaseException:  # noqa: BLE001  # as in ``InteractiveInterpreter``
            self.showtraceback()

    def showtraceback(self) -> None:
        kind = sys.exc_info()[0]
        is_late = kind is not None and kind.__name__ == "TimeIsUp"
        late = f"gave no answer within {SECONDS_OF_A_CELL:g} seconds"
        self.stopped.append(late if is_late else f"stopped with {getattr(kind, '__name__', 'an error')}")


def _checks() -> dict[str, Callable[..., Any]]:
    from . import check, engine  # noqa: PLC0415  # after the limits are set

    engine.SHOWN = 0  # what a function prints would stand before the reason
    return {name: getattr(check, name) for name in check.__all__}


def _checked(
    check: Callable[..., Any], exercise: str, line: str, names: dict[str, Any], failures: list[tuple[str, str]]
) -> dict[str, str]:
    """Check one exercise; return its name, its status and, unless it passed, the reason in one line."""
    call = ast.parse(line, mode="eval").body
    if not isinstance(call, ast.Call):
        raise TypeError(f"expected a call, found {line}")
    used = [one.id for one in call.args if isinstance(one, ast.Name)]
    for name in used:
        if name not in names:
            said = f"the notebook defines no {name}"
            if not failures:
                return {"exercise": exercise, "status": "not attempted", "why": said}
            likely = [why for source, why in failures if name in source] or [why for _, why in failures]
            return {"exercise": exercise, "status": "error", "why": f"{said}, and {likely[0]}"}
    options = {option.arg: ast.literal_eval(option.value) for option in call.keywords if option.arg}
    try:
        report = check(*(names[name] for name in used), **options)
        status, why = str(report.status), _reason(report)
    except BaseException as error:  # noqa: BLE001  # whatever their objects raise
        status, why = "error", f"the check stopped with {type(error).__name__}"
    return {"exercise": exercise, "status": status, "why": why}


def _reason(report: Any) -> str:
    """Return, in one line, the note of a report, or its diagnosis, or the first wrong number, or the first sentence."""
    from .engine import ENTRIES_ARE_WRONG, NUMBER_IS_WRONG  # noqa: PLC0415  # after the limits are set

    if report.passed:
        return " ".join(" ".join(report.notes[:1]).split())
    lines = [line.strip() for line in report.message.splitlines() if line.strip()]
    diagnoses = [problem.diagnosis for problem in report.problems if problem.diagnosis]
    diagnoses += [line for line in lines if line.startswith("looks like: ")]
    numbers = [str(problem) for problem in report.problems]
    if diagnoses:
        said = diagnoses[0]
    elif numbers:
        said = report.message.removesuffix(ENTRIES_ARE_WRONG).removesuffix(NUMBER_IS_WRONG) + numbers[0]
    else:
        n_lines = 2 if lines and lines[0].endswith(":") else 1
        said = " ".join(lines[:n_lines])
    return " ".join(said.split())


if __name__ == "__main__":
    main()
