"""A picture of several losses side by side, with their pulls below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from ..arrays.visible import LONGEST_DRAWN, in_figure, quoted
from ..losses import BradleyTerryLoss, PairLoss
from ..ranking import Scaled
from .axes import CHOSEN, EXPECTED, LINE_WIDTH, QUIET, TEXT_SIZE, finish, new_axes, style
from .marks import grid

__all__ = ["plot_losses"]

MOST_LOSSES = 6  # side by side


@style()
def plot_losses(losses: Sequence[PairLoss], *, margins: ArrayLike | None = None) -> list[Axes]:
    """Draw each loss in a panel of its own, and below it its pull: how hard a pair pulls its two rewards apart.

    The pull is -l'(z). The dashed lines in each panel are the loss -log sigma(z) and its pull sigma(-z). For a loss
    with ties or grades, the panels show the loss of a win or of the highest level.

    Parameters
    ----------
    losses : sequence of 1 to 6 losses
        For example ``[bt.losses.Hinge(), bt.losses.Exponential()]``.
    margins : array_like, (n,), optional, log-odds
        Where to draw, in increasing order; by default from -4 to 4. The panels show all values in this range.

    Returns
    -------
    list of Axes
        The panels of the losses, then those of their pulls. ``lines[0]`` of each is the curve.

    Raises
    ------
    ValueError
        If there are no losses or more than six.
    """
    if not isinstance(losses, Sequence) or not all(hasattr(loss, "value") for loss in losses):
        raise TypeError(
            f"losses: expected a list of losses of a margin, such as [bt.losses.Hinge()], got {quoted(losses)}"
        )
    if not 0 < len(losses) <= MOST_LOSSES:
        raise ValueError(f"losses: expected 1 to {MOST_LOSSES} losses, got {len(losses)}")
    z, usual = np.linspace(-4, 4, 641) if margins is None else grid(margins, "margins"), BradleyTerryLoss()
    panels = new_axes(len(losses), n_rows=2, size=(max(8.0, 3.6 * len(losses)), 7.0))
    for loss, above, below in zip(losses, panels[: len(losses)], panels[len(losses) :], strict=True):
        needs_m = type(loss) is Scaled and loss.m is None  # then it is drawn for m = 1, with Δ on the axis
        drawn, at = (Scaled(np.ones(z.size)), z - 1) if needs_m else (loss, z)
        for ax, value, dashed, color in (
            (above, drawn.value(at, None), usual.value(z, None), EXPECTED),
            (below, -drawn.gradient(at, None), -usual.gradient(z, None), CHOSEN),
        ):
            ax.plot(z, value, color=color, linewidth=LINE_WIDTH)
            ax.plot(z, dashed, color=QUIET, linewidth=1.5, linestyle="--", zorder=1, label="−log σ(z)")
            ax.axhline(0, color=QUIET, linewidth=1, zorder=0)
            ax.set_xlim(float(z[0]), float(z[-1]))
            ax.yaxis.set_major_locator(MaxNLocator(5))
            ax.xaxis.set_major_locator(MaxNLocator(5))
        above.set_title(in_figure(repr(loss), LONGEST_DRAWN), fontsize=TEXT_SIZE)
        first = above is panels[0]
        if first:
            above.legend(frameon=False, fontsize=TEXT_SIZE)
        finish(above, "", "loss" if first else "")
        finish(below, "shifted margin z", "pull −l′(z)" if first else "")
    return panels
