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
from itertools import repeat
from pathlib import Path

from ..arrays.visible import quoted, visible
from ..files.saving import write_file
from . import notebooks
from .graded import exercises_of
from .submissions import found_in, lesson_of, students_of, why_closed

__all__ = ["Row", "check_out", "grade", "table", "write_csv"]

SECONDS = 120.0  # for one notebook, with the time to start
MOST_BYTES = 20_000_000  # of a notebook file
MOST_RESULTS = 1_000_000  # bytes
LONGEST_REASON = 300  # characters
ENDED, UNREADABLE = "ended", "unreadable"  # statuses of a notebook that did not reach a check
COLUMNS = ("passed", "failed", "error", "not attempted", ENDED, UNREADABLE)  # from the best to the worst
MARK = "BRADLEY_TERRY_GRADES_IN"  # a variable of the environment: the folder in which a notebook runs
ROUNDS = 20  # of ending processes, which may start new ones in the meantime
THREADS = "2"  # for each process; on a machine with many processors, more of them would exceed the limit of memory


@dataclass(frozen=True)
class Row:
    """The result of one exercise of one student.

    ``status`` is that of the check: passed, passed with a note, failed, error or not attempted. It is "ended" if the
    notebook ended its process or was too slow, and "unreadable" if it could not be started. ``diagnosis`` says why, as
    it says of other results what the check found.
    """

    student: str
    lesson: str
    exercise: str
    status: str
    diagnosis: str
    file: str


def grade(folder: Path, *, seconds: float = SECONDS, n_processes: int | None = None) -> Iterator[list[Row]]:
    """Run every notebook below a folder, several at a time, and yield the rows of each, in the order of their paths.

    A notebook belongs to the lesson whose name is in its own name or in that of a folder, such as 02_the_loss or
    lesson2. The student is the first other folder on its path, or, if there is none, the rest of its name. If several
    folders of such a student hold the same lesson, the names of the students are longer parts of the paths.

    Parameters
    ----------
    folder : Path
        Of the form FOLDER/STUDENT/02_the_loss.ipynb, FOLDER/STUDENT_02_the_loss.ipynb or
        FOLDER/02_the_loss/STUDENT.ipynb.
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
        why = "is a file; give the folder that it is in" if folder.exists() else "there is no such folder"
        raise FileNotFoundError(f"{visible(str(folder))}: {why}")
    found = found_in(folder)
    if not found:
        raise FileNotFoundError(f"{visible(str(folder))}: there are no notebooks in it")
    relatives = [path.relative_to(folder) for path in found]
    students = students_of(relatives, [original.stem for original in notebooks.lessons(notebooks.originals())])
    with ThreadPoolExecutor(n_processes or os.cpu_count() or 1) as pool:
        try:
            yield from pool.map(_rows, found, relatives, students, repeat(seconds))
        finally:
            pool.shutdown(cancel_futures=True)


def _rows(path: Path, relative: Path, student: str, seconds: float) -> list[Row]:
    """Return a row for each exercise of one notebook."""
    lessons = {original.stem: original for original in notebooks.lessons(notebooks.originals())}
    lesson = lesson_of(relative, lessons)
    student, file = visible(student), visible(str(relative))
    if why := why_closed(path):
        return [Row(student, "", "", UNREADABLE, why, file)]
    if not lesson:
        why = f"cannot tell which lesson this is: its name should contain one of {', '.join(sorted(lessons)[:2])}, …"
        return [Row(student, "", "", UNREADABLE, why, file)]
    try:
        results, *end = _run(path, lessons[lesson], seconds)
    except OSError as error:  # such as a folder that may not be read
        results, end = {}, [UNREADABLE, f"it cannot be run: {error.strerror or error}"]
    found = [(name, *results.get(name, tuple(end))) for name, _ in exercises_of(lessons[lesson])]
    return [Row(student, lesson, name, status, visible(why), file) for name, status, why in found]


Results = dict[str, tuple[str, str]]  # the status and the diagnosis of each exercise


def _run(path: Path, original: Path, seconds: float) -> tuple[Results, str, str]:
    """Run one notebook; return the results of its exercises, and status and reason for those that have none."""
    if path.is_symlink() or not path.is_file():
        return {}, UNREADABLE, "this is no ordinary file"
    size = path.stat().st_size
    if not size:
        return {}, UNREADABLE, "the file is empty"
    if size > MOST_BYTES:
        most = f"at most {MOST_BYTES / 1e6:.0f} MB are allowed"
        return {}, UNREADABLE, f"the file is too large: {size / 1e6:.0f} MB, and {most}"
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
                MARK: place,
                "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            },
        )
        try:
            process.wait(timeout=seconds)
            end = "its code ended the process"
        except subprocess.TimeoutExpired:
            end = f"it did not end within {seconds:g} seconds"
        finally:
            _end(process, place)
        return _results(results, end)


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    """End a process and what it started.

    On POSIX, all processes of its session end. On Linux, those that left the session end as well: they are found by
    the mark in the environment that they inherited. On Windows, only the process itself ends.
    """
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    for _ in range(ROUNDS):
        if not (left := _marked(mark)):
            break
        for number in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)


def _marked(mark: str) -> list[int]:
    """Return the numbers of all processes with this mark in their environment. Only Linux shows it, in /proc."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended meanwhile, or belongs to somebody else
            if f"{MARK}={mark}".encode() in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
    return found


def _results(file: Path, end: str) -> tuple[Results, str, str]:
    """Read what the process wrote: lines that say where it is, and one for each exercise. Of two, the first counts."""
    try:
        with file.open("rb") as opened:
            lines = opened.read(MOST_RESULTS).decode("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    found: Results = {}
    without, why = ENDED, end  # the status of an exercise that has no result of its own, and the reason
    for line in lines:
        try:
            written = json.loads(line)
            if "place" in written:
                why = f"{end} in {written['place']}"[:LONGEST_REASON]
            elif "unreadable" in written:
                without, why = UNREADABLE, f"this is not a notebook: {written['unreadable']}"[:LONGEST_REASON]
            else:
                exercise, status, why_not = (written[key][:LONGEST_REASON] for key in ("exercise", "status", "why"))
                found.setdefault(exercise, (status, why_not))
        except (ValueError, TypeError, KeyError, RecursionError):  # it was cut off
            break
    return found, without, why


def check_out(path: Path, *, force: bool = False) -> None:
    """Check, before the notebooks run, that the table may be written to this file.

    Raises
    ------
    ValueError
        If it is a folder, or lies in one that does not exist, so that the results would be lost in the end; or if the
        file exists and is not a table of results, unless ``force``.
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
        f"out: {visible(str(path))} already exists and is not a table of results; choose another name, or use --force"
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
    """Return two tables: how each exercise went, with the most frequent reasons, and how many each student passed.

    Of a student with several notebooks of a lesson, the best result of each exercise counts.
    """
    best: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        of = row.student, row.lesson, row.exercise
        if of not in best or _rank(row) < _rank(best[of]):
            best[of] = row
    lines = [f"{'lesson and exercise':32}{''.join(f'{word:>15}' for word in COLUMNS)}"]
    for lesson, exercise in dict.fromkeys((row.lesson, row.exercise) for row in sorted(rows, key=lambda r: r.lesson)):
        of_this = [row for row in best.values() if (row.lesson, row.exercise) == (lesson, exercise)]
        name = f"{lesson[:2]} {exercise}" if lesson else "unknown lesson"
        lines.append(
            f"{name:32}{''.join(f'{sum(_rank(row) == k for row in of_this):15}' for k in range(len(COLUMNS)))}"
        )
        why = Counter(row.diagnosis for row in of_this if row.status in COLUMNS[1:] and row.diagnosis)
        lines += [f"    {n} × {reason}" for reason, n in why.most_common(3)]
    students = sorted({row.student for row in rows}, key=str.lower)
    width = max(32, *(len(student) + 1 for student in students))
    lines += ["", f"{'student':{width}}{'passed':>15}{'of':>15}"]
    for student in students:
        of_student = [row for row in best.values() if row.student == student]
        lines.append(f"{student:{width}}{sum(_rank(row) == 0 for row in of_student):15}{len(of_student):15}")
    several = Counter((student, lesson) for student, lesson, _ in {(r.student, r.lesson, r.file) for r in rows})
    for (student, lesson), n in sorted(several.items()):
        if n > 1 and lesson:
            lines.append(f"{student} has {n} notebooks of {lesson}: the best result of each exercise is counted.")
    return "\n".join(lines)


def _rank(row: Row) -> int:
    return COLUMNS.index("passed" if row.status.startswith("passed") else row.status)


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
