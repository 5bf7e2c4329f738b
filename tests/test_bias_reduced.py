"""Firth's bias-reduced fit: the published estimate, optima found by mpmath, and finite answers for separated pairs."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_published_fits import published, table
from tiers import first

import bradley_terry as bt
from bradley_terry.model import Outcome


def pairs_of(rows: np.ndarray, **options: object) -> bt.PreferencePairs:
    return bt.PreferencePairs(rows, np.zeros_like(rows), **options)


def optimum(rows, weights=None, labels=None, offsets=None, digits: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Maximise log L + ½ log|I| with mpmath: Newton's method on the gradient, whose derivatives are differences.

    It knows nothing of hat values: |I| is a determinant, and its gradient is a quotient of differences. Return φ and
    the standard errors from I at φ.
    """
    n, k = np.shape(rows)
    d = mpmath.matrix(np.asarray(rows).tolist())
    w, t, m = (
        [mpmath.mpf(float(x)) for x in (np.full(n, default) if values is None else values)]
        for values, default in ((weights, 1.0), (labels, 1.0), (offsets, 0.0))
    )

    def information(phi):
        p = [1 / (1 + mpmath.exp(-(sum(d[i, j] * phi[j] for j in range(k)) - m[i]))) for i in range(n)]
        return mpmath.matrix(
            [[sum(w[i] * p[i] * (1 - p[i]) * d[i, a] * d[i, b] for i in range(n)) for b in range(k)] for a in range(k)]
        )

    def penalised(*phi):
        total = mpmath.log(mpmath.det(information(phi))) / 2
        for i in range(n):
            z = sum(d[i, j] * phi[j] for j in range(k)) - m[i]
            total -= w[i] * (t[i] * mpmath.log(1 + mpmath.exp(-z)) + (1 - t[i]) * mpmath.log(1 + mpmath.exp(z)))
        return total

    h = mpmath.mpf(10) ** -12

    def gradient(*phi):
        shifted = [[x + h * (i == j) * s for i, x in enumerate(phi)] for j in range(k) for s in (1, -1)]
        values = [penalised(*point) for point in shifted]
        return [(values[2 * j] - values[2 * j + 1]) / (2 * h) for j in range(k)]

    with mpmath.workdps(2 * digits):
        start = [mpmath.mpf(0)] * k
        found = mpmath.findroot(gradient if k > 1 else lambda x: gradient(x)[0], start if k > 1 else 0, tol=1e-30)
        phi = list(found) if k > 1 else [found]
        covariance = information(phi) ** -1
        errors = [float(mpmath.sqrt(covariance[j, j])) for j in range(k)]
    return np.array([float(x) for x in phi]), np.array(errors)


SEPARATED = np.array([[1.0, 0.0], [1.0, 0.5], [0.5, -1.0], [2.0, 1.0]])


# ----------------------------------------------------------------------------------------------------- known values


def citations() -> bt.PreferencePairs:
    names = ("Biometrika", "Comm Statist", "JASA", "JRSS-B")
    rows = table("tab_citations/pairs.csv")
    i, j = ([names.index(row[side]) for row in rows] for side in ("item_i", "item_j"))
    wins = [[float(row[column]) for row in rows] for column in ("wins_i", "wins_j")]
    return bt.PreferencePairs(i + j, j + i, weights=wins[0] + wins[1], feature_names=names)


def test_citations_have_the_published_estimate_in_all_digits() -> None:
    """Turner & Firth 2012, section 2.2: three estimates, the deviance and the penalised deviance."""
    pairs = citations()
    model = bt.fit(bt.TableScorer(4), pairs, bias_reduced=True)
    expected = published("tab_citations/expected.csv", "bias_reduced_Firth1993_ref_Biometrika")
    for name, estimate in expected.items():
        found = model.estimates("Biometrika")[model.feature_names.index(name)]
        assert found == pytest.approx(estimate, abs=5e-5)
    # deviance: twice the distance from the log-likelihood of a model that fits each pair of journals exactly
    wins = np.zeros((4, 4))
    wins[pairs.chosen, pairs.rejected] = pairs.weights
    share = np.divide(wins, wins + wins.T, out=np.ones((4, 4)), where=wins > 0)
    own = 2 * float((wins * np.log(share)).sum())
    deviance = own + 2 * pairs.total_weight * bt.mean_loss(model.margins(pairs), weights=pairs.weights)
    assert deviance == pytest.approx(
        published("tab_citations/expected.csv", "bias_reduced_Firth1993")["deviance"], abs=5e-5
    )
    penalty = np.linalg.slogdet(model.information[1:, 1:])[1]  # with Biometrika's reward fixed at 0
    assert deviance - penalty == pytest.approx(
        published("tab_citations/expected.csv", "bias_reduced_Firth1993")["penalized_deviance"], abs=5e-5
    )
    ordinary = bt.fit(bt.TableScorer(4), pairs)
    assert (np.abs(model.phi) < np.abs(ordinary.phi)).all()  # the bias is away from zero


CASES = {
    "one pair": (np.array([[1.0]]), {}),
    "separated": (SEPARATED, {}),
    "weights": (SEPARATED, {"weights": [1.0, 3.0, 2.0, 5.0]}),
    "labels": (SEPARATED, {"labels": [1.0, 0.5, 0.0, 0.25]}),
    "target margins": (SEPARATED, {"target_margins": [1.0, -0.5, 0.0, 2.0]}),
    "quasi-separated": (np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [1.0, 2.0]]), {}),
}


@pytest.mark.parametrize("name", first(3, CASES))
@pytest.mark.parametrize("scale", first(1, [1.0, 1e-4]))
def test_small_examples_agree_with_mpmath(name: str, scale: float) -> None:
    """Estimates and standard errors to 1e-8, in any units; for one pair, log 3: three halves to one."""
    rows, options = CASES[name]
    model = bt.fit(bt.LinearScorer(rows.shape[1]), pairs_of(rows * scale, **options), bias_reduced=True)
    assert model.outcome is Outcome.CONVERGED
    assert "bias-reduced (Firth 1993)" in model.message
    renamed = {"target_margins": "offsets"}
    phi, errors = optimum(rows, **{renamed.get(key, key): value for key, value in options.items()})
    np.testing.assert_allclose(model.phi * scale, phi, atol=1e-8)
    np.testing.assert_allclose(model.standard_errors() * scale, errors, rtol=1e-8)
    if name == "one pair":
        assert model.phi[0] * scale == pytest.approx(np.log(3), abs=1e-12)


# ------------------------------------------------------------------------------------------------------- identities


def random_rows(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(4, 30)), int(rng.integers(1, 5))
    rows = rng.normal(size=(n, k))
    return rows * np.sign(rows @ rng.normal(size=k))[:, None] if seed % 2 else rows


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_the_adjusted_score_vanishes(seed: int) -> None:
    """Σ [w (t - s) + h (½ - s)]·d = 0 with the hat values computed from scratch; they sum to k; all is finite."""
    rows = random_rows(seed)
    k = rows.shape[1]
    model = bt.fit(bt.LinearScorer(k), pairs_of(rows), bias_reduced=True, max_steps=1000)
    assert model.converged
    s = bt.sigmoid(rows @ model.phi)
    root = rows * np.sqrt(s * (1 - s))[:, None]
    hat = np.diag(root @ np.linalg.inv(root.T @ root) @ root.T)
    assert hat.sum() == pytest.approx(k)
    score = rows.T @ ((1 - s) + hat * (0.5 - s))
    np.testing.assert_allclose(score / np.sqrt(np.diag(root.T @ root)), 0, atol=1e-8)


def test_a_table_and_one_hot_features_agree(rng) -> None:
    """For a chain of wins, a linear scorer without the last item's feature gives the same differences and errors."""
    games = np.array([[0, 1], [1, 2], [2, 3], [0, 3], [3, 1]])
    table_fit = bt.fit(bt.TableScorer(4), bt.PreferencePairs(*games.T), bias_reduced=True)
    hot = np.eye(4)[:, :3]
    linear = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(hot[games[:, 0]], hot[games[:, 1]]), bias_reduced=True)
    np.testing.assert_allclose(table_fit.phi[:3] - table_fit.phi[3], linear.phi, atol=1e-9)
    np.testing.assert_allclose(table_fit.standard_errors(3)[:3], linear.standard_errors(), rtol=1e-8)


def test_weights_are_counts_and_units_do_not_matter(rng) -> None:
    """Two equal pairs count like one pair of weight 2, and pairs of weight 0 like none; so does standardising."""
    rows = rng.normal(size=(12, 3))
    twice = bt.fit(bt.LinearScorer(3), pairs_of(np.vstack([rows, rows])), bias_reduced=True)
    w = np.append(np.full(12, 2.0), 0.0)
    weighted = bt.fit(bt.LinearScorer(3), pairs_of(np.vstack([rows, [9, 9, 9]]), weights=w), bias_reduced=True)
    standard = bt.fit(bt.LinearScorer(3), pairs_of(np.vstack([rows, rows])), bias_reduced=True, standardise=True)
    for other in (weighted, standard):
        np.testing.assert_allclose(other.phi, twice.phi, atol=1e-9)
        np.testing.assert_allclose(other.standard_errors(), twice.standard_errors(), rtol=1e-8)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=pytest.mark.full)])
def test_the_start_and_the_backend_make_no_difference(backend: str, rng) -> None:
    """Nor do several comparisons of the same items that are counted together."""
    games = rng.integers(5, size=(2, 400))
    pairs = bt.PreferencePairs(*games[:, games[0] != games[1]])
    first = bt.fit(bt.TableScorer(5), pairs, bias_reduced=True, backend="numpy")
    other = bt.fit(bt.TableScorer(5), pairs, bias_reduced=True, backend=backend, initial=rng.normal(size=5) * 3)
    np.testing.assert_allclose(other.phi, first.phi, atol=1e-9)
    assert first.history["loss"][-1] <= first.history["loss"][0]


@pytest.mark.full
def test_the_bias_is_removed() -> None:
    """In 400 samples of 30 pairs the mean is the truth within 3 standard errors; the ordinary estimate is not."""
    rng, truth = np.random.default_rng(1), np.array([1.0])
    x = rng.normal(size=(30, 1)) * 1.5
    reduced, plain = [], []
    for _ in range(400):
        pairs = pairs_of(x * np.where(rng.random(30) < bt.sigmoid(x @ truth), 1, -1)[:, None])
        reduced.append(bt.fit(bt.LinearScorer(1), pairs, bias_reduced=True).phi[0])
        if not bt.inference.separation(bt.LinearScorer(1), pairs).is_separated:
            plain.append(bt.fit(bt.LinearScorer(1), pairs).phi[0])
    # what is left of the bias is of order 1/n², here about 1/900
    error = np.std(reduced) / np.sqrt(len(reduced))
    assert abs(np.mean(reduced) - 1) <= 3 * error + 1 / 900
    assert np.mean(plain) - 1 > 3 * error


# ---------------------------------------------------------------------------------------------------------- manners


def test_what_does_not_go_together_is_refused_in_one_sentence(rng) -> None:
    """A penalty, other losses and scorers, rankings, undetermined directions and groups that never met."""
    rows = rng.normal(size=(9, 2))
    line, pairs = bt.LinearScorer(2), pairs_of(rows, feature_names=["price", "size"])
    cases = [
        (line, pairs, {"l2": 0.1}, r"expected l2=0, .*got l2=0.1"),
        (line, pairs, {"loss": bt.losses.Probit()}, r"expected the default loss, -log sigma, got Probit"),
        (line, pairs, {"method": "adam"}, r"expected newton and a scorer that is linear in phi, got adam and"),
        (bt.MLPScorer(2, 2), pairs, {}, r"expected newton and a scorer that is linear in phi, got .* and MLPScorer"),
        (
            bt.TableScorer(4),
            bt.PreferencePairs([0, 2], [1, 3]),
            {},
            r"expected items connected by comparisons, got 2 groups",
        ),
        (bt.TableScorer(3001), bt.PreferencePairs([0], [1]), {}, r"expected at most 3000 parameters, got 3001"),
        (
            bt.LinearScorer(3),
            pairs_of(np.column_stack([rows, rows.sum(axis=1)])),
            {},
            r"expected pairs that determine phi, but these pairs determine the weights of feature 0, feature 1 and",
        ),
        (line, bt.PreferenceRankings(rows[:3], [1, 2, 3], [0, 0, 0]), {}, r"expected PreferencePairs, got Preference"),
    ]
    for scorer, data, options, expected in cases:
        with pytest.raises(ValueError, match=rf"^bias_reduced: {expected}") as error:
            bt.fit(scorer, data, bias_reduced=True, **options)
        assert "\n" not in str(error.value)


def test_limits_and_callbacks_end_the_search(rng) -> None:
    """As in any fit by Newton's method."""
    pairs = pairs_of(SEPARATED)
    with pytest.warns(bt.ConvergenceWarning, match=r"after 1 Newton step$"):
        assert bt.fit(bt.LinearScorer(2), pairs, bias_reduced=True, max_steps=1).outcome is Outcome.STEP_LIMIT
    stopped = bt.fit(bt.LinearScorer(2), pairs, bias_reduced=True, callback=lambda record: record["step"] == 1)
    assert stopped.outcome is Outcome.STOPPED_BY_CALLBACK
