"""The pictures of the loss and of a fitted model show the right data."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from drawn import BINS, CALLS, HISTORY, LOSSES, MARGINS, SIZES, color, drawn, words
from matplotlib.colors import to_hex

import bradley_terry as bt
from bradley_terry import plots
from bradley_terry.evaluation import reliability


@pytest.fixture(scope="module")
def pairs() -> bt.PreferencePairs:
    rng = np.random.default_rng(20240611)
    return bt.PreferencePairs(rng.normal(0.5, 1, (40, 2)), rng.normal(0, 1, (40, 2)), prompts=np.arange(40) // 2)


@pytest.fixture(scope="module")
def model(pairs) -> bt.RewardModel:
    return bt.fit(bt.LinearScorer(2), pairs, validation=0.25, l2=0.1)


@pytest.fixture(scope="module")
def evaluation(model, pairs) -> bt.Evaluation:
    return model.evaluate(pairs, n_bootstrap=10)


# ---------------------------------------------------------------------------------------------------- known value


def test_margins_give_the_shares_of_both_sides() -> None:
    """Of eight margins, two are on the wrong side, five on the right side, and one is exactly 0."""
    said = words(drawn("plot_margins").ax)
    assert "wrong side: 25.0%" in said
    assert "right side: 62.5%" in said
    assert "exactly 0: 12.5%" in said


def test_gradient_norm_writes_each_number_where_there_are_few_steps() -> None:
    """Norms down to a hundredth have two digits. Smaller ones have one digit and a power of ten."""
    assert words(drawn("plot_gradient_norm").ax).split() == ["8.6", "0.25", "1e−3", "2e−10"]
    many = {"step": np.arange(50), "gradient_norm": 0.5 ** np.arange(50)}
    assert words(plots.plot_gradient_norm(many)) == ""


def test_diagnosis_shows_how_far_each_check_is_from_its_threshold() -> None:
    """Findings come first, then the others from the nearest to the farthest: at 9/3, at 1/8, and at the left end."""
    ax = drawn("plot_diagnosis").ax
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "labels swapped",
        "stuck at log 2",
        "identical answers",
    ]
    heights = {float(line.get_ydata()[0]): float(line.get_xdata()[0]) for line in ax.lines if line.get_marker() in "os"}
    assert heights == {0.0: 3.0, 1.0: 0.125, 2.0: 0.01}
    assert words(ax) == "error"
    with pytest.raises(TypeError, match="diagnosis: expected a Diagnosis"):
        plots.plot_diagnosis([1, 2])


# ---------------------------------------------------------------------------------------------------- identity


def test_loss_and_gradient_are_the_formulas() -> None:
    """The first line is -log sigma(Δ) in black, the second -sigma(-Δ) in the blue of the chosen reward."""
    ax = drawn("plot_loss_and_gradient").ax
    delta, loss = ax.lines[0].get_xydata().T
    np.testing.assert_array_equal(delta, CALLS["plot_loss_and_gradient"][0][0])
    np.testing.assert_allclose(loss, np.log1p(np.exp(-delta)), rtol=1e-14)  # a few roundings
    np.testing.assert_allclose(ax.lines[1].get_ydata(), -1 / (1 + np.exp(delta)), rtol=1e-14)
    assert [color(line) for line in ax.lines[:2]] == [plots.EXPECTED, plots.CHOSEN]


def test_tangent_touches_the_loss_with_its_slope() -> None:
    """The tangent at Δ = 1.5 passes through (1.5, .201413) with slope -.182426. With None there is no tangent."""
    with_it = plots.plot_loss_and_gradient(tangent_at=1.5)
    (tangent,) = [line for line in with_it.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 2]
    (x0, y0), (x1, y1) = tangent.get_xydata()
    assert (y1 - y0) / (x1 - x0) == pytest.approx(-0.182426, abs=5e-7)  # six printed digits
    assert (y0 + y1) / 2 == pytest.approx(0.201413, abs=5e-7)
    assert (x0 + x1) / 2 == pytest.approx(1.5)
    assert len(plots.plot_loss_and_gradient(tangent_at=None).lines) == 3  # loss, slope, the line at 0


def test_loss_curve_shows_training_held_out_and_log_two() -> None:
    """Training is solid green, held-out is dashed black, and a line at log 2 is the loss of knowing nothing."""
    ax = drawn("plot_loss_curve").ax
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.stack([HISTORY["step"], HISTORY["loss"]], axis=1))
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), HISTORY["validation_loss"])
    assert [color(line) for line in ax.lines[:2]] == [plots.EMPIRICAL, plots.EXPECTED]
    assert ax.lines[0].get_linestyle() == "-"
    assert ax.lines[1].get_linestyle() == "--"
    assert set(ax.lines[2].get_ydata()) == {np.log(2)}
    for part in ("knowing nothing: log 2", "training 0.540", "held-out 0.570"):
        assert part in words(ax)


def test_loss_curve_of_a_model_leaves_the_penalty_out(model) -> None:
    """With l2 = 0.1 the recorded loss is higher than the mean loss by 0.05·|φ|²; the curve starts at log 2."""
    ax = plots.plot_loss_curve(model)
    history = model.history
    np.testing.assert_allclose(
        ax.lines[0].get_ydata(), history["loss"] - 0.05 * history["parameter_norm"] ** 2, rtol=1e-15
    )
    assert ax.lines[0].get_ydata()[0] == np.log(2)
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), history["validation_loss"])
    assert ax.get_xlabel() == "step of Newton's method"
    assert plots.plot_loss_curve(model, x_label="update").get_xlabel() == "update"


@pytest.mark.parametrize("validation", [{}, {"validation_loss": np.full(4, np.nan)}])
def test_loss_curve_leaves_out_a_validation_that_is_not_there(validation) -> None:
    """Without validation, or with NaN throughout, there is no second curve."""
    ax = plots.plot_loss_curve({"step": HISTORY["step"], "loss": HISTORY["loss"], **validation})
    assert len(ax.lines) == 2
    assert "held-out" not in words(ax)


def test_loss_curve_marks_the_lowest_held_out_loss_if_it_is_not_the_last() -> None:
    """If the held-out loss rises again (overfitting), a square and a number mark the lowest one, .62 at step 1."""
    ax = plots.plot_loss_curve({**HISTORY, "validation_loss": [np.log(2), 0.62, 0.64, 0.7]})
    assert "lowest 0.620" in words(ax)
    assert "held-out 0.700" in words(ax)
    (mark,) = [line for line in ax.lines if line.get_linestyle() == "None"]
    assert mark.get_xydata().tolist() == [[1, 0.62]]
    assert "lowest" not in words(drawn("plot_loss_curve").ax)


def test_loss_curve_survives_a_run_that_diverges() -> None:
    """A loss that ends at infinity is drawn up to where it is finite, and its end has no label."""
    ax = plots.plot_loss_curve({"step": [0, 1, 2], "loss": [0.7, 5.0, np.inf]})
    assert np.isfinite(ax.get_ylim()).all()
    assert "training" not in words(ax)
    plots.figure_of(ax).draw_without_rendering()


def test_end_labels_do_not_overlap() -> None:
    """Two curves that end at nearly the same loss have names at least a line of text apart."""
    close = {**HISTORY, "validation_loss": HISTORY["loss"] + 1e-4}
    ax = plots.plot_loss_curve(close)
    training, held_out = (text for text in ax.texts if text.get_text().startswith(("training", "held-out")))
    plots.figure_of(ax).draw_without_rendering()
    assert not training.get_window_extent().overlaps(held_out.get_window_extent())


def test_gradient_norm_is_drawn_on_a_logarithmic_axis(model) -> None:
    """Both a history and a model can be drawn. A gradient of exactly 0 is left out without an error."""
    ax = drawn("plot_gradient_norm").ax
    np.testing.assert_array_equal(ax.lines[0].get_xydata().T, [HISTORY["step"], HISTORY["gradient_norm"]])
    assert ax.get_yscale() == "log"
    np.testing.assert_array_equal(plots.plot_gradient_norm(model).lines[0].get_ydata(), model.history["gradient_norm"])
    zero = plots.plot_gradient_norm({"step": [0, 1], "gradient_norm": [0.5, 0.0]})
    assert zero.lines[0].get_xydata().tolist() == [[0, 0.5]]


def test_margins_are_counted_bar_by_bar() -> None:
    """The bars hold every pair once, an edge is at 0, and the wrong side is hatched vermillion on white."""
    bars = drawn("plot_margins").ax.patches
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
    assert plots.plot_margins([1.0, 2.0, 300.0], weights=[1, 1, 0]).get_xlim()[1] < 10  # the third is not drawn


def test_margins_of_an_evaluation_are_those_that_were_evaluated(evaluation, model, pairs) -> None:
    """The histogram is the same as that of the margins Δ = r(chosen) - r(rejected), and its shares are the accuracy."""
    ax = plots.plot_margins(evaluation)
    by_hand = plots.plot_margins(model.reward(pairs.chosen) - model.reward(pairs.rejected))
    assert [bar.get_height() for bar in ax.patches] == [bar.get_height() for bar in by_hand.patches]
    assert f"right side: {evaluation.accuracy:.1%}" in words(ax)
    weighted = bt.PreferencePairs([[1.0], [0]], [[0.0], [1]], weights=[3, 1])
    assert "right side: 75.0%" in words(plots.plot_margins(bt.evaluate(bt.LinearScorer(1), [1.0], weighted)))


@pytest.mark.parametrize(
    "margins",
    [
        [0.0],
        [0.0, 0.0],
        [1.0],
        [-2.0, -2.0],
        [1e-9, 2e-9],
        [-1e6, 1e-3, 1.0],
        [41.2028948, np.nextafter(41.2028948, 42)],  # equal but for rounding, as of pairs that can be separated
    ],
)
def test_margins_of_any_size_have_an_edge_at_zero(margins) -> None:
    """For one pair, equal pairs, and tiny or huge margins, there are few bars, one edge at 0, and no pair is lost."""
    bars = plots.plot_margins(margins).patches
    assert sum(bar.get_height() for bar in bars) == len(margins)
    assert sum(bar.get_x() == 0 for bar in bars) == 1
    assert min(bar.get_x() for bar in bars) < 0
    assert 2 <= len(bars) <= 62


def test_reliability_points_are_the_bins_that_hold_pairs() -> None:
    """Each bin with pairs is a point at (predicted, observed), whose area grows with its share."""
    ax = drawn("plot_reliability").ax
    full = BINS.weight > 0
    np.testing.assert_array_equal(
        ax.collections[0].get_offsets(), np.stack([BINS.predicted[full], BINS.observed[full]], axis=1)
    )
    assert (np.argsort(ax.collections[0].get_sizes()) == np.argsort(BINS.weight[full])).all()
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[0.5, 0.5], [1.0, 1.0]])


def test_reliability_draws_the_interval_of_each_bin(evaluation) -> None:
    """A vertical line at the predicted probability shows the whole interval, inside the axes."""
    ax = plots.plot_reliability(evaluation)
    table = evaluation.reliability
    full = table.weight > 0
    ends = [segment.T.tolist() for segment in ax.collections[1].get_segments()]
    assert ends == [[[x, x], [low, high]] for x, (low, high) in zip(
        table.predicted[full].tolist(), table.intervals[full].tolist(), strict=True
    )]  # fmt: skip
    bottom, top = ax.get_ylim()
    assert bottom < table.intervals[full].min()
    assert table.intervals[full].max() < top


def test_reliability_keeps_a_hopeless_bin_in_sight() -> None:
    """A bin whose favourites always lost is at 0, far below 1/2, and still inside the axes."""
    ax = plots.plot_reliability(reliability([-1.0, -1.0, 2.0]))
    assert ax.get_ylim()[0] < 0


def test_weights_with_an_interval_around_zero_are_hollow() -> None:
    """The first of two weights is surely negative, and filled. The second may be 0, and is hollow."""
    ax = drawn("plot_weights").ax
    points = [line for line in ax.lines if line.get_marker() == "o"]
    assert [point.get_markerfacecolor() for point in points] == [plots.EMPIRICAL, "white"]
    assert [(point.get_xdata()[0], point.get_ydata()[0]) for point in points] == [(-0.5, 0), (0.1, 1)]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["price", "time"]
    low, high = ax.get_ylim()
    assert low > high  # the first name is on top


def test_weights_without_intervals_are_points() -> None:
    """The intervals may be left out."""
    assert len(plots.plot_weights(["a"], [1.0]).lines) == 2


# ---------------------------------------------------------------------------------------------------- manners


@pytest.mark.parametrize(
    ("name", "module"),
    [
        *((f"plot_{name}", "course.plots") for name in (
            "confidence", "empirical_and_expected", "loss_tail", "scaling", "shift_invariance", "step_sweep"
        )),
        ("plot_times", "bench.figure"),
    ],
)  # fmt: skip
def test_moved_plots_are_still_offered(name, module) -> None:
    """The plots of the lessons and of the benchmark have moved, but ``plots`` still offers them."""
    assert getattr(plots, name) is getattr(importlib.import_module(f"bradley_terry.{module}"), name)


def test_unknown_names_are_attribute_errors() -> None:
    """An AttributeError lets hasattr and import work as usual."""
    with pytest.raises(AttributeError, match="has no attribute 'plot_nothing'"):
        _ = plots.plot_nothing


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: plots.plot_margins([]), r"margins: expected shape \(n,\) with at least one number, got \(0,\)"),
        (lambda: plots.plot_margins([[1.0]]), r"margins: expected shape \(n,\)"),
        (lambda: plots.plot_margins([1.0, np.inf]), "margins: expected finite numbers"),
        (lambda: plots.plot_margins([1.0], weights=[1, 2]), r"weights: expected shape \(1,\)"),
        (lambda: plots.plot_margins([1.0], weights=[-1]), "weights: expected numbers of at least 0"),
        (lambda: plots.plot_margins([1.0, 2.0], labels=[0.5]), r"labels: expected shape \(2,\)"),
        (lambda: plots.plot_margins([1.0], labels=[2]), r"labels: expected P\(chosen preferred\) in \[0, 1\]"),
        (lambda: plots.plot_loss_and_gradient([np.nan, 1.0]), "margins: expected finite numbers"),
        (lambda: plots.plot_confidence([0.0, 0.5]), "probabilities: expected numbers between 0 and 1"),
        (lambda: plots.plot_shift_invariance([1, 2], [1], [0]), r"rewards_rejected: expected shape \(2,\)"),
        (lambda: plots.plot_scaling([1], [1], []), r"factors: expected shape \(n,\)"),
        (lambda: plots.plot_step_sweep([0.0, 1.0], [1.0, 1.0]), "^steps: expected positive numbers"),
        (
            lambda: plots.plot_empirical_and_expected(SIZES, LOSSES[:2], 1, 1),
            r"empirical_losses: expected shape \(3, n",
        ),
        (lambda: plots.plot_loss_curve({"loss": [1.0]}), "history: expected an entry 'step', got loss"),
        (lambda: plots.plot_loss_curve({"step": [0, 1], "loss": [1.0]}), "history: expected entries of one shape"),
        (lambda: plots.plot_gradient_norm({"step": [0]}), "history: expected an entry 'gradient_norm', got step"),
        (lambda: plots.plot_weights(["a"], [1.0, 2.0]), "names: expected 2, one for each estimate, got 1"),
        (lambda: plots.plot_weights(["a"], [1.0], [1.0]), r"intervals: expected shape \(1, 2\)"),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, sentence) -> None:
    """The sentence names the argument, what was expected and what was found."""
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize(
    ("plot", "name"),
    [(plots.plot_margins, "margins"), (plots.plot_loss_curve, "history"), (plots.plot_reliability, "reliability")],
)
def test_what_cannot_be_drawn_is_named_with_its_type(plot, name, pairs) -> None:
    """If pairs are passed instead, the error names the argument and the type."""
    with pytest.raises(TypeError, match=f"^{name}: expected .* got PreferencePairs$"):
        plot(pairs)


def test_labels_count_a_pair_on_both_sides() -> None:
    """The share on the right is the accuracy. A label of 0 is a choice of the other answer; a tie is half of each."""
    pairs = bt.PreferencePairs([[1.0], [2], [3]], [[0.0], [0], [0]], labels=[1, 0, 0.5], weights=[2, 1, 1])
    evaluation = bt.evaluate(bt.LinearScorer(1), [1.0], pairs)
    ax = plots.plot_margins(evaluation)
    assert evaluation.accuracy == 2.5 / 4
    assert "right side: 62.5%" in words(ax)
    assert "wrong side: 37.5%" in words(ax)
    assert sum(bar.get_height() for bar in ax.patches) == 4
