"""Fitting: find the φ that makes the observed choices most probable.

    newton            φ ← φ - size·H⁻¹∇L   for scorers linear in φ, where L is convex; see ``newton``
    gradient_descent  φ ← φ - η·∇L         the plain rule, for teaching
    adam              φ ← φ - η·m̂/√v̂       mini-batches of whole prompts, for the MLP (Kingma & Ba 2015)

The fitted model says why the method stopped, and whether it converged.
"""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike

from .fitting import arguments
from .fitting.bias_reduced import check_bias_reduced, reduced_bias
from .fitting.conjugate import is_dense
from .fitting.descent import descend, rule_for
from .fitting.determined import determined
from .fitting.free import known_loss
from .fitting.interrupts import interruptible
from .fitting.memory import refuse_too_large
from .fitting.records import Bar, Callback, Recorder
from .fitting.samples import begin
from .fitting.separation import Watch, at_infinity, found_before, rest_of
from .fitting.tally import tallied
from .fitting.units import Units
from .fitting.usefulness import ending, no_use
from .logistic import Array
from .losses import PairLoss
from .model import FittedTo, Outcome, RewardModel, read_only
from .newton import minimise
from .objective import AUTO, Objective, chosen_backend, work_of
from .pairs import PreferencePairs
from .scorers import Scorer, TableScorer, check_size
from .separation.report import islands
from .threads import blas_on_one_thread

if TYPE_CHECKING:
    from .ranking.rankings import PreferenceRankings

__all__ = ["ConvergenceWarning", "fit"]


class ConvergenceWarning(UserWarning):
    """The fit did not reach the minimum, or there is no minimum."""


@interruptible
def fit(
    scorer: Scorer,
    pairs: PreferencePairs | PreferenceRankings,
    *,
    method: str | None = None,
    l2: float = 0.0,
    seed: int = 0,
    validation: float | PreferencePairs | PreferenceRankings | None = None,
    progress: bool = False,
    callback: Callback | None = None,
    initial: ArrayLike | None = None,
    max_steps: int | None = None,
    tolerance: float = 1e-9,
    learning_rate: float | None = None,
    batch_size: int = 64,
    patience: int = 20,
    standardise: bool | None = None,
    loss: PairLoss | None = None,
    bias_reduced: bool = False,
    backend: str = AUTO,
    centring: float = 0.0,
    checkpoint: str | Path | None = None,
    every: int = 1,
) -> RewardModel:
    """Fit a scorer to preference pairs by minimising the mean of -log sigma(Δ), or to rankings (Plackett-Luce).

    Parameters
    ----------
    scorer : Scorer
    pairs : PreferencePairs or PreferenceRankings
    method : "newton", "gradient_descent", "adam", optional
        By default Newton if the scorer is linear in φ and the loss is convex with positive curvature, else Adam.
    l2 : float
        Adds ``l2/2·|φ|²`` to the loss.
    seed : int
        Decides the random initial φ, the split and the order of the mini-batches.
    validation : float, PreferencePairs or PreferenceRankings, optional
        The share of the prompts to hold out, or other data, whose items are matched by name. The history then has a
        validation loss. Adam and gradient descent stop ``patience`` records after its minimum, and return that φ.
    progress : bool
        Show a tqdm progress bar.
    callback : callable, optional
        Called after each record with a mapping: the entries of the history and ``phi``. Return True to stop the fit.
    initial : array_like, (n_parameters,), optional
        The φ to start from, by default ``scorer.initial(rng)``.
    max_steps : int, optional
        Updates of φ (for Adam: passes over the data). By default Newton 100, gradient descent 1000, Adam 300.
    tolerance : float
        Stop when no entry g of the gradient is larger than this in absolute value. Gradient descent and Adam also
        demand g² <= tolerance·(s + l2), where s is the mean square of dΔ/dφ_j. This matters only if s < tolerance.
    learning_rate : float, optional
        η, by default 0.01 for Adam. For gradient descent, the default is 0.1 for the MLP, and 1/λ for a scorer linear
        in φ, where λ is a bound on the curvature of L, so that no step overshoots.
    batch_size : int
        For Adam: the smallest number of pairs in a mini-batch. The pairs of a prompt are never separated.
    patience : int
        Adam and gradient descent stop after this many records (passes or steps) without a better validation loss.
    standardise : bool, optional
        Fit on features of mean 0 and variance 1, and return φ for the original features. Then l2, history and
        callback refer to the standardised features. By default True only for ``MLPScorer``. A table ignores this.
    loss
        As in ``Objective``. With ``RaoKupper()``, ``Davidson()`` and ``Ordinal(n_levels)``, the parameters of the loss
        are fitted as well, and ``model.loss`` holds them. The scorer must then be linear in φ.
    bias_reduced : bool
        Add ½ log|I(φ)| to the log-likelihood (Firth 1993, Biometrika 80(1), 27-38). This removes most of the bias that
        few pairs cause. The scorer must be linear in φ, with the default loss, and the pairs must determine φ (in a
        table: all items are connected). The estimate is then finite.
    backend : "auto", "numpy" or "numba"
        As in ``Objective``. For Adam and gradient descent, "auto" takes the number of passes into account.
    centring : float
        As in ``Objective``. The rewards of a table then keep their zero instead of summing to zero.
    checkpoint : path, optional
        A file for the state of the fit. After a crash, the same call goes on from there and returns the same model.
    every : int
        The checkpoint is written after this many steps, or passes of Adam, and when the fit ends.

    Returns
    -------
    RewardModel

    Notes
    -----
    For a linear scorer, pairs mapped from a large file are read in pieces, and only a few numbers per pair are held in
    memory. But ``standardise`` (the default for the MLP) and a share given as ``validation`` copy the rows into memory.

    If pairs can be separated and l2 is 0, some parameters are infinite, and ``inference.separation`` names them. Then
    ``outcome`` is NO_MINIMUM, finite parameters have their limits, and each separated pair has a margin of 20 or more.

    For more than 3,000 parameters Newton's method uses conjugate gradients instead of a matrix, and the model has no
    ``information``; ``RewardModel.standard_errors`` then needs the pairs.

    Raises
    ------
    ValueError, TypeError
        If an argument is invalid. The message names it, what was expected and what was found.

    Warns
    -----
    ConvergenceWarning
        If Newton's method did not reach a minimum (there is none if the pairs can be separated and l2 is 0), if the
        loss became infinite, or if after many steps it is no better than that of equal rewards for all answers.

    Examples
    --------
    >>> from bradley_terry import TableScorer
    >>> pairs = PreferencePairs([0, 0, 1, 2], [1, 1, 2, 0])
    >>> print([f"{reward:.4f}" for reward in fit(TableScorer(3), pairs).phi[:2]])
    ['0.4196', '-0.4196']
    """
    options = dict(locals())  # all that decides the result
    method, steps = arguments.checked_arguments(scorer, pairs, method, max_steps, tolerance, learning_rate, loss)
    arguments.check_options(l2, centring, backend, callback, progress=progress, bias_reduced=bias_reduced)
    standardise = arguments.checked_standardise(scorer, standardise)
    if bias_reduced:
        check_bias_reduced(scorer, pairs, method, l2, loss, centring)
    check_size("batch_size", batch_size)
    check_size("patience", patience)
    rng, saved = arguments.generator(seed), arguments.saved_state(checkpoint, every, options)
    pairs, held_out = arguments.split(scorer, pairs, validation, seed)
    pairs = cast("PreferencePairs", pairs)  # rankings offer what is used below, too
    loss = None if type(loss) is pairs.usual_loss else loss
    refuse_too_large(scorer, pairs, backend, standardise)
    fitted_to = FittedTo(pairs, loss, standardise, centring, bias_reduced) if scorer.linear_in_phi else None
    if saved is not None and saved.is_finished:
        return saved.model(scorer, pairs.feature_names, float(l2), method, loss, fitted_to)
    phi = np.array(scorer.initial(rng), dtype=np.float64) if initial is None else arguments.start(scorer, initial)
    units = Units.unless_theirs(pairs) if standardise and not isinstance(scorer, TableScorer) else None
    if units is not None:
        phi = phi if initial is None else units.parameters_for_standardised(scorer, phi)
        pairs, held_out = units.standardised(pairs), None if held_out is None else units.standardised(held_out)
    pairs = tallied(pairs, scorer) if method != "adam" and loss is None else pairs
    is_newton = method == "newton" and not bias_reduced
    separated = found_before(pairs, scorer, l2, loss) if is_newton and not centring else None
    if backend == AUTO and method != "newton":
        backend = chosen_backend(backend, work_of(scorer, pairs, min(steps, arguments.STEPS[method])))
    rest = rest_of(pairs, separated) or pairs  # a loss with parameters of its own is fitted to these
    loss, phi, free_information, failure = known_loss(scorer, rest, loss, l2, centring, phi, steps, tolerance)
    objective = Objective(scorer, pairs, l2=l2, centring=centring, loss=loss, backend=backend)
    quiet = np.errstate(over="ignore", invalid="ignore")  # a step to an infinite loss is refused, or ends the fit
    with Bar(progress, method, steps) as bar, blas_on_one_thread(phi.size**3), quiet:
        recorder = Recorder(objective, held_out, callback, bar, saved)
        if method == "newton":
            search = reduced_bias if bias_reduced else _newton
            search = search if separated is None else partial(at_infinity, found=separated)
            phi, outcome, message, hessian = search(objective, phi, recorder, max_steps=steps, tolerance=tolerance)
        else:
            advance = rule_for(method, objective, learning_rate, batch_size, rng)
            phi, outcome, message = descend(objective, phi, advance, recorder, steps, tolerance, patience)
            hessian = None
    outcome, message = recorder.settled(*(failure or (outcome, message)))  # failure: of the parameters of the loss
    fitted = phi
    if isinstance(scorer, TableScorer):
        phi = phi if centring else phi - phi.mean()
        message += islands(scorer, pairs) if outcome.is_success else ""
    without_hessian = {Outcome.NO_MINIMUM, Outcome.INTERRUPTED}
    if hessian is None and scorer.linear_in_phi and is_dense(phi.size) and outcome not in without_hessian:
        hessian = objective.hessian(phi)
    if hessian is not None and outcome.is_success and l2 == 0:
        outcome, message = determined(objective, phi, hessian, outcome, message)
    if hessian is not None and centring and isinstance(scorer, TableScorer):
        hessian = hessian - np.outer(hessian.sum(axis=0), hessian.sum(axis=0)) / hessian.sum()  # about differences only
    information = None if hessian is None else hessian * pairs.total_weight
    information = information if free_information is None and failure is None else free_information
    if units is not None:
        phi, information = units.undone(scorer, phi, information)
    useless = "" if method == "newton" else no_use(objective, fitted, outcome, len(recorder.rows))
    message, is_alarming = ending(outcome, message + useless, method, useless)
    if is_alarming:
        warnings.warn(message, ConvergenceWarning, stacklevel=3)
    model = RewardModel(
        scorer=scorer,
        phi=read_only(phi),
        history=recorder.history(),
        converged=outcome.is_success,
        message=message,
        feature_names=pairs.feature_names,
        l2=float(l2),
        method=method,
        information=None if information is None else read_only(information),
        outcome=outcome,
        loss=loss,
        fitted_to=fitted_to,
    )
    return model if saved is None else saved.finished(model, is_alarming)


def _newton(
    objective: Objective, phi: Array, recorder: Recorder, *, max_steps: int, tolerance: float
) -> tuple[Array, Outcome, str, Array | None]:
    """Minimise by Newton's method. If there are very many pairs, the first step goes to the minimum of a sample."""
    begun, watch = begin(objective, phi, recorder, tolerance), Watch(objective, recorder)
    if begun.stopped:
        return begun.point[0].phi, Outcome.STOPPED_BY_CALLBACK, "stopped by the callback", None
    found = minimise(
        objective,
        begun.point.pop(),  # only ``minimise`` keeps it now
        watch.record,
        first_step=begun.first_step,
        n_small=begun.n_small,
        is_recorded=begun.is_recorded,
        max_steps=max_steps,
        tolerance=tolerance,
        hessian=begun.hessian,
        keep=recorder.keep,
    )
    return watch.settled(found, max_steps, tolerance)
