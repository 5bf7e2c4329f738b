"""Losses of the shifted margin z = Δ - m besides -log sigma(z), each with its derivative and its second derivative.

A loss of a choice is a function l(z) that is small if the chosen answer has the higher reward. A label t, the
probability that the chosen answer is preferred, mixes the two possible outcomes: t·l(z) + (1 - t)·l(-z).

    s = sigma(z), q = sigma(-z) = 1 - s       s' = s q,   q' = -s q,   (log s)' = q

                    l(z)                              l'(z)                        best Δ for P(preferred) = p
    BradleyTerry    -log s                            -q                           logit p
    LabelSmoothing  -(1 - ε) log s - ε log q          s - (1 - ε)                  logit((1 - ε) p + ε (1 - p))
    Robust          (-(1 - ε) log s + ε log q)/(1-2ε) s - (1 - ε)/(1 - 2ε)         logit((p - ε)/(1 - 2ε))
    NoisyChoice     -log((1 - ε) s + ε/2)             -(1 - ε) q / (1-ε + ε/(2s))  logit((p - ε/2)/(1 - ε))
    Temperature     -log sigma(z/T)                   -sigma(-z/T)/T               T·logit p
    Scaled          -m log s                          -m q                         logit p
    Probit          -log Φ(z)                         -φ(z)/Φ(z)                   Φ⁻¹(p)
    Exponential     exp(-z)                           -exp(-z)                     ½ logit p
    Square          (z - c)²                          2 (z - c)                    c (2p - 1)
    Hinge           max(0, δ - z)                     -1 if z < δ else 0           ±δ, whichever answer is likelier
    Focal           -q^γ log s                        q^γ (γ s log s - q)          no formula; found by bisection
    Sigmoid         q                                 -s q                         ±∞
    Unhinged        1 - z                             -1                           ±∞

With ties, or with more than two levels, the outcome itself decides which term counts:

    RaoKupper       a win: -log sigma(z - η)          a tie: the rest of the probability
    Davidson        a win: -log(e^(z/2)/Z)            a tie: -log(ν/Z),  with Z = e^(z/2) + e^(-z/2) + ν
    Ordinal         level k: -log(sigma(ζ_(k+1) - z) - sigma(ζ_k - z))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ..logistic import Array, log_sigmoid, sigmoid, softplus
from .normal import excess, log_density, mills

__all__ = [
    "Davidson",
    "Exponential",
    "Focal",
    "Hinge",
    "LabelSmoothing",
    "MarginLoss",
    "NoisyChoice",
    "Ordinal",
    "Probit",
    "RaoKupper",
    "Robust",
    "Scaled",
    "Sigmoid",
    "Square",
    "Temperature",
    "Unhinged",
]


class MarginLoss:
    """A loss l(z) of the shifted margin, and what it says of itself. A subclass gives l, l' and l''.

    Attributes
    ----------
    is_convex : bool
        Whether l'' >= 0 everywhere, so that Newton's method can be used with a scorer that is linear in φ.
    is_proper : bool
        Whether the best Δ is one-to-one with p, so that probabilities can be read off a fitted margin.
    """

    is_convex: ClassVar[bool] = True
    is_proper: ClassVar[bool] = True

    def of(self, z: Array) -> Array:
        """Return l(z), in nats if the loss is a negative log-likelihood."""
        raise NotImplementedError

    def slope(self, z: Array) -> Array:
        """Return l'(z)."""
        raise NotImplementedError

    def bend(self, z: Array) -> Array:
        """Return l''(z)."""
        raise NotImplementedError

    @property
    def tails(self) -> tuple[float, float]:
        """The slopes l'(-∞) and l'(∞)."""
        ends = self.slope(np.array([-np.inf, np.inf]))
        return float(ends[0]), float(ends[1])

    def value(self, z: Array, t: Array | None) -> Array:
        """Return t·l(z) + (1 - t)·l(-z), (n_pairs,)."""
        return self.of(z) if t is None else _mixed(t, self.of(z), self.of(-z))

    def gradient(self, z: Array, t: Array | None) -> Array:
        """Return its derivative in z: t·l'(z) - (1 - t)·l'(-z), (n_pairs,)."""
        return self.slope(z) if t is None else _mixed(t, self.slope(z), -self.slope(-z))

    def curvature(self, z: Array, t: Array | None) -> Array:
        """Return its second derivative in z: t·l''(z) + (1 - t)·l''(-z), (n_pairs,)."""
        return self.bend(z) if t is None else _mixed(t, self.bend(z), self.bend(-z))

    def minimiser(self, p: ArrayLike) -> Array:
        """Return the Δ with the smallest expected loss p·l(Δ) + (1 - p)·l(-Δ), for each preference probability p.

        By bisection on the slope of the expected loss between -1000 and 1000. Subclasses have formulas.
        """
        share = _probabilities(p)
        low, high = np.full(share.shape, -1000.0), np.full(share.shape, 1000.0)
        for _ in range(100):
            middle = (low + high) / 2
            rises = share * self.slope(middle) - (1 - share) * self.slope(-middle) > 0
            low, high = np.where(rises, low, middle), np.where(rises, middle, high)
        found: Array = (low + high) / 2
        return np.where(np.abs(found) > 999, np.copysign(np.inf, found), found)[()]


@dataclass(frozen=True)
class Scaled(MarginLoss):
    """m·softplus(-Δ): the target margin m of a pair says how much the pair counts (Wang et al. 2024, arXiv:2410.01257).

    Every pair needs a target margin. Unlike the target margin of -log sigma(Δ - m), it does not move the minimum.
    """

    m: Array | float = 1.0

    def of(self, z: Array) -> Array:
        return self.m * softplus(-z)

    def slope(self, z: Array) -> Array:
        return -self.m * sigmoid(-z)

    def bend(self, z: Array) -> Array:
        return self.m * _s_q(z)

    def minimiser(self, p: ArrayLike) -> Array:
        return _logit(_probabilities(p))


@dataclass(frozen=True)
class LabelSmoothing(MarginLoss):
    """(1 - ε)·softplus(-z) + ε·softplus(z): the choices are believed with probability 1 - ε (arXiv:2401.06080).

    The minimum is finite even for a pair that is always chosen: there Δ = logit(1 - ε).
    """

    epsilon: float

    def __post_init__(self) -> None:
        _check("epsilon", self.epsilon, 0, 0.5)

    def of(self, z: Array) -> Array:
        return (1 - self.epsilon) * softplus(-z) + _times(self.epsilon, softplus(z))

    def slope(self, z: Array) -> Array:
        return self.epsilon * sigmoid(z) - (1 - self.epsilon) * sigmoid(-z)

    def bend(self, z: Array) -> Array:
        return _s_q(z)

    def minimiser(self, p: ArrayLike) -> Array:
        share = _probabilities(p)
        return _logit((1 - self.epsilon) * share + self.epsilon * (1 - share))


@dataclass(frozen=True)
class Robust(MarginLoss):
    """((1 - ε)·softplus(-z) - ε·softplus(z))/(1 - 2ε): unbiased if a share ε of the choices was flipped.

    If each label is flipped with probability ε, the expectation of this loss is that of -log sigma on the true labels
    (arXiv:2403.00409). It falls without end for large z, so a single certain pair has no finite minimum.
    """

    epsilon: float

    def __post_init__(self) -> None:
        _check("epsilon", self.epsilon, 0, 0.5)

    def of(self, z: Array) -> Array:
        return ((1 - self.epsilon) * softplus(-z) - _times(self.epsilon, softplus(z))) / (1 - 2 * self.epsilon)

    def slope(self, z: Array) -> Array:
        return -((1 - self.epsilon) * sigmoid(-z) + self.epsilon * sigmoid(z)) / (1 - 2 * self.epsilon)

    def bend(self, z: Array) -> Array:
        return _s_q(z)

    def minimiser(self, p: ArrayLike) -> Array:
        return _logit(np.clip((_probabilities(p) - self.epsilon) / (1 - 2 * self.epsilon), 0, 1))


@dataclass(frozen=True)
class NoisyChoice(MarginLoss):
    """-log((1 - ε)·sigma(z) + ε/2): with probability ε the annotator chooses at random (arXiv:1706.03741).

    With k = (ε/2)/s = (ε/2)(1 + e^(-z)) and P = s·(1 - ε + k):

        l'  = -(1 - ε) q / (1 - ε + k)
        l'' =  (1 - ε) q ((1 - ε) s - (q - s) k) / (1 - ε + k)²

    The loss of a single pair is at most -log(ε/2), so a mislabelled pair can do only so much harm.
    """

    epsilon: float

    is_convex: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check("epsilon", self.epsilon, 0, 1)

    @np.errstate(under="ignore")
    def of(self, z: Array) -> Array:
        a, half = 1 - self.epsilon, self.epsilon / 2
        with np.errstate(divide="ignore"):
            log_a, log_half = np.log(a), np.log(half)
        at_most_0 = np.minimum(z, 0)
        surprise = -np.logaddexp(log_a + log_sigmoid(at_most_0), log_half)
        return np.where(z <= 0, surprise, -np.log1p(-(a * sigmoid(-np.maximum(z, 0)) + half)))

    def slope(self, z: Array) -> Array:
        a = 1 - self.epsilon
        return -a * sigmoid(-z) / (a + self._k(z))

    @np.errstate(under="ignore", divide="ignore")
    def bend(self, z: Array) -> Array:
        a, s, q, k = 1 - self.epsilon, sigmoid(z), sigmoid(-z), self._k(z)
        of_noise = 1 / (1 + a / k)  # k/(a + k), also where k is infinite
        return a * q * (a * s / (a + k) + np.tanh(z / 2) * of_noise) / (a + k)

    @np.errstate(under="ignore", over="ignore", divide="ignore")
    def _k(self, z: Array) -> Array:
        if self.epsilon == 0:
            return np.zeros_like(z)
        return np.asarray(self.epsilon / 2 + np.exp(np.log(self.epsilon / 2) - z))

    def minimiser(self, p: ArrayLike) -> Array:
        return _logit(np.clip((_probabilities(p) - self.epsilon / 2) / (1 - self.epsilon), 0, 1))


@dataclass(frozen=True)
class Temperature(MarginLoss):
    """softplus(-z/T): rewards in units of T log-odds, as in RankNet and, with T = 1/β, in DPO (arXiv:2305.18290)."""

    T: float

    def __post_init__(self) -> None:
        _check("T", self.T, 0, np.inf, allows_low=False)

    def of(self, z: Array) -> Array:
        return softplus(-z / self.T)

    def slope(self, z: Array) -> Array:
        return -sigmoid(-z / self.T) / self.T

    def bend(self, z: Array) -> Array:
        return _s_q(z / self.T) / self.T**2

    def minimiser(self, p: ArrayLike) -> Array:
        return self.T * _logit(_probabilities(p))


@dataclass(frozen=True)
class Hinge(MarginLoss):
    """max(0, δ - z): full force up to a margin of δ, none beyond (Zhao et al. 2023, arXiv:2305.10425).

    It orders answers, and knows no probabilities: for every p above ½ the best margin is δ. At z = δ, where the slope
    jumps, 0 is used.
    """

    delta: float = 1.0

    is_proper: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check("delta", self.delta, 0, np.inf)

    def of(self, z: Array) -> Array:
        return np.maximum(self.delta - z, 0)

    def slope(self, z: Array) -> Array:
        return -np.asarray(z < self.delta, dtype=np.float64)

    def bend(self, z: Array) -> Array:
        return np.zeros_like(z)

    def minimiser(self, p: ArrayLike) -> Array:
        return (self.delta * np.sign(_probabilities(p) - 0.5))[()]


@dataclass(frozen=True)
class Square(MarginLoss):
    """(z - c)²: every margin is pulled towards c, also those that are larger (IPO with c = 1/(2β), arXiv:2310.12036)."""

    target: float = 1.0

    def __post_init__(self) -> None:
        _check("target", self.target, 0, np.inf, allows_low=False)

    def of(self, z: Array) -> Array:
        return (z - self.target) ** 2

    def slope(self, z: Array) -> Array:
        return 2 * (z - self.target)

    def bend(self, z: Array) -> Array:
        return np.full_like(z, 2.0)

    def minimiser(self, p: ArrayLike) -> Array:
        return self.target * (2 * _probabilities(p) - 1)


@dataclass(frozen=True)
class Exponential(MarginLoss):
    """exp(-z): a pair that is ordered wrongly by a wide margin outweighs all others (RankBoost, Freund et al. 2003)."""

    @np.errstate(under="ignore", over="ignore")
    def of(self, z: Array) -> Array:
        return np.exp(-z)

    def slope(self, z: Array) -> Array:
        return -self.of(z)

    def bend(self, z: Array) -> Array:
        return self.of(z)

    def minimiser(self, p: ArrayLike) -> Array:
        return 0.5 * _logit(_probabilities(p))


@dataclass(frozen=True)
class Focal(MarginLoss):
    """-q^γ log s: pairs that are ordered well count less (Lin et al. 2017, arXiv:1708.02002).

    With L = log s, so that L' = q:

        l'  = q^γ (γ s L - q)
        l'' = q^γ s ((1 + 2γ) q + γ L (q - γ s))
    """

    gamma: float

    is_convex: ClassVar[bool] = False
    is_proper: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check("gamma", self.gamma, 0, np.inf)

    @np.errstate(under="ignore")
    def of(self, z: Array) -> Array:
        return np.exp(_times(self.gamma, -softplus(z))) * softplus(-z)

    @np.errstate(under="ignore", invalid="ignore")
    def slope(self, z: Array) -> Array:
        s_log_s = np.where(z == -np.inf, 0.0, -sigmoid(z) * softplus(-z))
        return np.exp(_times(self.gamma, -softplus(z))) * (self.gamma * s_log_s - sigmoid(-z))

    @np.errstate(under="ignore", invalid="ignore")
    def bend(self, z: Array) -> Array:
        s, q, log_s, g = sigmoid(z), sigmoid(-z), -softplus(-z), self.gamma
        result = np.exp(_times(g, -softplus(z))) * s * ((1 + 2 * g) * q + _times(g, log_s * (q - g * s)))
        return np.where(np.isinf(z), 0.0, result)


@dataclass(frozen=True)
class Probit(MarginLoss):
    """-log Φ(z): normal noise in place of Gumbel noise (Thurstone 1927).

    With λ = φ(z)/Φ(z): l' = -λ and l'' = λ (z + λ). For z < 0, λ = 1/R(-z) = -z + T(-z); see ``normal``.
    """

    @np.errstate(under="ignore", over="ignore", invalid="ignore")
    def of(self, z: Array) -> Array:
        x = np.abs(z)
        tail = np.exp(log_density(x)) * mills(x)  # 1 - Φ(|z|)
        return np.where(z >= 0, -np.log1p(-tail), -log_density(x) - np.log(mills(x)))

    @np.errstate(under="ignore", over="ignore", invalid="ignore")
    def slope(self, z: Array) -> Array:
        return -self._hazard(z)

    @np.errstate(under="ignore", over="ignore", invalid="ignore")
    def bend(self, z: Array) -> Array:
        hazard = self._hazard(z)
        beyond = np.where(z >= 0, z + hazard, excess(np.abs(z)))
        return np.where(z == np.inf, 0.0, hazard * beyond)

    def _hazard(self, z: Array) -> Array:
        x = np.abs(z)
        density = np.exp(log_density(x))
        return np.where(z >= 0, density / (1 - density * mills(x)), x + excess(x))

    def minimiser(self, p: ArrayLike) -> Array:
        share = _probabilities(p)
        inner = [NormalDist().inv_cdf(one) if 0 < one < 1 else (one - 0.5) * np.inf for one in np.ravel(share).tolist()]
        return np.reshape(inner, share.shape)[()]


@dataclass(frozen=True)
class Sigmoid(MarginLoss):
    """sigma(-z): a smooth count of the pairs in wrong order. l(z) + l(-z) = 1, so symmetric label noise keeps the order
    of the minima (arXiv:2505.24709)."""

    is_convex: ClassVar[bool] = False
    is_proper: ClassVar[bool] = False

    def of(self, z: Array) -> Array:
        return sigmoid(-z)

    def slope(self, z: Array) -> Array:
        return -_s_q(z)

    def bend(self, z: Array) -> Array:
        return _s_q(z) * np.tanh(z / 2)

    def minimiser(self, p: ArrayLike) -> Array:
        return _towards(_probabilities(p))


@dataclass(frozen=True)
class Unhinged(MarginLoss):
    """1 - z: every pair pulls with the same force for ever, so a penalty is needed (van Rooyen et al. 2015)."""

    is_proper: ClassVar[bool] = False

    def of(self, z: Array) -> Array:
        return 1 - z

    def slope(self, z: Array) -> Array:
        return np.full_like(z, -1.0)

    def bend(self, z: Array) -> Array:
        return np.zeros_like(z)

    def minimiser(self, p: ArrayLike) -> Array:
        return _towards(_probabilities(p))


@dataclass(frozen=True)
class RaoKupper(MarginLoss):
    """Ties as a zone of indifference: an answer wins if it is ahead by more than η (Rao & Kupper 1967).

        win     softplus(η - z)
        tie     softplus(η - z) + softplus(η + z) - log(e^(2η) - 1)

    Labels are 1, ½ (a tie) and 0. η = 0 is Bradley-Terry, which knows no ties.
    """

    eta: float

    def __post_init__(self) -> None:
        _check("eta", self.eta, 0, np.inf)

    def of(self, z: Array) -> Array:
        return softplus(self.eta - z)

    def slope(self, z: Array) -> Array:
        return -sigmoid(self.eta - z)

    def bend(self, z: Array) -> Array:
        return _s_q(self.eta - z)

    def value(self, z: Array, t: Array | None) -> Array:
        """Return the loss of a win, a tie or a loss, (n_pairs,)."""
        if t is None:
            return self.of(z)
        tie = np.inf if self.eta == 0 else self.of(z) + self.of(-z) - _log_expm1(2 * self.eta)
        return _outcome(t, self.of(z), tie, self.of(-z))

    def gradient(self, z: Array, t: Array | None) -> Array:
        """Return its derivative in z."""
        if t is None:
            return self.slope(z)
        size = np.abs(z)  # sigma(z + η) - sigma(η - z), written as a product so that no digits cancel
        tie = np.copysign(-np.expm1(-2 * size) * sigmoid(size + self.eta) * sigmoid(size - self.eta), z)
        return _outcome(t, self.slope(z), tie, -self.slope(-z))

    def curvature(self, z: Array, t: Array | None) -> Array:
        """Return its second derivative in z."""
        if t is None:
            return self.bend(z)
        return _outcome(t, self.bend(z), self.bend(z) + self.bend(-z), self.bend(-z))


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
        _check("nu", self.nu, 0, np.inf)

    @np.errstate(under="ignore")
    def _parts(self, z: Array) -> tuple[Array, Array]:
        e, h = np.exp(-np.abs(z)), np.exp(-np.abs(z) / 2)
        return e, self.nu * h

    def of(self, z: Array) -> Array:
        e, v = self._parts(z)
        return np.log1p(e + v) + np.maximum(-z, 0)

    def slope(self, z: Array) -> Array:
        e, v = self._parts(z)
        return -0.5 * np.where(z >= 0, 2 * e + v, 2 + v) / (1 + e + v)

    def bend(self, z: Array) -> Array:
        e, v = self._parts(z)
        return 0.25 * (4 * e + (1 + e) * v) / (1 + e + v) ** 2

    def value(self, z: Array, t: Array | None) -> Array:
        """Return the loss of a win, a tie or a loss, (n_pairs,)."""
        if t is None:
            return self.of(z)
        e, v = self._parts(z)
        tie = np.inf if self.nu == 0 else np.abs(z) / 2 + np.log1p(e + v) - np.log(self.nu)
        return _outcome(t, self.of(z), tie, self.of(-z))

    def gradient(self, z: Array, t: Array | None) -> Array:
        """Return its derivative in z."""
        if t is None:
            return self.slope(z)
        e, v = self._parts(z)
        tie = np.copysign(-0.5 * np.expm1(-np.abs(z)) / (1 + e + v), z)
        return _outcome(t, self.slope(z), tie, -self.slope(-z))

    def curvature(self, z: Array, t: Array | None) -> Array:
        """Return its second derivative in z, the same for every outcome."""
        return self.bend(z)


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

    def of(self, z: Array) -> Array:
        return self.value(z, np.ones_like(z))

    def slope(self, z: Array) -> Array:
        return self.gradient(z, np.ones_like(z))

    def bend(self, z: Array) -> Array:
        return self.curvature(z, np.ones_like(z))

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
        return _s_q(z - high) + _s_q(low - z)


# --------------------------------------------------------------------------------------------------- what they share


@np.errstate(under="ignore")
def _s_q(z: Array) -> Array:
    """Return sigma(z)·sigma(-z)."""
    q = sigmoid(-np.abs(z))
    return np.asarray(q - q * q)


@np.errstate(invalid="ignore")
def _times(factor: float, values: Array) -> Array:
    """Return factor·values, where 0·∞ is 0."""
    return np.zeros_like(values) if factor == 0 else factor * values


@np.errstate(invalid="ignore")
def _mixed(t: Array, one: Array, other: Array) -> Array:
    """Return t·one + (1 - t)·other, without 0·∞."""
    return np.where(t > 0, t * one, 0.0) + np.where(t < 1, (1 - t) * other, 0.0)


def _outcome(t: Array, win: Array, tie: Array | float, loss: Array) -> Array:
    """Return the numbers of the outcome that each label names."""
    if not ((t == 0) | (t == 0.5) | (t == 1)).all():
        raise ValueError("labels: expected 1 (chosen), 0.5 (a tie) or 0 (rejected), as this loss knows no other outcome")
    return np.where(t == 1, win, np.where(t == 0, loss, tie))


def _log_expm1(x: float) -> float:
    """Return log(e^x - 1) for x > 0."""
    return float(x + np.log(-np.expm1(-x)))


def _probabilities(p: ArrayLike) -> Array:
    share = np.asarray(p, dtype=np.float64)
    if not ((share >= 0) & (share <= 1)).all():
        raise ValueError(f"p: expected probabilities in [0, 1], got {p!r}")
    return share


@np.errstate(divide="ignore")
def _logit(p: Array) -> Array:
    return np.asarray(np.log(p) - np.log1p(-p))[()]


def _towards(p: Array) -> Array:
    """Return ±∞ for p above or below ½: the margin only ever grows."""
    return np.where(p == 0.5, 0.0, np.copysign(np.inf, p - 0.5))[()]


def _check(name: str, value: float, low: float, high: float, *, allows_low: bool = True) -> None:
    is_number = isinstance(value, int | float | np.floating | np.integer) and not isinstance(value, bool)
    if not is_number or not (low <= value if allows_low else low < value) or not value < high:
        least = f"of at least {low:g}" if allows_low else f"above {low:g}"
        below = "" if high == np.inf else f" and below {high:g}"
        raise ValueError(f"{name}: expected a finite number {least}{below}, got {value!r}")
