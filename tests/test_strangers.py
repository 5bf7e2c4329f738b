"""Files from strangers: whatever is in them, they are read within limits, or refused in one sentence."""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import stat
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry import distributed
from bradley_terry.datasets import DataNote, load_pairs, read_texts, save_pairs
from bradley_terry.files import FORMATS
from bradley_terry.files.limits import LONGEST_LINE, MOST_PAIRS, MOST_PAIRS_OF_RECORD, most_unpacked, shown

ENDINGS = (".csv", ".csv.gz", ".jsonl", ".json", ".parquet", ".npz", ".npy")
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def refused(load, path: Path, sentence: str, kind: type[Exception] = ValueError) -> None:
    """Check that a loader refuses a file in one sentence that begins with its path."""
    with pytest.raises(kind, match=sentence) as caught:
        load(path)
    said = str(caught.value)
    assert type(caught.value) is kind
    assert said.startswith(str(path))
    assert len(said.splitlines()) == 1
    assert len(said) < 1000


def loaders(path: Path):
    """Return the public functions that may be given this file."""
    texts = [read_texts] if path.suffix not in {".npz", ".npy"} else []
    return [load_pairs, bt.load_rankings, bt.RewardModel.load, lambda path: distributed.survey([path]), *texts]


# What is not a file.


def special(path: Path, kind: str) -> None:
    """Make something at this path that is not a regular file."""
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    elif kind == "a link that leads back to itself":
        path.symlink_to(path)
    elif kind == "a folder":
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as made:
            before = Path.cwd()
            os.chdir(path.parent)  # the path of a socket must be short
            try:
                made.bind(path.name)
            finally:
                os.chdir(before)


@posix
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", ["a pipe", "a device", "a socket", "a link that leads back to itself", "a folder"])
def test_what_is_not_a_file_is_refused_without_waiting(kind: str, ending: str, tmp_path) -> None:
    """A pipe without a writer, an endless device, a socket, a link to itself and a folder are each named."""
    path = tmp_path / f"a{ending}"
    special(path, kind)
    for load in loaders(path):
        if kind == "a folder" and ending == ".npy" and load is not bt.RewardModel.load:
            continue  # a folder of NPY files, which is empty
        if kind.startswith("a link") and load not in {load_pairs, bt.load_rankings, bt.RewardModel.load, read_texts}:
            continue
        refused(load, path, f"expected a file, found {kind}")


@posix
def test_what_is_not_a_file_is_refused_within_a_folder(tmp_path) -> None:
    """A folder of NPY files may hold a pipe or a link to a device."""
    np.save(tmp_path / "chosen.npy", np.ones((2, 1)))
    special(tmp_path / "rejected.npy", "a pipe")
    refused(load_pairs, tmp_path, r"rejected\.npy: expected a file, found a pipe")
    (tmp_path / "rejected.npy").unlink()
    special(tmp_path / "rejected.npy", "a device")
    refused(load_pairs, tmp_path, r"rejected\.npy: expected a file, found a device")


@posix
def test_a_link_to_a_file_is_followed(tmp_path) -> None:
    """Only the file at the end of the links counts."""
    (tmp_path / "a.csv").write_text("winner,loser\nAnn,Bob\n")
    (tmp_path / "b.csv").symlink_to("a.csv")
    (tmp_path / "c.csv").symlink_to("b.csv")
    assert load_pairs(tmp_path / "c.csv").feature_names == ("Ann", "Bob")
    (tmp_path / "a.csv").unlink()
    refused(load_pairs, tmp_path / "c.csv", "there is no such file", FileNotFoundError)


@posix
def test_a_file_without_permission_is_one_sentence(tmp_path) -> None:
    """The error is a PermissionError, as Python's own."""
    path = tmp_path / "a.csv"
    path.write_text("winner,loser\nAnn,Bob\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    refused(load_pairs, path, "expected a file that may be read", PermissionError)


@pytest.mark.parametrize("path", [None, 5, b"a.csv", ["a.csv"], 1.5])
def test_a_path_of_a_wrong_type_is_named(path) -> None:
    """The sentence names the argument."""
    for load in (load_pairs, bt.load_rankings, read_texts, bt.RewardModel.load):
        with pytest.raises(TypeError, match=r"^path: expected a str or a Path, got "):
            load(path)


@pytest.mark.parametrize("path", ["", "a\0b.csv", "\0"])
def test_a_path_that_names_no_file_is_refused(path: str) -> None:
    """Neither an empty name nor one with a NUL can be the name of a file."""
    for load in (load_pairs, bt.load_rankings, read_texts, bt.RewardModel.load):
        with pytest.raises(ValueError, match=r"^path: expected the name of a file, got "):
            load(path)


def test_a_name_that_is_too_long_is_one_sentence(tmp_path) -> None:
    """The system refuses such a name."""
    with pytest.raises(ValueError, match="expected a file, found one that cannot be opened"):
        load_pairs(tmp_path / ("a" * 5000 + ".csv"))


@posix
@pytest.mark.full
def test_standard_input_is_read_if_it_is_a_file(tmp_path) -> None:
    """A pipe is refused, since it may never end."""
    (tmp_path / "a.jsonl").write_text('{"winner": "Ann", "loser": "Bob"}\n')
    script = 'import bradley_terry as bt; print(len(bt.load_pairs("/dev/stdin", format="jsonl")))'
    environment = {**os.environ, "PYTHONPATH": str(Path(bt.__file__).parents[1])}
    with (tmp_path / "a.jsonl").open() as file:
        done = subprocess.run(
            [sys.executable, "-c", script], stdin=file, capture_output=True, text=True, check=False, env=environment
        )
    assert done.stdout.strip() == "1", done.stderr


# Compressed data. ``test_strangers_compressed.py`` has more of it.


def zeros(path: Path, n_bytes: int, *fields: str) -> Path:
    """Write an NPZ file of zeros that unpacks to ``n_bytes`` for each field."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for field in fields:
            with archive.open(f"{field}.npy", "w", force_zip64=True) as member:
                header = {"descr": "<f8", "fortran_order": False, "shape": (n_bytes // 8, 1)}
                np.lib.format.write_array_header_1_0(member, header)
                for _ in range(n_bytes >> 20):
                    member.write(bytes(1 << 20))
    return path


@pytest.mark.full
def test_a_gzip_bomb_is_refused(tmp_path) -> None:
    """5 GB of one letter are 5 MB of gzip, and nothing of it is kept. The limit of so small a file is 1 GiB."""
    block = gzip.compress(b"a" * 2**26)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"winner,loser\n") + 80 * block)
    said = r"expected at most 1\.07 GB in a compressed file of .* MB, found .*; unpack"
    tracemalloc.start()
    refused(load_pairs, path, said)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@pytest.mark.full
def test_a_compressed_file_may_unpack_to_the_limit(tmp_path) -> None:
    """Below the limit nothing is refused, however small the file is."""
    text = "a" * 30_000_000
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps({"chosen": text, "rejected": "b"}).encode(), 1))
    assert read_texts(tmp_path / "a.jsonl.gz").chosen == [text]


@pytest.mark.full
def test_a_bomb_in_an_npz_file_is_refused_before_it_is_unpacked(tmp_path) -> None:
    """The sizes of all members count together."""
    path = zeros(tmp_path / "a.npz", 2**29, "rejected", "weights")
    refused(load_pairs, path, r"expected at most 1\.07 GB .*, found 1\.07 GB or more; numpy\.savez")
    refused(bt.RewardModel.load, path, r"not a reward model .*expected at most 1\.07 GB")
    (tmp_path / "b.npz").write_bytes(path.read_bytes().replace(b"rejected.npy", b"features.npy"))
    refused(bt.load_rankings, tmp_path / "b.npz", r"expected at most 1\.07 GB")


def test_an_announced_size_is_checked_before_memory_is_taken(tmp_path) -> None:
    """A header may announce 80 GB where 80 bytes follow."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**10, 1)})
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", compression) as archive:
            for field in ("chosen", "rejected"):
                archive.writestr(f"{field}.npy", header.getvalue() + bytes(80))
        refused(load_pairs, tmp_path / "a.npz", "its header announces 80000000000 bytes, but 80 follow")
        (tmp_path / "a.npz").unlink()


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_numpy_does_not_write_are_refused(compression: int, tmp_path) -> None:
    """LZMA says in its header how much memory it takes."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w", compression) as archive:
        for field in ("chosen", "rejected"):
            buffer = io.BytesIO()
            np.save(buffer, np.ones((2, 1)))
            archive.writestr(f"{field}.npy", buffer.getvalue())
    refused(load_pairs, tmp_path / "a.npz", "expected arrays that NumPy has saved, found compression number")


@posix
@pytest.mark.full
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit the memory of a process")
def test_data_beyond_the_memory_are_one_sentence(tmp_path) -> None:
    """Under a limit of memory, a sparse file of a terabyte and a file of many short rows are refused."""
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(2**40)
    (tmp_path / "b.csv").write_bytes(b"winner,loser\n" + b"a,b\n" * 600_000)
    script = f"""
import resource, bradley_terry as bt
bt.load_pairs  # loads its modules
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000,) * 2)
for name in ("a.csv", "b.csv"):
    try:
        bt.load_pairs({str(tmp_path)!r} + "/" + name)
    except ValueError as error:
        print(error)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(bt.__file__).parents[1]), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    lines = done.stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [f"{tmp_path}/{name}.csv" for name in "ab"], done.stderr
    assert all("expected data that fit into the memory" in line for line in lines)


# Names and texts.


def archive_of(path: Path, **arrays: object) -> Path:
    """Write an NPZ file in which the names of members are given as a list of (name, array)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays["members"]:
            buffer = io.BytesIO()
            np.save(buffer, array)
            archive.writestr(name, buffer.getvalue())
    return path


@pytest.mark.parametrize(
    "name", ["../chosen.npy", "/chosen.npy", "a/chosen.npy", "C:\\chosen.npy", "chosen.npy/", "./chosen.npy"]
)
def test_a_path_in_a_name_is_not_a_field(name: str, tmp_path) -> None:
    """Such a name stands for nothing, and nothing is written."""
    ones = np.ones((2, 1))
    path = archive_of(tmp_path / "a.npz", members=[(name, ones), ("rejected.npy", ones)])
    refused(load_pairs, path, "expected the fields chosen, .*, found ")
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_occurs_twice_is_refused(tmp_path) -> None:
    """Which of two arrays counts would be a matter of the library."""
    ones = np.ones((2, 1))
    for twice in (["chosen.npy", "chosen.npy"], ["chosen.npy", "chosen"]):
        path = archive_of(tmp_path / "a.npz", members=[(name, ones) for name in (*twice, "rejected.npy")])
        refused(load_pairs, path, "expected chosen once, found it twice")


def test_numbers_that_stand_for_no_character_are_refused(tmp_path) -> None:
    """Unicode ends at 0x10FFFF, but an array of texts holds numbers of 32 bits."""
    for field, number in (("feature_names", 0x110000), ("prompts", 0xFFFFFFFF)):
        names = np.array([number, number - 1], dtype=np.uint32).view("<U1")
        fields = {"chosen": np.eye(2), "rejected": np.zeros((2, 2)), field: names}
        np.savez(tmp_path / "a.npz", **fields)
        refused(load_pairs, tmp_path / "a.npz", f"{field}: expected texts, found the number {number}")
        (tmp_path / "a.npz").unlink()


def test_names_that_end_in_nul_are_not_saved(tmp_path) -> None:
    """NumPy drops a NUL at the end of a text, so the name would be another after loading."""
    pairs = bt.PreferencePairs([0, 1], [1, 0], feature_names=["a\0", "b\0c"])
    with pytest.raises(ValueError, match=r"^feature_names: expected names that do not end in NUL.*'a\\x00'$"):
        save_pairs(pairs, tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())
    save_pairs(bt.PreferencePairs([0, 1], [1, 0], feature_names=["a", "b\0c"]), tmp_path / "a.npz")
    assert load_pairs(tmp_path / "a.npz").feature_names == ("a", "b\0c")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"\ud83d", "�"),
        (r"\ude00", "�"),
        (r"Hi \ud83d!", "Hi �!"),
        (r"\ud83d\ud83d\ude00", "�😀"),
        (r"\ude00\ud83d", "��"),
    ],
)
def test_half_characters_are_replaced_and_noted(written: str, read: str, tmp_path) -> None:
    """An emoji that was cut is read as one replacement character for each half, in every place of a record."""
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"prompt": "{written}", "chosen": "yes 😀 {written}", "rejected": "no"}}\n' * 2)
    with pytest.warns(DataNote, match="line 1: 2 records hold half a character"):
        texts = read_texts(path)
    assert (texts.prompts[0], texts.chosen[0]) == (read, f"yes 😀 {read}")
    path.write_text(f'{{"winner": "Ann {written}", "loser": "Bob"}}\n')
    with pytest.warns(DataNote, match="line 1: 1 record holds half a character"):
        assert load_pairs(path).feature_names == (f"Ann {read}", "Bob")
    path.write_text(
        f'{{"chosen": [{{"role": "user", "content": "{written}"}}], "rejected": [{{"role": "user", "content": "no"}}]}}'
    )
    with pytest.warns(DataNote, match="1 record holds half a character"):
        assert read_texts(path).chosen == [read]
    with pytest.warns(DataNote, match="row 0: 1 record holds half a character"):
        pairs = bt.PreferencePairs.from_records([{"winner": json.loads(f'"{written}"'), "loser": "Bob"}])
    assert read in pairs.feature_names
    cell = f'[{{""role"": ""user"", ""content"": ""{written}""}}]'
    (tmp_path / "a.csv").write_text(f'prompt,winner,loser\n"{cell}",Ann,Bob\n')
    with pytest.warns(DataNote, match="line 2: 1 record holds half a character"):
        load_pairs(tmp_path / "a.csv")
    np.savez(tmp_path / "a.npz", chosen=[[1.0]], rejected=[[2.0]], feature_names=[json.loads(f'"{written}"')])
    with pytest.warns(DataNote, match="feature_names: 1 text holds half a character"):
        assert load_pairs(tmp_path / "a.npz").feature_names[0].count("�") == sum(
            c in "\ud83d\ude00" for c in json.loads(f'"{written}"')
        )


def test_whole_characters_are_left_alone(tmp_path) -> None:
    """An emoji that JSON writes as two codes is one character, and there is no note."""
    (tmp_path / "a.jsonl").write_text(r'{"winner": "\ud83d\ude00 é", "loser": "Bob"}')
    assert load_pairs(tmp_path / "a.jsonl").feature_names == ("Bob", "😀 é")


# Numbers of pairs, columns and notes.


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "p", "chosen": ["a"] * 1001, "rejected": ["b"] * 1000},
        {"prompt": "p", "answers": [{"text": f"a{i}", "rank": i} for i in range(1500)]},
        {"prompt": "p", "answers": [{"text": f"a{i}", "rank": 1} for i in range(1500)]},
        {"ranking": [f"a{i}" for i in range(1500)]},
    ],
)
def test_a_record_of_too_many_pairs_is_refused(record, tmp_path) -> None:
    """The number of pairs grows with the square of a list."""
    (tmp_path / "a.json").write_text(json.dumps([{**record, "prompt": "q"} if "prompt" in record else record]))
    refused(load_pairs, tmp_path / "a.json", "line 1: expected lists that become at most 1,000,000 pairs in a record")


def test_a_long_ranking_is_one_ranking(tmp_path) -> None:
    """3,000 answers would be four million pairs, but they are one ranking."""
    (tmp_path / "a.json").write_text(json.dumps([{"ranking": [f"a{i}" for i in range(3000)]}]))
    assert len(bt.load_rankings(tmp_path / "a.json")) == 1
    answers = [{"text": f"a{i}", "rank": i // 2} for i in range(3000)]
    (tmp_path / "b.json").write_text(json.dumps([{"prompt": "p", "answers": answers}]))
    refused(bt.load_rankings, tmp_path / "b.json", "at most 1,000,000 answers in rankings in a record")


@pytest.mark.full
@pytest.mark.parametrize("known", ["", "chosen,rejected,"])
def test_a_wide_table_is_answered_in_linear_time(known: str, tmp_path) -> None:
    """30,000 unknown columns take little more than ten times as long as 3,000, and not a hundred times."""
    import time

    seconds = []
    for n in (3_000, 30_000):
        header = known + ",".join(f"column{i}" for i in range(n))
        (tmp_path / "a.csv").write_text(f"{header}\n{'a,b,' if known else ''}{','.join(['1'] * n)}\n")
        started = time.process_time()
        if known:
            with pytest.warns(DataNote) as notes:
                load_pairs(tmp_path / "a.csv")
            assert len(notes) == 51
            assert str(notes[-1].message).endswith(f": {n - 50} more notes on fields that are not read are left out")
        else:
            refused(load_pairs, tmp_path / "a.csv", "line 1: expected columns name_chosen and name_rejected")
        seconds.append(time.process_time() - started)
    assert seconds[1] < 40 * seconds[0] + 1


def test_a_column_that_occurs_twice_is_still_named(tmp_path) -> None:
    """The first name that occurs again is the one in the message."""
    (tmp_path / "a.csv").write_text("chosen,rejected,x,y,x,y\na,b,1,2,3,4\n")
    refused(load_pairs, tmp_path / "a.csv", "line 1: expected different column names, found x twice")


def sentence_about(path: Path) -> str:
    """Return why a file is refused, after its path, or "" if it is loaded."""
    try:
        load_pairs(path)
    except ValueError as error:
        return str(error).removeprefix(f"{path}: ")
    return ""


@pytest.mark.parametrize("depth", [300, 960, 100_000])
def test_deep_nesting_is_one_sentence(depth: int, tmp_path) -> None:
    """Lists in lists, and replies to replies, may be deeper than Python can follow; how deep that is depends on it."""
    for begin, end in (("[", "]"), ('{"text": "x", "role": "user", "rank": 0, "replies": [', "]}")):
        (tmp_path / "a.jsonl").write_text(
            f'{{"prompt": "p", "chosen": {begin * depth}{end * depth}, "rejected": "a"}}\n'
        )
        (tmp_path / "b.jsonl").write_text(f'{{"prompt": {begin * depth}{end * depth}}}\n')
        for name in ("a.jsonl", "b.jsonl"):
            said = sentence_about(tmp_path / name)
            assert len(said) < 1000
            assert "expected " in said if said else depth == 300


@pytest.mark.parametrize("cell", ["[" + "1 " * 200_000 + "x", "[" + "1" * 200_000 + "x", "[" + " " * 200_000 + "x]"])
def test_a_long_cell_that_resembles_a_list_is_read_in_linear_time(cell: str, tmp_path) -> None:
    """It is a text, and to find that out takes one look at each letter."""
    (tmp_path / "a.csv").write_text(f"prompt,chosen,rejected\nWhat is it?,{cell},a\n")
    assert read_texts(tmp_path / "a.csv").chosen == [cell.strip()]


def test_arrays_without_bytes_are_refused(tmp_path) -> None:
    """An array of empty texts may have any number of entries in no bytes at all."""
    for shape in ((10**12, 2), (-1, 2, -1)):
        with (tmp_path / "a.npy").open("wb") as file:
            kind = "<U0" if shape[0] > 0 else "<f8"
            np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
            file.write(bytes(16 if shape[0] < 0 else 0))
        refused(load_pairs, tmp_path / "a.npy", "its header announces shape")


def test_the_documentation_states_the_limits() -> None:
    """The table in docs/formats.md has the numbers of the module."""
    page = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
    section = page.partition("## What the loaders accept and where they stop")[2].partition("\n## ")[0]
    assert f"{shown(2**30)} (1 GiB) when unpacked, or 20 times the size of the file if that is more" in section
    assert (most_unpacked(10), most_unpacked(10**6), most_unpacked(10**9)) == (2**30, 2**30, 20 * 10**9)
    assert f"| a line | {shown(LONGEST_LINE)} ({LONGEST_LINE >> 20} MiB) |" in section
    assert f"{MOST_PAIRS_OF_RECORD:,} from one record or prompt, {MOST_PAIRS:,} from a file" in section
    assert set(FORMATS) == {"jsonl", "json", "csv", "parquet", "npz", "npy"}  # a new format needs the same tests
    assert stat.S_ISREG(Path(__file__).stat().st_mode)
