# SPDX-License-Identifier: LGPL-3.0-or-later
"""Peers from the package index, fetched once and kept in the cache of this user."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rpio" / "bench"


def folder(packages):
    """The folder that has them, for the module path. The first one names it. Raises CalledProcessError."""
    made = CACHE / packages[0]
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=made.parent) as fresh:
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", f"{fresh}/x", *packages]
            subprocess.run(command, check=True)
            os.rename(f"{fresh}/x", made)
    return made


def why_not(packages):
    """Why they are not there; empty where they are."""
    try:
        folder(packages)
    except subprocess.CalledProcessError as e:
        return f"{packages[0]} cannot be fetched: {e}"
    return ""
