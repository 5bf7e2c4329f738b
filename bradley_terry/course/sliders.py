"""The sliders of the lessons: when a slider moves, a picture and a sentence below it change.

Each slider is a function, which a lesson calls as the last line of a cell, with its own data as arguments. Its drawing
is a function of its own, ``draw_…``, which takes the data and the values and returns axes and a sentence. So lessons
can show the same picture without a kernel, and tests can check it without a browser. ipywidgets is imported on first
use.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..drawing import (
    CHOSEN,
    EMPIRICAL,
    LINE_WIDTH,
    LOG_TWO,
    MARKER_SIZE,
    QUIET,
    TEXT_SIZE,
    finish,
    guide,
    new_axes,
    note,
    points,
    signed,
    style,
)
from ..evaluation import Evaluation, reliability
from ..fitting.interrupts import only_whole_fits
from ..gradient_check import StepSweep, step_sweep
from ..logistic import sigmoid
from ..losses import mean_loss, pair_loss_gradients, pair_losses
from ..model import RewardModel
from ..objective import REFERENCE, Objective
from ..pairs import PreferencePairs
from ..plots import plot_loss_and_gradient, plot_reliability
from ..preference import sample_preferences
from ..scorers import LinearScorer, MLPScorer
from ..training import fit
from .naive_forms import NAIVE_FORMS, naive_losses, plot_naive_form
from .play import Drawing, play, widgets_of
from .plots import (
    plot_probability_bar,
    plot_pull_on_rewards,
    plot_reward_map,
    plot_running_means,
    plot_step_sweep,
    plot_tangent,
    plot_temperature,
    plot_widths,
)
from .plots.optimisation import plot_proxy_and_true
from .plots.rankings import LOSSES, plot_ranking_loss
from .plots.training import plot_learning_rate

if TYPE_CHECKING:
    from ipywidgets import VBox

__all__ = [
    "best_of_n",
    "curved_models",
    "curved_world",
    "draw_best_of_n",
    "draw_forms",
    "draw_hidden_width",
    "draw_learning_rate",
    "draw_loss",
    "draw_more_pairs",
    "draw_probability",
    "draw_pull",
    "draw_ranking_loss",
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
    "ranking_loss",
    "shift_and_scale",
    "step",
    "temperature",
]

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
    said = f"Δ = {margin:+.1f}: probability {float(sigmoid(margin)):.4f}, loss {value:.4f}, slope {slope:+.4f}"
    return plot_tangent(margin), said


def loss() -> VBox:
    """Move the margin, and see the loss of the pair and the slope of its tangent."""
    return play(draw_loss, margin=(-6.0, 6.0, 0.1, 0.0))


def draw_shift_and_scale(rewards_chosen: ArrayLike, rewards_rejected: ArrayLike, shift: float, scale: float) -> Drawing:
    """Draw the picture of lesson 3: multiply every reward by α, then add b, and mark the mean loss on both panels.

    Parameters
    ----------
    rewards_chosen, rewards_rejected : array_like, (n_pairs,), log-odds
    shift, scale : float
        b and α.

    Returns
    -------
    (Axes, str)
        On each panel, ``lines[0]`` is the loss; a filled dot marks the loss now, a hollow one the loss at b = 0, α = 1.
    """
    chosen, rejected = np.asarray(rewards_chosen, dtype=np.float64), np.asarray(rewards_rejected, dtype=np.float64)

    def loss_at(b: float, alpha: float) -> float:
        return mean_loss((alpha * chosen + b) - (alpha * rejected + b))

    shifts, scales = np.linspace(-10, 10, 21), np.linspace(0, 4, 41)
    start, now = loss_at(0.0, 1.0), loss_at(shift, scale)
    left, right = new_axes(2, size=(10.0, 4.2), share_y=True)
    against_shift, against_scale = [loss_at(b, scale) for b in shifts], [loss_at(shift, alpha) for alpha in scales]
    with style():
        for ax, x, losses, before, here, label in (
            (left, shifts, against_shift, 0.0, shift, "b added to every reward"),
            (right, scales, against_scale, 1.0, scale, "factor α on every reward"),
        ):
            ax.plot(x, losses, color=EMPIRICAL, linewidth=LINE_WIDTH)
            ax.axhline(LOG_TWO, color=QUIET, linewidth=1.5, linestyle=":", zorder=0)
            ax.plot([here], [now], color=CHOSEN, marker="o", markersize=MARKER_SIZE, zorder=5, clip_on=False)
            points(ax, [before], [start], QUIET, hollow=True)
            ax.set(xlim=(x[0], x[-1]), ylim=(0, 1.1 * max(LOG_TWO, *against_scale)))
            finish(ax, label, "mean loss (nats)")
        guide(left, LOG_TWO, "knowing nothing: log 2")
        note(left, (0.0, start - 0.05), "start", QUIET, ha="center", va="top")
        left.set_title(f"loss against the shift, at α = {scale:.1f}", fontsize=TEXT_SIZE)
        right.set_title(f"loss against the scale, at b = {signed(shift, '.1f')}", fontsize=TEXT_SIZE)
    words = (
        f"every reward times {scale:.1f}, plus {signed(shift, '.1f')}: mean loss {now:.4f} (at the start {start:.4f})"
    )
    return left, words


def shift_and_scale(rewards_chosen: ArrayLike, rewards_rejected: ArrayLike) -> VBox:
    """Change a shift of all rewards, which does not change the mean loss of these pairs, and a scale, which does."""
    draw = partial(draw_shift_and_scale, rewards_chosen, rewards_rejected)
    return play(draw, shift=(-10.0, 10.0, 0.5, 0.0), scale=(0.0, 4.0, 0.1, 1.0))


def draw_temperature(margins: ArrayLike, temperature: float) -> Drawing:
    """Draw the picture of lesson 4: the calibration and the mean loss of margins divided by T.

    Parameters
    ----------
    margins : array_like, (n_pairs,), log-odds
        Measured margins of the answers that people chose.
    temperature : float, above 0
    """
    z = np.asarray(margins, dtype=np.float64) / temperature
    left, right = new_axes(2, size=(10.0, 4.4))
    plot_reliability(reliability(z), ax=left)
    plot_temperature(z * temperature, temperature, ax=right)
    share = float(np.mean(z > 0))
    return left, f"T = {temperature:.1f}: mean loss {mean_loss(z):.4f}; accuracy {share:.4f} for every T"


def temperature(margins: ArrayLike) -> VBox:
    """Divide these margins by T: the accuracy stays, the loss changes."""
    return play(partial(draw_temperature, margins), temperature=(0.2, 10.0, 0.1, 1.0))


def draw_more_pairs(losses: ArrayLike, expected: float, floor: float, pairs: int) -> Drawing:
    """Draw the picture of lesson 5: the mean loss of samples up to now, around the expected loss.

    Parameters
    ----------
    losses : array_like, (n_pairs, n_samples), nats
        The loss of each pair, in the order in which the pairs arrive; each column is one sample.
    expected, floor : float, nats
        The model's expected loss, and the lowest expected loss of any model.
    pairs : int
        How many pairs have arrived by now.
    """
    ax = plot_running_means(losses, expected, floor, now=pairs)
    now = np.asarray(losses, dtype=np.float64)[:pairs].mean(axis=0)
    between = (
        f"the {now.size} samples lie between {now.min():.3f} and {now.max():.3f}, {np.sum(now < floor)} below the floor"
    )
    return ax, f"{pairs:,} pairs: your sample says {now[0]:.3f}; {between}"


def more_pairs(losses: ArrayLike, expected: float, floor: float) -> VBox:
    """Press “+100 pairs”, or move the slider, and see the samples gather around the expected loss.

    The arguments are those of ``draw_more_pairs``; the last press shows all pairs.
    """
    losses = np.asarray(losses, dtype=np.float64)

    def draw(pairs: int) -> Drawing:
        return draw_more_pairs(losses, expected, floor, pairs)

    box = play(draw, pairs=(100, len(losses) // 100 * 100, 100, 100))
    slider, button = box.children[0], widgets_of().Button(description="+100 pairs")

    def more(_: object) -> None:
        slider.value = min(slider.value + 100, slider.max)

    button.on_click(more)
    box.children = (button, *box.children)
    return box


def draw_pull(margin: float) -> Drawing:
    """Draw the picture of lesson 6: the loss and its slope at one margin, and how hard the pair pulls its rewards."""
    left, right = new_axes(2, size=(10.0, 4.4))
    gradient = float(pair_loss_gradients(margin))
    plot_loss_and_gradient(np.linspace(-6, 6, 241), tangent_at=margin, ax=left)
    plot_pull_on_rewards(margin, ax=right)
    words = f"Δ = {margin:+.1f}: loss {float(pair_losses(margin)):.4f}, slope {gradient:+.4f}, pull {-gradient:.4f}"
    return left, words


def pull() -> VBox:
    """Move the margin of a pair from wrong to right, and see its pull fade."""
    return play(draw_pull, margin=(-6.0, 6.0, 0.1, -2.0))


@lru_cache(maxsize=1)
def lesson_sweep() -> StepSweep:
    """Return the data of lesson 7: the error of a central difference for steps of many sizes, for a linear scorer."""
    rng = np.random.default_rng(0)
    true_weights = np.array([1.0, -1.0, 0.5])
    a, b = rng.normal(size=(2, 60, 3))
    a_wins = sample_preferences(a @ true_weights, b @ true_weights, rng)[:, None]
    pairs = PreferencePairs(np.where(a_wins, a, b), np.where(a_wins, b, a))
    return step_sweep(Objective(LinearScorer(3), pairs, backend=REFERENCE), [0.5, -0.5, 1.0])


def draw_step(sweep: StepSweep, exponent: float) -> Drawing:
    """Draw the picture of lesson 7: the errors of central differences, with the step 10^exponent marked."""
    h = 10.0**exponent
    error = float(np.exp(np.interp(np.log(h), np.log(sweep.steps), np.log(np.maximum(sweep.errors, 1e-17)))))
    side = "rounding" if h < sweep.best_step else "truncation"
    ax = plot_step_sweep(sweep.steps, sweep.errors, mark=h, ax=new_axes(size=(10.0, 4.4))[0])
    return ax, f"h = {h:.0e}: error about {error:.0e}, mostly {side}"


def step(sweep: StepSweep) -> VBox:
    """Choose the step of a central difference, from much too short to much too long.

    Parameters
    ----------
    sweep : StepSweep
        The errors of a lesson's own gradient, as ``gradient_check.step_sweep`` returns them.
    """
    return play(partial(draw_step, sweep), exponent=(-13.0, 0.0, 0.25, -2.0))


@lru_cache(maxsize=1)
def curved_world() -> tuple[PreferencePairs, PreferencePairs]:
    """Return 600 pairs for training and 600 for evaluation, with the true reward 2 - x1² + x2: medium length is best.

    The lesson makes pairs of its own. These are the ones in the figure of the folder ``figures``.
    """
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-2, 2, size=(2, 1200, 2))
    true = [2 - x[:, 0] ** 2 + x[:, 1] for x in (a, b)]
    won = sample_preferences(true[0], true[1], rng)[:, None]
    names = ["length", "politeness"]
    pairs = PreferencePairs(np.where(won, a, b), np.where(won, b, a), feature_names=names)
    return pairs.subset(np.arange(600)), pairs.subset(np.arange(600, 1200))


@lru_cache(maxsize=1)
@only_whole_fits()
def curved_models() -> tuple[RewardModel, RewardModel, PreferencePairs]:
    """Return a linear model and one with two hidden units, fitted to the curved world, and their training pairs."""
    pairs = curved_world()[0]
    bent = fit(MLPScorer(2, 2), pairs, l2=1e-3, max_steps=150, backend=REFERENCE)
    return fit(LinearScorer(2), pairs, l2=1e-3, backend=REFERENCE), bent, pairs


def draw_hidden_width(
    models: Mapping[int, RewardModel], found: Mapping[int, Evaluation], pairs: PreferencePairs, hidden_units: int
) -> Drawing:
    """Draw the picture of lesson 8: the reward of the model with this width, and the losses of all widths.

    Parameters
    ----------
    models, found : mappings of a number of hidden units to the model that was fitted, and to its evaluation
    pairs : PreferencePairs
        Their training pairs, of which a few are drawn.
    hidden_units : int
    """
    left, right = new_axes(2, size=(10.0, 4.4))
    plot_reward_map(models[hidden_units].reward, pairs, names=("length", "politeness"), ax=left)
    plot_widths(list(found), [found[width].mean_loss for width in found], mark=hidden_units, ax=right)
    here = found[hidden_units]
    words = f"{hidden_units} hidden unit{'s' * (hidden_units > 1)}"
    return left, f"{words}: accuracy {here.accuracy:.3f}, mean loss {here.mean_loss:.4f} on fresh pairs"


def hidden_width(models: Mapping[int, RewardModel], pairs: PreferencePairs, fresh: PreferencePairs) -> VBox:
    """Choose the number of hidden units, and see how they bend the reward.

    Parameters
    ----------
    models : mapping of a number of hidden units to the model that was fitted
    pairs, fresh : PreferencePairs
        Their training pairs, and fresh pairs on which they are evaluated once, at the start.
    """
    found = {width: model.evaluate(fresh) for width, model in models.items()}
    draw = partial(draw_hidden_width, models, found, pairs)
    return play(draw, hidden_units={str(width): width for width in models})


DTYPES: dict[str, type[np.floating]] = {"float16": np.float16, "float32": np.float32, "float64": np.float64}


FORM_MARGINS = {str(z).replace("-", "−"): float(z) for z in (-800, -100, -20, -5, 0, 5, 10, 20, 50, 100, 500)}


def draw_forms(form: str, dtype: str, margin: float) -> Drawing:
    """Draw the picture of lesson 9: where one form of the loss fails in one floating-point type."""
    (ax,) = new_axes(size=(10.0, 4.4))
    plot_naive_form(form, DTYPES[dtype], mark=margin, ax=ax)
    got = float(naive_losses(form, [margin], DTYPES[dtype])[0])
    return ax, f"Δ = {margin:g} in {dtype}: this form gives {got:.5g}, right is {float(pair_losses(margin)):.5g}"


def forms() -> VBox:
    """Choose how the loss is written, with how many bits it is computed, and at which margin."""
    return play(
        draw_forms,
        form={form: form for form in NAIVE_FORMS},
        dtype={dtype: dtype for dtype in reversed(DTYPES)},
        margin=FORM_MARGINS,
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


def draw_ranking_loss(loss: str, margin: float) -> Drawing:
    """Draw the picture of lesson 11: a loss and its pull at one margin, beside the plain loss."""
    shown = LOSSES[loss]
    words = f"{loss} at Δ = {margin:+.1f}: loss {shown.value(margin)[0]:.4f}, pull {shown.pull(margin)[0]:+.4f}"
    return plot_ranking_loss(loss, margin), f"{words} (plain: {LOSSES['plain'].pull(margin)[0]:+.4f})"


def ranking_loss() -> VBox:
    """Choose a loss, and see its value and its pull along the margin."""
    return play(draw_ranking_loss, loss={name: name for name in LOSSES}, margin=(-4.0, 6.0, 0.1, -1.0))


def draw_best_of_n(proxy_rewards: ArrayLike, true_rewards: ArrayLike, doublings: int) -> Drawing:
    """Draw the picture of lesson 12: of n = 2^doublings answers to a prompt, the one with the highest proxy reward.

    Parameters
    ----------
    proxy_rewards, true_rewards : array_like, (n_prompts, n_answers), log-odds
        Of the same answers. The best of n is chosen among the first n.
    doublings : int
    """
    proxy, true = np.asarray(proxy_rewards, dtype=np.float64), np.asarray(true_rewards, dtype=np.float64)
    sizes = 2 ** np.arange(int(np.log2(proxy.shape[1])) + 1)
    chosen = [np.argmax(proxy[:, :n], axis=1)[:, None] for n in sizes]
    means = [[float(np.take_along_axis(r, best, axis=1).mean()) for best in chosen] for r in (proxy, true)]
    ax = plot_proxy_and_true(sizes, *means, now=doublings, of_n=True)
    now = f"n = {sizes[doublings]}: proxy reward {means[0][doublings]:.2f}, true reward {means[1][doublings]:.2f}"
    return ax, f"{now}; at n = 1 it is {means[1][0]:.2f}"


def best_of_n(proxy_rewards: ArrayLike, true_rewards: ArrayLike) -> VBox:
    """Choose among more and more answers, and compare the reward that chooses with the reward that people give."""
    most = int(np.log2(np.shape(proxy_rewards)[1]))
    return play(partial(draw_best_of_n, proxy_rewards, true_rewards), doublings=(0, most, 1, 0))
