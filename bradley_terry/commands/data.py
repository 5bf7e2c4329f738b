"""Find the data that ``train`` and ``evaluate`` are given: a file, a data set of the package, or pairs."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from ..arrays import single
from ..arrays.visible import quoted, visible
from ..pairs import PreferencePairs

if TYPE_CHECKING:
    from ..files import Texts
    from ..ranking.rankings import PreferenceRankings

__all__ = ["SHIPPED", "Data", "check_writable", "find_data", "find_rankings", "name_of", "warnings_in_lines"]

SHIPPED = ("travel-modes", "citations", "baseball")
"""The data sets that ship with the package: the functions of ``datasets``, with a dash for the underscore."""

DATA_HELP = (
    "a .jsonl, .json, .csv, .parquet, .npz or .npy file, a folder of .npy files, or one of the data sets "
    f"{', '.join(SHIPPED)}"
)


@dataclass(frozen=True, eq=False)
class Data:
    """Preference pairs with a name and, if they were made from texts or rankings, with these."""

    name: str
    pairs: PreferencePairs
    texts: Texts | None = None
    rankings: PreferenceRankings | None = None


def find_data(data: str | Path | PreferencePairs) -> Data:
    """Return the pairs that ``data`` names.

    Parameters
    ----------
    data : str, Path or PreferencePairs
        A file or folder that ``load_pairs`` reads, the name of a data set in ``SHIPPED``, or the pairs themselves.

    Raises
    ------
    FileNotFoundError
        If there is no such file and no data set of that name.
    ValueError
        If the file cannot be read as preference pairs; the message names the line.
    """
    from .. import datasets
    from ..files import read_file

    if isinstance(data, PreferencePairs):
        return Data(name_of(data), data)
    if not isinstance(data, str | os.PathLike):
        raise TypeError(f"data: expected a file, the name of a data set or PreferencePairs, got {quoted(data)}")
    data = path = single.path("data", data)
    if str(data) in SHIPPED and not path.is_file():
        return Data(str(data), getattr(datasets, str(data).replace("-", "_"))())
    if not path.exists():
        raise FileNotFoundError(
            f"{visible(str(data), 1000)}: there is no such file; the data sets of the package are {', '.join(SHIPPED)}"
        )
    return Data(name_of(data), *read_file(path))


def find_rankings(data: str | Path | PreferenceRankings) -> Data:
    """Return the rankings of a file, of "travel-modes", or those given, with all pairs that they compare."""
    from .. import datasets
    from ..files import load_rankings
    from ..ranking.rankings import PreferenceRankings

    name = "rankings"
    if isinstance(data, str | os.PathLike):
        data = single.path("data", data)
        name, is_file = name_of(data), data.exists()
        if str(data) in SHIPPED[1:] and not is_file:
            raise ValueError(f"data: expected a file of rankings or travel-modes for a loss of rankings, got {data}")
        is_shipped = str(data) == SHIPPED[0] and not is_file
        data = datasets.travel_modes(as_choices=True) if is_shipped else load_rankings(data)
    if not isinstance(data, PreferenceRankings):
        raise TypeError(f"data: expected a file or PreferenceRankings for a loss of rankings, got {quoted(data)}")
    return Data(name, data.as_pairs(), rankings=data)


def name_of(data: str | Path | PreferencePairs) -> str:
    """Return a short name for the data: the name of the file without its endings, or "pairs"."""
    if isinstance(data, PreferencePairs):
        return "pairs"
    return PureWindowsPath(data).name.split(".")[0] or "run"  # also of a path of Windows


@contextmanager
def warnings_in_lines() -> Iterator[None]:
    """Print each warning of fits and of files as one line, without the line of our code that Python would show."""
    from ..files import DataNote
    from ..training import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        for category in (ConvergenceWarning, DataNote):
            warnings.simplefilter("always", category)
        yield
    for warning in caught:
        print(visible(f"bradley-terry: warning: {warning.message}", 2000), file=sys.stderr)


def check_writable(folder: Path) -> None:
    """Raise PermissionError, before any work is done, if this folder cannot be created or written to."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise PermissionError(f"{there}: cannot be written to; choose another folder")
