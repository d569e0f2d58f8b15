# SPDX-License-Identifier: LGPL-3.0-or-later
"""Found where the C module of this name is not: what Python alone can do takes its place, see RPIO.pure."""

import os

from .pure import choosing

choosing.stand_in_where_absent(os.path.dirname(os.path.abspath(__file__)))
