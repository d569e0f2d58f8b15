# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the tests of TCP have in common: ports, those who connect to them, and how long an answer takes."""

import contextlib
import socket
import time

import pytest

from waiting import LIMIT_S


@pytest.fixture
def serve(board):
    """Open a port for a callback; returns the server. The loop runs in a thread."""

    def open_port(callback, threaded=False, loop=True):
        server = board.waiting.ports.add(0, callback, threaded, "127.0.0.1")
        if loop and not board.dispatcher.running:
            board.wait_for_interrupts(True)
        return server

    return open_port


@pytest.fixture
def connect():
    """Connect to a server; every connection is closed at the end."""
    with contextlib.ExitStack() as stack:

        def open_connection(server, timeout_s=LIMIT_S):
            return stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout_s))

        yield open_connection


def echo(client, message):
    client.send(f"echo: {message}\n")


def receive(connection, want):
    """Read until *want* bytes have come, or the end."""
    data = b""
    while len(data) < want:
        part = connection.recv(65536)
        if not part:
            break
        data += part
    return data


def round_trip_s(connection):
    start = time.monotonic()
    connection.sendall(b"ping")
    assert receive(connection, 11) == b"echo: ping\n"
    return time.monotonic() - start
