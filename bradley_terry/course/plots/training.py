"""Pictures of lesson 10: several runs side by side, and what a learning rate does to one of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import ArrayLike

from ...drawing import (
    CHOSEN,
    EMPIRICAL,
    EXPECTED,
    LINE_WIDTH,
    LOG_TWO,
    QUIET,
    TEXT_SIZE,
    finish,
    new_axes,
    note,
    numbers,
    points,
    style,
)
from ...model import RewardModel

__all__ = ["plot_learning_rate", "plot_runs"]

DASHES = (0, (3, 1.5))
HIGHEST = 2.1  # nats: the top of the panels, about three times log 2


@style()
def plot_runs(models: Mapping[str, RewardModel], *, top: float = HIGHEST) -> Axes:
    """Draw the losses of several runs, three panels in a row, each with the name of its run and the same axes.

    Parameters
    ----------
    models : mapping from a name to a RewardModel
        Fitted with held-out pairs by gradient descent or Adam.
    top : float, nats
        The highest loss shown.

    Returns
    -------
    Axes
        The first panel. In each, ``lines[0]`` is the training loss (green) and ``lines[2]`` the held-out loss (black,
        dashed); a ring marks where the fit ended. The steps are on a logarithmic axis that begins with 0.
    """
    n_rows = -(-len(models) // 3)
    axes = new_axes(min(3, len(models)), size=(12.0, 2.9 * n_rows), share_y=True, n_rows=n_rows)
    last = max(float(model.history["step"][-1]) for model in models.values())
    for i, (ax, (name, model)) in enumerate(zip(axes, models.items(), strict=False)):
        steps = model.history["step"]
        for kind, color, dashes, width in (
            ("loss", EMPIRICAL, "-", LINE_WIDTH),
            ("validation_loss", EXPECTED, DASHES, LINE_WIDTH / 2),
        ):
            ax.plot(steps, model.history[kind], color=color, linestyle=dashes, linewidth=width)
            points(ax, steps[-1:], model.history[kind][-1:], color, hollow=True)
        ax.axhline(LOG_TWO, color=QUIET, linewidth=1, linestyle=":", zorder=0)
        _from_zero(ax, last)
        ax.set_ylim(0, top)
        ax.set_title(f"run {name}", fontsize=TEXT_SIZE, fontweight="bold", loc="left")
        if len(steps) == 1:
            note(ax, (1.0, LOG_TWO + 0.15), "ended at step 0", QUIET)
        finish(ax, "step", "mean loss (nats)" if i % 3 == 0 else "")
        if i % 3:
            ax.tick_params(labelleft=False)
    first = axes[0]
    names = ["training", "held-out", "log 2"]
    first.legend([first.lines[0], first.lines[2], first.lines[4]], names, fontsize=TEXT_SIZE - 1, frameon=False)
    return first


def _from_zero(ax: Axes, last: float) -> None:
    """Make the horizontal axis logarithmic from step 1 on, with step 0 at its left."""
    ax.set_xscale("symlog", linthresh=1, linscale=0.6)
    ax.set_xlim(-0.12, 1.25 * last)
    ax.xaxis.set_major_locator(FixedLocator([0, *(10.0**k for k in range(int(np.log10(max(last, 1))) + 1))]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:g}"))


@style()
def plot_learning_rate(
    model: RewardModel, rate: float, rates: ArrayLike, final_losses: ArrayLike, *, top: float = HIGHEST
) -> Axes:
    """Draw the losses of one fit against the step and, beside it, the last training loss of every rate.

    Parameters
    ----------
    model : RewardModel
        Fitted with this rate and with held-out pairs.
    rate : float
    rates, final_losses : array_like, (n,)
        All rates in increasing order, and the training losses that they reach in the same number of steps, in nats.
    top : float, nats
        The highest loss shown; a dot for a higher one lies on the upper edge.

    Returns
    -------
    Axes
        The left panel; its ``lines[0]`` is the training loss. In the right panel a dot shows *now*.
    """
    left, right = new_axes(2, size=(10.0, 4.0))
    steps, loss = model.history["step"], model.history["loss"]
    left.plot(steps, np.minimum(loss, 10 * top), color=EMPIRICAL, linewidth=LINE_WIDTH)
    held_out = np.minimum(model.history["validation_loss"], 10 * top)
    left.plot(steps, held_out, color=EXPECTED, linestyle=DASHES, linewidth=LINE_WIDTH / 2)
    left.set(xlim=(0, float(steps[-1])), ylim=(0, top))
    middle, high = 0.5 * float(steps[-1]), 1.06 * top  # above the panel; words are drawn faster than a legend
    note(left, (0.94 * middle, high), "— training", EMPIRICAL, ha="right")
    note(left, (1.06 * middle, high), "- - held-out", EXPECTED)
    finish(left, "step", "mean loss (nats)")
    all_rates, reached = numbers(rates, "rates"), numbers(final_losses, "final_losses")
    right.plot(all_rates, np.minimum(reached, 10 * top), color=CHOSEN, linewidth=LINE_WIDTH)
    now = float(np.exp(np.interp(np.log(rate), np.log(all_rates), np.log(reached))))
    points(right, [rate], [min(now, top)], CHOSEN)
    right.set_xscale("log")
    right.xaxis.set_minor_locator(NullLocator())  # these, and powers as labels, would be slow to draw
    right.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    right.set(xlim=(float(all_rates[0]), float(all_rates[-1])), ylim=(0, top))
    finish(right, "learning rate", f"training loss after {int(steps[-1])} steps")
    for ax in (left, right):
        ax.axhline(LOG_TWO, color=QUIET, linewidth=1, linestyle=":", zorder=0)
    note(right, (float(all_rates[0]) * 1.15, LOG_TWO + 0.11), "log 2", QUIET)
    return left
