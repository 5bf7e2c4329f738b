"""Working copies are the learner's: never overwritten, resumed where they are; and every refusal is one sentence."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time

import pytest

nbformat = pytest.importorskip("nbformat", reason="Jupyter is not installed")
pytest.importorskip("nbclient", reason="Jupyter is not installed")

from bradley_terry.cli import main  # noqa: E402
from bradley_terry.course import notebooks  # noqa: E402


def notebook(*cells, shown=None):
    made = nbformat.v4.new_notebook(cells=list(cells))
    for i, cell in enumerate(made.cells):
        cell.id = f"01-{i:02}"
    return made


def code(source, *tags, says=None):
    outputs = [] if says is None else [nbformat.v4.new_output("execute_result", {"text/plain": says})]
    return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {}, outputs=outputs)


def text(source, *tags):
    return nbformat.v4.new_markdown_cell(source, metadata={"tags": list(tags)} if tags else {})


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Return a folder of two small originals, which the room takes for its own."""
    folder = tmp_path / "originals"
    folder.mkdir()
    for name in ("01_first", "02_second"):
        (folder / f"{name}.ipynb").write_text(notebooks.as_text(notebook(code("1 + 1"))), encoding="utf-8")
    monkeypatch.setattr(notebooks, "originals", lambda: folder)
    monkeypatch.setattr(notebooks, "find_spec", lambda _: True)  # JupyterLab itself is not needed here
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))  # where signatures are kept
    return folder


def test_copies_are_laid_once_and_resumed(shelf, tmp_path):
    """The first call copies, the next leaves an edited notebook as it is and says nothing."""
    mine = tmp_path / "mine"
    assert notebooks.copy_to(mine) == []
    (mine / "01_first.ipynb").write_text("edited", encoding="utf-8")
    assert notebooks.copy_to(mine) == []
    assert (mine / "01_first.ipynb").read_text(encoding="utf-8") == "edited"
    assert (mine / "02_second.ipynb").read_bytes() == (shelf / "02_second.ipynb").read_bytes()


def test_the_map_comes_along_but_not_over_a_readme_of_ones_own(shelf, tmp_path):
    """A newer map replaces ours, and nothing replaces theirs."""
    (shelf / "README.md").write_text("map", encoding="utf-8")
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "README.md").write_text("my thesis", encoding="utf-8")
    for folder in (mine, theirs):
        notebooks.copy_to(folder)
    (shelf / "README.md").write_text("newer map", encoding="utf-8")
    for folder in (mine, theirs):
        notebooks.copy_to(folder)
    assert (mine / "README.md").read_text(encoding="utf-8") == "newer map"
    assert (theirs / "README.md").read_text(encoding="utf-8") == "my thesis"


def test_copies_are_trusted_until_they_are_edited(shelf, tmp_path):
    """So that Jupyter shows the stored figures of a lesson just opened, and runs nothing of a stranger's."""
    notary = pytest.importorskip("nbformat.sign").NotebookNotary
    mine = tmp_path / "mine"
    notebooks.copy_to(mine)
    copied = notebooks.read(mine / "01_first.ipynb")
    ours = notary()
    assert ours.check_signature(copied)
    copied.cells[0].source = "1 + 2"
    assert not ours.check_signature(copied)
    ours.store.close()


def test_a_newer_version_is_laid_beside_an_edited_copy_and_replaces_an_untouched_one(shelf, tmp_path):
    """Nothing a learner wrote is lost, and each newer version is offered once."""
    mine = tmp_path / "mine"
    notebooks.copy_to(mine)
    (mine / "01_first.ipynb").write_text("edited", encoding="utf-8")
    for name in ("01_first", "02_second"):
        (shelf / f"{name}.ipynb").write_text(notebooks.as_text(notebook(code("2 + 2"))), encoding="utf-8")
    said = " ".join(notebooks.copy_to(mine))
    assert "01_first.ipynb: yours is kept; the newer version lies beside it as 01_first.new.ipynb" in said
    assert "02_second.ipynb: replaced by a newer version; yours was as it came" in said
    assert (mine / "01_first.ipynb").read_text(encoding="utf-8") == "edited"
    assert (mine / "01_first.new.ipynb").read_bytes() == (shelf / "01_first.ipynb").read_bytes()
    assert notebooks.copy_to(mine) == []
    assert [path.name for path in notebooks.lessons(mine)] == ["01_first.ipynb", "02_second.ipynb"]


def test_a_folder_that_cannot_be_written_is_one_sentence(shelf, tmp_path, capsys):
    """Also from the command line, without a traceback; so is a damaged record."""
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    assert main(["course", "--folder", str(file)]) == 2
    assert "cannot be written" in capsys.readouterr().err
    mine = tmp_path / "mine"
    notebooks.copy_to(mine)
    (mine / notebooks.RECORD).write_text("{", encoding="utf-8")
    assert main(["course", "--folder", str(mine)]) == 2
    assert "delete it, your notebooks are safe" in capsys.readouterr().err


def test_progress_says_what_the_saved_checks_say(shelf, tmp_path, capsys):
    """Passed, failed and not run, by exercise, without running anything."""
    mine = tmp_path / "mine"
    notebooks.copy_to(mine)
    cells = [
        code("check.loss(f)", "check", says="losses: passed"),
        code("check.mean_loss(f)", "check", says="mean loss: failed\nthe number is wrong:"),
        code("check.accuracy(f)", "check"),
    ]
    (mine / "01_first.ipynb").write_text(notebooks.as_text(notebook(*cells)), encoding="utf-8")
    assert main(["course", "--progress", "--folder", str(mine)]) == 0
    printed = capsys.readouterr().out
    assert "01_first.ipynb: 1 of 3 passed" in printed
    assert "losses: passed" in printed
    assert "mean loss: failed" in printed
    assert "accuracy: not run" in printed
    assert main(["course", "--progress", "--folder", str(tmp_path / "nowhere")]) == 2
    assert "there are no lessons here" in capsys.readouterr().err


def test_jupyterlab_is_started_on_the_lesson(shelf, tmp_path, monkeypatch, capsys):
    """With the folder as its root; another port is announced; an unknown lesson is refused."""
    calls = []

    class Server:
        def __init__(self, command):
            calls.append(command)

        def wait(self):
            return 0

    monkeypatch.setattr(notebooks.subprocess, "Popen", Server)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        mine = str(tmp_path / "mine")
        assert main(["course", "--folder", mine, "--lesson", "2", "--no-browser", "--port", port]) == 0
    assert f"port {port} is taken" in capsys.readouterr().out
    assert "--LabApp.default_url=/doc/tree/02_second.ipynb" in calls[0]
    assert "--no-browser" in calls[0]
    assert ("--allow-root" in calls[0]) == (hasattr(os, "geteuid") and os.geteuid() == 0)
    assert main(["course", "--folder", mine, "--port", "99999999"]) == 2
    assert "--port: expected a number from 1 to 65535" in capsys.readouterr().err
    assert main(["course", "--folder", mine, "--lesson", "7"]) == 2
    assert "--lesson: expected one of 1, 2, got 7" in capsys.readouterr().err


def test_without_jupyterlab_the_command_says_how_to_get_it(shelf, tmp_path, monkeypatch, capsys):
    """One sentence with the command."""
    monkeypatch.setattr(notebooks, "find_spec", lambda _: None)
    assert main(["course", "--folder", str(tmp_path / "mine")]) == 2
    assert 'python -m pip install "bradley_terry[course]"' in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter there")
def test_a_server_is_left_in_peace_by_ctrl_c_and_ends_with_us():
    """Its own question may be answered; what tells us to end, ends it, too; our own handlers come back."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    class Server:
        told_to_end = 0

        def wait(self):
            for number in (signal.SIGINT, signal.SIGTERM):
                os.kill(os.getpid(), number)
                time.sleep(0.01)  # signals are handled between two lines
            return self.told_to_end

        def terminate(self):
            self.told_to_end += 1

    assert notebooks._wait_for(Server()) == 1
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_within_the_course_no_second_course_is_laid(shelf, tmp_path, monkeypatch, capsys):
    """The folder that holds the lessons is the one that is meant."""
    mine = tmp_path / "mine"
    notebooks.copy_to(mine)
    monkeypatch.chdir(mine)
    assert main(["course", "--progress"]) == 0
    assert "01_first.ipynb" in capsys.readouterr().out


def test_a_damaged_copy_does_not_hide_the_others(shelf, tmp_path, capsys):
    """It is named, with what to do, and the rest is told as always."""
    mine = tmp_path / "mine"
    notebooks.copy_to(mine)
    (mine / "01_first.ipynb").write_text('{"cells": [', encoding="utf-8")
    assert main(["course", "--progress", "--folder", str(mine)]) == 0
    printed = capsys.readouterr().out
    assert "unreadable; delete it, and bradley-terry course lays a fresh copy" in printed
    assert "02_second.ipynb" in printed


def test_a_cell_run_out_of_order_says_what_is_missing():
    """The NameError is followed by one sentence."""
    ran = notebooks.execute(notebook(code("from bradley_terry.course import check"), code("check.loss(my_loss)")))
    said = [output.text for output in ran.cells[1].outputs if output.output_type == "stream"]
    assert said == ["my_loss is not there: run the cells above first, from the top; or is it misspelt?\n"]


EXERCISE = (
    code("def f():\n    raise NotImplementedError", "exercise"),
    code("f()", "check"),
    text("<details><summary>Solution</summary>\n\n```python\ndef f():\n    return 7\n```\n</details>", "solution"),
)


def test_solutions_take_the_place_of_stubs():
    """The last code block of the solution; without one the exercise is refused."""
    solved = notebooks.with_solutions(notebook(*EXERCISE))
    assert solved.cells[0].source == "def f():\n    return 7"
    with pytest.raises(ValueError, match=r"^cell 01-00: this exercise has no solution"):
        notebooks.with_solutions(notebook(EXERCISE[0], text("Solution: think", "solution")))


def test_check_and_write_tell_what_is_wrong(shelf, capsys):
    """A cell that fails, a stub that already passes, an output that is out of date; --write mends the last."""
    first, second = sorted(shelf.iterdir())
    first.write_text(notebooks.as_text(notebook(code("print('new')", says="old"))), encoding="utf-8")
    second.write_text(notebooks.as_text(notebook(code("1 / 0"))), encoding="utf-8")
    assert main(["course", "--check"]) == 1
    printed = capsys.readouterr().out
    assert "01_first.ipynb: its stored outputs are not those of a fresh run" in printed
    assert "ZeroDivisionError" in printed
    assert main(["course", "--write"]) == 2
    captured = capsys.readouterr()
    assert "01_first.ipynb: written" in captured.out
    assert "02_second.ipynb: cell 01-00: ZeroDivisionError: division by zero" in captured.err
    assert json.loads(first.read_text(encoding="utf-8"))["cells"][0]["outputs"][0]["text"] == ["new\n"]
    second.unlink()
    before = first.read_bytes()
    assert main(["course", "--write"]) == 0
    assert "01_first.ipynb: unchanged" in capsys.readouterr().out
    assert first.read_bytes() == before
    assert main(["course", "--check"]) == 0


def test_a_file_that_is_no_notebook_is_named(tmp_path):
    """With one sentence."""
    (tmp_path / "01_x.ipynb").write_text("no", encoding="utf-8")
    with pytest.raises(ValueError, match=r"^01_x.ipynb: cannot be read as a notebook"):
        notebooks.read(tmp_path / "01_x.ipynb")
