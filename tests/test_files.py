"""Files of pairs are read completely, or refused in one sentence."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry import datasets, files
from bradley_terry.datasets import load_pairs, read_texts, save_pairs
from bradley_terry.files.text import feature_names, text_features


def write(path: Path, *lines: object) -> Path:
    """Write lines of text, or one JSON object on each."""
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_bytes((text + "\n").encode("utf-8"))
    return path


FIELDS = ("chosen", "rejected", "prompts", "weights", "labels", "target_margins", "feature_names")


def same_pairs(a: bt.PreferencePairs, b: bt.PreferencePairs) -> None:
    for name in FIELDS:
        have, want = getattr(a, name), getattr(b, name)
        if want is None:
            assert have is None, name
        else:
            np.testing.assert_array_equal(have, want, err_msg=name)


# ---------------------------------------------------------------------------------------------------- files: texts


def test_texts_become_features_of_the_answers(tmp_path) -> None:
    """A pair gets the named features of its two texts and their prompt, and equal prompts become one prompt."""
    rows = [("Hi?", "Hello, how are you?", "No."), ("Bye?", "See you!", ""), ("Hi?", "same", "same")]
    path = write(tmp_path / "a.jsonl", *({"prompt": p, "chosen": c, "rejected": r, "id": 7} for p, c, r in rows))
    pairs, texts = load_pairs(path), read_texts(path)
    assert (texts.prompts, texts.chosen, texts.rejected) == tuple(map(list, zip(*rows, strict=True)))
    assert len(texts) == 3
    np.testing.assert_array_equal(pairs.chosen, text_features(texts.prompts, texts.chosen))
    np.testing.assert_array_equal(pairs.rejected, text_features(texts.prompts, texts.rejected))
    assert pairs.feature_names == feature_names()
    assert pairs.prompts.tolist() == [0, 1, 0]
    assert pairs.n_identical == 1  # kept


def test_empty_prompts_are_different_prompts(tmp_path) -> None:
    """Each row without a prompt, or with an empty one, is a prompt of its own, so that the pairs can be split."""
    path = write(tmp_path / "a.jsonl", {"chosen": "a", "rejected": "b"}, {"prompt": "", "chosen": "c", "rejected": "d"})
    assert load_pairs(path).n_prompts == 2


def test_messages_are_the_same_as_texts(tmp_path) -> None:
    """A prompt may be given, implied by shared messages, or repeated in both answers: the pair is the same."""
    user, good, bad = (
        {"role": role, "content": text}
        for role, text in (("user", "Hi?"), ("assistant", "Hello!"), ("assistant", "No"))
    )
    for row in (
        {"prompt": "Hi?", "chosen": "Hello!", "rejected": "No"},
        {"prompt": [user], "chosen": [good], "rejected": [bad]},
        {"chosen": [user, good], "rejected": [user, bad]},
        {"prompt": "Hi?", "chosen": [user, good], "rejected": [user, bad]},
        {"prompt": [user], "chosen": "Hello!", "rejected": "No"},
    ):
        texts = read_texts(write(tmp_path / "a.jsonl", row))
        assert (texts.prompts, texts.chosen, texts.rejected) == (["Hi?"], ["Hello!"], ["No"])


def test_shared_messages_are_the_prompt_and_the_rest_the_answers(tmp_path) -> None:
    """The prompt of a longer conversation is what both sides share, but the last message is always an answer."""
    turns = [{"role": role, "content": text} for role, text in (("user", "a"), ("assistant", "b"), ("user", "c"))]
    last, other = {"role": "assistant", "content": "d"}, {"role": "assistant", "content": "e"}
    path = write(
        tmp_path / "a.jsonl",
        {"chosen": [*turns, last], "rejected": [*turns, other]},
        {"chosen": [*turns, last], "rejected": [*turns, last]},
        {"prompt": "system", "chosen": [turns[1], turns[2], last], "rejected": [turns[1], turns[2], other]},
        {"chosen": [turns[0], last, *turns], "rejected": [turns[0], other]},
    )
    texts = read_texts(path)
    whole = "user: a\n\nassistant: b\n\nuser: c"
    assert texts.prompts == [whole, whole, "system\n\nassistant: b\n\nuser: c", "a"]
    assert texts.chosen == ["d", "d", "d", "assistant: d\n\nuser: a\n\nassistant: b\n\nuser: c"]
    assert texts.rejected == ["e", "d", "e", "e"]


def test_transcripts_share_their_prompt(tmp_path) -> None:
    """The prompt of two HH-RLHF transcripts is what they share, up to the last common "Assistant:"."""
    start = "\n\nHuman: What is tea?\n\nAssistant:"
    more = start + " A drink.\n\nHuman: Hot?\n\nAssistant:"
    path = write(
        tmp_path / "a.jsonl",
        {"chosen": start + " A drink.", "rejected": start + " A dog."},
        {"chosen": more + " Yes.", "rejected": more + " Yes, or iced."},
        {"chosen": more + " Yes.", "rejected": start + " A dog."},
        {"chosen": more + " Yes.", "rejected": more + " Yes."},
        {"prompt": start, "chosen": start + " A drink.", "rejected": start + " A dog."},
        {"prompt": start, "chosen": " A drink.", "rejected": " A dog."},
    )
    texts = read_texts(path)
    first, second = start.strip(), more.strip()
    assert texts.prompts == [first, second, first, second, first, first]
    drink_and_more = "A drink.\n\nHuman: Hot?\n\nAssistant: Yes."
    assert texts.chosen == ["A drink.", "Yes.", drink_and_more, "Yes.", "A drink.", "A drink."]
    assert texts.rejected == ["A dog.", "Yes, or iced.", "A dog.", "Yes.", "A dog.", "A dog."]
    assert load_pairs(path).n_identical == 1


def test_plain_answers_that_begin_alike_stay_complete(tmp_path) -> None:
    """If two plain texts begin alike, the beginning belongs to the answers and not to the prompt."""
    texts = read_texts(write(tmp_path / "a.jsonl", {"prompt": "Yes", "chosen": "Yes, sir", "rejected": "Yes"}))
    assert (texts.prompts, texts.chosen, texts.rejected) == (["Yes"], ["Yes, sir"], ["Yes"])


def test_labels_and_weights_are_read_from_texts(tmp_path) -> None:
    """A line without label, weight or target margin gets 1, 1 and 0. If no line has one, the pairs have none."""
    row = {"chosen": "a", "rejected": "b"}
    pairs = load_pairs(write(tmp_path / "a.jsonl", row, {**row, "label": 0.5, "weight": 3, "target_margin": -1.5}))
    np.testing.assert_array_equal(pairs.labels, [1, 0.5])
    np.testing.assert_array_equal(pairs.weights, [1, 3])
    np.testing.assert_array_equal(pairs.target_margins, [0, -1.5])
    plain = load_pairs(write(tmp_path / "b.jsonl", row))
    assert plain.labels is None
    assert plain.weights is None


def test_compression_byte_order_mark_and_line_ends_do_not_matter(tmp_path) -> None:
    """The same lines give the same pairs if compressed, with a BOM, with empty lines or with Windows line ends."""
    lines = [
        json.dumps({"chosen": "a\u2028b é", "rejected": "b"}, ensure_ascii=False),
        '{"chosen": "c", "rejected": ""}',
    ]
    expected = load_pairs(write(tmp_path / "a.jsonl", *lines))
    plain = "\n".join(lines).encode()
    for name, data in {
        "b.jsonl": b"\xef\xbb\xbf" + plain,
        "c.JSONL": plain.replace(b"\n", b"\r\n\r\n"),
        "d.jsonl.gz": gzip.compress(plain),
    }.items():
        (tmp_path / name).write_bytes(data)
        same_pairs(load_pairs(tmp_path / name), expected)
    (tmp_path / "e.txt").write_bytes(plain)
    same_pairs(load_pairs(tmp_path / "e.txt", format="jsonl"), expected)


# ---------------------------------------------------------------------------------------------------- files: tables


def test_csv_of_features_pairs_its_columns_by_name(tmp_path) -> None:
    """Columns name_chosen and name_rejected belong together in any order; other columns go to the field they name."""
    path = write(
        tmp_path / "a.csv",
        "weight,price_rejected,price_chosen,speed_chosen,prompt,speed_rejected,label,target_margin",
        "2,1.5,1,-3e2,home,4,1,0",
        "",
        '0, 2 ,2,7,"a, b",7,.5,-1',
    )
    pairs = load_pairs(path)
    expected = bt.PreferencePairs(
        [[1, -300], [2, 7]],
        [[1.5, 4], [2, 7]],
        prompts=["home", "a, b"],
        weights=[2, 0],
        labels=[1, 0.5],
        target_margins=[0, -1],
        feature_names=["price", "speed"],
    )
    same_pairs(pairs, expected)
    assert pairs.n_identical == 1


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_may_have_the_line_ends_of_any_system(end, tmp_path) -> None:
    """Unix, Windows and old Macintosh line ends give the same pairs, and line numbers count from the header."""
    (tmp_path / "a.csv").write_bytes(end.join(["x_chosen,x_rejected", "1,2", "3,4", ""]).encode())
    assert load_pairs(tmp_path / "a.csv").chosen.tolist() == [[1], [3]]
    (tmp_path / "b.csv").write_bytes(end.join(["x_chosen,x_rejected", "1,2", "3,four"]).encode())
    with pytest.raises(ValueError, match='line 3: column x_rejected: expected a finite number, found "four"'):
        load_pairs(tmp_path / "b.csv")


def test_csv_without_prompts_makes_every_row_a_prompt(tmp_path) -> None:
    """Without a prompt column, each row of features is a prompt of its own."""
    assert load_pairs(write(tmp_path / "a.csv", "x_chosen,x_rejected", "1,2", "3,4")).prompts.tolist() == [0, 1]


def test_csv_of_items_numbers_them_by_name(tmp_path) -> None:
    """Items are numbered in sorted order, a tie has label 1/2, and the matchup has the same name whoever won."""
    path = write(tmp_path / "a.csv", "chosen,rejected,tie,weight", "Cy,Al,0,2", "Al, Cy ,true,1", "Bo,Bo,,1")
    pairs = load_pairs(path)
    expected = bt.PreferencePairs(
        [2, 0, 1],
        [0, 2, 1],
        prompts=["Al vs Cy", "Al vs Cy", "Bo vs Bo"],
        weights=[2, 1, 1],
        labels=[1, 0.5, 1],
        feature_names=["Al", "Bo", "Cy"],
    )
    same_pairs(pairs, expected)
    assert pairs.n_identical == 1  # kept and counted


def test_csv_of_items_may_have_prompts(tmp_path) -> None:
    """If items come with a prompt column, it takes the place of the matchup."""
    pairs = load_pairs(write(tmp_path / "a.csv", "prompt,chosen,rejected", "x,A,B", "y,A,B"))
    assert pairs.prompts.tolist() == ["x", "y"]


@pytest.mark.parametrize("make", [datasets.travel_modes, datasets.citations, lambda: datasets.baseball(True)])
def test_saved_pairs_come_back(make, tmp_path) -> None:
    """NPZ keeps every field, and the same pairs give the same bytes."""
    pairs = make()
    save_pairs(pairs, tmp_path / "a.npz")
    save_pairs(pairs, tmp_path / "b.npz")
    same_pairs(load_pairs(tmp_path / "a.npz"), pairs)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_npz_without_prompts_and_names_gets_them(tmp_path) -> None:
    """Arrays without prompts and feature names get numbers and names."""
    np.savez(tmp_path / "a.npz", chosen=np.eye(2, dtype=np.float32), rejected=np.ones((2, 2), dtype=np.float32))
    pairs = load_pairs(tmp_path / "a.npz")
    assert (pairs.prompts.tolist(), pairs.feature_names, pairs.chosen.dtype) == ([0, 1], ("x1", "x2"), np.float32)
    np.savez(tmp_path / "b.npz", chosen=np.array([0, 2]), rejected=np.array([1, 0]))
    assert load_pairs(tmp_path / "b.npz").feature_names == ("item 0", "item 1", "item 2")
    np.savez(tmp_path / "c.npz", chosen=np.array([0]), rejected=np.array([10**15]))  # 10¹⁵ names would fill the memory
    assert load_pairs(tmp_path / "c.npz").feature_names is None


# ---------------------------------------------------------------------------------------------------- files: arrays


@pytest.fixture
def arrays(rng) -> dict[str, np.ndarray]:
    """Return all fields of twenty pairs of three features."""
    chosen, rejected = rng.normal(size=(2, 20, 3))
    return {
        "chosen": chosen,
        "rejected": rejected,
        "prompts": rng.integers(5, size=20),
        "weights": rng.uniform(1, 2, 20),
        "labels": rng.uniform(0, 1, 20),
        "target_margins": rng.normal(size=20),
        "feature_names": np.array(["a", "b", "c"]),
    }


# ---------------------------------------------------------------------------------------------------- manners

GOOD = '{"chosen": "a", "rejected": "b"}'
BAD_FILES = {  # name, contents, sentence after the path
    "empty": ("a.jsonl", "", "expected at least one pair, found an empty file"),
    "blank": ("a.jsonl", "\n \n", "expected at least one pair, found an empty file"),
    "not JSON": ("a.jsonl", f"{GOOD}\nchosen", "line 2: expected a JSON object, found text that is not JSON"),
    "truncated": ("a.jsonl", f"{GOOD}\n{GOOD[:20]}", "line 2: expected a JSON object, found text that is not JSON"),
    "list": ("a.jsonl", '["a", "b"]', r'line 1: expected a JSON object, found \["a", "b"\]'),
    "nested": ("a.jsonl", "[" * 100_000, "line 1: expected a JSON object, found "),
    "number": ("a.jsonl", "1" * 5000, "line 1: expected a JSON object, found JSON that is too large"),
    "no rejected": ("a.jsonl", f'{GOOD}\n\n{{"chosen": "a"}}', "line 3: expected the keys .*, found chosen$"),
    "no keys": ("a.jsonl", "{}", "line 1: expected the keys chosen and rejected, found none"),
    "true": (
        "a.jsonl",
        '{"chosen": true, "rejected": "b"}',
        "line 1: chosen: expected a text or a list of messages, f",
    ),
    "null": ("a.jsonl", '{"chosen": "b", "rejected": null}', "line 1: rejected: expected a text .*, found null"),
    "prompt": (
        "a.jsonl",
        '{"chosen":"b","rejected":"a","prompt":true}',
        "line 1: prompt: expected a text .*, found tru",
    ),
    "no messages": ("a.jsonl", '{"chosen": [], "rejected": "b"}', "line 1: chosen: .*, found an empty list"),
    "message": ("a.jsonl", '{"chosen": [{"role": "user"}, 3], "rejected": "b"}', "line 1: chosen: .*role and content"),
    "content": (
        "a.jsonl",
        '{"chosen": [{"role": "user", "content": 3}], "rejected": "b"}',
        "line 1: chosen: expected a text as the content of a message, found 3",
    ),
    "label": ("a.jsonl", GOOD[:-1] + ', "label": 2}', r"line 1: label: expected a number in \[0, 1\], found 2"),
    "weight": ("a.jsonl", GOOD[:-1] + ', "weight": "heavy"}', 'expected a finite number, found "heavy"'),
    "bool weight": ("a.jsonl", GOOD[:-1] + ', "weight": true}', "weight: expected a finite number, found true"),
    "huge weight": (
        "a.jsonl",
        GOOD[:-1] + ', "weight": 1' + "0" * 400 + "}",
        "weight: expected a finite number, found",
    ),
    "no weight": ("a.jsonl", GOOD[:-1] + ', "weight": 0}', "weights: expected .* positive sum"),
    "latin-1": ("a.jsonl", GOOD.encode() + b"\n\xe9", "line 2: expected UTF-8 text, found the byte 0xe9"),
    "not gzip": ("a.jsonl.gz", GOOD, "expected a gzip file, found a file that begins with"),
    "cut gzip": (
        "a.jsonl.gz",
        gzip.compress(GOOD.encode())[:-9],
        "expected a whole gzip file, found one that ends too",
    ),
    "bad gzip": (
        "a.jsonl.gz",
        gzip.compress(GOOD.encode())[:10] + b"\xff" * 40,
        "expected a gzip file, found a damaged one",
    ),
    "other ending": (
        "a.xml",
        "<a/>",
        "expected a name that ends in .jsonl, .jsonl.gz, .*, .csv, .csv.gz, .*, .npz, .npy",
    ),
    "not parquet": ("a.parquet", "chosen", "expected a Parquet file, found a file that begins with b'chos'"),
    "spreadsheet": ("a.xlsx", "PK", "found a spreadsheet; save it as CSV$"),
    "pickle": ("a.pt", "x", "found a pickle, which may run code when it is opened; save its arrays with numpy.savez"),
    "text": ("a.txt", GOOD, r"found a text; rename it to \.jsonl or \.csv$"),
    "empty csv": ("a.csv", "\n\n", "expected a header and at least one row, found an empty file"),
    "header only": ("a.csv", "chosen,rejected\n", "expected at least one row below the header, found none"),
    "no columns": ("a.csv", "a,b\n1,2", "line 1: expected columns name_chosen and name_rejected, .*; found a$"),
    "no features": ("a.csv", "prompt,weight\n1,2", "line 1: expected columns name_chosen and .*; found prompt, weight"),
    "numbers": (
        "a.csv",
        "chosen,rejected\n0.5,0.2\n1,0",
        "line 2: expected texts or names .*, found numbers; if these",
    ),
    "printed list": (
        "a.csv",
        "chosen,rejected\n\"[{'role': 'user'}]\",b",
        "line 2: column chosen: .*printed Python list",
    ),
    "no partner": (
        "a.csv",
        "x_chosen,y_rejected\n1,2",
        "line 1: expected a column x_rejected beside x_chosen, found n",
    ),
    "line break": ("a.csv", 'winner,"a\nb"\na,b', "line 1: expected columns .*; found a\\\\nb"),
    "twice": ("a.csv", "x_chosen,x_chosen\n1,2", "line 1: expected different column names, found x_chosen twice"),
    "nameless": ("a.csv", "x_chosen,,x_rejected\n1,2,3", "line 1: expected a name for each column"),
    "ragged": ("a.csv", "x_chosen,x_rejected\n1,2\n3", "line 3: expected 2 cells, .*, found 1"),
    "word": ("a.csv", "x_chosen,x_rejected\n1,two", 'line 2: column x_rejected: expected a finite number, found "two"'),
    "NaN": ("a.csv", "x_chosen,x_rejected\nnan,2", 'line 2: column x_chosen: expected a finite number, found "nan"'),
    "underscore": ("a.csv", "x_chosen,x_rejected\n1_0,2", "line 2: column x_chosen: expected a finite number"),
    "no number": ("a.csv", "x_chosen,x_rejected\n1,\n", 'line 2: column x_rejected: .* found ""'),
    "negative": ("a.csv", "chosen,rejected,weight\na,b,-1", "line 2: column weight: expected a number of at least 0"),
    "no item": ("a.csv", "chosen,rejected\na, ", "line 2: column rejected: expected a name, found an empty cell"),
    "tie": ("a.csv", "chosen,rejected,tie\na,b,maybe", 'line 2: column tie: expected true or false, found "maybe"'),
    "tie and label": (
        "a.csv",
        "chosen,rejected,tie,label\na,b,1,1",
        "line 1: expected a column tie or a column label, f",
    ),
    "quotes": ("a.csv", 'chosen,rejected\n"a,b', "line 2: expected cells separated by commas"),
    "not NPZ": ("a.npz", "chosen", "expected an NPZ file of arrays, found a file that begins with b'chosen'"),
    "broken NPZ": (
        "a.npz",
        b"PK\x03\x04" + b"0" * 50,
        "expected an NPZ file of plain arrays, found one that cannot be read",
    ),
    "empty NPZ": ("a.npz", "", "expected at least one pair, found an empty file"),
    "not NPY": ("a.npy", "chosen", "expected an NPY file of a plain array, found one that cannot be read"),
    "empty NPY": ("a.npy", "", "expected at least one pair, found an empty file"),
    "NPY of the future": (
        "a.npy",
        b"\x93NUMPY\x09\x00" + b"0" * 50,
        r"found one that cannot be read .*format version \(9, 0\)",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file_gets_one_sentence_that_begins_with_its_path(case, tmp_path) -> None:
    """The sentence names the path, the line if there is one, what was expected and what was found."""
    name, contents, sentence = BAD_FILES[case]
    path = tmp_path / name
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    with pytest.raises(ValueError, match=sentence) as caught:
        load_pairs(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.npz", "a.npy", "a", "a.jsonl.gz"])
def test_missing_file_is_not_found(name, tmp_path) -> None:
    """A missing file of any format raises a FileNotFoundError that names it."""
    with pytest.raises(FileNotFoundError, match=f"{name}: there is no such file"):
        load_pairs(tmp_path / name)


def test_folder_named_like_a_file_is_refused(tmp_path) -> None:
    """A folder whose name ends like that of a file is refused in one sentence."""
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(ValueError, match=r"a\.jsonl: expected a file, found a folder"):
        load_pairs(tmp_path / "a.jsonl")


def test_unknown_format_is_named(tmp_path) -> None:
    """An unknown format is refused before the file is looked for."""
    with pytest.raises(ValueError, match="format: expected one of jsonl, json, csv, parquet, npz, npy, got 'xml'"):
        load_pairs(tmp_path / "a.xml", format="xml")


def test_saving_keeps_permissions_and_leaves_no_partial_file(tmp_path, monkeypatch) -> None:
    """A private file stays private, and if the disk is full, the old file stays and no partial file is left."""
    path = tmp_path / "x.npz"
    pairs = bt.PreferencePairs([[1.0]], [[0.0]])
    save_pairs(pairs, path)
    path.chmod(0o600)
    save_pairs(pairs, path)
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    for target in (path, tmp_path / "new.npz"):
        with pytest.raises(OSError, match="No space"):
            save_pairs(pairs, target)
    assert [file.name for file in tmp_path.iterdir()] == ["x.npz"]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("pairs", "name", "error", "sentence"),
    [
        (None, "a.npz", TypeError, "^pairs: expected PreferencePairs, got NoneType$"),
        (bt.PreferencePairs([1], [0]), "none/a.npz", FileNotFoundError, r"a\.npz: there is no folder .*none$"),
    ],
)
def test_what_cannot_be_saved_gets_one_sentence(pairs, name, error, sentence, tmp_path) -> None:
    """The sentence names an object that is not pairs, or a folder that does not exist."""
    with pytest.raises(error, match=sentence):
        save_pairs(pairs, tmp_path / name)


def test_new_format_is_one_line_in_the_table(tmp_path, monkeypatch) -> None:
    """A format in FORMATS is found by its ending or its name, and the messages list it."""
    expected = bt.PreferencePairs([1], [0])
    monkeypatch.setitem(files.FORMATS, "stars", files.Format((".stars",), lambda path: expected))
    assert load_pairs(tmp_path / "a.STARS") is expected
    assert load_pairs(tmp_path / "a.csv", format="stars") is expected
    (tmp_path / "a.xml").write_text("<xml/>")
    with pytest.raises(ValueError, match=r"\.npy, \.stars, or, from Python, format= one of .*, npy, stars$"):
        load_pairs(tmp_path / "a.xml")


@pytest.mark.full
def test_importing_files_imports_numpy_only(run_python) -> None:
    """Modules that only one format needs are imported when such a file is read."""
    script = (
        "import sys, bradley_terry.files;"
        "print([m for m in ('csv', 'gzip', 'json', 'zipfile', 'matplotlib', 'numba', 'pandas') if m in sys.modules])"
    )
    assert run_python(script) == "[]"
