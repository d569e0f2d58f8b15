# SPDX-License-Identifier: LGPL-3.0-or-later
"""``RPi`` as RPIO has it: RPi.GPIO here, and whatever else is installed under that name."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
