# SPDX-License-Identifier: LGPL-3.0-or-later
"""The board that a program has in use, for the buses beside its lines: they are the same machine's.

The face that has that board says so when it is loaded; nothing below it knows the face.
"""

from __future__ import annotations

from .. import threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from ..remote.rraspy import Device
    from .protocol import Backend

    class InUse(Protocol):
        """What tells of a board: a board's Machine."""

        @property
        def opened(self) -> Backend | None:
            """Its backend, where that is open."""

        @property
        def spec(self) -> str | None:
            """The backend that is asked for."""

        @property
        def backend(self) -> Backend:
            """Its backend, which is opened for that."""


FACE = "RPIO.facade"
_of_face: list[Callable[[], InUse]] = []
of_program: list[Device] = []
"""The device of RRaspPY's of the program's module ``host``, where it has that: RPIO's lines and buses are its then."""


def is_told_by(face: Callable[[], InUse]) -> None:
    """Have the board in use told by that function from now on."""
    _of_face[:] = [face]


def machine() -> InUse:
    """The machine of the board in use."""
    if not _of_face:
        threads.load(FACE)
    return _of_face[0]()
