# SPDX-License-Identifier: LGPL-3.0-or-later
"""Waiting for another thread without a sleep that is too short somewhere. Needs nothing but Python."""

import os
import select
import time

LIMIT_S = 600.0 if os.environ.get("RPIO_EMULATED") == "1" else 60.0
"""So long is waited for what comes at once on any machine, or under QEMU beside other work: who waits longer waits in
vain. No test measures with it.
"""


def wait_until(done, timeout_s=LIMIT_S, most_pause_s=0.005):
    """Wait for another thread; returns whether done() came true in time. It is not asked again after that. At first
    it is asked often, later once in most_pause_s.
    """
    end, pause_s = time.monotonic() + timeout_s, 0.0001
    while not done():
        if time.monotonic() > end:
            return False
        select.select([], [], [], pause_s)
        pause_s = min(2 * pause_s, most_pause_s)  # most of what is waited for comes at once
    return True
