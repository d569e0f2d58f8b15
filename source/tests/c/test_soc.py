# SPDX-License-Identifier: LGPL-3.0-or-later
"""The modelled SoC does what the table says, and what its own laws say."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c import compiling, soc_build
from c.soc_table import BCM2711, BCM2835, ROWS, RP1
from support import native

CHIPS = (BCM2835, BCM2711, RP1)
LINES = {BCM2835: 54, BCM2711: 58, RP1: 54}
WORD = st.integers(0, 0xFFFFFFFF)
law = settings(deadline=None)  # the machine may be busy; pytest's own time limit stays

# Every register of RP1 that a write can change: CTRL, OUT, OE and pads of the banks, and the pad voltages.
RP1_BANK_LINES = (28, 6, 20)
RP1_REGISTERS = [
    offset
    for bank, lines in enumerate(RP1_BANK_LINES)
    for offset in (
        *(0x4000 * bank + 8 * n + 4 for n in range(lines)),
        0x10000 + 0x4000 * bank,
        0x10004 + 0x4000 * bank,
        *(0x20000 + 0x4000 * bank + 4 * n for n in range(lines + 1)),
    )
]


class Soc:
    """One modelled SoC, freed with the object."""

    def __init__(self, chip: str, module: ModuleType | None = None) -> None:
        self.module = module or soc_build.build_soc()
        self.lines = LINES[chip]
        pointer = self.module.lib.soc_new(chip.encode())
        assert pointer != self.module.ffi.NULL
        self.pointer = self.module.ffi.gc(pointer, self.module.lib.soc_free)

    def read(self, offset: int) -> int:
        return self.module.lib.soc_read(self.pointer, offset)

    def write(self, offset: int, value: int) -> None:
        self.module.lib.soc_write(self.pointer, offset, value & 0xFFFFFFFF)

    def wait_ns(self, ns: int) -> None:
        self.module.lib.soc_wait_ns(self.pointer, ns)

    def drive(self, line: int, level: int) -> None:
        self.module.lib.soc_drive(self.pointer, line, level)

    def level(self, line: int) -> int:
        return self.module.lib.soc_level(self.pointer, line)

    def driving(self, line: int) -> int:
        return self.module.lib.soc_is_driving(self.pointer, line)

    def pull(self, line: int) -> int:
        return self.module.lib.soc_pull(self.pointer, line)

    def violations(self) -> int:
        return self.module.lib.soc_violations(self.pointer)

    def violation(self) -> str:
        return self.module.ffi.string(self.module.lib.soc_violation(self.pointer)).decode()

    def pads(self) -> list[tuple[int, int, int]]:
        return [(self.level(line), self.driving(line), self.pull(line)) for line in range(self.lines)]

    def log(self) -> list[tuple[int, int, int] | None]:
        """Return (offset, value, is_write) of every access, None where the log has forgotten."""
        lib, ffi = self.module.lib, self.module.ffi
        offset, value, is_write = ffi.new("uint32_t *"), ffi.new("uint32_t *"), ffi.new("int *")
        return [
            None
            if lib.soc_log_entry(self.pointer, index, offset, value, is_write)
            else (offset[0], value[0], is_write[0])
            for index in range(lib.soc_log_count(self.pointer))
        ]


@pytest.fixture(autouse=True, scope="module")
def model_is_built() -> None:
    """Compile before the first test, so that no test's time limit has to allow for it."""
    soc_build.build_soc()


def run(soc: Soc, steps: tuple[tuple[object, ...], ...]) -> None:
    """Take the steps of a row; the step that goes wrong is in the assertion's message."""
    for number, (verb, *arguments) in enumerate(steps):
        where = f"step {number}: {verb} {', '.join(hex(a) if a > 9 else str(a) for a in arguments)}"
        match verb:
            case "read":
                offset, expected, mask = (*arguments, 0xFFFFFFFF)[:3]
                got = soc.read(offset)
                assert got & mask == expected, f"{where}: got {got:#010x}"
            case "level" | "driving" | "pull":
                line, expected = arguments
                got = getattr(soc, verb)(line)
                assert got == expected, f"{where}: got {got}"
            case "violations":
                assert soc.violations() == arguments[0], f"{where}: {soc.violations()}, {soc.violation()!r}"
            case _:
                getattr(soc, verb)(*arguments)
    if not any(verb == "violations" for verb, *_ in steps):
        assert soc.violations() == 0, soc.violation()


def row_id(row: tuple[str, str, object, str]) -> str:
    chip = re.sub(r".*,(.*)-gpio", r"\1", row[0])
    return f"{chip}: {row[1]}"


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_the_model_does_what_the_table_says(
    row: tuple[str, str, tuple[tuple[object, ...], ...], str],
) -> None:
    chip, _shows, steps, _source = row
    run(Soc(chip), steps)


def test_every_row_is_well_formed() -> None:
    arity = {"write": {2}, "read": {2, 3}, "drive": {2}, "wait_ns": {1}, "level": {2}, "driving": {2}}
    arity |= {"pull": {2}, "violations": {1}}
    for chip, shows, steps, source in ROWS:
        assert chip in CHIPS and shows and source and steps
        assert all(len(arguments) in arity[verb] for verb, *arguments in steps), shows
        assert any(verb not in {"write", "drive", "wait_ns"} for verb, *_ in steps), (
            f"nothing can fail: {shows}"
        )
    assert len({(row[0], row[1]) for row in ROWS}) == len(ROWS)


def test_the_table_is_large_enough() -> None:
    count = {chip: sum(row[0] == chip for row in ROWS) for chip in CHIPS}
    assert count[RP1] >= 35 and count[BCM2835] >= 25 and count[BCM2711] >= 15


@pytest.mark.parametrize("name", [b"", b"brcm,bcm2712-gpio", b"brcm,bcm2835", b"raspberrypi,rp1-gpio2"])
def test_an_unknown_chip_is_no_chip(name: bytes) -> None:
    module = soc_build.build_soc()
    assert module.lib.soc_new(name) == module.ffi.NULL
    assert module.lib.soc_new(module.ffi.NULL) == module.ffi.NULL
    module.lib.soc_free(module.ffi.NULL)


def test_violations_start_at_none_and_the_last_one_is_told() -> None:
    soc = Soc(BCM2835)
    assert (soc.violations(), soc.violation()) == (0, "")
    soc.write(0x4C, 1)
    assert soc.violation() == "write to the kernel's event register 0x4c"
    soc.read(3)
    assert (soc.violations(), soc.violation()) == (2, "unaligned read at 0x3")


@pytest.mark.parametrize("chip", CHIPS)
def test_driving_what_is_not_there_is_told(chip: str) -> None:
    soc = Soc(chip)
    soc.drive(LINES[chip], 1)
    soc.drive(0, 2)
    soc.drive(0, -2)
    assert soc.violations() == 3


def test_two_models_do_not_meet() -> None:
    one, other = Soc(BCM2835), Soc(BCM2835)
    one.write(0x04, 1 << 21)
    one.drive(4, 0)
    one.write(0x4C, 1)
    assert (other.read(0x04), other.level(4), other.violations()) == (0, 1, 0)


# -- BCM2835 and BCM2711 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("chip", [BCM2835, BCM2711])
@law
@given(
    outputs=st.integers(0, (1 << 58) - 1),
    writes=st.lists(st.tuples(st.booleans(), st.integers(0, 1), WORD), max_size=20),
)
@pytest.mark.slow
def test_set_and_clear_are_or_and_and_not(
    chip: str, outputs: int, writes: list[tuple[bool, int, int]]
) -> None:
    soc, lines = Soc(chip), LINES[chip]
    idle = [soc.level(line) for line in range(lines)]
    for register in range(6):
        fields = [outputs >> line & 1 for line in range(10 * register, 10 * register + 10)]
        soc.write(4 * register, sum(bit << 3 * n for n, bit in enumerate(fields)))
    latch = 0
    for sets, half, value in writes:
        soc.write((0x1C if sets else 0x28) + 4 * half, value)
        latch = latch | value << 32 * half if sets else latch & ~(value << 32 * half)
    expected = [latch >> n & 1 if outputs >> n & 1 else idle[n] for n in range(lines)]
    assert [soc.level(line) for line in range(lines)] == expected
    assert soc.read(0x34) | soc.read(0x38) << 32 == sum(bit << n for n, bit in enumerate(expected))
    assert soc.violations() == 0


@pytest.mark.parametrize("chip", [BCM2835, BCM2711])
@law
@given(register=st.integers(0, 5), value=WORD)
def test_a_function_register_reads_as_written_where_there_are_lines(
    chip: str, register: int, value: int
) -> None:
    soc = Soc(chip)
    soc.write(4 * register, value)
    fields = min(10, LINES[chip] - 10 * register)
    assert soc.read(4 * register) == value & (1 << 3 * fields) - 1
    assert all(soc.read(4 * other) == 0 for other in range(6) if other != register)


@law
@given(writes=st.lists(st.tuples(st.integers(0, 3), WORD), max_size=12))
@pytest.mark.slow
def test_the_pulls_of_a_bcm2711_are_its_registers(writes: list[tuple[int, int]]) -> None:
    soc = Soc(BCM2711)
    codes = [{0: 0, 1: 2, 2: 1}[soc.pull(line)] for line in range(58)]
    for register, value in writes:
        soc.write(0xE4 + 4 * register, value)
        for line in range(16 * register, min(16 * register + 16, 58)):
            code = value >> 2 * (line % 16) & 3
            codes[line] = codes[line] if code == 3 else code
    assert [soc.pull(line) for line in range(58)] == [(0, 2, 1)[code] for code in codes]
    for register in range(4):
        mine = codes[16 * register : 16 * register + 16]
        assert soc.read(0xE4 + 4 * register) == sum(code << 2 * n for n, code in enumerate(mine))


@law
@given(
    control=st.integers(0, 2),
    lines=st.sets(st.integers(0, 53), min_size=1),
    before=st.integers(0, 1200),
    during=st.integers(0, 1200),
    control_goes_first=st.booleans(),
)
@pytest.mark.slow
def test_a_bcm2835_pull_needs_both_waits(
    control: int, lines: set[int], before: int, during: int, control_goes_first: bool
) -> None:
    soc = Soc(BCM2835)
    old = [soc.pull(line) for line in range(54)]
    word = sum(1 << line for line in lines)
    in_time = before >= 600 and during >= 600

    soc.write(0x94, control)
    soc.wait_ns(before)
    for half in (0, 1):
        soc.write(0x98 + 4 * half, word >> 32 * half & 0xFFFFFFFF)
    soc.wait_ns(during)
    if control_goes_first:
        soc.write(0x94, 0)
    soc.write(0x98, 0)
    soc.write(0x9C, 0)
    soc.write(0x94, 0)
    soc.wait_ns(100000)

    assert [soc.pull(n) for n in range(54)] == [
        control if in_time and n in lines else old[n] for n in range(54)
    ]
    assert (soc.violations() == 0) == in_time


@law
@given(waits=st.lists(st.integers(0, 400), max_size=8))
@pytest.mark.slow
def test_only_the_sum_of_waits_counts(waits: list[int]) -> None:
    pieces, whole = Soc(BCM2835), Soc(BCM2835)
    for soc in (pieces, whole):
        soc.write(0x94, 2)
    for ns in waits:
        pieces.wait_ns(ns)
    whole.wait_ns(sum(waits))
    for soc in (pieces, whole):
        soc.write(0x98, 1 << 17)
    for ns in waits:
        pieces.wait_ns(ns)
    whole.wait_ns(sum(waits))
    assert pieces.pads() == whole.pads()
    assert pieces.pull(17) == (2 if sum(waits) >= 600 else 1)
    assert pieces.violations() == whole.violations()


# -- RP1 -----------------------------------------------------------------------------------------------------


@law
@given(
    writes=st.lists(
        st.tuples(st.sampled_from(RP1_REGISTERS), st.sampled_from(("rw", "xor", "set", "clr")), WORD),
        max_size=25,
    )
)
@pytest.mark.slow
def test_an_alias_is_the_plain_read_modify_write(writes: list[tuple[int, str, int]]) -> None:
    aliased, plain = Soc(RP1), Soc(RP1)
    for offset, alias, value in writes:
        aliased.write(offset + {"rw": 0, "xor": 0x1000, "set": 0x2000, "clr": 0x3000}[alias], value)
        old = plain.read(offset)
        plain.write(offset, {"rw": value, "xor": old ^ value, "set": old | value, "clr": old & ~value}[alias])
    assert [aliased.read(offset) for offset in RP1_REGISTERS] == [plain.read(o) for o in RP1_REGISTERS]
    assert aliased.pads() == plain.pads()
    assert aliased.violations() == plain.violations()


@law
@given(
    outputs=st.integers(0, (1 << 28) - 1),
    writes=st.lists(st.tuples(st.sampled_from((0x0000, 0x1000, 0x2000, 0x3000)), WORD), max_size=20),
)
@pytest.mark.slow
def test_rp1_outputs_follow_an_integer(outputs: int, writes: list[tuple[int, int]]) -> None:
    soc = Soc(RP1)
    for line in range(28):
        soc.write(8 * line + 4, 0x85)
        soc.write(0x20004 + 4 * line, 0x44)  # input on, pull down
    soc.write(0x10004, outputs)
    out = 0
    for alias, value in writes:
        soc.write(0x10000 + alias, value)
        out = {0x0000: value, 0x1000: out ^ value, 0x2000: out | value, 0x3000: out & ~value}[
            alias
        ] & 0x0FFFFFFF
    assert soc.read(0x10000) == out
    assert soc.read(0x10008) == out & outputs
    assert [soc.level(line) for line in range(28)] == [out & outputs & 1 << line != 0 for line in range(28)]
    assert [soc.driving(line) for line in range(28)] == [outputs >> line & 1 for line in range(28)]
    assert soc.violations() == 0


@law
@given(
    line=st.integers(0, 53),
    ctrl=WORD,
    pad=WORD,
    out=st.booleans(),
    oe=st.booleans(),
    outside=st.integers(-1, 1),
)
@pytest.mark.slow
def test_an_rp1_line_is_its_signal_path(
    line: int, ctrl: int, pad: int, out: bool, oe: bool, outside: int
) -> None:
    """Judge any combination of overrides, pad bits and outside world by the path in the datasheet."""
    bank = (line >= 28) + (line >= 34)
    n = line - (0, 28, 34)[bank]
    soc = Soc(RP1)
    soc.write(0x20004 + 0x4000 * bank + 4 * n, 0x84)  # pulled down, so that the level before is 0
    soc.write(0x4000 * bank + 8 * n + 4, ctrl)
    soc.write(0x10000 + 0x4000 * bank, out << n)
    soc.write(0x10004 + 0x4000 * bank, oe << n)
    soc.drive(line, outside)
    before = soc.level(line)
    soc.write(0x20004 + 0x4000 * bank + 4 * n, pad)

    def over(lsb: int, value: bool) -> bool:
        return (value, not value, False, True)[ctrl >> lsb & 3]

    rio = ctrl & 0x1F == 5
    drives = over(14, rio and oe) and not pad & 0x80
    level = {-1: {4: 0, 8: 1}.get(pad & 0xC, before)}.get(outside, outside)
    if drives:
        level = over(12, rio and out)
    seen = bool(pad & 0x40 and level)
    status = (rio and out) << 8 | over(12, rio and out) << 9 | (rio and oe) << 12 | over(14, rio and oe) << 13
    status |= seen << 17 | seen << 18 | over(16, seen) << 19

    assert (soc.driving(line), soc.level(line)) == (drives, level)
    assert soc.pull(line) == (0, 1, 2, 3)[pad >> 2 & 3]
    assert soc.read(0x4000 * bank + 8 * n) == status
    for inputs in (0x10008, 0x1000C):  # synchronised or not
        assert soc.read(inputs + 0x4000 * bank) >> n & 1 == over(16, seen)


# -- all of them ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chip", CHIPS)
@law
@given(data=st.data())
@pytest.mark.slow
def test_reading_changes_nothing(chip: str, data: st.DataObject) -> None:
    size = 0x30000 if chip == RP1 else 0xF4
    offsets = st.integers(0, size // 4 - 1).map(lambda word: 4 * word)
    soc = Soc(chip)
    for offset, value in data.draw(st.lists(st.tuples(offsets, WORD), max_size=10)):
        soc.write(offset, value)
    registers = RP1_REGISTERS if chip == RP1 else range(0, size, 4)
    before = ([soc.read(offset) for offset in registers], soc.pads(), soc.violations())
    for offset in data.draw(st.lists(offsets, max_size=20)):
        soc.read(offset)
    assert before == ([soc.read(offset) for offset in registers], soc.pads(), soc.violations())


@pytest.mark.parametrize("chip", CHIPS)
@law
@given(
    accesses=st.lists(
        st.tuples(st.booleans(), st.one_of(st.integers(0, 0x40000), st.integers(0, 0x100), WORD), WORD),
        max_size=40,
    ),
    cleared_after=st.integers(0, 40),
)
@pytest.mark.slow
def test_the_log_has_every_access(
    chip: str, accesses: list[tuple[bool, int, int]], cleared_after: int
) -> None:
    soc, expected = Soc(chip), []
    for number, (writes, offset, value) in enumerate(accesses):
        if number == cleared_after:
            soc.module.lib.soc_log_clear(soc.pointer)
            expected.clear()
        if writes:
            soc.write(offset, value)
        expected.append((offset, value if writes else soc.read(offset), writes))
    assert soc.log() == expected


def test_a_full_log_keeps_the_last_4096() -> None:
    soc, count = Soc(BCM2835), 100_000
    for value in range(count):
        soc.write(0x1C, value)
    log = soc.log()
    assert len(log) == count
    assert log[-4096:] == [(0x1C, value, 1) for value in range(count - 4096, count)]
    assert log[0] is None
    nothing = soc.module.ffi.NULL
    assert soc.module.lib.soc_log_entry(soc.pointer, count, nothing, nothing, nothing) < 0


def test_the_model_does_not_take_time_for_accesses() -> None:
    soc = Soc(BCM2835)
    soc.write(0x94, 2)
    for _ in range(10_000):
        soc.read(0x34)
    soc.write(0x98, 1 << 17)
    assert soc.violations() == 1


# -- parts: what later files add -----------------------------------------------------------------------------


class Ticker:
    """A bus master that toggles line 17's latch every `period` ns, as a DMA engine would."""

    def __init__(self, soc: Soc, period: int, count: int) -> None:
        self.soc, self.period, self.left = soc, period, count
        self.at = period
        self.ran: list[int] = []
        ffi, lib = soc.module.ffi, soc.module.lib
        self.callbacks = {
            "next": ffi.callback("uint64_t(void *)", lambda _state: self.at if self.left else (1 << 64) - 1),
            "run": ffi.callback("void(void *, struct soc *)", self.run),
        }
        assert lib.soc_attach(soc.pointer, ffi.new("struct soc_part *", self.callbacks)) == 0

    def run(self, _state: object, pointer: object) -> None:
        lib = self.soc.module.lib
        self.ran.append(lib.soc_now_ns(pointer))
        lib.soc_bus_write(pointer, 0x1C if len(self.ran) % 2 else 0x28, 1 << 17)
        self.at += self.period
        self.left -= 1


def test_a_part_runs_at_its_times_and_writes_as_another_master() -> None:
    soc = Soc(BCM2835)
    soc.write(0x04, 1 << 21)
    ticker = Ticker(soc, period=250, count=5)
    soc.wait_ns(249)
    assert (ticker.ran, soc.level(17)) == ([], 0)
    soc.wait_ns(1)
    assert (ticker.ran, soc.level(17)) == ([250], 1)
    soc.wait_ns(10_000)
    assert (ticker.ran, soc.level(17)) == ([250, 500, 750, 1000, 1250], 1)
    assert soc.module.lib.soc_now_ns(soc.pointer) == 10_250
    assert soc.log() == [(0x04, 1 << 21, 1)]


def test_parts_take_turns_by_time_and_then_by_age() -> None:
    soc = Soc(BCM2835)
    order: list[tuple[str, int]] = []

    class Named(Ticker):
        def run(self, state: object, pointer: object) -> None:
            super().run(state, pointer)
            order.append((self.name, self.ran[-1]))

    for name, period in (("slow", 300), ("fast", 100)):
        Named(soc, period, 3).name = name
    soc.wait_ns(1000)
    assert order == [
        ("fast", 100), ("fast", 200), ("slow", 300), ("fast", 300), ("slow", 600), ("slow", 900)
    ]  # fmt: skip


@pytest.mark.slow
def test_a_part_that_never_lets_time_pass_is_stopped() -> None:
    soc = Soc(BCM2835)
    lib, ffi = soc.module.lib, soc.module.ffi
    stuck = {
        "next": ffi.callback("uint64_t(void *)", lambda _state: 7),
        "run": ffi.callback("void(void *, struct soc *)", lambda _state, _soc: None),
    }
    lib.soc_attach(soc.pointer, ffi.new("struct soc_part *", stuck))
    soc.wait_ns(10)
    assert (soc.violations(), soc.violation()) == (1, "a part keeps running at 7 ns")
    assert lib.soc_now_ns(soc.pointer) == 10


@pytest.mark.parametrize(
    ("chip", "select", "code"),
    [(BCM2835, (0x04, 4 << 24), 4), (RP1, (8 * 18 + 4, 0x83), 3)],
    ids=["bcm2835", "rp1"],
)
def test_a_part_drives_the_line_that_selects_it(chip: str, select: tuple[int, int], code: int) -> None:
    soc = Soc(chip)
    lib, ffi = soc.module.lib, soc.module.ffi
    state = {"level": 1, "released": 0}

    def drives(_state: object, line: int, asked: int, level: object) -> int:
        level[0] = state["level"]
        return line == 18 and asked == code

    def release(_state: object) -> None:
        state["released"] += 1

    part = {
        "drives": ffi.callback("int(void *, unsigned int, unsigned int, int *)", drives),
        "release": ffi.callback("void(void *)", release),
    }
    assert lib.soc_attach(soc.pointer, ffi.new("struct soc_part *", part)) == 0
    if chip == RP1:
        soc.write(0x20004 + 4 * 18, 0x40)
    assert soc.driving(18) == 0
    soc.write(*select)
    assert (soc.driving(18), soc.level(18)) == (1, 1)
    state["level"] = 0
    lib.soc_settle(soc.pointer)
    assert (soc.driving(18), soc.level(18)) == (1, 0)
    assert soc.driving(19) == 0
    ffi.release(soc.pointer)
    assert state["released"] == 1


def test_there_is_an_end_to_parts() -> None:
    soc = Soc(BCM2835)
    lib, part = soc.module.lib, soc.module.ffi.new("struct soc_part *")
    results = [lib.soc_attach(soc.pointer, part) for _ in range(9)]
    assert results[0] == 0 and results[-1] < 0
    soc.wait_ns(1)


# -- the C code and its builder ------------------------------------------------------------------------------

STRICT = (
    "-std=c11",
    *soc_build.WIDE,
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wshadow",
    "-Werror",
    "-fsyntax-only",
)


def test_the_model_compiles_without_warnings() -> None:
    command = [*compiling.compiler(), *STRICT, *map(str, soc_build.SOC_SOURCES)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("source", [str(source) for source in soc_build.SOC_SOURCES])
def test_the_model_has_no_globals_that_change(source: str, tmp_path) -> None:
    target = tmp_path / "soc.o"
    subprocess.run(
        [*compiling.compiler(), "-std=c11", "-fno-pic", "-c", source, "-o", str(target)], check=True
    )
    symbols = subprocess.run(["nm", str(target)], capture_output=True, text=True, check=True).stdout
    assert not re.findall(r"^\S* [dDbBcCgGsS] \S+$", symbols, re.MULTILINE)


@pytest.mark.slow
def test_a_build_prints_nothing(tmp_path, monkeypatch, capfd) -> None:
    monkeypatch.setattr(soc_build, "CACHE", tmp_path)
    soc_build.build("quiet", soc_build.SOC_SOURCES, soc_build.SOC_CDEF)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_build_is_found_again_and_a_change_is_another_build(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(soc_build, "CACHE", tmp_path / "cache")
    source, header = tmp_path / "answer.c", tmp_path / "answer.h"
    header.write_text("int answer(void);\n#ifndef EXTRA\n#define EXTRA 0\n#endif\n")
    source.write_text('#include "answer.h"\nint answer(void) { return 41 + EXTRA; }\n')

    def answer(**options) -> int:
        return soc_build.build("answer", [source], "int answer(void);", **options).lib.answer()

    assert answer() == 41
    built = set((tmp_path / "cache").iterdir())
    monkeypatch.setattr(soc_build, "_compile_into", lambda *_: pytest.fail("compiled again"))
    assert answer() == 41
    monkeypatch.undo()
    monkeypatch.setattr(soc_build, "CACHE", tmp_path / "cache")
    assert answer(defines=["EXTRA=1"]) == 42
    header.write_text("int answer(void);\n#define EXTRA 2\n")
    assert answer() == 43
    assert len(set((tmp_path / "cache").iterdir()) - built) == 2
    assert not list((tmp_path / "cache").glob("*-*"))


@pytest.mark.slow
def test_the_slower_of_two_builders_takes_the_others_work(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(soc_build, "CACHE", tmp_path / "cache")
    source = tmp_path / "one.c"
    source.write_text("int one(void); int one(void) { return 1; }\n")
    compile_once = soc_build._compile

    def both(work, *arguments) -> None:
        if not overtaken:
            overtaken.append(work)
            soc_build._compile_into(folder_of(work), *arguments)
        compile_once(work, *arguments)

    def folder_of(work):
        return work.parent / work.name.split("-")[0]

    overtaken = []
    monkeypatch.setattr(soc_build, "_compile", both)
    assert soc_build.build("one", [source], "int one(void);").lib.one() == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [folder_of(overtaken[0]).name]


def test_a_build_that_fails_says_why_and_leaves_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(soc_build, "CACHE", tmp_path / "cache")
    source = tmp_path / "broken.c"
    source.write_text("int broken(void) { return nonsense; }\n")
    with pytest.raises(RuntimeError, match="nonsense"):
        soc_build.build("broken", [source], "int broken(void);")
    assert not list((tmp_path / "cache").iterdir())


def test_a_sanitized_build_needs_the_sanitizer() -> None:
    if hasattr(soc_build.ctypes.CDLL(None), "__asan_init"):
        pytest.skip("the sanitizer is loaded")
    with pytest.raises(RuntimeError, match="sanitizer_environment"):
        soc_build.build_soc(sanitize=True)


def run_everything_sanitized() -> None:
    """Run the table and a random walk in a sanitized build; the sanitizer ends the process if it objects."""
    module = soc_build.build_soc(sanitize=True)
    for chip, _shows, steps, _source in ROWS:
        run(Soc(chip, module), steps)
    chance = random.Random(1)
    for chip in CHIPS:
        soc, size = Soc(chip, module), 0x30100 if chip == RP1 else 0x104
        for _ in range(20_000):
            offset = chance.choice(
                (chance.randrange(size), chance.randrange(0, size, 4), chance.getrandbits(32))
            )
            soc.write(offset, chance.getrandbits(32))
            soc.read(offset)
            soc.drive(chance.randrange(60), chance.randint(-2, 2))
            soc.wait_ns(chance.randrange(1000))
            line = chance.randrange(60)
            assert (soc.level(line), soc.driving(line), soc.pull(line)) is not None
        soc.log()


@native("the sanitizers' shadow of the memory is that of a real address space")
@pytest.mark.slow
def test_the_model_is_clean_under_the_sanitizers() -> None:
    environment = soc_build.sanitizer_environment()
    if not environment:
        pytest.skip("the compiler has no AddressSanitizer")
    environment["PYTHONPATH"] = str(soc_build.HERE.parent)
    command = [sys.executable, "-c", "from c import test_soc; test_soc.run_everything_sanitized()"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


# -- hazards: what no chip minds ------------------------------------------------------------------------------


def hazard(soc: Soc) -> str:
    return soc.module.ffi.string(soc.module.lib.soc_hazard(soc.pointer)).decode()


def hazards(soc: Soc) -> int:
    return soc.module.lib.soc_hazards(soc.pointer)


PAD17, CTRL17 = 0x20000 + 4 + 4 * 17, 4 + 8 * 17
RIO_OE, SET, CLR = 0x10004, 0x2000, 0x3000


def test_both_pulls_at_once_are_a_hazard() -> None:
    soc = Soc(RP1)
    assert (hazards(soc), hazard(soc)) == (0, "")
    soc.write(PAD17 + CLR, 1 << 2 | 1 << 3)
    soc.write(PAD17 + SET, 1 << 3)
    assert hazards(soc) == 0
    soc.write(PAD17 + SET, 1 << 2)
    assert (hazards(soc), hazard(soc)) == (1, "both pulls of line 17 are on")
    assert soc.violations() == 0


@pytest.mark.parametrize(
    ("steps", "count"),
    [
        (((RIO_OE + SET, 1 << 17), (CTRL17, 5)), 0),  # meant
        (((CTRL17, 5), (RIO_OE + SET, 1 << 17)), 0),
        (((RIO_OE + SET, 1 << 17), (CTRL17, 5), (CTRL17, 4), (CTRL17, 5)), 1),  # left on
        (((RIO_OE + SET, 1 << 17), (CTRL17, 5), (CTRL17, 4), (RIO_OE + SET, 1 << 17), (CTRL17, 5)), 0),
        (((RIO_OE + SET, 1 << 17), (CTRL17, 5), (CTRL17, 4), (RIO_OE + CLR, 1 << 17), (CTRL17, 5)), 0),
        (((RIO_OE + SET, 1 << 17), (CTRL17, 5), (CTRL17, 4), (RIO_OE + SET, 1 << 18), (CTRL17, 5)), 1),
    ],
)
def test_an_output_left_on_from_before_is_a_hazard(steps, count: int) -> None:
    soc = Soc(RP1)
    for offset, value in steps:
        soc.write(offset, value)
    assert hazards(soc) == count
    assert count == 0 or hazard(soc) == "line 17 drives as soon as it is GPIO: its output was on from before"


def test_both_halves_of_a_bridge_are_a_hazard() -> None:
    soc = Soc(BCM2835)
    soc.write(0x04, 1 << 21 | 1 << 24)
    soc.module.lib.soc_never_both(soc.pointer, 18, 17)
    soc.write(0x1C, 1 << 17)
    soc.write(0x28, 1 << 17)
    soc.write(0x1C, 1 << 18)
    assert hazards(soc) == 0
    soc.write(0x1C, 1 << 17)
    assert (hazards(soc), hazard(soc)) == (1, "lines 17 and 18 are both high")
    assert soc.violations() == 0
    soc.module.lib.soc_never_both(soc.pointer, 17, 17)
    assert soc.violation() == "no bridge has the lines 17 and 17"


@pytest.mark.slow
def test_a_build_that_failed_is_not_tried_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(soc_build, "CACHE", tmp_path / "cache")
    source = tmp_path / "broken.c"
    source.write_text("#error no\n")
    with pytest.raises(RuntimeError, match="#error no"):
        soc_build.build("broken", [source], "int answer(void);")
    monkeypatch.setattr(soc_build, "_compile_into", lambda *_: pytest.fail("compiled again"))
    with pytest.raises(RuntimeError, match="#error no"):
        soc_build.build("broken", [source], "int answer(void);")
    monkeypatch.undo()
    monkeypatch.setattr(soc_build, "CACHE", tmp_path / "cache")
    source.write_text("int answer(void) { return 42; }\n")
    assert soc_build.build("broken", [source], "int answer(void);").lib.answer() == 42
