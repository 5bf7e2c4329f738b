"""Figures as SVG and PNG: the same bytes on every run, and words for readers who cannot see the picture."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..arrays.single import path, text
from ..arrays.visible import quoted, visible
from ..files.saving import write_file
from .axes import figure_of, in_words, style

__all__ = ["save_figure", "svg"]


def save_figure(
    figure: Figure | Axes | Sequence[Axes],
    path_without_suffix: str | Path,
    *,
    title: str | None = None,
    caption: str | None = None,
) -> list[Path]:
    """Write a figure as SVG and PNG; the same figure gives the same bytes on every run.

    Parameters
    ----------
    figure : Figure, or what a ``plot_*`` function returned
    path_without_suffix : str or Path
        ``.svg`` and ``.png`` are added, and take the place of such an ending if there is one. The folder must exist.
        Each existing file is replaced as a whole.
    title : str, optional
        The title of the SVG, which screen readers read aloud. By default it names the axes.
    caption : str, optional
        The description in the SVG, which says what to see.

    Returns
    -------
    list of Path
        The SVG, then the PNG.

    Raises
    ------
    OSError
        If a file cannot be written: FileNotFoundError if there is no such folder.
    """
    for name, words in {"title": title, "caption": caption}.items():
        if words is not None:
            text(name, words)
    if isinstance(figure, Sequence) and not isinstance(figure, str) and len(figure) > 0:
        figure = figure[0]
    if not isinstance(figure, Figure | Axes):
        raise TypeError(f"figure: expected a Figure or Axes, got {quoted(figure)}")
    if not isinstance(figure, Figure):
        figure = figure_of(figure)
    base = path("path_without_suffix", path_without_suffix)
    if base.suffix.lower() in {".svg", ".png"}:
        base = base.with_suffix("")
    if not base.parent.exists():
        raise FileNotFoundError(
            f"path_without_suffix: expected a folder that exists, and there is none at {quoted(str(base.parent))}"
        )
    svg_path, png_path = base.with_name(base.name + ".svg"), base.with_name(base.name + ".png")
    write_file(svg_path, svg(figure, title, caption))
    with style():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    write_file(png_path, buffer.getvalue())
    return [svg_path, png_path]


def svg(figure: Figure, title: str | None = None, caption: str | None = None) -> bytes:
    """Return the figure as an SVG image with title and description, without date, version or spaces at line ends."""
    with style():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = _with_words(buffer.getvalue().decode("utf-8"), title or in_words(figure), caption)
    return ("\n".join(line.rstrip() for line in text.splitlines()) + "\n").encode("utf-8")


def _with_words(text: str, title: str, caption: str | None) -> str:
    """Mark an SVG as an image, and put its title and caption where screen readers look for them."""
    given = {"title": title} | ({"desc": caption} if caption else {})
    words = {tag: visible(said, keep="\n") for tag, said in given.items()}
    digest = hashlib.sha256("".join(words.values()).encode("utf-8")).hexdigest()[:8]  # a page may hold several figures
    named = " ".join(f"{tag}-{digest}" for tag in words)
    elements = "".join(
        f'\n <{tag} id="{tag}-{digest}">{escape(said, quote=False)}</{tag}>' for tag, said in words.items()
    )
    end = text.index(">", text.index("<svg "))
    return f'{text[:end]} role="img" aria-labelledby="{named}">{elements}{text[end + 1 :]}'
