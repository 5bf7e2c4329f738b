"""The numbers in the prose of lessons 5 and 6 that no cell of these lessons prints."""

from __future__ import annotations

import json

import numpy as np
import pytest
from students import nats, sigma

import bradley_terry as bt
from bradley_terry.course import notebooks


def prose(name: str) -> str:
    cells = json.loads((notebooks.originals() / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return " ".join(text.split())


EXPECTED = prose("05_empirical_and_expected_loss")
GRADIENTS = prose("06_gradients_by_hand")


def test_a_result_ten_standard_errors_above_the_ceiling_is_no_luck() -> None:
    """5,000 pairs at .8 have the standard error .006; if the ten pairs of a prompt are alike, √10 times as much."""
    error = np.sqrt(0.8 * 0.2 / 5000)
    assert "√(0.8 · 0.2/5000) = 0.006" in EXPECTED
    assert f"{error:.3f}" == "0.006"
    assert (
        "so 0.86 is ten standard errors above the ceiling, and even with only 500 prompts it is still at least three"
        in EXPECTED
    )
    assert 10 < (0.86 - 0.8) / error < 11
    assert 3 < (0.86 - 0.8) / (np.sqrt(10) * error) < 4


def test_the_answer_on_paper_and_the_floor_are_right() -> None:
    """People choose a with .8 and the model says .9: .545. The entropy of .8 is .500."""
    assert "0.8 · 0.105 + 0.2 · 2.303 = 0.545" in EXPECTED
    assert f"{-0.8 * np.log(0.9) - 0.2 * np.log(0.1):.3f}" == "0.545"
    assert "−0.8 log 0.8 − 0.2 log 0.2 = 0.500" in EXPECTED
    assert -0.8 * np.log(0.8) - 0.2 * np.log(0.2) == pytest.approx(0.500402, abs=1e-6)


def test_the_accuracy_of_the_easy_and_hard_prompts_is_known_as_well_as_from_58_pairs() -> None:
    """Between prompts the variance is .25², within them .165 on average: .2275/(20·(.0625/20² + .165/(10·20²)))."""
    between, within = 0.25**2, (0.9 * 0.1 + 0.4 * 0.6) / 2
    variance = between / 20 + within / 200
    assert 0.65 * 0.35 / variance == pytest.approx(57.6, abs=0.1)
    assert "tell you only as much as 59 independent ones" in EXPECTED  # 4,000 simulated tests; 2 % of noise
    assert np.sqrt(variance / (0.65 * 0.35 / 200)) == pytest.approx(1.86, abs=0.01)  # "almost twice as wide"


def test_a_pair_that_is_twice_as_wrong_pulls_five_per_cent_harder() -> None:
    """σ(6)/σ(3) = 1.047; the pull is ¼ at log 3 = 1.1."""
    assert "a pair that is twice as wrong pulls only 5 % harder" in GRADIENTS
    assert sigma(6.0) / sigma(3.0) == pytest.approx(1.047, abs=5e-4)
    assert "It is ¼ near Δ = 1.1" in GRADIENTS
    assert sigma(-np.log(3)) == pytest.approx(0.25)
    assert np.log(3) == pytest.approx(1.1, abs=0.01)


def test_a_tenth_of_a_reward_changes_the_loss_by_a_tenth_of_its_slope() -> None:
    """At rewards 2.0 and 0.5 the slope is -.182; the true changes for ±.1 are -.0175 and +.0190."""
    assert "By −0.018, because the margin rises by 0.1. By +0.018" in GRADIENTS
    assert f"{-0.1 * sigma(-1.5):.3f}" == "-0.018"
    for change in (0.1, -0.1):  # the curvature adds 0.1²/2 · 0.149 = 0.0007
        assert nats(1.5 + change) - nats(1.5) == pytest.approx(-change * sigma(-1.5), abs=1e-3)


def test_batches_of_64_have_the_noise_that_the_answer_expects() -> None:
    """One loss of the fitted travel model has the standard deviation .57, so that of 64 has .07."""
    travel = bt.datasets.travel_modes()
    phi = bt.fit(bt.LinearScorer(6), travel).phi
    spread = nats((travel.chosen - travel.rejected) @ phi).std()
    assert "each with a standard deviation of perhaps 0.6, so its standard error is 0.6/√64 = 0.075" in GRADIENTS
    assert spread == pytest.approx(0.6, abs=0.05)
    assert 0.6 / np.sqrt(64) == 0.075
