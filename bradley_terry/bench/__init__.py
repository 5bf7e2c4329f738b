"""Compare the package's speed with other libraries and with the limits of the machine: ``bradley-terry bench``.

    workloads    what is measured: groups of workloads, and the sizes of each
    agreement    the check that all implementations of a workload give the same answer
    plain_forms  every loss of the family as one would first write it in NumPy
    peers        the same work in torch, jax, scikit-learn, scipy and autograd
    limits       what no program can avoid: copying the bytes, reading the data, the matrix products
    timing       runs the implementations in turn and measures them: ``run``, ``measure``
    promises     what the package promises about its speed, compared with what was measured
    report       everything that one run found, as a table or as JSON
    figure       time against the number of pairs, drawn
    checkers     verdicts instead of speed: our gradient check beside those of torch, JAX and SciPy
    coverage     how often 95 % intervals contain the truth, in simulated fits
    doctor       how often the training doctor finds a fault, and how often it raises a false alarm
    faults       simulated runs with a known fault, for ``doctor``

The names below are loaded on first use, because most of these modules need Numba and the figure does not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .figure import draw, plot_times
    from .promises import PROMISES, Measurement, Promise
    from .report import Report
    from .timing import measure, run
    from .workloads import GROUPS, Workload

__all__ = [
    "GROUPS",
    "PROMISES",
    "Measurement",
    "Promise",
    "Report",
    "Workload",
    "draw",
    "measure",
    "plot_times",
    "run",
]

_MODULES = {
    "GROUPS": "workloads",
    "PROMISES": "promises",
    "Measurement": "promises",
    "Promise": "promises",
    "Report": "report",
    "Workload": "workloads",
    "draw": "figure",
    "measure": "timing",
    "plot_times": "figure",
    "run": "timing",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
