# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio i2c`` beside Debian's i2c-tools on the kernel's i2c-stub: what is printed, and the exit status."""

import os
import subprocess
from pathlib import Path

import pytest

import RPIO
from peers import peers
from RPIO import cli
from RPIO.backends.remote import RemoteBackend
from RPIO.board.board import Board
from RPIO.server.serving import serve

PAIRS = [
    # i2c-tools, and rpio i2c
    ("i2cdetect -l", "list"),
    ("i2cdetect -y 0", "detect 0"),
    ("i2cdetect -y -r 0", "detect -r 0"),
    ("i2cdetect -y -q 0", "detect 0 -q"),
    ("i2cdetect -y -a 0", "detect -a 0"),
    ("i2cdetect -y 0 0x43 0x52", "detect 0 0x43 0x52"),
    ("i2cdetect -y 9", "detect 9"),
    ("i2cset -y 0 0x50 0x10 0xab", "set 0 0x50 0x10 0xab"),
    ("i2cset -y 0 0x50 0x10 0x1234 w", "set 0 0x50 0x10 0x1234 w"),
    ("i2cset -y 0 0x50 0x10", "set 0 0x50 0x10"),
    ("i2cset -y -r 0 0x50 0x12 0x0f", "set -r 0 0x50 0x12 0x0f"),
    ("i2cset -y -r -m 0xf0 0 0x50 0x12 0x5a", "set -r -m 0xf0 0 0x50 0x12 0x5a"),
    ("i2cset -y 0 0x50 0x20 1 2 0xff 65 i", "set 0 0x50 0x20 1 2 0xff 65 i"),
    ("i2cset -y 0 0x50 0x20 1 2 3 4 s", "set 0 0x50 0x20 1 2 3 4 s"),
    ("i2cset -y 0 0x51 3 1", "set 0 0x51 3 1"),
    ("i2cget -y 0 0x50 0x10", "get 0 0x50 0x10"),
    ("i2cget -y 0 0x50 020", "get 0 0x50 020"),
    ("i2cget -y 0 80 16 w", "get 0 80 16 w"),
    ("i2cget -y 0 0x50 0x10 c", "get 0 0x50 0x10 c"),
    ("i2cget -y 0 0x50 0x20 i 5", "get 0 0x50 0x20 i 5"),
    ("i2cget -y 0 0x50 0x20 i", "get 0 0x50 0x20 i"),
    ("i2cget -y 0 0x50 0x20 s", "get 0 0x50 0x20 s"),
    ("i2cget -y 0 0x50 0x20 bp", "get 0 0x50 0x20 bp"),
    ("i2cget -y 0 0x51 0x20", "get 0 0x51 0x20"),
    ("i2cdump -y 0 0x50 b", "dump 0 0x50"),
    ("i2cdump -y 0 0x50 w", "dump 0 0x50 w"),
    ("i2cdump -y 0 0x50 i", "dump 0 0x50 i"),
    ("i2cdump -y -r 0x13-0x2d 0 0x50 b", "dump --range 0x13-0x2d 0 0x50 b"),
    ("i2cdump -y -r 0x13-0x2d 0 0x50 w", "dump --range 0x13-0x2d 0 0x50 w"),
    ("i2cdump -y -r 0x13-0x2d 0 0x50 i", "dump --range 0x13-0x2d 0 0x50 i"),
    ("i2cdump -y 0 0x51 b", "dump 0 0x51 b"),
    ("i2ctransfer -y 0 w2@0x50 0x00 0x01 r16", "transfer 0 w2@0x50 0x00 0x01 r16"),
]
WITH_A_DRIVER = [
    ("i2cdetect -y 0", "detect 0"),
    ("i2cget -y 0 0x20 0", "get 0 0x20 0"),
    ("i2cget -y -f 0 0x20 0", "get -f 0 0x20 0"),
    ("i2cset -y 0 0x20 4 0", "set 0 0x20 4 0"),
    ("i2cset -y -f 0 0x20 4 0", "set -f 0 0x20 4 0"),
    ("i2cdump -y 0 0x20 b", "dump 0 0x20"),
    ("i2cdump -y -f 0 0x20 b", "dump -f 0 0x20"),
    ("i2ctransfer -y 0 w1@0x20 1", "transfer 0 w1@0x20 1"),
]


def done(*words, **env):
    found = subprocess.run(
        words, capture_output=True, text=True, env={**os.environ, **env}, check=False, timeout=60
    )
    return found.returncode, found.stdout, found.stderr


@pytest.fixture
def rpio(capsys, monkeypatch):
    """A call that runs ``rpio i2c``."""
    monkeypatch.setenv("RPIO_BACKEND", "cdev")
    RPIO.facade.new_board()

    def run(words):
        capsys.readouterr()
        status = cli.main(["i2c", *words.split()])
        said = capsys.readouterr()
        return status, said.out, said.err

    yield run
    RPIO.facade.new_board()


@pytest.fixture
def tool():
    """A call that runs one of them."""
    folder = peers.kept("i2c-tools+libi2c0")
    if folder is None:
        pytest.skip("i2c-tools are not there: `make test-peers` fetches them")
    libraries = next(folder.glob("usr/lib/*"))

    def run(words):
        name, *more = words.split()
        return done(folder / "usr" / "sbin" / name, *more, LD_LIBRARY_PATH=str(libraries))

    return run


@pytest.fixture
def driver():
    """A driver of the kernel's for the chip at 0x20."""
    bus = Path("/sys/bus/i2c/devices/i2c-0")
    (bus / "new_device").write_text("pca9555 0x20\n")
    yield
    (bus / "delete_device").write_text("0x20\n")


@pytest.mark.slow
def test_what_it_prints_and_its_status_are_those_of_i2c_tools(rpio, tool):
    tool("i2cset -y 0 0x50 0x30 0x41")
    for theirs, ours in PAIRS:
        assert rpio(ours)[:2] == tool(theirs)[:2], ours


def test_a_device_that_a_driver_has_is_left_alone_as_by_i2c_tools(rpio, tool, driver):
    for theirs, ours in WITH_A_DRIVER:
        assert rpio(ours)[0] == tool(theirs)[0], ours
        if "dump 0" not in ours:  # which says on stdout what it assumes
            assert rpio(ours)[1] == tool(theirs)[1], ours


@pytest.mark.slow
def test_on_another_machine_it_prints_the_same(rpio, driver, chip):
    board = Board(f"cdev:{chip.path}")
    port = serve(board, 0, "127.0.0.1", None)
    board.wait_for_interrupts(threaded=True)
    words = [ours for _, ours in PAIRS[1:] + WITH_A_DRIVER if ours != "detect 9" and "transfer" not in ours]
    try:
        here = [rpio(ours) for ours in words]  # all but those that name the machine, and the file
        RPIO.facade.board.use(RemoteBackend(f"127.0.0.1:{port}"), board.hardware)
        for ours, shown in zip(words, here, strict=True):
            assert rpio(ours)[:2] == shown[:2], ours
    finally:
        board.close()


def test_a_write_to_it_is_refused_with_what_helps(rpio, driver):
    status, out, err = rpio("set 0 0x20 4 0")
    assert (status, out) == (1, "")
    assert err == (
        "rpio i2c: 0x20 of bus 0: a driver of the kernel has it, which a write may confuse; nothing was written\n"
        "--force writes all the same\n"
    )
    assert rpio("transfer 0 w1@0x20 4")[2] == err


def test_a_bus_that_is_not_there_is_told_with_the_line_that_makes_it(rpio):
    status, out, err = rpio("detect 9")
    assert (status, out) == (1, "")
    assert "there is no I2C bus /dev/i2c-9; there is /dev/i2c-0" in err and "dtparam=i2c_arm=on" in err


def test_a_bus_that_may_not_be_opened_is_told_with_its_group(rpio):
    assert (
        rpio("detect 0")[0] == 0
    )  # everything is loaded: another user may not read this interpreter's files
    os.seteuid(65534)
    try:
        status, _, err = rpio("detect 0")
    finally:
        os.seteuid(0)
    assert status == 1
    assert "/dev/i2c-0" in err and "i2c" in err.splitlines()[1]
