"""Lessons 1 and 2: the numbers in their text that no cell prints, and what their text may and may not give away."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from students import nats, sigma

from bradley_terry.course import notebooks


def prose(number: str) -> str:
    """Return the text of a lesson, its lines joined by single spaces."""
    (path,) = notebooks.originals().glob(f"{number}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return " ".join(" ".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown").split())


def at_the_margin(p: float) -> str:
    return f"{np.log(p / (1 - p)):.1f}"


QUOTED: list[tuple[str, str, tuple[object, ...]]] = [
    ("01", "from 1 to 2 and the probability from {:.3f} to {:.3f}.", (sigma(1.0), sigma(2.0))),
    ("01", "A margin of {} means three times out of four, and {} means nine",
     (at_the_margin(3 / 4), at_the_margin(0.9))),
    ("01", "Use $e^{{2.0}}={:.2f}$ and $e^{{-0.2}}={:.2f}$", (np.exp(2.0), np.exp(-0.2))),
    ("01", "The share is 7.39/(7.39 + 0.82) = {:.2f}.", (7.39 / (7.39 + 0.82),)),
    ("01", "9 · 9 = {:.0f} to 1, so $\\Pr(a\\succ c)=81/82={:.3f}$", (0.9 / 0.1 * 0.9 / 0.1, sigma(2 * np.log(9)))),
    ("01", "2 against 1 gives {:.3f}, but 7 against 6 gives {:.3f}", (2 / (2 + 1), 7 / (7 + 6))),
    ("01", "Each share has a standard error of up to {:.2f}", (np.sqrt(0.5 * 0.5 / 50),)),  # four groups of 50
    ("01", "means odds of {:.1f} to 1", (np.exp(1.0),)),
    ("01", "At a margin of 1, about {:.0f} of 100 people", (100 * sigma(-1.0),)),
    ("01", "Margins of 0, 1, 2 and 3 mean probabilities of {:.1f}, {:.3f}, {:.3f} and {:.3f}",
     tuple(map(sigma, (0.0, 1.0, 2.0, 3.0)))),
    ("01", "σ(2.2) = {:.3f}, or odds of {:.0f} to 1", (sigma(2.2), np.exp(2.2))),
    ("02", "From −2 to −3 the loss grows by {:.2f}", (nats(-3.0) - nats(-2.0),)),
    ("02", "From 2 to 3 it shrinks by only {:.2f}", (nats(2.0) - nats(3.0),)),
    ("02", "The likelihood is 0.9 · 0.5 · 0.8 = {:.2f}, and −log 0.36 = {:.3f}", (0.9 * 0.5 * 0.8, -np.log(0.36))),
    ("02", "the choices cost {:.3f}, {:.3f} and {:.3f}. Their sum is again 1.022", tuple(-np.log([0.9, 0.5, 0.8]))),
    ("02", "The mean is {:.3f}.", (-np.log(0.36) / 3,)),
    ("02", "costs {:.3f}: the order is right, but the model gave this choice a probability of only {:.3f}.",
     (nats(1.0), sigma(1.0))),
    ("02", "at a margin of log 9 = {:.3f}. The loss falls from log 2 to {:.3f}",
     (np.log(9), 0.9 * nats(np.log(9)) + 0.1 * nats(-np.log(9)))),
    ("02", "A margin of 0.01 means a probability of {:.4f}", (sigma(0.01),)),
    ("02", "The margins are 1.7 and 1.5, so the pairs cost {:.3f} and {:.3f}.", (nats(3.2 - 1.5), nats(-0.5 - -2.0))),
]  # fmt: skip


@pytest.mark.parametrize(("number", "sentence", "values"), QUOTED)
def test_numbers_in_the_text_are_computed_here(number, sentence, values) -> None:
    """The sentence is in the lesson with these numbers."""
    assert sentence.format(*values) in prose(number)


def test_the_book_is_named_once_and_only_in_lesson_1() -> None:
    """Elsewhere it is “the book”."""
    counts = {path.name[:2]: prose(path.name[:2]).count("Foundations of Large Language Models") for path in
              notebooks.lessons(notebooks.originals())}  # fmt: skip
    assert counts.pop("01") == 1
    assert set(counts.values()) == {0}


def test_lesson_2_does_not_give_the_slope_away() -> None:
    """Its formula is the answer of exercise 2, so it is found only in folded text; the bare slope is a number."""
    open_text = re.sub(r"<details>.*?</details>", " ", prose("02"))
    assert "−σ(−Δ)" not in open_text
    assert r"-\sigma(-\Delta)" not in open_text
    assert r"\ell'" not in open_text
