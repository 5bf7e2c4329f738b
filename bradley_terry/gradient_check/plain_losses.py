"""The losses of a margin once more, in plain formulas that autograd, jax and torch can differentiate.

The formulas are those of the papers, and share nothing with ``ranking``, so agreement with them is evidence. They are
written with softplus(x) = log(e^0 + e^x), which the libraries compute without overflow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from ..logistic import Array
from ..losses import BradleyTerryLoss, PairLoss
from ..ranking import (
    Davidson,
    Exponential,
    Focal,
    Hinge,
    LabelSmoothing,
    NoisyChoice,
    Ordinal,
    Probit,
    RaoKupper,
    Robust,
    Scaled,
    Sigmoid,
    Square,
    Temperature,
    Unhinged,
)

__all__ = ["Library", "plain_loss"]


@dataclass(frozen=True)
class Library:
    """A library that differentiates: its name, its functions with NumPy's names, and a way to make its arrays."""

    name: str
    xp: Any
    constant: Callable[[Any], Any]

    def softplus(self, x: Any) -> Any:
        """Return log(1 + e^x)."""
        return self.xp.logaddexp(self.constant(0.0), x)

    def log_of_sum(self, x: Any, number: float) -> Any:
        """Return log(e^x + number)."""
        return self.xp.logaddexp(x, self.constant(np.log(number))) if number > 0 else x

    def log_normal_cdf(self, x: Any) -> Any:
        """Return log Φ(x). Autograd needs SciPy for it."""
        if self.name == "torch":
            return import_module("torch").special.log_ndtr(x)
        return import_module(f"{self.name}.scipy.stats").norm.logcdf(x)


def plain_loss(loss: PairLoss, library: Library) -> Callable[[Any, Array, Array], Any] | None:
    """Return the loss of each pair as a function of z = Δ - m, its label t and its target margin m.

    The result is None if the loss is the caller's own.
    """
    kind = type(loss)
    if kind in OF_OUTCOME:
        return lambda z, t, m: OF_OUTCOME[kind](library, loss, z, t)
    if kind is Scaled:
        return lambda z, t, m: library.constant(m) * _mixed(library, _bradley_terry, loss, z + library.constant(m), t)
    if kind in OF_CHOICE:
        return lambda z, t, m: _mixed(library, OF_CHOICE[kind], loss, z, t)
    return None


def _mixed(library: Library, formula: Callable[[Library, Any, Any], Any], loss: Any, z: Any, t: Array) -> Any:
    one, other = formula(library, loss, z), formula(library, loss, -z)
    return library.constant(t) * one + library.constant(1 - t) * other


def _bradley_terry(f: Library, loss: Any, z: Any) -> Any:
    return f.softplus(-z)


def _smoothed(f: Library, loss: Any, z: Any) -> Any:
    return (1 - loss.epsilon) * f.softplus(-z) + loss.epsilon * f.softplus(z)


def _robust(f: Library, loss: Any, z: Any) -> Any:
    return ((1 - loss.epsilon) * f.softplus(-z) - loss.epsilon * f.softplus(z)) / (1 - 2 * loss.epsilon)


def _noisy(f: Library, loss: Any, z: Any) -> Any:
    return -f.log_of_sum(float(np.log1p(-loss.epsilon)) - f.softplus(-z), loss.epsilon / 2)


def _hinge(f: Library, loss: Any, z: Any) -> Any:
    return f.xp.where(z < loss.delta, loss.delta - z, 0 * z)


OF_CHOICE: Mapping[type, Callable[[Library, Any, Any], Any]] = {
    BradleyTerryLoss: _bradley_terry,
    LabelSmoothing: _smoothed,
    Robust: _robust,
    NoisyChoice: _noisy,
    Hinge: _hinge,
    Temperature: lambda f, loss, z: f.softplus(-z / loss.T),
    Exponential: lambda f, loss, z: f.xp.exp(-z),
    Square: lambda f, loss, z: (z - loss.target) ** 2,
    Focal: lambda f, loss, z: f.xp.exp(-loss.gamma * f.softplus(z)) * f.softplus(-z),
    Probit: lambda f, loss, z: -f.log_normal_cdf(z),
    Sigmoid: lambda f, loss, z: f.xp.exp(-f.softplus(z)),
    Unhinged: lambda f, loss, z: 1 - z,
}


def _rao_kupper(f: Library, loss: Any, z: Any, t: Array) -> Any:
    """Return the loss of a win by more than η, or of a tie, which has the rest of the probability."""
    win, lose, is_tie = f.softplus(loss.eta - z), f.softplus(loss.eta + z), t == 0.5
    total = f.constant(np.where(is_tie, 1.0, t)) * win + f.constant(np.where(is_tie, 1.0, 1 - t)) * lose
    return total - f.constant(np.where(is_tie, np.log(np.expm1(2 * loss.eta)), 0.0))


def _davidson(f: Library, loss: Any, z: Any, t: Array) -> Any:
    """Return the loss of one of three outcomes, which have the weights e^(z/2), e^(-z/2) and ν."""
    log_total = f.log_of_sum(f.xp.logaddexp(z / 2, -z / 2), loss.nu)
    return log_total - f.constant(t - 0.5) * z - f.constant(np.where(t == 0.5, np.log(loss.nu), 0.0))


def _ordinal(f: Library, loss: Any, z: Any, t: Array) -> Any:
    """Return the loss of a level, which lies between two thresholds; the lowest and the highest have only one."""
    ends = np.array([0.0, *loss.thresholds, 0.0])
    level = np.rint(t * (loss.n_levels - 1)).astype(int)
    low, high = ends[level], ends[level + 1]
    has_low, has_high = level > 0, level < loss.n_levels - 1
    gap = np.where(has_low & has_high, high - low, np.inf)
    above = f.constant(1.0 * has_high) * f.softplus(z - f.constant(high))
    below = f.constant(1.0 * has_low) * f.softplus(f.constant(low) - z)
    return above + below - f.constant(np.log(-np.expm1(-gap)))


OF_OUTCOME: Mapping[type, Callable[[Library, Any, Any, Array], Any]] = {
    RaoKupper: _rao_kupper,
    Davidson: _davidson,
    Ordinal: _ordinal,
}
