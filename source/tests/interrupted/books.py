# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a program has brought about, in all books: two threads together bring about what one after the other would."""

from __future__ import annotations

from interrupted.world import World
from RPIO import constants, facade

LINES = (4, 17, 18, 22, 23)
"""That the table of calls uses."""


def books(world: World) -> dict[str, object]:
    """All that is registered, asked for and driven."""
    board = facade.board
    lines = world.backend._lines
    found: dict[str, object] = {
        "mode": board.getmode(),
        "warnings": board.manners.warns,
        "directions": dict(board.book.directions),
        "owned": set(board.book.owned),
        "taken": set(board.book.taken),
        "lines": {
            n: (
                lines[n].function,
                lines[n].latch if lines[n].function == constants.OUT else None,
                lines[n].pull,
            )
            for n in LINES
        },
        "edges": {n: line.watch.bits for n, line in enumerate(lines) if line.watch is not None},
        "background": board.dispatcher._background_wanted,
    }
    for n in board.watched:
        watched = board.watched.get(n)
        kinds = sorted(_kind(subscription) for subscription in watched.subscriptions)
        found[f"watched {n}"] = (watched.edge, watched.filter_us, watched.fd is not None, kinds)
    if board.waiting.made_ports is not None:
        found["ports"] = [
            (server.is_closed, len(server.clients)) for server in board.waiting.made_ports.servers
        ]
    pulses = board.made_pulses
    if pulses is not None:
        found["drives"] = {n: (drive.wave, drive.means, drive.by) for n, drive in pulses.drives.book.items()}
        found["soft"], found["attached"] = set(pulses.drives.by_timer), set(pulses.drives.enders)
    if pulses is not None and pulses.has_makers:
        channels, player = pulses.channels, pulses.player
        found["channels"] = (channels.is_setup, {n: dict(c.pulses) for n, c in channels._channels.items()})
        found["servos"] = dict(channels._servo_channels)
        found["waves"] = [(player.is_playing(piece), piece.means) for piece in player.pieces]
    return found


def _kind(subscription: object) -> tuple[str, int, bool]:
    """A subscription, with how many callbacks it has, and whether it has a thread."""
    callbacks = getattr(subscription, "callbacks", ())
    return type(subscription).__name__, len(callbacks), subscription.worker is not None
