"""Pictures of lessons 1 and 2: how two rewards become a probability, and what a choice costs."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from ...drawing import (
    CHOSEN,
    EXPECTED,
    LINE_WIDTH,
    LOG_TWO,
    MARKER_SIZE,
    QUIET,
    REJECTED,
    TEXT_SIZE,
    corner,
    finish,
    given_or_new,
    guide,
    note,
    numbers,
    points,
    signed,
    style,
)
from ...logistic import sigmoid
from ...losses import pair_loss_gradients, pair_losses

__all__ = ["plot_loss_shapes", "plot_preference_probability", "plot_probability_bar", "plot_tangent"]


@style()
def plot_preference_probability(margins: ArrayLike = (), *, ax: Axes | None = None) -> Axes:
    """Draw σ(Δ), the probability that a is preferred, with the given margins as points.

    Parameters
    ----------
    margins : array_like, (n,), log-odds
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is σ; the points are ``lines[1]``.
    """
    ax = given_or_new(ax)
    marked = np.asarray(margins, dtype=np.float64).reshape(-1)
    reach = max(6.0, float(np.abs(marked).max(initial=0.0)) + 1)
    delta = np.linspace(-reach, reach, 401)
    ax.plot(delta, sigmoid(delta), color=EXPECTED, linewidth=LINE_WIDTH)
    ax.plot(marked, sigmoid(marked), color=CHOSEN, marker="o", markersize=MARKER_SIZE, linestyle="none", zorder=3)
    for z in marked.tolist():
        left, height = z > 0, float(sigmoid(z))
        place = (z + (-0.35 if left else 0.35), height + (0.04 if left else -0.04))
        words = f"Δ = {signed(z, '.3g')}: {height:.3f}"
        note(ax, place, words, CHOSEN, ha="right" if left else "left", hide_lines=True)
    ax.axhline(0.5, color=QUIET, linewidth=1, linestyle=":")
    ax.axvline(0.0, color=QUIET, linewidth=1, linestyle=":")
    ax.set(ylim=(-0.04, 1.04), xlim=(-reach, reach))
    return finish(ax, "margin Δ = reward of a − reward of b", "P(a preferred to b)")


@style()
def plot_probability_bar(reward_a: float, reward_b: float, *, ax: Axes | None = None) -> Axes:
    """Draw one bar for all choices, divided into the shares of a and b that the margin of their rewards predicts.

    Returns
    -------
    Axes
        ``patches`` are the shares of a and b.
    """
    ax = given_or_new(ax, size=(8.0, 3.2))
    p = float(sigmoid(reward_a - reward_b))
    ax.barh([0], [p], color=CHOSEN, height=0.5)
    ax.barh([0], [1 - p], left=[p], color="white", edgecolor=REJECTED, hatch="//", height=0.5)
    inside = 0.12
    note(ax, (max(p / 2, 0.02), 0.42), f"a: {p:.3f}", CHOSEN, ha="center" if p > inside else "left", va="baseline")
    right = (min(p + (1 - p) / 2, 0.98), 0.42)
    note(ax, right, f"b: {1 - p:.3f}", REJECTED, ha="center" if p < 1 - inside else "right", va="baseline")
    ax.vlines(0.5, -0.4, 0.3, color=QUIET, linewidth=1, linestyle=":", zorder=0)
    ax.set(xlim=(0, 1), ylim=(-0.4, 0.75), yticks=[])
    ax.spines["left"].set_visible(False)
    rewards, margin = f"rewards {signed(reward_a)} and {signed(reward_b)}", signed(reward_a - reward_b, "+.3g")
    ax.set_title(f"{rewards}: margin {margin}", fontsize=TEXT_SIZE)
    return finish(ax, "P(a preferred to b)", "")


@style()
def plot_tangent(margin: float, *, ax: Axes | None = None) -> Axes:
    """Draw -log σ(Δ) and its tangent at one margin, with log 2 and the line -Δ, which it approaches on the left.

    Parameters
    ----------
    margin : float, log-odds
        Where the tangent touches; the picture reaches from -6.5 to 6.5, or farther if the margin does.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the loss, ``lines[1]`` the line -Δ where Δ <= 0, ``lines[2]`` the tangent.
    """
    ax = given_or_new(ax, size=(9.0, 4.3))
    at = float(numbers([margin], "margin")[0])
    reach = max(6.5, abs(at) + 0.5)
    delta = np.linspace(-reach, reach, 401)
    y, slope = float(pair_losses(at)), float(pair_loss_gradients(at))
    ax.plot(delta, pair_losses(delta), color=EXPECTED, linewidth=LINE_WIDTH)
    ax.plot([-reach, 0.0], [reach, 0.0], color=QUIET, linewidth=2, linestyle=":")
    ends = np.array([at - 0.25 * reach, at + 0.25 * reach])
    ax.plot(ends, y + slope * (ends - at), color=CHOSEN, linewidth=2, zorder=3)
    points(ax, [at], [y], CHOSEN)
    guide(ax, LOG_TWO, "equal rewards: log 2")
    note(ax, (-0.42 * reach, 0.25 * reach), "line −Δ", QUIET, ha="right", va="top")
    corner(ax, f"Δ = {signed(at, '.3g')}:\nloss {y:.3f}, slope {signed(slope, '.3f')}", CHOSEN)
    ax.set(xlim=(-reach, reach), ylim=(-0.05 * reach, 1.08 * reach))
    return finish(ax, "margin Δ (log-odds)", "loss −log σ(Δ) (nats)")


@style()
def plot_loss_shapes(margins: ArrayLike = (), *, ax: Axes | None = None) -> Axes:
    """Draw the 0-1 loss, the hinge loss max(0, 1 - Δ) and -log σ(Δ), with our loss at the given margins as points.

    Parameters
    ----------
    margins : array_like, (n,), log-odds
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is -log σ, ``lines[1]`` the hinge loss, ``lines[2]`` the 0-1 loss; the points are ``lines[3]``.
    """
    ax = given_or_new(ax, size=(9.0, 4.4))
    marked = np.asarray(margins, dtype=np.float64).reshape(-1)
    delta = np.linspace(-3.0, 4.0, 281)
    ax.plot(delta, pair_losses(delta), color=EXPECTED, linewidth=LINE_WIDTH)
    ax.plot(delta, np.maximum(0, 1 - delta), color=CHOSEN, linewidth=2, linestyle="-.")
    ax.plot([-3.0, 0.0, 0.0, 4.0], [1.0, 1.0, 0.0, 0.0], color=REJECTED, linewidth=2, linestyle="--")
    points(ax, marked, pair_losses(marked), EXPECTED)
    note(ax, (-1.75, 3.0), "hinge: max(0, 1 − Δ)", CHOSEN)
    note(ax, (0.15, 1.25), "0-1 loss: 1 if the order is wrong", REJECTED, va="center")
    note(ax, (2.0, 0.42), "ours: −log σ(Δ)", EXPECTED)
    ax.set(xlim=(-3, 4), ylim=(-0.1, 4.1))
    ax.yaxis.set_major_locator(MaxNLocator(5))
    return finish(ax, "margin Δ (log-odds)", "loss of one pair")
