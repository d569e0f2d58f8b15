# SPDX-License-Identifier: LGPL-3.0-or-later
"""A device of RRaspPY's on a simulated board, where GPIO 13 is wired to GPIO 6, with this folder's modules."""

import sys

from RPIO import sim
from RPIO.programs.rraspy import main

sim.wire(6, 13)
sys.exit(main(sys.argv[1:]))
