"""Exercises of lesson 4: pairwise accuracy, and the temperature that calibrates a model's confidence."""

from __future__ import annotations

import numpy as np

from ...logistic import Array, sigmoid
from ..engine import LIMIT, Report, Student, Wrong, check_values

__all__ = ["accuracy", "best_temperature"]


def accuracy(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check the pairwise accuracy, f(margins) -> share of margins above 0. A margin of 0 counts half."""
    z = np.array([1.0, -2.0, 0.0, 0.3, 4.0, 0.0, 0.0, -0.1, 2.0])

    def wrong(z: Array) -> Wrong:
        yield "ties count as right: a margin of 0 is a coin flip, so it counts half", np.mean(z >= 0)
        yield "ties count as wrong: a margin of 0 is a coin flip, so it counts half", np.mean(z > 0)
        yield "the share of pairs ranked wrong, not right", np.mean(z < 0) + 0.5 * np.mean(z == 0)
        yield "a number of pairs, not a share", np.sum(z > 0) + 0.5 * np.sum(z == 0)
        yield "the mean probability σ(Δ): it depends on how sure the model is, accuracy does not", np.mean(sigmoid(z))
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
    """Minimise the mean loss of Δ/T by bisection. Its derivative in s = 1/T, −mean(Δ·σ(−sΔ)), grows with s."""
    low, high = 0.0, 1.0
    while np.mean(margins * sigmoid(-high * margins)) > 0:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if np.mean(margins * sigmoid(-middle * margins)) > 0:
            low = middle
        else:
            high = middle
    return 1 / middle


def best_temperature(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(margins) -> the T > 0 that minimises the mean loss of Δ/T, to 1 %."""
    rng = np.random.default_rng(4)
    too_sure = 6 * rng.normal(0.25, 1.0, 400)
    not_sure_enough = 0.2 * rng.normal(1.0, 1.0, 300)

    def wrong(z: Array) -> Wrong:
        best = _temperature(z)
        yield "1/T instead of T: margins are divided by T, not multiplied by it", 1 / best
        yield "T = 1, which leaves the margins as they are", 1.0
        yield "T² instead of T", best**2
        yield "√T instead of T", np.sqrt(best)
        yield "the mean of |Δ|: the size of the margins does not say how far to trust them", np.abs(z).mean()
        yield "the standard deviation of Δ: the size of the margins does not say how far to trust them", z.std()

    cases = [((too_sure,), "for an overconfident model: "), ((not_sure_enough,), "for an underconfident model: ")]
    return check_values("temperature", function, ("margins",), cases, _temperature, wrong, time_limit, tolerance=0.01)
