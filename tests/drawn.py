"""Each plot with arguments that it accepts, drawn once for all tests that only look at it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from bradley_terry import plots
from bradley_terry.course import plots as course_plots
from bradley_terry.evaluation import reliability
from bradley_terry.findings import Check, Diagnosis, Finding

CHOSEN = np.array([2.0, 1.5, 3.0, 0.5])
REJECTED = np.array([1.0, 1.0, 2.0, 1.0])
MARGINS = np.array([-2.2, -0.4, 0.0, 0.3, 0.9, 1.1, 2.0, 3.5])
HISTORY = {
    "step": np.arange(4),
    "loss": np.array([np.log(2), 0.6, 0.55, 0.54]),
    "validation_loss": np.array([np.log(2), 0.62, 0.58, 0.57]),
    "gradient_norm": np.array([8.63, 0.25, 1.2e-3, 2.1e-10]),
}
SIZES = np.array([10, 100, 1000])
LOSSES = 0.6 + np.array([[-0.1, 0.0, 0.2], [-0.05, 0.01, 0.04], [0.0, -0.01, 0.01]])
RUNNING = 0.6 + 0.3 * np.cos(np.arange(500)[:, None] * np.array([1.0, 2.0, 3.0]))
BINS = reliability(MARGINS, n_bins=4)

# Each plot with arguments that it accepts.
STEPS = np.logspace(-12, 0, 25)
SEVERAL_PANELS = {"plot_learning_rate", "plot_losses", "plot_ranking_loss", "plot_ranking_losses", "plot_runs"}
"""Tried in ``test_ranking_losses``, ``test_course_rankings`` and ``test_course_training``."""

CALLS = {
    "plot_best_margins": ((), {}),
    "plot_ranking_pulls": ((), {}),
    "plot_confidence": ((np.linspace(0.01, 0.99, 99),), {}),
    "plot_diagnosis": (
        (
            Diagnosis(
                "a model",
                (Finding("labels swapped", "error", {}, "", ""),),
                (
                    Check("stuck at log 2", 1.0, 8.0),
                    Check("labels swapped", 9.0, 3.0),
                    Check("identical answers", 0, 0),
                ),
                {},
            ),
        ),
        {},
    ),
    "plot_empirical_and_expected": ((SIZES, LOSSES, 0.6, 0.5), {"spread": 0.9}),
    "plot_expected_loss_of_margin": ((lambda z: np.logaddexp(0, -z),), {}),
    "plot_gradient_norm": ((HISTORY,), {}),
    "plot_loss_and_gradient": ((np.linspace(-3, 3, 61),), {}),
    "plot_loss_curve": ((HISTORY,), {}),
    "plot_loss_shapes": (([-1.0, 0.0, 1.0, 2.0],), {}),
    "plot_loss_tail": ((np.linspace(-8, 4, 121),), {}),
    "plot_margins": ((MARGINS,), {"weights": np.ones(8)}),
    "plot_naive_form": (("log(1 + exp(-z))", np.float32), {}),
    "plot_preference_probability": (([-1.0, 2.2],), {}),
    "plot_probability_bar": ((2.0, 1.0), {}),
    "plot_proxy_and_true": ((np.arange(5), 2.0 * np.arange(5), np.array([0.0, 1.0, 1.2, 0.6, -1.0])), {"now": 1}),
    "plot_pull_on_rewards": ((-2.0,), {}),
    "plot_pulls": (([-3.0, 0.0],), {}),
    "plot_reliability": ((BINS,), {}),
    "plot_reward_map": ((lambda x: 2 - x[:, 0] ** 2 + x[:, 1],), {}),
    "plot_running_means": ((RUNNING, 0.6, 0.5), {"now": 300}),
    "plot_reward_model": ((), {}),
    "plot_rewards_by_prompt": ((CHOSEN, np.array([1, 1, 1, 2])), {}),
    "plot_scaling": ((CHOSEN, REJECTED, np.linspace(0, 6, 121)), {}),
    "plot_shift_invariance": ((CHOSEN, REJECTED, np.linspace(-10, 10, 21)), {}),
    "plot_step_sweep": ((STEPS, STEPS**2 + 1e-16 / STEPS), {"mark": 1e-5}),
    "plot_tangent": ((1.5,), {}),
    "plot_temperature": ((MARGINS, 2.0), {}),
    "plot_times": (
        ({"ours": (SIZES, SIZES / 1e6), "a peer": (SIZES, SIZES / 1e5), "copy": (SIZES, SIZES / 1e7)},),
        {"ours": "ours", "limits": ["copy"]},
    ),
    "plot_widths": (([1, 2, 4], [0.6, 0.46, 0.459]), {"mark": 2}),
    "plot_weights": ((["price", "time"], [-0.5, 0.1], [[-0.7, -0.3], [-0.1, 0.3]]), {}),
}


class Drawn(NamedTuple):
    """A plot drawn under unusual settings, and what was found changed afterwards."""

    ax: Axes
    settings_changed: bool
    inputs_changed: bool


def draw(name: str, **extra: object) -> Axes:
    arguments, keywords = CALLS[name]
    return function(name)(*arguments, **keywords, **extra)


def function(name: str) -> Callable[..., Axes]:
    """Return the plot of this name from ``plots``, or from the course if only the course has it."""
    return getattr(plots, name, None) or getattr(course_plots, name)


@cache
def drawn(name: str) -> Drawn:
    """Draw each plot once for all tests that only look at it."""
    given = arrays_in(CALLS[name])
    before = [array.copy() for array in given]
    with mpl.rc_context({"lines.linewidth": 7.0, "font.family": "monospace"}):
        settings = settings_now()
        ax = draw(name)
        settings_changed = settings_now() != settings
    inputs_changed = not all(np.array_equal(a, b) for a, b in zip(given, before, strict=True))
    return Drawn(ax, settings_changed, inputs_changed)


def settings_now() -> dict[str, object]:
    """Return matplotlib's settings but for the backend, which matplotlib chooses when it is first read."""
    return {name: mpl.rcParams[name] for name in mpl.rcParams if name != "backend"}


def words(ax) -> str:
    return "\n".join(text.get_text() for text in ax.texts)


def color(artist) -> str:
    return to_hex(artist.get_color()).upper()


def arrays_in(value: object) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, dict):
        return [array for part in value.values() for array in arrays_in(part)]
    if isinstance(value, list | tuple):
        return [array for part in value for array in arrays_in(part)]
    return []
