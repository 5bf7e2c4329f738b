"""Losses far out, where digits are lost easily, and Mills's ratio, on which the probit loss rests."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from bradley_terry import losses


def test_extreme_numbers_keep_their_digits() -> None:
    """Values from the formulas of docs/derivations.md with 400 digits, where the two largest terms nearly cancel."""
    tie = losses.RaoKupper(200.0).value(np.array([0.1]), np.array([0.5]))[0]
    with mp.workdps(400):
        z, eta = mp.mpf(0.1), mp.mpf(200)
        win, lose = 1 / (1 + mp.exp(eta - z)), 1 / (1 + mp.exp(eta + z))
        assert tie == pytest.approx(float(-mp.log(1 - win - lose)), rel=1e-13)
        nu, z = mp.mpf(1e200), mp.mpf(0)
        want = (4 + nu * 2) / (4 * (2 + nu) ** 2)
        assert losses.Davidson(1e200).curvature(np.zeros(1), None)[0] == pytest.approx(float(want), rel=1e-13)
    assert losses.NoisyChoice(1e-200).curvature(np.array([-1e4]), None)[0] == 0
    assert losses.Probit().curvature(np.array([-np.inf, np.inf]), None).tolist() == [1.0, 0.0]
    assert losses.Ordinal(3, (-1.0, 1.0)).gradient(np.array([np.inf, -np.inf]), None).tolist() == [0.0, -1.0]


# -------------------------------------------------------------------------------------------------- Mills's ratio


def test_the_polynomial_of_the_normal_tail_is_the_interpolation_that_it_says() -> None:
    """It has degree 23 and meets (1 + x)·R(x) at the 24 Chebyshev nodes of t = (x - 5)/(x + 5), to 100 digits."""
    from bradley_terry.ranking.normal import COEFFICIENTS

    n = len(COEFFICIENTS)
    with mp.workdps(100):
        t = [mp.cos(mp.pi * (2 * k + 1) / (2 * n)) for k in range(n)]
        x = [5 * (1 + node) / (1 - node) for node in t]
        values = [(1 + y) * mp.sqrt(mp.pi / 2) * mp.exp(y * y / 2) * mp.erfc(y / mp.sqrt(2)) for y in x]
        want = mp.lu_solve(mp.matrix([[node**j for j in range(n)] for node in t]), mp.matrix(values))
    assert [float(coefficient) for coefficient in want] == list(COEFFICIENTS)


def test_mills_ratio_and_its_excess_have_all_digits(rng) -> None:
    from bradley_terry.ranking.normal import excess, mills

    x = np.concatenate([rng.uniform(0, 12, 40), 10 ** rng.uniform(-8, 6, 40), [0.0, 4.999999, 5.0]])
    ratio, beyond = mills(x), excess(x)
    for i, value in enumerate(x.tolist()):
        with mp.workdps(80):
            y = mp.mpf(value)
            log_erfc = mp.log(mp.erfc(y / mp.sqrt(2))) if y < 1e3 else None
            tail = mp.exp(y * y / 2 + log_erfc) * mp.sqrt(mp.pi / 2) if y < 1e3 else 1 / (y + 1 / (y + 2 / (y + 3 / y)))
            assert ratio[i] == pytest.approx(float(tail), rel=1e-15)
            assert beyond[i] == pytest.approx(float(1 / tail - y), rel=1e-13)
