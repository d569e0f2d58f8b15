# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO.i2c beside smbus2 on the kernel's i2c-stub, here and over RPIO's own protocol; and our smbus beside py-smbus.

i2c-stub has no plain I2C, no process calls and no PEC: those are compared in test_smbus2_model.
"""

import contextlib
import ctypes
import errno
import importlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import smbus2

import RPIO
from peers import peers
from RPIO.board.board import Board
from RPIO.i2c import SMBus
from RPIO.i2c import i2c_msg as our_msg
from RPIO.server.serving import serve
from RPIO.shims.buses import smbus as our_smbus
from waiting import LIMIT_S

CHIP, OTHER, ABSENT, HELD = 0x50, 0x48, 0x51, 0x20
BLOCK = [1, 2, 255, 0, 65]
CALLS = [
    *(("write_quick", CHIP), ("write_quick", ABSENT), ("write_quick", HELD), ("write_quick", HELD, True)),
    *(("write_byte", CHIP, 7), ("read_byte", CHIP), ("read_byte", CHIP), ("read_byte", ABSENT)),
    *(("write_byte_data", CHIP, 0x10, 0xAB), ("read_byte_data", CHIP, 0x10), ("read_byte_data", ABSENT, 0)),
    *(("write_word_data", CHIP, 0x20, 0xBEEF), ("read_word_data", CHIP, 0x20), ("read_word_data", HELD, 0)),
    *(
        ("write_byte_data", HELD, 4, 1),
        ("write_byte_data", HELD, 4, 1, True),
        ("read_byte_data", HELD, 4, True),
    ),
    *(("write_i2c_block_data", CHIP, 0x30, BLOCK), ("read_i2c_block_data", CHIP, 0x30, 5)),
    *(("read_i2c_block_data", CHIP, 0x30, 32), ("read_i2c_block_data", CHIP, 0x30, 33)),
    *(("read_i2c_block_data", ABSENT, 0x30, 4), ("write_i2c_block_data", CHIP, 0xF0, list(range(32)))),
    *(("read_i2c_block_data", CHIP, 0xF8, 32), ("write_i2c_block_data", CHIP, 0, list(range(33)))),
    *(
        ("write_block_data", CHIP, 0x60, BLOCK),
        ("read_block_data", CHIP, 0x60),
        ("read_block_data", CHIP, 0x61),
    ),
    *(
        ("write_block_data", CHIP, 0x60, [9]),
        ("read_block_data", CHIP, 0x60),
        ("write_block_data", CHIP, 0, [0] * 33),
    ),
    *(("process_call", CHIP, 0x20, 0x1234), ("block_process_call", CHIP, 0x60, BLOCK)),
    *(("block_process_call", CHIP, 0, [0] * 33), ("enable_pec", True), ("enable_pec", False)),
    *(("write_byte_data", OTHER, 0x10, 1), ("read_byte_data", OTHER, 0x10), ("read_word_data", OTHER, 0xFF)),
]


@pytest.fixture(autouse=True)
def _of_this_machine(monkeypatch):
    """Its buses, and a driver of the kernel's that has one of the stub's chips."""
    monkeypatch.setenv("RPIO_BACKEND", "cdev")
    RPIO.facade.new_board()
    folder = Path("/sys/bus/i2c/devices/i2c-0")
    (folder / "new_device").write_text("pca9555 0x20\n")
    yield
    (folder / "delete_device").write_text("0x20\n")
    RPIO.facade.new_board()


@contextlib.contextmanager
def served(chip):
    """Serve a board of that chip; yield the Board of a session."""
    board = Board(f"cdev:{chip.path}")
    port = serve(board, 0, "127.0.0.1", None)
    board.wait_for_interrupts(threaded=True)
    try:
        with RPIO.connect(f"localhost:{port}", timeout_s=LIMIT_S, linger_s=0.0) as connected:
            yield connected
    finally:
        board.close()


@pytest.fixture(params=["here", "afar"])
def ours(request, chip):
    """An SMBus of ours on bus 0."""
    with contextlib.ExitStack() as stack:
        board = None if request.param == "here" else stack.enter_context(served(chip))
        yield stack.enter_context(SMBus(0, board=board))


@pytest.fixture
def theirs():
    """smbus2's."""
    with smbus2.SMBus(0) as bus:
        yield bus


def empty():
    """Have the stub's chips be as they were at first."""
    with smbus2.SMBus(0, force=True) as bus:
        for address in (CHIP, OTHER):
            for register in range(256):  # each has a word of its own there
                bus.write_word_data(address, register, 0)
            bus.write_byte(address, 0)


def memory():
    """What the stub's chips have."""
    with smbus2.SMBus(0, force=True) as bus:
        return [bus.read_word_data(address, register) for address in (CHIP, OTHER) for register in range(256)]


def told(bus, call, *words):
    """What a call returns, or what it raises."""
    try:
        return getattr(bus, call)(*words)
    except OSError as e:
        return "OSError", e.errno
    except ValueError as e:
        return "ValueError", str(e)


def all_of(bus, calls):
    """What calls say, and what the chips have afterwards."""
    empty()
    return [told(bus, *call) for call in calls], memory()


def test_every_call_says_what_smbus2s_says(ours, theirs):
    assert ours.funcs == theirs.funcs
    for call, one, other in zip(CALLS, all_of(theirs, CALLS)[0], all_of(ours, CALLS)[0], strict=True):
        assert other == one, call
    assert all_of(ours, CALLS)[1] == all_of(theirs, CALLS)[1]


def test_any_sequence_of_calls_leaves_the_same_bytes(ours, theirs):
    chance = random.Random(11)
    possible = [call for call in CALLS if call[1] in (CHIP, OTHER)]
    for _ in range(5):
        calls = [chance.choice(possible) for _ in range(20)]
        calls = [
            (call[0], call[1], chance.randrange(256), *call[3:]) if len(call) > 2 else call for call in calls
        ]
        assert all_of(ours, calls) == all_of(theirs, calls)


def test_plain_messages_are_refused_as_the_kernel_refuses_them(ours, theirs):
    with pytest.raises(OSError) as one:
        theirs.i2c_rdwr(smbus2.i2c_msg.read(CHIP, 1))
    with pytest.raises(OSError) as other:
        ours.i2c_rdwr(our_msg.read(CHIP, 1))
    assert other.value.errno == one.value.errno


def test_a_scan_finds_whom_the_stub_has(ours):
    assert ours.scan() == [HELD, OTHER, CHIP]


def test_who_is_forced_is_so_by_the_constructor_too(chip):
    with SMBus(0, force=True) as bus:
        assert bus.read_byte_data(HELD, 0) == smbus2.SMBus(0, force=True).read_byte_data(HELD, 0)


# -- smbus, the oldest of them -------------------------------------------------------------------------

OLD_CALLS = [
    call
    for call in CALLS
    if call[0] not in ("enable_pec", "process_call", "block_process_call")
    and call[-1] is not True
    and call[-1] != 33  # of which the stub makes something, and real adapters EINVAL, as ours does
    and call != ("read_i2c_block_data", CHIP, 0xF8, 32)  # which the stub alone shortens: smbus2 has all 32
] + [
    *(("write_byte", CHIP, 300), ("write_byte_data", CHIP, 256, -1), ("write_word_data", CHIP, 2, 0x12345)),
    *(("read_byte", 128), ("write_i2c_block_data", CHIP, 0, (1, 2)), ("write_i2c_block_data", CHIP, 0, [])),
    *(
        ("read_i2c_block_data", CHIP, 0),
        ("write_i2c_block_data", CHIP, 0, ["a"]),
        ("read_byte", "a"),
        ("read_byte",),
    ),
]


@pytest.fixture
def old(monkeypatch):
    """Debian's python3-smbus, whose library is not where it looks for it."""
    folder = peers.kept("python3-smbus+libi2c0")
    if folder is None or sys.version_info[:2] != (3, 11):
        pytest.skip("Debian's python3-smbus is not there: `make test-peers` fetches it, for Python 3.11")
    ctypes.CDLL(next(folder.glob("usr/lib/*/libi2c.so.0")), mode=ctypes.RTLD_GLOBAL)
    monkeypatch.syspath_prepend(folder / "usr/lib/python3/dist-packages")
    yield importlib.import_module("smbus")
    del sys.modules["smbus"]


def of_old(bus, call, *words):
    """As told(), with what py-smbus raises for what is no number or no list."""
    try:
        return told(bus, call, *words)
    except (TypeError, OverflowError) as e:
        return type(e).__name__


@pytest.mark.slow
def test_smbus_says_what_py_smbus_says(old):
    theirs, ours = old.SMBus(0), our_smbus.SMBus(0)
    different = []
    for call in OLD_CALLS:
        empty()
        theirs.write_quick(OTHER)  # an address that was refused goes to the one before when it is tried again
        one = of_old(theirs, *call), memory()
        empty()
        other = of_old(ours, *call), memory()
        if other != one:
            different.append((call, one[0], other[0]))
    assert not different
    assert (ours.pec, bool(theirs.pec)) == (0, False)
    theirs.close()
    ours.close()
    assert of_old(ours, "read_byte", CHIP) == of_old(theirs, "read_byte", CHIP)


def test_the_child_of_a_fork_does_not_move_the_parents_calls_to_another_chip():
    """One open file has one address, and each process would take it for its own."""
    with SMBus("/dev/i2c-0") as bus:
        bus.write_byte_data(CHIP, 0x10, 1)
        bus.write_byte_data(OTHER, 0x10, 2)
        assert bus.read_byte_data(CHIP, 0x10) == 1
        pid = os.fork()
        if not pid:
            status = 1
            try:
                status = 0 if bus.read_byte_data(OTHER, 0x10) == 2 else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        bus.write_byte_data(CHIP, 0x10, 3)
        assert bus.read_byte_data(OTHER, 0x10) == 2
        assert bus.read_byte_data(CHIP, 0x10) == 3


def test_two_programs_that_hold_a_bus_do_so_one_after_the_other():
    code = (
        "import sys; from RPIO.i2c import SMBus\n"
        "with SMBus('/dev/i2c-0') as bus, bus.held():\n"
        "    print('held', flush=True); sys.stdin.readline()"
    )
    with (
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as one,
        SMBus("/dev/i2c-0") as bus,
    ):
        assert one.stdout.readline() == "held\n"
        with pytest.raises(RPIO.BusError, match=f"held by process {one.pid}, python") as error:
            bus.held(0.01).__enter__()
        assert error.value.errno == errno.EBUSY
        one.communicate("\n")
        with bus.held():
            assert bus.read_byte_data(CHIP, 0) >= 0
