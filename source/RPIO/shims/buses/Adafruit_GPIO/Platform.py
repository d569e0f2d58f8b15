# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which machine it is: of RPIO's board, which may be simulated, or another machine's."""

from __future__ import annotations

from RPIO import facade

UNKNOWN, RASPBERRY_PI, BEAGLEBONE_BLACK, MINNOWBOARD = range(4)
VERSIONS = {"BCM2835": 1, "BCM2836": 2}


def platform_detect() -> int:
    """RASPBERRY_PI or UNKNOWN."""
    return UNKNOWN if pi_version() is None else RASPBERRY_PI


def pi_revision() -> int:
    """1 for the first model B, 2 for all others.

    Raises:
        RuntimeError: it is no Raspberry Pi.
    """
    if pi_version() is None:
        raise RuntimeError("Could not determine Raspberry Pi revision.")
    return 1 if facade.board.hardware.p1_revision == 1 else 2


def pi_version() -> int | None:
    """1 for BCM2835, 2 for BCM2836, 3 for what came later; None for no Raspberry Pi."""
    hardware = facade.board.hardware
    if not hardware.name.startswith("Raspberry Pi"):
        return None
    return VERSIONS.get(hardware.soc, 3)
