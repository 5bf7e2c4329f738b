"""JSON: one object on each line (JSONL), an array of objects, or objects with line breaks in them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import closing
from itertools import chain, islice
from pathlib import Path

from .limits import check_json
from .lines import numbered_lines
from .messages import fail, show
from .objects import RepeatedNameError, decoder

_SPACE = re.compile(r"[\s,]*")
_SHORT = 2**20  # letters of an array that is decoded only to be shown
_TOO_DEEP = "expected a JSON object, found JSON that is too large or too deeply nested to read"


def read_records(path: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield (line N, object) for each object; the line is the one on which it begins."""
    with closing(numbered_lines(path)) as every_line:
        yield from _records(path, every_line)


def _records(path: Path, every_line: Iterator[tuple[int, str]]) -> Iterator[tuple[str, dict[str, object]]]:
    lines = ((line, text) for line, text in every_line if text.strip())
    begin = list(islice(lines, 2))
    if not begin:
        fail(path, "expected at least one pair, found an empty file")
    if not _is_one_on_each_line(path, begin):
        yield from _document(path, begin, every_line)
        return
    for line, text in chain(begin, lines):
        yield f"line {line}", _json_object(path, line, text)


def _is_one_on_each_line(path: Path, begin: list[tuple[int, str]]) -> bool:
    """Return whether the first line is an object of its own that does not wrap others, or no object at all."""
    if begin[0][1].strip(" \t\r,")[:1] not in {"[", "{", ""}:
        return True
    check_json(path, begin[0][1])
    try:
        first = decoder().decode(begin[0][1])
    except RepeatedNameError:
        return True  # the error is then raised where the line is read
    except (ValueError, RecursionError):
        return False
    return isinstance(first, dict) and not (len(begin) == 1 and _wrapped(first))


def _json_object(path: Path, line: int, text: str) -> dict[str, object]:
    import json  # noqa: PLC0415

    check_json(path, text)
    try:
        record: object = decoder().decode(text)
    except json.JSONDecodeError as error:
        fail(path, f"expected a JSON object, found text that is not JSON ({error.msg}, column {error.colno})", line)
    except RepeatedNameError as error:
        fail(path, str(error), line)
    except (ValueError, RecursionError):  # a number with thousands of digits, or thousands of nested lists
        fail(path, _TOO_DEEP, line)
    if not isinstance(record, dict):
        fail(path, f"expected a JSON object, found {show(record)}", line)
    return record


def _document(
    path: Path, begin: list[tuple[int, str]], others: Iterator[tuple[int, str]]
) -> Iterator[tuple[str, dict[str, object]]]:
    """Read an array of objects, or objects one after the other, which may have line breaks in them."""
    first, written, gathered = begin[0][0], 1, io.StringIO()  # which needs less memory than a list of short lines
    for number, content in chain(begin, others):
        gathered.write("\n" * (number - written) + content)
        written = number
    text = gathered.getvalue().rstrip()
    check_json(path, text)
    start = _next(text, 0)
    is_array = text.startswith("[", start)
    at, end = (_next(text, start + 1), "]") if is_array else (start, "")
    found, line, counted = 0, 1, 0
    while at < len(text) and text[at] != end:
        line, counted = line + text.count("\n", counted, at), at
        record, after = _decoded(path, text, at)
        if not isinstance(record, dict):
            is_short = is_array and not found and len(text) < _SHORT
            whole = _decoded(path, text, start)[0] if is_short else record
            fail(path, f"expected a JSON object, found {show(whole)}", line)
        if not is_array and not found and (inner := _wrapped(record)):
            if _next(text, after) < len(text):
                fail(path, f"expected one JSON object that holds {inner}, found more after it", line)
            records = record[inner]
            yield from ((f"{inner}, row {row}", one) for row, one in enumerate(records))
            return
        yield f"line {line}", record
        found += 1
        at = _next(text, after)
    if is_array and at >= len(text):
        fail(path, "expected a whole JSON array, found one that ends too early", text.count("\n") + 1)
    if is_array and text[at + 1 :].strip():
        beyond = _next(text, at + 1)
        fail(path, "expected nothing after the JSON array, found more", line + text.count("\n", counted, beyond))
    if not found:
        fail(path, f"expected at least one pair, found {'an empty JSON array' if is_array else 'none'}", first)


def _next(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _decoded(path: Path, text: str, at: int) -> tuple[object, int]:
    import json  # noqa: PLC0415

    try:
        return decoder().raw_decode(text, at)
    except json.JSONDecodeError as error:
        said = f"expected a JSON object, found text that is not JSON ({error.msg}, column {error.colno})"
        fail(path, said, error.lineno)
    except RepeatedNameError as error:
        fail(path, str(error), text.count("\n", 0, at) + 1)
    except (ValueError, RecursionError):
        fail(path, _TOO_DEEP, text.count("\n", 0, at) + 1)


def _wrapped(record: dict[str, object]) -> str | None:
    """Return the name of the one list that holds the records, as in {"version": 1, "data": [{…}, {…}]}."""
    lists = [name for name, value in record.items() if isinstance(value, list) and value]
    if len(lists) != 1 or lists[0].lower() not in {"data", "rows", "records", "examples", "pairs", "items", "train"}:
        return None
    return lists[0] if all(isinstance(one, dict) for one in record[lists[0]]) else None  # type: ignore[attr-defined]
