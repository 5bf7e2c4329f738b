"""Rankings: Plackett-Luce against mpmath and identities, its gradient and Hessian, pairs of answers, bad input."""

from __future__ import annotations

import itertools

import mpmath as mp
import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.ranking.plackett_luce import pair_curvatures, ranking_losses, ranking_slopes
from bradley_terry.ranking.ranked_backend import RankedBackend
from bradley_terry.ranking.rankings import PreferenceRankings


def exact(rewards, m):
    """Return the loss of a ranking by the formula of the papers, with 60 digits."""
    with mp.workdps(60):
        r = [mp.mpf(float(x)) for x in rewards]
        return sum(mp.log(sum(mp.exp(x) for x in r[k:])) - r[k] for k in range(m))


def test_the_published_value() -> None:
    """FACTS: rewards [2, 1, 0] in this order cost .407606 + .313262."""
    assert ranking_losses(np.array([[2.0, 1.0, 0.0]]), np.array([2]))[0] == pytest.approx(0.407606 + 0.313262, abs=1e-6)


@pytest.mark.parametrize("size", [0.1, 3.0, 40.0, 1e4])
@pytest.mark.parametrize(("k", "m"), [(2, 1), (3, 1), (3, 2), (8, 7), (8, 3)])
def test_loss_and_slopes_against_mpmath(k, m, size, rng) -> None:
    for rewards in size * rng.normal(size=(5, k)):
        got, slopes = ranking_losses(rewards[None], np.array([m]))[0], ranking_slopes(rewards[None], np.array([m]))[0]
        want = exact(rewards, m)
        assert got == pytest.approx(float(want), rel=1e-12, abs=1e-300)
        with mp.workdps(60):
            r = [mp.mpf(float(x)) for x in rewards]
            for j in range(k):
                chances = [mp.exp(r[j]) / sum(mp.exp(x) for x in r[i:]) for i in range(min(j + 1, m))]
                # The slope is a difference, so it is exact to the last digits of the larger of the two.
                assert abs(slopes[j] - float(sum(chances) - (j < m))) <= 1e-11 * max(1.0, float(sum(chances)))


def test_two_answers_are_bradley_terry(rng) -> None:
    rewards = rng.normal(size=(50, 2)) * 20
    margins = rewards[:, 0] - rewards[:, 1]
    one = np.ones(50, dtype=int)
    np.testing.assert_allclose(ranking_losses(rewards, one), bt.pair_losses(margins), rtol=1e-13)
    np.testing.assert_allclose(ranking_slopes(rewards, one)[:, 0], bt.pair_loss_gradients(margins), rtol=1e-13)
    curvatures = bt.pair_loss_curvatures(margins)
    np.testing.assert_allclose(pair_curvatures(rewards, one)[:, 0], curvatures, rtol=1e-11)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_probabilities_of_all_rankings_sum_to_one_and_slopes_to_zero(m, rng) -> None:
    rewards = rng.normal(size=4) * 2
    orders = {order[:m]: order for order in itertools.permutations(range(4))}
    ranked, choices = rewards[np.array(list(orders.values()))], np.full(len(orders), m)
    assert np.exp(-ranking_losses(ranked, choices)).sum() == pytest.approx(1, rel=1e-13)
    np.testing.assert_allclose(ranking_slopes(ranked, choices).sum(axis=1), 0, atol=1e-15)


def rankings_of(rng, features, sizes=(2, 3, 5, 3, 4)):
    """Return rankings of several sizes; the last answers of some share a rank. The rows are in random order."""
    prompts, ranks = np.repeat(np.arange(len(sizes)), sizes), []
    for i, size in enumerate(sizes):
        ranks += np.minimum(np.arange(1, size + 1), size - i % 2 if size > 2 else size).tolist()
    w = rng.uniform(0.5, 2, len(sizes))[prompts]
    order = rng.permutation(prompts.size)
    x = features(prompts.size)
    return PreferenceRankings(x[order], np.array(ranks)[order], prompts[order], weights=w[order])


def items(n):
    return np.array([0, 1, 0, 1, 2, 0, 1, 2, 3, 4, 4, 3, 1, 2, 3, 1, 0])[:n]


@pytest.mark.parametrize(
    "scorer", [bt.LinearScorer(3), bt.MLPScorer(3, 4), bt.MLPScorer(3, 4, "relu"), bt.TableScorer(5)], ids=str
)
def test_the_gradient_is_right_for_every_scorer(scorer, rng) -> None:
    made = rankings_of(rng, items if isinstance(scorer, bt.TableScorer) else lambda n: rng.normal(size=(n, 3)))
    backend, phi = RankedBackend(scorer, made, bt.losses.PlackettLuce()), rng.normal(size=scorer.n_parameters)
    bt.check_gradient(backend.loss_and_gradient, phi, names=scorer.shapes).require()
    w, total = made.ranking_weights, mp.mpf(0)
    rewards = scorer.reward(phi, made.features)
    for i in range(len(made)):
        rows = np.flatnonzero(made.prompt_index == i)
        rows = rows[np.argsort(made.ranks[rows], kind="stable")]
        total += w[i] * exact(rewards[rows], int(made.ranks[rows].max()) - 1)
    assert backend.loss_and_gradient(phi)[0] == pytest.approx(float(total / w.sum()), rel=1e-13)


@pytest.mark.parametrize("scorer", [bt.LinearScorer(3), bt.TableScorer(5)], ids=str)
def test_the_hessian_is_the_derivative_of_the_gradient(scorer, rng) -> None:
    made = rankings_of(rng, items if isinstance(scorer, bt.TableScorer) else lambda n: rng.normal(size=(n, 3)))
    backend, phi, h = RankedBackend(scorer, made, bt.losses.PlackettLuce()), rng.normal(size=scorer.n_parameters), 1e-5
    got = backend.gram(backend.curvatures(backend.margins(phi)))
    for j, e in enumerate(h * np.eye(phi.size)):
        want = (backend.loss_and_gradient(phi + e)[1] - backend.loss_and_gradient(phi - e)[1]) / (2 * h)
        np.testing.assert_allclose(got[j], want, atol=1e-9)


def test_pairs_of_a_ranking(rng) -> None:
    """1, 2, 3, 3 has the pairs 12, 13, 14, 23, 24; by prompt each counts a fifth."""
    made = PreferenceRankings([10, 11, 12, 13, 7, 8], [3, 1, 2, 3, 2, 1], list("aaaabb"))
    pairs = made.as_pairs()
    assert {*zip(pairs.chosen.tolist(), pairs.rejected.tolist(), strict=True)} == {
        (11, 12), (11, 10), (11, 13), (12, 10), (12, 13), (8, 7)
    }  # fmt: skip
    assert pairs.weights is None
    assert pairs.n_prompts == 2
    assert made.as_pairs(weighting="prompt").weights.tolist() == [0.2] * 5 + [1.0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0, 1, 2], [1, 2, 2], ["a", "a", "b"]), "prompts: expected at least two answers .* got one for prompt b"),
        (([0, 1, 2], [1, 3, 4], "aaa"), "ranks: expected ranks without a gap, not so for prompt a"),
        (([0, 1, 2], [2, 3, 4], "aaa"), "ranks: expected the best answer of each prompt to have rank 1"),
        (([0, 1, 2], [1, 1, 2], "aaa"), "ranks: expected different ranks, except for answers that share the last one"),
        (([0, 1, 2], [1, 1, 1], "aaa"), "ranks: expected an answer that is better than another, got only ties"),
        (([0, 1, 0], [1, 2, 3], "aaa"), "features: expected each item once in a ranking, got one twice"),
        (([0, 1, 2], [1, 2, 2.5], "aaa"), "ranks: expected whole numbers of at least 1"),
        (([0, 1, 2], [0, 1, 2], "aaa"), "ranks: expected whole numbers of at least 1"),
        (([0, 1, 2], [1, 2], "aaa"), "ranks: expected shape .3,."),
        (([[np.nan], [1], [2]], [1, 2, 3], "aaa"), "features: expected finite numbers"),
    ],
)
def test_bad_rankings_are_refused_in_one_sentence(arguments, words) -> None:
    features, ranks, prompts = arguments
    with pytest.raises(ValueError, match=words):
        PreferenceRankings(features, ranks, list(prompts))


def test_weights_belong_to_rankings() -> None:
    with pytest.raises(ValueError, match="weights: expected one weight for all answers of a ranking, got several for"):
        PreferenceRankings([0, 1], [1, 2], ["a", "a"], weights=[1.0, 2.0])
    with pytest.raises(ValueError, match="weighting: expected pair or prompt, got 'all'"):
        PreferenceRankings([0, 1], [1, 2], ["a", "a"]).as_pairs(weighting="all")


@pytest.mark.parametrize("scorer", [bt.LinearScorer(3), bt.MLPScorer(3, 4)], ids=str)
def test_an_objective_takes_rankings(scorer, rng) -> None:
    """Two answers with one choice are pairs: the same loss, gradient and Hessian as with ``PreferencePairs``."""
    made = rankings_of(rng, lambda n: rng.normal(size=(n, 3)))
    objective = bt.Objective(scorer, made, l2=0.1)
    bt.check_gradient(objective).require()
    two = bt.PreferenceRankings(rng.normal(size=(20, 3)), np.tile([1, 2], 10), np.repeat(np.arange(10), 2))
    pairs, phi = two.as_pairs(), rng.normal(size=scorer.n_parameters)
    ranked, paired = bt.Objective(scorer, two, l2=0.1), bt.Objective(scorer, pairs, l2=0.1, backend="numpy")
    assert ranked(phi)[0] == pytest.approx(paired(phi)[0], rel=1e-13)
    np.testing.assert_allclose(ranked(phi)[1], paired(phi)[1], rtol=1e-10, atol=1e-14)
    if scorer.linear_in_phi:
        np.testing.assert_allclose(ranked.hessian(phi), paired.hessian(phi), rtol=1e-11)


# ------------------------------------------------------------------------------------------------ published fits


def test_travel_modes_as_choices_reach_every_published_digit() -> None:
    """Conditional logit of Greene & Hensher's data, as printed for 210 travellers and four modes."""
    choices = bt.datasets.travel_modes(as_choices=True)
    model = bt.fit(bt.LinearScorer(6), choices)
    assert model.converged
    published = [-0.015502, -0.096125, 0.013287, 5.207443, 3.869043, 3.163194]
    np.testing.assert_allclose(model.phi, published, rtol=0, atol=5.1e-7)
    errors = [0.004408, 0.010440, 0.010262, 0.779055, 0.443127, 0.450266]
    np.testing.assert_allclose(model.standard_errors(), errors, rtol=0, atol=5.1e-7)
    assert -210 * model.history["loss"][-1] == pytest.approx(-199.128369, abs=5.1e-7)


def test_a_fit_without_minimum_says_so() -> None:
    """Item 0 is always first."""
    rankings = bt.PreferenceRankings([0, 1, 2, 0, 2, 1], [1, 2, 3, 1, 2, 3], [0, 0, 0, 1, 1, 1])
    with pytest.warns(bt.ConvergenceWarning, match="not converged: there is no finite minimum"):
        model = bt.fit(bt.TableScorer(3), rankings)
    assert not model.converged
    assert bt.fit(bt.TableScorer(3), rankings, l2=0.1).converged


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"loss": bt.losses.Hinge(), "method": "newton"}, "method: 'newton' needs a loss"),
        (
            {"loss": bt.losses.Probit()},
            r"loss: expected PlackettLuce\(\) or ListNet\(\) with .*, got Probit\(\)",
        ),
        ({"loss": bt.losses.RaoKupper()}, "loss: expected PlackettLuce.* with PreferenceRankings, got RaoKupper"),
        ({"loss": bt.losses.Scaled()}, "loss: expected PlackettLuce.* with PreferenceRankings, got Scaled"),
        ({"validation": 2}, "validation: expected a share between 0 and 1, got 2"),
        ({"validation": "half"}, "validation: expected a share of the prompts or PreferenceRankings, got 'half'"),
    ],
)
def test_what_a_fit_to_rankings_does_not_do(arguments, words) -> None:
    rankings = bt.PreferenceRankings([0, 1, 0, 1], [1, 2, 2, 1], [0, 0, 1, 1])
    with pytest.raises((ValueError, TypeError), match=words):
        bt.fit(bt.TableScorer(2), rankings, **arguments)
