"""Check the arguments of ``fit`` before any work is done. Each error is one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import given, single
from ..arrays.visible import class_name, quoted
from ..logistic import Array
from ..losses import PairLoss
from ..objective import BACKENDS
from ..pairs import PreferencePairs, check_fit, check_loss
from ..scorers import MLPScorer, Scorer, TableScorer, check_size
from .matching import matched
from .penalties import checked_strength

if TYPE_CHECKING:
    from ..ranking.rankings import PreferenceRankings
    from .checkpoint import Checkpoint

__all__ = [
    "STEPS",
    "check_options",
    "checked_arguments",
    "checked_standardise",
    "generator",
    "saved_state",
    "split",
    "start",
]

STEPS = {"newton": 100, "gradient_descent": 1000, "adam": 300}  # method -> default limit of steps


def checked_arguments(
    scorer: Scorer,
    pairs: Any,
    method: str | None,
    max_steps: int | None,
    tolerance: float,
    learning_rate: float | None,
    loss: PairLoss | None = None,
) -> tuple[str, int]:
    """Return the method and the limit of steps, or raise an error if an argument is wrong."""
    check_fit(scorer, pairs)
    check_loss(loss)
    if scorer.linear_in_phi and not hasattr(scorer, "hessian"):
        raise TypeError(f"scorer: expected a method hessian, since the scorer is linear in phi, got {scorer}")
    suits_newton = getattr(loss, "suits_newton", True)
    if method is None:
        method = "newton" if scorer.linear_in_phi and suits_newton else "adam"
    single.one_of("method", method, tuple(STEPS))
    if method == "newton" and not scorer.linear_in_phi:
        raise ValueError(f"method: 'newton' needs a scorer that is linear in phi, got {scorer}; use 'adam'")
    if method == "newton" and not suits_newton:
        raise ValueError(f"method: 'newton' needs a loss that is convex and has curvature, got {loss}; use 'adam'")
    if max_steps is not None:
        check_size("max_steps", max_steps)
    if not 0 <= single.number(tolerance) < np.inf:
        raise ValueError(f"tolerance: expected a number of at least 0, got {quoted(tolerance)}")
    if learning_rate is not None and not 0 < single.number(learning_rate) < np.inf:
        raise ValueError(f"learning_rate: expected a positive number, got {quoted(learning_rate)}")
    return method, max_steps or STEPS[method]


def check_options(l2: float, centring: float, backend: str, callback: object, **switches: bool) -> None:
    """Raise an error if one of these arguments of ``fit`` has the wrong type or value."""
    checked_strength("l2", l2)
    checked_strength("centring", centring)
    single.one_of("backend", backend, BACKENDS)
    if callback is not None:
        single.function("callback", callback)
    for name, value in switches.items():
        single.switch(name, value)


def checked_standardise(scorer: Scorer, standardise: bool | None) -> bool:
    """Return whether to standardise, by default only for the MLP, or raise TypeError if the scorer cannot do it."""
    if standardise is None:
        return type(scorer) is MLPScorer  # a class derived from it may compute something else
    standardise = single.switch("standardise", standardise)
    if standardise and not isinstance(scorer, TableScorer) and not hasattr(scorer, "rescaled"):
        raise TypeError(f"standardise: expected a scorer with the method rescaled, got {scorer}")
    return standardise


def generator(seed: int) -> np.random.Generator:
    """Return a random generator with this seed."""
    return np.random.default_rng(single.seed(seed))


def split(
    scorer: Scorer, pairs: Any, validation: float | PreferencePairs | PreferenceRankings | None, seed: int
) -> tuple[Any, Any]:
    """Return the training pairs or rankings, and those for validation or None."""
    if validation is None:
        return pairs, None
    if isinstance(validation, type(pairs)):
        held_out = matched(scorer, pairs.feature_names, validation, "validation")
        features = held_out.chosen if isinstance(held_out, PreferencePairs) else held_out.features
        scorer.check_features(features, "validation")
        return pairs, held_out
    if np.isnan(single.number(validation)):
        kind = class_name(pairs)
        raise TypeError(f"validation: expected a share of the prompts or {kind}, got {quoted(validation)}")
    return pairs.split(single.number(validation), seed=seed)


def saved_state(checkpoint: str | Path | None, every: int, options: Mapping[str, object]) -> Checkpoint | None:
    """Return the checkpoint of a fit with these options, or None if no path is given."""
    check_size("every", every)
    if checkpoint is None:
        return None
    from .checkpoint import checkpoint_of  # noqa: PLC0415  # rarely needed

    return checkpoint_of(checkpoint, every, options)


def start(scorer: Scorer, initial: ArrayLike) -> Array:
    """Return the initial φ as a new array."""
    phi = given.float64(initial, "initial").copy()
    if phi.shape != (scorer.n_parameters,) or not np.isfinite(phi).all():
        raise ValueError(f"initial: expected shape ({scorer.n_parameters},) and finite numbers, got {quoted(initial)}")
    return phi
