"""Working copies belong to the learner and are never overwritten; every refusal is one sentence."""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
from bradley_terry.cli import main

from bradley_terry.course import notebooks


def notebook(*cells):
    """Return the text of a notebook file."""
    numbered = [{"id": f"01-{i:02}", **cell} for i, cell in enumerate(cells)]
    made = {"cells": numbered, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(made, indent=1, sort_keys=True) + "\n"


def text(source, *tags):
    return {"cell_type": "markdown", "metadata": {"tags": tags} if tags else {}, "source": source}


def code(source, *tags, says=None):
    result = {"output_type": "execute_result", "data": {"text/plain": says}, "metadata": {}, "execution_count": 1}
    outputs = [] if says is None else [result]
    return text(source, *tags) | {"cell_type": "code", "execution_count": None, "outputs": outputs}


def parsed(text_of_notebook):
    return pytest.importorskip("nbformat").reads(text_of_notebook, as_version=4)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Return a folder of two small notebooks, which stand in for the lessons.

    Jupyter is hidden, since importing nbformat takes seconds and copying works without it.
    """

    def missing(name):
        raise ModuleNotFoundError(name)

    folder = tmp_path / "originals"
    folder.mkdir()
    for name in ("01_first", "02_second"):
        (folder / f"{name}.ipynb").write_text(notebook(code("1 + 1")), encoding="utf-8")
    monkeypatch.setattr(notebooks, "originals", lambda: folder)
    monkeypatch.setattr(notebooks, "find_spec", lambda _: True)  # JupyterLab itself is not needed here
    monkeypatch.setattr(notebooks, "import_module", missing)
    return folder


@pytest.fixture
def jupyter(shelf, tmp_path, monkeypatch):
    """Bring Jupyter back, or skip the test."""
    for module in ("nbformat", "nbclient"):
        pytest.importorskip(module, reason="Jupyter is not installed")
    monkeypatch.setattr(notebooks, "import_module", importlib.import_module)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))  # where signatures are kept


def needs_jupyter(test):
    """Mark a test that reads or runs notebooks with Jupyter."""
    return pytest.mark.full(pytest.mark.usefixtures("jupyter")(test))


def test_copies_are_made_once_and_kept(shelf, tmp_path):
    """The first call makes copies, and the next one keeps an edited notebook and says nothing."""
    mine = tmp_path / "mine"
    assert notebooks.copy_to(mine) == []
    (mine / "01_first.ipynb").write_text("edited", encoding="utf-8")
    assert notebooks.copy_to(mine) == []
    assert (mine / "01_first.ipynb").read_text(encoding="utf-8") == "edited"
    assert (mine / "02_second.ipynb").read_bytes() == (shelf / "02_second.ipynb").read_bytes()


def test_the_readme_is_copied_but_never_over_another_one(shelf, tmp_path):
    """A newer README replaces ours, and nothing replaces a README of the learner."""
    (shelf / "README.md").write_text("ours", encoding="utf-8")
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "README.md").write_text("my thesis", encoding="utf-8")
    for folder in (mine, theirs):
        notebooks.copy_to(folder)
    (shelf / "README.md").write_text("our newer one", encoding="utf-8")
    for folder in (mine, theirs):
        notebooks.copy_to(folder)
    assert (mine / "README.md").read_text(encoding="utf-8") == "our newer one"
    assert (theirs / "README.md").read_text(encoding="utf-8") == "my thesis"


@needs_jupyter
def test_copies_are_trusted_until_they_are_edited(shelf, tmp_path):
    """Jupyter shows the stored figures of trusted notebooks only. A copy that is edited loses its signature."""
    notary = pytest.importorskip("nbformat.sign").NotebookNotary
    mine = tmp_path / "mine"
    notebooks.copy_to(mine)
    copied = notebooks.read(mine / "01_first.ipynb")
    ours = notary()
    assert ours.check_signature(copied)
    copied.cells[0].source = "1 + 2"
    assert not ours.check_signature(copied)
    ours.store.close()


def test_a_newer_version_is_saved_next_to_an_edited_copy_and_replaces_an_unedited_one(shelf, tmp_path):
    """Nothing that a learner wrote is lost, and each newer version is saved once."""
    mine = tmp_path / "mine"
    notebooks.copy_to(mine)
    (mine / "01_first.ipynb").write_text("edited", encoding="utf-8")
    for name in ("01_first", "02_second"):
        (shelf / f"{name}.ipynb").write_text(notebook(code("2 + 2")), encoding="utf-8")
    said = " ".join(notebooks.copy_to(mine))
    assert "01_first.ipynb: your edited copy is kept; the newer version is next to it, in 01_first.new.ipynb" in said
    assert "02_second.ipynb: replaced by a newer version, since you had not edited your copy" in said
    assert (mine / "01_first.ipynb").read_text(encoding="utf-8") == "edited"
    assert (mine / "01_first.new.ipynb").read_bytes() == (shelf / "01_first.ipynb").read_bytes()
    assert notebooks.copy_to(mine) == []
    assert [path.name for path in notebooks.lessons(mine)] == ["01_first.ipynb", "02_second.ipynb"]


def test_a_folder_that_cannot_be_written_is_one_sentence(shelf, tmp_path, capsys):
    """The command line shows no traceback for such a folder, nor for a damaged record."""
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    assert main(["course", "--folder", str(file)]) == 2
    assert "cannot be written" in capsys.readouterr().err
    mine = tmp_path / "mine"
    notebooks.copy_to(mine)
    for record in (b"{", b"", b"[]", b"null", b'"text"', b"3", b"\xff\xfe", b"[" * 100_000):
        (mine / notebooks.RECORD).write_bytes(record)
        assert main(["course", "--folder", str(mine)]) == 2
        assert "is damaged; delete it (your notebooks are not affected)" in capsys.readouterr().err


@needs_jupyter
def test_progress_says_what_the_saved_checks_say(shelf, tmp_path, capsys):
    """It lists the exercises as passed, failed or not run, by the names that --grade has, and runs nothing."""
    mine = tmp_path / "mine"
    notebooks.copy_to(mine)
    cells = [
        code("check.loss(f)", "check", says="losses: passed"),
        code("check.mean_loss(f)", "check", says="mean loss: failed\nthe number is wrong:"),
        code("check.accuracy(f)", "check"),
        code('check.prediction("01.1", "a")', "check", says="prediction 01.1: a surprise"),  # not graded
    ]
    (mine / "01_first.ipynb").write_text(notebook(*cells), encoding="utf-8")
    assert main(["course", "--progress", "--folder", str(mine)]) == 0
    printed = capsys.readouterr().out
    assert "01_first.ipynb: 1 of 3 exercises passed" in printed
    assert "    loss: passed\n    mean_loss: failed\n    accuracy: not run\n    prediction 01.1: a surprise" in printed
    assert main(["course", "--progress", "--folder", str(tmp_path / "nowhere")]) == 2
    assert "there are no lessons here" in capsys.readouterr().err


def test_jupyterlab_is_started_on_the_lesson(shelf, tmp_path, monkeypatch, capsys):
    """A port that is in use is announced; an unknown lesson or port is refused."""
    calls, environments = [], []

    class Server:
        def __init__(self, command, env):
            calls.append(command)
            environments.append(env)

        def wait(self):
            return 0

    monkeypatch.setattr(notebooks.subprocess, "Popen", Server)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        mine = str(tmp_path / "mine")
        assert main(["course", "--folder", mine, "--lesson", "2", "--no-browser", "--port", port]) == 0
    assert f"Port {port} is in use" in capsys.readouterr().out
    assert "--LabApp.default_url=/doc/tree/02_second.ipynb" in calls[0]
    assert "--no-browser" in calls[0]
    settings = json.loads((Path(environments[0]["JUPYTER_CONFIG_PATH"]) / "labconfig" / "page_config.json").read_text())
    assert settings["disabledExtensions"]["@jupyterlab/apputils-extension:announcements"] is True
    assert ("--allow-root" in calls[0]) == (hasattr(os, "geteuid") and os.geteuid() == 0)
    assert main(["course", "--folder", mine, "--port", "99999999"]) == 2
    assert "--port: expected a number from 1 to 65535" in capsys.readouterr().err
    assert main(["course", "--folder", mine, "--lesson", "7"]) == 2
    assert "--lesson: expected one of 1, 2, got 7" in capsys.readouterr().err


def test_without_jupyterlab_the_command_says_how_to_get_it(shelf, tmp_path, monkeypatch, capsys):
    """It prints one sentence, with the command that installs JupyterLab."""
    monkeypatch.setattr(notebooks, "find_spec", lambda _: None)
    assert main(["course", "--folder", str(tmp_path / "mine")]) == 2
    assert 'python -m pip install "bradley_terry[course]"' in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
def test_ctrl_c_is_left_to_the_server_and_sigterm_ends_it():
    """JupyterLab asks for confirmation after Ctrl-C. Afterwards the old signal handlers are restored."""
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


@needs_jupyter
def test_progress_finds_the_copies_in_the_present_folder(shelf, tmp_path, monkeypatch, capsys):
    """In the folder of the copies, no --folder is needed."""
    mine = tmp_path / "mine"
    notebooks.copy_to(mine)
    monkeypatch.chdir(mine)
    assert main(["course", "--progress"]) == 0
    assert "01_first.ipynb" in capsys.readouterr().out


DAMAGES = {
    "cut": '{"cells": [',
    "merged": '{"cells": [\n<<<<<<< HEAD\n], "nbformat": 4}',
    "number": '{"cells": 5, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    "no outputs": '{"cells": [{"cell_type": "code", "metadata": {"tags": ["check"]}, "source": "check.loss(f)", '
    '"outputs": null}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}',
}


@needs_jupyter
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_copy_does_not_hide_the_others(damage, shelf, tmp_path, capsys):
    """The damaged copy is named with advice that loses no work, and the others are listed as usual.

    Nothing is counted: how many exercises a damaged copy has is not known.
    """
    mine = tmp_path / "mine"
    notebooks.copy_to(mine)
    (mine / "01_first.ipynb").write_text(DAMAGES[damage], encoding="utf-8")
    (mine / "02_second.ipynb").write_text(notebook(code("check.loss(f)", "check", says="loss: passed")))
    (mine / "13_mine.ipynb").write_text(DAMAGES[damage], encoding="utf-8")
    assert main(["course", "--progress", "--folder", str(mine)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == (
        "01_first.ipynb: cannot be read; move it to another folder, so that your work is kept, and run bradley-terry "
        "course to get a new copy"
    )
    assert lines[2:4] == ["02_second.ipynb: 1 of 1 exercises passed", "    loss: passed"]
    assert lines[4:] == ["13_mine.ipynb: cannot be read"]  # the course has no new copy of this one
    (mine / "01_first.ipynb").rename(tmp_path / "moved away")
    notebooks.copy_to(mine)  # the advice works
    assert (mine / "01_first.ipynb").read_bytes() == (shelf / "01_first.ipynb").read_bytes()


@needs_jupyter
def test_a_notebook_without_checks_counts_no_exercises(shelf, tmp_path, capsys):
    """A learner's own notebook is left out, and a lesson whose tags are lost says so, instead of "0 of 0"."""
    mine = tmp_path / "mine"
    notebooks.copy_to(mine)
    (mine / "13_mine.ipynb").write_text(notebook(code("1 + 1")), encoding="utf-8")
    assert main(["course", "--progress", "--folder", str(mine)]) == 0
    printed = capsys.readouterr().out
    assert "13_mine" not in printed
    assert "0 of 0" not in printed
    assert "01_first.ipynb: no cell is marked as a check, so nothing can be counted; perhaps" in printed


@needs_jupyter
def test_a_cell_run_out_of_order_says_what_is_missing():
    """The NameError is followed by one sentence."""
    ran = notebooks.execute(
        parsed(notebook(code("from bradley_terry.course import check"), code("check.loss(my_loss)")))
    )
    said = [output.text for output in ran.cells[1].outputs if output.output_type == "stream"]
    assert said == ["my_loss is not defined: run the cells above first, from the top, or check its spelling.\n"]


EXERCISE = (
    code("def f():\n    raise NotImplementedError", "exercise"),
    code("f()", "check"),
    text("<details><summary>Solution</summary>\n\n```python\ndef f():\n    return 7\n```\n</details>", "solution"),
)


@needs_jupyter
def test_solutions_replace_stubs():
    """The last code block of the solution is taken; an exercise without a solution is refused."""
    solved = notebooks.with_solutions(parsed(notebook(*EXERCISE)))
    assert solved.cells[0].source == "def f():\n    return 7"
    with pytest.raises(ValueError, match=r"^cell 01-00: this exercise has no solution"):
        notebooks.with_solutions(parsed(notebook(EXERCISE[0], text("Solution: think", "solution"))))


@needs_jupyter
def test_check_and_write_say_what_is_wrong(shelf, capsys):
    """A cell may fail, or an output may be out of date; --write then updates it."""
    first, second = sorted(shelf.iterdir())
    first.write_text(notebook(code("print('new')", says="old")), encoding="utf-8")
    second.write_text(notebook(code("1 / 0")), encoding="utf-8")
    assert main(["course", "--check"]) == 1
    printed = capsys.readouterr().out
    assert "01_first.ipynb: stored outputs differ from a fresh run" in printed
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


@needs_jupyter
def test_a_file_that_is_not_a_notebook_is_named(tmp_path):
    """The error says which file cannot be read."""
    (tmp_path / "01_x.ipynb").write_text("no", encoding="utf-8")
    with pytest.raises(ValueError, match=r"^01_x.ipynb: cannot be read as a notebook"):
        notebooks.read(tmp_path / "01_x.ipynb")
