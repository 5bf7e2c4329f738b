"""Surrogates of the 0-1 loss: losses of the shifted margin z = Δ - m that are not likelihoods.

As in ``family``, s = sigma(z) and q = sigma(-z).

                    l(z)                              l'(z)                        best Δ for P(preferred) = p
    Exponential     exp(-z)                           -exp(-z)                     ½ logit p
    Square          (z - c)²                          2 (z - c)                    c (2p - 1)
    Hinge           max(0, δ - z)                     -1 if z < δ else 0           ±δ, whichever answer is likelier
    Focal           -q^γ log s                        q^γ (γ s log s - q)          no formula; found by bisection
    Sigmoid         q                                 -s q                         ±∞
    Unhinged        1 - z                             -1                           ±∞
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..logistic import Array, sigmoid, softplus
from .family import MarginLoss, SharedLoss
from .numbers import check_number, logit_of, s_q, times, towards

__all__ = ["Exponential", "Focal", "Hinge", "Sigmoid", "Square", "Unhinged"]


@dataclass(frozen=True)
class Hinge(MarginLoss):
    """max(0, δ - z): the pull is 1 up to a margin of δ, and 0 beyond (Zhao et al. 2023, arXiv:2305.10425).

    It only orders answers and gives no probabilities: for all p above ½ the best margin is δ. At z = δ, where the slope
    jumps, it is taken to be 0.

    Examples
    --------
    >>> print(Hinge().value([-1.0, 0.0, 2.0], None))
    [2. 1. 0.]
    """

    delta: float = 1.0

    is_proper: ClassVar[bool] = False
    bends: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_number("delta", self.delta, 0, np.inf)

    def _value(self, z: Array) -> Array:
        return np.maximum(self.delta - z, 0)

    def _slope(self, z: Array) -> Array:
        return np.where(z < self.delta, -1.0, 0.0)

    def _bend(self, z: Array) -> Array:
        return np.zeros_like(z)

    @property
    def most_bend(self) -> float:
        """The largest ``|l''|``."""
        return 0.0

    def _best(self, p: Array) -> Array:
        return (self.delta * np.sign(p - 0.5))[()]


@dataclass(frozen=True)
class Square(MarginLoss):
    """(z - c)²: every margin is pulled towards c, even if it is larger (IPO: c = 1/(2β), arXiv:2310.12036).

    Examples
    --------
    >>> print(Square().value([0.0, 1.0, 2.0], None))
    [1. 0. 1.]
    """

    target: float = 1.0

    def __post_init__(self) -> None:
        check_number("target", self.target, 0, np.inf, allows_low=False)

    def _value(self, z: Array) -> Array:
        return (z - self.target) ** 2

    def _slope(self, z: Array) -> Array:
        return 2 * (z - self.target)

    def _bend(self, z: Array) -> Array:
        return np.full_like(z, 2.0)

    @property
    def most_bend(self) -> float:
        """The largest ``|l''|``."""
        return 2.0

    def _best(self, p: Array) -> Array:
        return self.target * (2 * p - 1)

    @np.errstate(divide="ignore")
    def _log_odds(self, z: Array) -> Array:
        """Return the log-odds of (1 + z/c)/2. No best margin lies beyond ±c, so from there on p is 1 or 0."""
        return 2 * np.arctanh(np.clip(z / self.target, -1, 1))


@dataclass(frozen=True)
class Exponential(SharedLoss):
    """exp(-z): a pair that is ordered wrongly by a wide margin outweighs all others (RankBoost, Freund et al. 2003).

    Examples
    --------
    >>> print(Exponential().value([-3.0, 0.0, 1.0], None).round(6))
    [20.085537  1.        0.367879]
    """

    @np.errstate(under="ignore", over="ignore")
    def _value_and_slope(self, z: Array) -> tuple[Array, Array]:
        value = np.exp(-z)
        return value, -value

    def _bend(self, z: Array) -> Array:
        return self._value(z)

    @property
    def most_bend(self) -> float:
        """The largest ``|l''|``."""
        return float(np.inf)

    def _best(self, p: Array) -> Array:
        return 0.5 * logit_of(p)

    def _log_odds(self, z: Array) -> Array:
        return 2 * z


@dataclass(frozen=True)
class Focal(SharedLoss):
    """-q^γ log s: pairs that are ordered well count less (Lin et al. 2017, arXiv:1708.02002).

    With L = log s, so that L' = q::

        l'  = q^γ (γ s L - q)
        l'' = q^γ s ((1 + 2γ) q + γ L (q - γ s))

    sigma(Δ) is not the preference probability p, but ``probability`` computes p from a fitted margin (Charoenphakdee et
    al. 2021, arXiv:2011.09172).

    Examples
    --------
    >>> print(f"{Focal(2.0).value(0.0, None):.6f}")  # a quarter of log 2
    0.173287
    """

    gamma: float

    is_convex: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_number("gamma", self.gamma, 0, np.inf)

    @np.errstate(under="ignore", invalid="ignore")
    def _value_and_slope(self, z: Array) -> tuple[Array, Array]:
        x = np.abs(z)
        e = np.exp(-x)
        log_1_e, q = np.log1p(e), np.where(z < 0, 1 / (1 + e), e / (1 + e))
        surprise = log_1_e + np.maximum(-z, 0)  # -log s
        weight = np.exp(times(-self.gamma, log_1_e + np.maximum(z, 0)))  # q^γ
        s_log_s = np.where(z == -np.inf, 0.0, (q - 1) * surprise)
        return weight * surprise, weight * (self.gamma * s_log_s - q)

    @np.errstate(under="ignore", invalid="ignore")
    def _bend(self, z: Array) -> Array:
        s, q, log_s, g = sigmoid(z), sigmoid(-z), -softplus(-z), self.gamma
        result = np.exp(times(g, -softplus(z))) * s * ((1 + 2 * g) * q + times(g, log_s * (q - g * s)))
        return np.where(np.isinf(z), 0.0, result)

    @np.errstate(under="ignore", invalid="ignore")
    def _log_odds(self, z: Array) -> Array:
        """Return log l'(-z)/l'(z) with log(-l'(z)) = -(1 + γ) softplus(z) + log(1 + γ u), u = e^z softplus(-z)."""
        if self.gamma == 0:
            return z
        e = np.exp(-np.abs(z))
        high = np.divide(np.log1p(e), e, out=np.ones_like(e), where=e > 0)  # u(|z|)
        low = e * softplus(np.abs(z))  # u(-|z|)
        low = np.where(e > 0, low, 0.0)
        size = (1 + self.gamma) * np.abs(z) + np.log1p(self.gamma * low) - np.log1p(self.gamma * high)
        return np.copysign(size, z)

    @property
    def most_bend(self) -> float:
        """The largest ``|l''|``, found on a grid; far out it is 0."""
        return 1.01 * float(np.abs(self._bend(np.linspace(-50.0, 50.0, 10_001))).max())


@dataclass(frozen=True)
class Sigmoid(MarginLoss):
    """sigma(-z): a smooth count of the pairs in wrong order (arXiv:2505.24709).

    Since l(z) + l(-z) = 1, flipping every label with the same probability below ½ does not change which φ has the
    smallest expected loss.

    Examples
    --------
    >>> print(Sigmoid().value([-1.5, 0.0, 1.5], None).round(6))
    [0.817574 0.5      0.182426]
    """

    is_convex: ClassVar[bool] = False
    is_proper: ClassVar[bool] = False

    def _value(self, z: Array) -> Array:
        return sigmoid(-z)

    def _slope(self, z: Array) -> Array:
        return -s_q(z)

    def _bend(self, z: Array) -> Array:
        return s_q(z) * np.tanh(z / 2)

    def _best(self, p: Array) -> Array:
        return towards(p)


@dataclass(frozen=True)
class Unhinged(MarginLoss):
    """1 - z: every pair pulls with the same force for ever, so a penalty is needed (van Rooyen et al. 2015).

    Examples
    --------
    >>> print(Unhinged().value([-1.0, 0.0, 2.0], None))
    [ 2.  1. -1.]
    """

    is_proper: ClassVar[bool] = False
    bends: ClassVar[bool] = False

    def _value(self, z: Array) -> Array:
        return 1 - z

    def _slope(self, z: Array) -> Array:
        return np.full_like(z, -1.0)

    def _bend(self, z: Array) -> Array:
        return np.zeros_like(z)

    @property
    def most_bend(self) -> float:
        """The largest ``|l''|``."""
        return 0.0

    def _best(self, p: Array) -> Array:
        return towards(p)
