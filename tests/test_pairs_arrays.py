"""The arrays of preference pairs: copied only if necessary, read block by block, of any form and type."""

from __future__ import annotations

import copy
import tracemalloc
from mmap import mmap

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.objective import REFERENCE

FIELDS = ("chosen", "rejected", "prompts", "weights", "labels", "target_margins")


@pytest.fixture
def full(rng) -> bt.PreferencePairs:
    """Return ten pairs of four prompts with every field filled in."""
    return bt.PreferencePairs(
        rng.normal(size=(10, 2)),
        rng.normal(size=(10, 2)),
        prompts=["b", "a", "b", "c", "a", "d", "d", "c", "b", "a"],
        weights=rng.uniform(1, 2, 10),
        labels=rng.uniform(0, 1, 10),
        target_margins=rng.normal(size=10),
        feature_names=["length", "warmth"],
    )


def test_pairs_do_not_follow_the_arrays_they_were_made_of(rng) -> None:
    """The caller's arrays stay writeable and unchanged, and writing to them later does not change the pairs."""
    arrays = {name: rng.uniform(0, 1, 3) for name in ("weights", "labels", "target_margins")}
    arrays |= {"chosen": rng.normal(size=(3, 2)), "rejected": rng.normal(size=(3, 2)), "prompts": np.array([1, 2, 1])}
    copies = {name: array.copy() for name, array in arrays.items()}
    pairs = bt.PreferencePairs(**arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, copies[name])
        assert array.flags.writeable
        np.add(array, 1, out=array)
        np.testing.assert_array_equal(getattr(pairs, name), copies[name])


def test_read_only_views_of_writeable_arrays_are_copied(rng) -> None:
    """A read-only view can still change through its base, so such slices and sliding windows are copied."""
    base = rng.normal(size=10)
    windows = np.lib.stride_tricks.sliding_window_view(base, 3)  # (8, 3), read-only, base still writeable
    spread = np.broadcast_to(base[:3], (8, 3))
    block = rng.normal(size=(8, 3))
    view = block[:]
    view.flags.writeable = False
    for read_only, writeable in ((windows, base), (spread, base), (view, block)):
        pairs = bt.PreferencePairs(read_only, np.zeros((8, 3)))
        before = pairs.chosen.copy()
        np.add(writeable, 1, out=writeable)
        np.testing.assert_array_equal(pairs.chosen, before)


def test_read_only_arrays_are_not_copied(rng) -> None:
    """An array that nothing can write to is used as it is, so that large data are in memory once."""
    array = rng.normal(size=(4, 2))
    array.flags.writeable = False
    pairs = bt.PreferencePairs(array, np.zeros((4, 2)))
    assert np.shares_memory(pairs.chosen, array)
    again = bt.PreferencePairs(pairs.rejected, pairs.chosen)  # the arrays of other pairs are read-only too
    assert np.shares_memory(again.chosen, pairs.rejected)


def is_mapped(array: np.ndarray) -> bool:
    """Return whether the memory of an array is a mapped file, that is, whether its last base is a map."""
    owner: object = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return isinstance(owner, mmap)


def test_memory_mapped_features_stay_on_disk(tmp_path, rng) -> None:
    """A memory-mapped array is used in place and can still be trained on."""
    np.save(tmp_path / "x.npy", rng.normal(size=(50, 2)))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    pairs = bt.PreferencePairs(mapped, np.zeros((50, 2)))
    assert np.shares_memory(pairs.chosen, mapped)
    assert np.isfinite(bt.Objective(bt.LinearScorer(2), pairs)(np.ones(2))[0])


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_slices_of_a_map_stay_views(mode: str, tmp_path, rng) -> None:
    """If both answers are in one map, (n, 2, d), they stay two views of it, in every mode of opening the file."""
    both = rng.normal(size=(50, 2, 3))
    np.save(tmp_path / "x.npy", both)
    mapped = np.load(tmp_path / "x.npy", mmap_mode=mode)
    for a, b in ((mapped[:, 0], mapped[:, 1]), (np.asarray(mapped)[::2, 0], np.asarray(mapped)[::2, 1])):
        pairs = bt.PreferencePairs(a, b)
        again = bt.PreferencePairs(pairs.chosen, pairs.rejected)
        for have, want in ((pairs.chosen, a), (pairs.rejected, b), (again.chosen, a), (copy.copy(again).rejected, b)):
            assert np.shares_memory(have, want)
            np.testing.assert_array_equal(have, want)
            assert not have.flags.writeable
    np.testing.assert_array_equal(bt.PreferencePairs(mapped[:, 0], mapped[:, 1]).subset([7, 3]).chosen, both[[7, 3], 0])


def test_a_copy_of_a_map_is_no_map(tmp_path) -> None:
    """``mapped.copy()`` is still of type memmap, but it is in memory and can be written to, so it is copied."""
    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    in_memory = np.load(tmp_path / "x.npy", mmap_mode="r").copy()
    assert isinstance(in_memory, np.memmap)
    pairs = bt.PreferencePairs(in_memory, np.zeros((3, 2)))
    in_memory[:] = 7
    np.testing.assert_array_equal(pairs.chosen, np.ones((3, 2)))


@pytest.mark.full
def test_maps_cost_no_memory(tmp_path, rng) -> None:
    """Making and checking pairs of mapped arrays, and counting them, takes less than a byte for each pair."""
    n = 4_000_000
    np.save(tmp_path / "both.npy", rng.normal(size=(n, 2, 1)))
    np.save(tmp_path / "numbers.npy", rng.uniform(0.5, 1, size=n))
    both, numbers = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("both", "numbers"))
    tracemalloc.start()
    try:
        pairs = bt.PreferencePairs(
            both[:, 0], both[:, 1], prompts=numbers, weights=numbers, labels=numbers, target_margins=numbers
        )
        assert pairs.n_identical == 0
        assert pairs.total_weight > n / 2
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert all(is_mapped(getattr(pairs, name)) for name in FIELDS)
    assert peak < n  # bytes: two blocks of a million truth values, 2e6, are the largest


def test_numbers_of_prompts_are_computed_once_and_are_read_only(full) -> None:
    """The same array is returned each time, and pairs can be keys of a dictionary."""
    assert full.prompt_index is full.prompt_index
    plain = bt.PreferencePairs([0, 0, 1], [1, 1, 0])
    assert plain.n_prompts == 3
    for pairs in (full, plain):
        with pytest.raises(ValueError, match="read-only"):
            pairs.prompt_index[0] = 1
    with pytest.raises(AttributeError):
        full.prompt_index = None
    assert hash(full) == hash(full)
    assert len({full, full, plain}) == 2


def test_numbers_of_prompts_take_memory_only_when_they_are_asked_for() -> None:
    """Pairs with named prompts compute the numbers on request, and pairs without names never store them."""
    n = 100_000
    numbers = np.zeros(n, dtype=np.int64)
    numbers.flags.writeable = False
    tracemalloc.start()
    try:
        pairs = bt.PreferencePairs(numbers, numbers, prompts=numbers)
        made = tracemalloc.get_traced_memory()[0]
        held = pairs.prompt_index.nbytes
        asked = tracemalloc.get_traced_memory()[0]
        plain = bt.PreferencePairs(numbers, numbers)
        assert len(plain.prompt_index) == plain.n_prompts == n
        unnamed = tracemalloc.get_traced_memory()[0] - asked
    finally:
        tracemalloc.stop()
    assert held == 8 * n
    assert made < n
    assert asked >= held
    assert unnamed < n


def test_what_is_wrong_is_found_in_any_block(rng) -> None:
    """Arrays are checked in blocks of a million numbers: errors count rows from the first, and no row is left out."""
    x = rng.normal(size=(1_000_003, 1))
    y = x + 1
    y[[999_999, 1_000_000]] = x[[999_999, 1_000_000]]  # the last row of a block and the first of the next
    assert bt.PreferencePairs(x, y).n_identical == 2
    y[1_000_002] = np.nan
    with pytest.raises(ValueError, match=r"^rejected: .* nan in row 1000002, column 0$"):
        bt.PreferencePairs(x, y)
    with pytest.raises(ValueError, match=r"^weights: .* nan in row 1000002$"):
        bt.PreferencePairs(x, x, weights=y[:, 0])
    with pytest.raises(ValueError, match=r"^prompts: expected a name for each pair, got NaN$"):
        bt.PreferencePairs(x, x, prompts=y[:, 0])


def read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


FORMS = {  # the same small whole numbers, which every type holds exactly, as arrays of every kind
    "non-contiguous": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "read-only": read_only,
    "Fortran-ordered": np.asfortranarray,
    "read-only, Fortran-ordered": lambda a: read_only(a.T).T,
    "float16": lambda a: a.astype(np.float16),
    "longdouble": lambda a: a.astype(np.longdouble),
    "int8": lambda a: a.astype(np.int8),
    "uint64": lambda a: a.astype(np.uint64),
    "byte-swapped float64": lambda a: a.astype(np.dtype(np.float64).newbyteorder()),
    "byte-swapped float32": lambda a: a.astype(np.dtype(np.float32).newbyteorder()),
    "byte-swapped integers": lambda a: a.astype(np.dtype(np.int32).newbyteorder()),
    "not aligned": lambda a: np.frombuffer(b"x" + a.tobytes(), offset=1).reshape(a.shape),
    "list": lambda a: a.tolist(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.full
def test_every_form_of_the_same_numbers_gives_the_same_pairs(form: str, rng) -> None:
    """The pairs hold native, read-only arrays with the values of the plain array."""
    as_form = FORMS[form]
    chosen, rejected = rng.integers(0, 100, size=(2, 9, 3)).astype(np.float64)
    vectors = {name: rng.integers(0, 2, size=9) + 0.0 for name in ("weights", "labels", "target_margins")}
    vectors["weights"] += 1
    plain = bt.PreferencePairs(chosen, rejected, **vectors)
    pairs = bt.PreferencePairs(
        as_form(chosen), as_form(rejected), **{name: as_form(values) for name, values in vectors.items()}
    )
    for name in ("chosen", "rejected", *vectors):
        have, want = getattr(pairs, name), getattr(plain, name)
        np.testing.assert_array_equal(have, want)
        assert have.dtype.isnative
        assert not have.flags.writeable
    loss, want = (bt.Objective(bt.LinearScorer(3), some, backend=REFERENCE)(np.ones(3))[0] for some in (pairs, plain))
    assert loss == want


@pytest.mark.parametrize(
    "form", ["non-contiguous", "backwards", "read-only", "int8", "uint64", "byte-swapped integers"]
)
def test_every_form_of_the_same_items_gives_the_same_pairs(form: str, rng) -> None:
    """Item numbers of any integer type, byte order and layout become int64."""
    chosen, rejected = rng.integers(0, 100, size=(2, 9))
    pairs = bt.PreferencePairs(FORMS[form](chosen), FORMS[form](rejected))
    np.testing.assert_array_equal(pairs.chosen, chosen)
    np.testing.assert_array_equal(pairs.rejected, rejected)
    assert pairs.chosen.dtype == pairs.rejected.dtype == np.int64


def test_dtypes_become_one_of_three(rng) -> None:
    """Features become float64 unless they are float32, items int64, and all other numbers float64 in native order."""
    z = np.array([[1, 2], [3, 4]])
    for dtype in (np.int8, bool, np.float16, ">f8", np.longdouble):
        assert bt.PreferencePairs(z.astype(dtype), z).chosen.dtype == np.float64
    assert bt.PreferencePairs(z.astype(">f4"), z.astype(np.float32)).chosen.dtype == np.float32
    assert bt.PreferencePairs(z.astype(">f4"), z).chosen.dtype.isnative
    assert (
        bt.PreferencePairs(np.array([1, 0], dtype=np.uint8), np.array([0, 1], dtype=">i2")).rejected.dtype == np.int64
    )
    assert bt.PreferencePairs([0], [1], weights=[3]).weights.dtype == np.float64
    np.testing.assert_array_equal(bt.PreferencePairs(np.asfortranarray(z), z[::-1]).rejected, z[::-1])


def test_masked_arrays_are_not_taken_for_plain_ones() -> None:
    """A mask says that numbers are missing, so masked arrays are refused."""
    masked = np.ma.array([[1.0, np.nan], [3.0, 4.0]], mask=[[0, 1], [0, 0]])
    with pytest.raises(TypeError, match=r"^chosen: expected a plain array, got a masked array"):
        bt.PreferencePairs(masked, np.zeros((2, 2)))
