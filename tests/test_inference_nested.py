"""Log-likelihood, AIC, deviance and the likelihood-ratio test, and the tail of the chi-squared distribution."""

from __future__ import annotations

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bradley_terry as bt
from bradley_terry import datasets, losses
from bradley_terry.inference import likelihood_ratio_test
from bradley_terry.ranking import Davidson, RaoKupper
from bradley_terry.uncertainty.chi_squared import upper_tail

# ---------------------------------------------------------------------------------------------------- known value


def test_citations_have_the_published_deviances() -> None:
    """Residual deviance 4.2934, and 1925.2329 if all journals are equal (Agresti 2002, p. 448)."""
    model = bt.fit(bt.TableScorer(4), datasets.citations())
    assert model.deviance() == pytest.approx(4.2934, abs=5e-5)  # half a unit of the last digit
    assert replace(model, phi=np.zeros(4)).deviance() == pytest.approx(1925.2329, abs=5e-5)
    one_hot = bt.fit(bt.LinearScorer(3), replace_items(datasets.citations(), lambda item: np.eye(4)[item][:, 1:]))
    assert one_hot.deviance() == pytest.approx(4.2934, abs=5e-5)


def replace_items(pairs, features):
    return bt.PreferencePairs(features(pairs.chosen), features(pairs.rejected), weights=pairs.weights)


def test_baseball_has_the_published_deviances_and_differences_of_aic() -> None:
    """44.053 and, with home advantage, 38.643 against home and away games; AIC 140.52 and 137.11 up to a constant."""
    pairs, at_home = datasets.baseball(), datasets.baseball(home_advantage=True)
    smaller, larger = bt.fit(bt.TableScorer(7), pairs), bt.fit(bt.LinearScorer(7), at_home)
    home = at_home.chosen[:, -1] > at_home.rejected[:, -1]
    home_team = np.where(home, pairs.chosen, pairs.rejected)
    assert smaller.deviance(groups=home_team) == pytest.approx(44.053, abs=5e-4)
    assert larger.deviance() == pytest.approx(38.643, abs=5e-4)
    assert replace(smaller, phi=np.zeros(7)).deviance(groups=home_team) == pytest.approx(78.015, abs=5e-4)
    assert smaller.aic - larger.aic == pytest.approx(140.52 - 137.11, abs=0.0101)
    found = likelihood_ratio_test(smaller, larger)
    assert found.statistic == pytest.approx(44.053 - 38.643, abs=1e-3)
    assert found.degrees_of_freedom == 1
    assert found.p_value == pytest.approx(float(mpmath.erfc(mpmath.sqrt(found.statistic / 2))), rel=1e-12)


def test_travel_modes_have_the_published_log_likelihood() -> None:
    """The conditional logit of 210 choices has log-likelihood -199.128369, and AIC 2·6 more than twice that."""
    model = bt.fit(bt.LinearScorer(6), datasets.travel_modes(as_choices=True))
    assert model.log_likelihood == pytest.approx(-199.128369, abs=5e-7)
    assert model.aic == pytest.approx(2 * 6 + 2 * 199.128369, abs=1e-6)
    published = [0.004408, 0.010440, 0.010262, 0.779055, 0.443127, 0.450266]
    np.testing.assert_allclose(model.standard_errors(), published, rtol=0, atol=5e-7)  # 6 decimals printed


def test_log_likelihood_and_aic_of_two_items_by_hand() -> None:
    """7 wins and 3 losses: 7 log 0.7 + 3 log 0.3, one free parameter, and no deviance."""
    model = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0, 1], [1, 0], weights=[7, 3]))
    want = 7 * np.log(0.7) + 3 * np.log(0.3)
    assert model.log_likelihood == pytest.approx(want, rel=1e-12)
    assert model.aic == pytest.approx(2 - 2 * want, rel=1e-12)
    assert model.deviance() == pytest.approx(0, abs=1e-12)
    share = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0], [1], weights=[10], labels=[0.7]))
    assert share.log_likelihood == pytest.approx(want, rel=1e-12)
    assert share.deviance() == pytest.approx(0, abs=1e-12)


def test_fitted_parameters_of_a_loss_count() -> None:
    """Rao-Kupper and Davidson have one more parameter; of a table one fewer is free than it has items."""
    rng = np.random.default_rng(0)
    i = rng.integers(4, size=300)
    pairs = bt.PreferencePairs(i, (i + rng.integers(1, 4, 300)) % 4, labels=rng.choice([0, 0.5, 1], 300))
    for free, known in ((RaoKupper(), RaoKupper(0.3)), (Davidson(), Davidson(0.9))):
        of_free, of_known = (bt.fit(bt.TableScorer(4), pairs, loss=loss) for loss in (free, known))
        assert of_free.aic + 2 * of_free.log_likelihood == pytest.approx(8)
        assert of_known.aic + 2 * of_known.log_likelihood == pytest.approx(6)
        found = likelihood_ratio_test(of_known, of_free)
        assert found.degrees_of_freedom == 1
        assert found.statistic == pytest.approx(2 * (of_free.log_likelihood - of_known.log_likelihood), abs=1e-9)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 10, 17, 100, 101, 1000, 3001])
def test_chi_squared_tail_is_exact_to_twelve_digits(k) -> None:
    """The regularised gamma function of mpmath agrees to 1e-12, from x near 0 to tails of 1e-300."""
    at = [1e-8, 0.1, 0.5, 1.0, 3.84, k / 3, float(k), k + 3 * (2 * k) ** 0.5, 50.0, 300.0, 700.0, 1380.0, 2.5 * k + 900]
    for x in at:
        with mpmath.workdps(60):
            want = mpmath.gammainc(mpmath.mpf(k) / 2, mpmath.mpf(x) / 2, mpmath.inf, regularized=True)
        if want < mpmath.mpf("1e-300"):
            continue
        assert abs(upper_tail(x, k) / want - 1) < 1e-12, (k, x)
    assert upper_tail(0.0, k) == 1
    assert upper_tail(1e6, k) == 0


# ------------------------------------------------------------------------------------------------------- identity


@given(st.integers(1, 60), st.floats(0, 500), st.floats(0, 500))
def test_chi_squared_tail_falls_in_x_and_rises_in_its_degrees(k, x, y) -> None:
    """It is a probability, and monotone both ways."""
    low, high = min(x, y), max(x, y)
    assert 1 >= upper_tail(low, k) >= upper_tail(high, k) * (1 - 1e-12) >= 0
    assert upper_tail(x, k + 1) >= upper_tail(x, k) * (1 - 1e-12)


def test_deviance_counts_the_same_comparison_once_in_any_order(rng) -> None:
    """Turning pairs round with their labels, splitting weights and shuffling rows changes nothing."""
    i = rng.integers(5, size=120)
    j = (i + rng.integers(1, 5, 120)) % 5
    t, w = rng.choice([0, 0.5, 1], 120), rng.integers(1, 4, 120).astype(float)
    x = rng.normal(size=(5, 3))
    turn = rng.uniform(size=120) < 0.5
    order = rng.permutation(120)
    for scorer, of in ((bt.TableScorer(5), lambda item: item), (bt.LinearScorer(3), lambda item: x[item])):
        pairs = bt.PreferencePairs(of(i), of(j), labels=t, weights=w)
        model = bt.fit(scorer, pairs)
        mask = turn if scorer.n_parameters == 5 else turn[:, None]
        turned = bt.PreferencePairs(
            np.where(mask, of(j), of(i)), np.where(mask, of(i), of(j)), labels=np.where(turn, 1 - t, t), weights=w
        ).subset(order)
        halves = turned.subset(np.repeat(np.arange(120), 2))
        halves = replace(halves, weights=halves.weights / 2)
        for other in (turned, halves):
            assert model.deviance(other) == pytest.approx(model.deviance(), rel=1e-9)
    # for a table with a free reward for each difference there would be none left: the saturated likelihood by hand
    a, b = np.minimum(i, j), np.maximum(i, j)
    first = np.where(i == a, t, 1 - t)
    total = 0.0
    for cell in np.unique(a * 5 + b):
        rows = a * 5 + b == cell
        p = (w[rows] @ first[rows]) / w[rows].sum()
        total += sum(n * np.log(q) for n, q in ((w[rows] @ first[rows], p), (w[rows] @ (1 - first[rows]), 1 - p)) if n)
    table = bt.fit(bt.TableScorer(5), bt.PreferencePairs(i, j, labels=t, weights=w))
    assert table.deviance() == pytest.approx(2 * (total - table.log_likelihood), rel=1e-9)


def test_ratio_test_of_features_is_that_of_its_log_likelihoods(rng) -> None:
    """Dropping two features of five costs two degrees of freedom; a useless copy of a feature costs none."""
    a, b = rng.normal(size=(2, 200, 5))
    labels = (rng.uniform(size=200) < 1 / (1 + np.exp(-(a - b)[:, 0]))).astype(float)
    larger = bt.fit(bt.LinearScorer(5), bt.PreferencePairs(a, b, labels=labels))
    smaller = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(a[:, :3], b[:, :3], labels=labels))
    found = likelihood_ratio_test(smaller, larger)
    assert found.degrees_of_freedom == 2
    assert found.statistic == pytest.approx(2 * (larger.log_likelihood - smaller.log_likelihood), rel=1e-9)
    assert found.p_value == pytest.approx(np.exp(-found.statistic / 2), rel=1e-9)  # two degrees of freedom
    twice = np.concatenate([a[:, :3], a[:, :1]], axis=1), np.concatenate([b[:, :3], b[:, :1]], axis=1)
    copied = bt.fit(bt.LinearScorer(4), bt.PreferencePairs(*twice, labels=labels))
    with pytest.raises(ValueError, match=r"^larger: expected more free parameters than the 3 of the smaller model"):
        likelihood_ratio_test(smaller, copied)


# ----------------------------------------------------------------------------------------------------- statistics


@pytest.mark.full
def test_p_values_are_uniform_where_the_smaller_model_is_true(rng) -> None:
    """In 500 simulated fits a tenth of the p-values are below 0.1, within four standard errors and a small bias."""
    below = 0
    for _ in range(500):
        a, b = rng.normal(size=(2, 200, 3))
        first = rng.uniform(size=200) < 1 / (1 + np.exp(-0.5 * (a - b)[:, 0]))
        pairs = bt.PreferencePairs(a, b, labels=first.astype(float))
        one = bt.fit(bt.LinearScorer(1), replace(pairs, chosen=a[:, :1], rejected=b[:, :1]))
        below += likelihood_ratio_test(one, bt.fit(bt.LinearScorer(3), pairs)).p_value < 0.1
    assert abs(below / 500 - 0.1) < 4 * np.sqrt(0.1 * 0.9 / 500) + 0.005


# -------------------------------------------------------------------------------------------------------- manners


def test_bad_requests_are_refused_in_one_sentence(tmp_path, rng) -> None:
    """Other data, other losses, penalties, fits without a minimum and the wrong order are named."""
    i = rng.integers(4, size=100)
    pairs = bt.PreferencePairs(i, (i + rng.integers(1, 4, 100)) % 4)
    x = rng.normal(size=(4, 2))
    features = bt.PreferencePairs(x[pairs.chosen], x[pairs.rejected])
    table, linear = bt.fit(bt.TableScorer(4), pairs), bt.fit(bt.LinearScorer(2), features)
    assert likelihood_ratio_test(linear, table).degrees_of_freedom == 1
    other = bt.fit(bt.TableScorer(4), pairs.subset(np.arange(90)))
    kinds = bt.fit(bt.TableScorer(4), pairs, loss=losses.Temperature(2.0))
    penalised = bt.fit(bt.TableScorer(4), pairs, l2=0.1)
    square = bt.fit(bt.TableScorer(4), pairs, loss=losses.Square(1.0))
    ranked = bt.fit(bt.LinearScorer(2), datasets_of_rankings(rng))
    stopped = bt.fit(bt.TableScorer(4), pairs, callback=lambda _: True)
    for arguments, message in (
        ((table, linear), r"^larger: expected more free parameters than the 3 of the smaller model, got 2"),
        ((linear, linear), r"^larger: expected more free parameters"),
        ((linear, other), r"^larger: expected a model of the same data .* weight of 100, got one of 90"),
        ((linear, kinds), r"^larger: expected a model with the loss of the smaller one, -log sigma, got Temperature"),
        ((penalised, table), r"^smaller: expected a fit with l2 = 0, .* got l2 = 0.1"),
        ((linear, penalised), r"^larger: expected a fit with l2 = 0, .* got l2 = 0.1"),
        ((linear, stopped), r"^larger: expected a fit that converged, got one that did not: stopped"),
        ((square, square), r"^likelihood: expected a loss that is a negative log-likelihood, got Square"),
        ((ranked, table), r"^larger: expected a model of the same data"),
    ):
        with pytest.raises(ValueError, match=message):
            likelihood_ratio_test(*arguments)
    y = rng.normal(size=(100, 1))  # a feature that has nothing to do with the table
    fits_better = bt.fit(bt.LinearScorer(1), bt.PreferencePairs(np.abs(y) + rng.normal(size=(100, 1)), -np.abs(y)))
    with pytest.raises(ValueError, match=r"^larger: expected a model that contains the smaller one"):
        likelihood_ratio_test(fits_better, table)
    with pytest.raises(ValueError, match=r"^aic: expected a fit with l2 = 0"):
        _ = penalised.aic
    with pytest.raises(ValueError, match=r"^likelihood: expected a loss that is a negative log-likelihood, got Square"):
        _ = square.log_likelihood
    with pytest.raises(ValueError, match=r"^groups: expected shape \(100,\), one name for each pair, got \(2,\)"):
        table.deviance(groups=[1, 2])
    with pytest.raises(TypeError, match=r"^pairs: expected PreferencePairs, got PreferenceRankings"):
        ranked.deviance()
    tied = bt.fit(bt.TableScorer(4), replace(pairs, labels=rng.choice([0, 0.5, 1], 100)), loss=RaoKupper())
    with pytest.raises(ValueError, match=r"^deviance: expected a loss of choices between two outcomes, got RaoKupper"):
        tied.deviance()
    table.save(tmp_path / "m.npz")
    loaded = bt.RewardModel.load(tmp_path / "m.npz")
    for name in ("log_likelihood", "aic"):
        with pytest.raises(ValueError, match=r"^pairs: expected the pairs of the fit for this number"):
            getattr(loaded, name)
    assert loaded.deviance(pairs) == pytest.approx(table.deviance(), rel=1e-12)


def datasets_of_rankings(rng):
    ranks = np.concatenate([rng.permutation(3) + 1 for _ in range(100)])
    return bt.PreferenceRankings(rng.normal(size=(300, 2)), ranks, np.repeat(np.arange(100), 3))


def test_models_of_other_labels_are_not_compared(rng) -> None:
    x, labels = rng.normal(size=(60, 2)), rng.integers(2, size=60).astype(float)
    one = bt.fit(bt.LinearScorer(1), bt.PreferencePairs(x[:, :1], 0 * x[:, :1], labels=labels))
    other = bt.fit(bt.LinearScorer(2), bt.PreferencePairs(x, 0 * x, labels=1 - labels))
    with pytest.raises(ValueError, match="larger: expected a model of the same data as the smaller one, got other"):
        bt.inference.likelihood_ratio_test(one, other)
