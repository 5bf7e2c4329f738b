"""``bradley-terry bench``: the speed of the package, compared with other libraries and with the hardware."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from ..arrays.visible import visible
from ..fitting.compiler import has_compiler

SUMMARY = "measure the speed of the package, of other libraries, and of the hardware"
EXAMPLE = "bradley-terry bench --only pair-loss --figure figures/benchmark.svg"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``bench``."""
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="GROUP",
        help="what to measure: any of pair-loss, growth, linear, linear-fit, table-fit, mlp, rankings, losses, "
        "cold-start (default: all)",
    )
    parser.add_argument(
        "--small", action="store_true", help="use small sizes; this takes seconds and only shows that everything runs"
    )
    parser.add_argument(
        "--checkers",
        action="store_true",
        help="compare verdicts instead of speed: 40 right and wrong gradients, judged by the gradient checks of this "
        "package, torch, JAX and SciPy",
    )
    parser.add_argument(
        "--coverage",
        action="store_true",
        help="show how often 95 %% intervals contain the truth, in 2,000 simulated fits of each kind; takes a minute",
    )
    parser.add_argument(
        "--doctor",
        action="store_true",
        help="show how often the training doctor finds simulated faults, and how often it raises a false alarm; takes "
        "about five minutes",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "--figure", type=Path, metavar="PATH", help="draw a figure of the pair-loss times, as SVG and PNG"
    )


def run(arguments: Namespace) -> int:
    """Measure, print the table, and draw the figure if asked to."""
    if arguments.coverage or arguments.doctor:
        return _run_simulation(arguments, "coverage" if arguments.coverage else "doctor")
    if arguments.checkers:
        if arguments.only or arguments.small or arguments.figure is not None:
            raise ValueError("checkers: expected no other options but --json")
        from ..bench.checkers import compare_checkers

        found = compare_checkers()
        print(json.dumps(found.to_dict(), indent=2, ensure_ascii=False) if arguments.json else found)
        return 0
    has_compiler(needed_by="bench measures the compiled kernels, so it needs")
    if arguments.figure is not None:  # refused now, not after minutes of measuring
        if arguments.figure.suffix not in {".svg", ".png"} or arguments.figure.is_dir():
            raise ValueError(f"figure: expected a file name that ends in .svg or .png, got {arguments.figure}")
        if arguments.only and "pair-loss" not in arguments.only:
            raise ValueError("figure: expected pair-loss among the groups of --only, since the figure shows that group")
        if not arguments.figure.parent.is_dir():
            raise ValueError(f"figure: expected a folder that exists, got {arguments.figure.parent}")
    from ..bench import draw
    from ..bench import run as measure

    report = measure(arguments.only, small=arguments.small, tell=_tell())
    print(json.dumps(report.to_dict(), indent=2, ensure_ascii=False) if arguments.json else report, flush=True)
    written = [] if arguments.figure is None else draw(report, arguments.figure)
    if not arguments.json:
        for path in written:
            print(f"Written: {visible(str(path))}")
    return 0


def _run_simulation(arguments: Namespace, name: str) -> int:
    """Print the table of --coverage or --doctor."""
    others = arguments.only, arguments.small, arguments.checkers, arguments.coverage and arguments.doctor
    if any(others) or arguments.figure is not None:
        raise ValueError(f"{name}: expected no other options but --json")
    from ..bench import coverage, doctor

    measure = coverage.measure_coverage if name == "coverage" else doctor.measure_doctor
    found = measure(tell=_tell())
    print(json.dumps(found.to_dict(), indent=2, ensure_ascii=False) if arguments.json else found)
    return 0


def _tell() -> Callable[[str], object]:
    """Return what tells a person at a terminal how far the work is."""
    return (lambda words: print(words, file=sys.stderr)) if sys.stderr.isatty() else lambda _: None
