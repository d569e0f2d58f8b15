# SPDX-License-Identifier: LGPL-3.0-or-later
"""The modelled DMA engine, its paces and its memory do what the datasheet says, to the nanosecond."""

from __future__ import annotations

import errno
import itertools
import os
import time
from collections.abc import Callable
from fractions import Fraction
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c import soc_build

SANITIZE = os.environ.get("RPIO_SANITIZE") == "1"
SOCS = ("brcm,bcm2835", "brcm,bcm2836", "brcm,bcm2837", "brcm,bcm2711")
PLLD = {soc: 750_000_000 if soc == "brcm,bcm2711" else 500_000_000 for soc in SOCS}
ALIAS = {soc: 0x40000000 if soc == "brcm,bcm2835" else 0xC0000000 for soc in SOCS}
FLAGS = {soc: 0x0C if soc == "brcm,bcm2835" else 0x04 for soc in SOCS}
law = settings(deadline=None)

CHANNEL, CS, CONBLK, NEXTCONBK, DEBUG = 0x7000, 0x00, 0x04, 0x1C, 0x20
ACTIVE, END, INT, ABORT, RESET = 1, 2, 4, 1 << 30, 1 << 31
CLOCK = {"pwm": 0x1010A0, "pcm": 0x101098}
PCM_CS, PCM_FIFO, PCM_MODE, PCM_TXC, PCM_DREQ = 0x203000, 0x203004, 0x203008, 0x203010, 0x203014
PWM_CTL, PWM_STA, PWM_DMAC, PWM_RNG1, PWM_FIF1 = 0x20C000, 0x20C004, 0x20C008, 0x20C010, 0x20C018
PASSWORD = 0x5A000000
GPSET, GPCLR = 0x7E20001C, 0x7E200028
FIFO = {"pwm": 0x7E20C018, "pcm": 0x7E203004}
DREQ = {"pwm": 5, "pcm": 2}
PACED = {pace: 1 << 6 | dreq << 16 for pace, dreq in DREQ.items()}
DEEP = {"pwm": 16, "pcm": 64}
STEP_NS = 100  # to load a block, and to move a word
LINE = 1 << 17


class Board:
    """A modelled SoC whose line 17 is an output, with a chain of control blocks in its memory."""

    def __init__(self, compatible: str = "brcm,bcm2837", module: ModuleType | None = None) -> None:
        self.module = module or soc_build.build(
            "soc_model", soc_build.SOC_SOURCES, soc_build.SOC_CDEF, sanitize=SANITIZE
        )
        self.ffi, self.lib = self.module.ffi, self.module.lib
        pointer = self.lib.soc_new_with_dma(compatible.encode())
        assert pointer != self.ffi.NULL
        self.soc = self.ffi.gc(pointer, self.lib.soc_free)
        self.compatible = compatible
        self.write(0x200004, 1 << 21)

    def read(self, offset: int) -> int:
        return self.lib.soc_peripheral_read(self.soc, offset)

    def write(self, offset: int, value: int) -> None:
        self.lib.soc_peripheral_write(self.soc, offset, value)

    def wait(self, ns: int) -> None:
        self.lib.soc_wait_ns(self.soc, ns)

    @property
    def now(self) -> int:
        return self.lib.soc_now_ns(self.soc)

    def broken(self) -> str:
        """Return how a rule was broken last, and expect that it was one rule, once."""
        count = self.lib.soc_violations(self.soc)
        assert count <= 1, self.ffi.string(self.lib.soc_violation(self.soc))
        return self.ffi.string(self.lib.soc_violation(self.soc)).decode()

    # -- memory

    def property(self, tag: int, *values: int) -> int:
        message = self.ffi.new("uint32_t[]", [0, 0, tag, 4 * len(values), 0, *values, 0])
        message[0] = 4 * len(message)
        assert self.lib.soc_mailbox(self.soc, message) == 0
        assert message[1] == 0x80000000
        assert message[4] == 0x80000004
        return message[5]

    def allocate(self, size: int, align: int = 4096, flags: int | None = None) -> int:
        return self.property(0x3000C, size, align, FLAGS[self.compatible] if flags is None else flags)

    def lock(self, handle: int) -> int:
        return self.property(0x3000D, handle)

    def unlock(self, handle: int) -> int:
        return self.property(0x3000E, handle)

    def release(self, handle: int) -> int:
        return self.property(0x3000F, handle)

    def memory(self, bus: int, size: int):
        pointer = self.lib.soc_memory(self.soc, bus, size)
        return None if pointer == self.ffi.NULL else self.ffi.cast("uint32_t *", pointer)

    def chain(self, blocks: list[tuple], *, ring: bool = False) -> int:
        """Lay out (TI, destination, data word) blocks and return the bus address of the first.

        A longer tuple overrides length, then the next block's address, then the source.
        """
        size = 36 * len(blocks)
        bus = self.lock(self.allocate(size))
        words = self.memory(bus, size)
        for number, (ti, destination, data, *more) in enumerate(blocks):
            following = bus + 32 * ((number + 1) % len(blocks)) if ring or number + 1 < len(blocks) else 0
            length, after, source = [*more, *[4, following, bus + 32 * len(blocks) + 4 * number][len(more) :]]
            words[8 * len(blocks) + number] = data
            for place, value in enumerate((ti, source, destination, length, 0, after, 0, 0)):
                words[8 * number + place] = value
        return bus

    # -- what runs

    def start(self, block: int, channel: int = 0) -> None:
        self.write(CHANNEL + 0x100 * channel + CONBLK, block)
        self.write(CHANNEL + 0x100 * channel + CS, ACTIVE)

    def channel(self, register: int, channel: int = 0) -> int:
        return self.read(CHANNEL + 0x100 * channel + register)

    def clock(self, pace: str, divider: int = 50 << 12, source: int = 6, mash: int = 0) -> None:
        setup = PASSWORD | mash << 9 | source
        self.write(CLOCK[pace] + 4, PASSWORD | divider)
        self.write(CLOCK[pace], setup)
        self.write(CLOCK[pace], setup | 1 << 4)
        self.wait(1000)
        assert self.read(CLOCK[pace]) & 1 << 7

    def pace(self, pace: str, clocks: int = 100, threshold: int | None = None, **clock: int) -> None:
        self.clock(pace, **clock)
        threshold = DEEP[pace] if threshold is None else threshold
        if pace == "pwm":
            self.write(PWM_RNG1, clocks)
            self.write(PWM_DMAC, 1 << 31 | threshold)
            self.write(PWM_CTL, 1 << 5 | 1)
        else:
            self.write(PCM_CS, 1 << 25 | 1)
            self.write(PCM_MODE, (clocks - 1) << 10)
            self.write(PCM_TXC, 1 << 30)
            self.write(PCM_DREQ, threshold << 8)
            self.wait(1_000_000)  # the memory behind the FIFO needs four clocks
            self.write(PCM_CS, 1 << 25 | 1 << 9 | 1)
            self.write(PCM_CS, 1 << 25 | 1 << 9 | 1 << 2 | 1)

    def wave(self) -> list[tuple[int, int]]:
        """Return (time, levels) of each change since soc_wave_start(), the first levels in front."""
        at, lines = self.ffi.new("uint64_t *"), self.ffi.new("uint32_t *")
        entries = []
        for index in range(self.lib.soc_wave_count(self.soc)):
            assert self.lib.soc_wave_entry(self.soc, index, at, lines) == 0
            entries.append((at[0], lines[0]))
        assert self.lib.soc_wave_entry(self.soc, len(entries), at, lines) == -errno.ENOENT
        return entries


# -- the engine ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compatible", SOCS)
def test_a_chain_writes_a_waveform_at_its_times(compatible: str) -> None:
    board = Board(compatible)
    block = board.chain([(0, GPSET, LINE), (0, GPCLR, LINE), (0, GPSET, LINE | 1 << 4), (1, GPCLR, LINE)])
    board.wait(12345)
    board.lib.soc_wave_start(board.soc)
    board.start(block)
    assert board.channel(CS) & ACTIVE
    board.wait(2 * STEP_NS - 1)
    assert len(board.wave()) == 1
    board.wait(10_000)
    assert board.wave() == [(12345 + 2 * STEP_NS * n, LINE * (n % 2)) for n in range(5)]
    assert board.channel(CS) & (ACTIVE | END | INT) == END | INT
    assert board.channel(CONBLK) == 0
    assert board.read(CHANNEL + 0xFE0) == 1
    board.write(CHANNEL, END | INT)
    assert board.channel(CS) & (END | INT) == 0
    assert board.lib.soc_blocks_loaded(board.soc, 0) == 4
    assert board.broken() == ""


def test_only_outputs_are_in_the_waveform_whoever_writes() -> None:
    board = Board()
    board.lib.soc_wave_start(board.soc)
    board.write(0x20001C, LINE | 1 << 18)
    board.write(0x200028, LINE)
    board.write(0x200004, 0)
    board.write(0x20001C, LINE)
    board.write(0x200004, 1 << 21)
    assert [lines for _, lines in board.wave()] == [0, LINE, 0, LINE]


def test_words_move_between_memory_with_increments_and_without() -> None:
    board = Board()
    target = board.lock(board.allocate(4096))
    block = board.chain([(1 << 4, target, 0x1234, 16), (1 << 4 | 1 << 8, target + 64, 7, 8)])
    words = board.memory(target, 4096)
    assert words[0] == 0xA5A5A5A5
    board.start(block)
    board.wait(STEP_NS * (1 + 4 + 1 + 2))
    assert list(words[0:5]) == [0x1234] * 4 + [0xA5A5A5A5]
    assert (words[16], words[18]) == (7, 0xA5A5A5A5)
    assert board.channel(CS) & (ACTIVE | END) == END
    assert board.broken() == ""


def test_a_ring_goes_on_until_it_is_paused_and_then_goes_on() -> None:
    board = Board()
    block = board.chain([(0, GPSET, LINE), (0, GPCLR, LINE)], ring=True)
    board.start(block)
    board.wait(1_000_000)
    assert board.channel(CS) & ACTIVE
    assert board.lib.soc_blocks_loaded(board.soc, 0) == 5000
    board.write(CHANNEL, 0)
    board.wait(1_000_000)
    assert board.lib.soc_blocks_loaded(board.soc, 0) == 5000
    board.write(CHANNEL, ACTIVE)
    board.wait(1_000_000)
    assert board.lib.soc_blocks_loaded(board.soc, 0) in (9999, 10_000)
    board.write(CHANNEL, RESET)
    assert board.channel(CS) & (ACTIVE | END) == 0
    assert board.channel(CONBLK) == 0
    assert board.broken() == ""


def test_a_paused_block_can_be_made_the_last() -> None:
    board = Board()
    block = board.chain([(0, GPSET, LINE), (0, GPCLR, LINE)], ring=True)
    board.start(block)
    board.wait(STEP_NS + STEP_NS // 2)
    board.write(CHANNEL, 0)
    assert board.channel(NEXTCONBK) == block + 32
    board.write(CHANNEL + NEXTCONBK, 0)
    board.write(CHANNEL, ACTIVE)
    board.wait(1000)
    assert board.channel(CS) & (ACTIVE | END) == END
    assert board.lib.soc_level(board.soc, 17) == 1
    assert board.broken() == ""


def test_abort_leaves_the_rest_of_a_block_out() -> None:
    board = Board()
    board.start(board.chain([(0, GPSET, 1 << 4, 4000), (0, GPSET, LINE)]))
    board.wait(1000)
    assert board.channel(0x14) == 4000 - 4 * 9
    board.write(CHANNEL, ABORT | ACTIVE)
    board.wait(2 * STEP_NS)
    assert board.channel(CS) & (ACTIVE | END) == END
    assert board.lib.soc_level(board.soc, 17) == 1
    assert board.broken() == ""


def test_channels_run_side_by_side() -> None:
    board = Board()
    for channel in range(15):
        board.start(board.chain([(0, GPSET, LINE), (0, GPCLR, LINE)], ring=True), channel)
    board.wait(1_000_000)
    assert {board.lib.soc_blocks_loaded(board.soc, channel) for channel in range(15)} == {5000}
    assert [bool(board.channel(DEBUG, channel) & 1 << 28) for channel in range(15)] == [False] * 7 + [
        True
    ] * 8
    assert board.read(CHANNEL + 0xFF0) == 0x7FFF
    assert board.broken() == ""


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ((1 << 1, GPSET, LINE), "TDMODE"),
        ((1 << 5, GPSET, LINE), "128-bit"),
        ((1 << 9, GPSET, LINE), "128-bit"),
        ((1 << 10, GPSET, LINE), "SRC_DREQ"),
        ((1 << 12, GPSET, LINE), "burst"),
        ((1 << 21, GPSET, LINE), "WAITS"),
        ((1 << 6 | 7 << 16, GPSET, LINE), "another peripheral"),
        ((1 << 2, GPSET, LINE), "reserved bit"),
        ((0, GPSET, LINE, 0), "in words"),
        ((0, GPSET, LINE, 6), "in words"),
        ((0, GPSET + 2, LINE), "not a word's"),
        ((0, GPSET, LINE, 4, 0xF0000010), "32 bytes"),
        ((0, 0x3F20001C, LINE), "0x3f20001c, where no memory"),
        ((0, 0x2020001C, LINE), "0x2020001c, where no memory"),
        ((0, 0x7E007000, LINE), "nothing is modelled"),
        ((0, GPSET, LINE, 4, 0xC0000000), "control block at 0xc0000000, where no memory"),
        ((0, GPSET, LINE, 4, 0, 0xF0002000), "read at 0xf0002000, where no memory"),
        ((0, GPSET, LINE, 4, 0, 0x7E007000), "nothing is modelled"),
    ],
)
def test_a_block_that_is_wrong_stops_its_channel(block: tuple, told: str) -> None:
    board = Board()
    board.start(board.chain([block]))
    board.wait(10_000)
    assert told in board.broken()
    assert not board.channel(CS) & ACTIVE
    if "where no" in told or "nothing" in told:
        assert board.channel(CS) & 1 << 8
        assert board.channel(DEBUG) & 7
        board.write(CHANNEL + DEBUG, 7)
        assert not board.channel(DEBUG) & 7


def test_a_block_that_nobody_wrote_is_found() -> None:
    board = Board()
    board.start(board.lock(board.allocate(4096)))
    board.wait(1000)
    assert "reserved word" in board.broken()


@pytest.mark.parametrize(
    ("block", "told"),
    [((0, GPSET, LINE, 0x10000), "0xFFFC"), ((1 << 11, GPSET, LINE), "lite"), ((2, GPSET, LINE), "TDMODE")],
)
def test_a_lite_channel_can_do_less(block: tuple, told: str) -> None:
    for channel in range(15):
        board = Board()
        board.start(board.chain([block]), channel)
        board.wait(10_000)
        assert (told in board.broken()) == (channel >= 7 or told == "TDMODE")


@pytest.mark.parametrize(
    ("access", "told"),
    [
        (lambda b: b.write(CHANNEL + CONBLK, 0xC0000000), "while the channel is active"),
        (lambda b: b.write(CHANNEL + NEXTCONBK, 0), "while the channel is active"),
        (lambda b: b.write(CHANNEL + 0x100 + CONBLK, 0xC0000010), "aligned"),
        (lambda b: b.write(CHANNEL + 0x08, 0), "read-only"),
        (lambda b: b.write(CHANNEL + 0x100, ACTIVE), "without a control block"),
        (lambda b: b.write(CHANNEL + 0xFF0, 0x7FFE), "disabled while"),
        (lambda b: b.write(CHANNEL + 0xF00, RESET), "channel 15 is not there"),
        (lambda b: b.read(0x3000), "nothing is modelled"),
        (lambda b: b.write(0x7002, 0), "nothing is modelled"),
    ],
)
def test_registers_that_must_not_be_touched(access: Callable[[Board], object], told: str) -> None:
    board = Board()
    board.start(board.chain([(0, GPSET, LINE)], ring=True))
    access(board)
    assert told in board.broken()


def test_a_channel_that_is_not_enabled_does_not_start() -> None:
    board = Board()
    board.write(CHANNEL + 0xFF0, 0x7FFE)
    board.start(board.chain([(0, GPSET, LINE)]))
    assert "not enabled" in board.broken()
    assert not board.channel(CS) & ACTIVE


@pytest.mark.parametrize("channel", range(11, 15))
def test_the_last_channels_of_a_bcm2711_are_another_kind(channel: int) -> None:
    board = Board("brcm,bcm2711")
    board.write(CHANNEL + 0x100 * channel, RESET)
    assert "DMA4" in board.broken()


# -- clocks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("register", "value", "told"),
    [
        (0, 0x16, "password"),
        (4, 50 << 12, "password"),
        (0, PASSWORD | 0x11, "while BUSY"),
        (0, PASSWORD | 0x216, "while BUSY"),
        (4, PASSWORD | 51 << 12, "while BUSY"),
    ],
)
@pytest.mark.parametrize("pace", CLOCK)
def test_a_busy_clock_is_left_alone(pace: str, register: int, value: int, told: str) -> None:
    board = Board()
    board.clock(pace)
    board.write(CLOCK[pace] + register, value)
    assert told in board.broken()


@pytest.mark.parametrize(
    ("divider", "control", "told"),
    [
        (50 << 12, 0x16, "together with ENAB"),
        (0, 0x6, "divider 0"),
        (1 << 12, 0x206, "MASH 1 needs 2"),
        (50 << 12, 0x5, "source 5"),
        (50 << 12, 0x0, "without a source"),
    ],
)
def test_a_clock_that_is_set_up_badly(divider: int, control: int, told: str) -> None:
    board = Board()
    board.write(CLOCK["pwm"] + 4, PASSWORD | divider)
    board.write(CLOCK["pwm"], PASSWORD | control)
    if not control & 1 << 4:
        board.write(CLOCK["pwm"], PASSWORD | control | 1 << 4)
    assert told in board.broken()


def test_busy_follows_enab_and_kill() -> None:
    board = Board()
    for stop, delay in ((PASSWORD | 6, 1000), (PASSWORD | 1 << 5 | 6, 0)):
        board.clock("pwm")
        board.write(CLOCK["pwm"], stop)
        assert bool(board.read(CLOCK["pwm"]) & 1 << 7) == bool(delay)
        board.wait(delay)
        assert not board.read(CLOCK["pwm"]) & 1 << 7
        board.write(CLOCK["pwm"], PASSWORD | 6)
    assert board.read(CLOCK["pwm"]) == 6
    assert board.broken() == ""


# -- the paces -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compatible", SOCS)
@pytest.mark.parametrize("pace", CLOCK)
@pytest.mark.parametrize("setup", ["plain", "fraction", "oscillator"])
def test_a_paced_ring_keeps_time_to_the_clock(compatible: str, pace: str, setup: str) -> None:
    board = Board(compatible)
    oscillator = 54_000_000 if compatible == "brcm,bcm2711" else 19_200_000
    clock = {
        "plain": {"divider": 50 << 12},
        "fraction": {"divider": 7 << 12 | 1234, "mash": 1},
        "oscillator": {"divider": 3 << 12, "source": 1},
    }[setup]
    hz = oscillator if setup == "oscillator" else PLLD[compatible]
    period = Fraction(97 * clock["divider"] * 10**9, 4096 * hz)
    board.pace(pace, 97, **clock)
    began = board.now
    ring = [(0, GPSET, LINE), (PACED[pace], FIFO[pace], 0), (0, GPCLR, LINE), (PACED[pace], FIFO[pace], 0)]
    board.lib.soc_wave_start(board.soc)
    board.start(board.chain(ring, ring=True))
    board.wait(10_000_000)
    edges = [at for at, _ in board.wave()[1:]]
    assert len(edges) >= 10_000_000 // period
    # PWM begins with the first word, which is there after 400 ns; PCM's frames have been going on.
    base = began + 4 * STEP_NS if pace == "pwm" else began
    settled = range(3 * DEEP[pace], len(edges))  # the first words fill the FIFO at once
    slots = [round((edges[n] - 3 * STEP_NS - base) / period) for n in settled]
    assert slots == list(range(slots[0], slots[0] + len(slots)))
    for n, slot in zip(settled, slots, strict=True):
        assert edges[n] == -(-(slot * period) // 1) + base + 3 * STEP_NS
    assert board.broken() == ""


@pytest.mark.parametrize("pace", CLOCK)
@pytest.mark.parametrize("threshold", [1, 2, 7, 15, 16])
def test_requests_stop_at_the_threshold(pace: str, threshold: int) -> None:
    board = Board()
    board.pace(pace, 1000, threshold)
    board.start(board.chain([(PACED[pace], FIFO[pace], 0)], ring=True))
    board.wait(50_000)
    assert board.lib.soc_fifo_level(board.soc, DREQ[pace]) == threshold
    assert board.channel(CS) & 0x38 == 0x30  # paused, by its DREQ, which is low
    # One more waits; PWM has taken one, PCM had begun its frame without.
    assert board.lib.soc_blocks_loaded(board.soc, 0) == threshold + 1 + (pace == "pwm")
    assert board.broken() == ""


@pytest.mark.parametrize("pace", CLOCK)
def test_a_pace_that_stands_holds_the_channel(pace: str) -> None:
    board = Board()
    board.pace(pace)
    board.start(board.chain([(PACED[pace], FIFO[pace], 0)], ring=True))
    board.wait(1_000_000)
    board.write(CLOCK[pace], PASSWORD | 6)
    board.wait(10_000)
    loaded = board.lib.soc_blocks_loaded(board.soc, 0)
    board.wait(10_000_000)
    assert board.lib.soc_blocks_loaded(board.soc, 0) == loaded
    board.write(CLOCK[pace], PASSWORD | 1 << 4 | 6)
    board.wait(1_000_000)
    assert board.lib.soc_blocks_loaded(board.soc, 0) == pytest.approx(loaded + 100, abs=1)
    assert board.broken() == ""


def test_two_channels_on_one_pace_share_its_words() -> None:
    board = Board()
    board.pace("pwm")
    for channel in (0, 5):
        board.start(board.chain([(PACED["pwm"], FIFO["pwm"], 0)], ring=True), channel)
    board.wait(20_000_000)
    loaded = [board.lib.soc_blocks_loaded(board.soc, channel) for channel in (0, 5)]
    assert loaded == pytest.approx([1000, 1000], abs=12)
    assert board.broken() == ""


@pytest.mark.parametrize("pace", CLOCK)
def test_a_full_fifo_takes_no_word(pace: str) -> None:
    board = Board()
    for _ in range(DEEP[pace]):
        board.write(FIFO[pace] & 0xFFFFFF, 0)
    assert board.broken() == ""
    board.write(FIFO[pace] & 0xFFFFFF, 0)
    assert "full FIFO" in board.broken()
    assert board.lib.soc_fifo_level(board.soc, DREQ[pace]) == DEEP[pace]
    if pace == "pwm":
        assert board.read(PWM_STA) & 7 == 0b101
        board.write(PWM_STA, 4)
        assert board.read(PWM_STA) & 7 == 1
        board.write(PWM_CTL, 1 << 6)
        assert board.read(PWM_STA) & 7 == 2
        assert board.read(PWM_CTL) == 0
    else:
        assert board.read(PCM_CS) & 1 << 15


def test_an_empty_pcm_fifo_does_not_stop_the_frames() -> None:
    board = Board()
    board.pace("pcm", 100)
    began = board.now
    board.wait(123_456)
    assert board.read(PCM_CS) & 1 << 15
    board.write(PCM_FIFO, 0)
    board.write(PCM_FIFO, 0)
    board.wait(130_000 - 123_456 - 1)
    assert (board.now - began, board.lib.soc_fifo_level(board.soc, 2)) == (129_999, 2)
    board.wait(1)
    assert board.lib.soc_fifo_level(board.soc, 2) == 1


def test_an_idle_pwm_begins_with_the_word() -> None:
    board = Board()
    board.pace("pwm", 100)
    board.wait(123_456)
    for level in (0, 1, 2):
        board.write(PWM_FIF1, 0)
        assert board.lib.soc_fifo_level(board.soc, 5) == level
    board.wait(9_999)
    assert board.lib.soc_fifo_level(board.soc, 5) == 2
    board.wait(1)
    assert board.lib.soc_fifo_level(board.soc, 5) == 1
    assert not board.read(PWM_STA) & 1 << 4
    board.wait(20_000)
    assert board.read(PWM_STA) & (1 << 4 | 1 << 9) == 1 << 4  # a gap, and no transmission


def test_pcm_counts_its_clocks() -> None:
    board = Board()
    board.write(PCM_FIFO, 0)
    board.write(PCM_CS, 1 << 25 | 1 << 24 | 1 << 3 | 1)
    board.wait(1_000_000)
    assert not board.read(PCM_CS) & 1 << 24  # no clock
    board.clock("pcm")
    board.wait(199)
    assert not board.read(PCM_CS) & 1 << 24
    assert board.lib.soc_fifo_level(board.soc, 2) == 1
    board.wait(1)
    assert board.read(PCM_CS) & 1 << 24
    assert board.lib.soc_fifo_level(board.soc, 2) == 0
    assert board.broken() == ""


STANDBY_PCM = 1 << 25 | 1


@pytest.mark.parametrize(
    ("writes", "told"),
    [
        ([(PCM_CS, 1), (PCM_CS, 5)], "STBY"),
        ([(PCM_CS, STANDBY_PCM), (PCM_CS, STANDBY_PCM | 4)], "STBY"),
        ([(PCM_CS, STANDBY_PCM), None, (PCM_CS, STANDBY_PCM | 8), (PCM_CS, STANDBY_PCM | 4)], "TXCLR"),
        ([(PCM_CS, STANDBY_PCM | 8), (PCM_FIFO, 0)], "being cleared"),
        ([(PCM_CS, STANDBY_PCM), None, (PCM_CS, STANDBY_PCM | 4), (PCM_MODE, 0)], "while it runs"),
        ([(PCM_CS, STANDBY_PCM), None, (PCM_CS, STANDBY_PCM | 4), (PCM_DREQ, 0)], "while it runs"),
        (
            [(PCM_CS, STANDBY_PCM), None, (PCM_CS, STANDBY_PCM | 4), (PCM_CS, STANDBY_PCM | 0x204)],
            "CS changed",
        ),
        ([(PCM_MODE, 6 << 10), (PCM_CS, STANDBY_PCM), None, (PCM_CS, STANDBY_PCM | 4)], "the frame with 7"),
        ([(PCM_TXC, 0), (PCM_CS, STANDBY_PCM), None, (PCM_CS, STANDBY_PCM | 4)], "channel 1 alone"),
        ([(PCM_MODE, 1 << 23 | 9 << 10), (PCM_CS, STANDBY_PCM), None, (PCM_CS, STANDBY_PCM | 4)], "mode"),
        ([(PCM_CS, 2)], "reception"),
        ([(0x203024, 0)], "reserved"),
        ([(0x20C00C, 0)], "reserved"),
        ([(PWM_CTL, 1 << 13)], "channel 2"),
    ],
)
def test_how_pcm_and_pwm_must_not_be_used(writes: list[tuple[int, int] | None], told: str) -> None:
    board = Board()
    board.clock("pcm")
    board.write(PCM_MODE, 9 << 10)
    board.write(PCM_TXC, 1 << 30)
    for access in writes:
        if access is None:
            board.wait(400)
        else:
            board.write(*access)
    assert told in board.broken()


@law
@given(
    pace=st.sampled_from(sorted(CLOCK)),
    clocks=st.integers(12, 1024),
    divider=st.integers(5 << 12, 0xFFFFFF),
    waits=st.lists(st.integers(0, 3_000_000), min_size=1, max_size=20),
)
@pytest.mark.slow
def test_how_the_waiting_is_cut_does_not_matter(
    pace: str, clocks: int, divider: int, waits: list[int]
) -> None:
    waves = []
    for cut in (waits, [sum(waits)]):
        board = Board()
        board.pace(pace, clocks, divider=divider, mash=1)
        ring = [
            (0, GPSET, LINE),
            (PACED[pace], FIFO[pace], 0),
            (0, GPCLR, LINE),
            (PACED[pace], FIFO[pace], 0),
        ]
        board.lib.soc_wave_start(board.soc)
        board.start(board.chain(ring, ring=True))
        for ns in cut:
            board.wait(ns)
        waves.append((board.now, board.channel(CS), board.wave()))
        assert board.broken() == ""
    assert waves[0] == waves[1]


def test_a_subcycle_of_2000_slots_is_quick() -> None:
    board = Board()
    board.pace("pwm", 100)
    slot = [(0, GPCLR, 0), (PACED["pwm"], FIFO["pwm"], 0)]
    board.start(board.chain(slot * 2000, ring=True))
    best = min(_seconds(lambda: board.wait(20_000_000)) for _ in range(5))
    assert board.broken() == ""
    assert best < (0.2 if SANITIZE else 0.05)  # 2 ms on an idle machine


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


# -- memory --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compatible", SOCS)
def test_memory_has_an_address_while_it_is_locked(compatible: str) -> None:
    board = Board(compatible)
    handle = board.allocate(5000)
    assert board.lib.soc_memory_in_use(board.soc) == 1
    bus = board.lock(handle)
    assert bus & 0xC0000000 == ALIAS[compatible]
    assert bus % 4096 == 0
    assert board.memory(bus, 8192)[2047] == 0xA5A5A5A5
    assert board.memory(bus, 8193) is None
    assert board.memory(bus & 0x3FFFFFFF, 4096) == board.memory(bus, 4096)
    assert board.unlock(handle) == 0
    assert board.memory(bus, 4096) is None
    assert board.release(handle) == 0
    assert board.lib.soc_memory_in_use(board.soc) == 0
    assert (board.lock(handle), board.unlock(handle), board.release(handle)) == (0, 0xFFFFFFFF, 0xFFFFFFFF)
    assert board.broken() == ""
    board.lock(board.allocate(4096, 4096, FLAGS[compatible] ^ 8))
    assert "flags" in board.broken()


def test_memory_can_be_zero_and_wider_aligned() -> None:
    board = Board()
    board.allocate(4096)
    bus = board.lock(board.allocate(4096, 1 << 20, 0x14))
    assert bus % (1 << 20) == 0
    assert board.memory(bus, 4096)[0] == 0
    assert board.broken() == ""


def test_memory_that_is_not_there_is_refused() -> None:
    board = Board()
    board.lib.soc_mailbox_limit(board.soc, 3 * 4096)
    first = board.allocate(8192)
    assert board.allocate(8192) == 0
    assert board.allocate(4096) != 0
    assert board.release(first) == 0
    assert board.allocate(8192) != 0
    assert board.lib.soc_memory_in_use(board.soc) == 2
    assert board.broken() == ""


@pytest.mark.parametrize("unlocked_only", [True, False])
def test_dma_in_memory_that_was_given_back_is_told(unlocked_only: bool) -> None:
    board = Board()
    block = board.chain([(0, GPSET, LINE)], ring=True)
    board.start(block)
    board.wait(1000)
    board.unlock(1)
    if not unlocked_only:
        board.release(1)
    board.wait(1000)
    assert ("not locked" if unlocked_only else "freed memory") in board.broken()
    assert not board.channel(CS) & ACTIVE
    assert board.channel(CS) & 1 << 8
    assert board.channel(DEBUG) & 7 == 4


@pytest.mark.skipif(SANITIZE, reason="the sanitizer ends the process at such a write")
def test_a_write_to_freed_memory_is_told_later() -> None:
    board = Board()
    bus = board.lock(board.allocate(4096))
    words = board.memory(bus, 4096)
    board.unlock(1)
    board.release(1)
    assert (board.lib.soc_memory_in_use(board.soc), board.broken()) == (0, "")
    words[1000] = 0
    assert board.lib.soc_memory_in_use(board.soc) == 0
    assert "was written" in board.broken()


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda b: b.release(1), "which is locked"),
        (lambda b: (b.unlock(1), b.unlock(1)), "not locked"),
        (lambda b: b.allocate(0), "0 bytes"),
        (lambda b: b.allocate(4096, 3000), "aligned to 3000"),
        (lambda b: b.memory(b.lock(1) + 32, 32), "start of a page"),
        (lambda b: b.start(b.lock(1) ^ 0x40000000) or b.wait(1000), "alias"),
    ],
)
def test_how_memory_must_not_be_used(act: Callable[[Board], object], told: str) -> None:
    board = Board()
    board.lock(board.allocate(4096))
    act(board)
    assert told in board.broken()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([24, 0, 0x3000D, 4, 0, 1], 0x80000001),  # no end tag
        ([24, 0, 0x3000D, 64, 0, 0], 0x80000001),  # a tag beyond the message
        ([8, 0, 0, 0, 0, 0], 0x80000001),
        ([24, 7, 0, 0, 0, 0], 0x80000001),
        ([28, 0, 0x3000D, 4, 1 << 31, 1, 0], 0x80000001),
    ],
)
def test_a_message_that_is_none(words: list[int], code: int) -> None:
    board = Board()
    message = board.ffi.new("uint32_t[]", words)
    assert board.lib.soc_mailbox(board.soc, message) == 0
    assert message[1] == code
    assert board.broken().startswith("mailbox: ")


def test_several_tags_in_one_message_and_one_that_is_unknown() -> None:
    board = Board()
    words = [0x3000C, 12, 0, 4096, 4096, 4, 0x3000D, 4, 0, 1, 0x12345, 4, 0, 9, 0]
    message = board.ffi.new("uint32_t[]", [4 * (len(words) + 2), 0, *words])
    assert board.lib.soc_mailbox(board.soc, message) == 0
    assert message[1] == 0x80000001
    assert (message[5], message[4], message[10]) == (1, 0x80000004, 0x80000004)
    assert message[11] & 0xC0000000 == 0xC0000000
    assert (message[14], message[15]) == (0, 9)


def test_the_ioctl_can_fail_from_a_call_on() -> None:
    board = Board()
    board.lib.soc_mailbox_fail(board.soc, errno.EPERM, 2)
    message = board.ffi.new("uint32_t[]", [12, 0, 0])
    results = []
    for _ in range(4):
        message[1] = 0
        results.append(board.lib.soc_mailbox(board.soc, message))
    assert results == [0, 0, -errno.EPERM, -errno.EPERM]
    board.lib.soc_mailbox_fail(board.soc, 0, 0)
    assert board.lib.soc_mailbox(board.soc, board.ffi.new("uint32_t[]", [12, 0, 0])) == 0


# -- around them ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [b"", b"brcm,bcm2712", b"brcm,bcm2711-gpio", b"raspberrypi,rp1-gpio"])
def test_only_four_socs_have_such_an_engine(name: bytes) -> None:
    board = Board()
    assert board.lib.soc_new_with_dma(name) == board.ffi.NULL
    assert board.lib.soc_new_with_dma(board.ffi.NULL) == board.ffi.NULL


def test_a_soc_without_the_engine_says_so() -> None:
    module = Board().module
    soc = module.ffi.gc(module.lib.soc_new(b"brcm,bcm2835-gpio"), module.lib.soc_free)
    assert module.lib.soc_mailbox(soc, module.ffi.new("uint32_t[3]")) == -errno.ENODEV
    assert module.lib.soc_memory(soc, 0, 4) == module.ffi.NULL
    module.lib.soc_peripheral_write(soc, 0x20001C, LINE)
    assert module.lib.soc_violations(soc) == 0
    module.lib.soc_peripheral_read(soc, CHANNEL)
    assert module.lib.soc_violations(soc) == 1


def test_gpio_accesses_are_in_the_log_and_those_of_dma_are_not() -> None:
    board = Board()
    board.lib.soc_log_clear(board.soc)
    board.start(board.chain([(0, GPSET, LINE)]))
    board.wait(1000)
    assert board.read(0x200034) & LINE
    assert board.lib.soc_log_count(board.soc) == 1


def test_another_part_sees_the_lines_as_they_are_at_its_time() -> None:
    board = Board()
    ffi, lib = board.ffi, board.lib
    times = iter(itertools.count(50, 100))
    state = {"at": next(times)}
    seen = []

    def run(_state: object, pointer: object) -> None:
        seen.append((lib.soc_now_ns(pointer), lib.soc_level(pointer, 17)))
        state["at"] = next(times)

    part = {
        "next": ffi.callback("uint64_t(void *)", lambda _state: state["at"]),
        "run": ffi.callback("void(void *, struct soc *)", run),
    }
    assert lib.soc_attach(board.soc, ffi.new("struct soc_part *", part)) == 0
    board.start(board.chain([(0, GPSET, LINE), (0, GPCLR, LINE)], ring=True))
    board.wait(10_000)
    assert seen == [(50 + 100 * n, (50 + 100 * n) // 200 % 2) for n in range(100)]
    assert board.broken() == ""
