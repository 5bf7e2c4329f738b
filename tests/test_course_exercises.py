"""The exercises: a good student's answers pass, each usual mistake hears its own sentence, and no other does.

The students here write plain NumPy; nothing is computed by the package, so that an error in it cannot hide itself.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bradley_terry.course import check
from bradley_terry.course.predictions import PREDICTIONS

Function = Callable[..., object]


def sigma(z):
    return np.exp(-np.logaddexp(0, -z))


def nats(z):
    return np.logaddexp(0, -z)


# --------------------------------------------------------------------------------------------------- right answers


def tells_losses_apart(loss):
    rng = np.random.default_rng(1)
    chosen, rejected, shift = rng.normal(size=(3, 20))
    return np.isclose(loss(chosen, rejected), loss(chosen + 3 * shift, rejected + 3 * shift))


def by_prompt(of):
    """Make an answer to ``centring`` from what becomes of the rewards of one prompt."""

    def centred(rewards, prompts):
        result = np.zeros(rewards.size)
        for prompt in set(prompts.tolist()):
            result[prompts == prompt] = of(rewards[prompts == prompt])
        return result

    return centred


def by_counting(rewards, prompts):
    _, number = np.unique(prompts, return_inverse=True)
    return rewards - (np.bincount(number, rewards) / np.bincount(number))[number]


def share_right(z):
    return (np.mean(np.sign(z)) + 1) / 2


def search(z, lowest=-5.0):
    temperatures = np.exp(np.arange(lowest, 5, 0.005))
    return temperatures[np.argmin(nats(z / temperatures[:, None]).mean(axis=1))]


def fresh(true, z):
    return np.mean(sigma(true) * nats(z) + sigma(-true) * nats(-z))


def slope(w, c, r):
    d = c - r
    return -sigma(-(d @ w)) @ d / len(d)


def entry_by_entry(quotient):
    """Make an answer to ``central_difference`` from f, x, a step along one axis, and h."""

    def gradient(function, x, h):
        return np.array([quotient(function, x, step, h) for step in h * np.eye(x.size)])

    return gradient


def forward(parameters, features, activation=np.tanh):
    hidden = activation(features @ parameters["hidden_weights"] + parameters["hidden_bias"])
    return hidden @ parameters["output_weights"]


def bisected(dtype):
    low, high = 0.0, 2000.0
    with np.errstate(over="ignore"):
        while high - low > 0.001:
            middle = (low + high) / 2
            low, high = (middle, high) if np.isfinite(np.exp(np.array(middle, dtype=dtype))) else (low, middle)
    return low


def slow_kernel(margins):
    total, gradients = 0.0, np.zeros(margins.size)
    for i in range(margins.size):
        e = np.exp(-abs(margins[i]))
        total += np.log1p(e) + max(-margins[i], 0.0)
        gradients[i] = -(e if margins[i] > 0 else 1.0) / (1 + e) / margins.size
    return total / margins.size, gradients


@pytest.fixture(scope="module")
def fast_kernel() -> Function:
    """Compile once: it takes longer than all else here."""
    numba = pytest.importorskip("numba")
    compiled: Function = numba.njit(slow_kernel)
    return compiled


RIGHT: dict[str, Function] = {
    "probability": lambda a, b: sigma(a - b),
    "margin": lambda p: np.log(p / (1 - p)),
    "loss": nats,
    "mean_loss": lambda c, r: nats(c - r).mean(),
    "shift_invariance_test": tells_losses_apart,
    "centring": by_prompt(lambda v: v - v.mean()),
    "accuracy": share_right,
    "best_temperature": search,
    "expected_loss": fresh,
    "ceiling": lambda t: sigma(np.abs(t)).mean(),
    "training_step": lambda w, c, r, rate: w - rate * slope(w, c, r),
    "central_difference": entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x - e)) / (2 * h)),
    "reward": forward,
    "overflow_limit": lambda dtype: np.log(float(np.finfo(dtype).max)),
}

ALSO_RIGHT: list[tuple[str, Function]] = [
    ("probability", lambda a, b: (0.5 + 0.5 * np.tanh((a - b) / 2)).tolist()),
    ("margin", lambda p: 2 * np.arctanh(2 * p - 1) if p.min() > 0.001 else np.log(p)),
    ("loss", lambda z: np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z)))),
    ("mean_loss", lambda c, r: float(sum(nats(a - b) for a, b in zip(c, r, strict=True))) / len(c)),
    ("centring", by_counting),
    ("accuracy", lambda z: np.where(z > 0, 1, np.where(z < 0, 0, 0.5)).mean()),
    ("ceiling", lambda t: np.maximum(sigma(t), sigma(-t)).mean()),
    ("overflow_limit", bisected),
    ("overflow_limit", lambda dtype: np.log(np.finfo(dtype).max)),
]


def test_there_is_an_answer_to_every_exercise() -> None:
    """Each public check is named here or in ``test_course_check.py``."""
    others = {"Problem", "Report", "gradient", "prediction", "kernel"}
    assert set(RIGHT) == set(check.__all__) - others


@pytest.mark.parametrize(("name", "function"), [*RIGHT.items(), *ALSO_RIGHT])
def test_a_right_answer_passes(name, function) -> None:
    """In more than one form where people would write more than one."""
    report = getattr(check, name)(function)
    report.require()
    assert repr(report).endswith(": passed")


def test_a_right_kernel_passes(fast_kernel) -> None:
    """Two loops in one, compiled."""
    check.kernel(fast_kernel).require()


# --------------------------------------------------------------------------------------------------- wrong answers


def steps_add_up(f, x, h):
    step, found = np.zeros(len(x)), []
    for j in range(len(x)):
        step[j] = h
        found.append((f(x + step) - f(x - step)) / (2 * h))
    return np.array(found)


def not_put_back(function, x, h):
    x, slopes = x.copy(), []
    for j in range(x.size):
        x[j] += h
        up = function(x)
        x[j] -= 2 * h
        slopes.append((up - function(x)) / (2 * h))
    return slopes


def strengths(a, b):
    total = np.where(a + b == 0, 1, a + b)
    return np.where(a + b == 0, 0.5, a / total)


def without_bias(p, x):
    return np.tanh(x @ p["hidden_weights"]) @ p["output_weights"]


def late_bias(p, x):
    return (np.tanh(x @ p["hidden_weights"]) + p["hidden_bias"]) @ p["output_weights"]


def hidden(p, x):
    return np.tanh(x @ p["hidden_weights"] + p["hidden_bias"])


def stepping(how):
    """Make an answer to ``training_step`` from weights, gradient, learning rate and number of pairs."""
    return lambda w, c, r, rate: how(w, slope(w, c, r), rate, len(c))


def kernel_of(mean, gradients):
    """Make an answer to ``kernel`` from margins and their number, with the right one for what is None."""
    mean = mean or (lambda z, n: nats(z).sum() / n)
    gradients = gradients or (lambda z, n: -sigma(-z) / n)
    return lambda z: (mean(z, z.size), gradients(z, z.size))


WRONG: dict[str, list[tuple[str, Function]]] = {
    "probability": [
        ("a and b are exchanged", lambda a, b: sigma(b - a)),
        ("σ(2Δ) instead", lambda a, b: sigma(2 * (a - b))),
        ("rewards are added", lambda a, b: sigma(a + b)),
        ("only the reward of a", lambda a, b: sigma(a)),
        ("a loss, not a probability", lambda a, b: nats(a - b)),
        ("all or nothing", lambda a, b: (np.sign(a - b) + 1) / 2),
        ("taken for strengths", strengths),
    ],
    "margin": [
        ("their logarithm is still to be taken", lambda p: p / (1 - p)),
        ("log p, not log of the odds", np.log),
        ("the sign is flipped", lambda p: np.log((1 - p) / p)),
        ("base 10", lambda p: np.log10(p / (1 - p))),
        ("base 2", lambda p: np.log2(p / (1 - p))),
        ("the way there, not the way back", sigma),
        ("the probability of the other answer", lambda p: 1 - p),
        ("a straight line", lambda p: p - (1 - p)),
    ],
    "loss": [
        ("the minus is missing", lambda z: np.log(sigma(z))),
        ("turned round", lambda z: nats(-z)),
        ("base 2", lambda z: -np.log2(sigma(z))),
        ("base 10", lambda z: -np.log10(sigma(z))),
        ("a probability, not a loss", lambda z: 1 / (1 + np.exp(-z))),
        ("1 − σ(Δ) instead", lambda z: 1 - sigma(z)),
        ("the mean comes later", lambda z: nats(z) / len(z)),
        ("the hinge", lambda z: np.where(z < 1, 1 - z, 0)),
        ("the Brier score", lambda z: (1 - sigma(z)) ** 2),
        ("a clip hides the straight tail", lambda z: np.where(np.abs(z) > 100, 0, nats(z))),
        ("the added 1e-8 keeps the loss below 18.42", lambda z: -np.log(np.exp(-nats(z)) + 1e-8)),
    ],
    "mean_loss": [
        ("a sum", lambda c, r: nats(c - r).sum()),
        ("the minus is missing", lambda c, r: np.log(sigma(c - r)).mean()),
        ("chosen and rejected are exchanged", lambda c, r: nats(r - c).mean()),
        ("−log of the mean probability", lambda c, r: -np.log(sigma(c - r).mean())),
        ("−log σ(mean Δ)", lambda c, r: nats(np.mean(c) - np.mean(r))),
        ("the rejected rewards do not enter", lambda c, r: nats(c).mean()),
        ("a mean probability, not a loss", lambda c, r: sigma(c - r).mean()),
        ("the Brier score", lambda c, r: ((sigma(c - r) - 1) ** 2).mean()),
        ("divided by the number of answers", lambda c, r: nats(c - r).sum() / (len(c) + len(r))),
    ],
    "centring": [
        ("over all answers", lambda r, x: r - r.mean()),
        ("the means were added", by_prompt(lambda v: v + v.mean())),
        ("the means themselves", by_prompt(np.mean)),
        ("the largest reward", by_prompt(lambda v: v - v.max())),
        ("the sum over the prompt", by_prompt(lambda v: v - v.sum())),
        ("the first answer", by_prompt(lambda v: v - v[0])),
        ("the median", by_prompt(lambda v: v - np.median(v))),
        ("no longer in the order", lambda r, x: np.concatenate([r[x == p] - r[x == p].mean() for p in np.unique(x)])),
    ],
    "accuracy": [
        ("ties count as right", lambda z: np.mean(z >= 0)),
        ("ties count as wrong", lambda z: np.mean(z > 0)),
        ("the share of wrong answers", lambda z: 1 - share_right(z)),
        ("a number of pairs", lambda z: sum(1.0 if m > 0 else 0.5 if m == 0 else 0.0 for m in z)),
        ("the mean probability", lambda z: sigma(z).mean()),
        ("ties are left out", lambda z: np.sum(z > 0) / np.sum(z != 0)),
        ("a percentage", lambda z: 100 * share_right(z)),
        ("only the ties were divided", lambda z: np.sum(z > 0) + 0.5 * np.sum(z == 0) / len(z)),
        ("the mean of the sign", lambda z: np.sign(z).mean()),
    ],
    "best_temperature": [
        ("divided by T, not multiplied", lambda z: 1 / search(z)),
        ("T = 1 whatever", lambda z: 1.0),
        ("T² where", lambda z: search(z) ** 2),
        ("√T where", lambda z: np.sqrt(search(z))),
        ("the mean of |Δ|", lambda z: np.mean(np.abs(z))),
        ("the standard deviation", np.std),
    ],
    "expected_loss": [
        ("only the likelier outcome", lambda t, z: np.where(t >= 0, nats(z), nats(-z)).mean()),
        ("only the outcome “a preferred”", lambda t, z: np.mean(sigma(t) * nats(z))),
        ("as if a always won", lambda t, z: nats(z).mean()),
        ("p and 1 − p are exchanged", lambda t, z: fresh(-t, z)),
        ("truth and model are exchanged", lambda t, z: fresh(z, t)),
        ("the model's own probability is the weight", lambda t, z: fresh(z, z)),
        ("the entropy of the truth", lambda t, z: -np.mean(sum(p * np.log(p) for p in (sigma(t), sigma(-t))))),
        ("a sum", lambda t, z: fresh(t, z) * len(t)),
        ("the minus is missing", lambda t, z: -fresh(t, z)),
        ("used as probabilities", lambda t, z: np.mean(t * nats(z) + (1 - t) * nats(-z))),
    ],
    "ceiling": [
        ("the mean of p:", lambda t: sigma(t).mean()),
        ("the largest p", lambda t: sigma(np.abs(t)).max()),
        ("even the truth is contradicted", lambda t: 1),
        ("as if they never disagreed", lambda t: np.mean(t > 0)),
        ("guessing by p", lambda t: np.mean(sigma(t) ** 2 + sigma(-t) ** 2)),
        ("the mean was taken first", lambda t: max(sigma(t).mean(), sigma(-t).mean())),
        ("σ of the mean |Δ|", lambda t: sigma(np.abs(t).mean())),
        ("no model can get right", lambda t: sigma(-np.abs(t)).mean()),
    ],
    "training_step": [
        ("uphill", stepping(lambda w, g, rate, n: w + rate * g)),
        ("the step alone", stepping(lambda w, g, rate, n: -rate * g)),
        ("the gradient, not the new weights", stepping(lambda w, g, rate, n: g)),
        ("the learning rate is missing", stepping(lambda w, g, rate, n: w - g)),
        ("divided by the learning rate", stepping(lambda w, g, rate, n: w - g / rate)),
        ("is summed over the pairs", stepping(lambda w, g, rate, n: w - rate * n * g)),
        ("divided by the number of pairs twice", stepping(lambda w, g, rate, n: w - rate * g / n)),
        ("has length learning_rate", stepping(lambda w, g, rate, n: w - rate * g / np.linalg.norm(g))),
        ("only the sign", stepping(lambda w, g, rate, n: w - rate * np.sign(g))),
        ("no step was taken", stepping(lambda w, g, rate, n: w)),
    ],
    "central_difference": [
        ("a forward difference", entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x)) / h)),
        ("a backward difference", entry_by_entry(lambda f, x, e, h: (f(x) - f(x - e)) / h)),
        ("divided by h: the two points", entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x - e)) / h)),
        ("divided by 2 instead", entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x - e)) / 2)),
        ("not divided by 2h", entry_by_entry(lambda f, x, e, h: f(x + e) - f(x - e))),
        ("divided by h²", entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x - e)) / h**2)),
        ("the sign is flipped", entry_by_entry(lambda f, x, e, h: (f(x - e) - f(x + e)) / (2 * h))),
        ("all entries move at once", entry_by_entry(lambda f, x, e, h: (f(x + h) - f(x - h)) / (2 * h))),
        ("not put back", not_put_back),
        ("multiplied by h", entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x - e)) / 2 * h)),
        ("a second name, not a copy", lambda f, x, h: np.zeros(len(x))),
        ("the steps add up", steps_add_up),
    ],
    "reward": [
        ("the activation is missing", lambda p, x: forward(p, x, activation=lambda a: a)),
        ("the hidden bias is missing", without_bias),
        ("added after the activation", late_bias),
        ("ReLU where", lambda p, x: forward(p, x, activation=lambda a: a * (a > 0))),
        ("σ where", lambda p, x: forward(p, x, activation=sigma)),
        ("tanh of the reward as well", lambda p, x: np.tanh(forward(p, x))),
        ("a sum over the hidden units", lambda p, x: hidden(p, x).sum(axis=1)),
        ("a mean over the hidden units", lambda p, x: hidden(p, x).mean(axis=1)),
    ],
    "overflow_limit": [
        ("the largest number itself", lambda dtype: float(np.finfo(dtype).max)),
        ("base 2", lambda dtype: float(np.finfo(dtype).maxexp)),
        ("base 10", lambda dtype: np.log10(float(np.finfo(dtype).max))),
        ("falls to zero", lambda dtype: np.finfo(dtype).minexp * np.log(2)),
        ("the limit of float64", lambda dtype: 709.78),
        ("the limit of float32", lambda dtype: 88.72),
        ("−log ε", lambda dtype: -np.log(float(np.finfo(dtype).eps))),
    ],
    "kernel": [
        ("a sum", kernel_of(lambda z, n: nats(z).sum(), None)),
        ("the minus is missing", kernel_of(lambda z, n: np.log(sigma(z)).mean(), None)),
        ("turned round", kernel_of(lambda z, n: nats(-z).mean(), None)),
        ("the loss of the last pair", kernel_of(lambda z, n: nats(z[n - 1]), None)),
        ("a share of the last pair alone", kernel_of(lambda z, n: nats(z[n - 1]) / n, None)),
        ("the division by the number of pairs", kernel_of(None, lambda z, n: -sigma(-z))),
        ("the sign is flipped", kernel_of(None, lambda z, n: sigma(-z) / n)),
        ("σ(Δ) stands", kernel_of(None, lambda z, n: -sigma(z) / n)),
        ("σ′(Δ) stands", kernel_of(None, lambda z, n: -sigma(z) * (1 - sigma(z)) / n)),
        ("never filled in", kernel_of(None, lambda z, n: np.zeros(n))),
        ("losses instead of gradients", kernel_of(None, lambda z, n: nats(z))),
        ("σ(−|Δ|) everywhere", kernel_of(None, lambda z, n: -sigma(-np.abs(z)) / n)),
    ],
}

TWO_FIT = {"the mean of |Δ|"}  # this one may be named together with another

# the share of a number near 1.8e308 in a small one is too large for float64
OVERFLOWS = pytest.mark.filterwarnings("ignore:overflow encountered in divide:RuntimeWarning")


def sentences() -> dict[str, list[str]]:
    """Read off the source of check.py what each check may say after "looks like"."""
    found: dict[str, list[str]] = {}
    for top in ast.parse(inspect.getsource(check)).body:
        if isinstance(top, ast.FunctionDef):
            name = "kernel" if top.name in {"_wrong_means", "_wrong_gradients"} else top.name
            yields = [node.value for node in ast.walk(top) if isinstance(node, ast.Yield)]
            said = [ast.literal_eval(value.elts[0]) for value in yields if isinstance(value, ast.Tuple)]
            if said:
                found.setdefault(name, []).extend(said)
    return found


def rows() -> Iterator[object]:
    for name, wrong in WRONG.items():
        for words, function in wrong:
            marks = OVERFLOWS if words == "the largest number itself" else ()
            yield pytest.param(name, words, function, marks=marks, id=f"{name}: {words}")


def test_every_sentence_is_tried() -> None:
    """Each row below belongs to one sentence of check.py, and each sentence has one row."""
    known = sentences()
    assert set(known) == set(WRONG)
    for name, all_of_one in known.items():
        met = [[s for s in all_of_one if words in s] for words, _ in WRONG[name]]
        assert [len(fits) for fits in met] == [1] * len(met), name
        assert sorted(s for fits in met for s in fits) == sorted(all_of_one), name


@pytest.mark.parametrize(("name", "words", "function"), list(rows()))
def test_a_usual_mistake_hears_its_own_sentence_and_no_other(name, words, function) -> None:
    """The whole sentence, once, at the only number or array that is wrong."""
    (sentence,) = [s for s in sentences()[name] if words in s]
    report = getattr(check, name)(function)
    assert report.status == "failed"
    (problem,) = report.problems
    if words in TWO_FIT:
        assert sentence in problem.diagnosis
    else:
        assert problem.diagnosis == f"looks like: {sentence}"
    assert sentence in repr(report)
    assert problem.absolute_error == pytest.approx(abs(problem.got - problem.expected))


# ------------------------------------------------------------------------------------ the exercise of shift-invariance

REASONS: list[tuple[str, bool, str]] = [
    ("−log σ(r_c − r_r)", True, "only the difference enters"),
    ("the hinge max(0, 1 − Δ)", True, "only the difference enters"),
    ("−log σ(r_c)", False, "the rejected answer does not enter"),
    ("−log σ(−r_r)", False, "the chosen answer does not enter"),
    ("−log σ(r_c + r_r)", False, "counts twice"),
    ("−log σ(r_c − 2·r_r)", False, "does not cancel"),
    ("−log σ(Δ) + 0.01·(r_c² + r_r²)", False, "the penalty on rewards sees the shift"),
    ("−log σ(r_c,i − r_r,j) over all i, j", False, "each prompt may have a shift of its own"),
    ("−log of the share exp(r_c)/(exp(r_c) + exp(r_r) + 1)", False, "a third answer that is not shifted"),
]


def misjudging(*wrongly):
    turn = itertools.count()
    return lambda loss: bool(tells_losses_apart(loss)) != (next(turn) in wrongly)


@pytest.mark.parametrize("k", range(9))
def test_a_misjudged_loss_is_named_with_the_reason(k) -> None:
    """One of nine, the others not."""
    name, invariant, why = REASONS[k]
    report = check.shift_invariance_test(misjudging(k))
    hint, misjudged = report.message.split("misjudged:\n")
    assert report.status == "failed"
    assert misjudged.startswith(f"  {name}: is {'' if invariant else 'not '}invariant, since ")
    assert why in misjudged
    assert len(misjudged.splitlines()) == 1
    assert bool(hint) == (k == 7)


def without_shift(loss):
    rewards = np.arange(6.0).reshape(2, 3)
    return bool(np.isclose(loss(*rewards), loss(*rewards)))


def one_shift_for_all(loss):
    chosen, rejected = np.random.default_rng(1).normal(size=(2, 20))
    return bool(np.isclose(loss(chosen, rejected), loss(chosen + 3, rejected + 3)))


def two_different_shifts(loss):
    chosen, rejected, one, other = np.random.default_rng(1).normal(size=(4, 20))
    return bool(np.isclose(loss(chosen, rejected), loss(chosen + one, rejected + other)))


def to_the_last_bit(loss):
    triples = np.random.default_rng(1).normal(size=(50, 3))
    return all(bool(loss([c], [r]) == loss([c + shift], [r + shift])) for c, r, shift in triples)


TRUE, FALSE, ONE = "True to every loss", "False to every loss", "it adds one number to all rewards"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (without_shift, TRUE),
        (lambda loss: True, TRUE),
        (two_different_shifts, FALSE),
        (to_the_last_bit, FALSE),
        (lambda loss: np.False_, FALSE),
        (one_shift_for_all, ONE),
        (lambda loss: 1, "expected True or False, got int"),
        (lambda loss: str(loss([0.0], [1.0])), "expected True or False, got str"),
        (lambda loss: loss([0.0], [1.0, 2.0, 3.0], 4.0), "given −log σ(r_c − r_r): TypeError in line"),
    ],
)
def test_a_test_of_losses_that_is_no_test_hears_why(function, words) -> None:
    """What it does wrong is seen from which losses it misjudges."""
    report = check.shift_invariance_test(function)
    assert words in repr(report)
    assert sum(hint in repr(report) for hint in (TRUE, FALSE, ONE)) == (words in {TRUE, FALSE, ONE})
    assert not report.passed


@pytest.mark.parametrize("wrongly", [(0, 2), (1, 4, 8), (2, 7), (0, 7), (5, 6)])
def test_other_patterns_of_misjudged_losses_get_no_hint(wrongly) -> None:
    """They are listed, that is all."""
    report = check.shift_invariance_test(misjudging(*wrongly))
    assert report.message.startswith("misjudged:\n")
    assert len(report.message.splitlines()) == 1 + len(wrongly)


# ------------------------------------------------------------------------------------------------ hints of the kernel


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (slow_kernel, "the numbers are right, but it is plain Python: put @njit on the line above def"),
        (lambda z: slow_kernel(np.nan_to_num(z)), "given a NaN: it gives a number back"),
        (lambda z: (slow_kernel(z)[0], np.nan_to_num(slow_kernel(z)[1])), "given a NaN: it gives a number back"),
        (lambda z: (nats(z[~np.isnan(z)]).mean(), slow_kernel(z)[1]), "given a NaN: it gives a number back"),
        (lambda z: list(slow_kernel(z)), "expected a mean loss and an array of gradients, got list"),
        (lambda z: slow_kernel(z)[0], "expected a mean loss and an array of gradients, got float"),
        (lambda z: (nats(z), slow_kernel(z)[1]), "mean loss: expected one real number, got shape (7,)"),
        (lambda z: (slow_kernel(z)[0], 0.5), "gradients: expected real numbers of shape (7,), got shape ()"),
        (
            kernel_of(lambda z, n: np.log(1 + np.exp(-z)).mean(), None),
            "at margins of ±1000: a NumPy warning in line",
        ),
    ],
)
def test_a_kernel_that_is_nearly_right_hears_what_is_missing(function, words) -> None:
    """Compiled, NaN kept, two answers, and no overflow."""
    report = check.kernel(function)
    assert words in repr(report)
    assert "looks like" not in repr(report)
    assert report.status == "failed"


def test_two_mistakes_of_a_kernel_are_named_each_in_its_place() -> None:
    """The loss and its gradients are judged apart."""
    report = check.kernel(kernel_of(lambda z, n: nats(z).sum(), lambda z, n: sigma(-z) / n))
    loss, gradients = report.problems
    assert (loss.parameter, gradients.parameter) == ("mean loss", "gradients")
    assert "a sum" in loss.diagnosis
    assert "the sign is flipped" in gradients.diagnosis


# -------------------------------------------------------------------------------------------- no diagnosis if unknown

UNKNOWN: list[tuple[str, Function]] = [
    ("probability", lambda a, b: sigma(0.5 * (a - b))),
    ("probability", lambda a, b: np.clip(0.5 + (a - b) / 10, 0, 1)),
    ("probability", lambda a, b: 0.5 + np.arctan(a - b) / np.pi),
    ("margin", lambda p: np.log(p) / (1 - p)),
    ("margin", lambda p: 4 * (p - 0.5)),
    ("margin", lambda p: np.log(p / (1 - p) + 0.01)),
    ("loss", lambda z: nats(z - 1)),
    ("loss", lambda z: np.exp(-z)),
    ("loss", lambda z: np.log(1 + np.exp(z)) ** 2),
    ("mean_loss", lambda c, r: np.median(nats(c - r))),
    ("mean_loss", lambda c, r: nats(c - r).max()),
    ("mean_loss", lambda c, r: nats(2 * (c - r)).mean()),
    ("centring", by_prompt(lambda v: v - v.min())),
    ("centring", by_prompt(lambda v: v / v.mean())),
    ("centring", by_prompt(lambda v: v - v.sum() / (v.size + 1))),
    ("accuracy", lambda z: np.mean(z > 0.5)),
    ("accuracy", lambda z: np.mean(z > 0) / np.mean(z < 0)),
    ("accuracy", lambda z: np.mean(z > 0) + 0.25 * np.mean(z == 0)),
    ("best_temperature", lambda z: 3 * search(z)),
    ("best_temperature", lambda z: np.abs(z).max()),
    ("best_temperature", lambda z: 0.3),
    ("expected_loss", lambda t, z: nats(t).mean()),
    ("expected_loss", lambda t, z: np.mean((sigma(t) - sigma(z)) ** 2)),
    ("expected_loss", lambda t, z: fresh(t, z) - fresh(t, t)),
    ("ceiling", lambda t: np.abs(t).mean()),
    ("ceiling", lambda t: sigma(2 * np.abs(t)).mean()),
    ("ceiling", lambda t: np.sqrt(np.mean(sigma(t) ** 2))),
    ("training_step", stepping(lambda w, g, rate, n: w - rate * 2 * g)),
    ("training_step", stepping(lambda w, g, rate, n: (1 - rate) * w - rate * g)),
    ("training_step", stepping(lambda w, g, rate, n: w - rate * g[::-1])),
    ("central_difference", entry_by_entry(lambda f, x, e, h: (f(x + e / 2) - f(x - e / 2)) / (2 * h))),
    ("central_difference", entry_by_entry(lambda f, x, e, h: (f(x + 2 * e) - f(x)) / (2 * h))),
    ("central_difference", lambda f, x, h: 3 * x**2),
    ("reward", lambda p, x: forward(p, x, activation=np.sin)),
    ("reward", lambda p, x: forward(p, -x)),
    ("reward", lambda p, x: hidden(p, x).max(axis=1)),
    ("overflow_limit", lambda dtype: 0.5 * np.log(float(np.finfo(dtype).max))),
    ("overflow_limit", lambda dtype: float(np.finfo(dtype).bits)),
    ("overflow_limit", lambda dtype: 100.0),
    ("kernel", kernel_of(lambda z, n: np.median(nats(z)), lambda z, n: -sigma(-z) / (n + 1))),
    ("kernel", kernel_of(lambda z, n: nats(z).sum() / (n - 1), lambda z, n: -sigma(-2 * z) / n)),
    ("kernel", kernel_of(lambda z, n: nats(2 * z).mean(), lambda z, n: z / n)),
]


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
    """Right answers stretched and shaken, and numbers out of the air."""
    rng = np.random.default_rng(seed)

    def shaken(*arguments):
        right = np.asarray(RIGHT[name](*arguments), dtype=np.float64)
        return rng.uniform(1.2, 1.9) * right * rng.uniform(1.0, 1.5, right.shape) + 0.1 * rng.normal(size=right.shape)

    def out_of_the_air(*arguments):
        return 3 * rng.normal(size=np.shape(RIGHT[name](*arguments)))

    for function in (shaken, out_of_the_air):
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
    "best_temperature": ["of an overconfident model: ", "of a shy model: "],
    "expected_loss": ["", "where the model is the truth: ", "at margins of 800 and -900: "],
    "ceiling": ["", "where people toss a coin: "],
    "training_step": ["", ""],
    "central_difference": ["with h = 0.1: ", "with h = 1e-5: "],
    "reward": ["", ""],
    "overflow_limit": ["for float64: ", "for float32: ", "for float16: "],
    "kernel": ["", "for a single pair: ", "for 1,000 pairs: ", "at margins of ±1000: "],
}
# where all margins are 0, a variant without ties is the mean of nothing
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
    """One that is wrong in the k-th alone fails there, and the report says where."""
    turn = itertools.count()
    right = RIGHT.get(name, slow_kernel)

    def wrong_once(*arguments):
        answer, is_wrong = right(*arguments), next(turn) == k
        return (answer[0] + is_wrong, answer[1]) if name == "kernel" else np.asarray(answer) + is_wrong

    report = getattr(check, name)(wrong_once)
    assert report.status == "failed"
    assert re.match(
        re.escape(note) + r"(the number is wrong|these entries are wrong, the worst of each):", report.message
    )
    assert next(turn) == k + 1


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("sign", [1, -1])
def test_tolerances_are_what_the_docstrings_say(name, sign) -> None:
    """A share of 1e-6 of each number, unless the exercise says 1 % or 0.1 %."""
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
    ("best_temperature", "of a shy model: ", lambda z: search(z, lowest=0.0)),
    ("central_difference", "with h = 1e-5: ", entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x - e)) / 0.2)),
]


@pytest.mark.filterwarnings("default::RuntimeWarning")  # as in a notebook, where a warning is only printed
@pytest.mark.parametrize(("name", "words", "function"), EXTREME)
def test_what_works_on_tame_numbers_only_is_found_out(name, words, function) -> None:
    """Overflow is a NumPy warning in the student's line; a clip or a grain is a wrong number."""
    report = getattr(check, name)(function)
    assert report.status == "failed"
    assert words in repr(report)


# ------------------------------------------------------------------------------------------------------------- manners

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
    """Neither right nor wrong, and nothing more is said; None may also be a forgotten return, and that is said."""
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
    """By number and text, with the shapes that were given, and without our frames."""
    lines, first = inspect.getsourcelines(function)
    report = getattr(check, name)(function)
    assert report.status == "error"
    assert f"{error} in line {first + 1} of {function.__name__}, `{lines[1].strip()}`" in report.message
    assert f"it was given {MANNERS[name][0].partition(',')[0]} " in report.message
    assert "Traceback" not in report.message
    assert "check.py" not in report.message


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
def test_what_cannot_be_called_so_is_told_how_it_will_be(name, function, words) -> None:
    """Before anything is computed."""
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
def test_what_is_no_array_of_numbers_of_that_shape_is_refused(name, spoil, words) -> None:
    """Shape, kind and NaN come before any comparison."""
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
        ("mean_loss", ["rewards_chosen", "rewards_rejected"]),
        ("centring", ["rewards", "prompts"]),
        ("accuracy", ["margins"]),
        ("best_temperature", ["margins"]),
        ("expected_loss", ["true_margins", "margins"]),
        ("ceiling", ["true_margins"]),
        ("training_step", ["weights", "chosen", "rejected"]),
        ("central_difference", ["function", "x"]),
        ("reward", ["parameters", "features"]),
        ("kernel", ["margins"]),
    ],
)
def test_an_input_changed_in_place_is_noticed_even_if_the_answer_is_right(name, names) -> None:
    """Each of them, by its name; a dict by its entries."""
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
def test_prints_are_swallowed_and_the_report_is_not(name, capsys) -> None:
    """A print in a loop would drown it; what is printed before and after the check stays."""

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
    """Within the limit that was set, in one call or in a late one."""

    def endless(*_):
        while True:
            time.sleep(0.001)

    start = time.perf_counter()
    report = getattr(check, name)(endless, time_limit=0.3)
    assert 0.3 <= time.perf_counter() - start < 3
    assert report.status == "error"
    assert "no answer within 0.3 seconds: is there an endless loop?" in report.message


# --------------------------------------------------------------------------------------------------------- predictions


def test_every_question_has_three_choices_and_a_reply_to_each() -> None:
    """Under the same letters, and no two alike."""
    for number, asked in PREDICTIONS.items():
        assert re.fullmatch(r"0[1-9]\.[1-9]", number)
        assert asked.question.endswith("?")
        assert list(asked.choices) == list(asked.options) == ["a", "b", "c"]
        assert asked.right in asked.choices
        assert len(set(asked.choices.values())) == len(set(asked.options.values())) == 3
        assert all(text.endswith(".") for text in (*asked.choices.values(), *asked.options.values()))


HALF_RIGHT = {("02.1", "c"): "It is pair B, but only by a little"}


def test_the_right_reply_alone_begins_with_yes() -> None:
    """The others begin with No, but for one that is half right and says so."""
    for number, asked in PREDICTIONS.items():
        assert [letter for letter, reply in asked.options.items() if reply.startswith("Yes")] == [asked.right], number
        for letter, reply in asked.options.items():
            if letter != asked.right:
                assert reply.startswith(HALF_RIGHT.get((number, letter), "No. ")), (number, letter)


@pytest.mark.parametrize("number", PREDICTIONS)
def test_a_guess_is_answered(number) -> None:
    """Passed or failed with the reply, whatever the case of the letter; an error if there is no such letter."""
    asked = PREDICTIONS[number]
    for letter in "abc":
        for said in (letter, f" {letter.upper()} "):
            report = check.prediction(number, said)
            assert report.status == ("passed" if letter == asked.right else "failed")
            assert report.message == asked.options[letter]
            assert repr(report).startswith(f"prediction {number}: {report.status}\n")
    assert check.prediction(number, None).status == "not attempted"
    for nothing in ("d", "", "ab", 1, 0.5, ["a"]):
        report = check.prediction(number, nothing)
        assert report.status == "error"
        assert report.message == f"expected one of 'a', 'b', 'c', got {nothing!r}"


def test_an_unknown_question_is_our_error() -> None:
    """The lesson asks for it, not the student."""
    with pytest.raises(ValueError, match=r"^question: expected one of 01\.1, 02\.1, .*, got '99\.9'$"):
        check.prediction("99.9", "a")


P, ROUNDING = 0.7, np.finfo(np.float64).eps / 2
HARD, EASY = -np.log(0.99), -np.log(0.7)  # nats of a hit: sure, and less so
LIMIT_64, LIMIT_32 = np.log(np.finfo(np.float64).max), np.log(float(np.finfo(np.float32).max))

NUMBERS: dict[str, dict[str, float]] = {
    "01.1": {
        "1": 2.0 - 1.0,
        "2": 4.0 - 2.0,
        "0.731": sigma(1.0),
        "1.46": 2 * sigma(1.0),
        "0.881": sigma(2.0),
    },
    "02.1": {"1.7": 3.2 - 1.5, "1.5": -0.5 - -2.0, "0.168": nats(3.2 - 1.5), "0.201": nats(-0.5 - -2.0)},
    "03.1": {"7": 7, "4": 4, "5": 7 - 2, "1": 1, "2": 7 - 5, "3": 7 - 4, "0.95": sigma(7.0 - 4.0)},
    "03.2": {"1": 1},
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
        "30": 100 * (1 - P),
        "0.7": P,
        "0.3": 1 - P,
        "0.357": -np.log(P),
        "1.204": -np.log(1 - P),
        "0.611": -P * np.log(P) - (1 - P) * np.log(1 - P),
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
    },
}


@pytest.mark.parametrize("number", PREDICTIONS)
def test_every_number_in_a_choice_or_reply_is_true(number) -> None:
    """Each is computed here, and rounds to what is printed; none is left out, none is there in vain."""
    asked = PREDICTIONS[number]
    text = " ".join([*asked.choices.values(), *asked.options.values()]).replace("float32", "").replace("float64", "")
    printed = re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?", text)
    assert set(printed) == set(NUMBERS[number])
    for literal, value in NUMBERS[number].items():
        mantissa, _, exponent = literal.partition("e")
        rounded = f"{value:.{len(mantissa.partition('.')[2])}{'e' if exponent else 'f'}}"
        assert float(rounded) == float(literal), literal


def test_rewards_are_shifted_and_doubled_as_the_replies_say() -> None:
    """01.1: odds are squared; 03.1: −5 for one prompt moves no margin; 03.2: at the least loss any factor costs."""
    assert sigma(2.0) / sigma(-2.0) == pytest.approx((sigma(1.0) / sigma(-1.0)) ** 2)
    chosen, rejected = np.random.default_rng(3).normal(size=(2, 50))
    differences, best = np.random.default_rng(4).normal(0.3, 1.0, size=(80, 2)), np.zeros(2)
    for _ in range(2000):
        best = best + sigma(-(differences @ best)) @ differences / 80
    least = nats(differences @ best).mean()
    assert all(nats(factor * (differences @ best)).mean() > least for factor in (0.5, 0.9, 1.1, 2.0))
    first = np.arange(50) < 25
    assert nats(np.where(first, chosen - 5, chosen) - np.where(first, rejected - 5, rejected)) == pytest.approx(
        nats(chosen - rejected)
    )


def test_the_entropy_is_the_least_expected_loss() -> None:
    """05.1: of all predictions, 0.7 costs least, and it costs 0.611."""
    q = np.linspace(0.001, 0.999, 999)
    costs = -P * np.log(q) - (1 - P) * np.log(1 - q)
    assert q[costs.argmin()] == pytest.approx(0.7)
    assert costs.min() == pytest.approx(0.611, abs=5e-4)


def test_a_step_of_1e_12_is_some_ten_million_times_worse() -> None:
    """07.1: the median error of central differences of the loss, against its derivative, some ten million times."""
    z = np.random.default_rng(7).normal(size=200)
    error = {h: np.median(np.abs((nats(z + h) - nats(z - h)) / (2 * h) + sigma(-z))) for h in (1e-5, 1e-12)}
    assert 1e6 < error[1e-12] / error[1e-5] < 1e8


def test_a_line_has_no_top_in_the_middle_and_more_choices_give_it_none() -> None:
    """08.1: fitted to 600 and to 6,000 choices it loses as much to the truth, to a fiftieth."""
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


def test_pulls_at_the_least_loss_are_unequal_and_cancel() -> None:
    """06.1: along the one weight the pulls add up to zero, from hardly any to nearly full force."""
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


def test_no_student_here_calls_the_package() -> None:
    """Only the checks and the predictions are imported."""
    imports = [node for node in ast.walk(ast.parse(Path(__file__).read_text(encoding="utf-8")))
               if isinstance(node, ast.ImportFrom)]  # fmt: skip
    ours = {
        (node.module, alias.name) for node in imports for alias in node.names if "bradley_terry" in str(node.module)
    }
    assert ours == {("bradley_terry.course", "check"), ("bradley_terry.course.predictions", "PREDICTIONS")}
