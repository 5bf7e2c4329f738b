"""Every slider changes its picture and its sentence."""

from __future__ import annotations

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.course import sliders

CHOSEN, REJECTED = np.array([2.0, 1.5, 3.0, 0.5]), np.array([1.0, 1.0, 2.0, 1.0])  # mean loss 0.5187
MARGINS = 4 * np.array([1.2, 0.5, -0.3, 2.0, -1.0, 0.8])
DATA = {"draw_shift_and_scale": (CHOSEN, REJECTED), "draw_temperature": (MARGINS,)}  # what the lesson hands over
START = {
    "draw_probability": (2.0, -0.2),
    "draw_loss": (1.5,),
    "draw_shift_and_scale": (3.0, 1.0),
    "draw_temperature": (3.0,),
    "draw_more_pairs": (1,),
    "draw_pull": (-2.0,),
    "draw_step": (-5.0,),
    "draw_hidden_width": (2,),
    "draw_forms": ("log(1 + exp(-z))", "float32"),
}
SAYS = {  # numbers from the formulas, by hand
    "draw_probability": "margin +2.20: a is preferred with probability 0.9002",
    "draw_loss": "Δ = +1.5: probability 0.8176, loss 0.2014, slope -0.1824",
    "draw_shift_and_scale": "every reward times 1.0, plus 3.0: mean loss 0.5187 (at the start 0.5187)",
    "draw_temperature": "T = 3.0: mean loss 0.5736; accuracy 0.6667 for every T",
    "draw_pull": "Δ = -2.0: loss 2.1269, slope -0.8808, pull 0.8808",
    "draw_forms": "overflows",
    "draw_step": "h = 1e-05",
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.full) if name == "draw_hidden_width" else name for name in START]
)
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


@pytest.mark.full
def test_a_curved_reward_needs_two_hidden_units():
    """One unit is no better than a straight line. Two units learn that too long is as bad as too short."""
    training, fresh = sliders.curved_world()
    line = bt.fit(bt.LinearScorer(2), training, backend="numpy").evaluate(fresh)
    accuracies = [float(sliders.draw_hidden_width(width)[1].split()[4].rstrip(",")) for width in (1, 2)]
    assert accuracies[0] < line.accuracy + 0.05
    assert accuracies[1] > line.accuracy + 0.08
