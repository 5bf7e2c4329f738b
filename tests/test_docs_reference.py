"""Each public name has a page in the reference, with an example that runs."""

from __future__ import annotations

import doctest
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest
from matplotlib.axes import Axes

import bradley_terry as bt

DOCS = Path(__file__).parent.parent / "docs"
GROUPS = sorted((DOCS / "reference").glob("*.md"))
NOTES = sorted((DOCS / "reference" / "notes").glob("*.rst"))
LISTED = re.compile(r"^   ~?(bradley_terry\.[\w.]+)$", re.MULTILINE)
NAMES = [name for page in GROUPS for name in LISTED.findall(page.read_text(encoding="utf-8"))]
DRAWN = re.compile(r"^\.\. drawn::\n(?:   :\w+:.*\n)*\n((?:   .*\n|\n)+)", re.MULTILINE)


def found(name: str) -> object:
    """Return what a dotted name means. A function may have the name of its module, and then the function is meant."""
    first, *others = name.split(".")
    here = import_module(first)
    path = first
    for part in others:
        path += f".{part}"
        here = getattr(here, part) if hasattr(here, part) else import_module(path)
    return here


def note_of(name: str) -> str:
    path = DOCS / "reference" / "notes" / f"{name}.rst"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_no_name_is_listed_twice() -> None:
    """Each name, and each object, has one page."""
    assert len(NAMES) == len(set(NAMES))
    objects = [id(found(name)) for name in NAMES if inspect.isroutine(found(name)) or inspect.isclass(found(name))]
    assert len(objects) == len(set(objects))


def test_every_name_at_the_top_level_has_a_page() -> None:
    """What ``from bradley_terry import *`` gives is in the reference, and so is every loss of ``bt.losses``."""
    modules = {"datasets", "kernels", "plots", "calibration"}
    assert {f"bradley_terry.{name}" for name in bt.__all__} - set(NAMES) <= {f"bradley_terry.{m}" for m in modules}
    listed = {id(found(name)) for name in NAMES}
    for name in bt.__all__:
        if name not in modules:
            assert id(getattr(bt, name)) in listed, name


@pytest.mark.parametrize("name", NAMES)
def test_page_has_an_example(name: str) -> None:
    """The docstring has a doctest, or the notes have one or draw a figure."""
    documented = inspect.getdoc(found(name)) or ""
    assert ">>>" in documented or ">>>" in note_of(name) or DRAWN.search(note_of(name))


@pytest.mark.parametrize("path", NOTES, ids=lambda path: path.stem)
def test_examples_of_the_notes_run(path: Path) -> None:
    """A file of notes belongs to a page, and its doctests and figures work."""
    assert path.stem in NAMES
    text = path.read_text(encoding="utf-8")
    if "distributed.cluster(" in text:
        pytest.importorskip("distributed")
    result = doctest.testfile(
        str(path),
        module_relative=False,
        globs={"__name__": "__main__"},
        encoding="utf-8",
        optionflags=doctest.NORMALIZE_WHITESPACE,
    )
    assert result.failed == 0
    for block in DRAWN.findall(text):
        names: dict[str, object] = {}
        exec(compile(inspect.cleandoc(block), path.name, "exec"), names)  # noqa: S102  # the code of our own page
        ax = names["ax"]
        assert isinstance(ax, Axes) or all(isinstance(panel, Axes) for panel in ax)
