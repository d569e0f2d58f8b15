# SPDX-License-Identifier: LGPL-3.0-or-later
"""TCP callbacks with real sockets: messages, many clients, and clients that are slow, silent, rude or gone."""

import contextlib
import errno
import os
import select
import socket
import struct
import threading

import pytest

from RPIO.loop import tcp
from support import new_threads, pump, raises
from tcp_peers import echo, receive, round_trip_s
from waiting import LIMIT_S, wait_until

# -- messages -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"hello\r\n", b"echo: hello\n"),
        (b"  two words \n", b"echo: two words\n"),
        (b"no newline", b"echo: no newline\n"),
        (b"x\ny\n", b"echo: x\ny\n"),
        ("grüße\n".encode(), "echo: grüße\n".encode()),
        (b"\xff\xfe!\n", "echo: \ufffd\ufffd!\n".encode()),
        (b"\0\x01\n", b"echo: \0\x01\n"),
    ],
)
def test_one_receive_is_one_stripped_message(serve, connect, sent, answer):
    """As captured from the original with an echo callback; text instead of bytes, undecodable bytes replaced."""
    connection = connect(serve(echo))
    connection.sendall(sent)
    assert receive(connection, len(answer)) == answer


@pytest.mark.parametrize("blank", [b"\r\n", b"\n", b"   \t\n", b" "])
def test_a_blank_message_closes(serve, connect, blank):
    server = serve(echo)
    connection = connect(server)
    connection.sendall(blank)
    assert connection.recv(100) == b""
    assert wait_until(lambda: not server.clients)


def test_a_long_message_comes_in_pieces_of_1024(serve, connect):
    seen = []
    connection = connect(serve(lambda client, message: (seen.append(message), client.send("k"))))
    connection.sendall(b"a" * 1501)
    assert wait_until(lambda: sum(map(len, seen)) == 1501)
    assert [len(m) for m in seen] == [1024, 477]


def test_a_character_that_two_receives_split_arrives_whole(serve, connect):
    seen = []
    connection = connect(serve(lambda client, message: seen.append(message)))
    text = "ä" * 600  # 1200 bytes; receives end within a character where one byte precedes
    connection.sendall(b"x" + text.encode())
    assert wait_until(lambda: len("".join(seen)) == 601)
    assert "".join(seen) == "x" + text


def test_half_a_character_at_the_end_is_delivered_as_replaced(serve, connect):
    seen = []
    connection = connect(serve(lambda client, message: seen.append(message)))
    connection.sendall(b"ok")
    assert wait_until(lambda: seen == ["ok"])
    connection.sendall(b"\xc3")
    connection.shutdown(socket.SHUT_WR)
    assert wait_until(lambda: seen == ["ok", "\ufffd"])


def test_ten_megabytes_arrive_whole(serve, connect):
    got, total = [], 10 * 1024 * 1024
    connection = connect(serve(lambda client, message: got.append(len(message))))
    connection.sendall(b"m" * total)
    assert wait_until(lambda: sum(got) == total)
    assert max(got) <= 1024


def test_send_takes_str_and_bytes_and_returns_bytes_sent(serve, connect):
    counts = []

    def answer(client, message):
        counts.append(
            [client.send("ä"), client.send(b"b"), client.send(bytearray(b"c")), client.sendall("d")]
        )

    connection = connect(serve(answer))
    connection.sendall(b"?")
    assert receive(connection, 5) == "äbcd".encode()
    assert wait_until(lambda: counts == [[2, 1, 1, None]])


def test_the_socket_is_a_socket(serve, connect):
    seen = []
    connection = connect(
        serve(lambda client, message: seen.append((client.getpeername(), client.fileno(), client)))
    )
    connection.sendall(b"?")
    assert wait_until(lambda: seen)
    peer, fileno, client = seen[0]
    assert peer == connection.getsockname()
    assert fileno > 2
    assert isinstance(client, socket.socket)


def test_close_tcp_client_in_the_callback_sends_what_was_sent_before(serve, connect, board):
    def bye(client, message):
        client.send("bye\n")
        board.close_tcp_client(client.fileno())

    connection = connect(serve(bye))
    connection.sendall(b"x")
    assert receive(connection, 100) == b"bye\n"
    with pytest.raises(KeyError, match="there is no TCP client with the number 9999"):
        board.close_tcp_client(9999)


# -- many clients, and bad ones -----------------------------------------------------------------------------


def test_a_hundred_clients_at_once(serve, connect):
    server = serve(echo)
    connections = [connect(server) for _ in range(100)]
    for turn in range(3):
        for n, connection in enumerate(connections):
            connection.sendall(b"%d/%d" % (turn, n))
        for n, connection in enumerate(connections):
            want = b"echo: %d/%d\n" % (turn, n)
            assert receive(connection, len(want)) == want
    assert len(server.clients) == 100


def test_a_client_that_never_reads_delays_nobody(serve, connect):
    server = serve(echo)
    deaf, good = connect(server), connect(server)
    deaf.setblocking(False)
    blocked = 0
    while blocked < 5:  # until nothing goes in any more: all buffers on the way are full
        try:
            deaf.send(b"x" * 1024)
            blocked = 0
        except BlockingIOError:
            blocked += 1
            assert round_trip_s(good) < 0.5
    assert len(server.clients) == 2  # it stops himself only, and loses nothing
    assert max(round_trip_s(good) for _ in range(20)) < 0.5


def test_what_waits_for_a_client_arrives_when_it_reads_again(serve, connect):
    server = serve(lambda client, message: client.send(b"z" * 900_000))
    connection = connect(server)
    connection.sendall(b"?")
    assert receive(connection, 900_000) == b"z" * 900_000


def test_a_client_that_is_sent_too_much_is_closed_and_the_sender_told(serve, connect):
    seen = []

    def flood(client, message):
        try:
            while True:
                client.send(b"z" * 65536)
        except OSError as e:
            seen.append(e.errno)

    server = serve(flood)
    connection = connect(server)
    connection.sendall(b"?")
    assert wait_until(lambda: seen == [errno.ENOBUFS])
    assert wait_until(lambda: not server.clients)


def test_a_client_that_sends_a_byte_a_time_delays_nobody(serve, connect):
    server = serve(echo)
    slow, good = connect(server), connect(server)
    for byte in b"slow":
        slow.sendall(bytes([byte]))
        assert receive(slow, 8) == b"echo: %c\n" % byte
        assert round_trip_s(good) < 0.5


def test_a_client_that_vanishes_is_forgotten(serve, connect):
    server = serve(echo)
    gone, good = connect(server), connect(server)
    gone.sendall(b"x")
    receive(gone, 8)
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.close()  # a reset, not a farewell
    assert wait_until(lambda: len(server.clients) == 1)
    assert round_trip_s(good) < 0.5


def test_sending_to_a_client_that_has_gone_is_an_oserror(serve, connect):
    clients = []
    server = serve(lambda client, message: clients.append(client))
    connection = connect(server)
    connection.sendall(b"x")
    assert wait_until(lambda: clients)
    connection.close()
    assert wait_until(lambda: not server.clients)
    with pytest.raises(OSError):
        clients[0].send("anybody there?")


def test_a_dead_host_is_noticed_in_the_end(serve, connect):
    clients = []
    connection = connect(serve(lambda client, message: clients.append(client)))
    connection.sendall(b"x")
    assert wait_until(lambda: clients)
    option = clients[0].getsockopt
    assert option(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert option(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    assert option(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 10
    assert option(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3
    assert option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000


def test_a_callback_that_raises_prints_its_traceback_and_serves_on(serve, connect, capsys):
    def bad(client, message):
        if message == "boom":
            raise ValueError("in the callback")
        client.send("fine")

    connection = connect(serve(bad))
    connection.sendall(b"boom")
    said = []
    assert wait_until(
        lambda: said.append(capsys.readouterr().err) or "ValueError: in the callback" in "".join(said)
    )
    connection.sendall(b"again")
    assert receive(connection, 4) == b"fine"


# -- threads ------------------------------------------------------------------------------------------------


def test_a_threaded_callback_runs_elsewhere_and_in_order(serve, connect):
    threads, seen = set(), []

    def callback(client, message):
        threads.add(threading.current_thread().name)
        seen.append(message)
        client.send("k")

    connection = connect(serve(callback, threaded=True))
    for n in range(20):
        connection.sendall(b"%d" % n)
        assert receive(connection, 1) == b"k"
    assert seen == [str(n) for n in range(20)]
    assert len(threads) == 1
    assert threading.current_thread().name not in threads


# -- opening and closing ------------------------------------------------------------------------------------


def test_a_port_in_use_says_which_and_what_to_do(serve, board):
    server = serve(echo)
    with pytest.raises(OSError) as e:
        board.waiting.ports.add(server.port, echo, False, "127.0.0.1")
    assert e.value.errno == errno.EADDRINUSE
    assert f"port {server.port} on 127.0.0.1 is in use already" in str(e.value)
    assert "ss -ltnp" in str(e.value)


@pytest.mark.parametrize("port", [-1, 65536, 10**9])
def test_a_port_out_of_range_is_an_error(board, port):
    with raises(ValueError, f"port must be from 0 to 65535, not {port}"):
        board.waiting.ports.add(port, echo, False, "127.0.0.1")
    with pytest.raises(TypeError, match="not str"):
        board.waiting.ports.add("8080", echo, False, "127.0.0.1")


def test_an_address_of_another_machine_is_an_error(board):
    with pytest.raises(OSError, match="no address of this machine"):
        board.waiting.ports.add(0, echo, False, "192.0.2.1")


@pytest.mark.parametrize("callback", [None, 0, "echo"])
def test_a_callback_must_be_callable(board, callback):
    for kind in (TypeError, AttributeError):
        with pytest.raises(kind):
            board.waiting.ports.add(0, callback, False, "127.0.0.1")


def test_cleanup_interrupts_closes_port_and_clients(serve, connect, board):
    server = serve(echo)
    connection = connect(server)
    round_trip_s(connection)
    board.cleanup_interrupts()
    assert connection.recv(10) == b""
    with pytest.raises(ConnectionRefusedError):
        connect(server)
    again = board.waiting.ports.add(
        server.port, echo, False, "127.0.0.1"
    )  # and it may be opened again at once
    assert again.port == server.port


def test_a_callback_may_close_everything(serve, connect, board):
    connection = connect(serve(lambda client, message: board.cleanup_interrupts()))
    connection.sendall(b"x")
    assert connection.recv(10) == b""


def test_no_descriptor_is_left_after_close(sim):
    from RPIO.board.board import Board

    def open_fds():
        return sorted(os.listdir("/proc/self/fd"))

    before, threads = open_fds(), threading.enumerate()
    board = Board()
    board.use(sim, sim.hardware)
    server = board.waiting.ports.add(0, echo, True, "127.0.0.1")
    board.add_interrupt_callback(17, print, "both", 20, True, None, 0)
    board.wait_for_interrupts(True)
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        round_trip_s(connection)
        board.close()
    assert open_fds() == before
    assert new_threads(threads) == []


def test_ipv6_works_where_the_machine_has_it(board):
    try:
        server = board.waiting.ports.add(0, echo, False, "::1")
    except OSError as e:
        assert e.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
        return
    with socket.create_connection(("::1", server.port), 5) as connection:
        connection.sendall(b"six")
        assert pump(board, lambda: select.select([connection], [], [], 0)[0])
        assert connection.recv(20) == b"echo: six\n"


def test_the_loop_with_a_port_nests_in_two_others(serve, connect, board):
    """Another event loop's epoll, and one around that: Linux nests five deep."""
    server = serve(echo, loop=False)
    with select.epoll() as inner, select.epoll() as outer:
        inner.register(board.dispatcher.fileno(), select.EPOLLIN)
        outer.register(inner.fileno(), select.EPOLLIN)
        connection = connect(server)
        connection.sendall(b"deep")
        while not select.select([connection], [], [], 0)[0]:
            assert outer.poll(LIMIT_S)
            board.dispatcher.step(0)
        assert connection.recv(20) == b"echo: deep\n"


def test_tcp_needs_no_board(connect):
    from RPIO.board.board import Board

    board = Board("cdev:/dev/no-such-chip")
    server = board.waiting.ports.add(0, echo, False, "127.0.0.1")
    board.wait_for_interrupts(True)
    assert round_trip_s(connect(server)) < 1
    board.close()


def test_what_was_sent_before_a_close_arrives_whole(serve, connect, board):
    sent = []

    def answer(client, message):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        sent.append(sum(client.send(b"z" * 65536) for _ in range(15)))
        assert len(client._unsent) > 500_000
        board.close_tcp_client(client.fileno())
        with pytest.raises(OSError, match="closed"):
            client.send(b"more")

    server = serve(answer)
    connection = connect(server)
    connection.sendall(b"?")
    assert wait_until(lambda: sent)
    assert len(receive(connection, 10**9)) == sent[0]
    assert wait_until(lambda: not server.clients)


def test_sending_on_a_closed_connection_is_an_error(serve, connect):
    clients = []
    server = serve(lambda client, message: clients.append(client))
    connect(server).sendall(b"x")
    assert wait_until(lambda: clients)
    clients[0].close()
    clients[0].close()
    with pytest.raises(OSError) as e:
        clients[0].send(b"x")
    assert e.value.errno == errno.EBADF


def test_nobody_is_left_when_a_port_closes_while_clients_come(sim):
    from RPIO.board.board import Board

    for _ in range(10):
        board = Board()
        board.use(sim, sim.hardware)
        server = board.waiting.ports.add(0, echo, False, "127.0.0.1")
        board.wait_for_interrupts(True)
        stop, came = threading.Event(), threading.Event()

        def visit(port=server.port, stop=stop, came=came):
            while not stop.is_set():
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    came.set()

        visitor = threading.Thread(target=visit)
        visitor.start()
        assert came.wait(5)
        board.cleanup_interrupts()
        assert server.clients == {}
        stop.set()
        visitor.join()
        assert server.clients == {}
        board.close()


@pytest.mark.parametrize("host", [None, 127, b"127.0.0.1"])
def test_a_host_that_is_no_text_is_an_error(board, host):
    with pytest.raises(TypeError, match="host must be an address"):
        board.waiting.ports.add(0, echo, False, host)


# -- what programs of both Pythons say ------------------------------------------------------------------


def test_a_message_is_a_str_that_answers_decode(serve, connect):
    """The original gave bytes on Python 3; json.loads(message.decode()) stands in many programs."""
    seen = []

    def callback(client, message):
        seen.append(message)
        client.send(b"got " + message.decode("utf-8").encode())

    connection = connect(serve(callback))
    connection.sendall("grün".encode())
    assert receive(connection, 9) == "got grün".encode()
    (message,) = seen
    assert message == "grün" and isinstance(message, str)
    for decoded in (
        message.decode(),
        message.decode("ascii"),
        message.decode(encoding="utf-8", errors="ignore"),
    ):
        assert decoded == "grün" and type(decoded) is str


def test_threaded_callbacks_get_such_messages_too(serve, connect):
    seen = []
    connection = connect(serve(lambda client, message: seen.append(message.decode()), threaded=True))
    connection.sendall(b"hello\r\n")
    assert wait_until(lambda: seen == ["hello"])


def test_the_clients_that_are_connected_can_be_sent_to(board, serve, connect):
    first, second = serve(echo), serve(echo)
    connections = [connect(server) for server in (first, first, second)]
    assert wait_until(lambda: len(board.tcp_clients(None)) == 3)
    assert len(board.tcp_clients(first.port)) == 2
    for client in board.tcp_clients(None):
        assert isinstance(client, tcp.TcpClient) and isinstance(client, socket.socket)
        client.send("to all\n")
    assert [receive(connection, 7) for connection in connections] == [b"to all\n"] * 3
    connections[0].close()
    assert wait_until(lambda: len(board.tcp_clients(first.port)) == 1)
    board.cleanup_interrupts()
    assert board.tcp_clients(None) == []
    with raises(KeyError, f"there is no TCP callback on port {first.port}"):
        board.tcp_clients(first.port)
    with raises(TypeError, "port is an int, not '8080'"):
        board.tcp_clients("8080")
