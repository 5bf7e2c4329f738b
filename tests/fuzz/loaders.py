"""What any bytes in a file may lead to, loader by loader: an object, or one sentence, in bounded time.

Each entry of ``LOADERS`` takes bytes, writes a file of one format, and loads it with the public functions that read
this format. ``run.py`` has a fuzzer choose the bytes; the tests take them from the corpus and from Hypothesis.

Bytes at random seldom pass a checksum. So some loaders take parts, each with its length before it, and put them into a
valid archive, or into a folder: a name, a content, a name, a content, and so on.
"""

from __future__ import annotations

import gzip
import re
import shutil
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import bradley_terry as bt
from bradley_terry import distributed
from bradley_terry.datasets import DataNote, read_texts

LONGEST_TIME = 2.0  # seconds
LONGEST_SENTENCE = 1050  # characters after the path; the place in the file is counted, too

Write = Callable[[Path, bytes], Path]


def as_file(ending: str, pack: Callable[[bytes], bytes] = bytes) -> Write:
    """Write the bytes to a file with this ending."""

    def write(folder: Path, data: bytes) -> Path:
        path = folder / f"a{ending}"
        path.unlink(missing_ok=True)  # and not over it, since it may be mapped
        path.write_bytes(pack(data))
        return path

    return write


def parts(data: bytes) -> Iterator[bytes]:
    """Yield the parts of the data: each is two bytes of length, and its bytes."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        yield data[at + 2 : at + 2 + size]
        at += 2 + size


def joined(*given: bytes) -> bytes:
    """Return the data of which these are the parts."""
    return b"".join(len(part).to_bytes(2, "big") + part for part in given)


def as_archive(ending: str) -> Write:
    """Write an archive of the parts, which is compressed if the data have an odd length."""

    def write(folder: Path, data: bytes) -> Path:
        path, found = folder / f"a{ending}", list(parts(data))
        path.unlink(missing_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if len(data) % 2 else zipfile.ZIP_STORED) as archive:
            for name, content in zip(found[::2], found[1::2], strict=False):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # one name twice
                    archive.writestr(zipfile.ZipInfo(name.decode("latin-1") or "x"), content, archive.compression)
        return path

    return write


def as_folder(folder: Path, data: bytes) -> Path:
    """Write a folder of NPY files."""
    path, found = folder / "a", list(parts(data))
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    for name, content in zip(found[::2], found[1::2], strict=False):
        (path / f"{re.sub('[^A-Za-z_ .-]', '', name.decode('latin-1'))[:50]}.npy").write_bytes(content)
    return path


def shards(path: Path) -> object:
    """Look at one shard of a distributed fit."""
    return distributed.survey([path])


OF_TEXT = (bt.load_pairs, bt.load_rankings, read_texts)
OF_ARRAYS = (bt.load_pairs, bt.load_rankings, shards)

LOADERS: dict[str, tuple[Write, tuple[Callable[[Path], object], ...]]] = {
    "csv": (as_file(".csv"), OF_TEXT),
    "csv-gz": (as_file(".csv.gz", gzip.compress), OF_TEXT),
    "gz": (as_file(".jsonl.gz"), (bt.load_pairs,)),
    "jsonl": (as_file(".jsonl"), OF_TEXT),
    "json": (as_file(".json"), OF_TEXT),
    "parquet": (as_file(".parquet"), (bt.load_pairs,)),
    "npz": (as_file(".npz"), (bt.load_pairs, bt.load_rankings)),
    "npz-members": (as_archive(".npz"), OF_ARRAYS),
    "npy": (as_file(".npy"), OF_ARRAYS),
    "npy-folder": (as_folder, OF_ARRAYS),
    "model": (as_file(".model"), (bt.RewardModel.load,)),
    "model-members": (as_archive(".model"), (bt.RewardModel.load,)),
}


def check(loader: str, data: bytes, folder: Path) -> bool:
    """Load the data, and raise AssertionError if the outcome breaks the rule; return whether anything was loaded."""
    write, functions = LOADERS[loader]
    path = write(folder, data)
    loaded = False
    for load in functions:
        started = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", DataNote)
            try:
                found = load(path)
            except ValueError as error:
                check_sentence(error, path)
            else:
                loaded = True
                for name in getattr(found, "feature_names", None) or ():
                    name.encode()  # so that it can be written to a file
        took = time.process_time() - started
        assert took < LONGEST_TIME, f"{load.__name__} took {took:.1f} seconds"
    return loaded


def check_sentence(error: ValueError, path: Path) -> None:
    """Fail unless this is one sentence of ours that begins with the path."""
    said = str(error)
    assert type(error) is ValueError, f"{type(error).__name__}: {said}"
    assert said.startswith((f"{path}: ", f"{path}/")), f"a message without the path: {said}"
    assert len(said.splitlines()) == 1, f"a message of several lines: {said}"
    assert len(said) - len(f"{path}: ") <= LONGEST_SENTENCE, f"a message of {len(said)} characters: {said}"
