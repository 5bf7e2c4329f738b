"""Adds to the page of a public name what its docstring does not have: typeset formulas, and an example.

The file ``docs/reference/notes/NAME.rst`` is appended to the page of NAME. The directive ``drawn`` shows code and its
figure.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective

from bradley_terry import plots


def offer_notes(app: Sphinx, config: Config) -> None:
    """Tell the templates of autosummary for which names there are notes, and remove pages of names that are gone."""
    reference = Path(app.srcdir) / "reference"
    listed = "".join(group.read_text(encoding="utf-8") for group in reference.glob("*.md")).split()
    for page in reference.glob("pages/*.rst"):
        if page.stem not in listed:
            page.unlink()
    notes = reference / "notes"
    config.autosummary_context = {"notes": {path.stem for path in notes.glob("*.rst")}}


class Drawn(SphinxDirective):
    """Show a block of Python, and the figure of the axes that it assigns to ``ax``."""

    has_content = True
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Run the code when the site is built; an error in it ends the build."""
        code = "\n".join(self.content)
        shown = nodes.literal_block(code, code, language="python")
        names: dict[str, object] = {}
        try:
            exec(compile(code, f"{self.env.docname}, drawn", "exec"), names)  # noqa: S102  # the code of our own pages
        except Exception as error:
            raise self.error(f"drawn: the code raised {error!r}") from error
        folder = Path(self.env.srcdir) / "reference" / "pages" / "drawn"
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(code.encode()).hexdigest()[:16]
        plots.save_figure(names["ax"], folder / name)
        image = nodes.image(uri=f"/reference/pages/drawn/{name}.svg", alt=self.options["alt"], classes=["drawn"])
        return [shown, image]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("config-inited", offer_notes)
    app.add_directive("drawn", Drawn)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
