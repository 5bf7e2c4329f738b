"""Exercises of lessons 6 to 8 on gradients: the gradient of a scorer, a balance of pulls, and one step of descent."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.visible import quoted
from ...gradient_check.diagnosis import diagnose
from ...gradient_check.runner import kind_of
from ...logistic import Array, sigmoid
from ...losses import pair_loss_gradients, pair_losses
from ...objective import Objective
from ...pairs import PreferencePairs
from ...scorers import LinearScorer, MLPScorer, Scorer, TableScorer
from ..engine import (
    FAILED,
    LIMIT,
    RELATIVE,
    Case,
    Report,
    Stop,
    Student,
    Wrong,
    asked,
    can_be_called_with,
    check_values,
    compare,
    falling_to_zero,
    judged,
    note_of,
    numbers_or_warning,
    with_their_objects,
)
from .by_hand import by_hand

__all__ = ["equilibrium", "gradient", "training_step"]

Sides = Array | tuple[NDArray[Any], NDArray[Any]]  # features, or item numbers, of chosen and rejected


def gradient(
    function: Student,
    *,
    scorer: str = "linear",
    activation: str = "tanh",
    pairs: PreferencePairs | None = None,
    time_limit: float = LIMIT,
) -> Report:
    """Check a gradient of the mean of −log σ(Δ), on two problems of different shapes and at extreme margins.

    The function is called twice on each problem, and once with other numbers of the same shapes, so that a function
    that keeps something from one call to the next is noticed. If the numbers are right but NumPy gives a warning, the
    report mentions it in a note.

    Parameters
    ----------
    function : callable
        For "linear" f(weights, chosen, rejected) -> (n_features,), with features of shape (n_pairs, n_features). For
        "mlp" f(parameters, chosen, rejected) -> dict, both dicts with the names and shapes of ``MLPScorer.shapes``.
        It may also return (loss, gradient); then the loss is checked, too. Of this package, it may use only the
        sigmoid and, for "mlp", the slope of the loss.
    scorer : "linear" or "mlp"
    activation : "tanh" or "relu"
        The activation of the MLP.
    pairs : PreferencePairs, optional
        Check on these pairs instead. Weights, labels and target margins are left out, since the function has no
        argument for them. Pairs of item numbers need f(rewards, chosen, rejected) -> (n_items,).
    time_limit : float, seconds
        Longest time for one call, where the system can interrupt it.
    """
    if scorer not in {"linear", "mlp"}:
        raise ValueError(f"scorer: expected 'linear' or 'mlp', got {quoted(scorer)}")
    if pairs is not None:
        return judged("gradient", partial(_on_pairs, function, pairs, scorer, activation, time_limit))

    def stages() -> list[str]:
        notes, said = [], ""
        for seed, (n, k) in enumerate([(7, 3), (4, 5)]):
            rng = np.random.default_rng(seed)
            model: Scorer = LinearScorer(k) if scorer == "linear" else MLPScorer(k, 2 + seed, activation)
            phi, x = _problem(model, n, rng)
            notes += _check_gradient(function, model, phi, x, time_limit, said)
            _check_again(function, model, phi, _problem(model, n, rng), x, time_limit)
            said = f"right with {n} pairs of {k} features; with 4 pairs of 5 features: "
        x, y = rng.normal(size=(2, n, k))
        if scorer == "mlp":
            phi[-model.shapes["output_weights"][0] :] *= 1e4
        else:
            x, y = 1e4 * x, 1e4 * y
        # Each pair occurs in both orders, so that there are margins of both signs.
        far = np.array([np.concatenate([x, y]), np.concatenate([y, x])])
        return notes + _check_gradient(
            function, model, phi, far, time_limit, "right with ordinary rewards; with rewards of size 10,000: "
        )

    model: Scorer = LinearScorer(3) if scorer == "linear" else MLPScorer(3, 2, activation)
    arguments, names = _arguments(model, *_problem(model, 7, np.random.default_rng(0)))
    allowed = {"sigmoid"} if scorer == "linear" else {"pair_loss_gradients", "sigmoid"}
    return by_hand(judged("gradient", stages), function, names, [(arguments, "")], time_limit, allowed)


def _problem(model: Scorer, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw φ and features in which the usual mistakes show.

    Some margins are negative, some are small, and some are larger than 1, where a hinge has no slope. The gradient has
    entries of both signs.
    """
    k = model.n_features if isinstance(model, LinearScorer | MLPScorer) else 1
    while True:
        phi, x = rng.normal(size=model.n_parameters), rng.normal(size=(2, n, k))
        z = np.asarray(Objective(model, PreferencePairs(*x)).margins(phi))
        gradient = Objective(model, PreferencePairs(*x))(phi)[1]
        has_all_sizes = 1.2 < z.max() < 6 and -6 < z.min() < -0.2 and ((z > 0) & (z < 0.9)).any()
        has_both_signs = gradient.min() < 0 < gradient.max()
        if has_all_sizes and has_both_signs and (isinstance(model, LinearScorer) or _all_units_matter(model, phi, x)):
            return phi, x


def _all_units_matter(model: Scorer, phi: Array, x: Array) -> bool:
    """Return whether each hidden unit is positive for some answers and negative for others, so a ReLU has an effect."""
    blocks = model.unpack(phi)
    a = x.reshape(-1, x.shape[-1]) @ blocks["hidden_weights"] + blocks["hidden_bias"]
    return bool(((a > 0).any(axis=0) & (a < 0).any(axis=0)).all())


def _on_pairs(function: Student, pairs: PreferencePairs, scorer: str, activation: str, time_limit: float) -> list[str]:
    """Check a gradient on the learner's own pairs, at two random φ."""
    rng, notes = np.random.default_rng(0), []
    chosen, rejected = pairs.chosen, pairs.rejected
    left_out = [name for name in ("weights", "labels", "target_margins") if getattr(pairs, name) is not None]
    if left_out:
        notes.append(
            f"the pairs have {' and '.join(left_out).replace('_', ' ')}, and your function has no argument for them, "
            "so it was checked without them"
        )
    model: Scorer
    if np.ndim(chosen) == 1:
        model = TableScorer(1 + max(int(np.max(chosen)), int(np.max(rejected))))
    else:
        k = int(chosen.shape[1])
        model = LinearScorer(k) if scorer == "linear" else MLPScorer(k, 3, activation)
    for where in ("", "at another point: "):
        phi = rng.normal(size=model.n_parameters)
        margins = np.abs(np.asarray(Objective(model, PreferencePairs(chosen, rejected)).margins(phi)))
        if not isinstance(model, MLPScorer):  # large features would make every pair certain
            phi = phi * min(1.0, 3.0 / max(float(margins.max()), 1e-300))
        notes += _check_gradient(function, model, phi, (chosen, rejected), time_limit, where)
    return notes


def _arguments(scorer: Scorer, phi: Array, x: Sides) -> tuple[tuple[object, ...], tuple[str, ...]]:
    if isinstance(scorer, MLPScorer):
        return (scorer.unpack(phi), *x), ("parameters", "chosen", "rejected")
    return (phi, *x), ("rewards" if isinstance(scorer, TableScorer) else "weights", "chosen", "rejected")


def _check_gradient(
    function: Student, scorer: Scorer, phi: Array, x: Sides, time_limit: float, note: str = ""
) -> list[str]:
    """Compare one answer with the right gradient, and return notes."""
    objective = Objective(scorer, PreferencePairs(*x))
    loss, expected = objective(phi)
    arguments, names = _arguments(scorer, phi, x)
    can_be_called_with(function, arguments, names)
    answer, warned = asked(function, arguments, names, time_limit, note=note)
    its_loss, got = _read(answer, scorer, len(objective.pairs), note, warned)
    first = np.copy(got)  # a function may return the same array each time
    again, _ = asked(function, arguments, names, time_limit, note=note)
    _must_be_the_same(first, _read(again, scorer, len(objective.pairs), note, warned)[1], expected, note)
    if its_loss is not None:
        words = _name_of_the_loss(its_loss, np.asarray(objective.margins(phi)))
        compare(np.array([its_loss]), np.array([loss]), {"loss": ()}, note, RELATIVE, lambda _: {"loss": words})
    compare(
        first, expected, scorer.shapes, note, RELATIVE,
        lambda failed: diagnose(first, expected, scorer.shapes, failed, objective, phi),
    )  # fmt: skip
    return [note_of(warned)] if warned else []


def _check_again(
    function: Student, scorer: Scorer, before: Array, other: tuple[Array, Array], x: Array, time_limit: float
) -> None:
    """Ask about other numbers of the same shapes, where something kept from the first problem would be wrong."""
    phi, y = other
    n, k = x[0].shape
    where = "on other numbers of the same shapes: "
    for at, features in ((phi, x), (before, y)):
        objective = Objective(scorer, PreferencePairs(*features))
        expected = objective(at)[1]
        arguments, names = _arguments(scorer, at, features)
        answer, warned = asked(function, arguments, names, time_limit)
        got = _read(answer, scorer, n, where, warned)[1]
        if not np.allclose(got, expected, rtol=1e-5, atol=1e-9):
            words = diagnose(got, expected, scorer.shapes, dict.fromkeys(scorer.shapes, True), objective, at)
            if words:
                compare(got, expected, scorer.shapes, where, RELATIVE, partial(_whatever_failed, words))
            raise Stop(
                FAILED,
                f"right with {n} pairs of {k} features, but wrong when it is called again with other numbers of the "
                "same shapes: does it keep something from an earlier call?",
            )


def _whatever_failed(words: Mapping[str, str], _: Mapping[str, bool]) -> Mapping[str, str]:
    return words


def _read(answer: object, scorer: Scorer, n_pairs: int, note: str, warned: Stop | None) -> tuple[float | None, Array]:
    """Return the loss, if there is one, and the gradient as one vector, or stop and say what is wrong."""
    with with_their_objects(f"{note}looking at what your function returned"):
        return _numbers_of(answer, scorer, n_pairs, note, warned)


def _numbers_of(
    answer: object, scorer: Scorer, n_pairs: int, note: str, warned: Stop | None
) -> tuple[float | None, Array]:
    shapes, loss = scorer.shapes, None
    if isinstance(answer, tuple) and len(answer) == 2 and _n_axes(answer[0]) == 0 and _is_gradient(answer[1], scorer):
        loss = float(numbers_or_warning(answer[0], "loss", (), warned, note=note))
        answer = answer[1]
    if not isinstance(scorer, MLPScorer):
        parts = dict.fromkeys(shapes, answer)
    elif isinstance(answer, Mapping):
        parts = dict(answer)
        if set(parts) != set(shapes):
            wanted, found = ", ".join(shapes), ", ".join(map(str, parts)) or "none"
            raise Stop(FAILED, f"{note}expected a dict with the names {wanted}, got {found}")
    else:
        raise Stop(FAILED, f"{note}expected a dict of arrays, got {kind_of(answer)}")
    arrays = [
        numbers_or_warning(parts[name], name, shapes[name], warned, n_pairs=n_pairs, note=note).ravel()
        for name in shapes
    ]
    return loss, np.concatenate(arrays)


def _is_gradient(answer: object, scorer: Scorer) -> bool:
    return isinstance(answer, Mapping) if isinstance(scorer, MLPScorer) else _n_axes(answer) > 0


def _n_axes(answer: object) -> int:
    """Return the number of axes, also of a list of rows that differ in length."""
    return int(getattr(answer, "ndim", isinstance(answer, list | tuple)))


def _must_be_the_same(first: Array, again: Array, expected: Array, note: str) -> None:
    """Stop if two calls on the same input gave two answers, and say why that may be."""
    scale = max(float(np.abs(expected).max()), 1e-300)
    if np.abs(first - again).max() <= 1e-9 * scale:
        return
    if np.allclose(again, 2 * first, rtol=1e-6, atol=1e-9 * scale):
        why = (
            "the second answer is twice the first. Does your function add to what the first call left? Start from "
            "zeros each time"
        )
    elif np.allclose(again - first, expected, rtol=1e-6, atol=1e-9 * scale):
        why = "the second answer contains the first. Start from zeros each time"
    else:
        why = "does your function draw random numbers, as for a mini-batch or dropout, or keep something between calls?"
    raise Stop(FAILED, f"{note}two calls on the same input give different answers: {why}")


def _name_of_the_loss(loss: float, z: Array) -> str:
    """Return "looks like: …" for a loss that is wrong in a common way, else nothing."""
    right = float(pair_losses(z).mean())
    wrong = {
        "a sum instead of a mean: divide by the number of pairs": right * z.size,
        "the minus sign is missing: the mean of log σ(Δ)": -right,
        "chosen and rejected are exchanged: Δ = r_rejected − r_chosen": float(pair_losses(-z).mean()),
        "−log σ(mean Δ): average the losses, not the margins": float(pair_losses(z.mean())),
        "the hinge loss max(0, 1 − Δ), not −log σ(Δ)": float(np.maximum(0, 1 - z).mean()),
        "the mean probability, not a loss": float(np.mean(sigmoid(z))),
    }
    same = [words for words, value in wrong.items() if np.isclose(loss, value, rtol=1e-6, atol=0)]
    return f"looks like: {same[0]}" if len(same) == 1 else ""


def _linear(w: Array, chosen: Array, rejected: Array) -> Array:
    d = chosen - rejected
    return pair_loss_gradients(d @ w) @ d / len(d)


def training_step(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check one step of gradient descent, f(weights, chosen, rejected, learning_rate) -> the new weights.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> report = check.training_step(lambda weights, chosen, rejected, learning_rate: weights)
    >>> report.problems[0].diagnosis
    'looks like: no step was taken: the weights are returned as they were'
    """
    rng = np.random.default_rng(6)
    cases: list[Case] = [
        ((rng.normal(size=3), *rng.normal(size=(2, 6, 3)), 0.25), ""),
        ((rng.normal(size=3), *rng.normal(size=(2, 6, 3)), 3.0), "right with learning rate 0.25; with 3: "),
    ]

    def wrong(w: Array, c: Array, r: Array, rate: float) -> Wrong:
        g = _linear(w, c, r)
        yield "the step goes uphill: subtract the gradient", w + rate * g
        yield "the step alone, without the weights it starts from", -rate * g
        yield "the gradient, not the new weights", g
        yield "the learning rate is missing", w - g
        yield "divided by the learning rate", w - g / rate
        yield "the gradient is summed over the pairs instead of averaged", w - rate * g * len(c)
        yield "divided by the number of pairs twice", w - rate * g / len(c)
        yield (
            "the step always has length learning_rate: the size of the gradient is lost",
            w - rate * g / np.sqrt(g @ g),
        )
        yield "only the sign of the gradient is used", w - rate * np.sign(g)
        yield "no step was taken: the weights are returned as they were", w

    return check_values(
        "weights", function, ("weights", "chosen", "rejected", "learning_rate"), cases,
        lambda w, c, r, rate: w - rate * _linear(w, c, r), wrong, time_limit,
    )  # fmt: skip


def equilibrium(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(counts, differences) -> the weight w of a linear scorer at which two opposing groups of pairs balance.

    There is one feature. n₁ pairs have the difference d₁ > 0 of chosen and rejected answer, and n₂ pairs have the
    difference -d₂ < 0. The gradient of the loss is zero where n₁·d₁·σ(-d₁w) = n₂·d₂·σ(d₂w). The left side falls with
    w and the right side rises, so there is one such w. In general it has no closed form. An error of 0.01 %, or of
    0.000001, is allowed.

    Parameters
    ----------
    function : callable
        ``counts`` are (n₁, n₂) and ``differences`` are (d₁, -d₂), two arrays of two numbers. Of this package, it may
        use only the sigmoid.
    time_limit : float, seconds
        Longest time for one call, where the system can interrupt it.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> report = check.equilibrium(lambda counts, differences: np.log(counts[0] / counts[1]))
    >>> print(report.problems[0].diagnosis)
    looks like: log(n₁/n₂), the margin for differences of 1 and −1:
    the differences are not used
    """
    cases: list[Case] = [
        ((np.array([5.0, 2.0]), np.array([0.8, -3.0])), ""),
        ((np.array([7.0, 3.0]), np.array([0.5, -0.2])), "where the balance is far from 0: "),
        ((np.array([1.0, 1.0]), np.array([40.0, -90.0])), "with long differences: "),
        ((np.array([1e6, 1.0]), np.array([0.02, -0.01])), "with a million pairs against one: "),
    ]
    names = ("counts", "differences")
    report = check_values(
        "weight", function, names, cases, _balance, _wrong_balances, time_limit, tolerance=1e-4, absolute=1e-6
    )
    return by_hand(report, function, names, cases, time_limit, {"sigmoid"}, {"pair_loss_gradients"})


def _balance(counts: Array, differences: Array) -> float:
    forces = counts * differences
    return falling_to_zero(lambda w: float(forces @ sigmoid(-w * differences)))


def _wrong_balances(counts: Array, differences: Array) -> Wrong:
    (n_1, n_2), (d_1, d_2), right = counts, np.abs(differences), _balance(counts, differences)
    yield "log(n₁/n₂), the margin for differences of 1 and −1: the differences are not used", np.log(n_1 / n_2)
    yield "log(n₁/n₂)/d₁, which is right only where both differences have the same length", np.log(n_1 / n_2) / d_1
    yield "log(n₁/n₂)/d₂, which is right only where both differences have the same length", np.log(n_1 / n_2) / d_2
    yield "the sign is flipped", -right
    yield "the counts are not used: n₁ pairs pull n₁ times as hard as one", _balance(np.ones(2), differences)
    yield "n₁ and n₂ are exchanged", _balance(counts[::-1], differences)
    yield (
        "the pulls on the margins balance, not those on w: the chain rule multiplies each by its difference",
        _balance(counts / np.abs(differences), differences),
    )
    yield (
        "the losses of the two groups are equal at this w, not the pulls",
        falling_to_zero(lambda w: float(n_1 * pair_losses(d_1 * w) - n_2 * pair_losses(-d_2 * w))),
    )
    yield "the margin of the first group, d₁·w: return w", d_1 * right
    yield "the margin of the second group, −d₂·w: return w", -d_2 * right
    yield "one step from w = 0, not the balance", float(counts @ differences / 2 / counts.sum())
