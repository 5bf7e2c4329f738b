"""NPY: a folder with one array for each field of pairs or rankings, or one array that holds both answers of pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..pairs import PreferencePairs
from .archives import readable
from .arrays import FIELDS, RANKING_FIELDS, fields_of, map_array, pairs_of_arrays, rankings_of_arrays
from .messages import fail
from .opened import open_file, size_of

if TYPE_CHECKING:
    from ..ranking.rankings import PreferenceRankings


def read_pairs(path: Path) -> PreferencePairs:
    """Make pairs of the arrays of NPY files."""
    return pairs_of_arrays(path, _arrays(path, FIELDS))


def read_rankings(path: Path) -> PreferenceRankings:
    """Make rankings of the arrays of NPY files."""
    return rankings_of_arrays(path, _arrays(path, RANKING_FIELDS))


def _arrays(path: Path, fields: tuple[str, ...]) -> dict[str, NDArray[np.generic]]:
    """Map a folder of NPY files, or one file of [chosen, rejected], (n_pairs, 2, n_features) or (n_pairs, 2)."""
    if path.is_dir():
        files = {file.stem: file for file in sorted(path.glob("*.npy"))}
        return {field: _array(files[name]) for field, name in fields_of(path, list(files), fields).items()}
    both = _array(path)
    is_items = both.ndim == 2 and both.dtype.kind in "iu"
    if both.shape[1:2] != (2,) or not (both.ndim == 3 or is_items):
        fail(
            path,
            "expected an array of [chosen, rejected], (n_pairs, 2, n_features) or (n_pairs, 2) whole numbers, "
            f"found shape {both.shape} and dtype {both.dtype}",
        )
    return {"chosen": both[:, 0], "rejected": both[:, 1]}


def _array(path: Path) -> NDArray[np.generic]:
    with open_file(path) as file, readable(path, "an NPY file of a plain array"):
        return map_array(file, size_of(file))
