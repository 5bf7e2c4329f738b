"""Adds the directive ``command-help``: the help text of a verb of ``bradley-terry``, as the terminal shows it."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout, suppress
from unittest.mock import patch

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from bradley_terry.commands.parser import VERBS, make_parser

WIDTH = 78  # columns; argparse leaves two columns of the terminal empty


def help_text(verb: str) -> str:
    """Return what ``bradley-terry VERB --help`` prints in a terminal without colours; the verb may be empty."""
    terminal = {"COLUMNS": str(WIDTH + 2), "NO_COLOR": "1"}
    with patch.dict(os.environ, terminal), redirect_stdout(io.StringIO()) as printed, suppress(SystemExit):
        make_parser().parse_args([*verb.split(), "--help"])
    return printed.getvalue()


class CommandHelp(SphinxDirective):
    """Show the help text of the verb that is the argument, or without one that of the command line."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Ask the parser when the site is built, so that the text is that of this version."""
        verb = "".join(self.arguments)
        modules = {module.__name__.rpartition(".")[2]: module for module in VERBS}
        if verb and verb not in modules:
            raise self.error(f"command-help: expected one of {', '.join(modules)}, got {verb!r}")
        for module in [modules[verb]] if verb else VERBS:
            self.env.note_dependency(str(module.__file__))
        text = help_text(verb).rstrip()
        return [nodes.literal_block(text, text, language="text")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
