"""Exercises of lesson 8: a φ chosen by hand, and the forward pass.

The exercise on the gradient of an MLP is ``check.gradient(…, scorer="mlp")``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...arrays.visible import class_name
from ...logistic import Array, sigmoid
from ...scorers import MLPScorer
from ..engine import (
    FAILED,
    LIMIT,
    Case,
    Report,
    Stop,
    Student,
    Wrong,
    asked,
    can_be_called_with,
    check_values,
    judged,
    real_numbers,
    with_their_objects,
)

__all__ = ["middle_is_best", "reward"]

ENDS = 1.5  # a short and a long answer; the middle is 0
LEAD, POLITE = 1.0, 0.5  # log-odds by which the middle and the polite answer must lead
POLITENESS = np.arange(-200, 201) / 200  # every degree of politeness that is tried
LARGEST = 1e6  # of the numbers of a φ that is chosen on paper


def reward(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check the forward pass of an MLP scorer, f(parameters, features) -> rewards, r = v · tanh(x W + b).

    ``parameters`` is a dict: hidden_weights (n_features, n_hidden), hidden_bias and output_weights (n_hidden,).

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> def reward(parameters, features):
    ...     a = features @ parameters["hidden_weights"] + parameters["hidden_bias"]
    ...     return np.maximum(a, 0) @ parameters["output_weights"]
    >>> print(check.reward(reward).problems[0].diagnosis)
    looks like: ReLU instead of tanh
    """
    cases: list[Case] = []
    said = "right with 5 answers, 3 features and 4 hidden units; with 2 answers, 4 features and 3 hidden units: "
    for seed, (n, k, h) in enumerate([(5, 3, 4), (2, 4, 3)]):
        rng = np.random.default_rng(80 + seed)
        scorer = MLPScorer(k, h)
        cases.append(
            ((scorer.unpack(rng.normal(size=scorer.n_parameters)), rng.normal(size=(n, k))), said if cases else "")
        )

    def right(parameters: Mapping[str, Array], x: Array) -> Array:
        w, b, v = (parameters[name] for name in ("hidden_weights", "hidden_bias", "output_weights"))
        return np.tanh(x @ w + b) @ v

    def wrong(parameters: Mapping[str, Array], x: Array) -> Wrong:
        w, b, v = (parameters[name] for name in ("hidden_weights", "hidden_bias", "output_weights"))
        yield "the activation is missing: without it the two layers act as one", (x @ w + b) @ v
        yield "the hidden bias is missing", np.tanh(x @ w) @ v
        yield "the bias is added after the activation", (np.tanh(x @ w) + b) @ v
        yield "ReLU instead of tanh", np.maximum(x @ w + b, 0) @ v
        yield "σ instead of tanh", sigmoid(x @ w + b) @ v
        yield "tanh is applied to the reward as well: a reward has no bounds", np.tanh(np.tanh(x @ w + b) @ v)
        yield "the output weights are missing: a sum over the hidden units", np.tanh(x @ w + b).sum(axis=1)
        yield "a mean over the hidden units instead of v · h", np.tanh(x @ w + b).mean(axis=1)

    return check_values("rewards", function, ("parameters", "features"), cases, right, wrong, time_limit)


def middle_is_best(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check a φ chosen by hand, f() -> parameters of an MLP scorer with two features and two hidden units.

    The features are length and politeness. At each politeness from −1 to 1, the reward at length 0 must be at least 1
    above the rewards at lengths −1.5 and 1.5. At each of these lengths, the reward at politeness 1 must be at least ½
    above the reward at politeness −1. The parameters are a dict with hidden_weights (2, 2), hidden_bias (2,) and
    output_weights (2,), and each number is a multiple of ¼ of at most a million, so that it can be chosen on paper.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> def parameters():
    ...     return {"hidden_weights": np.eye(2), "hidden_bias": [0, 0], "output_weights": [1, 1]}
    >>> print(check.middle_is_best(parameters).message.splitlines()[0])
    the reward only rises or only falls with length: let one unit lower it
    where answers get too short and the other where they get too long
    """

    def stages() -> None:
        can_be_called_with(function, (), ())
        first, again = (_parameters(asked(function, (), (), time_limit)[0]) for _ in range(2))
        if any(not np.array_equal(first[name], again[name]) for name in first):
            raise Stop(FAILED, "two calls give different parameters: choose each number once, by hand")
        for name, block in first.items():
            is_large = np.abs(block) > LARGEST
            off = np.argwhere(is_large | (np.where(is_large, 0, block) % 0.25 != 0))
            if len(off):
                where = tuple(off[0].tolist())
                wanted = f"a multiple of 0.25, chosen by hand, between -{LARGEST:,.0f} and {LARGEST:,.0f}"
                raise Stop(FAILED, f"{name}{list(where)}: expected {wanted}, got {block[where]:.6g}")
        _lead(first)

    return judged("the middle is best", stages)


def _parameters(answer: object) -> dict[str, Array]:
    """Return the blocks of φ, or stop and say what is wrong with them."""
    shapes = MLPScorer(2, 2).shapes
    with with_their_objects("looking at what your function returned"):
        if not isinstance(answer, Mapping):
            raise Stop(FAILED, f"expected a dict of arrays, got {class_name(answer)}")
        parts = dict(answer)
        if set(parts) != set(shapes):
            wanted, found = ", ".join(shapes), ", ".join(map(str, parts)) or "none"
            raise Stop(FAILED, f"expected a dict with the names {wanted}, got {found}")
        return {name: real_numbers(parts[name], name, shape) for name, shape in shapes.items()}


def _lead(parameters: Mapping[str, Array]) -> None:
    """Stop unless the middle leads at each politeness, and the polite answer leads at each length."""
    w, b, v = (parameters[name] for name in ("hidden_weights", "hidden_bias", "output_weights"))
    lengths = np.array([-ENDS, 0.0, ENDS])
    answers = np.stack(np.meshgrid(lengths, POLITENESS, indexing="ij"), axis=-1)
    r = np.tanh(answers @ w + b) @ v  # (3 lengths, all degrees of politeness)
    over_short, over_long, over_impolite = r[1] - r[0], r[1] - r[2], r[:, -1] - r[:, 0]
    hint = _shape(over_short, over_long, over_impolite, w)
    k = int(np.minimum(over_short, over_long).argmin())
    if min(over_short[k], over_long[k]) < LEAD:
        raise Stop(
            FAILED,
            f"{hint}at politeness {POLITENESS[k]:g}: the middle leads the short answer by {over_short[k]:.2f} and the "
            f"long one by {over_long[k]:.2f}; both should be at least {LEAD:g}",
        )
    k = int(over_impolite.argmin())
    if over_impolite[k] < POLITE:
        raise Stop(
            FAILED,
            f"{hint}at length {lengths[k]:g}: the polite answer leads the impolite one by {over_impolite[k]:.2f}; it "
            f"should be at least {POLITE:g}",
        )


def _shape(over_short: Array, over_long: Array, over_impolite: Array, hidden_weights: Array) -> str:
    """Return a hint on the shape of the reward, or nothing."""
    of_length = hidden_weights[0]
    at_zero = len(over_short) // 2  # politeness 0
    if np.allclose([over_short[at_zero], over_long[at_zero]], 0):
        why = "length has no weight in either unit" if not of_length.any() else (
            "the two units cancel each other; with a hidden bias they bend at different lengths"
        )  # fmt: skip
        return f"the reward does not depend on length: {why}\n"
    if ((over_short < 0) & (over_long < 0)).all():
        return "the middle is worst, not best: what would the other sign of output_weights do?\n"
    if (over_short * over_long <= 0).all():
        return (
            "the reward only rises or only falls with length: let one unit lower it where answers get too short and "
            "the other where they get too long\n"
        )
    if (over_impolite <= 0).all():
        return "politeness does not raise the reward: look at the second row of hidden_weights\n"
    if min(over_short.min(), over_long.min(), over_impolite.min()) > 0:
        return (
            "the shape is right, but a lead is too small: larger output weights raise all of them, and a tanh beyond "
            "±2 is nearly flat\n"
        )
    return ""
