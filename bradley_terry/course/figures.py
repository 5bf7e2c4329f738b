"""The committed figures, one for each lesson: for each, its data, its drawing, and a caption that says what to see.

The data come from the public functions of the package, the drawing from ``plots``. Everything random has a seed, so
that ``build_figures`` writes the same bytes on every run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..logistic import sigmoid
from ..losses import pair_losses
from ..model import RewardModel
from ..plots import (
    TEXT_SIZE,
    figure_of,
    new_axes,
    plot_confidence,
    plot_empirical_and_expected,
    plot_loss_and_gradient,
    plot_loss_curve,
    plot_loss_tail,
    plot_scaling,
    plot_shift_invariance,
    plot_step_sweep,
    save_figure,
)
from ..preference import expected_loss, loss_floor, sample_preferences
from ..scorers import LinearScorer
from ..training import fit
from .plots import plot_naive_form, plot_preference_probability, plot_pulls, plot_reward_map
from .sliders import curved_models, lesson_sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "CAPTIONS",
    "FIGURES",
    "PULLING",
    "EmpiricalAndExpected",
    "build_figures",
    "confidence_and_loss_figure",
    "empirical_and_expected_data",
    "empirical_and_expected_loss_figure",
    "loss_and_gradient_figure",
    "shift_invariance_data",
    "shift_invariance_figure",
    "training_curve_data",
    "training_curve_figure",
]

Array = NDArray[np.float64]

CAPTIONS = {
    "01_rewards_to_probability": (
        "The difference of two rewards decides how probable it is that a is preferred to b: at Δ = 0 it is a coin "
        "flip, at Δ = 2.2, the rewards 2.0 and −0.2, it is 0.900, and Δ = −2 mirrors Δ = 2, since the two "
        "probabilities of a pair add up to 1."
    ),
    "02_loss_and_gradient": (
        "The loss of one pair falls as its margin Δ grows, and its slope −σ(−Δ) says how hard the pair pulls: with "
        "almost full force, −1, where the model is surely wrong, with half of it at Δ = 0, and hardly at all where it "
        "is surely right."
    ),
    "03_shift_invariance": (
        "Left: adding the same c to every reward leaves the loss where it was, to the last digit one can see, because "
        "only differences enter. Right: multiplying every reward by α keeps the order of all answers and yet moves the "
        "loss; at α = 0 the model knows nothing, and too large an α makes it too sure."
    ),
    "04_confidence_and_loss": (
        "Left: being right costs little, being unsure more, being sure and wrong most of all. Right: the same three "
        "points against the margin; on the wrong side the loss approaches the straight line −Δ and is never cut off."
    ),
    "05_empirical_and_expected_loss": (
        "Each green point is the mean loss of one sample of n pairs. They scatter around the expected loss (black) "
        "inside a funnel that narrows like 1/√n; more data brings them to the expected loss, and only a better model "
        "could bring that down to the entropy floor (dotted)."
    ),
    "06_pulls": (
        "How hard each pair pulls its chosen reward up and its rejected one down: 1 − σ(Δ). A pair that the model has "
        "quite wrong, Δ = −6, pulls hardly harder than one at −3; at 0 it is half the force; a pair that is right and "
        "sure has all but let go."
    ),
    "07_step_of_a_difference": (
        "The error of a central difference against its step. Right of the bend the curve bends away from its chord, "
        "and the error grows with the square of the step; left of it rounding, about 1e-16, is divided by ever smaller "
        "steps. Neither end is good: the best step lies near 1e-5."
    ),
    "08_linear_and_mlp": (
        "What was learned from the same 600 choices: lines join answers of equal reward, in log-odds; fifteen "
        "pairs are drawn, each an arrow from the rejected answer (square) to the chosen one (circle). Left: a linear "
        "scorer can only draw parallel lines, so it misses that answers should be neither too short nor too long. "
        "Right: two hidden units bend the lines round the middle."
    ),
    "09_naive_forms": (
        "The relative error of the loss in float32. Left: log(1 + exp(−Δ)), as the book has it, is infinite from "
        "Δ = −88.7 down, and loses its digits, then everything, on the right. Right: max(−Δ, 0) + log1p(exp(−|Δ|)) is "
        "right to the last digit everywhere. Beyond 88 the loss is below the least number with all its digits, and "
        "0 is forgiven."
    ),
    "10_training_curve": (
        "A linear scorer on the travel choices starts at log 2, knowing nothing, and both methods go on until the "
        "largest gradient entry is below 0.001: Newton's method for 3 steps, gradient descent for 255. The loss on "
        "travellers held out falls alongside, since six weights cannot learn 168 people by heart; that it ends lower "
        "is the luck of this split."
    ),
}


@dataclass(frozen=True)
class EmpiricalAndExpected:
    """Samples of growing size under a model that is not the truth.

    Attributes
    ----------
    sample_sizes : array, (n_sizes,), pairs
    empirical_losses : array, (n_sizes, n_samples), nats
    expected, floor, spread : float, nats
        The model's expected loss, the least that any model could reach, the standard deviation of one pair's loss.
    """

    sample_sizes: NDArray[np.int64]
    empirical_losses: Array
    expected: float
    floor: float
    spread: float


def rewards_to_probability_figure() -> Figure:
    """Draw σ(Δ) with three margins marked."""
    return figure_of(plot_preference_probability([-2.0, 0.0, 2.2]))


def loss_and_gradient_figure() -> Figure:
    """Draw the loss of one pair and its slope."""
    return figure_of(plot_loss_and_gradient())


def shift_invariance_data() -> tuple[Array, Array, Array, Array]:
    """Return rewards of chosen and rejected answers, (4,), and the shifts c and factors α to try.

    The four pairs have mean loss .5187 and accuracy .75: the last one is on the wrong side, so that no α makes the
    loss vanish.
    """
    rewards_chosen, rewards_rejected = np.array([2.0, 1.5, 3.0, 0.5]), np.array([1.0, 1.0, 2.0, 1.0])
    return rewards_chosen, rewards_rejected, np.linspace(-10, 10, 41), np.linspace(0, 6, 121)


def shift_invariance_figure() -> Figure:
    """Draw the mean loss after adding c to all rewards, and beside it after multiplying all by α."""
    rewards_chosen, rewards_rejected, shifts, factors = shift_invariance_data()
    left, right = new_axes(2, size=(13.0, 4.6), share_y=True)
    plot_shift_invariance(rewards_chosen, rewards_rejected, shifts, ax=left)
    plot_scaling(rewards_chosen, rewards_rejected, factors, ax=right)
    return figure_of(left)


def confidence_and_loss_figure() -> Figure:
    """Draw the loss against the probability given to the choice made, and beside it against the margin."""
    left, right = new_axes(2)
    plot_confidence(ax=left)
    plot_loss_tail(ax=right)
    return figure_of(left)


def empirical_and_expected_data(*, n_samples: int = 40, seed: int = 5) -> EmpiricalAndExpected:
    """Draw samples of preferences from known true margins and judge an overconfident model on each.

    Parameters
    ----------
    n_samples : int
        Samples of each size.
    seed : int

    Notes
    -----
    The world has 500 pairs with true margins Δ* ~ N(0, 1.5²); the model says 2Δ*: right order, too sure. A sample draws
    n pairs with replacement and asks a person once about each. The variance of one such loss l is E l² - (E l)², the
    expectation taken over pairs and preferences alike.
    """
    rng = np.random.default_rng(seed)
    true_margins = rng.normal(0.0, 1.5, size=500)
    margins = 2 * true_margins
    sizes = np.array([10, 30, 100, 300, 1000, 3000, 10_000, 30_000])
    losses = np.empty((len(sizes), n_samples))
    for i, n in enumerate(sizes):
        for j in range(n_samples):
            drawn = rng.integers(len(true_margins), size=n)
            a_wins = sample_preferences(true_margins[drawn], 0.0, rng)
            losses[i, j] = np.mean(pair_losses(np.where(a_wins, margins[drawn], -margins[drawn])))
    expected = expected_loss(true_margins, margins)
    p = np.asarray(sigmoid(true_margins))
    square = p * np.asarray(pair_losses(margins)) ** 2 + (1 - p) * np.asarray(pair_losses(-margins)) ** 2
    return EmpiricalAndExpected(
        sizes, losses, expected, loss_floor(true_margins), float(np.sqrt(square.mean() - expected**2))
    )


def empirical_and_expected_loss_figure() -> Figure:
    """Draw the mean losses of samples around the expected loss."""
    data = empirical_and_expected_data()
    ax = plot_empirical_and_expected(
        data.sample_sizes, data.empirical_losses, data.expected, data.floor, spread=data.spread
    )
    return figure_of(ax)


PULLING = (-6.0, -3.0, -1.0, 0.0, 1.5, 4.0)
"""Margins of the pairs in the figure of pulls, log-odds."""


def pulls_figure() -> Figure:
    """Draw how hard six pairs pull."""
    return figure_of(plot_pulls(PULLING))


def step_of_a_difference_figure() -> Figure:
    """Draw the V of truncation and rounding for one entry of an MLP's gradient."""
    sweep = lesson_sweep()
    return figure_of(plot_step_sweep(sweep.steps, sweep.errors, mark=sweep.best_step))


def linear_and_mlp_figure() -> Figure:
    """Draw the rewards that a linear scorer and one with two hidden units learned from the same choices."""
    linear, bent, pairs = curved_models()
    left, right = new_axes(2, size=(12.5, 5.4), share_y=True)
    for model, title, ax in ((linear, "linear scorer", left), (bent, "two hidden units", right)):
        plot_reward_map(model.reward, pairs, names=("length", "politeness"), ax=ax)
        ax.set_title(title, fontsize=TEXT_SIZE)
    right.set_ylabel("")
    return figure_of(left)


def naive_forms_figure() -> Figure:
    """Draw where log(1 + exp(-Δ)) fails in float32, beside the stable form."""
    left, right = new_axes(2, size=(13.0, 4.8), share_y=True)
    plot_naive_form("log(1 + exp(-z))", np.float32, ax=left)
    plot_naive_form("max(-z, 0) + log1p(exp(-|z|))", np.float32, ax=right)
    right.set_ylabel("")
    return figure_of(left)


def training_curve_data() -> dict[str, RewardModel]:
    """Fit a linear scorer to the travel choices by Newton's method and by gradient descent, to the same tolerance.

    One traveller in five is held out, the same ones for both. The features are standardised, without which gradient
    descent would crawl: cost, minutes and income differ in scale by orders of magnitude from the modes' constants.
    """
    from ..datasets import travel_modes  # noqa: PLC0415  # the only figure on real data

    pairs = travel_modes()
    scorer = LinearScorer(pairs.n_features)
    return {
        method: fit(scorer, pairs, method=method, validation=0.2, standardise=True, tolerance=1e-3, backend="numpy")
        for method in ("newton", "gradient_descent")
    }


def training_curve_figure() -> Figure:
    """Draw training and validation loss on the travel choices, Newton beside gradient descent."""
    models = training_curve_data()
    left, right = new_axes(2, share_y=True)
    plot_loss_curve(models["newton"].history, x_label="step of Newton's method", ax=left)
    plot_loss_curve(models["gradient_descent"].history, x_label="step of gradient descent", ax=right)
    return figure_of(left)


FIGURES: dict[str, Callable[[], Figure]] = {
    "01_rewards_to_probability": rewards_to_probability_figure,
    "02_loss_and_gradient": loss_and_gradient_figure,
    "03_shift_invariance": shift_invariance_figure,
    "04_confidence_and_loss": confidence_and_loss_figure,
    "05_empirical_and_expected_loss": empirical_and_expected_loss_figure,
    "06_pulls": pulls_figure,
    "07_step_of_a_difference": step_of_a_difference_figure,
    "08_linear_and_mlp": linear_and_mlp_figure,
    "09_naive_forms": naive_forms_figure,
    "10_training_curve": training_curve_figure,
}


def build_figures(folder: str | Path) -> list[Path]:
    """Draw every committed figure into a folder, as SVG and PNG, with a README of captions.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there. Figures of the same names are replaced.

    Returns
    -------
    list of Path
        The files written, README last.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for name, draw in FIGURES.items():
        paths += save_figure(draw(), folder / name, title=CAPTIONS[name])
    readme = folder / "README.md"
    readme.write_bytes(_readme().encode("utf-8"))
    return [*paths, readme]


def _readme() -> str:
    source = "bradley_terry/course/figures.py"
    parts = [f"# Figures\n\nDrawn by `bradley-terry figures`, code in `{source}`; not edited by hand.\n"]
    for name, caption in CAPTIONS.items():
        title = name[3:].replace("_", " ").capitalize()
        parts.append(f"## {title}\n\n![{title}]({name}.svg)\n\n{caption}\n")
    return "\n".join(parts)
