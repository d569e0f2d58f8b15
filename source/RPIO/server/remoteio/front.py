# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve --remoteio``: a port for remoteio's clients, in the board's loop beside RPIO's own."""

from __future__ import annotations

from ... import errors, threads
from ..settings import beyond

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ...board.board import Board
    from ..connections.front import Front as Inside
    from ..settings.settings import Settings

    Say = Callable[[str], object]


class Front:
    """The port of the settings. *say* is told what people should know."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self._settings, self._say = settings, say
        self.state = "not served"
        self.place: tuple[str, int] | None = None
        """Where it listens; None for nowhere."""

    def in_words(self) -> list[str]:
        """What is said of it to those who ask."""
        if not self._settings.values["remoteio", "on"]:
            return []
        what = f"queues of tasks ({self._settings.of('remoteio', 'mode')}), and gpiozero's devices"
        told = beyond.told(self._settings, "remoteio")
        return [f"remoteio: {self.state}: {what}{f'; {told}' if told else ''}"]

    def open(self, board: Board, inside: Inside) -> None:
        """Listen, in the loop of *inside*, which closes it with its own. What is wrong is said, and nothing served."""
        settings = self._settings
        if not settings.values["remoteio", "on"]:
            return
        threads.load("RPIO.server.remoteio.guests")
        from .guests import GuestPort, Way

        address = beyond.address_of(settings, "remoteio")
        way = Way(board, settings.of("remoteio", "mode"))
        door = GuestPort(
            "127.0.0.1" if address == "localhost" else address, int(settings.of("remoteio", "port")), way
        )
        try:
            beyond.kind_of(settings, "remoteio")
            inside.open_also(door)
        except (OSError, errors.GPIOError) as e:
            text = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
            self.state = f"not served: {text}"
            self._say(f"remoteio is {self.state}")
            return
        way.devices.prepare()
        self.state, self.place = f"at {door}", (door.host, door.port)
        self._say(f"remoteio is served at {door}")
        told = beyond.told(settings, "remoteio")
        if told:
            self._say(f"remoteio: {told}")
