"""Copies the lessons into the site as they are stored, after checking that each of them has been executed."""

from __future__ import annotations

import os
import re
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx
from sphinx.config import Config

from bradley_terry.course.predictions import PREDICTIONS

REMEDY = "Run bradley-terry course --write, which executes the lessons and stores their output."

SCENES = {"02": "loss", "03": "shift", "04": "confidence", "05": "expected", "06": "training", "12": "optimising"}
SCENE = """<details class="scene"><summary>Move the slider here</summary>
<iframe class="projector" src="../projector.html#scene={scene}" title="Sliders of this lesson" loading="lazy"></iframe>
</details>
<p><a class="slider-link" href="../projector.html#scene={scene}" target="_blank">Move it in a new tab</a></p>"""
LIVE = {  # what shows in a browser what the slider of a lesson shows
    "01": (Path(__file__).parent / "two_rewards.html").read_text(encoding="utf-8"),
    **{lesson: SCENE.format(scene=scene) for lesson, scene in SCENES.items()},
}
ASK = "<p>Choose an answer to see the reply.</p>"
SET_UP = " Run the cells from the top with Shift+Enter."  # not on a page
READING = (
    "> This page shows lesson {number} with its stored output. You can answer its questions here. To run the cells and "
    "have your own two functions checked, [install the package](../install.md) and open your own copy with "
    "`bradley-terry course`."
)


def read_lesson(path: Path) -> nbformat.NotebookNode:
    """Return a lesson; end the build with one sentence if it is damaged, was not executed or stores an error."""
    try:
        lesson = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        nbformat.validate(lesson)
    except Exception as error:  # a damaged notebook raises almost anything
        raise SystemExit(f"The lesson {path.name} is not a notebook ({type(error).__name__}). {REMEDY}") from error
    cells = [cell for cell in lesson["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    if not outputs or any(cell["execution_count"] is None for cell in cells):
        raise SystemExit(f"The lesson {path.name} has cells that were not executed. {REMEDY}")
    if any(output["output_type"] == "error" for output in outputs):
        raise SystemExit(f"The lesson {path.name} stores an error. {REMEDY}")
    return lesson


def describe_pictures(cell: dict[str, Any]) -> None:
    """Give the picture of a cell the text that its SVG contains, for readers who cannot see it."""
    for output in cell["outputs"]:
        picture = output.get("data", {}).get("image/svg+xml", "")
        texts = re.findall(r"<(?:title|desc) [^>]*>(.*?)</(?:title|desc)>", picture, re.DOTALL)
        if texts:
            cell["metadata"]["mystnb"] = {"image": {"alt": ". ".join(" ".join(text.split()) for text in texts)}}


def show_slider(cell: dict[str, Any], number: str) -> None:
    """In place of a slider, which needs a kernel, show one that needs none, or a link to a page that has it."""
    if number in LIVE and cell["source"].startswith("sliders."):
        cell["outputs"] = [nbformat.v4.new_output("display_data", data={"text/html": LIVE[number]})]
        cell["metadata"]["tags"] = ["remove-input"]


def offer_guesses(cells: list[dict[str, Any]]) -> None:
    """Make buttons of the options of each prediction, which show the reply, instead of cells that need a kernel."""
    for question, guess, check in zip(cells, cells[1:], cells[2:], strict=False):
        if called := re.match(r'check\.prediction\("(.*?)"', check["source"]):
            asked = PREDICTIONS[called[1]]
            options = "".join(
                f'<details name="guess-{called[1]}"><summary><b>{letter}</b> – {escape(choice)}</summary>'
                f"<p>{escape(asked.options[letter])}</p></details>"
                for letter, choice in asked.choices.items()
            )
            html = f'<div class="guess" role="group" aria-label="Your prediction">{ASK}{options}</div>'
            if not re.fullmatch(r"my_\w*guess = None", guess["source"]):
                raise SystemExit(f"The prediction {called[1]} must follow a cell such as: my_guess = None")
            question["source"] = re.sub(r"\n- \*\*[abc]\*\* – .*|\nWrite your guess .*", "", question["source"])
            guess["metadata"]["tags"] = ["remove-cell"]
            check["metadata"]["tags"] = ["remove-input"]
            check["outputs"] = [nbformat.v4.new_output("display_data", data={"text/html": html})]


def add_note(lesson: dict[str, Any], number: int) -> None:
    """Say below the title what cannot be done on the page, and how to do it."""
    first = lesson["cells"][0]
    title, _, rest = first["source"].replace(SET_UP, "").partition("\n")
    first["source"] = f"{title}\n\n{READING.format(number=number)}\n{rest}"


def copy_lessons(app: Sphinx, _config: Config) -> None:
    """Write the lessons to ``docs/lessons``, which Sphinx then reads like any other page."""
    source, target = Path(app.srcdir).parent / "notebooks", Path(app.srcdir) / "lessons"
    lessons = {path: read_lesson(path) for path in sorted(source.glob("[0-9][0-9]_*.ipynb"))}
    if not lessons:
        raise SystemExit(f"There are no lessons in {source}.")
    pages = {path.name: path.read_text(encoding="utf-8") for path in source.glob("*.md")}
    for path, lesson in lessons.items():
        for cell in lesson["cells"]:
            if cell["cell_type"] == "code":
                describe_pictures(cell)
                show_slider(cell, path.name[:2])
        offer_guesses(lesson["cells"])
        add_note(lesson, int(path.name[:2]))
        pages[path.name] = nbformat.writes(lesson)
    try:
        target.mkdir(exist_ok=True)
        for old in [*target.glob("*.ipynb"), *target.glob("*.md")]:
            if old.name not in pages:
                old.unlink(missing_ok=True)
        for name, text in pages.items():
            write_changed(target / name, text)
    except OSError as error:
        raise SystemExit(f"The lessons cannot be copied to {target}: {error.strerror}.") from error


def write_changed(path: Path, text: str) -> None:
    """Write a page only if it changed, so that Sphinx keeps what it knows, and at once, for builds side by side."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)


def link_copies(app: Sphinx, name: str, text: list[str]) -> None:
    """Lead the links of the pages, which also work in the repository, to the copies of the lessons."""
    text[0] = re.sub(r"\]\(((?:\.\./)*)\.\./notebooks/", r"](\1lessons/", text[0])
    if name.startswith("lessons/"):
        text[0] = text[0].replace("](../docs/", "](../")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx: the lessons must be there before it looks for pages."""
    app.connect("config-inited", copy_lessons)
    app.connect("source-read", link_copies)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
