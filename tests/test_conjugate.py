"""Without the matrix H, fits and standard errors are the same; they only need no memory for the matrix."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse.linalg

import bradley_terry as bt
from bradley_terry.fitting import conjugate
from bradley_terry.fitting.conjugate import Products, diagonal_of
from bradley_terry.objective import BACKENDS, COMPILED

SCORERS = [bt.LinearScorer(4), bt.TableScorer(6)]


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_products_are_those_with_the_hessian(scorer, backend: str, random_pairs, rng) -> None:
    """H·v agrees with the matrix times v, and the diagonal with that of the matrix."""
    pairs = random_pairs(scorer, 90)
    rejected = pairs.rejected.copy()
    rejected[:9] = pairs.chosen[:9]  # these answers are identical, and add nothing to H
    objective = bt.Objective(scorer, dataclasses.replace(pairs, rejected=rejected), l2=0.3, backend=backend)
    phi, v = rng.normal(size=(2, scorer.n_parameters))
    curvatures, times = objective.products(objective.margins(phi))
    h = objective.hessian(phi)
    np.testing.assert_allclose(times(v), h @ v, rtol=1e-12, atol=1e-14)
    diagonal = diagonal_of(scorer, objective.pairs, curvatures) + 0.3
    np.testing.assert_allclose(diagonal, np.diag(h), rtol=1e-12)


def test_products_of_a_mapped_file_are_formed_in_pieces(rng, tmp_path, monkeypatch) -> None:
    """Features too large to keep their differences give the same products."""
    from bradley_terry.kernels import backends

    monkeypatch.setattr(backends, "LARGE", 10)
    for name in ("c", "r"):
        np.save(tmp_path / name, rng.normal(size=(5000, 3)))
    c, r = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("c", "r"))
    mapped = bt.Objective(bt.LinearScorer(3), bt.PreferencePairs(c, r), backend=COMPILED)
    plain = bt.Objective(bt.LinearScorer(3), bt.PreferencePairs(np.array(c), np.array(r)))
    phi, v = rng.normal(size=(2, 3))
    got, want = (o.products(o.margins(phi))[1](v) for o in (mapped, plain))
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_the_solution_is_that_of_another_solver(random_pairs, rng) -> None:
    """SciPy's conjugate gradients and ours solve the same system."""
    scorer = bt.LinearScorer(12)
    objective = bt.Objective(scorer, random_pairs(scorer, 90), l2=0.01)
    phi, b = rng.normal(size=(2, 12))
    products = Products(objective, objective.margins(phi), 1e-12)
    want = scipy.sparse.linalg.cg(objective.hessian(phi), b, rtol=1e-13)[0]
    np.testing.assert_allclose(products.solve(b), want, rtol=1e-9)


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
@pytest.mark.parametrize("l2", [0.0, 0.05])
@pytest.mark.parametrize("method", ["newton", pytest.param("gradient_descent", marks=pytest.mark.full)])
def test_fits_without_the_matrix_find_the_same_minimum(scorer, l2, method, random_pairs, monkeypatch) -> None:
    """The minimum is the same, and so are the standard errors, which come from the pairs instead of a matrix."""
    pairs = random_pairs(scorer, 120)
    dense = bt.fit(scorer, pairs, l2=l2)
    monkeypatch.setattr(conjugate, "DENSE", 1)
    model = bt.fit(scorer, pairs, l2=l2, method=method, max_steps=100 if method == "newton" else 20_000)
    assert model.converged
    assert model.information is None
    np.testing.assert_allclose(model.phi, dense.phi, rtol=0, atol=1e-12 if method == "newton" else 1e-6)
    if method == "newton":
        np.testing.assert_allclose(model.standard_errors(pairs=pairs), dense.standard_errors(), rtol=1e-9)
    with pytest.raises(ValueError, match=r"^standard errors: expected the arguments items and pairs"):
        model.standard_errors()


@pytest.mark.parametrize("reference", [None, 0, "c"])
@pytest.mark.parametrize("l2", [0.0, 0.2])
def test_standard_errors_of_single_items(reference, l2: float, rng) -> None:
    """Solving for an item's contrast gives its entry of the covariance, in the order asked for."""
    chosen, rejected = rng.integers(5, size=(2, 200))
    pairs = bt.PreferencePairs(chosen, rejected, weights=rng.uniform(0.5, 3, 200), feature_names=list("abcde"))
    model = bt.fit(bt.TableScorer(5), pairs, l2=l2)
    want = model.standard_errors(reference)[[3, 1]]
    np.testing.assert_array_equal(model.standard_errors(reference, items=["d", 1]), want)
    np.testing.assert_allclose(model.standard_errors(reference, items=["d", 1], pairs=pairs), want, rtol=1e-9)


def test_items_that_cannot_be_compared_have_no_standard_error() -> None:
    """In two groups with no comparisons between them, only contrasts within a group are determined."""
    pairs = bt.PreferencePairs([0, 1, 2, 3], [1, 0, 3, 2])
    model = bt.fit(bt.TableScorer(4), pairs)
    # r_0 - r_1 from one win each has variance 1/(2·¼) = 2
    np.testing.assert_allclose(model.standard_errors(0, items=[1], pairs=pairs), [np.sqrt(2)], rtol=1e-12)
    for options in ({"items": [1]}, {"reference": 0, "items": [2]}):
        with pytest.raises(ValueError, match=r"^standard errors: parameter \d is not determined"):
            model.standard_errors(pairs=pairs, **options)
    for items, error in (([9], ValueError), (["z"], ValueError), ([0.5], TypeError)):
        with pytest.raises(error, match=r"^items: expected "):
            model.standard_errors(items=items)


def test_more_features_than_fit_into_a_matrix(rng) -> None:
    """With 3,500 features and 60 pairs, φ = Σ α_i d_i with α = sigma(-Δ)/(n·l2), which is a problem in 60 numbers."""
    n, l2 = 60, 0.5
    d = rng.normal(size=(n, 3500)) * 10.0 ** rng.integers(-1, 2, 3500)
    model = bt.fit(bt.LinearScorer(3500), bt.PreferencePairs(d, 0 * d), l2=l2)
    assert model.converged
    assert model.information is None
    pull = 1 / (1 + np.exp(d @ model.phi)) / n
    np.testing.assert_allclose(model.phi, d.T @ pull / l2, rtol=0, atol=1e-12 * np.abs(model.phi).max())


@pytest.mark.full
def test_a_table_of_ten_thousand_items(rng) -> None:
    """The gradient at the fit vanishes for every item, and known rewards come back within their standard errors."""
    n, games = 10_000, 400_000
    truth = rng.normal(0, 1, n)
    a, b = rng.integers(n, size=(2, games))
    won = bt.sample_preferences(truth[a], truth[b], rng)
    ring = np.arange(n)
    chosen, rejected = np.append(np.where(won, a, b), ring), np.append(np.where(won, b, a), np.roll(ring, 1))
    pairs = bt.PreferencePairs(chosen, rejected)
    model = bt.fit(bt.TableScorer(n), pairs)
    assert model.converged
    assert model.information is None
    assert np.abs(bt.Objective(bt.TableScorer(n), pairs)(model.phi)[1]).max() < 1e-17
    errors = model.standard_errors(items=range(20), pairs=pairs)
    z = (model.phi - truth + truth.mean())[:20] / errors
    assert np.abs(z).max() < 5
    assert 0.4 < z.std() < 1.7
