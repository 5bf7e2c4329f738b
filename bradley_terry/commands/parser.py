"""The arguments of all verbs, and the messages about wrong ones.

A verb is a module with four names: ``SUMMARY`` and ``EXAMPLE`` for its help, ``add_arguments(parser)``, and
``run(arguments)``, which does the work and returns the exit status. Importing this module imports neither Matplotlib
nor Numba nor Jupyter: a verb that needs them imports them when it runs.
"""

from __future__ import annotations

import re
from argparse import Action, ArgumentError, ArgumentParser, HelpFormatter, Namespace
from collections.abc import Iterable, Sequence
from textwrap import wrap
from types import ModuleType
from typing import NoReturn

from .. import __version__
from ..arrays.visible import quoted, visible
from . import bench, check, course, demo, doctor, evaluate, figures, split, train

__all__ = ["VERBS", "Parser", "make_parser"]

VERBS: tuple[ModuleType, ...] = (
    train,
    evaluate,
    split,
    check,
    demo,
    course,
    figures,
    bench,
    doctor,
)  # as --help lists them


class _HelpFormatter(HelpFormatter):
    """Break lines at spaces only, so that travel-modes stays one word."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrap(text, width, break_on_hyphens=False)


class Parser(ArgumentParser):
    """An argument parser that answers a mistake with the usage of the verb and suggests the closest known word."""

    def parse_known_args(  # type: ignore[override]  # argparse has overloads for other kinds of namespaces
        self, args: Sequence[str] | None = None, namespace: Namespace | None = None
    ) -> tuple[Namespace, list[str]]:
        """Parse as usual, but refuse unknown arguments here instead of leaving them to the top-level parser."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self._refuse(unknown)
        return found, unknown

    def _refuse(self, unknown: list[str]) -> NoReturn:
        option = next((word for word in unknown if word.startswith("-")), None)
        if option is None:
            self.error(f"unexpected argument {quoted(unknown[0])}")
        name = option.partition("=")[0]
        self.error(f"there is no option {name}{did_you_mean(name, self.options())}")

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, which may quote an argument, and exit with status 2."""
        super().error(visible(message, 1000))

    def options(self) -> list[str]:
        """Return the long options, such as ``--json``, in the order of the usage."""
        return re.findall(r"--[a-z][\w-]*", self.format_usage())

    def _check_value(self, action: Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            suggestion = did_you_mean(str(value), choices)
            raise ArgumentError(action, f"expected one of {', '.join(choices)}, got {quoted(value)}{suggestion}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?" with the known word that is closest to this one, or "" if none is close.

    Examples
    --------
    >>> did_you_mean("--methd", ["--method", "--json"])
    '; did you mean --method?'
    """
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def make_parser() -> Parser:
    """Return the parser of ``bradley-terry``, with all its verbs."""
    parser = Parser(
        prog="bradley-terry",
        description="Train reward models with the Bradley-Terry loss, check its gradients, and learn how it works.",
        epilog="example: bradley-terry train",
    )
    parser.add_argument("--version", action="version", version=f"bradley-terry {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    for verb in VERBS:
        name = verb.__name__.rpartition(".")[2]
        part = verbs.add_parser(
            name,
            help=verb.SUMMARY,
            description=verb.SUMMARY,
            epilog=f"example: {verb.EXAMPLE}",
            formatter_class=_HelpFormatter,
        )
        verb.add_arguments(part)
        part.set_defaults(run=verb.run, parser=part)
    return parser
