"""The compiled twin: the pair loss and its gradient in one pass over the margins.

This room imports nothing of ours. The formulas of ``losses.py`` are written here a second time, one pair at a time in
plain scalar code, and compiled by Numba; that two separately written forms agree is evidence for both.

    scalar kernels   hold the mathematics of one pair
    block kernels    loop over a block of 4,096 pairs and return its sums
    public functions check the arrays, hand blocks to threads, and add the sums of the blocks in order

Blocks have the same size whatever the number of threads, and their sums are added in the order of the data: so the
result does not depend on the number of threads, bit for bit. Numba is imported when this room is first entered; the
rest of the package enters it only on first use.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["curvatures", "get_threads", "mean_loss_and_gradients", "set_threads"]

Floats = NDArray[np.float64] | NDArray[np.float32]

BLOCK = 4096  # pairs: margins and gradients of a block, 64 kB in float64, fit the fast caches of a core
RUN = 64  # pairs: a block is summed run by run, so that no sum has more than 64 terms and rounding stays small
BLOCKS_FOR_A_THREAD = 8  # waking a thread costs about as much as computing this many blocks
LOG_2 = 0.6931471805599453  # nearest double to log 2 = 0.69314718055994530941723...

# error_model="numpy": 0/0 is NaN, as IEEE 754 says, not a Python exception. No fastmath: it would delete NaN checks.
# nogil: other threads run while a kernel runs. cache: the compiled code is kept on disk for the next process.
# Kept outside the package: files left in its folder after an uninstall would stand in the way of the next install.
CACHE_FOLDER = str(
    numba.config.CACHE_DIR  # type: ignore[attr-defined]  # NUMBA_CACHE_DIR
    or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "bradley_terry"
)


def _jit(function):  # type: ignore[no-untyped-def]
    """Compile on first call, keeping the code in CACHE_FOLDER; without a place to keep it, compile in every process."""
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = CACHE_FOLDER  # type: ignore[attr-defined]
    try:
        return numba.njit(error_model="numpy", nogil=True, cache=True)(function)
    except RuntimeError:  # neither this folder nor any other that Numba knows can be written
        _warn_once()
        return numba.njit(error_model="numpy", nogil=True)(function)
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]


@lru_cache(maxsize=1)
def _warn_once() -> None:
    warnings.warn(
        f"compiled kernels cannot be kept in {CACHE_FOLDER}, so every start compiles them anew; "
        "set NUMBA_CACHE_DIR to a folder that can be written",
        stacklevel=2,
    )


@_jit
def pair_terms(z):  # type: ignore[no-untyped-def]
    """Return log(1 + e), sigma(-|z|) and sigma(|z|) with e = exp(-|z|) in [0, 1]: all else is made of these."""
    e = math.exp(-abs(z))
    s = 1.0 + e
    return math.log1p(e), e - e * (e / s), 1.0 / s


@_jit
def loss_and_gradient(z):  # type: ignore[no-untyped-def]
    """Return softplus(-z) and its derivative -sigma(-z)."""
    log_s, small, large = pair_terms(z)
    if z < 0.0:
        return log_s - z, -large
    return log_s, -small


@_jit
def labelled_loss_and_gradient(z, t):  # type: ignore[no-untyped-def]
    """Return t·softplus(-z) + (1 - t)·softplus(z) and its derivative (1 - t)·sigma(z) - t·sigma(-z).

    An outcome of probability zero costs nothing, even at an infinite z: 0·inf counts as 0.
    """
    log_s, small, large = pair_terms(z)
    if z < 0.0:
        return (log_s if t == 0.0 else log_s - t * z), (1.0 - t) * small - t * large
    return (log_s if t == 1.0 else log_s + (1.0 - t) * z), (1.0 - t) * large - t * small


@_jit
def plain_blocks(margins, out, sums, first, last):  # type: ignore[no-untyped-def]
    """Fill out with l'/n and sums with (Σ l/n, Σ (l - log 2)/n), for blocks first … last - 1."""
    n = margins.size
    for block in range(first, last):
        stop = min(n, (block + 1) * BLOCK)
        for start in range(block * BLOCK, stop, RUN):
            total = excess = 0.0
            for i in range(start, min(stop, start + RUN)):
                loss, gradient = loss_and_gradient(np.float64(margins[i]))
                out[i] = gradient / n
                total += loss / n
                excess += (loss - LOG_2) / n
            sums[block, 0] += total
            sums[block, 1] += excess


@_jit
def general_blocks(margins, weights, labels, targets, total_weight, out, sums, first, last):  # type: ignore[no-untyped-def]
    """Do the same with weights, labels and target margins; an empty array stands for ones, ones and zeros."""
    n = margins.size
    for block in range(first, last):
        stop = min(n, (block + 1) * BLOCK)
        for start in range(block * BLOCK, stop, RUN):
            total = excess = 0.0
            for i in range(start, min(stop, start + RUN)):
                w = weights[i] if weights.size else 1.0
                t = labels[i] if labels.size else 1.0
                m = targets[i] if targets.size else 0.0
                loss, gradient = labelled_loss_and_gradient(np.float64(margins[i]) - m, t)
                share = w / total_weight
                out[i] = gradient * share
                if w > 0.0:  # a pair without weight costs nothing, even an infinite loss
                    total += share * loss
                    excess += share * (loss - LOG_2)
            sums[block, 0] += total
            sums[block, 1] += excess


@_jit
def curvature_blocks(margins, weights, targets, total_weight, out, first, last):  # type: ignore[no-untyped-def]
    """Fill out with w·sigma(z)·sigma(-z) / Σ w, for blocks first … last - 1."""
    for i in range(first * BLOCK, min(margins.size, last * BLOCK)):
        w = weights[i] if weights.size else 1.0
        m = targets[i] if targets.size else 0.0
        _, q, _ = pair_terms(np.float64(margins[i]) - m)
        out[i] = (q - q * q) * w / total_weight


def mean_loss_and_gradients(
    margins: Floats,
    out: Floats | None = None,
    *,
    weights: NDArray[np.float64] | None = None,
    labels: NDArray[np.float64] | None = None,
    target_margins: NDArray[np.float64] | None = None,
) -> tuple[float, Floats]:
    """Compute the mean loss and its gradient with respect to every margin, in one pass.

    Parameters
    ----------
    margins : array, (n_pairs,), log-odds
        float32 and float64 are read as they are, other real numbers are converted to float64 first.
    out : array, (n_pairs,), optional
        Receives the gradients; of the dtype of the margins.
    weights, labels, target_margins : arrays, (n_pairs,), optional
        As in ``losses.mean_loss``.

    Returns
    -------
    mean : float, nats
        Σ w·l(z) / Σ w with z = Δ - m; exactly log 2 where every z is 0.
    d_margins : array, (n_pairs,)
        w·l'(z) / Σ w: the 1/n is in it.

    Raises
    ------
    ValueError
        For a wrong shape, no pairs, negative weights, labels outside [0, 1], an unsuitable ``out``.

    Examples
    --------
    >>> mean, d_margins = mean_loss_and_gradients(np.array([0.0, 1.5]))
    >>> print(f"{mean:.6f}", d_margins.round(6))
    0.447280 [-0.25     -0.091213]
    """
    z = _vector(margins, "margins", None)
    gradients = _output(out, z)
    n_blocks = -(-z.size // BLOCK)
    sums = np.zeros((n_blocks, 2))
    if weights is None and labels is None and target_margins is None:
        total_weight = float(z.size)
        _run(plain_blocks, n_blocks, z, gradients, sums)
    else:
        w, total_weight = _weights(weights, z)
        t = _optional(labels, "labels", z)
        if not ((t >= 0) & (t <= 1)).all():
            raise ValueError("labels: expected probabilities in [0, 1], P(chosen preferred)")
        m = _optional(target_margins, "target_margins", z)
        _run(general_blocks, n_blocks, z, w, t, m, total_weight, gradients, sums)
    return _mean(sums), gradients


def curvatures(
    margins: Floats,
    out: Floats | None = None,
    *,
    weights: NDArray[np.float64] | None = None,
    target_margins: NDArray[np.float64] | None = None,
) -> Floats:
    """Compute the second derivative of the mean loss with respect to every margin: w·sigma(z)·sigma(-z) / Σ w.

    Parameters and errors are those of ``mean_loss_and_gradients``. Labels do not enter.
    """
    z = _vector(margins, "margins", None)
    result = _output(out, z)
    w, total_weight = _weights(weights, z)
    m = _optional(target_margins, "target_margins", z)
    _run(curvature_blocks, -(-z.size // BLOCK), z, w, m, total_weight, result)
    return result


def set_threads(n_threads: int) -> None:
    """Use this many threads from now on; NUMBA_NUM_THREADS or the number of cores unless set. Results stay the same."""
    if not isinstance(n_threads, int) or n_threads < 1:
        raise ValueError(f"n_threads: expected a whole number of at least 1, got {n_threads!r}")
    _settings["threads"] = n_threads


def get_threads() -> int:
    """Return the number of threads that large arrays are shared among."""
    return _settings["threads"]


_settings = {"threads": int(numba.config.NUMBA_NUM_THREADS)}  # type: ignore[attr-defined]


@lru_cache(maxsize=1)
def _pool(n_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads, thread_name_prefix="bradley_terry")


if hasattr(os, "register_at_fork"):  # a forked child inherits the pool but not its threads: let it make its own
    os.register_at_fork(after_in_child=_pool.cache_clear)


def _run(kernel: Callable[..., None], n_blocks: int, *arrays: object) -> None:
    """Call kernel(*arrays, first, last) on ranges of blocks that together are all of them, on several threads."""
    n_threads = min(get_threads(), n_blocks // BLOCKS_FOR_A_THREAD)
    if n_threads <= 1:
        kernel(*arrays, 0, n_blocks)
        return
    edges = [n_blocks * k // n_threads for k in range(n_threads + 1)]
    pool = _pool(get_threads())
    for future in [pool.submit(kernel, *arrays, a, b) for a, b in pairwise(edges)]:
        future.result()


def _mean(sums: NDArray[np.float64]) -> float:
    """Turn the sums of the blocks into the mean loss.

    The mean is Σ l/n, and also log 2 + Σ (l - log 2)/n. The second is exact where no pair says anything yet; the first
    keeps its digits where the losses are tiny. Terms of size l/n cannot overflow as long as the mean does not. fsum
    adds without rounding, so the order of the blocks could not matter either.
    """
    if not np.isfinite(sums).all():
        return float(sums[:, 0].sum())
    excess = math.fsum(sums[:, 1])
    return LOG_2 + excess if excess > -0.5 * LOG_2 else math.fsum(sums[:, 0])


def _vector(values: object, name: str, like: NDArray[np.generic] | None) -> Floats:
    """Return ``values`` as a contiguous vector in native byte order, float32 kept, all else in float64."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected real numbers, got an array of dtype {array.dtype}")
    if array.ndim != 1 or array.size == 0 or (like is not None and array.shape != like.shape):
        wanted = "(n_pairs,) with at least one pair" if like is None else f"{like.shape}, one for each pair"
        raise ValueError(f"{name}: expected shape {wanted}, got {array.shape}")
    keep = like is None and array.dtype.newbyteorder("=") == np.float32
    return np.ascontiguousarray(array, np.float32) if keep else np.ascontiguousarray(array, np.float64)


def _optional(values: NDArray[np.float64] | None, name: str, like: Floats) -> Floats:
    return np.empty(0) if values is None else _vector(values, name, like)


def _weights(values: NDArray[np.float64] | None, like: Floats) -> tuple[Floats, float]:
    weights = _optional(values, "weights", like)
    total = float(weights.sum()) if weights.size else float(like.size)
    if not (weights >= 0).all() or not 0 < total < np.inf:
        raise ValueError("weights: expected finite numbers of at least 0 with a positive sum")
    return weights, total


def _output(out: Floats | None, like: Floats) -> Floats:
    if out is None:
        return np.empty_like(like)
    if out.shape != like.shape or out.dtype != like.dtype or not (out.flags.c_contiguous and out.flags.writeable):
        raise ValueError(
            f"out: expected a writeable contiguous array of shape {like.shape} and dtype {like.dtype}, "
            f"got shape {out.shape} and dtype {out.dtype}"
        )
    return out
