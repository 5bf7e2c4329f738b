"""Exercise of lesson 8: the forward pass of an MLP. Its gradient is ``check.gradient(…, scorer="mlp")``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...logistic import Array, sigmoid
from ...scorers import MLPScorer
from ..engine import LIMIT, Case, Report, Student, Wrong, check_values

__all__ = ["reward"]


def reward(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check the forward pass of an MLP scorer, f(parameters, features) -> rewards, r = v · tanh(x W + b).

    ``parameters`` is a dict: hidden_weights (n_features, n_hidden), hidden_bias and output_weights (n_hidden,).
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
