"""Mistakes on the way back through the layers of an MLP. Their sentences are in ``mistakes``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..logistic import Array, sigmoid
from ..objective import Objective
from ..scorers import MLPScorer

__all__ = ["slip_of_pairs", "slipped_backward"]

# What stands in for act'(a), as a function of a and of h = act(a).
Derivative = Callable[[Array, Array], Array]

DERIVATIVES: dict[str, Derivative] = {
    "none": lambda a, h: np.ones_like(a),
    "1 - h": lambda a, h: 1 - h,
    "tanh' at h": lambda a, h: 1 - np.tanh(h) ** 2,
    "tanh' at a without tanh": lambda a, h: 1 - a**2,
    "h (1 - h)": lambda a, h: h * (1 - h),
    "σ' at a": lambda a, h: sigmoid(a) * sigmoid(-a),
    "1 + h²": lambda a, h: 1 + h**2,
    "h² - 1": lambda a, h: h**2 - 1,
    "h²": lambda a, h: h**2,
    "√(1 - h²)": lambda a, h: np.sqrt(np.maximum(1 - h**2, 0)),
    "act": lambda a, h: h,
    "twice": lambda a, h: (1 - h**2) ** 2,
    "relu'": lambda a, h: (a > 0).astype(float),
    "inverted": lambda a, h: (a <= 0).astype(float),
    "1 - h²": lambda a, h: 1 - h**2,
    "tanh' at a": lambda a, h: 1 - np.tanh(a) ** 2,
    "leaky": lambda a, h: np.where(a > 0, 1.0, 0.01),
    "sign": lambda a, h: np.sign(a),
}


def slipped_backward(scorer: MLPScorer, phi: Array, x: NDArray[np.generic], d_rewards: Array, slip: str) -> Array:
    """Go back through the layers as ``MLPScorer.backward`` does, except for one slip."""
    blocks, features = scorer.unpack(phi), np.asarray(x, dtype=np.float64)
    weights, bias, head = blocks["hidden_weights"], blocks["hidden_bias"], blocks["output_weights"]
    a = features @ weights + (0 * bias if slip == "no bias behind" else bias)
    is_tanh = scorer.activation == "tanh"
    h = np.tanh(a) if is_tanh else np.maximum(a, 0)
    own: Derivative = DERIVATIVES["1 - h²"] if is_tanh else DERIVATIVES["relu'"]
    derivative = DERIVATIVES.get(slip, own)(a, h)
    d_a = derivative * (np.ones_like(head) if slip == "no head" else head) * d_rewards[:, None]
    d_bias = d_a.sum(axis=0)
    if slip in {"mean bias", "mean bias of pairs"}:
        d_bias = d_bias / (len(features) * (2 if slip == "mean bias of pairs" else 1))
    d_output = d_rewards @ ({"a for h": a, "slope in head": h * own(a, h), "head in head": h * head}.get(slip, h))
    return np.concatenate([np.ravel(features.T @ d_a), d_bias, d_output])


def slip_of_pairs(scorer: MLPScorer, objective: Objective, phi: Array, d: Array, slip: str) -> Array:
    """Make a mistake that comes from treating the two answers of a pair as one."""
    chosen, rejected = (np.asarray(x, dtype=np.float64) for x in (objective.pairs.chosen, objective.pairs.rejected))
    if slip == "through":
        return scorer.backward(phi, chosen - rejected, d)
    blocks = scorer.unpack(phi)
    a = [x @ blocks["hidden_weights"] + blocks["hidden_bias"] for x in (chosen, rejected)]
    act = np.tanh if scorer.activation == "tanh" else partial(np.maximum, 0)
    both = [act(one) for one in a]
    h = {"slope of chosen": both[0], "slope of rejected": both[1]}.get(slip, both[0] - both[1])
    slope = 1 - h**2 if scorer.activation == "tanh" else (h > 0).astype(float)
    d_a = slope * blocks["output_weights"] * d[:, None]
    d_bias = d_a.sum(axis=0) if slip == "slope of difference" else np.zeros(scorer.n_hidden)
    return np.concatenate([np.ravel((chosen - rejected).T @ d_a), d_bias, d @ (both[0] - both[1])])
