# SPDX-License-Identifier: LGPL-3.0-or-later
"""TLS without a socket, and a channel, which is a socket with it between; who waits in the lobby, and for how long."""

import contextlib
import queue
import signal
import socket
import ssl
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import RPIO
from RPIO._gpio import LineReader
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.board.board import Board
from RPIO.machine.boards import by_name
from RPIO.remote import tls
from RPIO.remote.places import hosts
from RPIO.server import serving
from RPIO.server.outside import lobby, strangers
from RPIO.server.outside.authority import Authority
from RPIO.server.outside.strangers import Refusals
from RPIO.server.sessions import sessions
from tls_parts import Device, environment
from waiting import LIMIT_S, wait_until

LINE_MAX = 1 << 22


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    made = Device(tmp_path_factory.mktemp("device"))
    made.pair()
    return made


@pytest.fixture(scope="module")
def contexts(device):
    """The client's, and the server's."""
    with environment(device.environment):
        return hosts.find("127.0.0.1").context(), device.authority.context()


HELLO = 'ok 1 a-session "a board" c03111 54 edges'


def joined(contexts):
    """Both sides, which have shaken hands, in memory."""
    client, server = tls.Tls(contexts[0]), tls.Tls(contexts[1], is_server=True)
    for _ in range(4):
        for one, other in ((client, server), (server, client)):
            if not one.is_ready:
                one.handshake()
            other.feed(one.take())
    assert client.is_ready and server.is_ready
    return client, server


def channels(contexts):
    """Both ends of a connection, and what reads the lines of each."""
    ours, theirs = socket.socketpair()
    pair = joined(contexts)
    return [
        tls.Channel(made, one, LineReader(LINE_MAX)) for made, one in zip((ours, theirs), pair, strict=True)
    ]


# -- without a socket ---------------------------------------------------------------------------


def test_each_knows_the_other_one(contexts, device):
    client, server = joined(contexts)
    assert client.certificate() == device.authority.certificate_der()
    assert server.certificate() == ssl.PEM_cert_to_DER_cert(device.certificate("laptop")[0])


def test_who_has_no_certificate_shows_none(contexts, device):
    _, server = joined((tls.client_context(device.authority.path), contexts[1]))
    assert server.certificate() == b""


@given(said=st.lists(st.binary(min_size=1, max_size=40_000), max_size=6), cuts=st.lists(st.integers(1, 9000)))
@pytest.mark.slow
def test_what_is_said_is_read_however_the_wire_delivers_it(contexts, said, cuts):
    client, server = joined(contexts)
    for data in said:
        done = 0
        while done < len(data):
            done += client.write(data[done:])
    wire, found = client.take(), b""
    for cut in cuts:
        server.feed(wire[:cut])
        wire = wire[cut:]
        found += server.read()
    server.feed(wire)
    assert found + server.read() == b"".join(said)


@pytest.mark.parametrize(
    "size", [tls.SHORT - 1, tls.SHORT, tls.SHORT + 1, tls.RECORD, tls.RECORD + 1, 100_000]
)
def test_what_is_as_long_as_a_piece_is_read_at_once(contexts, size):
    client, server = joined(contexts)
    done = 0
    while done < size:
        done += client.write(b"x" * (size - done))
    server.feed(client.take())
    assert len(server.read()) == size


def test_what_was_changed_on_its_way_is_no_more_read(contexts):
    client, server = joined(contexts)
    client.write(b"write 17 1 #1\n")
    wire = bytearray(client.take())
    wire[-1] ^= 1
    server.feed(bytes(wire))
    with pytest.raises(ssl.SSLError) as caught:
        server.read()
    assert tls.explained(caught.value)


@pytest.mark.parametrize("code", [*tls.ADVICE, 77])
def test_why_a_certificate_is_not_taken_is_told_in_words(code):
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "it says so"
    text = tls.explained(error, "its certificate")
    assert text.startswith("its certificate ") and "{" not in text


# -- a channel ----------------------------------------------------------------------------------


def test_lines_come_as_by_a_socket(contexts):
    ours, theirs = channels(contexts)
    lines = []
    ours.send(b"one\ntwo\nthr")
    assert theirs.read(0, lines, 0) > 0 and lines == [b"one", b"two"] and theirs.begun == b"thr"
    ours.send(b"ee\n")
    theirs.read(0, lines, 0)
    assert lines[2:] == [b"three"]
    ours.close()
    assert theirs.read(0, lines, 0) == 0
    theirs.close()


@pytest.mark.slow
def test_what_the_kernel_does_not_take_waits_and_comes_in_order(contexts):
    ours, theirs = channels(contexts)
    for each in (ours, theirs):
        each.setblocking(False)
    text = b"".join(b"%d\n" % number for number in range(400_000))
    sent, lines = 0, []
    with pytest.raises(BlockingIOError):
        while True:
            sent += ours.send(text[sent:])
    assert ours.is_pending

    def all_has_come():
        nonlocal sent
        try:
            while sent < len(text):
                sent += ours.send(text[sent:])
            ours.flush()
        except BlockingIOError:
            pass  # there is room again when that side has read
        try:
            theirs.read(0, lines, 0)
        except BlockingIOError:
            pass  # it was a part of a record
        return len(lines) == 400_000

    assert wait_until(all_has_come)
    assert lines == [b"%d" % number for number in range(400_000)]
    ours.close()
    theirs.close()


def test_one_that_has_patience_sends_all_of_a_record(contexts):
    ours, theirs = channels(contexts)
    ours.patience_s = LIMIT_S
    ours.setblocking(False)
    lines, text = [], b"x" * 3_000_000 + b"\n"

    def read():
        while not lines:
            theirs.read(0, lines, 0)

    reader = threading.Thread(target=read)
    reader.start()
    sent = 0
    while sent < len(text):
        try:
            sent += ours.send(text[sent:])
        except BlockingIOError:
            continue
        assert not ours.is_pending
    reader.join(LIMIT_S)
    assert lines == [text[:-1]]
    ours.close()
    theirs.close()


def test_a_line_that_is_too_long_is_an_error_and_the_channel_is_whole(contexts):
    ours, theirs = channels(contexts)
    theirs.reader = LineReader(10)
    ours.send(b"x" * 11)
    with pytest.raises(ValueError):
        theirs.read(0, [], 0)
    assert not theirs.is_torn
    ours.close()
    theirs.close()


def test_a_handler_that_comes_while_nothing_comes_may_ask_itself(contexts):
    """It is what most of them do: a program sleeps in a receive nearly all the time."""
    ours, theirs = channels(contexts)
    theirs.send(b"answer\n")
    theirs.send(b"another\n")
    lines = []

    inner = ours._receive_raw
    calls = []

    def receive(size, flags):
        if not calls:
            calls.append(1)
            ours.read(0, lines, 0)
        return inner(size, flags)

    ours._receive_raw = receive
    theirs.setblocking(False)
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        ours.read(0, lines, 0)  # the handler has had it all
    assert lines == [b"answer", b"another"]
    assert not ours.is_torn
    ours.close()
    theirs.close()


def test_one_that_comes_in_the_middle_of_a_record_is_refused_and_nothing_is_mixed_up(contexts):
    ours, theirs = channels(contexts)
    inner, refused = ours._send_raw, []

    def send(data):
        with pytest.raises(ConnectionResetError) as caught:
            ours.send(b"of the handler\n")
        refused.append(caught.value)
        return inner(data)

    ours._send_raw = send
    ours.send(b"of the program\n")
    lines = []
    theirs.read(0, lines, 0)
    assert lines == [b"of the program"] and refused
    ours.close()
    theirs.close()


@pytest.mark.parametrize("is_blocking", [True, False])
def test_a_part_of_a_record_is_not_taken_for_all_that_is_there(contexts, is_blocking):
    """Who has hung up is not watched any more: nobody would look again."""
    ours, theirs = channels(contexts)
    theirs.setblocking(is_blocking)
    text = b"x" * 3 * tls.RECORD  # each record is longer on the wire than what is taken at once
    sent = 0
    while sent < len(text):
        sent += ours.send(text[sent:])
    found = b""
    while len(found) < len(text):
        found += theirs.recv(1 << 16)
    assert found == text
    ours.close()
    theirs.close()


@pytest.mark.parametrize("what", ["send", "read"])
def test_who_is_interrupted_in_the_middle_of_a_record_leaves_it_torn(contexts, what):
    ours, theirs = channels(contexts)
    theirs.send(b"answer\n")

    def interrupted(*ignored):
        raise KeyboardInterrupt

    if what == "send":
        ours._send_raw = interrupted
    else:
        ours._open = interrupted
    with pytest.raises(KeyboardInterrupt):
        ours.send(b"x\n") if what == "send" else ours.read(0, [], 0)
    assert ours.is_torn
    ours.close()
    theirs.close()


def test_a_signal_while_it_waits_leaves_it_whole(contexts):
    ours, theirs = channels(contexts)

    class Over(Exception):
        """What the handler raises."""

    def over(number, frame):
        raise Over

    before = signal.signal(signal.SIGALRM, over)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Over):
            ours.read(0, [], 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not ours.is_torn
    theirs.send(b"answer\n")
    lines = []
    ours.read(0, lines, 0)
    assert lines == [b"answer"]
    ours.close()
    theirs.close()


# -- the end of what is said --------------------------------------------------------------------


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_one_side_ends_and_still_hears_the_other_one(device, version):
    with environment(device.environment):
        client = hosts.find("127.0.0.1").context()
    client.maximum_version = getattr(ssl.TLSVersion, version)
    ours, theirs = channels((client, device.authority.context()))
    ours.send(b"a question")
    ours.shutdown(socket.SHUT_WR)
    assert theirs.recv(100) == b"a question" and received(theirs) == b""
    theirs.send(b"x" * 3000)
    theirs.shutdown(socket.SHUT_WR)
    assert ours.recv(100) == b"x" * 3000 and received(ours) == b""
    ours.close()
    theirs.close()


def received(channel):
    """What has come next: what is about the connection alone is nothing."""
    while True:
        try:
            return channel.recv(100)
        except BlockingIOError:
            continue


def test_who_is_cut_off_is_not_taken_for_one_who_has_ended(contexts):
    """Somebody between may send the end of a TCP connection, and none of TLS."""
    ours, theirs = channels(contexts)
    ours.send(b"rm -r /tmp/a")  # ...bc
    ours._socket.shutdown(socket.SHUT_WR)
    assert theirs.recv(100) == b"rm -r /tmp/a"
    with pytest.raises(ConnectionResetError, match="cut off"):
        received(theirs)
    ours.close()
    theirs.close()


def test_an_end_that_the_kernel_does_not_take_is_told_when_it_does(contexts):
    ours, theirs = channels(contexts)
    ours.setblocking(False)
    inner = ours._send_raw

    def full(data):
        raise BlockingIOError

    ours._send_raw = full
    ours.shutdown(socket.SHUT_WR)
    assert ours.is_pending
    ours._send_raw = inner
    assert ours.flush() and received(theirs) == b""
    ours.close()
    theirs.close()


def test_who_closes_without_a_word_as_the_child_of_a_fork_does_says_nothing_by_tls(contexts):
    ours, theirs = channels(contexts)
    ours.close()
    theirs.setblocking(False)
    assert theirs._socket.recv(100) == b""
    theirs.close()


def test_who_says_that_he_ends_it_is_not_taken_for_one_who_is_cut_off(contexts):
    ours, theirs = channels(contexts)
    ours.send(b"the last\n")
    for _ in range(2):
        ours.say_end()
    ours.close()
    ours.say_end()
    assert theirs.recv(100) == b"the last\n" and received(theirs) == b""
    theirs.close()


def test_an_end_that_cannot_be_told_at_once_is_not_waited_for(contexts):
    ours, theirs = channels(contexts)
    ours.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            ours.send(b"x" * 1000)
    ours.say_end()
    ours.close()
    theirs.close()
    ours, theirs = channels(contexts)
    ours.is_torn = True  # in the middle of a record
    ours.say_end()
    ours.close()
    theirs.setblocking(False)
    assert theirs._socket.recv(100) == b""
    theirs.close()


def test_a_client_that_closes_tells_the_server_so_by_tls(device):
    found = []

    def serve():
        made, _ = listener.accept()
        with device.authority.context().wrap_socket(
            made, server_side=True, suppress_ragged_eofs=False
        ) as served:
            served.settimeout(LIMIT_S)
            lines = served.makefile("rb")
            for line in iter(lines.readline, b""):
                words, _, number = line.decode().strip().rpartition(" ")
                found.append(words.split()[0])
                served.sendall(f"{HELLO if found[-1] == 'hello' else 'ok'} {number}\n".encode())
            found.append("the end")

    with environment(device.environment), socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        RPIO.connect(f"127.0.0.1:{listener.getsockname()[1]}").close()
        thread.join()
    assert found == ["hello", "bye", "the end"]  # else reading has raised SSLEOFError


def test_who_asks_for_keys_again_and_again_and_reads_nothing_is_ended(contexts):
    ours, theirs = channels(contexts)
    theirs.setblocking(False)

    def full(data):
        raise BlockingIOError

    theirs._send_raw = full
    theirs._take = lambda: b"x" * 29  # an answer; Python cannot ask for new keys
    with pytest.raises(ConnectionResetError, match="takes no answers"):
        for _ in range(tls.ANSWERS_MAX):
            theirs._answer()
    assert len(theirs.pending) < tls.ANSWERS_MAX + 100
    ours.close()
    theirs.close()


class Trickle:
    """A socket from which a record comes by a byte each millisecond: 16 s, and what it has may go on in the next."""

    count = 0

    def settimeout(self, timeout_s):
        assert timeout_s > 0

    def sendall(self, data):
        """Nobody reads it."""

    def recv(self, size):
        threading.Event().wait(0.001)
        self.count += 1
        return b"\x16\x03\x03\x40\x00\x02\x00\x40\x00"[self.count - 1 : self.count] or b"\0"


def test_a_handshake_that_trickles_ends_in_time(contexts):
    with pytest.raises(TimeoutError, match=r"pi\.local:8510 has not shaken hands within 0\.2 s"):
        tls.connected(Trickle(), contexts[0], 0.2, "pi.local:8510")


# -- the lobby ----------------------------------------------------------------------------------


def test_refusals_are_a_line_of_each_address_and_minute(caplog):
    now_ns = 0
    refusals = Refusals(lambda: now_ns)
    for _ in range(50):
        for address in ("10.0.0.1", "10.0.0.2"):
            refusals.note(address, "it speaks no TLS")
    assert [record.getMessage() for record in caplog.records] == [
        f"10.0.0.{number} is refused: it speaks no TLS" for number in (1, 2)
    ]
    assert refusals.count("10.0.0.1") == 50 and refusals.count("10.0.0.3") == 0
    caplog.clear()
    now_ns += 60 * 10**9
    assert refusals.count("10.0.0.1") == 0
    refusals.note("10.0.0.2", "it speaks no TLS")
    assert "10.0.0.2 was refused 50 times in a minute" in caplog.text


def test_addresses_that_were_refused_are_remembered_up_to_a_number():
    refusals = Refusals(lambda: 0)
    for number in range(2 * strangers.ADDRESSES_MAX):
        refusals.note(f"10.0.{number >> 8}.{number & 255}", "it speaks no TLS")
    assert len(refusals._known) == strangers.ADDRESSES_MAX


def test_who_has_very_many_addresses_does_not_fill_the_log(caplog):
    now_ns = 0
    refusals = Refusals(lambda: now_ns)
    for _ in range(2):
        caplog.clear()
        for number in range(5000):
            refusals.note(f"2001:db8::{number:x}", "it speaks no TLS")
        assert len(caplog.records) == strangers.LINES_MAX
        assert "no more are named" in caplog.records[-1].getMessage()
        now_ns += 60 * 10**9


def test_of_too_many_who_wait_those_go_who_are_the_most():
    few = {f"few {n}": f"192.0.2.{n}" for n in range(4)}
    many = {f"many {n}": f"2001:db8::{n:x}" for n in range(20)}
    gone = [
        strangers.first_to_go({**few, **many}, address, 32, 24) for address in ("192.0.2.9", "2001:db8::99")
    ]
    assert gone == ["many 0", "many 0"]  # of one network, in whose addresses whoever has one has all
    assert strangers.first_to_go({**few, **many}, "192.0.2.9", 32, 25) is None
    assert strangers.first_to_go(few, "192.0.2.3", 1, 25) == "few 3"
    assert strangers.network_of("fe80::1%eth0") == strangers.network_of("fe80::2%eth1")
    assert strangers.network_of("192.0.2.1") == "192.0.2.1" and strangers.network_of(":") == ":"


class Front:
    """What a lobby needs of the one that it is of; what is to be done soon is done by ``turn``."""

    def __init__(self):
        self.calls = queue.SimpleQueue()
        self.soon = self.calls.put

    def turn(self):
        self.calls.get(timeout=LIMIT_S)()


@pytest.mark.parametrize("step", ["grant", "begin"])
def test_one_who_is_interrupted_as_he_is_let_in_leaves_no_session(device, contexts, monkeypatch, step):
    with environment(device.environment):
        board = Board("sim")
        board.use(SimBackend(by_name("3B+"), ManualClock()))
        port = serving.serve(board, 0, "any", None)
        (front,) = board.waiting.ports.servers

        def interrupted(*ignored):
            raise KeyboardInterrupt

        of, name = (sessions.Session, "grant") if step == "grant" else (type(front), "begin")
        monkeypatch.setattr(of, name, interrupted)
        made = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        channel = []
        shaking = threading.Thread(
            target=lambda: channel.append(tls.connected(made, contexts[0], LIMIT_S, "there"))
        )
        shaking.start()
        with pytest.raises(KeyboardInterrupt):
            while True:
                board.dispatcher.step(0.1)
        shaking.join(LIMIT_S)
        assert channel and not front.links and front.sessions.is_empty and not front.doors[0].lobby.waiting
        made.settimeout(LIMIT_S)
        assert received(channel[0]) == b""  # and by TLS
        made.close()
        board.close()


def test_a_certificate_that_is_made_anew_is_the_one_of_who_comes_next(tmp_path, monkeypatch):
    """It is looked at in a thread: openssl takes its time, in which others are served."""
    names = ["DNS:one"]
    front = Front()
    made = lobby.Lobby(front, Authority(str(tmp_path / "tls"), names=lambda: names))
    first = made.context()
    assert made.context() is first
    names.append("DNS:two")
    with monkeypatch.context() as patched:
        patched.setattr(lobby, "FRESH_NS", -1)
        before = made.certificate
        assert made.context() is first and made.context() is first
    front.turn()
    assert made.context() is not first and made.certificate != before
    assert front.calls.empty()


def test_one_that_cannot_be_looked_at_stays_as_it_was(tmp_path, monkeypatch, caplog):
    front = Front()
    made = lobby.Lobby(front, Authority(str(tmp_path / "tls")))
    first = made.context()
    (tmp_path / "tls" / "ca.key").chmod(0o644)
    with monkeypatch.context() as patched:
        patched.setattr(lobby, "FRESH_NS", -1)
        assert made.context() is first
    front.turn()
    assert made.context() is first
    assert "the certificate is not looked at" in caplog.text


def test_when_the_clock_has_been_set_nobody_is_shown_a_certificate_that_is_not_valid(tmp_path, monkeypatch):
    """As a Pi's is when it has asked the network, some time after it was started."""
    now_s = time.time() - 10 * 365 * 86400
    front = Front()
    made = lobby.Lobby(front, Authority(str(tmp_path / "tls"), now_s=lambda: now_s))
    monkeypatch.setattr(lobby, "time", lambda: now_s)
    first, before = made.context(), made.certificate
    now_s = time.time()
    assert made.context() is None  # who comes waits
    waits = made.waiting[1] = Waits()
    front.turn()
    assert waits.goes_on and made.context() not in (None, first) and made.certificate != before


class Waits:
    """One who does so in the lobby."""

    due_ns, goes_on = None, False

    def go_on(self):
        self.goes_on = True
