"""Whether the kernels can be compiled: Numba may be missing or broken, and Python in a browser has none."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

__all__ = ["THE_BACKEND", "has_compiler"]

THE_BACKEND = "backend: use 'auto' or 'numpy', since 'numba' needs"


def has_compiler(needed_by: str = "") -> bool:
    """Return whether Numba can be imported. If it is installed, this imports it.

    With ``needed_by``, the beginning of a sentence that ends with "needs", raise ModuleNotFoundError instead of
    returning False.
    """
    why = "is not installed: python -m pip install numba"
    if sys.platform == "emscripten":
        why = "does not exist for Python in a browser"
    try:
        if find_spec("numba") is not None:
            import_module("numba")
            return True
    except ModuleNotFoundError:  # an import hook may refuse the name instead of not finding it
        pass
    except ImportError as error:  # for example with a NumPy that is too new for it
        why = f"cannot be imported ({error}): python -m pip install --upgrade numba"
    if needed_by:
        raise ModuleNotFoundError(f"{needed_by} Numba, which {why}", name="numba")
    return False
