"""Passes over whole arrays: check the arrays, give blocks of pairs to the compiled functions, and add up their sums.

Blocks have the same size for any number of threads. Threads take them in at most 16 parts (``in_parts``), and the sums
of the parts are added in the order of the data. So no bit of the result depends on the number of threads. Features in a
mapped file may be larger than the memory. Their differences are then formed a few blocks at a time (the argument
``minus``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays.visible import quoted
from ..logistic import Array
from ..scorers import Features
from ..threads import in_parts
from .blocks import checked_options, checked_weights, in_blocks, mean_of_blocks, optional, output_for, read_only, vector
from .compiled import (
    BLOCK,
    LOG_2,
    ROWS,
    curvature_blocks,
    general_blocks,
    linear_blocks,
    margin_blocks,
    mlp_middle,
    plain_blocks,
    plain_blocks_32,
)
from .ranking_passes import ranking_loss_and_slopes

__all__ = [
    "curvatures",
    "differences_of",
    "linear_loss_and_gradient",
    "linear_margins",
    "linear_pull",
    "linear_with_loss",
    "mean_loss_and_gradients",
    "mlp_loss_and_gradient",
    "warmup",
    "weighted_gram",
]

T = TypeVar("T")
Margins = TypeVar("Margins", Array, NDArray[np.float32])

CHUNK = 4  # blocks of features whose differences or weighted copies are in memory at a time
WITH_LOSS = 16  # blocks of features whose loss NumPy computes at a time; with fewer, the calls themselves take long
MLP_CACHE = 800_000  # bytes: both answers of a block and their hidden layer fit into the second-level cache
# As in ``blocks``, each thread gets work for about half a millisecond.
ENTRIES_FOR_A_THREAD = 500_000  # of the features of a linear scorer
PRODUCTS_FOR_A_THREAD = 8_000_000  # of the matrices of an MLP, or of a Hessian


def mean_loss_and_gradients(
    margins: Margins,
    out: Margins | None = None,
    *,
    weights: Array | None = None,
    labels: Array | None = None,
    target_margins: Array | None = None,
) -> tuple[float, Margins]:
    """Compute the mean loss and its gradient with respect to every margin, in one pass.

    Parameters
    ----------
    margins : array, (n_pairs,), log-odds
        float32 and float64 are read as they are; other real numbers are converted to float64 first.
    out : array, (n_pairs,), optional
        Receives the gradients; it must have the dtype of the margins.
    weights, labels, target_margins : arrays, (n_pairs,), optional
        As in ``losses.mean_loss``.

    Returns
    -------
    mean : float, nats
        Σ w·l(z) / Σ w with z = Δ - m; exactly log 2 where every z is 0.
    d_margins : array, (n_pairs,)
        w·l'(z) / Σ w, which includes the factor 1/n.

    Raises
    ------
    ValueError
        For a wrong shape, no pairs, negative weights, labels outside [0, 1], or an unsuitable ``out``.

    Examples
    --------
    >>> mean, d_margins = mean_loss_and_gradients(np.array([0.0, 1.5]))
    >>> print(f"{mean:.6f}", d_margins.round(6))
    0.447280 [-0.25     -0.091213]
    """
    z = vector(margins, "margins", None)
    gradients = output_for(out, z)
    n_blocks = -(-z.size // BLOCK)
    sums = np.zeros((n_blocks, 3))
    if weights is None and labels is None and target_margins is None:
        n = float(z.size)
        is_32 = z.dtype == np.float32
        in_blocks(plain_blocks_32 if is_32 else plain_blocks, n_blocks, z, n, gradients, sums)
        if is_32 and not sums[:, 2].any():
            return LOG_2, gradients  # which float32 rounds
        return mean_of_blocks(sums, (n, 0.0), is_plain=True), gradients
    w, total, t, m = checked_options(z.size, weights, labels, target_margins)
    in_blocks(general_blocks, n_blocks, z, w, t, m, total[0], gradients, sums)
    return mean_of_blocks(sums, total, is_plain=False), gradients


def linear_loss_and_gradient(
    differences: Features,
    phi: Array,
    *,
    minus: Features | None = None,
    weights: Array | None = None,
    labels: Array | None = None,
    target_margins: Array | None = None,
    margins: Array | None = None,
) -> tuple[float, Array]:
    """Compute the mean loss of a linear scorer and its gradient with respect to φ in one pass over the data.

    Parameters
    ----------
    differences : array, (n_pairs, n_features)
        x_chosen - x_rejected of each pair; or x_chosen alone, if x_rejected is given as ``minus``.
    phi : array, (n_features,)
    minus : array, (n_pairs, n_features), optional
        Subtracted from ``differences`` a few thousand rows at a time, for data that may not fit into memory.
    weights, labels, target_margins : arrays, (n_pairs,), optional
        As in ``mean_loss_and_gradients``.
    margins : array, (n_pairs,), optional
        Receives φ·d; target margins are not subtracted.

    Returns
    -------
    mean : float, nats
    gradient : array, (n_features,)
        Σ w·l'(z)·d / Σ w with z = φ·d - m.

    Examples
    --------
    >>> linear_loss_and_gradient(np.array([[1.0, 2.0]]), np.zeros(2))[1]  # -d/2
    array([-0.5, -1. ])
    """
    rows = _Rows(differences, minus, phi)
    w, total, t, m = checked_options(rows.n, weights, labels, target_margins)
    is_plain = weights is None and labels is None and target_margins is None
    delta = np.empty(rows.n) if margins is None else margins
    gradients, sums = np.zeros((rows.n_blocks, rows.phi.size)), np.zeros((rows.n_blocks, 3))

    def one_part(first: int, last: int) -> None:
        for d, at, block, n_blocks in rows.chunks(first, last):
            options = w[at], t[at], m[at], total[0], is_plain, delta[at]
            linear_blocks(d, rows.phi, *options, gradients[block:], sums[block:], 0, n_blocks)

    rows.share(one_part)
    return mean_of_blocks(sums, total, is_plain), gradients.sum(axis=0)


def linear_with_loss(
    differences: Features,
    phi: Array,
    loss_of_rows: Callable[[slice, Array], tuple[Array, Array]],
    *,
    minus: Features | None = None,
) -> tuple[Array, Array, Array]:
    """Compute losses, gradient and margins of a linear scorer for a loss that NumPy computes, on several threads.

    A thread takes some thousand rows through the whole computation, so that what one step wrote is still in the cache
    when the next step reads it. The BLAS computes the gradient, and the caller must keep the BLAS on one thread.

    Parameters
    ----------
    differences, phi, minus
        As in ``linear_loss_and_gradient``.
    loss_of_rows : callable
        Takes a slice of the rows and their margins φ·d; returns l and w·l' / Σ w for each of these rows.

    Returns
    -------
    losses : array, (n_pairs,)
    gradient : array, (n_features,)
    margins : array, (n_pairs,)
    """
    rows = _Rows(differences, minus, phi)
    losses, margins = np.empty(rows.n), np.empty(rows.n)

    def one_part(first: int, last: int) -> Array:
        gradient = np.zeros(rows.phi.size)
        for d, at, _, n_blocks in rows.chunks(first, last, WITH_LOSS):
            margin_blocks(d, rows.phi, margins[at], 0, n_blocks)
            losses[at], d_margins = loss_of_rows(at, margins[at])
            gradient += d_margins @ d
        return gradient

    return losses, np.asarray(sum(rows.share(one_part, least=CHUNK))), margins


def linear_margins(differences: Features, phi: Array, *, minus: Features | None = None) -> Array:
    """Compute the margins φ·d of a linear scorer, (n_pairs,); arguments as in ``linear_loss_and_gradient``.

    Examples
    --------
    >>> linear_margins(np.array([[1.0, 2.0], [0.0, 4.0]]), np.array([3.0, 0.5]))
    array([4., 2.])
    """
    rows = _Rows(differences, minus, phi)
    margins = np.empty(rows.n)

    def one_part(first: int, last: int) -> None:
        for d, at, _, n_blocks in rows.chunks(first, last):
            margin_blocks(d, rows.phi, margins[at], 0, n_blocks)

    rows.share(one_part)
    return margins


def linear_pull(differences: Features, d_margins: Array, *, minus: Features | None = None) -> Array:
    """Compute Σ_i d_margins[i] · d_i, (n_features,); features as in ``linear_loss_and_gradient``."""
    rows = _Rows(differences, minus, np.empty(differences.shape[1]))

    def one_part(first: int, last: int) -> Array:
        chunks = rows.chunks(first, last, CHUNK)
        return np.asarray(sum(np.einsum("i,ij->j", d_margins[at], d) for d, at, _, _ in chunks))

    return np.asarray(sum(rows.share(one_part)))


def weighted_gram(differences: Features, weights: Array, *, minus: Features | None = None) -> Array:
    """Compute Σ_i weights[i] · d_i d_iᵀ, (n_features, n_features), block by block on several threads.

    The BLAS computes the product of each block, and the caller must keep the BLAS on one thread. As AᵀA with A = √w·d
    the product is symmetric, which needs half the work of a general one. Rows with w < 0 are added up apart, with -w.
    """
    rows = _Rows(differences, minus, np.empty(differences.shape[1]))
    if weights.shape != (rows.n,):
        raise ValueError(f"weights: expected shape ({rows.n},), one for each pair, got {weights.shape}")
    weights = np.asarray(weights, dtype=np.float64)

    def one_part(first: int, last: int) -> Array:
        result = np.zeros((rows.phi.size, rows.phi.size))
        scaled = np.empty((min(CHUNK * ROWS, rows.n), rows.phi.size))
        for d, at, _, _ in rows.chunks(first, last, CHUNK):
            for sign in (1, -1):
                w = sign * weights[at]
                if sign == 1 or (w > 0).any():
                    part = np.multiply(d, np.sqrt(np.maximum(w, 0))[:, None], out=scaled[: len(d)])
                    result += sign * (part.T @ part)
        return result

    return np.asarray(sum(rows.share(one_part, PRODUCTS_FOR_A_THREAD // rows.phi.size, CHUNK)))


def differences_of(chosen: Features, rejected: Features) -> Array:
    """Return chosen - rejected, (n_pairs, n_features), as a new float64 array."""
    result = np.empty(chosen.shape)

    def one_part(first: int, last: int) -> None:
        at = slice(first * ROWS, last * ROWS)
        np.subtract(chosen[at], rejected[at], out=result[at], dtype=np.float64)

    in_parts(one_part, -(-len(result) // ROWS), 1 + ENTRIES_FOR_A_THREAD // (ROWS * chosen.shape[1]))
    return result


class _Rows:
    """Rows of differences in blocks of ROWS rows, either given or formed when they are needed."""

    def __init__(self, differences: Features, minus: Features | None, phi: Array) -> None:
        shape = differences.shape
        if len(shape) != 2 or 0 in shape or phi.shape != shape[1:] or (minus is not None and minus.shape != shape):
            raise ValueError(f"differences: expected (n_pairs, n_features) to match phi {phi.shape}, got {shape}")
        self.n, self.n_blocks = shape[0], -(-shape[0] // ROWS)
        self.phi = read_only(np.ascontiguousarray(phi, dtype=np.float64))
        self.minus = minus
        self.rows = differences if minus is not None else read_only(np.require(differences, np.float64, ["C", "A"]))

    def chunks(self, first: int, last: int, at_a_time: int | None = None) -> Iterator[tuple[Array, slice, int, int]]:
        """Yield blocks first to last - 1 in chunks: the array, its rows, its first block, its number of blocks."""
        buffer = None if self.minus is None else np.empty((CHUNK * ROWS, self.phi.size))
        step = (at_a_time or last - first) if self.minus is None else CHUNK
        for block in range(first, last, step):
            end = min(block + step, last)
            at = slice(block * ROWS, min(end * ROWS, self.n))
            d: Array = self.rows[at]  # type: ignore[assignment]  # float64, unless there is ``minus``
            if self.minus is not None and buffer is not None:
                d = np.subtract(d, self.minus[at], out=buffer[: at.stop - at.start], dtype=np.float64)
            yield read_only(d), at, block, end - block  # type: ignore[misc]

    def share(
        self, one_part: Callable[[int, int], T], for_a_thread: int = ENTRIES_FOR_A_THREAD, least: int = 1
    ) -> list[T]:
        return in_parts(one_part, self.n_blocks, 1 + for_a_thread // (ROWS * self.phi.size), least)


def mlp_loss_and_gradient(
    chosen: Features,
    rejected: Features,
    phi: Array,
    n_hidden: int,
    *,
    activation: str = "tanh",
    weights: Array | None = None,
    labels: Array | None = None,
    target_margins: Array | None = None,
) -> tuple[float, Array]:
    """Compute the mean loss of r = v · act(x W + b) and its gradient with respect to W, b and v.

    Both answers of a block of pairs go through the layers as one matrix, forward and back, while it is in the cache. A
    bias is the weight of a feature that is always 1: with such a column in x, (W, b) is one matrix, and so is its
    gradient. The BLAS computes the two products with x, and the caller must keep the BLAS on one thread. Everything
    between the products is ``mlp_middle``.

    Parameters
    ----------
    chosen, rejected : arrays, (n_pairs, n_features)
    phi : array, (n_features · n_hidden + 2 · n_hidden,)
        W, b and v in this order, flattened.
    n_hidden : int
    activation : "tanh" or "relu"
    weights, labels, target_margins : arrays, (n_pairs,), optional
        As in ``mean_loss_and_gradients``.

    Returns
    -------
    mean : float, nats
    gradient : array, in the shape of phi
    """
    n, n_inputs = len(chosen), chosen.shape[1] + 1  # the features, and 1
    size, is_tanh = n_inputs * n_hidden, activation == "tanh"
    if rejected.shape != chosen.shape or phi.shape != (size + n_hidden,) or n == 0:
        raise ValueError(
            f"phi: expected {size + n_hidden} numbers and features of one shape, "
            f"got shapes {phi.shape}, {chosen.shape} and {rejected.shape}"
        )
    if activation not in {"tanh", "relu"}:
        raise ValueError(f"activation: expected 'tanh' or 'relu', got {quoted(activation)}")
    phi = np.ascontiguousarray(phi, dtype=np.float64)
    matrix, v = phi[:size].reshape(n_inputs, n_hidden), read_only(phi[size:])
    w, total, t, m = checked_options(n, weights, labels, target_margins)
    is_plain = weights is None and labels is None and target_margins is None
    rows = min(n, max(MLP_CACHE // (16 * (n_inputs + n_hidden)), 32))
    n_blocks = -(-n // rows)
    sums = np.zeros((n_blocks, 3))

    def one_part(first: int, last: int) -> Array:
        both, hidden = np.empty((2 * rows, n_inputs)), np.empty((2 * rows, n_hidden))
        both[:, -1] = 1.0
        gradient = np.zeros(phi.size)
        d_matrix, d_output = gradient[:size].reshape(n_inputs, n_hidden), gradient[size:]
        for block in range(first, last):
            start, stop = block * rows, min(n, (block + 1) * rows)
            half = stop - start
            x, h = both[: 2 * half], hidden[: 2 * half]
            x[:half, :-1], x[half:, :-1] = chosen[start:stop], rejected[start:stop]
            np.matmul(x, matrix, out=h)
            mlp_middle(h, v, is_tanh, w, t, m, total[0], is_plain, start, sums[block], d_output)
            if block == first:
                np.matmul(x.T, h, out=d_matrix)
            else:
                d_matrix += x.T @ h
        return gradient

    parts = in_parts(one_part, n_blocks, 1 + PRODUCTS_FOR_A_THREAD // (4 * rows * size))
    gradient = parts[0]
    for part in parts[1:]:
        gradient += part
    return mean_of_blocks(sums, total, is_plain), gradient


def curvatures(
    margins: Margins,
    out: Margins | None = None,
    *,
    weights: Array | None = None,
    target_margins: Array | None = None,
) -> Margins:
    """Compute the second derivative of the mean loss with respect to every margin: w·sigma(z)·sigma(-z) / Σ w.

    Parameters and errors are those of ``mean_loss_and_gradients``. The curvature does not depend on labels.

    Examples
    --------
    >>> print(curvatures(np.array([0.0, 1.5])).round(6))  # sigma(z)·sigma(-z) / 2
    [0.125    0.074573]
    """
    z = vector(margins, "margins", None)
    result = output_for(out, z)
    w, total = checked_weights(weights, z.size)
    m = optional(target_margins, "target_margins", z.size)
    in_blocks(curvature_blocks, -(-z.size // BLOCK), z, w, m, total[0], result)
    return result


def warmup() -> None:
    """Compile every kernel, or load it from the cache, so that the first call is as fast as later ones."""
    one, rows = np.ones(1), np.ones((1, 1))
    for dtype in (np.float64, np.float32):
        margins: NDArray[Any] = one.astype(dtype)
        mean_loss_and_gradients(margins)
        mean_loss_and_gradients(margins, weights=one, labels=one, target_margins=one)
        curvatures(margins, weights=one, target_margins=one)
    ranking_loss_and_slopes(np.zeros((1, 2)), np.ones(1, dtype=np.int64), one)
    linear_loss_and_gradient(rows, one)
    linear_margins(rows, one)
    mlp_loss_and_gradient(rows, rows, np.ones(3), 1)
