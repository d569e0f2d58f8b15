# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines through /sys/class/gpio, for kernels before 5.10 and where the gpiochip's device file is not at hand.

A line is *exported* to be used, and that outlives the program: what this process has exported it unexports when
the line is given back, and what was exported before it came stays so. Kernels may switch a line to input
when it is unexported (the Raspberry Pi's driver does unless it keeps outputs, gpio-sim drops the level), so at the end
of the program outputs stay exported: they go on driving, as the protocol says.

Numbers of lines start at a different base on each kernel; the chip is found by its label. Of a line that nobody
has exported sysfs tells nothing, and to export it just to look may change it; the gpiochip's device file
tells, where there is one, even on kernels whose version of it can do no more.

Source: Documentation/admin-guide/gpio/sysfs.rst and drivers/gpio/gpiolib-sysfs.c of Linux 6.1.
"""

from __future__ import annotations

import errno
import os
import time

from .. import constants, errors
from .._gpio import File, Pump
from ..machine.files import open_file, text_of, write_file
from .checks import check_edge
from .descriptors import HoldingBackend, RemovalWatch, busy, locked
from .protocol import check_line
from .sysfs_chips import Informant, check_no_pull, find_device

UDEV_S = 2.0
"""How long udev may take to give the files of a new line to its group; RPi.GPIO 0.7.1 waits 1 s."""


class _Held:
    """A line that this process uses: its open `value`, and what it has been set to."""

    __slots__ = ("bits", "direction", "fd", "file", "until_s")

    def __init__(self, file: File, direction: int, until_s: float) -> None:
        self.file, self.fd = file, file.fd
        self.direction = direction
        self.until_s = until_s  # until when udev may be at work
        self.bits = 0


class SysfsBackend(HoldingBackend):
    """The lines of the chip with that *folder*. *device* is the chip's device file, which tells about lines that are
    not exported: "" looks for it, None does without.
    """

    name = "sysfs"
    close_at_exit = True  # exported lines

    def __init__(self, folder: str, device: str | None = "") -> None:
        super().__init__()
        self._folder = folder
        self._root = os.path.dirname(folder)
        open_file(os.path.join(self._root, "export"), os.O_WRONLY).close()  # says now that it may not be
        self._held: dict[int, _Held] = {}
        self._exported: set[int] = set()  # by this process; those that are not held wait to be given back
        self._kept: set[int] = set()  # outputs of others that were looked at: giving one back might change it
        self._latch: dict[int, int] = {}
        self._pump: Pump | None = None
        self._label: File | None = None
        self._informant: Informant | None = None
        try:
            self._look_at_chip(folder, device)
        except BaseException:
            self.close()
            raise

    def _look_at_chip(self, folder: str, device: str | None) -> None:
        self.label = text_of(os.path.join(folder, "label"))
        self.line_count = int(text_of(os.path.join(folder, "ngpio")))
        self._base = int(text_of(os.path.join(folder, "base")))
        self._label = open_file(os.path.join(folder, "label"), os.O_RDONLY, stays=True)
        device = find_device(folder) if device == "" else device
        self._removal = RemovalWatch(device)
        self._informant = Informant(device)
        self.features = frozenset({"edges", "consumers"} if self._informant.tells else {"edges"})

    def describe(self) -> str:
        return f"{self._folder} ({self.label}, {self.line_count} lines)"

    # -- what the kernel shows ------------------------------------------------------------------------

    def _info(self, line: int) -> dict[str, object]:
        """What is known of a line without touching it: {} where that is nothing."""
        assert self._informant is not None
        try:
            return self._informant.info(line)
        except OSError as e:
            raise self._explain(e, line) from None

    def _path(self, line: int, name: str = "") -> str:
        return os.path.join(self._root, f"gpio{self._base + line}", name)

    def _is_exported(self, line: int) -> bool:
        return os.path.isdir(self._path(line))

    def _explain(self, error: OSError, line: int) -> OSError:
        """The kernel's error with the line and what to do; a line that was lost may be set up again."""
        path = error.filename or self._path(line)
        if error.errno in (errno.ENODEV, errno.ENOENT, errno.EINVAL):
            if self._chip_is_gone():
                return errors.LineGoneError.of(line, self._folder)
            if line in self._held and not self._is_exported(line):
                self._exported.discard(line)
                self._forget(line)
                return errors.LineGoneError(
                    errno.ENODEV,
                    f"GPIO {line}: another program has unexported it",
                    path,
                    hint=f"setup({line}, ...) takes it again",
                )
        if error.errno == errno.ENOENT and str(path).endswith("/edge"):
            return OSError(errno.ENXIO, f"GPIO {line}: this chip has no interrupts, so no edges", path)
        number = error.errno if error.errno is not None else errno.EIO
        return OSError(number, f"GPIO {line}: {os.strerror(number)}", path)

    # -- taking and giving back ------------------------------------------------------------------------

    def _export(self, line: int) -> bool:
        """Have the kernel show the line; return whether it did not before."""
        if self._chip_is_gone():  # its numbers may be another chip's by now
            raise errors.LineGoneError.of(line, self._folder)
        if line in self._exported:  # and could not be given back
            return True
        if self._is_exported(line):
            return False
        self._exported.add(line)  # before it is done: an interruption may come between
        try:
            write_file(os.path.join(self._root, "export"), str(self._base + line))
        except OSError as e:
            self._exported.discard(line)
            if e.errno != errno.EBUSY:
                raise self._explain(e, line) from None
            if not self._is_exported(line):
                raise busy(
                    line, self.consumer(line), os.path.join(self._root, "export"), self.label
                ) from None
            return False
        self._exported.add(line)  # a signal handler may have cleaned up in the middle
        return True

    def _unexport(self, line: int) -> None:
        """Undo what this process has exported; where that fails, give_back() tries again."""
        if line not in self._exported:
            return
        if not self._chip_is_gone():  # else its number may be another chip's line by now
            try:
                write_file(os.path.join(self._root, "unexport"), str(self._base + line))
            except OSError as e:
                if e.errno != errno.EINVAL:  # EINVAL: it is not exported; somebody else has done it
                    raise self._explain(e, line) from None
        self._exported.discard(line)

    def _take(self, line: int) -> _Held:
        """Hold the line, as it is."""
        held = self._held.get(line)
        if held is not None:
            return held
        mine = self._export(line)
        until_s = time.monotonic() + UDEV_S if mine else 0.0
        try:
            if text_of(self._path(line, "active_low")) != "0":
                raise errors.LineBusyError(
                    errno.EBUSY,
                    f"GPIO {line} is exported upside down (active_low) by another program",
                    self._path(line, "active_low"),
                    hint=f"echo 0 > {self._path(line, 'active_low')}, or unexport it",
                )
            direction = self._shown_direction(line)
            held = _Held(open_file(self._path(line, "value"), os.O_RDWR, until_s), direction, until_s)
        except OSError as e:
            self._unexport(line)
            raise (
                e if isinstance(e, (PermissionError, errors.LineBusyError)) else self._explain(e, line)
            ) from None
        self._held[line] = held
        return held

    def _shown_direction(self, line: int) -> int:
        return constants.OUT if text_of(self._path(line, "direction")) == "out" else constants.IN

    def _direct(self, line: int, word: str) -> None:
        """Switch the line: "in", or "high" and "low", which are output and level in one."""
        fresh = line not in self._held
        self._kept.discard(line)
        held = self._take(line)
        if word != "in" and held.direction == constants.IN and line not in self._exported:
            self._disarm(line)  # kernels before 4.15 do not drive a line whose edges somebody has left armed
        try:
            write_file(self._path(line, "direction"), word, held.until_s)
        except OSError as e:
            error = e if isinstance(e, PermissionError) else self._explain(e, line)
            if fresh:
                self._give_back(line)
            raise error from None
        held.direction = constants.IN if word == "in" else constants.OUT

    def _forget(self, line: int) -> None:
        """Close what is open of a line. Each step may be interrupted, and is then done again."""
        held = self._held.get(line)
        if held is not None:
            self._end_watch(line, held)
            held.file.close()
            self._held.pop(line, None)

    def _give_back(self, line: int) -> None:
        """Give a line back, and those that could not be given back before."""
        self._forget(line)
        self._give_back_left()

    def _give_back_left(self) -> None:
        first: OSError | None = None
        for left in self._exported - self._held.keys():
            try:
                self._unexport(left)
            except OSError as e:
                first = first or e
        if first is not None:
            raise first

    def _end_watch(self, line: int, held: _Held) -> None:
        if not held.bits:
            return
        pump = self._pump
        if pump is not None and pump.unwatch(line) == 0:
            self._pump = None  # no thread without work
            pump.close()
        self._disarm(line)
        held.bits = 0

    def _disarm(self, line: int) -> None:
        try:
            write_file(self._path(line, "edge"), "none")
        except OSError:
            pass  # it has gone, or is not ours any more

    # -- the protocol ----------------------------------------------------------------------------------

    @locked
    def function(self, line: int) -> int:
        check_line(self, line)
        held = self._held.get(line)
        if held is not None:
            return held.direction
        try:
            return self._shown_direction(line)  # another program has exported it
        except OSError:
            info = self._info(line)
        if not info:
            return constants.UNKNOWN
        return constants.OUT if info["is_output"] else constants.IN

    @locked
    def set_input(self, line: int, pull: int | None) -> None:
        check_line(self, line)
        if pull is not None:
            check_no_pull(pull)
        self._direct(line, "in")

    @locked
    def set_output(self, line: int, value: int | None) -> None:
        check_line(self, line)
        self.unwatch(line)
        if value is None:
            held = self._take(line)
            self._kept.discard(line)
            if held.direction == constants.OUT:
                self._latch[line] = self._level(line, held)  # an error, where the chip has gone
                return
            value = self._latch.get(line, 0)
        if line not in self._held or self._held[line].direction != constants.OUT:
            self._direct(line, "high" if value else "low")
        else:
            self._set_level(line, self._held[line], value)
        self._latch[line] = 1 if value else 0

    def _level(self, line: int, held: _Held) -> int:
        try:
            return 1 if os.pread(held.fd, 1, 0) == b"1" else 0
        except OSError as e:
            raise self._explain(e, line) from None

    def _set_level(self, line: int, held: _Held, value: int) -> None:
        try:
            os.pwrite(held.fd, b"1" if value else b"0", 0)
        except OSError as e:
            raise self._explain(e, line) from None

    @locked
    def read(self, line: int) -> int:
        check_line(self, line)
        held = self._held.get(line)
        if held is not None:
            return self._level(line, held)
        info = self._info(line)
        if info and info["is_output"] and not info["used"]:
            raise errors.NotSupportedError(
                f"GPIO {line} is an output that this program does not hold; the kernel gives its level only to "
                "its holder",
                hint=f"setup({line}, OUT) takes it over without a change of level",
            )
        held = self._take(line)
        try:
            return self._level(line, held)
        finally:
            self._stop_looking(line, held)

    def _stop_looking(self, line: int, held: _Held) -> None:
        """Give a line back that was taken to look at it; an output might change by that, and is kept."""
        if held.direction != constants.OUT or line not in self._exported:
            self._give_back(line)
        else:
            self._kept.add(line)

    @locked
    def write(self, line: int, value: int) -> None:
        check_line(self, line)
        held = self._held.get(line)
        if held is not None:
            if held.direction == constants.OUT:
                self._set_level(line, held, value)
        elif self.function(line) != constants.IN:  # an output, or one has to look
            held = self._take(line)
            if held.direction == constants.OUT:
                self._direct(line, "high" if value else "low")
            else:
                self._give_back(line)
        self._latch[line] = 1 if value else 0

    @locked
    def set_pull(self, line: int, pull: int) -> None:
        check_line(self, line)
        check_no_pull(pull)

    def pull(self, line: int) -> int | None:
        check_line(self, line)
        return None

    @locked
    def watch(self, line: int, edge: int, filter_us: int = 0) -> int:
        check_line(self, line)
        bits = check_edge(edge)
        if filter_us:
            raise errors.NotSupportedError(
                "sysfs has no filter: filter_us needs a gpiochip (/dev/gpiochip*) of Linux 5.10 or later",
                hint="debounce_timeout_ms works here",
            )
        fresh = line not in self._held
        held = self._take(line)
        if held.direction != constants.IN:
            if fresh:
                self._stop_looking(line, held)
            raise errors.WrongDirectionException(f"GPIO {line} is no input", hint=f"setup({line}, IN) first")
        try:
            return self._start_watch(line, held, bits)
        except OSError as e:
            error = e if isinstance(e, PermissionError) else self._explain(e, line)
            if fresh:
                self._give_back(line)
            raise error from None

    def _start_watch(self, line: int, held: _Held, bits: int) -> int:
        with open_file(self._path(line, "edge"), os.O_WRONLY, held.until_s) as file:
            pump = self._pump = self._pump or Pump()
            before, held.bits = held.bits, bits
            try:
                return pump.watch(line, held.fd, file.fd, bits)
            except BaseException:
                if before:
                    held.bits = before
                else:
                    self._end_watch(line, held)
                raise

    @locked
    def unwatch(self, line: int, is_read: bool = False) -> None:
        check_line(self, line)
        held = self._held.get(line)
        if held is not None:
            self._end_watch(line, held)

    @locked
    def held(self) -> list[int]:
        return list({*self._held, *self._exported} - self._kept)

    @locked
    def release(self, line: int) -> None:
        check_line(self, line)
        self._give_back(line)  # what was last written is remembered: see Backend.release()

    @locked
    def consumer(self, line: int) -> str:
        check_line(self, line)
        if line in self._held:
            return "RPIO"
        info = self._info(line)
        if info:
            return str(info["consumer"] or "?") if info["used"] else ""
        return "sysfs" if self._is_exported(line) else ""

    def _chip_is_gone(self) -> bool:
        if self._label is None:
            return False
        try:
            os.pread(self._label.fd, 1, 0)
        except OSError as e:
            return e.errno == errno.ENODEV
        return False

    def after_fork(self) -> None:
        super().after_fork()
        if self._pump is not None:
            self._pump.close()  # the child has no such thread, only its descriptors
            self._pump = None
        for held in self._held.values():
            held.file.close()  # the parent has exported it, and goes on using it
        self._held.clear()
        self._exported.clear()
        self._kept.clear()
        self._latch.clear()

    @locked
    def close(self) -> None:
        """Give everything back; outputs stay exported. Twice is fine, and tries again what has failed."""
        first: OSError | None = None
        for line, held in list(self._held.items()):
            try:
                if held.direction == constants.OUT:
                    self._forget(line)
                    self._exported.discard(line)  # it stays exported, and so its level stays
                else:
                    self._give_back(line)
            except OSError as e:
                first = first or e
        try:
            self._give_back_left()
        except OSError as e:
            first = first or e
        self._latch.clear()
        self._removal.close()
        for file in (self._label, self._informant):
            if file is not None:
                file.close()
        if first is not None:
            raise first
