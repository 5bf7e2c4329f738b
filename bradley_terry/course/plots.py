"""Plots that only the lessons need; colours, sizes and manners are those of ``bradley_terry.plots``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from ..logistic import sigmoid
from ..losses import pair_loss_gradients, pair_losses
from ..pairs import PreferencePairs
from ..plots import (
    CHOSEN,
    EMPIRICAL,
    EXPECTED,
    LINE_WIDTH,
    MARKER_SIZE,
    QUIET,
    REJECTED,
    TEXT_SIZE,
    new_axes,
    signed,
    style,
)

__all__ = [
    "NAIVE_FORMS",
    "naive_losses",
    "plot_naive_form",
    "plot_preference_probability",
    "plot_probability_bar",
    "plot_pulls",
    "plot_reward_map",
    "plot_temperature",
]

Array = NDArray[np.float64]
Floating = NDArray[np.floating]


def _finish(ax: Axes, x_label: str, y_label: str) -> Axes:
    ax.set_xlabel(x_label, fontsize=TEXT_SIZE)
    ax.set_ylabel(y_label, fontsize=TEXT_SIZE)
    ax.tick_params(labelsize=TEXT_SIZE)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


BACKGROUND = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}  # behind words that a line would cross


def _note(ax: Axes, words: str, at: tuple[float, float], color: str, *, ha: str = "left", va: str = "center") -> None:
    ax.annotate(words, at, fontsize=TEXT_SIZE, color=color, ha=ha, va=va, bbox=BACKGROUND, zorder=2.5)


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
    ax = new_axes()[0] if ax is None else ax
    marked = np.asarray(margins, dtype=np.float64).reshape(-1)
    reach = max(6.0, float(np.abs(marked).max(initial=0.0)) + 1)
    delta = np.linspace(-reach, reach, 401)
    ax.plot(delta, np.asarray(sigmoid(delta)), color=EXPECTED, linewidth=LINE_WIDTH)
    p = np.asarray(sigmoid(marked))
    ax.plot(marked, p, color=CHOSEN, marker="o", markersize=MARKER_SIZE, linestyle="none", zorder=3)
    for z, height in zip(marked.tolist(), p.tolist(), strict=True):
        left = z > 0
        place = (z + (-0.35 if left else 0.35), height + (0.04 if left else -0.04))
        _note(ax, f"Δ = {signed(z, '.3g')}: {height:.3f}", place, CHOSEN, ha="right" if left else "left")
    ax.axhline(0.5, color=QUIET, linewidth=1, linestyle=":")
    ax.axvline(0.0, color=QUIET, linewidth=1, linestyle=":")
    ax.set(ylim=(-0.04, 1.04), xlim=(-reach, reach))
    return _finish(ax, "margin Δ = reward of a − reward of b", "P(a preferred to b)")


@style()
def plot_probability_bar(reward_a: float, reward_b: float, *, ax: Axes | None = None) -> Axes:
    """Draw the bar of all choices, which the margin of two rewards divides between a and b.

    Returns
    -------
    Axes
        ``patches`` are the shares of a and b.
    """
    ax = new_axes(size=(8.0, 3.2))[0] if ax is None else ax
    p = float(sigmoid(reward_a - reward_b))
    ax.barh([0], [p], color=CHOSEN, height=0.5)
    ax.barh([0], [1 - p], left=[p], color="white", edgecolor=REJECTED, hatch="//", height=0.5)
    inside = 0.12
    ax.text(
        max(p / 2, 0.02), 0.42, f"a: {p:.3f}", ha="center" if p > inside else "left", fontsize=TEXT_SIZE, color=CHOSEN
    )
    ax.text(min(p + (1 - p) / 2, 0.98), 0.42, f"b: {1 - p:.3f}", ha="center" if p < 1 - inside else "right",
            fontsize=TEXT_SIZE, color=REJECTED)  # fmt: skip
    ax.vlines(0.5, -0.4, 0.3, color=QUIET, linewidth=1, linestyle=":", zorder=0)
    ax.set(xlim=(0, 1), ylim=(-0.4, 0.75), yticks=[])
    ax.spines["left"].set_visible(False)
    rewards, margin = f"rewards {signed(reward_a)} and {signed(reward_b)}", signed(reward_a - reward_b, "+.3g")
    ax.set_title(f"{rewards}: margin {margin}", fontsize=TEXT_SIZE)
    return _finish(ax, "P(a preferred to b)", "")


@style()
def plot_pulls(margins: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """Draw how hard each pair pulls its margin up, 1 − σ(Δ), over the curve of all possible pulls.

    Parameters
    ----------
    margins : array_like, (n_pairs,), log-odds

    Returns
    -------
    Axes
        ``lines[0]`` is the curve, ``lines[1]`` the pairs.
    """
    ax = new_axes()[0] if ax is None else ax
    z = np.asarray(margins, dtype=np.float64).reshape(-1)
    reach = max(6.0, float(np.abs(z).max(initial=0.0)) + 0.5)
    delta = np.linspace(-reach, reach, 401)
    ax.plot(delta, -np.asarray(pair_loss_gradients(delta)), color=EXPECTED, linewidth=LINE_WIDTH)
    pulls = -np.asarray(pair_loss_gradients(z))
    ax.plot(z, pulls, color=EMPIRICAL, marker="o", markersize=MARKER_SIZE, linestyle="none", zorder=3)
    ax.vlines(z, 0, pulls, color=EMPIRICAL, linewidth=2)
    for at, pull in zip(z.tolist(), pulls.tolist(), strict=True):
        _note(ax, f"{pull:.3f}", (at + 0.25, pull + 0.02), EMPIRICAL, va="bottom")
    ax.axvline(0.0, color=QUIET, linewidth=1, linestyle=":")
    for x, words, color in ((0.25, "the model is wrong", REJECTED), (0.75, "the model is right", CHOSEN)):
        ax.text(x, 1.02, words, transform=ax.transAxes, ha="center", fontsize=TEXT_SIZE, color=color)
    ax.set(xlim=(-reach, reach), ylim=(0, 1.12))
    return _finish(ax, "margin Δ (log-odds)", "pull 1 − σ(Δ)")


@style()
def plot_temperature(margins: ArrayLike, temperature: float | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw the mean loss of Δ/T against T on a logarithmic axis, with one temperature marked.

    Parameters
    ----------
    margins : array_like, (n_pairs,), log-odds
        Margins of the answers that people chose, measured.
    temperature : float, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the loss.
    """
    ax = new_axes()[0] if ax is None else ax
    z = np.asarray(margins, dtype=np.float64).reshape(-1)
    grid = np.logspace(-1, 1.5, 61)
    losses = np.array([np.mean(pair_losses(z / t)) for t in grid])
    ax.plot(grid, losses, color=EMPIRICAL, linewidth=LINE_WIDTH)
    ax.axhline(np.log(2.0), color=QUIET, linewidth=1, linestyle=":")
    _note(ax, "log 2: knowing nothing", (grid[-1], np.log(2.0) + 0.06), QUIET, ha="right", va="bottom")
    if temperature is not None:
        height = float(np.mean(pair_losses(z / temperature)))
        ax.plot([temperature], [height], color=CHOSEN, marker="o", markersize=MARKER_SIZE, zorder=3)
        words = f"T = {temperature:.2f}: {height:.3f}"
        if height > np.log(2.0):  # on the side away from the curve, which falls to the left of its bend
            _note(ax, words, (1.15 * temperature, height + 0.1), CHOSEN, va="bottom")
        else:
            _note(ax, words, (temperature, height - 0.12), CHOSEN, ha="center", va="top")
    ax.set(xscale="log", ylim=(0, min(3.0, float(losses.max()) * 1.05)))
    return _finish(ax, "temperature T", "mean loss of Δ/T (nats)")


@style()
def plot_reward_map(
    reward: Callable[[Array], NDArray[np.floating]], pairs: PreferencePairs | None = None, *, reach: float = 2.0,
    names: tuple[str, str] = ("first feature", "second feature"), ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw a reward of two features as contour lines, with a few pairs as arrows from rejected to chosen.

    Parameters
    ----------
    reward : callable, (n, 2) -> (n,)
    pairs : PreferencePairs, optional
        The first 15 whose answers lie close together, at most ¾ of the reach apart, are drawn.
    reach : float
        Features from -reach to reach.
    names : two str

    Returns
    -------
    Axes
    """
    ax = new_axes(size=(6.4, 5.6))[0] if ax is None else ax
    side = np.linspace(-reach, reach, 61)
    x, y = np.meshgrid(side, side)
    r = np.asarray(reward(np.column_stack([x.ravel(), y.ravel()]))).reshape(x.shape)
    r = r - r.mean()  # a shift means nothing
    lines = ax.contour(x, y, r, levels=9, colors=EXPECTED, linewidths=1.5)
    ax.clabel(lines, fontsize=TEXT_SIZE - 3, fmt=lambda value: signed(value, ".1f"))
    if pairs is not None:
        c, d = (np.asarray(x, dtype=np.float64) for x in (pairs.chosen, pairs.rejected))
        close = np.flatnonzero(np.hypot(*(c - d).T) <= 0.75 * reach)[:15]
        for chosen, rejected in zip(c[close], d[close], strict=True):
            ax.annotate("", chosen, rejected, arrowprops={"arrowstyle": "->", "color": QUIET, "linewidth": 0.8})
            ax.plot(*chosen, color=CHOSEN, marker="o", markersize=6, linestyle="none")
            ax.plot(*rejected, color=REJECTED, marker="s", markersize=5, linestyle="none")
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach))
    return _finish(ax, *names)


NAIVE_FORMS: dict[str, str] = {
    "log(1 + exp(-z))": "overflows: exp is infinite, and so is the loss",
    "-log(1/(1 + exp(-z)))": "σ rounds to 0 on the left and to 1 on the right",
    "-z + log(1 + exp(z))": "overflows on the other side: infinite, where the loss is nearly 0",
    "max(-z, 0) + log1p(exp(-|z|))": "the stable form: right everywhere",
}


def naive_losses(form: str, margins: ArrayLike, dtype: type[np.floating] = np.float64) -> Floating:
    """Compute the pair loss by one of ``NAIVE_FORMS``, each step in the given precision, whatever comes of it.

    Parameters
    ----------
    form : str
    margins : array_like, (n,), log-odds
    dtype : float16, float32 or float64

    Returns
    -------
    array, (n,), of that dtype
    """
    if form not in NAIVE_FORMS:
        raise ValueError(f"form: expected one of {', '.join(NAIVE_FORMS)}, got {form!r}")
    z = np.asarray(margins, dtype=dtype)
    one = dtype(1)
    with np.errstate(all="ignore"):  # the failure is what is to be seen
        if form == "log(1 + exp(-z))":
            return np.asarray(np.log(one + np.exp(-z)))
        if form == "-log(1/(1 + exp(-z)))":
            return np.asarray(-np.log(one / (one + np.exp(-z))))
        if form == "-z + log(1 + exp(z))":
            return np.asarray(-z + np.log(one + np.exp(z)))
        return np.asarray(np.maximum(-z, dtype(0)) + np.log1p(np.exp(-np.abs(z))))


@style()
def plot_naive_form(form: str, dtype: type[np.floating] = np.float64, *, ax: Axes | None = None) -> Axes:
    """Draw the relative error of one form of the loss against the margin; where it fails altogether, a hatched band.

    Returns
    -------
    Axes
        ``lines[0]`` is the relative error, where there is a number.
    """
    ax = new_axes()[0] if ax is None else ax
    reach = {np.float16: 16.0, np.float32: 120.0}.get(dtype, 800.0)
    z = np.linspace(-reach, reach, 801).astype(dtype).astype(np.float64)
    right = np.asarray(pair_losses(z))
    got = naive_losses(form, z, dtype).astype(np.float64)
    tiny = float(np.finfo(dtype).tiny)  # below it numbers have ever fewer digits, whoever computes
    failed = ~np.isfinite(got) | ((got == 0) & (right >= tiny))
    error = np.maximum(np.abs(got - right) / np.maximum(right, tiny), float(np.finfo(dtype).eps) / 16)
    ax.plot(z, np.where(failed, np.nan, error), color=EMPIRICAL, linewidth=LINE_WIDTH)
    ax.set(yscale="log", xlim=(-reach, reach), ylim=(float(np.finfo(dtype).eps) / 32, 10))
    for value, where in {"inf": np.isinf(got), "NaN": np.isnan(got), "0": failed & (got == 0)}.items():
        edges = np.flatnonzero(np.diff(np.concatenate([[0], where.astype(int), [0]])))
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            left, end = float(z[first]), float(z[last - 1])
            ax.axvspan(left, end, facecolor="none", edgecolor=REJECTED, hatch="//", linewidth=0)
            ax.text((left + end) / 2, 0.1, value, ha="center", fontsize=TEXT_SIZE + 2, color=REJECTED,
                    bbox={"facecolor": "white", "edgecolor": "none"})  # fmt: skip
    ax.axhline(1.0, color=QUIET, linewidth=1, linestyle=":")
    _note(ax, "100 %", (-0.35 * reach, 1.0), QUIET, ha="center")  # where every form works
    ax.set_title(f"{form.replace('z', 'Δ').replace('-', '−')} in {dtype.__name__}", fontsize=TEXT_SIZE)
    return _finish(ax, "margin Δ (log-odds)", "relative error")
