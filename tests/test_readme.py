"""The README is correct: its example, its numbers, its commands and its map are checked here."""

import contextlib
import io
import re
import tomllib
from pathlib import Path

import bradley_terry

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """Return the first fenced block of this language."""
    return re.search(rf"```{language}\n(.*?)```", README, re.DOTALL).group(1)


def test_readme_example_prints_what_the_readme_says():
    """The Python example runs as it stands, in at most 15 lines of code, and prints the text below it."""
    code = block("python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 16  # 15 and a closing print
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "README.md", "exec"), {})  # noqa: S102  # the README's own code
    assert output.getvalue() == block("text")


def test_readme_formats_can_be_read(tmp_path):
    """Each row of the table makes a file that load_pairs reads, and the examples in it can be fitted."""
    table = README[README.index("| file | it looks like") :]
    rows = re.findall(r"^\| (JSONL|CSV), \w+ \| (.*?) \| (.*?) \|$", table, re.MULTILINE)
    found = {}
    for number, (kind, shown, _) in enumerate(rows):
        path = tmp_path / f"{number}.{kind.lower()}"
        path.write_text("\n".join(re.findall(r"`(.*?)`", shown)), encoding="utf-8")
        found[number] = bradley_terry.load_pairs(path)
    assert [len(pairs) for pairs in found.values()] == [1, 1, 2, 4, 2]
    assert [pairs.is_items for pairs in found.values()] == ["items" in read_as for _, _, read_as in rows]
    assert found[4].labels.tolist() == [1, 0.5]
    assert bradley_terry.fit(bradley_terry.LinearScorer(1), found[2]).converged
    for number in (3, 4):
        assert bradley_terry.fit(bradley_terry.TableScorer(found[number].n_items), found[number]).converged


def test_readme_counts_the_layouts_of_the_documentation():
    """The README gives the number of rows of the first table of docs/formats.md."""
    layouts = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8").split("## Names")[0]
    n_layouts = sum(line.startswith("|") for line in layouts.splitlines()) - 2
    assert f"lists {n_layouts} layouts" in README


def test_readme_is_short():
    """The README has at most 170 lines."""
    assert len(README.splitlines()) <= 170


def test_readme_map_names_every_file_of_the_book_and_keeps_its_ceilings():
    """Each module at the top level is named once, in the reading order, and is no longer than the map says."""
    rows = re.findall(r"^\| `([a-z_]+)\.py` \| (\d+) \|", README, re.MULTILINE)
    book = bradley_terry.__doc__.split("The folders are machinery.")[0]
    assert [name for name, _ in rows] == re.findall(r"^    (\w+) {2,}\S", book, re.MULTILINE)
    package = ROOT / "bradley_terry"
    for name, ceiling in rows:
        assert len((package / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= int(ceiling), name


def test_readme_names_every_folder_and_no_file_is_long():
    """Each folder with code is named, and no file of the package has more than 500 lines."""
    for path in (ROOT / "bradley_terry").rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, path
    for path in (ROOT / "bradley_terry").glob("*/__init__.py"):
        assert f"`{path.parent.name}/`" in README, path


def test_readme_has_the_two_commands():
    """The README contains the two commands, letter by letter."""
    assert "\npython -m pip install . && bradley-terry train\n" in README
    assert '\npython -m pip install -e ".[test]" && python -m pytest\n' in README


def test_readme_links_and_figures_exist():
    """Every relative link and every picture points to a file that exists."""
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_version_is_the_same_everywhere():
    """pyproject.toml, the package and CITATION.cff give the same version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert bradley_terry.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
