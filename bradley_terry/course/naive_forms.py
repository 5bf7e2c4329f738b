"""Four ways to write the loss, and a plot of the margins at which each fails in floating point, for lesson 9."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from ..arrays.visible import quoted
from ..drawing import (
    EMPIRICAL,
    LINE_WIDTH,
    QUIET,
    REJECTED,
    TEXT_SIZE,
    finish,
    given_or_new,
    note,
    points,
    power_of_ten,
    style,
)
from ..losses import pair_losses

__all__ = ["NAIVE_FORMS", "naive_losses", "plot_naive_form"]

NAIVE_FORMS: dict[str, str] = {
    "log(1 + exp(-z))": "overflows: exp is infinite, and so is the loss",
    "-log(1/(1 + exp(-z)))": "σ rounds to 0 on the left and to 1 on the right",
    "-z + log(1 + exp(z))": "overflows on the other side: infinite, where the loss is nearly 0",
    "max(-z, 0) + log1p(exp(-|z|))": "the stable form: right everywhere",
}


def naive_losses(form: str, margins: ArrayLike, dtype: type[np.floating] = np.float64) -> NDArray[np.floating]:
    """Compute the pair loss by one of ``NAIVE_FORMS``, with each step in this precision; keep inf and NaN.

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
        raise ValueError(f"form: expected one of {', '.join(NAIVE_FORMS)}, got {quoted(form)}")
    z = np.asarray(margins, dtype=dtype)
    one = dtype(1)
    with np.errstate(all="ignore"):  # these failures are what the lesson shows
        if form == "log(1 + exp(-z))":
            return np.log(one + np.exp(-z))
        if form == "-log(1/(1 + exp(-z)))":
            return -np.log(one / (one + np.exp(-z)))
        if form == "-z + log(1 + exp(z))":
            return -z + np.log(one + np.exp(z))
        return np.maximum(-z, dtype(0)) + np.log1p(np.exp(-np.abs(z)))


REACH = 3000.0  # the margins drawn: ±REACH holds the borders of all three types


@style()
def plot_naive_form(
    form: str, dtype: type[np.floating] = np.float64, *, mark: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the relative error of one form of the loss against the margin, hatched where it returns inf, NaN or 0.

    The margins run from -3000 to 3000 on an axis that is logarithmic on both sides of 0, so that pictures of different
    types can be compared. The curve ends where the loss is smaller than the smallest normal number of its type.

    Parameters
    ----------
    form : str
        One of ``NAIVE_FORMS``.
    dtype : float16, float32 or float64
    mark : float, optional, log-odds
        A margin to mark by a dot and a dotted line. If the form fails there, the dot lies on the line at 100 %.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the relative error, NaN where the form fails and where the curve has ended.
    """
    ax = given_or_new(ax)
    side = np.logspace(-1, np.log10(REACH), 400)
    z = np.concatenate([-side[::-1], [0.0], side]).astype(dtype).astype(np.float64)
    error, got, failed = _errors(form, z, dtype)
    is_shown = ~failed & (pair_losses(z) >= float(np.finfo(dtype).tiny))
    ax.plot(z, np.where(is_shown, error, np.nan), color=EMPIRICAL, linewidth=LINE_WIDTH)
    ax.set_xscale("symlog", linthresh=1.0, linscale=0.5)
    ax.set(yscale="log", xlim=(-REACH, REACH), ylim=(float(np.finfo(dtype).eps) / 32, 10))
    ax.set_xticks([-1000, -100, -10, 0, 10, 100, 1000], ["−1000", "−100", "−10", "0", "10", "100", "1000"])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(power_of_ten))
    for value, where in {"inf": np.isinf(got), "NaN": np.isnan(got), "0": failed & (got == 0)}.items():
        edges = np.flatnonzero(np.diff(np.concatenate([[0], where.astype(int), [0]])))
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            left, end = float(z[first]), float(z[last - 1])
            ax.axvspan(left, end, facecolor="none", edgecolor=REJECTED, hatch="//", linewidth=0)
            middle = np.copysign(np.sqrt(left * end), left)  # of a logarithmic axis
            ax.text(middle, 0.03, value, ha="center", fontsize=TEXT_SIZE + 2, color=REJECTED,
                    bbox={"facecolor": "white", "edgecolor": "none"})  # fmt: skip
    ax.axhline(1.0, color=QUIET, linewidth=1, linestyle=":")
    note(ax, (0.0, 1.0), "100 %", QUIET, ha="center", hide_lines=True)  # where every form works
    if mark is not None:
        at, _, fails = _errors(form, np.array([mark]), dtype)
        height = 1.0 if fails[0] else float(at[0])
        ax.axvline(mark, color=QUIET, linewidth=1, linestyle=":")
        points(ax, [mark], [height], REJECTED if fails[0] else EMPIRICAL, marker="s" if fails[0] else "o")
    ax.set_title(f"{form.replace('z', 'Δ').replace('-', '−')} in {dtype.__name__}", fontsize=TEXT_SIZE)
    return finish(ax, "margin Δ (log-odds)", "relative error")


def _errors(
    form: str, z: NDArray[np.float64], dtype: type[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the relative errors of a form, what it returned, and where that is no number or a wrong 0."""
    right, got = pair_losses(z), naive_losses(form, z, dtype).astype(np.float64)
    tiny = float(np.finfo(dtype).tiny)  # numbers below it have fewer digits, so no form can be exact there
    failed = ~np.isfinite(got) | ((got == 0) & (right >= tiny))
    off = np.abs(np.where(failed, np.nan, got) - right) / np.maximum(right, tiny)
    return np.maximum(off, float(np.finfo(dtype).eps) / 16), got, failed
