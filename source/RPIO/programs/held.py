# SPDX-License-Identifier: LGPL-3.0-or-later
"""The objects of this process that another program has handles of, and what stands here for its functions."""

from __future__ import annotations

import sys
from _thread import RLock
from _weakref import ref
from collections import deque
from operator import attrgetter
from types import (
    AsyncGeneratorType,
    CodeType,
    CoroutineType,
    FrameType,
    GeneratorType,
    ModuleType,
    TracebackType,
)

from ..errors import NotAllowedError, NotSupportedError
from ..wire import arrays
from ..wire.objects import Array, ErrorClass, Offered, Own, Side
from ..wire.raised import class_told, error_class
from .operating import traits_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from inspect import Signature

    Ask = Callable[["Function", tuple[object, ...], dict[str, object]], object]

HANDLES_MAX = 1 << 16
"""How many objects may be had from elsewhere at once."""
STAYS = (FrameType, CodeType, TracebackType, CoroutineType, AsyncGeneratorType)
"""Types whose objects lead to everything else, or are of no use elsewhere."""
NAME_MAX = 200
KINDS = attrgetter(
    "POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD", "VAR_POSITIONAL", "KEYWORD_ONLY", "VAR_KEYWORD"
)


class Closing:
    """An object that is to be closed when nobody has it any more elsewhere."""

    def close(self) -> None:
        """End what it does."""
        raise NotImplementedError


class Function:
    """A function of the other program. It can be called from any thread, and runs there.

    Where it stands in a list, or is looked for to be taken out again, it is the same object each time.
    """

    __slots__ = ("__name__", "__weakref__", "_ask", "_parameters", "number")

    def __init__(self, number: int, name: str, ask: Ask, parameters: str) -> None:
        self.number, self.__name__, self._ask = number, name, ask
        self._parameters = parameters

    @property
    def __signature__(self) -> Signature:
        """What it takes, for libraries that look before they call it."""
        from inspect import Parameter, Signature

        kinds = {int(kind): kind for kind in KINDS(Parameter)}
        word, *words = self._parameters.split(" ")
        if word != "function":
            raise AttributeError("__signature__")
        found = []
        for text in words:
            default = ... if text[1:2] == "=" else Parameter.empty
            found.append(Parameter(text[1:].lstrip("="), kinds[int(text[0])], default=default))
        return Signature(found)

    def __call__(self, *arguments: object, **named: object) -> object:
        return self._ask(self, arguments, named)

    def __repr__(self) -> str:
        return f"<function {self.__name__} of the program that has called>"


class Held(Side):
    """The table of objects. *may_import* says whether a module of that name may be had; *ask* calls a Function."""

    def __init__(
        self,
        may_import: Callable[[str], bool],
        ask: Ask,
    ) -> None:
        super().__init__()
        self._may_import, self._ask = may_import, ask
        self.forgotten: deque[tuple[int, int]] = deque()
        """Functions that nobody has here any more, and how often each was offered: the other side is to be told."""
        self._lock = RLock()  # a finalizer may come in its middle
        self._objects: dict[int, list[object]] = {}  # number -> the object, how often it was offered
        self._numbers: dict[int, int] = {}  # id -> number
        self._next = 1
        self._functions: dict[int, list[object]] = {}  # number -> ref, how often it was offered

    def __len__(self) -> int:
        return len(self._objects)

    # -- ours ------------------------------------------------------------------------------------

    def lower(self, value: object) -> object:
        """What crosses of a value that is no plain data. Raises NotAllowedError for what stays."""
        if type(value) is Function:
            return Own(value.number)
        data = arrays.data_of(value)
        if data is not None:
            return data
        if isinstance(value, type) and issubclass(value, BaseException):
            return class_told(value)
        return self.offer(value)

    def offer(self, value: object) -> Offered:
        """Offer an object. Raises NotAllowedError for what stays here, and where there are too many."""
        if isinstance(value, STAYS):
            raise NotAllowedError(f"a {type(value).__name__} stays on the device")
        if isinstance(value, ModuleType) and not self._may_import(value.__name__):
            raise NotAllowedError(
                f"the module {value.__name__!r} is none of those that may be had",
                hint="`modules` in [run] of the device's configuration lists them",
            )
        with self._lock:
            number = self._numbers.get(id(value))
            if number is None:
                if len(self._objects) >= HANDLES_MAX:
                    raise NotSupportedError(
                        f"{HANDLES_MAX:,} objects of the device are held: let go of some",
                        hint="del, or the end of a function, lets go of what it had",
                    )
                number = self._free_number()
                self._objects[number] = [value, 0]
                self._numbers[id(value)] = number
            self._objects[number][1] += 1  # type: ignore[operator]
        return Offered(number, traits_of(type(value)), _type_name(value), kind_of(value))

    def _free_number(self) -> int:
        while self._next in self._objects:  # it has been round once, and this one is held still
            self._next = self._next % 0xFFFFFFFF + 1
        number, self._next = self._next, self._next % 0xFFFFFFFF + 1
        return number

    def own(self, number: int) -> object:
        """The object. Raises KeyError."""
        return self._objects[number][0]

    def dropped(self, number: int, count: int) -> None:
        """The other side has let go of so many offers of an object."""
        with self._lock:
            found = self._objects.get(number)
            if found is None:
                return
            found[1] -= count  # type: ignore[operator]
            if found[1] > 0:  # type: ignore[operator]
                return  # it is offered again meanwhile
            self._objects.pop(number)
            self._numbers.pop(id(found[0]), None)
        if isinstance(found[0], (GeneratorType, Closing)):
            _close(found[0])

    def close_all(self) -> None:
        """The other side has gone: end what goes on by itself."""
        for value, _ in list(self._objects.values()):
            if isinstance(value, Closing):
                _close(value)

    # -- theirs ----------------------------------------------------------------------------------

    def adopt(self, offered: Offered) -> object:
        """What stands here for a function."""
        with self._lock:
            known = self._functions.get(offered.number)
            found = known[0]() if known is not None else None  # type: ignore[operator]
            if found is None:
                if len(self._functions) >= HANDLES_MAX:
                    raise NotSupportedError(f"{HANDLES_MAX:,} functions are held here")
                found = Function(offered.number, offered.type_name[:NAME_MAX], self._ask, offered.kind)
                entry: list[object] = [None, 0]
                entry[0] = ref(found, lambda _: self._let_go(offered.number, entry))
                self._functions[offered.number] = known = entry
            assert known is not None
            known[1] += 1  # type: ignore[operator]
        return found

    def _let_go(self, number: int, entry: list[object]) -> None:
        if self._functions.get(number) is entry:
            self._functions.pop(number, None)
        self.forgotten.append((number, int(entry[1])))  # type: ignore[call-overload]

    def array(self, array: Array) -> object:
        """The array here."""
        return arrays.made(array)

    def error_class(self, found: ErrorClass) -> object:
        """The class here: one of Python's, or RPIO's."""
        return error_class(found)


def _close(value: GeneratorType[object, object, object] | Closing) -> None:
    """Close what nobody has any more. What that raises is printed, as Python does: it is nobody's error."""
    try:
        value.close()
    except BaseException as e:
        import traceback

        text = "".join(traceback.format_exception(type(e), e, e.__traceback__))
        print(f"Exception ignored in the end of a {kind_of(value)}:\n{text}", file=sys.stderr, end="")


def kind_of(value: object) -> str:
    """What an object is, in a word."""
    if isinstance(value, ModuleType):
        return "module"
    if isinstance(value, type):
        return "class"
    if isinstance(value, GeneratorType):
        return "generator"
    return "object"


def _type_name(value: object) -> str:
    if isinstance(value, (type, ModuleType)):
        return f"{getattr(value, '__module__', '')}.{value.__name__}".lstrip(".")[:NAME_MAX]
    cls = type(value)
    name = cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    return name[:NAME_MAX]
