"""How the projector page looks in a browser: sizes, contrast, themes, print, and controls with names."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pytest

from bradley_terry.course import projector

ADDRESS = (Path(projector.__file__).parent / "projector.html").as_uri()


pytestmark = pytest.mark.full  # a browser

SIZES = [(1280, 720), (1366, 768), (1920, 1080), (1024, 768), (768, 1024), (600, 960), (844, 390), (390, 844)]


def set_state(page, hash_):
    """Apply a hash at once, as the page itself does when the address changes."""
    page.evaluate("hash => { state = read(hash); render(); }", f"#{hash_}")


def address_of(page, wanted):
    """Return the address as a dict, once it contains the wanted value. It is written after a slider has stopped."""
    page.wait_for_function("wanted => location.hash.includes(wanted)", arg=wanted)
    return {name: values[0] for name, values in parse_qs(page.evaluate("location.hash.slice(1)")).items()}


def test_controls_have_names_and_the_sentence_is_announced(open_page):
    """Every input has a label; the sentence is announced politely and describes the picture; the focus can be seen."""
    page = open_page()
    assert (
        page.evaluate("[...document.querySelectorAll('input')].filter(i => !i.labels[0]?.textContent.trim()).length")
        == 0
    )
    for scene in projector.SCENES:
        assert page.get_attribute(f"#{scene}-sentence", "aria-live") == "polite"
        assert page.get_attribute(f"#{scene} svg", "aria-label") == page.text_content(f"#{scene}-sentence")
    sentences = set()
    for delta in (-4, -1, 0, 1, 4):
        set_state(page, f"delta={delta}")
        sentences.add(page.inner_text("#loss-sentence"))
    assert len(sentences) == 5
    page.keyboard.press("Tab")
    style, width = page.evaluate(
        "(s => [s.outlineStyle, parseFloat(s.outlineWidth)])(getComputedStyle(document.activeElement))"
    )
    assert style == "solid"
    assert width >= 3
    slider = page.locator("#delta")
    before = slider.screenshot()
    page.keyboard.press("1")
    assert page.evaluate("document.activeElement.id") == "delta"
    assert slider.screenshot() != before  # the ring around its thumb


def test_theme_follows_the_system_until_chosen(open_page):
    """The page is dark if the system is dark; the choice of the button has priority and is kept in the address."""
    page = open_page(color_scheme="dark")
    assert page.get_attribute("html", "data-theme") == "dark"
    page.emulate_media(color_scheme="light")
    page.wait_for_selector("html[data-theme=light]")
    page.click("#theme")
    assert address_of(page, "theme=")["theme"] == "dark"
    page.emulate_media(color_scheme="dark")
    page.click("#theme")
    assert address_of(page, "theme=light")["theme"] == "light"
    assert page.get_attribute("html", "data-theme") == "light"


def luminance(colour):
    """WCAG 2.2: relative luminance of 'rgb(r, g, b)'."""
    c = np.array([float(part) for part in re.findall(r"[\d.]+", colour)[:3]]) / 255
    return float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])


def contrast(a, b):
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_have_enough_contrast(open_page, theme):
    """Words have a contrast of 4.5:1 with their background, lines and marks 3:1, in both themes."""
    page = open_page()
    look = """() => {
      const css = getComputedStyle, paper = css(document.documentElement).backgroundColor;
      const shown = query => [...document.querySelectorAll(query)].filter(e => e.getClientRects().length);
      const speaks = e => !e.closest('svg') && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
      const behind = e => !e ? paper
        : css(e).backgroundColor !== 'rgba(0, 0, 0, 0)' ? css(e).backgroundColor : behind(e.parentElement);
      const words = shown('body *').filter(speaks).map(e => [e.textContent, css(e).color, behind(e)]);
      const labels = shown('svg text').map(e => [e.textContent, css(e).fill, paper]);
      const lines = shown('svg path, svg rect').filter(e => css(e).stroke !== 'none')
        .map(e => [e.className.baseVal, css(e).stroke, paper]);
      const dots = shown('svg circle:not(.ghost, .cloud)').map(e => [e.className.baseVal, css(e).fill, paper]);
      return { words: [...words, ...labels], lines: [...lines, ...dots] }; }"""
    for scene in [*projector.SCENES, "loss&show=example", "loss&show=keys", "training&predict=1"]:
        set_state(page, f"scene={scene}&theme={theme}&plus=1&model=2.5&step=9&distance=3")
        found = page.evaluate(look)
        assert len(found["words"]) > 20
        assert len(found["lines"]) > 5
        for limit, kind in ((4.5, "words"), (3.0, "lines")):
            for what, colour, behind in found[kind]:
                assert contrast(colour, behind) >= limit, (kind, what, colour, behind)


def test_colours_of_the_light_theme_are_those_of_the_figures(open_page):
    """Chosen is blue, rejected vermillion, empirical green, exactly as in the figures; shapes and dashes differ too."""
    page = open_page("scene=shift&theme=light")
    look = "([query, name]) => getComputedStyle(document.querySelector(query))[name]"
    assert page.evaluate(look, ["#shift circle", "fill"]) == "rgb(0, 114, 178)"
    assert page.evaluate(look, ["#shift rect", "stroke"]) == "rgb(213, 94, 0)"
    assert page.evaluate(look, ["#expected path.empirical", "stroke"]) == "rgb(0, 158, 115)"
    assert page.evaluate(look, ["#shift rect", "strokeDasharray"]) != "none"
    assert page.evaluate(look, ["#shift path.chosen", "strokeDasharray"]) == "none"
    assert page.evaluate(look, ["#shift path.rejected", "strokeDasharray"]) != "none"


CLASHES = """() => {  // words that touch words, marks or the edge of their picture, or run out of their box
  const section = [...document.querySelectorAll('section')].find(s => !s.hidden), svg = section.querySelector('svg');
  const boxes = query => [...svg.querySelectorAll(query)].map(e => [e.textContent, e.getBoundingClientRect()]);
  const apart = (a, b, by) => a.left + by >= b.right || b.left + by >= a.right
    || a.top + by >= b.bottom || b.top + by >= a.bottom;
  const frame = svg.getBoundingClientRect(), words = boxes('text'), out = [];
  const marks = boxes('circle:not(.ghost), rect:not(.ghost), path.wide');
  words.forEach(([text, a], i) => {
    if (a.left < frame.left - 1 || a.right > frame.right + 1) out.push(`outside: ${text}`);
    if (a.top < frame.top - 6 || a.bottom > frame.bottom + 6) out.push(`outside: ${text}`);
    for (const [other, b] of words.slice(0, i)) if (!apart(a, b, 3)) out.push(`${text} / ${other}`);
    for (const [, b] of marks) if (!apart(a, b, 5)) out.push(`${text} / mark`);
  });
  const shown = query => [...section.querySelectorAll(query)].filter(e => e.getClientRects().length && e.textContent);
  const labels = shown('.slider label, .slider output, dt, dd, .sentence, .buttons button, .buttons span')
    .map(e => [e.textContent, e.getBoundingClientRect()]);
  labels.forEach(([text, a], i) => {
    for (const [other, b] of [...words, ...labels.slice(0, i)]) if (!apart(a, b, 1)) out.push(`${text} / ${other}`);
    if (a.right > innerWidth) out.push(`outside: ${text}`);
  });
  for (const input of section.querySelectorAll('.slider input')) {
    const a = input.getBoundingClientRect();
    for (const [text, b] of [...words, ...labels]) if (!apart(a, b, 4)) out.push(`slider / ${text}`);
    if (a.left < 0 || a.right > innerWidth) out.push(`outside: ${input.id}`);
  }
  for (const e of section.querySelectorAll('dt, dd, h1, .formula, .sentence'))
    if (e.clientWidth && e.scrollWidth > e.clientWidth + 1) out.push(`too wide: ${e.textContent}`);
  if (document.documentElement.scrollWidth > innerWidth) out.push('scrolls sideways');
  if (Math.abs(svg.viewBox.baseVal.width - frame.width) > 1) out.push('drawn for another size');
  if (Math.abs(svg.viewBox.baseVal.height - frame.height) > 1) out.push('drawn for another size');
  if (innerWidth >= 900 && document.documentElement.scrollHeight > innerHeight) out.push('scrolls');
  return out; }"""
TOURS = {
    "loss": [f"delta={delta}" for delta in (-6, -4, -2, -1, 0, 0.7, 1.5, 3, 6)],
    "shift": [
        f"plus={c}&own={o}&scale={a}" for c, o, a in [(0, 0, 1), (-2, 1.5, 2), (2, -1.5, 2), (2, 0, 0), (0, 1.5, 0.4)]
    ],
    "confidence": [f"sure={sure}" for sure in (0.1, 0.5, 1, 1.5, 2, 2.1, 2.5, 3, 4, 4.3, 5, 6)],
    "expected": [f"model={m}&pairs={n}&seed=7" for m in (0, 1, 2, 3) for n in (100, 600, 3000, 20000)],
    "training": [f"step={k}&rate={rate}" for k in (0, 1, 20, 100) for rate in (0.1, 0.5, 2, 4)],
    "optimising": [f"distance={d}&proxy={n}" for d in (0, 2, 3.9, 5.5, 8) for n in (200, 2000, 20000)],
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_nothing_overlaps_or_overflows(open_page, size):
    """In windows of eight sizes and along every slider, no words overlap and nothing scrolls sideways."""
    page = open_page(size=size)
    for scene, stops in TOURS.items():
        for stop in [*stops, "predict=1"]:
            set_state(page, f"scene={scene}&{stop}")
            assert page.evaluate(CLASHES) == [], (scene, stop)


@pytest.mark.parametrize(("size", "least"), [((1280, 720), 20), ((1920, 1080), 30)])
def test_type_and_lines_are_large_and_grow(open_page, size, least):
    """At 1280 px no word is below 20 px, except subscripts, and no line below 3 px; words grow with the window."""
    page = open_page(size=size)
    for scene in projector.SCENES:
        set_state(page, f"scene={scene}&plus=1&step=9&distance=3")
        sizes, widths = page.evaluate(
            """scene => {
                 const css = getComputedStyle;
                 const shown = query => [...document.querySelectorAll(query)].filter(e => e.getClientRects().length);
                 const speaks = e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
                 const px = (width, e) => parseFloat(width) * (width.endsWith('em') ? parseFloat(css(e).fontSize) : 1);
                 return [shown('body *:not(sub):not(sup)').filter(speaks).map(e => parseFloat(css(e).fontSize)),
                         shown(`#${scene} path, #${scene} rect`).filter(e => css(e).stroke !== 'none')
                           .map(e => px(css(e).strokeWidth, e))]; }""",
            scene,
        )
        assert min(sizes) >= least
        assert min(widths) >= 3


def test_nothing_moves_by_itself(open_page):
    """There is no animation and no transition, and the training of scene 5 waits for somebody to press Play."""
    page = open_page("scene=training")
    page.wait_for_timeout(400)
    assert page.evaluate("[state.step, playing]") == [0, None]
    assert page.evaluate("document.getAnimations().length") == 0
    assert "transition" not in projector.page()
    assert "animation" not in projector.page()


def test_print_is_white_and_has_one_scene_a_page(open_page):
    """A printout has the example and six pages, black on white also in the dark theme, with numbers but no controls."""
    page = open_page("scene=confidence&theme=dark&sure=4&pairs=900&seed=12")
    numbers = page.evaluate("[...document.querySelectorAll('dd output')].map(o => o.textContent)")
    assert len(numbers) >= 24
    page.emulate_media(media="print")
    for scene in projector.SCENES:
        assert page.is_visible(f"#{scene}")
        assert page.is_visible(f"#{scene} svg")
    assert not any(element.is_visible() for element in page.query_selector_all("input, button, header"))
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert luminance(page.evaluate("getComputedStyle(document.body).color")) < 0.01
    assert page.is_visible("#seed-value")
    assert (
        page.evaluate(
            "[...document.querySelectorAll('dd output')].filter(o => o.getClientRects().length).map(o => o.textContent)"
        )
        == numbers
    )
    page.emulate_media(media="null")
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) == 7
