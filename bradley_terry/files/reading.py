"""From rows to pairs or rankings: all rows of a file are of one kind.

    texts       answers in words or chat messages; their features are computed
    items       names, which are numbered
    vectors     lists of numbers, or one number for each named feature

In a table, a word may be a text or the name of an item. Which it is shows only when all rows are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..arrays.visible import counted
from ..fitting.progress import followed
from ..pairs import PreferencePairs
from .characters import Halves, merged_names
from .chats import as_text, split_prompt
from .items import LONGEST_NAME, look_like_texts, matchups_of
from .limits import check_memory
from .messages import NUMBERS, as_number, fail, finite_number, listed, make_pairs, make_rankings
from .notes import Notes
from .ranked import names_of_rankings, pairs_within, refuse_repeated, without_labels
from .rows import Reader, Row
from .texts import Featurise, Texts, features_of, number_prompts

if TYPE_CHECKING:
    from ..ranking.rankings import PreferenceRankings

__all__ = ["read", "read_rankings"]

_BETWEEN_CHECKS = 2**14  # rows between two looks at the free memory
_NEEDED = 2**26  # bytes that must be free then

_DEFAULT = {"label": 1.0, "weight": 1.0, "target_margin": 0.0}


def read(
    path: Path | str,
    records: Iterable[tuple[str, dict[str, object]]],
    *,
    table: str = "",
    featurise: Featurise | None = None,
    as_texts: bool = False,
) -> tuple[PreferencePairs | None, Texts | None]:
    """Return the pairs and their texts, if they have any.

    Parameters
    ----------
    path : Path or str
        What messages begin with.
    records : iterable of (place, record)
    table : "csv", "frame" or ""
        Not empty if a word may be the name of an item. In doubt, it is one in CSV, but a text in a frame.
    featurise : callable, optional
    as_texts : bool
        Return the texts alone, without features.
    """
    notes = Notes(path)
    reader = Reader(path, notes, bool(table))
    rows = _gathered(path, reader.rows(followed(records, "rows read")), records)
    if not rows:
        fail(path, "expected at least one pair, found no two answers to a prompt that differ in rank or score")
    kind = _kind(path, rows, lean=table == "frame", force=featurise is not None or as_texts)
    _check_merged(path, rows, kind, reader.halves)
    texts = _texts(path, rows) if kind == "texts" else None
    if texts is None and (featurise is not None or as_texts):
        argument = "featurise: expected texts" if featurise is not None else "expected texts"
        fail(path, f"{argument} in chosen and rejected, found {'names of items' if kind == 'items' else 'numbers'}")
    pairs = None
    if texts is not None:
        pairs = None if as_texts else texts.to_pairs(featurise)
    else:
        pairs = _items(path, rows) if kind == "items" else _vectors(path, rows)
    notes.give(kind)
    return pairs, texts


def read_rankings(
    path: Path | str,
    records: Iterable[tuple[str, dict[str, object]]],
    *,
    table: str = "",
    featurise: Featurise | None = None,
) -> PreferenceRankings:
    """Return the rankings that records hold; the arguments are those of ``read``."""
    notes = Notes(path)
    reader = Reader(path, notes, bool(table), as_rankings=True)
    rows = without_labels(path, notes, _gathered(path, reader.rows(followed(records, "rows read")), records))
    if not rows:
        fail(path, "expected at least one ranking, found no two answers to a prompt that differ in rank or score")
    kind = _kind(path, rows, lean=table == "frame", force=featurise is not None)
    _check_merged(path, rows, kind, reader.halves)
    if kind != "texts" and featurise is not None:
        fail(path, f"featurise: expected texts as answers, found {'names of items' if kind == 'items' else 'numbers'}")
    given = _prompts(rows)
    asked_of = [prompt or "" for prompt in given]
    names: Sequence[str]
    if kind == "texts":
        sets = [_words(row) for row in rows]
        prompts = [asked for asked, texts in sets for _ in texts]
        features, names = features_of(path, prompts, [text for _, texts in sets for text in texts], featurise)
        given, asked_of = [None] * len(rows), [asked for asked, _ in sets]  # numbers stand for prompts in words
    elif kind == "items":
        numbers, names = _numbered(path, rows, _answer)
        refuse_repeated(path, rows)
        features = np.array(numbers)
    else:
        vectors, names = _numbers_of(path, rows, _answer)
        features = np.array(vectors, dtype=np.float64)
    sizes = [len(row.answers) for row in rows]
    weights = _columns(rows).get("weights")
    clusters = np.array(number_prompts(asked_of, [row.group for row in rows]))
    rankings = make_rankings(
        path,
        features,
        [min(i, size - row.n_last) + 1 for row, size in zip(rows, sizes, strict=True) for i in range(size)],
        [name for name, size in zip(names_of_rankings(given), sizes, strict=True) for _ in range(size)],
        weights=None if weights is None else np.repeat(weights, sizes),
        feature_names=names,
        clusters=None if np.unique(clusters).size == len(rows) else np.repeat(clusters, sizes),
    )
    notes.give(kind)
    return rankings


def _gathered(path: Path | str, rows: Iterable[Row], records: object) -> list[Row]:
    """Return the rows as a list; fail if the memory runs out, or if a record is nested too deeply to be read."""
    gathered = []
    try:
        for n, row in enumerate(rows, start=1):
            gathered.append(row)
            if n % _BETWEEN_CHECKS == 0:
                check_memory(path, _NEEDED)
    except RecursionError:
        fail(path, "expected records without deep nesting, found one that is too deeply nested to read")
    finally:
        if hasattr(records, "close"):
            records.close()  # the file that is read, also if a record is refused
    return gathered


def _kind(path: Path | str, rows: list[Row], *, lean: bool, force: bool) -> str:  # noqa: RET503
    """Return what all rows hold: texts, items or vectors."""
    kinds = {row.kind for row in rows}
    if kinds == {"named"}:
        return "vectors"
    if len(kinds) == 1 and kinds <= {"texts", "items", "vectors"}:
        return rows[0].kind
    if kinds <= {"words", "names", "texts"} and (force or kinds == {"words", "texts"}):
        return "texts"
    if kinds <= {"words", "names", "items"}:
        compared = [pair for row in rows for pair in (pairs_within(row) if len(row.answers) > 2 else [row])]
        answers = [(str(row.answers[0]), str(row.answers[1])) for row in compared]
        has_prompts = any(row.prompt is not None for row in rows)
        prompts = [as_text(row.prompt or "") for row in compared] if has_prompts else []
        if look_like_texts(answers, prompts, lean=lean and "words" in kinds):
            return "texts"
        cells = {cell for pair in answers for cell in pair}
        if all(isfinite(as_number(cell)) for cell in cells) and not all(as_number(cell).is_integer() for cell in cells):
            hint = "if these are a feature, name the columns x_chosen and x_rejected"
            fail(path, f"expected texts or names of items in chosen and rejected, found numbers; {hint}", rows[0].place)
        return "items"
    other = next(row for row in rows if row.kind != rows[0].kind)
    fail(path, f"expected {_SAID[rows[0].kind]} as in {rows[0].place}, found {_SAID[other.kind]}", other.place)


def _check_merged(path: Path | str, rows: list[Row], kind: str, halves: Halves) -> None:
    """Fail if two items would become one, since their names differ only in half characters."""
    if kind == "items" and halves.merged:
        for row in rows:
            for name in halves.merged.intersection(map(str, row.answers)):
                fail(path, merged_names(name), row.place)


_SAID = {
    "texts": "texts",
    "words": "texts",
    "names": "names of items",
    "items": "names of items",
    "vectors": "lists of numbers",
    "named": "numbers with names",
}


def _columns(rows: list[Row]) -> dict[str, list[float]]:
    return {
        field: [row.numbers.get(key, _DEFAULT[key]) for row in rows]
        for key, field in NUMBERS.items()
        if any(key in row.numbers for row in rows)
    }


def _texts(path: Path | str, rows: list[Row]) -> Texts:
    sets = [_words(row) for row in rows]
    prompts = [prompt for prompt, _ in sets]
    chosen, rejected = ([texts[side] for _, texts in sets] for side in (0, 1))
    groups = [row.group for row in rows]
    return Texts(path, prompts, chosen, rejected, **_columns(rows), groups=groups)


def _words(row: Row) -> tuple[str, list[str]]:
    """Return the prompt and the answers in words; a word in a table may begin with the prompt."""
    if row.kind == "words":
        return split_prompt("" if row.prompt is None else row.prompt, [str(answer) for answer in row.answers])
    return as_text(row.prompt or ""), [str(answer) for answer in row.answers]


def _prompts(rows: list[Row]) -> list[str | None]:
    """Return the prompts of items or vectors, None where none is given."""
    return [None if row.prompt is None else as_text(row.prompt) or None for row in rows]


def _side(side: int) -> str:
    """Return what messages call an answer of a pair."""
    return "rejected" if side else "chosen"


def _answer(side: int) -> str:
    """Return what messages call an answer of a ranking."""
    return f"answer {side + 1}"


def _items(path: Path | str, rows: list[Row]) -> PreferencePairs:
    numbers, items = _numbered(path, rows)
    chosen, rejected = numbers[::2], numbers[1::2]
    matchups = matchups_of(chosen, rejected, items)
    prompts = [matchup if given is None else given for given, matchup in zip(_prompts(rows), matchups, strict=True)]
    return make_pairs(path, chosen, rejected, prompts=prompts, feature_names=items, **_columns(rows))


def _numbered(path: Path | str, rows: list[Row], called: Callable[[int], str] = _side) -> tuple[list[int], list[str]]:
    """Return the numbers of all items in all rows, one after the other, and the names of the items."""
    answers = [str(answer) for row in rows for answer in row.answers]
    cells = set(answers)
    if any(cell.endswith(".0") for cell in cells) and all(as_number(cell).is_integer() for cell in cells):
        whole = {cell: cell.removesuffix(".0") for cell in cells}  # pandas writes 1 as 1.0 beside a missing value
        answers = [whole[cell] for cell in answers]
        cells = set(answers)
    items = sorted(cells)
    if not items[0] or len(max(items, key=len)) > LONGEST_NAME:
        for row in rows:
            for side, name in enumerate(map(str, row.answers)):
                if not name or len(name) > LONGEST_NAME:
                    found = "a text" if name else "an empty cell"
                    where = called(side) if called is _answer else f"column {called(side)}"
                    fail(path, f"{where}: expected a name, found {found}", row.place)
    number = {name: i for i, name in enumerate(items)}
    return [number[cell] for cell in answers], items


def _vectors(path: Path | str, rows: list[Row]) -> PreferencePairs:
    vectors, names = _numbers_of(path, rows)
    chosen, rejected = vectors[::2], vectors[1::2]
    given = _prompts(rows)
    groups = number_prompts([""] * len(rows), [row.group for row in rows])
    prompts = groups if not any(given) else [p or f"row {group}" for p, group in zip(given, groups, strict=True)]
    return make_pairs(path, chosen, rejected, prompts=prompts, feature_names=names, **_columns(rows))


def _numbers_of(
    path: Path | str, rows: list[Row], called: Callable[[int], str] = _side
) -> tuple[list[list[float]], list[str]]:
    """Return the features of all answers in all rows, one after the other, and the names of the features."""
    first = rows[0].answers[0]
    names = list(first) if isinstance(first, Mapping) else None
    known = set(names or ())
    size = len(first)  # type: ignore[arg-type]
    vectors: list[list[float]] = []
    for row in rows:
        for side, value in enumerate(row.answers):
            key = called(side)
            if isinstance(value, dict) and value.keys() != known:
                fail(path, f"{key}: expected the names {listed(names or ())}, found {listed(value)}", row.place)
            vector = [value[name] for name in names or ()] if isinstance(value, Mapping) else list(value)  # type: ignore[call-overload]
            if len(vector) != size:
                wanted = f"{counted(size, 'number')}, as in {called(0)} of {rows[0].place}"
                fail(path, f"{key}: expected {wanted}, found {len(vector)}", row.place)
            is_checked = row.kind == "named"
            vectors.append(vector if is_checked else [finite_number(path, row.place, key, one) for one in vector])
    return vectors, names or [f"x{i + 1}" for i in range(size)]
