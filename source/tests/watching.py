# SPDX-License-Identifier: LGPL-3.0-or-later
"""Whether a descriptor is readable: of the kernel's, or a number of RPIO.pure's, which no kernel knows."""

import os

from RPIO._gpio import PURE
from RPIO.loop.kernel import readable


def is_readable(fd, timeout_s):
    """Whether it becomes so within that time; one that is closed is not."""
    return readable((fd,), timeout_s) and is_open(fd)


def is_open(fd):
    """Whether there is such a descriptor."""
    if PURE:
        from RPIO.pure.sources import FIRST, source_of

        if fd >= FIRST:
            return source_of(fd) is not None
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
