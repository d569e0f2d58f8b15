# SPDX-License-Identifier: LGPL-3.0-or-later
"""Simulated GPIO chips, made and driven through gpio-sim; for tests that run in the kernel rig, as root.

    with Chip(num_lines=8, label="bench", line_names={3: "button"}) as chip:
        ...                      # open chip.path and request line 3
        chip.drive(3, 1)         # what a wire would do to an input
        assert chip.level(4)     # what a wire would see of an output

Source: Documentation/admin-guide/gpio/gpio-sim.rst of Linux 6.1.
"""

import fcntl
import itertools
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

CONFIGFS = Path("/sys/kernel/config/gpio-sim")
DEVICES = Path("/sys/bus/gpio/devices")
GPIO_GET_CHIPINFO = 0x8044B401  # linux/gpio.h: _IOR(0xB4, 0x01, struct gpiochip_info)
GPIO_V2_GET_LINEINFO = 0xC100B405  # _IOWR(0xB4, 0x05, struct gpio_v2_line_info)
_CHIPINFO = struct.Struct("32s32sI")  # name, label, lines
_LINE_INFO_SIZE = 256
_EDGES = 1 << 4 | 1 << 5  # GPIO_V2_LINE_FLAG_EDGE_RISING, _FALLING

_serial = itertools.count()


class SimulatedChip:
    """The outside of a simulated chip: what is wired to its lines. `find` returns one."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.label, self.num_lines = chip_info(path)
        self.folder = (DEVICES / Path(path).name).resolve()
        self._pulls: dict[int, int] = {}  # line -> descriptor, open, so that to drive is one system call

    def drive(self, line: int, value: int) -> None:
        """Pull the line up (1) or down (0): an input has that level at once, an output once released."""
        if line not in self._pulls:
            self._pulls[line] = os.open(self._attribute(line, "pull"), os.O_WRONLY | os.O_CLOEXEC)
        os.pwrite(self._pulls[line], b"pull-up" if value else b"pull-down", 0)

    def level(self, line: int) -> int:
        """Return the level on the line's pin, 0 or 1, whoever drives it."""
        return int(self._attribute(line, "value").read_text())

    def pull(self, line: int) -> str:
        """Return "pull-up" or "pull-down": what `drive` or a request's bias has set last."""
        return self._attribute(line, "pull").read_text().strip()

    def is_watched(self, line: int) -> bool:
        """Whether some program has asked for both edges of the line."""
        (flags,) = struct.unpack_from("Q", self._line_info(line), 72)
        return bool(flags & _EDGES == _EDGES)

    def consumer(self, line: int) -> str:
        """Return who has the line, "" for nobody."""
        return self._line_info(line)[32:64].rstrip(b"\0").decode()

    def _line_info(self, line: int) -> bytes:
        info = bytearray(_LINE_INFO_SIZE)
        struct.pack_into("I", info, 64, line)  # after the name and the consumer
        with open(self.path, "rb") as file:
            fcntl.ioctl(file, GPIO_V2_GET_LINEINFO, info)
        return bytes(info)

    def close(self) -> None:
        """Close what `drive` has opened. The chip stays; `drive` works again."""
        while self._pulls:
            os.close(self._pulls.popitem()[1])

    def remove(self) -> None:
        """Take the chip away where this object made it: one that was found stays. May be called twice."""
        self.close()

    def _attribute(self, line: int, name: str) -> Path:
        return self.folder / f"sim_gpio{line}" / name

    def __enter__(self) -> "SimulatedChip":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


class Chip(SimulatedChip):
    """A new simulated chip, gone again with `remove` or at the end of the `with` block.

    A hog is a line that the kernel itself holds, under that name, from the start;
    its direction is "input", "output-low" or "output-high". The kernel has room for 512 lines, on all chips.
    """

    def __init__(
        self,
        num_lines: int = 8,
        label: str | None = None,
        line_names: Mapping[int, str] | None = None,
        hogs: Mapping[int, tuple[str, str]] | None = None,
    ) -> None:
        self._config = CONFIGFS / f"rpio-{os.getpid()}-{next(_serial)}"
        self._config.mkdir()
        try:
            super().__init__(self._bring_up(num_lines, label, line_names or {}, hogs or {}))
        except BaseException:
            self._tear_down()
            raise

    def _bring_up(
        self, num_lines: int, label: str | None, names: Mapping[int, str], hogs: Mapping[int, tuple[str, str]]
    ) -> str:
        bank = self._config / "bank"
        bank.mkdir()
        (bank / "num_lines").write_text(str(num_lines))
        (bank / "label").write_text(label or self._config.name)
        for line in {*names, *hogs}:
            (bank / f"line{line}").mkdir()
        for line, name in names.items():
            (bank / f"line{line}" / "name").write_text(name)
        for line, (name, direction) in hogs.items():
            hog = bank / f"line{line}" / "hog"
            hog.mkdir()
            (hog / "name").write_text(name)
            (hog / "direction").write_text(direction)
        (self._config / "live").write_text("1")
        return f"/dev/{(bank / 'chip_name').read_text().strip()}"

    def remove(self) -> None:
        super().remove()
        self._tear_down()

    def _tear_down(self) -> None:
        """Leave nothing in configfs, whose folders go from the inside out; rmdir ignores their attributes."""
        if self._config.exists():
            live = self._config / "live"
            if live.read_text().strip() == "1":
                live.write_text("0")
            for folder, _, _ in os.walk(self._config, topdown=False):
                os.rmdir(folder)

    def __enter__(self) -> "Chip":
        return self


def find(label: str) -> SimulatedChip:
    """Return the simulated chip of that label, such as the "pinctrl-bcm2835" of the rig's device tree.

    Raises:
        LookupError: there is none, or more than one.
    """
    paths = [f"/dev/{entry.name}" for entry in DEVICES.iterdir() if (entry / "sim_gpio0").exists()]
    found = [path for path in paths if chip_info(path)[0] == label]
    if len(found) != 1:
        raise LookupError(f"{len(found)} simulated chips are labelled {label!r}, among {sorted(paths)}")
    return SimulatedChip(found[0])


def chip_info(path: str) -> tuple[str, int]:
    """Return the label and the number of lines of the chip with that device file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        answer = fcntl.ioctl(descriptor, GPIO_GET_CHIPINFO, bytes(_CHIPINFO.size))
    finally:
        os.close(descriptor)
    _name, label, lines = _CHIPINFO.unpack(answer)
    return label.rstrip(b"\0").decode(), lines
