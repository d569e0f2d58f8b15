# SPDX-License-Identifier: LGPL-3.0-or-later
"""remoteio's server. See RPIO.remoteio."""

from RPIO.remoteio import run_server

__all__ = ["run_server"]
