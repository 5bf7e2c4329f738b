"""Exercises of lesson 1: from two rewards to a probability, back to the margin, and which strengths make sense."""

from __future__ import annotations

from collections.abc import Mapping, Set

import numpy as np

from ...logistic import Array, logit, sigmoid
from ...losses import pair_losses
from ..engine import LIMIT, Report, Student, Wrong, check_values
from .by_hand import by_hand
from .true_or_false import Item, true_or_false

__all__ = ["STRENGTHS", "depends_on_differences", "margin", "probability"]


def probability(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check a preference probability, f(reward_a, reward_b) -> P(a preferred to b).

    It must be ½ at equal rewards, must not overflow at rewards of ±1000, and must not call this package.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> print(check.probability(lambda a, b: a / (a + b)).problems[0].diagnosis)
    looks like: the rewards are used as strengths:
    a/(a + b) instead of exp(a)/(exp(a) + exp(b))
    """
    a, b = np.array([2.0, 0.6, -1.0, 3.2, 1.0]), np.array([-0.2, 0.6, 1.5, 1.5, -4.0])
    far = np.array([1000.0, -1000.0]), np.array([-1000.0, 1000.0])

    def wrong(a: Array, b: Array) -> Wrong:
        yield "a and b are exchanged: P(b preferred to a)", sigmoid(b - a)
        yield "σ(2Δ) instead of σ(Δ)", sigmoid(2 * (a - b))
        yield "the rewards are added instead of subtracted", sigmoid(a + b)
        yield "only the reward of a is used", sigmoid(a)
        yield "−log σ(Δ), a loss, not a probability", pair_losses(a - b)
        yield "only the sign of Δ is used, not its size", (a > b) + 0.5 * (a == b)
        yield "the margin Δ itself: apply σ to it", a - b
        yield "exp(Δ), the odds: the probability is exp(Δ)/(1 + exp(Δ))", np.exp(np.minimum(a - b, 700))
        yield "a percentage: a probability lies between 0 and 1", 100 * sigmoid(a - b)
        yield "1/1 + exp(−Δ): parentheses are missing around 1 + exp(−Δ)", 1 + np.exp(np.minimum(b - a, 700))
        yield "the rewards are used as strengths: a/(a + b) instead of exp(a)/(exp(a) + exp(b))", _share(a, b)

    names, cases = ("reward_a", "reward_b"), [((a, b), ""), (far, "at rewards of ±1000: ")]
    report = check_values(
        "probability", function, names, cases, lambda a, b: sigmoid(a - b), wrong, time_limit, warnings_fail=True
    )
    return by_hand(report, function, names, cases, time_limit)


def _share(a: Array, b: Array) -> Array:
    total = a + b
    return np.asarray(np.divide(a, total, out=np.full(a.shape, 0.5), where=total != 0))


def margin(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check the inverse, f(probability) -> the margin Δ with σ(Δ) = probability, in log-odds.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> check.margin(lambda probability: probability / (1 - probability)).problems[0].diagnosis
    'looks like: the odds p/(1 − p): take their logarithm'
    """
    p = np.array([0.5, 0.9, 0.2, 0.75, 0.01])

    def wrong(p: Array) -> Wrong:
        yield "the odds p/(1 − p): take their logarithm", p / (1 - p)
        yield "log p, not the log of the odds p/(1 − p)", np.log(p)
        yield "the sign is flipped: log((1 − p)/p)", -logit(p)
        yield "the logarithm has base 10: log-odds need the natural one", logit(p) / np.log(10)
        yield "the logarithm has base 2: log-odds need the natural one", logit(p) / np.log(2)
        yield "σ(p): σ turns a margin into a probability, and its inverse is needed", sigmoid(p)
        yield "1 − p: the probability of the other answer, not a margin", 1 - p
        yield "2p − 1: the sign is right, but log-odds are not a linear function of p", 2 * p - 1

    return check_values(
        "margin", function, ("probability",), [((p,), ""), ((np.array([1e-12, 1e-300]),), "at tiny probabilities: ")],
        logit, wrong, time_limit,
    )  # fmt: skip


def _row(rewards: Array | float) -> Array:
    return np.asarray(rewards, dtype=np.float64)


STRENGTHS: tuple[Item, ...] = (
    ("exp(r)", True, "exp(r_a)/exp(r_b) = exp(r_a − r_b)", lambda r: np.exp(_row(r))),
    ("3·exp(r)", True, "the factor 3 cancels in the share", lambda r: 3 * np.exp(_row(r))),
    ("2^r", True, "it equals exp(r·log 2): the same map for rewards in another unit", lambda r: 2.0 ** _row(r)),
    ("exp(−r)", True,
     "the share is σ(r_b − r_a), although the higher reward now has the smaller strength",
     lambda r: np.exp(-_row(r))),
    ("log(1 + exp(r))", False, "it grows like exp(r) below 0 and like r above 0, so a shift moves the share",
     lambda r: np.logaddexp(0, _row(r))),
    ("r² + 1", False, "the ratio of two strengths tends to 1 when both rewards grow by the same number",
     lambda r: _row(r) ** 2 + 1),
    ("exp(r) + 1", False, "a shift multiplies exp(r), but not the 1", lambda r: np.exp(_row(r)) + 1),
    ("1/(1 + exp(−r))", False, "it grows like exp(r) only where r is far below 0", lambda r: sigmoid(_row(r))),
    ("exp(r + sin(2πr)/10)", False, "a shift by a whole number changes nothing, but a shift by 0.5 can",
     lambda r: np.exp(_row(r) + np.sin(2 * np.pi * _row(r)) / 10)),
    ("exp(r + 200)", True, "it equals exp(200)·exp(r), and the factor exp(200) cancels in the share",
     lambda r: np.exp(_row(r) + 200)),
)  # fmt: skip
"""Maps from reward to strength: name, whether the share depends only on r_a − r_b, why, the map (any shape).

In the last one, r + 200 is rounded more coarsely than r, so shares that should be equal differ in their last digits.
"""


def depends_on_differences(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check a test of strengths, f(strength) -> True if the share s(r_a)/(s(r_a) + s(r_b)) depends on r_a − r_b only.

    The student's function is given ten maps s from rewards to positive strengths, which take numbers and arrays. Five
    of them pass the test. The report lists the maps about which the function is wrong, each with the reason.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> print(check.depends_on_differences(lambda strength: True).message.splitlines()[-2])
    1/(1 + exp(−r)): the share does not depend on the difference only,
    since it grows like exp(r) only where r is far below 0
    """

    def line(name: str, is_so: bool, why: str) -> str:
        return f"{name}: the share {'depends' if is_so else 'does not depend'} on the difference only, since {why}"

    return true_or_false("depends on differences", function, "strength", STRENGTHS, time_limit, hint=_hint, line=line)


def _hint(said: Mapping[str, bool], missed: Set[str]) -> str:
    """Say what a wrong test may have done, judging by the maps about which it is wrong."""
    if all(said.values()):
        return (
            "it returns True for every map: does it compare the shares of two pairs of rewards with the same "
            "difference?\n"
        )
    if missed == {"exp(r + sin(2πr)/10)"}:
        return (
            "it compares rewards at which the sine changes nothing, such as (1, 0) and (1.5, 0.5): try (0.3, 0) and "
            "(0.8, 0.5) as well\n"
        )
    if missed == {"2^r", "exp(−r)"}:
        return (
            "does it compare the share with σ(r_a − r_b)? Other maps of the difference give other shares; compare two "
            "shares of the same map, and up to rounding, as np.isclose does\n"
        )
    if {"3·exp(r)", "exp(r + 200)"} <= missed <= {"3·exp(r)", "exp(r + 200)", "exp(r + sin(2πr)/10)"}:
        return (
            "does it test whether s(a + b) = s(a)·s(b), or compare with == instead of np.isclose? A constant factor is "
            "allowed: it cancels in the share\n"
        )
    if missed <= {name for name, is_so, *_ in STRENGTHS if is_so}:
        which = "some maps for which the answer is True" if any(said.values()) else "every map, even for exp(r)"
        return (
            f"it returns False for {which}: are both rewards shifted by the same number, and are values compared up to "
            "rounding, for example with np.isclose?\n"
        )
    return ""
