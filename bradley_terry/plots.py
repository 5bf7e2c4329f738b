"""Every picture of the package: arrays in, ``ax`` out.

Each ``plot_*`` function draws on the ``ax`` it is given, or on a new one of its own, and returns it. None of them shows
or saves anything, touches pyplot or leaves a global setting changed. As the last line of a notebook cell, a new ``ax``
displays itself.

Colours have one meaning throughout, and colour is never the only cue:

    chosen     solid, circle      blue         the answer that was preferred; a pair on the right side
    rejected   dashed, square     vermillion   the answer that was not; a pair on the wrong side
    expected   solid              black        a formula, a mean over the true preferences
    empirical  circle             green        a mean over data
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from .evaluation import Reliability
from .logistic import logit
from .losses import mean_loss, pair_loss_gradients, pair_losses

__all__ = [
    "CHOSEN",
    "EMPIRICAL",
    "EXPECTED",
    "QUIET",
    "REJECTED",
    "figure_of",
    "new_axes",
    "plot_confidence",
    "plot_empirical_and_expected",
    "plot_loss_and_gradient",
    "plot_loss_curve",
    "plot_loss_tail",
    "plot_margins",
    "plot_reliability",
    "plot_scaling",
    "plot_shift_invariance",
    "plot_step_sweep",
    "plot_times",
    "plot_weights",
    "save_figure",
    "signed",
    "style",
]

Array = NDArray[np.float64]

# Okabe & Ito's palette, told apart by readers with any colour vision; on white each has a contrast of at least 3.4.
CHOSEN = "#0072B2"
REJECTED = "#D55E00"
EXPECTED = "#000000"
EMPIRICAL = "#009E73"
QUIET = "#666666"  # guides and notes

TEXT_SIZE = 14.0  # points: readable from the back of a classroom
LINE_WIDTH = 3.0
MARKER_SIZE = 11.0
LOG_TWO = float(np.log(2.0))

STYLE: dict[str, object] = {
    "figure.constrained_layout.h_pad": 0.08,  # inches of white around each panel
    "figure.constrained_layout.w_pad": 0.08,
    "font.size": TEXT_SIZE,
    "hatch.linewidth": 1.5,
    "savefig.dpi": 120,
    "svg.fonttype": "path",  # letters as outlines: the same picture on every machine
    "svg.hashsalt": "bradley_terry",  # else the ids in an SVG file are random
}


@contextmanager
def style() -> Iterator[None]:
    """Draw or save in this room's style, whatever settings the reader has; they are back afterwards."""
    with matplotlib.style.context(["default", STYLE]):
        yield


class _ShownAxes(Axes):
    """Axes that display their figure as the last line of a notebook cell, without pyplot."""

    def __repr__(self) -> str:
        """Return what is drawn in words, for those who cannot see it."""
        panels = [f"{ax.get_ylabel()} against {ax.get_xlabel()}" for ax in figure_of(self).axes if ax.get_ylabel()]
        return f"figure: {'; '.join(panels) or self.get_xlabel()}"

    def _repr_svg_(self) -> str:
        return _svg(figure_of(self)).decode("utf-8")


def new_axes(n_panels: int = 1, *, size: tuple[float, float] | None = None, share_y: bool = False) -> list[Axes]:
    """Make a figure of its own, unknown to pyplot, with panels side by side; their figure is ``ax.figure``.

    Parameters
    ----------
    n_panels : int, at least 1
    size : (width, height), optional, inches
        8 × 5 for one panel, 13 × 5 for more.
    share_y : bool
        Give all panels the vertical axis of the first.
    """
    with style():
        figure = Figure(figsize=size or ((8.0, 5.0) if n_panels == 1 else (13.0, 5.0)), layout="constrained")
        axes: list[Axes] = []
        for i in range(n_panels):
            sharey = axes[0] if share_y and axes else None
            axes.append(figure.add_subplot(1, n_panels, i + 1, axes_class=_ShownAxes, sharey=sharey))
    return axes


@style()
def plot_loss_and_gradient(
    margins: ArrayLike | None = None, *, tangent_at: float | None = -1.0, ax: Axes | None = None
) -> Axes:
    """Draw -log sigma(Δ) and, below it, its slope -sigma(-Δ), which is also the gradient on the chosen reward.

    Parameters
    ----------
    margins : array_like, (n,), optional, log-odds
        Where to draw, in increasing order; -4 to 4 unless given.
    tangent_at : float, optional, log-odds
        Draw the tangent at this Δ, and its slope as a point on the lower curve; None for no tangent.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the loss, ``lines[1]`` the slope.
    """
    delta = np.linspace(-4, 4, 321) if margins is None else _numbers(margins, "margins")
    ax = _axes(ax)
    loss, slope = _array(pair_losses(delta)), _array(pair_loss_gradients(delta))
    ax.plot(delta, loss, color=EXPECTED, linewidth=LINE_WIDTH)
    ax.plot(delta, slope, color=CHOSEN, linewidth=LINE_WIDTH)
    ax.axhline(0, color=QUIET, linewidth=1, zorder=0)
    low, high, top = float(delta[0]), float(delta[-1]), float(loss.max())
    ax.set(xlim=(low, high), ylim=(-1.25, max(top, 1.0) * 1.08))
    _note(ax, (0.2 * high, float(pair_loss_gradients(0.2 * high)) - 0.2), "slope −σ(−Δ)", CHOSEN, va="top")
    _note(ax, (0.45 * high, float(pair_losses(0.45 * high)) + 0.35), "loss −log σ(Δ)", EXPECTED, va="bottom")
    if tangent_at is not None:
        y, g = float(pair_losses(tangent_at)), float(pair_loss_gradients(tangent_at))
        reach = 0.24 * (high - low)
        ends = np.array([tangent_at - reach, tangent_at + reach])
        ax.plot(ends, y + g * (ends - tangent_at), color=QUIET, linewidth=2, zorder=3)
        ax.plot([tangent_at, tangent_at], [y, g], color=QUIET, linewidth=1, linestyle=":")
        _points(ax, [tangent_at], [y], EXPECTED)
        _points(ax, [tangent_at], [g], CHOSEN)
        words = f"tangent at Δ = {signed(tangent_at)}:\nloss {y:.3f}, slope {signed(g, '.3f')}"
        _corner(ax, words, QUIET)
    return _finish(ax, "margin Δ (log-odds)", "loss (nats) and its slope")


@style()
def plot_confidence(
    probabilities: ArrayLike | None = None, *, marks: Sequence[float] = (0.9, 0.6, 0.1), ax: Axes | None = None
) -> Axes:
    """Draw -log p against p, the probability the model gave to the choice that was made.

    Parameters
    ----------
    probabilities : array_like, (n,), optional, in (0, 1)
        Where to draw, in increasing order; .005 to .999 unless given.
    marks : sequence of float, in (0, 1)
        Points to mark and name: sure and right, unsure, sure and wrong.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the loss.

    Notes
    -----
    -log p is the loss of the margin Δ = logit(p), since sigma(logit(p)) = p.
    """
    p = np.linspace(0.005, 0.999, 498) if probabilities is None else _numbers(probabilities, "probabilities")
    if not ((p > 0) & (p < 1)).all():
        raise ValueError("probabilities: expected numbers between 0 and 1, P given to the choice that was made")
    ax = _axes(ax)
    ax.plot(p, _array(pair_losses(logit(p))), color=EXPECTED, linewidth=LINE_WIDTH)
    for mark in marks:
        y = float(pair_losses(logit(mark)))
        _mark_confidence(ax, mark, y, mark)
        words = f"{_confidence(mark)}\nP = {mark:g}: loss {y:.3f}"
        if mark < 0.25:
            _note(ax, (mark + 0.035, y), words, _side(mark), va="bottom")
            continue
        height = max(0.7 + 3.2 * (0.9 - mark), y + 0.35)  # the labels climb to the left, clear of curve and each other
        ax.plot([mark, mark], [y, height - 0.05], color=QUIET, linewidth=1, linestyle=":")
        late = mark > 0.65  # words that start here would not end inside the axes
        _note(
            ax, (1.0 if late else mark - 0.02, height), words, _side(mark), ha="right" if late else "left", va="bottom"
        )
    ax.set(xlim=(0, 1), ylim=(0, 5.5))
    return _finish(ax, "probability P given to the choice made", "loss −log P (nats)")


@style()
def plot_loss_tail(
    margins: ArrayLike | None = None, *, marks: Sequence[float] = (0.9, 0.6, 0.1), ax: Axes | None = None
) -> Axes:
    """Draw -log sigma(Δ) far out on the wrong side, where it becomes the straight line -Δ and is never cut off.

    Parameters
    ----------
    margins : array_like, (n,), optional, log-odds
        Where to draw, in increasing order; -10 to 5 unless given.
    marks : sequence of float, in (0, 1)
        Probabilities to mark, each at Δ = logit(p).
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the loss, ``lines[1]`` the line -Δ where Δ <= 0.
    """
    delta = np.linspace(-10, 5, 601) if margins is None else _numbers(margins, "margins")
    ax = _axes(ax)
    loss = _array(pair_losses(delta))
    wrong = delta[delta <= 0]
    ax.plot(delta, loss, color=EXPECTED, linewidth=LINE_WIDTH)
    ax.plot(wrong, -wrong, color=QUIET, linewidth=2, linestyle=":")
    for mark in marks:
        x, y = float(logit(mark)), float(pair_losses(logit(mark)))
        _mark_confidence(ax, x, y, mark)
        _note(
            ax,
            (x + 0.2, y + (0.6 if _confidence(mark) == "unsure" else 0.2)),
            f"P = {mark:g}",
            _side(mark),
            va="bottom",
        )
    low, high = float(delta[0]), float(delta[-1])
    ax.set(xlim=(low, high), ylim=(0, float(loss.max()) * 1.05))
    middle = 0.55 * low
    words = "surely wrong: each further unit of Δ\ncosts one more nat, without limit"
    _note(ax, (middle + 0.05 * (high - low), -middle), words, QUIET, va="bottom")
    return _finish(ax, "margin Δ of the choice made (log-odds)", "loss −log σ(Δ) (nats)")


@style()
def plot_shift_invariance(
    rewards_chosen: ArrayLike, rewards_rejected: ArrayLike, shifts: ArrayLike, *, ax: Axes | None = None
) -> Axes:
    """Draw the mean loss after adding c to every reward: flat, since only differences of rewards enter.

    Parameters
    ----------
    rewards_chosen, rewards_rejected : array_like, (n_pairs,), log-odds
    shifts : array_like, (n,), log-odds
        The constants c, in increasing order.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the mean loss against c.
    """
    r_chosen, r_rejected = _rewards(rewards_chosen, rewards_rejected)
    c = _numbers(shifts, "shifts")
    losses = np.array([mean_loss((r_chosen + s) - (r_rejected + s)) for s in c])
    ax = _axes(ax)
    ax.plot(c, losses, color=EMPIRICAL, linewidth=LINE_WIDTH)
    here = mean_loss(r_chosen - r_rejected)
    _points(ax, [0.0], [here], EMPIRICAL)
    _note(ax, (0.0, here + 0.03), f"as it is: {here:.4f}", EMPIRICAL, ha="center", va="bottom")
    ax.set(xlim=(float(c[0]), float(c[-1])), ylim=(0, max(0.9, 1.3 * here)))
    _guide(ax, LOG_TWO, "knowing nothing: log 2")
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    return _finish(ax, "c added to every reward (log-odds)", "mean loss (nats)")


@style()
def plot_scaling(
    rewards_chosen: ArrayLike, rewards_rejected: ArrayLike, factors: ArrayLike, *, ax: Axes | None = None
) -> Axes:
    """Draw the mean loss after multiplying every reward by α: the order of the answers stays, the loss does not.

    Parameters
    ----------
    rewards_chosen, rewards_rejected : array_like, (n_pairs,), log-odds
    factors : array_like, (n,)
        The factors α, in increasing order. α = 0 knows nothing: log 2.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the mean loss against α.
    """
    r_chosen, r_rejected = _rewards(rewards_chosen, rewards_rejected)
    alpha = _numbers(factors, "factors")
    losses = np.array([mean_loss(a * r_chosen - a * r_rejected) for a in alpha])
    ax = _axes(ax)
    ax.plot(alpha, losses, color=EMPIRICAL, linewidth=LINE_WIDTH)
    here, least = mean_loss(r_chosen - r_rejected), int(losses.argmin())
    _points(ax, [1.0], [here], EMPIRICAL)
    if abs(float(alpha[least]) - 1) > 0.5:  # else the words about the least value say as much
        _note(ax, (1.1, here + 0.025), f"as it is: {here:.4f}", EMPIRICAL, va="bottom")
    if 0 < least < len(alpha) - 1:  # else every pair is on the right side, and the loss falls for ever
        x, y = float(alpha[least]), float(losses[least])
        _points(ax, [x], [y], EMPIRICAL, hollow=True)
        below = y > 0.12
        words = f"least at α = {x:.1f}: {y:.4f}"
        _note(ax, (x, y - 0.04 if below else y + 0.04), words, EMPIRICAL, ha="center", va="top" if below else "bottom")
    ax.set(xlim=(float(alpha[0]), float(alpha[-1])), ylim=(0, max(0.9, 1.05 * float(losses.max()))))
    _guide(ax, LOG_TWO, "knowing nothing: log 2", x=0.12, ha="left")
    ax.yaxis.set_major_locator(MaxNLocator(5))
    return _finish(ax, "factor α on every reward", "mean loss (nats)")


@style()
def plot_empirical_and_expected(
    sample_sizes: ArrayLike,
    empirical_losses: ArrayLike,
    expected: float,
    floor: float,
    *,
    spread: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw mean losses of samples around the expected loss, which they approach like 1/sqrt(n), and the entropy floor.

    Parameters
    ----------
    sample_sizes : array_like, (n_sizes,), pairs
    empirical_losses : array_like, (n_sizes, n_samples), nats
        Mean losses of independent samples of each size.
    expected, floor : float, nats
        The model's loss on endless data, and the least that any model could reach.
    spread : float, optional, nats
        Standard deviation of the loss of one pair; draws the funnel expected ± 2 · spread / sqrt(n), into which
        about 95 % of the samples fall.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` holds the samples, ``lines[1]`` is the expected loss, ``lines[2]`` the floor.
    """
    sizes = _numbers(sample_sizes, "sample_sizes")
    losses = np.asarray(empirical_losses, dtype=np.float64)
    if losses.ndim != 2 or len(losses) != len(sizes):
        raise ValueError(
            f"empirical_losses: expected shape ({len(sizes)}, n_samples), one row for each size, got {losses.shape}"
        )
    ax = _axes(ax, size=(9.0, 5.0))
    ax.set_xscale("log")
    low, high = float(sizes[0]) / 1.6, float(sizes[-1]) * 1.6
    ax.plot(
        np.repeat(sizes, losses.shape[1]),
        losses.ravel(),
        linestyle="none",
        marker="o",
        markersize=6,
        color=EMPIRICAL,
        alpha=0.6,
        markeredgewidth=0,
        zorder=3,
    )
    ax.plot([low, high], [expected, expected], color=EXPECTED, linewidth=LINE_WIDTH)
    ax.plot([low, high], [floor, floor], color=QUIET, linewidth=2, linestyle=":")
    top, bottom = max(float(losses.max()), expected), min(float(losses.min()), floor)
    if spread is not None:
        n = np.geomspace(low, high, 200)
        half = 2 * spread / np.sqrt(n)
        ax.fill_between(n, expected - half, expected + half, color=EMPIRICAL, alpha=0.12, linewidth=0, zorder=0)
        inside = np.abs(losses - expected) <= 2 * spread / np.sqrt(sizes)[:, None]
        words = f"shaded: expected ± 2·{spread:.2f}/√n\nholds {inside.mean():.0%} of the samples"
        _corner(ax, words, EMPIRICAL)
    room = 0.05 * max(top - bottom, 0.01)
    ax.set(xlim=(low, high), ylim=(max(0.0, bottom - room), top + room))
    _label_ends(
        ax, [(expected, f"expected loss {expected:.3f}", EXPECTED), (floor, f"entropy floor {floor:.3f}", QUIET)]
    )
    ax.xaxis.set_major_formatter(FuncFormatter(_thousands))
    ax.xaxis.set_minor_formatter(NullFormatter())
    return _finish(ax, "number of pairs n in the sample", "mean loss (nats)")


@style()
def plot_loss_curve(
    history: Mapping[str, ArrayLike], *, x_label: str = "step", name: str = "training", ax: Axes | None = None
) -> Axes:
    """Draw the training loss against the step, and the validation loss where there is one, below the line log 2.

    Parameters
    ----------
    history : mapping with "step", "loss" and perhaps "validation_loss"
        As in ``RewardModel.history``; a validation loss that is NaN throughout is left out. Without l2, a scorer of
        zeros starts on the line.
    x_label : str
        What a step is.
    name : str
        What the first curve is called.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the training loss (green circles), then the validation loss if any (black squares, dashed: it
        stands in for the expected loss).
    """
    for entry in ("step", "loss"):
        if entry not in history:
            raise ValueError(f"history: expected an entry {entry!r}, got {', '.join(history) or 'none'}")
    step, loss = _numbers(history["step"], "step"), np.asarray(history["loss"], dtype=np.float64)
    validation = np.asarray(history.get("validation_loss", np.full(len(step), np.nan)), dtype=np.float64)
    if loss.shape != step.shape or validation.shape != step.shape:
        raise ValueError(f"history: expected entries of one shape, got {step.shape}, {loss.shape}, {validation.shape}")
    ax = _axes(ax)
    few = len(step) <= 30  # then each step deserves a marker
    ax.plot(step, loss, color=EMPIRICAL, linewidth=LINE_WIDTH, marker="o" if few else "", markersize=8)
    ends = [(float(loss[-1]), f"{name} {loss[-1]:.3f}", EMPIRICAL)]
    known = ~np.isnan(validation)
    if known.any():
        ax.plot(
            step[known],
            validation[known],
            color=EXPECTED,
            linewidth=LINE_WIDTH,
            linestyle=(0, (3, 1.5)),
            marker="s" if few else "",
            markersize=8,
            markerfacecolor="white",
            markeredgewidth=2,
        )
        last = float(validation[known][-1])
        ends.append((last, f"validation {last:.3f}", EXPECTED))
    both = np.concatenate([loss, validation[known], [LOG_TWO]])
    both = both[np.isfinite(both)]
    room = 0.12 * max(float(np.ptp(both)), 0.02)
    ax.set_ylim(float(both.min()) - room, float(both.max()) + room)
    width = max(float(step[-1]) - float(step[0]), 1.0)
    ax.set_xlim(float(step[0]) - 0.02 * width, float(step[0]) + 1.02 * width)
    _guide(ax, LOG_TWO, "knowing nothing: log 2")
    _label_ends(ax, ends)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return _finish(ax, x_label, "mean loss (nats)")


@style()
def plot_margins(margins: ArrayLike, *, weights: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
    """Draw the histogram of the margins: right of 0 the model agrees with the choice, left of it (hatched) it does not.

    Parameters
    ----------
    margins : array_like, (n_pairs,), finite, log-odds
    weights : array_like, (n_pairs,), optional
        Count each pair this often; 1 unless given.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``patches`` are the bars, whose edges include 0; a margin of exactly 0 stands in the bar to its right.
    """
    delta = _numbers(margins, "margins")
    w = np.ones(delta.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != delta.shape:
        raise ValueError(f"weights: expected shape {delta.shape}, one for each pair, got {w.shape}")
    if not ((w >= 0).all() and 0 < w.sum() < np.inf):
        raise ValueError("weights: expected finite numbers of at least 0 with a positive sum")
    ax = _axes(ax)
    edges = _edges_through_zero(delta)
    heights, _ = np.histogram(delta, edges, weights=w)
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        is_right = left >= 0
        ax.bar(
            left,
            height,
            width=right - left,
            align="edge",
            facecolor=CHOSEN if is_right else "white",
            edgecolor="white" if is_right else REJECTED,
            hatch=None if is_right else "///",
            linewidth=1 if is_right else 1.5,
        )
    ax.axvline(0, 0, 0.88, color=EXPECTED, linewidth=2)
    top = float(heights.max()) * 1.25
    ax.set(ylim=(0, top), xlim=(float(edges[0]), float(edges[-1])))
    share = {sign: float(w[np.sign(delta) == sign].sum() / w.sum()) for sign in (-1, 0, 1)}
    _corner(ax, f"wrong side: {share[-1]:.1%}", REJECTED, left=True)
    exactly = f"\nexactly 0: {share[0]:.1%}" if share[0] > 0 else ""
    _corner(ax, f"right side: {share[1]:.1%}{exactly}", CHOSEN)
    return _finish(ax, "margin Δ (log-odds)", "number of pairs" if weights is None else "weight of the pairs")


@style()
def plot_reliability(reliability: Reliability, *, ax: Axes | None = None) -> Axes:
    """Draw how often the favoured answer was chosen against how sure the model was; honest models lie on the diagonal.

    Parameters
    ----------
    reliability : Reliability
        As in ``Evaluation.reliability``.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the diagonal; ``collections[0]`` holds the bins as points whose area is their share of pairs.
    """
    full = reliability.weight > 0
    x, y, share = reliability.predicted[full], reliability.observed[full], reliability.weight[full]
    ax = _axes(ax, size=(6.2, 6.0))
    ax.plot([0.5, 1.0], [0.5, 1.0], color=EXPECTED, linewidth=2)
    points = ax.scatter(x, y, s=30 + 900 * share, color=EMPIRICAL, edgecolor="white", linewidth=1.5, zorder=3)
    points.set_clip_on(False)
    ax.vlines(x, x, y, color=EMPIRICAL, linewidth=1.5, zorder=1)
    bottom = min(0.5, float(y.min(initial=0.5)) - 0.02)
    ax.set(xlim=(0.48, 1.03), ylim=(bottom - 0.02, 1.03))
    if bottom > 0.4:
        ax.set_aspect("equal", adjustable="box")
    _corner(ax, "not sure enough", QUIET, left=True)
    ax.text(0.98, 0.03, "too sure", color=QUIET, fontsize=TEXT_SIZE, ha="right", va="bottom", transform=ax.transAxes)
    return _finish(ax, "predicted P(favoured answer is chosen)", "share in which it was chosen")


@style()
def plot_weights(
    names: Sequence[str], estimates: ArrayLike, intervals: ArrayLike | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw named weights, first on top, each with its interval; hollow points where the interval holds 0.

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
        ``lines[0]`` marks 0; the points sit at heights 0, 1, … from the top.
    """
    estimate = _numbers(estimates, "estimates")
    if len(names) != len(estimate):
        raise ValueError(f"names: expected {len(estimate)}, one for each estimate, got {len(names)}")
    interval = np.stack([estimate, estimate], axis=1)
    if intervals is not None:
        interval = np.asarray(intervals, dtype=np.float64)
        if interval.shape != (len(estimate), 2):
            raise ValueError(f"intervals: expected shape ({len(estimate)}, 2), low and high, got {interval.shape}")
    ax = _axes(ax, size=(8.0, 1.6 + 0.5 * len(names)))
    ax.axvline(0, color=EXPECTED, linewidth=1.5, zorder=0)
    ax.hlines(np.arange(len(names)), interval[:, 0], interval[:, 1], color=EMPIRICAL, linewidth=LINE_WIDTH)
    for row, (x, (low, high)) in enumerate(zip(estimate, interval, strict=True)):
        _points(ax, [x], [row], EMPIRICAL, hollow=bool(low <= 0 <= high))
    ax.set_yticks(range(len(names)), list(names))
    ax.set_ylim(len(names) - 0.5, -0.5)
    _finish(ax, "weight (log-odds per unit of the feature)", "")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax


@style()
def plot_times(
    times: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    ours: str,
    limits: Collection[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw how long each contender takes against the size of its work, both on logarithmic axes.

    Parameters
    ----------
    times : mapping of str to (sizes, seconds), each (n,), positive
        One line for each contender, in order.
    ours : str
        The contender that the eye is to follow.
    limits : collection of str
        Those that are no contenders but the least that any can do.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines`` are the contenders in order.
    """
    ax = _axes(ax, size=(9.5, 7.0))
    markers = cycle("s^DvPX<>")
    ends: list[tuple[float, float, str, str]] = []
    for name, (sizes, seconds) in times.items():
        x, y = _numbers(sizes, f"sizes of {name}"), _numbers(seconds, f"seconds of {name}")
        color = EMPIRICAL if name == ours else EXPECTED if name in limits else QUIET
        if name == ours:
            ax.plot(x, y, color=color, linewidth=LINE_WIDTH, marker="o", markersize=MARKER_SIZE, zorder=4)
        elif name in limits:
            ax.plot(x, y, color=color, linewidth=2, linestyle=":", zorder=3)
        else:
            ax.plot(x, y, color=color, linewidth=1.5, marker=next(markers), markersize=7)
        ends.append((float(y[-1]), float(x[-1]), name, color))
    ax.set(xscale="log", yscale="log")
    low, high = np.log10(ax.get_ylim())
    heights = _apart(np.log10([end[0] for end in sorted(ends)]), 0.045 * (high - low), high)
    for height, (y_end, x_end, words, color) in zip(heights, sorted(ends), strict=True):
        leader = {"arrowstyle": "-", "color": color, "linewidth": 0.8, "relpos": (0, 0.5)}
        ax.annotate(
            words, (x_end, y_end), (1.04, float(10**height)), textcoords=ax.get_yaxis_transform(), color=color,
            fontsize=TEXT_SIZE, va="center", arrowprops=leader,
        )  # fmt: skip
    return _finish(ax, "pairs n", "seconds for loss and gradient")


@style()
def plot_step_sweep(steps: ArrayLike, errors: ArrayLike, *, mark: float | None = None, ax: Axes | None = None) -> Axes:
    """Draw the error of a central difference against its step, both on logarithmic axes: a V.

    Parameters
    ----------
    steps, errors : array_like, (n_steps,)
        As ``gradient_check.step_sweep`` returns them. An error of exactly 0 is drawn at 1e-17, below all others.
    mark : float, optional
        A step to point at.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines`` are the errors, the slope h² of truncation, the slope 1/h of rounding, and the mark.
    """
    h, error = _numbers(steps, "steps"), np.maximum(_numbers(errors, "errors"), 1e-17)
    if h.shape != error.shape or not (h > 0).all():
        raise ValueError(f"steps: expected positive numbers, one for each error, got shapes {h.shape}, {error.shape}")
    ax = _axes(ax)
    ax.plot(h, error, color=EMPIRICAL, linewidth=LINE_WIDTH, zorder=3)
    ax.set(xscale="log", yscale="log")
    far, near = int(np.argmax(h)), int(np.argmin(h))
    middle = float(np.sqrt(h[far] * h[near]))
    right, left = h[h >= middle], h[h <= middle]
    # through the point a hundred times below the longest step, and through the typical error of the shortest
    anchor = int(np.argmin(np.abs(np.log(h / (h[far] / 100)))))
    rounding = float(np.median(error[h <= 10 * h[near]] * h[h <= 10 * h[near]]))
    truncation = error[anchor] * (right / h[anchor]) ** 2
    shown = truncation >= error.min()
    ax.plot(right[shown], truncation[shown], color=EXPECTED, linewidth=1.5, linestyle="--")
    ax.plot(left, rounding / left, color=EXPECTED, linewidth=1.5, linestyle=":")
    ax.annotate("truncation ∝ h²", (h[anchor], error[anchor]), (-10, 14), textcoords="offset points", ha="right",
                fontsize=TEXT_SIZE)  # fmt: skip
    at = left[len(left) // 3]
    ax.annotate("rounding ∝ 1/h", (at, rounding / at), (12, 12), textcoords="offset points", fontsize=TEXT_SIZE)
    if mark is not None:
        at_mark = float(np.exp(np.interp(np.log(mark), np.log(h), np.log(error))))
        ax.plot([mark], [at_mark], color=REJECTED, marker="s", markersize=MARKER_SIZE, linestyle="none", zorder=4)
        side, ha = (16, "left") if mark < 1e-3 * middle else (-16, "right")  # away from the edge that is near
        ax.annotate(f"h = {mark:.0e}: {at_mark:.0e}", (mark, at_mark), (side, -22), textcoords="offset points",
                    ha=ha, fontsize=TEXT_SIZE, color=REJECTED)  # fmt: skip
        ax.set_ylim(bottom=min(ax.get_ylim()[0], at_mark / 100))  # room for these words
    return _finish(ax, "step h", "error of the central difference")


def save_figure(figure: Figure, path_without_suffix: str | Path, *, title: str | None = None) -> list[Path]:
    """Write a figure as SVG and PNG; the same figure gives the same bytes on every run.

    Parameters
    ----------
    figure : Figure
    path_without_suffix : str or Path
        ``.svg`` and ``.png`` are added. The folder must exist; files that are there are replaced.
    title : str, optional
        What to see, for readers who cannot see it: it becomes the title of the SVG.

    Returns
    -------
    list of Path
        The SVG, then the PNG.
    """
    base = Path(path_without_suffix)
    svg, png = base.with_name(base.name + ".svg"), base.with_name(base.name + ".png")
    svg.write_bytes(_svg(figure, title))
    with style():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    png.write_bytes(buffer.getvalue())
    return [svg, png]


def _svg(figure: Figure, title: str | None = None) -> bytes:
    """Return the figure as SVG without date, version, or spaces at line ends."""
    metadata: dict[str, str | None] = {"Date": None, "Creator": None}
    if title is not None:
        metadata["Title"] = title
    with style():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata=metadata)
    lines = buffer.getvalue().decode("utf-8").splitlines()
    return ("\n".join(line.rstrip() for line in lines) + "\n").encode("utf-8")


def figure_of(ax: Axes) -> Figure:
    """Return the figure that the axes belong to, the whole of it even from within a subfigure."""
    figure = ax.get_figure()
    while figure is not None and not isinstance(figure, Figure):
        figure = figure.figure
    if figure is None:
        raise ValueError("ax: expected axes that belong to a figure")
    return figure


def _axes(ax: Axes | None, *, size: tuple[float, float] | None = None) -> Axes:
    return new_axes(size=size)[0] if ax is None else ax


def _finish(ax: Axes, x_label: str, y_label: str) -> Axes:
    """Set what all plots share, on the axes themselves, so that a reader's own axes look the same."""
    ax.set_xlabel(x_label, fontsize=TEXT_SIZE)
    ax.set_ylabel(y_label, fontsize=TEXT_SIZE)
    ax.tick_params(labelsize=TEXT_SIZE)
    ax.spines[["top", "right"]].set_visible(False)
    place = ax.get_subplotspec()
    if place is not None and not place.is_first_col() and len(ax.get_shared_y_axes().get_siblings(ax)) > 1:
        ax.set_ylabel("")  # the panel to the left says it
        ax.tick_params(labelleft=False)
    return ax


def _points(ax: Axes, x: ArrayLike, y: ArrayLike, color: str, *, marker: str = "o", hollow: bool = False) -> None:
    ax.plot(
        np.asarray(x),
        np.asarray(y),
        linestyle="none",
        marker=marker,
        markersize=MARKER_SIZE,
        color=color,
        markerfacecolor="white" if hollow else color,
        markeredgewidth=2.5,
        zorder=4,
        clip_on=False,
    )


def _note(
    ax: Axes, place: tuple[float, float], words: str, color: str, *, ha: str = "left", va: str = "center"
) -> None:
    ax.text(*place, words, color=color, fontsize=TEXT_SIZE, ha=ha, va=va)


def _corner(ax: Axes, words: str, color: str, *, left: bool = False) -> None:
    """Write into the upper right corner, or the upper left one."""
    x, ha = (0.02, "left") if left else (0.98, "right")
    ax.text(x, 0.97, words, color=color, fontsize=TEXT_SIZE, ha=ha, va="top", transform=ax.transAxes)


def _guide(ax: Axes, y: float, words: str, *, x: float = 0.99, ha: str = "right") -> None:
    """Draw a quiet horizontal line across the axes with words above it; x counts from 0 to 1 across the axes."""
    ax.axhline(y, color=QUIET, linewidth=1.5, linestyle=":", zorder=0)
    ax.annotate(
        words,
        (x, y),
        xycoords=ax.get_yaxis_transform(),
        xytext=(0, 4),
        textcoords="offset points",
        color=QUIET,
        fontsize=TEXT_SIZE,
        ha=ha,
        va="bottom",
    )


def _label_ends(ax: Axes, ends: Iterable[tuple[float, str, str]]) -> None:
    """Name lines at their right ends, outside the axes, at least one line of text apart."""
    low, high = ax.get_ylim()
    gap = 0.075 * (high - low)
    ordered = sorted(end for end in ends if np.isfinite(end[0]))  # a loss of infinity ends outside any picture
    heights = np.array([y for y, _, _ in ordered])
    for i in range(1, len(heights)):  # push neighbours apart, each by half of what is missing
        missing = max(0.0, heights[i - 1] + gap - heights[i]) / 2
        heights[i - 1] -= missing
        heights[i] += missing
    for at, (_, words, color) in zip(heights, ordered, strict=True):
        place = ax.get_yaxis_transform()
        ax.text(1.015, float(at), words, color=color, fontsize=TEXT_SIZE, va="center", transform=place)


def _apart(heights: Array, gap: float, top: float) -> Array:
    """Move increasing heights as little as need be until they are a gap apart and none is above the top.

    Heights less their rank times the gap must not decrease: the nearest such sequence averages whatever falls.
    """
    ranks = np.arange(len(heights)) * gap
    blocks: list[list[float]] = []
    for value in heights - ranks:
        blocks.append([float(value)])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    means = [float(np.mean(block)) for block in blocks for _ in block]
    return _array(np.minimum(means, top - ranks[-1]) + ranks)


def _mark_confidence(ax: Axes, x: float, y: float, probability: float) -> None:
    """Mark a point: blue circle for a favoured choice, vermillion square for the other, hollow if unsure."""
    color, marker = _side(probability), "o" if probability >= 0.5 else "s"
    _points(ax, [x], [y], color, marker=marker, hollow=_confidence(probability) == "unsure")


def _confidence(probability: float) -> str:
    if 0.25 <= probability <= 0.75:
        return "unsure"
    return "confident and right" if probability > 0.5 else "confident and wrong"


def _side(probability: float) -> str:
    return CHOSEN if probability >= 0.5 else REJECTED


def _edges_through_zero(delta: Array) -> Array:
    """Return equal bins that cover the margins, with one edge exactly at 0 and at least one bin on each side."""
    low, high = min(float(delta.min()), 0.0), max(float(delta.max()), 0.0)
    least = (high - low) / 60 or 1.0
    width = least
    if np.ptp(delta) > least:  # else one bin holds them all, and NumPy makes none where only rounding differs
        automatic = np.histogram_bin_edges(delta, "auto")
        width = max(float(automatic[1] - automatic[0]), least)
    first = min(int(np.floor(low / width)), -1)
    last = max(int(np.floor(high / width)) + 1, 1)
    return np.asarray(np.arange(first, last + 1) * width, dtype=np.float64)


def _rewards(rewards_chosen: ArrayLike, rewards_rejected: ArrayLike) -> tuple[Array, Array]:
    r_chosen, r_rejected = _numbers(rewards_chosen, "rewards_chosen"), _numbers(rewards_rejected, "rewards_rejected")
    if r_chosen.shape != r_rejected.shape:
        raise ValueError(
            f"rewards_rejected: expected shape {r_chosen.shape}, one for each pair, got {r_rejected.shape}"
        )
    return r_chosen, r_rejected


def _numbers(values: ArrayLike, name: str) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name}: expected shape (n,) with at least one number, got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")
    return array


def _array(values: ArrayLike) -> Array:
    return np.asarray(values, dtype=np.float64)


def signed(value: float, form: str = "g") -> str:
    """Write a number with a true minus sign."""
    return format(value, form).replace("-", "−")


def _thousands(value: float, _: int | None = None) -> str:
    return f"{value:,.0f}".replace(",", " ")
