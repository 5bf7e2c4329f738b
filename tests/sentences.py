"""The sentences that the checks can say, read off their source code."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from functools import cache
from types import ModuleType

from bradley_terry.course import check


@cache
def parsed(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


@cache
def of_checks() -> dict[str, list[str]]:
    """Return what each check may say after "looks like": the first entry of each pair that it yields.

    A check may leave the list of its mistakes to private functions of its module.
    """
    found: dict[str, list[str]] = {}
    for name in check.__all__:
        module = inspect.getmodule(getattr(check, name))
        functions = {top.name: top for top in parsed(module).body if isinstance(top, ast.FunctionDef)}
        if name not in functions:
            continue  # a class
        used = {node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)}
        for part in (name, *sorted(other for other in used & set(functions) if other.startswith("_"))):
            yields = [node.value for node in ast.walk(functions[part]) if isinstance(node, ast.Yield)]
            said = [ast.literal_eval(value.elts[0]) for value in yields if isinstance(value, ast.Tuple)]
            if said:
                found.setdefault(name, []).extend(said)
    return found


def in_modules(modules: Iterable[ModuleType]) -> str:
    """Return every string in the source of modules, one a line; of an f-string, the parts that do not change."""
    nodes = [node for module in modules for node in ast.walk(parsed(module))]
    strings = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return "\n".join(" ".join(text.split()) for text in strings)
