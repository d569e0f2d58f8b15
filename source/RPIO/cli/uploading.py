# SPDX-License-Identifier: LGPL-3.0-or-later
"""How far an upload is, on one line of the terminal that is gone afterwards."""

from __future__ import annotations

import os
import sys
from time import monotonic

from . import help, raw

FIRST_S, EACH_S = 0.3, 0.1
"""An upload that is shorter than that is not talked of; and how often the line is written."""
WIDTH = 24
UNITS = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


class Bar:
    """The line, where standard error is a terminal and *is_wanted*; nothing otherwise."""

    def __init__(self, what: str, is_wanted: bool) -> None:
        self._what = what
        self._is_on = is_wanted and raw.is_terminal(raw.STDERR) and os.environ.get("TERM") != "dumb"
        self._due_s = monotonic() + FIRST_S
        self._is_shown = False

    def __enter__(self) -> Bar:
        return self

    def show(self, sent: int, total: int) -> None:
        """So many bytes of so many are on their way."""
        if self._is_on and monotonic() >= self._due_s:
            self._due_s = monotonic() + EACH_S
            self._is_shown = True
            self._write(drawn(self._what, sent, total, help.width()))

    def _write(self, text: str) -> None:
        print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)

    def __exit__(self, *error: object) -> None:
        if self._is_shown:
            self._is_shown = False
            self._write("")


def drawn(what: str, sent: int, total: int, width: int) -> str:
    """The line, no longer than the terminal is wide."""
    part = sent / total if total else 1.0
    full = int(part * WIDTH)
    text = f"[{'#' * full}{'.' * (WIDTH - full)}] {part:4.0%} of {size(total)}: {what}"
    return text[: max(1, width - 1)]


def size(count: int) -> str:
    """Bytes for people."""
    for unit, one in UNITS:
        if count >= one:
            return f"{count / one:.1f} {unit}"
    return f"{count} bytes"
