"""Grade the notebooks of a class: run the exercises of each in a process of its own, and gather the results.

``grade`` finds the notebooks and starts the processes, whose module is ``graded``; ``write_csv`` and ``table`` show the
results. A process has limits of time, memory and file size. If a notebook exceeds them or ends its process, a row says
so, and the other notebooks run all the same.

These limits protect the run against mistakes. They do not protect the computer against malice: the notebooks run with
the rights of the person who grades. For strangers, use a container or an account without rights.
"""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from ..arrays.visible import quoted, visible
from ..files.saving import write_file
from . import notebooks
from .graded import exercises_of

__all__ = ["Row", "check_out", "grade", "table", "write_csv"]

SECONDS = 120.0  # for one notebook, with the time to start
MOST_BYTES = 20_000_000  # of a notebook file
MOST_RESULTS = 1_000_000  # bytes
LONGEST_REASON = 300  # characters
ENDED = "ended"  # a status: the notebook could not be run to its end
THREADS = "2"  # for each process; on a machine with many processors, more of them would exceed the limit of memory


@dataclass(frozen=True)
class Row:
    """The result of one exercise of one student.

    ``status`` is that of the check: passed, passed with a note, failed, error or not attempted. It is "ended" if the
    notebook could not be run to its end; ``diagnosis`` then says why, as it says of other results what the check found.
    """

    student: str
    lesson: str
    exercise: str
    status: str
    diagnosis: str
    file: str


def grade(folder: Path, *, seconds: float = SECONDS, n_processes: int | None = None) -> Iterator[list[Row]]:
    """Run every notebook below a folder, several at a time, and yield the rows of each, in the order of their paths.

    A notebook belongs to the lesson whose file name its own name contains. The student is the first folder on its path,
    or, if it lies directly in ``folder``, the rest of its name.

    Parameters
    ----------
    folder : Path
        Of the form FOLDER/STUDENT/02_the_loss.ipynb or FOLDER/STUDENT_02_the_loss.ipynb.
    seconds : float
        Limit for one notebook.
    n_processes : int, optional
        How many run at a time; by default one for each processor.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no notebook in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{visible(str(folder))}: there is no such folder")
    hidden = (path for path in folder.rglob("*.ipynb") if path.name != notebooks.RECORD)
    found = sorted(p for p in hidden if not any(part.startswith(".") for part in p.relative_to(folder).parts))
    if not found:
        raise FileNotFoundError(f"{visible(str(folder))}: there are no notebooks in it")
    with ThreadPoolExecutor(n_processes or os.cpu_count() or 1) as pool:
        try:
            yield from pool.map(lambda path: _rows(folder, path, seconds), found)
        finally:
            pool.shutdown(cancel_futures=True)


def _rows(folder: Path, path: Path, seconds: float) -> list[Row]:
    """Return a row for each exercise of one notebook."""
    relative = path.relative_to(folder)
    stems = {original.stem: original for original in notebooks.lessons(notebooks.originals())}
    lesson = next((stem for stem in stems if stem in path.name), "")
    student = relative.parts[0] if len(relative.parts) > 1 else path.stem.replace(lesson, "").strip(" _-.")
    where = (visible(student or folder.resolve().name), lesson), visible(str(relative))
    if not lesson:
        names = f"one of {', '.join(sorted(stems)[:2])}, …"
        return [
            Row(*where[0], "", ENDED, f"cannot tell which lesson this is: its name should contain {names}", where[1])
        ]
    try:
        results, end = _run(path, stems[lesson], seconds)
    except OSError as error:  # such as a folder that may not be read
        results, end = {}, f"it cannot be run: {error.strerror or error}"
    found = [(name, *results.get(name, (ENDED, end))) for name, _ in exercises_of(stems[lesson])]
    return [Row(*where[0], name, status, visible(why), where[1]) for name, status, why in found]


Results = dict[str, tuple[str, str]]  # the status and the diagnosis of each exercise


def _run(path: Path, original: Path, seconds: float) -> tuple[Results, str]:
    """Run one notebook; return the results of the exercises that ended, and what ended the process."""
    if path.is_symlink() or not path.is_file():
        return {}, "this is no ordinary file"
    size = path.stat().st_size
    if size > MOST_BYTES:
        return {}, f"the file is too large: {size / 1e6:.0f} MB, and at most {MOST_BYTES / 1e6:.0f} MB are allowed"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        results, work = Path(place) / "results", Path(place) / "work"
        work.mkdir()
        command = [sys.executable, "-P", "-m", f"{__package__}.graded", *map(str, (path.resolve(), original, results))]
        paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]  # of this package first
        process = subprocess.Popen(  # noqa: S603  # our own module, in our own interpreter
            command,
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={
                **os.environ,
                **dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), THREADS),
                "MPLBACKEND": "agg",
                "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            },
        )
        try:
            process.wait(timeout=seconds)
            end = "its code ended the process"
        except subprocess.TimeoutExpired:
            end = f"it did not end within {seconds:g} seconds"
        finally:
            _end(process)
        return _results(results, end)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _results(file: Path, end: str) -> tuple[Results, str]:
    """Read what the process wrote: lines that say where it is, and one for each exercise. Of two, the first counts."""
    try:
        with file.open("rb") as opened:
            lines = opened.read(MOST_RESULTS).decode("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    found: Results = {}
    why = end
    for line in lines:
        try:
            written = json.loads(line)
            if "place" in written:
                why = f"{end} in {written['place']}"[:LONGEST_REASON]
            elif "unreadable" in written:
                why = f"cannot be read as a notebook: {written['unreadable']}"[:LONGEST_REASON]
            else:
                exercise, status, why_not = (written[key][:LONGEST_REASON] for key in ("exercise", "status", "why"))
                found.setdefault(exercise, (status, why_not))
        except (ValueError, TypeError, KeyError, RecursionError):  # it was cut off
            break
    return found, why


def check_out(path: Path, *, force: bool = False) -> None:
    """Check, before the notebooks run, that the table may be written to this file.

    Raises
    ------
    ValueError
        If it is a folder, or lies in one that does not exist, so that the results would be lost in the end; or if the
        file exists and is no table of results, unless ``force``.
    """
    if path.is_dir():
        raise ValueError(f"out: {visible(str(path))} is a folder; give the name of a file")
    if not path.resolve().parent.is_dir():
        raise ValueError(f"out: there is no folder {visible(str(path.parent))}; make it first")
    if force or not path.exists():
        return
    head = ",".join(field.name for field in fields(Row)).encode()
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(head)) == head:
                return
    raise ValueError(
        f"out: {visible(str(path))} exists already and is no table of results; choose another name, or use --force"
    )


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows as a table. A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([field.name for field in fields(Row)])
    for row in rows:
        writer.writerow([f"'{text}" if text.startswith(("=", "+", "-", "@")) else text for text in astuple(row)])
    write_file(path, file.getvalue())


def table(rows: Sequence[Row]) -> str:
    """Return, for each exercise, how many passed it, failed it and so on, and the most frequent reasons."""
    lines = [f"{'lesson and exercise':44} {'passed':>7} {'failed':>7} {'error':>7} {'ended':>7} {'not attempted':>14}"]
    in_order = sorted(rows, key=lambda row: row.lesson)  # and the exercises of a lesson as they are
    for lesson, exercise in dict.fromkeys((row.lesson, row.exercise) for row in in_order):
        of_this = [row for row in rows if (row.lesson, row.exercise) == (lesson, exercise)]
        counted = Counter("passed" if row.status.startswith("passed") else row.status for row in of_this)
        numbers = [counted[status] for status in ("passed", "failed", "error", ENDED)]
        name = f"{lesson[:2]} {exercise}" if lesson else "unknown lesson"
        lines.append(f"{name:44} {' '.join(f'{n:7}' for n in numbers)} {counted['not attempted']:14}")
        why = Counter(row.diagnosis for row in of_this if row.status in {"failed", "error", ENDED} and row.diagnosis)
        lines += [f"    {n} × {reason}" for reason, n in why.most_common(3)]
    return "\n".join(lines)


def check_seconds(seconds: float) -> float:
    """Return a limit of time.

    Raises
    ------
    ValueError
        If it is no positive number.
    """
    if not 0 < seconds < float("inf"):
        raise ValueError(f"seconds: expected a positive number, got {quoted(seconds)}")
    return seconds
