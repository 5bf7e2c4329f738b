"""Which functions of this package an answer uses, for exercises whose text allows only some of them."""

from __future__ import annotations

from collections.abc import Iterator, Set
from importlib import import_module
from types import CodeType, FunctionType, ModuleType

from ..engine import FAILED, Report

__all__ = ["refused"]


def refused(what: str, function: object, allowed: Set[str]) -> Report | None:
    """Return a report if the answer uses a public function of this package that is not allowed, else None.

    Only the names in the code of the function itself are looked at. So a helper that the student wrote is not
    followed, and may have any name.

    Parameters
    ----------
    what : str
        The exercise, for the report.
    function : object
        The answer. Anything but a plain function is accepted here, since other stages of a check refuse it.
    allowed : set of str
        Public names, such as {"sigmoid"}.
    """
    if not isinstance(function, FunctionType):
        return None
    package = import_module(__package__.partition(".")[0])
    used = set(_names(function.__code__))
    its_globals = {name: function.__globals__[name] for name in used if name in function.__globals__}
    sees_package = any(isinstance(value, ModuleType) and _is_ours(value.__name__) for value in its_globals.values())
    for name in sorted(used & set(package.__all__) - allowed):
        is_ours = _is_ours(getattr(its_globals[name], "__module__", "")) if name in its_globals else sees_package
        if is_ours:
            words = ", ".join(f"bt.{each}" for each in sorted(allowed))
            return Report(what, FAILED, f"it uses bt.{name}: of bradley_terry, only {words} may be used here")
    return None


def _is_ours(module: object) -> bool:
    return isinstance(module, str) and module.partition(".")[0] == __package__.partition(".")[0]


def _names(code: CodeType) -> Iterator[str]:
    """Return the global names and attributes that a function and the functions inside it use."""
    yield from code.co_names
    for inside in code.co_consts:
        if isinstance(inside, CodeType):
            yield from _names(inside)
