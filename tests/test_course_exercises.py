"""The exercises: right answers pass, each common mistake gets its own sentence, and no other mistake gets one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sentences
import students
from students import ALSO_RIGHT, RIGHT, UNKNOWN, WRONG, Function, entry_by_entry, nats, search, sigma, slow_kernel

from bradley_terry.course import check


def test_there_is_an_answer_to_every_exercise() -> None:
    """Each public check is tried here, in ``test_course_check.py`` or in ``test_course_training.py``."""
    others = {"Problem", "Report", "causes", "gradient", "prediction", "kernel"}
    assert set(RIGHT) == set(check.__all__) - others


def test_students_do_not_call_the_package() -> None:
    """If they did, an error in the package could hide itself."""
    assert "bradley_terry" not in Path(students.__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "function"), [*RIGHT.items(), *ALSO_RIGHT])
def test_a_right_answer_passes(name, function) -> None:
    """If people would write an answer in several forms, each of these forms passes."""
    report = getattr(check, name)(function)
    report.require()
    assert repr(report).endswith(": passed")


def test_a_right_kernel_passes() -> None:
    """A compiled function is recognised by its ``py_func``; the next test really compiles one."""

    def stand_in(margins):
        return slow_kernel(margins)

    stand_in.py_func = slow_kernel
    check.kernel(stand_in).require()


@pytest.mark.full  # compiling takes five seconds
def test_a_right_compiled_kernel_passes() -> None:
    """The kernel computes loss and gradients in one loop and is compiled."""
    numba = pytest.importorskip("numba")
    check.kernel(numba.njit(slow_kernel)).require()


# --------------------------------------------------------------------------------------------------- wrong answers

TWO_FIT = {"the mean of |Δ|"}  # this one may be named together with another

# the share of a number near 1.8e308 in a small one is too large for float64
OVERFLOWS = pytest.mark.filterwarnings("ignore:overflow encountered in divide:RuntimeWarning")


def rows() -> Iterator[object]:
    for name, wrong in WRONG.items():
        for words, function in wrong:
            marks = OVERFLOWS if words == "the largest number itself" else ()
            yield pytest.param(name, words, function, marks=marks, id=f"{name}: {words}")


def test_every_sentence_is_tried() -> None:
    """Each row of WRONG belongs to one sentence of a check, and each sentence has one row."""
    known = sentences.of_checks()
    assert set(known) == set(WRONG)
    for name, all_of_one in known.items():
        met = [[s for s in all_of_one if words in s] for words, _ in WRONG[name]]
        assert [len(fits) for fits in met] == [1] * len(met), name
        assert sorted(s for fits in met for s in fits) == sorted(all_of_one), name


@pytest.mark.parametrize(("name", "words", "function"), list(rows()))
def test_a_common_mistake_gets_its_own_sentence_and_no_other(name, words, function) -> None:
    """The report quotes the whole sentence once, at the only number or array that is wrong."""
    (sentence,) = [s for s in sentences.of_checks()[name] if words in s]
    report = getattr(check, name)(function)
    assert report.status == "failed"
    (problem,) = report.problems
    if words in TWO_FIT:
        assert sentence in problem.diagnosis
    else:
        assert problem.diagnosis == f"looks like: {sentence}"
    assert sentence in repr(report)
    assert problem.absolute_error == pytest.approx(abs(problem.got - problem.expected))


@pytest.mark.parametrize(("name", "function"), UNKNOWN)
def test_an_unusual_mistake_gets_no_diagnosis(name, function) -> None:
    """A wrong diagnosis is worse than none."""
    report = getattr(check, name)(function)
    assert report.status == "failed"
    assert report.problems
    assert [problem.diagnosis for problem in report.problems] == [""] * len(report.problems)
    assert "looks like" not in repr(report)


@pytest.mark.parametrize("name", [name for name in RIGHT if name != "shift_invariance_test"])
@pytest.mark.parametrize("seed", range(5))
def test_noise_gets_no_diagnosis(name, seed) -> None:
    """Right answers with added noise, and random numbers, fail without a diagnosis."""
    rng = np.random.default_rng(seed)

    def shaken(*arguments):
        right = np.asarray(RIGHT[name](*arguments), dtype=np.float64)
        return rng.uniform(1.2, 1.9) * right * rng.uniform(1.0, 1.5, right.shape) + 0.1 * rng.normal(size=right.shape)

    def random_numbers(*arguments):
        return 3 * rng.normal(size=np.shape(RIGHT[name](*arguments)))

    for function in (shaken, random_numbers):
        report = getattr(check, name)(function)
        assert report.status == "failed"
        assert "looks like" not in repr(report)


# ---------------------------------------------------------------------------------------- every case, every tolerance

CASES: dict[str, list[str]] = {
    "probability": ["", "at rewards of ±1000: "],
    "margin": ["", "at tiny probabilities: "],
    "loss": ["", "at margins of 1000, -1000 and 40: "],
    "mean_loss": ["", "at rewards of ±900: "],
    "centring": ["", "in another order: "],
    "accuracy": ["", "where all margins are 0: "],
    "best_temperature": ["for an overconfident model: ", "for an underconfident model: "],
    "expected_loss": ["", "where the model is the truth: ", "at margins of 800 and -900: "],
    "ceiling": ["", "where every choice is a coin flip: "],
    "training_step": ["", "right with learning rate 0.25; with 3: "],
    "central_difference": ["with h = 0.1: ", "with h = 1e-5: "],
    "reward": [
        "",
        "right with 5 answers, 3 features and 4 hidden units; with 2 answers, 4 features and 3 hidden units: ",
    ],
    "overflow_limit": ["for float64: ", "for float32: ", "for float16: "],
    "kernel": ["", "for a single pair: ", "for 1,000 pairs: ", "at margins of ±1000: "],
}
# where all margins are 0, accuracy without ties is the mean of an empty array
MEAN_OF_NOTHING = [
    pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning"),
]


def each_case() -> Iterator[object]:
    for name, notes in CASES.items():
        for k, note in enumerate(notes):
            yield pytest.param(name, k, note, id=f"{name}-{k}", marks=MEAN_OF_NOTHING if name == "accuracy" else ())


@pytest.mark.parametrize(("name", "k", "note"), list(each_case()))
def test_an_answer_must_be_right_in_every_case(name, k, note) -> None:
    """An answer that is wrong only in the k-th case fails there, and the report says which case it is."""
    turn = itertools.count()
    right = RIGHT.get(name, slow_kernel)

    def wrong_once(*arguments):
        answer, is_wrong = right(*arguments), next(turn) == k
        return (answer[0] + is_wrong, answer[1]) if name == "kernel" else np.asarray(answer) + is_wrong

    report = getattr(check, name)(wrong_once)
    assert report.status == "failed"
    assert re.match(
        re.escape(note) + r"(the number is wrong|some entries are wrong; the worst one in each array):", report.message
    )
    assert next(turn) == k + 1


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("sign", [1, -1])
def test_tolerances_are_what_the_docstrings_say(name, sign) -> None:
    """The allowed relative error is 1e-6, unless the exercise says 1 % or 0.1 %."""
    allowed = {"best_temperature": 0.01, "overflow_limit": 1e-3}.get(name, 1e-6)
    turn = itertools.count()

    def off_by(share):
        def function(*arguments):
            next(turn)
            if name == "best_temperature":
                return (1 + sign * share) * closely(*arguments)
            if name == "kernel":
                mean, gradients = slow_kernel(*arguments)
                return (1 + sign * share) * mean, gradients
            return (1 + sign * share) * np.asarray(RIGHT[name](*arguments))

        return function

    near = getattr(check, name)(off_by(0.8 * allowed))
    assert near.passed or "it is plain Python" in near.message
    assert next(turn) >= len(CASES[name])
    assert getattr(check, name)(off_by(1.3 * allowed)).status == "failed"


def closely(z):
    """Find the best temperature to six digits, by Newton's method in 1/T."""
    s = 1 / search(z)
    for _ in range(20):
        s += np.mean(z * sigma(-s * z)) / np.mean(z * z * sigma(s * z) * sigma(-s * z))
    return 1 / s


EXTREME: list[tuple[str, str, Function]] = [
    ("probability", "at rewards of ±1000: a NumPy warning", lambda a, b: np.exp(a) / (np.exp(a) + np.exp(b))),
    ("margin", "at tiny probabilities: ", lambda p: np.log((p + 1e-16) / (1 - p))),
    ("loss", "at margins of 1000, -1000 and 40: a NumPy warning", lambda z: np.log(1 + np.exp(-z))),
    ("loss", "got 18.4207, expected 1000", lambda z: -np.log(sigma(z) + 1e-8)),
    ("mean_loss", "at rewards of ±900: a NumPy warning", lambda c, r: np.log(1 + np.exp(r - c)).mean()),
    ("mean_loss", "at rewards of ±900: the number is wrong", lambda c, r: nats(np.clip(c - r, -50, 50)).mean()),
    (
        "expected_loss",
        "at margins of 800 and -900: a NumPy warning",
        lambda t, z: -np.mean(sigma(t) * np.log(sigma(z)) + sigma(-t) * np.log(1 - sigma(z))),
    ),
    ("best_temperature", "for an underconfident model: ", lambda z: search(z, lowest=0.0)),
    ("central_difference", "with h = 1e-5: ", entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x - e)) / 0.2)),
]


@pytest.mark.filterwarnings("default::RuntimeWarning")  # as in a notebook, where a warning is only printed
@pytest.mark.parametrize(("name", "words", "function"), EXTREME)
def test_what_works_only_on_ordinary_numbers_fails(name, words, function) -> None:
    """An overflow is a NumPy warning in the student's line; a clip or an added 1e-8 is a wrong number."""
    report = getattr(check, name)(function)
    assert report.status == "failed"
    assert words in repr(report)
