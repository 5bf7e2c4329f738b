"""How a slider is made: controls, a picture and a sentence below it. ipywidgets is imported on first use."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imsave
from matplotlib.transforms import Bbox

from ..drawing import figure_of, style

if TYPE_CHECKING:
    from ipywidgets import VBox

__all__ = ["Drawing", "play", "widgets_of"]

Drawing = tuple[Axes, str]

NATURAL_SIZE = {"align_self": "flex-start", "max_width": "100%"}  # otherwise JupyterLab makes it as wide as the page
CSS_PIXELS = 72  # for an inch of a figure


def play(draw: Callable[..., Drawing], **controls: tuple[float, float, float, float] | Mapping[str, object]) -> VBox:
    """Make a widget: one slider or selector for each argument of ``draw``, the picture, and the sentence below it.

    Parameters
    ----------
    draw : callable, (**values) -> (axes, sentence)
    **controls : (smallest, largest, step, start), or a mapping of words to values
        One for each argument of ``draw``, in order; underscores in its name become spaces.

    Raises
    ------
    ModuleNotFoundError
        If ipywidgets is not installed.
    """
    widgets = widgets_of()
    inputs: dict[str, Any] = {}
    for name, control in controls.items():
        words = name.replace("_", " ")
        common = {"description": words, "style": {"description_width": "initial"}, "layout": {"width": "34em"}}
        if isinstance(control, Mapping):
            inputs[name] = widgets.Dropdown(options=list(control.items()), **common)
        else:
            low, high, step_size, start = control
            kind = widgets.IntSlider if all(isinstance(value, int) for value in control) else widgets.FloatSlider
            inputs[name] = kind(value=start, min=low, max=high, step=step_size, **common)
    picture, sentence = widgets.Image(format="png", layout=NATURAL_SIZE), widgets.Label()
    places: list[Bbox] = []

    def redraw(_: object = None) -> None:
        ax, words = draw(**{name: widget.value for name, widget in inputs.items()})
        _show(ax, picture, places)
        sentence.value = words

    for widget in inputs.values():
        widget.observe(redraw, names="value")
    redraw()
    return _box()([*inputs.values(), picture, sentence])


@lru_cache(maxsize=1)
def _box() -> Any:
    class Play(widgets_of().VBox):  # type: ignore[misc]
        """A box that describes itself in plain text for readers without a running kernel."""

        def __repr__(self) -> str:
            return "a slider: it needs a running kernel; the figures of this lesson need none"

    return Play


def widgets_of() -> Any:
    """Return ipywidgets, or raise a ModuleNotFoundError that says how to install it."""
    try:
        import ipywidgets  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'sliders need ipywidgets: python -m pip install "bradley_terry[course]"; the figures work without it'
        ) from None
    return ipywidgets


def _show(ax: Axes, picture: Any, places: list[Bbox]) -> None:
    """Show axes in a picture, with the panels where the first picture had them.

    This halves the time, and the panels do not jump. ``places`` is empty before the first picture, which fills it. The
    picture has twice as many pixels as it takes on the page, so that it is sharp on any screen.
    """
    figure, buffer = figure_of(ax), io.BytesIO()
    with style():
        if places:
            figure.set_layout_engine("none")
            for panel, place in zip(figure.axes, places, strict=True):
                panel.set_position(place)
        figure.set_dpi(2 * CSS_PIXELS)
        canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
        canvas.draw()  # savefig would do so twice
        imsave(buffer, np.asarray(canvas.buffer_rgba()), format="png", pil_kwargs={"compress_level": 1})
    places[:] = [panel.get_position() for panel in figure.axes]
    picture.value, picture.layout.width = buffer.getvalue(), f"{CSS_PIXELS * figure.get_figwidth():.0f}px"
