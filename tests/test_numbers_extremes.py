"""Features and weights of any size are fitted right or refused in one sentence."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.inference import covariance


def world(n: int = 30, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return features of chosen and rejected answers that no weights separate."""
    rng = np.random.default_rng(8)
    chosen, rejected = rng.normal(size=(2, n, k))
    better = rng.random(n) < 1 / (1 + np.exp(-(chosen - rejected) @ np.array([1.0, -0.5, 0.3])[:k]))
    return np.where(better[:, None], chosen, rejected), np.where(better[:, None], rejected, chosen)


def solved(d: np.ndarray, w: np.ndarray) -> list[mpmath.mpf]:
    """Return the minimum of Σ w·softplus(-d·φ) by Newton's method in 40 digits."""
    with mpmath.workdps(40):
        rows, weights = mpmath.matrix(d.tolist()), [mpmath.mpf(x) for x in w.tolist()]
        k = d.shape[1]
        unit = [1 / mpmath.mpf(float(np.abs(d[:, j]).max())) for j in range(k)]
        rows = mpmath.matrix([[rows[i, j] * unit[j] for j in range(k)] for i in range(len(d))])
        phi = mpmath.matrix([0] * k)
        for _ in range(9):
            q = [1 / (1 + mpmath.exp(mpmath.fsum(rows[i, j] * phi[j] for j in range(k)))) for i in range(len(d))]
            gradient = mpmath.matrix(
                [
                    mpmath.fsum(w * p * rows[i, j] for i, (w, p) in enumerate(zip(weights, q, strict=True)))
                    for j in range(k)
                ]
            )
            bends = [w * p * (1 - p) for w, p in zip(weights, q, strict=True)]
            h = mpmath.matrix(k)
            for i, bend in enumerate(bends):
                for a in range(k):
                    for b in range(k):
                        h[a, b] += bend * rows[i, a] * rows[i, b]
            phi += mpmath.lu_solve(h, gradient)
        return [phi[j] * unit[j] for j in range(k)]


def relative(got: np.ndarray, want: list[mpmath.mpf]) -> float:
    return max(float(abs(mpmath.mpf(float(a)) / b - 1)) for a, b in zip(got, want, strict=True))


# ---------------------------------------------------------------------------------------------------- known value


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=pytest.mark.full)])
@pytest.mark.parametrize(
    "scales",
    [
        (1.0, 1e6, 1e12),
        (1e-6, 1.0, 1e6),
        *(pytest.param(s, marks=pytest.mark.full) for s in [(1e-12, 1.0, 1e12), (1e-140, 1.0, 1e140), (1e-140,) * 3]),
        pytest.param((1e140,) * 3, marks=pytest.mark.full),
    ],
)
def test_features_whose_scales_differ_by_many_powers_of_ten_are_fitted_right(scales, backend) -> None:
    """Newton's method in 40 digits finds the same weights, and standard errors change with the unit."""
    chosen, rejected = (x * np.array(scales) for x in world())
    model = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(chosen, rejected), backend=backend)
    assert model.converged
    assert relative(model.phi, solved(chosen - rejected, np.ones(len(chosen)))) < 1e-12
    usual = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(*world())).standard_errors()
    np.testing.assert_allclose(model.standard_errors() * scales, usual, rtol=1e-9)


@pytest.mark.full
@pytest.mark.parametrize("size", [1e-280, 1e-100, 1e100, 1e300])
def test_weights_of_any_size_give_the_same_fit(size) -> None:
    """Only the ratios of weights matter to φ, and the evaluation of the fitted model does not change either."""
    chosen, rejected = world()
    w = np.random.default_rng(1).uniform(0.5, 2, len(chosen))
    usual = bt.PreferencePairs(chosen, rejected, weights=w)
    scaled = bt.PreferencePairs(chosen, rejected, weights=w * size)
    found = [bt.fit(bt.LinearScorer(3), pairs) for pairs in (usual, scaled)]
    np.testing.assert_allclose(found[1].phi, found[0].phi, rtol=1e-12)
    assert relative(found[1].phi, solved(chosen - rejected, w)) < 1e-12
    evaluations = [found[0].evaluate(pairs) for pairs in (usual, scaled)]
    assert evaluations[1].mean_loss == pytest.approx(evaluations[0].mean_loss, rel=1e-14)
    assert evaluations[1].accuracy_interval == pytest.approx(evaluations[0].accuracy_interval, rel=1e-12)


# ---------------------------------------------------------------------------------------------------- manners


@pytest.mark.parametrize(
    "size", [1e-155, 1e154, *(pytest.param(s, marks=pytest.mark.full) for s in (1e-320, 1e-300, 1e200, 1e308))]
)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"backend": "numba"},
        {"l2": 0.1},
        {"method": "gradient_descent"},
        {"method": "adam"},
        {"standardise": True},
        {"bias_reduced": True},
    ],
    ids=str,
)
def test_features_whose_squares_are_no_doubles_are_refused(size, options) -> None:
    """One sentence names the argument and the feature; no warning escapes."""
    chosen, rejected = world()
    scale = np.array([1.0, size, 1.0])
    pairs = bt.PreferencePairs(chosen / 8 * scale, rejected / 8 * scale, feature_names=["a", "long one", "c"])
    with pytest.raises(ValueError, match=r"^chosen: expected .* got \S+ for 'long one'; give it in another unit$"):
        bt.fit(bt.LinearScorer(3), pairs, **options)


def test_large_data_are_refused_for_the_same_reason() -> None:
    """Also where no certificate is looked for before the first step, and for a network."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 8000, 3)) * [1.0, 1e-160, 1.0]
    pairs = bt.PreferencePairs(*x)
    for scorer in (bt.LinearScorer(3), bt.MLPScorer(3, 2)):
        with pytest.raises(ValueError, match=r"^chosen: expected .* for feature 1; give it in another unit$"):
            bt.fit(scorer, pairs)


def test_a_feature_that_never_differs_is_not_extreme() -> None:
    """It has a weight that the pairs do not determine, whatever its size, and the others are fitted."""
    chosen, rejected = world()
    constant = np.full((len(chosen), 1), 1e200)
    pairs = bt.PreferencePairs(np.hstack([chosen, constant]), np.hstack([rejected, constant]))
    model = bt.fit(bt.LinearScorer(4), pairs)
    assert model.converged
    assert "feature 3" in model.message
    np.testing.assert_allclose(model.phi[:3], bt.fit(bt.LinearScorer(3), bt.PreferencePairs(*world())).phi, rtol=1e-12)


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-295])
def test_weights_too_small_to_keep_their_digits_are_refused(size) -> None:
    """The message says what to do."""
    with pytest.raises(ValueError, match=r"^weights: expected a largest weight of at least 1e-290, got \S+; "):
        bt.PreferencePairs([[1.0], [2.0]], [[0.0], [1.0]], weights=[size, size / 2])


@pytest.mark.parametrize("options", [{}, {"l2": 0.1}, {"method": "gradient_descent"}], ids=str)
def test_items_that_never_played_are_said_to_be_apart(options) -> None:
    """Their rewards are not compared with the others, and the message names them."""
    pairs = bt.PreferencePairs([0, 1, 2, 0, 1, 2, 0], [1, 2, 0, 2, 0, 1, 1])
    model = bt.fit(bt.TableScorer(5), pairs, **options)
    assert np.isfinite(model.phi).all()
    assert "groups with no comparisons between them" in model.message
    played = bt.fit(bt.TableScorer(3), pairs, **options)
    np.testing.assert_allclose(model.phi[:3] - model.phi[0], played.phi - played.phi[0], atol=1e-6)


def test_penalties_and_parameters_near_the_largest_double_are_refused_or_right() -> None:
    """Found by the battery: each of these let a NumPy warning escape."""
    pairs = bt.PreferencePairs([[1.0, 2.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 3.0]])
    for value in (1e151, 1e308):
        with pytest.raises(ValueError, match=r"^l2: expected at most 1e\+150, got "):
            bt.fit(bt.LinearScorer(2), pairs, l2=value)
    assert np.abs(bt.fit(bt.LinearScorer(2), pairs, l2=1e150).phi).max() < 1e-149
    objective = bt.Objective(bt.LinearScorer(2), pairs)
    for phi in ([1e308, -1.5], [5e-324, 5e-324]):
        assert bt.check_hessian(objective, np.array(phi)).status != "failed"
    assert bt.check_gradient(objective, np.array([5e-324, 5e-324])).passed
    bt.Objective(bt.LinearScorer(2), pairs, centring=np.float32(0.25))
    with pytest.raises(ValueError, match="not determined"):
        covariance(bt.LinearScorer(2), np.full((2, 2), 5e-324))
