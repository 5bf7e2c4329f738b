"""Words and marks on the axes, and the numbers that go into them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ..arrays.given import vector
from ..arrays.single import is_whole, text
from ..arrays.visible import LONGEST_DRAWN, class_name, in_figure, quoted
from ..logistic import Array
from .axes import MARKER_SIZE, QUIET, TEXT_SIZE

__all__ = [
    "LOG_TWO",
    "apart",
    "corner",
    "edges_through_zero",
    "grid",
    "guide",
    "label_ends",
    "note",
    "numbers",
    "points",
    "power_of_ten",
    "signed",
]

LOG_TWO = float(np.log(2.0))


def points(ax: Axes, x: ArrayLike, y: ArrayLike, color: str, *, marker: str = "o", hollow: bool = False) -> None:
    """Draw points, filled or hollow, that may lie on the edge of the axes."""
    ax.plot(
        np.asarray(x), np.asarray(y), linestyle="none", marker=marker, markersize=MARKER_SIZE, color=color,
        markerfacecolor="white" if hollow else color, markeredgewidth=2.5, zorder=4, clip_on=False,
    )  # fmt: skip


def note(
    ax: Axes, place: tuple[float, float], words: str, color: str, *, ha: str = "left", va: str = "center",
    hide_lines: bool = False,
) -> None:  # fmt: skip
    """Write words at a point of the data; ``hide_lines`` puts white behind words that a line would cross."""
    background = {"facecolor": "white", "edgecolor": "none", "pad": 1.5} if hide_lines else None
    ax.text(
        *place,
        in_figure(words, keep="\n"),
        color=color,
        fontsize=TEXT_SIZE,
        ha=ha,
        va=va,
        bbox=background,
        zorder=2.5 if hide_lines else 3,
    )


def corner(ax: Axes, words: str, color: str, *, left: bool = False, low: bool = False) -> None:
    """Write words into a corner of the axes, the upper right one unless told otherwise."""
    x, ha = (0.02, "left") if left else (0.98, "right")
    y, va = (0.03, "bottom") if low else (0.97, "top")
    ax.text(x, y, in_figure(words, keep="\n"), color=color, fontsize=TEXT_SIZE, ha=ha, va=va, transform=ax.transAxes)


def guide(ax: Axes, y: float, words: str, *, x: float = 0.99, ha: str = "right") -> None:
    """Draw a dotted horizontal line with words above it; x counts from 0 to 1 across the axes."""
    ax.axhline(y, color=QUIET, linewidth=1.5, linestyle=":", zorder=0)
    words = in_figure(words)
    ax.annotate(
        words, (x, y), xycoords=ax.get_yaxis_transform(), xytext=(0, 4), textcoords="offset points", color=QUIET,
        fontsize=TEXT_SIZE, ha=ha, va="bottom",
    )  # fmt: skip


def label_ends(ax: Axes, ends: Iterable[tuple[float, str, str]]) -> None:
    """Name lines at their right ends, outside the axes; each end is (height, words, color)."""
    low, high = ax.get_ylim()
    ordered = sorted(end for end in ends if np.isfinite(end[0]))  # a line that ends at infinity has no visible end
    heights = apart(np.array([y for y, _, _ in ordered]), 0.075 * (high - low))
    for at, (_, words, color) in zip(heights, ordered, strict=True):
        place = ax.get_yaxis_transform()
        ax.text(
            1.015,
            float(at),
            in_figure(words, LONGEST_DRAWN),
            color=color,
            fontsize=TEXT_SIZE,
            va="center",
            transform=place,
        )


def apart(heights: Array, gap: float, top: float = np.inf) -> Array:
    """Move increasing heights by as little as possible, so that they are at least ``gap`` apart and at most ``top``.

    Height minus rank · gap must not decrease. The nearest such sequence replaces every falling stretch by its mean.
    """
    if heights.size == 0:
        return heights
    ranks = np.arange(len(heights)) * gap
    blocks: list[list[float]] = []
    for value in heights - ranks:
        blocks.append([float(value)])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    means = np.array([float(np.mean(block)) for block in blocks for _ in block])
    return np.minimum(means, top - ranks[-1]) + ranks


MOST = 1e100  # what Matplotlib can draw without overflow


def numbers(values: ArrayLike, name: str) -> Array:
    """Return the values as a float64 array of shape (n,), or raise an error that begins with ``name``."""
    try:
        array = vector(values, name)
    except TypeError:
        raise TypeError(f"{name}: expected numbers, got {class_name(values)}") from None
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")
    if np.abs(array).max() > MOST:
        raise ValueError(f"{name}: expected numbers that can be drawn, up to {MOST:g}, got {np.abs(array).max():g}")
    return array


def grid(values: ArrayLike, name: str) -> Array:
    """Return where to draw a curve, (n,): at least two numbers in increasing order."""
    array = numbers(values, name)
    if array.size < 2 or not (np.diff(array) > 0).all() or np.ptp(array) < 1 / MOST:
        raise ValueError(f"{name}: expected at least two numbers in increasing order, got {quoted(values)}")
    return array


def signed(value: float, form: str = "g") -> str:
    """Write a number with a true minus sign.

    Examples
    --------
    >>> signed(-2.5), signed(0.125, ".2f")
    ('−2.5', '0.12')
    """
    if not is_whole(value) and not isinstance(value, float | np.floating):
        raise TypeError(f"value: expected a number, got {quoted(value)}")
    try:
        said = format(value, text("form", form))
    except OverflowError:
        raise ValueError(f"value: expected a number that a float64 can hold, got {quoted(value)}") from None
    except ValueError:
        raise ValueError(f"form: expected a format of numbers, such as '.2f', got {quoted(form)}") from None
    return said.replace("-", "−")


def power_of_ten(value: float, _: object = None) -> str:
    """Write a power of ten for a logarithmic axis, such as 10⁻³. As plain text it is drawn fast."""
    exponent = str(round(float(np.log10(value))))
    return "10" + exponent.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def edges_through_zero(delta: Array) -> Array:
    """Return equal bins that cover the margins, with one edge exactly at 0 and at least one bin on each side."""
    low, high = min(float(delta.min()), 0.0), max(float(delta.max()), 0.0)
    narrowest = (high - low) / 60 or 1.0
    width = narrowest
    if np.ptp(delta) > narrowest:  # else one bin is enough, and NumPy fails if values differ only by rounding
        automatic = np.histogram_bin_edges(delta, "auto")
        width = max(float(automatic[1] - automatic[0]), narrowest)
    first = min(int(np.floor(low / width)), -1)
    last = max(int(np.floor(high / width)) + 1, 1)
    return np.arange(first, last + 1, dtype=np.float64) * width
