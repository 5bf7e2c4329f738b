"""Take the two screenshots of the README, lesson.png and projector.png, with the browser and JupyterLab of the tests.

Run it from the root of the repository: python figures/screenshots.py
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from headless import chromium  # noqa: E402
from test_course_lab import LESSON, LIMIT, TOKEN, jupyter_lab  # noqa: E402

from bradley_terry.course.projector import write_copy  # noqa: E402

VIEW = {"width": 1280, "height": 720}


def store(screenshot: bytes, name: str) -> None:
    """Write a screenshot as a PNG of 128 colours, 1200 pixels wide."""
    picture = Image.open(io.BytesIO(screenshot)).convert("RGB").resize((1200, 675), Image.Resampling.LANCZOS)
    picture.quantize(128, dither=Image.Dither.NONE).save(ROOT / "figures" / name, optimize=True)


def projector(browser, folder: Path) -> None:
    """Open the page that ``bradley-terry demo --scene loss --out FILE`` writes."""
    page_file = write_copy(folder / "projector.html", scene="loss")
    page = browser.new_page(viewport=VIEW)
    page.goto(page_file.as_uri())
    page.wait_for_timeout(1000)
    store(page.screenshot(), "projector.png")


def lesson(browser, folder: Path) -> None:
    """Open lesson 2, run all cells, move the slider to Δ = -2, and show its cell."""
    with jupyter_lab(folder, lesson=int(LESSON[:2])) as address:
        page = browser.new_page(viewport=VIEW)
        page.set_default_timeout(LIMIT)
        page.goto(f"{address}/doc/tree/{LESSON}.ipynb?token={TOKEN}")
        page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        page.locator("#jp-main-statusbar").get_by_text(re.compile(r"\| Idle$")).wait_for()
        page.click(".lm-MenuBar-itemLabel:text-is('Run')")
        page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
        handle = page.locator(".jp-OutputArea .widget-slider .noUi-handle").first
        handle.focus()
        for _ in range(20):
            handle.press("ArrowLeft")
        page.locator(".widget-label", has_text=re.compile("^Δ = -2.0")).wait_for()
        page.locator(".jp-CodeCell", has=page.locator(".widget-slider")).first.evaluate(
            "cell => cell.scrollIntoView({block: 'end'})"
        )
        page.wait_for_timeout(1000)
        store(page.screenshot(), "lesson.png")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        projector(browser, Path(folder))
        lesson(browser, Path(folder))
