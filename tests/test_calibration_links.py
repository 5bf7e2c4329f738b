"""From the margin that a loss fits to a probability: the inverse of its minimiser, in ``evaluate`` and in the model."""

from __future__ import annotations

import dataclasses
import json

import mpmath as mp
import numpy as np
import pytest
from scipy import stats
from tiers import first

import bradley_terry as bt
from bradley_terry import losses
from bradley_terry.ranking import MarginLoss

CHOICES = [  # losses of a choice, from whose margins p can be read
    losses.LabelSmoothing(0.0),
    losses.Robust(0.15),
    losses.Robust(0.0),
    losses.NoisyChoice(0.2),
    losses.NoisyChoice(0.0),
    losses.Temperature(2.5),
    losses.Temperature(0.25),
    losses.Probit(),
    losses.Exponential(),
    losses.Square(1.5),
    losses.Focal(2.0),
    losses.Focal(0.0),
    losses.Scaled(),
]
ORDERS = [losses.Hinge(), losses.Sigmoid(), losses.Unhinged()]
WITH_TIES = [losses.Davidson(1.3), losses.Davidson(0.0), losses.RaoKupper(0.7), losses.Ordinal(3, (-0.4, 0.4))]
WITH_TIES += [losses.Ordinal(4, (-1.0, 0.2, 2.0)), losses.Ordinal(2, (0.0,))]


def fitted(loss, phi=1.0) -> bt.RewardModel:
    """Return a model with one feature, whose margin is φ times the difference."""
    return bt.RewardModel(bt.LinearScorer(1), np.array([phi]), {}, True, "", loss=loss)


def pairs_with(margins, **options) -> bt.PreferencePairs:
    z = np.asarray(margins, dtype=np.float64)
    return bt.PreferencePairs(z[:, None], np.zeros((z.size, 1)), **options)


# ------------------------------------------------------------------------------------------------------- known value


def test_each_link_has_its_published_formula():
    """Φ(Δ), sigma(Δ/T), sigma(2Δ), (1 + Δ/c)/2, ε + (1 - 2ε)σ, ε/2 + (1 - ε)σ and (σ - ε)/(1 - 2ε)."""
    z = np.linspace(-1.4, 1.4, 15)
    s = 1 / (1 + np.exp(-z))
    for loss, want in [
        (losses.Probit(), stats.norm.cdf(z)),
        (losses.Temperature(2.5), 1 / (1 + np.exp(-z / 2.5))),
        (losses.Exponential(), 1 / (1 + np.exp(-2 * z))),
        (losses.Square(1.5), (1 + z / 1.5) / 2),
        (losses.Robust(0.15), 0.15 + 0.7 * s),
        (losses.NoisyChoice(0.2), 0.1 + 0.8 * s),
        (losses.LabelSmoothing(0.1), s),
        (losses.Scaled(), s),
    ]:
        np.testing.assert_allclose(loss.probability(z), want, rtol=1e-13, err_msg=repr(loss))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_probabilities_are_those_of_charoenphakdee(gamma):
    """Their Ψ(v) = h(v)/(h(v) + h(1 - v)), h(v) = v/((1 - v)^γ - γ (1 - v)^(γ-1) v log v)  (arXiv:2011.09172)."""
    z = np.array([-30.0, -4.0, -0.3, 0.0, 1e-3, 2.0, 9.0, 40.0])
    with mp.workdps(60):
        for one in z.tolist():
            v = 1 / (1 + mp.exp(-mp.mpf(one)))
            h = [u / ((1 - u) ** gamma - gamma * (1 - u) ** (gamma - 1) * u * mp.log(u)) for u in (v, 1 - v)]
            want = mp.log(h[0]) - mp.log(h[1])
            got = float(losses.Focal(gamma).log_odds(one))
            assert abs(got - want) <= 1e-13 * max(1, abs(want))


def test_ties_count_one_half():
    """The probability is P(win) + ½ P(tie), from the likelihoods themselves, so it is the expected label."""
    z = np.linspace(-6, 6, 25)
    for loss in WITH_TIES:
        n = loss.n_levels if isinstance(loss, losses.Ordinal) else 2 if loss == losses.Davidson(0.0) else 3
        levels = np.arange(n) / (n - 1)
        want = sum(t * np.exp(-loss.value(z, np.full(z.size, t))) for t in levels)
        np.testing.assert_allclose(loss.probability(z), want, rtol=1e-12, err_msg=repr(loss))


@pytest.mark.parametrize("loss", first(8, [*WITH_TIES, *CHOICES]), ids=repr)
def test_log_odds_are_those_of_the_probability_far_out(loss):
    """Where a probability rounds to 1, its log-odds still have their digits; NaN and overflow occur nowhere."""
    z = np.array([-1e4, -800.0, -36.0, -1e-9, 0.0, 1e-9, 36.0, 800.0, 1e4])
    got = loss.log_odds(z)
    assert not np.isnan(got).any()
    assert (got[1:] >= got[:-1]).all()
    if loss not in (losses.Ordinal(4, (-1.0, 0.2, 2.0)),):
        np.testing.assert_array_equal(got, -got[::-1])  # swapping the two answers swaps p and 1 - p
    if isinstance(loss, losses.Davidson):
        nu = mp.mpf(loss.nu) / 2
        want = [mp.log((mp.exp(mp.mpf(x) / 2) + nu) / (mp.exp(-mp.mpf(x) / 2) + nu)) for x in z.tolist()]
        np.testing.assert_allclose(got, np.array(want, dtype=float), rtol=1e-12)


def test_the_probit_link_is_exact_in_the_tail():
    """The log-odds of Φ(z) against mpmath, to 1e-13 or to the rounding of two probabilities near one half."""
    for z in [-38.0, -5.0, -1.0, 0.25, 3.0, 12.0, 1000.0]:
        want = mp.log(mp.ncdf(z)) - mp.log(mp.ncdf(-z))
        assert float(losses.Probit().log_odds(z)) == pytest.approx(float(want), rel=1e-13, abs=1e-15)


# ---------------------------------------------------------------------------------------------------------- identity


@pytest.mark.parametrize("loss", first(6, CHOICES), ids=repr)
def test_the_probability_of_the_minimiser_is_p(loss):
    """The best margin for p says p again, for every loss from which p can be read."""
    p = np.concatenate([np.random.default_rng(1).uniform(0.16, 0.84, 30), [0.5]])
    np.testing.assert_allclose(loss.probability(loss.minimiser(p)), p, atol=1e-9)


def test_smoothing_is_not_undone():
    """The best margin for p says (1 - ε) p + ε (1 - p): the probability of the smoothed label."""
    loss, p = losses.LabelSmoothing(0.1), np.linspace(0, 1, 11)
    np.testing.assert_allclose(loss.probability(loss.minimiser(p)), 0.9 * p + 0.1 * (1 - p), rtol=1e-13)


@pytest.mark.parametrize("loss", first(6, CHOICES), ids=repr)
def test_every_link_is_that_of_the_two_slopes(loss):
    """p·l'(Δ) = (1 - p)·l'(-Δ) at the minimum, so p/(1 - p) = l'(-Δ)/l'(Δ): another way to the same number."""
    z = np.array([-1.2, -0.7, -0.1, 0.2, 0.9, 1.3])
    if isinstance(loss, losses.Scaled):
        loss = losses.Temperature(1.0)
    np.testing.assert_allclose(loss.log_odds(z), MarginLoss._log_odds(loss, z), rtol=1e-11, atol=1e-14)


def test_a_loss_of_ones_own_gets_its_probability_from_its_slopes():
    """A subclass of MarginLoss with three formulas: -log of the Cauchy distribution function."""

    class Cauchit(MarginLoss):
        def _value(self, z):
            return -np.log(0.5 + np.arctan(z) / np.pi)

        def _slope(self, z):
            return -1 / (np.pi * (1 + z * z) * (0.5 + np.arctan(z) / np.pi))

    z = np.linspace(-20, 20, 9)
    np.testing.assert_allclose(Cauchit().probability(z), stats.cauchy.cdf(z), rtol=1e-12)


@pytest.mark.parametrize("loss", [None, losses.BradleyTerry()], ids=["None", "BradleyTerry"])
def test_the_usual_loss_keeps_every_bit(loss):
    """With -log sigma, the model and its evaluation are those of sigma(Δ - m), to the last bit."""
    rng = np.random.default_rng(4)
    pairs = pairs_with(rng.normal(size=40), labels=rng.uniform(size=40), target_margins=rng.normal(size=40))
    model = fitted(loss, 1.3)
    a, b = rng.normal(size=(2, 7, 1))
    want = bt.preference_probability(model.reward(a), model.reward(b))
    assert np.array_equal(model.preference_probability(a, b), want)
    assert model.evaluate(pairs) == bt.evaluate(model.scorer, model.phi, pairs)


@pytest.mark.parametrize(
    "loss", first(5, [loss for loss in [*WITH_TIES, *CHOICES] if not isinstance(loss, losses.Square)]), ids=repr
)
def test_evaluation_uses_the_probability_of_the_loss(loss):
    """Mean loss, Brier score and the reliability table are those of p(Δ - m); accuracy is that of Δ."""
    rng = np.random.default_rng(8)
    z, t, m = rng.normal(size=60) * 0.5, rng.choice([0.0, 0.5, 1.0], size=60), rng.normal(size=60) * 0.1
    found = fitted(loss).evaluate(pairs_with(z, labels=t, target_margins=m))
    p = loss.probability(z if isinstance(loss, losses.Scaled) else z - m)
    assert found.brier == pytest.approx(np.mean(t * (1 - p) ** 2 + (1 - t) * p**2), rel=1e-12)
    assert found.mean_loss == pytest.approx(-np.mean(t * np.log(p) + (1 - t) * np.log1p(-p)), rel=1e-12)
    table = found.reliability
    predicted = np.dot(table.weight[table.weight > 0], table.predicted[table.weight > 0])
    assert predicted == pytest.approx(np.mean(np.maximum(p, 1 - p)), rel=1e-12)
    assert found.accuracy == bt.evaluate(bt.LinearScorer(1), [1.0], pairs_with(z, labels=t)).accuracy
    one, zero = np.array([[0.8]]), np.array([[0.1]])
    assert fitted(loss).preference_probability(one, zero)[0] == pytest.approx(float(loss.probability(0.7)), rel=1e-14)


@pytest.mark.parametrize(
    "loss", [losses.Probit(), losses.Temperature(2.0), losses.Exponential(), losses.Square(1.0), losses.Focal(1.5)]
)
def test_a_fit_to_many_choices_is_calibrated(loss):
    """The share of wins is .8: whatever the loss, the fitted model says .8."""
    pairs = bt.PreferencePairs(np.array([[1.0]]), np.array([[0.0]]), labels=[0.8])
    model = bt.fit(bt.LinearScorer(1), pairs, loss=loss)
    assert model.preference_probability([[1.0]], [[0.0]])[0] == pytest.approx(0.8, abs=1e-3)
    assert model.evaluate(pairs).ece == pytest.approx(0, abs=1e-3)


# ----------------------------------------------------------------------------------------------------------- manners


@pytest.mark.parametrize("loss", ORDERS, ids=repr)
def test_losses_that_only_order_have_accuracy_and_no_probability(loss):
    """A probability is refused in one sentence; an evaluation gives the accuracy, and NaN for what needs one."""
    model, pairs = fitted(loss), pairs_with([2.0, -1.0, 0.5])
    with pytest.raises(ValueError, match=r"^loss: expected one whose margins stand for probabilities, got ") as caught:
        model.preference_probability([[1.0]], [[0.0]])
    assert "\n" not in str(caught.value)
    found = model.evaluate(pairs)
    assert found.accuracy == pytest.approx(2 / 3)
    assert np.isnan([found.mean_loss, found.brier, found.ece]).all()
    assert found.reliability.n_pairs.sum() == 0
    assert "nan" not in str(found)
    assert "pairwise accuracy" in str(found)
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["mean_loss"] is None
    assert plain["accuracy"] == found.accuracy


@pytest.mark.parametrize("loss", [losses.Square(1.0), losses.Square(3.0)], ids=repr)
def test_margins_beyond_the_largest_best_margin_are_certain(loss):
    """No p has a best margin of 5, so the model is certain there; a certain mistake costs an infinite loss."""
    assert float(loss.probability(5.0)) == 1
    assert float(loss.probability(-5.0)) == 0
    right, wrong = fitted(loss).evaluate(pairs_with([5.0])), fitted(loss).evaluate(pairs_with([-5.0, 5.0]))
    assert right.mean_loss == 0
    assert wrong.mean_loss == np.inf
    assert wrong.brier == 0.5
    json.dumps(wrong.to_dict(), allow_nan=False)


def test_parameters_that_are_still_to_be_fitted_are_refused():
    """A probability needs ν: ``fit`` finds it."""
    with pytest.raises(ValueError, match=r"^nu: expected a number, got None"):
        fitted(losses.Davidson()).preference_probability([[1.0]], [[0.0]])
    model = dataclasses.replace(fitted(losses.Davidson()), loss=losses.Davidson(0.5))
    assert model.preference_probability([[0.0]], [[0.0]])[0] == 0.5
