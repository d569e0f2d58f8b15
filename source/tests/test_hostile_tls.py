# SPDX-License-Identifier: LGPL-3.0-or-later
"""A daemon that is open to the network, and who comes: by openssl, Python's TLS, Node's, and with what is not his."""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import threading
import time
from pathlib import Path

import pytest

import RPIO
from hostile_parts import Ca, Talk, context, needs_openssl, opened, openssl, own_address
from RPIO import errors
from RPIO.remote.places import hosts
from RPIO.server.rights.access import Access, Token, digest_of
from waiting import LIMIT_S, wait_until

pytestmark = needs_openssl

TOLD = (
    "GPIO",
    "sim",
    "Raspberry",
    "heater",
    "laptop",
    "sessions",
    "3.",
    "1.0",
    os.environ.get("USER") or "root",
)
"""What one who is not known is not told."""


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    """One that runs, with a laptop that it knows."""
    folder = tmp_path_factory.mktemp("device")
    with opened(folder) as made:
        made.own = made.ca(folder / "own")
        made.laptop = made.own.sign()
        made.list(made.laptop)
        yield made


def s_client(device, *words, says="ping\n", signed=None, trusted=True):
    """What `openssl s_client` has said, that says that and waits for the end of an answer; and its status."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{device.port}", *words]
    if trusted:
        command += ["-CAfile", device.authority, "-verify_return_error"]
    if signed is not None:
        command += ["-cert", signed.certificate, "-key", signed.key]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
    ) as process:
        process.stdin.write(says.encode())
        text, until_s = b"", time.monotonic() + LIMIT_S
        while not re.search(rb"^(ok|error .*)\r?$", text, re.MULTILINE) and time.monotonic() < until_s:
            if not select.select([process.stdout], [], [], 0.1)[0]:
                continue
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                break
            text += piece
        process.stdin.close()
        process.wait(LIMIT_S)
        return (text + process.stdout.read()).decode(errors="replace")


# -- openssl ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_an_old_version_of_tls_is_refused(device, version):
    said = s_client(device, version, "-cipher", "ALL:@SECLEVEL=0", signed=device.laptop)
    assert "protocol version" in said or "no protocols available" in said, said
    assert not re.search("^ok", said, re.MULTILINE)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_version_of_today_is_spoken(device, version):
    said = s_client(device, version, signed=device.laptop)
    assert re.search("^ok", said, re.MULTILINE), said
    assert "Verify return code: 0 (ok)" in said


@pytest.mark.parametrize(
    "ciphers", ["aNULL:@SECLEVEL=0", "eNULL:@SECLEVEL=0", "kRSA:@SECLEVEL=0", "PSK:@SECLEVEL=0"]
)
def test_a_cipher_that_hides_nothing_or_knows_nobody_is_refused(device, ciphers):
    said = s_client(device, "-tls1_2", "-cipher", ciphers, signed=device.laptop)
    assert not re.search("^ok", said, re.MULTILINE)
    assert re.search("alert handshake failure|no cipher match|no ciphers available", said), said


def test_what_is_said_today_cannot_be_read_when_the_key_is_stolen_tomorrow(device):
    """Keys of one connection each, of elliptic curves, and ciphers that notice what is changed."""
    for version in ("-tls1_2", "-tls1_3"):
        said = s_client(device, version, signed=device.laptop)
        assert re.search("Server Temp Key: (X25519|ECDH)", said), said
        assert re.search("Cipher is .*(GCM|CHACHA20)", said), said
    assert "Compression: NONE" in said or "No ALPN" in said


def test_renegotiation_is_refused(device):
    """Of TLS 1.2; 1.3 has none."""
    said = s_client(device, "-tls1_2", says="R\nping\n", signed=device.laptop)
    assert "RENEGOTIATING" in said
    assert "no renegotiation" in said, said
    with Talk(device.port, context(device.authority, device.laptop)) as talk:
        assert talk.ask("ping") == "ok"


def test_keys_that_are_changed_in_the_middle_are_the_ones_from_then_on(device):
    """Of TLS 1.3: the client changes its own, and asks for others of the server."""
    words = ["-CAfile", device.authority, "-cert", device.laptop.certificate, "-key", device.laptop.key]
    command = ["openssl", "s_client", "-tls1_3", "-connect", f"127.0.0.1:{device.port}", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, bufsize=0) as process:
        os.set_blocking(process.stdout.fileno(), False)
        text = b""

        def says(pattern):
            nonlocal text
            text += process.stdout.read() or b""
            return re.search(pattern, text, re.MULTILINE)

        try:
            for number in range(1, 4):
                process.stdin.write(b"K\n")  # in a piece of its own, or it is no command
                assert wait_until(lambda number=number: says(b"") and text.count(b"KEYUPDATE") == number), (
                    text
                )
                process.stdin.write(b"ping #%d\n" % number)
                assert wait_until(lambda number=number: says(rb"^ok #%d\r?$" % number)), text
        finally:
            process.kill()


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_there_are_no_tickets_which_would_be_a_way_in_without_the_key(device, version, tmp_path):
    kept = tmp_path / "session"
    said = s_client(device, version, "-sess_out", str(kept), signed=device.laptop)
    assert "ession ticket" not in said and re.search("^ok", said, re.MULTILINE)
    if kept.exists():
        openssl(tmp_path, "sess_id", "-in", str(kept), "-noout", "-text")
        said = s_client(device, version, "-sess_in", str(kept), "-no_ticket")
        assert "Verify return code: 0 (ok)" in said


def test_a_client_certificate_is_asked_for(device):
    assert "Client Certificate Types: " in s_client(device, "-tls1_2")
    assert "Requested Signature Algorithms: " in s_client(device, "-tls1_3")


def test_nobody_is_told_whose_certificates_would_be_taken(device):
    assert "No client certificate CA names sent" in s_client(device)


@pytest.mark.parametrize(
    "says", ["ping\n", "read 17\n", 'hello 1 "" "" 0 ""\n', "GET / HTTP/1.1\n", "tokens\n", "pair\n"]
)
def test_without_a_certificate_or_a_token_it_is_one_line_that_tells_nothing(device, says):
    with Talk(device.port, context(device.authority)) as talk:
        talk.send(says)
        told = talk.rest().splitlines()
    assert len(told) == 1 and told[0].startswith("error "), told
    assert not [word for word in TOLD if word in told[0]], told


def test_a_line_that_never_ends_is_not_waited_for(device):
    with Talk(device.port, context(device.authority)) as talk:
        with contextlib.suppress(OSError):
            talk.send("x" * 100_000)
        assert talk.read().startswith("error NotAllowedError ")


# -- Python and Node --------------------------------------------------------------------------------------------


def test_pythons_own_tls_is_served(device):
    with Talk(device.port, context(device.authority, device.laptop)) as talk:
        assert talk.ask("ping") == "ok"
        assert talk.socket.version() == "TLSv1.3"
        assert talk.ask("output 4 1") == "ok"
        assert talk.ask("read 4") == "ok 1"


NODE = """
const tls = require("tls"), fs = require("fs");
const [port, ca, cert, key] = process.argv.slice(1);
const options = { port: Number(port), host: "127.0.0.1", ca: fs.readFileSync(ca) };
if (cert) Object.assign(options, { cert: fs.readFileSync(cert), key: fs.readFileSync(key) });
const socket = tls.connect(options, () => socket.write("ping\\n"));
socket.on("data", (data) => { console.log(data.toString().trim()); socket.end(); });
socket.on("error", (error) => { console.log("refused:", error.code); });
"""


def node(*words):
    """What a program of Node's prints."""
    if shutil.which("node") is None:
        pytest.skip("needs node: sudo apt install nodejs")
    done = subprocess.run(
        ["node", "-e", NODE, *map(str, words)], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    return done.stdout.strip()


def test_nodes_tls_is_served(device):
    assert node(device.port, device.authority, device.laptop.certificate, device.laptop.key) == "ok"


def test_nodes_tls_without_a_certificate_is_refused(device):
    assert node(device.port, device.authority).startswith("error NotAllowedError ")


def test_nodes_tls_takes_the_authority_of_this_device_alone(device, tmp_path):
    assert node(device.port, Ca(tmp_path / "other").certificate).startswith("refused: ")


# -- certificates that are not his ------------------------------------------------------------------------------


def certificate(device, folder, kind):
    """One that is listed, as nobody has made a mistake there, and is good for nothing by itself."""
    subject = openssl(folder, "x509", "-in", device.authority, "-noout", "-subject", "-nameopt", "multiline")
    name = subject.rpartition("= ")[2].strip()
    own, other = device.ca(folder / "own"), Ca(folder / "other", name)
    made = {
        "of another device of that name": other.sign,
        "signed by nobody": lambda: own.sign(is_selfsigned=True),
        "that is over": lambda: own.sign(begin_days=-10, end_days=-2),
        "that is not good yet": lambda: own.sign(begin_days=2),
        "of a server": lambda: own.sign("serverAuth"),
        "for mail": lambda: own.sign("emailProtection"),
    }[kind]()
    device.list(made, kind)
    return made


KINDS = (
    "of another device of that name",
    "signed by nobody",
    "that is over",
    "that is not good yet",
    "of a server",
    "for mail",
)


def answer(device, signed):
    """What it is answered, "" for nothing but the alert of TLS."""
    try:
        with Talk(device.port, context(device.authority, signed)) as talk:
            return talk.ask("ping")
    except OSError:
        return ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_does_not_get_in(device, tmp_path, kind):
    assert answer(device, certificate(device, tmp_path, kind)) == ""
    assert answer(device, device.laptop) == "ok"


def test_a_certificate_that_nobody_has_listed_does_not_get_in(device):
    """Who has stolen the authority's key makes as many as he likes."""
    assert answer(device, device.own.sign()).startswith("error NotAllowedError ")


def test_a_key_without_its_certificate_is_not_shown(device, tmp_path):
    """Python refuses the pair, and openssl's s_server would refuse the signature: the two belong together."""
    stolen = device.own.sign()
    with pytest.raises(ssl.SSLError):
        context(
            device.authority, type("Pair", (), {"certificate": device.laptop.certificate, "key": stolen.key})
        )


# -- the client, and who plays the device -----------------------------------------------------------------------


class Impostor:
    """Who listens in the place of a device: with that certificate, or without TLS."""

    def __init__(self, signed=None, plain=b""):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._signed, self._plain = signed, plain
        self.heard = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        made, _ = self._listener.accept()
        made.settimeout(LIMIT_S)
        with made, contextlib.suppress(OSError):
            if self._signed is None:
                made.sendall(self._plain)
                self.heard = made.recv(65536)
                made.sendall(b'ok 1 0123456789abcdef "a board" c03111 54 edges\n')
                self.heard += made.recv(65536)
                return
            server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.load_cert_chain(self._signed.certificate, self._signed.key)
            with server.wrap_socket(made, server_side=True) as wrapped:
                self.heard = wrapped.recv(65536)

    def close(self):
        self._listener.close()
        self._thread.join(LIMIT_S)


@pytest.fixture
def known(tmp_path, monkeypatch):
    """A device that was paired: its own authority; its address is this machine's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("RPIO_TOKEN_FILE", "")
    ca = Ca(tmp_path / "device")
    signed = ca.sign()
    texts = [Path(path).read_text() for path in (ca.certificate, signed.certificate, signed.key)]
    hosts.store("127.0.0.1", *texts, time.time())
    return ca


def refused_by_client(signed, plain=b""):
    """The error of a client who is led there, and what the other side has heard of him."""
    impostor = Impostor(signed, plain)
    try:
        with pytest.raises(errors.GPIOError) as caught:
            RPIO.connect(f"127.0.0.1:{impostor.port}", timeout_s=LIMIT_S)
    finally:
        impostor.close()
    return caught.value, impostor.heard


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("of another device of that name", "that of another device, or it has been set up anew"),
        ("signed by nobody", "signed by"),
        ("that is over", "is over"),
        ("that is not good yet", "is not valid yet"),
        ("of a client", "was made for something else"),
    ],
)
def test_a_client_says_nothing_to_who_has_a_certificate(known, tmp_path, kind, says):
    made = {
        "of another device of that name": lambda: Ca(tmp_path / "other", "RPIO").sign("serverAuth"),
        "signed by nobody": lambda: known.sign("serverAuth", is_selfsigned=True),
        "that is over": lambda: known.sign("serverAuth", begin_days=-10, end_days=-2),
        "that is not good yet": lambda: known.sign("serverAuth", begin_days=2),
        "of a client": lambda: known.sign("clientAuth"),
    }[kind]()
    error, heard = refused_by_client(made)
    assert says in str(error), str(error)
    assert isinstance(error, errors.NotAllowedError) and "rpio pair" in error.hint
    assert heard == b""


def test_the_right_one_is_spoken_to(known):
    """So that the tests before this one can fail."""
    impostor = Impostor(known.sign("serverAuth"))
    try:
        with pytest.raises(errors.GPIOError):
            RPIO.connect(f"127.0.0.1:{impostor.port}", timeout_s=LIMIT_S)  # it hangs up
    finally:
        impostor.close()
    assert impostor.heard.startswith(b"hello ")


def test_a_plain_server_in_the_place_of_a_device_hears_nothing_but_the_beginning_of_tls(known):
    error, heard = refused_by_client(None)
    assert heard[:1] == b"\x16" and b"hello" not in heard[:6]
    assert b"hello 1" not in heard
    assert "TLS" in str(error), str(error)


def test_a_server_that_says_that_it_is_plain_is_not_believed(known):
    _, heard = refused_by_client(None, b'error NotAllowedError "this port speaks no TLS"\n')
    assert b"hello 1" not in heard


def test_a_device_that_is_not_known_is_not_spoken_to(known):
    host = own_address()
    with socket.create_server((host, 0)) as listener:
        with pytest.raises(errors.NotAllowedError, match="this machine is not paired with") as caught:
            RPIO.connect(f"{host}:{listener.getsockname()[1]}", timeout_s=LIMIT_S)
        assert f"rpio pair {host}" in caught.value.hint
        made, _ = listener.accept()
        with made:
            made.settimeout(LIMIT_S)
            assert made.recv(100) == b""


# -- without TLS from elsewhere ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "says", [b"ping\n", b"token rpio_x\nread 17\n", b"\n", b"GET / HTTP/1.1\r\nHost: pi\r\n\r\n"]
)
def test_who_comes_from_elsewhere_without_tls_is_told_so_in_one_line(device, says):
    with socket.create_connection((own_address(), device.port), LIMIT_S) as made:
        made.sendall(says)
        told = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := made.recv(4096):
                told += piece
    assert told.count(b"\n") == 1 and told.startswith(b"error NotAllowedError ")
    assert not [word for word in TOLD if word.encode() in told]


def test_from_this_machine_it_may_be_without(device):
    with socket.create_connection(("127.0.0.1", device.port), LIMIT_S) as made:
        made.sendall(b"ping\n")
        assert made.recv(100) == b"ok\n"


# -- tokens -----------------------------------------------------------------------------------------------------


def new_token(device, *words):
    """The text of a new token."""
    done = device.rpio("token", "new", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_token_with_one_bit_changed_is_none(device):
    token = new_token(device, "bits")
    with Talk(device.port, context(device.authority)) as talk:
        assert talk.ask(f"token {token}").startswith("ok")
        assert talk.ask("ping") == "ok"
    places = [len("rpio_"), len(token) // 2, len(token) - 1]
    for place in places:
        for bit in (1, 2):
            changed = bytearray(token.encode())
            changed[place] ^= bit
            with Talk(device.port, context(device.authority)) as talk:
                told = talk.ask(f"token {changed.decode()}")
            assert told.startswith("error NotAllowedError "), (token, changed)
            assert "bits" not in told


@pytest.mark.parametrize("shown", ["", '""', "x" * 900, '"\\u0000"', "rpio_", "a b c"])
def test_what_is_no_token_is_none(device, shown):
    with Talk(device.port, context(device.authority)) as talk:
        assert talk.ask(f"token {shown}").startswith("error ")
        assert talk.rest() == ""


def test_a_token_gives_what_it_was_made_for_and_nothing_more(device):
    token = new_token(device, "two", "--scope", "gpio", "--scope", "read", "--lines", "17")
    with Talk(device.port, context(device.authority)) as talk:
        assert talk.ask(f"token {token}").startswith("ok")
        assert talk.ask("output 17 1") == "ok"
        assert talk.ask("output 18 1").startswith("error NotAllowedError ")
        assert talk.ask("i2c 1 72 r1").startswith("error ")


YEAR_S = 365 * 86400


@pytest.mark.parametrize(
    ("now_s", "is_one"),
    [
        (1000.0, True),
        (1000.0 + 9 * 3600, False),
        (1000.0 + YEAR_S, False),
        (1000.0 - YEAR_S, False),
        (990.0, True),
    ],
)
def test_a_clock_that_is_set_back_a_year_makes_no_token_of_one_that_is_over(now_s, is_one):
    token = Token("a", digest_of("rpio_x"), ("read",), None, "", 1000.0, 1000.0 + 8 * 3600)
    access = Access((), lambda: [token], lambda: now_s, lambda: [token])
    if is_one:
        assert access.show("rpio_x") is token
    else:
        with pytest.raises(errors.NotAllowedError):
            access.show("rpio_x")


def test_one_for_ever_minds_no_clock():
    token = Token("a", digest_of("rpio_x"), ("read",), None, "", 1000.0, None)
    assert Access((), lambda: [token], lambda: 1000.0 - YEAR_S).show("rpio_x") is token


# -- in mid-stream ----------------------------------------------------------------------------------------------


def revoke(device, how):
    """Be paired with the laptop no more: by the command, or by hand and a signal."""
    if how == "rpio pair --revoke":
        done = device.rpio("pair", "--revoke", "laptop")
        assert done.returncode == 0, done.stderr
        return
    path = device.tls / "clients"
    rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join(row for row in rows if json.loads(row)["name"] != "laptop"))
    device.process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize("how", ["rpio pair --revoke", "SIGHUP"])
@pytest.mark.slow
def test_a_client_that_is_revoked_in_mid_stream_is_out_at_once(tmp_path, how):
    rules = "[line.17]\nname = 'heater'\nsafe = 'low'\n"
    with opened(tmp_path / "device", config=rules) as device:
        own = device.ca(tmp_path / "own")
        one, other = own.sign(), own.sign()
        device.list(one, "laptop")
        device.list(other, "desk")
        with (
            Talk(device.port, context(device.authority, one)) as talk,
            Talk(device.port, context(device.authority, other)) as stays,
        ):
            assert talk.ask('hello 1 "" "" 60 ""').startswith("ok")
            assert talk.ask("output 17 1") == "ok"
            talk.send("peek 17\n" * 1000)  # which is under way
            revoke(device, how)
            talk.rest()  # it ends
            assert (
                stays.ask("read 17") == "ok 0"
            )  # the safe state, and not after the 60 s that it had asked for
            assert stays.ask("ping") == "ok"
        with Talk(device.port, context(device.authority, one)) as again:
            assert again.ask("ping").startswith("error NotAllowedError ")


def has_ended_by_tls(made):
    """Read up to the end, which the other side has told of: somebody between could not."""
    try:
        while made.recv(4096):
            pass
    except ssl.SSLEOFError:
        return False
    return True


@pytest.mark.parametrize("how", ["it says bye", "it is revoked", "the server is stopped", "it is not known"])
@pytest.mark.slow
def test_an_end_by_the_server_is_told_by_tls_too(tmp_path, how):
    with opened(tmp_path / "device") as device:
        own = device.ca(tmp_path / "own").sign()
        device.list(own, "laptop")
        shown = context(device.authority, None if how == "it is not known" else own)
        plain = socket.create_connection(("127.0.0.1", device.port), LIMIT_S)
        with shown.wrap_socket(plain, suppress_ragged_eofs=False) as made:
            made.sendall(b'hello 1 "" "" 0 ""\n')
            assert made.recv(4096)
            if how == "it says bye":
                made.sendall(b"bye\n")
            elif how == "it is revoked":
                revoke(device, "SIGHUP")
            elif how == "the server is stopped":
                device.process.send_signal(signal.SIGTERM)
            assert has_ended_by_tls(made)


@pytest.mark.slow
def test_a_program_that_is_revoked_reads_why_and_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with opened(tmp_path / "device") as device:
        own = device.ca(tmp_path / "own").sign()
        device.list(own, "laptop")
        texts = [Path(path).read_text() for path in (device.authority, own.certificate, own.key)]
        hosts.store("127.0.0.1", *texts, time.time())
        with RPIO.connect(f"127.0.0.1:{device.port}", timeout_s=LIMIT_S) as board:
            board.setup(17, RPIO.OUT)
            revoke(device, "SIGHUP")
            with pytest.raises(errors.ConnectionLost, match="not paired with that one any more") as caught:
                while True:
                    board.output(17, 1)
    assert "Errno 13" not in str(caught.value)
    assert "`rpio pair 127.0.0.1` here" in caught.value.hint


# -- many, and slow ---------------------------------------------------------------------------------------------


def p50_s(talk, count=200):
    """How long an answer takes, half of the times."""
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        assert talk.ask("ping") == "ok"
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def test_five_hundred_handshakes_that_stall_change_nothing_for_others(device):
    host = own_address()
    hello = b"\x16\x03\x01\x02\x00\x01"  # a record of 512 bytes begins, and does not go on
    with Talk(device.port, context(device.authority, device.laptop)) as talk, contextlib.ExitStack() as stack:
        before_s = p50_s(talk)
        for _ in range(500):
            made = socket.create_connection((host, device.port), LIMIT_S)
            stack.callback(made.close)
            made.sendall(hello)
        # Of a second try on a busy machine, as long as they are all there.
        assert wait_until(lambda: p50_s(talk) < 2 * before_s + 0.0005, 8)
        # One more is let in, from the same address, too.
        for address in ("127.0.0.1", host):
            with Talk(device.port, context(device.authority, device.laptop), address) as another:
                assert another.ask("ping") == "ok"
        count = len(os.listdir(f"/proc/{device.pid}/fd"))
    assert count < 400


def test_what_is_fed_byte_by_byte_is_a_handshake_as_well(device):
    """And nobody waits for it meanwhile."""
    come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(device.authority, device.laptop).wrap_bio(come, go)
    with socket.create_connection(("127.0.0.1", device.port), LIMIT_S) as made:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def step(call):
            while True:
                try:
                    found = call()
                except ssl.SSLWantReadError:
                    found = None
                for byte in go.read():
                    made.sendall(bytes([byte]))
                if found is not None:
                    return found
                come.write(made.recv(65536))

        step(lambda: tls.do_handshake() or True)
        step(lambda: tls.write(b"ping\n"))
        assert step(lambda: tls.read(100)) == b"ok\n"


def test_what_is_no_tls_behind_its_first_byte_is_refused(device):
    host = own_address()
    for garbage in (b"\x16" * 1000, b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x03\xff\xff" + b"x" * 70000):
        with socket.create_connection((host, device.port), LIMIT_S) as made, contextlib.suppress(OSError):
            made.sendall(garbage)
            made.shutdown(socket.SHUT_WR)
            while made.recv(4096):
                pass
    with Talk(device.port, context(device.authority, device.laptop)) as talk:
        assert talk.ask("ping") == "ok"


@pytest.mark.slow
def test_of_an_address_one_line_is_logged_in_a_minute(tmp_path):
    with opened(tmp_path) as device:
        host = own_address()
        for _ in range(15):
            with Talk(device.port, context(device.authority), host) as talk:
                assert talk.ask("ping").startswith("error ")
        with Talk(device.port, context(device.authority)) as talk:
            assert talk.ask("ping").startswith("error ")
        assert wait_until(lambda: device.look().count("127.0.0.1 is refused: ") == 1)
        assert device.look().count(f"{host} is refused: ") == 1


@pytest.mark.slow
def test_who_wants_to_be_paired_ten_times_fills_no_log(tmp_path):
    with opened(tmp_path) as device:
        for _ in range(10):
            with Talk(device.port, context(device.authority), own_address()) as talk:
                assert talk.ask(f"pair 1 AAAA somebody {'0' * 64}").startswith("error NotAllowedError ")
        with Talk(device.port, context(device.authority)) as talk:
            assert talk.ask("ping").startswith("error ")
        assert wait_until(lambda: "127.0.0.1 is refused: " in device.look())
        assert device.look().count(f"{own_address()} is refused: ") == 1
