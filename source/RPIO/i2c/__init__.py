# SPDX-License-Identifier: LGPL-3.0-or-later
"""I2C, as smbus2 has it, on whatever bus there is: this machine's, a simulated board's, or another machine's.

bus: SMBus itself. calls: SMBus calls on a bus that is none of the kernel's. message: what i2c_rdwr() is given. opening:
from a number or a word to a bus. linux, remote, rraspy, grpc: those who carry it.
"""

from .bus import SMBus as SMBus
from .message import i2c_msg as i2c_msg
