# SPDX-License-Identifier: LGPL-3.0-or-later
"""Pipes that are lent to a daemon, which serves who is at their other ends: by hand, and by rpio serve --stdio."""

import array
import contextlib
import fcntl
import os
import resource
import signal
import socket
import struct

import pytest

from remote_parts import daemon, error, serving
from test_stdio import stdio
from waiting import LIMIT_S, wait_until

NOT_HERE = "the far end has no pipes that can be read without waiting: Linux before 6.4"


def why_not():
    reader, writer = os.pipe()
    try:
        os.preadv(reader, [bytearray(1)], -1, os.RWF_NOWAIT)
    except BlockingIOError:
        return ""
    except (OSError, AttributeError):
        return NOT_HERE
    finally:
        os.close(reader)
        os.close(writer)


pytestmark = pytest.mark.skipif(bool(why_not()), reason=NOT_HERE)


@pytest.fixture
def server(tmp_path):
    """A program that serves at the socket of this user's daemon."""
    (tmp_path / "rpio").mkdir(mode=0o700)
    with serving('RPIO.protect(17, safe="low")', path=str(tmp_path / "rpio" / "rpio.sock")) as made:
        yield made


def opened(server):
    """What it has open."""
    found, folder = [], f"/proc/{server.pid}/fd"
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # it has been closed meanwhile
            found.append(os.readlink(f"{folder}/{name}"))
    return sorted(found)


@contextlib.contextmanager
def nothing_is_left(server):
    """What the server has open is the same afterwards."""
    with server.connect() as first:
        assert first.ask("ping") == "ok"
        with_one = opened(server)  # and what it opens once is open
    assert wait_until(lambda: len(opened(server)) == len(with_one) - 1)
    before = opened(server)
    yield
    assert wait_until(lambda: opened(server) == before), (opened(server), before)


class Lender:
    """Who has asked to lend, and the two pipes that he has."""

    def __init__(self, server, idle_s=600.0):
        self.line = server.connect()
        self.theirs_in, self._in = os.pipe()
        self._out, self.theirs_out = os.pipe()
        self.out = os.fdopen(self._out, "rb")
        self.asked = self.line.ask(f"lend {idle_s}")

    def lend(self, *fds, data=b"\n"):
        """Hand these over, or the two; return the answer."""
        fds = fds or (self.theirs_in, self.theirs_out)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        self.line.socket.sendmsg([data], rights)
        return self.line.read()

    def send(self, text):
        os.write(self._in, f"{text}\n".encode())

    def ask(self, text):
        self.send(text)
        return self.out.readline().decode().rstrip("\n")

    def hang_up(self):
        """As sshd does when the client has gone."""
        for fd in (self._in,):
            os.close(fd)
        self._in = -1

    def close(self):
        self.line.close()
        self.out.close()
        for fd in (self._in, self.theirs_in, self.theirs_out):
            if fd >= 0:
                os.close(fd)


@contextlib.contextmanager
def lending(server, idle_s=600.0):
    made = Lender(server, idle_s)
    try:
        yield made
    finally:
        made.close()


# -- what is lent is a session --------------------------------------------------------------------


def test_who_is_at_the_other_end_has_a_session_of_his_own(server):
    with nothing_is_left(server), lending(server) as lender, server.connect() as other:
        assert (lender.asked, lender.lend()) == ("ok", "ok")
        assert lender.ask('hello 1 "me" "" 0.0 "" #1').startswith("ok 1 ")
        assert lender.ask("output 17 1 #2") == "ok #2"
        assert lender.ask("write 17 0 #3") == "ok #3"
        assert lender.ask("write 17 1 #4") == "ok #4"
        assert other.levels(17) == [1]
        assert other.ask("consumer 17") == "ok me"
        assert lender.ask("bye #5") == "ok #5"
        assert lender.line.rest() == b""
        assert other.levels(17) == [0]


def test_it_is_listed_as_the_lenders_and_once(server):
    with lending(server) as lender, server.connect() as other:
        before = other.ask("sessions")
        assert lender.lend() == "ok"
        assert lender.ask("ping") == "ok"
        after = other.ask("sessions")
        assert before.count(f"process {os.getpid()}") == after.count(f"process {os.getpid()}") > 0


def test_what_its_session_may_is_what_the_socket_gives(tmp_path):
    config = f"[access]\nopen = ['read']\ntokens = '{tmp_path}/tokens'\n"
    with daemon(tmp_path, config=config) as served, lending(served) as lender:
        assert lender.lend() == "ok"
        assert lender.ask("read 17") == "ok 0"
        assert error(lender.ask("output 17 1")) == "NotAllowedError"


def test_it_ends_with_the_lender_and_its_lines_are_safe(server):
    with nothing_is_left(server), lending(server) as lender, server.connect() as other:
        assert lender.lend() == "ok"
        assert lender.ask("output 17 1") == "ok"
        lender.line.close()
        assert wait_until(lambda: other.levels(17) == [0])


@pytest.mark.parametrize("end", ["reads", "writes"])
def test_the_lender_hears_of_its_end(server, end):
    with nothing_is_left(server), lending(server) as lender:
        assert lender.lend() == "ok"
        assert lender.ask("ping") == "ok"
        if end == "writes":
            lender.hang_up()
        else:
            os.close(lender.theirs_out)
            lender.theirs_out = -1
            lender.out.close()
        os.close(lender.theirs_in)
        lender.theirs_in = -1
        assert lender.line.rest() == b""


def test_a_lender_who_goes_on_talking_ends_it(server):
    with nothing_is_left(server), lending(server) as lender:
        assert lender.lend() == "ok"
        lender.line.send(b"ping\n")
        assert lender.line.rest() == b""
        os.close(lender.theirs_out)
        lender.theirs_out = -1
        assert lender.out.read() == b""


def test_who_says_nothing_for_so_long_has_gone(server):
    with nothing_is_left(server), lending(server, 0.5) as lender, server.connect() as other:
        assert lender.lend() == "ok"
        assert lender.ask("output 17 1") == "ok"
        assert lender.line.read() == (
            'error NoBackendError "nothing has come from the other machine for 0.5 s: it counts as gone"'
        )
        assert lender.line.rest() == b""
        assert wait_until(lambda: other.levels(17) == [0])


@pytest.mark.slow
def test_who_says_an_empty_line_now_and_then_is_there(server):
    with lending(server, 1.5) as lender:
        assert lender.lend() == "ok"
        for _ in range(10):
            lender.send("")
            assert not wait_until(lambda: lender.line.socket.fileno() < 0, timeout_s=0.25)
        assert lender.ask("ping") == "ok"


def test_pipes_that_block_stop_nobody(server):
    with nothing_is_left(server), lending(server) as lender, server.connect() as other:
        assert lender.lend() == "ok"
        os.set_blocking(lender.theirs_in, True)
        os.set_blocking(lender.theirs_out, True)
        count = 20_000
        os.set_blocking(lender._in, False)
        asked, sent = b"".join(b"ping #%d\n" % number for number in range(1, count)), 0
        while sent < len(asked):  # more than the pipe of the answers has room for
            try:
                sent += os.write(lender._in, asked[sent : sent + 4096])
            except BlockingIOError:
                assert other.ask("ping") == "ok"
                break
        assert sent < len(asked)
        assert other.ask("ping") == "ok"
        fcntl.fcntl(lender.theirs_in, fcntl.F_SETFL, 0)
        assert other.ask("ping") == "ok"


# -- what is not taken ----------------------------------------------------------------------------


def sockets(lender):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        return lender.lend(ours.fileno(), theirs.fileno())


def files(lender):
    with open("/dev/zero", "rb") as zero, open("/dev/null", "wb") as null:
        return lender.lend(zero.fileno(), null.fileno())


BAD = {
    "none": (lambda lender: lender.line.ask(""), "ValueError"),
    "one": (lambda lender: lender.lend(lender.theirs_in), "ValueError"),
    "three": (lambda lender: lender.lend(*[lender.theirs_in, lender.theirs_out] * 2), "ValueError"),
    "a hundred": (lambda lender: lender.lend(*[lender.theirs_in] * 100), "ValueError"),
    "the wrong ends": (lambda lender: lender.lend(lender._in, lender._out), "ValueError"),
    "twice the same": (lambda lender: lender.lend(lender.theirs_in, lender._in), "ValueError"),
    "sockets": (sockets, "NotSupportedError"),
    "devices": (files, "NotSupportedError"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_pair_of_pipes_is_closed_and_told(server, what):
    hand_over, kind = BAD[what]
    with nothing_is_left(server), server.connect() as other:
        with lending(server) as lender:
            assert error(hand_over(lender)) == kind
            assert lender.line.rest() == b""
        assert other.ask("ping") == "ok"


def test_descriptors_that_nobody_has_asked_for_are_closed(server):
    with nothing_is_left(server), lending(server) as lender, server.connect() as line:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [lender.theirs_in] * 3))]
        for number in range(20):
            line.socket.sendmsg([b"ping #%d\n" % number], rights)
            assert line.read() == f"ok #{number}"
        line.socket.sendmsg([b"lend 5\n"], rights)
        assert line.read() == "ok"


def test_a_lender_who_hands_nothing_over_stops_nobody(server):
    with nothing_is_left(server), lending(server) as lender, server.connect() as other:
        assert lender.asked == "ok"
        assert other.ask("ping") == "ok"
        lender.line.socket.shutdown(socket.SHUT_WR)
        assert lender.line.rest() == b""


def test_a_lender_who_breaks_off_leaves_nothing(server):
    with nothing_is_left(server):
        for _ in range(20):
            with lending(server) as lender:
                lender.line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                rights = array.array("i", (lender.theirs_in, lender.theirs_out))
                lender.line.socket.sendmsg([b"\n"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


@pytest.mark.parametrize("idle_s", ["0", "-1", "nan", "1e9", "soon"])
def test_a_time_that_is_none_is_refused(server, idle_s):
    with server.connect() as line:
        assert line.ask("ping") == "ok"
        assert error(line.ask(f"lend {idle_s}")) == "ValueError"
        assert line.ask("ping") == "ok"


def test_a_port_takes_nothing():
    with serving() as server, server.connect() as line:
        assert error(line.ask("lend 5")) == "NotSupportedError"
        assert line.ask("ping") == "ok"


def test_where_no_descriptor_is_left_it_is_told(tmp_path):
    path = str(tmp_path / "rpio.sock")
    with serving(path=path) as server, lending(server) as lender, server.connect() as other:
        assert other.ask("ping") == "ok"
        most = max(map(int, os.listdir(f"/proc/{server.pid}/fd"))) + 1
        before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (most, before[1]))
        assert error(lender.lend()) == "ValueError"
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)
        assert other.ask("ping") == "ok"


# -- rpio serve --stdio ---------------------------------------------------------------------------


def has_lent(far, server):
    """Whether the server has what is the standard input of *far*."""
    return os.readlink(f"/proc/self/fd/{far.process.stdin.fileno()}") in opened(server)


@contextlib.contextmanager
def lent(tmp_path, *words):
    with stdio(tmp_path, "--idle-timeout", "60", *words) as far:
        assert far.ask('hello 1 "me" "" 0.0 "" #1').startswith("ok 1 ")
        assert far.ask("output 17 1 #2") == "ok #2"
        yield far


def test_stdio_lends_and_ends_with_its_client(tmp_path, server):
    with nothing_is_left(server), lent(tmp_path) as far, server.connect() as other:
        assert has_lent(far, server)
        assert f"process {far.process.pid}" in other.ask("sessions")
        far.hang_up()
        assert far.end() == (0, b"", "")
        assert wait_until(lambda: other.levels(17) == [0])


def test_stdio_ends_after_goodbye(tmp_path, server):
    with lent(tmp_path) as far:
        assert far.ask("bye #3") == "ok #3"
        assert far.end() == (0, b"", "")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_stdio_that_is_killed_ends_its_session(tmp_path, server, number):
    with nothing_is_left(server), lent(tmp_path) as far, server.connect() as other:
        far.process.send_signal(number)
        assert far.end() == (-number, b"", "")
        assert wait_until(lambda: other.levels(17) == [0])


def test_stdio_ends_with_the_daemon(tmp_path, server):
    with lent(tmp_path) as far:
        server.kill()
        assert far.end() == (0, b"", "")


@pytest.mark.slow
def test_stdio_leaves_a_daemon_alone_that_does_not_go_on(tmp_path, server):
    with lent(tmp_path) as far:
        os.kill(server.pid, signal.SIGSTOP)
        far.hang_up()
        far.process.stdout.close()
        far._out.close()
        assert far.process.wait(LIMIT_S) == 0
        os.kill(server.pid, signal.SIGCONT)
        far._out = open(os.devnull, "rb")  # noqa: SIM115 - for close()


OLDER = "from RPIO.wire import operations; del operations.OPERATIONS['lend']"
OLDER_KERNEL = """
import os
def preadv(*words):
    raise OSError(95, "Operation not supported")
os.preadv = preadv
"""


@pytest.mark.parametrize("prelude", [OLDER, OLDER_KERNEL], ids=["an older daemon", "an older kernel"])
def test_where_nothing_can_be_lent_stdio_hands_on_as_before(tmp_path, prelude):
    (tmp_path / "rpio").mkdir(mode=0o700)
    with serving(prelude, path=str(tmp_path / "rpio" / "rpio.sock")) as server, lent(tmp_path) as far:
        assert not has_lent(far, server)
        assert far.ask("read 17 #3") == "ok 1 #3"
        far.hang_up()
        assert far.end() == (0, b"", "")


def test_without_a_time_to_wait_for_nothing_is_lent(tmp_path, server):
    with stdio(tmp_path) as far:
        assert far.ask("ping #1") == "ok #1"
        assert not has_lent(far, server)


def test_who_has_gone_quiet_is_told_of_there(tmp_path, server):
    with stdio(tmp_path, "--idle-timeout", "1") as far:
        assert far.ask("ping #1") == "ok #1"
        assert has_lent(far, server)
        status, rest, said = far.end()
    assert (status, rest) == (0, b"")
    assert "nothing has come from the other machine for 1 s" in said
