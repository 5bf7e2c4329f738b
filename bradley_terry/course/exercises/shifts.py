"""Exercises of lesson 3: a test for shift-invariant losses, and centring the rewards of each prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set

import numpy as np

from ...logistic import Array
from ...losses import mean_loss as right_mean_loss
from ...losses import pair_losses
from ..engine import LIMIT, Report, Student, Wrong, check_values
from .true_or_false import Item, true_or_false

__all__ = ["LOSSES", "centring", "shift_invariance_test"]


def _row(values: Array) -> Array:
    return np.asarray(values, dtype=np.float64)


def _across(c: Array, r: Array) -> float:
    return float(np.mean(pair_losses(np.subtract.outer(_row(c), _row(r)))))


LOSSES: tuple[Item, ...] = (
    ("−log σ(r_c − r_r)", True, "it depends only on the difference", lambda c, r: right_mean_loss(_row(c) - _row(r))),
    ("the hinge max(0, 1 − Δ)", True, "it depends only on the difference",
     lambda c, r: float(np.mean(np.maximum(0, 1 - (_row(c) - _row(r)))))),
    ("−log σ(r_c)", False, "the rejected answer is not used", lambda c, _: right_mean_loss(_row(c))),
    ("−log σ(−r_r)", False, "the chosen answer is not used",
     lambda _, r: right_mean_loss(-_row(r))),
    ("−log σ(r_c + r_r)", False, "a shift is counted twice instead of cancelling",
     lambda c, r: right_mean_loss(_row(c) + _row(r))),
    ("−log σ(r_c − 2·r_r)", False, "the shifts of the two rewards do not cancel",
     lambda c, r: right_mean_loss(_row(c) - 2 * _row(r))),
    ("−log σ(Δ) + 0.01·(r_c² + r_r²)", False, "the penalty depends on the rewards themselves, so a shift changes it",
     lambda c, r: right_mean_loss(_row(c) - _row(r)) + 0.01 * float(np.mean(_row(c) ** 2 + _row(r) ** 2))),
    ("−log σ(r_c,i − r_r,j) over all i, j", False, "it compares answers to different prompts, and each prompt may "
     "have its own shift", _across),
    ("−log of the share exp(r_c)/(exp(r_c) + exp(r_r) + 1)", False, "the 1 is a third answer that is not shifted",
     lambda c, r: float(np.mean(np.logaddexp(np.logaddexp(_row(c), _row(r)), 0) - _row(c)))),
    ("−log of the share exp(r_c)/(exp(r_c) + exp(r_r))", True, "a shift multiplies all three exponentials by the same "
     "factor, which cancels", lambda c, r: float(np.mean(np.logaddexp(_row(c), _row(r)) - _row(c)))),
    ("−log σ((r_c + 1000) − (r_r + 1000))", True, "the 1000 cancels, so it depends only on the difference",
     lambda c, r: right_mean_loss((_row(c) + 1000) - (_row(r) + 1000))),
)  # fmt: skip
"""Losses of (rewards_chosen, rewards_rejected): name, whether a shift for each prompt leaves it as it is, why, loss.

The invariant losses round differently, so a test that compares two values with == is wrong about at least one of them.
"""


def shift_invariance_test(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check a test of losses, f(loss) -> True if shifting both rewards of a pair by a constant never changes the loss.

    The student's function is given eleven losses of (rewards_chosen, rewards_rejected), both (n_pairs,). Four of them
    are invariant. The report lists the losses about which the function is wrong, each with the reason.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> print(check.shift_invariance_test(lambda loss: True).message.splitlines()[2])
    −log σ(r_c) is not invariant, since the rejected answer is not used
    """

    def line(name: str, is_invariant: bool, why: str) -> str:
        return f"{name} is {'' if is_invariant else 'not '}invariant, since {why}"

    return true_or_false("shift invariance test", function, "loss", LOSSES, time_limit, hint=_hint, line=line)


def _hint(said: Mapping[str, bool], missed: Set[str]) -> str:
    """Say what a wrong test may have done, judging by the losses about which it is wrong."""
    if all(said.values()):
        return "it returns True for every loss: does it compare two values, one of them with a shift that is not 0?\n"
    if not any(said.values()):
        return (
            "it returns False for every loss, even for −log σ(r_c − r_r): is the same shift added to both rewards, "
            "and are values compared up to rounding, for example with np.isclose?\n"
        )
    if missed <= {name for name, is_invariant, *_ in LOSSES if is_invariant}:
        return "it returns False for an invariant loss: == is too strict, since sums are rounded; use np.isclose\n"
    if missed == {LOSSES[7][0]}:
        return (
            "it adds the same number to all rewards, but each prompt may have its own shift: use several pairs, and "
            "give each a shift of its own\n"
        )
    return ""


def centring(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(rewards, prompts) -> rewards with mean zero within each prompt; prompts are numbers, (n_answers,).

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> check.centring(lambda rewards, prompts: rewards - rewards.mean()).problems[0].diagnosis
    "looks like: the mean over all answers was subtracted: subtract each prompt's own mean"
    """
    rewards = np.array([2.0, -1.0, 0.5, 7.0, 9.0, -3.0, 4.0])
    prompts = np.array([0, 0, 0, 5, 5, 2, 0])
    rng = np.random.default_rng(3)
    more_rewards, more_prompts = 10 + 3 * rng.normal(size=30), rng.choice([1, 4, 7, 20], 30)

    def within(rewards: Array, prompts: Array, of: Callable[[Array], float]) -> Array:
        result = np.array(rewards)
        for prompt in np.unique(prompts):
            result[prompts == prompt] = of(rewards[prompts == prompt])
        return result

    def wrong(r: Array, x: Array) -> Wrong:
        right = r - within(r, x, np.mean)
        yield "the mean over all answers was subtracted: subtract each prompt's own mean", r - r.mean()
        yield "the means were added instead of subtracted", r + within(r, x, np.mean)
        yield "the sign is flipped: subtract the mean from the reward, not the reward from the mean", -right
        yield (
            "the last prompt is left as it was: does a range end one too early?",
            np.where(x == x.max(), r, right),
        )
        runs = np.cumsum(np.append(True, x[1:] != x[:-1]))
        yield (
            "only neighbours with the same prompt are put together, as itertools.groupby does: sort by prompt first",
            r - within(r, runs, np.mean),
        )
        yield "the means themselves, not the rewards minus their mean", within(r, x, np.mean)
        yield "the largest reward of the prompt was subtracted, not the mean", r - within(r, x, np.max)
        yield "the sum over the prompt was subtracted, not the mean", r - within(r, x, np.sum)
        yield "the first answer of the prompt was subtracted, not the mean", r - within(r, x, lambda v: v[0])
        yield "the median of the prompt was subtracted, not the mean", r - within(r, x, np.median)
        yield (
            "the answers are grouped by prompt: keep them in their original order",
            right[np.argsort(x, kind="stable")],
        )

    cases = [
        ((rewards, prompts), ""),
        ((rewards[::-1].copy(), prompts), "in another order: "),
        ((more_rewards, more_prompts), "for 30 answers to 4 prompts: "),
    ]
    return check_values(
        "rewards", function, ("rewards", "prompts"), cases, lambda r, x: r - within(r, x, np.mean), wrong, time_limit
    )
