"""Pictures of lessons 3 to 5: what moves a loss, what certainty costs, and how a mean scatters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike

from ...drawing import (
    CHOSEN,
    EMPIRICAL,
    EXPECTED,
    LINE_WIDTH,
    LOG_TWO,
    MARKER_SIZE,
    QUIET,
    REJECTED,
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
from ...drawing.places import Place, Space
from ...logistic import Array, logit
from ...losses import mean_loss, pair_losses

__all__ = [
    "plot_confidence",
    "plot_empirical_and_expected",
    "plot_expected_loss_of_margin",
    "plot_loss_tail",
    "plot_rewards_by_prompt",
    "plot_running_means",
    "plot_scaling",
    "plot_shift_invariance",
    "plot_temperature",
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
    left, right, top = float(alpha[0]), float(alpha[-1]), max(0.9, 1.05 * float(losses.max()))
    ax.set(xlim=(left, right), ylim=(0, top))
    space, width, unit = Space(ax, np.stack([alpha, losses], axis=1)), right - left, top / 0.9
    x, y = float(alpha[lowest]), float(losses[lowest])
    notes: list[tuple[str, Place]] = []
    upper_left = [(left + 0.02 * width, share * top, "left", "bottom") for share in np.arange(0.2, 0.9, 0.1).tolist()]
    has_minimum = 0 < lowest < len(alpha) - 1  # otherwise all pairs are ranked correctly, and the loss always falls
    if has_minimum:
        words = f"minimum at α = {signed(x, '.1f')}: {y:.4f}"
        at, va = (y - 0.04 * unit, "top") if y > 0.12 * unit else (y + 0.04 * unit, "bottom")
        side = (
            (left + 0.02 * width, at, "left", va) if x < left + width / 2 else (right - 0.02 * width, at, "right", va)
        )
        notes = [(words, space.first_clear(words, [(x, at, "center", va), side, *upper_left]))]
    if abs(x - 1) > 0.5:  # otherwise the note at the minimum says it already
        words, at = f"no scaling: {here:.4f}", here + 0.025 * unit
        near = [(1.1, at, "left", "bottom"), (0.9, at, "right", "bottom")]
        notes.append((words, space.first_clear(words, [*near, *upper_left])))
    words, at = "knowing nothing: log 2", LOG_TWO + 0.01 * unit
    sides = [(left + 0.12 * width, "left"), (left + 0.99 * width, "right")]
    of_guide = space.first_clear(words, [(side, at, ha, "bottom") for side, ha in sides])
    points(ax, [1.0], [here], EMPIRICAL)
    if has_minimum:
        points(ax, [x], [y], EMPIRICAL, hollow=True)
    for said, (note_x, note_y, ha, va) in reversed(notes):
        note(ax, (note_x, note_y), said, EMPIRICAL, ha=ha, va=va)
    guide(ax, LOG_TWO, words, x=0.12 if of_guide[2] == "left" else 0.99, ha=of_guide[2])
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
        Where to draw, in increasing order; by default from 0.005 to 0.999.
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
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(NullLocator())  # a slider draws this, and small ticks take time
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
    expected : float, nats
        The model's loss on unlimited data.
    floor : float, nats
        The lowest loss that any model can reach, the entropy of the choices.
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
    expected : float, nats
        The model's loss on unlimited data.
    floor : float, nats
        The lowest loss that any model can reach, the entropy of the choices.
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
