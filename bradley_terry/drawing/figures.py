"""The figures of a fitted model, as ``train`` writes them, with captions: loss curve, margins, reliability."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from ..arrays import single
from ..evaluation import Evaluation
from ..model import Outcome, RewardModel
from ..plots import (
    TEXT_SIZE,
    figure_of,
    new_axes,
    plot_gradient_norm,
    plot_loss_curve,
    plot_margins,
    plot_reliability,
    save_figure,
)
from .records import plain_losses, turning_point

__all__ = ["TITLES", "captions", "loss_curve_figure", "model_figures"]

TITLES = {"loss_curve": "Loss curve", "margins": "Margins", "reliability": "Reliability"}
"""The figures in the order in which ``model_figures`` writes them, by name of the file."""


def captions(model: RewardModel, *, evaluated: str | None = None, labelled: bool = False) -> dict[str, str]:
    """Return a caption for each figure of this model, which says what to see in it.

    Parameters
    ----------
    model : RewardModel
    evaluated : str, optional
        What margins and reliability are about. By default "held-out pairs" if the fit had any, and else "pairs".
    labelled : bool
        Whether these pairs have labels.
    """
    held_out = not np.isnan(model.history["validation_loss"]).all()
    pairs = evaluated or ("held-out pairs" if held_out else "pairs")
    turned = " A pair with label t counts t times at Δ, and 1 − t times at −Δ for the other answer." * labelled
    return {
        "loss_curve": f"{_on_the_loss(model, held_out)} {_on_the_gradient(model)}",
        "margins": (
            f"The histogram counts the {pairs} by their margin Δ = r(chosen) − r(rejected). Right of 0 (blue) the "
            "model agrees with the person; left of 0 (hatched) it does not. The further a margin is from 0, the more "
            f"certain the model is. A pair far to the left is a confident mistake, and costs the most.{turned}"
        ),
        "reliability": (
            f"Is the model's confidence justified? The {pairs} are grouped by the probability that the model gives to "
            "the answer it favours. Each point compares this probability with the share of pairs in which that answer "
            "was chosen. Its area is the share of the pairs in the group. The vertical line is a 95 % interval, which "
            "counts prompts instead of pairs, since the pairs of a prompt are not independent. "
            "Below the diagonal the model is too sure (overconfident), above it not sure enough. Where the interval "
            "crosses the diagonal, the difference may be chance."
        ),
    }


def _on_the_loss(model: RewardModel, held_out: bool) -> str:
    nothing = (
        "The dotted line is log 2, the loss of a model that knows nothing and gives each answer a probability of ½."
    )
    if not held_out:
        return f"Left: the mean loss on the training pairs. {nothing}"
    said = (
        "Left: the mean loss on the training pairs (green) and on the held-out pairs (black, dashed), from which the "
        f"fit does not learn. {nothing} Where both fall together, the model has learned something that holds for new "
        "pairs. A held-out loss that rises again is a sign of overfitting"
    )
    if turning_point(model.history["validation_loss"]) is not None:
        said += "; a square marks the lowest point"
        if model.method != "newton" and model.outcome is not Outcome.DIVERGED:
            said += ", and the model has the parameters of that step"
    if plain_losses(model)[-1] > model.history["validation_loss"][-1]:
        return f"{said}. Here the held-out pairs happen to be the easier ones: their loss ends below that of training."
    return f"{said}."


def _on_the_gradient(model: RewardModel) -> str:
    said = "Right: the length of the gradient on a logarithmic axis. It is zero at a minimum."
    methods = {
        "newton": (
            "The loss soon looks flat, but the fit still comes closer to the minimum: near it, a step of Newton's "
            "method usually makes the gradient ten to a thousand times shorter."
        ),
        "gradient_descent": (
            "Near the minimum, each step of gradient descent makes the gradient shorter by about the same factor, so "
            "the curve approaches a straight line."
        ),
        "adam": (
            "Adam learns from one mini-batch at a time, so the gradient of the whole loss goes up and down on its way, "
            "and the fit usually stops long before it is zero."
        ),
    }
    return f"{said} {methods[model.method]}" if model.method in methods else said


def loss_curve_figure(model: RewardModel) -> Figure:
    """Draw the loss against the step and, beside it, the length of the gradient on a logarithmic axis."""
    left, right = new_axes(2, size=(13.0, 4.8))
    plot_loss_curve(model, ax=left).set_title("mean loss: how well are the choices predicted?", fontsize=TEXT_SIZE)
    plot_gradient_norm(model, ax=right).set_title("gradient: how far from the minimum?", fontsize=TEXT_SIZE)
    return figure_of(left)


def model_figures(
    model: RewardModel,
    evaluation: Evaluation,
    margins: ArrayLike | None,
    folder: str | Path,
    *,
    weights: ArrayLike | None = None,
    evaluated: str | None = None,
) -> list[Path]:
    """Draw a fitted model: its loss curve, its margins and its reliability.

    Parameters
    ----------
    model : RewardModel
    evaluation : Evaluation
        Of the held-out pairs, if there are any.
    margins : array_like, (n_pairs,), log-odds, or None
        None for the margins from which the evaluation was computed.
    folder : str or Path
        Created if it does not exist.
    weights : array_like, (n_pairs,), optional
        Needed only if the margins are given and the pairs have weights.
    evaluated : str, optional
        As in ``captions``.

    Returns
    -------
    list of Path
        loss_curve, margins and, unless the loss only orders answers, reliability, each as SVG and PNG.
    """
    folder = single.path("folder", folder)
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "loss_curve": loss_curve_figure(model),
        "margins": figure_of(plot_margins(evaluation if margins is None else margins, weights=weights)),
    }
    if evaluation.reliability.weight.any():  # there are probabilities
        figures["reliability"] = figure_of(plot_reliability(evaluation))
    said = captions(model, evaluated=evaluated, labelled=evaluation.labels is not None)
    return [
        path
        for name, figure in figures.items()
        for path in save_figure(figure, folder / name, title=TITLES[name], caption=said[name])
    ]
