"""The command line: ``bradley-terry VERB``.

Each verb is a module of this folder: train, evaluate, split, check, demo, course, figures, bench and doctor. A Python
function such as ``train.train`` or ``doctor.examine`` does the work; the verb only reads the arguments and prints the
result. ``report`` describes a result in words, ``folder`` writes the folder of a run, ``sharded`` is ``train`` for
shards, and ``parser`` collects the arguments of all verbs.
"""

from __future__ import annotations

from . import starting  # noqa: F401  # before anything else is imported

# isort: split
import sys
from collections.abc import Sequence

from ..arrays.visible import visible
from .interrupts import INTERRUPTED, kept
from .streams import OutputLost, standard_streams

__all__ = ["main"]

LONGEST_SENTENCE = 2000  # characters of a message


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line with these arguments and return its exit status.

    Returns
    -------
    int
        0 if all went well. 1 if a check failed, or if the output was closed while we were writing to it. 2 if the verb
        could not do its job, or if its output could not be written; one sentence on stderr then says why. 130 after
        Ctrl-C, also if ``train`` has saved the best model so far.
    """
    try:
        with standard_streams():
            try:
                with kept():
                    return _run(argv)
            except KeyboardInterrupt:
                print("bradley-terry: interrupted", file=sys.stderr)
                return INTERRUPTED
            except OutputLost as lost:
                if lost.is_unread:  # the program that reads our output has closed it, as ``head`` does
                    return 1
                print(f"bradley-terry: standard output cannot be written: {lost}", file=sys.stderr)
                return 2
    except KeyboardInterrupt:  # a second one
        return INTERRUPTED


def _run(argv: Sequence[str] | None) -> int:
    from .parser import make_parser

    parser = make_parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit:
        sys.stdout.flush()  # it printed a help text
        raise
    if arguments.verb is None:
        parser.print_help()
        sys.stdout.flush()
        return 2
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()  # so that an output that cannot be written is noticed here, and not when Python exits
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
        name = visible(str(error.filename), LONGEST_SENTENCE)
        return f"{name}: {error.strerror}" if error.filename else error.strerror
    sentence = visible(" ".join(str(error).split()), LONGEST_SENTENCE)
    name, _, rest = sentence.partition(":")
    return f"--{sentence}" if f"--{name}" in options and rest.startswith(" expected") else sentence
