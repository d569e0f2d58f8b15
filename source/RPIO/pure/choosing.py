# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which module answers to the name RPIO._gpio: the C module, or the one in Python.

The C module is found first, as an extension is before a source file of the same name: so where it is there, nothing
here is loaded. ``_gpio.py`` is found where there is none, and RPIO_PURE=1 takes this one in any case.
"""

from __future__ import annotations

import os
import sys

NAME = "RPIO._gpio"
ENDINGS = (".so", ".pyd", ".dylib")


def is_forced() -> bool:
    """Whether RPIO_PURE asks for Python alone."""
    return os.environ.get("RPIO_PURE", "") not in ("", "0")


def stand_in() -> None:
    """Have the module in Python answer to the name. Twice is fine."""
    from . import gpio

    sys.modules[NAME] = gpio
    vars(sys.modules["RPIO"])["_gpio"] = gpio  # as an import does


def stand_in_where_absent(folder: str) -> None:
    """The same, where no C module is in the package's folder.

    Raises:
        ImportError: there is one, which this Python does not take for its own: nobody has asked for another.
    """
    if not is_forced():
        check_absent(folder)
    stand_in()


def check_absent(folder: str) -> None:
    """Raise ImportError where a C module is there that is another Python's."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return  # a program in one file: what is in it can be imported, or is not there
    others = [name for name in names if name.startswith("_gpio.") and name.endswith(ENDINGS)]
    if others:
        from _imp import extension_suffixes

        raise ImportError(
            f"RPIO's C module in {folder} is another Python's: {', '.join(others)}, and this one loads "
            f"_gpio{[*extension_suffixes(), '.so'][0]}. Install RPIO with this Python ({sys.executable} -m pip install "
            "--force-reinstall CHECKOUT); RPIO_PURE=1 does without: simulated boards and those of other machines alone",
            name=NAME,
            path=os.path.join(folder, others[0]),
        )
