# SPDX-License-Identifier: LGPL-3.0-or-later
"""A connected client with TLS between, who has shown who he is."""

from __future__ import annotations

import socket

from ... import threads
from ...loop.masks import WRITE
from ...processes import hooks
from ..connections.links import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...remote.tls import Channel
    from ..connections.links import House


class SealedLink(Link):
    """Such a client. The channel has what has come of his next line."""

    def __init__(self, house: House, channel: Channel, peer: str) -> None:
        super().__init__(house, channel, peer)  # type: ignore[arg-type] # which does what a socket does
        self.channel = channel
        self._reader = channel  # type: ignore[assignment]
        self.talk.another_descriptor = self._another

    def _another(self) -> socket.socket:
        """Return a connection that leads to this one when the answer has been sent: nobody else can have its keys."""
        threads.load("RPIO.server.tunnels.piped")
        from ..tunnels.piped import Piped

        with hooks.making:
            ours, its = socket.socketpair()
        try:
            self.talk.give_to(Piped(self._house, ours))
        except BaseException:
            ours.close()
            its.close()
            raise
        return its

    def hear_first(self, lines: Sequence[bytes]) -> None:
        """Do what he has asked for already."""
        answers = self.talk.hear(lines)
        if answers:
            self._send(answers)

    def close(self) -> None:
        """The same; he is told by TLS that it is this side which ends it, and nobody between."""
        if self.socket.fileno() >= 0:  # else it is closed, or somebody has it from now on
            self.channel.say_end()
        super().close()

    def _send(self, data: bytes) -> None:
        Link._send(self, data)
        if self.channel.pending and not self.is_closed:
            self._want()

    def flush(self) -> None:
        """The same, with what has been encrypted and not been sent."""
        if self.channel.pending:
            try:
                self.channel.flush()
            except OSError:
                self.close()
                return
        super().flush()

    def _waits_to_send(self) -> int:
        return WRITE if self._left or self.channel.pending else 0
