"""Losses of the family in the compiled backend of a linear scorer, which takes some thousand pairs at a time."""

from __future__ import annotations

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry import losses

BACKENDS = ["numpy", "numba"]


@pytest.mark.parametrize("loss", [losses.Scaled(), losses.Square(), losses.Focal(2.0)], ids=repr)
def test_losses_of_many_pairs_have_the_same_bits_on_every_number_of_threads(loss, kernels, rng) -> None:
    """20,000 pairs of 64 features are enough work for two threads."""
    x = rng.normal(size=(2, 20_000, 64))
    pairs = bt.PreferencePairs(*x, weights=rng.uniform(0, 1, len(x[0])), target_margins=rng.uniform(0, 2, len(x[0])))
    objective, phi = bt.Objective(bt.LinearScorer(64), pairs, loss=loss), rng.normal(size=64)
    bits = set()
    for threads in (1, 2, 3):
        kernels.set_threads(threads)
        _, value, gradient, margins = objective.at(phi)
        bits.add((value, gradient.tobytes(), margins.tobytes()))
    assert objective.backend == "numba"
    assert len(bits) == 1


def test_a_loss_of_ones_own_may_hold_numbers_for_each_pair(rng) -> None:
    """A class derived from one of the family need not know how to be divided into parts."""
    n = 9000
    factors = rng.uniform(0.5, 2, n)

    class Own(losses.Hinge):
        def value(self, z, t):
            return factors * super().value(z, t)

        def gradient(self, z, t):
            return factors * super().gradient(z, t)

        def value_and_gradient(self, z, t):
            return self.value(z, t), self.gradient(z, t)

    pairs, phi = bt.PreferencePairs(*rng.normal(size=(2, n, 3))), rng.normal(size=3)
    (a, d_a), (b, d_b) = (bt.Objective(bt.LinearScorer(3), pairs, loss=Own(), backend=name)(phi) for name in BACKENDS)
    assert a == pytest.approx(b, rel=1e-13)
    np.testing.assert_allclose(d_a, d_b, rtol=1e-11)


def test_a_model_that_knows_nothing_has_exactly_the_loss_at_zero(rng) -> None:
    """Means of parts of the pairs are put together without rounding if all pairs have one loss."""
    pairs = bt.PreferencePairs(*rng.normal(size=(2, 9001, 3)), weights=rng.uniform(0, 1, 9001))
    for loss in (losses.Temperature(3.0), losses.Davidson(0.7), losses.Probit()):
        value, _ = bt.Objective(bt.LinearScorer(3), pairs, loss=loss, backend="numba")(np.zeros(3))
        assert value == loss.value(np.zeros(1), None)[0]


def test_what_numpy_should_do_about_overflow_is_known_to_every_thread(kernels) -> None:
    """Square overflows here, and each thread must raise or stay silent as the caller chose."""
    kernels.set_threads(2)
    pairs = bt.PreferencePairs(np.full((20_000, 64), 1e150), np.zeros((20_000, 64)))
    objective = bt.Objective(bt.LinearScorer(64), pairs, loss=losses.Square())
    phi = np.full(64, 1e10)
    with np.errstate(over="ignore"):
        assert objective(phi)[0] == np.inf
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        objective(phi)
