"""Pictures that only the lessons need, in the style and with the conventions of ``bradley_terry.plots``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from ..drawing import (
    CHOSEN,
    EMPIRICAL,
    EXPECTED,
    LINE_WIDTH,
    LOG_TWO,
    MARKER_SIZE,
    QUIET,
    REJECTED,
    TEXT_SIZE,
    corner,
    finish,
    given_or_new,
    guide,
    label_ends,
    note,
    numbers,
    points,
    signed,
    style,
)
from ..logistic import Array, logit
from ..losses import mean_loss, pair_loss_gradients, pair_losses
from ..pairs import PreferencePairs
from .choice_plots import plot_loss_shapes, plot_preference_probability, plot_probability_bar, plot_tangent
from .naive_forms import NAIVE_FORMS, naive_losses, plot_naive_form
from .optimisation_plots import plot_proxy_and_true

__all__ = [
    "NAIVE_FORMS",
    "naive_losses",
    "plot_confidence",
    "plot_empirical_and_expected",
    "plot_expected_loss_of_margin",
    "plot_loss_shapes",
    "plot_loss_tail",
    "plot_naive_form",
    "plot_preference_probability",
    "plot_probability_bar",
    "plot_proxy_and_true",
    "plot_pull_on_rewards",
    "plot_pulls",
    "plot_reward_map",
    "plot_reward_model",
    "plot_rewards_by_prompt",
    "plot_running_means",
    "plot_scaling",
    "plot_shift_invariance",
    "plot_step_sweep",
    "plot_tangent",
    "plot_temperature",
    "plot_widths",
]


@style()
def plot_shift_invariance(
    rewards_chosen: ArrayLike, rewards_rejected: ArrayLike, shifts: ArrayLike, *, ax: Axes | None = None
) -> Axes:
    """Draw the mean loss after adding b to every reward. It is flat, since only differences of rewards matter.

    Parameters
    ----------
    rewards_chosen, rewards_rejected : array_like, (n_pairs,), log-odds
    shifts : array_like, (n,), log-odds
        The shifts b, in increasing order.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the mean loss against b.
    """
    r_chosen, r_rejected = _rewards(rewards_chosen, rewards_rejected)
    b = numbers(shifts, "shifts")
    losses = np.array([mean_loss((r_chosen + s) - (r_rejected + s)) for s in b])
    ax = given_or_new(ax)
    ax.plot(b, losses, color=EMPIRICAL, linewidth=LINE_WIDTH)
    here = mean_loss(r_chosen - r_rejected)
    points(ax, [0.0], [here], EMPIRICAL)
    note(ax, (0.0, here + 0.03), f"no shift: {here:.4f}", EMPIRICAL, ha="center", va="bottom")
    ax.set(xlim=(float(b[0]), float(b[-1])), ylim=(0, max(0.9, 1.3 * here)))
    guide(ax, LOG_TWO, "knowing nothing: log 2")
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    return finish(ax, "b added to every reward (log-odds)", "mean loss (nats)")


@style()
def plot_scaling(
    rewards_chosen: ArrayLike, rewards_rejected: ArrayLike, factors: ArrayLike, *, ax: Axes | None = None
) -> Axes:
    """Draw the mean loss after multiplying every reward by α. The order of the answers stays, but the loss changes.

    Parameters
    ----------
    rewards_chosen, rewards_rejected : array_like, (n_pairs,), log-odds
    factors : array_like, (n,)
        The factors α, in increasing order. A model with α = 0 knows nothing: log 2.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the mean loss against α.
    """
    r_chosen, r_rejected = _rewards(rewards_chosen, rewards_rejected)
    alpha = numbers(factors, "factors")
    losses = np.array([mean_loss(a * r_chosen - a * r_rejected) for a in alpha])
    ax = given_or_new(ax)
    ax.plot(alpha, losses, color=EMPIRICAL, linewidth=LINE_WIDTH)
    here, lowest = mean_loss(r_chosen - r_rejected), int(losses.argmin())
    points(ax, [1.0], [here], EMPIRICAL)
    if abs(float(alpha[lowest]) - 1) > 0.5:  # otherwise the note at the minimum says it already
        note(ax, (1.1, here + 0.025), f"no scaling: {here:.4f}", EMPIRICAL, va="bottom")
    if 0 < lowest < len(alpha) - 1:  # otherwise all pairs are ranked correctly, and the loss never stops falling
        x, y = float(alpha[lowest]), float(losses[lowest])
        points(ax, [x], [y], EMPIRICAL, hollow=True)
        below = y > 0.12
        place, va = (x, y - 0.04 if below else y + 0.04), "top" if below else "bottom"
        note(ax, place, f"minimum at α = {x:.1f}: {y:.4f}", EMPIRICAL, ha="center", va=va)
    ax.set(xlim=(float(alpha[0]), float(alpha[-1])), ylim=(0, max(0.9, 1.05 * float(losses.max()))))
    guide(ax, LOG_TWO, "knowing nothing: log 2", x=0.12, ha="left")
    ax.yaxis.set_major_locator(MaxNLocator(5))
    return finish(ax, "factor α on every reward", "mean loss (nats)")


@style()
def plot_rewards_by_prompt(rewards: ArrayLike, prompts: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """Draw the rewards of all answers, one column for each prompt, with the best answer of each prompt named.

    Parameters
    ----------
    rewards : array_like, (n_answers,), log-odds
    prompts : array_like of int, (n_answers,)
        The number of each answer's prompt.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[k]`` joins the answers to the k-th prompt.
    """
    r, x = numbers(rewards, "rewards"), numbers(prompts, "prompts")
    if r.shape != x.shape:
        raise ValueError(f"prompts: expected shape {r.shape}, one for each answer, got {x.shape}")
    ax = given_or_new(ax, size=(5.0, 4.4))
    numbered = np.unique(x)
    for k, prompt in enumerate(numbered):
        own = np.sort(r[x == prompt])
        ax.plot(np.full(own.shape, k), own, color=EMPIRICAL, marker="os^D"[k % 4], markersize=MARKER_SIZE, linewidth=1)
        note(ax, (k + 0.12, float(own[-1])), signed(float(own[-1]), ".2f"), EMPIRICAL)
    ax.set(xlim=(-0.5, len(numbered) - 0.2), xticks=range(len(numbered)))
    ax.set_xticklabels([f"{prompt:g}" for prompt in numbered])
    return finish(ax, "prompt", "reward (log-odds)")


def _rewards(rewards_chosen: ArrayLike, rewards_rejected: ArrayLike) -> tuple[Array, Array]:
    r_chosen, r_rejected = numbers(rewards_chosen, "rewards_chosen"), numbers(rewards_rejected, "rewards_rejected")
    if r_chosen.shape != r_rejected.shape:
        shape = r_chosen.shape
        raise ValueError(f"rewards_rejected: expected shape {shape}, one for each pair, got {r_rejected.shape}")
    return r_chosen, r_rejected


@style()
def plot_confidence(
    probabilities: ArrayLike | None = None, *, marks: Sequence[float] = (0.9, 0.6, 0.1), ax: Axes | None = None
) -> Axes:
    """Draw -log p against p, the probability that the model gave to the choice that was made.

    Since sigma(logit(p)) = p, -log p is the loss of the margin Δ = logit(p).

    Parameters
    ----------
    probabilities : array_like, (n,), optional, in (0, 1)
        Where to draw, in increasing order; by default from .005 to .999.
    marks : sequence of float, in (0, 1)
        Points to mark and name: confident and right, unsure, confident and wrong.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the loss.
    """
    p = np.linspace(0.005, 0.999, 498) if probabilities is None else numbers(probabilities, "probabilities")
    if not ((p > 0) & (p < 1)).all():
        raise ValueError("probabilities: expected numbers between 0 and 1, P given to the choice that was made")
    ax = given_or_new(ax)
    ax.plot(p, pair_losses(logit(p)), color=EXPECTED, linewidth=LINE_WIDTH)
    for mark in marks:
        y, color = float(pair_losses(logit(mark))), _mark_confidence(ax, mark, mark)
        words = f"{_confidence(mark)}\nP = {mark:g}: loss {y:.3f}"
        if mark < 0.25:
            note(ax, (mark + 0.035, y), words, color, va="bottom")
            continue
        height = max(0.7 + 3.2 * (0.9 - mark), y + 0.35)  # higher to the left, clear of the curve and each other
        ax.plot([mark, mark], [y, height - 0.05], color=QUIET, linewidth=1, linestyle=":")
        if mark > 0.65:  # words that start here would not end inside the axes
            note(ax, (1.0, height), words, color, ha="right", va="bottom")
        else:
            note(ax, (mark - 0.02, height), words, color, va="bottom")
    ax.set(xlim=(0, 1), ylim=(0, 5.5))
    return finish(ax, "probability P given to the choice made", "loss −log P (nats)")


@style()
def plot_loss_tail(
    margins: ArrayLike | None = None, *, marks: Sequence[float] = (0.9, 0.6, 0.1), ax: Axes | None = None
) -> Axes:
    """Draw -log sigma(Δ) down to very negative Δ, where it approaches the straight line -Δ and has no upper limit.

    Parameters
    ----------
    margins : array_like, (n,), optional, log-odds
        Where to draw, in increasing order; by default from -10 to 5.
    marks : sequence of float, in (0, 1)
        Probabilities to mark, each at Δ = logit(p).
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the loss, ``lines[1]`` the line -Δ where Δ <= 0.
    """
    delta = np.linspace(-10, 5, 601) if margins is None else numbers(margins, "margins")
    ax = given_or_new(ax)
    wrong = delta[delta <= 0]
    ax.plot(delta, pair_losses(delta), color=EXPECTED, linewidth=LINE_WIDTH)
    ax.plot(wrong, -wrong, color=QUIET, linewidth=2, linestyle=":")
    for mark in marks:
        x, y = float(logit(mark)), float(pair_losses(logit(mark)))
        color = _mark_confidence(ax, x, mark)
        note(ax, (x + 0.2, y + (0.6 if _confidence(mark) == "unsure" else 0.2)), f"P = {mark:g}", color, va="bottom")
    low, high = float(delta[0]), float(delta[-1])
    ax.set(xlim=(low, high), ylim=(0, float(np.max(pair_losses(delta))) * 1.05))
    words = "surely wrong: each further unit of Δ\ncosts one more nat, without limit"
    note(ax, (0.55 * low + 0.05 * (high - low), -0.55 * low), words, QUIET, va="bottom")
    return finish(ax, "margin Δ of the choice made (log-odds)", "loss −log σ(Δ) (nats)")


def _mark_confidence(ax: Axes, x: float, probability: float) -> str:
    """Mark the loss at this probability and return the colour: a vermillion square below ½, hollow if unsure."""
    color, marker = (CHOSEN, "o") if probability >= 0.5 else (REJECTED, "s")
    y = float(pair_losses(logit(probability)))
    points(ax, [x], [y], color, marker=marker, hollow=_confidence(probability) == "unsure")
    return color


def _confidence(probability: float) -> str:
    if 0.25 <= probability <= 0.75:
        return "unsure"
    return "confident and right" if probability > 0.5 else "confident and wrong"


@style()
def plot_expected_loss_of_margin(
    loss: Callable[[Array], Array], shares: Sequence[float] = (0.6, 0.8, 0.95), *, ax: Axes | None = None
) -> Axes:
    """Draw the expected loss p·ℓ(Δ) + (1 - p)·ℓ(-Δ) of a pair against Δ, for several shares p, with its minimum marked.

    Parameters
    ----------
    loss : callable
        Maps margins, (n,), log-odds, to losses, (n,).
    shares : sequence of float, in [0, 1]
        How many people prefer answer a, one curve for each.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[2k]`` is the curve of the k-th share and ``lines[2k + 1]`` its minimum.
    """
    ax = given_or_new(ax, size=(5.0, 4.4))
    delta = np.linspace(-1, 4.6, 561)
    ends = []
    for k, p in enumerate(numbers(shares, "shares").tolist()):
        expected = p * loss(delta) + (1 - p) * loss(-delta)
        color, dashes = ((CHOSEN, "-"), (REJECTED, "--"), (EMPIRICAL, "-."))[k % 3]
        ax.plot(delta, expected, color=color, linestyle=dashes, linewidth=LINE_WIDTH)
        points(ax, [delta[expected.argmin()]], [expected.min()], color)
        ends.append((float(expected[-1]), f"p = {p:g}", color))
    ax.set(xlim=(-1, 4.6), ylim=(0, 2.5))
    label_ends(ax, ends)
    return finish(ax, "margin Δ = reward of a − reward of b", "expected loss")


@style()
def plot_temperature(margins: ArrayLike, temperature: float | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw the mean loss of Δ/T against T on a logarithmic axis, with one temperature marked.

    Parameters
    ----------
    margins : array_like, (n_pairs,), log-odds
        Measured margins of the answers that people chose.
    temperature : float, optional

    Returns
    -------
    Axes
        ``lines[0]`` is the loss.
    """
    ax = given_or_new(ax)
    z = np.asarray(margins, dtype=np.float64).reshape(-1)
    grid = np.logspace(-1, 1.5, 61)
    losses = np.array([np.mean(pair_losses(z / t)) for t in grid])
    ax.plot(grid, losses, color=EMPIRICAL, linewidth=LINE_WIDTH)
    guide(ax, LOG_TWO, "knowing nothing: log 2")
    if temperature is not None:
        height = float(np.mean(pair_losses(z / temperature)))
        ax.plot([temperature], [height], color=CHOSEN, marker="o", markersize=MARKER_SIZE, zorder=3)
        words = f"T = {temperature:.2f}: {height:.3f}"
        if height > LOG_TWO:  # on the side away from the curve, which falls to the left of its bend
            place = (1.15 * temperature, max(height + 0.1, LOG_TWO + 0.25))
            note(ax, place, words, CHOSEN, va="bottom", hide_lines=True)
        else:
            note(ax, (temperature, height - 0.12), words, CHOSEN, ha="center", va="top", hide_lines=True)
    ax.set(xscale="log", ylim=(0, min(3.0, float(losses.max()) * 1.05)))
    return finish(ax, "temperature T", "mean loss of Δ/T (nats)")


@style()
def plot_empirical_and_expected(
    sample_sizes: ArrayLike, empirical_losses: ArrayLike, expected: float, floor: float, *,
    spread: float | None = None, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw the mean losses of samples around the expected loss, which they approach like 1/sqrt(n), and the floor.

    Parameters
    ----------
    sample_sizes : array_like, (n_sizes,), pairs
    empirical_losses : array_like, (n_sizes, n_samples), nats
        Mean losses of independent samples of each size.
    expected, floor : float, nats
        The model's loss on unlimited data, and the lowest loss that any model can reach, the entropy.
    spread : float, optional, nats
        Standard deviation of the loss of one pair; draws the funnel expected ± 2 · spread / sqrt(n), which holds
        about 95 % of the samples.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines[0]`` holds the samples, ``lines[1]`` is the expected loss, ``lines[2]`` the floor.
    """
    sizes = numbers(sample_sizes, "sample_sizes")
    losses = np.asarray(empirical_losses, dtype=np.float64)
    if losses.ndim != 2 or len(losses) != len(sizes):
        wanted = f"({len(sizes)}, n_samples), one row for each size"
        raise ValueError(f"empirical_losses: expected shape {wanted}, got {losses.shape}")
    ax = given_or_new(ax, size=(9.0, 5.0))
    ax.set_xscale("log")
    low, high = float(sizes[0]) / 1.6, float(sizes[-1]) * 1.6
    ax.plot(
        np.repeat(sizes, losses.shape[1]), losses.ravel(), linestyle="none", marker="o", markersize=6, color=EMPIRICAL,
        alpha=0.6, markeredgewidth=0, zorder=3,
    )  # fmt: skip
    ax.plot([low, high], [expected, expected], color=EXPECTED, linewidth=LINE_WIDTH)
    ax.plot([low, high], [floor, floor], color=QUIET, linewidth=2, linestyle=":")
    top, bottom = max(float(losses.max()), expected), min(float(losses.min()), floor)
    if spread is not None:
        n = np.geomspace(low, high, 200)
        half = 2 * spread / np.sqrt(n)
        ax.fill_between(n, expected - half, expected + half, color=EMPIRICAL, alpha=0.12, linewidth=0, zorder=0)
        inside = np.abs(losses - expected) <= 2 * spread / np.sqrt(sizes)[:, None]
        words = f"shaded: expected ± 2·{spread:.2f}/√n\nholds {inside.mean():.0%} of the samples"
        corner(ax, words, EMPIRICAL)
    beyond = 0.05 * max(top - bottom, 0.01)
    ax.set(xlim=(low, high), ylim=(max(0.0, bottom - beyond), top + beyond))
    ends = [(expected, f"expected loss {expected:.3f}", EXPECTED), (floor, f"entropy floor {floor:.3f}", QUIET)]
    label_ends(ax, ends)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}".replace(",", " ")))
    ax.xaxis.set_minor_formatter(NullFormatter())
    return finish(ax, "number of pairs n in the sample", "mean loss (nats)")


@style()
def plot_running_means(
    losses: ArrayLike,
    expected: float,
    floor: float,
    *,
    now: int | None = None,
    every: int = 100,
    ax: Axes | None = None,
) -> Axes:
    """Draw the mean loss of growing samples, up to now, around the expected loss that they approach like 1/sqrt(n).

    The limits of the axes depend only on all the losses, so that nothing moves but the lines when ``now`` changes.

    Parameters
    ----------
    losses : array_like, (n_pairs, n_samples), nats
        The loss of each pair, in the order in which the pairs arrive; each column is one sample. The first sample is
        drawn thicker, since in practice there is only one.
    expected, floor : float, nats
        The model's loss on unlimited data, and the lowest loss that any model can reach, the entropy.
    now : int, optional
        How many pairs have arrived, at least ``every``; by default all.
    every : int
        The means are drawn after each ``every`` pairs.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines`` are the samples, then the expected loss and the floor; the last two are the points at ``now``.
    """
    given = np.asarray(losses, dtype=np.float64)
    if given.ndim != 2 or len(given) < every or given.shape[1] < 2:
        raise ValueError(f"losses: expected shape (at least {every}, at least 2), got {given.shape}")
    now = len(given) if now is None else now
    if not every <= now <= len(given):
        raise ValueError(f"now: expected a number of pairs from {every} to {len(given)}, got {now}")
    sizes = np.arange(every, len(given) + 1, every)
    means = np.add.reduceat(given[: sizes[-1]], sizes - every, axis=0).cumsum(axis=0) / sizes[:, None]
    shown = sizes <= now
    ax = given_or_new(ax, size=(9.6, 4.4))
    for sample in reversed(range(means.shape[1])):
        first = sample == 0
        color, width = (CHOSEN, LINE_WIDTH) if first else (EMPIRICAL, 1.0)
        ax.plot(sizes[shown], means[shown, sample], color=color, linewidth=width, alpha=1 if first else 0.5, zorder=2)
    n = np.linspace(every / 2, float(sizes[-1]), 200)
    half = 2 * float(given.std()) / np.sqrt(n)
    ax.fill_between(n, expected - half, expected + half, color=EMPIRICAL, alpha=0.12, linewidth=0, zorder=0)
    ax.plot([0, sizes[-1]], [expected, expected], color=EXPECTED, linewidth=2)
    ax.plot([0, sizes[-1]], [floor, floor], color=QUIET, linewidth=2, linestyle=":")
    here = given[:now].mean(axis=0)
    ax.plot(
        np.full(here.size - 1, now), here[1:], color=EMPIRICAL, marker="o", markersize=6, linestyle="none", zorder=3
    )
    ax.plot([now], [here[0]], color=CHOSEN, marker="D", markersize=MARKER_SIZE, linestyle="none", zorder=4)
    farthest = max(float(np.abs(means - expected).max()), 2 * float(given.std()) / np.sqrt(every), expected - floor)
    ax.set(xlim=(0, float(sizes[-1]) * 1.02), ylim=(max(0.0, expected - 1.1 * farthest), expected + 1.1 * farthest))
    label_ends(ax, [(expected, f"expected {expected:.3f}", EXPECTED), (floor, f"floor {floor:.3f}", QUIET)])
    corner(ax, "your sample (blue diamond)\nand others (green); shaded:\nexpected ± 2 standard errors", EMPIRICAL)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}".replace(",", " ")))
    return finish(ax, "number of pairs n in each sample", "mean loss (nats)")


@style()
def plot_pull_on_rewards(margin: float, *, ax: Axes | None = None) -> Axes:
    """Draw the rewards of one pair, and as arrows where its pull moves them in one gradient step of size 1.

    A shift has no meaning, so the rewards are drawn at Δ/2 and -Δ/2. The chosen one is pulled up and the rejected one
    down, each by σ(-Δ).

    Parameters
    ----------
    margin : float, log-odds, from -6 to 6

    Returns
    -------
    Axes
        ``lines`` are the chosen and the rejected reward.
    """
    ax = given_or_new(ax, size=(6.4, 4.4))
    pull = -float(pair_loss_gradients(margin))
    for x, sign, color, marker in ((0, 1, CHOSEN, "o"), (1, -1, REJECTED, "s")):
        reward = sign * margin / 2 + 0.0  # not -0
        ax.plot([x], [reward], color=color, marker=marker, markersize=MARKER_SIZE, linestyle="none")
        arrow = {"arrowstyle": "-|>,head_width=0.35,head_length=0.5", "color": color, "linewidth": LINE_WIDTH}
        if pull > 0.01:  # a shorter arrow would be all head
            ax.annotate("", (x, reward + sign * pull), (x, reward), arrowprops={**arrow, "shrinkA": 0, "shrinkB": 0})
        note(ax, (x + 0.08, reward), signed(reward, "+.2f"), color, va="center")
    ax.axhline(0, color=QUIET, linewidth=1, linestyle=":", zorder=0)
    ax.set(xlim=(-0.5, 1.7), ylim=(-4.3, 4.3), xticks=[0, 1], xticklabels=["chosen", "rejected"])
    ax.set_title(f"each is pulled by {pull:.3f}", fontsize=TEXT_SIZE)
    return finish(ax, "answer", "reward (log-odds)")


@style()
def plot_pulls(margins: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """Draw how hard each pair pulls its margin up, 1 − σ(Δ), as points on the curve of all possible pulls.

    Parameters
    ----------
    margins : array_like, (n_pairs,), log-odds

    Returns
    -------
    Axes
        ``lines[0]`` is the curve, ``lines[1]`` the pairs.
    """
    ax = given_or_new(ax)
    z = np.asarray(margins, dtype=np.float64).reshape(-1)
    reach = max(6.0, float(np.abs(z).max(initial=0.0)) + 0.5)
    delta = np.linspace(-reach, reach, 401)
    ax.plot(delta, np.negative(pair_loss_gradients(delta)), color=EXPECTED, linewidth=LINE_WIDTH)
    pulls = np.negative(pair_loss_gradients(z))
    ax.plot(z, pulls, color=EMPIRICAL, marker="o", markersize=MARKER_SIZE, linestyle="none", zorder=3)
    ax.vlines(z, 0, pulls, color=EMPIRICAL, linewidth=2)
    for at, pull in zip(z.tolist(), pulls.tolist(), strict=True):
        note(ax, (at + 0.25, pull + 0.02), f"{pull:.3f}", EMPIRICAL, va="bottom", hide_lines=True)
    ax.axvline(0.0, color=QUIET, linewidth=1, linestyle=":")
    for x, words, color in ((0.25, "the model is wrong", REJECTED), (0.75, "the model is right", CHOSEN)):
        ax.text(x, 1.02, words, transform=ax.transAxes, ha="center", fontsize=TEXT_SIZE, color=color)
    ax.set(xlim=(-reach, reach), ylim=(0, 1.12))
    return finish(ax, "margin Δ (log-odds)", "pull 1 − σ(Δ)")


@style()
def plot_step_sweep(steps: ArrayLike, errors: ArrayLike, *, mark: float | None = None, ax: Axes | None = None) -> Axes:
    """Draw the error of a central difference against its step, both on logarithmic axes: a V.

    Parameters
    ----------
    steps, errors : array_like, (n_steps,)
        As ``gradient_check.step_sweep`` returns them. An error of exactly 0 is drawn at 1e-17, below all others.
    mark : float, optional
        A step to mark.
    ax : Axes, optional

    Returns
    -------
    Axes
        ``lines`` are the errors, the slope h² of truncation, the slope 1/h of rounding, and the mark.
    """
    h, error = numbers(steps, "steps"), np.maximum(numbers(errors, "errors"), 1e-17)
    if h.shape != error.shape or not (h > 0).all():
        raise ValueError(f"steps: expected positive numbers, one for each error, got shapes {h.shape}, {error.shape}")
    ax = given_or_new(ax)
    ax.plot(h, error, color=EMPIRICAL, linewidth=LINE_WIDTH, zorder=3)
    ax.set(xscale="log", yscale="log")
    far, near = int(np.argmax(h)), int(np.argmin(h))
    middle = float(np.sqrt(h[far] * h[near]))
    right, left = h[h >= middle], h[h <= middle]
    # The guides pass through the point at a hundredth of the longest step, and the typical error of the shortest steps.
    anchor = int(np.argmin(np.abs(np.log(h / (h[far] / 100)))))
    rounding = float(np.median(error[h <= 10 * h[near]] * h[h <= 10 * h[near]]))
    truncation = error[anchor] * (right / h[anchor]) ** 2
    shown = truncation >= error.min()
    ax.plot(right[shown], truncation[shown], color=EXPECTED, linewidth=1.5, linestyle="--")
    ax.plot(left, rounding / left, color=EXPECTED, linewidth=1.5, linestyle=":")

    def beside(at: tuple[float, float], offset: tuple[float, float], words: str, color: str, ha: str) -> None:
        ax.annotate(words, at, offset, textcoords="offset points", fontsize=TEXT_SIZE, color=color, ha=ha)

    beside((h[anchor], error[anchor]), (-10, 14), "truncation ∝ h²", EXPECTED, "right")
    at = left[len(left) // 3]
    beside((at, rounding / at), (12, 12), "rounding ∝ 1/h", EXPECTED, "left")
    if mark is not None:
        at_mark = float(np.exp(np.interp(np.log(mark), np.log(h), np.log(error))))
        ax.plot([mark], [at_mark], color=REJECTED, marker="s", markersize=MARKER_SIZE, linestyle="none", zorder=4)
        side, ha = (16, "left") if mark < 1e-3 * middle else (-16, "right")  # away from the nearer edge
        beside((mark, at_mark), (side, -22), f"h = {mark:.0e}: {at_mark:.0e}", REJECTED, ha)
        ax.set_ylim(bottom=min(ax.get_ylim()[0], at_mark / 100))  # space for these words
    return finish(ax, "step h", "error of the central difference")


@style()
def plot_reward_map(
    reward: Callable[[Array], NDArray[np.floating]], pairs: PreferencePairs | None = None, *, reach: float = 2.0,
    names: tuple[str, str] = ("first feature", "second feature"), ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw a reward of two features as contour lines, with a few pairs as arrows from rejected to chosen.

    Parameters
    ----------
    reward : callable, (n, 2) -> (n,)
    pairs : PreferencePairs, optional
        Of these, the first 15 whose answers are close together, at most ¾ of ``reach`` apart, are drawn.
    reach : float
        The features go from -reach to reach.
    names : two str

    Returns
    -------
    Axes
        ``lines[0]`` and ``lines[1]`` are the chosen and the rejected answers, if there are pairs.
    """
    ax = given_or_new(ax, size=(6.4, 5.6))
    side = np.linspace(-reach, reach, 61)
    x, y = np.meshgrid(side, side)
    r = reward(np.column_stack([x.ravel(), y.ravel()])).reshape(x.shape)
    r = r - r.mean()  # a shift means nothing
    lines = ax.contour(x, y, r, levels=9, colors=EXPECTED, linewidths=1.5)
    ax.clabel(lines, fontsize=TEXT_SIZE - 3, fmt=lambda value: signed(value, ".1f"))
    if pairs is not None:
        c, d = (np.asarray(x, dtype=np.float64) for x in (pairs.chosen, pairs.rejected))
        close = np.flatnonzero(np.hypot(*(c - d).T) <= 0.75 * reach)[:15]
        c, d = c[close], d[close]
        ax.quiver(
            *d.T, *(c - d).T, angles="xy", scale_units="xy", scale=1, color=QUIET, units="inches", width=0.014,
            headwidth=7, headlength=8, headaxislength=7,
        )  # fmt: skip
        ax.plot(*c.T, color=CHOSEN, marker="o", markersize=6, linestyle="none")
        ax.plot(*d.T, color=REJECTED, marker="s", markersize=5, linestyle="none")
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach))
    return finish(ax, *names)


@style()
def plot_widths(widths: Sequence[int], losses: ArrayLike, *, mark: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw the mean loss of models against their number of hidden units, with one of them marked.

    Parameters
    ----------
    widths : sequence of int, in increasing order
    losses : array_like, (n_widths,), nats
    mark : int, optional
        One of the widths.

    Returns
    -------
    Axes
        ``lines[0]`` holds the losses, and ``lines[1]`` is the mark.
    """
    n, values = numbers(widths, "widths"), numbers(losses, "losses")
    if n.shape != values.shape:
        raise ValueError(f"losses: expected shape {n.shape}, one for each width, got {values.shape}")
    ax = given_or_new(ax, size=(5.0, 4.4))
    at = np.arange(n.size)
    ax.plot(at, values, color=EMPIRICAL, linewidth=LINE_WIDTH, marker="o", markersize=MARKER_SIZE, zorder=3)
    if mark is not None:
        if mark not in n:
            raise ValueError(f"mark: expected one of {', '.join(f'{width:g}' for width in n)}, got {mark}")
        place = int(np.flatnonzero(n == mark)[0])
        ax.plot([place], [values[place]], color=REJECTED, marker="s", markersize=MARKER_SIZE + 3, zorder=4)
        beyond = place > (n.size - 1) / 2
        ax.annotate(
            f"{values[place]:.3f}", (place, values[place]), (0, 14), textcoords="offset points", color=REJECTED,
            fontsize=TEXT_SIZE, ha="right" if beyond else "left",
        )  # fmt: skip
    ax.set_xticks(at, [f"{width:g}" for width in n])
    ax.yaxis.set_major_locator(MaxNLocator(5))
    reach = max(float(np.ptp(values)), 0.01)
    ax.set(xlim=(-0.4, n.size - 0.6), ylim=(values.min() - 0.15 * reach, values.max() + 0.25 * reach))
    return finish(ax, "hidden units", "mean loss on fresh pairs (nats)")


@style()
def plot_reward_model(*, ax: Axes | None = None) -> Axes:
    """Draw a reward model that is made from a language model, used twice with the same φ: once for each answer.

    Returns
    -------
    Axes
        Two rows, the chosen answer above the rejected one, from the tokens on the left to the margin on the right.
    """
    ax = given_or_new(ax, size=(10.0, 4.4))
    for y, word, letter, color in ((2.75, "chosen", "c", CHOSEN), (0.75, "rejected", "r", REJECTED)):
        note(ax, (0.0, y + 0.62), f"prompt x + {word} answer", color)
        for k in range(6):
            is_answer = k > 2
            ax.add_patch(
                Rectangle(
                    (0.42 * k, y - 0.2), 0.34, 0.4, facecolor=color if is_answer else "white",
                    edgecolor=color if is_answer else QUIET, linewidth=1.5,
                    alpha=1.0 if k == 5 or not is_answer else 0.45,
                )
            )  # fmt: skip
        _arrow(ax, (2.55, y), (3.0, y))
        ax.add_patch(_box((3.05, y - 0.42), 2.1, 0.84))
        note(ax, (4.1, y), "layers W", EXPECTED, ha="center")
        _arrow(ax, (5.2, y), (5.6, y))
        for k in range(4):
            ax.add_patch(Rectangle((5.66, y - 0.4 + 0.2 * k), 0.26, 0.2, facecolor="white", edgecolor=color))
        _arrow(ax, (5.98, y), (6.36, y))
        ax.add_patch(_box((6.42, y - 0.42), 1.2, 0.84))
        note(ax, (7.02, y), "head v", EXPECTED, ha="center")
        _arrow(ax, (7.67, y), (8.05, y))
        ax.text(8.12, y, f"$r_{letter}$", color=color, fontsize=TEXT_SIZE, va="center")
        _arrow(ax, (8.55, y), (9.15, 1.75 + 0.3 * float(np.sign(y - 1.75))))
    note(ax, (5.79, 1.75), "last state h", QUIET, ha="center")
    for x in (4.1, 7.02):
        ax.annotate("", (x, 2.28), (x, 1.22), arrowprops={"arrowstyle": "<->", "color": QUIET, "linewidth": 1.5})
    note(ax, (4.0, 1.75), "the same W", QUIET, ha="right")
    note(ax, (7.12, 1.75), "the same v", QUIET)
    ax.text(8.95, 1.75, "$\\Delta = r_c - r_r$", color=EXPECTED, fontsize=TEXT_SIZE, va="center")
    note(ax, (0.0, 0.22), "tokens; the prompt is white", QUIET)
    ax.set(xlim=(-0.1, 10.5), ylim=(0.0, 3.7), xticks=[], yticks=[])
    finish(ax, "φ = (W, v): one reward model, used once for each answer", "")
    ax.spines[["left", "bottom"]].set_visible(False)
    return ax


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": EXPECTED, "linewidth": 1.5})


def _box(corner: tuple[float, float], width: float, height: float) -> FancyBboxPatch:
    return FancyBboxPatch(
        corner, width, height, boxstyle="round,pad=0,rounding_size=0.1", facecolor="white", edgecolor=EXPECTED,
        linewidth=2,
    )  # fmt: skip
