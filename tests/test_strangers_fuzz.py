"""Fuzzing the loaders: the corpus, bytes that Hypothesis chooses, and a short run of the coverage-guided fuzzer.

``python tests/fuzz/run.py`` is the full run, one million inputs for each loader.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bradley_terry as bt
from bradley_terry.files.names import NAMES, STEMS

FUZZ = Path(__file__).parent / "fuzz"
sys.path.insert(0, str(FUZZ))
from loaders import LOADERS, check, joined  # noqa: E402

FEW = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.mark.full
@pytest.mark.parametrize("loader", LOADERS)
def test_the_corpus_is_loaded_or_refused_in_one_sentence(loader: str, tmp_path) -> None:
    """Each loader gets some files that it loads, and everything that the fuzzer has found."""
    inputs = sorted((FUZZ / "corpus" / loader).iterdir())
    assert sum(check(loader, path.read_bytes(), tmp_path) for path in inputs)


def test_the_corpus_is_small() -> None:
    """The corpus is in the repository."""
    assert sum(path.stat().st_size for path in FUZZ.rglob("*") if path.is_file()) < 200_000


@pytest.mark.full
@pytest.mark.parametrize("loader", LOADERS)
@FEW
@given(data=st.data())
def test_a_changed_file_is_loaded_or_refused_in_one_sentence(loader: str, data, tmp_path) -> None:
    """Hypothesis cuts a file of the corpus, changes bytes of it, and puts others in."""
    inputs = sorted((FUZZ / "corpus" / loader).iterdir())
    content = bytearray(data.draw(st.sampled_from(inputs)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(content) - 1)))
        n = data.draw(st.sampled_from([0, 1, 1, 4, len(content)]))
        content[at : at + n] = data.draw(st.binary(max_size=8))
    check(loader, bytes(content), tmp_path)


WORDS = sorted(
    {name for names in NAMES.values() for name in names} | {f"{s}_{a}" for s in STEMS["texts"] for a in "ab12"}
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["a", "b", "1", "0", "tie", "model_a", "\ud83d", "\n\nHuman: a\n\nAssistant: b", "x" * 300]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*WORDS, "role", "from", "value", "replies", "tool_calls", ""]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
RECORDS = st.lists(
    st.dictionaries(st.sampled_from([*WORDS, "x_chosen", "x_rejected"]) | st.text(max_size=3), VALUES, max_size=6),
    min_size=1,
    max_size=3,
)


@pytest.mark.full
@settings(FEW, max_examples=200)
@given(records=RECORDS, same=st.booleans())
def test_any_record_is_loaded_or_refused_in_one_sentence(records, same: bool, tmp_path) -> None:
    """Values of every kind in every field, in JSON of one line each and of one array, and in CSV."""
    records = [records[0]] * len(records) if same else records
    check("jsonl", "\n".join(map(json.dumps, records)).encode(), tmp_path)
    check("json", json.dumps(records).encode(), tmp_path)
    cells = [[str(name) for name in records[0]], *([json.dumps(v) for v in one.values()] for one in records)]
    rows = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in cells]
    check("csv", "\n".join(rows).encode("utf-8", "replace"), tmp_path)


@pytest.mark.full
@settings(FEW, max_examples=150)
@given(
    fields=st.lists(
        st.tuples(
            st.sampled_from(
                ["chosen", "rejected", "features", "ranks", "prompts", "weights", "labels", "feature_names"]
            ),
            st.sampled_from(
                ["<f8", ">f4", "<i8", "|i1", "|b1", "<U2", "|S3", "<c16", "|V4", "<M8[s]", "<f2", "<U0", "|O"]
            ),
            st.lists(st.integers(-1, 3), max_size=3),
            st.booleans(),
            st.binary(max_size=4),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_arrays_are_loaded_or_refused_in_one_sentence(fields, tmp_path) -> None:
    """Every dtype and shape in every field, with any bytes as numbers, in NPZ and in a folder of NPY files."""
    import numpy as np

    found = []
    for name, descr, shape, is_fortran, fill in fields:
        header = str({"descr": descr, "fortran_order": is_fortran, "shape": tuple(shape)}).encode()
        head = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        n_bytes = max(0, int(np.prod(shape, dtype=int)) * np.dtype(descr).itemsize)
        found += [name.encode(), head + (fill * n_bytes)[:n_bytes].ljust(n_bytes, b"\0")]
    check("npy-folder", joined(*found), tmp_path)
    found[::2] = [name + b".npy" for name in found[::2]]
    check("npz-members", joined(*found), tmp_path)


@pytest.mark.full
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs atheris")
def test_a_short_run_of_the_fuzzer_finds_nothing(tmp_path) -> None:
    """A few thousand inputs each for one loader of texts and one of arrays, by the documented command."""
    environment = {**os.environ, "PYTHONPATH": str(Path(bt.__file__).parents[1])}
    command = [sys.executable, FUZZ / "run.py", "jsonl", "npz-members", "--inputs", "2000", "--seconds", "8"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("no finding") == 2


@pytest.mark.full
def test_a_short_blind_run_finds_nothing_and_finds_what_breaks_the_rule(tmp_path) -> None:
    """Some hundred changed inputs for every loader; a loader that breaks the rule is a finding, with its input."""
    environment = {**os.environ, "PYTHONPATH": str(Path(bt.__file__).parents[1])}
    command = [sys.executable, FUZZ / "run.py", "--blind", "--inputs", "300"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("300 inputs") == done.stdout.count("no finding") == len(LOADERS)
    broken = (
        "import runpy, sys; import bradley_terry as bt; bt.load_pairs = lambda path: 1 / 0\n"
        f"sys.argv = [{str(FUZZ / 'run.py')!r}, 'gz', '--blind', '--one', '--inputs', '5', '--findings', '.']\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", broken],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr
