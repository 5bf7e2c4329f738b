"""A mistake of any kind in the student's function becomes one clear sentence, never a traceback from our code."""

from __future__ import annotations

import inspect
import time

import numpy as np
import pytest
from students import RIGHT, slow_kernel

from bradley_terry.course import check

MANNERS: dict[str, tuple[str, str]] = {  # exercise: its arguments, the shape of its first answer
    "loss": ("margins", "(5,)"),
    "training_step": ("weights, chosen, rejected, learning_rate", "(3,)"),
    "reward": ("parameters, features", "(5,)"),
}
three = pytest.mark.parametrize("name", MANNERS)


def todo(*_):
    raise NotImplementedError


@three
def test_a_stub_is_not_attempted(name) -> None:
    """A stub is neither right nor wrong. None may also be a forgotten return, and the report says so."""
    report = getattr(check, name)(todo)
    assert report.status == "not attempted"
    assert repr(report).endswith(": not attempted")
    assert not report.passed
    silent = getattr(check, name)(lambda *_: None)
    assert silent.status == "not attempted"
    assert "is a return missing?" in repr(silent)
    assert ": not attempted\n" in repr(silent)


def raising(*_):
    return {}["a name"]  # the line that is at fault


def leaving(*_):
    raise SystemExit


@three
@pytest.mark.parametrize(("function", "error"), [(raising, "KeyError"), (leaving, "SystemExit")])
def test_an_error_is_reported_with_the_line_of_the_student(name, function, error) -> None:
    """The report gives the number and text of the line and the shapes of the arguments, but none of our frames."""
    lines, first = inspect.getsourcelines(function)
    report = getattr(check, name)(function)
    assert report.status == "error"
    assert f"{error} in line {first + 1} of {function.__name__}, `{lines[1].strip()}`" in report.message
    assert f"it was given {MANNERS[name][0].partition(',')[0]} " in report.message
    assert "Traceback" not in report.message
    assert "bradley_terry" not in report.message


@three
@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: None, "too many positional arguments"),
        (lambda a, b, c, d, e: None, "missing a required argument"),
        ("text", "got str"),
        (None, "got NoneType"),
        (np.zeros(3), "got ndarray"),
    ],
)
def test_a_function_with_other_arguments_is_told_how_it_is_called(name, function, words) -> None:
    """The report says so before anything is computed."""
    report = getattr(check, name)(function)
    assert report.status == "error"
    assert f"expected a function of ({MANNERS[name][0]})" in report.message
    assert words in report.message


def ragged(*_):
    return [[1.0], [1.0, 2.0]]


@three
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda right: right[:, None], "got shape {column}: the right number of entries, in another shape"),
        (lambda right: right.sum(), "got shape (): a single number; is there one sum or mean too many?"),
        (lambda right: right[1:], "got shape {shorter}"),
        (lambda right: np.array(["text"] * right.size), "got ndarray"),
        (lambda right: "text", "got str"),
        (lambda right: {"answer": right}, "got dict"),
        (lambda right: right + 0j, "got complex numbers"),
        (ragged, "got rows of different length"),
        (lambda right: right * np.nan, "expected finite numbers, got nan at [0]"),
        (lambda right: np.where(np.arange(right.size) == 1, np.inf, right), "expected finite numbers, got inf at [1]"),
    ],
)
def test_an_answer_that_is_not_an_array_of_that_shape_is_refused(name, spoil, words) -> None:
    """Shape, type and NaN are checked before any number is compared."""
    shape = MANNERS[name][1]
    size = int(shape[1])
    report = getattr(check, name)(lambda *arguments: spoil(RIGHT[name](*arguments)))
    assert report.status == "failed"
    assert words.format(column=f"({size}, 1)", shorter=f"({size - 1},)") in report.message
    assert not report.problems


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("probability", ["reward_a", "reward_b"]),
        ("margin", ["probability"]),
        ("loss", ["margins"]),
        ("slope", ["margins"]),
        ("mean_loss", ["rewards_chosen", "rewards_rejected"]),
        ("centring", ["rewards", "prompts"]),
        ("accuracy", ["margins"]),
        ("best_temperature", ["margins"]),
        ("expected_loss", ["true_margins", "margins"]),
        ("ceiling", ["true_margins"]),
        ("training_step", ["weights", "chosen", "rejected"]),
        ("central_difference", ["function", "x"]),
        ("reward", ["parameters", "features"]),
        ("margin_gradient", ["rewards", "chosen", "rejected", "target_margins"]),
        ("ranking_loss", ["rewards"]),
        ("kernel", ["margins"]),
        ("tilted_policy", ["reference_probabilities", "rewards"]),
        ("choose_beta", ["reference_probabilities", "proxy_rewards", "measured_rewards", "betas"]),
    ],
)
def test_an_input_changed_in_place_is_noticed_even_if_the_answer_is_right(name, names) -> None:
    """Each input is named; in a dict, a change to any array counts."""
    for position, argument in enumerate(names):
        if argument == "function":
            continue

        def changing(*arguments, position=position):
            answer = RIGHT.get(name, slow_kernel)(*arguments)
            changed = arguments[position]
            changed = changed["hidden_bias"] if isinstance(changed, dict) else changed
            changed[-1] += 1
            return answer

        report = getattr(check, name)(changing)
        assert report.status == "failed"
        assert f"changes its input {argument}: work on a copy" in report.message


@three
def test_prints_are_hidden_and_the_report_is_not(name, capsys) -> None:
    """A print in a loop would bury the report. Prints before and after the check are still shown."""

    def talking(*arguments):
        print("here")
        return RIGHT[name](*arguments)

    print("before")
    assert getattr(check, name)(talking).passed
    print("after")
    assert capsys.readouterr().out == "before\nafter\n"

    def mistaken(*_):
        print("shapes", (3, 4))
        return "nothing of use"

    assert "it printed: shapes (3, 4)" in repr(getattr(check, name)(mistaken))


@three
def test_a_loop_without_end_ends_with_a_sentence(name) -> None:
    """The check ends soon after the time limit."""

    def endless(*_):
        while True:
            time.sleep(0.001)

    start = time.perf_counter()
    report = getattr(check, name)(endless, time_limit=0.05)
    assert 0.05 <= time.perf_counter() - start < 3
    assert report.status == "error"
    assert "no answer within 0.05 seconds: is there an endless loop?" in report.message
