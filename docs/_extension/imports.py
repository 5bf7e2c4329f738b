"""What an example needs so that it runs when it is pasted from its page: imports, and empty lines after blocks."""

from __future__ import annotations

import ast
import builtins
import doctest
from itertools import zip_longest
from types import ModuleType

import bradley_terry
from bradley_terry import losses


def lines_for(docstring: str, module: ModuleType) -> list[str]:
    """Return the import statements for the names that the examples of a docstring take from its module."""
    used, bound = set(), set()
    for example in doctest.DocTestParser().get_examples(docstring):
        for node in ast.walk(ast.parse(example.source)):
            if isinstance(node, ast.Name):
                (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
            elif isinstance(node, ast.arg):
                bound.add(node.arg)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                bound.add(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                bound |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    needed = sorted(used - bound - set(vars(builtins)))
    return [statement for name in needed if (statement := _statement(name, module))]


def closed(lines: list[str]) -> list[str]:
    """Return the lines with an empty ``...`` after each indented block, which the prompt of Python waits for."""
    result = []
    for line, after in zip_longest(lines, lines[1:], fillvalue=""):
        result.append(line)
        if line.lstrip().startswith("...     ") and not after.lstrip().startswith("..."):
            result.append(line[: line.index("...")] + "...")
    return result


def _statement(name: str, module: ModuleType) -> str:
    value = vars(module).get(name)
    if value is None:
        return ""
    if isinstance(value, ModuleType):
        aliases = {"np": "import numpy as np", "bt": "import bradley_terry as bt"}
        parent, _, last = value.__name__.rpartition(".")
        return aliases.get(name, f"from {parent} import {last}" if parent else f"import {name}")
    if getattr(bradley_terry, name, None) is value:
        return f"from bradley_terry import {name}"
    if getattr(losses, name, None) is value:
        return f"from bradley_terry.losses import {name}"
    return f"from {module.__name__} import {name}"
