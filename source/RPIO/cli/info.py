# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio info``: which board this is, and what RPIO has made of it."""

from __future__ import annotations

import argparse
import os
import platform

from .. import errors, facade
from .._gpio import PURE
from ..backends import opening
from ..constants import VERSION
from ..machine import access, boards, detect
from . import told, verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..backends import Backend
    from ..machine.boards import Hardware


def info_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio info``."""
    return verb.parser(
        "info",
        "Show the board, its SoC, the kernel, and what drives the lines. Changes nothing.",
        "  rpio info --json",
        True,
    )


def gather() -> dict[str, object]:
    """All of it, by name."""
    hardware, backend, driven_by = _opened()
    is_afar = opening.is_afar(facade.board.machine.word)
    is_simulated = backend is not None and backend.outside() is not None
    return {
        "board": f"simulated {hardware.name}" if is_simulated else hardware.name,
        "revision": hardware.revision_hex if hardware.is_pi else None,
        "pcb_revision": hardware.pcb_revision,
        "soc": hardware.soc,
        "memory_mb": hardware.memory_mb,
        "maker": hardware.maker,
        "header_pins": max(hardware.header, default=0),
        "gpios": len(hardware.header_lines) or hardware.line_count,
        "backend": backend.name if backend is not None else None,
        "driven_by": driven_by,
        "features": sorted(backend.features) if backend is not None else [],
        "kernel": None if is_afar else platform.release(),  # that of the other machine nobody tells
        "python": platform.python_version(),
        "rpio": VERSION,
        "core": "Python alone: no lines of this machine; see: rpio doctor" if PURE else "C",
        "user": _user(),
    }


def _user() -> str:
    uid = access.ids()[0]
    return "root" if uid == 0 else os.environ.get("USER") or os.environ.get("USERNAME") or str(uid)


def _opened() -> tuple[Hardware, Backend | None, str]:
    """The machine and what drives its lines; where nothing does, what is known all the same, and why."""
    try:
        backend = facade.board.backend
    except (errors.GPIOError, OSError) as e:
        machine = detect.detect() or boards.generic(0, None, "Linux board")
        return machine, None, f"nothing: {told.reason(e)}; see: rpio doctor"
    return facade.board.hardware, backend, backend.describe()


def info(options: argparse.Namespace) -> None:
    """``rpio info``"""
    found = gather()
    if options.json:
        verb.print_json(found)
        return
    for name, value in found.items():
        shown = ", ".join(value) if isinstance(value, list) else "-" if value in (None, "") else value
        print(f"{name.replace('_', ' '):12}  {shown}")
