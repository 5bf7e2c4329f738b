"""Exercises of lesson 4: pairwise accuracy, the best temperature, and the margin with the lowest expected loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...logistic import Array, logit, sigmoid, softplus
from ..engine import LIMIT, Case, Report, Student, Wrong, check_values, falling_to_zero
from .by_hand import by_hand

__all__ = ["accuracy", "best_temperature", "minimiser"]


def accuracy(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check the pairwise accuracy, f(margins) -> share of margins above 0. A margin of 0 counts half.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> check.accuracy(lambda margins: np.mean(margins > 0)).problems[0].diagnosis
    'looks like: ties count as wrong: a margin of 0 is a coin flip, so it counts half'
    """
    z = np.array([1.0, -2.0, 0.0, 0.3, 4.0, 0.0, 0.0, -0.1, 2.0, 0.4, -3.0])

    def wrong(z: Array) -> Wrong:
        yield "ties count as right: a margin of 0 is a coin flip, so it counts half", np.mean(z >= 0)
        yield "ties count as wrong: a margin of 0 is a coin flip, so it counts half", np.mean(z > 0)
        yield "the share of pairs ranked wrong, not right", np.mean(z < 0) + 0.5 * np.mean(z == 0)
        yield "a number of pairs, not a share", np.sum(z > 0) + 0.5 * np.sum(z == 0)
        yield "the mean probability σ(Δ): it depends on how sure the model is; accuracy does not", np.mean(sigmoid(z))
        yield "ties are left out: they count half", np.mean(z[z != 0] > 0) if z.any() else np.nan
        yield "a percentage: a share lies between 0 and 1", 100 * (np.mean(z > 0) + 0.5 * np.mean(z == 0))
        yield "the mean of the sign of Δ, which lies between −1 and 1", np.mean(np.sign(z))
        yield (
            "only the ties were divided by the number of pairs: parentheses are missing",
            np.sum(z > 0) + 0.5 * np.mean(z == 0),
        )

    return check_values(
        "accuracy", function, ("margins",), [((z,), ""), ((np.zeros(4),), "where all margins are 0: ")],
        lambda z: np.mean(z > 0) + 0.5 * np.mean(z == 0), wrong, time_limit,
    )  # fmt: skip


def _temperature(margins: Array) -> float:
    """Minimise the mean loss of Δ/T with s = 1/T. Minus its derivative in s, mean(Δ·σ(−sΔ)), falls as s grows."""
    return 1 / falling_to_zero(lambda s: float(np.mean(margins * sigmoid(-s * margins))))


def best_temperature(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(margins) -> the T > 0 that minimises the mean loss of Δ/T, to 1 %.

    The function is called for ten models, whose best T lies between 0.03 and 15. Trying the points of a geometric grid
    is not enough: if its steps are 3 % or larger, it misses at least one best T by more than 1 %. Of this package, the
    function may use only the loss, its slope and the sigmoid.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> print(check.best_temperature(np.std).problems[0].diagnosis)
    looks like: the standard deviation of Δ:
    the size of the margins does not say how far to trust them
    """
    rng = np.random.default_rng(4)
    too_sure = 6 * rng.normal(0.25, 1.0, 400)
    not_sure_enough = 0.2 * rng.normal(1.0, 1.0, 300)
    others = [
        (size * rng.normal(0.5, 1.0, n), f"for {n} margins of size about {size:g}: ")
        for size, n in (
            (1.39, 100), (16.06, 50), (0.04, 80), (4.22, 500), (0.49, 20), (6.81, 200), (0.06, 60), (2.15, 150),
        )
    ]  # fmt: skip

    def wrong(z: Array) -> Wrong:
        best = _temperature(z)
        yield "1/T instead of T: margins are divided by T, not multiplied by it", 1 / best
        yield "T = 1, which leaves the margins as they are", 1.0
        yield "T² instead of T", best**2
        yield "√T instead of T", np.sqrt(best)
        yield "the mean of |Δ|: the size of the margins does not say how far to trust them", np.abs(z).mean()
        yield "the standard deviation of Δ: the size of the margins does not say how far to trust them", z.std()

    cases: list[Case] = [
        ((too_sure,), "for an overconfident model: "),
        ((not_sure_enough,), "for an underconfident model: "),
        *(((margins,), note) for margins, note in others),
    ]
    names = ("margins",)
    report = check_values("temperature", function, names, cases, _temperature, wrong, time_limit, tolerance=0.01)
    allowed = {"mean_loss", "pair_losses", "pair_loss_gradients", "sigmoid"}
    return by_hand(report, function, names, cases[:1], time_limit, allowed)


PairLossOfMargins = Callable[[Array], Array]

COARSE = 0.05  # an error that a grid with steps of 0.1 explains

MINIMISERS: tuple[tuple[str, PairLossOfMargins, Callable[[float], float]], ...] = (
    ("the squared loss (1 − Δ)²", lambda z: (1 - z) ** 2, lambda p: 2 * p - 1),
    ("−log σ(Δ)", lambda z: softplus(-z), lambda p: float(logit(p))),
    ("the hinge max(0, 1 − Δ)", lambda z: np.maximum(0.0, 1 - z), lambda p: float(np.sign(p - 0.5))),
    ("exp(−Δ)", lambda z: np.exp(-z), lambda p: float(logit(p)) / 2),
    ("−log σ(Δ/3)", lambda z: softplus(-z / 3), lambda p: 3 * float(logit(p))),
)
"""Losses of one pair: name, the loss ℓ(Δ), and the Δ that minimises p·ℓ(Δ) + (1 − p)·ℓ(−Δ) for the share p.

Where the loss has a slope, the minimum is at p·ℓ′(Δ) = (1 − p)·ℓ′(−Δ). For the hinge, the expectation falls with the
slope 1 − 2p between −1 and 1 and rises beyond 1 if p > ½, so the minimum is at the kink.
"""


def minimiser(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(loss, p) -> the Δ that minimises p·ℓ(Δ) + (1 − p)·ℓ(−Δ), to 1 %; it lies between −10 and 10.

    The loss takes margins, a number or an array, and returns one loss for each. The student's function is called
    with five losses and several shares p, above and below ½ and close to 1. Two of the best margins are so small that a
    grid with steps of 0.01 is too coarse.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> print(check.minimiser(lambda loss, p: np.log(p / (1 - p))).problems[0].diagnosis)
    looks like: log(p/(1 − p)), which is right for −log σ(Δ) alone:
    minimise the loss that is given
    """
    squared, ours, hinge, exponential, softened = range(5)
    asked_about = (
        (squared, 0.35), (ours, 0.8), (ours, 0.3), (hinge, 0.6), (hinge, 0.95), (hinge, 0.2), (exponential, 0.9),
        (squared, 0.9), (softened, 0.65), (ours, 0.9999), (exponential, 0.59), (softened, 0.515),
    )  # fmt: skip
    right_of = {loss: formula for _, loss, formula in MINIMISERS}
    cases: list[Case] = [((MINIMISERS[k][1], p), f"for {MINIMISERS[k][0]} and p = {p:g}: ") for k, p in asked_about]

    def right(loss: PairLossOfMargins, p: float) -> float:
        return right_of[loss](p)

    def wrong(loss: PairLossOfMargins, p: float) -> Wrong:
        best, weights = right_of[loss](p), np.array([p, 1 - p])
        yield "p and 1 − p are exchanged: the loss is ℓ(Δ) with probability p", -best
        yield "log(p/(1 − p)), which is right for −log σ(Δ) alone: minimise the loss that is given", logit(p)
        yield "2p − 1, which is right for the squared loss alone: minimise the loss that is given", 2 * p - 1
        yield (
            "the smallest expected loss: return the Δ at which it is reached",
            weights @ loss(best * np.array([1, -1])),
        )
        yield "the probability σ(Δ): return the margin Δ", sigmoid(best)
        yield "the minimum of ℓ(Δ) alone: with probability 1 − p, b is chosen and the loss is ℓ(−Δ)", _alone(loss)
        yield (
            "the minimum for p = ½: weight the two losses with p and 1 − p; or did you search among Δ ≥ 0 only?",
            0.0,
        )

    report = check_values("margin", function, ("loss", "p"), cases, right, wrong, time_limit, tolerance=0.01)
    almost = "almost right: are the steps of a grid too coarse, or did a search stop too early?"
    problems = [
        replace(problem, diagnosis=almost) if not problem.diagnosis and problem.absolute_error < COARSE else problem
        for problem in report.problems
    ]
    return replace(report, problems=tuple(problems))


def _alone(loss: PairLossOfMargins) -> float:
    """Return the smallest Δ with the lowest loss; only for a loss that has a minimum."""
    grid = np.linspace(-10, 10, 2001)
    return float(grid[np.argmin(loss(grid))])
