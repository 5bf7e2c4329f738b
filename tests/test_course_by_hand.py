"""Exercises that allow only some functions of the package refuse the others, and answers that are right by luck."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from students import RIGHT, fresh

import bradley_terry as bt
from bradley_terry import expected_loss
from bradley_terry.course import check
from bradley_terry.course import exercises as a_part


def called_by_its_attribute(true_margins, margins):
    return bt.expected_loss(true_margins, margins)


def called_by_its_name(true_margins, margins):
    return expected_loss(true_margins, margins)


def called_inside(true_margins, margins):
    def inner():
        return [bt.mean_loss(margins, labels=bt.sigmoid(true_margins)) for _ in range(1)]

    return inner()[0]


def called_through_a_part(true_margins, margins):
    return a_part.expectations.right_expected_loss(true_margins, margins) + 0 * bt.logit(0.5)


def of_an_objective(weights, chosen, rejected):
    return bt.Objective(bt.LinearScorer(weights.size), bt.PreferencePairs(chosen, rejected))(weights)[1]


def of_a_scorer(parameters, chosen, rejected):
    scorer = bt.MLPScorer(*parameters["hidden_weights"].shape)
    phi = np.concatenate([parameters[name].ravel() for name in scorer.shapes])
    return scorer.unpack(bt.Objective(scorer, bt.PreferencePairs(chosen, rejected))(phi)[1])


def of_a_model(margins):
    return 1 / bt.fit(bt.LinearScorer(1), bt.PreferencePairs(margins[:, None], 0 * margins[:, None])).phi[0]


def with_a_sigmoid(reference, rewards, beta):
    return RIGHT["tilted_policy"](reference, rewards, beta) + 0 * bt.sigmoid(beta)


def of_a_fit(counts, differences):
    x = np.abs(differences)[:, None] * (differences > 0)[:, None]
    y = np.abs(differences)[:, None] * (differences < 0)[:, None]
    return bt.fit(bt.LinearScorer(1), bt.PreferencePairs(x, y, weights=counts)).phi[0]


@pytest.mark.parametrize(
    ("name", "function", "words"),
    [
        (
            "expected_loss",
            called_by_its_attribute,
            "calls expected_loss from bradley_terry: use NumPy, bt.pair_losses",
        ),
        ("expected_loss", called_by_its_name, "calls expected_loss from bradley_terry"),
        ("expected_loss", called_inside, "calls mean_loss from bradley_terry"),
        ("expected_loss", called_through_a_part, "calls expected_loss from bradley_terry"),
        ("gradient", of_an_objective, "from bradley_terry: use NumPy and bt.sigmoid"),
        ("equilibrium", of_a_fit, "from bradley_terry"),
        ("mlp_gradient", of_a_scorer, "calls MLPScorer from bradley_terry: use NumPy, bt.pair_loss_gradients and bt"),
        ("best_temperature", of_a_model, "from bradley_terry: use NumPy, bt.mean_loss, "),
        ("tilted_policy", with_a_sigmoid, "calls sigmoid from bradley_terry: use NumPy"),
    ],
)
def test_an_answer_that_calls_the_package_is_refused(name, function, words) -> None:
    """The numbers would be right, but the exercise is to write them oneself."""
    checked = partial(check.gradient, scorer="mlp") if name == "mlp_gradient" else getattr(check, name)
    report = checked(function)
    assert report.status == "failed"
    assert words in repr(report)


def test_functions_that_the_text_allows_are_allowed() -> None:
    """The sigmoid and the loss of a pair are not the subject of these exercises."""

    def my_expected_loss(true_margins, margins):
        p = bt.preference_probability(true_margins, 0.0)
        return np.mean(p * bt.pair_losses(margins) + bt.sigmoid(-true_margins) * bt.pair_losses(-margins))

    check.expected_loss(my_expected_loss).require()


def test_a_helper_in_a_folder_beside_the_package_is_the_students_own() -> None:
    """Working copies lie in bradley_terry_course, whose name begins like that of the package."""
    file = f"{Path(bt.__file__).parent}_course/helper.py"
    scope = {"answer": None, "np": np}
    exec(compile("def answer(margins):\n    return np.logaddexp(0, -margins)", file, "exec"), scope)  # noqa: S102
    check.loss(scope["answer"]).require()


def test_a_helper_of_the_student_may_have_any_name() -> None:
    """It counts only whether a function of this package runs."""
    scope = {"np": np, "mean_loss": fresh, "fit": RIGHT["equilibrium"]}
    exec("def answer(t, z):\n    return mean_loss(t, z)\ndef weight(n, d):\n    return fit(n, d)", scope)  # noqa: S102
    check.expected_loss(scope["answer"]).require()
    check.equilibrium(scope["weight"]).require()


def test_other_callables_are_left_to_the_other_stages() -> None:
    """What is not a plain function is not looked into."""
    assert check.expected_loss("text").status == "error"
    assert check.equilibrium(np.zeros(2)).status == "error"
    assert check.expected_loss(np.add).status != "passed"


@pytest.mark.parametrize("name", ["expected_loss", "interval_by_prompts", "equilibrium", "gradient"])
def test_a_constant_does_not_pass(name) -> None:
    """It returns the right answer to the first question each time."""
    first = []

    def constant(*arguments):
        if not first:
            right = RIGHT.get(name, lambda w, c, r: -np.exp(-np.logaddexp(0, (c - r) @ w)) @ (c - r) / len(c))
            first.append(right(*arguments))
        return first[0]

    report = getattr(check, name)(constant)
    assert report.status == "failed"


def test_an_interval_that_ignores_prompts_is_right_only_where_each_prompt_has_one_pair() -> None:
    """The naive interval is the right one in the last case, so that the exercise contains it as a special case."""
    asked = []

    def mixed(correct, prompts):
        asked.append(prompts)
        alone = len(set(prompts.tolist())) == prompts.size
        return RIGHT["interval_by_prompts"](correct, np.arange(correct.size) if alone else prompts)

    check.interval_by_prompts(mixed).require()
    assert sum(len(prompts) == len(set(prompts.tolist())) for prompts in asked) == 1


def test_copies_of_a_pair_do_not_narrow_the_interval_by_prompts() -> None:
    """With every pair written three times, under its own prompt, the two ends stay where they were."""
    rng = np.random.default_rng(0)
    correct, prompts = rng.integers(2, size=40).astype(float), rng.integers(9, size=40)
    once = RIGHT["interval_by_prompts"](correct, prompts)
    thrice = RIGHT["interval_by_prompts"](np.repeat(correct, 3), np.repeat(prompts, 3))
    np.testing.assert_allclose(thrice, once, rtol=1e-12)
