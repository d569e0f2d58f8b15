# SPDX-License-Identifier: LGPL-3.0-or-later
"""``RPi`` as RPIO has it: RPi.GPIO here, and whatever else is installed under that name."""

import os as _os
import sys as _sys
from importlib.util import find_spec as _find_spec
from pkgutil import extend_path

if _find_spec("RPIO") is None:  # in a virtual environment that has none, with our folder on PYTHONPATH
    _sys.path.append(
        _os.path.dirname(_os.path.dirname(_os.path.dirname(_os.path.dirname(_os.path.abspath(__file__)))))
    )

__path__ = extend_path(__path__, __name__)
