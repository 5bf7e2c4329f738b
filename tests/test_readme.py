"""The README is a promise: its example, its numbers, its commands and its line counts are true."""

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


def test_readme_fits_two_screens():
    """At most 150 lines."""
    assert len(README.splitlines()) <= 150


def test_readme_map_has_every_room_with_its_length():
    """Each room is named once, in the reading order, with the number of its lines; the course's rooms are one row."""
    rows = re.findall(r"^\| `([a-z_/]+(?:\.py|/))` \| ([\d,]+) \|", README, re.MULTILINE)
    found = {name: int(count.replace(",", "")) for name, count in rows}
    package = ROOT / "bradley_terry"
    truth: dict[str, int] = {}
    for path in package.rglob("*.py"):
        if path.name != "__main__.py":
            name = path.name if path.parent == package else f"{path.parent.name}/"
            truth[name] = truth.get(name, 0) + len(path.read_text(encoding="utf-8").splitlines())
    assert found == truth


def test_readme_has_the_two_commands():
    """The two commands stand in the README to the letter."""
    assert "\npython -m pip install . && bradley-terry train\n" in README
    assert '\npython -m pip install -e ".[test]" && python -m pytest\n' in README


def test_readme_links_and_figures_exist():
    """Every relative link and picture leads somewhere."""
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_version_is_the_same_everywhere():
    """pyproject.toml, the package and CITATION.cff bear one version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert bradley_terry.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
