"""Preference pairs: checked once, frozen afterwards, shown in words, and split by prompt."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bradley_terry as bt

FIELDS = ("chosen", "rejected", "prompts", "weights", "labels", "target_margins")


@pytest.fixture
def full(rng) -> bt.PreferencePairs:
    """Return ten pairs of four prompts with every field filled in."""
    return bt.PreferencePairs(
        rng.normal(size=(10, 2)),
        rng.normal(size=(10, 2)),
        prompts=["b", "a", "b", "c", "a", "d", "d", "c", "b", "a"],
        weights=rng.uniform(1, 2, 10),
        labels=rng.uniform(0, 1, 10),
        target_margins=rng.normal(size=10),
        feature_names=["length", "warmth"],
    )


# ---------------------------------------------------------------------------------------------------- known value


def test_counts_are_those_of_the_pairs(full) -> None:
    """Pairs, prompts, features, items, total weight and identical pairs are counted correctly."""
    assert (len(full), full.n_pairs, full.n_prompts, full.n_features, full.is_items) == (10, 10, 4, 2, False)
    assert full.total_weight == full.weights.sum()
    assert full.n_identical == 0
    plain = bt.PreferencePairs([[1, 2], [3, 4], [5, 6]], [[1, 2], [3, 0], [5, 6]])
    assert (plain.n_identical, plain.n_prompts, plain.total_weight) == (2, 3, 3.0)
    items = bt.PreferencePairs([0, 2, 2], [1, 2, 0])
    assert (items.is_items, items.n_items, items.n_identical, items.n_features) == (True, 3, 1, 1)
    assert bt.PreferencePairs([0], [1], feature_names=["a", "b", "never met"]).n_items == 3


def test_prompts_are_numbered_in_the_order_in_which_they_appear(full) -> None:
    """The prompts b, a, c, d have numbers 0, 1, 2, 3; without names every pair is a prompt of its own."""
    np.testing.assert_array_equal(full.prompt_index, [0, 1, 0, 2, 1, 3, 3, 2, 0, 1])
    np.testing.assert_array_equal(bt.PreferencePairs([0, 0], [1, 1]).prompt_index, [0, 1])
    np.testing.assert_array_equal(bt.PreferencePairs([0, 0, 0], [1, 1, 1], prompts=[7, -2, 7]).prompt_index, [0, 1, 0])


def test_representation_says_what_is_in_it(full) -> None:
    """The repr gives the number of pairs, features and prompts, and names the optional fields that are given."""
    text = repr(full)
    assert text == "PreferencePairs(10 pairs of 2 features, 4 prompts, weights, labels, target_margins)"
    assert repr(bt.PreferencePairs([0], [1])) == "PreferencePairs(1 pair of items)"


def test_a_pair_is_shown_in_words_and_numbers() -> None:
    """A pair shows its prompt, the features of both answers by name, and optional fields other than the defaults."""
    pairs = bt.PreferencePairs([[3.0, 0.5], [1.0, 0.25]], [[1.0, 0.5], [2.0, 1e6]], feature_names=["words", "warmth"])
    assert (
        repr(pairs[0])
        == str(pairs[0])
        == ("pair 0, prompt 0: chosen words = 3, warmth = 0.5; rejected words = 1, warmth = 0.5")
    )
    extras = {"prompts": ["a", "b"], "weights": [2, 1], "labels": [0.5, 1], "target_margins": [0, 1.5]}
    other = dataclasses.replace(pairs, feature_names=None, **extras)
    assert str(other[0]) == (
        "pair 0, prompt a: chosen feature 0 = 3, feature 1 = 0.5; rejected feature 0 = 1, feature 1 = 0.5, "
        "weight 2, label 0.5"
    )
    assert str(other[1]).startswith("pair 1, prompt b: ")
    assert str(other[1]).endswith("rejected feature 0 = 2, feature 1 = 1e+06, target margin 1.5")


def test_a_pair_of_items_is_shown_by_their_names() -> None:
    """Items without names are shown by their numbers."""
    assert str(bt.PreferencePairs([2], [0])[0]) == "pair 0, prompt 0: item 2 chosen over item 0"
    named = bt.PreferencePairs([2], [0], feature_names=["Ada", "Bob", "Cy"], prompts=["final"])
    assert str(named[0]) == "pair 0, prompt final: Cy chosen over Ada"


def test_of_many_features_a_pair_shows_those_that_differ() -> None:
    """Up to six features are all shown. Of more features, six that differ are shown, and the others are counted."""
    x, y = np.zeros((3, 20)), np.zeros((3, 20))
    x[0, 4], x[1] = 1, 1
    pairs = bt.PreferencePairs(x, y)
    assert str(pairs[0]) == "pair 0, prompt 0: chosen feature 4 = 1; rejected feature 4 = 0"
    assert str(pairs[1]).endswith(", feature 5 = 0 (and 14 more features that differ)")
    assert str(pairs[2]) == "pair 2, prompt 2: chosen and rejected have the same features"
    six = bt.PreferencePairs(x[:, :6], y[:, :6])
    assert str(six[0]).count("feature") == 12


def test_head_shows_the_first_pairs_one_on_each_line(full) -> None:
    """``head`` shows five pairs unless asked for another number, and a notebook shows the text without quotes."""
    assert str(full.head()).splitlines() == [str(full[row]) for row in range(5)]
    assert repr(full.head(2)) == f"{full[0]}\n{full[1]}"
    assert len(str(full.head(99)).splitlines()) == 10
    assert str(full.head(0)) == ""


# ------------------------------------------------------------------------------------------------------- identity


@given(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=40), st.floats(0.05, 0.95), st.integers(0, 99))
def test_split_never_puts_a_prompt_on_both_sides(prompts: list[str], fraction: float, seed: int) -> None:
    """Every pair is on exactly one side, with all pairs of its prompt, and each side has a prompt."""
    n = len(prompts)
    pairs = bt.PreferencePairs(np.arange(n), np.arange(n) + 1, prompts=prompts, weights=np.arange(n) + 1.0)
    if pairs.n_prompts < 2:
        with pytest.raises(ValueError, match=r"^prompts: expected at least two"):
            pairs.split(fraction, seed=seed)
        return
    training, validation = pairs.split(fraction, seed=seed)
    assert not set(training.prompts.tolist()) & set(validation.prompts.tolist())
    np.testing.assert_array_equal(np.sort(np.concatenate([training.chosen, validation.chosen])), np.arange(n))
    for side in (training, validation):
        np.testing.assert_array_equal(side.weights, side.chosen + 1)  # each row keeps what belongs to it
        np.testing.assert_array_equal(side.prompts, np.array(prompts)[side.chosen])
    wanted = min(max(round(fraction * pairs.n_prompts), 1), pairs.n_prompts - 1)
    assert validation.n_prompts == wanted


def test_split_depends_on_the_seed_alone(full) -> None:
    """The same seed gives the same split, and other seeds give other splits."""
    sides = [full.split(0.5, seed=seed)[1].prompts.tolist() for seed in (1, 1, 2, 3, 4)]
    assert sides[0] == sides[1]
    assert any(side != sides[0] for side in sides[2:])


def test_subset_takes_every_field_along(full) -> None:
    """``subset(index)`` and ``pairs[index]`` take rows by number or by mask, in the given order, with repetitions."""
    for index in ([3, 0, 3], np.array([True, False] * 5), slice(2, 7), slice(None, None, -2), np.array([-1])):
        rows = np.arange(10)[index]
        for part in (full.subset(rows if isinstance(index, slice) else index), full[index]):
            for name in FIELDS:
                np.testing.assert_array_equal(getattr(part, name), getattr(full, name)[rows])
            assert part.feature_names == full.feature_names


def test_one_number_gives_one_pair_and_iterating_gives_them_all(full) -> None:
    """``pairs[-1]`` counts from the end, and a pair holds the row and the numbers of that pair."""
    for index, row in ((0, 0), (-1, 9), (np.int64(3), 3)):
        pair = full[index]
        assert pair.index == row
        np.testing.assert_array_equal(pair.chosen, full.chosen[row])
        np.testing.assert_array_equal(pair.rejected, full.rejected[row])
        assert (pair.prompt, pair.weight, pair.label) == (full.prompts[row], full.weights[row], full.labels[row])
        assert (pair.target_margin, pair.feature_names) == (full.target_margins[row], ("length", "warmth"))
    assert [pair.index for pair in full] == list(range(10))
    plain = bt.PreferencePairs([0, 1], [1, 0])[1]
    assert (plain.prompt, plain.weight, plain.label, plain.target_margin, plain.feature_names) == (1, 1, 1, 0, None)
    with pytest.raises(ValueError, match="read-only"):
        full[0].chosen[0] = 1


@pytest.mark.parametrize("index", [10, -11, np.int64(99)])
def test_a_row_that_is_not_there_is_an_index_error(index, full) -> None:
    """The error is an IndexError, as for a list, so that a for loop ends."""
    with pytest.raises(IndexError):
        full[index]


def test_a_generator_is_taken_for_a_seed(full) -> None:
    """A generator draws a new split each time; a SeedSequence is a seed; None could not be repeated."""
    for seed in (7, np.random.default_rng(7), np.random.SeedSequence(7), np.random.PCG64(7)):
        np.testing.assert_array_equal(full.held_out(0.5, seed=seed), full.held_out(0.5, seed=7))
    rng = np.random.default_rng(7)
    assert len({full.held_out(0.5, seed=rng).tobytes() for _ in range(9)}) > 1
    for seed in (None, True, 1.5, -1, "7", [1, 2], np.random):
        with pytest.raises(ValueError, match=r"^seed: expected a whole number of at least 0 or a numpy\.random\.Gener"):
            full.split(0.5, seed=seed)


def test_a_slice_or_a_number_of_rows_is_checked(full) -> None:
    """A slice that is no slice of rows gets one sentence; any number of rows may be asked for."""
    for index in (slice("a", None), slice(0.5, 2), slice(None, None, 0), slice(None, [1])):
        with pytest.raises(ValueError, match=r"^index: expected a slice of whole numbers, got slice\("):
            full[index]
    assert str(full.head(10**30)) == str(full.head(10))
    assert len(full[: 10**30]) == 10


@pytest.mark.parametrize("index", [[], slice(4, 4), np.zeros(10, dtype=bool), 1.5, "a", [0.5]])
def test_an_index_that_leaves_no_pair_is_refused(index, full) -> None:
    """At least one pair must be left, and row numbers are whole numbers."""
    with pytest.raises(
        ValueError, match=r"^(index: expected row numbers or a mask|chosen: expected at least one pair)"
    ):
        full[index]


# -------------------------------------------------------------------------------------------------------- manners


def test_pairs_are_frozen(full) -> None:
    """No field can be set, deleted or written into."""
    for name in (*FIELDS, "feature_names"):
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"^cannot assign to field '{name}'"):
            setattr(full, name, None)
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"^cannot delete field '{name}'"):
            delattr(full, name)
    for name in FIELDS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(full, name)[0] = getattr(full, name)[1]
    with pytest.raises(AttributeError):
        full.n_pairs = 3
    assert full.weights is not None


def test_replace_gives_pairs_with_other_labels(full) -> None:
    """``dataclasses.replace`` checks the new field, keeps the others, and copies none of them."""
    again = dataclasses.replace(full, labels=np.full(10, 0.5))
    np.testing.assert_array_equal(again.labels, np.full(10, 0.5))
    for name in FIELDS:
        if name != "labels":
            assert np.shares_memory(getattr(again, name), getattr(full, name))
    assert again.feature_names == full.feature_names
    assert dataclasses.replace(full, weights=None).weights is None
    assert dataclasses.replace(full, prompts=None).n_prompts == 10
    with pytest.raises(ValueError, match=r"^labels: expected P\(chosen preferred\) in \[0, 1\], got 2"):
        dataclasses.replace(full, labels=np.full(10, 2.0))
    with pytest.raises(ValueError, match=r"^rejected: expected the shape of chosen"):
        dataclasses.replace(full, chosen=full.chosen[:3])


def test_pairs_can_be_pickled_and_copied(full) -> None:
    """Pickled and copied pairs are equal to the original, are frozen too, and show the same words."""
    assert full.n_prompts == 4  # also after the prompts were numbered
    for twin in (pickle.loads(pickle.dumps(full)), copy.deepcopy(full), copy.copy(full)):  # noqa: S301
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(twin, name), getattr(full, name))
            assert not getattr(twin, name).flags.writeable
        assert twin.feature_names == full.feature_names
        np.testing.assert_array_equal(twin.prompt_index, full.prompt_index)
        assert str(twin.head()) == str(full.head())
        with pytest.raises(dataclasses.FrozenInstanceError):
            twin.labels = None


X = np.ones((3, 2))
BAD = [
    ({"chosen": X, "rejected": np.ones((4, 2))}, ValueError, r"^rejected: expected the shape of chosen, \(3, 2\)"),
    ({"chosen": X, "rejected": np.ones((3, 3))}, ValueError, r"^rejected: .* got \(3, 3\)"),
    ({"chosen": [0, 1], "rejected": X}, ValueError, r"^rejected: "),
    ({"chosen": np.ones((3, 2, 1)), "rejected": X}, ValueError, r"^chosen: expected shape .* got \(3, 2, 1\)"),
    ({"chosen": 1.0, "rejected": 2.0}, ValueError, r"^chosen: expected shape"),
    ({"chosen": np.ones((3, 0)), "rejected": np.ones((3, 0))}, ValueError, r"^chosen: expected shape"),
    ({"chosen": [], "rejected": []}, ValueError, r"^chosen: expected at least one pair, got none"),
    ({"chosen": np.ones((0, 2)), "rejected": np.ones((0, 2))}, ValueError, r"^chosen: expected at least one pair"),
    ({"chosen": [0.5, 1.0], "rejected": [0, 1]}, ValueError, r"^chosen: expected features .* or integer item numbers"),
    ({"chosen": [0, -1], "rejected": [0, 1]}, ValueError, r"^chosen: expected item numbers of at least 0, got -1"),
    (
        {"chosen": X, "rejected": X * np.nan},
        ValueError,
        r"^rejected: expected finite numbers, got nan in row 0, column 0",
    ),
    (
        {"chosen": [[1.0, 2], [3, np.inf]], "rejected": [[0, 0], [0, 0]]},
        ValueError,
        r"^chosen: .* inf in row 1, column 1",
    ),
    ({"chosen": [["a", "b"]], "rejected": [["a", "b"]]}, TypeError, r"^chosen: expected an array of real numbers"),
    ({"chosen": X * 1j, "rejected": X}, TypeError, r"^chosen: expected an array of real numbers, got dtype complex128"),
    ({"weights": [1, 2]}, ValueError, r"^weights: expected shape \(3,\), one for each pair, got \(2,\)"),
    ({"weights": [1, -1, 1]}, ValueError, r"^weights: expected numbers of at least 0 .* got a minimum of -1"),
    ({"weights": [0, 0, 0]}, ValueError, r"^weights: .* positive sum"),
    ({"weights": [1, np.nan, 1]}, ValueError, r"^weights: expected finite numbers, got nan in row 1"),
    ({"weights": [1e308, 1e308, 1e308]}, ValueError, r"^weights: "),
    ({"weights": ["a", "b", "c"]}, TypeError, r"^weights: expected an array of real numbers"),
    ({"labels": [0.5, 1.01, 0]}, ValueError, r"^labels: expected P\(chosen preferred\) in \[0, 1\], got 1.01"),
    ({"labels": [0.5, -0.01, 0]}, ValueError, r"^labels: .* got -0.01"),
    ({"labels": [0.5, np.nan, 0]}, ValueError, r"^labels: expected finite"),
    ({"labels": 0.5}, ValueError, r"^labels: expected shape \(3,\)"),
    ({"target_margins": [0, np.inf, 0]}, ValueError, r"^target_margins: expected finite numbers, got inf in row 1"),
    ({"target_margins": np.ones((3, 1))}, ValueError, r"^target_margins: expected shape \(3,\)"),
    ({"prompts": ["a", "b"]}, ValueError, r"^prompts: expected shape \(3,\), one name for each pair, got \(2,\)"),
    ({"prompts": [1.0, np.nan, 2.0]}, ValueError, r"^prompts: expected a name for each pair, got NaN"),
    ({"feature_names": ["a"]}, ValueError, r"^feature_names: expected 2 names, one for each feature, got 1"),
    ({"feature_names": ["a", "a"]}, ValueError, r"^feature_names: expected different names, got the same"),
    ({"feature_names": "ab"}, TypeError, r"^feature_names: expected a sequence of names, got one string"),
    ({"chosen": [0, 5], "rejected": [1, 1], "feature_names": ["a", "b"]}, ValueError, r"^feature_names: .* number 5"),
    (
        {"chosen": np.array([2**63], dtype=np.uint64), "rejected": np.array([1], dtype=np.uint64)},
        ValueError,
        r"^chosen: ",
    ),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD)
def test_bad_input_is_refused_in_one_sentence_that_names_the_argument(arguments, error, message: str) -> None:
    """The message is one sentence with the argument, what was expected and what was found."""
    with pytest.raises(error, match=message) as caught:
        bt.PreferencePairs(**{"chosen": X, "rejected": X, **arguments})
    assert "\n" not in str(caught.value)


def test_bad_splits_are_refused() -> None:
    """A share is between 0 and 1, one prompt cannot be split, and features are not items."""
    pairs = bt.PreferencePairs([0, 0], [1, 1])
    for bad in (0, 1, -0.5, 2, np.nan):
        with pytest.raises(ValueError, match="expected a share between 0 and 1"):
            pairs.split(bad)
    with pytest.raises(ValueError, match=r"^prompts: expected at least two to split by, got 1"):
        bt.PreferencePairs([0, 0], [1, 1], prompts=["a", "a"]).split()
    with pytest.raises(ValueError, match=r"^n_items: these pairs hold features"):
        _ = bt.PreferencePairs([[1.0]], [[2.0]]).n_items


@pytest.mark.parametrize("index", [3, -4])
def test_a_pair_that_is_not_there_is_named_with_the_range(index) -> None:
    """The error gives the numbers that exist, and iterating over pairs still ends."""
    pairs = bt.PreferencePairs([0, 1, 2], [1, 2, 0])
    with pytest.raises(IndexError, match=f"^index: expected a pair from 0 to 2, got {index}$"):
        pairs[index]
    assert len(list(pairs)) == 3
