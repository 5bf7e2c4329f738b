"""How an exercise asks: more than once, patiently while Numba compiles, and with a note instead of a failure."""

from __future__ import annotations

import sys
import time
from types import ModuleType

import numpy as np
import pytest
from students import search

from bradley_terry.course import check
from bradley_terry.course.exercises.shifts import LOSSES


def pull(z):
    return -np.exp(-np.logaddexp(0, z))


def right(w, c, r):
    return pull((c - r) @ w) @ (c - r) / len(c)


def textbook(w, c, r):
    return -(1 / (1 + np.exp((c - r) @ w))) @ (c - r) / len(c)  # overflows at a large margin


def test_a_warning_on_the_way_to_right_numbers_is_a_note() -> None:
    """The gradient is right everywhere, so it passes, and the note quotes the learner's own line."""
    report = check.gradient(textbook)
    report.require()
    assert report.status == "passed with a note"
    assert "# overflows at a large margin" in repr(report)
    assert "overflow encountered in exp" in repr(report)
    assert "note: " in report._repr_html_()
    assert report.to_dict()["notes"] == report.notes


def bisected(dtype):
    low, high = 0.0, 2000.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.isfinite(np.exp(np.array(middle, dtype=dtype))) else (low, middle)
    return low


def wide_search(margins):
    np.exp(np.float64(1000.0))  # warns
    return search(margins)


@pytest.mark.parametrize(("name", "function"), [("overflow_limit", bisected), ("best_temperature", wide_search)])
def test_right_answers_that_overflow_on_the_way_pass(name, function) -> None:
    """Bisection for the limit of exp must overflow, and a search may try extreme numbers."""
    report = getattr(check, name)(function)
    assert report.passed
    assert report.status == "passed with a note"


def test_an_exercise_about_overflow_still_fails_for_a_warning() -> None:
    """Its docstring says that it must not overflow."""
    report = check.probability(lambda a, b: 1 / (1 + np.exp(b - a)))
    assert report.status == "failed"
    assert "at rewards of ±1000: a NumPy warning" in repr(report)


# ------------------------------------------------------------------------------------------------- asked more than once


def accumulating():
    kept = np.zeros(())

    def function(w, c, r):
        nonlocal kept
        kept = kept + right(w, c, r) if kept.shape == w.shape else right(w, c, r)
        return kept

    return function


def cached_by_shape():
    kept = {}
    return lambda w, c, r: kept.setdefault(c.shape, right(w, c, r))


def noisy(w, c, r):
    return right(w, c, r) + 1e-3 * np.random.default_rng().normal(size=w.size)


def dropping(w, c, r):
    keep = np.random.default_rng().random(c.shape) < 0.5
    return right(w, c * keep, r * keep)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (accumulating(), "the second answer is twice the first"),
        (cached_by_shape(), "does it keep something from an earlier call?"),
        (noisy, "does your function draw random numbers"),
        (dropping, "does your function draw random numbers"),
    ],
)
def test_what_depends_on_earlier_calls_or_on_luck_is_noticed(function, words) -> None:
    """One call shows neither a sum that was never set to zero, nor a cache, nor noise."""
    report = check.gradient(function)
    assert report.status == "failed"
    assert words in repr(report)


def test_one_array_that_is_returned_each_time_is_fine() -> None:
    """The answer is copied before the function is called again."""
    store = {}

    def function(w, c, r):
        out = store.setdefault(w.size, np.empty(w.size))
        out[...] = right(w, c, r)
        return out

    check.gradient(function).require()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_shift_test_that_passes_by_luck_is_asked_again(n) -> None:
    """It compares random numbers with ==, which rounding makes differ sooner or later."""
    rng = np.random.default_rng(0)

    def lucky(loss):
        chosen, rejected, shift = rng.normal(size=(3, n))
        return bool(loss(chosen, rejected) == loss(chosen + shift, rejected + shift))

    assert not any(check.shift_invariance_test(lucky).passed for _ in range(20))


def test_a_shift_test_that_is_wrong_one_time_in_nine_does_not_pass() -> None:
    """Small uniform rewards are the luckiest for ==: nine times in ten, rounding leaves the loss alone."""
    rng = np.random.default_rng(0)

    def lucky(loss):
        chosen, rejected = rng.uniform(0, 0.01, (2, 50))
        shift = rng.uniform(0, 1, 50)
        return bool(loss(chosen, rejected) == loss(chosen + shift, rejected + shift))

    def luckier(loss):  # it never fails for the losses that are not invariant
        return lucky(loss) or (loss in {case[3] for case in LOSSES[:2]} and rng.random() < 0.5)

    assert not any(check.shift_invariance_test(luckier).passed for _ in range(20))


# ------------------------------------------------------------------------------------------------------ loss as well


def test_a_loss_beside_the_gradient_is_checked_too() -> None:
    """A function may return (loss, gradient)."""

    def with_loss(change):
        return lambda w, c, r: (change(np.logaddexp(0, -((c - r) @ w))), right(w, c, r))

    check.gradient(with_loss(np.mean)).require()
    assert "a sum instead of a mean" in repr(check.gradient(with_loss(np.sum)))


def test_the_report_says_with_what_size_and_what_input_it_failed() -> None:
    """A mistake that needs 5 features shows in the second problem, and an entry names its input."""
    report = check.gradient(lambda w, c, r: right(w, c, r) * (w.size == 3))
    assert report.message.startswith("right with 7 pairs of 3 features; with 4 pairs of 5 features: ")
    assert "given margins = -1000" in repr(check.loss(lambda z: np.where(z < -50, 0, np.logaddexp(0, -z))))
    assert "got a tuple of three items" in repr(check.kernel(lambda z: (1.0, z, z)))


@pytest.mark.parametrize(
    ("name", "function", "words"),
    [
        ("loss", lambda z: np.where(z == -1000, np.nan, np.logaddexp(0, -z)), "got nan at [1], given margins = -1000"),
        ("margin", lambda p: np.where(p < 1e-100, -700, np.log(p) - np.log1p(-p)), "given probability = 1e-300"),
        ("mean_loss", lambda c, r: np.logaddexp(0, r - c).sum(), "given rewards_chosen = ["),
        ("reward", lambda p, x: x[:, 0], "given features = ["),
        ("kernel", lambda z: (np.logaddexp(0, -z).mean(), np.where(z == -40, 0, pull(z) / z.size)), "margin = -40"),
        ("kernel", lambda z: (np.logaddexp(0, -z).mean(), np.where(z == 40, np.inf, pull(z) / z.size)), "margin = 40"),
        ("centring", lambda r, x: r - np.mean(r), "given rewards = -3, prompts = 2"),
    ],
)
def test_a_wrong_value_is_shown_with_its_input(name, function, words) -> None:
    """An index alone does not tell a learner which of our numbers was difficult."""
    assert words in repr(getattr(check, name)(function))


# -------------------------------------------------------------------------------------------------------------- Numba


def test_time_that_numba_compiles_does_not_count(monkeypatch) -> None:
    """A module that calls itself numba.core.… stands in for the compiler."""
    compiler = ModuleType("numba.core.stand_in")
    exec("import time\ndef compile(seconds):\n    time.sleep(seconds)\n", vars(compiler))  # noqa: S102
    monkeypatch.setitem(sys.modules, compiler.__name__, compiler)
    limit = 0.1

    def compiling(rewards):
        for _ in range(8):
            compiler.compile(0.02)
        return np.logaddexp(0, -rewards)

    def slow(rewards):
        time.sleep(2 * limit)
        return np.logaddexp(0, -rewards)

    check.loss(compiling, time_limit=limit).require()
    assert "no answer within 0.1 seconds" in repr(check.loss(slow, time_limit=limit))


@pytest.mark.full
def test_a_typing_error_is_told_in_numbas_own_words() -> None:
    """Its first line names a stage of the compiler, so the report shows the next one and the learner's line."""
    numba = pytest.importorskip("numba")

    def kernel(margins):
        total = 0.0
        return total + "a", margins

    report = check.kernel(numba.njit(kernel))
    assert report.status == "error"
    line = kernel.__code__.co_firstlineno + 2
    assert f"in line {line} of your file, Numba cannot compile this: No implementation of function" in repr(report)
    assert "nopython mode pipeline" not in repr(report)


def test_a_function_that_answers_differently_the_second_time_fails() -> None:
    """Every check of numbers asks about its first case again, in which nothing may be left of the calls before."""
    total: list[float] = []

    def of_all_so_far(true_margins):
        if total and len(true_margins) == len(total):
            total.extend(total)
        total[:] = total or np.maximum(1 / (1 + np.exp(-true_margins)), 1 / (1 + np.exp(true_margins))).tolist()
        return np.sum(total) / len(true_margins) if len(true_margins) == 5 else 0.5

    report = check.ceiling(of_all_so_far)
    assert report.status == "failed"
    assert report.message == "right at first; asked again about the same numbers: the number is wrong:"
