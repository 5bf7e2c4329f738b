"""The first thing that a command imports: keep the modules of the current folder away from it.

``python -m`` puts the current folder first on the module path, so that a file called random.py in it would be run when
Python or NumPy imports random. The program ``bradley-terry`` is not affected.
"""

import os
import sys


def is_module() -> bool:
    """Return whether this process was started as ``python -m bradley_terry``."""
    given = sys.orig_argv
    return "-m" in given and given[given.index("-m") + 1 :][:1] == ["bradley_terry"]


def leave_out_current_folder() -> None:
    """Take the current folder from the module path, or put it last if this package lies in it."""
    try:
        here = os.path.realpath(os.getcwd())  # noqa: PTH109  # pathlib is not imported yet
    except FileNotFoundError:  # it was deleted
        return
    if sys.path and not sys.flags.safe_path and os.path.realpath(sys.path[0] or here) == here:
        first = sys.path.pop(0)
        if os.path.realpath(__file__).startswith(here + os.sep):
            sys.path.append(first)


if is_module():
    leave_out_current_folder()
