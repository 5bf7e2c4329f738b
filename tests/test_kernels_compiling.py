"""When kernels are compiled: once, announced in one line, and not for problems that do not need them."""

from __future__ import annotations

import pytest

from bradley_terry.objective import COMPILED

full = pytest.mark.full


@full
def test_compiling_is_announced_once_and_only_with_an_empty_cache(run_python, tmp_path) -> None:
    """A fresh process writes one line to stderr at its first compilation, and none if the cache is filled."""
    script = (
        "import contextlib, io, sys\n"
        "import numba, numpy as np\n"
        "import bradley_terry as bt\n"
        "said = io.StringIO()\n"
        "with contextlib.redirect_stderr(said):\n"
        "    bt.kernels\n"
        "    if OTHERS: numba.njit(lambda x: x + 1)(1)\n"
        "    before = said.getvalue()\n"
        "    bt.kernels.curvatures(np.zeros(3))\n"
        "    first = said.getvalue()\n"
        "    bt.kernels.linear_margins(np.ones((3, 1)), np.ones(1))\n"
        "print(repr(before), first == said.getvalue())\n"
        "print(said.getvalue(), end='')\n"
    )
    folder = tmp_path / "kernels"
    told = run_python(f"OTHERS = True\n{script}", NUMBA_CACHE_DIR=folder).splitlines()
    assert told[0] == "'' True"  # nothing is said about a function that is not ours, and no second line is written
    assert len(told) == 2
    assert told[1].startswith("bradley_terry: compiling its kernels")
    assert str(folder) in told[1]
    assert run_python(f"OTHERS = False\n{script}", NUMBA_CACHE_DIR=folder).splitlines() == ["'' True"]


@full
def test_an_objective_that_needs_no_kernels_compiles_nothing(run_python, tmp_path) -> None:
    """With the default backend a fit of a small table neither imports Numba nor leaves files in the cache folder."""
    script = (
        "import sys, bradley_terry as bt\n"
        "bt.fit(bt.TableScorer(2), bt.PreferencePairs([0, 0, 1], [1, 1, 0]))\n"
        "print('numba' in sys.modules)\n"
    )
    assert run_python(script, NUMBA_CACHE_DIR=tmp_path / "kernels") == "False"
    assert not (tmp_path / "kernels").exists()


@full
def test_warmup_leaves_nothing_to_compile(run_python) -> None:
    """After ``bt.warmup()`` no objective, with any scorer and any weights or labels, compiles a kernel."""
    script = (
        "import numpy as np, bradley_terry as bt\n"
        "bt.warmup()\n"
        "from bradley_terry.kernels import compiled\n"
        "kernels = {name: f for name, f in vars(compiled).items() if hasattr(f, 'signatures')}\n"
        "print(all(f.signatures for name, f in kernels.items() if name.endswith('_blocks')))\n"
        "def count(): return sum(len(kernel.signatures) for kernel in kernels.values())\n"
        "before = count()\n"
        "p = bt.PreferencePairs([[1.0, 2.0]] * 3, [[0.0, 1.0]] * 3, labels=[1, 0.5, 0], weights=[1, 2, 3])\n"
        f"o = bt.Objective(bt.LinearScorer(2), p, backend={COMPILED!r})\n"
        "o(np.ones(2)); o.margins(np.zeros(2)); o.hessian(np.ones(2)); o.at(np.ones(2))\n"
        f"q = bt.Objective(bt.MLPScorer(2, 2), p, backend={COMPILED!r}); q(np.ones(q.scorer.n_parameters))\n"
        f"t = bt.Objective(bt.TableScorer(2), bt.PreferencePairs([0], [1]), backend={COMPILED!r}); t.at([0, 1])\n"
        "print(count() == before)\n"
    )
    assert run_python(script).split() == ["True", "True"]


@pytest.mark.full
def test_a_user_without_a_home_folder_compiles_without_saving(run_python) -> None:
    """The kernels give the right loss, and one warning says that they are compiled each time and how to change that."""
    script = (
        "import pathlib, warnings, numpy as np\n"
        "def homeless(path): raise RuntimeError('Could not determine home directory.')\n"
        "pathlib.Path.expanduser = homeless\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    from bradley_terry import kernels\n"
        "    print(f'{kernels.mean_loss_and_gradients(np.zeros(2))[0]:.6f}')\n"
        "print([str(w.message) for w in caught])\n"
    )
    loss, said = run_python(script, NUMBA_CACHE_DIR="", XDG_CACHE_HOME="").splitlines()
    assert loss == "0.693147"
    assert said.count("compiled kernels cannot be saved in a home folder") == 1
    assert "set NUMBA_CACHE_DIR to a writable folder" in said
