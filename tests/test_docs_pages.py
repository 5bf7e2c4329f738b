"""Every block of code on the pages of the site runs, and prints what the page says.

The rules: a ``python`` block runs in the namespace of its page, and a block with a file name after the language is
written to that file. A ``sh`` block runs in bash. A ``text`` block is what the block above it prints; in the output of
a shell, ``…`` stands for any text. Blocks that start with ``>>>`` are doctests. The blocks of a page share one folder,
which is empty at first.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *(DOCS / "how_to").glob("*.md")])
HOW_TO = [page for page in PAGES if page.parent.name == "how_to"]
NEEDS = {"scipy", "sklearn", "torch", "distributed", "autograd", "pandas", "pyarrow", "jax"}
INSTALLS = ("python -m pip ", "python -m venv", "python3 -m venv", "source ", "uv ", "git ", "pip ", "python -m sphinx")


class Block(NamedTuple):
    """A fenced block: its language, the file name after it, its text, and the text block directly below."""

    language: str
    file: str
    text: str
    printed: str | None


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page that are code; a ``text`` block belongs to the block above it."""
    text = page.read_text(encoding="utf-8")
    found = [(m.group(1), m.group(2).strip(), m.group(3)) for m in FENCE.finditer(text)]
    for (language, file, code), below in zip_longest(found, found[1:]):
        if language and language != "text" and not language.startswith("{"):
            yield Block(language, file, code, below[2] if below is not None and below[0] == "text" else None)


FENCE = re.compile(r"^```([a-z{}-]*) ?(.*)\n((?:.*\n)*?)```$", re.MULTILINE)


def pattern_of(printed: str) -> str:
    """Return the regular expression for what a shell block prints."""
    lines = [".*" if line.strip() == "…" else re.escape(line).replace("…", ".*?") for line in printed.splitlines()]
    return r"\n".join(lines)


def run_python(page: Path, block: Block, names: dict[str, object]) -> None:
    if block.text.startswith(">>>"):
        test = doctest.DocTestParser().get_doctest(block.text, names, page.name, str(page), 0)
        runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
        assert runner.run(test, clear_globs=False).failed == 0
        names |= test.globs
        return
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block.text, page.name, "exec"), names)  # noqa: S102  # the code of our own page
    assert printed.getvalue() == (block.printed or "")


def run_shell(block: Block, folder: Path) -> None:
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=folder,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "80"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    if block.printed is not None:
        printed = result.stdout.rstrip("\n")
        assert re.fullmatch(pattern_of(block.printed), printed, re.DOTALL), result.stdout + result.stderr


@pytest.mark.full
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks run from top to bottom, and print what stands below them."""
    blocks = list(blocks_of(page))
    used = {
        name for block in blocks for name in NEEDS if re.search(rf"\b(?:import|from|against=)\W*{name}\b", block.text)
    }
    for name in sorted(used):
        if find_spec(name) is None:
            pytest.skip(f"{page.name} needs {name}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(DOCS.parent))
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks:
        if block.file:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            run_python(page, block, names)
        elif block.language == "sh" and not block.text.startswith(INSTALLS):
            run_shell(block, tmp_path)


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_how_to_pages_leave_no_block_untested(page: Path) -> None:
    """Each block of a how-to page is run, written to a file, or the output of the block above it, and there is one."""
    blocks = list(blocks_of(page))
    assert blocks
    for block in blocks:
        assert block.file or block.language in {"python", "sh"}, block
        assert not block.text.startswith(INSTALLS), block
    n_outputs = sum(block.printed is not None for block in blocks)
    text = page.read_text(encoding="utf-8")
    assert len(FENCE.findall(text)) == len(blocks) + n_outputs
    others = FENCE.sub("", text)  # no block of another form, which would not be run
    assert not re.search(r"^ *(```|~~~)|^ {4,}\S", others, re.MULTILINE)


@pytest.mark.parametrize("page", [*PAGES, *sorted((DOCS / "reference").glob("*.md"))], ids=lambda page: page.stem)
def test_links_of_a_page_work_in_the_repository(page: Path) -> None:
    """Who reads a page in the repository, and not on the site, can follow its links to other files."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if not target.startswith(("https://", "mailto:")) and target != "projector.html":
            assert (page.parent / target).exists(), target


def test_a_block_that_prints_something_else_fails(tmp_path: Path) -> None:
    """The tests of this file can fail: a wrong output and a wrong command are noticed."""
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nprint(1)\n```\n\n```text\n2\n```\n\n```sh\necho a; echo b\n```\n\n```text\na\n```\n", "utf-8"
    )
    python, shell = blocks_of(page)
    with pytest.raises(AssertionError):
        run_python(page, python, {})
    with pytest.raises(AssertionError):
        run_shell(shell, tmp_path)
    with pytest.raises(AssertionError):
        run_shell(shell._replace(text="echo a; exit 5"), tmp_path)
    run_shell(shell._replace(printed="a\n…\n"), tmp_path)
