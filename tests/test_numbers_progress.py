"""Long work says how far it is, and claims to know the remaining time only where it does."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.fitting import progress


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:  # noqa: D102
        return True


@pytest.fixture
def pairs() -> bt.PreferencePairs:
    rng = np.random.default_rng(0)
    return bt.PreferencePairs(rng.normal(size=(40, 2)), rng.normal(size=(40, 2)))


def shown_by(work, capsys) -> str:
    capsys.readouterr()
    work()
    return capsys.readouterr().err


def test_newton_shows_its_limit_but_no_remaining_time(pairs, capsys) -> None:
    """It stops after a number of steps that nobody knows; "0/100" would promise a hundred."""
    shown = shown_by(lambda: bt.fit(bt.LinearScorer(2), pairs, progress=True), capsys)
    assert "newton, at most 100 steps" in shown
    assert "/100" not in shown
    assert "%" not in shown


@pytest.mark.parametrize(("method", "unit"), [("adam", "passes"), ("gradient_descent", "steps")])
def test_descent_says_that_its_limit_is_one(pairs, capsys, method, unit) -> None:
    """Its bar counts to the limit, so the remaining time is the longest it can take."""
    work = {"method": method, "max_steps": 3, "progress": True, "standardise": False}
    shown = shown_by(lambda: bt.fit(bt.MLPScorer(2, 2), pairs, **work), capsys)
    assert f"{method}, at most 3 {unit}" in shown
    assert "/3" in shown


def test_a_bootstrap_knows_how_long_it_is(pairs, capsys) -> None:
    """All resamples are fitted, so its bar is a share of the whole."""
    model = bt.fit(bt.LinearScorer(2), pairs)
    shown = shown_by(lambda: model.standard_errors(kind="bootstrap", n_bootstrap=7, progress=True), capsys)
    assert "bootstrap:" in shown
    assert "/7" in shown
    assert "at most" not in shown


def csv_of(tmp_path):
    path = tmp_path / "games.csv"
    path.write_text("winner,loser\n" + "Ann,Bob\nBob,Ann\n" * 20, encoding="utf-8")
    return path


LONG = {
    "evaluate": (lambda pairs, path: bt.fit(bt.LinearScorer(2), pairs).evaluate(pairs), "resamples of the prompts"),
    "margins": (lambda pairs, path: bt.evaluate(bt.LinearScorer(2), [1.0, 2.0], pairs), "margins"),
    "load_pairs": (lambda pairs, path: bt.load_pairs(path), "rows read"),
    "load_rankings": (lambda pairs, path: bt.load_rankings(path), "rows read"),
}


@pytest.mark.parametrize("name", LONG)
def test_long_work_shows_a_bar_where_a_person_is_watching(name, pairs, tmp_path, monkeypatch) -> None:
    """After two seconds, on a terminal; the bar is gone at the end. Nothing is shown in a pipe or a file."""
    work, words = LONG[name]
    path = csv_of(tmp_path)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr(sys, "stderr", Screen())
    work(pairs, path)
    assert words in sys.stderr.getvalue()
    assert sys.stderr.getvalue().endswith("\r")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    work(pairs, path)
    assert sys.stderr.getvalue() == ""
    monkeypatch.setattr(sys, "stderr", None)
    work(pairs, path)


def test_short_work_shows_nothing(pairs, tmp_path, monkeypatch) -> None:
    """A bar that flashes for a moment helps nobody."""
    monkeypatch.setattr(sys, "stderr", Screen())
    for work, _ in LONG.values():
        work(pairs, csv_of(tmp_path))
    assert sys.stderr.getvalue() == ""
