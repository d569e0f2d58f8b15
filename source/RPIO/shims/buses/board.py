# SPDX-License-Identifier: LGPL-3.0-or-later
"""CircuitPython's ``board``: the lines of the header by its names. Under ``rpio run``, without Blinka."""

from __future__ import annotations

from RPIO.shims.circuit_buses import I2C as _I2C
from RPIO.shims.circuit_buses import SPI as _SPI
from RPIO.shims.circuit_pins import Pin as _Pin

(D0, D1, D2, D3, D4, D5, D6, D7, D8, D9, D10, D11, D12, D13) = map(_Pin, range(14))
(D14, D15, D16, D17, D18, D19, D20, D21, D22, D23, D24, D25, D26, D27) = map(_Pin, range(14, 28))
SDA, SCL = D2, D3
CE0, CE1, MISO, MOSI, SCLK, SCK = D8, D7, D9, D10, D11, D11
TXD, RXD, TX, RX = D14, D15, D14, D15
MISO_1, MOSI_1, SCLK_1, SCK_1 = D19, D20, D21, D21

board_id = "RASPBERRY_PI"
_made: dict[str, object] = {}


def I2C() -> _I2C:
    """Return the header's I2C bus, the same one each time."""
    made = _made.get("i2c") or _made.setdefault("i2c", _I2C(SCL, SDA))
    assert isinstance(made, _I2C)
    return made


def SPI() -> _SPI:
    """Return the header's SPI bus, the same one each time."""
    made = _made.get("spi") or _made.setdefault("spi", _SPI(SCLK, MOSI, MISO))
    assert isinstance(made, _SPI)
    return made
