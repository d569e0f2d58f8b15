# SPDX-License-Identifier: LGPL-3.0-or-later
"""The device's own authority: what it makes, when it makes it anew, and what it refuses to work with."""

import contextlib
import os
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import threading

import pytest

from RPIO import errors
from RPIO.machine import openssl
from RPIO.server.outside import authority as authorities
from RPIO.server.outside.authority import Authority
from tls_parts import request
from waiting import LIMIT_S

FILES = ["ca.key", "ca.pem", "server.key", "server.pem"]
DAY_S = authorities.DAY_S


class Calls:
    """What openssl was asked for."""

    def __init__(self):
        self.words = []

    def __call__(self, words, folder):
        self.words.append(words[0])
        return openssl.run(words, folder)


class Clock:
    """A clock that stands."""

    def __init__(self, now_s):
        self.now_s = now_s

    def __call__(self):
        return self.now_s


def told(*words, of=0):
    """What openssl says to that."""
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == of, done.stderr
    return done.stdout


def shown(path, *more):
    return told("x509", "-in", path, "-noout", "-text", *more)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An authority with all that it has; nobody changes it."""
    authority = Authority(str(tmp_path_factory.mktemp("made") / "tls"))
    authority.make()
    return authority


@pytest.fixture
def copied(made, tmp_path):
    """A copy of it, to break."""
    shutil.copytree(made.folder, tmp_path / "tls")
    return Authority(str(tmp_path / "tls"))


# -- what is made ---------------------------------------------------------------------------------


def test_all_files_are_their_owners_alone(made):
    assert sorted(os.listdir(made.folder)) == FILES
    assert stat.S_IMODE(os.stat(made.folder).st_mode) == 0o700
    for name in FILES:
        assert stat.S_IMODE(os.stat(f"{made.folder}/{name}").st_mode) == 0o600, name


def test_it_is_made_once(tmp_path):
    calls = Calls()
    made = Authority(str(tmp_path / "tls"), calls)
    assert made.context().minimum_version == ssl.TLSVersion.TLSv1_2
    before = [(tmp_path / "tls" / name).read_bytes() for name in FILES]
    assert (calls.words.count("req"), calls.words.count("ca")) == (2, 2)
    made.context()
    Authority(str(tmp_path / "tls"), calls).context()
    assert [(tmp_path / "tls" / name).read_bytes() for name in FILES] == before
    assert (calls.words.count("req"), calls.words.count("ca")) == (2, 2)


def test_what_the_certificates_are_for(made):
    authority, server = shown(made.path), shown(made.certificate)
    assert "CA:TRUE, pathlen:0" in authority and "Certificate Sign, CRL Sign" in authority
    assert "CA:FALSE" in server and "Digital Signature" in server
    assert "TLS Web Server Authentication" in server and "Client Authentication" not in server
    for text in (authority, server):
        assert "ASN1 OID: prime256v1" in text and "ecdsa-with-SHA256" in text
    assert "Not After : Dec 31 23:59:59 9999 GMT" in authority
    told("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", made.path, made.certificate)
    told("verify", "-purpose", "sslclient", "-CAfile", made.path, made.certificate, of=2)


def test_the_server_is_known_by_its_names_and_addresses(tmp_path):
    names = ["DNS:pi", "DNS:pi.local", "IP:192.0.2.7", "IP:2001:db8::7"]
    made = Authority(str(tmp_path), names=lambda: names)
    made.make()
    text = shown(made.certificate)
    for name in ("DNS:pi", "DNS:pi.local", "IP Address:192.0.2.7", "IP Address:2001:DB8:0:0:0:0:0:7"):
        assert name in text
    first = made.certificate_der()
    made.make()
    assert made.certificate_der() == first


def test_the_names_are_those_of_this_machine():
    found = authorities.names()
    assert {"DNS:localhost", "IP:127.0.0.1", "IP:::1"} <= set(found)
    assert f"DNS:{socket.gethostname().lower()}" in found


@pytest.mark.parametrize("name", ["", "a b", "a,b", "a\nb", "ä", "x" * 254, "$HOME", "a:b"])
def test_what_is_no_name_is_not_listed(monkeypatch, name):
    monkeypatch.setattr(authorities.socket, "gethostname", lambda: name)
    hosts = [found for found in authorities.names() if found.startswith("DNS:")]
    assert hosts == ["DNS:localhost"]


@pytest.mark.slow
def test_two_who_make_it_at_once_make_one(tmp_path):
    program = (
        "import sys; from RPIO.server.outside.authority import Authority as A; a = A(sys.argv[1]); a.make()"
    )
    program = f"{program}; print(a.digest())"
    words = [sys.executable, "-c", program, str(tmp_path / "tls")]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    found = {each.communicate(timeout=LIMIT_S)[0] for each in running}
    assert len(found) == 1 and [each.returncode for each in running] == [0, 0, 0]
    assert found == {f"{Authority(str(tmp_path / 'tls')).digest()}\n"}
    assert sorted(os.listdir(tmp_path / "tls")) == FILES


def test_it_is_known_by_its_digest(made):
    said = told("x509", "-in", made.path, "-noout", "-fingerprint", "-sha256").strip().partition("=")[2]
    assert made.fingerprint() == said
    assert made.digest() == said.replace(":", "").lower()


# -- when it is made anew -------------------------------------------------------------------------


def test_before_it_is_over_another_one_is_signed_by_the_same_authority(tmp_path):
    clock = Clock(1_800_000_000.0)
    made = Authority(str(tmp_path), now_s=clock)
    made.make()
    authority, first = made.text(), made.certificate_der()
    assert "Not Before: Jan 14 08:00:00 2027 GMT" in shown(made.certificate)  # a day before
    clock.now_s += (authorities.DAYS - 31) * DAY_S
    made.make()
    assert made.certificate_der() == first
    clock.now_s += 2 * DAY_S
    made.make()
    assert made.certificate_der() != first and made.text() == authority
    assert sorted(os.listdir(tmp_path)) == FILES


def test_a_certificate_of_a_clock_that_was_ahead_is_made_anew(tmp_path):
    clock = Clock(2_000_000_000.0)
    made = Authority(str(tmp_path), now_s=clock)
    made.make()
    authority, first = made.text(), made.certificate_der()
    clock.now_s -= 365 * DAY_S
    made.make()
    assert made.certificate_der() != first and made.text() == authority
    clock.now_s = 0.0  # a Pi that has not asked the network yet
    made.make()
    assert "Not Before: Dec 31 00:00:00 1969 GMT" in shown(made.certificate)


def test_a_clock_that_is_months_late_keeps_nobody_out_who_was_paired(tmp_path):
    """A Pi has no clock of its own, and may not have asked the network yet, or there is none."""
    made = Authority(str(tmp_path / "tls"))
    (tmp_path / "client.pem").write_text(made.sign(request(tmp_path)[1]))
    assert "Not Before: Jan  1 00:00:00 2000 GMT" in shown(tmp_path / "client.pem")


def test_another_name_of_the_machine_is_another_certificate(tmp_path, monkeypatch):
    made = Authority(str(tmp_path))
    made.make()
    authority, first = made.text(), made.certificate_der()
    monkeypatch.setattr(authorities.socket, "gethostname", lambda: "another.example.org")
    made.make()
    assert made.certificate_der() != first and made.text() == authority
    text = shown(made.certificate)
    wanted = ("localhost", "another", "another.local", "another.example.org")
    assert all(f"DNS:{name}" in text for name in wanted)


@pytest.mark.parametrize("broken", ["server.pem", "server.key"])
@pytest.mark.parametrize("how", ["missing", "half", "empty", "of another"])
def test_the_servers_files_are_healed(copied, broken, how, tmp_path):
    path, authority = tmp_path / "tls" / broken, copied.text()
    if how == "missing":
        path.unlink()
    elif how == "of another":
        other = Authority(str(tmp_path / "other"))
        other.make()
        shutil.copy(tmp_path / "other" / broken, path)
    else:
        path.write_bytes(path.read_bytes()[: 100 if how == "half" else 0])
    copied.context()
    assert copied.text() == authority
    told("verify", "-CAfile", copied.path, copied.certificate)


def test_a_pair_that_another_authority_has_signed_is_made_anew(copied, tmp_path):
    other = Authority(str(tmp_path / "other"))
    other.make()
    for name in ("server.pem", "server.key"):
        shutil.copy(tmp_path / "other" / name, tmp_path / "tls" / name)
    copied.make()
    told("verify", "-CAfile", copied.path, copied.certificate)


def test_what_one_who_was_killed_has_left_is_cleared_away(tmp_path):
    folder = tmp_path / "tls"
    (folder / ".new-0123").mkdir(parents=True)
    (folder / ".new-0123/key").write_text("half a k")
    (folder / "ca.key").write_text("a key that has signed nothing")
    folder.chmod(0o700)
    made = Authority(str(folder))
    made.context()
    assert sorted(os.listdir(folder)) == FILES


@pytest.mark.parametrize("at", range(4))
def test_wherever_it_fails_the_next_one_makes_it(tmp_path, at):
    calls = []

    def run(words, folder):
        calls.append(words)
        if len(calls) > at:
            raise OSError(28, "No space left on device")
        return openssl.run(words, folder)

    with pytest.raises(OSError, match="No space left"):
        Authority(str(tmp_path / "tls"), run).make()
    made = Authority(str(tmp_path / "tls"))
    made.context()
    assert sorted(os.listdir(tmp_path / "tls")) == FILES
    told("verify", "-CAfile", made.path, made.certificate)


# -- what it refuses ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["ca.key", "server.key"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_key_that_others_may_read_encrypts_nothing(copied, tmp_path, key, mode):
    path = tmp_path / "tls" / key
    path.chmod(mode)
    with pytest.raises(
        errors.NotAllowedError, match=rf"others may read the key .*{key} \(mode {mode:04o}\)"
    ) as e:
        copied.context()
    assert f"chmod 600 {path} keeps it" in e.value.hint and "has another one made" in e.value.hint
    path.chmod(0o600)
    copied.context()


def test_a_folder_that_others_write_to_has_no_keys(copied, tmp_path):
    (tmp_path / "tls").chmod(0o770)
    with pytest.raises(errors.NotAllowedError, match="others may write to the folder") as e:
        copied.make()
    assert e.value.hint == f"chmod 700 {tmp_path}/tls"


@pytest.mark.parametrize("broken", ["ca.pem", "ca.key"])
@pytest.mark.parametrize("how", ["half", "empty", "of another"])
def test_an_authority_that_is_none_is_never_made_anew_unasked(copied, tmp_path, broken, how):
    path = tmp_path / "tls" / broken
    if how == "of another":
        other = Authority(str(tmp_path / "other"))
        other.make()
        shutil.copy(tmp_path / "other" / broken, path)
    else:
        path.write_bytes(path.read_bytes()[: 100 if how == "half" else 0])
    before = path.read_bytes()
    with pytest.raises(
        errors.ConfigError, match=r"ca\.pem and .*ca\.key are no certificate and its key"
    ) as e:
        copied.make()
    assert e.value.hint.startswith(
        f"rm -r {tmp_path}/tls has another one made, and each client is then paired anew"
    )
    assert path.read_bytes() == before


def test_an_authority_without_its_key_is_none(copied, tmp_path):
    (tmp_path / "tls/ca.key").unlink()
    with pytest.raises(errors.ConfigError, match=r"ca\.key is missing") as e:
        copied.make()
    assert f"rm -r {tmp_path}/tls" in e.value.hint


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_read_is_named(copied, tmp_path, name):
    path = tmp_path / "tls" / name
    path.unlink()
    path.symlink_to(path)  # for root as well
    with pytest.raises(errors.NoAccessError, match=rf"{name} cannot be read: ") as e:
        copied.make()
    assert f"ls -l {path}" in e.value.hint


def test_a_key_with_a_password_asks_nobody(copied, tmp_path):
    path = tmp_path / "tls/ca.key"
    told("pkey", "-in", path, "-aes256", "-passout", "pass:secret", "-out", tmp_path / "locked")
    shutil.copy(tmp_path / "locked", path)
    with pytest.raises(errors.ConfigError, match="no certificate and its key"):
        copied.make()


def test_without_openssl_one_sentence_has_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.NotSupportedError, match="which is not installed") as e:
        Authority(str(tmp_path / "tls")).context()
    assert e.value.hint == "sudo apt install openssl"


def test_what_openssl_says_is_told(tmp_path):
    def run(words, folder):
        return subprocess.CompletedProcess(words, 1, "", "first\nno such curve\n\n")

    with pytest.raises(errors.NotSupportedError, match="openssl has made no certificate: no such curve"):
        Authority(str(tmp_path), run).context()
    assert os.listdir(tmp_path) == []


def test_one_who_never_answers_is_waited_for_no_longer(tmp_path, monkeypatch):
    (tmp_path / "openssl").write_text("#!/bin/sh\nexec sleep 1000\n")
    (tmp_path / "openssl").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(openssl, "LONGEST_S", 0.05)
    with pytest.raises(errors.NotSupportedError, match=r"no certificate within 0\.05 s"):
        Authority(str(tmp_path / "tls")).make()


# -- clients --------------------------------------------------------------------------------------


def test_a_client_is_signed_for_and_nothing_of_its_request_is_kept_but_the_key(made, tmp_path):
    extensions = tmp_path / "extensions"
    extensions.write_text(
        "[req]\ndistinguished_name = name\n[name]\n[more]\nbasicConstraints = critical, CA:TRUE\n"
        "subjectAltName = DNS:pi.local\nextendedKeyUsage = serverAuth\n"
    )
    asked = request(tmp_path, "me", "-config", extensions, "-reqexts", "more")[1]
    path = tmp_path / "client.pem"
    path.write_text(made.sign(asked))
    text = shown(path)
    assert "CA:FALSE" in text and "TLS Web Client Authentication" in text
    for other in ("CA:TRUE", "Server Authentication", "pi.local", "whoever"):
        assert other not in text
    assert "Subject: CN = RPIO client" in text
    told("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", made.path, path)
    told("verify", "-purpose", "sslserver", "-CAfile", made.path, path, of=2)
    assert told("x509", "-in", path, "-noout", "-pubkey") == told(
        "pkey", "-in", tmp_path / "me.key", "-pubout"
    )
    assert sorted(os.listdir(made.folder)) == FILES


def test_a_clients_time_is_over_when_it_is(made, tmp_path):
    path = tmp_path / "client.pem"
    path.write_text(made.sign(request(tmp_path)[1], until_s=1_900_000_000.0))
    assert "Not After : Mar 17 17:46:40 2030 GMT" in shown(path)


@pytest.mark.parametrize(
    "asked", [b"", b"\x30" * 500, b"-----BEGIN CERTIFICATE REQUEST-----\n", b"\x30" + b"\0" * 2000]
)
def test_what_is_no_request_is_not_signed(made, asked):
    with pytest.raises(ValueError, match=r"no request for a certificate with a key of P-256"):
        made.sign(asked)


def test_another_curve_is_not_signed(made, tmp_path):
    with pytest.raises(ValueError, match=r"P-256"):
        made.sign(request(tmp_path, curve="secp384r1")[1])


def test_who_has_not_the_key_is_not_signed_for(made, tmp_path):
    asked = bytearray(request(tmp_path)[1])
    asked[-5] ^= 1
    with pytest.raises(errors.NotSupportedError, match="openssl has made no certificate"):
        made.sign(bytes(asked))
    assert sorted(os.listdir(made.folder)) == FILES


def test_tls_for_real_knows_who_was_signed_for(made, tmp_path):
    (tmp_path / "me.pem").write_text(made.sign(request(tmp_path)[1]))
    trusted = ssl.create_default_context(cafile=made.path)
    assert handshake(made, trusted) == b""
    trusted.load_cert_chain(tmp_path / "me.pem", tmp_path / "me.key")
    der = ssl.PEM_cert_to_DER_cert((tmp_path / "me.pem").read_text())
    assert handshake(made, trusted) == der


def test_one_whom_another_authority_of_that_name_has_signed_is_not_let_in(made, tmp_path):
    other = Authority(str(tmp_path / "other"))
    other.make()
    (tmp_path / "me.pem").write_text(other.sign(request(tmp_path)[1]))
    trusted = ssl.create_default_context(cafile=made.path)
    trusted.load_cert_chain(tmp_path / "me.pem", tmp_path / "me.key")
    assert handshake(made, trusted) is None
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(made, ssl.create_default_context(cafile=other.path))


def handshake(authority, trusted):
    """Connect to a server of it; the certificate that the server sees, None where it lets nobody in."""
    here, there = socket.socketpair()
    found = []

    def serve():
        with (
            contextlib.suppress(ssl.SSLError),
            authority.context().wrap_socket(there, server_side=True) as tls,
        ):
            found.append(tls.getpeercert(True) or b"")
            tls.sendall(b".")

    here.settimeout(LIMIT_S)
    there.settimeout(LIMIT_S)
    serving = threading.Thread(target=serve)
    serving.start()
    try:
        with contextlib.closing(here):
            tls = trusted.wrap_socket(here, server_hostname="localhost")
            with contextlib.suppress(ssl.SSLError, ConnectionError), tls:
                tls.recv(1)
    finally:
        here.close()
        there.close() if not serving.is_alive() else None
        serving.join()
        there.close()
    return found[0] if found else None
