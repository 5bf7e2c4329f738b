"""Mistakes on the way back through the layers of an MLP."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..logistic import Array, sigmoid
from ..objective import Objective
from ..scorers import MLPScorer

__all__ = ["COMMON", "SLIPS_OF_PAIRS", "slip_of_pairs", "slipped_backward", "slips_of"]

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
FOR_TANH = {
    "1 - h": "tanh' is 1 − h², and here it is 1 − h",
    "tanh' at h": "the derivative of the activation is taken at h = act(a) instead of at a",
    "tanh' at a without tanh": "tanh' is 1 − h² with h = tanh(a), and here it is 1 − a²",
    "h (1 - h)": "tanh' is 1 − h², and here it is h·(1 − h), which is the derivative of σ",
    "σ' at a": "the derivative is that of σ, σ(a)·(1 − σ(a)), but the activation is tanh",
    "1 + h²": "tanh' is 1 − h², and here it is 1 + h²",
    "h² - 1": "tanh' is 1 − h², and here it is h² − 1",
    "h²": "tanh' is 1 − h², and here it is h²",
    "√(1 - h²)": "tanh' is 1 − h², and here it is √(1 − h²)",
    "act": "the activation h stands where its derivative 1 − h² should be",
    "twice": "the derivative of the activation is applied twice",
    "relu'": "the derivative is that of ReLU, but the activation is tanh",
}
FOR_RELU = {
    "inverted": "the mask of the ReLU is inverted: the derivative is 1 where a > 0, and here it is 1 where a ≤ 0",
    "1 - h²": "the derivative is 1 − h², that of tanh, but the activation is ReLU",
    "tanh' at a": "the derivative is 1 − tanh(a)², that of tanh, but the activation is ReLU",
    "h (1 - h)": "the derivative is h·(1 − h), that of σ, but the activation is ReLU",
    "leaky": "the derivative is that of a leaky ReLU, 0.01 where a < 0, but the activation is ReLU",
    "act": "the activation h stands where its derivative should be: 1 where a > 0, else 0",
    "sign": "the derivative of ReLU is 0 where a < 0, and here it is −1",
}
MEAN_BIAS = "the gradient of the bias is a mean over the rows instead of a sum"
FOR_BOTH = {
    "none": "the derivative of the activation is missing",
    "no head": "the output weights are missing on the way back to the hidden layer",
    "a for h": "the gradient of the output weights uses a = x W + b instead of h = act(a)",
    "mean bias": MEAN_BIAS,
    "mean bias of pairs": MEAN_BIAS,
    "no bias behind": "the hidden bias is missing in a = x W + b, from which the derivative is taken",
    "slope in head": "the derivative of the activation is applied to the output weights' gradient, too",
    "head in head": "the gradient of the output weights is multiplied by the output weights",
}
SLIPS_OF_PAIRS = {
    "slope of difference": "act′ is taken at the difference of the two h: each answer has its own slope",
    "through": "the difference of the answers went through the network: each answer must go through separately",
    "slope of chosen": "act′ is taken at the chosen answer for both: each answer has its own slope",
    "slope of rejected": "act′ is taken at the rejected answer for both: each answer has its own slope",
}
COMMON = {"none", "1 - h", "tanh' at h", "tanh' at a without tanh", "no head", "a for h", "mean bias", "through"}
"""The slips that are also tried together with a mistake elsewhere."""


def slips_of(scorer: MLPScorer) -> dict[str, str]:
    """Return the slips that are possible with this activation, each with its sentence."""
    return FOR_BOTH | (FOR_TANH if scorer.activation == "tanh" else FOR_RELU) | SLIPS_OF_PAIRS


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
