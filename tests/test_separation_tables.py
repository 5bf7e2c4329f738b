"""Tables without a finite fit: who never lost or won, the wins that would connect them, fits of each group."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from test_published_fits import items, published, table

import bradley_terry as bt
from bradley_terry.graphs import count_connected, count_strong
from bradley_terry.inference import component_fits, separation, strong_components
from bradley_terry.model import Outcome

FEW_GAMES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=14)
NAMES = ("Ann", "Bob", "Cleo", "Dora", "Emil", "Finn", "Gus")


def table_of(games: list[tuple[int, int]], **options: object) -> bt.PreferencePairs:
    return bt.PreferencePairs(*np.array(games).T, feature_names=NAMES, **options)


def fitted(scorer, pairs, **options) -> bt.RewardModel:
    """Fit, and expect the warning of a fit that did not converge."""
    with pytest.warns(bt.ConvergenceWarning):
        return bt.fit(scorer, pairs, **options)


# ----------------------------------------------------------------------------------- what keeps a fit from being finite


@settings(max_examples=40)
@given(FEW_GAMES)
@example([(0, 2), (1, 2), (2, 3), (2, 4)])  # both ways from the unbeaten to the winless lead through one item
@example([(0, 3), (1, 3), (2, 3)])
@example([(0, 1), (0, 2), (0, 3), (4, 5)])
def test_the_wins_that_would_connect_do_connect_and_no_fewer_would(games) -> None:
    """With them every connected part is one strong group. Each of p unbeaten groups needs a loss, each of q a win."""
    pairs = table_of(games)
    found = separation(bt.TableScorer(7), pairs)
    winners, losers = (
        np.append(side, more).astype(int) for side, more in zip(np.array(games).T, _sides(found), strict=True)
    )
    parts = count_connected(7, *np.array(games).T)
    assert count_strong(7, winners, losers) == count_connected(7, winners, losers) == parts
    assert found.is_separated == (count_strong(7, *np.array(games).T) > parts) == bool(found.connecting_wins)
    assert [list(group) for group in found.groups] == strong_components(pairs)
    assert len(found.never_met) == (parts if parts > 1 else 0)
    needed = 0
    for part in found.never_met or [tuple(range(7))]:
        inside = [group for group in found.groups if group[0] in part and len(group) < len(part)]
        needed += max(sum(found.infinite[group[0]] == sign for group in inside) for sign in (1, -1))
    assert len(found.connecting_wins) == needed


def _sides(found) -> tuple[list[int], list[int]]:
    return [winner for winner, _ in found.connecting_wins], [loser for _, loser in found.connecting_wins]


@settings(max_examples=10)
@given(FEW_GAMES, st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=14, max_size=14))
def test_tables_agree_with_the_certificate_for_one_hot_features(games, labels) -> None:
    """The graph of wins and the search for a direction separate the same pairs."""
    labels = labels[: len(games)]
    by_graph = separation(bt.TableScorer(7), table_of(games, labels=labels))
    hot = np.eye(7)
    linear = bt.PreferencePairs(*(hot[np.array(side)] for side in np.array(games).T), labels=labels)
    by_search = separation(bt.LinearScorer(7), linear)
    np.testing.assert_array_equal(by_graph.separated_pairs, by_search.separated_pairs)
    assert by_graph.is_separated == by_search.is_separated
    turned = np.where(np.array(labels) > 0, 1, -1)
    margins = turned * (by_graph.direction[[a for a, _ in games]] - by_graph.direction[[b for _, b in games]])
    assert (margins[by_graph.separated_pairs] >= 1 - 1e-12).all()
    np.testing.assert_allclose(margins[~by_graph.separated_pairs], 0, atol=1e-12)


CASES = [
    ([(0, 1), (1, 2), (2, 1)], "Ann never lost; Bob and Cleo never won outside their own group; a win of Bob over Ann"),
    ([(0, 1), (1, 2)], "Ann never lost; Cleo never won; a win of Cleo over Ann would connect them; use l2 > 0, "),
    ([(0, 2), (1, 2)], "Ann and Bob never lost; Cleo never won; wins of Cleo over Ann and Cleo over Bob would connect"),
    ([(0, i) for i in range(1, 7)], "Ann never lost; Bob, Cleo, Dora and 3 others never won; wins of Bob over Ann, "),
]


@pytest.mark.parametrize(("games", "expected"), CASES)
def test_the_message_names_who_never_lost_or_won_and_what_would_connect_them(games, expected: str) -> None:
    """The fit and ``separation`` say the same. Without names, items have numbers."""
    used = 1 + max(max(game) for game in games)
    pairs = bt.PreferencePairs(*np.array(games).T, feature_names=NAMES[:used])
    model = fitted(bt.TableScorer(used), pairs)
    assert f"of which some never lost to the others: {expected}" in model.message
    assert expected.partition("; use")[0] in repr(separation(bt.TableScorer(used), pairs))
    assert "l2=" in model.message
    plain = fitted(bt.TableScorer(used), bt.PreferencePairs(*np.array(games).T))
    assert "item 0" in plain.message


def test_items_that_never_met_are_a_success_whose_note_names_one_of_each_group() -> None:
    """Also an item that never appears, which is a group of its own."""
    games = [(0, 1), (1, 0), (2, 3), (3, 2)]
    model = bt.fit(bt.TableScorer(7), table_of(games))
    assert model.converged
    note = "the items form 5 groups with no comparisons between them: compare rewards within a group only"
    assert f"; {note} (the first items of these groups are Ann, Cleo, Emil and 2 others)" in model.message
    found = separation(bt.TableScorer(7), table_of(games))
    assert not found.is_separated
    assert found.never_met == ((0, 1), (2, 3), (4,), (5,), (6,))
    assert "Ann, Cleo, Emil" in repr(found)
    whole = separation(bt.TableScorer(2), bt.PreferencePairs([0, 1], [1, 0]))
    assert (whole.never_met, whole.determined.tolist()) == ((), [True, True])


# -------------------------------------------------------------------------------------------------------- the limit


@settings(max_examples=20)
@given(FEW_GAMES)
def test_differences_within_a_group_are_those_of_the_group_on_its_own(games) -> None:
    """Between groups, each win that will never be answered has a margin of at least 20, the smallest exactly 20."""
    pairs = table_of(games)
    found = separation(bt.TableScorer(7), pairs)
    if not found.is_separated:
        return
    model = fitted(bt.TableScorer(7), pairs)
    assert model.outcome is Outcome.NO_MINIMUM
    margins = model.margins(pairs)[found.separated_pairs]
    assert margins.min() == pytest.approx(20, rel=1e-9)
    assert model.phi.mean() == pytest.approx(0, abs=1e-9)
    for group, own in component_fits(bt.TableScorer(7), pairs):
        if own is None:
            assert len(group) == 1
            continue
        np.testing.assert_allclose(model.phi[list(group)] - model.phi[group[0]], own.phi - own.phi[0], atol=1e-7)
        errors, names = model.standard_errors(group[0]), [NAMES[item] for item in group]
        np.testing.assert_allclose(errors[list(group)], own.standard_errors(0), atol=1e-7)
        assert np.isinf(np.delete(errors, list(group))).all()
        assert own.feature_names == tuple(names)


def test_nothing_is_finite_where_no_group_has_two_items() -> None:
    """Standard errors relative to an item of a group of one, or to the mean of all groups, are refused."""
    ladder = fitted(bt.TableScorer(3), bt.PreferencePairs([0, 1], [1, 2]))
    mixed = fitted(bt.TableScorer(3), bt.PreferencePairs([0, 1, 2], [1, 2, 1]))
    for model, reference in ((ladder, 0), (ladder, None), (mixed, 0), (mixed, None)):
        with pytest.raises(ValueError, match=r"^standard errors: expected a fit that converged.*no finite minimum"):
            model.standard_errors(reference)
    assert mixed.standard_errors(1)[:2].tolist() == [np.inf, 0]
    assert mixed.standard_errors("1" if mixed.feature_names else 1, items=[2]).shape == (1,)


def test_target_margins_and_labels_of_zero_count_in_the_limit() -> None:
    """Margins are measured beyond their target, and a label of 0 is a win of the other item."""
    pairs = bt.PreferencePairs([0, 2, 1, 2], [1, 0, 2, 1], labels=[1, 0, 1, 1], target_margins=[7.0, 1.0, 0.0, 0.0])
    model = fitted(bt.TableScorer(3), pairs)
    assert separation(bt.TableScorer(3), pairs).separated_pairs.tolist() == [True, True, False, False]
    beyond = (model.margins(pairs) - pairs.target_margins)[:2] * [1, -1]
    assert beyond.min() == pytest.approx(20, rel=1e-9)


def test_the_start_and_the_number_of_steps_make_no_difference(rng) -> None:
    """φ, the message and the information are the same bits."""
    pairs = bt.PreferencePairs([0, 1, 2, 2, 3, 1], [1, 2, 1, 3, 2, 3])
    first = fitted(bt.TableScorer(4), pairs)
    for options in ({"initial": rng.normal(size=4)}, {"max_steps": 1}, {"tolerance": 1e-8}):
        other = fitted(bt.TableScorer(4), pairs, **options)
        np.testing.assert_allclose(other.phi, first.phi, atol=1e-9)
        assert other.message == first.message


def test_two_thousand_separated_players_take_no_time(rng) -> None:
    """A random tournament without surprises: the report, the fit and the wins are found in time nearly linear."""
    games = np.sort(rng.integers(2000, size=(2, 30_000)), axis=0)
    pairs = bt.PreferencePairs(*games[:, games[0] != games[1]])
    before = time.process_time()
    model = fitted(bt.TableScorer(2000), pairs)
    assert time.process_time() - before < 5  # 0.13 s was measured; the square of 2,000 groups would take far longer
    assert model.margins(pairs).min() == pytest.approx(20, rel=1e-9)


def test_component_fits_take_the_options_of_a_fit_and_refuse_other_scorers(rng) -> None:
    """Weights, prompts and labels go along; pairs between groups and pairs of weight 0 do not."""
    pairs = table_of(
        [(0, 1), (1, 0), (0, 2), (3, 4), (4, 3), (3, 0), (0, 3)],
        weights=[2, 1, 1, 3, 1, 1, 0],
        labels=[1, 1, 1, 1, 0.5, 1, 1],
        prompts=list("abcdefg"),
    )
    fits = component_fits(bt.TableScorer(7), pairs, l2=0.1)
    assert [group for group, _ in fits] == [tuple(group) for group in strong_components(pairs)]
    own = next(model for group, model in fits if group == (0, 1))
    reference = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0, 1], [1, 0], weights=[2, 1]), l2=0.1)
    np.testing.assert_array_equal(own.phi, reference.phi)
    assert own.l2 == 0.1
    with pytest.raises(ValueError, match=r"^scorer: expected a TableScorer, since only items form groups, got Linear"):
        component_fits(bt.LinearScorer(1), bt.PreferencePairs([[1.0]], [[0.0]]))
    with pytest.raises(ValueError, match=r"^chosen: "):
        component_fits(bt.TableScorer(2), pairs)


# ------------------------------------------------------------------------------------------------- published numbers


def toy() -> bt.PreferencePairs:
    """Return eight players; Eve won all her games, and the two other groups never met."""
    rows = table("tab_toy_disconnected/games.csv")
    label = {"W1": 1.0, "W2": 0.0, "D": 0.5}
    sides = ([row[column] for row in rows] for column in ("player1", "player2"))
    return items(*sides, labels=[label[row["outcome"]] for row in rows])


def test_components_of_the_toy_data_have_the_published_estimates() -> None:
    """Kaye & Firth's estimates come from a loose tolerance, so they are good to 1e-2."""
    pairs = toy()
    expected = {
        row["item"]: float(row["estimate"])
        for row in table("tab_toy_disconnected/expected.csv")
        if row["model"] == "component_MLE_a1"
    }
    fits = component_fits(bt.TableScorer(8), pairs)
    found = {}
    for group, model in fits:
        names = [pairs.feature_names[item] for item in group]
        found |= {} if model is None else dict(zip(names, model.phi.tolist(), strict=True))
    assert sorted(found) == sorted(expected)
    for name, estimate in expected.items():
        assert found[name] == pytest.approx(estimate, abs=1e-2)
    alone = [group for group, model in fits if model is None]
    assert [pairs.feature_names[item] for (item,) in alone] == ["Eve"]
    whole = fitted(bt.TableScorer(8), pairs)
    assert "Eve never lost; " in whole.message
    assert "over Eve" in whole.message


def chameleons(extra: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the published features of both lizards, and one that is 1 for the lizard ``extra``."""
    traits = {row["ID"]: row for row in table("feat_chameleons/item_features.csv")}

    def features(side: str) -> np.ndarray:
        return np.array(
            [
                [
                    float(row[f"prev.wins.2_{side}"]),
                    *(float(traits[row[side]][name]) for name in ("ch.res", "prop.main")),
                    *([] if extra is None else [float(row[side] == extra)]),
                ]
                for row in table("feat_chameleons/contests.csv")
            ]
        )

    return features("winner"), features("loser")


@pytest.mark.parametrize("lizard", ["C21", "C31"])
def test_a_lizard_that_won_all_is_infinite_and_the_others_keep_their_numbers(lizard: str) -> None:
    """Like R, we report the other coefficients and their errors. The reference pulls the ability to 30 and stops there.

    The loss of a contest that is won by 30 log-odds differs from its limit by e^-25 or less.
    """
    chosen, rejected = chameleons(lizard)
    names = ["prev.wins.2", "ch.res", "prop.main", lizard]
    model = fitted(bt.LinearScorer(4), bt.PreferencePairs(chosen, rejected, feature_names=names))
    x = chosen - rejected

    def loss(beta: np.ndarray) -> float:
        return float(np.logaddexp(0, -(x[:, :3] @ beta + 30 * x[:, 3])).sum())

    best = minimize(loss, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 5000})
    np.testing.assert_allclose(model.phi[:3], best.x, atol=1e-6)
    p = 1 / (1 + np.exp(-(x[:, :3] @ best.x + 30 * x[:, 3])))
    information = (x[:, :3].T * (p * (1 - p))) @ x[:, :3]
    np.testing.assert_allclose(model.standard_errors()[:3], np.sqrt(np.diag(np.linalg.inv(information))), rtol=1e-5)
    assert model.standard_errors()[3] == np.inf
    assert f"the weight of {lizard} goes to +inf" in model.message


def test_without_the_extra_lizard_the_published_numbers_remain() -> None:
    """Stuart-Fox et al. 2006, table 3, in the five digits of BradleyTerry2."""
    model = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(*chameleons(None)))
    expected = published("feat_chameleons/expected.csv", "linear_no_intercept")
    for i, name in enumerate(("prev.wins.2", "ch.res", "prop.main")):
        assert model.phi[i] == pytest.approx(expected[name], abs=5e-5)
