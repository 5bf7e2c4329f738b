"""``bradley-terry check``: check the gradients of the package, or your own gradient from a file."""

from __future__ import annotations

import inspect
import re
import sys
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, cast

import numpy as np

from ..arrays.visible import class_name, quoted, visible
from ..logistic import Array
from ..objective import Objective
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, MLPScorer, Scorer, TableScorer

if TYPE_CHECKING:
    from ..course.check import Report
    from ..gradient_check import GradientReport

__all__ = ["check_own_function", "check_own_gradients", "load_function"]

SUMMARY = "check the gradients of the package, or your own gradient from a file"
EXAMPLE = "bradley-terry check my_file.py:my_gradient --scorer linear"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``check``."""
    parser.add_argument(
        "target",
        nargs="?",
        metavar="FILE:FUNCTION",
        help="your own function: f(weights, chosen, rejected) returns the gradient; with --scorer mlp, f(parameters, "
        "chosen, rejected) returns a dict of arrays with the names and shapes of parameters; f(phi) returns (loss, "
        "gradient) and needs --data or --parameters",
    )
    parser.add_argument("--data", metavar="FILE", help="check your own function on the pairs in this file")
    parser.add_argument("--parameters", type=int, metavar="N", help="for f(phi): how many entries phi has")
    parser.add_argument(
        "--scorer",
        choices=["linear", "mlp", "table"],
        help="scorer whose gradient is checked (default: all of them, or linear for your own function)",
    )
    parser.add_argument(
        "--against",
        nargs="+",
        action="extend",
        choices=["numerical", "autograd", "jax", "torch"],
        metavar="REFERENCE",
        help="what to compare the package's gradients with: finite differences (numerical), autograd, jax or torch "
        "(default: numerical)",
    )
    parser.add_argument(
        "--activation", choices=["tanh", "relu"], help="with --scorer mlp: activation of your own MLP (default: tanh)"
    )
    parser.add_argument("--museum", action="store_true", help="show the bug museum: mistakes found in published code")


def run(arguments: Namespace) -> int:
    """Check gradients and print a report on each; the exit status is 0 only if all of them pass."""
    if arguments.museum and (arguments.target or arguments.scorer or arguments.against):
        raise ValueError("museum: expected no other options, since it checks neither your gradients nor ours")
    if arguments.activation and (arguments.target is None or arguments.scorer != "mlp"):
        raise ValueError("activation: expected only together with FILE:FUNCTION and --scorer mlp")
    if arguments.target is not None and (arguments.against or arguments.scorer == "table"):
        raise ValueError(
            "FILE:FUNCTION: expected --scorer linear or mlp and no --against, since your own function is compared with "
            "the exact gradient"
        )
    if arguments.target is None and (arguments.data or arguments.parameters is not None):
        raise ValueError(f"{'data' if arguments.data else 'parameters'}: expected only together with FILE:FUNCTION")
    if arguments.museum:
        from ..course.museum import EXHIBITS

        for exhibit in EXHIBITS:
            print(f"{exhibit}\n\n  looks right: {exhibit.hides()}\n\n{indent(exhibit.caught(), '  | ')}\n")
        return 0
    if arguments.target is not None:
        own_report = check_own_function(
            load_function(arguments.target), scorer=arguments.scorer, activation=arguments.activation or "tanh",
            data=arguments.data, n_parameters=arguments.parameters,
        )  # fmt: skip
        print(own_report)
        return 0 if own_report.passed else 1
    passed = True
    for scorer, found in check_own_gradients(arguments.scorer, against=arguments.against or "numerical").items():
        print(f"{scorer}\n{found}\n")
        passed &= found.passed
    return 0 if passed else 1


def check_own_function(
    function: Callable[..., object],
    *,
    scorer: str | None = None,
    activation: str = "tanh",
    data: str | None = None,
    n_parameters: int | None = None,
) -> Report | GradientReport:
    """Check a learner's function, on the pairs in a file or on random ones.

    Parameters
    ----------
    function : callable
        f(weights, chosen, rejected) -> gradient, or f(phi) -> (loss, gradient), which has one argument.
    scorer : "linear" or "mlp", optional
        By default linear, or a reward for each item where the file has item names instead of features.
    activation : "tanh" or "relu"
    data : path, optional
        A file that ``load_pairs`` reads.
    n_parameters : int, optional
        The number of entries of phi, for f(phi) without data.
    """
    from ..course.check import Report as CourseReport
    from ..course.check import gradient

    pairs = None
    if data is not None:
        from ..files import load_pairs

        pairs = load_pairs(data)
    if _takes_phi_alone(function):
        return _check_of_phi(function, scorer, activation, pairs, n_parameters)
    if n_parameters is not None:
        raise ValueError(
            "parameters: expected only for a function of phi alone; f(weights, chosen, rejected) takes its size from "
            "the pairs"
        )
    report = gradient(function, scorer=scorer or "linear", activation=activation, pairs=pairs)
    if scorer is None and re.search(WANTS_A_DICT, report.message):
        hint = "Does your function take a dict of parameters? Then check it with --scorer mlp."
        return CourseReport(report.what, report.status, f"{report.message}\n  {hint}", report.problems, report.notes)
    return report


# What Python and NumPy say of an array that is used like the dict of an MLP's parameters.
WANTS_A_DICT = (
    r"only integers, slices|got dict|must be a mapping|dictionary update sequence|"
    r"has no attribute '(items|keys|values|get|pop|hidden_weights|hidden_bias|output_weights)'"
)


def _takes_phi_alone(function: Callable[..., object]) -> bool:
    """Return whether a function can be called with one argument, and not with three."""
    try:
        signature = inspect.signature(function)
    except Exception:  # noqa: BLE001  # the attributes of a learner's object may raise anything
        return False
    fits = []
    for n in (1, 3):
        try:
            signature.bind(*range(n))
        except TypeError:
            fits.append(False)
        else:
            fits.append(True)
    return fits == [True, False]


def _check_of_phi(
    function: Callable[..., object],
    scorer: str | None,
    activation: str,
    pairs: PreferencePairs | None,
    n_parameters: int | None,
) -> GradientReport:
    """Check f(phi) -> (loss, gradient) at a random phi."""
    from ..gradient_check import check_gradient

    own = cast("Callable[[Array], tuple[float, Array]]", function)
    rng = np.random.default_rng(0)
    if pairs is None:
        if n_parameters is None:
            raise ValueError(
                "FILE:FUNCTION: expected --data FILE or --parameters N with a function of phi alone, since the length "
                "of phi is not known otherwise"
            )
        if scorer is not None:
            raise ValueError(
                "scorer: expected only together with --data, because f(phi) may compute anything if there are no pairs"
            )
        if n_parameters < 1:
            raise ValueError(f"parameters: expected a positive number, got {n_parameters}")
        report = check_gradient(own, rng.normal(size=n_parameters))
        hint = "if this is a loss of the package, bt.check_gradient with objective= can name the mistake"
        return report if report.passed else replace(report, warnings=(*report.warnings, hint))
    model: Scorer
    if np.ndim(pairs.chosen) == 1:
        model = TableScorer(1 + max(int(np.max(pairs.chosen)), int(np.max(pairs.rejected))))
    else:
        k = int(pairs.chosen.shape[1])
        model = MLPScorer(k, activation=activation) if scorer == "mlp" else LinearScorer(k)
    if n_parameters not in (None, model.n_parameters):
        raise ValueError(f"parameters: expected {model.n_parameters}, as many as {model} has, got {n_parameters}")
    objective = Objective(model, pairs)
    phi = rng.normal(size=model.n_parameters)
    largest = float(np.abs(np.asarray(objective.margins(phi))).max())
    phi = phi * min(1.0, 3.0 / max(largest, 1e-300))
    report = check_gradient(own, phi, objective=objective)
    own_blocks = tuple(block for block in report.blocks if block.against != "objective")
    if len(own_blocks) == len(report.blocks):
        return report
    # Nothing says that the loss must be the mean of -log sigma, so a right gradient of another loss gets only a note.
    words = [
        note.replace("that of the objective", "the mean of -log sigma(Δ) over these pairs") for note in report.warnings
    ]
    return replace(report, blocks=own_blocks, warnings=tuple(words), pairs=())


def check_own_gradients(
    scorer: str | None = None, *, against: str | Sequence[str] = "numerical"
) -> dict[Scorer, GradientReport]:
    """Check the package's own gradients on random pairs with weights, labels, target margins and an L2 penalty.

    Parameters
    ----------
    scorer : "linear", "mlp", "table", optional
        By default all of them, the MLP with each of its activations.
    against : str or sequence of str
        What to compare with, as in ``check_gradient``.

    Returns
    -------
    dict
        A report for each scorer.
    """
    from ..gradient_check import check_gradient

    rng = np.random.default_rng(0)
    chosen, rejected = rng.normal(size=(2, 23, 4))
    items = rng.integers(6, size=23)
    w, t, m = rng.uniform(0.5, 3, 23), rng.uniform(size=23), rng.normal(size=23)
    features = PreferencePairs(chosen, rejected, weights=w, labels=t, target_margins=m)
    comparisons = PreferencePairs(items, (items + 1) % 6, weights=w, labels=t, target_margins=m)
    scorers: dict[str, list[Scorer]] = {
        "linear": [LinearScorer(4)],
        "mlp": [MLPScorer(4, 5, "tanh"), MLPScorer(4, 5, "relu")],
        "table": [TableScorer(6)],
    }
    if scorer is not None and scorer not in scorers:
        raise ValueError(f"scorer: expected one of {', '.join(scorers)}, got {quoted(scorer)}")
    found: dict[Scorer, GradientReport] = {}
    for kind in scorers if scorer is None else [scorer]:
        for one in scorers[kind]:
            objective = Objective(one, comparisons if kind == "table" else features, l2=0.3)
            found[one] = check_gradient(objective, rng.normal(size=one.n_parameters), against=against)
    return found


def load_function(target: str) -> Callable[..., object]:
    """Return the function that FILE:FUNCTION names. The file is executed, as by ``import``.

    Raises
    ------
    ValueError
        If there is no such file or function, or if the file raises an error; the message then names the line.
    """
    from importlib.util import module_from_spec, spec_from_file_location

    from ..gradient_check.runner import words_of

    file, colon, name = target.rpartition(":")
    if not colon or not name.isidentifier():  # the colon may be that of C:\my_file.py
        raise ValueError(f"{visible(target, 1000)}: expected FILE:FUNCTION, as in my_file.py:my_gradient")
    if not Path(file).is_file():
        raise ValueError(f"{visible(file)}: there is no such file")
    spec = spec_from_file_location("learners_file", file)
    if spec is None or spec.loader is None:
        raise ValueError(f"{visible(target)}: expected a Python file with a name that ends in .py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # as import does; dataclasses look the module up there
    # The file may import others from its folder, even later, when the function is called.
    sys.path.insert(0, str(Path(file).resolve().parent))
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # a learner's file may raise anything
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename in (file, spec.origin)]
        where = f"line {lines[-1]}: " if lines else ""
        raise ValueError(f"{visible(file)}: {where}{class_name(error)}: {visible(words_of(error))}") from None
    if not hasattr(module, name):
        there = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ValueError(
            f"{visible(target)}: this file has no function {name}; it has {', '.join(there) or 'no functions at all'}"
        )
    function: Callable[..., object] = getattr(module, name)
    return function
