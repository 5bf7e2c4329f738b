"""Every compiled function of the package: scalar formulas for one pair, and loops over blocks of pairs.

The formulas of ``losses.py`` are written here a second time, in plain scalar code, and compiled by Numba. Because the
two forms were written separately, their agreement is evidence for both. All compiled functions stay in this one file,
because Numba's cache does not notice when a function in another file changes.

    scalar functions   the mathematics of one pair: e = exp(-|z|), log(1 + e), e / (1 + e); tanh
    run functions      the same for a few hundred pairs, in short loops that the compiler turns into vector code
    block functions    loop over the runs of a block of a few thousand pairs and store the sums of the block

A linear scorer reads its features once. It takes 16 rows (a tile) at a time, computes their margins and losses, and,
while the rows are still in the fastest cache, their share of the gradient. The BLAS computes the two matrix products of
an MLP; everything between them, from the activation to the loss and back, is one function (``mlp_middle``).

A call to exp or log handles one number at a time. In code without calls and branches, a core can add and multiply four
or eight numbers at once, so exp and log are polynomials here:

    exp(x), x <= 0    x = k·log 2 + r with k an integer and |r| <= (log 2)/2, so that exp(x) = 2^k · exp(r). Adding and
                      subtracting 1.5·2^52 rounds to an integer, because doubles near that number are integers; the
                      lowest bits of the sum are k. 2^k is assembled from its bits, and exp(r) = 1 + r + r²·P(r).
    log(1 + e)        With s = e / (2 + e), log(1 + e) = 2·artanh(s) = 2s + s³·Q(s²), and 2s = e - e·s. The sum is
                      computed as e - s·(e - s²·Q(s²)), a small correction to e, so that its rounding hardly matters.
    sigma(-|z|)       e / (1 + e) = e - e·(e / (1 + e)), again a small correction to e; sigma(|z|) is 1 minus that.

P and Q were found by Chebyshev interpolation with 300 bits, which keeps the error small over the whole interval.
``tests/test_kernels.py`` recomputes every coefficient. Losses and gradients are correct to 2 units in the last place,
tanh to 3.
"""

from __future__ import annotations

import math

import numpy as np

from .caching import compiled

BLOCK = 4096  # pairs in a block: its margins and gradients, 64 kB in float64, fit into the fast caches of a core
RUN = 256  # pairs whose losses are summed together, as eight sums of 32 terms, which keeps rounding small
TILE = 16  # rows of features that are used twice while they are in the fastest cache
ROWS = 1024  # rows of features in a block
RANKED = 256  # rankings in a block
IN_CACHE = 16_384  # features of the rankings that are used twice while they are in a fast cache, 128 kB
LOG_2 = 0.6931471805599453  # nearest double to log 2 = 0.69314718055994530941723...

# log 2 in two parts: k·LOG_2_HIGH is exact for every k that occurs, and LOG_2_LOW is the remainder.
PER_LOG_2 = float.fromhex("0x1.71547652b82fep+0")  # 1 / log 2
LOG_2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
LOG_2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
ROUNDER = 1.5 * 2.0**52  # x + ROUNDER - ROUNDER is x rounded to an integer
ROUNDER_BITS = 0x4338000000000000  # the same number as bits
SMALLEST = -746.0  # exp of this is 0, and 2^k for its k = -1076 is still assembled correctly


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

# The same for float32, which needs fewer terms. Adding 1.5·2^23 rounds, exp(-104) is 0, and 16 numbers run at once.
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


# "contract" allows a·b + c as one instruction with one rounding. No other fast-math flag is used: they would delete
# checks for NaN and reorder the additions of the rounding trick. Only ``dots``, which has neither, may add its products
# in another order, which is fixed when it is compiled. "forceinline" copies the body of an innermost loop into its
# callers before they are optimised. Without it, calls can remain in the compiled code. Depending on what the cache
# held, it then runs half as fast.
_jit = compiled({"contract"})
_jit_part = compiled({"contract"}, forceinline=True)
_jit_dot = compiled({"contract", "reassoc", "nsz"}, forceinline=True)


@_jit_part
def exp_parts(x):  # type: ignore[no-untyped-def]
    """Return k and exp(r) - 1 with exp(x) = 2^k·exp(r), for SMALLEST <= x <= 0. If x is NaN, the second is NaN."""
    shifted = np.float64(x * PER_LOG_2 + ROUNDER)
    k = shifted - ROUNDER
    r = (x - k * LOG_2_HIGH) - k * LOG_2_LOW
    r2 = r * r
    p = (P[2] + r * P[3] + r2 * (P[4] + r * P[5])) + r2 * r2 * (P[6] + r * P[7] + r2 * (P[8] + r * P[9] + r2 * P[10]))
    return shifted.view(np.int64) - ROUNDER_BITS, r + r2 * (P[0] + r * P[1] + r2 * p)


@_jit_part
def power_of_two(k):  # type: ignore[no-untyped-def]
    """Return 2^k for an integer k >= -1022, assembled from bits: 1023 + k goes where the exponent is stored."""
    bits = np.int64((k + 1023) << 52)
    return bits.view(np.float64)


@_jit_part
def decay(z):  # type: ignore[no-untyped-def]
    """Return e = exp(-|z|), in [0, 1], from which everything else is computed."""
    x = -abs(z)
    k, less_one = exp_parts(SMALLEST if x < SMALLEST else x)  # this form lets NaN through
    half = k >> 1  # 2^k in two factors, since 2^-1076 is not a double
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
    """Return exp(-|z|) in float32, by the same steps as ``decay``."""
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
    """Do what ``loss_and_gradient`` does, in float32."""
    s = e / (TWO_32 + e)
    w = s * s
    log_s = e - s * (e - w * (Q_32[0] + w * Q_32[1] + w * w * (Q_32[2] + w * Q_32[3])))
    small = e - e * (e / (ONE_32 + e))
    return log_s + (-z if z < ZERO_32 else ZERO_32), small - ONE_32 if z < ZERO_32 else -small


@_jit_part
def total(values, n):  # type: ignore[no-untyped-def]
    """Return the sum of the first n values, kept as eight partial sums that a core can add at the same time."""
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
    """Compute l', l and l - log 2, each divided by n, for a run of pairs.

    There are two short loops instead of one long one: a core works on several iterations of a short loop at once, while
    within one iteration each step waits for the one before. For the same reason polynomials are split into halves and
    quarters (Estrin 1960).
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
    """Fill out with l'/n and sums with (Σ l/n, Σ (l - log 2)/n) for blocks first to last - 1; share is 1/n."""
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
    """Do what ``plain_blocks`` does in float32, with the sums in float64."""
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
    """Subtract the target margins of one run from z; copy its labels and w / Σ w. An empty array changes nothing."""
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
    """Compute w·l', w·l and w·(l - log 2), each divided by Σ w, for a run of pairs with labels and weights.

    With P(chosen preferred) = t the loss is log(1 + e) plus |z| times the probability of the outcome that sigma(z)
    considers less likely, and its derivative is (1 - t)·sigma(z) - t·sigma(-z). An outcome of probability zero, or a
    pair without weight, costs nothing even at an infinite z: 0·inf counts as 0. Each step is a loop of its own because
    the compiler turns loops over few arrays into vector code.
    """
    log_s, small = losses, excesses  # these two arrays hold log(1 + e) and sigma(-|z|) until the last loop
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
    """Do what ``plain_blocks`` does, with weights, labels and target margins."""
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
    """Fill z with the products of phi and ``size`` rows; the order of each sum is fixed by the compiler."""
    for i in range(size):
        product = 0.0
        for j in range(phi.size):
            product += rows[start + i, j] * phi[j]
        z[i] = product


@_jit_part
def add_rows(rows, factors, start, size, gradient):  # type: ignore[no-untyped-def]
    """Add factors[i] times row i, for ``size`` rows, to the gradient: eight rows at a time, to save memory traffic."""
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
    """Compute margins, losses and gradient of a linear scorer in one pass, with one row of ``gradients`` per block.

    The rows of a tile are read for their margins and, while they are still in the fastest cache, a second time for
    their share of the gradient Σ l'(Δ_i)·d_i. Memory is the bottleneck, and so the data come from it only once.
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
    """Fill margins with φ·d for blocks first to last - 1."""
    start, stop = first * ROWS, min(differences.shape[0], last * ROWS)
    dots(differences, phi, start, stop - start, margins[start:stop])


@_jit
def tanh(a):  # type: ignore[no-untyped-def]
    """Return tanh(a) = (1 - e) / (1 + e) with e = exp(-2|a|) and the sign of a.

    1 - e is assembled from exp(r) - 1 = r + r²·P(r), which keeps its digits where e is close to 1.
    """
    x = -2.0 * abs(a)
    x = -40.0 if x < -40.0 else x  # tanh(20) rounds to 1
    k, less_one = exp_parts(x)
    power = power_of_two(k)
    e_less_one = power * less_one + (power - 1.0)
    return math.copysign(e_less_one / (2.0 + e_less_one), a)


@_jit
def activate(a, is_tanh):  # type: ignore[no-untyped-def]
    """Replace a = x W + b by h = act(a), in the same array."""
    values = a.reshape(-1)
    if is_tanh:
        for k in range(values.size):
            values[k] = tanh(values[k])
    else:
        for k in range(values.size):
            values[k] = 0.0 if values[k] < 0.0 else values[k]  # this form lets NaN through


@_jit
def deactivate(h, v, d_rewards, is_tanh, d_output):  # type: ignore[no-untyped-def]
    """Go back from d_rewards to d_a, which replaces h in the same array, and add to d_output.

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
                row[j] = d_reward * v[j] * (1.0 if row[j] > 0.0 else 0.0)  # this form lets NaN through


@_jit
def mlp_middle(  # type: ignore[no-untyped-def]
    hidden, v, is_tanh, weights, labels, targets, total_weight, is_plain, first, sums, d_output
):
    """Compute everything between the product x W + b and the product xᵀ d_a, for the pairs from ``first`` on.

    ``hidden`` holds x W + b of the chosen answers, followed by the rejected ones; it is replaced by d_a.
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
    """Fill out with w·sigma(z)·sigma(-z) / Σ w for blocks first to last - 1."""
    for i in range(first * BLOCK, min(margins.size, last * BLOCK)):
        w = weights[i] if weights.size else 1.0
        m = targets[i] if targets.size else 0.0
        _, q = pair_terms(decay(np.float64(margins[i]) - m))
        out[i] = (q - q * q) * (w / total_weight)


@_jit_part
def rankings_run(rewards, n_choices, shares, start, size, r, q, z, e, left, losses, slopes):  # type: ignore[no-untyped-def]
    """Fill slopes with w·dl/dr / Σ w and losses with w·l / Σ w for a run of rankings; rewards and slopes are flat.

    r[k, i] is the reward on place k of ranking i, so that each loop over i is vector code. From the last place to the
    first, ``left`` is A_k = r_k + softplus(A_(k+1) - r_k), the log of the weight of all answers from place k on. From
    the first to the last, it is M_k, the probabilities that earlier choices give to them; see ``plackett_luce``.
    z and e hold what is needed in between. As rows of a matrix they would keep the loops from becoming vector code.
    """
    n_places = r.shape[0]
    for i in range(size):
        for k in range(n_places):
            r[k, i] = rewards[i * n_places + k]
        left[i], losses[i], q[n_places - 1, i] = r[n_places - 1, i], 0.0, 0.0
    for k in range(n_places - 2, -1, -1):
        for i in range(size):
            z[i] = r[k, i] - left[i]
        for i in range(size):
            e[i] = decay(z[i])
        for i in range(size):
            z[i], e[i] = loss_and_gradient(z[i], e[i])
        for i in range(size):
            left[i], q[k, i] = r[k, i] + z[i], -e[i]
            losses[i] += z[i] if k < n_choices[start + i] else 0.0
    for i in range(size):
        left[i], losses[i] = 0.0, losses[i] * shares[start + i] if shares[start + i] > 0.0 else 0.0
    for k in range(n_places):
        for i in range(size):
            other = q[k, i] if k < n_choices[start + i] else 0.0
            r[k, i] = (left[i] * (1.0 - q[k, i]) - other) * shares[start + i]
            left[i] = left[i] * q[k, i] + other
    for i in range(size):
        for k in range(n_places):
            slopes[i * n_places + k] = r[k, i]


@_jit
def ranking_blocks(rows, phi, rewards, n_choices, shares, slopes, gradients, sums, first, last):  # type: ignore[no-untyped-def]
    """Fill slopes, flat, and sums with Σ w·l / Σ w, for blocks first to last - 1 of rankings of K answers.

    If there are rows of features, this is a linear scorer. Then fill the rewards and one row of ``gradients`` for each
    block, too, reading the features from memory once, as in ``linear_blocks``.
    """
    n, k = n_choices.size, rewards.size // n_choices.size
    most = max(8, min(RANKED, IN_CACHE // (k * max(phi.size, 1))))
    r, q = np.empty((k, most)), np.empty((k, most))
    z, e, left, losses = np.empty(most), np.empty(most), np.empty(most), np.empty(most)
    scratch = np.empty(k * most)
    for block in range(first, last):
        gradient, stop = np.zeros(phi.size), min(n, (block + 1) * RANKED)
        for start in range(block * RANKED, stop, most):
            size = min(stop - start, most)
            row, n_rows = start * k, size * k
            its_rewards = rewards[row : row + n_rows]
            its_slopes = scratch[:n_rows] if phi.size else slopes[row : row + n_rows]
            if phi.size:
                dots(rows, phi, row, n_rows, its_rewards)
            rankings_run(its_rewards, n_choices, shares, start, size, r, q, z, e, left, losses, its_slopes)
            if phi.size:
                add_rows(rows, its_slopes, row, n_rows, gradient)
            sums[block] += total(losses, size)
        gradients[block] = gradient
