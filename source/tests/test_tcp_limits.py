# SPDX-License-Identifier: LGPL-3.0-or-later
"""What TCP clients may have of the machine, and what is left of it for the program: measured."""

import contextlib
import errno
import itertools
import logging
import os
import resource
import socket
import subprocess
import sys
import threading
import time

import pytest

from RPIO import log
from RPIO.loop import tcp, tcp_limits
from support import pump
from tcp_peers import echo, receive, round_trip_s
from waiting import LIMIT_S, wait_until

# -- descriptors --------------------------------------------------------------------------------------------

CROWD = """
import resource, socket, subprocess, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
import RPIO
ports = [RPIO.add_tcp_callback(0, lambda client, m: client.send("echo: " + m), host="127.0.0.1") for _ in range(2)]
RPIO.wait_for_interrupts(threaded=True)

# another process has the descriptors of the other side
crowd = subprocess.Popen([sys.executable, "-c", '''
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (2048, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
ports = [int(word) for word in sys.argv[1:]]
crowd = [socket.create_connection(("127.0.0.1", ports[n % 2])) for n in range(1024)]
print("connected", flush=True)
sys.stdin.read()
''', *map(str, ports)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
assert crowd.stdout.readline() == "connected\\n"
with socket.create_connection(("127.0.0.1", ports[0]), 60) as client:
    client.sendall(b"hello")
    print(client.recv(100))
    with open("/etc/passwd") as f:
        print("opened", bool(f.read()))
    RPIO.add_interrupt_callback(17, print)
    RPIO.setup(22, RPIO.IN)
    RPIO.add_event_detect(22, RPIO.BOTH)
    print("callbacks added")
    print("clients", len(RPIO.tcp_clients()))
crowd.communicate()
"""


HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@pytest.mark.skipif(
    HARD != resource.RLIM_INFINITY and HARD < 2048, reason="needs 2048 descriptors in a process"
)
@pytest.mark.slow
def test_1024_silent_clients_leave_the_program_its_descriptors():
    done = subprocess.run(
        [sys.executable, "-c", CROWD],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "RPIO_BACKEND": "sim"},
        check=False,
    )
    assert done.stdout == "b'echo: hello'\nopened True\ncallbacks added\nclients 512\n"
    assert 0 < done.stderr.count("never spoke") <= 2 * (log.LINES_A_MINUTE + 2)  # two ports, a minute or two


@pytest.mark.parametrize(
    ("soft", "most"),
    [(1024, 512), (256, 128), (3, 1), (1, 1), (4096, 1024), (resource.RLIM_INFINITY, 1024)],
)
def test_clients_have_half_of_the_descriptors_and_1024_at_most(monkeypatch, soft, most):
    monkeypatch.setattr(resource, "getrlimit", lambda what: (soft, soft))
    assert tcp_limits.most_clients() == most


@pytest.fixture
def room_for(monkeypatch):
    """All ports together have so much room."""

    def limit(number):
        monkeypatch.setattr(tcp_limits, "most_clients", lambda: number)

    return limit


def numbers(server):
    """The ports from which the clients of a server have come."""
    return [client.getpeername()[1] for client in list(server.clients.values())]


def test_the_longest_silent_client_that_never_spoke_makes_room(serve, connect, board, room_for, caplog):
    room_for(3)
    first, second = serve(echo, loop=False), serve(echo, loop=False)
    spoken, old, young = connect(first), None, None
    assert pump(board, lambda: len(first.clients) == 1)
    spoken.sendall(b"ping")
    assert pump(board, lambda: next(iter(first.clients.values())).has_spoken)
    old = connect(second)
    assert pump(board, lambda: len(second.clients) == 1)
    young = connect(first)
    assert pump(board, lambda: len(first.clients) == 2)
    new = connect(first)
    assert pump(board, lambda: len(first.clients) == 3)
    assert old.recv(1) == b""  # of another port, for they share the room
    assert numbers(first) == [c.getsockname()[1] for c in (spoken, young, new)]
    assert caplog.text.count("never spoke") == 1


def test_who_has_spoken_is_never_closed_for_a_stranger(serve, connect, room_for, caplog):
    room_for(2)
    server = serve(echo)
    clients = [connect(server), connect(server)]
    for client in clients:
        round_trip_s(client)
    for _ in range(3):
        stranger = connect(server)
        assert stranger.recv(10) == b""
    for client in clients:
        round_trip_s(client)
    assert "refused, all who are connected have spoken" in caplog.text
    clients[0].close()
    assert wait_until(lambda: len(server.clients) == 1)
    round_trip_s(connect(server))  # there is room again


def test_who_has_just_spoken_and_was_not_read_yet_is_not_closed(serve, connect, board, room_for):
    room_for(1)
    server = serve(echo, loop=False)
    client = connect(server)
    assert pump(board, lambda: server.clients)
    client.sendall(b"ping")
    (known,) = server.clients.values()
    assert not known.has_spoken and not server.turn_out(known)
    stranger = connect(server)
    server._look()  # the new one is there at the same time as the message
    stranger.settimeout(LIMIT_S)
    assert stranger.recv(1) == b""
    assert pump(board, lambda: known.has_spoken)


def test_messages_of_those_who_have_gone_count_until_they_are_handled(serve, connect, board, room_for):
    """Else whoever sends, goes and comes again would fill the memory."""
    room_for(2)
    gate = threading.Semaphore(0)
    server = serve(lambda client, message: gate.acquire(timeout=LIMIT_S), threaded=True)
    for _ in range(2):
        with connect(server) as client:
            client.sendall(b"x")
            assert wait_until(lambda c=client: c.getsockname()[1] in numbers(server))
            assert wait_until(lambda: all(c.has_spoken for c in server.clients.values()))
            for known in list(server.clients.values()):
                known.discard()
    assert server.crowd() == 2 and not server.clients
    assert connect(server).recv(1) == b""
    gate.release(2)
    assert wait_until(lambda: server.crowd() == 0)


@contextlib.contextmanager
def no_descriptors():
    """Not one can be opened; those that are stay."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(fd) for fd in os.listdir("/proc/self/fd"))
    fill = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                fill.append(os.dup(0))
        yield fill
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for fd in fill:
            os.close(fd)


@pytest.fixture
def out_of_descriptors(serve, connect, caplog):
    """A port with a client who is served, in a process without descriptors, and one who waits to be accepted."""
    server = serve(echo)
    good = connect(server)
    round_trip_s(good)
    with socket.socket() as waiting, no_descriptors() as fill:
        waiting.settimeout(LIMIT_S)
        waiting.connect(("127.0.0.1", server.port))
        waiting.sendall(b"ping")
        assert wait_until(lambda: "have to wait, Too many open files" in caplog.text)
        yield server, good, waiting, fill


@pytest.mark.slow
def test_without_descriptors_the_loop_sleeps_and_the_log_is_short(out_of_descriptors, caplog):
    _, good, _, _ = out_of_descriptors
    begin_s = time.process_time()
    end_s = time.monotonic() + 2.5  # some retries; how long it really takes is all the same
    while time.monotonic() < end_s:
        threading.Event().wait(0.1)
    assert time.process_time() - begin_s < 0.5
    assert len(caplog.records) <= log.LINES_A_MINUTE + 1
    round_trip_s(good)


def test_who_waits_is_served_when_a_client_leaves(out_of_descriptors, monkeypatch):
    _, good, waiting, _ = out_of_descriptors
    good.shutdown(socket.SHUT_RDWR)  # the descriptor of the other end is free then
    assert receive(waiting, 11) == b"echo: ping\n"


def test_who_waits_is_served_when_the_program_closes_something(out_of_descriptors):
    """Nothing tells the port; it asks again by itself."""
    _, _, waiting, fill = out_of_descriptors
    os.close(fill.pop())
    assert receive(waiting, 11) == b"echo: ping\n"


# -- the log ------------------------------------------------------------------------------------------------


def test_what_strangers_bring_about_is_logged_a_few_times_a_minute(
    serve, connect, room_for, monkeypatch, caplog
):
    room_for(1)
    server = serve(echo)
    round_trip_s(connect(server))
    for _ in range(50):
        with connect(server) as stranger:
            assert stranger.recv(1) == b""
    assert caplog.text.count("refused") == log.LINES_A_MINUTE
    monkeypatch.setattr(log, "MINUTE_NS", 0)  # the minute is over; the port's own timer tells the rest
    assert wait_until(lambda: "... and 47 more in the last minute" in caplog.text)
    assert caplog.text.count("refused") == log.LINES_A_MINUTE + 1


def test_a_log_handler_that_fails_does_not_close_the_port(serve, connect, room_for, capfd):
    class Broken(logging.Filter):
        def filter(self, record):
            raise ValueError("no filter")

    room_for(1)
    server = serve(echo)
    good = connect(server)
    round_trip_s(good)
    broken = Broken()
    logging.getLogger("RPIO").addFilter(broken)
    try:
        for _ in range(3):
            assert connect(server).recv(1) == b""
    finally:
        logging.getLogger("RPIO").removeFilter(broken)
    round_trip_s(good)
    assert "logging it failed: ValueError('no filter')" in capfd.readouterr().err


# -- clients that cannot be welcomed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [ValueError("of some kind"), OSError(errno.ENOMEM, "no memory"), MemoryError()]
)
@pytest.mark.parametrize("where", ["made", "taken in"])
def test_an_exception_while_a_client_is_welcomed_is_that_clients_alone(
    serve, connect, monkeypatch, caplog, error, where
):
    server = serve(echo)
    good, fail = connect(server), [True]
    round_trip_s(good)
    before = len(os.listdir("/proc/self/fd"))

    def failing(real):
        def call(*args):
            if fail:
                raise error
            return real(*args)

        return call

    if where == "made":
        monkeypatch.setattr(tcp, "Connection", failing(tcp.Connection))
    else:
        monkeypatch.setattr(server._guests, "take_in", failing(server._guests.take_in))
    with connect(server) as bad:
        assert bad.recv(1) == b""
    assert wait_until(lambda: len(os.listdir("/proc/self/fd")) == before)
    fail.clear()
    round_trip_s(good)
    round_trip_s(connect(server))
    assert "could not be served" in caplog.text


def test_a_port_needs_one_token_however_many_clients_come(serve, connect, board):
    """Tokens of the loop are not used again."""
    server = serve(echo)
    before = board.dispatcher._last_token
    for _ in range(20):
        with connect(server) as client:
            round_trip_s(client)
    assert board.dispatcher._last_token == before


def test_a_port_lives_on_when_the_loop_can_register_nothing_more(serve, connect, board, monkeypatch):
    server = serve(echo)
    fds = len(os.listdir("/proc/self/fd"))

    def full(*args):
        raise OverflowError("number out of range")

    monkeypatch.setattr(board.dispatcher, "add", full)
    with pytest.raises(OverflowError):
        board.waiting.ports.add(0, echo, False, "127.0.0.1")
    assert board.waiting.ports.servers == [server] and len(os.listdir("/proc/self/fd")) == fds
    round_trip_s(connect(server))


# -- back-pressure ------------------------------------------------------------------------------------------


def test_a_client_is_not_read_while_something_waits_to_be_sent_to_it(serve, connect, board):
    seen = []

    def answer(client, message):
        seen.append(message)
        if message == "much":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
            while len(client._unsent) < 500_000:
                seen.append(client.send(b"z" * 65536))

    server = serve(answer, loop=False)
    connection = connect(server)
    connection.sendall(b"much")
    assert pump(board, lambda: "much" in seen)
    connection.sendall(b"more")
    (client,) = server.clients.values()
    for _ in range(20):
        board.dispatcher.step(0)
    assert client._unsent and client.wanted == 4 and "more" not in seen
    reader = threading.Thread(target=receive, args=(connection, sum(seen[1:])))
    reader.start()
    assert pump(board, lambda: "more" in seen)
    reader.join()


def test_one_mebibyte_may_wait_for_a_client_and_not_a_byte_more(serve, connect, board):
    server = serve(echo, loop=False)
    connect(server)
    assert pump(board, lambda: server.clients)
    (client,) = server.clients.values()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    while not client._unsent:
        client.send(b"z" * 4096)
    client.send(b"z" * (1_048_576 - len(client._unsent)))
    assert len(client._unsent) == 1_048_576
    held = client._unsent
    with pytest.raises(OSError, match="1048576 bytes wait for this client") as e:
        client.send(b"z")
    assert e.value.errno == errno.ENOBUFS
    assert len(held) == 1_048_576 and server.clients == {} and client.fileno() == -1


@pytest.fixture
def gated(serve):
    """A threaded callback that goes on by permission; what it has been given."""
    gate, seen = threading.Semaphore(0), []

    def callback(client, message):
        seen.append(message)
        gate.acquire(timeout=LIMIT_S)

    return serve(callback, threaded=True), gate, seen


def fill(server, connection, letter=b"x"):
    """Send messages until the client is not read any more."""
    connection.sendall(letter * 1024 * 64)
    port = connection.getsockname()[1]

    def client():
        return next(c for c in list(server.clients.values()) if c.getpeername()[1] == port)

    assert wait_until(lambda: port in numbers(server) and client().paused)
    return client()


def test_a_client_is_read_again_when_half_of_its_queue_is_left(gated, connect):
    server, gate, seen = gated
    client = fill(server, connect(server))
    queue = server.worker._queues[client]
    assert wait_until(lambda: len(seen) == 1)
    begin = len(queue)  # the first message may have been taken before the last one came
    assert begin in (tcp_limits.QUEUE_MESSAGES - 1, tcp_limits.QUEUE_MESSAGES)
    real, resumed = server._guests.update, []
    server._guests.update = lambda c: (resumed.append(len(queue)), real(c)) if not c.paused else real(c)
    for left in range(begin - 1, tcp_limits.QUEUE_MESSAGES // 2, -1):
        gate.release()
        assert wait_until(lambda left=left: len(queue) == left)
        assert client.paused and resumed == []
    gate.release()
    assert wait_until(lambda: resumed)
    assert resumed[0] == tcp_limits.QUEUE_MESSAGES // 2 == 8
    gate.release(1000)


def test_a_client_whose_queue_is_full_pauses_itself_alone(gated, connect):
    server, gate, seen = gated
    flooder, other = connect(server), connect(server)
    fill(server, flooder)
    other.sendall(b"other")
    port = other.getsockname()[1]
    assert wait_until(
        lambda: any(
            c.has_spoken and not c.paused for c in server.clients.values() if c.getpeername()[1] == port
        )
    )
    gate.release(2)
    assert wait_until(lambda: "other" in seen)
    assert len(seen) <= 3  # one was being handled, one more of the flooder may come first
    gate.release(1000)


def test_a_threaded_callback_that_is_too_slow_loses_nothing(gated, connect):
    server, gate, seen = gated
    connection, total = connect(server), 300_000
    sender = threading.Thread(target=connection.sendall, args=(b"m" * total,))
    sender.start()
    assert wait_until(lambda: any(client.paused for client in list(server.clients.values())))
    gate.release(10_000)
    sender.join(LIMIT_S)
    assert wait_until(lambda: sum(map(len, seen)) == total)


def test_a_client_that_resets_while_it_is_paused_is_dropped(gated, connect):
    server, gate, _ = gated
    rude = connect(server)
    client = fill(server, rude)
    assert wait_until(lambda: client in server.worker.waiting())
    rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    rude.close()
    assert wait_until(lambda: not server.clients)
    gate.release(1000)


def test_who_says_goodbye_at_once_gets_the_answer_of_a_threaded_callback(serve, connect):
    gate = threading.Event()
    server = serve(lambda client, message: (gate.wait(LIMIT_S), echo(client, message)), threaded=True)
    connection = connect(server)
    connection.sendall(b"ping")
    connection.shutdown(socket.SHUT_WR)
    assert wait_until(lambda: any(client.paused for client in list(server.clients.values())))
    gate.set()
    assert receive(connection, 100) == b"echo: ping\n"
    assert wait_until(lambda: not server.clients)


# -- turns --------------------------------------------------------------------------------------------------


def floods_between(order, asked):
    """How many messages of the flooder were handled from the moment of each question to its answer."""
    return [order[begin : order.index("q", begin)].count("f") for begin in asked]


def test_in_the_loop_the_next_message_is_not_the_flooders_again(serve, connect, board):
    """The question comes while the flooder's message is handled, as most do; the next message is the question."""
    order, asked, questions = [], [], itertools.count()

    def callback(client, message):
        order.append("q" if message.startswith("?") else "f")
        if order[-1] == "f" and len(asked) < 50 and len(asked) == order.count("q"):
            asked.append(len(order))  # it comes now
            asker.sendall(b"?%d" % next(questions))

    server = serve(callback, loop=False)
    flooder, asker = connect(server), connect(server)
    assert pump(board, lambda: len(server.clients) == 2)
    flooder.setblocking(False)

    def step():
        with contextlib.suppress(BlockingIOError):
            flooder.send(b"f" * 65536)
        return order.count("q") == 50

    assert pump(board, step)
    assert floods_between(order, asked) == [0] * len(asked)


def test_in_a_thread_the_next_message_is_not_the_flooders_again(serve, connect):
    order, asked = [], []
    turn = threading.Semaphore(0)

    def callback(client, message):
        order.append("q" if message.startswith("?") else "f")
        turn.acquire(timeout=LIMIT_S)

    server = serve(callback, threaded=True)
    flooder, asker = connect(server), connect(server)
    sender = threading.Thread(target=flooder.sendall, args=(b"f" * 1024 * 200,))
    sender.start()
    assert wait_until(lambda: order == ["f"] and len(server.clients) == 2)
    port = asker.getsockname()[1]
    client = next(c for c in server.clients.values() if c.getpeername()[1] == port)
    for number in range(20):
        asked.append(len(order))
        asker.sendall(b"?%d" % number)
        assert wait_until(lambda: server.worker._queues.get(client))  # it waits
        handled = len(order)
        while order.count("q") == number:
            turn.release()
            assert wait_until(lambda handled=handled: len(order) > handled)
            handled = len(order)
        turn.release()
        assert wait_until(lambda handled=handled: len(order) > handled)  # the flooder's again
    turn.release(10_000)
    sender.join()
    assert floods_between(order, asked) == [0] * len(asked)


def test_stop_in_a_callback_leaves_other_clients_messages_unread(serve, connect, board):
    seen = []
    server = serve(
        lambda client, message: (seen.append(message), board.stop_waiting_for_interrupts()), loop=False
    )
    connections = [connect(server) for _ in range(3)]
    assert pump(board, lambda: len(server.clients) == 3)
    for connection in connections:
        connection.sendall(b"x")
    for number in range(1, 4):
        board.dispatcher.run()
        assert len(seen) == number


# -- threads that cannot be started -------------------------------------------------------------------------


def test_messages_wait_while_no_thread_can_be_started(serve, connect, monkeypatch, caplog, board):
    real, fail = threading.Thread.start, [True]

    def start(thread):
        if fail and thread.name.startswith("RPIO port"):
            raise RuntimeError("can't start new thread")
        real(thread)

    server = serve(echo, threaded=True)
    monkeypatch.setattr(threading.Thread, "start", start)
    connection = connect(server)
    connection.sendall(b"first")
    assert wait_until(lambda: "no thread can be started for its callback" in caplog.text)
    (client,) = server.clients.values()
    client.send("still here\n")
    assert receive(connection, 11) == b"still here\n"
    assert board.dispatcher.running
    fail.clear()
    assert receive(connection, 12) == b"echo: first\n"  # without another message
    connection.sendall(b"second")
    assert receive(connection, 13) == b"echo: second\n"


def test_a_port_whose_thread_could_not_be_started_closes(serve, connect, monkeypatch, caplog, board):
    def start(thread):
        raise RuntimeError("can't start new thread")

    server = serve(echo, threaded=True)
    monkeypatch.setattr(threading.Thread, "start", start)
    connection = connect(server)
    connection.sendall(b"first")
    assert wait_until(lambda: "no thread can be started" in caplog.text)
    (client,) = server.clients.values()
    board.close()
    with pytest.raises(OSError) as e:
        client.send(b"x")
    assert e.value.errno == errno.EBADF


# -- sending, and giving away -------------------------------------------------------------------------------


def test_only_text_and_bytes_are_sent(serve, connect, board):
    from array import array

    server = serve(echo, loop=False)
    connection = connect(server)
    assert pump(board, lambda: server.clients)
    (client,) = server.clients.values()
    for wrong in (5, 10**9, 0, True, 1.5, None, [1], (1, 2), object()):
        with pytest.raises(TypeError, match="a str or a bytes-like object is required, not"):
            client.send(wrong)
        with pytest.raises(TypeError):
            client.sendall(wrong)
    numbers = array("H", [0x4142, 0x4344])
    assert client.send(memoryview(numbers)) == 4
    assert client.send(numbers) == 4
    assert client.send(memoryview(b"abcdef")[::2]) == 3
    assert client.send(bytearray(b"!")) == 1
    assert client.send("") == 0
    assert receive(connection, 12) == numbers.tobytes() * 2 + b"ace" + b"!"


@pytest.mark.parametrize("threaded", [False, True])
def test_a_client_may_be_given_away(serve, connect, board, threaded):
    given = []
    server = serve(lambda client, message: given.append((client.detach(), client)), threaded=threaded)
    connection, good = connect(server), connect(server)
    connection.sendall(b"mine")
    assert wait_until(lambda: given)
    (fd, client) = given[0]
    assert client.fileno() == -1
    with socket.socket(fileno=fd) as owner:
        owner.sendall(b"from the new owner")
        assert receive(connection, 18) == b"from the new owner"
        connection.sendall(b"for the new owner")  # and not for the callback
        begin_s = time.process_time()
        threading.Event().wait(0.5)
        assert time.process_time() - begin_s < 0.2
        assert len(given) == 1 and client not in server.clients.values()
        owner.settimeout(LIMIT_S)
        assert owner.recv(100) == b"for the new owner"
        board.cleanup_interrupts()
        owner.sendall(b"!")
        assert receive(connection, 1) == b"!"
    assert good.recv(1) == b""
    with pytest.raises(OSError) as e:
        client.send("x")
    assert e.value.errno == errno.EBADF


def test_a_number_that_the_program_has_closed_itself_is_anothers(serve, connect, board):
    """os.close(client.fileno()): the next client gets the number, and must not be closed with the first."""
    server = serve(echo)
    first = connect(server)
    round_trip_s(first)
    held = list(server.clients.values())
    with socket.socket() as second:
        os.close(held[0].fileno())
        second.connect(("127.0.0.1", server.port))
        assert wait_until(lambda: held[0] not in server.clients.values())
        assert [client.number for client in server.clients.values()] == [held[0].number]
        held.pop().close()
        round_trip_s(second)


def test_cleanup_goes_on_after_a_number_that_the_program_has_closed_itself(serve, connect, board):
    server = serve(echo)
    connections = [connect(server), connect(server)]
    for connection in connections:
        round_trip_s(connection)
    os.close(next(iter(server.clients.values())).fileno())
    board.cleanup_interrupts()
    assert server.clients == {}
    for connection in connections:
        assert connection.recv(1) == b""
