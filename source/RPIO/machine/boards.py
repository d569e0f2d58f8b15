# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which boards there are: models and revision codes, as tables. Their SoCs are in `socs`, their pins in `headers`.

A new board is one row in ``ROWS``. Everything that a program may ask of a board is an attribute of ``Hardware``, which
comes from a revision code (`decode`), from the device tree (`from_compatible`), from a name (`by_name`, the simulated
board) or from a gpiochip that belongs to no Raspberry Pi (`generic`). Nothing here reads a file: that is `detect`.

Sources, named at the tables by their short form:

- *codes*: Raspberry Pi documentation, "Raspberry Pi revision codes" (type, processor, memory and maker
  fields, the codes in use, the device tree values)
- *cpuinfo.c*, *common.c*, *py_gpio.c*: RPi.GPIO 0.7.1
- *original*: RPIO 0.10.1, ``RPIO/__init__.py`` and its GPIO tables
- *binding*: Linux, Documentation/devicetree/bindings/arm/bcm/bcm2835.yaml, and the .dts files
- *pinctrl*: Linux, drivers/pinctrl/bcm/pinctrl-bcm2835.c and drivers/pinctrl/pinctrl-rp1.c
"""

from __future__ import annotations

from .headers import FIXED_PULL_UPS, HEADERS, P5, usable_lines
from .socs import PROCESSORS, SOC_COMPATIBLES, SOCS, UNKNOWN, UNKNOWN_SOC, Soc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# --- models -------------------------------------------------------------------------------------


class Model:
    """One row of the table of models, which says what the columns are."""

    __slots__ = (
        "code",
        "compatibles",
        "example",
        "layout",
        "name",
        "p1_revision",
        "rpi_gpio_type",
        "short",
        "soc",
    )

    def __init__(self, row: tuple[str, str, int | None, int, str, str, int, str]) -> None:
        self.short, self.rpi_gpio_type, self.code, self.p1_revision, self.layout = row[:5]
        soc, self.example, compatibles = row[5:]
        self.name = "Raspberry Pi " + self.rpi_gpio_type.removeprefix("Pi ")
        self.soc = SOCS.get(soc, UNKNOWN_SOC)
        self.compatibles = tuple("raspberrypi," + compatible for compatible in compatibles.split())


# Columns: short name ("5B" for what *codes* calls "5"); RPi.GPIO's TYPE, from which the full name follows;
# type field; P1_REVISION (0 compute module, 1 and 2 26 pins, 3 40 pins); header; SoC, if neither code
# nor device tree tells; a revision code of such a board, for the simulated one; device-tree names.
#
# Sources: *codes*; TYPE and P1_REVISION *cpuinfo.c* up to CM4, continued in its manner from CM4S on,
# where RPi.GPIO itself says "Unknown" and 3; device-tree names *codes* and *binding*. Revision codes of
# Alpha, CM4S and CM0 are put together from their fields, the others are in use.
#
# A compute module has no header: BOARD numbers are refused there, as in RPi.GPIO, and the layout is
# that of the I/O board, to be drawn. Upstream's "model-b" and "model-b-i2c0" are both the first
# revision; it has no type field, so that row is found by old-style codes and by the device tree only.
# The 500+ shares the code and the device tree of the 500.
# fmt: off
ROWS = tuple(Model(row) for row in (
    ("A",        "Model A",               0x00, 2, "26 rev 2", "BCM2835", 0x0008,   "model-a"),
    ("B",        "Model B",               0x01, 2, "26 rev 2", "BCM2835", 0x000E,   "model-b-rev2"),
    ("B",        "Model B",               None, 1, "26 rev 1", "BCM2835", 0x0002,   "model-b model-b-i2c0"),
    ("A+",       "Model A+",              0x02, 3, "40",       "BCM2835", 0x900021, "model-a-plus"),
    ("B+",       "Model B+",              0x03, 3, "40",       "BCM2835", 0x900032, "model-b-plus"),
    ("2B",       "Pi 2 Model B",          0x04, 3, "40",       "BCM2836", 0xA01041,
     "2-model-b 2-model-b-rev2"),
    ("Alpha",    "Alpha",                 0x05, 3, "40",       "BCM2835", 0x900050, ""),
    ("CM1",      "Compute Module 1",      0x06, 0, "40",       "BCM2835", 0x900061, "compute-module"),
    ("3B",       "Pi 3 Model B",          0x08, 3, "40",       "BCM2837", 0xA02082, "3-model-b"),
    ("Zero",     "Zero",                  0x09, 3, "40",       "BCM2835", 0x900093, "model-zero"),
    ("CM3",      "Compute Module 3",      0x0A, 0, "40",       "BCM2837", 0xA020A0,
     "3-compute-module 3-compute-module-lite"),
    ("Zero W",   "Zero W",                0x0C, 3, "40",       "BCM2835", 0x9000C1, "model-zero-w"),
    ("3B+",      "Pi 3 Model B+",         0x0D, 3, "40",       "BCM2837", 0xA020D3, "3-model-b-plus"),
    ("3A+",      "Pi 3 Model A+",         0x0E, 3, "40",       "BCM2837", 0x9020E0, "3-model-a-plus"),
    ("CM3+",     "Compute Module 3+",     0x10, 0, "40",       "BCM2837", 0xA02100, "3-plus-compute-module"),
    ("4B",       "Pi 4 Model B",          0x11, 3, "40",       "BCM2711", 0xC03114, "4-model-b"),
    ("Zero 2 W", "Zero 2 W",              0x12, 3, "40",       "BCM2837", 0x902120,
     "model-zero-2-w model-zero-2"),
    ("400",      "Pi 400",                0x13, 3, "40",       "BCM2711", 0xC03130, "400"),
    ("CM4",      "Compute Module 4",      0x14, 0, "40",       "BCM2711", 0xC03140, "4-compute-module"),
    ("CM4S",     "Compute Module 4S",     0x15, 0, "40",       "BCM2711", 0xA03150,
     "4-compute-module-s 4s-compute-module"),
    ("5B",       "Pi 5 Model B",          0x17, 3, "40",       "BCM2712", 0xD04171, "5-model-b"),
    ("CM5",      "Compute Module 5",      0x18, 0, "40",       "BCM2712", 0xD04180, "5-compute-module"),
    ("500",      "Pi 500",                0x19, 3, "40",       "BCM2712", 0xD04190, "500"),
    ("CM5 Lite", "Compute Module 5 Lite", 0x1A, 0, "40",       "BCM2712", 0xD041A0, "5-compute-module"),
    ("CM0",      "Compute Module 0",      0x1B, 0, "40",       "BCM2837", 0x9021B0, ""),
))
# fmt: on

UNKNOWN_MODEL = Model((UNKNOWN, UNKNOWN, None, 3, "40", UNKNOWN, 0, ""))
"""What is not in the table is taken for a board with 40 pins, as RPi.GPIO does (cpuinfo.c)."""

BY_TYPE = {row.code: row for row in ROWS if row.code is not None}
MODELS = list(dict.fromkeys(row.short for row in ROWS))
"""The names that `by_name` knows."""


# --- revision codes -----------------------------------------------------------------------------

NEW_STYLE = 1 << 23
FLAGS = 0xFF000000
"""Not the board's identity: overvoltage, OTP and warranty bits, and the old "1000" prefix (bit 24)."""

MEMORY_MB = (256, 512, 1024, 2048, 4096, 8192, 16384, 0)
"""The memory field -> MB; 7 is "other", 0 here is "unknown". Source: *codes*."""

MAKERS = {0: "Sony UK", 1: "Egoman", 2: "Embest", 3: "Sony Japan", 4: "Embest", 5: "Stadium"}
"""The maker field. Source: *codes*."""

# Code -> short name, P1_REVISION, PCB revision, MB (0: sold with either), maker as sysinfo() shows it,
# maker as RPI_INFO shows it. Sources: *original* MODEL_DATA for 0002 to 0010, the makers' last column
# *cpuinfo.c*, the rest *codes*. (*codes* has Egoman for 000f, and 1.2 for 0010; history has the word.)
# fmt: off
OLD_CODES = {
    0x0002: ("B",   1, "1.0", 256, "?",       "Egoman"),
    0x0003: ("B",   1, "1.0", 256, "?",       "Egoman"),
    0x0004: ("B",   2, "2.0", 256, "Sony",    "Sony UK"),
    0x0005: ("B",   2, "2.0", 256, "Qisda",   "Qisda"),
    0x0006: ("B",   2, "2.0", 256, "Egoman",  "Egoman"),
    0x0007: ("A",   2, "2.0", 256, "Egoman",  "Egoman"),
    0x0008: ("A",   2, "2.0", 256, "Sony",    "Sony UK"),
    0x0009: ("A",   2, "2.0", 256, "Qisda",   "Qisda"),
    0x000D: ("B",   2, "2.0", 512, "Egoman",  "Egoman"),
    0x000E: ("B",   2, "2.0", 512, "Sony",    "Sony UK"),
    0x000F: ("B",   2, "2.0", 512, "Qisda",   "Qisda"),
    0x0010: ("B+",  3, "1.0", 512, "Sony",    "Sony UK"),
    0x0011: ("CM1", 0, "1.0", 512, "Sony UK", "Sony UK"),
    0x0012: ("A+",  3, "1.1", 256, "Sony UK", "Sony UK"),
    0x0013: ("B+",  3, "1.2", 512, "Embest",  "Embest"),
    0x0014: ("CM1", 0, "1.0", 512, "Embest",  "Embest"),
    0x0015: ("A+",  3, "1.1", 0,   "Embest",  "Embest"),
}
# fmt: on

_BY_SHORT_AND_P1 = {(row.short, row.p1_revision): row for row in ROWS}


# --- what the rest of RPIO sees -----------------------------------------------------------------


class Hardware:
    """One board, as far as it is known. Attributes are set once; the dicts are this object's own.

    ``revision_code`` None and ``revision_hex`` "0000": not known. ``pcb_revision`` "?", ``maker`` and
    ``soc`` "Unknown", ``memory_mb`` 0: likewise.
    """

    __slots__ = (
        "board_channels",
        "chip_label",
        "fixed_pull_ups",
        "gpio_compatible",
        "gpiomem",
        "header",
        "header_lines",
        "is_pi",
        "line_count",
        "maker",
        "memory_mb",
        "model",
        "name",
        "p1_revision",
        "p5",
        "pcb_revision",
        "peripheral_base",
        "revision_code",
        "revision_hex",
        "rpi_info",
        "soc",
        "sysinfo",
    )

    def __init__(
        self,
        row: Model,
        soc: Soc,
        *,
        name: str = "",
        revision_code: int | None = None,
        pcb_revision: str = "?",
        memory_mb: int = 0,
        maker: str = UNKNOWN,
        sysinfo_maker: str = "",
        is_pi: bool = True,
    ) -> None:
        self.is_pi = is_pi
        self.name = name or row.name
        self.model = row.short
        self.soc = soc.name
        self.pcb_revision = pcb_revision
        self.memory_mb = memory_mb
        self.maker = maker

        self.revision_code = revision_code
        """With all its flags, as it was read."""
        self.revision_hex = f"{(revision_code or 0) & ~FLAGS:04x}"
        """Four or six digits, without flags and overvoltage prefix: "000e", "a020d3"."""

        self.p1_revision = row.p1_revision
        self.p5 = row.layout == "26 rev 2"
        self.header = dict(HEADERS[row.layout])
        """Pin -> line, or "3V3", "5V", "GND"; a compute module has that of its I/O board."""
        usable = usable_lines(self.header)
        self.board_channels = usable if row.p1_revision else {}
        """Pin -> line, for the pins that are channels in BOARD mode."""
        self.header_lines = tuple(sorted((*usable.values(), *usable_lines(P5 if self.p5 else {}).values())))
        """The lines that a program may use on the headers, P5 included, the ID EEPROM's two left out."""

        self.line_count = soc.line_count
        self.chip_label = soc.chip_label
        self.gpio_compatible = soc.gpio_compatible
        self.peripheral_base = soc.peripheral_base
        self.gpiomem = soc.gpiomem
        self.fixed_pull_ups: tuple[int, ...] = FIXED_PULL_UPS[row.p1_revision]
        """Lines with a pull-up resistor on the board."""

        self.rpi_info: dict[str, int | str] = {
            "P1_REVISION": row.p1_revision,
            "REVISION": f"{revision_code or 0:04x}",
            "TYPE": row.rpi_gpio_type,
            "MANUFACTURER": maker,
            "PROCESSOR": soc.name,
            "RAM": _ram_text(memory_mb),
        }
        """RPi.GPIO's RPI_INFO; REVISION is, as there, the code with its flags."""
        self.sysinfo = (self.revision_hex, row.short, pcb_revision, memory_mb, sysinfo_maker or maker)
        """(revision hex, model, PCB revision, MB, maker), the answer of the original's sysinfo()."""

    def has_pin(self, line: int) -> bool:
        """Whether the line is on a header, P5 and the pins of the ID EEPROM included."""
        return line in self.header.values() or line in self.header_lines

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(self, name):
            raise AttributeError(f"{name} of a Hardware is read-only")
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name} of a Hardware is read-only")

    def __repr__(self) -> str:
        return f"<Hardware {self.name}, {self.revision_hex}>"


def _ram_text(memory_mb: int) -> str:
    """RPi.GPIO's RAM: "512M", "4G", "Unknown"."""
    if not memory_mb:
        return UNKNOWN
    return f"{memory_mb}M" if memory_mb < 1024 else f"{memory_mb // 1024}G"


def decode(revision_code: int, compatibles: tuple[str, ...] = (), model: str = "") -> Hardware:
    """Return the board of a revision code; *compatibles* and *model* of the device tree complete it.

    Never raises: what is not in the tables is "Unknown", what is known beside it is kept. A SoC that
    the device tree names wins over the code's processor field; a type that is not in the table is
    looked for in the device tree.

    Source: *codes*: NOQuuuWu F MMM CCCC PPPP TTTTTTTT RRRR.
    """
    code = revision_code & 0xFFFFFFFF
    known = _new_style(code) if code & NEW_STYLE else _old_style(code & ~FLAGS)
    row, soc, pcb_revision, memory_mb, sysinfo_maker, maker = known
    name = ""
    if row is None:
        row, name = _find(compatibles, model)
    return Hardware(
        row,
        _soc_of(compatibles) or soc or row.soc,
        name=name,
        revision_code=code,
        pcb_revision=pcb_revision,
        memory_mb=memory_mb,
        maker=maker,
        sysinfo_maker=sysinfo_maker,
    )


def _new_style(code: int) -> tuple[Model | None, Soc | None, str, int, str, str]:
    maker = MAKERS.get(code >> 16 & 0xF, UNKNOWN)
    return (
        BY_TYPE.get(code >> 4 & 0xFF),
        PROCESSORS.get(code >> 12 & 0xF, UNKNOWN_SOC),
        f"1.{code & 0xF}",
        MEMORY_MB[code >> 20 & 7],
        maker,
        maker,
    )


def _old_style(code: int) -> tuple[Model | None, Soc | None, str, int, str, str]:
    if code not in OLD_CODES:
        return None, None, "?", 0, UNKNOWN, UNKNOWN
    short, p1_revision, pcb_revision, memory_mb, sysinfo_maker, maker = OLD_CODES[code]
    row = _BY_SHORT_AND_P1[short, p1_revision]
    return row, row.soc, pcb_revision, memory_mb, sysinfo_maker, maker


def from_compatible(compatibles: tuple[str, ...], model: str = "") -> Hardware:
    """Return the board that a device tree's ``compatible`` and ``model`` describe.

    For kernels that tell no revision code (upstream ones, QEMU). An unknown board keeps its model
    text as the name, its SoC, and 40 pins.
    """
    row, name = _find(compatibles, model)
    soc = _soc_of(compatibles) or row.soc
    return Hardware(row, soc, name=name, pcb_revision=_split_model(model)[1] or "?")


def _soc_of(compatibles: tuple[str, ...]) -> Soc | None:
    return next((SOC_COMPATIBLES[text] for text in compatibles if text in SOC_COMPATIBLES), None)


def _find(compatibles: tuple[str, ...], model: str) -> tuple[Model, str]:
    """Return the row that the device tree means, and the name to show if it is none of the table's.

    CM5 and CM5 Lite have the same ``compatible``; there, and for boards without one, ``model`` decides.
    """
    name, _ = _split_model(model)
    candidates = [row for row in ROWS if not set(row.compatibles).isdisjoint(compatibles)]
    named = [row for row in candidates or ROWS if row.name == name]
    if rows := named or candidates:
        return rows[0], ""
    return UNKNOWN_MODEL, name or "Unknown Raspberry Pi"


def _split_model(model: str) -> tuple[str, str]:
    """Split "Raspberry Pi 3 Model B Plus Rev 1.3" into the name as in the table and "1.3" or ""."""
    at = model.lower().rfind(" rev ")
    name, revision = (model[:at], model[at + 5 :].strip()) if at >= 0 else (model, "")
    return name.strip().replace(" Plus", "+"), revision


def generic(line_count: int, chip_label: str | None, name: str) -> Hardware:
    """Return a board that is no Raspberry Pi: line numbers only, no header, no BOARD mode."""
    soc = Soc((UNKNOWN, None, chip_label, line_count, None, None))
    row = Model((name, UNKNOWN, None, 0, "none", UNKNOWN, 0, ""))
    return Hardware(row, soc, name=name, is_pi=False)


def by_chip_label(label: str | None) -> Hardware | None:
    """Return a Raspberry Pi of which only the label of its header's chip is known; None for other labels.

    Of the SoCs that share a label it is the oldest, without an address of its peripherals: that differs.
    """
    found = [soc for soc in SOCS.values() if soc.chip_label == label]
    if not found:
        return None
    soc = found[0]
    base = soc.peripheral_base if len(found) == 1 else None
    soc = Soc((soc.name, soc.gpio_compatible, label, soc.line_count, base, soc.gpiomem))
    return Hardware(UNKNOWN_MODEL, soc, name="Unknown Raspberry Pi", pcb_revision="?")


def by_name(name: str) -> Hardware:
    """Return a Raspberry Pi by its short name, one of ``MODELS``, or its full name.

    Case and blanks do not count: "zero2w" is the Zero 2 W. Neither does what everybody leaves out, where one board
    alone is meant: "5" and "Pi 5" are the 5B, while "3" may be several.

    Raises:
        ValueError: there is no such model; the text has the closest name and all the choices.
    """
    wanted = _plain(name)
    for row in ROWS:
        if wanted in (_plain(row.short), _plain(row.name)):
            return decode(row.example)
    bare = wanted.removeprefix("raspberry").removeprefix("pi")
    meant = [row for row in ROWS if bare and _is_short_for(bare, _plain(row.short))]
    if len(meant) == 1:
        return decode(meant[0].example)
    if meant:
        several = ", ".join(repr(row.short) for row in meant)
        raise ValueError(f"There are several Raspberry Pi {name!r}: {several}.")
    import difflib

    plain = {_plain(short): short for short in MODELS}
    close = difflib.get_close_matches(wanted, plain, n=1, cutoff=0.3)
    hint = f", did you mean {plain[close[0]]!r}?" if close else "."
    raise ValueError(f"There is no Raspberry Pi {name!r}{hint} The choices are: {', '.join(MODELS)}")


def _is_short_for(word: str, short: str) -> bool:
    """Whether a word is that name, or what comes before its last letter: "5" for "5b", "3" for "3b+"."""
    rest = short.removeprefix(word)
    return word == short or (word[-1].isdigit() and short != rest and rest.rstrip("+").isalpha())


def _plain(name: str) -> str:
    return "".join(name.lower().split())


# --- the original RPIO's constants --------------------------------------------------------------

GPIO_LIST_R1 = decode(0x0002).header_lines
GPIO_LIST_R2 = decode(0x000E).header_lines
GPIO_LIST_R3 = decode(0x0010).header_lines

HEADER_P5 = 5 << 8
PIN_LIST = (*decode(0x000E).board_channels, *(pin | HEADER_P5 for pin in usable_lines(P5)))

MODEL_DATA = {
    f"{code:x}": (model, pcb_revision, memory_mb, maker)
    for code, (model, _, pcb_revision, memory_mb, maker, _) in OLD_CODES.items()
    if code <= 0x0010
}
"""Old revision code, as short as it goes -> (model, PCB revision, MB, maker)."""


OF_MACHINE: dict[str, Callable[[Hardware], object]] = {
    "RPI_REVISION": lambda hardware: hardware.p1_revision,
    "RPI_REVISION_HEX": lambda hardware: hardware.revision_hex,
    "RPI_INFO": lambda hardware: hardware.rpi_info,
}
"""Names of RPIO that need a look at the machine, which an import does not take."""
