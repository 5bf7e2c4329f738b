"""The training doctor about few pairs: annotators, ties, small held-out parts, and numbers of unusual size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from diagnosed import W, at, check_named, choices, joined

import bradley_terry as bt
from bradley_terry.findings.doctor import _Words


def disagreement(pairs: bt.PreferencePairs, people: np.ndarray) -> bt.findings.Check | str:
    """Return the check of the annotators, or the reason why it was not made."""
    found = bt.diagnose(bt.fit(bt.LinearScorer(pairs.n_features), pairs), pairs, annotators=people)
    name = "annotators disagree"
    return found.not_checked[name] if name in found.not_checked else check_named(found, name)


# ---------------------------------------------------------------------------------------------------- known value


def test_gain_of_an_annotator_is_a_difference_of_entropies() -> None:
    """One feature with d = 1: Ann chooses it in 30 of 40 pairs, Bob in 10 of 40, all together in half.

    The common log-odds are 0, and those of Ann alone log 3, so the gain is 40 (log 2 - H(¼)) = 5.2325 nats.
    """
    labels = np.repeat([1.0, 0.0, 1.0, 0.0], [30, 10, 10, 30])
    pairs = bt.PreferencePairs(np.ones((80, 1)), np.zeros((80, 1)), labels=labels)
    check = disagreement(pairs, np.repeat(["Ann", "Bob"], 40))
    assert check.statistic == pytest.approx(40 * (np.log(2) + 0.25 * np.log(0.25) + 0.75 * np.log(0.75)), rel=1e-6)
    assert check.threshold == pytest.approx(np.log(2 * 2 * 2 / 0.01))  # two people, two directions, two signs
    assert check.evidence["pairs of this annotator"] == 40
    assert check.evidence["p-value"] == pytest.approx(8 * np.exp(-check.statistic), rel=1e-8)


@pytest.mark.parametrize(("each", "is_made"), [(9, False), (10, True)])
def test_fewer_pairs_than_could_tell_are_not_tested(each: int, is_made: bool) -> None:
    """Two people and one feature: 8 tests at 1 %, so coin flips need log2(800) = 9.6 pairs to be improbable enough."""
    answer = disagreement(choices(2 * each, np.ones(1)), np.repeat([0, 1], each))
    assert isinstance(answer, str) != is_made
    if not is_made:
        assert answer == "with 2 annotators, this check needs somebody who judged at least 10 pairs"


# ----------------------------------------------------------------------------------------------------- statistics


@pytest.mark.parametrize(
    "sizes", [[1] * 400, [3] * 130, [10] * 40, [20] * 20, [1, 2, 4, 8, 16, 32, 64, 128], [1, 200]], ids=len
)
@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_people_with_the_same_taste_do_not_disagree(sizes: list[int], scale: float) -> None:
    """The bound is at most 1 %, so one alarm in 25 runs has a probability of 22 % at most, and four one of 1e-4."""
    people = np.repeat(np.arange(len(sizes)), sizes)
    answers = [disagreement(choices(people.size, scale * W, seed=100 + seed), people) for seed in range(25)]
    assert sum(not isinstance(one, str) and one.is_found for one in answers) < 4


def test_one_of_twenty_with_the_opposite_taste_is_found_in_twenty_pairs() -> None:
    """The gain is large, although only the pairs of one in twenty are turned; the sentence says how many they are."""
    people = np.repeat(np.arange(20), 20)
    pairs = joined(choices(380, 2 * W, seed=3), choices(20, -2 * W, seed=4))
    found = bt.diagnose(bt.fit(bt.LinearScorer(3), pairs), pairs, annotators=people)["annotators disagree"]
    assert found.evidence["who differs most"] == "19"
    assert "of 20 pairs, and the others on" in found.explanation


def test_an_own_taste_that_does_not_change_the_agreement_is_found() -> None:
    """One annotator also looks at a feature about which nobody else cares: its direction tells, the margins do not."""
    w, own = np.array([1.5, 0.0]), np.array([1.5, 2.0])
    pairs = joined(choices(800, w, seed=1), choices(100, own, seed=2))
    assert disagreement(pairs, np.arange(900) // 100).is_found


@pytest.mark.parametrize("n_held_out", [5, 20])
def test_few_held_out_pairs_are_not_over_confidence(n_held_out: int) -> None:
    """The true weights, and margins around 10: one surprise among few pairs is no proof. Wald's test says so in 6 %."""
    w = 6 * W / np.linalg.norm(W)
    training, hits = choices(2000, w), 0
    model = at(w, training)
    for seed in range(150):
        found = bt.diagnose(model, training, validation=choices(n_held_out, w, seed=1000 + seed))
        hits += "over-confidence" in found.names
    assert hits <= 5  # of 1.5 expected; Wald's test alone has 9 or more


# --------------------------------------------------------------------------------------------------------- manners


def tied(prompts: np.ndarray | None = None, labels: float | np.ndarray = 0.5) -> bt.PreferencePairs:
    return replace(choices(400), labels=np.broadcast_to(labels, 400).copy(), prompts=prompts)


def test_ties_alone_teach_nothing_and_are_named() -> None:
    """With all labels ½ the minimum is φ = 0, where the loss is exactly log 2, and every reason is true."""
    pairs = tied()
    model = bt.fit(bt.LinearScorer(3), pairs)
    found = bt.diagnose(model, pairs)
    stuck = found["stuck at log 2"]
    assert not model.phi.any()
    assert (stuck.severity, stuck.evidence["ties"]) == ("error", 400)
    assert "Every pair is a tie" in stuck.explanation
    assert found.not_checked["coin-flip labels"] == "every pair is a tie"
    assert found.not_checked["order leak"] == "no pair has a definite label"


def test_reasons_of_checks_that_were_not_made_are_true() -> None:
    """Judgements that cancel within a prompt, equal answers, a single feature that differs, and a fit without V."""
    pairs = choices(100)
    both = replace(joined(pairs, pairs), prompts=np.tile(np.arange(100), 2), labels=np.repeat([1.0, 0.0], 100))
    found = bt.diagnose(bt.fit(bt.LinearScorer(3), both), both)
    assert "cancel" in found.not_checked["coin-flip labels"]
    same = bt.PreferencePairs(pairs.chosen, pairs.chosen)
    found = bt.diagnose(bt.fit(bt.LinearScorer(3), same, l2=0.1), same)
    assert found.not_checked["coin-flip labels"] == "the answers of a pair never differ"
    assert found.not_checked["duplicated pairs"] == "no pair of different answers has a definite label"
    one = choices(200, np.ones(1))
    one = bt.PreferencePairs(np.pad(one.chosen, ((0, 0), (0, 1))), np.pad(one.rejected, ((0, 0), (0, 1))))
    found = bt.diagnose(bt.fit(bt.LinearScorer(2), one, l2=1e-3), one)
    assert "fewer than two features differ" in found.not_checked["one feature carries the model"]
    model = bt.fit(bt.LinearScorer(3), pairs, method="adam", max_steps=5)
    found = bt.diagnose(model, pairs, validation=choices(50, seed=5))
    assert found.not_checked["reward scale drifting"] == "the fit recorded no held-out losses"
    found = bt.diagnose(model, pairs, validation=choices(2, seed=5))
    assert "one or two held-out prompts" in found.not_checked["over-fitting"]


@pytest.mark.parametrize(
    ("spec", "value", "text"),
    [
        (".4f", 0.69314718, "0.6931"),
        (".4f", 1e30, "1e+30"),
        (".4f", 0.00123456, "0.0012"),
        (".4f", 0.000123456, "0.000123"),
        (".4f", 0.0, "0.0000"),
        (".2f", 0.0123456, "0.0123"),
        (".2f", 0.4049, "0.40"),
        ("+.3f", -1e-5, "-1e-05"),
        ("+.3f", 1.5, "+1.500"),
        (".1f", 0.3, "0.3"),
        (".1f", 0.0123, "0.0123"),
        (",.0f", 12_345_678, "12,345,678"),
    ],
)
def test_numbers_of_unusual_size_have_three_significant_digits(spec: str, value: float, text: str) -> None:
    """A fixed number of decimals says nothing about 1e30 or 1e-4, and is kept for everything else."""
    assert _Words().vformat(f"{{x:{spec}}}", (), {"x": value}) == text


def test_held_out_features_in_other_units_are_named_as_a_cause() -> None:
    """Features times 100: the best factor is about 0.01, and the typical margin 100 times as large."""
    pairs, held_out = choices(400), choices(400, seed=5)
    model = bt.fit(bt.LinearScorer(3), pairs)
    moved = bt.PreferencePairs(100 * held_out.chosen, 100 * held_out.rejected)
    found = bt.diagnose(model, pairs, validation=moved)["over-confidence"]
    assert 50 < found.evidence["margins in units of those in training"] < 200
    assert "different units" in found.explanation
    double = bt.diagnose(replace(model, phi=2.5 * model.phi), pairs, validation=held_out)["over-confidence"]
    assert "units" not in double.explanation + double.remedy


def test_a_penalty_on_a_table_does_not_accuse_whoever_judged_items_of_their_own() -> None:
    """The penalty pulls items with few comparisons towards 0, so that only those who judged them seem to differ."""
    rng = np.random.default_rng(7)
    sizes, chosen, rejected, people = [2000, 60, 60, 60], [], [], []
    for person, size in enumerate(sizes):
        first, second = np.array([rng.choice(4, 2, replace=False) for _ in range(size)]).T + 4 * person
        wins = rng.random(size) < 1 / (1 + np.exp(-1.5 * (second % 4 - first % 4)))
        chosen.append(np.where(wins, first, second))
        rejected.append(np.where(wins, second, first))
        people += [f"person {person}"] * size
    pairs = bt.PreferencePairs(np.concatenate(chosen), np.concatenate(rejected))
    found = bt.diagnose(bt.fit(bt.TableScorer(16), pairs, l2=0.03), pairs, annotators=people)
    assert "annotators disagree" in found.not_checked
