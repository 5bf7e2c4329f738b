"""Names and texts as a stranger could write them, and readers that tell whether they were shown as text."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser

import pytest

# What it tries -> a text that begins and ends with a letter, so that it can be found again.
HOSTILE = {
    "colours a terminal": "A\x1b[31mred\x1b[0mZ",
    "names the window": "A\x1b]0;title\x07Z",
    "fills the clipboard": "A\x1b]52;c;aGk=\x1b\\Z",
    "8-bit sequences": "A\x9b31m\x9d0;title\x9cZ",
    "moves the cursor": "A\rB\b\x0b\x0c\x85Z",
    "ends the line": "A\n# Heading\n\n- item\n\n| a | b |\n|---|---|\n| 1 | 2 |Z",
    "is a fence": "A\n```\ncode\n```\nZ",
    "ends a string": "A\x00Z",
    "runs a script": "A<script>alert(1)</script><img src=x onerror=alert(1)><!-- Z",
    "leaves an attribute": "A\"'><svg onload=alert(1)>Z",
    "is a link": "A[link](https://example.org)![image](x.png)[text][ref]<https://example.org>Z",
    "is an address": "A https://example.org www.example.org a@example.org Z",
    "is emphasised": "A **bold** *it* __bold__ _it_ ~~gone~~ `code` Z",
    "ends a cell": "A|b|c\\|dZ",
    "is an entity": "A&lt;b&gt;&#36;&amp;Z",
    "is a formula": "A$x^2$ $$y$$ \\(z\\) \\[w\\] \\begin{equation}v\\end{equation} \\$ \\frac{Z",
    "is a broken formula": "A$\\frac{$Z",
    "reverses the line": "A\u202egnp.exe\u2066\u200f\u061cZ",
    "has no width": "A\u200b\u2060\ufeff\xad\u3164\u115f\u034fZ",
    "joins nothing": "A\u200d\u200cZ",
    "hides a message": "A" + "".join(chr(0xE0000 + ord(c)) for c in "hidden") + "\ufe01\ufe02\U000e0101\U000e0102Z",
    "separates lines": "A\u2028\u2029Z",
    "is half an emoji": "A\ud83dZ\udc00z",
    "never ends": "A" * 5000 + "Z",
}

ORDINARY = [
    "price_usd", "x * y", "R&D", "C#", "a < b", "50 %", "length (log words)", "it's “so”", "naïve café", "e\u0301",
    "سعر", "می\u200cخواهم", "עברית", "价格", "価格 葛\U000e0100", "क्\u200dष", "👩\u200d👩\u200d👧", "❤\ufe0f\u200d🔥",
    "1\ufe0f\u20e3", "👍🏽", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
]  # fmt: skip

UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}  # and letters and marks that have no width:
NO_WIDTH = {"\u3164", "\u115f", "\u1160", "\u034f", "\uffa0", *map(chr, range(0xFE00, 0xFE0F)), "\U000e0101"}


def unseen(text: str, *, lines: bool = True) -> list[str]:
    """Return the characters of a text that cannot be seen; with ``lines``, line ends are allowed."""
    allowed = "\n" if lines else ""
    return sorted({c for c in text if (unicodedata.category(c) in UNSEEN or c in NO_WIDTH) and c not in allowed})


class Page(HTMLParser):
    """The elements of a page and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element with the names of its attributes."""
        if tag != "span":  # without meaning
            self.elements.append(" ".join([tag, *(name for name, _ in attrs if name != "style")]))

    def handle_data(self, data: str) -> None:
        """Collect text."""
        self.text += data

    def handle_comment(self, data: str) -> None:
        """Note what is neither an element nor text."""
        self.elements.append("a comment")

    handle_decl = handle_pi = unknown_decl = handle_comment


PLUGINS = ["strikethrough", "footnotes", "table", "url", "task_lists", "math", "def_list", "abbr"]


def page_of(markdown: str, *, with_tables: bool = True) -> Page:
    """Return the page that Markdown becomes, in the dialect with tables, formulas and so on, or in the plain one."""
    mistune = pytest.importorskip("mistune")
    return Page(str(mistune.create_markdown(escape=False, plugins=PLUGINS if with_tables else None)(markdown)))
