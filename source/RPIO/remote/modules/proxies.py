# SPDX-License-Identifier: LGPL-3.0-or-later
"""What stands here for objects of another machine. What is done with a Proxy is done there.

A proxy has the special methods that the type there has, and no others: ``callable()``, ``iter()`` and ``len()`` say
here what they say there. Names that begin with an underscore stay there.
"""

from __future__ import annotations

from _thread import RLock
from _weakref import ref
from collections import deque

from ...wire import arrays
from ...wire.objects import (
    CALL,
    DELETE,
    GET,
    METHOD,
    OPERATE,
    SET,
    TRAIT_BITS,
    TRAITS,
    Array,
    ErrorClass,
    Offered,
    Own,
    Side,
)
from ...wire.raised import error_class, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Asker:
    """Who asks the other machine."""

    place: object

    def ask(self, kind: int, *values: object) -> list[object]:
        """Ask there; return the values of the answer."""
        raise NotImplementedError


class Proxy:
    """An object of another machine."""

    __slots__ = ("__weakref__", "_methods", "_of", "_offered")
    _of: Asker
    _offered: Offered
    _methods: dict[str, Method]

    def __getattr__(self, name: str) -> object:
        method = self._methods.get(name)
        if method is not None:
            return method
        if name.startswith("_"):
            raise AttributeError(f"{name} is not to be had of {self!r}: names with an underscore stay there")
        values = self._of.ask(GET, self, name)
        if values:
            return values[0]
        self._methods[name] = method = Method(self, name)
        return method

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_"):
            raise AttributeError(f"{name} is not to be set of {self!r}: names with an underscore stay there")
        self._methods.pop(name, None)
        self._of.ask(SET, self, name, value)

    def __delattr__(self, name: str) -> None:
        self._methods.pop(name, None)
        self._of.ask(DELETE, self, name)

    def __repr__(self) -> str:
        return f"<{self._offered.kind} {self._offered.type_name} of {self._of.place}>"

    def __str__(self) -> str:
        return str(self._of.ask(OPERATE, "str", self)[0])

    def __dir__(self) -> list[str]:
        return self._of.ask(OPERATE, "dir", self)[0]  # type: ignore[return-value]

    def __reduce__(self) -> str:
        raise TypeError(f"{self!r} cannot be copied or pickled: it is on another machine")


class Method:
    """A method of an object of another machine, or a function of a module there: called by its name."""

    __slots__ = ("_ask", "_held", "_name", "_owner")

    def __init__(self, owner: Proxy, name: str) -> None:
        self._owner, self._name, self._ask = owner, name, owner._of.ask
        self._held: Proxy | None = None

    def __call__(self, *arguments: object, **named: object) -> object:
        values = self._ask(METHOD, self._owner, self._name, arguments, named)
        return values[0] if values else None

    def held(self) -> Proxy:
        """The object that it is there."""
        if self._held is None:
            found = self._ask(GET, self._owner, self._name, True)[0]
            if not isinstance(found, Proxy):
                raise TypeError(f"{self!r} is no function any more")
            self._held = found
        return self._held

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.held(), name)

    @property
    def __name__(self) -> str:
        return self._name

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return f"{self._name}() of {self._owner!r}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Method) and other._name == self._name and other._owner is self._owner

    def __hash__(self) -> int:
        return hash((id(self._owner), self._name))

    def __repr__(self) -> str:
        return f"<function {self._name} of {self._owner!r}>"


# -- special methods ----------------------------------------------------------------------------


def _call(self: Proxy, *arguments: object, **named: object) -> object:
    values = self._of.ask(CALL, self, arguments, named)
    return values[0] if values else None


def _exit(self: Proxy, kind: object, error: BaseException | None, trace: object) -> object:
    if error is None:
        return self._of.ask(OPERATE, "exit", self, None)[0]
    return self._of.ask(OPERATE, "exit", self, [*told(error, None)])[0]


def _operating(name: str) -> Callable[..., object]:
    def _operate(self: Proxy, *arguments: object) -> object:
        return self._of.ask(OPERATE, name, self, *arguments)[0]

    _operate.__name__ = _operate.__qualname__ = f"__{name}__"
    return _operate


SPECIAL: dict[str, Callable[..., object]] = {
    **{name: _operating(name) for name in TRAITS if name not in ("repr", "dir", "str")},
    "call": _call,
    "exit": _exit,
}
_classes: dict[int, type[Proxy]] = {}


def _class_of(traits: int) -> type[Proxy]:
    found = _classes.get(traits)
    if found is None:
        members: dict[str, object] = {
            f"__{name}__": method for name, method in SPECIAL.items() if traits & TRAIT_BITS[name]
        }
        if traits & TRAIT_BITS["eq"] and not traits & TRAIT_BITS["hash"]:
            members["__hash__"] = None
        found = _classes[traits] = type("Proxy", (Proxy,), {"__slots__": (), **members})
    return found


def _parameters(function: Callable[..., object]) -> str:
    """What a function takes, for libraries that look before they call it: for each its kind (0 to 4, as inspect has
    them), = where it has a default, and its name.
    """
    import inspect

    try:
        found = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return ""  # of C, which says nothing
    words = [f"{int(p.kind)}{'=' if p.default is not p.empty else ''}{p.name}" for p in found]
    return " ".join(["function", *words])


class Objects(Side):
    """The proxies of a connection, and the functions of this program that are known there."""

    def __init__(self, asker: Asker) -> None:
        super().__init__()
        self._asker = asker
        self._proxies: dict[int, list[object]] = {}  # number -> ref, how often it was offered
        self.dropped: deque[tuple[int, int]] = deque()
        """What nobody has any more, and how often it was offered: the other side is to be told."""
        self.on_drop: Callable[[], object] = lambda: None
        """Called when what has been dropped should not wait: a generator, or a lot."""
        self._functions: dict[int, list[object]] = {}  # number -> function, how often it was offered
        self._numbers: dict[object, int] = {}
        self._lock = RLock()  # of these two: the reader's thread hears what is forgotten
        self._next = 1

    def __len__(self) -> int:
        return len(self._proxies)

    # -- theirs ----------------------------------------------------------------------------------

    def adopt(self, offered: Offered) -> object:
        """The proxy of an object there: always the same one, while somebody has it."""
        known = self._proxies.get(offered.number)
        found = known[0]() if known is not None else None  # type: ignore[operator]
        if found is None:
            cls = _class_of(offered.traits)
            found = object.__new__(cls)
            for name, value in (("_of", self._asker), ("_offered", offered), ("_methods", {})):
                object.__setattr__(found, name, value)
            entry: list[object] = [None, 0]
            entry[0] = ref(found, lambda _: self._let_go(offered, entry))
            self._proxies[offered.number] = known = entry
        assert known is not None
        known[1] += 1  # type: ignore[operator]
        return found

    def _let_go(self, offered: Offered, entry: list[object]) -> None:
        if self._proxies.get(offered.number) is entry:
            self._proxies.pop(offered.number, None)
        self.dropped.append((offered.number, int(entry[1])))  # type: ignore[call-overload]
        if offered.traits & TRAIT_BITS["next"] or len(self.dropped) > 1000:
            self.on_drop()

    def array(self, array: Array) -> object:
        """The array here."""
        return arrays.made(array)

    def error_class(self, found: ErrorClass) -> object:
        """The class here, which errors of that class are raised as."""
        return error_class(found)

    # -- ours ------------------------------------------------------------------------------------

    def lower(self, value: object) -> object:
        """What crosses of a value that is no plain data. Raises TypeError for what cannot."""
        if isinstance(value, Method):
            value = value.held()
        if isinstance(value, Proxy):
            if value._of is not self._asker:
                raise TypeError(f"{value!r} cannot cross to {self._asker.place}: it is on another machine")
            return Own(value._offered.number)
        data = arrays.data_of(value)
        if data is not None:
            return data
        if callable(value) and not isinstance(value, type):
            return self._offer(value)
        raise TypeError(
            f"a value of the type {type(value).__qualname__} cannot cross: numbers, text, bytes, lists, tuples, dicts, "
            "sets, arrays and functions can, and what came from there"
        )

    def _offer(self, function: Callable[..., object]) -> Offered:
        with self._lock:
            number = self._number_of(function)
            self._functions[number][1] += 1  # type: ignore[operator]
        name = str(getattr(function, "__name__", type(function).__name__))
        return Offered(number, TRAIT_BITS["call"], name[:200], _parameters(function))

    def _number_of(self, function: Callable[..., object]) -> int:
        try:
            number = self._numbers.get(function)
        except TypeError:  # it has no hash
            function = function.__call__  # type: ignore[operator]
            number = self._numbers.get(function)
        if number is None:
            while self._next in self._functions:
                self._next = self._next % 0xFFFFFFFF + 1
            number, self._next = self._next, self._next % 0xFFFFFFFF + 1
            self._functions[number] = [function, 0]
            self._numbers[function] = number
        return number

    def own(self, number: int) -> object:
        """The function. Raises KeyError."""
        return self._functions[number][0]

    def forgotten(self, numbers: Sequence[object]) -> None:
        """The other side has let go of functions."""
        for number, count in zip(numbers[::2], numbers[1::2], strict=False):
            if type(number) is int and type(count) is int:
                with self._lock:
                    self._forget(number, count)

    def _forget(self, number: int, count: int) -> None:
        found = self._functions.get(number)
        if found is None:
            return
        found[1] -= count  # type: ignore[operator]
        if found[1] <= 0:  # type: ignore[operator]
            self._functions.pop(number, None)
            self._numbers.pop(found[0], None)
