"""Every loss of the family as one would first write it in NumPy, to compare our time with.

Most of these forms lose digits, or overflow, where the model is very sure. They are right for moderate margins, and the
benchmark uses no others.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

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

__all__ = ["LOSSES", "plain_form"]

Form = Callable[[Array], tuple[Array, Array]]  # margins → the loss of each pair, and its slope

LOSSES: tuple[PairLoss, ...] = (
    BradleyTerryLoss(), Scaled(), LabelSmoothing(0.1), Robust(0.1), NoisyChoice(0.1), Temperature(2.0), Probit(),
    Exponential(), Square(1.0), Focal(2.0), Hinge(1.0), Sigmoid(), Unhinged(), RaoKupper(0.5), Davidson(0.7),
    Ordinal(4, (-1.0, 0.0, 1.0)),
)  # fmt: skip
M, E = 2.0, 0.1  # the target margin of every pair, for Scaled; ε


def sigma(z: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-z)))


def softplus(z: Array) -> Array:
    return np.asarray(np.logaddexp(0, z))


def noisy(z: Array) -> tuple[Array, Array]:
    p = (1 - E) * sigma(z) + E / 2
    return -np.log(p), -(1 - E) * sigma(z) * sigma(-z) / p


def probit(z: Array) -> tuple[Array, Array]:
    special = import_module("scipy.special")
    return -special.log_ndtr(z), -np.exp(-z * z / 2) / np.sqrt(2 * np.pi) / special.ndtr(z)


def focal(z: Array) -> tuple[Array, Array]:
    s, q = sigma(z), sigma(-z)
    return -(q**2) * np.log(s), q**2 * (2 * s * np.log(s) - q)


def davidson(z: Array) -> tuple[Array, Array]:
    a, b = np.exp(z / 2), np.exp(-z / 2)
    total = a + b + 0.7
    return np.log(total) - z / 2, (a - b) / (2 * total) - 0.5


FORMS: dict[type, Form] = {
    BradleyTerryLoss: lambda z: (softplus(-z), -sigma(-z)),
    Scaled: lambda z: (M * softplus(-z), -M * sigma(-z)),
    LabelSmoothing: lambda z: ((1 - E) * softplus(-z) + E * softplus(z), sigma(z) - (1 - E)),
    Robust: lambda z: (
        ((1 - E) * softplus(-z) - E * softplus(z)) / (1 - 2 * E),
        sigma(z) - (1 - E) / (1 - 2 * E),
    ),
    NoisyChoice: noisy,
    Temperature: lambda z: (softplus(-z / 2), -sigma(-z / 2) / 2),
    Probit: probit,
    Exponential: lambda z: (np.exp(-z), -np.exp(-z)),
    Square: lambda z: ((z - 1) ** 2, 2 * (z - 1)),
    Focal: focal,
    Hinge: lambda z: (np.maximum(0, 1 - z), np.where(z < 1, -1.0, 0.0)),
    Sigmoid: lambda z: (sigma(-z), -sigma(z) * sigma(-z)),
    Unhinged: lambda z: (1 - z, np.full_like(z, -1.0)),
    RaoKupper: lambda z: (softplus(0.5 - z), -sigma(0.5 - z)),
    Davidson: davidson,
    Ordinal: lambda z: (softplus(1.0 - z), -sigma(1.0 - z)),
}


def plain_form(loss: PairLoss) -> Form:
    """Return the form of this loss."""
    return FORMS[type(loss)]
