# SPDX-License-Identifier: LGPL-3.0-or-later
"""What ``import RPIO.GPIO as GPIO``, a common slip for ``import RPIO as GPIO``, means: RPIO."""

import sys

import RPIO

RPIO.__dict__["GPIO"] = sys.modules[__name__] = RPIO
