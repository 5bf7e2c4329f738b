"""The compiled twin of the loss and its gradients, as fast as the machine allows.

    compiled    every function that Numba compiles: the mathematics of one pair, loops over blocks of pairs
    passes      whole arrays: checks, blocks for the threads, sums in the order of the data
    backends    the same four questions that ``backend.NumpyBackend`` answers, answered by these passes

Numba is imported when this package is; the rest of ``bradley_terry`` imports it on first use. The compiled functions
themselves can be reached here by name, each with its plain Python form as ``py_func``.
"""

from __future__ import annotations

from ..threads import get_threads, in_parts, set_threads
from . import compiled
from .passes import (
    curvatures,
    differences_of,
    linear_loss_and_gradient,
    linear_margins,
    mean_loss_and_gradients,
    mlp_loss_and_gradient,
    warmup,
    weighted_gram,
)

__all__ = [
    "curvatures",
    "differences_of",
    "get_threads",
    "in_parts",
    "linear_loss_and_gradient",
    "linear_margins",
    "mean_loss_and_gradients",
    "mlp_loss_and_gradient",
    "set_threads",
    "warmup",
    "weighted_gram",
]


def __getattr__(name: str) -> object:
    if not name.startswith("__") and hasattr(compiled, name):
        return getattr(compiled, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
