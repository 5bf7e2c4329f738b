"""Pictures that only the lessons need, in the style and with the conventions of ``bradley_terry.plots``.

    choices        lessons 1 and 2    rewards to probabilities; the cost of a choice
    rewards        lessons 3 to 5     shift and scale, certainty, empirical and expected loss
    gradients      lessons 6 to 8     pulls, the step of a difference, networks
    training       lesson 10          runs and learning rates
    rankings       lesson 11          losses side by side
    optimisation   lesson 12          proxy and true reward

The pictures of lesson 9 are in ``naive_forms``.
"""

from __future__ import annotations

from ..naive_forms import NAIVE_FORMS, naive_losses, plot_naive_form
from .choices import plot_loss_shapes, plot_preference_probability, plot_probability_bar, plot_tangent
from .gradients import (
    plot_pull_on_rewards,
    plot_pulls,
    plot_reward_map,
    plot_reward_model,
    plot_step_sweep,
    plot_widths,
)
from .optimisation import plot_proxy_and_true
from .rankings import plot_best_margins, plot_ranking_loss, plot_ranking_losses, plot_ranking_pulls
from .rewards import (
    plot_confidence,
    plot_empirical_and_expected,
    plot_expected_loss_of_margin,
    plot_loss_tail,
    plot_rewards_by_prompt,
    plot_running_means,
    plot_scaling,
    plot_shift_invariance,
    plot_temperature,
)
from .training import plot_learning_rate, plot_runs

__all__ = [
    "NAIVE_FORMS",
    "naive_losses",
    "plot_best_margins",
    "plot_confidence",
    "plot_empirical_and_expected",
    "plot_expected_loss_of_margin",
    "plot_learning_rate",
    "plot_loss_shapes",
    "plot_loss_tail",
    "plot_naive_form",
    "plot_preference_probability",
    "plot_probability_bar",
    "plot_proxy_and_true",
    "plot_pull_on_rewards",
    "plot_pulls",
    "plot_ranking_loss",
    "plot_ranking_losses",
    "plot_ranking_pulls",
    "plot_reward_map",
    "plot_reward_model",
    "plot_rewards_by_prompt",
    "plot_running_means",
    "plot_runs",
    "plot_scaling",
    "plot_shift_invariance",
    "plot_step_sweep",
    "plot_tangent",
    "plot_temperature",
    "plot_widths",
]
