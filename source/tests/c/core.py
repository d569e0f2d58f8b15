# SPDX-License-Identifier: LGPL-3.0-or-later
"""The C core as cffi sees it, its three register accessors sent to the modelled SoC.

The declarations are taken from gpio.h itself, so that header and tests cannot drift apart.
"""

import os
import re
from types import ModuleType

from c.soc_build import PROJECT, SOC_CDEF, SOC_SOURCES, build

SOURCE = PROJECT / "source" / "c_gpio"
CORE = [SOURCE / name for name in ("regs.c", "regs_bcm2835.c", "regs_rp1.c", "cdev.c", "event.c", "poll.c")]
SANITIZE = os.environ.get("RPIO_SANITIZE") == "1"


def header_cdef() -> str:
    """Return what gpio.h declares, in the form that cffi reads: no preprocessor, constants spelled out."""
    text = (SOURCE / "gpio.h").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    constants = dict(re.findall(r"^#define (RPIO_\w+) (\d+)u?\s*$", text, re.MULTILINE))
    text = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    for name, value in constants.items():
        text = text.replace(name, value)
    return text + "".join(f"\n#define {name} {value}" for name, value in constants.items())


def core() -> ModuleType:
    """Return the module with ``ffi`` and ``lib``: the core and the modelled SoC in one library."""
    return build(
        "core",
        [SOURCE / "gpio.h", *CORE, *SOC_SOURCES],
        header_cdef() + SOC_CDEF,
        sanitize=SANITIZE,
        defines=["RPIO_MODELLED_SOC", "_GNU_SOURCE"],
    )
