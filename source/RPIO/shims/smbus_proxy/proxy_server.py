# SPDX-License-Identifier: LGPL-3.0-or-later
"""smbus-proxy's ProxyServer. See RPIO.server.grpc.proxy_server."""

from RPIO.server.grpc.proxy_server import ProxyServer

__all__ = ["ProxyServer"]
