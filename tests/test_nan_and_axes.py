"""NaN is neither right nor wrong, and a mean over pairs has one axis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bradley_terry as bt
from bradley_terry import evaluation
from bradley_terry.intervals import resampling

WITH_NAN = st.lists(st.sampled_from([-2.0, -0.0, 0.0, 0.5, np.inf, -np.inf, np.nan]), min_size=1, max_size=12)


@given(margins=WITH_NAN, labelled=st.booleans())
def test_nan_margins_have_no_accuracy(margins: list[float], labelled: bool) -> None:
    """The accuracy of a pair is NaN exactly if its margin is NaN, and so is the mean that contains it."""
    delta = np.array(margins)
    labels = np.linspace(0, 1, delta.size) if labelled else None
    each = evaluation.pairwise_accuracies(delta, labels)
    np.testing.assert_array_equal(np.isnan(each), np.isnan(delta))
    mean = evaluation.mean_accuracy(delta, labels)
    if np.isnan(delta).any():
        assert np.isnan(mean)
    else:
        t = np.ones(delta.size) if labels is None else labels
        want = [t[i] if d > 0 else 1 - t[i] if d < 0 else 0.5 for i, d in enumerate(margins)]
        assert mean == pytest.approx(np.mean(want), rel=1e-14)


def test_a_nan_without_weight_does_not_count() -> None:
    """A pair of weight 0 has no part in a weighted mean, whatever its margin."""
    assert evaluation.mean_accuracy(np.array([1.0, np.nan, -1.0]), weights=np.array([3.0, 0.0, 1.0])) == 0.75


@pytest.mark.parametrize("scorer", [bt.LinearScorer(2), bt.MLPScorer(2, 3), bt.TableScorer(4)], ids=str)
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 3.0]])
def test_nan_rewards_are_refused_by_an_evaluation(scorer, weights) -> None:
    """Not even one reward may be NaN; the sentence counts the pairs and names the first."""
    if isinstance(scorer, bt.TableScorer):
        pairs = bt.PreferencePairs([0, 1, 2], [1, 2, 3], weights=weights)
        phi, expected = np.array([0.0, 1.0, 2.0, np.nan]), "got NaN for 1 of 3 pairs, the first of them pair 2"
    else:
        pairs = bt.PreferencePairs([[1.0, 2], [0, 1], [3, 1]], [[0.0, 0], [1, 1], [2, 2]], weights=weights)
        phi, expected = np.full(scorer.n_parameters, np.nan), "got NaN for 3 of 3 pairs, the first of them pair 0"
    with pytest.raises(ValueError, match=f"^phi: expected rewards that are finite numbers, {expected}$"):
        bt.evaluate(scorer, phi, pairs)


@pytest.mark.parametrize("at", [0, 2])
def test_nan_is_refused_by_reliability_and_bootstrap(at: int, rng) -> None:
    """It would sit in the surest bin, or count as a share of its own."""
    values = np.array([0.5, 1.0, -1.0])
    values[at] = np.nan
    with pytest.raises(ValueError, match=rf"^z: expected values that are numbers, got NaN for 1 of 3 .* pair {at}$"):
        evaluation.reliability(values)
    with pytest.raises(ValueError, match=r"^values: expected values that are finite numbers, got NaN for 1 of 3 pairs"):
        evaluation.bootstrap_interval(values, [0, 1, 2], rng=rng)


@pytest.mark.parametrize("shape", [(3, 3), (4, 1), (1, 4), (2, 2, 2), (0, 3)])
@pytest.mark.parametrize("weighted", [False, True])
def test_margins_with_two_axes_have_no_mean(shape: tuple[int, ...], weighted: bool) -> None:
    """Rewards (n, 1) minus rewards (n,) make a square, whose mean is not that of the pairs."""
    if 0 not in shape:
        options = {"weights": np.ones(shape)} if weighted else {}
        with pytest.raises(ValueError, match=r"^margins: expected one axis, shape \(n_pairs,\), got shape ") as error:
            bt.mean_loss(np.zeros(shape), **options)
        assert str(shape) in str(error.value)
        with pytest.raises(ValueError, match=r"^margins: expected one axis"):
            evaluation.mean_accuracy(np.zeros(shape))
    assert bt.mean_loss([0.0]) == bt.mean_loss(0.0) == np.log(2)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("share", [0.9, *(pytest.param(share, marks=pytest.mark.full) for share in (0.02, 0.5))])
def test_the_normal_interval_of_many_prompts_is_close_to_the_bootstrap(share, weighted, rng, monkeypatch) -> None:
    """For 20,000 pairs of 5,000 prompts the two agree to a tenth of their width, far less than both are worth."""
    prompts = np.unique(rng.integers(5000, size=20_000), return_inverse=True)[1]
    of_prompt = rng.beta(2 * share, 2 * (1 - share), size=5000)
    values = (rng.random(20_000) < of_prompt[prompts]).astype(float)
    weights = rng.uniform(0, 2, 20_000) if weighted else None
    resampled = evaluation.bootstrap_interval(values, prompts, rng=rng, weights=weights, n_bootstrap=1000)
    monkeypatch.setattr(resampling, "MOST_RESAMPLED", 4_000)
    normal = evaluation.bootstrap_interval(values, prompts, rng=rng, weights=weights)
    # each end of 1,000 resamples has a standard error of about 4 % of the width
    np.testing.assert_allclose(normal, resampled, rtol=0, atol=0.15 * (normal[1] - normal[0]))


@pytest.mark.full
def test_intervals_of_very_many_prompts(rng) -> None:
    """Half a million prompts need no resampling: mean ± 1.96·√(p(1 - p)/n), and never beyond the values."""
    values = (rng.random(500_000) < 0.3).astype(float)
    low, high = evaluation.bootstrap_interval(values, np.arange(500_000), rng=rng)
    p = values.mean()
    half = 1.959963984540054 * np.sqrt(p * (1 - p) / 500_000)
    np.testing.assert_allclose([low, high], [p - half, p + half], rtol=1e-9)
    assert evaluation.bootstrap_interval(np.ones(60_000), np.arange(60_000), rng=rng) == (1.0, 1.0)
