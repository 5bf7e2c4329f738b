"""``python -m bradley_terry`` is ``bradley-terry``."""

import sys

from .commands import main

if __name__ == "__main__":
    sys.exit(main())
