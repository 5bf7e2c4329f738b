"""Compressed files: what people really have is loaded, and a bomb is refused before it takes memory."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.datasets import load_pairs, read_texts
from bradley_terry.files import limits


def refused(load, path: Path, sentence: str) -> int:
    """Check that a file is refused in one sentence; return the largest number of bytes that Python held meanwhile."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=sentence) as caught:
            load(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        said = str(caught.value)
        assert said.startswith(f"{path}: ")
        assert len(said.splitlines()) == 1
        assert len(said) < 1000


# What people have.


@pytest.mark.full
def test_repeated_prompts_are_loaded_from_a_small_gzip_file(tmp_path) -> None:
    """30,000 rows with the same system prompt of 2 kB are 60 MB in less than 1 MB."""
    system = "You are a helpful assistant. " * 70
    rows = (
        {"system": system, "prompt": f"What is {i}?", "chosen": str(i), "rejected": str(i + 1)} for i in range(30_000)
    )
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode(), 6))
    assert path.stat().st_size < 1_000_000
    texts = read_texts(path)
    assert (len(texts), texts.chosen[-1]) == (30_000, "29999")


@pytest.mark.full
@pytest.mark.parametrize("order", ["C", "F"])
def test_sparse_features_are_loaded_from_a_small_npz_file(order, tmp_path) -> None:
    """10,000 pairs of 1,000 one-hot features are 160 MB in 200 kB."""
    rng = np.random.default_rng(0)
    one_hot = [np.zeros((10_000, 1_000), order=order) for _ in range(2)]
    for side in one_hot:
        side[np.arange(10_000), rng.integers(0, 1_000, 10_000)] = 1
    np.savez_compressed(tmp_path / "a.npz", chosen=one_hot[0], rejected=one_hot[1])
    assert (tmp_path / "a.npz").stat().st_size < 300_000
    pairs = load_pairs(tmp_path / "a.npz")
    assert np.array_equal(pairs.chosen, one_hot[0])
    assert np.array_equal(pairs.rejected, one_hot[1])


@pytest.mark.full
@pytest.mark.parametrize("row_group_size", [20_000, 700])
def test_repeated_prompts_are_loaded_from_a_small_parquet_file(row_group_size: int, tmp_path) -> None:
    """20,000 rows with the same prompt of 2.9 kB are 58 MB in 25 kB; chats are nested, and rows come in groups."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    n, prompt = 20_000, "You are a helpful assistant. " * 100
    chats = {
        side: [[{"role": "user", "content": prompt}, {"role": "assistant", "content": f"{word} {i}"}] for i in range(n)]
        for side, word in (("chosen", "yes"), ("rejected", "no"))
    }
    parquet.write_table(pa.table(chats), tmp_path / "a.parquet", compression="zstd", row_group_size=row_group_size)
    texts = read_texts(tmp_path / "a.parquet")
    assert texts.prompts == [prompt] * n
    assert texts.rejected == [f"no {i}" for i in range(n)]


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"use_dictionary": False},
        {"use_dictionary": False, "column_encoding": {"chosen": "DELTA_BYTE_ARRAY", "n": "DELTA_BINARY_PACKED"}},
        {"dictionary_pagesize_limit": 100},
        {"row_group_size": 7},
        {"data_page_version": "2.0", "compression": "gzip"},
    ],
)
def test_every_way_to_write_a_parquet_file_is_read(written, tmp_path) -> None:
    """Texts may be in a dictionary, plain, or differences from the text before."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    chosen = [f"a long answer é {i}" for i in range(100)]
    table = pa.table(
        {
            "chosen": chosen,
            "rejected": pa.array(["short"] * 100).dictionary_encode(),
            "prompt": pa.array([f"question {i // 2}?" for i in range(100)], pa.large_string()),
            "id": pa.array([[("a", "b")]] * 100, pa.map_(pa.string(), pa.string())),
            "source": [{"id": [str(i)] * (i % 3)} for i in range(100)],
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet", **written)
    texts = read_texts(tmp_path / "a.parquet")
    assert texts.chosen == chosen
    assert texts.prompts == [f"question {i // 2}?" for i in range(100)]


# Bombs.


def member(name: str, data: bytes, declared: int) -> tuple[bytes, bytes]:
    """Return a deflated member of an archive and its entry in the table, which declares any size."""
    head = struct.pack("<H4x3I2H", 8, 0, len(data), declared, len(name), 0)
    local = b"PK\3\4" + struct.pack("<2H", 20, 0) + head + name.encode() + data
    return local, b"PK\1\2" + struct.pack("<3H", 20, 20, 0) + head + bytes(14) + name.encode()


def lying(path: Path, data: bytes, declared: int, *names: str) -> Path:
    """Write an archive in which each member unpacks to more than the table declares."""
    content = table = b""
    for name in names:
        local, entry = member(name, data, declared)
        table += entry[:42] + struct.pack("<I", len(content)) + entry[46:]
        content += local
    n = len(names)
    end = b"PK\5\6" + struct.pack("<4H2IH", 0, 0, n, n, len(table), len(content), 0)
    path.write_bytes(content + table + end)
    return path


def test_a_member_is_not_unpacked_beyond_the_size_in_the_table(tmp_path) -> None:
    """The table declares 160 bytes, and 100 MB follow."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2, 2)})
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    data = packer.compress(header.getvalue()) + packer.compress(bytes(100_000_000)) + packer.flush()
    declared = len(header.getvalue()) + 32
    pairs = lying(tmp_path / "a.npz", data, declared, "chosen.npy", "rejected.npy")
    assert refused(load_pairs, pairs, "expected an NPZ file of plain arrays, found one that cannot be read") < 5e6
    model = lying(tmp_path / "a.model", data, declared, "meta.json", "phi.npy")
    assert refused(bt.RewardModel.load, model, "not a reward model") < 5e6


@pytest.mark.full
@pytest.mark.parametrize("version", [1, 2])
def test_a_long_header_is_refused_before_it_is_read(version: int, tmp_path) -> None:
    """The header of an array may announce gigabytes of itself."""
    size = (50_000_000).to_bytes(4, "little") if version == 2 else (60_000).to_bytes(2, "little")
    content = b"\x93NUMPY" + bytes([version, 0]) + size + bytes(50_000_000)
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", compression, compresslevel=1) as archive:
            for name in ("chosen.npy", "rejected.npy"):
                archive.writestr(name, content)
        assert refused(load_pairs, tmp_path / "a.npz", "a header of [56]") < 5e6
        (tmp_path / "a.npz").unlink()


@pytest.mark.parametrize("kind", ["chosen", "dictionary", "nested", "struct"])
def test_a_text_that_is_stored_once_counts_as_often_as_it_occurs(kind: str, tmp_path) -> None:
    """A text of 3 MB in 512 rows is a file of 1 kB, and 1.5 GB of text."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 512, pa.int32()), pa.array(["a" * 3_000_000]))
    if kind == "nested":
        text = pa.ListArray.from_arrays(pa.array(range(513), pa.int32()), text)
    if kind == "struct":
        text = pa.StructArray.from_arrays([text], ["content"])
    table = pa.table({"chosen": text, "rejected": pa.array(["b"] * 512)})
    path = tmp_path / "a.parquet"
    parquet.write_table(table, path, compression="zstd", store_schema=kind != "chosen")
    before = pa.total_allocated_bytes()
    assert refused(load_pairs, path, r"expected at most 1\.07 GB in a compressed file of .*, found 1\.54 GB") < 5e6
    assert pa.default_memory_pool().max_memory() - before < 200_000_000 or kind == "struct"


@pytest.mark.full
def test_numbers_are_counted_before_they_are_read(tmp_path) -> None:
    """140 million equal numbers take less than 1 MB in Parquet."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    ones = pa.array(np.ones(7_000_000))
    lists = pa.ListArray.from_arrays(pa.array([0, len(ones)], pa.int32()), ones)
    path = tmp_path / "a.parquet"
    with parquet.ParquetWriter(path, pa.schema({"chosen": lists.type}), compression="zstd") as writer:
        for _ in range(20):
            writer.write_table(pa.table({"chosen": lists}))
    assert refused(load_pairs, path, r"expected at most 1\.07 GB in a compressed file of .* kB, found 1\.12 GB") < 5e6


@pytest.mark.full
def test_the_free_memory_is_looked_at_before_anything_is_unpacked(tmp_path, monkeypatch) -> None:
    """With 1 MB free, 22 MB in a small file are refused, whatever the format."""
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"chosen": "hello you there", "rejected": "b"}\n' * 500_000))
    np.savez_compressed(tmp_path / "a.npz", chosen=np.zeros((500_000, 5)), rejected=np.ones((500_000, 5)))
    model = bt.fit(bt.LinearScorer(1), bt.PreferencePairs([[1.0], [2.0]], [[0.0], [3.0]]))
    model.save(tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "a") as old, zipfile.ZipFile(tmp_path / "a.model", "w", 8) as archive:
        for name in old.namelist():
            archive.writestr(name, old.read(name))
    assert np.array_equal(bt.RewardModel.load(tmp_path / "a.model").phi, model.phi)
    monkeypatch.setattr(limits, "available_memory", lambda: 1_000_000)
    monkeypatch.setattr("bradley_terry.files.archives.available_memory", lambda: 1_000)
    said = "expected data that fit into the memory"
    assert refused(load_pairs, tmp_path / "a.jsonl.gz", said) < 5e6
    assert refused(load_pairs, tmp_path / "a.npz", said) < 5e6
    refused(bt.RewardModel.load, tmp_path / "a.model", said)


@pytest.mark.parametrize("begin", ["", '{"prompt": "p", "chosen": '])
def test_a_long_text_in_json_is_refused_if_its_values_may_fill_the_memory(begin: str, tmp_path, monkeypatch) -> None:
    """An empty list takes three letters in JSON and 64 bytes in Python."""
    (tmp_path / "a.jsonl").write_text(begin + "[" + "[]," * 1_000_000 + "[]]" + (', "rejected": "b"}' if begin else ""))
    monkeypatch.setattr(limits, "available_memory", lambda: 70_000_000)
    assert refused(load_pairs, tmp_path / "a.jsonl", "expected data that fit into the memory") < 40e6


@pytest.mark.parametrize("line", ["1", '"a"', "null", "a,b"])
def test_lines_that_are_no_objects_are_refused_at_the_first(line: str, tmp_path) -> None:
    """Nothing of what follows is kept."""
    (tmp_path / "a.jsonl").write_text(f"{line}\n" * 500_000)
    assert refused(load_pairs, tmp_path / "a.jsonl", r"a\.jsonl: line 1: expected a JSON object, found ") < 1e6
