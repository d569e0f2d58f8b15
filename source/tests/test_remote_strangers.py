# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who floods a server or speaks something else is stopped alone; and where is listened at all."""

import os
import socket
import stat
import time

import pytest

from remote_parts import OVER_TLS, program, serving
from waiting import LIMIT_S, wait_until


@pytest.fixture(scope="module")
def server():
    with serving() as made:
        yield made


# -- flooded ------------------------------------------------------------------------------------


def memory_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def test_ten_thousand_requests_whose_answers_nobody_reads_stop_nobody_else(server):
    with server.connect() as deaf, server.connect() as other:
        before_kb = memory_kb(server.pid)
        requests = b"".join(b"read %s #%d\n" % (b"4 " * 50, n) for n in range(10_000))
        deaf.socket.settimeout(0.2)
        sent = 0
        while sent < len(requests):
            try:
                sent += deaf.socket.send(requests[sent : sent + 65536])
            except TimeoutError:
                break  # the server reads no more
            assert other.ask("ping") == "ok"
        assert other.ask("ping") == "ok"
        assert memory_kb(server.pid) - before_kb < 60_000
        deaf.socket.settimeout(LIMIT_S)
        count = 0
        while count < 10_000:
            if sent < len(requests):
                deaf.socket.setblocking(False)
                try:
                    sent += deaf.socket.send(requests[sent : sent + 65536])
                except BlockingIOError:
                    pass
                deaf.socket.settimeout(LIMIT_S)
            assert deaf.read().endswith(f" #{count}")
            count += 1


def test_half_a_line_and_silence_stops_nobody(server):
    with server.connect() as half, server.connect() as other:
        half.send(b"write 17 1 #")
        for _ in range(20):
            assert other.ask("ping") == "ok"
        half.send(b"5\n")
        assert half.read() == "ok #5"


def test_a_line_without_end_is_refused_once_and_costs_no_memory(server):
    before_kb, piece = memory_kb(server.pid), b"4 " * 32768
    with server.connect() as endless, server.connect() as other:
        endless.send(b"ping\nread ")
        assert endless.read() == "ok"
        sent, slowest_s = 0, 0.0
        try:
            while sent < 100_000_000:
                endless.send(piece)
                sent += len(piece)
                if sent % (16 * len(piece)) == 0:
                    start = time.monotonic()
                    assert other.ask("ping") == "ok"
                    slowest_s = max(slowest_s, time.monotonic() - start)
                    assert memory_kb(server.pid) - before_kb < 60_000
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 100_000_000
        assert slowest_s < LIMIT_S / 4
        assert memory_kb(server.pid) - before_kb < 60_000
        assert other.ask("ping") == "ok"


@pytest.mark.skipif(OVER_TLS, reason="who has not spoken may be about to speak TLS, and waits elsewhere")
def test_more_than_there_may_be_are_told_and_closed():
    with serving(
        "from RPIO.server.sessions import sessions\nsessions.SESSIONS_MAX, sessions.SPARE = 3, 0"
    ) as server:
        peers = [server.connect() for _ in range(3)]
        assert [peer.ask("ping") for peer in peers] == ["ok"] * 3
        for _ in range(3):
            with server.connect() as fourth:
                text = fourth.rest()
                assert text.startswith(b"error OSError ")
                assert text.count(b"\n") == 1
        assert [peer.ask("ping") for peer in peers] == ["ok"] * 3
        peers.pop().close()

        def has_room():
            with server.connect() as again:
                again.send(b"ping\n")
                return again.read() == "ok"

        assert wait_until(has_room)
        for peer in peers:
            peer.close()
        assert "Warning" not in server.look()


def test_of_two_who_want_a_line_at_the_same_instant_one_has_it():
    with serving() as server:
        peers, answers = [server.connect() for _ in range(2)], []
        for line in range(2, 12):
            for peer in peers:
                peer.send(f"output {line} 1\n".encode())
            answers.append(sorted(peer.answer().split(" ", 2)[0:2] for peer in peers))
        assert answers == [[["error", "LineBusyError"], ["ok"]]] * 10
        for peer in peers:
            peer.close()


# -- somebody else ------------------------------------------------------------------------------

POST = (
    b"POST /write HTTP/1.1\r\nHost: localhost:8510\r\nContent-Type: text/plain\r\nContent-Length: 25\r\n\r\n"
)
BODY = b"output 21 1\nwrite 21 1\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TLS_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(range(200))


@pytest.mark.parametrize(
    "greeting", [POST, UPGRADE, TLS_HELLO, b"\r\n" + POST, b"SSH-2.0-OpenSSH_9.2\r\n", b"\0\0\0\n"]
)
@pytest.mark.parametrize("pieces", ["together", "apart", "byte by byte"])
def test_who_speaks_otherwise_is_told_once_and_nothing_is_done(server, greeting, pieces):
    said = greeting + BODY
    parts = {"together": [said], "apart": [greeting, BODY]}.get(
        pieces, [said[n : n + 1] for n in range(len(said))]
    )
    with server.connect() as browser, server.connect() as other:
        browser.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for part in parts:
                browser.send(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # closed in the middle
        text = browser.rest()
        assert text.count(b"\n") <= 1  # none where the end was a reset
        assert text == b"" or text.startswith(b"error ProtocolError ")
        assert other.ask("function 21") == "ok in"
        assert other.ask("consumer 21") == 'ok ""'


def test_who_speaks_otherwise_is_told_so(server):
    for greeting in (POST, UPGRADE, *([] if OVER_TLS else [TLS_HELLO])):
        with server.connect() as browser:
            browser.send(greeting.split(b"\n")[0] + b"\n")
            assert browser.read().startswith("error ProtocolError ")
            assert browser.rest() == b""


# -- where is listened --------------------------------------------------------------------------


@pytest.mark.slow
def test_a_unix_socket_is_its_users_alone_and_what_is_stale_is_replaced(tmp_path):
    path = str(tmp_path / "pins")
    with serving(path=path) as server:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with server.connect() as line:
            assert line.ask("ping") == "ok"
        with program(f"import RPIO; RPIO.serve_remote(path={path!r})") as second:
            second.says("OSError.*in use")
        with server.connect() as line:
            assert line.ask("ping") == "ok"
        server.kill()
        assert os.path.exists(path)
    with serving(path=path) as server, server.connect() as line:
        assert line.ask("ping") == "ok"


def test_a_unix_socket_goes_with_its_server(tmp_path, rpio):
    path = tmp_path / "pins"
    rpio.serve_remote(path=str(path))
    assert stat.S_ISSOCK(path.stat().st_mode)
    rpio.facade.board.close()
    assert not path.exists()


def test_what_is_no_socket_is_left_alone(tmp_path, rpio):
    path = tmp_path / "precious"
    path.write_text("text")
    with pytest.raises(OSError):
        rpio.serve_remote(path=str(path))
    assert path.read_text() == "text"


@pytest.mark.parametrize("host", ["example.org", "", "127.0.0.1.example.org", "127.1", "*"])
@pytest.mark.slow
def test_what_is_no_address_is_refused(rpio, host):
    with pytest.raises(ValueError):
        rpio.serve_remote(port=0, host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
@pytest.mark.slow
def test_what_is_this_machines_alone_is_served(rpio, host):
    port = rpio.serve_remote(port=0, host=host)
    where = "127.0.0.1" if host == "localhost" else host
    with socket.create_connection((where, port), LIMIT_S):
        pass
