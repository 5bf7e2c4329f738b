"""The figure of the benchmark: time for loss and gradient against the number of pairs, one line for each library."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ..drawing import (
    EMPIRICAL,
    EXPECTED,
    LINE_WIDTH,
    MARKER_SIZE,
    QUIET,
    TEXT_SIZE,
    apart,
    figure_of,
    finish,
    given_or_new,
    numbers,
    save_figure,
    style,
)

if TYPE_CHECKING:
    from .report import Report

__all__ = ["draw", "plot_times"]

TITLE = "Time for loss and gradient"
CAPTION = (
    "Mean loss and gradient of n pairs: the median time of one call against n, for this package (green), for other "
    "libraries (grey) and for a copy of the same bytes (dotted). For few pairs the time is the fixed cost of a call; "
    "from a few thousand pairs on, it grows in proportion to n."
)


def draw(report: Report, path: Path) -> list[Path]:
    """Write the figure of time against n for the pair loss as SVG and PNG; return the paths of the files."""
    lines: dict[str, tuple[list[int], list[float]]] = {}
    for row in report.rows:
        if row.group == "pair-loss" and not row.contender.startswith("ours,"):
            sizes, seconds = lines.setdefault(row.contender.strip("()"), ([], []))
            sizes.append(row.n_pairs or 0)
            seconds.append(row.median)
    base = path.with_suffix("") if path.suffix in (".svg", ".png") else path
    figure = figure_of(plot_times(lines, ours="ours", limits=["copy"]))
    return save_figure(figure, base, title=TITLE, caption=CAPTION)


@style()
def plot_times(
    times: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    ours: str,
    limits: Collection[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw the time of each implementation against the size of the work, both on logarithmic axes.

    Parameters
    ----------
    times : mapping of str to (sizes, seconds), each (n,), positive
        One line for each implementation, in this order.
    ours : str
        The implementation to emphasise.
    limits : collection of str
        The implementations that are limits of the machine; their lines are dotted.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines`` are the implementations in order.
    """
    ax = given_or_new(ax, size=(9.5, 7.0))
    markers = cycle("s^DvPX<>")
    ends: list[tuple[float, float, str, str]] = []
    for name, (sizes, seconds) in times.items():
        x, y = numbers(sizes, f"sizes of {name}"), numbers(seconds, f"seconds of {name}")
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
    heights = apart(np.log10([end[0] for end in sorted(ends)]), 0.045 * (high - low), high)
    for height, (y_end, x_end, words, color) in zip(heights, sorted(ends), strict=True):
        leader = {"arrowstyle": "-", "color": color, "linewidth": 0.8, "relpos": (0, 0.5)}
        ax.annotate(
            words, (x_end, y_end), (1.04, float(10**height)), textcoords=ax.get_yaxis_transform(), color=color,
            fontsize=TEXT_SIZE, va="center", arrowprops=leader,
        )  # fmt: skip
    return finish(ax, "pairs n", "seconds for loss and gradient")
