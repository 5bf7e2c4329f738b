"""The records of a fit, as the figures need them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from ..arrays.given import float64
from ..arrays.single import text
from ..arrays.visible import class_name, quoted, visible
from ..logistic import Array
from ..model import RewardModel
from .marks import numbers

__all__ = ["columns", "plain_losses", "step_label", "turning_point"]


def columns(history: RewardModel | Mapping[str, ArrayLike], *names: str, **texts: str | None) -> list[Array]:
    """Return these entries of a history, all of one shape, with NaN for a missing validation loss.

    ``texts`` are other arguments of the picture, each a text or None.
    """
    for argument, words in texts.items():
        if words is not None:
            text(argument, words)
    if isinstance(history, RewardModel):
        history = {**history.history, "loss": plain_losses(history)}
    if not isinstance(history, Mapping):
        raise TypeError(f"history: expected a fitted model or its history, got {class_name(history)}")
    for name in names:
        if name not in history and name != "validation_loss":
            found = visible(", ".join(map(str, history)), 300) or "none"
            raise ValueError(f"history: expected an entry {quoted(name)}, got {found}")
    step = numbers(history["step"], "step")
    columns = [float64(history.get(name, np.full(len(step), np.nan)), name) for name in names]
    if any(column.shape != step.shape for column in columns):
        shapes = ", ".join(str(column.shape) for column in columns)
        raise ValueError(f"history: expected entries of one shape, got {shapes}")
    return columns


def plain_losses(model: RewardModel) -> Array:
    """Return the mean loss at each record of a fit, without the l2 penalty that the recorded loss includes."""
    return model.history["loss"] - 0.5 * model.l2 * model.history["parameter_norm"] ** 2


def step_label(history: RewardModel | Mapping[str, ArrayLike]) -> str:
    """Return a label that says what a step is."""
    methods = {"newton": "Newton's method", "gradient_descent": "gradient descent", "adam": "Adam"}
    method = methods.get(history.method) if isinstance(history, RewardModel) else None
    return f"step of {method}" if method else "step"


def turning_point(held_out: Array) -> int | None:
    """Return the record with the lowest held-out loss, or None if the last loss equals it to three decimals."""
    known = held_out[~np.isnan(held_out)]
    if known.size == 0 or f"{known.min():.3f}" == f"{known[-1]:.3f}":
        return None
    return int(np.nanargmin(held_out))
