"""Whether the kernels can be compiled: Numba may be missing, and it does not exist for Python in a browser."""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["THE_BACKEND", "has_compiler"]

THE_BACKEND = "backend: use 'auto' or 'numpy', since 'numba' needs"


def has_compiler(needed_by: str = "") -> bool:
    """Return whether Numba is installed, without importing it.

    With ``needed_by``, the beginning of a sentence that ends with "needs", raise ModuleNotFoundError instead of
    returning False.
    """
    try:
        if find_spec("numba") is not None:
            return True
    except ImportError:  # an import hook may refuse the name instead of not finding it
        pass
    if needed_by:
        why = "is not installed: python -m pip install numba"
        if sys.platform == "emscripten":
            why = "does not exist for Python in a browser"
        raise ModuleNotFoundError(f"{needed_by} Numba, which {why}", name="numba")
    return False
