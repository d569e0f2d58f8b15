# SPDX-License-Identifier: LGPL-3.0-or-later
"""The parts of RPIO.pure beside those of the C module whose place they take: the same names, the same answers."""

import ast
import inspect
import pickle
import random
import socket
import threading
from pathlib import Path

import pytest

import RPIO
from RPIO import _gpio, errors
from RPIO.pure import gpio, looking, polling
from RPIO.pure.missing import Missing
from waiting import LIMIT_S, wait_until

pytestmark = pytest.mark.skipif(_gpio.PURE, reason="there is nothing to be beside")
READ, WRITE = 1, 4
STUB = ast.parse((Path(RPIO.__file__).parent / "_gpio.pyi").read_text(encoding="utf-8"))


# -- names ----------------------------------------------------------------------------------------------------


def names_of(arguments):
    """Names of the arguments, those that are given by place alone, and how many have defaults."""
    return (
        [a.arg for a in arguments.posonlyargs],
        [a.arg for a in arguments.args],
        [a.arg for a in arguments.kwonlyargs],
        arguments.vararg is not None,
    )


def signature_of(function):
    p = inspect.signature(function).parameters.values()
    kinds = inspect.Parameter
    return (
        [a.name for a in p if a.kind is kinds.POSITIONAL_ONLY],
        [a.name for a in p if a.kind is kinds.POSITIONAL_OR_KEYWORD],
        [a.name for a in p if a.kind is kinds.KEYWORD_ONLY],
        any(a.kind is kinds.VAR_POSITIONAL for a in p),
    )


FUNCTIONS = {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}
CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}


def test_it_has_the_names_of_the_c_module():
    named = {*FUNCTIONS, *CLASSES, "PURE"}
    assert named == set(gpio.__all__)
    assert named <= set(dir(_gpio))
    assert not {name for name in dir(_gpio) if not name.startswith("_")} - named


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_arguments_of_the_c_modules(name):
    mine = getattr(gpio, name)
    if isinstance(mine, Missing):
        with pytest.raises(errors.NoBackendError, match="this RPIO has no C module"):
            mine()
    else:
        assert signature_of(mine) == names_of(FUNCTIONS[name].args)


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_the_methods_of_the_c_modules(name):
    mine = getattr(gpio, name)
    if isinstance(mine, Missing):
        return
    for node in CLASSES[name].body:
        if isinstance(node, ast.FunctionDef) and not node.decorator_list:
            assert signature_of(getattr(mine, node.name)) == names_of(node.args), node.name
        elif isinstance(node, ast.FunctionDef):
            assert node.name in dir(mine)
        elif isinstance(node, ast.AnnAssign) and node.target.id in ("reader", "writer"):
            assert node.target.id in dir(mine)


# -- edges ----------------------------------------------------------------------------------------------------


def test_an_edge_is_the_same_in_all_that_programs_see():
    ours, theirs = gpio.EdgeEvent((17, 1, 5, 2)), _gpio.EdgeEvent((17, 1, 5, 2))
    assert tuple(ours) == tuple(theirs)
    assert (repr(ours), str(ours), len(ours), hash(ours)) == (repr(theirs), str(theirs), 4, hash(theirs))
    assert (ours.line, ours.value, ours.timestamp_ns, ours.seq) == (17, 1, 5, 2)
    assert gpio.EdgeEvent((17, 1, 5, 2, 9)).token == _gpio.EdgeEvent((17, 1, 5, 2, 9)).token == 9
    assert gpio.EdgeEvent.__match_args__ == _gpio.EdgeEvent.__match_args__
    for wrong in ((1, 2, 3), (1, 2, 3, 4, 5, 6)):
        with pytest.raises(TypeError):
            gpio.EdgeEvent(wrong)


def test_an_edge_can_be_pickled(monkeypatch):
    monkeypatch.setattr(RPIO, "EdgeEvent", gpio.EdgeEvent)
    again = pickle.loads(pickle.dumps(gpio.EdgeEvent((17, 1, 5, 2, 9))))
    assert (tuple(again), again.token) == ((17, 1, 5, 2), 9)


def test_records_are_the_kernels():
    for line, value, at_ns, seq in ((0, 0, 0, 1), (57, 1, 1 << 62, 0xFFFFFFFF)):
        record = _gpio.event_encode(line, value, at_ns, seq)
        assert gpio.event_encode(line, value, at_ns, seq) == record
        assert [tuple(event) for event in gpio.events_decode(record)] == [(line, value, at_ns, seq)]
    for wrong in (b"x", bytes(48)):
        with pytest.raises(OSError) as theirs:
            _gpio.events_decode(wrong)
        with pytest.raises(OSError) as ours:
            gpio.events_decode(wrong)
        assert ours.value.errno == theirs.value.errno


# -- what is waited for ----------------------------------------------------------------------------------------


def test_a_pipe_has_room_for_64_kib_and_never_waits():
    for pipe in (gpio.Pipe(), _gpio.Pipe()):
        with pytest.raises(BlockingIOError):
            pipe.get(48)
        assert pipe.put(b"x" * 48) == 48
        assert pipe.waiting() == 48
        assert pipe.get(20) == b"x" * 20
        with pytest.raises(BlockingIOError):
            for _ in range(70):
                pipe.put(b"x" * 1024)
        pipe.close()
        pipe.close()
        assert (pipe.reader, pipe.writer) == (-1, -1)
        with pytest.raises(OSError):
            pipe.put(b"x")


def test_a_poller_reads_edges_and_names_what_is_ready():
    poller, pipe, timer = gpio.Poller(), gpio.Pipe(), gpio.Timer()
    one, other = socket.socketpair()
    with one, other:
        poller.add(one.fileno(), 1, READ)
        poller.add_edges(pipe.reader, 2)
        poller.add(timer.fileno(), 3, READ)
        edges = []
        assert poller.wait(0, edges) == []
        other.send(b"x")
        assert poller.wait(None, edges) == [(1, READ)]
        poller.remove(one.fileno())
        for seq in (1, 2):
            pipe.put(gpio.event_encode(17, 1, seq, seq))
        assert poller.wait(None, edges) == []
        assert [(event.seq, event.token) for event in edges] == [(1, 2), (2, 2)]
        timer.start(0.001)
        assert poller.wait(None, edges) == [(3, READ)]
        assert timer.over()
        assert not timer.over()
        poller.modify(timer.fileno(), 3, 0)
        with pytest.raises(FileNotFoundError):
            poller.remove(one.fileno())
    poller.close()
    assert poller.fileno() == -1


def test_whoever_sleeps_is_woken_by_another_thread():
    poller, pipe = gpio.Poller(), gpio.Pipe()
    woken = []

    def sleep(edges):
        woken.append(poller.wait(LIMIT_S, edges))

    for act in (poller.wake, lambda: poller.add(pipe.reader, 7, READ) or pipe.put(b"x")):
        thread = threading.Thread(target=sleep, args=([],))
        thread.start()
        assert wait_until(lambda: poller._is_waiting)
        act()
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    assert woken == [[], [(7, READ)]]


def test_what_is_gathered_nests_in_others():
    inner, middle, outer, pipe = polling.Gathering(), gpio.Poller(), gpio.Poller(), gpio.Pipe()
    inner.register(pipe.reader, READ)
    middle.add(inner.fileno(), 5, READ)
    outer.add(middle.fileno(), 6, READ)
    assert outer.wait(0, []) == []
    pipe.put(b"x")
    assert outer.wait(None, []) == [(6, READ)]
    assert middle.wait(None, []) == [(5, READ)]
    assert inner.poll(0, 64) == [(pipe.reader, READ)]
    inner.unregister(pipe.reader)
    assert outer.wait(0, []) == []
    middle.wake()
    assert outer.wait(None, []) == [(6, READ)]


def test_a_descriptor_that_is_closed_without_a_word_is_no_spin():
    poller, pipe = gpio.Poller(), gpio.Pipe()
    one, other = socket.socketpair()
    poller.add(one.fileno(), 1, READ)
    poller.add(pipe.reader, 2, READ)
    one.close()
    other.close()
    pipe.close()
    assert poller.wait(0.01, []) == []
    assert poller.members() == {}
    with pytest.raises(OSError):
        poller.add(pipe.reader, 3, READ)
    with pytest.raises(OSError):
        poller.add(one.fileno(), 3, READ)


@pytest.mark.parametrize("has_poll", [True, False])
def test_sockets_are_waited_for_with_poll_and_with_select(has_poll, monkeypatch):
    if not has_poll:
        monkeypatch.delattr("select.poll")
    one, other = socket.socketpair()
    with one, other:
        assert looking.look(lambda: {one.fileno(): READ | WRITE}, 0, lambda: False) == {one.fileno(): WRITE}
        other.send(b"x")
        assert looking.look(lambda: {one.fileno(): READ}, None, lambda: False) == {one.fileno(): READ}
        gone = one.fileno()
    assert looking.readable((gone,), None)


def test_what_a_signal_handler_raises_gets_out_and_leaves_nobody_asleep():
    from RPIO.pure.sources import asleep

    def interrupted():
        raise KeyboardInterrupt

    before = len(looking._idle)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            looking.look(interrupted, None, lambda: False)
    assert asleep == []
    assert len(looking._idle) <= max(before, 1)


# -- lines of text ----------------------------------------------------------------------------------------------


def test_lines_are_split_as_the_c_module_splits_them():
    rng = random.Random(15)
    for _ in range(100):
        text = b"".join(
            rng.choice([b"a" * rng.randrange(30) + b"\n", b"\n", b"edge 3 1 99 7 0\n", b"b" * 5])
            for _ in range(20)
        )
        cuts = sorted(rng.randrange(len(text) + 1) for _ in range(4))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True) if a < b]
        said = []
        for module in (_gpio, gpio):
            reader, lines, told = module.LineReader(64), [], []
            one, other = socket.socketpair()
            with one, other:
                one.setblocking(False)
                for piece in pieces:
                    other.send(piece)
                    try:
                        told.append(reader.read(one.fileno(), lines, 0))
                    except ValueError as e:
                        told.append(str(e))
                with pytest.raises(BlockingIOError):
                    reader.read(one.fileno(), lines, 0)
                other.close()
                assert reader.read(one.fileno(), lines, 0) == 0
            fed, from_feed = module.LineReader(64), []
            for piece in pieces:
                try:
                    fed.feed(piece, from_feed)
                except ValueError as e:
                    from_feed.append(str(e))
            said.append((lines, told, reader.begun, from_feed, fed.begun))
        assert said[0] == said[1]


EDGES = [
    b"edge 3 1 99 7 0",
    b"edge 3 0 100 7 0",  # told before
    b"edge 3 0 101 9 1",
    b"edge 5 0 101 1 0",  # nobody watches it
    b"edge 70 0 101 1 0",
    b"edge 3 2 101 10 0",
    b"edge 3 1 101 10",
    b"edge 3 1 101 10 0 0",
    b"edge 3 1 99999999999999999999 10 0",
    b"edge 3 1 101 4294967299 0",
]


def test_edges_go_where_the_c_module_has_them_go():
    said = []
    for module in (_gpio, gpio):
        routes, pipe = module.EdgeRoutes(64), module.Pipe()
        routes.set(3, pipe.reader, pipe.writer)
        reader, lines = module.LineReader(1000, routes), []
        one, other = socket.socketpair()
        with one, other:
            one.setblocking(False)
            other.send(b"\n".join(EDGES) + b"\n")
            reader.read(one.fileno(), lines, 0)
        edges = [tuple(event) for event in module.events_read(pipe.reader)]
        said.append((lines, edges, routes.last(3), routes.lose(3, 4294967305), routes.last(3)))
    assert said[0] == said[1]


# -- pulses of the simulated board ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(30))
def test_pulses_are_those_of_the_c_module_to_the_nanosecond(seed):
    rng = random.Random(seed)
    plans = _gpio.PwmPlan(), gpio.PwmPlan()
    now_ns, waves = 1_000, [-1]
    for _ in range(300):
        now_ns += rng.choice([0, 1, 1_000, rng.randrange(40_000), rng.randrange(30_000_000)])
        period_ns = rng.choice([1_000, 20_000, 20_000, 50_000, 20_000_000, 30_000_000])
        line, high_ns = rng.randrange(6), rng.choice([0, period_ns, rng.randrange(period_ns + 1)])
        times = sorted(rng.choice([0, 5, rng.randrange(period_ns)]) for _ in range(rng.randrange(1, 6)))
        edges = [(at_ns, rng.randrange(6, 9), rng.randrange(2)) for at_ns in times]
        wave, turns, what = rng.choice(waves), rng.choice([0, 1, 3]), rng.randrange(12)

        def act(
            plan,
            what=what,
            line=line,
            period=period_ns,
            high=high_ns,
            wave=wave,
            turns=turns,
            edges=edges,
            now_ns=now_ns,
        ):
            try:
                if what == 0:
                    return plan.set(line, period, high, now_ns)
                if what == 1:
                    return plan.change(line, period, high, now_ns)
                if what == 2:
                    return plan.end(line)
                if what == 3:
                    return plan.play(edges, period, turns, wave, now_ns)
                if what == 4:
                    return plan.stop_wave(wave)
                if what == 5:
                    return plan.drop_line(wave, edges[0][1])
                if what == 6:
                    return plan.wave(wave, now_ns)
            except OSError as e:
                return e.errno
            return plan.next(), plan.advance(now_ns), plan.next()

        theirs, ours = (act(plan) for plan in plans)
        assert ours == theirs, what
        if what == 3 and theirs is not None and theirs > 0:
            waves.append(theirs)
