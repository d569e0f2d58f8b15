# SPDX-License-Identifier: LGPL-3.0-or-later
"""Pairing where somebody means harm: who stands between the two machines with TLS to both, who answers in the device's
place, who says megabytes or nothing, and a device that says of itself what is not so.
"""

import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading

import pytest

from pairing_parts import CODE, WRONG, password
from remote_parts import daemon
from RPIO.server.outside.authority import Authority
from RPIO.server.outside.offers import OfferFile
from RPIO.wire import pairing as wire
from test_pair import CODE as SHOWN
from test_pair import Machines, files
from waiting import LIMIT_S, wait_until


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    """Somebody's own authority, and what it signs."""
    made = Authority(str(tmp_path_factory.mktemp("evil") / "tls"))
    made.make()
    return made


@pytest.fixture
def machines(tmp_path):
    with daemon(tmp_path, "--address", "any") as served:
        yield Machines(served, tmp_path)


@contextlib.contextmanager
def listening(serve):
    """Somebody who listens on this machine, and does that with who connects, each in a thread; the place."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = []

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    made, _ = listener.accept()
                    made.settimeout(LIMIT_S)
                    threads.append(threading.Thread(target=one, args=(made,)))
                    threads[-1].start()

        def one(made):
            with contextlib.closing(made), contextlib.suppress(OSError, ValueError):
                serve(made)

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()


def blind(port):
    """A connection by TLS to who ever is there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), LIMIT_S))


def rest(made):
    """All that comes, up to the end."""
    found = b""
    with contextlib.suppress(OSError):
        while data := made.recv(1 << 16):
            found += data
    return found


# -- who stands between ---------------------------------------------------------------------------


class Between:
    """Who stands between, with TLS and a certificate of his own to both, and hands on every line. *change* is what he
    makes of them.
    """

    def __init__(self, authority, port, change=lambda line: line):
        self._context, self._port, self._change = authority.context(), port, change
        self.heard = []

    def __call__(self, made):
        here = self._context.wrap_socket(made, server_side=True)
        there = blind(self._port)
        with contextlib.closing(here), contextlib.closing(there):
            come, go = here.makefile("rb"), there.makefile("rb")
            while line := come.readline():
                self.heard.append(line)
                there.sendall(self._change(line))
                if not (answer := go.readline()):
                    return
                self.heard.append(answer)
                here.sendall(self._change(answer))


@pytest.mark.slow
def test_who_stands_between_pairs_neither_and_is_shown_to_both(machines, evil):
    between = Between(evil, machines.daemon.port)
    shown = machines.show()
    try:
        code = shown.says(SHOWN)[1]
        with listening(between) as place:
            done = machines.rpio("pair", place, "--code", code)
        assert done.returncode == 1
        assert "that is not the code, or somebody stands between the two machines" in done.stderr
        shown.says("has failed: 1 of 3 attempts")
        assert [line.split()[0] for line in between.heard] == [b"pair", b"pair", b"confirm", b"error"]
        assert not machines.known.exists() and files(machines.known.parent) == []
        assert json.loads(machines.daemon.rpio("pair", "--list", "--json").stdout) == {
            "clients": [],
            "hosts": [],
        }
        guessed_by_what_was_heard(between.heard, wire.read_code(code))
        assert machines.rpio("pair", machines.host, "--code", code).returncode == 0  # with nobody between
        shown.says("^paired: ")
    finally:
        shown.close()


def guessed_by_what_was_heard(heard, code):
    """Nothing that was heard is there for who tries codes: the right one fits no better than a wrong one."""
    begun, mac = wire.Begin.read(heard[0]), wire.read_confirm(heard[2])[0]
    theirs = wire.read_reply(heard[1])
    for guess in (code, WRONG):
        for certificate in (b"one", b"other"):
            side = wire.exchange(True, password(guess), begun.digest, certificate)
            assert side.finish(theirs).confirmation != mac
    text = b"".join(heard)
    assert code.encode() not in text


@pytest.mark.slow
def test_who_stands_between_and_exchanges_shares_pairs_nobody(machines, evil):
    """He is the device to the one, the client to the other, and knows no code."""
    mine = wire.exchange(True, password(WRONG), "0" * 64, b"x")

    def change(line):
        if line.startswith(b"pair 1 "):
            begun = wire.Begin.read(line)
            return wire.Begin(mine.share, begun.name, begun.digest).line()
        return line

    between = Between(evil, machines.daemon.port, change)
    shown = machines.show()
    try:
        code = shown.says(SHOWN)[1]
        with listening(between) as place:
            done = machines.rpio("pair", place, "--code", code)
        assert done.returncode == 1 and "that is not the code" in done.stderr
        shown.says("has failed: 1 of 3 attempts")
    finally:
        shown.close()
    assert files(machines.known.parent) == []


# -- who answers in the device's place ------------------------------------------------------------


class Impostor:
    """Who answers as a device would. *w* is the code that he takes for the right one; *answer* makes the last line of
    the keys and the request.
    """

    def __init__(self, authority, w, answer):
        self.authority, self._w, self._answer = authority, w, answer
        self._context = authority.context()
        self.pinned = 0

    def __call__(self, made):
        tls = self._context.wrap_socket(made, server_side=True)
        with contextlib.closing(tls):
            lines = tls.makefile("rb")
            first = lines.readline()
            if first == b"ping\n":
                self.pinned += 1
                tls.sendall(b"ok\n")
                return
            begun = wire.Begin.read(first)
            side = wire.exchange(False, self._w, begun.digest, self.authority.certificate_der())
            keys = side.finish(begun.share)
            tls.sendall(wire.reply(side.share))
            _, request = wire.read_confirm(lines.readline())
            tls.sendall(self._answer(keys, request))
            rest(tls)

    def given(self, keys, request, certificate=None, **changed):
        """The answer of a device."""
        words = {
            "authority": self.authority.text(),
            "certificate": self.authority.sign(request) if certificate is None else certificate,
            "name": "laptop",
            "scopes": ["read"],
            "lines": None,
            "names": [],
            "addresses": [],
            **changed,
        }
        data = json.dumps(words).encode()
        return wire.confirmed(keys.confirmation, data, wire.seal(keys, data))


def pair_with(machines, authority, w, answer):
    """Have the other machine pair with an impostor, with CODE; what it says, and the impostor."""
    made = Impostor(authority, w, answer)
    with listening(made) as place:
        return machines.rpio("pair", place, "--code", CODE), made


@pytest.fixture
def alone(tmp_path):
    """The other machine, where there is no device."""

    class Nobody:
        port = 1
        env = {"HOME": str(tmp_path)}

    return Machines(Nobody(), tmp_path)


@pytest.mark.slow
def test_who_does_not_know_the_code_is_not_taken_for_the_device(alone, evil):
    made = Impostor(evil, 0, None)
    done, impostor = pair_with(alone, evil, password(WRONG), made.given)
    assert done.returncode == 1 and "does not know the code" in done.stderr
    assert impostor.pinned == 0 and files(alone.known.parent) == []


@pytest.mark.slow
def test_who_reflects_what_he_is_sent_is_not_taken_for_it(alone, evil):
    def echo(made):
        tls = evil.context().wrap_socket(made, server_side=True)
        with contextlib.closing(tls):
            lines = tls.makefile("rb")
            begun = wire.Begin.read(lines.readline())
            tls.sendall(wire.reply(begun.share))
            mac, _ = wire.read_confirm(lines.readline())
            tls.sendall(wire.confirmed(mac, b"{}", mac))
            rest(tls)

    with listening(echo) as place:
        done = alone.rpio("pair", place, "--code", CODE)
    assert done.returncode == 1 and "does not know the code" in done.stderr


@pytest.mark.slow
def test_an_answer_that_was_changed_on_its_way_is_not_taken(alone, evil):
    def answer(keys, request):
        made = Impostor(evil, 0, None)
        words = made.given(keys, request).split()
        other = made.given(keys, request, scopes=["read", "gpio"]).split()
        return b" ".join([words[0], words[1], other[2], words[3]]) + b"\n"

    done, _ = pair_with(alone, evil, password(CODE), answer)
    assert done.returncode == 1 and "does not know the code" in done.stderr
    assert files(alone.known.parent) == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"certificate": ""}, "no certificates that go together"),
        ({"certificate": "nonsense"}, "no certificates that go together"),
        ({"authority": "nonsense"}, "no certificates that go together"),
        ({"certificate": "theirs"}, "no certificates that go together"),
        ({"scopes": 7}, "no answer of pairing"),
        ({"names": [1]}, "no answer of pairing"),
        ({"lines": ["x"]}, "no answer of pairing"),
    ],
)
@pytest.mark.slow
def test_a_device_that_gives_what_does_not_work_is_not_kept(alone, evil, changed, says):
    if changed.get("certificate") == "theirs":
        changed = {"certificate": evil.text()}  # of another key
    made = Impostor(evil, 0, None)
    done, _ = pair_with(
        alone, evil, password(CODE), lambda keys, request: made.given(keys, request, **changed)
    )
    assert done.returncode == 1 and says in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and files(alone.known.parent) == []


@pytest.mark.slow
def test_a_device_may_call_itself_anything(alone, evil):
    made = Impostor(evil, 0, None)
    names = ["../../x", "localhost", "127.0.0.1", "pi\x1b[2J", "fine.local", *["n"] * 1000]
    done, impostor = pair_with(
        alone,
        evil,
        password(CODE),
        lambda keys, request: made.given(keys, request, names=names, name="\x1b[2J"),
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr and impostor.pinned == 1
    about = json.loads((alone.known / "host.json").read_text())
    assert about["names"] == ["fine.local", "n"]
    assert files(alone.known.parent) == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (b"", "has closed the connection"),
        (b"ok\n", "does not pair"),
        (b"\xff\xfe\n", "not UTF-8"),
        (b"pair !!!\n", "no base64"),
        (b"pair AAAA\n", "does not pair"),
        (wire.reply(bytes(65)), "does not pair"),
        (b"x" * (1 << 20), "does not pair"),
        (b'error NotAllowedError "\\u001b[2J go away"\n', "?[2J go away"),
    ],
)
@pytest.mark.slow
def test_what_answers_anything_is_told_in_a_line(alone, evil, said, says):
    def answer(made):
        tls = evil.context().wrap_socket(made, server_side=True)
        with contextlib.closing(tls):
            tls.makefile("rb").readline()
            tls.sendall(said)
            if said:
                rest(tls)

    with listening(answer) as place:
        done = alone.rpio("pair", place, "--code", CODE)
    assert done.returncode == 1 and says in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and "\x1b" not in done.stderr
    assert files(alone.known.parent) == []


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28"])
def test_what_speaks_no_tls_is_told_in_a_line(alone, said):
    def answer(made):
        made.recv(1000)
        made.sendall(said)

    with listening(answer) as place:
        done = alone.rpio("pair", place, "--code", CODE)
    assert done.returncode == 1 and len(done.stderr.splitlines()) <= 2 and "Traceback" not in done.stderr


@pytest.mark.slow
def test_who_never_answers_is_waited_for_no_longer(alone, evil):
    said = threading.Event()

    def silent(made):
        tls = evil.context().wrap_socket(made, server_side=True)
        with contextlib.closing(tls):
            tls.makefile("rb").readline()
            said.set()
            rest(tls)

    program = f"""
import sys
from RPIO.remote.devices import pairing
pairing.ANSWER_S = 0.3
from RPIO.cli import main
sys.exit(main(["pair", sys.argv[1], "--code", "{CODE}"]))
"""
    with listening(silent) as place:
        done = subprocess.run(
            [sys.executable, "-c", program, place],
            env={**os.environ, **alone.laptop},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    assert said.is_set() and done.returncode == 1 and "has not answered within 0.3 s" in done.stderr


# -- who does something else to the device --------------------------------------------------------


def first_line():
    """How one begins who knows no code."""
    side = wire.exchange(True, password(WRONG), "0" * 64, b"x")
    return wire.Begin(side.share, "\x1b[2Jme\n", "0" * 64).line()


@pytest.mark.slow
def test_megabytes_are_not_kept(machines):
    shown = machines.show()
    try:
        shown.says(SHOWN)
        for before in (b"pair 1 ", b"", first_line()):
            with contextlib.closing(blind(machines.daemon.port)) as made:
                with contextlib.suppress(OSError):
                    made.sendall(before)
                    for _ in range(64):
                        made.sendall(b"x" * (1 << 16))
                said = rest(made)
                assert len(said) < 1000
        with open(f"/proc/{machines.daemon.pid}/status", encoding="ascii") as file:
            high_kb = int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1])
        assert high_kb < 150_000
        assert machines.daemon.rpio("pair", "--list").returncode == 0
    finally:
        shown.close()


@pytest.mark.slow
def test_who_is_silent_has_had_his_attempt_and_his_time(tmp_path):
    patch = "import RPIO.server.outside.lobby as lobby; lobby.PAIRING_S = 1"
    with daemon(tmp_path, "--address", "any", prelude=patch) as served:
        machines = Machines(served, tmp_path)
        shown = machines.show()
        try:
            shown.says(SHOWN)
            with contextlib.closing(blind(served.port)) as made:
                made.sendall(first_line())
                assert made.recv(1000).startswith(b"pair ")
                rest(made)  # the end comes
            shown.says("has failed: 1 of 3 attempts")
            shown.says(r"^127\.0\.0\.1:\d+ has failed")
        finally:
            shown.close()


@pytest.mark.slow
def test_attempts_are_counted_across_a_daemon_that_is_killed(tmp_path):
    def guess(served):
        with contextlib.closing(blind(served.port)) as made:
            made.sendall(first_line())
            return made.recv(1000)

    offers = OfferFile(f"{tmp_path}/state/tls")
    with daemon(tmp_path, "--address", "any") as served:
        shown = Machines(served, tmp_path).show(prelude="import time; time.sleep")
        try:
            shown.says(SHOWN)
            key = offers.read().key
            assert guess(served).startswith(b"pair ")
            assert offers.read().attempts == 1
            served.kill()
            with daemon(tmp_path, "--address", "any") as again:
                assert guess(again).startswith(b"pair ")
                assert (offers.read().key, offers.read().attempts) == (key, 2)
        finally:
            shown.close()


@pytest.mark.slow
def test_of_many_who_race_with_the_code_one_is_paired(machines):
    shown = machines.show()
    try:
        code = shown.says(SHOWN)[1]
        env = {**os.environ, **machines.daemon.env, "RPIO_BACKEND": ""}
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "RPIO", "pair", machines.host, "--code", code, "--name", f"n{number}"],
                env={**env, "XDG_CONFIG_HOME": f"{machines.folder}/{number}"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for number in range(4)
        ]
        said = [each.communicate(timeout=LIMIT_S)[0] for each in running]
        paired = [number for number, each in enumerate(running) if each.returncode == 0]
        assert len(paired) == 1, said
        others = "".join(text for number, text in enumerate(said) if number != paired[0])
        assert len(re.findall("somebody else is being paired|there is no code there", others)) == 3, said
        shown.says(f"^paired: n{paired[0]}$")
        assert len(json.loads(machines.daemon.rpio("pair", "--list", "--json").stdout)["clients"]) == 1
    finally:
        shown.close()


@pytest.mark.slow
def test_who_is_not_known_is_told_nothing_of_what_is_here(machines):
    machines.pair("--name", "anna")
    with contextlib.closing(blind(machines.daemon.port)) as made:
        made.sendall(first_line())
        told = rest(made).decode()
    assert "there is no code there" in told
    for word in ("anna", "4B", "Raspberry", str(machines.folder), "1.0", "read", "gpio"):
        assert word not in told


@pytest.mark.slow
def test_another_device_of_the_same_name_is_another_one(machines, tmp_path):
    machines.pair()
    other = tmp_path / "other"
    other.mkdir()
    port = machines.daemon.port
    machines.daemon.kill()
    with daemon(other, "--address", "any", "--port", str(port)) as served:
        assert served.port == port
        done = machines.write(17, 1)
        assert done.returncode == 1
        assert re.search("signed by somebody else|that of another device", done.stderr), done.stderr
        assert "pair anew: `rpio pair` there" in done.stderr
        assert wait_until(lambda: "is refused" in served.look())
