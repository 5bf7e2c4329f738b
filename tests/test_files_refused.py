"""Arrays in files that are damaged or unsuitable are refused in one sentence that names the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.datasets import load_pairs, save_pairs


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
            {"chosen": np.ones((2, 1)), "rejected": np.ones((2, 1)), "wieght": np.ones(2)},
            "expected the fields chosen, .*, found wieght",
        ),
        (
            {"chosen": np.ones((2, 1)), "rejected": np.ones((2, 1)), "weight": np.ones(2), "weights": np.ones(2)},
            "expected one of weights and weight, found both",
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


class Unwritten:
    """Its text, its comparison and its truth raise exceptions."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __bool__ = __len__ = __str__
    __hash__ = None

    def __eq__(self, other: object) -> bool:
        raise RuntimeError


LOOP: list[object] = []
LOOP.append(LOOP)
OBJECTS = {
    "without a text": Unwritten(),
    "within a list": [Unwritten()],
    "within a dict": {"a": Unwritten()},
    "names that are tuples": {("a", 1): 1.0, "b": "c"},
    "equal names": {1: 2.0, "1": 3.0},
    "complex": 1j,
    "complex64": np.complex64(1 + 2j),
    "duration": np.timedelta64(3, "D"),
    "list of itself": LOOP,
    "object": object(),
}
NUMBERS = {
    "10^5000": 10**5000,
    "complex64": np.complex64(1),
    "list of complex64": [np.complex64(1)],
    "beyond float64": np.longdouble("1e400"),
    "without a text": Unwritten(),
}


@pytest.mark.parametrize("field", ["chosen", "rejected", "prompt", "weight"])
@pytest.mark.parametrize("kind", OBJECTS)
def test_objects_in_records_get_one_sentence(field: str, kind: str) -> None:
    """It names the row; no exception of a method of the user's own escapes, and nothing is cut to its real part."""
    value = OBJECTS[kind]
    record = {"prompt": "p", "chosen": "a b", "rejected": "c", "weight": 1.0, field: value}
    with pytest.raises(ValueError, match=r"^records: (row 1: |expected records without deep nesting)[^\n]+$"):
        bt.PreferencePairs.from_records([{"prompt": "p", "chosen": "b", "rejected": "a", "weight": 1.0}, record])


@pytest.mark.parametrize("side", ["chosen", "rejected"])
@pytest.mark.parametrize("kind", NUMBERS)
def test_what_is_no_finite_number_in_records_is_refused(side: str, kind: str) -> None:
    """As a feature and, if it is a whole number of 5000 digits, as an item."""
    for names in (("x_chosen", "x_rejected"), ("winner", "loser")):
        record = {names[0]: 1.0, names[1]: 2.0, names[side == "rejected"]: NUMBERS[kind]}
        with pytest.raises(ValueError, match=r"^records: row 0: [^\n]+$"):
            bt.PreferencePairs.from_records([record])


def test_records_may_hold_any_object_beside_the_fields() -> None:
    """A field that is not used may hold anything; numbers of NumPy are numbers, and a date may name a prompt."""
    rows = [{"winner": "a", "loser": "b", "made": one, "prompt": np.float32(1)} for one in (Unwritten(), object())]
    assert bt.PreferencePairs.from_records(rows).n_prompts == 1
    with pytest.raises(ValueError, match=r"^records: row 0: expected a record that can be read, found one that raises"):
        bt.PreferencePairs.from_records([{"winner": "a", "loser": "b", Key(): 1}])


class Key:
    """It may be the name of a field, but it has no text."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


REPEATED = {
    "lines": ("a.jsonl", '{"winner":"A","loser":"B"}\n{"winner":"B","loser":"A","winner":"C"}\n', "line 2"),
    "first line": ("a.jsonl", '{"winner":"B","loser":"A","winner":"B"}\n{"winner":"B","loser":"A"}\n', "line 1"),
    "array": ("a.json", '[{"winner":"A","loser":"B"},\n\n{"winner":"B","winner":"C","loser":"A"}]', "line 3"),
    "array in a line": ("a.json", '[{"winner":"B","loser":"A","winner":"C"}]', "line 1"),
    "object": ("a.json", '{\n"winner":"B",\n"loser":"A",\n"winner":"C"}', "line 1"),
    "within": ("a.jsonl", '{"chosen":{"x":1},"rejected":{"x":3,"winner":1,"winner":2}}', "line 1"),
    "escaped": ("a.jsonl", '{"winner":"B","loser":"A","winn\\u0065r":"C"}', "line 1"),
    "cell": ("a.csv", 'chosen,rejected\n"{""winner"":1,""winner"":2}","{""winner"":3}"', "line 2: column chosen"),
}


@pytest.mark.parametrize("name", REPEATED)
def test_a_field_that_is_given_twice_is_refused(name, tmp_path) -> None:
    """JSON keeps the last of two fields with one name, so one of two answers would be lost without a word."""
    file, text, place = REPEATED[name]
    (tmp_path / file).write_text(text, encoding="utf-8")
    sentence = f"^{tmp_path / file}: {place}: expected different names, found winner twice$"
    with pytest.raises(ValueError, match=sentence):
        load_pairs(tmp_path / file)


@pytest.mark.parametrize("repeated", ["chosen", "other"])
def test_a_column_that_is_given_twice_is_refused(repeated, tmp_path, recwarn) -> None:
    """Parquet, pandas and Arrow allow two columns of one name; a dict keeps only one of them."""
    parquet, pandas = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pandas")
    arrow = pytest.importorskip("pyarrow")
    names = ["chosen", "rejected", "other", repeated]
    table = arrow.table([arrow.array([["a", "b"], ["b", "a"]][i % 2]) for i in range(4)], names=names)
    parquet.write_table(table, tmp_path / "a.parquet")
    sentence = f"expected different column names, found {repeated} twice$"
    with pytest.raises(ValueError, match=rf"^{tmp_path}/a\.parquet: {sentence}"):
        load_pairs(tmp_path / "a.parquet")
    for records in (table, pandas.DataFrame([["a", "b", "c", "d"]], columns=names)):
        for read in (bt.PreferencePairs.from_records, bt.PreferenceRankings.from_records):
            with pytest.raises(ValueError, match=f"^records: {sentence}"):
                read(records)
    assert not recwarn.list


def test_names_that_are_written_alike_are_refused(tmp_path) -> None:
    """The number 1 and the text "1" are one name, and an Arrow struct may hold a field twice."""
    with pytest.raises(ValueError, match=r"^records: row 1: expected different names, found 1 twice$"):
        bt.PreferencePairs.from_records([{"winner": "a", "loser": "b"}, {"winner": "a", "loser": "b", 1: 2, "1": 3}])
    frame = pytest.importorskip("pandas").DataFrame([["a", "b", 1, 2]], columns=["winner", "loser", 7, "7"])
    with pytest.raises(ValueError, match=r"^records: expected different column names, found 7 twice$"):
        bt.PreferencePairs.from_records(frame)
    arrow = pytest.importorskip("pyarrow")
    side = arrow.StructArray.from_arrays([arrow.array([1.0]), arrow.array([2.0])], names=["x", "x"])
    with pytest.raises(ValueError, match=r"^records: expected a table that can be read, found one that cannot \("):
        bt.PreferencePairs.from_records(arrow.table({"chosen": side, "rejected": side}))


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1j, 2.0], r"\[1j, 2.0\]"),
        (np.array([1 + 2j, 0]), r"\[\(1\+2j\), 0j\]"),
        ([True, False], r"\[true, false\]"),
        ([0.5, True], r"\[0.5, true\]"),
        (np.array(["2020-01-01", "2020-02-29"], dtype="datetime64[D]"), r"\[2020-01-01, 2020-02-29\]"),
        ({"x": 1j, "y": 2.0}, r"{'x': 1j, 'y': 2.0}"),
    ],
    ids=["complex", "array", "bool", "mixed", "dates", "named"],
)
def test_values_that_are_no_numbers_are_named_where_they_are(values, found) -> None:
    """The side that holds them is named, and not the good one beside it."""
    good = [1.0, 2.0]
    for row, side in (
        ({"chosen": values, "rejected": good}, "chosen"),
        ({"chosen": good, "rejected": values}, "rejected"),
        ({"chosen": values, "rejected": values}, "chosen"),
    ):
        with pytest.raises(ValueError, match=f"^records: row 0: {side}: expected real numbers, found {found}$"):
            bt.PreferencePairs.from_records([row])
