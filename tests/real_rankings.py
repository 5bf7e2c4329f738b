"""Real rankings that several test files read from the shared data."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("BRADLEY_TERRY_DATA", Path(__file__).parents[2] / "shared" / "data"))


def shared(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        assert not os.environ.get("BRADLEY_TERRY_REQUIRE_DATA"), f"the data set {name} is required and was not found"
        pytest.skip(f"the data set {name} was not found; BRADLEY_TERRY_DATA can name the folder that has it")
    return path


def oasst(path: Path) -> Path:
    """Write the 212 rankings of OpenAssistant's English trees with the ranks that they were published with."""
    with (
        gzip.open(shared("rank_oasst_en100/rankings.jsonl.gz"), "rt", encoding="utf-8") as file,
        path.open("w", encoding="utf-8") as written,
    ):
        for ranking in map(json.loads, file):
            replies = [{"text": one["text"], "rank": rank} for rank, one in enumerate(ranking["replies_best_first"])]
            json.dump({"dialogue": ranking["dialogue"], "replies": replies[::-1]}, written)
            written.write("\n")
    return path
