"""The lessons as files: make working copies for learners, run the originals, and check that they are up to date.

Some cells carry a tag: ``exercise`` is a stub, ``check`` the cell that checks it, ``solution`` the folded text after
it, whose last code block replaces the stub, and ``claim`` the cell that asserts what the lesson teaches. The output of
a cell with the tag ``hide-output`` is stored folded. Jupyter is imported on first use.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from itertools import chain, count
from pathlib import Path
from typing import Any

from .. import warmup
from ..files.saving import write_file

__all__ = [
    "as_text",
    "check",
    "check_choice",
    "copy_to",
    "execute",
    "lessons",
    "open_lab",
    "originals",
    "progress",
    "read",
    "with_solutions",
    "write",
]

Notebook = Any  # a NotebookNode of nbformat: a dict with attributes
RECORD = ".bradley_terry_course.json"  # which original each working copy was made from
WIDGET = "application/vnd.jupyter.widget-view+json"
HIDE_OUTPUT = "hide-output"  # the tag of a code cell whose output answers an exercise above it
TIME_LIMIT = 120  # seconds for one cell


def originals() -> Path:
    """Return the folder of the lessons: next to the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).parent.parent
    for folder in (package.parent / "notebooks", package / "notebooks"):
        if any(folder.glob("[0-9][0-9]_*.ipynb")):
            return folder
    raise FileNotFoundError("the lessons are missing from this installation: reinstall bradley_terry")


def lessons(folder: Path) -> list[Path]:
    """Return the notebooks of a folder whose names begin with a number, in order, but no ``NAME.new.ipynb``."""
    return sorted(path for path in folder.glob("[0-9][0-9]_*.ipynb") if ".new." not in path.name)


def read(path: Path) -> Notebook:
    """Read a notebook, or raise a ValueError if the file is not one."""
    nbformat = _jupyter("nbformat")
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # noqa: BLE001  # a damaged file may raise anything
        raise ValueError(f"{path.name}: cannot be read as a notebook: {error}") from None


def as_text(notebook: Notebook) -> str:
    """Return the text of the notebook file; the same notebook always gives the same bytes."""
    text: str = _jupyter("nbformat").writes(notebook, version=4)
    return text.rstrip("\n") + "\n"


def with_solutions(notebook: Notebook) -> Notebook:
    """Return a copy in which every stub is replaced by the solution that follows it.

    Raises
    ------
    ValueError
        If an exercise has no solution.
    """
    solved = copy.deepcopy(notebook)
    for i, cell in enumerate(solved.cells):
        if "exercise" not in cell.metadata.get("tags", []):
            continue
        after = next((c.source for c in solved.cells[i + 1 :] if "solution" in c.metadata.get("tags", [])), "")
        code = re.findall(r"```python\n(.*?)```", after.partition("<summary>Solution</summary>")[2], re.DOTALL)
        if not code:
            raise ValueError(f"cell {cell.id}: this exercise has no solution after it")
        cell.source = code[-1].rstrip()
    return solved


def execute(notebook: Notebook) -> Notebook:
    """Run a copy of a notebook from top to bottom in a fresh kernel and an empty folder; return it with its outputs.

    Times and widget ids are left out, since they differ from run to run. An error in a cell ends the run and is stored
    in that cell's outputs.
    """
    nbclient = _jupyter("nbclient")
    fresh = copy.deepcopy(notebook)
    with tempfile.TemporaryDirectory() as folder:
        client = nbclient.NotebookClient(
            fresh,
            timeout=TIME_LIMIT,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,  # otherwise timing decides whether two prints become one output
            allow_errors=False,
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": folder}},
        )
        with suppress(nbclient.exceptions.CellExecutionError):  # the error is in the outputs
            client.execute()
    return _settled(fresh)


def _settled(notebook: Notebook) -> Notebook:
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
        if HIDE_OUTPUT in cell.metadata.get("tags", []):  # JupyterLab shows "…" instead, until it is clicked
            cell.metadata["jupyter"] = {"outputs_hidden": True}
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
            if "metadata" in output:
                output.metadata = {}
    return notebook


def write(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Run notebooks and store their outputs; yield each path and whether its file changed.

    Raises
    ------
    ValueError
        If a cell fails; nothing is written for that notebook.
    """
    warmup()  # compile the kernels here; in a lesson, the line that announces it would count as a warning
    for path in paths:
        fresh = execute(read(path))
        wrong = errors(fresh)
        if wrong:
            raise ValueError(f"{path.name}: {wrong[0]}")
        text = as_text(fresh)
        changed = path.read_text(encoding="utf-8") != text
        if changed:
            write_file(path, text)
        yield path, changed


def check(paths: Sequence[Path]) -> Iterator[tuple[Path, list[str]]]:
    """Run notebooks as they are and with their solutions; yield each path and a sentence for each problem."""
    warmup()  # as in ``write``
    for path in paths:
        stored = read(path)
        fresh = execute(stored)
        problems = errors(fresh)
        if not problems and texts(stored) != texts(fresh):
            problems.append("stored outputs differ from a fresh run; update them with bradley-terry course --write")
        problems += [
            f"{where}: as stored, the check says {said!r}, not {NOT_YET!r}"
            for where, said in verdicts(fresh)
            if said != NOT_YET
        ]
        solved = execute(with_solutions(stored))
        problems += errors(solved)
        problems += [
            f"{where}: with the solution, the check says {said!r}, not 'passed'"
            for where, said in of_exercises(verdicts(solved))
            if said != "passed"
        ]
        yield path, problems


NOT_YET = "not attempted"
CHECK = re.compile(r"""check\.(\w+)\((?:["']([\d.]+)["'])?""")  # its name, and the number of a prediction


def errors(notebook: Notebook) -> list[str]:
    """Return a line for each cell that raised or wrote to stderr."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                found.append(f"cell {cell.id}: {output.ename}: {output.evalue}")
            elif output.output_type == "stream" and output.name == "stderr":
                found.append(f"cell {cell.id}: writes to stderr: {output.text.strip()}")
    return found


def texts(notebook: Notebook) -> list[str]:
    """Return every printed or displayed text of a notebook, in order."""
    return [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    ]


def verdicts(notebook: Notebook) -> list[tuple[str, str]]:
    """Return (name of the check, its status) for every check cell; the status is "not run" if it has no output.

    The name is that of the function, such as "slope", as in the results of ``grading``, or "prediction 01.1".
    """
    found = []
    for cell in notebook.cells:
        if "check" not in cell.get("metadata", {}).get("tags", []):
            continue
        said = [o.get("data", {}).get("text/plain", "") for o in cell.get("outputs", [])]
        first = (said[-1] if said else "").partition("\n")[0]
        what, colon, status = first.rpartition(": ")
        if called := CHECK.search(cell.source):
            what = " ".join(filter(None, called.groups()))
        found.append((what or cell.source.strip(), status if colon else "not run"))
    return found


def of_exercises(verdicts: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the verdicts without those of predictions, which nobody passes or fails."""
    return [(what, status) for what, status in verdicts if not what.startswith("prediction")]


# ------------------------------------------------------------------------------------------------- working copies


def copy_to(folder: Path) -> list[str]:
    """Copy the lessons and their README into a folder; return a sentence for each file that needs a remark.

    A copy that is already there is kept, so that learners continue where they stopped. If the original has changed
    since the copy was made, an unedited copy is replaced. An edited copy is kept, and the newer version is saved next
    to it as ``NAME.new.ipynb``, or as ``NAME.new.2.ipynb`` and so on if there is such a file that is not ours. A
    symbolic link counts as edited, and nothing is ever written through one.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    said = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        record_file = folder / RECORD
        if record_file.is_symlink():
            raise ValueError(f"{record_file}: expected a file, found a symbolic link; delete it")
        record = _record_in(record_file) if record_file.exists() else {}
        for original in lessons(originals()):
            content, mine = original.read_bytes(), folder / original.name
            name, new = original.name, _digest(content)
            if _is_ours(mine, record) and (record.get(name) != new or not mine.exists()):
                if mine.exists():
                    said.append(f"{name}: replaced by a newer version, since you had not edited your copy")
                write_file(mine, content)
                _trust(mine)
                record[name] = new
            elif record.get(name) != new and _digest_of(mine) != new:
                endings = chain([""], (f".{number}" for number in count(2)))
                names = (folder / f"{original.stem}.new{ending}.ipynb" for ending in endings)
                beside = next(name for name in names if _is_ours(name, record))
                write_file(beside, content)
                _trust(beside)
                record[name] = record[beside.name] = new
                said.append(f"{name}: your edited copy is kept; the newer version is next to it, in {beside.name}")
        for page in originals().glob("README.md"):
            mine = folder / page.name
            if _is_ours(mine, record):
                write_file(mine, page.read_bytes())
                record[page.name] = _digest(page.read_bytes())
        write_file(record_file, json.dumps(record, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise OSError(f"{folder}: cannot be written ({error.strerror}); choose another folder with --folder") from None
    return said


def _record_in(file: Path) -> dict[str, str]:
    """Read the record of a folder, which anyone may have edited, or raise a ValueError."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):  # neither JSON nor UTF-8
        record = None
    if not isinstance(record, dict):
        raise ValueError(f"{file}: is damaged; delete it (your notebooks are not affected)")
    return record


def _trust(path: Path) -> None:
    """Mark our copy as trusted by Jupyter, which otherwise hides the stored figures until the cells are run."""
    with suppress(ImportError, OSError, sqlite3.Error):  # Jupyter is missing, or cannot store signatures
        notary = import_module("nbformat.sign").NotebookNotary()
        try:
            notary.sign(read(path))
        finally:
            notary.store.close()


def _is_ours(path: Path, record: dict[str, str]) -> bool:
    """Return whether we may write this file: there is none of this name, or it is one of ours that nobody edited."""
    return not os.path.lexists(path) or _digest_of(path) == record.get(path.name, "")


def _digest_of(path: Path) -> str | None:
    return _digest(path.read_bytes()) if path.is_file() and not path.is_symlink() else None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


NO_RESULTS = "no results"
DAMAGED = "cannot be read"
TO_REPLACE = "; move it to another folder, so that your work is kept, and run bradley-terry course to get a new copy"
UNMARKED = (
    "no cell is marked as a check, so nothing can be counted; perhaps another program has removed the tags of its cells"
)


def progress(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Return, for each lesson in a folder of working copies, the results of its checks when it was last saved.

    A notebook without results has one entry instead: a sentence that says why, and the status ``NO_RESULTS``. Notebooks
    of a learner's own that contain no checks are left out.

    Raises
    ------
    FileNotFoundError
        If there are no lessons in the folder.
    """
    mine = lessons(folder)
    if not mine:
        raise FileNotFoundError(f"{folder}: there are no lessons here; run bradley-terry course to copy them")
    ours = {path.name for path in lessons(originals())}
    found = {}
    for path in mine:
        try:
            results = verdicts(read(path))
        except (ValueError, TypeError, KeyError, AttributeError):  # also if it is JSON, but its cells are not cells
            results = [(DAMAGED + (TO_REPLACE if path.name in ours else ""), NO_RESULTS)]
        if results or path.name in ours:
            found[path.name] = results or [(UNMARKED, NO_RESULTS)]
    return found


def check_choice(lesson: int | None, port: int | None) -> None:
    """Check, before anything is written, that the lesson can be opened.

    Raises
    ------
    ModuleNotFoundError
        If JupyterLab is not installed.
    ValueError
        For a lesson or a port that does not exist.
    """
    if not find_spec("jupyterlab"):
        raise ModuleNotFoundError('the course needs JupyterLab: python -m pip install "bradley_terry[course]"')
    numbers = [int(path.name[:2]) for path in lessons(originals())]
    if lesson is not None and lesson not in numbers:
        raise ValueError(f"--lesson: expected one of {', '.join(map(str, numbers))}, got {lesson}")
    if port is not None and not 1 <= port <= 65_535:
        raise ValueError(f"--port: expected a number from 1 to 65535, got {port}")


def open_lab(folder: Path, *, lesson: int | None = None, browser: bool = True, port: int | None = None) -> int:
    """Start JupyterLab on a folder with one lesson open, and wait until it is shut down.

    Returns
    -------
    int
        JupyterLab's own exit code.
    """
    check_choice(lesson, port)
    paths = {int(path.name[:2]): path for path in lessons(folder)}
    lesson = min(paths, default=1) if lesson is None else lesson
    # -P: a file such as random.py in the current folder is not imported in place of the module of that name
    command = [sys.executable, "-P", "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}"]
    command += [f"--LabApp.default_url=/doc/tree/{paths[lesson].name}"]
    command += [] if browser else ["--no-browser"]
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    if port is not None:
        if _is_taken(port):
            print(f"Port {port} is in use: JupyterLab will choose another port and print its address.", flush=True)
        command.append(f"--ServerApp.port={port}")
    configured = [str(Path(__file__).parent / "jupyter"), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    # Our settings keep JupyterLab from asking, in a pop-up, whether it may fetch news.
    settings = {"JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, configured))}
    return _wait_for(subprocess.Popen(command, env=os.environ | settings))  # noqa: S603  # our own interpreter


def _wait_for(server: subprocess.Popen[bytes]) -> int:
    """Wait until the server has ended.

    Ctrl-C also reaches the server, which asks for confirmation, so we ignore it here. A SIGTERM is passed on to the
    server.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set signal handlers
        return server.wait()

    def ignore(*_: object) -> None:
        pass

    def end_server(*_: object) -> None:
        server.terminate()

    before = [signal.signal(signal.SIGINT, ignore), signal.signal(signal.SIGTERM, end_server)]
    try:
        return server.wait()
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _jupyter(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f'this needs {name}: python -m pip install "bradley_terry[course]"') from None
