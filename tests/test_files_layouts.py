"""docs/formats.md is right: each of its examples is read as it says, and its names are those that are known."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import bradley_terry as bt
from bradley_terry.datasets import DataNote, load_pairs, read_texts
from bradley_terry.files.names import NAMES, STEMS

PAGE = (Path(__file__).parent.parent / "docs" / "formats.md").read_text(encoding="utf-8")


def rows_of(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, without its first two rows."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [re.split(r" \| ", line.strip("| ")) for line in section.splitlines() if line.startswith("| ")][1:]


EXAMPLES = {
    row[0]: (re.findall(r"`(\{.*?\})`(?= |$)", row[1]), row[2])
    for row in rows_of("Your file looks like … it is read as …")
}
HELLO = {"Hello!", "Hey!"}
REST = {"No.", "Go away.", "Hey!"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_of_the_page_is_read_as_it_says(name, tmp_path) -> None:
    """The page gives the number of pairs and what they hold. The good answer is chosen, and nothing is noted."""
    lines, said = EXAMPLES[name]
    assert lines
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    pairs = load_pairs(path)
    number, what = re.match(r"(\d+) pairs? of (texts|items|\d+ features)", said).groups()
    assert len(pairs) == int(number)
    assert pairs.is_items == (what == "items")
    if what == "texts":
        texts = read_texts(path)
        assert set(texts.chosen) <= HELLO | {"A story."}
        assert set(texts.rejected) <= REST
        assert all(texts.prompts)
    elif what != "items":
        assert pairs.n_features == int(what.split()[0])


@pytest.mark.parametrize("name", EXAMPLES)
def test_records_in_memory_are_read_like_the_file(name, tmp_path) -> None:
    """A list of the same dicts gives the same pairs."""
    lines, _ = EXAMPLES[name]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    expected, pairs = load_pairs(tmp_path / "a.jsonl"), bt.PreferencePairs.from_records(map(json.loads, lines))
    assert pairs.chosen.tolist() == expected.chosen.tolist()
    assert pairs.rejected.tolist() == expected.rejected.tolist()
    assert pairs.prompts.tolist() == expected.prompts.tolist()
    assert pairs.feature_names == expected.feature_names


def test_the_page_lists_every_name_in_its_order() -> None:
    """The table of names on the page is the table in the code."""
    listed = {meaning: tuple(re.findall("`([^`]+)`", names)) for meaning, names in rows_of("Names")}
    assert listed == NAMES
    for stems in STEMS.values():
        for stem in filter(None, stems):
            assert f"`{stem}`" in PAGE


PLAIN = {"prompt": "Hi?", "chosen": "Hello!", "rejected": "No."}


@pytest.mark.parametrize(
    "key", ["chosen", "rejected", "system", "context", "prompt", "input", "weight", "target_margin"]
)
def test_every_name_of_a_field_means_the_same(key, tmp_path) -> None:
    """A record with another name for a field gives the same pair, whatever the case and the kind of dash."""
    value = {"weight": 2, "target_margin": 0.5}.get(key, PLAIN.get(key, "Hi?"))
    rest = {name: text for name, text in PLAIN.items() if name != key and not (name == "prompt" and value == "Hi?")}
    for name in NAMES[key]:
        other = {"winner": "loser", "loser": "winner"}.get(name)
        for written in (name, name.upper(), name.replace("_", "-"), name.replace("_", " ").title()):
            row = {**rest, written: value}
            if other:
                row[other] = row.pop("chosen" if other == "winner" else "rejected")
                row = {
                    side: text + " And this is a whole sentence." if "?" not in text else text
                    for side, text in row.items()
                }
            path = tmp_path / "a.jsonl"
            path.write_text(json.dumps(row), encoding="utf-8")
            texts = read_texts(path)
            assert texts.prompts == ["Hi?"]
            assert texts.chosen[0].startswith("Hello!")
            assert texts.rejected[0].startswith("No.")
            assert texts.weights == ([2] if key == "weight" else None)
            assert texts.target_margins == ([0.5] if key == "target_margin" else None)


@pytest.mark.parametrize("name", [*NAMES["conversation"]])
def test_a_conversation_is_the_prompt_where_nothing_else_is(name, tmp_path) -> None:
    """Two rows that differ only in their conversation are two prompts, and equal ones are the same prompt."""
    rows = [
        {name: [{"role": "user", "content": text}], "chosen": f"yes {i}", "rejected": "no"}
        for i, text in enumerate(["a", "b", "a"])
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert load_pairs(path).prompts.tolist() == [0, 1, 0]
    assert read_texts(path).prompts == ["a", "b", "a"]


def test_parts_of_a_prompt_are_joined(tmp_path) -> None:
    """System, context, instruction and input all count, so rows that differ in one of them are different prompts."""
    whole = {"system": "s", "context": "c", "instruction": "i", "input": "x", "chosen": "a", "rejected": "b"}
    rows = [whole, *({**whole, name: "other"} for name in ("system", "context", "instruction", "input")), whole]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert read_texts(path).prompts[0] == "s\n\nc\n\ni\n\nx"
    assert load_pairs(path).prompts.tolist() == [0, 1, 2, 3, 4, 0]


ASK, SAY = {"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello!"}
CALL = {"id": "1", "type": "function", "function": {"name": "look_up", "arguments": '{"word": "tea"}'}}
MESSAGES = {
    "text": (SAY, "Hello!"),
    "null": ({**SAY, "content": None}, ""),
    "absent": ({"role": "assistant"}, ""),
    "parts": ({**SAY, "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "you"}]}, "Hello\nyou"),
    "one part": ({**SAY, "content": {"type": "text", "text": "Hello"}}, "Hello"),
    "image": (
        {**SAY, "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {}}]},
        "Look\n[image_url]",
    ),
    "tool": ({**SAY, "content": None, "tool_calls": [CALL]}, 'look_up({"word": "tea"})'),
    "tool and text": (
        {**SAY, "tool_calls": [CALL, CALL]},
        'Hello!\nlook_up({"word": "tea"})\nlook_up({"word": "tea"})',
    ),
    "tool alone": ({"role": "assistant", "tool_calls": [CALL]}, 'look_up({"word": "tea"})'),
    "old call": ({**SAY, "content": "", "function_call": {"name": "f", "arguments": {"x": 1}}}, 'f({"x": 1})'),
    "ShareGPT": ({"from": "gpt", "value": "Hello!"}, "Hello!"),
    "OpenAssistant": ({"role": "prompter", "text": "Hello!"}, "Hello!"),
}


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("listed", [True, False])
def test_messages_of_many_kinds_are_texts(name, listed, tmp_path) -> None:
    """Content may be a text, parts, null or absent, tools may be called, and one message needs no list."""
    message, text = MESSAGES[name]
    row = {"prompt": [ASK] if listed else ASK, "chosen": [message] if listed else message, "rejected": "No."}
    (tmp_path / "a.jsonl").write_text(json.dumps(row), encoding="utf-8")
    texts = read_texts(tmp_path / "a.jsonl")
    assert (texts.prompts, texts.chosen, texts.rejected) == (["Hi?"], [text], ["No."])


@pytest.mark.parametrize("field", ["prompt", "system", "input", "weight", "label", "target_margin", "messages", "tie"])
def test_null_means_not_given(field, tmp_path) -> None:
    """A record with null is the same as one without the field."""
    (tmp_path / "a.jsonl").write_text(json.dumps({"chosen": "a", "rejected": "b", field: None}), encoding="utf-8")
    texts = read_texts(tmp_path / "a.jsonl")
    assert (texts.prompts, texts.labels, texts.weights, texts.target_margins) == ([""], None, None, None)


NOTED = {
    "wieght": (2, "the unknown field wieght is not read; did you mean weight?"),
    "wieghts": (2, "the unknown field wieghts is not read; did you mean weights?"),
    "promt": ("x", "the unknown field promt is not read; did you mean prompt?"),
    "instrution": ("x", "the unknown field instrution is not read; did you mean instruction?"),
    "lable": (0.5, "the unknown field lable is not read; did you mean label?"),
    "target-magin": (0.5, "the unknown field target-magin is not read; did you mean target_margin?"),
    "targetmargin": (0.5, "did you mean target_margin?"),
    "score": (3, "the field score is not read"),
    "margin_of_votes": (3, "the field margin_of_votes is not read"),
    "count": (3, "the field count is not read"),
    "confidence": (0.5, "the field confidence is not read"),
}


@pytest.mark.parametrize("field", NOTED)
@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_unknown_field_that_looks_like_data_is_noted_once(field, ending, tmp_path) -> None:
    """A misspelt name, or a number whose name speaks of scores or weights, is named in one note for the whole file."""
    value, sentence = NOTED[field]
    path = tmp_path / f"a.{ending}"
    if ending == "csv":
        path.write_text(f"chosen,rejected,{field}\na,b,{value}\nb,a,{value}\n", encoding="utf-8")
    else:
        path.write_text((json.dumps({"chosen": "a", "rejected": "b", field: value}) + "\n") * 2, encoding="utf-8")
    with pytest.warns(DataNote) as caught:
        assert len(load_pairs(path)) == 2
    assert len(caught) == 1
    assert str(caught[0].message).startswith(f"{path}: line 1: ")
    assert sentence in str(caught[0].message)
    assert caught[0].filename == __file__


def test_other_unknown_fields_are_silent(tmp_path) -> None:
    """Fields that say where a row is from are left out without a word."""
    silent = {"id": 3, "prompt_id": "x", "source": "s", "model": "m", "chosen_model": "m", "annotator": 4, "turn": 1}
    silent |= {
        "language": "en",
        "timestamp": 1.5,
        "is_safe": True,
        "rationale": "because",
        "votes_chosen": 3,
        "ties": 0,
    }
    silent |= {"votes_rejected": 1, "preference_statement": "better", "score_ratio": 2.0, "reason": None}
    row = {"prompt": "p", "chosen": "a", "rejected": "b", **silent}
    (tmp_path / "a.jsonl").write_text(json.dumps(row), encoding="utf-8")
    assert len(load_pairs(tmp_path / "a.jsonl")) == 1


def test_features_beside_items_are_noted(tmp_path) -> None:
    """A table of items with features of both is read as items, and the note names the features."""
    (tmp_path / "a.csv").write_text("winner,loser,mass_winner,mass_loser\na,b,1,2\nb,a,1,2\n", encoding="utf-8")
    with pytest.warns(
        DataNote, match="mass_winner and mass_loser are not read, since winner and loser are the answers"
    ):
        assert load_pairs(tmp_path / "a.csv").is_items


@pytest.mark.parametrize("names", [("score_chosen", "score_rejected"), ("chosen_rating", "rejected_rating")])
def test_scores_that_contradict_the_choice_are_counted(names, tmp_path) -> None:
    """One note counts the equal scores and one those below. All pairs are kept. A missing score contradicts nothing."""
    scores = [(2, 1), (1, 1), (1, 2), (None, 2), (0, 0), (0, 3), (0, 3.5)]
    rows = [{"chosen": "a", "rejected": "b", **dict(zip(names, pair, strict=True))} for pair in scores]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.warns(DataNote) as caught:
        assert len(load_pairs(tmp_path / "a.jsonl")) == 7
    said = sorted(str(note.message).partition("jsonl: ")[2] for note in caught)
    assert said == [
        f"line 2: {names[0]} and {names[1]} are equal in 2 rows, read as pairs all the same",
        f"line 3: {names[0]} is below {names[1]}, although that answer is the chosen one, in 3 rows",
    ]


def test_texts_called_winner_and_loser_without_prompt_are_pairs_of_their_own(tmp_path) -> None:
    """Each record is a prompt of its own, so the pairs can be split."""
    path = tmp_path / "texts.csv"
    rows = [f'"The answer {i} is long.\nIt has two lines.","Another answer, number {i}, is short."' for i in range(40)]
    path.write_text("\n".join(["winner,loser", *rows]))
    pairs = bt.load_pairs(path)
    assert pairs.n_prompts == 40
    assert len(pairs.split(0.25)[1]) == 10
