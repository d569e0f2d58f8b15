# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the tests of TLS share: a device with its authority, and machines that are paired with it, as files."""

import atexit
import hashlib
import os
import shutil
import ssl
import subprocess
import tempfile
import time
from contextlib import contextmanager

from RPIO.remote.places import hosts
from RPIO.server.outside.authority import Authority
from RPIO.server.rights.access import Token

P256 = "prime256v1"


def request(folder, name="me", *more, curve=P256):
    """Make a key and the request of a certificate for it, NAME.key (PEM) and NAME.request (DER); return these two."""
    files = [f"{folder}/{name}.{end}" for end in ("key", "request")]
    words = [
        "-newkey",
        "ec",
        "-pkeyopt",
        f"ec_paramgen_curve:{curve}",
        "-nodes",
        "-subj",
        "/CN=anything",
        *more,
    ]
    made = ["-keyout", files[0], "-out", files[1], "-outform", "DER"]
    subprocess.run(["openssl", "req", "-new", *words, *made], check=True, capture_output=True)
    with open(files[0], encoding="ascii") as key, open(files[1], "rb") as der:
        return key.read(), der.read()


MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where files are that are written for good, a thousand times: they wait for no disk."""


class Device:
    """A device's folder of state, and a laptop's of settings."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.state, self.settings = f"{folder}/state", f"{folder}/config"
        self.environment = {"STATE_DIRECTORY": self.state, "XDG_CONFIG_HOME": self.settings}
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        self.authority = Authority(f"{self.state}/tls")
        self.authority.make()
        self.clients = f"{self.state}/tls/clients"
        self.certificates = {}

    def certificate(self, name):
        """Return the certificate of that machine, in PEM, and its key; made once."""
        if name not in self.certificates:
            key, der = request(self.folder)
            self.certificates[name] = self.authority.sign(der), key
        return self.certificates[name]

    def list(self, *rows):
        """Have these be paired: (name, scopes, lines)."""
        lines = []
        for name, scopes, these in rows:
            der = ssl.PEM_cert_to_DER_cert(self.certificate(name)[0])
            digest = hashlib.sha256(der).hexdigest()
            lines.append(Token(f"c-{name}", digest, tuple(scopes), these, name, time.time(), None).written())
        with open(os.open(self.clients, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.writelines(f"{line}\n" for line in lines)

    def pair(self, name="laptop", scopes=("read", "gpio", "i2c", "run"), lines=None, host="127.0.0.1"):
        """Have a machine be paired with this device, which it finds at that host."""
        self.list((name, scopes, lines))
        self.know(name, host)

    def know(self, name="laptop", host="127.0.0.1"):
        """Have this process be that machine; None for one that has no certificate."""
        certificate, key = self.certificate(name) if name is not None else ("", "")
        with environment(self.environment):
            hosts.store(host, self.authority.text(), certificate, key, time.time())


@contextmanager
def environment(values):
    """Have these variables set."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_devices = []


def paired():
    """The device that all in this process share, with which it is paired as 127.0.0.1."""
    if not _devices:
        folder = tempfile.mkdtemp(prefix="rpio-tls-", dir=MEMORY)
        atexit.register(shutil.rmtree, folder, True)
        _devices.append(Device(folder))
        _devices[0].pair()
    return _devices[0]
