"""Reports with hostile names in a browser, in JupyterLab and on the projector: the names are text there."""

from __future__ import annotations

import base64
import importlib.util

import numpy as np
import pytest
from headless import missing
from hostile import HOSTILE, page_of

import bradley_terry as bt
from bradley_terry.arrays.visible import visible
from bradley_terry.drawing import save_figure

pytestmark = pytest.mark.full

LOUD = {kind: f"{text}<script>document.title = 'hacked'</script>" for kind, text in HOSTILE.items()}
FOREIGN = (
    "script, img, a:not(.jp-InternalAnchorLink), svg[onload], b, i, em, strong, del, code, pre, mjx-container, .MathJax"
)


def report_of(names):
    """Return a report whose table and sentences name these features."""
    rng = np.random.default_rng(0)
    chosen, rejected = rng.normal(size=(2, 400, len(names)))
    chosen += 0.3
    prompts = [f"{names[i % len(names)]} {i}" for i in range(400)]
    return bt.train(bt.PreferencePairs(chosen, rejected, prompts=prompts, feature_names=names))


def checks_of(name):
    """Return the report on a function that raises this text and has it as the name of a parameter."""

    def raises(phi):
        raise ValueError(name)

    return bt.check_gradient(raises, np.ones(2))


def of_one_page(text):
    """Return an address that is this page."""
    page = f"<!DOCTYPE html><meta charset='utf-8'><title>calm</title>{text}"
    return f"data:text/html;base64,{base64.b64encode(page.encode()).decode()}"


def test_page_of_a_report_has_no_element_of_a_name(browser, tmp_path):
    """Markdown, HTML of a check, and a figure, all on one page: no script runs, and there is no link and no picture."""
    names = [*LOUD.values()][:20]
    run = report_of(names)
    svg = save_figure(bt.plots.plot_weights(names, np.ones(20)), tmp_path / "figure", title=names[0], caption=names[8])[
        0
    ]
    checks = "".join(checks_of(name)._repr_html_() for name in names)
    reports = page_of_markdown(run.report) + page_of_markdown(run._repr_markdown_())
    page = browser.new_page()
    page.goto(of_one_page(f"{reports}{checks}<figure>{svg.read_text(encoding='utf-8').partition('?>')[2]}</figure>"))
    assert page.title() == "calm"
    assert page.eval_on_selector_all(FOREIGN, "found => found.map(one => one.outerHTML)") == []
    text = page.inner_text("body")
    for name in names:
        assert " ".join(visible(name, 100).split()) in " ".join(text.split())
    page.close()


def page_of_markdown(markdown):
    mistune = pytest.importorskip("mistune")
    assert "a comment" not in page_of(markdown).elements
    plugins = ["strikethrough", "footnotes", "table", "url", "task_lists", "math"]
    return str(mistune.create_markdown(escape=False, plugins=plugins)(markdown))


def test_jupyterlab_shows_names_as_text(browser, tmp_path):
    """In a notebook a report has no element of a name, and MathJax finds no formula in it."""
    for module in ("jupyterlab", "nbformat"):
        if importlib.util.find_spec(module) is None:
            missing(f"{module} is not installed")
    import nbformat
    from test_course_lab import TOKEN, jupyter_lab

    names = [*LOUD.values()][-20:]
    outputs = [
        {"text/markdown": report_of(names)._repr_markdown_()},
        {"text/html": "".join(checks_of(name)._repr_html_() for name in names)},
        {"text/markdown": "the end: $x^2$"},
    ]
    book = nbformat.v4.new_notebook()
    book.cells = [
        nbformat.v4.new_code_cell(
            "1", outputs=[nbformat.v4.new_output("display_data", data=data) for data in outputs], execution_count=1
        )
    ]
    nbformat.write(book, tmp_path / "book.ipynb")
    with jupyter_lab(tmp_path, book=tmp_path / "book.ipynb") as address:
        page = browser.new_page(viewport={"width": 1280, "height": 20_000})
        page.set_default_timeout(60_000)
        page.goto(f"{address}/doc/tree/book.ipynb?token={TOKEN}")
        shown = page.locator(".jp-OutputArea-output")
        shown.nth(2).locator("mjx-container").wait_for()  # MathJax has been at work
        found = [shown.nth(i).locator(FOREIGN).evaluate_all("all => all.map(one => one.outerHTML)") for i in (0, 1)]
        assert found == [[], []]
        text = " ".join(shown.nth(0).inner_text().split())
        for name in names:
            assert " ".join(visible(name, 100).split()) in text
        page.close()


@pytest.mark.parametrize("kind", ["runs a script", "leaves an attribute", "reverses the line", "is a formula"])
def test_projector_reads_nothing_but_its_own_words_in_an_address(kind, open_page):
    """Whatever is in the address after the #, no element and no word of it is on the page."""
    bad = LOUD[kind].replace("%", "%25")
    page = open_page(f"scene={bad}&theme={bad}&delta={bad}&pairs={bad}&{bad}={bad}&seed=1{bad}")
    assert page.locator("body :is(img, script[src], a, b)").count() == 0
    assert "hacked" not in page.title()
    assert LOUD[kind][:6] not in page.content().partition("<style>")[0] + page.inner_text("body")
