"""Pairs in NPZ and NPY files: mapped, not read, and refused in one sentence if anything is wrong with them."""

from __future__ import annotations

import sys
import tracemalloc
from mmap import mmap
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.datasets import load_pairs, save_pairs

FIELDS = ("chosen", "rejected", "prompts", "weights", "labels", "target_margins", "feature_names")


def same_pairs(a: bt.PreferencePairs, b: bt.PreferencePairs) -> None:
    for name in FIELDS:
        have, want = getattr(a, name), getattr(b, name)
        if want is None:
            assert have is None, name
        else:
            np.testing.assert_array_equal(have, want, err_msg=name)


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
def test_a_fit_of_mapped_pairs_holds_two_numbers_for_each_pair(tmp_path, rng, kernels) -> None:
    """They are the margins of the present and of the next point: 16 bytes a pair, plus 4 MB of buffers."""
    n = 1_000_000
    for name in ("chosen", "rejected"):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(n, 9)).astype(np.float32))
    pairs = load_pairs(tmp_path)
    kernels.warmup()
    tracemalloc.start()
    try:
        assert bt.fit(bt.LinearScorer(9), pairs).converged
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * n + 4e6


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
