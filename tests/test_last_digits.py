"""Fits by Newton's method end within rounding of the minimum, as an optimum in 30 digits shows."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.fitting import conjugate
from bradley_terry.fitting.substitution import substituted


def polished(d: np.ndarray, w: np.ndarray, t: np.ndarray, phi: np.ndarray, l2: float) -> np.ndarray:
    """Return the minimum for differences d: Newton's steps in float64 with a gradient in 30 digits.

    A step leaves about 1e-15 of the gradient, so three steps from 1e-6 leave only the rounding of the result.
    """
    with mpmath.workdps(30):
        exact = [mpmath.mpf(x) for x in phi.tolist()]
        rows = [[(j, mpmath.mpf(x)) for j, x in enumerate(row) if x] for row in d.tolist()]
        total = mpmath.fsum(w.tolist())
        for _ in range(3):
            gradient = [l2 * x for x in exact]
            curvatures = []
            for row, weight, label in zip(rows, w.tolist(), t.tolist(), strict=True):
                p = 1 / (1 + mpmath.exp(-mpmath.fsum(exact[j] * x for j, x in row)))
                curvatures.append(float(weight * p * (1 - p) / total))
                for j, x in row:
                    gradient[j] += weight * (p - label) / total * x
            h = d.T @ (np.array(curvatures)[:, None] * d) + l2 * np.eye(len(phi))
            unit = 1 / np.sqrt(np.diag(h))
            scaled = np.linalg.pinv(h * np.outer(unit, unit), rcond=1e-13, hermitian=True)
            step = unit * (scaled @ (unit * np.array([float(g) for g in gradient])))
            exact = [x - mpmath.mpf(s) for x, s in zip(exact, step.tolist(), strict=True)]
        return np.array([float(x) for x in exact])


def tournament(rng, n: int, games: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Return winners and losers of random games, in which each player also beat the next one once."""
    truth = rng.normal(0, spread, n)
    a, b = rng.integers(n, size=(2, games))
    b = np.where(a == b, (a + 1) % n, b)
    won = bt.sample_preferences(truth[a], truth[b], rng)
    ring = np.arange(n)
    return np.append(np.where(won, a, b), ring), np.append(np.where(won, b, a), np.roll(ring, 1))


@pytest.mark.parametrize("dense", [True, pytest.param(False, marks=pytest.mark.full)])
@pytest.mark.parametrize(
    ("n", "games", "spread", "l2"),
    [
        (13, 500, 0.5, 0.0),
        (59, 300, 1.0, 0.0),
        *(
            pytest.param(*case, marks=pytest.mark.full)
            for case in [(59, 900, 1.5, 0.0), (30, 400, 2.0, 1e-3), (5, 40, 1.0, 0.3)]
        ),
    ],
)
def test_tables_agree_with_the_exact_minimum_to_twelve_digits(
    n: int, games: int, spread: float, l2: float, dense: bool, rng, monkeypatch
) -> None:
    """Random tournaments of the sizes of published ones, with the Hessian and with conjugate gradients."""
    monkeypatch.setattr(conjugate, "DENSE", 3000 if dense else 0)
    chosen, rejected = tournament(rng, n, games, spread)
    model = bt.fit(bt.TableScorer(n), bt.PreferencePairs(chosen, rejected), l2=l2)
    assert model.converged
    d = np.eye(n)[chosen] - np.eye(n)[rejected]
    want = polished(d, np.ones(len(d)), np.ones(len(d)), model.phi, l2)
    np.testing.assert_allclose(model.phi, want - want.mean(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("units", [np.ones(4), 10.0 ** np.array([-6, 0, 2, 5])], ids=["equal", "unequal"])
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_linear_fits_agree_with_the_exact_minimum(units, l2: float, rng) -> None:
    """With weights and labels, every weight is right to 1e-12 of its size, in any units of the features."""
    c, r = rng.normal(size=(2, 150, 4)) * units
    w, t = rng.uniform(0.1, 3, 150), rng.choice([0.0, 0.5, 0.9, 1.0], 150)
    model = bt.fit(bt.LinearScorer(4), bt.PreferencePairs(c, r, weights=w, labels=t), l2=l2, tolerance=1e-10)
    want = polished(c - r, w, t, model.phi, l2)
    np.testing.assert_allclose(model.phi * units, want * units, rtol=0, atol=1e-12)


def test_a_fit_that_is_there_already_takes_no_more_passes(rng, monkeypatch) -> None:
    """Started at its minimum, a fit takes no step. It reads the pairs twice: there, and after the step it rejects."""
    chosen, rejected = tournament(rng, 8, 200, 1.0)
    pairs = bt.PreferencePairs(chosen, rejected)
    phi = bt.fit(bt.TableScorer(8), pairs).phi
    calls = []
    for name in ("at", "margins"):  # each reads all pairs once
        method = getattr(bt.Objective, name)
        monkeypatch.setattr(bt.Objective, name, lambda self, phi, m=method: calls.append(1) or m(self, phi))
    again = bt.fit(bt.TableScorer(8), pairs, initial=phi)
    assert len(calls) == 2
    assert again.history["step"].tolist() == [0]
    np.testing.assert_allclose(again.phi, phi, rtol=0, atol=1e-15)


def test_the_last_record_is_that_of_the_model(rng) -> None:
    """The correction at the end belongs to the last step: callback, history and model have the same φ."""
    c, r = rng.normal(size=(2, 200, 3))
    won = bt.sample_preferences(c[:, 0], r[:, 0], rng)[:, None]
    pairs, seen = bt.PreferencePairs(np.where(won, c, r), np.where(won, r, c)), []
    model = bt.fit(bt.LinearScorer(3), pairs, callback=lambda record: seen.append(record) and None)
    np.testing.assert_array_equal(seen[-1]["phi"], model.phi)
    assert model.history["loss"][-1] == bt.Objective(bt.LinearScorer(3), pairs)(model.phi)[0]
    assert model.history["step"].tolist() == list(range(len(seen)))


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 200])
def test_substitution_solves_the_system_of_a_cholesky_factor(n: int, rng) -> None:
    """L Lᵀ x = b, whether or not the size is a multiple of the block."""
    a = rng.normal(size=(n, n))
    h, b = a @ a.T + n * np.eye(n), rng.normal(size=n)
    lower = np.linalg.cholesky(h)
    np.testing.assert_allclose(substituted(lower, b), np.linalg.solve(h, b), rtol=1e-11, atol=1e-14)


def test_the_information_of_a_corrected_fit_is_that_of_its_phi(rng, monkeypatch) -> None:
    """If H costs much, it may be the one before the last step, which moved no margin by more than 1e-6."""
    chosen, rejected = tournament(rng, 12, 300, 1.0)
    pairs = bt.PreferencePairs(chosen, rejected)
    for cheap, accuracy in ((0, 1e-6), (1e9, 1e-13)):
        monkeypatch.setattr("bradley_terry.fitting.hessians.CHEAP", cheap)
        model = bt.fit(bt.TableScorer(12), pairs)
        want = bt.Objective(bt.TableScorer(12), pairs).hessian(model.phi) * len(pairs)
        np.testing.assert_allclose(model.information, want, rtol=accuracy, atol=1e-12)
