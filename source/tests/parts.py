# SPDX-License-Identifier: LGPL-3.0-or-later
"""A part of the tests that take long, another one each day: the whole takes longer than a change may wait."""

from __future__ import annotations

import os
import zlib

PART = os.environ.get("RPIO_PART", "0/1")
"""Which of how many parts: "0/4" to "3/4"; all that there is, without it."""


def is_in(name: str, part: str) -> bool:
    """Whether the test of that name is in that part. Each one is in one of them, on every machine in the same."""
    number, parts = map(int, part.split("/"))
    if not 0 <= number < parts:
        raise ValueError(f"RPIO_PART: 0/N to N-1/N, not {part}")
    return zlib.crc32(name.encode()) % parts == number
