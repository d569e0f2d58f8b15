# SPDX-License-Identifier: LGPL-3.0-or-later
"""The headers of a board as tables of pins, and those tables as text and as SVG. Nothing here touches a line.

Sources of the names: Raspberry Pi documentation, "GPIO and the 40-pin header", and the tables of alternate
functions in the BCM2835 and RP1 peripherals manuals.
"""

from __future__ import annotations

from .. import constants
from . import headers
from .headers import NAMES, NAMES_26, NAMES_RP1

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .boards import Hardware

    Live = tuple[str, "int | None", str]
    """Function ("IN", "OUT", "ALT0", "" where it cannot be read), level, and who holds the line."""

KINDS = {
    "I2C": ("SDA0", "SCL0", "SDA1", "SCL1"),
    "SPI": ("CE1", "CE0", "MISO", "MOSI", "SCLK"),
    "UART": ("TXD", "RXD"),
    "ID": ("ID_SD", "ID_SC"),
}
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names}

# Kind -> colour on a terminal (SGR), fill in the SVG, what the legend says.
COLOURS = {
    "5V": ("31", "#d1242f", "5V"),
    "3V3": ("33", "#e8830c", "3V3"),
    "GND": ("90", "#000000", "ground"),
    "GPIO": ("32", "#2da44e", "GPIO"),
    "I2C": ("36", "#0a7ea4", "I2C"),
    "SPI": ("35", "#8250df", "SPI"),
    "UART": ("34", "#3b5bdb", "UART"),
    "ID": ("90", "#6e7781", "ID EEPROM"),
}

FUNCTIONS = {**constants.FUNCTION_NAMES, constants.IN: "IN", constants.OUT: "OUT"}
"""The function names, as short as the columns want them."""


class Row:
    """One pin: where it is, what it is, and, where the board is at hand, what it does."""

    __slots__ = ("consumer", "function", "kind", "label", "level", "line", "names", "pin", "warning")

    def __init__(
        self, pin: int, what: int | str, names: tuple[str, ...], warning: str, live: Live | None
    ) -> None:
        self.pin, self.names, self.warning = pin, names, warning
        self.line = what if isinstance(what, int) else None
        self.label = f"GPIO{what}" if isinstance(what, int) else what
        self.kind = KIND_OF.get(names[0] if names else "", "GPIO") if isinstance(what, int) else what
        self.function, self.level, consumer = live or ("", None, "")
        self.consumer = "".join(c if c.isprintable() else "?" for c in consumer)

    def as_dict(self) -> dict[str, object]:
        """Return the row for JSON."""
        return {
            name: getattr(self, name) for name in ("pin", "label", *self.__slots__) if name != "names"
        } | {"names": list(self.names)}

    def matches(self, word: str) -> bool:
        """Whether the row is meant: "17" is GPIO 17, "pin17" a place, other words are looked for in all texts."""
        word = "".join(word.lower().split())
        if word.isdecimal():
            return self.line is not None and self.line == int(word)
        if word.startswith(("gpio", "pin")) and word[-1].isdecimal():
            return word in (self.label.lower(), f"pin{self.pin}")
        texts = (self.label, self.kind, *self.names, self.function, self.consumer)
        return any(word in "".join(text.lower().split()) for text in texts)


class Header:
    """One header: its title and its pins in order."""

    __slots__ = ("name", "rows", "title")

    def __init__(self, name: str, title: str, rows: list[Row]) -> None:
        self.name, self.title, self.rows = name, title, rows


def rows(hardware: Hardware, live: Callable[[int], Live] | None = None) -> list[Header]:
    """Return the headers of a board, none for a machine that is no Raspberry Pi; *live* tells of a line."""
    names = NAMES_26 if len(hardware.header) == 26 else NAMES
    if hardware.soc == "BCM2712":
        names = NAMES_RP1
    places = []
    if hardware.header:
        name = "J8" if len(hardware.header) == 40 else "P1"
        # a compute module has no header of its own
        where = f"header {name}" if hardware.p1_revision else f"header {name} of its I/O board"
        places.append((name, f"{hardware.name}, {where}", hardware.header))
    if hardware.p5:
        places.append(("P5", f"{hardware.name}, header P5", headers.P5))
    return [
        Header(
            name,
            title,
            [
                Row(pin, what, names.get(what, ()), _warning(hardware, what), live and live(what))
                if isinstance(what, int)
                else Row(pin, what, (), "", None)
                for pin, what in sorted(pins.items())
            ],
        )
        for name, title, pins in places
    ]


def _warning(hardware: Hardware, line: int) -> str:
    if line in hardware.fixed_pull_ups:
        return "fixed pull-up on the board"
    if line in (0, 1) and len(hardware.header) == 40:
        return "for a HAT's ID EEPROM; RPIO does not use it"
    return "serial console, where one is switched on" if line in (14, 15) else ""


# -- text ---------------------------------------------------------------------------------------------------


def text(headers: list[Header], width: int = 80, colour: bool = False, unicode: bool = True) -> str:
    """Return the headers as they lie on the board, or pin by pin where *width* is too narrow for that."""
    return "\n".join(_text(header, width, colour, unicode) for header in headers)


def listing(found: list[Row], width: int = 80, colour: bool = False, unicode: bool = True) -> str:
    """Return rows pin by pin."""
    sizes = _sizes(found)
    lines = []
    for row in found:
        cells = [
            f"{row.pin:2}",
            *(_fit(cell, size, unicode) for cell, size in zip(_cells(row), sizes, strict=True) if size),
        ]
        lines.append(_painted(_fit(" ".join(cells), width, unicode).rstrip(), row, colour))
    return "".join(line + "\n" for line in lines)


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    """What is said of a pin, from the inside to the outside, by the label first."""
    level = "" if row.level is None else str(row.level)
    return level, row.function, row.label, " ".join(row.names), row.consumer


def _sizes(found: list[Row]) -> list[int]:
    """The widths of the columns that `_cells` fills."""
    return [max(map(len, column)) for column in zip(*map(_cells, found), strict=True)]


def _fit(word: str, size: int, unicode: bool) -> str:
    """Pad or cut to *size*."""
    if not unicode:
        word = word.encode("ascii", "replace").decode()
    if len(word) > size:
        word = word[: max(size - 1, 0)] + ("…" if unicode else "~")[: size and 1]
    return word.ljust(size)


def _painted(word: str, row: Row, colour: bool) -> str:
    """Colour the label in a line of text, if colour is wanted."""
    if not colour:
        return word
    return word.replace(row.label, f"\033[{COLOURS[row.kind][0]}m{row.label}\033[0m", 1)


def _text(header: Header, width: int, colour: bool, unicode: bool) -> str:
    sizes = _sizes(header.rows)
    for at in (4, 3):  # room is made by the consumer first, then by the names
        over = 2 * sum(size + 1 for size in sizes if size) + 9 - width
        if over > 0 and sizes[at]:
            rest = sizes[at] - (over + 1) // 2
            sizes[at] = rest if rest >= 5 else 0
    out = [_fit(header.title, width, unicode).rstrip()]
    if 2 * sum(size + 1 for size in sizes if size) + 9 > width:
        out.append(listing(header.rows, width, colour, unicode).rstrip("\n"))
    else:
        for left, right in zip(header.rows[::2], header.rows[1::2], strict=True):
            out.append(_pair(left, right, sizes, colour, unicode))
        full = _sizes(header.rows)[4]
        if sizes[4] < full:
            held = [f"{row.label} is held by {row.consumer}" for row in header.rows if row.consumer]
            out.extend(_fit(sentence, width, unicode).rstrip() for sentence in held)
    return "\n".join((*out, *_notes(header.rows, width, unicode))) + "\n"


def _pair(left: Row, right: Row, sizes: list[int], colour: bool, unicode: bool) -> str:
    sides = []
    for row in (left, right):
        cells = [_fit(cell, size, unicode) for cell, size in zip(_cells(row), sizes, strict=True)]
        if row is left:
            cells = [cell.strip().rjust(len(cell)) for cell in cells]
        cells = [_painted(cell, row, colour and at == 2) for at, cell in enumerate(cells) if sizes[at]]
        sides.append(cells)
    first, other = ("■", "●") if unicode else ("#", "o")
    marks = [first if row.pin == 1 else other for row in (left, right)]
    if colour:
        marks = [
            f"\033[{COLOURS[row.kind][0]}m{mark}\033[0m"
            for row, mark in zip((left, right), marks, strict=True)
        ]
    middle = f"{left.pin:2} {marks[0]} {marks[1]} {right.pin:<2}"
    return " ".join((*reversed(sides[0]), middle, *sides[1])).rstrip()


def _notes(found: list[Row], width: int, unicode: bool) -> Iterator[str]:
    """The warnings, each once, with the lines that it is about."""
    import textwrap

    for warning in dict.fromkeys(row.warning for row in found if row.warning):
        about = ", ".join(row.label for row in found if row.warning == warning)
        yield from textwrap.wrap(f"{about}: {warning}", max(width, 10), subsequent_indent="  ")


# -- SVG ----------------------------------------------------------------------------------------------------

STYLE = """\
.bg{fill:#fff}text{font:12px system-ui,"DejaVu Sans",sans-serif;fill:#1f2328}
.t{font-size:15px;font-weight:600}.l{font-weight:600}.n,.k{fill:#59636e}.p{fill:#fff;font-size:9px;text-anchor:middle}
.e{text-anchor:end}.pin{stroke:#8c959f}.hi{fill:#2da44e;stroke:#2da44e}.lo{fill:none;stroke:#8c959f;stroke-width:1.5}
@media(prefers-color-scheme:dark){.bg{fill:#0d1117}text{fill:#e6edf3}.n,.k{fill:#9198a1}.p{fill:#fff}}
"""

MIDDLE, STEP, WIDTH = 400, 26, 800


def svg(headers: list[Header]) -> str:
    """Return the headers as one picture, one below the other, with a legend; for light and dark pages."""
    out: list[str] = []
    y = 12
    for header in headers:
        out.append(
            f'<text class="t" x="{MIDDLE}" y="{y + 18}" text-anchor="middle">{_xml(header.title)}</text>'
        )
        y += 46
        for row in header.rows:
            out.extend(_pin(row, y + (row.pin - 1) // 2 * STEP))
        y += (len(header.rows) + 1) // 2 * STEP + 4
    every = [row for header in headers for row in header.rows]
    y += 8  # the legend
    kinds = [kind for kind in COLOURS if any(row.kind == kind for row in every)]
    x = MIDDLE - 45 * len(kinds)
    for kind in kinds:
        _, fill, name = COLOURS[kind]
        out.append(f'<circle class="pin" cx="{x + 8}" cy="{y}" r="6" fill="{fill}"/>')
        out.append(f'<text class="k" x="{x + 19}" y="{y + 4}">{name}</text>')
        x += 90
    if any(row.level is not None for row in every):
        y += 24
        for x, style, name in ((MIDDLE - 82, "hi", "high"), (MIDDLE + 8, "lo", "low")):
            out.append(f'<circle class="{style}" cx="{x + 8}" cy="{y}" r="4"/>')
            out.append(f'<text class="k" x="{x + 19}" y="{y + 4}">{name}</text>')
    height = y + 24
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">\n'
        f'<style>{STYLE}</style>\n<rect class="bg" width="100%" height="100%"/>\n'
        + "\n".join(out)
        + "\n</svg>\n"
    )


def _pin(row: Row, y: int) -> Iterator[str]:
    side = 1 if row.pin % 2 == 0 else -1
    anchor = "" if side == 1 else " e"
    x, fill = MIDDLE + side * 13, COLOURS[row.kind][1]
    yield f"<g><title>{_xml(_about(row))}</title>"
    if row.pin == 1:
        yield f'<rect class="pin" x="{x - 10}" y="{y - 10}" width="20" height="20" fill="{fill}"/>'
    else:
        yield f'<circle class="pin" cx="{x}" cy="{y}" r="10" fill="{fill}"/>'
    yield f'<text class="p" x="{x}" y="{y + 3}">{row.pin}</text>'
    if row.level is not None:
        yield f'<circle class="{"hi" if row.level else "lo"}" cx="{MIDDLE + side * 36}" cy="{y}" r="4"/>'
    state = " ".join(filter(None, (row.function, row.consumer)))
    for style, at, word in (("l", 50, row.label), ("n", 112, " ".join(row.names)), ("n", 220, state)):
        if word:
            cut = _fit(word, min(len(word), 24), True)
            yield f'<text class="{style}{anchor}" x="{MIDDLE + side * at}" y="{y + 4}">{_xml(cut)}</text>'
    yield "</g>"


def _about(row: Row) -> str:
    """All that is known of a pin, in a line."""
    level = "" if row.level is None else ("low", "high")[row.level]
    held = f"held by {row.consumer}" if row.consumer else ""
    parts = (f"pin {row.pin}", row.label, *row.names, row.function, level, held, row.warning)
    return ", ".join(filter(None, parts))


def _xml(word: str) -> str:
    from html import escape

    return escape(word)
