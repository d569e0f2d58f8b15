# SPDX-License-Identifier: LGPL-3.0-or-later
"""Further-Link's library, by its own name: pictures and keys, as RPIO.program has them.

It is on the path of programs that are started from elsewhere, also in virtual environments that have no RPIO.
"""

import os as _os
import sys as _sys
from importlib.util import find_spec as _find_spec

if (
    _find_spec("RPIO") is None
):  # a virtual environment, which has not what is beside RPIO either: behind all of its own
    _sys.path.append(
        _os.path.dirname(_os.path.dirname(_os.path.dirname(_os.path.dirname(_os.path.abspath(__file__)))))
    )

from RPIO import errors as _errors
from RPIO import log as _log
from RPIO import program as _program

__version__ = "5.11.2"
"""That of the original whose names these are."""

_staying: list[object] = []


def send_image(frame: object, format: "str | None" = None) -> None:
    """Show a picture: of Pillow's, or an array of OpenCV's. As the original, it says nothing where it cannot."""
    try:
        _program.send_image(frame)
    except (OSError, ValueError, _errors.GPIOError) as e:
        _log.debug("- send_image: %s", e)


class KeyboardButton(_program.KeyboardButton):
    """A key of who looks at the program. As with the original, the program goes on as long as there is one."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        if not _staying and _program.hears_keys():
            _stay()


def _stay() -> None:
    """Have the program end when it is stopped, and not before."""
    from threading import Event, Thread

    thread = Thread(target=Event().wait, name="further_link keys")
    _staying.append(thread)
    thread.start()


__all__ = ["KeyboardButton", "__version__", "send_image"]
