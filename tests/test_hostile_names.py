"""Names and texts of strangers: each destination shows them as text, and leaves ordinary names as they are."""

from __future__ import annotations

import json
import re
import time

import numpy as np
import pytest
from hostile import HOSTILE, ORDINARY, Page, page_of, unseen
from hypothesis import given
from hypothesis import strategies as st

import bradley_terry as bt
from bradley_terry.arrays.visible import (
    LONGEST_DRAWN,
    for_json,
    from_markdown,
    in_figure,
    in_html,
    in_markdown,
    in_notebook,
    quoted,
    visible,
)
from bradley_terry.drawing import save_figure

MARKUP = [
    *"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ aZ0é\n",
    "**", "__", "~~", "](", "![", "<b>", "</b>", "<!--", "-->", "&lt;", "&#36;", "https://", "www.", "$$", "\\(", "\\)",
    "\\begin{x}", "```", "a@b.c", "[^1]", "- ", "# ", "> ", "\x1b[31m", "<!DOCTYPE", "<?", "<![CDATA[", "\u202e",
]  # fmt: skip


# -------------------------------------------------------------------------------------------------------- known values


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u200bb\u200db", "a\\u200bb\\u200db"),
        ("cut \ud83d", "cut \\ud83d"),
        ("\u2028", "\\u2028"),
        ("\U000e0041", "\\U000e0041"),
        ("\\alpha $x$ <b> *a*", "\\alpha $x$ <b> *a*"),
    ],
)
def test_what_cannot_be_seen_is_shown_by_its_code(text, shown):
    """The codes are those of Python's strings; what can be seen stays, also if it is markup elsewhere."""
    assert visible(text) == shown


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_stay_as_they_are(name):
    """Letters of all scripts, accents, emoji of several characters, and signs that are no markup where they stand."""
    assert visible(name) == name
    assert from_markdown(in_markdown(name)) == name
    assert page_of(f"“{in_markdown(name)}”").text.strip() == f"“{name}”"


@pytest.mark.parametrize(
    "name", ["price_usd", "R&D", "C#", "a < b", "x * y", "length (log words)", "x[0]", "سعر", "价格"]
)
def test_ordinary_names_need_no_escapes_in_markdown(name):
    """They look the same in the file report.md, on the page that it becomes, and in a terminal."""
    assert in_markdown(name) == name


# ------------------------------------------------------------------------------------------------------------ identity


@given(st.text())
def test_visible_text_is_one_line_and_stays_the_same(text):
    """Whatever is in the text; and what has been shown once can be shown again."""
    shown = visible(text)
    assert shown.splitlines() == [shown] * bool(shown)
    assert visible(shown) == shown


@given(st.text(), st.integers(1, 50))
def test_text_is_cut_to_the_length_asked_for(text, most):
    """A text that fits is not cut."""
    shown = visible(text, most)
    assert len(shown) <= most
    assert shown == visible(text) or shown.endswith("…")


@given(st.one_of(st.text(), st.lists(st.sampled_from(MARKUP)).map("".join)))
def test_terminal_reads_in_markdown_what_was_written(text):
    """``from_markdown`` undoes ``in_markdown``."""
    assert from_markdown(in_markdown(text)) == visible(text)


@pytest.mark.full
@pytest.mark.parametrize("dialect", [True, False], ids=["with tables and formulas", "plain"])
@given(st.one_of(st.lists(st.sampled_from(MARKUP)).map("".join), st.text()))
def test_markdown_shows_any_text_as_text(dialect, text):
    """In a sentence, a heading, a list and a table, for a page and for a notebook, there is no other element."""
    want = " ".join(visible(text).split())
    places = {"“%s”": ["p"], "# Name: %s": ["h1"], "- One: “%s”\n- Two: “%s”": ["ul", "li", "li"]}
    if dialect:
        places["| a |\n|---|\n| %s |"] = ["table", "thead", "tr", "th", "tbody", "tr", "td"]
    for place, elements in places.items():
        for of in (str, in_notebook):
            page = page_of(of(place.replace("%s", in_markdown(text))), with_tables=dialect)
            assert page.elements == elements
            assert want in " ".join(page.text.split())


@given(st.text())
def test_html_shows_any_text_as_text(text):
    """Between tags there is no other element."""
    page = Page(f"<p>{in_html(text)}</p>")
    assert (page.elements, page.text) == (["p"], visible(text))


@given(st.text())
def test_json_is_read_by_any_program(text):
    """A program that knows only whole characters can read it, and it gets the text where that is whole."""
    made = for_json({text: [text, (text, 1)]})
    json.dumps(made, ensure_ascii=False).encode("utf-8")
    if not re.search("[\ud800-\udfff]", text):
        assert made == {text: [text, [text, 1]]}


# ------------------------------------------------------------------------------------------------------------- figures


DRAWN = ("is a formula", "is a broken formula", "ends the line", "is half an emoji", "never ends", "hides a message")


@pytest.mark.full
@pytest.mark.parametrize("name", [*map(HOSTILE.get, DRAWN), "costs $5 or $6", "\\$", "$$", "a_b^c{d}", "_x"])
def test_figure_draws_a_name_letter_by_letter(tmp_path, name):
    """The picture is that of a label in which Matplotlib was told to look for no formula."""
    ax = bt.plots.plot_weights([name, "other"], [1.0, 2.0])
    svg = save_figure(ax, tmp_path / "figure", title=name, caption=name)[0].read_text(encoding="utf-8")
    assert not unseen(svg)
    ax.set_yticks([0, 1], [visible(name, LONGEST_DRAWN), "other"], parse_math=False)
    as_text = save_figure(ax, tmp_path / "as_text")[0].read_text(encoding="utf-8")
    outlines = re.compile('href="#(DejaVu[^"]*)"')  # one for each letter, in order
    assert outlines.findall(svg) == outlines.findall(as_text)


@pytest.mark.full
def test_figure_labels_are_not_formulas():
    """The names of curves and axes are texts, too."""
    history = {"step": [0, 1], "loss": [0.7, 0.5], "gradient_norm": [1.0, 0.1]}
    ax = bt.plots.plot_loss_curve(history, name="$\\frac{$", x_label="$\\frac$")
    ax.figure.savefig("/dev/null", format="svg")
    assert "$\\frac" in repr(ax)


@pytest.mark.full
def test_legend_of_a_loss_shows_its_name_as_text():
    """Here the title of a panel is what somebody else's class says of itself."""

    class Own(bt.losses.Hinge):
        def __repr__(self):
            return "$\\frac{$\x1b[31m"

    panel = bt.plots.plot_losses([Own()])[0]
    panel.figure.savefig("/dev/null", format="svg")
    assert panel.get_title() == in_figure("$\\frac{$\x1b[31m")


# -------------------------------------------------------------------------------------------------------------- manners

LONG = "\x1b]0;title\x07\n" + "x" * 10_000_000


class Shouting:
    """Says too much."""

    def __repr__(self):
        return LONG


class Raising:
    """Cannot say anything."""

    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "value",
    [
        LONG, [LONG] * 3, {LONG: LONG}, list(range(10**6)), 10**5000, Shouting(), Raising(), np.arange(10**6),
        b"\x1b" * 10**6,
    ],
    ids=["text", "texts", "mapping", "list", "number", "object", "broken", "array", "bytes"],
)  # fmt: skip
def test_quoted_value_is_one_short_line(value):
    """Also if the value is large, or cannot say what it is."""
    begun = time.perf_counter()
    said = quoted(value)
    assert len(said) <= 200
    assert not unseen(said, lines=False)
    assert time.perf_counter() - begun < 5  # seconds: a bound that only a quadratic algorithm misses


PAIRS = bt.PreferencePairs([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.5], [0.5, 0.0]])
ITEMS = bt.PreferencePairs([0, 1, 2, 0, 1], [1, 2, 0, 2, 0], feature_names=["a", "b", "c"])

REFUSED = {
    "activation": lambda bad: bt.MLPScorer(2, 3, bad),
    "n_features": bt.LinearScorer,
    "backend": lambda bad: bt.Objective(bt.LinearScorer(2), PAIRS, backend=bad),
    "method": lambda bad: bt.fit(bt.LinearScorer(2), PAIRS, method=bad),
    "loss": lambda bad: bt.train(ITEMS, loss=bad),
    "scorer": lambda bad: bt.train(ITEMS, scorer=bad),
    "seed": lambda bad: bt.train(ITEMS, seed=bad),
    "reference": lambda bad: bt.fit(bt.TableScorer(3), ITEMS).estimates(bad),
    "format": lambda bad: bt.load_pairs("x.bin", format=bad),
    "against": lambda bad: bt.check_gradient(lambda phi: (0.0, phi), np.ones(2), against=bad),
    "rng": lambda bad: bt.sample_preferences([0.0], [1.0], bad),
    "n_levels": bt.losses.Ordinal,
    "tolerance": lambda bad: bt.fit(bt.LinearScorer(2), PAIRS, tolerance=bad),
}


@pytest.mark.parametrize("argument", REFUSED)
def test_message_about_a_long_value_is_one_short_line(argument):
    """It names the argument, and quotes only the beginning of the value."""
    with pytest.raises((ValueError, TypeError)) as caught:
        REFUSED[argument](LONG)
    said = str(caught.value)
    assert argument in said
    assert len(said) <= 600
    assert not unseen(said, lines=False)
