# SPDX-License-Identifier: LGPL-3.0-or-later
"""SPI: ``RPIO.spi.SpiDev`` has spidev's calls, on a device of this machine, a simulated board or another machine.

device: SpiDev itself. opening: from a bus and a chip select to who carries them. linux: the kernel's spidev driver.
remote: a device of another process, or another machine.
"""

from .device import SpiDev as SpiDev
