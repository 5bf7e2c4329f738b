"""The pictures of the lessons show their formulas."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import CHOSEN, LOSSES, REJECTED, SIZES, color, drawn, words

import bradley_terry as bt
from bradley_terry.course import plots, sliders
from bradley_terry.drawing import CHOSEN as CHOSEN_COLOR
from bradley_terry.drawing import EMPIRICAL, EXPECTED, figure_of
from bradley_terry.drawing import REJECTED as REJECTED_COLOR


def test_confidence_names_the_three_cases() -> None:
    """P = .9 costs .105 and is right, P = .6 costs .511 and is unsure, P = .1 costs 2.303 and is wrong."""
    said = words(drawn("plot_confidence").ax)
    assert "confident and right\nP = 0.9: loss 0.105" in said
    assert "unsure\nP = 0.6: loss 0.511" in said
    assert "confident and wrong\nP = 0.1: loss 2.303" in said


def test_scaling_marks_the_model_without_scaling() -> None:
    """The four pairs of the course have mean loss .5187 at α = 1, and α = 0 is log 2."""
    ax = drawn("plot_scaling").ax
    alpha, loss = ax.lines[0].get_xydata().T
    assert loss[0] == np.log(2)
    assert f"{loss[np.argmin(np.abs(alpha - 1))]:.4f}" == "0.5187"
    assert "no scaling: 0.5187" in words(ax)


def test_scaling_names_no_minimum_where_there_is_none() -> None:
    """If every pair is ranked correctly, the loss never stops falling, and there is no best α."""
    assert "minimum at α = 2.0: 0.4701" in words(drawn("plot_scaling").ax)
    assert "minimum" not in words(plots.plot_scaling([1, 2], [0, 0], np.linspace(0, 6, 61)))


@pytest.mark.parametrize(
    ("rewards_chosen", "rewards_rejected", "factors"),
    [
        ([3, 1, 0.5], [0.5, -1, 2.5], np.linspace(0, 3, 61)),  # the minimum is at α = 0.4
        ([3, 1, 0.5], [0.5, -1, 2.9], np.linspace(0, 3, 61)),
        ([3, 1, 0.5], [0.5, -1, 2.5], np.linspace(0, 8, 161)),
        ([1, 0.5], [2, 0.7], np.linspace(0, 3, 61)),  # the minimum is at α = 0
        ([0, 0.5, 1], [1, 1.5, 0.5], np.linspace(-2, 3, 101)),
        ([2, 1, 0.5], [0.5, 0, 1], np.linspace(0, 3, 61)),
    ],
)
def test_the_words_about_scaling_are_clear_of_the_curve(rewards_chosen, rewards_rejected, factors) -> None:
    """Wherever the minimum is, the words stay inside the axes and touch neither the curve nor each other."""
    ax = plots.plot_scaling(rewards_chosen, rewards_rejected, factors)
    figure_of(ax).draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    curve = ax.transData.transform(ax.lines[0].get_xydata())
    for k, box in enumerate(boxes):
        assert ax.bbox.x0 <= box.x0 < box.x1 <= ax.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[:k])
        assert not any(box.contains(*place) for place in curve), ax.texts[k].get_text()


def test_samples_in_the_funnel_are_counted() -> None:
    """All nine samples lie within 2·0.9/sqrt(n) of the expected loss. With a hundredth of the spread, only two do."""
    assert "holds 100%" in words(drawn("plot_empirical_and_expected").ax)
    few = plots.plot_empirical_and_expected(SIZES, LOSSES, 0.6, 0.5, spread=0.009)
    assert "holds 22%" in words(few)


def test_confidence_is_minus_log_p() -> None:
    """The curve is -log p. Computing logit and sigma costs a few roundings, which are larger where -log p is small."""
    p, loss = drawn("plot_confidence").ax.lines[0].get_xydata().T
    np.testing.assert_allclose(loss, -np.log(p), rtol=1e-12)


def test_confidence_labels_stay_inside_the_axes() -> None:
    """For every marked probability, the words are inside the axes and above the curve."""
    marks = [0.02, 0.1, 0.24, 0.25, 0.5, 0.6, 0.65, 0.7, 0.75, 0.76, 0.9, 0.99]
    ax = plots.plot_confidence(marks=marks)
    figure_of(ax).draw_without_rendering()
    assert len(ax.texts) == len(marks)
    for text in ax.texts:
        box = text.get_window_extent()
        assert ax.bbox.x0 <= box.x0
        assert box.x1 <= ax.bbox.x1 + 1  # a pixel for rounding
        assert box.y1 <= ax.bbox.y1
        left, bottom = ax.transData.inverted().transform((box.x0, box.y0))
        assert bottom > -np.log(left)


def test_tail_is_drawn_to_its_end() -> None:
    """At Δ = -8 the loss is 8.0003 and lies inside the axes: nothing is clipped."""
    ax = drawn("plot_loss_tail").ax
    delta, loss = ax.lines[0].get_xydata().T
    np.testing.assert_allclose(loss, bt.pair_losses(delta), rtol=0)
    assert loss.max() > 8
    assert ax.get_ylim()[1] > loss.max()
    x, y = ax.lines[1].get_xydata().T
    np.testing.assert_array_equal(y, -x)


@pytest.mark.parametrize("margin", [-6.0, -1.0, 0.0, 1.5, 6.0, 12.0])
def test_tangent_touches_the_loss_and_has_its_slope(margin) -> None:
    """The line has the slope -1/(1 + exp(Δ)) and passes through the dot on the curve; nothing leaves the axes."""
    ax = plots.plot_tangent(margin)
    delta, loss = ax.lines[0].get_xydata().T
    np.testing.assert_allclose(loss, np.log1p(np.exp(-delta)), rtol=1e-12)
    (x0, y0), (x1, y1) = ax.lines[2].get_xydata()
    assert (y1 - y0) / (x1 - x0) == pytest.approx(-1 / (1 + np.exp(margin)))
    assert (y0 + y1) / 2 == pytest.approx(np.log1p(np.exp(-margin)))
    assert ax.lines[3].get_xydata().tolist() == [[margin, pytest.approx(np.log1p(np.exp(-margin)))]]
    assert ax.get_xlim()[0] < margin < ax.get_xlim()[1]
    assert ax.get_ylim()[1] > loss.max()


def test_tangent_names_the_loss_and_the_slope_of_the_lesson() -> None:
    """At Δ = -1 they are 1.313 and -0.731, as the lesson says."""
    assert "Δ = −1:\nloss 1.313, slope −0.731" in words(plots.plot_tangent(-1.0))


def test_loss_shapes_are_the_three_losses() -> None:
    """Ours and the hinge are computed here; the 0-1 loss is 1 on the left of 0 and 0 on its right."""
    ax = drawn("plot_loss_shapes").ax
    delta, loss = ax.lines[0].get_xydata().T
    np.testing.assert_allclose(loss, np.log1p(np.exp(-delta)), rtol=1e-12)
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), np.maximum(0, 1 - delta))
    assert ax.lines[2].get_xydata().tolist() == [[-3, 1], [0, 1], [0, 0], [4, 0]]
    np.testing.assert_allclose(ax.lines[3].get_ydata(), [1.313262, 0.693147, 0.313262, 0.126928], atol=5e-7)
    assert len({line.get_linestyle() for line in ax.lines[:3]}) == 3  # colour is not the only cue


def test_shift_leaves_the_loss_flat_and_scaling_does_not() -> None:
    """Adding c moves the mean loss by rounding only (1e-14 for rewards of size 10); multiplying by α moves it."""
    flat = drawn("plot_shift_invariance").ax.lines[0].get_ydata()
    assert np.ptp(flat) < 1e-14
    assert flat[0] == pytest.approx(bt.mean_loss(CHOSEN - REJECTED))
    assert np.ptp(drawn("plot_scaling").ax.lines[0].get_ydata()) > 0.1


def test_samples_are_drawn_at_their_sizes() -> None:
    """Every empirical loss is a green point above its sample size; the expected loss is black, the floor grey."""
    ax = drawn("plot_empirical_and_expected").ax
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.stack([np.repeat(SIZES, 3), LOSSES.ravel()], axis=1))
    assert set(ax.lines[1].get_ydata()) == {0.6}
    assert set(ax.lines[2].get_ydata()) == {0.5}
    assert [color(line) for line in ax.lines[:2]] == [EMPIRICAL, EXPECTED]
    assert ax.get_xscale() == "log"


def test_funnel_narrows_like_one_over_root_n() -> None:
    """The shaded band has half-width 2·spread/sqrt(n) everywhere."""
    (band,) = drawn("plot_empirical_and_expected").ax.collections
    for n, loss in band.get_paths()[0].vertices:
        assert abs(loss - 0.6) == pytest.approx(2 * 0.9 / np.sqrt(n), rel=1e-12)


def test_without_the_spread_there_is_no_funnel_and_all_three_are_in_sight() -> None:
    """The axes hold samples, expected loss and floor, even if few samples lie far from the floor."""
    ax = plots.plot_empirical_and_expected(SIZES, np.full((3, 2), 0.6), 0.7, 0.3)
    assert len(ax.collections) == 0
    assert len(ax.lines) == 3
    low, high = ax.get_ylim()
    assert low < 0.3
    assert high > 0.7


def test_step_sweep_draws_the_errors_between_two_slopes() -> None:
    """The curve shows the data, and an error of 0 at 1e-17. The guides have slopes 2 and -1, and the mark is on it."""
    steps = np.logspace(-12, 0, 49)
    errors = 1e-16 / steps + 0.1 * steps**2
    errors[20] = 0.0
    ax = plots.plot_step_sweep(steps, errors, mark=1e-2)
    curve, truncation, rounding, mark = (np.log10(line.get_xydata()) for line in ax.lines)
    np.testing.assert_allclose(curve[:, 1], np.log10(np.maximum(errors, 1e-17)))
    for guide, slope in ((truncation, 2), (rounding, -1)):
        np.testing.assert_allclose(np.diff(guide[:, 1]) / np.diff(guide[:, 0]), slope, rtol=1e-9)
    assert mark[0] == pytest.approx([-2, np.log10(1e-14 + 1e-5)])


def test_preference_probability_and_pulls_are_drawn_as_computed():
    """Curves and points show σ(Δ) and 1 - σ(Δ)."""
    ax = plots.plot_preference_probability([2.2, -1.0])
    x, y = ax.lines[0].get_xydata().T
    np.testing.assert_allclose(y, 1 / (1 + np.exp(-x)), rtol=1e-12)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [0.9002495, 0.2689414], atol=1e-7)
    ax = plots.plot_pulls([-3.0, 0.0])
    x, y = ax.lines[0].get_xydata().T
    np.testing.assert_allclose(y, 1 / (1 + np.exp(x)), rtol=1e-12)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [0.9525741, 0.5], atol=1e-7)
    bars = plots.plot_probability_bar(1000.0, -1000.0).patches
    assert [bar.get_width() for bar in bars[:2]] == [1.0, 0.0]


def test_running_means_are_the_means_of_the_first_pairs():
    """Each sample is drawn at every hundredth pair up to now; the last points are the means of all pairs until now."""
    losses = np.random.default_rng(1).exponential(size=(350, 4))
    ax = plots.plot_running_means(losses, 1.0, 0.9, now=250)
    *samples, expected, floor, others, mine = ax.lines
    assert len(samples) == 4
    x, y = samples[-1].get_xydata().T  # the first sample is drawn last, on top
    assert x.tolist() == [100, 200]
    np.testing.assert_allclose(y, [losses[:n, 0].mean() for n in (100, 200)])
    assert set(expected.get_ydata()) == {1.0}
    assert set(floor.get_ydata()) == {0.9}
    np.testing.assert_allclose(mine.get_xydata(), [[250, losses[:250, 0].mean()]])
    np.testing.assert_allclose(others.get_ydata(), losses[:250, 1:].mean(axis=0))


@pytest.mark.parametrize(
    ("losses", "now", "words"),
    [
        (np.zeros(200), None, r"losses: expected shape \(at least 100, at least 2\), got \(200,\)"),
        (np.zeros((99, 3)), None, r"got \(99, 3\)"),
        (np.zeros((200, 1)), None, r"got \(200, 1\)"),
        (np.ones((200, 2)), 50, "now: expected a number of pairs from 100 to 200, got 50"),
        (np.ones((200, 2)), 201, "got 201"),
    ],
)
def test_running_means_refuse_too_few_pairs(losses, now, words):
    """Without a mean to draw there is no picture."""
    with pytest.raises(ValueError, match=words):
        plots.plot_running_means(losses, 1.0, 0.9, now=now)


@pytest.mark.parametrize("margin", [-6.0, -2.0, 0.0, 1.5, 6.0])
def test_pull_on_rewards_shows_one_step_of_gradient_descent(margin):
    """Chosen and rejected are Δ apart, and the arrows have the length of the pull: up and down."""
    ax = plots.plot_pull_on_rewards(margin)
    chosen, rejected = ax.lines[:2]
    assert chosen.get_ydata()[0] - rejected.get_ydata()[0] == pytest.approx(margin)
    pull = 1 / (1 + np.exp(margin))
    arrows = [text for text in ax.texts if getattr(text, "arrow_patch", None)]
    lengths = [arrow.xy[1] - arrow.xyann[1] for arrow in arrows]
    np.testing.assert_allclose(lengths, [pull, -pull] if pull > 0.01 else [], rtol=1e-12)
    assert ax.get_title() == f"each is pulled by {pull:.3f}"
    low, high = ax.get_ylim()
    assert all(low < height < high for arrow in arrows for height in (arrow.xy[1], arrow.xyann[1]))


def test_temperature_curve_is_the_mean_loss():
    """At each T, the curve is the mean of log(1 + exp(-Δ/T))."""
    z = np.array([1.0, -2.0, 3.0])
    t, losses = plots.plot_temperature(z, 2.0).lines[0].get_xydata().T
    np.testing.assert_allclose(losses, [np.mean(np.log1p(np.exp(-z / each))) for each in t], rtol=1e-9)


@pytest.mark.parametrize(
    ("loss", "best"),
    [
        (lambda z: np.logaddexp(0, -z), {0.6: 0.405, 0.8: 1.386, 0.95: 2.944}),  # log(p/(1 - p))
        (lambda z: np.maximum(0, 1 - z), {0.6: 1.0, 0.8: 1.0, 0.95: 1.0}),
        (lambda z: (1 - z) ** 2, {0.6: 0.2, 0.8: 0.6, 0.95: 0.9}),  # 2p - 1
    ],
)
def test_the_least_expected_loss_is_marked_where_it_is(loss, best) -> None:
    """Each curve is p·ℓ(Δ) + (1 − p)·ℓ(−Δ), with its own dashes, and its minimum is where calculus puts it."""
    ax = plots.plot_expected_loss_of_margin(loss, tuple(best))
    for k, (p, where) in enumerate(best.items()):
        curve, minimum = ax.lines[2 * k : 2 * k + 2]
        x, y = curve.get_xydata().T
        np.testing.assert_allclose(y, p * loss(x) + (1 - p) * loss(-x))
        assert minimum.get_xdata()[0] == pytest.approx(where, abs=0.006)
        assert f"p = {p:g}" in words(ax)
    assert len({line.get_linestyle() for line in ax.lines[::2]}) == 3


def test_rewards_are_drawn_in_the_column_of_their_prompt() -> None:
    """The best answer of each prompt is named, and each answer has a prompt."""
    ax = plots.plot_rewards_by_prompt([3.81, 0.9, 2.82, -1.0], [1, 1, 2, 2])
    assert words(ax) == "3.81\n2.82"
    assert [line.get_xydata().tolist() for line in ax.lines] == [[[0, 0.9], [0, 3.81]], [[1, -1.0], [1, 2.82]]]
    assert len({line.get_marker() for line in ax.lines}) == 2
    with pytest.raises(ValueError, match=r"^prompts: expected shape \(2,\), one for each answer, got \(1,\)$"):
        plots.plot_rewards_by_prompt([1.0, 2.0], [1])


@pytest.mark.parametrize(
    ("form", "dtype", "margin", "what"),
    [
        ("log(1 + exp(-z))", np.float64, -709.0, np.isfinite),
        ("log(1 + exp(-z))", np.float64, -710.0, np.isinf),
        ("log(1 + exp(-z))", np.float32, -89.0, np.isinf),
        ("log(1 + exp(-z))", np.float16, -12.0, np.isinf),
        ("-log(1/(1 + exp(-z)))", np.float32, 17.0, lambda loss: loss == 0),
        ("-z + log(1 + exp(z))", np.float64, 710.0, np.isinf),
        ("max(-z, 0) + log1p(exp(-|z|))", np.float16, -1000.0, lambda loss: loss == 1000),
        ("max(-z, 0) + log1p(exp(-|z|))", np.float64, 700.0, lambda loss: 0 < loss < 1e-300),
    ],
)
def test_naive_forms_fail_where_they_are_said_to(form, dtype, margin, what):
    """They overflow at 709.78, 88.72 and 11.09. In float32, σ is 1 from 16.64."""
    assert what(plots.naive_losses(form, [margin], dtype)[0])


def test_naive_form_plot_hatches_what_failed():
    """There is one band per kind of failure, and none for the stable form. Unknown forms are refused."""
    assert len(plots.plot_naive_form("log(1 + exp(-z))", np.float32).patches) >= 1
    assert len(plots.plot_naive_form("max(-z, 0) + log1p(exp(-|z|))", np.float32).patches) == 0
    with pytest.raises(ValueError, match=r"^form: expected one of"):
        plots.naive_losses("exp", [0.0])


def test_naive_form_plot_ends_where_the_loss_has_no_full_digits_and_marks_a_margin():
    """In float32 that is beyond Δ = 87.3. The dot lies at the error, or as a square at 100 % where the form fails."""
    ax = plots.plot_naive_form("max(-z, 0) + log1p(exp(-|z|))", np.float32, mark=5.0)
    z, error = ax.lines[0].get_xdata(), ax.lines[0].get_ydata()
    assert np.isfinite(error[z < 87]).all()
    assert np.isnan(error[z > 87.4]).all()
    dot = ax.lines[-1]
    assert (dot.get_xdata()[0], dot.get_marker()) == (5.0, "o")
    assert dot.get_ydata()[0] < 1e-6
    failed = plots.plot_naive_form("log(1 + exp(-z))", np.float32, mark=20.0).lines[-1]
    assert (failed.get_xdata()[0], failed.get_ydata()[0], failed.get_marker()) == (20.0, 1.0, "s")


def test_reward_map_is_centred_and_draws_pairs():
    """A shift has no meaning, so it is removed. The first 15 pairs of answers that are close together are drawn."""
    pairs, _ = sliders.curved_world()
    ax = plots.plot_reward_map(lambda x: 100 + x[:, 0], pairs)
    chosen, rejected = (line.get_xydata() for line in ax.lines)
    close = np.linalg.norm(pairs.chosen - pairs.rejected, axis=1) <= 1.5
    np.testing.assert_array_equal(chosen, pairs.chosen[close][:15])
    np.testing.assert_array_equal(rejected, pairs.rejected[close][:15])
    assert [color(line) for line in ax.lines] == [CHOSEN_COLOR, REJECTED_COLOR]
    arrows = next(c for c in ax.collections if hasattr(c, "U"))
    np.testing.assert_array_equal(arrows.get_offsets(), rejected)
    np.testing.assert_allclose(np.column_stack([arrows.U, arrows.V]), chosen - rejected)
    assert max(abs(level) for level in ax.collections[0].levels) < 3


def test_reward_model_is_drawn_once_for_each_answer() -> None:
    """Both rows have the same parts, from tokens to reward, and the words say that the weights are the same."""
    ax = drawn("plot_reward_model").ax
    said = words(ax).split("\n")
    for part in ("layers W", "head v"):
        assert said.count(part) == 2
    for part in ("prompt + chosen answer", "prompt + rejected answer", "last state h", "the same W", "the same v"):
        assert said.count(part) == 1
    assert repr(ax) == "figure: φ = (W, v): one reward model, used once for each answer"


def test_widths_are_drawn_side_by_side_with_one_marked() -> None:
    """Each width has the same distance from the next. A mark that is no width and a missing loss are refused."""
    ax = drawn("plot_widths").ax
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [(0, 0.6), (1, 0.46), (2, 0.459)])
    np.testing.assert_array_equal(ax.lines[1].get_xydata(), [(1, 0.46)])
    assert words(ax) == "0.460"
    with pytest.raises(ValueError, match="mark: expected one of 1, 2, got 3"):
        plots.plot_widths([1, 2], [0.6, 0.5], mark=3)
    with pytest.raises(ValueError, match=r"losses: expected shape \(2,\), one for each width, got \(1,\)"):
        plots.plot_widths([1, 2], [0.6])
