# SPDX-License-Identifier: LGPL-3.0-or-later
"""Ctrl+C at any moment while a port opens or closes, or a connection: what is done again then leaves nothing open."""

import gc
import os
import socket
import subprocess
import sys

import pytest

from interrupted.moments import every_point
from ports import free_port
from RPIO.board.board import Board
from support import pump
from tcp_peers import echo
from waiting import LIMIT_S

pytestmark = pytest.mark.filterwarnings(
    # A socket that Ctrl+C finds between its making and the first name for it is closed at once, with this warning.
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


def ctrl_c():
    raise KeyboardInterrupt


def every_attempt(attempt, step):
    """Each attempt is a generator: it prepares, yields the call that Ctrl+C interrupts, and looks at what is left."""
    now = []

    def prepare():
        running = attempt()
        now[:] = [running, next(running)]

    def check(error):
        assert error is None or type(error) is KeyboardInterrupt, repr(error)
        assert next(now[0], "over") == "over"

    def call():
        now[1]()

    assert every_point(prepare, call, ctrl_c, check, step) > 10


def open_fds():
    return sorted(os.listdir("/proc/self/fd"))


def are_open(before):
    """Whether these descriptors are open, and no others. A cycle may keep one: to look for those takes long."""
    return open_fds() == before or (gc.collect() >= 0 and open_fds() == before)


@pytest.fixture
def loop_is_there(board):
    """What is opened once, with the first port and in the first turns of the loop."""
    server = board.waiting.ports.add(0, echo, False, "127.0.0.1")
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port)):
            assert pump(board, lambda: server.clients)
        assert pump(board, lambda: not server.clients)
    board.cleanup_interrupts()
    return board


def has_client_with_unsent(board, server, connection):
    assert pump(board, lambda: server.clients)
    (client,) = server.clients.values()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    while len(client._unsent) < 500_000:
        client.send(b"z" * 65536)
    return client


@pytest.mark.parametrize("threaded", [False, True])
def test_a_port_whose_opening_is_interrupted_is_closed_by_cleanup(loop_is_there, threaded):
    board, before = loop_is_there, open_fds()
    port = free_port()

    def attempt():
        yield lambda: board.waiting.ports.add(port, echo, threaded, "127.0.0.1")
        board.cleanup_interrupts()
        assert are_open(before) and not board.waiting.has_ports

    every_attempt(attempt, step=3)
    assert board.waiting.ports.add(port, echo, threaded, "127.0.0.1").port == port


@pytest.mark.parametrize("threaded", [False, True])
def test_a_cleanup_that_is_interrupted_is_done_again(loop_is_there, threaded):
    board, before = loop_is_there, open_fds()

    def attempt():
        servers = [board.waiting.ports.add(0, echo, threaded, "127.0.0.1") for _ in range(2)]
        held = []
        with socket.socket() as silent, socket.socket() as deaf:
            silent.connect(("127.0.0.1", servers[0].port))
            deaf.connect(("127.0.0.1", servers[1].port))
            held.append(has_client_with_unsent(board, servers[1], deaf))
            assert pump(board, lambda: servers[0].clients)
            held += servers[0].clients.values()
            yield board.cleanup_interrupts
            board.cleanup_interrupts()
            assert all(client.fileno() == -1 for client in held)
        assert are_open(before) and not board.waiting.has_ports

    every_attempt(attempt, step=3)


def ends(board, client):
    return {
        "close": client.close,
        "discard": client.discard,
        "close_tcp_client": lambda: (
            board.waiting.ports.close_client(client.number) if client.fileno() >= 0 else None
        ),
    }


@pytest.mark.parametrize("how", ["close", "discard", "close_tcp_client"])
def test_the_end_of_a_client_that_is_interrupted_is_done_again(loop_is_there, how):
    board = loop_is_there
    server = board.waiting.ports.add(0, echo, False, "127.0.0.1")
    before = open_fds()

    def attempt():
        with socket.create_connection(("127.0.0.1", server.port)):
            assert pump(board, lambda: server.clients)
            (client,) = server.clients.values()
            yield ends(board, client)[how]
            ends(board, client)[how]()
            client.close()  # close_tcp_client() knows it no more
            assert client.fileno() == -1 and not server.clients
        assert are_open(before)

    every_attempt(attempt, step=3)


def test_a_client_whose_giving_away_is_interrupted_can_be_given_away(loop_is_there):
    board = loop_is_there
    server = board.waiting.ports.add(0, echo, False, "127.0.0.1")

    def attempt():
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            assert pump(board, lambda: server.clients)
            (client,) = server.clients.values()
            number, given = client.fileno(), []
            yield lambda: given.append(client.detach())
            fd = number if client.fileno() < 0 else client.detach()  # a number that was lost on its way
            os.write(fd, b"!")
            assert connection.recv(1) == b"!" and not server.clients
            os.close(fd)

    every_attempt(attempt, step=1)


def test_a_board_whose_end_is_interrupted_is_closed_again(sim):
    before = open_fds()

    def attempt():
        board = Board()
        board.use(sim, sim.hardware)
        server = board.waiting.ports.add(0, echo, True, "127.0.0.1")
        with socket.create_connection(("127.0.0.1", server.port)):
            assert pump(board, lambda: server.clients)
            yield board.cleanup_interrupts
            board.close()
        assert are_open(before)

    every_attempt(attempt, step=7)


SIGNALS = """
import random, signal, RPIO
signal.signal(signal.SIGALRM, signal.default_int_handler)
port = RPIO.add_tcp_callback(0, print, host="127.0.0.1")
RPIO.cleanup()
interrupted = 0
while interrupted < 150:
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0003, 0.003))
        while True:
            RPIO.add_tcp_callback(port, print, host="127.0.0.1")
            RPIO.cleanup_interrupts()
    except KeyboardInterrupt:
        interrupted += 1
    RPIO.cleanup()
    RPIO.add_tcp_callback(port, print, host="127.0.0.1")
    RPIO.cleanup()
print(interrupted)
"""


@pytest.mark.slow
def test_after_a_signal_at_any_moment_the_port_can_be_opened_again():
    done = subprocess.run(
        [sys.executable, "-c", SIGNALS],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "RPIO_BACKEND": "sim"},
        check=False,
    )
    assert (done.stdout, done.stderr) == ("150\n", "")
