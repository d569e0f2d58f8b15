# SPDX-License-Identifier: LGPL-3.0-or-later
"""smbus as a device of the tests has it: on bus 1 a chip with registers at 0x20, and bytes at 0x27 and 0x33."""

CHIPS = (0x20, 0x27, 0x33)


class SMBus:
    """The methods of py-smbus 4.3."""

    def __init__(self, bus=None):
        self.pec = 0
        self._registers, self._byte = [0] * 256, 0
        self._is_open = False
        if bus is not None:
            self.open(bus)

    def open(self, bus):
        if bus != 1:
            raise OSError(2, "No such file or directory")
        self._is_open = True

    def close(self):
        self._is_open = False

    def _at(self, address):
        if not self._is_open:
            raise OSError(9, "Bad file descriptor")
        if address not in CHIPS:
            raise OSError(121, "Remote I/O error")

    def write_quick(self, addr):
        self._at(addr)

    def read_byte(self, addr):
        self._at(addr)
        return self._byte

    def write_byte(self, addr, val):
        self._at(addr)
        self._byte = val & 0xFF

    def read_byte_data(self, addr, cmd):
        self._at(addr)
        return self._registers[cmd]

    def write_byte_data(self, addr, cmd, val):
        self._at(addr)
        self._registers[cmd] = val & 0xFF

    def read_word_data(self, addr, cmd):
        self._at(addr)
        return self._registers[cmd] | self._registers[cmd + 1] << 8

    def write_word_data(self, addr, cmd, val):
        self._at(addr)
        self._registers[cmd], self._registers[cmd + 1] = val & 0xFF, val >> 8

    def process_call(self, addr, cmd, val):
        self.write_word_data(addr, cmd, val)
        return val ^ 0xFFFF

    def read_block_data(self, addr, cmd):
        self._at(addr)
        count = self._registers[cmd]
        return self._registers[cmd + 1 : cmd + 1 + count]

    def write_block_data(self, addr, cmd, vals):
        self._at(addr)
        self._registers[cmd] = len(vals)
        self._registers[cmd + 1 : cmd + 1 + len(vals)] = vals

    def block_process_call(self, addr, cmd, vals):
        self.write_block_data(addr, cmd, vals)
        return vals[::-1]

    def read_i2c_block_data(self, addr, cmd, length=32):
        self._at(addr)
        return self._registers[cmd : cmd + length]

    def write_i2c_block_data(self, addr, cmd, vals):
        self._at(addr)
        self._registers[cmd : cmd + len(vals)] = vals
