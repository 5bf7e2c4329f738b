"""Variants of -log sigma as losses of the shifted margin z = Δ - m, each with two derivatives.

A loss of a choice is a function l(z) that is small if the chosen answer has the higher reward. A label t, the
probability that the chosen answer is preferred, mixes the two possible outcomes: t·l(z) + (1 - t)·l(-z).

    s = sigma(z), q = sigma(-z) = 1 - s       s' = s q,   q' = -s q,   (log s)' = q

                    l(z)                              l'(z)                        best Δ for P(preferred) = p
    BradleyTerry    -log s                            -q                           logit p
    LabelSmoothing  -(1 - ε) log s - ε log q          s - (1 - ε)                  logit((1 - ε) p + ε (1 - p))
    Robust          (-(1 - ε) log s + ε log q)/(1-2ε) s - (1 - ε)/(1 - 2ε)         logit((p - ε)/(1 - 2ε))
    NoisyChoice     -log((1 - ε) s + ε/2)             -(1 - ε) s q / (that sum)    logit((p - ε/2)/(1 - ε))
    Temperature     -log sigma(z/T)                   -sigma(-z/T)/T               T·logit p
    Scaled          -m log s                          -m q                         logit p
    Probit          -log Φ(z)                         -φ(z)/Φ(z)                   Φ⁻¹(p)

BradleyTerry, NoisyChoice, Temperature and Probit are negative log-likelihoods of a choice. LabelSmoothing, Robust and
Scaled give -log s and -log q other weights, so that e^-l is not a probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ..arrays.given import float64, of_shape
from ..logistic import Array, sigmoid, softplus
from ..pairs import PreferencePairs, check_pairs
from .normal import excess, log_density, mills
from .numbers import check_number, checked_outcomes, logit_of, mixed, probabilities, s_q, times

__all__ = [
    "LabelSmoothing",
    "MarginLoss",
    "NoisyChoice",
    "Probit",
    "Robust",
    "Scaled",
    "SharedLoss",
    "Temperature",
]


far_out = np.errstate(over="ignore", invalid="ignore")  # beyond the largest double, a loss is infinite


class MarginLoss:
    """A loss l(z) of the shifted margin, and its properties. A subclass defines l, l' and l''.

    Attributes
    ----------
    is_convex : bool
        Whether l'' >= 0 everywhere, so that Newton's method can be used with a scorer that is linear in φ.
    is_proper : bool
        Whether the best Δ is one-to-one with p, so that probabilities can be read off a fitted margin.
    bends : bool
        Whether l'' is positive somewhere, which Newton's method needs.
    is_likelihood : bool
        Whether e^-l is a probability, so that the curvature at the minimum gives standard errors.
    shifts : bool
        Whether a target margin m moves the minimum. If so, probabilities are computed from z = Δ - m, otherwise from Δ.
    """

    is_convex: ClassVar[bool] = True
    is_proper: ClassVar[bool] = True
    bends: ClassVar[bool] = True
    is_likelihood: ClassVar[bool] = False
    shifts: ClassVar[bool] = True

    @property
    def gives_probabilities(self) -> bool:
        """True if a fitted margin stands for a preference probability, which ``probability`` then returns."""
        return self.is_proper

    @property
    def suits_newton(self) -> bool:
        """True if Newton's method can minimise this loss: l is convex and has positive curvature somewhere."""
        return self.is_convex and self.bends

    def _value(self, z: Array) -> Array:
        """Return l(z), in nats if the loss is a negative log-likelihood."""
        raise NotImplementedError

    def _slope(self, z: Array) -> Array:
        """Return l'(z)."""
        raise NotImplementedError

    def _bend(self, z: Array) -> Array:
        """Return l''(z)."""
        raise NotImplementedError

    def _of_rows(self, rows: slice) -> MarginLoss:
        """Return the loss of these pairs alone; a loss that holds something for each pair takes their part of it."""
        return self

    @property
    def tails(self) -> tuple[float, float]:
        """The slopes l'(-∞) and l'(∞)."""
        ends = self._slope(np.array([-np.inf, np.inf]))
        return float(ends[0]) + 0.0, float(ends[1]) + 0.0  # which makes 0 of -0

    @property
    def most_bend(self) -> float:
        """The largest ``|l''|``, from which gradient descent chooses its step. It may be infinite."""
        return 0.25

    @far_out
    def value(self, z: Array, t: Array | None) -> Array:
        """Return the loss of each pair, (n_pairs,): t·l(z) + (1 - t)·l(-z)."""
        return self._values(*checked_outcomes(z, t))

    @far_out
    def gradient(self, z: Array, t: Array | None) -> Array:
        """Return the derivative of the loss with respect to z, (n_pairs,): t·l'(z) - (1 - t)·l'(-z)."""
        return self._slopes(*checked_outcomes(z, t))

    @far_out
    def curvature(self, z: Array, t: Array | None) -> Array:
        """Return the second derivative with respect to z, (n_pairs,): t·l''(z) + (1 - t)·l''(-z)."""
        return self._bends(*checked_outcomes(z, t))

    @far_out
    def value_and_gradient(self, z: Array, t: Array | None) -> tuple[Array, Array]:
        """Return ``value`` and ``gradient`` together. Where possible, the work that both need is done only once."""
        return self._values_and_slopes(*checked_outcomes(z, t))

    def _values(self, z: Array, t: Array | None) -> Array:
        return self._value(z) if t is None else mixed(t, self._value(z), self._value(-z))

    def _slopes(self, z: Array, t: Array | None) -> Array:
        return self._slope(z) if t is None else mixed(t, self._slope(z), -self._slope(-z))

    def _bends(self, z: Array, t: Array | None) -> Array:
        return self._bend(z) if t is None else mixed(t, self._bend(z), self._bend(-z))

    def _values_and_slopes(self, z: Array, t: Array | None) -> tuple[Array, Array]:
        return self._values(z, t), self._slopes(z, t)

    def minimiser(self, p: ArrayLike) -> Array:
        """Return the Δ with the smallest expected loss p·l(Δ) + (1 - p)·l(-Δ), for each preference probability p.

        It is ±∞ where the expected loss keeps falling as Δ goes to ±∞.
        """
        return self._best(probabilities(p))[()]

    def probability(self, z: ArrayLike) -> Array:
        """Return the probability that the chosen answer is preferred, if its fitted margin is z: sigma(log_odds(z))."""
        return sigmoid(self.log_odds(z))

    @far_out
    def log_odds(self, z: ArrayLike) -> Array:
        """Return the log-odds of the preference probability that a fitted margin z stands for.

        By default this probability is the p whose best margin is z. ``LabelSmoothing``, ``RaoKupper`` and ``Ordinal``
        define it otherwise.

        At the best margin, the slope p·l'(z) - (1 - p)·l'(-z) of the expected loss is zero, so p/(1 - p) =
        l'(-z)/l'(z). Where the two slopes have opposite signs, no p between 0 and 1 solves this: z is further from 0
        than the best margin of any p. The answer then counts as certain, and the log-odds are ±∞.

        Raises
        ------
        ValueError
            If the loss only orders answers.
        """
        if not self.gives_probabilities:
            raise ValueError(
                f"loss: expected one whose margins stand for probabilities, got {self}, which only orders answers; "
                "bt.calibration.fit_temperature(model, held_out) returns a model with probabilities"
            )
        return self._log_odds(float64(z, "z"))[()]

    @np.errstate(divide="ignore", invalid="ignore")
    def _log_odds(self, z: Array) -> Array:
        """Return it from the two slopes; subclasses have formulas."""
        here, there = -self._slope(z), -self._slope(-z)
        return np.where(here <= 0, np.inf, np.where(there <= 0, -np.inf, np.log(there) - np.log(here)))

    def _expected_slope(self, share: Array, z: Array) -> Array:
        """Return the slope of the expected loss at z, p·l'(z) - (1 - p)·l'(-z)."""
        return share * self._slope(z) - (1 - share) * self._slope(-z)

    def _best(self, share: Array) -> Array:
        """Find it by bisection on the slope of the expected loss between -1000 and 1000; subclasses have formulas."""
        low, high = np.full(share.shape, -1000.0), np.full(share.shape, 1000.0)
        for _ in range(100):
            middle = (low + high) / 2
            rises = self._expected_slope(share, middle) > 0
            low, high = np.where(rises, low, middle), np.where(rises, middle, high)
        found: Array = (low + high) / 2
        return np.where(np.abs(found) > 999, np.copysign(np.inf, found), found)


class SharedLoss(MarginLoss):
    """A loss whose value and slope have most of their work in common. A subclass gives both at once."""

    def _value_and_slope(self, z: Array) -> tuple[Array, Array]:
        """Return l(z) and l'(z)."""
        raise NotImplementedError

    def _value(self, z: Array) -> Array:
        return self._value_and_slope(z)[0]

    def _slope(self, z: Array) -> Array:
        return self._value_and_slope(z)[1]

    def _values_and_slopes(self, z: Array, t: Array | None) -> tuple[Array, Array]:
        value, slope = self._value_and_slope(z)
        if t is None:
            return value, slope
        other_value, other_slope = self._value_and_slope(-z)
        return mixed(t, value, other_value), mixed(t, slope, -other_slope)


@dataclass(frozen=True, eq=False)
class Scaled(MarginLoss):
    """m·softplus(-Δ): the target margin m of a pair says how much the pair counts (Wang et al. 2024, arXiv:2410.01257).

    Every pair needs a target margin. Unlike in -log sigma(Δ - m), the target margin does not move the minimum. Leave
    out m: an ``Objective`` takes it from its pairs. ``tails`` are the slopes for m = 1; those of a pair are m times as
    large.
    """

    m: Array | None = None

    def __post_init__(self) -> None:
        if self.m is not None:
            object.__setattr__(self, "m", float64(self.m, "m"))

    shifts: ClassVar[bool] = False

    def of_pairs(self, pairs: PreferencePairs) -> Scaled:
        """Return the loss of these pairs, each with its own target margin."""
        check_pairs(pairs)
        if pairs.target_margins is None or (pairs.target_margins < 0).any():
            raise ValueError(
                "target_margins: expected a number of at least 0 for each pair, since Scaled multiplies by it"
            )
        return Scaled(pairs.target_margins)

    def _of_rows(self, rows: slice) -> Scaled:
        """Return the loss with the target margins of these pairs."""
        return Scaled(self._m[rows])

    def _values(self, z: Array, t: Array | None) -> Array:  # m times the loss at Δ = z + m
        return self._m * super()._values(self._margins(z), t)

    def _slopes(self, z: Array, t: Array | None) -> Array:
        return self._m * super()._slopes(self._margins(z), t)

    def _bends(self, z: Array, t: Array | None) -> Array:
        return self._m * super()._bends(self._margins(z), t)

    def _margins(self, z: Array) -> Array:
        return z + (self._m if z.ndim == 0 else of_shape(z.shape, self._m, "m"))

    @property
    def _m(self) -> Array:
        if self.m is None:
            raise ValueError("m: expected the target margins of the pairs, which an Objective fills in")
        return self.m

    def _value(self, z: Array) -> Array:
        return softplus(-z)

    def _slope(self, z: Array) -> Array:
        return -sigmoid(-z)

    def _bend(self, z: Array) -> Array:
        return s_q(z)

    @property
    def most_bend(self) -> float:
        """The largest ``|l''|``."""
        return 0.25 * float(np.max(self._m))

    def _best(self, p: Array) -> Array:
        return logit_of(p)

    def _log_odds(self, z: Array) -> Array:
        return z


@dataclass(frozen=True)
class LabelSmoothing(MarginLoss):
    """(1 - ε)·softplus(-z) + ε·softplus(z): each choice is right with probability 1 - ε (arXiv:2401.06080).

    The minimum is finite even for a pair that is always chosen: there Δ = logit(1 - ε). The model's probability is
    sigma(z). Smoothing is meant to make it less sure, so this effect is not undone.

    Examples
    --------
    >>> print(f"{LabelSmoothing(0.1).minimiser(1.0):.6f}")  # logit 0.9
    2.197225
    """

    epsilon: float

    def __post_init__(self) -> None:
        check_number("epsilon", self.epsilon, 0, 0.5)

    def _value(self, z: Array) -> Array:
        return (1 - self.epsilon) * softplus(-z) + times(self.epsilon, softplus(z))

    def _slope(self, z: Array) -> Array:
        return self.epsilon * sigmoid(z) - (1 - self.epsilon) * sigmoid(-z)

    def _bend(self, z: Array) -> Array:
        return s_q(z)

    def _best(self, p: Array) -> Array:
        return logit_of((1 - self.epsilon) * p + self.epsilon * (1 - p))

    def _log_odds(self, z: Array) -> Array:
        """Return z: the model says sigma(z), which smoothing makes less sure than the choices, on purpose."""
        return z


@dataclass(frozen=True)
class Robust(MarginLoss):
    """((1 - ε)·softplus(-z) - ε·softplus(z))/(1 - 2ε): unbiased if a share ε of the choices is flipped.

    If each label is flipped with probability ε, the expectation of this loss is that of -log sigma on the true labels
    (arXiv:2403.00409). It falls for ever as z grows, so a single pair has no finite minimum.

    Examples
    --------
    >>> print(f"{Robust(0.1).minimiser(0.74):.6f}")  # logit 0.8: 0.9 · 0.8 + 0.1 · 0.2 = 0.74
    1.386294
    """

    epsilon: float

    def __post_init__(self) -> None:
        check_number("epsilon", self.epsilon, 0, 0.5)

    def _value(self, z: Array) -> Array:
        return ((1 - self.epsilon) * softplus(-z) - times(self.epsilon, softplus(z))) / (1 - 2 * self.epsilon)

    def _slope(self, z: Array) -> Array:
        return -((1 - self.epsilon) * sigmoid(-z) + self.epsilon * sigmoid(z)) / (1 - 2 * self.epsilon)

    def _bend(self, z: Array) -> Array:
        return s_q(z)

    def _best(self, p: Array) -> Array:
        return logit_of(np.clip((p - self.epsilon) / (1 - 2 * self.epsilon), 0, 1))

    def _log_odds(self, z: Array) -> Array:
        return _flipped(z, self.epsilon)


@dataclass(frozen=True)
class NoisyChoice(SharedLoss):
    """-log((1 - ε)·sigma(z) + ε/2): with probability ε the annotator chooses at random (arXiv:1706.03741).

    With P = (1 - ε) s + ε/2, the probability of the choice::

        l'  = -(1 - ε) s q / P
        l'' =  (1 - ε) s q ((1 - ε) s² + (s - q) ε/2) / P²

    The loss of a single pair is at most -log(ε/2), so a single mislabelled pair has a limited effect.

    Examples
    --------
    >>> print(f"{NoisyChoice(0.1).value(-1000.0, None):.6f}")  # -log 0.05
    2.995732
    """

    epsilon: float

    is_convex: ClassVar[bool] = False
    is_likelihood: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_number("epsilon", self.epsilon, 0, 0.5)

    def _value_and_slope(self, z: Array) -> tuple[Array, Array]:
        a, half, rare = 1 - self.epsilon, self.epsilon / 2, sigmoid(-np.abs(z))
        if not half:
            return softplus(-z), -sigmoid(-z)
        of_rare = a * rare + half  # the probability of the choice that the model thinks less likely
        value = np.where(z <= 0, -np.log(of_rare), -np.log1p(-of_rare))
        with np.errstate(under="ignore"):
            return value, -a * (rare - rare * rare) / np.where(z <= 0, of_rare, 1 - of_rare)

    @np.errstate(under="ignore")
    def _bend(self, z: Array) -> Array:
        a, half, s = 1 - self.epsilon, self.epsilon / 2, sigmoid(z)
        if not half:
            return s_q(z)
        p = a * s + half
        return a * s_q(z) / p * ((a * s * s + half * np.tanh(z / 2)) / p)

    def _best(self, p: Array) -> Array:
        return logit_of(np.clip((p - self.epsilon / 2) / (1 - self.epsilon), 0, 1))

    def _log_odds(self, z: Array) -> Array:
        return _flipped(z, self.epsilon / 2)


@dataclass(frozen=True)
class Temperature(MarginLoss):
    """softplus(-z/T): rewards in units of T log-odds, as in RankNet and, with T = 1/β, in DPO (arXiv:2305.18290).

    Examples
    --------
    >>> print(f"{Temperature(2.0).minimiser(0.9):.6f}")  # 2 logit 0.9
    4.394449
    """

    T: float

    is_likelihood: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_number("T", self.T, 0, np.inf, allows_low=False)
        check_number("T", self.T, 1e-150, 1e150)  # of others, the square would be infinite or zero

    def _value(self, z: Array) -> Array:
        return softplus(-z / self.T)

    def _slope(self, z: Array) -> Array:
        return -sigmoid(-z / self.T) / self.T

    def _bend(self, z: Array) -> Array:
        return s_q(z / self.T) / self.T**2

    @property
    def most_bend(self) -> float:
        """The largest ``|l''|``."""
        return 0.25 / self.T**2

    def _best(self, p: Array) -> Array:
        return self.T * logit_of(p)

    def _log_odds(self, z: Array) -> Array:
        return z / self.T


@dataclass(frozen=True)
class Probit(SharedLoss):
    """-log Φ(z): the noise in a choice is normal instead of logistic (Thurstone 1927).

    With the normal density φ and λ = φ(z)/Φ(z), the derivatives are l' = -λ and l'' = λ (z + λ). For z < 0, λ
    and z + λ are computed from Mills's ratio, without cancellation.

    Examples
    --------
    >>> print(f"{Probit().probability(1.0):.6f}")  # Φ(1)
    0.841345
    """

    is_likelihood: ClassVar[bool] = True

    @np.errstate(under="ignore", over="ignore", invalid="ignore", divide="ignore")
    def _value_and_slope(self, z: Array) -> tuple[Array, Array]:
        x = np.abs(z)
        ratio, log_density_x = mills(x), log_density(x)
        density = np.exp(log_density_x)
        tail = density * ratio  # 1 - Φ(|z|)
        value = np.where(z >= 0, -np.log1p(-tail), -log_density_x - np.log(ratio))
        return value, -np.where(z >= 0, density / (1 - tail), 1 / ratio)

    @np.errstate(under="ignore", over="ignore", invalid="ignore")
    def _bend(self, z: Array) -> Array:
        hazard = -self._slope(z)
        beyond = np.where(z >= 0, z + hazard, excess(np.abs(z)))
        return np.where(np.isinf(z), np.where(z > 0, 0.0, 1.0), hazard * beyond)

    @property
    def most_bend(self) -> float:
        """The largest ``|l''|``."""
        return 1.0

    def _best(self, p: Array) -> Array:
        inner = [NormalDist().inv_cdf(one) if 0 < one < 1 else (one - 0.5) * np.inf for one in np.ravel(p).tolist()]
        return np.reshape(inner, p.shape)[()]

    @np.errstate(invalid="ignore")
    def _log_odds(self, z: Array) -> Array:
        """Return log Φ(z) - log Φ(-z); beyond 1e150, where z² overflows, ±∞."""
        size = np.abs(z)
        return np.copysign(np.where(size < 1e150, self._value(-size) - self._value(size), np.inf), z)


@np.errstate(under="ignore")
def _flipped(z: Array, rate: float) -> Array:
    """Return the log-odds of p = (1 - r)·s + r·q: a choice with log-odds z is flipped with probability r.

    With e = e^-|z| they are ±log((1 - r + r e)/((1 - r) e + r)), which loses no digits near z = 0 in this form.
    """
    if rate == 0:
        return z
    e = np.exp(-np.abs(z))
    return np.copysign(np.log1p((1 - 2 * rate) * -np.expm1(-np.abs(z)) / ((1 - rate) * e + rate)), z)
