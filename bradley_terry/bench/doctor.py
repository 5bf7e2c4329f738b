"""How often the training doctor is right, on simulated runs: ``bradley-terry bench --doctor``.

Every fault is simulated at several strengths, and the share of runs in which the doctor finds it is its sensitivity.
Healthy runs show how often each finding is a false alarm. Runs with two faults show whether both are found.
The runs themselves are in ``faults``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..findings import Diagnosis, diagnose
from ..findings.words import WORDS
from ..fitting.interrupts import only_whole_fits
from ..training import ConvergenceWarning
from .faults import FAULTS, HEALTHY, TOGETHER, Scenario

__all__ = ["FoundRow", "HealthyRow", "Table", "measure_doctor"]

N_RUNS = 60
SENSITIVITY, FALSE_ALARMS = 0.9, 0.05
ANY_ERROR = "any finding that is an error"


@dataclass(frozen=True)
class FoundRow:
    """How often one fault, or each of several, was found."""

    faults: tuple[str, ...]
    strength: str
    n_runs: int
    share: float
    also: tuple[str, ...] = ()
    """Other findings that were made in at least half of these runs, most of them consequences of the fault."""

    @property
    def is_as_promised(self) -> bool:
        """Whether the share is at least 0.9, up to four standard errors of a share of 0.9 if runs are few."""
        return self.share >= SENSITIVITY - _slack(SENSITIVITY, self.n_runs)


@dataclass(frozen=True)
class HealthyRow:
    """How often a finding was made in healthy runs: in all of them, and in the kind of run with most false alarms."""

    name: str
    n_runs: int
    share: float
    worst: float
    worst_kind: str

    @property
    def is_as_promised(self) -> bool:
        """Whether the share is at most 0.05, up to four standard errors of a share of 0.05 if runs are few."""
        return self.share <= FALSE_ALARMS + _slack(FALSE_ALARMS, self.n_runs)


@dataclass(frozen=True)
class Table:
    """All rows, as a table or as plain types."""

    found: tuple[FoundRow, ...]
    together: tuple[FoundRow, ...]
    healthy: tuple[HealthyRow, ...]
    properties: tuple[FoundRow, ...] = ()
    """How often healthy runs have a finding that is true of their data and no fault. There is no promise for these."""

    def __str__(self) -> str:
        rows = [*self.found, *self.together, *self.properties]
        width = max(len(" + ".join(row.faults)) for row in rows)
        wide = max(len(row.strength) for row in rows)
        lines = ["How often the training doctor finds a fault (sensitivity), in simulated runs", ""]
        lines.append(f"{'fault':<{width}}  {'strength':<{wide}}  {'runs':>5}  {'found':>6}  also in most of these runs")
        lines += [_line(row, width, wide) for row in self.found]
        lines += ["", "Two faults at once: how often both are found", ""]
        lines += [_line(row, width, wide) for row in self.together]
        lines += ["", "How often a finding is made in healthy runs (false alarms)", ""]
        lines.append(f"{'finding':<{width}}  {'most often in':<{wide}}  {'there':>6}  {'in all':>6}  {'runs':>6}")
        for one in self.healthy:
            mark = "" if one.is_as_promised else " ✗"
            share = f"{one.worst:>6.1%}  {one.share:>6.1%}  {one.n_runs:>6,}{mark}"
            lines.append(f"{one.name:<{width}}  {one.worst_kind:<{wide}}  {share}")
        if self.properties:
            lines += ["", "How often healthy runs have a finding that says something true about them", ""]
            lines += [_line(row, width, wide, is_promise=False) for row in self.properties]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Return everything in plain types."""
        return {
            "found": [vars(row) for row in self.found],
            "together": [vars(row) for row in self.together],
            "false_alarms": [dict(vars(row)) for row in self.healthy],
            "properties": [vars(row) for row in self.properties],
        }


def _line(row: FoundRow, width: int, wide: int, *, is_promise: bool = True) -> str:
    mark = "" if row.is_as_promised or not is_promise else " ✗"
    line = f"{' + '.join(row.faults):<{width}}  {row.strength:<{wide}}  {row.n_runs:>5,}  {row.share:>6.1%}{mark}"
    return f"{line}  {', '.join(row.also)}".rstrip()


def _slack(share: float, n: int) -> float:
    return 0.0 if n >= N_RUNS else 4 * float(np.sqrt(share * (1 - share) / n))


@only_whole_fits()
def measure_doctor(
    n_runs: int = N_RUNS,
    *,
    tell: Callable[[str], object] = lambda _: None,
    faults: Sequence[Scenario] = FAULTS,
    together: Sequence[Scenario] = TOGETHER,
    healthy: Sequence[Scenario] = HEALTHY,
) -> Table:
    """Simulate and diagnose ``n_runs`` runs of every scenario."""
    seed = iter(range(len(faults) + len(together) + len(healthy)))
    tables: list[list[FoundRow]] = [[], []]
    for rows, scenarios in zip(tables, (faults, together), strict=True):
        for scenario in scenarios:
            tell(f"{n_runs:,} runs: {' + '.join(scenario.faults)}, {scenario.strength} …")
            found = [set(one.names) for one in _diagnoses(scenario, n_runs, next(seed))]
            share = float(np.mean([names >= set(scenario.faults) for names in found]))
            often = [name for name in WORDS if np.mean([name in names for names in found]) >= 0.5]
            also = tuple(name for name in often if name not in scenario.faults)
            rows.append(FoundRow(scenario.faults, scenario.strength, n_runs, share, also))
    shares: dict[str, list[tuple[float, str]]] = {name: [] for name in (*WORDS, ANY_ERROR)}
    properties = []
    for scenario in healthy:
        tell(f"{n_runs:,} healthy runs: {scenario.strength} …")
        diagnoses = list(_diagnoses(scenario, n_runs, next(seed)))
        is_error = [any(finding.severity == "error" for finding in one) for one in diagnoses]
        shares[ANY_ERROR].append((float(np.mean(is_error)), scenario.strength))
        for name, found_in in shares.items():
            if name in scenario.faults:
                share = float(np.mean([name in one.names for one in diagnoses]))
                properties.append(FoundRow((name,), scenario.strength, n_runs, share))
            checked = any(check.name == name for one in diagnoses for check in one.checks)
            if checked and name not in scenario.faults:  # some kinds of data have a property that is no fault
                found_in.append((float(np.mean([name in one.names for one in diagnoses])), scenario.strength))
    alarms = []
    for name, found_in in shares.items():
        if found_in:
            worst, kind = max(found_in)
            mean = float(np.mean([share for share, _ in found_in]))
            alarms.append(HealthyRow(name, n_runs * len(found_in), mean, worst, kind if worst else ""))
    return Table(tuple(tables[0]), tuple(tables[1]), tuple(alarms), tuple(properties))


def _diagnoses(scenario: Scenario, n_runs: int, seed: int) -> Iterable[Diagnosis]:
    rng = np.random.default_rng([14, seed])
    for _ in range(n_runs):
        with warnings.catch_warnings(record=True):  # many of these fits are meant to fail
            warnings.simplefilter("always", ConvergenceWarning)
            run = scenario.make(rng)
        yield diagnose(run.model, run.pairs, validation=run.validation, annotators=run.annotators, initial=run.initial)
