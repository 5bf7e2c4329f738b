"""Numbers that the prose of lessons 3 and 4 quotes and that none of their cells prints."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from students import best_margin, nats, sigma

import bradley_terry as bt
from bradley_terry.course import notebooks


@cache
def prose(name: str) -> str:
    cells = json.loads((notebooks.originals() / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return " ".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def shown(name: str, sentence: str, *values: float) -> None:
    """Assert that the lesson says this sentence, with the values in place of the braces, rounded as it says them."""
    assert sentence.format(*values) in prose(name)


def test_the_paper_problem_of_lesson_3() -> None:
    """The margin stays 1.5 under 10 and under f(prompt) = −3; 0.05 for each word makes it −0.5."""
    a, b = 2.0, 0.5
    name = "03_shift_invariance"
    shown(name, "It is {} now", a - b)
    shown(name, "After adding 10 it is {} − {} = {}", a + 10, b + 10, (a + 10) - (b + 10))
    words = (0.05 * 20, 0.05 * 60)
    said = f"({a} + {words[0]}) − ({b} + {words[1]}) = {(a + words[0]) - (b + words[1])}".replace("= -", "= −")
    shown(name, "After adding 0.05 for each word it is " + said)


def test_the_loss_of_the_six_pairs_is_lowest_near_1_2_and_comes_back_near_1_5() -> None:
    """Lesson 3 says so about the slider's second task."""
    z = np.array([3.81 - 2.40, 3.81 - 0.90, 2.40 - 0.90, 2.82 - 2.10, 2.82 - 1.00, 1.00 - 2.10])
    factors = np.arange(0.5, 2.0, 0.001)
    losses = np.array([nats(factor * z).mean() for factor in factors])
    assert factors[losses.argmin()] == pytest.approx(1.2, abs=0.05)
    back = factors[factors > 1.2][np.abs(losses[factors > 1.2] - nats(z).mean()).argmin()]
    assert back == pytest.approx(1.5, abs=0.05)
    assert "lowest near α = 1.2, and near α = 1.5" in prose("03_shift_invariance")


def test_what_each_loss_asks_for_in_lesson_4() -> None:
    """The minimisers of the three losses at p = 0.6, 0.8 and 0.95 are those of the solution and of the figure."""
    name = "04_confidence_and_loss"
    ours, hinge, target = (
        [best_margin(loss, p) for p in (0.6, 0.8, 0.95)]
        for loss in (nats, lambda z: np.maximum(0, 1 - z), lambda z: nats(z - 1))
    )
    shown(
        name,
        "it returns {:.3f}, {:.3f}, {:.3f} for ours; {:.0f}, {:.0f}, {:.0f} for the hinge; and {:.3f}, {:.3f}, {:.3f} "
        "for the target margin",
        *ours, *hinge, *target,
    )  # fmt: skip
    shown(name, "for p = 0.8 it is at {:.2f}, where σ is {:.2f}", target[1], sigma(target[1]))


def test_the_best_margin_of_a_target_margin_tells_the_odds() -> None:
    """With a target margin of 1, the ratio of the two pulls at the best margin is p/(1 − p), as the solution says."""
    for p in (0.6, 0.8, 0.95):
        best = best_margin(lambda z: nats(z - 1), p)
        assert sigma(1 + best) / sigma(1 - best) == pytest.approx(p / (1 - p), rel=1e-3)  # found on a grid
    shown("04_confidence_and_loss", "are σ(1 + Δ)/σ(1 − Δ), which is {:.0f} at Δ = 2.154", sigma(3.154) / sigma(-1.154))


def test_a_number_that_differs_within_a_pair_changes_the_gradient() -> None:
    """A bonus for length changes the loss and gradient of a table; a number for each prompt does not."""
    assert "and with it the probability, the loss, its slope −σ(−Δ) and the gradient" in prose("03_shift_invariance")
    objective = bt.Objective(bt.TableScorer(4), bt.PreferencePairs([0, 2], [1, 3]))  # two prompts with two answers
    rewards = np.array([2.0, 0.5, -1.0, 0.3])
    loss, gradient = objective(rewards)
    by_prompt, by_length = (objective(rewards + shift) for shift in ([10, 10, -3, -3], [1, 3, 2, 0.5]))
    assert by_prompt[0] == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(by_prompt[1], gradient, rtol=1e-12)
    assert abs(by_length[0] - loss) > 0.05
    assert np.abs(by_length[1] - gradient).max() > 0.01


def test_the_paper_problem_of_lesson_4() -> None:
    """Of three predictions for a share of 0.8, the true one costs least."""
    costs = [-0.8 * np.log(q) - 0.2 * np.log(1 - q) for q in (0.5, 0.8, 0.99)]
    assert costs[1] == min(costs)
    shown("04_confidence_and_loss", "{:.3f}; then 0.8 · 0.223 + 0.2 · 1.609 = {:.3f}; then", *costs[:2])
    shown("04_confidence_and_loss", "0.8 · 0.010 + 0.2 · 4.605 = {:.3f}", costs[2])


def test_what_nine_right_pairs_save_and_the_wrong_one_costs() -> None:
    """From q = 0.7 to 0.99."""
    saved, paid = -np.log(0.7) + np.log(0.99), -np.log(0.01) + np.log(0.3)
    shown(
        "04_confidence_and_loss",
        "save 9 · {:.3f} = {:.2f}, but the wrong one costs {:.2f} more",
        saved,
        9 * saved,
        paid,
    )
