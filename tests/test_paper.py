"""The paper about the course is complete: a header, all sections, and a bibliography with every work that is cited."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_, HEADER, TEXT = (ROOT / "paper.md").read_text(encoding="utf-8").split("---\n", 2)
BIBLIOGRAPHY = (ROOT / "paper.bib").read_text(encoding="utf-8")
ENTRIES = {
    key: dict(re.findall(r"^  (\w+) *= \{(.*?)\},?$", body, re.MULTILINE | re.DOTALL))
    for key, body in re.findall(r"^@\w+\{(\w+),\n(.*?)^\}", BIBLIOGRAPHY, re.MULTILINE | re.DOTALL)
}
SECTIONS = [
    "Summary",
    "Statement of need",
    "Learning objectives and content",
    "Instructional design",
    "Experience of use",
    "Story of the project and related work",
    "Acknowledgements",
    "References",
]
WITHOUT_DOI = {"greene1997", "stigler1994"}  # a manual; an article whose DOI we could not confirm


def field(name: str) -> str:
    """Return a field of the header, with the list below it if it has one."""
    return re.search(rf"^{name}:((?:.*\n)(?:[ -].*\n)*)", HEADER, re.MULTILINE).group(1).strip()


def test_header_has_every_field():
    """Title, tags, authors with their affiliations, a date, and a bibliography that exists."""
    assert len(field("title")) > 20
    assert len(re.findall(r"^ *- \S", field("tags"), re.MULTILINE)) >= 3
    authors = re.findall(r"- name: (.+)\n(?: +orcid: .+\n)? +affiliation: (.+)", field("authors"))
    assert len(authors) == field("authors").count("name:") >= 1
    indices = re.findall(r"- name: .+\n +index: (\d+)", field("affiliations"))
    assert indices
    assert {index for _, used in authors for index in re.findall(r"\d+", used)} == set(indices)
    assert datetime.strptime(field("date"), "%d %B %Y").year >= 2026
    assert (ROOT / field("bibliography")).is_file()


def test_sections_are_present_and_not_empty():
    """The sections that the journal asks for, in order; the journal fills in the references."""
    assert re.findall(r"^# (.+)$", TEXT, re.MULTILINE) == SECTIONS
    *contents, references = re.split(r"^# .+$", TEXT, flags=re.MULTILINE)[1:]
    assert all(len(content.split()) >= 15 for content in contents)
    assert references.strip() == ""


def test_paper_is_short():
    """The journal expects about a thousand words."""
    assert len(TEXT.split()) <= 1100


def test_every_citation_has_an_entry_and_every_entry_is_cited():
    """No key is misspelt, no entry is left over, and no key is defined twice."""
    cited = set(re.findall(r"(?<![\w.])@(\w+)", TEXT))
    assert cited == set(ENTRIES)
    assert len(ENTRIES) == len(re.findall(r"^@", BIBLIOGRAPHY, re.MULTILINE))


@pytest.mark.parametrize("key", ENTRIES)
def test_entry_is_complete(key):
    """An entry has authors, all of them, a title, a year that its key ends with, a place of publication and a DOI."""
    entry = ENTRIES[key]
    assert {"author", "title", "year"} <= set(entry)
    assert "others" not in entry["author"].split()
    assert key.endswith(entry["year"])
    assert {"journal", "booktitle", "publisher", "doi"} & set(entry)
    if "journal" in entry:
        assert {"volume", "pages"} <= set(entry)
    assert re.fullmatch(r"10\.\d{4,}/\S+", entry.get("doi", "")) or key in WITHOUT_DOI
