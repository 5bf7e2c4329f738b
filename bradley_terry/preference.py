"""The Bradley-Terry model of preference: two rewards in, one probability out.

Each answer y to a prompt x has a positive strength p_y = exp(r_y), and a person prefers a to b with probability

    Pr(a > b) = p_a / (p_a + p_b) = 1 / (1 + exp(-(r_a - r_b))) = sigma(r_a - r_b)        (Bradley & Terry 1952)

Only the difference of the rewards matters: adding a constant c(x) to the rewards of all answers to a prompt changes
nothing. Choices are partly random, so no model can reach a lower expected loss than the entropy of the choices.
"""

from __future__ import annotations

from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import given, single
from .arrays.sums import mean_of
from .logistic import Array, Float, as_float64, cross_entropy, sigmoid

__all__ = [
    "accuracy_ceiling",
    "brier_floor",
    "expected_loss",
    "loss_floor",
    "preference_probability",
    "sample_preferences",
]


@overload
def preference_probability(rewards_a: float, rewards_b: float) -> np.float64: ...
@overload
def preference_probability(rewards_a: ArrayLike, rewards_b: ArrayLike) -> Array: ...
def preference_probability(rewards_a: ArrayLike, rewards_b: ArrayLike) -> Float:
    """Compute the probability that answer a is preferred to answer b: sigma(r_a - r_b).

    Parameters
    ----------
    rewards_a, rewards_b : array_like, broadcastable, log-odds
        Rewards of the two answers to the same prompt.

    Returns
    -------
    array of the broadcast shape, a probability in [0, 1]
        float32 if both rewards are float32, else float64.

    Raises
    ------
    ValueError, TypeError
        If the shapes do not broadcast, or a reward is not a real number.

    Examples
    --------
    >>> print(f"{preference_probability(2.0, -0.2):.6f}")
    0.900250
    """
    return sigmoid(_difference(rewards_a, rewards_b))


def sample_preferences(rewards_a: ArrayLike, rewards_b: ArrayLike, rng: np.random.Generator | int) -> NDArray[np.bool_]:
    """Draw one simulated choice for each pair: True where a is chosen, with probability sigma(r_a - r_b).

    Parameters
    ----------
    rewards_a, rewards_b : array_like, broadcastable, log-odds
    rng : numpy.random.Generator, or int of at least 0
        The source of randomness, or a seed for a new one. The same seed always gives the same preferences.

    Returns
    -------
    bool array of the broadcast shape

    Notes
    -----
    A uniform draw u in [0, 1) is below p with probability p. So a is never chosen if p = 0, and always if p = 1.

    Examples
    --------
    >>> print(sample_preferences([0.0, 50.0, -50.0], 0.0, 3)[1:])
    [ True False]
    """
    rng = single.generator(rng)
    p = sigmoid(_difference(rewards_a, rewards_b))
    if np.isnan(p).any():
        raise ValueError("rewards: expected real numbers, got NaN, or the same infinity for both answers")
    return np.asarray(rng.random(p.shape) < p)


def expected_loss(true_margins: ArrayLike, margins: ArrayLike) -> float:
    """Compute the average loss of margins Δ over preferences that are drawn from the true margins Δ*.

    L = mean over pairs of  p* · softplus(-Δ) + (1 - p*) · softplus(Δ),   p* = sigma(Δ*)

    Parameters
    ----------
    true_margins, margins : array_like, broadcastable, log-odds
        Δ* of the people who choose, and Δ of the model, for the same pairs.

    Returns
    -------
    float, nats, at least ``loss_floor(true_margins)``
        The two are equal if and only if Δ = Δ*, since the derivative with respect to Δ is sigma(Δ) - p*.

    Examples
    --------
    >>> print(f"{expected_loss(np.log(9), 0.0):.6f}")
    0.693147
    """
    z, true = _margins(margins, "margins"), _margins(true_margins, "true_margins")
    given.check_broadcast(true_margins=true, margins=z)
    return mean_of(np.asarray(cross_entropy(sigmoid(true), sigmoid(-true), z)))


def loss_floor(true_margins: ArrayLike) -> float:
    """Compute the lowest expected loss that any model can reach: the mean entropy H(p*) of the preferences.

    Parameters
    ----------
    true_margins : array_like, any shape, log-odds

    Returns
    -------
    float, nats, in [0, log 2]

    Examples
    --------
    >>> print(f"{loss_floor(np.log(9)):.6f}")
    0.325083
    """
    true = _margins(true_margins, "true_margins")
    return expected_loss(true, true)


def brier_floor(true_margins: ArrayLike) -> float:
    """Compute the lowest expected Brier score: the mean of p*(1 - p*), in [0, 1/4]; 0.09 at p* = 0.9."""
    true = _margins(true_margins, "true_margins")
    return float(np.mean(np.multiply(sigmoid(true), sigmoid(-true))))


def accuracy_ceiling(true_margins: ArrayLike) -> float:
    """Compute the highest expected pairwise accuracy: the mean of max(p*, 1 - p*), in [1/2, 1]; 0.9 at p* = 0.9."""
    return float(np.mean(sigmoid(np.abs(_margins(true_margins, "true_margins")))))


@np.errstate(over="ignore", invalid="ignore")  # inf - inf is NaN, and the callers look for NaN
def _difference(rewards_a: ArrayLike, rewards_b: ArrayLike) -> NDArray[np.floating]:
    (a, dtype_a), (b, dtype_b) = as_float64(rewards_a, "rewards_a"), as_float64(rewards_b, "rewards_b")
    given.check_broadcast(rewards_a=a, rewards_b=b)
    return (a - b).astype(np.result_type(dtype_a, dtype_b), copy=False)


def _margins(values: ArrayLike, name: str) -> Array:
    """Return margins as float64; infinities are allowed, NaN and an empty array are not."""
    array, _ = as_float64(values, name)
    if np.isnan(array).any():
        raise ValueError(f"{name}: expected real numbers, got NaN")
    if array.size == 0:
        raise ValueError(f"{name}: expected at least one pair, got none")
    return array
