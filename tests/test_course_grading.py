"""``course --grade`` runs the notebooks of a class, and nothing in them ends the run.

A small lesson of two exercises stands in for the lessons. Each notebook runs in a process of its own, which takes
seconds, so most tests are in the full tier.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from bradley_terry.cli import main
from test_course_notebooks import code, notebook

from bradley_terry.course import grading, notebooks
from bradley_terry.course.submissions import lesson_of, students_of

RIGHT = "import numpy as np\n\ndef my_loss(margins):\n    return np.logaddexp(0, -margins)"
MEAN = "import numpy as np\n\ndef my_mean_loss(c, r):\n    return np.logaddexp(0, r - c).mean()"
STUB = "def my_loss(margins):\n    raise NotImplementedError"
CHECKS = code("check.loss(my_loss)", "check"), code("check.mean_loss(my_mean_loss)", "check")


def lesson(first: str = RIGHT, second: str = MEAN) -> str:
    return notebook(
        code("from bradley_terry.course import check"),
        code('check.prediction("02.1", "a")', "check"),
        code(first, "exercise"),
        CHECKS[0],
        code(second, "exercise"),
        CHECKS[1],
    )


@pytest.fixture
def class_of(tmp_path, monkeypatch):
    """Return a function that writes the notebooks of a class, and grades them."""
    originals, folder = tmp_path / "originals", tmp_path / "class"
    originals.mkdir()
    (originals / "02_the_loss.ipynb").write_text(lesson(STUB, "def my_mean_loss(c, r):\n    pass"), encoding="utf-8")
    monkeypatch.setattr(notebooks, "originals", lambda: originals)

    def rows_of(seconds=100.0, **files):
        for name, text in files.items():
            path = folder / name / "02_the_loss.ipynb"
            path.parent.mkdir(parents=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return [row for of_one in grading.grade(folder, seconds=seconds) for row in of_one]

    def graded(seconds=100.0, **files):
        rows = rows_of(seconds, **files)
        return {(row.student, row.exercise): (row.status, row.diagnosis) for row in rows}

    graded.rows = rows_of
    return graded


@pytest.mark.full
def test_right_wrong_and_missing_answers_get_their_rows(class_of):
    """The checks are those of the original lesson, also where a student has changed or deleted them."""
    found = class_of(
        ann=lesson(),
        bob=lesson("import numpy as np\n\ndef my_loss(margins):\n    return -np.logaddexp(0, -margins)"),
        cyd=lesson(STUB),
        dan=notebook(code(RIGHT), code("my_loss(1)?\n%matplotlib inline\n!ls\n1 / 0")),
        eve=notebook(code("from bradley_terry.course import check\ncheck.loss = lambda _: 'passed'"), code(STUB)),
    )
    assert found["ann", "loss"] == found["ann", "mean_loss"] == ("passed", "")
    assert found["bob", "loss"][0] == "failed"
    assert "the minus sign is missing" in found["bob", "loss"][1]
    assert found["cyd", "loss"] == ("not attempted", "")
    assert found["dan", "loss"] == ("passed", "")
    assert found["dan", "mean_loss"] == (
        "error", "the notebook defines no my_mean_loss, and code cell 2 stopped with ZeroDivisionError"
    )  # fmt: skip
    assert found["eve", "loss"] == ("not attempted", "")
    assert found["eve", "mean_loss"][1].startswith("the notebook defines no my_mean_loss")


ODD = {
    "asks": RIGHT.replace("    return", "    # does this overflow?\n    return"),
    "quotes": RIGHT.replace(
        "    return",
        '    """A loss.\n\n    %timeit is for speed. Why?\n    !\n    """\n    x = (7\n         % 4)\n    return',
    ),
    "shells": "%%time\n"
    + RIGHT
    + "\nt = %timeit -o 1\nfiles = !ls\n?np\nnp.exp??\nif t:\n    %time 1\n    my_loss(1)?",
    "caches": "from numba import njit\nimport numpy as np\n\n@njit(cache=True)\ndef twice(x):\n    return 2 * x\n\n"
    "def my_loss(margins):\n    return twice(0.5) * np.logaddexp(0, -margins)",
}


@pytest.mark.full
def test_what_runs_in_jupyter_runs_here(class_of):
    """Comments that end with a question mark, texts with magics in them, magics, and functions that Numba caches."""
    found = class_of(bad=lesson(RIGHT.replace("return", "return (\n#")), **{name: lesson(x) for name, x in ODD.items()})
    for name in ODD:
        assert found[name, "loss"] == ("passed", ""), name
    assert found["bad", "loss"][1].startswith(
        "the notebook defines no my_loss, and code cell 3 stopped with SyntaxError in line "
    )
    assert found["bad", "mean_loss"] == ("passed", "")


@pytest.mark.full
@pytest.mark.skipif(not hasattr(os, "fork"), reason="only POSIX can split a process")
def test_every_exercise_has_one_row(class_of):
    """Also if a cell splits the process in two, so that each half writes its results."""
    rows = class_of.rows(forks=lesson(RIGHT + "\nimport os\nif child := os.fork():\n    os.waitpid(child, 0)"))
    assert [(row.exercise, row.status) for row in rows] == [("loss", "passed"), ("mean_loss", "passed")]


ENDS = {
    "exits": "import os, ctypes\nctypes.CDLL(None)._exit(0)",
    "crashes": "import ctypes\nctypes.string_at(0)",
    "sleeps": "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except BaseException:\n        pass",
}


@pytest.mark.full
@pytest.mark.skipif(sys.platform == "win32", reason="their processes are ended by signals of POSIX")
def test_what_ends_or_blocks_its_process_gets_a_row_that_says_so(class_of):
    """The other notebooks of the class are graded as if nothing had happened."""
    began = time.monotonic()
    found = class_of(seconds=25.0, zoe=lesson(), **{name: lesson(source) for name, source in ENDS.items()})
    assert found["zoe", "loss"] == found["zoe", "mean_loss"] == ("passed", "")
    for name in ("exits", "crashes"):
        for exercise in ("loss", "mean_loss"):
            assert found[name, exercise] == ("ended", "its code ended the process in code cell 3"), name
    assert found["sleeps", "loss"] == ("ended", "it did not end within 25 seconds in code cell 3")
    assert time.monotonic() - began < 100


WRITTEN = {
    "first passed": ("loss", "passed", ""),
    "first failed": ("loss", "failed", "why"),
    "first error": ("loss", "error", "why"),
    "first not attempted": ("loss", "not attempted", ""),
}


@pytest.mark.parametrize("end", ["its code ended the process", "it did not end within 9 seconds"])
@pytest.mark.parametrize("first", [*WRITTEN, ""])
def test_an_exercise_without_a_result_has_ended_whatever_the_others_are(first, end, tmp_path):
    """It never inherits the status of the one before."""
    place = {"place": "the check of mean_loss"}
    exercise, status, why = WRITTEN.get(first, ("", "", ""))
    lines = [{"exercise": exercise, "status": status, "why": why}] if first else []
    (tmp_path / "results").write_text("".join(json.dumps(line) + "\n" for line in [*lines, place]), encoding="utf-8")
    found, *of_the_others = grading._results(tmp_path / "results", end)
    assert of_the_others == ["ended", f"{end} in the check of mean_loss"]
    assert found == ({exercise: (status, why)} if first else {})


HANGS = "from numba import njit\n\n@njit\ndef {name}({arguments}):\n    i = 0\n    while i < 1:\n        i -= i"
DIES = "import ctypes\n\ndef {name}({arguments}):\n    ctypes.{call}"


@pytest.mark.full
@pytest.mark.skipif(sys.platform == "win32", reason="their processes are ended by signals of POSIX")
def test_a_check_that_crashes_or_never_ends_is_not_passed(class_of):
    """In the first exercise, the second or both: an endless compiled loop, a crash, and the end of the process."""
    kinds = {"hang": HANGS, "crash": DIES.replace("{call}", "string_at(0)")}
    kinds["exit"] = DIES.replace("{call}", "CDLL(None)._exit(0)")
    files = {}
    for kind, source in kinds.items():
        first, second = (
            source.format(name="my_loss", arguments="m"),
            source.format(name="my_mean_loss", arguments="c, r"),
        )
        files |= {f"{kind} 1": lesson(first), f"{kind} 2": lesson(second=second), f"{kind} 12": lesson(first, second)}
    rows = class_of.rows(seconds=15.0, **files)
    found = {(row.student, row.exercise): (row.status, row.diagnosis) for row in rows}
    for kind in kinds:
        for where in ("1", "12"):  # the second check is not reached
            for exercise in ("loss", "mean_loss"):
                status, why = found[f"{kind} {where}", exercise]
                assert status == "ended", (kind, where)
                assert why.endswith("in the check of loss"), (kind, where)
        assert found[f"{kind} 2", "loss"] == ("passed", "")
        assert found[f"{kind} 2", "mean_loss"][0] == "ended", kind
        assert found[f"{kind} 2", "mean_loss"][1].endswith("in the check of mean_loss"), kind
    lines = [line.split() for line in grading.table(rows).splitlines()]
    assert ["hang", "2", "1", "2"] in lines


PRINTS = RIGHT.replace("    return ", "    print('looking\\nat', margins)\n    return 2 + ")
NAMELESS = RIGHT.replace("np.logaddexp(0, -margins)", "margins ** 2 + 7")


@pytest.mark.full
def test_every_diagnosis_says_something(class_of):
    """The wrong number where the mistake has no name; never what a function prints, nor a sentence without its end."""
    files = {
        "nameless": lesson(NAMELESS, MEAN.replace("np.logaddexp(0, r - c).mean()", "7.0")),
        "prints": lesson(PRINTS, MEAN.replace("return np.", "print('here')\n    return undefined + np.")),
    }
    start = "import threading, time\n    threading.Thread(target=time.sleep, args=(99,), daemon=True).start()"
    found = class_of(**files, thread=lesson(NAMELESS, MEAN.replace("    return", f"    {start}\n    return")))
    assert found["thread", "mean_loss"][0] == "passed with a note"
    assert "thread" in found["thread", "mean_loss"][1]
    for (student, exercise), (_, why) in found.items():
        assert why
        assert not why.endswith(":"), why
        assert "it printed" not in why, why
        assert "worst one" not in why, (student, exercise)
    assert re.search(r"losses\[\d\]: got .*, expected ", found["nameless", "loss"][1])
    assert "got 7, expected " in found["nameless", "mean_loss"][1]
    assert re.search(r"losses\[\d\]: got .*, expected ", found["prints", "loss"][1])
    assert found["prints", "mean_loss"][1].startswith("NameError in line ")


AWAITS = "import asyncio\n\nasync def later():\n    await asyncio.sleep(0.01)\n    return 0\n\n"


@pytest.mark.full
def test_cells_may_wait_as_in_jupyter(class_of):
    """A cell with ``await`` outside of all functions runs; a task goes on in the next cell; an error there is named."""
    late = notebook(code("import asyncio\nawait asyncio.sleep(1e6)"), code(RIGHT))
    found = class_of(
        waits=lesson(f"{AWAITS}zero = await later()\n{RIGHT.replace('(0,', '(zero,')}"),
        tasks=lesson(f"{AWAITS}task = asyncio.ensure_future(later())\nawait later()\n{RIGHT}", "await task\n" + MEAN),
        fails=notebook(code(RIGHT), code("async def f():\n    return 1 / 0\n\nawait f()\n" + MEAN)),
        late=late,
    )
    for student in ("waits", "tasks"):
        assert found[student, "loss"] == found[student, "mean_loss"] == ("passed", ""), student
    assert found["fails", "mean_loss"][1].endswith("code cell 2 stopped with ZeroDivisionError")
    assert found["late", "loss"] == ("passed", "")
    assert "seconds" in found["late", "mean_loss"][1]


@pytest.mark.full
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux shows the environment of a process")
@pytest.mark.parametrize("then", ["", "import os\nos.kill(os.getppid(), 9)", "while True:\n    pass"])
def test_processes_in_a_session_of_their_own_are_ended(class_of, tmp_path, then):
    """Also those of a notebook that ends its parent, or that takes too long; their number is written to a file."""
    started = tmp_path / "started"
    source = (
        "import subprocess\nfrom pathlib import Path\n"
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        f"Path({str(started)!r}).write_text(str(child.pid))\n{then}"
    )
    class_of(seconds=12.0, ann=lesson(source))
    status = Path("/proc") / started.read_text() / "status"
    assert not status.exists() or "State:\tZ" in status.read_text()


@pytest.mark.full
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux keeps to a limit of memory")
def test_what_takes_too_much_gets_a_row_that_says_so(class_of):
    """Endless loops, gigabytes, endless output, a killed parent: the exercise fails, and not the run."""
    found = class_of(
        loops=lesson(STUB.replace("raise NotImplementedError", "while True: pass")),
        needs=lesson("x = bytearray(10**11)"),
        prints=lesson("for i in range(10**5): print('x' * 100)\n" + RIGHT),
        writes=lesson("open('file', 'wb').write(bytes(10**8))"),
        kills=lesson("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"),
        zoe=lesson(),
    )
    assert found["loops", "loss"][0] == "error"
    assert "seconds" in found["loops", "loss"][1]
    assert found["needs", "loss"][1].endswith("code cell 3 stopped with MemoryError")
    assert found["prints", "loss"][0] == "passed"
    assert found["writes", "loss"][0] in {"error", "ended"}
    assert found["kills", "loss"][0] in {"not attempted", "ended"}  # what it defines is missing, or all of it
    assert found["zoe", "loss"] == ("passed", "")


@pytest.mark.full
def test_files_that_are_no_notebooks_get_a_row_that_says_so(class_of, tmp_path):
    """Damaged, empty, huge or foreign files, links and folders."""
    folder = tmp_path / "class"
    (folder / "dir" / "02_the_loss.ipynb").mkdir(parents=True)
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "02_the_loss.ipynb").write_text("{}", encoding="utf-8")
    (folder / "other.ipynb").write_text("{}", encoding="utf-8")
    with (folder / "02_the_loss_huge.ipynb").open("wb") as file:
        file.truncate(10**9)
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe_02_the_loss.ipynb")
        (folder / "link_02_the_loss.ipynb").symlink_to("/dev/zero")
    found = class_of(cut='{"cells": [', empty="", list="[1]", deep="[" * 10**5, latin=b"\xff\xfe", cells='{"cells": 1}')
    for student in ("cut", "list", "deep", "latin", "cells"):
        status, why = found[student, "loss"]
        assert (status, why.partition(":")[0]) == ("unreadable", "this is not a notebook"), student
    assert found["empty", "loss"] == ("unreadable", "the file is empty")
    assert found["huge", "loss"] == ("unreadable", "the file is too large: 1000 MB, and at most 20 MB are allowed")
    assert found["other", ""][1].startswith("cannot tell which lesson this is")
    assert found["dir", "loss"] == ("unreadable", "this is no ordinary file")
    if hasattr(os, "mkfifo"):
        assert found["pipe", "loss"] == found["link", "loss"] == ("unreadable", "this is no ordinary file")
    assert {student for student, _ in found} <= {
        "cut", "empty", "list", "deep", "latin", "cells", "huge", "other", "dir", "pipe", "link"
    }  # fmt: skip


def test_a_notebook_that_cannot_be_run_gets_a_row_that_says_so(class_of, monkeypatch):
    """Such as one in a folder that may not be read, or if the system starts no more processes."""

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(grading.subprocess, "Popen", refused)
    found = class_of(ann=lesson())
    assert found["ann", "loss"] == found["ann", "mean_loss"] == ("unreadable", "it cannot be run: Permission denied")


@pytest.mark.full
def test_the_command_writes_a_table_and_prints_reasons(class_of, tmp_path, monkeypatch, capsys):
    """The table is a CSV file without formulas, and is replaced only if it is one of ours."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "class"
    folder.mkdir()
    (folder / "=1+1 02_the_loss.ipynb").write_text(lesson(), encoding="utf-8")
    wrong = RIGHT.replace("-margins", "margins")
    (folder / "bob\x1b[2J_02_the_loss.ipynb").write_text(lesson(wrong), encoding="utf-8")
    for _ in range(2):
        assert main(["course", "--grade", "class"]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "looks like: the margin has the wrong sign" in said
    with (tmp_path / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["passed", "passed", "failed", "passed"]
    assert rows[0]["student"] == "'=1+1"
    assert list(rows[0]) == ["student", "lesson", "exercise", "status", "diagnosis", "file"]


@pytest.mark.parametrize(
    ("path", "student", "lesson"),
    [
        ("ada/02_the_loss.ipynb", "ada", "02_the_loss"),
        ("ada/week 1/02_The_Loss-Copy1.ipynb", "ada", "02_the_loss"),
        ("02_the_loss/ada.ipynb", "ada", "02_the_loss"),
        ("Lesson 2/ada lovelace.ipynb", "ada lovelace", "02_the_loss"),
        ("ada_02_the_loss (1).ipynb", "ada", "02_the_loss"),
        ("02_the_loss_ada.ipynb", "ada", "02_the_loss"),
        ("ada_lesson2.ipynb", "ada", "02_the_loss"),
        ("ada_02_the_loss_lovelace.ipynb", "ada_lovelace", "02_the_loss"),
        ("Ada_123_file_/02_the_loss.ipynb", "Ada_123_file_", "02_the_loss"),
        ("02_the_loss.ipynb", "(no name)", "02_the_loss"),
        ("ada_lesson27.ipynb", "ada_lesson27", ""),
        ("Lesson 2 - Ada/02_the_loss.ipynb", "Ada", "02_the_loss"),
        ("lesson-2-submissions/lesson-2-ada/02_the_loss.ipynb", "ada", "02_the_loss"),
        ("Lesson 2 submissions/ada_02_the_loss.ipynb", "ada", "02_the_loss"),
        (
            "COURSE-Lesson 2-98765/Ada L_123_assignsubmission_file/02_the_loss.ipynb",
            "Ada L_123_assignsubmission_file",
            "02_the_loss",
        ),
        ("lovelaceada_123_456_02_the_loss.ipynb", "lovelaceada_123_456", "02_the_loss"),
        ("ada/02_THE_LOSS.IPYNB", "ada", "02_the_loss"),
        ("02_the_loss.new.2.ipynb", "(no name)", "02_the_loss"),
    ],
)
def test_student_and_lesson_are_read_off_the_path(path, student, lesson, class_of, tmp_path):
    """As teachers and learning platforms name folders and files; the file itself is empty."""
    file = tmp_path / "class" / path
    file.parent.mkdir(parents=True)
    file.write_text("", encoding="utf-8")
    (row, *_) = next(grading.grade(tmp_path / "class"))
    assert (row.student, row.lesson, row.status) == (student, lesson, "unreadable")


TOGETHER = {
    "sections": {"Lesson 2 - Delta/02_the_loss": "Delta", "Lesson 2 - Gamma/02_the_loss": "Gamma"},
    "sections with a file name": {"Lesson 2 - D/work": "D/work", "Lesson 2 - G/work": "G/work"},
    "groups": {"group A/ada/02_the_loss": "group A/ada", "group A/bob/02_the_loss": "group A/bob", "cy/lesson2": "cy"},
    "Canvas": {"submissions/ada_1_2_02_the_loss": "submissions/ada_1_2", "submissions/bob_3_4_02_the_loss-1":
               "submissions/bob_3_4_1"},
    "Moodle": {"HW-98/Ada L_1_file_/02_the_loss": "HW-98/Ada L_1_file_", "HW-98/Bo_2_file_/02_the_loss":
               "HW-98/Bo_2_file_"},
    "nbgrader": {"submitted/ada/ps1/02_the_loss": "submitted/ada", "submitted/bob/ps1/02_the_loss": "submitted/bob",
                 "submitted/ada/ps2/03_shift": "submitted/ada", "submitted/cy/ps2/03_shift": "submitted/cy"},
    "GitHub Classroom": {"loss-submissions/loss-ada/02_the_loss": "loss-submissions/loss-ada",
                         "loss-submissions/loss-bob/02_the_loss": "loss-submissions/loss-bob"},
    "versions": {"ada/02_the_loss": "ada", "ada/02_the_loss-Copy1": "ada", "ada/02_the_loss.new": "ada",
                 "ada/02_the_loss_final": "ada", "ada/lesson 2/02_the_loss": "ada"},
    "an older version": {"ada/02_the_loss": "ada", "ada/old/02_the_loss": "ada/old", "ada/03_shift": "ada"},
    "weeks": {"ada/week 2/02_the_loss": "ada", "ada/week 3/03_shift": "ada", "bob/week 2/02_the_loss": "bob"},
    "no lesson": {"ada/notes": "ada", "ada/more/notes": "ada"},
    "a file of the teacher": {"hw/ada_02_the_loss": "hw/ada", "hw/bob_02_the_loss": "hw/bob", "hw/02_the_loss": "hw"},
    "other lessons": {"submitted/ada/ps1/02_the_loss": "submitted/ada", "submitted/bob/ps2/03_shift": "submitted/bob"},
}  # fmt: skip


@pytest.mark.parametrize("class_", TOGETHER)
def test_no_student_hides_another(class_):
    """Where one name would stand for notebooks of a lesson in several places, the names are longer parts of the paths.

    The cases are the folders of usual downloads, and folders in which one student has several versions.
    """
    paths = [Path(f"{path}.ipynb") for path in TOGETHER[class_]]
    assert students_of(paths, ["02_the_loss", "03_shift"]) == list(TOGETHER[class_].values())


@pytest.mark.parametrize(
    "path", ["03_shift/ada_lesson2.ipynb", "lesson 3/x/02_the_loss.ipynb", "03_shift/lesson 2/ada.ipynb"]
)
def test_the_name_next_to_the_notebook_says_the_lesson(path):
    """The file name counts first, and then the nearest folder."""
    assert lesson_of(Path(path), ["02_the_loss", "03_shift"]) == "02_the_loss"


def test_a_link_to_a_folder_has_a_row_and_is_not_followed(class_of, tmp_path):
    """What is behind it is not run; a link without notebooks behind it is of no interest."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "02_THE_LOSS.IPYNB").write_text(lesson(), encoding="utf-8")
    (tmp_path / "empty").mkdir()
    folder = tmp_path / "class"
    (folder / "bob").mkdir(parents=True)
    try:
        (folder / "ada").symlink_to(outside, target_is_directory=True)
        (folder / "bob" / "lib64").symlink_to(tmp_path / "empty", target_is_directory=True)
    except OSError:
        pytest.skip("this system makes no links")
    (row,) = class_of.rows()
    assert (row.student, row.status, row.file) == ("ada", "unreadable", "ada")
    assert "links are not followed" in row.diagnosis


def test_a_folder_that_may_not_be_read_has_a_row(class_of, tmp_path, monkeypatch):
    """Its notebooks would otherwise be missing from the table without a word."""
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "ada":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    (tmp_path / "class" / "ada").mkdir(parents=True)
    monkeypatch.setattr(os, "scandir", refuse)
    (row,) = class_of.rows()
    assert (row.student, row.status, row.diagnosis) == ("ada", "unreadable", "this folder may not be read")


def test_of_several_notebooks_the_best_result_counts():
    """The table counts students, and says how many exercises each has passed, and who has handed in twice."""
    row = partial(grading.Row, lesson="02_the_loss", diagnosis="why", file="a")
    rows = [
        row(student="Bob", exercise="loss", status="failed"),
        row(student="ada", exercise="loss", status="failed"),
        row(student="ada", exercise="slope", status="passed with a note"),
        row(student="ada", exercise="loss", status="passed", file="b"),
        row(student="ada", exercise="slope", status="not attempted", file="b"),
    ]
    lines = [line.split() for line in grading.table(rows).splitlines()]
    assert lines[1] == ["02", "loss", "1", "1", "0", "0", "0", "0"]
    assert ["1", "×", "why"] in lines
    assert ["02", "slope", "1", "0", "0", "0", "0", "0"] in lines
    assert lines.index(["ada", "2", "2"]) < lines.index(["Bob", "0", "1"])
    assert grading.table(rows).endswith(
        "ada has 2 notebooks of 02_the_loss: the best result of each exercise is counted."
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--grade", "nowhere"], "nowhere: there is no such folder"),
        (["--grade", "mine.csv"], "mine.csv: is a file; give the folder that it is in"),
        (["--grade", "empty"], "empty: there are no notebooks in it"),
        (["--grade", "empty", "--seconds", "-1"], "seconds: expected a positive number, got -1.0"),
        (["--grade", "empty", "--seconds", "nan"], "seconds: expected a positive number, got nan"),
        (["--grade", "empty", "--out", "mine.csv"], "out: mine.csv already exists and is not a table of results"),
        (["--grade", "empty", "--out", "no/x.csv", "--force"], "out: there is no folder no; make it first"),
        (["--grade", "empty", "--out", "empty", "--force"], "out: empty is a folder; give the name of a file"),
        (["--grade", "empty", "--check"], "grade: expected without --folder, --progress, --check and --write"),
        (["--grade", "empty", "--lesson", "2"], "lesson: expected without --check, --write, --progress and --grade"),
        (["--out", "x.csv"], "grade: --out, --seconds and --force belong to --grade FOLDER"),
    ],
)
def test_the_command_refuses_in_one_sentence(arguments, says, tmp_path, monkeypatch, capsys):
    """Before any notebook runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine.csv").write_text("my own", encoding="utf-8")
    assert main(["course", *arguments]) != 0
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1
    assert (tmp_path / "mine.csv").read_text(encoding="utf-8") == "my own"


def test_the_lesson_of_these_tests_is_a_notebook():
    """Otherwise the tests above would show nothing."""
    assert len(json.loads(lesson())["cells"]) == 6
