"""Pairs from files: JSONL of texts, CSV of features or of contests between items, NPZ or NPY of arrays.

A file is read whole or not at all: whatever is wrong with it ends in one sentence naming the file, the line, what was
wanted and what was found. Arrays are mapped, not read: the system fetches what is looked at, and may forget it again.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite, prod
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..pairs import PreferencePairs
from .text import feature_names, text_features

__all__ = ["Texts", "load_pairs", "matchups_of", "read_texts", "save_pairs"]

FORMATS = {"jsonl": (".jsonl", ".jsonl.gz"), "csv": (".csv", ".csv.gz"), "npz": (".npz",), "npy": (".npy",)}
NUMBERS = {
    "label": "labels",
    "weight": "weights",
    "target_margin": "target_margins",
}  # column of a file -> of the pairs
MOST_NAMES = 1_000_000  # beyond which items and prompts go without names, lest one wild number fill the memory
LONGEST_NAME = 200  # characters; whatever is longer is no name of an item but a text


@dataclass(frozen=True)
class Texts:
    """Pairs of answers in words, as ``read_texts`` finds them in a file.

    Attributes
    ----------
    path : Path
        The file.
    prompts, chosen, rejected : lists of str, of the same length
        A prompt is empty where the file names none.
    labels, weights, target_margins : lists of float, or None
        None where no line of the file has one.
    """

    path: Path
    prompts: list[str]
    chosen: list[str]
    rejected: list[str]
    labels: list[float] | None = None
    weights: list[float] | None = None
    target_margins: list[float] | None = None

    def __len__(self) -> int:
        return len(self.chosen)

    def to_pairs(self) -> PreferencePairs:
        """Return the pairs with the features of ``text``; prompts of equal text get the same number."""
        numbers: dict[str, int] = {}
        prompts = []
        for row, prompt in enumerate(self.prompts):
            key = prompt or f"\0{row}"  # an empty prompt shares nothing with another empty prompt
            prompts.append(numbers.setdefault(key, len(numbers)))
        return _pairs(
            self.path,
            text_features(self.prompts, self.chosen),
            text_features(self.prompts, self.rejected),
            prompts=prompts,
            feature_names=feature_names(),
            labels=self.labels,
            weights=self.weights,
            target_margins=self.target_margins,
        )


def load_pairs(path: str | Path, *, format: str | None = None) -> PreferencePairs:  # noqa: A002  # as pandas, numpy say
    """Read preference pairs from a file; map them where it holds arrays, so that they may be larger than the memory.

    Parameters
    ----------
    path : str or Path
        A file, or a folder of NPY files.
    format : "jsonl", "csv", "npz" or "npy", optional
        By the ending of the name unless given; .jsonl and .csv may be followed by .gz.

    Returns
    -------
    PreferencePairs, by what the file holds:
        texts (JSONL): see ``read_texts``. Features are ``text.text_features``. Equal prompts get the same number; an
        empty one is a prompt of its own. features (CSV): columns ``name_chosen`` and ``name_rejected`` for each
        feature. items (CSV): ``chosen`` and ``rejected`` hold the names of items, numbered in sorted order; ``tie``
        true means that neither won, label 0.5; unless there is a ``prompt``, it names the two items. CSV may also
        have ``prompt``, ``weight``, ``label``, ``target_margin``. arrays (NPZ): the fields of ``PreferencePairs``,
        mapped unless they are compressed. arrays (NPY): a folder with ``chosen.npy``, ``rejected.npy`` and perhaps the
        other fields; or one array of [chosen, rejected], (n_pairs, 2, n_features) real or (n_pairs, 2) integer. Without
        prompts, every pair is a prompt of its own; up to a million pairs they are numbered.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        "path: line N: what was wanted, what was found". A row whose two answers are identical is no error.

    Notes
    -----
    An NPZ file is read once from end to end to compare its checksums; NPY files have none, only their length is
    compared. ``PreferencePairs`` says what happens if a mapped file changes afterwards.
    """
    path = Path(path)
    kind = _format(path, format)
    if kind == "npz":
        return _read_npz(path)
    if kind == "npy":
        return _read_npy(path)
    if kind == "csv":
        return _read_csv(path)
    return read_texts(path).to_pairs()


def save_pairs(pairs: PreferencePairs, path: str | Path) -> None:
    """Write pairs as an NPZ file that ``load_pairs`` reads; the same pairs give the same bytes.

    A file that is there already is replaced, not written into: pairs that are mapped from it, perhaps these very ones,
    stay as they are.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    for name in FIELDS:
        values = getattr(pairs, name)
        if values is not None:
            arrays[name] = np.asarray(values)
    path = Path(path).resolve()
    is_new = not path.exists()
    written = path.with_name(f"{path.name}.{os.getpid()}.partial") if is_new or path.is_file() else path
    try:
        with written.open("wb" if written == path else "xb") as file:  # given a name, NumPy would add an ending to it
            np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy's stub takes every name for allow_pickle
        if written != path:
            if not is_new:
                shutil.copymode(path, written)
            written.replace(path)
    except BaseException:
        if written != path:
            written.unlink(missing_ok=True)
        raise


def read_texts(path: str | Path) -> Texts:
    r"""Read the texts of a JSONL file: one JSON object on each line, with ``chosen``, ``rejected``, perhaps ``prompt``.

    Parameters
    ----------
    path : str or Path
        UTF-8, perhaps compressed by gzip. Each of the three is a text or a list of messages
        [{"role": "user", "content": "…"}, …]. ``label``, ``weight`` and ``target_margin`` are numbers, if they are
        there; other keys are left alone, empty lines too.

    Returns
    -------
    Texts
        Where the answers begin with the same messages, those are the prompt, or its end. Where there is no prompt
        and both answers are transcripts "\n\nHuman: …\n\nAssistant: …" (HH-RLHF), it is what they share, up to the
        last "\n\nAssistant:" that both have.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        "path: line N: what was found, what was wanted".
    """
    path = Path(path)
    prompts: list[str] = []
    chosen: list[str] = []
    rejected: list[str] = []
    numbers: dict[str, dict[int, float]] = {key: {} for key in NUMBERS}
    for line, text in _lines(path):
        if not text.strip():
            continue
        record = _json_object(path, line, text)
        for key in ("chosen", "rejected"):
            if key not in record:
                _fail(path, f"expected the keys chosen and rejected, found {_list(record)}", line)
        three = [_text_or_messages(path, line, key, record[key]) for key in ("chosen", "rejected")]
        given = _text_or_messages(path, line, "prompt", record["prompt"]) if "prompt" in record else ""
        prompt, good, bad = _split_prompt(given, three[0], three[1])
        for key in NUMBERS:
            if key in record:
                numbers[key][len(chosen)] = _number(path, line, key, record[key])
        prompts.append(prompt)
        chosen.append(good)
        rejected.append(bad)
    if not chosen:
        _fail(path, "expected at least one pair, found an empty file")
    default = {"label": 1.0, "weight": 1.0, "target_margin": 0.0}
    columns = {
        NUMBERS[key]: [found.get(row, default[key]) for row in range(len(chosen))]
        for key, found in numbers.items()
        if found
    }
    return Texts(path, prompts, chosen, rejected, **columns)


# --- JSONL -----------------------------------------------------------------------------------------------------------

Messages = list[tuple[str, str]]  # (role, content)


def _json_object(path: Path, line: int, text: str) -> dict[str, object]:
    try:
        record: object = json.loads(text)
    except json.JSONDecodeError as error:
        _fail(path, f"expected a JSON object, found text that is not JSON ({error.msg}, column {error.colno})", line)
    except (ValueError, RecursionError):  # numbers of thousands of digits, lists in lists in lists
        _fail(path, "expected a JSON object, found JSON that is too large to read", line)
    if not isinstance(record, dict):
        _fail(path, f"expected a JSON object, found {_show(record)}", line)
    return record


def _text_or_messages(path: Path, line: int, key: str, value: object) -> str | Messages:
    wanted = "expected a text or a list of messages"
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        _fail(path, f"{key}: {wanted}, found {_show(value)}", line)
    if not value:
        _fail(path, f"{key}: {wanted}, found an empty list", line)
    messages = []
    for message in value:
        if not isinstance(message, dict) or not {"role", "content"} <= set(message):
            _fail(path, f"{key}: expected messages with role and content, found {_show(message)}", line)
        for name in ("role", "content"):
            if not isinstance(message[name], str):
                _fail(path, f"{key}: expected a text as {name} of a message, found {_show(message[name])}", line)
        messages.append((message["role"], message["content"]))
    return messages


def _split_prompt(given: str | Messages, chosen: str | Messages, rejected: str | Messages) -> tuple[str, str, str]:
    """Return prompt and answers as texts, with what both answers share at their beginning moved into the prompt."""
    prompt = _as_text(given)
    if isinstance(chosen, list) and isinstance(rejected, list):
        n = 0
        while n < min(len(chosen), len(rejected)) - 1 and chosen[n] == rejected[n]:  # the last message is an answer
            n += 1
        shared = _as_text(chosen[:n])
        prompt = shared if prompt in shared else "\n\n".join(filter(None, [prompt, shared]))
        return prompt, _as_text(chosen[n:]), _as_text(rejected[n:])
    good, bad = _as_text(chosen), _as_text(rejected)
    if not prompt:
        turn = "\n\nAssistant:"
        both = os.path.commonprefix([good, bad])  # noqa: RUF071  # letter by letter is what we want
        if turn in both:
            prompt = both[: both.rindex(turn) + len(turn)]
    elif not prompt.rstrip().endswith("Assistant:"):
        return prompt, good, bad
    if good.startswith(prompt) and bad.startswith(prompt):  # a transcript repeats its prompt
        good, bad = good[len(prompt) :], bad[len(prompt) :]
    return prompt.strip(), good.strip(), bad.strip()


def _as_text(value: str | Messages) -> str:
    """Write one message as its content, several with their roles."""
    if isinstance(value, str):
        return value
    if len(value) == 1:
        return value[0][1]
    return "\n\n".join(f"{role}: {content}" for role, content in value)


# --- CSV -------------------------------------------------------------------------------------------------------------


def _read_csv(path: Path) -> PreferencePairs:
    rows = _rows(path)
    header = [name.strip() for name in next(rows)[1]]
    for name in header:
        if not name:
            _fail(path, f"expected a name for each column, found an empty one in {_list(header)}", 1)
        if header.count(name) > 1:
            _fail(path, f"expected different column names, found {name} twice", 1)
    table: list[tuple[int, dict[str, str]]] = []
    for line, cells in rows:
        if len(cells) != len(header):
            _fail(path, f"expected {len(header)} cells, one for each column of line 1, found {len(cells)}", line)
        table.append((line, dict(zip(header, map(str.strip, cells), strict=True))))
    if not table:
        _fail(path, "expected at least one row below the header, found none")
    is_items = {"chosen", "rejected"} <= set(header)
    features = _feature_columns(path, header, is_items)
    columns: dict[str, list[float]] = {
        field: [_number(path, line, key, row[key]) for line, row in table]
        for key, field in NUMBERS.items()
        if key in header
    }
    prompts: list[str] | None = None
    if "prompt" in header:
        prompts = [_name(path, line, "prompt", row["prompt"], longest=None) for line, row in table]
    if is_items:
        if "tie" in header:
            columns["labels"] = [_label_of_tie(path, line, row["tie"]) for line, row in table]
        winners, losers = (
            [_name(path, line, key, row[key], LONGEST_NAME) for line, row in table] for key in ("chosen", "rejected")
        )
        items = sorted({*winners, *losers})
        if prompts is not None and len(items) > len(table) and sum(" " in name for name in items) * 2 > len(items):
            _fail(path, "chosen and rejected look like texts, and a CSV file holds items; texts are read from JSONL")
        number = {name: i for i, name in enumerate(items)}
        a, b = [number[name] for name in winners], [number[name] for name in losers]
        prompts = matchups_of(a, b, items) if prompts is None else prompts
        return _pairs(path, a, b, prompts=prompts, feature_names=items, **columns)
    x_chosen, x_rejected = (
        [[_number(path, line, f"{name}_{side}", row[f"{name}_{side}"]) for name in features] for line, row in table]
        for side in ("chosen", "rejected")
    )
    return _pairs(
        path,
        x_chosen,
        x_rejected,
        prompts=np.arange(len(table)) if prompts is None else prompts,
        feature_names=features,
        **columns,
    )


def _feature_columns(path: Path, header: list[str], is_items: bool) -> list[str]:
    """Return the names of the features; refuse columns that mean nothing here, or a misspelt weight would be lost."""
    known = {"prompt", *NUMBERS, *({"chosen", "rejected", "tie"} if is_items else ())}
    if is_items and {"tie", "label"} <= set(header):
        _fail(path, "expected one of the columns tie and label, found both", 1)
    features = []
    for name in header:
        feature, _, side = name.rpartition("_")
        if name in known:
            continue
        if is_items or not feature or side not in {"chosen", "rejected"}:
            either = "name_chosen and name_rejected, or chosen and rejected"
            wanted = ", ".join(sorted(known) if is_items else [either, *sorted(known)])
            _fail(path, f"expected columns {wanted}; found {name}", 1)
        partner = f"{feature}_{'rejected' if side == 'chosen' else 'chosen'}"
        if partner not in header:
            _fail(path, f"expected a column {partner} beside {name}, found none", 1)
        if feature not in features:
            features.append(feature)
    if not is_items and not features:
        _fail(path, f"expected columns name_chosen and name_rejected, or chosen and rejected; found {_list(header)}", 1)
    return features


def _label_of_tie(path: Path, line: int, cell: str) -> float:
    word = cell.lower()
    if word in {"1", "1.0", "true", "yes", "y", "t", "tie"}:
        return 0.5
    if word not in {"", "0", "0.0", "false", "no", "n", "f"}:
        _fail(path, f"column tie: expected true or false, found {_show(cell)}", line)
    return 1.0


def _name(path: Path, line: int, column: str, cell: str, longest: int | None) -> str:
    if not cell:
        _fail(path, f"column {column}: expected a name, found an empty cell", line)
    if longest is not None and (len(cell) > longest or "\n" in cell):
        _fail(path, f"column {column}: expected the name of an item, found a text; texts are read from JSONL", line)
    return cell


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of each row that is not empty; the header first."""
    text = "".join(f"{text}\n" for _, text in _lines(path))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found = False
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            _fail(path, f"expected cells separated by commas ({error})", reader.line_num)
        if cells:
            if not found and len(cells) == 1 and (separator := next((c for c in ";\t" if c in cells[0]), "")):
                _fail(path, f"expected columns separated by commas, found {separator!r} between them", 1)
            found = True
            yield reader.line_num, cells
    if not found:
        _fail(path, "expected a header and at least one row, found an empty file")


# --- NPZ and NPY -----------------------------------------------------------------------------------------------------

FIELDS = ("chosen", "rejected", "prompts", "weights", "labels", "target_margins", "feature_names")


def _read_npz(path: Path) -> PreferencePairs:
    with _opened(path) as file:
        if not (head := file.read(8)).startswith(b"PK"):
            _fail(path, f"expected an NPZ file of arrays, found a file that begins with {head!r}")
        try:
            with zipfile.ZipFile(file) as archive:
                arrays = {
                    info.filename.removesuffix(".npy"): _member(file, archive, info) for info in archive.infolist()
                }
        except Exception as error:  # noqa: BLE001  # zip, zlib, struct, tokenize, …: damaged bytes fail in any of them
            _fail(path, f"expected an NPZ file of plain arrays, found a damaged or foreign one ({_show(str(error))})")
    return _pairs_of_arrays(path, arrays)


def _member(file: BinaryIO, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[np.generic]:
    """Map a member that is stored as it is, read one that is compressed, and compare its checksum in both cases."""
    if info.compress_type != zipfile.ZIP_STORED:
        return np.lib.format.read_array(io.BytesIO(archive.read(info)), allow_pickle=False)
    with archive.open(info) as member:
        while member.read(1 << 20):
            pass  # at its end the checksum is compared; np.load, which reads less, does not compare it
    file.seek(info.header_offset + 26)  # the last four of 30 bytes: the lengths of the name and the extra field
    file.seek(sum(struct.unpack("<2H", file.read(4))), os.SEEK_CUR)
    return _mapped(file, file.tell() + info.file_size)


def _read_npy(path: Path) -> PreferencePairs:
    if path.is_dir():
        return _pairs_of_arrays(path, {file.stem: _array(file) for file in sorted(path.glob("*.npy"))})
    both = _array(path)
    is_items = both.ndim == 2 and both.dtype.kind in "iu"
    if both.shape[1:2] != (2,) or not (both.ndim == 3 or is_items):
        _fail(
            path,
            "expected an array of [chosen, rejected], (n_pairs, 2, n_features) or (n_pairs, 2) whole numbers, "
            f"found shape {both.shape} and dtype {both.dtype}",
        )
    return _pairs_of_arrays(path, {"chosen": both[:, 0], "rejected": both[:, 1]})


def _array(path: Path) -> NDArray[np.generic]:
    with _opened(path) as file:
        try:
            return _mapped(file, os.fstat(file.fileno()).st_size)
        except Exception as error:  # noqa: BLE001  # a damaged header can say anything
            _fail(path, f"expected an NPY file of a plain array, found a damaged or foreign one ({_show(str(error))})")


def _mapped(file: BinaryIO, end: int) -> NDArray[np.generic]:
    """Map the array that begins at this place of a file, if it fills the file up to ``end`` to the byte.

    What lies beyond the end of a file can be mapped too, but whoever looks at it is stopped by the system.
    """
    version = np.lib.format.read_magic(file)
    if version not in {(1, 0), (2, 0)}:
        raise ValueError(f"format version {version}")
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read_header(file)
    start, n_bytes = file.tell(), prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise ValueError("Python objects, which are never unpickled")
    if start + n_bytes != end:
        raise ValueError(f"{n_bytes} bytes announced, {end - start} there")
    return np.memmap(file, dtype, "r", start, shape, "F" if is_fortran else "C")


def _pairs_of_arrays(path: Path, arrays: dict[str, NDArray[np.generic]]) -> PreferencePairs:
    for name in arrays:
        if name not in FIELDS:
            _fail(path, f"expected the fields {', '.join(FIELDS)}, found {name}")
    for name in ("chosen", "rejected"):
        if name not in arrays:
            _fail(path, f"expected the fields chosen and rejected, found {_list(arrays)}")
    chosen, rejected, names = arrays.pop("chosen"), arrays.pop("rejected"), arrays.pop("feature_names", None)
    if names is not None and (names.ndim != 1 or names.dtype.kind != "U"):
        _fail(path, f"feature_names: expected a list of texts, found shape {names.shape} and dtype {names.dtype}")
    if names is None and chosen.size and rejected.size:
        if chosen.ndim == 2:
            names = np.array([f"x{i + 1}" for i in range(chosen.shape[1])])
        elif {chosen.dtype.kind, rejected.dtype.kind} <= {"i", "u"}:
            n_items = int(max(chosen.max(), rejected.max())) + 1
            names = np.array([f"item {i}" for i in range(n_items)]) if n_items <= MOST_NAMES else None
    if chosen.ndim and len(chosen) <= MOST_NAMES:
        arrays.setdefault("prompts", np.arange(len(chosen)))
    return _pairs(path, chosen, rejected, feature_names=None if names is None else names.tolist(), **arrays)


# --- What all formats share ------------------------------------------------------------------------------------------


def _format(path: Path, given: str | None) -> str:  # noqa: RET503  # _fail never returns
    if given is not None:
        if given not in FORMATS:
            raise ValueError(f"format: expected one of {', '.join(FORMATS)}, got {given!r}")
        return given
    for name, endings in FORMATS.items():
        if path.name.lower().endswith(endings):
            return name
    if path.is_dir():
        return "npy"
    endings = tuple(ending for group in FORMATS.values() for ending in group)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    _fail(
        path, f"expected a name that ends in {', '.join(endings)}, or, from Python, format= one of {', '.join(FORMATS)}"
    )


def _pairs(
    path: Path,
    chosen: ArrayLike,
    rejected: ArrayLike,
    *,
    feature_names: Sequence[str] | None,
    prompts: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    target_margins: ArrayLike | None = None,
) -> PreferencePairs:
    """Make the pairs; what they refuse is said with the name of the file."""
    try:
        return PreferencePairs(
            chosen,
            rejected,
            prompts=prompts,
            labels=labels,
            weights=weights,
            target_margins=target_margins,
            feature_names=feature_names,
        )
    except (ValueError, TypeError) as error:
        _fail(path, str(error))


def _opened(path: Path) -> BinaryIO:
    """Open a file that is there and not empty."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file") from None
    except (IsADirectoryError, NotADirectoryError):
        _fail(path, "expected a file, found a folder")
    if not file.peek(1):
        file.close()
        _fail(path, "expected at least one pair, found an empty file")
    return file


def _bytes(path: Path) -> bytes:
    """Return the contents of a file, unpacked if it is compressed by gzip."""
    with _opened(path) as file:
        data = file.read()
    if data.startswith(b"\x1f\x8b"):
        try:
            return gzip.decompress(data)
        except EOFError:
            _fail(path, "expected a whole gzip file, found one that ends too early")
        except (gzip.BadGzipFile, zlib.error) as error:
            _fail(path, f"expected a gzip file, found a damaged one ({error})")
    if path.name.lower().endswith(".gz"):
        _fail(path, f"expected a gzip file, found a file that begins with {data[:8]!r}")
    return data


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of a UTF-8 file, perhaps with a byte order mark, ends of lines removed."""
    for line, raw in enumerate(_bytes(path).removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            _fail(path, f"expected UTF-8 text, found the byte 0x{raw[error.start]:02x}", line)
        yield line, text.removesuffix("\r")


def _number(path: Path, line: int, column: str, value: object) -> float:
    """Return a finite number in the range that its column allows."""
    where = f"column {column}" if isinstance(value, str) else column
    number = float("nan")
    if isinstance(value, int | float | str) and not isinstance(value, bool) and "_" not in str(value):
        with suppress(ValueError, OverflowError):
            number = float(value)
    low, high = {"label": (0.0, 1.0), "weight": (0.0, float("inf"))}.get(column, (-float("inf"), float("inf")))
    if not isfinite(number):
        _fail(path, f"{where}: expected a finite number, found {_show(value)}", line)
    if not low <= number <= high:
        wanted = "a number in [0, 1]" if column == "label" else "a number of at least 0"
        _fail(path, f"{where}: expected {wanted}, found {_show(value)}", line)
    return number


def _show(value: object) -> str:
    """Write a value as JSON does, cut to a readable length."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _list(names: Iterable[str]) -> str:
    text = ", ".join(names) or "none"
    return text if len(text) <= 200 else f"{text[:197]}..."


def _fail(path: Path, sentence: str, line: int | None = None) -> NoReturn:
    place = f"{path}: " if line is None else f"{path}: line {line}: "
    raise ValueError(place + " ".join(sentence.splitlines())) from None  # names in a file may hold line breaks


def matchups_of(chosen: Sequence[int], rejected: Sequence[int], names: Sequence[str]) -> list[str]:
    """Name each pair of items, the same in both directions."""
    return [f"{names[min(a, b)]} vs {names[max(a, b)]}" for a, b in zip(chosen, rejected, strict=True)]
