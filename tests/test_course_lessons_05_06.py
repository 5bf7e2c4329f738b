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
    assert "so 0.86 is ten standard errors above the ceiling. Even if the 5,000 pairs came from only 500" in EXPECTED
    assert "it would still be three standard errors above." in EXPECTED
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


def test_the_sampled_loss_is_a_little_more_than_two_standard_errors_below_the_exact_one() -> None:
    """One loss is .105 or 2.303, with 8 and 2 cases in 10; 10,000 of them have the standard error .0088."""
    assert "0.020 below the exact 0.545, a little more than two standard errors" in EXPECTED
    error = np.sqrt(0.8 * 0.2) * (np.log(0.9) - np.log(0.1)) / np.sqrt(10_000)
    assert 2 < 0.020 / error < 2.5


def test_flipped_labels_shrink_the_margin_raise_the_floor_and_lower_the_accuracy() -> None:
    """The share .95 looks like .86 if a tenth of the labels is flipped; the sign of the best margin stays."""

    def flipped(p, epsilon):
        return (1 - epsilon) * p + epsilon * (1 - p)

    def entropy(p):
        return p * nats(np.log(p / (1 - p))) + (1 - p) * nats(-np.log(p / (1 - p)))

    p = np.linspace(0.01, 0.49, 25)
    for share in (p, 1 - p):
        for epsilon in (0.05, 0.2, 0.45):
            seen = flipped(share, epsilon)
            assert seen == pytest.approx(0.5 + (1 - 2 * epsilon) * (share - 0.5))
            assert np.all(np.sign(seen - 0.5) == np.sign(share - 0.5))
            assert np.all(np.abs(seen - 0.5) < np.abs(share - 0.5))
            assert np.all(entropy(seen) > entropy(share))
    seen = flipped(0.95, 0.1)
    assert (
        f"Then p′ = {seen:.2f}. The best margin falls from {np.log(19):.2f} to {np.log(seen / (1 - seen)):.2f}"
        in EXPECTED
    )
    assert f"rises from {entropy(0.95):.3f} to {entropy(seen):.3f}" in EXPECTED
    truth = np.random.default_rng(0).random((2, 200_000)) < [[0.95], [0.1]]  # right about the choice; label flipped
    assert np.mean(truth[0] ^ truth[1]) == pytest.approx(seen, abs=4 * np.sqrt(seen * (1 - seen) / 200_000))
    assert f"an accuracy of 0.95 looks like {seen:.2f}" in EXPECTED
    assert bt.losses.Robust(0.1).minimiser(seen) == pytest.approx(np.log(19))
    assert bt.losses.NoisyChoice(0.2).minimiser(seen) == pytest.approx(np.log(19))  # half of the random choices


def test_a_fitted_model_is_k_over_2n_below_the_minimum_on_its_pairs_and_k_over_2n_above_it_on_others() -> None:
    """Five weights, 1,000 pairs, 300 fits: both errors are .0025 on average, to four standard errors."""
    assert "about k/2n below $L(\\varphi^*)$, and $L(\\hat\\varphi)$ about k/2n above it" in EXPECTED
    rng, n, truth = np.random.default_rng(0), 1000, np.array([1.0, -0.5, 0.3, 0.0, 0.7])
    below, above = [], []
    for _ in range(300):
        d = rng.normal(size=(n, 5))
        d *= np.where(rng.random((n, 1)) < sigma(d @ truth)[:, None], 1, -1)
        phi = truth.copy()
        for _ in range(6):  # Newton's method, from a start near the minimum
            pulls = sigma(-d @ phi)
            phi += np.linalg.solve((d.T * (pulls * (1 - pulls))) @ d, pulls @ d)
        below.append(np.mean(nats(d @ truth) - nats(d @ phi)))  # the truth's loss on these pairs is right on average
        fresh = rng.normal(size=(4000, 5))
        right, fitted = fresh @ truth, fresh @ phi
        excess = sigma(right) * (nats(fitted) - nats(right)) + sigma(-right) * (nats(-fitted) - nats(-right))
        above.append(np.mean(excess))
    for errors in (below, above):
        assert np.mean(errors) == pytest.approx(5 / (2 * n), abs=4 * np.std(errors) / np.sqrt(300))


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


def test_the_errors_of_newtons_steps_are_roughly_squared() -> None:
    """The errors of the three steps from 0 to log 3; each is about a quarter of the square of the one before."""
    four, w, errors = np.array([1.0, 1.0, 1.0, -1.0]), 0.0, []
    for _ in range(3):
        pull = sigma(-four * w)
        w += np.mean(pull * four) / np.mean(pull * (1 - pull))
        errors.append(abs(w - np.log(3)))
    said = f"{errors[0]:.1f}, {errors[1]:.3f} and {errors[2]:.6f}"
    assert f"the errors after the three steps are {said}." in GRADIENTS
    assert errors[1] / errors[0] ** 2 == pytest.approx(0.25, abs=0.03)
    assert errors[2] / errors[1] ** 2 == pytest.approx(0.25, abs=0.01)


def test_the_sum_instead_of_the_mean_needs_a_rate_that_is_n_times_smaller() -> None:
    """The rate that brings the four people closest to log 3 in six steps is four times smaller for the sum."""
    assert "(For the *sum* of the losses, the best rate would be n times smaller.)" in GRADIENTS
    four, rates = np.array([1.0, 1.0, 1.0, -1.0]), np.geomspace(0.5, 8, 3000)

    def best_rate(combined) -> float:
        missed = []
        for rate in rates:
            w = 0.0
            for _ in range(6):
                w += rate * combined(sigma(-four * w) * four)
            missed.append(abs(w - np.log(3)))
        return float(rates[np.argmin(missed)])

    assert best_rate(np.mean) / best_rate(np.sum) == pytest.approx(4, rel=0.02)
