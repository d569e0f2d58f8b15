# SPDX-License-Identifier: LGPL-3.0-or-later
"""MCP23017: two ports of eight pins, with pull-ups and interrupts.

Source: Microchip MCP23017/MCP23S17 data sheet (DS20001952C), 3.2 (the register pointer, BANK and SEQOP), 3.5 (registers
and their values after reset), 3.6 (interrupts).
"""

from __future__ import annotations

from .chip import I2cChip
from .expander import InterruptOutput, Pins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..backends.sim import SimBackend

IODIR, IPOL, GPINTEN, DEFVAL, INTCON, IOCON, GPPU, INTF, INTCAP, GPIO, OLAT = range(11)
"""As they are numbered within a port."""
BANK, MIRROR, SEQOP, OPEN_DRAIN, INT_HIGH = 0x80, 0x40, 0x20, 0x04, 0x02
IOCON_BITS = 0xFE
READ_ONLY = (INTF, INTCAP)


class _Port:
    """A port of eight pins."""

    def __init__(self, board: SimBackend, pins: Mapping[int, int]) -> None:
        self.registers = [0] * 11
        self.registers[IODIR] = 0xFF
        self._is_ready = False
        self.previous = 0
        self.tell: Callable[[], object] = bool  # which does nothing
        self.pins = Pins(board, 8, pins, self.look)
        self.previous = self.pins.levels()
        self._is_ready = True

    def apply(self) -> None:
        """Have the pins do what the registers say."""
        self._is_ready = False
        direction, latch, pulls = (self.registers[register] for register in (IODIR, OLAT, GPPU))
        for pin in range(8):
            is_input = direction >> pin & 1
            self.pins.set(pin, None if is_input else latch >> pin & 1, bool(pulls >> pin & 1))
        self._is_ready = True
        self.look()

    def look(self) -> None:
        """See whether the levels are a reason for an interrupt."""
        if not self._is_ready:
            return
        levels, before = self.pins.levels(), self.previous
        self.previous = levels
        registers = self.registers
        compared = registers[INTCON]
        differs = (levels ^ registers[DEFVAL]) & compared | (levels ^ before) & ~compared
        reasons = differs & registers[GPINTEN] & registers[IODIR]
        if reasons and not registers[INTF]:  # what comes before that is cleared is not noticed
            registers[INTF] = reasons
            registers[INTCAP] = levels ^ registers[IPOL]
            self.tell()

    def clear(self) -> None:
        """End the interrupt; where a level still differs from DEFVAL there is the next one."""
        if self.registers[INTF]:
            self.registers[INTF] = 0
            self.tell()
            self.look()


class Mcp23017(I2cChip):
    """*pins*: which of the pins 0 to 15 (GPA0 to GPB7) are wired to lines, {0: 17}. *int_a*, *int_b*: the lines at INTA
    and INTB. ``drive(pin, value)`` is the world outside, ``level(pin)`` a voltmeter.
    """

    def __init__(
        self,
        board: SimBackend,
        pins: Mapping[int, int] | None = None,
        int_a: int | None = None,
        int_b: int | None = None,
    ) -> None:
        self._board, pins = board, pins or {}
        for pin in pins:
            if not 0 <= pin < 16:
                raise ValueError(f"pins are 0 to 15, not {pin}")
        self._outputs = (InterruptOutput(board, int_a), InterruptOutput(board, int_b))
        self._ports = tuple(
            _Port(board, {pin % 8: line for pin, line in pins.items() if pin // 8 == port}) for port in (0, 1)
        )
        for port in self._ports:
            port.tell = self._show
        self._iocon = 0
        self._pointer, self._has_pointer = 0, False
        for port in self._ports:
            port.apply()
        self._show()

    def drive(self, pin: int, value: int | None) -> None:
        """Drive a pin from outside to 0 or 1, or let go of it with None. ValueError: it is wired to a line, or none."""
        if not 0 <= pin < 16:
            raise ValueError(f"pins are 0 to 15, not {pin}")
        self._ports[pin // 8].pins.drive(pin % 8, value)

    def level(self, pin: int) -> int:
        """The level of a pin."""
        return self._ports[pin // 8].pins.level(pin % 8)

    # -- bytes -----------------------------------------------------------------------------------

    def start(self, is_read: bool) -> bool:
        self._has_pointer = is_read
        return True

    def write(self, byte: int) -> bool:
        if not self._has_pointer:
            self._pointer, self._has_pointer = byte, True
            return True
        port, register = self._here()
        self._go_on()
        if port is not None:
            with self._board.whole():
                self._put(port, register, byte)
        return True

    def read(self) -> int:
        port, register = self._here()
        self._go_on()
        if port is None:
            return 0
        with self._board.whole():
            return self._get(port, register)

    def _here(self) -> tuple[_Port | None, int]:
        """The port and the register that the pointer is at; no port where there is no register."""
        if self._iocon & BANK:
            number, register = self._pointer >> 4, self._pointer & 0x0F
        else:
            number, register = self._pointer & 1, self._pointer >> 1
        return (self._ports[number] if number < 2 and register <= OLAT else None), register

    def _go_on(self) -> None:
        """Move the pointer: round all registers, or, in byte mode, between those of the two ports, or not at all."""
        if self._iocon & BANK:
            if not self._iocon & SEQOP:
                self._pointer = {0x0A: 0x10, 0x1A: 0x00}.get(self._pointer, self._pointer + 1 & 0xFF)
        elif self._iocon & SEQOP:
            self._pointer ^= 1
        else:
            self._pointer = 0 if self._pointer >= 0x15 else self._pointer + 1

    # -- registers -------------------------------------------------------------------------------

    def _put(self, port: _Port, register: int, byte: int) -> None:
        if register == IOCON:
            self._iocon = byte & IOCON_BITS  # it is one register at two addresses
            self._show()
        elif register not in READ_ONLY:
            port.registers[OLAT if register == GPIO else register] = byte
            port.apply()

    def _get(self, port: _Port, register: int) -> int:
        if register == IOCON:
            return self._iocon
        if register == GPIO:
            value = port.pins.levels() ^ port.registers[IPOL]
            port.clear()
            return value
        value = port.registers[register]
        if register == INTCAP:
            port.clear()
        return value

    def _show(self) -> None:
        """Show interrupts at INTA and INTB."""
        are_active = [port.registers[INTF] != 0 for port in self._ports]
        if self._iocon & MIRROR:
            are_active = [any(are_active)] * 2
        for output, is_active in zip(self._outputs, are_active, strict=True):
            if self._iocon & OPEN_DRAIN:
                output.show(0 if is_active else None)
            else:
                output.show(int(is_active == bool(self._iocon & INT_HIGH)))
