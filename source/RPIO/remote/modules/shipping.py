# SPDX-License-Identifier: LGPL-3.0-or-later
"""Functions of this program that run on another machine: as source, with what they need of this program."""

from __future__ import annotations

import dis
import functools
import inspect
import sys
import textwrap
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType

from ... import errors
from ...wire.arrays import data_of
from ...wire.objects import CALL, SHIP, TAKE, Side, frame
from .proxies import Method, Proxy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from .modules import Line, Modules

LOADS = ("LOAD_GLOBAL", "LOAD_NAME")
HOME = ("__main__", "__mp_main__")
FUNCTIONS_MAX = 200


class Parcel:
    """What a function needs there: functions, modules, names of modules, values."""

    def __init__(self, function: FunctionType) -> None:
        self._home = function.__module__
        self.functions: dict[str, FunctionType] = {}
        self.modules: dict[str, str] = {}
        self.names: dict[str, tuple[str, str]] = {}
        self.values: dict[str, object] = {}
        self._task = function
        self._add_function(function.__name__, function)

    def words(self) -> tuple[object, ...]:
        """What is sent of it."""
        functions = [
            (name, *_source_of(function), function.__defaults__, function.__kwdefaults__)
            for name, function in self.functions.items()
        ]
        yields = inspect.isgeneratorfunction(self._task)
        return self._task.__name__, yields, functions, self.modules, self.names, self.values

    def _add_function(self, name: str, function: FunctionType) -> None:
        known = self.functions.get(name)
        if known is function:
            return
        if known is not None or len(self.functions) >= FUNCTIONS_MAX:
            raise _refused(self._task, name, "another function is called so as well")
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise _refused(self._task, name, "it is a coroutine: what is shipped is a plain function")
        self.functions[name] = function
        _check_cells(self._task, function)
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for cell_name, cell in cells:
            try:
                value = cell.cell_contents
            except ValueError:
                raise _refused(self._task, cell_name, "it has no value yet") from None
            self._add(cell_name, value)
        for wanted in sorted(_globals_of(function.__code__)):
            if wanted in function.__globals__:
                self._add(wanted, function.__globals__[wanted])

    def _add(self, name: str, value: object) -> None:
        """Take along what a name means. Raises TypeError for what cannot be."""
        if isinstance(value, Task):
            value = value.function
        if isinstance(value, ModuleType):
            if value.__name__ in HOME:
                raise _refused(self._task, name, "it is this program itself")
            self._set(self.modules, name, value.__name__)
        elif isinstance(value, FunctionType) and (value.__module__ in HOME or value.__module__ == self._home):
            self._add_function(name, value)
        elif isinstance(value, (type, FunctionType, BuiltinFunctionType)):
            self._add_name(name, value)
        elif isinstance(value, (Proxy, Method)) or _is_data(value):
            self._set(self.values, name, value)
        else:
            why = f"it is a {type(value).__qualname__} of this program, which stays here: make one there instead"
            raise _refused(self._task, name, why)

    def _add_name(self, name: str, value: Any) -> None:
        module, attribute = value.__module__, value.__name__
        found = sys.modules.get(module)
        if module in HOME or module == self._home or getattr(found, attribute, None) is not value:
            raise _refused(self._task, name, "it belongs to this program, and is neither a function nor data")
        self._set(self.names, name, (module, attribute))

    def _set(self, table: dict[str, Any], name: str, value: object) -> None:
        for other in (self.modules, self.names, self.values):
            if name in other and (other is not table or not _is_same(other[name], value)):
                raise _refused(self._task, name, "two functions that are shipped mean different things by it")
        table[name] = value


def _is_same(one: object, other: object) -> bool:
    return one is other or (
        type(one) is type(other) and type(one) in (str, int, float, tuple) and one == other
    )


def _refused(task: FunctionType, name: str, why: str) -> TypeError:
    return TypeError(f"{task.__name__}() cannot be shipped for {name!r}: {why}")


def _is_data(value: object) -> bool:
    try:
        frame(0, 0, 0, (value,), _Data())
    except (TypeError, ValueError):
        return False
    return True


class _Data(Side):
    """Data, proxies, and arrays."""

    def lower(self, value: object) -> object:
        """What stands for it here: whether it can be sent is the question."""
        if isinstance(value, (Proxy, Method)):
            return None
        data = data_of(value)
        if data is not None:
            return data
        return super().lower(value)


def _globals_of(code: CodeType) -> set[str]:
    """The names of its module that a function looks up, and those inside it do."""
    found = {str(step.argval) for step in dis.get_instructions(code) if step.opname in LOADS}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _globals_of(constant)
    return found


def _check_cells(task: FunctionType, function: FunctionType) -> None:
    """Refuse one that changes a variable of a function around it, or of its module: nobody here would see that."""
    for step in dis.get_instructions(function.__code__):
        if step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            raise _refused(task, str(step.argval), "it is changed there, and nobody would see that here")
        if step.opname == "STORE_DEREF" and step.argval in function.__code__.co_freevars:
            raise _refused(task, str(step.argval), "it is changed there, and nobody would see that here")


def _source_of(function: FunctionType) -> tuple[str, int, str]:
    """The source of a function from its def on, the number of its first line, and its file."""
    name = function.__name__
    if name == "<lambda>":
        raise TypeError("a lambda cannot be shipped: give it a name, by def")
    try:
        lines, first = inspect.getsourcelines(function)
    except (OSError, TypeError):
        hint = "a function that was typed at the prompt has none; put it into a file"
        raise errors.NotSupportedError(f"the source of {name}() is not to be had", hint=hint) from None
    source = textwrap.dedent("".join(lines))
    return source, first, inspect.getsourcefile(function) or "<program>"


class Task:
    """A function that runs on another machine when it is called here. *timeout_s* is how long it may take: None is for
    ever, and Ctrl+C here ends it there.
    """

    def __init__(self, modules: Modules, function: FunctionType, timeout_s: float | None) -> None:
        if not isinstance(function, FunctionType):
            raise TypeError(f"what is shipped is a function, written by def, not {type(function).__name__}")
        functools.update_wrapper(self, function)
        self.function, self._modules, self._timeout_s = function, modules, timeout_s
        self._there: tuple[Line, Any] | None = None

    def __call__(self, *arguments: object, **named: object) -> object:
        line = self._modules.line()
        if self._there is None or self._there[0] is not line:
            self._there = line, line.ask_within(None, SHIP, *Parcel(self.function).words())[0]
        task = self._there[1]
        values = line.ask_within(self._timeout_s, CALL, task, arguments, named)
        if inspect.isgeneratorfunction(self.function):
            return Values(line, values[0], self._timeout_s)
        return values[0] if values else None

    def __repr__(self) -> str:
        return f"<{self.function.__name__}(), which runs on {self._modules.place}>"


class Values:
    """What a function yields on another machine, as it comes. close(), or the end of this, ends the function there."""

    def __init__(self, line: Line, yielded: Any, timeout_s: float | None) -> None:
        self._line, self._yielded, self._timeout_s = line, yielded, timeout_s
        self._come: list[object] = []
        self._is_over = False

    def __iter__(self) -> Iterator[object]:
        return self

    def __next__(self) -> object:
        while not self._come:
            if self._is_over or self._yielded is None:
                raise StopIteration
            try:
                answer: list[Any] = self._line.ask_within(self._timeout_s, TAKE, self._yielded)
            except BaseException:
                self.close()
                raise
            self._come, self._is_over = answer[0][::-1], bool(answer[1])
        return self._come.pop()

    def close(self) -> None:
        """Take no more: the function is ended at its next yield. Twice is fine."""
        self._yielded = None
        self._line.objects.on_drop()

    def __enter__(self) -> Values:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def task_of(modules: Modules, function: Callable[..., object] | None, timeout_s: float | None) -> Any:
    """The decorator: of a function, or one that knows its time and gets the function next."""
    if function is None:
        return lambda found: Task(modules, found, timeout_s)
    return Task(modules, function, timeout_s)  # type: ignore[arg-type]
