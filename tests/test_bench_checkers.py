"""``bradley-terry bench --checkers``: forty gradients, and how often each checker is right."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bradley_terry.cli import main

from bradley_terry.bench.checkers import CHECKERS, cases


@pytest.mark.full
def test_our_check_is_right_in_every_case(capsys) -> None:
    """The others are asked only if they are installed, so nothing is claimed about them here."""
    assert main(["bench", "--checkers", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["cases"]) == 40
    assert sum(case["right"] for case in found["cases"]) == 20
    assert found["n_correct"]["bradley_terry"] == 40
    assert set(found["n_correct"]) <= set(CHECKERS)


def test_cases_are_what_they_claim() -> None:
    """Central differences with one step tell right from wrong, except where they are too coarse themselves."""
    told = 0
    for case in cases():
        gradient = np.asarray(case.function(case.phi)[1], dtype=float)
        h = 1e-6 * np.maximum(np.abs(case.phi), 1e-4)
        slopes = [
            (case.function(case.phi + step)[0] - case.function(case.phi - step)[0]) / (2 * step.sum())
            for step in np.diag(h)
        ]
        close = np.allclose(gradient, slopes, rtol=1e-5, atol=1e-8 * np.abs(slopes).max())
        told += close == case.is_right
    assert told >= 32


def test_checkers_take_no_other_options(capsys) -> None:
    """A comparison of verdicts measures no speed."""
    assert main(["bench", "--checkers", "--small"]) == 2
    assert "--checkers: expected no other options" in capsys.readouterr().err
