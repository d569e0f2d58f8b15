# SPDX-License-Identifier: LGPL-3.0-or-later
"""Functions that come as source, to run here beside the pins: compiled with the names, the places and the lines that
they have at home.
"""

from __future__ import annotations

import ast
import importlib
import linecache
from collections import deque
from threading import Condition, Thread

from ..errors import ProtocolError
from .held import Closing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from typing import Any

AHEAD = 1024
"""So many values may be yielded before somebody takes them; then the function waits."""
AT_ONCE = 256
LAST_S = 1.0
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Yielded(Closing):
    """What a function yields: it goes on by itself, in a thread of its own, and is taken as it comes."""

    def __init__(self, generator: Generator[Any, Any, Any]) -> None:
        self._generator = generator
        self._values: deque[object] = deque()
        self._condition = Condition()
        self._is_over = self._is_closed = False
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="RPIO task", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for value in self._generator:
                if not self._put(value):
                    break
        except BaseException as e:
            self._error = e
        finally:
            self._end()

    def _put(self, value: object) -> bool:
        with self._condition:
            self._values.append(value)
            self._condition.notify_all()
            self._condition.wait_for(lambda: len(self._values) < AHEAD or self._is_closed)
        return not self._is_closed

    def _end(self) -> None:
        try:
            self._generator.close()
        except BaseException as e:
            self._error = self._error or e
        with self._condition:
            self._is_over = True
            self._condition.notify_all()

    def take(self, most: int = AT_ONCE) -> tuple[list[object], bool]:
        """Return what has been yielded, at least one value, and whether that was all. Raises what the function has."""
        with self._condition:
            self._condition.wait_for(lambda: self._values or self._is_over)
            values = [self._values.popleft() for _ in range(min(len(self._values), most))]
            self._condition.notify_all()
            if not values and self._error is not None:
                raise self._error
            return values, self._is_over and not self._values and self._error is None

    def close(self) -> None:
        """End the function at its next yield. Twice is fine."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()
        self._thread.join(LAST_S)


class Task:
    """A function that has come. Called, it returns its result; or what it yields, as a Yielded."""

    def __init__(self, function: Callable[..., Any], yields: bool) -> None:
        self.__name__ = function.__name__
        self._function, self._yields = function, yields

    def __call__(self, *arguments: object, **named: object) -> object:
        result = self._function(*arguments, **named)
        return Yielded(result) if self._yields else result


def task_of(
    name: str,
    yields: bool,
    functions: Sequence[tuple[str, str, int, str, Any, Any]],
    modules: dict[str, str],
    names: dict[str, tuple[str, str]],
    values: dict[str, object],
) -> Task:
    """The function of that name. *functions* are it and those of its program that it calls: name, source, number of its
    first line, file, defaults; *modules* what it knows by ``import``, *names* by ``from ... import``, *values* its
    constants.

    Raises:
        ImportError: a module is missing here. SyntaxError: this Python is too old for it.
    """
    space: dict[str, Any] = {"__name__": "__task__", "__builtins__": __builtins__, **values}
    for known_as, module in modules.items():
        space[known_as] = importlib.import_module(module)
    for known_as, (module, attribute) in names.items():
        found = importlib.import_module(module)
        if not hasattr(found, attribute):
            raise ImportError(f"cannot import name {attribute!r} from {module!r} on the device")
        space[known_as] = getattr(found, attribute)
    for known_as, source, first, file, defaults, named_defaults in functions:
        space[known_as] = made = _compiled(source, first, file, space)
        made.__defaults__ = None if defaults is None else tuple(defaults)
        made.__kwdefaults__ = named_defaults
    return Task(space[name], yields)


def _compiled(source: str, first: int, file: str, space: dict[str, Any]) -> Any:
    tree = ast.parse(source, file)
    ast.increment_lineno(tree, first - 1)
    if len(tree.body) != 1 or not isinstance(tree.body[0], DEFINITIONS):
        raise ProtocolError("what comes as source is the definition of one function")
    definition = tree.body[0]
    definition.decorator_list.clear()
    definition.returns = None
    arguments = definition.args
    for argument in ast.walk(arguments):
        if isinstance(argument, ast.arg):
            argument.annotation = None  # which may name what is only there
    nothing = ast.copy_location(ast.Constant(None), definition)
    arguments.defaults = [nothing for _ in arguments.defaults]  # whose values come beside it
    arguments.kw_defaults = [None if default is None else nothing for default in arguments.kw_defaults]
    _remember(source, first, file)
    before = space.get(definition.name)
    exec(compile(tree, file, "exec"), space)
    made = space[definition.name]
    if before is not None:
        space[definition.name] = before
    return made


def _remember(source: str, first: int, file: str) -> None:
    """Have tracebacks show its lines."""
    known = linecache.cache.get(file)
    lines = list(known[2]) if known is not None and len(known) == 4 else []
    wanted = source.splitlines(keepends=True)
    lines += ["\n"] * (first - 1 + len(wanted) - len(lines))
    lines[first - 1 : first - 1 + len(wanted)] = wanted
    linecache.cache[file] = (sum(map(len, lines)), None, lines, file)
