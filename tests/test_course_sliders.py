"""Every slider changes its picture and its sentence."""

from __future__ import annotations

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.course import sliders

LOSSES = 0.6 + 0.3 * np.cos(np.arange(450)[:, None] * np.array([1.0, 2.0, 3.0]))  # three samples of 450 pairs
START = {
    "draw_probability": (2.0, -0.2),
    "draw_loss": (1.5,),
    "draw_shift_and_scale": (3.0, 1.0),
    "draw_temperature": (3.0,),
    "draw_more_pairs": (LOSSES, 0.6, 0.5, 100),
    "draw_pull": (-2.0,),
    "draw_step": (-5.0,),
    "draw_hidden_width": (2,),
    "draw_forms": ("log(1 + exp(-z))", "float32"),
}
DATA = {"draw_more_pairs": (LOSSES, 0.6, 0.5)}  # what the lesson passes to a slider
SAYS = {  # numbers from the formulas, by hand
    "draw_probability": "margin +2.20: a is preferred with probability 0.9002",
    "draw_loss": "Δ = +1.5: probability 0.8176, loss 0.2014, slope -0.1824",
    "draw_shift_and_scale": "every reward times 1.0, plus +3.0: mean loss 0.5187",
    "draw_more_pairs": "100 pairs: your sample says",
    "draw_pull": "Δ = -2.0: loss 2.1269, slope -0.8808, pull 0.8808",
    "draw_forms": "overflows",
    "draw_step": "h = 1e-05",
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.full) if name == "draw_hidden_width" else name for name in START]
)
def test_every_drawing_has_axes_and_a_sentence(name):
    """The sentence holds the numbers that the formula gives."""
    ax, words = getattr(sliders, name)(*START[name])
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
    still = {sliders.draw_shift_and_scale(c, 1.0)[1].partition("mean loss")[2] for c in (-10.0, 0.0, 7.5)}
    assert still == {" 0.5187"}
    assert "0.6931" in sliders.draw_shift_and_scale(0.0, 0.0)[1]


def test_the_temperature_that_undoes_the_world_is_three():
    """The margins are three times the true ones, so the loss has its minimum near T = 3."""
    grid = np.arange(1.0, 6.0, 0.1)
    losses = [bt.mean_loss(sliders.confidence_world() / t) for t in grid]
    assert grid[int(np.argmin(losses))] == pytest.approx(3.0, abs=0.35)


@pytest.mark.full
def test_a_curved_reward_needs_two_hidden_units():
    """One unit is no better than a straight line. Two units learn that too long is as bad as too short."""
    training, fresh = sliders.curved_world()
    line = bt.fit(bt.LinearScorer(2), training, backend="numpy").evaluate(fresh)
    accuracies = [float(sliders.draw_hidden_width(width)[1].split()[4].rstrip(",")) for width in (1, 2)]
    assert accuracies[0] < line.accuracy + 0.05
    assert accuracies[1] > line.accuracy + 0.08
