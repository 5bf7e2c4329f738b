"""From rows to pairs: all rows of a file are of one kind.

    texts       answers in words or chat messages; their features are computed
    items       names, which are numbered
    vectors     lists of numbers, or one number for each named feature

In a table, a word may be a text or the name of an item. Which it is shows only when all rows are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path

from ..pairs import PreferencePairs
from .chats import as_text, split_prompt
from .items import LONGEST_NAME, look_like_texts, matchups_of
from .messages import NUMBERS, as_number, fail, finite_number, listed, make_pairs
from .notes import Notes
from .rows import Reader, Row
from .texts import Featurise, Texts, number_prompts

__all__ = ["read"]

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
    rows = list(Reader(path, notes, bool(table)).rows(records))
    if not rows:
        fail(path, "expected at least one pair, found no two answers to a prompt that differ in rank or score")
    kind = _kind(path, rows, lean=table == "frame", force=featurise is not None or as_texts)
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
        answers = [(str(row.chosen), str(row.rejected)) for row in rows]
        has_prompts = any(row.prompt is not None for row in rows)
        prompts = [as_text(row.prompt or "") for row in rows] if has_prompts else []
        if look_like_texts(answers, prompts, lean=lean and "words" in kinds):
            return "texts"
        cells = {cell for pair in answers for cell in pair}
        if all(isfinite(as_number(cell)) for cell in cells) and not all(as_number(cell).is_integer() for cell in cells):
            hint = "if these are a feature, name the columns x_chosen and x_rejected"
            fail(path, f"expected texts or names of items in chosen and rejected, found numbers; {hint}", rows[0].place)
        return "items"
    other = next(row for row in rows if row.kind != rows[0].kind)
    fail(path, f"expected {_SAID[rows[0].kind]} as in {rows[0].place}, found {_SAID[other.kind]}", other.place)


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
    prompts: list[str] = []
    chosen: list[str] = []
    rejected: list[str] = []
    for row in rows:
        parts: tuple[object, ...] = (row.prompt, row.chosen, row.rejected)
        if row.kind == "words":
            given = "" if row.prompt is None else row.prompt
            parts = split_prompt(given, str(row.chosen), str(row.rejected))
        for texts, part in zip((prompts, chosen, rejected), parts, strict=True):
            texts.append(str(part))
    groups = [row.group for row in rows]
    return Texts(path, prompts, chosen, rejected, **_columns(rows), groups=groups)


def _prompts(rows: list[Row]) -> list[str | None]:
    """Return the prompts of items or vectors, None where none is given."""
    return [None if row.prompt is None else as_text(row.prompt) or None for row in rows]


def _items(path: Path | str, rows: list[Row]) -> PreferencePairs:
    winners, losers = [str(row.chosen) for row in rows], [str(row.rejected) for row in rows]
    cells = {*winners, *losers}
    if any(cell.endswith(".0") for cell in cells) and all(as_number(cell).is_integer() for cell in cells):
        whole = {cell: cell.removesuffix(".0") for cell in cells}  # pandas writes 1 as 1.0 beside a missing value
        winners, losers = [whole[cell] for cell in winners], [whole[cell] for cell in losers]
    items = sorted({*winners, *losers})
    if not items[0] or len(max(items, key=len)) > LONGEST_NAME:
        for row in rows:
            for side, name in (("chosen", str(row.chosen)), ("rejected", str(row.rejected))):
                if not name or len(name) > LONGEST_NAME:
                    found = "a text" if name else "an empty cell"
                    fail(path, f"column {side}: expected a name, found {found}", row.place)
    number = {name: i for i, name in enumerate(items)}
    chosen, rejected = [number[name] for name in winners], [number[name] for name in losers]
    matchups = matchups_of(chosen, rejected, items)
    prompts = [matchup if given is None else given for given, matchup in zip(_prompts(rows), matchups, strict=True)]
    return make_pairs(path, chosen, rejected, prompts=prompts, feature_names=items, **_columns(rows))


def _vectors(path: Path | str, rows: list[Row]) -> PreferencePairs:
    first = rows[0].chosen
    names = list(first) if isinstance(first, Mapping) else None
    known = set(names or ())
    sides: list[list[list[float]]] = [[], []]
    for row in rows:
        for side, key, value in zip(sides, ("chosen", "rejected"), (row.chosen, row.rejected), strict=True):
            if isinstance(value, dict) and value.keys() != known:
                fail(path, f"{key}: expected the names {listed(names or ())}, found {listed(value)}", row.place)
            vector = [value[name] for name in names or ()] if isinstance(value, Mapping) else list(value)  # type: ignore[call-overload]
            if (sides[0] or side) and len(vector) != len(sides[0][0]):
                wanted = f"{len(sides[0][0])} numbers, as in chosen of {rows[0].place}"
                fail(path, f"{key}: expected {wanted}, found {len(vector)}", row.place)
            side.append(vector if row.kind == "named" else [finite_number(path, row.place, key, one) for one in vector])
    given = _prompts(rows)
    groups = number_prompts([""] * len(rows), [row.group for row in rows])
    prompts = groups if not any(given) else [p or f"row {group}" for p, group in zip(given, groups, strict=True)]
    names = names or [f"x{i + 1}" for i in range(len(sides[0][0]))]
    return make_pairs(path, sides[0], sides[1], prompts=prompts, feature_names=names, **_columns(rows))
