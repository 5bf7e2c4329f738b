"""Every slider moves picture and sentence; every lesson plot draws its formula."""

from __future__ import annotations

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.course import plots, sliders

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
    "draw_shift_and_scale": "every reward times 1.0, plus +3.0: mean loss 0.5187",
    "draw_pull": "Δ = -2.0: loss 2.1269, slope -0.8808, pull 0.8808",
    "draw_forms": "overflows",
    "draw_step": "h = 1e-05",
}


@pytest.mark.parametrize("name", START)
def test_every_drawing_has_axes_and_a_sentence(name):
    """The sentence holds the numbers that the formula gives."""
    ax, words = getattr(sliders, name)(*START[name])
    assert ax.figure.axes
    assert SAYS.get(name, "") in words
    assert "nan" not in words


def test_every_slider_moves_picture_and_sentence():
    """In plain Python: a widget's value is set, its observers run."""
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


def test_more_pairs_counts_and_starts_again():
    """100 pairs a push, and back to 100."""
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
    box = sliders.more_pairs()
    more, again = box.children[0].children
    more.click()
    more.click()
    assert box.children[-1].value.startswith("300 pairs")
    again.click()
    assert box.children[-1].value.startswith("100 pairs")


def test_a_shift_changes_nothing_and_a_scale_does():
    """The sentence of lesson 3's slider."""
    still = {sliders.draw_shift_and_scale(c, 1.0)[1].partition("mean loss")[2] for c in (-10.0, 0.0, 7.5)}
    assert still == {" 0.5187"}
    assert "0.6931" in sliders.draw_shift_and_scale(0.0, 0.0)[1]


def test_the_temperature_that_undoes_the_world_is_three():
    """Margins are three times the true ones: the loss is least near T = 3, and accuracy never moves."""
    grid = np.arange(1.0, 6.0, 0.1)
    losses = [bt.mean_loss(sliders.confidence_world() / t) for t in grid]
    assert grid[int(np.argmin(losses))] == pytest.approx(3.0, abs=0.35)


def test_a_curved_reward_needs_two_hidden_units():
    """One unit does no better than a straight line; two see that too long is as bad as too short."""
    training, fresh = sliders.curved_world()
    line = bt.fit(bt.LinearScorer(2), training, backend="numpy").evaluate(fresh)
    accuracies = [float(sliders.draw_hidden_width(width)[1].split()[4].rstrip(",")) for width in (1, 2)]
    assert accuracies[0] < line.accuracy + 0.05
    assert accuracies[1] > line.accuracy + 0.08


def test_preference_probability_and_pulls_are_drawn_as_computed():
    """Curves and points carry σ(Δ) and 1 - σ(Δ)."""
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


def test_temperature_curve_is_the_mean_loss():
    """At each T the mean of log(1 + exp(-Δ/T))."""
    z = np.array([1.0, -2.0, 3.0])
    t, losses = plots.plot_temperature(z, 2.0).lines[0].get_xydata().T
    np.testing.assert_allclose(losses, [np.mean(np.log1p(np.exp(-z / each))) for each in t], rtol=1e-9)


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
    """Overflow at 709.78, 88.72 and 11.09; σ is 1 from 16.6 in float32."""
    assert what(plots.naive_losses(form, [margin], dtype)[0])


def test_naive_form_plot_hatches_what_failed():
    """One band per kind of failure; the stable form has none; unknown forms are refused."""
    assert len(plots.plot_naive_form("log(1 + exp(-z))", np.float32).patches) >= 1
    assert len(plots.plot_naive_form("max(-z, 0) + log1p(exp(-|z|))", np.float32).patches) == 0
    with pytest.raises(ValueError, match=r"^form: expected one of"):
        plots.naive_losses("exp", [0.0])


def test_reward_map_is_centred_and_draws_pairs():
    """A shift means nothing, so it is taken out; 15 pairs at most, two points each."""
    pairs, _ = sliders.curved_world()
    ax = plots.plot_reward_map(lambda x: 100 + x[:, 0], pairs)
    assert len(ax.lines) == 30
    assert max(abs(level) for level in ax.collections[0].levels) < 3
