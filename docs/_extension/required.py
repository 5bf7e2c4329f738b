"""What must be installed before the site can be built, checked first, so that the answer is one sentence."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import sphinx
from sphinx.errors import ConfigError

OLDEST_SPHINX = (8, 1)
PACKAGES = {
    "bradley_terry": "bradley-terry",
    "myst_nb": "myst-nb",
    "furo": "furo",
    "sphinx-mathjax-offline": "sphinx-mathjax-offline",
    "matplotlib": "matplotlib",
}
REMEDY = 'Install what the site needs with: python -m pip install -e ".[docs]"'


def check_what_is_installed(checkout: Path) -> None:
    """Raise ConfigError, with one sentence and the remedy, if the site cannot be built.

    Pandoc is not needed: the lessons are read by myst-nb, which converts them itself.
    """
    if sphinx.version_info[:2] < OLDEST_SPHINX:
        oldest = ".".join(map(str, OLDEST_SPHINX))
        raise ConfigError(f"Sphinx {sphinx.__version__} is too old; the site needs Sphinx {oldest} or newer. {REMEDY}")
    missing = [name for module, name in PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise ConfigError(f"The site needs {' and '.join(missing)}, which cannot be imported. {REMEDY}")
    for folder in ("notebooks", "figures"):
        if not (checkout / folder).is_dir():
            raise ConfigError(f"The site is built from a checkout of the project, but {checkout / folder} is missing.")
