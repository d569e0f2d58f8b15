# SPDX-License-Identifier: LGPL-3.0-or-later
"""``python -m RPIO.cli``."""

import sys

from . import main

sys.exit(main())
