"""Agreement of annotators: Krippendorff's α against published examples and other formulas, and the accuracy ceiling."""

from __future__ import annotations

import gzip
import itertools
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.calibration import agreement, krippendorff_alpha, pair_agreement

DATA = Path(os.environ.get("BRADLEY_TERRY_DATA") or Path(__file__).parents[1] / ".." / "shared" / "data")


def by_unit(*raters: str) -> list[list[int | None]]:
    """Return one row for each unit from the ratings of each rater; a star is a missing rating."""
    return [[None if one == "*" else int(one) for one in row] for row in zip(*map(str.split, raters), strict=True)]


# Krippendorff 2011, section C: four observers, twelve units.
FOUR = by_unit(
    "1 2 3 3 2 1 4 1 2 * * *", "1 2 3 3 2 2 4 1 2 5 * 3", "* 3 3 3 2 3 4 2 2 5 1 *", "1 2 3 3 2 4 4 1 2 5 1 *"
)
# The example with three coders and fifteen units (Krippendorff's α in Wikipedia).
THREE = by_unit("* * * * * 3 4 1 2 1 1 3 3 * 3", "1 * 2 1 3 3 4 3 * * * * * * *", "* * 2 1 3 4 4 * 2 1 1 3 3 * 4")


def ratings(seed: int, *, complete: bool = False, n: int = 25, m: int = 4) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(5, size=n)
    table = np.clip(truth[:, None] + rng.integers(-1, 2, size=(n, m)), 0, 4).astype(float)
    return [list(row if complete else row[: rng.integers(1, m + 1)]) for row in table]


def brute_force(rows: list[list[float]], level: str) -> float:
    """Return α from its definition, one pair of ratings after the other."""
    rows = [[x for x in row if x is not None and x == x] for row in rows]  # noqa: PLR0124
    rows = [row for row in rows if len(row) > 1]
    every = [x for row in rows for x in row]
    counts = Counter(every)

    def distance(a, b):
        if level == "nominal":
            return float(a != b)
        if level == "interval":
            return (a - b) ** 2
        low, high = min(a, b), max(a, b)
        return (sum(c for x, c in counts.items() if low <= x <= high) - (counts[a] + counts[b]) / 2) ** 2

    n = len(every)
    observed = sum(distance(a, b) / (len(row) - 1) for row in rows for a, b in itertools.permutations(row, 2)) / n
    expected = sum(distance(a, b) for a, b in itertools.permutations(every, 2)) / (n * (n - 1))
    return 1 - observed / expected


# ------------------------------------------------------------------------------------------------------- known value


@pytest.mark.parametrize(
    ("rows", "level", "printed"),
    [
        (by_unit("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"), "nominal", 0.095),  # section A: two observers, binary
        (list(zip("aabbdcccedda", "babbbccceddd", strict=True)), "nominal", 0.692),  # section B: nominal
        (FOUR, "nominal", 0.743),
        (FOUR, "ordinal", 0.815),
        (FOUR, "interval", 0.849),
        (THREE, "nominal", 0.691),
        (THREE, "interval", 0.811),
    ],
)
def test_alpha_reaches_the_published_examples(rows, level, printed) -> None:
    """To the printed digits: Krippendorff 2011, Computing Krippendorff's alpha-reliability, and the Wikipedia page."""
    assert krippendorff_alpha(rows, level=level) == pytest.approx(printed, abs=5e-4)


def test_the_parts_of_an_agreement_by_hand() -> None:
    """Units aa, ab, bbb and one rating alone: of 7 ratings 3 are a. Observed (2 + 0 + 3)/7, expected (6 + 12)/42."""
    found = agreement([["a", "a"], ["a", "b"], ["b", None, "b", "b"], ["a"]])
    assert (found.n_units, found.n_ratings, found.level) == (3, 7, "nominal")
    assert found.observed == pytest.approx(5 / 7, rel=1e-15)
    assert found.expected == pytest.approx(18 / 42, rel=1e-15)
    assert found.alpha == pytest.approx(1 - (2 / 7) / (24 / 42), rel=1e-15)
    assert "0.500" in str(found)


# ---------------------------------------------------------------------------------------------------------- identity


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize("seed", range(3))
def test_alpha_is_its_definition(seed, level) -> None:
    """Ragged units and missing values: the coincidences give what the sum over all pairs of ratings gives."""
    rows = ratings(seed)
    assert krippendorff_alpha(rows, level=level) == pytest.approx(brute_force(rows, level), rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_interval_alpha_is_a_ratio_of_variances(seed) -> None:
    """1 - α = (Σ m s²)/n / S² with the variance s² of each unit and S² of all ratings, both with n - 1."""
    rows = [row for row in ratings(seed) if len(row) > 1]
    every = np.concatenate(rows)
    within = sum(len(row) * np.var(row, ddof=1) for row in rows) / every.size
    want = 1 - within / np.var(every, ddof=1)
    assert krippendorff_alpha(rows, level="interval") == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("m", [2, 5])
def test_nominal_alpha_without_gaps_is_that_of_fleiss(m) -> None:
    """With m ratings of each of N units, 1 - α = (1 - κ)(1 - 1/(N m)), for Fleiss's κ; m = 2 is Scott's π."""
    rows = ratings(4, complete=True, m=m)
    counts = np.array([[row.count(value) for value in range(5)] for row in rows])
    agreeing = np.mean((counts * (counts - 1)).sum(axis=1) / (m * (m - 1)))
    by_chance = np.sum((counts.sum(axis=0) / counts.sum()) ** 2)
    kappa = (agreeing - by_chance) / (1 - by_chance)
    found = agreement(rows)
    assert found.alpha == pytest.approx(1 - (1 - kappa) * (1 - 1 / counts.sum()), rel=1e-12)
    assert found.observed == pytest.approx(agreeing, rel=1e-12)


def test_alpha_does_not_depend_on_order_names_or_units() -> None:
    """Raters may be swapped, categories renamed, and numbers shifted and scaled; NaN and None are both missing."""
    rows = ratings(7)
    turned = [row[::-1] for row in rows[::-1]]
    named = [[f"v{x}" for x in row] for row in rows]
    assert krippendorff_alpha(turned) == pytest.approx(krippendorff_alpha(rows), rel=1e-13)
    assert krippendorff_alpha(named) == pytest.approx(krippendorff_alpha(rows), rel=1e-13)
    scaled = [[3 * x - 7 for x in row] for row in rows]
    for level in ("ordinal", "interval"):
        assert krippendorff_alpha(scaled, level=level) == pytest.approx(
            krippendorff_alpha(rows, level=level), rel=1e-12
        )
    cubes = [[x**3 for x in row] for row in rows]
    assert krippendorff_alpha(cubes, level="ordinal") == krippendorff_alpha(rows, level="ordinal")
    table = np.full((len(rows), 4), np.nan)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    assert krippendorff_alpha(table) == krippendorff_alpha(rows)


# --------------------------------------------------------------------------------------------------- pairs of answers


def judged(rows: list[tuple[int, int, str, float]], **options) -> bt.PreferencePairs:
    """Return pairs of items (a, b, prompt, label)."""
    a, b, prompts, labels = zip(*rows, strict=True)
    return bt.PreferencePairs(list(a), list(b), prompts=list(prompts), labels=list(labels), **options)


def test_repeated_pairs_are_found_in_either_order() -> None:
    """Answers 0 and 1 to x are judged three times, twice for 0; those to y once; 2 and 3 twice with one tie."""
    rows = [(0, 1, "x", 1), (1, 0, "x", 0), (1, 0, "x", 1), (0, 1, "y", 1), (2, 3, "x", 1), (3, 2, "x", 0.5)]
    found = pair_agreement(judged(rows))
    assert (found.n_repeated, found.n_judgements) == (2, 5)
    # Agreement: the first pair has 2 of 6 ordered pairs of judgements alike, so 3·(1/3), the second 0, of 5.
    assert found.agreement == pytest.approx(1 / 5, rel=1e-14)
    # The best choice is right in 2 of 3 and in 1½ of 2.
    assert found.accuracy_ceiling == pytest.approx(3.5 / 5, rel=1e-14)
    both = [["a", "a", "b"], ["b", "b", "a"], ["a", "t"], ["b", "t"]]  # both orders
    assert found.alpha == pytest.approx(krippendorff_alpha(both), rel=1e-13)


def test_no_model_beats_the_ceiling() -> None:
    """A table that knows the majority of each pair reaches it exactly, and others stay below."""
    rng = np.random.default_rng(3)
    prompts = np.repeat(np.arange(30), 5)
    z = np.where(rng.random(150) < 0.7, 1.0, -1.0)
    x = np.zeros((150, 30))
    x[np.arange(150), prompts] = 1  # the first answer of each prompt has a feature of its own
    pairs = bt.PreferencePairs(np.where(z[:, None] > 0, x, 0), np.where(z[:, None] > 0, 0, x), prompts=prompts)
    majority = np.sign(np.bincount(prompts, weights=z))
    ceiling = pair_agreement(pairs).accuracy_ceiling
    assert bt.evaluate(bt.LinearScorer(30), majority, pairs, n_bootstrap=1).accuracy == pytest.approx(
        ceiling, rel=1e-14
    )
    for _ in range(20):
        assert bt.evaluate(bt.LinearScorer(30), rng.normal(size=30), pairs, n_bootstrap=1).accuracy <= ceiling


def test_weights_that_are_whole_numbers_are_counts() -> None:
    """The citations have twelve rows with weights; written out row by row the result is the same."""
    pairs = bt.datasets.citations()
    rows = pairs.subset(np.repeat(np.arange(12), pairs.weights.astype(int)))
    alone = bt.PreferencePairs(rows.chosen, rows.rejected, prompts=rows.prompts)
    one, other = pair_agreement(pairs), pair_agreement(alone)
    assert vars(one) == pytest.approx(vars(other), rel=1e-12)
    wins = np.zeros((4, 4))
    np.add.at(wins, (pairs.chosen, pairs.rejected), pairs.weights)
    assert one.accuracy_ceiling == pytest.approx(np.maximum(wins, wins.T)[np.triu_indices(4, 1)].sum() / wins.sum())


def test_zero_of_either_sign_and_float32_are_the_same_answer() -> None:
    """-0.0 equals 0.0, so the pairs are repeated."""
    for dtype in (np.float32, np.float64):
        a, b = np.array([[0.0, 1.0], [-0.0, 1.0]], dtype), np.array([[2.0, 3.0], [2.0, 3.0]], dtype)
        assert pair_agreement(bt.PreferencePairs(a, b, prompts=[1, 1])).n_repeated == 1


def test_identical_answers_are_no_judgement() -> None:
    """Nobody can say which of two equal answers was chosen, so such pairs count nowhere."""
    rows = [(0, 1, "x", 1), (1, 0, "x", 1), (2, 2, "x", 1), (2, 2, "x", 1)]
    found = pair_agreement(judged(rows))
    assert (found.n_repeated, found.n_judgements, found.agreement) == (1, 2, 0)
    assert pair_agreement(judged(rows[2:])) is None


def test_pairs_that_differ_in_any_feature_or_prompt_are_not_repeated() -> None:
    """Small whole numbers, swapped columns and neighbouring floats are different answers."""
    x = np.array(list(itertools.product([0.0, 1.0, 2.0, np.nextafter(1, 2)], repeat=3)))
    pairs = bt.PreferencePairs(x, x[::-1] + 100, prompts=np.zeros(len(x), int))
    assert pair_agreement(pairs) is None
    assert pair_agreement(bt.PreferencePairs([[1.0], [1.0]], [[2.0], [2.0]], prompts=[0, 1])) is None
    assert pair_agreement(bt.PreferencePairs([[1.0], [1.0]], [[2.0], [2.0]])) is None
    shares = bt.PreferencePairs([[1.0], [1.0]], [[2.0], [2.0]], prompts=[0, 0], labels=[0.9, 1])
    assert pair_agreement(shares) is None


# ------------------------------------------------------------------------------------------------------- real data


def pandalm() -> list[dict]:
    path = DATA / "text_pandalm" / "testset-v1.jsonl.gz"
    if not path.exists():
        pytest.skip("the data set text_pandalm was not found; BRADLEY_TERRY_DATA can name the folder that has it")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def votes_of(record: dict) -> list[int]:
    return [int(record[f"annotator{k}"]) for k in (1, 2, 3)]


def test_pandalms_annotators_agree_as_published() -> None:
    """Cohen's κ of the three pairs of annotators is .85, .86 and .88 in its README; α lies among them."""
    rows = [votes_of(record) for record in pandalm()]
    assert len(rows) == 999
    table = np.array(rows)
    kappas = []
    for i, j in itertools.combinations(range(3), 2):
        same = np.mean(table[:, i] == table[:, j])
        chance = sum(np.mean(table[:, i] == v) * np.mean(table[:, j] == v) for v in range(3))
        kappas.append((same - chance) / (1 - chance))
    assert sorted(np.round(kappas, 2).tolist()) == [0.85, 0.86, 0.88]
    found = agreement(rows)
    assert min(kappas) < found.alpha < max(kappas)
    assert found.alpha == pytest.approx(np.mean(kappas), abs=2e-3)
    pairs_agree = np.mean([np.mean(table[:, i] == table[:, j]) for i, j in itertools.combinations(range(3), 2)])
    assert found.observed == pytest.approx(pairs_agree, rel=1e-12)


def test_pandalms_votes_as_pairs_have_the_same_agreement() -> None:
    """Three pairs for each record, with ties: the agreement is the same, and the ceiling is counted by hand."""
    records = pandalm()
    chosen, rejected, prompts, labels, best, n = [], [], [], [], 0.0, 0
    for number, record in enumerate(records):
        votes = votes_of(record)
        for vote in votes:
            first, second = (2 * number, 2 * number + 1)[:: -1 if vote == 2 else 1]
            chosen.append(first)
            rejected.append(second)
            prompts.append(number)
            labels.append(0.5 if vote == 0 else 1.0)
        score = votes.count(1) + 0.5 * votes.count(0)
        best += max(score, 3 - score)
        n += 3
    found = pair_agreement(bt.PreferencePairs(chosen, rejected, prompts=prompts, labels=labels))
    rows = [votes_of(record) for record in records]
    assert (found.n_repeated, found.n_judgements) == (999, 2997)
    assert found.agreement == pytest.approx(agreement(rows).observed, rel=1e-12)
    assert found.accuracy_ceiling == pytest.approx(best / n, rel=1e-12)
    swapped = [[{0: 0, 1: 2, 2: 1}[vote] for vote in row] for row in rows]
    assert found.alpha == pytest.approx(krippendorff_alpha(rows + swapped), rel=1e-12)


# ----------------------------------------------------------------------------------------------------------- manners


@pytest.mark.parametrize(
    ("rows", "options", "sentence"),
    [
        ([[1], [2]], {}, "ratings: expected at least one unit with two ratings or more, got none"),
        ([], {}, "ratings: expected at least one unit with two ratings or more, got none"),
        ([1, 2, 3], {}, "ratings: expected a row of ratings for each unit, got 1"),
        (["good", "bad"], {}, "ratings: expected a row of ratings for each unit, got 'good'"),
        ([["a", "b"]], {"level": "ordinal"}, "ratings: expected numbers for the level ordinal, got 'a' in unit 0"),
        (
            [[1, 2], [True, 1]],
            {"level": "interval"},
            "ratings: expected numbers for the level interval, got True in unit 1",
        ),
        ([[1, 2]], {"level": "ratio"}, "level: expected one of nominal, ordinal, interval, got 'ratio'"),
    ],
)
def test_wrong_ratings_are_refused(rows, options, sentence) -> None:
    """One sentence for each."""
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        agreement(rows, **options)


def test_equal_ratings_have_no_alpha() -> None:
    """If everyone always says the same, chance agrees, too: 0/0."""
    found = agreement([[1, 1], [1, 1, 1]])
    assert np.isnan(found.alpha)
    assert (found.observed, found.expected) == (1, 1)


@pytest.mark.parametrize("scale", [1e-300, 1e-165, 1.0, 1e160, 1e300])
def test_alpha_does_not_depend_on_the_unit_of_the_ratings(scale) -> None:
    """All distances have the same factor, whose square may be no float64."""
    found = agreement(np.array([[1, 2], [2, 2], [3, 1], [5, 5.0]]) * scale, level="interval")
    assert found.alpha == pytest.approx(108 / 143, rel=1e-12)  # 108/143: 1 - (5/4)/(143/28)


@pytest.mark.parametrize("ratings", [[[np.inf, 1], [1, 1]], [[2**2000, 1], [1, 1]]])
def test_ratings_that_are_no_finite_numbers_have_no_distances(ratings) -> None:
    """They are refused by name."""
    with pytest.raises(ValueError, match=r"^ratings: expected finite numbers for level='interval'"):
        agreement(ratings, level="interval")
