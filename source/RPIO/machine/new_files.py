# SPDX-License-Identifier: LGPL-3.0-or-later
"""Files of our own that are made: whatever interrupts that, no descriptor stays open."""

from __future__ import annotations

import os
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


def new_file(path: str, mode: int) -> TextIO:
    """Make a file that was not there, and open it to write text. Nothing comes between its being open and its being
    what is returned: that is C.
    """
    return open(path, "x", encoding="utf-8", opener=partial(os.open, mode=mode))


def remove_file(path: str) -> None:
    """Remove a file that may be gone."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
