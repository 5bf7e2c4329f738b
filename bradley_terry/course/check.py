"""Checks for exercises: pass your function, and the report says in plain words what is wrong and where.

    lesson  check.…                    your function
    1       probability                f(reward_a, reward_b) -> P(a preferred to b)
            margin                     f(probability) -> Δ
    2       loss                       f(margins) -> losses, one for each pair
            mean_loss                  f(rewards_chosen, rewards_rejected) -> one number
    3       shift_invariance_test      f(loss) -> True or False, where loss(rewards_chosen, rewards_rejected) -> number
            centring                   f(rewards, prompts) -> rewards
    4       accuracy                   f(margins) -> share
            best_temperature           f(margins) -> T
    5       expected_loss              f(true_margins, margins) -> one number
            ceiling                    f(true_margins) -> share
    6       gradient                   f(weights, chosen, rejected) -> (n_features,)
            training_step              f(weights, chosen, rejected, learning_rate) -> weights
    7       central_difference         f(function, x, h) -> gradient at x
    8       reward                     f(parameters, features) -> rewards
            gradient(…, scorer="mlp")  f(parameters, chosen, rejected) -> dict of arrays
    9       overflow_limit             f(dtype) -> largest x whose exp is finite
            kernel                     f(margins) -> mean loss, gradients; compiled
    10      causes                     the name of a cause for each run, and the runs; not a function
            leaks                      f(training, held_out) -> row numbers of the held-out pairs that leak
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
from .exercises.confidence import accuracy, best_temperature
from .exercises.diagnosis import causes, leaks
from .exercises.differences import central_difference
from .exercises.expectations import ceiling, expected_loss
from .exercises.gradients import gradient, training_step
from .exercises.losses import loss, mean_loss
from .exercises.networks import reward
from .exercises.numerics import kernel, overflow_limit
from .exercises.probabilities import margin, probability
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
    "expected_loss",
    "gradient",
    "kernel",
    "leaks",
    "loss",
    "margin",
    "mean_loss",
    "overflow_limit",
    "prediction",
    "probability",
    "reward",
    "shift_invariance_test",
    "training_step",
]

mind_the_order()


def prediction(question: str, answer: object) -> Report:
    """Say whether a guess is what happens, or a surprise, and why. The guess is not recorded.

    Parameters
    ----------
    question : str
        Its number, such as "03.1" for the first question of lesson 3.
    answer : str or None
        The letter of one of the options; None is "not attempted".
    """
    asked = PREDICTIONS[one_of("question", question, tuple(PREDICTIONS))]
    what = f"prediction {question}"
    if answer is None:
        return Report(what, NOT_ATTEMPTED)
    letter = answer.strip().lower() if isinstance(answer, str) else ""
    if letter not in asked.options:
        return Report(what, ERROR, f"expected one of {', '.join(map(repr, asked.options))}, got {quoted(answer)}")
    return Report(what, AS_EXPECTED if letter == asked.right else SURPRISE, asked.options[letter])
