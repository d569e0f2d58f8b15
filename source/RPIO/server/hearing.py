# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a session has to do with, without knowing what it is: who hears what it says, and who starts its processes."""

from __future__ import annotations

from .. import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket as Socket
    from typing import Any


class Hearer:
    """Who hears what a session says: a Talk, which is one of its connections."""

    session: Any
    is_over: bool
    on_output: Callable[[], object]
    lend: Callable[[float], object]

    @property
    def has_room(self) -> bool:
        """Whether more may be said."""
        raise NotImplementedError

    def say(self, text: bytes) -> None:
        """Send a line."""
        raise NotImplementedError

    def has_answered(self) -> None:
        """A request without a number has been answered that was to be answered later."""

    def another_descriptor(self) -> Socket:
        """Return the connection once more, for who has it from now on. Raises NotSupportedError where it is none."""
        raise errors.NotSupportedError("this connection cannot be handed on")


class Starting:
    """Who starts the processes of sessions."""

    def modules(self, session: Any) -> None:
        """Start one with the modules of this machine, which has the session's connection from now on."""
        raise NotImplementedError
