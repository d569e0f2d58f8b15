# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where a server is and who it is: what people write, ssh, what is known of a device, one connection."""

from .places import Place as Place
