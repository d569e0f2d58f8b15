# SPDX-License-Identifier: LGPL-3.0-or-later
"""How help looks: argparse's, as wide as the terminal."""

from __future__ import annotations

import argparse
import os


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Asks the terminal itself. argparse asks shutil for each option, whose import is a tenth of a short run."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=width() - 2)


def width() -> int:
    """Columns of the terminal."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80
