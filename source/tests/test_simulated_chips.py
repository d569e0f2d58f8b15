# SPDX-License-Identifier: LGPL-3.0-or-later
"""Simulated chips that are registers or memories: each as its data sheet says."""

import errno

import pytest

from chip_parts import Caller, manual_board
from RPIO.chips.eeprom import Eeprom
from RPIO.chips.registers import Registers
from RPIO.chips.si4703 import Si4703
from RPIO.wire import smbus


@pytest.fixture
def board():
    return manual_board()


def refused(call, *arguments):
    with pytest.raises(OSError) as caught:
        call(*arguments)
    return caught.value.errno


# -- rows of registers -------------------------------------------------------------------------------


def test_the_pointer_goes_on_and_round(board):
    chip = Registers(count=16, values={0: 1, 15: 9})
    caller = Caller(board, 0x20, chip)
    caller.write(14, 7, 8, 9)
    assert chip.values[14:] == [7, 8] and chip.values[0] == 9
    assert caller.read(3, 15) == bytes([8, 9, 0]) and caller.read(1) == b"\0"
    assert caller.call(True, smbus.BYTE) == b"\0"


def test_a_pointer_may_stay(board):
    caller = Caller(board, 0x20, Registers(increments=False))
    caller.write(3, 1, 2)
    assert caller.read(2, 3) == b"\2\2"


def test_registers_of_16_bits_come_in_both_orders(board):
    big, little = Caller(board, 0x20, Registers(16)), Caller(board, 0x21, Registers(16, order="little"))
    big.write(1, 0x12, 0x34, 0x56, 0x78)
    assert big.bus.chips[0x20].values[1:3] == [0x1234, 0x5678] and big.read(4, 1) == b"\x12\x34\x56\x78"
    little.call(False, smbus.WORD_DATA, 1, b"\x34\x12")
    assert little.bus.chips[0x21].values[1] == 0x1234
    assert little.call(True, smbus.WORD_DATA, 1) == b"\x34\x12"


def test_half_a_register_is_not_written_and_not_kept(board):
    caller = Caller(board, 0x20, Registers(16, values={1: 0xABCD}))
    caller.write(1, 0x12)
    caller.write(2, 0x34, 0x56)
    assert caller.read(1, 1) == b"\xab" and caller.read(4, 1) == b"\xab\xcd\x34\x56"


def test_some_registers_are_only_read_and_somebody_may_be_told(board):
    told = []
    chip = Registers(values={0: 0x55}, read_only=(0,), on_write=lambda *what: told.append(what))
    Caller(board, 0x20, chip).write(0, 1, 2)
    assert chip.values[:2] == [0x55, 2] and told == [(1, 2)]


@pytest.mark.parametrize(
    ("named", "text"),
    [
        ({"width": 12}, "8 or 16"),
        ({"count": 0}, "1 to 256"),
        ({"order": "middle"}, "big or little"),
        ({"count": 4, "values": {4: 0}}, "0 to 3, not 4"),
        ({"values": {0: 256}}, "8 bits has no 256"),
    ],
)
def test_a_row_of_registers_that_cannot_be_is_refused(named, text):
    with pytest.raises(ValueError, match=text):
        Registers(**named)


# -- 24Cxx -------------------------------------------------------------------------------------------


def test_a_memory_of_one_address_byte_keeps_a_page(board):
    """AT24C02C, 6.2: pages of 8 bytes, within which the address rolls over; 8.1: reads go on."""
    chip = Eeprom(board, 256)
    caller = Caller(board, 0x50, chip)
    caller.write(6, 1, 2, 3)
    caller.wait(5)
    assert chip.data[:9] == b"\3" + b"\xff" * 5 + b"\1\2\xff"
    assert caller.read(3, 6) == b"\1\2\xff" and caller.read(1) == b"\xff"


def test_a_memory_of_two_address_bytes(board):
    """AT24C32E, 6: pages of 32 bytes, 4096 in all; reads roll over at the end."""
    chip = Eeprom(board, 4096, b"abc")
    caller = Caller(board, 0x50, chip)
    caller.write(0x0F, 0xFE, 7, 8)
    caller.wait(5)
    assert caller.read(5, 0x0F, 0xFE) == b"\7\x08abc"
    assert chip.data[0x0FFE:] == b"\7\x08"


def test_it_does_not_acknowledge_while_it_writes(board):
    """6.4: acknowledge polling; a write takes 5 ms at most."""
    caller = Caller(board, 0x50, Eeprom(board, 256))
    caller.write(0, 1)
    assert refused(caller.read, 1, 0) == errno.EREMOTEIO
    polls = 0
    while True:
        try:
            assert caller.read(1, 0) == b"\1"
            break
        except OSError:
            polls += 1
    assert polls > 10
    quick = Caller(board, 0x51, Eeprom(board, 256, write_ms=0))
    quick.write(0, 1)
    assert quick.read(1, 0) == b"\1"


def test_what_has_no_data_writes_nothing(board):
    caller = Caller(board, 0x50, Eeprom(board, 256))
    caller.write(3)
    caller.call(False, smbus.QUICK)
    assert caller.read(1) == b"\xff"


def test_a_memory_has_a_size_that_is_made(board):
    with pytest.raises(ValueError, match="size is one of 128, 256"):
        Eeprom(board, 100)
    with pytest.raises(ValueError, match="more than the memory has"):
        Eeprom(board, 128, bytes(129))


# -- Si4703 ------------------------------------------------------------------------------------------

LISTING = """\
0x0A = 00 00
0x0B = 00 00
0x0C = 00 00
0x0D = 00 00
0x0E = 00 00
0x0F = 00 00
0x00 = 12 42
0x01 = 12 00
0x02 = 0a 00
0x03 = 00 00
0x04 = 00 00
0x05 = 00 00
0x06 = 00 00
0x07 = 01 00
0x08 = 00 00
0x09 = 00 00"""


def test_the_radio_shows_what_smbus_proxy_prints(board):
    """The command byte of a block read, 0x0A, is written to the upper byte of register 0x02: data sheet, 4.9."""
    caller = Caller(board, 0x10, Si4703(board))
    data = caller.call(True, smbus.I2C_BLOCK_DATA, 0x0A, length=32)
    rows = [f"0x{(0x0A + n) % 16:02X} = {data[2 * n]:02x} {data[2 * n + 1]:02x}" for n in range(16)]
    assert "\n".join(rows) == LISTING


def test_the_radio_writes_from_register_2_on(board):
    caller = Caller(board, 0x10, Si4703(board))
    caller.write(0x40, 0x01, 0x80, 0x12)
    assert caller.read(32)[16:20] == b"\x40\x01\x80\x12"
    assert refused(caller.write, *range(17)) == errno.EREMOTEIO  # 0x02 to 0x09


def test_the_radio_tunes_in_its_time(board):
    """Data sheet, 4.5.2 and table 8: STC is set within 60 ms, and cleared when TUNE is."""
    caller = Caller(board, 0x10, Si4703(board, rssi=20))
    caller.write(0x40, 0x01, 0x80, 0x12)
    caller.wait(50)
    assert caller.read(4) == bytes(4)
    caller.wait(10)
    assert caller.read(4) == bytes([0x40, 20, 0, 0x12])
    caller.write(0x40, 0x01, 0x00, 0x12)
    assert caller.read(2) == bytes([0, 20])
