# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which SoCs drive the header of a Raspberry Pi. A new one is one row in ``SOCS``.

Sources, named at the tables by their short form: *codes*, the Raspberry Pi documentation, "Raspberry Pi revision
codes"; *binding*, Linux, Documentation/devicetree/bindings/arm/bcm/bcm2835.yaml, and the .dts files; *pinctrl*, Linux,
drivers/pinctrl/bcm/pinctrl-bcm2835.c and drivers/pinctrl/pinctrl-rp1.c; *common.c*, RPi.GPIO 0.7.1.
"""

from __future__ import annotations

UNKNOWN = "Unknown"


class Soc:
    """One SoC, and the GPIO block that drives the header."""

    __slots__ = ("chip_label", "gpio_compatible", "gpiomem", "line_count", "name", "peripheral_base")

    def __init__(self, row: tuple[str, str | None, str | None, int, int | None, str | None]) -> None:
        self.name, self.gpio_compatible, self.chip_label = row[:3]
        self.line_count, self.peripheral_base, self.gpiomem = row[3:]


# Source: *pinctrl* for compatible, label and number of lines; the peripheral bases are the ARM physical
# addresses of the BCM2835, BCM2836 (QA7) and BCM2711 manuals. The header of a BCM2712 board hangs on
# RP1, behind PCIe: no peripheral base of the SoC leads there, and /dev/gpiomem0 is the way to it.
# fmt: off
SOCS = {row[0]: Soc(row) for row in (
    ("BCM2835", "brcm,bcm2835-gpio",    "pinctrl-bcm2835", 54, 0x20000000, "/dev/gpiomem"),
    ("BCM2836", "brcm,bcm2835-gpio",    "pinctrl-bcm2835", 54, 0x3F000000, "/dev/gpiomem"),
    ("BCM2837", "brcm,bcm2835-gpio",    "pinctrl-bcm2835", 54, 0x3F000000, "/dev/gpiomem"),
    ("BCM2711", "brcm,bcm2711-gpio",    "pinctrl-bcm2711", 58, 0xFE000000, "/dev/gpiomem"),
    ("BCM2712", "raspberrypi,rp1-gpio", "pinctrl-rp1",     54, None,       "/dev/gpiomem0"),
)}
# fmt: on

UNKNOWN_SOC = Soc((UNKNOWN, None, None, 54, None, None))
"""The SoC of a Raspberry Pi that no table knows; RPi.GPIO too takes 54 lines for granted (common.c)."""

PROCESSORS = {
    0: SOCS["BCM2835"],
    1: SOCS["BCM2836"],
    2: SOCS["BCM2837"],
    3: SOCS["BCM2711"],
    4: SOCS["BCM2712"],
}
"""The processor field of a revision code -> SoC. Source: *codes*."""

SOC_COMPATIBLES = {
    "brcm,bcm2835": SOCS["BCM2835"],
    "brcm,bcm2836": SOCS["BCM2836"],
    "brcm,bcm2837": SOCS["BCM2837"],
    "brcm,bcm2711": SOCS["BCM2711"],
    "brcm,bcm2712": SOCS["BCM2712"],
    "brcm,bcm2712d0": SOCS["BCM2712"],
    "brcm,bcm2708": SOCS["BCM2835"],
    "brcm,bcm2709": SOCS["BCM2836"],
    "brcm,bcm2710": SOCS["BCM2837"],
    "brcm,bcm2838": SOCS["BCM2711"],
}
"""Device-tree ``compatible`` -> SoC. Source: *binding*; the last four are of Raspberry Pi's early kernels."""
