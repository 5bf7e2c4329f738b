"""A fit that surely does not fit into memory is refused before it starts, and no other fit is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.fitting import memory

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
PACKAGE = Path(bt.__file__).parents[1]


def child(code: str, gigabytes: float | None = None) -> dict[str, object]:
    """Run code in a process of its own, under a limit of its memory, and return the JSON that it prints."""
    limit = f"resource.setrlimit(resource.RLIMIT_AS, ({int((gigabytes or 0) * 1e9)},) * 2)" if gigabytes else ""
    head = f"import json, resource, warnings\n{limit}\nimport numpy as np, bradley_terry as bt\n"
    head += "warnings.simplefilter('ignore')\nbt.threads.set_threads(1)\n"
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ---------------------------------------------------------------------------------------------------- known value


@on_linux
def test_there_is_some_memory_and_no_more_than_the_machine_has() -> None:
    """The figure is positive, and at most all memory and swap."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    swap = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("SwapTotal"))
    assert 0 < memory.available() <= total + swap


@on_linux
@pytest.mark.full
@pytest.mark.parametrize(
    ("scorer", "options"),
    [
        ("bt.LinearScorer(40)", {"backend": "numba"}),
        ("bt.LinearScorer(40)", {"backend": "numpy"}),
        ("bt.LinearScorer(40)", {"backend": "numpy", "standardise": True}),
        ("bt.MLPScorer(40, 50)", {"backend": "numpy"}),
    ],
)
def test_the_estimate_is_a_close_lower_bound_on_the_measured_peak(scorer, options) -> None:
    """The peak of the private memory of a child process is 1 to 1.7 times the estimate."""
    found = child(
        f"""
        import threading, time
        from bradley_terry.fitting.memory import needed
        scorer, options = {scorer}, {options!r}
        rng = np.random.default_rng(0)
        bt.fit(scorer, bt.PreferencePairs(*rng.normal(size=(2, 50, 40))), max_steps=1, **options)
        x = rng.normal(size=(2, 60_000, 40))
        x.flags.writeable = False
        pairs = bt.PreferencePairs(x[0], x[1])
        del x

        def held():
            _, all_pages, shared = open("/proc/self/statm").read().split()[:3]
            return (int(all_pages) - int(shared)) * resource.getpagesize()

        before, peaks, done = held(), [0], threading.Event()

        def watch():
            while not done.wait(0.001):
                peaks.append(held())

        watcher = threading.Thread(target=watch)
        watcher.start()
        bt.fit(scorer, pairs, max_steps=1, **options)
        done.set()
        watcher.join()
        standardise = options.get("standardise", "MLP" in "{scorer}")
        estimate = needed(scorer, pairs, options["backend"], standardise)
        print(json.dumps({{"peak": max(peaks) - before, "estimate": estimate}}))
        """
    )
    assert 0.95 <= found["peak"] / found["estimate"] <= 1.7


# ---------------------------------------------------------------------------------------------------- manners


@on_linux
@pytest.mark.parametrize(
    ("scorer", "options", "way"),
    [
        ("bt.LinearScorer(50)", "backend='numpy'", "write an NPZ file or a folder of NPY files, which load_pairs maps"),
        pytest.param("bt.MLPScorer(50, 400)", "backend='numpy'", "use standardise=False", marks=pytest.mark.full),
    ],
)
def test_a_fit_that_does_not_fit_is_refused_in_one_sentence(scorer, options, way) -> None:
    """Under a limit of the address space; the sentence names both sizes and a way out."""
    found = child(
        f"""
        x = np.broadcast_to(np.random.default_rng(0).normal(size=50), (400_000, 50)).copy()
        x.flags.writeable = False
        pairs = bt.PreferencePairs(x, x)
        here = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (here + 300_000_000,) * 2)
        try:
            bt.fit({scorer}, pairs, {options})
            print(json.dumps("fitted"))
        except ValueError as error:
            print(json.dumps(str(error)))
        """
    )
    assert found.startswith(
        "pairs: expected a fit that fits into memory, got 400,000 pairs of 50 features, which need "
    )
    assert "0.3 GB is available" in found
    assert way in found
    assert "bradley_terry.distributed" in found
    assert found.count("\n") == 0


def test_usual_fits_are_never_refused(monkeypatch) -> None:
    """Even if the system says that there is hardly any memory: small arrays are not worth a question."""
    monkeypatch.setattr(memory, "available", lambda: 0.0)
    rng = np.random.default_rng(0)
    pairs = bt.PreferencePairs(*rng.normal(size=(2, 200, 3)))
    assert bt.fit(bt.LinearScorer(3), pairs).converged
    bt.fit(bt.MLPScorer(3, 4), pairs, max_steps=2)


def test_a_mapped_file_of_a_linear_scorer_needs_little(tmp_path) -> None:
    """Its differences are formed in pieces, so its size does not matter to the compiled kernels."""
    path = tmp_path / "pairs.npz"
    x = np.zeros((300_000, 30))
    np.savez(path, chosen=x, rejected=x)
    mapped, held = bt.load_pairs(path), bt.PreferencePairs(x, x)
    assert mapped.is_mapped
    assert memory.needed(bt.LinearScorer(30), mapped, "numba", False) < x.nbytes / 20
    assert memory.needed(bt.LinearScorer(30), held, "numba", False) >= x.nbytes


HUGE = 10**13
TWO = bt.PreferencePairs([0, 1], [1, 0])
FEW = bt.datasets.synthetic(20)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("n_pairs", lambda: bt.datasets.synthetic(HUGE)),
        ("n_pairs", lambda: bt.datasets.synthetic(np.int64(HUGE), scorer=bt.TableScorer(3))),
        ("scorer", lambda: bt.datasets.synthetic(9, scorer=bt.TableScorer(HUGE))),
        ("scorer", lambda: bt.datasets.synthetic(9, scorer=bt.LinearScorer(HUGE))),
        ("scorer", lambda: bt.datasets.synthetic_phi(bt.MLPScorer(10**8, 10**8))),
        ("scorer", lambda: bt.LinearScorer(HUGE).initial(np.random.default_rng(0))),
        ("scorer", lambda: bt.MLPScorer(10**10, 10**12).initial(np.random.default_rng(0))),
        ("scorer", lambda: bt.fit(bt.TableScorer(HUGE), TWO)),
        ("scorer", lambda: bt.fit(bt.TableScorer(HUGE), TWO, method="gradient_descent")),
        ("scorer", lambda: bt.fit(bt.MLPScorer(3, HUGE), FEW)),
        ("scorer", lambda: bt.inference.separation(bt.TableScorer(HUGE), TWO)),
        ("scorer", lambda: bt.inference.component_fits(bt.TableScorer(HUGE), TWO)),
        ("scorer", lambda: bt.TableScorer(10**7).hessian(np.array([0]), np.array([1]), np.ones(1))),
        ("scorer", lambda: bt.Objective(bt.TableScorer(10**7), TWO).hessian(np.zeros(10**7))),
        ("pairs", lambda: bt.inference.strong_components(bt.PreferencePairs([0], [HUGE]))),
        ("pairs", lambda: bt.inference.connected_groups(bt.PreferencePairs([0], [HUGE]))),
        ("n_bins", lambda: bt.evaluate(bt.fit(bt.LinearScorer(3), FEW), FEW, n_bins=HUGE)),
        ("n_bins", lambda: bt.evaluation.reliability(np.ones(3), n_bins=HUGE)),
    ],
)
def test_a_size_that_surely_does_not_fit_is_refused_in_one_sentence(argument, call) -> None:
    """The sentence names the argument, what it would need and what there is, instead of NumPy's MemoryError."""
    with pytest.raises(ValueError, match=rf"^{argument}: expected a size that fits into memory, got ") as refusal:
        call()
    assert re.search(r" needs? at least [\d.e+]+ GB, but only [\d.]+ GB is available$", str(refusal.value))


def test_the_needed_memory_is_that_of_the_numbers() -> None:
    """φ of 10¹³ rewards has 8 bytes for each of them: 80,000 GB."""
    with pytest.raises(ValueError, match=r"TableScorer\(n_items=10000000000000\), whose φ needs at least 80000.0 GB"):
        bt.TableScorer(HUGE).initial(np.random.default_rng(0))
