"""The package as a whole: a light import, the names of the contract, and rooms that import only upward."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt

ROOT = Path(bt.__file__).parent

CONTRACT = {
    "sigmoid": ["z"],
    "log_sigmoid": ["z"],
    "logit": ["p"],
    "preference_probability": ["rewards_a", "rewards_b"],
    "sample_preferences": ["rewards_a", "rewards_b", "rng"],
    "expected_loss": ["true_margins", "margins"],
    "loss_floor": ["true_margins"],
    "pair_losses": ["margins", "labels", "target_margins"],
    "pair_loss_gradients": ["margins", "labels", "target_margins"],
    "pair_loss_curvatures": ["margins", "target_margins"],
    "mean_loss": ["margins", "weights", "labels", "target_margins"],
    "kernels.mean_loss_and_gradients": ["margins", "out", "weights", "labels", "target_margins"],
    "kernels.set_threads": ["n_threads"],
    "LinearScorer": ["n_features"],
    "MLPScorer": ["n_features", "n_hidden", "activation"],
    "TableScorer": ["n_items"],
    "PreferencePairs": ["chosen", "rejected", "prompts", "weights", "labels", "target_margins", "feature_names"],
    "Objective": ["scorer", "pairs", "l2", "loss", "backend"],
    "fit": ["scorer", "pairs", "method", "l2", "seed", "validation", "progress", "callback"],
    "check_gradient": ["function", "phi", "against"],
    "datasets.travel_modes": [],
    "datasets.citations": [],
    "datasets.baseball": [],
    "datasets.synthetic": [],
    "datasets.load_pairs": ["path"],
    "RewardModel.save": ["self", "path"],
    "RewardModel.load": ["path"],
    "RewardModel.reward": ["self", "features"],
    "RewardModel.preference_probability": ["self", "features_a", "features_b"],
    "RewardModel.evaluate": ["self", "pairs"],
    "RewardModel.standard_errors": ["self"],
}


# ---------------------------------------------------------------------------------------------------- known value


@pytest.mark.parametrize("name", CONTRACT)
def test_every_name_of_the_contract_exists_with_its_arguments(name: str) -> None:
    """The design promises these names, and their arguments in this order."""
    found = bt
    for part in name.split("."):
        found = getattr(found, part)
    assert list(inspect.signature(found).parameters)[: len(CONTRACT[name])] == CONTRACT[name]
    assert inspect.getdoc(found)


def test_scorers_and_objectives_have_the_methods_of_the_contract() -> None:
    """shapes, n_parameters, initial, unpack, reward, backward; margins and hessian."""
    for scorer in (bt.LinearScorer(2), bt.MLPScorer(2), bt.TableScorer(2)):
        for name in ("shapes", "n_parameters", "initial", "unpack", "reward", "backward"):
            assert hasattr(scorer, name)
    for name in ("__call__", "margins", "hessian"):
        assert hasattr(bt.Objective, name)


# ------------------------------------------------------------------------------------------------------- identity


def test_all_names_are_there_and_listed() -> None:
    """Everything in ``__all__`` can be had and is in ``dir``; nothing public is missing from it."""
    assert sorted(bt.__all__) == bt.__all__
    for name in bt.__all__:
        assert getattr(bt, name) is not None
        assert name in dir(bt)


ORDER = [
    "logistic",
    "preference",
    "losses",
    "threads",
    "kernels",
    "scorers",
    "pairs",
    "objective",
    "evaluation",
    "model",
    "training",
]


def imports_of(room: str) -> set[str]:
    """Return the rooms that a room's source imports, at its head or inside its functions."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / f"{room}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            found |= {node.module} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bradley_terry"):
            found.add(node.module.partition(".")[2])
    return found


@pytest.mark.parametrize("room", ORDER)
def test_rooms_import_only_from_rooms_before_them(room: str) -> None:
    """The reading order of the package is the order of its imports."""
    assert imports_of(room) <= set(ORDER[: ORDER.index(room)])


def test_the_kernels_import_nothing_of_ours_but_threads() -> None:
    """The compiled twin is written separately, formulas and all: that is what makes agreement evidence."""
    assert imports_of("kernels") == {"threads"}
    assert imports_of("threads") == set()


# -------------------------------------------------------------------------------------------------------- manners


def test_import_pulls_in_neither_matplotlib_nor_numba(run_python) -> None:
    """The import, and a fit and an evaluation with the NumPy backend, leave the heavy furniture outside."""
    script = (
        "import sys, bradley_terry as bt\n"
        "heavy = {'numba', 'llvmlite', 'matplotlib', 'scipy', 'tqdm', 'autograd', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "pairs = bt.PreferencePairs([0, 1, 2, 0], [1, 2, 0, 2])\n"
        "bt.fit(bt.TableScorer(3), pairs, backend='numpy').evaluate(pairs)\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "bt.kernels\n"
        "print('numba' in sys.modules)\n"
    )
    assert run_python(script).splitlines() == ["[]", "[]", "True"]


def test_import_enters_only_the_rooms_of_the_loss(run_python) -> None:
    """The other rooms, and what they need of the standard library, wait until one of their names is asked for."""
    script = (
        "import sys, numpy\n"
        "before = set(sys.modules)\n"
        "import bradley_terry as bt\n"
        "print(*sorted(name for name in sys.modules if name.startswith('bradley_terry.')))\n"
        "late = {'concurrent.futures', 'csv', 'gzip', 'json', 'mmap', 'threadpoolctl', 'zipfile'}\n"
        "print(sorted(late & (set(sys.modules) - before)))\n"
        "print(bt.training.fit is bt.fit, bt.model.RewardModel is bt.RewardModel, bt.fit.__module__)\n"
    )
    rooms = ["logistic", "losses", "objective", "pairs", "preference", "scorers"]
    assert run_python(script).splitlines() == [
        " ".join(f"bradley_terry.{room}" for room in rooms),
        "[]",
        "True True bradley_terry.training",
    ]


def test_star_import_brings_every_public_name(run_python) -> None:
    """``from bradley_terry import *`` gives the names of ``__all__``, those of the later rooms included."""
    script = (
        "from bradley_terry import *\n"
        "import bradley_terry\n"
        "print(all(globals()[name] is getattr(bradley_terry, name) for name in bradley_terry.__all__))\n"
    )
    assert run_python(script) == "True"


def test_package_works_where_numba_is_missing(run_python) -> None:
    """Without Numba the default backend is served by NumPy, with the same answers and no complaint."""
    script = (
        "import sys\n"
        "class NoNumba:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'numba': raise ModuleNotFoundError(name)\n"
        "import importlib.util\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'numba' else real(name, *rest)\n"
        "sys.meta_path.insert(0, NoNumba())\n"
        "import bradley_terry as bt\n"
        "model = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0, 0, 0, 1], [1, 1, 1, 0]))\n"
        "print(f'{model.phi[0] - model.phi[1]:.6f}', 'numba' in sys.modules)\n"
    )
    assert run_python(script) == f"{np.log(3):.6f} False"


def test_unknown_names_are_attribute_errors() -> None:
    """A typing error is an AttributeError that names the package and the name."""
    with pytest.raises(AttributeError, match="'bradley_terry' has no attribute 'sigmoyd'"):
        _ = bt.sigmoyd
