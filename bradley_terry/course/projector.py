"""The projector page ``projector.html``: six scenes about the loss in one file, for a browser without a network.

The page carries its own copy of the formulas; the tests compare them with those of this package.
"""

from __future__ import annotations

import tempfile
import webbrowser
from importlib.resources import files
from pathlib import Path

from ..arrays.visible import quoted, visible
from ..files.saving import write_file

__all__ = ["SCENES", "page", "show", "write_copy"]

SCENES = ("loss", "shift", "confidence", "expected", "training", "optimising")
_FILE = "projector.html"


def page(scene: str | None = None) -> str:
    """Return the page as text. In a browser it opens at this scene, or at the first one.

    Raises
    ------
    ValueError
        For an unknown scene.
    """
    if scene is not None and scene not in SCENES:
        raise ValueError(f"scene: expected one of {', '.join(SCENES)}, got {quoted(scene)}")
    text = (files(__package__) / _FILE).read_text(encoding="utf-8")
    return text if scene is None else text.replace('<html lang="en">', f'<html lang="en" data-start="{scene}">', 1)


def write_copy(path: Path, *, scene: str | None = None, force: bool = False) -> Path:
    """Write the page to a file, for example on a USB stick, and return the path.

    An earlier copy of the page is replaced; any other file only with ``force``.

    Raises
    ------
    ValueError
        If the name does not end in .html, or if a file of this name exists and is not a copy of this page.
    OSError
        If the file cannot be written.
    """
    if path.suffix.lower() not in {".html", ".htm"}:
        raise ValueError(f"{visible(str(path))}: expected a file name that ends in .html")
    if not force and path.is_file() and not _is_copy(path):
        raise ValueError(
            f"{visible(str(path))}: exists already and is not a copy of this page; choose another name, or use --force"
        )
    write_file(path, page(scene))
    return path


def _is_copy(path: Path) -> bool:
    """Return whether a file has the title of our page."""
    before, title, _ = page().partition("</title>")
    ours = (before.rpartition("<title>")[2] + title).encode("utf-8")
    with path.open("rb") as file:
        return b"<title>" + ours in file.read(2000)


def show(scene: str | None = None) -> tuple[str, bool]:
    """Open the page in the default browser; return its address, and whether a browser opened it."""
    found = files(__package__) / _FILE
    if isinstance(found, Path):
        address = found.resolve().as_uri()
    else:  # inside a zip file: a browser needs a real file
        address = write_copy(Path(tempfile.mkdtemp(prefix="bradley_terry_")) / _FILE).as_uri()
    if scene is not None:
        address += f"#scene={scene}"
    try:
        return address, webbrowser.open(address)
    except webbrowser.Error:
        return address, False
