"""The loss that trains reward models, by hand: L(φ) = mean of -log sigma(Δ), Δ = r_φ(x, y_chosen) - r_φ(x, y_rejected).

Read the rooms in this order; each imports only from those before it:

    logistic     sigma, log sigma, logit without overflow
    preference   the Bradley-Terry model: two rewards in, one probability out
    losses       -log sigma(Δ): value, gradient, curvature, mean
    kernels      the compiled twin of losses, its blocks shared by threads
    scorers      r_φ: linear, MLP, table; forward and backward side by side
    pairs        PreferencePairs: validated once at the door
    objective    L(φ), its gradient, its Hessian
    evaluation   accuracy, calibration, standard errors
    model        RewardModel: a fitted scorer, saved and loaded
    training     fit: Newton, gradient descent, Adam
    diagnosis, learner, gradient_check, text, files, datasets, plots, figures, report, doctor, contests, benchmark, cli

Kernels, evaluation and all rooms after it are entered on first use; that keeps the import light.

One pair walks through them like this, forward and back:

    features of chosen, rejected     (n_pairs, n_features)     x, y_c, y_r
       |  scorer.reward(phi, ·)                                r_φ(x, y)
    rewards of chosen, rejected      (n_pairs,)
       |  difference
    margins                          (n_pairs,)                Δ, log-odds
       |  pair loss                                            -log sigma(Δ)
    pair losses                      (n_pairs,)                nats
       |  weighted mean
    loss                             one number, nats          L(φ)

    d_margins = -sigma(-Δ)/n  ->  d_rewards = ±d_margins  ->  scorer.backward  ->  gradient, in the shape of φ
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .logistic import log_sigmoid, logit, sigmoid
from .losses import mean_loss, pair_loss_curvatures, pair_loss_gradients, pair_losses
from .objective import Objective, warmup
from .pairs import PreferencePairs
from .preference import expected_loss, loss_floor, preference_probability, sample_preferences
from .scorers import LinearScorer, MLPScorer, TableScorer

if TYPE_CHECKING:
    from . import datasets, kernels, plots
    from .evaluation import Evaluation
    from .gradient_check import GradientReport, check_gradient
    from .model import RewardModel
    from .training import ConvergenceWarning, fit

__version__ = "0.1.0"

__all__ = [
    "ConvergenceWarning",
    "Evaluation",
    "GradientReport",
    "LinearScorer",
    "MLPScorer",
    "Objective",
    "PreferencePairs",
    "RewardModel",
    "TableScorer",
    "check_gradient",
    "datasets",
    "expected_loss",
    "fit",
    "kernels",
    "log_sigmoid",
    "logit",
    "loss_floor",
    "mean_loss",
    "pair_loss_curvatures",
    "pair_loss_gradients",
    "pair_losses",
    "plots",
    "preference_probability",
    "sample_preferences",
    "sigmoid",
    "warmup",
]

# Names whose rooms bring heavy furniture (Numba, Matplotlib), or that not everyone visits; entered on first use.
_NAMES = {
    "ConvergenceWarning": "training",
    "Evaluation": "evaluation",
    "GradientReport": "gradient_check",
    "RewardModel": "model",
    "check_gradient": "gradient_check",
    "fit": "training",
}
_ROOMS = {"datasets", "kernels", "plots", *_NAMES.values()}


def __getattr__(name: str) -> object:
    from importlib import import_module  # noqa: PLC0415

    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    if name in _NAMES:
        return getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
