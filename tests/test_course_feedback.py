"""The sentences of a report on an exercise: advice that fits the exercise, causes of runs, and what was given."""

from __future__ import annotations

import math
import re
import time

import numpy as np
import pytest
from students import RIGHT, sigma

import bradley_terry as bt
from bradley_terry.course import check

# ----------------------------------------------------------------------------------------------- what a report advises


def test_advice_names_only_what_the_exercise_allows() -> None:
    """Lesson 11 allows nothing of the package, so the note on an overflow does not mention bt.sigmoid."""

    def naive(r, c, j, m):
        gradient, slopes = np.zeros(len(r)), -1 / (1 + np.exp(r[c] - r[j] - m)) / len(c)
        np.add.at(gradient, c, slopes)
        np.add.at(gradient, j, -slopes)
        return gradient

    report = check.margin_gradient(naive)
    (note,) = report.notes
    assert note.endswith("overflow encountered in exp; a formula with exp(-abs(x)) cannot overflow")
    assert "bt." not in note
    allowed = check.gradient(lambda w, c, r: -(1 / (1 + np.exp((c - r) @ w))) @ (c - r) / len(c))
    assert allowed.notes[0].endswith("; bt.sigmoid, or a formula with exp(-abs(x)), cannot overflow")


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("ranking_loss", lambda r: sum(np.log(np.exp(r[k:]).sum()) - r[k] for k in range(len(r)))),
        ("ranking_loss", lambda r: sum(math.log(sum(map(math.exp, r[k:]))) - r[k] for k in range(len(r)))),
        ("tilted_policy", lambda p, r, b: p * np.exp(r / b) / np.sum(p * np.exp(r / b), axis=-1, keepdims=True)),
    ],
)
def test_sums_of_exponentials_are_told_to_subtract_the_largest(name, function) -> None:
    """These formulas have no Δ."""
    report = getattr(check, name)(function)
    assert report.status in {"failed", "error"}
    assert "exp overflows. Subtract the largest reward first; the result stays the same" in report.message
    assert "Δ ≥ 0" not in report.message


@pytest.mark.parametrize(
    ("name", "function", "instead"),
    [
        ("equilibrium", lambda n, d: RIGHT["equilibrium"](n, d) + 0 * bt.pair_losses(0.0), "NumPy and bt.sigmoid"),
        ("expected_loss", bt.expected_loss, "NumPy, bt.pair_losses and bt.sigmoid"),
    ],
)
def test_a_refusal_names_what_the_text_allows(name, function, instead) -> None:
    """The two functions that lesson 5 allows, and the one that lesson 6 allows."""
    message = getattr(check, name)(function).message
    assert message.endswith(f"from bradley_terry: use {instead}")


def test_what_a_text_does_not_mention_may_still_be_accepted() -> None:
    """−σ(−Δ) is as little the subject of lesson 6 as σ is, and a probability is a sigmoid."""
    check.equilibrium(lambda n, d: RIGHT["equilibrium"](n, d) + 0 * bt.pair_loss_gradients(0.0)).require()
    check.expected_loss(lambda t, z: RIGHT["expected_loss"](t, z) + 0 * bt.preference_probability(0.0, 1.0)).require()


def on_grid(low, step):
    def function(loss, p):
        grid = np.arange(low, 10 + step / 2, step)
        return grid[np.argmin(p * loss(grid) + (1 - p) * loss(-grid))]

    return function


def test_a_grid_that_is_too_small_or_too_coarse_is_recognised() -> None:
    """The best margin is −0.3 in the first case, and some others need steps below 0.01."""
    assert "or did you search among Δ ≥ 0 only?" in check.minimiser(on_grid(0.0, 0.001)).problems[0].diagnosis
    for step in (0.01, 0.1):
        assert "are the steps of a grid too coarse" in check.minimiser(on_grid(-10.0, step)).problems[0].diagnosis


def test_a_wrong_beta_that_is_in_the_list_is_no_position() -> None:
    """In one case, 1 is one of the betas and also the position of the best one."""
    best, asked = RIGHT["choose_beta"], []

    def one_wrong(reference, proxy, measured, betas, max_kl):
        asked.append(1)
        return 1.0 if len(betas) < 10 else best(reference, proxy, measured, betas, max_kl)

    report = check.choose_beta(one_wrong)
    assert report.status == "failed"
    assert "the position" not in repr(report)


# ------------------------------------------------------------------------------------ causes, and how they are spelled


@pytest.fixture(scope="module")
def made():
    """Too long steps, separable pairs, swapped labels, a leak, memorised noise, and a healthy run."""
    rng, taste = np.random.default_rng(0), np.array([1.0, -0.5, 0.5, 0.0])

    def people(n, taste=taste):
        a, b = rng.normal(size=(2, n, len(taste)))
        wins = (rng.random(n) < sigma((a - b) @ taste))[:, None]
        return bt.PreferencePairs(np.where(wins, a, b), np.where(wins, b, a))

    def fitted(training, held_out, **options):
        model = bt.fit(
            bt.LinearScorer(training.n_features), training, method="gradient_descent",
            tolerance=0.0, standardise=False, **{"max_steps": 300, "learning_rate": 1.0} | options,
        )  # fmt: skip
        return model, training, held_out

    training, held_out = people(400), people(400)
    swapped = bt.PreferencePairs(held_out.rejected, held_out.chosen)
    certain, new = (people(200, 1e6 * taste) for _ in range(2))
    many = np.zeros(40)
    return {
        "learning rate too high": fitted(training, held_out, learning_rate=200.0),
        "separable data": fitted(certain, new),
        "labels swapped": fitted(training, swapped),
        "leak between splits": fitted(training, training),
        "over-fitting": fitted(people(60, many), people(60, many)),
        "healthy": fitted(training, held_out),
    }


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (
            "learning rate too high",
            r"training loss of \d+\.\d{3} is above log 2 = 0\.693, .*, and it jumps",
        ),
        ("separable data", r"\|φ\| is still growing: it became \d+% longer"),
        ("labels swapped", r"accuracy on the held-out pairs is 0\.\d\d, far below one half"),
        ("leak between splits", r"400 of its 400 held-out pairs have"),
        ("over-fitting", r"held-out loss of \d\.\d{3} is above its training loss of 0\.0\d+ by more than chance"),
    ],
)
def test_a_run_that_is_called_healthy_is_contradicted_by_what_is_wrong_with_it(made, cause, words) -> None:
    """Not by numbers that a healthy run may have."""
    report = check.causes({"X": "healthy"}, {"X": made[cause]})
    assert report.status == "failed"
    first, _ = report.message.splitlines()
    assert re.search(words, first)
    assert "learned nothing" not in first


def test_a_loss_that_never_rises_is_said_to_never_rise(made) -> None:
    """1.1e-16 is a rounding error, not a number to reason about."""
    report = check.causes({"X": "learning rate too high"}, {"X": made["separable data"]})
    assert "its training loss never rises, and it ends at 0.0" in report.message
    assert "e-1" not in report.message


@pytest.mark.parametrize(
    ("cause", "spellings"),
    [
        ("separable data", ["separable_data", "Separable-Data", "separable  data", " separabledata "]),
        ("over-fitting", ["overfitting", "over fitting", "Over_Fitting", "OVERFITTING"]),
        ("labels swapped", ["labels-swapped", "labels_swapped"]),
    ],
)
def test_a_cause_may_be_spelled_with_spaces_hyphens_or_underscores(made, cause, spellings) -> None:
    """They are the same word."""
    for spelling in spellings:
        check.causes([spelling], {"X": made[cause]}).require()


def test_an_unknown_cause_is_quoted_as_it_was_written(made) -> None:
    """A word that is not one of the candidates stays unknown."""
    message = check.causes(["fitting"], {"X": made["over-fitting"]}).message
    assert message.startswith("X: 'fitting' is not one of the candidates: zero features, ")


@pytest.mark.parametrize("runs", [None, [], 3, "runs", np.ones(3)])
def test_runs_that_are_no_mapping_are_a_type_error(runs) -> None:
    """As the docstring promises, in one sentence that begins with the argument."""
    with pytest.raises(TypeError, match=r"^runs: expected a mapping from names to runs, got "):
        check.causes({}, runs)


# --------------------------------------------------------------------------------------------------------- sentences


def sleeping(margins):
    time.sleep(3)
    return margins


def leaving(margins):
    raise SystemExit


def asserting(margins):
    raise AssertionError


def test_one_second_is_singular() -> None:
    """And 0.5 seconds are several."""
    assert "no answer within 1 second: is there" in check.loss(sleeping, time_limit=1).message
    assert "no answer within 0.5 seconds: is there" in check.loss(sleeping, time_limit=0.5).message


@pytest.mark.parametrize(("function", "kind"), [(leaving, "SystemExit"), (asserting, "AssertionError")])
def test_an_error_without_a_message_ends_without_a_colon(function, kind) -> None:
    """The line of the student is the last word."""
    first = check.loss(function).message.splitlines()[0]
    assert first.startswith(f"{kind} in line ")
    assert first.endswith("`")


def test_a_report_says_that_it_gave_a_function_or_a_number() -> None:
    """The words after the name of an argument say what it is."""

    def wrong(*arguments):
        raise ValueError("no")

    assert "it was given strength (a function)" in check.depends_on_differences(wrong).message
    assert "it was given loss (a function), p = 0.35" in check.minimiser(lambda loss, p: wrong(loss)).message
    assert "it was given dtype = float64" in check.overflow_limit(wrong).message


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda t, h: ["0", "1"], "expected a list of row numbers, got a list of str"),
        (lambda t, h: np.nonzero(np.isin(h["prompts"], t["prompts"])), "return a tuple, so take its first entry, [0]"),
    ],
)
def test_row_numbers_of_another_kind_are_named(function, words) -> None:
    """A list of texts, and what np.nonzero returns."""
    assert words in check.leaks(function).message


def test_an_array_is_not_one_answer() -> None:
    """The report says which functions of NumPy make one answer of many."""
    shift = np.array([0.3, -1.0])
    report = check.shift_invariance_test(lambda loss: np.isclose([loss(shift, shift)] * 3, loss(2 * shift, 2 * shift)))
    assert report.message == "expected True or False, got an array: np.allclose and np.all give one answer"


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("name_the_bug", "gradient()"),
        ("depends_on_differences", "strength()"),
        ("shift_invariance_test", "loss()"),
    ],
)
def test_a_function_that_is_given_has_the_name_of_the_argument(name, call) -> None:
    """Python's own messages quote it, and they should not show where in our code it is written."""
    message = getattr(check, name)(lambda given: given()).message
    assert f": {call} missing " in message
    assert "<locals>" not in message
    assert "_letters" not in message


def test_a_rounding_error_is_not_an_array_that_was_never_filled() -> None:
    """Entries of 1e-17 were computed: only exact zeros look like zeros that nobody wrote to."""

    def gradient(parameters, chosen, rejected, zero=0.0):
        w, b, v = (parameters[name] for name in ("hidden_weights", "hidden_bias", "output_weights"))
        h, k = (np.tanh(x @ w + b) for x in (chosen, rejected))
        pulls = -sigma(-(h - k) @ v) / len(h)
        d_h, d_k = (np.outer(sign * pulls, v) * (1 - x**2) for sign, x in ((1, h), (-1, k)))
        return {
            "hidden_weights": chosen.T @ d_h + rejected.T @ d_k,
            "hidden_bias": np.full(len(b), zero),
            "output_weights": pulls @ (h - k),
        }

    exact, rounded = (
        check.gradient(lambda *given, zero=zero: gradient(*given, zero=zero), scorer="mlp") for zero in (0.0, 1e-17)
    )
    assert "never filled in" in exact.problems[0].diagnosis
    assert "never filled in" not in repr(rounded)
    assert rounded.status == "failed"


def test_a_function_that_is_not_written_yet_gets_one_line() -> None:
    """There is nothing to say about the gradient that it was given."""

    def my_verdict(gradient):
        raise NotImplementedError

    assert repr(check.name_the_bug(my_verdict)) == "name the bug: not attempted"


def test_a_branch_that_is_not_implemented_is_called_so() -> None:
    """It raises, so no return is missing."""

    def my_verdict(gradient):
        random = np.random.default_rng(1)
        weights, (c, r) = random.normal(size=3), random.normal(size=(2, 4, 3))
        if np.allclose(gradient(weights, c, r), -sigma((r - c) @ weights) @ (c - r) / 4):
            return "a"
        raise NotImplementedError

    assert "your function raises NotImplementedError here, but it gives an answer in other cases" in repr(
        check.name_the_bug(my_verdict)
    )


def test_the_functions_of_a_check_keep_their_names() -> None:
    """A student's error shows the name of the argument, and the next report the name of the function."""
    from bradley_terry.course.exercises import shifts

    before = [item.__name__ for *_, item in shifts.LOSSES]
    check.shift_invariance_test(lambda loss: True)
    assert [item.__name__ for *_, item in shifts.LOSSES] == before
