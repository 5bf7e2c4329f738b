"""-log sigma(Δ): its value, its gradient and its curvature as functions of Δ, and its mean over the data.

    value      l(Δ)   = -log sigma(Δ) = softplus(-Δ)
    gradient   l'(Δ)  = -sigma(-Δ)                     d/dΔ log(1 + exp(-Δ)) = -exp(-Δ) / (1 + exp(-Δ))
    curvature  l''(Δ) =  sigma(Δ) sigma(-Δ)            d/dΔ -sigma(-Δ) = sigma'(-Δ), and sigma' = sigma (1 - sigma)

A target margin m replaces Δ by z = Δ - m. A label t = P(chosen preferred) mixes the two possible outcomes:

    value      t · softplus(-z) + (1 - t) · softplus(z)
    gradient  -t · sigma(-z)    + (1 - t) · sigma(z)       = sigma(z) - t, written so that no digits cancel
    curvature  sigma(z) sigma(-z)                          for every label

The mean is Σ w·l / Σ w. Another loss of the margin needs the same three functions; see ``PairLoss``. A family of such
losses is in the folder ``ranking``, and each can also be imported from here: ``losses.Hinge()``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import given
from .arrays.sums import mean_of
from .logistic import Array, Float, Numbers, as_float64, cross_entropy, logit, sigmoid, softplus

__all__ = [
    "BradleyTerryLoss",
    "PairLoss",
    "mean_loss",
    "pair_loss_curvatures",
    "pair_loss_gradients",
    "pair_losses",
    "weighted_mean",
]


@overload
def pair_losses(
    margins: float, *, labels: ArrayLike | None = ..., target_margins: ArrayLike | None = ...
) -> np.float64: ...
@overload
def pair_losses(
    margins: Numbers, *, labels: ArrayLike | None = ..., target_margins: ArrayLike | None = ...
) -> Array: ...
@overload
def pair_losses(
    margins: ArrayLike, *, labels: ArrayLike | None = ..., target_margins: ArrayLike | None = ...
) -> Float: ...
def pair_losses(
    margins: ArrayLike, *, labels: ArrayLike | None = None, target_margins: ArrayLike | None = None
) -> Float:
    """Compute -log sigma(Δ) for every pair: the negative log-likelihood of each choice.

    Parameters
    ----------
    margins : array_like, any shape, log-odds
        Δ = r_chosen - r_rejected. Any real number, infinities included; NaN stays NaN.
    labels : array_like, optional, in [0, 1]
        t = P(chosen preferred), by default 1; 0.5 is a tie.
    target_margins : array_like, optional, log-odds
        The m in -log sigma(Δ - m), by default 0.

    Returns
    -------
    array of the same shape, nats, in [0, inf], within 2 ulp
        float32 if float32 margins are the only input, else float64. About -Δ for Δ << 0, about exp(-Δ) for Δ >> 0.

    References
    ----------
    Ouyang et al. 2022, arXiv:2203.02155, equation 1; target margins: Touvron et al. 2023, arXiv:2307.09288.

    Examples
    --------
    >>> print(pair_losses([0.0, 1.5, -2.0]).round(6))
    [0.693147 0.201413 2.126928]
    """
    if labels is None:
        return softplus(-_shifted(margins, target_margins))
    z = _shifted(margins, target_margins)
    t = checked_labels(labels, z)
    return cross_entropy(t, 1 - t, z)[()]


@overload
def pair_loss_gradients(
    margins: float, *, labels: ArrayLike | None = ..., target_margins: ArrayLike | None = ...
) -> np.float64: ...
@overload
def pair_loss_gradients(
    margins: Numbers, *, labels: ArrayLike | None = ..., target_margins: ArrayLike | None = ...
) -> Array: ...
@overload
def pair_loss_gradients(
    margins: ArrayLike, *, labels: ArrayLike | None = ..., target_margins: ArrayLike | None = ...
) -> Float: ...
@np.errstate(under="ignore")  # as in logistic.py: far out, zero is the correctly rounded answer
def pair_loss_gradients(
    margins: ArrayLike, *, labels: ArrayLike | None = None, target_margins: ArrayLike | None = None
) -> Float:
    """Compute dl/dΔ = -sigma(-Δ) for every pair, without the 1/n of the mean.

    Parameters
    ----------
    margins, labels, target_margins
        As in ``pair_losses``.

    Returns
    -------
    array of the same shape, nats per log-odds, within 2 ulp; with labels, within 2e-16
        In [-1, 0] for labels of 1: the chosen reward is only ever pushed up, and hardest (-1) where the model is
        surely wrong. With a label t it is sigma(Δ) - t, in [-1, 1], and zero at Δ = logit(t).

    Examples
    --------
    >>> print(pair_loss_gradients([0.0, 1.5, -1000.0]).round(6))
    [-0.5      -0.182426 -1.      ]
    """
    z = _shifted(margins, target_margins)
    if labels is None:
        return -sigmoid(-z)
    t = checked_labels(labels, z)
    return ((1 - t) * sigmoid(z) - t * sigmoid(-z))[()]


@overload
def pair_loss_curvatures(margins: float, *, target_margins: ArrayLike | None = ...) -> np.float64: ...
@overload
def pair_loss_curvatures(margins: Numbers, *, target_margins: ArrayLike | None = ...) -> Array: ...
@overload
def pair_loss_curvatures(margins: ArrayLike, *, target_margins: ArrayLike | None = ...) -> Float: ...
@np.errstate(under="ignore")
def pair_loss_curvatures(margins: ArrayLike, *, target_margins: ArrayLike | None = None) -> Float:
    """Compute d²l/dΔ² = sigma(Δ) sigma(-Δ) for every pair: how sharply the loss bends at Δ.

    Parameters
    ----------
    margins, target_margins
        As in ``pair_losses``. Labels are not needed: they add a linear term to the loss, which has no curvature.

    Returns
    -------
    array of the same shape, nats per log-odds squared, in [0, 1/4], within 4 ulp

    Notes
    -----
    Both factors come from the smaller probability ``q = sigma(-|z|)``: sigma(z) sigma(-z) = q (1 - q) = q - q·q.

    Examples
    --------
    >>> print(pair_loss_curvatures([0.0, 2.0]).round(6))
    [0.25     0.104994]
    """
    z, dtype = as_float64(_shifted(margins, target_margins), "margins")
    q = sigmoid(-np.abs(z))
    return (q - q * q).astype(dtype, copy=False)[()]


def mean_loss(
    margins: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    target_margins: ArrayLike | None = None,
) -> float:
    """Compute the training loss L = Σ w·l(Δ) / Σ w over all pairs.

    Parameters
    ----------
    margins : array_like, (n_pairs,), log-odds
    weights : array_like, optional, (n_pairs,), at least 0
        Counts or importances, by default 1.
    labels, target_margins
        As in ``pair_losses``.

    Returns
    -------
    float, nats, in [0, inf]
        Exactly log 2 if every Δ - m is 0, for every number of pairs and all weights.

    Raises
    ------
    ValueError
        If margins have more than one axis, there are no pairs, weights are negative or sum to zero, or labels lie
        outside [0, 1].

    Examples
    --------
    >>> print(f"{mean_loss([1.0, 0.5, 1.0, -0.5]):.4f}")
    0.5187
    """
    values = np.asarray(pair_losses(margins, labels=labels, target_margins=target_margins), dtype=np.float64)
    return weighted_mean(values, None if weights is None else given.float64(weights, "weights"))


def weighted_mean(values: Array, weights: Array | None = None) -> float:
    """Compute Σ w·v / Σ w. The sum is exact: the order of the values changes no bit of it, and it cannot overflow.

    If all values are equal, the mean is that value: rewards that are all zero have loss log 2, not nearly log 2.
    """
    values = given.float64(values, "margins")
    if values.ndim > 1:
        hint = "; rewards of shapes (n, 1) and (n,) give margins of shape (n, n)"
        raise ValueError(f"margins: expected one axis, shape (n_pairs,), got shape {values.shape}{hint}")
    if values.size == 0:
        raise ValueError("margins: expected at least one pair, got none")
    if weights is not None:
        weights = given.float64(weights, "weights")
        if weights.shape != values.shape:
            raise ValueError(f"weights: expected shape {values.shape}, one for each pair, got {weights.shape}")
        if not ((weights >= 0) & (weights < np.inf)).all() or not weights.any():
            raise ValueError("weights: expected finite numbers of at least 0 with a positive sum")
        values, weights = values[weights > 0], weights[weights > 0]
    return mean_of(values, weights)


class PairLoss(Protocol):
    """What a loss must provide for training: three functions of the shifted margin z = Δ - m and the label t.

    Each takes z, (n_pairs,), and t, (n_pairs,) or None if all labels are 1, and returns float64, (n_pairs,).
    """

    def value(self, z: Array, t: Array | None) -> Array:
        """Return l(z), in nats."""

    def gradient(self, z: Array, t: Array | None) -> Array:
        """Return dl/dz."""

    def curvature(self, z: Array, t: Array | None) -> Array:
        """Return d²l/dz². Newton's method needs values of at least 0."""


def value_and_gradient(loss: PairLoss, z: Array, t: Array | None) -> tuple[Array, Array]:
    """Return both, for less than their two costs if the loss has a method of this name."""
    both = getattr(loss, "value_and_gradient", None)
    return (loss.value(z, t), loss.gradient(z, t)) if both is None else both(z, t)


class BradleyTerryLoss:
    """-log sigma(z), the default loss, in the form that ``Objective`` needs."""

    is_convex = is_proper = is_likelihood = True
    tails = (-1.0, 0.0)  # the slopes for z → -∞ and z → ∞

    def __repr__(self) -> str:
        return "BradleyTerry()"

    def minimiser(self, p: ArrayLike) -> Array:
        """Return the best Δ for each preference probability p: logit p."""
        return np.asarray(logit(p), dtype=np.float64)[()]

    def value(self, z: Array, t: Array | None) -> Array:
        """Return the loss of each pair, as ``pair_losses`` does."""
        return pair_losses(z, labels=t)

    def gradient(self, z: Array, t: Array | None) -> Array:
        """Return the derivative of each loss, as ``pair_loss_gradients`` does."""
        return pair_loss_gradients(z, labels=t)

    def curvature(self, z: Array, t: Array | None) -> Array:
        """Return the second derivatives, as ``pair_loss_curvatures`` does. They do not depend on the labels."""
        return pair_loss_curvatures(z)


BradleyTerry = BradleyTerryLoss


def __getattr__(name: str) -> object:
    ranking = import_module(f"{__package__}.ranking")  # on first use, since it imports this module
    if name in ranking.__all__:
        return getattr(ranking, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _shifted(margins: ArrayLike, target_margins: ArrayLike | None) -> NDArray[np.floating]:
    """Return z = Δ - m, in float32 only if the margins are float32 and there are no target margins."""
    delta, dtype = as_float64(margins, "margins")
    if target_margins is None:
        return delta.astype(dtype, copy=False)
    m, _ = as_float64(target_margins, "target_margins")
    if m.shape not in {(), delta.shape}:
        raise ValueError(f"target_margins: expected shape {delta.shape}, one for each pair, got {m.shape}")
    return delta - m


def checked_labels(labels: ArrayLike, z: NDArray[np.floating]) -> Array:
    t, _ = as_float64(labels, "labels")
    if t.shape not in {(), z.shape}:
        raise ValueError(f"labels: expected shape {z.shape}, one for each pair, got {t.shape}")
    if not ((t >= 0) & (t <= 1)).all():
        raise ValueError("labels: expected probabilities in [0, 1], P(chosen preferred)")
    return t
