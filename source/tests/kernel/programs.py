# SPDX-License-Identifier: LGPL-3.0-or-later
"""Python programs in processes of their own, for tests of what outlives them."""

import os
import re
import subprocess
import sys
import textwrap
import threading

from waiting import wait_until


def program(code, **env):
    """A Python program in a process of its own, on whatever board it finds: its text, its file, or a list of words."""
    words = code
    if isinstance(code, str):
        words = ["-c", textwrap.dedent(code)] if "\n" in code else [code]
    clean = {k: v for k, v in os.environ.items() if k != "RPIO_BACKEND"}
    return subprocess.Popen(
        [sys.executable, "-u", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=clean | {"PYTHONWARNINGS": "error"} | env,
    )


def reader(process):
    """Collect the output of a process in a thread; returns a function that waits for a pattern in it."""
    text = []

    def collect():
        with process.stdout:
            text.extend(iter(process.stdout.readline, b""))

    threading.Thread(target=collect, daemon=True).start()

    def says(pattern):
        return wait_until(lambda: re.search(pattern, b"".join(text).decode()) is not None)

    return says
