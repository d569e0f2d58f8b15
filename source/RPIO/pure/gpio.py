# SPDX-License-Identifier: LGPL-3.0-or-later
"""The names of RPIO._gpio, as far as Python alone can have them; the others say what is missing when they are used."""

from __future__ import annotations

from .edges import EdgeEvent, event_encode, events_decode, events_read
from .frames import FrameReader, FrameWriter
from .hot import grant, grant_line, input, on_miss, output, revoke, revoke_all
from .lines import EdgeRoutes, LineReader
from .missing import Missing
from .objects import File, Finalizer, Held, Turn, apart, close_after_fork
from .plan import PwmPlan
from .polling import Poller
from .sources import Pipe, Timer
from .spawning import spawn
from .tally import Tally
from .values import pack, unpack

PURE = True
"""Whether this is not the C module."""

REGISTERS = "what maps a Raspberry Pi's registers"
PULSES = "what makes pulses in time"
CHIPS = "what drives the kernel's gpiochips"

Registers = Missing("Registers", REGISTERS)
regs_chip = Missing("regs_chip", REGISTERS)
SoftPwm = Missing("SoftPwm", PULSES)
Dma = Missing("Dma", "PWM by DMA")
Pump = Missing("Pump", "what hears edges in sysfs")
Line = Missing("Line", CHIPS)
chip_open = Missing("chip_open", CHIPS)
chip_info = Missing("chip_info", CHIPS)
file_watch = Missing("file_watch", CHIPS)
line_info = Missing("line_info", CHIPS)
line_info_v1 = Missing("line_info_v1", CHIPS)
line_request = Missing("line_request", CHIPS)
line_configure = Missing("line_configure", CHIPS)
lines_after_fork = Missing("lines_after_fork", CHIPS)
line_read = Missing("line_read", CHIPS)
line_write = Missing("line_write", CHIPS)

__all__ = [
    "PURE",
    "Dma",
    "EdgeEvent",
    "EdgeRoutes",
    "File",
    "Finalizer",
    "FrameReader",
    "FrameWriter",
    "Held",
    "Line",
    "LineReader",
    "Pipe",
    "Poller",
    "Pump",
    "PwmPlan",
    "Registers",
    "SoftPwm",
    "Tally",
    "Timer",
    "Turn",
    "apart",
    "chip_info",
    "chip_open",
    "close_after_fork",
    "event_encode",
    "events_decode",
    "events_read",
    "file_watch",
    "grant",
    "grant_line",
    "input",
    "line_configure",
    "line_info",
    "line_info_v1",
    "line_read",
    "line_request",
    "line_write",
    "lines_after_fork",
    "on_miss",
    "output",
    "pack",
    "regs_chip",
    "revoke",
    "revoke_all",
    "spawn",
    "unpack",
]
