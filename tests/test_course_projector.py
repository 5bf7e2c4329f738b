"""The projector page and ``bradley-terry demo``, without a browser; test_course_projector_browser.py has the rest."""

from __future__ import annotations

import re
import webbrowser
from pathlib import Path

import numpy as np
import pytest
from bradley_terry.cli import main

import bradley_terry as bt
from bradley_terry.course import projector

ADDRESS = (Path(projector.__file__).parent / "projector.html").as_uri()


def test_page_is_one_small_file_that_asks_for_nothing():
    """The page is smaller than 120 kB and contains no address of anything else."""
    text = projector.page()
    assert len(text.encode()) < 120_000
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script[^>]*src|<link[^>]*stylesheet|fetch\(|eval\(", text)


def test_travellers_of_the_page_are_those_of_the_package():
    """Chosen mode, income, four costs and three waiting times of 210 travellers give the 630 pairs of the package."""
    table = re.search(r"const TRAVELLERS = `\n(.*?)`", projector.page(), re.DOTALL)[1]
    chosen, rejected, prompts = [], [], []
    for traveller, row in enumerate(re.split(r"[,\n]+", table.strip()), start=1):
        taken, income, *rest = map(float, row.split())
        costs, waits = rest[:4], [*rest[4:], 0.0]  # nobody waits for a car
        modes = [
            [costs[m], waits[m], income if m == 0 else 0.0, float(m == 0), float(m == 1), float(m == 2)]
            for m in range(4)
        ]
        for mode in range(4):
            if mode != taken:
                chosen.append(modes[int(taken)])
                rejected.append(modes[mode])
                prompts.append(traveller)
    pairs = bt.datasets.travel_modes()
    np.testing.assert_array_equal(chosen, pairs.chosen)
    np.testing.assert_array_equal(rejected, pairs.rejected)
    np.testing.assert_array_equal(prompts, pairs.prompts)


def test_lowest_loss_on_the_page_is_that_of_the_fit():
    """The page names the mean loss at the minimum, 0.471083."""
    fitted = bt.fit(bt.LinearScorer(6), bt.datasets.travel_modes())
    assert fitted.history["loss"][-1] == pytest.approx(float(_constant("LEAST")), abs=5e-7)  # six digits


def _constant(name):
    """Return the words to the right of ``const name =`` in the page."""
    return re.search(rf"const {name} = (.*?);", projector.page(), re.DOTALL)[1]


def _true_reward(answers):
    quality, length = answers.T
    return quality + 0.6 * length - 0.3 * length**2


@pytest.mark.parametrize("n", [200, 2_000, 20_000])
def test_proxies_of_the_page_are_fits_of_the_package(n):
    """Each proxy of scene 6 is a linear scorer, fitted to n Bradley-Terry choices between answers from N(0, I).

    Its accuracy is the share of 100,000 other pairs that it orders as the true reward does.
    """
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, n, 2))
    first = (rng.random(n) < bt.preference_probability(_true_reward(a), _true_reward(b)))[:, np.newaxis]
    weights = bt.fit(bt.LinearScorer(2), bt.PreferencePairs(np.where(first, a, b), np.where(first, b, a))).phi
    a, b = np.random.default_rng(1).normal(size=(2, 100_000, 2))
    accuracy = np.mean(((a - b) @ weights > 0) == (_true_reward(a) > _true_reward(b)))
    quality, length, share = map(
        float, re.search(rf"\b{n}: {{ w: \[([\d.]+), ([\d.]+)\], accuracy: ([\d.]+)", _constant("PROXIES")).groups()
    )
    np.testing.assert_allclose(weights, [quality, length], atol=1e-6)  # six digits
    assert share == pytest.approx(accuracy, abs=5.1e-4)  # three digits


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
    with pytest.raises(ValueError, match=r"^scene: expected one of loss, shift, .*, training, optimising, got 'los'$"):
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
