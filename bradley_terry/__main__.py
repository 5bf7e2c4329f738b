"""``python -m bradley_terry`` does the same as ``bradley-terry``."""

import sys
from pathlib import Path

# Python puts the current folder first on the module path, where a file called random.py would be run. The folder stays
# there, but last, if it is the one that holds this package.
if not sys.flags.safe_path and sys.path and Path(sys.path[0] or ".").resolve() == Path.cwd():
    here = sys.path.pop(0)
    if Path(here).resolve() == Path(__file__).resolve().parents[1]:
        sys.path.append(here)

from .commands import main  # only now

if __name__ == "__main__":
    sys.exit(main())
