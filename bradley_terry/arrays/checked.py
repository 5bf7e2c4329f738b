"""Check arrays. An error says in one sentence which argument is wrong, what was expected and what was found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..logistic import Array
from .frozen import blocks_of, frozen

__all__ = ["features", "labels", "names", "numbers", "prompts", "weights"]


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
    array = np.asanyarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected an array of real numbers, got dtype {array.dtype}")
    if hasattr(array, "mask"):
        raise TypeError(f"{name}: expected a plain array, got a masked array; remove the masked pairs first")
    return array


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
    return w


def labels(values: ArrayLike | None, n: int) -> Array | None:
    """Return probabilities, (n,); None stays None."""
    t = numbers(values, "labels", n)
    if t is not None and not (t.min() >= 0 and t.max() <= 1):
        raise ValueError(f"labels: expected P(chosen preferred) in [0, 1], got {t.min() if t.min() < 0 else t.max():g}")
    return t


def prompts(values: ArrayLike | None, n: int) -> NDArray[np.generic] | None:
    """Return one prompt name for each pair, (n,); None stays None."""
    if values is None:
        return None
    array = np.asanyarray(values)
    if array.dtype.kind == "O":
        if any(value is None or value != value for value in array.ravel()):  # noqa: PLR0124  # NaN differs from itself
            raise ValueError("prompts: expected a name for each pair, got None or NaN")
        array = np.asarray([str(value) for value in array.ravel()]).reshape(array.shape)
    if array.shape != (n,):
        raise ValueError(f"prompts: expected shape ({n},), one name for each pair, got {array.shape}")
    if array.dtype.kind == "f" and any(np.isnan(array[rows]).any() for rows in blocks_of(array)):
        raise ValueError("prompts: expected a name for each pair, got NaN")
    return frozen(array)


def names(
    given: Sequence[str] | None, chosen: NDArray[np.generic], rejected: NDArray[np.generic]
) -> tuple[str, ...] | None:
    """Return one name for each feature or item; None stays None."""
    if given is None:
        return None
    if isinstance(given, str):
        raise TypeError("feature_names: expected a sequence of names, got one string")
    found = tuple(str(name) for name in given)
    if len(set(found)) != len(found):
        raise ValueError("feature_names: expected different names, got the same name twice")
    if chosen.ndim == 2 and len(found) != chosen.shape[1]:
        raise ValueError(f"feature_names: expected {chosen.shape[1]} names, one for each feature, got {len(found)}")
    if chosen.ndim == 1 and len(found) <= (largest := int(max(chosen.max(), rejected.max()))):
        raise ValueError(f"feature_names: expected a name for each item up to number {largest}, got {len(found)}")
    return found
