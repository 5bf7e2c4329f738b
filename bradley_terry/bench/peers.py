"""The same work in other libraries: torch, jax, scikit-learn, scipy and autograd.

A library is imported only when one of its calls is prepared. Preparing a call also puts the data into the form that the
library prefers; neither is part of the measured time.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import cycle
from typing import Any

import numpy as np

from ..logistic import Array
from ..threads import get_threads

__all__ = ["PEERS", "Call"]

Call = Callable[[], object]  # does the work once and returns its answer

PEERS = {  # the first word of an implementation's name → the module to import
    "torch": "torch", "torch.compile": "torch", "jax": "jax", "scikit-learn": "sklearn", "scipy": "scipy",
    "autograd": "autograd", "choix": "choix", "evalica": "evalica",
}  # fmt: skip


# ------------------------------------------------------------------------------------------------- margins as formulas

# Each formula takes the data, a function layer(x, W, b) = act(x W + b), and the parameters; it returns the margins.


def margins_themselves(data: Any, layer: Any, z: Any) -> Any:
    return z


def linear_margins(data: Any, layer: Any, phi: Any) -> Any:
    return data @ phi


def mlp_margins(data: Any, layer: Any, weights: Any, bias: Any, head: Any) -> Any:
    rewards = layer(data, weights, bias) @ head
    return rewards[: len(rewards) // 2] - rewards[len(rewards) // 2 :]


# ------------------------------------------------------------------------------------------------- automatic gradients

# ``points`` holds the parameters of each φ as a tuple of arrays; successive calls use one point after the other.


def torch_call(
    formula: Callable[..., Any], data: Array, points: Any, *, activation: str = "tanh", compiled: bool = False
) -> Call:
    """Return a call that computes loss and gradient with torch, or with torch.compile."""
    torch = import_module("torch")
    x, act = torch.from_numpy(data), getattr(torch, activation)
    next_point = cycle([tuple(torch.from_numpy(leaf.copy()).requires_grad_() for leaf in point) for point in points])

    def loss_of(*point: Any) -> Any:
        margins = formula(x, lambda x, weights, bias: act(torch.addmm(bias, x, weights)), *point)
        return -torch.nn.functional.logsigmoid(margins).mean()

    forward = torch.compile(loss_of, dynamic=False) if compiled else loss_of

    def call() -> object:
        point = next(next_point)
        for leaf in point:
            leaf.grad = None
        loss = forward(*point)
        loss.backward()
        return loss.item(), [leaf.grad for leaf in point]

    return call


def torch_ranking_call(x: Array, points: Any) -> Call:
    """Return a call that computes Plackett-Luce and its gradient with torch, for features of ranked answers."""
    torch = import_module("torch")
    features = torch.from_numpy(x)  # (n_rankings, K, n_features), best answer first
    next_point = cycle([torch.from_numpy(point[0].copy()).requires_grad_() for point in points])

    def call() -> object:
        phi = next(next_point)
        phi.grad = None
        rewards = features @ phi
        log_left = torch.logcumsumexp(rewards.flip(1), dim=1).flip(1)
        loss = (log_left - rewards).sum(dim=1).mean()
        loss.backward()
        return loss.item(), phi.grad

    return call


def jax_call(formula: Callable[..., Any], data: Array, points: Any, *, activation: str = "tanh") -> Call:
    """Return a call that computes loss and gradient with jax, compiled."""
    jax, jnp = import_module("jax"), import_module("jax.numpy")
    x, act = jnp.asarray(data), getattr(jax.nn, activation)
    next_point = cycle([tuple(jnp.asarray(leaf) for leaf in point) for point in points])

    def loss_of(point: Any, x: Any) -> Any:
        return -jax.nn.log_sigmoid(formula(x, lambda x, weights, bias: act(x @ weights + bias), *point)).mean()

    step = jax.jit(jax.value_and_grad(loss_of))
    return lambda: jax.block_until_ready(step(next(next_point), x))


def autograd_pair_loss(z: Array) -> Call:
    """Return a call that computes the mean loss of the margins z, and its gradient, with autograd."""
    xp = import_module("autograd.numpy")
    step = import_module("autograd").value_and_grad(lambda z: xp.mean(xp.logaddexp(0.0, -z)))
    return lambda: step(z)


# ------------------------------------------------------------------------------------------------- gradients by formula


def sklearn_pair_loss(z: Array) -> Call:
    """Return a call of scikit-learn's binomial loss with every label 1 and every weight 1/n.

    It writes its results into existing arrays, as in scikit-learn's own solvers.
    """
    work = import_module("sklearn._loss").HalfBinomialLoss().loss_gradient
    ones, shares, losses, gradients = np.ones_like(z), np.full_like(z, 1 / z.size), np.empty_like(z), np.empty_like(z)
    threads = get_threads()
    return lambda: (work(ones, z, shares, losses, gradients, threads)[0].sum(), gradients)


def scipy_pair_loss(z: Array) -> Call:
    """Return a call of scipy's log_expit and expit."""
    special = import_module("scipy.special")
    return lambda: (-special.log_expit(z).mean(), special.expit(-z) / -z.size)
