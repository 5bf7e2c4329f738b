"""The package as a whole: a light import, the promised names, and modules that can be read in order."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import bradley_terry as bt
from bradley_terry import moved

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
    "PreferencePairs.head": ["self", "n"],
    "Objective": ["scorer", "pairs", "l2", "loss", "backend"],
    "Objective.__call__": ["self", "phi"],
    "Objective.at": ["self", "phi"],
    "Objective.margins": ["self", "phi"],
    "Objective.hessian": ["self", "phi", "margins"],
    "fit": ["scorer", "pairs", "method", "l2", "seed", "validation", "progress", "callback"],
    "check_gradient": ["function", "phi", "against"],
    "load_pairs": ["path"],
    "datasets.travel_modes": [],
    "datasets.citations": [],
    "datasets.baseball": [],
    "datasets.synthetic": [],
    "datasets.load_pairs": ["path"],
    "RewardModel.save": ["self", "path"],
    "RewardModel.load": ["path"],
    "RewardModel.reward": ["self", "features"],
    "RewardModel.margins": ["self", "pairs"],
    "RewardModel.preference_probability": ["self", "features_a", "features_b"],
    "RewardModel.evaluate": ["self", "pairs"],
    "RewardModel.standard_errors": ["self"],
    "RewardModel.summary": ["self"],
}


def parts_of_the_docstring() -> tuple[list[str], list[str]]:
    """Return the modules in reading order and the folders, as the docstring of the package lists them."""
    modules, folders = bt.__doc__.split("The folders are machinery.")
    name = re.compile(r"^    (\w+) {2,}\S", re.MULTILINE)
    return name.findall(modules), name.findall(folders.split("One pair goes through the modules")[0])


MODULES, FOLDERS = parts_of_the_docstring()


@cache
def code_of(path: Path) -> ast.Module:
    """Return the syntax tree of a file, without the parts that only type checkers read."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [
        node for node in tree.body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
    ]
    return tree


def imports_of(path: Path) -> set[tuple[str, str]]:
    """Return (module, name) for everything that a file imports from this package, also inside functions.

    Modules are counted from the package: ``from .losses import mean_loss`` is ("losses", "mean_loss") in any folder.
    """
    folder = path.parent.relative_to(ROOT).parts
    found = set()
    for node in ast.walk(code_of(path)):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("bradley_terry")):
            outer = folder[: len(folder) + 1 - node.level] if node.level else ()
            inner = (node.module or "").removeprefix("bradley_terry").strip(".")
            found |= {(".".join([*outer, *filter(None, [inner])]), alias.name) for alias in node.names}
    return {(module, name) if module else (name, "") for module, name in found}


# ---------------------------------------------------------------------------------------------------- known value


@pytest.mark.parametrize("name", CONTRACT)
def test_every_name_of_the_contract_exists_with_its_arguments(name: str) -> None:
    """Each name of the contract has these first arguments, in this order, and a docstring."""
    found = bt
    for part in name.split("."):
        found = getattr(found, part)
    assert list(inspect.signature(found).parameters)[: len(CONTRACT[name])] == CONTRACT[name]
    assert inspect.getdoc(found)


@pytest.mark.parametrize("scorer", [bt.LinearScorer(2), bt.MLPScorer(2), bt.TableScorer(2)], ids=str)
def test_scorers_have_the_methods_of_the_contract(scorer) -> None:
    """Every scorer has shapes, n_parameters, initial, unpack, reward and backward."""
    for name in ("shapes", "n_parameters", "initial", "unpack", "reward", "backward"):
        assert hasattr(scorer, name)


# ------------------------------------------------------------------------------------------------------- identity


def test_all_names_are_there_and_listed() -> None:
    """Every name in ``__all__`` exists, and ``dir`` lists it."""
    assert sorted(bt.__all__) == bt.__all__
    for name in bt.__all__:
        assert getattr(bt, name) is not None
        assert name in dir(bt)


def test_the_docstring_of_the_package_lists_every_module_and_folder() -> None:
    """A reader who follows it misses no file at the top level, and finds every folder that it names."""
    files = {path.stem for path in ROOT.glob("*.py")} - {"__init__", "__main__", *moved.MODULES}
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert sorted(files) == sorted(MODULES)
    assert sorted(folders) == sorted(FOLDERS)


def test_the_book_is_short_and_every_file_can_be_read_at_one_sitting() -> None:
    """The modules at the top level have at most 3,600 lines together, and no file has more than 500."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.rglob("*.py")}
    assert sum(length for path, length in lengths.items() if path.parent == ROOT) <= 3_600
    assert max(lengths.values()) <= 500


@pytest.mark.parametrize("module", MODULES)
def test_modules_import_only_from_modules_before_them(module: str) -> None:
    """The reading order is the order of the imports, so no module uses what has not been read yet."""
    used = {name.partition(".")[0] for name, _ in imports_of(ROOT / f"{module}.py")}
    assert used & set(MODULES) <= set(MODULES[: MODULES.index(module)])
    assert used <= {*MODULES, *FOLDERS}


@pytest.mark.full
def test_the_kernels_share_no_formula_with_the_reference() -> None:
    """The compiled functions are written separately, so that their agreement with the reference is evidence."""
    constants = {("kernels.coefficients", name) for name in ("P", "Q", "P_32", "Q_32")}
    assert imports_of(ROOT / "kernels" / "compiled.py") == {("kernels.caching", "compiled"), *constants}
    blocks = {"threads", "kernels.compiled", "arrays.sums"}
    files = {
        "blocks.py": blocks,
        "passes.py": {"threads", "kernels.compiled", "kernels.blocks", "kernels.ranking_passes"},
        "ranking_passes.py": blocks | {"arrays.frozen"},
    }
    for file, expected in files.items():
        used = {
            module
            for module, name in imports_of(ROOT / "kernels" / file)
            if callable(getattr(import_module(f"bradley_terry.{module}"), name))
            and name not in {"Array", "Features", "Floats", "quoted", "real"}  # types, and checks of arguments
        }
        assert used == expected


@pytest.mark.full
def test_every_cached_function_is_in_one_file() -> None:
    """Numba's cache does not notice when a function in another file changes, so a second file could run old code."""
    users = {path.name for path in ROOT.rglob("*.py") if ("kernels.caching", "compiled") in imports_of(path)}
    assert users == {"compiled.py"}
    for path in ROOT.rglob("*.py"):
        nodes = list(ast.walk(code_of(path)))
        names = {node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "") for node in nodes}
        compiles = names & {"njit", "jit_module", "guvectorize", "cfunc"}
        if not compiles or (path.parent.name == "kernels" and path.name in ("compiled.py", "caching.py")):
            continue
        assert "cache" not in {node.arg for node in nodes if isinstance(node, ast.keyword)}, path
        assert not {module for module, _ in imports_of(path) if module.startswith("kernels")}, path


@pytest.mark.full
def test_only_objective_and_kernels_ask_which_backend_there_is() -> None:
    """Everything else leaves the choice to ``Objective``: no other file compares or passes a backend's name."""
    names = {"numpy", "numba"}
    for path in ROOT.rglob("*.py"):
        if path == ROOT / "objective.py" or path.parent.name == "kernels":
            continue
        for node in ast.walk(code_of(path)):
            values = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
            values += [node.value] if isinstance(node, ast.keyword) and node.arg == "backend" else []
            assert not names & {value.value for value in values if isinstance(value, ast.Constant)}, (path, node.lineno)


# -------------------------------------------------------------------------------------------------------- manners


def test_import_is_light(run_python) -> None:
    """The import loads no library that only some uses need, and neither a small fit nor an evaluation needs Numba."""
    script = (
        "import sys, numpy\n"
        "before = set(sys.modules)\n"
        "import bradley_terry as bt\n"
        "heavy = {'numba', 'llvmlite', 'matplotlib', 'scipy', 'tqdm', 'autograd', 'pandas', 'threadpoolctl'}\n"
        "late = {'concurrent.futures', 'csv', 'gzip', 'json', 'mmap', 'zipfile', 'argparse', 'subprocess'}\n"
        "print(sorted((heavy | late) & (set(sys.modules) - before)))\n"
        "pairs = bt.PreferencePairs([0, 1, 2, 0], [1, 2, 0, 2])\n"
        "bt.fit(bt.TableScorer(3), pairs).evaluate(pairs)\n"
        "many = bt.PreferencePairs(*numpy.random.default_rng(0).normal(size=(2, 100_000, 11)))\n"
        "bt.evaluate(bt.LinearScorer(11), [1.0] * 11, many, n_bootstrap=1)\n"
        "print(sorted((heavy - {'threadpoolctl'}) & set(sys.modules)))\n"
        "print(bt.training.fit is bt.fit, bt.model.RewardModel is bt.RewardModel, bt.fit.__module__)\n"
    )
    assert run_python(script).splitlines() == ["[]", "[]", "True True bradley_terry.training"]


@pytest.mark.full
def test_auto_compiles_where_a_fit_makes_many_passes(run_python) -> None:
    """A thousand steps over 180,000 numbers are worth the kernels; a high limit of steps alone is not."""
    script = (
        "import sys, numpy, bradley_terry as bt\n"
        "few = bt.datasets.travel_modes()\n"
        "bt.fit(bt.LinearScorer(6), few, method='gradient_descent', max_steps=100_000, standardise=True)\n"
        "print('numba' in sys.modules)\n"
        "many = bt.PreferencePairs(*numpy.random.default_rng(0).normal(size=(2, 30_000, 6)))\n"
        "bt.fit(bt.LinearScorer(6), many, method='gradient_descent')\n"
        "print('numba' in sys.modules)\n"
    )
    assert run_python(script).split() == ["False", "True"]


@pytest.mark.full
def test_star_import_brings_every_public_name(run_python) -> None:
    """``from bradley_terry import *`` gives every name of ``__all__``, and loads Numba, unlike the plain import."""
    script = (
        "import sys, bradley_terry\n"
        "print('numba' in sys.modules)\n"
        "from bradley_terry import *\n"
        "print('numba' in sys.modules)\n"
        "print(all(globals()[name] is getattr(bradley_terry, name) for name in bradley_terry.__all__))\n"
    )
    assert run_python(script).split() == ["False", "True", "True"]


def test_unknown_names_are_attribute_errors() -> None:
    """A misspelt name raises an AttributeError that gives the package and the name."""
    with pytest.raises(AttributeError, match="'bradley_terry' has no attribute 'sigmoyd'"):
        _ = bt.sigmoyd
