"""Values that are put in the place of one argument. Each has a tag that says what is wrong with it."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

__all__ = ["NOT_A_NUMBER", "NOT_WHOLE", "forms_of", "hostile_values"]

NOT_A_NUMBER = {"text", "bytes", "complex", "dates", "objects"}  # tags of what is never a number
NOT_WHOLE = {*NOT_A_NUMBER, "fraction"}


class Subclass(np.ndarray):
    """An array of a class of its own."""


class Raises:
    """Most of what NumPy and Python may ask of an object ends in an exception of its own."""

    def __init__(self, *methods: str) -> None:
        self.methods = methods

    def _refuse(self, method: str) -> None:
        if method in self.methods:
            raise RuntimeError(f"a {method} of the user's own")

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        self._refuse("__array__")
        return np.array([1.0, 2.0])

    def __len__(self) -> int:
        self._refuse("__len__")
        return 2

    def __getitem__(self, index: int) -> float:
        self._refuse("__getitem__")
        return [1.0, 2.0][index]

    def __eq__(self, other: object) -> bool:
        self._refuse("__eq__")
        return self is other

    def __bool__(self) -> bool:
        self._refuse("__bool__")
        return True

    def __float__(self) -> float:
        self._refuse("__float__")
        return 1.0

    def __repr__(self) -> str:
        self._refuse("__repr__")
        return "Raises()"

    def __hash__(self) -> int:
        self._refuse("__hash__")
        return 1


class Unwritten:
    """It cannot be written as a text or a path, or used as an index."""

    def __str__(self) -> str:
        raise RuntimeError("a text of the user's own")

    __repr__ = __fspath__ = __index__ = __str__

    def __format__(self, form: str) -> str:
        raise RuntimeError("a text of the user's own")


class Nameless(type):
    """The names of its classes cannot be read."""

    @property
    def __name__(cls) -> str:
        raise RuntimeError("a name of the user's own")


def unnamed() -> object:
    """Return an object of a class without a name; in this module, it would stop the search for examples."""

    class Unnamed(metaclass=Nameless):
        pass

    return Unnamed()


def hostile_values() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield a tag and a function that makes the value anew, so that no call can spoil it for another."""
    yield "none", lambda: None
    yield "true", lambda: True
    yield "number", lambda: 0
    yield "number", lambda: 1
    yield "number", lambda: -1
    yield "number", lambda: 7
    yield "huge", lambda: 2**63
    yield "huge", lambda: 2**70
    yield "huge", lambda: -(2**70)
    yield "huge", lambda: 10**400
    yield "huge", lambda: 10**5000
    yield "huge", lambda: np.longdouble("1e400")
    yield "huge", lambda: [2**64, 1]
    yield "huge", lambda: [10**5000, 1]
    yield "fraction", lambda: 0.5
    yield "fraction", lambda: 1.5
    yield "fraction", lambda: -0.25
    yield "tiny", lambda: 5e-324
    yield "huge", lambda: 1e308
    yield "nan", lambda: np.nan
    yield "infinite", lambda: np.inf
    yield "infinite", lambda: -np.inf
    yield "number", lambda: np.float32(0.25)
    yield "number", lambda: np.int8(1)
    yield "number", lambda: np.uint64(2**64 - 1)
    yield "true", lambda: np.True_
    yield "number", lambda: Fraction(1, 3)
    yield "number", lambda: decimal.Decimal("0.25")
    yield "text", lambda: ""
    yield "text", lambda: "text"
    yield "text", lambda: "1.0"
    yield "text", lambda: "\ud800\x00\x1b[31m\n"
    yield "text", lambda: "x" * 100_000
    yield "bytes", lambda: b"1.0"
    yield "complex", lambda: 1j
    yield "complex", lambda: np.complex128(1)
    yield "complex", lambda: np.complex64(1)
    yield "complex", lambda: [1.0, np.complex64(2 + 1j)]
    yield "dates", lambda: np.datetime64("NaT", "D")
    yield "dates", lambda: np.datetime64("2024-06-11")
    yield "dates", lambda: datetime.datetime(2024, 6, 11)
    yield "dates", lambda: np.timedelta64(3, "s")
    yield "dates", lambda: [1.0, np.timedelta64(3, "s")]
    yield "dates", lambda: np.array([np.timedelta64(3, "s"), 1], dtype=object)
    yield "objects", object
    yield "objects", lambda: {}
    yield "objects", lambda: {"a": 1.0}
    yield "objects", lambda: {("a", 1): 1.0}
    yield "objects", lambda: [{("a", 1): 1.0}, {2: 1.0}]
    yield "objects", lambda: {1.0, 2.0}
    yield "objects", lambda: (value for value in (1.0, 2.0))
    yield "objects", lambda: len
    yield "objects", lambda: int
    yield "objects", lambda: np
    yield "objects", lambda: slice(None)
    yield "objects", lambda: slice("a", None)
    yield "objects", lambda: slice(None, None, 0)
    yield "objects", unnamed
    yield "objects", lambda: type(unnamed())
    yield "objects", lambda: [unnamed(), unnamed()]
    yield "raises", Unwritten
    yield "raises", lambda: [Unwritten(), Unwritten()]
    yield "raises", lambda: slice(Unwritten())
    yield "objects", lambda: Ellipsis
    yield "raises", lambda: Raises("__array__")
    yield "raises", lambda: Raises("__array__", "__len__", "__getitem__", "__repr__")
    yield "raises", lambda: Raises("__len__")
    yield "raises", lambda: Raises("__eq__", "__hash__")
    yield "raises", lambda: Raises("__bool__", "__float__")
    yield "raises", lambda: Raises("__array__", "__repr__", "__eq__", "__bool__", "__float__", "__hash__")
    yield "empty", list
    yield "empty", lambda: np.empty(0)
    yield "empty", lambda: np.empty((0, 2))
    yield "empty", lambda: [[]]
    yield "shape", lambda: [1.0]
    yield "shape", lambda: [0.25, 0.75]
    yield "shape", lambda: np.ones((2, 3, 4))
    yield "shape", lambda: np.array(0.5)
    yield "shape", lambda: np.ones((1, 1))
    yield "ragged", lambda: [1.0, [2.0, 3.0]]
    yield "ragged", lambda: [[1.0], [2.0, 3.0]]
    yield "text", lambda: ["1.0", "2.0"]
    yield "text", lambda: np.array(["1.0", "2.0"])
    yield "bytes", lambda: np.array([b"1.0", b"2.0"])
    yield "dates", lambda: np.array(["NaT", "2024-06-11"], "M8[D]")
    yield "objects", lambda: np.array([(1, 2.0)], dtype=[("a", int), ("b", float)])
    yield "objects", lambda: np.array([None, 1.0], dtype=object)
    yield "objects", lambda: [object(), object()]
    yield "masked", lambda: [1.0, np.ma.masked]
    yield "masked", lambda: [np.ma.array([1.0, 2.0], mask=[False, True]), np.ma.array([3.0, 4.0])]
    yield "mask", lambda: np.array([True, False, True, False, False, True], dtype=object)
    yield "mask", lambda: np.array([False, True], dtype=object)
    yield "missing", lambda: ["a", np.nan]
    yield "missing", lambda: ["a", None]


def _within() -> Iterator[object]:
    """Yield values that stand within a record."""
    yield from (
        10**5000,
        1j,
        np.complex64(1),
        np.longdouble("1e400"),
        np.timedelta64(3, "s"),
        np.datetime64("NaT", "D"),
    )
    yield from (Unwritten(), unnamed(), object(), {("a", 1): 1.0}, {1: 1.0, "1": 2.0}, b"1", {1.0}, np.float32(0.5))
    yield from (np.ma.masked, "\ud800", np.True_, np.int8(1))
    yield from (Raises("__bool__", "__eq__", "__hash__"), Raises("__array__"), Raises("__len__", "__repr__"))


def forms_of(valid: object) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield other forms of a valid array, tagged "same" if they hold the same numbers, and arrays that are wrong.

    In records, they are values of single fields.
    """
    if isinstance(valid, list) and valid and isinstance(valid[0], dict):
        for one in _within():
            for given in (one, [one], {"a": one}):
                yield "within", lambda given=given: [{**valid[0], "rejected": given}, *valid[1:]]
                yield "within", lambda given=given: [{**valid[0], "prompt": given}, *valid[1:]]
            yield "within", lambda one=one: [{**valid[0], "more": one}, *valid[1:]]
        yield "within", lambda: [{**valid[0], Unwritten(): 1}]
        yield "within", lambda: [{**valid[0], ("a", 1): 1}]
    if not isinstance(valid, np.ndarray):
        return
    array: np.ndarray = valid
    is_number = array.dtype.kind in "fiu"
    yield "same", array.tolist
    yield "same", lambda: tuple(array.tolist())
    yield "same", lambda: _locked(array.copy())
    yield "same", lambda: np.repeat(array, 2, axis=0)[::2]
    yield "same", lambda: np.asfortranarray(array)
    yield "same", lambda: array[::-1].copy()[::-1]
    yield "same", lambda: array.astype(array.dtype.newbyteorder())
    yield "same", lambda: array.copy().view(Subclass)
    yield "same", lambda: array.astype(object)
    yield "same", lambda: _frame(array)
    yield "unmasked", lambda: np.ma.masked_array(array.copy())
    yield "masked", lambda: np.ma.masked_array(array.copy(), mask=np.arange(array.size).reshape(array.shape) == 0)
    yield "masked", lambda: list(np.ma.masked_array(array.copy(), mask=np.arange(array.size).reshape(array.shape) == 0))
    yield "masked", lambda: _first(array.astype(object), np.ma.masked)
    yield "raises", lambda: _first(array.astype(object), Unwritten())
    yield "shape", lambda: array[:-1]
    yield "shape", lambda: array[None]
    yield "shape", lambda: np.concatenate([array, array[:1]])
    yield "shape", lambda: array.T[..., None]
    yield "empty", lambda: array[:0]
    if is_number:
        yield "text", lambda: array.astype(str)
        yield "bytes", lambda: array.astype("S8")
        yield "complex", lambda: array + 0j
        yield "complex", lambda: array + 1j
        yield "dates", lambda: array.astype(np.int64).astype("M8[D]")
        yield "dates", lambda: np.full(array.shape, np.datetime64("NaT", "D"))
        yield "dates", lambda: array.astype(np.int64).astype("m8[s]")
        yield "objects", lambda: np.full(array.shape, {}, dtype=object)
        yield "missing", lambda: _first(array.astype(object), None)
        yield "text", lambda: _first(array.astype(object), "text")
        yield "complex", lambda: _first(array.astype(object), 1j)
        yield "complex", lambda: _first(array.astype(object), np.complex64(1))
        yield "dates", lambda: _first(array.astype(object), np.timedelta64(1, "D"))
        yield "dates", lambda: _first(array.astype(object), np.timedelta64(1, "D")).tolist()
        yield "huge", lambda: _first(array.astype(object), 2**64).tolist()
        yield "mask", lambda: (array > array.mean()).astype(object)
        yield "huge", lambda: _first(array.astype(object), 10**400)
        yield "true", lambda: array > array.mean()
    if array.dtype.kind == "f":
        yield "same", lambda: array.astype(np.longdouble)
        yield "huge", lambda: _first(array.astype(np.longdouble), np.longdouble("1e400"))
        for tag, value in (("nan", np.nan), ("infinite", np.inf), ("infinite", -np.inf), ("huge", 1e308)):
            yield tag, lambda value=value: _first(array.copy(), value)
        yield "huge", lambda: np.full(array.shape, 1.7e308)
        yield "tiny", lambda: np.full(array.shape, 5e-324)
        yield "number", lambda: -array
        yield "number", lambda: np.zeros(array.shape)
        yield "number", lambda: array.astype(np.float32)
        yield "number", lambda: array.astype(np.float16)
    if array.dtype.kind in "iu":
        yield "number", lambda: -array - 1
        yield "huge", lambda: _first(array.copy(), 2**62)
        yield "huge", lambda: np.full(array.shape, 2**64 - 1, dtype=np.uint64)
        yield "fraction", lambda: array + 0.5
        yield "fraction", lambda: _first(array.astype(float), np.nan)


def _locked(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _first(array: np.ndarray, value: object) -> np.ndarray:
    array.flat[0] = value
    return array


def _frame(array: np.ndarray) -> object:
    try:
        import pandas as pd
    except ImportError:  # pandas is not needed
        return array.copy()
    return pd.Series(array.copy()) if array.ndim == 1 else pd.DataFrame(array.copy()) if array.ndim == 2 else array
