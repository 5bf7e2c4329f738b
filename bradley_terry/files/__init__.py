"""Preference pairs in files. Fitted models in files are in the module ``models``.

    load_pairs    a file of any supported format → PreferencePairs
    save_pairs    PreferencePairs → an NPZ file
    read_texts    a JSONL file → its prompts and answers in words

Each format has its own module:

    jsonl         texts or chat messages, one pair on each line
    csv_table     features of both answers, or names of the two items, one pair on each row
    npz, npy      arrays, which are mapped into memory instead of read; what both need is in ``arrays``

The other modules serve all formats:

    text          turns an answer in words into named features
    lines         turns a file into lines of text
    messages      says what is wrong with a file

A file is either read completely or refused. The error names the file, the line, what was expected and what was found.

To add a format, write a module with ``read_pairs(path)`` and add a line to ``FORMATS``. Import what only one format
needs (csv, gzip, json, zipfile) in the function that needs it, so that importing the package stays fast.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..pairs import PreferencePairs
from . import csv_table, jsonl, npy, npz
from .arrays import FIELDS, MOST_NAMES
from .csv_table import LONGEST_NAME, matchups_of
from .jsonl import Messages, Texts, read_texts
from .messages import NUMBERS, fail
from .npz import save_pairs
from .text import feature_names, text_features

__all__ = [
    "FIELDS",
    "FORMATS",
    "LONGEST_NAME",
    "MOST_NAMES",
    "NUMBERS",
    "Messages",
    "Texts",
    "feature_names",
    "load_pairs",
    "matchups_of",
    "read_texts",
    "save_pairs",
    "text_features",
]


class Format(NamedTuple):
    """The endings of the names of such files, and the function that reads a file."""

    endings: tuple[str, ...]
    read_pairs: Callable[[Path], PreferencePairs]


FORMATS = {
    "jsonl": Format((".jsonl", ".jsonl.gz"), jsonl.read_pairs),
    "csv": Format((".csv", ".csv.gz"), csv_table.read_pairs),
    "npz": Format((".npz",), npz.read_pairs),
    "npy": Format((".npy",), npy.read_pairs),
}


def load_pairs(path: str | Path, *, format: str | None = None) -> PreferencePairs:  # noqa: A002  # as pandas calls it
    """Read preference pairs from a file, or from a folder of NPY files.

    Parameters
    ----------
    path : str or Path
    format : "jsonl", "csv", "npz" or "npy", optional
        Chosen by the ending of the name unless given: .jsonl, .jsonl.gz, .csv, .csv.gz, .npz, .npy, or a folder.

    Returns
    -------
    PreferencePairs
        JSONL holds texts (see ``read_texts``); their features are ``text_features``. Equal prompts get the same
        number, and an empty prompt is different from every other.

        CSV holds features, in columns ``name_chosen`` and ``name_rejected`` for each feature, or items, whose names
        are in ``chosen`` and ``rejected``. Items are numbered in sorted order, and a true ``tie`` means label 0.5.
        ``prompt``, ``weight``, ``label`` and ``target_margin`` are optional columns. Without a prompt column, the
        prompt of two items is the name of their matchup, "Anna vs Bob".

        NPZ holds the fields of ``PreferencePairs`` as arrays, which are mapped unless they are compressed. NPY is a
        folder with ``chosen.npy``, ``rejected.npy`` and perhaps the other fields, or one array of [chosen, rejected]:
        (n_pairs, 2, n_features) real or (n_pairs, 2) integer. Mapped pairs may be larger than the memory.

        If a file has no prompts, each pair is a prompt of its own. Up to a million such prompts are numbered.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        "path: line N: what was expected, what was found". A pair of identical answers is not an error.

    Notes
    -----
    An NPZ file is read once from end to end to check its checksums. NPY files have no checksum, so only their
    length is checked. ``PreferencePairs`` says what happens if a mapped file changes later.
    """
    path = Path(path)
    return FORMATS[_format_of(path, format)].read_pairs(path)


def _format_of(path: Path, given: str | None) -> str:  # noqa: RET503  # fail never returns
    if given is not None:
        if given not in FORMATS:
            raise ValueError(f"format: expected one of {', '.join(FORMATS)}, got {given!r}")
        return given
    for name, (endings, _) in FORMATS.items():
        if path.name.lower().endswith(endings):
            return name
    if path.is_dir():
        return "npy"
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    endings = tuple(ending for known in FORMATS.values() for ending in known.endings)
    fail(
        path, f"expected a name that ends in {', '.join(endings)}, or, from Python, format= one of {', '.join(FORMATS)}"
    )
