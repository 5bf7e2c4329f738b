"""Rankings, scores and verdicts become the pairs that the rules in docs/formats.md state."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bradley_terry as bt
from bradley_terry.datasets import DataNote, load_pairs, read_texts
from bradley_terry.files import from_records, memory
from bradley_terry.files.reading import read


def words(*rows: dict[str, object]) -> set[tuple[str, str, str]]:
    """Return (prompt, chosen, rejected) of records in memory."""
    texts = read("records", memory.records_of(rows), as_texts=True)[1]
    return set(zip(texts.prompts, texts.chosen, texts.rejected, strict=True))


# ---------------------------------------------------------------------------------------------------- known value


def test_ranking_of_k_answers_is_k_choose_two_pairs() -> None:
    """Each answer is chosen over each of a higher rank, whatever the order in the list and wherever ranks begin."""
    expected = {("p", "a", "b"), ("p", "a", "c"), ("p", "b", "c")}
    for ranks in ((1, 2, 3), (0, 1, 2), (0, 10, 11.5)):
        of = dict(zip("abc", ranks, strict=True))
        for order in ("abc", "cba", "bca"):
            completions = [{"text": text, "rank": of[text]} for text in order]
            assert words({"prompt": "p", "completions": completions}) == expected
            assert words({"prompt": "p", "answers": list(order), "ranks": [of[text] for text in order]}) == expected
            assert words(*({"prompt": "p", "response": text, "rank": of[text]} for text in order)) == expected


@settings(max_examples=40)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=7))
@pytest.mark.full
def test_scores_give_one_pair_for_each_two_that_differ(scores: list[int]) -> None:
    """The three ways to write scores give the same pairs: the higher score is chosen, equal ones are left out."""
    answers = [f"answer {i}" for i in range(len(scores))]
    expected = {
        ("p", answers[i if scores[i] > scores[j] else j], answers[j if scores[i] > scores[j] else i])
        for i, j in combinations(range(len(scores)), 2)
        if scores[i] != scores[j]
    }
    ways = [
        [{"prompt": "p", "completions": [{"response": a, "score": s} for a, s in zip(answers, scores, strict=True)]}],
        [{"prompt": "p", "responses": answers, "ratings": scores}],
        [{"prompt": "p", "completion": a, "helpfulness": s} for a, s in zip(answers, scores, strict=True)],
    ]
    n_equal = len(scores) * (len(scores) - 1) // 2 - len(expected)
    for rows in ways:
        if not expected:
            with pytest.raises(
                ValueError, match=r"^records: expected at least one pair, found no two answers to a prompt"
            ):
                words(*rows)
        elif n_equal:
            with pytest.warns(DataNote, match=rf"{n_equal} pairs? of answers with an equal .*, left out$"):
                assert words(*rows) == expected
        else:
            assert words(*rows) == expected


def test_single_answers_are_compared_within_their_prompt_only() -> None:
    """Rows of a prompt may lie apart. The only answer to a prompt, or one without a prompt, is left out and counted."""
    rows = [("p", "a", 3), ("q", "b", 1), ("p", "c", 1), ("r", "d", 5), ("q", "e", 2), ("", "f", 1), ("", "g", 2)]
    with pytest.warns(DataNote, match=r"3 rows with the only answer to a prompt, left out$"):
        found = words(*({"prompt": p, "response": text, "score": s} for p, text, s in rows))
    assert found == {("p", "a", "c"), ("q", "e", "b")}


def test_lists_of_chosen_and_rejected_are_all_their_pairs() -> None:
    """From m chosen and n rejected answers come m·n pairs, each with the weight and target margin of the record."""
    for chosen, rejected in (("a", ["b"]), (["a"], "b"), (["a", "b"], ["c", "d", "e"]), ("a", ["b", "c"])):
        row = {"prompt": "p", "chosen": chosen, "rejected": rejected, "weight": 2, "margin": 0.5}
        expected = {("p", c, r) for c in chosen for r in rejected}
        assert words(row) == expected
        pairs = from_records([row])
        assert pairs.weights.tolist() == [2] * len(expected)
        assert pairs.target_margins.tolist() == [0.5] * len(expected)
        assert pairs.n_prompts == 1
    chats = [[{"role": "assistant", "content": text}] for text in "abc"]
    assert words({"prompt": "p", "chosen": chats[0], "rejected": chats[1:]}) == {("p", "a", "b"), ("p", "a", "c")}
    vectors = from_records([{"chosen": [1.0, 2.0], "rejected": [[0.0, 1.0], [3.0, 4.0]]}])
    assert vectors.chosen.tolist() == [[1, 2], [1, 2]]
    assert vectors.rejected.tolist() == [[0, 1], [3, 4]]


FIRST = ["model_a", "Model_A", "a", "A", " model a ", "x", "wa"]
SECOND = ["model_b", "MODEL_B", "b", "B", "model-b", "y"]
TIES = ["tie", "Tie", "tie (bothbad)", "tie(bothbad)", "bothbad", "both_bad", "draw", "neither"]


@pytest.mark.parametrize("winner", [*FIRST, *SECOND, *TIES])
def test_verdict_of_a_battle_names_a_side_or_a_tie(winner) -> None:
    """A side may be named by its field, its letter, or the item itself; each tie has the label 1/2."""
    pairs = from_records([{"model_a": "x", "model_b": "y", "winner": winner}])
    names = [pairs.feature_names[pairs.chosen[0]], pairs.feature_names[pairs.rejected[0]]]
    assert names == (["y", "x"] if winner in SECOND else ["x", "y"])
    assert pairs.labels is None or pairs.labels.tolist() == [0.5]
    assert (pairs.labels is not None) == (winner in TIES)


@pytest.mark.parametrize("winner", ["", "c", "model_c", "z", 1, True, 0.5, "ab", "left", None])
def test_other_verdicts_are_refused(winner) -> None:
    """A word that names neither a side nor a tie is refused with its row, and so is none."""
    good = {"model_a": "x", "model_b": "y", "winner": "x"}
    with pytest.raises(
        ValueError, match=r"^records: row 1: (winner: expected model_a, model_b or tie|expected the keys)"
    ):
        from_records([good, {**good, "winner": winner}])


@pytest.mark.parametrize("winner", ["a", "b"])
def test_verdict_that_may_mean_either_side_is_refused(winner) -> None:
    """The letter a may be the side a or the item a; where these differ, nobody can say who won."""
    assert from_records([{"model_a": "a", "model_b": "b", "winner": winner}]).chosen.tolist() == ["ab".index(winner)]
    with pytest.raises(ValueError, match=r"row 0: winner: .*which may mean either of them$"):
        from_records([{"model_a": "b", "model_b": "a", "winner": winner}])


VERDICTS = {  # a record whose second answer is the better one, and the same record with a tie
    "PKU": ({"response_0": "n", "response_1": "y", "better_response_id": 1}, None),
    "one and two": ({"response1": "n", "response2": "y", "winner": 2}, {"winner": "tie"}),
    "letters": ({"answer_a": "n", "answer_b": "y", "preference": "B"}, {"preference": "tie"}),
    "sides": ({"left": "no way, ever.", "right": "y", "choice": "right"}, {"choice": "tie"}),
    "chosen": ({"completion_a": "n", "completion_b": "y", "chosen": "b"}, {"chosen": "both"}),
    "SHP": ({"human_ref_A": "n", "human_ref_B": "y", "labels": 0}, None),
    "HelpSteer3": ({"response1": "n", "response2": "y", "overall_preference": 3}, {"overall_preference": 0}),
    "HelpSteer2": ({"response_1": "n", "response_2": "y", "preference_strength": 1}, {"preference_strength": 0}),
    "WebGPT": ({"answer_0": "n", "score_0": -1, "answer_1": "y", "score_1": 0.25}, None),
    "feedback": ({"summaries": [{"text": "n"}, {"text": "y"}], "choice": 1}, None),
    "Kaggle": (
        {"response_a": "n", "response_b": "y", "winner_model_a": 0, "winner_model_b": 1, "winner_tie": 0},
        {"winner_model_b": 0, "winner_tie": 1},
    ),
    "arena": (
        {"model_a": "gpt", "model_b": "llama", "conversation_a": "n", "conversation_b": "y", "winner": "llama"},
        {"winner": "tie (bothbad)"},
    ),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_two_answers_and_a_verdict_are_a_pair(name) -> None:
    """The verdict's answer is chosen, and a tie keeps the order with the label 1/2."""
    row, tie = VERDICTS[name]
    row = {"prompt": "Which?", **row}
    if name != "sides":
        assert words(row) == {("Which?", "y", "n")}
    if tie is not None:
        assert from_records([{**row, **tie}]).labels.tolist() == [0.5]


@pytest.mark.parametrize(
    ("fields", "row", "verdict"),
    [
        (("model_a", "model_b"), ("tie", "B"), "tie"),
        (("model_a", "model_b"), ("B", "Draw"), "draw"),
        (("player_left", "player_right"), ("none", "x"), "None"),
        (("player_1", "player_2"), ("0", "10"), "0"),
    ],
)
def test_an_item_that_is_called_like_a_tie_makes_the_verdict_unclear(fields, row, verdict, tmp_path: Path) -> None:
    """If an item of the record is called "tie", the verdict "tie" may mean the item or none of them."""
    path = tmp_path / "arena.csv"
    path.write_text("\n".join([",".join([*fields, "winner"]), ",".join([*row, verdict])]), encoding="utf-8")
    sentence = rf'line 2: winner: expected {fields[0]}, {fields[1]} or tie, found "{verdict}", which may mean either'
    with pytest.raises(ValueError, match=sentence):
        load_pairs(path)


@pytest.mark.parametrize(
    ("row", "chosen", "label"),
    [
        ("tie,B,model_a", "tie", None),
        ("tie,B,b", "B", None),
        ("x,B,tie", "x", [0.5]),
        ("tie,B,draw", "tie", [0.5]),
        ("C,D,D", "D", None),
    ],
)
def test_other_verdicts_beside_such_an_item_are_clear(row, chosen, label, tmp_path: Path) -> None:
    """A side, another word for a tie, and a tie of other items mean one thing only, as does a player called D."""
    path = tmp_path / "arena.csv"
    path.write_text(f"model_a,model_b,winner\n{row}\n", encoding="utf-8")
    pairs = load_pairs(path)
    assert pairs.feature_names[pairs.chosen[0]] == chosen
    assert (None if pairs.labels is None else pairs.labels.tolist()) == label


# ---------------------------------------------------------------------------------------------------- identity


def test_a_tie_weighs_as_half_a_win_for_each(tmp_path: Path) -> None:
    """Ratings of battles with ties are those of a table in which each tie is half a win for both sides."""
    battles = [("x", "y", "model_a", 7), ("x", "y", "tie", 4), ("y", "z", "model_b", 3), ("y", "z", "model_a", 5)]
    battles += [("z", "x", "tie (bothbad)", 2), ("z", "x", "model_a", 1)]
    lines = [f"{a},{b},{w}" for a, b, w, n in battles for _ in range(n)]
    (tmp_path / "arena.csv").write_text("\n".join(["model_a,model_b,winner", *lines]), encoding="utf-8")
    halves = []
    for a, b, won, n in battles:
        halves += (
            [(a, b, n / 2), (b, a, n / 2)] if won.startswith("tie") else [(a, b, n) if won == "model_a" else (b, a, n)]
        )
    number = {"x": 0, "y": 1, "z": 2}
    table = bt.PreferencePairs(
        [number[a] for a, _, _ in halves], [number[b] for _, b, _ in halves], weights=[n for *_, n in halves]
    )
    ours = bt.fit(bt.TableScorer(3), load_pairs(tmp_path / "arena.csv"))
    np.testing.assert_allclose(ours.phi, bt.fit(bt.TableScorer(3), table).phi, atol=1e-9)


# ---------------------------------------------------------------------------------------------------- manners

REFUSED = {
    "no rank": (
        {"prompt": "p", "completions": ["a", "b"]},
        "completions: expected answers with a rank or a score each",
    ),
    "too few": (
        {"prompt": "p", "responses": ["a", "b"], "scores": [1]},
        "scores: expected 2 numbers, one for each of resp",
    ),
    "word": (
        {"prompt": "p", "completions": [{"text": "a", "score": "high"}] * 2},
        'column score: expected a finite number, found "hi',
    ),
    "no text": (
        {"prompt": "p", "completions": [{"rank": 1}, {"rank": 2}]},
        "completions: expected answers with a field res",
    ),
    "choice": ({"summaries": ["a", "b"], "choice": 2}, "choice: expected 0 or 1, found 2"),
    "two winners": (
        {"response_a": "a", "response_b": "b", "winner_model_a": 1, "winner_model_b": 1},
        "expected 1 in one of winner_model_a, winner_model_b, found it in 2 of them",
    ),
    "a weight": (
        {"prompt": "p", "response": "a", "score": 1, "weight": 2},
        "weight: expected none beside a single answer",
    ),
    "infinite": ({"prompt": "p", "response": "a", "score": float("inf")}, "score: expected a finite number"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_half_understood_ranking_is_refused(case) -> None:
    """A ranking without ranks, a choice of none of the answers and the like are refused in one sentence."""
    row, sentence = REFUSED[case]
    with pytest.raises(ValueError, match=f"^records: row 0: {sentence}") as caught:
        from_records([row])
    assert "\n" not in str(caught.value)


def test_answers_without_a_score_are_left_out_and_counted() -> None:
    """An answer whose score is null is not compared."""
    completions = [{"text": "a", "score": 1}, {"text": "b", "score": None}, {"text": "c", "score": 2}]
    with pytest.warns(DataNote, match="row 0: 1 record with answers that have no score, which are left out"):
        assert words({"prompt": "p", "completions": completions}) == {("p", "c", "a")}


def test_long_texts_may_be_sides(tmp_path: Path) -> None:
    """Sides that are called left and right are items if they look like names, and texts if they look like texts."""
    rows = [
        {"left": "a long text. " * 20, "right": "another one", "winner": "left", "prompt": f"p {i}"} for i in range(2)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert read_texts(tmp_path / "a.jsonl").rejected == ["another one"] * 2
    assert not load_pairs(tmp_path / "a.jsonl").is_items


def test_trees_of_messages_are_rankings() -> None:
    """Each message with two or more ranked replies is a ranking whose prompt is the way from the root."""

    def say(
        text: str, rank: int | None = None, *replies: dict[str, object], role: str = "assistant"
    ) -> dict[str, object]:
        return {"text": text, "role": role, "rank": rank, "replies": list(replies)}

    more = say("More?", None, say("sure", 0), say("never", 1), role="prompter")
    root = say("Hi?", None, say("no", 1), say("yes", 0, more), say("eh", 2), say("unranked"), role="prompter")
    alone = {"message_tree_id": "y", "prompt": say("Alone?", None, say("one", 0), role="prompter")}
    found = words({"message_tree_id": "x", "tree_state": "ready", "prompt": root}, alone)
    deep = "user: Hi?\n\nassistant: yes\n\nuser: More?"
    assert found == {("Hi?", "yes", "no"), ("Hi?", "yes", "eh"), ("Hi?", "no", "eh"), (deep, "sure", "never")}
