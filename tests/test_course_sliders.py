"""Every slider changes its picture and its sentence."""

from __future__ import annotations

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.course import sliders

LOSSES = 0.6 + 0.3 * np.cos(np.arange(450)[:, None] * np.array([1.0, 2.0, 3.0]))  # three samples of 450 pairs
CHOSEN, REJECTED = np.array([2.0, 1.5, 3.0, 0.5]), np.array([1.0, 1.0, 2.0, 1.0])  # mean loss 0.5187
MARGINS = 4 * np.array([1.2, 0.5, -0.3, 2.0, -1.0, 0.8])
DATA = {  # what a lesson passes to its slider
    "draw_shift_and_scale": (CHOSEN, REJECTED),
    "draw_temperature": (MARGINS,),
    "draw_more_pairs": (LOSSES, 0.6, 0.5),
}
START = {
    "draw_probability": (2.0, -0.2),
    "draw_loss": (1.5,),
    "draw_shift_and_scale": (3.0, 1.0),
    "draw_temperature": (3.0,),
    "draw_more_pairs": (100,),
    "draw_pull": (-2.0,),
    "draw_forms": ("log(1 + exp(-z))", "float32", -100.0),
    "draw_ranking_loss": ("hinge", 0.5),
}
SAYS = {  # numbers from the formulas, by hand
    "draw_probability": "margin +2.20: a is preferred with probability 0.9002",
    "draw_loss": "Δ = +1.5: probability 0.8176, loss 0.2014, slope -0.1824",
    "draw_shift_and_scale": "every reward times 1.0, plus 3.0: mean loss 0.5187 (at the start 0.5187)",
    "draw_temperature": "T = 3.0: mean loss 0.5736; accuracy 0.6667 for every T",
    "draw_more_pairs": "100 pairs: your sample says",
    "draw_pull": "Δ = -2.0: loss 2.1269, slope -0.8808, pull 0.8808",
    "draw_forms": "Δ = -100 in float32: this form gives inf, right is 100",
    "draw_ranking_loss": "hinge at Δ = +0.5: loss 0.5000, pull +1.0000 (plain: +0.3775)",
}


@pytest.mark.parametrize("name", START)
def test_every_drawing_has_axes_and_a_sentence(name):
    """The sentence holds the numbers that the formula gives."""
    ax, words = getattr(sliders, name)(*DATA.get(name, ()), *START[name])
    assert ax.figure.axes
    assert SAYS.get(name, "") in words
    assert "nan" not in words


@pytest.mark.full
def test_every_slider_moves_picture_and_sentence():
    """The test runs in plain Python: it sets the value of a widget, and the widget's observers run."""
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
    for name in START:
        box = getattr(sliders, name.removeprefix("draw_"))(*DATA.get(name, ()))
        *inputs, picture, sentence = box.children
        before = bytes(picture.value), sentence.value
        control = inputs[0]
        if name == "draw_more_pairs":
            control.click()
        elif hasattr(control, "options"):
            control.value = control.options[-1][1]
        else:
            control.value = control.value + (control.max - control.value) / 2
        assert bytes(picture.value) != before[0], name
        assert sentence.value != before[1], name
        assert bytes(picture.value).startswith(b"\x89PNG")
        assert repr(box).startswith("a slider: it needs a running kernel")


@pytest.mark.full
def test_more_pairs_counts_and_ends_with_the_last_whole_hundred():
    """Each press adds 100 pairs until all are shown, and the slider leads back."""
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
    box = sliders.more_pairs(*DATA["draw_more_pairs"])
    button, slider, _, sentence = box.children
    counts = []
    for _ in range(5):
        counts.append(sentence.value.partition(" ")[0])
        button.click()
    assert counts == ["100", "200", "300", "400", "400"]
    slider.value = 100
    assert sentence.value.startswith("100 pairs")


def test_more_pairs_says_the_means_of_the_samples():
    """The sentence holds the first sample, the smallest and the largest, and how many lie below the floor."""
    means = LOSSES[:200].mean(axis=0)
    words = sliders.draw_more_pairs(LOSSES, 0.6, float(np.median(means)) + 1e-9, 200)[1]
    assert f"your sample says {means[0]:.3f}" in words
    assert f"between {means.min():.3f} and {means.max():.3f}, 2 below the floor" in words


def test_the_axes_of_more_pairs_stay_where_they_are():
    """The limits are the same for every number of pairs, and hold all samples, the expected loss and the floor."""
    falling = LOSSES + np.linspace(2.0, 0.0, 450)[:, None]  # the means of the first pairs are far from the others
    pictures = [sliders.draw_more_pairs(falling, 1.6, 1.5, pairs)[0] for pairs in (100, 200, 400)]
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in pictures}) == 1
    low, high = pictures[0].get_ylim()
    for ax in pictures:
        heights = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in ax.lines])
        assert low <= heights.min()
        assert heights.max() <= high
        assert ax.figure.get_size_inches().tolist() <= [10.0, 4.4]


def test_a_shift_changes_nothing_and_a_scale_does():
    """The sentence below the slider of lesson 3 says so."""
    said = [sliders.draw_shift_and_scale(CHOSEN, REJECTED, b, 1.0)[1].partition(": ")[2] for b in (-10.0, 0.0, 7.5)]
    assert set(said) == {"mean loss 0.5187 (at the start 0.5187)"}
    assert "mean loss 0.6931" in sliders.draw_shift_and_scale(CHOSEN, REJECTED, 0.0, 0.0)[1]


def test_one_dot_moves_on_both_panels_and_its_start_stays():
    """At b = 3 and α = 2 the dots are at (3, 0.4701) and (2, 0.4701), and the hollow ones at 0 and 1, at 0.5187."""
    left, _ = sliders.draw_shift_and_scale(CHOSEN, REJECTED, 3.0, 2.0)
    for ax, here, start in zip(left.figure.axes, (3.0, 2.0), (0.0, 1.0), strict=True):
        dot, ghost = (line for line in ax.lines if line.get_marker() == "o")
        assert dot.get_xydata() == pytest.approx(np.array([[here, bt.mean_loss(2 * (CHOSEN - REJECTED))]]))
        assert ghost.get_xydata() == pytest.approx(np.array([[start, 0.5187]]), abs=5e-5)
        x, losses = ax.lines[0].get_xydata().T
        assert np.interp(here, x, losses) == pytest.approx(0.4701, abs=5e-5)  # the dot lies on the curve


def test_the_temperature_slider_draws_the_margins_that_it_is_given():
    """Its sentence has the mean of log(1 + exp(−Δ/T)) and the accuracy, and the dot is at T."""
    ax, words = sliders.draw_temperature(MARGINS, 2.0)
    loss = np.mean(np.log1p(np.exp(-MARGINS / 2)))
    assert words == f"T = 2.0: mean loss {loss:.4f}; accuracy 0.6667 for every T"
    dots = [line.get_xydata() for line in ax.figure.axes[1].lines if line.get_marker() == "o"]
    assert dots[0] == pytest.approx(np.array([[2.0, loss]]))


def test_the_error_of_a_step_is_read_off_the_sweep():
    """Lesson 7: the sentence names the step, its error in the sweep, and the kind of error that is larger there."""
    sweep = sliders.lesson_sweep()
    at = np.abs(sweep.steps - 1e-2).argmin()
    ax, words = sliders.draw_step(sweep, -2.0)
    assert words == f"h = 1e-02: error about {sweep.errors[at]:.0e}, mostly truncation"
    assert ax.figure.get_size_inches().tolist() == [10.0, 4.4]
    assert sliders.draw_step(sweep, -12.0)[1].endswith("mostly rounding")


@pytest.fixture(scope="module")
def widths():
    """Return models of one and two hidden units, and the pairs that they were fitted to and evaluated on."""
    pairs, fresh = sliders.curved_world()
    models = {n: bt.fit(bt.MLPScorer(2, n), pairs, l2=1e-3, max_steps=150, backend="numpy") for n in (1, 2)}
    return models, pairs, fresh


def moved(box):
    """Choose the last value of the first control; return picture and sentence before and after."""
    control, picture, sentence = box.children
    before = bytes(picture.value), sentence.value
    control.value = control.options[-1][1] if hasattr(control, "options") else control.value - 1
    return before, (bytes(picture.value), sentence.value)


@pytest.mark.full
def test_the_slider_of_the_step_moves_picture_and_sentence():
    """It starts at 1e-2, and one notch to the left is 1e-3."""
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
    before, after = moved(sliders.step(sliders.lesson_sweep()))
    assert before[0] != after[0]
    assert [said.partition(":")[0] for _, said in (before, after)] == ["h = 1e-02", "h = 1e-03"]


@pytest.mark.full
def test_the_slider_of_the_width_moves_picture_and_sentence(widths):
    """Its options are the widths of the models that it was given."""
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
    before, after = moved(sliders.hidden_width(*widths))
    assert before[0] != after[0]
    assert before[1].startswith("1 hidden unit: accuracy")
    assert after[1].startswith("2 hidden units: accuracy")


@pytest.mark.full
def test_a_curved_reward_needs_two_hidden_units(widths):
    """One unit is no better than a straight line. Two units learn that too long is as bad as too short."""
    models, pairs, fresh = widths
    found = {n: model.evaluate(fresh) for n, model in models.items()}
    line = bt.fit(bt.LinearScorer(2), pairs, backend="numpy").evaluate(fresh)
    assert found[1].accuracy < line.accuracy + 0.05
    assert found[2].accuracy > line.accuracy + 0.08
    left, words = sliders.draw_hidden_width(models, found, pairs, 2)
    assert words == (
        f"2 hidden units: accuracy {found[2].accuracy:.3f}, mean loss {found[2].mean_loss:.4f} on fresh pairs"
    )
    map_, losses = left.figure.axes
    assert map_ is left
    assert losses.lines[0].get_ydata().tolist() == [found[1].mean_loss, found[2].mean_loss]
