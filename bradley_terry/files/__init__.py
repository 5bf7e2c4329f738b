"""Preference pairs in files. Fitted models in files are in the module ``models``.

    load_pairs    a file of any supported format → PreferencePairs
    load_rankings the same files → PreferenceRankings
    save_pairs    PreferencePairs → an NPZ file
    read_texts    a file of texts → its prompts and answers in words

A format either holds arrays, or yields records: one dict for each row, with the place where it was found.

    npz, npy      arrays, which are mapped into memory instead of read; what both need is in ``arrays``
    jsonl         JSON, one object on each line, or an array of objects
    csv_table     cells below a header
    parquet       needs pyarrow
    memory        data frames and lists of dicts

What a record means does not depend on its format:

    names         what the fields are called: one table of names and synonyms
    shapes        which fields together make a pair, a contest, a ranking, …
    chats         texts and messages, and which part of them is the prompt
    contests      who won, and how several answers become pairs or rankings
    trees         trees of messages with ranked replies
    rows          from records to rows, one for each pair or ranking
    ranked        what is special about rankings
    reading       from rows, which must all be of one kind, to pairs or rankings
    items         names of items
    texts, text   texts, and their features
    notes         warnings about what was left out or contradicts itself

The other modules serve all formats:

    opened        opens every file, and only regular files
    limits        how much is read: sizes after unpacking, lines, numbers of pairs, memory
    archives      what may be in an NPZ file or a model
    lines         turns a file into lines of text
    characters    halves of characters
    messages      says what is wrong with a file
    saving        writes any file or folder as a whole, so that a crash or a full disk leaves the old one

A file is either read completely or refused. The error names the file, the line, what was expected and what was found.

To add a format, write a module with ``read_records(path)`` and add a line to ``FORMATS``. Import what only one format
needs (csv, gzip, json, zipfile) in the function that needs it, so that importing the package stays fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..arrays import single
from ..pairs import PreferencePairs
from . import csv_table, jsonl, memory, npy, npz, parquet
from .arrays import FIELDS, MOST_NAMES
from .chats import Messages
from .items import LONGEST_NAME, matchups_of
from .limits import within_memory
from .messages import NUMBERS, fail
from .notes import DataNote
from .npz import save_pairs
from .opened import open_file
from .reading import read, read_rankings
from .text import feature_names, text_features
from .texts import Featurise, Texts

if TYPE_CHECKING:
    from ..ranking.rankings import PreferenceRankings

__all__ = [
    "FIELDS",
    "FORMATS",
    "LONGEST_NAME",
    "MOST_NAMES",
    "NUMBERS",
    "DataNote",
    "Messages",
    "Texts",
    "feature_names",
    "from_records",
    "load_pairs",
    "load_rankings",
    "matchups_of",
    "rankings_from_records",
    "read_file",
    "read_texts",
    "save_pairs",
    "text_features",
]

Records = Iterator[tuple[str, dict[str, object]]]


class Format(NamedTuple):
    """The endings of the names of such files, and what reads pairs, records or rankings; ``table`` as in ``read``."""

    endings: tuple[str, ...]
    read_pairs: Callable[[Path], PreferencePairs] | None = None
    read_records: Callable[[Path], Records] | None = None
    table: str = ""
    read_rankings: Callable[[Path], PreferenceRankings] | None = None


FORMATS = {
    "jsonl": Format((".jsonl", ".jsonl.gz", ".ndjson"), read_records=jsonl.read_records),
    "json": Format((".json", ".json.gz"), read_records=jsonl.read_records),
    "csv": Format((".csv", ".csv.gz", ".tsv", ".tsv.gz"), read_records=csv_table.read_records, table="csv"),
    "parquet": Format((".parquet",), read_records=parquet.read_records, table="frame"),
    "npz": Format((".npz",), npz.read_pairs, read_rankings=npz.read_rankings),
    "npy": Format((".npy",), npy.read_pairs, read_rankings=npy.read_rankings),
}


def load_pairs(
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002  # as pandas calls it
    featurise: Featurise | None = None,
) -> PreferencePairs:
    """Read preference pairs from a file, or from a folder of NPY files.

    Parameters
    ----------
    path : str or Path
    format : "jsonl", "json", "csv", "parquet", "npz" or "npy", optional
        Chosen by the ending of the name unless given. A folder is "npy".
    featurise : callable, optional
        Makes the features of texts: ``featurise(texts)`` returns an array, (n_texts, n_features), with one row for each
        text of a list. It is called once, with each different answer once: the chosen ones and then the rejected
        ones, in the order in which they first appear. By default the features are ``text_features``, which also look
        at the prompt.

    Returns
    -------
    PreferencePairs
        JSON, CSV and Parquet may hold texts, chat messages, items, features, contests, rankings or scores;
        docs/formats.md lists the layouts and the names of the fields. Prompts with equal texts get the same number. An
        empty prompt is different from every other, except that the pairs of one record share it. Items are numbered in
        the order of their names. If a pair of items has no prompt, the name of its matchup, "Anna vs Bob", becomes the
        prompt.

        An NPZ file holds the fields of ``PreferencePairs`` as arrays, which are memory-mapped unless they are
        compressed. NPY is a folder with ``chosen.npy``, ``rejected.npy`` and optionally the other fields, or one file
        with an array of [chosen, rejected]: (n_pairs, 2, n_features) real or (n_pairs, 2) integer. Mapped pairs may be
        larger than the memory.

        If a file has no prompts, each record is a prompt of its own.

    Raises
    ------
    FileNotFoundError, PermissionError
        If there is no such file, or if it may not be read.
    ModuleNotFoundError
        If the file is a Parquet file and pyarrow is not installed.
    ValueError
        If the content is invalid. The message is "path: line N: what was expected, what was found". A pair of identical
        answers is not an error. Also if the path is not a regular file, or if the file exceeds one of the limits in
        docs/formats.md.

    Warns
    -----
    DataNote
        If something was left out that looks like training data, or if scores contradict a choice.

    Notes
    -----
    An NPZ file is read once from end to end to check its checksums. NPY files have no checksum, so only their
    length is checked. ``PreferencePairs`` says what happens if a mapped file changes later.
    """
    return read_file(path, format=format, featurise=featurise)[0]


def read_file(
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002
    featurise: Featurise | None = None,
) -> tuple[PreferencePairs, Texts | None]:
    """Return the pairs that ``load_pairs`` returns, and the texts that they were made from, or None."""
    path = single.path("path", path)
    found = FORMATS[_format_of(path, format)]
    with within_memory(path):
        if found.read_records is not None:
            pairs, texts = read(path, found.read_records(path), table=found.table, featurise=featurise)
            assert pairs is not None
            return pairs, texts
        assert found.read_pairs is not None
        pairs = found.read_pairs(path)
    if featurise is not None:
        fail(path, "featurise: expected texts in chosen and rejected, found numbers")
    return pairs, None


def load_rankings(
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002
    featurise: Featurise | None = None,
) -> PreferenceRankings:
    """Read rankings from a file, or from a folder of NPY files.

    Parameters
    ----------
    path, format, featurise
        As in ``load_pairs``. ``featurise`` gets the answers record by record, the best first.

    Returns
    -------
    PreferenceRankings
        The records are those that ``load_pairs`` reads, and ``as_pairs()`` gives the same pairs. A pair is a ranking of
        two answers. One chosen answer and several rejected ones get the ranks 1, 2, 2 and so on. Ranks or scores become
        the ranks 1, 2, 3 in their order. Answers with equal ranks or scores share the last rank if they are the worst;
        otherwise the prompt becomes several rankings. Each ranking counts as a prompt of its own. See docs/formats.md.

        NPZ and NPY hold the arrays features, ranks and prompts, and optionally weights and feature_names.

    Raises
    ------
    FileNotFoundError, ModuleNotFoundError, ValueError
        As in ``load_pairs``. A label other than 0, 1/2 and 1 is an error, since rankings have no labels.

    Warns
    -----
    DataNote
        If something was left out that looks like training data, or if a prompt became several rankings.
    """
    path = single.path("path", path)
    found = FORMATS[_format_of(path, format)]
    with within_memory(path):
        if found.read_records is not None:
            return read_rankings(path, found.read_records(path), table=found.table, featurise=featurise)
        if found.read_rankings is None:
            fail(path, "expected a format that holds rankings, found one of pairs alone")
        rankings = found.read_rankings(path)
    if featurise is not None:
        fail(path, "featurise: expected texts as answers, found numbers")
    return rankings


def read_texts(path: str | Path, *, format: str | None = None) -> Texts:  # noqa: A002
    r"""Read the prompts and answers of a file as texts, without computing features.

    Parameters
    ----------
    path : str or Path
        JSONL, JSON, CSV or Parquet, with the fields that ``load_pairs`` knows.
    format : str, optional
        As in ``load_pairs``.

    Returns
    -------
    Texts
        If both answers begin with the same messages, these become the prompt, or are added to its end. If no prompt
        is given and both answers are transcripts of the form ``"\n\nHuman: …\n\nAssistant: …"`` (HH-RLHF), the prompt
        is their common beginning, up to the last ``"\n\nAssistant:"`` that both have.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the content is invalid. The message is "path: line N: what was expected, what was found".
    """
    path = single.path("path", path)
    found = FORMATS["jsonl" if format is None and _is_unknown(path) else _format_of(path, format)]
    if found.read_records is None:
        fail(path, "expected a file of texts, found one of arrays")
    with within_memory(path):
        texts = read(path, found.read_records(path), table=found.table, as_texts=True)[1]
    assert texts is not None
    return texts


def from_records(records: object, *, featurise: Featurise | None = None) -> PreferencePairs:
    """Make pairs from records in memory; ``PreferencePairs.from_records`` does the same.

    Parameters
    ----------
    records : iterable of mappings, or a data frame
        One dict for each row, with the fields that ``load_pairs`` knows. A list of dicts is read like JSONL. A frame
        of pandas or polars and a table of pyarrow are read like Parquet; their missing values count as not given.
    featurise : callable, optional
        As in ``load_pairs``.

    Raises
    ------
    TypeError
        If ``records`` is neither a data frame nor an iterable of mappings.
    ValueError
        If a record is invalid. The message is "records: row N: what was expected, what was found", counted from 0.

    Warns
    -----
    DataNote
        As in ``load_pairs``.

    Examples
    --------
    >>> from_records([{"winner": "Ann", "loser": "Bob"}, {"winner": "Bob", "loser": "Cy"}])
    PreferencePairs(2 pairs of items, 2 prompts)
    """
    with within_memory("records"):
        pairs = read("records", memory.records_of(records), table=_table_of(records), featurise=featurise)[0]
    assert pairs is not None
    return pairs


def rankings_from_records(records: object, *, featurise: Featurise | None = None) -> PreferenceRankings:
    """Make rankings from records in memory; ``PreferenceRankings.from_records`` does the same.

    The arguments, errors and notes are those of ``from_records``, and the rankings are those of ``load_rankings``.

    Examples
    --------
    >>> rankings_from_records([{"ranking": ["Ann", "Bob", "Cy"]}, {"winner": "Bob", "loser": ["Ann", "Cy"]}])
    PreferenceRankings(2 rankings of 3 items)
    """
    with within_memory("records"):
        return read_rankings("records", memory.records_of(records), table=_table_of(records), featurise=featurise)


def _table_of(records: object) -> str:
    return "frame" if memory.is_table(records) else ""


def _is_unknown(path: Path) -> bool:
    endings = tuple(ending for known in FORMATS.values() for ending in known.endings)
    return not path.name.lower().endswith(endings)


_CONVERT = {  # ending -> what such a file is, and how to make one that can be read
    (".xlsx", ".xls", ".ods"): "a spreadsheet; save it as CSV",
    (".pkl", ".pickle", ".pt", ".pth", ".joblib"): "a pickle, which may run code when it is opened; save its arrays "
    'with numpy.savez("pairs.npz", chosen=…, rejected=…)',
    (".arrow", ".feather"): 'a table of Arrow; pandas.read_feather(path).to_parquet("pairs.parquet") converts it',
    (".safetensors",): 'tensors; numpy.savez("pairs.npz", chosen=…, rejected=…) saves those of the answers',
    (".zip", ".tar", ".tgz", ".tar.gz", ".bz2", ".xz", ".zst"): "an archive; unpack it first",
    (".txt",): "a text; rename it to .jsonl or .csv",
}


def _format_of(path: Path, given: str | None) -> str:  # noqa: RET503  # fail never returns
    if given is not None:
        return single.one_of("format", given, tuple(FORMATS))
    for name, (endings, *_) in FORMATS.items():
        if path.name.lower().endswith(endings):
            return name
    if path.is_dir():
        return "npy"
    open_file(path, empty=None).close()  # says what is wrong if this is no file
    endings = tuple(ending for known in FORMATS.values() for ending in known.endings)
    found = next((f"; found {words}" for ends, words in _CONVERT.items() if path.name.lower().endswith(ends)), "")
    wanted = f"expected a name that ends in {', '.join(endings)}, or, from Python, format= one of {', '.join(FORMATS)}"
    fail(path, wanted + found)
