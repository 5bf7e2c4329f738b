"""The fit of one number b: choices with the log-odds b·x - m, for temperatures (b = 1/T) and for the length of answers.

    L(b)   = Σ w (t softplus(-z) + (1 - t) softplus(z)) / Σ w,     z = b x - m
    L'(b)  = Σ w x (sigma(z) - t) / Σ w
    L''(b) = Σ w x² sigma(z) sigma(-z) / Σ w                       at least 0, so L is convex

As b → ∞, the slope tends to Σ w |x| / Σ w with the upper sum over the pairs in the wrong order; as b → -∞, to minus the
same over the pairs in the right order. If one of these is zero, L has no minimum, and the best b is ±∞.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..evaluation import pairwise_accuracies
from ..logistic import Array, sigmoid
from ..losses import pair_losses, weighted_mean
from ..pairs import PreferencePairs

__all__ = ["Slope", "fit_slope", "loss_at"]


@dataclass(frozen=True)
class Slope:
    """The b with the smallest loss, ±∞ if there is no smallest, and its standard error (NaN for a single prompt)."""

    b: float
    standard_error: float


def fit_slope(x: Array, pairs: PreferencePairs, m: Array | float = 0.0) -> Slope:
    """Return the b at which choices with the log-odds b·x - m are most likely.

    Newton's method on L', which never decreases, between bounds that enclose its zero; where a step would leave the
    bounds, they are halved instead. The standard error is that of the sandwich, clustered by prompt:
    √(P/(P-1)·Σ S²)/L'', where S is the sum of w x (sigma(z) - t) over the pairs of one of P prompts, and L'' is summed.

    Parameters
    ----------
    x : array, (n_pairs,), not all 0
    pairs : PreferencePairs
        Their labels, weights and prompts.
    m : array, (n_pairs,), or float, log-odds
    """
    w = np.ones(len(pairs)) if pairs.weights is None else pairs.weights / pairs.weights.max()
    t = np.ones(len(pairs)) if pairs.labels is None else pairs.labels
    unit = float(np.abs(x[w > 0]).max())
    x = x / unit
    right = pairwise_accuracies(x, t)
    if not np.dot(w * np.abs(x), 1 - right) > 0:
        return Slope(np.inf, np.nan)
    if not np.dot(w * np.abs(x), right) > 0:
        return Slope(-np.inf, np.nan)

    def slopes(b: float) -> tuple[Array, float]:
        z = b * x - m
        s, q = sigmoid(z), sigmoid(-z)
        return w * x * ((1 - t) * s - t * q), float(np.dot(w * x * x, s * q))

    low, high = 0.0, 0.0
    direction = 1.0 if slopes(0.0)[0].sum() < 0 else -1.0
    far = direction
    while direction * slopes(far)[0].sum() < 0:
        low, far = far, 2 * far
    low, high = (low, far) if direction > 0 else (far, low)
    b = 0.5 * (low + high)
    for _ in range(200):
        each, bend = slopes(b)
        slope = float(each.sum())
        low, high = (b, high) if slope < 0 else (low, b)
        new = b - slope / bend if bend > 0 else np.nan
        new = new if low < new < high else 0.5 * (low + high)
        if slope == 0 or abs(new - b) <= 4e-16 * abs(b) or new in (low, high):
            break
        b = new
    each, bend = slopes(b)
    return Slope(b / unit, _error(each, bend, pairs) / unit)


def loss_at(b: float, x: Array, pairs: PreferencePairs, m: Array | float = 0.0) -> float:
    """Return the mean loss, in nats, of choices with the log-odds b·x - m. Where x is 0, so is b·x, even if b is ±∞."""
    z = np.multiply(x, b, out=np.zeros(x.shape), where=x != 0)
    return weighted_mean(np.asarray(pair_losses(z - m, labels=pairs.labels)), pairs.weights)


def _error(each: Array, bend: float, pairs: PreferencePairs) -> float:
    n = int(np.count_nonzero(np.bincount(pairs.prompt_index, weights=pairs.weights)))  # prompts with weight
    if n < 2:
        return float(np.nan)
    sums = np.bincount(pairs.prompt_index, weights=each)
    return float(np.sqrt(n / (n - 1) * np.sum(sums**2)) / bend)
