# SPDX-License-Identifier: LGPL-3.0-or-later
"""MCP3008: eight voltages, ten bits, on SPI.

Source: Microchip MCP3004/3008 data sheet (DS21295D), 4.1 (the code), table 5-2 (the control bits), 5.0, figure 5-1: a
start bit, four control bits, a bit for sampling, a null bit, ten bits with the highest first, then the same with the
lowest first, then zeros.
"""

from __future__ import annotations

from .chip import SpiChip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

CONTROL_BITS = 4
STEPS = 1024


class Mcp3008(SpiChip):
    """*volts*: what is at the eight inputs; ``volts`` may be changed at any time. *reference* is what 1024 would be."""

    def __init__(self, volts: Sequence[float] = (0.0,) * 8, reference: float = 3.3) -> None:
        if len(volts) != 8:
            raise ValueError(f"there are eight inputs, not {len(volts)}")
        if not reference > 0:
            raise ValueError(f"the reference is more than 0 V, not {reference}")
        self.volts = [float(volt) for volt in volts]
        self.reference = reference
        self._control: list[int] | None = None  # bits that have come behind the start bit
        self._answer: list[int] = []

    def select(self) -> None:
        self._control, self._answer = None, []

    def transfer(self, byte: int) -> int:
        answer = 0
        for bit in range(7, -1, -1):
            answer = answer << 1 | self._clock(byte >> bit & 1)
        return answer

    def _clock(self, bit: int) -> int:
        """A bit goes in while another comes out."""
        control = self._control
        if control is None:
            if bit:
                self._control = []
            return 0
        if len(control) < CONTROL_BITS:
            control.append(bit)
            if len(control) == CONTROL_BITS:
                code = self._code(*control)
                bits = [code >> at & 1 for at in range(9, -1, -1)]
                self._answer = [0, 0, *bits, *bits[-2::-1]]
            return 0
        return self._answer.pop(0) if self._answer else 0

    def _code(self, is_single: int, d2: int, d1: int, d0: int) -> int:
        number = d2 << 2 | d1 << 1 | d0
        volts = self.volts[number] if is_single else self.volts[number] - self.volts[number ^ 1]
        return max(0, min(STEPS - 1, int(STEPS * volts / self.reference)))
