# SPDX-License-Identifier: LGPL-3.0-or-later
"""What gpiozero loads by its entry points.

gpiozero 1 has a factory of the name ``rpio`` itself, for the original RPIO, which drives this one: there it is that.
"""

from __future__ import annotations

import gpiozero.pins

if hasattr(gpiozero.pins, "BoardInfo"):
    from .factory import RPIOFactory, RPIORemoteFactory, RPIOSimFactory
else:
    from gpiozero.pins.rpio import RPIOFactory  # type: ignore[no-redef]

    def _needs_two() -> None:
        raise ImportError("RPIO's factories rpiosim and rpioremote need gpiozero 2.0 or later")

    RPIOSimFactory = RPIORemoteFactory = _needs_two  # type: ignore[misc, assignment]

__all__ = ["RPIOFactory", "RPIORemoteFactory", "RPIOSimFactory"]
