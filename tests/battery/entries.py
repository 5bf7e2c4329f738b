"""Every public function, class, method and property, found by introspection."""

from __future__ import annotations

import inspect
import pkgutil
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from importlib import import_module

import bradley_terry as bt

from . import arguments

__all__ = ["Entry", "entries", "modules"]

NOT_WALKED = {  # folders and modules without names of their own for users, each with the reason
    "arrays": "machinery: every check of an argument is there, and is tried through the functions that use it",
    "backend": "works on what an Objective has checked",
    "bench": "the benchmark",
    "commands": "the command line has tests of its own; bt.train is walked as a name of the package",
    "course": "the lessons have tests of their own",
    "distributed": "starts processes; test_distributed tries wrong arguments",
    "drawing": "its public names are those of plots",
    "fitting": "works on what fit has checked",
    "graphs": "works on the items of pairs",
    "intervals": "its public names are those of evaluation",
    "moved": "older paths to the same names",
    "newton": "works on an Objective",
    "separation": "its public names are those of inference",
    "uncertainty": "its public names are methods of RewardModel, and those of inference",
    "__main__": "starts the command line",
}
NOT_CALLED = {  # public names that take what the package itself has made and checked
    "bt.warmup": "compiles every kernel, and takes no argument",
    "kernels.curvatures": "a pass of the backends",
    "kernels.differences_of": "a pass of the backends",
    "kernels.in_parts": "shares work of the passes",
    "kernels.linear_loss_and_gradient": "a pass of the backends",
    "kernels.linear_margins": "a pass of the backends",
    "kernels.linear_pull": "a pass of the backends",
    "kernels.mlp_loss_and_gradient": "a pass of the backends",
    "kernels.ranking_loss_and_gradient": "a pass of the backends",
    "kernels.ranking_loss_and_slopes": "a pass of the backends",
    "objective.chosen_backend": "for Objective and fit, which check the name of the backend",
    "objective.warmup": "compiles every kernel, and takes no argument",
    "kernels.warmup": "compiles every kernel, and takes no argument",
    "kernels.weighted_gram": "a pass of the backends",
    "model.make_scorer": "for model files, which are checked",
    "objective.blas_on_one_thread": "a context for products of the package",
    "logistic.cross_entropy": "the formula behind losses with labels, which are checked before",
    "pairs.shifted": "for the backends",
    "scorers.forward": "for the backends",
    "threads.blas_on_one_thread": "a context for products of the package",
    "threads.in_parts": "shares work of the passes",
}
METHODS_NOT_CALLED = {  # the same for methods of any class
    "backward_from": "takes what the forward pass of the same scorer returned",
    "by_parameters": "for the fit of a loss with parameters",
    "check_features": "its argument name is the name to use in the message",
    "forward": "takes the blocks of unpack",
    "largest_curvatures": "for the backend of rankings",
    "of": "makes a report from what a check has computed",
    "pair_curvatures": "for the backend of rankings",
    "products": "for conjugate gradients",
    "ranking_losses": "for the backend of rankings",
    "ranking_slopes": "for the backend of rankings",
    "reference_backend": "the class of the backend of rankings",
    "start": "for the fit of a loss with parameters",
    "usual_loss": "the class of a loss",
    "with_parameters": "for the fit of a loss with parameters",
}
COSTLY = {"bt.TrainingRun[0].save": 40}  # seconds a call, so that only every 40th value is tried
DUNDERS = ("__call__", "__getitem__", "__len__", "__str__")


@dataclass(frozen=True, eq=False)
class Entry:
    """Something to call: its path, the callable, the names of its parameters, and the object a method belongs to."""

    path: str
    call: Callable[..., object]
    names: tuple[str, ...]
    owner: object = None

    def valid(self) -> dict[str, object]:
        """Return a valid value for each parameter, made anew."""
        return {name: arguments.value(self.path, name, self.owner) for name in self.names}

    def kind(self, name: str) -> str:
        """Return the kind of a parameter."""
        return arguments.kind(self.path, name)


def modules() -> list[str]:
    """Return the public modules, or fail for one that is new and neither walked nor excluded with a reason."""
    found = [module.name for module in pkgutil.iter_modules(bt.__path__)]
    return ["", *(name for name in found if name not in NOT_WALKED)]


def entries() -> Iterator[Entry]:
    """Yield every entry once, under the first path that leads to it."""
    seen: set[int] = set()
    for module_name in modules():
        module = import_module(f"bradley_terry.{module_name}" if module_name else "bradley_terry")
        names = {*module.__all__, *getattr(module, "ELSEWHERE", ())}
        for name in sorted(names):
            item = getattr(module, name)
            path = f"{module_name or 'bt'}.{name}"
            if isinstance(item, types.ModuleType | types.GenericAlias) or not callable(item):
                continue
            home = getattr(item, "__module__", None) or ""
            if id(item) in seen or path in NOT_CALLED or not home.startswith("bradley_terry") or ".course" in home:
                continue
            if ".bench" in home:
                continue
            seen.add(id(item))
            yield from _of_class(path, item) if inspect.isclass(item) else [Entry(path, item, parameters(item))]


def parameters(function: Callable[..., object]) -> tuple[str, ...]:
    """Return the names of the parameters; options that are handed on are named by their type."""
    names: list[str] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            names += arguments.OPTIONS.get(str(parameter.annotation), ())
        elif name != "self":
            names.append(name)
    return tuple(names)


def _of_class(path: str, cls: type) -> Iterator[Entry]:
    if getattr(cls, "_is_protocol", False) or issubclass(cls, BaseException | Enum):
        return
    is_result = path in arguments.RESULTS
    if not is_result:
        yield Entry(path, cls, parameters(cls))
    for number, owner in enumerate(arguments.examples(path)):
        label = f"{path}[{number}]"
        for name in [name for name in dir(cls) if not name.startswith("_")] + list(DUNDERS):
            if name in METHODS_NOT_CALLED or (name.startswith("__") and name not in _own(cls)):
                continue
            if name in vars(tuple) and isinstance(owner, tuple):
                continue
            static = inspect.getattr_static(cls, name)
            if isinstance(static, property) or type(static).__name__ == "cached_property":
                yield Entry(f"{label}.{name}", _reader(name, owner), (), owner)
            elif callable(getattr(cls, name)):
                method = getattr(owner, name)
                yield Entry(f"{label}.{name}", method, parameters(method), owner)


def _own(cls: type) -> set[str]:
    return {name for part in cls.__mro__ if part.__module__.startswith("bradley_terry") for name in vars(part)}


def _reader(name: str, owner: object) -> Callable[[], object]:
    return lambda: getattr(owner, name)
