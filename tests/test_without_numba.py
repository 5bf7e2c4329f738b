"""Where Numba is missing, everything but the compiled code works; so it does in a browser, which has no threads either.

A browser is imitated: its platform has another name, threads cannot be started, and what does not exist there cannot be
imported. The names of modules and functions are those that Pyodide 314.0.7 lacks.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.commands import main
from bradley_terry.course import notebooks
from bradley_terry.fitting import compiler

WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

names = {"numba", "llvmlite"}
sys.meta_path.insert(0, Missing())
"""
IN_A_BROWSER = f"""
import os, signal, sysconfig, threading
import numpy, matplotlib.axes
try:
    import ipywidgets
except ModuleNotFoundError:
    pass
sysconfig.get_config_vars()  # these are read from a file whose name contains the platform
{WITHOUT}
names |= {{"threadpoolctl", "multiprocessing", "_multiprocessing", "resource", "grp", "pwd", "readline"}}
for name in [name for name in sys.modules if name.partition(".")[0] in names]:
    del sys.modules[name]
for module, name in ((signal, "setitimer"), (signal, "pthread_kill"), (os, "sched_getaffinity"), (os, "geteuid")):
    if hasattr(module, name):
        delattr(module, name)

def start(self):
    tried.append(self.name)
    raise RuntimeError("can't start new thread")

tried = []
threading.Thread.start = start
sys.platform = "emscripten"
os.cpu_count = lambda: 8
os.environ.pop("NUMBA_NUM_THREADS", None)
"""
WORK = """
import json
import numpy as np
import bradley_terry as bt

rng, scorer = np.random.default_rng(3), bt.LinearScorer(5)
large = bt.PreferencePairs(*rng.normal(size=(2, 220_000, 5)))  # the kernels would save time
small = bt.datasets.travel_modes()
objective = bt.Objective(scorer, large)
loss, gradient = objective(np.arange(5) / 10)
model = bt.fit(bt.LinearScorer(6), small)
found = model.evaluate(small)
network = bt.MLPScorer(6, 4)
report = bt.check_gradient(bt.Objective(network, small), network.initial(rng))
bt.warmup()
print(json.dumps({
    "backend": objective.backend, "loss": loss, "gradient": gradient.tolist(), "phi": model.phi.tolist(),
    "mean_loss": found.mean_loss, "accuracy": found.accuracy, "checked": report.passed,
}))
"""


@pytest.fixture
def refuses_numba(monkeypatch):
    """Let the package believe that Numba is missing."""
    monkeypatch.setattr(compiler, "find_spec", lambda _: None)


@pytest.mark.full
@pytest.mark.parametrize("where", [WITHOUT, IN_A_BROWSER], ids=["without", "browser"])
def test_numbers_are_the_same_without_numba(where, run_python):
    """Loss, gradient, fit, evaluation and gradient check of a fresh process without Numba are those with it."""
    found = json.loads(run_python(where + WORK))
    rng = np.random.default_rng(3)
    compiled = bt.Objective(bt.LinearScorer(5), bt.PreferencePairs(*rng.normal(size=(2, 220_000, 5))))
    loss, gradient = compiled(np.arange(5) / 10)
    assert (compiled.backend, found["backend"]) == ("numba", "numpy")
    assert found["loss"] == pytest.approx(loss, rel=1e-13)  # rounding of a sum over 220,000 pairs
    assert found["gradient"] == pytest.approx(gradient, abs=1e-13)
    published = [-0.016989, -0.068011, 0.021264, 3.395488, 2.879107, 2.016725]  # to six decimals
    assert np.abs(np.subtract(found["phi"], published)).max() <= 5.1e-7
    assert round(found["mean_loss"], 6) == 0.471083
    assert round(found["accuracy"], 4) == 0.7984
    assert found["checked"]


@pytest.mark.full
def test_commands_work_without_numba(run_python, tmp_path):
    """``train`` writes its folder with the usual loss, ``doctor`` says what is missing, ``bench`` refuses."""
    script = (
        WITHOUT
        + "from bradley_terry.commands import main\n"
        + "print(main(['train', '--out', 'run']), main(['doctor']))\n"
        + "sys.stderr = sys.stdout\n"
        + "print(main(['bench', '--small']), 'numba' in sys.modules)\n"
    )
    said = run_python(script)
    refusal = "bradley-terry: bench measures the compiled kernels, so it needs Numba, which is not installed: "
    assert said.splitlines()[-3:] == ["0 0", f"{refusal}python -m pip install numba", "2 False"]
    assert "compiled kernels: none, since they need Numba, which " in said
    assert "All checks passed." in said
    report = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    with_numba = tmp_path / "with"
    assert main(["train", "--out", str(with_numba)]) == 0
    numbers = re.compile(r"\d+\.\d+")
    expected = numbers.findall((with_numba / "report.md").read_text(encoding="utf-8"))
    assert numbers.findall(report) == expected
    assert len(expected) > 20


def test_numba_backend_is_refused_with_advice(refuses_numba):
    """Who asks for the compiled kernels by name is told what to do, by ``Objective``, ``fit`` and the kernels."""
    pairs = bt.datasets.travel_modes()
    advice = "^backend: use 'auto' or 'numpy', since 'numba' needs Numba, which is not installed: python -m pip install"
    for use in (bt.Objective, bt.fit):
        with pytest.raises(ModuleNotFoundError, match=advice):
            use(bt.LinearScorer(6), pairs, backend="numba")
        use(bt.LinearScorer(6), pairs, backend="auto")
    bt.warmup()


def test_train_with_the_numba_backend_ends_with_one_sentence(refuses_numba, tmp_path, capsys):
    """The status is 2, and stderr has one line that says what to do."""
    assert main(["train", "--backend", "numba", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("bradley-terry: backend: use 'auto' or 'numpy'")
    assert said.count("\n") == 1


def test_a_fit_that_is_too_large_is_not_told_to_use_what_is_missing(refuses_numba, monkeypatch):
    """The advice for a fit that does not fit into memory leaves out the compiled kernels where Numba is missing."""
    monkeypatch.setattr("bradley_terry.fitting.memory.SURELY_SMALL", 0)
    monkeypatch.setattr("bradley_terry.fitting.memory.available", lambda: 1.0)
    with pytest.raises(ValueError, match="fits into memory") as refusal:
        bt.fit(bt.LinearScorer(6), bt.datasets.travel_modes())
    assert "numba" not in str(refusal.value)


@pytest.mark.full
@pytest.mark.parametrize("where", [WITHOUT, IN_A_BROWSER], ids=["without", "browser"])
def test_kernels_without_numba_say_what_they_need(where, run_python):
    """``from bradley_terry import *`` works; a kernel is refused, and an unknown name is an AttributeError."""
    script = (
        "from bradley_terry import *\n"
        "for name in ('mean_loss_and_gradients', 'warmup'):\n"
        "    try:\n"
        "        getattr(kernels, name)\n"
        "    except ModuleNotFoundError as error:\n"
        "        print(error)\n"
        "print(hasattr(kernels, 'misspelt'), hasattr(kernels, '_private'))\n"
        "print(kernels.in_parts(lambda first, last: first, 2))\n"
    )
    *refused, hidden, shared = run_python(where + script).splitlines()
    why = "is not installed: python -m pip install numba"
    if where is IN_A_BROWSER:
        why = "does not exist for Python in a browser"
    for name, sentence in zip(("mean_loss_and_gradients", "warmup"), refused, strict=True):
        assert sentence == f"kernels.{name} is compiled code, so it needs Numba, which {why}"
    assert (hidden, shared) == ("False False", "[0, 1]")


@pytest.mark.full
def test_one_thread_where_threads_cannot_be_started(run_python):
    """In a browser there is one thread, whatever is asked for, and nobody tries to start another one."""
    script = (
        "import numpy as np\n"
        "import bradley_terry as bt\n"
        "print(bt.threads.get_threads())\n"
        "bt.threads.set_threads(4)\n"
        "print(bt.threads.get_threads(), bt.kernels.get_threads())\n"
        "print(bt.threads.in_parts(lambda first, last: first, 40) == [40 * part // 16 for part in range(16)])\n"
        "with bt.threads.blas_on_one_thread(10**9):\n"
        "    pass\n"
        "pairs = bt.PreferencePairs(*np.random.default_rng(0).normal(size=(2, 50_000, 8)))\n"
        "model = bt.fit(bt.LinearScorer(8), pairs, progress=True)\n"
        "print(model.converged, model.evaluate(pairs).n_pairs, tried)\n"
    )
    assert run_python(IN_A_BROWSER + script).splitlines() == ["1", "1 1", "True", "True 50000 []"]


LESSON = """
import ast, json, warnings

namespace, verdicts = {"__name__": "__main__"}, []
for source, is_check in json.loads(cells):
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), namespace)
    shown = eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace) if last else None
    repr(shown)
    if is_check:
        verdicts.append(repr(shown).partition("\\n")[0])
print(json.dumps(verdicts), tried)
"""
WITHOUT_COMPILED_CODE = [path.stem for path in notebooks.lessons(notebooks.originals()) if path.name[:2] != "09"]


@pytest.mark.full
@pytest.mark.parametrize("name", WITHOUT_COMPILED_CODE)
def test_lessons_run_in_a_browser(name, run_python):
    """With its solutions, each lesson but the one on compiled code runs without an error, and each exercise passes."""
    for module in ("nbformat", "ipywidgets"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    solved = notebooks.with_solutions(notebooks.read(notebooks.originals() / f"{name}.ipynb"))
    cells = [
        (cell.source, "check" in cell.metadata.get("tags", [])) for cell in solved.cells if cell.cell_type == "code"
    ]
    said = run_python(f"{IN_A_BROWSER}\ncells = {json.dumps(cells)!r}\n{LESSON}").splitlines()[-1]
    verdicts, tried = said.rsplit("] ", 1)
    exercises = [verdict for verdict in json.loads(f"{verdicts}]") if not verdict.startswith("prediction")]
    assert len(exercises) >= 2
    assert all(verdict.endswith(": passed") for verdict in exercises), exercises
    assert tried == "[]"
