# SPDX-License-Identifier: LGPL-3.0-or-later
"""This device's own authority, and what it has signed: the certificate of its ports, and those of the clients that were
paired. All of it is made by the program openssl, 1.1.1 or later, in a folder that only its owner can enter.

Who was paired knows the authority, so that the device's certificate may be made anew, for another name or before it is
over, and nobody has to be paired anew. The authority itself is never over: who is a client is said by the list of them,
at the device, and a clock that stands wrong, as a Pi's does until it has asked the network, makes no difference to it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import socket
import ssl
import stat
import time
from base64 import b64encode

from ... import errors, log
from ...machine import openssl
from ...machine.addresses import addresses
from ...machine.files import open_file
from ...machine.new_files import new_file
from ...remote.tls import server_context
from ..rights.tokens import keep_owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..._gpio import File
    from ...machine.openssl import Run
    from ..settings.settings import Settings

DAY_S = 86400.0
DAYS = 825
"""For how long a server's is made. Source: some clients take none that is for longer (Apple, since iOS 13)."""
RENEWED_S = 30 * DAY_S
"""So long before it is over another one is made."""
BACK_S = DAY_S
"""So long before they are made certificates begin to be good: the other machine's clock may be late."""
FOREVER = "99991231235959Z"
"""The end of what has none. Source: RFC 5280, 4.1.2.5."""
BEGIN = "20000101000000Z"
"""Where an authority and its clients' certificates begin: before any clock that is not quite wrong. A Pi has none of
its own, and may be months late until it has asked the network; whom it knows is said by the list, and not by the time.
"""
REQUEST_MAX = 1000
"""Of a request, in bytes: one for P-256 has 200 and some."""
P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
"""How a public key of P-256 begins in DER. Source: RFC 5480."""
CONFIGURATION = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[ca]
default_ca = here
[here]
database = ./index
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
email_in_dn = no
policy = policy
[policy]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
"""All that openssl is told, whatever the machine's own configuration says. What a request asks for is not copied."""
DRAFT = ".new-"
CLIENT = "RPIO client"
"""Whom each client's certificate names: it is seen by who listens, and who that is the device knows by its digest."""


def names() -> list[str]:
    """What this machine goes by, as a certificate lists it: its names, and the addresses that it has now."""
    host = socket.gethostname().lower()
    short = host.partition(".")[0]
    hosts = dict.fromkeys(["localhost", host, short, f"{short}.local"])
    named = [f"DNS:{name}" for name in hosts if is_name(name)]
    return [*named, "IP:127.0.0.1", "IP:::1", *[f"IP:{address}" for address in addresses()]]


def is_name(name: str) -> bool:
    """Whether that is a name that a machine can have."""
    labels = name.split(".")
    is_spelled = name.isascii() and all(c.isalnum() or c in "-." for c in name)
    return is_spelled and len(name) <= 253 and all(0 < len(label) <= 63 for label in labels)


class Authority:
    """That of a folder, which need not be there. *run* runs openssl; *now_s* is the clock (Unix time); *names* are
    those that the server's certificate is for.
    """

    def __init__(
        self,
        folder: str,
        run: Run = openssl.run,
        now_s: Callable[[], float] = time.time,
        names: Callable[[], list[str]] = names,
    ) -> None:
        self.folder, self._run, self._now_s, self._names = folder, run, now_s, names
        self.path, self._key = f"{folder}/ca.pem", f"{folder}/ca.key"
        """The authority's certificate, which clients take for theirs."""
        self.certificate, self.key = f"{folder}/server.pem", f"{folder}/server.key"
        """Those of the ports."""

    @classmethod
    def of(cls, settings: Settings) -> Authority:
        """The one of the settings."""
        return cls(f"{settings.of('serve', 'state')}/tls")

    # -- what it gives ---------------------------------------------------------------------------

    def make(self) -> None:
        """Make what is missing, and the server's certificate anew where it is nearly over, or for other names, or no
        such thing; nothing where all is well.

        Raises:
            NotAllowedError: others may read a key. NoAccessError: a file cannot be read. OSError: the folder cannot be
            written. ConfigError: the authority's files are no such thing. NotSupportedError: there is no openssl, or it
            cannot do it.
        """
        lock = self._alone()
        try:
            self._make()
        finally:
            lock.close()

    def context(self, alpn: Iterable[str] = ()) -> ssl.SSLContext:
        """TLS for a server, from 1.2 on, which asks for a client's certificate and does without. What is missing is
        made (see make(), for what it raises, too). *alpn* are the protocols to choose from.
        """
        self.make()
        made = server_context(self.certificate, self.key, self.path)
        if alpn:
            made.set_alpn_protocols(list(alpn))
        return made

    def sign(self, request: bytes, until_s: float | None = None) -> str:
        """Return a client's certificate (PEM) for a request (DER, PKCS #10, of P-256), which has nothing of the request
        but its key. *until_s* is when it is over (Unix time), None for never.

        Raises:
            ValueError: it is no such request. NotSupportedError: openssl takes it for none, as where who made it has
            not the key. Else as make().
        """
        if not is_request(request):
            raise ValueError("that is no request for a certificate with a key of P-256")
        end = FOREVER if until_s is None else _time(until_s)
        lock = self._alone()
        try:
            self._make()
            draft = self._draft()
            try:
                _write(f"{draft}/request", pem(request, "CERTIFICATE REQUEST"))
                self._configure(draft, CLIENT)
                return self._signed(draft, "client", CLIENT, end, BEGIN)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        finally:
            lock.close()

    def text(self) -> str:
        """The authority's certificate, in PEM. Raises OSError."""
        with open(self.path, encoding="ascii") as file:
            return file.read()

    def digest(self) -> str:
        """The SHA-256 of the authority's certificate, in 64 digits: what this device is known by. Raises OSError."""
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.text())).hexdigest()

    def fingerprint(self) -> str:
        """The same, as openssl and browsers show it."""
        digest = self.digest().upper()
        return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))

    def reached_by(self) -> tuple[list[str], list[str]]:
        """The names and the addresses by which others reach this machine."""
        said = [name.partition(":")[::2] for name in self._names()]
        names = [name for kind, name in said if kind == "DNS" and name != "localhost"]
        return names, [name for kind, name in said if kind == "IP" and name not in ("127.0.0.1", "::1")]

    def certificate_der(self) -> bytes:
        """The server's certificate, in DER. Raises OSError."""
        with open(self.certificate, encoding="ascii") as file:
            return ssl.PEM_cert_to_DER_cert(file.read())

    # -- what is there ---------------------------------------------------------------------------

    def _alone(self) -> File:
        """Have the folder, until what is returned is closed: `rpio pair` and the daemon do not make two authorities."""
        from fcntl import LOCK_EX, flock

        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        lock = open_file(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            mode = stat.S_IMODE(os.fstat(lock.fd).st_mode)
            if mode & 0o022:
                text = (
                    f"others may write to the folder {self.folder} (mode {mode:04o}), so no key in it is used"
                )
                raise errors.NotAllowedError(text, hint=f"chmod 700 {self.folder}")
            flock(lock.fd, LOCK_EX)
        except BaseException:
            lock.close()
            raise
        return lock

    def _clear(self) -> None:
        """Remove what one who was killed has left."""
        for name in [name for name in os.listdir(self.folder) if name.startswith(DRAFT)]:
            shutil.rmtree(f"{self.folder}/{name}", ignore_errors=True)

    def _is_there(self) -> bool:
        """Whether there is an authority. A key alone is what one who was killed has left: it has signed nothing."""
        return os.path.lexists(self.path)

    def _check(self) -> None:
        """Raise for an authority that signs nothing: it is no such thing, or not ours alone."""
        anew = f"rm -r {self.folder} has another one made, and each client is then paired anew"
        for path in (self.path, self._key):
            _check_readable(path, anew)
        self._check_key(
            self._key, "whoever has read it can be this device; rm -r FOLDER has another one made"
        )
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.path, self._key, password="")
        except ssl.SSLError as e:
            text = f"{self.path} and {self._key} are no certificate and its key: {e.reason or e}"
            raise errors.ConfigError(text, hint=anew) from None

    def _check_key(self, path: str, what: str) -> None:
        mode = stat.S_IMODE(os.stat(path).st_mode)
        if mode & 0o077:
            text = f"others may read the key {path} (mode {mode:04o}), so nothing is encrypted by it"
            told = what.replace("FILE", path).replace("FOLDER", self.folder)
            raise errors.NotAllowedError(text, hint=f"{told}; chmod 600 {path} keeps it")

    def _is_good(self) -> bool:
        """Whether the server's files are there, belong together, are signed by this authority, last, and are for the
        names that this machine has now.
        """
        paths = (self.certificate, self.key)
        if not all(map(os.path.lexists, paths)):
            return False
        for path in paths:
            _check_readable(path, f"sudo rm {path} has another one made")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*paths, password="")
        except ssl.SSLError as e:
            log.warning("%s is made anew: %s", self.certificate, e)
            return False
        words = ["-startdate", "-enddate", "-ext", "subjectAltName"]
        shown = self._run(["x509", "-in", self.certificate, "-noout", *words], self.folder)
        checked = self._run(["verify", "-no_check_time", "-CAfile", self.path, self.certificate], self.folder)
        lists = set(self._names()) <= {_known(name) for name in shown.stdout.replace("\n", ",").split(",")}
        return shown.returncode == checked.returncode == 0 and lists and self._lasts(shown.stdout)

    def _lasts(self, shown: str) -> bool:
        said = dict(line.partition("=")[::2] for line in shown.splitlines())
        try:
            begin_s, end_s = (ssl.cert_time_to_seconds(said[word]) for word in ("notBefore", "notAfter"))
        except (KeyError, ValueError):
            return False
        return begin_s <= self._now_s() <= end_s - RENEWED_S

    # -- what is made ----------------------------------------------------------------------------

    def _make(self) -> None:
        """Make what is missing, while nobody else does."""
        self._clear()
        if self._is_there():
            self._check()
        else:
            self._make_authority()
        if not self._is_good():
            self._make_server()
        self._check_key(self.key, "rm FILE has another one made")

    def _make_authority(self) -> None:
        draft = self._draft()
        try:
            self._request(draft, f"RPIO {secrets.token_hex(4)}")
            words = ["-selfsign", "-keyfile", "key"]
            self._signed(draft, "authority", "", FOREVER, BEGIN, words)
            self._place(draft, self.path, self._key)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        log.info("an authority of this device's own is in %s", self.path)

    def _make_server(self) -> None:
        draft = self._draft()
        try:
            self._request(draft, "RPIO")
            self._signed(draft, "server", "RPIO", _time(self._now_s() + DAYS * DAY_S))
            self._place(draft, self.certificate, self.key)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        log.info("a certificate for %s is in %s", ", ".join(self._names()), self.certificate)

    def _draft(self) -> str:
        """A folder to make something in, where nobody else comes."""
        draft = f"{self.folder}/{DRAFT}{secrets.token_hex(8)}"
        os.mkdir(draft, 0o700)
        return draft

    def _request(self, draft: str, name: str) -> None:
        """Make a key, and a request for a certificate of it."""
        self._configure(draft, name)
        _write(f"{draft}/key", "")  # the file is there, and nobody else's to read, before openssl writes it
        self._do(["req", "-new", *openssl.CURVE, "-keyout", "key", "-config", "words"], "request", draft)

    def _configure(self, draft: str, name: str) -> None:
        _write(f"{draft}/words", CONFIGURATION.format(name=name, names=",".join(self._names())))
        _write(f"{draft}/index", "")

    def _signed(
        self, draft: str, kind: str, subject: str, end: str, begin: str = "", words: Sequence[str] = ()
    ) -> str:
        """Sign the request of a draft; return the certificate. The subject is the request's where none is given."""
        whose = [*words, *(["-subj", f"/CN={subject}"] if subject else [])]
        if not words:
            whose += ["-cert", os.path.abspath(self.path), "-keyfile", os.path.abspath(self._key)]
        times = ["-startdate", begin or _time(self._now_s() - BACK_S), "-enddate", end]
        what = ["-in", "request", "-extensions", kind]
        words = ["ca", "-config", "words", "-batch", "-notext", *whose, *times, *what]
        return self._do(words, "certificate", draft)

    def _do(self, words: Sequence[str], name: str, draft: str) -> str:
        """Have openssl make a file of a draft, and return what it has."""
        done = self._run([*words, "-out", name], draft)
        # Of a request that is signed by another key `openssl ca` makes nothing, and calls that a success.
        if done.returncode == 0 and os.path.exists(f"{draft}/{name}"):
            with open(f"{draft}/{name}", encoding="ascii") as file:
                return file.read()
        raise openssl.reason(done)

    def _place(self, draft: str, certificate: str, key: str) -> None:
        """Put a pair where it belongs, the key first: a certificate says that all is there."""
        for name, path in (("key", key), ("certificate", certificate)):
            fd = os.open(f"{draft}/{name}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fchmod(fd, 0o600)
                os.fsync(fd)
                keep_owner(fd, self.folder)
            finally:
                os.close(fd)
            os.replace(f"{draft}/{name}", path)


def is_request(request: bytes) -> bool:
    """Whether that may be a request (PKCS #10, DER) with a key of P-256: openssl looks at the rest of it."""
    return 100 < len(request) <= REQUEST_MAX and request[:1] == b"\x30" and P256 in request


def pem(der: bytes, what: str) -> str:
    """DER as PEM. Source: RFC 7468."""
    text = b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {what}-----", *lines, f"-----END {what}-----", ""])


def _known(name: str) -> str:
    """A name of a certificate, as openssl shows it, as names() has it."""
    kind, _, said = name.strip().partition(":")
    if kind != "IP Address":
        return name.strip()
    if ":" in said:
        said = socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, said))
    return f"IP:{said}"


def _time(time_s: float) -> str:
    """A time, as openssl takes it."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time_s))


def _check_readable(path: str, what: str) -> None:
    try:
        open_file(path, os.O_RDONLY).close()
    except FileNotFoundError:
        raise errors.ConfigError(f"{path} is missing", hint=what) from None
    except OSError as e:
        text = f"{path} cannot be read: {e.strerror}"
        raise errors.NoAccessError(text, hint=f"see: ls -l {path}; {what}") from None


def _write(path: str, text: str) -> None:
    """Write a file that only its owner can read, and that was not there before."""
    with new_file(path, 0o600) as file:
        file.write(text)
