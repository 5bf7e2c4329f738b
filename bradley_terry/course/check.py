"""Checks for exercises: pass your function, and the report says in plain words what is wrong and where.

    lesson  check.…                    your function
    1       probability                f(reward_a, reward_b) -> P(a preferred to b)
            depends_on_differences     f(strength) -> True or False, where strength(rewards) -> positive numbers
            margin                     f(probability) -> Δ
    2       loss                       f(margins) -> losses, one for each pair
            slope                      f(margins) -> slopes of these losses
            mean_loss                  f(rewards_chosen, rewards_rejected) -> one number
    3       shift_invariance_test      f(loss) -> True or False, where loss(rewards_chosen, rewards_rejected) -> number
            centring                   f(rewards, prompts) -> rewards
    4       accuracy                   f(margins) -> share
            best_temperature           f(margins) -> T
            minimiser                  f(loss, p) -> Δ, where loss(margins) -> losses
    5       expected_loss              f(true_margins, margins) -> one number
            interval_by_prompts        f(correct, prompts) -> (low, high)
            ceiling                    f(true_margins) -> share
    6       gradient                   f(weights, chosen, rejected) -> (n_features,)
            equilibrium                f(counts, differences) -> weight
            training_step              f(weights, chosen, rejected, learning_rate) -> weights
    7       central_difference         f(function, x, h) -> gradient at x
            name_the_bug               f(gradient) -> letter of its mistake
    8       middle_is_best             f() -> parameters of two hidden units
            reward                     f(parameters, features) -> rewards
            gradient(…, scorer="mlp")  f(parameters, chosen, rejected) -> dict of arrays
    9       format_limits              f(exponent_bits, fraction_bits) -> where exp overflows, where 1 + exp(−Δ) is 1
            overflow_limit             f(dtype) -> largest x whose exp is finite
            kernel                     f(margins) -> mean loss, gradients; compiled
    10      causes                     the name of a cause for each run, and the runs; not a function
            leaks                      f(training, held_out) -> row numbers of the held-out pairs that leak
    11      margin_gradient            f(rewards, chosen, rejected, target_margins) -> gradient of each reward
            ranking_loss               f(rewards, best first) -> one number
    12      tilted_policy              f(reference_probabilities, rewards, beta) -> probabilities
            choose_beta                f(reference_probabilities, proxy_rewards, measured_rewards, betas, max_kl) -> β
    all     prediction                 your guess, and the reason for the right answer

A check asks these questions in order and stops at the first "no": Can your function be called? Does it run without an
error? Does it return numbers of the right shape? Does it leave its inputs unchanged? Are the numbers right? Are they
still right at extreme inputs? A mistake in your function becomes a report, never a traceback from our code. A stub that
returns None or raises NotImplementedError is "not attempted".
"""

from __future__ import annotations

from ..arrays.single import one_of
from ..arrays.visible import quoted
from .engine import AS_EXPECTED, ERROR, NOT_ATTEMPTED, SURPRISE, Problem, Report, mind_the_order
from .exercises.confidence import accuracy, best_temperature, minimiser
from .exercises.diagnosis import causes, leaks
from .exercises.differences import central_difference, name_the_bug
from .exercises.expectations import ceiling, expected_loss, interval_by_prompts
from .exercises.gradients import equilibrium, gradient, training_step
from .exercises.losses import loss, mean_loss, slope
from .exercises.networks import middle_is_best, reward
from .exercises.numerics import format_limits, kernel, overflow_limit
from .exercises.optimisation import choose_beta, tilted_policy
from .exercises.probabilities import depends_on_differences, margin, probability
from .exercises.rankings import margin_gradient, ranking_loss
from .exercises.shifts import centring, shift_invariance_test
from .predictions import PREDICTIONS

__all__ = [
    "Problem",
    "Report",
    "accuracy",
    "best_temperature",
    "causes",
    "ceiling",
    "central_difference",
    "centring",
    "choose_beta",
    "depends_on_differences",
    "equilibrium",
    "expected_loss",
    "format_limits",
    "gradient",
    "interval_by_prompts",
    "kernel",
    "leaks",
    "loss",
    "margin",
    "margin_gradient",
    "mean_loss",
    "middle_is_best",
    "minimiser",
    "name_the_bug",
    "overflow_limit",
    "prediction",
    "probability",
    "ranking_loss",
    "reward",
    "shift_invariance_test",
    "slope",
    "tilted_policy",
    "training_step",
]

mind_the_order()


def prediction(question: str, answer: object) -> Report:
    """Say whether a prediction is what happens or a surprise, and why. The answer is not recorded.

    Parameters
    ----------
    question : str
        The number of the question, such as "03.1" for the first question of lesson 3.
    answer : str or None
        The letter of one of the options. With None, the report says "not attempted".

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> check.prediction("02.1", "c")
    prediction 02.1: as expected
    Yes. The model gave the choice a probability of σ(1) = 0.731, and −log 0.731 = 0.313.
    """
    asked = PREDICTIONS[one_of("question", question, tuple(PREDICTIONS))]
    what = f"prediction {question}"
    if answer is None:
        return Report(what, NOT_ATTEMPTED)
    letter = answer.strip().lower() if isinstance(answer, str) else ""
    if letter not in asked.options:
        return Report(what, ERROR, f"expected one of {', '.join(map(repr, asked.options))}, got {quoted(answer)}")
    return Report(what, AS_EXPECTED if letter == asked.right else SURPRISE, asked.options[letter])
