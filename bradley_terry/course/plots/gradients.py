"""Pictures of lessons 6 to 8: pulls, the error of a difference, and the rewards that a network learns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from ...drawing import (
    CHOSEN,
    EMPIRICAL,
    EXPECTED,
    LINE_WIDTH,
    MARKER_SIZE,
    QUIET,
    REJECTED,
    TEXT_SIZE,
    finish,
    given_or_new,
    note,
    numbers,
    signed,
    style,
)
from ...logistic import Array
from ...losses import pair_loss_gradients
from ...pairs import PreferencePairs

__all__ = [
    "plot_pull_on_rewards",
    "plot_pulls",
    "plot_reward_map",
    "plot_reward_model",
    "plot_step_sweep",
    "plot_widths",
]


@style()
def plot_pull_on_rewards(margin: float, *, ax: Axes | None = None) -> Axes:
    """Draw the rewards of one pair, and as arrows where its pull moves them in one gradient step of size 1.

    A shift has no meaning, so the rewards are drawn at Δ/2 and -Δ/2. The chosen one is pulled up and the rejected one
    down, each by σ(-Δ).

    Parameters
    ----------
    margin : float, log-odds, from -6 to 6

    Returns
    -------
    Axes
        ``lines`` are the chosen and the rejected reward.
    """
    ax = given_or_new(ax, size=(6.4, 4.4))
    pull = -float(pair_loss_gradients(margin))
    for x, sign, color, marker in ((0, 1, CHOSEN, "o"), (1, -1, REJECTED, "s")):
        reward = sign * margin / 2 + 0.0  # not -0
        ax.plot([x], [reward], color=color, marker=marker, markersize=MARKER_SIZE, linestyle="none")
        arrow = {"arrowstyle": "-|>,head_width=0.35,head_length=0.5", "color": color, "linewidth": LINE_WIDTH}
        if pull > 0.01:  # a shorter arrow would be all head
            ax.annotate("", (x, reward + sign * pull), (x, reward), arrowprops={**arrow, "shrinkA": 0, "shrinkB": 0})
        note(ax, (x + 0.08, reward), signed(reward, "+.2f"), color, va="center")
    ax.axhline(0, color=QUIET, linewidth=1, linestyle=":", zorder=0)
    ax.set(xlim=(-0.5, 1.7), ylim=(-4.3, 4.3), xticks=[0, 1], xticklabels=["chosen", "rejected"])
    ax.set_title(f"each is pulled by {pull:.3f}", fontsize=TEXT_SIZE)
    return finish(ax, "answer", "reward (log-odds)")


@style()
def plot_pulls(margins: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """Draw how hard each pair pulls its margin up, 1 − σ(Δ), as points on the curve of all possible pulls.

    Parameters
    ----------
    margins : array_like, (n_pairs,), log-odds

    Returns
    -------
    Axes
        ``lines[0]`` is the curve, ``lines[1]`` the pairs.
    """
    ax = given_or_new(ax)
    z = np.asarray(margins, dtype=np.float64).reshape(-1)
    reach = max(6.0, float(np.abs(z).max(initial=0.0)) + 0.5)
    delta = np.linspace(-reach, reach, 401)
    ax.plot(delta, np.negative(pair_loss_gradients(delta)), color=EXPECTED, linewidth=LINE_WIDTH)
    pulls = np.negative(pair_loss_gradients(z))
    ax.plot(z, pulls, color=EMPIRICAL, marker="o", markersize=MARKER_SIZE, linestyle="none", zorder=3)
    ax.vlines(z, 0, pulls, color=EMPIRICAL, linewidth=2)
    for at, pull in zip(z.tolist(), pulls.tolist(), strict=True):
        note(ax, (at + 0.25, pull + 0.02), f"{pull:.3f}", EMPIRICAL, va="bottom", hide_lines=True)
    ax.axvline(0.0, color=QUIET, linewidth=1, linestyle=":")
    for x, words, color in ((0.25, "the model is wrong", REJECTED), (0.75, "the model is right", CHOSEN)):
        ax.text(x, 1.02, words, transform=ax.transAxes, ha="center", fontsize=TEXT_SIZE, color=color)
    ax.set(xlim=(-reach, reach), ylim=(0, 1.12))
    return finish(ax, "margin Δ (log-odds)", "pull 1 − σ(Δ)")


@style()
def plot_step_sweep(steps: ArrayLike, errors: ArrayLike, *, mark: float | None = None, ax: Axes | None = None) -> Axes:
    """Draw the error of a central difference against its step, both on logarithmic axes: a V.

    Parameters
    ----------
    steps, errors : array_like, (n_steps,)
        As ``gradient_check.step_sweep`` returns them. An error of exactly 0 is drawn at 1e-17, below all others.
    mark : float, optional
        A step to mark.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines`` are the errors, the slope h² of truncation, the slope 1/h of rounding, and the mark.
    """
    h, error = numbers(steps, "steps"), np.maximum(numbers(errors, "errors"), 1e-17)
    if h.shape != error.shape or not (h > 0).all():
        raise ValueError(f"steps: expected positive numbers, one for each error, got shapes {h.shape}, {error.shape}")
    ax = given_or_new(ax)
    ax.plot(h, error, color=EMPIRICAL, linewidth=LINE_WIDTH, zorder=3)
    ax.set(xscale="log", yscale="log")
    far, near = int(np.argmax(h)), int(np.argmin(h))
    middle = float(np.sqrt(h[far] * h[near]))
    right, left = h[h >= middle], h[h <= middle]
    # The guides pass through the point at a hundredth of the longest step, and the typical error of the shortest steps.
    anchor = int(np.argmin(np.abs(np.log(h / (h[far] / 100)))))
    rounding = float(np.median(error[h <= 10 * h[near]] * h[h <= 10 * h[near]]))
    truncation = error[anchor] * (right / h[anchor]) ** 2
    shown = truncation >= error.min()
    ax.plot(right[shown], truncation[shown], color=EXPECTED, linewidth=1.5, linestyle="--")
    ax.plot(left, rounding / left, color=EXPECTED, linewidth=1.5, linestyle=":")

    def beside(at: tuple[float, float], offset: tuple[float, float], words: str, color: str, ha: str) -> None:
        ax.annotate(words, at, offset, textcoords="offset points", fontsize=TEXT_SIZE, color=color, ha=ha)

    beside((h[anchor], error[anchor]), (-10, 14), "truncation ∝ h²", EXPECTED, "right")
    at = left[len(left) // 3]
    beside((at, rounding / at), (12, 12), "rounding ∝ 1/h", EXPECTED, "left")
    if mark is not None:
        at_mark = float(np.exp(np.interp(np.log(mark), np.log(h), np.log(error))))
        ax.plot([mark], [at_mark], color=REJECTED, marker="s", markersize=MARKER_SIZE, linestyle="none", zorder=4)
        side, ha = (16, "left") if mark < 1e-3 * middle else (-16, "right")  # away from the nearer edge
        beside((mark, at_mark), (side, -22), f"h = {mark:.0e}: {at_mark:.0e}", REJECTED, ha)
        ax.set_ylim(bottom=min(ax.get_ylim()[0], at_mark / 100))  # space for these words
    return finish(ax, "step h", "error of the central difference")


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
        Of these, the first 15 whose answers are close together, at most ¾ of ``reach`` apart, are drawn.
    reach : float
        The features go from -reach to reach.
    names : two str

    Returns
    -------
    Axes
        ``lines[0]`` and ``lines[1]`` are the chosen and the rejected answers, if there are pairs.
    """
    ax = given_or_new(ax, size=(6.4, 5.6))
    side = np.linspace(-reach, reach, 61)
    x, y = np.meshgrid(side, side)
    r = reward(np.column_stack([x.ravel(), y.ravel()])).reshape(x.shape)
    r = r - r.mean()  # a shift means nothing
    lines = ax.contour(x, y, r, levels=9, colors=EXPECTED, linewidths=1.5)
    ax.clabel(lines, fontsize=TEXT_SIZE - 3, fmt=lambda value: signed(value, ".1f"))
    if pairs is not None:
        c, d = (np.asarray(x, dtype=np.float64) for x in (pairs.chosen, pairs.rejected))
        close = np.flatnonzero(np.hypot(*(c - d).T) <= 0.75 * reach)[:15]
        c, d = c[close], d[close]
        ax.quiver(
            *d.T, *(c - d).T, angles="xy", scale_units="xy", scale=1, color=QUIET, units="inches", width=0.014,
            headwidth=7, headlength=8, headaxislength=7,
        )  # fmt: skip
        ax.plot(*c.T, color=CHOSEN, marker="o", markersize=6, linestyle="none")
        ax.plot(*d.T, color=REJECTED, marker="s", markersize=5, linestyle="none")
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach))
    return finish(ax, *names)


@style()
def plot_widths(widths: Sequence[int], losses: ArrayLike, *, mark: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw the mean loss of models against their number of hidden units, with one of them marked.

    Parameters
    ----------
    widths : sequence of int, in increasing order
    losses : array_like, (n_widths,), nats
    mark : int, optional
        One of the widths.

    Returns
    -------
    Axes
        ``lines[0]`` holds the losses, and ``lines[1]`` is the mark.
    """
    n, values = numbers(widths, "widths"), numbers(losses, "losses")
    if n.shape != values.shape:
        raise ValueError(f"losses: expected shape {n.shape}, one for each width, got {values.shape}")
    ax = given_or_new(ax, size=(5.0, 4.4))
    at = np.arange(n.size)
    ax.plot(at, values, color=EMPIRICAL, linewidth=LINE_WIDTH, marker="o", markersize=MARKER_SIZE, zorder=3)
    if mark is not None:
        if mark not in n:
            raise ValueError(f"mark: expected one of {', '.join(f'{width:g}' for width in n)}, got {mark}")
        place = int(np.flatnonzero(n == mark)[0])
        ax.plot([place], [values[place]], color=REJECTED, marker="s", markersize=MARKER_SIZE + 3, zorder=4)
        beyond = place > (n.size - 1) / 2
        ax.annotate(
            f"{values[place]:.3f}", (place, values[place]), (0, 14), textcoords="offset points", color=REJECTED,
            fontsize=TEXT_SIZE, ha="right" if beyond else "left",
        )  # fmt: skip
    ax.set_xticks(at, [f"{width:g}" for width in n])
    ax.yaxis.set_major_locator(MaxNLocator(5))
    reach = max(float(np.ptp(values)), 0.01)
    ax.set(xlim=(-0.4, n.size - 0.6), ylim=(values.min() - 0.15 * reach, values.max() + 0.25 * reach))
    return finish(ax, "hidden units", "mean loss on fresh pairs (nats)")


@style()
def plot_reward_model(*, ax: Axes | None = None) -> Axes:
    """Draw a reward model that is made from a language model, used twice with the same φ: once for each answer.

    Returns
    -------
    Axes
        Two rows, the chosen answer above the rejected one, from the tokens on the left to the margin on the right.
    """
    ax = given_or_new(ax, size=(10.0, 4.4))
    for y, word, letter, color in ((2.75, "chosen", "c", CHOSEN), (0.75, "rejected", "r", REJECTED)):
        note(ax, (0.0, y + 0.62), f"prompt + {word} answer", color)
        for k in range(6):
            is_answer = k > 2
            ax.add_patch(
                Rectangle(
                    (0.42 * k, y - 0.2), 0.34, 0.4, facecolor=color if is_answer else "white",
                    edgecolor=color if is_answer else QUIET, linewidth=1.5,
                    alpha=1.0 if k == 5 or not is_answer else 0.45,
                )
            )  # fmt: skip
        _arrow(ax, (2.55, y), (3.0, y))
        ax.add_patch(_box((3.05, y - 0.42), 2.1, 0.84))
        note(ax, (4.1, y), "layers W", EXPECTED, ha="center")
        _arrow(ax, (5.2, y), (5.6, y))
        for k in range(4):
            ax.add_patch(Rectangle((5.66, y - 0.4 + 0.2 * k), 0.26, 0.2, facecolor="white", edgecolor=color))
        _arrow(ax, (5.98, y), (6.36, y))
        ax.add_patch(_box((6.42, y - 0.42), 1.2, 0.84))
        note(ax, (7.02, y), "head v", EXPECTED, ha="center")
        _arrow(ax, (7.67, y), (8.05, y))
        ax.text(8.12, y, f"$r_{letter}$", color=color, fontsize=TEXT_SIZE, va="center")
        _arrow(ax, (8.55, y), (9.15, 1.75 + 0.3 * float(np.sign(y - 1.75))))
    note(ax, (5.79, 1.75), "last state h", QUIET, ha="center")
    for x in (4.1, 7.02):
        ax.annotate("", (x, 2.28), (x, 1.22), arrowprops={"arrowstyle": "<->", "color": QUIET, "linewidth": 1.5})
    note(ax, (4.0, 1.75), "the same W", QUIET, ha="right")
    note(ax, (7.12, 1.75), "the same v", QUIET)
    ax.text(8.95, 1.75, "$\\Delta = r_c - r_r$", color=EXPECTED, fontsize=TEXT_SIZE, va="center")
    note(ax, (0.0, 0.22), "tokens; the prompt is white", QUIET)
    ax.set(xlim=(-0.1, 10.5), ylim=(0.0, 3.7), xticks=[], yticks=[])
    finish(ax, "φ = (W, v): one reward model, used once for each answer", "")
    ax.spines[["left", "bottom"]].set_visible(False)
    return ax


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": EXPECTED, "linewidth": 1.5})


def _box(corner: tuple[float, float], width: float, height: float) -> FancyBboxPatch:
    return FancyBboxPatch(
        corner, width, height, boxstyle="round,pad=0,rounding_size=0.1", facecolor="white", edgecolor=EXPECTED,
        linewidth=2,
    )  # fmt: skip
