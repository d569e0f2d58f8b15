# SPDX-License-Identifier: LGPL-3.0-or-later
"""The rules of PWM objects: one of them drives a channel, which has to be an output.

Threads wait for each other at the board's lock. A signal handler cannot: it runs in the middle of what it interrupts,
with the same lock. So what is wanted of a line stands in a book before it is carried out. A handler changes the book,
and who has been interrupted looks at it again afterwards, and does what it says by then.
"""

from __future__ import annotations

from .. import constants, errors, log
from .._gpio import Held
from .rules import check_means

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable

    from ..backends import Backend
    from .hardware import HardwareLines
    from .pwmchip import PwmChannel
    from .rules import Rules


STOP_S = 1.0
"""How long end() waits for the lock: a handler may have interrupted who has what the holder of the lock waits for."""


class NoLines:
    """The lines that DMA drives, where no program has asked for any; pwm_by_dma has those that are some."""

    @property
    def lines(self) -> list[int]:
        """None."""
        return []

    def check(self, line: int, period_ns: int) -> None:
        """Raise DMAError: setup() was not called."""
        raise errors.DMAError(f"GPIO {line}: no PWM by DMA before PWM.setup()", hint="PWM.setup() first")

    def drives(self, line: int) -> bool:
        """No."""
        return False

    def fits(self, line: int, period_ns: int) -> bool:
        """No."""
        return False

    def drive(self, line: int, period_ns: int, high_ns: int) -> bool:
        """No."""
        return False

    def leave(self, line: int) -> bool:
        """There were none."""
        return False

    def forget(self) -> None:
        """Nothing to forget."""


class Drive:
    """What is wanted of one line: *owner* is the id() of who has it, *wave* the period and high time of a PWM object
    from start() to stop(). *by* says what that is, where it is no PWM object. *means* is what has to drive it, if any.
    """

    __slots__ = ("by", "means", "owner", "wave")

    def __init__(self, owner: int, means: str | None = None, by: str = "") -> None:
        self.owner, self.means, self.by = owner, means, by
        self.wave: tuple[int, int] | None = None


class Drives:
    """Who drives which line with pulses. *is_output* says whether a line is set up as one here, *backend* returns the
    backend, or None where it is closed. ``by_dma`` are the lines that DMA drives, set by who has the channels.
    """

    by_dma: NoLines = NoLines()

    def __init__(
        self,
        channel_of: Callable[[int], int],
        is_output: Callable[[int], bool],
        rules: Rules,
        backend: Callable[[], Backend | None],
        lock: RLock,
        hardware_lines: HardwareLines,
    ) -> None:
        self._channel_of, self._is_output, self._backend, self.lock = channel_of, is_output, backend, lock
        self._rules, self._hardware_lines = rules, hardware_lines
        self.book: dict[int, Drive] = {}
        """Line -> what is wanted of it."""
        self._hardware: dict[int, PwmChannel] = {}  # of lines that it drives
        self.by_timer: set[int] = set()
        """Lines that the C timer drives for PWM objects."""
        self.enders: dict[int, Callable[[int], object]] = {}
        """Line -> what ends the pulses of attach()."""
        self._resumers: dict[int, Callable[[], object]] = {}  # line -> what goes on with them after setup()
        self.collect: Callable[[], object] = lambda: (
            None
        )  # lets go of lines whose pulses have ended by themselves

    def forget(self) -> None:
        """Nobody drives anything any more."""
        self.book.clear()
        self.by_timer.clear()
        self.enders.clear()
        self._resumers.clear()
        self._hardware.clear()
        self.by_dma.forget()

    def __deepcopy__(self, memo: object) -> Drives:
        """A copy of a PWM object is on the same board."""
        return self

    # -- who has a line --------------------------------------------------------------------------

    def check_free(self, line: int, owner: object) -> None:
        """Raise PWMExistsError for a line that another one than *owner* drives."""
        with self.lock:
            self._check_owner(line, owner)

    def attach(
        self,
        line: int,
        owner: object,
        by: str,
        end: Callable[[int], object],
        resume: Callable[[], object] = lambda: None,
        by_hardware: bool = False,
    ) -> None:
        """Let *owner*, which is called *by*, drive an output by means of its own, or a line *by_hardware*.

        *end* is called when the line is cleaned up, *resume* when it has been set up, as an input or an output.

        Raises:
            PWMExistsError, WrongDirectionException: as claim().
        """
        with self.lock:
            self._check_owner(line, owner)
            if not by_hardware:
                self._check_output(line)
            drive = Drive(id(owner), by=by)
            self.enders[line], self._resumers[line] = end, resume
            self.book[line] = drive

    def detach(self, line: int, owner: object) -> None:
        """The line is nobody's again. Nothing where it is not this owner's."""
        with self.lock:
            if self.has(line, owner):
                self.book.pop(line, None)
                self.enders.pop(line, None)
                self._resumers.pop(line, None)

    def has(self, line: int, owner: object) -> bool:
        """Whether the line is this owner's."""
        drive = self.book.get(line)
        return drive is not None and drive.owner == id(owner)

    def drives(self, line: int) -> bool:
        """Whether a PWM object has been started on the line, and not been stopped; or something is attached to it."""
        drive = self.book.get(line)
        return line in self.enders or (drive is not None and drive.wave is not None)

    def leave_hardware(self, line: int) -> None:
        """The line is being set up, which takes it from the hardware's PWM: others go on with its pulses."""
        hardware = self._hardware.pop(line, None)
        if hardware is not None:
            hardware.close()

    def claim(self, line: int, owner: object, means: str | None) -> None:
        """Let the PWM object *owner* drive an output from start() on; nobody does where this raises. See RPIO.PWM."""
        with self.lock:
            self._check_owner(line, owner)
            self._check_driven(line, means)
            drive = Drive(id(owner), means)
            try:
                self.book.setdefault(line, drive)
                self._check_owner(line, owner)  # a signal handler may have been quicker
            except BaseException:
                if self.book.get(line) is drive:
                    self.book.pop(line, None)
                raise

    def means_of(self, line: int, period_ns: int, means: str | None) -> str:
        """What drives the line, or would with that period: "hardware", "dma" or "soft"."""
        if means is not None:
            return means
        with self.lock:
            if self._by_hardware(line, None):
                return "hardware"
            if self.by_dma.drives(line):
                return "dma"
            return "soft" if line in self.by_timer or not self.by_dma.fits(line, period_ns) else "dma"

    def _by_hardware(self, line: int, means: str | None) -> bool:
        if self._rules.is_limited(line):
            return False
        return means in (None, "hardware") and (line in self._hardware or self._hardware_lines.has(line))

    def _check_driven(self, line: int, means: str | None) -> None:
        """Raise for a line that is no output, where the hardware does not drive it either."""
        if self._by_hardware(line, means):
            return
        if means == "hardware":
            self._hardware_lines.check(line)
        self._check_output(line)

    def _check_owner(self, line: int, owner: object) -> None:
        if line in self.book and not self.has(line, owner):
            self.collect()
        drive = self.book.get(line)
        if drive is None or drive.owner == id(owner):
            return
        if drive.by:
            raise errors.PWMExistsError(
                f"GPIO {line} is driven by {drive.by} already", hint="stop that first, or take another GPIO"
            )
        raise errors.PWMExistsError(
            "A PWM object already exists for this GPIO channel",
            hint="stop() the other one, or use it: ChangeDutyCycle(), ChangeFrequency()",
        )

    def _check_output(self, line: int) -> None:
        if self._is_output(line):
            return
        hint = f"setup({self._channel_of(line)}, OUT) first"
        if advice := self._hardware_lines.advice(line):
            hint += f", or for hardware PWM {advice}"
        raise errors.WrongDirectionException(
            "You must setup() the GPIO channel as an output first", hint=hint
        )

    # -- PWM objects -----------------------------------------------------------------------------

    def start(self, line: int, owner: object, means: str | None, period_ns: int, high_ns: int) -> None:
        """Drive an output with pulses; with others from its next period on where it has some already."""
        with self.lock:
            self._check_owner(line, owner)
            check_means(self._rules, line, means)
            self._check_driven(line, means)
            drive = self.book.setdefault(line, Drive(id(owner), means))
            self._want(line, drive, (period_ns, high_ns))

    def change(self, line: int, owner: object, period_ns: int, high_ns: int) -> None:
        """As start(); nothing shows where the line is no output of this owner any more, as after cleanup()."""
        with self.lock:
            is_soft = (
                line in self.by_timer
            )  # before the book: what is ended from here on does not begin again
            drive = self.book.get(line)
            if drive is None or drive.owner != id(owner):
                return
            if self._is_output(line) or self._by_hardware(line, drive.means):
                self._want(line, drive, (period_ns, high_ns), is_soft)
            elif drive.wave is not None:
                drive.wave = period_ns, high_ns  # to go on with

    def _want(self, line: int, drive: Drive, wave: tuple[int, int], is_soft: bool = False) -> None:
        """Write it into the book and carry it out; an error leaves the book as it was."""
        before, drive.wave = drive.wave, wave
        try:
            self._rules.ask_pulses(line, *wave)
            self._rules.arm(line)
            self._carry_out(line, drive, is_soft)
        except BaseException:
            if drive.wave is wave:
                drive.wave = before
            if before is None and self.book.get(line) is drive:
                self._silence(line)  # what had begun
            raise
        if (
            wave[0] < constants.PWM_KEPT_NS
            and line in self.by_timer
            and (before is None or before[0] != wave[0])
        ):
            log.warning(
                "GPIO %d: PWM at %d Hz by the C timer, which keeps %d Hz: expect fewer and uneven pulses. "
                "The hardware's PWM makes them all (see doc/pwm).",
                line,
                round(1e9 / wave[0]),
                round(1e9 / constants.PWM_KEPT_NS),
            )

    def _carry_out(self, line: int, drive: Drive, is_soft: bool = False) -> None:
        """Do what the book says, until it says so. *is_soft*: the C timer drives the line, if anybody does."""
        while (wave := drive.wave) is not None:
            try:
                self._drive(line, drive.means, wave, is_soft)
            except Exception:  # nobody's, where a handler has ended in its middle what it is about
                if self.book.get(line) is drive and drive.wave is wave:
                    raise
            now = self.book.get(line)
            if now is drive and drive.wave is wave:
                return
            if now is None or now.wave is None:
                break
            drive, is_soft = now, False
        if line not in self.enders:
            self._silence(line)

    def _drive(self, line: int, means: str | None, wave: tuple[int, int], is_soft: bool) -> None:
        backend = self._backend()
        assert backend is not None, "an output has a backend"
        if is_soft and not self._rules.is_limited(line):
            backend.change_pwm(line, *wave)
        elif self._by_hardware(line, means):
            self._drive_hardware(line, wave)
        elif not self._drive_dma(line, means, wave):
            backend.pwm(line, *wave)
            self.by_timer.add(line)

    def _drive_dma(self, line: int, means: str | None, wave: tuple[int, int]) -> bool:
        """Whether DMA drives the line now. The C timer keeps what it has."""
        if means == "hardware":
            self._hardware_lines.check(line)
        if means == "dma":
            self.by_dma.check(line, wave[0])
        if (
            means == "soft"
            or line in self.by_timer
            or self._rules.is_limited(line)
            or not self.by_dma.drive(line, *wave)
        ):
            if means == "dma":
                raise errors.DMAError(f"GPIO {line}: no PWM by DMA", hint="the log says why")
            return False
        return True

    def _drive_hardware(self, line: int, wave: tuple[int, int]) -> None:
        if line not in self._hardware:
            self._hardware[line] = self._hardware_lines.take(line)
        self._hardware[line].set(*wave)
        self._hardware[line].enable()

    def resume(self, line: int) -> None:
        """The line is an output again: go on, as RPi.GPIO, whose thread has never noticed."""
        drive = self.book.get(line)
        if drive is not None and drive.means == "hardware":
            self.end_of(line, keep_owner=True)  # which the line was taken from
        elif drive is not None and drive.wave is not None:
            self._carry_out(line, drive)
        self.interrupt(line)

    def interrupt(self, line: int) -> None:
        """The line has been set up: what is attached to it goes on as far as it can."""
        resume = self._resumers.get(line)
        if resume is not None:
            resume()

    # -- the end ---------------------------------------------------------------------------------

    def end(self, line: int, owner: object) -> None:
        """End the pulses of this owner, low, and any that are nobody's. Nothing where the line is another one's."""
        with Held(self.lock, STOP_S):
            if line not in self.book:
                self._silence(line)
            self._let_go(line, owner)

    def drop(self, line: int, owner: object) -> None:
        """The same for an owner that is no more, at any moment of any thread: waits for nobody. See PWM.__del__()."""
        with Held(self.lock, 0):
            self._let_go(line, owner)

    def _let_go(self, line: int, owner: object) -> None:
        if self.has(line, owner):
            self._silence(line)
            self.book.pop(
                line, None
            )  # last: interrupted before it, the next who ends the line does all of it

    def end_of(self, line: int, keep_owner: bool = False) -> None:
        """End what drives the line, for good: it is being cleaned up, and free for others. *keep_owner*: not for them,
        until its stop().
        """
        end = self.enders.pop(line, None)
        self._resumers.pop(line, None)
        drive = self.book.get(line)
        if end is not None or not keep_owner:
            self.book.pop(line, None)
        elif drive is not None:
            # Another one, as what has been interrupted may be about to fill this one.
            self.book[line] = Drive(drive.owner, drive.means)
        if end is not None:
            end(line)
        elif drive is not None and drive.wave is not None:
            self._silence(line)

    def end_all(self) -> bool:
        """The same for all lines. Whether any of them had pulses."""
        lines = list(self.book)
        driven = any(self.drives(line) for line in lines)
        for line in lines:
            self.end_of(line)
        return driven

    def end_lent(self) -> None:
        """End the lines that DMA drives, low: it is about to be given back."""
        for line in self.by_dma.lines:
            self.end_of(line, keep_owner=True)

    def _silence(self, line: int) -> None:
        """End the pulses of a line, low. Nothing where there are none."""
        self.by_timer.discard(line)
        if self.by_dma.leave(line):
            return
        hardware = self._hardware.get(line)
        if hardware is not None:
            hardware.set_low()
            hardware.close()
            self._hardware.pop(line, None)
            return
        backend = self._backend()
        if backend is not None:
            backend.end_pwm(line)
