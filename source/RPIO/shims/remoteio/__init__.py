# SPDX-License-Identifier: LGPL-3.0-or-later
"""remoteio, by its own name: RPIO.remoteio. Under ``rpio run``."""

from RPIO.remoteio import PORT, PIN_MAP_gb, RemotePin, RemoteServer, run_server

__all__ = ["PORT", "PIN_MAP_gb", "RemotePin", "RemoteServer", "run_server"]
