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
GPIO_V2_GET_LINE = 0xC250B407  # _IOWR(0xB4, 0x07, struct gpio_v2_line_request)
_LINES_OF_A_REQUEST = 64
_REQUEST = struct.Struct(
    "=64I32sQ264xII20xi"
)  # offsets, consumer, flags, attributes, lines, buffer, descriptor
_PULLED_DOWN_INPUT = 1 << 2 | 1 << 9  # GPIO_V2_LINE_FLAG_INPUT, _BIAS_PULL_DOWN
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
        self._files: dict[tuple[int, str], int] = {}  # (line, attribute) -> descriptor

    def drive(self, line: int, value: int) -> None:
        """Pull the line up (1) or down (0): an input has that level at once, an output once released."""
        os.pwrite(self._file(line, "pull"), b"pull-up" if value else b"pull-down", 0)

    def level(self, line: int) -> int:
        """Return the level on the line's pin, 0 or 1, whoever drives it."""
        return int(os.pread(self._file(line, "value"), 8, 0))

    def pull(self, line: int) -> str:
        """Return "pull-up" or "pull-down": what `drive` or a request's bias has set last."""
        return os.pread(self._file(line, "pull"), 16, 0).decode().strip()

    def _file(self, line: int, name: str) -> int:
        """Return the descriptor of an attribute, which stays open."""
        try:
            return self._files[line, name]
        except KeyError:
            path = f"{self.folder}/sim_gpio{line}/{name}"
            flags = os.O_RDWR if name == "pull" else os.O_RDONLY
            return self._files.setdefault((line, name), os.open(path, flags | os.O_CLOEXEC))

    def reset(self) -> None:
        """Have every line as in a new chip: an input, pulled down.

        Raises:
            OSError: EBUSY, somebody holds a line. Those before it are reset.
        """
        for first in range(0, self.num_lines, _LINES_OF_A_REQUEST):
            offsets = range(first, min(first + _LINES_OF_A_REQUEST, self.num_lines))
            padding = [0] * (_LINES_OF_A_REQUEST - len(offsets))
            wanted = (*offsets, *padding, b"reset", _PULLED_DOWN_INPUT, len(offsets), 0, 0)
            request = bytearray(_REQUEST.pack(*wanted))
            chip = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(chip, GPIO_V2_GET_LINE, request)
            finally:
                os.close(chip)
            os.close(_REQUEST.unpack(request)[-1])

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
        """Close what is open. The chip stays, and its methods open their files again."""
        while self._files:
            os.close(self._files.popitem()[1])

    def remove(self) -> None:
        """Take the chip away where this object made it: one that was found stays. May be called twice."""
        self.close()

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
        self._is_there = True
        try:
            super().__init__(self._bring_up(num_lines, label, line_names or {}, hogs or {}))
        except BaseException:
            self._tear_down()
            raise

    def _bring_up(
        self, num_lines: int, label: str | None, names: Mapping[int, str], hogs: Mapping[int, tuple[str, str]]
    ) -> str:
        bank = f"{self._config}/bank"
        os.mkdir(bank)
        _write(f"{bank}/num_lines", str(num_lines))
        _write(f"{bank}/label", label or self._config.name)
        for line in {*names, *hogs}:
            os.mkdir(f"{bank}/line{line}")
        for line, name in names.items():
            _write(f"{bank}/line{line}/name", name)
        for line, (name, direction) in hogs.items():
            hog = f"{bank}/line{line}/hog"
            os.mkdir(hog)
            _write(f"{hog}/name", name)
            _write(f"{hog}/direction", direction)
        _write(f"{self._config}/live", "1")
        return f"/dev/{_read(f'{bank}/chip_name')}"

    def remove(self) -> None:
        super().remove()
        self._tear_down()

    def is_there(self) -> bool:
        """Whether it has not been removed."""
        return self._is_there

    def _tear_down(self) -> None:
        """Leave nothing in configfs, whose folders go from the inside out; rmdir ignores their attributes."""
        if self._is_there:
            live = f"{self._config}/live"
            if _read(live) == "1":
                _write(live, "0")
            for folder, _, _ in os.walk(self._config, topdown=False):
                os.rmdir(folder)
            self._is_there = False

    def __enter__(self) -> "Chip":
        return self


def _read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 4096).decode().strip()
    finally:
        os.close(descriptor)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


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
