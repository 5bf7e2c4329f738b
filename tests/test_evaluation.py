"""How good is a model, and how sure may we be: accuracy, calibration, intervals, standard errors, separation."""

from __future__ import annotations

import json

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.evaluation import (
    bootstrap_interval,
    covariance,
    evaluate,
    pairwise_accuracies,
    reliability,
    strong_components,
)
from bradley_terry.preference import accuracy_ceiling, brier_floor

LOG_2 = 0.6931471805599453


def margins_as_pairs(margins, **options) -> tuple[bt.LinearScorer, np.ndarray, bt.PreferencePairs]:
    """Return scorer, φ and pairs whose margins are these numbers."""
    z = np.asarray(margins, dtype=np.float64)
    return bt.LinearScorer(1), np.ones(1), bt.PreferencePairs(z[:, None], np.zeros((z.size, 1)), **options)


# ---------------------------------------------------------------------------------------------------- known value


def test_accuracy_of_four_pairs_is_three_quarters() -> None:
    """Chosen [2, 1.5, 3, .5] against rejected [1, 1, 2, 1]: loss .5187, accuracy .75, by hand."""
    pairs = bt.PreferencePairs(np.array([[2], [1.5], [3], [0.5]]), np.array([[1], [1], [2], [1.0]]))
    found = evaluate(bt.LinearScorer(1), [1.0], pairs)
    assert found.accuracy == 0.75
    assert found.mean_loss == pytest.approx(0.5187, abs=5e-5)
    assert found.coin_flip_loss == LOG_2
    assert (found.reward_mean_chosen, found.reward_mean_rejected, found.margin_mean) == (1.75, 1.25, 0.5)
    assert found.margin_quantiles == (-0.5, -0.5, 0.5, 1.0, 1.0)
    assert found.margin_sd == pytest.approx(np.std([1, 0.5, 1, -0.5]), rel=1e-14)
    assert found.reward_sd == pytest.approx(np.std([2, 1.5, 3, 0.5, 1, 1, 2, 1]), rel=1e-14)


def test_a_margin_of_zero_counts_half_and_a_label_mixes_the_outcomes() -> None:
    """T where Δ > 0, 1 - t where Δ < 0, ½ at Δ = 0; a tie gives ½ whatever the model says."""
    np.testing.assert_array_equal(pairwise_accuracies([2.0, 0.0, -0.0, -1.0]), [1, 0.5, 0.5, 0])
    np.testing.assert_array_equal(
        pairwise_accuracies([2, 0, -1, 3, -3], [0.75, 0.75, 0.75, 0.5, 0.5]), [0.75, 0.5, 0.25, 0.5, 0.5]
    )


def test_a_model_that_knows_nothing_is_a_coin() -> None:
    """All-zero rewards: loss log 2, accuracy ½, Brier ¼, ECE 0, whatever the labels."""
    for labels in (None, [1, 0.5, 0, 1], [0.25, 0.75, 1, 0.125]):
        scorer, _, pairs = margins_as_pairs([1, 2, 3, -4], labels=labels)
        found = evaluate(scorer, [0.0], pairs)
        assert (found.mean_loss, found.accuracy, found.brier, found.ece) == (LOG_2, 0.5, 0.25, 0)
        assert found.n_identical == 0


def test_brier_and_reliability_by_hand() -> None:
    """Margins ±log 3 predict 3/4 for the favourite, which wins two of three: Brier (2/16 + 9/16)/3, ECE 1/12."""
    scorer, phi, pairs = margins_as_pairs(np.log(3) * np.array([1, 1, -1]))
    found = evaluate(scorer, phi, pairs, n_bins=5)
    assert found.brier == pytest.approx(11 / 48, rel=1e-14)
    table = found.reliability
    np.testing.assert_allclose(table.edges, [0.5, 0.6, 0.7, 0.8, 0.9, 1])
    np.testing.assert_array_equal(table.weight, [0, 0, 1, 0, 0])
    assert table.predicted[2] == pytest.approx(0.75)
    assert table.observed[2] == pytest.approx(2 / 3)
    assert np.isnan(table.predicted[[0, 1, 3, 4]]).all()
    assert found.ece == pytest.approx(1 / 12, rel=1e-13)


def test_certain_and_even_predictions_have_their_bins() -> None:
    """A probability of 1 belongs to the last bin, of ½ to the first; an edge to the bin above it."""
    table = reliability([np.inf, -np.inf, 0.0, 40.0], n_bins=4)
    np.testing.assert_array_equal(table.weight, [0.25, 0, 0, 0.75])
    np.testing.assert_allclose(table.observed, [0.5, np.nan, np.nan, 2 / 3])


def test_citations_have_the_published_estimates_and_errors_in_three_identifications() -> None:
    """Stigler's citation table (Agresti 2002, p. 448): MLE, standard errors, and deviances to the printed digits."""
    counts = np.reshape(
        [714, 33, 320, 284, 730, 425, 813, 276, 498, 68, 1072, 325, 221, 17, 142, 188], (4, 4), order="F"
    )
    names = ["Biometrika", "Comm. Statist.", "JASA", "JRSS-B"]
    i, j = np.nonzero(~np.eye(4, dtype=bool))
    pairs = bt.PreferencePairs(i, j, weights=counts[i, j], feature_names=names)
    model = bt.fit(bt.TableScorer(4), pairs)
    assert model.converged
    published, errors = np.array([0, -2.9490725, -0.4795698, 0.2689541]), [0, 0.10254534, 0.06058873, 0.07082997]
    # half a unit of the last printed digit, and 1e-8 for the fit
    for reference in (0, "Biometrika"):
        np.testing.assert_allclose(model.estimates(reference), published, atol=6e-8)
        np.testing.assert_allclose(model.standard_errors(reference), errors, atol=2e-8)
    np.testing.assert_allclose(model.phi, published - published.mean(), atol=6e-8)
    assert abs(model.phi.sum()) < 1e-14
    np.testing.assert_allclose(model.estimates("JASA"), published - published[2], atol=1.2e-7)
    # the same errors by the textbook: invert the Hessian without the reference's row and column, and project
    objective = bt.Objective(bt.TableScorer(4), pairs)
    information = objective.hessian(model.phi) * pairs.total_weight
    for reference in range(4):
        keep = np.arange(4) != reference
        want = np.zeros((4, 4))
        want[np.ix_(keep, keep)] = np.linalg.inv(information[np.ix_(keep, keep)])
        np.testing.assert_allclose(model.covariance(reference), want, atol=1e-15)  # entries of .01, a few hundred eps
    np.testing.assert_allclose(model.covariance(), np.linalg.pinv(information), atol=1e-15)
    # deviances compare with a binomial model that has a free probability for each pair of journals
    wins = counts[np.triu_indices(4, 1)].astype(float)
    losses = counts.T[np.triu_indices(4, 1)].astype(float)
    share = wins / (wins + losses)
    saturated = -np.sum(wins * np.log(share) + losses * np.log(1 - share))
    residual = 2 * (objective(model.phi)[0] * pairs.total_weight - saturated)
    null = 2 * (objective(np.zeros(4))[0] * pairs.total_weight - saturated)
    assert residual == pytest.approx(4.2934, abs=5e-5)
    assert null == pytest.approx(1925.2329, abs=5e-5)


def test_components_of_small_tournaments_by_hand() -> None:
    """A cycle is one group; a ladder is one group for each item, strongest first; a tie joins; islands stay apart."""
    pairs = bt.PreferencePairs
    assert strong_components(pairs([0, 1, 2], [1, 2, 0])) == [[0, 1, 2]]
    assert strong_components(pairs([2, 1], [1, 0])) == [[2], [1], [0]]
    assert strong_components(pairs([2, 1], [1, 0], labels=[0.5, 1])) == [[1, 2], [0]]
    assert sorted(strong_components(pairs([0, 1, 2, 3], [1, 0, 3, 2]))) == [[0, 1], [2, 3]]
    assert strong_components(pairs([0, 1], [1, 0], labels=[1, 1], weights=[1, 0])) == [[0], [1]]
    assert strong_components(pairs([1], [0], labels=[0.0])) == [[0], [1]]


# ------------------------------------------------------------------------------------------------------- identity


def test_integer_weights_are_repeated_rows_in_every_metric(rng) -> None:
    """Loss, accuracy, Brier, ECE, means, deviations and quantiles of weighted pairs are those of repeated pairs."""
    n = 60
    w = rng.integers(0, 4, n)
    options = {"labels": rng.uniform(0, 1, n), "target_margins": rng.normal(size=n)}
    scorer, phi, weighted = margins_as_pairs(rng.normal(0, 2, n), weights=w, **options)
    repeated = margins_as_pairs(weighted.chosen[:, 0], **options)[2].subset(np.repeat(np.arange(n), w))
    a, b = evaluate(scorer, phi, weighted).to_dict(), evaluate(scorer, phi, repeated).to_dict()
    own = {"n_pairs", "n_prompts", "n_identical", "accuracy_interval", "reliability", "margin_quantiles"}
    for name in a.keys() - own:
        assert a[name] == pytest.approx(b[name], rel=1e-12), name  # sums in another order
    for name in ("edges", "predicted", "observed", "weight"):
        x, y = (getattr(evaluate(scorer, phi, p).reliability, name) for p in (weighted, repeated))
        np.testing.assert_allclose(x, y, rtol=1e-12, err_msg=name)


def test_quantiles_of_the_margins_honour_the_weights() -> None:
    """A pair without weight is no pair, and one of weight 99 stands for 99: the quantiles move with them."""
    scorer, phi, pairs = margins_as_pairs([-9, 1, 2, 3], weights=[0, 1, 99, 1])
    low, _, median, _, high = evaluate(scorer, phi, pairs).margin_quantiles
    assert (low, median, high) == (1, 2, 3)


def test_integer_weights_are_repeated_rows_in_standard_errors(rng) -> None:
    """Standard errors read weights as counts."""
    c, r = rng.normal(size=(2, 80, 3))
    w = rng.integers(1, 5, 80)
    rows = np.repeat(np.arange(80), w)
    labels = rng.uniform(0.2, 1, 80)
    weighted = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(c, r, weights=w, labels=labels))
    repeated = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(c[rows], r[rows], labels=labels[rows]))
    np.testing.assert_allclose(weighted.phi, repeated.phi, atol=1e-8)  # gradients below 1e-9
    np.testing.assert_allclose(weighted.standard_errors(), repeated.standard_errors(), rtol=1e-8)


def test_target_margins_shift_the_probability_but_not_who_is_ahead(rng) -> None:
    """Loss, Brier and calibration read Δ - m; accuracy and the summaries read Δ."""
    z, m = rng.normal(0, 2, (2, 50))
    scorer, phi, pairs = margins_as_pairs(z, target_margins=m)
    found = evaluate(scorer, phi, pairs)
    shifted = evaluate(*margins_as_pairs(z - m))
    plain = evaluate(*margins_as_pairs(z))
    for name in ("mean_loss", "brier", "ece"):
        assert getattr(found, name) == pytest.approx(getattr(shifted, name), rel=1e-13)
    for name in ("accuracy", "margin_mean", "margin_sd", "margin_quantiles", "reward_sd"):
        assert getattr(found, name) == getattr(plain, name)


def test_a_pair_turned_round_is_judged_the_same(rng) -> None:
    """(c, r, t) and (r, c, 1-t) give the same loss, accuracy, Brier and calibration."""
    z, t = rng.normal(0, 2, 50), rng.uniform(0, 1, 50)
    a, b = evaluate(*margins_as_pairs(z, labels=t)), evaluate(*margins_as_pairs(-z, labels=1 - t))
    for name in ("mean_loss", "accuracy", "brier", "ece"):
        assert getattr(a, name) == pytest.approx(getattr(b, name), rel=1e-13)


def test_mean_loss_is_the_objective_without_l2(random_pairs, rng) -> None:
    """What ``evaluate`` calls mean_loss is what was trained on, weights, labels and target margins included."""
    for scorer in (bt.LinearScorer(3), bt.MLPScorer(3, 4), bt.TableScorer(5)):
        pairs = random_pairs(scorer, 100)
        phi = rng.normal(size=scorer.n_parameters)
        assert evaluate(scorer, phi, pairs).mean_loss == pytest.approx(bt.Objective(scorer, pairs)(phi)[0], rel=1e-13)


def test_covariance_of_a_table_does_not_depend_on_the_reference_for_differences(rng) -> None:
    """Var(r_a - r_b) is the same whichever item is fixed; rows of the sum-to-zero covariance sum to zero; l2 too."""
    wins = rng.integers(1, 9, (5, 5))
    i, j = np.nonzero(~np.eye(5, dtype=bool))
    pairs = bt.PreferencePairs(i, j, weights=wins[i, j])
    for l2 in (0.0, 0.1):
        model = bt.fit(bt.TableScorer(5), pairs, l2=l2)
        contrasts = [model.covariance(k) for k in (None, 0, 3, -1)]
        spread = [np.diag(c)[:, None] + np.diag(c)[None] - 2 * c for c in contrasts]
        for other in spread[1:]:
            np.testing.assert_allclose(other, spread[0], atol=1e-13)
        np.testing.assert_allclose(contrasts[0].sum(axis=0), 0, atol=1e-14)
        np.testing.assert_allclose(contrasts[3][4], 0, atol=1e-14)


def test_intervals_are_estimates_plus_and_minus_two_errors(rng) -> None:
    """A 95 % interval is ± 1.959964 standard errors around the estimate, 0 for the reference item."""
    model = bt.fit(bt.TableScorer(3), bt.PreferencePairs([0, 0, 1, 2, 1], [1, 1, 2, 0, 0]))
    for reference in (None, 1):
        low, high = model.intervals(reference=reference).T
        np.testing.assert_allclose((low + high) / 2, model.estimates(reference), atol=1e-14)
        np.testing.assert_allclose(high - low, 2 * 1.959963985 * model.standard_errors(reference), rtol=1e-9)
    assert (model.intervals(0.5)[:, 1] < model.intervals(0.9)[:, 1]).all()


# ----------------------------------------------------------------------------------------------------- statistics


def test_bootstrap_interval_respects_prompts(rng) -> None:
    """Where all pairs of a prompt share their fate, the honest interval is about √10 times the naive one."""
    values = np.repeat(rng.integers(0, 2, 100), 10).astype(float)
    honest = bootstrap_interval(values, np.repeat(np.arange(100), 10), rng=rng)
    naive = bootstrap_interval(values, np.arange(1000), rng=rng)
    # two widths from 2,000 resamples, each good to some 4 %
    assert (honest[1] - honest[0]) / (naive[1] - naive[0]) == pytest.approx(np.sqrt(10), rel=0.2)


def test_bootstrap_interval_covers_the_truth_about_as_often_as_it_says(rng) -> None:
    """Prompts of 5 pairs with their own difficulty: 95 % intervals hold the mean in about 95 % of 200 worlds."""
    hits, naive_hits, worlds = 0, 0, 200
    for _ in range(worlds):
        difficulty = rng.choice([0.2, 0.8, 1.0], size=60)  # mean 2/3
        values = (rng.random((60, 5)) < difficulty[:, None]).astype(float).ravel()
        for is_naive, index in ((False, np.repeat(np.arange(60), 5)), (True, np.arange(300))):
            low, high = bootstrap_interval(values, index, rng=rng, n_bootstrap=200)
            inside = low <= 2 / 3 <= high
            hits, naive_hits = hits + (inside and not is_naive), naive_hits + (inside and is_naive)
    # .95 less some .02 for 60 prompts and 200 resamples; the share of 200 has standard error .018: 4 of them
    assert 0.93 - 4 * 0.018 <= hits / worlds <= 1
    assert naive_hits < hits


def test_standard_errors_match_the_spread_over_refits(rng) -> None:
    """Over 300 simulated data sets the estimates scatter as their mean standard error says, around the truth."""
    truth, n = np.array([1.0, -0.5]), 400
    phis, errors = [], []
    c, r = rng.normal(size=(2, n, 2))
    true_margins = (c - r) @ truth
    for _ in range(300):
        won = bt.sample_preferences(true_margins, 0.0, rng)
        pairs = bt.PreferencePairs(np.where(won[:, None], c, r), np.where(won[:, None], r, c))
        model = bt.fit(bt.LinearScorer(2), pairs)
        phis.append(model.phi)
        errors.append(model.standard_errors())
    spread, mean_error = np.std(phis, axis=0, ddof=1), np.mean(errors, axis=0)
    # a standard deviation of 300 draws has relative standard error 1/√600 = .041: 4 of them
    np.testing.assert_allclose(spread, mean_error, rtol=4 * 0.041)
    # the mean of 300 is good to se/√300; the bias of maximum likelihood is of order 1/n, here .01
    assert (np.abs(np.mean(phis, axis=0) - truth) <= 4 * mean_error / np.sqrt(300) + 0.015).all()


def test_metrics_of_the_true_model_approach_their_floors(rng) -> None:
    """Loss, Brier and accuracy of the truth are within 4 standard errors of floor and ceiling; its ECE is small."""
    n = 50_000
    true = rng.normal(0, 1.5, n)
    z = np.where(bt.sample_preferences(true, 0.0, rng), true, -true)
    found = evaluate(*margins_as_pairs(z), n_bootstrap=50)
    half = 4 / np.sqrt(n)
    assert abs(found.mean_loss - bt.loss_floor(true)) <= half * bt.pair_losses(z).std()
    assert abs(found.brier - brier_floor(true)) <= half * (bt.sigmoid(-z) ** 2).std()
    assert abs(found.accuracy - accuracy_ceiling(true)) <= half * 0.5
    assert found.ece <= half * 0.5 * np.sqrt(10)  # ten bins of 5,000, each within its own 4 standard errors
    assert found.accuracy_interval[0] < found.accuracy < found.accuracy_interval[1]


# -------------------------------------------------------------------------------------------------------- manners


def test_evaluation_is_reproducible_and_ready_for_json(random_pairs) -> None:
    """The same seed gives the same interval; ``to_dict`` survives JSON, NaN as null; ``str`` is one sentence."""
    scorer = bt.LinearScorer(2)
    pairs = random_pairs(scorer, 30)
    a, b, other = (evaluate(scorer, [1.0, 2.0], pairs, seed=s) for s in (1, 1, 2))
    assert a.accuracy_interval == b.accuracy_interval
    assert a.accuracy_interval != other.accuracy_interval
    text = json.dumps(a.to_dict(), allow_nan=False)
    assert json.loads(text)["mean_loss"] == a.mean_loss
    assert "knowing nothing: 0.6931" in str(a)
    assert len(str(a).splitlines()) == 1
    single = evaluate(scorer, [1.0, 2.0], bt.PreferencePairs(pairs.chosen, pairs.rejected, prompts=["x"] * 30))
    assert single.accuracy_interval is None
    assert "accuracy" in str(single)


def test_identical_answers_are_kept_and_counted() -> None:
    """Their loss is log 2 and their accuracy ½, and the report counts them."""
    pairs = bt.PreferencePairs([[1.0, 2], [3, 4]], [[1.0, 2], [0, 0]])
    found = evaluate(bt.LinearScorer(2), [0.5, 0.25], pairs)
    assert (found.n_pairs, found.n_identical) == (2, 1)
    assert found.accuracy == 0.75
    assert found.mean_loss == pytest.approx((LOG_2 + bt.pair_losses(2.5)) / 2, rel=1e-15)


def test_directions_that_the_data_leave_open_have_no_standard_error() -> None:
    """A feature that both answers share, and islands of items, are refused with advice; l2 > 0 closes the gap."""
    rng = np.random.default_rng(0)
    c, r = rng.normal(size=(2, 50, 2))
    c[:, 1] = r[:, 1] = 1
    model = bt.fit(bt.LinearScorer(2), bt.PreferencePairs(c, r))
    with pytest.raises(ValueError, match=r"^standard errors: 1 direction\(s\) of phi are not determined .*parameter 1"):
        model.standard_errors()
    assert np.isfinite(bt.fit(bt.LinearScorer(2), bt.PreferencePairs(c, r), l2=0.1).standard_errors()).all()
    islands = bt.fit(bt.TableScorer(4), bt.PreferencePairs([0, 1, 2, 3], [1, 0, 3, 2]))
    with pytest.raises(ValueError, match=r"^standard errors: 1 direction"):
        islands.standard_errors()


def test_bad_requests_are_refused_in_one_sentence(random_pairs) -> None:
    """References, levels, bins, resamples, and scorers that do not fit are named."""
    table = bt.fit(bt.TableScorer(3), bt.PreferencePairs([0, 1, 2], [1, 2, 0], feature_names=["a", "b", "c"]))
    linear = bt.fit(bt.LinearScorer(2), random_pairs(bt.LinearScorer(2)))
    for call in (table.standard_errors, table.estimates, table.covariance):
        with pytest.raises(ValueError, match=r"^reference: expected an item from 0 to 2, got 7"):
            call(7)
        with pytest.raises(ValueError, match=r"^reference: expected one of .* got 'z'"):
            call("z")
    for call in (linear.standard_errors, linear.estimates):
        with pytest.raises(ValueError, match=r"^reference: expected None for LinearScorer"):
            call(0)
    with pytest.raises(ValueError, match=r"^level: expected a share between 0 and 1, got 95"):
        table.intervals(95)
    with pytest.raises(ValueError, match=r"^pairs: expected item numbers, got features"):
        strong_components(random_pairs(bt.LinearScorer(2)))
    with pytest.raises(ValueError, match=r"^n_bins: expected a whole number of at least 1, got 0"):
        linear.evaluate(random_pairs(bt.LinearScorer(2)), n_bins=0)
    with pytest.raises(ValueError, match=r"^chosen: expected shape \(n, 2\)"):
        linear.evaluate(random_pairs(bt.LinearScorer(3)))
    with pytest.raises(ValueError, match=r"^standard errors: expected a scorer that is linear in phi"):
        bt.fit(bt.MLPScorer(2, 2), random_pairs(bt.LinearScorer(2)), max_steps=1).standard_errors()
    with pytest.raises(ValueError, match=r"^phi: expected shape"):
        evaluate(bt.LinearScorer(2), [1.0], random_pairs(bt.LinearScorer(2)))


def test_too_few_resamples_are_refused(random_pairs) -> None:
    """An interval of no resamples is refused by name."""
    with pytest.raises(ValueError, match=r"^n_bootstrap: "):
        evaluate(bt.LinearScorer(2), [1.0, 2.0], random_pairs(bt.LinearScorer(2)), n_bootstrap=0)


def test_covariance_of_one_item_is_zero() -> None:
    """A table of one item has a reward of 0 and nothing uncertain about it."""
    np.testing.assert_array_equal(covariance(bt.TableScorer(1), np.zeros((1, 1))), [[0]])
