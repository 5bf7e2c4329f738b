"""Gradients by automatic differentiation: autograd, jax or torch differentiate a loss written in plain formulas.

``reference_loss`` writes L(φ) a second time for these libraries. It shares only shapes and data with the scorers and
losses of the package, so agreement with it is evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays.given import float64
from ..arrays.single import function, one_of
from ..arrays.visible import class_name
from ..logistic import Array
from ..objective import Objective
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, MLPScorer, TableScorer
from .differences import EPS
from .plain_losses import Library, plain_mean
from .runner import ERROR, Stop, Watch, place_of, words_of

LIBRARIES = ("autograd", "jax", "torch")

__all__ = ["autodiff_gradient", "careful_gradient", "loss_to_differentiate", "reference_loss"]

SHORT = 2.0**10  # multiples of 1/1024, such as 1.5, are the same numbers in float32 and float64


def autodiff_gradient(loss: Callable[..., Any], phi: ArrayLike, *, library: str = "autograd") -> Array:
    """Differentiate a loss with a library's reverse-mode automatic differentiation, in float64.

    Parameters
    ----------
    loss : callable, phi -> loss
        Written with ``autograd.numpy``, ``jax.numpy`` or torch.
    phi : array_like, (n_parameters,)
    library : "autograd", "jax" or "torch"

    Raises
    ------
    ModuleNotFoundError
        If the library is not installed.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> autodiff_gradient(lambda phi: anp.log1p(anp.exp(-phi[0])), [0.0])  # -sigma(0)
    array([-0.5])
    """
    at = float64(phi, "phi").copy()
    one_of("library", library, LIBRARIES)
    function("loss", loss)
    module = _library(library)
    if library == "autograd":
        return np.asarray(module.grad(loss)(at))
    if library == "jax":
        with enabled_in_64_bits(module, library):
            return np.asarray(module.grad(loss)(module.numpy.asarray(at)))
    leaf = module.from_numpy(at).requires_grad_()
    loss(leaf).backward()
    return np.asarray(leaf.grad.numpy())


def careful_gradient(
    loss: Callable[..., Any], phi: Array, library: str, own: float, watch: Watch | None = None
) -> tuple[Array, float]:
    """Differentiate somebody else's loss; return its gradient and the relative precision of its numbers.

    ``watch`` limits the time. ``own`` is the loss that the function under test returned. If the reference rounds its
    data to float32, its loss differs from ``own``, and the difference shows its precision.

    Raises
    ------
    Stop
        With a sentence, if the loss raises an error or its answer cannot be differentiated.
    """
    module = _library(library)
    seen: dict[str, Any] = {}

    def watched(at: Any) -> Any:
        answer = loss(at)
        if answer is None:
            raise Stop(ERROR, f"reference: expected your loss for {library} to return one number, got None")
        shape = tuple(getattr(answer, "shape", ()))
        if shape not in ((), (1,)):
            hint = ": was the mean forgotten?"
            raise Stop(ERROR, f"reference: expected your loss for {library} to return one number, got {shape}{hint}")
        if library == "torch" and not getattr(answer, "requires_grad", False):
            raise Stop(
                ERROR,
                f"reference: expected a torch loss that is computed from phi, got {class_name(answer)} without its "
                "graph: leave out item(), detach(), numpy() and no_grad()",
            )
        seen["dtype"] = str(getattr(answer, "dtype", ""))
        seen["loss"] = answer
        return answer.reshape(()) if shape else answer

    try:
        with nullcontext() if watch is None else watch.over(f"reference: your loss for {library}"):
            gradient = np.array(autodiff_gradient(watched, phi, library=library), dtype=np.float64)
            if library == "torch":
                value = float(seen["loss"].detach())
            else:
                with enabled_in_64_bits(module, library):
                    value = float(np.asarray(loss(module.numpy.asarray(phi) if library == "jax" else phi.copy())))
    except (Stop, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001  # their loss may raise anything
        kind, place, words = class_name(error), place_of(loss, error), words_of(error)
        raise Stop(ERROR, f"reference: your loss for {library} stopped with {kind} in {place}: {words}") from None
    if gradient.shape != phi.shape or not np.isfinite(gradient).all():
        what = f"shape {gradient.shape}" if gradient.shape != phi.shape else "a number that is not finite"
        raise Stop(ERROR, f"reference: expected a finite gradient of shape {phi.shape} from {library}, got {what}")
    if value != own and not gradient.any():
        raise Stop(
            ERROR,
            f"reference: the loss for {library} has a gradient of 0 everywhere: is it computed from phi, without "
            f"leaving {library} on the way?",
        )
    small = float(np.finfo(np.float32).eps)
    with np.errstate(all="ignore"):
        is_long = (gradient * SHORT % 1).any()
        in_float32 = is_long and np.array_equal(gradient, gradient.astype(np.float32))
    if "32" in seen["dtype"] or "16" in seen["dtype"] or (in_float32 and value == np.float32(value)):
        return gradient, small if "16" not in seen["dtype"] else 1e-3
    apart = abs(value - own) / max(abs(own), 1e-300)
    return gradient, apart if 1e-12 < apart < 1e-5 else EPS


def enabled_in_64_bits(module: Any, library: str) -> Any:
    """Return a context in which JAX computes in float64, or one that does nothing for the other libraries."""
    if library != "jax":
        return nullcontext()
    return (module if hasattr(module, "enable_x64") else import_module("jax.experimental")).enable_x64(True)


def loss_to_differentiate(
    own: Callable[..., Any] | None, objective: Objective | None, library: str
) -> Callable[..., Any]:
    """Return the caller's own loss if there is one, else the reference loss of the objective."""
    if own is not None:
        return own
    if objective is not None:
        return reference_loss(objective, library)
    raise ValueError(
        f"reference: expected your loss written for {library}, got None; it can be left out only with an Objective"
    )


def reference_loss(objective: Objective, library: str = "autograd") -> Callable[..., Any]:
    """Return the loss L(φ) of an objective as a function that a library can differentiate.

    Parameters
    ----------
    objective : Objective
        Its loss and its scorer must be those of the package.
    library : "autograd", "jax" or "torch"

    Returns
    -------
    callable, phi -> loss

    Raises
    ------
    ModuleNotFoundError
        If the library is not installed.
    ValueError
        If the loss or the scorer of the objective is your own, because the package does not know its formula.

    Examples
    --------
    >>> objective = Objective(LinearScorer(1), PreferencePairs([[1.5]], [[0.0]]))
    >>> print(f"{reference_loss(objective)(np.array([1.0])):.6f}")  # -log sigma(1.5)
    0.201413
    """
    if not hasattr(objective, "scorer"):
        raise TypeError(f"objective: expected an Objective, got {class_name(objective)}")
    scorer, pairs = objective.scorer, objective.pairs
    one_of("library", library, LIBRARIES)
    _library(library)
    if type(scorer) not in (LinearScorer, MLPScorer, TableScorer):
        raise ValueError(f"reference: expected your loss written for {library}, since the scorer is your own, {scorer}")
    xp = import_module({"autograd": "autograd.numpy", "jax": "jax.numpy", "torch": "torch"}[library])

    def constant(values: ArrayLike) -> Any:
        return xp.asarray(np.array(values)) if library == "torch" else np.asarray(values)

    mean_loss = plain_mean(objective, Library(library, xp, constant))
    kind = np.int64 if isinstance(scorer, TableScorer) else np.float64
    answers = [pairs.chosen, pairs.rejected] if isinstance(pairs, PreferencePairs) else [pairs.features]
    constants, zero = [constant(np.asarray(x, dtype=kind)) for x in answers], constant(np.zeros(()))

    def reward(phi: Any, x: Any) -> Any:
        if isinstance(scorer, TableScorer):
            return phi[x.reshape(-1)]
        if isinstance(scorer, MLPScorer):
            d, h = scorer.n_features, scorer.n_hidden
            a = xp.matmul(x, phi[: d * h].reshape((d, h))) + phi[d * h : d * h + h]
            hidden = xp.tanh(a) if scorer.activation == "tanh" else xp.where(a > 0, a, zero)
            return xp.matmul(hidden, phi[d * h + h :])
        return xp.matmul(x, phi)

    def loss(phi: Any) -> Any:
        return mean_loss([reward(phi, x) for x in constants]) + 0.5 * objective.l2 * xp.sum(phi * phi)

    return loss


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"against={name!r} needs the library {name}: python -m pip install {name}") from None
