"""A fit, an error or an interval that cannot be trusted is refused, and one that can be trusted is right."""

from __future__ import annotations

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry import evaluation


def chain(rng, n: int) -> tuple[bt.PreferencePairs, np.ndarray]:
    """Return items that met only their neighbours, and their exact rewards: log-ratios of wins, added up."""
    i = np.arange(n - 1)
    wins = rng.integers(1, 6, (2, n - 1)).astype(float)
    rewards = np.append(0, -np.cumsum(np.log(wins[0] / wins[1])))
    pairs = bt.PreferencePairs(np.r_[i, i + 1], np.r_[i + 1, i], weights=wins.ravel())
    return pairs, rewards - rewards.mean()


@pytest.mark.full
def test_a_long_chain_is_fitted_exactly_without_a_matrix(rng) -> None:
    """Conjugate gradients need as many products as there are links, and no fewer are taken for enough."""
    pairs, rewards = chain(rng, 3_300)
    model = bt.fit(bt.TableScorer(3_300), pairs)
    assert model.converged
    np.testing.assert_allclose(model.phi, rewards, rtol=0, atol=1e-8)


def test_a_step_that_is_not_solved_proves_no_minimum(rng, monkeypatch) -> None:
    """With too few products the fit does not claim to have converged, and there are no standard errors."""
    monkeypatch.setattr("bradley_terry.fitting.conjugate.DENSE", 10)
    monkeypatch.setattr("bradley_terry.fitting.conjugate.MOST_PRODUCTS", 1)
    monkeypatch.setattr("bradley_terry.fitting.conjugate.max", lambda a, _: a, raising=False)
    pairs, _ = chain(rng, 60)
    with pytest.warns(bt.ConvergenceWarning, match="after 100 Newton steps"):
        model = bt.fit(bt.TableScorer(60), pairs)
    assert not model.converged
    with pytest.raises(ValueError, match=r"^standard errors: expected a fit that converged"):
        model.standard_errors(items=[0], pairs=pairs)


def test_errors_by_solving_need_the_pairs_and_the_penalty_of_the_fit(rng) -> None:
    """With the right ones they are those of the matrix; other pairs, or a penalty in other units, are refused."""
    x = rng.normal(size=(2, 300, 2)) * [1, 100]
    swap = rng.random((300, 1)) < 0.5
    pairs = bt.PreferencePairs(np.where(swap, *x), np.where(swap, *x[::-1]))
    model = bt.fit(bt.LinearScorer(2), pairs, l2=0.1)
    np.testing.assert_allclose(model.standard_errors(pairs=pairs), model.standard_errors(), rtol=1e-7)
    for other, others in ((bt.fit(bt.LinearScorer(2), pairs, l2=0.1, standardise=True), pairs), (model, pairs[:200])):
        with pytest.raises(ValueError, match=r"^pairs: expected the pairs of the fit, got others"):
            other.standard_errors(pairs=others)


def test_errors_are_only_for_a_minimum(rng) -> None:
    """A fit that stopped early on validation pairs did not reach the minimum that the information describes."""
    x = rng.normal(size=(2, 400, 30))
    model = bt.fit(bt.LinearScorer(30), bt.PreferencePairs(*x), method="gradient_descent", validation=0.3, patience=5)
    assert model.outcome is bt.model.Outcome.STOPPED_EARLY
    with pytest.raises(ValueError, match=r"^standard errors: expected a fit that converged"):
        model.standard_errors()


@pytest.mark.parametrize("n_items", [3, 5])
def test_items_that_met_nobody_are_groups_in_the_message(n_items: int) -> None:
    """Also if their numbers are larger than any in the pairs."""
    message = bt.fit(bt.TableScorer(n_items), bt.PreferencePairs([0, 1], [1, 0])).message
    assert f"the items form {n_items - 1} groups with no comparisons between them" in message


def test_one_heavy_prompt_among_many_is_resampled() -> None:
    """60,000 prompts, one with a million times the weight: the mean is 1 if it is drawn, and else about 0.6."""
    n = 60_000
    weights = np.ones(n)
    weights[0] = 1e9
    values = (np.random.default_rng(0).random(n) < 0.6).astype(float)
    values[0] = 1
    low, high = evaluation.bootstrap_interval(
        values, np.arange(n), rng=np.random.default_rng(0), weights=weights, n_bootstrap=100
    )
    assert low < 0.62
    assert high > 0.99


@pytest.mark.parametrize("reward", [np.inf, -np.inf, np.nan])
def test_rewards_that_are_not_finite_are_refused(reward: float) -> None:
    """They have no mean, so no number of an evaluation would be finite; the first such pair is named."""
    pairs = bt.PreferencePairs([1, 0, 2], [2, 1, 3])
    with pytest.raises(ValueError, match=r"^phi: expected rewards that are finite numbers, got .* of them pair 1$"):
        bt.evaluate(bt.TableScorer(4), [reward, 1.0, 0.0, -1.0], pairs)
    with pytest.raises(ValueError, match=r"^values: expected values that are finite numbers, got .* of them pair 0$"):
        evaluation.bootstrap_interval([reward, 1.0], [0, 1], rng=np.random.default_rng(0))
    for name in ("weights", "labels"):
        if np.isnan(reward):
            with pytest.raises(
                ValueError, match=rf"^{name}: expected values that are numbers, got NaN for 1 of 2 pairs"
            ):
                evaluation.reliability([1.0, 2.0], **{name: [reward, 1.0]})
