# SPDX-License-Identifier: LGPL-3.0-or-later
"""Simulated I2C and SPI buses: who is there, what is refused, what breaks, and that a call comes as a whole."""

import errno
import os
import threading

import pytest

import RPIO
from chip_parts import MS, Caller, manual_board
from RPIO.backends.buses import SpiSettings
from RPIO.backends.sim import SimBackend
from RPIO.chips.buses import i2c_bus, spi_bus
from RPIO.chips.chip import I2cChip, SpiChip
from RPIO.chips.registers import Registers
from RPIO.i2c import SMBus
from RPIO.machine.boards import by_name
from RPIO.wire import smbus
from RPIO.wire.smbus import M_RD, M_RECV_LEN, Message, SmbusCall


@pytest.fixture
def board():
    return manual_board()


@pytest.fixture
def chip(board):
    return Caller(board, 0x20, Registers())


def refused(call, *arguments, **named):
    with pytest.raises(OSError) as caught:
        call(*arguments, **named)
    assert str(caught.value).startswith(f"[Errno {caught.value.errno}] {os.strerror(caught.value.errno)}")
    return caught.value.errno


class Recorder(I2cChip):
    """Notes what it is told; says 1, 2, 3..."""

    def __init__(self):
        self.told = []

    def start(self, is_read):
        self.told.append("Sr" if is_read else "Sw")
        self.given = 0
        return True

    def write(self, byte):
        self.told.append(byte)
        return byte != 0xEE

    def read(self):
        self.given += 1
        return self.given

    def stop(self):
        self.told.append("P")


# -- who is there ------------------------------------------------------------------------------------


def test_a_board_has_two_buses_and_two_chip_selects_without_a_chip(board):
    assert i2c_bus(board, 1) is i2c_bus(board, 1) is not i2c_bus(board, 0)
    assert spi_bus(board, 0, 1) is spi_bus(board, 0, 1) is not spi_bus(board, 0, 0)
    assert refused(i2c_bus(board, 1).smbus, SmbusCall(0x48, True, smbus.BYTE)) == errno.EREMOTEIO
    assert spi_bus(board, 0, 0).transfer(b"abc", SpiSettings()) == bytes(3)


def test_another_bus_is_missing_with_the_line_that_makes_it(board):
    with pytest.raises(FileNotFoundError, match="no I2C bus 7") as caught:
        i2c_bus(board, 7)
    assert "dtparam=i2c_arm=on" in caught.value.hint
    with pytest.raises(FileNotFoundError, match=r"no SPI device 1\.0") as caught:
        spi_bus(board, 1, 0)
    assert "dtparam=spi=on" in caught.value.hint


def test_a_chip_has_its_address_to_itself(board):
    bus, chip = i2c_bus(board, 1), Registers()
    bus.add(0x20, chip)
    bus.add(0x20, chip)
    with pytest.raises(ValueError, match="0x20 of simulated I2C bus 1 is taken: Registers"):
        bus.add(0x20, Registers())
    for address in (0x02, 0x78, -1):
        with pytest.raises(ValueError, match="0x03 to 0x77"):
            bus.add(address, Registers())
    bus.remove(0x20)
    assert refused(bus.smbus, SmbusCall(0x20, True, smbus.BYTE)) == errno.EREMOTEIO


def test_who_closes_a_bus_leaves_it_to_the_next_one(board, chip):
    chip.byte(5, 99)
    i2c_bus(board, 1).close()
    assert chip.byte(5) == 99


def test_a_closed_board_has_no_chips_left():
    board = SimBackend(by_name("4B"))
    before = i2c_bus(board, 1)
    board.close()
    assert board.buses == {} and i2c_bus(board, 1) is not before


# -- messages ----------------------------------------------------------------------------------------


def test_messages_have_repeated_starts_between_them_and_one_stop(board):
    chip = Recorder()
    caller = Caller(board, 0x20, chip)
    messages = [
        Message(0x20, 0, b"ab"),
        Message(0x20, M_RD, length=3),
        Message(0x20, 0, b""),
        Message(0x20, M_RD),
    ]
    assert caller.bus.transfer(messages) == [b"\1\2\3", b""]
    assert chip.told == ["Sw", 97, 98, "Sr", "Sw", "Sr", "P"]


def test_a_start_for_another_chip_is_the_stop_of_the_first(board):
    first, second = Recorder(), Recorder()
    bus = Caller(board, 0x20, first).bus
    bus.add(0x21, second)
    bus.transfer([Message(0x20, 0, b"a"), Message(0x21, 0, b"b"), Message(0x20, 0, b"c")])
    assert first.told == ["Sw", 97, "P", "Sw", 99, "P"] and second.told == ["Sw", 98, "P"]


def test_a_byte_that_is_not_acknowledged_ends_the_transfer_with_a_stop(board):
    chip = Recorder()
    caller = Caller(board, 0x20, chip)
    assert refused(caller.write, 1, 0xEE, 2) == errno.EREMOTEIO
    assert chip.told == ["Sw", 1, 0xEE, "P"]


@pytest.mark.parametrize(
    ("message", "number"),
    [
        (Message(0x80, 0, b"a"), errno.EINVAL),
        (Message(-1, 0, b"a"), errno.EINVAL),
        (Message(0x20, 0, bytes(8193)), errno.EINVAL),
        (Message(0x20, M_RD, length=8193), errno.EINVAL),
        (Message(0x20, M_RD, length=-1), errno.EINVAL),
        (Message(0x20, M_RECV_LEN, b"a"), errno.EINVAL),
        (Message(0x20, M_RD | M_RECV_LEN, length=0), errno.EINVAL),
        (Message(0x20, smbus.M_TEN, b"a"), errno.EOPNOTSUPP),
        (Message(0x20, smbus.M_NOSTART, b"a"), errno.EOPNOTSUPP),
    ],
)
def test_what_the_kernel_refuses_is_refused(chip, message, number):
    assert refused(chip.bus.transfer, [message]) == number


def test_more_messages_than_the_kernel_takes_are_refused(chip):
    assert refused(chip.bus.transfer, [Message(0x20, 0, b"a")] * 43) == errno.EINVAL
    assert chip.bus.transfer([Message(0x20, 0, b"a")] * 42) == []


def test_an_address_that_is_none_is_refused(chip):
    assert refused(chip.bus.smbus, SmbusCall(0x80, True, smbus.BYTE)) == errno.EINVAL


def test_it_can_what_plain_i2c_can(chip):
    functions = chip.bus.functions()
    assert functions & smbus.FUNC_I2C and functions & smbus.FUNC_SMBUS_PEC and chip.bus.is_quick
    assert not functions & (smbus.FUNC_10BIT_ADDR | smbus.FUNC_PROTOCOL_MANGLING)


def test_a_count_that_is_none_is_a_protocol_error_and_the_bus_goes_on(board):
    chip = Registers(values={0: 0, 40: 33, 80: 2, 81: 5, 82: 6})
    caller = Caller(board, 0x20, chip)
    assert refused(caller.call, True, smbus.BLOCK_DATA, 0) == errno.EPROTO
    assert refused(caller.call, True, smbus.BLOCK_DATA, 40) == errno.EPROTO
    assert caller.call(True, smbus.BLOCK_DATA, 80) == b"\5\6"


def test_a_wrong_pec_is_a_bad_message(chip):
    assert refused(chip.call, True, smbus.BYTE_DATA, 0, has_pec=True) == errno.EBADMSG
    assert chip.call(True, smbus.BYTE_DATA, 0) == b"\0"


# -- what breaks -------------------------------------------------------------------------------------


def test_a_chip_does_not_acknowledge_so_often(chip):
    chip.bus.nack(0x20, times=2)
    chip.bus.nack(0x21)
    assert [refused(chip.byte, 0) for _ in range(2)] == [errno.EREMOTEIO] * 2
    assert chip.byte(0) == 0


def test_a_chip_does_not_acknowledge_a_byte(chip):
    chip.bus.nack(0x20, at_byte=2)
    chip.write(0, 1)
    assert refused(chip.write, 0, 7, 8) == errno.EREMOTEIO
    assert chip.read(2, 0) == b"\7\0"
    chip.write(0, 7, 8)
    assert chip.read(2, 0) == b"\7\x08"


def test_a_stuck_bus_times_out_until_it_is_recovered(chip):
    chip.bus.stick()
    assert [refused(chip.byte, 0) for _ in range(3)] == [errno.ETIMEDOUT] * 3
    chip.bus.recover()
    assert chip.byte(0) == 0


def test_a_stretched_clock_takes_its_time(board, chip):
    before_ns = board.clock.now_ns()
    chip.byte(0)
    plain_ns = board.clock.now_ns() - before_ns
    chip.bus.stretch(0x20, us=500)
    before_ns = board.clock.now_ns()
    chip.byte(0)
    assert board.clock.now_ns() - before_ns == plain_ns + 2 * 500_000  # a byte there, a byte back
    chip.bus.recover()
    before_ns = board.clock.now_ns()
    chip.byte(0)
    assert board.clock.now_ns() - before_ns == plain_ns


def test_a_clock_that_is_stretched_too_long_times_out(board, chip):
    chip.bus.stretch(0x20, us=35_001, times=1)
    before_ns = board.clock.now_ns()
    assert refused(chip.byte, 0) == errno.ETIMEDOUT
    assert board.clock.now_ns() - before_ns == 35.39 * MS  # and the bits
    assert chip.byte(0) == 0


def test_faults_have_sane_numbers(chip):
    with pytest.raises(ValueError, match="times is 1 or more"):
        chip.bus.nack(0x20, times=0)
    with pytest.raises(ValueError, match="0 us or more"):
        chip.bus.stretch(0x20, us=-1)


def test_a_transfer_takes_the_time_of_its_bits_where_a_test_moves_the_clock(board, chip):
    chip.call(True, smbus.WORD_DATA, 0)  # S 9 bits, 9 bits, Sr 9 bits, two bytes, P at 100 kHz
    assert board.clock.now_ns() == (9 * 5 + 3) * 10_000


# -- threads, forks ----------------------------------------------------------------------------------


def test_calls_of_threads_come_as_a_whole():
    board, chip = SimBackend(by_name("4B")), Recorder()
    bus = Caller(board, 0x20, chip).bus

    def call(number):
        for _ in range(300):
            bus.transfer([Message(0x20, 0, bytes([number] * 4)), Message(0x20, M_RD, length=4)])

    threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    board.close()
    whole = [["Sw", *[number] * 4, "Sr", "P"] for number in range(4)]
    found = [chip.told[at : at + 7] for at in range(0, len(chip.told), 7)]
    assert len(found) == 1200 and all(one in whole for one in found)


def test_the_child_of_a_fork_has_the_chips_and_a_lock_of_its_own(board, chip):
    chip.byte(5, 7)
    held, done = threading.Event(), threading.Event()

    def hold():
        with chip.bus.lock:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    child = os.fork()
    if child == 0:
        board.after_fork()
        os._exit(chip.byte(5))
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


# -- SPI ---------------------------------------------------------------------------------------------


class Echo(SpiChip):
    """Says the byte before."""

    def __init__(self):
        self.told, self.last = [], 0

    def select(self):
        self.told.append("select")

    def transfer(self, byte):
        before, self.last = self.last, byte
        return before

    def deselect(self):
        self.told.append("deselect")


def test_spi_gives_as_many_bytes_as_it_takes_and_selects_around_them(board):
    spi, chip = spi_bus(board, 0, 0), Echo()
    spi.add(chip)
    assert spi.transfer(b"abc", SpiSettings()) == b"\0ab"
    spi.transfer(b"d", SpiSettings(keeps_selected=True))
    assert spi.transfer(b"e", SpiSettings()) == b"d"
    assert chip.told == ["select", "deselect"] * 2
    with pytest.raises(ValueError, match="taken: Echo"):
        spi.add(Echo())


def test_spi_turns_bits_round_and_loops(board):
    spi = spi_bus(board, 0, 0)
    assert spi.transfer(b"abc", SpiSettings(mode=0x20)) == b"abc"
    spi.add(Echo())
    assert spi.transfer(b"\x01\x80", SpiSettings(mode=0x08)) == b"\x00\x01"
    assert refused(spi.transfer, b"a", SpiSettings(bits_per_word=16)) == errno.EINVAL


# -- lines -------------------------------------------------------------------------------------------


def test_who_listens_to_a_line_hears_each_change_at_its_moment(board):
    heard = []
    board.set_output(17, 0)
    board.on_change(17, heard.append)
    for value in (1, 1, 0):
        board.write(17, value)
    board.on_change(17, lambda level: board.drive(4, level))
    board.write(17, 1)
    assert heard == [1, 0, 1] and board.read(4) == 1


def test_a_line_that_is_wired_and_unwired_still_tells(board):
    heard = []
    board.set_output(17, 0)
    board.on_change(18, heard.append)
    board.wire(17, 18)
    board.write(17, 1)
    board.unwire(18)
    board.drive(18, 0)
    assert heard == [1, 0]


def test_the_bus_of_a_test_moves_its_clock(rpio_board):
    bus = i2c_bus(rpio_board.sim, 1)
    bus.add(0x20, Registers())
    seen = []
    RPIO.setup(17, RPIO.IN)
    RPIO.add_interrupt_callback(17, lambda gpio, value: seen.append((value, rpio_board.now_ms)))
    rpio_board.after(0.2, lambda: rpio_board.drive(17, 1))
    bus.smbus(SmbusCall(0x20, True, smbus.WORD_DATA))
    assert seen == [(1, 0.2)] and rpio_board.now_ms == 0.48


def test_a_callback_in_a_thread_has_the_bus_while_the_tests_transfer_takes_its_time(rpio_board):
    bus = i2c_bus(rpio_board.sim, 1)
    bus.add(0x20, Registers(values={1: 7}))
    seen = []
    RPIO.add_interrupt_callback(
        17,
        lambda gpio, value: seen.append(bus.smbus(SmbusCall(0x20, True, smbus.BYTE_DATA, 1))),
        threaded_callback=True,
    )
    rpio_board.after(0.2, lambda: rpio_board.drive(17, 1))
    with SMBus.on(bus) as held:
        held.read_word_data(0x20, 0)
    rpio_board.advance(0)
    rpio_board.drive(17, 0)
    assert seen == [b"\7"] * 2


def test_a_stretched_clock_in_real_time_is_nothing_for_a_loop():
    board = SimBackend(by_name("4B"))
    caller = Caller(board, 0x20, Registers())
    caller.bus.stretch(0x20, us=200)
    before_ns = board.clock.now_ns()
    assert not caller.bus.is_quick and caller.byte(0) == 0
    assert board.clock.now_ns() - before_ns >= 400_000
    caller.bus.recover()
    assert caller.bus.is_quick
    board.close()
