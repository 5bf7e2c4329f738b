"""The loss and its gradients in compiled form, as fast as the machine allows.

    compiled        every function that Numba compiles: the mathematics of one pair, loops over blocks of pairs
    coefficients    the polynomials in it
    saved_code      compiled code in files
    caching         how functions are compiled, and where the compiled code is kept
    blocks          checks of arrays, blocks for the threads, sums in the order of the data
    passes          loss and gradient of whole arrays, block by block
    ranking_passes  the same for rankings
    backends        the methods of ``backend.NumpyBackend``, computed by these passes
    announcement    one line when kernels are compiled for the first time

Importing this package imports Numba; the rest of ``bradley_terry`` does so on first use. Every compiled function is
also an attribute of this package, and its own attribute ``py_func`` is its plain Python form. Where Numba is missing,
only ``get_threads``, ``set_threads`` and ``in_parts`` are here; asking for another one raises ModuleNotFoundError.
"""

from __future__ import annotations

from ..fitting.compiler import has_compiler
from ..threads import get_threads, in_parts, set_threads

if has_compiler():
    from . import announcement, compiled
    from .passes import (
        curvatures,
        differences_of,
        linear_loss_and_gradient,
        linear_margins,
        linear_pull,
        mean_loss_and_gradients,
        mlp_loss_and_gradient,
        warmup,
        weighted_gram,
    )
    from .ranking_passes import ranking_loss_and_gradient, ranking_loss_and_slopes

    announcement.register(compiled.__name__)

__all__ = [
    "curvatures",
    "differences_of",
    "get_threads",
    "in_parts",
    "linear_loss_and_gradient",
    "linear_margins",
    "linear_pull",
    "mean_loss_and_gradients",
    "mlp_loss_and_gradient",
    "ranking_loss_and_gradient",
    "ranking_loss_and_slopes",
    "set_threads",
    "warmup",
    "weighted_gram",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        has_compiler(needed_by=f"kernels.{name} is compiled code, so it needs")
    if not name.startswith("__") and hasattr(globals().get("compiled"), name):
        return getattr(compiled, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
