# SPDX-License-Identifier: LGPL-3.0-or-later
"""RRaspPY's ``serialize``: messages from and to bytes. Source: fbreton06/RRaspPY 2122932, serialize.py."""

from __future__ import annotations

from RPIO.errors import ProtocolError
from RPIO.wire.rraspy import MESSAGE_MAX, ORIGINAL_MAX
from RPIO.wire.rraspy_values import COUNT, Values, written


class Encode:
    """A message of that kind, to which values are added one after the other."""

    def __init__(self, kind: int) -> None:
        if not 0 <= kind <= 0xFF:
            raise ValueError(f"a kind is a number from 0 to 255, not {kind!r}")
        self.kind = kind
        self._data = bytes((kind,))

    def addType(self, *values: object) -> None:
        """Add values: None, bool, int, float, text, tuple, list, dict. Raises TypeError, ValueError."""
        self._data += b"".join(written(value) for value in values)

    def addHandle(self, handle: int) -> None:
        """Add the number of an object, 0 to 65535. Raises ValueError."""
        if not 0 <= handle <= 0xFFFF:
            raise ValueError(f"a handle is a number from 0 to 65535, not {handle!r}")
        self._data += b"\x06" + COUNT.pack(handle)

    def addCallback(self, callback: str) -> None:
        """Add the id of an event."""
        self.addType(callback)

    def getData(self, maxSize: int = ORIGINAL_MAX) -> bytes:
        """The message. Raises ValueError where it has more than *maxSize* bytes."""
        if len(self._data) > maxSize:
            raise ValueError(f"Too many parameters: size {len(self._data)} exceeds {maxSize}")
        return self._data


class Decode:
    """A message from bytes: ``kind``, and ``args``. Nothing at all is of the kind 0.

    Raises:
        ProtocolError: it is none, or ends in the middle. (A ValueError.)
    """

    def __init__(self, data: bytes) -> None:
        values = Values(MESSAGE_MAX)
        values.feed(data[1:])
        if not values.is_between:
            raise ProtocolError("a message that ends in the middle")
        self.kind = data[0] if data else 0
        self.args = tuple(values.done)
