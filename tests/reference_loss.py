"""The reward and the loss once more, naively and from the formulas alone, so that autograd can differentiate them.

Nothing here comes from the package but the sizes of a scorer and the arrays of the pairs. So if these formulas and the
package agree, that is evidence for both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np


def reward(scorer: Any, phi: Any, features: Any) -> Any:
    """Return r_φ for each row: x·w, a table's entry, or v·act(x W + b)."""
    kind = type(scorer).__name__
    if kind == "LinearScorer":
        return anp.dot(features, phi)
    if kind == "TableScorer":
        return phi[features]
    d, k = scorer.n_features, scorer.n_hidden
    a = anp.dot(features, anp.reshape(phi[: d * k], (d, k))) + phi[d * k : d * k + k]
    h = anp.tanh(a) if scorer.activation == "tanh" else anp.where(a > 0, a, 0.0)
    return anp.dot(h, phi[d * k + k :])


def loss_of(scorer: Any, pairs: Any, l2: float = 0.0) -> Callable[[Any], Any]:
    """Return L(φ) = Σ w·[-t·log p - (1 - t)·log(1 - p)] / Σ w + l2/2·|φ|² with p = 1 / (1 + exp(-(Δ - m)))."""
    n = len(pairs.chosen)
    w = np.ones(n) if pairs.weights is None else pairs.weights
    t = np.ones(n) if pairs.labels is None else pairs.labels
    m = np.zeros(n) if pairs.target_margins is None else pairs.target_margins

    def loss(phi: Any) -> Any:
        z = reward(scorer, phi, pairs.chosen) - reward(scorer, phi, pairs.rejected) - m
        p = 1 / (1 + anp.exp(-z))
        return anp.sum(w * -(t * anp.log(p) + (1 - t) * anp.log(1 - p))) / np.sum(w) + l2 / 2 * anp.sum(phi**2)

    return loss
