"""Losses for preferences besides -log sigma(Δ).

numbers     products and mixtures without 0·∞, formulas of probabilities, checks of parameters
normal      log Φ and the ratio of Mills, for the probit loss
family      variants of -log sigma for a choice: value, gradient, curvature and properties of each
surrogates  hinge, square, exponential and other losses that are not likelihoods
outcomes    losses of ties and of graded preferences
joint       parameters of a loss, such as the width of a tie, fitted together with φ
named       losses by name, for the command line

Rankings of several answers, of which pairs are the smallest:

plackett_luce    the loss of a whole ranking, its slopes and its second derivatives
listwise         the losses of rankings as classes: PlackettLuce and ListNet
rankings         PreferenceRankings: checked once, then frozen
ranked_backend   from φ to the loss of rankings, and back to the gradient
"""

from .family import LabelSmoothing, MarginLoss, NoisyChoice, Probit, Robust, Scaled, Temperature
from .listwise import ListNet, PlackettLuce
from .outcomes import Davidson, Ordinal, RaoKupper
from .surrogates import Exponential, Focal, Hinge, Sigmoid, Square, Unhinged

__all__ = [
    "Davidson",
    "Exponential",
    "Focal",
    "Hinge",
    "LabelSmoothing",
    "ListNet",
    "MarginLoss",
    "NoisyChoice",
    "Ordinal",
    "PlackettLuce",
    "Probit",
    "RaoKupper",
    "Robust",
    "Scaled",
    "Sigmoid",
    "Square",
    "Temperature",
    "Unhinged",
]
