"""The documentation site: it builds without a warning, its links work, and it needs nothing from another address."""

from __future__ import annotations

import contextlib
import functools
import http.server
import importlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from headless import missing

import bradley_terry as bt
from bradley_terry.course import projector
from bradley_terry.course.predictions import PREDICTIONS

ROOT = Path(__file__).parent.parent
NEEDED = ("sphinx", "myst_nb", "furo", "sphinx-mathjax-offline")
WIDTHS = (320, 390)  # of telephones, in CSS pixels
TOO_WIDE = """() => [...document.querySelectorAll("html, .content")]
  .filter((box) => box.scrollWidth > box.clientWidth).map((box) => `${box.tagName} ${box.scrollWidth}`)"""
SHOWN = ("expected", "probability", "loss")  # on the front page, of a choice
NOT_TYPESET = """() => [...document.querySelectorAll(".math")]
  .filter((box) => !box.querySelector("mjx-container") || box.querySelector("mjx-merror, mjx-mtext[style*=red]"))
  .map((box) => box.textContent)"""


def build(docs: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Build the site as its page on installing says, with a PATH on which there is no pandoc."""
    empty = target.parent / "no-programs"
    empty.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-q", str(docs), str(target)],
        env=os.environ | {"PATH": str(empty), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )


def needs_sphinx() -> None:
    for name in NEEDED:
        if find_spec(name) is None:
            missing(f"{name} is not installed")


def copied(target: Path) -> Path:
    """Copy what the site is built from, so that no test writes into the checkout; return the folder of its pages."""
    for folder in ("docs", "notebooks", "figures"):
        leave = shutil.ignore_patterns("_build", "lessons", "pages", "jupyter_execute", "__pycache__")
        shutil.copytree(ROOT / folder, target / folder, ignore=leave)
    (target / "bradley_terry" / "course").mkdir(parents=True)
    shutil.copy(ROOT / "bradley_terry" / "course" / "projector.html", target / "bradley_terry" / "course")
    for file in ("CHANGELOG.md", "CONTRIBUTING.md", "pyproject.toml"):
        shutil.copy(ROOT / file, target)
    return target / "docs"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the pages of the site, and with what they include beside it."""
    needs_sphinx()
    return copied(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def site(pages: Path) -> Path:
    """Return the folder of the built site."""
    target = pages.parent / "html"
    result = build(pages, target)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return target


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Serve the site on this machine, and return its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Page(HTMLParser):
    """What a page links, loads and names."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.names: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: D102  # of HTMLParser
        given = {name: value or "" for name, value in attrs}
        self.names |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in {"canonical"}:
            self.loaded.append(given.get("href", ""))
        elif tag in {"img", "script", "iframe", "source", "video", "audio", "embed"} and "src" in given:
            self.loaded.append(given["src"])
        elif tag == "object" and "data" in given:
            self.loaded.append(given["data"])


@pytest.mark.full
def test_links_lead_somewhere_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """Each link to a page or a heading finds it, other links are https, and all that is loaded is in the site."""
    found = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    assert len(found) > 150
    for path, page in found.items():
        for target in page.loaded:
            assert not urlsplit(target).scheme or target.startswith("data:"), (path, target)
            if not target.startswith("data:") and urlsplit(target).path:
                assert (path.parent / unquote(urlsplit(target).path)).is_file(), (path, target)
        for target in page.links:
            parts = urlsplit(target)
            if parts.scheme:
                assert parts.scheme in {"https", "mailto"}, (path, target)
                continue
            other = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert other.is_file(), (path, target)
            if parts.fragment and other.suffix == ".html" and other.name != "projector.html":
                assert unquote(parts.fragment) in found[other].names, (path, target)


@pytest.mark.full
def test_every_picture_has_a_description(site: Path) -> None:
    """Each image has a text for readers who cannot see it; in lessons it is the description that the figure carries."""

    class Pictures(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            given = dict(attrs)
            if tag == "img":
                assert given.get("alt"), (path, given)
                assert not given["alt"].endswith((".svg", ".png")), (path, given)

    for path in sorted(site.rglob("*.html")):
        Pictures().feed(path.read_text(encoding="utf-8"))


@contextlib.contextmanager
def closed(browser: Any, address: str, **options: Any) -> Iterator[tuple[Any, list[str]]]:
    """Open a browser page that can reach the site and nothing else; yield it with the list of its complaints."""
    context = browser.new_context(**options)
    complaints: list[str] = []

    def answer(route: Any) -> None:
        if route.request.url.startswith((address, "data:")):
            route.continue_()
        else:
            complaints.append(f"asked for {route.request.url}")
            route.abort()

    context.route("**/*", answer)
    page = context.new_page()
    page.on("console", lambda m: complaints.append(m.text) if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page, complaints
    finally:
        context.close()


@pytest.mark.full
def test_no_page_is_wider_than_a_phone_or_asks_for_another_address(browser: Any, site: Path, address: str) -> None:
    """On a telephone no page scrolls sideways, has an error or a broken formula, or asks for anything elsewhere."""
    with closed(browser, address, viewport={"width": WIDTHS[0], "height": 800}) as (page, complaints):
        for path in sorted(site.rglob("*.html")):
            name = path.relative_to(site).as_posix()
            page.goto(f"{address}/{name}")
            page.evaluate("() => window.MathJax && MathJax.startup ? MathJax.startup.promise.then(() => null) : null")
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 800})
                page.evaluate("() => new Promise(requestAnimationFrame)")  # formulas are marked after a resize
                assert page.evaluate(TOO_WIDE) == [], (name, width)
            assert page.evaluate(NOT_TYPESET) == [], name
            assert complaints == [], name


@pytest.mark.full
def test_mathematics_is_typeset_with_fonts_of_the_site(browser: Any, address: str) -> None:
    """The formula of the front page is drawn by MathJax, and the fonts come from the site."""
    with closed(browser, address) as (page, complaints):
        fonts: list[str] = []
        page.on("response", lambda r: fonts.append(r.url) if r.url.endswith(".woff") and r.ok else None)
        page.goto(f"{address}/index.html")
        page.wait_for_selector("mjx-container mjx-math")
        page.wait_for_load_state("networkidle")
        assert fonts
        assert all(url.startswith(address) for url in fonts)
        page.goto(f"{address}/lessons/02_the_loss.html")
        page.wait_for_selector("mjx-container mjx-math")
        assert page.locator("mjx-merror").count() == 0
        assert complaints == []


@pytest.mark.full
@pytest.mark.parametrize(
    ("words", "expected"), [("sigmoid", "sigmoid"), ("0.693", "0.693"), ("NaN", "Questions"), ("separation", "finite")]
)
def test_search_finds_pages(browser: Any, address: str, words: str, expected: str) -> None:
    """The search field lists pages about the words."""
    with closed(browser, address) as (page, complaints):
        page.goto(f"{address}/search.html?q={words}")
        page.wait_for_selector("#search-results li a")
        page.wait_for_timeout(500)
        titles = page.locator("#search-results li a").all_inner_texts()
        assert any(expected in title for title in titles), titles
        assert complaints == []


@pytest.mark.full
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(browser: Any, address: str, scheme: str) -> None:
    """The page follows the system's colours, and the button changes them to the other ones."""
    ground = "getComputedStyle(document.body).backgroundColor"
    with closed(browser, address, color_scheme=scheme, viewport={"width": 1280, "height": 800}) as (page, _):
        page.goto(f"{address}/index.html")
        seen = [page.evaluate(ground)]
        for _click in range(3):  # the button goes through the system's colours, light and dark
            page.locator(".theme-toggle:visible").first.click()
            seen.append(page.evaluate(ground))
    lightness = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in seen]
    assert (lightness[0] > 384) == (scheme == "light")
    assert min(lightness) < 384 < max(lightness)


@pytest.mark.full
def test_choice_on_the_front_page_agrees_with_the_package(browser: Any, address: str) -> None:
    """The probability and the loss that the page shows are those of the package, on the whole range of the sliders."""
    with closed(browser, address, viewport={"width": 390, "height": 800}) as (page, complaints):
        page.goto(f"{address}/index.html")
        assert not page.locator("#choice .told").is_visible()
        for answer, sign in (("a", 1), ("b", -1)):
            page.click(f"[data-answer={answer}]")
            rewards = [(0.5, 1.2), (3, -3), (-3, 3), (0, 0), (-1.7, -1.7), (2.4, 0.2), (-2.4, 1.8), (3, -2.9)]
            for reward_a, reward_b in [*rewards, *((tenths / 10, -0.2) for tenths in range(-30, 31))]:
                for name, value in (("a", reward_a), ("b", reward_b)):
                    page.get_by_role("slider", name=f"reward of answer {name}").fill(str(value))
                margin = sign * (reward_a - reward_b)
                shown = {place: page.locator(f"#choice [data-show={place}]").inner_text() for place in SHOWN}
                assert float(shown["probability"]) == pytest.approx(bt.sigmoid(margin), rel=5e-4, abs=5e-7)
                assert float(shown["loss"]) == pytest.approx(bt.pair_losses([margin])[0], rel=5e-3)
                assert shown["loss"] == f"{-math.log(float(shown['probability'])):#.3g}"
                said = f"It prefers answer {'a' if reward_a > reward_b else 'b'}, but you chose answer {answer}."
                if reward_a == reward_b:
                    said = f"It prefers neither answer, and you chose answer {answer}."
                elif margin > 0:
                    said = f"It prefers answer {answer}, and so do you."
                assert shown["expected"] == said
            sentence = " ".join(page.locator("#choice [data-sentence]").inner_text().split())
            page.wait_for_function(
                "text => document.querySelector('[data-say]').textContent.trim() === text", arg=sentence
            )
        assert complaints == []


@pytest.mark.full
def test_what_a_choice_costs_is_on_the_screen_of_a_phone(browser: Any, address: str) -> None:
    """It appears below the answers, where a phone would not show it without scrolling."""
    with closed(browser, address, viewport={"width": 390, "height": 844}, reduced_motion="reduce") as (page, _):
        page.goto(f"{address}/index.html")
        page.click("[data-answer=a]")
        box = page.locator("#choice .told").bounding_box()
        assert box["y"] > 0
        assert box["y"] + box["height"] <= 844


@pytest.mark.full
def test_predictions_of_the_lessons_can_be_made_on_the_site(browser: Any, address: str) -> None:
    """A click on an option shows its reply and closes the one before; no cell that needs a kernel is left."""
    asked = []
    with closed(browser, address, viewport={"width": 390, "height": 844}) as (page, complaints):
        for lesson in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
            page.goto(f"{address}/lessons/{lesson.stem}.html")
            for guess in page.locator(".guess").all():
                name = guess.locator("details").first.get_attribute("name").removeprefix("guess-")
                asked.append(name)
                for letter, reply in PREDICTIONS[name].options.items():
                    summary = guess.locator("summary", has_text=re.compile(f"^{letter} – "))
                    assert summary.inner_text() == f"{letter} – {PREDICTIONS[name].choices[letter]}"
                    summary.click()
                    assert guess.locator("details[open] p").all_inner_texts() == [reply]
            assert page.locator("article li", has_text=re.compile(r"^[abc] – ")).count() == 0
            text = page.locator("article").inner_text()
            assert re.findall(r"guess = None|check\.prediction|prediction \S+: not attempted|in quotes", text) == []
        assert complaints == []
    assert asked == list(PREDICTIONS)


@pytest.mark.full
def test_front_page_leads_to_lesson_one(browser: Any, address: str) -> None:
    """A click on the large button opens lesson 1, and its figure and its formulas are there."""
    with closed(browser, address, viewport={"width": 1280, "height": 800}) as (page, complaints):
        page.goto(f"{address}/index.html")
        page.click("text=Start lesson 1")
        assert "How does a pair of scores become a probability?" in page.locator("h1").inner_text()
        assert page.locator(".cell_output img").count() >= 1
        page.wait_for_selector("mjx-container")
        assert complaints == []


@pytest.mark.full
def test_projector_is_live_on_its_page(browser: Any, address: str) -> None:
    """The page shows the projector, its slider works, and links of a lesson open it at the right scene."""
    with closed(browser, address, viewport={"width": 1280, "height": 800}) as (page, complaints):
        page.goto(f"{address}/try_it.html")
        frame = page.frame_locator("iframe.projector")
        before = frame.locator("#loss output, #loss .value").first.inner_text()
        frame.locator("#delta").fill("-2")
        assert frame.locator("#loss output, #loss .value").first.inner_text() != before
        page.goto(f"{address}/lessons/03_shift_invariance.html")
        page.click("details.scene summary")
        inside = page.frame_locator("details.scene iframe")
        inside.locator("#plus").fill("2")
        assert inside.locator("section#shift").is_visible()
        with page.context.expect_page() as opened:
            page.click("a.slider-link")
        opened.value.wait_for_url("**/projector.html#scene=shift*")
        assert opened.value.locator("section#shift").is_visible()
        assert complaints == []


@pytest.mark.full
def test_sliders_of_lesson_one_move_the_bar(browser: Any, address: str) -> None:
    """The numbers are those of the package, and the bar is as long as the probability."""
    with closed(browser, address, viewport={"width": 390, "height": 844}) as (page, complaints):
        page.goto(f"{address}/lessons/01_choices_to_probabilities.html")
        for reward_a, reward_b in [(2, 1), (4, 3), (1.1, 0), (-3, 5), (0.3, 0.1)]:
            for name, value in (("a", reward_a), ("b", reward_b)):
                page.locator(f"#two-rewards [data-reward={name}]").fill(str(value))
            margin, wanted = reward_a - reward_b, bt.sigmoid(reward_a - reward_b)
            shown = [
                page.locator(f"#two-rewards [data-show={place}]").inner_text() for place in ("margin", "probability")
            ]
            assert shown == [f"{margin:.1f}".replace("-", "−"), f"{wanted:.3f}"]
            share = page.evaluate(
                "(b => b.firstElementChild.offsetWidth / b.clientWidth)(document.querySelector('.bar'))"
            )
            assert share == pytest.approx(wanted, abs=0.005)
        assert complaints == []


@pytest.mark.full
def test_links_of_sliders_lead_to_scenes_that_exist(site: Path) -> None:
    """A misspelt scene would open the projector page at its first one."""
    for path in (site / "lessons").glob("[0-9]*.html"):
        for scene in re.findall(r"projector\.html#scene=(\w+)", path.read_text(encoding="utf-8")):
            assert scene in projector.SCENES


@pytest.mark.full
def test_second_build_still_finds_numbers(pages: Path, site: Path) -> None:
    """Sphinx reads only changed pages again, and must not forget the words that were added to the others."""
    result = build(pages, site)
    assert (result.returncode, result.stderr) == (0, "")
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    sys.path.insert(0, str(ROOT / "docs" / "_extension"))
    words_of = importlib.import_module("index_words").WORDS
    for words in words_of.values():
        for word in words:
            assert json.dumps(word.lower()) in index.lower(), word


# What cannot be built


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of what the site is built from, which a test may damage."""
    needs_sphinx()
    return copied(tmp_path / "checkout").parent


def empty_cell(lesson: dict[str, Any]) -> None:
    code = [cell for cell in lesson["cells"] if cell["cell_type"] == "code"]
    code[2]["execution_count"] = None


def failed_cell(lesson: dict[str, Any]) -> None:
    code = [cell for cell in lesson["cells"] if cell["cell_type"] == "code"]
    code[2]["outputs"] = [{"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}]


def no_outputs(lesson: dict[str, Any]) -> None:
    for cell in lesson["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = []


def no_metadata(lesson: dict[str, Any]) -> None:
    del lesson["cells"][1]["metadata"]


def no_cells(lesson: dict[str, Any]) -> None:
    lesson.clear()


@pytest.mark.full
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (empty_cell, "cells that were not executed"),
        (no_outputs, "cells that were not executed"),
        (failed_cell, "stores an error"),
        (no_cells, "is not a notebook"),
        (no_metadata, "is not a notebook"),
    ],
)
def test_lesson_that_was_not_executed_ends_the_build_with_one_sentence(checkout: Path, damage: Any, said: str) -> None:
    """The sentence names the lesson and says what to do, and no page is written."""
    path = checkout / "notebooks" / "04_confidence_and_loss.ipynb"
    lesson = json.loads(path.read_text(encoding="utf-8"))
    damage(lesson)
    path.write_text(json.dumps(lesson), encoding="utf-8")
    result = build(checkout / "docs", checkout / "site")
    assert result.returncode != 0
    assert said in result.stderr
    assert "04_confidence_and_loss.ipynb" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not list(checkout.glob("site/**/*.html"))


@pytest.mark.full
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import required; required.OLDEST_SPHINX = (99, 0)", "is too old; the site needs Sphinx 99.0 or newer"),
        ("hidden = {'numba'}", "needs numba"),
        ("hidden = {'furo'}", "needs furo"),
        ("hidden = {'myst_nb', 'sphinx-mathjax-offline'}", "needs myst-nb and sphinx-mathjax-offline"),
        ("hidden = {'bradley_terry'}", "needs bradley-terry"),
    ],
)
def test_missing_or_old_tools_end_the_build_with_one_sentence(checkout: Path, code: str, said: str) -> None:
    """The sentence names the tool and the command that installs it, and no page is written."""
    program = f"""
import importlib.util, sys
sys.path.insert(0, {str(checkout / "docs" / "_extension")!r})
hidden = set()
{code}
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name in hidden else find(name, *more)
from sphinx.cmd.build import main
sys.exit(main(["-W", "-q", {str(checkout / "docs")!r}, {str(checkout / "site")!r}]))
"""
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert result.returncode != 0
    assert said in result.stderr
    assert 'python -m pip install -e ".[docs]"' in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not list(checkout.glob("site/**/*.html"))
