# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO.spi.SpiDev on a bus of the test's own, and what is said of wrong calls. On a real bus: kernel/test_spi."""

import errno
import subprocess
import threading
from array import array

import pytest

from RPIO.backends.buses import SpiBus, SpiSettings
from RPIO.backends.remote import RemoteBackend
from RPIO.backends.sim import SimBackend
from RPIO.board.board import Board
from RPIO.chips.buses import spi_bus
from RPIO.chips.chip import SpiChip
from RPIO.machine.boards import by_name
from RPIO.server.serving import serve
from RPIO.spi import SpiDev, linux
from support import raises

ATTRIBUTES = [
    "mode",
    "cshigh",
    "threewire",
    "lsbfirst",
    "loop",
    "no_cs",
    "bits_per_word",
    "max_speed_hz",
    "read0",
]


class Wire(SpiBus):
    """A device that answers with what it was sent, each bit turned, and keeps a book of it."""

    block_max = 8

    def __init__(self):
        self.lock = threading.RLock()
        self.book = []
        self.refuses_mode = None

    def settings(self):
        return SpiSettings(mode=1, speed_hz=1_000_000, bits_per_word=8)

    def configure(self, settings):
        if settings.mode == self.refuses_mode:
            raise OSError(errno.EINVAL, "Invalid argument")

    def transfer(self, data, settings):
        got = settings
        self.book.append((data, got.mode, got.speed_hz, got.bits_per_word, got.delay_us))
        return bytes(byte ^ 0xFF for byte in data)

    def close(self):
        self.book.append("closed")


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def device(monkeypatch, wire):
    from RPIO.spi import opening

    monkeypatch.setattr(opening, "bus_of", lambda bus, device: wire)
    return SpiDev(0, 1)


def test_a_list_gets_the_answer_and_is_what_comes_back(device, wire):
    values = [1, 2, 3]
    assert device.xfer(values) is values
    assert values == [0xFE, 0xFD, 0xFC]
    assert wire.book == [(b"\1\2\3", 1, 1_000_000, 8, 0)]


def test_other_sequences_stay_as_they_are(device):
    assert device.xfer2((1, 2)) == (0xFE, 0xFD)
    assert device.xfer2(b"\1\2") == [0xFE, 0xFD]
    assert device.xfer3([1, 2]) == (0xFE, 0xFD)


def test_speed_delay_and_bits_are_those_of_the_call(device, wire):
    device.xfer([0], 500_000, 10, 16)
    device.xfer2([0], 0, 0, 0)
    assert wire.book == [(b"\0", 1, 500_000, 16, 10), (b"\0", 1, 1_000_000, 8, 0)]


def test_what_is_longer_than_the_driver_takes_goes_in_parts(device, wire):
    assert len(device.xfer3(range(20))) == 20
    device.writebytes2(bytes(range(9)))
    device.writebytes2(array("H", [1]))
    device.writebytes2(b"")
    assert [len(entry[0]) for entry in wire.book] == [8, 8, 4, 8, 1, 2]


def test_reading_reads_between_1_and_4096_values(device):
    assert device.readbytes(3) == [0xFF] * 3
    assert [len(device.readbytes(length)) for length in (0, -1, 5000)] == [1, 1, 4096]


def test_the_lower_eight_bits_are_sent(device, wire):
    device.writebytes([256, -1, 1000, True])
    assert wire.book[0][0] == bytes([0, 255, 232, 1])


@pytest.mark.parametrize("call", ["xfer", "xfer2", "xfer3", "writebytes", "writebytes2"])
def test_values_are_checked_as_spidev_does(device, wire, call):
    send = getattr(device, call)
    with raises(TypeError, "Empty argument list."):
        send([])
    with raises(TypeError, "expected a sequence"):
        send(5)
    with raises(TypeError, "Non-Int/Long value in arguments: 1.0."):
        send([1.0])
    if call not in ("xfer3", "writebytes2"):
        with raises(OverflowError, "Argument list size exceeds 4096 bytes."):
            send([0] * 4097)
    assert wire.book == []


def test_attributes_are_the_devices_until_they_are_set(device, wire):
    assert [getattr(device, name) for name in ATTRIBUTES] == [1, *[False] * 5, 8, 1_000_000, False]
    device.mode, device.lsbfirst, device.max_speed_hz, device.bits_per_word = 2, True, 5000, 16
    assert (device.mode, device.lsbfirst, device.cshigh) == (2, True, False)
    device.xfer([0])
    assert wire.book == [(b"\0", 2 | 0x08, 5000, 16, 0)]
    device.lsbfirst = False
    assert device.mode == 2


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("mode", 4, "The mode attribute must be an integerbetween 0 and 3."),
        ("mode", "0", "The mode attribute must be an integer"),
        ("cshigh", 1, "The cshigh attribute must be boolean"),
        ("threewire", 1, "The 3wire attribute must be boolean"),
        ("read0", None, "The read0 attribute must be boolean"),
        ("bits_per_word", 7, "invalid bits_per_word (8 to 32)"),
        ("bits_per_word", 8.0, "The bits_per_word attribute must be an integer"),
        ("max_speed_hz", "1", "The max_speed_hz attribute must be an integer"),
    ],
)
def test_attributes_are_checked_in_spidevs_words(device, name, value, text):
    before = getattr(device, name)
    with raises(TypeError, text):
        setattr(device, name, value)
    assert getattr(device, name) == before


def test_what_the_bus_refuses_is_not_set(device, wire):
    wire.refuses_mode = 1 | 0x20
    with pytest.raises(OSError) as e:
        device.loop = True
    assert e.value.errno == errno.EINVAL
    assert device.loop is False


def test_nothing_is_read_where_a_high_select_is_to_be_let_go_of(device, monkeypatch, wire):
    reads = []
    monkeypatch.setattr(Wire, "read", lambda self, length, settings: reads.append(length))
    device.read0 = True
    device.xfer([0])
    device.cshigh = True
    device.xfer([0])
    device.xfer3([0])
    assert reads == [0, 0]


def test_a_closed_one_has_no_descriptor(device, wire):
    with device as same:
        assert same is device
        assert device.fileno() == -1  # a bus that has no file
    device.close()
    assert wire.book == ["closed"]
    assert [getattr(device, name) for name in ATTRIBUTES] == [0, *[False] * 5, 0, 0, False]
    for call in (
        lambda: device.xfer([1]),
        lambda: device.readbytes(1),
        lambda: device.writebytes([1]),
        lambda: setattr(device, "mode", 0),
    ):
        with pytest.raises(OSError) as e:
            call()
        assert e.value.errno == errno.EBADF


def test_opening_another_lets_go_of_the_first(device, wire):
    device.open(0, 0)
    assert wire.book == ["closed"]
    assert SpiDev(-1).fileno() == SpiDev().fileno() == -1
    with pytest.raises(TypeError, match="device"):
        SpiDev(0)


# -- on a simulated board, here and over RPIO's own protocol -------------------------------------------


class Turned(SpiChip):
    """Answers with each byte turned, and keeps a book."""

    def __init__(self):
        self.book = []

    def select(self):
        self.book.append("select")

    def transfer(self, byte):
        self.book.append(byte)
        return byte ^ 0xFF

    def deselect(self):
        self.book.append("deselect")


@pytest.fixture(params=["here", "afar"])
def chip(request, rpio):
    """A chip at select 1 of bus 0, of the board that is in use."""
    simulated, made = SimBackend(by_name("4B")), Turned()
    spi_bus(simulated, 0, 1).add(made)
    if request.param == "here":
        rpio.facade.board.use(simulated, simulated.hardware)
        yield made
        return
    board = Board()
    board.use(simulated, simulated.hardware)
    port = serve(board, 0, "127.0.0.1", None)
    board.wait_for_interrupts(threaded=True)
    rpio.facade.board.use(RemoteBackend(f"127.0.0.1:{port}"), simulated.hardware)
    yield made
    rpio.facade.new_board()
    board.close()


def test_a_simulated_chip_is_selected_for_each_transfer(chip):
    with SpiDev(0, 1) as device:
        assert device.fileno() == -1
        assert device.xfer2([1, 2]) == [0xFE, 0xFD]
        assert device.readbytes(1) == [0xFF]
        device.writebytes2(b"\3")
        device.loop = True
        assert device.xfer([5]) == [5]
    one = ["select", 1, 2, "deselect"]
    assert chip.book == [*one, "select", 0, "deselect", "select", 3, "deselect"]


def test_a_simulated_device_that_is_not_there_is_told(chip):
    with pytest.raises(FileNotFoundError) as e:
        SpiDev(7, 0).xfer([1])
    assert e.value.errno == errno.ENOENT and "dtparam=spi=on" in e.value.hint


def test_what_a_simulated_device_cannot_is_einval(chip):
    with SpiDev(0, 1) as device, pytest.raises(OSError) as e:
        device.bits_per_word = 9
        device.xfer([1])
    assert e.value.errno == errno.EINVAL


def test_the_numbers_are_those_of_the_kernels_header(tmp_path):
    names = [
        "RD_MODE",
        "WR_MODE",
        "RD_BITS_PER_WORD",
        "WR_BITS_PER_WORD",
        "RD_MAX_SPEED_HZ",
        "WR_MAX_SPEED_HZ",
    ]
    source = tmp_path / "numbers.c"
    shown = "".join(f'printf("%lu ", (unsigned long)SPI_IOC_{name});' for name in names)
    source.write_text(
        "#include <stdio.h>\n#include <linux/spi/spidev.h>\n"
        f'int main(void) {{ {shown} printf("%lu", (unsigned long)SPI_IOC_MESSAGE(1)); return 0; }}\n'
    )
    program = tmp_path / "numbers"
    subprocess.run(["gcc", "-o", program, source], check=True)
    found = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    assert [int(word) for word in found.split()] == [*(getattr(linux, name) for name in names), linux.MESSAGE]
