"""Right answers in every style pass the checks, and wrong ones do not pass by the choice of the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize
from students import sigma

from bradley_terry.course import check

# -------------------------------------------------------------------------------------------- lesson 6: a balance


def doubled_and_halved(times, until=0.0):
    """Make an answer to ``equilibrium`` as hint 2 says: double both ends, then halve the interval."""

    def weight(counts, differences):
        def pull(w):
            return np.sum(counts * differences * sigma(-w * differences))

        low, high = -1.0, 1.0
        while pull(low) < 0:
            low *= 2
        while pull(high) > 0:
            high *= 2
        for _ in range(times):
            if high - low <= until:
                break
            middle = (low + high) / 2
            low, high = (middle, high) if pull(middle) >= 0 else (low, middle)
        return (low + high) / 2

    return weight


@pytest.mark.parametrize(
    "function",
    [
        doubled_and_halved(30),
        doubled_and_halved(200, until=1e-6),
        lambda n, d: optimize.minimize_scalar(lambda w: np.sum(n * np.logaddexp(0, -w * d))).x,
        lambda n, d: optimize.brentq(lambda w: np.sum(n * d * sigma(-w * d)), -1e4, 1e4),
    ],
)
def test_a_balance_may_be_found_to_the_precision_that_the_text_asks_for(function) -> None:
    """0.01 % of every balance is far above the error of 30 halvings, of 1e-6, and of a minimiser of the loss."""
    check.equilibrium(function).require()


def test_a_balance_that_is_off_by_a_tenth_of_a_per_cent_fails() -> None:
    """The absolute allowance does not hide it, since no balance lies close to 0."""
    assert not check.equilibrium(lambda n, d: 1.001 * doubled_and_halved(100)(n, d)).passed
    assert not check.equilibrium(lambda n, d: 0.0).passed
