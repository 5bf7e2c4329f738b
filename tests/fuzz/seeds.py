"""Write the first inputs of the corpus: small files of every format, with the records of ``docs/formats.md``.

python tests/fuzz/seeds.py
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sys
import zipfile
from pathlib import Path

import numpy as np

import bradley_terry as bt
from bradley_terry.files.names import NAMES, STEMS

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from loaders import joined  # noqa: E402


def records() -> list[list[dict[str, object]]]:
    """Return the records in the tables of ``docs/formats.md``, which stand in backquotes, those of one row together."""
    lines = (HERE.parents[1] / "docs" / "formats.md").read_text(encoding="utf-8").splitlines()
    cells = [re.findall(r"`(\{.*?\})`(?: |$)", line) for line in lines if line.startswith("|")]
    return [[json.loads(record) for record in row] for row in cells if row]


def write(loader: str, name: str, data: bytes) -> None:
    """Write one input."""
    folder = HERE / "corpus" / loader
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def table(rows: list[dict[str, object]]) -> bytes:
    """Return records of one kind as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(
        [{k: v if isinstance(v, str | int | float) else json.dumps(v) for k, v in row.items()} for row in rows]
    )
    return text.getvalue().encode()


def npy(array: object) -> bytes:
    """Return an array as an NPY file."""
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array))
    return buffer.getvalue()


def main() -> None:
    """Write all inputs, and the words of the formats as a dictionary for the fuzzer."""
    for n, rows in enumerate(records()):
        lines = "\n".join(map(json.dumps, rows)).encode()
        write("jsonl", f"doc-{n:02}", lines)
        if n % 6 == 0:
            write("json", f"doc-{n:02}", json.dumps(rows, indent=1).encode())
            write("gz", f"doc-{n:02}", gzip.compress(lines, mtime=0))
        if all(set(row) == set(rows[0]) for row in rows):
            write("csv", f"doc-{n:02}", table(rows))
            if n % 6 == 0:
                write("csv-gz", f"doc-{n:02}", table(rows))
    write("json", "wrapped", b'{"data": [{"winner": "a", "loser": "b"}]}')
    pairs = {"chosen": [[1.0, 2], [0, 1]], "rejected": [[0.0, 1], [1, 1]], "prompts": ["a", "b"], "weights": [1.0, 2]}
    pairs |= {"feature_names": ["x", "y"], "labels": [0.5, 1]}
    items = {"chosen": [0, 1], "rejected": [1, 2], "feature_names": ["a", "b", "c"]}
    rankings = {"features": [[1.0], [2], [3]], "ranks": [1, 2, 2], "prompts": [0, 0, 0]}
    for name, arrays in (("pairs", pairs), ("items", items), ("rankings", rankings)):
        for save in (np.savez, np.savez_compressed):
            buffer = io.BytesIO()
            save(buffer, **arrays)
            write("npz", f"{name}-{save.__name__}", buffer.getvalue())
        stems = [part for field, values in arrays.items() for part in (field.encode(), npy(values))]
        files = [part for field, values in arrays.items() for part in (f"{field}.npy".encode(), npy(values))]
        write("npy-folder", name, joined(*stems))
        write("npz-members", name, joined(*files))
    write("npy", "features", npy([[[1.0, 2], [3, 4]]]))
    write("npy", "items", npy([[0, 1], [1, 0]]))
    for name, scorer in (("linear", bt.LinearScorer(2)), ("table", bt.TableScorer(3)), ("mlp", bt.MLPScorer(2, 2))):
        given = items if name == "table" else {k: pairs[k] for k in ("chosen", "rejected", "feature_names")}
        path = HERE / "corpus" / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        loss = bt.ranking.LabelSmoothing(0.1) if name == "linear" else None
        bt.fit(scorer, bt.PreferencePairs(**given), l2=1, loss=loss, max_steps=2).save(path)
        with zipfile.ZipFile(path) as archive:
            entries = [part for entry in archive.namelist() for part in (entry.encode(), archive.read(entry))]
        write("model-members", name, joined(*entries))
    try:
        import pandas as pd
    except ImportError:
        return
    for n, rows in enumerate(records()[::8]):
        buffer = io.BytesIO()
        pd.DataFrame(rows).to_parquet(buffer, index=False)
        write("parquet", f"doc-{n}", buffer.getvalue())


def words() -> str:
    """Return the words of the formats as a dictionary for libFuzzer."""
    known = {name for names in NAMES.values() for name in names} | {stem for stems in STEMS.values() for stem in stems}
    known |= {
        "_chosen",
        "_rejected",
        "_a",
        "_b",
        "_1",
        "_2",
        "left",
        "right",
        "role",
        "content",
        "from",
        "value",
        "replies",
    }
    known |= {
        "user",
        "assistant",
        "human",
        "tool_calls",
        "null",
        "true",
        "NaN",
        "Infinity",
        "1e999",
        "\\\\ud83d",
        "tie",
    }
    known |= {"descr", "fortran_order", "shape", "<f8", "<i8", "<U1", "|b1", "PK", "meta.json", ".npy"}
    return "".join(f'"{word}"\n' for word in sorted(filter(None, known)))


if __name__ == "__main__":
    main()
    (HERE / "words.dict").write_text(words(), encoding="ascii")
