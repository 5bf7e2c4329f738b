"""Exercises of lessons 6 to 8 on gradients: the gradient of a scorer, and one step of gradient descent."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...gradient_check.diagnosis import diagnose
from ...logistic import Array
from ...losses import pair_loss_gradients
from ...objective import Objective
from ...pairs import PreferencePairs
from ...scorers import LinearScorer, MLPScorer, Scorer
from ..engine import (
    FAILED,
    LIMIT,
    RELATIVE,
    Case,
    Report,
    Stop,
    Student,
    Wrong,
    call,
    can_be_called_with,
    check_values,
    compare,
    judged,
    real_numbers,
)

__all__ = ["gradient", "training_step"]


def gradient(
    function: Student, *, scorer: str = "linear", activation: str = "tanh", time_limit: float = LIMIT
) -> Report:
    """Check a gradient of the mean of −log σ(Δ), on two problems of different shapes and at extreme margins.

    Parameters
    ----------
    function : callable
        For "linear" f(weights, chosen, rejected) -> (n_features,), with features of shape (n_pairs, n_features). For
        "mlp" f(parameters, chosen, rejected) -> dict, both dicts with the names and shapes of ``MLPScorer.shapes``.
    scorer : "linear" or "mlp"
    activation : "tanh" or "relu"
        The activation of the MLP.
    time_limit : float, seconds
        Longest time for one call, where the system can interrupt it.
    """
    if scorer not in {"linear", "mlp"}:
        raise ValueError(f"scorer: expected 'linear' or 'mlp', got {scorer!r}")

    def stages() -> None:
        for seed, (n, k) in enumerate([(7, 3), (4, 5)]):
            rng = np.random.default_rng(seed)
            model: Scorer = LinearScorer(k) if scorer == "linear" else MLPScorer(k, 2 + seed, activation)
            phi = rng.normal(size=model.n_parameters)
            x = rng.normal(size=(2, n, k))
            while scorer == "mlp" and not _all_units_matter(model, phi, x):
                phi = rng.normal(size=model.n_parameters)
            _check_gradient(function, model, phi, x, time_limit)
        x, y = rng.normal(size=(2, n, k))
        if scorer == "mlp":
            phi[-model.shapes["output_weights"][0] :] *= 1e4
        else:
            x, y = 1e4 * x, 1e4 * y
        # Each pair occurs in both orders, so that there are margins of both signs.
        far = np.array([np.concatenate([x, y]), np.concatenate([y, x])])
        _check_gradient(
            function, model, phi, far, time_limit, note="right with ordinary rewards; with rewards of size 10,000: "
        )

    return judged("gradient", stages)


def _all_units_matter(model: Scorer, phi: Array, x: Array) -> bool:
    """Return whether each hidden unit is positive for some answers and negative for others, so a ReLU has an effect."""
    blocks = model.unpack(phi)
    a = x.reshape(-1, x.shape[-1]) @ blocks["hidden_weights"] + blocks["hidden_bias"]
    return bool(((a > 0).any(axis=0) & (a < 0).any(axis=0)).all())


def _check_gradient(function: Student, scorer: Scorer, phi: Array, x: Array, time_limit: float, note: str = "") -> None:
    chosen, rejected = x
    objective = Objective(scorer, PreferencePairs(chosen, rejected))
    expected = objective(phi)[1]
    is_linear = isinstance(scorer, LinearScorer)
    names = ("weights" if is_linear else "parameters", "chosen", "rejected")
    arguments = (phi if is_linear else scorer.unpack(phi), chosen, rejected)
    can_be_called_with(function, arguments, names)
    answer = call(function, arguments, names, time_limit, note=note)
    shapes = scorer.shapes
    if is_linear:
        parts = {"weights": answer}
    elif isinstance(answer, Mapping):
        parts = dict(answer)
        if set(parts) != set(shapes):
            wanted, found = ", ".join(shapes), ", ".join(map(str, parts)) or "none"
            raise Stop(FAILED, f"{note}expected a dict with the names {wanted}, got {found}")
    else:
        raise Stop(FAILED, f"{note}expected a dict of arrays, got {type(answer).__name__}")
    arrays = {name: real_numbers(parts[name], name, shapes[name], n_pairs=len(chosen), note=note) for name in shapes}
    got = np.concatenate([arrays[name].ravel() for name in shapes])
    compare(
        got, expected, shapes, note, RELATIVE, lambda failed: diagnose(got, expected, shapes, failed, objective, phi)
    )


def _linear(w: Array, chosen: Array, rejected: Array) -> Array:
    d = chosen - rejected
    return pair_loss_gradients(d @ w) @ d / len(d)


def training_step(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check one step of gradient descent, f(weights, chosen, rejected, learning_rate) -> the new weights."""
    rng = np.random.default_rng(6)
    cases: list[Case] = [((rng.normal(size=3), *rng.normal(size=(2, 6, 3)), rate), "") for rate in (0.25, 3.0)]

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
