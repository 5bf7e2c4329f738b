"""What every pass over pairs needs: checked arrays, blocks that threads share, and the mean from the sums of blocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.given import real
from ..arrays.sums import exact_sum, quotient
from ..arrays.visible import quoted
from ..logistic import Array
from ..threads import in_parts
from .compiled import BLOCK, LOG_2, sum_blocks

__all__ = [
    "Floats",
    "checked_options",
    "checked_weights",
    "in_blocks",
    "mean_of_blocks",
    "optional",
    "output_for",
    "read_only",
    "vector",
]

Floats = Array | NDArray[np.float32]
FLOAT64 = np.dtype(np.float64)
NOTHING = np.empty(0)  # stands for weights, labels and target margins that were not given
NOTHING.flags.writeable = False
BLOCKS_FOR_A_THREAD = 16  # of margins: waking a thread can take 50 µs, so each gets work for about half a millisecond


def in_blocks(kernel: Callable[..., None], n_blocks: int, *arrays: object) -> None:
    """Call kernel(*arrays, first, last) on ranges that together cover all blocks, on several threads."""
    if n_blocks < 2 * BLOCKS_FOR_A_THREAD:
        kernel(*arrays, 0, n_blocks)
    else:
        in_parts(lambda first, last: kernel(*arrays, first, last), n_blocks, BLOCKS_FOR_A_THREAD)


def mean_of_blocks(sums: Array, total: tuple[float, float], is_plain: bool) -> float:
    """Turn the sums of the blocks into the mean loss. The sums of a plain loss have the unit of ``unit_of``.

    Others are sums of w·l / Σ w with rounded shares w / Σ w. What Σ w lost by rounding makes all shares too large or
    too small by the same factor. The third number counts losses other than log 2: without any, the mean is log 2.
    """
    if len(sums) == 1:
        total_loss, rest, others = sums[0].tolist()
    else:
        total_loss, others = float(sums[:, 0].sum()), sums[:, 2].any()
        if math.isfinite(total_loss):
            total_loss, rest = exact_sum(sums[:, :2].ravel())
    if not math.isfinite(total_loss):
        return total_loss
    if is_plain:
        return quotient(total_loss, rest, math.frexp(total[0])[0])
    return quotient(total_loss, rest, 1.0, total[1] / total[0]) if others else LOG_2


def vector(values: object, name: str, n: int | None) -> Floats:
    """Return ``values`` as a contiguous vector in native byte order; float32 stays, all else becomes float64."""
    array = real(values, name)
    if (
        array.dtype is FLOAT64
        and array.ndim == 1
        and array.size
        and n is None
        and array.flags.c_contiguous
        and array.flags.aligned
    ):
        return read_only(array)  # the common case
    if array.ndim != 1 or array.size == 0 or (n is not None and array.size != n):
        wanted = "(n_pairs,) with at least one pair" if n is None else f"({n},), one for each pair"
        raise ValueError(f"{name}: expected shape {wanted}, got {array.shape}")
    keep = n is None and array.dtype.newbyteorder("=") == np.float32
    # "A" (aligned): an array in an NPZ file may begin at any byte
    return read_only(np.require(array, np.float32 if keep else np.float64, ["C", "A"]))


def read_only(array: Floats) -> Floats:
    """Return a read-only view. Numba compiles separately for read-only arrays, so using no others saves time."""
    view = array.view()
    view.flags.writeable = False
    return view


def optional(values: Array | None, name: str, n: int) -> Floats:
    """Return numbers that need not be given, (n,), or an empty array."""
    return NOTHING if values is None else vector(values, name, n)


def checked_options(
    n: int,
    weights: Array | None,
    labels: Array | None,
    target_margins: Array | None,
) -> tuple[Floats, tuple[float, float], Floats, Floats]:
    """Return weights, their exact sum, labels and target margins, checked; an empty array if one is not given."""
    if weights is None and labels is None and target_margins is None:
        return NOTHING, (float(n), 0.0), NOTHING, NOTHING
    w, total = checked_weights(weights, n)
    t = optional(labels, "labels", n)
    if not ((t >= 0) & (t <= 1)).all():
        raise ValueError("labels: expected probabilities in [0, 1], P(chosen preferred)")
    return w, total, t, optional(target_margins, "target_margins", n)


def checked_weights(values: Array | None, n: int) -> tuple[Floats, tuple[float, float]]:
    """Return weights and their exact sum as two numbers. Extreme ones are multiplied by a power of 2."""
    weights = optional(values, "weights", n)
    if not weights.size:
        return weights, (float(n), n * float(n * Fraction(1 / n) - 1))  # the shares are 1/n, rounded
    largest = float(weights.max())
    if not (weights.min() >= 0 and 0 < largest < math.inf):
        raise ValueError("weights: expected finite numbers of at least 0 with a positive sum")
    if not 2.0**-600 < largest < 2.0**900:
        weights = read_only(np.ldexp(weights, -math.frexp(largest)[1]))
    sums = np.zeros((-(-n // BLOCK), 2))
    in_blocks(sum_blocks, len(sums), weights, sums)
    return weights, exact_sum(sums.ravel())


def output_for(out: Floats | None, like: Floats) -> NDArray[Any]:
    """Return ``out``, checked, or a new array of the same shape and dtype as ``like``."""
    if out is None:
        return np.empty_like(like)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: expected an array of shape {like.shape} and dtype {like.dtype}, got {quoted(out)}")
    if out.shape != like.shape or out.dtype != like.dtype or not (out.flags.c_contiguous and out.flags.writeable):
        raise ValueError(
            f"out: expected a writeable contiguous array of shape {like.shape} and dtype {like.dtype}, "
            f"got shape {out.shape} and dtype {out.dtype}"
        )
    return out
