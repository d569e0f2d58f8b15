# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve --smbus``: gRPC's port, with smbus-proxy's service and rpio.v1. grpclib is loaded with it.

``port`` has grpclib's connections; ``smbus_rcp`` and ``rpio_v1`` are the services, and know nothing of those;
``proxy_server`` is smbus-proxy's service in a program of its own.
"""
