# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio info``: which board this is, and what RPIO has made of it."""

from __future__ import annotations

import argparse
import os
import platform

from .. import facade
from ..model import VERSION
from . import verb


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
    hardware, backend = facade.board.hardware, facade.board.backend
    return {
        "board": hardware.name,
        "revision": hardware.revision_hex if hardware.is_pi else None,
        "pcb_revision": hardware.pcb_revision,
        "soc": hardware.soc,
        "memory_mb": hardware.memory_mb,
        "maker": hardware.maker,
        "header_pins": max(hardware.header, default=0),
        "gpios": len(hardware.header_lines) or hardware.line_count,
        "backend": backend.name,
        "driven_by": backend.describe(),
        "features": sorted(backend.features),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "rpio": VERSION,
        "user": "root" if os.geteuid() == 0 else os.environ.get("USER", str(os.geteuid())),
    }


def info(options: argparse.Namespace) -> None:
    """``rpio info``"""
    found = gather()
    if options.json:
        verb.print_json(found)
        return
    for name, value in found.items():
        shown = ", ".join(value) if isinstance(value, list) else "-" if value in (None, "") else value
        print(f"{name.replace('_', ' '):12}  {shown}")
