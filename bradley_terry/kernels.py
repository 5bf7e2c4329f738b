"""The compiled twin: the pair loss and its gradient in one pass over the margins, as fast as the machine allows.

Of ours, this room imports only ``threads``. The formulas of ``losses.py`` are written here a second time, in plain
scalar code for one pair, and compiled by Numba; that two separately written forms agree is evidence for both.

    scalar kernels    hold the mathematics of one pair: e = exp(-|z|), log(1 + e), e / (1 + e); tanh
    run kernels       do so for a few hundred pairs, in loops that the compiler turns into vector code
    block kernels     loop over the runs of a block of some thousand pairs and fill its place among the sums
    public functions  check the arrays, hand blocks to threads, and add the sums of the blocks in order

A linear scorer's features are read once: 16 rows at a time (a tile) give their margins, then their losses, and then,
still in the fastest cache, their share of the gradient. An MLP has two products of matrices, which the BLAS does; what
lies between them, activation, head, loss and the way back, is one kernel (``mlp_middle``). Features in a mapped file
may be larger than the memory: their differences are formed on the way (``minus``), a few blocks at a time.

Why no call to exp and log? Each call handles one number, while a core adds and multiplies eight at a time (four or two
on older ones) where the code is free of calls and branches. So exp and log are polynomials here:

    exp(x), x <= 0    x = k·log 2 + r with k whole and |r| <= (log 2)/2, so that exp(x) = 2^k · exp(r). k comes from
                      adding and subtracting 1.5·2^52: near that number doubles are whole, so the sum is rounded to
                      one, and its lowest bits are k. 2^k is put together from bits. exp(r) = 1 + r + r²·P(r).
    log(1 + e)        With s = e / (2 + e), log(1 + e) = 2·artanh(s) = 2s + s³·Q(s²), and 2s = e - e·s: the sum is
                      e - s·(e - s²·Q(s²)), a small correction to e, so that its rounding hardly counts.
    sigma(-|z|)       e / (1 + e) = e - e·(e / (1 + e)), again a correction to e; sigma(|z|) is 1 less that.

P and Q are the polynomials that come closest over the whole interval, found by Chebyshev interpolation with 300 bits;
``tests/test_kernels.py`` finds every coefficient again. Losses and gradients are right to 2 units in the last place,
tanh to 3.

Blocks have the same size whatever the number of threads, threads take them in at most 16 parts (``in_parts``), and
their sums are added in the order of the data: so the result does not depend on the number of threads, bit for bit.
Numba is imported when this room is first entered; the rest of the package enters it only on first use.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from .threads import get_threads, in_parts, set_threads

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

T = TypeVar("T")
Floats = NDArray[np.float64] | NDArray[np.float32]
FLOAT64 = np.dtype(np.float64)
NOTHING = np.empty(0)  # stands for weights, labels and target margins that were not given
NOTHING.flags.writeable = False

BLOCK = 4096  # pairs: margins and gradients of a block, 64 kB in float64, fit the fast caches of a core
RUN = 256  # pairs whose losses wait in a buffer to be summed, eight sums of 32 terms: so rounding is small
TILE = 16  # rows of features that are used twice while they are in the fastest cache
ROWS = 1024  # rows of features in a block
MLP_CACHE = 800_000  # bytes of both answers and their hidden layer in a block: they fit the second cache of a core
CHUNK = 4  # blocks of features whose differences or weighted copies are held at a time
# A thread is woken for work of about half a millisecond: the waking itself can take a tenth of one.
BLOCKS_FOR_A_THREAD = 16  # of margins
ENTRIES_FOR_A_THREAD = 500_000  # of the features of a linear scorer
PRODUCTS_FOR_A_THREAD = 8_000_000  # of the matrices of an MLP, or a Hessian
LOG_2 = 0.6931471805599453  # nearest double to log 2 = 0.69314718055994530941723...

# log 2 in two parts: k·LOG_2_HIGH is exact for every k that occurs, and LOG_2_LOW is the rest.
PER_LOG_2 = float.fromhex("0x1.71547652b82fep+0")  # 1 / log 2
LOG_2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
LOG_2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
ROUNDER = 1.5 * 2.0**52  # x + ROUNDER - ROUNDER is x rounded to a whole number
ROUNDER_BITS = 0x4338000000000000  # the same number as bits
SMALLEST = -746.0  # exp of this is 0, and 2^k for its k = -1076 is still put together rightly


def _hex(numbers: str) -> tuple[float, ...]:
    return tuple(float.fromhex(number) for number in numbers.split())


# exp(r) = 1 + r + r²·P(r) for |r| <= (log 2)/2, P = P[0] + P[1]·r + …, error of P 1.4e-18
P = _hex(
    """0x1.0000000000000p-1 0x1.5555555555557p-3 0x1.5555555555556p-5 0x1.11111111100dfp-7 0x1.6c16c16c162d6p-10
    0x1.a01a01abe62ddp-13 0x1.a01a01a6d7808p-16 0x1.71de02375656cp-19 0x1.27e4db67b4303p-22 0x1.af4ddd84882fep-26
    0x1.1f72fc730b4ffp-29"""
)
# 2·artanh(s) = 2s + s³·Q(s²) for s² <= 1/9, error of Q 9.0e-17
Q = _hex(
    """0x1.5555555555555p-1 0x1.999999999a3ddp-2 0x1.24924923d44c6p-2 0x1.c71c727143318p-3 0x1.745cf0b0e03bdp-3
    0x1.3b18b294bebf9p-3 0x1.10ac75dc602b1p-3 0x1.eb905e8575054p-4 0x1.687a6e7c95176p-4 0x1.4b0a26c5f2aefp-3"""
)

# The same for float32, where fewer terms will do: 1.5·2^23 rounds, exp(-104) is 0, and 16 numbers go at a time.
PER_LOG_2_32 = np.float32(PER_LOG_2)
LOG_2_HIGH_32 = np.float32(float.fromhex("0x1.62e4000000000p-1"))
LOG_2_LOW_32 = np.float32(float.fromhex("0x1.7f7d1c0000000p-20"))
ROUNDER_32, ROUNDER_BITS_32 = np.float32(1.5 * 2.0**23), np.int32(0x4B400000)
SMALLEST_32, ONE_32, TWO_32, ZERO_32 = np.float32(-105.0), np.float32(1.0), np.float32(2.0), np.float32(0.0)
LOG_2_32, BIAS_32 = np.float32(LOG_2), np.int32(127)
P_32 = tuple(  # error 1.4e-9
    map(np.float32, _hex("0x1p-1 0x1.555556p-3 0x1.5554eap-5 0x1.1110e0p-7 0x1.6d4316p-10 0x1.a124e4p-13"))
)
Q_32 = tuple(map(np.float32, _hex("0x1.55554cp-1 0x1.99ad6cp-2 0x1.21249ap-2 0x1.12f598p-2")))  # error 2.9e-7

# Kept outside the package: files left in its folder after an uninstall would stand in the way of the next install.
CACHE_FOLDER = str(
    numba.config.CACHE_DIR  # type: ignore[attr-defined]  # NUMBA_CACHE_DIR
    or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "bradley_terry"
)


def _compiled(fastmath: set[str], forceinline: bool = False):  # type: ignore[no-untyped-def]
    """Return a decorator that compiles on first call and keeps the code in CACHE_FOLDER, or nowhere if it must."""
    options: dict[str, Any] = {"error_model": "numpy", "nogil": True, "fastmath": fastmath, "forceinline": forceinline}

    def decorate(function):  # type: ignore[no-untyped-def]
        before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
        numba.config.CACHE_DIR = CACHE_FOLDER  # type: ignore[attr-defined]
        try:
            return numba.njit(**options, cache=True)(function)
        except RuntimeError:  # neither this folder nor any other that Numba knows can be written
            _warn_once()
            return numba.njit(**options)(function)
        finally:
            numba.config.CACHE_DIR = before  # type: ignore[attr-defined]

    return decorate


@lru_cache(maxsize=1)
def _warn_once() -> None:
    warnings.warn(
        f"compiled kernels cannot be kept in {CACHE_FOLDER}, so every start compiles them anew; "
        "set NUMBA_CACHE_DIR to a folder that can be written",
        stacklevel=2,
    )


# error_model="numpy": 0/0 is NaN, as IEEE 754 says, not a Python exception. nogil: other threads run while a kernel
# runs. "contract" allows a·b + c in one instruction with one rounding. No more of fastmath than that: it would delete
# checks for NaN and reorder the additions of the rounding trick. Only ``dots``, which has neither, may add its products
# side by side, in one order that is chosen when it is compiled. "forceinline" puts the body of an innermost loop into
# its callers before they are optimised: a call left standing can end, depending on what the cache held, in a copy that
# takes twice the time.
_jit = _compiled({"contract"})
_jit_part = _compiled({"contract"}, forceinline=True)
_jit_dot = _compiled({"contract", "reassoc", "nsz"}, forceinline=True)


@_jit_part
def exp_parts(x):  # type: ignore[no-untyped-def]
    """Return k and exp(r) - 1 with exp(x) = 2^k·exp(r), for SMALLEST <= x <= 0; NaN comes back in the second."""
    shifted = np.float64(x * PER_LOG_2 + ROUNDER)
    k = shifted - ROUNDER
    r = (x - k * LOG_2_HIGH) - k * LOG_2_LOW
    r2 = r * r
    p = (P[2] + r * P[3] + r2 * (P[4] + r * P[5])) + r2 * r2 * (P[6] + r * P[7] + r2 * (P[8] + r * P[9] + r2 * P[10]))
    return shifted.view(np.int64) - ROUNDER_BITS, r + r2 * (P[0] + r * P[1] + r2 * p)


@_jit_part
def power_of_two(k):  # type: ignore[no-untyped-def]
    """Return 2^k for whole k >= -1022, put together from bits: 1023 + k goes to the place of the exponent."""
    bits = np.int64((k + 1023) << 52)
    return bits.view(np.float64)


@_jit_part
def decay(z):  # type: ignore[no-untyped-def]
    """Return e = exp(-|z|), in [0, 1]: all else is made of it."""
    x = -abs(z)
    k, less_one = exp_parts(SMALLEST if x < SMALLEST else x)  # written so that NaN passes
    half = k >> 1  # 2^k in two factors, since 2^-1076 is no double
    return (1.0 + less_one) * power_of_two(half) * power_of_two(k - half)


@_jit_part
def pair_terms(e):  # type: ignore[no-untyped-def]
    """Return log(1 + e) and e / (1 + e) = sigma(-|z|)."""
    s = e / (2.0 + e)
    w = s * s
    w2 = w * w
    q = (Q[2] + w * Q[3] + w2 * (Q[4] + w * Q[5])) + w2 * w2 * (Q[6] + w * Q[7] + w2 * (Q[8] + w * Q[9]))
    return e - s * (e - w * (Q[0] + w * Q[1] + w2 * q)), e - e * (e / (1.0 + e))


@_jit_part
def loss_and_gradient(z, e):  # type: ignore[no-untyped-def]
    """Return softplus(-z) = log(1 + e) + max(-z, 0) and its derivative -sigma(-z), given e = exp(-|z|)."""
    log_s, small = pair_terms(e)
    return log_s + (-z if z < 0.0 else 0.0), small - 1.0 if z < 0.0 else -small


@_jit_part
def decay_32(z):  # type: ignore[no-untyped-def]
    """Return exp(-|z|) in float32, step for step as ``decay``."""
    x = -abs(z)
    x = SMALLEST_32 if x < SMALLEST_32 else x
    shifted = np.float32(x * PER_LOG_2_32 + ROUNDER_32)
    k = shifted - ROUNDER_32
    r = (x - k * LOG_2_HIGH_32) - k * LOG_2_LOW_32
    r2 = r * r
    p = P_32[0] + r * P_32[1] + r2 * (P_32[2] + r * P_32[3] + r2 * (P_32[4] + r * P_32[5]))
    bits = np.int32(shifted.view(np.int32) - ROUNDER_BITS_32)
    half = np.int32(bits >> np.int32(1))
    power = np.int32((half + BIAS_32) << np.int32(23))
    other_power = np.int32((bits - half + BIAS_32) << np.int32(23))
    return (ONE_32 + (r + r2 * p)) * power.view(np.float32) * other_power.view(np.float32)


@_jit_part
def loss_and_gradient_32(z, e):  # type: ignore[no-untyped-def]
    """Do the same as ``loss_and_gradient`` in float32."""
    s = e / (TWO_32 + e)
    w = s * s
    log_s = e - s * (e - w * (Q_32[0] + w * Q_32[1] + w * w * (Q_32[2] + w * Q_32[3])))
    small = e - e * (e / (ONE_32 + e))
    return log_s + (-z if z < ZERO_32 else ZERO_32), small - ONE_32 if z < ZERO_32 else -small


@_jit_part
def total(values, n):  # type: ignore[no-untyped-def]
    """Return the sum of the first n values, in eight sums side by side: a core can add these at once."""
    a = b = c = d = e = f = g = h = 0.0
    whole = n - n % 8
    for i in range(0, whole, 8):
        a, b, c, d = a + values[i], b + values[i + 1], c + values[i + 2], d + values[i + 3]
        e, f, g, h = e + values[i + 4], f + values[i + 5], g + values[i + 6], h + values[i + 7]
    for i in range(whole, n):
        a += values[i]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@_jit_part
def plain_run(z, share, size, gradients, losses, excesses):  # type: ignore[no-untyped-def]
    """Compute l', l and l - log 2, all over n, for a run of pairs.

    In two loops: a core works at several turns of a short loop at once, while the next step of one pair must wait for
    the last. Polynomials are split into halves and quarters for the same reason (Estrin 1960).
    """
    for i in range(size):
        losses[i] = decay(np.float64(z[i]))
    for i in range(size):
        loss, gradient = loss_and_gradient(z[i], losses[i])
        gradients[i] = gradient * share
        losses[i] = loss * share
        excesses[i] = (loss - LOG_2) * share


@_jit
def plain_blocks(margins, share, out, sums, first, last):  # type: ignore[no-untyped-def]
    """Fill out with l'/n and sums with (Σ l/n, Σ (l - log 2)/n), for blocks first … last - 1; share is 1/n."""
    n = margins.size
    losses, excesses = np.empty(RUN), np.empty(RUN)
    for block in range(first, last):
        stop = min(n, (block + 1) * BLOCK)
        for start in range(block * BLOCK, stop, RUN):
            size = min(stop - start, RUN)
            plain_run(margins[start : start + size], share, size, out[start : start + size], losses, excesses)
            sums[block, 0] += total(losses, size)
            sums[block, 1] += total(excesses, size)


@_jit
def plain_blocks_32(margins, share, out, sums, first, last):  # type: ignore[no-untyped-def]
    """Do the same in float32; only the sums are in float64."""
    n = margins.size
    losses, excesses = np.empty(RUN, np.float32), np.empty(RUN, np.float32)
    share_32 = np.float32(share)
    for block in range(first, last):
        stop = min(n, (block + 1) * BLOCK)
        for start in range(block * BLOCK, stop, RUN):
            size = min(stop - start, RUN)
            z, gradients = margins[start : start + size], out[start : start + size]
            for i in range(size):
                losses[i] = decay_32(z[i])
            for i in range(size):
                loss, gradient = loss_and_gradient_32(z[i], losses[i])
                gradients[i] = gradient * share_32
                losses[i] = loss
                excesses[i] = loss - LOG_2_32
            sums[block, 0] += total(losses, size) * share
            sums[block, 1] += total(excesses, size) * share


@_jit
def fill_run(weights, labels, targets, total_weight, start, size, z, t, share):  # type: ignore[no-untyped-def]
    """Bring weights, labels and target margins of one run into place; an empty array stands for ones, ones, zeros."""
    if targets.size:
        for i in range(size):
            z[i] -= targets[start + i]
    if labels.size:
        for i in range(size):
            t[i] = labels[start + i]
    if weights.size:
        for i in range(size):
            share[i] = weights[start + i] / total_weight


@_jit
def general_run(z, t, share, size, gradients, losses, excesses):  # type: ignore[no-untyped-def]
    """Compute w·l', w·l and w·(l - log 2), all over Σ w, for a run of pairs with labels and weights.

    With P(chosen preferred) = t the loss is log(1 + e) plus |z| times the probability of the outcome that sigma(z)
    disfavours, and its derivative (1 - t)·sigma(z) - t·sigma(-z). What has probability zero or no weight costs
    nothing, even at an infinite z: 0·inf counts as 0. Each step is a loop of its own, since a loop over few arrays is
    one that the compiler turns into vector code.
    """
    log_s, small = losses, excesses  # the same memory, for the first step
    for i in range(size):
        log_s[i] = decay(z[i])
    for i in range(size):
        log_s[i], small[i] = pair_terms(log_s[i])
    for i in range(size):  # sigma(z) is small or 1 - small, and so is sigma(-z)
        up = small[i] if z[i] < 0.0 else 1.0 - small[i]
        down = 1.0 - small[i] if z[i] < 0.0 else small[i]
        gradients[i] = ((1.0 - t[i]) * up - t[i] * down) * share[i]
    for i in range(size):
        wrong = t[i] if z[i] < 0.0 else 1.0 - t[i]
        loss = log_s[i] + (wrong * abs(z[i]) if wrong > 0.0 else 0.0)
        losses[i] = loss * share[i] if share[i] > 0.0 else 0.0
        excesses[i] = (loss - LOG_2) * share[i] if share[i] > 0.0 else 0.0


@_jit
def general_blocks(margins, weights, labels, targets, total_weight, out, sums, first, last):  # type: ignore[no-untyped-def]
    """Do the same as ``plain_blocks`` with weights, labels and target margins."""
    n = margins.size
    z, losses, excesses = np.empty(RUN), np.empty(RUN), np.empty(RUN)
    t, share = np.ones(RUN), np.full(RUN, 1.0 / total_weight)
    for block in range(first, last):
        stop = min(n, (block + 1) * BLOCK)
        for start in range(block * BLOCK, stop, RUN):
            size = min(stop - start, RUN)
            for i in range(size):
                z[i] = margins[start + i]
            fill_run(weights, labels, targets, total_weight, start, size, z, t, share)
            general_run(z, t, share, size, out[start : start + size], losses, excesses)
            sums[block, 0] += total(losses, size)
            sums[block, 1] += total(excesses, size)


@_jit_dot
def dots(rows, phi, start, size, z):  # type: ignore[no-untyped-def]
    """Fill z with the products of phi and ``size`` rows; the sum over features may be taken in any fixed order."""
    for i in range(size):
        product = 0.0
        for j in range(phi.size):
            product += rows[start + i, j] * phi[j]
        z[i] = product


@_jit_part
def add_rows(rows, factors, start, size, gradient):  # type: ignore[no-untyped-def]
    """Add factors[i] times each of ``size`` rows to the gradient, eight rows at a time to spare trips to memory."""
    whole = size - size % 8
    for i in range(0, whole, 8):
        a, b, c, d = factors[i], factors[i + 1], factors[i + 2], factors[i + 3]
        e, f, g, h = factors[i + 4], factors[i + 5], factors[i + 6], factors[i + 7]
        row = start + i
        for j in range(gradient.size):
            one, two = a * rows[row, j] + b * rows[row + 1, j], c * rows[row + 2, j] + d * rows[row + 3, j]
            three, four = e * rows[row + 4, j] + f * rows[row + 5, j], g * rows[row + 6, j] + h * rows[row + 7, j]
            gradient[j] += (one + two) + (three + four)
    for i in range(whole, size):
        for j in range(gradient.size):
            gradient[j] += factors[i] * rows[start + i, j]


@_jit
def linear_blocks(  # type: ignore[no-untyped-def]
    differences, phi, weights, labels, targets, total_weight, is_plain, margins, gradients, sums, first, last
):
    """Margins, losses and gradient of a linear scorer in one reading of the data, a row of gradients for each block.

    The rows of a tile are read for their margins and, while they are still in the fastest cache, once more for their
    share of the gradient Σ l'(Δ_i)·d_i: memory is asked only once, and memory is what this work waits for.
    """
    n = differences.shape[0]
    one = 1.0 / total_weight
    d_margins, losses, excesses = np.empty(TILE), np.empty(TILE), np.empty(TILE)
    z, t, share = np.empty(TILE), np.ones(TILE), np.full(TILE, one)
    for block in range(first, last):
        stop = min(n, (block + 1) * ROWS)
        gradient = np.zeros(phi.size)
        for start in range(block * ROWS, stop, TILE):
            size = min(stop - start, TILE)
            dots(differences, phi, start, size, z)
            margins[start : start + size] = z[:size]
            if is_plain:
                plain_run(z, one, size, d_margins, losses, excesses)
            else:
                fill_run(weights, labels, targets, total_weight, start, size, z, t, share)
                general_run(z, t, share, size, d_margins, losses, excesses)
            add_rows(differences, d_margins, start, size, gradient)
            sums[block, 0] += total(losses, size)
            sums[block, 1] += total(excesses, size)
        gradients[block] = gradient


@_jit
def margin_blocks(differences, phi, margins, first, last):  # type: ignore[no-untyped-def]
    """Fill margins with φ·d, for blocks first … last - 1."""
    start, stop = first * ROWS, min(differences.shape[0], last * ROWS)
    dots(differences, phi, start, stop - start, margins[start:stop])


@_jit
def tanh(a):  # type: ignore[no-untyped-def]
    """Return tanh(a) = (1 - e) / (1 + e) with e = exp(-2|a|), and the sign of a.

    1 - e is put together from exp(r) - 1 = r + r²·P(r), which keeps its digits where e is close to 1.
    """
    x = -2.0 * abs(a)
    x = -40.0 if x < -40.0 else x  # tanh(20) is 1 to the last digit
    k, less_one = exp_parts(x)
    power = power_of_two(k)
    e_less_one = power * less_one + (power - 1.0)
    return math.copysign(e_less_one / (2.0 + e_less_one), a)


@_jit
def activate(a, is_tanh):  # type: ignore[no-untyped-def]
    """Turn the hidden layer from a = x W + b into h = act(a), in its place."""
    values = a.reshape(-1)
    if is_tanh:
        for k in range(values.size):
            values[k] = tanh(values[k])
    else:
        for k in range(values.size):
            values[k] = 0.0 if values[k] < 0.0 else values[k]  # written so that NaN passes


@_jit
def deactivate(h, v, d_rewards, is_tanh, d_output):  # type: ignore[no-untyped-def]
    """Go back from d_rewards to d_a, which takes the place of h, and add to d_output.

    r = h · v gives d_v = Σ d_r·h and d_h = d_r·v;  h = act(a) gives d_a = d_h·act'(a), with tanh' = 1 - h² and
    relu' = 1 where h > 0.
    """
    add_rows(h, d_rewards, 0, d_rewards.size, d_output)
    for i in range(d_rewards.size):
        row, d_reward = h[i], d_rewards[i]
        if is_tanh:
            for j in range(v.size):
                row[j] = d_reward * v[j] * (1.0 - row[j] * row[j])
        else:
            for j in range(v.size):
                row[j] = d_reward * v[j] * (1.0 if row[j] > 0.0 else 0.0)  # written so that NaN passes


@_jit
def mlp_middle(  # type: ignore[no-untyped-def]
    hidden, v, is_tanh, weights, labels, targets, total_weight, is_plain, first, sums, d_output
):
    """All that lies between the product x W + b and the product xᵀ d_a, for the pairs from ``first`` on.

    ``hidden`` comes in as x W + b of the chosen answers, then of the rejected ones, and goes out as d_a.
    """
    n = hidden.shape[0] // 2
    rewards, d_rewards = np.empty(2 * n), np.empty(2 * n)
    activate(hidden, is_tanh)
    dots(hidden, v, 0, 2 * n, rewards)
    one = 1.0 / total_weight
    z, d_margins, losses, excesses = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        z[i] = rewards[i] - rewards[n + i]
    if is_plain:
        plain_run(z, one, n, d_margins, losses, excesses)
    else:
        t, share = np.ones(n), np.full(n, one)
        fill_run(weights, labels, targets, total_weight, first, n, z, t, share)
        general_run(z, t, share, n, d_margins, losses, excesses)
    for i in range(n):
        d_rewards[i], d_rewards[n + i] = d_margins[i], -d_margins[i]
    deactivate(hidden, v, d_rewards, is_tanh, d_output)
    sums[0] += total(losses, n)
    sums[1] += total(excesses, n)


@_jit
def curvature_blocks(margins, weights, targets, total_weight, out, first, last):  # type: ignore[no-untyped-def]
    """Fill out with w·sigma(z)·sigma(-z) / Σ w, for blocks first … last - 1."""
    for i in range(first * BLOCK, min(margins.size, last * BLOCK)):
        w = weights[i] if weights.size else 1.0
        m = targets[i] if targets.size else 0.0
        _, q = pair_terms(decay(np.float64(margins[i]) - m))
        out[i] = (q - q * q) * (w / total_weight)


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
        _run(
            plain_blocks if z.dtype == np.float64 else plain_blocks_32, n_blocks, z, 1.0 / total_weight, gradients, sums
        )
    else:
        w, total_weight, t, m = _options(z.size, weights, labels, target_margins)
        _run(general_blocks, n_blocks, z, w, t, m, total_weight, gradients, sums)
    return _mean(sums), gradients


def linear_loss_and_gradient(
    differences: NDArray[np.float64],
    phi: NDArray[np.float64],
    *,
    minus: Floats | None = None,
    weights: NDArray[np.float64] | None = None,
    labels: NDArray[np.float64] | None = None,
    target_margins: NDArray[np.float64] | None = None,
    margins: NDArray[np.float64] | None = None,
) -> tuple[float, NDArray[np.float64]]:
    """Compute the mean loss of a linear scorer and its gradient with respect to φ, in one reading of the data.

    Parameters
    ----------
    differences : array, (n_pairs, n_features)
        x_chosen - x_rejected of each pair; or x_chosen alone, with x_rejected as ``minus``.
    phi : array, (n_features,)
    minus : array, (n_pairs, n_features), optional
        Subtracted from ``differences`` a few thousand rows at a time: for data that fill the memory, or more than it.
    weights, labels, target_margins : arrays, (n_pairs,), optional
        As in ``mean_loss_and_gradients``.
    margins : array, (n_pairs,), optional
        Receives φ·d, of which z is made by subtracting the target margins.

    Returns
    -------
    mean : float, nats
    gradient : array, (n_features,)
        Σ w·l'(z)·d / Σ w with z = φ·d - m.
    """
    rows = _Rows(differences, minus, phi)
    w, total_weight, t, m = _options(rows.n, weights, labels, target_margins)
    is_plain = weights is None and labels is None and target_margins is None
    delta = np.empty(rows.n) if margins is None else margins
    gradients, sums = np.zeros((rows.n_blocks, rows.phi.size)), np.zeros((rows.n_blocks, 2))

    def one_part(first: int, last: int) -> None:
        for d, at, block, n_blocks in rows.chunks(first, last):
            options = w[at], t[at], m[at], total_weight, is_plain, delta[at]
            linear_blocks(d, rows.phi, *options, gradients[block:], sums[block:], 0, n_blocks)

    rows.share(one_part)
    return _mean(sums), gradients.sum(axis=0)


def linear_margins(
    differences: NDArray[np.float64], phi: NDArray[np.float64], *, minus: Floats | None = None
) -> NDArray[np.float64]:
    """Compute the margins φ·d of a linear scorer, (n_pairs,); arguments as in ``linear_loss_and_gradient``."""
    rows = _Rows(differences, minus, phi)
    margins = np.empty(rows.n)

    def one_part(first: int, last: int) -> None:
        for d, at, _, n_blocks in rows.chunks(first, last):
            margin_blocks(d, rows.phi, margins[at], 0, n_blocks)

    rows.share(one_part)
    return margins


def weighted_gram(
    differences: NDArray[np.float64], weights: NDArray[np.float64], *, minus: Floats | None = None
) -> NDArray[np.float64]:
    """Compute Σ_i weights[i] · d_i d_iᵀ, (n_features, n_features), in blocks that threads share.

    The product of a block is left to the BLAS, which the caller keeps to one thread; as AᵀA with A = √w·d it needs
    half the work of a general product. Blocks are gathered in 16 parts, whatever the number of threads, and the parts
    are added in order.
    """
    rows = _Rows(differences, minus, np.empty(differences.shape[1]))
    if weights.shape != (rows.n,):
        raise ValueError(f"weights: expected shape ({rows.n},), one for each pair, got {weights.shape}")

    def one_part(first: int, last: int) -> NDArray[np.float64]:
        result = np.zeros((rows.phi.size, rows.phi.size))
        scaled = np.empty((min(CHUNK * ROWS, rows.n), rows.phi.size))
        for d, at, _, _ in rows.chunks(first, last, CHUNK):
            part = np.multiply(d, np.sqrt(weights[at])[:, None], out=scaled[: len(d)])
            result += part.T @ part
        return result

    return np.asarray(sum(rows.share(one_part, PRODUCTS_FOR_A_THREAD // rows.phi.size, CHUNK)))


def differences_of(chosen: Floats, rejected: Floats) -> NDArray[np.float64]:
    """Return chosen - rejected, (n_pairs, n_features), float64: a new array, which threads share in filling."""
    result = np.empty(chosen.shape)

    def one_part(first: int, last: int) -> None:
        at = slice(first * ROWS, last * ROWS)
        np.subtract(chosen[at], rejected[at], out=result[at], dtype=np.float64)

    in_parts(one_part, -(-len(result) // ROWS), 1 + ENTRIES_FOR_A_THREAD // (ROWS * chosen.shape[1]))
    return result


class _Rows:
    """Rows of features, or of differences still to be formed, in blocks of ROWS that are gathered in parts."""

    def __init__(self, differences: Floats, minus: Floats | None, phi: NDArray[np.float64]) -> None:
        shape = differences.shape
        if len(shape) != 2 or 0 in shape or phi.shape != shape[1:] or (minus is not None and minus.shape != shape):
            raise ValueError(f"differences: expected (n_pairs, n_features) to go with phi {phi.shape}, got {shape}")
        self.n, self.n_blocks = shape[0], -(-shape[0] // ROWS)
        self.phi = _read_only(np.ascontiguousarray(phi, dtype=np.float64))
        self.minus = minus
        self.rows = differences if minus is not None else _read_only(np.require(differences, np.float64, ["C", "A"]))

    def chunks(
        self, first: int, last: int, at_a_time: int | None = None
    ) -> Iterator[tuple[NDArray[np.float64], slice, int, int]]:
        """Yield rows of blocks first … last - 1 as they come: array, where it lies, its first block, its blocks."""
        buffer = None if self.minus is None else np.empty((CHUNK * ROWS, self.phi.size))
        step = at_a_time or (last - first if self.minus is None else CHUNK)
        for block in range(first, last, step):
            end = min(block + step, last)
            at = slice(block * ROWS, min(end * ROWS, self.n))
            d: NDArray[np.float64] = self.rows[at]  # type: ignore[assignment]  # float64, unless there is ``minus``
            if self.minus is not None and buffer is not None:
                d = np.subtract(d, self.minus[at], out=buffer[: at.stop - at.start], dtype=np.float64)
            yield _read_only(d), at, block, end - block  # type: ignore[misc]

    def share(
        self, one_part: Callable[[int, int], T], for_a_thread: int = ENTRIES_FOR_A_THREAD, least: int = 1
    ) -> list[T]:
        return in_parts(one_part, self.n_blocks, 1 + for_a_thread // (ROWS * self.phi.size), least)


def mlp_loss_and_gradient(
    chosen: Floats,
    rejected: Floats,
    phi: NDArray[np.float64],
    n_hidden: int,
    *,
    activation: str = "tanh",
    weights: NDArray[np.float64] | None = None,
    labels: NDArray[np.float64] | None = None,
    target_margins: NDArray[np.float64] | None = None,
) -> tuple[float, NDArray[np.float64]]:
    """Compute the mean loss of r = v · act(x W + b) and its gradient with respect to W, b and v.

    Both answers of a block of pairs go through the layers as one matrix, forward and back, while it is in the cache. A
    bias is the weight of a feature that is always 1: with such a column in x, (W, b) is one matrix, and so is its
    gradient. The two products with x are left to the BLAS, which the caller keeps to one thread; all that lies between
    them is ``mlp_middle``. Blocks are gathered in 16 parts, and sums are taken in the order of the data.

    Parameters
    ----------
    chosen, rejected : arrays, (n_pairs, n_features)
    phi : array, (n_features · n_hidden + 2 · n_hidden,)
        W, b and v, flat, in this order.
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
        raise ValueError(f"activation: expected 'tanh' or 'relu', got {activation!r}")
    phi = np.ascontiguousarray(phi, dtype=np.float64)
    matrix, v = phi[:size].reshape(n_inputs, n_hidden), _read_only(phi[size:])
    w, total_weight, t, m = _options(n, weights, labels, target_margins)
    is_plain = weights is None and labels is None and target_margins is None
    rows = min(n, max(MLP_CACHE // (16 * (n_inputs + n_hidden)), 32))
    n_blocks = -(-n // rows)
    sums = np.zeros((n_blocks, 2))

    def one_part(first: int, last: int) -> NDArray[np.float64]:
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
            mlp_middle(h, v, is_tanh, w, t, m, total_weight, is_plain, start, sums[block], d_output)
            if block == first:
                np.matmul(x.T, h, out=d_matrix)
            else:
                d_matrix += x.T @ h
        return gradient

    parts = in_parts(one_part, n_blocks, 1 + PRODUCTS_FOR_A_THREAD // (4 * rows * size))
    gradient = parts[0]
    for part in parts[1:]:
        gradient += part
    return _mean(sums), gradient


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
    w, total_weight = _weights(weights, z.size)
    m = _optional(target_margins, "target_margins", z.size)
    _run(curvature_blocks, -(-z.size // BLOCK), z, w, m, total_weight, result)
    return result


def warmup() -> None:
    """Compile every kernel now, or fetch it from the cache, so that the first call in class is as fast as the next."""
    one, rows = np.ones(1), np.ones((1, 1))
    for margins in (one, one.astype(np.float32)):
        mean_loss_and_gradients(margins)
        mean_loss_and_gradients(margins, weights=one, labels=one, target_margins=one)
        curvatures(margins, weights=one, target_margins=one)
    linear_loss_and_gradient(rows, one)
    linear_margins(rows, one)
    mlp_loss_and_gradient(rows, rows, np.ones(3), 1)


def _run(kernel: Callable[..., None], n_blocks: int, *arrays: object) -> None:
    """Call kernel(*arrays, first, last) on ranges of blocks that together are all of them, on several threads."""
    if n_blocks < 2 * BLOCKS_FOR_A_THREAD:
        kernel(*arrays, 0, n_blocks)
    else:
        in_parts(lambda first, last: kernel(*arrays, first, last), n_blocks, BLOCKS_FOR_A_THREAD)


def _mean(sums: NDArray[np.float64]) -> float:
    """Turn the sums of the blocks into the mean loss.

    The mean is Σ l/n, and also log 2 + Σ (l - log 2)/n. The second is exact where no pair says anything yet; the first
    keeps its digits where the losses are tiny. Terms of size l/n cannot overflow as long as the mean does not. fsum
    adds without rounding, so the order of the blocks could not matter either.
    """
    mean, excess = sums[0].tolist() if len(sums) == 1 else (_exact_sum(sums[:, 0]), _exact_sum(sums[:, 1]))
    return LOG_2 + excess if -0.5 * LOG_2 < excess < math.inf else mean


def _exact_sum(values: NDArray[np.float64]) -> float:
    return math.fsum(values) if np.isfinite(values).all() else float(values.sum())


def _vector(values: object, name: str, n: int | None) -> Floats:
    """Return ``values`` as a contiguous vector in native byte order, float32 kept, all else in float64."""
    array = np.asarray(values)
    if (
        array.dtype is FLOAT64
        and array.ndim == 1
        and array.size
        and n is None
        and array.flags.c_contiguous
        and array.flags.aligned
    ):
        return _read_only(array)  # the common case, at once
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected real numbers, got an array of dtype {array.dtype}")
    if array.ndim != 1 or array.size == 0 or (n is not None and array.size != n):
        wanted = "(n_pairs,) with at least one pair" if n is None else f"({n},), one for each pair"
        raise ValueError(f"{name}: expected shape {wanted}, got {array.shape}")
    keep = n is None and array.dtype.newbyteorder("=") == np.float32
    # "A": a column of an NPZ file may begin at any byte
    return _read_only(np.require(array, np.float32 if keep else np.float64, ["C", "A"]))


def _read_only(array: Floats) -> Floats:
    """Return a read-only view: to Numba that is a type of its own, and one type needs one compilation."""
    view = array.view()
    view.flags.writeable = False
    return view


def _optional(values: NDArray[np.float64] | None, name: str, n: int) -> Floats:
    return NOTHING if values is None else _vector(values, name, n)


def _options(
    n: int,
    weights: NDArray[np.float64] | None,
    labels: NDArray[np.float64] | None,
    target_margins: NDArray[np.float64] | None,
) -> tuple[Floats, float, Floats, Floats]:
    """Return weights, their sum, labels and target margins, checked; empty arrays for those not given."""
    if weights is None and labels is None and target_margins is None:
        return NOTHING, float(n), NOTHING, NOTHING
    w, total_weight = _weights(weights, n)
    t = _optional(labels, "labels", n)
    if not ((t >= 0) & (t <= 1)).all():
        raise ValueError("labels: expected probabilities in [0, 1], P(chosen preferred)")
    return w, total_weight, t, _optional(target_margins, "target_margins", n)


def _weights(values: NDArray[np.float64] | None, n: int) -> tuple[Floats, float]:
    weights = _optional(values, "weights", n)
    total = float(weights.sum()) if weights.size else float(n)
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
