# SPDX-License-Identifier: LGPL-3.0-or-later
"""smbus-proxy's ProxyServer. See RPIO.server.smbus_proxy."""

from RPIO.server.smbus_proxy import ProxyServer

__all__ = ["ProxyServer"]
