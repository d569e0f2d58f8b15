# SPDX-License-Identifier: LGPL-3.0-or-later
"""Objects that a device of RRaspPY's keeps for this side: made by a command, asked by number, forgotten there."""

from __future__ import annotations

import re
from weakref import finalize

from .. import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .rraspy import Device

SYSTEM_ERROR = re.compile(r"\[Errno (\d{1,4})\] ([^\n]*?)(?: \(.*)?$")
"""An OSError at the end of a device's text."""


class Kept:
    """An object that a device keeps for this one: made by a command, forgotten there when this ends.

    Raises:
        ImportError: the device has no such module.
        OSError, CommandError, ConnectionLost: see ask().
    """

    def __init__(self, device: Device, module: str, name: str, package: str | None, command: str) -> None:
        self._device = device
        try:
            device.import_module(module, name, package)
        except errors.CommandError as e:
            raise ImportError(str(e), name=name) from None
        with _SystemErrors():
            handle = device.execute(command)
        if type(handle) is not int:
            raise errors.ProtocolError(f"{command} is no object, but {handle!r}")
        self._handle = handle
        self._end = finalize(self, _forget, device, handle)

    def ask(self, command: str) -> object:
        """Have it carry out a command. Raises OSError with the device's number, CommandError, ConnectionLost."""
        with _SystemErrors():
            return self._device.execute(command, self._handle)

    def end(self, command: str) -> None:
        """Have it carry out a last command, and be forgotten. Twice is fine."""
        if self._end.alive:
            try:
                self.ask(command)
            finally:
                self._end()


def _forget(device: Device, handle: int) -> None:
    try:
        device.remove_handle(handle)
    except (errors.CommandError, errors.LineGoneError):
        pass  # it has gone, with all that it kept


class _SystemErrors:
    """A context that makes an OSError of what a device says of one: programs catch those of a bus."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise it."""
        if isinstance(error, errors.CommandError):
            found = SYSTEM_ERROR.search(str(error))
            if found is not None:
                raise OSError(int(found[1]), found[2]) from None
