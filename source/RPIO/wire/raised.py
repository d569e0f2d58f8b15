# SPDX-License-Identifier: LGPL-3.0-or-later
"""Errors that are raised in one program and told in another."""

from __future__ import annotations

import builtins

from .. import errors
from .objects import ErrorClass, Side, frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

TEXT_MAX, TRACE_MAX, CLASSES_MAX = 4000, 20_000, 500
"""Characters of a text and of a traceback, and how many classes are kept."""
KNOWN: dict[tuple[str, str], type[Exception]] = {
    (module.__name__, name): cls
    for module in (builtins, errors)
    for name, cls in vars(module).items()
    if isinstance(cls, type) and issubclass(cls, Exception)
}
"""(module, name) of the classes that both sides have."""
_classes: dict[tuple[str, str, tuple[str, ...]], type[errors.RemoteError]] = {}


class RemoteTraceback(Exception):
    """Where it was raised, in the other program: the cause of the error here, so that tracebacks show it."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def class_told(cls: type[BaseException]) -> ErrorClass:
    """What is told of a class of errors."""
    bases = tuple(base.__name__ for base in cls.__mro__ if (base.__module__, base.__name__) in KNOWN)
    return ErrorClass(cls.__module__, cls.__qualname__, bases)


def told(error: BaseException, trace: TracebackType | None) -> list[object]:
    """What is told of an error: its class, its arguments where they are data, its text, and where it was raised."""
    import traceback

    arguments = error.args if _is_data(error.args) else ()
    try:
        text = str(error)
    except Exception as e:
        text = f"(its text cannot be had: {type(e).__name__})"
    try:
        lines = traceback.format_exception(type(error), error, trace)
    except Exception:  # its attributes cannot be had
        lines = [*traceback.format_tb(trace), f"{type(error).__qualname__}: {text}\n"]
    told_class = class_told(type(error))
    return [
        told_class.module,
        told_class.name,
        told_class.bases,
        arguments,
        text[:TEXT_MAX],
        "".join(lines)[-TRACE_MAX:],
        _hint_of(error),
    ]


def _hint_of(error: BaseException) -> str:
    try:
        return str(getattr(error, "hint", ""))
    except Exception:  # it has none, and says so in its own way
        return ""


def _is_data(values: object) -> bool:
    try:
        return sum(map(len, frame(0, 0, 0, (values,), Side()))) <= TEXT_MAX
    except (TypeError, ValueError):
        return False


def error_class(found: ErrorClass) -> type[Exception]:
    """The class here: the same one, where both sides have it, and else one of that name."""
    known = KNOWN.get((found.module, found.name))
    if known is not None:
        return known
    key = found.module, found.name, found.bases
    made = _classes.get(key)
    if made is None:
        if len(_classes) >= CLASSES_MAX:
            _classes.clear()
        made = _classes[key] = _made(found)
    return made


def _made(found: ErrorClass) -> type[errors.RemoteError]:
    name = found.name.rpartition(".")[2]
    name = name if name.isidentifier() else "Error"
    known = [KNOWN.get((module, base)) for base in found.bases for module in ("builtins", errors.__name__)]
    bases = [cls for cls in known if cls is not None and cls not in (Exception, errors.RemoteError)]
    members: dict[str, object] = {
        "__module__": found.module,
        "__doc__": "An error of a module of the device.",
        "hint": "",
    }
    for base in bases[:1]:
        try:  # first the base, which knows what its arguments mean
            return type(name, (base, errors.RemoteError), members)
        except TypeError:
            break  # they do not go together
    return type(name, (errors.RemoteError,), members)


def error_of(values: Sequence[object]) -> Exception:
    """The error here. Where its arguments do not make one it is a RemoteError with its text."""
    module, name, bases, arguments, text, trace, hint = (*values, *[""] * 7)[:7]
    bases = tuple(base for base in bases if type(base) is str) if type(bases) is tuple else ()
    cls = error_class(ErrorClass(str(module), str(name), bases))
    error: Exception | None = None
    if type(arguments) is tuple and arguments:
        try:
            error = cls(*arguments)
        except Exception:
            error = None  # it wants others than it keeps
        if error is not None and str(error) != text and not issubclass(cls, OSError):
            error = None
    if error is None:
        try:
            error = cls(text) if text else cls()
        except Exception:
            error = errors.RemoteError(f"{name}: {text}")
    if isinstance(error, errors.RemoteError):
        error.type_name = f"{module}.{name}"
    if isinstance(error, errors.GPIOError) and type(hint) is str:
        error.hint = hint
    error.__cause__ = RemoteTraceback(str(trace))
    return error
