"""Exercises of lesson 5: the expected loss, an interval computed from prompts, and the ceiling of the accuracy."""

from __future__ import annotations

import numpy as np

from ...intervals import wilson_intervals
from ...logistic import Array, sigmoid
from ...losses import pair_losses
from ...preference import accuracy_ceiling
from ...preference import expected_loss as right_expected_loss
from ..engine import LIMIT, Case, Report, Student, Wrong, check_values
from .by_hand import by_hand

__all__ = ["ceiling", "expected_loss", "interval_by_prompts"]

ALLOWED, ALSO = frozenset({"pair_losses", "sigmoid"}), frozenset({"preference_probability"})
TWO_SIDED_95 = 1.96  # standard errors on either side, as the exercise says; the quantile 1.959964 passes, too


def expected_loss(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(true_margins, margins) -> one number, the mean loss over an unlimited number of new choices.

    The choices come from people whose rewards differ by the true margins. Of this package, the function may use only
    the loss of a pair and the sigmoid.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> report = check.expected_loss(lambda true, margins: np.mean(np.logaddexp(0, -margins)))
    >>> report.problems[0].diagnosis
    'looks like: the loss as if everyone chose a: p is not used'
    """
    true, model = np.array([2.0, -1.0, 0.5, 0.25]), np.array([1.0, 0.5, 0.5, -3.0])
    cases: list[Case] = [((true, model), ""), ((true, true), "where the model is the truth: ")]
    cases.append(((np.array([1.0, -2.0]), np.array([800.0, -900.0])), "at margins of 800 and -900: "))

    def wrong(true: Array, z: Array) -> Wrong:
        p, q, if_a, if_b = sigmoid(true), sigmoid(-true), pair_losses(z), pair_losses(-z)
        right = p * if_a + q * if_b
        yield (
            "only the likelier outcome was counted: the other one happens too",
            np.mean(np.where(true >= 0, if_a, if_b)),
        )
        yield (
            "only the outcome “a preferred” was counted, with weight p: the other one happens too",
            np.mean(p * if_a),
        )
        yield "the loss as if everyone chose a: p is not used", np.mean(if_a)
        yield "p and 1 − p are exchanged", np.mean(q * if_a + p * if_b)
        yield "truth and model are exchanged", right_expected_loss(z, true)
        yield (
            "the model's own probabilities are the weights: use those of the true margins",
            right_expected_loss(z, z),
        )
        yield (
            "the entropy of the true preferences, the floor of the loss: the model is not used",
            right_expected_loss(true, true),
        )
        yield "a sum instead of a mean: divide by the number of pairs", np.sum(right)
        yield "the minus sign is missing", -np.mean(right)
        yield (
            "the true margins are used as probabilities: apply σ to them first",
            np.mean(true * if_a + (1 - true) * if_b),
        )

    names = ("true_margins", "margins")
    report = check_values(
        "expected loss", function, names, cases, right_expected_loss, wrong, time_limit, warnings_fail=True
    )
    return by_hand(report, function, names, cases, time_limit, ALLOWED, ALSO)


def ceiling(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(true_margins) -> the highest pairwise accuracy that any model can expect.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> check.ceiling(lambda true_margins: 1.0).problems[0].diagnosis
    'looks like: 1: even the true rewards are contradicted by some of the choices'
    """
    true = np.array([3.0, -1.0, 0.5, 0.0, -2.0])

    def wrong(true: Array) -> Wrong:
        p = sigmoid(true)
        yield "the mean of p: where p < ½ the best guess is the other answer", np.mean(p)
        yield "the largest p: the ceiling is a mean over all pairs", np.max(np.maximum(p, 1 - p))
        yield "1: even the true rewards are contradicted by some of the choices", 1.0
        yield "the share of true margins above 0, which treats people as if they never disagreed", np.mean(true > 0)
        yield (
            "the mean of p² + (1 − p)²: that is guessing a with probability p, not always the likelier answer",
            np.mean(p**2 + (1 - p) ** 2),
        )
        yield (
            "the mean of p was taken first: which answer is likelier differs from pair to pair",
            max(np.mean(p), 1 - np.mean(p)),
        )
        yield "σ of the mean |Δ|: average the probabilities, not the margins", sigmoid(np.abs(true).mean())
        yield (
            "the mean of min(p, 1 − p): the share of choices that no model can get right",
            np.mean(np.minimum(p, 1 - p)),
        )

    cases = [((true,), ""), ((np.zeros(3),), "where every choice is a coin flip: ")]
    return check_values("ceiling", function, ("true_margins",), cases, accuracy_ceiling, wrong, time_limit)


def interval_by_prompts(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(correct, prompts) -> (low, high), a 95 % interval of the accuracy that counts prompts, not pairs.

    Let p be the share of correct pairs among all n pairs. The deviations correct - p are added up within each prompt,
    because only the sums S of different prompts are independent. The standard error is √(Σ S²)/n, and the interval is
    p ± 1.96 standard errors. With one pair in each prompt, it is the usual interval p ± 1.96·√(p(1 - p)/n).

    Parameters
    ----------
    function : callable
        ``correct`` is 1.0 where the model is right and 0.0 where it is wrong, (n_pairs,). ``prompts`` are numbers in
        any order, (n_pairs,).
    time_limit : float, seconds
        Longest time for one call, where the system can interrupt it.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> def interval(correct, prompts):
    ...     share = correct.mean()
    ...     error = np.sqrt(share * (1 - share) / len(correct))
    ...     return share - 1.96 * error, share + 1.96 * error
    >>> print(check.interval_by_prompts(interval).problems[0].diagnosis)
    looks like: the interval of independent pairs:
    first add up the deviations within each prompt, then square
    """
    correct = np.array([1, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 1, 1, 1], dtype=np.float64)
    prompts = np.array([4, 4, 9, 2, 2, 9, 4, 9, 7, 4, 2, 7, 11, 2, 4, 9, 7, 30])
    rng = np.random.default_rng(5)
    many = rng.integers(12, size=150)
    rate = np.where(np.arange(12) % 2 == 0, 0.85, 0.35)[many]
    cases: list[Case] = [
        ((correct, prompts), ""),
        (((rng.random(150) < rate).astype(np.float64), 100 - 3 * many), "with 150 pairs of 12 prompts: "),
        ((correct[::-1].copy(), np.arange(18)), "where each prompt has one pair: "),
    ]
    return check_values(
        "interval", function, ("correct", "prompts"), cases, _interval, _wrong_intervals, time_limit, tolerance=1e-4
    )


def _ends(middle: float, error: float, times: float = TWO_SIDED_95) -> Array:
    return np.array([middle - times * error, middle + times * error])


def _interval(correct: Array, prompts: Array) -> Array:
    p = float(np.mean(correct))
    sums = [np.sum(correct[prompts == prompt] - p) for prompt in np.unique(prompts)]
    return _ends(p, float(np.sqrt(np.sum(np.square(sums)))) / correct.size)


def _wrong_intervals(correct: Array, prompts: Array) -> Wrong:
    p, n = float(np.mean(correct)), correct.size
    groups = [correct[prompts == prompt] for prompt in np.unique(prompts)]
    k, shares = len(groups), np.array([group.mean() for group in groups])
    sums = np.array([np.sum(group - p) for group in groups])
    error = float(np.sqrt(np.sum(sums**2))) / n
    yield (
        "the interval of independent pairs: first add up the deviations within each prompt, then square",
        _ends(p, np.sqrt(p * (1 - p) / n)),
    )
    yield (
        "Wilson's interval of independent pairs: the prompts are not used",
        wilson_intervals([p], n)[0],
    )
    yield (
        "p(1 − p) is divided by the number of prompts, as if each prompt were one pair",
        _ends(p, np.sqrt(p * (1 - p) / k)),
    )
    yield (
        "the mean of the prompts' shares: every pair should count the same, so a prompt with more pairs counts more",
        _ends(float(shares.mean()), float(shares.std()) / np.sqrt(k)),
    )
    yield (
        "the mean of the prompts' shares with its usual standard error: every pair should count the same",
        _ends(float(shares.mean()), float(shares.std(ddof=1)) / np.sqrt(k)),
    )
    yield "with the factor √(k/(k − 1)) for few prompts: leave it out here", _ends(p, error * np.sqrt(k / (k - 1)))
    yield "the sums are divided by the number of prompts, not of pairs", _ends(p, error * n / k)
    yield (
        "no width: each prompt's own mean was subtracted, so every sum is 0; subtract the share of all pairs",
        _ends(p, 0),
    )
    starts = np.flatnonzero(np.append(True, prompts[1:] != prompts[:-1]))
    yield (
        "only neighbouring pairs of a prompt are added up, as itertools.groupby does: sort by prompt first",
        _ends(p, float(np.sqrt(np.sum(np.add.reduceat(correct - p, starts) ** 2))) / n),
    )
    yield "the square root is missing", _ends(p, float(np.sum(sums**2)) / n**2)
    yield "the root of the mean of the squares: divide by n, not by √n", _ends(p, error * np.sqrt(n))
    yield "one standard error on either side: take 1.96 of them", _ends(p, error, 1)
    yield "the two ends are exchanged: return (low, high)", _ends(p, error)[::-1]
    yield "the share and half of the width, not the two ends", np.array([p, TWO_SIDED_95 * error])
