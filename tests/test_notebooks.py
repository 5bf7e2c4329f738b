"""The lessons stay up to date: they run, their solutions pass, their outputs are current, and they follow the template.

The tests that run a lesson are in the full tier. The others only read the files, as JSON: importing nbformat takes
seconds.
"""

from __future__ import annotations

import html
import inspect
import itertools
import json
import re
from functools import cache
from pathlib import Path

import pytest
import sentences

import bradley_terry as bt
from bradley_terry.course import check, engine, notebooks, predictions
from bradley_terry.gradient_check.diagnosis import diagnose, wrong_gradients
from bradley_terry.gradient_check.runner import real_numbers

LESSONS = notebooks.lessons(notebooks.originals())
NAMES = [path.stem for path in LESSONS]
SECTIONS = [
    "## Predict",
    "## Observe",
    "## Play",
    "## Exercise 1 · ",
    "## Exercise 2 · ",
    "## What would you do?",
    "## Misconceptions",
    "## The claim of this lesson",
    "## Takeaways",
    "## Recall",
    "## Further reading",
]
MOST_WORDS = 1500  # outside the folded answers


class Node(dict):
    """A JSON object whose entries are also attributes, as in nbformat; text that is stored as lines is joined."""

    __getattr__ = dict.__getitem__

    def __init__(self, pairs):
        lines = ("source", "text", "text/plain", "image/svg+xml")
        super().__init__((key, "".join(value) if key in lines else value) for key, value in pairs)


def path_of(name: str) -> Path:
    return notebooks.originals() / f"{name}.ipynb"


@cache
def stored(name: str) -> Node:
    return json.loads(path_of(name).read_text(encoding="utf-8"), object_pairs_hook=Node)


@cache
def fresh(name: str):
    return notebooks.execute(notebooks.read(path_of(name)))


@pytest.fixture(scope="session")
def jupyter() -> None:
    """Skip a test if lessons cannot be run. Compile the kernels first, since a lesson would report that on stderr."""
    for module in ("nbformat", "nbclient", "ipykernel", "ipywidgets"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    bt.warmup()


def runs_lessons(test):
    """Mark a test that executes notebooks."""
    return pytest.mark.full(pytest.mark.usefixtures("jupyter")(test))


def tagged(name: str, tag: str) -> list:
    return [cell for cell in stored(name).cells if tag in cell.metadata.get("tags", [])]


def prose(name: str) -> str:
    return "\n".join(cell.source for cell in stored(name).cells if cell.cell_type == "markdown")


def test_lessons_are_numbered_as_in_the_syllabus():
    """No number occurs twice, and none is above twelve."""
    numbers = [name[:2] for name in NAMES]
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= {f"{i:02}" for i in range(1, 13)}
    assert NAMES


@runs_lessons
@pytest.mark.parametrize("name", NAMES)
def test_lesson_runs_as_stored(name):
    """There is no error, nothing on stderr, and each check says that nothing was attempted."""
    assert notebooks.errors(fresh(name)) == []
    verdicts = notebooks.verdicts(fresh(name))
    assert len(verdicts) >= 3
    assert {status for _, status in verdicts} == {"not attempted"}


@runs_lessons
@pytest.mark.parametrize("name", NAMES)
def test_solutions_pass(name):
    """With every stub replaced by its solution, each check of an exercise says passed."""
    solved = notebooks.execute(notebooks.with_solutions(notebooks.read(path_of(name))))
    assert notebooks.errors(solved) == []
    exercises = [status for what, status in notebooks.verdicts(solved) if not what.startswith("prediction")]
    assert len(exercises) >= 2
    assert set(exercises) == {"passed"}


@runs_lessons
@pytest.mark.parametrize("name", NAMES)
def test_stored_outputs_are_those_of_a_fresh_run(name):
    """What a reader sees without a kernel is what the code prints today: no picture is missing, the same is folded."""
    assert notebooks.texts(stored(name)) == notebooks.texts(fresh(name))

    def pictures(notebook) -> list[int]:
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        return ["image/svg+xml" in output.get("data", {}) for output in outputs]

    assert pictures(stored(name)) == pictures(fresh(name))
    assert [cell.metadata for cell in stored(name).cells] == [cell.metadata for cell in fresh(name).cells]
    assert any(pictures(stored(name)))


@runs_lessons
def test_two_runs_give_the_same_bytes():
    """The files hold no times, widget ids or random ids of figures."""
    name = NAMES[0]
    assert notebooks.as_text(notebooks.execute(notebooks.read(path_of(name)))) == notebooks.as_text(fresh(name))


@runs_lessons
@pytest.mark.parametrize("name", NAMES)
def test_lesson_is_stored_as_nbformat_writes_it(name):
    """A file written by ``bradley-terry course --write`` differs from the stored one only where its content does."""
    assert path_of(name).read_text(encoding="utf-8") == notebooks.as_text(notebooks.read(path_of(name)))


@pytest.mark.parametrize("name", NAMES)
def test_lesson_keeps_to_the_template(name):
    """It has a title, sections in order, folded explanations and a link to the next lesson, and is not too long."""
    cells, text = stored(name).cells, prose(name)
    number = int(name[:2])
    assert text.startswith(f"# {number} · ")
    assert text.partition("\n")[0].endswith("?")
    assert "**You will be able to**" in cells[0].source
    assert "*Time:*" in cells[0].source
    places = [re.search(rf"^{re.escape(section)}", text, re.MULTILINE) for section in SECTIONS]
    assert all(places), [section for section, place in zip(SECTIONS, places, strict=True) if not place]
    assert [place.start() for place in places] == sorted(place.start() for place in places)
    words = len(re.sub(r"<details>.*?</details>", " ", text, flags=re.DOTALL).split())
    assert words <= MOST_WORDS, words  # formulas, tables and headings count too
    lengths = sorted(len(cell.source.splitlines()) for cell in cells if cell.cell_type == "code")
    assert 12 <= len(lengths) <= 20, len(lengths)
    assert lengths[len(lengths) // 2] <= 8
    for summary in ("<summary>Hint 1", "<summary>Hint 2", "<summary>Solution"):
        assert text.count(summary) >= 2
    assert "<summary>" in text.partition("## What would you do?")[2].partition("## Misconceptions")[0]
    misconceptions = text.partition("## Misconceptions")[2].partition("## The claim")[0]
    assert 1 <= len(re.findall(r"^- \*\*“.+?”\*\*", misconceptions, re.MULTILINE)) <= 5
    assert "ry it: two minutes" in text
    assert text.count("<details>") == text.count("</details>")
    assert "**Next:**" in cells[-1].source
    assert len(re.findall(r"^\d\. ", text.partition("## Takeaways")[2].partition("## Recall")[0], re.MULTILINE)) == 3
    assert text.partition("## Recall")[2].count("<details>") == 3
    assert "*What to see:*" in text


@pytest.mark.parametrize("name", NAMES)
def test_lesson_takes_45_minutes(name):
    """Reading 150 words a minute, the exercises as they are rated, and ten minutes to predict, play and use paper."""
    cells, text = stored(name).cells, prose(name)
    reading = len(re.sub(r"<details>.*?</details>", " ", text, flags=re.DOTALL).split()) / 150
    rated = [int(minutes) for minutes in re.findall(r"\*(\d+) minutes\*", text)]
    assert "*Time:* 45 minutes" in cells[0].source
    assert len(rated) == 2
    assert 35 <= reading + sum(rated) + 10 <= 45


@pytest.mark.parametrize("name", NAMES)
def test_lesson_is_stored_with_outputs_and_small(name):
    """It was executed from top to bottom, has unique ids, is under 500 kB, and holds no widget state."""
    text = path_of(name).read_text(encoding="utf-8")
    assert path_of(name).stat().st_size < 500_000
    code = [cell for cell in stored(name).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert len({cell.id for cell in stored(name).cells}) == len(stored(name).cells)
    assert set(stored(name).metadata) == {"kernelspec", "language_info"}
    assert notebooks.WIDGET not in text
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_outputs_that_answer_an_exercise_are_folded_and_no_others(name):
    """JupyterLab folds exactly the outputs of the cells with the tag hide-output, and the text above says so."""
    for before, cell in itertools.pairwise(stored(name).cells):
        hidden = "hide-output" in cell.metadata.get("tags", [])
        assert cell.metadata.get("jupyter", {}) == ({"outputs_hidden": True} if hidden else {}), cell.id
        assert set(cell.metadata) <= {"tags", "jupyter"}
        if hidden:
            assert cell.outputs
            assert "folded output" in before.source
    if name.startswith("10"):
        diagnosed = [cell for cell in stored(name).cells if cell.cell_type == "code" and "bt.diagnose(" in cell.source]
        assert [cell.metadata.get("tags") for cell in diagnosed] == [["hide-output"]]


@pytest.mark.parametrize("name", NAMES)
def test_predictions_are_asked_as_they_are_answered(name):
    """The question and its options are in the lesson, word for word."""
    asked = re.findall(r'check\.prediction\("(\d\d\.\d)"', "\n".join(c.source for c in tagged(name, "check")))
    assert asked
    assert {number[:2] for number in asked} == {name[:2]}
    plain = re.sub(r"[*$]", "", " ".join(prose(name).split()))
    for number in asked:
        assert predictions.PREDICTIONS[number].question.rpartition(". ")[2] in plain
        for choice in predictions.PREDICTIONS[number].choices.values():
            assert choice in plain, choice


CHECKS = [getattr(check, name) for name in check.__all__]


@cache
def said_by(*functions) -> str:
    """Return all sentences in the modules of these functions."""
    return sentences.in_modules({inspect.getmodule(function) for function in functions})


OF_NUMPY = {"divide by zero encountered in log", "Mean of empty slice", "overflow encountered in exp"}
OF_PYTHON = {"math range error"}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_student_may_get_is_what_the_checks_say(name):
    """The words quoted after "I get" are those of a check, or of NumPy or Python."""
    said = said_by(*CHECKS, diagnose, wrong_gradients, real_numbers, engine.compare)
    quoted = re.findall(r"“(.+?)”", " ".join(re.findall(r"<summary>I get (.+?)</summary>", prose(name))))
    for quote in map(html.unescape, quoted):
        for part in quote.split(": "):
            without_value = part.rpartition(" ")[0]  # a message may end with a name or a number
            assert part in OF_NUMPY | OF_PYTHON or part in said or without_value in said, part


@pytest.mark.parametrize("name", NAMES)
def test_lesson_can_be_read_without_seeing_it(name):
    """Headings are in order, every figure has a caption, an SVG has a title and a description, links say where to."""
    cells, text = stored(name).cells, prose(name)
    levels = [len(marks) for marks in re.findall(r"^(#+) ", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.M)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), levels
    for cell, after in itertools.pairwise(cells):
        for output in cell.get("outputs", []):
            picture = output.get("data", {}).get("image/svg+xml")
            if picture is not None:
                assert after.source.lstrip().startswith("*What to see:*"), cell.id
                assert re.search(r'<svg[^>]* role="img" aria-labelledby="title-\w+ desc-\w+"', picture), cell.id
    for words, _ in re.findall(r"(?<!!)\[([^\]]+)\]\(([^)]+)\)", text):
        assert words.strip("* ").lower() not in {"here", "this", "link", "click here", "read more"}, words
    for table in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        rows = table.splitlines()
        assert re.fullmatch(r"[|:\- ]+", rows[1]), rows[:2]
    assert "![](" not in text


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    """Every link leads to another lesson or to a web page."""
    syllabus = {f"{question[:2]}_" for question in predictions.PREDICTIONS}
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", prose(name)):
        assert target.startswith("https://") or target[:3] in syllabus, target


@pytest.mark.parametrize("name", NAMES)
def test_lesson_uses_public_names_only_and_defines_nothing_of_ours(name):
    """There are no private names, no second sigmoid, no pyplot, and no times in an output."""
    code = "\n".join(cell.source for cell in stored(name).cells if cell.cell_type == "code")
    assert not re.search(r"\b(bt|plots|check|sliders|kernels|museum)\._", code)
    assert not re.search(r"def (sigmoid|pair_losses|mean_loss|preference_probability)\b", code)
    assert "pyplot" not in code
    assert "allow_pickle" not in code
    claim = tagged(name, "claim")
    assert len(claim) == 1
    assert "assert" in claim[0].source
    assert "print(" in claim[0].source  # it says what it has shown
    for text in notebooks.texts(stored(name)):
        digits = re.sub(r"\b0[.]0*", "", text.replace(",", ""))
        assert not re.search(r"\d{7}", digits), text  # at most six significant digits
        assert not re.search(r"\b\d+(\.\d+)? ?(ms|µs|seconds)\b", text), text


def test_the_readme_names_every_lesson():
    """The lessons and sections in notebooks/README.md exist."""
    text = (notebooks.originals() / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"({name}.ipynb)" in text
    found = re.findall(r"\]\((\d\d_\w+\.ipynb)\) \| ([^|]+) \|", text)
    assert found
    for name, section in found:
        headings = re.findall(r"^#+ (.+)$", prose(name.removesuffix(".ipynb")), re.MULTILINE)
        assert section.strip() in headings, (name, section)
