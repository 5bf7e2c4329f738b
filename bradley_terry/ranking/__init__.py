"""Losses for preferences besides -log sigma(Δ).

numbers     products and mixtures without 0·∞, formulas of probabilities, checks of parameters
normal      log Φ and the ratio of Mills, for the probit loss
family      losses of a choice, each with its derivation: value, gradient, curvature, and what it says of itself
outcomes    losses of ties and of graded preferences
"""

from .family import (
    Exponential,
    Focal,
    Hinge,
    LabelSmoothing,
    MarginLoss,
    NoisyChoice,
    Probit,
    Robust,
    Scaled,
    Sigmoid,
    Square,
    Temperature,
    Unhinged,
)
from .outcomes import Davidson, Ordinal, RaoKupper

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
