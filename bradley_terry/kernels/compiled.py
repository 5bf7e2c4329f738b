"""Every compiled function of the package: scalar formulas for one pair, and loops over blocks of pairs.

The formulas of ``losses.py`` are written here a second time, in plain scalar code. Because the two forms were written
separately, their agreement is evidence for both. All compiled functions stay in this one file, because Numba's cache
does not notice when a function in another file changes.

    scalar functions   the mathematics of one pair: e = exp(-|z|), log(1 + e), e / (1 + e); tanh
    run functions      the same for a few hundred pairs, in short loops that the compiler turns into vector code
    block functions    loop over the runs of a block of a few thousand pairs and store the sums of the block

A linear scorer reads its features once, 16 rows (a tile) at a time: margins, losses and, while the rows are still in
the fastest cache, their share of the gradient. The BLAS computes the two matrix products of an MLP, and ``mlp_middle``
everything between them. exp and log are polynomials (``coefficients``), so that four or eight numbers are done at once.
Losses and gradients are correct to 2 units in the last place, tanh to 3; sums of losses are exact (``arrays.sums``).
"""

from __future__ import annotations

import math

import numpy as np

from .caching import compiled
from .coefficients import P_32, Q_32, P, Q

BLOCK = 4096  # pairs in a block: its margins and gradients, 64 kB in float64, fit into the fast caches of a core
RUN = 256  # pairs whose losses are computed together
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
# The same for float32. Adding 1.5·2^23 rounds, exp(-104) is 0, and 16 numbers run at once.
LOG_2_HIGH_32 = np.float32(float.fromhex("0x1.62e4000000000p-1"))
LOG_2_LOW_32 = np.float32(float.fromhex("0x1.7f7d1c0000000p-20"))
ROUNDER_32, ROUNDER_BITS_32, BIAS_32 = np.float32(1.5 * 2.0**23), np.int32(0x4B400000), np.int32(127)
SMALLEST_32, LOG_2_32, PER_LOG_2_32 = np.float32(-105.0), np.float32(LOG_2), np.float32(PER_LOG_2)
ONE_32, TWO_32, ZERO_32 = np.float32(1.0), np.float32(2.0), np.float32(0.0)


# "contract" allows a·b + c as one instruction with one rounding. Other fast-math flags would delete checks for NaN and
# reorder the additions of exact sums. Only ``dots``, which has neither, may add its products in another order, which is
# fixed when it is compiled. "forceinline" copies the body of a loop into its callers before they are optimised. Without
# it, calls can remain in the compiled code. Depending on what the cache held, it then runs half as fast.
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
def add_run(values, size, sums, rests):  # type: ignore[no-untyped-def]
    """Add the first ``size`` values to as many sums, and what rounding lost to their rests (see ``arrays.sums``)."""
    for i in range(size):
        s = sums[i] + values[i]
        z = s - sums[i]
        rests[i] += (sums[i] - (s - z)) + (values[i] - z)
        sums[i] = s


@_jit
def add_up(sums, rests, row):  # type: ignore[no-untyped-def]
    """Add 2^k sums and their rests, halves first, to row[0] and row[1], and set them to zero."""
    half = sums.size // 2
    while half > 0:
        for i in range(half):
            rests[i] += rests[half + i]
        add_run(sums[half : 2 * half], half, sums, rests)
        half //= 2
    add_run(sums[:1], 1, row[:1], row[1:2])
    row[1] += rests[0]
    sums[:], rests[:] = 0.0, 0.0


@_jit
def sum_blocks(values, sums, first, last):  # type: ignore[no-untyped-def]
    """Fill sums with the sum of the values and its rest, for blocks first to last - 1."""
    lanes, rests = np.zeros(RUN), np.zeros(RUN)
    for block in range(first, last):
        for start in range(block * BLOCK, min(values.size, (block + 1) * BLOCK), RUN):
            add_run(values[start:], min(values.size - start, RUN), lanes, rests)
        add_up(lanes, rests, sums[block])


@_jit_part
def unit_of(total_weight):  # type: ignore[no-untyped-def]
    """Return 2^-k with total_weight · 2^-k in [½, 1). Losses times 2^-k have the same digits, and a finite sum."""
    return math.ldexp(1.0, -math.frexp(total_weight)[1])


@_jit_part
def plain_run(z, share, unit, size, gradients, losses):  # type: ignore[no-untyped-def]
    """Compute l'/n and l·unit for a run of pairs; share is 1/n.

    Two short loops are faster than one long one, since a core works on several iterations of a short loop at once.
    """
    for i in range(size):
        losses[i] = decay(np.float64(z[i]))
    for i in range(size):
        loss, gradient = loss_and_gradient(z[i], losses[i])
        gradients[i] = gradient * share
        losses[i] = loss * unit


@_jit
def plain_blocks(margins, total_weight, out, sums, first, last):  # type: ignore[no-untyped-def]
    """Fill out with l'/n, and sums with Σ l·unit and its rest, for blocks first to last - 1; total_weight is n."""
    n, share, unit = margins.size, 1.0 / total_weight, unit_of(total_weight)
    losses, lanes, rests = np.empty(RUN), np.zeros(RUN), np.zeros(RUN)
    for block in range(first, last):
        stop = min(n, (block + 1) * BLOCK)
        for start in range(block * BLOCK, stop, RUN):
            size = min(stop - start, RUN)
            plain_run(margins[start : start + size], share, unit, size, out[start : start + size], losses)
            add_run(losses, size, lanes, rests)
        add_up(lanes, rests, sums[block])


@_jit
def plain_blocks_32(margins, total_weight, out, sums, first, last):  # type: ignore[no-untyped-def]
    """Do what ``plain_blocks`` does in float32, with the sums in float64, and count the losses other than log 2."""
    n, share_32, unit = margins.size, np.float32(1.0 / total_weight), unit_of(total_weight)
    losses, lanes, rests = np.empty(RUN, np.float32), np.zeros(RUN), np.zeros(RUN)
    for block in range(first, last):
        stop = min(n, (block + 1) * BLOCK)
        for start in range(block * BLOCK, stop, RUN):
            size, others = min(stop - start, RUN), 0
            z, gradients = margins[start : start + size], out[start : start + size]
            for i in range(size):
                losses[i] = decay_32(z[i])
            for i in range(size):
                loss, gradient = loss_and_gradient_32(z[i], losses[i])
                gradients[i] = gradient * share_32
                losses[i] = loss
                others += 1 if loss != LOG_2_32 else 0
            add_run(losses, size, lanes, rests)
            sums[block, 2] += others
        add_up(lanes, rests, sums[block])
        sums[block, :2] *= unit


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


@_jit_part
def general_run(z, t, share, size, gradients, losses, small):  # type: ignore[no-untyped-def]
    """Compute w·l' / Σ w and w·l / Σ w for a run of pairs, and return how many have another loss than log 2.

    With P(chosen preferred) = t the loss is log(1 + e) plus |z| times the probability of the outcome that sigma(z)
    considers less likely, and its derivative is (1 - t)·sigma(z) - t·sigma(-z). An outcome of probability zero, or a
    pair without weight, costs nothing even at an infinite z: 0·inf counts as 0. Each step is a loop of its own because
    the compiler turns loops over few arrays into vector code.
    """
    others = 0
    for i in range(size):
        losses[i] = decay(z[i])
    for i in range(size):
        losses[i], small[i] = pair_terms(losses[i])  # log(1 + e), sigma(-|z|)
    for i in range(size):  # sigma(z) is small or 1 - small, and so is sigma(-z)
        up = small[i] if z[i] < 0.0 else 1.0 - small[i]
        down = 1.0 - small[i] if z[i] < 0.0 else small[i]
        gradients[i] = ((1.0 - t[i]) * up - t[i] * down) * share[i]
    for i in range(size):
        wrong = t[i] if z[i] < 0.0 else 1.0 - t[i]
        loss = losses[i] + (wrong * abs(z[i]) if wrong > 0.0 else 0.0)
        losses[i] = loss * share[i] if share[i] > 0.0 else 0.0
        others += 1 if loss != LOG_2 and share[i] > 0.0 else 0
    return others


@_jit
def general_blocks(margins, weights, labels, targets, total_weight, out, sums, first, last):  # type: ignore[no-untyped-def]
    """Do what ``plain_blocks`` does, with weights, labels and target margins; for w / Σ w instead of 1/n and unit."""
    n = margins.size
    z, losses, small, lanes, rests = np.empty(RUN), np.empty(RUN), np.empty(RUN), np.zeros(RUN), np.zeros(RUN)
    t, share = np.ones(RUN), np.full(RUN, 1.0 / total_weight)
    for block in range(first, last):
        stop = min(n, (block + 1) * BLOCK)
        for start in range(block * BLOCK, stop, RUN):
            size = min(stop - start, RUN)
            for i in range(size):
                z[i] = margins[start + i]
            fill_run(weights, labels, targets, total_weight, start, size, z, t, share)
            sums[block, 2] += general_run(z, t, share, size, out[start : start + size], losses, small)
            add_run(losses, size, lanes, rests)
        add_up(lanes, rests, sums[block])


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
    one, unit = 1.0 / total_weight, unit_of(total_weight)
    d_margins, losses, small = np.empty(TILE), np.empty(TILE), np.empty(TILE)
    z, t, share = np.empty(TILE), np.ones(TILE), np.full(TILE, one)
    lanes, rests = np.zeros(TILE), np.zeros(TILE)
    for block in range(first, last):
        stop = min(n, (block + 1) * ROWS)
        gradient = np.zeros(phi.size)
        for start in range(block * ROWS, stop, TILE):
            size = min(stop - start, TILE)
            dots(differences, phi, start, size, z)
            margins[start : start + size] = z[:size]
            if is_plain:
                plain_run(z, one, unit, size, d_margins, losses)
            else:
                fill_run(weights, labels, targets, total_weight, start, size, z, t, share)
                sums[block, 2] += general_run(z, t, share, size, d_margins, losses, small)
            add_rows(differences, d_margins, start, size, gradient)
            add_run(losses, size, lanes, rests)
        gradients[block] = gradient
        add_up(lanes, rests, sums[block])


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
    one, unit = 1.0 / total_weight, unit_of(total_weight)
    z, d_margins, losses, small = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        z[i] = rewards[i] - rewards[n + i]
    if is_plain:
        plain_run(z, one, unit, n, d_margins, losses)
    else:
        t, share = np.ones(n), np.full(n, one)
        fill_run(weights, labels, targets, total_weight, first, n, z, t, share)
        sums[2] += general_run(z, t, share, n, d_margins, losses, small)
    for i in range(n):
        d_rewards[i], d_rewards[n + i] = d_margins[i], -d_margins[i]
    deactivate(hidden, v, d_rewards, is_tanh, d_output)
    lanes, rests = np.zeros(RUN), np.zeros(RUN)
    for start in range(0, n, RUN):
        add_run(losses[start:], min(n - start, RUN), lanes, rests)
    add_up(lanes, rests, sums)


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
    """Fill slopes, flat, and sums with Σ w·l / Σ w and its rest, for blocks first to last - 1 of rankings of K answers.

    If there are rows of features, this is a linear scorer. Then fill the rewards and one row of ``gradients`` for each
    block, too, reading the features from memory once, as in ``linear_blocks``.
    """
    n, k = n_choices.size, rewards.size // n_choices.size
    most = max(8, min(RANKED, IN_CACHE // (k * max(phi.size, 1))))
    r, q = np.empty((k, most)), np.empty((k, most))
    z, e, left, losses = np.empty(most), np.empty(most), np.empty(most), np.empty(most)
    scratch, lanes, rests = np.empty(k * most), np.zeros(RANKED), np.zeros(RANKED)
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
            add_run(losses, size, lanes, rests)
        gradients[block] = gradient
        add_up(lanes, rests, sums[block])
