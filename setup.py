# SPDX-License-Identifier: LGPL-3.0-or-later
"""Build the C core. Everything else is declared in pyproject.toml."""

from setuptools import Extension, setup

CORE = [
    "regs.c",
    "regs_bcm2835.c",
    "regs_rp1.c",
    "cdev.c",
    "event.c",
    "numbers.c",
    "fork.c",
    "poll_ring.c",
    "poll.c",
    "soft_place.c",
    "soft_wave.c",
    "soft_plan.c",
    "dma_mailbox.c",
    "dma_chain.c",
    "dma.c",
    "dma_pace.c",
    "dma_guard.c",
    "soft.c",
    "sysfs.c",
]
MODULE = [
    f"module{part}.c"
    for part in (
        "",
        "_hot",
        "_regs",
        "_cdev",
        "_events",
        "_timer",
        "_lines",
        "_routes",
        "_pwm",
        "_dma",
        "_whole",
        "_apart",
    )
]
"""What knows Python; the core is plain C."""

setup(
    license="LGPL-3.0-or-later",  # here, because pyproject.toml spells it in two ways that exclude each other
    ext_modules=[
        Extension(
            "RPIO._gpio",
            sources=[f"source/c_gpio/{name}" for name in [*CORE, *MODULE]],
            depends=[
                f"source/c_gpio/{name}.h"
                for name in (
                    "gpio",
                    "regs",
                    "fork",
                    "poll_ring",
                    "dma",
                    "dma_state",
                    "dma_chain",
                    "soft_wave",
                    "module",
                )
            ],
            extra_link_args=["-pthread"],
            extra_compile_args=[
                "-std=c11",
                "-pthread",
                "-D_GNU_SOURCE",
                "-D_FILE_OFFSET_BITS=64",  # physical addresses above 4 GiB, on systems with 32 bits
                "-D_TIME_BITS=64",  # and years after 2038
                "-O2",
                "-Wall",
                "-Wextra",
                "-fvisibility=hidden",
                "-Werror=implicit-function-declaration",
                "-Werror=int-conversion",
            ],
        )
    ],
)
