# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve --remoteio``: a port for remoteio's clients, in the board's loop beside RPIO's own."""

from __future__ import annotations

from .. import errors, threads
from .serving import is_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..board.board import Board
    from .inside import Front as Inside
    from .settings import Settings

    Say = Callable[[str], object]


def check(settings: Settings) -> None:
    """Look at what is set, before anything is opened. Raises NotAllowedError for an address that must be asked for."""
    address = settings.of("remoteio", "address")
    if (
        settings.values["remoteio", "on"]
        and not settings.values["remoteio", "insecure"]
        and not is_here(address)
    ):
        text = (
            f"remoteio: {address} can be reached by other machines, or is no address; the protocol knows neither "
            "encryption nor access"
        )
        hint = "--insecure serves it there all the same, or ssh -L 8509:127.0.0.1:8509 brings it to another machine"
        raise errors.NotAllowedError(text, hint=hint)


class Front:
    """The port of the settings. *say* is told what people should know."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self._settings, self._say = settings, say
        self.state = "not served"

    def in_words(self) -> list[str]:
        """What is said of it to those who ask."""
        if not self._settings.values["remoteio", "on"]:
            return []
        return [
            f"remoteio: {self.state}: queues of tasks ({self._settings.of('remoteio', 'mode')}), and gpiozero's devices"
        ]

    def open(self, board: Board, inside: Inside) -> None:
        """Listen, in the loop of *inside*, which closes it with its own. What is wrong is said, and nothing served."""
        settings = self._settings
        if not settings.values["remoteio", "on"]:
            return
        threads.load("RPIO.server.remoteio")
        from .remoteio import GuestPort, Way

        address = settings.of("remoteio", "address")
        way = Way(board, settings.of("remoteio", "mode"))
        door = GuestPort(
            "127.0.0.1" if address == "localhost" else address, int(settings.of("remoteio", "port")), way
        )
        try:
            check(settings)
            inside.open_also(door)
        except (OSError, errors.GPIOError) as e:
            text = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
            self.state = f"not served: {text}"
            self._say(f"remoteio is {self.state}")
            return
        way.devices.prepare()
        self.state = f"at {door}"
        self._say(f"remoteio is served at {door}")
        if settings.values["remoteio", "insecure"] and not is_here(address):
            self._say(
                "remoteio: --insecure: whoever reaches this port drives the lines of this machine, unencrypted"
            )
