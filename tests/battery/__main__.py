"""Run the whole battery, and print the counts by kind: ``cd tests && python -m battery [--breaches] [PATH …]``."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter

from . import arguments
from .calls import KINDS, breaches_of, calls_of
from .entries import entries


def main() -> int:
    """Try every entry, or those whose path begins with one of the arguments."""
    sys.stdout.reconfigure(errors="backslashreplace")
    wanted = tuple(argument for argument in sys.argv[1:] if not argument.startswith("--"))
    arguments.prepare()
    os.chdir(tempfile.mkdtemp())
    calls, per_kind, places = 0, Counter(), {}
    tried = [entry for entry in entries() if not wanted or entry.path.startswith(wanted)]
    for entry in tried:
        start = time.perf_counter()
        before = calls
        for name, tag, value in calls_of(entry):
            calls += 1
            for breach in breaches_of(entry, name, tag, value):
                per_kind[breach.kind] += 1
                places.setdefault(breach.kind, set()).add((breach.path, breach.argument))
                if "--breaches" in sys.argv:
                    print(breach, flush=True)
        if "--times" in sys.argv:
            print(f"{time.perf_counter() - start:8.2f} s {calls - before:6} calls  {entry.path}", flush=True)
    print(f"{calls} calls of {len(tried)} entries")
    for kind, meaning in KINDS.items():
        print(f"{per_kind[kind]:7} calls in {len(places.get(kind, ())):4} places {meaning}")
    return int(bool(per_kind))


if __name__ == "__main__":
    sys.exit(main())
