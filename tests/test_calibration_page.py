"""docs/after_the_fit.md prints what its examples print."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import bradley_terry as bt
from bradley_terry import calibration, losses, ranking

PAGE = Path(__file__).parent.parent / "docs" / "after_the_fit.md"


def test_the_page_prints_what_it_says() -> None:
    """Its examples run in order, and their output is that of the page."""
    result = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert result.attempted > 15
    assert result.failed == 0


def test_the_page_names_every_function_and_every_loss() -> None:
    """Each function of ``bt.calibration`` and each loss of the family is on the page."""
    text = PAGE.read_text(encoding="utf-8")
    functions = {name for name in calibration.__all__ if name[0].islower()} - {"krippendorff_alpha"}
    assert functions <= set(re.findall(r"`?(\w+)\(", text))
    names = {name for name in (*ranking.__all__, "BradleyTerry") if name != "MarginLoss" and name[0].isupper()}
    table = text.split("| loss | p(Δ) |")[1]
    assert {name for name in names if hasattr(getattr(losses, name), "value")} <= set(re.findall(r"`(\w+)", table))
    assert bt.calibration is calibration
