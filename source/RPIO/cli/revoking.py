# SPDX-License-Identifier: LGPL-3.0-or-later
"""What ``rpio token`` and ``rpio pair`` share: what is shown of one who may something, and his end at the daemon."""

from __future__ import annotations

import os
import sys

from .. import errors
from ..machine import folders
from ..remote.places.places import Place
from ..remote.sessions import once
from ..wire.terms import GPIO
from . import remote, verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..server.rights.access import Token
    from ..server.settings.settings import Settings

ANSWER_S = 5.0
KEYS = ("id", "name", "scopes", "lines", "made_s", "until_s")
"""What programs are shown of one."""


def told(token: Token, now_s: float) -> str:
    """What he may, and for how long."""
    lines = "" if token.lines is None else f" (GPIO {','.join(map(str, token.lines))})"
    scopes = ", ".join(f"{scope}{lines if scope == GPIO else ''}" for scope in token.scopes)
    if token.until_s is None:
        return scopes
    left_s = int(token.until_s - now_s)
    return f"{scopes}, for {remote.age(left_s)}" if left_s > 0 else f"{scopes}, over"


def is_systems() -> bool:
    """Whether the daemon here is that of the system, and has other files than who asks: he is not root."""
    is_user = hasattr(os, "geteuid") and os.geteuid() != 0
    return is_user and len(folders.sockets()) == 1 and os.path.exists(folders.sockets()[0])


def tell(settings: Settings) -> None:
    """Have the daemon end the sessions of whoever was revoked, and say how many there were."""
    ended = [count for count in map(_tell_one, _places(settings)) if count is not None]
    if ended:
        verb.note(f"revoked; {sum(ended)} session{'' if sum(ended) == 1 else 's'} ended")
    else:
        verb.note(
            f"revoked; no daemon answers at {settings.of('serve', 'socket')}: one that was started with other words "
            "ends the sessions that have it when it is told: pkill -HUP -f 'rpio serve'"
        )
    sys.stdout.flush()


def _places(settings: Settings) -> list[str]:
    """Where the daemon may be that has this file. Who shows a token there is nobody's affair, nor is RPIO_BACKEND."""
    paths = dict.fromkeys([settings.of("serve", "socket"), *folders.sockets()])
    ports = [f"127.0.0.1:{settings.port}"] if settings.port else []
    return [*[f"remote+unix://{path}" for path in paths], *ports]


def _tell_one(where: str) -> int | None:
    """Have who serves there look at the file; return how many sessions that has ended, None where nobody answers."""
    try:
        with Place(where).connect(ANSWER_S) as link:
            link.settimeout(ANSWER_S)
            words = once.ask(link, "tokens")
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        return None
    except (OSError, errors.GPIOError) as e:
        verb.note(f"{where} is not told: {e}")
        return None
    if words[:1] == ["ok"] and words[1:] and words[1].isdigit():
        return int(words[1])
    verb.note(f"{where} has not looked at it: {' '.join(words[2:3])}")
    return None
