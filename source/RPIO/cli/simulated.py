# SPDX-License-Identifier: LGPL-3.0-or-later
"""The simulated board under a program that runs in this process, and what happens to its lines from outside."""

from __future__ import annotations

import os

from .. import constants, errors, facade, sim
from ..backends.opening import SIMULATED_MODEL
from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event
    from types import TracebackType

LOOK_S = 0.005
SETTLE_S = 0.05
PRESS_MS, BETWEEN_S = 200, 0.8


def choose(backend: str | None, what: str, may_be_shared: bool = False) -> None:
    """Use the simulated board, which --backend has chosen, or the one that is in use already.

    *what* begins the sentence for who has chosen another. The board of rpio sim is chosen by its own word, or, where it
    *may_be_shared*, as everywhere.
    """
    if backend is not None and backend.partition(":")[0] != "sim":
        raise UsageError(f"--backend {backend}: {what} the simulated board: sim, sim:4B...")
    asked = backend or os.environ.get("RPIO_BACKEND", "")
    wanted = asked if asked.partition(":")[0] == "sim" else "sim"
    if wanted == "sim" and not may_be_shared:
        wanted = f"sim:{SIMULATED_MODEL}"
    if wanted != asked:
        facade.use(wanted)
    os.environ["RPIO_BACKEND"] = wanted
    sim.short_circuits()  # opens it


class Outside:
    """While it lasts, something happens to lines, in a thread, from when the program has made one of them an input.

    *act* gets an Event that is set at the end; ``has_begun`` says whether it was called.
    """

    def __init__(self, lines: Sequence[int], act: Callable[[Event], object]) -> None:
        from threading import Event, Thread

        self._lines, self._act = lines, act
        self._over = Event()
        self._thread = Thread(target=self._run, name="RPIO outside", daemon=True)
        self.has_begun = False

    def _run(self) -> None:
        while not any(_is_input(line) for line in self._lines):
            if self._over.wait(LOOK_S):
                return
        if not self._over.wait(SETTLE_S):  # it will ask for edges next
            self.has_begun = True
            self._act(self._over)

    def __enter__(self) -> Outside:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()


def finger(lines: Sequence[int]) -> Outside:
    """A finger on the buttons at those lines: it presses one after the other, for 200 ms, one each second."""

    def press(over: Event) -> None:
        """Press until the end."""
        while True:
            for line in lines:
                sim.press(line, PRESS_MS, value=1 - sim.level(line))
                if over.wait(BETWEEN_S):
                    return

    return Outside(lines, press)


def _is_input(line: int) -> bool:
    """Whether the program has set the line up; it may not have chosen a numbering yet."""
    try:
        return facade.board.lines.direction(facade.board.channel_of(line)) == constants.IN
    except (errors.ModeNotSetException, errors.InvalidChannelException):
        return False
