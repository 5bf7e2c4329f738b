"""Checks what must be installed, before anything else is loaded, so that the answer is one sentence."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import sphinx
from sphinx.application import Sphinx

OLDEST_SPHINX = (8, 1)
PACKAGES = {
    "bradley_terry": "bradley-terry",
    **{name: name for name in ("numpy", "numba", "matplotlib", "tqdm", "threadpoolctl", "nbformat")},
    "myst_nb": "myst-nb",
    "furo": "furo",
    "sphinx-mathjax-offline": "sphinx-mathjax-offline",
}
REMEDY = 'Install what the site needs with: python -m pip install -e ".[docs]"'


def problem_of(checkout: Path) -> str | None:
    """Return one sentence, with the remedy, if the site cannot be built here.

    Pandoc is not needed, since myst-nb reads the lessons without it.
    """
    if sphinx.version_info[:2] < OLDEST_SPHINX:
        found, oldest = (".".join(map(str, version)) for version in (sphinx.version_info[:3], OLDEST_SPHINX))
        return f"Sphinx {found} is too old; the site needs Sphinx {oldest} or newer. {REMEDY}"
    missing = [package for module, package in PACKAGES.items() if find_spec(module) is None]
    if missing:
        return f"The site needs {' and '.join(missing)}, which cannot be imported. {REMEDY}"
    for folder in ("notebooks", "figures"):
        if not (checkout / folder).is_dir():
            return f"The site is built in a checkout of the project, but {checkout / folder} is missing."
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """End the build if something is missing.

    SystemExit prints just the sentence; Sphinx would wrap any other exception in a report about itself.
    """
    problem = problem_of(Path(app.srcdir).parent)
    if problem is not None:
        raise SystemExit(problem)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
