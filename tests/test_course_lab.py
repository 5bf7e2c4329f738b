"""A lesson in JupyterLab, as a student uses it: open, run all cells, move the slider. Nothing leaves the machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from headless import missing

LESSON = "02_the_loss"
SIZE = {"width": 1280, "height": 720}  # of a small laptop, and of many projectors
TOKEN = "of-these-tests"  # noqa: S105  # for a server that lives as long as a test
LIMIT = 60_000  # milliseconds for a step, also on a busy machine


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def jupyter_lab(folder, *, lesson=1, book=None):
    """Start the course with one lesson open, yield the address of its JupyterLab, and end it in any case.

    ``book`` is the path of another notebook, which is copied beside the lessons.
    """
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text(  # put all cells on the page, not only the visible ones
        json.dumps({"windowingMode": "none"}), encoding="utf-8"
    )
    work, log = folder / "work", folder / "lab.log"
    work.mkdir()
    if book is not None:
        shutil.copy(book, work)
    port = _free_port()
    command = [
        sys.executable, "-m", "bradley_terry", "course", "--no-browser", f"--port={port}", f"--folder={work}",
        f"--lesson={lesson}",
    ]  # fmt: skip
    own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_TOKEN": TOKEN,
    }
    with log.open("wb") as said:
        server = subprocess.Popen(command, env={**os.environ, **own}, stdout=said, stderr=said)
        try:
            address, until = f"http://127.0.0.1:{port}", time.monotonic() + LIMIT / 1000
            while True:
                try:
                    with urlopen(f"{address}/api?token={TOKEN}", timeout=5):  # noqa: S310  # our own server
                        break
                except (URLError, ConnectionError, TimeoutError):
                    alive = server.poll() is None and time.monotonic() < until
                    assert alive, log.read_text(encoding="utf-8", errors="replace")
                    time.sleep(0.1)
            yield address
        finally:
            server.terminate()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@pytest.mark.full
def test_lesson_in_jupyterlab_moves_its_slider_and_contacts_no_other_machine(browser, tmp_path):
    """All cells run, an arrow key moves sentence and picture, both fit the screen, and no news are fetched."""
    for module in ("jupyterlab", "ipywidgets", "ipykernel", "nbformat"):
        if find_spec(module) is None:
            missing(f"{module} is not installed")
    import bradley_terry as bt

    bt.warmup()  # compiling in the lesson would write to stderr

    with jupyter_lab(tmp_path, lesson=int(LESSON[:2])) as address:
        page = browser.new_page(viewport=SIZE)
        page.set_default_timeout(LIMIT)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda channel: asked.append(channel.url))
        page.goto(f"{address}/doc/tree/{LESSON}.ipynb?token={TOKEN}")
        page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        page.locator("#jp-main-statusbar").get_by_text(re.compile(r"\| Idle$")).wait_for()  # else it asks for a kernel
        page.click(".lm-MenuBar-itemLabel:text-is('Run')")
        page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")

        slider = page.locator(".jp-OutputArea .widget-slider").first
        slider.wait_for()  # the kernel has drawn it
        output = page.locator(".jp-OutputArea-output", has=page.locator(".widget-slider")).first
        sentence, picture = output.locator(".widget-label", has_text=re.compile("^Δ = ")), output.locator("img")
        sentence.filter(has_text="Δ = +0.0: probability 0.5000, loss 0.6931, slope -0.5000").wait_for()
        before = picture.get_attribute("src")
        handle = slider.locator(".noUi-handle")
        handle.focus()
        handle.press("ArrowRight")
        sentence.filter(has_text="Δ = +0.1: probability 0.5250, loss 0.6444, slope -0.4750").wait_for()
        page.wait_for_function("([img, before]) => img.src !== before", arg=[picture.element_handle(), before])
        picture.scroll_into_view_if_needed()
        top, bottom, shown = slider.bounding_box(), sentence.bounding_box(), picture.bounding_box()
        assert bottom["y"] + bottom["height"] - top["y"] < 0.8 * SIZE["height"]  # the rest is for menus
        assert picture.evaluate("img => img.naturalWidth") == pytest.approx(2 * shown["width"], rel=0.02)  # sharp
        assert page.locator(".Toastify__toast, .jp-Notification").count() == 0  # no pop-up about news
        assert (
            page.locator(".jp-Notebook .jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
        )

    assert asked
    strangers = [url for url in asked if not re.match(r"(https?|wss?)://127\.0\.0\.1:|data:|blob:", url)]
    assert strangers == []


if sys.platform == "win32":  # the server cannot be asked to end there
    pytestmark = pytest.mark.skip(reason="JupyterLab is tested on POSIX systems only")
