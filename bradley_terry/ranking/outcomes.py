"""Losses of outcomes that are more than a choice: ties, and graded preferences. Each is a negative log-likelihood.

The label says which outcome was observed, and so which term counts:

    RaoKupper       a win: -log sigma(z - η)          a tie: the rest of the probability
    Davidson        a win: -log(e^(z/2)/Z)            a tie: -log(ν/Z),  with Z = e^(z/2) + e^(-z/2) + ν
    Ordinal         level k: -log(sigma(ζ_(k+1) - z) - sigma(ζ_k - z))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..logistic import Array, sigmoid, softplus
from .family import MarginLoss
from .numbers import check_number, s_q

__all__ = ["Davidson", "Ordinal", "RaoKupper"]


@dataclass(frozen=True)
class RaoKupper(MarginLoss):
    """Ties as a zone of indifference: an answer wins if it is ahead by more than η (Rao & Kupper 1967).

        win     softplus(η - z)
        tie     softplus(η - z) + softplus(η + z) - log(e^(2η) - 1)

    Labels are 1, ½ (a tie) and 0. η = 0 is Bradley-Terry, which knows no ties.
    """

    eta: float

    def __post_init__(self) -> None:
        check_number("eta", self.eta, 0, np.inf)

    def _value(self, z: Array) -> Array:
        return softplus(self.eta - z)

    def _slope(self, z: Array) -> Array:
        return -sigmoid(self.eta - z)

    def _bend(self, z: Array) -> Array:
        return s_q(self.eta - z)

    def value(self, z: Array, t: Array | None) -> Array:
        """Return the loss of a win, a tie or a loss, (n_pairs,)."""
        if t is None:
            return self._value(z)
        tie = np.inf if self.eta == 0 else self._value(z) + self._value(-z) - _log_expm1(2 * self.eta)
        return _outcome(t, self._value(z), tie, self._value(-z))

    def gradient(self, z: Array, t: Array | None) -> Array:
        """Return its derivative in z."""
        if t is None:
            return self._slope(z)
        size = np.abs(z)  # sigma(z + η) - sigma(η - z), written as a product so that no digits cancel
        tie = np.copysign(-np.expm1(-2 * size) * sigmoid(size + self.eta) * sigmoid(size - self.eta), z)
        return _outcome(t, self._slope(z), tie, -self._slope(-z))

    def curvature(self, z: Array, t: Array | None) -> Array:
        """Return its second derivative in z."""
        if t is None:
            return self._bend(z)
        return _outcome(t, self._bend(z), self._bend(z) + self._bend(-z), self._bend(-z))


@dataclass(frozen=True)
class Davidson(MarginLoss):
    """Ties as a third outcome of weight ν, beside e^(z/2) and e^(-z/2) (Davidson 1970).

    Between answers of equal reward, ν = 1 makes a tie as likely as each win. With e = e^-|z|, h = e^-|z|/2 and
    D = 1 + e + ν h, the logarithm of Z = e^(z/2) + e^(-z/2) + ν is |z|/2 + log D, and

        (log Z)'  = ½·sign(z)·(1 - e)/D
        (log Z)'' = ¼·(4 e + (1 + e) ν h)/D²

    Labels are 1, ½ (a tie) and 0. ν = 0 is Bradley-Terry.
    """

    nu: float

    def __post_init__(self) -> None:
        check_number("nu", self.nu, 0, np.inf)

    @np.errstate(under="ignore")
    def _parts(self, z: Array) -> tuple[Array, Array]:
        e, h = np.exp(-np.abs(z)), np.exp(-np.abs(z) / 2)
        return e, self.nu * h

    def _value(self, z: Array) -> Array:
        e, v = self._parts(z)
        return np.log1p(e + v) + np.maximum(-z, 0)

    def _slope(self, z: Array) -> Array:
        e, v = self._parts(z)
        return -0.5 * np.where(z >= 0, 2 * e + v, 2 + v) / (1 + e + v)

    def _bend(self, z: Array) -> Array:
        e, v = self._parts(z)
        return 0.25 * (4 * e + (1 + e) * v) / (1 + e + v) ** 2

    def value(self, z: Array, t: Array | None) -> Array:
        """Return the loss of a win, a tie or a loss, (n_pairs,)."""
        if t is None:
            return self._value(z)
        e, v = self._parts(z)
        tie = np.inf if self.nu == 0 else np.abs(z) / 2 + np.log1p(e + v) - np.log(self.nu)
        return _outcome(t, self._value(z), tie, self._value(-z))

    def gradient(self, z: Array, t: Array | None) -> Array:
        """Return its derivative in z."""
        if t is None:
            return self._slope(z)
        e, v = self._parts(z)
        tie = np.copysign(-0.5 * np.expm1(-np.abs(z)) / (1 + e + v), z)
        return _outcome(t, self._slope(z), tie, -self._slope(-z))

    def curvature(self, z: Array, t: Array | None) -> Array:
        """Return its second derivative in z, the same for every outcome."""
        return self._bend(z)


@dataclass(frozen=True)
class Ordinal(MarginLoss):
    """Graded choices, such as "much better, better, equal, worse, much worse" (cumulative logit, McCullagh 1980).

    Level k of K is chosen if z plus logistic noise lies between the thresholds ζ_k and ζ_(k+1):

        -log(sigma(ζ_(k+1) - z) - sigma(ζ_k - z))
            = softplus(z - ζ_(k+1)) + softplus(ζ_k - z) - log(1 - e^(ζ_k - ζ_(k+1)))

    The outermost thresholds are -∞ and ∞. A label is the level divided by K - 1: 0 is the lowest, 1 the highest, at
    which the chosen answer is best. Two levels with threshold 0 are Bradley-Terry, and three with ±η are Rao-Kupper.

    Parameters
    ----------
    n_levels : int, at least 2
    thresholds : sequence of n_levels - 1 numbers, increasing
    """

    n_levels: int
    thresholds: Sequence[float]

    def __post_init__(self) -> None:
        if not isinstance(self.n_levels, int) or isinstance(self.n_levels, bool) or self.n_levels < 2:
            raise ValueError(f"n_levels: expected a whole number of at least 2, got {self.n_levels!r}")
        zeta = np.asarray(self.thresholds, dtype=np.float64)
        if zeta.shape != (self.n_levels - 1,) or not np.isfinite(zeta).all() or not (np.diff(zeta) > 0).all():
            raise ValueError(
                f"thresholds: expected {self.n_levels - 1} finite numbers in increasing order, got {self.thresholds!r}"
            )
        object.__setattr__(self, "thresholds", tuple(zeta.tolist()))

    def _value(self, z: Array) -> Array:
        return self.value(z, np.ones_like(z))

    def _slope(self, z: Array) -> Array:
        return self.gradient(z, np.ones_like(z))

    def _bend(self, z: Array) -> Array:
        return self.curvature(z, np.ones_like(z))

    @property
    def tails(self) -> tuple[float, float]:
        """The slopes at the highest level: it pulls with full force far below its threshold, and not at all above."""
        return -1.0, 0.0

    def _edges(self, z: Array, t: Array | None) -> tuple[Array, Array]:
        """Return the thresholds below and above the level of each pair."""
        t = np.ones_like(z) if t is None else t
        level = np.rint(t * (self.n_levels - 1)).astype(np.int64)
        if not (np.abs(level - t * (self.n_levels - 1)) < 1e-9).all():
            raise ValueError(f"labels: expected levels 0, …, {self.n_levels - 1} divided by {self.n_levels - 1}")
        ends = np.array([-np.inf, *self.thresholds, np.inf])
        return ends[level], ends[level + 1]

    def value(self, z: Array, t: Array | None) -> Array:
        """Return -log of the probability of each pair's level, (n_pairs,)."""
        low, high = self._edges(z, t)
        return softplus(z - high) + softplus(low - z) - np.log(-np.expm1(low - high))

    def gradient(self, z: Array, t: Array | None) -> Array:
        """Return its derivative in z: sigma(z - ζ_(k+1)) - sigma(ζ_k - z)."""
        low, high = self._edges(z, t)
        a, b = z - high, low - z
        return np.sign(a - b) * -np.expm1(-np.abs(a - b)) * sigmoid(np.maximum(a, b)) * sigmoid(-np.minimum(a, b))

    def curvature(self, z: Array, t: Array | None) -> Array:
        """Return its second derivative in z."""
        low, high = self._edges(z, t)
        return s_q(z - high) + s_q(low - z)


def _outcome(t: Array, win: Array, tie: Array | float, loss: Array) -> Array:
    """Return the numbers of the outcome that each label names."""
    if not ((t == 0) | (t == 0.5) | (t == 1)).all():
        raise ValueError(
            "labels: expected 1 (chosen), 0.5 (a tie) or 0 (rejected), as this loss knows no other outcome"
        )
    return np.where(t == 1, win, np.where(t == 0, loss, tie))


def _log_expm1(x: float) -> float:
    """Return log(e^x - 1) for x > 0."""
    return float(x + np.log(-np.expm1(-x)))
