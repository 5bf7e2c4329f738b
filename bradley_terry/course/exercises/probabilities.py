"""Exercises of lesson 1: from two rewards to a probability, and from a probability back to its margin."""

from __future__ import annotations

import numpy as np

from ...logistic import Array, logit, sigmoid
from ...losses import pair_losses
from ..engine import LIMIT, Report, Student, Wrong, check_values

__all__ = ["margin", "probability"]


def probability(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check a preference probability, f(reward_a, reward_b) -> P(a preferred to b).

    It must be ½ at equal rewards and must not overflow at rewards of ±1000.
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
        yield "the rewards are used as strengths: a/(a + b) instead of exp(a)/(exp(a) + exp(b))", _share(a, b)

    return check_values(
        "probability", function, ("reward_a", "reward_b"), [((a, b), ""), (far, "at rewards of ±1000: ")],
        lambda a, b: sigmoid(a - b), wrong, time_limit, warnings_fail=True,
    )  # fmt: skip


def _share(a: Array, b: Array) -> Array:
    total = a + b
    return np.asarray(np.divide(a, total, out=np.full(a.shape, 0.5), where=total != 0))


def margin(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check the inverse, f(probability) -> the margin Δ with σ(Δ) = probability, in log-odds."""
    p = np.array([0.5, 0.9, 0.2, 0.75, 0.01])

    def wrong(p: Array) -> Wrong:
        yield "the odds p/(1 − p): take their logarithm", p / (1 - p)
        yield "log p, not the log of the odds p/(1 − p)", np.log(p)
        yield "the sign is flipped: log((1 − p)/p)", -logit(p)
        yield "the logarithm has base 10: log-odds need the natural one", logit(p) / np.log(10)
        yield "the logarithm has base 2: log-odds need the natural one", logit(p) / np.log(2)
        yield "σ(p): σ turns a margin into a probability, and its inverse is needed", sigmoid(p)
        yield "1 − p: the probability of the other answer, not a margin", 1 - p
        yield "2p − 1: the sign is right, but log-odds are not a straight line in p", 2 * p - 1

    return check_values(
        "margin", function, ("probability",), [((p,), ""), ((np.array([1e-12, 1e-300]),), "at tiny probabilities: ")],
        logit, wrong, time_limit,
    )  # fmt: skip
