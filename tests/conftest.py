"""Fixtures that several test files share: random problems, differences, distances in ulp, and a fresh interpreter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import settings

import bradley_terry as bt

# The same examples on every run, and no folder left behind; no deadline, since the first call may compile a kernel.
settings.register_profile("reproducible", derandomize=True, database=None, deadline=None)
settings.load_profile("reproducible")

# A shell starts jobs in the background with Ctrl-C ignored, and so would all tests of Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

MOST_CASES = 8  # of one test, in the quick tier


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run everything; without it, tests marked full are left out")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests marked ``full`` unless they are asked for, by --full or by name.

    Of a test with many cases, the quick tier runs eight, spread over all of them.
    """
    if config.getoption("--full") or any("::" in argument for argument in config.args):
        return
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if not item.get_closest_marker("full"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = {item.nodeid for same in cases.values() for item in spread(same)}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in kept])
    items[:] = [item for item in items if item.nodeid in kept]


def spread(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the items, or MOST_CASES of them at equal distances, with the first and the last."""
    if len(items) <= MOST_CASES:
        return items
    return [items[round(i * (len(items) - 1) / (MOST_CASES - 1))] for i in range(MOST_CASES)]


def pytest_report_header(config: pytest.Config) -> str:
    if config.getoption("--full"):
        return "full tier: everything"
    return (
        "quick tier: python -m pytest --full also runs the lessons, the browser, fresh processes, large inputs, and "
        f"more than {MOST_CASES} cases of a test"
    )


mpmath.mp.dps = 70  # digits: adding e^-36 to 1 costs it 16 of them, and 54 are left


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240611)


@pytest.fixture(scope="session")
def margins() -> np.ndarray:
    """Random and extreme margins of both signs, including infinities but not NaN."""
    rng = np.random.default_rng(7)
    extreme = [0.0, 5e-324, 1e-300, 1e-17, 16.64, 36.7, 36.75, 88.73, 700.0, 708.4, 709.7, 709.8, 744.4, 745.0, 745.2]
    extreme += [746.0, 1e4, 1e16, 1e308, np.inf]
    return np.concatenate(
        [
            rng.normal(0, 5, 1500),
            rng.uniform(-40, 40, 1500),
            rng.uniform(-750, 750, 1000),
            rng.normal(0, 1, 300) * 10.0 ** rng.uniform(-300, -1, 300),  # tiny
            extreme,
            np.negative(extreme),
        ]
    )


def exact_logistic(z: float) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Return softplus(z) and sigma(z) to about 50 digits."""
    if np.isinf(z):
        return mpmath.mpf(max(z, 0.0)), mpmath.mpf(z > 0)
    e = mpmath.exp(-abs(mpmath.mpf(z)))
    return mpmath.log1p(e) + max(mpmath.mpf(z), 0), (1 if z >= 0 else e) / (1 + e)


@pytest.fixture(scope="session")
def exact(margins: np.ndarray) -> dict[str, list[mpmath.mpf]]:
    """Loss, gradient and curvature of every margin, by mpmath: softplus(-z), -sigma(-z), sigma(z)·sigma(-z)."""
    plus = [exact_logistic(-float(z)) for z in margins]
    minus = [exact_logistic(float(z)) for z in margins]
    return {
        "loss": [softplus for softplus, _ in plus],
        "gradient": [-sigma for _, sigma in plus],
        "curvature": [a * b for (_, a), (_, b) in zip(plus, minus, strict=True)],
        "sigma": [sigma for _, sigma in minus],
    }


@pytest.fixture(scope="session")
def worst_ulp() -> Callable[..., float]:
    """Return the largest distance of computed numbers from exact ones, in units of the last place of the exact ones."""

    def distance(computed: object, exact: list[mpmath.mpf], dtype: type = np.float64) -> float:
        worst = 0.0
        for have, want in zip(np.asarray(computed).ravel().tolist(), exact, strict=True):
            if mpmath.isinf(want) or np.isinf(have):
                worst = max(worst, 0.0 if have == want else np.inf)
                continue
            unit = float(np.spacing(dtype(abs(float(want)))))
            worst = max(worst, float(abs(mpmath.mpf(have) - want) / mpmath.mpf(unit)))
            assert have == have, "a NaN where the exact value is a number"  # noqa: PLR0124
        return worst

    return distance


@pytest.fixture(scope="session")
def differences() -> Callable[..., np.ndarray]:
    """Return the derivative of f at x by the five-point rule, one coordinate at a time.

    Its truncation error is h⁴/30 times a fifth derivative, its rounding error about eps·|f|/h.
    """

    def derivative(f: Callable[[np.ndarray], object], x: np.ndarray, h: float = 1e-3) -> np.ndarray:
        columns = []
        for k in range(x.size):
            step = np.zeros_like(x)
            step[k] = h
            near = np.asarray(f(x + step)) - np.asarray(f(x - step))
            far = np.asarray(f(x + 2 * step)) - np.asarray(f(x - 2 * step))
            columns.append((8 * near - far) / (12 * h))
        return np.stack(columns, axis=-1)

    return derivative


EXTRAS = ("weights", "labels", "target_margins")


@pytest.fixture(scope="session")
def random_pairs() -> Callable[..., bt.PreferencePairs]:
    """Make random pairs for a scorer, with the optional fields that ``extras`` names."""

    def make(
        scorer: bt.LinearScorer | bt.MLPScorer | bt.TableScorer,
        n: int = 23,
        *,
        seed: int = 0,
        extras: tuple[str, ...] = EXTRAS,
        dtype: type = np.float64,
    ) -> bt.PreferencePairs:
        rng = np.random.default_rng(seed)
        if isinstance(scorer, bt.TableScorer):
            chosen = rng.integers(scorer.n_items, size=n)
            rejected = (chosen + rng.integers(1, scorer.n_items, size=n)) % scorer.n_items
        else:
            chosen, rejected = rng.normal(size=(2, n, scorer.n_features)).astype(dtype)
        values = {
            "weights": rng.uniform(0.1, 3, n),
            "labels": rng.uniform(0, 1, n),
            "target_margins": rng.normal(size=n),
        }
        prompts = rng.integers(max(2, n // 3), size=n)
        return bt.PreferencePairs(chosen, rejected, prompts=prompts, **{name: values[name] for name in extras})

    return make


@pytest.fixture
def kernels() -> Iterator[object]:
    """Import the kernels, and restore the number of threads after the test."""
    from bradley_terry import kernels

    before = kernels.get_threads()
    yield kernels
    kernels.set_threads(before)


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., str]:
    """Run a script in a fresh interpreter that sees this package and return what it printed."""

    def run(script: str, **environment: object) -> str:
        root = str(Path(bt.__file__).parents[1])
        path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
        variables = {**os.environ, "PYTHONPATH": path, **{k: str(v) for k, v in environment.items()}}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture(scope="session")
def browser():
    """Start Chromium without a window, or skip."""
    from headless import chromium

    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def offline(browser):
    """Return a browser context without a network."""
    return browser.new_context(offline=True)


@pytest.fixture
def open_page(offline):
    """Open the projector page offline; afterwards check that it reported no error and requested nothing else."""
    from bradley_terry.course import projector

    pages, complaints, requests, opened = [], [], set(), set()

    def open_at(hash_="", *, size=(1280, 720), address=None, **media):
        address = address or (Path(projector.__file__).parent / "projector.html").as_uri()
        page = offline.new_page()
        pages.append(page)
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(**{"color_scheme": "light", **media})
        page.set_default_timeout(20_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.add(request.url.partition("#")[0]))
        opened.add(address)
        page.goto(f"{address}#{hash_}" if hash_ else address)
        return page

    yield open_at
    for page in pages:
        page.close()
    assert complaints == []
    assert requests - {"data:,"} == opened  # the icon is empty
