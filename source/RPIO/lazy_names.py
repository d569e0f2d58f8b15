# SPDX-License-Identifier: LGPL-3.0-or-later
"""Names of a module that are looked up when somebody wants them, since an import opens nothing and loads little."""

from __future__ import annotations

from sys import modules

from . import threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Later:
    """A module, for annotations: it is loaded when one of its names is wanted."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> object:
        threads.load(self._name)
        return getattr(modules[self._name], attribute)


class LazyNames:
    """Name -> what its value is read from, such as the machine: *expected* returns that, and opens nothing.

    The names are plain ones of their modules once that is known, and lazy again when it is forgotten: a module with a
    ``__getattr__`` cannot have its attributes cached by the interpreter. ``RPIO.output`` alone would cost 10 ns more,
    nearly as much as the call.
    """

    def __init__(self, values: dict[str, Callable[[Any], object]], expected: Callable[[], object]) -> None:
        self.values, self._expected = values, expected
        self._modules: list[dict[str, object]] = []

    def look_up(self, name: str, module: object) -> object:
        """The ``__getattr__`` of a module that has them."""
        if name in self.values:
            return self.values[name](self._expected())
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    def give(self, names: dict[str, object], source: object | None) -> None:
        """Have a module, by its vars(), have them; *source* is what they are read from, where it is known."""
        if not any(names is known for known in self._modules):
            self._modules.append(names)
        self.publish(source)

    def publish(self, source: object | None) -> None:
        """This is known now, or, with None, not any more."""
        for names in self._modules:
            if source is None:
                for name in self.values:
                    names.pop(name, None)
                names["__getattr__"] = lambda name, module=names["__name__"]: self.look_up(name, module)
            else:
                names.update({name: value(source) for name, value in self.values.items()})
                names.pop("__getattr__", None)
