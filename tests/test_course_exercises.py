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
from students import (
    ALSO_RIGHT,
    RIGHT,
    UNKNOWN,
    WRONG,
    Function,
    balanced,
    best_margin,
    by_prompts,
    entry_by_entry,
    nats,
    on_a_grid,
    search,
    sigma,
    slow_kernel,
)

import bradley_terry as bt
from bradley_terry.course import check


def test_there_is_an_answer_to_every_exercise() -> None:
    """Each public check is tried here, or in one of ``test_course_{check,bug_and_ridge,training}.py``."""
    others = {"Problem", "Report", "causes", "gradient", "prediction", "kernel", "middle_is_best", "name_the_bug"}
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

TRUE_OR_FALSE = {"depends_on_differences"}  # its answer is no number
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


@pytest.mark.parametrize("name", [name for name in RIGHT if name not in {"shift_invariance_test", *TRUE_OR_FALSE}])
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
    "slope": ["", "at other margins: ", "at margins of 1000, -1000 and 40: "],
    "mean_loss": ["", "at rewards of ±900: "],
    "centring": ["", "in another order: ", "for 30 answers to 4 prompts: "],
    "accuracy": ["", "where all margins are 0: "],
    "best_temperature": [
        "for an overconfident model: ",
        "for an underconfident model: ",
        "for 100 margins of size about 1.39: ",
        "for 50 margins of size about 16.06: ",
        "for 80 margins of size about 0.04: ",
        "for 500 margins of size about 4.22: ",
        "for 20 margins of size about 0.49: ",
        "for 200 margins of size about 6.81: ",
        "for 60 margins of size about 0.06: ",
        "for 150 margins of size about 2.15: ",
    ],
    "minimiser": [
        "for the squared loss (1 − Δ)² and p = 0.35: ",
        "for −log σ(Δ) and p = 0.8: ",
        "for −log σ(Δ) and p = 0.3: ",
        "for the hinge max(0, 1 − Δ) and p = 0.6: ",
        "for the hinge max(0, 1 − Δ) and p = 0.95: ",
        "for the hinge max(0, 1 − Δ) and p = 0.2: ",
        "for exp(−Δ) and p = 0.9: ",
        "for the squared loss (1 − Δ)² and p = 0.9: ",
        "for −log σ(Δ/3) and p = 0.65: ",
        "for −log σ(Δ) and p = 0.9999: ",
    ],
    "expected_loss": ["", "where the model is the truth: ", "at margins of 800 and -900: "],
    "interval_by_prompts": ["", "with 150 pairs of 12 prompts: ", "where each prompt has one pair: "],
    "ceiling": ["", "where every choice is a coin flip: "],
    "equilibrium": [
        "",
        "where the balance is far from 0: ",
        "with long differences: ",
        "with a million pairs against one: ",
    ],
    "training_step": ["", "right with learning rate 0.25; with 3: "],
    "central_difference": ["with h = 0.1: ", "with h = 1e-5: "],
    "reward": [
        "",
        "right with 5 answers, 3 features and 4 hidden units; with 2 answers, 4 features and 3 hidden units: ",
    ],
    "format_limits": [
        "for 5 bits of exponent and 10 of fraction (float16): ",
        "for 8 bits of exponent and 7 of fraction (bfloat16): ",
        "for 8 bits of exponent and 23 of fraction (float32): ",
        "for 11 bits of exponent and 52 of fraction (float64): ",
        "for 6 bits of exponent and 9 of fraction (another): ",
    ],
    "margin_gradient": ["", "with 5 pairs of 7 answers: ", "with 12 pairs of 5 answers: ", "at rewards of ±1000: "],
    "ranking_loss": [
        "",
        "for four answers: ",
        "for two answers: ",
        "for eight answers: ",
        "at rewards of 1000, 0 and -1000: ",
        "at rewards of -1000, 0 and 1000: ",
    ],
    "overflow_limit": ["for float64: ", "for float32: ", "for float16: "],
    "kernel": ["", "for a single pair: ", "for 1,000 pairs: ", "at margins of ±1000: "],
    "tilted_policy": [
        "for one prompt: ",
        "for three prompts: ",
        "with β = 1e6: ",
        "at rewards of ±1,000,000: ",
        "where the reference never gives the answer with the highest reward: ",
    ],
    "choose_beta": [
        "where the limit decides: ",
        "where the limit does not decide: ",
        "where the proxy is nearly right and there is no limit: ",
        "for one prompt: ",
    ],
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
    """The allowed relative error is 1e-6, unless the exercise says 1 % to 0.01 %, or wants a formula."""
    coarse = {"best_temperature": 0.01, "minimiser": 0.01, "overflow_limit": 1e-3, "format_limits": 1e-3}
    allowed = (coarse | {"interval_by_prompts": 1e-4, "equilibrium": 1e-4, "slope": 1e-12}).get(name, 1e-6)
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


def softmax_of_plain_numbers(p, r, beta):
    weights = p * np.exp(r / beta)
    return weights / weights.sum(axis=-1, keepdims=True)


def softmax_below_the_largest(p, r, beta):
    return softmax_of_plain_numbers(p, r - r.max(axis=-1, keepdims=True), beta)


EXTREME: list[tuple[str, str, Function]] = [
    ("probability", "at rewards of ±1000: a NumPy warning", lambda a, b: np.exp(a) / (np.exp(a) + np.exp(b))),
    ("margin", "at tiny probabilities: ", lambda p: np.log((p + 1e-16) / (1 - p))),
    ("loss", "at margins of 1000, -1000 and 40: a NumPy warning", lambda z: np.log(1 + np.exp(-z))),
    ("loss", "got 18.4207, expected 1000", lambda z: -np.log(sigma(z) + 1e-8)),
    ("slope", "at margins of 1000, -1000 and 40: a NumPy warning", lambda z: -1 / (1 + np.exp(z))),
    ("slope", "at margins of 1000, -1000 and 40: a NumPy warning", lambda z: -np.exp(-z) / (1 + np.exp(-z))),
    ("slope", "are margins clipped too early?", lambda z: -1 / (1 + np.exp(np.clip(z, -20, 20)))),
    ("slope", "is it a difference quotient", lambda z: (nats(z + 1e-5) - nats(z - 1e-5)) / 2e-5),
    ("slope", "is it a difference quotient", lambda z: (nats(z + 1e-6) - nats(z)) / 1e-6),
    ("mean_loss", "at rewards of ±900: a NumPy warning", lambda c, r: np.log(1 + np.exp(r - c)).mean()),
    ("mean_loss", "at rewards of ±900: the number is wrong", lambda c, r: nats(np.clip(c - r, -50, 50)).mean()),
    (
        "expected_loss",
        "at margins of 800 and -900: a NumPy warning",
        lambda t, z: -np.mean(sigma(t) * np.log(sigma(z)) + sigma(-t) * np.log(1 - sigma(z))),
    ),
    ("best_temperature", "for an underconfident model: ", lambda z: search(z, lowest=0.0)),
    (
        "interval_by_prompts",
        "with 150 pairs of 12 prompts: ",
        lambda y, x: by_prompts(y, x if y.size == 18 else np.arange(y.size)),
    ),
    ("equilibrium", "where the balance is far from 0: ", lambda n, d: np.clip(balanced(n, d), -3, 3)),
    ("equilibrium", "with a million pairs against one: ", lambda n, d: np.clip(balanced(n, d), -500, 500)),
    ("minimiser", "p = 0.9999: ", lambda loss, p: best_margin(loss, p, reach=5.0)),
    ("ranking_loss", "at rewards of 1000, 0 and -1000: ", students.from_exponentials),
    ("ranking_loss", "at rewards of 1000, 0 and -1000: ", lambda r: -np.log(students.product_of_choices(r))),
    ("central_difference", "with h = 1e-5: ", entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x - e)) / 0.2)),
    ("tilted_policy", "at rewards of ±1,000,000: a NumPy warning", softmax_of_plain_numbers),
    ("tilted_policy", "the answer with the highest reward: a NumPy warning", softmax_below_the_largest),
]


@pytest.mark.filterwarnings("default::RuntimeWarning")  # as in a notebook, where a warning is only printed
@pytest.mark.parametrize(("name", "words", "function"), EXTREME)
def test_what_works_only_on_ordinary_numbers_fails(name, words, function) -> None:
    """An overflow is a NumPy warning in the student's line; a clip or an added 1e-8 is a wrong number."""
    report = getattr(check, name)(function)
    assert report.status == "failed"
    assert words in repr(report)


@pytest.mark.parametrize("per_decade", [10, 30, 40, 60, 77])
def test_a_coarse_grid_of_temperatures_does_not_pass_by_luck(per_decade) -> None:
    """77 points per decade are 3 % apart. Wherever the grid starts, it misses one of the models by more than 1 %.

    For the first two models alone, grids of 30, 40 and 60 points per decade are right if they start in the right place.
    """
    for start in np.arange(0, 1, 0.05):
        grid = 10 ** (-3 + (start + np.arange(6 * per_decade)) / per_decade)
        report = check.best_temperature(lambda z, grid=grid: grid[np.argmin(nats(z[:, None] / grid).mean(axis=0))])
        assert report.status == "failed"


@pytest.mark.parametrize("constant", [-0.3, 1.0, 1.386, -0.847, 9.21])
def test_one_margin_for_every_loss_and_share_fails(constant) -> None:
    """Each of these is the right answer to one of the questions."""
    assert check.minimiser(lambda loss, p: constant).status == "failed"


def test_a_formula_or_a_coarse_grid_is_no_minimiser() -> None:
    """The formula of one loss fails for the others, in the package's words as well; so do steps of 0.01 or more."""
    for formula in (bt.logit, lambda p: 2 * p - 1, lambda p: np.sign(p - 0.5)):
        assert check.minimiser(lambda loss, p, formula=formula: formula(p)).status == "failed"
    for step in (0.01, 0.02, 0.025, 0.05, 0.1):
        assert check.minimiser(lambda loss, p, step=step: on_a_grid(loss, p, step=step)).status == "failed"
    check.minimiser(lambda loss, p: on_a_grid(loss, p, step=0.001)).require()
    assert check.minimiser(lambda loss, p: on_a_grid(loss, p, reach=5.0)).message.startswith(
        "for −log σ(Δ) and p = 0.9"
    )


# ------------------------------------------------------------------------------------------------------- in NumPy


def test_an_answer_that_calls_the_package_does_not_pass() -> None:
    """Lesson 11 asks for NumPy. A helper of the student, an import inside the function, and a closure are seen too."""

    def helper(rewards):
        return bt.losses.PlackettLuce().ranking_losses(rewards[None], np.array([rewards.size - 1]))[0]

    def imported(rewards):
        from bradley_terry.losses import PlackettLuce

        return PlackettLuce().ranking_losses(rewards[None], np.array([rewards.size - 1]))[0]

    def slopes(rewards, chosen, rejected, target_margins):
        margins = rewards[chosen] - rewards[rejected]
        each = bt.pair_loss_gradients(margins, target_margins=target_margins) / len(chosen)
        return np.bincount(chosen, each, rewards.size) - np.bincount(rejected, each, rewards.size)

    for name, function in (
        ("ranking_loss", helper),
        ("ranking_loss", lambda rewards: float(helper(rewards))),
        ("ranking_loss", imported),
        ("margin_gradient", slopes),
    ):
        report = getattr(check, name)(function)
        assert report.status == "failed"
        assert "the numbers are right, but your function calls " in report.message


def test_a_ranking_loss_is_checked_against_the_published_number() -> None:
    """Rewards 2, 1, 0: .720868, which is log(1 + e⁻¹ + e⁻²) + log(1 + e⁻¹). A NumPy warning on the way is a note."""
    np.testing.assert_allclose(students.plackett_luce(np.array([2.0, 1.0, 0.0])), 0.720868, atol=5e-7)
    assert check.ranking_loss(lambda r: 0.720868).message.startswith("for four answers: ")

    def warns(rewards):
        np.exp(np.float64(1000.0))
        return students.plackett_luce(rewards)

    assert check.ranking_loss(warns).status == "passed with a note"
