"""The loss that trains reward models: L(φ) = mean of -log sigma(Δ), with Δ = r_φ(x, y_chosen) - r_φ(x, y_rejected).

Read the modules at the top level like a book, in this order. Each imports only from those before it and from folders:

    logistic     sigma, log sigma, logit without overflow
    preference   the Bradley-Terry model: two rewards in, one probability out
    losses       -log sigma(Δ): its value, gradient, curvature and mean
    scorers      r_φ: linear, MLP, table; forward and backward side by side
    pairs        PreferencePairs: checked once, then frozen
    backend      from φ to margins, loss and gradient, in NumPy
    objective    L(φ), its gradient, its Hessian; chooses the backend
    inference    standard errors; whether a table has a finite fit
    evaluation   accuracy, calibration, intervals
    model        RewardModel: a fitted scorer, saved and loaded
    newton       Newton's method, with control of the step
    training     fit: chooses the method, fits, and says how it ended
    datasets     the data sets of the package, and simulated data with a known truth
    plots        pictures of the loss and of a fitted model

The folders are machinery. Open one only when you want to know how it works:

    arrays           arrays that are checked and frozen
    threads          work shared among threads, with the same result for any number of them
    kernels          the compiled twin of the backend
    fitting          what a fit needs: gradient descent and Adam, checks, history, mini-batches
    graphs           which items can be compared with which
    separation       what is infinite if there is no finite fit, and what stays finite
    intervals        how far shares and means are known
    uncertainty      how far parameters are known: sandwich, bootstrap, contrasts, tests of nested models
    ranking          other losses: hinge, probit, label smoothing, ties, graded choices
    findings         a training doctor: what is wrong with a run, the evidence, and what helps
    calibration      after the fit: temperature, annotators and their agreement, the length of answers
    gradient_check   is this gradient correct?
    files            pairs and models in files
    drawing          the style of pictures, and the figures of a fitted model
    distributed      fits to data in many files, on one machine or on many
    commands         the command line, and its commands as Python functions
    bench            speed compared with other libraries and with the limits of the machine
    course           what the lessons need
    moved            where the modules of earlier versions are now

One pair goes through the modules like this, forward and back:

    features of chosen, rejected     (n_pairs, n_features)     x, y_c, y_r
       |  scorer.reward(phi, ·)                                r_φ(x, y)
    rewards of chosen, rejected      (n_pairs,)
       |  difference
    margins                          (n_pairs,)                Δ, log-odds
       |  pair loss                                            -log sigma(Δ)
    pair losses                      (n_pairs,)                nats
       |  weighted mean
    loss                             one number, nats          L(φ)

    d_margins = -sigma(-Δ)/n  ->  d_rewards = ±d_margins  ->  scorer.backward  ->  gradient, same shape as φ
"""

from __future__ import annotations

from .commands import interrupts as _interrupts  # noqa: F401  # first, for Ctrl-C during the imports of a command

# isort: split
from importlib import import_module
from typing import TYPE_CHECKING

from . import moved
from .logistic import log_sigmoid, logit, sigmoid
from .losses import mean_loss, pair_loss_curvatures, pair_loss_gradients, pair_losses
from .pairs import PreferencePairs
from .preference import expected_loss, loss_floor, preference_probability, sample_preferences
from .scorers import LinearScorer, MLPScorer, TableScorer

if TYPE_CHECKING:
    from . import datasets, kernels, plots
    from .commands.train import TrainingRun, train
    from .evaluation import Evaluation, evaluate
    from .files import load_pairs, load_rankings
    from .findings import Diagnosis, diagnose
    from .gradient_check import GradientReport, check_gradient, check_hessian
    from .model import Outcome, RewardModel
    from .objective import Objective, warmup
    from .ranking.rankings import PreferenceRankings
    from .training import ConvergenceWarning, fit

__version__ = "0.1.0"

__all__ = [
    "ConvergenceWarning",
    "Diagnosis",
    "Evaluation",
    "GradientReport",
    "LinearScorer",
    "MLPScorer",
    "Objective",
    "Outcome",
    "PreferencePairs",
    "PreferenceRankings",
    "RewardModel",
    "TableScorer",
    "TrainingRun",
    "check_gradient",
    "check_hessian",
    "datasets",
    "diagnose",
    "evaluate",
    "expected_loss",
    "fit",
    "kernels",
    "load_pairs",
    "load_rankings",
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
    "train",
    "warmup",
]

# Imported on first use, so that `import bradley_terry` stays fast: these need Numba, Matplotlib or many more modules.
_NAMES = {
    "ConvergenceWarning": "training",
    "Diagnosis": "findings",
    "Evaluation": "evaluation",
    "GradientReport": "gradient_check",
    "Objective": "objective",
    "Outcome": "model",
    "PreferenceRankings": "ranking.rankings",
    "RewardModel": "model",
    "TrainingRun": "commands.train",
    "check_gradient": "gradient_check",
    "check_hessian": "gradient_check",
    "diagnose": "findings",
    "evaluate": "evaluation",
    "fit": "training",
    "load_pairs": "files",
    "load_rankings": "files",
    "train": "commands.train",
    "warmup": "objective",
}
_MODULES = {"datasets", "distributed", "evaluation", "files", "gradient_check", "inference", "kernels", "model"}
_MODULES |= {"backend", "calibration", "newton", "objective", "plots", "threads", "training"}


def __getattr__(name: str) -> object:
    if name in _NAMES:
        return getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
    if name in _MODULES or name in moved.MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
