"""``bradley-terry bench --doctor``: how often the training doctor is right."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bradley_terry.bench import doctor
from bradley_terry.bench.doctor import ANY_ERROR, FoundRow, HealthyRow, Table, measure_doctor
from bradley_terry.bench.faults import FAULTS, HEALTHY, TOGETHER
from bradley_terry.commands import main
from bradley_terry.findings.words import WORDS


@pytest.mark.full
def test_doctor_finds_faults_and_leaves_healthy_runs_alone() -> None:
    """In 8 runs of each kind, all shares are within four standard errors of 0.9 and 0.05. The command makes 60."""
    quick = [one for one in FAULTS if "network" not in one.strength and "Adam" not in one.strength]
    healthy = [one for one in HEALTHY if "network" not in one.strength]
    found = measure_doctor(8, faults=quick, healthy=healthy)
    for row in (*found.found, *found.together, *found.healthy):
        assert row.is_as_promised, row
    assert "✗" not in str(found)


def test_every_finding_is_simulated_at_some_strength() -> None:
    """Each finding has a row in the table of faults, and most can be checked in some healthy run."""
    assert {name for one in FAULTS for name in one.faults} == set(WORDS)
    assert all(len(one.faults) == 2 for one in TOGETHER)


def test_command_prints_the_table(capsys, monkeypatch) -> None:
    """The same numbers as a table and as JSON."""
    few = measure_doctor(1, faults=[FAULTS[4]], together=[], healthy=[HEALTHY[6]])
    monkeypatch.setattr(doctor, "measure_doctor", lambda **_: few)
    assert main(["bench", "--doctor"]) == 0
    assert "all features 0" in capsys.readouterr().out
    assert main(["bench", "--doctor", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["found"][0]["share"] == 1
    assert {row["name"] for row in plain["false_alarms"]} <= {*WORDS, ANY_ERROR}
    for more in (["--small"], ["--checkers"], ["--only", "mlp"], ["--coverage"]):
        assert main(["bench", "--doctor", *more]) == 2
        assert "expected no other options" in capsys.readouterr().err


def test_broken_promises_are_marked() -> None:
    """Below 0.9 found, or above 0.05 false alarms, a row gets a mark; with few runs, up to four standard errors."""
    bad = FoundRow(("labels swapped",), "all", 60, 0.88)
    assert not bad.is_as_promised
    assert FoundRow(("labels swapped",), "all", 20, 0.88).is_as_promised
    alarm = HealthyRow("labels swapped", 540, 0.06, 0.1, "linear")
    assert not alarm.is_as_promised
    assert str(Table((bad,), (), (alarm,))).count("✗") == 2


@pytest.mark.full
def test_the_page_about_the_doctor_runs_and_has_every_row() -> None:
    """The code of docs/doctor.md runs as it stands, and its table has the rows of the command, all as promised."""
    page = (Path(__file__).parent.parent / "docs" / "doctor.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    exec(page.split("```python\n")[1].split("```")[0], names)  # noqa: S102  # our own page
    assert names["diagnosis"].names == ()
    assert names["found"].severity == "error"
    table = page.split("```\n")[-2]
    for one in (*FAULTS, *TOGETHER):
        assert re.search(rf"^{re.escape(' + '.join(one.faults))} +{re.escape(one.strength)} ", table, re.MULTILINE), one
    assert "✗" not in table
    for name in WORDS:
        assert f"\n| {name} | " in page
