"""``bradley-terry demo``: the page with six scenes for a projector."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ..arrays.visible import visible

SUMMARY = "show the loss on a projector: a page with six scenes, in a browser"
EXAMPLE = "bradley-terry demo --scene shift"
SCENES = ("loss", "shift", "confidence", "expected", "training", "optimising")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``demo``."""
    scenes = f"scene to begin with: {', '.join(SCENES[:-1])} or {SCENES[-1]} (default: {SCENES[0]})"
    parser.add_argument("--scene", choices=SCENES, metavar="SCENE", help=scenes)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="save the page as an .html file, for example on a USB stick, and do not open it",
    )
    parser.add_argument("--force", action="store_true", help="replace FILE even if it is not a copy of this page")


def run(arguments: Namespace) -> int:
    """Open the page, or write a copy of it."""
    from ..course import projector

    if arguments.out is not None:
        written = projector.write_copy(arguments.out, scene=arguments.scene, force=arguments.force)
        print(f"Written: {visible(str(written))}")
        return 0
    address, opened = projector.show(arguments.scene)
    print(f"Opened {address}" if opened else f"No browser could be opened. Open this page in your browser: {address}")
    return 0
