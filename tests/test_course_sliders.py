"""Every slider changes its picture and its sentence."""

from __future__ import annotations

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.course import sliders

START = {
    "draw_probability": (2.0, -0.2),
    "draw_loss": (1.5,),
    "draw_shift_and_scale": (3.0, 1.0),
    "draw_temperature": (3.0,),
    "draw_more_pairs": (1,),
    "draw_pull": (-2.0,),
    "draw_step": (-5.0,),
    "draw_hidden_width": (2,),
    "draw_forms": ("log(1 + exp(-z))", "float32", -100.0),
    "draw_ranking_loss": ("hinge", 0.5),
}
SAYS = {  # numbers from the formulas, by hand
    "draw_probability": "margin +2.20: a is preferred with probability 0.9002",
    "draw_loss": "Δ = +1.5: probability 0.8176, loss 0.2014, slope -0.1824",
    "draw_shift_and_scale": "every reward times 1.0, plus +3.0: mean loss 0.5187",
    "draw_pull": "Δ = -2.0: loss 2.1269, slope -0.8808, pull 0.8808",
    "draw_forms": "Δ = -100 in float32: this form gives inf, right is 100",
    "draw_ranking_loss": "hinge at Δ = +0.5: loss 0.5000, pull +1.0000 (plain: +0.3775)",
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
        box = getattr(sliders, name.removeprefix("draw_"))()
        *inputs, picture, sentence = box.children
        before = bytes(picture.value), sentence.value
        control = inputs[0]
        if name == "draw_more_pairs":
            control.children[0].click()
        elif hasattr(control, "options"):
            control.value = control.options[-1][1]
        else:
            control.value = control.value + (control.max - control.value) / 2
        assert bytes(picture.value) != before[0], name
        assert sentence.value != before[1], name
        assert bytes(picture.value).startswith(b"\x89PNG")
        assert repr(box).startswith("a slider: it needs a running kernel")


@pytest.mark.full
def test_more_pairs_counts_and_starts_again():
    """Each press adds 100 pairs, and the other button goes back to 100."""
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
    box = sliders.more_pairs()
    more, again = box.children[0].children
    more.click()
    assert box.children[-1].value.startswith("200 pairs")
    again.click()
    assert box.children[-1].value.startswith("100 pairs")


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
