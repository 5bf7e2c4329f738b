"""Lesson 12: the numbers that it quotes, computed in another way, and its slider, plot and figure."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from drawn import drawn, words
from students import best_beta, nats_away, tilted

from bradley_terry.course import check, figures, notebooks, plots, predictions, sliders
from bradley_terry.course.exercises import optimisation
from bradley_terry.drawing import figure_of
from bradley_terry.intervals.proportions import wilson_intervals

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)  # exact for polynomials up to degree 79 under N(0, 1)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@pytest.fixture(scope="module")
def data() -> figures.OverOptimisation:
    return figures.over_optimisation_data()


@pytest.fixture(scope="module")
def lesson() -> dict[str, str]:
    """Return the prose and the printed numbers of the lesson as stored."""
    path = notebooks.originals() / "12_reward_models_in_rlhf.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    printed = "".join("".join(output["text"]) for output in outputs if "text" in output)
    return {"prose": prose, "printed": printed}


def expectation(f, mean=(0.0, 0.0)):
    """Return E f(quality, length) for N(mean, I), by Gauss-Hermite quadrature."""
    quality, length = np.meshgrid(NODES + mean[0], NODES + mean[1], indexing="ij")
    return float(WEIGHTS @ f(quality, length) @ WEIGHTS)


def true_reward(quality, length):
    return quality + 0.6 * length - 0.3 * length**2


# ---------------------------------------------------------------------------------------------------- known values


def test_the_best_distance_and_the_highest_gain_are_those_of_the_fit() -> None:
    """With 200, 2,000 and 20,000 choices, d* is 3.94, 4.95, 5.16 and the peak 3.23, 4.08, 4.25."""
    for n_pairs, at, height in ((200, 3.94, 3.23), (2000, 4.95, 4.08), (20_000, 5.16, 4.25)):
        data = figures.over_optimisation_data(n_pairs=n_pairs, n_answers=10)
        a, b = np.linalg.lstsq(data.distances[:, None] ** [1, 2], data.true_gains, rcond=None)[0] * [1, -1]
        assert (a / (2 * b), a**2 / (4 * b)) == pytest.approx((at, height), abs=0.005)


def test_a_linear_reward_under_a_kl_penalty_shifts_the_normal_distribution() -> None:
    """The density of N(0, I) times exp(w·y/β) is that of N(w/β, I) up to a factor; its KL is |w|²/(2β²)."""
    w, beta = np.array([0.99, 0.61]), 0.4
    mean = w / beta
    z = expectation(lambda q, length: np.exp((w[0] * q + w[1] * length) / beta))
    assert np.log(z) == pytest.approx(mean @ mean / 2)
    tilted_mean = expectation(lambda q, length: length * np.exp((w[0] * q + w[1] * length) / beta)) / z
    assert tilted_mean == pytest.approx(mean[1])
    # log π/π_ref = w·y/β − log Z, averaged over π
    log_ratio = expectation(lambda q, length: (w[0] * q + w[1] * length) / beta - np.log(z), mean)
    assert log_ratio == pytest.approx(mean @ mean / 2)


def test_the_true_gain_is_d_times_a_minus_b_d() -> None:
    """Quadrature over N(√2·d·u, I) gives the same gain as the formula, at any distance."""
    u = np.array([0.8, 0.6])
    a, b = np.sqrt(2) * (u[0] + 0.6 * u[1]), 0.6 * u[1] ** 2
    for d in (0.0, 0.5, 3.0, 11.0):
        gain = expectation(true_reward, np.sqrt(2) * d * u) - expectation(true_reward)
        assert gain == pytest.approx(d * (a - b * d), abs=1e-10)


def test_the_kl_of_best_of_n_is_below_its_bound() -> None:
    """Eight answers, the best with probability .45: .798 at n = 16, where the bound is 1.835.

    The probabilities of best of n are counted over all 8³ draws for n = 3.
    """
    p = np.array([0.45, 0.2, 0.1, 0.1, 0.05, 0.05, 0.03, 0.02])

    def best_of(n):
        tail = 1 - np.append(0, np.cumsum(p))
        return tail[:-1] ** n - tail[1:] ** n

    counted = np.zeros(8)
    for draw in np.ndindex(8, 8, 8):
        counted[min(draw)] += np.prod(p[list(draw)])
    np.testing.assert_allclose(best_of(3), counted)
    kl = [float(nats_away(best_of(n), p)) for n in (1, 2, 16, 100)]
    assert f"{kl[2]:.3f}, {np.log(16) - 15 / 16:.3f}" == "0.798, 1.835"
    assert all(value <= np.log(n) - (n - 1) / n + 1e-12 for value, n in zip(kl, (1, 2, 16, 100), strict=True))


def test_two_answers_with_rewards_one_and_zero_have_a_bradley_terry_probability() -> None:
    """The paper problem: J is largest at p = σ(1) = 0.731."""
    p = np.linspace(0.001, 0.999, 999)
    j = p - p * np.log(2 * p) - (1 - p) * np.log(2 * (1 - p))
    assert p[j.argmax()] == pytest.approx(0.731)
    np.testing.assert_allclose(tilted(np.array([0.5, 0.5]), np.array([1.0, 0.0]), 1.0), [0.7310586, 0.2689414])


def test_the_tilted_policy_maximises_the_reward_with_its_penalty() -> None:
    """J(π) = β log Z − β·KL(π‖π*) for 50 random policies, so none of them is better than π*."""
    rng = np.random.default_rng(3)
    reference, rewards, beta = rng.dirichlet(np.ones(5)), rng.normal(size=5), 0.7
    best = tilted(reference, rewards, beta)
    log_z = np.log(np.sum(reference * np.exp(rewards / beta)))
    for policy in rng.dirichlet(np.ones(5), size=50):
        j = policy @ rewards - beta * nats_away(policy, reference)
        assert j == pytest.approx(beta * log_z - beta * nats_away(policy, best))


def test_a_shift_of_all_rewards_changes_z_but_not_the_tilted_policy() -> None:
    """The number cancels when the weights are divided by their sum."""
    reference, rewards = np.array([0.5, 0.3, 0.2]), np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(tilted(reference, rewards + 7.0, 0.7), tilted(reference, rewards, 0.7))


def test_the_margin_of_dpo_is_that_of_the_rewards_that_its_policy_maximises() -> None:
    """β log(π*/π_ref) is r up to one number for the prompt, β log Z, which cancels in every margin."""
    rng, beta = np.random.default_rng(5), 0.7
    reference, rewards = rng.dirichlet(np.ones(5)), rng.normal(size=5)
    implied = beta * np.log(tilted(reference, rewards, beta) / reference)
    log_z = np.log(np.sum(reference * np.exp(rewards / beta)))
    np.testing.assert_allclose(rewards - implied, beta * log_z)
    np.testing.assert_allclose(np.subtract.outer(implied, implied), np.subtract.outer(rewards, rewards), atol=1e-12)


def test_the_gap_between_proxy_and_true_reward_grows_like_d_squared(data) -> None:
    """The proxy gains a·d to within 0.2 %, so what remains is b·d²."""
    d = data.distances[1:]
    a, b = np.linalg.lstsq(data.distances[:, None] ** [1, 2], data.true_gains, rcond=None)[0] * [1, -1]
    np.testing.assert_allclose(data.proxy_gains[1:], a * d, rtol=0.002)
    np.testing.assert_allclose((data.proxy_gains - data.true_gains)[1:], b * d**2, atol=0.002 * a * d.max())


# ---------------------------------------------------------------------------------------------------- what it quotes


def test_numbers_in_the_prose_are_printed_by_a_cell(lesson) -> None:
    """The gain 4.08, d = 9.9, the coin flip at d = 5, and what λ = 0.25 costs."""
    printed = lesson["printed"]
    assert "highest true gain 4.08 at d = 4.95, none at d = 9.9" in printed
    assert re.search(r"d = 5: mean length 3\.7\d, accuracy 0\.5[01], ", printed)
    both = re.findall(r"λ = +(?:0|0\.25): accuracy (0\.\d\d), highest true gain (\d\.\d\d)", printed)
    (before, high), (after, low) = [(float(share), float(gain)) for share, gain in both]
    assert before - after == pytest.approx(0.01)
    assert 1 - low / high > 1 / 3
    assert len(set(re.findall(r"pairs: accuracy (\S+), best", printed))) == 1  # the accuracies agree


def test_the_second_world_ends_below_its_start(lesson) -> None:
    """The proxy reward always rises; the true reward rises until n = 8, and at n = 4,096 it is below n = 1."""
    rows = re.findall(r"n = +(\d+): proxy reward +(\S+), true reward +(\S+)", lesson["printed"])
    sizes, proxy, true = np.array(rows, dtype=float).T
    assert sizes.tolist() == [1, 8, 64, 4096]
    assert (np.diff(proxy) > 0).all()
    assert true[1] > true[2] > true[0] > true[3]


def test_the_model_answer_quotes_a_right_interval_and_a_right_share(lesson) -> None:
    """43 of 100 has the interval 0.34 to 0.53, and σ(2.2) is about 90 %."""
    np.testing.assert_allclose(np.ravel(wilson_intervals([0.43], [100])), [0.34, 0.53], atol=0.005)
    assert "about 0.34 to 0.53" in lesson["prose"]
    assert 1 / (1 + np.exp(-(3.4 - 1.2))) == pytest.approx(0.9, abs=0.001)


def test_every_case_of_the_book_has_a_quantity_to_look_at(lesson) -> None:
    """The section that answers the title has why, what to look at, what to do, and a table of cases."""
    head = "## The reward rises, but people like the answers less: why, what to look at, what to do"
    section = lesson["prose"].partition(head)[2].partition("\n## ")[0]
    for part in ("**Why:**", "**What to look at:**", "**What to do:**"):
        assert part in section
    cases = [[part.strip() for part in row.split("|")[1:-1]] for row in section.splitlines() if row.startswith("|")][2:]
    subjects = ("spike", "diverges", "Conflicting", "constraint", "Regulated", "Drift")
    for (case, look_at, do), subject in zip(cases, subjects, strict=True):
        assert subject in case
        assert look_at
        assert do


# ---------------------------------------------------------------------------------------------------- statistics


def test_simulated_answers_agree_with_the_formula(data) -> None:
    """Each mean of 20,000 answers is within 4 standard errors; the variance is 1 + (0.6 − 0.6·m)² + 2·0.3²."""
    d, gains = data.simulated.T
    a, b = np.linalg.lstsq(data.distances[:, None] ** [1, 2], data.true_gains, rcond=None)[0] * [1, -1]
    mean_length = d * np.sqrt(b / 0.3)
    deviation = np.sqrt(1 + (0.6 - 0.6 * mean_length) ** 2 + 2 * 0.3**2)
    assert (np.abs(gains - d * (a - b * d)) < 4 * deviation / np.sqrt(20_000)).all()
    assert deviation.max() < 5  # as the claim of the lesson says


def test_at_the_highest_gain_the_model_orders_the_answers_of_the_policy_by_chance() -> None:
    """Accuracy is 0.92 on pairs of the reference policy and falls to 0.5 at d*, for every fit.

    At d* the true reward no longer rises along the direction of the proxy.
    """
    rng = np.random.default_rng(7)
    for seed in range(5):
        data = figures.over_optimisation_data(seed=seed, n_answers=10)
        a, b = np.linalg.lstsq(data.distances[:, None] ** [1, 2], data.true_gains, rcond=None)[0] * [1, -1]
        length = np.sqrt(b / 0.3)
        w = np.array([a - 0.6 * length, length])  # √2·u
        noise = rng.normal(size=(2, 100_000, 2))
        shares = []
        for d in (0.0, a / (2 * b)):
            one, other = noise + d * w
            shares.append(np.mean(((one - other) @ w > 0) == (true_reward(*one.T) > true_reward(*other.T))))
        assert shares == pytest.approx([0.92, 0.5], abs=0.015)


def test_with_a_linear_true_reward_there_is_no_maximum() -> None:
    """With bend 0 the true gain rises as far as d goes, but 200 choices promise more than people give."""
    data = figures.over_optimisation_data(bend=0.0, n_pairs=200)
    assert (np.diff(data.true_gains) > 0).all()
    assert (data.proxy_gains[1:] > data.true_gains[1:]).all()


# ---------------------------------------------------------------------------------------------------- exercises


def cases_of_choose_beta() -> list[tuple]:
    given = []
    right = best_beta()

    def recording(*arguments):
        given.append(arguments)
        return right(*arguments)

    check.choose_beta(recording).require()
    return list({arguments[3].tobytes() + arguments[1].tobytes(): arguments for arguments in given}.values())


def test_the_best_beta_is_unique() -> None:
    """The best β leads by at least 0.02, no KL is within 0.02 of the limit, and its position in the list varies."""
    cases, places = cases_of_choose_beta(), set()
    assert len(cases) == 4
    for reference, proxy, measured, betas, max_kl in cases:
        policies = [tilted(reference, proxy, beta) for beta in betas]
        kl = np.array([nats_away(policy, reference).mean() for policy in policies])
        assert np.abs(kl - max_kl).min() > 0.02
        rewards = np.array([np.sum(policy * measured, axis=-1).mean() for policy in policies])
        second, first = np.sort(rewards[kl <= max_kl])[-2:]
        assert first - second > 0.02
        places.add(int(np.argmax(np.where(kl <= max_kl, rewards, -np.inf))))
    assert len(places) > 2


@pytest.mark.parametrize("constant", [0.001, 0.363, 0.631, 1.095])
def test_a_constant_beta_does_not_pass(constant) -> None:
    """Neither does one that is right in one of the cases."""
    assert check.choose_beta(lambda *_: constant).status == "failed"


def test_a_beta_drawn_at_random_does_not_pass() -> None:
    """The chance of four right ones is below 1e-4, and two calls must agree."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert not check.choose_beta(lambda p, r, m, betas, limit: rng.choice(betas)).passed


def test_an_answer_that_the_reference_never_gives_keeps_probability_zero() -> None:
    """So does one whose weight is smaller than any float64; and rows do not influence each other."""
    policy = optimisation._tilted(np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([[9e9, 0.0], [0.0, 1e6]]), 1.0)
    np.testing.assert_array_equal(policy, [[0, 1], [0, 1]])
    np.testing.assert_array_equal(optimisation._divergences(policy, np.array([[0.0, 1.0], [0.5, 0.5]])), [0, np.log(2)])


# ---------------------------------------------------------------------------------------------------- pictures


def test_plot_draws_both_rewards_and_marks_the_present_one() -> None:
    """The proxy is dashed; without ``now``, the highest true reward is marked, but only if it is a turning point."""
    ax = drawn("plot_proxy_and_true").ax
    assert ax.lines[0].get_linestyle() == "--"
    np.testing.assert_array_equal(ax.lines[1].get_xydata().T[1], [0.0, 1.0, 1.2, 0.6, -1.0])
    assert [line.get_xydata().tolist() for line in ax.lines[-2:]] == [[[1, 2]], [[1, 1]]]
    assert "best at" not in words(ax)
    x, proxy = np.arange(5), np.arange(5)
    assert "best at 2: 1.20" in words(plots.plot_proxy_and_true(x, proxy, [0.0, 1.0, 1.2, 0.6, -1.0]))
    assert "best at" not in words(plots.plot_proxy_and_true(x, proxy, x))
    assert plots.plot_proxy_and_true([1, 2, 4], [1, 2, 3], [1, 1, 1], of_n=True).get_xscale() == "log"


@pytest.mark.parametrize(
    ("arguments", "keywords", "words_of_error"),
    [
        (([1, 2], [1, 2, 3], [1, 2]), {}, r"proxy_rewards: expected shape \(2,\)"),
        (([1, 2], [1, 2], [1]), {}, r"true_rewards: expected shape \(2,\)"),
        (([1, 2], [1, 2], [1, 2]), {"simulated": [1, 2]}, r"simulated: expected shape \(n_points, 2\)"),
        (([2, 1], [1, 2], [1, 2]), {}, "effort: expected at least two numbers in increasing order"),
    ],
)
def test_plot_refuses_what_does_not_fit(arguments, keywords, words_of_error) -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match=words_of_error):
        plots.plot_proxy_and_true(*arguments, **keywords)


PROXY = np.array([[0.0, 2.0, 1.0, 3.0], [5.0, 4.0, 6.0, 1.0]])
TRUE = np.array([[1.0, 0.5, 9.0, -1.0], [2.0, 9.0, 0.0, 9.0]])


def test_slider_chooses_the_best_of_the_first_n() -> None:
    """By hand: with n = 1, 2, 4 the proxy rewards are 2.5, 3.5, 4.5 and the true ones 1.5, 1.25, −0.5."""
    for doublings, proxy, true in ((0, "2.50", "1.50"), (1, "3.50", "1.25"), (2, "4.50", "-0.50")):
        ax, said = sliders.draw_best_of_n(PROXY, TRUE, doublings)
        assert said == f"n = {2**doublings}: proxy reward {proxy}, true reward {true}; at n = 1 it is 1.50"
        np.testing.assert_allclose(ax.lines[1].get_ydata(), [1.5, 1.25, -0.5])
        width, height = figure_of(ax).get_size_inches()
        assert width <= 10
        assert height <= 4.4


@pytest.mark.full
def test_slider_moves_picture_and_sentence() -> None:
    """It starts at n = 1 and ends at all answers."""
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
    box = sliders.best_of_n(PROXY, TRUE)
    control, picture, sentence = box.children
    before = bytes(picture.value), sentence.value
    assert (control.min, control.max, control.value) == (0, 2, 0)
    control.value = 2
    assert bytes(picture.value) != before[0]
    assert sentence.value.startswith("n = 4: ")


def test_figure_shows_what_its_caption_says(data) -> None:
    """Left, the gain rises, falls and ends below its start; right, it only rises, as the proxy reward does."""
    caption = figures.CAPTIONS["12_over_optimisation"]
    assert "2,000 choices" in caption
    assert "20,000 simulated answers" in caption
    left, right = figures.over_optimisation_figure().axes
    (bent, straight), dashed = (ax.lines[1].get_ydata() for ax in (left, right)), left.lines[0].get_ydata()
    assert 0 < np.argmax(bent) < len(bent) - 1
    assert bent[-1] < bent[0]
    assert (np.diff(straight) > 0).all()
    assert (np.diff(dashed) > 0).all()
    np.testing.assert_array_equal(bent, data.true_gains)
    assert "best at 4.95: 4.08" in words(left)


def test_prediction_and_lesson_are_about_the_same_world(data) -> None:
    """The reply quotes the highest gain of the figure."""
    assert f"{data.true_gains.max():.2f}" in predictions.PREDICTIONS["12.1"].options["b"]
