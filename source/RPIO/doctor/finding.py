# SPDX-License-Identifier: LGPL-3.0-or-later
"""One sentence about the machine, and how it names lines."""

from __future__ import annotations

OK, NOTE, WARNING, PROBLEM = "ok", "note", "warning", "problem"
"""Fine; good to know; may go wrong, or has; stands in the way now."""


class Finding:
    """One sentence about the machine; *advice* is what to do, *command* what to type; "" where nothing is."""

    __slots__ = ("advice", "command", "status", "text")

    def __init__(self, status: str, text: str, advice: str = "", command: str = "") -> None:
        self.status, self.text, self.advice, self.command = status, text, advice, command

    def __repr__(self) -> str:
        return f"<Finding {self.status}: {self.text}>"


def count(number: int, thing: str) -> str:
    """Return "1 line", "2 lines"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def gpios(lines: list[int]) -> str:
    """Return "GPIO 4", "GPIO 7-11, 17"."""
    runs: list[list[int]] = []
    for line in sorted(set(lines)):
        if runs and runs[-1][-1] == line - 1:
            runs[-1].append(line)
        else:
            runs.append([line])
    return "GPIO " + ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
