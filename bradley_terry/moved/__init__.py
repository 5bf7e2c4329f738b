"""Keep the import paths of earlier versions working: a table says where their modules are now."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from importlib.abc import Loader

__all__ = ["MODULES"]

PACKAGE = __name__.rpartition(".")[0]  # bradley_terry
MODULES = {
    "benchmark": "bench",
    "cli": "commands",
    "contests": "bench.workloads",
    "diagnosis": "gradient_check.diagnosis",
    "doctor": "commands.doctor",
    "figures": "drawing.figures",
    "learner": "gradient_check.runner",
    "report": "commands.report",
    "text": "files.text",
}
"""Old name -> new name, both within this package."""


class _Moved:
    """An import hook: importing an old name gives the module that has the new name."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        package, _, old = name.rpartition(".")
        return ModuleSpec(name, cast("Loader", _Moved())) if package == PACKAGE and old in MODULES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(f"{PACKAGE}.{MODULES[spec.name.rpartition('.')[2]]}")
        self.own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.own_spec  # the import system has just replaced it by that of the old name


sys.meta_path.append(_Moved())
