# SPDX-License-Identifier: LGPL-3.0-or-later
"""RRaspPY's ``device.py HOST_ADDRESS [DEVICE_ADDRESS] [HOST_PORT] [DEVICE_PORT]``. Under ``rpio run``."""

import sys

from RPIO.programs.rraspy import main

if __name__ == "__main__":
    sys.exit(main())
