"""Is everything in its place? Versions, backend, cache, and one self-check that takes about a second."""

from __future__ import annotations

import platform
from importlib import metadata

import numpy as np

from .. import __version__
from ..gradient_check import check_gradient
from ..losses import mean_loss, pair_losses
from ..objective import Objective, chosen_backend
from ..pairs import PreferencePairs
from ..scorers import MLPScorer

__all__ = ["examine"]

NEEDED = ("numpy", "numba", "matplotlib", "tqdm", "threadpoolctl")
OPTIONAL = ("jupyterlab", "autograd", "jax", "torch", "scipy", "pytest")


def examine() -> tuple[str, bool]:
    """Return a report for people and whether all is well."""
    lines = [
        f"bradley_terry {__version__}, Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    ]
    lines += [f"  {name:<13} {_version(name)}" for name in NEEDED]
    lines += [f"  {name:<13} {_version(name)} (optional)" for name in OPTIONAL]
    backend = chosen_backend("numba")
    if backend == "numba":
        from .. import kernels  # noqa: PLC0415

        lines.append(
            f"backend: numba, {kernels.get_threads()} thread(s); compiled code is kept in {kernels.CACHE_FOLDER}"
        )
    else:
        lines.append("backend: numpy, since numba is not installed; all but bench works, more slowly")
    checks = {
        "loss at margins 0 and 1.5 is .693147 and .201413": _known_values,
        f"{backend} and numpy give the same loss and gradient": lambda: _twins_agree(backend),
        "gradient of an MLP agrees with finite differences": _gradient_is_right,
    }
    well = True
    for claim, check in checks.items():
        passed = check()
        well &= passed
        lines.append(f"  {'ok   ' if passed else 'WRONG'} {claim}")
    lines.append("all is well" if well else "something is wrong: please report the lines above")
    return "\n".join(lines), well


def _version(name: str) -> str:
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


def _twins_agree(backend: str) -> bool:
    scorer, pairs, phi = _problem()
    loss, gradient = Objective(scorer, pairs, backend=backend)(phi)
    plain_loss, plain_gradient = Objective(scorer, pairs, backend="numpy")(phi)
    return bool(abs(loss - plain_loss) <= 1e-13 * plain_loss and np.abs(gradient - plain_gradient).max() <= 1e-13)


def _gradient_is_right() -> bool:
    scorer, pairs, phi = _problem()
    return check_gradient(Objective(scorer, pairs, backend="numpy"), phi).passed
