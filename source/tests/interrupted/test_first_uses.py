# SPDX-License-Identifier: LGPL-3.0-or-later
"""Interrupted at its first use, when modules are imported and the board is opened, a program cleans up as ever."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from interrupted.first_uses import USES
from interrupted.moments import tripwire
from interrupted.test_interrupted import STEP

POINTS = 200
"""Spread over each use. Each is a process, so `make test` tries fewer of them than of the calls."""
SPREAD = STEP * 6 if STEP > 1 else 1


@pytest.mark.parametrize("kind", ["raise", "exit"])
@pytest.mark.parametrize("name", USES)
def test_a_first_use_that_is_interrupted_can_be_cleaned_up(name, kind):
    script = Path(__file__).with_name("first_uses.py")
    done = subprocess.run(
        [sys.executable, str(script), tripwire.__file__, kind, name, str(POINTS), str(SPREAD)],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "RPIO_BACKEND": "sim"},
        check=True,
    )
    *wrong, tried = done.stdout.splitlines()
    assert not wrong
    # That of the import machinery, where it may be: first_uses.py looks whose import it was.
    ignored = re.findall("Exception ignored in: (.*)", done.stderr)
    assert not [where for where in ignored if "_get_module_lock.<locals>.cb" not in where]
    assert int(tried) > POINTS // SPREAD // 2
