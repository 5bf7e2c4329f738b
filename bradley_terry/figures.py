"""The figures of a fitted model, as ``train`` and ``evaluate`` write them: loss curve, margins, reliability."""

from __future__ import annotations

from pathlib import Path

from numpy.typing import ArrayLike

from .evaluation import Evaluation
from .model import RewardModel
from .plots import figure_of, plot_loss_curve, plot_margins, plot_reliability, save_figure

__all__ = ["model_figures"]


def model_figures(
    model: RewardModel,
    evaluation: Evaluation,
    margins: ArrayLike,
    folder: str | Path,
    *,
    weights: ArrayLike | None = None,
) -> list[Path]:
    """Draw what one should see of a fitted model: its loss curve, its margins, its reliability.

    Parameters
    ----------
    model : RewardModel
    evaluation : Evaluation
        Of the same pairs as ``margins``.
    margins : array_like, (n_pairs,), log-odds
    weights : array_like, (n_pairs,), optional
    folder : str or Path
        Made if it is not there.

    Returns
    -------
    list of Path
        loss_curve, margins and reliability, each as SVG and PNG.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    penalty = 0.5 * model.l2 * model.history["parameter_norm"] ** 2  # in the recorded loss, not in the validation loss
    figures = {
        "loss_curve": plot_loss_curve({**model.history, "loss": model.history["loss"] - penalty}),
        "margins": plot_margins(margins, weights=weights),
        "reliability": plot_reliability(evaluation.reliability),
    }
    return [path for name, ax in figures.items() for path in save_figure(figure_of(ax), folder / name)]
