"""The upper tail of the chi-squared distribution with a whole number of degrees of freedom, as a finite sum.

With y = x/2, both sums have only positive terms, so that no digits cancel, even where the tail is tiny:

    k even   Σ_{j < k/2} e^-y y^j / j!
    k odd    erfc(√y) + Σ_{1 <= j <= (k-1)/2} e^-y y^(j - ½) / Γ(j + ½)

Each term is the one before it times y/j, or y/(j - ½). Where y is so large that e^-y would underflow, the sum starts at
1 and is multiplied by e^-y in pieces.
"""

from __future__ import annotations

import math

__all__ = ["upper_tail"]

PIECE = 300.0  # e^-300 and e^300 are far from underflow and overflow


def upper_tail(x: float, degrees_of_freedom: int) -> float:
    """Return P(χ² >= x), in [0, 1]. Its relative error is below 1e-12 unless it is subnormal.

    Examples
    --------
    >>> print(f"{upper_tail(3.841458820694124, 1):.6f} {upper_tail(2.0, 2):.6f}")
    0.050000 0.367879
    """
    if x <= 0:
        return 1.0
    y, half = x / 2, 0.5 * (degrees_of_freedom % 2)
    n_terms = degrees_of_freedom // 2  # terms j = 0, 1, … of the even sum, or j = 1, 2, … of the odd one
    term = 1.0 if half == 0 else 2 * math.sqrt(y / math.pi)  # Γ(3/2) = √π/2
    total, left = 0.0, y  # the sum is still to be multiplied by e^-left
    for j in range(n_terms):
        total += term
        term *= y / (j + 1 + half)
        if term > math.exp(PIECE) and left > PIECE:
            total, term, left = total * math.exp(-PIECE), term * math.exp(-PIECE), left - PIECE
    while left > PIECE and total:
        total, left = total * math.exp(-PIECE), left - PIECE
    total *= math.exp(-left)
    return min(1.0, total + (math.erfc(math.sqrt(y)) if half else 0.0))
