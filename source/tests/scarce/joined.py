# SPDX-License-Identifier: LGPL-3.0-or-later
"""Boards of two parts on which something is lacking; in the kernel rig only."""

from __future__ import annotations

import atexit

from contract.rigs import remove_shared_chip
from interrupted.chips import Joined, JoinedSysfs
from scarce.world import World

atexit.register(remove_shared_chip)


class JoinedWorld(Joined, World):
    """Registers and a gpiochip."""


class JoinedSysfsWorld(JoinedSysfs, World):
    """Registers and /sys/class/gpio."""

    never = frozenset({("edge", "write"), ("edge(loop)", "write"), ("close", "write")})


WORLDS = {"joined": JoinedWorld, "joined-sysfs": JoinedSysfsWorld}
"""By the names of their rigs."""
