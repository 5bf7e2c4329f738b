"""Two exercises whose answers no formula of the lesson contains: naming a mistake, and a φ chosen by hand."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from students import sigma

from bradley_terry.course import check
from bradley_terry.course.exercises.differences import GRADIENTS


def verdict_at(weights, n, *, rtol=1e-5, seed=1):
    """Make an answer to ``name_the_bug`` that asks at these weights, about n random pairs."""

    def verdict(gradient):
        chosen, rejected = np.random.default_rng(seed).normal(size=(2, n, len(weights)))
        d = chosen - rejected
        p = sigma(-(d @ np.asarray(weights)))
        known = {"a": -p @ d / n, "b": -p @ d, "c": -p @ chosen / n, "d": -(1 - p) @ d / n, "e": -np.roll(p, 1) @ d / n}
        found = gradient(weights, chosen, rejected)
        return next((letter for letter, value in known.items() if np.allclose(found, value, rtol=rtol)), "f")

    return verdict


RANDOM, ZERO = [0.7, -1.1, 0.4], [0.0, 0.0, 0.0]


def by_experiments(gradient):
    """Tell the mistakes apart by small experiments with one and two pairs, and no list of wrong gradients."""
    one, none = np.array([[1.0]]), np.array([[0.0]])
    at_zero = gradient([0.0], one, none)[0]
    if at_zero != -0.5:
        return "f"  # the sign, or the length
    if gradient([0.0], none, one)[0] != 0.5:
        return "c"
    if gradient([0.0], [[1.0], [1.0]], [[0.0], [0.0]])[0] != at_zero:
        return "b"
    with_one = gradient([1.0], one, none)[0]
    if np.isclose(with_one, -sigma(1.0)):
        return "d"
    if not np.isclose(with_one, -sigma(-1.0)):
        return "f"
    right = -(sigma(-1.0) + 3 * sigma(-3.0)) / 2
    return "a" if np.isclose(gradient([1.0], [[1.0], [3.0]], [[0.0], [0.0]])[0], right) else "e"


@pytest.mark.parametrize(
    "function", [verdict_at(RANDOM, 4), by_experiments, lambda g: f" {verdict_at(RANDOM, 5)(g).upper()} "]
)
def test_bugs_that_are_named_pass(function) -> None:
    """A comparison with known gradients and experiments with one or two pairs both pass, in capital letters too."""
    check.name_the_bug(function).require()


@pytest.mark.parametrize(
    ("function", "hint", "letters"),
    [
        (verdict_at(ZERO, 4), "it tests at weights of zero", ["d", "e", "f"]),
        (verdict_at(RANDOM, 1), "it tests a single pair", ["b", "e"]),
        (verdict_at(RANDOM, 4, rtol=0.01), "it accepts what is nearly right: compare more digits", ["f"]),
        (lambda g: "a", "it returns 'a' for every gradient", ["b", "c", "d", "e", "f", "f", "f"]),
        (lambda g: "f", "it returns 'f' for every gradient", ["a", "b", "c", "d", "e"]),
    ],
)
def test_a_test_that_is_fooled_is_told_by_what(function, hint, letters) -> None:
    """The hint comes first, and then each gradient that was misjudged, with the reason."""
    report = check.name_the_bug(function)
    assert report.status == "failed"
    assert report.message.startswith(hint)
    lines = report.message.partition("misjudged:\n")[2].splitlines()
    assert [line.partition("expected '")[2][0] for line in lines] == letters


def test_one_misjudged_gradient_is_listed_alone() -> None:
    """Without a common cause there is no hint."""

    def verdict(gradient):
        letter = verdict_at(RANDOM, 4)(gradient)
        return "a" if letter == "c" else letter

    report = check.name_the_bug(verdict)
    assert report.message.splitlines() == [
        "misjudged:",
        "  the rejected answer is forgotten: expected 'c', got 'a'; "
        "it is right if all features of the rejected answers are 0",
    ]


def test_bugs_are_not_named_by_luck_or_by_their_order() -> None:
    """Letters at random, letters by the number of the call, and the name of the function all fail."""
    rng = np.random.default_rng(0)
    assert not any(check.name_the_bug(lambda g: str(rng.choice(list("abcdef")))).passed for _ in range(200))
    letters = itertools.cycle(letter for letter, *_ in GRADIENTS)
    assert check.name_the_bug(lambda g: next(letters)).status == "failed"
    names = set()
    check.name_the_bug(lambda g: names.add((g.__name__, g.__qualname__)) or "a")
    assert len(names) == 1


def test_a_verdict_that_is_right_only_now_and_then_fails() -> None:
    """It may be right about all gradients once, but it is asked twenty times more."""
    rng = np.random.default_rng(0)

    def often_right(gradient):
        return verdict_at(RANDOM, 4)(gradient) if rng.random() < 0.99 else "b"

    reports = [check.name_the_bug(often_right) for _ in range(10)]
    assert sum(report.passed for report in reports) <= 4  # 0.99 to the power 168 is 0.18
    assert any("at one time and 'b' at another" in report.message for report in reports)


@pytest.mark.parametrize(
    ("function", "status", "words"),
    [
        (lambda g: None, "not attempted", "is a return missing?"),
        (lambda g: "g", "failed", "expected one of the letters a, b, c, d, e, f, got 'g'"),
        (lambda g: 1, "failed", "expected one of the letters a, b, c, d, e, f, got int"),
        (lambda g: g([1.0], [[1.0, 2.0]], [[0.0, 0.0]]), "error", "ValueError in line"),
        (lambda: "a", "error", "expected a function of (gradient)"),
        ("a", "error", "expected a function of (gradient)"),
    ],
)
def test_an_answer_that_is_no_letter_is_refused(function, status, words) -> None:
    """The sentence says what was expected, and an error is reported at the line of the student."""
    report = check.name_the_bug(function)
    assert report.status == status
    assert words in repr(report)


def test_the_gradients_are_what_their_names_say() -> None:
    """The first is the mean of −σ(−Δ)·(x_c − x_r), and each of the others differs from it."""
    w, (c, r) = np.array(RANDOM), np.random.default_rng(2).normal(size=(2, 5, 3))
    right = -(sigma(-((c - r) @ w))[:, None] * (c - r)).mean(axis=0)
    values = [gradient(w, c, r) for *_, gradient in GRADIENTS]
    np.testing.assert_allclose(values[0], right, rtol=1e-12)
    assert not any(np.allclose(value, right) for value in values[1:])
    np.testing.assert_allclose(values[1], 5 * right, rtol=1e-12)


# --------------------------------------------------------------------------------------------------- a ridge by hand


def phi(weights, bias, head):
    return lambda: {"hidden_weights": weights, "hidden_bias": bias, "output_weights": head}


RIDGE = ([[1.0, -1.0], [0.25, 0.25]], [1.0, 1.0], [2.0, 2.0])


@pytest.mark.parametrize(
    "function",
    [
        phi(*RIDGE),
        phi(*map(np.array, RIDGE)),
        phi([[-1, 1], [0.25, 0.25]], [1, 1], [2, 2]),
        phi([[1, 1], [0.25, -0.25]], [1, -1], [2, -2]),
        phi([[1.25, -1.25], [0.5, 0.5]], [1.0, 1.0], [1.5, 1.5]),
    ],
)
def test_a_ridge_passes(function) -> None:
    """There are many of them: the units may be exchanged, and tanh(−a) = −tanh(a) lets a unit change all its signs."""
    check.middle_is_best(function).require()


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (phi(RIDGE[0], RIDGE[1], [-2, -2]), "the middle is worst, not best"),
        (phi([[1, -1], [0.25, 0.25]], [0, 0], [2, 2]), "the two units cancel each other"),
        (phi([[0, 0], [1, 1]], [1, 1], [2, 2]), "length has no weight in either unit"),
        (phi([[1, 1], [0.25, 0.25]], [1, -1], [2, 2]), "the reward only rises or only falls with length"),
        (phi([[1, 0], [0.25, 0.25]], [1, 1], [2, 2]), "the reward only rises or only falls with length"),
        (phi([[1, -1], [0, 0]], [1, 1], [2, 2]), "politeness does not raise the reward"),
        (phi([[1, -1], [-0.25, -0.25]], [1, 1], [2, 2]), "politeness does not raise the reward"),
        (phi([[1, -1], [0.25, 0.25]], [1, 1], [0.75, 0.75]), "the shape is right, but a lead is too small"),
        (phi([[2, -2], [0.25, 0.25]], [2, 2], [1, 1]), "at length 0: the polite answer leads the impolite one by 0.07"),
        (phi([[1, -1], [0.25, 0.25]], [1, 1], [0.25, 0.25]), "both should be at least 1"),
        (phi([[1, -1], [0.3, 0.25]], [1, 1], [2, 2]), "hidden_weights[1, 0]: expected a multiple of 0.25"),
        (phi([[1, -1], [0.25, 0.25]], [1, np.nan], [2, 2]), "hidden_bias: expected finite numbers"),
        (phi([1, -1], [1, 1], [2, 2]), "hidden_weights: expected real numbers of shape (2, 2), got shape (2,)"),
        (lambda: {"hidden_weights": RIDGE[0]}, "names hidden_weights, hidden_bias, output_weights, got hidden_weights"),
        (lambda: RIDGE, "expected a dict of arrays, got tuple"),
    ],
)
def test_what_is_no_ridge_is_told_why(function, words) -> None:
    """The sentence says what the reward looks like, and by how much the middle or the polite answer leads."""
    report = check.middle_is_best(function)
    assert report.status == "failed"
    assert words in report.message


def test_numbers_at_random_are_no_ridge() -> None:
    """Of 300 random choices of multiples of ¼, at most one passes, and a function that draws anew never does."""
    rng = np.random.default_rng(0)

    def drawn():
        numbers = rng.integers(-8, 9, size=8) / 4
        return phi(numbers[:4].reshape(2, 2), numbers[4:6], numbers[6:])()

    fixed = [functools.partial(dict, drawn()) for _ in range(300)]
    assert sum(check.middle_is_best(function).passed for function in fixed) <= 1
    report = check.middle_is_best(drawn)
    assert report.message == "two calls give different parameters: choose each number once, by hand"


def test_a_stub_is_not_attempted_and_an_error_is_reported() -> None:
    """As in the other exercises."""

    def todo():
        raise NotImplementedError

    assert check.middle_is_best(todo).status == "not attempted"
    assert "ZeroDivisionError in line" in check.middle_is_best(lambda: 1 / 0).message
    assert "expected a function of ()" in check.middle_is_best(lambda x: x).message
