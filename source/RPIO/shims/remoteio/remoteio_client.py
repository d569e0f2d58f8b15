# SPDX-License-Identifier: LGPL-3.0-or-later
"""remoteio's client. See RPIO.remoteio."""

from RPIO.remoteio import RemotePin, RemoteServer

__all__ = ["RemotePin", "RemoteServer"]
