"""The Bradley-Terry model of preference: two rewards in, one probability out.

Each answer y to a prompt x has a positive strength p_y = exp(r_y), and a person prefers a to b with probability

    Pr(a > b) = p_a / (p_a + p_b) = 1 / (1 + exp(-(r_a - r_b))) = sigma(r_a - r_b)        (Bradley & Terry 1952)

Only the difference of the rewards enters: adding any constant c(x) to all answers of a prompt changes nothing. And
because people are modelled as random, no predictor can do better than the entropy of their choices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .logistic import Float, as_float64, cross_entropy, sigmoid

__all__ = [
    "accuracy_ceiling",
    "brier_floor",
    "expected_loss",
    "loss_floor",
    "preference_probability",
    "sample_preferences",
]


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
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> print(f"{preference_probability(2.0, -0.2):.6f}")
    0.900250
    """
    return sigmoid(_difference(rewards_a, rewards_b))


def sample_preferences(rewards_a: ArrayLike, rewards_b: ArrayLike, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Ask a simulated person once per pair: True where a wins, with probability sigma(r_a - r_b).

    Parameters
    ----------
    rewards_a, rewards_b : array_like, broadcastable, log-odds
    rng : numpy.random.Generator
        The only source of randomness; there is no global state.

    Returns
    -------
    bool array of the broadcast shape

    Notes
    -----
    A uniform draw u in [0, 1) falls below p with probability p, so that p = 0 never and p = 1 always wins.
    """
    p = np.asarray(sigmoid(_difference(rewards_a, rewards_b)))
    if np.isnan(p).any():
        raise ValueError("rewards: expected real numbers, got NaN or two equal infinities, which decide nothing")
    return np.asarray(rng.random(p.shape) < p)


def expected_loss(true_margins: ArrayLike, margins: ArrayLike) -> float:
    """Compute the mean loss that margins Δ will have on endless fresh preferences drawn from true margins Δ*.

    L = mean over pairs of  p* · softplus(-Δ) + (1 - p*) · softplus(Δ),   p* = sigma(Δ*)

    Parameters
    ----------
    true_margins, margins : array_like, broadcastable, log-odds
        Δ* of the people and Δ of the model, for the same pairs.

    Returns
    -------
    float, nats, at least ``loss_floor(true_margins)``
        Equal to it exactly where Δ = Δ*: the derivative with respect to Δ is sigma(Δ) - p*.

    Examples
    --------
    >>> print(f"{expected_loss(np.log(9), 0.0):.6f}")
    0.693147
    """
    true = _finite_or_infinite(true_margins, "true_margins")
    z = _finite_or_infinite(margins, "margins")
    _check_broadcast("true_margins", true, "margins", z)
    losses = cross_entropy(sigmoid(true), sigmoid(-true), z)
    if losses.size == 0:
        raise ValueError("margins: expected at least one pair, got none")
    return float(np.mean(losses))


def loss_floor(true_margins: ArrayLike) -> float:
    """Compute the smallest expected loss that any model can reach: the mean entropy H(p*) of the preferences.

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
    return expected_loss(true_margins, true_margins)


def brier_floor(true_margins: ArrayLike) -> float:
    """Compute the smallest expected Brier score, mean p*(1 - p*), in [0, 1/4]: 0.09 at p* = 0.9."""
    true = _finite_or_infinite(true_margins, "true_margins")
    return float(np.mean(np.asarray(sigmoid(true)) * sigmoid(-true)))


def accuracy_ceiling(true_margins: ArrayLike) -> float:
    """Compute the highest expected pairwise accuracy, mean max(p*, 1 - p*), in [1/2, 1]: people disagree."""
    return float(np.mean(sigmoid(np.abs(_finite_or_infinite(true_margins, "true_margins")))))


@np.errstate(invalid="ignore")  # inf - inf: the NaN in the result says it
def _difference(rewards_a: ArrayLike, rewards_b: ArrayLike) -> NDArray[np.floating]:
    (a, dtype_a), (b, dtype_b) = as_float64(rewards_a, "rewards_a"), as_float64(rewards_b, "rewards_b")
    _check_broadcast("rewards_a", a, "rewards_b", b)
    return np.asarray(a - b).astype(np.result_type(dtype_a, dtype_b), copy=False)


def _check_broadcast(name_a: str, a: NDArray[np.generic], name_b: str, b: NDArray[np.generic]) -> None:
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise ValueError(f"{name_a} has shape {a.shape} and {name_b} {b.shape}: expected shapes that match") from None


def _finite_or_infinite(values: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if np.isnan(array).any():
        raise ValueError(f"{name}: expected real numbers, got NaN")
    return array
