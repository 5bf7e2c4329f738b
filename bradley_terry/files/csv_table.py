"""CSV: a header with the names of the columns, and one record on each row.

    price_chosen,price_rejected,speed_chosen,speed_rejected         chosen,rejected,tie
    2.5,3.0,7,4                                                     Anna,Bob,no
    4.0,1.0,9,2                                                     Bob,Cleo,yes

Columns may also be separated by semicolons or tabs. A first column without a name that counts the rows from 0, as
pandas writes it, is left out. A cell that holds a list or an object in JSON is read as one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

from .lines import numbered_lines
from .messages import fail, listed, show

_PRINTED = re.compile(r"\[\s*\{'|\{'|\[\s*'|\[[\s\d.eE+-]*\d\s+[\s\d.eE+-]*\]$")  # a Python list, or a NumPy array


def read_records(path: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield (line N, column name -> cell) for each row below the header."""
    rows = _cells(path)
    header = [name.strip() for name in next(rows)[1]]
    has_index = not header[0] and len(header) > 1  # pandas writes its index without a name
    for name in header[has_index:]:
        if not name:
            fail(path, f"expected a name for each column, found an empty one in {listed(header)}", 1)
        if header.count(name) > 1:
            fail(path, f"expected different column names, found {name} twice", 1)
    found = 0
    for line, cells in rows:
        if len(cells) != len(header):
            fail(path, f"expected {len(header)} cells, one for each column of line 1, found {len(cells)}", line)
        if has_index and cells[0].strip() != str(found):
            fail(path, f"expected a name for each column, found an empty one in {listed(header)}", 1)
        named = zip(header[has_index:], cells[has_index:], strict=True)
        yield f"line {line}", {name: _value(path, line, name, cell.strip()) for name, cell in named}
        found += 1
    if not found:
        fail(path, "expected at least one row below the header, found none")


def _value(path: Path, line: int, column: str, cell: str) -> object:
    if not cell.startswith(("[", "{")):
        return cell
    import json  # noqa: PLC0415

    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        if _PRINTED.match(cell):
            hint = 'df.to_json("pairs.jsonl", orient="records", lines=True) writes a file that can be read'
            fail(path, f"column {column}: expected a text, found a printed Python list, {show(cell)}; {hint}", line)
        return cell


def _cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of each row that is not empty; the first is the header."""
    import csv  # noqa: PLC0415

    text = "".join(f"{text}\n" for _, text in numbered_lines(path))
    header = next((line for line in io.StringIO(text, newline=None) if line.strip()), "")
    separator = "," if "," in header else next((mark for mark in "\t;" if mark in header), ",")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    usual = csv.field_size_limit()
    found = False
    while True:
        line = reader.line_num + 1
        csv.field_size_limit(max(usual, len(text)))  # a text may be longer than the 131,072 letters that csv allows
        try:
            cells = next(reader, None)
        except csv.Error as error:
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
