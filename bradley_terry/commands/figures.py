"""``bradley-terry figures``: draw the figures of the course again."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ..arrays.visible import visible

SUMMARY = "draw the figures of the course again"
EXAMPLE = "bradley-terry figures --out figures"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``figures``."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("figures"),
        metavar="FOLDER",
        help="folder to write the figures to (default: figures)",
    )


def run(arguments: Namespace) -> int:
    """Draw the figures and print their paths."""
    from ..course.figures import build_figures

    for path in build_figures(arguments.out):
        print(visible(str(path)))
    return 0
