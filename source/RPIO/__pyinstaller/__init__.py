# SPDX-License-Identifier: LGPL-3.0-or-later
"""For PyInstaller, which finds this folder by its entry point: what of RPIO it cannot see in a program's imports."""

import os


def hook_dirs() -> list[str]:
    """Return the folders with hooks."""
    return [os.path.dirname(__file__)]
