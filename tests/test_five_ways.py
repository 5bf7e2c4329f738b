"""One model, five ways to fit it: table, linear scorer, logistic regression, SciPy and conditional logit agree."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy.optimize import minimize

import bradley_terry as bt
from bradley_terry.datasets import baseball, citations, synthetic, travel_modes

PAGE = (Path(__file__).parent.parent / "docs" / "five_ways.md").read_text(encoding="utf-8")


class Fit(NamedTuple):
    """What a fit says: rewards or coefficients, the mean loss there, and the covariance of the first."""

    phi: np.ndarray
    loss: float
    covariance: np.ndarray


def weights_of(pairs: bt.PreferencePairs) -> np.ndarray:
    return np.ones(len(pairs)) if pairs.weights is None else np.asarray(pairs.weights)


def one_hot(pairs: bt.PreferencePairs) -> bt.PreferencePairs:
    """Return the same pairs with a feature for each item but the first, 1 for this item and else 0."""
    if not pairs.is_items:
        return pairs
    is_item = np.eye(pairs.n_items)[:, 1:]
    return bt.PreferencePairs(is_item[pairs.chosen], is_item[pairs.rejected], weights=pairs.weights)


def table(pairs: bt.PreferencePairs) -> Fit:
    model = bt.fit(bt.TableScorer(pairs.n_items), pairs)
    return Fit(model.phi, float(bt.Objective(model.scorer, pairs)(model.phi)[0]), model.covariance())


def linear(pairs: bt.PreferencePairs) -> Fit:
    features = one_hot(pairs)
    model = bt.fit(bt.LinearScorer(features.n_features), features)
    return with_first(pairs, model.phi, float(bt.Objective(model.scorer, features)(model.phi)[0]), model.covariance())


def with_first(pairs: bt.PreferencePairs, phi: np.ndarray, loss: float, covariance: np.ndarray) -> Fit:
    """Add the first item, whose reward is 0 and known, if there are items."""
    return (
        Fit(np.append(0.0, phi), loss, np.pad(covariance, ((1, 0), (1, 0))))
        if pairs.is_items
        else Fit(phi, loss, covariance)
    )


def differences(pairs: bt.PreferencePairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x, y and w of a logistic regression; every other pair is turned around, since it needs both outcomes."""
    features = one_hot(pairs)
    sign = np.where(np.arange(len(pairs)) % 2, -1.0, 1.0)
    return sign[:, None] * (features.chosen - features.rejected), (sign > 0).astype(float), weights_of(pairs)


def logistic_regression(pairs: bt.PreferencePairs) -> Fit:
    """Fit by iteratively reweighted least squares, as in textbooks of statistics; it shares no line with our code."""
    x, y, w = differences(pairs)
    beta = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ beta))
        bend = w * p * (1 - p)
        beta = np.linalg.solve(x.T @ (bend[:, None] * x), x.T @ (bend * (x @ beta) + w * (y - p)))
    p = 1 / (1 + np.exp(-x @ beta))
    loss = -np.sum(w * (y * np.log(p) + (1 - y) * np.log(1 - p))) / w.sum()
    return with_first(pairs, beta, float(loss), np.linalg.inv(x.T @ ((w * p * (1 - p))[:, None] * x)))


def scipy_minimize(pairs: bt.PreferencePairs, **options: object) -> Fit:
    """Minimise with SciPy; with the Hessian, it goes on until the gradient vanishes."""
    features = one_hot(pairs)
    objective = bt.Objective(bt.LinearScorer(features.n_features), features)
    options = options or {"method": "trust-exact", "hess": objective.hessian}
    found = minimize(objective, np.zeros(features.n_features), jac=True, options={"gtol": 1e-12}, **options)
    information = objective.hessian(found.x) * pairs.total_weight
    return with_first(pairs, found.x, float(found.fun), np.linalg.inv(information))


def as_rankings(pairs: bt.PreferencePairs) -> bt.PreferenceRankings:
    """Return each pair as one choice between two answers."""
    n = len(pairs)
    features = np.concatenate([pairs.chosen, pairs.rejected])
    return bt.PreferenceRankings(
        features, np.repeat([1, 2], n), np.tile(np.arange(n), 2), weights=np.tile(weights_of(pairs), 2)
    )


def conditional_logit(pairs: bt.PreferencePairs) -> Fit:
    rankings = as_rankings(one_hot(pairs))
    model = bt.fit(bt.LinearScorer(rankings.features.shape[1]), rankings)
    loss = float(bt.Objective(model.scorer, rankings)(model.phi)[0])
    return with_first(pairs, model.phi, loss, model.covariance())


def conditional_logit_of_items(pairs: bt.PreferencePairs) -> Fit:
    rankings = as_rankings(pairs)
    model = bt.fit(bt.TableScorer(pairs.n_items), rankings)
    return Fit(model.phi, float(bt.Objective(model.scorer, rankings)(model.phi)[0]), model.covariance())


DATA: dict[str, Callable[[], bt.PreferencePairs]] = {
    "citations": citations,
    "baseball": baseball,
    "baseball at home": lambda: baseball(home_advantage=True),
    "travel modes": travel_modes,
    "simulated features": lambda: synthetic(400, phi=[1.0, -2.0, 0.5, 0.0], seed=3),
    "simulated items": lambda: synthetic(300, scorer=bt.TableScorer(5), phi=[0.0, 1.0, -1.0, 0.5, 0.2], seed=4),
}
WAYS = {
    "table": table,
    "logistic regression": logistic_regression,
    "SciPy": scipy_minimize,
    "conditional logit": conditional_logit,
    "conditional logit of items": conditional_logit_of_items,
}
OF_ITEMS = {"table", "conditional logit of items"}


def contrasts(fit: Fit, is_items: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return all differences of rewards and their standard errors; of features, the coefficients themselves."""
    if not is_items:
        return fit.phi, np.sqrt(np.diag(fit.covariance))
    i, j = np.triu_indices(fit.phi.size, 1)
    variances = np.diag(fit.covariance)
    return fit.phi[i] - fit.phi[j], np.sqrt(variances[i] + variances[j] - 2 * fit.covariance[i, j])


CASES = [(data, way) for data in DATA for way in WAYS if way not in OF_ITEMS or DATA[data]().is_items]


@pytest.mark.parametrize(("data", "way"), CASES)
def test_every_way_finds_the_same_model(data, way) -> None:
    """Differences of rewards, mean loss and standard errors of differences agree with the linear scorer's to 1e-8."""
    pairs = DATA[data]()
    expected, got = linear(pairs), WAYS[way](pairs)
    for want, found in zip(contrasts(expected, pairs.is_items), contrasts(got, pairs.is_items), strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-8, atol=1e-8)
    assert got.loss == pytest.approx(expected.loss, rel=1e-8)


@pytest.mark.parametrize("data", DATA)
def test_the_default_method_of_scipy_finds_the_same_model(data) -> None:
    """BFGS compares losses, whose 16 digits fix φ to about eight: a step of 1e-8 changes the loss by about 1e-16."""
    pairs = DATA[data]()
    expected, got = linear(pairs), scipy_minimize(pairs, method="BFGS")
    np.testing.assert_allclose(got.phi, expected.phi, rtol=1e-6, atol=1e-6)
    assert got.loss == pytest.approx(expected.loss, rel=1e-13)


@pytest.mark.parametrize("data", DATA)
def test_scikit_learn_finds_the_same_model(data) -> None:
    """Where scikit-learn is installed: its logistic regression without intercept and penalty, on the differences."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    pairs = DATA[data]()
    x, y, w = differences(pairs)
    regression = linear_model.LogisticRegression(fit_intercept=False, C=np.inf, solver="newton-cholesky", tol=1e-12)
    regression.fit(x, y, sample_weight=w)
    phi = linear(pairs).phi
    np.testing.assert_allclose(regression.coef_[0], phi[1:] if pairs.is_items else phi, rtol=1e-8, atol=1e-8)


def test_an_intercept_is_another_model() -> None:
    """With an intercept, the rewards depend on which answer is listed first; without one they do not."""
    pairs = baseball()
    x, y, w = differences(pairs)
    objective = bt.Objective(bt.LinearScorer(x.shape[1]), bt.PreferencePairs(x, 0 * x, weights=w, labels=y))
    turned = bt.Objective(bt.LinearScorer(x.shape[1]), bt.PreferencePairs(-x, 0 * x, weights=w, labels=1 - y))
    phi = np.linspace(-1, 2, x.shape[1])
    assert objective(phi)[0] == pytest.approx(turned(phi)[0], rel=1e-14)

    def with_intercept(order: np.ndarray) -> np.ndarray:
        """Fit with a column of ones, after turning around some pairs."""
        sign = np.where(order, -1.0, 1.0)
        columns = np.column_stack([sign[:, None] * x, np.ones(len(x))])
        given = bt.PreferencePairs(columns, 0 * columns, weights=w, labels=np.where(order, 1 - y, y))
        return bt.fit(bt.LinearScorer(columns.shape[1]), given).phi[:-1]

    as_given = with_intercept(np.zeros(len(x), dtype=bool))
    assert np.abs(with_intercept(np.arange(len(x)) % 3 == 0) - as_given).max() > 0.01


def test_the_page_prints_what_it_says() -> None:
    """The example runs as it stands and prints the text below it."""
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL).group(1)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "five_ways.md", "exec"), {})  # noqa: S102  # the page's own code
    assert output.getvalue() == re.search(r"```text\n(.*?)```", PAGE, re.DOTALL).group(1)
