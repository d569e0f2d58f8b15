# SPDX-License-Identifier: LGPL-3.0-or-later
"""CircuitPython's ``microcontroller``: its class Pin. Under ``rpio run``, without Blinka."""

from RPIO.shims.circuit_pins import Pin

__all__ = ["Pin"]
