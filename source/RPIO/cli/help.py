# SPDX-License-Identifier: LGPL-3.0-or-later
"""How help looks: argparse's, as wide as the terminal."""

from __future__ import annotations

import argparse
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed import SupportsWrite


class QuietParser(argparse.ArgumentParser):
    """Help that cannot be written is no traceback: argparse of early Python 3.11, which Debian 12 has, makes one."""

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        try:
            super()._print_message(message, file)
        except OSError:
            pass


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
