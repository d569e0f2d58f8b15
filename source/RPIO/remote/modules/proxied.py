# SPDX-License-Identifier: LGPL-3.0-or-later
"""Modules that are imported here, and are another machine's: for a program that knows nothing of that."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .modules import Modules


class ProxiedModule(ModuleType):
    """A module of another machine, under its own name."""

    _there: Any

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(f"{name} stays on the device: names with an underscore do")
        return getattr(self._there, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_") or isinstance(value, ModuleType):  # what importing a part of it sets
            super().__setattr__(name, value)
        else:
            setattr(self._there, name, value)

    def __dir__(self) -> list[str]:
        return dir(self._there)


class Proxied(MetaPathFinder, Loader):
    """Finds modules whose names match, before any other finder does. A package's name stands for all that is in it."""

    def __init__(self, modules: Modules, patterns: Sequence[str]) -> None:
        self._modules, self.patterns = modules, tuple(patterns)

    def is_proxied(self, name: str) -> bool:
        """Whether a module of that name is the other machine's."""
        return any(
            fnmatchcase(name, pattern) or name.startswith(f"{pattern}.") or pattern.startswith(f"{name}.")
            for pattern in self.patterns
        )

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Say that it is to be had."""
        return ModuleSpec(fullname, self, is_package=True) if self.is_proxied(fullname) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Import it there. Raises what that raises."""
        there = self._modules.module(spec.name)
        made = ProxiedModule(spec.name, f"{spec.name} of {self._modules.place}")
        made._there = there
        return made

    def exec_module(self, module: ModuleType) -> None:
        """It has been, there."""

    def install(self) -> None:
        """Find from now on."""
        sys.meta_path.insert(0, self)
