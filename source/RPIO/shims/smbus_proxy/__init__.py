# SPDX-License-Identifier: LGPL-3.0-or-later
"""smbus-proxy's modules, by its names: proxy_client and proxy_server. Under ``rpio run``."""
