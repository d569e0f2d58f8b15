# SPDX-License-Identifier: LGPL-3.0-or-later
"""CircuitPython's ``micropython``: its function const(). Under ``rpio run``, without Blinka."""

from __future__ import annotations

from typing import TypeVar

Anything = TypeVar("Anything")


def const(value: Anything) -> Anything:
    """Return the value."""
    return value
