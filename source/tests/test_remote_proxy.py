# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO.connect() over a bad network: every call is answered once or fails once, and no edge is lost in silence."""

import contextlib
import random
import threading
import time

import pytest

import RPIO
from remote_parts import OVER_TLS, serving
from remote_proxy import proxied
from support import pump
from waiting import LIMIT_S, wait_until

pytestmark = pytest.mark.filterwarnings("ignore:This channel is already in use")
"""An output that was left by a session is that of nobody, and may be another program's."""

CUTS_AFTER = [40, 2000, 12_000] if OVER_TLS else [40, 400, 2000]
"""Bytes. One of them has to be more than a handshake, or nobody comes back."""
COUNTING = """
import threading
for line in range(16, 20):  # what is driven at 16 to 19 is counted at 20 to 23
    RPIO.sim.wire(line, line + 4)
counts = dict.fromkeys(range(20, 24), 0)
def count(line, level):
    counts[line] += 1
for line in counts:
    RPIO.add_interrupt_callback(line, count, edge="rising")
RPIO.protect(12, safe="low")
def obey():
    for command in sys.stdin:
        word, *numbers = command.split()
        numbers = [int(number) for number in numbers]
        if word == "count":
            say("counts", *[counts[line] + RPIO.events_lost(line) for line in counts], "at", *numbers)
        elif word == "play":
            line, first, number = numbers
            for n in range(first, first + number):
                RPIO.sim.drive(line, (n + 1) % 2)
                if n % 100 == 0:
                    time.sleep(0.001)
            say("played", line, first)
import time
threading.Thread(target=obey, daemon=True).start()
"""


@pytest.fixture(scope="module")
def server():
    with serving(COUNTING) as made:
        yield made


class Counts:
    """How often each line has gone high, as the server has seen it, since the beginning of a test."""

    asked = 0

    def __init__(self, server):
        self._server = server
        self._before = self._ask()

    def _ask(self):
        Counts.asked += 1
        self._server.tell(f"count {Counts.asked}")
        found = self._server.says(rf"^counts (\d+) (\d+) (\d+) (\d+) at {Counts.asked}$")
        return [int(number) for number in found.groups()]

    def now(self):
        return [now - before for now, before in zip(self._ask(), self._before, strict=True)]

    def become(self, wanted):
        """Whether these are the counts in the end; what is counted is a moment behind what was done."""
        assert wait_until(lambda: self.now() >= wanted), (self.now(), wanted)
        return self.now() == wanted


@contextlib.contextmanager
def connected(proxy, **settings):
    """A Board at the other end of a proxy; ``states`` has what on_change was told."""
    states = []
    given = {"linger_s": 60, "timeout_s": LIMIT_S, "on_change": states.append, **settings}
    board = RPIO.connect(f"127.0.0.1:{proxy.port}", **given)
    board.states = states
    try:
        yield board
    finally:
        proxy.is_away = False
        with contextlib.suppress(RPIO.ConnectionLost):
            board.cleanup()
        board.close()


def one_pulse(board, line):
    """What must not be done twice."""
    board.wave([(line, 1, 10), (line, 0, 10)]).wait(LIMIT_S)


@pytest.mark.parametrize(
    "ways",
    [["split"], ["merge"], ["throttle"], ["stall", "shred"], ["delay", "shred"], ["split", "merge", "stall"]],
)
def test_all_is_as_on_a_good_network(server, ways):
    counts = Counts(server)
    with proxied(server.port, ways) as proxy, connected(proxy) as board:
        board.setup(16, RPIO.OUT, initial=0)
        for n in range(8):
            board.output(16, n % 2)
            assert board.input(16) == n % 2
        board.output(16, 0)
        one_pulse(board, 16)
        with pytest.raises(RPIO.LineBusyError, match="this program"):
            board.setup(20, RPIO.OUT)
        assert counts.become([5, 0, 0, 0])
        assert board.states == []


@pytest.mark.parametrize(("threads", "seed"), [(1, 1), (1, 2), (3, 3)])
def test_cut_at_any_byte_every_call_is_done_once(server, threads, seed):
    """In time for the session nothing fails, whatever was on its way. It goes on until there have been some cuts."""
    counts, chance, failed, rounds = Counts(server), random.Random(seed), [], dict.fromkeys(range(16, 20), 0)
    with proxied(server.port, ["shred"], seed) as proxy, connected(proxy) as board:
        lines = range(16, 16 + threads)
        for line in lines:
            board.setup(line, RPIO.OUT, initial=0)

        def work(line):
            try:
                while rounds[line] < 40 or proxy.cuts < 3:
                    n = rounds[line] = rounds[line] + 1
                    one_pulse(board, line)
                    board.output(line, 1)
                    assert board.input(line) == 1, n
                    board.output(line, 0)
                    assert board.input(line) == 0, n
            except BaseException as e:
                failed.append(e)

        workers = [threading.Thread(target=work, args=(line,)) for line in lines]
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            proxy.cut_after(chance.choice(CUTS_AFTER) + chance.randrange(400))
            cuts = proxy.cuts
            wait_until(
                lambda cuts=cuts: proxy.cuts > cuts or not any(worker.is_alive() for worker in workers)
            )
            workers[0].join(0.03)
        proxy.cut_after(None)
        assert failed == []
        assert counts.become([2 * count for count in rounds.values()])
        assert min(rounds[line] for line in lines) >= 40
        assert wait_until(lambda: board.states[-1] == "back")
        assert board.states == ["away", "back"] * (len(board.states) // 2)
        with server.connect() as other:  # they are the same lines
            assert [other.ask(f"write {line} 1").split()[1] for line in lines] == ["LineBusyError"] * threads


@pytest.mark.parametrize("seed", [1, 2])
def test_edges_heard_and_lost_are_those_that_there_were(server, seed):
    heard, number, chance = [], 1500, random.Random(seed)
    with proxied(server.port, ["shred"], seed) as proxy, connected(proxy) as board:
        board.add_interrupt_callback(24, lambda line, level: heard.append(level), pull_up_down=RPIO.PUD_DOWN)
        server.tell(f"play 24 {seed * number} {number}")

        def is_played():
            proxy.cut_after(proxy._left or chance.randrange(20, 5000))
            return f"played 24 {seed * number}\n" in server.look()

        assert pump(board, is_played)
        proxy.cut_after(None)
        wait_until(lambda: not board.states or board.states[-1] == "back")
        before = board.states.count("back")
        proxy.cut()
        assert pump(board, lambda: board.states.count("back") > before)
        server.tell(f"play 24 {(seed + 1) * number} 2")  # by which the board sees what the last loss was
        all_ = number + 2
        assert pump(board, lambda: len(heard) + board.events_lost(24) >= all_), (
            len(heard),
            board.events_lost(24),
        )
        pump(board, lambda: False, 0.1)
        assert len(heard) + board.events_lost(24) == all_


@pytest.mark.slow
def test_without_cuts_no_edge_is_lost_or_late_at_all(server):
    heard, number = [], 200
    with proxied(server.port, ["shred", "stall"]) as proxy, connected(proxy) as board:
        board.add_interrupt_callback(24, lambda line, level: heard.append(level), pull_up_down=RPIO.PUD_DOWN)
        server.tell(f"play 24 100000 {number}")
        assert pump(board, lambda: len(heard) + board.events_lost(24) == number)
        if not board.events_lost(24):
            assert heard == [1, 0] * (number // 2)


def test_away_for_too_long_outputs_are_given_back_and_inputs_go_on(server):
    heard = []
    with proxied(server.port) as proxy, connected(proxy, linger_s=0.2) as board, server.connect() as other:
        board.setup([12, 13], RPIO.OUT, initial=1)
        board.add_interrupt_callback(25, lambda line, level: heard.append(level), pull_up_down=RPIO.PUD_UP)
        server.tell("play 25 1 1")
        assert pump(board, lambda: heard == [0])
        proxy.is_away = True
        proxy.cut()
        assert wait_until(lambda: other.ask("consumer 12") == 'ok "" left')
        assert other.levels(12, 13) == [0, 1]  # as it was declared, and as it was
        proxy.is_away = False
        assert wait_until(lambda: board.states[-1:] == ["new"])
        assert board.states == ["away", "new"]
        for change in (lambda: board.output(12, 1), lambda: board.input(13), lambda: board.output([13], [0])):
            with pytest.raises(RPIO.ConnectionLost) as caught:
                change()
            assert caught.value.applied is False
        assert other.levels(12, 13) == [0, 1]
        server.tell("play 25 2 3")
        assert pump(board, lambda: heard[1:] == [1, 0, 1]), heard
        board.setup(12, RPIO.OUT, initial=1)
        board.output(12, 0)
        board.output(12, 1)
        assert other.levels(12) == [1]
        assert other.ask("write 12 0").split()[1] == "LineBusyError"
        with pytest.raises(RPIO.ConnectionLost):
            board.output(13, 1)


def test_a_call_that_waits_meanwhile_is_told_that_the_lines_are_gone(server):
    with proxied(server.port) as proxy, connected(proxy, linger_s=0.2) as board, server.connect() as other:
        board.setup(13, RPIO.OUT, initial=0)
        proxy.is_away = True
        proxy.cut()
        found = []

        def call():
            try:
                board.output(13, 1)
            except RPIO.ConnectionLost as e:
                found.append(e)

        waiting = threading.Thread(target=call)
        waiting.start()
        assert wait_until(lambda: other.ask("consumer 13") == 'ok "" left')
        proxy.is_away = False
        waiting.join(LIMIT_S)
        assert [type(e) for e in found] == [RPIO.ConnectionLost]
        assert other.levels(13) == [0]


def test_who_never_comes_back_is_gone_and_calls_fail_at_once(server):
    with proxied(server.port) as proxy, connected(proxy, patience_s=0.2) as board:
        board.setup(8, RPIO.OUT, initial=0)
        proxy.is_away = True
        proxy.cut()
        assert wait_until(lambda: board.states == ["away", "gone"])
        start = time.monotonic()
        for call in (
            lambda: board.output(8, 1),
            lambda: board.forceinput(5),
            lambda: board.setup(5, RPIO.IN),
        ):
            with pytest.raises(RPIO.ConnectionLost):
                call()
        assert time.monotonic() - start < LIMIT_S / 2


def test_an_answer_that_does_not_come_is_the_end_of_that_connection_alone(server):
    """The network swallows everything, and says nothing of it."""
    with proxied(server.port) as proxy, connected(proxy, timeout_s=0.5) as board:
        board.setup(9, RPIO.OUT, initial=0)
        proxy.ways.add("throttle")
        hole, proxy._pass = proxy._pass, lambda *_: None
        threading.Timer(0.3, lambda: setattr(proxy, "_pass", hole)).start()
        with contextlib.suppress(RPIO.ConnectionLost):  # it may be too short a time
            board.output(9, 1)
        assert wait_until(lambda: "back" in board.states)
        board.output(9, 1)
        assert board.input(9) == 1


def test_who_is_told_of_changes_may_fail(server, caplog):
    def fail(state):
        raise ZeroDivisionError(state)

    with proxied(server.port) as proxy, connected(proxy, on_change=fail) as board:
        board.setup(10, RPIO.OUT, initial=0)
        for n in (1, 2):
            proxy.cut()
            board.output(10, n % 2)
            assert wait_until(lambda n=n: proxy.connections == n + 1)
        assert board.input(10) == 0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.slow
def test_changed_bits_end_in_typed_errors(server, seed):
    """TCP's sum finds most of them, not all: nothing hangs, and no error is one of Python's own affairs."""
    line = 2 + seed
    with (
        proxied(server.port, ["shred"], seed) as proxy,
        connected(proxy, timeout_s=0.2, patience_s=LIMIT_S) as board,
    ):
        board.setup(line, RPIO.OUT, initial=0)
        board.add_interrupt_callback(26, lambda line, level: None)
        for n in range(15):
            proxy.corrupt_after(1 + (7 * n + seed) % 11)
            try:
                board.output(line, n % 2)
                board.input(line)
                pump(board, lambda: True)
            except (RPIO.GPIOError, RPIO.ConnectionLost, OSError, ValueError) as e:
                assert str(e)
        assert proxy.corrupted > 5
        proxy.corrupt_after(0)

        def works():
            try:
                board.setup(line, RPIO.OUT, initial=1)
                return board.input(line) == 1
            except (RPIO.GPIOError, OSError):
                return False

        assert wait_until(works)
