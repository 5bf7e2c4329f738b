"""A check that takes long shows how far it is, where a person is watching."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.gradient_check import progress


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:  # noqa: D102
        return True


class Notebook(io.StringIO):
    """The stream of a notebook, which is no terminal."""


Notebook.__module__ = "ipykernel.iostream"


def square(phi):
    return float(phi @ phi), 2 * phi


def objective(n):
    return bt.Objective(bt.LinearScorer(n), bt.PreferencePairs(*np.random.default_rng(0).normal(size=(2, 5, n))))


CHECKS = [
    (lambda: bt.check_gradient(square, np.ones(20)), "entries of the gradient"),
    (lambda: bt.check_gradient(square, np.ones(600)), "directions in phi"),
    (lambda: bt.gradient_check.check_hessian(objective(3), np.ones(3)), "columns of the Hessian"),
]


@pytest.mark.parametrize("stream", [Screen, Notebook])
@pytest.mark.parametrize(("check", "words"), CHECKS)
def test_a_long_check_shows_a_bar(check, words, stream, monkeypatch) -> None:
    """The bar is gone at the end, and the report says nothing about it."""
    monkeypatch.setattr(sys, "stderr", stream())
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    report = check()
    assert report.passed
    assert not report.warnings
    assert words in sys.stderr.getvalue()
    assert "%" in sys.stderr.getvalue()
    assert sys.stderr.getvalue().endswith("\r")


@pytest.mark.parametrize(("check", "words"), CHECKS)
def test_a_short_check_and_a_pipe_show_none(check, words, monkeypatch) -> None:
    """A terminal shows no bar at first, and a pipe or a file never."""
    assert progress.PATIENCE == 2
    monkeypatch.setattr(progress, "PATIENCE", 100.0)  # even the machine of a test may be slow
    monkeypatch.setattr(sys, "stderr", Screen())
    check()
    assert sys.stderr.getvalue() == ""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    check()
    assert sys.stderr.getvalue() == "", words
