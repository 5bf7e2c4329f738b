"""Arrays of torch, JAX and pandas are taken for what they are, and results are arrays of NumPy."""

from __future__ import annotations

import array
import io

import numpy as np
import pytest

import bradley_terry as bt

X = np.array([[1.0, -2.5], [0.0, 3.140625], [1e-3, 1e30]])
BFLOAT16 = (X.astype(np.float32).view(np.uint32) >> 16 << 16).view(np.float32)  # cut to its upper 16 bits


def check(given: object, expected: np.ndarray) -> None:
    pairs = bt.PreferencePairs(given, given, weights=np.ones(len(expected)))
    assert type(pairs.chosen) is type(pairs.rejected) is np.ndarray
    np.testing.assert_array_equal(pairs.chosen, expected)
    assert pairs.chosen.dtype.kind == "f"
    assert not pairs.chosen.flags.writeable


@pytest.mark.full
@pytest.mark.parametrize(
    "form", ["plain", "with gradient", "list", "list with gradient", "transposed", "sparse", "half"]
)
def test_tensors_of_torch_become_arrays(form) -> None:
    """A tensor gives its numbers, also if it has a gradient, is sparse, or is one row of a list."""
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(X)
    with_gradient = torch.tensor(X, requires_grad=True)
    given = {
        "plain": tensor,
        "with gradient": with_gradient,
        "list": list(tensor),
        "list with gradient": list(with_gradient * 1),
        "transposed": torch.tensor(X.T.copy()).T,
        "sparse": tensor.to_sparse(),
        "half": torch.tensor(X[:2]).half(),
    }[form]
    check(given, X[:2].astype(np.float16).astype(float) if form == "half" else X)


@pytest.mark.full
def test_bfloat16_of_torch_becomes_float32() -> None:
    """bfloat16 is the upper half of a float32, so nothing is lost; float8 is widened too."""
    torch = pytest.importorskip("torch")
    exact = torch.tensor(BFLOAT16)
    for given in (exact.bfloat16(), list(exact.bfloat16()), torch.nn.Parameter(exact.bfloat16())):
        check(given, BFLOAT16)
    check(torch.tensor([[0.5, -2.0]]).to(torch.float8_e4m3fn), np.array([[0.5, -2.0]]))


@pytest.mark.full
def test_bfloat16_of_jax_and_ml_dtypes_becomes_float32() -> None:
    """The dtype that JAX brings to NumPy is no number for NumPy, and is converted."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    check(BFLOAT16.astype(ml_dtypes.bfloat16), BFLOAT16)
    check(np.array([[0.5, -2.0]], dtype=ml_dtypes.float8_e4m3fn), np.array([[0.5, -2.0]]))
    jax = pytest.importorskip("jax")
    check(jax.numpy.asarray(X, dtype="float32"), X.astype(np.float32))
    check(jax.numpy.asarray(BFLOAT16, dtype="bfloat16"), BFLOAT16)


@pytest.mark.full
def test_tensors_may_be_items_weights_labels_and_prompts() -> None:
    """Every argument may be a tensor, and the fit is that of the same arrays."""
    torch = pytest.importorskip("torch")
    arrays = {
        "chosen": [0, 1, 2, 0],
        "rejected": [1, 2, 0, 2],
        "prompts": [5, 5, 6, 7],
        "weights": [1.0, 2.0, 0.5, 1.0],
        "labels": [1.0, 0.5, 0.75, 1.0],
        "target_margins": [0.0, 0.5, 0.0, -1.0],
    }
    expected = bt.PreferencePairs(**arrays)
    for kind in (torch.float32, torch.bfloat16):
        given = {n: torch.tensor(v, dtype=torch.int64 if isinstance(v[0], int) else kind) for n, v in arrays.items()}
        pairs = bt.PreferencePairs(**given)
        for name in arrays:
            assert type(getattr(pairs, name)) is np.ndarray
            np.testing.assert_array_equal(getattr(pairs, name), getattr(expected, name))
        phi = bt.fit(bt.TableScorer(3), pairs, l2=0.1).phi
        assert type(phi) is np.ndarray
        np.testing.assert_array_equal(phi, bt.fit(bt.TableScorer(3), expected, l2=0.1).phi)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([[1, 2], [3]], "chosen: expected rows of the same length, got 2 numbers in row 0 and 1 numbers in row 1"),
        (
            [[1], [2], [3, 4, 5]],
            "chosen: expected rows of the same length, got 1 numbers in row 0 and 3 numbers in row 2",
        ),
        (
            [np.ones(2), np.ones(3)],
            "chosen: expected rows of the same length, got 2 numbers in row 0 and 3 numbers in row 1",
        ),
        ([1, [2, 3]], "chosen: expected rows of the same length, got one number in row 0 and 2 numbers in row 1"),
        ([[1, None]], "chosen: expected finite numbers, got None in row 0, column 1"),
        (np.array([[1.0], [None]], dtype=object), "chosen: expected finite numbers, got None in row 1, column 0"),
        (
            np.array([[1.0], [float("nan")]], dtype=object),
            "chosen: expected finite numbers, got nan in row 1, column 0",
        ),
        ([[1.0, {}]], "chosen: expected an array of real numbers, got dtype object"),
    ],
)
def test_ragged_and_missing_numbers_get_one_sentence(values, sentence) -> None:
    """The sentence names the argument and the row."""
    with pytest.raises((ValueError, TypeError)) as caught:
        bt.PreferencePairs(values, values)
    assert str(caught.value) == sentence


@pytest.mark.full
def test_missing_values_of_pandas_get_one_sentence() -> None:
    """NA in features or weights is named with its row; a nullable column without NA is read."""
    pandas = pytest.importorskip("pandas")
    for bad in ([[1.0, pandas.NA]], np.array([[1, pandas.NA]], dtype=object)):
        with pytest.raises(ValueError, match=r"^chosen: expected finite numbers, got <NA> in row 0, column 1$"):
            bt.PreferencePairs(bad, bad)
    with pytest.raises(ValueError, match=r"^weights: expected finite numbers, got (<NA>|nan) in row 1$"):
        bt.PreferencePairs([0, 1], [1, 0], weights=pandas.array([1, pandas.NA], dtype="Int64"))
    with pytest.raises(ValueError, match=r"^prompts: expected a name for each pair, got None or NaN$"):
        bt.PreferencePairs([0, 1], [1, 0], prompts=pandas.Series(["a", pandas.NA]))
    whole = pandas.Series(pandas.array([1, 0], dtype="Int64"))
    assert bt.PreferencePairs(whole, whole).is_items
    vectors = pandas.Series([[1.0, 2.0], [3.0, 4.0]])  # a column of embeddings
    assert bt.PreferencePairs(vectors, vectors.to_numpy()).chosen.tolist() == [[1, 2], [3, 4]]


@pytest.mark.full
def test_sparse_matrix_is_named() -> None:
    """A sparse matrix of SciPy is no array, and the sentence says what to do."""
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(
        TypeError, match=r"^chosen: expected an array of real numbers, got a sparse matrix; its method toarray"
    ):
        bt.PreferencePairs(sparse.csr_matrix(X), X)


def test_objects_that_are_numbers_are_numbers() -> None:
    """An array of objects that are all real numbers becomes float64, or item numbers if all are whole."""
    features = np.array([[1, 2.5], [np.float32(3), True]], dtype=object)
    assert bt.PreferencePairs(features, features).chosen.tolist() == [[1, 2.5], [3, 1]]
    items = np.array([1, np.int64(0)], dtype=object)
    assert bt.PreferencePairs(items, items).is_items


@pytest.mark.full
@pytest.mark.parametrize("form", ["with gradient", "bfloat16"])
def test_losses_and_rewards_take_tensors(form) -> None:
    """Every function of margins, and the rewards of a model, give what they give for the same numbers in NumPy."""
    torch = pytest.importorskip("torch")
    numbers = np.array([0.0, 1.5, -2.0], dtype=np.float32)  # exact in bfloat16, too

    def tensor(values):
        given = torch.tensor(values)
        return given.requires_grad_() if form == "with gradient" else given.bfloat16()

    for function in (bt.sigmoid, bt.log_sigmoid, bt.pair_losses, bt.pair_loss_gradients, bt.mean_loss):
        np.testing.assert_array_equal(function(tensor(numbers)), function(numbers))
    mean, d_margins = bt.kernels.mean_loss_and_gradients(tensor(numbers))
    want, d_want = bt.kernels.mean_loss_and_gradients(numbers)
    assert (mean, d_margins.tolist()) == (want, d_want.tolist())
    assert bt.preference_probability(tensor(numbers), 0.0).tolist() == bt.preference_probability(numbers, 0.0).tolist()
    model = bt.fit(bt.LinearScorer(1), bt.PreferencePairs([[1.0], [0.0]], [[0.0], [2.0]]), l2=1.0)
    assert model.reward(tensor(numbers[:, None])).tolist() == model.reward(numbers[:, None]).tolist()


@pytest.mark.full
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_numbers_of_torch_in_nested_lists_become_numbers(dtype) -> None:
    """Single numbers with a gradient may lie at any depth, also beside numbers of Python."""
    torch = pytest.importorskip("torch")
    one, two = torch.tensor([1.5, -2.0], dtype=getattr(torch, dtype), requires_grad=True)
    expected = np.array([[1.5, -2.0], [0.0, 1.5]])
    for given in ([[one, two], [0.0, one]], [[0.0 + 1.5, two], (0, one)], ([one, two], [two * 0, one])):
        check(given, expected)
    pairs = bt.PreferencePairs.from_records([{"chosen": [one, 2.0], "rejected": [[two, one], (0, 1)], "weight": -two}])
    np.testing.assert_array_equal(pairs.chosen, [[1.5, 2.0]] * 2)
    np.testing.assert_array_equal(pairs.rejected, [[-2.0, 1.5], [0, 1]])
    assert pairs.weights.tolist() == [2, 2]


MASKED = np.ma.array([1.0, 2.0], mask=[False, True])


@pytest.mark.parametrize(
    "values",
    [
        [1.0, np.ma.masked],
        (np.ma.masked, 2.0),
        [MASKED, np.ma.array([3.0, 4.0])],
        [[1.0, 2.0], MASKED],
        [[MASKED], [MASKED]],
        [np.ma.array(1.0, mask=True), 2.0],
    ],
)
def test_masked_entries_in_lists_are_refused(values) -> None:
    """The numbers under a mask are not used, wherever the masked array is."""
    for call in (bt.pair_losses, lambda given: bt.PreferencePairs(given, X), MODEL.reward):
        with pytest.raises(TypeError, match=r"^[a-z]+: expected a plain array, got a masked array; remove the masked"):
            call(values)
    with pytest.raises(TypeError, match=r"^prompts: expected a plain array, got a masked array"):
        bt.PreferencePairs([0, 1], [1, 0], prompts=values)


def test_masked_arrays_without_masked_entries_are_numbers() -> None:
    """In a list, too."""
    rows = [np.ma.array([1.0, 2.0]), np.ma.array([3.0, 4.0], mask=[False, False])]
    assert bt.PreferencePairs(rows, rows).chosen.tolist() == [[1, 2], [3, 4]]


MODEL = bt.fit(bt.LinearScorer(2), bt.PreferencePairs(np.eye(2), 1 - np.eye(2)), l2=0.1)


def test_a_mask_of_objects_is_a_mask() -> None:
    """A column of pandas may hold True and False as objects, and they select rows as in a list."""
    pairs = bt.PreferencePairs(X, -X)
    for mask in ([False, False, True], [True, False, True], [np.False_, True, np.True_]):
        for index in (np.array(mask, dtype=object), mask, tuple(mask)):
            assert pairs.subset(index).chosen.tolist() == X[np.array(mask, dtype=bool)].tolist()
    with pytest.raises(ValueError, match=r"^index: expected "):
        pairs.subset(np.array([True, None, False], dtype=object))


@pytest.mark.parametrize(
    "value",
    [
        np.timedelta64(5, "D"),
        np.timedelta64("NaT", "D"),
        np.datetime64("2024-06-11"),
        np.complex64(1 + 2j),
        1j,
        b"1",
        "1",
    ],
)
def test_what_is_no_number_is_refused_beside_numbers(value) -> None:
    """In a list, in an array of objects, and as a row."""
    for values in ([1.0, value], np.array([1.0, value], dtype=object), np.array([value, value], dtype=object), [value]):
        with pytest.raises((TypeError, ValueError), match=r"^margins: expected .*, got "):
            bt.pair_losses(values)
    with pytest.raises((TypeError, ValueError), match=r"^chosen: expected .*, got "):
        bt.PreferencePairs([[1.0, value]], [[0.0, 0.0]])


def test_large_numbers_are_rounded_to_float64_or_refused() -> None:
    """Whole numbers beyond 64 bits are floats; a finite number beyond the largest float64 is refused."""
    for large in (2**64, 2**70, -(2**64), np.longdouble(2) ** 200):
        assert bt.PreferencePairs([[large, 1]], [[0, 0]]).chosen.tolist() == [[float(large), 1]]
    for large in (10**400, -(10**400)):
        with pytest.raises(ValueError, match=r"^margins: expected numbers that a float64 can hold, got larger ones$"):
            bt.pair_losses([1, large])


@pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(float).max, reason="a longdouble is a float64 here")
def test_long_doubles_beyond_float64_are_refused() -> None:
    """An infinite one stays infinite, and what is too small becomes 0."""
    for values in (np.array(["1e400"], dtype=np.longdouble), [np.longdouble("-1e400")]):
        with pytest.raises(ValueError, match=r"^margins: expected numbers that a float64 can hold, got larger ones$"):
            bt.pair_losses(values)
    small = np.array([["1e-400", "1"]], dtype=np.longdouble)
    assert bt.PreferencePairs(small, -small).chosen.tolist() == [[0.0, 1.0]]
    assert bt.pair_losses(np.array([np.inf], dtype=np.longdouble)).tolist() == [0.0]


class Unwritten:
    """It has no text."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __fspath__ = __str__


def test_names_that_are_missing_or_have_no_text_are_refused() -> None:
    """NaN among texts is no name, although NumPy writes it as one."""
    for missing in (np.nan, None, np.float32("nan"), np.datetime64("NaT", "D"), complex("nan")):
        with pytest.raises(ValueError, match=r"^prompts: expected a name for each pair, got "):
            bt.PreferencePairs([0, 1], [1, 0], prompts=["a", missing])
    for names in ([Unwritten(), Unwritten()], ["a", Unwritten()]):
        with pytest.raises(TypeError, match=r"^prompts: expected names that can be written as a text, got <Unwritten"):
            bt.PreferencePairs([0, 1], [1, 0], prompts=names)
        with pytest.raises(TypeError, match=r"^feature_names: expected a sequence of texts, got <Unw"):
            bt.PreferencePairs([0, 1], [1, 0], feature_names=names)
    with pytest.raises(TypeError, match=r"^path: expected a str or a Path, got <Unwritten"):
        bt.load_pairs(Unwritten())
    assert bt.PreferencePairs([0, 1], [1, 0], prompts=["1", 2.5]).prompts.tolist() == ["1", "2.5"]


@pytest.mark.parametrize(
    "names",
    [
        {"b", "a"},
        frozenset("ab"),
        {"b": 1, "a": 0},
        np.ma.array(["a", "b"], mask=[False, True]),
        [b"a", b"b"],
        np.array([b"a", b"b"]),
        b"ab",
        "ab",
        ["a", None],
        ["a", np.nan],
        [("a", "x"), ("b", "y")],
        np.array([["a", "x"], ["b", "y"]]),
        [1.0, 2.0],
        [True, False],
    ],
    ids=[
        "set",
        "frozenset",
        "dict",
        "masked",
        "bytes",
        "S-array",
        "one-bytes",
        "text",
        "None",
        "NaN",
        "tuples",
        "table",
        "floats",
        "bools",
    ],
)
def test_what_is_no_sequence_of_texts_is_no_name(names) -> None:
    """A set has no order, and what ``str`` says of bytes, None or a tuple is not its name."""
    with pytest.raises(TypeError, match=r"^feature_names: expected a sequence of (names|texts), got "):
        bt.PreferencePairs([[1.0, 2.0]], [[2.0, 1.0]], feature_names=names)
    with pytest.raises(TypeError, match=r"^feature_names: expected a sequence of (names|texts), got "):
        bt.PreferenceRankings([[1.0, 2.0], [2.0, 1.0]], [1, 2], [0, 0], feature_names=names)
    with pytest.raises(TypeError, match=r"^names: expected a sequence of (names|texts), got "):
        bt.plots.plot_weights(names, [0.0, 1.0])


def test_sequences_of_texts_of_any_library_are_names() -> None:
    """Lists, arrays and indexes of texts are names, and so are the whole numbers that call columns of a frame."""
    pandas = pytest.importorskip("pandas")
    texts = (["a", "b"], ("a", "b"), np.array(["a", "b"]), np.array(["a", "b"], dtype=object), iter("ab"))
    frames = (pandas.Index(["a", "b"]), pandas.Series(["a", "b"]), pandas.DataFrame({"a": [1], "b": [2]}).columns)
    for names in (*texts, *frames, np.ma.array(["a", "b"])):
        assert bt.PreferencePairs([[1.0, 2.0]], [[2.0, 1.0]], feature_names=names).feature_names == ("a", "b")
    for numbers in (range(2), [0, 1], np.arange(2), pandas.DataFrame([[1, 2]]).columns):
        assert bt.PreferencePairs([[1.0, 2.0]], [[2.0, 1.0]], feature_names=numbers).feature_names == ("0", "1")


def test_a_set_of_items_has_no_order() -> None:
    """Standard errors come in the order of the items that were asked for, which a set does not have."""
    model = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0, 1], [1, 0], feature_names=["a", "b"]))
    with pytest.raises(TypeError, match=r"^items: expected a sequence of names, got {'a'}"):
        model.standard_errors(items={"a"})


def test_annotators_in_bytes_are_refused() -> None:
    """The report would call them b'…'."""
    pairs = bt.PreferencePairs([0, 1], [1, 0])
    for annotators in ([b"x", b"y"], np.array([b"x", b"y"])):
        with pytest.raises(TypeError, match=r"^annotators: expected names as texts, or numbers, got b'x'"):
            bt.calibration.by_annotator(bt.fit(bt.TableScorer(2), pairs), pairs, annotators)


@pytest.mark.parametrize(
    "values",
    [
        bytearray(b"12"),
        memoryview(b"12"),
        memoryview(bytearray(b"12")),
        io.BytesIO(b"12").getbuffer(),
        [bytearray(b"12"), bytearray(b"34")],
        [memoryview(b"12")],
        [[0.0, 1.0], [1.0, bytearray(b"1")]],
        np.array([memoryview(b"12"), None], dtype=object)[:1],
    ],
    ids=["bytearray", "memoryview", "of bytearray", "BytesIO", "list", "list of views", "nested", "objects"],
)
def test_raw_bytes_are_no_numbers(values) -> None:
    """The letters "12" are not the numbers 49 and 50."""
    for argument, take in (("margins", bt.pair_losses), ("z", bt.sigmoid), ("chosen", lambda x: check(x, X))):
        with pytest.raises(TypeError, match=f"^{argument}: expected real numbers, got "):
            take(values)


def test_buffers_of_numbers_are_numbers() -> None:
    """The array of Python and views of arrays say what their numbers are."""
    for numbers in (array.array("d", [0, 1]), array.array("B", [0, 1]), memoryview(np.array([0.0, 1.0]))):
        np.testing.assert_allclose(bt.pair_losses(numbers), [np.log(2), np.log1p(np.exp(-1))], rtol=1e-6)
    np.testing.assert_allclose(bt.pair_losses(memoryview(np.array([0, 1], dtype=np.uint8)))[0], np.log(2), rtol=1e-6)
