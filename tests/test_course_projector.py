"""The projector page and ``bradley-terry demo``, without a browser; test_course_projector_browser.py has the rest."""

from __future__ import annotations

import re
import webbrowser
from pathlib import Path

import pytest
from bradley_terry.cli import main

from bradley_terry.course import projector

ADDRESS = (Path(projector.__file__).parent / "projector.html").as_uri()


def test_page_is_one_small_file_that_asks_for_nothing():
    """The page is smaller than 60 kB and contains no address of anything else."""
    text = projector.page()
    assert len(text.encode()) < 60_000
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script[^>]*src|<link[^>]*stylesheet|fetch\(|eval\(", text)


def test_demo_opens_the_page_at_a_scene(monkeypatch, capsys):
    """The browser gets the address of the file, with the scene after the #."""
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    assert main(["demo"]) == 0
    assert main(["demo", "--scene", "expected"]) == 0
    assert opened == [ADDRESS, f"{ADDRESS}#scene=expected"]
    assert capsys.readouterr().out.splitlines() == [f"Opened {address}" for address in opened]


@pytest.mark.parametrize("how", ["says no", "raises"])
def test_demo_without_a_browser_prints_the_address(monkeypatch, capsys, how):
    """If no browser can be opened, one sentence gives the address to open elsewhere, and the exit status is 0."""

    def refuse(_):
        if how == "raises":
            raise webbrowser.Error("could not locate runnable browser")
        return False

    monkeypatch.setattr(webbrowser, "open", refuse)
    assert main(["demo"]) == 0
    assert capsys.readouterr().out == f"No browser could be opened. Open this page in your browser: {ADDRESS}\n"


def test_demo_writes_a_copy_and_opens_nothing(monkeypatch, tmp_path, capsys):
    """The copy is the page, byte for byte; with a scene, one attribute is added."""
    monkeypatch.setattr(webbrowser, "open", lambda _: pytest.fail("a browser was opened"))
    plain, begun = tmp_path / "stick.html", tmp_path / "shift.HTM"
    assert main(["demo", "--out", str(plain)]) == 0
    assert plain.read_text(encoding="utf-8") == projector.page()
    assert main(["demo", "--out", str(begun), "--scene", "shift"]) == 0
    assert begun.read_text(encoding="utf-8").replace(' data-start="shift"', "") == projector.page()
    assert capsys.readouterr().out.splitlines() == [f"Written: {plain}", f"Written: {begun}"]


@pytest.mark.parametrize(
    ("name", "says"),
    [("no/such/folder.html", "No such file"), ("page.txt", "ends in .html"), ("folder.html", "directory")],
)
def test_demo_refuses_in_one_sentence(tmp_path, capsys, name, says):
    """For a path that cannot be written, the exit status is 2 and one line names the path."""
    (tmp_path / "folder.html").mkdir()
    assert main(["demo", "--out", str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert Path(name).name in error
    assert says in error


def test_demo_knows_the_scenes_of_the_page():
    """The command line, the module and the page name the same scenes, in the same order."""
    assert tuple(re.findall(r'<section id="(\w+)"', projector.page())) == projector.SCENES
    for scene in projector.SCENES:
        assert projector.page(scene).count(f'<html lang="en" data-start="{scene}">') == 1
    with pytest.raises(ValueError, match=r"^scene: expected one of loss, shift, confidence, expected, got 'los'$"):
        projector.page("los")


def test_demo_unzips_the_page_if_necessary(monkeypatch, tmp_path):
    """If the package is in a zip file, the page is written to a folder where a browser finds it."""

    class Zipped:
        def __truediv__(self, name):
            return self

        def read_text(self, encoding):
            return "<p>page</p>"

    monkeypatch.setattr(projector, "files", lambda _: Zipped())
    monkeypatch.setattr(projector.tempfile, "mkdtemp", lambda prefix: str(tmp_path))
    monkeypatch.setattr(webbrowser, "open", lambda _: True)
    address, opened = projector.show("loss")
    assert opened
    assert address == (tmp_path / "projector.html").as_uri() + "#scene=loss"
    assert (tmp_path / "projector.html").read_text(encoding="utf-8") == "<p>page</p>"
