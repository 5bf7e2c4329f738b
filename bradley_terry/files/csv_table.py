"""CSV: a header with the names of the columns, and one record on each row.

    price_chosen,price_rejected,speed_chosen,speed_rejected         chosen,rejected,tie
    2.5,3.0,7,4                                                     Anna,Bob,no
    4.0,1.0,9,2                                                     Bob,Cleo,yes

Columns may also be separated by semicolons or tabs. A first column without a name is the index of a data frame, as
pandas writes it, and is left out. If every cell of a column holds a list or an object in JSON, they are read as such.
"""

from __future__ import annotations

import io
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

from ..arrays.visible import counted
from .limits import LONGEST_LINE, check_json
from .lines import numbered_lines
from .messages import fail, is_number, listed, show
from .names import NAMES, plain
from .objects import RepeatedNameError, decoder

_PRINTED = re.compile(r"\[\s*\{'|\{'|\[\s*'|\[(?=[^\]]*\d\s)[\s\d.eE+-]+\]$")  # a Python list, or a NumPy array


def read_records(path: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield (line N, column name -> cell) for each row below the header."""
    with closing(_cells(path)) as rows:
        yield from _records(path, rows)


def _records(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[str, dict[str, object]]]:
    header = [name.strip() for name in next(rows)[1]]
    has_index = not header[0] and len(header) > 1  # pandas writes its index without a name
    seen = set(header[:has_index])
    for name in header[has_index:]:
        if not name:
            fail(path, f"expected a name for each column, found an empty one in {listed(header)}", 1)
        if name in seen:
            fail(path, f"expected different column names, found {listed([name])} twice", 1)
        seen.add(name)
    lines: list[int] = []
    table: list[tuple[str, ...]] = []
    for line, cells in rows:
        if len(cells) != len(header):
            wanted = counted(len(header), "cell")
            fail(path, f"expected {wanted}, one for each column of line 1, found {len(cells)}", line)
        lines.append(line)
        table.append(tuple(map(str.strip, cells[has_index:] if has_index else cells)))
    if not lines:
        fail(path, "expected at least one row below the header, found none")
    names = header[has_index:]
    decoded = _decoded(path, names, lines, table)
    for row, (line, stripped) in enumerate(zip(lines, table, strict=True)):
        record: dict[str, object] = dict(zip(names, stripped, strict=True))
        if decoded:
            record |= {name: values[row] for name, values in decoded.items()}
        yield f"line {line}", record


def _decoded(path: Path, names: list[str], lines: list[int], table: list[tuple[str, ...]]) -> dict[str, list[object]]:
    """Return the columns in which every cell is a list or an object in JSON; any other column holds texts."""
    decoded: dict[str, list[object]] = {}
    for column, name in enumerate(names):
        first = next((cells[column] for cells in table if cells[column]), "")
        if first.startswith(("[", "{")):
            values = _values(path, name, lines, [cells[column] for cells in table])
            if values is not None:
                decoded[name] = values
    answers = {*NAMES["chosen"], *NAMES["rejected"]}
    sides = [name for name in names if plain(name) in answers]
    if any(name not in decoded for name in sides):  # "[1]" beside an answer in words is an answer in words
        for name in set(sides) & decoded.keys():
            if all(isinstance(one, list) and all(map(is_number, one)) for one in decoded[name] if one):
                del decoded[name]
    return decoded


def _values(path: Path, column: str, lines: list[int], cells: list[str]) -> list[object] | None:
    """Return what the cells of a column are in JSON, or None if any of them is a text."""
    if not all(cell.startswith(("[", "{")) for cell in cells if cell):
        return None
    values: list[object] = []
    for line, cell in zip(lines, cells, strict=True):
        check_json(path, cell)
        try:
            values.append(decoder().decode(cell) if cell else cell)
        except RepeatedNameError as error:
            fail(path, f"column {column}: {error}", line)
        except (ValueError, RecursionError):
            if _PRINTED.match(cell):
                hint = 'df.to_json("pairs.jsonl", orient="records", lines=True) writes a file that can be read'
                fail(path, f"column {column}: expected a text, found a printed Python list, {show(cell)}; {hint}", line)
            return None
    return values


def _cells(path: Path) -> Generator[tuple[int, list[str]], None, None]:
    """Yield (line number, cells) of each row that is not empty; the first is the header."""
    import csv  # noqa: PLC0415

    numbered = numbered_lines(path)
    lines = (line for _, text in numbered for line in io.StringIO(f"{text}\n", newline=""))
    begin, header = [], ""
    for header in lines:
        begin.append(header)
        if header.strip():
            break
    separator = "," if "," in header else next((mark for mark in "\t;" if mark in header), ",")
    reader = csv.reader(chain(begin, lines), strict=True, delimiter=separator)
    usual = csv.field_size_limit()
    found = False
    while True:
        line = reader.line_num + 1
        csv.field_size_limit(max(usual, LONGEST_LINE))  # csv itself allows 131,072 letters
        try:
            cells = next(reader, None)
        except csv.Error as error:
            numbered.close()
            fail(path, f"expected cells separated by commas ({error})", reader.line_num)
        finally:
            csv.field_size_limit(usual)
        if cells is None:
            break
        if cells:
            found = True
            yield line, cells
    if not found:
        fail(path, "expected a header and at least one row, found an empty file")
