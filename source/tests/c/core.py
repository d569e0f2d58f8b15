# SPDX-License-Identifier: LGPL-3.0-or-later
"""The C core as cffi sees it, its three register accessors sent to the modelled SoC."""

import os
from functools import cache
from types import ModuleType
from typing import Any

from c.compiling import PROJECT
from c.soc_build import HERE, SOC_CDEF, SOC_SOURCES, build, declarations

SOURCE = PROJECT / "source" / "c_gpio"
PARTS = (
    *(
        "regs",
        "regs_bcm2835",
        "regs_rp1",
        "cdev",
        "event",
        "numbers",
        "fork",
        "tally",
        "spawn",
        "poll_ring",
        "poll",
    ),
    "sysfs",
    *("soft_place", "soft_wave", "soft_plan", "soft"),
    *("dma_mailbox", "dma_chain", "dma_pace", "dma", "dma_guard"),
)
MODULE = [
    f"module{part}"
    for part in (
        "",
        "_hot",
        "_regs",
        "_cdev",
        "_events",
        "_timer",
        "_lines",
        "_frames",
        "_objects",
        "_routes",
        "_pwm",
        "_dma",
        "_whole",
        "_turn",
        "_apart",
        "_tally",
        "_spawn",
    )
]
CORE = [SOURCE / f"{part}.c" for part in PARTS]
SANITIZE = os.environ.get("RPIO_SANITIZE") == "1"


def broken(module: Any, soc: Any) -> list[str]:
    """Return what a modelled SoC minds by now: [] is how a test leaves it. *module* has ``ffi`` and ``lib``."""
    counts = module.lib.soc_violations(soc), module.lib.soc_hazards(soc)
    texts = module.lib.soc_violation(soc), module.lib.soc_hazard(soc)
    return [
        f"{module.ffi.string(text).decode()} ({count})"
        for count, text in zip(counts, texts, strict=True)
        if count
    ]


@cache
def core() -> ModuleType:
    """Return the module with ``ffi`` and ``lib``: the core and the modelled SoC in one library."""
    return build(
        "core",
        [
            SOURCE / "gpio.h",
            SOURCE / "dma.h",
            SOURCE / "poll_ring.h",
            SOURCE / "tally.h",
            *CORE,
            *SOC_SOURCES,
            HERE / "barrier.c",
        ],
        "".join(declarations(SOURCE / name) for name in ("gpio.h", "dma.h", "poll_ring.h", "tally.h"))
        + declarations(HERE / "barrier.h")
        + SOC_CDEF,
        sanitize=SANITIZE,
        defines=["RPIO_MODELLED_SOC", "_GNU_SOURCE"],
    )
