"""The same records give the same pairs in every format, in memory as in files."""

from __future__ import annotations

import gzip
import json
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from test_files import same_pairs

import bradley_terry as bt
from bradley_terry.datasets import load_pairs, read_texts, save_pairs

TEXTS = [
    {"prompt": "Name a prime.", "chosen": "7", "rejected": "9", "weight": 2, "margin": 0.5},
    {"prompt": "Is 1 a prime?", "chosen": 'No, it\nis "not".', "rejected": "Yes; or so", "weight": 1, "margin": 0},
    {"prompt": "Name a prime.", "chosen": "Eleven, I think.", "rejected": "", "weight": 1, "margin": -1},
]
CHATS = [
    {
        "chosen": [{"role": "user", "content": q}, {"role": "assistant", "content": f"good {i}"}],
        "rejected": [{"role": "user", "content": q}, {"role": "assistant", "content": f"bad {i}"}],
    }
    for i, q in enumerate(["Hi?", "Who?", "Hi?"])
]
ITEMS = [{"winner": a, "loser": b, "weight": w} for a, b, w in (("Al", "Bo", 1), ("Bo", "Cy", 2), ("Cy", "Al", 3))]
FEATURES = [{"x_chosen": 1.5, "x_rejected": -2, "y_chosen": 0, "y_rejected": 3, "prompt": "p"}] * 2
VECTORS = [
    {"chosen": [1.5, 2.0, -1.0], "rejected": [0.0, 0.25, 9.0]},
    {"chosen": [1.0, 1.0, 1.0], "rejected": [0.5, 2.0, 3.0]},
]
ARENA = [
    {"model_a": "x", "model_b": "y", "winner": winner}
    for winner in ("model_a", "model_b", "tie", "tie (bothbad)", "model_a")
]
KINDS = {"texts": TEXTS, "chats": CHATS, "items": ITEMS, "features": FEATURES, "vectors": VECTORS, "arena": ARENA}


def csv_of(rows: list[dict[str, object]], separator: str = ",") -> str:
    import csv
    import io

    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), delimiter=separator, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()})
    return file.getvalue()


WRITERS: dict[str, Callable[[list[dict[str, object]]], str]] = {
    "array.json": json.dumps,
    "indented.json": lambda rows: json.dumps(rows, indent=2),
    "array.jsonl": lambda rows: "\n" + json.dumps(rows, indent="\t") + "\n",
    "objects.jsonl": lambda rows: "\n\n".join(json.dumps(row, indent=4) for row in rows),
    "lines.json": lambda rows: "\n".join(map(json.dumps, rows)),
    "lines.ndjson": lambda rows: "\n".join(map(json.dumps, rows)),
    "wrapped.json": lambda rows: json.dumps({"version": "1.0", "data": rows}),
    "wrapped_indented.json": lambda rows: json.dumps({"train": rows}, indent=1),
    "commas.csv": csv_of,
    "semicolons.csv": lambda rows: csv_of(rows, ";"),
    "tabs.tsv": lambda rows: csv_of(rows, "\t"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_pairs_of_jsonl(name, kind, tmp_path) -> None:
    """Arrays, indented objects, wrapped arrays and tables are the same records as JSONL, also compressed."""
    rows = KINDS[kind]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    expected = load_pairs(tmp_path / "a.jsonl")
    written = WRITERS[name](rows).encode()
    (tmp_path / name).write_bytes(written)
    same_pairs(load_pairs(tmp_path / name), expected)
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(written))
    same_pairs(load_pairs(tmp_path / f"{name}.gz", format="csv" if name.endswith(("csv", "tsv")) else "json"), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_records_in_memory_give_the_pairs_of_jsonl(kind, tmp_path) -> None:
    """A list, a generator and tuples of the same records give the same pairs."""
    rows = KINDS[kind]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    expected = load_pairs(tmp_path / "a.jsonl")
    for records in (
        rows,
        iter(rows),
        tuple(rows),
        [{k: tuple(v) if isinstance(v, list) else v for k, v in r.items()} for r in rows],
    ):
        same_pairs(bt.PreferencePairs.from_records(records), expected)


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_frames_and_parquet_give_the_pairs_of_jsonl(kind, tmp_path) -> None:
    """A pandas frame, its CSV with or without the index, Parquet, and a table of pyarrow hold the same pairs."""
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    rows = KINDS[kind]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    expected = load_pairs(tmp_path / "a.jsonl")
    frame = pandas.DataFrame(rows)
    same_pairs(bt.PreferencePairs.from_records(frame), expected)
    same_pairs(bt.PreferencePairs.from_records(frame.to_dict("records")), expected)
    same_pairs(bt.PreferencePairs.from_records(frame.convert_dtypes()), expected)
    same_pairs(bt.PreferencePairs.from_records(pyarrow.Table.from_pylist(rows)), expected)
    frame.to_parquet(tmp_path / "a.parquet")
    same_pairs(load_pairs(tmp_path / "a.parquet"), expected)
    frame.to_json(tmp_path / "b.json", orient="records")
    same_pairs(load_pairs(tmp_path / "b.json"), expected)
    frame.to_json(tmp_path / "c.jsonl", orient="records", lines=True)
    same_pairs(load_pairs(tmp_path / "c.jsonl"), expected)
    if kind in {"texts", "items", "features", "arena"}:
        frame.to_csv(tmp_path / "d.csv")
        same_pairs(load_pairs(tmp_path / "d.csv"), expected)
        frame.to_csv(tmp_path / "e.csv", index=False, sep=";")
        same_pairs(load_pairs(tmp_path / "e.csv"), expected)
        again = pandas.read_csv(tmp_path / "d.csv", keep_default_na=False)  # the index is now called Unnamed: 0
        again.to_csv(tmp_path / "f.csv")
        same_pairs(load_pairs(tmp_path / "f.csv"), expected)


@pytest.mark.full
def test_missing_values_of_a_frame_are_not_given() -> None:
    """None, NaN, NaT and NA in a frame, and None and NA in a dict, mean the default."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"prompt": ["p", None], "winner": ["a", "b"], "loser": ["b", "c"], "weight": [2, np.nan]})
    frame["label"] = pandas.array([pandas.NA, 0.5], dtype="Float64")
    pairs = bt.PreferencePairs.from_records(frame)
    assert pairs.weights.tolist() == [2, 1]
    assert pairs.labels.tolist() == [1, 0.5]
    assert pairs.prompts.tolist() == ["p", "b vs c"]
    row = {"chosen": "a", "rejected": "b", "weight": pandas.NA, "label": None, "prompt": pandas.NaT}
    assert bt.PreferencePairs.from_records([row]).weights is None
    features = pandas.DataFrame({"x_chosen": [1, np.nan], "x_rejected": [1, 2]})
    with pytest.raises(ValueError, match=r"^records: row 1: x_chosen: expected a finite number, found null$"):
        bt.PreferencePairs.from_records(features)
    with pytest.raises(ValueError, match=r"^records: row 1: expected the keys chosen and rejected, found loser"):
        bt.PreferencePairs.from_records(frame.assign(winner=["a", None]))


@pytest.mark.parametrize(
    ("records", "error", "sentence"),
    [
        (
            {"chosen": ["a"]},
            TypeError,
            "records: expected a data frame or a list of dicts, one for each pair, got dict; pandas",
        ),
        ([["a", "b"]], TypeError, "records: expected .*, got list in row 0"),
        (3, TypeError, "records: expected .*, got int"),
        ("a.csv", TypeError, "records: expected .*, got str"),
        ([], ValueError, "records: expected .*, got none"),
        ([{"a": 1}], ValueError, "records: row 0: expected the keys chosen and rejected, found a"),
        ([{"chosen": "a", "rejected": "b"}, {"chosen": "a"}], ValueError, "records: row 1: expected the keys"),
        (
            [{"chosen": "a", "rejected": "b", "weight": float("inf")}],
            ValueError,
            "row 0: weight: expected a finite number",
        ),
        (
            [{"chosen": "a", "rejected": "b"}, {"winner": "a", "loser": "b"}],
            ValueError,
            "row 1: expected texts as in row 0, found names of items",
        ),
        ([{"chosen": [1, 2], "rejected": [1]}], ValueError, "row 0: rejected: expected 2 numbers, .*, found 1"),
        (
            [{"chosen": [1, 2], "rejected": [1, 2]}, {"chosen": [1], "rejected": [1]}],
            ValueError,
            "row 1: chosen: expected 2 n",
        ),
        ([{"chosen": [1, 2], "rejected": [1, float("inf")]}], ValueError, "row 0: rejected: expected a finite number"),
        (
            [{"chosen": 0.5, "rejected": 0.25}],
            ValueError,
            "row 0: chosen: .*found the number 0.5; if these are a feature, name",
        ),
        ([{"prompt": "Which?", "chosen": 1, "rejected": 2}], ValueError, "row 0: chosen: expected a text"),
    ],
)
def test_what_are_no_records_gets_one_sentence(records, error, sentence) -> None:
    """The sentence names the row, counted from 0 as in Python."""
    with pytest.raises(error, match=sentence) as caught:
        bt.PreferencePairs.from_records(records)
    assert "\n" not in str(caught.value)


BAD = {  # name, contents, sentence after the path
    "line of an array": (
        "a.json",
        json.dumps([*TEXTS, {"chosen": "a"}], indent=1),
        "line 23: expected the keys chosen and",
    ),
    "line within": (
        "a.json",
        json.dumps([TEXTS[0], {"chosen": True, "rejected": "b"}], indent=1),
        "line 9: chosen: expected a t",
    ),
    "no object": ("a.json", "[\n{},\n3]", "line 2: expected the keys chosen and rejected, found none"),
    "number": ("a.json", json.dumps([TEXTS[0], 3], indent=1), "line 9: expected a JSON object, found 3"),
    "cut": (
        "a.json",
        json.dumps([TEXTS[0]], indent=1)[:-12],
        "line 7: expected a JSON object, found text that is not JSON",
    ),
    "no end": (
        "a.json",
        json.dumps([TEXTS[0]])[:-1],
        "line 1: expected a whole JSON array, found one that ends too early",
    ),
    "more": ("a.json", json.dumps([TEXTS[0]]) + "\n{}", "line 2: expected nothing after the JSON array, found more"),
    "empty array": ("a.json", " [\n] ", "line 1: expected at least one pair, found an empty JSON array"),
    "scalar": ("a.json", '"text"', 'line 1: expected a JSON object, found "text"'),
    "columns": (
        "a.json",
        json.dumps({"prompt": ["a", "b"], "chosen": ["c", "d"], "rejected": ["e", "f"]}),
        "whole columns",
    ),
    "pandas": (
        "a.json",
        json.dumps({k: {"0": "a", "1": "b"} for k in TEXTS[0]}),
        "line 1: expected one record, found whole col",
    ),
    "verdict": (
        "a.csv",
        "model_a,model_b,winner\nx,y,model_a\nx,y,nobody",
        'line 3: winner: expected .*, found "nobody"',
    ),
    "no verdict": (
        "a.csv",
        "model_a,model_b\nx,y",
        "look like two answers, but no field such as winner says which is b",
    ),
    "vote": ("a.jsonl", '{"prompt": "a", "completion": "b", "label": true}', "look like single answers with a vote"),
    "mixed": (
        "a.jsonl",
        '{"chosen": "a", "rejected": "b"}\n{"chosen": [1], "rejected": [2]}',
        "line 2: expected texts as in",
    ),
    "two weights": (
        "a.jsonl",
        '{"chosen": "a", "rejected": "b", "weight": 1, "weights": 2}',
        "expected one of weight and weights",
    ),
    "twice": (
        "a.jsonl",
        '{"chosen": "a", "rejected": "b", "Chosen": "c"}',
        "line 1: expected different names, found chosen an",
    ),
    "array in a cell": (
        "a.csv",
        'chosen,rejected\n"[0.5 0.2]","[1 2]"',
        "line 2: column chosen: .* printed Python list",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_half_understood_file_is_refused_with_its_line(case, tmp_path) -> None:
    """The sentence gives the line on which the record begins, what was expected and what was found."""
    name, contents, sentence = BAD[case]
    (tmp_path / name).write_text(contents, encoding="utf-8")
    with pytest.raises(ValueError, match=sentence) as caught:
        load_pairs(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(caught.value)


def test_model_is_not_data(tmp_path) -> None:
    """A saved model that is given as data is named as one."""
    bt.fit(bt.TableScorer(2), bt.PreferencePairs([0, 1], [1, 0])).save(tmp_path / "model.npz")
    with pytest.raises(
        ValueError, match=r"model\.npz: expected pairs, found a saved model; bradley-terry evaluate MODEL"
    ):
        load_pairs(tmp_path / "model.npz")


@pytest.mark.parametrize("names", [("prompts", "weights"), ("prompt", "weight"), ("Prompt", "sample_weight")])
def test_arrays_may_have_the_names_of_rows(names, tmp_path) -> None:
    """NPZ and NPY accept the singular, and rows accept the plural."""
    fields = {
        "chosen": np.eye(2),
        "rejected": np.ones((2, 2)),
        names[0]: np.array([5, 5]),
        names[1]: np.array([1.0, 2.0]),
    }
    np.savez(tmp_path / "a.npz", **fields)
    pairs = load_pairs(tmp_path / "a.npz")
    assert pairs.prompts.tolist() == [5, 5]
    assert pairs.weights.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("lines", "is_items"),
    [
        (["chosen,rejected", "Boston,New York", "New York,Boston"], True),
        (["chosen,rejected", "New York,Los Angeles", "San Diego,New York"], True),
        (
            ["winner,loser", "The Lord of the Rings,Gone with the Wind"] * 1
            + ["Gone with the Wind,The Lord of the Rings"],
            True,
        ),
        (["prompt,chosen,rejected", "Write a poem.,gpt-4,llama", "Who are you?,llama,gpt-4"], True),
        (["chosen,rejected", "1,2", "2,10"], True),
        (["prompt,chosen,rejected", "Write a poem.,Roses are red,No", "Who are you?,I am Ada,Nobody"], False),
        (["prompt,chosen,rejected", "Is it?,yes,no", "Is that so?,sure,perhaps"], False),
        (["chosen,rejected", "I do not know that.,Go away now."], False),
        (["chosen,rejected", f"{'long ' * 50},b"], False),
        (["chosen,rejected", '"two\nlines",b'], False),
        (["prompt,chosen_response,rejected_response", "p,a,b"], False),
        (["prompt,response_a,response_b,winner", "p,a,b,a"], False),
    ],
)
def test_words_of_a_table_are_items_or_texts(lines, is_items, tmp_path) -> None:
    """Names are used in several rows; texts are long, or are sentences, or answer questions."""
    (tmp_path / "a.csv").write_text("\n".join(lines), encoding="utf-8")
    assert load_pairs(tmp_path / "a.csv").is_items == is_items
    if is_items:
        assert not load_pairs(tmp_path / "a.csv", featurise=lambda texts: [[len(text)] for text in texts]).is_items


@pytest.mark.full
@pytest.mark.parametrize(
    ("rows", "is_items"),
    [
        ([("Anna", "Bob"), ("Bob", "Cleo")], True),
        ([("yes", "no"), ("sure", "perhaps")], False),
        ([("good", "bad"), ("good", "bad"), ("good", "worse")], False),
        ([("New York", "Boston"), ("Boston", "New York")], True),
    ],
)
def test_words_of_a_frame_are_items_if_they_occur_on_both_sides(rows, is_items) -> None:
    """In a tournament, who wins once loses another time; short answers do not move from chosen to rejected."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows, columns=["chosen", "rejected"])
    assert bt.PreferencePairs.from_records(frame).is_items == is_items
    assert bt.PreferencePairs.from_records(frame.rename(columns={"chosen": "winner", "rejected": "loser"})).is_items


@pytest.mark.full
def test_one_long_prompt_does_not_multiply_by_the_rows(tmp_path) -> None:
    """A prompt of 20,000 letters in one of 3,000 rows would take 240 MB as an array of texts of equal width."""
    long = "a long prompt" * 1600
    for name, prompts in {"one": [long, *(f"prompt {i}" for i in range(2999))], "all": [long] * 3000}.items():
        path = tmp_path / f"{name}.csv"
        path.write_text(
            "prompt,x_chosen,x_rejected\n" + "".join(f"{p},1,2\n" for p in prompts[: 3000 if name == "one" else 30])
        )
        tracemalloc.start()
        try:
            pairs = load_pairs(path)
            held, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 12e6
        assert held < 4e6  # of which modules that are imported on first use are the most
        assert pairs.prompts.tolist() == prompts[: len(pairs)]
        assert pairs.n_prompts == len(set(prompts[: len(pairs)]))
        assert pairs[0].prompt == long
        assert pairs.subset([0, 1, 1]).prompts.tolist() == [prompts[0], prompts[1], prompts[1]]
    save_pairs(pairs, tmp_path / "a.npz")
    same_pairs(load_pairs(tmp_path / "a.npz"), pairs)


def test_equal_long_prompts_are_held_once() -> None:
    """A list of 2,000 references to one text of 20,000 letters makes no array of 160 MB."""
    long = "a long prompt" * 1600
    tracemalloc.start()
    try:
        pairs = bt.PreferencePairs(np.eye(2)[[0] * 2000], np.eye(2)[[1] * 2000], prompts=[long] * 1999 + ["b"])
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()
    assert pairs.n_prompts == 2
    assert pairs.prompt_index.tolist() == [0] * 1999 + [1]


def test_parquet_without_pyarrow_says_what_to_do(tmp_path, monkeypatch) -> None:
    """Without pyarrow, the sentence names it, and another way."""
    (tmp_path / "a.parquet").write_bytes(b"PAR1xxxxPAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"a\.parquet: Parquet needs pyarrow; install it with pip install pyarrow, or"
    ):
        load_pairs(tmp_path / "a.parquet")


@pytest.mark.full
@pytest.mark.parametrize("contents", [b"PAR1", b"PAR1" + b"x" * 100, b"PAR1xxxx\x10\x00\x00\x00PAR1"])
def test_damaged_parquet_is_refused(contents, tmp_path) -> None:
    """A damaged file ends in one sentence."""
    pytest.importorskip("pyarrow")
    path: Path = tmp_path / "a.parquet"
    path.write_bytes(contents)
    with pytest.raises(
        ValueError, match=r"a\.parquet: expected a Parquet file, found one that cannot be read"
    ) as caught:
        load_pairs(path)
    assert "\n" not in str(caught.value)


def test_texts_are_read_from_any_format(tmp_path) -> None:
    """``read_texts`` returns the same words from JSON and CSV."""
    for name in ("array.json", "commas.csv", "tabs.tsv"):
        (tmp_path / name).write_text(WRITERS[name](TEXTS), encoding="utf-8")
        texts = read_texts(tmp_path / name)
        assert texts.chosen == [row["chosen"] for row in TEXTS]
        assert texts.rejected == [row["rejected"] for row in TEXTS]
    (tmp_path / "items.csv").write_text(csv_of(FEATURES), encoding="utf-8")
    with pytest.raises(ValueError, match=r"items\.csv: expected texts in chosen and rejected, found numbers"):
        read_texts(tmp_path / "items.csv")


@pytest.mark.parametrize("contents", ["prompt,chosen,rejected\np,{},b\n", 'prompt,chosen,rejected\np,{},b\n"x'])
def test_cell_of_any_length_is_read_and_the_limit_of_csv_stays(contents, tmp_path) -> None:
    """A text of 200,000 letters is longer than csv allows at first; its limit, which is global, is as before."""
    import csv

    before = csv.field_size_limit()
    (tmp_path / "a.csv").write_text(contents.format("word " * 40_000 + "end"), encoding="utf-8")
    if contents.endswith("x"):
        with pytest.raises(ValueError, match="line 3: expected cells separated by commas"):
            load_pairs(tmp_path / "a.csv")
    else:
        assert len(read_texts(tmp_path / "a.csv").chosen[0]) == 200_003
    assert csv.field_size_limit() == before


def test_line_is_that_on_which_a_row_of_several_lines_begins(tmp_path) -> None:
    """In CSV a text may have line breaks; the sentence gives the first line of its row."""
    (tmp_path / "a.csv").write_text('prompt,chosen,rejected,weight\np,"a\nb",c,1\np,"a\nb",c,-1\n', encoding="utf-8")
    with pytest.raises(ValueError, match="line 4: column weight: expected a number of at least 0"):
        load_pairs(tmp_path / "a.csv")


@pytest.mark.parametrize("winner", [["model_a"], {"a": 1}, 1.5, True])
def test_a_verdict_of_another_kind_is_refused(winner, tmp_path) -> None:
    """A list or an object names no side. True is no 1, although Python calls them equal."""
    rows = [{"model_a": "x", "model_b": "y", "label": verdict} for verdict in (1, winner)]
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    with pytest.raises(ValueError, match=r"pairs\.json: .*, found "):
        load_pairs(path)
