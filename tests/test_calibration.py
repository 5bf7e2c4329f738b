"""After the fit: temperature, noise of annotators and their reliability, and the length-only baseline."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from scipy import optimize, stats

import bradley_terry as bt
from bradley_terry import losses
from bradley_terry.calibration import annotator_noise, by_annotator, fit_temperature, length_baseline
from bradley_terry.files import Texts

LENGTH = "length (log words)"


def model_of(phi=1.0, loss=None) -> bt.RewardModel:
    """Return a model with one feature; its margin is φ times the difference of the features."""
    return bt.RewardModel(bt.LinearScorer(1), np.array([phi]), {}, True, "The fit converged.", loss=loss)


def pairs_with(margins, **options) -> bt.PreferencePairs:
    z = np.asarray(margins, dtype=np.float64)
    return bt.PreferencePairs(z[:, None], np.zeros((z.size, 1)), **options)


def simulated(seed, n_prompts=200, votes=3, T=1.0, epsilon=0.0) -> bt.PreferencePairs:
    """Draw choices with probability (1 - ε) sigma(Δ/T) + ε/2, several of them for each prompt."""
    rng = np.random.default_rng(seed)
    z = np.repeat(rng.normal(size=n_prompts) * 2, votes)
    chosen = rng.random(z.size) < (1 - epsilon) / (1 + np.exp(-z / T)) + epsilon / 2
    return pairs_with(np.where(chosen, z, -z), prompts=np.repeat(np.arange(n_prompts), votes))


def with_everything(seed) -> bt.PreferencePairs:
    rng = np.random.default_rng(seed)
    n = 120
    return pairs_with(
        rng.normal(size=n) + 0.6,
        weights=rng.uniform(0, 2, n) * (rng.random(n) < 0.9),
        labels=rng.choice([0.0, 0.2, 0.5, 1.0], size=n, p=[0.1, 0.2, 0.1, 0.6]),
        target_margins=rng.normal(size=n) * 0.3,
        prompts=rng.integers(40, size=n),
    )


# ------------------------------------------------------------------------------------------------------- temperature


def test_temperature_of_one_margin_is_known() -> None:
    """Of four pairs with Δ = 2 three are chosen: sigma(2/T) = 3/4, so T = 2/log 3."""
    found = fit_temperature(model_of(), pairs_with([2, 2, 2, -2]))
    assert float(found.T) == pytest.approx(2 / np.log(3), rel=1e-14)
    # In 1/T: Σ S² = 3·(2/4)² + (2·3/4)² = 3, times n/(n - 1), and the curvature is 4·2²·(3/16) = 3.
    error = np.sqrt(4 / 3 * 3) / 3
    assert found.standard_error == pytest.approx(error * found.T**2, rel=1e-13)
    low, high = (np.log(3) / 2 + np.array([-1, 1]) * stats.norm.ppf(0.975) * error).tolist()
    assert found.interval[0] == pytest.approx(1 / high, rel=1e-13)
    assert found.interval[1] == np.inf
    assert low < 0
    assert found.loss_after == pytest.approx(-0.75 * np.log(0.75) - 0.25 * np.log(0.25), rel=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_temperature_is_the_minimum_that_scipy_finds(seed) -> None:
    """With labels, weights, target margins and prompts: the minimum over T of the mean loss, by Brent's method."""
    pairs = with_everything(seed)
    z = pairs.chosen[:, 0]

    def loss(log_t):
        return bt.mean_loss(
            z / np.exp(log_t), weights=pairs.weights, labels=pairs.labels, target_margins=pairs.target_margins
        )

    want = optimize.minimize_scalar(loss, bounds=(-6, 6), method="bounded", options={"xatol": 1e-10})
    found = fit_temperature(model_of(), pairs)
    assert float(found.T) == pytest.approx(np.exp(want.x), rel=1e-6)
    assert found.loss_after == pytest.approx(want.fun, rel=1e-13)
    assert found.loss_after <= found.loss_before
    assert found.loss_before == bt.evaluate(bt.LinearScorer(1), [1.0], pairs).mean_loss


@pytest.mark.parametrize("k", [0.01, 3.0, 1e5])
def test_temperature_undoes_a_change_of_units(k: float) -> None:
    """Rewards times k give k times the T, and the same model in the end."""
    pairs = simulated(2, T=1.7)
    one, other = fit_temperature(model_of(), pairs), fit_temperature(model_of(k), pairs)
    assert float(other.T) == pytest.approx(k * one.T, rel=1e-12)
    assert other.standard_error == pytest.approx(k * one.standard_error, rel=1e-10)
    assert other.model.phi[0] == pytest.approx(one.model.phi[0], rel=1e-12)
    assert float(fit_temperature(one.model, pairs).T) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize(
    "scorer", [bt.LinearScorer(3), bt.MLPScorer(3, 4), bt.MLPScorer(3, 5, "relu"), bt.TableScorer(5)], ids=str
)
def test_every_reward_is_divided_by_the_temperature(scorer, random_pairs) -> None:
    """The model that comes back has r/T for each answer, keeps the order, and can be saved."""
    phi = scorer.initial(np.random.default_rng(0)) + np.random.default_rng(1).normal(size=scorer.n_parameters)
    pairs = random_pairs(scorer, 80, extras=())
    swap = bt.RewardModel(scorer, phi, {}, True, "").margins(pairs) < 0
    swap[::5] = ~swap[::5]  # a fifth of the pairs is in the wrong order
    turned = [np.where(swap.reshape(-1, *[1] * (a.ndim - 1)), b, a) for a, b in
              ((pairs.chosen, pairs.rejected), (pairs.rejected, pairs.chosen))]  # fmt: skip
    held_out = bt.PreferencePairs(*turned)
    model = bt.RewardModel(scorer, phi, {}, True, "The fit converged.")
    found = fit_temperature(model, held_out)
    np.testing.assert_allclose(found.model.reward(pairs.chosen), model.reward(pairs.chosen) / found.T, rtol=1e-12)
    assert np.array_equal(np.sign(found.model.margins(pairs)), np.sign(model.margins(pairs)))
    assert not found.model.phi.flags.writeable
    assert "divided by T" in found.model.message
    with pytest.raises(ValueError, match="standard errors"):
        found.model.standard_errors()


@pytest.mark.parametrize("loss", [losses.Hinge(), losses.Sigmoid(), losses.Probit(), losses.Exponential()], ids=repr)
def test_a_temperature_gives_probabilities_to_every_model(loss) -> None:
    """Whatever the loss of the fit, the scaled model predicts with sigma(Δ/T)."""
    pairs = simulated(5, T=0.6)
    plain, other = fit_temperature(model_of(), pairs), fit_temperature(model_of(loss=loss), pairs)
    assert other.T == plain.T
    assert other.model.loss is None
    p = other.model.preference_probability([[1.0]], [[0.0]])[0]
    assert p == pytest.approx(1 / (1 + np.exp(-1 / other.T)), rel=1e-14)
    assert np.isnan(other.loss_before) == (not loss.gives_probabilities)
    if loss.gives_probabilities:
        assert other.loss_before == model_of(loss=loss).evaluate(pairs).mean_loss


def test_scaled_pairs_keep_their_strength() -> None:
    """``Scaled`` uses the target margin as a strength, not as a shift of Δ."""
    pairs = dataclasses.replace(simulated(5), target_margins=np.full(600, 3.0))
    assert fit_temperature(model_of(loss=losses.Scaled()), pairs).T == fit_temperature(model_of(), simulated(5)).T


@pytest.mark.full
def test_intervals_of_the_temperature_hold() -> None:
    """Of 400 simulated intervals about 95 % contain the true T, with three votes on each prompt."""
    hits = []
    for seed in range(400):
        low, high = fit_temperature(model_of(), simulated(seed, T=1.6)).interval
        hits.append(low <= 1.6 <= high)
    assert 0.92 <= sum(hits) / 400 <= 0.98  # three standard errors are 0.033


@pytest.mark.parametrize(
    ("margins", "options", "sentence"),
    [
        ([1.0, 0.2, 3.0], {}, "held_out: expected at least one pair that the model orders wrongly, "),
        (
            [1.0, 0.2, -3.0],
            {"weights": [1, 1, 0]},
            "held_out: expected at least one pair that the model orders wrongly",
        ),
        ([-1.0, -2.0], {"labels": [0, 0]}, "held_out: expected at least one pair that the model orders wrongly"),
        ([1.0, -1.0], {}, "held_out: expected choices that follow the rewards more often than chance, "),
        ([0.5, -1.0, -0.2], {}, "held_out: expected choices that follow the rewards more often than chance, "),
        ([-0.5, -1.0], {}, "held_out: expected choices that follow the rewards more often than chance, "),
        ([0.0, 0.0], {}, "held_out: expected margins other than 0, "),
    ],
)
def test_no_temperature_is_refused_in_one_sentence(margins, options, sentence) -> None:
    """T → 0, T → ∞ and a model without an opinion."""
    with pytest.raises(ValueError, match="^" + re.escape(sentence)) as caught:
        fit_temperature(model_of(), pairs_with(margins, **options))
    assert "\n" not in str(caught.value)
    assert "nan" not in str(caught.value)


def test_one_prompt_has_a_temperature_and_no_standard_error() -> None:
    """A single prompt gives an estimate, and nothing to say how far it is known."""
    found = fit_temperature(model_of(), pairs_with([2, 2, 2, -2], prompts=[1, 1, 1, 1]))
    assert float(found.T) == pytest.approx(2 / np.log(3), rel=1e-14)
    assert np.isnan(found.standard_error)
    assert "a single prompt gives no interval" in str(found)
    assert "nan" not in str(found)


# ------------------------------------------------------------------------------------------------------------- noise


def test_noise_of_one_certain_margin_is_twice_the_share_of_mistakes() -> None:
    """Far out sigma is 1, so a share of ε/2 of the choices goes the other way: 3 of 20, ε = .3."""
    found = annotator_noise(model_of(), pairs_with([60.0] * 17 + [-60.0] * 3))
    assert found.epsilon == pytest.approx(0.3, rel=1e-12)
    assert found.accuracy_bound == pytest.approx(0.85, rel=1e-12)
    assert found.expected_accuracy == pytest.approx(0.85, rel=1e-12)
    # The score of each pair is -h/P or h/Q, and J/H is n/(n - 1) for a single margin, so the ends solve
    # 17 log(P̂/P) + 3 log(Q̂/Q) = 1.92·20/19.
    limit = stats.chi2.ppf(0.95, 1) / 2 * 20 / 19
    for end in found.interval:
        q = end / 2
        assert 17 * np.log(0.85 / (1 - q)) + 3 * np.log(0.15 / q) == pytest.approx(limit, rel=1e-6)
    assert found.interval[0] < 0.3 < found.interval[1]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("loss", [None, losses.Probit(), losses.Temperature(0.5)], ids=repr)
def test_noise_is_the_maximum_that_scipy_finds(seed, loss) -> None:
    """Of the likelihood of (1 - ε) p + ε/2 with the model's own p."""
    pairs = with_everything(seed)
    z, w = pairs.chosen[:, 0] - pairs.target_margins, pairs.weights
    p = bt.sigmoid(z) if loss is None else loss.probability(z)

    def cost(epsilon):
        mixed = (1 - epsilon) * p + epsilon / 2
        return -np.sum(w * (pairs.labels * np.log(mixed) + (1 - pairs.labels) * np.log1p(-mixed)))

    want = optimize.minimize_scalar(cost, bounds=(0, 1), method="bounded", options={"xatol": 1e-10})
    found = annotator_noise(model_of(loss=loss), pairs)
    assert found.epsilon == pytest.approx(want.x, abs=2e-6)
    assert found.loss_after == pytest.approx(cost(found.epsilon) / w.sum(), rel=1e-12)
    assert cost(found.epsilon) <= want.fun * (1 + 1e-12)
    assert found.loss_after <= found.loss_before


def test_noise_at_the_ends() -> None:
    """Choices that always follow the model have ε = 0; those that never do have ε = 1, and both say so."""
    none = annotator_noise(model_of(), pairs_with([3.0, 2.0, 4.0, 1.0, 0.5]))
    assert (none.epsilon, none.accuracy_bound, none.interval[0]) == (0.0, 1.0, 0.0)
    assert "no sign of noise" in str(none)
    every = annotator_noise(model_of(), pairs_with([3.0, -2.0, -4.0, 1.0, -0.5]))
    assert (every.epsilon, every.accuracy_bound, every.interval[1]) == (1.0, 0.5, 1.0)
    assert "coin tosses" in str(every)


def test_a_choice_that_is_impossible_without_noise_gives_noise() -> None:
    """Against a margin of 800, sigma underflows, and the estimate is still the share of such choices."""
    found = annotator_noise(model_of(), pairs_with([800.0] * 9 + [-800.0]))
    assert found.epsilon == pytest.approx(0.2, rel=1e-12)
    assert found.loss_before == pytest.approx(80.0, rel=1e-12)


def test_noise_of_the_model_itself_comes_first() -> None:
    """A model with ``NoisyChoice(.2)`` expects a share of .1; in 20 % mistakes there is noise beyond it."""
    pairs = pairs_with([60.0] * 16 + [-60.0] * 4)
    assert annotator_noise(model_of(), pairs).epsilon == pytest.approx(0.4, rel=1e-12)
    beyond = annotator_noise(model_of(loss=losses.NoisyChoice(0.2)), pairs).epsilon
    assert (1 - 0.2) * (1 - beyond) == pytest.approx(1 - 0.4, rel=1e-12)


@pytest.mark.full
@pytest.mark.parametrize("epsilon", [0.05, 0.3])
def test_intervals_of_the_noise_hold(epsilon) -> None:
    """Of 400 simulated intervals about 95 % contain the true ε."""
    hits = 0
    for seed in range(400):
        low, high = annotator_noise(model_of(), simulated(seed, epsilon=epsilon)).interval
        hits += low <= epsilon <= high
    assert 0.92 <= hits / 400 <= 0.985


@pytest.mark.parametrize(("margins", "loss"), [([0.0, 0.0], None), ([1.0, -1.0], losses.Hinge())])
def test_noise_that_cannot_be_known_is_refused(margins, loss) -> None:
    """Without margins or without probabilities there is no ε."""
    with pytest.raises(ValueError, match=r"^(held_out|loss): expected ") as caught:
        annotator_noise(model_of(loss=loss), pairs_with(margins))
    assert "\n" not in str(caught.value)


# -------------------------------------------------------------------------------------------------------- annotators


def three_annotators() -> tuple[bt.PreferencePairs, np.ndarray]:
    """Return pairs of prompts 0, 1, …, each judged by a, b and c; b contradicts the model in a quarter of the pairs."""
    z = np.repeat([50.0] * 40, 3)
    who = np.tile(["a", "b", "c"], 40)
    wrong = (who == "b") & (np.repeat(np.arange(40), 3) % 4 == 0)
    return pairs_with(np.where(wrong, -z, z), prompts=np.repeat(np.arange(40), 3)), who


def test_each_annotator_has_the_numbers_of_their_own_pairs() -> None:
    """Agreement, ε, loss and interval are those of the subset, and the table is sorted by agreement."""
    pairs, who = three_annotators()
    found = by_annotator(model_of(), pairs, who)
    assert [row.name for row in found.rows] == ["a", "c", "b"]
    b = found["b"]
    assert (b.n_pairs, b.n_prompts, b.agreement) == (40, 40, 0.75)
    assert b.epsilon == pytest.approx(0.5, rel=1e-12)
    alone = pairs.subset(who == "b")
    assert b.epsilon_interval == annotator_noise(model_of(), alone).interval
    assert b.mean_loss == pytest.approx(model_of().evaluate(alone).mean_loss, rel=1e-14)
    # Wilson by hand: 30 of 40.
    k = stats.norm.ppf(0.975) ** 2 / 40
    half = np.sqrt(k * 0.75 * 0.25 + k * k / 4)
    np.testing.assert_allclose(
        b.agreement_interval, [(0.75 + k / 2 - half) / (1 + k), (0.75 + k / 2 + half) / (1 + k)], rtol=1e-12
    )
    np.testing.assert_allclose(found.weights, np.where(who == "b", 0.5, 1.0), rtol=1e-12)
    dataclasses.replace(pairs, weights=found.weights)
    lines = repr(found).splitlines()
    assert len({len(line) for line in lines[1:]}) == 1
    assert "0.750" in lines[-1]
    with pytest.raises(KeyError, match="expected one of a, c, b"):
        found["d"]


def test_repeated_judgements_of_one_prompt_do_not_narrow_the_interval() -> None:
    """Ten judgements of each prompt count as one trial."""
    once = pairs_with([1.0] * 30 + [-1.0] * 10)
    often = once.subset(np.repeat(np.arange(40), 10))
    often = dataclasses.replace(often, prompts=np.repeat(np.arange(40), 10))
    one, other = (by_annotator(model_of(), pairs, ["x"] * len(pairs))["x"] for pairs in (once, often))
    assert other.agreement_interval == pytest.approx(one.agreement_interval, rel=1e-12)


def test_annotators_of_a_loss_without_probabilities_have_only_an_agreement() -> None:
    """ε and the loss need probabilities."""
    pairs, who = three_annotators()
    found = by_annotator(model_of(loss=losses.Hinge()), pairs, who)
    assert found["b"].agreement == 0.75
    assert np.isnan([found["b"].epsilon, found["b"].mean_loss]).all()
    assert found.weights is None
    assert "nan" not in str(found)


def test_weights_of_zero_and_certain_margins_are_no_trouble() -> None:
    """A margin beyond the bound of ``Square`` is certain; pairs without weight count nowhere."""
    pairs = pairs_with([5.0] * 8 + [-5.0] * 2 + [7.0, -9.0], weights=[1.0] * 10 + [0, 0])
    found = annotator_noise(model_of(loss=losses.Square(1.0)), pairs)
    assert found.epsilon == pytest.approx(0.4, rel=1e-12)
    assert found.loss_before == np.inf
    table = by_annotator(model_of(loss=losses.Square(1.0)), pairs, ["a"] * 6 + ["b"] * 6)
    assert [row.agreement for row in table] == [1.0, 0.5]
    with pytest.raises(
        ValueError, match=r"^weights: expected a positive weight for at least one pair of annotator c, "
    ):
        by_annotator(model_of(), pairs, ["a"] * 10 + ["c"] * 2)


@pytest.mark.parametrize(
    ("who", "sentence"),
    [
        (["a", "b"], r"annotators: expected shape \(3,\), one annotator for each pair, got \(2,\)"),
        ([["a"], ["b"], ["c"]], r"annotators: expected shape \(3,\), one annotator for each pair, got \(3, 1\)"),
        (["a", None, "b"], "annotators: expected an annotator for each pair, got none for pair 1"),
        ([1.0, 2.0, np.nan], "annotators: expected an annotator for each pair, got none for pair 2"),
    ],
)
def test_wrong_annotators_are_refused(who, sentence) -> None:
    """One name or number for each pair."""
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        by_annotator(model_of(), pairs_with([1.0, 2.0, -1.0]), who)


def test_annotators_may_be_numbers() -> None:
    """Numbers are names, too."""
    found = by_annotator(model_of(), pairs_with([1.0, 2.0, -1.0]), [7, 3, 7])
    assert {row.name for row in found.rows} == {"7", "3"}


# ------------------------------------------------------------------------------------------------------------ length


def texts(chosen: list[str], rejected: list[str], **options) -> Texts:
    return Texts("memory", [f"p{i // 2}" for i in range(len(chosen))], chosen, rejected, **options)


def test_the_longer_answer_is_counted_by_words() -> None:
    """Longer in two of four pairs, equal in one: (2 + ½)/4; the slope solves Σ x (sigma(b x) - 1) = 0."""
    data = texts(["a b c", "one two", "x", "word word"], ["a", "longer words", "x y", "w"])
    found = length_baseline(data)
    assert found.accuracy == 0.625
    assert (found.n_pairs, found.n_equal) == (4, 1)
    x = np.log([4 / 2, 1, 2 / 3, 3 / 2])
    best = optimize.brentq(lambda b: np.sum(x * (bt.sigmoid(b * x) - 1)), -50, 50, xtol=1e-13)
    assert found.slope == pytest.approx(best, rel=1e-9)
    assert found.mean_loss == pytest.approx(np.mean(np.log1p(np.exp(-best * x))), rel=1e-12)
    assert length_baseline(data.to_pairs()) == found


def test_the_length_is_fitted_to_other_pairs_if_they_are_given() -> None:
    """The slope is that of the training pairs, the accuracy and the loss those of the held-out ones."""
    training = texts(["a b c", "a b", "a", "a b c d"], ["a", "a", "a b", "a b"])
    held_out = texts(["a", "a b c"], ["a b", "a"])
    found = length_baseline(held_out, fitted_to=training)
    slope = length_baseline(training).slope
    assert (found.slope, found.accuracy) == (slope, 0.5)
    want = bt.mean_loss(slope * np.log([2 / 3, 4 / 2]))
    assert found.mean_loss == pytest.approx(want, rel=1e-14)


def test_the_slope_is_infinite_if_the_longer_answer_always_wins() -> None:
    """Then the loss of these pairs is 0, and equal lengths cost log 2."""
    always = length_baseline(texts(["a b", "a b c"], ["a", "a"]))
    assert (always.slope, always.accuracy, always.mean_loss) == (np.inf, 1.0, 0.0)
    some = length_baseline(texts(["a b", "a"], ["a", "b"]))
    assert (some.accuracy, some.mean_loss) == (0.75, pytest.approx(np.log(2) / 2))
    shorter = length_baseline(texts(["a", "b"], ["a b", "a b c"]))
    assert (shorter.slope, shorter.accuracy, shorter.mean_loss) == (-np.inf, 0.0, 0.0)
    none = length_baseline(texts(["a", "b"], ["c", "d"]))
    assert (none.slope, none.accuracy, none.mean_loss) == (0.0, 0.5, pytest.approx(np.log(2)))


def test_a_feature_of_ones_own_can_be_the_length() -> None:
    """Any named feature; without one of that name the pairs are refused."""
    pairs = bt.PreferencePairs([[3.0], [1.0]], [[1.0], [2.0]], feature_names=["tokens"])
    assert length_baseline(pairs, feature="tokens").accuracy == 0.5
    for wrong in (pairs, bt.datasets.citations(), bt.PreferencePairs([[1.0]], [[2.0]])):
        with pytest.raises(ValueError, match=r"^data: expected pairs with a feature 'length \(log words\)', got "):
            length_baseline(wrong)
    with pytest.raises(TypeError, match=r"^data: expected PreferencePairs or Texts, got list$"):
        length_baseline([1, 2])


def test_margins_that_do_not_move_a_probability_say_nothing_about_noise() -> None:
    """sigma(1e-17) is ½ in float64, so every share of coin tosses fits equally well."""
    pairs = bt.PreferencePairs([0, 1, 2, 0, 1, 2], [1, 2, 0, 2, 0, 1])
    model = dataclasses.replace(bt.fit(bt.TableScorer(3), pairs), phi=np.array([1e-17, 0, -1e-17]))
    with pytest.raises(ValueError, match=r"^held_out: expected margins other than 0"):
        annotator_noise(model, pairs)
