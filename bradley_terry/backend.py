"""The reference backend, in NumPy: from φ to margins, to the loss, and back to the gradient.

    sides      (chosen, +1), (rejected, -1)     or (chosen - rejected, +1) if the reward is linear in the features
    forward    Δ = Σ sign · r_φ(side)           loss = Σ w·l(Δ - m, t) / Σ w
    back       d_margins = w·l'(Δ - m, t) / Σ w       gradient = Σ backward(side, sign · d_margins)

Both rewards use the same φ, so the gradient is the sum of their two contributions, with opposite signs. If rewards are
linear, the reward of the difference is the difference of the rewards. Subtracting first is then cheaper, and what both
answers share (a shift of the features, a large offset) cancels exactly.

These formulas work for every scorer and loss. The compiled backends in ``kernels`` compute the same numbers faster.
"""

from __future__ import annotations

from functools import cached_property, reduce
from typing import Protocol, cast

import numpy as np

from .logistic import Array
from .losses import PairLoss, value_and_gradient, weighted_mean
from .pairs import PreferencePairs, shifted
from .scorers import Features, LinearScorer, Scorer, forward
from .threads import blas_on_one_thread

__all__ = ["Backend", "NumpyBackend", "shifted", "sides_of", "subtracts_first"]

Sides = tuple[tuple[Features, int], ...]


class Backend(Protocol):
    """What an ``Objective`` needs for one scorer and one set of pairs. The objective adds the L2 penalty itself."""

    def margins(self, phi: Array) -> Array:
        """Return Δ, (n_pairs,), in log-odds."""

    def loss_and_gradient(self, phi: Array) -> tuple[float, Array]:
        """Return the mean loss, in nats, and its gradient, (n_parameters,)."""

    def all_at(self, phi: Array) -> tuple[float, Array, Array]:
        """Return loss, gradient and margins, computed together if that saves work."""

    def curvatures(self, margins: Array) -> Array:
        """Return w·l''(Δ - m, t) / Σ w for each pair, (n_pairs,)."""

    def gram(self, d2_margins: Array) -> Array:
        """Return Σ_i d2_margins[i] · d_i d_iᵀ with d_i = dΔ_i/dφ, for a scorer that is linear in φ."""

    def pull(self, d_margins: Array) -> Array:
        """Return Σ_i d_margins[i] · d_i, (n_parameters,), for a scorer that is linear in φ."""

    def product(self, d2_margins: Array, v: Array) -> Array:
        """Return the matrix of ``gram`` times v, (n_parameters,), without forming it."""


class NumpyBackend:
    """The formulas above, for any scorer and any loss of the margin."""

    def __init__(self, scorer: Scorer, pairs: PreferencePairs, loss: PairLoss) -> None:
        self.scorer, self.pairs, self.loss = scorer, pairs, loss
        self._n_products = len(pairs) * scorer.n_parameters

    @cached_property
    def sides(self) -> Sides:
        """Features and sign of each side, computed on first use."""
        return sides_of(self.scorer, self.pairs.chosen, self.pairs.rejected)

    def margins(self, phi: Array) -> Array:
        """Return Δ = Σ sign · r_φ(side), (n_pairs,)."""
        with blas_on_one_thread(self._n_products):
            return reduce(np.add, [sign * self.scorer.reward(phi, features) for features, sign in self.sides])

    def loss_and_gradient(self, phi: Array) -> tuple[float, Array]:
        """Return the mean loss and its gradient."""
        return self.all_at(phi)[:2]

    def all_at(self, phi: Array) -> tuple[float, Array, Array]:
        """Return loss, gradient and margins, with one forward and one backward pass for each side."""
        with blas_on_one_thread(self._n_products), np.errstate(over="ignore", invalid="ignore"):
            parts = []
            for features, sign in self.sides:
                rewards, backward = forward(self.scorer, phi, features)
                parts.append((sign * rewards, backward, sign))
            margins = reduce(np.add, [contribution for contribution, _, _ in parts])
            loss, d_margins = self.loss_and_d_margins(margins)
            gradients = [np.array(backward(sign * d_margins)) for _, backward, sign in parts]  # it may use one array
            return loss, reduce(np.add, gradients), margins

    def loss_and_d_margins(self, margins: Array) -> tuple[float, Array]:
        """Return the mean loss and dL/dΔ = w·l'(Δ - m, t) / Σ w for each pair."""
        pairs, z = self.pairs, shifted(margins, self.pairs)
        losses, slopes = value_and_gradient(self.loss, z, pairs.labels)
        return weighted_mean(losses, pairs.weights), _share(slopes, pairs.weights)

    def curvatures(self, margins: Array) -> Array:
        """Return d²L/dΔ² = w·l''(Δ - m, t) / Σ w for each pair."""
        z = shifted(margins, self.pairs)
        return _share(self.loss.curvature(z, self.pairs.labels), self.pairs.weights)

    def gram(self, d2_margins: Array) -> Array:
        """Return Σ_i d2_margins[i] · d_i d_iᵀ."""
        with blas_on_one_thread(len(self.pairs) * self.scorer.n_parameters**2), np.errstate(over="ignore"):
            return cast("LinearScorer", self.scorer).hessian(self.pairs.chosen, self.pairs.rejected, d2_margins)

    def pull(self, d_margins: Array) -> Array:
        """Return Σ_i d_margins[i] · d_i."""
        phi = np.zeros(self.scorer.n_parameters)  # any φ, since d does not depend on it
        return reduce(np.add, [self.scorer.backward(phi, features, sign * d_margins) for features, sign in self.sides])

    def product(self, d2_margins: Array, v: Array) -> Array:
        """Return Σ_i d2_margins[i] · d_i (d_iᵀv)."""
        return self.pull(d2_margins * self.margins(v))


def sides_of(scorer: Scorer, chosen: Features, rejected: Features) -> Sides:
    """Return features and sign of each side. A linear scorer has only one side, the difference of the features."""
    if not subtracts_first(scorer):
        return (chosen, +1), (rejected, -1)
    return ((np.subtract(chosen, rejected, dtype=np.float64, order="C"), +1),)


def subtracts_first(scorer: Scorer) -> bool:
    """Return whether margins are rewards of differences. A class derived from LinearScorer may compute otherwise."""
    return type(scorer) is LinearScorer


def _share(values: Array, weights: Array | None) -> Array:
    """Return w·v / Σ w, or v / n without weights."""
    return values / values.size if weights is None else values * weights / weights.sum()
