"""Losses of outcomes that are more than a choice: ties, and graded preferences. Each is a negative log-likelihood.

The label says which outcome was observed, and so which term counts:

    RaoKupper       a win: -log sigma(z - η)          a tie: the rest of the probability
    Davidson        a win: -log(e^(z/2)/Z)            a tie: -log(ν/Z),  with Z = e^(z/2) + e^(-z/2) + ν
    Ordinal         level k: -log(sigma(ζ_(k+1) - z) - sigma(ζ_k - z))

The parameters η, ν and ζ can be left out. Then ``fit`` finds them together with φ, as θ = η, log ν or ζ. For this each
loss also has its derivatives with respect to θ; see ``joint``.

The preference probability that ``log_odds`` gives is the expected label: P(win) + ½ P(tie), and the mean of the levels'
labels. So it is comparable with shares and accuracies, in which a tie counts one half:

    RaoKupper       ½ sigma(z - η) + ½ sigma(z + η)
    Davidson        (e^(z/2) + ν/2)/Z
    Ordinal         the mean of sigma(z - ζ_k) over the K - 1 thresholds
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..arrays.given import float64
from ..arrays.single import whole
from ..arrays.visible import quoted
from ..logistic import Array, sigmoid, softplus
from .family import MarginLoss, SharedLoss
from .joint import ByParameters
from .numbers import check_number, known, s_q

__all__ = ["Davidson", "Ordinal", "RaoKupper"]


@dataclass(frozen=True)
class RaoKupper(MarginLoss):
    """Ties as a zone of indifference: an answer wins if it is ahead by more than η (Rao & Kupper 1967).

    The losses of a win and of a tie are::

        win     softplus(η - z)
        tie     softplus(z - η) + softplus(-z - η) - log(1 - e^(-2η))

    Labels are 1, ½ (a tie) and 0. η = 0 is Bradley-Terry, which has no ties. If eta is None, η is fitted together with
    φ.

    Examples
    --------
    >>> losses = RaoKupper(np.log(3)).value([0, 0, 0], [1, 0.5, 0])  # win, tie, defeat
    >>> print(np.exp(-losses).round(6))
    [0.25 0.5  0.25]
    """

    eta: float | None = None

    is_likelihood: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.eta is not None:
            check_number("eta", self.eta, 0, np.inf)

    @property
    def is_free(self) -> bool:
        """Whether η is still to be fitted."""
        return self.eta is None

    @property
    def _eta(self) -> float:
        return known("eta", self.eta)

    def _value(self, z: Array) -> Array:
        return softplus(self._eta - z)

    def _slope(self, z: Array) -> Array:
        return -sigmoid(self._eta - z)

    def _bend(self, z: Array) -> Array:
        return s_q(self._eta - z)

    @property
    def most_bend(self) -> float:
        """The largest second derivative, which is that of a tie."""
        return 0.5

    def _log_odds(self, z: Array) -> Array:
        return _mean_log_odds(z, np.array([-self._eta, self._eta]))

    def start(self, t: Array) -> Array:
        """Return the η that explains the share of ties if all rewards are equal: tanh(η/2)."""
        return np.array([2 * np.arctanh(_share_of_ties("eta", t))])

    def with_parameters(self, theta: Array) -> RaoKupper | None:
        """Return the loss with η = θ, or None if it is not positive."""
        return RaoKupper(float(theta[0])) if 0 < theta[0] < np.inf else None

    def by_parameters(self, z: Array, t: Array) -> ByParameters:
        """Return the derivatives with respect to η: those of the softplus terms, and of -log(e^(2η) - 1) for a tie."""
        is_tie, rest = t == 0.5, -np.expm1(-2 * self._eta)
        win, lose = np.where(t > 0, 1.0, 0.0), np.where(t < 1, 1.0, 0.0)
        win, lose = np.where(is_tie, 1.0, win), np.where(is_tie, 1.0, lose)
        a, b = s_q(self._eta - z), s_q(self._eta + z)
        slope = win * sigmoid(self._eta - z) + lose * sigmoid(self._eta + z) - np.where(is_tie, 2 / rest, 0.0)
        bend = win * a + lose * b + np.where(is_tie, 4 * (1 - rest) / rest**2, 0.0)
        return ByParameters(slope[:, None], (lose * b - win * a)[:, None], bend[:, None, None])

    def _values(self, z: Array, t: Array | None) -> Array:
        if t is None:
            return self._value(z)
        _refuse_ties("eta", self._eta, t)
        tie = 0.0 if self._eta == 0 else softplus(z - self._eta) + softplus(-z - self._eta) - _log_rest(self._eta)
        return _outcome(t, self._value(z), tie, self._value(-z))

    def _slopes(self, z: Array, t: Array | None) -> Array:
        if t is None:
            return self._slope(z)
        size = np.abs(z)  # sigma(z + η) - sigma(η - z), written as a product so that no digits cancel
        tie = np.copysign(-np.expm1(-2 * size) * sigmoid(size + self._eta) * sigmoid(size - self._eta), z)
        return _outcome(t, self._slope(z), tie, -self._slope(-z))

    def _bends(self, z: Array, t: Array | None) -> Array:
        if t is None:
            return self._bend(z)
        return _outcome(t, self._bend(z), self._bend(z) + self._bend(-z), self._bend(-z))


@dataclass(frozen=True)
class Davidson(SharedLoss):
    """Ties as a third outcome of weight ν, beside e^(z/2) and e^(-z/2) (Davidson 1970).

    With ν = 1, a tie between answers of equal reward is as likely as a win of either. With ``e = e^-|z|``,
    ``h = e^(-|z|/2)`` and D = 1 + e + ν h, the logarithm of Z = e^(z/2) + e^(-z/2) + ν is ``|z|/2 + log D``, and::

        (log Z)'  = ½·sign(z)·(1 - e)/D
        (log Z)'' = ¼·(4 e + (1 + e) ν h)/D²

    Labels are 1, ½ (a tie) and 0. ν = 0 is Bradley-Terry. If nu is None, ν is fitted together with φ.

    Examples
    --------
    >>> losses = Davidson(2.0).value([0, 0, 0], [1, 0.5, 0])  # win, tie, defeat
    >>> print(np.exp(-losses).round(6))
    [0.25 0.5  0.25]
    """

    nu: float | None = None

    is_likelihood: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.nu is not None:
            check_number("nu", self.nu, 0, np.inf)

    @property
    def is_free(self) -> bool:
        """Whether ν is still to be fitted."""
        return self.nu is None

    @property
    def _nu(self) -> float:
        return known("nu", self.nu)

    @np.errstate(under="ignore", divide="ignore")
    def _log_odds(self, z: Array) -> Array:
        """Return ±log((1 + ν h/2)/(e + ν h/2)), where e = h² is taken out of the logarithm far from 0."""
        if self._nu == 0:
            return z
        size, half = np.abs(z), self._nu / 2
        e, h = np.exp(-size), np.exp(-size / 2)
        near = np.log1p(-np.expm1(-np.minimum(size, 1)) / (e + half * h))
        far = size / 2 + np.log1p(half * h) - np.log(h + half)
        return np.copysign(np.where(size <= 1, near, far), z)

    def start(self, t: Array) -> Array:
        """Return the log ν that explains the share of ties, ν/(2 + ν), if all rewards are equal."""
        share = _share_of_ties("nu", t)
        return np.array([np.log(2 * share / (1 - share))])

    def with_parameters(self, theta: Array) -> Davidson | None:
        """Return the loss with ν = e^θ, or None if that is not a positive number."""
        nu = float(np.exp(np.minimum(theta[0], 710.0)))
        return Davidson(nu) if 0 < nu < np.inf else None

    def by_parameters(self, z: Array, t: Array) -> ByParameters:
        """Return the derivatives in log ν: with the probability P of a tie, (log Z)' = P and (log Z)'' = P (1 - P)."""
        e, v = self._parts(z)
        total = 1 + e + v
        tie, tilt = v / total, np.copysign(-0.5 * np.expm1(-np.abs(z)) / total, z)
        slope = tie - (t == 0.5)
        return ByParameters(slope[:, None], (-tie * tilt)[:, None], (tie * (1 + e) / total)[:, None, None])

    @np.errstate(under="ignore")
    def _parts(self, z: Array) -> tuple[Array, Array]:
        h = np.exp(np.abs(z) * -0.5)
        return h * h, self._nu * h

    @np.errstate(under="ignore")
    def _value_and_slope(self, z: Array) -> tuple[Array, Array]:
        e, v = self._parts(z)
        both = e + v
        return np.log1p(both) + np.maximum(-z, 0), np.where(z >= 0, e + 0.5 * v, 1 + 0.5 * v) / (-1 - both)

    def _bend(self, z: Array) -> Array:
        e, v = self._parts(z)
        total = 1 + e + v
        return 0.25 * ((4 * e + (1 + e) * v) / total) / total

    def _values_and_slopes(self, z: Array, t: Array | None) -> tuple[Array, Array]:
        return self._value_and_slope(z) if t is None else (self._values(z, t), self._slopes(z, t))

    def _values(self, z: Array, t: Array | None) -> Array:
        if t is None:
            return self._value(z)
        e, v = self._parts(z)
        _refuse_ties("nu", self._nu, t)
        tie = 0.0 if self._nu == 0 else np.abs(z) / 2 + np.log1p(e + v) - np.log(self._nu)
        return _outcome(t, self._value(z), tie, self._value(-z))

    def _slopes(self, z: Array, t: Array | None) -> Array:
        if t is None:
            return self._slope(z)
        e, v = self._parts(z)
        tie = np.copysign(-0.5 * np.expm1(-np.abs(z)) / (1 + e + v), z)
        return _outcome(t, self._slope(z), tie, -self._slope(-z))

    def _bends(self, z: Array, t: Array | None) -> Array:
        return self._bend(z)


@dataclass(frozen=True)
class Ordinal(MarginLoss):
    """Graded choices, such as "much better, better, equal, worse, much worse" (cumulative logit, McCullagh 1980).

    Level k of K is chosen if z plus logistic noise lies between the thresholds ζ_k and ζ_(k+1)::

        -log(sigma(ζ_(k+1) - z) - sigma(ζ_k - z))
            = softplus(z - ζ_(k+1)) + softplus(ζ_k - z) - log(1 - e^(ζ_k - ζ_(k+1)))

    The outermost thresholds are -∞ and ∞. The levels are 0, …, K - 1, and the label of a pair is its level
    divided by K - 1: 0 is the lowest level, and 1 the highest, which favours the chosen answer most. Two levels with
    threshold 0 give Bradley-Terry, and three levels with thresholds ±η give Rao-Kupper.

    Parameters
    ----------
    n_levels : int, at least 2
    thresholds : sequence of n_levels - 1 numbers, increasing, optional
        The finite thresholds ζ_1, …, ζ_(K-1), in log-odds. If they are None, they are fitted together with φ.

    Examples
    --------
    >>> losses = Ordinal(3, [-np.log(3), np.log(3)]).value([0, 0, 0], [0, 0.5, 1])
    >>> print(np.exp(-losses).round(6))  # the probability of each level
    [0.25 0.5  0.25]
    """

    n_levels: int
    thresholds: Sequence[float] | None = None

    is_likelihood: ClassVar[bool] = True

    def __post_init__(self) -> None:
        whole("n_levels", self.n_levels, 2)
        if self.thresholds is None:
            return
        zeta = float64(self.thresholds, "thresholds")
        if zeta.shape != (self.n_levels - 1,) or not np.isfinite(zeta).all() or not (np.diff(zeta) > 0).all():
            wanted = f"{self.n_levels - 1} finite numbers in increasing order"
            raise ValueError(f"thresholds: expected {wanted}, got {quoted(self.thresholds)}")
        object.__setattr__(self, "thresholds", tuple(zeta.tolist()))

    @property
    def most_bend(self) -> float:
        """The largest second derivative, which is that of a level between two thresholds."""
        return 0.5

    @property
    def is_free(self) -> bool:
        """Whether the thresholds are still to be fitted."""
        return self.thresholds is None

    @property
    def _ends(self) -> Array:
        return np.array([-np.inf, *known("thresholds", self.thresholds), np.inf])

    def _log_odds(self, z: Array) -> Array:
        return _mean_log_odds(z, self._ends[1:-1])

    def start(self, t: Array) -> Array:
        """Return the thresholds that explain the share of each level if all rewards are equal."""
        counts = np.bincount(self._levels(t), minlength=self.n_levels)
        if not counts.all():
            raise ValueError(
                f"labels: expected each of the {self.n_levels} levels at least once to fit the thresholds, got none of "
                f"level {int(np.argmin(counts))}"
            )
        below = np.cumsum(counts)[:-1] / counts.sum()
        return np.log(below) - np.log1p(-below)

    def with_parameters(self, theta: Array) -> Ordinal | None:
        """Return the loss with these thresholds, or None if they do not increase."""
        grows = np.isfinite(theta).all() and (np.diff(theta) > 0).all()
        return Ordinal(self.n_levels, tuple(theta.tolist())) if grows else None

    def by_parameters(self, z: Array, t: Array) -> ByParameters:
        """Return the derivatives in the two thresholds of each pair's level; those in the others are 0.

        With r = 1/(e^(ζ_(k+1) - ζ_k) - 1), those of -log(1 - e^(ζ_k - ζ_(k+1))) are r, -r, and ±r (1 + r).
        """
        level, n, k = self._levels(t), z.size, self.n_levels - 1
        low, high = self._ends[level], self._ends[level + 1]
        with np.errstate(over="ignore"):
            r = 1 / np.expm1(high - low)
        slope, cross, bend = np.zeros((n, k + 2)), np.zeros((n, k + 2)), np.zeros((n, k + 2, k + 2))
        i = np.arange(n)
        slope[i, level], slope[i, level + 1] = sigmoid(low - z) + r, -sigmoid(z - high) - r
        cross[i, level], cross[i, level + 1] = -s_q(low - z), -s_q(z - high)
        bend[i, level, level], bend[i, level + 1, level + 1] = s_q(low - z) + r * (1 + r), s_q(z - high) + r * (1 + r)
        bend[i, level, level + 1] = bend[i, level + 1, level] = -r * (1 + r)
        inner = slice(1, k + 1)  # without the outermost two, which are infinite
        return ByParameters(slope[:, inner], cross[:, inner], bend[:, inner, inner])

    def _value(self, z: Array) -> Array:
        return self._values(z, np.ones_like(z))

    def _slope(self, z: Array) -> Array:
        return self._slopes(z, np.ones_like(z))

    def _bend(self, z: Array) -> Array:
        return self._bends(z, np.ones_like(z))

    @property
    def tails(self) -> tuple[float, float]:
        """The slopes l'(-∞) and l'(∞) of the highest level: -1 far below its threshold, 0 far above it."""
        return -1.0, 0.0

    def _expected_slope(self, share: Array, z: Array) -> Array:
        """Return the slope of the mean loss at z if the highest level has this share, and the lowest the rest."""
        top, bottom = np.ones_like(z), np.zeros_like(z)
        return share * self._slopes(z, top) + (1 - share) * self._slopes(z, bottom)

    def _edges(self, z: Array, t: Array | None) -> tuple[Array, Array]:
        """Return the thresholds below and above the level of each pair; without labels, it is the highest level."""
        level = np.array([self.n_levels - 1]) if t is None else self._levels(t)
        return self._ends[level], self._ends[level + 1]

    def _levels(self, t: Array) -> NDArray[np.int64]:
        """Return the level of each pair, or raise ValueError if a label is no level divided by K - 1."""
        last = self.n_levels - 1
        if not ((t >= 0) & (t <= 1)).all() or not (np.abs(np.rint(t * last) - t * last) < 1e-9).all():
            raise ValueError(f"labels: expected levels 0, …, {last} divided by {last}")
        return np.rint(t * last).astype(np.int64)

    def _values(self, z: Array, t: Array | None) -> Array:
        low, high = self._edges(z, t)
        if t is None:
            return softplus(low - z)
        return softplus(z - high) + softplus(low - z) - np.log(-np.expm1(low - high))

    def _slopes(self, z: Array, t: Array | None) -> Array:
        low, high = self._edges(z, t)
        if t is None:
            return -sigmoid(low - z)
        a, b = z - high, low - z
        return np.sign(a - b) * -np.expm1(-np.abs(a - b)) * sigmoid(np.maximum(a, b)) * sigmoid(-np.minimum(a, b))

    def _bends(self, z: Array, t: Array | None) -> Array:
        low, high = self._edges(z, t)
        return s_q(z - high) + s_q(low - z)


@np.errstate(invalid="ignore")  # NaN stays NaN
def _mean_log_odds(z: Array, zeta: Array) -> Array:
    """Return the log-odds of the mean of sigma(z - ζ_k)."""
    shifted = np.subtract.outer(z, zeta)
    return np.logaddexp.reduce(-softplus(-shifted), axis=-1) - np.logaddexp.reduce(-softplus(shifted), axis=-1)


def _share_of_ties(name: str, t: Array) -> float:
    """Return the share of ties, or raise ValueError if there are none or nothing else."""
    _check_outcomes(t)
    if not 0 < (share := float((t == 0.5).mean())) < 1:
        raise ValueError(
            f"labels: expected both ties (labels of 0.5) and other labels to fit {name}, got {share:.0%} ties"
        )
    return share


def _refuse_ties(name: str, parameter: float, t: Array) -> None:
    """Raise ValueError for ties where the parameter says that they have the probability 0."""
    if parameter == 0 and (t == 0.5).any():
        raise ValueError(f"{name}: expected a number above 0 with ties (labels of 0.5), got 0, which allows no ties")


def _check_outcomes(t: Array) -> None:
    if not ((t == 0) | (t == 0.5) | (t == 1)).all():
        raise ValueError(
            "labels: expected 1 (chosen), 0.5 (a tie) or 0 (rejected), since this loss has no other outcomes"
        )


def _outcome(t: Array, win: Array, tie: Array | float, loss: Array) -> Array:
    """Return the numbers of the outcome that each label names."""
    _check_outcomes(t)
    return np.where(t == 1, win, np.where(t == 0, loss, tie))


def _log_rest(eta: float) -> float:
    """Return log(1 - e^(-2η)) for η > 0."""
    return float(np.log(-np.expm1(-2 * eta)))
