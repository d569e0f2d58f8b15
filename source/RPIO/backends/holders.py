# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines that somebody else holds: the error, and what to do about it."""

from __future__ import annotations

import errno

from .. import constants as model
from .. import errors


def busy(line: int, holder: str, path: str, label: str) -> errors.LineBusyError:
    """Return the error of a line that *holder* has, "" for one without a name, on the chip with that *label*."""
    by = f"by {holder!r}" if holder else "by a program or driver that gives no name"
    driver = "have its driver leave the line"
    if label in model.PI_CHIP_LABELS:
        driver = "switch its driver off (a dtparam or dtoverlay line in config.txt)"
    return errors.LineBusyError(
        errno.EBUSY,
        f"GPIO {line} is in use {by}",
        path,
        hint=f"rpio doctor names the process that has it: end that, or {driver}",
    )
