# SPDX-License-Identifier: LGPL-3.0-or-later
"""What gpiozero knows of a board: from its revision code, or, of what is no Raspberry Pi, from its lines."""

from __future__ import annotations

from gpiozero.compat import frozendict
from gpiozero.exc import PinUnknownPi
from gpiozero.pins import BoardInfo, HeaderInfo, PinInfo
from gpiozero.pins.pi import PiBoardInfo

from ..machine import boards

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..machine.boards import Hardware

HEADER = "LINES"
"""The name of the one header of what is no Raspberry Pi: it has the lines of the gpiochip."""
PICTURE = "{name_of_board}\n\n{LINES:{style} full}"
COLUMNS = 2


class LinesInfo(BoardInfo):  # type: ignore[misc]
    """A board that is no Raspberry Pi, or none that gpiozero has heard of: all that is known are its lines."""

    __slots__ = ()

    @property
    def description(self) -> str:
        """What it is called."""
        return str(self.model)


def info_of(hardware: Hardware) -> BoardInfo:
    """Return what gpiozero has for a board."""
    code = int(hardware.revision_hex, 16)
    if not code and hardware.is_pi and hardware.model in boards.MODELS:
        code = (
            boards.by_name(hardware.model).revision_code or 0
        )  # known by its device tree: one of that model
    if code:
        try:
            return PiBoardInfo.from_revision(code)
        except PinUnknownPi:
            pass
    return _lines_of(hardware)


def _lines_of(hardware: Hardware) -> LinesInfo:
    pins = {line + 1: _pin(line, line in hardware.fixed_pull_ups) for line in range(hardware.line_count)}
    rows = -(-len(pins) // COLUMNS)
    header = HeaderInfo(name=HEADER, rows=rows, columns=COLUMNS, pins=frozendict(pins))
    return LinesInfo(
        revision=hardware.revision_hex,
        model=hardware.name,
        pcb_revision=hardware.pcb_revision,
        released="Unknown",
        soc=hardware.soc,
        manufacturer=hardware.maker,
        memory=hardware.memory_mb,
        storage="Unknown",
        usb=0,
        usb3=0,
        ethernet=0,
        eth_speed=0,
        wifi=False,
        bluetooth=False,
        csi=0,
        dsi=0,
        headers=frozendict({HEADER: header}),
        board=PICTURE.replace("{name_of_board}", hardware.name.replace("{", "(").replace("}", ")")),
    )


def _pin(line: int, is_pulled_up: bool) -> PinInfo:
    row, column = divmod(line, COLUMNS)
    name = f"GPIO{line}"
    return PinInfo(
        number=line + 1,
        name=name,
        names=frozenset({line, str(line), name, f"BCM{line}", f"{HEADER}:{line + 1}"}),
        pull="up" if is_pulled_up else "",
        row=row + 1,
        col=column + 1,
        interfaces=frozenset({"gpio"}),
    )
