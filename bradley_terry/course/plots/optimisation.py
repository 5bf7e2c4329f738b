"""The picture of lesson 12: what a policy is optimised for, and what people think of it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import ArrayLike

from ...arrays.single import switch
from ...drawing import (
    EMPIRICAL,
    EXPECTED,
    LINE_WIDTH,
    QUIET,
    REJECTED,
    finish,
    given_or_new,
    grid,
    label_ends,
    note,
    numbers,
    points,
    signed,
    style,
)

__all__ = ["plot_proxy_and_true"]


@style()
def plot_proxy_and_true(
    effort: ArrayLike, proxy_rewards: ArrayLike, true_rewards: ArrayLike, *, simulated: ArrayLike | None = None,
    now: int | None = None, of_n: bool = False, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw the mean proxy reward and the mean true reward of a policy against how hard it was optimised.

    Parameters
    ----------
    effort : array_like, (n,), in increasing order
        The distance d = sqrt(KL) from the reference policy; or n of best of n, which is drawn on a logarithmic axis.
    proxy_rewards, true_rewards : array_like, (n,), log-odds
        The proxy is a dashed vermillion line, the true reward a solid black one. A dotted line shows where the true
        reward started.
    simulated : array_like, (n_points, 2), optional
        Effort and mean true reward of simulated answers, drawn as green points.
    now : int, optional
        Index of the effort that is marked on both lines. Without it, the highest true reward is marked, unless it is
        at the end.
    of_n : bool
        Say that the effort is n of best of n.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the proxy reward, ``lines[1]`` the true one.
    """
    x = grid(effort, "effort")
    proxy, true = numbers(proxy_rewards, "proxy_rewards"), numbers(true_rewards, "true_rewards")
    for name, values in (("proxy_rewards", proxy), ("true_rewards", true)):
        if values.shape != x.shape:
            raise ValueError(f"{name}: expected shape {x.shape}, one for each effort, got {values.shape}")
    switch("of_n", of_n)
    ax = given_or_new(ax, size=(9.0, 4.4))
    ax.plot(x, proxy, color=REJECTED, linewidth=LINE_WIDTH, linestyle="--")
    ax.plot(x, true, color=EXPECTED, linewidth=LINE_WIDTH)
    ax.axhline(float(true[0]), color=QUIET, linewidth=1.5, linestyle=":", zorder=0)
    if of_n:
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    ends = [(float(proxy[-1]), "proxy reward", REJECTED), (float(true[-1]), "true reward", EXPECTED)]
    if simulated is not None:
        dots = np.asarray(simulated, dtype=np.float64)
        if dots.ndim != 2 or dots.shape[1] != 2:
            raise ValueError(f"simulated: expected shape (n_points, 2), effort and reward, got {dots.shape}")
        points(ax, dots[:, 0], dots[:, 1], EMPIRICAL, hollow=True)
    best = int(np.argmax(true))
    height = 0.08 * float(max(proxy.max(), true.max()) - min(proxy.min(), true.min()))
    if now is not None:
        ax.axvline(float(x[now]), color=QUIET, linewidth=1.5, linestyle=":", zorder=0)
        points(ax, [x[now]], [proxy[now]], REJECTED, marker="s")
        points(ax, [x[now]], [true[now]], EXPECTED)
    elif 0 < best < len(x) - 1:
        points(ax, [x[best]], [true[best]], EXPECTED)
        words = f"best at {x[best]:.3g}: {signed(float(true[best]), '.2f')}"
        note(ax, (float(x[best]), float(true[best]) - height), words, EXPECTED, ha="center", va="top")
    ax.set_xlim(float(x[0]), float(x[-1]))
    label_ends(ax, ends)
    horizontal = "number of answers n to choose from" if of_n else "distance d = √KL from the reference policy"
    return finish(ax, horizontal, "mean reward (log-odds)")
