"""The polynomials of ``compiled``: mathematical constants, which never change.

A call to exp or log handles one number at a time. In code without calls and branches, a core can add and multiply four
or eight numbers at once, so exp and log are polynomials here:

    exp(x), x <= 0    x = k·log 2 + r with k an integer and |r| <= (log 2)/2, so that exp(x) = 2^k · exp(r). Adding and
                      subtracting 1.5·2^52 rounds to an integer, because doubles near that number are integers; the
                      lowest bits of the sum are k. 2^k is assembled from its bits, and exp(r) = 1 + r + r²·P(r).
    log(1 + e)        With s = e / (2 + e), log(1 + e) = 2·artanh(s) = 2s + s³·Q(s²), and 2s = e - e·s. The sum is
                      computed as e - s·(e - s²·Q(s²)), a small correction to e, so that its rounding hardly matters.
    sigma(-|z|)       e / (1 + e) = e - e·(e / (1 + e)), again a small correction to e; sigma(|z|) is 1 minus that.

P and Q were found by Chebyshev interpolation with 300 bits, which keeps the error small over the whole interval.
They are evaluated in halves and quarters (Estrin 1960), because each step of one chain waits for the one before.
``tests/test_kernels.py`` recomputes every coefficient.
"""

from __future__ import annotations

import numpy as np


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

# The same for float32, which needs fewer terms
P_32 = tuple(  # error 1.4e-9
    map(np.float32, _hex("0x1p-1 0x1.555556p-3 0x1.5554eap-5 0x1.1110e0p-7 0x1.6d4316p-10 0x1.a124e4p-13"))
)
Q_32 = tuple(map(np.float32, _hex("0x1.55554cp-1 0x1.99ad6cp-2 0x1.21249ap-2 0x1.12f598p-2")))  # error 2.9e-7
