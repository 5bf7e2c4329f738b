"""Losses of a pair side by side, and their pictures, for lesson 11.

Each loss is a function l(Δ) of the margin. If the other answer of the pair is chosen, it is l(-Δ).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ...arrays.single import one_of
from ...drawing import (
    CHOSEN,
    EMPIRICAL,
    EXPECTED,
    LINE_WIDTH,
    QUIET,
    REJECTED,
    TEXT_SIZE,
    finish,
    given_or_new,
    label_ends,
    new_axes,
    note,
    points,
    style,
)
from ...logistic import Array
from ...losses import BradleyTerryLoss
from ...ranking import Exponential, Hinge, LabelSmoothing, MarginLoss, RaoKupper, Square

__all__ = [
    "LOSSES",
    "LessonLoss",
    "plot_best_margins",
    "plot_ranking_loss",
    "plot_ranking_losses",
    "plot_ranking_pulls",
]


@dataclass(frozen=True)
class LessonLoss:
    """A loss of the package under the name and the formula that the lesson gives it."""

    name: str
    formula: str
    loss: BradleyTerryLoss | MarginLoss

    def value(self, margins: ArrayLike) -> Array:
        """Return l(Δ), (n,), in nats."""
        return np.asarray(self.loss.value(_vector(margins), None))

    def pull(self, margins: ArrayLike) -> Array:
        """Return -l'(Δ), (n,): how hard the pair pulls its rewards apart. Below 0 it pulls them together."""
        return np.asarray(-self.loss.gradient(_vector(margins), None))

    def best(self, p: ArrayLike) -> Array:
        """Return the Δ with the smallest p·l(Δ) + (1 - p)·l(-Δ)."""
        return np.asarray(self.loss.minimiser(p))


LOSSES: dict[str, LessonLoss] = {
    loss.name: loss
    for loss in (
        LessonLoss("plain", "−log σ(Δ)", BradleyTerryLoss()),
        # a win in Rao and Kupper's model of ties has exactly this loss
        LessonLoss("target margin 1", "−log σ(Δ − 1)", RaoKupper(1.0)),
        LessonLoss("hinge", "max(0, 1 − Δ)", Hinge(1.0)),
        LessonLoss("label smoothing 0.1", "−0.9 log σ(Δ) − 0.1 log σ(−Δ)", LabelSmoothing(0.1)),
        LessonLoss("square", "(Δ − 1)²", Square(1.0)),
        LessonLoss("exponential", "exp(−Δ)", Exponential()),
    )
}
LINES = {
    "plain": (EXPECTED, "-"),
    "target margin 1": (CHOSEN, "--"),
    "hinge": (REJECTED, "-."),
    "label smoothing 0.1": (EMPIRICAL, ":"),
}
"""Colour and dashes of the losses in the figure; the others would leave its frame."""


@style()
def plot_ranking_pulls(*, ax: Axes | None = None) -> Axes:
    """Draw how hard a pair pulls, -l'(Δ), for four losses. ``plot_best_margins`` names the lines.

    Returns
    -------
    Axes
        ``lines`` are the pulls, in the order of ``LINES``.
    """
    ax = given_or_new(ax)
    delta = np.linspace(-6, 6, 1201)
    for name, (color, dashes) in LINES.items():
        ax.plot(delta, LOSSES[name].pull(delta), color=color, linestyle=dashes, linewidth=LINE_WIDTH)
    ax.axhline(0, color=QUIET, linewidth=1, zorder=0)
    ax.set(xlim=(-6, 6), ylim=(-0.2, 1.1))
    note(ax, (5.9, -0.15), "pulls back", EMPIRICAL, ha="right")
    return finish(ax, "margin Δ (log-odds)", "pull −ℓ′(Δ)")


@style()
def plot_best_margins(*, ax: Axes | None = None) -> Axes:
    """Draw the margin with the smallest expected loss against the probability that a is preferred, for four losses.

    Returns
    -------
    Axes
        ``lines`` are the best margins, in the order of ``LINES``.
    """
    ax = given_or_new(ax)
    p = np.linspace(0.02, 0.98, 481)
    ends = []
    for name, (color, dashes) in LINES.items():
        best = LOSSES[name].best(p)
        ax.plot(p, best, color=color, linestyle=dashes, linewidth=LINE_WIDTH)
        ends.append((float(best[-1]), name, color))
    ax.axhline(0, color=QUIET, linewidth=1, zorder=0)
    ax.set(xlim=(0, 1), ylim=(-5.2, 5.2))
    label_ends(ax, ends)
    return finish(ax, "probability p that a is preferred", "best margin (log-odds)")


@style()
def plot_ranking_losses() -> Axes:
    """Draw the pulls of four losses, and beside them the margins that they make the best ones.

    Returns
    -------
    Axes
        The panel of the pulls; that of the best margins is ``ax.figure.axes[1]``.
    """
    left, right = new_axes(2, size=(13.0, 4.8))
    plot_ranking_pulls(ax=left)
    plot_best_margins(ax=right)
    return left


@style()
def plot_ranking_loss(name: str, margin: float) -> Axes:
    """Draw one of ``LOSSES`` and its pull beside the plain loss, with a dot at one margin.

    The frame stays the same for every loss. A dot that would lie above it is drawn hollow, at its edge.

    Returns
    -------
    Axes
        The panel of the loss; that of the pull is ``ax.figure.axes[1]``. ``lines[0]`` of each is the curve.
    """
    chosen, plain = LOSSES[one_of("name", name, tuple(LOSSES))], LOSSES["plain"]
    delta = np.linspace(-4, 6, 1001)
    left, right = new_axes(2, size=(10.0, 4.4))
    for ax, curve, usual, now, limits, label in (
        (left, chosen.value(delta), plain.value(delta), chosen.value(margin), (-0.3, 6.0), "loss ℓ(Δ) (nats)"),
        (right, chosen.pull(delta), plain.pull(delta), chosen.pull(margin), (-1.5, 3.0), "pull −ℓ′(Δ)"),
    ):
        ax.plot(delta, curve, color=CHOSEN, linewidth=LINE_WIDTH)
        ax.plot(delta, usual, color=QUIET, linewidth=1.5, linestyle="--", zorder=1, label="plain −log σ(Δ)")
        ax.axhline(0, color=QUIET, linewidth=1, zorder=0)
        height = float(np.clip(now[0], *limits))
        points(ax, [margin], [height], CHOSEN, hollow=height != now[0])
        ax.set(xlim=(-4, 6), ylim=limits)
        finish(ax, "margin Δ (log-odds)", label)
    left.set_title(chosen.formula, fontsize=TEXT_SIZE)
    right.legend(frameon=False, fontsize=TEXT_SIZE, loc="upper right")
    return left


def _vector(margins: ArrayLike) -> Array:
    return np.asarray(margins, dtype=np.float64).reshape(-1)
