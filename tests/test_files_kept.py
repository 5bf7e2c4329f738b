"""What a record says is neither lost nor read as something else: prompts, ties, scores, names, calls of tools."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.datasets import DataNote, load_pairs, read_texts, save_pairs
from bradley_terry.files import from_records, memory
from bradley_terry.files.reading import read


def words(*rows: dict[str, object]) -> set[tuple[str, str, str]]:
    """Return (prompt, chosen, rejected) of records in memory."""
    texts = read("records", memory.records_of(rows), as_texts=True)[1]
    return set(zip(texts.prompts, texts.chosen, texts.rejected, strict=True))


def csv(folder: Path, *lines: str) -> Path:
    (folder / "a.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "a.csv"


# ---------------------------------------------------------------------------------------------------- prompts

SEVERAL = {  # a record without a prompt that becomes several pairs
    "rejected": lambda i: {"chosen": f"good {i}", "rejected": [f"bad {i} {j}" for j in range(4)]},
    "both": lambda i: {"chosen": [f"good {i}", f"fine {i}"], "rejected": [f"bad {i} {j}" for j in range(3)]},
    "ranking": lambda i: {"completions": [{"text": f"{i} {j}", "rank": j} for j in range(4)]},
    "scores": lambda i: {"responses": [f"{i} {j}" for j in range(4)], "scores": [3, 1, 4, 2]},
    "transcripts": lambda i: {
        "chosen": f"\n\nHuman: {i}?\n\nAssistant: So?\n\nHuman: {i}!\n\nAssistant: yes",
        "rejected": [
            f"\n\nHuman: {i}?\n\nAssistant: So?\n\nHuman: {i}!\n\nAssistant: no",
            f"\n\nHuman: {i}?\n\nAssistant: no",
        ],
    },
    "vectors": lambda i: {"chosen": [1.0, i], "rejected": [[0.0, i], [2.0, i], [3.0, i]]},
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_pairs_of_one_record_are_never_split(kind) -> None:
    """Without a prompt, all pairs of a record have one number, so none of them is held out without the others."""
    records = [SEVERAL[kind](i) for i in range(30)]
    pairs = from_records(records)
    each = len(pairs) // 30
    assert each > 1
    assert pairs.prompts.tolist() == [i for i in range(30) for _ in range(each)]
    held_out = pairs.held_out()
    assert 0 < held_out.sum() < len(pairs)
    assert all(len(set(held_out[i * each : (i + 1) * each])) == 1 for i in range(30))


@pytest.mark.parametrize("name", ["post", "request", "task", "user", "Prompt-ID", "question_id", "conversation_id"])
@pytest.mark.parametrize("values", [("a b", "c", "a b"), (7.0, 8, 7)])
def test_records_are_grouped_by_what_names_their_prompt(name, values) -> None:
    """A request, or else the number of the prompt, tells which records belong together."""
    if name in {"post", "request", "task", "user"} and not isinstance(values[0], str):
        return
    records = [{name: value, "chosen": f"yes {i}", "rejected": "no"} for i, value in enumerate(values)]
    assert from_records(records).prompts.tolist() == [0, 1, 0]
    vectors = [{"question_id": value, "chosen": [1, i], "rejected": [i, 2]} for i, value in enumerate(values)]
    assert from_records(vectors).prompts.tolist() == [0, 1, 0]


def test_prompt_comes_before_its_number_and_before_a_request() -> None:
    """Neither splits or joins what the prompt tells apart."""
    records = [{"prompt": p, "task": "t", "prompt_id": i, "chosen": "a", "rejected": "b"} for i, p in enumerate("xyx")]
    assert from_records(records).prompts.tolist() == [0, 1, 0]
    assert words(records[0]) == {("x", "a", "b")}


def test_battles_are_grouped_by_matchup_whatever_their_number() -> None:
    """The number of a question or the name of a user is no prompt of items."""
    rows = [{"winner": "a", "loser": "b", "question_id": i, "user": f"u{i}"} for i in range(3)]
    assert from_records(rows).prompts.tolist() == ["a vs b"] * 3


def test_single_answers_are_compared_within_the_number_of_their_prompt() -> None:
    """Where the prompt itself is missing, its number says which answers compete."""
    rows = [{"prompt_id": p, "response": f"r {i}", "score": i} for i, p in enumerate((5, 6, 5, 6))]
    assert words(*rows) == {("", "r 2", "r 0"), ("", "r 3", "r 1")}


@pytest.mark.parametrize("name", ["ask", "brief", "human_turn_text"])
def test_unread_text_that_could_be_the_prompt_is_noted(name) -> None:
    """A text that is not read is named where no prompt is found, but not beside one."""
    row = {name: "Who are you?", "chosen": "a", "rejected": "b"}
    if name != "human_turn_text":
        with pytest.warns(DataNote, match=rf"no prompt is found, and the text {name} is not read; if it is the prompt"):
            from_records([row, row])
    from_records([{**row, "prompt": "p"}])
    from_records([{"source": "a b", "chosen": "a", "rejected": "b"}])


NUMBERS = {"features": {"rent_chosen": 1.0, "rent_rejected": 2.0}, "vectors": {"chosen": [1, 2], "rejected": [3, 4]}}


@pytest.mark.parametrize("row", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize(
    ("name", "value"), [("customer", "c7"), ("respondent_id", "north"), ("shop", "no. 3 (old)"), ("created_at", "May")]
)
def test_unread_text_beside_numbers_may_say_which_rows_belong_together(row: dict, name: str, value: str) -> None:
    """It is named once, and neither beside a prompt nor if it says where a row is from."""
    said = f"no prompt is found, and {name} is not read; if it says which rows belong together"
    with pytest.warns(DataNote, match=said) as notes:
        from_records([{**row, name: value}, {**row, name: value}])
    assert len(notes) == 1
    with pytest.warns(DataNote, match=f"{name}, town are not read; if one of them says which rows"):
        from_records([{**row, name: value, "id": "x7", "town": "York"}])
    from_records([{**row, name: value, "prompt": "p"}])
    from_records([{**row, "source": value, "annotator_id": value, "id": value}])


def test_unread_number_may_be_the_prompt_only_where_there_is_none() -> None:
    """Beside a prompt, and beside items, the advice is about the other columns."""
    row = NUMBERS["features"]
    with pytest.warns(DataNote, match="the field customer is not read; if the fit needs it, call it prompt, weight"):
        from_records([{**row, "customer": 7}])
    for others in ({**row, "prompt": "p"}, {"winner": "a", "loser": "b"}):
        with pytest.warns(DataNote, match="the field customer is not read; if the fit needs it, call it weight"):
            from_records([{**others, "customer": 7}])


@pytest.mark.parametrize("prompt", [17, 17.0, "17"])
def test_number_may_be_a_prompt_beside_texts(prompt) -> None:
    """It is the name of the prompt, and 17.0 is 17."""
    assert words({"prompt": prompt, "chosen": "a", "rejected": "b"}) == {("17", "a", "b")}


def test_empty_prompt_of_a_table_is_not_given(tmp_path) -> None:
    """Items fall back to their matchup, and features to their row."""
    assert load_pairs(csv(tmp_path, "prompt,winner,loser", "p,a,b", ",b,c")).prompts.tolist() == ["p", "b vs c"]
    pairs = load_pairs(csv(tmp_path, "prompt,x_chosen,x_rejected", "p,1,2", ",2,3", ",4,5"))
    assert pairs.n_prompts == 3
    assert pairs.prompts[0] == "p"


# ---------------------------------------------------------------------------------------------------- verdicts

SIDES = [
    ("player1", "player2", "result"),
    ("item1", "item2", "label"),
    ("response_1", "response_2", "preference"),
    ("option_1", "option_2", "choice"),
]


@pytest.mark.parametrize("names", SIDES)
@pytest.mark.parametrize("values", [(1, 0), (0, 0), (1, "0", 1), (1.0, 0.0), ("tie", 0)])
def test_zero_is_no_tie_unless_two_is_a_side(names, values) -> None:
    """In a file of 1 and 0, 0 may mean that the second won, so it is refused at its first place."""
    rows = [dict(zip(names, (f"a{i}", f"b{i}", value), strict=True)) for i, value in enumerate(values)]
    first = [float(value) if value != "tie" else None for value in values].index(0)
    with pytest.raises(
        ValueError, match=rf"^records: row {first}: {names[2]}: expected 1 or 2, .* write 2 if"
    ) as caught:
        from_records(rows)
    assert "\n" not in str(caught.value)
    two = dict(zip(names, ("x", "y", 2), strict=True))
    pairs = from_records([*rows, two])
    assert pairs.labels.tolist() == [0.5 if value in {0, "0", "tie"} else 1 for value in values] + [1]


@pytest.mark.parametrize("name", ["tie", "draw", "is_draw", "Tied", "ties", "both_equal"])
@pytest.mark.parametrize(("value", "label"), [(True, 0.5), (1, 0.5), ("yes", 0.5), (False, 1.0)])
def test_every_name_of_a_tie_halves_the_label(name, value, label) -> None:
    """A tie counts as half a win for both."""
    pairs = from_records([{"winner": "a", "loser": "b", name: value}, {"winner": "a", "loser": "c"}])
    assert (np.ones(2) if pairs.labels is None else pairs.labels).tolist() == [label, 1.0]


def test_votes_for_a_tie_are_no_ties() -> None:
    """Where the field ties holds a number above 1 anywhere, it counts votes, and a single vote makes no tie."""
    rows = [{"prompt": "p", "chosen": "a", "rejected": f"b {n}", "ties": n} for n in (0, 1, 2, 1)]
    assert from_records(rows).labels is None
    assert from_records(rows[:2]).labels.tolist() == [1, 0.5]
    with pytest.warns(DataNote, match="the field ties is not read, since it holds numbers above 1$"):
        from_records([{"winner": "a", "loser": "b", "ties": n} for n in (1, 3)])


@pytest.mark.parametrize("yes", ["True", "true", "1", "1.0", "TRUE"])
def test_one_hot_verdict_of_a_table_may_be_true_or_false(yes, tmp_path) -> None:
    """Pandas writes True and False into CSV."""
    header = "model_a,model_b,winner_model_a,winner_model_b,winner_tie"
    path = csv(tmp_path, header, f"x,y,{yes},False,False", f"x,y,False,{yes},False", f"x,y,False,False,{yes}")
    pairs = load_pairs(path)
    assert [pairs.feature_names[i] for i in pairs.chosen] == ["x", "y", "x"]
    assert pairs.labels.tolist() == [1, 1, 0.5]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"winner": None, "loser": "b"}, "winner is null"),
        ({"model_a": "x", "model_b": "y", "winner": None}, "winner is null"),
        ({"response_a": "x", "response_b": "y", "preference": None}, "preference is null"),
    ],
)
def test_missing_verdict_is_named(row, said) -> None:
    """The sentence says which field has no value."""
    with pytest.raises(ValueError, match=rf"^records: row 0: expected the keys .*; {said}$"):
        from_records([row])


# ---------------------------------------------------------------------------------------------------- scores


def test_one_score_counts_in_the_whole_file() -> None:
    """A score is never compared with a rank or another score; the answers without the one that counts are left out."""
    p = {"prompt": "p"}
    nulls = [
        {**p, "response": "a", "overall_score": None, "helpfulness": 4},
        {**p, "response": "b", "overall_score": 3, "helpfulness": 1},
        {**p, "response": "c", "overall_score": 5},
    ]
    with pytest.warns(DataNote) as notes:
        assert words(*nulls) == {("p", "c", "b")}
    assert any("1 row whose answer has no overall_score, left out" in str(note.message) for note in notes)
    mixed = [{**p, "response": "a", "score": 9}, {**p, "response": "b", "rank": 1}, {**p, "response": "c", "rank": 2}]
    with pytest.warns(DataNote, match="row 0: 1 row whose answer has no rank, left out"):
        assert words(*mixed) == {("p", "b", "c")}
    other = [
        {**p, "response": "a", "rating": 9},
        {**p, "response": "b", "score": 1},
        {**p, "response": "c", "score": 2},
    ]
    with pytest.warns(DataNote, match="1 row whose answer has no score, left out"):
        assert words(*other) == {("p", "c", "b")}
    for missing in ({**p, "response": "a", "score": None}, {**p, "response": "a", "Score": float("nan")}):
        with pytest.warns(DataNote, match="1 row whose answer has no score, left out"):
            assert words(missing, *other[1:]) == {("p", "c", "b")}


def test_one_score_of_lists_counts_in_the_whole_file() -> None:
    """A list whose answers lack the score that other lists have is not compared by another score."""
    entry = [
        {"text": "a", "overall_score": None, "helpfulness": 1},
        {"text": "b", "overall_score": None, "helpfulness": 2},
    ]
    scored = [{"text": "c", "overall_score": 1, "helpfulness": 2}, {"text": "d", "overall_score": 2, "helpfulness": 1}]
    with pytest.warns(DataNote, match="1 record with answers that have no overall_score, which are left out"):
        assert words({"prompt": "p", "completions": entry}, {"prompt": "q", "completions": scored}) == {("q", "d", "c")}


def test_only_answer_of_a_list_is_counted() -> None:
    """A record with one completion gives no pair, and the note counts it."""
    one, two = [{"text": "a", "score": 1}], [{"text": "a", "score": 1}, {"text": "b", "score": 2}]
    with pytest.warns(DataNote, match="2 rows with the only answer to a prompt, left out"):
        found = words(*({"prompt": name, "completions": inner} for name, inner in (("p", one), ("q", two), ("r", one))))
    assert found == {("q", "b", "a")}


# ---------------------------------------------------------------------------------------------------- items, numbers


@pytest.mark.parametrize(
    "rows", [[(1.0, 2), (2.0, 1)], [(3.0, "4"), ("3", 4)], [(5, 6.0), ("6", "5")], [(np.float32(7), 8), (8, 7)]]
)
def test_whole_number_is_its_own_name(rows) -> None:
    """An item that is called 1 in one row and 1.0 in another is one item."""
    pairs = from_records([{"winner": a, "loser": b} for a, b in rows])
    assert len(pairs.feature_names) == 2
    assert not any("." in name for name in pairs.feature_names)


def test_whole_number_is_its_own_name_in_csv(tmp_path) -> None:
    """Pandas writes a column of whole numbers with a missing one as 1.0."""
    assert load_pairs(csv(tmp_path, "winner,loser", "1.0,2", "2.0,1")).feature_names == ("1", "2")
    assert load_pairs(csv(tmp_path, "winner,loser", "v1.0,v2", "v2,v1.0")).feature_names == ("v1.0", "v2")


@pytest.mark.parametrize("name", ["n", "votes", "count", "frequency", "importance", "w", "home_goals", "flag"])
def test_unread_number_is_noted_once(name) -> None:
    """A number, or a true or false, may be meant for the fit."""
    rows = [{"winner": "a", "loser": "b", name: name == "flag" or 3, "id": 4, "season": 2001}] * 3
    with pytest.warns(DataNote) as notes:
        from_records(rows)
    assert [f"the field {name} is not read" in str(note.message) for note in notes] == [True]


# ---------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([{"chosen": [1, None], "rejected": [1, 2]}], "row 0: chosen: expected a finite number, found null"),
        ([{"chosen": [1, 2], "rejected": [None, 2]}], "row 0: rejected: expected a finite number, found null"),
        (
            [{"chosen": {"x": 1, "y": None}, "rejected": {"x": 1, "y": 2}}],
            "row 0: y of chosen: expected a finite number",
        ),
        ([{"chosen": [1, "a"], "rejected": [1, 2]}], "row 0: chosen: expected messages with role and content"),
        ([{"chosen": [True, 1], "rejected": "b"}], r"row 0: chosen: expected real numbers, found \[true, 1\]"),
        ([{"chosen": ["a", "b", "c"], "rejected": ["d", "e", "f"]}], "row 0: expected one record, found whole columns"),
        ([{"chosen": [[1], [2]], "rejected": [[3], [4]]}], "row 0: expected one record, found whole columns"),
        (
            [{"chosen": ["1.5", "2"], "rejected": ["3", "4e1"]}] * 2,
            "row 0: chosen: .*written as texts.* without quotes",
        ),
        (
            [
                {"prompt": "p", "responses": ["a", "b"], "scores": [1, 2]},
                {"prompt": "p", "responses": "a", "scores": 1},
            ],
            "row 1: expected the keys",
        ),
    ],
)
def test_wrong_record_gets_one_sentence(rows, sentence) -> None:
    """No record ends in an error of Python or in invented pairs."""
    with pytest.raises(ValueError, match=f"^records: {sentence}") as caught:
        from_records(rows)
    assert "\n" not in str(caught.value)


def test_lists_of_several_records_or_of_numbers_as_answers_are_read() -> None:
    """Several records of lists are no columns, and one answer may be a number in words."""
    assert len(from_records([{"chosen": ["a", "b"], "rejected": ["c", "d"]}] * 2)) == 8
    assert words({"prompt": "2 + 2?", "chosen": "4", "rejected": ["3", "5"]}) == {
        ("2 + 2?", "4", "3"),
        ("2 + 2?", "4", "5"),
    }


# ---------------------------------------------------------------------------------------------------- messages


def _said(x: object, kind: str) -> dict[str, object]:
    given = {"text": "z" * 80, "x": x}
    if kind == "tool_use":
        return {"role": "assistant", "content": [{"type": "tool_use", "name": "f", "input": given}]}
    if kind == "tool_calls":
        return {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": given}}]}
    if kind == "function_call":
        return {"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": given}}
    if kind == "tool_result":
        return {"role": "assistant", "content": [{"type": "tool_result", "content": f"{x}"}]}
    return {"role": "assistant", "content": "same", "reasoning_content": f"because {x}"}


@pytest.mark.parametrize("kind", ["tool_use", "tool_calls", "function_call", "tool_result", "reasoning"])
def test_two_calls_that_differ_stay_different(kind) -> None:
    """Long arguments, parts of content and reasoning are written in full."""
    ((_, chosen, rejected),) = words({"prompt": "p", "chosen": [_said(1, kind)], "rejected": [_said(2, kind)]})
    assert chosen != rejected
    assert chosen.replace("1", "2") == rejected
    if kind not in {"tool_result", "reasoning"}:
        assert chosen == 'f({"text": "' + "z" * 80 + '", "x": 1})'


def test_several_messages_of_the_assistant_are_several_answers() -> None:
    """Each of them is compared with the chosen one."""
    for role, content, name in (("role", "content", "assistant"), ("from", "value", "gpt")):
        chosen, *rejected = ({role: name, content: text} for text in "abc")
        for good in (chosen, [chosen]):
            assert words({"prompt": "p", "chosen": good, "rejected": rejected}) == {("p", "a", "b"), ("p", "a", "c")}


# ---------------------------------------------------------------------------------------------------- tables


@pytest.mark.parametrize("index", [("3", "7"), ("x", "y"), ("0", "0"), ("2024-01-01", "")])
def test_column_without_a_name_is_an_index(index, tmp_path) -> None:
    """A frame that was filtered, sampled or joined has any index."""
    path = csv(tmp_path, ",winner,loser", f"{index[0]},a,b", f"{index[1]},b,c")
    assert load_pairs(path).feature_names == ("a", "b", "c")


def test_column_is_decoded_only_if_each_cell_is_json(tmp_path) -> None:
    """An answer that is written in brackets is an answer in words among answers in words."""
    for lines in (
        ("p q?,[1],[2]", "r s?,see [1],no"),
        ("p q?,[1],no", "r s?,[2],yes"),
        ("p q?,[a],[2]", "r s?,{b},[3]"),
    ):
        texts = read_texts(csv(tmp_path, "prompt,chosen,rejected", *lines))
        assert [f"{p},{c},{r}" for p, c, r in zip(texts.prompts, texts.chosen, texts.rejected, strict=True)] == [*lines]
    numbers = load_pairs(csv(tmp_path, "chosen,rejected", '"[1, 2]","[3, 4]"', '"[5, 6]","[7, 8]"'))
    assert numbers.rejected.tolist() == [[3, 4], [7, 8]]


def test_nan_of_a_record_in_memory_is_not_given() -> None:
    """Pandas leaves NaN in the dicts that it makes."""
    rows = [{"chosen": "a", "rejected": "b", "weight": 2.0, "prompt": "p"}]
    for nan in (float("nan"), np.float32("nan"), np.float64("nan")):
        pairs = from_records([*rows, {"chosen": "c", "rejected": "d", "weight": nan, "prompt": nan}])
        assert pairs.weights.tolist() == [2, 1]
        assert pairs.prompts.tolist() == [0, 1]


@pytest.mark.full
def test_nan_of_parquet_is_not_given(tmp_path) -> None:
    """A column of floats in Parquet may hold NaN beside null."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"chosen": ["a"] * 3, "rejected": ["b"] * 3, "weight": [2.0, float("nan"), None]}
    parquet.write_table(arrow.table(columns), tmp_path / "a.parquet")
    assert load_pairs(tmp_path / "a.parquet").weights.tolist() == [2, 1, 1]


# ---------------------------------------------------------------------------------------------------- features, size


def test_each_different_text_is_given_to_featurise_once() -> None:
    """A ranking of K has K texts, not K(K - 1), and the rows of the pairs are those of their texts."""
    calls: list[list[str]] = []

    def featurise(texts: list[str]) -> list[list[float]]:
        calls.append(texts)
        return [[float(text)] for text in texts]

    answers = [{"text": f"{9 - rank}", "rank": rank} for rank in range(1, 6)]
    pairs = from_records(
        [{"prompt": "p", "answers": answers}, {"prompt": "q", "answers": answers[:2]}], featurise=featurise
    )
    assert calls == [["8", "7", "6", "5", "4"]]
    assert pairs.chosen.ravel().tolist() == [8, 8, 8, 8, 7, 7, 7, 6, 6, 5, 8]
    assert pairs.rejected.ravel().tolist() == [7, 6, 5, 4, 6, 5, 4, 5, 4, 4, 7]


def test_one_long_prompt_does_not_multiply_in_a_file(tmp_path) -> None:
    """An array of texts is as wide as the longest, 80 GB here, so the numbers of the prompts are saved."""
    n, width = 20_000, 1_000_000
    names = ["x" * width, *(f"p {i // 2}" for i in range(1, n))]
    pairs = bt.PreferencePairs(np.ones((n, 1)), np.zeros((n, 1)), prompts=names)
    save_pairs(pairs, tmp_path / "a.npz")
    assert (tmp_path / "a.npz").stat().st_size < 4 * width
    assert load_pairs(tmp_path / "a.npz").prompts[:6].tolist() == [0, 1, 2, 2, 3, 3]
    few = bt.PreferencePairs(np.ones((2, 1)), np.zeros((2, 1)), prompts=["long " * 99, "b"])
    save_pairs(few, tmp_path / "b.npz")
    assert load_pairs(tmp_path / "b.npz").prompts.tolist() == ["long " * 99, "b"]


def test_plain_records_are_read_without_a_note() -> None:
    """None of these rules says anything about ordinary records."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_records([json.loads('{"prompt": "p", "chosen": "a", "rejected": "b", "id": 3, "source": "web page"}')])
