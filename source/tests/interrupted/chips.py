# SPDX-License-Identifier: LGPL-3.0-or-later
"""Boards on the chip that the kernel simulates: by itself, and as the edges of modelled registers. In the rig only."""

from __future__ import annotations

import os

from contract.rigs import CdevRig, JoinedRig, JoinedSysfsRig
from interrupted.world import World
from RPIO import _gpio, facade
from RPIO.backends.joined import JoinedBackend
from waiting import wait_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from RPIO.backends import Backend

LINES = range(28)
"""Those of a header."""
SOON_S = 1.0


class Chip(World):
    """A chip; for a class with whatever World besides, and its arguments. Who lets go of a line leaves it high."""

    kind: type[CdevRig | JoinedRig | JoinedSysfsRig] = CdevRig
    rig: CdevRig | JoinedRig | JoinedSysfsRig

    def __init__(self, *arguments: object) -> None:
        self.rig = self.kind()
        self.rig.backend.close()
        super().__init__(*arguments)  # type: ignore[arg-type]

    def open_backend(self) -> Backend:
        return self.rig.reopen()

    def drive(self, line: int, level: int | None) -> None:
        self.rig.chip.drive(line, 1 if level is None else level)

    def driven(self) -> list[int]:
        return []  # a line that nobody holds drives nothing: check_books()

    def watched(self) -> list[int]:
        return [line for line in LINES if self.rig.chip.is_watched(line)]

    def handlers(self) -> set[int]:
        return super().handlers() - {self.backend.gone_fd() or 0}  # which stays

    def check_books(self) -> None:
        super().check_books()
        held = {line: self.rig.chip.consumer(line) for line in LINES if self.rig.chip.consumer(line)}
        assert not held, f"still held: {held}"

    def close(self) -> None:
        super().close()
        self.rig.shared_chip.close(self.rig.exports)


class Joined(Chip):
    """Registers and a gpiochip. A pull is the registers', and the chip is told of it."""

    kind = JoinedRig
    rig: JoinedRig | JoinedSysfsRig

    def open_backend(self) -> Backend:
        backend = self.rig.reopen()
        assert isinstance(backend, JoinedBackend)
        backend.block = None  # the C functions that Board grants registers to are not the modelled core's
        return backend

    def drive(self, line: int, level: int | None) -> None:
        self.rig.soc.soc_drive(self.rig.pointer, line, -1 if level is None else level)
        super().drive(line, level)

    def driven(self) -> list[int]:
        return [line for line in LINES if self.rig.driving(line)]

    def close(self) -> None:
        super().close()
        self.rig.soc.soc_free(self.rig.pointer)


class JoinedSysfs(Joined):
    """Registers and /sys/class/gpio, whose edges count once where the next comes before the pump has seen them."""

    kind = JoinedSysfsRig

    def drive(self, line: int, level: int | None) -> None:
        backend = facade.board.machine.opened
        edges = backend._edges if isinstance(backend, JoinedBackend) else None
        pump: _gpio.Pump | None = getattr(edges, "_pump", None)
        held = edges._held.get(line) if pump is not None else None  # type: ignore[union-attr]
        new = 1 if level is None else level
        reports = held is not None and held.bits & (1 if new else 2) and self.rig.chip.level(line) != new
        seen = pump.seq(line) if reports and pump is not None else None
        super().drive(line, level)
        if pump is not None and seen is not None:
            wait_until(lambda: pump.seq(line) != seen, SOON_S)

    def watched(self) -> list[int]:
        return [line for line in LINES if os.path.exists(f"/sys/class/gpio/gpio{self._base + line}")]

    @property
    def _base(self) -> int:
        with open(f"{self.rig.shared_chip.folder}/base", encoding="ascii") as file:
            return int(file.read())
