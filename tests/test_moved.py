"""Import paths of earlier versions: each old module and each of its public names can still be imported."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

import bradley_terry
from bradley_terry.moved import MODULES

# Modules and their public names before the layout changed (version 0.1.0, before issue 10).
EARLIER = {
    "benchmark": "PROMISES Measurement Promise Report draw measure run",
    "cli": "main",
    "contests": "GROUPS PEERS Answers Call Contest one_read",
    "course.check": (
        "Problem Report accuracy best_temperature ceiling central_difference centring expected_loss gradient kernel "
        "loss margin mean_loss overflow_limit prediction probability reward shift_invariance_test training_step"
    ),
    "course.engine": "Case Problem Report Student Wrong check_values compare judged mind_the_order",
    "course.figures": (
        "CAPTIONS FIGURES PULLING EmpiricalAndExpected build_figures confidence_and_loss_figure "
        "empirical_and_expected_data empirical_and_expected_loss_figure loss_and_gradient_figure shift_invariance_data "
        "shift_invariance_figure training_curve_data training_curve_figure"
    ),
    "course.museum": "EXHIBITS Exhibit",
    "course.notebooks": (
        "as_text check check_choice copy_to execute lessons open_lab originals progress read with_solutions write"
    ),
    "course.plots": (
        "NAIVE_FORMS naive_losses plot_naive_form plot_preference_probability plot_probability_bar plot_pulls "
        "plot_reward_map plot_temperature"
    ),
    "course.predictions": "PREDICTIONS Prediction",
    "course.projector": "SCENES page show write_copy",
    "course.sliders": (
        "curved_models curved_world draw_forms draw_hidden_width draw_loss draw_more_pairs "
        "draw_probability draw_pull draw_shift_and_scale draw_step draw_temperature forms hidden_width lesson_sweep "
        "loss more_pairs play probability pull shift_and_scale step temperature"
    ),
    "datasets": "Texts baseball citations load_pairs read_texts save_pairs synthetic synthetic_phi travel_modes",
    "diagnosis": "diagnose wrong_gradients",
    "doctor": "examine",
    "evaluation": (
        "Evaluation Reliability bootstrap_interval connected_groups covariance evaluate mean_accuracy "
        "pairwise_accuracies reliability strong_components"
    ),
    "figures": "model_figures",
    "files": "Texts load_pairs matchups_of read_texts save_pairs",
    "gradient_check": (
        "BlockReport GradientReport PairReport StepSweep autodiff_gradient check_gradient numerical_gradient "
        "reference_loss step_sweep"
    ),
    "kernels": (
        "curvatures differences_of get_threads in_parts linear_loss_and_gradient linear_margins "
        "mean_loss_and_gradients mlp_loss_and_gradient set_threads warmup weighted_gram"
    ),
    "learner": "ERROR FAILED NOT_ATTEMPTED PASSED PRINTED Stop Watch call can_be_called_with real_numbers",
    "logistic": "cross_entropy log_sigmoid logit sigmoid softplus",
    "losses": (
        "BradleyTerryLoss PairLoss mean_loss pair_loss_curvatures pair_loss_gradients pair_losses weighted_mean"
    ),
    "model": "HISTORY RewardModel make_scorer",
    "objective": "Objective blas_on_one_thread chosen_backend warmup",
    "pairs": "PreferencePairs",
    "plots": (
        "CHOSEN EMPIRICAL EXPECTED QUIET REJECTED figure_of new_axes plot_confidence plot_empirical_and_expected "
        "plot_loss_and_gradient plot_loss_curve plot_loss_tail plot_margins plot_reliability plot_scaling "
        "plot_shift_invariance plot_step_sweep plot_times plot_weights save_figure signed style"
    ),
    "preference": ("accuracy_ceiling brier_floor expected_loss loss_floor preference_probability sample_preferences"),
    "report": "Weight example_in_words markdown weights_by_strength",
    "scorers": "Features LinearScorer MLPScorer Scorer TableScorer",
    "text": "DEFAULT_BINS STYLE_FEATURES feature_names hash_bin text_features",
    "threads": "get_threads in_parts set_threads",
    "training": "ConvergenceWarning fit",
}


@pytest.mark.parametrize("old", MODULES)
def test_an_old_name_is_the_module_with_the_new_name(old: str) -> None:
    """Both names import the same module, and its ``__name__`` and ``__spec__`` are the new ones."""
    new = f"bradley_terry.{MODULES[old]}"
    module = import_module(f"bradley_terry.{old}")
    assert module is import_module(new)
    assert module is sys.modules[f"bradley_terry.{old}"]
    assert module is getattr(bradley_terry, old)
    assert (module.__name__, module.__spec__.name) == (new, new)


@pytest.mark.parametrize("module", EARLIER)
def test_every_public_name_of_an_earlier_module_can_be_imported_from_it(module: str) -> None:
    """Code written for the earlier layout finds all its names."""
    found = import_module(f"bradley_terry.{module}")
    assert [name for name in EARLIER[module].split() if not hasattr(found, name)] == []


def test_unknown_modules_are_still_unknown() -> None:
    """Only names in the table are redirected. Any other unknown name raises a ModuleNotFoundError that names it."""
    with pytest.raises(ModuleNotFoundError, match="ranking_looses"):
        import_module("bradley_terry.ranking_looses")
    with pytest.raises(ModuleNotFoundError, match="another_package"):
        import_module("another_package.cli")


@pytest.mark.full
def test_old_names_work_in_a_fresh_process_in_either_order(run_python) -> None:
    """An old name may be imported before the new one, or after it, or with ``from bradley_terry import``."""
    script = (
        "from importlib import import_module\n"
        "import bradley_terry\n"
        "for number, (old, new) in enumerate(OLD_AND_NEW):\n"
        "    names = [f'bradley_terry.{old}', f'bradley_terry.{new}']\n"
        "    one, other = map(import_module, names if number % 2 else names[::-1])\n"
        "    print(one is other is getattr(bradley_terry, old))\n"
    )
    assert run_python(f"OLD_AND_NEW = {[*MODULES.items()]}\n{script}").split() == ["True"] * len(MODULES)
