# SPDX-License-Identifier: LGPL-3.0-or-later
"""gpiozero's devices on a board's lines: how they are made, and the thread in which each is used.

gpiozero and its pins are loaded by who wants the first device, the pins by gpiozero's own entry point, so that nothing
here knows who has them.
"""

from __future__ import annotations

from queue import SimpleQueue
from time import monotonic_ns

from ... import log, threads
from ...wire.remoteio_values import Made

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ...board.board import Board
    from ...wire.remoteio_objects import Kind

    Soon = Callable[[Callable[[], object]], object]

LONG_NS = 1_000_000_000
"""What has begun so long ago, when a reply is late, is what that waits for, or soon will be."""
STUCK_MAX = 8
"""Threads of a device that something does not end."""
FACTORY = "rpio"
GROUP = "gpiozero_pin_factories"
NO_GPIOZERO = (
    "gpiozero is not installed on this device: sudo apt install python3-gpiozero, or pip install gpiozero"
)


class Devices:
    """What the clients of a board share: gpiozero, and its pins on this board's lines."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._lock = threads.allocate_lock()
        self._factory: Any = None
        self.count = 0
        """How many devices there are."""

    def prepare(self) -> None:
        """Load gpiozero, where it is, in a thread: on a small device that takes as long as a client waits."""
        threads.load("threading")  # which takes who loads it for the main thread
        threads.start(self._load, "RPIO remoteio gpiozero")

    def _load(self) -> None:
        from importlib import import_module

        with self._lock:
            try:
                import_module("gpiozero")
            except Exception as e:  # the first who wants a device is told
                log.debug("- no gpiozero: %s", e)

    def line_of(self, pin: object) -> int | None:
        """The line of a pin, as gpiozero names them; None for names that are rarer."""
        word = str(pin).upper()
        if word.startswith("BOARD"):
            line = self._board.hardware.header.get(int(word[5:]) if word[5:].isdigit() else 0)
            return line if isinstance(line, int) else None
        number = word.removeprefix("GPIO").removeprefix("BCM")
        return int(number) if number.isdigit() else None

    def make(self, kind: Kind, positional: list[object], named: Mapping[str, object]) -> Any:
        """Make a device. Raises ImportError without gpiozero, and what that raises."""
        from importlib import import_module

        with self._lock:
            try:
                gpiozero = import_module("gpiozero")
            except ImportError as e:
                raise ImportError(NO_GPIOZERO if e.name == "gpiozero" else str(e)) from None
            if self._factory is None:
                self._factory = self._made()
        cls = getattr(gpiozero, kind.name)
        return cls(*map(made, positional), pin_factory=self._factory, **made_all(named))

    def _made(self) -> Any:
        from importlib.metadata import entry_points

        for found in entry_points(group=GROUP):
            if found.name == FACTORY:
                return found.load()(self._board)
        raise ImportError(
            f"gpiozero finds no pins of RPIO's ({GROUP}: {FACTORY}): was it copied, not installed?"
        )


def made(value: object) -> object:
    """What a value of the wire is to gpiozero: colours and tones are made."""
    if not isinstance(value, Made):
        return value
    if value.name == "Color":
        from importlib import import_module

        return import_module("colorzero").Color(*value.args)
    from importlib import import_module

    return import_module("gpiozero.tones").Tone(*value.args)


def made_all(values: Mapping[str, object]) -> dict[str, object]:
    """The same of values by name."""
    return {name: made(value) for name, value in values.items()}


class Worker:
    """A device, and the thread in which it is used. *answer* of a job comes to the thread of who asks, by *soon*."""

    def __init__(self, kind: Kind, soon: Soon) -> None:
        self.kind, self._soon = kind, soon
        self.device: Any = None
        self.is_open = True
        """As far as what was asked: it is made, or will be."""
        self.lines: list[int] = []
        self.waiting = 0
        """Jobs that have no answer yet."""
        self.stuck = 0
        self.is_ended = False
        self._begun_ns = 0
        self._jobs: SimpleQueue[tuple[Callable[[], bytes], Callable[[bytes], object]] | None] = SimpleQueue()
        self._round = 0
        self._begin()

    def _begin(self) -> None:
        number = self._round
        threads.start(lambda: self._run(number), "RPIO remoteio device")

    def _run(self, number: int) -> None:
        while number == self._round and (job := self._jobs.get()) is not None:
            act, answer = job
            self._begun_ns = monotonic_ns()
            reply = act()
            self._soon(lambda answer=answer, reply=reply: self._has_answered(answer, reply))  # type: ignore[misc]

    def takes_long(self, now_ns: int) -> bool:
        """Whether what it does now has begun a good while ago."""
        return self.waiting > 0 and 0 < self._begun_ns <= now_ns - LONG_NS

    def _has_answered(self, answer: Callable[[bytes], object], reply: bytes) -> None:
        self.waiting -= 1
        answer(reply)

    def ask(self, act: Callable[[], bytes], answer: Callable[[bytes], object]) -> None:
        """Have it done in its thread, behind what waits there."""
        self.waiting += 1
        self._jobs.put((act, answer))

    def go_round(self) -> bool:
        """What is done takes long: do what comes in another thread from now on. False where there are too many."""
        self.stuck += 1
        if self.stuck > STUCK_MAX:
            return False
        self._round += 1
        self._begun_ns = 0
        self._begin()
        return True

    def end(self) -> None:
        """Close the device, whatever goes on, and end the thread. Blocks as long as gpiozero does."""
        self.is_ended = True  # first: one that is being made is closed when it is
        self._round += 1
        self._jobs.put(None)
        close(self.device)


def close(device: Any) -> None:
    """Close a device. Twice is fine; what is wrong with that is told here."""
    if device is None:
        return
    try:
        device.close()
    except Exception as e:
        log.warning("%s is not closed: %s", type(device).__name__, e)
