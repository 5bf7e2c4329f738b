"""``bradley-terry bench --coverage``: how often 95 % intervals contain the truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bradley_terry.bench import coverage
from bradley_terry.bench.coverage import SCENARIOS, Coverage, Row, measure_coverage
from bradley_terry.commands import main
from bradley_terry.inference import likelihood_ratio_test


@pytest.mark.full
def test_intervals_hold_what_they_promise() -> None:
    """In 600 fits of each kind every share is within four standard errors (and at least 2 %) of 95 %, or should not be.

    The command measures 2,000, for which the bounds are 93 and 97 %.
    """
    found = measure_coverage(600, 60)
    for row in found.rows:
        assert row.is_as_expected, row
    information = [row for row in found.rows if not row.holds]
    assert max(information[0].shares) < 0.85  # three annotators: far too narrow
    assert min(information[1].shares) > 0.97  # ties: too wide
    assert "✗" not in str(found)


def test_command_prints_the_table(capsys, monkeypatch) -> None:
    """One row for each kind of each scenario, as a table and as JSON."""
    monkeypatch.setattr(coverage, "RESAMPLES", 3)
    few = measure_coverage(3, 2)
    monkeypatch.setattr(coverage, "measure_coverage", lambda **_: few)
    assert main(["bench", "--coverage"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + sum(len(scenario.kinds) for scenario in SCENARIOS)
    assert main(["bench", "--coverage", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["name"] for row in rows] == [row.name for row in few.rows]
    assert {"information", "sandwich", "bootstrap", "probability"} == {row["kind"] for row in rows}


def test_bounds_are_two_percent_or_four_standard_errors() -> None:
    """2,000 fits are judged by 93 to 97 %; fewer fits by wider bounds; failing intervals must be outside."""
    row = Row("a", "sandwich", 2000, (0.931, 0.969), holds=True)
    assert row.bounds == pytest.approx((0.93, 0.97))
    assert row.is_as_expected
    assert not Row("a", "sandwich", 2000, (0.929, 0.95), holds=True).is_as_expected
    assert Row("a", "sandwich", 400, (0.91, 0.99), holds=True).is_as_expected
    assert Row("a", "information", 2000, (0.8, 0.99), holds=False).is_as_expected
    bad = Row("a", "information", 2000, (0.8, 0.95), holds=False)
    assert not bad.is_as_expected
    assert "✗" in str(Coverage((bad,)))


def test_simulated_votes_follow_the_model_and_depend_on_each_other() -> None:
    """Three votes on a pair: each has P(a preferred), and two of them agree as often as a shared number makes them."""
    rng = np.random.default_rng(0)
    scenario = next(scenario for scenario in SCENARIOS if "annotators" in scenario.name)
    surprises, products = [], []
    for _ in range(50):
        pairs = scenario.draw(rng)
        p = 1 / (1 + np.exp(-(pairs.chosen - pairs.rejected) @ scenario.truth))
        a_first = (pairs.chosen @ [1, 0, 0] - pairs.rejected @ [1, 0, 0]) > 0  # a fixed orientation of each pair
        y, q = a_first.astype(float), np.where(a_first, p, 1 - p)
        residual = (y - q).reshape(-1, 3)
        scaled = residual / np.sqrt(q * (1 - q)).reshape(-1, 3)
        surprises.append(residual.ravel())
        products.append((scaled[:, 0] * scaled[:, 1]).ravel())
    surprises, products = np.concatenate(surprises), np.concatenate(products)
    assert abs(surprises.mean()) < 4 * 0.5 / np.sqrt(len(surprises) / 3)
    assert products.mean() == pytest.approx(coverage.SHARED, abs=4 * products.std() / np.sqrt(products.size))


def test_coverage_takes_no_other_options(capsys) -> None:
    """--coverage with another option is refused in one sentence."""
    for more in (["--small"], ["--checkers"], ["--only", "mlp"]):
        assert main(["bench", "--coverage", *more]) == 2
        assert "--coverage: expected no other options" in capsys.readouterr().err


def test_the_page_about_standard_errors_runs_and_has_a_row_for_each_kind() -> None:
    """The code of docs/standard_errors.md runs as it stands, and its table has the rows of the command."""
    page = (Path(__file__).parent.parent / "docs" / "standard_errors.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    exec(page.split("```python\n")[1].split("```")[0], names)  # noqa: S102  # our own page
    table, at_home = names["table"], names["at_home"]
    assert f"{likelihood_ratio_test(table, at_home).p_value:.2f}" == "0.02"
    rows = page.split("expected\n")[1].splitlines()
    for row, (name, kind) in zip(rows, [(s.name, kind) for s in SCENARIOS for kind, _ in s.kinds], strict=False):
        assert row.startswith(name)
        assert kind in row
