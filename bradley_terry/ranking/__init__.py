"""Losses for preferences besides -log sigma(Δ).

family    the losses of a margin, each with its derivation: value, gradient, curvature, and what it says of itself
normal    log Φ and the ratio of Mills, for the probit loss
"""

from .family import (
    Davidson,
    Exponential,
    Focal,
    Hinge,
    LabelSmoothing,
    MarginLoss,
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
