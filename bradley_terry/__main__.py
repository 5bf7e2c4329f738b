"""``python -m bradley_terry`` does the same as ``bradley-terry``."""

import sys

from .commands import main

if __name__ == "__main__":
    sys.exit(main())
