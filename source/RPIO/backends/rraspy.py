# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines of a device that speaks RRaspPY's protocol, the original's or ours: by calls of the RPi.GPIO that it has there.

What RPi.GPIO cannot do this cannot: a line is read once it is set up, and edges have the time at which they came here.
An original asks nobody who he is: whoever else uses the device can change these lines.
"""

from __future__ import annotations

from _thread import RLock
from time import monotonic_ns

from .. import constants, errors, log
from ..constants import BOTH, IN, OUT, PUD_OFF, RISING
from ..remote.rraspy import Device
from .checks import check_edge, check_pull, check_pwm, check_pwm_change
from .event_pipe import EventPipe
from .in_use import of_program
from .protocol import Backend, check_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LINES = 54
"""Those of RPi.GPIO. Source: RPi.GPIO 0.7.1, source/py_gpio.c."""
PI_3B = 0xA02082
"""The header of an RPi.GPIO that does not tell: all with 40 pins are alike."""
NO_MODE = "numbering mode"
"""In the text of RPi.GPIO's error where somebody has called cleanup()."""


SLOW_NS = 50_000_000
"""Edges with so much time between them can be told apart by asking for the level."""


class Watched:
    """A line that is watched, with the level after its last edge.

    An event of RPi.GPIO does not tell the level. Edges of both kinds alternate, so it is the other one each time: to
    ask would be too late where edges are quick. Where RPi.GPIO has lost one, that shows when two slow ones in a row
    have another level than that: then what is asked for holds.
    """

    __slots__ = ("edge", "is_doubtful", "last_ns", "level", "pipe")

    def __init__(self, edge: int) -> None:
        self.edge, self.pipe = edge, EventPipe()
        self.begin(edge, 0)

    def begin(self, edge: int, level: int) -> None:
        """Watch for that from now on; *level* is what the line has."""
        self.edge, self.level, self.last_ns, self.is_doubtful = edge, level, 0, False

    def next_level(self, asked: int, now_ns: int) -> int:
        """The level after one more edge, where asking for it has told that."""
        self.level = 1 - self.level
        is_slow = now_ns - self.last_ns > SLOW_NS
        if self.level == asked:
            self.is_doubtful = False
        elif self.is_doubtful and is_slow:
            self.level, self.is_doubtful = asked, False
        else:
            self.is_doubtful = True
        self.last_ns = now_ns
        return self.level


class RraspyBackend(Backend):
    """The lines of the device at *where*, the word's argument: "//pi". Nothing is the device of the module ``host``."""

    name = "rraspy"
    line_count = LINES
    features = frozenset({"edges", "pulls", "pwm"})
    holds_lines = False
    close_at_exit = True

    def __init__(self, where: str = "", answer_s: float | None = None) -> None:
        is_programs = not where.strip("/") and bool(of_program)
        self._device = of_program[0] if is_programs else Device(where)
        self._is_own = not is_programs
        if answer_s is not None and self._is_own:
            self._device.answer_s = answer_s
        self._functions: dict[int, int] = {}  # line -> IN or OUT, of those that are set up
        self._pulls: dict[int, int] = {}
        self._latches: dict[int, int] = {}
        self._watched: dict[int, Watched] = {}
        self._lock = RLock()
        self._pwm: dict[int, tuple[int, int, int]] = {}  # line -> handle, period, high time
        try:
            self._device.import_module(".GPIO", "GPIO", "RPi")
            self._execute("GPIO.setwarnings(False)")
            self._choose_mode()
            self._version = str(self._told("GPIO.VERSION") or "")
            self.revision_code = self._code()
        except errors.ConnectionLost as e:
            raise errors.NoBackendError(str(e), hint=e.hint) from None

    @property
    def device(self) -> Device:
        """Who is asked."""
        return self._device

    # -- asking ----------------------------------------------------------------------------------

    def _execute(self, command: str, handle: int | None = None, callback: Any = None) -> object:
        return self._device.execute(command, handle, callback)

    def _told(self, command: str) -> object:
        """What is asked for no need; None where the device does not tell."""
        try:
            return self._execute(command)
        except errors.CommandError:
            return None

    def _gpio(self, command: str, callback: Any = None) -> object:
        """Ask; where somebody has taken the numbering mode back, choose it anew and ask once more."""
        try:
            return self._execute(f"GPIO.{command}", None, callback)
        except errors.CommandError as e:
            if NO_MODE not in str(e):
                raise
        self._choose_mode()
        return self._execute(f"GPIO.{command}", None, callback)

    def _choose_mode(self) -> None:
        try:
            self._execute(f"GPIO.setmode({constants.BCM})")
        except errors.CommandError as e:
            raise errors.NoBackendError(
                f"the device at {self._device}: {e}",
                hint="another host has chosen GPIO.BOARD there: it takes that back with GPIO.cleanup()",
            ) from None

    def _code(self) -> int:
        told = self._told("GPIO.RPI_INFO")
        try:
            return int(str(told["REVISION"]), 16) or PI_3B  # type: ignore[index]
        except (KeyError, TypeError, ValueError):
            return PI_3B

    # -- what it is ------------------------------------------------------------------------------

    def describe(self) -> str:
        return f"RPi.GPIO {self._version} of the device at {self._device} (RRaspPY's protocol)"

    def function(self, line: int) -> int:
        check_line(self, line)
        found = self._gpio(f"gpio_function({line})")
        return int(found) if found in (IN, OUT) else constants.UNKNOWN

    def set_function(self, line: int, function: int) -> None:
        check_line(self, line)
        raise errors.NotSupportedError(
            "RPi.GPIO, which the device at rraspy:// has, chooses no alternate functions"
        )

    # -- levels ----------------------------------------------------------------------------------

    def set_input(self, line: int, pull: int | None) -> None:
        check_line(self, line)
        if pull is not None:
            check_pull(pull)
        wanted = self._pulls.get(line, PUD_OFF) if pull is None else pull
        self._end_pwm(line)
        self._gpio(f"setup({line}, {IN}, pull_up_down={wanted})")
        self._functions[line], self._pulls[line] = IN, wanted

    def set_output(self, line: int, value: int | None) -> None:
        check_line(self, line)
        self.unwatch(line)
        self._end_pwm(line)
        if value is None:
            if self._functions.get(line) == OUT:
                return
            value = self._latches.get(line)
        level = None if value is None else int(bool(value))
        self._gpio(f"setup({line}, {OUT})" if level is None else f"setup({line}, {OUT}, initial={level})")
        self._functions[line] = OUT
        self._pulls.pop(line, None)
        if level is not None:
            self._latches[line] = level

    def read(self, line: int) -> int:
        check_line(self, line)
        try:
            return int(bool(self._gpio(f"input({line})")))
        except errors.CommandError as e:
            if line in self._functions:
                raise
            raise errors.NotSupportedError(  # it is nobody's: another host's setup() would do
                f"GPIO {line}: RPi.GPIO, which the device has, reads lines that are set up: {e}",
                hint=f"setup({line}, IN) first",
            ) from None

    def write(self, line: int, value: int) -> None:
        check_line(self, line)
        level = int(bool(value))
        self._latches[line] = level
        if self._functions.get(line) == OUT:
            self._gpio(f"output({line}, {bool(level)})")

    def set_pull(self, line: int, pull: int) -> None:
        check_line(self, line)
        check_pull(pull)
        self._gpio(f"setup({line}, {IN}, pull_up_down={pull})")
        self._functions[line], self._pulls[line] = IN, pull

    def pull(self, line: int) -> int | None:
        check_line(self, line)
        return None

    # -- edges -----------------------------------------------------------------------------------

    def watch(self, line: int, edge: int, filter_us: int = 0) -> int:
        check_line(self, line)
        check_edge(edge)
        if filter_us:
            raise errors.NotSupportedError("RPi.GPIO, which the device has, filters no edges")
        if self._functions.get(line) != IN:
            raise errors.WrongDirectionException(f"GPIO {line} is no input", hint=f"setup({line}, IN) first")
        watched = self._watched.get(line)
        if watched is not None:
            if watched.edge == edge:
                return watched.pipe.reader
            self._stop_telling(line)
        else:
            watched = self._watched[line] = Watched(edge)
        try:
            watched.begin(edge, self.read(line) if edge == BOTH else 0)
            callback = (_id(line), lambda *_: self._on_edge(line, watched))
            self._gpio(f"add_event_detect({line}, {edge}, CB_FUNCT)", callback)
        except BaseException:
            del self._watched[line]
            watched.pipe.close()
            raise
        return watched.pipe.reader

    def _on_edge(self, line: int, watched: Watched) -> None:
        """An event has come; see Watched for its level."""
        now_ns = monotonic_ns()
        level = int(watched.edge == RISING)
        if watched.edge == BOTH:
            level = watched.next_level(self.read(line), now_ns)
        with self._lock:
            if self._watched.get(line) is watched:
                watched.pipe.put(line, level, now_ns)

    def unwatch(self, line: int, is_read: bool = False) -> None:
        check_line(self, line)
        watched = self._watched.pop(line, None)
        if watched is not None:
            try:
                self._stop_telling(line)
            finally:
                with self._lock:
                    watched.pipe.close()

    def _stop_telling(self, line: int) -> None:
        try:
            self._gpio(f"remove_event_detect({line})")
        finally:
            self._device.remove_callback(_id(line))

    # -- PWM -------------------------------------------------------------------------------------

    def pwm(self, line: int, period_ns: int, high_ns: int) -> None:
        if line in self._pwm:
            self.change_pwm(line, period_ns, high_ns)
            return
        check_pwm(self, line, period_ns, high_ns)
        handle = self._gpio(f"PWM({line}, {1e9 / period_ns!r})")
        if type(handle) is not int:
            raise errors.ProtocolError(f"GPIO.PWM() is no object, but {handle!r}")
        self._pwm[line] = handle, period_ns, high_ns
        self._execute(f"start({100 * high_ns / period_ns!r})", handle)

    def change_pwm(self, line: int, period_ns: int, high_ns: int) -> None:
        check_pwm_change(self, line, period_ns, high_ns)
        if line not in self._pwm:
            return
        handle, before_ns, _ = self._pwm[line]
        if before_ns != period_ns:
            self._execute(f"ChangeFrequency({1e9 / period_ns!r})", handle)
        self._execute(f"ChangeDutyCycle({100 * high_ns / period_ns!r})", handle)
        self._pwm[line] = handle, period_ns, high_ns

    def end_pwm(self, line: int) -> None:
        check_line(self, line)
        if self._end_pwm(line):
            self._gpio(f"output({line}, False)")
            self._latches[line] = 0

    def _end_pwm(self, line: int) -> bool:
        found = self._pwm.pop(line, None)
        if found is None:
            return False
        try:
            self._execute("stop()", found[0])
        finally:
            self._device.remove_handle(found[0])
        return True

    def limit(self, line: int, after_ns: int, level: int) -> None:
        check_line(self, line)
        raise errors.NotSupportedError("a device at rraspy:// does not limit how long a line is on")

    # -- the end ---------------------------------------------------------------------------------

    def held(self) -> list[int]:
        return sorted(self._functions)

    def release(self, line: int) -> None:
        check_line(self, line)
        if self._functions.pop(line, None) is None:
            return
        self._pulls.pop(line, None)
        try:
            self.unwatch(line)
            self._end_pwm(line)
        finally:
            self._gpio(f"cleanup({line})")

    def close(self) -> None:
        is_there = True
        for end in (self.unwatch, self._end_pwm):
            for line in list(self._watched if end == self.unwatch else self._pwm):
                is_there = is_there and self._ends(end, line)
        for watched in list(self._watched.values()):
            watched.pipe.close()
        self._watched.clear()
        self._pwm.clear()
        if self._is_own:
            self._device.close()

    @staticmethod
    def _ends(end: Callable[[int], object], line: int) -> bool:
        """End something of a line; False where the device has gone, and nothing of it is left to end."""
        try:
            end(line)
        except errors.LineGoneError:
            return False
        except errors.CommandError as e:  # the device has been started anew, say, and knows nothing of it
            log.debug("GPIO %s: %s", line, e)
        return True


def _id(line: int) -> str:
    """What the original calls the event of a line."""
    return f"evtDetect{line}"
