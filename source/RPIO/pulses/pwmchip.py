# SPDX-License-Identifier: LGPL-3.0-or-later
"""PWM by the hardware, through the kernel's /sys/class/pwm: pulses that take no processor time and have no jitter.

Which line hangs on which channel of the hardware is a table for each SoC. The kernel's *pwmchips* are numbered as they
come (RP1's was 2, then 0), so a chip is known by the device that it stands for. A channel reaches its line only where
the line has the right function: an overlay in config.txt gives it that at boot, and setup() takes it away. Two more
overlays, pwm-pio and pwm-gpio, make a pwmchip for one line, which may be any. Everything is below *root*, so that a
directory can stand in for a machine.

Sources: Linux, drivers/pwm/sysfs.c and core.c; Raspberry Pi's kernel, drivers/pwm/pwm-rp1.c, drivers/pinctrl/
pinctrl-rp1.c (what each line can do, and the numbers that overlays have for that) and overlays/README (pwm, pwm-2chan,
pwm-pio, pwm-gpio); drivers/pwm/pwm-pio-rp1.c and pwm-gpio.c, which have one channel.
"""

from __future__ import annotations

import errno
import os
import re
import time

from .. import constants as model
from .. import errors
from ..backends import opening
from ..backends.sysfs_chips import open_file, text_of, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..machine.boards import Hardware

    Lines = dict[int, tuple[int, int, int | None]]

CLASS = "sys/class/pwm"
UDEV_S = 2.0
"""How long udev may take to give the files of a channel to their group."""
SETTINGS = ("period", "duty_cycle", "polarity", "enable")

# Line -> channel, the line's function that leads there, and the number of that function in an overlay. On RP1 overlays
# still count as BCM2835 does (LEGACY_MAP of pinctrl-rp1.c), where 14 and 15 have no PWM: no overlay gives them theirs.
# Left out: 40 and 41 of BCM2711, which are another block's, and 52 and 53, which are the SD card's.
BCM2711_LINES: Lines = {
    12: (0, model.ALT0, 4),
    13: (1, model.ALT0, 4),
    18: (0, model.ALT5, 2),
    19: (1, model.ALT5, 2),
    45: (1, model.ALT0, 4),
}
BCM2835_LINES: Lines = {**BCM2711_LINES, 40: (0, model.ALT0, 4), 41: (1, model.ALT0, 4)}
RP1_LINES: Lines = {
    12: (0, model.ALT0, 4),
    13: (1, model.ALT0, 4),
    14: (2, model.ALT0, None),
    15: (3, model.ALT0, None),
    18: (2, model.ALT3, 2),
    19: (3, model.ALT3, 2),
}
BLOCKS: dict[str, tuple[str, Lines]] = {
    "BCM2835": ("20c000.pwm", BCM2835_LINES),
    "BCM2836": ("20c000.pwm", BCM2835_LINES),
    "BCM2837": ("20c000.pwm", BCM2835_LINES),
    "BCM2711": ("20c000.pwm", BCM2711_LINES),
    "BCM2712": ("1f00098000.pwm", RP1_LINES),
}
"""SoC -> how the device of its PWM block ends ("3f20c000.pwm", "fe20c000.pwm"), and its lines."""

ANY_LINE = re.compile(r"pwm[_-](pio|gpio)(?:@([0-9a-f]+))?")
"""The device of a chip that is one line's own; behind the "@" is the line, in hexadecimal."""
LAST_PIO_LINE = 27


class Files:
    """How the kernel's files are read and written; tests have a modelled kernel in its place."""

    read = staticmethod(text_of)
    write = staticmethod(write_file)

    def check_writable(self, path: str, until_s: float = 0.0) -> None:
        """Open the file for writing and close it; what may not be opened is tried again until that time."""
        open_file(path, os.O_WRONLY, until_s).close()


# --- which line, which channel --------------------------------------------------------------------


def lines(hardware: Hardware) -> Lines:
    """Return the lines of this board that hardware can drive -> channel, function, the function's overlay number.

    On a board with a header those are lines of the header: 40, 41 and 45 are the headphone output there.
    """
    table = BLOCKS[hardware.soc][1] if hardware.is_pi and hardware.soc in BLOCKS else {}
    has_header = bool(hardware.p1_revision)
    return {line: row for line, row in table.items() if line in hardware.header_lines or not has_header}


def is_muxed(function: int, line: int, hardware: Hardware) -> bool:
    """Whether a line whose function is that one (model.ALT0...) is connected to its PWM channel."""
    row = lines(hardware).get(line)
    return row is not None and row[1] == function


def overlay(wanted: tuple[int, ...], hardware: Hardware) -> str:
    """Return the line for config.txt that connects one line, or two, to their channels: "dtoverlay=pwm,pin=18,func=2".

    Raises:
        NotSupportedError: there is no such overlay. Two lines of one channel are in order: they get the same pulses.
    """
    table = lines(hardware)
    numbers = [(line, table[line][2] if line in table else None) for line in sorted(wanted)]
    if not 1 <= len(numbers) <= 2 or any(number is None for _, number in numbers):
        named = ", ".join(f"GPIO {line}" for line, _ in numbers) or "no line"
        raise errors.NotSupportedError(f"There is no overlay that connects {named} to hardware PWM")
    settings = (
        f"pin{i}={line},func{i}={number}" for i, (line, number) in zip(("", "2"), numbers, strict=False)
    )
    return f"dtoverlay={'pwm' if len(numbers) == 1 else 'pwm-2chan'},{','.join(settings)}"


def own_chips(root: str = "/") -> dict[int, tuple[str, str]]:
    """Return the lines that an overlay has given a pwmchip of their own -> its folder, the overlay."""
    found = {}
    for folder, device in _chips(root):
        match = ANY_LINE.fullmatch(os.path.basename(device))
        line = _line_of(device, match[2]) if match is not None else None
        if match is not None and line is not None:
            found[line] = folder, f"pwm-{match[1]}"
    return found


def _line_of(device: str, address: str | None) -> int | None:
    """The line of such a device: of its property "gpios", which is phandle, line and flags, else of its name."""
    try:
        with open(os.path.join(device, "of_node/gpios"), "rb") as file:
            cells = file.read(12)
    except OSError:
        cells = b""
    if len(cells) == 12:
        return int.from_bytes(cells[4:8], "big")
    return int(address, 16) if address is not None else None


def overlay_for_any(line: int, hardware: Hardware) -> str:
    """Return the line for config.txt that gives a line a pwmchip of its own; "" where there is no such overlay."""
    if not hardware.is_pi:
        return ""
    by_pio = hardware.soc == "BCM2712" and line <= LAST_PIO_LINE
    return f"dtoverlay={'pwm-pio' if by_pio else 'pwm-gpio'},gpio={line}"


def advice(line: int, hardware: Hardware, connected: Collection[int] = ()) -> str:
    """Return in one sentence how a line that has hardware PWM is connected to it, and another one that is stays so."""
    table = lines(hardware)
    channel, function, number = table[line]
    others = [other for other in connected if table[other][0] != channel and table[other][2] is not None]
    if number is not None:
        return f"put {overlay((line, *others[:1]), hardware)} into config.txt and reboot"
    twin = next(other for other in table if other != line and table[other][0] == channel)
    name = model.FUNCTION_NAMES[function].replace("ALT", "a")
    return (
        f"put {overlay((twin,), hardware)} into config.txt, reboot and use GPIO {twin}, which has the same channel; "
        f"no overlay knows GPIO {line}: after each boot, 'sudo pinctrl set {line} {name}' connects it as well"
    )


def missing(line: int, hardware: Hardware, function: Callable[[int], int]) -> str:
    """Return advice() for a line that is not connected, *function* of each being known; "" where nothing is missing.

    Raises:
        NotSupportedError: the line has no hardware PWM.
    """
    connected = [other for other in _table_with(line, hardware) if is_muxed(function(other), other, hardware)]
    return "" if line in connected else advice(line, hardware, connected)


def _table_with(line: int, hardware: Hardware) -> Lines:
    """lines(), where this one is among them."""
    table = lines(hardware)
    if line not in table:
        named = ", ".join(str(other) for other in sorted(table))
        setting = overlay_for_any(line, hardware)
        own = (
            f"put {setting} into config.txt and reboot, which gives it PWM of the kernel's" if setting else ""
        )
        hint = "; ".join(text for text in (f"lines that have: {named}" if named else "", own) if text)
        raise errors.NotSupportedError(f"GPIO {line} has no hardware PWM on {hardware.name}", hint=hint)
    return table


def find(
    line: int,
    hardware: Hardware,
    root: str = "/",
    held: Collection[Channel] = (),
    files: Files | None = None,
) -> Channel:
    """Return the channel that drives *line*, not exported yet. *held*: the channels that this program has in use.

    Raises:
        NotSupportedError: the line has no hardware PWM (the hint has the lines that do), or the kernel shows none
            (the hint has the line for config.txt).
        PWMExistsError: a line of *held* is on that channel already; the text names both.
        NoAccessError: the files may not be written; the hint says why.
    """
    own = own_chips(root).get(line)
    table: Lines = _table_with(line, hardware) if own is None else {line: (0, model.UNKNOWN, None)}
    folder = _find_chip(BLOCKS[hardware.soc][0], root) if own is None else own[0]
    if folder is None:
        raise errors.NotSupportedError(
            f"GPIO {line}: the kernel shows no hardware PWM", hint=advice(line, hardware)
        )
    channel = Channel(line, folder, table[line][0], files or Files())
    for other in held:
        if other.is_open and other.path == channel.path:
            raise _taken(line, other.line, table)
    channel.check_access()
    return channel


def is_bound(hardware: Hardware, root: str = "/") -> bool:
    """Whether the kernel drives the board's PWM hardware: an overlay has given it to it."""
    return bool(lines(hardware)) and _find_chip(BLOCKS[hardware.soc][0], root) is not None


def _find_chip(device: str, root: str) -> str | None:
    """The folder of the pwmchip whose device has a name with that end."""
    return next((folder for folder, found in _chips(root) if found.endswith(device)), None)


def _chips(root: str) -> list[tuple[str, str]]:
    """The folders of all pwmchips, each with that of its device."""
    folder = os.path.join(root, CLASS)
    try:
        names = sorted(name for name in os.listdir(folder) if name.startswith("pwmchip"))
    except OSError:
        return []
    folders = [os.path.join(folder, name) for name in names]
    return [(chip, os.path.realpath(os.path.join(chip, "device"))) for chip in folders]


def _taken(line: int, other: int, table: Lines) -> errors.PWMExistsError:
    channel = table[line][0]
    if line == other:
        return errors.PWMExistsError(f"GPIO {line}: this program uses its hardware PWM already")
    free = ", ".join(str(third) for third in sorted(table) if table[third][0] != channel)
    return errors.PWMExistsError(
        f"GPIO {line} and GPIO {other} are one channel ({channel}) of the hardware PWM, which GPIO {other} uses",
        hint=f"lines with another channel: {free}",
    )


# --- a channel --------------------------------------------------------------------------------------


class Channel:
    """One channel of a pwmchip. Everything may be done twice; not thread-safe: the caller has a lock."""

    def __init__(self, line: int, folder: str, number: int, files: Files) -> None:
        self.line = line
        self.number = number
        self.path = os.path.join(folder, f"pwm{number}")
        self.is_open = False
        self._folder = folder
        self._files = files
        self._is_mine = False  # exported by this object

    def __repr__(self) -> str:
        return f"<Channel {self.number} of {self._folder}, GPIO {self.line}>"

    def check_access(self) -> None:
        """See whether channels of the chip may be exported. Raises: NoAccessError."""
        try:
            self._files.check_writable(os.path.join(self._folder, "export"))
        except OSError as e:
            raise self._explain(e) from None

    def export(self) -> None:
        """Take the channel, and wait up to UDEV_S for its files to be writable. It gives no pulses yet.

        One that is exported already but off is used as well: a program that has ended may have left it so. One that
        goes on without being exported, as an ended program may leave it too, is switched off.

        Raises:
            LineBusyError: it is on for another program, or a driver of the kernel has it; the text says which.
            NoAccessError: its files may not be written.
        """
        if self.is_open:
            return
        try:
            self._is_mine = self._take()
            self._wait_writable()
            self.is_open = True
            self.disable()
        except OSError as e:
            self.close()
            raise self._explain(e) from None

    def set(self, period_ns: int, high_ns: int) -> None:
        """Let the pulses be *high_ns* long, one in each *period_ns*; 0 is steady low, *period_ns* steady high.

        The kernel takes the two one after the other. Between them the pulses have the one's old value and the other's
        new one, and no width that nobody has asked for.

        Raises:
            ValueError: 0 <= high_ns <= period_ns does not hold, or the hardware cannot do it. Nothing has changed then.
            LineGoneError: somebody else has unexported the channel, or its driver has gone.
        """
        self._check_open()
        if not 0 <= high_ns <= period_ns or period_ns == 0:
            raise ValueError(f"GPIO {self.line}: {high_ns} ns high in a period of {period_ns} ns cannot be")
        new = {"period": period_ns, "duty_cycle": high_ns}
        changed: dict[str, int] = {}
        try:
            old = {name: int(self._read(name)) for name in new}
            # The kernel refuses a duty cycle above the period, and duty cycles while there is no period yet.
            order = ("duty_cycle", "period") if period_ns < old["period"] else ("period", "duty_cycle")
            for name in order:
                if new[name] != old[name]:
                    self._write(name, str(new[name]))
                    changed[name] = old[name]
        except OSError as e:
            self._put_back(changed)
            if e.errno in (errno.EINVAL, errno.ERANGE):
                raise ValueError(
                    f"GPIO {self.line}: the hardware cannot have {high_ns} ns high in a period of {period_ns} ns"
                ) from None
            raise self._explain(e) from None

    def set_low(self) -> None:
        """Have no pulses: what the level is after disable() is the driver's choice."""
        if not self.is_open:
            return
        try:
            if self._read("duty_cycle") != "0":
                self._write("duty_cycle", "0")
        except OSError as e:
            raise self._explain(e) from None

    def enable(self) -> None:
        """Begin with the pulses that have been set, high first.

        Raises:
            ValueError: nothing has been set. LineGoneError: as in set().
        """
        self._check_open()
        try:
            if self._read("period") == "0":
                raise ValueError(f"GPIO {self.line}: set() says which pulses, then enable()")
            # Only here: the kernel takes no polarity before there is a period, and not every driver one while it is on.
            if self._read("polarity") != "normal":
                self._write("polarity", "normal")
            self._write("enable", "1")
            if not self.is_open:  # a signal handler has closed it in the middle
                self._write("enable", "0")
        except OSError as e:
            raise self._explain(e) from None

    def disable(self) -> None:
        """End the pulses at once; what was set stays so. The level after that is up to the driver."""
        if not self.is_open:
            return
        try:
            if self._read("enable") != "0":  # where there is no period yet, the kernel refuses even this
                self._write("enable", "0")
        except OSError as e:
            raise self._explain(e) from None

    def close(self) -> None:
        """End the pulses, and unexport what export() has exported; a channel that has gone is no error."""
        try:
            self.disable()
        except errors.LineGoneError:
            pass
        finally:
            self.is_open = False
            if self._is_mine:
                self._unexport()
                self._is_mine = False

    def _take(self) -> bool:
        """Have the kernel show the channel; return whether it did not before."""
        try:
            self._files.write(os.path.join(self._folder, "export"), str(self.number))
        except OSError as e:
            if e.errno != errno.EBUSY:
                raise
            self._check_idle()
            return False
        return True

    def _check_idle(self) -> None:
        """The kernel says that the channel is in use. One that is exported and off can be shared."""
        what = f"GPIO {self.line}: channel {self.number} of {self._folder}"
        try:
            is_on = self._read("enable") != "0"
        except FileNotFoundError:
            raise errors.LineBusyError(
                errno.EBUSY,
                f"{what} is in use by a driver of the kernel",
                self.path,
                hint="'sudo cat /sys/kernel/debug/pwm' names it; another dtoverlay= line in config.txt may ask for it",
            ) from None
        if is_on:
            raise errors.LineBusyError(
                errno.EBUSY,
                f"{what} is in use by another program, which has exported it and switched it on",
                self.path,
                hint=f"end that program; if it has ended already, type 'echo 0 | sudo tee {self.path}/enable'",
            )

    def _wait_writable(self) -> None:
        until_s = time.monotonic() + UDEV_S
        for name in SETTINGS:
            self._files.check_writable(os.path.join(self.path, name), until_s)

    def _unexport(self) -> None:
        try:
            self._files.write(os.path.join(self._folder, "unexport"), str(self.number))
        except OSError as e:
            if e.errno not in (errno.ENODEV, errno.ENOENT):  # somebody else has, or the chip is gone
                raise self._explain(e) from None

    def _check_open(self) -> None:
        if not self.is_open:
            raise ValueError(f"GPIO {self.line}: its hardware PWM is not exported: export() first")

    def _read(self, name: str) -> str:
        return self._files.read(os.path.join(self.path, name))

    def _write(self, name: str, text: str) -> None:
        self._files.write(os.path.join(self.path, name), text)

    def _put_back(self, changed: dict[str, int]) -> None:
        """Undo the first of two changes, as the second was refused; no period at all cannot be put back."""
        for name, value in changed.items():
            try:
                self._write(name, str(value))
            except OSError:
                pass

    def _explain(self, error: OSError) -> OSError:
        """The kernel's error with the line and what to do."""
        if isinstance(error, errors.GPIOError):
            return error
        if isinstance(error, PermissionError):
            return opening.no_access(error)
        if error.errno in (errno.ENODEV, errno.ENOENT):
            text = f"GPIO {self.line}: its hardware PWM has gone: unexported by another program, or the driver removed"
            return errors.LineGoneError(errno.ENODEV, text, self.path)
        number = error.errno if error.errno is not None else errno.EIO
        return OSError(number, f"GPIO {self.line}: {os.strerror(number)}", error.filename or self.path)
