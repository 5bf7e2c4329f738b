"""Fitting: find the φ that makes the observed choices most probable.

    newton            φ ← φ - s·H⁻¹∇L   for scorers linear in φ, where L is convex; s is halved until L falls enough
    gradient_descent  φ ← φ - η·∇L      the plain rule, for teaching
    adam              φ ← φ - η·m̂/√v̂    mini-batches of whole prompts, for the MLP (Kingma & Ba 2015)

Each says on which criterion it stopped, and a fit that did not converge says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .evaluation import pairwise_accuracies, strong_components
from .losses import PairLoss, weighted_mean
from .model import HISTORY, RewardModel, read_only
from .objective import Objective, blas_on_one_thread
from .pairs import PreferencePairs
from .scorers import Scorer, TableScorer

__all__ = ["ConvergenceWarning", "fit"]

Array = NDArray[np.float64]
Callback = Callable[[Mapping[str, object]], object]

METHODS = ("newton", "gradient_descent", "adam")


class ConvergenceWarning(UserWarning):
    """The minimum was not reached, or there is none."""


def fit(  # noqa: PLR0912
    scorer: Scorer,
    pairs: PreferencePairs,
    *,
    method: str | None = None,
    l2: float = 0.0,
    seed: int = 0,
    validation: float | PreferencePairs | None = None,
    progress: bool = False,
    callback: Callback | None = None,
    initial: ArrayLike | None = None,
    max_steps: int | None = None,
    tolerance: float = 1e-9,
    learning_rate: float | None = None,
    batch_size: int = 64,
    patience: int = 20,
    standardise: bool = False,
    loss: PairLoss | None = None,
    backend: str = "numba",
) -> RewardModel:
    """Fit a scorer to preference pairs by minimising the mean of -log sigma(Δ).

    Parameters
    ----------
    scorer : Scorer
    pairs : PreferencePairs
    method : "newton", "gradient_descent", "adam", optional
        Newton for scorers linear in φ, Adam for the MLP, unless given.
    l2 : float
        Adds l2/2·|φ|².
    seed : int
        Draws the initial φ, the split and the order of the mini-batches.
    validation : float or PreferencePairs, optional
        A share of the prompts to hold out of the fit, or pairs of their own. The validation loss is recorded, and
        Adam and gradient descent keep the φ where it was least and stop ``patience`` records after it.
    progress : bool
        Show a tqdm progress bar.
    callback : callable, optional
        Called after each record with a mapping of the history's names to numbers, and ``phi``; True stops the fit.
    initial : array_like, (n_parameters,), optional
        Where to start; ``scorer.initial(rng)`` unless given. With ``standardise``, in its units.
    max_steps : int, optional
        Updates of φ (for Adam: passes over the data). 100 for Newton, 1000 for gradient descent, 300 for Adam.
    tolerance : float
        Stop where the largest entry of the gradient is at most this.
    learning_rate : float, optional
        η. Adam: 0.01. Gradient descent: 1/λ with λ the largest curvature that L can have where the scorer is linear
        in φ, which never overshoots; 0.1 for the MLP.
    batch_size : int
        Adam: pairs in a mini-batch, at least; the pairs of a prompt are never separated.
    patience : int
        Records without a better validation loss after which Adam and gradient descent stop.
    standardise : bool
        Work on features of mean 0 and variance 1 and return φ for the features as they are; l2 then acts on the
        parameters of the standardised features, and history and callback see those. For linear and MLP scorers.
    loss, backend
        As in ``Objective``.

    Returns
    -------
    RewardModel

    Raises
    ------
    ValueError, TypeError
        One sentence naming the argument, what was found and what was wanted.

    Warns
    -----
    ConvergenceWarning
        If Newton's method did not reach the minimum, or there is none: the pairs can be separated and l2 is 0.

    Examples
    --------
    >>> from bradley_terry import TableScorer
    >>> pairs = PreferencePairs([0, 0, 1, 2], [1, 1, 2, 0])
    >>> print([f"{reward:.4f}" for reward in fit(TableScorer(3), pairs).phi[:2]])
    ['0.4196', '-0.4196']
    """
    if not hasattr(scorer, "backward"):
        raise TypeError(f"scorer: expected a scorer such as LinearScorer(n_features), got {scorer!r}")
    if method is None:
        method = "newton" if scorer.linear_in_phi else "adam"
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    if method == "newton" and not scorer.linear_in_phi:
        raise ValueError(f"method: 'newton' needs a scorer that is linear in phi, got {scorer}; use 'adam'")
    for name, value in (("max_steps", max_steps), ("batch_size", batch_size), ("patience", patience)):
        if value is not None and (not isinstance(value, int | np.integer) or value < 1):
            raise ValueError(f"{name}: expected a whole number of at least 1, got {value!r}")
    if not tolerance >= 0:
        raise ValueError(f"tolerance: expected a number of at least 0, got {tolerance!r}")
    if learning_rate is not None and not 0 < learning_rate < np.inf:
        raise ValueError(f"learning_rate: expected a positive number, got {learning_rate!r}")
    if not isinstance(pairs, PreferencePairs):
        raise TypeError(f"pairs: expected PreferencePairs, got {type(pairs).__name__}")
    rng = np.random.default_rng(seed)
    held_out: PreferencePairs | None = None
    if isinstance(validation, PreferencePairs):
        held_out = validation
    elif validation is not None:
        pairs, held_out = pairs.split(float(validation), seed=seed)

    shift = scale = None
    if standardise and not isinstance(scorer, TableScorer):
        shift, scale = _shift_and_scale(pairs)
        pairs = _standardised(pairs, shift, scale)
        held_out = None if held_out is None else _standardised(held_out, shift, scale)
    objective = Objective(scorer, pairs, l2=l2, loss=loss, backend=backend)
    recorder = _Recorder(objective, held_out, callback, loss, backend)
    phi = np.array(scorer.initial(rng) if initial is None else initial, dtype=np.float64)
    scorer.unpack(phi)
    if not np.isfinite(phi).all():
        raise ValueError("initial: expected finite numbers, got NaN or infinity")
    steps = max_steps or {"newton": 100, "gradient_descent": 1000, "adam": 300}[method]
    with _Bar(progress, method, steps) as bar, blas_on_one_thread(phi.size**3):
        recorder.bar = bar
        if method == "newton":
            phi, converged, message = _newton(objective, phi, recorder, steps, tolerance)
        else:
            if method == "gradient_descent":
                rate = _safe_rate(objective, phi) if learning_rate is None else learning_rate
                updates = _gradient_descent(objective, phi, rate)
            else:
                updates = _adam(objective, phi, learning_rate or 0.01, batch_size, rng)
            phi, converged, message = _descend(updates, recorder, steps, tolerance, patience)
    if isinstance(scorer, TableScorer):
        phi = phi - phi.mean()
    information = objective.hessian(phi) * pairs.total_weight if scorer.linear_in_phi else None
    if shift is not None and scale is not None:
        phi = scorer.rescaled(phi, shift, scale)  # type: ignore[attr-defined]
        if information is not None:  # weights became w/scale, so that d/dw became scale·d/dw, twice
            information = information * np.outer(scale, scale)
    if method == "newton" and not converged:
        warnings.warn(message, ConvergenceWarning, stacklevel=2)
    return RewardModel(
        scorer=scorer,
        phi=read_only(phi),
        history=recorder.history(),
        converged=converged,
        message=message,
        feature_names=pairs.feature_names,
        l2=float(l2),
        method=method,
        information=information,
    )


def _newton(
    objective: Objective, phi: Array, recorder: _Recorder, max_steps: int, tolerance: float
) -> tuple[Array, bool, str]:
    """Minimise a convex L by Newton's method with step control.

    Near φ, L ≈ L₀ + gᵀs + ½ sᵀHs, least at s = -H⁻¹g. Far from the minimum the parabola is a poor guide, so the step is
    halved until L falls by at least a ten-thousandth of what its slope gᵀs promises (Armijo 1966).
    """
    loss, gradient = objective(phi)
    stopped = recorder.record(0, phi, loss, gradient)
    n_drifting = 0  # steps since the gradient became small without coming to rest
    for step in range(1, max_steps + 2):
        largest = float(np.abs(gradient).max())
        if stopped:
            return phi, False, "stopped by the callback"
        direction = -_solve(objective.hessian(phi), gradient)
        if largest <= tolerance:
            # A small gradient is not yet a minimum. Where the pairs can be separated the loss falls for ever, and each
            # step still moves a margin by about 1; in tiny units of a feature every gradient is small. At rest the
            # next step moves nothing. (Δ is linear in φ: a step changes the margins by the margins of the step.)
            if objective.l2 > 0 or np.abs(objective.margins(direction)).max() <= 0.1:
                return phi, True, f"largest gradient entry {largest:.1e} <= {tolerance:g}"
            n_drifting += 1
        if n_drifting > 20:
            return phi, False, _no_minimum(objective)
        if step > max_steps:
            break
        slope = float(gradient @ direction)
        rounding = 1e-15 * abs(loss)
        size = 1.0
        while True:
            candidate = phi + size * direction
            new_loss, new_gradient = objective(candidate)
            if new_loss <= loss + 1e-4 * size * slope + rounding:
                break
            size /= 2
            if size < 1e-12:
                return phi, False, f"not converged: no step lowers the loss, largest gradient entry {largest:.1e}"
        if -slope <= rounding and np.abs(new_gradient).max() >= largest > tolerance:
            return phi, True, f"the loss is least to the last digit, largest gradient entry {largest:.1e}"
        phi, loss, gradient = candidate, new_loss, new_gradient
        stopped = recorder.record(step, phi, loss, gradient)
    return phi, False, f"not converged: largest gradient entry {largest:.1e} after {max_steps} Newton steps"


def _no_minimum(objective: Objective) -> str:
    reason = "some direction of phi never contradicts a choice, so rewards grow without end"
    pairs = objective.pairs
    if pairs.is_items and (n := len(strong_components(pairs))) > 1:
        reason = f"the items fall into {n} groups of which some never lost to the others"
    return f"not converged: there is no finite minimum, {reason}; use l2 > 0"


def _solve(hessian: Array, gradient: Array) -> Array:
    """Solve H s = g by Cholesky, in units in which every parameter has curvature 1, with a speck of damping.

    A direction in which H vanishes is one that no pair speaks about (a shift of all rewards, a feature that both
    answers share). g vanishes there too, and the damping makes the solution stay put in it.
    """
    diagonal = np.diag(hessian)
    unit = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = hessian * np.outer(unit, unit)
    damping = 1e-14
    while True:
        try:
            lower = np.linalg.cholesky(scaled + damping * np.eye(len(scaled)))
            return np.asarray(unit * np.linalg.solve(lower.T, np.linalg.solve(lower, unit * gradient)))
        except np.linalg.LinAlgError:
            damping *= 10


def _safe_rate(objective: Objective, phi: Array) -> float:
    """Return 1/λ with λ >= every eigenvalue of d²L/dφ²: since l'' <= ¼, λ = ¼·λ_max(Σ w d dᵀ / Σ w) + l2."""
    if not objective.scorer.linear_in_phi:
        return 0.1
    pairs = objective.pairs
    quarter = (
        np.full(len(pairs), 0.25 / len(pairs)) if pairs.weights is None else 0.25 * pairs.weights / pairs.total_weight
    )
    bound = objective.scorer.hessian(pairs.chosen, pairs.rejected, quarter)  # type: ignore[attr-defined]
    largest = float(np.linalg.eigvalsh(bound)[-1]) + objective.l2
    return 1 / largest if largest > 0 else 1.0


def _gradient_descent(objective: Objective, phi: Array, rate: float) -> Iterator[tuple[int, Array]]:
    step = 0
    while True:
        yield step, phi
        phi = phi - rate * objective(phi)[1]
        step += 1


def _adam(
    objective: Objective, phi: Array, rate: float, batch_size: int, rng: np.random.Generator
) -> Iterator[tuple[int, Array]]:
    """Yield φ after each pass over the data.

    m and v are running means of the gradient and of its square, m̂ and v̂ the same corrected for their start at zero.
    m̂/√v̂ is about ±1 while the gradient keeps its sign: every parameter moves by about η, whatever its units.
    """
    beta_1, beta_2, epsilon = 0.9, 0.999, 1e-8  # as in Kingma & Ba 2015
    m, v = np.zeros_like(phi), np.zeros_like(phi)
    step = 0
    yield step, phi
    while True:
        for rows in _batches(objective.pairs.prompt_index, batch_size, rng):
            _, gradient = _on(objective, rows)(phi)
            step += 1
            m = beta_1 * m + (1 - beta_1) * gradient
            v = beta_2 * v + (1 - beta_2) * gradient * gradient
            phi = phi - rate * (m / (1 - beta_1**step)) / (np.sqrt(v / (1 - beta_2**step)) + epsilon)
        yield step, phi


def _on(objective: Objective, rows: NDArray[np.int64]) -> Objective:
    """Return the objective of these rows alone."""
    if len(rows) == len(objective.pairs):
        return objective
    loss = None if objective.backend == "numba" else objective.loss
    return Objective(
        objective.scorer, objective.pairs.subset(rows), l2=objective.l2, loss=loss, backend=objective.backend
    )


def _batches(prompt_index: NDArray[np.int64], batch_size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Yield rows of whole prompts in random order, at least ``batch_size`` rows at a time; the rest joins the last."""
    n_prompts = int(prompt_index.max()) + 1
    place = rng.permutation(n_prompts)[prompt_index]  # of each row's prompt in the random order
    rows = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place))  # where each prompt ends
    start = 0
    while start < len(rows):
        stop = int(ends[np.searchsorted(ends, min(start + batch_size, len(rows)))])
        if len(rows) - stop < batch_size / 2:
            stop = len(rows)
        yield rows[start:stop]
        start = stop


def _descend(
    updates: Iterator[tuple[int, Array]], recorder: _Recorder, max_steps: int, tolerance: float, patience: int
) -> tuple[Array, bool, str]:
    """Follow updates of φ until a criterion is met; with validation, return the φ that did best there."""
    best, best_loss, best_record = None, np.inf, 0
    for record, (step, phi) in enumerate(updates):
        loss, gradient = recorder.objective(phi)
        if not np.isfinite(loss):
            return phi, False, f"not converged: the loss became {loss} at step {step}; use a smaller learning_rate"
        stopped = recorder.record(step, phi, loss, gradient)
        validation_loss = recorder.last_validation_loss
        if validation_loss < best_loss:
            best, best_loss, best_record = phi, validation_loss, record
        chosen = phi if best is None else best
        largest = float(np.abs(gradient).max())
        if stopped:
            return chosen, False, "stopped by the callback"
        if largest <= tolerance:
            return chosen, True, f"largest gradient entry {largest:.1e} <= {tolerance:g}"
        if best is not None and record - best_record >= patience:
            return best, True, f"no better validation loss for {patience} records; kept the best, {best_loss:.6f}"
        if record == max_steps:
            break
    note = "" if best is None else f"; kept the best validation loss, {best_loss:.6f}"
    return (
        chosen,
        False,
        f"not converged: stopped at the limit of {max_steps}, largest gradient entry {largest:.1e}{note}",
    )


class _Recorder:
    """Keeps the history of a fit and tells callback and progress bar."""

    def __init__(
        self,
        objective: Objective,
        held_out: PreferencePairs | None,
        callback: Callback | None,
        loss: PairLoss | None,
        backend: str,
    ) -> None:
        self.objective = objective
        self.validation = (
            None if held_out is None else Objective(objective.scorer, held_out, loss=loss, backend=backend)
        )
        self.callback = callback
        self.bar: _Bar | None = None
        self.rows: list[tuple[float, ...]] = []

    @property
    def last_validation_loss(self) -> float:
        return self.rows[-1][HISTORY.index("validation_loss")]

    def record(self, step: int, phi: Array, loss: float, gradient: Array) -> bool:
        """Add a row; return True if the callback asks to stop."""
        pairs = self.objective.pairs
        accuracy = weighted_mean(pairwise_accuracies(self.objective.margins(phi), pairs.labels), pairs.weights)
        validation_loss = np.nan if self.validation is None else self.validation(phi)[0]
        row = (step, loss, validation_loss, accuracy, float(np.linalg.norm(gradient)), float(np.linalg.norm(phi)))
        self.rows.append(row)
        if self.bar is not None:
            self.bar.update(len(self.rows) - 1, loss)
        if self.callback is None:
            return False
        return bool(self.callback({**dict(zip(HISTORY, row, strict=True)), "phi": phi.copy()}))

    def history(self) -> dict[str, Array]:
        columns = np.array(self.rows, dtype=np.float64).reshape(-1, len(HISTORY)).T
        history = {name: np.array(column) for name, column in zip(HISTORY, columns, strict=True)}
        history["step"] = history["step"].astype(np.int64)
        return history


class _Bar:
    """A tqdm progress bar, or nothing."""

    def __init__(self, shown: bool, name: str, total: int) -> None:
        self.bar = None
        if shown:
            from tqdm import tqdm  # noqa: PLC0415  # only where asked for

            self.bar = tqdm(total=total, desc=name, unit="step", leave=False)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def update(self, n: int, loss: float) -> None:
        """Move the bar to n and show the loss beside it."""
        if self.bar is not None:
            self.bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            self.bar.update(n - self.bar.n)


def _shift_and_scale(pairs: PreferencePairs) -> tuple[Array, Array]:
    """Return mean and standard deviation of each feature over both answers; a constant feature keeps its units.

    The spread of a constant is not quite zero, since its mean is rounded; whatever is below that noise counts as zero.
    """
    both = np.concatenate([pairs.chosen, pairs.rejected]).astype(np.float64)
    scale = both.std(axis=0)
    return both.mean(axis=0), np.where(scale > 1e-12 * np.abs(both).max(axis=0), scale, 1.0)


def _standardised(pairs: PreferencePairs, shift: Array, scale: Array) -> PreferencePairs:
    return PreferencePairs(
        (pairs.chosen - shift) / scale,
        (pairs.rejected - shift) / scale,
        prompts=pairs.prompts,
        weights=pairs.weights,
        labels=pairs.labels,
        target_margins=pairs.target_margins,
        feature_names=pairs.feature_names,
    )
