# SPDX-License-Identifier: LGPL-3.0-or-later
"""Boards on which something is lacking, and what has to be true of them while it is, and when it is there again."""

from __future__ import annotations

import functools
import threading
import traceback
from pathlib import Path

from interrupted import world as interrupted
from interrupted.calls import CALLS
from modelled import PI4
from RPIO import errors, facade
from RPIO.backends import cdev_chips
from RPIO.backends.cdev import CdevBackend
from RPIO.loop import callbacks
from waiting import LIMIT_S, wait_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interrupted.calls import Call
    from RPIO.backends import Backend
    from scarce.library import Scarce

ENDED = (errors.NotWatchedError,)
"""What the second call of a function may raise that ends something: the first has ended it as far as our books go."""


PATIENCE_S = 0.2
"""How long somebody waits for an answer while something is lacking; he may not get one."""
BOARD_PATIENCE_S = 1.0
"""The same of who connects to another board."""


def is_typed(error: BaseException) -> bool:
    """Whether a program can tell from it what was lacking."""
    if isinstance(error, (errors.GPIOError, MemoryError)):
        return True
    if isinstance(error, OSError):
        return error.errno is not None
    return type(error) is RuntimeError and "thread" in str(error)


class Machine:
    """A Raspberry Pi 4 in a folder, with a gpiochip that the preloaded library has, and one in sysfs."""

    def __init__(self, folder: str, scarce: Scarce) -> None:
        self.folder, self.chip = folder, f"{folder}/gpiochip0"
        chip = {"label": b"pinctrl-bcm2711", "base": b"512", "ngpio": b"58"}
        files = {
            **PI4,
            "gpiochip0": b"",
            "export": b"",
            **{f"gpiochip512/{n}": text for n, text in chip.items()},
        }
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        scarce.chip_is_at(self.chip)
        cdev_chips.chip_paths = functools.partial(cdev_chips.chip_paths, folder)


class World(interrupted.World):
    """A simulated board."""

    def __init__(self, row: Call, scarce: Scarce, machine: Machine) -> None:
        self.scarce, self.machine = scarce, machine
        self.died: list[str] = []
        threading.excepthook = self.note_thread
        super().__init__(row)

    def note_thread(self, args: threading.ExceptHookArgs) -> None:
        """Remember a thread that has ended with an error. A callback's error comes here too, and ends nothing."""
        trace = args.exc_traceback
        if trace is None or trace.tb_frame.f_code is not callbacks._call.__code__:
            self.died.append("".join(traceback.format_exception(args.exc_value)))

    def prepare(self) -> None:
        self.things |= {
            "drive": self.drive,
            "open": self.open_backend,
            "patience_s": PATIENCE_S,
            "machine": self.machine.folder,
            "chip": self.machine.chip,
        }
        super().prepare()
        self.things["board_patience_s"] = BOARD_PATIENCE_S

    def end(self) -> None:
        if facade.board.machine.opened is None:  # what was tried has closed it
            self.use(self.open_backend())
            self.begin_anew()  # which opens what stays open
        super().end()

    ended: tuple[type[Exception], ...] = ENDED
    never: frozenset[tuple[str, str]] = frozenset()
    """Rows, and functions that do not fail in them. A pipe's write has no such error, and what is lost by it is counted
    when the next edge comes; what the kernel refuses for good, not for want of something, close() does not ask again.
    """

    def is_typed(self, error: BaseException) -> bool:
        """Whether a program can tell from it what was lacking."""
        return is_typed(error)

    def check_scarce(self, error: BaseException | None) -> None:
        """What the call has raised is typed; what it wanted can be had now; then nothing is left of it."""
        assert not self.died, f"a thread has ended: {self.died}"
        if error is not None:
            assert self.is_typed(error), f"raised {error!r}"
            self.things["patience_s"] = self.things["board_patience_s"] = LIMIT_S
            try:
                self.call()
            except self.ended:
                pass
        self.end()
        self.check_books()
        self.begin_anew()
        assert not self.died, f"a thread has ended: {self.died}"


class MemoryWorld(World):
    """A simulated board under an interpreter that has no memory, and may not get so far as to call Wave.__exit__()."""

    def __init__(self, row: Call, scarce: Scarce, machine: Machine) -> None:
        super().__init__(row, scarce, machine)
        if row is CALLS["with wave"]:
            self.ended = (*ENDED, errors.PWMExistsError)

    def prepare(self) -> None:
        # No row may run beside a thread: the loop of the one before is on its way out.
        assert wait_until(lambda: not facade.board.dispatcher.is_busy)
        super().prepare()

    def is_typed(self, error: BaseException) -> bool:
        # CPython 3.11 itself: a frame that finds no place, a lock that cannot be made
        return (
            is_typed(error)
            or isinstance(error, SystemError)
            or (type(error) is RuntimeError and "can't allocate" in str(error))
        )


class CdevWorld(World):
    """A gpiochip, which the preloaded library has."""

    def open_backend(self) -> Backend:
        return CdevBackend(self.machine.chip)

    def drive(self, line: int, level: int | None) -> None:
        self.scarce.chip_drive(line, -1 if level is None else level)

    def driven(self) -> list[int]:
        return [line for line in range(self.backend.line_count) if self.scarce.chip_shows(line) & 1]

    def watched(self) -> list[int]:
        return [line for line in range(self.backend.line_count) if self.scarce.chip_shows(line) & 4]

    def handlers(self) -> set[int]:
        return super().handlers() - {self.backend.gone_fd() or 0}  # which stays

    def open_files(self) -> list[str]:
        self.scarce.chip_settle()
        return super().open_files()

    def check_books(self) -> None:
        super().check_books()
        held = [line for line in range(self.backend.line_count) if self.scarce.chip_shows(line) & 2]
        assert not held, f"still held: {held}"


WORLDS = {"sim": World, "cdev": CdevWorld, "memory": MemoryWorld}
"""The machines that can be made in a process of its own."""
