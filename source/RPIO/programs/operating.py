# SPDX-License-Identifier: LGPL-3.0-or-later
"""What can be done with an object from elsewhere: a table, by the names of wire/objects."""

from __future__ import annotations

import operator

from ..errors import NotAllowedError
from ..wire.objects import TRAIT_BITS, TRAITS
from ..wire.raised import error_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

IN_PLACE = ("iadd", "isub", "imul", "itruediv")
TWO_SIDED = (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "matmul"),
    *("lt", "le", "gt", "ge", "eq", "contains", "getitem", "setitem", "delitem", *IN_PLACE),
)
ONE_SIDED = ("neg", "pos", "abs", "invert", "index")


def _exit(value: Any, told: list[object] | None) -> bool:
    error = None if told is None else error_of(told)
    kind = None if error is None else type(error)
    return bool(type(value).__exit__(value, kind, error, None))


def _names(value: object) -> list[str]:
    return [name for name in dir(value) if not name.startswith("_")]


def _reflected(name: str) -> Callable[[Any, Any], Any]:
    work: Callable[[Any, Any], Any] = getattr(operator, f"{name}_" if name in ("and", "or") else name)
    return lambda value, other: work(other, value)


REFLECTED = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor")
WORK: dict[str, Callable[..., Any]] = {
    **{name: getattr(operator, name) for name in (*TWO_SIDED, *ONE_SIDED)},
    **{f"r{name}": _reflected(name) for name in REFLECTED},
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "call": lambda value, *arguments: value(*arguments),
    "len": len,
    "iter": iter,
    "next": next,
    "enter": lambda value: type(value).__enter__(value),
    "exit": _exit,
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "bytes": bytes,
    "reversed": reversed,
    "hash": hash,
    "round": round,
    "divmod": divmod,
    "str": str,
    "repr": repr,
    "dir": _names,
}
"""The name of an operation -> what does it."""

OF_EVERYTHING = ("eq", "hash", "str", "repr", "dir")
"""What each object has. Those of `object` itself are no traits: the other side has the same."""
_known: dict[type, int] = {}


def traits_of(cls: type) -> int:
    """The bits of what objects of a class can do."""
    known = _known.get(cls)
    if known is None:
        known = 0
        for name in TRAITS:
            method = _found(cls, f"__{name}__")
            if method is not None and method is not vars(object).get(f"__{name}__"):
                known |= TRAIT_BITS[name]
        if len(_known) < 10_000:
            _known[cls] = known
    return known


def _found(cls: type, name: str) -> object:
    """What a class has under a name, as Python looks for special methods: not that of the class's own class."""
    return next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)


def check_name(name: object) -> str:
    """Return a name of an attribute that may be asked for. Raises NotAllowedError, TypeError."""
    if type(name) is not str:
        raise TypeError("the name of an attribute is text")
    if name.startswith("_") or not name.isidentifier():
        raise NotAllowedError(f"{name[:80]!r} stays on the device: names begin with a letter here")
    return name
