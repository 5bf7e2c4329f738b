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

from .evaluation import connected_groups, mean_accuracy, strong_components
from .losses import PairLoss
from .model import HISTORY, RewardModel, read_only
from .objective import Objective, blas_on_one_thread
from .pairs import PreferencePairs
from .scorers import Scorer, TableScorer, check_size

__all__ = ["ConvergenceWarning", "fit"]

Array = NDArray[np.float64]
Callback = Callable[[Mapping[str, object]], object]
Record = Callable[[int, Array, float, Array], bool]  # step, φ, loss, gradient; True stops the fit

STEPS = {"newton": 100, "gradient_descent": 1000, "adam": 300}  # methods, and their largest number of steps
SAMPLE_FOR_A_PARAMETER, WORTH_SAMPLING = 100, 8  # pairs for each parameter; samples that the data should hold
WELL = 0.1  # what a step with an old Hessian may leave of the gradient
NOT_CONVERGED, DIVERGED, STOPPED = "not converged: ", "the loss became infinite", "stopped by the callback"


class ConvergenceWarning(UserWarning):
    """The minimum was not reached, or there is none."""


def fit(
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
        Where to start; ``scorer.initial(rng)`` unless given.
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

    Notes
    -----
    Pairs mapped from a large file are read in pieces where the scorer is linear, with one number a pair in memory; but
    ``standardise``, and a share as ``validation``, take copies of their rows.

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
    method, steps = _checked_arguments(scorer, pairs, method, max_steps, tolerance, learning_rate)
    _check_standardise(scorer, standardise)
    check_size("batch_size", batch_size)
    check_size("patience", patience)
    rng = _generator(seed)
    pairs, held_out = _split(scorer, pairs, validation, seed)
    phi = np.array(scorer.initial(rng), dtype=np.float64) if initial is None else _start(scorer, initial)
    shift = scale = None
    if standardise and not isinstance(scorer, TableScorer):
        shift, scale = _shift_and_scale(pairs)
        pairs = _standardised(pairs, shift, scale)
        held_out = None if held_out is None else _standardised(held_out, shift, scale)
        if initial is not None:  # the way there is the way back, turned round: x = (u - (-shift/scale)) / (1/scale)
            phi = scorer.rescaled(phi, -shift / scale, 1 / scale)  # type: ignore[attr-defined]  # checked above
    pairs = _tallied(pairs, scorer) if method != "adam" and loss is None else pairs
    objective = Objective(scorer, pairs, l2=l2, loss=loss, backend=backend)
    recorder = _Recorder(objective, held_out, callback)
    hessian = None
    with _Bar(progress, method, steps) as bar, blas_on_one_thread(phi.size**3):
        recorder.bar = bar
        if method == "newton":
            phi, converged, message, hessian = _newton(objective, phi, recorder.record, steps, tolerance)
        else:
            advance: _GradientDescent | _Adam
            if method == "gradient_descent":
                advance = _GradientDescent(_safe_rate(objective) if learning_rate is None else learning_rate)
            else:
                advance = _Adam(objective, learning_rate or 0.01, batch_size, rng)
            phi, converged, message = _descend(phi, advance, recorder, steps, tolerance, patience)
    if isinstance(scorer, TableScorer):
        phi = phi - phi.mean()
        if converged and (n_groups := connected_groups(pairs)) > 1:
            message += f"; the items form {n_groups} groups that never met: compare rewards within a group only"
    if hessian is None and scorer.linear_in_phi:
        hessian = objective.hessian(phi)
    information = None if hessian is None else hessian * pairs.total_weight
    if shift is not None and scale is not None:
        phi = scorer.rescaled(phi, shift, scale)  # type: ignore[attr-defined]  # checked above
        if information is not None:  # weights became w/scale, so that d/dw became scale·d/dw, twice
            information = information * np.outer(scale, scale)
    if message.startswith(NOT_CONVERGED) and (method == "newton" or DIVERGED in message):
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
        information=None if information is None else read_only(information),
    )


def _checked_arguments(
    scorer: Scorer,
    pairs: PreferencePairs,
    method: str | None,
    max_steps: int | None,
    tolerance: float,
    learning_rate: float | None,
) -> tuple[str, int]:
    """Return the method and the largest number of steps, or raise in one sentence."""
    if not hasattr(scorer, "backward") or isinstance(scorer, type):
        raise TypeError(f"scorer: expected a scorer such as LinearScorer(n_features), got {scorer!r}")
    if not isinstance(pairs, PreferencePairs):
        raise TypeError(f"pairs: expected PreferencePairs, got {type(pairs).__name__}")
    if scorer.linear_in_phi and not hasattr(scorer, "hessian"):
        raise TypeError(f"scorer: expected one that is linear in phi to have the method hessian, got {scorer}")
    if method is None:
        method = "newton" if scorer.linear_in_phi else "adam"
    if method not in STEPS:
        raise ValueError(f"method: expected one of {', '.join(STEPS)}, got {method!r}")
    if method == "newton" and not scorer.linear_in_phi:
        raise ValueError(f"method: 'newton' needs a scorer that is linear in phi, got {scorer}; use 'adam'")
    if max_steps is not None:
        check_size("max_steps", max_steps)
    if not isinstance(tolerance, float | int) or not 0 <= tolerance < np.inf:
        raise ValueError(f"tolerance: expected a number of at least 0, got {tolerance!r}")
    if learning_rate is not None and (not isinstance(learning_rate, float | int) or not 0 < learning_rate < np.inf):
        raise ValueError(f"learning_rate: expected a positive number, got {learning_rate!r}")
    return method, max_steps or STEPS[method]


def _check_standardise(scorer: Scorer, standardise: bool) -> None:
    if standardise and not isinstance(scorer, TableScorer) and not hasattr(scorer, "rescaled"):
        raise TypeError(f"standardise: expected a scorer with the method rescaled, got {scorer}")


def _generator(seed: int) -> np.random.Generator:
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed: expected a whole number of at least 0, got {seed!r}")
    return np.random.default_rng(seed)


def _split(
    scorer: Scorer, pairs: PreferencePairs, validation: float | PreferencePairs | None, seed: int
) -> tuple[PreferencePairs, PreferencePairs | None]:
    """Return training and validation pairs."""
    if validation is None:
        return pairs, None
    if isinstance(validation, PreferencePairs):
        scorer.check_features(validation.chosen, "validation")
        return pairs, validation
    if not isinstance(validation, float | int | np.number):
        raise TypeError(f"validation: expected a share of the prompts or PreferencePairs, got {validation!r}")
    return pairs.split(float(validation), seed=seed)


def _start(scorer: Scorer, initial: ArrayLike) -> Array:
    try:
        phi = np.array(initial, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"initial: expected {scorer.n_parameters} numbers, got {initial!r}") from None
    if phi.shape != (scorer.n_parameters,) or not np.isfinite(phi).all():
        raise ValueError(f"initial: expected shape ({scorer.n_parameters},) of finite numbers, got {initial!r}")
    return phi


def _tallied(pairs: PreferencePairs, scorer: Scorer) -> PreferencePairs:
    """Return, for a table, the same contests counted: one row for each two items that met, weighted by how often.

    With Δ the same for all contests of two items, Σ w·[t·softplus(-Δ) + (1 - t)·softplus(Δ)] needs of them only Σ w·t
    and Σ w·(1 - t): the loss, its gradient and its Hessian stay what they are, and work goes by items instead of pairs.
    """
    if not isinstance(scorer, TableScorer) or pairs.target_margins is not None or scorer.n_items**2 > len(pairs):
        return pairs
    n = scorer.n_items
    scorer.check_features(pairs.chosen, "chosen")
    scorer.check_features(pairs.rejected, "rejected")
    w = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
    t = np.ones(len(pairs)) if pairs.labels is None else pairs.labels
    cell = np.asarray(pairs.chosen * n + pairs.rejected, dtype=np.int64)
    wins = np.bincount(cell, w * t, n * n).reshape(n, n) + np.bincount(cell, w * (1 - t), n * n).reshape(n, n).T
    a, b = np.nonzero(np.triu(wins + wins.T))
    met = wins[a, b] + wins[b, a]
    return PreferencePairs(a, b, weights=met, labels=wins[a, b] / met, feature_names=pairs.feature_names)


def _newton(
    objective: Objective, phi: Array, record: Record, max_steps: int, tolerance: float
) -> tuple[Array, bool, str, Array | None]:
    """Minimise a convex L by Newton's method with step control; return φ, the outcome, and the Hessian if at hand.

    Near φ, L ≈ L₀ + gᵀs + ½ sᵀHs, least at s = -H⁻¹g. Where pairs abound, a sample of them tells where to start, and
    its H serves as long as it shrinks g well; otherwise H is computed at each φ.
    """
    loss, gradient = objective(phi)
    stopped = record(0, phi, loss, gradient)
    sampled = None if stopped else _from_sample(objective, phi, loss, tolerance)
    hessian = None
    if sampled is not None:
        phi, loss, gradient, hessian = sampled
        stopped = record(1, phi, loss, gradient)
    at_rest = min(0.1, max(1e-6, 1e3 * tolerance))  # log-odds by which the next step may still move a margin
    n_drifting = 0  # steps since the gradient became small without coming to rest
    for step in range(1 if sampled is None else 2, max_steps + 2):
        largest = float(np.abs(gradient).max())
        if stopped:
            return phi, False, STOPPED, None
        if is_own := hessian is None or largest <= tolerance:
            hessian = objective.hessian(phi)
        direction = -_solve(hessian, gradient)
        if largest <= tolerance:
            # A small gradient is not yet a minimum. Where the pairs can be separated the loss falls for ever, and each
            # step still moves a margin by about 1; in tiny units of a feature every gradient is small. At rest the
            # next step moves nothing. (Δ is linear in φ, so a step changes the margins by the margins of the step.)
            moved = _largest(objective.margins(direction))
            if moved <= at_rest or (n_drifting > 20 and (moved <= 0.1 or objective.l2 > 0)):
                return phi, True, f"largest gradient entry {largest:.1e} <= {tolerance:g}", hessian
            if n_drifting > 20:
                return phi, False, _no_minimum(objective), hessian
            n_drifting += 1
        if step > max_steps:
            break
        after = _controlled_step(objective, phi, loss, gradient, direction)
        if after is None and is_own:
            return phi, False, f"{NOT_CONVERGED}no step lowers the loss, largest gradient entry {largest:.1e}", hessian
        if after is None:
            hessian = None  # of a sample; the pairs' own may show the way
            continue
        new_phi, new_loss, new_gradient, slope = after
        new_largest = float(np.abs(new_gradient).max())
        if is_own and -slope <= 1e-15 * abs(loss) and new_largest >= largest > tolerance:
            return phi, True, f"the loss is least to the last digit, largest gradient entry {largest:.1e}", hessian
        if not new_largest <= WELL * largest:
            hessian = None
        phi, loss, gradient = new_phi, new_loss, new_gradient
        stopped = record(step, phi, loss, gradient)
    return phi, False, f"{NOT_CONVERGED}largest gradient entry {largest:.1e} after {max_steps} Newton steps", None


def _controlled_step(
    objective: Objective, phi: Array, loss: float, gradient: Array, direction: Array
) -> tuple[Array, float, Array, float] | None:
    """Return φ after a step, loss and gradient there, and the slope gᵀs; None if no part of the step lowers the loss.

    Far from the minimum the parabola is a poor guide, so the step is halved until L falls by at least a ten-thousandth
    of what its slope promises (Armijo 1966). Where the loss is all but straight, H is tiny and s absurdly long: a step
    that more than doubles the longest margin is cut to one that moves no margin by more than the longest is long.
    """
    longest = max(_largest(objective.shifted(objective.margins(phi))), 20.0)
    new_phi = phi + direction
    new_loss, new_gradient = objective(new_phi)
    if not _largest(objective.shifted(objective.margins(new_phi))) <= 2 * longest:
        direction = direction * (longest / _largest(objective.margins(direction)))
        new_phi = phi + direction
        new_loss, new_gradient = objective(new_phi)
    slope, rounding, size = float(gradient @ direction), 1e-15 * abs(loss), 1.0
    while not new_loss <= loss + 1e-4 * size * slope + rounding:
        size /= 2
        if size < 1e-12:
            return None
        new_phi = phi + size * direction
        new_loss, new_gradient = objective(new_phi)
    return new_phi, new_loss, new_gradient, slope


def _largest(values: Array) -> float:
    """Return max |value|, NaN if there is one, without a second array of that size."""
    return max(float(values.max()), -float(values.min()))


def _from_sample(
    objective: Objective, phi: Array, loss: float, tolerance: float
) -> tuple[Array, float, Array, Array] | None:
    """Return φ fitted to a sample of the pairs, loss and gradient there, and the sample's H; None if that is no help.

    A sample of n pairs determines H to about 2·√(parameters / n), a tenth with 400 pairs for each parameter: with its
    H, each step leaves about a tenth of the error, at the price of one reading of the data.
    """
    pairs, size = objective.pairs, SAMPLE_FOR_A_PARAMETER * phi.size
    if len(pairs) < WORTH_SAMPLING * size:
        return None
    rows = np.sort(np.random.default_rng(0).choice(len(pairs), size, replace=False))
    if pairs.weights is not None and not pairs.weights[rows].any():
        return None
    start, converged, _, hessian = _newton(
        objective.on(pairs.subset(rows)), phi, lambda *_: False, 10, max(1e-4, tolerance)
    )
    if not converged or hessian is None:
        return None
    new_loss, gradient = objective(start)
    return (start, new_loss, gradient, hessian) if new_loss < loss else None


def _no_minimum(objective: Objective) -> str:
    reason = "some direction of phi never contradicts a choice, so rewards grow without end"
    pairs = objective.pairs
    if pairs.is_items and (n := len(strong_components(pairs))) > 1:
        reason = f"the items fall into {n} groups of which some never lost to the others"
    return f"{NOT_CONVERGED}there is no finite minimum, {reason}; use l2 > 0"


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


def _safe_rate(objective: Objective) -> float:
    """Return 1/λ with λ >= every eigenvalue of d²L/dφ²: since l'' <= ¼, λ = ¼·λ_max(Σ w d dᵀ / Σ w) + l2."""
    if not objective.scorer.linear_in_phi:
        return 0.1
    pairs = objective.pairs
    w = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
    largest = float(np.linalg.eigvalsh(objective.gram(0.25 * w / pairs.total_weight))[-1])
    return 1 / largest if largest > 0 else 1.0


class _GradientDescent:
    """φ ← φ - η·∇L."""

    def __init__(self, rate: float) -> None:
        self.rate, self.step = rate, 0

    def __call__(self, phi: Array, gradient: Array) -> Array:
        self.step += 1
        return phi - self.rate * gradient


class _Adam:
    """One pass over the data in mini-batches of whole prompts.

    m and v are running means of the gradient and of its square, m̂ and v̂ the same corrected for their start at zero.
    m̂/√v̂ is about ±1 while the gradient keeps its sign: every parameter moves by about η, whatever its units.
    """

    def __init__(self, objective: Objective, rate: float, batch_size: int, rng: np.random.Generator) -> None:
        self.objective, self.rate, self.batch_size, self.rng = objective, rate, batch_size, rng
        self.m = self.v = np.zeros(objective.scorer.n_parameters)
        self.step = 0
        weights = objective.pairs.weights  # a pair without weight says nothing, and a batch of such has no mean
        self.rows = np.arange(len(objective.pairs)) if weights is None else np.flatnonzero(weights)

    def __call__(self, phi: Array, gradient: Array) -> Array:  # it takes its own, batch by batch
        beta_1, beta_2, epsilon = 0.9, 0.999, 1e-8  # as in Kingma & Ba 2015
        batches = list(_batches(self.objective.pairs.prompt_index[self.rows], self.batch_size, self.rng))
        for batch in batches:
            g = self._gradient(phi, self.rows[batch], len(batches))
            self.step += 1
            self.m = beta_1 * self.m + (1 - beta_1) * g
            self.v = beta_2 * self.v + (1 - beta_2) * g * g
            m_hat, v_hat = self.m / (1 - beta_1**self.step), self.v / (1 - beta_2**self.step)
            phi = phi - self.rate * m_hat / (np.sqrt(v_hat) + epsilon)
        return phi

    def _gradient(self, phi: Array, rows: NDArray[np.int64], n_batches: int) -> Array:
        """Return a batch's share of ∇L, times the number of batches: their mean is ∇L, whatever the weights."""
        whole = self.objective
        part = whole.on(whole.pairs.subset(rows), l2=0.0)
        share = n_batches * part.pairs.total_weight / whole.pairs.total_weight
        return share * part(phi)[1] + whole.l2 * phi


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
    phi: Array,
    advance: _GradientDescent | _Adam,
    recorder: _Recorder,
    max_steps: int,
    tolerance: float,
    patience: int,
) -> tuple[Array, bool, str]:
    """Advance φ until a criterion is met; with validation, return the φ that did best there."""
    best, best_loss, best_record, last = None, np.inf, 0, phi
    for record in range(max_steps + 1):
        loss, gradient = recorder.objective(phi)
        if not np.isfinite(loss):
            return last, False, f"{NOT_CONVERGED}{DIVERGED} at step {advance.step}; use a smaller learning_rate"
        stopped = recorder.record(advance.step, phi, loss, gradient)
        if recorder.last_validation_loss < best_loss:
            best, best_loss, best_record = phi, recorder.last_validation_loss, record
        chosen = phi if best is None else best
        note = "" if best is None else f"; kept the best validation loss, {best_loss:.6f}"
        largest = float(np.abs(gradient).max())
        if stopped:
            return chosen, False, STOPPED
        if largest <= tolerance:
            return chosen, True, f"largest gradient entry {largest:.1e} <= {tolerance:g}{note}"
        if best is not None and record - best_record >= patience:
            return best, True, f"no better validation loss for {patience} records{note}"
        if record < max_steps:
            last, phi = phi, advance(phi, gradient)
    return (
        chosen,
        False,
        f"{NOT_CONVERGED}stopped at the limit of {max_steps} passes, largest gradient entry {largest:.1e}{note}",
    )


class _Recorder:
    """Keeps the history of a fit and tells callback and progress bar."""

    def __init__(
        self,
        objective: Objective,
        held_out: PreferencePairs | None,
        callback: Callback | None,
    ) -> None:
        self.objective = objective
        self.validation = None if held_out is None else objective.on(held_out, l2=0.0)
        self.callback = callback
        self.bar: _Bar | None = None
        self.rows: list[tuple[float, ...]] = []

    @property
    def last_validation_loss(self) -> float:
        return self.rows[-1][HISTORY.index("validation_loss")]

    def record(self, step: int, phi: Array, loss: float, gradient: Array) -> bool:
        """Add a row; return True if the callback asks to stop."""
        pairs = self.objective.pairs
        accuracy = mean_accuracy(self.objective.margins(phi), pairs.labels, pairs.weights)
        validation_loss = np.nan if self.validation is None else self.validation(phi)[0]
        row = (step, loss, validation_loss, accuracy, float(np.linalg.norm(gradient)), float(np.linalg.norm(phi)))
        self.rows.append(row)
        if self.bar is not None:
            self.bar.update(len(self.rows) - 1, loss)
        if self.callback is None:
            return False
        answer = self.callback({**dict(zip(HISTORY, row, strict=True)), "phi": phi.copy()})
        return isinstance(answer, bool | np.bool_) and bool(answer)

    def history(self) -> dict[str, Array]:
        columns = np.array(self.rows, dtype=np.float64).reshape(-1, len(HISTORY)).T
        history = {name: read_only(column) for name, column in zip(HISTORY, columns, strict=True)}
        history["step"] = read_only(columns[0], np.int64)
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
