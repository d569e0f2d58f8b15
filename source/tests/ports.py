# SPDX-License-Identifier: LGPL-3.0-or-later
"""Ports for servers that are told theirs.

Below those that the kernel hands out by itself (ip_local_port_range): another test that runs beside is never given one
of them, and who tries again and again whether somebody listens there is not connected to himself, as TCP allows.
"""

import os
import random
import socket
from pathlib import Path

LOWEST, TRIES = 10_000, 200
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port that nobody has now."""
    highest = int(RANGE.read_text().split()[0]) if RANGE.exists() else 32_768
    chance = random.Random(os.urandom(8))
    for _ in range(TRIES):
        port = chance.randrange(LOWEST, highest)
        with socket.socket() as made:
            try:
                made.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no port from {LOWEST} to {highest} is free")
