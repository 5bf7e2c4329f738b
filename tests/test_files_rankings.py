"""Rankings from files: each example of docs/formats.md, the same pairs as ``load_pairs``, ties, labels, bad input."""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_rankings import oasst, shared
from tiers import first

import bradley_terry as bt
from bradley_terry.datasets import DataNote

PAGE = (Path(__file__).parent.parent / "docs" / "formats.md").read_text(encoding="utf-8")
rankings_of = bt.PreferenceRankings.from_records
pairs_of = bt.PreferencePairs.from_records


def examples(heading: str) -> dict[str, tuple[list[dict[str, object]], str]]:
    """Return the records of a table of the page, and what the last column says of them."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = {}
    for line in section.splitlines():
        *_, record, said = re.split(r" \| ", line.strip("| ")) if line.startswith("| ") else ["", ""]
        if records := re.findall(r"`(\{.*?\})`(?= |$)", record):
            found[record] = [json.loads(one) for one in records], said
    return found


OF_RANKINGS = examples("Rankings")
OF_PAIRS = examples("Your file looks like … it is read as …")


def compared(pairs: bt.PreferencePairs) -> Counter:
    """Return (chosen, rejected, weight) of all pairs, in no order; items by name."""
    names = pairs.feature_names if pairs.is_items else None
    weights = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
    rows = zip(pairs.chosen.tolist(), pairs.rejected.tolist(), weights.tolist(), strict=True)
    return Counter((names[a], names[b], w) if names else (tuple(a), tuple(b), w) for a, b, w in rows)


def ranks_of(rankings: bt.PreferenceRankings) -> list[list[int]]:
    """Return the ranks of each ranking."""
    index = rankings.prompt_index
    return [rankings.ranks[index == i].tolist() for i in range(len(rankings))]


def letters(texts: list[str]) -> np.ndarray:
    """Return a feature that tells the answers "a", "b", … apart."""
    return np.array([[float(ord(text[0]))] for text in texts])


# ---------------------------------------------------------------------------------------------------- known value


def test_the_page_has_examples() -> None:
    assert len(OF_RANKINGS) == 14
    assert len(OF_PAIRS) > 25


@pytest.mark.parametrize("name", OF_RANKINGS)
def test_each_example_of_the_page_is_read_as_it_says(name, tmp_path) -> None:
    """The page gives the ranks, best first, and what they are of. From the file and from memory they are the same."""
    records, said = OF_RANKINGS[name]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    rankings = bt.load_rankings(tmp_path / "a.jsonl")
    ranks, what = re.match(r"ranks (.*?) of (texts|items|2 features)", said).groups()
    assert ranks_of(rankings) == [[int(rank) for rank in one.split(", ")] for one in ranks.split(" and ")]
    assert (rankings.features.ndim == 1) == (what == "items")
    assert what != "2 features" or rankings.features.shape[1] == 2
    from_memory = rankings_of(records)
    assert from_memory.features.tolist() == rankings.features.tolist()
    assert from_memory.prompts.tolist() == rankings.prompts.tolist()
    assert from_memory.feature_names == rankings.feature_names


TIED = [name for name, (records, _) in OF_PAIRS.items() if any("tie (bothbad)" in one.values() for one in records)]


@pytest.mark.parametrize("name", first(10, sorted({*OF_PAIRS, *OF_RANKINGS} - {*TIED})))
def test_rankings_compare_the_same_pairs(name) -> None:
    """Every example for load_pairs is also rankings, and every example of rankings is also pairs."""
    records, _ = (OF_PAIRS | OF_RANKINGS)[name]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*with a target margin, which is not read", DataNote)
        warnings.filterwarnings("ignore", ".*of answers with an equal (rank|scores), left out", DataNote)
        rankings, pairs = rankings_of(records), pairs_of(records)
    assert compared(rankings.as_pairs()) == compared(pairs)
    assert rankings.feature_names == pairs.feature_names


@pytest.mark.parametrize("ranks", [(1, 2, 3), (0, 1, 2), (0, 10, 11.5), (-4, 3, 8)])
def test_only_the_order_of_ranks_counts(ranks) -> None:
    """Ranks may begin anywhere and have gaps, in any order of the list, in each way of writing them."""
    of = dict(zip("abc", ranks, strict=True))
    for order in ("abc", "cba", "bca"):
        for rows in (
            [{"prompt": "p", "completions": [{"text": text, "rank": of[text]} for text in order]}],
            [{"prompt": "p", "answers": list(order), "ranks": [of[text] for text in order]}],
            [{"prompt": "p", "response": text, "rank": of[text]} for text in order],
            [{"prompt": "p", "responses": list(order), "scores": [-of[text] for text in order]}],
        ):
            rankings = rankings_of(rows, featurise=letters)
            assert rankings.features.ravel().tolist() == [97, 98, 99]
            assert rankings.ranks.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([9, 8, 8, 2], [("abcd", 1), ("bd", 1), ("cd", 1)]),
        ([8, 8, 2], [("ac", 1), ("bc", 1)]),
        ([3, 3, 2, 2], [("acd", 1), ("bcd", 1)]),
        ([5, 4, 3, 3, 1, 0], [("abcdef", 2), ("cef", 1), ("def", 1), ("ef", 1)]),
        ([3, 2, 1, 1, 1], [("abcde", 2)]),
        ([1, 2, 3, 4], [("dcba", 3)]),
    ],
)
def test_equal_scores_before_the_last_split_a_ranking(scores, expected) -> None:
    """Each ranking is given by its answers, best first, and how many of them were chosen. A note counts the prompts."""
    rows = [{"prompt": "p", "responses": list("abcdef"[: len(scores)]), "scores": scores}]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rankings = rankings_of(rows, featurise=letters)
    words = np.array([chr(int(x)) for x in rankings.features[:, 0]])
    found = ["".join(words[rankings.prompt_index == i]) for i in range(len(rankings))]
    assert list(zip(found, [max(ranks) - 1 for ranks in ranks_of(rankings)], strict=True)) == expected
    said = "records: row 0: 1 prompt with answers before the last that are equal in scores, split into several rankings"
    assert [str(note.message) for note in caught] == ([said] if len(expected) > 1 else [])


# 1e-7, as the README of the data says, but the published estimate of rankings-2 is no exact maximum: its likelihood is
# lower than ours by a relative 1e-10, which says the same as a distance of 1e-5.
CHOIX = {"rankings-1": 1e-7, "rankings-2": 5e-5, "top1-1": 1e-7, "top1-2": 1e-7}


@pytest.mark.parametrize("name", CHOIX)
def test_published_fits_of_rankings(name, tmp_path) -> None:
    """The cases of choix, written as lists of items or as one winner among several, have their published fit."""
    case = json.loads(shared(f"tab_choix_cases/testcase-{name}.json").read_text(encoding="utf-8"))
    rows = [{"ranking": one} for one in case["data"]]
    if name.startswith("top1"):
        rows = [{"winner": str(winner), "loser": [*map(str, losers)]} for winner, losers in case["data"]]
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    rankings = bt.load_rankings(tmp_path / "a.json")
    assert rankings.feature_names == tuple(map(str, range(case["n_items"])))
    scorer = bt.TableScorer(case["n_items"])
    model = bt.fit(scorer, rankings)
    np.testing.assert_allclose(model.phi, case["ml_est"], rtol=0, atol=CHOIX[name])
    objective = bt.Objective(scorer, rankings)
    assert objective(model.phi)[0] <= objective(np.array(case["ml_est"]))[0] + 1e-15


# ------------------------------------------------------------------------------------------------------- identity


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=7), min_size=1, max_size=4))
def test_any_scores_compare_the_same_pairs(prompts: list[list[int]]) -> None:
    """Rankings hold each pair of load_pairs once, however many scores are equal; a weight goes to all of them."""
    rows = [
        {"prompt": f"p {i}", "responses": [f"{i} {j}" for j in range(len(scores))], "scores": scores, "weight": i + 1}
        for i, scores in enumerate(prompts)
    ]
    features = {f"{i} {j}": (float(i), float(j)) for i, scores in enumerate(prompts) for j in range(len(scores))}

    def featurise(texts):
        assert len(set(texts)) == len(texts)
        return np.array([features[text] for text in texts])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataNote)
        if all(len(set(scores)) == 1 for scores in prompts):
            with pytest.raises(ValueError, match=r"^records: expected at least one ranking, found no two answers"):
                rankings_of(rows)
            return
        rankings, pairs = rankings_of(rows, featurise=featurise), pairs_of(rows, featurise=featurise)
    assert compared(rankings.as_pairs()) == compared(pairs)


@pytest.mark.full
def test_real_rankings_of_texts(tmp_path) -> None:
    """All 212 are read, with 2 to 9 answers, as its SOURCE.md says; their 754 pairs have the features of load_pairs."""
    path = oasst(tmp_path / "a.jsonl")
    rankings, pairs = bt.load_rankings(path), bt.load_pairs(path)
    sizes = np.bincount(rankings.prompt_index)
    assert dict(Counter(sizes.tolist())) == {2: 57, 3: 117, 4: 27, 5: 3, 6: 6, 8: 1, 9: 1}
    assert len(pairs) == 754
    assert compared(rankings.as_pairs()) == compared(pairs)
    assert rankings.feature_names == pairs.feature_names
    model = bt.fit(bt.LinearScorer(rankings.features.shape[1]), rankings, l2=0.03)
    assert model.converged
    assert model.evaluate(pairs).accuracy > 0.65


def nested(n: int) -> tuple[dict[str, object], Counter]:
    """Return a tree in which each message has n replies, three levels deep, and the prompts of its rankings."""
    prompts: Counter = Counter()

    def message(name: str, depth: int, way: str) -> dict[str, object]:
        way = f"{way}\n\n{name}" if way else name
        below = [message(f"{name}{i}", depth - 1, way) for i in range(n)] if depth else []
        if below:
            prompts[way] += 1
        return {"text": name, "role": "assistant", "rank": int(name[-1]), "replies": below[::-1]}

    return {"message_tree_id": "t", "prompt": message("0", 2, "")}, prompts


@pytest.mark.parametrize("n", [2, 3])
def test_each_message_of_a_tree_with_ranked_replies_is_a_ranking(n) -> None:
    """A tree three levels deep has 1 + n rankings of n replies each, best first."""
    tree, prompts = nested(n)
    rankings = rankings_of([tree], featurise=lambda texts: np.array([[float(text)] for text in texts]))
    assert len(rankings) == sum(prompts.values()) == 1 + n
    assert ranks_of(rankings) == [list(range(1, n + 1))] * (1 + n)
    assert (rankings.features.ravel() % 10).tolist() == [*range(n)] * (1 + n)


# --------------------------------------------------------------------------------------------------------- formats


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_with_one_row_for_each_answer(separator, tmp_path) -> None:
    """Rows of a prompt may lie apart; every column of numbers is a feature but that of the index."""
    text = "answer_id,prompt,price,speed,rank,mode\n5,a,2.5,1,0,bus\n6,b,1,0,2,car\n7,a,3,2,1,car\n8,b,4,5,1,bus\n"
    (tmp_path / "a.csv").write_text(text.replace(",", separator), encoding="utf-8")
    rankings = bt.load_rankings(tmp_path / "a.csv")
    assert rankings.feature_names == ("price", "speed")
    assert rankings.features.tolist() == [[2.5, 1], [3, 2], [4, 5], [1, 0]]
    assert rankings.ranks.tolist() == [1, 2, 1, 2]
    assert rankings.prompts.tolist() == ["a", "a", "b", "b"]
    pairs = bt.load_pairs(tmp_path / "a.csv")
    assert pairs.chosen.tolist() == [[2.5, 1], [4, 5]]
    assert pairs.rejected.tolist() == [[3, 2], [1, 0]]
    assert pairs.prompts.tolist() == ["a", "b"]


@pytest.mark.parametrize("column", ["item", "player", "team", "model", "option", "candidate", "name"])
@pytest.mark.parametrize(("mark", "values"), [("rank", "1 2 2"), ("score", "9 2 2")])
def test_a_table_of_ranked_items(column, mark, values, tmp_path) -> None:
    """A race has one row for each runner; the last two are not compared."""
    rows = "\n".join(f"race 1,{name},{value}" for name, value in zip("BCA", values.split(), strict=True))
    (tmp_path / "a.csv").write_text(f"prompt,{column},{mark}\n{rows}\nrace 2,C,7\nrace 2,A,5\n", encoding="utf-8")
    rankings = bt.load_rankings(tmp_path / "a.csv")
    assert rankings.feature_names == ("A", "B", "C")
    assert rankings.prompts.tolist() == ["race 1"] * 3 + ["race 2"] * 2
    assert ranks_of(rankings) == [[1, 2, 2], [1, 2]]
    assert rankings.features.tolist() == [1, 2, 0, *([0, 2] if mark == "rank" else [2, 0])]


@pytest.mark.full
def test_frames_are_read_like_files() -> None:
    """A data frame of pandas has the same rankings; a missing rank leaves its answer out with a note."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"prompt": [1, 1, 2, 2, 2], "x": [1.0, 2, 3, 4, 5], "rank": [1, 2, None, 2, 1]})
    with pytest.warns(DataNote, match="row 2: 1 row whose answer has no rank, left out"):
        rankings = rankings_of(frame)
    assert rankings.features.ravel().tolist() == [1, 2, 5, 4]
    assert rankings.prompts.tolist() == ["1", "1", "2", "2"]


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    "names", [("features", "ranks", "prompts", "weights"), ("features", "rank", "prompt", "weight")]
)
def test_arrays_of_rankings(compress, names, tmp_path, rng) -> None:
    """NPZ and a folder of NPY files hold the arguments of PreferenceRankings."""
    arrays = (rng.normal(size=(5, 2)), np.array([2, 1, 1, 2, 2]), np.array(list("aabbb")), np.array([1.0, 1, 2, 2, 2]))
    (np.savez_compressed if compress else np.savez)(tmp_path / "a.npz", **dict(zip(names, arrays, strict=True)))
    (tmp_path / "a").mkdir()
    for name, array in zip(names, arrays, strict=True):
        np.save(tmp_path / "a" / f"{name}.npy", array)
    for path in (tmp_path / "a.npz", tmp_path / "a"):
        rankings = bt.load_rankings(path)
        for field, array in zip(("features", "ranks", "prompts", "weights"), arrays, strict=True):
            assert getattr(rankings, field).tolist() == array.tolist()
        assert rankings.feature_names == ("x1", "x2")
    np.savez(tmp_path / "b.npz", features=[3, 1], ranks=[1, 2], prompts=[0, 0])
    assert bt.load_rankings(tmp_path / "b.npz").feature_names == ("item 0", "item 1", "item 2", "item 3")


def test_texts_reach_featurise_once_each() -> None:
    """A function of texts gets each different answer once; a list of texts under "ranking" is best first."""
    asked = []

    def featurise(texts):
        asked.extend(texts)
        return letters(texts)

    rows = [{"prompt": "Which?", "ranking": ["c", "a", "b"]}, {"prompt": "Who?", "ranking": ["a", "d"]}]
    rankings = rankings_of(rows, featurise=featurise)
    assert asked == ["c", "a", "b", "d"]
    assert rankings.features.ravel().tolist() == [99, 97, 98, 97, 100]
    chats = [[{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": text}] for text in "cab"]
    assert rankings_of([{"ranking": chats}], featurise=letters).features.ravel().tolist() == [99, 97, 98]


# --------------------------------------------------------------------------------------------------------- manners


def test_rankings_of_one_prompt_stay_apart() -> None:
    """Two people ranked the same answers to one prompt: two rankings, whose prompts have different names."""
    rows = [{"prompt": "Why?", "completions": [{"text": "a", "rank": i}, {"text": "b", "rank": 1 - i}]} for i in (0, 1)]
    assert rankings_of(rows).prompts.tolist() == [0, 0, 1, 1]
    rows = [{"prompt": p, "winner": "A", "loser": "B"} for p in ("x", "x", "x (2)", "x")]
    assert rankings_of(rows).prompts.tolist() == [
        "x",
        "x",
        "x (2)",
        "x (2)",
        "x (2) (2)",
        "x (2) (2)",
        "x (3)",
        "x (3)",
    ]


def test_labels_and_target_margins_of_pairs() -> None:
    """The label 0 turns a pair around, a tie is left out, and a target margin is not read; the last two are noted."""
    rows = [{"winner": "A", "loser": "B", "label": label} for label in (1, 0, 0.5)]
    with pytest.warns(DataNote, match=r"^records: row 2: 1 tie, left out$"):
        assert rankings_of(rows).features.tolist() == [0, 1, 1, 0]
    battles = [{"model_a": "A", "model_b": "B", "winner": winner} for winner in ("model_b", "tie", "tie (bothbad)")]
    with pytest.warns(DataNote, match=r"^records: row 1: 2 ties, left out$"):
        assert rankings_of(battles).features.tolist() == [1, 0]
    with pytest.warns(DataNote, match=r"^records: row 0: 1 row with a target margin, which is not read$"):
        assert len(rankings_of([{"chosen": "a", "rejected": "b", "margin": 1.5}])) == 1


def test_the_weight_of_a_record_is_that_of_its_ranking() -> None:
    rows = [{"chosen": "a", "rejected": ["b", "c"], "weight": 2}, {"chosen": "a", "rejected": "b"}]
    assert rankings_of(rows).weights.tolist() == [2, 2, 2, 1, 1]
    assert rankings_of(rows).ranking_weights.tolist() == [2, 1]


BAD = [
    ([{"chosen": "a", "rejected": "b", "label": 0.9}], r"row 0: label: expected 1, or .*, found 0.9; load_pairs reads"),
    ([{"chosen": "a", "rejected": ["b", "c"], "label": 0}], r"row 0: label: expected 1, or .*, found 0;"),
    ([{"ranking": ["A", "B", "A"]}], "row 0: expected each item once in a ranking, found A twice"),
    ([{"ranking": ["A", ""]}], "row 0: answer 2: expected a name, found an empty cell"),
    ([{"ranking": [1.5, 2]}], "row 0: ranking: expected a text or the name of an item, found the number 1.5"),
    ([{"ranking": [[1, 2], "b"]}], 'row 0: ranking: expected a list of numbers like ranking, found "b"'),
    ([{"ranking": [[1, 2], [1]]}], "row 0: answer 2: expected 2 numbers, as in answer 1 of row 0, found 1"),
    (
        [{"prompt": "p", "completions": [{"text": t, "score": 1} for t in "ab"]}],
        "expected at least one ranking, found no two answers to a prompt that differ in rank or score",
    ),
    (
        [{"prompt": 1, "item": "A", "price": 2, "rank": 1}],
        "row 0: expected an item or features of each answer, found both item and price",
    ),
    ([{"price": 2, "rank": 1}], r"row 0: .*rank looks like the rank of one answer; a prompt would tell which"),
    (
        [{"prompt": 1, "price": 2, "rank": 1}, {"prompt": 1, "price": "?", "rank": 2}],
        "row 1: column price: expected a finite number",
    ),
    (
        [{"prompt": 1, "price": 2, "rank": 1}, {"prompt": 1, "price": None, "speed": 3, "rank": 2}],
        "row 0: answer 2: expected the names price, found speed",
    ),
    ([{"prompt": 1, "price": 2, "rank": 1, "weight": 3}], "row 0: weight: expected none beside a single answer"),
]


@pytest.mark.parametrize(("rows", "words"), BAD)
def test_bad_records_are_refused_in_one_sentence(rows, words) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataNote)
        with pytest.raises(ValueError, match=f"^records: {words}") as caught:
            rankings_of(rows)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (
            {"chosen": [[1.0]], "rejected": [[2.0]]},
            "expected the fields features, ranks, .*found chosen; load_pairs reads",
        ),
        (
            {"features": [[1.0], [2.0]], "ranks": [1, 2]},
            "expected the fields features, ranks and prompts, found features",
        ),
        (
            {"features": [[1.0], [2.0]], "ranks": [0, 1], "prompts": [0, 0]},
            "ranks: expected whole numbers of at least 1",
        ),
        ({"features": [[1.0], [2.0]], "ranks": [1, 1], "prompts": [0, 0]}, "ranks: expected an answer that is better"),
        (
            {"features": [[1.0]], "ranks": [1], "rank": [1], "prompts": [0]},
            "expected one of ranks and rank, found both",
        ),
    ],
)
def test_bad_arrays_are_refused_with_the_path(arrays, words, tmp_path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=f"^{re.escape(str(tmp_path / 'a.npz'))}: {words}"):
        bt.load_rankings(tmp_path / "a.npz")


def test_each_loader_names_the_other(tmp_path) -> None:
    """load_pairs refuses arrays of rankings, and says what reads them; features of numbers need no function."""
    np.savez(tmp_path / "a.npz", features=[[1.0], [2.0]], ranks=[1, 2], prompts=[0, 0])
    with pytest.raises(
        ValueError, match=r"expected the fields chosen, .*, found features; load_rankings reads rankings$"
    ):
        bt.load_pairs(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="featurise: expected texts as answers, found numbers"):
        bt.load_rankings(tmp_path / "a.npz", featurise=letters)
    with pytest.raises(ValueError, match="featurise: expected texts as answers, found numbers"):
        rankings_of([{"chosen": [1, 2], "rejected": [2, 3]}], featurise=letters)
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        bt.load_rankings(tmp_path / "b.jsonl")


def test_rankings_of_one_prompt_are_a_cluster() -> None:
    """Two pairs about the same prompt, and one about another: a split never separates the first two."""
    records = [
        {"prompt": "Hi?", "chosen": "Hello there, friend.", "rejected": "No."},
        {"prompt": "Bye?", "chosen": "Good bye, and good luck.", "rejected": "Go."},
        {"prompt": "Hi?", "chosen": "Hello, how are you?", "rejected": "Why do you ask me?"},
    ]
    made = bt.PreferenceRankings.from_records(records)
    assert made.cluster_index.tolist() == [0, 1, 0]
    assert made.as_pairs().n_prompts == bt.PreferencePairs.from_records(records).n_prompts == 2
