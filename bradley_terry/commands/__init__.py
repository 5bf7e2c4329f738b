"""The command line: ``bradley-terry VERB``.

Each verb is a module of this folder: train, evaluate, split, check, demo, course, figures, bench and doctor. A Python
function such as ``train.train`` or ``doctor.examine`` does the work; the verb only reads the arguments and prints the
result. ``report`` describes a result in words, ``folder`` writes the folder of a run, ``sharded`` is ``train`` for
shards, and ``parser`` collects the arguments of all verbs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line with these arguments and return its exit status.

    Returns
    -------
    int
        0 if all went well. 1 if a check failed, or if the output was closed while we were writing to it. 2 if the verb
        could not do its job; one sentence on stderr then says why. 130 after Ctrl-C, also if ``train`` has saved the
        best model so far.
    """
    from .parser import make_parser

    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show Δ shows a question mark instead
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if arguments.verb is None:
        parser.print_help()
        return 2
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()  # so that a closed pipe is noticed here, and not when Python exits
    except KeyboardInterrupt:
        print("bradley-terry: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the program that reads our output has closed it, as ``head`` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError:
        print("bradley-terry: these data do not fit into the memory of this machine", file=sys.stderr)
        return 2
    except (ValueError, TypeError, OSError, ModuleNotFoundError) as error:
        print(f"bradley-terry: {_sentence(error, arguments.parser.options())}", file=sys.stderr)
        return 2
    return status


def _sentence(error: Exception, options: Sequence[str]) -> str:
    """Describe the error in one line. An argument that is also an option of this verb is named with its two dashes."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    sentence = " ".join(str(error).split())
    name, _, rest = sentence.partition(":")
    return f"--{sentence}" if f"--{name}" in options and rest.startswith(" expected") else sentence
