"""The lessons cannot rot: they run, their solutions pass, what they show is current, and they keep to the template."""

from __future__ import annotations

import inspect
import re
from functools import cache
from pathlib import Path

import pytest

from bradley_terry.course import check, predictions
from bradley_terry.gradient_check import diagnosis

nbformat = pytest.importorskip("nbformat", reason="Jupyter is not installed")
pytest.importorskip("nbclient", reason="Jupyter is not installed")
pytest.importorskip("ipykernel", reason="Jupyter is not installed")
pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")

from bradley_terry.course import notebooks  # noqa: E402

ROOT = Path(__file__).parent.parent
LESSONS = notebooks.lessons(notebooks.originals())
NAMES = [path.stem for path in LESSONS]
SECTIONS = [
    "## Predict",
    "## Observe",
    "## Play",
    "## Exercise 1 · ",
    "## Exercise 2 · ",
    "## The claim of this lesson",
    "## Common mistakes",
    "## Takeaways",
    "## Recall",
    "## Further reading",
]


@cache
def stored(name: str):
    return notebooks.read(notebooks.originals() / f"{name}.ipynb")


@cache
def fresh(name: str):
    return notebooks.execute(stored(name))


def tagged(name: str, tag: str) -> list:
    return [cell for cell in stored(name).cells if tag in cell.metadata.get("tags", [])]


def prose(name: str) -> str:
    return "\n".join(cell.source for cell in stored(name).cells if cell.cell_type == "markdown")


def test_lessons_are_numbered_as_in_the_syllabus():
    """No number twice, and none beyond nine yet."""
    numbers = [name[:2] for name in NAMES]
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= {f"{i:02}" for i in range(1, 10)}
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_lesson_runs_as_shipped(name):
    """No error, nothing on stderr, and each check says that nothing was attempted."""
    assert notebooks.errors(fresh(name)) == []
    verdicts = notebooks.verdicts(fresh(name))
    assert len(verdicts) >= 3
    assert {status for _, status in verdicts} == {"not attempted"}


@pytest.mark.parametrize("name", NAMES)
def test_solutions_pass(name):
    """With every solution in the place of its stub, each check of an exercise says passed."""
    solved = notebooks.execute(notebooks.with_solutions(stored(name)))
    assert notebooks.errors(solved) == []
    exercises = [status for what, status in notebooks.verdicts(solved) if not what.startswith("prediction")]
    assert len(exercises) >= 2
    assert set(exercises) == {"passed"}


@pytest.mark.parametrize("name", NAMES)
def test_stored_outputs_are_those_of_a_fresh_run(name):
    """What a reader sees without a kernel is what the code prints today; pictures are there, one for one."""
    assert notebooks.texts(stored(name)) == notebooks.texts(fresh(name))

    def pictures(notebook) -> list[int]:
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        return ["image/svg+xml" in output.get("data", {}) for output in outputs]

    assert pictures(stored(name)) == pictures(fresh(name))
    assert any(pictures(stored(name)))


def test_two_runs_give_the_same_bytes():
    """Without times, widget identities or random ids in figures."""
    name = NAMES[0]
    assert notebooks.as_text(notebooks.execute(stored(name))) == notebooks.as_text(fresh(name))


@pytest.mark.parametrize("name", NAMES)
def test_lesson_keeps_to_the_template(name):
    """Title, sections in order, lengths, folded explanations, and a link to the next lesson."""
    cells, text = stored(name).cells, prose(name)
    number = int(name[:2])
    assert text.startswith(f"# {number} · ")
    assert text.partition("\n")[0].endswith("?")
    assert "**You will be able to**" in cells[0].source
    assert "*Time:*" in cells[0].source
    places = [re.search(rf"^{re.escape(section)}", text, re.MULTILINE) for section in SECTIONS]
    assert all(places), [section for section, place in zip(SECTIONS, places, strict=True) if not place]
    assert [place.start() for place in places] == sorted(place.start() for place in places)
    before, _, rest = text.partition("## Common mistakes")  # a list to look things up in
    plain = re.sub(
        r"</?[a-z][^>]*>|```.*?```|\$\$.*?\$\$|\$[^$\n]*\$",
        " ",
        before + rest.partition("## Takeaways")[2],
        flags=re.DOTALL,
    )
    words = len(re.findall(r"\S*\w\S*", plain))
    assert 1_200 <= words <= 2_000, words  # of prose: without code, formulas and that list
    lengths = sorted(len(cell.source.splitlines()) for cell in cells if cell.cell_type == "code")
    assert 15 <= len(lengths) <= 25, len(lengths)
    assert lengths[len(lengths) // 2] <= 8
    for words in ("<summary>Explain", "<summary>Hint 1", "<summary>Hint 2", "<summary>I get", "<summary>Solution"):
        assert words in text
    assert text.count("<details>") == text.count("</details>")
    assert "**Next:**" in cells[-1].source
    assert len(re.findall(r"^\d\. ", text.partition("## Takeaways")[2].partition("## Recall")[0], re.MULTILINE)) == 3
    assert text.partition("## Recall")[2].count("<details>") == 3
    assert "*What to see:*" in text


@pytest.mark.parametrize("name", NAMES)
def test_lesson_is_committed_executed_and_small(name):
    """Executed from top to bottom, ids that stay, under 500 kB, no widget state, no machine's own metadata."""
    path = notebooks.originals() / f"{name}.ipynb"
    assert path.stat().st_size < 500_000
    code = [cell for cell in stored(name).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert len({cell.id for cell in stored(name).cells}) == len(stored(name).cells)
    assert set(stored(name).metadata) == {"kernelspec", "language_info"}
    assert notebooks.WIDGET not in path.read_text(encoding="utf-8")
    assert path.read_text(encoding="utf-8") == notebooks.as_text(stored(name))


@pytest.mark.parametrize("name", NAMES)
def test_predictions_are_asked_as_they_are_answered(name):
    """Question and options stand in the lesson to the letter, before anything is shown."""
    asked = re.findall(r'check\.prediction\("(\d\d\.\d)"', "\n".join(c.source for c in tagged(name, "check")))
    assert asked
    assert {number[:2] for number in asked} == {name[:2]}
    plain = re.sub(r"[*$]", "", " ".join(prose(name).split()))
    for number in asked:
        for choice in predictions.PREDICTIONS[number].choices.values():
            assert " ".join(choice.split()) in plain, choice


SENTENCES = Path(check.__file__).read_text(encoding="utf-8") + Path(diagnosis.__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_common_mistakes_are_what_the_check_says(name):
    """Each mistake in the list has the words of the check, but for "…" in numbers' place: a student finds it again."""
    listed = prose(name).partition("## Common mistakes")[2].partition("## Takeaways")[0]
    mistakes = re.findall(r"^- \*\*(.+?)\*\*", listed, re.MULTILINE)
    assert len(mistakes) >= 6
    said = " ".join(re.sub(r'"\s*\n\s*f?"', "", SENTENCES).split())
    for mistake in mistakes:
        assert all(part.strip() in said for part in mistake.split("…")), mistake


@pytest.mark.parametrize("name", NAMES)
def test_what_the_checks_say_is_in_the_list(name):
    """Each sentence that a check of this lesson can say stands among its common mistakes, to the letter.

    Those of gradients are many, and depend on the scorer; lessons 6 and 8 list what applies to theirs.
    """
    listed = " ".join(prose(name).partition("## Common mistakes")[2].partition("## Takeaways")[0].split())
    asked = {call for cell in tagged(name, "check") for call in re.findall(r"check\.(\w+)\(", cell.source)}
    functions = [getattr(check, call) for call in asked - {"prediction", "gradient"}]
    if "kernel" in asked:
        functions += [check._wrong_means, check._wrong_gradients]
    for function in functions:
        for sentence in re.findall(r'yield \(?\s*"([^"]+)"', inspect.getsource(function)):
            assert sentence in listed, sentence


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    """Every relative link is a lesson of the syllabus; addresses are only those of the web."""
    syllabus = {f"{question[:2]}_" for question in predictions.PREDICTIONS}
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", prose(name)):
        assert target.startswith("https://") or target[:3] in syllabus, target


@pytest.mark.parametrize("name", NAMES)
def test_lesson_uses_public_names_only_and_defines_nothing_of_ours(name):
    """No underscore names of the package, no second sigmoid, no pyplot, no time in an output."""
    code = "\n".join(cell.source for cell in stored(name).cells if cell.cell_type == "code")
    assert not re.search(r"\b(bt|plots|check|sliders|kernels|museum)\._", code)
    assert not re.search(r"def (sigmoid|pair_losses|mean_loss|preference_probability)\b", code)
    assert "pyplot" not in code
    assert "allow_pickle" not in code
    assert len(tagged(name, "claim")) == 1
    assert "assert" in tagged(name, "claim")[0].source
    for text in notebooks.texts(stored(name)):
        digits = re.sub(r"\b0[.]0*", "", text.replace(",", ""))
        assert not re.search(r"\d{7}", digits), text  # at most six significant digits
        assert not re.search(r"\b\d+(\.\d+)? ?(ms|µs|seconds)\b", text), text


def test_the_map_names_every_lesson():
    """notebooks/README.md leads to each lesson and section that it names."""
    text = (notebooks.originals() / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"({name}.ipynb)" in text
    found = re.findall(r"\]\((\d\d_\w+\.ipynb)\) \| ([^|]+) \|", text)
    assert found
    for name, section in found:
        headings = re.findall(r"^#+ (.+)$", prose(name.removesuffix(".ipynb")), re.MULTILINE)
        assert section.strip() in headings, (name, section)
