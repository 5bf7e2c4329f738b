"""Files of pairs are read completely, or refused in one sentence."""

from __future__ import annotations

import gzip
import json
import os
import sys
import tracemalloc
from mmap import mmap
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


def is_mapped(array: np.ndarray) -> bool:
    """Return whether an array lies in a mapped file, that is, whether its last base is a map."""
    owner: object = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return isinstance(owner, mmap)


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


def write_folder(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def test_npz_and_npy_are_mapped_not_read(arrays, tmp_path) -> None:
    """A folder of NPY files and an NPZ file are mapped, a compressed NPZ file is read, and all give the same pairs."""
    expected = bt.PreferencePairs(**arrays)
    np.savez(tmp_path / "a.npz", **arrays)
    np.savez_compressed(tmp_path / "b.npz", **arrays)
    write_folder(tmp_path / "c", arrays)
    (tmp_path / "c" / "README.md").write_text("ignored")
    for name, mapped in (("a.npz", True), ("b.npz", False), ("c", True)):
        pairs = load_pairs(tmp_path / name)
        same_pairs(pairs, expected)
        for field in FIELDS[:-1]:
            assert is_mapped(getattr(pairs, field)) == mapped, (name, field)
    same_pairs(load_pairs(tmp_path / "c", format="npy"), expected)


def test_one_npy_file_holds_both_answers(arrays, tmp_path) -> None:
    """[chosen, rejected] is mapped: shape (n_pairs, 2, n_features) holds features, (n_pairs, 2) integers hold items."""
    np.save(tmp_path / "a.npy", np.stack([arrays["chosen"], arrays["rejected"]], axis=1))
    pairs = load_pairs(tmp_path / "a.npy")
    same_pairs(
        pairs,
        bt.PreferencePairs(
            arrays["chosen"], arrays["rejected"], prompts=np.arange(20), feature_names=["x1", "x2", "x3"]
        ),
    )
    np.save(tmp_path / "b.npy", np.array([[0, 2], [1, 0]]))
    items = load_pairs(tmp_path / "b.npy")
    same_pairs(items, bt.PreferencePairs([0, 1], [2, 0], prompts=[0, 1], feature_names=["item 0", "item 1", "item 2"]))
    for array in (pairs.chosen, pairs.rejected, items.chosen, items.rejected):
        assert is_mapped(array)


def test_mapping_takes_no_memory(tmp_path, rng) -> None:
    """12 MB of features are neither read nor copied: loading allocates less than a third of that."""
    both = rng.normal(size=(25_000, 2, 30))
    np.save(tmp_path / "a.npy", both)
    np.savez(tmp_path / "b.npz", chosen=both[:, 0], rejected=both[:, 1])
    write_folder(tmp_path / "c", {"chosen": both[:, 0], "rejected": both[:, 1]})
    for name in ("a.npy", "b.npz", "c"):
        tracemalloc.start()
        try:
            pairs = load_pairs(tmp_path / name)
            held, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        np.testing.assert_array_equal(pairs.rejected, both[:, 1])
        assert held < 0.3e6  # bytes: the numbers of the prompts, 8 for each pair
        assert peak < 4e6  # the largest is a block of a million truth values, or of a megabyte for the checksum


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_mapped_pairs_are_the_files_own_pages(tmp_path, rng, run_python) -> None:
    """The system counts 48 MB of mapped features as pages of the file, which it can drop, and not as our memory."""
    np.save(tmp_path / "a.npy", rng.normal(size=(100_000, 2, 30)))
    script = (
        "import pathlib, bradley_terry as bt\n"
        "bt.datasets\n"
        "def memory(kind):\n"
        "    lines = pathlib.Path('/proc/self/smaps_rollup').read_text().splitlines()\n"
        "    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(kind))\n"
        "before = memory('Anonymous:'), memory('Rss:')\n"
        "pairs = bt.datasets.load_pairs('a.npy')\n"
        "print(memory('Anonymous:') - before[0], memory('Rss:') - before[1])\n"
    )
    anonymous, resident = map(int, run_python(script).split())
    assert resident > 40e6  # the check for finite numbers has looked at all of it
    assert anonymous < 8e6


def test_pairs_beyond_a_million_are_not_numbered(tmp_path) -> None:
    """Without numbers, each pair is still its own prompt; numbers would fill the memory that mapping saves."""
    np.save(tmp_path / "a.npy", np.tile(np.array([[0, 1]], dtype=np.int64), (1_000_001, 1)))
    pairs = load_pairs(tmp_path / "a.npy")
    assert pairs.prompts is None
    assert pairs.n_prompts == len(pairs) == 1_000_001


FORMS = {
    "Fortran-ordered": np.asfortranarray,
    "float16": lambda a: a.astype(np.float16),
    "float32": lambda a: a.astype(np.float32),
    "integers": lambda a: a.astype(np.int16),
    "byte-swapped": lambda a: a.astype(np.dtype(np.float64).newbyteorder()),
    "byte-swapped integers": lambda a: a.astype(np.dtype(np.int32).newbyteorder()),
}


@pytest.mark.parametrize("form", FORMS)
def test_arrays_of_any_form_are_read_correctly(form: str, tmp_path, rng) -> None:
    """Whether Fortran-ordered, byte-swapped or of another real type, an array gives the numbers of the plain one."""
    chosen, rejected = rng.integers(-9, 9, size=(2, 20, 3)).astype(np.float64)
    expected = bt.PreferencePairs(chosen, rejected, prompts=np.arange(20), feature_names=["x1", "x2", "x3"])
    fields = {"chosen": FORMS[form](chosen), "rejected": FORMS[form](rejected)}
    np.savez(tmp_path / "a.npz", **fields)
    write_folder(tmp_path / "b", fields)
    np.save(tmp_path / "c.npy", FORMS[form](np.stack([chosen, rejected], axis=1)))
    for name in ("a.npz", "b", "c.npy"):
        pairs = load_pairs(tmp_path / name)
        same_pairs(pairs, expected)
        assert pairs.chosen.dtype == (np.float32 if form == "float32" else np.float64)
        assert is_mapped(pairs.chosen) == (form in {"Fortran-ordered", "float32"})


def test_pairs_can_be_saved_over_the_file_they_are_mapped_from(arrays, tmp_path) -> None:
    """The file is replaced and not written into, so the mapped pairs do not change, and no other file is left."""
    np.savez(tmp_path / "a.npz", **arrays)
    pairs = load_pairs(tmp_path / "a.npz")
    save_pairs(pairs.subset([0]), tmp_path / "a.npz")
    same_pairs(pairs, bt.PreferencePairs(**arrays))
    save_pairs(pairs, tmp_path / "a.npz")
    same_pairs(load_pairs(tmp_path / "a.npz"), pairs)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


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
    "prompt": ("a.jsonl", '{"chosen":"b","rejected":"a","prompt":3}', "line 1: prompt: expected a text .*, found 3"),
    "no messages": ("a.jsonl", '{"chosen": [], "rejected": "b"}', "line 1: chosen: .*, found an empty list"),
    "message": ("a.jsonl", '{"chosen": ["x"], "rejected": "b"}', "line 1: chosen: expected messages with role and con"),
    "content": (
        "a.jsonl",
        '{"chosen": [{"role": "user", "content": null}], "rejected": "b"}',
        "line 1: chosen: expected a text as the content of a message, found null",
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
    "other ending": ("a.parquet", "PAR1", "expected a name that ends in .jsonl, .jsonl.gz, .csv, .csv.gz, .npz, .npy"),
    "empty csv": ("a.csv", "\n\n", "expected a header and at least one row, found an empty file"),
    "header only": ("a.csv", "chosen,rejected\n", "expected at least one row below the header, found none"),
    "no columns": ("a.csv", "a,b\n1,2", "line 1: expected columns name_chosen and name_rejected, .*; found a$"),
    "no features": ("a.csv", "prompt,weight\n1,2", "line 1: expected columns name_chosen and .*; found prompt, weight"),
    "texts in a table": (
        "a.csv",
        "prompt,chosen,rejected\nhi,hello there,go away now\nwho,it is me,nobody at all",
        "expected names of items in chosen and rejected, found what look like texts; texts belong in JSONL",
    ),
    "semicolons": ("a.csv", "x_chosen;x_rejected\n1;2", "line 1: expected columns separated by commas, found ';'"),
    "no partner": (
        "a.csv",
        "x_chosen,y_rejected\n1,2",
        "line 1: expected a column x_rejected beside x_chosen, found n",
    ),
    "line break": ("a.csv", 'chosen,rejected,"a\nb"\na,b,1', "line 1: expected columns .*; found a b"),
    "misspelt": ("a.csv", "chosen,rejected,wieght\na,b,1", "line 1: expected columns .*weight; found wieght"),
    "twice": ("a.csv", "x_chosen,x_chosen\n1,2", "line 1: expected different column names, found x_chosen twice"),
    "nameless": ("a.csv", "x_chosen,,x_rejected\n1,2,3", "line 1: expected a name for each column"),
    "ragged": ("a.csv", "x_chosen,x_rejected\n1,2\n3", "line 3: expected 2 cells, .*, found 1"),
    "word": ("a.csv", "x_chosen,x_rejected\n1,two", 'line 2: column x_rejected: expected a finite number, found "two"'),
    "NaN": ("a.csv", "x_chosen,x_rejected\nnan,2", 'line 2: column x_chosen: expected a finite number, found "nan"'),
    "underscore": ("a.csv", "x_chosen,x_rejected\n1_0,2", "line 2: column x_chosen: expected a finite number"),
    "no number": ("a.csv", "x_chosen,x_rejected\n1,\n", 'line 2: column x_rejected: .* found ""'),
    "negative": ("a.csv", "chosen,rejected,weight\na,b,-1", "line 2: column weight: expected a number of at least 0"),
    "no item": ("a.csv", "chosen,rejected\na, ", "line 2: column rejected: expected a name, found an empty cell"),
    "no prompt": ("a.csv", "chosen,rejected,prompt\na,b,", "line 2: column prompt: expected a name, found an empty ce"),
    "text": ("a.csv", "chosen,rejected\n" + "word " * 99 + ",b", "line 2: column chosen: .* texts belong in JSONL"),
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


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"chosen": [[1.0]]}, "expected the fields chosen and rejected, found chosen"),
        ({"chosen": [[1.0]], "rejected": [[2.0]], "score": [1.0]}, "expected the fields chosen, .*, found score"),
        ({"chosen": [[1.0]], "rejected": [[2.0]], "feature_names": [1.0]}, "feature_names: expected a list of texts"),
        ({"chosen": [[1.0]], "rejected": [[2.0], [3.0]]}, "rejected: expected the shape of chosen"),
        ({"chosen": [[1.0]], "rejected": [[np.nan]]}, "rejected: expected finite numbers, got nan"),
        ({"chosen": 1.0, "rejected": 2.0}, "chosen: expected shape"),
        ({"chosen": [["a"]], "rejected": [["b"]]}, "chosen: expected an array of real numbers"),
        (
            {"chosen": np.array([{}]), "rejected": [1]},
            "expected an NPZ file of plain arrays, found one that cannot be read",
        ),
    ],
)
def test_bad_arrays_get_one_sentence(fields, sentence, tmp_path) -> None:
    """Unknown, missing and wrong fields of an NPZ file are named. Pickled objects are never opened."""
    np.savez(tmp_path / "a.npz", **fields)
    with pytest.raises(ValueError, match=sentence) as caught:
        load_pairs(tmp_path / "a.npz")
    assert str(caught.value).startswith(f"{tmp_path / 'a.npz'}: ")


def test_cut_or_altered_npz_is_refused(tmp_path) -> None:
    """An NPZ file that is cut anywhere, or has a changed byte in its first header, is refused in one sentence."""
    save_pairs(bt.PreferencePairs([[1.0, 2.0]], [[3.0, 4.0]]), tmp_path / "a.npz")
    whole = (tmp_path / "a.npz").read_bytes()
    for stop in range(0, len(whole) - 1, 7):
        (tmp_path / "b.npz").write_bytes(whole[:stop])
        with pytest.raises(ValueError, match=r"b\.npz: expected"):
            load_pairs(tmp_path / "b.npz")
    start = whole.index(b"descr")
    for place in range(start, start + 60):
        (tmp_path / "b.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"b\.npz: expected"):  # by the checksum if by nothing else
            load_pairs(tmp_path / "b.npz")


@pytest.mark.parametrize("field", ["chosen", "weights", "prompts"])
def test_altered_array_in_npz_is_found_by_its_checksum(field: str, arrays, tmp_path) -> None:
    """Mapped arrays are compared with their checksums too, so one changed bit of one number is found."""
    np.savez(tmp_path / "a.npz", **arrays)
    whole = bytearray((tmp_path / "a.npz").read_bytes())
    whole[whole.index(arrays[field].tobytes()) + 100] ^= 1
    (tmp_path / "b.npz").write_bytes(whole)
    with pytest.raises(ValueError, match=rf"b\.npz: expected .* \(\"Bad CRC-32 for file '{field}\.npy'\"\)$"):
        load_pairs(tmp_path / "b.npz")


def test_cut_or_lengthened_npy_is_refused(tmp_path) -> None:
    """A file that is cut anywhere is refused in one sentence, and never mapped beyond its end."""
    np.save(tmp_path / "a.npy", np.ones((600, 2, 3)))
    whole = (tmp_path / "a.npy").read_bytes()
    for stop in (*range(0, 200, 7), 4096, len(whole) - 1):
        (tmp_path / "b.npy").write_bytes(whole[:stop])
        with pytest.raises(ValueError, match=r"b\.npy: expected") as caught:
            load_pairs(tmp_path / "b.npy")
        assert "\n" not in str(caught.value)
    (tmp_path / "c.npy").write_bytes(whole + b"0")
    with pytest.raises(ValueError, match=r"c\.npy: .*its header announces 28800 bytes, but 28801 follow"):
        load_pairs(tmp_path / "c.npy")
    write_folder(tmp_path / "d", {"chosen": np.ones((600, 3))})
    (tmp_path / "d" / "rejected.npy").write_bytes(whole[:4096])
    with pytest.raises(ValueError, match=r"rejected\.npy: .*its header announces 28800 bytes, but 3968 follow"):
        load_pairs(tmp_path / "d")


@pytest.mark.parametrize(("bits", "at_least"), [([4], 100), pytest.param(range(8), 500, marks=pytest.mark.full)])
def test_altered_header_of_npy_is_refused_or_means_as_many_bytes(bits, at_least, tmp_path) -> None:
    """Without a checksum, a changed header may still be valid and give pairs. Otherwise there is one sentence."""
    np.save(tmp_path / "a.npy", np.ones((4, 2, 3)))
    whole = (tmp_path / "a.npy").read_bytes()
    refused = 0
    for place in range(128):
        for bit in bits:
            altered = bytearray(whole)
            altered[place] ^= 1 << bit
            (tmp_path / "b.npy").write_bytes(altered)
            try:
                assert load_pairs(tmp_path / "b.npy").chosen.size == 12
            except ValueError as error:
                refused += 1
                assert str(error).startswith(f"{tmp_path / 'b.npy'}: ")  # noqa: PT017
                assert "\n" not in str(error)  # noqa: PT017
            (tmp_path / "b.npy").unlink()  # a file that may be mapped must not be written into
    assert refused > at_least


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (
            np.ones((4, 3, 2)),
            r"expected an array of \[chosen, rejected\], .*, found shape \(4, 3, 2\) and dtype float64",
        ),
        (np.ones((4, 2)), r"\(n_pairs, 2\) whole numbers, found shape \(4, 2\) and dtype float64"),
        (np.ones(4), r"found shape \(4,\) and dtype float64"),
        (np.array(1), r"found shape \(\) and dtype int64"),
        (np.ones((2, 2, 2, 2)), r"found shape \(2, 2, 2, 2\)"),
        (np.ones((0, 2, 3)), "chosen: expected at least one pair, got none"),
        (np.ones((0, 2), dtype=np.int64), "chosen: expected at least one pair, got none"),
        (np.ones((4, 2, 0)), r"chosen: expected shape \(n_pairs, n_features\)"),
        (np.full((4, 2, 3), "a"), "chosen: expected an array of real numbers, got dtype <U1"),
        (np.full((4, 2, 3), np.nan), "chosen: expected finite numbers, got nan in row 0, column 0"),
        (np.array([[0, 1], [-1, 0]]), "chosen: expected item numbers of at least 0, got -1"),
        (np.array([[{}, 1]]), "expected an NPY file of a plain array, .*Python objects, which are never unpickled"),
    ],
)
def test_wrong_array_in_npy_gets_one_sentence(array, sentence: str, tmp_path) -> None:
    """A wrong shape, type or number, or a Python object, is named as in the other formats."""
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match=sentence) as caught:
        load_pairs(tmp_path / "a.npy")
    assert str(caught.value).startswith(f"{tmp_path / 'a.npy'}: ")
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "expected the fields chosen and rejected, found none"),
        ({"chosen": np.ones((2, 1))}, "expected the fields chosen and rejected, found chosen"),
        (
            {"chosen": np.ones((2, 1)), "rejected": np.ones((2, 1)), "weight": np.ones(2)},
            "expected the fields chosen, .*, found weight",
        ),
        ({"chosen": np.ones((2, 1)), "rejected": np.ones((3, 1))}, "rejected: expected the shape of chosen"),
        (
            {"chosen": np.ones((2, 1)), "rejected": np.ones((2, 1)), "labels": np.array([1.0, 1.5])},
            r"labels: expected P\(chosen preferred\) in \[0, 1\], got 1.5",
        ),
    ],
)
def test_wrong_folder_gets_one_sentence(fields, sentence: str, tmp_path) -> None:
    """A missing, misspelt or wrong array is named together with its folder."""
    write_folder(tmp_path / "a", fields)
    with pytest.raises(ValueError, match=sentence) as caught:
        load_pairs(tmp_path / "a")
    assert str(caught.value).startswith(f"{tmp_path / 'a'}: ")


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
    with pytest.raises(ValueError, match="format: expected one of jsonl, csv, npz, npy, got 'xml'"):
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
