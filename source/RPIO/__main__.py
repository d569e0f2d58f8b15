# SPDX-License-Identifier: LGPL-3.0-or-later
"""``python -m RPIO``: the command ``rpio``."""

import sys

from .cli import main

sys.exit(main())
