# SPDX-License-Identifier: LGPL-3.0-or-later
"""Simulated chips that are registers or memories: each as its data sheet says."""

import errno

import pytest

from chip_parts import Caller, manual_board
from RPIO.backends.buses import SpiSettings
from RPIO.chips.buses import spi_bus
from RPIO.chips.eeprom import Eeprom
from RPIO.chips.mcp3008 import Mcp3008
from RPIO.chips.mcp23017 import Mcp23017
from RPIO.chips.pcf8574 import Pcf8574
from RPIO.chips.registers import Registers
from RPIO.chips.si4703 import Si4703
from RPIO.chips.smbus_device import SmbusDevice
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


# -- a device that speaks SMBus -----------------------------------------------------------------------


@pytest.fixture
def battery(board):
    device = SmbusDevice(
        0x0B,
        {0x08: b"\xa0\x0b", 0x01: b"\7", 0x20: b"RPIO", 0x21: bytes(32)},
        blocks=(0x20, 0x21, 0x30),
        processes={0x10: lambda data: data[::-1], 0x30: lambda data: data + b"!"},
    )
    return Caller(board, 0x0B, device)


@pytest.mark.parametrize("has_pec", [False, True])
def test_every_call_of_smbus_with_and_without_a_check_byte(battery, has_pec):
    def call(is_read, size, command, data=b""):
        return battery.call(is_read, size, command, data, has_pec=has_pec)

    assert call(True, smbus.WORD_DATA, 0x08) == b"\xa0\x0b"
    assert call(True, smbus.BYTE_DATA, 0x01) == b"\7"
    assert call(True, smbus.BLOCK_DATA, 0x20) == b"RPIO"
    assert call(True, smbus.BLOCK_DATA, 0x21) == bytes(32)
    assert call(True, smbus.PROCESS_CALL, 0x10, b"\1\2") == b"\2\1"
    assert call(True, smbus.BLOCK_PROC_CALL, 0x30, b"what") == b"what!"
    call(False, smbus.WORD_DATA, 0x08, b"\1\2")
    call(False, smbus.BYTE_DATA, 0x01, b"\3")
    call(False, smbus.BLOCK_DATA, 0x20, b"another")
    values = battery.bus.chips[0x0B].values
    assert (values[0x08], values[0x01], values[0x20]) == (b"\1\2", b"\3", b"another")


def test_a_wrong_check_byte_is_not_acknowledged_and_writes_nothing(battery):
    assert refused(battery.write, 0x01, 9, 0) == errno.EREMOTEIO
    assert battery.call(True, smbus.BYTE_DATA, 0x01) in (b"\7", b"\x09")


# -- PCF8574 -----------------------------------------------------------------------------------------

INT = 4


def expander(board, address, chip):
    board.set_input(INT, 22)
    caller = Caller(board, address, chip)
    caller.chip = chip
    return caller


def test_a_pin_is_an_input_while_it_is_high(board):
    """PCF8574, 8.1: a 1 is a weak pull-up, a 0 a strong driver."""
    caller = expander(board, 0x20, Pcf8574(board, {0: 17, 1: 18}, INT))
    board.set_input(17, 21)
    assert board.read(17) == 1 and caller.read(1) == b"\xff"
    board.drive(17, 0)
    assert caller.read(1) == b"\xfe"
    caller.write(0b11111101)
    assert board.read(18) == 0 and caller.read(1) == b"\xfc"
    board.drive(17, None)
    caller.write(0xFE)
    assert (board.read(17), board.read(18), caller.chip.level(1)) == (0, 1, 1)
    assert board.short_circuits == 0


def test_an_output_of_the_board_drives_a_pin_and_meets_one_that_is_low(board):
    caller = expander(board, 0x20, Pcf8574(board, {0: 17}))
    board.set_output(17, 0)
    assert caller.read(1) == b"\xfe"
    board.write(17, 1)
    assert caller.read(1) == b"\xff"
    caller.write(0xFE)
    assert board.short_circuits == 1


def test_the_interrupt_says_that_an_input_has_changed(board):
    """PCF8574, 8.5: until it is read or written, or is as it was."""
    caller = expander(board, 0x20, Pcf8574(board, {0: 17}, INT))
    assert board.read(INT) == 1
    board.drive(17, 0)
    assert board.read(INT) == 0
    caller.read(1)
    assert board.read(INT) == 1
    board.drive(17, 1)
    caller.chip.drive(7, 0)
    assert board.read(INT) == 0
    board.drive(17, 0)
    assert board.read(INT) == 0
    caller.chip.drive(7, None)
    assert board.read(INT) == 1
    caller.write(0xFE)
    assert board.read(INT) == 1


# -- MCP23017 ----------------------------------------------------------------------------------------

IODIRA, IODIRB, IPOLA, GPINTENA, GPINTENB, DEFVALA, INTCONA, IOCON = 0, 1, 2, 4, 5, 6, 8, 0x0A
GPPUA, INTFA, INTCAPA, GPIOA, GPIOB, OLATA, OLATB = 0x0C, 0x0E, 0x10, 0x12, 0x13, 0x14, 0x15


@pytest.fixture
def mcp(board):
    return expander(board, 0x20, Mcp23017(board, {0: 17, 15: 18}, int_a=INT, int_b=5))


def test_all_registers_are_zero_after_reset_but_the_directions(mcp):
    """DS20001952C, table 3-5; SEQOP: the pointer goes round."""
    assert mcp.read(22, 0) == b"\xff\xff" + bytes(20)
    assert mcp.read(2, 0x15) == b"\0\xff"


def test_outputs_have_the_latch_and_inputs_the_level(board, mcp):
    mcp.byte(IODIRA, 0xFE)
    mcp.byte(GPIOA, 0xFF)
    assert (board.read(17), mcp.byte(OLATA), mcp.byte(GPIOA)) == (1, 0xFF, 0x01)
    mcp.byte(OLATA, 0)
    assert board.read(17) == 0
    board.drive(18, 1)
    mcp.chip.drive(9, 1)
    assert mcp.byte(GPIOB) == 0x82 and mcp.chip.level(9) == 1
    assert mcp.read(2, GPIOA) == b"\x00\x82"


def test_pull_ups_and_polarity(board, mcp):
    mcp.byte(GPPUA, 0x03)
    assert mcp.byte(GPIOA) == 0x03 and board.read(17) == 1
    mcp.byte(IPOLA, 0x81)
    assert mcp.byte(GPIOA) == 0x82
    mcp.byte(GPPUA, 0)
    assert mcp.byte(GPIOA) == 0x81 and board.read(17) == 0


def test_the_other_bank_and_byte_mode(mcp):
    """3.2.1 and table 3-1, 3-2."""
    mcp.write(IOCON, 0x80)
    mcp.write(0x10, 0x0F)  # IODIRB now
    mcp.write(0x00, 0xF0)
    assert mcp.read(12, 0x00) == b"\xf0" + bytes(4) + b"\x80" + bytes(5) + b"\x0f"
    assert mcp.byte(0x0B) == 0 and mcp.byte(0x20) == 0
    mcp.write(0x05, 0xA1)  # bit 0 is none
    assert mcp.byte(0x15) == 0xA0 and mcp.read(3, 0x00) == b"\xf0" * 3
    mcp.write(0x05, 0x20)
    assert mcp.read(4, 0x00) == b"\xf0\x0f\xf0\x0f"


def test_an_interrupt_on_change_keeps_what_was_then(board, mcp):
    """3.6.2, 3.6.5: the first one is captured; reading GPIO or INTCAP ends it."""
    mcp.byte(GPINTENA, 0x01)
    assert board.read(INT) == 1 and mcp.byte(INTFA) == 0
    board.drive(17, 1)
    assert board.read(INT) == 0 and mcp.byte(INTFA) == 1
    board.drive(17, 0)
    assert mcp.byte(INTCAPA) == 1 and board.read(INT) == 1
    board.drive(17, 1)
    assert board.read(INT) == 0 and mcp.byte(GPIOA) == 1 and board.read(INT) == 1
    mcp.chip.drive(3, 1)
    assert board.read(INT) == 1
    mcp.byte(INTFA, 0xFF)
    assert mcp.byte(INTFA) == 0


def test_an_interrupt_on_a_value_stays_while_it_does(board, mcp):
    """3.6.3: compared with DEFVAL, it comes again when it is read."""
    mcp.byte(DEFVALA, 0x00)
    mcp.byte(INTCONA, 0x01)
    mcp.byte(GPINTENA, 0x01)
    board.drive(17, 1)
    assert mcp.byte(INTCAPA) == 1 and board.read(INT) == 0
    board.drive(17, 0)
    assert board.read(INT) == 0 and mcp.byte(INTCAPA) == 1 and board.read(INT) == 1


def test_interrupt_lines_may_be_mirrored_turned_round_and_open(board, mcp):
    """3.5.6: MIRROR, INTPOL, ODR, which wins over INTPOL."""
    mcp.byte(GPINTENB, 0x80)
    board.drive(18, 1)
    assert (board.read(INT), board.read(5)) == (1, 0)
    mcp.byte(IOCON, 0x40)
    assert (board.read(INT), board.read(5)) == (0, 0)
    mcp.byte(IOCON, 0x02)
    assert (board.read(INT), board.read(5)) == (0, 1)
    mcp.byte(IOCON, 0x06)
    assert (board.driven(INT), board.driven(5)) == (None, 0)


def test_pins_of_an_expander_are_those_that_it_has(board, mcp):
    for call in (
        lambda: Mcp23017(board, {16: 4}),
        lambda: Pcf8574(board, {8: 4}),
        lambda: mcp.chip.drive(16, 1),
    ):
        with pytest.raises(ValueError, match="pins are 0 to"):
            call()
    with pytest.raises(ValueError, match="wired to GPIO 17: drive that"):
        mcp.chip.drive(0, 1)


# -- MCP3008 -----------------------------------------------------------------------------------------


def converted(board, chip, channel, is_single=1):
    spi = spi_bus(board, 0, 0)
    spi.chip = chip
    answer = spi.transfer(bytes([1, is_single << 7 | channel << 4, 0]), SpiSettings())
    return (answer[1] & 3) << 8 | answer[2]


def test_an_mcp3008_converts_each_input_and_pairs(board):
    """DS21295D, table 5-2; equation 4-2: 1024 * Vin / Vref."""
    chip = Mcp3008([0, 0.825, 1.65, 3.3, 1, 2, 3, 4], reference=3.3)
    assert [converted(board, chip, n) for n in range(8)] == [0, 256, 512, 1023, 310, 620, 930, 1023]
    assert [converted(board, chip, n, 0) for n in (0, 1, 2, 3)] == [0, 256, 0, 512]


def test_an_mcp3008_counts_bits_not_bytes(board):
    """Figure 6-1 and 6-2: where the start bit is does not matter; behind the lowest bit they come backward."""
    spi = spi_bus(board, 0, 1)
    spi.add(Mcp3008([3.3 * 0b1011010011 / 1024 + 1e-9] + [0] * 7))
    answer = int.from_bytes(spi.transfer(bytes([0b11000000, 0, 0, 0]), SpiSettings()), "big")
    assert f"{answer:032b}" == "00000" + "00" + "1011010011" + "100101101" + "000000"
    assert spi.transfer(bytes(4), SpiSettings()) == bytes(4)


def test_an_mcp3008_has_eight_inputs_and_a_reference():
    with pytest.raises(ValueError, match="eight inputs, not 4"):
        Mcp3008([1, 2, 3, 4])
    with pytest.raises(ValueError, match="more than 0 V"):
        Mcp3008(reference=0)
