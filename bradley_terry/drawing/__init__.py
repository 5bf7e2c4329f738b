"""What all pictures share: the style, the axes, the words and marks on them, and saving figures to files.

The pictures themselves are in ``bradley_terry.plots``; those of the lessons are in ``bradley_terry.course.plots``.
"""

from .axes import (
    CHOSEN,
    EMPIRICAL,
    EXPECTED,
    LINE_WIDTH,
    MARKER_SIZE,
    QUIET,
    REJECTED,
    STYLE,
    TEXT_SIZE,
    figure_of,
    finish,
    given_or_new,
    new_axes,
    style,
)
from .marks import (
    LOG_TWO,
    apart,
    corner,
    edges_through_zero,
    grid,
    guide,
    label_ends,
    note,
    numbers,
    points,
    power_of_ten,
    signed,
)
from .saving import save_figure

__all__ = [
    "CHOSEN",
    "EMPIRICAL",
    "EXPECTED",
    "LINE_WIDTH",
    "LOG_TWO",
    "MARKER_SIZE",
    "QUIET",
    "REJECTED",
    "STYLE",
    "TEXT_SIZE",
    "apart",
    "corner",
    "edges_through_zero",
    "figure_of",
    "finish",
    "given_or_new",
    "grid",
    "guide",
    "label_ends",
    "new_axes",
    "note",
    "numbers",
    "points",
    "power_of_ten",
    "save_figure",
    "signed",
    "style",
]
