# SPDX-License-Identifier: LGPL-3.0-or-later
"""The table of what can stand in a circuit's file: each kind with its keys, and what makes it."""

from __future__ import annotations

from . import keys
from .ads1115 import VOLTS_LEAST, VOLTS_MOST, Ads1015, Ads1115
from .bme280 import HUMIDITIES, PRESSURES, TEMPERATURES, Bme280
from .buses import I2C_BUSES, i2c_bus, spi_bus
from .button import BOUNCES_MAX, GROUND, SUPPLY, Button, Contact, Switch
from .dht import Dht
from .eeprom import PAGES, Eeprom
from .encoder import Encoder
from .keys import DRIVES, EITHER, HEARS, PULLS, Key
from .led import Led
from .mcp3008 import Mcp3008
from .mcp23017 import Mcp23017
from .pcf8574 import Pcf8574
from .registers import Registers
from .servo import LEAST_US, MOST_US, Servo
from .si4703 import Si4703
from .ssd1306 import Ssd1306
from .ultrasonic import DISTANCE_MAX_CM, Ultrasonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ..backends.sim import SimBackend

    Values = Mapping[str, Any]
    Make = Callable[[SimBackend, Values], object]


class Kind:
    """A kind of thing: its keys, and what makes one on a board. *place* names where its bus has it, and only it."""

    __slots__ = ("keys", "make", "place")

    def __init__(self, make: Make, place: Callable[[Values], str] | None = None, **known: Key) -> None:
        self.make, self.place, self.keys = make, place, {"name": Key(keys.name, ""), **known}


def _i2c(make: Make, addresses: tuple[int, int], first: int | None = None, **known: Key) -> Kind:
    """A chip on an I2C bus, whose address is one of those from the first to the last."""

    def put(board: SimBackend, values: Values) -> object:
        """Make it, and put it on its bus."""
        chip: Any = make(board, values)
        i2c_bus(board, values["bus"]).add(values["address"], chip)
        return chip

    return Kind(
        put,
        lambda values: f"0x{values['address']:02x} of I2C bus {values['bus']}",
        bus=Key(keys.choice(*I2C_BUSES), 1),
        address=Key(keys.whole(*addresses, "0x{:02x}"), first if first is not None else addresses[0]),
        **known,
    )


def _spi(make: Make, **known: Key) -> Kind:
    """A chip on an SPI bus."""

    def put(board: SimBackend, values: Values) -> object:
        """Make it, and put it on its bus."""
        chip: Any = make(board, values)
        spi_bus(board, values["bus"], values["device"]).add(chip)
        return chip

    return Kind(
        put,
        lambda values: f"SPI {values['bus']}.{values['device']}",
        bus=Key(keys.choice(0), 0),
        device=Key(keys.choice(0, 1), 0),
        **known,
    )


def _contact(contact: type[Contact], board: SimBackend, values: Values) -> Contact:
    return contact(
        board,
        values["line"],
        SUPPLY if values["to"] == "3.3V" else GROUND,
        values["bounces"],
        values["bounce_ms"],
        values["resistor"],
    )


def _switch(board: SimBackend, values: Values) -> Contact:
    made = _contact(Switch, board, values)
    if values["closed"] and isinstance(made, Switch):
        made.close()
    return made


def _registers(board: SimBackend, values: Values) -> Registers:
    count, most = values["count"], (1 << values["width"]) - 1
    for register, value in values["values"].items():
        if register >= count or value > most:
            text = f"{count} registers of {values['width']} bits have no {value} in register {register}"
            raise keys.Wrong(text, ("values",))
    return Registers(values["width"], count, values["values"], values["order"], values["increments"])


def _eeprom(board: SimBackend, values: Values) -> Eeprom:
    data = values["text"].encode()
    if len(data) > values["size"]:
        raise keys.Wrong(f"{len(data)} bytes are more than the memory has, {values['size']}", ("text",))
    return Eeprom(board, values["size"], data, values["write_ms"])


_VOLTS = keys.numbers(4, VOLTS_LEAST, VOLTS_MOST, "V")
_ALERT: Any = {"alert": Key(keys.line, None, PULLS)}
_PIN_LINES: Any = {"lines": lambda pins: pins.values()}
_CONTACT: Any = {
    "line": Key(keys.line, role=PULLS),
    "to": Key(keys.choice("ground", "3.3V"), "ground"),
    "bounces": Key(keys.whole(0, BOUNCES_MAX), 0),
    "bounce_ms": Key(keys.number(0.001, 100, "ms"), 0.5),
    "resistor": Key(keys.switch, False),
}
_CELSIUS = keys.number(*TEMPERATURES, "degrees")
_PERCENT = keys.number(*HUMIDITIES, "%")

CHIPS: dict[str, Kind] = {
    "ads1115": _i2c(
        lambda board, v: Ads1115(board, v["volts"], v["alert"]),
        (0x48, 0x4B),
        volts=Key(_VOLTS, (0.0,) * 4),
        **_ALERT,
    ),
    "ads1015": _i2c(
        lambda board, v: Ads1015(board, v["volts"], v["alert"]),
        (0x48, 0x4B),
        volts=Key(_VOLTS, (0.0,) * 4),
        **_ALERT,
    ),
    "pcf8574": _i2c(
        lambda board, v: Pcf8574(board, v["pins"], v["interrupt"]),
        (0x20, 0x3F),
        pins=Key(keys.pins(8), {}, PULLS, **_PIN_LINES),
        interrupt=Key(keys.line, None, PULLS),
    ),
    "mcp23017": _i2c(
        lambda board, v: Mcp23017(board, v["pins"], v["int_a"], v["int_b"]),
        (0x20, 0x27),
        pins=Key(keys.pins(16), {}, EITHER, **_PIN_LINES),
        int_a=Key(keys.line, None, DRIVES),
        int_b=Key(keys.line, None, DRIVES),
    ),
    "bme280": _i2c(
        lambda board, v: Bme280(board, v["temperature_c"], v["pressure_hpa"], v["humidity_percent"]),
        (0x76, 0x77),
        temperature_c=Key(_CELSIUS, 20.0),
        pressure_hpa=Key(keys.number(*PRESSURES, "hPa"), 1013.25),
        humidity_percent=Key(_PERCENT, 50.0),
    ),
    "ssd1306": _i2c(
        lambda board, v: Ssd1306(board, v["height"]), (0x3C, 0x3D), height=Key(keys.choice(32, 64), 64)
    ),
    "si4703": _i2c(lambda board, v: Si4703(board, v["rssi"]), (0x10, 0x10), rssi=Key(keys.whole(0, 75), 35)),
    "eeprom": _i2c(
        _eeprom,
        (0x50, 0x57),
        size=Key(keys.choice(*PAGES), 4096),
        text=Key(keys.text(0, 65536), ""),
        write_ms=Key(keys.number(0, 100, "ms"), 5.0),
    ),
    "registers": _i2c(
        _registers,
        (0x03, 0x77),
        0x20,
        width=Key(keys.choice(8, 16), 8),
        count=Key(keys.whole(1, 256), 256),
        values=Key(keys.registers, {}),
        order=Key(keys.choice("big", "little"), "big"),
        increments=Key(keys.switch, True),
    ),
    "mcp3008": _spi(
        lambda board, v: Mcp3008(v["volts"], v["reference"]),
        volts=Key(keys.numbers(8, -0.6, 6.1, "V"), (0.0,) * 8),
        reference=Key(keys.number(0.25, 5.5, "V"), 3.3),
    ),
}
"""Those of [[chip]], by their type."""

PARTS: dict[str, Kind] = {
    "button": Kind(lambda board, v: _contact(Button, board, v), **_CONTACT),
    "switch": Kind(_switch, closed=Key(keys.switch, False), **_CONTACT),
    "led": Kind(
        lambda board, v: Led(board, v["line"], v["active"] == "high"),
        line=Key(keys.line, role=HEARS),
        active=Key(keys.choice("high", "low"), "high"),
    ),
    "servo": Kind(
        lambda board, v: Servo(board, v["line"], v["least_us"], v["most_us"], v["degrees"]),
        line=Key(keys.line, role=HEARS),
        least_us=Key(keys.number(LEAST_US, MOST_US, "us"), 1000.0),
        most_us=Key(keys.number(LEAST_US, MOST_US, "us"), 2000.0),
        degrees=Key(keys.number(1, 360, "degrees"), 180.0),
    ),
    "encoder": Kind(
        lambda board, v: Encoder(board, v["a"], v["b"], v["resistors"]),
        a=Key(keys.line, role=PULLS),
        b=Key(keys.line, role=PULLS),
        resistors=Key(keys.switch, True),
    ),
    "ultrasonic": Kind(
        lambda board, v: Ultrasonic(board, v["trigger"], v["echo"], v["distance_cm"]),
        trigger=Key(keys.line, role=HEARS),
        echo=Key(keys.line, role=DRIVES),
        distance_cm=Key(keys.number(2, DISTANCE_MAX_CM, "cm"), 100.0),
    ),
    "dht": Kind(
        lambda board, v: Dht(board, v["line"], v["temperature_c"], v["humidity_percent"], v["kind"]),
        line=Key(keys.line, role=PULLS),
        kind=Key(keys.choice(22, 11), 22),
        temperature_c=Key(_CELSIUS, 20.0),
        humidity_percent=Key(_PERCENT, 50.0),
    ),
}
"""Those with a table of their own, [[button]]."""
