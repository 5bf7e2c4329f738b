"""Exercises of lesson 5: the expected loss, and the highest accuracy that any model can expect."""

from __future__ import annotations

import numpy as np

from ...logistic import Array, sigmoid
from ...losses import pair_losses
from ...preference import accuracy_ceiling
from ...preference import expected_loss as right_expected_loss
from ..engine import LIMIT, Case, Report, Student, Wrong, check_values

__all__ = ["ceiling", "expected_loss"]


def expected_loss(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(true_margins, margins) -> one number, the mean loss over unlimited fresh choices.

    The choices come from people whose rewards differ by the true margins.
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
        yield "the loss as if a always won: p is not used", np.mean(if_a)
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

    return check_values(
        "expected loss",
        function,
        ("true_margins", "margins"),
        cases,
        right_expected_loss,
        wrong,
        time_limit,
        warnings_fail=True,
    )


def ceiling(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(true_margins) -> the highest pairwise accuracy that any model can expect."""
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
