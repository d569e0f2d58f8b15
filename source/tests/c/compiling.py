# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which compiler builds what the tests need in C, and where that is kept. Needs nothing but Python."""

from __future__ import annotations

import os
import shlex
import shutil
import sysconfig
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
CACHE = PROJECT / ".cache" / "c"


def compiler() -> list[str]:
    """Return the C compiler's command: $CC, else the one that built Python, else cc."""
    for command in (os.environ.get("CC"), sysconfig.get_config_var("CC")):
        words = shlex.split(command or "")
        if words and shutil.which(words[0]):
            return words
    return ["cc"]
