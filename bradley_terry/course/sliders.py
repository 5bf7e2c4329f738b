"""The sliders of the lessons: when a slider moves, a picture and a sentence below it change.

Each slider is a function without arguments, which a lesson calls as the last line of a cell. Its drawing is a function
of its own, ``draw_…``, which takes the values and returns axes and a sentence. So lessons can show the same picture
without a kernel, and tests can check it without a browser. ipywidgets is imported on first use.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from ..drawing import TEXT_SIZE, figure_of, new_axes, style
from ..evaluation import Evaluation, reliability
from ..fitting.interrupts import only_whole_fits
from ..gradient_check import StepSweep, step_sweep
from ..logistic import Array, sigmoid
from ..losses import mean_loss, pair_loss_gradients, pair_losses
from ..model import RewardModel
from ..objective import REFERENCE, Objective
from ..pairs import PreferencePairs
from ..plots import plot_loss_and_gradient, plot_reliability
from ..preference import expected_loss, loss_floor, sample_preferences
from ..scorers import LinearScorer, MLPScorer
from ..training import fit
from .naive_forms import NAIVE_FORMS, plot_naive_form
from .plots import (
    plot_empirical_and_expected,
    plot_probability_bar,
    plot_pulls,
    plot_reward_map,
    plot_scaling,
    plot_shift_invariance,
    plot_step_sweep,
    plot_temperature,
)
from .training_plots import plot_learning_rate

if TYPE_CHECKING:
    from ipywidgets import VBox

__all__ = [
    "confidence_world",
    "curved_models",
    "curved_world",
    "draw_forms",
    "draw_hidden_width",
    "draw_learning_rate",
    "draw_loss",
    "draw_more_pairs",
    "draw_probability",
    "draw_pull",
    "draw_shift_and_scale",
    "draw_step",
    "draw_temperature",
    "forms",
    "hidden_width",
    "learning_rate",
    "lesson_sweep",
    "loss",
    "more_pairs",
    "play",
    "probability",
    "pull",
    "shift_and_scale",
    "step",
    "temperature",
]

Drawing = tuple[Axes, str]

NATURAL_SIZE = {"align_self": "flex-start", "max_width": "100%"}  # otherwise JupyterLab makes it taller than a screen


def play(draw: Callable[..., Drawing], **controls: tuple[float, float, float, float] | Mapping[str, object]) -> VBox:
    """Make a widget: one slider or selector for each argument of ``draw``, the picture, and the sentence below it.

    Parameters
    ----------
    draw : callable, (**values) -> (axes, sentence)
    **controls : (smallest, largest, step, start), or a mapping of words to values
        One for each argument of ``draw``, in order; underscores in its name become spaces.

    Raises
    ------
    ModuleNotFoundError
        If ipywidgets is not installed.
    """
    widgets = _widgets()
    inputs: dict[str, Any] = {}
    for name, control in controls.items():
        words = name.replace("_", " ")
        common = {"description": words, "style": {"description_width": "initial"}, "layout": {"width": "34em"}}
        if isinstance(control, Mapping):
            inputs[name] = widgets.Dropdown(options=list(control.items()), **common)
        else:
            low, high, step_size, start = control
            kind = widgets.IntSlider if all(isinstance(value, int) for value in control) else widgets.FloatSlider
            inputs[name] = kind(value=start, min=low, max=high, step=step_size, **common)
    picture, sentence = widgets.Image(format="png", layout=NATURAL_SIZE), widgets.Label()
    places: list[Bbox] = []

    def redraw(_: object = None) -> None:
        ax, words = draw(**{name: widget.value for name, widget in inputs.items()})
        picture.value, sentence.value = _png(ax, places), words

    for widget in inputs.values():
        widget.observe(redraw, names="value")
    redraw()
    return _box()([*inputs.values(), picture, sentence])


@lru_cache(maxsize=1)
def _box() -> Any:
    class Play(_widgets().VBox):  # type: ignore[misc]
        """A box that describes itself in plain text for readers without a running kernel."""

        def __repr__(self) -> str:
            return "a slider: it needs a running kernel; the figures of this lesson need none"

    return Play


def _widgets() -> Any:
    try:
        import ipywidgets  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'sliders need ipywidgets: python -m pip install "bradley_terry[course]"; the figures work without it'
        ) from None
    return ipywidgets


def _png(ax: Axes, places: list[Bbox]) -> bytes:
    """Return the picture as PNG, with its panels where the first picture had them.

    This halves the time, and the panels do not jump. ``places`` is empty before the first picture, which fills it.
    """
    figure, buffer = figure_of(ax), io.BytesIO()
    with style():
        if places:
            figure.set_layout_engine("none")
            for panel, place in zip(figure.axes, places, strict=True):
                panel.set_position(place)
        figure.savefig(buffer, format="png", dpi=72)
    places[:] = [panel.get_position() for panel in figure.axes]
    return buffer.getvalue()


# ------------------------------------------------------------------------------------------------ lesson by lesson


def draw_probability(reward_a: float, reward_b: float) -> Drawing:
    """Draw the picture of lesson 1: two rewards, one probability."""
    delta = reward_a - reward_b
    p = float(sigmoid(delta))
    return plot_probability_bar(reward_a, reward_b), f"margin {delta:+.2f}: a is preferred with probability {p:.4f}"


def probability() -> VBox:
    """Move two rewards, and see when the probability changes and when it does not."""
    return play(draw_probability, reward_a=(-5.0, 5.0, 0.1, 2.0), reward_b=(-5.0, 5.0, 0.1, 1.0))


def draw_loss(margin: float) -> Drawing:
    """Draw the picture of lesson 2: the loss at one margin, with its tangent."""
    value, slope = float(pair_losses(margin)), float(pair_loss_gradients(margin))
    ax = plot_loss_and_gradient(np.linspace(-6, 6, 241), tangent_at=margin)
    return ax, f"Δ = {margin:+.1f}: probability {float(sigmoid(margin)):.4f}, loss {value:.4f}, slope {slope:+.4f}"


def loss() -> VBox:
    """Move the margin along the loss."""
    return play(draw_loss, margin=(-6.0, 6.0, 0.1, 0.0))


_CHOSEN, _REJECTED = np.array([2.0, 1.5, 3.0, 0.5]), np.array([1.0, 1.0, 2.0, 1.0])


def draw_shift_and_scale(shift: float, scale: float) -> Drawing:
    """Draw the picture of lesson 3: add c to every reward, multiply every reward by α."""
    left, right = new_axes(2, size=(11.0, 4.2), share_y=True)
    plot_shift_invariance(_CHOSEN * scale, _REJECTED * scale, np.linspace(-10, 10, 41), ax=left)
    plot_scaling(_CHOSEN + shift, _REJECTED + shift, np.linspace(0, 6, 61), ax=right)
    value = mean_loss((_CHOSEN * scale + shift) - (_REJECTED * scale + shift))
    left.set_title(f"all rewards × {scale:.1f}, then shifted", fontsize=TEXT_SIZE)
    right.set_title(f"all rewards {shift:+.1f}, then scaled".replace("-", "−"), fontsize=TEXT_SIZE)
    left.axvline(shift, color="0.4", linewidth=1.5)
    right.axvline(scale, color="0.4", linewidth=1.5)
    return left, f"every reward times {scale:.1f}, plus {shift:+.1f}: mean loss {value:.4f}"


def shift_and_scale() -> VBox:
    """Change a shift, which does not change the loss, and a scale, which does."""
    return play(draw_shift_and_scale, shift=(-10.0, 10.0, 0.5, 0.0), scale=(0.0, 6.0, 0.1, 1.0))


@lru_cache(maxsize=1)
def confidence_world() -> Array:
    """Return 2,000 margins, Δ = 3Δ*, of the answers that people chose: the model is overconfident by a factor of 3."""
    rng = np.random.default_rng(4)
    true = rng.normal(0.0, 1.2, 2000)
    a_wins = sample_preferences(true, 0.0, rng)
    margins: Array = 3 * np.where(a_wins, true, -true)
    margins.flags.writeable = False
    return margins


def draw_temperature(temperature: float) -> Drawing:
    """Draw the picture of lesson 4: the calibration and the loss of margins divided by T."""
    z = confidence_world() / temperature
    left, right = new_axes(2, size=(11.0, 4.6))
    plot_reliability(reliability(z), ax=left)
    plot_temperature(confidence_world(), temperature, ax=right)
    share = float(np.mean(z > 0))
    return left, f"T = {temperature:.1f}: mean loss {mean_loss(z):.4f}; accuracy {share:.4f} for every T"


def temperature() -> VBox:
    """Divide all margins by T: the accuracy stays, the loss changes."""
    return play(draw_temperature, temperature=(0.2, 10.0, 0.1, 1.0))


@lru_cache(maxsize=1)
def _sample(n: int = 20_000) -> tuple[Array, Array, float, float, float]:
    rng = np.random.default_rng(5)
    true = rng.normal(0.0, 1.5, 500)
    drawn = rng.integers(500, size=(n, 20))
    wins = np.where(sample_preferences(true[drawn], 0.0, rng), 1.0, -1.0)
    losses = pair_losses(2 * true[drawn] * wins)
    means = np.cumsum(losses, axis=0) / np.arange(1, n + 1)[:, None]
    return means, losses[:, 0], expected_loss(true, 2 * true), loss_floor(true), float(losses.std())


def draw_more_pairs(hundreds: int) -> Drawing:
    """Draw the picture of lesson 5: twenty samples of n pairs each, around the expected loss."""
    means, _, expected, floor, spread = _sample()
    sizes = np.unique(np.round(np.logspace(1, np.log10(100 * hundreds), 12)).astype(int))
    ax = plot_empirical_and_expected(sizes, means[sizes - 1], expected, floor, spread=spread)
    last = means[100 * hundreds - 1]
    words = f"{100 * hundreds:,} pairs: 20 samples lie between {last.min():.4f} and {last.max():.4f}"
    return ax, f"{words}; expected {expected:.4f}, floor {floor:.4f}"


def more_pairs() -> VBox:
    """Press “+100 pairs” and see the empirical losses gather around the expected loss."""
    widgets = _widgets()
    button, reset = widgets.Button(description="+100 pairs"), widgets.Button(description="start again")
    picture, sentence = widgets.Image(format="png", layout=NATURAL_SIZE), widgets.Label()
    count = [1]
    places: list[Bbox] = []

    def redraw() -> None:
        ax, words = draw_more_pairs(count[0])
        picture.value, sentence.value = _png(ax, places), words

    def more(_: object) -> None:
        count[0] = min(count[0] + 1, 200)
        redraw()

    def again(_: object) -> None:
        count[0] = 1
        redraw()

    button.on_click(more)
    reset.on_click(again)
    redraw()
    return _box()([widgets.HBox([button, reset]), picture, sentence])


def draw_pull(margin: float) -> Drawing:
    """Draw the picture of lesson 6: how hard a pair pulls."""
    gradient = float(pair_loss_gradients(margin))
    words = f"Δ = {margin:+.1f}: loss {float(pair_losses(margin)):.4f}, slope {gradient:+.4f}, pull {-gradient:.4f}"
    return plot_pulls([margin]), words


def pull() -> VBox:
    """Move the margin of a pair from wrong to right, and see its pull fade."""
    return play(draw_pull, margin=(-6.0, 6.0, 0.1, -2.0))


@lru_cache(maxsize=1)
def lesson_sweep() -> StepSweep:
    """Return the data of lesson 7: the error of a central difference of one MLP parameter for steps of many sizes."""
    rng = np.random.default_rng(7)
    scorer = MLPScorer(3, 4)
    chosen, rejected = rng.normal(size=(2, 30, 3))
    objective = Objective(scorer, PreferencePairs(chosen, rejected), backend=REFERENCE)
    return step_sweep(objective, rng.normal(size=scorer.n_parameters))


def draw_step(exponent: float) -> Drawing:
    """Draw the picture of lesson 7: the error of a central difference with the step 10^exponent."""
    sweep, h = lesson_sweep(), 10.0**exponent
    error = float(np.exp(np.interp(np.log(h), np.log(sweep.steps), np.log(np.maximum(sweep.errors, 1e-17)))))
    side = "rounding" if h < sweep.best_step else "truncation"
    return plot_step_sweep(sweep.steps, sweep.errors, mark=h), f"h = {h:.0e}: error about {error:.0e}, mostly {side}"


def step() -> VBox:
    """Choose the step of a central difference, from much too short to much too long."""
    return play(draw_step, exponent=(-13.0, 0.0, 0.25, -2.0))


WIDTHS = (1, 2, 4, 8, 16)


@lru_cache(maxsize=2)
def curved_world(n: int = 600) -> tuple[PreferencePairs, PreferencePairs]:
    """Return n pairs for training and 600 for evaluation, with the true reward 2 - x1² + x2: medium length is best."""
    rng = np.random.default_rng(0 if n == 600 else n)
    a, b = rng.uniform(-2, 2, size=(2, n + 600, 2))
    true = [2 - x[:, 0] ** 2 + x[:, 1] for x in (a, b)]
    won = sample_preferences(true[0], true[1], rng)[:, None]
    names = ["length", "politeness"]
    pairs = PreferencePairs(np.where(won, a, b), np.where(won, b, a), feature_names=names)
    return pairs.subset(np.arange(n)), pairs.subset(np.arange(n, n + 600))


@lru_cache(maxsize=len(WIDTHS))
@only_whole_fits()
def _fitted(n_hidden: int) -> RewardModel:
    return fit(MLPScorer(2, n_hidden), curved_world()[0], l2=1e-3, max_steps=150, backend=REFERENCE)


@lru_cache(maxsize=len(WIDTHS))
def _evaluated(n_hidden: int) -> Evaluation:
    return _fitted(n_hidden).evaluate(curved_world()[1])


@only_whole_fits()
def curved_models() -> tuple[RewardModel, RewardModel, PreferencePairs]:
    """Return a linear model and one with two hidden units, fitted to the curved world, and their training pairs."""
    pairs = curved_world()[0]
    return fit(LinearScorer(2), pairs, l2=1e-3, backend=REFERENCE), _fitted(2), pairs


def draw_hidden_width(n_hidden: int) -> Drawing:
    """Draw the picture of lesson 8: the reward that an MLP with ``n_hidden`` units has learned."""
    model, found = _fitted(n_hidden), _evaluated(n_hidden)
    ax = plot_reward_map(model.reward, curved_world()[0], names=("length", "politeness"))
    return (
        ax,
        f"{n_hidden} hidden unit{'s' * (n_hidden > 1)}: accuracy {found.accuracy:.3f}, mean loss {found.mean_loss:.4f} "
        "on fresh pairs",
    )


def hidden_width() -> VBox:
    """Choose the number of hidden units, and see how they bend the reward."""
    return play(draw_hidden_width, n_hidden={str(width): width for width in WIDTHS})


DTYPES: dict[str, type[np.floating]] = {"float16": np.float16, "float32": np.float32, "float64": np.float64}


def draw_forms(form: str, dtype: str) -> Drawing:
    """Draw the picture of lesson 9: where one form of the loss fails in one floating-point type."""
    return plot_naive_form(form, DTYPES[dtype]), f"{form} in {dtype}: {NAIVE_FORMS[form]}"


def forms() -> VBox:
    """Choose how the loss is written, and with how many bits it is computed."""
    return play(
        draw_forms, form={form: form for form in NAIVE_FORMS}, dtype={dtype: dtype for dtype in reversed(DTYPES)}
    )


RATES = 10.0 ** np.arange(-3, 2.01, 0.25)
"""The learning rates of lesson 10, from much too small to much too large."""
STEPS = 50


@lru_cache(maxsize=2)
@only_whole_fits()
def _fits(training: PreferencePairs, held_out: PreferencePairs) -> dict[float, RewardModel]:
    """Fit a linear scorer by gradient descent with each learning rate, ``STEPS`` steps from φ = 0."""
    scorer, fits = LinearScorer(training.n_features), {}
    for rate in RATES.tolist():
        fits[rate] = fit(
            scorer, training, method="gradient_descent", learning_rate=rate, validation=held_out, max_steps=STEPS,
            patience=STEPS, tolerance=0.0, backend=REFERENCE,
        )  # fmt: skip
    return fits


def draw_learning_rate(training: PreferencePairs, held_out: PreferencePairs, exponent: float) -> Drawing:
    """Draw the picture of lesson 10: fifty steps of gradient descent with the learning rate 10^exponent."""
    fits = _fits(training, held_out)
    rate = float(RATES[np.abs(np.log10(RATES) - exponent).argmin()])
    losses = fits[rate].history["loss"]
    n_rises = int(np.count_nonzero(np.diff(losses) > 0))
    ax = plot_learning_rate(fits[rate], rate, RATES, [fits[each].history["loss"][-1] for each in RATES.tolist()])
    words = f"rate {rate:.3g}: the training loss ends at {losses[-1]:.4f} and rises in {n_rises} of {STEPS} steps"
    return ax, words


def learning_rate(training: PreferencePairs, held_out: PreferencePairs) -> VBox:
    """Choose the learning rate of real fits to these pairs, and see where each one ends."""
    return play(partial(draw_learning_rate, training, held_out), exponent=(-3.0, 2.0, 0.25, -3.0))
