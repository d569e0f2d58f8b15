# SPDX-License-Identifier: LGPL-3.0-or-later
"""``device.py``, as RRaspPY's README calls it. Under ``rpio run``."""

import sys

from RPIO.programs.rraspy import main

if __name__ == "__main__":
    sys.exit(main(name="server.py"))
