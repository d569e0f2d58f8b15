# SPDX-License-Identifier: LGPL-3.0-or-later
"""The register code on modelled SoCs: what it does is judged by the pads, not by its own words."""

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c.core import broken, core

IN, OUT, ALT5, ALT4, ALT0, ALT1, ALT2, ALT3, ALT6, ALT7, ALT8, NONE = 1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 31
OFF, DOWN, UP = 0, 1, 2

CHIPS = {
    "brcm,bcm2835-gpio": {
        "lines": 54,
        "alternates": (ALT0, ALT1, ALT2, ALT3, ALT4, ALT5),
        "pull_readable": False,
    },
    "brcm,bcm2711-gpio": {
        "lines": 58,
        "alternates": (ALT0, ALT1, ALT2, ALT3, ALT4, ALT5),
        "pull_readable": True,
    },
    "raspberrypi,rp1-gpio": {
        "lines": 54,
        "alternates": (ALT0, ALT1, ALT2, ALT3, ALT4, ALT6, ALT7, ALT8),
        "pull_readable": True,
    },
}


class Bench:
    """A register block on a modelled SoC."""

    def __init__(self, compatible):
        module = core()
        self.ffi, self.lib = module.ffi, module.lib
        self.compatible = compatible
        self.lines = CHIPS[compatible]["lines"]
        self.soc = self.ffi.gc(self.lib.soc_new(compatible.encode()), self.lib.soc_free)
        self.regs = self.ffi.new("struct rpio_regs *")
        assert self.lib.rpio_regs_attach(self.regs, compatible.encode(), self.soc) == 0

    def __getattr__(self, name):
        """bench.read(17) is rpio_regs_read(regs, 17); bench.level(17) is soc_level(soc, 17)."""
        if hasattr(self.lib, f"rpio_regs_{name}"):
            function, first = getattr(self.lib, f"rpio_regs_{name}"), self.regs
        else:
            function, first = getattr(self.lib, f"soc_{name}"), self.soc
        return lambda *arguments: function(first, *arguments)

    def effective_pull(self, line):
        """The pull that the pad has, registers apart."""
        return self.lib.soc_pull(self.soc, line)

    def log(self):
        """The accesses since log_clear() as (offset, value, is_write)."""
        offset, value, write = (self.ffi.new(t) for t in ("uint32_t *", "uint32_t *", "int *"))
        out = []
        for index in range(self.lib.soc_log_count(self.soc)):
            assert self.lib.soc_log_entry(self.soc, index, offset, value, write) == 0
            out.append((offset[0], value[0], write[0]))
        return out

    def finish(self):
        assert broken(core(), self.soc) == []


@pytest.fixture(params=CHIPS)
def bench(request):
    bench = Bench(request.param)
    yield bench
    bench.finish()


def every_line(test):
    """Run a test for each line of each chip (a loop: 166 ids would say less)."""

    def loop(bench):
        for line in range(bench.lines):
            test(bench, line)

    loop.__name__, loop.__doc__ = test.__name__, test.__doc__
    return loop


def test_a_block_is_found_by_the_node_and_by_the_soc():
    lib, ffi = core().lib, core().ffi
    found = {
        name: ffi.string(lib.rpio_regs_chip(name.encode())).decode()
        for name in (
            "brcm,bcm2835-gpio",
            "brcm,bcm2835",
            "brcm,bcm2836",
            "brcm,bcm2837",
            "brcm,bcm2711",
            "brcm,bcm2712",
        )
    }
    assert found == {
        "brcm,bcm2835-gpio": "bcm2835",
        "brcm,bcm2835": "bcm2835",
        "brcm,bcm2836": "bcm2835",
        "brcm,bcm2837": "bcm2835",
        "brcm,bcm2711": "bcm2711",
        "brcm,bcm2712": "rp1",
    }
    assert lib.rpio_regs_chip(b"allwinner,sun4i") == ffi.NULL


@every_line
def test_an_output_drives_what_is_written(bench, line):
    assert bench.write(line, 1) == 0
    assert bench.set_function(line, OUT) == 0
    assert (bench.is_driving(line), bench.level(line), bench.read(line), bench.function(line)) == (
        1,
        1,
        1,
        OUT,
    )
    assert bench.write(line, 0) == 0
    assert (bench.level(line), bench.read(line)) == (0, 0)
    assert bench.write(line, 77) == 0
    assert bench.level(line) == 1


@every_line
def test_an_input_follows_the_world_and_does_not_drive(bench, line):
    bench.set_function(line, OUT)
    assert bench.set_function(line, IN) == 0
    assert (bench.is_driving(line), bench.function(line)) == (0, IN)
    for level in (1, 0, 1):
        bench.drive(line, level)
        assert bench.read(line) == level


@every_line
def test_pulls_show_and_change_nothing_else(bench, line):
    bench.set_function(line, IN)
    others = [
        n for n in (line - 1, line + 1, (line + 16) % bench.lines) if 0 <= n < bench.lines and n != line
    ]
    before = [bench.effective_pull(n) for n in others]
    for pull in (UP, DOWN, OFF, DOWN, UP):
        assert bench.set_pull(line, pull) == 0
        assert bench.effective_pull(line) == pull
        if pull != OFF:
            assert bench.read(line) == int(pull == UP)
        readable = CHIPS[bench.compatible]["pull_readable"]
        assert bench.pull(line) == (pull if readable else -errno.ENOTSUP)
    assert before == [bench.effective_pull(n) for n in others]


@every_line
def test_alternate_functions_come_back_as_they_were_set(bench, line):
    for function in CHIPS[bench.compatible]["alternates"]:
        assert bench.set_function(line, function) == 0
        assert bench.function(line) == function
    assert bench.set_function(line, IN) == 0
    assert bench.function(line) == IN


def test_functions_that_the_chip_lacks_are_refused_and_change_nothing(bench):
    bench.set_function(4, OUT)
    for function in {-1, 11, 30, NONE, 99, ALT5, ALT6} - {*CHIPS[bench.compatible]["alternates"]}:
        assert bench.set_function(4, function) == -errno.EINVAL
    assert bench.function(4) == OUT


def test_lines_that_the_chip_lacks_are_refused_without_an_access(bench):
    bench.log_clear()
    for line in (bench.lines, 2**31, 2**32 - 1):
        assert [
            bench.function(line),
            bench.set_function(line, IN),
            bench.read(line),
            bench.write(line, 1),
            bench.pull(line),
            bench.set_pull(line, UP),
        ] == [-errno.EINVAL] * 6
    for pull in (-1, 3):
        assert bench.set_pull(4, pull) == -errno.EINVAL
    assert bench.log_count() == 0


def test_a_write_is_one_store_and_a_read_one_load_or_two_on_rp1(bench):
    bench.set_function(17, OUT)
    bench.log_clear()
    bench.write(17, 1)
    assert [w for _, _, w in bench.log()] == [1]
    bench.log_clear()
    bench.read(17)
    loads = 2 if bench.compatible == "raspberrypi,rp1-gpio" else 1  # RP1's input buffer may be off
    assert [w for _, _, w in bench.log()] == [0] * loads


@every_line
def test_becoming_an_output_never_shows_the_other_level(bench, line):
    """The same writes again, one by one, on a second SoC: its pad is looked at after each of them."""
    for level in (1, 0):
        twin = Bench(bench.compatible)
        for each in (bench, twin):
            each.set_function(line, IN)
            each.set_pull(line, UP if level else DOWN)
            each.write(line, level)
        bench.log_clear()
        bench.set_function(line, OUT)
        seen = []
        for offset, value, is_write in bench.log():
            if is_write:
                twin.lib.soc_write(twin.soc, offset, value)
                seen.append(twin.level(line))
        assert seen
        assert set(seen) == {level}
        assert twin.is_driving(line) == 1
        bench.set_function(line, IN)


def test_rp1_says_when_it_cannot_read(bench):
    if bench.compatible != "raspberrypi,rp1-gpio":
        assert bench.read(17) in (0, 1)
        return
    assert bench.read(17) == -errno.ENODATA
    assert bench.function(17) == NONE
    bench.set_function(17, IN)
    assert bench.read(17) in (0, 1)


def test_rp1_keeps_the_other_fields_of_ctrl():
    bench = Bench("raspberrypi,rp1-gpio")
    ctrl = 8 * 17 + 4
    inverted = 1 << 12  # OUTOVER: the output is inverted
    bench.lib.soc_write(bench.soc, ctrl + 0x2000, inverted)
    for function in (OUT, ALT0, IN, ALT8, OUT):
        bench.set_function(17, function)
        assert bench.lib.soc_read(bench.soc, ctrl) & (3 << 12) == inverted
    bench.write(17, 0)
    assert bench.level(17) == 1
    bench.finish()


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["in", "out", "write", "pull", "drive"]),
        st.sampled_from([0, 9, 10, 17, 27, 28, 31, 33, 34, 53]),
        st.integers(0, 2),
    ),
    max_size=40,
)


@pytest.mark.parametrize("compatible", CHIPS)
@settings(deadline=None)
@given(OPERATIONS)
def test_any_sequence_gives_the_levels_that_a_board_would_show(compatible, operations):
    """Against an oracle that knows only what a pin is: direction, latch, pull, world."""
    bench = Bench(compatible)
    state = {}
    for n in (0, 9, 10, 17, 27, 28, 31, 33, 34, 53):
        bench.set_function(n, IN)
        bench.set_pull(n, DOWN)
        bench.write(n, 0)
        state[n] = {"out": False, "latch": 0, "pull": DOWN, "world": -1}
    for operation, n, value in operations:
        pin = state[n]
        match operation:
            case "in" | "out":
                bench.set_function(n, OUT if operation == "out" else IN)
                pin["out"] = operation == "out"
            case "write":
                bench.write(n, value)
                pin["latch"] = int(value != 0)
            case "pull":
                bench.set_pull(n, value or DOWN)
                pin["pull"] = value or DOWN
            case "drive":
                bench.drive(n, value - 1)
                pin["world"] = value - 1
    for n, pin in state.items():
        want = pin["latch"] if pin["out"] else pin["world"] if pin["world"] >= 0 else int(pin["pull"] == UP)
        assert (bench.read(n), bench.function(n)) == (want, OUT if pin["out"] else IN)
    bench.finish()


@pytest.mark.parametrize("compatible", CHIPS)
def test_mapping_checks_file_and_name(compatible, tmp_path):
    module = core()
    regs = module.ffi.new("struct rpio_regs *")

    def map_file(name, path):
        return module.lib.rpio_regs_map(regs, name.encode(), str(path).encode(), 0)

    short = tmp_path / "short"
    short.write_bytes(bytes(100))
    block = tmp_path / "block"
    block.write_bytes(bytes(0x30000))
    assert map_file(compatible, tmp_path / "none") == -errno.ENOENT
    assert map_file(compatible, short) == -errno.ENXIO
    assert map_file("other,chip", block) == -errno.ENODEV
    assert map_file(compatible, block) == 0
    assert regs.line_count == CHIPS[compatible]["lines"]
    module.lib.rpio_regs_unmap(regs)
    module.lib.rpio_regs_unmap(regs)
