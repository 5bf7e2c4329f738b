"""Check arrays. An error says in one sentence which argument is wrong, what was expected and what was found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..logistic import Array
from . import single
from .frozen import blocks_of, frozen
from .given import as_numpy, real, unmasked
from .visible import counted, quoted

__all__ = ["as_numpy", "features", "index_by_first_appearance", "labels", "names", "numbers", "prompts", "rows"]
__all__ += ["sliced", "weights"]


def features(values: ArrayLike, name: str) -> NDArray[np.generic]:
    """Return features, (n_pairs, n_features), or item numbers, (n_pairs,), checked and read-only."""
    array = _real(values, name)
    if array.ndim == 1 and array.size and array.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: expected features (n_pairs, n_features) or integer item numbers (n_pairs,), "
            f"got shape {array.shape} and dtype {array.dtype}"
        )
    if array.ndim not in {1, 2} or (array.ndim == 2 and array.shape[1] == 0):
        raise ValueError(f"{name}: expected shape (n_pairs, n_features) or (n_pairs,), got {array.shape}")
    if array.ndim == 1:
        if array.size and array.min() < 0:
            raise ValueError(f"{name}: expected item numbers of at least 0, got {array.min()}")
        if array.size and array.max() > np.iinfo(np.int64).max:
            raise ValueError(f"{name}: expected item numbers below 2**63, got {array.max()}")
        return frozen(array, np.int64)
    array = frozen(array, np.float32 if array.dtype.newbyteorder("=") == np.float32 else np.float64)
    _check_finite(array, name)
    return array


def _real(values: ArrayLike, name: str) -> NDArray[np.generic]:
    """Return real numbers as a plain array, or fail at the first missing one."""
    array = as_numpy(values, name)
    if array.dtype.kind == "O":
        for where, value in np.ndenumerate(array):
            if single.is_missing(value):
                place = f"row {where[0]}" + (f", column {where[1]}" if len(where) == 2 else "") if where else "it"
                raise ValueError(f"{name}: expected finite numbers, got {value} in {place}")
    return real(array, name, "an array of real numbers, got")


def _check_finite(array: NDArray[np.generic], name: str) -> None:
    for rows in blocks_of(array):
        block = array[rows]
        if not np.isfinite(block).all():
            where = np.argwhere(~np.isfinite(block))[0]
            bad = block[tuple(where)]
            place = f"row {rows.start + where[0]}" + (f", column {where[1]}" if array.ndim == 2 else "")
            raise ValueError(f"{name}: expected finite numbers, got {bad} in {place}")


def numbers(values: ArrayLike | None, name: str, n: int) -> Array | None:
    """Return finite float64 numbers, (n,); None stays None."""
    if values is None:
        return None
    array = _real(values, name)
    if array.shape != (n,):
        raise ValueError(f"{name}: expected shape ({n},), one for each pair, got {array.shape}")
    result: Array = np.asarray(frozen(array, np.float64), dtype=np.float64)
    _check_finite(result, name)
    return result


def weights(values: ArrayLike | None, n: int) -> Array | None:
    """Return numbers of at least 0 with a positive, finite sum, (n,); None stays None."""
    w = numbers(values, "weights", n)
    if w is not None and not (w.min() >= 0 and w.max() > 0):
        raise ValueError(f"weights: expected numbers of at least 0 with a positive sum, got a minimum of {w.min():g}")
    if w is not None and w.max() > np.finfo(np.float64).max / n:
        raise ValueError(f"weights: expected numbers with a finite sum, got a maximum of {w.max():g}")
    if w is not None and w.max() < SMALLEST_WEIGHT:
        raise ValueError(
            f"weights: expected a largest weight of at least {SMALLEST_WEIGHT:g}, got {w.max():g}; the same factor for "
            "all weights changes no mean"
        )
    return w


def labels(values: ArrayLike | None, n: int) -> Array | None:
    """Return probabilities, (n,); None stays None."""
    t = numbers(values, "labels", n)
    if t is not None and not (t.min() >= 0 and t.max() <= 1):
        raise ValueError(f"labels: expected P(chosen preferred) in [0, 1], got {t.min() if t.min() < 0 else t.max():g}")
    return t


def prompts(values: ArrayLike | None, n: int, name: str = "prompts") -> NDArray[np.generic] | None:
    """Return one prompt name for each pair, (n,); None stays None."""
    if values is None:
        return None
    if isinstance(values, list | tuple) and all(isinstance(value, str) for value in values):
        array = _names([single.written(name, value) for value in values])
    else:
        array = unmasked(as_numpy(values, name), name)
        if array.dtype.kind == "O":
            if any(single.is_missing(value) for value in array.ravel()):
                raise ValueError(f"{name}: expected a name for each pair, got None or NaN")
            array = _names([single.written(name, value) for value in array.ravel()]).reshape(array.shape)
    if array.shape != (n,):
        raise ValueError(f"{name}: expected shape ({n},), one name for each pair, got {array.shape}")
    if array.dtype.kind in "fc" and any(np.isnan(array[rows]).any() for rows in blocks_of(array)):
        raise ValueError(f"{name}: expected a name for each pair, got NaN")
    if array.dtype.kind in "mM" and np.isnat(array).any():
        raise ValueError(f"{name}: expected a name for each pair, got NaT")
    return frozen(array)


def _names(texts: list[str]) -> NDArray[np.generic]:
    """Return texts as an array. One long text among many would make each as wide, so such an array holds objects."""
    different = set(texts)
    bytes_of_width = 4 * len(texts) * max(map(len, different), default=0)
    if bytes_of_width <= max(_MOST_BYTES, 4 * sum(map(len, different))):
        return np.array(texts, dtype=np.str_)
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


_MOST_BYTES = 2**24
SMALLEST_WEIGHT = 1e-290  # the products of smaller ones with small curvatures have few digits


def names(
    given: Sequence[str] | None, chosen: NDArray[np.generic], rejected: NDArray[np.generic]
) -> tuple[str, ...] | None:
    """Return one name for each feature or item; None stays None."""
    if given is None:
        return None
    found = tuple(single.texts("feature_names", given))
    if len(set(found)) != len(found):
        raise ValueError("feature_names: expected different names, got the same name twice")
    if chosen.ndim == 2 and len(found) != chosen.shape[1]:
        wanted = counted(chosen.shape[1], "name")
        raise ValueError(f"feature_names: expected {wanted}, one for each feature, got {len(found)}")
    if chosen.ndim == 1 and len(found) <= (largest := int(max(chosen.max(), rejected.max()))):
        raise ValueError(f"feature_names: expected a name for each item up to number {largest}, got {len(found)}")
    return found


def rows(index: object, n: int, wanted: str) -> NDArray[np.int64]:
    """Return the numbers of the rows, at least one, that numbers from -n to n - 1 or a mask, (n,), select."""
    try:
        array = np.atleast_1d(real(index, "index"))
    except TypeError:
        raise ValueError(f"index: expected {wanted}, got {quoted(index)}") from None
    if array.dtype.kind == "b" and array.shape == (n,):
        array = np.flatnonzero(array)
    elif array.dtype.kind not in "iu" and array.size:
        found = f"a mask of shape {array.shape} for {n} of them" if array.dtype.kind == "b" else quoted(index)
        raise ValueError(f"index: expected {wanted}, got {found}")
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"index: expected {wanted}, got {quoted(index)}")
    if array.min() < -n or array.max() >= n:
        bad = array.min() if array.min() < -n else array.max()
        raise ValueError(f"index: expected {wanted}, numbers from 0 to {n - 1}, got {bad}")
    return array.astype(np.int64, copy=False)


def sliced(index: slice, n: int) -> NDArray[np.int64]:
    """Return the numbers of the rows, from 0 to n - 1, that a slice selects."""
    try:
        return np.arange(n)[index]
    except Exception:  # noqa: BLE001  # an __index__ may raise anything
        raise ValueError(f"index: expected a slice of whole numbers, got {quoted(index)}") from None


def index_by_first_appearance(prompts: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return the number of each prompt, (n,), in the order in which different prompts first appear."""
    if prompts.dtype.kind == "O":
        numbers: dict[object, int] = {}
        return np.array([numbers.setdefault(prompt, len(numbers)) for prompt in prompts], dtype=np.int64)
    _, first, inverse = np.unique(prompts, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[inverse.reshape(len(prompts))], dtype=np.int64)
