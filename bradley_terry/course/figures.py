"""The figures in the folder ``figures/``, each with its data, its drawing, and a caption that says what to see.

The data come from the public functions of the package, the drawings from ``plots``. Everything random has a seed, so
that ``build_figures`` writes the same bytes on every run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..drawing import TEXT_SIZE, figure_of, new_axes, save_figure
from ..files.saving import write_file
from ..fitting.interrupts import only_whole_fits
from ..logistic import Array, sigmoid
from ..losses import pair_losses
from ..model import RewardModel
from ..objective import REFERENCE
from ..pairs import PreferencePairs
from ..plots import plot_loss_and_gradient, plot_loss_curve
from ..preference import expected_loss, loss_floor, sample_preferences
from ..scorers import LinearScorer
from ..training import fit
from .naive_forms import plot_naive_form
from .plots import (
    plot_confidence,
    plot_empirical_and_expected,
    plot_loss_tail,
    plot_preference_probability,
    plot_proxy_and_true,
    plot_pulls,
    plot_reward_map,
    plot_scaling,
    plot_shift_invariance,
    plot_step_sweep,
)
from .plots.rankings import plot_ranking_losses
from .plots.training import plot_runs
from .sliders import curved_models, lesson_sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "CAPTIONS",
    "FIGURES",
    "PULLING",
    "TITLES",
    "EmpiricalAndExpected",
    "OverOptimisation",
    "build_figures",
    "confidence_and_loss_figure",
    "empirical_and_expected_data",
    "empirical_and_expected_loss_figure",
    "loss_and_gradient_figure",
    "over_optimisation_data",
    "over_optimisation_figure",
    "shift_invariance_data",
    "shift_invariance_figure",
    "six_runs_data",
    "six_runs_figure",
    "training_curve_data",
    "training_curve_figure",
]

CAPTIONS = {
    "01_rewards_to_probability": (
        "The difference Δ of two rewards decides how probable it is that a is preferred to b. At Δ = 0 the choice is a "
        "coin flip. At Δ = 2.2, for example with the rewards 2.0 and −0.2, the probability is 0.900. The curve is "
        "symmetric: Δ = −2 is the mirror image of Δ = 2, since the two probabilities of a pair add up to 1."
    ),
    "02_loss_and_gradient": (
        "The loss of one pair falls as its margin Δ grows. Its slope −σ(−Δ) says how hard the pair pulls on its "
        "rewards. The pull has almost its full force, −1, where the model is surely wrong. It has half of this force "
        "at Δ = 0, and almost none where the model is surely right."
    ),
    "03_shift_invariance": (
        "Left: adding the same number b to every reward does not change the loss, because the loss depends only on "
        "differences of rewards. Right: multiplying every reward by α keeps the order of all answers, but changes the "
        "loss. At α = 0 the model knows nothing. If α is too large, the model is overconfident."
    ),
    "04_confidence_and_loss": (
        "Left: a choice costs the model little where it was confident and right, more where it was unsure, and most "
        "where it was confident and wrong. Right: the same three points against the margin. On the wrong side the loss "
        "approaches the straight line −Δ, and it has no upper limit."
    ),
    "05_empirical_and_expected_loss": (
        "Each green point is the mean loss of one sample of n pairs. The points scatter around the expected loss "
        "(black), about 95 % of them inside a funnel that narrows like 1/√n. With more data they come closer to the "
        "expected loss. Only a better model could bring the expected loss itself down to the entropy floor (dotted)."
    ),
    "06_pulls": (
        "Each pair pulls its chosen reward up and its rejected reward down, with the force 1 − σ(Δ). A pair at Δ = −6, "
        "where the model is badly wrong, pulls only a little harder than one at −3. At Δ = 0 the pull is half of the "
        "full force, and where the model is right and sure it is almost zero."
    ),
    "07_step_of_a_difference": (
        "The error of a central difference against its step h, for one weight of a linear scorer. To the right of the "
        "bend, the step is too long, and the truncation error grows like h². To the left of it, the step is too short: "
        "the rounding error of the loss, about 1e-16, is divided by a smaller and smaller number. The best step lies "
        "between the two, near 1e-5."
    ),
    "08_linear_and_mlp": (
        "Two models trained on the same 600 choices. Lines join answers of equal reward, in log-odds, dashed where the "
        "reward is below average. Fifteen pairs are drawn, each as an arrow from the rejected answer (square) to the "
        "chosen one (circle). Left: the lines of a linear scorer are straight and parallel, so it cannot learn that "
        "answers should be neither too short nor too long. Right: two hidden units are enough to bend the lines around "
        "the middle."
    ),
    "09_naive_forms": (
        "The relative error of the loss in float32. Left: the textbook form log(1 + exp(−Δ)) is infinite below "
        "Δ = −88.73; for large Δ it loses digit after digit, and from Δ = 16.64 on it returns 0. Right: "
        "max(−Δ, 0) + log1p(exp(−|Δ|)) is accurate to the last digit everywhere. The curve ends near Δ = 87, where "
        "the loss is smaller than any float32 number with full precision."
    ),
    "10_training_curve": (
        "A linear scorer learns from the travel choices. It starts at log 2, the loss of a model that knows nothing. "
        "Both methods stop when the largest entry of the gradient is below 0.001: Newton's method after 3 steps, "
        "gradient descent after 255. The loss on held-out travellers falls together with the training loss, since six "
        "weights cannot memorise the choices of 168 people. It ends below the training loss by chance: another split "
        "of the travellers may give the opposite."
    ),
    "10_six_runs": (
        "Six runs of gradient descent, each with a fault of its own, and without their names. The steps are on "
        "a logarithmic axis, and a ring marks where each fit ended. The loss of run E jumps, and that of run C falls "
        "without end. In run A the training loss falls while the held-out loss rises far above log 2. Runs D and F "
        "look the same, although their causes differ, and run B ended before its first step. Curves alone do not name "
        "a cause; lesson 10 has the tests that do."
    ),
    "11_ranking_losses": (
        "Four losses of a pair. Left: how hard the pair pulls its two rewards apart. Right, with the same lines: the "
        "margin that each loss makes the best one if a is preferred with probability p. Only the plain loss gives the "
        "log-odds of p. A target margin asks for more, and label smoothing for less: it pulls back where a pair is "
        "ordered well. The hinge loss has two answers only, 1 and −1, so p cannot be read off them."
    ),
    "12_over_optimisation": (
        "A policy is optimised for a reward model that has learned from 2,000 choices. The further the policy moves, "
        "the higher the reward that the model gives (dashed). Left: people like length up to a point. The reward that "
        "people give rises, falls, and ends below its start. Right: people like length without limit, and their "
        "reward rises as well. The black lines are computed by hand, and each green point is the mean of 20,000 "
        "simulated answers."
    ),
}

TITLES = {name: name[3:].replace("_", " ").capitalize().replace("mlp", "MLP") for name in CAPTIONS}


@dataclass(frozen=True)
class EmpiricalAndExpected:
    """Losses of an overconfident model on samples of growing size.

    Attributes
    ----------
    sample_sizes : array, (n_sizes,), pairs
    empirical_losses : array, (n_sizes, n_samples), nats
    expected, floor, spread : float, nats
        The model's expected loss, the lowest expected loss of any model, the standard deviation of one pair's loss.
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
    """Return rewards of chosen and rejected answers, (4,), and the shifts b and factors α to try.

    The four pairs have mean loss .5187 and accuracy .75. The last one is on the wrong side, so the loss does not go
    to 0 as α grows.
    """
    rewards_chosen, rewards_rejected = np.array([2.0, 1.5, 3.0, 0.5]), np.array([1.0, 1.0, 2.0, 1.0])
    return rewards_chosen, rewards_rejected, np.linspace(-10, 10, 41), np.linspace(0, 6, 121)


def shift_invariance_figure() -> Figure:
    """Draw the mean loss after adding b to all rewards, and beside it after multiplying all by α."""
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
    """Draw samples of preferences from known true margins, and compute the loss of an overconfident model on each.

    Parameters
    ----------
    n_samples : int
        Samples of each size.
    seed : int

    Notes
    -----
    There are 500 pairs with true margins Δ* ~ N(0, 1.5²). The model predicts 2Δ*, which is the right order, but
    overconfident. A sample draws n pairs with replacement and one choice for each. The variance of one such loss l is
    E l² - (E l)², where the expectation is over pairs and choices.
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
    p = sigmoid(true_margins)
    square = p * pair_losses(margins) ** 2 + (1 - p) * pair_losses(-margins) ** 2
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
    """Draw the V-shaped error of a central difference for one entry of a linear scorer's gradient."""
    sweep = lesson_sweep()
    return figure_of(plot_step_sweep(sweep.steps, sweep.errors, mark=sweep.best_step))


def linear_and_mlp_figure() -> Figure:
    """Draw the rewards that a linear scorer and one with two hidden units learned from the same choices."""
    linear, bent, pairs = curved_models()
    left, right = new_axes(2, size=(12.5, 5.4), share_y=True)
    for model, title, ax in ((linear, "linear scorer", left), (bent, "two hidden units", right)):
        plot_reward_map(model.reward, pairs, names=("length", "politeness"), ax=ax)
        ax.set_title(title, fontsize=TEXT_SIZE)
    return figure_of(left)


def naive_forms_figure() -> Figure:
    """Draw where log(1 + exp(-Δ)) fails in float32, beside the stable form."""
    left, right = new_axes(2, size=(13.0, 4.8), share_y=True)
    plot_naive_form("log(1 + exp(-z))", np.float32, ax=left)
    plot_naive_form("max(-z, 0) + log1p(exp(-|z|))", np.float32, ax=right)
    return figure_of(left)


@only_whole_fits()
def training_curve_data() -> dict[str, RewardModel]:
    """Fit a linear scorer to the travel choices by Newton's method and by gradient descent, to the same tolerance.

    One traveller in five is held out, the same ones for both methods. The features are standardised: cost, minutes and
    income are hundreds of times larger than the 0-or-1 features of the modes, and without a common scale gradient
    descent would be very slow.
    """
    from ..datasets import travel_modes  # noqa: PLC0415  # the only figure on real data

    pairs = travel_modes()
    scorer = LinearScorer(pairs.n_features)
    return {
        method: fit(scorer, pairs, method=method, validation=0.2, standardise=True, tolerance=1e-3, backend=REFERENCE)
        for method in ("newton", "gradient_descent")
    }


def training_curve_figure() -> Figure:
    """Draw training and held-out loss on the travel choices, for Newton's method and for gradient descent."""
    models = training_curve_data()
    left, right = new_axes(2, share_y=True)
    plot_loss_curve(models["newton"], ax=left)
    plot_loss_curve(models["gradient_descent"], ax=right)
    return figure_of(left)


@only_whole_fits()
def six_runs_data(seed: int = 49) -> dict[str, tuple[str, RewardModel, PreferencePairs, PreferencePairs]]:
    """Make the six runs of lesson 10 as the lesson does: six of eight recipes, in random order.

    Returns
    -------
    dict from a letter to (recipe, model, training pairs, held-out pairs)
        Of each recipe's pairs the last 200 are held out.
    """
    rng = np.random.default_rng(seed)

    def people(n: int, taste: Array) -> PreferencePairs:
        a, b = rng.normal(size=(2, n, len(taste)))
        a_wins = sample_preferences(a @ taste, b @ taste, rng)[:, None]
        return PreferencePairs(np.where(a_wins, a, b), np.where(a_wins, b, a))

    taste = np.array([1.0, -0.5, 0.5, 0.0])
    people(400, taste), people(200, taste)  # the pairs of the slider come first
    start = people(600, taste).chosen
    recipes = {
        "healthy": (people(600, taste), 1.0),
        "learning rate too low": (people(600, taste), 1e-4),
        "learning rate too high": (people(600, taste), 12.0),
        "zero features": (PreferencePairs(0 * start, 0 * start), 1.0),
        "identical answers": (PreferencePairs(start, start), 1.0),
        "coin-flip labels": (people(600, 0 * taste), 1.0),
        "separable data": (people(600, 1e6 * taste), 4.0),
        "over-fitting": (people(300, np.r_[taste, np.zeros(26)]), 1.0),
    }
    runs = {}
    for letter, name in zip("ABCDEF", rng.permutation(list(recipes)).tolist(), strict=False):
        pairs, rate = recipes[name]
        training, held_out = pairs[:-200], pairs[-200:]
        model = fit(
            LinearScorer(pairs.n_features), training, method="gradient_descent", learning_rate=rate,
            validation=held_out, max_steps=300, patience=300, tolerance=0, backend=REFERENCE,
        )  # fmt: skip
        runs[letter] = (name, model, training, held_out)
    return runs


def six_runs_figure() -> Figure:
    """Draw the losses of six runs without their names."""
    return figure_of(plot_runs({letter: model for letter, (_, model, _, _) in six_runs_data().items()}))


def ranking_losses_figure() -> Figure:
    """Draw the pulls of four losses of a pair, and beside them the margins that they make the best ones."""
    return figure_of(plot_ranking_losses())


@dataclass(frozen=True)
class OverOptimisation:
    """A policy that is optimised for a learned reward, at growing distance from its reference.

    Attributes
    ----------
    distances : array, (n,)
        d = sqrt(KL), where the KL divergence is in nats.
    proxy_gains, true_gains : array, (n,), log-odds
        Gains in mean reward over the reference policy, by formula.
    simulated : array, (n_points, 2)
        Distances, and gains in the mean true reward of simulated answers.
    """

    distances: Array
    proxy_gains: Array
    true_gains: Array
    simulated: Array


def over_optimisation_data(
    *, bend: float = 0.3, n_pairs: int = 2000, n_answers: int = 20_000, seed: int = 0
) -> OverOptimisation:
    """Fit a linear scorer to choices between answers (quality, length) ~ N(0, I), and optimise a policy for it.

    The true reward is quality + 0.6·length - bend·length². The policy π_ref·exp(r/β) of a linear reward r = w·y is
    N(w/β, I), with KL = |w/β|²/2, so at distance d its mean is √2·d·w/|w|.

    Parameters
    ----------
    bend : float
    n_pairs, n_answers : int
        Choices for the fit; simulated answers at each distance.
    seed : int
    """

    def true_reward(answers: Array) -> Array:
        quality, length = answers.T
        return np.asarray(quality + 0.6 * length - bend * length**2)

    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n_pairs, 2))
    a_wins = sample_preferences(true_reward(a), true_reward(b), rng)[:, None]
    pairs = PreferencePairs(np.where(a_wins, a, b), np.where(a_wins, b, a))
    weights = fit(LinearScorer(2), pairs, backend=REFERENCE).phi
    step = np.sqrt(2) * weights / np.linalg.norm(weights)
    d = np.linspace(0, 11, 221)
    gains = d * (step @ [1, 0.6]) - bend * (d * step[1]) ** 2
    tried = np.arange(1.0, 11.0)
    means = [true_reward(each * step + rng.normal(size=(n_answers, 2))).mean() + bend for each in tried]
    return OverOptimisation(d, d * (step @ weights), gains, np.column_stack([tried, means]))


def over_optimisation_figure() -> Figure:
    """Draw proxy and true reward where the true reward bends, and beside it where it is linear like the proxy."""
    panels = new_axes(2, share_y=True)
    for ax, bend, title in zip(
        panels, (0.3, 0.0), ("people like length up to a point", "people like length without limit"), strict=True
    ):
        data = over_optimisation_data(bend=bend)
        plot_proxy_and_true(data.distances, data.proxy_gains, data.true_gains, simulated=data.simulated, ax=ax)
        ax.set_title(title, fontsize=TEXT_SIZE)
    return figure_of(panels[0])


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
    "10_six_runs": six_runs_figure,
    "11_ranking_losses": ranking_losses_figure,
    "12_over_optimisation": over_optimisation_figure,
}


def build_figures(folder: str | Path) -> list[Path]:
    """Draw every figure into a folder, as SVG and PNG, with a README of captions.

    Parameters
    ----------
    folder : str or Path
        Created if it does not exist. Figures of the same names are replaced.

    Returns
    -------
    list of Path
        The files written, README last.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for name, draw in FIGURES.items():
        paths += save_figure(draw(), folder / name, title=TITLES[name], caption=CAPTIONS[name])
    readme = folder / "README.md"
    write_file(readme, _readme())
    return [*paths, readme]


def _readme() -> str:
    parts = [
        "# Figures\n\nThere is one figure for each lesson, and one of a fit. The command `bradley-terry figures` draws "
        "them; the code is in `bradley_terry/course/figures.py`. Three more pictures have other sources: "
        "`bradley-terry bench --figure` draws `benchmark.svg`, and `python figures/screenshots.py` makes the "
        "screenshots `lesson.png` and `projector.png`.\n"
    ]
    for name, caption in CAPTIONS.items():
        parts.append(f"## {TITLES[name]}\n\n![{TITLES[name]}]({name}.svg)\n\n{caption}\n")
    return "\n".join(parts)
