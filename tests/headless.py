"""A browser without a screen, for tests of web pages; they are skipped where there is no browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [  # no sandbox, since root in a container cannot use it, and no background requests
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def missing(what: str) -> NoReturn:
    """Skip the test and say why, or fail if BRADLEY_TERRY_REQUIRE_BROWSER is set."""
    if os.environ.get("BRADLEY_TERRY_REQUIRE_BROWSER"):
        pytest.fail(f"{what}, but BRADLEY_TERRY_REQUIRE_BROWSER is set")
    pytest.skip(what)


@contextmanager
def chromium() -> Iterator[Any]:
    """Start Chromium, or skip the test."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("playwright is not installed")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
