"""All pictures keep to one style, leave everything else alone, and are saved as the same bytes each time."""

from __future__ import annotations

import inspect
from itertools import combinations
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from drawn import CALLS, SEVERAL_PANELS, draw, drawn, function
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from bradley_terry import plots
from bradley_terry.course import plots as course_plots

ROLES = {plots.CHOSEN, plots.REJECTED, plots.EXPECTED, plots.EMPIRICAL, plots.QUIET, "#ffffff"}
PLACED = [name for name in CALLS if name != "plot_reward_map"]  # matplotlib writes the numbers on its contour lines


def test_colours_are_those_of_okabe_and_ito() -> None:
    """Blue, vermillion, bluish green and black: notebooks and their readers rely on them."""
    assert (plots.CHOSEN, plots.REJECTED, plots.EMPIRICAL, plots.EXPECTED) == (
        "#0072B2",
        "#D55E00",
        "#009E73",
        "#000000",
    )


def test_every_plot_is_tried_here() -> None:
    """The calls in ``drawn`` hold every plot_* function that returns one panel, moved ones included."""
    found = {name for name in [*dir(plots), *dir(course_plots)] if name.startswith("plot_")}
    assert sorted(CALLS) == sorted(found - SEVERAL_PANELS)


@pytest.mark.parametrize("name", PLACED)
def test_plot_labels_its_axes_in_large_letters(name) -> None:
    """Both axes say what they measure, in letters of at least 14 points; names of weights and checks need no label."""
    ax = drawn(name).ax
    assert ax.get_xlabel()
    assert ax.get_ylabel() or name in ("plot_weights", "plot_probability_bar", "plot_diagnosis", "plot_reward_model")
    texts = [ax.xaxis.label, ax.yaxis.label, *ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels()]
    assert min(text.get_fontsize() for text in texts) >= 14


@pytest.mark.parametrize("name", CALLS)
def test_plot_keeps_to_the_palette(name) -> None:
    """Every line and word has one of the colours that mean something."""
    ax = drawn(name).ax
    used = {to_hex(artist.get_color()) for artist in [*ax.lines, *ax.texts]}
    assert used <= {role.lower() for role in ROLES}


@pytest.mark.full
@pytest.mark.parametrize("name", PLACED)
def test_plot_lets_no_words_overlap_or_leave_the_figure(name) -> None:
    """The words inside a plot do not touch each other, and all of them are inside the picture."""
    ax = drawn(name).ax
    figure = plots.figure_of(ax)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    for box in boxes:
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0
        assert box.y1 <= figure.bbox.y1


@pytest.mark.parametrize("name", CALLS)
def test_plot_leaves_its_inputs_and_all_settings_alone(name) -> None:
    """Arrays keep their numbers and matplotlib its settings, even if the reader's are unusual."""
    assert not drawn(name).inputs_changed
    assert not drawn(name).settings_changed


@pytest.mark.parametrize("name", CALLS)
def test_plot_says_what_it_does_and_takes_ax_by_name(name) -> None:
    """Each plot has a docstring and takes ax as a keyword only."""
    assert inspect.getdoc(function(name))
    assert inspect.signature(function(name)).parameters["ax"].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.full
@pytest.mark.parametrize("name", CALLS)
def test_plot_draws_on_the_axes_it_is_given(name) -> None:
    """With ax the same ax comes back; without, one on a figure of its own."""
    own = Figure().add_subplot()
    assert draw(name, ax=own) is own
    assert draw(name) is not drawn(name).ax


@pytest.mark.full
@pytest.mark.parametrize("name", CALLS)
def test_picture_is_the_same_bytes_whatever_the_settings(name, tmp_path) -> None:
    """Two builds, the second under unusual settings, write the same SVG and the same PNG."""
    first = plots.save_figure(plots.figure_of(draw(name)), tmp_path / "first")
    unusual = {"font.family": "serif", "axes.grid": True, "svg.hashsalt": "other", "savefig.dpi": 30, "text.color": "r"}
    with mpl.rc_context(unusual):
        second = plots.save_figure(plots.figure_of(draw(name)), tmp_path / "second")
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes()


def test_saved_files_carry_words_but_no_date_and_no_version(tmp_path) -> None:
    """The SVG is an image with title and description for screen readers; neither file names day or software."""
    figure = plots.figure_of(drawn("plot_confidence").ax)
    svg, png = plots.save_figure(
        figure, tmp_path / "v1.2", title="A < B & C", caption='Being "sure" & wrong costs > 2.'
    )
    assert (svg.name, png.name) == ("v1.2.svg", "v1.2.png")  # a dot in the name stays
    text = svg.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)  # noqa: S314  # our own file
    title, description = root[0], root[1]
    assert title.tag.endswith("}title")
    assert title.text == "A < B & C"
    assert description.tag.endswith("}desc")
    assert description.text == 'Being "sure" & wrong costs > 2.'
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert "dc:date" not in text
    assert mpl.__version__ not in text
    assert not any(line != line.rstrip() for line in text.splitlines())
    assert b"Software" not in png.read_bytes()
    assert b"tEXt" not in png.read_bytes()


@pytest.mark.parametrize("given", ["loss", "loss.svg", "loss.png", "loss.SVG"])
def test_an_ending_in_the_name_of_a_figure_is_not_doubled(given, tmp_path) -> None:
    """With and without .svg or .png, the same two files are written, and no others."""
    written = plots.save_figure(drawn("plot_confidence").ax, tmp_path / given)
    assert [path.name for path in written] == ["loss.svg", "loss.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loss.png", "loss.svg"]


def test_a_missing_folder_of_a_figure_is_one_sentence(tmp_path) -> None:
    """The error is still a FileNotFoundError, and it names the argument and the folder instead of a hidden file."""
    with pytest.raises(FileNotFoundError) as caught:
        plots.save_figure(drawn("plot_confidence").ax, tmp_path / "slides" / "loss")
    folder = repr(str(tmp_path / "slides"))
    assert str(caught.value) == f"path_without_suffix: expected a folder that exists, and there is none at {folder}"


def test_new_axes_display_themselves_in_a_notebook() -> None:
    """A notebook finds an SVG of the figure on the ax that a plot returns, with its axes as title."""
    ax = drawn("plot_weights").ax
    text = ax._repr_svg_()
    assert text.startswith("<?xml")
    root = ElementTree.fromstring(text)  # noqa: S314  # our own figure
    assert root.get("role") == "img"
    assert root[0].text == "weight (log-odds per unit of the feature)"
    assert root.get("aria-labelledby") == root[0].get("id")
    assert repr(drawn("plot_confidence").ax) == (
        "figure: loss −log P (nats) against probability P given to the choice made"
    )


@pytest.mark.full
def test_plots_never_touch_pyplot(run_python) -> None:
    """Drawing and saving do not even import pyplot, so no figure of ours is left open anywhere."""
    script = """
import sys
from bradley_terry import plots
plots.save_figure(plots.figure_of(plots.plot_loss_and_gradient()), "loss")
print("matplotlib.pyplot" in sys.modules)
"""
    assert run_python(script) == "False"


def test_shared_panels_name_their_axis_once() -> None:
    """Of two panels with one vertical axis only the left one is labelled; panels of their own keep their labels."""
    left, right = plots.new_axes(2, share_y=True)
    draw("plot_shift_invariance", ax=left)
    draw("plot_scaling", ax=right)
    assert (bool(left.get_ylabel()), bool(right.get_ylabel())) == (True, False)
    assert left.get_ylim() == right.get_ylim()
    assert draw("plot_scaling", ax=plots.new_axes(2)[1]).get_ylabel()


def test_figure_of_looks_through_subfigures() -> None:
    """The figure of axes in a subfigure is the whole figure; axes without one are an error."""
    whole = Figure()
    ax = whole.subfigures(1, 2)[1].add_subplot()
    assert plots.figure_of(ax) is whole
    ax.remove()
    with pytest.raises(ValueError, match="ax: expected axes that belong to a figure"):
        plots.figure_of(ax)
