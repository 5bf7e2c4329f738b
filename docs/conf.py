"""Settings of the documentation site: python -m sphinx -W docs docs/_build."""

import sys
import tomllib
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_extension"))

project = "bradley_terry"
author = "The bradley_terry authors"
project_copyright = "2026, the bradley_terry authors. Code: MIT; lessons and text: CC BY 4.0"
version = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

extensions = [
    "required",  # first: if something is missing, it says so in one sentence
    "myst_nb",  # Markdown, and lessons with their stored output
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",  # one page for each public name
    "sphinx.ext.napoleon",  # docstrings in the style of NumPy
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # serves MathJax and its fonts from the site
    "sphinx.ext.viewcode",
    "lessons",
    "reference",
    "index_words",
    "command_line",
]
exclude_patterns = ["_build", "**/_*", "reference/notes", "jupyter_execute"]
templates_path = ["_templates"]

# Lessons are shown as they were stored: nothing is executed.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, object] = {}  # sliders need a kernel, and their scripts come from another site
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "html_image", "colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 4
myst_dmath_double_inline = True

autosummary_generate = True
autodoc_typehints = "none"  # docstrings give shapes and units, which types do not
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True  # as they are written
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_preprocess_types = False

smartquotes_action = "D"  # only dashes: quotes and primes of formulas and code stay as they are
html_theme = "furo"
html_title = "bradley_terry"
html_static_path = ["_static"]
html_extra_path = ["../bradley_terry/course/projector.html"]  # what `bradley-terry demo` opens
html_css_files = ["site.css"]
html_js_files = ["choice.js", "two_rewards.js", "wide_formulas.js"]
html_favicon = "_static/icon.svg"
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0072B2", "color-brand-content": "#0072B2"},
    "dark_css_variables": {"color-brand-primary": "#56B4E9", "color-brand-content": "#56B4E9"},
}


def setup(app: Sphinx) -> None:
    """Show blocks of CSV as plain text, since Pygments has no colours for them, and allow builds in parallel."""
    app.add_lexer("csv", TextLexer)
    app.extensions["sphinx-mathjax-offline"].parallel_read_safe = True  # it only copies files, and does not say so
