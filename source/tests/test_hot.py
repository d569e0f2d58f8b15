# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO.output and RPIO.input in C: what they serve themselves, and that everything else reaches Board."""

import os
import struct
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import RPIO
from c import compiling, soc_build
from RPIO import _gpio, errors
from RPIO.backends.regs import RegsBackend
from RPIO.machine.boards import by_name

GPSET0, GPCLR0, GPLEV0 = 0x1C, 0x28, 0x34
LAYOUTS = {"3B+": (GPSET0, GPCLR0, GPLEV0), "5B": (0x12000, 0x13000, 0x10008)}


@pytest.fixture(params=LAYOUTS)
def registers(rpio, request, tmp_path):
    """RPIO on a register block that is a file: (module, read a word, write a word, offsets)."""
    hardware = by_name(request.param)
    path = tmp_path / "block"
    path.write_bytes(bytes(0x30000))
    block = _gpio.Registers(hardware.gpio_compatible, str(path))
    rpio.facade.board.use(RegsBackend(block, "file", str(path)), hardware)
    rpio.setwarnings(False)

    class Block:
        module = rpio
        set, clear, level = LAYOUTS[request.param]

        def word(self, offset):
            with path.open("rb") as f:
                f.seek(offset)
                return struct.unpack("<I", f.read(4))[0]

        def poke(self, offset, value):
            with path.open("r+b") as f:
                f.seek(offset)
                f.write(struct.pack("<I", value))

    yield Block()


@pytest.fixture
def misses(monkeypatch, rpio):
    """The calls that reach Board."""
    seen = []
    board = rpio.facade.board
    _gpio.on_miss(
        lambda *a, **k: (seen.append("output"), board.output(*a, **k))[1],
        lambda *a, **k: (seen.append("input"), board.input(*a, **k))[1],
    )
    yield seen
    _gpio.on_miss(board.output, board.input)


def test_a_granted_output_is_one_store_and_never_asks_board(registers, misses):
    r = registers
    r.module.setup([17, 18], r.module.OUT)
    for value, offset in (
        (1, r.set),
        (0, r.clear),
        (True, r.set),
        (False, r.clear),
        (77, r.set),
        (-1, r.set),
    ):
        r.poke(offset, 0)
        r.module.output(17, value)
        assert r.word(offset) == 1 << 17
    for offset in (r.set, r.clear):
        r.poke(offset, 0)
    r.module.output([17, 18], (0, 1))
    assert (r.word(r.clear), r.word(r.set)) == (1 << 17, 1 << 18)
    r.module.output((18, 17), 1)
    assert r.word(r.set) == 1 << 17 | 1 << 18  # equal values are one store
    r.module.output([17, 18, 17], 1)
    assert r.word(r.set) == 1 << 17  # a line that comes again is a store of its own
    r.module.output([17, 18, 18], [1, 1, 0])
    assert (r.word(r.set), r.word(r.clear)) == (1 << 17 | 1 << 18, 1 << 18)
    r.module.output([], 1)
    r.module.output((), [])
    assert misses == []


def test_a_granted_input_is_one_load(registers, misses):
    r = registers
    r.module.setup(17, r.module.IN)
    for level in (1, 0, 1):
        r.poke(r.level, level << 17)
        assert r.module.input(17) == level
        assert type(r.module.input(17)) is int
    assert misses == []


@pytest.mark.parametrize("value", ["1", None, 0.5, [1]])
def test_strange_values_get_boards_errors(registers, value):
    r = registers
    r.module.setup(17, r.module.OUT)
    with pytest.raises((ValueError, RuntimeError)):
        r.module.output(17, value)


def test_what_is_not_granted_asks_board(registers, misses):
    r = registers
    r.module.setup(17, r.module.OUT)
    r.module.setup(18, r.module.IN)
    with pytest.raises(errors.WrongDirectionException):
        r.module.output(18, 1)
    with pytest.raises(errors.WrongDirectionException):
        r.module.input(22)
    with pytest.raises(errors.InvalidChannelException):
        r.module.output(-1, 1)
    with pytest.raises(errors.InvalidChannelException):
        r.module.output(2**70, 1)
    with pytest.raises(TypeError):
        r.module.output(17)
    with pytest.raises(TypeError):
        r.module.input()
    assert len(misses) == 4 + 2
    r.poke(0x20000 + 4 + 17 * 4, 1 << 6)  # a file knows no aliases: RP1's input enable by hand
    r.module.output(channel=17, value=1)  # keywords too
    assert r.module.input(channel=17) in (0, 1)


def test_a_list_with_a_bad_item_writes_what_comes_before_it(registers):
    r = registers
    r.module.setup([17, 18], r.module.OUT)
    r.poke(r.set, 0)
    with pytest.raises(errors.WrongDirectionException):
        r.module.output([17, 22, 18], 1)
    assert r.word(r.set) == 1 << 17
    for bad in ([17, "18"], [17, 18.0]):
        with pytest.raises(ValueError, match="Channel must be an integer"):
            r.module.output(bad, 1)
    with pytest.raises(RuntimeError, match="Number of channels"):
        r.module.output([17, 18], [1])


def test_a_list_with_a_miss_is_looked_through_before_anything_is_written(registers):
    """Board does such a list whole. What had been written before would be written twice."""
    r = registers
    r.module.setup([17, 18], r.module.OUT)
    r.module.setup(22, r.module.IN)
    seen = []
    board = r.module.facade.board
    _gpio.on_miss(lambda channels, values: seen.append((r.word(r.set), r.word(r.clear))), pytest.fail)
    for channels, values in (
        ([17, 22], 1),
        ([17, 18, 22], [1, 0, 1]),
        ((17, 18, 23), 1),
        ([17, 18], [1, "x"]),
    ):
        r.poke(r.set, 0)
        r.poke(r.clear, 0)
        r.module.output(channels, values)
    _gpio.on_miss(board.output, board.input)
    assert seen == [(0, 0)] * 4


IOCTLS = """
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* Every descriptor is a line that can be written, and tells of it. */
int ioctl(int fd, unsigned long request, ...)
{
    printf("ioctl %d\\n", fd);
    fflush(stdout);
    return request == 0;
}
"""
CLOSING = """
import os
from RPIO import _gpio
_gpio.on_miss(lambda channel, value: print("miss", channel, flush=True), print)
request = _gpio.Line(os.open("/dev/null", os.O_RDWR))
line = request.fd
_gpio.grant_line(17, line, True)
_gpio.grant_line(18, line, True)
_gpio.output(17, 1)
request.close()
request.close()
stranger = os.open("/dev/null", os.O_RDWR)
print(stranger == line, flush=True)
_gpio.output(17, 1)
_gpio.output([18, 17], 0)
_gpio.grant_line(17, stranger, True)
_gpio.output(17, 0)
print(line, flush=True)
"""


def test_a_line_that_is_closed_takes_its_grants_along(tmp_path):
    """Its descriptor's number is the next file's, which output() would write to."""
    source, library = tmp_path / "ioctls.c", tmp_path / "ioctls.so"
    source.write_text(IOCTLS)
    command = [
        *compiling.compiler(),
        *soc_build.WIDE,
        "-shared",
        "-fPIC",
        "-Wall",
        "-Werror",
        "-o",
        library,
        source,
    ]
    subprocess.run(command, check=True)
    words = subprocess.run(
        [sys.executable, "-c", CLOSING],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    line = words[-2]
    assert words[:-2] == [f"ioctl {line}", "True", "miss 17", "miss [18, 17]", f"ioctl {line}"]


def test_grants_end_with_setup_cleanup_and_close(registers):
    r = registers
    r.module.setup([17, 18], r.module.OUT)
    r.module.setup(18, r.module.IN)
    with pytest.raises(errors.WrongDirectionException):
        r.module.output(18, 1)
    r.module.cleanup(17)
    with pytest.raises(errors.WrongDirectionException):
        r.module.output(17, 1)
    r.module.setup(17, r.module.OUT)
    r.module.facade.board.close()
    with pytest.raises((errors.WrongDirectionException, ValueError)):
        r.module.output(17, 1)


def test_channels_follow_the_numbering_mode(registers, misses):
    r = registers
    r.module.setup(17, r.module.OUT)
    r.module.setmode(r.module.BOARD)
    r.poke(r.set, 0)
    r.module.output(11, 1)  # pin 11 is GPIO 17
    assert r.word(r.set) == 1 << 17
    assert misses == []
    with pytest.raises(errors.InvalidChannelException):
        r.module.output(17, 1)  # pin 17 is 3V3
    r.module.cleanup()
    r.module.setup(17, r.module.OUT)
    r.poke(r.set, 0)
    r.module.output(17, 1)
    assert r.word(r.set) == 1 << 17


def test_a_subclass_of_int_is_boards_business(registers, misses):
    r = registers

    class Odd(int):
        """It may run code of its own where C reads a number."""

    r.module.setup(17, r.module.OUT)
    r.module.output(Odd(17), 1)
    r.module.output(17, Odd(1))
    assert r.word(r.set) == 1 << 17
    assert misses == ["output", "output"]


def test_lazy_names_are_plain_once_the_board_is_open(rpio):
    assert "RPI_REVISION" not in vars(RPIO)
    assert rpio.RPI_REVISION == 3
    rpio.setup(17, rpio.IN)
    assert vars(RPIO)["RPI_REVISION"] == 3
    assert "__getattr__" not in vars(RPIO)
    with pytest.raises(AttributeError, match="no attribute 'setpu'"):
        _ = RPIO.setpu
    rpio.facade.board.close()
    assert "RPI_REVISION" not in vars(RPIO)
    rpio.use("sim:B")
    assert RPIO.RPI_REVISION == 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([4, 17, 18, 27]), st.sampled_from([0, 1])), max_size=10))
def test_lists_on_a_modelled_soc_change_levels_in_their_order(pairs):
    """Break before make: the stores, as the SoC saw them, do to the pads what one store per item would do."""
    from contract import rigs

    rig = rigs.open_rig("regs-bcm2835")
    variant, backend = rigs.modelled_core()[0], rig.backend
    for line in (4, 17, 18, 27):
        backend.set_output(line, 0)
        variant.grant(line, backend.block, line, True)
    variant.on_miss(pytest.fail, pytest.fail)
    before = rig.writes()
    variant.output([line for line, _ in pairs], [value for _, value in pairs])
    stores, seen = rig.writes() - before, {}
    for line, value in pairs:
        seen[line] = value
    assert {line: rig.level(line) for line in seen} == seen
    runs = 0
    last, lines = None, set()
    for line, value in pairs:
        if value != last or line in lines:
            runs, lines = runs + 1, set()
        last, lines = value, lines | {line}
    assert stores == runs
    variant.revoke_all()
    rig.close()
