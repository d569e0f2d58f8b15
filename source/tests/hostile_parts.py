# SPDX-License-Identifier: LGPL-3.0-or-later
"""Certificates by the openssl command, as no code of RPIO makes them, and a daemon that is open to the network."""

import contextlib
import hashlib
import json
import re
import shutil
import socket
import ssl
import subprocess
import time

import pytest

from remote_parts import Daemon
from RPIO.machine.addresses import addresses
from waiting import LIMIT_S

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="needs openssl: sudo apt install openssl"
)
DAY_S = 86400
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
policy = policy
[policy]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[leaf]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = {purpose}
subjectAltName = DNS:localhost, IP:127.0.0.1
"""


def openssl(folder, *words):
    """Run it there."""
    done = subprocess.run(
        ["openssl", *words], cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def when(days):
    """A time so many days from now, as openssl takes it."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * DAY_S))


class Signed:
    """A certificate and its key: files, and the digest that a list of clients has."""

    def __init__(self, certificate, key):
        self.certificate, self.key = str(certificate), str(key)
        self.der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
        self.digest = hashlib.sha256(self.der).hexdigest()


class Ca:
    """An authority in a folder: a new one, or that of files which are there."""

    def __init__(self, folder, name="RPIO", certificate=None, key=None):
        self.folder, self._count = folder, 0
        folder.mkdir(exist_ok=True)
        (folder / "index").touch()
        self.certificate = str(certificate or folder / "ca.pem")
        self.key = str(key or folder / "ca.key")
        if certificate is None:
            self._configure(name, "serverAuth")
            self._request("ca.key", "ca.request")
            times = ("-startdate", when(-400), "-enddate", when(4000))
            self._ca(
                "ca.request", "ca.pem", "-selfsign", "-keyfile", "ca.key", "-extensions", "authority", *times
            )

    def _configure(self, name, purpose):
        (self.folder / "words").write_text(CONFIGURATION.format(name=name, purpose=purpose))

    def _request(self, key, request):
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        openssl(self.folder, "req", "-new", *new, "-keyout", key, "-out", request, "-config", "words")

    def _ca(self, request, out, *words):
        openssl(
            self.folder, "ca", "-config", "words", "-batch", "-notext", "-in", request, "-out", out, *words
        )

    def sign(self, purpose="clientAuth", name="someone", begin_days=-1, end_days=100, is_selfsigned=False):
        """A certificate for that."""
        self._count += 1
        key, request, out = (f"{self._count}.{end}" for end in ("key", "request", "pem"))
        self._configure(name, purpose)
        self._request(key, request)
        whose = (
            ("-selfsign", "-keyfile", key)
            if is_selfsigned
            else ("-cert", self.certificate, "-keyfile", self.key)
        )
        times = ("-startdate", when(begin_days), "-enddate", when(end_days))
        self._ca(request, out, *whose, "-extensions", "leaf", *times)
        return Signed(self.folder / out, self.folder / key)


class Open(Daemon):
    """A daemon that other machines may come to, and who may."""

    def __init__(self, folder, *words, address="any", announce="", config="", **options):
        config = f"announce = '{announce}'\n{config}"
        super().__init__(folder, "--address", address, "--port", "0", *words, config=config, **options)
        self.tls = folder / "state" / "tls"

    @property
    def port(self):
        """Its port."""
        return int(self.says(r"serving .*(?:\[::\]|0\.0\.0\.0|\d):(\d+)\r?$")[1])

    @property
    def authority(self):
        """Its certificate's file."""
        return str(self.tls / "ca.pem")

    def ca(self, folder):
        """The device's own authority, for who has stolen its key."""
        return Ca(folder, certificate=self.tls / "ca.pem", key=self.tls / "ca.key")

    def list(
        self, signed, name="laptop", scopes=("read", "gpio", "i2c"), lines=None, made_s=None, until_s=None
    ):
        """Have a certificate in its list of clients, as pairing would."""
        row = {
            "id": signed.digest[:6],
            "digest": signed.digest,
            "scopes": list(scopes),
            "lines": lines,
            "name": name,
            "made_s": time.time() if made_s is None else made_s,
            "until_s": until_s,
        }
        path = self.tls / "clients"
        before = path.read_text() if path.exists() else ""
        path.write_text(before + json.dumps(row) + "\n")
        path.chmod(0o600)

    def refused(self):
        """The lines of its log about who was refused."""
        return re.findall(r"^.*(\S+) is refused: (.*)$", self.look(), re.MULTILINE)


@contextlib.contextmanager
def opened(folder, *words, **options):
    """An Open one that runs."""
    made = Open(folder, *words, **options)
    try:
        yield made
    finally:
        made.close()


def own_address():
    """An address by which this machine is reached as another one would."""
    found = [address for address in addresses() if ":" not in address]
    if not found:
        pytest.skip(
            "this machine has no address but loopback's: ip link add dummy0 type dummy, and give it one"
        )
    return found[0]


def context(authority=None, signed=None, **changed):
    """TLS of Python's for a client who trusts that authority, or anybody."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED if authority else ssl.CERT_NONE
    if authority:
        made.load_verify_locations(authority)
    if signed is not None:
        made.load_cert_chain(signed.certificate, signed.key)
    for name, value in changed.items():
        setattr(made, name, value)
    return made


class Talk:
    """A connection by Python's own TLS."""

    def __init__(self, port, made, host="127.0.0.1"):
        self.socket = made.wrap_socket(socket.create_connection((host, port), LIMIT_S))
        self.file = self.socket.makefile("rb")

    def send(self, text):
        self.socket.sendall(text.encode())

    def read(self):
        """The next line; empty where there is none any more."""
        try:
            return self.file.readline().decode().rstrip("\n")
        except OSError:
            return ""

    def ask(self, text):
        """Ask, and return the answer."""
        self.send(f"{text}\n")
        return self.read()

    def rest(self):
        """All up to the end."""
        try:
            return self.file.read().decode()
        except OSError:
            return ""

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
