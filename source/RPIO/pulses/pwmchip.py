# SPDX-License-Identifier: LGPL-3.0-or-later
"""PWM by the hardware, through the kernel's /sys/class/pwm: pulses that take no processor time and have no jitter.

Which lines there are for it, and how they are connected, is in machine/pwm_lines.

Source: Linux, drivers/pwm/sysfs.c and core.c.
"""

from __future__ import annotations

import errno
import os
import time

from .. import constants, errors
from ..machine import access, pwm_lines
from ..machine.files import open_file, text_of, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from ..machine.boards import Hardware

UDEV_S = 2.0
"""How long udev may take to give the files of a channel to their group."""
SETTINGS = ("period", "duty_cycle", "polarity", "enable")


class Files:
    """How the kernel's files are read and written; tests have a modelled kernel in its place."""

    read = staticmethod(text_of)
    write = staticmethod(write_file)

    def check_writable(self, path: str, until_s: float = 0.0) -> None:
        """Open the file for writing and close it; what may not be opened is tried again until that time."""
        open_file(path, os.O_WRONLY, until_s).close()


def find(
    line: int,
    hardware: Hardware,
    root: str = "/",
    held: Collection[PwmChannel] = (),
    files: Files | None = None,
) -> PwmChannel:
    """Return the channel that drives *line*, not exported yet. *held*: the channels that this program has in use.

    Raises:
        NotSupportedError: the line has no hardware PWM (the hint has the lines that do), or the kernel shows none
            (the hint has the line for config.txt).
        PWMExistsError: a line of *held* is on that channel already; the text names both.
        NoAccessError: the files may not be written; the hint says why.
    """
    own = pwm_lines.own_chips(root).get(line)
    table: pwm_lines.Lines = (
        pwm_lines.table_with(line, hardware) if own is None else {line: (0, constants.UNKNOWN, None)}
    )
    folder = pwm_lines.find_chip(pwm_lines.BLOCKS[hardware.soc][0], root) if own is None else own[0]
    if folder is None:
        raise errors.NotSupportedError(
            f"GPIO {line}: the kernel shows no hardware PWM", hint=pwm_lines.advice(line, hardware)
        )
    channel = PwmChannel(line, folder, table[line][0], files or Files())
    for other in held:
        if other.is_open and other.path == channel.path:
            raise _taken(line, other.line, table)
    channel.check_access()
    return channel


def _taken(line: int, other: int, table: pwm_lines.Lines) -> errors.PWMExistsError:
    channel = table[line][0]
    if line == other:
        return errors.PWMExistsError(f"GPIO {line}: this program uses its hardware PWM already")
    free = ", ".join(str(third) for third in sorted(table) if table[third][0] != channel)
    return errors.PWMExistsError(
        f"GPIO {line} and GPIO {other} are one channel ({channel}) of the hardware PWM, which GPIO {other} uses",
        hint=f"lines with another channel: {free}",
    )


# --- a channel --------------------------------------------------------------------------------------


class PwmChannel:
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
        return f"<PwmChannel {self.number} of {self._folder}, GPIO {self.line}>"

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
            return access.no_access(error)
        if error.errno in (errno.ENODEV, errno.ENOENT):
            text = f"GPIO {self.line}: its hardware PWM has gone: unexported by another program, or the driver removed"
            return errors.LineGoneError(errno.ENODEV, text, self.path)
        number = error.errno if error.errno is not None else errno.EIO
        return OSError(number, f"GPIO {self.line}: {os.strerror(number)}", error.filename or self.path)
