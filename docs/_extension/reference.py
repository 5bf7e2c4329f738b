"""Adds to the page of a public name what its docstring lacks: imports of its example, typeset formulas, or an example.

The file ``docs/reference/notes/NAME.rst`` is appended to the docstring of NAME. The directive ``drawn`` shows code and
its figure.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

import imports
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from bradley_terry import plots

INTERNAL = {  # members that connect classes and are not for users
    *("usual_loss", "reference_backend", "value_and_gradient", "pair_curvatures", "largest_curvatures", "two_answers"),
    *("is_free", "with_parameters", "by_parameters", "numberings"),
}


def forget_old_pages(app: Sphinx, _config: Config) -> None:
    """Remove the pages of names that are no longer listed; autosummary leaves them."""
    reference = Path(app.srcdir) / "reference"
    listed = " ".join(group.read_text(encoding="utf-8") for group in reference.glob("*.md")).replace("~", "").split()
    for page in reference.glob("pages/*.rst"):
        if page.stem not in listed:
            page.unlink(missing_ok=True)


def add_imports(_app: Sphinx, _what: str, _name: str, obj: object, _options: object, lines: list[str]) -> None:
    """Put the imports that the examples of a docstring need before the first of them."""
    first = next((number for number, line in enumerate(lines) if line.lstrip().startswith(">>>")), None)
    module = inspect.getmodule(obj.fget if isinstance(obj, property) else obj)
    if first is not None and module is not None:
        indent = lines[first][: lines[first].index(">>>")]
        lines[first:first] = [f"{indent}>>> {line}" for line in imports.lines_for("\n".join(lines), module)]


def append_notes(app: Sphinx, _what: str, name: str, _obj: object, _options: object, lines: list[str]) -> None:
    """Link the pages that a docstring names, and append the notes of the name, before the methods of a class."""
    lines[:] = [re.sub(r"(``)?\bdocs/(\w+)\.md\b(``)?", r":doc:`/\2`", line) for line in lines]
    notes = Path(app.srcdir) / "reference" / "notes" / f"{name}.rst"
    if notes.exists():
        app.env.note_dependency(notes)
        lines += ["", *notes.read_text(encoding="utf-8").splitlines(), ""]
    lines[:] = imports.closed(lines)


def choose_member(_app: Sphinx, _what: str, name: str, obj: object, skip: bool, _options: object) -> bool | None:
    """Show each member of an enum, and hide the fields of named tuples, which the docstring of the class lists."""
    if isinstance(obj, Enum):
        return False
    hidden = name in INTERNAL or str(getattr(obj, "__doc__", "")).startswith("Alias for field number")
    return True if hidden else None


def keep_types_plain(_app: Sphinx, document: nodes.document) -> None:
    """Undo the links of words such as n_pairs in the type of a parameter: there it is a shape, not an attribute."""
    for link in list(document.findall(addnodes.pending_xref)):
        if link.get("refspecific") and link.get("reftarget", "").islower():
            link.replace_self(link.children)


def name_attributes(_app: Sphinx, document: nodes.document) -> None:
    """Call the attributes of an object by that word, where Sphinx writes "Variables"."""
    for heading in document.findall(nodes.field_name):
        if heading.astext() == "Variables":
            heading.replace(heading[0], nodes.Text("Attributes"))


def mend_links_of_source(app: Sphinx, page: str, _template: str, context: dict[str, Any], _document: object) -> None:
    """Lead the links from the source of a name back to its page, where it may be listed under a shorter path."""
    if page.startswith("_modules/"):
        known = app.env.domains.python_domain.objects
        link = re.compile(r'(viewcode-back" href="[^"#]+)#([^"]+)"')
        context["body"] = link.sub(lambda m: m[0] if m[2] in known else f'{m[1]}"', context["body"])


class Drawn(SphinxDirective):
    """Show a block of Python, and the figure of the axes that it assigns to ``ax``."""

    has_content = True
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Run the code when the site is built; an error in it ends the build."""
        code = "\n".join(self.content)
        shown = nodes.literal_block(code, code, language="python")
        folder = Path(self.env.srcdir) / "reference" / "pages" / "drawn"
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(code.encode()).hexdigest()[:16]
        names: dict[str, object] = {}
        try:
            exec(compile(code, f"{self.env.docname}, drawn", "exec"), names)  # noqa: S102  # the code of our own pages
            plots.save_figure(names["ax"], folder / name)
            alternative = self.options["alt"]
        except Exception as error:
            raise ExtensionError(f"{self.env.docname}: the code of a figure raised {error!r}") from error
        return [shown, nodes.image(uri=f"/reference/pages/drawn/{name}.svg", alt=alternative, classes=["drawn"])]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("config-inited", forget_old_pages)
    app.connect("autodoc-process-docstring", add_imports, priority=400)  # before napoleon, which has 500
    app.connect("autodoc-process-docstring", append_notes, priority=600)
    app.connect("autodoc-skip-member", choose_member)
    app.connect("doctree-read", keep_types_plain)
    app.connect("doctree-read", name_attributes)
    app.connect("html-page-context", mend_links_of_source)
    app.add_directive("drawn", Drawn)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
