"""The questions at the start of the lessons: every option has a reply, and every number in a reply is true."""

from __future__ import annotations

import re

import numpy as np
import pytest
from students import nats, plackett_luce, sigma

import bradley_terry as bt
from bradley_terry.course import check, sliders
from bradley_terry.course.predictions import PREDICTIONS
from bradley_terry.gradient_check.diagnosis import wrong_gradients


def test_every_question_has_three_choices_and_a_reply_to_each() -> None:
    """The letters are the same, and no two choices or replies are equal."""
    for number, asked in PREDICTIONS.items():
        assert re.fullmatch(r"(0[1-9]|1[0-2])\.[1-9]", number)
        assert asked.question.endswith("?")
        assert list(asked.choices) == list(asked.options) == ["a", "b", "c"]
        assert asked.right in asked.choices
        assert len(set(asked.choices.values())) == len(set(asked.options.values())) == 3
        assert all(text.endswith(".") for text in (*asked.choices.values(), *asked.options.values()))


def test_the_right_reply_alone_begins_with_yes() -> None:
    """The others begin with No."""
    for number, asked in PREDICTIONS.items():
        assert [letter for letter, reply in asked.options.items() if reply.startswith("Yes")] == [asked.right], number
        for letter, reply in asked.options.items():
            if letter != asked.right:
                assert reply.startswith("No. "), (number, letter)


@pytest.mark.parametrize("number", PREDICTIONS)
def test_a_guess_is_answered(number) -> None:
    """As expected or a surprise, with the reply, for small and capital letters; an error if there is no such letter."""
    asked = PREDICTIONS[number]
    for letter in "abc":
        for said in (letter, f" {letter.upper()} "):
            report = check.prediction(number, said)
            assert report.status == ("as expected" if letter == asked.right else "a surprise")
            assert report.passed == (letter == asked.right)
            assert report.message == asked.options[letter]
            assert repr(report).startswith(f"prediction {number}: {report.status}\n")
    assert check.prediction(number, None).status == "not attempted"
    for nothing in ("d", "", "ab", 1, 0.5, ["a"]):
        report = check.prediction(number, nothing)
        assert report.status == "error"
        assert report.message == f"expected one of 'a', 'b', 'c', got {nothing!r}"


def test_an_unknown_question_is_our_error() -> None:
    """The number of the question comes from the lesson, not from the student."""
    for question in ([], {}, None, 1.1, np.zeros(2)):
        with pytest.raises(ValueError, match=r"^question: expected one of 01\.1, 02\.1, .*, got "):
            check.prediction(question, "a")
    with pytest.raises(ValueError, match=r"^question: expected one of 01\.1, 02\.1, .*, got '99\.9'$"):
        check.prediction("99.9", "a")


P, ROUNDING = 0.8, np.finfo(np.float64).eps / 2
HARD, EASY = -np.log(0.99), -np.log(0.7)  # nats of a right prediction with probability 0.99 and 0.7
LIMIT_64, LIMIT_32 = np.log(np.finfo(np.float64).max), np.log(float(np.finfo(np.float32).max))


def with_target_margin() -> float:
    """Return the best margin if all choices, 7 of a and 3 of b, have the target margin 1."""
    z = np.linspace(0, 4, 4001)
    return float(z[np.argmin(0.7 * nats(z - 1) + 0.3 * nats(-z - 1))])


def over_optimised(n_pairs: int = 2000, seed: int = 0) -> tuple[float, float]:
    """12.1: return the highest true gain, and the share of fresh pairs in the right order.

    The answers are (quality, length) ~ N(0, I), the true reward is quality + 0.6·length − 0.3·length², and a linear
    reward is fitted to choices by Newton's method.
    """
    rng = np.random.default_rng(seed)

    def true(y):
        return y[:, 0] + 0.6 * y[:, 1] - 0.3 * y[:, 1] ** 2

    a, b = rng.normal(size=(2, n_pairs, 2))
    won = rng.random(n_pairs) < sigma(true(a) - true(b))
    x, w = np.where(won[:, None], a - b, b - a), np.zeros(2)
    for _ in range(20):
        p = sigma(x @ w)
        w = w + np.linalg.solve((x.T * (p * (1 - p))) @ x, x.T @ (1 - p))
    q, length = np.sqrt(2) * w / np.linalg.norm(w)
    slope, bend = q + 0.6 * length, 0.3 * length**2
    a, b = np.random.default_rng(1).normal(size=(2, 100_000, 2))
    return slope**2 / (4 * bend), np.mean(((a - b) @ w > 0) == (true(a) > true(b)))


HIGHEST, SAME_ORDER = over_optimised()

NUMBERS: dict[str, dict[str, float]] = {
    "01.1": {
        "1": 2.0 - 1.0,
        "2": 4.0 - 2.0,
        "0.731": sigma(1.0),
        "1.46": 2 * sigma(1.0),
        "0.881": sigma(2.0),
    },
    "02.1": {
        "1": 2 - 1,
        "0.1": 0.1,
        "0.3": nats(1.0),
        "2.25": -np.log(np.expm1(0.1)),  # the margin whose loss is 0.1
        "0.731": sigma(1.0),
        "0.313": nats(1.0),
    },
    "03.1": {
        "3.81": 3.81,
        "2.82": 2.82,
        "2": 2,
        "1.81": 3.81 - 2,
        "0.99": 3.81 - 2.82,
        "0.73": sigma(3.81 - 2.82),
    },
    "03.2": {"10": 10},
    "04.1": {
        "0.441": 0.9 * EASY - 0.1 * np.log(1 - 0.7),
        "0.470": 0.9 * HARD - 0.1 * np.log(1 - 0.99),
        "0.35": EASY - HARD,
        "4.6": -np.log(1 - 0.99),
        "4.61": -np.log(1 - 0.99),
        "1.20": -np.log(1 - 0.7),
    },
    "05.1": {
        "0": -np.log(1.0),
        "20": 100 * (1 - P),
        "0.8": P,
        "0.2": 1 - P,
        "0.223": -np.log(P),
        "1.609": -np.log(1 - P),
        "0.500": -P * np.log(P) - (1 - P) * np.log(1 - P),
    },
    "06.1": {},
    "07.1": {"0": 0, "1e-16": ROUNDING, "1e-12": 1e-12, "1e-4": ROUNDING / 1e-12},
    "08.1": {},
    "09.1": {
        "709": np.floor(LIMIT_64),
        "3.4e38": float(np.finfo(np.float32).max),
        "88.7": LIMIT_32,
        "88.73": np.ceil(100 * LIMIT_32) / 100,
        "89": LIMIT_32,
        "100": nats(-100.0),
    },
    "10.1": {
        "2": 2,
        "200": 200,
        "20": 20,
        "1": 1,
        "0": 0,
        "0.693": np.log(2),
        "0.64": np.log(2) - 20 / (2 * 200),
        "0.0025": 1 / (2 * 200),
        "0.05": 20 / (2 * 200),
    },
    "11.1": {
        "7": 7,
        "3": 10 - 7,
        "1": 1,
        "0.85": np.log(0.7 / 0.3),
        "1.43": with_target_margin(),
        "1.85": np.log(0.7 / 0.3) + 1,
    },
    "11.2": {
        "0.721": plackett_luce(np.array([2.0, 1.0, 0.0])),
        "0.753": nats(1.0) + nats(1.0) + nats(2.0),
    },
    "12.1": {"4.08": HIGHEST, "92": 100 * SAME_ORDER},
}


@pytest.mark.parametrize("number", PREDICTIONS)
def test_every_number_in_a_choice_or_reply_is_true(number) -> None:
    """Each number is computed here and rounds to what is printed, and no number is left out."""
    asked = PREDICTIONS[number]
    text = " ".join([*asked.choices.values(), *asked.options.values()]).replace("float32", "").replace("float64", "")
    printed = re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?", text)
    assert set(printed) == set(NUMBERS[number])
    for literal, value in NUMBERS[number].items():
        mantissa, _, exponent = literal.partition("e")
        rounded = f"{value:.{len(mantissa.partition('.')[2])}{'e' if exponent else 'f'}}"
        assert float(rounded) == float(literal), literal


def test_doubled_rewards_square_the_odds() -> None:
    """01.1: with twice the margin, the odds are squared."""
    assert sigma(2.0) / sigma(-2.0) == pytest.approx((sigma(1.0) / sigma(-1.0)) ** 2)


def test_only_a_shift_that_depends_on_the_answer_changes_a_loss() -> None:
    """03.1: −2 for one prompt changes no loss; 03.2: neither does 10 or f(prompt), but f(length) does."""
    rng = np.random.default_rng(3)
    chosen, rejected, of_prompt = rng.normal(size=(3, 50))
    before = nats(chosen - rejected)
    for shift in (10.0, of_prompt, np.where(np.arange(50) < 25, -2.0, 0.0)):
        assert nats((chosen + shift) - (rejected + shift)) == pytest.approx(before)
    lengths = rng.integers(5, 200, (2, 50))
    after = nats((chosen + 0.01 * lengths[0]) - (rejected + 0.01 * lengths[1]))
    assert np.array_equal(np.isclose(after, before), lengths[0] == lengths[1])


def test_a_pair_in_the_right_order_costs_almost_half_as_much_as_equal_rewards() -> None:
    """02.1: 0.313 is 45 % of 0.693, and a loss below 0.1 needs a margin above 2.25."""
    assert nats(1.0) / nats(0.0) == pytest.approx(0.45, abs=0.005)
    assert nats(2.25) > 0.1 > nats(2.26)


def test_the_entropy_is_the_smallest_expected_loss() -> None:
    """05.1: of all predictions, 0.8 has the smallest expected loss, 0.500."""
    q = np.linspace(0.001, 0.999, 999)
    costs = -P * np.log(q) - (1 - P) * np.log(1 - q)
    assert q[costs.argmin()] == pytest.approx(0.8)
    assert costs.min() == pytest.approx(0.500, abs=5e-4)


def test_a_step_of_1e_12_is_some_ten_million_times_worse() -> None:
    """07.1: the median error of central differences of the loss grows by a factor of about ten million."""
    z = np.random.default_rng(7).normal(size=200)
    error = {h: np.median(np.abs((nats(z + h) - nats(z - h)) / (2 * h) + sigma(-z))) for h in (1e-5, 1e-12)}
    assert 1e6 < error[1e-12] / error[1e-5] < 1e8


def test_the_v_of_lesson_7_is_as_its_text_says() -> None:
    """The error is about 1e-12 at h = 1e-5 and about 1e-5 at 1e-12, and a float32 rounds 500 million times more."""
    sweep = sliders.lesson_sweep()
    near = {h: np.median(sweep.errors[np.abs(np.log10(sweep.steps / h)) < 0.6]) for h in (1e-5, 1e-12)}
    assert 2e-13 < near[1e-5] < 5e-12
    assert 3e-6 < near[1e-12] < 3e-5
    assert 1e6 < near[1e-12] / near[1e-5] < 1e8
    assert float(np.finfo(np.float32).eps) / np.finfo(np.float64).eps == pytest.approx(5e8, rel=0.1)


def test_the_two_questions_of_play_in_lesson_7_have_these_answers() -> None:
    """From −2 to −4 the error becomes 10,000 times smaller, from −8 to −12 about 3,000 times as large.

    Among the steps of the slider, four in each decade, 1e-5 has the smallest error, 8e-13.
    """
    sweep = sliders.lesson_sweep()
    error = {round(float(np.log10(h)), 2): e for h, e in zip(sweep.steps, sweep.errors, strict=True)}
    assert error[-2] / error[-4] == pytest.approx(1e4, rel=0.02)
    assert error[-12] / error[-8] == pytest.approx(3000, rel=0.05)
    exponents = np.arange(-13, 0.25, 0.25)
    assert min(exponents, key=lambda x: error[round(float(x), 2)]) == -5
    assert f"{error[-5]:.0e}" == "8e-13"
    assert 2 * np.cbrt(np.finfo(np.float64).eps) > 1e-5


def test_what_a_right_and_a_wrong_gradient_of_lesson_7_are_off_by() -> None:
    """A right one typically by 1e-10 of an entry or less, with h = 6e-6; the wrong ones at w by 1 % or more."""
    rng, h, off = np.random.default_rng(7), 6e-6, []
    true_weights = np.array([1.0, -1.0, 0.5])
    a, b = np.random.default_rng(0).normal(size=(2, 60, 3))
    a_wins = bt.sample_preferences(a @ true_weights, b @ true_weights, np.random.default_rng(0))[:, None]
    pairs = bt.PreferencePairs(np.where(a_wins, a, b), np.where(a_wins, b, a))
    linear = bt.Objective(bt.LinearScorer(3), pairs, backend="numpy")
    for w in rng.normal(size=(60, 3)):
        central = [(linear(w + h * e)[0] - linear(w - h * e)[0]) / (2 * h) for e in np.eye(3)]
        off += list(np.abs(central / linear(w)[1] - 1))
    assert np.median(off) < 1e-10
    w = np.array([0.5, -0.5, 1.0])
    for _, wrong in wrong_gradients(linear, w):
        assert np.abs(wrong / linear(w)[1] - 1).max() > 0.01


@pytest.mark.full
def test_zero_parameters_hide_ten_wrong_gradients_of_a_network() -> None:
    """07: at zero all of ten wrong gradients of an MLP pass, even with a flipped sign. At random parameters none do."""
    rng = np.random.default_rng(7)
    network = bt.Objective(bt.MLPScorer(3, 4), bt.PreferencePairs(*rng.normal(size=(2, 30, 3))), backend="numpy")
    for phi, n_passed in ((np.zeros(20), 10), (rng.normal(size=20), 0)):
        wrong = [gradient for _, gradient in wrong_gradients(network, phi)][:10]
        reports = [bt.check_gradient(lambda at, g=g: (network(at)[0], g), phi) for g in wrong]
        assert sum(report.passed for report in reports) == n_passed


def test_more_choices_do_not_help_a_straight_line() -> None:
    """08.1: fitted to 600 and to 6,000 choices, its gap to the best possible loss is the same to 2 %."""
    rng, lost = np.random.default_rng(8), []
    fresh_a, fresh_b = rng.uniform(-2, 2, size=(2, 20_000))
    for n in (600, 6000):
        a, b = rng.uniform(-2, 2, size=(2, n))
        d = np.where(rng.random(n) < sigma(b**2 - a**2), a - b, b - a)
        w = 0.0
        for _ in range(200):
            w += np.mean(sigma(-w * d) * d)
        p = sigma(fresh_b**2 - fresh_a**2)
        z = w * (fresh_a - fresh_b)
        lost.append(np.mean(p * nats(z) + (1 - p) * nats(-z) + p * np.log(p) + (1 - p) * np.log(1 - p)))
    assert lost[1] == pytest.approx(lost[0], rel=0.02)


def test_coin_flips_are_fitted_by_k_over_2n() -> None:
    """10.1: over 40 sets of 200 coin flips with 20 features, the smallest loss rounds to 0.64."""
    rng, least = np.random.default_rng(10), []
    for _ in range(40):
        d, w = rng.normal(size=(200, 20)), np.zeros(20)
        for _ in range(12):  # Newton's method
            p = sigma(d @ w)
            w += np.linalg.solve(d.T @ (d * (p * (1 - p))[:, None]), (1 - p) @ d)
        least.append(nats(d @ w).mean())
    assert np.mean(least) == pytest.approx(np.log(2) - 0.05, abs=0.006)
    assert f"{np.mean(least):.2f}" == "0.64"


def test_pulls_at_the_smallest_loss_are_unequal_and_cancel() -> None:
    """06.1: the pulls on the one weight add up to zero, and range from almost none to almost full force."""
    rng = np.random.default_rng(6)
    d = rng.normal(1.5, 1.5, 400)
    w = 0.0
    for _ in range(2000):
        w += 0.2 * np.mean(sigma(-w * d) * d)
    pulls = sigma(-w * d)
    assert abs(np.mean(pulls * d)) < 1e-12
    assert pulls.min() < 0.1
    assert pulls.max() > 0.8


def test_exp_ends_at_88_73_in_float32_and_at_709_8_in_float64() -> None:
    """09.1: the result would be 89, but exp is infinite on the way to it."""
    with np.errstate(over="ignore"):
        assert np.isfinite(np.exp(np.float32(88.72)))
        assert np.isinf(np.log(1 + np.exp(np.float32(88.73))))
        assert np.isfinite(np.exp(np.float64(709.78)))
        assert np.isinf(np.exp(np.float64(709.79)))
    assert np.logaddexp(np.float32(0), np.float32(89)) == 89
