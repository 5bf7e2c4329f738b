"""CSV: one pair on each row, either the features of both answers or the names of two items.

    price_chosen,price_rejected,speed_chosen,speed_rejected         chosen,rejected,tie
    2.5,3.0,7,4                                                     Anna,Bob,no
    4.0,1.0,9,2                                                     Bob,Cleo,yes

Items have no prompt of their own. Without a ``prompt`` column, each pair's prompt names its matchup, "Anna vs Bob", and
does not depend on which of the two won.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..pairs import PreferencePairs
from .lines import numbered_lines
from .messages import NUMBERS, fail, finite_number, listed, make_pairs, show

LONGEST_NAME = 200  # characters; a longer cell is taken for a text instead of the name of an item

Rows = list[tuple[int, dict[str, str]]]  # (line, column name -> cell)


def read_pairs(path: Path) -> PreferencePairs:
    """Read a CSV file of features, or of items if it has the columns ``chosen`` and ``rejected``."""
    header, rows = _table(path)
    is_items = {"chosen", "rejected"} <= set(header)
    features = _feature_columns(path, header, is_items)
    columns: dict[str, list[float]] = {
        field: [finite_number(path, line, key, row[key]) for line, row in rows]
        for key, field in NUMBERS.items()
        if key in header
    }
    prompts: list[str] | None = None
    if "prompt" in header:
        prompts = [_name(path, line, "prompt", row["prompt"], longest=None) for line, row in rows]
    if is_items:
        if "tie" in header:
            columns["labels"] = [_label_of_tie(path, line, row["tie"]) for line, row in rows]
        return _pairs_of_items(path, rows, prompts, columns)
    return _pairs_of_features(path, rows, features, prompts, columns)


def matchups_of(chosen: Sequence[int], rejected: Sequence[int], names: Sequence[str]) -> list[str]:
    """Name the matchup of each pair of items, "Anna vs Bob", independent of which of the two won."""
    return [f"{names[min(a, b)]} vs {names[max(a, b)]}" for a, b in zip(chosen, rejected, strict=True)]


def _pairs_of_items(
    path: Path, rows: Rows, prompts: list[str] | None, columns: dict[str, list[float]]
) -> PreferencePairs:
    winners, losers = (
        [_name(path, line, side, row[side], LONGEST_NAME) for line, row in rows] for side in ("chosen", "rejected")
    )
    items = sorted({*winners, *losers})
    if prompts is not None and len(items) > len(rows) and sum(" " in name for name in items) * 2 > len(items):
        fail(path, "expected names of items in chosen and rejected, found what look like texts; texts belong in JSONL")
    number = {name: i for i, name in enumerate(items)}
    chosen, rejected = [number[name] for name in winners], [number[name] for name in losers]
    prompts = matchups_of(chosen, rejected, items) if prompts is None else prompts
    return make_pairs(path, chosen, rejected, prompts=prompts, feature_names=items, **columns)


def _pairs_of_features(
    path: Path, rows: Rows, features: list[str], prompts: list[str] | None, columns: dict[str, list[float]]
) -> PreferencePairs:
    def answers(side: str) -> list[list[float]]:
        names = [f"{name}_{side}" for name in features]
        return [[finite_number(path, line, name, row[name]) for name in names] for line, row in rows]

    return make_pairs(
        path,
        answers("chosen"),
        answers("rejected"),
        prompts=np.arange(len(rows)) if prompts is None else prompts,
        feature_names=features,
        **columns,
    )


def _feature_columns(path: Path, header: list[str], is_items: bool) -> list[str]:
    """Return the names of the features; refuse unknown columns, since one of them may be a misspelt weight."""
    known = {"prompt", *NUMBERS, *({"chosen", "rejected", "tie"} if is_items else ())}
    if is_items and {"tie", "label"} <= set(header):
        fail(path, "expected a column tie or a column label, found both", 1)
    features = []
    for name in header:
        feature, _, side = name.rpartition("_")
        if name in known:
            continue
        if is_items or not feature or side not in {"chosen", "rejected"}:
            either = "name_chosen and name_rejected, or chosen and rejected"
            wanted = ", ".join(sorted(known) if is_items else [either, *sorted(known)])
            fail(path, f"expected columns {wanted}; found {name}", 1)
        partner = f"{feature}_{'rejected' if side == 'chosen' else 'chosen'}"
        if partner not in header:
            fail(path, f"expected a column {partner} beside {name}, found none", 1)
        if feature not in features:
            features.append(feature)
    if not is_items and not features:
        fail(path, f"expected columns name_chosen and name_rejected, or chosen and rejected; found {listed(header)}", 1)
    return features


def _label_of_tie(path: Path, line: int, cell: str) -> float:
    word = cell.lower()
    if word in {"1", "1.0", "true", "yes", "y", "t", "tie"}:
        return 0.5
    if word not in {"", "0", "0.0", "false", "no", "n", "f"}:
        fail(path, f"column tie: expected true or false, found {show(cell)}", line)
    return 1.0


def _name(path: Path, line: int, column: str, cell: str, longest: int | None) -> str:
    if not cell:
        fail(path, f"column {column}: expected a name, found an empty cell", line)
    if longest is not None and (len(cell) > longest or "\n" in cell):
        fail(path, f"column {column}: expected the name of an item, found a text; texts belong in JSONL", line)
    return cell


def _table(path: Path) -> tuple[list[str], Rows]:
    """Return the names of the columns, and all rows below them."""
    rows = _cells(path)
    header = [name.strip() for name in next(rows)[1]]
    for name in header:
        if not name:
            fail(path, f"expected a name for each column, found an empty one in {listed(header)}", 1)
        if header.count(name) > 1:
            fail(path, f"expected different column names, found {name} twice", 1)
    table: Rows = []
    for line, cells in rows:
        if len(cells) != len(header):
            fail(path, f"expected {len(header)} cells, one for each column of line 1, found {len(cells)}", line)
        table.append((line, dict(zip(header, map(str.strip, cells), strict=True))))
    if not table:
        fail(path, "expected at least one row below the header, found none")
    return header, table


def _cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of each row that is not empty; the first is the header."""
    import csv  # noqa: PLC0415

    text = "".join(f"{text}\n" for _, text in numbered_lines(path))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found = False
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            fail(path, f"expected cells separated by commas ({error})", reader.line_num)
        if cells:
            if not found and len(cells) == 1 and (separator := next((c for c in ";\t" if c in cells[0]), "")):
                fail(path, f"expected columns separated by commas, found {separator!r} between them", 1)
            found = True
            yield reader.line_num, cells
    if not found:
        fail(path, "expected a header and at least one row, found an empty file")
