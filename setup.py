# SPDX-License-Identifier: LGPL-3.0-or-later
"""Build the C core. Everything else is declared in pyproject.toml.

Where it cannot be built the package is installed without it, and says so: simulated boards and those of other machines
need none (RPIO.pure). RPIO_REQUIRE_C=1 makes that an error, for those who build for others.
"""

import os
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

IS_REQUIRED = os.environ.get("RPIO_REQUIRE_C", "") not in ("", "0")

CORE = [
    "regs.c",
    "regs_bcm2835.c",
    "regs_rp1.c",
    "cdev.c",
    "event.c",
    "numbers.c",
    "fork.c",
    "tally.c",
    "spawn.c",
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
"""What knows Python; the core is plain C."""


class BuildCore(build_ext):
    """build_ext, which says what will be missing."""

    def build_extension(self, ext):
        """Compile and link; what that raises is an error where the extension is required, and a warning otherwise."""
        try:
            super().build_extension(ext)
        except Exception as e:
            print(
                f"RPIO: its C module could not be built: {e}\n"
                + (
                    "RPIO_REQUIRE_C is set: nothing is installed"
                    if IS_REQUIRED
                    else "RPIO is installed without it: simulated boards and those of other machines work; registers, "
                    "gpiochips and PWM of this machine need it, on Linux, with a compiler and Python's headers "
                    "(Debian: gcc, libc6-dev, python3-dev)"
                ),
                file=sys.stderr,
            )
            raise


setup(
    cmdclass={"build_ext": BuildCore},
    license="LGPL-3.0-or-later",  # here, because pyproject.toml spells it in two ways that exclude each other
    ext_modules=[
        Extension(
            "RPIO._gpio",
            optional=not IS_REQUIRED,
            sources=[f"source/c_gpio/{name}" for name in [*CORE, *MODULE]],
            depends=[
                f"source/c_gpio/{name}.h"
                for name in (
                    "gpio",
                    "regs",
                    "fork",
                    "poll_ring",
                    "tally",
                    "spawn",
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
