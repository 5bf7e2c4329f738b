"""Fit the parameters θ of a loss together with φ, where the loss has some: η of Rao-Kupper, ν of Davidson, thresholds.

For a scorer that is linear in φ, the loss is jointly convex in φ and θ (θ is η, log ν, or the thresholds), so that
Newton's method finds both. With c = l'' and d = dΔ/dφ, the Hessian has the blocks

    φφ   Σ w·c·d dᵀ / Σ w + l2·I        φθ   Σ w·d·(∂²l/∂z∂θ)ᵀ / Σ w        θθ   Σ w·∂²l/∂θ² / Σ w
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from ..backend import NumpyBackend, shifted
from ..fitting.convex import largest_of
from ..fitting.interrupts import interrupts
from ..logistic import Array
from ..losses import PairLoss, weighted_mean
from ..model import Outcome
from ..newton import minimise
from ..objective import Point
from ..pairs import PreferencePairs
from ..scorers import Scorer
from ..separation.advice import use_l2

__all__ = ["ByParameters", "FreeLoss", "JointFit", "fitted_jointly", "is_free"]


LARGE = 15.0  # log-odds: with such a margin where the search ended, the fit may have no minimum


class ByParameters(NamedTuple):
    """Derivatives of each pair's loss with respect to the k parameters θ of the loss.

    ``slope`` is ∂l/∂θ, (n_pairs, k); ``cross`` is ∂²l/∂z∂θ, (n_pairs, k); ``bend`` is ∂²l/∂θ², (n_pairs, k, k).
    """

    slope: Array
    cross: Array
    bend: Array


class FreeLoss(PairLoss, Protocol):
    """A loss with parameters that can be fitted with φ."""

    @property
    def is_free(self) -> bool:
        """Whether the parameters are still to be fitted."""

    def start(self, t: Array) -> Array:
        """Return θ to start from, (k,), or raise ValueError if labels such as these do not determine it."""

    def with_parameters(self, theta: Array) -> FreeLoss | None:
        """Return the loss with these parameters, or None if they are outside their range."""

    def by_parameters(self, z: Array, t: Array) -> ByParameters:
        """Return the derivatives with respect to θ."""


class JointFit(NamedTuple):
    """The fitted loss and φ, and the information about φ that remains because θ was fitted, too.

    ``failure`` says how the fit ended and why, if it found no minimum. Then there is no information.
    """

    loss: Any
    phi: Array
    information: Array | None
    failure: tuple[Outcome, str] | None


def is_free(loss: object) -> bool:
    """Return whether a loss has parameters that are to be fitted with φ."""
    return bool(getattr(loss, "is_free", False))


class Joint:
    """L(φ, θ) with the interface that Newton's method needs. Its points are (φ, θ), and θ is among the margins."""

    def __init__(self, scorer: Scorer, pairs: PreferencePairs, loss: FreeLoss, l2: float) -> None:
        self.scorer, self.pairs, self.loss, self.l2 = scorer, pairs, loss, l2
        self.backend = NumpyBackend(scorer, pairs, loss)
        self.t = np.ones(len(pairs)) if pairs.labels is None else np.asarray(pairs.labels)
        w = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
        self.shares, self.k = w / w.sum(), scorer.n_parameters

    def at(self, phi: Array) -> Point:
        """Return loss, gradient and margins; the loss is infinite where θ is outside its range."""
        loss, margins = self.loss.with_parameters(phi[self.k :]), self.margins(phi)
        if loss is None:
            return Point(phi, np.inf, np.zeros_like(phi), margins)
        z = shifted(margins[: -(phi.size - self.k)], self.pairs)
        value = weighted_mean(loss.value(z, self.t), self.pairs.weights)
        by_phi = self.backend.pull(self.shares * loss.gradient(z, self.t)) + self.l2 * phi[: self.k]
        by_theta = self.shares @ loss.by_parameters(z, self.t).slope
        penalty = 0.5 * self.l2 * float(phi[: self.k] @ phi[: self.k])
        return Point(phi.copy(), value + penalty, np.append(by_phi, by_theta), margins)

    def margins(self, phi: Array) -> Array:
        """Return the margins of the pairs, and then θ."""
        return np.append(self.backend.margins(phi[: self.k]), phi[self.k :])

    def shifted(self, margins: Array) -> Array:
        """Return the margins minus the target margins, and then θ."""
        n = len(self.pairs)
        return np.append(shifted(margins[:n], self.pairs), margins[n:])

    def hessian(self, phi: Array, *, margins: Array | None = None) -> Array:
        """Return the Hessian in (φ, θ)."""
        loss = self.loss.with_parameters(phi[self.k :])
        if loss is None:
            raise ValueError("theta: expected parameters within their range")
        z = shifted((self.margins(phi) if margins is None else margins)[: len(self.pairs)], self.pairs)
        by = loss.by_parameters(z, self.t)
        result = np.empty((phi.size, phi.size))
        result[: self.k, : self.k] = self.backend.gram(self.shares * loss.curvature(z, self.t))
        result[: self.k, : self.k] += self.l2 * np.eye(self.k)
        for j in range(phi.size - self.k):
            result[: self.k, self.k + j] = self.backend.pull(self.shares * by.cross[:, j])
        result[self.k :, : self.k] = result[: self.k, self.k :].T
        result[self.k :, self.k :] = np.einsum("i,ijk->jk", self.shares, by.bend)
        return result


def fitted_jointly(
    scorer: Scorer, pairs: PreferencePairs, loss: FreeLoss, l2: float, phi: Array, max_steps: int, tolerance: float
) -> JointFit:
    """Fit φ and the parameters of the loss together, for a scorer that is linear in φ.

    Raises
    ------
    ValueError
        If the scorer is not linear in φ, or the labels do not determine the parameters.
    """
    if not scorer.linear_in_phi:
        raise ValueError(f"loss: expected numbers as parameters, since {scorer} is not linear in phi, got {loss}")
    joint = Joint(scorer, pairs, loss, l2)
    start = np.append(phi, loss.start(joint.t if pairs.weights is None else joint.t[pairs.weights > 0]))
    ctrl_c = interrupts()
    found = minimise(joint, joint.at(start), lambda *_: ctrl_c.asked, max_steps=max_steps, tolerance=tolerance)
    k, best = scorer.n_parameters, found.point.phi
    if found.outcome is not Outcome.CONVERGED:
        names = "phi and the parameters of the loss"
        reason = f"{names} were fitted together: {found.reason}"
        if l2 == 0 and largest_of(joint.margins(best)[: -(best.size - k)]) > LARGE:
            reason += f"; the labels may be such that {names} grow without end together; {use_l2(scorer, pairs)}"
        return JointFit(loss.with_parameters(best[k:]), best[:k], None, (found.outcome, reason))
    h = joint.hessian(best)
    cross = h[:k, k:]
    information = (h[:k, :k] - cross @ np.linalg.solve(h[k:, k:], cross.T)) * pairs.total_weight
    return JointFit(loss.with_parameters(best[k:]), best[:k], information, None)
