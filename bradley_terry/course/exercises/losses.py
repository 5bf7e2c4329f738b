"""Exercises of lesson 2: the loss of each pair, its slope, and the mean loss of a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...logistic import Array, sigmoid
from ...losses import mean_loss as right_mean_loss
from ...losses import pair_loss_gradients, pair_losses
from ..engine import LIMIT, Report, Student, Wrong, check_values
from .by_hand import by_hand

__all__ = ["loss", "mean_loss", "slope"]


def loss(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check a pair loss, f(margins) -> losses, both (n_pairs,).

    It must not overflow at margins of ±1000, and must not call this package.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> check.loss(lambda margins: np.log2(1 + np.exp(-margins))).problems[0].diagnosis
    'looks like: the logarithm has base 2: nats need the natural one'
    """
    z, far = np.array([0.0, 1.5, -2.0, 0.3, -0.7]), np.array([1000.0, -1000.0, 40.0])

    def wrong(z: Array) -> Wrong:
        right = pair_losses(z)
        yield "the minus sign is missing: log σ(Δ) instead of −log σ(Δ)", -right
        yield "the margin has the wrong sign: −log σ(−Δ) grows with the reward of the chosen answer", right + z
        yield "the logarithm has base 2: nats need the natural one", right / np.log(2)
        yield "the logarithm has base 10: nats need the natural one", right / np.log(10)
        yield "a probability, not a loss: −log is missing", sigmoid(z)
        yield "1 − σ(Δ) instead of −log σ(Δ)", sigmoid(-z)
        yield (
            "divided by the number of pairs: return each loss undivided, since the mean is taken later",
            right / z.size,
        )
        yield "the hinge loss max(0, 1 − Δ), not −log σ(Δ)", np.maximum(0, 1 - z)
        yield "the Brier score (1 − σ(Δ))², not −log σ(Δ)", sigmoid(-z) ** 2
        yield "0 at a large negative margin, where the loss should be close to −Δ", np.where(z < -50, 0.0, right)
        yield (
            "−log(σ(Δ) + 1e-8): the added 1e-8 keeps the loss below 18.42, so a pair that is badly wrong has no pull",
            -np.log(sigmoid(z) + 1e-8),
        )
        yield "−log(σ(Δ) + 1e-10): the added 1e-10 keeps the loss below 23.03", -np.log(sigmoid(z) + 1e-10)
        yield "−log(σ(Δ) + 1e-12): the added 1e-12 keeps the loss below 27.63", -np.log(sigmoid(z) + 1e-12)
        if np.abs(z).max() < 50:  # beyond, this is 0 as well
            yield "log(1 + exp(−|Δ|)) alone: where Δ is negative, −Δ must be added", np.log1p(np.exp(-np.abs(z)))
        yield "max(−Δ, 0) alone: log(1 + exp(−|Δ|)) must be added", np.maximum(-z, 0)

    cases = [((z,), ""), ((far,), "at margins of 1000, -1000 and 40: ")]
    report = check_values("losses", function, ("margins",), cases, pair_losses, wrong, time_limit, warnings_fail=True)
    return by_hand(report, function, ("margins",), cases, time_limit)


EXACT = 1e-12  # relative; the error of a difference quotient is at least 1e-11, and a formula has rounding errors only


def slope(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check the derivative of the pair loss, f(margins) -> slopes, both (n_pairs,), each in [-1, 0].

    It must not overflow at margins of ±1000, must not call this package, and must be a formula: a difference quotient
    is not exact enough.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> print(check.slope(lambda margins: -1 / (1 + np.exp(-margins))).problems[0].diagnosis)
    looks like: −σ(Δ) instead of −σ(−Δ):
    where the model is right, the slope should be close to 0
    """
    z, far = np.array([0.0, 1.5, -2.0, 0.3, -0.7]), np.array([1000.0, -1000.0, 40.0])
    other = np.random.default_rng(2).normal(0.0, 3.0, 8)

    def wrong(z: Array) -> Wrong:
        right, p = pair_loss_gradients(z), sigmoid(z)
        yield "the minus sign is missing: the loss falls as the margin grows, so its slope is negative", -right
        yield "σ(Δ): did you forget the inner derivative, that of exp(−Δ), in the chain rule? The slope is negative", p
        yield "−σ(Δ) instead of −σ(−Δ): where the model is right, the slope should be close to 0", -p
        yield "σ′(Δ) = σ(Δ)·σ(−Δ), the slope of the probability: the loss is −log of it", -right * p
        yield "−σ′(Δ), the slope of 1 − σ(Δ): the derivative of the logarithm is missing", right * p
        yield "−1/σ(Δ): the derivative of log σ is σ′/σ, and the factor σ′ is missing", -1 / np.maximum(p, 1e-300)
        yield "the loss itself, not its slope", pair_losses(z)
        yield "divided by the number of pairs: return the slope of each pair", right / z.size
        yield "the slope of the hinge loss max(0, 1 − Δ)", -1.0 * (z < 1)

    cases = [((z,), ""), ((other,), "at other margins: "), ((far,), "at margins of 1000, -1000 and 40: ")]
    report = check_values(
        "slopes", function, ("margins",), cases, pair_loss_gradients, wrong, time_limit, EXACT, warnings_fail=True
    )
    almost = "almost right: is it a difference quotient, or are margins clipped too early? A formula for ℓ′ is exact"
    problems = [
        replace(problem, diagnosis=almost) if not problem.diagnosis and problem.absolute_error < 1e-4 else problem
        for problem in report.problems
    ]
    return by_hand(replace(report, problems=tuple(problems)), function, ("margins",), cases, time_limit)


def mean_loss(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check the loss of a model, f(rewards_chosen, rewards_rejected) -> one number, the mean of −log σ(r_c − r_r).

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> report = check.mean_loss(lambda r_c, r_r: np.log1p(np.exp(np.mean(r_r) - np.mean(r_c))))
    >>> report.problems[0].diagnosis
    'looks like: −log σ(mean Δ): average the losses, not the margins'
    """
    one = np.array([3.2, -0.5, 0.4, 1.0]), np.array([1.5, -2.0, 1.1, 1.0])
    far = np.array([900.0, -3.0]), np.array([-900.0, 800.0])

    def wrong(c: Array, r: Array) -> Wrong:
        z, right = c - r, right_mean_loss(c - r)
        yield "a sum instead of a mean: divide by the number of pairs", right * z.size
        yield "the minus sign is missing: the mean of log σ(Δ)", -right
        yield "chosen and rejected are exchanged: Δ = r_rejected − r_chosen", right_mean_loss(-z)
        yield "−log of the mean probability: average the losses, not the probabilities", -np.log(np.mean(sigmoid(z)))
        yield "−log σ(mean Δ): average the losses, not the margins", pair_losses(z.mean())
        yield "the rejected rewards are not used", right_mean_loss(c)
        yield "the mean probability, not a loss", np.mean(sigmoid(z))
        yield "the mean of (1 − σ(Δ))², the Brier score", np.mean(sigmoid(-z) ** 2)
        yield "divided by the number of answers, 2n, instead of the number of pairs", right / 2

    return check_values(
        "mean loss", function, ("rewards_chosen", "rewards_rejected"), [(one, ""), (far, "at rewards of ±900: ")],
        lambda c, r: right_mean_loss(c - r), wrong, time_limit, warnings_fail=True,
    )  # fmt: skip
