# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO.spi.SpiDev beside spidev 3.8 on the kernel's own driver, whose bus is four lines of a simulated chip."""

import errno
import importlib
import os
import re
import sys

import pytest

import RPIO
from kernel import gpiosim
from peers import peers
from RPIO.backends.remote import RemoteBackend
from RPIO.board.board import Board
from RPIO.server.serving import serve
from RPIO.spi import SpiDev

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
VALUES = {
    "mode": [0, 1, 3, 2, 4, -1, "x", 1.0, True, 0],
    "cshigh": [True, 1, False],
    "threewire": [True, False, 0],
    "lsbfirst": [True, False],
    "loop": [True, False],
    "no_cs": [True, False],
    "bits_per_word": [16, 8, 7, 33, 9, 32, 8, "a"],
    "max_speed_hz": [500_000, 0, "x", 2_000_000, 1_000_000],
    "read0": [True, 0, False],
}
CALLS = ("xfer", "xfer2", "xfer3", "writebytes", "writebytes2")
SEQUENCES = (
    *([1, 2, 3], (1, 2, 3), b"\1\2", bytearray(b"ab"), range(3), [], (), b"", "ab", 5, None),
    *([256, -1, 1000], ["a"], [1.0], [0] * 4096, [0] * 4097),
)
MISO = 2
"""The line of the bus on the chip rig-aux. Source: rpi3b.dts."""


@pytest.fixture
def bus(monkeypatch):
    """The chip that the bus is made of."""
    monkeypatch.setenv("RPIO_BACKEND", "cdev")
    RPIO.facade.new_board()
    try:
        chip = gpiosim.find("rig-aux")
    except LookupError:
        pytest.skip("needs a device tree: `rig run --dtb rpi3b`")
    with chip:
        chip.drive(MISO, 0)
        yield chip
    RPIO.facade.new_board()


@pytest.fixture
def spidev(monkeypatch):
    """The real one, of which the guest has what was fetched outside."""
    folder = peers.kept("spidev==3.8")
    if folder is None:
        pytest.skip("spidev is not there: `make test-peers` fetches it")
    monkeypatch.syspath_prepend(folder)
    yield importlib.import_module("spidev")
    del sys.modules["spidev"]


def told(call):
    """What a call returns or raises, but for addresses in a text, and names of files that we add."""
    try:
        return call()
    except OSError as e:
        kind = FileNotFoundError if isinstance(e, FileNotFoundError) else OSError
        return kind.__name__, e.errno, str(e) if e.errno is None else ""
    except Exception as e:
        return type(e).__name__, re.sub(r"arguments: .*", "", str(e))


def everything(kind):
    """What a class of spidev's says to all of it."""
    device, found = kind(0, 0), []

    def attributes():
        return [getattr(device, name) for name in ATTRIBUTES]

    found.append(attributes())
    for name, values in VALUES.items():
        for value in values:
            found.append((name, value, told(lambda n=name, v=value: setattr(device, n, v)), attributes()))
    for call in CALLS:
        for values in SEQUENCES:
            given = list(values) if isinstance(values, list) else values
            result = told(lambda c=call, v=given: getattr(device, c)(v))
            found.append((call, values, result, result is given, given, type(result).__name__))
    found += [told(lambda n=n: device.readbytes(n)) for n in (0, 5, 4097, -1)]
    for words in [
        ([1, 2], 500_000),
        ([1, 2], 500_000, 10),
        ([1, 2], 500_000, 10, 8),
        ([1, 2], 0, 0, 16),
        ([1, 2, 3], 0, 0, 16),
        ([1], 0, 0, 99),
    ]:
        found.append(told(lambda w=words: device.xfer(*w)))
    device.threewire = True
    found += [
        told(lambda: device.xfer([1])),
        told(lambda: device.readbytes(3)),
        told(lambda: device.writebytes([1])),
    ]
    device.threewire = False
    found += [device.fileno() > 0, device.close(), device.close(), device.fileno(), attributes()]
    found += [
        told(lambda: device.xfer([1])),
        told(lambda: device.readbytes(1)),
        told(lambda: device.writebytes([1])),
    ]
    found += [
        told(lambda n=n, v=v: setattr(device, n, v))
        for n, v in (("mode", 1), ("max_speed_hz", 0), ("loop", True))
    ]
    found += [told(lambda: device.open(0, 1)), told(lambda: device.open_path("/dev/null"))]
    found += [told(lambda: device.open_path(b"/dev/spidev0.0")), device.mode, device.close()]
    return found


def test_all_of_it_is_as_spidev_has_it(bus, spidev):
    theirs, ours = everything(spidev.SpiDev), everything(SpiDev)
    assert len(theirs) == len(ours) > 100
    for one, other in zip(theirs, ours, strict=True):
        assert other == one


def test_what_the_wire_has_is_what_is_read(bus):
    with SpiDev(0, 0) as device:
        assert device.fileno() > 0
        assert os.readlink(f"/proc/self/fd/{device.fileno()}") == "/dev/spidev0.0"
        assert device.xfer2([0x55, 0xAA]) == device.readbytes(2) == [0, 0]
        bus.drive(MISO, 1)
        assert device.xfer2([0x55, 0xAA]) == device.readbytes(2) == [0xFF, 0xFF]
        assert device.xfer3([0] * 5000) == (0xFF,) * 5000


def test_over_a_socket_it_is_the_same_device(bus, chip):
    board = Board(f"cdev:{chip.path}")
    port = serve(board, 0, "127.0.0.1", None)
    board.wait_for_interrupts(threaded=True)
    try:
        RPIO.facade.board.use(RemoteBackend(f"127.0.0.1:{port}"), board.hardware)
        bus.drive(MISO, 1)
        with SpiDev(0, 0) as device:
            device.max_speed_hz, device.mode = 1_000_000, 3
            assert device.xfer2([0x55, 0xAA]) == device.readbytes(2) == [0xFF, 0xFF]
            with pytest.raises(OSError) as e:
                device.loop = True
                device.xfer([1])
            assert e.value.errno == errno.EINVAL
        with pytest.raises(FileNotFoundError, match=r"spidev7\.1"):
            SpiDev(7, 1).xfer([1])
        RPIO.facade.new_board()
    finally:
        board.close()


def test_each_of_two_on_one_device_has_its_own_mode(bus):
    with SpiDev(0, 0) as one, SpiDev(0, 0) as other:
        one.mode, other.mode = 3, 0
        one.xfer([0])
        with SpiDev(0, 0) as third:
            assert third.mode == 3
        other.xfer([0])
        one.mode = 0
        assert (one.mode, other.mode) == (0, 0)


def test_a_device_that_is_not_there_is_told_with_what_to_type(bus):
    with pytest.raises(FileNotFoundError) as e:
        SpiDev(7, 1)
    assert e.value.errno == errno.ENOENT
    assert "/dev/spidev7.1" in str(e.value) and "dtparam=spi=on" in e.value.hint
