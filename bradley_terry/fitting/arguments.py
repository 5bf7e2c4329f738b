"""Check the arguments of ``fit`` before any work is done. Each error is one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays.visible import quoted
from ..logistic import Array
from ..losses import PairLoss
from ..pairs import PreferencePairs, check_loss
from ..scorers import MLPScorer, Scorer, TableScorer, check_size

if TYPE_CHECKING:
    from ..ranking.rankings import PreferenceRankings
    from .checkpoint import Checkpoint

__all__ = ["STEPS", "checked_arguments", "checked_standardise", "generator", "saved_state", "split", "start"]

STEPS = {"newton": 100, "gradient_descent": 1000, "adam": 300}  # method -> default limit of steps


def checked_arguments(
    scorer: Scorer,
    pairs: object,
    method: str | None,
    max_steps: int | None,
    tolerance: float,
    learning_rate: float | None,
    loss: PairLoss | None = None,
) -> tuple[str, int]:
    """Return the method and the limit of steps, or raise an error if an argument is wrong."""
    if not hasattr(scorer, "backward") or isinstance(scorer, type):
        raise TypeError(f"scorer: expected a scorer such as LinearScorer(n_features), got {quoted(scorer)}")
    if not isinstance(pairs, PreferencePairs) and not hasattr(pairs, "reference_backend"):  # that is for rankings
        raise TypeError(f"pairs: expected PreferencePairs, got {type(pairs).__name__}")
    if scorer.linear_in_phi and not hasattr(scorer, "hessian"):
        raise TypeError(f"scorer: expected a method hessian, since the scorer is linear in phi, got {scorer}")
    check_loss(loss)
    suits_newton = getattr(loss, "suits_newton", True)
    if method is None:
        method = "newton" if scorer.linear_in_phi and suits_newton else "adam"
    if method not in STEPS:
        raise ValueError(f"method: expected one of {', '.join(STEPS)}, got {quoted(method)}")
    if method == "newton" and not scorer.linear_in_phi:
        raise ValueError(f"method: 'newton' needs a scorer that is linear in phi, got {scorer}; use 'adam'")
    if method == "newton" and not suits_newton:
        raise ValueError(f"method: 'newton' needs a loss that is convex and has curvature, got {loss}; use 'adam'")
    if max_steps is not None:
        check_size("max_steps", max_steps)
    if not isinstance(tolerance, float | int) or not 0 <= tolerance < np.inf:
        raise ValueError(f"tolerance: expected a number of at least 0, got {quoted(tolerance)}")
    if learning_rate is not None and (not isinstance(learning_rate, float | int) or not 0 < learning_rate < np.inf):
        raise ValueError(f"learning_rate: expected a positive number, got {quoted(learning_rate)}")
    return method, max_steps or STEPS[method]


def checked_standardise(scorer: Scorer, standardise: bool | None) -> bool:
    """Return whether to standardise, by default only for the MLP, or raise TypeError if the scorer cannot do it."""
    if standardise is None:
        return type(scorer) is MLPScorer  # a class derived from it may compute something else
    if standardise and not isinstance(scorer, TableScorer) and not hasattr(scorer, "rescaled"):
        raise TypeError(f"standardise: expected a scorer with the method rescaled, got {scorer}")
    return standardise


def generator(seed: int) -> np.random.Generator:
    """Return a random generator with this seed."""
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed: expected a whole number of at least 0, got {quoted(seed)}")
    return np.random.default_rng(seed)


def split(
    scorer: Scorer, pairs: Any, validation: float | PreferencePairs | PreferenceRankings | None, seed: int
) -> tuple[Any, Any]:
    """Return the training pairs or rankings, and those for validation or None."""
    if validation is None:
        return pairs, None
    if isinstance(validation, type(pairs)):
        features = validation.chosen if isinstance(validation, PreferencePairs) else validation.features
        scorer.check_features(features, "validation")
        return pairs, validation
    if not isinstance(validation, float | int | np.number):
        kind = type(pairs).__name__
        raise TypeError(f"validation: expected a share of the prompts or {kind}, got {quoted(validation)}")
    return pairs.split(float(validation), seed=seed)


def saved_state(checkpoint: str | Path | None, every: int, options: Mapping[str, object]) -> Checkpoint | None:
    """Return the checkpoint of a fit with these options, or None if no path is given."""
    check_size("every", every)
    if checkpoint is None:
        return None
    from .checkpoint import checkpoint_of  # noqa: PLC0415  # rarely needed

    return checkpoint_of(checkpoint, every, options)


def start(scorer: Scorer, initial: ArrayLike) -> Array:
    """Return the initial φ as a new array."""
    try:
        phi = np.array(initial, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"initial: expected {scorer.n_parameters} numbers, got {quoted(initial)}") from None
    if phi.shape != (scorer.n_parameters,) or not np.isfinite(phi).all():
        raise ValueError(f"initial: expected shape ({scorer.n_parameters},) of finite numbers, got {quoted(initial)}")
    return phi
