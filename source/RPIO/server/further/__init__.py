# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve --further``: the port of HTTP and WebSocket, of Further-Link's protocol. aiohttp is loaded with it."""
