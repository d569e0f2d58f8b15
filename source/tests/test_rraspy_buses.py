# SPDX-License-Identifier: LGPL-3.0-or-later
"""Buses of a device of RRaspPY's: ``RPIO.i2c.SMBus`` on them, by the device's own smbus, and what it is asked there."""

import errno
import os
import subprocess
import sys

import pytest

import RPIO
from RPIO import errors
from RPIO.i2c import SMBus, i2c_msg
from RPIO.i2c.opening import numbers_beside
from RPIO.i2c.rraspy import RraspyBus
from RPIO.remote.rraspy import Device
from RPIO.wire.smbus import FUNC_I2C, QUICK, SmbusCall
from rraspy_parts import DEVICES, some_device
from waiting import LIMIT_S


@pytest.fixture(scope="module")
def ours():
    """The place of a device of ours that tests share."""
    with some_device("ours") as place:
        yield place


class Asking(Device):
    """A device that remembers the commands."""

    def __init__(self, where):
        super().__init__(where)
        self.commands = []

    def execute(self, command, handle=None, callback=None):
        self.commands.append(command)
        return super().execute(command, handle, callback)


@pytest.fixture
def device(ours):
    return Asking(ours)


@pytest.fixture
def bus(device):
    with SMBus.on(RraspyBus(device, 1)) as made:
        yield made


@pytest.mark.parametrize(
    ("call", "command", "result"),
    [
        (lambda b: b.write_quick(0x27), "write_quick(39)", None),
        (lambda b: b.write_byte(0x27, 8), "write_byte(39, 8)", None),
        (lambda b: b.read_byte(0x20), "read_byte(32)", 0),
        (lambda b: b.write_byte_data(0x20, 1, 171), "write_byte_data(32, 1, 171)", None),
        (lambda b: b.read_byte_data(0x20, 200), "read_byte_data(32, 200)", 0),
        (lambda b: b.write_word_data(0x20, 2, 0x1234), "write_word_data(32, 2, 4660)", None),
        (lambda b: b.read_word_data(0x20, 201), "read_word_data(32, 201)", 0),
        (lambda b: b.process_call(0x20, 4, 1), "process_call(32, 4, 1)", 0xFFFE),
        (lambda b: b.write_block_data(0x20, 6, [1, 2]), "write_block_data(32, 6, [1, 2])", None),
        (lambda b: b.read_block_data(0x20, 202), "read_block_data(32, 202)", []),
        (lambda b: b.block_process_call(0x20, 16, [4, 5]), "block_process_call(32, 16, [4, 5])", [5, 4]),
        (lambda b: b.write_i2c_block_data(0x20, 32, [7]), "write_i2c_block_data(32, 32, [7])", None),
        (lambda b: b.read_i2c_block_data(0x20, 203, 3), "read_i2c_block_data(32, 203, 3)", [0, 0, 0]),
    ],
    ids=lambda value: value.partition("(")[0] if isinstance(value, str) else "",
)
def test_a_call_is_the_command_of_that_name(bus, device, call, command, result):
    device.commands.clear()
    assert call(bus) == result
    assert device.commands == [command]


def test_opening_and_closing_are_two_commands(device):
    with SMBus.on(RraspyBus(device, 1)) as bus:
        assert device.commands == ["smbus.SMBus(1)"]
        bus.close()
    assert device.commands == ["smbus.SMBus(1)", "close()"]


def test_a_check_byte_is_asked_for_at_once_and_once(bus, device):
    device.commands.clear()
    bus.pec = 1
    assert device.commands == ["__setattr__('pec', 1)"]
    bus.read_byte(0x20)
    bus.enable_pec(False)
    bus.read_byte(0x20)
    assert device.commands[1:] == ["read_byte(32)", "__setattr__('pec', 0)", "read_byte(32)"]


def test_errors_have_the_devices_numbers(bus, device):
    with pytest.raises(OSError) as e:
        bus.read_byte(0x55)
    assert e.value.errno == errno.EREMOTEIO
    with pytest.raises(FileNotFoundError):
        RraspyBus(device, 7)


def test_what_smbus_has_not_is_not_supported(bus, device):
    assert not bus.funcs & FUNC_I2C
    for call in (
        lambda: bus.i2c_rdwr(i2c_msg.read(0x20, 1)),
        lambda: RraspyBus(device, 1).transfer([]),
        lambda: RraspyBus(device, 1).smbus(SmbusCall(0x20, True, QUICK)),
    ):
        with pytest.raises(OSError) as e:
            call()
        assert e.value.errno == errno.EOPNOTSUPP


def test_a_device_without_smbus_says_what_to_install_there(device, monkeypatch):
    def fail(*_):
        raise errors.CommandError("No module named 'smbus'")

    monkeypatch.setattr(device, "import_module", fail)
    with pytest.raises(errors.NotSupportedError, match="has no smbus: No module named") as e:
        RraspyBus(device, 1)
    assert "python3-smbus" in e.value.hint


def test_an_answer_that_is_no_bytes_is_told(device, monkeypatch):
    bus = RraspyBus(device, 1)
    for answer in (256, -1, "x", None):
        monkeypatch.setattr(device, "execute", lambda *_, answer=answer: answer)
        with pytest.raises(errors.ProtocolError, match="is no bytes, but"):
            SMBus.on(bus).read_byte(0x20)
    monkeypatch.setattr(device, "execute", lambda *_: 3)
    with pytest.raises(errors.ProtocolError, match="is no bytes, but 3"):
        SMBus.on(bus).read_block_data(0x20, 0)


def test_two_on_one_bus_wait_for_each_other(device, ours):
    one, other = RraspyBus(device, 1), RraspyBus(Device(ours), 1)
    assert one.lock is other.lock


@pytest.mark.parametrize("kind", DEVICES)
def test_a_board_of_a_device_has_its_buses(kind):
    with (
        some_device(kind) as where,
        RPIO.connect(f"rraspy:{where}") as board,
        SMBus(1, board=board) as bus,
    ):
        bus.write_byte(0x33, 65)
        assert bus.read_byte(0x33) == 65
        with pytest.raises(errors.NotSupportedError, match="does not tell which I2C buses it has"):
            numbers_beside(board.backend)


@pytest.mark.slow
def test_it_is_the_bus_of_a_program_whose_backend_is_a_device_and_no_line_is_touched(ours):
    code = """
from RPIO.i2c import SMBus
import RPIO, sys
with SMBus(1) as bus:
    print(bus.scan(), bus)
print("RPIO.backends.rraspy" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "RPIO_BACKEND": f"rraspy:{ours}"},
        check=False,
    )
    port = ours.rpartition("/")[0].removeprefix("//")
    assert done.stdout == f"[32, 39, 51] <SMBus I2C bus 1 of the device at {port}>\nFalse\n", done.stderr
