"""Fuzz the loaders of files with atheris, which mutates the inputs that take new branches of the code.

    pip install atheris
    python tests/fuzz/run.py                                 one million inputs for each loader
    python tests/fuzz/run.py csv npz --inputs 10000
    python tests/fuzz/run.py csv --blind                     the same by chance alone, which is faster
    python tests/fuzz/run.py csv --replay crash-1234         one input again

A finding is any exception that ``loaders.check`` does not allow, more than two seconds, or more than 500 MB beyond what
the fuzzer itself needs. It ends the run of its loader with status 1, and its input is left in the folder of findings.
Findings become files of ``tests/fuzz/corpus``, which ``tests/test_strangers_fuzz.py`` loads on every run.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
LONGEST_INPUT = 8192  # bytes
MOST_MEMORY = 1000  # MB; the fuzzer and the libraries need about half of it


def main() -> int:
    """Run each loader in a process of its own, one after the other."""
    parser = argparse.ArgumentParser(description="fuzz the loaders of files", epilog="see the head of this file")
    parser.add_argument("loaders", nargs="*", help="default: all")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="for each loader (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=0, help="at most, for each loader (default: no limit)")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="folder (default: %(default)s)")
    parser.add_argument("--corpus", type=Path, help="folder to keep inputs that take new branches (default: none)")
    parser.add_argument("--replay", type=Path, help="a file: load it, and no other input")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--blind", action="store_true", help="change inputs at random, without watching the code")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        (fuzz_blindly if arguments.blind else fuzz)(arguments)
        return 0
    sys.path.insert(0, str(HERE))
    from loaders import LOADERS, check

    if arguments.replay is not None:
        with tempfile.TemporaryDirectory() as folder:
            print("loaded" if check(*arguments.loaders, arguments.replay.read_bytes(), Path(folder)) else "refused")
        return 0
    arguments.findings.mkdir(parents=True, exist_ok=True)
    failed = []
    for loader in arguments.loaders or LOADERS:
        started = time.monotonic()
        rest = [f"--{name}={getattr(arguments, name)}" for name in ("inputs", "seconds", "findings", "seed")]
        rest += [] if arguments.corpus is None else [f"--corpus={arguments.corpus}"]
        rest += ["--blind"] if arguments.blind else []
        done = subprocess.run(
            [sys.executable, __file__, loader, "--one", *rest], capture_output=True, text=True, check=False
        )
        lines = done.stderr.splitlines()
        n_inputs = max(map(int, re.findall(r"^#(\d+)\s", done.stderr, re.MULTILINE)), default=0)
        took = time.monotonic() - started
        outcome = "no finding" if done.returncode == 0 else "A FINDING"
        print(f"{loader:14} {n_inputs:9,} inputs, {n_inputs / took:6.0f} a second, {outcome}", flush=True)
        if done.returncode:
            failed.append(loader)
            print("\n".join(lines[-40:]), file=sys.stderr)
    return 1 if failed else 0


def fuzz(arguments: argparse.Namespace) -> None:
    """Fuzz one loader; the fuzzer ends the process itself."""
    import atheris

    with atheris.instrument_imports(include=["bradley_terry", "zipfile", "gzip", "json.decoder", "loaders"]):
        import gzip  # noqa: F401
        import json.decoder  # noqa: F401
        import zipfile  # noqa: F401

        sys.path.insert(0, str(HERE))
        from loaders import check
    loader = arguments.loaders[0]
    with in_memory() as folder:
        place, kept = Path(folder), arguments.corpus / loader if arguments.corpus else Path(folder) / "kept"
        kept.mkdir(parents=True, exist_ok=True)
        for data in (CORPUS / loader).iterdir():  # with all modules loaded, and outside of the time limit
            check(loader, data.read_bytes(), place)
        atheris.Setup(
            [
                sys.argv[0],
                f"-runs={arguments.inputs}",
                f"-max_total_time={arguments.seconds}",
                f"-max_len={LONGEST_INPUT}",
                f"-rss_limit_mb={MOST_MEMORY}",
                "-timeout=20",  # the loader itself is allowed less
                f"-artifact_prefix={arguments.findings}/{loader}-",
                f"-dict={HERE / 'words.dict'}",
                f"-seed={arguments.seed}",
                "-print_final_stats=1",
                str(kept),
                str(CORPUS / loader),
            ],
            lambda data: check(loader, data, place) and None,
        )
        atheris.Fuzz()


def fuzz_blindly(arguments: argparse.Namespace) -> None:
    """Load changed inputs of the corpus, and say how many; the process ends at the first finding."""
    import resource

    sys.path.insert(0, str(HERE))
    from loaders import check
    from mutants import mutants, words_of

    loader, started, n_inputs = arguments.loaders[0], time.monotonic(), 0
    folders = [CORPUS / loader, *([arguments.corpus / loader] if arguments.corpus else [])]
    inputs = [path.read_bytes() for folder in folders for path in sorted(folder.glob("*"))]
    made = mutants(inputs, words_of(HERE / "words.dict"), Random(arguments.seed))  # noqa: S311  # no secret
    with in_memory() as folder:
        for data in inputs:  # with all modules loaded, and outside of the memory limit
            check(loader, data, Path(folder))
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for data in islice(made, arguments.inputs):
            signal.alarm(20)
            try:
                check(loader, data, Path(folder))
                more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used) / 1000
                assert more < MOST_MEMORY / 2, f"{more:.0f} MB"
            except BaseException:
                (arguments.findings / f"{loader}-blind-{n_inputs}").write_bytes(data)
                raise
            n_inputs += 1
            if n_inputs % 1000 == 0:
                print(f"#{n_inputs}\t", file=sys.stderr)
                if 0 < arguments.seconds < time.monotonic() - started:
                    break
        signal.alarm(0)
    print(f"#{n_inputs}\t", file=sys.stderr)


def in_memory() -> tempfile.TemporaryDirectory[str]:
    """Return a new folder, in memory if the system has such a place."""
    place = "/dev/shm"  # noqa: S108  # a folder that only this process knows is made in it
    return tempfile.TemporaryDirectory(dir=place if Path(place).is_dir() else None)


if __name__ == "__main__":
    sys.exit(main())
