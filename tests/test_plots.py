"""The plots: the right data in the right colours, and nothing left behind."""

from __future__ import annotations

import inspect

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import bradley_terry as bt
from bradley_terry import plots
from bradley_terry.evaluation import reliability

CHOSEN = np.array([2.0, 1.5, 3.0, 0.5])
REJECTED = np.array([1.0, 1.0, 2.0, 1.0])
MARGINS = np.array([-2.2, -0.4, 0.0, 0.3, 0.9, 1.1, 2.0, 3.5])
HISTORY = {
    "step": np.arange(4),
    "loss": np.array([np.log(2), 0.6, 0.55, 0.54]),
    "validation_loss": np.array([np.log(2), 0.62, 0.58, 0.57]),
}
SIZES = np.array([10, 100, 1000])
LOSSES = 0.6 + np.array([[-0.1, 0.0, 0.2], [-0.05, 0.01, 0.04], [0.0, -0.01, 0.01]])
BINS = reliability(MARGINS, n_bins=4)

# Each plot with arguments that it accepts.
STEPS = np.logspace(-12, 0, 25)
CALLS = {
    "plot_confidence": ((np.linspace(0.01, 0.99, 99),), {}),
    "plot_empirical_and_expected": ((SIZES, LOSSES, 0.6, 0.5), {"spread": 0.9}),
    "plot_loss_and_gradient": ((np.linspace(-3, 3, 61),), {}),
    "plot_loss_curve": ((HISTORY,), {}),
    "plot_loss_tail": ((np.linspace(-8, 4, 121),), {}),
    "plot_margins": ((MARGINS,), {"weights": np.ones(8)}),
    "plot_reliability": ((BINS,), {}),
    "plot_scaling": ((CHOSEN, REJECTED, np.linspace(0, 6, 121)), {}),
    "plot_shift_invariance": ((CHOSEN, REJECTED, np.linspace(-10, 10, 21)), {}),
    "plot_step_sweep": ((STEPS, STEPS**2 + 1e-16 / STEPS), {"mark": 1e-5}),
    "plot_times": (
        ({"ours": (SIZES, SIZES / 1e6), "a peer": (SIZES, SIZES / 1e5), "copy": (SIZES, SIZES / 1e7)},),
        {"ours": "ours", "limits": ["copy"]},
    ),
    "plot_weights": ((["price", "time"], [-0.5, 0.1], [[-0.7, -0.3], [-0.1, 0.3]]), {}),
}
ROLES = {plots.CHOSEN, plots.REJECTED, plots.EXPECTED, plots.EMPIRICAL, plots.QUIET, "#ffffff"}


def draw(name: str, **extra: object):
    arguments, keywords = CALLS[name]
    return getattr(plots, name)(*arguments, **keywords, **extra)


def settings_now() -> dict[str, object]:
    """Return matplotlib's settings but for the backend, which is chosen at the first look at it."""
    return {name: mpl.rcParams[name] for name in mpl.rcParams if name != "backend"}


def words(ax) -> str:
    return "\n".join(text.get_text() for text in ax.texts)


def color(artist) -> str:
    return to_hex(artist.get_color()).upper()


def arrays_in(value: object) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, dict):
        return [array for part in value.values() for array in arrays_in(part)]
    if isinstance(value, list | tuple):
        return [array for part in value for array in arrays_in(part)]
    return []


# ---------------------------------------------------------------------------------------------------- known value


def test_confidence_names_the_three_cases() -> None:
    """P = .9 costs .105 and is right, P = .6 costs .511 and is unsure, P = .1 costs 2.303 and is wrong."""
    said = words(plots.plot_confidence())
    assert "confident and right\nP = 0.9: loss 0.105" in said
    assert "unsure\nP = 0.6: loss 0.511" in said
    assert "confident and wrong\nP = 0.1: loss 2.303" in said


def test_colours_are_those_of_the_house() -> None:
    """Okabe & Ito's blue, vermillion and bluish green, and black: the notebooks and their readers rely on them."""
    assert (plots.CHOSEN, plots.REJECTED, plots.EMPIRICAL, plots.EXPECTED) == (
        "#0072B2",
        "#D55E00",
        "#009E73",
        "#000000",
    )


def test_scaling_marks_the_model_as_it_is() -> None:
    """The four pairs of the course have mean loss .5187 at α = 1, and α = 0 is log 2."""
    ax = draw("plot_scaling")
    alpha, loss = ax.lines[0].get_xydata().T
    assert loss[0] == np.log(2)
    assert f"{loss[np.argmin(np.abs(alpha - 1))]:.4f}" == "0.5187"
    assert "as it is: 0.5187" in words(ax)


def test_scaling_names_no_least_loss_where_there_is_none() -> None:
    """Where every pair is on the right side, the loss falls for ever and no α is best."""
    assert "least at α = 2.0: 0.4701" in words(draw("plot_scaling"))
    assert "least" not in words(plots.plot_scaling([1, 2], [0, 0], np.linspace(0, 6, 61)))


def test_margins_say_the_shares_of_both_sides() -> None:
    """Two of eight margins are on the wrong side, five on the right, one is exactly 0."""
    said = words(draw("plot_margins"))
    assert "wrong side: 25.0%" in said
    assert "right side: 62.5%" in said
    assert "exactly 0: 12.5%" in said


def test_samples_in_the_funnel_are_counted() -> None:
    """All nine samples lie within 2·0.9/sqrt(n) of the expected loss; with a hundredth of the spread only two do."""
    assert "holds 100%" in words(draw("plot_empirical_and_expected"))
    few = plots.plot_empirical_and_expected(SIZES, LOSSES, 0.6, 0.5, spread=0.009)
    assert "holds 22%" in words(few)


# ---------------------------------------------------------------------------------------------------- identity


def test_loss_and_gradient_are_the_formulas() -> None:
    """The first line is -log sigma(Δ) in black, the second -sigma(-Δ) in the blue of the chosen reward."""
    ax = draw("plot_loss_and_gradient")
    delta, loss = ax.lines[0].get_xydata().T
    np.testing.assert_array_equal(delta, CALLS["plot_loss_and_gradient"][0][0])
    np.testing.assert_allclose(loss, np.log1p(np.exp(-delta)), rtol=1e-14)  # a few roundings
    np.testing.assert_allclose(ax.lines[1].get_ydata(), -1 / (1 + np.exp(delta)), rtol=1e-14)
    assert [color(line) for line in ax.lines[:2]] == [plots.EXPECTED, plots.CHOSEN]


def test_tangent_touches_the_loss_with_its_slope() -> None:
    """The tangent at Δ = 1.5 passes through (1.5, .201413) with slope -.182426; None draws none."""
    with_it = plots.plot_loss_and_gradient(tangent_at=1.5)
    (tangent,) = [line for line in with_it.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 2]
    (x0, y0), (x1, y1) = tangent.get_xydata()
    assert (y1 - y0) / (x1 - x0) == pytest.approx(-0.182426, abs=5e-7)  # six printed digits
    assert (y0 + y1) / 2 == pytest.approx(0.201413, abs=5e-7)
    assert (x0 + x1) / 2 == pytest.approx(1.5)
    assert len(plots.plot_loss_and_gradient(tangent_at=None).lines) == 3  # loss, slope, the line at 0


def test_confidence_is_minus_log_p() -> None:
    """The curve is -log p; logit and sigma in between cost a few roundings, magnified where -log p is small."""
    p, loss = draw("plot_confidence").lines[0].get_xydata().T
    np.testing.assert_allclose(loss, -np.log(p), rtol=1e-12)


@pytest.mark.parametrize("mark", [0.02, 0.1, 0.24, 0.25, 0.5, 0.6, 0.65, 0.7, 0.75, 0.76, 0.9, 0.99])
def test_confidence_label_stays_inside_the_axes(mark) -> None:
    """Wherever the marked probability lies, its words stand inside the axes and above the curve."""
    ax = plots.plot_confidence(marks=[mark])
    plots.figure_of(ax).draw_without_rendering()
    box = ax.texts[0].get_window_extent()
    assert ax.bbox.x0 <= box.x0
    assert box.x1 <= ax.bbox.x1 + 1  # a pixel for rounding
    assert box.y1 <= ax.bbox.y1
    left, bottom = ax.transData.inverted().transform((box.x0, box.y0))
    assert bottom > -np.log(left)


def test_tail_is_drawn_to_its_end() -> None:
    """At Δ = -8 the loss is 8.0003 and lies inside the axes: nothing is clipped."""
    ax = draw("plot_loss_tail")
    delta, loss = ax.lines[0].get_xydata().T
    np.testing.assert_allclose(loss, bt.pair_losses(delta), rtol=0)
    assert loss.max() > 8
    assert ax.get_ylim()[1] > loss.max()
    x, y = ax.lines[1].get_xydata().T
    np.testing.assert_array_equal(y, -x)


def test_shift_leaves_the_loss_flat_and_scaling_does_not() -> None:
    """Adding c moves the mean loss by rounding only (1e-14 for rewards of size 10); multiplying by α moves it."""
    flat = draw("plot_shift_invariance").lines[0].get_ydata()
    assert np.ptp(flat) < 1e-14
    assert flat[0] == pytest.approx(bt.mean_loss(CHOSEN - REJECTED))
    assert np.ptp(draw("plot_scaling").lines[0].get_ydata()) > 0.1


def test_samples_are_drawn_at_their_sizes() -> None:
    """Every empirical loss is a green point above its sample size, with black expected loss and quiet floor."""
    ax = draw("plot_empirical_and_expected")
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.stack([np.repeat(SIZES, 3), LOSSES.ravel()], axis=1))
    assert set(ax.lines[1].get_ydata()) == {0.6}
    assert set(ax.lines[2].get_ydata()) == {0.5}
    assert [color(line) for line in ax.lines[:2]] == [plots.EMPIRICAL, plots.EXPECTED]
    assert ax.get_xscale() == "log"


def test_funnel_narrows_like_one_over_root_n() -> None:
    """The shaded band has half-width 2·spread/sqrt(n) everywhere."""
    (band,) = draw("plot_empirical_and_expected").collections
    for n, loss in band.get_paths()[0].vertices:
        assert abs(loss - 0.6) == pytest.approx(2 * 0.9 / np.sqrt(n), rel=1e-12)


def test_funnel_is_drawn_only_where_its_width_is_known() -> None:
    """Without the spread there are samples, expected loss and floor, and no band."""
    ax = plots.plot_empirical_and_expected(SIZES, LOSSES, 0.6, 0.5)
    assert len(ax.collections) == 0
    assert len(ax.lines) == 3


def test_samples_expected_loss_and_floor_are_all_in_sight() -> None:
    """Few samples far from the floor: the axes still hold both."""
    low, high = plots.plot_empirical_and_expected(SIZES, np.full((3, 2), 0.6), 0.7, 0.3).get_ylim()
    assert low < 0.3
    assert high > 0.7


def test_loss_curve_shows_training_validation_and_log_two() -> None:
    """Training is solid green, validation dashed black, and the line of knowing nothing is at log 2."""
    ax = draw("plot_loss_curve")
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.stack([HISTORY["step"], HISTORY["loss"]], axis=1))
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), HISTORY["validation_loss"])
    assert [color(line) for line in ax.lines[:2]] == [plots.EMPIRICAL, plots.EXPECTED]
    assert ax.lines[0].get_linestyle() == "-"
    assert ax.lines[1].get_linestyle() == "--"
    assert set(ax.lines[2].get_ydata()) == {np.log(2)}
    for part in ("knowing nothing: log 2", "training 0.540", "validation 0.570"):
        assert part in words(ax)


@pytest.mark.parametrize("validation", [{}, {"validation_loss": np.full(4, np.nan)}])
def test_loss_curve_leaves_out_a_validation_that_is_not_there(validation) -> None:
    """Without validation, or with NaN throughout, there is no second curve."""
    ax = plots.plot_loss_curve({"step": HISTORY["step"], "loss": HISTORY["loss"], **validation})
    assert len(ax.lines) == 2
    assert "validation" not in words(ax)


def test_loss_curve_survives_a_run_that_went_astray() -> None:
    """A loss that ends at infinity is drawn as far as it is finite, and not named at its end."""
    ax = plots.plot_loss_curve({"step": [0, 1, 2], "loss": [0.7, 5.0, np.inf]})
    assert np.isfinite(ax.get_ylim()).all()
    assert "training" not in words(ax)
    plots.figure_of(ax).draw_without_rendering()


def test_end_labels_do_not_overlap() -> None:
    """Two curves that end at nearly the same loss have names at least a line of text apart."""
    close = {**HISTORY, "validation_loss": HISTORY["loss"] + 1e-4}
    ax = plots.plot_loss_curve(close)
    training, validation = (text for text in ax.texts if text.get_text().startswith(("training", "validation")))
    plots.figure_of(ax).draw_without_rendering()
    assert not training.get_window_extent().overlaps(validation.get_window_extent())


def test_margins_are_counted_bar_by_bar() -> None:
    """The bars hold every pair once, an edge stands at 0, and the wrong side is hatched vermillion on white."""
    ax = draw("plot_margins")
    bars = ax.patches
    assert sum(bar.get_height() for bar in bars) == len(MARGINS)
    assert any(bar.get_x() == 0 for bar in bars)
    for bar in bars:
        left, right = bar.get_x(), bar.get_x() + bar.get_width()
        inside = sum(left - 1e-12 <= margin < right - 1e-12 for margin in MARGINS)
        assert bar.get_height() == inside
        wrong = left < 0
        assert bar.get_hatch() == ("///" if wrong else None)
        assert to_hex(bar.get_edgecolor() if wrong else bar.get_facecolor()).upper() == (
            plots.REJECTED if wrong else plots.CHOSEN
        )


def test_margins_weigh_their_pairs() -> None:
    """A pair of weight 3 counts three times, in the bars and in the shares."""
    ax = plots.plot_margins([-1.0, 1.0], weights=[3, 1])
    assert sum(bar.get_height() for bar in ax.patches) == 4
    assert "wrong side: 75.0%" in words(ax)


@pytest.mark.parametrize("margins", [[0.0], [0.0, 0.0], [1.0], [-2.0, -2.0], [1e-9, 2e-9], [-1e6, 1e-3, 1.0]])
def test_margins_of_any_size_have_an_edge_at_zero(margins) -> None:
    """A single pair, equal pairs, tiny and huge margins: few bars, one edge at 0, nothing lost."""
    bars = plots.plot_margins(margins).patches
    assert sum(bar.get_height() for bar in bars) == len(margins)
    assert sum(bar.get_x() == 0 for bar in bars) == 1
    assert 2 <= len(bars) <= 62


def test_reliability_points_are_the_bins_that_hold_pairs() -> None:
    """Each bin with pairs is a point at (predicted, observed), its area growing with its share."""
    ax = draw("plot_reliability")
    full = BINS.weight > 0
    np.testing.assert_array_equal(
        ax.collections[0].get_offsets(), np.stack([BINS.predicted[full], BINS.observed[full]], axis=1)
    )
    assert (np.argsort(ax.collections[0].get_sizes()) == np.argsort(BINS.weight[full])).all()
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[0.5, 0.5], [1.0, 1.0]])


def test_reliability_keeps_a_hopeless_bin_in_sight() -> None:
    """A favourite that always lost lies at 0, far below 1/2, and still inside the axes."""
    ax = plots.plot_reliability(reliability([-1.0, -1.0, 2.0]))
    assert ax.get_ylim()[0] < 0


def test_weights_with_an_interval_around_zero_are_hollow() -> None:
    """Of two weights the first is surely negative and filled, the second may be 0 and hollow."""
    ax = draw("plot_weights")
    points = [line for line in ax.lines if line.get_marker() == "o"]
    assert [point.get_markerfacecolor() for point in points] == [plots.EMPIRICAL, "white"]
    assert [(point.get_xdata()[0], point.get_ydata()[0]) for point in points] == [(-0.5, 0), (0.1, 1)]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["price", "time"]
    low, high = ax.get_ylim()
    assert low > high  # the first name stands on top


def test_weights_without_intervals_are_points() -> None:
    """Intervals may be left out."""
    assert len(plots.plot_weights(["a"], [1.0]).lines) == 2


# ---------------------------------------------------------------------------------------------------- manners


def test_every_plot_is_tried_here() -> None:
    """The list of calls above holds every plot_* function of the room."""
    assert sorted(CALLS) == sorted(name for name in plots.__all__ if name.startswith("plot_"))


@pytest.mark.parametrize("name", CALLS)
def test_plot_draws_on_the_axes_it_is_given(name) -> None:
    """With ax the same ax comes back; without, one on a figure of its own."""
    own = Figure().add_subplot()
    assert draw(name, ax=own) is own
    assert draw(name) is not draw(name)


@pytest.mark.parametrize("name", CALLS)
def test_plot_labels_its_axes_in_large_letters(name) -> None:
    """Both axes say what they measure, in letters of at least 14 points; the names of weights speak for themselves."""
    ax = draw(name)
    assert ax.get_xlabel()
    assert ax.get_ylabel() or name == "plot_weights"
    texts = [ax.xaxis.label, ax.yaxis.label, *ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels()]
    assert min(text.get_fontsize() for text in texts) >= 14


@pytest.mark.parametrize("name", CALLS)
def test_plot_keeps_to_the_palette(name) -> None:
    """Every line and word has one of the colours that mean something."""
    ax = draw(name)
    used = {to_hex(artist.get_color()) for artist in [*ax.lines, *ax.texts]}
    assert used <= {role.lower() for role in ROLES}


@pytest.mark.parametrize("name", CALLS)
def test_plot_lets_no_words_overlap_or_leave_the_figure(name) -> None:
    """The words inside a plot do not touch each other, and all of them are inside the picture."""
    ax = draw(name)
    figure = plots.figure_of(ax)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0
        assert box.y1 <= figure.bbox.y1


@pytest.mark.parametrize("name", CALLS)
def test_plot_leaves_its_inputs_and_all_settings_alone(name) -> None:
    """Arrays keep their numbers and matplotlib its settings, even if the reader's are unusual."""
    given = arrays_in(CALLS[name])
    before = [array.copy() for array in given]
    with mpl.rc_context({"lines.linewidth": 7.0, "font.family": "monospace"}):
        settings = settings_now()
        draw(name)
        assert settings_now() == settings
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("name", CALLS)
def test_picture_is_the_same_bytes_whatever_the_settings(name, tmp_path) -> None:
    """Two builds, the second under unusual settings, write the same SVG and the same PNG."""
    first = plots.save_figure(plots.figure_of(draw(name)), tmp_path / "first")
    unusual = {"font.family": "serif", "axes.grid": True, "svg.hashsalt": "other", "savefig.dpi": 30, "text.color": "r"}
    with mpl.rc_context(unusual):
        second = plots.save_figure(plots.figure_of(draw(name)), tmp_path / "second")
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes()


def test_saved_files_carry_no_date_and_no_version(tmp_path) -> None:
    """SVG and PNG name neither day nor software; the title says what to see; a dot in the name stays."""
    svg, png = plots.save_figure(plots.figure_of(plots.plot_confidence()), tmp_path / "v1.2", title="A < B & C")
    assert (svg.name, png.name) == ("v1.2.svg", "v1.2.png")
    text = svg.read_text(encoding="utf-8")
    assert "<title>A &lt; B &amp; C</title>" in text
    assert "dc:date" not in text
    assert mpl.__version__ not in text
    assert not any(line != line.rstrip() for line in text.splitlines())
    assert b"Software" not in png.read_bytes()
    assert b"tEXt" not in png.read_bytes()


def test_new_axes_display_themselves_in_a_notebook() -> None:
    """A notebook finds an SVG of the figure on the ax that a plot returns."""
    assert plots.plot_confidence()._repr_svg_().startswith("<?xml")


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


def test_plots_say_what_they_do_and_take_ax_by_name() -> None:
    """Each plot has a docstring and takes ax as a keyword only."""
    for name in CALLS:
        function = getattr(plots, name)
        assert inspect.getdoc(function)
        assert inspect.signature(function).parameters["ax"].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: plots.plot_margins([]), r"margins: expected shape \(n,\) with at least one number, got \(0,\)"),
        (lambda: plots.plot_margins([[1.0]]), r"margins: expected shape \(n,\)"),
        (lambda: plots.plot_margins([1.0, np.inf]), "margins: expected finite numbers"),
        (lambda: plots.plot_margins([1.0], weights=[1, 2]), r"weights: expected shape \(1,\)"),
        (lambda: plots.plot_margins([1.0], weights=[-1]), "weights: expected finite numbers of at least 0"),
        (lambda: plots.plot_loss_and_gradient([np.nan, 1.0]), "margins: expected finite numbers"),
        (lambda: plots.plot_confidence([0.0, 0.5]), "probabilities: expected numbers between 0 and 1"),
        (lambda: plots.plot_shift_invariance([1, 2], [1], [0]), r"rewards_rejected: expected shape \(2,\)"),
        (lambda: plots.plot_scaling([1], [1], []), r"factors: expected shape \(n,\)"),
        (
            lambda: plots.plot_empirical_and_expected(SIZES, LOSSES[:2], 1, 1),
            r"empirical_losses: expected shape \(3, n",
        ),
        (lambda: plots.plot_loss_curve({"loss": [1.0]}), "history: expected an entry 'step', got loss"),
        (lambda: plots.plot_loss_curve({"step": [0, 1], "loss": [1.0]}), "history: expected entries of one shape"),
        (lambda: plots.plot_weights(["a"], [1.0, 2.0]), "names: expected 2, one for each estimate, got 1"),
        (lambda: plots.plot_weights(["a"], [1.0], [1.0]), r"intervals: expected shape \(1, 2\)"),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, sentence) -> None:
    """What cannot be drawn is named: the argument, what was wanted, what was found."""
    with pytest.raises(ValueError, match=sentence):
        call()


def test_margins_that_differ_by_rounding_only_are_one_bar() -> None:
    """Separable contests give equal margins, up to the last digit: a histogram all the same, with an edge at zero."""
    edges = plots._edges_through_zero(np.array([41.2028948, np.nextafter(41.2028948, 42)]))
    assert 0.0 in edges
    assert edges[0] < 0
    assert edges[-1] > 41.2


def test_step_sweep_draws_the_errors_between_two_slopes() -> None:
    """The curve is the data, an exact hit at 1e-17; the guides have the slopes 2 and -1; the mark lies on the curve."""
    steps = np.logspace(-12, 0, 49)
    errors = 1e-16 / steps + 0.1 * steps**2
    errors[20] = 0.0
    ax = plots.plot_step_sweep(steps, errors, mark=1e-2)
    curve, truncation, rounding, mark = (np.log10(line.get_xydata()) for line in ax.lines)
    np.testing.assert_allclose(curve[:, 1], np.log10(np.maximum(errors, 1e-17)))
    for guide, slope in ((truncation, 2), (rounding, -1)):
        np.testing.assert_allclose(np.diff(guide[:, 1]) / np.diff(guide[:, 0]), slope, rtol=1e-9)
    assert mark[0] == pytest.approx([-2, np.log10(1e-14 + 1e-5)])
    with pytest.raises(ValueError, match=r"^steps: expected positive numbers"):
        plots.plot_step_sweep([0.0, 1.0], [1.0, 1.0])
