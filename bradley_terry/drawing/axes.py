"""The style of all pictures, and axes that draw themselves in a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..arrays.given import vector
from ..arrays.single import switch, whole
from ..arrays.visible import in_figure, quoted

__all__ = [
    "CHOSEN",
    "EMPIRICAL",
    "EXPECTED",
    "LINE_WIDTH",
    "MARKER_SIZE",
    "QUIET",
    "REJECTED",
    "STYLE",
    "TEXT_SIZE",
    "figure_of",
    "finish",
    "given_or_new",
    "new_axes",
    "style",
]

# Okabe & Ito's palette, which suits any colour vision; each colour has a contrast of at least 3.4 on white.
CHOSEN = "#0072B2"
REJECTED = "#D55E00"
EXPECTED = "#000000"
EMPIRICAL = "#009E73"
QUIET = "#666666"  # guides and notes

TEXT_SIZE = 14.0  # points: readable from the back of a classroom
LINE_WIDTH = 3.0
MARKER_SIZE = 11.0

STYLE: dict[str, object] = {
    "figure.constrained_layout.h_pad": 0.08,  # inches of white around each panel
    "figure.constrained_layout.w_pad": 0.08,
    "font.size": TEXT_SIZE,
    "hatch.linewidth": 1.5,
    "savefig.dpi": 120,
    "svg.fonttype": "path",  # letters as outlines: the same picture on every machine
    "svg.hashsalt": "bradley_terry",  # without it, the ids in an SVG file are random
}


@contextmanager
def style() -> Iterator[None]:
    """Draw or save figures in the style of this package within a ``with`` block; your own settings return after it."""
    with matplotlib.style.context(["default", STYLE]):
        yield


class _ShownAxes(Axes):
    """Axes that display their figure when they are the last line of a notebook cell, without pyplot."""

    def __repr__(self) -> str:
        """Say in words what is drawn, for readers who cannot see it."""
        return f"figure: {in_words(figure_of(self))}"

    def _repr_svg_(self) -> str:
        from .saving import svg  # noqa: PLC0415  # that module imports this one

        figure = figure_of(self)
        return svg(figure, caption=described(figure)).decode("utf-8")


def new_axes(
    n_panels: int = 1, *, size: tuple[float, float] | None = None, share_y: bool = False, n_rows: int = 1
) -> list[Axes]:
    """Return the axes of a new figure with panels side by side. The figure does not belong to pyplot.

    Parameters
    ----------
    n_panels : int, at least 1
        The number of panels in each row.
    size : (width, height), optional, inches
        8 × 5 for one panel, 13 × 5 for more.
    share_y : bool
        Give all panels the vertical axis of the first.
    n_rows : int, at least 1
        The number of rows. The panels of the first row come first.
    """
    whole("n_panels", n_panels, 1, 1000)
    whole("n_rows", n_rows, 1, 1000)
    switch("share_y", share_y)
    if size is not None:
        inches = vector(size, "size")
        if inches.size != 2 or not ((inches > 0) & (inches < 1000)).all():
            raise ValueError(f"size: expected width and height in inches, got {quoted(size)}")
        size = (float(inches[0]), float(inches[1]))
    with style():
        figure = Figure(
            figsize=((8.0, 5.0) if n_panels == 1 else (13.0, 5.0)) if size is None else size, layout="constrained"
        )
        axes: list[Axes] = []
        for i in range(n_rows * n_panels):
            sharey = axes[0] if share_y and axes else None
            axes.append(figure.add_subplot(n_rows, n_panels, i + 1, axes_class=_ShownAxes, sharey=sharey))
    return axes


def given_or_new(ax: Axes | None, *, size: tuple[float, float] | None = None) -> Axes:
    """Return the axes that were given, or axes on a new figure of this size."""
    if ax is not None and not isinstance(ax, Axes):
        raise TypeError(f"ax: expected Axes, got {quoted(ax)}")
    return new_axes(size=size)[0] if ax is None else ax


def figure_of(ax: Axes) -> Figure:
    """Return the figure that the axes belong to; for axes in a subfigure, the whole figure."""
    if not isinstance(ax, Axes):
        raise TypeError(f"ax: expected Axes, got {quoted(ax)}")
    figure = ax.get_figure()
    while figure is not None and not isinstance(figure, Figure):
        figure = figure.figure
    if figure is None:
        raise ValueError("ax: expected axes that belong to a figure")
    return figure


def in_words(figure: Figure) -> str:
    """Say what each panel shows: its vertical axis against its horizontal one."""
    panels = [f"{ax.get_ylabel()} against {ax.get_xlabel()}" for ax in figure.axes if ax.get_ylabel()]
    return "; ".join(panels or [ax.get_xlabel() for ax in figure.axes]).replace(r"\$", "$")


def described(figure: Figure) -> str:
    """Describe a picture: the values that the axes of each panel show, or the words of a drawing without axes."""
    said = []
    for ax in figure.axes:
        if ax.get_xlabel() and ax.get_ylabel():
            (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
            across, up = f"from {left:.3g} to {right:.3g}", f"from {low:.3g} to {high:.3g}"
            said.append(f"{ax.get_xlabel()} goes {across}, {ax.get_ylabel()} {up}.")
        elif words := [text.get_text() for text in ax.texts if text.get_text()]:
            said.append(f"A drawing with the words: {'; '.join(words)}.")
    return " ".join(said).replace(r"\$", "$")


def finish(ax: Axes, x_label: str, y_label: str) -> Axes:
    """Label the axes and set what all pictures share, so that axes given by the user look the same."""
    ax.set_xlabel(in_figure(x_label), fontsize=TEXT_SIZE)
    ax.set_ylabel(in_figure(y_label), fontsize=TEXT_SIZE)
    ax.tick_params(labelsize=TEXT_SIZE)
    ax.spines[["top", "right"]].set_visible(False)
    place = ax.get_subplotspec()
    if place is not None and not place.is_first_col() and len(ax.get_shared_y_axes().get_siblings(ax)) > 1:
        ax.set_ylabel("")  # the panel to the left has the label
        ax.tick_params(labelleft=False)
    return ax
