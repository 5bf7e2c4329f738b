"""What the data say about the parameters: standard errors, and which items can be compared."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bradley_terry as bt
from bradley_terry.inference import connected_groups, covariance, strong_components


def reachable(n: int, pairs: bt.PreferencePairs) -> np.ndarray:
    """Return which item reaches which through wins, (n, n), by Warshall's algorithm. Every item reaches itself."""
    reaches = np.eye(n, dtype=bool)
    t = np.ones(len(pairs)) if pairs.labels is None else pairs.labels
    w = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
    for a, b, label, weight in zip(pairs.chosen, pairs.rejected, t, w, strict=True):
        reaches[a, b] |= label > 0 and weight > 0
        reaches[b, a] |= label < 1 and weight > 0
    for k in range(n):
        reaches |= np.outer(reaches[:, k], reaches[k])
    return reaches


# ---------------------------------------------------------------------------------------------------- known value


def test_citations_have_the_published_estimates_and_errors_in_three_identifications() -> None:
    """Estimates, errors and deviances of the citations are those of Agresti 2002, p. 448, to the printed digits."""
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


def test_covariance_of_one_item_is_zero() -> None:
    """The reward of a table's only item is 0 by convention, so it has no error."""
    np.testing.assert_array_equal(covariance(bt.TableScorer(1), np.zeros((1, 1))), [[0]])


def test_components_of_small_tournaments_by_hand() -> None:
    """A cycle is one group. A ladder has one group per item, strongest first. A tie joins, and islands stay apart."""
    pairs = bt.PreferencePairs
    assert strong_components(pairs([0, 1, 2], [1, 2, 0])) == [[0, 1, 2]]
    assert strong_components(pairs([2, 1], [1, 0])) == [[2], [1], [0]]
    assert strong_components(pairs([2, 1], [1, 0], labels=[0.5, 1])) == [[1, 2], [0]]
    assert strong_components(pairs([0, 1, 2, 3], [1, 0, 3, 2])) == [[0, 1], [2, 3]]
    assert strong_components(pairs([0, 1], [1, 0], labels=[1, 1], weights=[1, 0])) == [[0], [1]]
    assert strong_components(pairs([1], [0], labels=[0.0])) == [[0], [1]]


def test_components_that_cannot_be_compared_are_ordered_by_their_smallest_item() -> None:
    """4 beats 0, 1 beats 2, and 3 met nobody. Of the groups that no remaining one beats, the smallest item is first."""
    pairs = bt.PreferencePairs([4, 1], [0, 2], feature_names=list("abcde"))
    assert strong_components(pairs) == [[1], [2], [3], [4], [0]]


def test_connected_groups_of_small_tournaments_by_hand() -> None:
    """It does not matter who won. A pair of weight 0 connects nothing, and an item that met nobody is a group."""
    pairs = bt.PreferencePairs
    assert connected_groups(pairs([2, 1], [1, 0])) == 1
    assert connected_groups(pairs([0, 2], [1, 3])) == 2
    assert connected_groups(pairs([0, 1], [1, 2], weights=[1, 0])) == 2
    assert connected_groups(pairs([0], [2])) == 2
    assert connected_groups(pairs([0, 2, 4], [1, 3, 5], labels=[0, 0.5, 1])) == 3


def test_connected_groups_of_long_chains(rng) -> None:
    """A chain of 200,000 items in random order is one group; without every thousandth link it is 200 groups."""
    chain = rng.permutation(200_000)
    links = np.arange(len(chain) - 1)
    assert connected_groups(bt.PreferencePairs(chain[:-1], chain[1:])) == 1
    kept = chain[links[links % 1000 != 999]], chain[links[links % 1000 != 999] + 1]
    assert connected_groups(bt.PreferencePairs(*kept)) == 200


# ------------------------------------------------------------------------------------------------------- identity


def test_integer_weights_are_repeated_rows_in_standard_errors(rng) -> None:
    """Standard errors treat weights as counts."""
    c, r = rng.normal(size=(2, 80, 3))
    w = rng.integers(1, 5, 80)
    rows = np.repeat(np.arange(80), w)
    labels = rng.uniform(0.2, 1, 80)
    weighted = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(c, r, weights=w, labels=labels))
    repeated = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(c[rows], r[rows], labels=labels[rows]))
    np.testing.assert_allclose(weighted.phi, repeated.phi, atol=1e-8)  # gradients below 1e-9
    np.testing.assert_allclose(weighted.standard_errors(), repeated.standard_errors(), rtol=1e-8)


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


def test_intervals_are_estimates_plus_and_minus_two_errors() -> None:
    """A 95 % interval is ± 1.959964 standard errors around the estimate, 0 for the reference item."""
    model = bt.fit(bt.TableScorer(3), bt.PreferencePairs([0, 0, 1, 2, 1], [1, 1, 2, 0, 0]))
    for reference in (None, 1):
        low, high = model.intervals(reference=reference).T
        np.testing.assert_allclose((low + high) / 2, model.estimates(reference), atol=1e-14)
        np.testing.assert_allclose(high - low, 2 * 1.959963985 * model.standard_errors(reference), rtol=1e-9)
    assert (model.intervals(0.5)[:, 1] < model.intervals(0.9)[:, 1]).all()


# ----------------------------------------------------------------------------------------------------------- twin


@settings(max_examples=60)
@given(st.integers(1, 9).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, n - 1)] * 2), min_size=1, max_size=25)))
def test_components_and_their_order_are_those_of_the_transitive_closure(games) -> None:
    """Items that reach each other form a group. The next group is the first by item that no remaining group reaches."""
    pairs = bt.PreferencePairs(*np.transpose(games))
    n = pairs.n_items
    reaches = reachable(n, pairs)
    groups = strong_components(pairs)
    assert {tuple(group) for group in groups} == {tuple(np.flatnonzero(row)) for row in reaches & reaches.T}
    left = sorted(groups)
    for group in groups:
        free = [a for a in left if not any(reaches[b[0], a[0]] for b in left if b is not a)]
        assert group == free[0]
        left.remove(group)


def test_components_and_connections_honour_labels_and_weights(rng) -> None:
    """On 60 random tournaments with ties, losses and pairs without weight, they agree with the transitive closure."""
    for _ in range(60):
        n, m = int(rng.integers(2, 9)), int(rng.integers(1, 14))
        weights = rng.integers(0, 2, m)
        weights[0] = 1
        pairs = bt.PreferencePairs(
            *rng.integers(n, size=(2, m)), labels=rng.choice([0, 0.5, 1], m), weights=weights, feature_names=range(n)
        )
        reaches = reachable(n, pairs)
        groups = {tuple(np.flatnonzero(row).tolist()) for row in reaches & reaches.T}
        assert {tuple(group) for group in strong_components(pairs)} == groups
        ignoring_results = bt.PreferencePairs(
            pairs.chosen, pairs.rejected, labels=np.full(m, 0.5), weights=weights, feature_names=range(n)
        )
        assert connected_groups(pairs) == len(strong_components(ignoring_results))


# ----------------------------------------------------------------------------------------------------- statistics


@pytest.mark.full
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


# -------------------------------------------------------------------------------------------------------- manners


@pytest.mark.full
def test_components_of_long_chains_do_not_reach_the_recursion_limit() -> None:
    """A ladder of 20,000 items is 20,000 groups from top to bottom, and with the ends joined it is one group."""
    n = 20_000
    ladder = strong_components(bt.PreferencePairs(np.arange(1, n), np.arange(n - 1)))
    assert ladder == [[i] for i in reversed(range(n))]
    ring = strong_components(bt.PreferencePairs(np.arange(n), np.roll(np.arange(n), 1)))
    assert ring == [list(range(n))]


def test_components_of_two_thousand_separated_players_take_no_time(rng) -> None:
    """In 30,000 games the player with the smaller number always wins: 2,000 groups, in the order of their strength."""
    games = rng.integers(2000, size=(2, 30_000))
    games = games[:, games[0] != games[1]]
    ladder = np.arange(1999)  # so that every two neighbours have met, and the order is unique
    chosen, rejected = np.append(games.min(axis=0), ladder), np.append(games.max(axis=0), ladder + 1)
    before = time.process_time()
    assert strong_components(bt.PreferencePairs(chosen, rejected)) == [[i] for i in range(2000)]
    assert time.process_time() - before < 2  # 0.05 s was measured; the transitive closure takes 8 billion steps


@pytest.mark.full
def test_components_of_a_million_pairs_take_seconds(rng) -> None:
    """With 200,000 items and 1,000,000 pairs, time is linear, whether or not most items form one group."""
    a, b = rng.integers(200_000, size=(2, 1_000_000))
    before = time.process_time()
    assert len(strong_components(bt.PreferencePairs(np.minimum(a, b), np.maximum(a, b) + 1))) == 200_001
    assert len(max(strong_components(bt.PreferencePairs(a, b)), key=len)) > 190_000
    assert time.process_time() - before < 20  # 6 s were measured on a machine with other work to do


def test_directions_that_the_data_leave_open_have_no_standard_error() -> None:
    """A feature that both answers share, and islands of items, are refused with advice; l2 > 0 removes the problem."""
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
    """The message names wrong references and levels, and scorers and pairs of the wrong kind."""
    table = bt.fit(bt.TableScorer(3), bt.PreferencePairs([0, 1, 2], [1, 2, 0], feature_names=["a", "b", "c"]))
    linear = bt.fit(bt.LinearScorer(2), random_pairs(bt.LinearScorer(2)))
    for call in (table.standard_errors, table.estimates, table.covariance):
        with pytest.raises(ValueError, match=r"^reference: expected an item from 0 to 2, got 7"):
            call(7)
        with pytest.raises(ValueError, match=r"^reference: expected one of .* got 'z'"):
            call("z")
    with pytest.raises(ValueError, match=r"^reference: expected an item from 0 to 2, got 3"):
        covariance(table.scorer, table.information, 3)
    for call in (linear.standard_errors, linear.estimates):
        with pytest.raises(ValueError, match=r"^reference: expected None for LinearScorer"):
            call(0)
    with pytest.raises(ValueError, match=r"^level: expected a share between 0 and 1, got 95"):
        table.intervals(95)
    for call in (strong_components, connected_groups):
        with pytest.raises(ValueError, match=r"^pairs: expected item numbers, got features"):
            call(random_pairs(bt.LinearScorer(2)))
    with pytest.raises(ValueError, match=r"^standard errors: expected a scorer that is linear in phi"):
        bt.fit(bt.MLPScorer(2, 2), random_pairs(bt.LinearScorer(2)), max_steps=1).standard_errors()


def test_names_are_still_offered_by_evaluation() -> None:
    """Code that imports them from their old module keeps working."""
    from bradley_terry import evaluation

    assert evaluation.strong_components is strong_components
    assert evaluation.connected_groups is connected_groups
    assert evaluation.covariance is covariance
