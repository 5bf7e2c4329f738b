"""The tally of a table changes nothing but the speed: the minimum is that of the comparisons themselves."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

import bradley_terry as bt
from bradley_terry.fitting import tally
from bradley_terry.fitting.tally import tallied


@st.composite
def tournaments(draw) -> tuple[int, bt.PreferencePairs]:
    """Return a number of items and comparisons of them, some against themselves, some with weights and labels."""
    n = draw(st.integers(1, 6))
    size = draw(st.integers(n * n, 60))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    chosen, rejected = rng.integers(n, size=(2, size))
    rejected = np.where(rng.random(size) < draw(st.sampled_from([0.0, 0.3, 1.0])), chosen, rejected)
    options = {}
    if draw(st.booleans()):
        options["weights"] = rng.integers(0, 4, size) + np.eye(1, size)[0]
    if draw(st.booleans()):
        options["labels"] = rng.choice([0.0, 0.25, 0.5, 1.0], size)
    return n, bt.PreferencePairs(chosen, rejected, **options)


@pytest.mark.parametrize("worth_sorting", [100_000, 1])
@given(tournament=tournaments(), l2=st.sampled_from([0.01, 0.3, 2.0]))
@pytest.mark.full
def test_the_minimum_of_the_tally_is_that_of_the_comparisons(worth_sorting: int, tournament, l2: float) -> None:
    """With l2 > 0 the total weight matters, and an item against itself adds its weight once."""
    n, pairs = tournament
    extra = 0 if worth_sorting > 1 else 60  # with so many more items, the tally is made by sorting
    scorer = bt.TableScorer(n + extra)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally, "WORTH_SORTING", worth_sorting)
        model = bt.fit(scorer, pairs, l2=l2)
    objective = bt.Objective(scorer, pairs, l2=l2)
    assert np.abs(objective(model.phi)[1]).max() <= 1e-14
    found = scipy.optimize.minimize(objective, np.zeros(scorer.n_items), jac=True, options={"gtol": 1e-9}).x
    np.testing.assert_allclose(model.phi, found, rtol=0, atol=1e-6)  # gtol over l2, which bounds the curvature


@given(tournament=tournaments(), seed=st.integers(0, 99))
@pytest.mark.full
def test_loss_gradient_and_hessian_of_the_tally_are_those_of_the_comparisons(tournament, seed: int) -> None:
    """They agree at any φ, whether the tally is a table or is made by sorting."""
    n, pairs = tournament
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally, "WORTH_SORTING", 1)
        for scorer in (bt.TableScorer(n), bt.TableScorer(n + 60)):
            phi = np.random.default_rng(seed).normal(0, 3, scorer.n_items)
            plain, counted = bt.Objective(scorer, pairs), bt.Objective(scorer, tallied(pairs, scorer))
            assert counted(phi)[0] == pytest.approx(plain(phi)[0], rel=1e-13)
            np.testing.assert_allclose(counted(phi)[1], plain(phi)[1], rtol=0, atol=1e-14)
            np.testing.assert_allclose(counted.hessian(phi), plain.hessian(phi), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("chosen", "rejected", "labels", "l2"),
    [
        ([0, 1, 0, 0, 0], [1, 0, 1, 0, 0], None, 0.1),
        ([0, 0, 1, 1, 2, 2, 2, 0, 1], [1, 1, 2, 1, 0, 2, 2, 0, 0], None, 0.05),
        ([0, 0, 1, 1], [1, 0, 1, 0], [0.75, 0.5, 1.0, 0.5], 1.0),
    ],
)
def test_two_items_by_hand(chosen, rejected, labels, l2: float) -> None:
    """Items against themselves only shrink the share of the others: the gradient in the total weight is zero."""
    n = max(chosen) + 1
    model = bt.fit(bt.TableScorer(n), bt.PreferencePairs(chosen, rejected, labels=labels), l2=l2)
    pull = l2 * model.phi * len(chosen)
    for c, r, t in zip(chosen, rejected, labels or [1.0] * len(chosen), strict=True):
        p = 1 / (1 + np.exp(model.phi[r] - model.phi[c]))
        pull[c] += p - t
        pull[r] -= p - t
    np.testing.assert_allclose(pull, 0, atol=1e-13)
