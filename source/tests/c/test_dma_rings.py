# SPDX-License-Identifier: LGPL-3.0-or-later
"""Pulses and waves by DMA on modelled SoCs: the sentences of dma.h, against what a voltmeter would show."""

import errno
import fcntl
import os
import random
import select
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import zlib
from itertools import count, pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from c.core import SANITIZE, broken, core
from support import native
from waiting import LIMIT_S, wait_until

SOCS = ("brcm,bcm2835", "brcm,bcm2836", "brcm,bcm2837", "brcm,bcm2711")
PWM, PCM = 0, 1
PACES = {"pwm": PWM, "pcm": PCM}
FILL = 130
"""Slots after which the FIFO of either pace has been filled."""

CHANNELS, CS, CONBLK, DEBUG = 0x7000, 0x00, 0x04, 0x20
CM_PCM, CM_PWM = 0x101098, 0x1010A0
PCM_CS, PCM_MODE, PCM_TXC, PCM_DREQ = 0x203000, 0x203008, 0x203010, 0x203014
PWM_CTL, PWM_DMAC, PWM_RNG1 = 0x20C000, 0x20C008, 0x20C010
GPSET0, GPCLR0 = 0x7E20001C, 0x7E200028
FIFO = {PWM: 0x7E20C018, PCM: 0x7E203004}


class Machine:
    """A modelled SoC whose lines 0 to 31 are outputs, and what drives its DMA engine."""

    def __init__(self, compatible="brcm,bcm2837", pace=None, slot_us=10):
        self.lib, self.ffi = core().lib, core().ffi
        self.compatible = compatible
        self.soc = self.ffi.gc(self.lib.soc_new_with_dma(compatible.encode()), self.lib.soc_free)
        self.dma = self.attach()
        for register in range(4):
            self.lib.soc_write(self.soc, 4 * register, 0o1111111111)
        self.slot_ns = slot_us * 1000
        if pace is not None:
            self.ok("set_pace", pace, slot_us)
        self.lib.soc_wave_start(self.soc)

    def attach(self):
        out = self.ffi.new("struct rpio_dma **")
        assert self.lib.rpio_dma_attach(out, self.compatible.encode(), self.soc) == 0
        return out[0]

    def call(self, name, *args):
        return getattr(self.lib, f"rpio_dma_{name}")(self.dma, *args)

    def ok(self, name, *args):
        result = self.call(name, *args)
        assert result == 0, (name, args, result)

    def info(self, channel=0):
        info = self.ffi.new("struct rpio_dma_info *")
        self.ok("info", channel, info)
        return info

    def play(self, steps, repeat=1, channel=0):
        array = self.ffi.new("struct rpio_wave_step[]", steps)
        return self.call("play", channel, array, len(steps), repeat)

    def read(self, offset):
        return self.lib.soc_peripheral_read(self.soc, offset)

    def write(self, offset, value):
        self.lib.soc_peripheral_write(self.soc, offset, value)

    def register(self, offset, channel=0):
        return self.read(CHANNELS + 0x100 * channel + offset)

    @property
    def now(self):
        return self.lib.soc_now_ns(self.soc)

    def wait(self, ns):
        self.lib.soc_wait_ns(self.soc, int(ns))

    def level(self, line):
        return self.lib.soc_level(self.soc, line)

    def memory_in_use(self):
        return self.lib.soc_memory_in_use(self.soc)

    def broken(self):
        """How often a rule of the SoC was broken, and how last."""
        return (self.lib.soc_violations(self.soc), self.ffi.string(self.lib.soc_violation(self.soc)).decode())

    def free(self):
        """Give everything back: nothing is left, and no rule was broken."""
        self.lib.rpio_dma_free(self.dma)
        self.dma = self.ffi.NULL
        self.wait(1_000_000)
        assert self.memory_in_use() == 0
        assert broken(core(), self.soc) == []

    # -- the waveform

    def record(self):
        self.lib.soc_wave_start(self.soc)

    def entries(self):
        at, lines = self.ffi.new("uint64_t *"), self.ffi.new("uint32_t *")
        found = []
        for index in range(self.lib.soc_wave_count(self.soc)):
            self.lib.soc_wave_entry(self.soc, index, at, lines)
            found.append((at[0], lines[0]))
        return found

    def edges(self):
        """All (time, line, value) since record()."""
        found = []
        for (_, before), (at, after) in pairwise(self.entries()):
            changed = before ^ after
            while changed:
                line = changed.bit_length() - 1
                changed ^= 1 << line
                found.append((at, line, after >> line & 1))
        return found

    # -- others

    def property(self, tag, *values):
        message = self.ffi.new("uint32_t[]", [0, 0, tag, 4 * len(values), 0, *values, 0])
        message[0] = 4 * len(message)
        assert self.lib.soc_mailbox(self.soc, message) == 0
        return message[5]

    def somebody_else_uses(self, channel):
        """A block that copies a word, and then itself again."""
        handle = self.property(0x3000C, 4096, 4096, 0x0C if self.compatible == SOCS[0] else 0x04)
        bus = self.property(0x3000D, handle)
        words = self.ffi.cast("uint32_t *", self.lib.soc_memory(self.soc, bus, 4096))
        for place, value in enumerate((0, bus + 64, bus + 96, 4, 0, bus, 0, 0)):
            words[place] = value
        self.write(CHANNELS + 0x100 * channel + CONBLK, bus)
        self.write(CHANNELS + 0x100 * channel + CS, 1)


class Ring:
    """A ring of a machine, and what it has been asked for: the slots in which each line is high."""

    def __init__(self, machine, slots, channel=0, start=True):
        self.machine, self.slots, self.channel = machine, slots, channel
        self.slot_ns = machine.slot_ns
        self.high = {}
        if start:
            machine.ok("start", channel, slots)

    @property
    def turn_ns(self):
        return self.slots * self.slot_ns

    def find_slot_0(self, line=31):
        """By a pulse that is in it, which is taken away again."""
        self.machine.record()
        self.machine.ok("add", self.channel, line, 0, 1)
        self.machine.wait((self.slots + FILL) * self.slot_ns)
        self.see_slot_0(line)
        self.machine.ok("clear_line", self.channel, line)
        self.machine.wait(self.turn_ns)

    def see_slot_0(self, line):
        rises = [at for at, number, value in self.machine.edges() if number == line and value]
        self.zero = rises[-1] - 500

    def slot_of(self, at):
        slot, late_ns = divmod(at - self.zero, self.slot_ns)
        assert late_ns < 1000, f"an edge {late_ns} ns after its slot's beginning"
        return slot

    def add(self, line, start, width):
        self.machine.ok("add", self.channel, line, start, width)
        self.high.setdefault(line, set()).update(range(start, start + width))

    def add_all(self, pulses):
        for pulse in pulses:
            self.add(*pulse)

    def expected(self):
        """The edges of one turn, and the levels in each slot."""
        edges = []
        for line, slots in self.high.items():
            edges += [(slot, line, 1) for slot in slots if (slot - 1) % self.slots not in slots]
            ends = {(slot + 1) % self.slots for slot in slots}
            edges += [(slot, line, 0) for slot in ends - slots]
        return sorted(edges)

    def levels(self, slot):
        return sum(1 << line for line, slots in self.high.items() if slot % self.slots in slots)

    def check(self, turns=1, lines=0xFFFFFFFF):
        """From now on each edge is in its slot, and there is no other."""
        machine = self.machine
        machine.wait((self.zero + 999 - machine.now) % self.slot_ns)
        machine.record()
        machine.wait(turns * self.turn_ns)
        first, levels = machine.entries()[0]
        assert levels & lines == self.levels((first - self.zero) // self.slot_ns)
        seen = [
            (self.slot_of(at) % self.slots, line, value)
            for at, line, value in machine.edges()
            if lines >> line & 1
        ]
        assert sorted(seen) == sorted(self.expected() * turns)


def laid(pulses, start, width):
    """Pulses with one more over them, slot by slot: each rises, falls, or goes on; what is inside the new one goes."""
    events = {begin + size: 0 for begin, size in pulses} | {begin: 1 for begin, _ in pulses}
    for slot in range(start + 1, start + width):
        events.pop(slot, None)
    if width:
        events.setdefault(start + width, 0)
    events[start] = 1 if width else 0
    at = sorted(events)
    return {(slot, after - slot) for slot, after in pairwise(at) if events[slot]}


def runs(high, slots):
    """The (start, width) of what is high without a gap, around the end of the ring."""
    starts = [slot for slot in high if (slot - 1) % slots not in high]
    return {(start, next(n for n in count(1) if (start + n) % slots not in high)) for start in starts}


# More short ones than long ones, and now and then the 2000 slots of a servo.
RING_SLOTS = st.sampled_from((2, 3, 5, 20, *range(6, 200, 7), 2000)) | st.integers(2, 200)
SLOTS_US = st.sampled_from((10, 1, 2, 5, 100, 1000)) | st.integers(1, 1000)


# Four bytes a pulse, in one draw, as each draw takes longer than the whole case. Fewer and smaller bytes are fewer and
# simpler pulses, so that a set that fails shrinks to the pulses that it takes.
PULSES = (
    st.binary(min_size=4, max_size=24)
    | st.binary(min_size=24, max_size=48)
    | st.binary(min_size=200, max_size=200)
)


def pulses_of_bytes(drawn, slots):
    """Pulses that do not overlap: many begin or end together, touch, or are as narrow as can be."""
    pulses, taken = [], set()
    for number, where, fine, width in zip(*(drawn[n::4] for n in range(4)), strict=False):
        line = number % 32
        start = (where % 8 * slots // 8 + fine % 3 if where < 128 else where * 256 + fine) % slots
        end = min(start + (1 + width % 3 if width < 128 else 1 + width % 8 * slots // 8), slots)
        free = next((slot for slot in range(start, end) if (line, slot) in taken), end)
        if free > start:
            pulses.append((line, start, free - start))
            taken.update((line, slot) for slot in range(start, free))
    return pulses


def for_each(case, cases, **strategies):
    """Call case() with so many draws of these strategies, always the same ones; a draw that fails shrinks."""
    made = 0

    @seed(zlib.crc32(os.environ["PYTEST_CURRENT_TEST"].split(" ")[0].encode()))
    @settings(max_examples=cases, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(**strategies)
    def check(**drawn):
        nonlocal made
        made += 1
        case(**drawn)

    check()
    assert made >= cases


@pytest.fixture
def machine():
    """A machine with a pace, which has given everything back at the end and has broken no rule."""
    made = Machine(pace=PWM)
    yield made
    made.free()


@pytest.fixture(params=SOCS)
def compatible(request):
    return request.param


@pytest.fixture(params=PACES)
def pace(request):
    return PACES[request.param]


# -- rings are exact ------------------------------------------------------------------------------------

PULSE_SETS = int(os.environ.get("RPIO_PULSE_SETS", "500"))
"""For all of the four SoCs and the two paces; `make test-every` has 10,000."""


@pytest.mark.slow
def test_random_pulse_sets_are_exact_to_the_slot(compatible, pace):

    def case(slot_us, channel, slots, drawn):
        pulses = pulses_of_bytes(drawn, slots)
        note(f"pulses (line, start, width): {pulses}")
        machine = Machine(compatible, pace, slot_us)
        ring = Ring(machine, slots, channel)
        ring.find_slot_0()
        ring.add_all(pulses)
        machine.wait(ring.turn_ns)
        ring.check()
        assert_levels_as_asked(ring)
        machine.ok("stop", channel)
        assert machine.memory_in_use() == 0
        assert [machine.lib.soc_level(machine.soc, line) for line in range(32)] == [0] * 32
        machine.free()

    draws = {"slot_us": SLOTS_US, "channel": st.integers(0, 10), "slots": RING_SLOTS, "drawn": PULSES}
    for_each(case, PULSE_SETS // (len(SOCS) * len(PACES)), **draws)


def assert_levels_as_asked(ring):
    """In the slots around each edge, and at the ends of the ring."""
    edges = {0} | {slot for slot, _, _ in ring.expected()}
    for line, high in ring.high.items():
        for slot in edges | {(slot - 1) % ring.slots for slot in edges}:
            assert ring.machine.call("level", ring.channel, line, slot) == (slot in high)


@pytest.mark.parametrize("slot_us", [1, 10])
@pytest.mark.parametrize("slots", [2, 3, 20, 2000])
def test_the_narrowest_pulses_and_those_that_end_with_the_ring(machine, slots, slot_us):
    machine = Machine(pace=PWM, slot_us=slot_us)
    ring = Ring(machine, slots)
    ring.find_slot_0()
    ring.add_all([(0, 0, 1), (1, slots - 1, 1), (2, slots - 2, 2), (3, 0, slots), (4, 1, slots - 1)])
    if slots > 4:
        ring.add_all([(5, 2, 1), (5, 4, 1), (6, 1, 2), (7, 1, 1), (7, 2, 1), (8, slots - 1, 1), (8, 0, 1)])
    machine.wait(ring.turn_ns)
    ring.check(turns=3)
    machine.free()


def test_pulses_that_touch_become_one(machine):
    ring = Ring(machine, 20)
    ring.find_slot_0()
    ring.add_all([(5, 4, 2), (5, 8, 2), (5, 6, 2), (6, 18, 2), (6, 0, 3)])
    machine.wait(ring.turn_ns)
    assert ring.expected() == [(3, 6, 0), (4, 5, 1), (10, 5, 0), (18, 6, 1)]
    ring.check(turns=2)


def test_all_32_lines_change_in_the_same_slots(machine):
    ring = Ring(machine, 20)
    ring.find_slot_0()
    ring.add_all([(line, 5 + 5 * (line % 2), 5) for line in range(32)])
    machine.wait(ring.turn_ns)
    ring.check(turns=2)
    falls_and_rises = {at for at, _, _ in machine.edges()}
    assert len({at // machine.slot_ns for at in falls_and_rises}) == 6


def test_the_longest_ring(machine):
    ring = Ring(machine, 100_000)
    ring.find_slot_0()
    ring.add_all([(1, 99_999, 1), (2, 0, 50_000), (3, 50_000, 1)])
    machine.wait(ring.turn_ns)
    ring.check()


def test_the_first_pulse_is_as_wide_as_every_other(pace):
    machine = Machine(pace=pace)
    machine.ok("start", 0, 100)
    machine.ok("add", 0, 17, 5, 70)
    machine.wait(1_900_000)
    rise, fall = [at for at, _, _ in machine.edges()][:2]
    assert abs(fall - rise - 700_000) < 1000


def test_pcm_starts_by_its_rules(compatible):
    machine = Machine(compatible, PCM)
    machine.ok("start", 0, 20)
    assert machine.broken() == (0, "")


@pytest.mark.parametrize("slots_with_an_edge", [0, 1, 500])
def test_a_ring_of_2000_slots_with_few_edges_takes_34_pages(machine, slots_with_an_edge):
    ring = Ring(machine, 2000)
    for n in range(slots_with_an_edge // 2):
        ring.add(n % 32, 4 * n, 2)
    if slots_with_an_edge == 1:
        machine.ok("add", 0, 4, 0, 2000)
    info = machine.info()
    assert info.edge_slots == slots_with_an_edge
    assert 0 < info.pages <= 34


def test_a_ring_of_2000_slots_never_takes_more_than_52_pages(machine):
    ring = Ring(machine, 2000)
    ring.find_slot_0()
    ring.add_all([(n % 32, 2 * n, 1) for n in range(1000)])
    info = machine.info()
    assert (info.slots, info.edge_slots) == (2000, 2000)
    assert info.pages <= 52
    machine.wait(ring.turn_ns)
    ring.check()


def test_info_tells_what_there_is(machine):
    machine.ok("start", 3, 20)
    info = machine.info(3)
    assert (info.slots, info.lines, info.edge_slots, info.is_active, info.error) == (20, 0, 0, 1, 0)
    machine.ok("add", 3, 4, 0, 5)
    machine.ok("add", 3, 31, 5, 5)
    info = machine.info(3)
    assert (info.lines, info.edge_slots) == (1 << 31 | 1 << 4, 3)
    assert machine.memory_in_use() == sum(handle != 0 for handle in info.handles)
    machine.ok("clear", 3)
    assert machine.info(3).lines == 1 << 31 | 1 << 4


# -- a ring that runs is changed ------------------------------------------------------------------------


class Changes:
    """What each line has been asked for, and when; and whether each turn has had that, before or after."""

    def __init__(self, ring, rng):
        self.ring, self.rng, self.machine = ring, rng, ring.machine
        self.asked = {line: [(0, frozenset(), frozenset())] for line in range(32)}
        self.loose = {line: [] for line in range(32)}
        self.cleared_at, self.replaced_at = {}, {}

    def high(self, line):
        return self.asked[line][-1][1]

    def note(self, line, high, pulses=()):
        """From now on these slots are asked for, in these pulses: those that touch become one, sooner or later."""
        self.asked[line].append((self.machine.now, frozenset(high), frozenset(pulses)))

    def change(self, line):
        kind = self.rng.choice(("add", "add", "replace", "replace", "move", "clear_line", "clear"))
        has_rest = self.cleared_at.get(line, 0) + self.ring.turn_ns < self.machine.now
        if kind == "clear":
            if self.rng.random() < 0.2:
                self.clear()
        elif kind == "clear_line":
            if len(self.asked[line]) > 1:
                self.machine.ok("clear_line", self.ring.channel, line)
                self.note(line, ())
                self.cleared_at[line] = self.machine.now
        elif has_rest:
            getattr(self, kind)(line)

    def clear(self):
        self.machine.ok("clear", self.ring.channel)
        for line, history in self.asked.items():
            if len(history) > 1:
                self.note(line, ())
                self.cleared_at[line] = self.machine.now

    def add(self, line):
        begins = [begin for begin, _ in self.asked[line][-1][2]]
        start = self.rng.choice([self.rng.randrange(self.ring.slots), *begins[:1]])
        width = self.rng.randint(0, min(self.ring.slots - start, self.rng.choice((1, 2, 5, 1000))))
        if self.replaced_at.get(line, -self.ring.turn_ns) + self.ring.turn_ns > self.machine.now:
            return  # a pulse that was replaced may be on: the new one's end may end it
        old, pulses = self.high(line), laid(self.asked[line][-1][2], start, width)
        high = {slot for begin, size in pulses for slot in range(begin, begin + size)}
        self.machine.ok("add", self.ring.channel, line, start, width)
        self.note(line, high, pulses)
        if not width or old.intersection(range(start, start + width)):
            self.replaced_at[line] = self.machine.now
            self.loose[line].append((self.machine.now, self.machine.now + self.ring.turn_ns))
        if len(self.high(line)) == self.ring.slots:
            self.loose[line].append((self.machine.now, 1 << 62))

    def replace(self, line):
        """By one that begins with it."""
        found = runs(self.high(line), self.ring.slots)
        pulses = [(start, width) for start, width in found if start + width <= self.ring.slots]
        if len(found) != 1 or not pulses:
            return
        start, parts = pulses[0][0], len(self.asked[line][-1][2])
        self.to(line, start, self.rng.randint(1, min(self.ring.slots - start, self.ring.slots - 1)))
        if parts > 1:  # which may have been added in this turn, each for itself
            self.loose[line].append((self.machine.now, self.machine.now + self.ring.turn_ns))

    def move(self, line):
        start = self.rng.randrange(1, self.ring.slots)
        self.to(line, start, self.rng.randint(1, self.ring.slots - start))
        self.loose[line].append((self.machine.now, self.machine.now + self.ring.turn_ns))

    def to(self, line, start, width):
        self.machine.ok("replace", self.ring.channel, line, start, width)
        self.replaced_at[line] = self.machine.now
        self.note(line, range(start, start + width), {(start, width)})

    def in_effect(self, line, since, until):
        """What was asked for at any moment of that time."""
        history = self.asked[line]
        following = [at for at, *_ in history[1:]] + [1 << 62]
        return [
            asked
            for (at, *asked), end in zip(history, following, strict=True)
            if at <= until and end >= since
        ]

    def is_pulse_of(self, start, width, high, pulses):
        """Whether it begins and ends as pulses do, with no gap between."""
        slots = self.ring.slots
        return (
            start in {begin for begin, _ in pulses}
            and (start + width) % slots in {(begin + size) % slots for begin, size in pulses}
            and all((start + n) % slots in high for n in range(width))
        )

    def is_loose(self, line, since, until):
        return any(a <= until and b >= since for a, b in self.loose[line])

    def check(self, line):
        ring, slot_ns = self.ring, self.ring.slot_ns
        rise, seen = None, set()
        for at, number, value in self.machine.edges():
            if number != line:
                continue
            if value:
                rise = at
                seen.add(ring.slot_of(at))
                continue
            if rise is None or self.is_loose(line, rise - ring.turn_ns, at):
                continue
            pulse = (ring.slot_of(rise) % ring.slots, ring.slot_of(at) - ring.slot_of(rise))
            asked = self.in_effect(line, rise - ring.turn_ns, at)
            assert any(self.is_pulse_of(*pulse, *one) for one in asked), (line, pulse, asked)
        self.check_that_none_is_missing(line, seen, slot_ns)

    def check_that_none_is_missing(self, line, seen, slot_ns):
        ring = self.ring
        first = self.machine.entries()[0][0]
        for slot in range((first - ring.zero) // slot_ns + 1, (self.machine.now - ring.zero) // slot_ns - 1):
            at = ring.zero + slot * slot_ns
            asked = self.in_effect(line, at - ring.turn_ns, at + slot_ns)
            begins = all(
                slot % ring.slots in high and (slot - 1) % ring.slots not in high for high, _ in asked
            )
            if begins and not self.is_loose(line, at - 2 * ring.turn_ns, at + slot_ns):
                assert slot in seen, (line, slot % ring.slots)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_a_turn_has_the_old_pulse_or_the_new_one_whenever_it_is_changed(seed):
    for number in range(6 if not SANITIZE else 2):
        rng = random.Random(f"{seed} {number}")
        machine = Machine(rng.choice(SOCS), PWM, rng.choice((1, 10, 100)))
        ring = Ring(machine, rng.choice((3, 10, 20, 50)))
        ring.find_slot_0()
        machine.record()
        changes = Changes(ring, rng)
        lines = rng.sample(range(31), 3)
        for _ in range(60):
            machine.wait(rng.choice((0, 50, 1, 100, 1000, rng.random() * 3 * ring.turn_ns, ring.turn_ns)))
            changes.change(rng.choice(lines))
        machine.wait(ring.turn_ns + machine.slot_ns)
        for line in lines:
            changes.check(line)
        ring.high = {line: set(changes.high(line)) for line in lines}
        ring.check()
        machine.free()


@pytest.mark.parametrize("at_ns", range(0, 200_000, 3700))
@pytest.mark.parametrize(("old", "new"), [(3, 12), (12, 3), (1, 2), (2, 1), (15, 16), (16, 1)])
def test_a_pulse_that_is_replaced_by_one_with_the_same_start(machine, old, new, at_ns):
    ring = Ring(machine, 20)
    ring.find_slot_0()
    ring.add_all([(8, 4, 3), (8, 14, 2), (9, 4, old)])
    machine.wait(ring.turn_ns + at_ns)
    machine.record()
    begun = machine.now
    machine.ok("replace", 0, 9, 4, new)
    machine.wait(4 * ring.turn_ns)
    edges = [(ring.slot_of(at), value, at) for at, line, value in machine.edges() if line == 9]
    if edges[0][1] == 0:
        assert edges.pop(0)[0] % 20 in ((4 + old) % 20, (4 + new) % 20)
    widths = [fall[0] - rise[0] for rise, fall in zip(edges[::2], edges[1::2], strict=False)]
    assert {rise[0] % 20 for rise in edges[::2]} == {4}
    assert widths[0] in (old, new)
    assert set(widths[1:]) == {new}
    others = [(ring.slot_of(at) % 20, value) for at, line, value in machine.edges() if line == 8]
    assert len(others) == 16
    assert set(others) == {(4, 1), (7, 0), (14, 1), (16, 0)}
    assert machine.now - begun == 4 * ring.turn_ns


@pytest.mark.parametrize("at_ns", range(0, 200_000, 3700))
@pytest.mark.parametrize("call", [("clear_line", 0, 9), ("clear", 0), ("replace", 0, 9, 0, 0)])
def test_a_cleared_pulse_that_is_on_ends_at_its_end(machine, at_ns, call):
    ring = Ring(machine, 20)
    ring.find_slot_0()
    ring.add_all([(9, 4, 7), (9, 15, 5)])
    machine.wait(ring.turn_ns + at_ns)
    machine.record()
    was_high = machine.level(9)
    machine.ok(*call)
    machine.wait(ring.turn_ns)
    edges = [(ring.slot_of(at) % 20, value) for at, _, value in machine.edges()]
    assert edges[:1] in ([[(11, 0)], [(0, 0)]] if was_high else [[]])
    assert len(edges) <= 1
    machine.record()
    machine.wait(2 * ring.turn_ns)
    assert machine.entries()[0][1] == 0
    assert machine.edges() == []


def test_a_line_that_is_always_high_is_low_at_once_when_cleared(machine):
    ring = Ring(machine, 20)
    ring.find_slot_0()
    ring.add(9, 0, 20)
    machine.wait(3.3 * ring.turn_ns)
    machine.record()
    machine.ok("clear_line", 0, 9)
    machine.wait(ring.turn_ns)
    assert [value for _, _, value in machine.edges()] == [0]


def test_a_servo_that_sweeps_has_no_stale_edge(machine):
    """As set_servo() does it, 200 times: the widths of all turns are those asked for, in their order."""
    ring = Ring(machine, 2000)
    ring.find_slot_0()
    ring.add(18, 0, 150)
    rng, asked = random.Random(1), [150]
    machine.wait(ring.turn_ns)
    machine.record()
    for _ in range(200):
        asked.append(rng.randint(50, 250))
        machine.ok("replace", 0, 18, 0, asked[-1])
        machine.wait(rng.randint(1, 40_000_000))
    edges = machine.edges()
    edges = edges if edges[0][2] else edges[1:]
    place = 0
    for rise, fall in zip(edges[::2], edges[1::2], strict=False):
        place = asked.index(ring.slot_of(fall[0]) - ring.slot_of(rise[0]), place)
    assert place >= len(asked) - 4
    assert machine.info().edge_slots <= 2000


def while_time_passes(machine, ns, change):
    """Call change() again and again while another thread lets time pass: a call may be cut in two anywhere."""
    done = threading.Event()

    def pass_time():
        machine.wait(ns)
        done.set()

    thread = threading.Thread(target=pass_time)
    thread.start()
    calls = 0
    while not done.is_set():
        change()
        calls += 1
    thread.join()
    return calls


def pulses_of(ring, line):
    """The (start, width) of each pulse since record() that is complete."""
    edges = [(ring.slot_of(at), value) for at, number, value in ring.machine.edges() if number == line]
    assert all(a[1] != b[1] for a, b in pairwise(edges))
    edges = edges if edges and edges[0][1] else edges[1:]
    return [(rise[0], fall[0] - rise[0]) for rise, fall in zip(edges[::2], edges[1::2], strict=False)]


@pytest.mark.parametrize("widths", [(3, 12), (1, 2), (5, 6, 15, 1), (2, 16)])
@pytest.mark.slow
def test_a_call_that_is_overtaken_by_the_hardware_leaves_whole_pulses(machine, widths):
    ring = Ring(machine, 20)
    ring.find_slot_0()
    ring.add_all([(8, 4, 3), (8, 10, 1), (8, 16, 2), (9, 4, widths[0])])
    machine.wait(ring.turn_ns)
    machine.record()
    rng = random.Random(3)
    turns = 20_000
    calls = while_time_passes(
        machine, turns * ring.turn_ns, lambda: machine.ok("replace", 0, 9, 4, rng.choice(widths))
    )
    print(f"{calls} changes in {turns} turns")
    changed, steady = pulses_of(ring, 9), pulses_of(ring, 8)
    assert {start % 20 for start, _ in changed} == {4}
    assert {width for _, width in changed} <= set(widths)
    assert all(b[0] - a[0] == 20 for a, b in pairwise(changed))
    assert len(steady) in range(3 * turns - 2, 3 * turns + 3)
    assert {(start % 20, width) for start, width in steady} == {(4, 3), (10, 1), (16, 2)}


@pytest.mark.slow
def test_an_overtaken_add_or_clear_leaves_whole_pulses(machine):
    ring = Ring(machine, 20)
    ring.find_slot_0()
    ring.add_all([(8, 4, 3), (8, 10, 1), (8, 16, 2)])
    machine.wait(ring.turn_ns)
    machine.record()

    def change():
        machine.ok("add", 0, 9, 4, 7)
        machine.ok("clear_line", 0, 9)

    while_time_passes(machine, 20_000 * ring.turn_ns, change)
    assert {(start % 20, width) for start, width in pulses_of(ring, 9)} <= {(4, 7)}
    assert {(start % 20, width) for start, width in pulses_of(ring, 8)} == {(4, 3), (10, 1), (16, 2)}


@native("a call takes longer")
@pytest.mark.skipif(SANITIZE, reason="it is slower with sanitizers")
def test_a_change_of_a_large_ring_takes_less_than_100_us(machine):
    ring = Ring(machine, 2000)
    ring.add_all([(line, 20 * line, 7) for line in range(20)])
    calls = {"add": (0, 25, 1000, 150), "clear_line": (0, 25)}
    taken = {name: [] for name in calls}
    for _ in range(200):
        for name, args in calls.items():
            begun = time.perf_counter_ns()
            result = machine.call(name, *args)
            taken[name].append(time.perf_counter_ns() - begun)
            assert result == 0
            machine.wait(50_000)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    print(medians)
    assert max(medians.values()) < 100_000


# -- channels -------------------------------------------------------------------------------------------


def test_two_channels_at_the_same_time_are_both_exact(compatible, pace):
    machine = Machine(compatible, pace)
    rings = [Ring(machine, 20, channel=2), Ring(machine, 33, channel=5)]
    for ring, lines, marker in zip(rings, (0xFFFF, 0xFFFF0000), (4, 30), strict=True):
        ring.lines = lines
        ring.find_slot_0(marker)
    rings[0].add_all([(0, 0, 3), (5, 19, 1), (15, 3, 4)])
    rings[1].add_all([(16, 0, 1), (17, 1, 1), (31, 0, 33), (20, 5, 20)])
    machine.wait(2 * rings[1].turn_ns)
    for ring in rings:
        ring.check(turns=4, lines=ring.lines)
    machine.free()


@pytest.mark.parametrize("call", [("clear_line", 0, 9), ("clear", 0), ("replace", 0, 9, 0, 0)])
def test_a_line_that_was_cleared_is_left_alone_two_turns_later(machine, call):
    """So that another channel, or the program, may drive it."""
    ring = Ring(machine, 20)
    ring.add(9, 3, 5)
    machine.wait(5 * ring.turn_ns)
    machine.ok(*call)
    machine.wait(2 * ring.turn_ns)
    machine.lib.soc_write(machine.soc, 0x1C, 1 << 9)
    machine.wait(3 * ring.turn_ns)
    assert machine.level(9) == 1


def test_a_line_that_was_cleared_within_its_pulse_is_let_go_after_it(machine):
    ring = Ring(machine, 20)
    ring.find_slot_0()
    ring.add(9, 3, 5)
    machine.wait(ring.turn_ns)
    machine.wait((ring.zero + ring.slot_ns * 9 // 2 - machine.now) % ring.turn_ns)
    machine.ok("clear_line", 0, 9)
    assert machine.level(9) == 1
    assert machine.call("settle", 0, 0) == 4  # this slot, and three more
    assert machine.call("settle", 0, 1) == 4  # it stands still
    machine.wait(4 * ring.slot_ns)
    assert machine.level(9) == 0
    assert machine.call("settle", 0, 1) == 0
    machine.lib.soc_write(machine.soc, 0x1C, 1 << 9)
    machine.wait(3 * ring.turn_ns)
    assert machine.level(9) == 1
    assert machine.call("settle", 3, 0) == -errno.ENOENT


@pytest.mark.parametrize("late_slots", [0, 1, 2, 40, 41])
@pytest.mark.parametrize("width", [1, 2, 20, 38, 39])
def test_one_wait_is_enough_for_a_line_that_was_cleared(machine, width, late_slots):
    """Also where the wait takes longer, and ends in the next turn where the pulse would be on again."""
    for at_slot in range(0, 40, 3):
        ring = Ring(machine, 40)
        ring.add(9, 1, width)
        machine.wait(2 * ring.turn_ns + at_slot * ring.slot_ns)
        machine.ok("clear_line", 0, 9)
        left = machine.call("settle", 0, 0)
        assert left <= width + 1
        machine.wait((left + late_slots) * ring.slot_ns)
        assert machine.level(9) == 0
        assert machine.call("settle", 0, 1) == (left if left + late_slots == 40 else 0)
        machine.ok("stop", 0)


@pytest.mark.parametrize("at_slot", range(0, 40, 3))
def test_lines_that_were_cleared_do_not_wait_for_each_other(machine, at_slot):
    """Their pulses, taken together, go around the whole ring; each is over at its own end, before a turn is."""
    ring = Ring(machine, 40)
    ring.add_all([(9, 0, 30), (11, 20, 20), (11, 0, 10)])
    machine.wait(2 * ring.turn_ns + at_slot * ring.slot_ns)
    machine.ok("clear", 0)
    left = machine.call("settle", 0, 0)
    assert 0 < left <= 31
    machine.wait(left * ring.slot_ns)
    assert (machine.level(9), machine.level(11)) == (0, 0)
    assert machine.call("settle", 0, 1) == 0


@pytest.mark.parametrize("slots", [2, 3, 8, 40])
@pytest.mark.parametrize("at_slot", range(9))
def test_one_wait_is_enough_beside_a_line_that_was_high_all_the_time(machine, slots, at_slot):
    """Up to a pulse of width 0: it has one end, and where that is nobody has to know."""
    ring = Ring(machine, slots)
    ring.add_all([(9, 0, slots), (11, 1, 1)])
    machine.wait((FILL + at_slot) * ring.slot_ns)
    machine.ok("add", 0, 9, 0, 0)
    machine.ok("clear_line", 0, 11)
    left = machine.call("settle", 0, 0)
    assert left <= slots + 1
    machine.wait(left * ring.slot_ns)
    assert (machine.level(9), machine.level(11)) == (0, 0)
    assert machine.call("settle", 0, 1) == 0


def test_there_are_two_paces_so_a_third_channel_has_none(machine):
    assert machine.call("start", 0, 20) == 0
    assert machine.call("start", 1, 20) == 0
    assert machine.call("start", 2, 20) == -errno.EUSERS
    assert machine.play([(1, 0, 1)], channel=2) == -errno.EUSERS
    machine.ok("stop", 0)
    assert machine.call("start", 2, 20) == 0
    ring = Ring(machine, 20, channel=2, start=False)
    ring.find_slot_0()
    ring.add(7, 3, 5)
    machine.wait(ring.turn_ns)
    ring.check()


@pytest.mark.parametrize("number", [0, 5, 7, 10, 14])
def test_each_channel_works(number):
    machine = Machine(pace=PWM)
    ring = Ring(machine, 20, channel=number)
    ring.find_slot_0()
    ring.add(7, 3, 5)
    machine.wait(ring.turn_ns)
    ring.check()
    assert machine.call("is_active", number) == 1
    assert machine.call("is_active", (number + 1) % 15) == 0
    machine.free()


def test_stop_ends_at_once_and_low(machine):
    ring = Ring(machine, 20)
    ring.add(7, 0, 20)
    machine.wait(2 * ring.turn_ns)
    assert machine.level(7) == 1
    machine.ok("stop", 0)
    assert machine.level(7) == 0
    assert machine.memory_in_use() == 0
    assert machine.call("is_active", 0) == 0
    assert machine.call("stop", 0) == -errno.ENOENT


def test_free_stops_all_with_their_lines_low_and_the_paces():
    machine = Machine(pace=PWM)
    for channel, line in ((2, 7), (4, 8)):
        Ring(machine, 20, channel=channel).add(line, 0, 20)
    machine.wait(1_000_000)
    assert (machine.level(7), machine.level(8)) == (1, 1)
    machine.lib.rpio_dma_free(machine.dma)
    assert (machine.level(7), machine.level(8)) == (0, 0)
    assert [machine.register(CS, channel) & 1 for channel in (2, 4)] == [0, 0]
    assert machine.memory_in_use() == 0
    machine.wait(1_000_000)
    assert [machine.read(clock) & 0x90 for clock in (CM_PWM, CM_PCM)] == [0, 0]
    assert machine.read(PWM_CTL) & 1 == 0
    assert machine.read(PCM_CS) & 1 == 0


def test_free_of_nothing():
    core().lib.rpio_dma_free(core().ffi.NULL)


def test_what_another_one_has_left_running_is_reaped(machine):
    left = Machine.attach(machine)
    assert machine.lib.rpio_dma_set_pace(left, PWM, 10) == 0
    assert machine.lib.rpio_dma_start(left, 4, 2000) == 0
    assert machine.lib.rpio_dma_add(left, 4, 7, 0, 2000) == 0
    info = machine.ffi.new("struct rpio_dma_info *")
    assert machine.lib.rpio_dma_info(left, 4, info) == 0
    machine.wait(30_000_000)
    assert machine.level(7) == 1
    assert machine.call("is_active", 4) == 1
    assert machine.call("start", 4, 20) == -errno.EBUSY
    machine.ok("reap", 4, 1 << 7, info.handles)
    assert machine.call("is_active", 4) == 0
    assert machine.level(7) == 0
    assert machine.memory_in_use() == 0
    ring = Ring(machine, 20, channel=4)
    ring.find_slot_0()
    ring.add(7, 3, 5)
    machine.wait(ring.turn_ns)
    ring.check()


@pytest.mark.parametrize("which", [0, 1])
def test_a_channel_whose_memory_has_gone_is_not_active(which):
    machine = Machine(pace=PWM)
    ring = Ring(machine, 2000)
    ring.add_all([(n % 32, 2 * n, 1) for n in range(1000)])
    handle = machine.info().handles[which]
    if handle == 0:
        pytest.skip("it has one piece of memory")
    assert machine.property(0x3000E, handle) == 0
    assert machine.property(0x3000F, handle) == 0
    machine.wait(3 * ring.turn_ns)
    info = machine.info()
    assert info.is_active == 0
    assert info.error & 0b110
    machine.ok("stop", 0)
    machine.lib.rpio_dma_free(machine.dma)
    assert machine.memory_in_use() == 0


# -- what is written ------------------------------------------------------------------------------------

DIVIDER = {soc: 75 if soc == "brcm,bcm2711" else 50 for soc in SOCS}
"""Of PLLD, which has 750 MHz there and 500 MHz elsewhere, to 10 MHz."""


@pytest.mark.parametrize("slot_us", [1, 10, 1000])
def test_the_pace_of_pwm(compatible, slot_us):
    machine = Machine(compatible, PWM, slot_us)
    machine.ok("start", 0, 20)
    machine.wait(10_000)
    assert machine.read(CM_PWM) == 0x96  # source PLLD, ENAB, BUSY
    if slot_us < 1000:
        assert machine.read(CM_PWM + 4) == DIVIDER[compatible] << 12
    divider = machine.read(CM_PWM + 4) >> 12
    assert machine.read(PWM_RNG1) * divider == 10 * slot_us * DIVIDER[compatible]
    assert machine.read(PWM_DMAC) == 0x80000F0F
    assert machine.read(PWM_CTL) == 0x21
    machine.free()


@pytest.mark.parametrize("slot_us", [1, 10, 100])
def test_the_pace_of_pcm(compatible, slot_us):
    machine = Machine(compatible, PCM, slot_us)
    machine.ok("start", 0, 20)
    machine.wait(10_000)
    assert machine.read(CM_PCM) == 0x96
    assert machine.read(CM_PCM + 4) == DIVIDER[compatible] << 12
    assert machine.read(PCM_MODE) == (10 * slot_us - 1) << 10
    assert machine.read(PCM_TXC) == 1 << 30
    assert machine.read(PCM_DREQ) == 0x40004000
    assert machine.read(PCM_CS) & 0x207 == 0x205  # DMAEN, TXON, EN


def test_nothing_is_touched_before_something_starts(compatible, pace):
    machine = Machine(compatible)
    registers = (CM_PWM, CM_PWM + 4, CM_PCM, CM_PCM + 4, PWM_CTL, PWM_DMAC, PCM_CS, PCM_MODE)
    before = [machine.read(register) for register in registers]
    machine.ok("set_pace", pace, 10)
    assert [machine.read(register) for register in registers] == before
    machine.free()


def blocks_of(machine, channel):
    """The (TI, source word, destination, length) of each block of a ring, from where the channel is."""
    first = block = machine.register(CONBLK, channel)
    found = []
    while block != first or not found:
        words = words_at(machine, block)
        ti, source, destination, length, stride, following, *reserved = (words[n] for n in range(8))
        assert (stride, reserved) == (0, [0, 0])
        found.append((ti, words_at(machine, source)[0], destination, length))
        block = following
    return found


def words_at(machine, bus):
    page = machine.lib.soc_memory(machine.soc, bus & ~4095, 4096)
    assert page != machine.ffi.NULL
    return machine.ffi.cast("uint32_t *", page) + bus % 4096 // 4


def test_the_channel_and_its_blocks(compatible, pace):
    machine = Machine(compatible, pace)
    machine.ok("start", 4, 20)
    machine.ok("add", 4, 17, 3, 5)
    machine.wait(1_000_000)
    assert machine.register(CS, 4) & 0x30FF0001 == 0x10880001
    blocks = blocks_of(machine, 4)
    wait = 1 << 26 | 1 << 3  # NO_WIDE_BURSTS, WAIT_RESP
    paced = wait | 1 << 6 | (5 if pace == PWM else 2) << 16  # DEST_DREQ, PERMAP
    assert {length for _, _, _, length in blocks} == {4}
    assert [ti for ti, _, to, _ in blocks if to == FIFO[pace]] == [paced] * 20
    others = [(ti, word, to) for ti, word, to, _ in blocks if to != FIFO[pace]]
    assert {(ti, to) for ti, _, to in others} <= {(wait, GPSET0), (wait, GPCLR0)}
    assert {word for _, word, to in others if to == GPSET0} - {0} == {1 << 17}
    assert {word for _, word, to in others if to == GPCLR0} - {0} == {1 << 17}
    machine.ok("stop", 4)
    assert machine.register(CS, 4) & 1 == 0


# -- waves ----------------------------------------------------------------------------------------------


def check_wave(machine, steps, repeat):
    """What was recorded: from the first edge on each one in its slot. *repeat* turns have ended, or more."""
    wanted, levels, slot = [], 0, 0
    for up, down, slots in steps * repeat:
        new = levels & ~down | up
        wanted += [(slot, line, new >> line & 1) for line in range(32) if (levels ^ new) >> line & 1]
        levels, slot = new, slot + slots
    edges = machine.edges()[: len(wanted)]
    if not wanted:
        return
    # The grid of slots is that of the last edge; the first one may come later in its slot.
    zero = edges[-1][0] - 700 - wanted[-1][0] * machine.slot_ns
    seen = [((at - zero) // machine.slot_ns, line, value) for at, line, value in edges]
    assert sorted(seen) == sorted(wanted)


@st.composite
def wave_steps(draw):
    """That never set and clear a line at once. The last step has an edge, so that the grid can be seen."""
    masks = st.integers(0, 0xFFFFFFFF)
    some = st.tuples(
        masks, st.sampled_from((0xFFFFFFFF, 0xFF, 0)), masks, st.sampled_from((1, 2)) | st.integers(1, 300)
    )
    steps = [
        (lines & up & of, lines & ~(up & of), slots)
        for lines, of, up, slots in draw(st.lists(some, min_size=1, max_size=12))
    ]
    return steps if steps[-1][0] | steps[-1][1] else [*steps, (0, 1, 1)]


@pytest.mark.slow
def test_random_waves_are_exact_from_the_first_edge_on(compatible, pace):
    def case(slot_us, steps, repeat):
        machine = Machine(compatible, pace, slot_us)
        assert machine.play(steps, repeat, channel=3) == 0
        total = repeat * sum(slots for _, _, slots in steps)
        machine.wait((total + FILL) * machine.slot_ns)
        check_wave(machine, steps, repeat)
        assert machine.info(3).is_active == 0
        assert machine.info(3).slots == 0
        machine.free()

    slots_us, repeats = st.sampled_from((10, 20, 100, 1000)), st.sampled_from((1, 2, 7))
    for_each(case, 100, slot_us=slots_us, steps=wave_steps(), repeat=repeats)


@pytest.mark.parametrize(
    ("slot_us", "pace"),
    [
        *((slot_us, PWM) for slot_us in (3, 5, 7)),
        *((slot_us, PCM) for slot_us in (9, 10)),
        *((slot_us, PWM) for slot_us in (1, 2)),
        *((slot_us, PCM) for slot_us in (1, 2, 3, 5, 7, 8)),
    ],
)
def test_waves_with_short_slots_are_exact_as_well(pace, slot_us):
    machine = Machine(pace=pace, slot_us=slot_us)
    steps = [(1, 0, 1), (2, 1, 2), (0, 2, 7), (4, 0, 30), (0, 4, 1)]
    assert machine.play(steps, 3) == 0
    machine.wait(400 * machine.slot_ns)
    check_wave(machine, steps, 3)


@pytest.mark.parametrize("slots", [15_999, 16_000, 16_001, 16_383, 16_384, 40_000, 100_000])
def test_a_step_may_be_longer_than_a_block_can_be(machine, slots):
    steps = [(1, 0, slots), (2, 1, 3), (0, 2, 1)]
    assert machine.play(steps) == 0
    machine.wait((slots + FILL) * machine.slot_ns)
    check_wave(machine, steps, 1)
    assert machine.info().error == 0


def test_a_wave_for_ever_ends_with_stop_which_leaves_the_levels(machine):
    steps = [(0b01, 0b10, 3), (0b10, 0b01, 4)]
    assert machine.play(steps, 0) == 0
    machine.wait(70_000 * machine.slot_ns)
    check_wave(machine, steps, 9_990)
    assert machine.info().is_active == 1
    levels = [machine.level(line) for line in (0, 1)]
    assert sorted(levels) == [0, 1]
    machine.ok("stop", 0)
    assert [machine.level(line) for line in (0, 1)] == levels
    assert machine.memory_in_use() == 0


def test_a_wave_ends_after_its_last_step_and_its_levels_stay(machine):
    assert machine.play([(1, 0, 10), (2, 1, 50)]) == 0
    machine.wait(55 * machine.slot_ns)
    assert machine.info().is_active == 1
    machine.wait(8 * machine.slot_ns)
    assert (machine.info().is_active, machine.info().error) == (0, 0)
    machine.wait(1_000_000)
    machine.ok("stop", 0)
    assert (machine.level(0), machine.level(1)) == (0, 1)


def test_another_wave_follows_after_a_stop(pace):
    machine = Machine(pace=pace)
    for number in range(20):
        machine.wait(number * 777)
        machine.record()
        steps = [(1, 0, 1 + number), (2, 1, 2), (0, 3, 1)]
        assert machine.play(steps, 2) == 0
        machine.wait(200 * machine.slot_ns)
        check_wave(machine, steps, 2)
        machine.ok("stop", 0)
    machine.free()


# -- errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compatible", ["brcm,bcm2712", "raspberrypi,rp1-gpio", "", "brcm,bcm283"])
def test_a_soc_without_such_an_engine(compatible):
    lib, ffi = core().lib, core().ffi
    out = ffi.new("struct rpio_dma **")
    soc = ffi.gc(lib.soc_new_with_dma(b"brcm,bcm2837"), lib.soc_free)
    assert lib.rpio_dma_attach(out, compatible.encode(), soc) == -errno.ENODEV
    result = lib.rpio_dma_open(out, compatible.encode(), 0x3F000000, b"/dev/null", b"/dev/null")
    assert result == -errno.ENODEV


@pytest.mark.parametrize(
    ("compatible", "last"), [*((soc, 10 if soc == "brcm,bcm2711" else 14) for soc in SOCS)]
)
def test_the_last_channel(compatible, last):
    machine = Machine(compatible, PWM)
    assert machine.call("last_channel") == last
    assert machine.call("start", last, 20) == 0
    assert machine.call("start", last + 1, 20) == -errno.EINVAL
    assert machine.play([(1, 0, 1)], channel=last + 1) == -errno.EINVAL
    machine.free()


@pytest.mark.parametrize(("compatible", "last"), [("brcm,bcm2835-gpio", 14), ("brcm,bcm2711-gpio", 10)])
def test_the_gpio_node_says_which_soc_it_is(compatible, last):
    lib, ffi = core().lib, core().ffi
    soc = ffi.gc(lib.soc_new_with_dma(compatible.removesuffix("-gpio").encode()), lib.soc_free)
    out = ffi.new("struct rpio_dma **")
    assert lib.rpio_dma_attach(out, compatible.encode(), soc) == 0
    assert lib.rpio_dma_last_channel(out[0]) == last
    lib.rpio_dma_free(out[0])


def test_open_says_what_open_says(tmp_path):
    lib, ffi = core().lib, core().ffi
    out = ffi.new("struct rpio_dma **")
    nothing, memory = str(tmp_path / "nothing").encode(), tmp_path / "mem"
    memory.touch()
    assert lib.rpio_dma_open(out, b"brcm,bcm2837", 0x3F000000, nothing, b"/dev/null") == -errno.ENOENT
    result = lib.rpio_dma_open(out, b"brcm,bcm2837", 0x3F000000, str(memory).encode(), nothing)
    assert result == -errno.ENOENT


@pytest.mark.parametrize("args", [(PWM, 0), (PWM, 1001), (2, 10), (7, 10)])
def test_a_pace_that_is_none(args):
    machine = Machine()
    assert machine.call("set_pace", *args) == -errno.EINVAL
    assert machine.call("start", 0, 20) == -errno.EINVAL
    assert machine.memory_in_use() == 0
    machine.free()


def test_a_pace_that_is_set_already(machine):
    machine.ok("start", 0, 20)
    assert machine.call("set_pace", PWM, 10) == -errno.EALREADY
    for other in ((PWM, 11), (PCM, 10), (PCM, 11)):
        assert machine.call("set_pace", *other) == -errno.EBUSY
    assert machine.read(PWM_RNG1) == 100
    assert machine.info().is_active == 1


def test_without_a_pace_nothing_starts():
    machine = Machine()
    assert machine.call("start", 0, 20) == -errno.EINVAL
    assert machine.play([(1, 0, 1)]) == -errno.EINVAL
    machine.free()


def is_idle(machine):
    return machine.memory_in_use() == 0 and not any(machine.call("is_active", n) for n in range(15))


@pytest.mark.parametrize("args", [(15, 20), (16, 20), (1 << 31, 20), (0, 0), (0, 1), (0, 15_000_001)])
def test_a_ring_out_of_range(machine, args):
    assert machine.call("start", *args) == -errno.EINVAL
    assert is_idle(machine)


@pytest.mark.parametrize(
    ("steps", "repeat"),
    [
        ([(1, 0, 0)], 1),
        ([(1, 0, 1), (0, 1, 0)], 1),
        ([], 1),
        ([(1, 0, 1)], 100_001),
        ([(1, 0, 1)] * 3, 33_334),
        ([(1, 0, 1)] * 4, 1 << 31),
        ([(1, 0, 1)] * 100_001, 1),
        ([(1, 0, 1)] * 100_001, 0),
    ],
)
def test_a_wave_that_is_none(machine, steps, repeat):
    assert machine.play(steps, repeat) == -errno.EINVAL
    assert is_idle(machine)


def test_the_longest_wave(machine):
    assert machine.play([(1, 0, 1), (0, 1, 1)], 50_000) == 0
    machine.wait(100_100 * machine.slot_ns)
    assert len(machine.edges()) == 100_000
    assert machine.info().is_active == 0


def test_a_channel_that_was_started_here(machine):
    ring = Ring(machine, 20)
    ring.find_slot_0()
    ring.add(7, 3, 5)
    machine.wait(ring.turn_ns)
    assert machine.call("start", 0, 30) == -errno.EEXIST
    assert machine.play([(1, 0, 1)]) == -errno.EEXIST
    assert machine.info().slots == 20
    ring.check(turns=2)


def test_a_channel_that_works_for_somebody_else():
    machine = Machine(pace=PWM)
    machine.somebody_else_uses(6)
    assert machine.call("is_active", 6) == 1
    assert machine.call("start", 6, 20) == -errno.EBUSY
    assert machine.play([(1, 0, 1)], channel=6) == -errno.EBUSY
    assert machine.call("stop", 6) == -errno.ENOENT
    machine.wait(1000)
    assert machine.call("is_active", 6) == 1
    assert machine.memory_in_use() == 1
    machine.ok("start", 5, 20)
    machine.lib.rpio_dma_free(machine.dma)
    assert machine.register(CS, 6) & 1 == 1
    assert machine.broken() == (0, "")


@pytest.mark.parametrize("channel", [1, 14, 15, 99])
def test_a_channel_without_a_ring(machine, channel):
    info = machine.ffi.new("struct rpio_dma_info *")
    for call in (
        ("add", channel, 7, 0, 1),
        ("replace", channel, 7, 0, 1),
        ("clear_line", channel, 7),
        ("clear", channel),
        ("stop", channel),
        ("info", channel, info),
        ("level", channel, 7, 0),
    ):
        assert machine.call(*call) == -errno.ENOENT, call


def test_a_wave_is_no_ring(machine):
    assert machine.play([(1, 0, 100)], 0) == 0
    for call in (("add", 0, 7, 0, 1), ("replace", 0, 7, 0, 1), ("clear_line", 0, 7), ("level", 0, 7, 0)):
        assert machine.call(*call) == -errno.ENOENT, call


OUT_OF_RANGE = [
    (32, 0, 1),
    (7, 20, 1),
    (7, 19, 2),
    (7, 0, 21),
    (7, 1, 0xFFFFFFFF),
    (7, 0xFFFFFFFF, 1),
    (7, 0xFFFFFFFF, 2),
    (0xFFFFFFFF, 0, 1),
]


@pytest.mark.parametrize("pulse", [*OUT_OF_RANGE, (7, 20, 0)])
def test_a_pulse_out_of_range(machine, pulse):
    ring = Ring(machine, 20)
    ring.find_slot_0()
    assert machine.call("add", 0, *pulse) == -errno.EINVAL
    machine.wait(ring.turn_ns)
    ring.check()


@pytest.mark.parametrize("pulse", OUT_OF_RANGE)
def test_a_replacement_out_of_range(machine, pulse):
    ring = Ring(machine, 20)
    ring.find_slot_0()
    ring.add(7, 3, 5)
    assert machine.call("replace", 0, *pulse) == -errno.EINVAL
    machine.wait(ring.turn_ns)
    ring.check()


@pytest.mark.parametrize(
    ("pulse", "now"),
    [
        ((3, 5), {(3, 5), (15, 5)}),  # the same again
        ((3, 2), {(3, 2), (15, 5)}),  # the same start: shorter,
        ((3, 9), {(3, 9), (15, 5)}),  # longer,
        ((3, 12), {(3, 17)}),  # up to the next one,
        ((3, 14), {(3, 14)}),  # or into it
        ((3, 0), {(15, 5)}),  # width 0: off,
        ((5, 0), {(3, 2), (15, 5)}),  # or low from there on,
        ((10, 0), {(3, 5), (15, 5)}),  # or low already
        ((15, 0), {(3, 5)}),
        ((4, 1), {(3, 2), (15, 5)}),  # within one: its rest goes
        ((0, 4), {(0, 4), (15, 5)}),  # over its beginning: so it does not begin
        ((0, 3), {(0, 8), (15, 5)}),  # up to it: one pulse
        ((7, 5), {(3, 9), (15, 5)}),  # over its end
        ((14, 2), {(3, 5), (14, 2)}),
        ((0, 20), {(0, 20)}),
        ((0, 19), {(0, 19)}),
    ],
)
@pytest.mark.parametrize("at_slot", [1, 6, 10, 17])
def test_a_pulse_takes_the_place_of_what_it_is_laid_over(machine, pulse, now, at_slot):
    ring = Ring(machine, 20)
    ring.find_slot_0()
    ring.add_all([(7, 3, 5), (7, 15, 5)])
    machine.wait(2 * ring.turn_ns + at_slot * ring.slot_ns)
    machine.ok("add", 0, 7, *pulse)
    ring.high[7] = {slot for start, width in now for slot in range(start, start + width)}
    assert [machine.call("level", 0, 7, slot) for slot in range(20)] == [
        slot in ring.high[7] for slot in range(20)
    ]
    machine.wait(2 * ring.turn_ns)
    ring.check(turns=2)
    machine.call("settle", 0, 0)
    ring.check(turns=2)


@pytest.mark.parametrize(
    "then", [("add", 0, 7, 0, 0), ("add", 0, 7, 5, 0), ("add", 0, 7, 0, 9), ("replace", 0, 7, 4, 9)]
)
@pytest.mark.parametrize("at_slot", [0, 3, 4, 5, 8, 13, 19])
def test_a_line_that_was_high_all_the_time_is_let_go_once_it_is_cleared(machine, then, at_slot):
    ring = Ring(machine, 20)
    ring.add(7, 0, 20)
    machine.wait(2 * ring.turn_ns + at_slot * ring.slot_ns)
    machine.ok(*then)
    machine.ok("clear_line", 0, 7)
    machine.wait(machine.call("settle", 0, 0) * ring.slot_ns)
    assert machine.call("settle", 0, 1) == 0
    assert machine.level(7) == 0
    machine.lib.soc_write(machine.soc, 0x1C, 1 << 7)
    machine.wait(3 * ring.turn_ns)
    assert machine.level(7) == 1


def test_a_line_that_is_not_in_the_ring(machine):
    Ring(machine, 20).add(7, 3, 5)
    assert machine.call("clear_line", 0, 8) == -errno.ENOENT
    assert machine.call("clear_line", 0, 32) in (-errno.ENOENT, -errno.EINVAL)
    machine.ok("clear_line", 0, 7)
    machine.ok("clear_line", 0, 7)


def test_the_level_of_what_is_not_there(machine):
    ring = Ring(machine, 20)
    ring.add(7, 3, 5)
    assert machine.call("level", 0, 7, 20) == -errno.EINVAL
    assert machine.call("level", 0, 32, 0) == -errno.EINVAL
    assert [machine.call("level", 0, 7, slot) for slot in range(20)] == [int(3 <= n < 8) for n in range(20)]
    machine.ok("clear", 0)
    assert [machine.call("level", 0, 7, slot) for slot in range(20)] == [0] * 20


@pytest.mark.parametrize("what", ["ring", "wave"])
def test_a_mailbox_without_memory(machine, what):
    def start():
        return machine.call("start", 0, 2000) if what == "ring" else machine.play([(1, 0, 1)] * 200)

    for limit in (0, 4096):
        machine.lib.soc_mailbox_limit(machine.soc, limit)
        assert start() == -errno.ENOMEM
        assert is_idle(machine)
    machine.lib.soc_mailbox_limit(machine.soc, 1 << 20)
    assert start() == 0


@pytest.mark.parametrize("error", [errno.EPERM, errno.EINVAL, errno.ETIMEDOUT])
@pytest.mark.parametrize("what", ["ring", "wave"])
def test_a_mailbox_that_fails_at_any_call(what, error):
    """From that call on, so that what was allocated by then cannot be given back either."""
    for after in range(20):
        machine = Machine(pace=PWM)
        machine.lib.soc_mailbox_fail(machine.soc, error, after)
        result = machine.call("start", 0, 2000) if what == "ring" else machine.play([(1, 0, 1)], 0)
        machine.lib.soc_mailbox_fail(machine.soc, 0, 0)
        if result == 0:
            machine.free()
            break
        assert result in (-errno.ENOMEM, -error)
        assert machine.call("stop", 0) == -errno.ENOENT
        assert not any(machine.call("is_active", channel) for channel in range(15))
        assert machine.memory_in_use() <= (after > 0)
        assert machine.call("start", 0, 20) == 0
    assert after > 0


def test_a_mailbox_that_fails_between_stops_nothing_that_runs(machine):
    """An -ENOMEM of add() leaves the ring as it was."""
    ring = Ring(machine, 2000)
    ring.find_slot_0()
    machine.lib.soc_mailbox_limit(machine.soc, 0)
    refused = 0
    for n in range(1000):
        result = machine.call("add", 0, n % 32, 2 * n, 1)
        assert result in (0, -errno.ENOMEM)
        if result == 0:
            ring.high.setdefault(n % 32, set()).add(2 * n)
        refused += result < 0
    print(f"{refused} refused, {machine.info().pages} pages")
    machine.wait(ring.turn_ns)
    ring.check()


def test_a_mailbox_that_fails_does_not_keep_a_channel_running():
    machine = Machine(pace=PWM)
    ring = Ring(machine, 20)
    ring.add(7, 0, 20)
    machine.wait(ring.turn_ns)
    machine.lib.soc_mailbox_fail(machine.soc, errno.EPERM, 0)
    machine.call("stop", 0)
    assert machine.call("is_active", 0) == 0
    assert machine.level(7) == 0
    machine.wait(10 * ring.turn_ns)
    assert machine.broken() == (0, "")


@pytest.mark.parametrize("channel", [15, 99])
def test_reap_of_no_channel(machine, channel):
    handles = machine.ffi.new("uint32_t[2]")
    assert machine.call("reap", channel, 0, handles) == -errno.EINVAL


# -- the order of stores --------------------------------------------------------------------------------


@pytest.fixture
def at_barriers(machine):
    """A function that has another one called between two stores of the core."""
    kept = []

    def call(action):
        kept.append(machine.ffi.callback("void()", action))
        machine.lib.soc_on_barrier(kept[-1])

    yield call
    machine.lib.soc_on_barrier(machine.ffi.NULL)


@pytest.mark.parametrize("how", ["add", "replace"])
@pytest.mark.parametrize("before", [[], [(5, 10)], [(0, 3), (40, 5)]])
def test_the_engine_sees_whole_pulses_between_any_two_stores(machine, at_barriers, how, before):
    """It turns twice between them. A beginning without its end would be a line that stays high."""
    ring = Ring(machine, 50)
    ring.find_slot_0()
    for start, width in before:
        machine.ok("add", 0, 7, start, width)

    def turn():
        machine.lib.soc_on_barrier(machine.ffi.NULL)  # its own waiting has barriers as well
        machine.record()
        machine.wait(2 * ring.turn_ns)
        rise = None
        for at, line, value in machine.edges():
            if line == 7 and value:
                rise = at
            elif line == 7 and rise is not None:
                widths.append(round((at - rise) / machine.slot_ns))
        levels = {levels >> 7 & 1 for _, levels in machine.entries()}
        stuck.append(levels == {1})
        at_barriers(turn)

    longest = {width for _, width in before} | {12}
    widths, stuck = [], []
    at_barriers(turn)
    machine.ok(how, 0, 7, 20, 12)
    machine.lib.soc_on_barrier(machine.ffi.NULL)
    assert stuck
    assert not any(stuck)
    assert set(widths) <= longest


# -- the guardian ---------------------------------------------------------------------------------------


def has_ended(pidfd, timeout_s):
    """Wait for the end of a process and return how long that took, or None."""
    begun = time.monotonic()
    ready, _, _ = select.select([pidfd], [], [], timeout_s)
    return time.monotonic() - begun if ready else None


def start_guardian(machine, state, lock_fd=-1):
    pid = machine.ffi.new("int *")
    fd = machine.lib.rpio_guard_start(machine.dma, str(state).encode(), lock_fd, pid)
    assert fd >= 0
    return fd, pid[0]


@pytest.fixture
def state(tmp_path):
    path = tmp_path / "state"
    path.write_text("what runs")
    return path


def test_the_guardian_is_no_child_of_ours(machine, state):
    fd, pid = start_guardian(machine, state)
    assert pid != os.getpid()
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert not os.get_inheritable(fd)
    pidfd = os.pidfd_open(pid)
    assert has_ended(pidfd, 0.05) is None
    assert state.exists()
    os.close(fd)
    assert has_ended(pidfd, LIMIT_S) is not None
    os.close(pidfd)


@pytest.mark.parametrize("is_running", [False, True])
def test_the_guardian_ends_when_its_descriptor_is_closed(machine, state, is_running):
    """In 100 ms; a busy machine may miss that, but not three times."""
    if is_running:
        Ring(machine, 2000).add(7, 0, 1000)

    def seconds_until_it_ends():
        fd, pid = start_guardian(machine, state)
        pidfd = os.pidfd_open(pid)
        os.close(fd)
        taken = has_ended(pidfd, LIMIT_S)
        os.close(pidfd)
        assert taken is not None
        assert not state.exists()
        return taken

    assert any(seconds_until_it_ends() < 0.1 for _ in range(3))


def test_the_guardian_keeps_nothing_that_is_the_programs(machine, state, tmp_path):
    """Who waits for the end of a pipe, or for a port, would wait for the guardian."""
    ours = [*os.pipe(), os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT), os.dup(1)]
    os.set_inheritable(ours[0], True)
    with socket.socket() as ours_too:
        ours.append(ours_too.fileno())
        files = {os.readlink(f"/proc/self/fd/{fd}") for fd in [0, 1, 2, *ours]}
        fd, pid = start_guardian(machine, state)

        def kept():
            folder = Path(f"/proc/{pid}/fd")
            return {os.readlink(entry) for entry in folder.iterdir()}

        assert wait_until(lambda: not kept() & files)
        life = os.readlink(f"/proc/self/fd/{fd}")
        assert all(file == life or "pidfd" in file for file in kept())
        pidfd = os.pidfd_open(pid)
        os.close(fd)
        assert has_ended(pidfd, LIMIT_S) is not None
    for number in (pidfd, *ours[:-1]):
        os.close(number)


def test_a_lock_is_held_until_the_guardian_is_done(machine, state, tmp_path):
    ours, other = (os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT) for _ in range(2))
    fcntl.flock(ours, fcntl.LOCK_EX)
    fd, pid = start_guardian(machine, state, ours)
    os.close(ours)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    pidfd = os.pidfd_open(pid)
    os.close(fd)
    assert has_ended(pidfd, LIMIT_S) is not None
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not state.exists()
    os.close(other)
    os.close(pidfd)


PROGRAM = """
import os, signal, sys
from c.test_dma_rings import PWM, Machine, Ring, start_guardian
machine = Machine(pace=PWM)
Ring(machine, 2000).add(7, 0, 1000)
fd, guardian = start_guardian(machine, sys.argv[1])
child = os.fork()
if child:
    print(guardian, child, flush=True)
signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.slow
def test_the_guardian_ends_with_its_process_although_a_child_lives_on(state, number):
    """The child has all descriptors of the process that is killed."""
    tests = Path(__file__).parents[1]
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(state)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tests)},
    )
    guardian, child = map(int, program.stdout.readline().split())
    pidfd = os.pidfd_open(guardian)
    try:
        assert has_ended(pidfd, 0.05) is None
        program.send_signal(number)
        taken = has_ended(pidfd, LIMIT_S)
        print(f"it took {taken} s")
        os.kill(child, 0)
        assert taken is not None
        assert not state.exists()
    finally:
        os.kill(child, signal.SIGKILL)
        program.kill()
        program.communicate()
        os.close(pidfd)
