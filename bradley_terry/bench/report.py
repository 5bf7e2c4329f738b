"""Everything that one run of the benchmark found: ``str(report)`` is the table, ``report.to_dict()`` is for JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__
from ..threads import get_threads
from .peers import PEERS
from .promises import PROMISES, Measurement
from .promises import time_in_words as _time
from .workloads import GROUPS

__all__ = ["Report", "describe_machine"]

LEGEND = """\
"× ours" is the time of one call divided by ours, so 2.00 means twice as long. In the group growth it is the time per
pair divided by that of the first row.
Names in brackets are limits of the machine: work that no program can avoid, on as many threads as we use. (copy) copies
as many bytes as the loss reads and writes, (one read) reads the data once, and (two products) computes the matrix
products of an MLP's step. If a limit shows 0.25, ours takes four times as long as the limit.
"out given" means that the gradients are written into an existing array. "gradient" is the largest entry of the gradient
where the fit stopped. "differs by" is the largest difference between the estimates and ours."""

DISTURBED = """\
"disturbed" means that other programs kept the processor busy, so these rows do not count for a promise or against it.
Close those programs and run the benchmark again."""


@dataclass
class Report:
    """Everything that one run found; ``str(report)`` is the table."""

    groups: list[str]
    small: bool
    machine: dict[str, str] = field(default_factory=dict)
    rows: list[Measurement] = field(default_factory=list)
    not_installed: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)  # implementation → reason

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types, with the promises about these groups (none of them is for small sizes)."""
        mine = [] if self.small else [promise for promise in PROMISES if promise.group in self.groups]
        kept = [(promise, *promise.kept(self.rows)) for promise in mine]
        promises = [{"promise": p.words, **asdict(p), "measured": found, "met": met} for p, found, met in kept]
        return {**asdict(self), "promises": promises}

    def __str__(self) -> str:
        lines = [f"{LABELS.get(name, name):<10} {value}" for name, value in self.machine.items()]
        group = size = None
        for row in self.rows:
            if row.group != group:
                group, size = row.group, None
                about = f": {GROUPS[group].about}" if group in GROUPS else ""
                lines += ["", f"{group + about:<55} {'median':>9} {'quartiles':>19} {'ns/pair':>9} {'× ours':>8}"]
            lines.append(_row_in_words(row, "" if row.size == size else row.size))
            size = row.size
        lines += ["", *LEGEND.splitlines()]
        if any(row.disturbed for row in self.rows):
            lines += DISTURBED.splitlines()
        lines += [""]
        lines += [f"not installed: {', '.join(self.not_installed)}"] if self.not_installed else []
        lines += [f"left out: {name}, {why}" for name, why in self.left_out.items()]
        promises = self.to_dict()["promises"]
        lines += ["What the package promises, and what this run measured:"] if promises else []
        for p in promises:
            found = p["measured"]
            said = "" if found is None else _time(found) if p["kind"] == "below" else f"{found:.2f} ×"
            verdict = {True: "met", False: "NOT MET", None: "disturbed" if said else "not measured"}[p["met"]]
            lines.append(f"{p['promise']:<108} {said:>9}  {verdict}")
        return "\n".join(lines).rstrip()


LABELS = {"beside": "libraries"}  # key in the JSON → word in the table


def _row_in_words(row: Measurement, size: str) -> str:
    quartiles = f"{_time(row.lower_quartile)} – {_time(row.upper_quartile)}"
    cost = "" if row.ns_per_pair is None else f"{row.ns_per_pair:,.{2 if row.ns_per_pair < 1000 else 0}f}"
    return (
        f"{size:<26} {row.contender:<28} {_time(row.median):>9} {quartiles:>19} {cost:>9} {row.times_ours:>8.2f}  "
        f"{'disturbed ' * row.disturbed}{row.remark}"
    ).rstrip()


def describe_machine(names: Collection[str]) -> dict[str, str]:
    """Describe the machine, the versions of these libraries, and the number of threads."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    versions = {d.name.lower(): d.version for d in metadata.distributions() if d.name}
    beside = ["numpy", "numba", *sorted(set(names) & set(PEERS) - {"torch.compile"})]
    return {
        "machine": f"{model or platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "threads": str(get_threads()),
        "ours": f"bradley_terry {__version__}, Python {platform.python_version()}",
        "beside": ", ".join(f"{name} {versions.get(name, '')}".rstrip() for name in beside),
    }
