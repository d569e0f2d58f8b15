# SPDX-License-Identifier: LGPL-3.0-or-later
"""Whatever a program and two sessions do in whatever order, no rule of a line is ever broken, and what is refused
changes nothing.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import RPIO
from remote_parts import World, error
from RPIO import constants, errors
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.board.board import Board
from RPIO.machine.boards import by_name

UP, DOWN, HEATER, SENSOR, VALVE, FREE = 17, 27, 22, 4, 5, 6
LINES = (UP, DOWN, HEATER, SENSOR, VALVE, FREE)
LONGEST_S, CHANGES = 2, 4
S = 1_000_000_000

lines, levels = st.sampled_from(LINES), st.sampled_from([0, 1])
REFUSED = {"RuleError", "InterlockError", "RateError", "ReadOnlyError", "LineBusyError"}
PERIODS_NS = st.sampled_from([S // 20, S // 3, S])


@st.composite
def requests(draw):
    """What a session may ask that drives lines."""
    line, level, ms = draw(lines), draw(levels), draw(st.sampled_from([1, 300, 3000]))
    period_ns = draw(PERIODS_NS)
    pairs = draw(st.lists(st.tuples(lines, levels), min_size=1, max_size=4))
    kind = draw(st.sampled_from(KINDS))
    if kind == "write":
        return "write " + " ".join(f"{pair[0]} {pair[1]}" for pair in pairs)
    if kind == "mask":
        high = sum({1 << pair[0] for pair in pairs if pair[1]})
        return f"mask {high} {sum({1 << pair[0] for pair in pairs}) & ~high}"
    if kind == "play":
        at_ns = sorted(draw(st.integers(0, period_ns - 1)) for _ in pairs)
        edges = " ".join(f"{at} {pair[0]} {pair[1]}" for at, pair in zip(at_ns, pairs, strict=True))
        return f"play {period_ns} {draw(st.sampled_from([0, 1, 2]))} -1 {edges}"
    return {
        "output": f"output {line} {level}",
        "output as it was": f"output {line}",
        "input": f"input {line}",
        "pwm": f"pwm {line} {period_ns} {period_ns * draw(st.sampled_from([0, 1, 3])) // 3}",
        "change_pwm": f"change_pwm {line} {period_ns} {period_ns // 2}",
        "end_pwm": f"end_pwm {line}",
        "pulse": f"pulse {line} {ms} {level}",
        "blink": f"blink {line} {ms} {draw(st.sampled_from([0, 1, 5]))}",
        "release": f"release {line}",
        "limit": f"limit {line} {period_ns} {level}",
        "function": f"set_function {line} {draw(st.sampled_from(['in', 'out']))}",
    }[kind]


KINDS = (
    *(
        "output",
        "output as it was",
        "input",
        "write",
        "mask",
        "pwm",
        "change_pwm",
        "end_pwm",
        "play",
        "pulse",
    ),
    *("blink", "release", "limit", "function"),
)


class Cabinet(RuleBasedStateMachine):
    """Two contactors that exclude each other, a heater, a sensor, and a valve that is switched rarely."""

    def __init__(self):
        super().__init__()
        self.sim = SimBackend(by_name("4B"), ManualClock())
        self.board = Board()
        self.board.use(self.sim, self.sim.hardware)
        self.board.setwarnings(False)
        self.board.interlock([UP, DOWN])
        self.board.protect(HEATER, longest_on_s=LONGEST_S)
        self.board.protect(SENSOR, read_only=True)
        self.board.protect(VALVE, changes_per_s=CHANGES, safe="low")
        self.broken = []
        self.heated_since = None
        self.valve_on = []
        self.was = dict.fromkeys(LINES, 0)
        self.sim.observer = self.look
        self.world = World(self.board, self.sim)
        self.peers = [self.world.come(f"session {number}", linger_s=3) for number in range(2)]

    def driven(self, line):
        return int(self.sim.function(line) == constants.OUT and self.sim._lines[line].latch)

    def look(self, line, level, now_ns):
        """What is driven, at each change of a level, and after each call."""
        now = {line: self.driven(line) for line in LINES}
        if now[UP] and now[DOWN]:
            self.broken.append("both contactors are on")
        if now[VALVE] and not self.was[VALVE]:
            self.valve_on = [at_ns for at_ns in self.valve_on if now_ns - at_ns < S] + [now_ns]
            if len(self.valve_on) > CHANGES:
                self.broken.append(f"the valve was switched on at {self.valve_on}")
        if now[HEATER] and not self.was[HEATER]:
            self.heated_since = now_ns
        if not now[HEATER]:
            self.heated_since = None
        self.was = now

    def state(self):
        pulses = self.board.made_pulses
        if pulses is not None and pulses.has_makers:
            pulses.player.collect()  # waves that have ended
        return [
            (self.sim.function(line), self.driven(line), pulses is not None and pulses.has_pulses(line))
            for line in LINES
        ]

    def do(self, change):
        before = self.state()
        try:
            change()
        except errors.RuleError:
            assert self.state() == before
        except errors.GPIOError:
            pass

    @rule(some=st.lists(lines, min_size=1, max_size=3), initial=st.sampled_from([-1, 0, 1]))
    def setup_out(self, some, initial):
        self.do(lambda: self.board.setup(some, RPIO.OUT, initial=initial))

    @rule(line=lines)
    def setup_in(self, line):
        self.do(lambda: self.board.setup(line, RPIO.IN))

    @rule(some=st.lists(st.tuples(lines, levels), min_size=1, max_size=4))
    def output(self, some):
        self.do(lambda: self.board.output([line for line, _ in some], [level for _, level in some]))

    @rule(line=lines, level=levels)
    def force(self, line, level):
        self.do(lambda: self.board.forceoutput(line, level))

    @rule(line=lines, frequency_hz=st.sampled_from([1, 3, 20]), percent=st.sampled_from([0, 30, 100]))
    def pwm(self, line, frequency_hz, percent):
        period_ns = S // frequency_hz
        drives = self.board.pulses.drives
        self.do(lambda: drives.start(line, self, None, period_ns, period_ns * percent // 100))

    @rule(line=lines)
    def stop(self, line):
        self.do(lambda: self.board.pulses.drives.end(line, self))

    @rule(
        steps=st.lists(st.tuples(lines, levels, st.sampled_from([0, 1000, 300_000])), min_size=1, max_size=5),
        repeat=st.sampled_from([1, 2, None]),
    )
    def wave(self, steps, repeat):
        steps = [*steps[:-1], (*steps[-1][:2], 20_000)]  # no turn is so short that the test takes long
        self.do(lambda: self.board.wave(steps, repeat))

    @rule(line=st.sampled_from([*LINES, None]))
    def cleanup(self, line):
        self.do(lambda: self.board.cleanup() if line is None else self.board.cleanup(line))

    @rule(who=st.sampled_from([0, 1]), text=requests())
    def ask(self, who, text):
        before = self.state()
        if error(self.peers[who].ask(text)) in REFUSED:
            assert self.state() == before, text

    @rule(who=st.sampled_from([0, 1]), comes_back=st.booleans())
    def lose(self, who, comes_back):
        peer = self.peers[who]
        peer.talk.end()
        session = peer.name if comes_back else ""
        self.peers[who] = self.world.come(f"session {who}", linger_s=3, session=session)

    @rule(ms=st.sampled_from([1, 100, 700, 2500]))
    def time_passes(self, ms):
        self.sim.clock.advance(ms * 1_000_000)
        self.world.wait(ms / 1000)

    @invariant()
    def no_rule_is_broken(self):
        self.look(None, None, self.sim.clock.now_ns())  # a line that floats keeps its level
        assert not self.broken
        assert self.sim.function(SENSOR) == constants.IN
        if self.heated_since is not None:
            assert self.sim.clock.now_ns() - self.heated_since <= LONGEST_S * S

    def teardown(self):
        self.board.close()


Cabinet.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestCabinet = Cabinet.TestCase


def test_a_heater_that_somebody_has_given_back_as_it_was_is_limited_all_the_same():
    """Whoever switches it on then: nobody has set it up, and it drives its pin."""
    for switch_on in (
        lambda cabinet: cabinet.peers[0].ask(f"write {HEATER} 1"),
        lambda cabinet: cabinet.peers[0].ask(f"mask {1 << HEATER} 0"),
        lambda cabinet: cabinet.board.forceoutput(HEATER, 1),
    ):
        cabinet = Cabinet()
        assert cabinet.peers[1].ask(f"output {HEATER} 0") == cabinet.peers[1].ask(f"release {HEATER}") == "ok"
        switch_on(cabinet)
        assert cabinet.sim.read(HEATER) == 1
        cabinet.time_passes(ms=2500)
        assert cabinet.sim.read(HEATER) == 0
        cabinet.teardown()
