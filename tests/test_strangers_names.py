"""Names and notes of strangers: no two names become one, and no important note is lost among others."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.datasets import DataNote, load_pairs, read_texts
from bradley_terry.files.saving import new_folder, replacing

MERGED = "expected names that differ in more than half characters, found two that are read as "
A, B = "A\ud83d", "A\ude00"  # the two halves of one emoji


def lines(folder: Path, *records: object) -> Path:
    path = folder / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return path


@pytest.mark.parametrize(
    ("records", "place"),
    [
        ([{"winner": A, "loser": B}], "line 1"),
        ([{"winner": "C", "loser": A}, {"winner": B, "loser": "C"}], "line 1"),
        ([{"winner": "C", "loser": "A�"}, {"winner": A, "loser": "C"}], "line 1"),
        ([{"ranking": [A, "C", B]}], "line 1"),
        ([{f"{A}_chosen": 1, f"{A}_rejected": 2, f"{B}_chosen": 5, f"{B}_rejected": 6}], "line 1"),
        ([{f"{A}_chosen": 1, f"{A}_rejected": 2}, {f"{B}_chosen": 5, f"{B}_rejected": 6}], "line 2"),
        ([{"A�_chosen": 1, "A�_rejected": 2, f"{B}_chosen": 5, f"{B}_rejected": 6}], "line 1"),
        ([{"chosen": {A: 1.0, B: 2.0}, "rejected": {A: 0.0, B: 1.0}}], "line 1"),
        ([{"chosen": {A: 1.0}, "rejected": {B: 2.0}}], "line 1"),
    ],
)
def test_names_that_differ_in_half_characters_are_not_merged(records, place: str, tmp_path) -> None:
    """Items and features with such names would become one, which beats itself or loses the values of the other."""
    path = lines(tmp_path, *records)
    loaders = [load_pairs, bt.load_rankings]
    for load in loaders:
        with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: {place}: {MERGED}'A�"):
            load(path)
    with pytest.raises(ValueError, match=f"^records: row .: {MERGED}'A�"):
        bt.PreferencePairs.from_records(records)


@pytest.mark.parametrize("text", [A, f"{A} and {A}"])
def test_a_name_with_half_a_character_may_occur_often(text: str, tmp_path) -> None:
    """The same name is the same item, and a note says how it is read."""
    path = lines(tmp_path, {"winner": text, "loser": "C"}, {"winner": "C", "loser": text})
    with pytest.warns(DataNote, match="line 1: 2 records hold half a character"):
        pairs = load_pairs(path)
    assert pairs.feature_names == (text.replace("\ud83d", "�"), "C")


def test_texts_that_differ_in_half_characters_are_read(tmp_path) -> None:
    """Two answers that were cut within their last emoji are two answers, and nothing but a note is needed."""
    path = lines(tmp_path, {"prompt": "Hi!", "chosen": f"Good {A}", "rejected": f"Good {B}"})
    with pytest.warns(DataNote, match="half a character"):
        assert read_texts(path).rejected == ["Good A�"]


def test_a_replacement_character_alone_is_not_noted(tmp_path) -> None:
    """The character "�" is whole, and other programs write it."""
    assert load_pairs(lines(tmp_path, {"winner": "A�", "loser": "�"})).feature_names == ("A�", "�")


def model_with(folder: Path, names: list[str]) -> Path:
    """Save a model of two features, and give them these names in its file."""
    rng = np.random.default_rng(0)
    pairs = bt.PreferencePairs(rng.normal(size=(20, 2)), rng.normal(size=(20, 2)), feature_names=["x", "y"])
    bt.fit(bt.LinearScorer(2), pairs, l2=1.0).save(folder / "old")
    with zipfile.ZipFile(folder / "old") as old, zipfile.ZipFile(folder / "a.model", "w") as archive:
        for name in old.namelist():
            content = old.read(name)
            if name == "meta.json":
                content = json.dumps({**json.loads(content), "feature_names": names}).encode()
            archive.writestr(name, content)
    return folder / "a.model"


def test_half_characters_in_a_model_are_replaced(tmp_path) -> None:
    """The name can be written to a report, and a note says so."""
    with pytest.warns(DataNote, match=r"meta\.json: 1 model holds half a character"):
        model = bt.RewardModel.load(model_with(tmp_path, [A, "b"]))
    assert model.feature_names == ("A�", "b")


@pytest.mark.parametrize("names", [["a", "a"], [A, B], ["A�", B], ["", ""]])
def test_a_model_with_equal_names_is_refused(names, tmp_path) -> None:
    """Which weight a name stands for would be unclear."""
    path = model_with(tmp_path, names)
    said = r"not a reward model .*expected different feature names, got the same name"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataNote)
        with pytest.raises(ValueError, match=said):
            bt.RewardModel.load(path)


@pytest.mark.parametrize("name", ["prompts", "feature_names"])
@pytest.mark.parametrize("shape", [(2, 0), (10**15, 0), (0, 2), (2, 1), (), (1, 2, 0)])
@pytest.mark.parametrize("packed", [False, True])
def test_texts_that_are_no_list_are_refused(name: str, shape: tuple[int, ...], packed: bool, tmp_path) -> None:
    """An array of texts has one axis, whatever its size."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<U2", "fortran_order": False, "shape": shape})
    n = int(np.prod(shape, dtype=object))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for field in ("chosen", "rejected"):
            buffer = io.BytesIO()
            np.save(buffer, np.full((2, 2), float(len(field))))
            archive.writestr(f"{field}.npy", buffer.getvalue())
        archive.writestr(f"{name}.npy", header.getvalue() + "ab".encode("utf-32-le") * n)
    with pytest.raises(
        ValueError, match=rf"a\.npz: {name}: expected a list of texts, found shape {re.escape(str(shape))}"
    ):
        load_pairs(tmp_path / "a.npz")


@pytest.mark.parametrize("shape", [(10**15, 0), (0, 10**15), (10**9, 0, 10**9)])
def test_arrays_without_numbers_are_answered_at_once(shape, tmp_path) -> None:
    """There is nothing to read in 10¹⁵ rows of no numbers."""
    for name in ("chosen", "rejected"):
        with (tmp_path / f"{name}.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
    for load in (load_pairs, bt.load_rankings):
        with pytest.raises(ValueError, match="expected ") as caught:
            load(tmp_path)
        assert str(caught.value).startswith(str(tmp_path))


@pytest.mark.parametrize("n", [10, 50, 51, 60, 200])
@pytest.mark.parametrize("last", [False, True])
def test_a_contradiction_is_noted_beside_many_unknown_fields(n: int, last: bool, tmp_path) -> None:
    """Only the notes on fields that are not read are limited in number."""
    unknown = {f"metric{i}q": i for i in range(n)}
    scores = {"score_chosen": 1, "score_rejected": 2}
    texts = {"prompt": f"What is it, {A}?", "chosen": "a good answer", "rejected": "a bad answer"}
    path = lines(tmp_path, *[{**texts, **unknown, **scores} if last else {**scores, **texts, **unknown}] * 3)
    with pytest.warns(DataNote) as found:
        load_pairs(path)
    said = [str(one.message) for one in found]
    assert sum("score_chosen is below score_rejected" in one for one in said) == 1
    assert sum("3 records hold half a character" in one for one in said) == 1
    assert sum("is not read" in one for one in said) == min(n, 50)
    notes, are = ("1 more note", "is") if n == 51 else (f"{n - 50} more notes", "are")
    assert sum(f": {notes} on fields that are not read {are} left out" in one for one in said) == (n > 50)


@pytest.mark.skipif(sys.platform == "win32", reason="the whole path is limited there")
@pytest.mark.parametrize("name", ["a" * 237, "a" * 238, "a" * 255, "é" * 127, "日" * 85, "😀" * 63 + "abc"])
def test_the_longest_names_of_files_can_be_written(name: str, tmp_path) -> None:
    """A name has at most 255 bytes, and the hidden name beside it no more."""
    assert len(os.fsencode(name)) <= 255
    for content in (b"old", b"new"):
        with replacing(tmp_path / name) as file:
            file.write(content)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"new"
    for replaced in (None, ("a", "b")):
        with new_folder(tmp_path / "in" / name, replaced) as folder:
            (folder / "b").touch()
    assert [path.name for path in (tmp_path / "in").iterdir()] == [name]


@pytest.mark.skipif(sys.platform == "win32", reason="the whole path is limited there")
def test_unfinished_work_of_another_long_name_stays(tmp_path) -> None:
    """Two long names may begin alike, and each has hidden names of its own."""
    first, second = tmp_path / ("a" * 250 + "1"), tmp_path / ("a" * 250 + "2")
    with new_folder(first) as unfinished, new_folder(second):
        assert unfinished.is_dir()
    assert sorted(tmp_path.iterdir()) == [first, second]
