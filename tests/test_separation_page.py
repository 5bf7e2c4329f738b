"""The page about fits without a minimum."""

from __future__ import annotations

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "no_finite_fit.md"


def test_the_examples_of_the_page_print_what_it_says() -> None:
    """Every example of docs/no_finite_fit.md is run."""
    result = doctest.testfile(
        str(PAGE), module_relative=False, encoding="utf-8", optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert result.attempted > 8
    assert not result.failed
