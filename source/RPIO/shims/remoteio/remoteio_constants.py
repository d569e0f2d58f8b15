# SPDX-License-Identifier: LGPL-3.0-or-later
"""remoteio's constants. See RPIO.remoteio."""

from RPIO.remoteio import PORT, PIN_MAP_gb

__all__ = ["PORT", "PIN_MAP_gb"]
