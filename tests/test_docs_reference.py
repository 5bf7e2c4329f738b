"""Each public name has a page in the reference, with an example that runs."""

from __future__ import annotations

import code
import doctest
import inspect
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest
from matplotlib.axes import Axes

import bradley_terry as bt

DOCS = Path(__file__).parent.parent / "docs"
sys.path.insert(0, str(DOCS / "_extension"))
import imports  # noqa: E402  # from the folder above

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


MODULES = (
    *("calibration", "datasets", "distributed", "evaluation", "files", "gradient_check", "inference", "kernels"),
    *("logistic", "losses", "model", "newton", "pairs", "plots", "preference", "ranking", "scorers", "training"),
    "course.check",
)
WITHOUT_A_PAGE = {
    # the passes of the backend
    "kernels": "curvatures differences_of in_parts linear_loss_and_gradient linear_margins linear_pull "
    "mlp_loss_and_gradient ranking_loss_and_gradient ranking_loss_and_slopes warmup weighted_gram",
    "files": "FIELDS FORMATS LONGEST_NAME MOST_NAMES NUMBERS Messages read_file",  # parts of the loaders
    "plots": "CHOSEN EMPIRICAL EXPECTED LINE_WIDTH LOG_TWO MARKER_SIZE QUIET REJECTED STYLE TEXT_SIZE",  # in one table
    "logistic": "Array",  # types of arguments
    "scorers": "Features forward",
    "pairs": "check_fit check_loss shifted",  # for the modules that come later in the book
    "model": "HISTORY",  # the columns of RewardModel.history
}


def test_every_public_name_has_a_page() -> None:
    """What ``__all__`` of the package and of its public modules names is in the reference, but for what is inside."""
    listed = {id(found(name)) for name in NAMES}
    for module in ("", *MODULES):
        where = found(f"bradley_terry.{module}".rstrip("."))
        left_out = WITHOUT_A_PAGE.get(module, "").split()
        for name in vars(where)["__all__"]:
            subject = getattr(where, name)
            assert inspect.ismodule(subject) or id(subject) in listed or name in left_out, f"{module}.{name}"
    for name in bt.ranking.__all__:
        assert id(getattr(bt.losses, name)) in listed


@pytest.mark.parametrize("name", NAMES)
def test_page_has_an_example(name: str) -> None:
    """The docstring has a doctest, or the notes have one or draw a figure."""
    documented = inspect.getdoc(found(name)) or ""
    assert ">>>" in documented or ">>>" in note_of(name) or DRAWN.search(note_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_example_of_a_docstring_runs_when_it_is_pasted(name: str) -> None:
    """The site puts the imports before it that it needs; with them, it runs where nothing else is imported."""
    subject = found(name)
    documented = inspect.getdoc(subject) or ""
    module = inspect.getmodule(subject)
    if ">>>" in documented and module is not None:
        names: dict[str, object] = {"__name__": "__main__"}
        exec("\n".join(imports.lines_for(documented, module)), names)  # noqa: S102  # what the page shows
        test = doctest.DocTestParser().get_doctest(documented, names, name, None, 0)
        assert doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test).failed == 0


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_example_runs_at_the_prompt_of_python(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A reader may paste the lines of the page, without their prompts, where Python reads them one by one."""
    subject = found(name)
    documented, module = inspect.getdoc(subject) or "", inspect.getmodule(subject)
    lines = imports.lines_for(documented, module) if module is not None else []
    for text in (documented, note_of(name)):
        shown = [line.strip() for line in imports.closed(text.splitlines())]
        lines += [line[4:] for line in shown if line.startswith((">>>", "...")) and "+SKIP" not in line]
    if "distributed.cluster(" in note_of(name):
        pytest.importorskip("distributed")
    console = code.InteractiveConsole({"__name__": "__main__"})
    assert not any([console.push(line) for line in lines][-1:])  # nothing is left unfinished
    assert "Error" not in capsys.readouterr().err


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
