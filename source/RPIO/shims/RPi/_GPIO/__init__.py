# SPDX-License-Identifier: LGPL-3.0-or-later
"""``RPi._GPIO``: in the real RPi.GPIO its C module, which editors complete to; the same functions, without VERSION.

A folder, since Python takes that before a file of the same name, the real C module in the same place included.
"""

from RPIO import facade as _facade
from RPIO.machine import boards as _boards

from .. import GPIO as _GPIO

__all__ = [name for name in _GPIO.__all__ if name != "VERSION"]

globals().update({name: getattr(_GPIO, name) for name in __all__ if name not in _boards.OF_MACHINE})
_facade.have_lazy_names(globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
