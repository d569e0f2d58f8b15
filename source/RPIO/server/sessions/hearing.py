# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a session has to do with, without knowing what it is: who hears what it says, and who starts its processes."""

from __future__ import annotations

from ... import errors, log
from ...board.declared import NOBODY, PROGRAM
from ...wire.native import Server
from ...wire.terms import NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket as Socket
    from typing import Any, Protocol

    class Taker(Protocol):
        """Who has a connection from then on."""

        def begin(self, made: Any) -> None:
            """It is his."""

        def close(self) -> None:
            """It is over, or never became his. Twice is fine."""


NAMES_OF_OURS = ("rpio", "rpio hold", PROGRAM.name, NOBODY.name)
REVOKED = "the token of this session was revoked, or its time is over; its lines are in their safe states"


def name_of(number: int, who: str, program: str) -> str:
    """What a session is called that says that of itself; "" where it says nothing."""
    # It is shown at terminals, where anything else would be obeyed.
    text = ", ".join("".join(c if c.isprintable() else "?" for c in word) for word in (who, program) if word)
    is_ours = text.lower() in NAMES_OF_OURS  # which mean somebody else
    name = f"session {number}, {text}" if is_ours else text
    return name if len(name) <= NAME.most else f"{name[: NAME.most - 3]}..."


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

    def turn_out(self, why: bytes) -> None:
        """Send a line, the last one, and what waits before it."""
        self.say(why)
        self.on_output()

    def has_answered(self) -> None:
        """A request without a number has been answered that was to be answered later."""

    def another_descriptor(self) -> Socket:
        """Return the connection once more, for who has it from now on; or, where TLS is between, one that leads there.
        Raises NotSupportedError where it is none.
        """
        raise errors.NotSupportedError("this connection cannot be handed on")

    def give_to(self, taker: Taker) -> None:
        """Have the connection be somebody else's when the answer has been sent. Raises NotSupportedError."""
        raise errors.NotSupportedError("this connection cannot be given away")


def turn_out(talk: Hearer | None) -> None:
    """Say why, and hear no more."""
    if talk is None or talk.is_over:
        return
    talk.is_over = True
    talk.turn_out(Server.error("NotAllowedError", [REVOKED], None))


class Away(Hearer):
    """In the place of a talk whose connection speaks something else from now on: its end says enough."""

    is_over = False

    def __init__(self, session: Any) -> None:
        self.session = session
        self.on_output = lambda: None

    @property
    def has_room(self) -> bool:
        """Nothing is said to it."""
        return False

    def say(self, text: bytes) -> None:
        """It is written down."""
        log.debug("- %s: %s", self.session.owner.name, text.decode("utf-8", "replace").strip())

    def another_descriptor(self) -> Socket:
        """There is none."""
        raise errors.NotSupportedError("this connection speaks something else already")


class Starting:
    """Who starts the processes of sessions."""

    def modules(self, session: Any) -> None:
        """Start one with the modules of this machine, which has the session's connection from now on."""
        raise NotImplementedError

    def runs(self, session: Any) -> None:
        """Hand the session's connection on to who runs programs, for good."""
        raise NotImplementedError

    def tunnel(self, session: Any, name: str) -> None:
        """Make the session's connection one to the front end of that name. Raises NotSupportedError where none is."""
        raise not_served(name)

    def tunnel_back(self, session: Any, name: str) -> Any:
        """The same with a connection that a front end makes to its host: what is answered later."""
        raise not_served(name)

    def check_tokens(self, valid: set[str]) -> None:
        """End what was started by who has shown another token than those of these digests."""


def not_served(name: str) -> errors.NotSupportedError:
    """The error of a front end that is not there."""
    return errors.NotSupportedError(f"{name} is not served there", hint=f"rpio serve --{name} there")
