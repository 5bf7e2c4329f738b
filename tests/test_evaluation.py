"""How good is a model: loss, accuracy, calibration, and the intervals of these numbers."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.evaluation import (
    Reliability,
    bootstrap_interval,
    evaluate,
    mean_accuracy,
    pairwise_accuracies,
    reliability,
    wilson_intervals,
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
    """The accuracy of a pair is t where Δ > 0, 1 - t where Δ < 0 and ½ where Δ = 0; a tie gives ½ for every model."""
    np.testing.assert_array_equal(pairwise_accuracies([2.0, 0.0, -0.0, -1.0]), [1, 0.5, 0.5, 0])
    np.testing.assert_array_equal(
        pairwise_accuracies([2, 0, -1, 3, -3], [0.75, 0.75, 0.75, 0.5, 0.5]), [0.75, 0.5, 0.25, 0.5, 0.5]
    )


def test_a_model_that_knows_nothing_is_a_coin() -> None:
    """If all rewards are zero, the loss is log 2, the accuracy ½, the Brier score ¼ and the ECE 0, for any labels."""
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
    """A probability of 1 belongs to the last bin, ½ to the first, and an edge to the bin above it."""
    table = reliability([np.inf, -np.inf, 0.0, 40.0], n_bins=4)
    np.testing.assert_array_equal(table.weight, [0.25, 0, 0, 0.75])
    np.testing.assert_allclose(table.observed, [0.5, np.nan, np.nan, 2 / 3])


def test_wilson_intervals_are_the_published_ones() -> None:
    """They agree with Newcombe 1998, Statistics in Medicine 17, table I, method 3, to four digits; and for 8 of 10."""
    successes, trials = np.array([81, 15, 0, 1, 8]), np.array([263, 148, 20, 29, 10])
    published = [[0.2553, 0.3662], [0.0624, 0.1605], [0, 0.1611], [0.0061, 0.1718], [0.4902, 0.9433]]
    np.testing.assert_allclose(wilson_intervals(successes / trials, trials), published, atol=5e-5)


def test_reliability_has_the_wilson_interval_of_each_bin() -> None:
    """Margins ±1 predict .731, where 8 of 10 favourites win, and ±3 predict .953, where all 3 win."""
    table = reliability([1] * 8 + [-1] * 2 + [3] * 3, n_bins=5)
    np.testing.assert_allclose(table.intervals[2], [0.4902, 0.9433], atol=5e-5)
    np.testing.assert_allclose(table.intervals[4], wilson_intervals(1.0, 3), rtol=1e-12)
    assert np.isnan(table.intervals[[0, 1, 3]]).all()


def test_an_interval_counts_prompts_as_trials_and_discounts_unequal_weights() -> None:
    """Four pairs of two prompts are 2 trials; prompts of 3 and 1 pairs, or of weights 3 and 1, are 16/10 trials."""
    z = np.array([1.0, -1, 1, 1])
    cases = [
        ({"prompt_index": [0, 0, 1, 1]}, 0.75, 2),
        ({"prompt_index": [0, 0, 0, 0]}, 0.75, 1),
        ({"prompt_index": [0, 1, 0, 0]}, 0.75, 1.6),
        ({"weights": [3, 1, 0, 0]}, 0.75, 1.6),
        ({"weights": [0.5, 0.25, 0.25, 0], "prompt_index": [0, 1, 1, 2]}, 0.75, 2),
        ({"weights": [1e300, 1e300, 1e300, 1e300]}, 0.75, 4),
        ({}, 0.75, 4),
    ]
    for options, share, n in cases:
        table = reliability(z, n_bins=1, **options)
        assert table.observed[0] == pytest.approx(share, rel=1e-15)
        np.testing.assert_allclose(table.intervals, wilson_intervals([share], n), rtol=1e-12, err_msg=str(options))
    scorer, phi, pairs = margins_as_pairs(z, prompts=["a", "a", "b", "b"])
    np.testing.assert_allclose(evaluate(scorer, phi, pairs).reliability.intervals[4], wilson_intervals(0.75, 2))


# ------------------------------------------------------------------------------------------------------- identity


def test_both_forms_of_evaluate_agree(random_pairs) -> None:
    """``evaluate(model, pairs)``, ``evaluate(scorer, phi, pairs)`` and ``model.evaluate(pairs)`` are the same."""
    pairs = random_pairs(bt.LinearScorer(2), 40)
    model = bt.fit(bt.LinearScorer(2), pairs)
    found = evaluate(model.scorer, model.phi, pairs, n_bins=3, n_bootstrap=20, seed=5)
    assert evaluate(model, pairs, n_bins=3, n_bootstrap=20, seed=5) == found
    assert evaluate(model, pairs=pairs, n_bins=3, n_bootstrap=20, seed=5) == found
    assert evaluate(phi=model.phi, scorer=model.scorer, pairs=pairs, n_bins=3, n_bootstrap=20, seed=5) == found
    assert model.evaluate(pairs, n_bins=3, n_bootstrap=20, seed=5) == found
    assert found != evaluate(model, pairs, n_bins=4, n_bootstrap=20, seed=5)
    assert found != evaluate(model, pairs, n_bins=3, n_bootstrap=20, seed=6)


def test_margins_are_those_of_the_objective_and_of_the_model(random_pairs, rng) -> None:
    """All three give the same bits, for each kind of scorer; for MLP and table they are differences of rewards."""
    for scorer in (bt.LinearScorer(3), bt.MLPScorer(3, 4), bt.TableScorer(5)):
        pairs = random_pairs(scorer, 100)
        phi = rng.normal(size=scorer.n_parameters)
        margins = evaluate(scorer, phi, pairs, n_bootstrap=1).margins
        np.testing.assert_array_equal(margins, bt.Objective(scorer, pairs, backend="numpy").margins(phi))
        if not isinstance(scorer, bt.LinearScorer):
            np.testing.assert_array_equal(
                margins, scorer.reward(phi, pairs.chosen) - scorer.reward(phi, pairs.rejected)
            )
        model = bt.RewardModel(scorer, phi, {}, converged=True, message="")
        np.testing.assert_array_equal(margins, model.margins(pairs))


def test_counting_gives_the_same_accuracy_as_the_mean(rng) -> None:
    """Without labels and weights, ``mean_accuracy`` counts pairs. This gives the mean of the pairs' accuracies."""
    z = rng.integers(-2, 3, 64).astype(float)  # 64 pairs: every mean is exact
    assert mean_accuracy(z) == pairwise_accuracies(z).mean() == mean_accuracy(z, weights=np.ones(64))


def test_wilson_intervals_hold_the_share_and_stay_between_0_and_1(rng) -> None:
    """Each end is a p from which p̂ is exactly 1.96 standard errors away; p̂ = 0 and 1 end exactly there."""
    shares, n = np.append([0.0, 1.0], rng.uniform(0, 1, 500)), 10 ** rng.uniform(-1, 9, 502)
    low, high = wilson_intervals(shares, n).T
    assert ((low >= 0) & (low <= shares) & (shares <= high) & (high <= 1)).all()
    assert low[0] == 0
    assert high[1] == 1
    for p in (low[2:], high[2:]):
        np.testing.assert_allclose(np.abs(shares[2:] - p), 1.959963985 * np.sqrt(p * (1 - p) / n[2:]), rtol=1e-6)
    np.testing.assert_allclose(wilson_intervals(1 - shares, n), 1 - np.stack([high, low], axis=1), atol=1e-12)


@pytest.mark.full
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


def test_integer_weights_are_repeated_rows_of_a_prompt_in_the_intervals(rng) -> None:
    """A pair of weight 3 counts like three pairs of its prompt: one trial, with three times the influence."""
    z, w, prompts = rng.normal(0, 2, 60), rng.integers(0, 4, 60), rng.integers(20, size=60)
    rows = np.repeat(np.arange(60), w)
    a = reliability(z, weights=w, prompt_index=prompts).intervals
    b = reliability(z[rows], prompt_index=prompts[rows]).intervals
    np.testing.assert_allclose(a, b, rtol=1e-12)


def test_quantiles_of_the_margins_honour_the_weights() -> None:
    """The quantiles ignore a pair of weight 0 and count a pair of weight 99 as 99 pairs."""
    scorer, phi, pairs = margins_as_pairs([-9, 1, 2, 3], weights=[0, 1, 99, 1])
    low, _, median, _, high = evaluate(scorer, phi, pairs).margin_quantiles
    assert (low, median, high) == (1, 2, 3)


def test_target_margins_shift_the_probability_but_not_who_is_ahead(rng) -> None:
    """Loss, Brier score and calibration use Δ - m; accuracy and the summaries use Δ."""
    z, m = rng.normal(0, 2, (2, 50))
    scorer, phi, pairs = margins_as_pairs(z, target_margins=m)
    found = evaluate(scorer, phi, pairs)
    shifted = evaluate(*margins_as_pairs(z - m))
    plain = evaluate(*margins_as_pairs(z))
    for name in ("mean_loss", "brier", "ece"):
        assert getattr(found, name) == pytest.approx(getattr(shifted, name), rel=1e-13)
    for name in ("accuracy", "margin_mean", "margin_sd", "margin_quantiles", "reward_sd"):
        assert getattr(found, name) == getattr(plain, name)


def test_a_pair_turned_round_gives_the_same_numbers(rng) -> None:
    """(c, r, t) and (r, c, 1-t) give the same loss, accuracy, Brier and calibration."""
    z, t = rng.normal(0, 2, 50), rng.uniform(0, 1, 50)
    a, b = evaluate(*margins_as_pairs(z, labels=t)), evaluate(*margins_as_pairs(-z, labels=1 - t))
    for name in ("mean_loss", "accuracy", "brier", "ece"):
        assert getattr(a, name) == pytest.approx(getattr(b, name), rel=1e-13)


def test_mean_loss_is_the_objective_without_l2(random_pairs, rng) -> None:
    """The mean_loss of ``evaluate`` is the training loss, with weights, labels and target margins."""
    for scorer in (bt.LinearScorer(3), bt.MLPScorer(3, 4), bt.TableScorer(5)):
        pairs = random_pairs(scorer, 100)
        phi = rng.normal(size=scorer.n_parameters)
        assert evaluate(scorer, phi, pairs).mean_loss == pytest.approx(bt.Objective(scorer, pairs)(phi)[0], rel=1e-13)


# ----------------------------------------------------------------------------------------------------- statistics


def test_bootstrap_interval_respects_prompts(rng) -> None:
    """If the 10 pairs of a prompt always agree, the interval over prompts is about √10 times the one over pairs."""
    values = np.repeat(rng.integers(0, 2, 100), 10).astype(float)
    honest = bootstrap_interval(values, np.repeat(np.arange(100), 10), rng=rng)
    naive = bootstrap_interval(values, np.arange(1000), rng=rng)
    # two widths from 2,000 resamples, each good to some 4 %
    assert (honest[1] - honest[0]) / (naive[1] - naive[0]) == pytest.approx(np.sqrt(10), rel=0.2)


@pytest.mark.full
def test_bootstrap_interval_covers_the_truth_about_as_often_as_it_says(rng) -> None:
    """Each prompt has 5 pairs and its own difficulty. 95 % intervals contain the mean in about 95 % of 200 trials."""
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


@pytest.mark.full
def test_reliability_intervals_cover_the_truth_about_as_often_as_they_say(rng) -> None:
    """Prompts have 1 to 9 pairs with equal outcomes. 95 % intervals hold the true share in at least 93 % of 1000."""
    hits = naive_hits = 0
    for _ in range(1000):
        prompts = np.repeat(np.arange(40), rng.integers(1, 10, 40))
        z = np.where(rng.random(40) < 0.7, 1.0, -1.0)[prompts]
        for is_naive in (False, True):
            low, high = reliability(z, n_bins=1, prompt_index=None if is_naive else prompts).intervals[0]
            inside = low <= 0.7 <= high
            hits, naive_hits = hits + (inside and not is_naive), naive_hits + (inside and is_naive)
    assert hits / 1000 >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 1000)
    assert naive_hits / 1000 < 0.7  # 200 trials where there are 40


def test_metrics_of_the_true_model_approach_their_floors(rng) -> None:
    """Loss, Brier score and accuracy are within 4 standard errors of floor and ceiling, and the ECE is small."""
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
    """The same seed gives the same interval. ``to_dict`` survives JSON, with NaN as null and without the margins."""
    scorer = bt.LinearScorer(2)
    pairs = random_pairs(scorer, 30)
    a, b, other = (evaluate(scorer, [1.0, 2.0], pairs, seed=s, n_bins=20, n_bootstrap=100) for s in (1, 1, 2))
    assert a.accuracy_interval == b.accuracy_interval
    assert a.accuracy_interval != other.accuracy_interval
    found = json.loads(json.dumps(a.to_dict(), allow_nan=False))
    assert found["mean_loss"] == a.mean_loss
    assert "margins" not in found
    assert found["reliability"]["n_pairs"] == a.reliability.n_pairs.tolist()
    for name in ("predicted", "observed", "intervals"):
        values = np.array(found["reliability"][name], dtype=np.float64)  # None becomes NaN
        np.testing.assert_array_equal(values, getattr(a.reliability, name))
        assert np.isnan(values).any()


def test_a_scorer_may_use_its_arrays_again(rng) -> None:
    """Some scorers fill one buffer at each call. Margins and gradient are still those of a scorer that does not."""

    class Buffered(bt.LinearScorer):
        buffer, gradient = np.empty(20), np.empty(2)

        def reward(self, phi, features):
            self.buffer[:] = super().reward(phi, features)
            return self.buffer

        def backward(self, phi, features, d_rewards):
            self.gradient[:] = super().backward(phi, features, d_rewards)
            return self.gradient

    pairs, phi = bt.PreferencePairs(*rng.normal(size=(2, 20, 2))), np.array([1.0, -0.5])
    want = bt.Objective(bt.LinearScorer(2), pairs, backend="numpy").at(phi)
    found = bt.Objective(Buffered(2), pairs, backend="numpy").at(phi)
    np.testing.assert_allclose(found.margins, want.margins, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found.gradient, want.gradient, rtol=0, atol=1e-14)
    np.testing.assert_allclose(evaluate(Buffered(2), phi, pairs).margins, want.margins, rtol=0, atol=1e-14)


def test_margins_are_neither_shown_nor_compared(random_pairs) -> None:
    """The margins of a million pairs must not fill the screen, and two evaluations are compared by their numbers."""
    scorer = bt.LinearScorer(2)
    found = evaluate(scorer, [1.0, 2.0], random_pairs(scorer, 30), n_bootstrap=10)
    assert found.margins.shape == (30,)
    assert "margins=" not in repr(found)
    with pytest.raises(ValueError, match="read-only"):
        found.margins[0] = 1.0
    assert dataclasses.replace(found, margins=np.zeros(30)) == found
    assert dataclasses.replace(found, brier=0.0) != found


def test_printed_evaluation_reads_like_a_report(random_pairs) -> None:
    """Six aligned lines name every number, with log 2 beside the loss."""
    pairs = bt.PreferencePairs(
        [[1.0], [2], [0], [0]], [[0.0], [0], [1], [0]], prompts=[1, 1, 2, 3], weights=[1, 1, 1, 2]
    )
    found = evaluate(bt.LinearScorer(1), [1.0], pairs)
    lines = str(found).splitlines()
    labels = ["pairs", "mean loss", "pairwise accuracy", "Brier score", "calibration error", "margins"]
    assert [line[:19].rstrip() for line in lines] == labels
    assert [line[18] + line[19].strip() for line in lines] == [" " + line[19] for line in lines]
    assert lines[0].endswith("4 of 3 prompts, total weight 5, 1 with identical answers")
    low, high = found.accuracy_interval
    assert lines[2].endswith(f"0.600, 95 % interval from {low:.3f} to {high:.3f}")
    for part in (f"{found.mean_loss:.4f}", "0.6931", "0.600", f"{found.brier:.4f}", f"{found.ece:.3f}", f"{low:.3f}"):
        assert part in str(found)
    single = evaluate(bt.LinearScorer(1), [1.0], bt.PreferencePairs(pairs.chosen, pairs.rejected, prompts=["x"] * 4))
    assert single.accuracy_interval is None
    assert "of 1 prompt" in str(single)
    assert "a single prompt gives no interval" in str(single)


def test_reliability_can_be_made_without_intervals() -> None:
    """Five arrays are enough, and the intervals are then unknown."""
    arrays = np.array([0.5, 0.75, 1]), np.array([0.6, 0.9]), np.array([0.5, 1]), np.array([0.5, 0.5]), np.array([2, 2])
    table = Reliability(*arrays)
    assert table.intervals.shape == (2, 2)
    assert np.isnan(table.intervals).all()
    assert table == Reliability(*arrays)
    assert table != Reliability(*arrays, np.zeros((2, 2)))
    assert table != arrays
    assert table.expected_calibration_error == pytest.approx(0.1, rel=1e-14)


def test_identical_answers_are_kept_and_counted() -> None:
    """Their loss is log 2 and their accuracy ½, and the evaluation says how many there are."""
    pairs = bt.PreferencePairs([[1.0, 2], [3, 4]], [[1.0, 2], [0, 0]])
    found = evaluate(bt.LinearScorer(2), [0.5, 0.25], pairs)
    assert (found.n_pairs, found.n_identical) == (2, 1)
    assert found.accuracy == 0.75
    assert found.mean_loss == pytest.approx((LOG_2 + bt.pair_losses(2.5)) / 2, rel=1e-15)


def test_bad_requests_are_refused_in_one_sentence(random_pairs) -> None:
    """The message names wrong bins, and scorers, parameters and pairs that do not fit together."""
    scorer, pairs = bt.LinearScorer(2), random_pairs(bt.LinearScorer(2))
    model = bt.fit(scorer, pairs)
    with pytest.raises(ValueError, match=r"^n_bins: expected a whole number of at least 1, got 0"):
        model.evaluate(pairs, n_bins=0)
    with pytest.raises(ValueError, match=r"^chosen: expected shape \(n, 2\)"):
        model.evaluate(random_pairs(bt.LinearScorer(3)))
    with pytest.raises(ValueError, match=r"^phi: expected shape"):
        evaluate(scorer, [1.0], pairs)


def test_mixtures_of_the_two_forms_are_refused_by_naming_both(random_pairs) -> None:
    """Refused are a scorer without φ, a model with another φ, and something else in place of the pairs."""
    scorer, pairs = bt.LinearScorer(2), random_pairs(bt.LinearScorer(2))
    model = bt.fit(scorer, pairs)
    for call in (lambda: evaluate(scorer, pairs), lambda: evaluate(scorer, pairs=pairs), lambda: evaluate(scorer)):
        with pytest.raises(
            TypeError, match=r"^phi: expected evaluate\(scorer, phi, pairs\) or evaluate\(model, pairs\)"
        ):
            call()
    with pytest.raises(TypeError, match=r"^phi: expected evaluate\(model, pairs\) with a fitted model, got a phi"):
        evaluate(model, model.phi, pairs)
    for call in (lambda: evaluate(model), lambda: evaluate(model, [1.0]), lambda: evaluate(scorer, [1.0, 2.0])):
        with pytest.raises(TypeError, match=r"^pairs: expected PreferencePairs, got"):
            call()
    with pytest.raises(TypeError, match=r"^scorer: expected a scorer such as LinearScorer"):
        evaluate("linear", [1.0, 2.0], pairs)
    with pytest.raises(TypeError, match=r"^scorer: expected evaluate\(scorer, phi, pairs\) or .* got pairs first"):
        evaluate(pairs, model)


def test_too_few_resamples_are_refused(random_pairs) -> None:
    """An interval from no resamples is refused, and the message names the argument."""
    with pytest.raises(ValueError, match=r"^n_bootstrap: "):
        evaluate(bt.LinearScorer(2), [1.0, 2.0], random_pairs(bt.LinearScorer(2)), n_bootstrap=0)


def test_a_scorer_that_wraps_another_is_no_model(rng) -> None:
    """A scorer may have an attribute called scorer; only with phi beside it is it a fitted model."""

    class Wrapped:
        linear_in_phi = False

        def __init__(self) -> None:
            self.scorer = bt.LinearScorer(2)

        def __getattr__(self, name: str):
            if name == "phi":
                raise AttributeError(name)
            return getattr(self.scorer, name)

    pairs = bt.PreferencePairs(*rng.normal(size=(2, 20, 2)))
    phi = np.array([1.0, -0.5])
    assert bt.evaluate(Wrapped(), phi, pairs).mean_loss == pytest.approx(
        bt.Objective(bt.LinearScorer(2), pairs)(phi)[0]
    )
