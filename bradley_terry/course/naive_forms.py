"""Four ways to write the loss, and a plot of the margins at which each fails in floating point, for lesson 9."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from ..arrays.visible import quoted
from ..drawing import EMPIRICAL, LINE_WIDTH, QUIET, REJECTED, TEXT_SIZE, finish, given_or_new, note, style
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


@style()
def plot_naive_form(form: str, dtype: type[np.floating] = np.float64, *, ax: Axes | None = None) -> Axes:
    """Draw the relative error of one form of the loss against the margin, hatched where it returns inf, NaN or 0.

    Returns
    -------
    Axes
        ``lines[0]`` is the relative error, where it is a number.
    """
    ax = given_or_new(ax)
    reach = {np.float16: 16.0, np.float32: 120.0}.get(dtype, 800.0)
    z = np.linspace(-reach, reach, 801).astype(dtype).astype(np.float64)
    right = pair_losses(z)
    got = naive_losses(form, z, dtype).astype(np.float64)
    tiny = float(np.finfo(dtype).tiny)  # numbers below it have fewer digits, so no form can be exact there
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
    note(ax, (-0.35 * reach, 1.0), "100 %", QUIET, ha="center", hide_lines=True)  # where every form works
    ax.set_title(f"{form.replace('z', 'Δ').replace('-', '−')} in {dtype.__name__}", fontsize=TEXT_SIZE)
    return finish(ax, "margin Δ (log-odds)", "relative error")
