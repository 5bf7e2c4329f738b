"""Exercises of lesson 7: a gradient by central differences, and a function that names the mistake in a gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ...arrays.visible import class_name, quoted
from ...logistic import Array, sigmoid
from ..engine import (
    FAILED,
    LIMIT,
    NOT_ATTEMPTED,
    Case,
    Report,
    Stop,
    Student,
    Wrong,
    asked,
    can_be_called_with,
    check_values,
    judged,
    missing_branch,
)

__all__ = ["GRADIENTS", "central_difference", "name_the_bug"]


def central_difference(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(function, x, h) -> gradient of ``function`` at x, (n,), by (f(x + h·e_j) − f(x − h·e_j)) / 2h.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> def forward(function, x, h):
    ...     return np.array([(function(x + h * e) - function(x)) / h for e in np.eye(len(x))])
    >>> print(check.central_difference(forward).problems[0].diagnosis)
    looks like: a forward difference: (f(x + h) − f(x))/h,
    whose error falls with h, not with h²
    """

    def cubic(x: Array) -> float:
        x = np.asarray(x, dtype=np.float64)
        return float(np.sum(x**3) + x[0] * x[-1] - 2 * np.sum(x))  # some slopes are negative

    x = np.array([0.7, -1.2, 2.0, 0.4])
    cases: list[Case] = [((cubic, x, 0.1), "with h = 0.1: "), ((cubic, x[:2], 1e-5), "with h = 1e-5: ")]
    return check_values("central difference", function, ("function", "x", "h"), cases, _central, _wrong, time_limit)


def _moved(x: Array, j: int, h: float) -> Array:
    other = np.array(x)
    other[j] += h
    return other


def _each(x: Array, of: Callable[[int], float]) -> Array:
    return np.array([of(j) for j in range(x.size)])


def _central(f: Callable[[Array], float], x: Array, h: float) -> Array:
    return _each(x, lambda j: (f(_moved(x, j, h)) - f(_moved(x, j, -h))) / (2 * h))


def _wrong(f: Callable[[Array], float], x: Array, h: float) -> Wrong:
    central = _central(f, x, h)
    yield (
        "a forward difference: (f(x + h) − f(x))/h, whose error falls with h, not with h²",
        _each(x, lambda j: (f(_moved(x, j, h)) - f(x)) / h),
    )
    yield (
        "a backward difference: (f(x) − f(x − h))/h, whose error falls with h, not with h²",
        _each(x, lambda j: (f(x) - f(_moved(x, j, -h))) / h),
    )
    yield "divided by h: the two points are 2h apart", 2 * central
    yield "divided by 2 instead of 2h", central * h
    yield "not divided by 2h", central * 2 * h
    yield "divided by h²", central * 2 / h
    yield "multiplied by h: / 2 * h is not / (2 * h)", central * h * h
    yield "zero: b = a makes a second name for the same array, not a copy: use a.copy()", 0 * x
    yield "the sign is flipped: f(x − h) − f(x + h)", -central
    yield "the absolute value: a slope is negative where the function falls", np.abs(central)
    yield "all entries move at once: move one at a time", np.full(x.size, (f(x + h) - f(x - h)) / (2 * h))
    yield "an entry is not put back before the next one moves", _not_put_back(f, x, h)
    so_far = np.tril(np.full((x.size, x.size), h))
    yield (
        "the steps add up: each entry needs a step of its own",
        _each(x, lambda j: (f(x + so_far[j]) - f(x - so_far[j])) / (2 * h)),
    )


def _not_put_back(f: Callable[[Array], float], x: Array, h: float) -> Array:
    moved, slopes = np.array(x), []
    for j in range(x.size):
        moved[j] += h
        up = f(moved)
        moved[j] -= 2 * h
        slopes.append((up - f(moved)) / (2 * h))
    return np.array(slopes)


# ------------------------------------------------------------------------------------------------- name the bug


def _gradient(
    pulls: Callable[[Array], Array], *, of_all: float = 1.0, summed: bool = False, forgotten: bool = False
) -> Callable[[ArrayLike, ArrayLike, ArrayLike], Array]:
    """Make a gradient of a linear scorer, f(weights, chosen, rejected), from the pull of each pair at its margin."""

    def gradient(weights: ArrayLike, chosen: ArrayLike, rejected: ArrayLike) -> Array:
        w = np.asarray(weights, dtype=np.float64)
        c, r = (np.atleast_2d(np.asarray(side, dtype=np.float64)) for side in (chosen, rejected))
        x = c if forgotten else c - r
        total: Array = -of_all * (pulls((c - r) @ w) @ x)
        return total if summed else total / len(c)

    return gradient


def _right(z: Array) -> Array:
    return np.asarray(sigmoid(-z))


GRADIENTS: tuple[tuple[str, str, str, Callable[[ArrayLike, ArrayLike, ArrayLike], Array]], ...] = (
    ("a", "the right gradient", "it agrees with differences of the loss, but only up to rounding", _gradient(_right)),
    ("b", "the sum over the pairs", "with a single pair it is right", _gradient(_right, summed=True)),
    ("c", "the rejected answer is forgotten", "it is right if all features of the rejected answers are 0",
     _gradient(_right, forgotten=True)),
    ("d", "σ(Δ) instead of σ(−Δ)", "it is right at weights of zero",
     _gradient(lambda z: np.asarray(sigmoid(z)))),
    ("e", "the pull of the pair before", "it is right at weights of zero, and with a single pair",
     _gradient(lambda z: np.roll(_right(z), 1))),
    ("f", "the sign is flipped", "it is minus the right one", _gradient(_right, of_all=-1.0)),
    ("f", "σ(2Δ) instead of σ(Δ)", "it is right at weights of zero, and it is not one of the mistakes b to e",
     _gradient(lambda z: _right(2 * z))),
    ("f", "0.1 % too long", "its first two digits are right, but a gradient should agree to six or more",
     _gradient(_right, of_all=1.001)),
)  # fmt: skip
"""Gradients of a linear scorer: the letter, what it is, how it is told from the others, and the function."""

LETTERS = tuple(dict.fromkeys(letter for letter, *_ in GRADIENTS))
ROUNDS = 20  # a guess at random is right about all eight gradients with probability 6 to the power −8, once


def name_the_bug(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(gradient) -> the letter of its mistake, where gradient(weights, chosen, rejected) -> (n_features,).

    The letters are: a for the right gradient; b for the sum over the pairs instead of the mean; c if the rejected
    answer is forgotten; d for σ(Δ) instead of σ(−Δ); e if each pair gets the pull of the pair before it; and f for any
    other mistake. The function is given eight unnamed gradients several times, each time in another order. The report
    lists those about which it is wrong, each with a hint.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> print(check.name_the_bug(lambda gradient: "a").message.splitlines()[0])
    it returns 'a' for every gradient: does it look at what the gradient returns?
    """

    def stages() -> None:
        can_be_called_with(function, (GRADIENTS[0][3],), ("gradient",))
        rng = np.random.default_rng(7)
        said = _letters(function, rng, time_limit)
        missed = [k for k, (letter, *_) in enumerate(GRADIENTS) if said[k] != letter]
        if missed:
            lines = [
                f"{what}: expected {letter!r}, got {said[k]!r}; {hint}"
                for k, (letter, what, hint, _) in enumerate(GRADIENTS)
                if k in missed
            ]
            raise Stop(FAILED, _pattern(said) + "misjudged:\n  " + "\n  ".join(lines))
        for _ in range(ROUNDS):
            again = _letters(function, rng, time_limit)
            for k, (_, what, *_) in enumerate(GRADIENTS):
                if again[k] != said[k]:
                    raise Stop(
                        FAILED,
                        f"{what}: it returns {said[k]!r} at one time and {again[k]!r} at another. Does it draw new "
                        "random numbers each time, or remember the order of the gradients?",
                    )

    return judged("name the bug", stages)


def _letters(function: Student, rng: np.random.Generator, time_limit: float) -> list[str]:
    """Ask about each gradient once, in random order, and return the letters in the order of ``GRADIENTS``."""
    said = [""] * len(GRADIENTS)
    for k in rng.permutation(len(GRADIENTS)).tolist():

        def gradient(weights: ArrayLike, chosen: ArrayLike, rejected: ArrayLike, k: int = k) -> Array:
            return GRADIENTS[k][3](weights, chosen, rejected)

        gradient.__qualname__ = "gradient"  # as Python calls it in an error

        try:
            answer, _ = asked(function, (gradient,), ("gradient",), time_limit)
        except Stop as stop:
            if stop.status == NOT_ATTEMPTED and stop.message:
                stop = Stop(stop.status, f"given {GRADIENTS[k][1]}: {stop.message}")
            others = [] if any(said) else [(other,) for *_, other in GRADIENTS]
            raise missing_branch(stop, function, others, ("gradient",), time_limit) from None
        if not isinstance(answer, str):
            raise Stop(FAILED, f"expected one of the letters {', '.join(LETTERS)}, got {class_name(answer)}")
        said[k] = answer.strip().lower()
        if said[k] not in LETTERS:
            raise Stop(FAILED, f"expected one of the letters {', '.join(LETTERS)}, got {quoted(answer)}")
    return said


def _pattern(said: Sequence[str]) -> str:
    """Return a hint if the misjudged gradients have a common cause, else nothing."""
    if len(set(said)) == 1:
        return f"it returns {said[0]!r} for every gradient: does it look at what the gradient returns?\n"
    taken_for_right = {
        what for letter, (true, what, *_) in zip(said, GRADIENTS, strict=True) if letter == "a" and true != "a"
    }
    at_zero, alone = {GRADIENTS[k][1] for k in (3, 4, 6)}, {GRADIENTS[k][1] for k in (1, 4)}
    if at_zero <= taken_for_right:
        return "it tests at weights of zero, where every pull is ½: test at random weights\n"
    if alone <= taken_for_right:
        return "it tests a single pair, for which the sum equals the mean and there is no pair before: test several\n"
    if taken_for_right == {GRADIENTS[7][1]}:
        return "it accepts what is nearly right: compare more digits\n"
    return ""
