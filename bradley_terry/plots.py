"""Pictures of the loss and of a fitted model: arrays in, ``ax`` out.

Each ``plot_*`` function draws on the ``ax`` it is given, or on a new one, and returns it. None of them shows or saves
anything, imports pyplot or leaves a global setting changed. A notebook displays a new ``ax`` if it is the last line of
a cell; ``save_figure(figure_of(ax), path)`` writes it as SVG and PNG.

A colour has the same meaning in every picture, and colour is never the only cue:

    chosen     solid, circle      blue         the answer that was preferred; a pair with Δ > 0
    rejected   dashed, square     vermillion   the answer that was not; a pair with Δ < 0
    expected   solid              black        a formula, a mean over the true preferences
    empirical  circle             green        a mean over data
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from .arrays import checked, given, single
from .arrays.visible import LONGEST_DRAWN, class_name, in_figure
from .drawing import (
    CHOSEN,
    EMPIRICAL,
    EXPECTED,
    LINE_WIDTH,
    LOG_TWO,
    MARKER_SIZE,
    QUIET,
    REJECTED,
    STYLE,
    TEXT_SIZE,
    corner,
    edges_through_zero,
    figure_of,
    finish,
    given_or_new,
    grid,
    guide,
    label_ends,
    new_axes,
    note,
    numbers,
    points,
    power_of_ten,
    save_figure,
    signed,
    style,
)
from .drawing.records import columns, step_label, turning_point
from .evaluation import Evaluation, Reliability
from .losses import pair_loss_gradients, pair_losses
from .model import RewardModel

__all__ = [
    "CHOSEN",
    "EMPIRICAL",
    "EXPECTED",
    "LINE_WIDTH",
    "LOG_TWO",
    "MARKER_SIZE",
    "QUIET",
    "REJECTED",
    "STYLE",
    "TEXT_SIZE",
    "figure_of",
    "new_axes",
    "plot_gradient_norm",
    "plot_loss_and_gradient",
    "plot_loss_curve",
    "plot_margins",
    "plot_reliability",
    "plot_weights",
    "save_figure",
    "signed",
    "style",
]

ELSEWHERE = {  # pictures of losses, of the lessons and of the benchmark, which can be imported from here too
    "plot_confidence": "course.plots",
    "plot_diagnosis": "drawing.diagnosis",
    "plot_empirical_and_expected": "course.plots",
    "plot_loss_tail": "course.plots",
    "plot_losses": "drawing.losses",
    "plot_scaling": "course.plots",
    "plot_shift_invariance": "course.plots",
    "plot_step_sweep": "course.plots",
    "plot_times": "bench.figure",
}


def __getattr__(name: str) -> Callable[..., Axes]:
    if name not in ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    plot: Callable[..., Axes] = getattr(import_module(f"{__package__}.{ELSEWHERE[name]}"), name)
    return plot


def __dir__() -> list[str]:
    return sorted([*globals(), *ELSEWHERE])


@style()
def plot_loss_and_gradient(
    margins: ArrayLike | None = None, *, tangent_at: float | None = -1.0, ax: Axes | None = None
) -> Axes:
    """Draw -log sigma(Δ) and, below it, its slope -sigma(-Δ), the gradient with respect to the chosen reward.

    Parameters
    ----------
    margins : array_like, (n,), optional, log-odds
        Where to draw, in increasing order; by default from -4 to 4.
    tangent_at : float, optional, log-odds
        Draw the tangent at this Δ, and its slope as a point on the lower curve. None draws no tangent.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the loss, ``lines[1]`` the slope.
    """
    delta = np.linspace(-4, 4, 321) if margins is None else grid(margins, "margins")
    tangent_at = None if tangent_at is None else float(numbers([tangent_at], "tangent_at")[0])
    ax = given_or_new(ax)
    ax.plot(delta, pair_losses(delta), color=EXPECTED, linewidth=LINE_WIDTH)
    ax.plot(delta, pair_loss_gradients(delta), color=CHOSEN, linewidth=LINE_WIDTH)
    ax.axhline(0, color=QUIET, linewidth=1, zorder=0)
    low, high, top = float(delta[0]), float(delta[-1]), float(np.max(pair_losses(delta)))
    ax.set(xlim=(low, high), ylim=(-1.25, max(top, 1.0) * 1.08))
    note(ax, (0.2 * high, float(pair_loss_gradients(0.2 * high)) - 0.2), "slope −σ(−Δ)", CHOSEN, va="top")
    note(ax, (0.45 * high, float(pair_losses(0.45 * high)) + 0.35), "loss −log σ(Δ)", EXPECTED, va="bottom")
    if tangent_at is not None:
        y, g = float(pair_losses(tangent_at)), float(pair_loss_gradients(tangent_at))
        reach = 0.24 * (high - low)
        ends = np.array([tangent_at - reach, tangent_at + reach])
        ax.plot(ends, y + g * (ends - tangent_at), color=QUIET, linewidth=2, zorder=3)
        ax.plot([tangent_at, tangent_at], [y, g], color=QUIET, linewidth=1, linestyle=":")
        points(ax, [tangent_at], [y], EXPECTED)
        points(ax, [tangent_at], [g], CHOSEN)
        corner(ax, f"tangent at Δ = {signed(tangent_at)}:\nloss {y:.3f}, slope {signed(g, '.3f')}", QUIET)
    return finish(ax, "margin Δ (log-odds)", "loss (nats) and its slope")


@style()
def plot_loss_curve(
    history: RewardModel | Mapping[str, ArrayLike],
    *,
    x_label: str | None = None,
    name: str = "training",
    ax: Axes | None = None,
) -> Axes:
    """Draw the training loss against the step, the held-out loss if there is one, and a line at log 2.

    Parameters
    ----------
    history : RewardModel, or mapping with "step", "loss" and perhaps "validation_loss"
        A model's own history is drawn without the l2 penalty, so that its training loss can be compared with the
        held-out loss and with log 2. A validation loss that is NaN throughout is left out.
    x_label : str, optional
        Label of the x axis, by default "step of" and the method of the model.
    name : str
        Name of the first curve.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the training loss (green circles), then the held-out loss if any (black squares, dashed: it
        estimates the expected loss). A square marks the lowest held-out loss, if it is not the last one.
    """
    step, loss, held_out = columns(history, "step", "loss", "validation_loss", x_label=x_label, name=name)
    ax = given_or_new(ax)
    few = len(step) <= 30  # then each step has room for a marker
    ax.plot(step, loss, color=EMPIRICAL, linewidth=LINE_WIDTH, marker="o" if few else "", markersize=8)
    ends = [(float(loss[-1]), f"{name} {loss[-1]:.3f}", EMPIRICAL)]
    known = ~np.isnan(held_out)
    if known.any():
        ax.plot(
            step[known], held_out[known], color=EXPECTED, linewidth=LINE_WIDTH, linestyle=(0, (3, 1.5)),
            marker="s" if few else "", markersize=8, markerfacecolor="white", markeredgewidth=2,
        )  # fmt: skip
        ends.append((float(held_out[known][-1]), f"held-out {held_out[known][-1]:.3f}", EXPECTED))
    shown = np.concatenate([loss, held_out, [LOG_TWO]])
    shown = shown[np.isfinite(shown)]
    margin = 0.12 * max(float(np.ptp(shown)), 0.02)
    ax.set_ylim(float(shown.min()) - margin, float(shown.max()) + margin)
    width = max(float(step[-1]) - float(step[0]), 1.0)
    ax.set_xlim(float(step[0]) - 0.02 * width, float(step[0]) + 1.02 * width)
    if (lowest := turning_point(held_out)) is not None:
        x, y = float(step[lowest]), float(held_out[lowest])
        points(ax, [x], [y], EXPECTED, marker="s", hollow=True)
        offset, ha = (8, "left") if x - step[0] < width / 2 else (-8, "right")
        ax.annotate(
            f"lowest {y:.3f}", (x, y), (offset, -10), textcoords="offset points", color=EXPECTED, fontsize=TEXT_SIZE,
            ha=ha, va="top",
        )  # fmt: skip
    guide(ax, LOG_TWO, "knowing nothing: log 2")
    label_ends(ax, ends)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return finish(ax, x_label or step_label(history), "mean loss (nats)")


@style()
def plot_gradient_norm(
    history: RewardModel | Mapping[str, ArrayLike], *, x_label: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the length of the gradient against the step on a logarithmic axis: how far the fit is from a minimum.

    Near the minimum, gradient descent divides the length by about the same number at each step, which is a straight
    line here. Newton's method roughly squares the error, so its line becomes steeper and steeper.

    Parameters
    ----------
    history : RewardModel, or mapping with "step" and "gradient_norm"
        A gradient of exactly 0 is left out, since a logarithmic axis has no 0.
    x_label : str, optional
        As in ``plot_loss_curve``.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the length of the gradient. If there are few steps, each point is labelled with its value.
    """
    step, norm = columns(history, "step", "gradient_norm", x_label=x_label)
    ax = given_or_new(ax)
    drawn = (norm > 0) & np.isfinite(norm)
    few = len(step) <= 30
    ax.plot(step[drawn], norm[drawn], color=EMPIRICAL, linewidth=LINE_WIDTH, marker="o" if few else "", markersize=8)
    if len(step) <= 12:
        for x, y in zip(step[drawn], norm[drawn], strict=True):
            words = f"{y:.2g}" if y >= 0.01 else signed(y, ".0e").replace("−0", "−")
            ax.annotate(words, (float(x), float(y)), (8, 5), textcoords="offset points", fontsize=TEXT_SIZE)
    ax.margins(y=0.12)
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(power_of_ten)
    ax.yaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return finish(ax, x_label or step_label(history), "length of the gradient")


@style()
def plot_margins(
    margins: Evaluation | ArrayLike,
    *,
    weights: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the histogram of the margins. Right of 0 the model agrees with the choice; left of 0 (hatched) it does not.

    Parameters
    ----------
    margins : Evaluation, or array_like, (n_pairs,), finite, log-odds
        An evaluation contains the margins from which it was computed, and the weights and labels of the pairs.
    weights : array_like, (n_pairs,), optional
        Count each pair this many times, by default once.
    labels : array_like, (n_pairs,), in [0, 1], optional
        A pair with label t counts t times at Δ, and 1 - t times at -Δ for the other answer. By default t = 1.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``patches`` are the bars. One edge is at 0, and a margin of exactly 0 is counted in the bar to its right.
    """
    if isinstance(margins, Evaluation):
        weights = margins.weights if weights is None else weights
        labels = margins.labels if labels is None else labels
        margins = margins.margins
    delta = numbers(margins, "margins")
    given, t = checked.weights(weights, delta.size), checked.labels(labels, delta.size)
    w = np.ones(delta.shape) if given is None else given
    if t is not None:
        delta, w = np.concatenate([delta, -delta]), np.concatenate([w * t, w * (1 - t)])
    delta, w = delta[w > 0], w[w > 0]
    ax = given_or_new(ax)
    edges = edges_through_zero(delta)
    heights, _ = np.histogram(delta, edges, weights=w)
    right_side: dict[str, Any] = {"facecolor": CHOSEN, "edgecolor": "white", "linewidth": 1}
    wrong_side: dict[str, Any] = {"facecolor": "white", "edgecolor": REJECTED, "linewidth": 1.5, "hatch": "///"}
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        ax.bar(left, height, width=right - left, align="edge", **(right_side if left >= 0 else wrong_side))
    ax.axvline(0, 0, 0.88, color=EXPECTED, linewidth=2)
    ax.set(ylim=(0, float(heights.max()) * 1.25), xlim=(float(edges[0]), float(edges[-1])))
    share = {sign: float(w[np.sign(delta) == sign].sum() / w.sum()) for sign in (-1, 0, 1)}
    corner(ax, f"wrong side: {share[-1]:.1%}", REJECTED, left=True)
    exactly = f"\nexactly 0: {share[0]:.1%}" if share[0] > 0 else ""
    corner(ax, f"right side: {share[1]:.1%}{exactly}", CHOSEN)
    return finish(ax, "margin Δ (log-odds)", "number of pairs" if given is None else "weight of the pairs")


@style()
def plot_reliability(reliability: Evaluation | Reliability, *, ax: Axes | None = None) -> Axes:
    """Draw how often the favoured answer was chosen against the probability that the model gave it.

    If the model's confidence is justified, the points lie on the diagonal, apart from chance.

    Parameters
    ----------
    reliability : Evaluation or Reliability
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the diagonal. ``collections[0]`` has one point for each bin; its area grows with the weight in
        the bin. ``collections[1]`` has the 95 % intervals.
    """
    table = reliability.reliability if isinstance(reliability, Evaluation) else reliability
    if not isinstance(table, Reliability):
        raise TypeError(
            f"reliability: expected an evaluation, as model.evaluate(pairs) returns, got {class_name(table)}"
        )
    full = table.weight > 0
    x, y, share = table.predicted[full], table.observed[full], table.weight[full]
    low, high = table.intervals[full].T
    ax = given_or_new(ax, size=(6.2, 6.0))
    ax.plot([0.5, 1.0], [0.5, 1.0], color=EXPECTED, linewidth=2)
    dots = ax.scatter(x, y, s=30 + 900 * share, color=EMPIRICAL, edgecolor="white", linewidth=1.5, zorder=3)
    dots.set_clip_on(False)
    ax.vlines(x, low, high, color=EMPIRICAL, linewidth=1.5, zorder=2)
    bottom = float(np.nanmin(np.concatenate([low, y, [0.5]])))
    ax.set(xlim=(0.48, 1.03), ylim=(bottom - 0.09, 1.09))  # space for the words above and below the points
    corner(ax, "not sure enough", QUIET, left=True)
    corner(ax, "too sure", QUIET, low=True)
    return finish(ax, "predicted P(favoured answer is chosen)", "share chosen (with 95 % interval)")


@style()
def plot_weights(
    names: Sequence[str], estimates: ArrayLike, intervals: ArrayLike | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw named weights, the first on top, each with its interval. A point is hollow if its interval contains 0.

    Parameters
    ----------
    names : sequence of str, (n,)
    estimates : array_like, (n,), log-odds per unit of the feature
    intervals : array_like, (n, 2), optional
        Low and high end of each interval.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` marks 0. The points are at heights 0, 1, … from the top.
    """
    estimate = numbers(estimates, "estimates")
    names = single.texts("names", names)
    if len(names) != len(estimate):
        raise ValueError(f"names: expected {len(estimate)}, one for each estimate, got {len(names)}")
    interval = np.stack([estimate, estimate], axis=1)
    if intervals is not None:
        interval = given.float64(intervals, "intervals")
        if interval.shape != (len(estimate), 2):
            raise ValueError(f"intervals: expected shape ({len(estimate)}, 2), low and high, got {interval.shape}")
    ax = given_or_new(ax, size=(8.0, 1.6 + 0.5 * len(names)))
    ax.axvline(0, color=EXPECTED, linewidth=1.5, zorder=0)
    ax.hlines(np.arange(len(names)), interval[:, 0], interval[:, 1], color=EMPIRICAL, linewidth=LINE_WIDTH)
    for row, (x, (low, high)) in enumerate(zip(estimate, interval, strict=True)):
        points(ax, [x], [row], EMPIRICAL, hollow=bool(low <= 0 <= high))
    ax.set_yticks(range(len(names)), [in_figure(name, LONGEST_DRAWN) for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    finish(ax, "weight (log-odds per unit of the feature)", "")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax
