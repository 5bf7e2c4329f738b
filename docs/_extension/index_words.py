"""Words that people type into the search field but that the search does not index, such as numbers, with their pages.

The search of Sphinx skips numbers and punctuation in the text of a page, but not in the entries of the index.
"""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

WORDS = {
    "how_to/find_why_the_loss_stays_at_0_693": [
        *("0.693", "0.6931", "0.693147", ".693", "0.69", "log 2", "stuck", "loss is stuck", "plateau"),
        *("loss does not fall", "loss does not decrease", "loss not decreasing", "loss stays at 0.693"),
    ],
    "questions": ["0.693", "NaN", "-inf", "50 %", "stuck"],
    "citing": ["cite", "citation", "licence", "license", "MIT", "CC BY"],
    "standard_errors": ["confidence interval", "confidence intervals", "standard error"],
    "formats": ["csv", "jsonl", "parquet", "file format"],
    "losses": ["-log sigmoid", "logsigmoid"],
    "glossary": ["y_w", "y_l", "r_θ"],
}


def add_entries(app: Sphinx, document: nodes.document) -> None:
    """Give the page an entry in the index for each of its words, which leads to its title."""
    words = WORDS.get(app.env.docname, [])
    if words:
        title = next(document.findall(nodes.section))["ids"][0]
        document.insert(0, addnodes.index(entries=[("single", word, title, "", None) for word in words]))


def read_again(app: Sphinx, *_: object) -> list[str]:
    """Have the pages read in every build, since Sphinx forgets the index of pages that it does not read."""
    unknown = set(WORDS) - app.env.found_docs
    if unknown:
        raise ExtensionError(f"index_words: there are no pages {', '.join(sorted(unknown))}")
    return list(WORDS)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("env-get-outdated", read_again)
    app.connect("doctree-read", add_entries)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
