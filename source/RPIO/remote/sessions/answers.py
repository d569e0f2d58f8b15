# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a server is asked and what its answers mean here: results, and the errors that it names."""

from __future__ import annotations

import errno

from ... import errors
from ...wire.native import Client, Request, split
from ...wire.operations import OPERATIONS
from ...wire.rows import Operation, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

KNOWN: dict[str, type[Exception]] = {
    name: cls
    for name, cls in vars(errors).items()
    if isinstance(cls, type) and issubclass(cls, Exception) and cls is not errors.ConnectionLost
} | {cls.__name__: cls for cls in (ValueError, TypeError, OSError, MemoryError)}
"""The errors that a server may name. Any other one is a GPIOError."""

NO_OPERATION = "there is no operation "
"""How a server begins who does not know what he is asked for. See wire.native."""


def error_of(name: str, words: Sequence[str]) -> Exception:
    """The error of that name: *words* are its text, what to do about it, and the system's number."""
    text, hint, number, *_ = [*words, "", "", ""]
    kind = KNOWN.get(name)
    if kind is None:
        kind, text = errors.GPIOError, f"{name}: {text}"
    arguments: tuple[object, ...] = (text,)
    if issubclass(kind, OSError):
        has_number = number.isdigit() and len(number) < 6
        usual = errno.EACCES if issubclass(kind, PermissionError) else errno.EIO
        if has_number or not issubclass(kind, errors.GPIOError):  # ours have none where it was raised, either
            arguments = (int(number) if has_number else usual, text)
    if issubclass(kind, errors.GPIOError):
        return kind(*arguments, hint=hint)
    return kind(*arguments)


def words_of(line: bytes) -> list[str]:
    """The words of an answer without its number, behind the "ok". Raises the error that it tells."""
    first, *words = split(line.decode("utf-8", "replace")) or [""]
    if first == "ok":
        return words
    if first == "error" and words:
        if words[1:] and words[1].startswith(NO_OPERATION):
            text = f"the RPIO at the other end is older than this one: it says {words[1]!r}"
            raise errors.NotSupportedError(text, hint="upgrade that one: pip install --upgrade RPIO")
        raise error_of(words[0], words[1:])
    raise errors.ProtocolError(f"this is no answer of RPIO's own protocol: {line[:40]!r}")


def head(name: str, *values: object) -> bytes:
    """The line of a request, without its end."""
    return Client.request(Request(OPERATIONS[name], values))[:-1]


def result_of(operation: Operation, answer: bytes) -> tuple[Any, ...]:
    """The result that an answer tells. Raises the error that it tells, or ProtocolError where it is none."""
    words = words_of(answer)
    try:
        return read(operation.result, words)
    except ValueError as e:
        raise errors.ProtocolError(f"this is no answer to {operation.name}: {e}") from None
