"""Settings of the documentation site: python -m sphinx -W docs docs/_build."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_extension"))

from required import check_what_is_installed  # noqa: E402  # needs the path of the line above

check_what_is_installed(DOCS.parent)

import bradley_terry  # noqa: E402  # only now, since the check explains what to do if it is missing

project = "bradley_terry"
author = "The bradley_terry authors"
project_copyright = "2026, the bradley_terry authors. Code: MIT; lessons and text: CC BY 4.0"
version = release = bradley_terry.__version__

extensions = [
    "myst_nb",  # Markdown, and lessons with their stored output
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",  # one page for each public name
    "sphinx.ext.napoleon",  # docstrings in the style of NumPy
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # serves MathJax and its fonts from the site
    "sphinx.ext.viewcode",
    "lessons",
    "reference",
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
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_preprocess_types = False

html_theme = "furo"
html_title = "bradley_terry"
html_static_path = ["_static"]
html_extra_path = ["../bradley_terry/course/projector.html"]  # what `bradley-terry demo` opens
html_css_files = ["site.css"]
html_favicon = "_static/icon.svg"
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0072B2", "color-brand-content": "#0072B2"},
    "dark_css_variables": {"color-brand-primary": "#56B4E9", "color-brand-content": "#56B4E9"},
}
