# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio i2c`` on chips of a simulated board. What it prints is compared with i2c-tools in kernel/test_i2c_tools."""

import errno
import json
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPIO import cli, sim
from RPIO.chips.buses import i2c_bus
from RPIO.chips.chip import I2cChip
from RPIO.chips.i2c_bus import SimulatedI2cBus
from RPIO.chips.registers import Registers
from RPIO.cli import i2c_words
from RPIO.cli.told import UsageError
from RPIO.i2c import SMBus

ENDS = "see: rpio i2c --help\n"


class Counter(I2cChip):
    """Answers with how often it was asked."""

    count = 0

    def start(self, is_read):
        return True

    def write(self, byte):
        return True

    def read(self):
        self.count += 1
        return self.count // 2


class Held(SimulatedI2cBus):
    """A bus where a driver of the kernel has the address 0x20."""

    def smbus(self, call):
        if call.address == 0x20 and not call.is_forced:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return super().smbus(call)


@pytest.fixture
def bus(rpio):
    backend = sim.backend()
    backend.buses["i2c-1"] = made = Held(backend, 1)
    for address in (0x20, 0x50):
        made.add(address, Registers(values={0x10: 0x41, 0x11: 0x0F}))
    assert i2c_bus(backend, 1) is made
    return made


@pytest.fixture
def i2c(bus, capsys):
    """A call that runs it, and returns status, stdout and stderr."""

    def run(words):
        status = cli.main(["i2c", *words.split()])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


CASES = [
    ("get 1 0x50 0x10", 0, "0x41\n", ""),
    ("get 1 80 16 --json", 0, '{"bus": 1, "address": 80, "register": 16, "value": 65}\n', ""),
    ("get --json 1 0x50 0x10 i 2", 0, '{"bus": 1, "address": 80, "register": 16, "value": [65, 15]}\n', ""),
    ("get i2c-1 0x50 0x10 i 2", 0, "0x41 0x0f\n", ""),
    ("get 1 0x50 0x10 w", 0, "0x0f41\n", ""),
    ("get -y 1 0x50 0x10 c", 0, "0x41\n", ""),
    ("set 1 0x50 0x20 0xab -r", 0, "Value 0xab written, readback matched\n", ""),
    ("set 1 0x50 0x20 0x0102 w --read --json", 0, '{"written": 258, "read": 258}\n', ""),
    ("set 1 0x50 0x10 0xff -m 0xf0 -r", 0, "Value 0xf1 written, readback matched\n", ""),
    ("set 1 0x50 0x20 1 2 3 i", 0, "", ""),
    ("transfer 1 w1@0x50 0x10 r2", 0, "0x41 0x0f\n", ""),
    ("transfer 1 w4@0x50 0x20 7= r0 w1 0x20 r3 --json", 0, "[[], [7, 7, 7]]\n", ""),
    ("watch 1 0x50 0x10 -n 1", 0, None, ""),
    (
        "get 1 0x51 0x10",
        2,
        "",
        "rpio i2c: nothing answers at 0x51 of bus 1 (Remote I/O error)\nsee who does: rpio i2c detect\n",
    ),
    (
        "set 1 0x51 0x10 1",
        1,
        "",
        "rpio i2c: nothing answers at 0x51 of bus 1 (Remote I/O error)\nsee who does: rpio i2c detect\n",
    ),
    (
        "transfer 1 r1@0x51",
        1,
        "",
        "rpio i2c: nothing answers at 0x51 of bus 1 (Remote I/O error)\nsee who does: rpio i2c detect\n",
    ),
    (
        "watch 1 0x51 0",
        1,
        "",
        "rpio i2c: nothing answers at 0x51 of bus 1 (Remote I/O error)\nsee who does: rpio i2c detect\n",
    ),
    (
        "get 1 0x20 0x10",
        1,
        "",
        "rpio i2c: 0x20 of bus 1: a driver of the kernel has it\n--force reads and writes all the same\n",
    ),
    ("get 1 0x20 0x10 --force", 0, "0x41\n", ""),
    ("set 1 0x20 0x10 1 --force -r", 0, "Value 0x01 written, readback matched\n", ""),
    ("get", 2, "", "rpio i2c: the bus is missing; for example: rpio i2c get 1 0x48 0x00\n" + ENDS),
    ("get 1", 2, "", "rpio i2c: the address is missing; for example: rpio i2c get 1 0x48 0x00\n" + ENDS),
    (
        "get zork 0x50",
        2,
        "",
        "rpio i2c: 'zork' is not a bus; for example 1, which is /dev/i2c-1: rpio i2c list shows them\n"
        + ENDS,
    ),
    ("get 1 zork", 2, "", "rpio i2c: the address 'zork' is not a number; for example 0x48 or 72\n" + ENDS),
    (
        "get 1 0x78",
        2,
        "",
        "rpio i2c: the address 0x78 is not in 0x08 to 0x77; with -a it is 0x00 to 0x7f\n" + ENDS,
    ),
    ("get 1 0x50 256", 2, "", "rpio i2c: the register 256 is not in 0x00 to 0xff\n" + ENDS),
    (
        "get 1 0x50 0 q",
        2,
        "",
        "rpio i2c: 'q' is not a mode: one of b, w, c, s, i, and p behind it for a PEC\n" + ENDS,
    ),
    ("get 1 0x50 0 b 3", 2, "", "rpio i2c: a length is that of mode i\n" + ENDS),
    ("get 1 0x50 0 i 33", 2, "", "rpio i2c: the length 33 is not in 0x01 to 0x20\n" + ENDS),
    ("set 1 0x50 0 1 2", 2, "", "rpio i2c: mode b has one value, not 2\n" + ENDS),
    ("set 1 0x50 0 w", 2, "", "rpio i2c: mode w has one value, not 0\n" + ENDS),
    ("set 1 0x50 0 0x100", 2, "", "rpio i2c: the value 0x100 is not in 0x00 to 0xff\n" + ENDS),
    ("set 1 0x50 0 1 i -m 1", 2, "", "rpio i2c: -m is for the modes b and w\n" + ENDS),
    ("dump 1 0x50 --range 9-3", 2, "", "rpio i2c: the range 9-3 runs backwards; did you mean 3-9?\n" + ENDS),
    ("dump 1 0x50 --range 9", 2, "", "rpio i2c: '9' is not a range; for example 0x10-0x2f\n" + ENDS),
    (
        "detect 1 0x10",
        2,
        "",
        "rpio i2c: the last address is missing; for example: rpio i2c detect 1 0x10 0x77\n" + ENDS,
    ),
    ("detect 1 -q -r", 2, "", "rpio i2c: -q or -r: one of them\n" + ENDS),
    ("detect 1 8 9 10", 2, "", "rpio i2c: '10': what is that?\n" + ENDS),
    (
        "transfer 1",
        2,
        "",
        "rpio i2c: which messages? for example: rpio i2c transfer 1 w1@0x50 0x00 r16\n" + ENDS,
    ),
    ("transfer 1 r16", 2, "", "rpio i2c: 'r16': the first message needs an address: r16@0x50\n" + ENDS),
    ("transfer 1 w2@0x50 1", 2, "", "rpio i2c: 'w2@0x50' is followed by 1 of its 2 bytes\n" + ENDS),
    ("transfer 1 zork", 2, "", "rpio i2c: 'zork' is not a message; for example w1@0x50 or r16\n" + ENDS),
    ("transfer 1 r8193@0x50", 2, "", "rpio i2c: the length 8193 is not in 0x00 to 0x2000\n" + ENDS),
]


@pytest.mark.parametrize(("words", "status", "out", "err"), CASES, ids=[case[0] for case in CASES])
def test_outputs_and_exit_codes(i2c, words, status, out, err):
    found = i2c(words)
    assert (found[0], found[2]) == (status, err)
    assert found[1] == out or (out is None and found[1].endswith("  0x41\n"))


def test_the_grid_shows_who_answers_and_whom_a_driver_has(i2c):
    status, out, err = i2c("detect")
    rows = out.splitlines()
    assert (status, err, len(rows)) == (0, "", 9)
    assert rows[0] == "     0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f"
    assert rows[3] == "20: UU" + " --" * 15 + " "
    assert rows[6] == "50: 50" + " --" * 15 + " "
    assert i2c("detect 1 --json")[1] == '{"bus": 1, "found": [80], "held": [32]}\n'


def test_a_dump_has_registers_and_letters(i2c):
    rows = i2c("dump 1 0x50 --range 0x0f-0x11")[1].splitlines()
    assert rows[1:] == [
        f"00: {'   ' * 15}00    {' ' * 15}.",
        f"10: 41 0f {'   ' * 14}   A?{' ' * 14}",
    ]
    found = json.loads(i2c("dump 1 0x50 --range 0x0f-0x11 --json")[1])
    assert found == {"bus": 1, "address": 0x50, "first": 0x0F, "values": [0, 0x41, 0x0F]}
    assert i2c("dump 1 0x51 --json --range 0-1")[1].endswith('"values": [null, null]}\n')


def test_list_has_the_buses_of_the_board(i2c):
    assert i2c("list")[1].splitlines()[1] == f"i2c-1\ti2c       \t{'simulated I2C bus 1':<32}\tI2C adapter"
    assert [row["bus"] for row in json.loads(i2c("list --json")[1])] == [0, 1]


def test_watch_prints_changes_alone(i2c, bus):
    bus.add(0x21, Counter())
    status, out, err = i2c("watch 1 0x21 0 --count 3 --every 1ms")
    assert (status, err) == (0, "")
    assert [line.split()[1] for line in out.splitlines()] == ["0x00", "0x01", "0x02"]
    rows = [json.loads(line) for line in i2c("watch 1 0x21 0 w -n 2 --every 1ms --json")[1].splitlines()]
    assert len(rows) == 2 and rows[0]["time_ns"] <= rows[1]["time_ns"]
    assert len(i2c("watch 1 0x50 0x10 --for 5ms --every 1ms")[1].splitlines()) == 1


class Impatient(Counter):
    """Somebody presses Ctrl+C when it is asked for the third time."""

    def read(self):
        if self.count == 2:
            raise KeyboardInterrupt
        return super().read()


def test_ctrl_c_ends_watching_quietly(i2c, bus):
    bus.add(0x21, Impatient())
    status, out, err = i2c("watch 1 0x21 0 --every 1ms")
    assert (status, err) == (0, "")
    assert [line.split()[1] for line in out.splitlines()] == ["0x00", "0x01"]


def test_a_missing_bus_names_the_line_that_makes_it(i2c):
    status, out, err = i2c("detect 7")
    assert (status, out) == (1, "")
    assert "I2C bus 7" in err and "dtparam=i2c_arm=on" in err


class Terminal:
    """A terminal as stdin and stderr, where somebody types."""

    def __init__(self, monkeypatch, typed):
        self.master, slave = os.openpty()
        os.write(self.master, typed)
        self.file = os.fdopen(slave, "r+b", buffering=0)
        monkeypatch.setattr(sys, "stdin", os.fdopen(os.dup(slave), "r"))
        monkeypatch.setattr(sys, "stderr", os.fdopen(os.dup(slave), "w"))

    def close(self):
        """Return what it has shown, which the kernel hands on in its own time."""
        shown = ""
        while "[y/N]" not in shown:
            shown += os.read(self.master, 4096).decode()
        sys.stdin.close()
        sys.stderr.close()
        self.file.close()
        os.close(self.master)
        return shown


@pytest.mark.parametrize(
    ("typed", "status", "value"), [(b"y\n", 0, 0x55), (b"n\n", 1, 0x41), (b"\n", 1, 0x41)]
)
def test_at_a_terminal_it_asks_before_it_writes_to_what_a_driver_has(bus, monkeypatch, typed, status, value):
    with monkeypatch.context() as patch:
        terminal = Terminal(patch, typed)
        found = cli.main(["i2c", "set", "1", "0x20", "0x10", "0x55"])
        shown = terminal.close()
    assert found == status
    assert "0x20 of bus 1: a driver of the kernel has it, which a write may confuse. Write? [y/N]" in shown
    assert SMBus(1, force=True).read_byte_data(0x20, 0x10) == value


def test_elsewhere_it_is_refused(i2c):
    status, _, err = i2c("set 1 0x20 0x10 1")
    assert status == 1
    assert err.splitlines()[1] == "--force writes all the same"


# -- reading what was typed


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("w4@8 1 2 3 4", [1, 2, 3, 4]),
        ("w4@8 0x10=", [16] * 4),
        ("w4@8 254+", [254, 255, 0, 1]),
        ("w4@8 1-", [1, 0, 255, 254]),
        ("w3@8 0p", [0x00, 0x50, 0xB0]),  # Source: the manual of i2ctransfer(8)
        ("w4@8 9 0+", [9, 0, 1, 2]),
    ],
)
def test_bytes_of_a_message(text, data):
    assert list(i2c_words.messages(text.split(), False)[0].data) == data


@given(st.lists(st.text("rwx@0123456789abcp=+-?", max_size=6), max_size=4))
def test_any_words_are_messages_or_refused(words):
    try:
        found = i2c_words.messages(words, False)
    except UsageError as e:
        assert str(e)
    else:
        assert all(0x08 <= one.address <= 0x77 for one in found)
