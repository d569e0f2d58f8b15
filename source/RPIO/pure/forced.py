# SPDX-License-Identifier: LGPL-3.0-or-later
"""Imported where RPIO_PURE asks for Python alone: from here on no module of the package gets the C module."""

from __future__ import annotations

from . import choosing

choosing.stand_in()
