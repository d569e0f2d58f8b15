# SPDX-License-Identifier: LGPL-3.0-or-later
"""ADS1115 and ADS1015: converters of four voltages, 16 and 12 bits, with a comparator.

Source: Texas Instruments ADS111x data sheet (SBAS444E), 7 and 8.1; ADS101x (SBAS473E) for the other's rates and bits.
"""

from __future__ import annotations

from .chip import I2cChip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..backends.sim import SimBackend

CONVERSION, CONFIG, LOW_THRESHOLD, HIGH_THRESHOLD = range(4)
POWER_UP = (0x0000, 0x8583, 0x8000, 0x7FFF)
"""Source: table 8-2 and what follows it."""
INPUTS: tuple[tuple[int, int | None], ...] = (
    *((0, 1), (0, 3), (1, 3), (2, 3)),
    *((0, None), (1, None), (2, None), (3, None)),
)
"""By MUX: the positive and the negative input; None is ground."""
FULL_SCALES = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256)
"""By PGA, in volts."""
OS, SINGLE, WINDOW, ACTIVE_HIGH, LATCHING, NO_COMPARATOR = 0x8000, 0x0100, 0x0010, 0x0008, 0x0004, 0x0003
NEEDED = (1, 2, 4)
"""By COMP_QUE: how many conversions in a row make an alert."""
WAKE_UP_NS = 25_000
READY_NS = 8_000
"""How long ALERT/RDY is active for each conversion. Source: 7.3.8."""
VOLTS_LEAST, VOLTS_MOST = -0.3, 5.8
"""What an input stands, with a supply of 5.5 V. Source: 6.1, absolute maximum ratings."""


def _signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word


class Ads1115(I2cChip):
    """*volts*: what is at the four inputs; ``volts`` may be changed at any time. *alert*: the line at ALERT/RDY.

    A conversion takes as long as its data rate says, by the board's clock.
    """

    RATES = (8, 16, 32, 64, 128, 250, 475, 860)
    SHIFT = 0
    """How many of the lower bits are always 0."""

    def __init__(
        self, board: SimBackend, volts: Sequence[float] = (0.0, 0.0, 0.0, 0.0), alert: int | None = None
    ) -> None:
        if len(volts) != 4:
            raise ValueError(f"there are four inputs, not {len(volts)}")
        self.volts = [float(volt) for volt in volts]
        self._board, self._clock, self._alert = board, board.clock, alert
        self._registers = list(POWER_UP)
        self._pointer = self._count = self._high = self._second = 0
        self._is_second = False
        self._begun_ns = 0
        self._due_ns: int | None = (
            None  # when the conversion that goes on has ended; continuous: the next one
        )
        self._in_a_row = 0
        self._is_alert = False
        self._call: int | None = None
        self._show()

    # -- bytes -----------------------------------------------------------------------------------

    def start(self, is_read: bool) -> bool:
        """Acknowledge; what is read is the register as it is now."""
        if is_read:
            if self._due_ns is not None:
                self._look()
            self._is_second = False
        else:
            self._count = 0
        return True

    def write(self, byte: int) -> bool:
        """Take the pointer, then a register's two bytes."""
        count = self._count
        self._count = count + 1
        if count == 0:
            self._pointer = byte & 3
        elif count == 1:
            self._high = byte
        elif count == 2:
            self._set(self._pointer, self._high << 8 | byte)
        return True

    def read(self) -> int:
        """Give a byte of the register, the higher one first, and again."""
        if self._is_second:
            self._is_second = False
            return self._second
        word = self._registers[self._pointer]
        self._second, self._is_second = word & 0xFF, True
        if self._is_alert and self._pointer == CONVERSION and self._registers[CONFIG] & LATCHING:
            self._say_alert(False)  # reading the conversion ends an alert that is kept
        return word >> 8

    # -- conversions -----------------------------------------------------------------------------

    @property
    def period_ns(self) -> int:
        """How long a conversion takes."""
        return 1_000_000_000 // self.RATES[self._registers[CONFIG] >> 5 & 7]

    def _set(self, register: int, word: int) -> None:
        if register == CONVERSION:
            return
        if register != CONFIG:
            self._registers[register] = word
            self._show()
            return
        is_busy = self._due_ns is not None and self._registers[CONFIG] & SINGLE
        self._registers[CONFIG] = word & ~OS if is_busy else word | OS
        if not word & SINGLE or (word & OS and not is_busy):  # OS has no effect while it converts
            self._begin(self._clock.now_ns())
        elif not is_busy:
            self._due_ns = None
        self._in_a_row = 0
        self._show()

    def _begin(self, now_ns: int) -> None:
        self._registers[CONFIG] &= ~OS
        self._due_ns = now_ns + WAKE_UP_NS + self.period_ns
        if self._is_alert:
            self._say_alert(False)
        if self._alert is not None and self._registers[CONFIG] & NO_COMPARATOR != NO_COMPARATOR:
            self._come_back()

    def _come_back(self) -> None:
        """Have the end of the conversion noticed, where a line shows it."""
        if self._call is not None:
            self._clock.forget(self._call)
        due_ns = self._due_ns
        self._call = None if due_ns is None else self._clock.call_at(due_ns, self._on_time)

    def _on_time(self) -> None:
        self._call = None
        self._look()
        if self._due_ns is not None:
            self._come_back()

    def _look(self) -> None:
        """End the conversion whose time has come."""
        due_ns, now_ns = self._due_ns, self._clock.now_ns()
        if due_ns is not None and due_ns <= now_ns:
            with self._board.whole():  # the clock's thread may be here too
                self._end(now_ns)

    def _end(self, now_ns: int) -> None:
        due_ns = self._due_ns
        if due_ns is None or due_ns > now_ns:
            return
        config = self._registers[CONFIG]
        self._registers[CONVERSION] = self._converted(config)
        if config & SINGLE:
            self._due_ns = None
            self._registers[CONFIG] = config | OS
        else:
            period_ns = self.period_ns
            self._due_ns = due_ns + ((now_ns - due_ns) // period_ns + 1) * period_ns
        if config & NO_COMPARATOR != NO_COMPARATOR:
            self._compare(config)

    def _converted(self, config: int) -> int:
        positive, negative = INPUTS[config >> 12 & 7]
        volts = self.volts[positive] - (0.0 if negative is None else self.volts[negative])
        steps = 32768 >> self.SHIFT
        value = round(volts * steps / FULL_SCALES[config >> 9 & 7])
        value = -steps if value < -steps else steps - 1 if value >= steps else value
        return (value << self.SHIFT) & 0xFFFF

    # -- the comparator --------------------------------------------------------------------------

    def _compare(self, config: int) -> None:
        low, high = _signed(self._registers[LOW_THRESHOLD]), _signed(self._registers[HIGH_THRESHOLD])
        if high < 0 <= low:  # 8.1.4: the line says that a conversion is ready
            self._say_alert(True)
            if not config & SINGLE:
                self._clock.call_at(self._clock.now_ns() + READY_NS, lambda: self._say_alert(False))
            return
        value = _signed(self._registers[CONVERSION])
        is_out = value > high or (config & WINDOW != 0 and value < low)
        self._in_a_row = self._in_a_row + 1 if is_out else 0
        if self._in_a_row >= NEEDED[config & NO_COMPARATOR]:
            self._say_alert(True)
        elif self._is_alert and not config & LATCHING and not is_out and (config & WINDOW or value < low):
            self._say_alert(False)

    def _say_alert(self, is_alert: bool) -> None:
        self._is_alert = is_alert
        self._show()

    def _show(self) -> None:
        """Show it at the line, whose output is an open drain."""
        if self._alert is None:
            return
        config = self._registers[CONFIG]
        is_off = config & NO_COMPARATOR == NO_COMPARATOR
        is_low = not is_off and self._is_alert != bool(config & ACTIVE_HIGH)
        wanted = 0 if is_low else None
        if self._board.driven(self._alert) != wanted:
            self._board.drive(self._alert, wanted)


class Ads1015(Ads1115):
    """The same with 12 bits, and quicker."""

    RATES = (128, 250, 490, 920, 1600, 2400, 3300, 3300)
    SHIFT = 4
