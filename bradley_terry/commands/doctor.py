"""``bradley-terry doctor``: list what is installed, and check in about a second that it works.

With the folder of a run, it looks for what went wrong in that run instead; see ``diagnosed``.
"""

from __future__ import annotations

import json
import platform
from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np

from .. import __version__
from ..fitting.compiler import has_compiler
from ..losses import mean_loss, pair_losses
from ..objective import COMPILED, REFERENCE, Objective
from ..pairs import PreferencePairs
from ..scorers import MLPScorer

__all__ = ["examine"]

SUMMARY = "list what is installed, and check that it works; or find out what is wrong with a training run"
EXAMPLE = "bradley-terry doctor runs/travel-modes"

NEEDED = ("numpy", "numba", "matplotlib", "tqdm", "threadpoolctl")
OPTIONAL = ("jupyterlab", "autograd", "jax", "torch", "scipy", "pytest")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``doctor``, all of them about a run."""
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="RUN_FOLDER", help="a folder that train wrote (default: no run)"
    )
    parser.add_argument(
        "data",
        nargs="?",
        metavar="DATA",
        help="what the run was fitted to (default: the data set that its report names)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the split, as for train (default: 0)")
    parser.add_argument(
        "--validation", type=float, metavar="SHARE", help="share of the prompts that were held out, as for train"
    )
    parser.add_argument("--held-out", metavar="DATA", help="held-out pairs to use instead of those of the split")
    parser.add_argument("--json", action="store_true", help="print the findings about a run as JSON")


def run(arguments: Namespace) -> int:
    """Print the report. The status is 1 if a check of the installation failed, or a run has an error."""
    if arguments.folder is not None:
        return _run_diagnosis(arguments)
    for name in ("seed", "validation", "held_out", "json"):
        if getattr(arguments, name):
            raise ValueError(f"{name.replace('_', '-')}: expected only with the folder of a run")
    report, passed = examine()
    print(report)
    return 0 if passed else 1


def _run_diagnosis(arguments: Namespace) -> int:
    from .data import warnings_in_lines
    from .diagnosed import diagnose_run

    with warnings_in_lines():
        found = diagnose_run(
            arguments.folder,
            arguments.data,
            seed=arguments.seed,
            validation=arguments.validation,
            held_out=arguments.held_out,
        )
    print(json.dumps(found.to_dict(), indent=2, ensure_ascii=False) if arguments.json else found)
    return int(any(finding.severity == "error" for finding in found))


def examine() -> tuple[str, bool]:
    """Return a report on the installation, and whether all checks passed."""
    lines = [
        f"bradley_terry {__version__}, Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    ]
    lines += [f"  {name:<13} {_version(name)}" for name in NEEDED]
    lines += [f"  {name:<13} {_version(name)} (optional)" for name in OPTIONAL]
    try:
        has_kernels = has_compiler(needed_by="compiled kernels: none, since they need")
        from ..kernels import caching, get_threads

        threads = "1 thread" if get_threads() == 1 else f"{get_threads()} threads"
        lines.append(f"compiled kernels: {threads}; the compiled code is stored in {caching.CACHE_FOLDER or 'memory'}")
    except ModuleNotFoundError as missing:
        has_kernels = False
        lines.append(f"{missing}; everything except bench works without it, but more slowly")
    checks = {"the losses at the margins 0 and 1.5 are 0.693147 and 0.201413": _known_values}
    if has_kernels:
        checks["the compiled kernels and NumPy give the same loss and gradient"] = _backends_agree
    checks["the gradient of an MLP agrees with finite differences"] = _gradient_is_right
    passed = True
    for claim, check in checks.items():
        ok = check()
        passed &= ok
        lines.append(f"  {'ok   ' if ok else 'WRONG'} {claim}")
    lines.append("All checks passed." if passed else "A check failed. Please report the lines above.")
    return "\n".join(lines), passed


def _version(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _known_values() -> bool:
    at_zero, at_one_and_a_half = np.asarray(pair_losses([0.0, 1.5])).round(6)
    return bool(at_zero == 0.693147 and at_one_and_a_half == 0.201413 and mean_loss(np.zeros(7)) == np.log(2))


def _problem() -> tuple[MLPScorer, PreferencePairs, np.ndarray]:
    rng = np.random.default_rng(0)
    scorer = MLPScorer(3, 4)
    pairs = PreferencePairs(rng.normal(size=(20, 3)), rng.normal(size=(20, 3)), labels=rng.uniform(size=20))
    return scorer, pairs, rng.normal(size=scorer.n_parameters)


def _backends_agree() -> bool:
    scorer, pairs, phi = _problem()
    loss, gradient = Objective(scorer, pairs, backend=COMPILED)(phi)
    plain_loss, plain_gradient = Objective(scorer, pairs, backend=REFERENCE)(phi)
    return bool(abs(loss - plain_loss) <= 1e-13 * plain_loss and np.abs(gradient - plain_gradient).max() <= 1e-13)


def _gradient_is_right() -> bool:
    from ..gradient_check import check_gradient

    scorer, pairs, phi = _problem()
    return check_gradient(Objective(scorer, pairs, backend=REFERENCE), phi).passed
